//! A secret: what it is for, whether it is in the cluster, and the form to set it.

use leptos::prelude::*;

use super::secret_form::SecretForm;
use super::{Age, FailureNote, wish, words};
use crate::api::secrets::delete_secret;
use crate::live::Live;
use crate::model::{SecretKey, SecretState, SecretView, Slice};
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
    // Everything but the state: what the form is made of.
    let about = Memo::new(move |_| {
        secret.get().map(|secret| SecretView {
            state: SecretState::Unset,
            ..secret
        })
    });
    let is_set = Memo::new(move |_| {
        secret.with(|secret| secret.as_ref().is_some_and(|secret| secret.state.is_set()))
    });
    let editing = RwSignal::new(false);
    let asking = RwSignal::new(false);
    let delete = {
        let key = key.clone();
        wish(move |()| delete_secret(key.clone()))
    };
    let title = format!("Remove {key}?");
    let (change_name, remove_name) = (format!("Change {key}"), format!("Remove {key}"));
    view! {
        <li class="secret">
            {move || secret.get().map(facts)}
            <Show when=move || live.is_operator()>
                <Show
                    when=move || !is_set.get() || editing.get()
                    fallback={
                        let (change_name, remove_name) = (change_name.clone(), remove_name.clone());
                        move || {
                            let (change_name, remove_name) = (
                                change_name.clone(),
                                remove_name.clone(),
                            );
                            view! {
                                <div class="secret-acts">
                                    <Button
                                        label=Some(change_name)
                                        on_press=move |()| editing.set(true)
                                    >
                                        "Change"
                                    </Button>
                                    <Button
                                        kind=ButtonKind::Quiet
                                        label=Some(remove_name)
                                        busy=delete.is_pending()
                                        on_press=move |()| asking.set(true)
                                    >
                                        "Remove"
                                    </Button>
                                </div>
                            }
                        }
                    }
                >
                    {move || {
                        about
                            .get()
                            .map(|secret| {
                                view! { <SecretForm secret done=move |()| editing.set(false) /> }
                            })
                    }}
                    <Show when=move || is_set.get() && editing.get()>
                        <Button kind=ButtonKind::Quiet on_press=move |()| editing.set(false)>
                            "Keep the present value"
                        </Button>
                    </Show>
                </Show>
                <FailureNote failure=delete.failure() />
                <ConfirmDialog
                    open=asking
                    title=title.clone()
                    act=DialogAct { word: "Remove", kind: ButtonKind::Danger }
                    on_confirm=move |()| delete.send(())
                >
                    <p>
                        "It is taken out of the cluster's Secret. Pods keep the value they started with until they restart, and Slipway cannot bring it back."
                    </p>
                </ConfirmDialog>
            </Show>
        </li>
    }
    .into_any()
}

fn facts(secret: SecretView) -> impl IntoView {
    let (tone, word) = words::secret(&secret.state, secret.required);
    let used_by = secret
        .components
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let state = match secret.state {
        SecretState::Set { fingerprint, since } => view! {
            <p class="secret-state">
                "Fingerprint " <code>{fingerprint}</code> ", set " <Age at=since />
            </p>
        }
        .into_any(),
        SecretState::Foreign { fingerprint } => view! {
            <p class="secret-state">
                "The cluster has a value that was not entered here: fingerprint "
                <code>{fingerprint}</code>
            </p>
        }
        .into_any(),
        SecretState::Unknown { why } => view! { <p class="secret-state">{why}</p> }.into_any(),
        SecretState::Unset => ().into_any(),
    };
    view! {
        <div class="secret-head">
            <h2 class="secret-key">{secret.key.to_string()}</h2>
            <StatusBadge tone word />
            <span class="tag">{if secret.required { "Required" } else { "Optional" }}</span>
        </div>
        <p class="secret-help">{secret.help}</p>
        <p class="secret-meta">
            {words::secret_kind(&secret.kind)}
            {(!used_by.is_empty()).then(|| format!(", used by {used_by}"))}
        </p>
        {state}
    }
    .into_any()
}
