//! The code of the pages comes in parts, so that the first page is there early: a part is fetched when
//! one of its pages is shown first, and all of them once there is a state to show.

use leptos::prelude::*;
use leptos::wasm_split::{SplitLoaderError, wasm_split};
use leptos_meta::Title;
use leptos_router::LazyRoute;

use crate::ui::{Button, ButtonKind};

/// Routes to pages, and the part that each page's code is in. Parts are cut by what is shown together:
/// what several parts share becomes a file of its own for every set of them, so a few are enough.
macro_rules! parts {
    ($($part:ident: $route:ident = $page:ident at $path:literal;)+) => {
        $(
            #[derive(Clone, Copy, Debug)]
            pub struct $route;

            const _: () = {
                // Named as the page, because the name decides which export belongs to which import.
                #[allow(non_snake_case)]
                #[wasm_split($part, wasm_split_path = leptos::wasm_split, preload(load), fallible)]
                fn $page() -> Result<AnyView, SplitLoaderError> {
                    Ok(super::$page().into_any())
                }

                impl LazyRoute for $route {
                    fn data() -> Self {
                        Self
                    }

                    async fn view(_: Self) -> AnyView {
                        match $page().await {
                            Ok(page) => page,
                            Err(_) => NotLoaded().into_any(),
                        }
                    }

                    async fn preload() {
                        let _ = load().await;
                    }
                }

                impl $route {
                    async fn load() -> Result<(), SplitLoaderError> {
                        load().await
                    }
                }
            };
        )+

        /// Fetches the code of the page at this path; pages that are always there need none.
        pub async fn load_page(path: &str) -> Result<(), SplitLoaderError> {
            match path.trim_end_matches('/') {
                $($path => $route::load().await,)+
                _ => Ok(()),
            }
        }

        /// Fetches what is not here yet, one after the other: a page that is opened later, also when
        /// Slipway itself has gone by then, is there at once.
        pub async fn load_all() {
            $(let _ = $route::load().await;)+
        }
    };
}

parts! {
    prepare: AdoptRoute = AdoptPage at "/adopt";
    prepare: SetupRoute = SetupPage at "/setup";
    prepare: SecretsRoute = SecretsPage at "/secrets";
    prepare: ImagesRoute = ImagesPage at "/images";
    deploy: DeployRoute = DeployPage at "/deploy";
    assist: AssistRoute = AssistPage at "/assist";
    live: LiveRoute = LivePage at "/live";
    demo: DemoRoute = DemoPage at "/demo";
}

/// The code of the page did not come: Slipway has ended, or another build of it answers here now.
#[component]
fn NotLoaded() -> impl IntoView {
    view! {
        <Title text="Not loaded" />
        <section class="splash" aria-labelledby="page-title">
            <h1 class="page-title" id="page-title">
                "This page could not be loaded"
            </h1>
            <p class="page-lede" role="alert">
                "Slipway does not answer, or another version of it was started here. Start it again if it has ended, and load the page anew."
            </p>
            <Button
                kind=ButtonKind::Primary
                on_press=move |()| {
                    let _ = window().location().reload();
                }
            >
                "Load the page anew"
            </Button>
        </section>
    }
    .into_any()
}
