//! Secrets: values go straight into the cluster and never come back to a page.

use leptos::prelude::*;

use crate::components::{
    EnvDrop, InClusterCard, PageFrame, RunPanel, SecretObjectCard, SecretRow, StalePodsCard,
};
use crate::live::Live;
use crate::model::{RunKind, Slice, StepId};
use crate::ui::{EmptyMessage, Progress, Tone};

#[component]
pub fn SecretsPage() -> impl IntoView {
    let live = Live::expect();
    let keys = live.memo(&[Slice::Secrets], |state| {
        state
            .secrets
            .iter()
            .map(|secret| secret.key.clone())
            .collect::<Vec<_>>()
    });
    let counts = live.memo(&[Slice::Secrets], |state| {
        let required = || state.secrets.iter().filter(|secret| secret.required);
        (
            required().filter(|secret| secret.state.is_set()).count(),
            required().count(),
        )
    });
    let words = Signal::derive(move || {
        let (set, all) = counts.get();
        format!("{set} of {all} required secrets are set")
    });
    view! {
        <PageFrame
            step=StepId::Secrets
            lede="Values go straight into the cluster; Slipway keeps a fingerprint and forgets them"
        >
            <StalePodsCard />
            <RunPanel kind=RunKind::Restart />
            <SecretObjectCard />
            <Show
                when=move || keys.with(|keys| !keys.is_empty())
                fallback=|| {
                    view! {
                        <section class="card">
                            <EmptyMessage
                                tone=Tone::Unknown
                                title="No secrets to show"
                                text="Either slipway.toml asks for none, or no cluster was chosen yet to look in."
                            />
                        </section>
                    }
                }
            >
                <section class="card" aria-label="Secrets of the project">
                    <div class="secrets-progress">
                        <p>{words}</p>
                        <Progress
                            label=words
                            share=Signal::derive(move || {
                                let (set, all) = counts.get();
                                Some(set as f64 / all.max(1) as f64)
                            })
                        />
                    </div>
                    <Show when=move || live.is_operator()>
                        <EnvDrop />
                    </Show>
                    <ul class="secrets">
                        <For
                            each=move || keys.get()
                            key=Clone::clone
                            children=|key| view! { <SecretRow key /> }
                        />
                    </ul>
                </section>
            </Show>
            <InClusterCard />
        </PageFrame>
    }
    .into_any()
}
