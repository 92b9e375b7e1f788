//! A cluster that is not on this machine: named in red, and changed only once its name was typed.

use leptos::prelude::*;

use super::{FailureNote, wish};
use crate::api::clusters::{allow_changes, forget_allowance};
use crate::live::Live;
use crate::model::{Access, ClusterChoice, ContextName, PanelState, Slice};
use crate::ui::{Button, ButtonKind, ConfirmDialog, DialogAct, StatusIcon, Tone};

/// Opens the dialog that asks for a cluster's name, from wherever the wish arose.
#[derive(Clone, Copy, Debug)]
pub struct AskForName(RwSignal<Option<ContextName>>);

impl AskForName {
    /// Puts it into the context of everything below.
    pub fn provide() {
        provide_context(Self(RwSignal::new(None)));
    }

    /// Take it while drawing: callbacks run outside the context.
    pub fn expect() -> Self {
        expect_context()
    }

    /// Asks for the name of this context.
    pub fn open(self, context: ContextName) {
        self.0.set(Some(context));
    }
}

/// The context in use, its address and what may be done there, if it is not on this machine.
pub fn guarded(state: &PanelState) -> Option<(ContextName, String, Access)> {
    let cluster = state.cluster.as_ref()?;
    match &cluster.choice {
        ClusterChoice::Context(name) if cluster.access.is_guarded() => {
            Some((name.clone(), cluster.server.clone(), cluster.access))
        }
        _ => None,
    }
}

/// In every question: which foreign cluster it is about.
#[component]
pub fn GuardNote() -> impl IntoView {
    let live = Live::expect();
    let cluster = live.memo(&[Slice::Cluster], guarded);
    move || {
        cluster.get().map(|(name, ..)| {
            view! {
                <p class="guard-note">
                    <strong class="guard-name">{name.to_string()}</strong>
                    " is not on this machine"
                </p>
            }
        })
    }
}

/// Above every page: which foreign cluster this is, and whether it can be changed.
#[component]
pub fn GuardBanner() -> impl IntoView {
    let live = Live::expect();
    let asked = AskForName::expect();
    let cluster = live.memo(&[Slice::Cluster], guarded);
    let allow = wish(|(context, typed): (ContextName, String)| allow_changes(context, typed));
    let forget = wish(forget_allowance);
    view! {
        {move || {
            cluster
                .get()
                .map(|(name, server, access)| {
                    let locked = access == Access::LookOnly;
                    let (to_allow, to_forget) = (name.clone(), name.clone());
                    view! {
                        <aside class="guard" aria-label="A cluster that is not on this machine">
                            <StatusIcon tone=Tone::Failed />
                            <p class="guard-words">
                                <strong class="guard-name">{name.to_string()}</strong>
                                {if locked {
                                    " is not on this machine. You are only looking: nothing is changed there."
                                } else {
                                    " is not on this machine. Secrets, images and deploys go there."
                                }}
                                <span class="guard-server">{server}</span>
                            </p>
                            <Show when=move || live.is_operator()>
                                {
                                    let (to_allow, to_forget) = (to_allow.clone(), to_forget.clone());
                                    if locked {
                                        view! {
                                            <Button
                                                kind=ButtonKind::Danger
                                                busy=allow.is_pending()
                                                on_press=move |()| asked.open(to_allow.clone())
                                            >
                                                "Allow changes…"
                                            </Button>
                                        }
                                            .into_any()
                                    } else {
                                        view! {
                                            <Button
                                                busy=forget.is_pending()
                                                on_press=move |()| forget.send(to_forget.clone())
                                            >
                                                "Only look again"
                                            </Button>
                                        }
                                            .into_any()
                                    }
                                }
                            </Show>
                        </aside>
                    }
                })
        }}
        <FailureNote failure=allow.failure() />
        <FailureNote failure=forget.failure() />
        {move || {
            asked
                .0
                .get()
                .map(|name| {
                    let open = RwSignal::new(true);
                    Effect::new(move |_| {
                        if !open.get() {
                            asked.0.set(None);
                        }
                    });
                    let confirmed = name.clone();
                    view! {
                        <ConfirmDialog
                            open
                            title=format!("Allow changes on {name}?")
                            act=DialogAct { word: "Allow changes", kind: ButtonKind::Danger }
                            type_to_confirm=name.to_string()
                            on_confirm=move |()| {
                                allow.send((confirmed.clone(), confirmed.to_string()));
                            }
                        >
                            <p>
                                "It is not on this machine, so others may depend on it. Slipway will write secrets and deploy there. The choice is remembered for this name, address and certificate authority, and can be taken back."
                            </p>
                        </ConfirmDialog>
                    }
                })
        }}
    }
    .into_any()
}
