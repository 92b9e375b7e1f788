//! A code of the diagnosis: its place among causes and consequences, and what docs/findings.md says
//! about it. A rule makes its findings through its codes, so the page cannot drift from the rules.

use std::fmt::Write as _;

use app::model::{Finding, Severity};

/// How near to the root a problem is. What is found in a layer may explain what is found in others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The machine and the cluster itself.
    Machine,
    /// There is no pod, or no node for it.
    Placement,
    /// A container cannot start.
    Start,
    /// It was killed for its memory.
    Memory,
    /// It ends by itself, and its log says why.
    Told,
    /// It ends by itself.
    Crash,
    /// It runs and does not pass its probes.
    Ready,
    /// The way to it.
    Way,
    /// The Deployment and the release.
    Rollout,
    /// It works, and something is not as it should be.
    Upkeep,
}

/// Everything from the pod's absence to its failing probes.
pub const NOT_READY: &[Layer] = &[
    Layer::Placement,
    Layer::Start,
    Layer::Memory,
    Layer::Told,
    Layer::Crash,
    Layer::Ready,
];
/// The containers do not stay up.
pub const NOT_UP: &[Layer] = &[
    Layer::Placement,
    Layer::Start,
    Layer::Memory,
    Layer::Told,
    Layer::Crash,
];
/// The containers do not even start.
pub const NOT_STARTED: &[Layer] = &[Layer::Placement, Layer::Start];
/// An ending whose log tells nothing, beside one whose log does.
pub const UNTOLD: &[Layer] = &[Layer::Placement, Layer::Start, Layer::Memory, Layer::Told];
/// An ending, beside one for want of memory.
pub const NOT_MEMORY: &[Layer] = &[Layer::Placement, Layer::Start, Layer::Memory];
/// Whatever is broken about a component.
pub const ANYTHING: &[Layer] = &[
    Layer::Placement,
    Layer::Start,
    Layer::Memory,
    Layer::Told,
    Layer::Crash,
    Layer::Ready,
    Layer::Way,
    Layer::Rollout,
];
pub const NOTHING: &[Layer] = &[];

/// One code. The texts are those of its section in docs/findings.md.
#[derive(Debug)]
pub struct Code {
    pub code: &'static str,
    pub layer: Layer,
    /// It is left out where a failure of one of these layers is found in the same thing.
    pub follows: &'static [Layer],
    pub severity: Severity,
    pub what: &'static str,
    pub why: &'static str,
    pub next: &'static str,
}

const fn of(layer: Layer, follows: &'static [Layer], severity: Severity) -> Code {
    Code {
        code: "",
        layer,
        follows,
        severity,
        what: "",
        why: "",
        next: "",
    }
}

/// What codes of one kind have in common.
pub const PLACEMENT: Code = of(Layer::Placement, NOTHING, Severity::Failed);
pub const START: Code = of(Layer::Start, NOTHING, Severity::Failed);
pub const TOLD: Code = of(Layer::Told, NOT_MEMORY, Severity::Failed);
pub const CRASH: Code = of(Layer::Crash, UNTOLD, Severity::Failed);
pub const READY: Code = of(Layer::Ready, NOT_UP, Severity::Failed);
pub const WAY: Code = of(Layer::Way, NOTHING, Severity::Failed);
pub const UPKEEP: Code = of(Layer::Upkeep, NOTHING, Severity::Attention);

impl Code {
    pub fn finding(&self, what: impl Into<String>, why: impl Into<String>) -> Finding {
        let finding = Finding::new(self.code, what, why);
        match self.severity {
            Severity::Failed => finding,
            Severity::Attention => finding.attention(),
        }
    }

    fn section(&self, page: &mut String) {
        let severity = match self.severity {
            Severity::Attention => "`attention`: ",
            Severity::Failed => "",
        };
        let Self {
            code,
            what,
            why,
            next,
            ..
        } = self;
        let _ = writeln!(
            page,
            "### {code}\n\n{severity}{what}\n\n- Why: {why}\n- Next: {next}\n"
        );
    }
}

/// The part of docs/findings.md that the rules write.
pub fn page(codes: &[&Code]) -> String {
    let mut page = String::new();
    for code in codes {
        code.section(&mut page);
    }
    page
}
