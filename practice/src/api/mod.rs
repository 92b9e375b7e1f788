//! The practice cluster's Kubernetes API server: kinds, storage, requests and the TLS front door.

mod admission;
mod apply;
mod body;
mod bootstrap;
mod certs;
mod discovery;
mod events_v1;
mod fieldset;
mod kinds;
mod list;
mod managed;
mod names;
mod objects;
mod patch;
mod persist;
pub mod pod_backend;
mod request;
mod reviews;
mod schema;
mod selectors;
mod serve;
mod server;
pub mod status;
mod store;
mod strategic;
mod table;
mod typed;
mod watch;
mod write;

pub use bootstrap::bootstrap;
pub use certs::{CertError, Certificates, make_private_folder, write_private};
pub use persist::PersistError;
pub use serve::{ApiServer, Identity};
pub use server::serve_tls;
