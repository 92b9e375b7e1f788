//! An address that leads nowhere.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::ui::{ButtonKind, LinkButton};

#[component]
pub fn NotFoundPage() -> impl IntoView {
    view! {
        <Title text="Not found" />
        <section class="splash" aria-labelledby="page-title">
            <h1 class="page-title" id="page-title">
                "There is no such page"
            </h1>
            <p class="page-lede">"The address may be mistyped. The walk has six steps, all named above."</p>
            <LinkButton kind=ButtonKind::Primary href="/".to_owned()>
                "Go to the current step"
            </LinkButton>
        </section>
    }
    .into_any()
}
