//! Slipway's hands: the engine, the rooms of the six steps, the adapters to outside tools and the
//! web side. The binary in `main.rs` only wires these together.

pub mod adapters;
pub mod adopt;
pub mod assist;
pub mod cli;
pub mod cluster;
pub mod commands;
pub mod deploy;
mod embedded;
pub mod engine;
pub mod images;
pub mod live;
pub mod minikube;
pub mod panel;
pub mod process;
pub mod project;
pub mod secrets;
pub mod setup;
pub mod terminal;
pub mod web;
