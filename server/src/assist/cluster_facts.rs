//! What the rules need of Services and Deployments beyond the rows on the page: selectors, ports and
//! conditions. Watched, and kept as small as that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use app::model::{Namespace, ProbeKind};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, Probe, Service};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{Api, Client, ResourceExt};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::adapters::kube::follow::{News, Scope, follow};
use crate::secrets::reads::{SecretRead, secret_reads};

/// Services and Deployments of the project's namespace, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterFacts {
    pub services: BTreeMap<String, ServiceFacts>,
    /// Whether a Service that is not there is missing, or only not known.
    pub services_listed: bool,
    pub deployments: BTreeMap<String, DeploymentFacts>,
}

/// A Service's wiring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceFacts {
    pub selector: BTreeMap<String, String>,
    /// Port and target of each.
    pub ports: Vec<(u16, Port)>,
}

/// A port by number or by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Port {
    Number(u16),
    Name(String),
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "`{name}`"),
        }
    }
}

/// A Deployment's pod template and trouble.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeploymentFacts {
    pub labels: BTreeMap<String, String>,
    pub containers: Vec<ContainerFacts>,
    /// Names of the init containers.
    pub init: BTreeSet<String>,
    /// The hosts its environment names in URLs.
    pub calls: Vec<Call>,
    pub reads_secrets: Vec<SecretRead>,
    /// The message of a true `ReplicaFailure` condition: its pods are refused.
    pub replica_failure: Option<String>,
}

/// A URL in an environment, down to what is harmless to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The variable it is in.
    pub variable: String,
    pub scheme: String,
    /// The first label of the host: a Service's name, where it is one.
    pub host: String,
    pub port: u16,
}

impl Call {
    /// From a variable whose value is written in the manifest.
    fn of(variable: &str, value: &str, namespace: &str) -> Option<Self> {
        let (scheme, rest) = value.trim().split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let address = authority.rsplit('@').next()?;
        let (host, port) = match address.split_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (address, None),
        };
        let port = port.or(match scheme {
            "http" | "ws" => Some(80),
            "https" | "wss" => Some(443),
            _ => None,
        })?;
        let mut labels = host.split('.');
        let name = labels.next().filter(|name| !name.is_empty())?;
        // `backend`, `backend.todo`, `backend.todo.svc`, `backend.todo.svc.cluster.local`
        let is_ours = labels.next().is_none_or(|of| of == namespace)
            && labels.next().is_none_or(|svc| svc == "svc");
        is_ours.then(|| Self {
            variable: variable.to_owned(),
            scheme: scheme.to_owned(),
            host: name.to_owned(),
            port,
        })
    }

    /// `http://backend:8000`
    pub fn address(&self) -> String {
        format!("{}://{}:{}", self.scheme, self.host, self.port)
    }
}

/// A container's ports and where its probes ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerFacts {
    pub name: String,
    pub image: String,
    /// The user the manifest asks for, of the container or else of the pod.
    pub user: Option<i64>,
    pub ports: Vec<(Option<String>, u16)>,
    pub probes: BTreeMap<ProbeKind, Port>,
}

impl ContainerFacts {
    pub fn has(&self, port: &Port) -> bool {
        self.ports.iter().any(|(name, number)| match port {
            Port::Number(wanted) => wanted == number,
            Port::Name(wanted) => name.as_ref() == Some(wanted),
        })
    }
}

/// The facts of the cluster in use, shared with the watch that renews them.
#[derive(Clone, Debug, Default)]
pub struct SharedFacts(Arc<RwLock<Arc<ClusterFacts>>>);

impl SharedFacts {
    pub fn read(&self) -> Arc<ClusterFacts> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn replace(&self, facts: ClusterFacts) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(facts);
    }

    /// True when the change changed something.
    fn change(&self, change: impl FnOnce(&mut ClusterFacts)) -> bool {
        let mut shared = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut facts = ClusterFacts::clone(&shared);
        change(&mut facts);
        let news = facts != **shared;
        *shared = Arc::new(facts);
        news
    }
}

/// Watches both kinds until dropped; `look` is told about every change.
pub async fn watch(client: &Client, namespace: &Namespace, shared: &SharedFacts, look: &Notify) {
    let stop = CancellationToken::new();
    let services = follow(
        Api::<Service>::namespaced(client.clone(), namespace.as_str()),
        Scope::default(),
        stop.clone(),
        keep(
            service_facts,
            |facts| {
                // The first news of Services is the whole list of them.
                facts.services_listed = true;
                &mut facts.services
            },
            shared,
            look,
        ),
    );
    let deployments = follow(
        Api::<Deployment>::namespaced(client.clone(), namespace.as_str()),
        Scope::default(),
        stop.clone(),
        keep(
            deployment_facts,
            |facts| &mut facts.deployments,
            shared,
            look,
        ),
    );
    tokio::join!(services, deployments);
}

