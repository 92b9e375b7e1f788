//! The profiles of a MINIKUBE_HOME, in minikube's own layout.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Args;

pub struct Home {
    pub folder: PathBuf,
}

/// What plays the node container's state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    Running,
    Paused,
    Stopped,
    /// Removed behind minikube's back.
    Gone,
}

pub struct Profile {
    pub name: String,
    /// None: a folder without a readable `config.json`, an invalid profile.
    pub config: Option<Value>,
    pub state: State,
}

impl Home {
    pub fn find() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let folder = match variable("MINIKUBE_HOME").map(PathBuf::from) {
            Some(home) if home.ends_with(".minikube") => home,
            Some(home) => home.join(".minikube"),
            None => PathBuf::from(variable("HOME").unwrap_or_default()).join(".minikube"),
        };
        Self { folder }
    }

    pub fn log(&self, line: &str) {
        let _ = fs::create_dir_all(&self.folder);
        if let Ok(mut file) = fs::File::options()
            .append(true)
            .create(true)
            .open(self.folder.join("calls.log"))
        {
            // One write: several of us may append at once.
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
    }

    pub fn profile_folder(&self, name: &str) -> PathBuf {
        self.folder.join("profiles").join(name)
    }

    pub fn profile(&self, name: &str) -> Option<Profile> {
        let folder = self.profile_folder(name);
        folder.is_dir().then(|| Profile {
            name: name.to_owned(),
            config: read_json(&folder.join("config.json")),
            state: read_json(&folder.join("standin.json"))
                .and_then(|value| State::parse(value.get("state")?.as_str()?))
                .unwrap_or(State::Stopped),
        })
    }

    pub fn profiles(&self) -> Vec<Profile> {
        let mut names: Vec<String> = fs::read_dir(self.folder.join("profiles"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names.iter().filter_map(|name| self.profile(name)).collect()
    }

    pub fn set_state(&self, name: &str, state: State) {
        let text = json!({"state": state.word()}).to_string();
        fs::write(self.profile_folder(name).join("standin.json"), text).expect("written");
    }

    /// Writes the configuration of a new profile from the options of `start`.
    pub fn create(&self, args: &Args, kubernetes: &str) {
        let name = args.profile();
        let number = |option: &str, default: u64| {
            args.get(option)
                .and_then(|text| {
                    text.trim_end_matches(|c: char| c.is_ascii_alphabetic())
                        .parse()
                        .ok()
                })
                .unwrap_or(default)
        };
        let runtime = args.get("container-runtime").unwrap_or("docker");
        let node = |at: u64| {
            json!({"Name": if at == 0 { String::new() } else { format!("m{:02}", at + 1) },
                "IP": "192.168.49.2", "Port": 8443, "KubernetesVersion": kubernetes,
                "ContainerRuntime": runtime, "ControlPlane": at == 0, "Worker": true})
        };
        let nodes: Vec<Value> = (0..number("nodes", 1)).map(node).collect();
        let config = json!({
            "Name": name,
            "KicBaseImage": "gcr.io/k8s-minikube/kicbase:v0.0.50",
            "Memory": number("memory", 3072), "CPUs": number("cpus", 2),
            "DiskSize": number("disk-size", 20_000),
            "Driver": args.get("driver").unwrap_or("docker"),
            "StartHostTimeout": 360_000_000_000_u64,
            "KubernetesConfig": {"KubernetesVersion": kubernetes, "ClusterName": name,
                "Namespace": "default", "APIServerName": "minikubeCA",
                "ContainerRuntime": runtime, "CRISocket": "", "NetworkPlugin": "cni",
                "ServiceCIDR": "10.96.0.0/12", "CNI": ""},
            "Nodes": nodes,
            "Addons": null,
            "APIServerPort": 8443,
            "ExposedPorts": [],
            "MultiNodeRequested": false,
        });
        let folder = self.profile_folder(name);
        fs::create_dir_all(&folder).expect("made");
        fs::write(folder.join("config.json"), config.to_string()).expect("written");
    }
}

impl State {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "running" => Self::Running,
            "paused" => Self::Paused,
            "stopped" => Self::Stopped,
            "gone" => Self::Gone,
            _ => return None,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Gone => "gone",
        }
    }
}

impl Profile {
    pub fn nodes(&self) -> usize {
        self.config
            .as_ref()
            .and_then(|config| config.get("Nodes")?.as_array())
            .map_or(1, Vec::len)
    }
}

fn read_json(path: &Path) -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}
