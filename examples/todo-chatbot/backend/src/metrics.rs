//! `/metrics` in the text format of OpenMetrics, for Prometheus and its like.

use std::time::Duration;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::app::App;

/// Upper bounds in seconds: probes and lists on the left, turns with a model on the right.
const BUCKETS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 20.0, 60.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TurnLabels {
    assistant: &'static str,
}

/// What is counted. Names follow the conventions of Prometheus.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram>,
    turns: Family<TurnLabels, Counter>,
    database_up: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let requests = Family::<RequestLabels, Counter>::default();
        let durations =
            Family::<RouteLabels, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        let turns = Family::<TurnLabels, Counter>::default();
        let database_up = Gauge::default();
        let mut registry = Registry::default();
        registry.register(
            "http_requests",
            "Requests that were answered",
            requests.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "Time from a request to the head of its answer",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register("chat_turns", "Turns with the assistant", turns.clone());
        registry.register(
            "database_up",
            "1 when the database answered this scrape",
            database_up.clone(),
        );
        Self {
            registry,
            requests,
            durations,
            turns,
            database_up,
        }
    }
}

impl Metrics {
    /// A request was answered. `route` is the pattern, so there are few of them.
    pub fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        // Methods are free text on the wire; a client must not grow this table.
        let method = match method {
            "GET" | "POST" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS" | "PUT" => method,
            _ => "other",
        };
        let labels = RequestLabels {
            method: method.to_owned(),
            route: route.to_owned(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
        let labels = RouteLabels {
            route: route.to_owned(),
        };
        self.durations
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// A turn ended: `online`, `offline` or `failed`.
    pub fn turn(&self, assistant: &'static str) {
        self.turns.get_or_create(&TurnLabels { assistant }).inc();
    }
}

/// `GET /metrics`
pub async fn show(State(app): State<App>) -> Response {
    let up = app.store.check().await.is_ok();
    app.metrics.database_up.set(i64::from(up));
    let mut text = String::new();
    match encode(&mut text, &app.metrics.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
