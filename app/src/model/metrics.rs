//! What pods use, where the cluster measures it, and what they ask for and may take.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::UnixMillis;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metrics {
    /// Nobody asked yet.
    #[default]
    Unknown,
    Absent(NoMetrics),
    /// By the pod's UID.
    Measured(BTreeMap<String, Vec<ContainerUsage>>),
}

/// Why nothing is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoMetrics {
    pub why: String,
    /// The command that makes it measured, where there is one.
    pub enable: Option<String>,
}

/// A container's last minutes; the values of a moment stand at the same place of both lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerUsage {
    pub container: String,
    /// When Slipway had the newest values first; told again, or not at all, they grow old.
    pub measured: UnixMillis,
    /// Thousandths of a processor, oldest first.
    pub cpu_millis: Vec<u32>,
    /// Working set, in KiB.
    pub memory_kib: Vec<u32>,
    pub cpu: Bounds,
    pub memory: Bounds,
}

impl ContainerUsage {
    /// Ten minutes, asked for every 15 seconds.
    pub const KEPT: usize = 40;
    /// Values older than this say how it was. minikube's addon measures once a minute: one measurement
    /// may come late.
    pub const OLD_AFTER_MS: u64 = 150_000;
}

/// Requests and limits, in the unit of what they bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    pub request: Option<u32>,
    pub limit: Option<u32>,
}
