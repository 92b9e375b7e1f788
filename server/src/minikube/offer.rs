//! Sensible values for a new cluster: what this machine has, and what the project asks for.

use app::model::{ClusterOffer, Driver, NewCluster, ProfileName, ProfileView, humanize_bytes};

use super::demand::Demand;
use crate::process::Surroundings;

/// What Kubernetes itself takes of a node, before any pod of the project.
const KUBERNETES_MB: u64 = 1_900;
/// What minikube takes by itself: a quarter of the memory, within these.
const QUARTER: (u64, u64) = (3_072, 6_144);
const DISK_MB: u32 = 20_000;

/// What this machine has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    pub cpus: u32,
    pub memory_bytes: Option<u64>,
}

pub(super) fn make(
    machine: Machine,
    demand: Demand,
    known: &[ProfileView],
    around: &Surroundings,
) -> ClusterOffer {
    let total_mb = machine.memory_bytes.map_or(8_000, |bytes| bytes >> 20);
    let wanted_mb = KUBERNETES_MB + (demand.memory_bytes >> 20);
    // Something has to be left for the machine itself.
    let most_mb = total_mb
        .saturating_sub(1_024)
        .max(u64::from(NewCluster::LEAST.1));
    let memory_mb = (total_mb / 4)
        .clamp(QUARTER.0, QUARTER.1)
        .max(wanted_mb)
        .min(most_mb);
    let wanted_cpus = 1 + u32::try_from(demand.cpu_millis.div_ceil(1_000)).unwrap_or(u32::MAX);
    let most_cpus = machine.cpus.max(NewCluster::LEAST.0);
    let cpus = (machine.cpus / 2)
        .clamp(NewCluster::LEAST.0, 4)
        .max(wanted_cpus)
        .min(most_cpus);
    let has = match machine.memory_bytes {
        Some(bytes) => format!(
            "This machine has {} processors and {} of memory",
            machine.cpus,
            humanize_bytes(bytes)
        ),
        None => format!("This machine has {} processors", machine.cpus),
    };
    let asks = match demand.memory_bytes {
        0 => "the project's manifests ask for no memory".to_owned(),
        bytes => format!("the project's manifests ask for {}", humanize_bytes(bytes)),
    };
    let megabytes = |mb: u64| u32::try_from(mb).unwrap_or(u32::MAX);
    ClusterOffer {
        profile: free_name(known),
        drivers: drivers(around),
        cpus,
        memory_mb: megabytes(memory_mb),
        disk_mb: DISK_MB,
        most_cpus,
        most_memory_mb: megabytes(total_mb),
        why: format!("{has}; {asks}."),
    }
}

/// `minikube`, else `slipway`, else the first `slipway-N` that is free.
fn free_name(known: &[ProfileView]) -> ProfileName {
    ["minikube".to_owned(), "slipway".to_owned()]
        .into_iter()
        .chain((2..).map(|number| format!("slipway-{number}")))
        .filter_map(|name| name.parse::<ProfileName>().ok())
        .find(|name| known.iter().all(|profile| &profile.name != name))
        .expect("some number is free")
}

/// The drivers whose programs are here, the docker one first; at last whatever minikube decides.
fn drivers(around: &Surroundings) -> Vec<Driver> {
    let programs = [
        (Driver::Docker, "docker"),
        (Driver::Podman, "podman"),
        (Driver::Kvm2, "virsh"),
        (Driver::Qemu2, "qemu-system-x86_64"),
        (Driver::Qemu2, "qemu-system-aarch64"),
        (Driver::Virtualbox, "VBoxManage"),
        (Driver::Vfkit, "vfkit"),
    ];
    let mut drivers: Vec<Driver> = programs
        .into_iter()
        .filter(|(_, program)| around.find(program).is_some())
        .map(|(driver, _)| driver)
        .collect();
    drivers.dedup();
    drivers.push(Driver::Auto);
    drivers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(cpus: u32, gigabytes: u64, demand: Demand) -> ClusterOffer {
        let machine = Machine {
            cpus,
            memory_bytes: Some(gigabytes << 30),
        };
        make(machine, demand, &[], &Surroundings::default())
    }

    #[test]
    fn a_quarter_of_the_memory_within_reason() {
        assert_eq!(offer(8, 16, Demand::default()).memory_mb, 4_096);
        assert_eq!(offer(8, 64, Demand::default()).memory_mb, 6_144);
        assert_eq!(offer(2, 8, Demand::default()).memory_mb, 3_072);
        // A small machine keeps something for itself.
        assert_eq!(offer(2, 3, Demand::default()).memory_mb, 2_048);
    }

    #[test]
    fn the_project_gets_what_it_asks_for_if_the_machine_has_it() {
        let demand = Demand {
            cpu_millis: 4_500,
            memory_bytes: 8 << 30,
        };
        let offer = offer(8, 16, demand);
        assert_eq!(offer.cpus, 6);
        assert_eq!(offer.memory_mb, 1_900 + 8 * 1_024);
        assert!(offer.memory_mb <= offer.most_memory_mb);
    }

    #[test]
    fn what_is_offered_is_what_minikube_takes() {
        for (cpus, gigabytes) in [(1, 1), (2, 2), (64, 512)] {
            let offer = offer(cpus, gigabytes, Demand::default());
            let new = NewCluster {
                profile: offer.profile,
                driver: Driver::Auto,
                cpus: offer.cpus,
                memory_mb: offer.memory_mb,
                disk_mb: offer.disk_mb,
                kubernetes: None,
            };
            assert_eq!(new.problem(), None, "{new:?}");
        }
    }
}
