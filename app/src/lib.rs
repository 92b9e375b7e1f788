//! Slipway's face: the model both sides share, the ports, the server functions and the screens.

pub mod model;
#[cfg(feature = "ssr")]
pub mod ports;
