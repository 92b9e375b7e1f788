//! Notices that this machine changed: cheap looks at modification times instead of watches on
//! folders that may not exist yet.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::minikube;
use crate::process::Surroundings;

const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What is looked at, and how it was last.
pub(super) struct Watch {
    places: Places,
    before: Option<u64>,
}

#[derive(Clone)]
struct Places {
    /// Where programs come and go.
    path: Vec<PathBuf>,
    /// Files and sockets whose coming, going and change matter.
    files: Vec<PathBuf>,
    /// minikube's `profiles`.
    profiles: Option<PathBuf>,
}

impl Watch {
    pub fn new(around: Surroundings, kubeconfig: Vec<PathBuf>) -> Self {
        let home = around.var("HOME").map(PathBuf::from);
        let mut files = kubeconfig;
        files.push(docker_socket(&around));
        if let Some(docker) = around
            .var("DOCKER_CONFIG")
            .map(PathBuf::from)
            .or_else(|| Some(home?.join(".docker")))
        {
            files.push(docker.join("config.json"));
            files.push(docker.join("cli-plugins"));
        }
        Self {
            places: Places {
                path: around.path(),
                files,
                profiles: minikube::home(&around).map(|home| home.join("profiles")),
            },
            before: None,
        }
    }

    /// Waits until something is not as it was.
    pub async fn changed(&mut self) {
        loop {
            let places = self.places.clone();
            let now = tokio::task::spawn_blocking(move || places.signature())
                .await
                .ok();
            let before = std::mem::replace(&mut self.before, now);
            if before.is_some() && before != now {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

impl Places {
    /// The same number as long as nothing changed.
    fn signature(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for path in self.path.iter().chain(&self.files) {
            look(path).hash(&mut hasher);
        }
        if let Some(profiles) = &self.profiles {
            let mut found: Vec<_> = std::fs::read_dir(profiles)
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| (entry.file_name(), look(&entry.path().join("config.json"))))
                .collect();
            found.sort();
            found.hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// When a path was last changed and how long it is; none when it is not there.
fn look(path: &Path) -> Option<(std::time::SystemTime, u64)> {
    let found = path.metadata().ok()?;
    Some((found.modified().ok()?, found.len()))
}

/// The socket of `DOCKER_HOST`, or the usual one.
fn docker_socket(around: &Surroundings) -> PathBuf {
    around
        .var("DOCKER_HOST")
        .and_then(|host| Some(PathBuf::from(host.to_str()?.strip_prefix("unix://")?)))
        .unwrap_or_else(|| PathBuf::from("/var/run/docker.sock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_program_profile_or_kubeconfig_changes_the_signature_and_a_look_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |path: &str| folder.path().join(path);
        for made in ["bin", "home/.minikube/profiles"] {
            std::fs::create_dir_all(at(made)).expect("made");
        }
        let around = Surroundings::with(vec![
            ("PATH".into(), at("bin").into()),
            ("HOME".into(), at("home").into()),
            ("MINIKUBE_HOME".into(), "".into()),
        ]);
        let watch = Watch::new(around, vec![at("kubeconfig")]);
        let mut last = watch.places.signature();
        assert_eq!(watch.places.signature(), last);
        let mut differs = |what: &str| {
            let now = watch.places.signature();
            assert_ne!(now, last, "{what}");
            last = now;
        };
        std::fs::write(at("kubeconfig"), "a").expect("written");
        differs("a kubeconfig");
        std::fs::write(at("bin/helm"), "").expect("written");
        differs("a program");
        std::fs::create_dir(at("home/.minikube/profiles/demo")).expect("made");
        differs("a profile's folder");
        std::fs::write(at("home/.minikube/profiles/demo/config.json"), "{}").expect("written");
        differs("a profile");
    }
}
