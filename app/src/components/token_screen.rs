//! Without a token there is nothing to show: how to get the link again.

use leptos::prelude::*;
use leptos_meta::Title;

use super::header::Mark;
use crate::live::{Connection, Live};
use crate::token;
use crate::ui::{Button, ButtonKind, CommandBlock, TextField};

#[component]
pub fn TokenScreen() -> impl IntoView {
    let live = Live::expect();
    let pasted = RwSignal::new(String::new());
    let problem = RwSignal::new(None::<String>);
    let open = move |()| match pasted.with_untracked(|text| token::parse(text).map(str::to_owned)) {
        Some(token) => {
            token::store(&token);
            pasted.set(String::new());
            live.retry();
        }
        None => problem.set(Some("That is neither the link nor the token".to_owned())),
    };
    let title = move || match live.connection() {
        Connection::Refused => "This link is no longer valid",
        _ => "This page needs its link",
    };
    let text = move || match live.connection() {
        Connection::Refused => {
            "Slipway makes a new link at every start, so the one this tab has belongs to an earlier start, or whoever gave it to you has ended it."
        }
        _ => {
            "Slipway only talks to pages opened with the link it printed, so that no other page on this machine can act for you."
        }
    };
    view! {
        <Title text="Link needed" />
        <section class="token-screen" aria-labelledby="token-title">
            <Mark />
            <h1 class="page-title" id="token-title">
                {title}
            </h1>
            <p class="page-lede">{text}</p>
            <p>"Look in the terminal where Slipway runs for this line and open the link in it:"</p>
            <CommandBlock command="Slipway is ready at http://127.0.0.1:4747/#token=…" />
            <form
                class="token-form"
                on:submit=move |event| {
                    event.prevent_default();
                    open(());
                }
            >
                <TextField
                    id="token"
                    label="Or paste the link or the token here"
                    value=pasted
                    problem
                />
                <Button kind=ButtonKind::Primary on_press=open>
                    "Open"
                </Button>
            </form>
        </section>
    }
    .into_any()
}
