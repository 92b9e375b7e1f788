//! Setup: what is on this machine, what is missing, and which cluster to use.

use leptos::prelude::*;

use crate::api::setup::recheck;
use crate::components::{
    CheckRow, ClusterPicker, ClusterStanding, FailureNote, FindingCard, MinikubeCard, PageFrame,
    wish,
};
use crate::live::Live;
use crate::model::{
    Check, CheckState, ComponentView, Need, ProjectView, Slice, StepId, humanize_bytes,
};
use crate::ui::{
    Button, ButtonKind, Card, EmptyMessage, Icon, IconShape, KeyValue, LinkButton, Tone,
};

#[component]
pub fn SetupPage() -> impl IntoView {
    let live = Live::expect();
    let again = wish(|()| recheck());
    let acts = move || {
        view! {
            <Show when=move || live.is_operator()>
                <Button busy=again.is_pending() on_press=move |()| again.send(())>
                    <Icon shape=IconShape::Refresh />
                    "Check again"
                </Button>
            </Show>
        }
    };
    view! {
        <PageFrame
            step=StepId::Setup
            lede="Choose the cluster to launch into and see that this machine has what the walk needs"
            acts
        >
            <FailureNote failure=again.failure() />
            <ProjectProblem />
            <div class="columns">
                <div class="column-main">
                    <Card title="Cluster" hint="Where everything of this walk will run">
                        <ClusterProblem />
                        <ClusterStanding />
                        <ClusterPicker />
                    </Card>
                    <MinikubeCard />
                    <Card title="Checks" hint="What is here, and what is missing">
                        <Checks />
                    </Card>
                </div>
                <div class="column-side">
                    <Project />
                </div>
            </div>
        </PageFrame>
    }
    .into_any()
}

#[component]
fn ProjectProblem() -> impl IntoView {
    let live = Live::expect();
    let problem = live.memo(&[Slice::Project], |state| state.project_problem.clone());
    move || {
        problem
            .get()
            .map(|finding| view! { <FindingCard finding /> })
    }
}

#[component]
fn ClusterProblem() -> impl IntoView {
    let live = Live::expect();
    let problem = live.memo(&[Slice::Cluster], |state| {
        state
            .cluster
            .as_ref()
            .and_then(|cluster| cluster.problem.clone())
    });
    move || {
        problem
            .get()
            .map(|finding| view! { <FindingCard finding /> })
    }
}

#[component]
fn Checks() -> impl IntoView {
    let live = Live::expect();
    // What the walk needs stands above what it could also use, and what is wrong above what is well.
    let ids = live.memo(&[Slice::Checks], |state| {
        let mut checks: Vec<_> = state.checks.iter().collect();
        checks.sort_by_key(|check| rank(check));
        checks
            .into_iter()
            .map(|check| check.id.clone())
            .collect::<Vec<_>>()
    });
    view! {
        <Show
            when=move || ids.with(|ids| !ids.is_empty())
            fallback=|| {
                view! {
                    <EmptyMessage
                        tone=Tone::Working
                        title="Looking around"
                        text="Slipway is finding out what is on this machine."
                    />
                }
            }
        >
            <ul class="checks">
                <For each=move || ids.get() key=String::clone children=|id| view! { <CheckRow id /> } />
            </ul>
            <p class="fine-print">"Nothing found here leaves this machine"</p>
        </Show>
    }
    .into_any()
}

fn rank(check: &Check) -> u8 {
    match (check.need, &check.state) {
        (_, _) if check.muted => 6,
        (Need::Required, CheckState::Missing { .. } | CheckState::Broken { .. }) => 0,
        (Need::Required, _) => 1,
        (Need::Optional, CheckState::Broken { .. }) => 2,
        (Need::Optional, CheckState::Checking | CheckState::Ok { .. }) => 3,
        (Need::Optional, CheckState::Missing { .. }) => 4,
    }
}

#[component]
fn Project() -> impl IntoView {
    let live = Live::expect();
    let project = live.memo(&[Slice::Project], |state| state.project.clone());
    let can_adopt = live.memo(&[Slice::Project], |state| state.adoption.is_some());
    move || {
        match project.get() {
        Some(project) => project_card(project).into_any(),
        None if can_adopt.get() => view! {
            <Card title="Project">
                <EmptyMessage
                    tone=Tone::ToDo
                    title="Not a project yet"
                    text="This folder has no slipway.toml. Slipway has looked at it and proposes one."
                >
                    <LinkButton kind=ButtonKind::Primary href="/adopt">
                        "See the proposal"
                    </LinkButton>
                </EmptyMessage>
            </Card>
        }
        .into_any(),
        None => view! {
            <Card title="Project">
                <EmptyMessage
                    tone=Tone::Unknown
                    title="No project yet"
                    text="Start Slipway with --project and a folder that has a slipway.toml."
                />
            </Card>
        }
        .into_any(),
    }
    }
}

fn project_card(project: ProjectView) -> impl IntoView {
    let sources = match (project.has_manifests, project.has_chart) {
        (true, true) => "Manifests and a chart",
        (true, false) => "Manifests",
        (false, true) => "A chart",
        (false, false) => "None found",
    };
    let pairs = vec![
        ("Namespace", project.namespace.to_string()),
        ("Secret", project.secret_name),
        ("Deploys from", sources.to_owned()),
        ("Folder", project.root),
    ];
    view! {
        <Card title=project.name>
            <KeyValue pairs />
            <h3 class="side-title">"Components"</h3>
            <ul class="side-list">
                {project.components.into_iter().map(component).collect_view()}
            </ul>
        </Card>
    }
    .into_any()
}

fn component(component: ComponentView) -> impl IntoView {
    let probes = [
        ("Startup", component.probes.startup),
        ("Liveness", component.probes.liveness),
        ("Readiness", component.probes.readiness),
    ];
    let pairs: Vec<(&'static str, String)> = [
        ("Port", component.port.to_string()),
        (
            "Size budget",
            component
                .size_budget_bytes
                .map(humanize_bytes)
                .unwrap_or_default(),
        ),
    ]
    .into_iter()
    .chain(probes.map(|(kind, path)| (kind, path.unwrap_or_default())))
    .collect();
    view! {
        <li>
            <p class="side-name">
                {component.name.to_string()}
                {component.exposed.then(|| view! { <span class="tag">"Exposed"</span> })}
            </p>
            <KeyValue pairs />
        </li>
    }
    .into_any()
}
