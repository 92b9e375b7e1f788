//! A pod's place in the network: its loopback address, what listens there, and where its calls to
//! Services and DNS go.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError};

use super::services::Services;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    Tcp,
    Udp,
}

/// Shared by all containers of a pod.
#[derive(Debug)]
pub struct PodNet {
    pub pod_ip: Ipv4Addr,
    /// The node's DNS server.
    pub dns: SocketAddrV4,
    pub services: Arc<Services>,
    listening: Mutex<HashSet<(Transport, u16)>>,
}

impl PodNet {
    pub fn new(pod_ip: Ipv4Addr, dns: SocketAddrV4, services: Arc<Services>) -> Self {
        Self {
            pod_ip,
            dns,
            services,
            listening: Mutex::default(),
        }
    }

    /// Notes that a process of the pod bound this port.
    pub fn listening(&self, transport: Transport, port: u16) {
        self.listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((transport, port));
    }

    /// True when a process of the pod has bound this port.
    pub fn listens(&self, transport: Transport, port: u16) -> bool {
        self.listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&(transport, port))
    }
}

/// The addresses of one node: 127.77.SUBNET.0/24, of which .2 is the DNS server.
#[derive(Debug)]
pub struct PodAddresses {
    subnet: u8,
    used: Mutex<(HashSet<u8>, u8)>,
}

impl PodAddresses {
    pub fn new(subnet: u8) -> Self {
        Self {
            subnet,
            used: Mutex::new((HashSet::new(), 9)),
        }
    }

    /// An address nobody uses: the wanted one if it is ours and free, else the next in turn, so
    /// that an address is not reused while somebody may still remember its last pod.
    pub fn take(&self, wanted: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some([127, 77, subnet, last]) = wanted.map(|ip| ip.octets())
            && subnet == self.subnet
            && last >= 10
            && used.0.insert(last)
        {
            return wanted;
        }
        for _ in 0..245 {
            used.1 = if used.1 >= 254 { 10 } else { used.1 + 1 };
            let last = used.1;
            if used.0.insert(last) {
                return Some(Ipv4Addr::new(127, 77, self.subnet, last));
            }
        }
        None
    }

    pub fn give_back(&self, ip: Ipv4Addr) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.0.remove(&ip.octets()[3]);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::PodAddresses;

    #[test]
    fn addresses_are_unique_until_given_back_and_not_reused_at_once() {
        let addresses = PodAddresses::new(5);
        let first = addresses.take(None).unwrap();
        let second = addresses.take(None).unwrap();
        assert_ne!(first, second);
        addresses.give_back(first);
        assert_ne!(addresses.take(None), Some(first));
        assert_eq!(addresses.take(Some(first)), Some(first));
        assert_ne!(addresses.take(Some(first)), Some(first));
        assert_ne!(
            addresses.take(Some(Ipv4Addr::new(127, 77, 9, 50))),
            Some(Ipv4Addr::new(127, 77, 9, 50)),
        );
    }

    #[test]
    fn a_full_node_has_no_address() {
        let addresses = PodAddresses::new(5);
        for _ in 0..245 {
            assert!(addresses.take(None).is_some());
        }
        assert_eq!(addresses.take(None), None);
    }
}
