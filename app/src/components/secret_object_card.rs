//! The project's Secret as a whole: whose it is, what cannot be known, and keys nobody reads.

use leptos::prelude::*;

use super::{Age, FailureNote, wish};
use crate::api::secrets::{adopt_secret, delete_secret};
use crate::live::Live;
use crate::model::{SecretKey, SecretObjectView, SecretOwner, Slice, UnusedKey};
use crate::ui::{Button, ButtonKind, ConfirmDialog, DialogAct, Notice, Tone};

/// Draws nothing as long as there is nothing odd about it.
#[component]
pub fn SecretObjectCard() -> impl IntoView {
    let live = Live::expect();
    let object = live.memo(&[Slice::Secrets], |state| state.secret_object.clone());
    let unused = Memo::new(move |_| {
        object.with(|object| {
            object
                .as_ref()
                .map(|object| object.unused.clone())
                .unwrap_or_default()
        })
    });
    view! {
        {move || object.get().and_then(ownership)}
        {move || object.get().and_then(unknown)}
        <Show when=move || unused.with(|unused| !unused.is_empty())>
            <section class="card" aria-label="Unused keys">
                <div>
                    <h2 class="card-title">"Keys nobody reads"</h2>
                    <p class="card-hint">
                        "They are in the cluster's Secret; neither slipway.toml nor a workload names them."
                    </p>
                </div>
                <ul class="unused-keys">
                    {move || {
                        unused
                            .get()
                            .into_iter()
                            .map(|unused| view! { <UnusedRow unused /> })
                            .collect_view()
                    }}
                </ul>
            </section>
        </Show>
    }
    .into_any()
}

fn unknown(object: SecretObjectView) -> Option<AnyView> {
    if object.unknown.is_empty() {
        return None;
    }
    let words = object
        .unknown
        .into_iter()
        .map(|text| view! { <p>{text}</p> })
        .collect_view();
    Some(
        view! { <Notice tone=Tone::Unknown title="Not everything can be known">{words}</Notice> }
            .into_any(),
    )
}

fn ownership(object: SecretObjectView) -> Option<AnyView> {
    let name = object.name;
    let (whose, what) = match &object.owner {
        SecretOwner::Nobody if object.immutable => (
            format!("The Secret {name} is immutable"),
            "Kubernetes lets nobody change its values. Delete it and enter them again, or let `secret` in slipway.toml name another one.".to_owned(),
        ),
        SecretOwner::Nobody => return None,
        SecretOwner::Helm { release, .. } => (
            format!("The Secret {name} belongs to the Helm release {release}"),
            "The next upgrade of the release puts the chart's own values back where the chart has them.".to_owned(),
        ),
        SecretOwner::Controller { kind, name: owner, .. } => (
            format!("The Secret {name} is made by the {kind} {owner}"),
            format!("The {kind} takes the values from elsewhere and writes over what is entered here, usually within the hour. Change them there."),
        ),
        SecretOwner::Applied { by, .. } => (
            format!("The Secret {name} is kept by {by}"),
            "Its next apply puts the keys it has back to its own values.".to_owned(),
        ),
    };
    let adopted = object.owner.lets_slipway_write();
    let tone = if adopted {
        Tone::Stale
    } else {
        Tone::Attention
    };
    Some(
        view! {
            <Notice tone title=whose>
                <p>{what}</p>
                {if object.owner == SecretOwner::Nobody {
                    ().into_any()
                } else if adopted {
                    view! { <p>"You adopted it: Slipway writes into it all the same."</p> }.into_any()
                } else {
                    view! { <AdoptButton name /> }.into_any()
                }}
            </Notice>
        }
        .into_any(),
    )
}

#[component]
fn AdoptButton(name: String) -> impl IntoView {
    let live = Live::expect();
    let asking = RwSignal::new(false);
    let adopt = wish(move |()| adopt_secret());
    view! {
        <p>"Slipway leaves it alone and shows what is in it."</p>
        <Show when=move || live.is_operator()>
            <Button busy=adopt.is_pending() on_press=move |()| asking.set(true)>
                "Adopt"
            </Button>
            <FailureNote failure=adopt.failure() />
            <ConfirmDialog
                open=asking
                title=format!("Adopt the Secret {name}?")
                act=DialogAct { word: "Adopt", kind: ButtonKind::Primary }
                on_confirm=move |()| adopt.send(())
            >
                <p>
                    "Slipway writes a note on it and may then change its keys. Whoever made it does not know of that and may write over them."
                </p>
            </ConfirmDialog>
        </Show>
    }
    .into_any()
}

#[component]
fn UnusedRow(unused: UnusedKey) -> impl IntoView {
    let live = Live::expect();
    let asking = RwSignal::new(false);
    let key = unused.key.clone();
    let who = match unused.by {
        Some(by) => format!("set by {by}"),
        None => "set by someone".to_owned(),
    };
    let act = key.parse::<SecretKey>().ok().map(|key| {
        let name = key.to_string();
        let delete = wish(move |()| delete_secret(key.clone()));
        let label = Some(format!("Remove {name}"));
        view! {
            <Show when=move || live.is_operator()>
                <Button
                    kind=ButtonKind::Quiet
                    label=label.clone()
                    busy=delete.is_pending()
                    on_press=move |()| asking.set(true)
                >
                    "Remove"
                </Button>
            </Show>
            <FailureNote failure=delete.failure() />
            <ConfirmDialog
                open=asking
                title=format!("Remove {name}?")
                act=DialogAct { word: "Remove", kind: ButtonKind::Danger }
                on_confirm=move |()| delete.send(())
            >
                <p>
                    "It is taken out of the cluster's Secret, and Slipway cannot bring it back. No workload of this namespace is known to read it."
                </p>
            </ConfirmDialog>
        }
    });
    view! {
        <li>
            <code>{unused.key}</code>
            <span class="secret-meta">{who} {unused.at.map(|at| view! { " " <Age at /> })}</span>
            {act}
        </li>
    }
    .into_any()
}
