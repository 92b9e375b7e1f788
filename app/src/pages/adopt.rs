//! A folder without a `slipway.toml`: what Slipway saw, and the file it would write, as a form.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use crate::api::adopt::look_at_folder;
use crate::components::adopt::AdoptForm;
use crate::components::{FailureNote, FindingCard, wish};
use crate::live::Live;
use crate::model::{Adoption, Proposal, Slice};
use crate::ui::{Button, Card, EmptyMessage, Icon, IconShape, KeyValue, Skeleton, Tone};

#[component]
pub fn AdoptPage() -> impl IntoView {
    let live = Live::expect();
    let navigate = use_navigate();
    let is_project = live.memo(&[Slice::Project], |state| state.project.is_some());
    // Once it is a project, the walk begins.
    Effect::new(move |_| {
        if live.has_snapshot() && is_project.get() {
            let replace = NavigateOptions {
                replace: true,
                ..NavigateOptions::default()
            };
            navigate("/", replace);
        }
    });
    let adoption = live.memo(&[Slice::Project], |state| state.adoption.clone());
    let problem = live.memo(&[Slice::Project], |state| state.project_problem.clone());
    let again = wish(|()| look_at_folder());
    view! {
        <Title text="Adopt a folder" />
        <div class="page">
            <header class="page-head">
                <div class="page-words">
                    <h1 class="page-title" id="page-title" tabindex="-1">
                        "Adopt this folder"
                    </h1>
                    <p class="page-lede">
                        "It has no slipway.toml yet. This is what Slipway saw in it, with the reason for every value. Correct what is wrong; nothing is written before you say so."
                    </p>
                </div>
                <Show when=move || live.has_snapshot() && live.is_operator()>
                    <div class="page-acts">
                        <Button busy=again.is_pending() on_press=move |()| again.send(())>
                            <Icon shape=IconShape::Refresh />
                            "Look again"
                        </Button>
                    </div>
                </Show>
            </header>
            <FailureNote failure=again.failure() />
            {move || problem.get().map(|finding| view! { <FindingCard finding /> })}
            {move || match adoption.get() {
                None => view! { <Skeleton /> }.into_any(),
                Some(Adoption::Looking { folder }) => {
                    view! {
                        <EmptyMessage tone=Tone::Working title="Looking at the folder" text=folder />
                    }
                        .into_any()
                }
                Some(Adoption::Proposed(proposal)) => proposed(live, *proposal),
            }}
        </div>
    }
    .into_any()
}

fn proposed(live: Live, proposal: Proposal) -> AnyView {
    let saw = view! { <Saw proposal=proposal.clone() /> };
    if live.is_operator() {
        return view! {
            <div class="columns">
                <div class="column-main">
                    <AdoptForm proposal />
                </div>
                <div class="column-side">{saw}</div>
            </div>
        }
        .into_any();
    }
    let names: Vec<String> = proposal
        .draft
        .components
        .iter()
        .map(|component| component.name.value.clone())
        .collect();
    view! {
        <div class="columns">
            <div class="column-main">
                <EmptyMessage
                    tone=Tone::Unknown
                    title="Waiting for the operator"
                    text=format!("Slipway proposes these components: {}.", names.join(", "))
                />
            </div>
            <div class="column-side">{saw}</div>
        </div>
    }
    .into_any()
}

/// What the form was made from.
#[component]
fn Saw(proposal: Proposal) -> impl IntoView {
    let pairs = vec![
        ("Folder", proposal.folder),
        ("Files", proposal.files_seen.to_string()),
        ("Folders", proposal.folders_seen.to_string()),
    ];
    let has_notes = !proposal.notes.is_empty();
    view! {
        <Card title="What Slipway saw">
            <KeyValue pairs />
            {has_notes
                .then(|| {
                    view! {
                        <h3 class="side-title">"Worth knowing"</h3>
                        <ul class="side-list">
                            {proposal
                                .notes
                                .into_iter()
                                .map(|note| {
                                    view! {
                                        <li>
                                            <p class="adopt-note-source" dir="auto">
                                                {note.source}
                                            </p>
                                            <p class="adopt-note" dir="auto">
                                                {note.text}
                                            </p>
                                        </li>
                                    }
                                })
                                .collect_view()}
                        </ul>
                    }
                })}
            <p class="fine-print">
                "Of .env files only the names of variables are read, never their values"
            </p>
        </Card>
    }
    .into_any()
}
