//! The practice cluster's Kubernetes API server: kinds, storage, requests and the TLS front door.

mod admission;
mod body;
mod bootstrap;
mod certs;
mod discovery;
mod events_v1;
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
mod selectors;
mod serve;
mod server;
pub mod status;
mod store;
mod table;
mod watch;
mod write;

pub use bootstrap::bootstrap;
pub use certs::{CertError, Certificates, make_private_folder, write_private};
pub use persist::PersistError;
pub use serve::{ApiServer, Identity};
pub use server::serve_tls;
