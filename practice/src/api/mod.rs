//! The practice cluster's Kubernetes API server: kinds, storage, requests and the TLS front door.

pub mod pod_backend;
pub mod status;
