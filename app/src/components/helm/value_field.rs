//! One value of the chart with the control that fits it, where it comes from and what is wrong.

use leptos::prelude::*;

use super::Desk;
use crate::model::{ValueControl, ValueEdit, ValueField, ValueOrigin};
use crate::ui::{Button, ButtonKind};

/// A field, or a group of them.
#[component]
pub fn Field(field: ValueField, desk: Desk, #[prop(optional)] depth: u32) -> impl IntoView {
    match field.control.clone() {
        ValueControl::Group { fields } => group(field, fields, desk, depth).into_any(),
        _ => single(field, desk).into_any(),
    }
}

fn group(field: ValueField, fields: Vec<ValueField>, desk: Desk, depth: u32) -> impl IntoView {
    let has_problem = fields.iter().any(|field| field.problem.is_some());
    let problem = field.problem.clone();
    view! {
        <details class="value-group" open=depth == 0 || has_problem>
            <summary class="value-group-title">{field.label}</summary>
            <p class="field-hint">{field.description}</p>
            <p class="field-problem">{problem}</p>
            <div class="value-group-fields">
                {fields
                    .into_iter()
                    .map(|field| view! { <Field field desk depth=depth + 1 /> })
                    .collect_view()}
            </div>
        </details>
    }
    .into_any()
}

fn single(field: ValueField, desk: Desk) -> impl IntoView {
    let path = field.path.clone();
    let id = format!("value-{}", path.join("-"));
    let set = {
        let path = path.clone();
        Callback::new(move |text: String| {
            desk.edits.update(|edits| {
                edits.retain(|edit| edit.path != path);
                edits.push(ValueEdit {
                    path: path.clone(),
                    text,
                });
            });
        })
    };
    let reset = move |()| {
        desk.edits
            .update(|edits| edits.retain(|edit| edit.path != path))
    };
    let is_edited = field.origin == ValueOrigin::Form || field.problem.is_some();
    let edited_here = {
        let path = field.path.clone();
        Memo::new(move |_| {
            desk.edits
                .with(|edits| edits.iter().any(|edit| edit.path == path))
        })
    };
    let (origin, origin_class) = origin(&field.origin);
    let locked = field.secret || field.origin == ValueOrigin::Slipway;
    let why_locked = if field.secret {
        "Looks like a secret: it belongs on the Secrets page, never into values"
    } else if locked {
        "Put in by Slipway: the image that was proved to be in the cluster"
    } else {
        ""
    };
    let default = field
        .default
        .clone()
        .filter(|default| *default != field.text && !default.contains('\n'))
        .map(|default| {
            format!(
                "Chart default: {}",
                if default.is_empty() {
                    "empty".to_owned()
                } else {
                    default
                }
            )
        });
    let invalid = field.problem.is_some().then_some("true");
    let described = format!("{id}-more");
    view! {
        <div class="value-field" class:value-edited=is_edited>
            <div class="value-head">
                <label class="field-label" for=id.clone()>
                    {field.label.clone()}
                    {field.required.then_some(" *")}
                </label>
                <span class=origin_class>{origin}</span>
            </div>
            {control(&field, id, described.clone(), invalid, locked, set)}
            <div id=described class="value-more">
                <p class="field-problem">{field.problem.clone()}</p>
                <p class="field-hint">{why_locked}</p>
                <p class="field-hint">{field.description.clone()}</p>
                <p class="field-hint">{default}</p>
            </div>
            <Show when=move || edited_here.get()>
                <Button kind=ButtonKind::Quiet on_press=reset.clone()>
                    "Reset"
                </Button>
            </Show>
        </div>
    }
    .into_any()
}

fn control(
    field: &ValueField,
    id: String,
    described: String,
    invalid: Option<&'static str>,
    locked: bool,
    set: Callback<String>,
) -> AnyView {
    let text = field.text.clone();
    let lines = u32::try_from(text.lines().count())
        .unwrap_or(3)
        .clamp(3, 14);
    match &field.control {
        ValueControl::Switch => {
            let on = text == "true";
            view! {
                <input
                    id=id
                    type="checkbox"
                    role="switch"
                    class="value-switch"
                    aria-describedby=described
                    disabled=locked
                    prop:checked=on
                    on:change:target=move |event| set.run(event.target().checked().to_string())
                />
            }
            .into_any()
        }
        ValueControl::Choice { options } => {
            let options = options.clone();
            let is_known = options.contains(&text);
            view! {
                <select
                    id=id
                    class="input"
                    aria-describedby=described
                    aria-invalid=invalid
                    disabled=locked
                    on:change:target=move |event| set.run(event.target().value())
                >
                    {(!is_known)
                        .then(|| view! { <option selected=true value=text.clone()>{text.clone()}</option> })}
                    {options
                        .into_iter()
                        .map(|option| {
                            let selected = option == text;
                            view! {
                                <option selected=selected value=option.clone()>
                                    {option.clone()}
                                </option>
                            }
                        })
                        .collect_view()}
                </select>
            }
            .into_any()
        }
        ValueControl::Number {
            minimum,
            maximum,
            integer,
        } => {
            let (minimum, maximum) = (minimum.clone(), maximum.clone());
            view! {
                <input
                    id=id
                    class="input"
                    type="number"
                    min=minimum
                    max=maximum
                    step=if *integer { "1" } else { "any" }
                    aria-describedby=described
                    aria-invalid=invalid
                    disabled=locked
                    prop:value=text
                    on:change:target=move |event| set.run(event.target().value())
                />
            }
            .into_any()
        }
        ValueControl::Text {
            multiline: false,
            pattern,
        } => {
            let title = pattern.clone().map(|pattern| format!("Pattern: {pattern}"));
            view! {
                <input
                    id=id
                    class="input"
                    type="text"
                    autocomplete="off"
                    spellcheck="false"
                    title=title
                    aria-describedby=described
                    aria-invalid=invalid
                    disabled=locked
                    prop:value=text
                    on:change:target=move |event| set.run(event.target().value())
                />
            }
            .into_any()
        }
        ValueControl::Text { .. } | ValueControl::List | ValueControl::Yaml => {
            let hint = match &field.control {
                ValueControl::List => "One on each line",
                ValueControl::Yaml => "YAML",
                _ => "",
            };
            view! {
                <textarea
                    id=id
                    class="input input-mono"
                    rows=lines
                    spellcheck="false"
                    placeholder=hint
                    aria-describedby=described
                    aria-invalid=invalid
                    disabled=locked
                    prop:value=text
                    on:change:target=move |event| set.run(event.target().value())
                ></textarea>
            }
            .into_any()
        }
        ValueControl::Group { .. } => ().into_any(),
    }
}

/// Where a value comes from, in a word, with its look.
pub fn origin(origin: &ValueOrigin) -> (String, &'static str) {
    match origin {
        ValueOrigin::Chart => ("chart".to_owned(), "value-origin"),
        ValueOrigin::File { name } => (name.clone(), "value-origin value-origin-file"),
        ValueOrigin::Form => ("edited".to_owned(), "value-origin value-origin-form"),
        ValueOrigin::Slipway => ("Slipway".to_owned(), "value-origin value-origin-slipway"),
        ValueOrigin::Unset => ("not set".to_owned(), "value-origin"),
    }
}
