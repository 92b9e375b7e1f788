//! The practice cluster: an embedded Kubernetes API server, the controllers behind it and a node
//! that runs pods as real processes. A rehearsal stage and a test bed, never sold as Kubernetes.

pub mod api;
pub mod cluster;
pub mod controllers;
pub mod images;
pub mod node;
pub mod quantity;
mod quota;

/// The Kubernetes version whose behaviour is rehearsed, of the API server and the node alike.
pub const KUBERNETES_VERSION: &str = "v1.35.1+slipway-practice";

pub use cluster::{PracticeCluster, PracticeConfig, RunningPractice, StartError};
