//! The proposal as a form: every field with its reason, the files that could be written, and the yes.

mod field;
mod offers;
mod rows;

use std::time::Duration;

use leptos::prelude::*;

use super::{Ask, FailureNote, FindingCard, ask, wish};
use crate::api::adopt::{preview_adoption, write_adoption};
use crate::model::{
    AdoptPreview, AdoptWish, DraftComponent, DraftSecret, Failure, Guess, Proposal, Spot,
};
use crate::ui::{Button, ButtonKind, Card, Notice, Skeleton, Tone};
use field::GuessField;
use offers::Offers;
use rows::{ComponentRow, SecretRow};

/// How long after the last key the preview is made anew.
const PAUSE: Duration = Duration::from_millis(250);

/// What the parts of the form share; copy it freely.
#[derive(Clone, Copy)]
pub struct Desk {
    wish: RwSignal<AdoptWish>,
    asking: Ask<AdoptWish, (AdoptWish, AdoptPreview)>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

impl Desk {
    fn new(proposal: &Proposal) -> Self {
        let wish = RwSignal::new(AdoptWish {
            draft: proposal.draft.clone(),
            chosen: Vec::new(),
        });
        let asking = ask(|wish: AdoptWish| async move {
            let preview = preview_adoption(wish.clone()).await?;
            Ok::<_, Failure>((wish, preview))
        });
        let mut send = leptos::leptos_dom::helpers::debounce(PAUSE, move |wish| asking.send(wish));
        Effect::new(move |before: Option<()>| {
            let wish = wish.get();
            match before {
                // The first one need not wait.
                None => asking.send(wish),
                Some(()) => send(wish),
            }
        });
        Self { wish, asking }
    }

    /// What a field was at first.
    fn first(self, spot: Spot) -> Guess {
        self.wish
            .with_untracked(|wish| wish.draft.clone().at_mut(spot).cloned())
            .unwrap_or_default()
    }

    fn set(self, spot: Spot, value: &str, proposed: &Guess) {
        self.wish
            .update(|wish| wish.draft.set(spot, value, Some(proposed)));
    }

    /// The newest preview, whether or not it is of the form as it stands now.
    fn preview(self) -> Signal<Option<AdoptPreview>> {
        let answer = self.asking.answer();
        Signal::derive(move || answer.get().map(|(_, preview)| preview))
    }

    fn is_current(self) -> bool {
        let answer = self.asking.answer();
        self.wish
            .with(|now| answer.with(|answer| answer.as_ref().is_some_and(|(of, _)| of == now)))
    }
}

#[component]
pub fn AdoptForm(proposal: Proposal) -> impl IntoView {
    let desk = Desk::new(&proposal);
    let wish_of = desk.wish;
    // What the walk needs is wanted at first; a person takes it out again.
    let is_first = StoredValue::new(true);
    let preview = desk.preview();
    Effect::new(move |_| {
        let Some(preview) = preview.get() else { return };
        if is_first.get_value() {
            is_first.set_value(false);
            let wanted = preview.offers.into_iter().filter(|offer| offer.recommended);
            wish_of.update(|wish| wish.chosen = wanted.map(|offer| offer.id).collect());
        }
    });
    let components = Memo::new(move |_| wish_of.with(|wish| wish.draft.components.len()));
    let secrets = Memo::new(move |_| wish_of.with(|wish| wish.draft.secrets.len()));
    view! {
        <form class="adopt-form" aria-label="slipway.toml" autocomplete="off" on:submit=|event| event.prevent_default()>
            <Card title="Project">
                <div class="adopt-fields">
                    <GuessField desk spot=Spot::Name label="Name" />
                    <GuessField desk spot=Spot::Namespace label="Namespace" />
                    <GuessField desk spot=Spot::Secret label="Secret object" />
                </div>
            </Card>
            <Card title="Components" hint="One image, one Deployment and its Service each">
                <For each=move || 0..components.get() key=|at| *at children=move |at| view! { <ComponentRow desk at /> } />
                <div class="adopt-acts">
                    <Button on_press=move |()| {
                        wish_of.update(|wish| wish.draft.components.push(DraftComponent::default()));
                    }>"Add a component"</Button>
                </div>
            </Card>
            <Card title="Secrets" hint="Names only: the values are entered later and go straight into the cluster">
                <For each=move || 0..secrets.get() key=|at| *at children=move |at| view! { <SecretRow desk at /> } />
                <div class="adopt-acts">
                    <Button on_press=move |()| {
                        wish_of.update(|wish| wish.draft.secrets.push(DraftSecret::default()));
                    }>"Add a secret"</Button>
                </div>
            </Card>
            <Card title="Deploy" hint="Where the objects for Kubernetes come from">
                <div class="adopt-fields">
                    <GuessField desk spot=Spot::Manifests label="Manifests" />
                    <GuessField desk spot=Spot::Chart label="Helm chart" />
                    <GuessField desk spot=Spot::Values label="Values files" />
                </div>
            </Card>
            <Offers desk />
            <Yes desk />
        </form>
    }
    .into_any()
}

/// The file as it would be written, and the button.
#[component]
fn Yes(desk: Desk) -> impl IntoView {
    let preview = desk.preview();
    let write = wish(|(wish, hash): (AdoptWish, String)| write_adoption(wish, hash));
    let files = move || {
        let chosen = desk.wish.with(|wish| wish.chosen.clone());
        let offered = preview
            .get()
            .map(|preview| preview.offers)
            .unwrap_or_default();
        let mut files: Vec<String> = offered
            .into_iter()
            .filter(|offer| chosen.contains(&offer.id))
            .flat_map(|offer| offer.files)
            .map(|file| file.path)
            .collect();
        files.push("slipway.toml".to_owned());
        files
    };
    let cannot = Signal::derive(move || {
        if !desk.is_current() {
            return Some("Reading your edits".to_owned());
        }
        preview
            .get()?
            .problem
            .map(|_| "Something is still wrong with it".to_owned())
    });
    let submit = move |()| {
        if let Some(preview) = preview.get_untracked() {
            write.send((desk.wish.get_untracked(), preview.hash));
        }
    };
    view! {
        <Card title="slipway.toml" hint="As it would be written, reasons included">
            <FailureNote failure=desk.asking.failure() />
            {move || {
                let Some(preview) = preview.get() else {
                    return view! { <Skeleton /> }.into_any();
                };
                view! {
                    {preview.problem.map(|finding| view! { <FindingCard finding /> })}
                    <pre class="adopt-text" tabindex="0" aria-label="Text of slipway.toml">
                        {preview.toml}
                    </pre>
                }
                    .into_any()
            }}
            <div class="adopt-yes">
                <p class="adopt-list">
                    "Will be written, and nothing that exists is touched: "
                    {move || files().join(", ")}
                </p>
                <Button
                    kind=ButtonKind::Primary
                    busy=write.is_pending()
                    disabled_why=cannot
                    on_press=submit
                >
                    {move || match files().len() {
                        1 => "Write slipway.toml".to_owned(),
                        many => format!("Write {many} files"),
                    }}
                </Button>
            </div>
            <FailureNote failure=write.failure() />
            <Show when=move || write.was_granted().get()>
                <Notice tone=Tone::Ok title="Written. The walk begins as soon as the project is read." />
            </Show>
        </Card>
    }
    .into_any()
}
