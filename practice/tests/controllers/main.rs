//! The controllers against the real API server, with a tiny stand-in for the node: it gives every
//! bound pod an address, calls it ready, and removes it when asked to.
#![expect(
    clippy::unwrap_used,
    reason = "a test's helpers fail like the test itself"
)]

mod deletion;
mod rollout;
mod support;
