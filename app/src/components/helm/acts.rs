//! The main buttons of the Helm side: look at what a deploy would do, or at what an uninstall would.

use leptos::prelude::*;

use super::Desk;
use crate::live::Live;
use crate::model::{HelmTool, ReleaseWish, Slice};
use crate::ui::{Button, ButtonKind, ConfirmDialog, DialogAct, Icon, IconShape};

/// `blocked` says why nothing can be deployed now, if so.
#[component]
pub fn HelmActs(desk: Desk, #[prop(into)] blocked: Signal<Option<String>>) -> impl IntoView {
    let live = Live::expect();
    let is_there = live.memo(&[Slice::Helm], |state| {
        state
            .helm
            .release
            .as_ref()
            .is_some_and(|release| release.is_there())
    });
    let no_helm = live.memo(&[Slice::Helm], |state| match &state.helm.tool {
        HelmTool::Unusable { finding } => Some(finding.what.clone()),
        HelmTool::Ready { .. } | HelmTool::Unknown => None,
    });
    let why = Signal::derive(move || blocked.get().or_else(|| no_helm.get()));
    let asking = RwSignal::new(false);
    let keep_history = RwSignal::new(false);
    view! {
        <Show when=move || is_there.get()>
            <Button
                disabled_why=Signal::derive(move || {
                    let going = desk.going.get().then(|| "A run is going".to_owned());
                    going.or_else(|| no_helm.get())
                })
                on_press=move |()| asking.set(true)
            >
                "Uninstall…"
            </Button>
        </Show>
        <Button
            kind=ButtonKind::Primary
            busy=desk.is_busy()
            disabled_why=why
            on_press=move |()| desk.plan(desk.deploy_wish())
        >
            <Icon shape=IconShape::Eye />
            "Preview release"
        </Button>
        <ConfirmDialog
            open=asking
            title="Uninstall the release?"
            act=DialogAct { word: "Show what goes", kind: ButtonKind::Danger }
            on_confirm=move |()| {
                desk.plan(ReleaseWish::Uninstall { keep_history: keep_history.get_untracked() });
            }
        >
            <p>"You will see every object that goes before anything is removed."</p>
            <label class="helm-choice">
                <input
                    type="checkbox"
                    prop:checked=keep_history
                    on:change:target=move |event| keep_history.set(event.target().checked())
                />
                "Keep the history, so that it can be rolled back to"
            </label>
        </ConfirmDialog>
    }
    .into_any()
}
