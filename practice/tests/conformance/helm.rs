//! Releases, with helm 3 and 4.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cluster::{HELMS, Place, config_map};
use crate::run::{self, Said};

const CHART: &str = "apiVersion: v2\nname: shop\nversion: 0.1.0\nappVersion: \"1.0\"\n";
const VALUES: &str = "replicas: 1\nslow: 0\nhook: 0\nready: true\nnote: hello\n";
const WEB: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}, annotations: {note: {{ .Values.note | quote }}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: {{ .Values.image | quote }}
        imagePullPolicy: IfNotPresent
        args: [serve, "8000"]
        readinessProbe: {httpGet: {path: /, port: {{ ternary 8000 9 .Values.ready }}}, periodSeconds: 1}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-settings}
data:
  note: {{ .Values.note | quote }}
  here: {{ dig "metadata" "name" "unknown" (lookup "v1" "Namespace" "" .Release.Namespace) | quote }}
"#;
const HOOKS: &str = r#"
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-migrate
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-delete-policy: before-hook-creation}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: app
        image: {{ .Values.image | quote }}
        imagePullPolicy: IfNotPresent
        command: [/bin/sh, -c, "sleep {{ .Values.slow }}; exit {{ .Values.hook }}"]
---
apiVersion: v1
kind: Pod
metadata: {name: {{ .Release.Name }}-test, annotations: {helm.sh/hook: test, helm.sh/hook-delete-policy: before-hook-creation}}
spec:
  restartPolicy: Never
  containers:
  - {name: app, image: {{ .Values.image | quote }}, imagePullPolicy: IfNotPresent, command: [/bin/sh, -c, "exit 0"]}
"#;

fn chart(folder: &Path, hooks: bool) -> PathBuf {
    let chart = folder.join(if hooks { "with-hooks" } else { "plain" });
    let templates = chart.join("templates");
    fs::create_dir_all(&templates).expect("the folder is made");
    fs::write(chart.join("Chart.yaml"), CHART).expect("written");
    fs::write(chart.join("values.yaml"), VALUES).expect("written");
    fs::write(templates.join("web.yaml"), WEB).expect("written");
    if hooks {
        fs::write(templates.join("hooks.yaml"), HOOKS).expect("written");
    }
    chart
}

/// One release of the chart, under one helm.
struct Release<'a> {
    place: &'a Place,
    major: u32,
    name: String,
    chart: String,
}

impl<'a> Release<'a> {
    fn new(place: &'a Place, major: u32, hooks: bool) -> Self {
        Self {
            place,
            major,
            name: format!("shop-{major}"),
            chart: chart(place.folder.path(), hooks).display().to_string(),
        }
    }

    async fn helm(&self, args: &[&str]) -> Said {
        self.place.helm(self.major, args).await
    }

