//! What a wish would do to the release, with the button that does exactly that.

use leptos::prelude::*;

use super::Desk;
use crate::components::{Age, FindingCard, PlanDiff};
use crate::live::Live;
use crate::model::{
    Change, ClusterKind, HookView, PanelState, ReleasePlan, ReleaseWish, Severity, Slice,
};
use crate::ui::{Button, ButtonKind, Card, ConfirmDialog, DialogAct, EmptyMessage, Notice, Tone};

#[component]
pub fn ReleasePlanCard(
    desk: Desk,
    wish: ReleaseWish,
    plan: Option<ReleasePlan>,
    #[prop(into)] waiting: Signal<bool>,
    #[prop(into)] busy: Signal<bool>,
    #[prop(into)] on_yes: Callback<(ReleaseWish, String)>,
) -> impl IntoView {
    let Some(plan) = plan else {
        return view! {
            <Show when=move || waiting.get()>
                <Card title="Preview">
                    <EmptyMessage
                        tone=Tone::Working
                        title="Making the preview"
                        text="Helm renders, and the cluster is asked what would change; nothing is written."
                    />
                </Card>
            </Show>
        }
        .into_any();
    };
    let live = Live::expect();
    let asking = RwSignal::new(false);
    let remote = live.memo(&[Slice::Cluster], remote_name);
    let hash = plan.plan.hash.clone();
    let is_danger = matches!(wish, ReleaseWish::Uninstall { .. });
    let can_adopt = matches!(wish, ReleaseWish::Deploy { adopt: false, .. })
        && plan.plan.findings.iter().any(|finding| {
            finding.severity == Severity::Failed
                && (finding.code.starts_with("OWNED_BY_") || finding.code == "RELEASE_NOT_OWNER")
        });
    let unsaved = matches!(&wish, ReleaseWish::Deploy { edits, .. } if !edits.is_empty());
    let blocked = plan
        .plan
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Failed)
        .then(|| "Mend what the preview found first".to_owned());
    let deletions: Vec<String> = plan
        .plan
        .objects
        .iter()
        .filter(|object| object.change == Change::Delete)
        .map(|object| format!("{} {}", object.kind, object.name))
        .collect();
    let changes = plan
        .plan
        .objects
        .iter()
        .filter(|object| object.change != Change::Unchanged)
        .count();
    let hint = match (plan.revision, changes) {
        (Some(revision), 0) => format!("Makes revision {revision}; no object changes"),
        (Some(revision), 1) => format!("Makes revision {revision}; 1 object changes"),
        (Some(revision), more) => format!("Makes revision {revision}; {more} objects change"),
        (None, 0) => "No object changes".to_owned(),
        (None, 1) => "1 object changes".to_owned(),
        (None, more) => format!("{more} objects change"),
    };
    let yes = {
        let wish = wish.clone();
        move || on_yes.run((wish.clone(), hash.clone()))
    };
    let needs_question = !deletions.is_empty();
    let press = {
        let yes = yes.clone();
        move |()| {
            if needs_question || remote.get_untracked().is_some() {
                asking.set(true);
            } else {
                yes();
            }
        }
    };
    let title = plan.title.clone();
    let word = title.clone();
    let at = plan.plan.at;
    let question = move || {
        let mut sentences = Vec::new();
        if let Some(name) = remote.get() {
            sentences.push(format!("It goes to the remote cluster {name}."));
        }
        if !deletions.is_empty() {
            sentences.push(format!("It deletes {}.", deletions.join(", ")));
        }
        sentences.join(" ")
    };
    let kind = if is_danger {
        ButtonKind::Danger
    } else {
        ButtonKind::Primary
    };
    view! {
        <Card
            title="Preview"
            hint
            tools=move || view! { <span class="card-hint">"Made " <Age at /></span> }
        >
            {plan
                .plan
                .findings
                .clone()
                .into_iter()
                .map(|finding| view! { <FindingCard finding /> })
                .collect_view()}
            {unsaved
                .then(|| {
                    view! {
                        <Notice tone=Tone::Attention title="With edits that are in no file yet">
                            <p>"Save them, or the next deploy from the files undoes them."</p>
                        </Notice>
                    }
                })}
            {texts("Helm warns", plan.warnings.clone())}
            {texts("Stays in the cluster", plan.kept.clone())}
            <Hooks hooks=plan.hooks.clone() />
            <PlanDiff plan=plan.plan.clone() />
            {(!plan.notes.trim().is_empty())
                .then(|| {
                    view! {
                        <details class="helm-notes">
                            <summary>"What the chart says after this"</summary>
                            <pre class="helm-text" tabindex="0">{plan.notes.clone()}</pre>
                        </details>
                    }
                })}
                <div class="helm-acts">
                    <Button
                        kind
                        busy
                        disabled_why=blocked
                        on_press=press
                    >
                        {word}
                    </Button>
                    {can_adopt
                        .then(|| {
                            view! {
                                <Button on_press=move |()| desk.plan(desk.deploy_wish(true))>
                                    "Preview taking them over"
                                </Button>
                            }
                        })}
                    <Button kind=ButtonKind::Quiet on_press=move |()| desk.planned.set(None)>
                        "Put away"
                    </Button>
                </div>
        </Card>
        <ConfirmDialog
            open=asking
            title=format!("{title}?")
            act=DialogAct { word: "Do it", kind }
            on_confirm=move |()| yes()
        >
            <p>{question}</p>
        </ConfirmDialog>
    }
    .into_any()
}

fn remote_name(state: &PanelState) -> Option<String> {
    state
        .cluster
        .as_ref()
        .filter(|cluster| cluster.kind == ClusterKind::Remote)
        .map(|cluster| cluster.choice.label().to_owned())
}

fn texts(title: &'static str, texts: Vec<String>) -> impl IntoView {
    (!texts.is_empty()).then(|| {
        view! {
            <Notice tone=Tone::Attention title>
                <ul>{texts.into_iter().map(|text| view! { <li>{text}</li> }).collect_view()}</ul>
            </Notice>
        }
    })
}

/// Hooks are no part of the release's objects: helm makes them around a deploy.
#[component]
pub fn Hooks(hooks: Vec<HookView>) -> impl IntoView {
    (!hooks.is_empty()).then(|| {
        view! {
            <section aria-label="Hooks">
                <h3 class="plan-group-title">"Hooks"</h3>
                <ul class="plan-objects">
                    {hooks
                        .into_iter()
                        .map(|hook| {
                            view! {
                                <li class="plan-object">
                                    <span class="plan-kind">{hook.kind}</span>
                                    <span class="plan-name">{hook.name}</span>
                                    <span class="plan-place">{hook.events.join(", ")}</span>
                                    <span class="plan-fields-count">{hook.phase}</span>
                                </li>
                            }
                        })
                        .collect_view()}
                </ul>
            </section>
        }
    })
}
