//! What there is to say about a component's image: the sources it is built from, what is inside it,
//! what was checked, and what its Dockerfile could do better.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ComponentName, Finding, UnixMillis};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageReport {
    pub component: ComponentName,
    pub sources: SourcesView,
    /// What the image built last is made of; none before the first build on this cluster.
    pub image: Option<ImageFacts>,
    pub checks: Vec<ImageCheck>,
    /// The Dockerfile the hints are about, relative to the project.
    pub dockerfile: Option<String>,
    /// Worst first, then by line.
    pub hints: Vec<DockerfileHint>,
    /// How many hints are muted by a comment in the Dockerfile.
    pub muted: u32,
}

impl ImageReport {
    /// Why the image is not what its sources say now; none when it is, or when nobody knows.
    pub fn outdated(&self) -> Option<(u64, &[String])> {
        match &self.sources {
            SourcesView::Read(preview) => match &preview.since_build {
                SinceBuild::Changed { count, first } => Some((*count, first)),
                SinceBuild::NeverBuilt | SinceBuild::Unchanged => None,
            },
            SourcesView::Reading { .. } | SourcesView::Unreadable { .. } => None,
        }
    }

    /// How many checks found something, and how many of these are failures.
    pub fn troubles(&self) -> usize {
        let found = |check: &&ImageCheck| matches!(check.verdict, ImageVerdict::Found(_));
        self.checks.iter().filter(found).count()
    }
}

/// The sources as the builder would see them now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourcesView {
    /// They are being read for the first time.
    Reading {
        entries: u64,
    },
    Read(Box<ContextPreview>),
    Unreadable {
        finding: Box<Finding>,
    },
}

/// Which files go into a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextPreview {
    /// Relative to the project.
    pub folder: String,
    /// The ignore file that was used, relative to the project.
    pub ignore_file: Option<String>,
    /// Files and links.
    pub files: u64,
    pub bytes: u64,
    /// The biggest files, at most [`ContextPreview::MOST`].
    pub biggest: Vec<ContextFile>,
    /// What is left out, at most [`ContextPreview::MOST`]: the topmost paths.
    pub excluded: Vec<ExcludedPath>,
    pub excluded_count: u64,
    /// The tag a docker build of these sources gets; empty with the pack builder, whose tags follow
    /// from the image.
    pub tag: String,
    pub since_build: SinceBuild,
}

impl ContextPreview {
    /// How many entries each list has at most.
    pub const MOST: usize = 8;
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextFile {
    pub path: String,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExcludedPath {
    /// A folder ends with `/`.
    pub path: String,
    /// The line of the ignore file that decided.
    pub line: Option<u32>,
}

/// How the sources compare with those of the image that was built last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SinceBuild {
    NeverBuilt,
    Unchanged,
    Changed {
        count: u64,
        /// The first of them as words: `src/main.rs`, `notes.md (new)`, `build arguments`.
        first: Vec<String>,
    },
}

/// What an image is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    pub id: String,
    pub size_bytes: u64,
    /// From the bottom to the top, without empty ones.
    pub layers: Vec<LayerFact>,
    /// Empty is root.
    pub user: String,
    /// As the image says: `8080/tcp`.
    pub ports: Vec<String>,
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    pub workdir: String,
    pub healthcheck: Option<String>,
    pub labels: BTreeMap<String, String>,
    /// Names only: values may be secrets.
    pub env: Vec<String>,
    /// Where something that looks like a secret stands; never the value.
    pub secret_like: Vec<String>,
    pub os: String,
    /// As Go names it: `amd64`, `arm64`.
    pub architecture: String,
    /// None for images whose time is set to a fixed value.
    pub created: Option<UnixMillis>,
    pub base: Option<BaseImage>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerFact {
    /// The instruction that made it, shortened and with secrets masked.
    pub made_by: String,
    pub size_bytes: u64,
    pub from_base: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseImage {
    pub reference: String,
    /// When it was made; none when that cannot be told.
    pub created: Option<UnixMillis>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageCheck {
    /// Stable: `user`, `port`, `context-secrets`.
    pub id: String,
    pub title: String,
    pub verdict: ImageVerdict,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageVerdict {
    Good {
        note: String,
    },
    /// Worth knowing, and nothing to be done.
    Note {
        note: String,
    },
    Found(Box<Finding>),
    /// It cannot be told.
    Unknown {
        why: String,
    },
}

/// What a line of a Dockerfile could do better.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DockerfileHint {
    /// Stable, for `# slipway: ignore CODE`.
    pub code: String,
    /// The same rule's number in hadolint.
    pub hadolint: Option<String>,
    pub severity: HintSeverity,
    /// Counted from 1.
    pub line: u32,
    /// The instruction's text, with secrets masked.
    pub excerpt: String,
    pub what: String,
    pub why: String,
    pub fix: String,
    /// What to write instead, where that can be said.
    pub patch: Vec<PatchLine>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HintSeverity {
    /// The build or the app will most likely not do what is meant.
    Error,
    /// It works, and will be trouble one day.
    Warning,
    /// Smaller, faster or tidier.
    Advice,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PatchLine {
    Remove(String),
    Add(String),
}
