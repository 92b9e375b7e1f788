//! Proxy variables and VPNs: the two things between a tool and a cluster that nobody thinks of.

use std::path::Path;

use app::model::{CheckState, Finding, NextAction};

use super::Context;
use crate::setup::tool::about;

/// What must not go through a proxy: this machine, the Services of a cluster, and the node networks
/// of minikube's docker, KVM and VirtualBox drivers.
const DIRECT: [&str; 6] = [
    "localhost",
    "127.0.0.1",
    "10.96.0.0/12",
    "192.168.39.0/24",
    "192.168.49.0/24",
    "192.168.59.0/24",
];
/// How the interfaces of VPNs are called on Linux and macOS.
const VPN: [&str; 6] = ["tun", "tap", "wg", "ppp", "utun", "tailscale"];

pub(super) fn check(context: &Context) -> CheckState {
    let var = |name: &str| {
        let value = context.around.var(name);
        value.map(|value| value.to_string_lossy().into_owned())
    };
    let either = |upper: &str| var(upper).or_else(|| var(&upper.to_ascii_lowercase()));
    let proxies: Vec<(&str, String)> = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"]
        .into_iter()
        .filter_map(|name| Some((name, either(name)?)))
        .collect();
    state(
        &proxies,
        &either("NO_PROXY").unwrap_or_default(),
        &vpns(Path::new("/sys/class/net")),
    )
}

fn state(proxies: &[(&str, String)], no_proxy: &str, vpns: &[String]) -> CheckState {
    let vpn = match vpns {
        [] => String::new(),
        names => format!(
            "; a VPN is up ({}): if the cluster is not reached, try without it",
            names.join(", ")
        ),
    };
    let Some((name, url)) = proxies.first() else {
        return CheckState::Ok {
            evidence: format!("no proxy{vpn}"),
        };
    };
    let missing: Vec<&str> = DIRECT
        .into_iter()
        .filter(|wanted| !covers(no_proxy, wanted))
        .collect();
    if missing.is_empty() {
        return CheckState::Ok {
            evidence: format!("proxy {}, and clusters are excepted{vpn}", host_of(url)),
        };
    }
    let mut all: Vec<&str> = no_proxy
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .collect();
    all.extend(&missing);
    let finding = Finding::new(
        "PROXY_EXCEPTIONS_MISSING",
        "The proxy would be asked for the cluster",
        format!(
            "{name} names {}, and NO_PROXY leaves out {}. minikube, kubectl and helm would look for the cluster behind the proxy{vpn}.",
            host_of(url),
            missing.join(", ")
        ),
    )
    .attention()
    .about(about("network"))
    .next(NextAction::Command {
        command: format!("export NO_PROXY={0} no_proxy={0}", shell_safe(&all.join(","))),
        why: "Run it in the shell that starts Slipway, and put it into the shell's profile".to_owned(),
    });
    CheckState::Broken {
        finding: Box::new(finding),
    }
}

/// Whether an entry of the list excepts it: the same text, everything, or a network around it.
fn covers(no_proxy: &str, wanted: &str) -> bool {
    no_proxy.split(',').map(str::trim).any(|entry| {
        entry == "*" || entry.eq_ignore_ascii_case(wanted) || network_covers(entry, wanted)
    })
}

fn network_covers(entry: &str, wanted: &str) -> bool {
    let (Some((network, bits)), Some((inner, inner_bits))) = (parse(entry), parse(wanted)) else {
        return false;
    };
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    bits <= inner_bits && (network & mask) == (inner & mask)
}

/// An IPv4 address or network and its length in bits.
fn parse(text: &str) -> Option<(u32, u32)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, bits.parse().ok().filter(|bits| *bits <= 32)?),
        None => (text, 32),
    };
    let address: std::net::Ipv4Addr = address.parse().ok()?;
    Some((u32::from(address), bits))
}

/// Host and port only: a proxy's URL may hold a password.
fn host_of(url: &str) -> String {
    let full = match url.contains("://") {
        true => url.to_owned(),
        false => format!("http://{url}"),
    };
    match url::Url::parse(&full) {
        Ok(url) => match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            _ => "an address that cannot be read".to_owned(),
        },
        Err(_) => "an address that cannot be read".to_owned(),
    }
}

/// The list may come from anywhere and goes into a command to copy.
fn shell_safe(list: &str) -> String {
    list.chars()
        .filter(|c| c.is_ascii_alphanumeric() || ".,-_/:*".contains(*c))
        .collect()
}

/// The network interfaces that look like a VPN's. None where the system does not list them so.
fn vpns(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| VPN.iter().any(|prefix| name.starts_with(prefix)))
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proxy(url: &str) -> [(&'static str, String); 1] {
        [("HTTPS_PROXY", url.to_owned())]
    }

    #[test]
    fn a_proxy_without_exceptions_is_pointed_out_without_its_password() {
        let state = state(
            &proxy("http://ada:s3cret@proxy.corp:3128"),
            "localhost",
            &[],
        );
        let CheckState::Broken { finding } = state else {
            panic!("clusters are behind the proxy");
        };
        assert_eq!(finding.code, "PROXY_EXCEPTIONS_MISSING");
        let all = format!("{finding:?}");
        assert!(
            all.contains("proxy.corp:3128") && !all.contains("s3cret"),
            "{all}"
        );
        assert!(
            matches!(&finding.next[0], NextAction::Command { command, .. }
            if command.contains("NO_PROXY=localhost,127.0.0.1,10.96.0.0/12"))
        );
    }

    #[test]
    fn a_wider_network_covers_a_narrower_one() {
        let all = "localhost,127.0.0.0/8,10.0.0.0/8,192.168.0.0/16";
        assert!(matches!(
            state(&proxy("proxy:1"), all, &[]),
            CheckState::Ok { .. }
        ));
        assert!(matches!(
            state(&proxy("proxy:1"), "*", &[]),
            CheckState::Ok { .. }
        ));
        assert!(!covers("10.96.0.0/16", "10.96.0.0/12"));
        assert!(covers("0.0.0.0/0", "10.96.0.0/12"));
    }

    #[test]
    fn a_vpn_is_a_hint_and_no_problem() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["lo", "eth0", "wg0"] {
            std::fs::write(folder.path().join(name), "").expect("written");
        }
        let vpns = vpns(folder.path());
        assert_eq!(vpns, ["wg0"]);
        assert!(
            matches!(state(&[], "", &vpns), CheckState::Ok { evidence } if evidence.contains("wg0"))
        );
    }

    proptest! {
        #[test]
        fn no_variable_breaks_the_check(url in ".{0,60}", list in ".{0,60}") {
            let _ = state(&proxy(&url), &list, &[]);
        }
    }
}
