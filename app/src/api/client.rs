//! How the browser calls: a plain `fetch` with the two headers that the guard asks for.

use std::future::Future;

use futures::{Sink, Stream};
use leptos::server_fn::Bytes;
use leptos::server_fn::client::{Client, browser::BrowserClient};
use leptos::server_fn::error::FromServerFnError;
use leptos::server_fn::request::browser::BrowserRequest;
use leptos::server_fn::response::browser::BrowserResponse;

use crate::{live, token};

/// The client of every server function here.
#[derive(Debug)]
pub struct PanelClient;

impl<E, I, O> Client<E, I, O> for PanelClient
where
    E: FromServerFnError,
    I: FromServerFnError,
    O: FromServerFnError,
{
    type Request = BrowserRequest;
    type Response = BrowserResponse;

    fn send(request: BrowserRequest) -> impl Future<Output = Result<BrowserResponse, E>> + Send {
        let headers = request.headers();
        headers.set("x-slipway", "1");
        // A wish is granted once, however often its request arrives, and only on the cluster that
        // the page shows.
        headers.set("x-slipway-wish", &wish_key());
        headers.set("x-slipway-era", &live::era().to_string());
        if let Some(authorization) = token::authorization() {
            headers.set("authorization", &authorization);
        }
        <BrowserClient as Client<E, I, O>>::send(request)
    }

    fn open_websocket(
        path: &str,
    ) -> impl Future<
        Output = Result<
            (
                impl Stream<Item = Result<Bytes, Bytes>> + Send + 'static,
                impl Sink<Bytes> + Send + 'static,
            ),
            E,
        >,
    > + Send {
        <BrowserClient as Client<E, I, O>>::open_websocket(path)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) {
        <BrowserClient as Client<E, I, O>>::spawn(future);
    }
}

/// Different for every wish; not a secret.
fn wish_key() -> String {
    let part = || (js_sys::Math::random() * f64::from(u32::MAX)) as u32;
    format!("{:08x}-{:08x}-{:08x}", part(), part(), part())
}
