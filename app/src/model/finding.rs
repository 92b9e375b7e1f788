//! Every problem is a finding: what happened, why, what to do next, with the evidence.

use serde::{Deserialize, Serialize};

use super::{
    ClusterChoice, ComponentName, ContextName, DeployMode, GoingRuns, ProfileAct, ProfileName,
    RunId, SecretKey, StepId,
};

/// A problem in words, with a stable code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable and documented, such as `IMAGE_NOT_IN_CLUSTER`.
    pub code: String,
    pub severity: Severity,
    /// What happened, one sentence without a period: "Backend cannot start".
    pub what: String,
    /// The cause, one or two sentences.
    pub why: String,
    /// What to do, the best first. The first one is the primary button.
    pub next: Vec<NextAction>,
    pub evidence: Vec<Evidence>,
    /// What it is about.
    pub subject: Subject,
}

impl Finding {
    pub fn new(code: &str, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            severity: Severity::Failed,
            what: what.into(),
            why: why.into(),
            next: Vec::new(),
            evidence: Vec::new(),
            subject: Subject::Panel,
        }
    }

    #[must_use]
    pub fn attention(mut self) -> Self {
        self.severity = Severity::Attention;
        self
    }

    #[must_use]
    pub fn about(mut self, subject: Subject) -> Self {
        self.subject = subject;
        self
    }

    #[must_use]
    pub fn next(mut self, action: NextAction) -> Self {
        self.next.push(action);
        self
    }

    #[must_use]
    pub fn evidence(mut self, source: impl Into<String>, text: impl Into<String>) -> Self {
        self.evidence.push(Evidence {
            source: source.into(),
            text: text.into(),
        });
        self
    }

    /// Two findings with the same key are the same problem.
    pub fn key(&self) -> String {
        format!("{}/{}", self.code, self.subject.key())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Works, but action is advised.
    Attention,
    /// Does not work until someone acts.
    Failed,
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    Panel,
    Step { step: StepId },
    Component { component: ComponentName },
    Secret { key: SecretKey },
    Object { kind: String, name: String },
}

impl Subject {
    fn key(&self) -> String {
        match self {
            Self::Panel => "panel".to_owned(),
            Self::Step { step } => format!("step/{step:?}"),
            Self::Component { component } => format!("component/{component}"),
            Self::Secret { key } => format!("secret/{key}"),
            Self::Object { kind, name } => format!("{kind}/{name}"),
        }
    }
}

/// Something a person can do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NextAction {
    /// Go to a step of the walk.
    Open { step: StepId, label: String },
    /// Slipway can do it itself.
    Do { action: Remedy, label: String },
    /// A command to copy and run in a terminal.
    Command { command: String, why: String },
    /// A piece of YAML to merge into a file of the project.
    Patch { file: String, patch: String },
    /// Only words.
    Advice { text: String },
}

impl NextAction {
    pub fn advice(text: impl Into<String>) -> Self {
        Self::Advice { text: text.into() }
    }
}

/// What Slipway can do itself with one press; the server checks again whether it may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    UsePractice,
    UseCluster {
        choice: ClusterChoice,
        going: GoingRuns,
    },
    /// Asks for the typed name of a cluster that is not on this machine.
    AllowChanges {
        context: ContextName,
    },
    Recheck,
    BuildImages,
    Deploy,
    RestartComponent {
        component: ComponentName,
    },
    /// Plans the switch to raw or Helm; the page shows the plan and asks.
    PlanHandover {
        to: DeployMode,
    },
    CancelRun {
        run: RunId,
    },
    /// Makes a card of a change, which a person then approves or declines.
    Propose {
        argv: Vec<String>,
        /// The key of the finding it is meant to heal.
        heals: String,
        why: String,
    },
    /// Does something to a minikube profile, such as unpausing it.
    Minikube {
        act: ProfileAct,
        profile: ProfileName,
    },
}

/// A piece of proof behind a finding: never a secret value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Where it was read: `Pod backend-6f…, container backend, last log lines`.
    pub source: String,
    pub text: String,
}

/// What a refused or failed wish answers with; survives the border between server and browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Failure {
    #[error("{}: {}", .0.what, .0.why)]
    Finding(Box<Finding>),
    /// The call itself did not get through; the text is the transport's.
    #[error("the panel did not answer: {0}")]
    Transport(String),
}

impl From<Finding> for Failure {
    fn from(finding: Finding) -> Self {
        Self::Finding(Box::new(finding))
    }
}
