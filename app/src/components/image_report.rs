//! What there is to say about a component's image: what was checked, what takes the space, which
//! sources it is built from, and what its Dockerfile could do better.

use leptos::prelude::*;

use super::image_hints::Hints;
use super::image_layers::Layers;
use super::image_sources::Sources;
use super::words;
use crate::live::Live;
use crate::model::{
    ComponentName, Finding, HintSeverity, ImageCheck, ImageReport, ImageVerdict, NextAction, Slice,
    StepId,
};
use crate::ui::{Skeleton, StatusBadge, StatusIcon, Tone, prose};

/// Follows the report of this component.
#[component]
pub fn ImageReportCard(component: ComponentName) -> impl IntoView {
    let live = Live::expect();
    let report = {
        let component = component.clone();
        live.memo(&[Slice::ImageReports, Slice::Project], move |state| {
            let report = state.image_reports.get(&component).cloned();
            let budget = state
                .project
                .iter()
                .flat_map(|project| &project.components)
                .find(|view| view.name == component)
                .and_then(|view| view.size_budget_bytes);
            (report, budget)
        })
    };
    let name = component.to_string();
    let label = format!("Report of {name}");
    view! {
        <article class="card report" aria-label=label>
            {move || match report.get() {
                (Some(report), budget) => whole(report, budget).into_any(),
                (None, _) => {
                    view! {
                        <h2 class="card-title">{name.clone()}</h2>
                        <Skeleton />
                    }
                        .into_any()
                }
            }}
        </article>
    }
    .into_any()
}

fn whole(report: ImageReport, budget: Option<u64>) -> impl IntoView {
    let (tone, word) = summary(&report);
    let ImageReport {
        component,
        sources,
        image,
        checks,
        dockerfile,
        hints,
        muted,
    } = report;
    view! {
        <div class="card-head">
            <div>
                <h2 class="card-title">{format!("What is in {component}")}</h2>
                <p class="card-hint">"The image, the sources it is built from, and its Dockerfile"</p>
            </div>
            <StatusBadge tone word />
        </div>
        <div class="report-columns">
            <Part title="Checks">{checks_view(checks)}</Part>
            <Part title="Layers">
                {match image {
                    Some(facts) => view! { <Layers facts budget /> }.into_any(),
                    None => {
                        view! {
                            <p class="report-note">
                                "Build the image; then its size and its layers are shown here."
                            </p>
                        }
                            .into_any()
                    }
                }}
            </Part>
            <Part title="Sources">
                <Sources sources />
            </Part>
            <Part title="Dockerfile">
                <Hints dockerfile hints muted />
            </Part>
        </div>
    }
    .into_any()
}

#[component]
fn Part(title: &'static str, children: Children) -> impl IntoView {
    view! {
        <section class="report-part" aria-label=title>
            <h3 class="report-title">{title}</h3>
            {children()}
        </section>
    }
    .into_any()
}

/// The worst of it in a few words.
fn summary(report: &ImageReport) -> (Tone, String) {
    let failed = report.checks.iter().any(|check| match &check.verdict {
        ImageVerdict::Found(finding) => words::severity(finding.severity).0 == Tone::Failed,
        _ => false,
    });
    let found = report.troubles();
    let hints = report
        .hints
        .iter()
        .filter(|hint| hint.severity != HintSeverity::Advice)
        .count();
    let many = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    };
    match (found, hints) {
        (0, 0) if report.image.is_none() => (Tone::Off, "Not built yet".to_owned()),
        (0, 0) => (Tone::Ok, "Nothing to mend".to_owned()),
        (0, hints) => (Tone::Attention, many(hints, "hint")),
        (found, 0) if failed => (Tone::Failed, many(found, "finding")),
        (found, 0) => (Tone::Attention, many(found, "finding")),
        (found, hints) => {
            let tone = if failed {
                Tone::Failed
            } else {
                Tone::Attention
            };
            (
                tone,
                format!("{}, {}", many(found, "finding"), many(hints, "hint")),
            )
        }
    }
}

fn checks_view(checks: Vec<ImageCheck>) -> impl IntoView {
    if checks.is_empty() {
        return view! {
            <p class="report-note">
                "User, port, command, secrets and the rest are looked at once the image is built."
            </p>
        }
        .into_any();
    }
    view! {
        <ul class="report-list">
            {checks.into_iter().map(|check| view! { <CheckLine check /> }).collect_view()}
        </ul>
    }
    .into_any()
}

#[component]
fn CheckLine(check: ImageCheck) -> impl IntoView {
    let (tone, word) = words::image_check(&check.verdict);
    let line = move |said: String| {
        view! {
            <StatusIcon tone />
            <span class="report-check-title">{check.title}</span>
            <span class="sr-only">{word}</span>
            <span class="report-check-note" dir="auto">
                {said}
            </span>
        }
    };
    match check.verdict {
        ImageVerdict::Good { note }
        | ImageVerdict::Note { note }
        | ImageVerdict::Unknown { why: note } => view! {
            <li class=format!("report-check {}", tone.class())>{line(note)}</li>
        }
        .into_any(),
        ImageVerdict::Found(finding) => view! {
            <li class=tone.class()>
                <details class="report-found">
                    <summary class="report-check">{line(finding.what.clone())}</summary>
                    <FoundBody finding=*finding />
                </details>
            </li>
        }
        .into_any(),
    }
}

/// A finding inside a line that has said already what it is.
#[component]
fn FoundBody(finding: Finding) -> impl IntoView {
    view! {
        <div class="report-found-body">
            <p dir="auto">{prose(&finding.why)}</p>
            {finding
                .next
                .into_iter()
                .filter_map(|next| match next {
                    NextAction::Advice { text } => Some(text),
                    NextAction::Command { command, why } => Some(format!("{why}: {command}")),
                    NextAction::Patch { file, patch } => Some(format!("{file}: {patch}")),
                    NextAction::Open {
                        step: StepId::Images,
                        ..
                    } => None,
                    NextAction::Open { label, .. } | NextAction::Do { label, .. } => Some(label),
                })
                .map(|text| view! { <p class="report-fix" dir="auto">{prose(&text)}</p> })
                .collect_view()}
            {finding
                .evidence
                .into_iter()
                .map(|evidence| {
                    view! {
                        <figure class="report-evidence">
                            <figcaption>{evidence.source}</figcaption>
                            <pre dir="auto" tabindex="0">
                                {evidence.text}
                            </pre>
                        </figure>
                    }
                })
                .collect_view()}
            <code class="finding-code">{finding.code}</code>
        </div>
    }
    .into_any()
}
