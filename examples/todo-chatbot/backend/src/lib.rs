//! The backend of the todo chatbot: todos per visitor, and a chat assistant that can change them.
//! `app` wires the routes, `store` keeps the data, `chat` talks to the provider.

pub mod app;
pub mod chat;
pub mod config;
pub mod errors;
pub mod health;
pub mod logging;
pub mod metrics;
pub mod requests;
pub mod secret;
pub mod serve;
pub mod store;
pub mod todos;
pub mod visitors;
