//! Who owns what is in the namespace, and the switch between raw and Helm.

use leptos::prelude::*;

use super::{FailureNote, FindingCard, wish, words};
use crate::api::handovers::{dismiss_handover, hand_over, plan_handover};
use crate::live::Live;
use crate::model::{
    DeployMode, Handover, HandoverAct, HandoverObject, Owner, OwnershipView, PanelState, Severity,
    Slice,
};
use crate::ui::{Button, ButtonKind, Card, ConfirmDialog, DialogAct, StatusBadge, Tone};

/// Draws nothing while nobody deployed anything.
#[component]
pub fn OwnershipCard() -> impl IntoView {
    let live = Live::expect();
    let view = live.memo(&[Slice::Ownership], |state| state.ownership.clone());
    let handover = live.memo(&[Slice::Ownership], |state| state.handover.clone());
    let choices = live.memo(&[Slice::Ownership, Slice::Project], choices);
    let plan = wish(plan_handover);
    let failure = plan.failure();
    let tools = move || {
        view! {
            <Show when=move || live.is_operator()>
                {move || {
                    choices
                        .get()
                        .into_iter()
                        .map(|(to, word)| {
                            view! {
                                <Button busy=plan.is_pending() on_press=move |()| plan.send(to)>
                                    {word}
                                </Button>
                            }
                        })
                        .collect_view()
                }}
            </Show>
        }
    };
    move || {
        let shown = view
            .get()
            .filter(|view| !view.objects.is_empty() || view.unfinished.is_some());
        let Some(shown) = shown else {
            return ().into_any();
        };
        view! {
            <Card title="Owner" hint=hint(&shown) tools>
                <FailureNote failure />
                <ul class="owners">
                    {shown
                        .owners()
                        .into_iter()
                        .map(|(owner, count)| owner_row(owner.clone(), count))
                        .collect_view()}
                </ul>
                {move || handover.get().map(|handover| view! { <Plan handover /> })}
            </Card>
        }
        .into_any()
    }
}

fn owner_row(owner: Owner, count: usize) -> impl IntoView {
    let (tone, word) = words::owner(&owner);
    view! {
        <li class="owner">
            <StatusBadge tone word quiet=true />
            <span class="owner-count">{objects(count)}</span>
        </li>
    }
    .into_any()
}

fn hint(view: &OwnershipView) -> String {
    match (&view.unfinished, view.mode()) {
        (Some(unfinished), _) => format!(
            "The switch to {} was broken off; plan it again to finish it",
            unfinished.to.title()
        ),
        (None, Some(DeployMode::Raw)) => "The project is deployed raw, by Slipway".to_owned(),
        (None, Some(DeployMode::Helm)) => "The project is deployed by Helm".to_owned(),
        (None, None) => {
            "One project has one owner; others are left alone until it changes hands".to_owned()
        }
    }
}

/// The switches that make sense now, with their words.
fn choices(state: &PanelState) -> Vec<(DeployMode, &'static str)> {
    let (Some(view), Some(project)) = (&state.ownership, &state.project) else {
        return Vec::new();
    };
    if let Some(unfinished) = &view.unfinished {
        return vec![(unfinished.to, "Plan the rest of the switch")];
    }
    let has = |wanted: fn(&Owner) -> bool| view.objects.iter().any(|object| wanted(&object.owner));
    let mut choices = Vec::new();
    if has(|owner| matches!(owner, Owner::Helm { .. })) && project.has_manifests {
        choices.push((DeployMode::Raw, "Switch to raw"));
    } else if has(|owner| *owner == Owner::KubectlApply) && project.has_manifests {
        choices.push((DeployMode::Raw, "Take over"));
    }
    if has(|owner| *owner == Owner::Raw) && project.has_chart {
        choices.push((DeployMode::Helm, "Switch to Helm"));
    }
    choices
}

/// The plan of a switch, with the question.
#[component]
fn Plan(handover: Handover) -> impl IntoView {
    let asking = RwSignal::new(false);
    let dismiss = wish(|()| dismiss_handover());
    let go = wish(|(to, hash): (DeployMode, String)| hand_over(to, hash));
    let (to, hash) = (handover.to, handover.hash.clone());
    let why = handover
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Failed)
        .then(|| "Mend what the plan found first".to_owned())
        .or_else(|| {
            (handover.objects.is_empty() && handover.forgets.is_none())
                .then(|| "There is nothing to change hands".to_owned())
        });
    let question = question(&handover);
    let title = format!("Switch to {}", to.title());
    let label = title.clone();
    let live = Live::expect();
    view! {
        <section class="handover" aria-label=label>
            <h3 class="handover-title">{title}</h3>
            {handover
                .findings
                .into_iter()
                .map(|finding| view! { <FindingCard finding /> })
                .collect_view()}
            <ul class="handover-objects">
                {handover.objects.into_iter().map(object_row).collect_view()}
                {handover
                    .forgets
                    .map(|forgets| {
                        view! {
                            <li class="handover-object">
                                <StatusBadge tone=Tone::Off word="Forget" quiet=true />
                                <span>{forgets}</span>
                            </li>
                        }
                    })}
            </ul>
            <FailureNote failure=go.failure() />
            <Show when=move || live.is_operator()>
                <div class="handover-acts">
                    <Button
                        kind=ButtonKind::Primary
                        disabled_why=Signal::stored(why.clone())
                        busy=go.is_pending()
                        on_press=move |()| asking.set(true)
                    >
                        "Change hands"
                    </Button>
                    <Button on_press=move |()| dismiss.send(())>"Dismiss"</Button>
                </div>
            </Show>
            <ConfirmDialog
                open=asking
                title="Let the project change hands?"
                act=DialogAct { word: "Change hands", kind: ButtonKind::Primary }
                on_confirm=move |()| go.send((to, hash.clone()))
            >
                <p>{question}</p>
            </ConfirmDialog>
        </section>
    }
    .into_any()
}

fn object_row(object: HandoverObject) -> impl IntoView {
    let (tone, word) = match object.act {
        HandoverAct::Take => (Tone::Ok, "Take as it is"),
        HandoverAct::Delete => (Tone::Failed, "Delete"),
    };
    view! {
        <li class="handover-object">
            <StatusBadge tone word quiet=true />
            <span class="handover-name">{object.id.to_string()}</span>
            <span class="handover-from">{format!("from {}", object.from.title())}</span>
        </li>
    }
    .into_any()
}

fn question(handover: &Handover) -> String {
    let taken = handover.count(HandoverAct::Take);
    let deleted = handover.count(HandoverAct::Delete);
    let mut sentences = vec![format!(
        "{} go to {} as they are; no pod restarts.",
        objects(taken),
        handover.to.title()
    )];
    if deleted > 0 {
        sentences.push(format!("{} are deleted.", objects(deleted)));
    }
    if let Some(forgets) = &handover.forgets {
        sentences.push(format!("The former owner's books are closed: {forgets}."));
    }
    sentences.join(" ")
}

fn objects(count: usize) -> String {
    match count {
        1 => "1 object".to_owned(),
        count => format!("{count} objects"),
    }
}