/// Folds news into the shared facts; a new list replaces all at its end.
fn keep<'a, K, F>(
    project: fn(&K) -> F,
    part: fn(&mut ClusterFacts) -> &mut BTreeMap<String, F>,
    shared: &'a SharedFacts,
    look: &'a Notify,
) -> impl FnMut(News<K>) + 'a
where
    K: kube::Resource + 'a,
    F: PartialEq + 'a,
{
    let mut listed = BTreeMap::new();
    move |news| {
        let changed = match news {
            News::ListBegin => {
                listed.clear();
                false
            }
            News::Listed(object) => {
                listed.insert(object.name_any(), project(&object));
                false
            }
            News::ListEnd => {
                let all = std::mem::take(&mut listed);
                shared.change(|facts| *part(facts) = all)
            }
            News::Applied(object) => {
                let facts_of = project(&object);
                shared.change(|facts| {
                    part(facts).insert(object.name_any(), facts_of);
                })
            }
            News::Deleted(object) => shared.change(|facts| {
                part(facts).remove(&object.name_any());
            }),
            // Whether the news can be believed is the heartbeat's to say.
            News::Heard | News::Lost(_) => false,
        };
        if changed {
            look.notify_one();
        }
    }
}

fn number(port: i32) -> Option<u16> {
    u16::try_from(port).ok().filter(|port| *port != 0)
}

fn port(value: &IntOrString) -> Option<Port> {
    match value {
        IntOrString::Int(value) => number(*value).map(Port::Number),
        IntOrString::String(name) => Some(Port::Name(name.clone())),
    }
}

pub fn service_facts(service: &Service) -> ServiceFacts {
    let Some(spec) = &service.spec else {
        return ServiceFacts::default();
    };
    ServiceFacts {
        selector: spec.selector.clone().unwrap_or_default(),
        ports: spec
            .ports
            .iter()
            .flatten()
            .filter_map(|entry| {
                let own = number(entry.port)?;
                // Without a target the port itself is meant.
                let target = entry.target_port.as_ref().and_then(port);
                Some((own, target.unwrap_or(Port::Number(own))))
            })
            .collect(),
    }
}

pub fn deployment_facts(deployment: &Deployment) -> DeploymentFacts {
    let template = &deployment.spec.template;
    let failure = deployment
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten())
        .find(|condition| {
            condition.type_.as_deref() == Some("ReplicaFailure")
                && condition.status.as_deref() == Some("True")
        });
    DeploymentFacts {
        labels: template
            .metadata
            .as_ref()
            .and_then(|metadata| metadata.labels.clone())
            .unwrap_or_default(),
        containers: template
            .spec
            .iter()
            .flat_map(|spec| {
                let of_pod = spec.security_context.as_ref().and_then(|of| of.run_as_user);
                spec.containers
                    .iter()
                    .map(move |container| container_facts(container, of_pod))
            })
            .collect(),
        init: template
            .spec
            .iter()
            .flat_map(|spec| spec.init_containers.iter().flatten())
            .map(|container| container.name.clone())
            .collect(),
        reads_secrets: template.spec.as_ref().map(secret_reads).unwrap_or_default(),
        calls: template
            .spec
            .iter()
            .flat_map(|spec| &spec.containers)
            .flat_map(|container| container.env.iter().flatten())
            .filter_map(|variable| {
                let namespace = deployment.metadata.namespace.as_deref().unwrap_or_default();
                Call::of(&variable.name, variable.value.as_deref()?, namespace)
            })
            .collect(),
        replica_failure: failure.map(|condition| condition.message.clone().unwrap_or_default()),
    }
}

fn container_facts(container: &Container, user_of_pod: Option<i64>) -> ContainerFacts {
    let asks = |probe: &Option<Probe>| {
        let probe = probe.as_ref()?;
        let http = probe.http_get.as_ref().map(|http| &http.port);
        let tcp = probe.tcp_socket.as_ref().map(|tcp| &tcp.port);
        http.or(tcp).and_then(port)
    };
    ContainerFacts {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        user: container
            .security_context
            .as_ref()
            .and_then(|own| own.run_as_user)
            .or(user_of_pod),
        ports: container
            .ports
            .iter()
            .flatten()
            .filter_map(|port| Some((port.name.clone(), number(port.container_port)?)))
            .collect(),
        probes: [
            (ProbeKind::Startup, asks(&container.startup_probe)),
            (ProbeKind::Liveness, asks(&container.liveness_probe)),
            (ProbeKind::Readiness, asks(&container.readiness_probe)),
        ]
        .into_iter()
        .filter_map(|(kind, port)| Some((kind, port?)))
        .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_the_own_namespace_are_calls_and_nothing_else_is_kept() {
        let call = |value: &str| {
            Call::of("URL", value, "todo").map(|call| (call.address(), format!("{call:?}")))
        };
        for (value, address) in [
            ("http://backend:8000/api?x=1", Some("http://backend:8000")),
            ("https://backend", Some("https://backend:443")),
            (
                "http://backend.todo.svc.cluster.local:80",
                Some("http://backend:80"),
            ),
            (
                "postgres://user:geheim@db:5432/todo",
                Some("postgres://db:5432"),
            ),
            ("http://backend.other:8000", None),
            ("https://api.openai.com/v1", None),
            ("postgres://db/todo", None),
            ("http://:80", None),
            ("backend:8000", None),
            ("", None),
        ] {
            let found = call(value);
            assert_eq!(
                found.as_ref().map(|(address, _)| address.as_str()),
                address,
                "{value}"
            );
            assert!(found.is_none_or(|(_, whole)| !whole.contains("geheim")));
        }
    }
}
