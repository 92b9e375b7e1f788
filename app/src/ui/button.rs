//! Buttons. A disabled one says why; a busy one shows it and cannot be pressed twice.

use leptos::prelude::*;
use tailwind_rs_macros::classes;

/// How much a button asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ButtonKind {
    /// The one thing to do here.
    Primary,
    #[default]
    Secondary,
    /// For tools that should not shout.
    Quiet,
    /// Takes something away.
    Danger,
}

impl ButtonKind {
    fn classes(self) -> &'static str {
        match self {
            Self::Primary => classes! { base: "btn", variant: "btn-primary" },
            Self::Secondary => classes! { base: "btn", variant: "btn-secondary" },
            Self::Quiet => classes! { base: "btn", variant: "btn-quiet" },
            Self::Danger => classes! { base: "btn", variant: "btn-danger" },
        }
    }
}

/// A push button. `label` names it for those who cannot see its surroundings.
#[component]
pub fn Button(
    #[prop(optional)] kind: ButtonKind,
    /// Why it cannot be pressed now; none when it can.
    #[prop(optional, into)]
    disabled_why: Signal<Option<String>>,
    #[prop(optional, into)] busy: Signal<bool>,
    #[prop(optional, into)] label: Signal<Option<String>>,
    /// For toggles: whether it is pressed in.
    #[prop(optional, into)]
    pressed: Signal<Option<bool>>,
    #[prop(into)] on_press: Callback<()>,
    children: Children,
) -> impl IntoView {
    let is_off = move || busy.get() || disabled_why.with(Option::is_some);
    let press = move |_| {
        if !is_off() {
            on_press.run(());
        }
    };
    view! {
        <span class="btn-with-why">
            <button
                type="button"
                class=kind.classes()
                aria-disabled=move || is_off().then_some("true")
                aria-busy=move || busy.get().then_some("true")
                aria-label=move || label.get()
                aria-description=move || disabled_why.get()
                aria-pressed=move || pressed.get().map(|pressed| pressed.to_string())
                on:click=press
            >
                {move || busy.get().then(|| view! { <span class="btn-spinner" aria-hidden="true"></span> })}
                {children()}
            </button>
            {move || {
                disabled_why.get().map(|why| view! { <span class="btn-why" aria-hidden="true">{why}</span> })
            }}
        </span>
    }
    .into_any()
}

/// A link that looks like a button, because it leads somewhere.
#[component]
pub fn LinkButton(
    #[prop(optional)] kind: ButtonKind,
    #[prop(into)] href: Signal<String>,
    /// Opens in a tab of its own.
    #[prop(optional)]
    outside: bool,
    children: Children,
) -> impl IntoView {
    view! {
        <a
            class=kind.classes()
            href=move || href.get()
            target=outside.then_some("_blank")
            rel=outside.then_some("noopener noreferrer external")
        >
            {children()}
        </a>
    }
    .into_any()
}
