//! Where a cluster's images come from, and so where they are put: its own docker daemon, its nodes
//! through its tool, a registry, or the practice store.

use app::model::{ClusterKind, DesktopApp, Finding};
use practice::images::ImageStore;
use tokio_util::sync::CancellationToken;

use super::findings;
use super::nodes::NodeImages;
use crate::adapters::docker::{self, Daemon};
use crate::adapters::minikube;
use crate::cluster::Connected;
use crate::process::{self, Ending};

/// How images get into a cluster, known before anything is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    Practice,
    Minikube {
        profile: String,
    },
    Kind {
        name: String,
    },
    K3d {
        name: String,
    },
    /// The cluster runs on the daemon of a desktop program and sees its images.
    SharedDaemon {
        app: DesktopApp,
    },
    /// Pushed there; the cluster pulls.
    Registry {
        registry: String,
    },
}

/// The context a desktop program adds to the docker CLI.
fn docker_context(app: DesktopApp) -> &'static str {
    match app {
        DesktopApp::DockerDesktop => "desktop-linux",
        DesktopApp::RancherDesktop => "rancher-desktop",
        DesktopApp::Colima => "colima",
        DesktopApp::OrbStack => "orbstack",
    }
}

impl Way {
    /// Chosen by what the cluster is. Clusters that take images only from a registry need one in
    /// `slipway.toml`.
    pub fn of(kind: &ClusterKind, registry: Option<&str>) -> Result<Self, Finding> {
        Ok(match kind {
            ClusterKind::Practice => Self::Practice,
            ClusterKind::Minikube { profile } => Self::Minikube {
                profile: profile.clone(),
            },
            ClusterKind::Kind { name } => Self::Kind { name: name.clone() },
            ClusterKind::K3d { name } => Self::K3d { name: name.clone() },
            ClusterKind::Desktop { app } => Self::SharedDaemon { app: *app },
            ClusterKind::OtherLocal | ClusterKind::Remote => Self::Registry {
                registry: registry.ok_or_else(findings::cannot_load)?.to_owned(),
            },
        })
    }

    /// Whether a docker daemon on this machine takes part, other than the cluster's own.
    pub fn needs_local_daemon(&self) -> bool {
        !matches!(self, Self::Minikube { .. })
    }

    /// As a phrase that follows "goes".
    pub fn phrase(&self) -> String {
        match self {
            Self::Practice => "into the practice cluster's image store".to_owned(),
            Self::Minikube { profile } => format!("into minikube profile {profile}"),
            Self::Kind { name } => format!("into the nodes of kind cluster {name}"),
            Self::K3d { name } => format!("into the nodes of k3d cluster {name}"),
            Self::SharedDaemon { app } => {
                format!("into {}'s daemon, which the cluster runs on", app.title())
            }
            Self::Registry { registry } => format!("to the registry {registry}"),
        }
    }
}

/// A way with everything that had to be asked for: good for one build.
#[derive(Clone, Debug)]
pub enum Destination {
    Practice(ImageStore),
    /// Images built in this daemon are in the cluster.
    ClustersDaemon {
        daemon: Daemon,
        goes: String,
        /// With a desktop program, whose cluster may still keep images of its own.
        shared: bool,
    },
    /// Handed over as an archive.
    Archive {
        to: ArchiveTo,
        why: String,
    },
    Registry {
        registry: String,
    },
}

/// Who takes archives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchiveTo {
    Minikube { profile: String },
    Kind { name: String },
    K3d { name: String },
}

impl Destination {
    /// Asks what has to be asked. minikube's variables change with every restart of the cluster, so
    /// this is done anew for every build.
    pub async fn resolve(
        way: &Way,
        connected: &Connected,
        nodes: &NodeImages,
        cancel: &CancellationToken,
    ) -> Result<Self, Finding> {
        Ok(match way {
            Way::Practice => Self::Practice(
                connected
                    .practice
                    .clone()
                    .ok_or_else(findings::cannot_load)?,
            ),
            Way::Minikube { profile } => match minikube_daemon(profile, nodes, cancel).await? {
                Inner::Daemon(daemon) => Self::ClustersDaemon {
                    daemon,
                    goes: format!("into the docker daemon of minikube profile {profile}"),
                    shared: false,
                },
                Inner::None { why } => Self::Archive {
                    to: ArchiveTo::Minikube {
                        profile: profile.clone(),
                    },
                    why,
                },
            },
            Way::Kind { name } => Self::Archive {
                to: ArchiveTo::Kind { name: name.clone() },
                why: String::new(),
            },
            Way::K3d { name } => Self::Archive {
                to: ArchiveTo::K3d { name: name.clone() },
                why: String::new(),
            },
            Way::SharedDaemon { app } => Self::ClustersDaemon {
                daemon: shared_daemon(*app, cancel).await,
                goes: way.phrase(),
                shared: true,
            },
            Way::Registry { registry } => Self::Registry {
                registry: registry.clone(),
            },
        })
    }

