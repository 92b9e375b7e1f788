//! Through which proxy an API server is reached, by Go's rules, which kubectl follows: the cluster's
//! own `proxy-url`, else the environment, which never applies to this machine itself.

use http::Uri;
use url::{Host, Url};

/// What the environment says.
#[derive(Clone, Debug, Default)]
pub(super) struct ProxyEnv {
    pub https: Option<String>,
    pub http: Option<String>,
    pub none: Option<String>,
}

impl ProxyEnv {
    pub fn read() -> Self {
        let read = |names: [&str; 2]| {
            names
                .iter()
                .filter_map(|name| std::env::var(name).ok())
                .find(|value| !value.trim().is_empty())
        };
        Self {
            https: read(["HTTPS_PROXY", "https_proxy"]),
            http: read(["HTTP_PROXY", "http_proxy"]),
            none: read(["NO_PROXY", "no_proxy"]),
        }
    }
}

/// The proxy for this server, if any; the error says which setting is wrong.
pub(super) fn proxy_for(
    server: &str,
    own: Option<&str>,
    env: &ProxyEnv,
) -> Result<Option<Uri>, String> {
    if let Some(own) = own.filter(|own| !own.is_empty()) {
        return parse(own).map(Some);
    }
    let Ok(url) = Url::parse(server) else {
        return Ok(None);
    };
    let wanted = match url.scheme() {
        "https" => env.https.as_deref(),
        _ => env.http.as_deref(),
    };
    match wanted {
        Some(proxy) if !is_direct(&url, env.none.as_deref().unwrap_or_default()) => {
            parse(proxy).map(Some)
        }
        _ => Ok(None),
    }
}

/// The kinds of proxy the client can speak to.
fn parse(proxy: &str) -> Result<Uri, String> {
    let with_scheme = if proxy.contains("://") {
        proxy.to_owned()
    } else {
        format!("http://{proxy}")
    };
    let wrong = || "the proxy's address is not a URL".to_owned();
    let uri: Uri = with_scheme.parse().map_err(|_| wrong())?;
    uri.host().ok_or_else(wrong)?;
    match uri.scheme_str() {
        Some("http" | "https" | "socks5") => Ok(uri),
        // Go's socks5h is what every SOCKS5 client here does anyway: the proxy looks the name up.
        Some("socks5h") => with_scheme
            .replacen("socks5h", "socks5", 1)
            .parse()
            .map_err(|_| wrong()),
        other => Err(format!(
            "a proxy of the kind `{}` cannot be used",
            other.unwrap_or_default()
        )),
    }
}

fn is_direct(server: &Url, no_proxy: &str) -> bool {
    let Some(host) = server.host() else {
        return true;
    };
    let is_own = match &host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
    };
    is_own
        || no_proxy
            .split([',', ' '])
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .any(|entry| excludes(entry, &host, server.port_or_known_default()))
}

/// One entry of `NO_PROXY`: `*`, a domain with or without a dot before it, an address, a network,
/// each but the network with a port if wanted.
fn excludes(entry: &str, host: &Host<&str>, port: Option<u16>) -> bool {
    if entry == "*" {
        return true;
    }
    let (entry, entry_port) = match entry.rsplit_once(':') {
        Some((name, number)) if !name.contains(':') || name.ends_with(']') => {
            match number.parse::<u16>() {
                Ok(number) => (name, Some(number)),
                Err(_) => (entry, None),
            }
        }
        _ => (entry, None),
    };
    if entry_port.is_some() && entry_port != port {
        return false;
    }
    let bare = entry.trim_start_matches('[').trim_end_matches(']');
    match host {
        Host::Domain(name) => {
            let name = name.to_ascii_lowercase();
            let suffix = bare.trim_start_matches('*').to_ascii_lowercase();
            match suffix.strip_prefix('.') {
                Some(domain) => name.ends_with(&format!(".{domain}")),
                None => name == suffix || name.ends_with(&format!(".{suffix}")),
            }
        }
        Host::Ipv4(ip) => in_network(bare, std::net::IpAddr::V4(*ip)),
        Host::Ipv6(ip) => in_network(bare, std::net::IpAddr::V6(*ip)),
    }
}

fn in_network(entry: &str, ip: std::net::IpAddr) -> bool {
    use std::net::IpAddr;
    let (network, length) = match entry.split_once('/') {
        Some((network, length)) => (network, length.parse::<u32>().ok()),
        None => (entry, Some(128)),
    };
    let (Ok(network), Some(length)) = (network.parse::<IpAddr>(), length) else {
        return false;
    };
    match (network, ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => {
            let shift = 32_u32.saturating_sub(length);
            network.to_bits().checked_shr(shift) == ip.to_bits().checked_shr(shift)
        }
        (IpAddr::V6(network), IpAddr::V6(ip)) => {
            let shift = 128_u32.saturating_sub(length);
            network.to_bits().checked_shr(shift) == ip.to_bits().checked_shr(shift)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(none: &str) -> ProxyEnv {
        ProxyEnv {
            https: Some("proxy.corp:3128".into()),
            http: None,
            none: Some(none.into()),
        }
    }

    fn goes_direct(server: &str, none: &str) -> bool {
        proxy_for(server, None, &env(none))
            .expect("good settings")
            .is_none()
    }

    #[test]
    fn this_machine_is_never_reached_through_the_environments_proxy() {
        for server in [
            "https://127.0.0.1:6443",
            "https://localhost:1",
            "https://[::1]:1",
        ] {
            assert!(goes_direct(server, ""), "{server}");
        }
        assert!(!goes_direct("https://k8s.example.com", ""));
        // Plain HTTP has a variable of its own.
        assert!(goes_direct("http://k8s.example.com", ""));
    }

    #[test]
    fn no_proxy_is_read_as_go_reads_it() {
        let direct = [
            ("https://k8s.example.com", "example.com"),
            ("https://k8s.example.com", "other, .example.com"),
            ("https://k8s.example.com:6443", "k8s.example.com:6443"),
            ("https://k8s.example.com", "*"),
            ("https://192.168.49.2:8443", "192.168.49.0/24"),
            ("https://192.168.49.2:8443", "192.168.49.2"),
            ("https://[fd00::2]:8443", "fd00::/8"),
        ];
        for (server, none) in direct {
            assert!(goes_direct(server, none), "{server} {none}");
        }
        let through = [
            ("https://example.com", ".example.com"),
            ("https://notexample.com", "example.com"),
            ("https://k8s.example.com:6443", "k8s.example.com:443"),
            ("https://192.168.50.2:8443", "192.168.49.0/24"),
            ("https://10.0.0.1", "nonsense/99"),
        ];
        for (server, none) in through {
            assert!(!goes_direct(server, none), "{server} {none}");
        }
    }

    #[test]
    fn the_clusters_own_proxy_always_counts_and_a_wrong_one_is_said() {
        let own = |proxy| proxy_for("https://127.0.0.1:1", Some(proxy), &ProxyEnv::default());
        assert_eq!(
            own("socks5://127.0.0.1:1080")
                .expect("good")
                .expect("one")
                .scheme_str(),
            Some("socks5")
        );
        assert_eq!(
            own("socks5h://h:1")
                .expect("good")
                .expect("one")
                .scheme_str(),
            Some("socks5")
        );
        assert_eq!(own("").expect("good"), None);
        assert!(own("ftp://h").expect_err("wrong").contains("`ftp`"));
        assert!(own("http://").is_err());
    }
}
