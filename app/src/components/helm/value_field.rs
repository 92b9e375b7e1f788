//! One value of the chart with the control that fits it, where it comes from and what is wrong.
//! A control stays in place while answers come in, so that the keyboard's focus stays in it.

use leptos::prelude::*;

use super::Desk;
use crate::model::{ValueControl, ValueEdit, ValueField, ValueOrigin, ValuesForm};
use crate::ui::{Button, ButtonKind};

/// The form as it was answered last.
pub type FormNow = Memo<Option<ValuesForm>>;

/// Fields one below the other; a field is drawn anew only when it becomes another kind of field.
#[component]
pub fn Fields(
    form: FormNow,
    desk: Desk,
    /// Where these fields are; empty for the top.
    path: Vec<String>,
) -> impl IntoView {
    let depth = path.len();
    let fields = Memo::new(move |_| form.with(|form| at(form.as_ref(), &path)));
    view! {
        <For each=move || fields.get() key=shape let:field>
            {match field.control {
                ValueControl::Group { .. } => {
                    view! { <Group form desk field depth /> }.into_any()
                }
                _ => view! { <Single form desk field /> }.into_any(),
            }}
        </For>
    }
    .into_any()
}

/// The fields at a path: single ones first, groups below them.
fn at(form: Option<&ValuesForm>, path: &[String]) -> Vec<ValueField> {
    let mut fields = match path.is_empty() {
        true => form.map_or_else(Vec::new, |form| form.fields.clone()),
        false => match form.and_then(|form| find(&form.fields, path)) {
            Some(ValueField {
                control: ValueControl::Group { fields },
                ..
            }) => fields.clone(),
            _ => Vec::new(),
        },
    };
    fields.sort_by_key(|field| matches!(field.control, ValueControl::Group { .. }));
    fields
}

fn find<'a>(fields: &'a [ValueField], path: &[String]) -> Option<&'a ValueField> {
    fields.iter().find_map(|field| match &field.control {
        _ if field.path == path => Some(field),
        ValueControl::Group { fields } if path.starts_with(&field.path) => find(fields, path),
        _ => None,
    })
}

/// While this stays the same, so does the control.
fn shape(field: &ValueField) -> (Vec<String>, String) {
    let control = match &field.control {
        ValueControl::Group { .. } => "group".to_owned(),
        control => format!("{control:?} {}", is_locked(field)),
    };
    (field.path.clone(), control)
}

fn is_locked(field: &ValueField) -> bool {
    field.secret || field.origin == ValueOrigin::Slipway
}

/// A field as it is now; as it was first once it is gone.
fn follow(form: FormNow, first: &ValueField) -> Memo<ValueField> {
    let first = first.clone();
    Memo::new(move |_| {
        form.with(|form| {
            form.as_ref()
                .and_then(|form| find(&form.fields, &first.path))
                .unwrap_or(&first)
                .clone()
        })
    })
}

#[component]
fn Group(form: FormNow, desk: Desk, field: ValueField, depth: usize) -> impl IntoView {
    let now = follow(form, &field);
    let has_problem = Memo::new(move |_| now.with(has_problem));
    let open = RwSignal::new(depth == 0 || has_problem.get_untracked());
    // A problem is not left hidden.
    Effect::new(move |_| {
        if has_problem.get() {
            open.set(true);
        }
    });
    let text = move |of: fn(&ValueField) -> Option<String>| {
        move || now.with(of).filter(|text| !text.is_empty())
    };
    view! {
        <details
            class="value-group"
            aria-label=field.label.clone()
            open=move || open.get()
            on:toggle=move |event| {
                open.set(event_target::<web_sys::Element>(&event).has_attribute("open"));
            }
        >
            <summary class="value-group-title">{field.label.clone()}</summary>
            <p class="field-hint">{text(|field| Some(field.description.clone()))}</p>
            <p class="field-problem">{text(|field| field.problem.clone())}</p>
            <div class="value-group-fields">
                <Fields form desk path=field.path />
            </div>
        </details>
    }
    .into_any()
}

/// Whether something is wrong with the field, or with one in it.
fn has_problem(field: &ValueField) -> bool {
    field.problem.is_some()
        || matches!(&field.control, ValueControl::Group { fields } if fields.iter().any(has_problem))
}

