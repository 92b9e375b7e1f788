//! What stands in an object's way: fields others hold, a field that cannot be changed, a refusal.
//! Taking over and replacing are choices of their own, and the plan is made anew with them.

use leptos::prelude::*;

use super::object_pane::trouble_tone;
use super::{Shared, choices_with};
use crate::components::Age;
use crate::model::{Change, FieldConflict, PlanChoices, PlannedObject};
use crate::ui::{Button, ButtonKind, Notice, Tone};

#[component]
pub fn Choices(
    shared: Shared,
    object: PlannedObject,
    on_choose: Signal<Option<Callback<PlanChoices>>>,
) -> impl IntoView {
    let key = StoredValue::new(object.key.clone());
    let choose = move |force: bool, replace: bool| {
        let choices = shared.plan.with_untracked(|plan| {
            plan.as_ref()
                .map(|plan| key.with_value(|key| choices_with(plan, key, force, replace)))
        });
        if let (Some(on_choose), Some(choices)) = (on_choose.get_untracked(), choices) {
            on_choose.run(choices);
        }
    };
    let may = move || on_choose.with(Option::is_some);
    let is_forced = object.chosen && object.can_be_forced();
    let is_replaced = object.chosen && object.change == Change::Replace;
    let can_replace = object.change == Change::Replace && !object.chosen;
    let can_force = object.can_be_forced() && !object.chosen;
    if is_replaced {
        return view! {
            <Notice tone=Tone::Attention title="It is deleted and made anew">
                <p>"Its pods or addresses are gone for a moment; what depends on it is told by its owner."</p>
                <Show when=may>
                    <Button on_press=move |()| choose(false, false)>"Do not replace it"</Button>
                </Show>
            </Notice>
        }
        .into_any();
    }
    let tone = trouble_tone(&object);
    let problem = object.problem.clone();
    let conflicts = object.conflicts.clone();
    if problem.is_none() && conflicts.is_empty() {
        return ().into_any();
    }
    let title = match (&problem, is_forced) {
        (_, true) => "These fields are taken over".to_owned(),
        (Some(problem), false) => problem.what.clone(),
        (None, false) => "Others hold fields of it".to_owned(),
    };
    let why = problem.map(|problem| problem.why);
    view! {
        <Notice tone=if is_forced { Tone::Attention } else { tone } title>
            {why.map(|why| view! { <p>{why}</p> })} {table(conflicts)}
            <Show when=may>
                <div class="preview-acts">
                    {can_force
                        .then(|| {
                            view! {
                                <Button
                                    kind=ButtonKind::Danger
                                    on_press=move |()| choose(true, false)
                                >
                                    "Force these fields"
                                </Button>
                            }
                        })}
                    {is_forced
                        .then(|| {
                            view! {
                                <Button on_press=move |()| choose(false, false)>
                                    "Leave them to their manager"
                                </Button>
                            }
                        })}
                    {can_replace
                        .then(|| {
                            view! {
                                <Button
                                    kind=ButtonKind::Danger
                                    on_press=move |()| choose(false, true)
                                >
                                    "Replace it: delete and make anew"
                                </Button>
                            }
                        })}
                </div>
            </Show>
        </Notice>
    }
    .into_any()
}

fn table(conflicts: Vec<FieldConflict>) -> impl IntoView {
    (!conflicts.is_empty()).then(|| {
        view! {
            <table class="conflicts">
                <thead>
                    <tr>
                        <th scope="col">"Field"</th>
                        <th scope="col">"Held by"</th>
                        <th scope="col">"Has"</th>
                        <th scope="col">"Manifest"</th>
                    </tr>
                </thead>
                <tbody>{conflicts.into_iter().map(row).collect_view()}</tbody>
            </table>
        }
    })
}

fn row(conflict: FieldConflict) -> impl IntoView {
    let value = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    view! {
        <tr>
            <th scope="row" class="conflict-path">
                {conflict.path}
            </th>
            <td>
                {conflict.owner.manager}
                {conflict
                    .owner
                    .at
                    .map(|at| view! { <span class="conflict-when"><Age at /></span> })}
            </td>
            <td class="conflict-value" data-label="Has">
                {value(conflict.theirs)}
            </td>
            <td class="conflict-value" data-label="Manifest">
                {value(conflict.ours)}
            </td>
        </tr>
    }
}
