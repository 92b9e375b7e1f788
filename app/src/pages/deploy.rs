//! Deploy: the plan first, then exactly that plan, followed to the end of the rollout.

use leptos::prelude::*;

use super::images::why_not;
use crate::api::deploys::{deploy, make_plan};
use crate::components::helm::{Desk, HelmActs, HelmMode};
use crate::components::{
    Age, Drift, FailureNote, OwnershipCard, PageFrame, PlanCard, RevisionsCard, RolloutsCard,
    RunPanel, wish,
};
use crate::live::Live;
use crate::model::{
    Change, DeployedView, PanelState, PlanChoices, RunKind, RunView, Severity, Slice, StepId,
};
use crate::ui::{Button, ButtonKind, ConfirmDialog, DialogAct, Icon, IconShape, TabPanel, Tabs};

const MODES: &[&str] = &["Raw", "Helm"];
const HELM: usize = 1;

#[component]
pub fn DeployPage() -> impl IntoView {
    let live = Live::expect();
    let plan = wish(make_plan);
    let start = wish(|(hash, prune): (String, bool)| deploy(hash, prune));
    let asking = RwSignal::new(false);
    // A project that is deployed by Helm opens there.
    let by_helm = live.memo(&[Slice::Helm], |state| state.helm.deployed().is_some());
    let mode = RwSignal::new(if by_helm.get_untracked() { HELM } else { 0 });
    let has_chart = live.memo(&[Slice::Project], |state| {
        state
            .project
            .as_ref()
            .is_some_and(|project| project.has_chart)
    });
    Effect::new(move |_| {
        if by_helm.get() {
            mode.set(HELM);
        }
    });
    let desk = Desk::open();
    let is_raw = move || mode.get() != HELM;
    let going = live.memo(&[Slice::Runs], |state| {
        state
            .latest_run(RunKind::Deploy)
            .is_some_and(RunView::is_going)
    });
    let blocked = live.memo(&[Slice::Steps, Slice::Project], |state| {
        why_not(state, StepId::Deploy)
    });
    let why = live.memo(
        &[Slice::Steps, Slice::Project, Slice::Deploy],
        why_not_deploy,
    );
    // The plan is what this page is for: made once on arrival, on wish after that.
    let asked = StoredValue::new(false);
    Effect::new(move |_| {
        let wanted = live.has_snapshot()
            && live.is_operator()
            && blocked.get().is_none()
            && !going.get()
            && live.read(&[Slice::Deploy], |state| state.plan.is_none());
        if wanted && !asked.get_value() {
            asked.set_value(true);
            plan.send(PlanChoices::default());
        }
    });
    let send = move |prune: bool| {
        if let Some(hash) = live.peek(|state| state.plan.as_ref().map(|plan| plan.hash.clone())) {
            start.send((hash, prune));
        }
    };
    let press = move |()| {
        if live.peek(needs_question) {
            asking.set(true);
        } else {
            send(false);
        }
    };
    let choose = Signal::derive(move || {
        live.is_operator()
            .then(|| Callback::new(move |choices| plan.send(choices)))
    });
    let question = live.memo(&[Slice::Deploy, Slice::Cluster], question);
    let acts = move || {
        view! {
            <Show when=move || live.is_operator() && is_raw()>
                <Button
                    busy=plan.is_pending()
                    disabled_why=blocked
                    on_press=move |()| plan.send(PlanChoices::default())
                >
                    <Icon shape=IconShape::Refresh />
                    "Refresh plan"
                </Button>
                <Button
                    kind=ButtonKind::Primary
                    busy=Signal::derive(move || going.get() || start.is_pending().get())
                    disabled_why=why
                    on_press=press
                >
                    "Deploy"
                </Button>
            </Show>
            <Show when=move || live.is_operator() && !is_raw()>
                <HelmActs desk blocked />
            </Show>
        }
    };
    view! {
        <PageFrame
            step=StepId::Deploy
            lede="See what would change, then apply exactly that and watch the rollout to its end"
            acts
        >
            <Show when=move || has_chart.get()>
                <Tabs
                    id="deploy-mode"
                    label="How it is deployed"
                    names=MODES
                    chosen=mode
                    notes=move |_| String::new()
                />
            </Show>
            <OwnershipCard />
            <RunPanel kind=RunKind::Deploy />
            <TabPanel id="deploy-mode" at=0 chosen=mode>
                <div class="column-main">
                    <FailureNote failure=plan.failure() />
                    <FailureNote failure=start.failure() />
                    <Deployed />
                    <Drift on_put_back=choose />
                    <PlanCard
                        waiting=plan.is_pending()
                        on_choose=move |choices| plan.send(choices)
                    />
                    <RevisionsCard />
                </div>
            </TabPanel>
            <TabPanel id="deploy-mode" at=HELM chosen=mode>
                <HelmMode desk />
            </TabPanel>
            <RolloutsCard />
        </PageFrame>
        <ConfirmDialog
            open=asking
            title="Deploy this plan?"
            act=DialogAct { word: "Deploy", kind: ButtonKind::Primary }
            on_confirm=move |()| send(true)
        >
            <p>{question}</p>
        </ConfirmDialog>
    }
    .into_any()
}

#[component]
fn Deployed() -> impl IntoView {
    let live = Live::expect();
    let deployed = live.memo(&[Slice::Deploy], |state| state.deployed.clone());
    move || {
        deployed.get().map(|DeployedView { revision, at, objects }| {
            view! {
                <p class="deployed">
                    {format!("Deploy {revision} with {objects} objects was applied ")} <Age at />
                </p>
            }
        })
    }
}

fn why_not_deploy(state: &PanelState) -> Option<String> {
    why_not(state, StepId::Deploy).or_else(|| match &state.plan {
        None => Some("Make the plan first".to_owned()),
        Some(plan) => plan
            .findings
            .iter()
            .any(|finding| finding.severity == Severity::Failed)
            .then(|| "Mend what the plan found first".to_owned()),
    })
}

fn deletions(state: &PanelState) -> Vec<String> {
    state.plan.as_ref().map_or_else(Vec::new, |plan| {
        plan.objects
            .iter()
            .filter(|object| object.change == Change::Delete)
            .map(|object| format!("{} {}", object.kind, object.name))
            .collect()
    })
}

/// What was chosen to be forced or replaced.
fn chosen(state: &PanelState, replaced: bool) -> Vec<String> {
    state.plan.as_ref().map_or_else(Vec::new, |plan| {
        plan.objects
            .iter()
            .filter(|object| object.chosen && (object.change == Change::Replace) == replaced)
            .map(|object| format!("{} {}", object.kind, object.name))
            .collect()
    })
}

fn needs_question(state: &PanelState) -> bool {
    state.guarded_cluster().is_some()
        || !deletions(state).is_empty()
        || !chosen(state, true).is_empty()
        || !chosen(state, false).is_empty()
}

fn question(state: &PanelState) -> String {
    let mut sentences = Vec::new();
    if let Some(name) = state.guarded_cluster() {
        sentences.push(format!("It goes to the remote cluster {name}."));
    }
    let deletions = deletions(state);
    if !deletions.is_empty() {
        sentences.push(format!("It deletes {}.", deletions.join(", ")));
    }
    let (replaced, forced) = (chosen(state, true), chosen(state, false));
    if !replaced.is_empty() {
        sentences.push(format!(
            "It deletes and makes anew {}.",
            replaced.join(", ")
        ));
    }
    if !forced.is_empty() {
        sentences.push(format!(
            "It takes fields of {} from their managers.",
            forced.join(", ")
        ));
    }
    sentences.join(" ")
}
