//! A stream of server-sent events read with `fetch`, because `EventSource` can neither send the
//! token's header nor a body.

use std::ops::ControlFlow;

use leptos::prelude::window;
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, Headers, ReadableStreamDefaultReader, RequestInit, Response};

use super::frames::FrameParser;

/// How a stream ended.
pub(super) enum End {
    /// The token was not taken.
    Refused,
    /// It was not answered with a stream; the answer's text.
    NoStream(String),
    /// It ended, broke, or was stopped.
    Over,
}

/// Reads a stream to its end; `on_frame` may stop it. What JavaScript throws is an end like another.
pub(super) async fn frames(
    path: &str,
    authorization: &str,
    body: Option<&str>,
    controller: &AbortController,
    on_frame: impl FnMut(Option<&str>) -> ControlFlow<()>,
) -> End {
    let end = read(path, authorization, body, controller, on_frame)
        .await
        .unwrap_or(End::Over);
    controller.abort();
    end
}

/// `on_frame` gets every event's data, and nothing for a chunk that completes none: a sign of life.
async fn read(
    path: &str,
    authorization: &str,
    body: Option<&str>,
    controller: &AbortController,
    mut on_frame: impl FnMut(Option<&str>) -> ControlFlow<()>,
) -> Result<End, JsValue> {
    let headers = Headers::new()?;
    headers.set("authorization", authorization)?;
    headers.set("x-slipway", "1")?;
    headers.set("accept", "text/event-stream")?;
    let init = RequestInit::new();
    init.set_signal(Some(&controller.signal()));
    if let Some(body) = body {
        headers.set("content-type", "application/json")?;
        headers.set("x-slipway-era", &super::era().to_string())?;
        init.set_method("POST");
        init.set_body(&JsValue::from_str(body));
    }
    init.set_headers(&headers);
    let response: Response = JsFuture::from(window().fetch_with_str_and_init(path, &init))
        .await?
        .dyn_into()?;
    if matches!(response.status(), 401 | 403) {
        return Ok(End::Refused);
    }
    if !response.ok() {
        let text = JsFuture::from(response.text()?).await?;
        return Ok(End::NoStream(text.as_string().unwrap_or_default()));
    }
    let Some(stream) = response.body() else {
        return Ok(End::Over);
    };
    let reader: ReadableStreamDefaultReader = stream.get_reader().dyn_into()?;
    let mut parser = FrameParser::default();
    loop {
        let chunk = JsFuture::from(reader.read()).await?;
        let value = js_sys::Reflect::get(&chunk, &JsValue::from_str("value"))?;
        if value.is_undefined() {
            return Ok(End::Over);
        }
        let bytes = js_sys::Uint8Array::new(&value).to_vec();
        let Ok(frames) = parser.push(&bytes) else {
            return Ok(End::Over);
        };
        if frames.is_empty() && on_frame(None).is_break() {
            return Ok(End::Over);
        }
        for frame in &frames {
            if on_frame(Some(frame)).is_break() {
                return Ok(End::Over);
            }
        }
    }
}

/// The text of an answer that is one; none when it is refused or not there.
pub(super) async fn text(path: &str, authorization: &str) -> Option<String> {
    let get = async {
        let headers = Headers::new()?;
        headers.set("authorization", authorization)?;
        headers.set("x-slipway", "1")?;
        let init = RequestInit::new();
        init.set_headers(&headers);
        let response: Response = JsFuture::from(window().fetch_with_str_and_init(path, &init))
            .await?
            .dyn_into()?;
        let is_ok = response.ok();
        let text = JsFuture::from(response.text()?).await?;
        Ok::<_, JsValue>(text.as_string().filter(|_| is_ok))
    };
    get.await.ok().flatten()
}

/// Reads a message. Answers of server functions are read from bytes; reading these from bytes as well
/// has the compiler write the reader of every type once instead of twice.
pub(super) fn decode<T: DeserializeOwned>(json: &str) -> Option<T> {
    serde_json::from_slice(json.as_bytes()).ok()
}

pub async fn sleep_ms(ms: u32) {
    let promise = js_sys::Promise::new(&mut |resolve, _reject| {
        let _ = window().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, ms as i32);
    });
    let _ = JsFuture::from(promise).await;
}
