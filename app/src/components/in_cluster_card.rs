//! What the app says inside the cluster: its readiness path, asked through the API server.

use leptos::prelude::*;

use super::FailureNote;
use crate::api::secrets::ask_pods;
use crate::live::Live;
use crate::model::{InClusterReport, Slice};
use crate::ui::{Button, StatusIcon, Tone};

/// Only for those who may ask, and only once something runs.
#[component]
pub fn InClusterCard() -> impl IntoView {
    let live = Live::expect();
    let has_pods = live.memo(&[Slice::Pods], |state| !state.pods.is_empty());
    let ask = Action::new(move |(): &()| ask_pods());
    view! {
        <Show when=move || live.is_operator() && has_pods.get()>
            <section class="card" aria-label="Test inside the cluster">
                <div class="card-head">
                    <div>
                        <h2 class="card-title">"Test inside the cluster"</h2>
                        <p class="card-hint">
                            "Asks the readiness path of the pods that read secrets, through the API server's pod proxy. They speak about the values they were started with."
                        </p>
                    </div>
                    <Button
                        busy=Signal::from(ask.pending())
                        on_press=move |()| {
                            ask.dispatch(());
                        }
                    >
                        "Ask the pods"
                    </Button>
                </div>
                {move || {
                    ask.value()
                        .get()
                        .map(|answer| match answer {
                            Ok(report) => view! { <Answers report /> }.into_any(),
                            Err(failure) => {
                                view! { <FailureNote failure=Some(failure) /> }.into_any()
                            }
                        })
                }}
            </section>
        </Show>
    }
    .into_any()
}

#[component]
fn Answers(report: InClusterReport) -> impl IntoView {
    view! {
        <div role="status">
        <ol class="live-test-stages" aria-label="Answers of the pods">
            {report
                .answers
                .into_iter()
                .map(|answer| {
                    let tone = match (answer.ready, answer.stale) {
                        (true, false) => Tone::Ok,
                        (true, true) => Tone::Stale,
                        (false, _) => Tone::Failed,
                    };
                    let word = if answer.ready { "Ready" } else { "Not ready" };
                    view! {
                        <li class="live-test-stage">
                            <StatusIcon tone />
                            <span class="live-test-name">{word}</span>
                            <span class="live-test-note">
                                {answer.pod} " on " {answer.path}
                                {answer.stale.then_some(", with older values")} ": "
                                <span dir="auto">{answer.said}</span>
                            </span>
                        </li>
                    }
                })
                .collect_view()}
        </ol>
        </div>
        {report
            .cannot
            .into_iter()
            .map(|why| view! { <p class="live-test-hint">{why}</p> })
            .collect_view()}
    }
    .into_any()
}
