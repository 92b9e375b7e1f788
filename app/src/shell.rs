//! The HTML document around the app. It holds neither data nor a token: it is the one thing that
//! a request without a token may see.

use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_meta::MetaTags;

use crate::App;

/// The whole document, for `leptos_axum`. Every script in it carries the request's nonce.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let file = |kind: &str| format!("/{}/{}.{kind}", options.site_pkg_dir, options.output_name);
    let (style_sheet, script, wasm) = (file("css"), file("js"), file("wasm"));
    let parts = format!("/{}/{}_parts.js", options.site_pkg_dir, options.output_name);
    // What `HydrationScripts` writes, but with the nonce on the preload as well: under
    // 'strict-dynamic' the browser refuses a module preload without one.
    let start = format!(
        "import({script:?}).then(slipway => slipway.default({{module_or_path: {wasm:?}}}).then(() => slipway.hydrate()))"
    );
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <meta name="referrer" content="no-referrer" />
                <meta name="description" content="From source to a healthy app on Kubernetes" />
                <link rel="icon" type="image/svg+xml" href="/favicon.svg" />
                <link
                    rel="preload"
                    href="/fonts/geist.woff2"
                    r#as="font"
                    r#type="font/woff2"
                    crossorigin="anonymous"
                />
                <link rel="stylesheet" href=style_sheet />
                <link rel="modulepreload" href=script nonce=use_nonce() />
                <link rel="modulepreload" href=parts nonce=use_nonce() />
                <link
                    rel="preload"
                    href=wasm
                    r#as="fetch"
                    r#type="application/wasm"
                    crossorigin="anonymous"
                />
                <script type="module" nonce=use_nonce()>
                    {start}
                </script>
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}
