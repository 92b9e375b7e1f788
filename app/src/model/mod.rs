//! The pure types both sides share: no I/O, compiles to wasm.
//! The server folds the world into these; the browser folds the same events and draws them.

pub mod build;
pub mod cluster;
pub mod deploy;
pub mod finding;
pub mod freshness;
pub mod helm;
pub mod image;
pub mod image_report;
pub mod live_message;
pub mod minikube;
pub mod names;
pub mod ownership;
pub mod panel;
pub mod preflight;
pub mod project;
pub mod revision;
pub mod rollout;
pub mod run;
pub mod secret;
pub mod step;
pub mod time;
pub mod workload;

pub use build::*;
pub use cluster::*;
pub use deploy::*;
pub use finding::*;
pub use freshness::*;
pub use helm::*;
pub use image::*;
pub use image_report::*;
pub use live_message::*;
pub use minikube::*;
pub use names::*;
pub use ownership::*;
pub use panel::*;
pub use preflight::*;
pub use project::*;
pub use revision::*;
pub use rollout::*;
pub use run::*;
pub use secret::*;
pub use step::*;
pub use time::*;
pub use workload::*;
