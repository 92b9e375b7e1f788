//! Talking to an API server: requests with a deadline, and errors in words.
//! How a client is made from a context is in [`connect`].

mod connect;
mod door;
mod error;
mod login;
mod proxy;
mod questions;
mod token;

pub use connect::{ConnectError, Connection, connect};
pub use door::{ReadOnly, Refused};
pub use error::{KubeError, REQUEST_LIMIT, within};
pub use login::LoginError;
pub use questions::{Beat, beat, cluster_id, version, who_am_i};
