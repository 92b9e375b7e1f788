//! The plan: every object by what would happen to it, changed fields before and after.

use leptos::prelude::*;

use super::words;
use crate::model::{Change, DeployPlan, PlannedObject};
use crate::ui::StatusBadge;

#[component]
pub fn PlanDiff(plan: DeployPlan) -> impl IntoView {
    let groups: Vec<(Change, Vec<PlannedObject>)> = Change::ALL
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
    let count = object.fields;
    view! {
        <li class="plan-object">
            <span class="plan-kind">{object.kind}</span>
            <span class="plan-name">{object.name}</span>
            <span class="plan-place">{place}</span>
            {(count > 0)
                .then(|| {
                    view! {
                        <span class="plan-fields-count">
                            {if count == 1 { "1 field".to_owned() } else { format!("{count} fields") }}
                        </span>
                    }
                })}
        </li>
    }
    .into_any()
}
