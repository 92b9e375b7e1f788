//! The API server as a client sees it: over real TLS, with the kubeconfig it wrote.

#[path = "api_server/apply.rs"]
mod apply;
#[path = "api_server/life.rs"]
mod life;
#[path = "api_server/objects.rs"]
mod objects;
#[path = "api_server/support.rs"]
mod support;
#[path = "api_server/watches.rs"]
mod watches;
