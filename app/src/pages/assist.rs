//! Assist: what Slipway's own diagnosis finds wrong now, worst first, each with its way out.

use leptos::prelude::*;

use crate::components::{Approvals, AssistantDesk, AuditCard, FindingCard, PageFrame, content};
use crate::live::Live;
use crate::model::{Severity, Slice, StepId, StepState};
use crate::ui::{EmptyMessage, Tone};

#[component]
pub fn AssistPage() -> impl IntoView {
    let live = Live::expect();
    let findings = live.memo(&[Slice::Findings], |state| state.findings.clone());
    let looked = live.memo(&[Slice::Steps], |state| {
        !matches!(
            state.steps.get(&StepId::Assist),
            None | Some(StepState::Unknown | StepState::Blocked { .. })
        )
    });
    let counts = move || {
        findings.with(|findings| {
            let failed = findings
                .iter()
                .filter(|finding| finding.severity == Severity::Failed)
                .count();
            (failed, findings.len() - failed)
        })
    };
    view! {
        <PageFrame
            step=StepId::Assist
            lede="What keeps the app from being healthy, why, and what to do next, by rules that need no AI"
        >
            <Approvals />
            <Show
                when=move || findings.with(|findings| !findings.is_empty())
                fallback=move || {
                    view! {
                        <section class="card">
                            <Show
                                when=move || looked.get()
                                fallback=|| {
                                    view! {
                                        <EmptyMessage
                                            tone=Tone::Unknown
                                            title="Nothing to look at yet"
                                            text="Once something is deployed, Slipway reads pods, probes, events and logs for what is wrong."
                                        />
                                    }
                                }
                            >
                                <EmptyMessage
                                    tone=Tone::Ok
                                    title="Nothing is wrong"
                                    text="Images, secrets, probes, selectors, ports and restarts were looked at, and are looked at again with every change."
                                />
                            </Show>
                        </section>
                    }
                }
            >
                <p class="findings-count">
                    {move || {
                        let (failed, attention) = counts();
                        format!("{failed} need action, {attention} deserve a look")
                    }}
                </p>
                <ul class="findings">
                    <For
                        each=move || findings.get()
                        key=content
                        children=|finding| {
                            view! {
                                <li>
                                    <FindingCard finding />
                                </li>
                            }
                        }
                    />
                </ul>
            </Show>
            <AssistantDesk />
            <AuditCard />
        </PageFrame>
    }
    .into_any()
}
