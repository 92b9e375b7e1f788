//! A secret: what it is for, who reads it, whether it is in the cluster, and the form to set it.

use leptos::prelude::*;

use super::secret_form::SecretForm;
use super::secret_test::SecretTestResult;
use super::{Age, FailureNote, wish, words};
use crate::api::secrets::{accept_secret, declare_secret, delete_secret, test_secret};
use crate::live::Live;
use crate::model::{SecretKey, SecretOrigin, SecretState, SecretUser, SecretView, Slice, ToldBy};
use crate::ui::{Button, ButtonKind, ConfirmDialog, DialogAct, StatusBadge};

/// Follows the secret of this key. The form stays as it is while the state changes.
#[component]
pub fn SecretRow(key: SecretKey) -> impl IntoView {
    let live = Live::expect();
    let secret = {
        let key = key.clone();
        live.memo(&[Slice::Secrets], move |state| {
            state
                .secrets
                .iter()
                .find(|secret| secret.key == key)
                .cloned()
        })
    };
    // Everything but what changes with the cluster: what the form is made of.
    let about = Memo::new(move |_| {
        secret.get().map(|secret| SecretView {
            state: SecretState::Unset,
            length: None,
            users: Vec::new(),
            ..secret
        })
    });
    let is_set = Memo::new(move |_| {
        secret.with(|secret| secret.as_ref().is_some_and(|secret| secret.state.is_set()))
    });
    let is_proposed = Memo::new(move |_| {
        secret.with(|secret| {
            let origin = secret.as_ref().map(|secret| secret.origin);
            origin == Some(SecretOrigin::Proposed)
        })
    });
    let declare = {
        let key = key.clone();
        wish(move |()| declare_secret(key.clone()))
    };
    let declare_name = Some(format!("Add to slipway.toml: {key}"));
    let editing = RwSignal::new(false);
    let form = move || {
        about
            .get()
            .map(|secret| view! { <SecretForm secret done=move |()| editing.set(false) /> })
    };
    view! {
        <li class="secret">
            {move || secret.get().map(facts)}
            <Show when=move || live.is_operator() && is_proposed.get()>
                <div class="secret-acts">
                    <Button label=declare_name.clone() busy=declare.is_pending() on_press=move |()| declare.send(())>
                        "Add to slipway.toml"
                    </Button>
                </div>
                <FailureNote failure=declare.failure() />
            </Show>
            <Show when=move || live.is_operator()>
                <Show
                    when=move || !is_set.get() || editing.get()
                    fallback={
                        let key = key.clone();
                        move || view! { <Acts key=key.clone() secret editing /> }
                    }
                >
                    <Show when=move || is_set.get()>
                        <p class="secret-hint">
                            "The new value takes the place of the present one, whose fingerprint is forgotten. Pods go on with the old one until they are restarted."
                        </p>
                    </Show>
                    {form}
                    <Show when=move || is_set.get() && editing.get()>
                        <Button kind=ButtonKind::Quiet on_press=move |()| editing.set(false)>
                            "Keep the present value"
                        </Button>
                    </Show>
                </Show>
            </Show>
        </li>
    }
    .into_any()
}

/// What can be done with a value that is there.
#[component]
fn Acts(
    key: SecretKey,
    secret: Memo<Option<SecretView>>,
    editing: RwSignal<bool>,
) -> impl IntoView {
    let asking = RwSignal::new(false);
    let delete = {
        let key = key.clone();
        wish(move |()| delete_secret(key.clone()))
    };
    let accept = {
        let key = key.clone();
        wish(move |()| accept_secret(key.clone()))
    };
    let test = {
        let key = key.clone();
        Action::new(move |(): &()| test_secret(key.clone(), None))
    };
    let can_test = Memo::new(move |_| {
        secret.with(|secret| secret.as_ref().is_some_and(|secret| secret.test.is_some()))
    });
    let is_foreign = Memo::new(move |_| {
        secret.with(|secret| {
            secret.as_ref().is_some_and(|secret| {
                matches!(
                    secret.state,
                    SecretState::Foreign { .. } | SecretState::Drifted { .. }
                )
            })
        })
    });
    let named = |word: &str| Some(format!("{word} {key}"));
    let (test_name, accept_name) = (
        named("Test the stored value of"),
        named("It is right as it is:"),
    );
    let title = format!("Remove {key}?");
    view! {
        <div class="secret-acts">
            <Button label=named("Rotate") on_press=move |()| editing.set(true)>
                "Rotate"
            </Button>
            <Show when=move || can_test.get()>
                <Button
                    busy=Signal::from(test.pending())
                    label=test_name.clone()
                    on_press=move |()| {
                        test.dispatch(());
                    }
                >
                    "Test the stored value"
                </Button>
            </Show>
            <Show when=move || is_foreign.get()>
                <Button
                    busy=accept.is_pending()
                    label=accept_name.clone()
                    on_press=move |()| accept.send(())
                >
                    "It is right as it is"
                </Button>
            </Show>
            <Button
                kind=ButtonKind::Quiet
                label=named("Remove")
                busy=delete.is_pending()
                on_press=move |()| asking.set(true)
            >
                "Remove"
            </Button>
        </div>
        {move || {
            test.value()
                .get()
                .map(|answer| match answer {
                    Ok(report) => view! { <SecretTestResult report /> }.into_any(),
                    Err(failure) => view! { <FailureNote failure=Some(failure) /> }.into_any(),
                })
        }}
        <FailureNote failure=delete.failure() />
        <FailureNote failure=accept.failure() />
        <ConfirmDialog
            open=asking
            title=title
            act=DialogAct { word: "Remove", kind: ButtonKind::Danger }
            on_confirm=move |()| delete.send(())
        >
            <p>
                "It is taken out of the cluster's Secret, and Slipway cannot bring it back."
            </p>
            {move || {
                secret
                    .with(|secret| {
                        secret.as_ref().map(|secret| consequences(&secret.users))
                    })
            }}
        </ConfirmDialog>
    }
    .into_any()
}

