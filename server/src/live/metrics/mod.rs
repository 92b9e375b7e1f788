//! What pods use: asked of metrics.k8s.io as often as metrics-server measures, kept for ten minutes.

mod fold;
mod reading;

use std::time::Duration;

use app::model::{ClusterKind, NoMetrics};
use kube::Client;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

pub(super) use self::fold::History;
pub use self::reading::Sample;
pub(super) use self::reading::{kib, millis};
use super::store::LiveNews;
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use crate::cluster::Connected;
use crate::engine::clock;

/// As metrics-server measures by default.
const EVERY: Duration = Duration::from_secs(15);

/// What one question brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measured {
    Samples(Vec<Sample>),
    Absent(NoMetrics),
    /// No answer this time: what was measured before stays.
    Silent,
}

/// Asks until the future is dropped.
pub(super) async fn watch(
    connected: &Connected,
    namespace: &str,
    news: mpsc::UnboundedSender<LiveNews>,
) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let measured = ask(&connected.client, &connected.kind, namespace).await;
        // The receiver is gone only when this is about to end, too.
        let _ = news.send(LiveNews::Measured(measured, clock::now()));
    }
}

async fn ask(client: &Client, kind: &ClusterKind, namespace: &str) -> Measured {
    let path = format!("/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods");
    let Ok(request) = http::Request::get(path).body(Vec::new()) else {
        return Measured::Silent;
    };
    match within(REQUEST_LIMIT, client.request(request)).await {
        Ok(list) => Measured::Samples(reading::samples(&list)),
        Err(error) => absent(kind, &error),
    }
}

fn absent(kind: &ClusterKind, error: &KubeError) -> Measured {
    let why = match error.code() {
        Some(404) => "metrics-server has to be installed in this cluster to measure them",
        Some(503) => "metrics-server does not answer yet",
        Some(401 | 403) => "you may not read metrics.k8s.io in this namespace",
        _ => return Measured::Silent,
    };
    let enable = match (kind, error.code()) {
        (ClusterKind::Minikube { profile }, Some(404)) => Some(format!(
            "minikube addons enable metrics-server -p {profile}"
        )),
        _ => None,
    };
    Measured::Absent(NoMetrics {
        why: why.to_owned(),
        enable,
    })
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use kube::client::Body;

    use super::*;

    /// A cluster that answers this, whatever it is asked.
    fn cluster(status: u16, answer: &'static str) -> Client {
        let service = tower::service_fn(move |request: Request<Body>| async move {
            assert_eq!(
                request.uri().path(),
                "/apis/metrics.k8s.io/v1beta1/namespaces/t/pods"
            );
            Response::builder()
                .status(status)
                .body(Body::from(answer.as_bytes().to_vec()))
        });
        Client::new(service, "t")
    }

    async fn why(kind: &ClusterKind, status: u16, answer: &'static str) -> NoMetrics {
        match ask(&cluster(status, answer), kind, "t").await {
            Measured::Absent(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_metrics_server_serves_is_read_and_what_is_missing_says_how_to_get_it() {
        let served = r#"{"kind":"PodMetricsList","apiVersion":"metrics.k8s.io/v1beta1","metadata":{},
            "items":[{"metadata":{"name":"web-1","namespace":"t"},"timestamp":"2026-01-01T00:00:00Z","window":"15.1s",
            "containers":[{"name":"app","usage":{"cpu":"2500000n","memory":"18432Ki"}}]}]}"#;
        let minikube = ClusterKind::Minikube {
            profile: "demo".into(),
        };
        let read = ask(&cluster(200, served), &minikube, "t").await;
        let wanted = Sample {
            pod: "web-1".into(),
            container: "app".into(),
            timestamp: Some("2026-01-01T00:00:00Z".into()),
            cpu_millis: 3,
            memory_kib: 18_432,
        };
        assert_eq!(read, Measured::Samples(vec![wanted]));

        let missing = why(&minikube, 404, "404 page not found\n").await;
        assert_eq!(
            missing.enable.as_deref(),
            Some("minikube addons enable metrics-server -p demo")
        );
        let missing = why(&ClusterKind::Remote, 404, "404 page not found\n").await;
        assert_eq!(missing.enable, None);
        let unavailable = why(&minikube, 503, "service unavailable\n").await;
        assert!(unavailable.why.contains("yet"), "{unavailable:?}");
        let broken = ask(&cluster(500, "oops"), &minikube, "t").await;
        assert_eq!(broken, Measured::Silent);
    }
}
