//! One line of the preflight: what was looked for, what was found, and how to get it.

use leptos::prelude::*;

use super::{Age, FindingCard, words};
use crate::live::Live;
use crate::model::{Check, CheckState, Need, Slice};
use crate::ui::StatusBadge;

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
    let (tone, word) = words::check(&check.state, check.need);
    let (evidence, finding) = match check.state {
        CheckState::Checking => (None, None),
        CheckState::Ok { evidence } => (Some(evidence), None),
        CheckState::Missing { finding } | CheckState::Broken { finding } => (None, Some(finding)),
    };
    let short = finding.as_ref().map(|finding| finding.what.clone());
    let is_required = check.need == Need::Required;
    view! {
        <li class=format!("check {}", tone.class())>
            <div class="check-line">
                <StatusBadge tone word quiet=true />
                <span class="check-title">{check.title}</span>
                {(!is_required).then(|| view! { <span class="tag">"Optional"</span> })}
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
                        </details>
                    }
                })}
        </li>
    }
    .into_any()
}
