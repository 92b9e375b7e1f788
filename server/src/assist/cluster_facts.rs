//! What the rules need of Services and Deployments beyond the rows on the page: selectors, ports and
//! conditions. Watched, and kept as small as that.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use app::model::{Namespace, ProbeKind};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, Probe, Service};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{Api, Client, ResourceExt};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::adapters::kube::follow::{News, Scope, follow};

/// Services and Deployments of the project's namespace, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterFacts {
    pub services: BTreeMap<String, ServiceFacts>,
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
    /// The message of a true `ReplicaFailure` condition: its pods are refused.
    pub replica_failure: Option<String>,
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
        keep(service_facts, |facts| &mut facts.services, shared, look),
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
