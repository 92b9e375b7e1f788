//! The app: the store, the chrome around every page, and the routes.

use std::time::Duration;

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::Lazy;
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::hooks::use_location;
use leptos_router::path;

use crate::components::{
    AllWindows, Announcer, Arrival, AskForName, ConnectionBanner, GuardBanner, GuardNote, Header,
    TokenScreen, Walk, Windows, shortcuts,
};
use crate::live::{Connection, Live};
use crate::model::Slice;
use crate::pages::*;
use crate::token;
use crate::ui::{DialogNote, SkipLink};

/// How long the first page has the connection and the processor for itself.
const AFTER_THE_FIRST_PAGE: Duration = Duration::from_secs(2);

/// Everything inside `<body>`.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let live = Live::provide();
    provide_context(Arrival(StoredValue::new(true)));
    AskForName::provide();
    Windows::provide();
    provide_context(DialogNote(GuardNote.into()));
    Effect::new(move |_| {
        token::take_from_address();
        live.start();
        // The link pasted into the tab that is open already changes the fragment alone.
        window_event_listener(leptos::ev::hashchange, move |_| {
            if token::take_from_address() {
                live.retry();
            }
        });
    });
    // What the first page did not need comes once that page can be used.
    Effect::new(move |_| {
        if live.has_snapshot() {
            set_timeout(
                || leptos::task::spawn_local(load_all()),
                AFTER_THE_FIRST_PAGE,
            );
        }
    });
    let has_token =
        Memo::new(move |_| !matches!(live.connection(), Connection::NoToken | Connection::Refused));
    view! {
        <Title formatter=|text: String| {
            if text.is_empty() { "Slipway".to_owned() } else { format!("{text} · Slipway") }
        } />
        <Router>
            <SkipLink />
            <Chrome has_token />
            <main id="main" class="main" tabindex="-1">
                <Show when=move || has_token.get() fallback=TokenScreen>
                    <FlatRoutes fallback=NotFoundPage>
                        <Route path=path!("/") view=HomePage />
                        <Route path=path!("/adopt") view={Lazy::<AdoptRoute>::new()} />
                        <Route path=path!("/setup") view={Lazy::<SetupRoute>::new()} />
                        <Route path=path!("/secrets") view={Lazy::<SecretsRoute>::new()} />
                        <Route path=path!("/images") view={Lazy::<ImagesRoute>::new()} />
                        <Route path=path!("/deploy") view={Lazy::<DeployRoute>::new()} />
                        <Route path=path!("/assist") view={Lazy::<AssistRoute>::new()} />
                        <Route path=path!("/live") view={Lazy::<LiveRoute>::new()} />
                        <Route path=path!("/demo") view={Lazy::<DemoRoute>::new()} />
                    </FlatRoutes>
                </Show>
            </main>
            <AllWindows />
            <Shortcuts />
        </Router>
    }
}

/// The bars above every page; the demo screen has none.
#[component]
fn Chrome(has_token: Memo<bool>) -> impl IntoView {
    let pathname = use_location().pathname;
    let is_bare = Memo::new(move |_| pathname.with(|path| path == "/demo") || !has_token.get());
    let live = Live::expect();
    // A folder that is no project yet has no walk.
    let has_walk = live.memo(&[Slice::Project], |state| {
        state.project.is_some() || state.adoption.is_none()
    });
    view! {
        <Show when=move || !is_bare.get()>
            <Header />
            <Show when=move || has_walk.get()>
                <Walk />
            </Show>
            <ConnectionBanner />
            <GuardBanner />
            <Announcer />
        </Show>
    }
}

/// The keyboard of the whole panel; inside the router, because keys lead to pages.
#[component]
fn Shortcuts() -> impl IntoView {
    shortcuts::listen();
}
