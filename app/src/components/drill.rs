//! Break and heal, for the presenter: what to break, how it goes, and the way to heal what a crash
//! left broken. The demo screen of everybody else follows by itself.

use leptos::prelude::*;

use super::{FailureNote, RunPanel, Windows, wish};
use crate::api::drills::{heal_drill, start_drill};
use crate::live::Live;
use crate::model::{ClusterKind, ComponentName, DrillWish, Fault, PanelState, RunKind, Slice};
use crate::ui::{
    Button, ButtonKind, ConfirmDialog, DialogAct, Icon, IconShape, Modal, Notice, SelectField, Tone,
};

/// How long a fault stays to be looked at.
const HOLD_S: u32 = 8;

/// Nothing for those who may only look.
#[component]
pub fn DrillButton(
    /// The classes of the button where it stands.
    class: &'static str,
) -> impl IntoView {
    let live = Live::expect();
    let open = Windows::expect().drill;
    view! {
        <Show when=move || live.has_snapshot() && live.is_operator()>
            <button type="button" class=class on:click=move |_| open.set(true)>
                <Icon shape=IconShape::Bolt />
                <span>"Break and heal"</span>
            </button>
        </Show>
    }
    .into_any()
}

/// The window; once in the page.
#[component]
pub fn DrillDialog() -> impl IntoView {
    let open = Windows::expect().drill;
    view! {
        <Modal open title="Break and heal" wide=true>
            <Drill />
        </Modal>
    }
    .into_any()
}

#[component]
fn Drill() -> impl IntoView {
    let live = Live::expect();
    let names = live.memo(&[Slice::Components], |state| {
        state.components.keys().cloned().collect::<Vec<_>>()
    });
    let left_in = live.memo(&[Slice::Components, Slice::Runs], left_in);
    let is_going = live.memo(&[Slice::Runs], is_going);
    view! {
        <p class="dialog-body">
            "Breaks a component in front of everybody and heals it again: also when you cancel. "
            "Each fault stays until the panel has seen it."
        </p>
        <For
            each=move || left_in.get()
            key=Clone::clone
            children=|component| view! { <LeftIn component /> }
        />
        <Show
            when=move || names.with(|names| !names.is_empty())
            fallback=|| view! { <p class="fine-print">"Deploy the project first: nothing runs yet."</p> }
        >
            <Show when=move || !is_going.get()>
                <Faults names=names.get_untracked() />
            </Show>
        </Show>
        <RunPanel kind=RunKind::Drill />
    }
    .into_any()
}

fn is_going(state: &PanelState) -> bool {
    state
        .latest_run(RunKind::Drill)
        .is_some_and(|run| run.is_going())
}

/// Components with a fault in that nobody is about to take out.
fn left_in(state: &PanelState) -> Vec<ComponentName> {
    if is_going(state) {
        return Vec::new();
    }
    let broken = state.components.values().filter(|row| row.drill);
    broken.map(|row| row.component.clone()).collect()
}

#[component]
fn LeftIn(component: ComponentName) -> impl IntoView {
    let name = component.to_string();
    let heal = wish(move |()| heal_drill(component.clone()));
    view! {
        <Notice
            tone=Tone::Attention
            title=format!("{name} was broken on purpose, and the drill ended before it was healed")
        >
            <Button
                kind=ButtonKind::Primary
                busy=heal.is_pending()
                on_press=move |()| heal.send(())
            >
                {format!("Heal {name}")}
            </Button>
        </Notice>
        <FailureNote failure=heal.failure() />
    }
    .into_any()
}

#[component]
fn Faults(names: Vec<ComponentName>) -> impl IntoView {
    let live = Live::expect();
    let first = names.first().map(ToString::to_string).unwrap_or_default();
    let component = RwSignal::new(first);
    let options = names
        .iter()
        .map(|name| (name.to_string(), name.to_string()))
        .collect::<Vec<_>>();
    let start = wish(start_drill);
    // None on the practice cluster, where nobody is harmed.
    let to_confirm = live.peek(|state| {
        let cluster = state.cluster.as_ref()?;
        (cluster.kind != ClusterKind::Practice).then(|| cluster.choice.label().to_owned())
    });
    let asking = RwSignal::new(false);
    let asked_for = RwSignal::new(Vec::<Fault>::new());
    let confirmed = to_confirm.clone();
    let send = move || {
        if let Ok(component) = component.get_untracked().parse() {
            start.send(DrillWish {
                component,
                faults: asked_for.get_untracked(),
                hold_s: HOLD_S,
                confirm: confirmed.clone(),
            });
        }
    };
    let send = StoredValue::new(send);
    let needs_name = to_confirm.is_some();
    let press = move |faults: Vec<Fault>| {
        asked_for.set(faults);
        if needs_name {
            asking.set(true);
        } else {
            send.with_value(|send| send());
        }
    };
    view! {
        <SelectField id="drill-component" label="Component" options value=component />
        <ul class="faults">
            {Fault::ALL
                .into_iter()
                .map(|fault| {
                    view! {
                        <li class="fault">
                            <div>
                                <p class="fault-title">{fault.title()}</p>
                                <p class="fine-print">{fault.explanation()}</p>
                            </div>
                            <Button
                                busy=start.is_pending()
                                label=Some(format!("Run: {}", fault.title()))
                                on_press=move |()| press(vec![fault])
                            >
                                "Run"
                            </Button>
                        </li>
                    }
                })
                .collect_view()}
        </ul>
        <FailureNote failure=start.failure() />
        <div class="dialog-acts">
            <Button
                kind=ButtonKind::Primary
                busy=start.is_pending()
                on_press=move |()| press(Fault::ALL.to_vec())
            >
                "Run all three"
            </Button>
        </div>
        {to_confirm
            .map(|cluster| {
                view! {
                    <ConfirmDialog
                        open=asking
                        title=format!("Break something on {cluster}?")
                        act=DialogAct { word: "Break and heal", kind: ButtonKind::Danger }
                        type_to_confirm=cluster
                        on_confirm=move |()| send.with_value(|send| send())
                    >
                        <p>"This is not the practice cluster. Whoever uses the component will notice."</p>
                    </ConfirmDialog>
                }
            })}
    }
    .into_any()
}
