//! A component and a secret of the proposal: taken in or left out, and their fields.

use leptos::prelude::*;

use super::Desk;
use super::field::{GuessField, id_of};
use crate::model::{ComponentPart as Part, SecretPart, Spot};

const EXPOSE: &[(&str, &str)] = &[
    ("ClusterIP", "ClusterIP: inside the cluster"),
    ("NodePort", "NodePort: from this machine"),
    ("LoadBalancer", "LoadBalancer"),
];
const KINDS: &[(&str, &str)] = &[
    ("text", "Any text"),
    ("random", "Random, can be generated"),
    ("api-key", "API key"),
    ("url", "URL"),
    ("postgres-url", "PostgreSQL URL"),
];
const OPTIONAL: &[(&str, &str)] = &[("no", "Required"), ("yes", "Optional")];

#[component]
pub fn ComponentRow(desk: Desk, at: usize) -> impl IntoView {
    let wish = desk.wish;
    let why = wish
        .with_untracked(|wish| wish.draft.components.get(at).map(|one| one.why.clone()))
        .unwrap_or_default();
    let name = Memo::new(move |_| {
        wish.with(|wish| {
            wish.draft
                .components
                .get(at)
                .map(|one| one.name.value.clone())
        })
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "New component".to_owned())
    });
    let is_taken = Memo::new(move |_| {
        wish.with(|wish| wish.draft.components.get(at).is_some_and(|one| one.taken))
    });
    let take = move |taken| {
        wish.update(|wish| {
            if let Some(one) = wish.draft.components.get_mut(at) {
                one.taken = taken;
            }
        });
    };
    let spot = move |part| Spot::Component(at, part);
    view! {
        <fieldset class="adopt-row" class:adopt-left-out=move || !is_taken.get()>
            <legend class="sr-only">{move || name.get()}</legend>
            <Taken id=id_of(spot(Part::Name)) name is_taken take why />
            <Show when=move || is_taken.get()>
                <div class="adopt-fields">
                    <GuessField desk spot=spot(Part::Name) label="Name" />
                    <GuessField desk spot=spot(Part::Port) label="Port" />
                    <GuessField desk spot=spot(Part::Context) label="Build context" />
                    <GuessField desk spot=spot(Part::Dockerfile) label="Dockerfile" />
                    <GuessField desk spot=spot(Part::Liveness) label="Liveness path" />
                    <GuessField desk spot=spot(Part::Readiness) label="Readiness path" />
                    <GuessField desk spot=spot(Part::Expose) label="Service type" options=EXPOSE />
                    <GuessField desk spot=spot(Part::Image) label="Image" />
                </div>
                <details class="adopt-more">
                    <summary>"Startup probe and packing"</summary>
                    <div class="adopt-fields">
                        <GuessField desk spot=spot(Part::Startup) label="Startup path" />
                        <GuessField desk spot=spot(Part::PackBuild) label="Pack: build command" />
                        <GuessField desk spot=spot(Part::PackBinary) label="Pack: program" />
                    </div>
                </details>
            </Show>
        </fieldset>
    }
    .into_any()
}

#[component]
pub fn SecretRow(desk: Desk, at: usize) -> impl IntoView {
    let wish = desk.wish;
    let why = wish
        .with_untracked(|wish| wish.draft.secrets.get(at).map(|one| one.why.clone()))
        .unwrap_or_default();
    let name = Memo::new(move |_| {
        wish.with(|wish| wish.draft.secrets.get(at).map(|one| one.key.value.clone()))
            .filter(|key| !key.is_empty())
            .unwrap_or_else(|| "New secret".to_owned())
    });
    let is_taken = Memo::new(move |_| {
        wish.with(|wish| wish.draft.secrets.get(at).is_some_and(|one| one.taken))
    });
    let take = move |taken| {
        wish.update(|wish| {
            if let Some(one) = wish.draft.secrets.get_mut(at) {
                one.taken = taken;
            }
        });
    };
    let spot = move |part| Spot::SecretOf(at, part);
    view! {
        <fieldset class="adopt-row" class:adopt-left-out=move || !is_taken.get()>
            <legend class="sr-only">{move || name.get()}</legend>
            <Taken id=id_of(spot(SecretPart::Key)) name is_taken take why />
            <Show when=move || is_taken.get()>
                <div class="adopt-fields">
                    <GuessField desk spot=spot(SecretPart::Kind) label="Kind" options=KINDS />
                    <GuessField desk spot=spot(SecretPart::Components) label="Read by" />
                    <GuessField desk spot=spot(SecretPart::Optional) label="Needed" options=OPTIONAL />
                </div>
                <details class="adopt-more">
                    <summary>"Key, label and help"</summary>
                    <div class="adopt-fields">
                        <GuessField desk spot=spot(SecretPart::Key) label="Key" />
                        <GuessField desk spot=spot(SecretPart::Label) label="Label" />
                        <GuessField desk spot=spot(SecretPart::Help) label="Help" />
                    </div>
                </details>
            </Show>
        </fieldset>
    }
    .into_any()
}

/// The head of a row: whether it goes into the file, and why it is here.
#[component]
fn Taken(
    id: String,
    name: Memo<String>,
    is_taken: Memo<bool>,
    #[prop(into)] take: Callback<bool>,
    why: String,
) -> impl IntoView {
    let id = format!("{id}-taken");
    view! {
        <div class="adopt-head">
            <input
                id=id.clone()
                type="checkbox"
                class="adopt-tick"
                prop:checked=move || is_taken.get()
                on:change:target=move |event| take.run(event.target().checked())
            />
            <label class="adopt-name" for=id>
                <span class="sr-only">"Take in "</span>
                {move || name.get()}
            </label>
            <p class="adopt-why" dir="auto">
                {why}
            </p>
        </div>
    }
    .into_any()
}
