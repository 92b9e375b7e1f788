//! The Kubernetes API: kubeconfig, client, watches, server-side apply and logs.
//! Every request has a deadline of its own, because a frozen API server answers nothing for minutes.

pub mod apply;
pub mod client;
pub mod discovery;
pub mod follow;
pub mod kubeconfig;
pub mod times;

/// The field manager of everything Slipway applies.
pub const FIELD_MANAGER: &str = "slipway";