#[component]
fn Single(form: FormNow, desk: Desk, field: ValueField) -> impl IntoView {
    let now = follow(form, &field);
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
    let edited_here = {
        let path = path.clone();
        Memo::new(move |_| {
            desk.edits
                .with(|edits| edits.iter().any(|edit| edit.path == path))
        })
    };
    let reset = move |()| {
        desk.edits
            .update(|edits| edits.retain(|edit| edit.path != path));
    };
    let from = Memo::new(move |_| now.with(|field| origin(&field.origin)));
    let is_edited = Memo::new(move |_| {
        now.with(|field| field.origin == ValueOrigin::Form || field.problem.is_some())
    });
    let why_locked = if field.secret {
        "Looks like a secret: it belongs on the Secrets page, never into values"
    } else if is_locked(&field) {
        "Put in by Slipway: the image that was proved to be in the cluster"
    } else {
        ""
    };
    let default = Memo::new(move |_| {
        now.with(|field| {
            let default = field.default.as_ref()?;
            let is_worth_it = *default != field.text && !default.contains('\n');
            is_worth_it.then(|| match default.as_str() {
                "" => "Chart default: empty".to_owned(),
                default => format!("Chart default: {default}"),
            })
        })
    });
    let described = format!("{id}-more");
    let label = field.label.clone();
    let reset_label = format!("Reset {label}");
    let reset = Callback::new(reset);
    view! {
        <div class="value-field" class:value-edited=is_edited>
            <div class="value-head">
                <label class="field-label" for=id.clone()>
                    {label}
                    {field.required.then_some(" *")}
                </label>
                <span class=move || from.get().1>{move || from.get().0}</span>
            </div>
            {control(&field, now, id, described.clone(), set)}
            <div id=described class="value-more">
                <p class="field-problem">{move || now.with(|field| field.problem.clone())}</p>
                <p class="field-hint">{why_locked}</p>
                <p class="field-hint">{field.description.clone()}</p>
                <p class="field-hint">{default}</p>
            </div>
            <Show when=move || edited_here.get()>
                <Button
                    kind=ButtonKind::Quiet
                    label=Some(reset_label.clone())
                    on_press=reset
                >
                    "Reset"
                </Button>
            </Show>
        </div>
    }
    .into_any()
}

fn control(
    field: &ValueField,
    now: Memo<ValueField>,
    id: String,
    described: String,
    set: Callback<String>,
) -> AnyView {
    let locked = is_locked(field);
    let text = Memo::new(move |_| now.with(|field| field.text.clone()));
    let invalid = move || now.with(|field| field.problem.is_some().then_some("true"));
    match &field.control {
        ValueControl::Switch => view! {
            <input
                id=id
                type="checkbox"
                role="switch"
                class="value-switch"
                aria-describedby=described
                disabled=locked
                checked=field.text == "true"
                prop:checked=move || text.with(|text| text == "true")
                on:change:target=move |event| set.run(event.target().checked().to_string())
            />
        }
        .into_any(),
        ValueControl::Choice { options } => {
            let mut options = options.clone();
            if !options.contains(&field.text) {
                options.insert(0, field.text.clone());
            }
            view! {
                <select
                    id=id
                    class="input"
                    aria-describedby=described
                    aria-invalid=invalid
                    disabled=locked
                    prop:value=text
                    on:change:target=move |event| set.run(event.target().value())
                >
                    {options
                        .into_iter()
                        .map(|option| {
                            let selected = option == field.text;
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
        } => view! {
            <input
                id=id
                class="input"
                type="number"
                min=minimum.clone()
                max=maximum.clone()
                step=if *integer { "1" } else { "any" }
                aria-describedby=described
                aria-invalid=invalid
                disabled=locked
                value=field.text.clone()
                prop:value=text
                on:change:target=move |event| set.run(event.target().value())
            />
        }
        .into_any(),
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
                    value=field.text.clone()
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
            let rows = u32::try_from(field.text.lines().count())
                .unwrap_or(3)
                .clamp(3, 14);
            view! {
                <textarea
                    id=id
                    class="input input-mono"
                    rows=rows
                    spellcheck="false"
                    placeholder=hint
                    aria-describedby=described
                    aria-invalid=invalid
                    disabled=locked
                    prop:value=text
                    on:change:target=move |event| set.run(event.target().value())
                >
                    {field.text.clone()}
                </textarea>
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

#[cfg(test)]
mod tests {
    use super::*;

    fn field(path: &[&str], control: ValueControl) -> ValueField {
        ValueField {
            path: path.iter().map(|part| (*part).to_owned()).collect(),
            label: String::new(),
            description: String::new(),
            control,
            text: String::new(),
            default: None,
            origin: ValueOrigin::Chart,
            required: false,
            secret: false,
            problem: None,
        }
    }

    fn form(control: ValueControl) -> ValuesForm {
        let inner = field(&["web", "replicas"], control);
        let group = ValueControl::Group {
            fields: vec![inner],
        };
        ValuesForm {
            fields: vec![field(&["web"], group), field(&["webs"], ValueControl::Yaml)],
            ..ValuesForm::default()
        }
    }

    #[test]
    fn a_field_is_found_in_its_group_and_its_problem_opens_the_group() {
        let mut form = form(ValueControl::Switch);
        let path = ["web".to_owned(), "replicas".to_owned()];
        assert!(find(&form.fields, &path).is_some());
        assert!(find(&form.fields, &["webs".to_owned()]).is_some());
        assert_eq!(at(Some(&form), &path[..1]).len(), 1);
        assert_eq!(at(None, &[]), []);
        assert!(!has_problem(&form.fields[0]));
        if let ValueControl::Group { fields } = &mut form.fields[0].control {
            fields[0].problem = Some("too many".into());
        }
        assert!(has_problem(&form.fields[0]));
    }

    #[test]
    fn another_value_keeps_the_control_and_another_kind_of_value_does_not() {
        let mut one = field(&["a"], ValueControl::Switch);
        let before = shape(&one);
        one.text = "true".into();
        one.problem = Some("no".into());
        assert_eq!(shape(&one), before);
        one.control = ValueControl::List;
        assert_ne!(shape(&one), before);
    }
}
