//! The server functions: each takes the ports from the context and makes one call.
//! JSON only, with the token's header and `x-slipway`, so that no foreign page can forge one.

pub mod adopt;
pub mod approvals;
pub mod assistants;
mod client;
pub mod clusters;
pub mod deploys;
pub mod drills;
pub mod forwards;
pub mod handovers;
pub mod images;
pub mod live;
pub mod minikube;
pub mod releases;
pub mod revisions;
pub mod rollouts;
pub mod runs;
pub mod secrets;
pub mod setup;
pub mod share;
pub mod terminals;

use leptos::server_fn::codec::JsonEncoding;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};

pub use client::PanelClient;

use crate::model::Failure;

impl FromServerFnError for Failure {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        Self::Transport(error.to_string())
    }
}

/// The ports of this request; a router without them (the viewer's) has no business here.
#[cfg(feature = "ssr")]
fn ports() -> Result<crate::ports::Ports, Failure> {
    leptos::prelude::use_context()
        .ok_or_else(|| Failure::Transport("this page may only look".to_owned()))
}
