//! A machine on which the stand-in is called `minikube`; its scenarios and what it was asked.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Folders of its own for programs, profiles and kubeconfig.
pub struct Machine {
    folder: TempDir,
}

impl Machine {
    /// With `minikube` on the PATH, before everything else of this machine.
    pub fn with_minikube() -> Self {
        let machine = Self::bare();
        machine.add("minikube", &standin("standin-minikube"));
        machine
    }

    /// With an empty folder before the PATH.
    pub fn bare() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("bin")).expect("made");
        Self { folder }
    }

    pub fn add(&self, name: &str, program: &Path) {
        symlink(program, self.at("bin").join(name)).expect("linked");
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// What happens from now on; the keys are in the stand-in's module head.
    pub fn scenario(&self, scenario: Value) {
        fs::write(self.at("scenario.json"), scenario.to_string()).expect("written");
    }

    /// The variables that make a process see this machine.
    pub fn env(&self) -> Vec<(OsString, OsString)> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = [self.at("bin")]
            .into_iter()
            .chain(std::env::split_paths(&path));
        let mut env: Vec<(OsString, OsString)> = vec![
            (
                "PATH".into(),
                std::env::join_paths(folders).expect("no colon in it"),
            ),
            ("MINIKUBE_HOME".into(), self.at("home").into()),
            ("KUBECONFIG".into(), self.at("kubeconfig").into()),
        ];
        if self.at("scenario.json").exists() {
            env.push(("STANDIN_MINIKUBE".into(), self.at("scenario.json").into()));
        }
        env
    }

    /// Runs the stand-in itself.
    pub fn minikube(&self, args: &str) -> Output {
        Command::new(self.at("bin/minikube"))
            .args(args.split_whitespace())
            .envs(self.env())
            .output()
            .expect("the stand-in runs")
    }

    /// The arguments of every call so far.
    pub fn calls(&self) -> Vec<String> {
        fs::read_to_string(self.at("home/.minikube/calls.log"))
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

/// Cargo puts examples beside the binaries it builds for tests.
pub fn standin(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_slipway"))
        .with_file_name("examples")
        .join(name)
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it exited")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_it_does_shows_in_what_it_says() {
    let machine = Machine::with_minikube();
    let status = || {
        let output = machine.minikube("status -o json -p demo");
        (code(&output), stdout(&output))
    };
    let (exit, said) = status();
    assert_eq!(exit, 85);
    assert!(said.contains("io.k8s.sigs.minikube.info"), "{said}");

    let start = machine.minikube("start -p demo -o json --driver=docker --memory=4096 --cpus 4");
    assert_eq!(code(&start), 0);
    assert!(stdout(&start).lines().count() > 10);
    assert_eq!(
        status(),
        (
            0,
            r#"{"Name":"demo","Host":"Running","Kubelet":"Running","APIServer":"Running","Kubeconfig":"Configured","Worker":false}"#.to_owned()
        )
    );
    machine.minikube("pause -p demo -o json");
    assert_eq!(status().0, 2);
    machine.minikube("stop -p demo -o json");
    assert_eq!(status().0, 7);
    let list: Value = serde_json::from_slice(&machine.minikube("profile list -o json").stdout)
        .expect("one object");
    assert_eq!(list["valid"][0]["Status"], "Stopped");
    assert_eq!(list["valid"][0]["Config"]["CPUs"], 4);
    machine.minikube("delete -p demo -o json");
    assert_eq!(status().0, 85);
    assert!(
        !fs::read_to_string(machine.at("kubeconfig"))
            .expect("written")
            .contains("demo")
    );
}

#[test]
fn a_scenario_replaces_answers_and_ends_starts() {
    let machine = Machine::with_minikube();
    machine.scenario(json!({
        "start": {"error": {"at": 8, "name": "PROVIDER_DOCKER_NEWGRP", "exitcode": 69, "message": "no", "advice": "{{.profileArg}}"}},
        "answers": {"profile list": {"stdout": "{\"error\":{}}", "exit": 80}}
    }));
    assert_eq!(code(&machine.minikube("profile list -o json")), 80);
    let start = machine.minikube("start -o json");
    assert_eq!(code(&start), 69);
    assert!(stdout(&start).contains("{{.profileArg}}"));
    assert_eq!(machine.calls().len(), 2);
}
