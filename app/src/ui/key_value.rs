//! Facts as pairs: a term and its value.

use leptos::prelude::*;

/// Pairs with an empty value are left out.
#[component]
pub fn KeyValue(#[prop(into)] pairs: Signal<Vec<(&'static str, String)>>) -> impl IntoView {
    view! {
        <dl class="facts">
            {move || {
                pairs
                    .get()
                    .into_iter()
                    .filter(|(_, value)| !value.is_empty())
                    .map(|(term, value)| {
                        view! {
                            <div class="fact">
                                <dt>{term}</dt>
                                <dd dir="auto">{value}</dd>
                            </div>
                        }
                    })
                    .collect_view()
            }}
        </dl>
    }
    .into_any()
}
