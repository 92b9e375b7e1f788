//! The REST side, on SQLite.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::json;
use support::{Backend, config};

#[tokio::test(flavor = "multi_thread")]
async fn a_todo_lives_from_written_down_to_deleted() {
    let backend = Backend::ready(&config("sqlite::memory:", None)).await;
    let visitor = backend.visitor().await;
    let milk = visitor.add("  Buy   milk ").await;
    visitor.add("Call Grandma").await;
    assert_eq!(visitor.titles().await, ["Buy milk", "Call Grandma"]);

    let path = format!("/api/todos/{}", milk["id"]);
    let (status, done) = visitor
        .call("PATCH", &path, Some(json!({"completed": true})))
        .await;
    assert_eq!((status, &done["completed"]), (200, &json!(true)));
    assert_eq!(visitor.titles().await, ["Call Grandma", "✓ Buy milk"]);

    let change = json!({"completed": false, "title": "Buy oat milk"});
    visitor.call("PATCH", &path, Some(change)).await;
    assert_eq!(visitor.titles().await, ["Buy oat milk", "Call Grandma"]);

    assert_eq!(visitor.call("DELETE", &path, None).await.0, 204);
    assert_eq!(visitor.call("DELETE", &path, None).await.0, 404);
    assert_eq!(visitor.titles().await, ["Call Grandma"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_or_changes_anothers_list() {
    let backend = Backend::ready(&config("sqlite::memory:", None)).await;
    let (ada, bob) = (backend.visitor().await, backend.visitor().await);
    let path = format!("/api/todos/{}", ada.add("Ada's secret plan").await["id"]);
    assert!(bob.titles().await.is_empty());
    assert_eq!(
        bob.call("PATCH", &path, Some(json!({"completed": true})))
            .await
            .0,
        404
    );
    assert_eq!(bob.call("DELETE", &path, None).await.0, 404);
    assert_eq!(ada.titles().await, ["Ada's secret plan"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_token_of_ours_is_refused() {
    let backend = Backend::ready(&config("sqlite::memory:", None)).await;
    let forged = format!("v1.{}.{}", "0".repeat(32), "0".repeat(64));
    for token in [None, Some("nonsense"), Some(forged.as_str())] {
        let (status, body) = backend.call("GET", "/api/todos", token, None).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (401, &json!("no_session"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_gets_a_sentence_instead_of_a_stack_trace() {
    let backend = Backend::ready(&config("sqlite::memory:", None)).await;
    let visitor = backend.visitor().await;
    for body in [
        json!({"title": "  "}),
        json!({"title": "x".repeat(201)}),
        json!({}),
        json!([]),
    ] {
        let (status, answer) = visitor.call("POST", "/api/todos", Some(body)).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (422, &json!("invalid")),
            "{answer}"
        );
        assert!(!answer["error"]["message"].as_str().unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn todos_in_a_sqlite_file_outlive_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/deep/er/todo.db", folder.path().display());
    let first = Backend::ready(&config(&url, None)).await;
    let visitor = first.visitor().await;
    visitor.add("Survive").await;
    let token = visitor.token.clone();
    first.app.store.close().await;

    let second = Backend::ready(&config(&url, None)).await;
    let (_, body) = second.call("GET", "/api/todos", Some(&token), None).await;
    assert_eq!(body["todos"][0]["title"], "Survive");
}
