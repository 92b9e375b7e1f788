//! The values form and what comes of it: fields by the chart's schema, the result with the origin of
//! each value, and saving edits to a file of the project.

use leptos::prelude::*;

use super::Desk;
use super::value_field::{Fields, FormNow, origin};
use crate::api::releases::{plan_save, read_values, save_values};
use crate::components::diff_line::{DiffLine, Sign};
use crate::components::{FailureNote, FindingCard, ask, wish};
use crate::live::Live;
use crate::model::{DiffLine as FileLine, LintState, ResultRow, SavePreview, Slice, ValueEdit};
use crate::ui::{Button, ButtonKind, Card, Notice, Skeleton, TabPanel, Tabs, Tone};

const TABS: &[&str] = &["Form", "Result"];

#[component]
pub fn ValuesForm(desk: Desk) -> impl IntoView {
    let live = Live::expect();
    let asking = ask(read_values);
    // Read anew with every edit, and whenever chart or files have changed.
    let checked = live.memo(&[Slice::Helm], |state| {
        state.helm.chart.as_ref().map(|chart| match &chart.lint {
            LintState::Done { at, .. } => at.0,
            LintState::Unknown => 0,
        })
    });
    Effect::new(move |_| {
        let has_chart = checked.get().is_some();
        let edits = desk.edits.get();
        if has_chart && live.is_operator() {
            asking.send(edits);
        }
    });
    let answer = asking.answer();
    let form = Memo::new(move |_| answer.get());
    let has_form = Memo::new(move |_| form.with(Option::is_some));
    let chosen = RwSignal::new(0);
    let notes = move |at: usize| {
        let edited = desk.edits.with(Vec::len);
        if at == 0 && edited > 0 {
            format!("{edited} edited")
        } else {
            String::new()
        }
    };
    let is_operator = live.is_operator();
    is_operator.then(|| {
        view! {
            <Card title="Values" hint="Chart defaults, then the project's files, then your edits">
                <FailureNote failure=asking.failure() />
                <Show
                    when=move || has_form.get()
                    fallback=move || {
                        asking.failure().get().is_none().then(|| view! { <Skeleton /> })
                    }
                >
                    <Wrong form />
                    <Tabs id="values" label="Values" names=TABS chosen notes />
                    <TabPanel id="values" at=0 chosen>
                        <div class="values-form">
                            <Fields form desk path=Vec::new() />
                        </div>
                    </TabPanel>
                    <TabPanel id="values" at=1 chosen>
                        <div class="values-result" tabindex="0" role="region" aria-label="Resulting values">
                            {move || {
                                form.get().map(|form| form.result.into_iter().map(result_row).collect_view())
                            }}
                        </div>
                    </TabPanel>
                    <Saving form desk />
                </Show>
            </Card>
        }
    })
}

/// What is wrong and belongs to no field.
#[component]
fn Wrong(form: FormNow) -> impl IntoView {
    let wrong = Memo::new(move |_| {
        form.with(|form| {
            form.as_ref()
                .map(|form| (form.findings.clone(), form.problems.clone()))
                .unwrap_or_default()
        })
    });
    move || {
        let (findings, problems) = wrong.get();
        view! {
            {findings.into_iter().map(|finding| view! { <FindingCard finding /> }).collect_view()}
            {problems
                .into_iter()
                .map(|problem| view! { <Notice tone=Tone::Failed title=problem /> })
                .collect_view()}
        }
    }
}

fn result_row(row: ResultRow) -> impl IntoView {
    let margin = format!("padding-inline-start: {}rem", f64::from(row.depth) * 1.25);
    let from = row.origin.map(|from| {
        let (word, class) = origin(&from);
        view! { <span class=class>{word}</span> }
    });
    view! {
        <p class="values-row">
            <span style=margin class="values-key">
                {row.key}
                ": "
            </span>
            <span class="values-value" dir="auto">{row.value}</span>
            {from}
        </p>
    }
    .into_any()
}

#[component]
fn Saving(form: FormNow, desk: Desk) -> impl IntoView {
    let targets = Memo::new(move |_| {
        form.with(|form| {
            form.as_ref()
                .map_or_else(Vec::new, |form| form.targets.clone())
        })
    });
    let target =
        RwSignal::new(targets.with_untracked(|all| all.last().cloned().unwrap_or_default()));
    let looking = ask(|(edits, file): (Vec<ValueEdit>, String)| plan_save(edits, file));
    let save = wish(|(edits, file, hash): (Vec<ValueEdit>, String, String)| {
        save_values(edits, file, hash)
    });
    Effect::new(move |_| {
        if save.was_granted().get() {
            desk.edits.set(Vec::new());
        }
    });
    let has_edits = Memo::new(move |_| desk.edits.with(|edits| !edits.is_empty()));
    view! {
        <Show when=move || has_edits.get()>
            <div class="values-save">
                <label class="field-label" for="values-target">
                    "Save edits to"
                </label>
                <select
                    id="values-target"
                    class="input"
                    on:change:target=move |event| target.set(event.target().value())
                >
                    {targets
                        .get()
                        .into_iter()
                        .map(|name| {
                            let selected = name == target.get_untracked();
                            view! {
                                <option selected=selected value=name.clone()>
                                    {name.clone()}
                                </option>
                            }
                        })
                        .collect_view()}
                </select>
                <Button
                    busy=looking.is_pending()
                    on_press=move |()| {
                        looking.send((desk.edits.get_untracked(), target.get_untracked()));
                    }
                >
                    "Show difference"
                </Button>
                <Button
                    kind=ButtonKind::Quiet
                    on_press=move |()| desk.edits.set(Vec::new())
                >
                    "Discard edits"
                </Button>
            </div>
            <FailureNote failure=looking.failure() />
            <FailureNote failure=save.failure() />
            {move || {
                looking
                    .answer()
                    .get()
                    .map(|preview| {
                        let (file, hash) = (preview.file.clone(), preview.hash.clone());
                        view! {
                            <Difference preview />
                            <div class="helm-acts">
                                <Button
                                    kind=ButtonKind::Primary
                                    busy=save.is_pending()
                                    on_press=move |()| {
                                        save.send((
                                            desk.edits.get_untracked(),
                                            file.clone(),
                                            hash.clone(),
                                        ));
                                    }
                                >
                                    "Save"
                                </Button>
                            </div>
                        }
                    })
            }}
        </Show>
    }
    .into_any()
}

#[component]
fn Difference(preview: SavePreview) -> impl IntoView {
    let title = if preview.is_new {
        format!("{} is new", preview.file)
    } else {
        format!("Changes in {}", preview.file)
    };
    view! {
        <section aria-label=title.clone()>
            <h3 class="helm-title">{title.clone()}</h3>
            {preview
                .warnings
                .into_iter()
                .map(|warning| view! { <Notice tone=Tone::Attention title=warning /> })
                .collect_view()}
            <div class="diff">
                {preview
                    .lines
                    .into_iter()
                    .map(|line| {
                        let (sign, text) = match line {
                            FileLine::Same(text) => (Sign::Same, text),
                            FileLine::Removed(text) => (Sign::Removed, text),
                            FileLine::Added(text) => (Sign::Added, text),
                            FileLine::Skipped(count) => {
                                return view! {
                                    <p class="diff-more">{format!("… {count} unchanged lines")}</p>
                                }
                                    .into_any();
                            }
                        };
                        view! { <DiffLine sign text /> }.into_any()
                    })
                    .collect_view()}
            </div>
        </section>
    }
    .into_any()
}
