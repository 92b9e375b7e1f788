//! What a wish would do to the release, with the button that does exactly that.

use leptos::html;
use leptos::prelude::*;

use super::{Desk, Planned};
use crate::components::Age;
use crate::components::preview::{Found, Preview};
use crate::live::Live;
use crate::model::{Change, DeployPlan, HookView, ReleaseWish, Severity, Slice};
use crate::ui::{Button, ButtonKind, Card, ConfirmDialog, DialogAct, EmptyMessage, Notice, Tone};

/// Shown while a plan is made, and until it is carried out or put away.
#[component]
pub fn ReleasePlanCard(desk: Desk) -> impl IntoView {
    let plan = Memo::new(move |_| {
        desk.planned
            .with(|planned| planned.as_ref().map(|(_, plan)| plan.plan.clone()))
    });
    let has_plan = Memo::new(move |_| plan.with(Option::is_some));
    let is_planning = desk.is_planning();
    let hint = move || desk.planned.with(|planned| planned.as_ref().map(hint));
    let place = NodeRef::<html::Div>::new();
    // It was asked for somewhere else on the page: the keyboard and the eye are led to it.
    Effect::new(move |_| {
        if is_planning.get()
            && let Some(place) = place.get()
        {
            let _ = place.focus();
        }
    });
    view! {
        <div class="helm-plan" tabindex="-1" node_ref=place>
            <Card
                title="Preview"
                tools=move || {
                    view! {
                        <Show when=move || has_plan.get()>
                            <span class="card-hint">
                                {hint} ", made "
                                {move || plan.with(|plan| plan.as_ref().map(|plan| plan.at)).map(|at| view! { <Age at /> })}
                            </span>
                        </Show>
                    }
                }
            >
                <Show when=move || is_planning.get()>
                    <EmptyMessage
                        tone=Tone::Working
                        title="Making the preview"
                        text="Helm renders, and the cluster is asked what would change; nothing is written."
                    />
                </Show>
                <Show when=move || has_plan.get()>
                    <Found plan />
                    {move || desk.planned.get().map(above)}
                    <Preview plan on_choose=Signal::stored(None) />
                    {move || desk.planned.get().map(|planned| below(desk, planned))}
                </Show>
            </Card>
        </div>
    }
    .into_any()
}

fn hint((_, plan): &Planned) -> String {
    let changes = match names(&plan.plan, |change| change != Change::Unchanged).len() {
        0 => "no object changes".to_owned(),
        1 => "1 object changes".to_owned(),
        more => format!("{more} objects change"),
    };
    match plan.revision {
        Some(revision) => format!("Makes revision {revision}, {changes}"),
        None => changes,
    }
}

fn names(plan: &DeployPlan, is_meant: impl Fn(Change) -> bool) -> Vec<String> {
    plan.objects
        .iter()
        .filter(|object| is_meant(object.change))
        .map(|object| format!("{} {}", object.kind, object.name))
        .collect()
}

/// What to know before the objects are read.
fn above((wish, plan): Planned) -> impl IntoView {
    let unsaved = matches!(&wish, ReleaseWish::Deploy { edits, .. } if !edits.is_empty());
    view! {
        {unsaved
            .then(|| {
                view! {
                    <Notice tone=Tone::Attention title="With edits that are in no file yet">
                        <p>"Save them, or the next deploy from the files undoes them."</p>
                    </Notice>
                }
            })}
        {texts("Helm warns", plan.warnings)}
        {texts("Stays in the cluster", plan.kept)}
    }
    .into_any()
}

