//! Where viewers can reach this machine: one address of a private network, never all of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// The port tried first, next to the panel's own.
const USUAL_PORT: u16 = 4748;

/// Where to share, as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareAt {
    /// The address this machine has in its network.
    Auto,
    At(SocketAddr),
}

impl ShareAt {
    /// Reads `ADDRESS:PORT`, `ADDRESS` or `auto`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if matches!(text, "auto" | "true" | "1" | "yes" | "on") {
            return Ok(Self::Auto);
        }
        let address = text
            .parse::<SocketAddr>()
            .or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 0)))
            .map_err(|_| "this is no address, such as 192.168.1.5:4748".to_owned())?;
        if address.ip().is_unspecified() {
            return Err(
                "name one address of this machine; all of them at once is too open".to_owned(),
            );
        }
        if !is_near(address.ip()) {
            return Err(
                "that is a public address; viewers' links are for private networks".to_owned(),
            );
        }
        Ok(Self::At(address))
    }

    /// The addresses to try, in this order; none when this machine is in no private network.
    pub(super) fn addresses(self) -> Vec<SocketAddr> {
        match self {
            Self::At(address) => vec![address],
            Self::Auto => of_this_machine().map_or_else(Vec::new, |ip| {
                [USUAL_PORT, 0]
                    .map(|port| SocketAddr::new(ip, port))
                    .to_vec()
            }),
        }
    }
}

/// Whether an address is of this machine or of a private network: private, link-local, of a carrier's
/// shared space (as overlay networks use it), or unique local.
pub fn is_near(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || is_shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// The address from which this machine would speak to others; nothing is sent to find out.
fn of_this_machine() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // An address for documentation (RFC 5737): it only has to be on the far side of the gateway.
    socket.connect((Ipv4Addr::new(198, 51, 100, 1), 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (is_near(ip) && !ip.is_loopback()).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_near_address_can_be_asked_for() {
        assert_eq!(ShareAt::parse("auto"), Ok(ShareAt::Auto));
        for near in [
            "192.168.1.5:4748",
            "10.0.0.9",
            "127.0.0.1:0",
            "[fd00::1]:80",
            "100.64.0.3",
        ] {
            assert!(matches!(ShareAt::parse(near), Ok(ShareAt::At(_))), "{near}");
        }
        for wrong in [
            "0.0.0.0:4748",
            "[::]:1",
            "8.8.8.8:4748",
            "[2001:db8::1]:1",
            "here",
            "",
        ] {
            assert!(ShareAt::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_mapped_public_address_is_still_public() {
        let mapped: IpAddr = "::ffff:8.8.8.8".parse().expect("an address");
        assert!(!is_near(mapped));
    }
}
