//! The plan: every object by what would happen to it, changed fields before and after.

use leptos::prelude::*;

use super::words;
use crate::model::{Change, DeployPlan, FieldChange, PlannedObject};
use crate::ui::StatusBadge;

/// Worst first: what goes away, what changes, what is new, what stays.
const ORDER: [Change; 4] = [
    Change::Delete,
    Change::Update,
    Change::Create,
    Change::Unchanged,
];

#[component]
pub fn PlanDiff(plan: DeployPlan) -> impl IntoView {
    let groups: Vec<(Change, Vec<PlannedObject>)> = ORDER
        .into_iter()
        .map(|change| {
            let of_it = |object: &&PlannedObject| object.change == change;
            (change, plan.objects.iter().filter(of_it).cloned().collect())
        })
        .filter(|(_, objects): &(_, Vec<_>)| !objects.is_empty())
        .collect();
    view! {
        <div class="plan">
            {groups
                .into_iter()
                .map(|(change, objects)| view! { <Group change objects /> })
                .collect_view()}
        </div>
    }
    .into_any()
}

#[component]
fn Group(change: Change, objects: Vec<PlannedObject>) -> impl IntoView {
    let (tone, word) = words::change(change);
    let count = objects.len();
    let label = format!("{word}: {count}");
    view! {
        <section aria-label=label>
            <h3 class="plan-group-title">
                <StatusBadge tone word />
                <span class="plan-count">{count}</span>
            </h3>
            <ul class="plan-objects">
                {objects.into_iter().map(|object| view! { <Object object /> }).collect_view()}
            </ul>
        </section>
    }
    .into_any()
}

#[component]
fn Object(object: PlannedObject) -> impl IntoView {
    let place = if object.namespace.is_empty() {
        String::new()
    } else {
        format!("in {}", object.namespace)
    };
    let has_fields = !object.fields.is_empty();
    let is_update = object.change == Change::Update;
    let count = object.fields.len() as u32 + object.more_fields;
    let head = view! {
        <span class="plan-kind">{object.kind}</span>
        <span class="plan-name">{object.name}</span>
        <span class="plan-place">{place}</span>
        {has_fields
            .then(|| {
                view! {
                    <span class="plan-fields-count">
                        {if count == 1 { "1 field".to_owned() } else { format!("{count} fields") }}
                    </span>
                }
            })}
    };
    if !has_fields {
        return view! { <li class="plan-object">{head}</li> }.into_any();
    }
    view! {
        <li>
            <details class="plan-details" open=is_update>
                <summary class="plan-object">{head}</summary>
                <div class="diff">
                    {object.fields.into_iter().map(field).collect_view()}
                    {(object.more_fields > 0)
                        .then(|| {
                            view! {
                                <p class="diff-more">{format!("and {} more", object.more_fields)}</p>
                            }
                        })}
                </div>
            </details>
        </li>
    }
    .into_any()
}

fn field(change: FieldChange) -> impl IntoView {
    view! {
        <div class="diff-field">
            <p class="diff-path">{change.path}</p>
            {change
                .before
                .map(|before| {
                    view! {
                        <p class="diff-before" dir="auto">
                            <span aria-hidden="true">"−"</span>
                            <del>{before}</del>
                        </p>
                    }
                })}
            {change
                .after
                .map(|after| {
                    view! {
                        <p class="diff-after" dir="auto">
                            <span aria-hidden="true">"+"</span>
                            <ins>{after}</ins>
                        </p>
                    }
                })}
        </div>
    }
    .into_any()
}