    fn change<'s>(&'s self, verb: &'s str, image: &'s str, extra: &[&'s str]) -> Vec<&'s str> {
        let mut args = vec![verb, &self.name, &self.chart, "--set-string", image];
        args.extend(["--timeout", "40s"]);
        args.extend(extra);
        args
    }

    async fn run(&self, verb: &str, extra: &[&str]) -> Said {
        let image = format!("image={}", self.place.image);
        self.helm(&self.change(verb, &image, extra)).await
    }

    async fn statuses(&self) -> Vec<String> {
        let history = self.helm(&["history", &self.name, "-o", "json"]).await.ok();
        let history: serde_json::Value = serde_json::from_str(&history).expect("JSON");
        let rows = history.as_array().expect("a list");
        rows.iter()
            .map(|row| row["status"].as_str().unwrap_or("").to_owned())
            .collect()
    }
}

pub async fn releases_live_their_whole_life(place: Place) {
    for major in HELMS {
        let release = Release::new(&place, major, true);
        let name = release.name.as_str();
        release
            .run("install", &["--wait", "--wait-for-jobs"])
            .await
            .says("STATUS: deployed")
            .code(0);
        release
            .run(
                "upgrade",
                &["--install", "--wait", "--set", "replicas=2,note=again"],
            )
            .await
            .says("has been upgraded")
            .code(0);
        assert_eq!(release.statuses().await, ["superseded", "deployed"]);
        release
            .helm(&["list", "-o", "json"])
            .await
            .says("\"revision\":\"2\"");
        release
            .helm(&["status", name])
            .await
            .says("STATUS: deployed");
        release
            .helm(&["get", "values", name])
            .await
            .says("note: again");
        release
            .helm(&["get", "manifest", name])
            .await
            .says("kind: Deployment");
        release
            .helm(&["get", "hooks", name])
            .await
            .says("kind: Job");
        release
            .helm(&["test", name])
            .await
            .says("Phase:          Succeeded")
            .code(0);
        release
            .helm(&["rollback", name, "1", "--wait"])
            .await
            .says("Rollback was a success")
            .code(0);
        assert_eq!(
            release.statuses().await.last().map(String::as_str),
            Some("deployed")
        );
        let settings = format!("cm/{name}-settings");
        let note = place
            .kubectl(&["get", &settings, "-o", "jsonpath={.data.note} {.data.here}"])
            .await;
        assert_eq!(note.ok(), format!("hello {}", place.namespace));
        release
            .run("install", &[])
            .await
            .refused("a name that is still in use");
        release
            .helm(&["uninstall", name, "--wait"])
            .await
            .says("uninstalled")
            .code(0);
        place
            .kubectl(&["get", &settings])
            .await
            .refused("not found");
        release
            .helm(&["status", name])
            .await
            .refused("release: not found");
    }
}

pub async fn a_failed_upgrade_is_rolled_back_where_that_was_asked_for(place: Place) {
    for major in HELMS {
        let release = Release::new(&place, major, false);
        release.run("install", &["--wait"]).await.ok();
        let broken = ["--wait", "--set", "ready=false", "--timeout", "4s"];
        release
            .run("upgrade", &broken)
            .await
            .refused("context deadline exceeded");
        assert_eq!(release.statuses().await, ["deployed", "failed"]);
        let back = if major == 3 {
            "--atomic"
        } else {
            "--rollback-on-failure"
        };
        let mut broken = broken.to_vec();
        broken.push(back);
        release
            .run("upgrade", &broken)
            .await
            .refused("has been rolled back due to");
        assert_eq!(
            release.statuses().await.last().map(String::as_str),
            Some("deployed")
        );
        release
            .run("upgrade", &["--wait", "--set", "note=better"])
            .await
            .ok();
        release
            .helm(&["uninstall", &release.name, "--wait"])
            .await
            .ok();
    }
}

pub async fn hooks_are_jobs_that_must_succeed(place: Place) {
    for major in HELMS {
        let release = Release::new(&place, major, true);
        release
            .run("install", &["--set", "hook=1"])
            .await
            .refused("pre-install");
        assert_eq!(release.statuses().await, ["failed"]);
        release.run("upgrade", &["--install", "--wait"]).await.ok();
        release
            .run("upgrade", &["--set", "hook=1"])
            .await
            .refused("pre-upgrade hooks failed");
        release.helm(&["uninstall", &release.name]).await.ok();
    }
}

/// Starts an upgrade whose hook takes long, and signals helm when the release is pending.
async fn interrupted(release: &Release<'_>, signal: Signal) -> Said {
    let image = format!("image={}", release.place.image);
    let args = release.change("upgrade", &image, &["--set", "slow=30", "--wait"]);
    let mut command = release.place.helm_command(release.major, &args);
    command.stdin(std::process::Stdio::null());
    let child = command.spawn().expect("helm starts");
    let pid = Pid::from_raw(i32::try_from(child.id().expect("it runs")).expect("a process ID"));
    release
        .place
        .until("the release to be pending", async || {
            release
                .statuses()
                .await
                .last()
                .is_some_and(|status| status == "pending-upgrade")
        })
        .await;
    kill(pid, signal).expect("helm is signalled");
    let ended = tokio::time::timeout(Duration::from_secs(30), child.wait_with_output()).await;
    let output = ended.expect("helm ends").expect("helm is waited for");
    run::said(&output)
}

pub async fn an_upgrade_that_is_told_to_stop_says_that_it_was_cancelled(place: Place) {
    for major in HELMS {
        let release = Release::new(&place, major, true);
        release.run("install", &["--wait"]).await.ok();
        interrupted(&release, Signal::SIGTERM)
            .await
            .says("has been cancelled");
        // helm writes the failure down while it ends, and now and then it has ended before.
        let status = release.statuses().await.pop().unwrap_or_default();
        assert!(
            ["failed", "pending-upgrade"].contains(&status.as_str()),
            "{status}"
        );
        release.helm(&["uninstall", &release.name]).await.ok();
    }
}

pub async fn an_upgrade_that_is_killed_stays_pending_until_it_is_rolled_back(place: Place) {
    for major in HELMS {
        let release = Release::new(&place, major, true);
        release.run("install", &["--wait"]).await.ok();
        interrupted(&release, Signal::SIGKILL).await;
        assert_eq!(release.statuses().await, ["deployed", "pending-upgrade"]);
        release
            .run("upgrade", &[])
            .await
            .refused("another operation (install/upgrade/rollback) is in progress");
        release
            .helm(&["rollback", &release.name, "1", "--no-hooks"])
            .await
            .ok();
        assert_eq!(
            release.statuses().await.last().map(String::as_str),
            Some("deployed")
        );
        release.helm(&["uninstall", &release.name]).await.ok();
    }
}

pub async fn charts_are_rendered_against_the_cluster(place: Place) {
    for major in HELMS {
        let release = Release::new(&place, major, true);
        let name = release.name.as_str();
        let here = format!("here: \"{}\"", place.namespace);
        let set = ["--set-string", "image=web:1"];
        let set_image = [name, &release.chart, set[0], set[1]];
        // Only this form asks the cluster while rendering, with either helm.
        let mut render = vec!["template", "--dry-run=server"];
        render.extend(set_image);
        release.helm(&render).await.says(&here).code(0);
        let mut validate = vec!["template", "--validate"];
        validate.extend(set_image);
        release
            .helm(&validate)
            .await
            .says("kind: Deployment")
            .code(0);
        let dry = [
            "install",
            name,
            &release.chart,
            set[0],
            set[1],
            "--dry-run=server",
        ];
        release.helm(&dry).await.says(&here).code(0);
        release
            .helm(&["lint", &release.chart])
            .await
            .says("0 chart(s) failed");
        release.helm(&["list", "-q"]).await.code(0);
    }
}

pub async fn foreign_objects_are_not_taken_over(place: Place) {
    for major in HELMS {
        let release = Release::new(&place, major, false);
        let name = format!("{}-settings", release.name);
        place.apply(&[config_map(&name, "mine")]).await;
        let args = [
            "install",
            &release.name,
            &release.chart,
            "--set",
            "replicas=0,image=web:1",
        ];
        release.helm(&args).await.refused(
            "exists and cannot be imported into the current release: invalid ownership metadata",
        );
        let mut taking = args.to_vec();
        taking.push("--take-ownership");
        if major == 4 {
            // Helm 4 applies on the server, where the field has an owner.
            taking.push("--force-conflicts");
        }
        release.helm(&taking).await.ok();
        release.helm(&["uninstall", &release.name]).await.ok();
    }
}
