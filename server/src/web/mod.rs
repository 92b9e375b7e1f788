//! The web side: the gate every request passes, the pages, the live stream and the server functions.
//! Localhost is hostile: any page on the Internet can send requests here.

pub mod assets;
mod events;
mod follow;
pub mod gate;
mod listen;
pub mod once;
mod page;
mod share;
pub mod site;
pub mod tokens;

pub use gate::Addresses;
pub use listen::{Listeners, port_in_use};
pub use share::{ShareAt, Sharing};
pub use site::{PortsSlot, Site};
pub use tokens::Tokens;
