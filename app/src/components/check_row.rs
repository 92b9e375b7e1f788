//! One line of the preflight: what was looked for, what was found, and how to get it.

use leptos::prelude::*;

use super::{Age, FailureNote, FindingCard, wish, words};
use crate::api::setup::mute_check;
use crate::live::Live;
use crate::model::{Check, CheckState, Need, Slice};
use crate::ui::{Button, ButtonKind, StatusBadge, Tone};

/// Follows the check of this id; draws nothing once it is gone.
#[component]
pub fn CheckRow(id: String) -> impl IntoView {
    let live = Live::expect();
    let check = live.memo(&[Slice::Checks], move |state| {
        state.checks.iter().find(|check| check.id == id).cloned()
    });
    move || check.get().map(row)
}

fn row(check: Check) -> impl IntoView {
    let is_muted = check.muted && check.need == Need::Optional;
    let (tone, word) = match words::check(&check.state, check.need) {
        (Tone::Attention, word) if is_muted => (Tone::Off, word),
        said => said,
    };
    let (id, title) = (check.id.clone(), check.title.clone());
    let (evidence, finding) = match check.state {
        CheckState::Checking => (None, None),
        CheckState::Ok { evidence } => (Some(evidence), None),
        CheckState::Missing { finding } | CheckState::Broken { finding } => (None, Some(finding)),
    };
    let short = finding.as_ref().map(|finding| finding.what.clone());
    let is_required = check.need == Need::Required;
    view! {
        <li class=format!("check {}", tone.class()) class:check-muted=is_muted>
            <div class="check-line">
                <StatusBadge tone word quiet=true />
                <span class="check-title">{check.title}</span>
                {(!is_required)
                    .then(|| {
                        view! { <span class="tag">{if is_muted { "Muted" } else { "Optional" }}</span> }
                    })}
                <span class="check-evidence" dir="auto">
                    {evidence.or(short)}
                </span>
                <span class="check-age">
                    <Age at=check.checked />
                </span>
            </div>
            {finding
                .map(|finding| {
                    view! {
                        <details class="check-help" open=is_required>
                            <summary>{if is_required { "How to mend it" } else { "How to get it" }}</summary>
                            <FindingCard finding=*finding />
                            {(!is_required)
                                .then(|| view! { <MuteButton id title muted=is_muted /> })}
                        </details>
                    }
                })}
        </li>
    }
    .into_any()
}

/// For checks that do not apply here: the row stays, and asks for nothing.
#[component]
fn MuteButton(id: String, title: String, muted: bool) -> impl IntoView {
    let live = Live::expect();
    let mute = wish(|(id, muted): (String, bool)| mute_check(id, muted));
    let word = if muted { "Unmute" } else { "Mute" };
    let label = format!("{word} {title}");
    let press = move |()| mute.send((id.clone(), !muted));
    view! {
        <Show when=move || live.is_operator()>
            <div class="check-acts">
                <Button
                    kind=ButtonKind::Quiet
                    busy=mute.is_pending()
                    label=Some(label.clone())
                    on_press=press.clone()
                >
                    {word}
                </Button>
            </div>
        </Show>
        <FailureNote failure=mute.failure() />
    }
    .into_any()
}
