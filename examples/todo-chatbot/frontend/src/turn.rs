//! The backend's events of a turn, as the page's script wants them.

use std::convert::Infallible;

use axum::response::sse::Event;
use eventsource_stream::Eventsource;
use futures_util::{Stream, StreamExt};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::json;

use crate::{backend::Todo, page};

#[derive(Deserialize)]
struct List {
    todos: Vec<Todo>,
}

/// Words pass as they are; a list becomes markup. A stream that breaks off ends here too: the script
/// then asks for the page, which has the truth.
pub fn events(body: Incoming) -> impl Stream<Item = Result<Event, Infallible>> {
    body.into_data_stream()
        .eventsource()
        .take_while(|event| std::future::ready(event.is_ok()))
        .filter_map(|event| async move { event.ok().and_then(told).map(Ok) })
}

fn told(event: eventsource_stream::Event) -> Option<Event> {
    let data = match event.event.as_str() {
        "text" | "again" => return Some(Event::default().event(event.event).data(event.data)),
        "todos" => {
            let list: List = serde_json::from_str(&event.data).ok()?;
            json!({"todos": page::todos(&list.todos), "count": page::count_of(&list.todos)})
        }
        // What it brings is on the page, which the script fetches next.
        "end" | "error" => json!({}),
        _ => return None,
    };
    Event::default().event(event.event).json_data(data).ok()
}
