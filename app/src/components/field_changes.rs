//! Changed fields by their paths: what was, what is, and by whom when that is known.

use leptos::prelude::*;

use super::Age;
use crate::model::FieldChange;

/// `more` fields are not listed.
#[component]
pub fn FieldChanges(fields: Vec<FieldChange>, #[prop(optional)] more: u32) -> impl IntoView {
    view! {
        {(!fields.is_empty())
            .then(|| view! { <dl class="drift-fields">{fields.into_iter().map(field).collect_view()}</dl> })}
        {(more > 0).then(|| view! { <p class="diff-more">{format!("and {more} more fields")}</p> })}
    }
    .into_any()
}

fn field(field: FieldChange) -> impl IntoView {
    let by = field.owners.into_iter().next();
    view! {
        <div class="drift-field">
            <dt class="conflict-path">{field.path}</dt>
            <dd class="drift-values">
                <del class="diff-removed">{field.before.unwrap_or_else(|| "–".to_owned())}</del>
                <span aria-hidden="true">"→"</span>
                <span class="sr-only">" is now "</span>
                <ins class="diff-added">{field.after.unwrap_or_else(|| "gone".to_owned())}</ins>
            </dd>
            {by
                .map(|owner| {
                    view! {
                        <dd class="drift-by">
                            {format!("by {}", owner.manager)}
                            {owner.at.map(|at| view! { " " <Age at /> })}
                        </dd>
                    }
                })}
        </div>
    }
    .into_any()
}
