//! Takes a component back to the revision before the one it runs, after a question.

use leptos::prelude::*;

use super::{FailureNote, wish};
use crate::api::rollouts::steer;
use crate::live::Live;
use crate::model::{ComponentName, RolloutAct, Slice};
use crate::ui::{Button, ButtonKind, ConfirmDialog, DialogAct};

/// What going back means, wherever it is asked.
pub const WHAT_GOING_BACK_MEANS: &str = "Its pods start with the template of that revision and the secrets as they are now. The next deploy goes by the manifests again.";

/// Draws nothing while the Deployment has no earlier revision.
#[component]
pub fn RollBackButton(component: ComponentName) -> impl IntoView {
    let live = Live::expect();
    let name = component.clone();
    let previous = live.memo(&[Slice::Components], move |state| {
        state.components.get(&name)?.previous
    });
    // Asked about is the revision that was there when the button was pressed.
    let chosen = RwSignal::new(0_u64);
    let asking = RwSignal::new(false);
    let name = component.to_string();
    let label = format!("Roll back {component}");
    let undo = wish(move |revision: u64| steer(component.clone(), RolloutAct::Undo { revision }));
    let ask = move |()| {
        if let Some(revision) = previous.get_untracked() {
            chosen.set(revision);
            asking.set(true);
        }
    };
    view! {
        <Show when=move || previous.with(Option::is_some)>
            <Button busy=undo.is_pending() label=Some(label.clone()) on_press=ask>
                "Roll back"
            </Button>
        </Show>
        <FailureNote failure=undo.failure() />
        <ConfirmDialog
            open=asking
            title=Signal::derive(move || {
                format!("Roll {name} back to revision {}?", chosen.get())
            })
            act=DialogAct { word: "Roll back", kind: ButtonKind::Primary }
            on_confirm=move |()| undo.send(chosen.get_untracked())
        >
            <p>{WHAT_GOING_BACK_MEANS}</p>
        </ConfirmDialog>
    }
    .into_any()
}
