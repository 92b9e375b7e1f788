//! Restarts a component's pods by a rolling update, after a question.

use leptos::prelude::*;

use super::{FailureNote, wish};
use crate::api::rollouts::steer;
use crate::model::{ComponentName, RolloutAct};
use crate::ui::{Button, ButtonKind, ConfirmDialog, DialogAct};

#[component]
pub fn RestartButton(component: ComponentName) -> impl IntoView {
    let asking = RwSignal::new(false);
    let name = component.to_string();
    let restart = wish(move |()| steer(component.clone(), RolloutAct::Restart));
    view! {
        <Button
            busy=restart.is_pending()
            label=Some(format!("Restart {name}"))
            on_press=move |()| asking.set(true)
        >
            "Restart"
        </Button>
        <FailureNote failure=restart.failure() />
        <ConfirmDialog
            open=asking
            title=format!("Restart {name}?")
            act=DialogAct { word: "Restart", kind: ButtonKind::Primary }
            on_confirm=move |()| restart.send(())
        >
            <p>"New pods start before old ones stop, so the app stays up if its probes pass."</p>
        </ConfirmDialog>
    }
    .into_any()
}
