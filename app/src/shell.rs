//! The HTML document around the app. It holds neither data nor a token: it is the one thing that
//! a request without a token may see.

use leptos::prelude::*;
use leptos_meta::MetaTags;

use crate::App;

/// The whole document, for `leptos_axum`. Every script in it carries the request's nonce.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let style_sheet = format!("/{}/{}.css", options.site_pkg_dir, options.output_name);
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
                <HydrationScripts options />
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}
