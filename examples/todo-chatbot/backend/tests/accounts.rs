//! Names and PINs, and what is counted.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{Backend, Visitor, config};

async fn backend() -> Backend {
    Backend::ready(&config("sqlite::memory:", None)).await
}

fn visitor<'a>(backend: &'a Backend, session: &Value) -> Visitor<'a> {
    let token = session["token"].as_str().unwrap().to_owned();
    Visitor { backend, token }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_keeps_the_list_for_another_device() {
    let backend = backend().await;
    let here = backend.visitor().await;
    here.add("Buy milk").await;
    let (status, session) = backend.sign_in(Some(&here.token), " Ada ", "1234").await;
    assert_eq!(status, 201);
    assert_eq!(visitor(&backend, &session).titles().await, ["Buy milk"]);

    let (status, session) = backend.sign_in(None, "ada", "1234").await;
    assert_eq!(status, 201);
    let there = visitor(&backend, &session);
    assert_eq!(there.titles().await, ["Buy milk"]);
    let (_, board) = there.call("GET", "/api/board", None).await;
    assert_eq!(board["name"], "Ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_name_does_not_share_the_first_ones_list() {
    let backend = backend().await;
    let here = backend.visitor().await;
    here.add("Buy milk").await;
    let (_, ada) = backend.sign_in(Some(&here.token), "Ada", "1234").await;
    let token = ada["token"].as_str();
    let (_, bob) = backend.sign_in(token, "Bob", "1234").await;
    assert_eq!(visitor(&backend, &bob).titles().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pin_is_refused_and_too_many_close_the_name_for_a_while() {
    let backend = backend().await;
    assert_eq!(backend.sign_in(None, "Ada", "1234").await.0, 201);
    for _ in 0..5 {
        let (status, told) = backend.sign_in(None, "Ada", "9999").await;
        assert_eq!((status, &told["error"]["code"]), (403, &json!("wrong_pin")));
    }
    let (status, told) = backend.sign_in(None, "Ada", "1234").await;
    assert_eq!(
        (status, &told["error"]["code"]),
        (429, &json!("too_many_tries"))
    );
    for (name, pin) in [("", "1234"), ("Eve", "123"), (&*"x".repeat(41), "1234")] {
        assert_eq!(backend.sign_in(None, name, pin).await.0, 422);
    }
    let odd = json!({"name": "Eve", "pin": ["hunter2"]});
    let (status, told) = backend.call("POST", "/api/session", None, Some(odd)).await;
    assert_eq!(status, 422);
    assert!(!told.to_string().contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_turns_are_counted_by_route_and_never_by_path() {
    let backend = backend().await;
    let visitor = backend.visitor().await;
    let todo = visitor.add("Buy milk").await;
    let path = format!("/api/todos/{}", todo["id"]);
    visitor.call("DELETE", &path, None).await;
    visitor.say("hello").await;
    let metrics = backend.text("GET", "/metrics", None, Value::Null).await;
    for line in [
        r#"http_requests_total{method="DELETE",route="/api/todos/{id}",status="204"} 1"#,
        r#"chat_turns_total{assistant="offline"} 1"#,
        "database_up 1",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    assert!(!metrics.contains(&path));
}
