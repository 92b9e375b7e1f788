//! Secrets: live tests against a real Postgres and scripted servers, and what becomes of values in
//! a cluster.

mod in_cluster;
mod live_tests;
pub(crate) mod postgres;
mod scripted;
mod trial;
