//! The frontend of the todo chatbot: pages rendered on the server, for browsers with and without
//! JavaScript. Browsers talk to this server only; it talks to the backend.

pub mod actions;
pub mod app;
pub mod assets;
pub mod backend;
pub mod config;
pub mod cookie;
pub mod logging;
pub mod page;
pub mod proxy;
pub mod requests;
pub mod serve;
mod turn;