/// What becomes of those who read a key when it goes.
fn consequences(users: &[SecretUser]) -> AnyView {
    if users.is_empty() {
        return view! { <p>"No workload is known to read it."</p> }.into_any();
    }
    view! {
        <ul class="consequences">
            {users
                .iter()
                .map(|user| {
                    let who = format!("{} {}", user.kind, user.name);
                    let what = match user.optional || user.takes_all {
                        true => " starts without it from its next restart on.",
                        false => " cannot start a new pod any more: its next restart, rollout or scaling fails.",
                    };
                    view! {
                        <li>
                            <strong>{who}</strong>
                            {what}
                        </li>
                    }
                })
                .collect_view()}
        </ul>
    }
    .into_any()
}

fn facts(secret: SecretView) -> impl IntoView {
    let (tone, word) = words::secret(&secret.state, secret.required);
    let length = secret
        .length
        .map(|length| format!(", {}", length.words()))
        .unwrap_or_default();
    let whom = |by: Option<String>| match by {
        Some(by) => format!(" by {by}"),
        None => String::new(),
    };
    let state = match secret.state {
        SecretState::Set {
            fingerprint,
            since,
            by,
        } => view! {
            <p class="secret-state">
                "Fingerprint " <code>{fingerprint}</code> ", set " <Age at=since /> {whom(by)} {length}
            </p>
        }
        .into_any(),
        SecretState::Drifted {
            fingerprint,
            entered,
            by,
            at,
        } => view! {
            <p class="secret-state">
                "Entered here " <Age at=entered /> ", and changed since" {whom(by)}
                {at.map(|at| view! { " " <Age at /> })} ": fingerprint " <code>{fingerprint}</code>
                {length}
            </p>
        }
        .into_any(),
        SecretState::Foreign {
            fingerprint,
            by,
            at,
        } => view! {
            <p class="secret-state">
                "Not entered here, but set" {whom(by)} {at.map(|at| view! { " " <Age at /> })}
                ": fingerprint " <code>{fingerprint}</code> {length}
            </p>
        }
        .into_any(),
        SecretState::Unknown { why, entered } => view! {
            <p class="secret-state">
                {why} {entered.map(|at| view! { ". Entered here " <Age at /> })}
            </p>
        }
        .into_any(),
        SecretState::Unset => ().into_any(),
    };
    view! {
        <div class="secret-head">
            <h2 class="secret-key">{secret.key.to_string()}</h2>
            <StatusBadge tone word />
            <span class="tag">{if secret.required { "Required" } else { "Optional" }}</span>
            {(secret.origin == SecretOrigin::Proposed)
                .then(|| view! { <span class="tag">"Not in slipway.toml"</span> })}
        </div>
        {(!secret.help.is_empty()).then(|| view! { <p class="secret-help">{secret.help}</p> })}
        <p class="secret-meta">
            {words::secret_kind(&secret.kind)} ". " {readers(&secret.users)}
        </p>
        {state}
    }
    .into_any()
}

fn readers(users: &[SecretUser]) -> String {
    if users.is_empty() {
        return "No workload reads it".to_owned();
    }
    let names: Vec<String> = users
        .iter()
        .map(|user| {
            let mut notes = Vec::new();
            if user.optional {
                notes.push("optional");
            }
            if user.takes_all {
                notes.push("with all keys");
            }
            match user.told_by {
                ToldBy::Manifests => {}
                ToldBy::Chart => notes.push("in the chart"),
                ToldBy::Cluster => notes.push("in the cluster only"),
            }
            match notes.is_empty() {
                true => format!("{} {}", user.kind, user.name),
                false => format!("{} {} ({})", user.kind, user.name, notes.join(", ")),
            }
        })
        .collect();
    format!("Read by {}", names.join(", "))
}
