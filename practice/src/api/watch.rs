//! Watches: an initial state where it is asked for, then events from the kind's history, with
//! bookmarks and the in-stream error that tells a client to list again.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::list::check_version;
use super::request::{Query, Rendering, Selectors, Target};
use super::serve::ApiServer;
use super::status::StatusError;
use super::store::{Action, Event};
use super::table;
use super::views;

/// How often an idle watch tells its position.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// Answers a watch request.
pub fn answer(
    api: &Arc<ApiServer>,
    target: &Target,
    query: &Query,
    request: &Request<Body>,
) -> Result<Response, StatusError> {
    let mut selectors = query.selectors(target.kind)?;
    if let Some(name) = &target.name {
        let one =
            super::selectors::FieldSelector::parse(target.kind, &format!("metadata.name={name}"))
                .map_err(StatusError::bad_request)?;
        selectors.fields = one;
    }
    let rendering = Rendering::of(request.headers(), query)?;
    let send_initial = query.get("sendInitialEvents").map(|v| v == "true");
    if send_initial == Some(true) && query.get("resourceVersionMatch") != Some("NotOlderThan") {
        return Err(StatusError::new(
            422,
            "Invalid",
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ));
    }
    check_version(query, api.store.current_rv())?;
    let asked: u64 = query.number("resourceVersion")?.unwrap_or(0);
    let changed = api
        .store
        .subscribe(target.kind)
        .ok_or_else(StatusError::no_such_path)?;
    let timeout: Option<u64> = query.number("timeoutSeconds")?;
    let (lines, receiver) = mpsc::channel(64);
    let mut task = Watch {
        api: api.clone(),
        target: target.clone(),
        selectors,
        rendering,
        bookmarks: query.flag("allowWatchBookmarks"),
        cursor: asked,
        columns_sent: false,
        lines,
    };
    let initial = send_initial.unwrap_or(asked == 0);
    let deadline =
        Instant::now() + Duration::from_secs(timeout.filter(|s| *s > 0).unwrap_or(45 * 60));
    tokio::spawn(async move {
        // An error here means that the client went away, which ends the watch.
        let _ = task
            .run(initial, send_initial == Some(true), changed, deadline)
            .await;
    });
    let body = Body::from_stream(futures::StreamExt::map(
        tokio_stream::wrappers::ReceiverStream::new(receiver),
        Ok::<Bytes, std::convert::Infallible>,
    ));
    let mut response = Response::new(body);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json;stream=watch"),
    );
    Ok(response)
}

struct Watch {
    api: Arc<ApiServer>,
    target: Target,
    selectors: Selectors,
    rendering: Rendering,
    bookmarks: bool,
    cursor: u64,
    columns_sent: bool,
    lines: mpsc::Sender<Bytes>,
}

/// The client went away.
struct Gone;

impl Watch {
    async fn run(
        &mut self,
        initial: bool,
        mark_end: bool,
        mut changed: watch::Receiver<u64>,
        deadline: Instant,
    ) -> Result<(), Gone> {
        if initial {
            self.send_state(mark_end).await?;
        }
        let mut bookmark_at = Instant::now() + BOOKMARK_EVERY;
        loop {
            changed.borrow_and_update();
            let events = match self.api.store.events_after(self.target.kind, self.cursor) {
                Ok(events) => events,
                Err(error) => return self.send("ERROR", &error.to_value()).await,
            };
            for event in events {
                self.cursor = event.rv;
                self.send_event(&event).await?;
            }
            tokio::select! {
                more = changed.changed() => if more.is_err() { return Ok(()) },
                () = tokio::time::sleep_until(bookmark_at) => {
                    self.send_bookmark(false).await?;
                    bookmark_at = Instant::now() + BOOKMARK_EVERY;
                }
                () = tokio::time::sleep_until(deadline) => return self.send_bookmark(false).await,
                () = self.api.shutdown.cancelled() => return Ok(()),
                () = self.lines.closed() => return Err(Gone),
            }
        }
    }

    /// The current state as ADDED events.
    async fn send_state(&mut self, mark_end: bool) -> Result<(), Gone> {
        let snapshot = self
            .api
            .store
            .list(self.target.kind, self.target.namespace.as_deref());
        self.cursor = snapshot.rv;
        for object in &snapshot.objects {
            if self.selectors.matches(object) {
                self.send_object("ADDED", object).await?;
            }
        }
        if mark_end {
            self.send_bookmark(true).await
        } else {
            Ok(())
        }
    }

    async fn send_event(&mut self, event: &Event) -> Result<(), Gone> {
        if let Some(namespace) = &self.target.namespace
            && event.object["metadata"]["namespace"] != namespace.as_str()
        {
            return Ok(());
        }
        let now = self.selectors.matches(&event.object);
        let before = match (&event.previous, event.action) {
            (Some(previous), _) => self.selectors.matches(previous),
            (None, Action::Deleted) => now,
            (None, _) => false,
        };
        match (event.action, before, now) {
            (Action::Deleted, true, _) => self.send_object("DELETED", &event.object).await,
            (Action::Deleted, false, _) | (_, false, false) => Ok(()),
            (_, false, true) => self.send_object("ADDED", &event.object).await,
            (_, true, true) => self.send_object("MODIFIED", &event.object).await,
            (_, true, false) => {
                // To this watcher the object is gone; it is shown as it last was, at the version
                // of the change.
                let mut last = event.previous.as_deref().cloned().unwrap_or(Value::Null);
                last["metadata"]["resourceVersion"] = event.rv.to_string().into();
                self.send_object("DELETED", &last).await
            }
        }
    }

    async fn send_object(&mut self, kind: &str, object: &Value) -> Result<(), Gone> {
        let shown = match self.rendering {
            Rendering::Object => views::outward(self.target.kind, object).into_owned(),
            Rendering::Metadata => table::metadata_only(object),
            Rendering::Table(include) => {
                let version = object["metadata"]["resourceVersion"].clone();
                let metadata = json!({"resourceVersion": version});
                let columns = !std::mem::replace(&mut self.columns_sent, true);
                table::table(
                    self.target.kind,
                    [object].into_iter(),
                    include,
                    metadata,
                    columns,
                )
            }
        };
        self.send(kind, &shown).await
    }

    async fn send_bookmark(&mut self, initial_end: bool) -> Result<(), Gone> {
        if !self.bookmarks {
            return Ok(());
        }
        if !initial_end {
            // Nothing of this kind happened up to the newest version, or it would have been sent.
            let now = self.api.store.current_rv();
            if let Ok(events) = self.api.store.events_after(self.target.kind, self.cursor)
                && events.is_empty()
            {
                self.cursor = self.cursor.max(now);
            }
        }
        let mut object = json!({
            "kind": self.target.kind.kind, "apiVersion": self.target.kind.api_version(),
            "metadata": {"resourceVersion": self.cursor.to_string(), "creationTimestamp": null}
        });
        if initial_end {
            object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        match self.rendering {
            Rendering::Object => {}
            Rendering::Metadata => object = table::metadata_only(&object),
            Rendering::Table(_) => {
                object = json!({
                    "kind": "Table", "apiVersion": "meta.k8s.io/v1",
                    "metadata": {"resourceVersion": self.cursor.to_string()},
                    "columnDefinitions": [],
                    "rows": [{"cells": [], "object": object}]
                });
            }
        }
        self.send("BOOKMARK", &object).await
    }

    async fn send(&mut self, kind: &str, object: &Value) -> Result<(), Gone> {
        let line = format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n");
        self.lines.send(Bytes::from(line)).await.map_err(|_| Gone)
    }
}
