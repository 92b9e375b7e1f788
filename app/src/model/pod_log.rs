//! The logs of pods as they are followed: many containers merged into one stream, which the server
//! keeps small enough for a page.

use serde::{Deserialize, Serialize};

use super::{ComponentName, PanelState, UnixMillis};

/// Which lines are wanted. Filtering is done by the server, before anything is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogWish {
    /// All pods of this component; none: of every component.
    pub component: Option<ComponentName>,
    /// Only this pod.
    pub pod: Option<String>,
    /// Only containers of this name.
    pub container: Option<String>,
    /// The containers before their last restart; not followed, they have ended.
    pub previous: bool,
    /// In any case of letters; empty: every line fits.
    pub text: String,
    /// This level and worse; lines without a level fit only when none is asked for.
    pub level: Option<LogLevel>,
    /// How many lines of each container's past come first; the server caps it.
    pub tail: u32,
}

/// How bad a line says it is, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    pub const ALL: [LogLevel; 5] = [
        Self::Error,
        Self::Warn,
        Self::Info,
        Self::Debug,
        Self::Trace,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "Error",
            Self::Warn => "Warn",
            Self::Info => "Info",
            Self::Debug => "Debug",
            Self::Trace => "Trace",
        }
    }
}

/// A container whose log is read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LogSource {
    pub pod: String,
    pub container: String,
}

/// One line: plain text, redacted, of bounded length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodLogLine {
    /// When the runtime took it in.
    pub at: UnixMillis,
    pub source: LogSource,
    pub level: Option<LogLevel>,
    pub text: String,
    /// Slipway's own words about the container (it was restarted), not a line of its log.
    #[serde(default)]
    pub note: bool,
}

/// What travels while logs are followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFrame {
    Lines {
        lines: Vec<PodLogLine>,
        /// Lines that fit the wish and came too fast for a page; left out since the last frame.
        skipped: u64,
        /// All lines read since the last frame, fitting or not.
        read: u64,
    },
    /// Nothing new; the stream is alive. How many containers are read.
    Alive { sources: u32 },
    /// It ended in good order: the containers were read to their ends.
    Done,
    /// It cannot go on; why.
    Failed { why: String },
}

/// The whole logs that fit a wish, merged by time, for taking home.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFile {
    pub text: String,
    pub lines: u64,
    /// There was more; the oldest lines are missing.
    pub is_cut: bool,
}

impl PanelState {
    /// The containers a wish means, in a stable order, each with the pod's UID.
    pub fn log_sources(&self, wish: &LogWish) -> Vec<(String, LogSource)> {
        let mut found: Vec<(String, LogSource)> = self
            .pods
            .values()
            .filter(|pod| wish.pod.as_ref().is_none_or(|name| *name == pod.name))
            .filter(|pod| wish.component.is_none() || pod.component == wish.component)
            .flat_map(|pod| {
                pod.containers
                    .iter()
                    .filter(|container| {
                        wish.container
                            .as_ref()
                            .is_none_or(|name| *name == container.name)
                    })
                    .filter(|container| !wish.previous || container.restarts > 0)
                    .map(|container| {
                        let source = LogSource {
                            pod: pod.name.clone(),
                            container: container.name.clone(),
                        };
                        (pod.uid.clone(), source)
                    })
            })
            .collect();
        found.sort_by(|a, b| a.1.cmp(&b.1));
        found
    }
}
