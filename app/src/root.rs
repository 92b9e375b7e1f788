//! The app: the store, the chrome around every page, and the routes.

use leptos::prelude::*;
use leptos_meta::provide_meta_context;
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::path;

use crate::live::Live;
use crate::pages::*;
use crate::token;

/// Everything inside `<body>`.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let live = Live::provide();
    Effect::new(move |_| {
        token::take_from_address();
        live.start();
    });
    view! {
        <Router>
            <FlatRoutes fallback=NotFoundPage>
                <Route path=path!("/") view=HomePage />
                <Route path=path!("/setup") view=SetupPage />
                <Route path=path!("/secrets") view=SecretsPage />
                <Route path=path!("/images") view=ImagesPage />
                <Route path=path!("/deploy") view=DeployPage />
                <Route path=path!("/assist") view=AssistPage />
                <Route path=path!("/live") view=LivePage />
                <Route path=path!("/demo") view=DemoPage />
            </FlatRoutes>
        </Router>
    }
}
