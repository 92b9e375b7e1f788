//! The vocabulary of states: every state has a shape, a colour and a word, never a colour alone.

/// What a state means to the person who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tone {
    /// Proven good.
    Ok,
    /// Something is under way.
    Working,
    /// Works, but action is advised.
    Attention,
    /// Action is needed.
    Failed,
    /// The last known value; its source is silent.
    Stale,
    /// On purpose not running.
    Off,
    /// Never seen.
    Unknown,
    /// Waits for a person.
    ToDo,
    /// Waits for its turn.
    Pending,
}

impl Tone {
    /// Class that sets the colours of whatever carries it.
    pub fn class(self) -> &'static str {
        match self {
            Self::Ok => "tone-ok",
            Self::Working => "tone-working",
            Self::Attention => "tone-attention",
            Self::Failed => "tone-failed",
            Self::Stale => "tone-stale",
            Self::Off => "tone-off",
            Self::Unknown => "tone-unknown",
            Self::ToDo => "tone-todo",
            Self::Pending => "tone-pending",
        }
    }

    /// The shape, drawn in a box of 16 by 16.
    pub(super) fn shape(self) -> &'static str {
        match self {
            Self::Ok => {
                r#"<circle cx="8" cy="8" r="7" fill="currentColor"/><path class="knock" d="M4.8 8.3l2.2 2.2 4.3-4.7" fill="none" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/>"#
            }
            Self::Working => {
                r#"<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-opacity=".28" stroke-width="2.2"/><path class="spin" d="M8 2a6 6 0 0 1 6 6" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round"/>"#
            }
            Self::Attention => {
                r#"<path d="M8 1.6c.5 0 .9.25 1.15.7l5.6 10.1c.5.9-.13 2-1.15 2H2.4c-1.02 0-1.65-1.1-1.15-2L6.85 2.3c.25-.45.65-.7 1.15-.7z" fill="currentColor"/><path class="knock" d="M8 5.6v3.6M8 11.7v.1" stroke-width="1.8" stroke-linecap="round"/>"#
            }
            Self::Failed => {
                r#"<rect x="1.5" y="1.5" width="13" height="13" rx="3" fill="currentColor"/><path class="knock" d="M5.4 5.4l5.2 5.2m0-5.2l-5.2 5.2" stroke-width="1.8" stroke-linecap="round"/>"#
            }
            Self::Stale => {
                r#"<circle cx="8" cy="8" r="6.4" fill="none" stroke="currentColor" stroke-width="1.6" stroke-dasharray="1.4 2.62" stroke-linecap="round"/><path d="M8 4.8V8l2.1 1.5" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"/>"#
            }
            Self::Off => {
                r#"<path d="M3 8h10" stroke="currentColor" stroke-width="2.2" stroke-linecap="round"/>"#
            }
            Self::Unknown => {
                r#"<rect x="2" y="2" width="12" height="12" rx="2.6" fill="none" stroke="currentColor" stroke-width="1.5"/><path d="M6.2 6.3c.1-1 .9-1.6 1.9-1.6 1.1 0 1.8.7 1.8 1.6 0 1.3-1.9 1.4-1.9 2.7M8 11.2v.1" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round"/>"#
            }
            Self::Pending => {
                r#"<circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" stroke-width="1.5"/>"#
            }
            Self::ToDo => {
                r#"<circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" stroke-width="1.7"/><circle cx="8" cy="8" r="2.4" fill="currentColor"/>"#
            }
        }
    }
}
