//! The chart: what it is, which helm handles it, whether it is clean, and its dependencies.

use leptos::prelude::*;

use crate::api::releases::{build_dependencies, check_chart};
use crate::components::{FailureNote, FindingCard, RunPanel, wish};
use crate::live::Live;
use crate::model::{
    ChartView, Dependency, DependencyState, HelmTool, LintState, RunKind, Severity, Slice,
};
use crate::ui::{
    Button, ButtonKind, Card, EmptyMessage, Icon, IconShape, KeyValue, Notice, StatusBadge, Tone,
};

#[component]
pub fn ChartCard() -> impl IntoView {
    let live = Live::expect();
    let chart = live.memo(&[Slice::Helm], |state| state.helm.chart.clone());
    let tool = live.memo(&[Slice::Helm], |state| state.helm.tool.clone());
    let check = wish(|()| check_chart());
    let build = wish(|()| build_dependencies());
    let tools = move || {
        view! {
            <Show when=move || live.is_operator()>
                <Button kind=ButtonKind::Quiet busy=check.is_pending() on_press=move |()| check.send(())>
                    <Icon shape=IconShape::Refresh />
                    "Check chart"
                </Button>
            </Show>
        }
    };
    view! {
        <Card title="Chart" tools>
            <FailureNote failure=check.failure() />
            {move || match tool.get() {
                HelmTool::Unusable { finding } => {
                    view! { <FindingCard finding=*finding /> }.into_any()
                }
                HelmTool::Ready { faults: Some(faults), .. } => {
                    view! {
                        <Notice tone=Tone::Attention title="Known holes in this helm">
                            <p>{faults}</p>
                        </Notice>
                    }
                        .into_any()
                }
                _ => ().into_any(),
            }}
            {move || match chart.get() {
                None => {
                    view! {
                        <EmptyMessage
                            title="No chart"
                            text="Name the chart's folder under [deploy] in slipway.toml: chart = \"chart\"."
                        />
                    }
                        .into_any()
                }
                Some(chart) => facts(chart, tool.get()).into_any(),
            }}
            <Missing on_get=move |()| build.send(()) busy=build.is_pending() />
            <FailureNote failure=build.failure() />
            <RunPanel kind=RunKind::Dependencies />
        </Card>
    }
    .into_any()
}

fn facts(chart: ChartView, tool: HelmTool) -> impl IntoView {
    let is_checked_by_nobody = matches!(tool, HelmTool::Unusable { .. });
    let helm = match tool {
        HelmTool::Ready { version, .. } => format!("helm {version}"),
        _ => String::new(),
    };
    let pairs = vec![
        (
            "Chart",
            format!("{} {}", chart.name, chart.version)
                .trim()
                .to_owned(),
        ),
        ("App version", chart.app_version),
        ("Folder", chart.path),
        ("Values", chart.values_files.join(", then ")),
        ("By", helm),
    ];
    let (tone, word) = match &chart.lint {
        LintState::Unknown if is_checked_by_nobody => (Tone::Off, "Not checked"),
        lint => lint_word(lint),
    };
    let findings = match chart.lint {
        LintState::Done { findings, .. } => findings,
        LintState::Unknown => Vec::new(),
    };
    let dependencies = chart.dependencies;
    view! {
        <div class="helm-chart">
            <p class="helm-chart-about">
                <StatusBadge tone word />
                <span>{chart.description}</span>
            </p>
            <KeyValue pairs />
            {(!dependencies.is_empty())
                .then(|| {
                    view! {
                        <ul class="helm-dependencies" aria-label="Dependencies">
                            {dependencies.into_iter().map(dependency).collect_view()}
                        </ul>
                    }
                })}
            {findings.into_iter().map(|finding| view! { <FindingCard finding /> }).collect_view()}
        </div>
    }
    .into_any()
}

fn lint_word(lint: &LintState) -> (Tone, &'static str) {
    match lint {
        LintState::Unknown => (Tone::Working, "Checking"),
        LintState::Done { findings, .. } => {
            match findings.iter().map(|finding| finding.severity).max() {
                None => (Tone::Ok, "Clean"),
                Some(Severity::Attention) => (Tone::Attention, "Warnings"),
                Some(Severity::Failed) => (Tone::Failed, "Broken"),
            }
        }
    }
}

fn dependency(one: Dependency) -> impl IntoView {
    let (tone, word) = match &one.state {
        DependencyState::Present { version } => (Tone::Ok, version.clone()),
        DependencyState::Missing => (Tone::Failed, "missing".to_owned()),
    };
    let alias = one.alias.map(|alias| format!("as {alias}"));
    let condition = one.condition.map(|condition| format!("if {condition}"));
    view! {
        <li class="helm-dependency">
            <span class="helm-dependency-name">{one.name}</span>
            <span class="helm-dependency-note">{alias}</span>
            <span class="helm-dependency-note">{condition}</span>
            <span class="helm-dependency-note">{one.version}</span>
            <StatusBadge tone word />
        </li>
    }
    .into_any()
}

#[component]
fn Missing(#[prop(into)] on_get: Callback<()>, #[prop(into)] busy: Signal<bool>) -> impl IntoView {
    let live = Live::expect();
    let missing = live.memo(&[Slice::Helm], |state| {
        state.helm.chart.as_ref().is_some_and(|chart| {
            chart
                .dependencies
                .iter()
                .any(|one| one.state == DependencyState::Missing)
        })
    });
    view! {
        <Show when=move || missing.get() && live.is_operator()>
            <div class="helm-acts">
                <Button busy on_press=on_get>
                    <Icon shape=IconShape::Down />
                    "Get dependencies"
                </Button>
            </div>
        </Show>
    }
    .into_any()
}
