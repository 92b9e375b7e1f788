//! The same on a real Postgres, and what happens while it is away.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::json;
use support::{
    Backend, config,
    postgres::{PASSWORD, Postgres},
    provider::{Provider, calls, says},
};

#[tokio::test(flavor = "multi_thread")]
async fn todos_and_chat_work_on_postgres() {
    let postgres = Postgres::start();
    let provider = Provider::start(vec![
        calls(&[("add_todo", json!({"title": "Buy milk"}))]),
        calls(&[("complete_todo", json!({"id": 1}))]),
        says("Done"),
    ])
    .await;
    let config = config(&postgres.url(), Some((&provider.address, "key")));
    let backend = Backend::ready(&config).await;
    let visitor = backend.visitor().await;
    assert_eq!(visitor.say("milk").await["reply"], "Done");
    let rest = visitor.add("Rest — 休む").await;
    assert_eq!(visitor.titles().await, ["Rest — 休む", "✓ Buy milk"]);
    let path = format!("/api/todos/{}", rest["id"]);
    let (_, todo) = visitor
        .call("PATCH", &path, Some(json!({"title": "Sleep"})))
        .await;
    assert_eq!(
        (&todo["title"], &todo["completed"]),
        (&json!("Sleep"), &json!(false))
    );
    assert_eq!(visitor.call("DELETE", &path, None).await.0, 204);
    let (_, board) = visitor.call("GET", "/api/board", None).await;
    assert_eq!(board["conversation"][1]["actions"][1]["kind"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_start_at_once_migrate_once() {
    let postgres = Postgres::start();
    let config = config(&postgres.url(), None);
    let servers = futures(8, || Backend::ready(&config)).await;
    let token = servers[0].visitor().await.token.clone();
    for server in &servers {
        let new = Some(json!({"title": "One more"}));
        assert_eq!(
            server.call("POST", "/api/todos", Some(&token), new).await.0,
            201
        );
    }
    let (_, body) = servers[7]
        .call("GET", "/api/todos", Some(&token), None)
        .await;
    assert_eq!(body["todos"].as_array().unwrap().len(), 8);
}

/// Starts `count` futures on tasks that share the runtime, and waits for all.
async fn futures<F, T>(count: usize, make: impl Fn() -> F) -> Vec<T>
where
    F: Future<Output = T>,
{
    let mut all: Vec<_> = (0..count).map(|_| Box::pin(make())).collect();
    let mut done: Vec<Option<T>> = (0..count).map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in all.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *done = Some(value);
            }
        }
        match done.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_lives_before_during_and_after_an_outage() {
    let mut postgres = Postgres::start();
    postgres.stop();
    let backend = Backend::start(&config(&postgres.url(), None)).await;
    let body = backend
        .until(503, |body| body["problems"][0]["code"] == "unreachable")
        .await;
    assert_eq!(body["problems"][0]["setting"], "DATABASE_URL");
    assert_eq!(backend.call("GET", "/health", None, None).await.0, 200);
    let token = backend.visitor().await.token.clone();
    let (status, refused) = backend.call("GET", "/api/todos", Some(&token), None).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (503, &json!("database_unavailable"))
    );

    postgres.start_again();
    backend.until_ready(200).await;
    postgres.stop();
    backend
        .until(503, |body| body["problems"][0]["code"] == "unreachable")
        .await;
    assert_eq!(backend.call("GET", "/health", None, None).await.0, 200);
    postgres.start_again();
    backend.until_ready(200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_or_database_is_named_without_showing_it() {
    let postgres = Postgres::start();
    let wrong = [
        (
            postgres.url().replace(PASSWORD, "Wr0ng-Pa55"),
            "bad_credentials",
        ),
        (
            postgres.url().replace("/postgres?", "/no_such_thing?"),
            "no_such_database",
        ),
        (
            postgres.url().replace("sslmode=disable", "sslmode=require"),
            "tls",
        ),
    ];
    for (url, code) in wrong {
        let backend = Backend::start(&config(&url, None)).await;
        let body = backend
            .until(503, |body| body["problems"][0]["code"] == code)
            .await;
        let text = body.to_string();
        assert!(
            !text.contains("Pa55") && !text.contains("no_such_thing"),
            "{text}"
        );
    }
}
