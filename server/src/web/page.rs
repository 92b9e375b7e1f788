//! The pages: one server-rendered shell for every path. It holds no data and no token, because it is
//! what a request without a token gets.

use axum::body::Body;
use axum::response::{Html, IntoResponse, Response};
use http::header::{self, HeaderValue};
use http::{Request, StatusCode};
use leptos::config::LeptosOptions;
use leptos::context::use_context;
use leptos::nonce::use_nonce;
use leptos_axum::ResponseOptions;

use super::assets;

/// The paths the app has pages for; anything else is answered with the app's own "not found".
const PAGES: [&str; 9] = [
    "/", "/adopt", "/setup", "/secrets", "/images", "/deploy", "/assist", "/live", "/demo",
];

const NOT_BUILT: &str = "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>Slipway</title>\
<h1>The web assets are not built</h1>\
<p>This binary was built without the browser half of Slipway. Build and start both with \
<code>cargo xtask serve</code> in the source folder.</p>\
<p>Everything also works without a browser: <code>slipway up --help</code>.</p></html>";

/// Tells Leptos to run what a page starts on this program's runtime; once is enough.
pub fn prepare() {
    // Refused only when it was told before, and then it knows.
    let _ = any_spawner::Executor::init_tokio();
}

/// The shell for this path.
pub async fn render(request: Request<Body>) -> Response {
    if !assets::are_built() {
        return (StatusCode::SERVICE_UNAVAILABLE, Html(NOT_BUILT)).into_response();
    }
    let is_page = PAGES.contains(&request.uri().path());
    let options = LeptosOptions::builder()
        .output_name("slipway")
        .site_pkg_dir("pkg")
        .build();
    let shell = move || app::shell(options.clone());
    let mut response = leptos_axum::render_app_async_with_context(set_policy, shell)(request).await;
    if !is_page {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

/// Lets exactly this request's scripts run.
fn set_policy() {
    let (Some(nonce), Some(response)) = (use_nonce(), use_context::<ResponseOptions>()) else {
        return;
    };
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; \
         style-src 'self' 'nonce-{nonce}'; style-src-attr 'unsafe-inline'; font-src 'self'; \
         img-src 'self' data:; connect-src 'self'; manifest-src 'self'; frame-ancestors 'none'; \
         base-uri 'none'; form-action 'self'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
    }
}
