//! What a context turns out to be, by what its maker wrote into the kubeconfig. A name alone proves
//! nothing: a remote context may be called `kind-of-blue`.

use std::net::IpAddr;

use app::model::{ClusterKind, DesktopApp};
use kube::config::NamedExtension;
use url::{Host, Url};

/// How near an API server's address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Elsewhere,
    /// A private network: a machine of a desktop app, or the company's.
    PrivateNetwork,
    ThisMachine,
}

pub(super) fn kind(
    context: &str,
    server: &str,
    extensions: &[&Option<Vec<NamedExtension>>],
) -> ClusterKind {
    if extensions.iter().any(|list| is_minikube(list)) {
        return ClusterKind::Minikube {
            profile: context.to_owned(),
        };
    }
    let place = place(server);
    if let Some(app) = desktop_app(context, server)
        && place >= Place::PrivateNetwork
    {
        return ClusterKind::Desktop { app };
    }
    if place != Place::ThisMachine {
        // A private network may be the company's: whoever shares it is not asked by us.
        return ClusterKind::Remote;
    }
    if let Some(name) = context.strip_prefix("kind-") {
        return ClusterKind::Kind {
            name: name.to_owned(),
        };
    }
    if let Some(name) = context.strip_prefix("k3d-") {
        return ClusterKind::K3d {
            name: name.to_owned(),
        };
    }
    ClusterKind::OtherLocal
}

fn is_minikube(extensions: &Option<Vec<NamedExtension>>) -> bool {
    extensions.iter().flatten().any(|named| {
        named
            .extension
            .get("provider")
            .and_then(serde_json::Value::as_str)
            == Some("minikube.sigs.k8s.io")
    })
}

/// The names these apps give, each with the addresses it is known to use besides the loopback ones.
fn desktop_app(context: &str, server: &str) -> Option<DesktopApp> {
    match context {
        "docker-desktop" | "docker-for-desktop" => Some(DesktopApp::DockerDesktop),
        "rancher-desktop" => Some(DesktopApp::RancherDesktop),
        "orbstack" => Some(DesktopApp::OrbStack),
        _ if context == "colima" || context.starts_with("colima-") => Some(DesktopApp::Colima),
        _ if host(server).as_deref() == Some("kubernetes.docker.internal") => {
            Some(DesktopApp::DockerDesktop)
        }
        _ => None,
    }
}

fn host(server: &str) -> Option<String> {
    Url::parse(server).ok()?.host_str().map(str::to_owned)
}

fn place(server: &str) -> Place {
    let Ok(url) = Url::parse(server) else {
        return Place::Elsewhere;
    };
    match url.host() {
        Some(Host::Domain(name)) => place_of_name(name),
        Some(Host::Ipv4(ip)) => place_of_ip(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => place_of_ip(IpAddr::V6(ip)),
        None => Place::Elsewhere,
    }
}

fn place_of_name(name: &str) -> Place {
    let is_own = name == "localhost"
        || name.ends_with(".localhost")
        || name == "host.docker.internal"
        || name == "kubernetes.docker.internal"
        || name == "k8s.orb.local";
    if is_own {
        Place::ThisMachine
    } else {
        Place::Elsewhere
    }
}

fn place_of_ip(ip: IpAddr) -> Place {
    if ip.is_loopback() || ip.is_unspecified() || is_own_address(ip) {
        return Place::ThisMachine;
    }
    let is_private = match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    };
    if is_private {
        Place::PrivateNetwork
    } else {
        Place::Elsewhere
    }
}

/// Whether it is an address of one of this machine's interfaces: some makers write that one down.
/// The system lets nobody bind an address it does not have.
fn is_own_address(ip: IpAddr) -> bool {
    std::net::UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extension(provider: &str) -> Option<Vec<NamedExtension>> {
        Some(vec![NamedExtension {
            name: "cluster_info".into(),
            extension: serde_json::json!({"provider": provider}),
        }])
    }

    #[test]
    fn a_context_is_what_its_extension_name_and_address_say() {
        let desktop = |app| ClusterKind::Desktop { app };
        let kinds = [
            (
                "kind-dev",
                "https://127.0.0.1:40123",
                ClusterKind::Kind { name: "dev".into() },
            ),
            (
                "k3d-dev",
                "https://0.0.0.0:40123",
                ClusterKind::K3d { name: "dev".into() },
            ),
            (
                "k3d-dev",
                "https://host.docker.internal:6550",
                ClusterKind::K3d { name: "dev".into() },
            ),
            (
                "docker-desktop",
                "https://kubernetes.docker.internal:6443",
                desktop(DesktopApp::DockerDesktop),
            ),
            (
                "renamed",
                "https://kubernetes.docker.internal:6443",
                desktop(DesktopApp::DockerDesktop),
            ),
            (
                "rancher-desktop",
                "https://localhost:6443",
                desktop(DesktopApp::RancherDesktop),
            ),
            (
                "orbstack",
                "https://127.0.0.1:26443",
                desktop(DesktopApp::OrbStack),
            ),
            (
                "colima-work",
                "https://192.168.106.2:6443",
                desktop(DesktopApp::Colima),
            ),
            ("colima", "https://colima.example.com", ClusterKind::Remote),
            ("microk8s", "https://[::1]:16443", ClusterKind::OtherLocal),
            ("k3s", "https://localhost:6443", ClusterKind::OtherLocal),
            ("lab", "https://10.0.0.7:6443", ClusterKind::Remote),
            ("v6", "https://[fd00::1]:6443", ClusterKind::Remote),
            (
                "kind-of-blue",
                "https://k8s.example.com",
                ClusterKind::Remote,
            ),
            ("public", "https://34.1.2.3", ClusterKind::Remote),
            (
                "localhost.example.com",
                "https://localhost.example.com",
                ClusterKind::Remote,
            ),
            ("none", "", ClusterKind::Remote),
            ("garbage", "::::", ClusterKind::Remote),
        ];
        for (context, server, expected) in kinds {
            assert_eq!(
                kind(context, server, &[&None]),
                expected,
                "{context} {server}"
            );
        }
    }

    #[test]
    fn minikube_is_known_by_its_extension_whatever_its_address() {
        let mine = extension("minikube.sigs.k8s.io");
        let profile = ClusterKind::Minikube {
            profile: "demo".into(),
        };
        for server in ["https://192.168.49.2:8443", "https://127.0.0.1:32769"] {
            assert_eq!(kind("demo", server, &[&None, &mine]), profile);
        }
        let other = extension("slipway-practice");
        assert_eq!(
            kind("demo", "https://127.0.0.1:1", &[&other]),
            ClusterKind::OtherLocal
        );
    }
}
