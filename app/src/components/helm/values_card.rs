//! The values form and what comes of it: fields by the chart's schema, the result with the origin of
//! each value, and saving edits to a file of the project.

use leptos::prelude::*;

use super::Desk;
use super::ask::ask;
use super::value_field::{Field, origin};
use crate::api::releases::{plan_save, read_values, save_values};
use crate::components::{FailureNote, FindingCard, wish};
use crate::live::Live;
use crate::model::{
    DiffLine, LintState, ResultRow, SavePreview, Slice, ValueEdit, ValuesForm as Form,
};
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
    let form = asking.answer();
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
                {move || {
                    let Some(form) = form.get() else {
                        return view! { <Skeleton /> }.into_any();
                    };
                    view! {
                        {form
                            .findings
                            .clone()
                            .into_iter()
                            .map(|finding| view! { <FindingCard finding /> })
                            .collect_view()}
                        {form
                            .problems
                            .clone()
                            .into_iter()
                            .map(|problem| {
                                view! { <Notice tone=Tone::Failed title=problem /> }
                            })
                            .collect_view()}
                        <Tabs id="values" label="Values" names=TABS chosen notes />
                        <Panels form chosen desk />
                    }
                        .into_any()
                }}
            </Card>
        }
    })
}

#[component]
fn Panels(form: Form, chosen: RwSignal<usize>, desk: Desk) -> impl IntoView {
    let targets = form.targets.clone();
    let fields = StoredValue::new(form.fields);
    let rows = StoredValue::new(form.result);
    view! {
        <TabPanel id="values" at=0 chosen>
            <div class="values-form">
                {fields
                    .get_value()
                    .into_iter()
                    .map(|field| view! { <Field field desk /> })
                    .collect_view()}
            </div>
        </TabPanel>
        <TabPanel id="values" at=1 chosen>
            <div class="values-result" tabindex="0" role="region" aria-label="Resulting values">
                {rows.get_value().into_iter().map(result_row).collect_view()}
            </div>
        </TabPanel>
        <Saving targets desk />
    }
    .into_any()
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
fn Saving(targets: Vec<String>, desk: Desk) -> impl IntoView {
    let target = RwSignal::new(targets.last().cloned().unwrap_or_default());
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
                        .clone()
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
            <h3 class="plan-group-title">{title.clone()}</h3>
            {preview
                .warnings
                .into_iter()
                .map(|warning| view! { <Notice tone=Tone::Attention title=warning /> })
                .collect_view()}
            <div class="diff">
                {preview
                    .lines
                    .into_iter()
                    .map(|line| match line {
                        DiffLine::Same(text) => view! { <p class="diff-path">{text}</p> }.into_any(),
                        DiffLine::Removed(text) => {
                            view! {
                                <p class="diff-before">
                                    <span aria-hidden="true">"−"</span>
                                    <del>{text}</del>
                                </p>
                            }
                                .into_any()
                        }
                        DiffLine::Added(text) => {
                            view! {
                                <p class="diff-after">
                                    <span aria-hidden="true">"+"</span>
                                    <ins>{text}</ins>
                                </p>
                            }
                                .into_any()
                        }
                        DiffLine::Skipped(count) => {
                            view! { <p class="diff-more">{format!("… {count} unchanged lines")}</p> }
                                .into_any()
                        }
                    })
                    .collect_view()}
            </div>
        </section>
    }
    .into_any()
}