/// What comes along, and the decision.
fn below(desk: Desk, (wish, plan): Planned) -> impl IntoView {
    let live = Live::expect();
    let asking = RwSignal::new(false);
    let remote = live.memo(&[Slice::Cluster], |state| {
        state.guarded_cluster().map(str::to_owned)
    });
    let failed = |starts: &str| {
        plan.plan
            .findings
            .iter()
            .any(|finding| finding.severity == Severity::Failed && finding.code.starts_with(starts))
    };
    let blocked = failed("").then(|| "Mend what the preview found first".to_owned());
    let is_danger = matches!(wish, ReleaseWish::Uninstall { .. });
    let adopting = match &wish {
        ReleaseWish::Deploy {
            edits,
            adopt: false,
            ..
        } if failed("OWNED_BY_") || failed("RELEASE_NOT_OWNER") => Some(ReleaseWish::Deploy {
            edits: edits.clone(),
            adopt: true,
            force: false,
        }),
        _ => None,
    };
    let is_forced = wish.is_forced();
    let has_conflicts = plan
        .plan
        .objects
        .iter()
        .any(|object| object.can_be_forced());
    let other_force = (has_conflicts || is_forced)
        .then(|| wish.clone().forced(!is_forced))
        .flatten();
    let deletions = names(&plan.plan, |change| change == Change::Delete);
    let taken: Vec<String> = plan
        .plan
        .objects
        .iter()
        .filter(|object| is_forced && object.can_be_forced())
        .map(|object| format!("{} {}", object.kind, object.name))
        .collect();
    let needs_question = !deletions.is_empty() || !taken.is_empty();
    let press = move |()| {
        if needs_question || remote.get_untracked().is_some() {
            asking.set(true);
        } else {
            desk.carry_out();
        }
    };
    let question = move || {
        let mut sentences = Vec::new();
        if let Some(name) = remote.get() {
            sentences.push(format!("It goes to the remote cluster {name}."));
        }
        if !deletions.is_empty() {
            sentences.push(format!("It deletes {}.", deletions.join(", ")));
        }
        if !taken.is_empty() {
            sentences.push(format!(
                "It takes fields of {} from their managers.",
                taken.join(", ")
            ));
        }
        sentences.join(" ")
    };
    let kind = if is_danger {
        ButtonKind::Danger
    } else {
        ButtonKind::Primary
    };
    let title = plan.title.clone();
    view! {
        <Hooks hooks=plan.hooks />
        {(!plan.notes.trim().is_empty())
            .then(|| {
                view! {
                    <details class="helm-notes">
                        <summary>"What the chart says after this"</summary>
                        <pre class="helm-text" tabindex="0">{plan.notes}</pre>
                    </details>
                }
            })}
        <div class="helm-acts">
            <Button kind busy=desk.is_busy() disabled_why=blocked on_press=press>
                {plan.title}
            </Button>
            {adopting
                .map(|wish| {
                    view! {
                        <Button on_press=move |()| desk.plan(wish.clone())>
                            "Preview taking them over"
                        </Button>
                    }
                })}
            {other_force
                .map(|wish| {
                    let word = if is_forced {
                        "Leave the fields to their managers"
                    } else {
                        "Preview forcing the fields"
                    };
                    view! { <Button on_press=move |()| desk.plan(wish.clone())>{word}</Button> }
                })}
            <Button kind=ButtonKind::Quiet on_press=move |()| desk.planned.set(None)>
                "Put away"
            </Button>
        </div>
        <ConfirmDialog
            open=asking
            title=format!("{title}?")
            act=DialogAct { word: "Do it", kind }
            on_confirm=move |()| desk.carry_out()
        >
            <p>{question}</p>
        </ConfirmDialog>
    }
    .into_any()
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
                <h3 class="helm-title">"Hooks"</h3>
                <ul class="helm-hooks">
                    {hooks
                        .into_iter()
                        .map(|hook| {
                            view! {
                                <li class="helm-hook">
                                    <span class="helm-hook-kind">{hook.kind}</span>
                                    <span class="helm-hook-name">{hook.name}</span>
                                    <span class="helm-hook-when">{hook.events.join(", ")}</span>
                                    <span class="helm-hook-phase">{hook.phase}</span>
                                </li>
                            }
                        })
                        .collect_view()}
                </ul>
            </section>
        }
    })
}
