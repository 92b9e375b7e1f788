//! The clusters minikube has on this machine: each profile with its true state, and what a new one
//! could be like.

use serde::{Deserialize, Serialize};

use super::{Finding, KubernetesVersion, ProfileName};

/// Everything the page shows about minikube.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinikubeView {
    /// By name.
    pub profiles: Vec<ProfileView>,
    /// Why the profiles cannot be listed, if so; what is listed then is the last that was known.
    pub problem: Option<Finding>,
    pub offer: ClusterOffer,
}

/// One profile as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileView {
    pub name: ProfileName,
    pub state: ProfileState,
    /// `docker`, `kvm2`, …; empty when its configuration cannot be read.
    pub driver: String,
    /// `docker`, `containerd` or `cri-o`.
    pub runtime: String,
    /// `v1.35.1`
    pub kubernetes: String,
    pub cpus: u32,
    pub memory_mb: u32,
    pub nodes: u32,
    /// Whether its kubeconfig context points at it.
    pub context: ContextState,
}

/// What a profile's cluster is doing, from `minikube status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileState {
    Running,
    /// The node runs, Kubernetes in it is frozen.
    Paused,
    Stopped,
    Starting,
    Stopping,
    /// The node's machine was removed behind minikube's back.
    Gone,
    /// Some parts run and some do not.
    Partly {
        why: String,
    },
    /// The node's disk is full.
    Full,
    /// It could not be found out.
    Unknown {
        why: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContextState {
    Configured,
    /// It points elsewhere: the address changed, or the kubeconfig did.
    Misconfigured,
    /// Not known while the cluster does not run.
    Unknown,
}

/// What can be done to a profile that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileAct {
    Start,
    Stop,
    Pause,
    Unpause,
    /// With everything in it.
    Delete,
    /// Makes its kubeconfig context point at it again.
    Repair,
}

impl ProfileState {
    /// What makes sense now, the most likely first.
    pub fn acts(&self, context: ContextState) -> Vec<ProfileAct> {
        use ProfileAct::{Delete, Pause, Repair, Start, Stop, Unpause};
        match self {
            Self::Running if context == ContextState::Misconfigured => {
                vec![Repair, Pause, Stop, Delete]
            }
            Self::Running => vec![Pause, Stop, Delete],
            Self::Paused => vec![Unpause, Stop, Delete],
            Self::Stopped => vec![Start, Delete],
            Self::Gone => vec![Start, Delete],
            Self::Partly { .. } | Self::Unknown { .. } => vec![Start, Stop, Delete],
            Self::Full => vec![Stop, Delete],
            Self::Starting | Self::Stopping => vec![],
        }
    }
}

/// Sensible values for a new cluster on this machine and for this project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterOffer {
    /// A name that is not taken.
    pub profile: ProfileName,
    /// Best first; never empty.
    pub drivers: Vec<Driver>,
    pub cpus: u32,
    pub memory_mb: u32,
    pub disk_mb: u32,
    /// What this machine has at most.
    pub most_cpus: u32,
    pub most_memory_mb: u32,
    /// Where the numbers come from, in one sentence.
    pub why: String,
}

/// A cluster to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewCluster {
    pub profile: ProfileName,
    pub driver: Driver,
    pub cpus: u32,
    pub memory_mb: u32,
    pub disk_mb: u32,
    /// minikube's own default when none.
    pub kubernetes: Option<KubernetesVersion>,
}

impl NewCluster {
    /// minikube v1.38.1 takes no less: processors, megabytes of memory, megabytes of disk.
    pub const LEAST: (u32, u32, u32) = (2, 1_800, 2_000);

    /// What minikube would refuse, in words; none when nothing.
    pub fn problem(&self) -> Option<String> {
        let (cpus, memory, disk) = Self::LEAST;
        if self.cpus < cpus {
            return Some(format!("minikube needs at least {cpus} processors"));
        }
        if self.memory_mb < memory {
            return Some(format!("minikube needs at least {memory} MB of memory"));
        }
        if self.disk_mb < disk {
            return Some(format!("minikube needs at least {disk} MB of disk"));
        }
        None
    }
}

/// Where minikube puts the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Driver {
    Docker,
    Podman,
    Kvm2,
    Qemu2,
    Virtualbox,
    Vfkit,
    /// minikube decides.
    Auto,
}

impl Driver {
    pub const ALL: [Self; 7] = [
        Self::Docker,
        Self::Podman,
        Self::Kvm2,
        Self::Qemu2,
        Self::Virtualbox,
        Self::Vfkit,
        Self::Auto,
    ];

    /// The value of `--driver`; none lets minikube decide.
    pub fn flag(self) -> Option<&'static str> {
        match self {
            Self::Docker => Some("docker"),
            Self::Podman => Some("podman"),
            Self::Kvm2 => Some("kvm2"),
            Self::Qemu2 => Some("qemu2"),
            Self::Virtualbox => Some("virtualbox"),
            Self::Vfkit => Some("vfkit"),
            Self::Auto => None,
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Docker => "Docker container",
            Self::Podman => "Podman container",
            Self::Kvm2 => "KVM machine",
            Self::Qemu2 => "QEMU machine",
            Self::Virtualbox => "VirtualBox machine",
            Self::Vfkit => "vfkit machine",
            Self::Auto => "minikube decides",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misconfigured_context_is_repaired_first() {
        let acts = ProfileState::Running.acts(ContextState::Misconfigured);
        assert_eq!(acts[0], ProfileAct::Repair);
        let acts = ProfileState::Running.acts(ContextState::Configured);
        assert!(!acts.contains(&ProfileAct::Repair));
        assert!(
            ProfileState::Starting
                .acts(ContextState::Unknown)
                .is_empty()
        );
    }

    #[test]
    fn what_minikube_would_refuse_is_said_before() {
        let good = NewCluster {
            profile: "minikube".parse().expect("a name"),
            driver: Driver::Docker,
            cpus: 2,
            memory_mb: 1_800,
            disk_mb: 20_000,
            kubernetes: None,
        };
        assert_eq!(good.problem(), None);
        let small = NewCluster {
            memory_mb: 1_799,
            ..good
        };
        assert!(small.problem().is_some_and(|why| why.contains("1800 MB")));
    }
}