    /// The daemon a docker build goes to.
    pub fn daemon(&self) -> Daemon {
        match self {
            Self::ClustersDaemon { daemon, .. } => daemon.clone(),
            Self::Practice(_) | Self::Archive { .. } | Self::Registry { .. } => Daemon::Users,
        }
    }

    /// As a phrase that follows "goes", with what was learned by asking.
    pub fn phrase(&self, way: &Way) -> String {
        match self {
            Self::ClustersDaemon { goes, .. } => goes.clone(),
            Self::Archive { why, .. } if !why.is_empty() => {
                format!("{} as an archive: {why}", way.phrase())
            }
            _ => way.phrase(),
        }
    }
}

enum Inner {
    Daemon(Daemon),
    None { why: String },
}

/// The exit codes of `minikube docker-env` that mean: there is none to be had.
const NONE_DRIVER: i32 = 51;
const SEVERAL_NODES: i32 = 81;
const OTHER_RUNTIME: i32 = 14;

async fn minikube_daemon(
    profile: &str,
    nodes: &NodeImages,
    cancel: &CancellationToken,
) -> Result<Inner, Finding> {
    let none = |why: &str| {
        Ok(Inner::None {
            why: why.to_owned(),
        })
    };
    // Asking would start things inside a node that runs containerd.
    if let Some(runtime) = nodes.other_runtime() {
        return none(&format!("its nodes run {runtime}, not docker"));
    }
    if nodes.count() > 1 {
        return none("it has several nodes");
    }
    if process::find_on_path("docker").is_none() {
        return none("there is no docker CLI here");
    }
    let captured = process::capture(&minikube::docker_env(profile), cancel)
        .await
        .map_err(|error| findings::no_cluster_daemon(profile, &error.to_string(), ""))?;
    match captured.ending {
        Ending::Exited(0) => match minikube::parse_docker_env(&captured.stdout) {
            Some(variables) => Ok(Inner::Daemon(Daemon::Named(variables))),
            None => none("its daemon is reached over ssh only"),
        },
        Ending::Exited(NONE_DRIVER) => none("it runs without a driver"),
        Ending::Exited(SEVERAL_NODES) => none("it has several nodes"),
        Ending::Exited(OTHER_RUNTIME) => none("its runtime is not docker"),
        ending => Err(findings::no_cluster_daemon(
            profile,
            &format!("`minikube docker-env` ended with {}", ending.words()),
            &captured.stderr,
        )),
    }
}

/// By the address in the docker CLI's own context; without one, the user's daemon is the only one
/// there can be.
async fn shared_daemon(app: DesktopApp, cancel: &CancellationToken) -> Daemon {
    let asked = process::capture(&docker::context_host(docker_context(app)), cancel).await;
    asked
        .ok()
        .filter(|captured| captured.ending.is_success())
        .map(|captured| captured.stdout.trim().to_owned())
        .filter(|host| host.contains("://"))
        .map_or(Daemon::Users, |host| Daemon::at(&host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_follows_from_what_the_cluster_is() {
        let minikube = ClusterKind::Minikube {
            profile: "demo".into(),
        };
        assert!(matches!(
            Way::of(&minikube, Some("r")),
            Ok(Way::Minikube { .. })
        ));
        let desktop = ClusterKind::Desktop {
            app: DesktopApp::OrbStack,
        };
        assert!(matches!(
            Way::of(&desktop, None),
            Ok(Way::SharedDaemon { .. })
        ));
        for kind in [ClusterKind::Remote, ClusterKind::OtherLocal] {
            assert_eq!(
                Way::of(&kind, None).map_err(|finding| finding.code),
                Err("IMAGE_LOAD_UNSUPPORTED".to_owned())
            );
            assert_eq!(
                Way::of(&kind, Some("ghcr.io/team")),
                Ok(Way::Registry {
                    registry: "ghcr.io/team".into()
                })
            );
        }
        assert_eq!(
            Way::of(&ClusterKind::Practice, Some("r")),
            Ok(Way::Practice)
        );
    }
}
