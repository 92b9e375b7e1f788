//! What a trial's pod is asked: the readiness probe of the workload, or else the project's readiness
//! path, or else only whether the program goes on running.

use std::time::Duration;

use app::model::ComponentName;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::project::ComponentSpec;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    Http {
        https: bool,
        port: u16,
        /// With a leading slash.
        path: String,
    },
    /// There is nothing to ask: it only has to go on running.
    Runs,
}

/// How long a program without a readiness path has to run.
pub const RUNS_FOR: Duration = Duration::from_secs(5);

impl Question {
    pub fn of(pod: &PodSpec, component: &ComponentSpec) -> Self {
        pod.containers
            .iter()
            .find_map(probed)
            .or_else(|| {
                Some(Self::Http {
                    https: false,
                    port: component.port,
                    path: component.probes.readiness.clone()?,
                })
            })
            .unwrap_or(Self::Runs)
    }

    pub fn title(&self, component: &ComponentName) -> String {
        match self {
            Self::Http { path, .. } => format!("Ask {component} on {path} whether it is ready"),
            Self::Runs => format!("See whether {component} goes on running"),
        }
    }

    /// Continues a sentence that begins with the component's name.
    pub fn passed(&self) -> &'static str {
        match self {
            Self::Http { .. } => "is ready",
            Self::Runs => "goes on running",
        }
    }

    /// The path through the API server's pod proxy.
    pub fn uri(&self, namespace: &str, pod: &str) -> Option<String> {
        let Self::Http { https, port, path } = self else {
            return None;
        };
        let scheme = if *https { "https:" } else { "" };
        let path = path.trim_start_matches('/');
        Some(format!(
            "/api/v1/namespaces/{namespace}/pods/{scheme}{pod}:{port}/proxy/{path}"
        ))
    }
}

fn probed(container: &Container) -> Option<Question> {
    let get = container.readiness_probe.as_ref()?.http_get.as_ref()?;
    let port = match &get.port {
        IntOrString::Int(port) => u16::try_from(*port).ok()?,
        IntOrString::String(name) => container
            .ports
            .iter()
            .flatten()
            .find(|port| port.name.as_ref() == Some(name))
            .and_then(|port| u16::try_from(port.container_port).ok())?,
    };
    Some(Question::Http {
        https: get.scheme.as_deref() == Some("HTTPS"),
        port,
        path: get.path.clone().unwrap_or_else(|| "/".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_named_port_is_resolved_and_the_path_goes_through_the_proxy() {
        let container: Container = serde_json::from_value(json!({
            "name": "app",
            "ports": [{"name": "http", "containerPort": 8000}],
            "readinessProbe": {"httpGet": {"path": "/ready?deep=1", "port": "http", "scheme": "HTTPS"}}
        }))
        .expect("a container");
        let question = probed(&container).expect("probed");
        assert_eq!(
            question.uri("ns", "p").as_deref(),
            Some("/api/v1/namespaces/ns/pods/https:p:8000/proxy/ready?deep=1")
        );
    }

    #[test]
    fn a_probe_that_nobody_else_can_make_is_none_to_ask() {
        for probe in [
            json!({"exec": {"command": ["true"]}}),
            json!({"httpGet": {"port": "unknown"}}),
        ] {
            let container: Container =
                serde_json::from_value(json!({"name": "app", "readinessProbe": probe}))
                    .expect("a container");
            assert_eq!(probed(&container), None);
        }
        assert_eq!(Question::Runs.uri("ns", "p"), None);
    }
}
