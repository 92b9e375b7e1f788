//! The page, its forms and the proxy, against a scripted backend and against none.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{Backend, Frontend, TOKEN};

const COOKIE: (&str, &str) = ("cookie", "todo_visitor=v1.aaaa.bbbb");
const NOWHERE: &str = "http://127.0.0.1:1";

#[tokio::test]
async fn a_new_visitor_gets_a_token_and_the_page_with_everything_on_it() {
    let backend = Backend::start().await;
    let frontend = Frontend::start(&backend.address).await;
    let page = frontend.get("/", &[]).await;
    assert_eq!(page.status, 200);
    let cookie = page.header("set-cookie");
    assert!(
        cookie.starts_with(&format!("todo_visitor={TOKEN};")),
        "{cookie}"
    );
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    for wanted in [
        "Buy &lt;milk&gt;",
        "Noted",
        "model-x",
        "role=\"log\"",
        "aria-label=\"Todos\"",
    ] {
        assert!(page.text.contains(wanted), "{wanted}");
    }
    assert!(!page.text.contains("<milk>") && !page.text.contains(TOKEN));
    assert_eq!(
        backend.asked_for("GET /api/board").visitor.as_deref(),
        Some(TOKEN)
    );
}

#[tokio::test]
async fn a_known_visitor_keeps_the_token_and_a_refused_one_is_replaced() {
    let backend = Backend::start().await;
    let frontend = Frontend::start(&backend.address).await;
    let page = frontend.get("/", &[COOKIE]).await;
    assert_eq!(page.header("set-cookie"), "");
    assert!(
        backend
            .asked()
            .iter()
            .all(|asked| asked.what != "POST /api/session")
    );

    backend.answers(
        "GET /api/board",
        401,
        json!({"error": {"code": "no_session", "message": "old"}}),
    );
    frontend.get("/", &[COOKIE]).await;
    assert!(
        backend
            .asked()
            .iter()
            .any(|asked| asked.what == "POST /api/session")
    );
}

#[tokio::test]
async fn every_form_becomes_one_question_to_the_backend_and_leads_back_to_the_page() {
    let backend = Backend::start().await;
    let frontend = Frontend::start(&backend.address).await;
    backend.answers("POST /api/todos", 201, json!({}));
    backend.answers("PATCH /api/todos/7", 200, json!({}));
    backend.answers("DELETE /api/todos/7", 204, json!(null));
    backend.answers("POST /api/chat", 200, json!({}));
    backend.answers("DELETE /api/conversation", 204, json!(null));
    let forms = [
        (
            "/todos",
            "intent=add&title=Tea+%26+milk",
            "POST /api/todos",
            json!({"title": "Tea & milk"}),
        ),
        (
            "/todos",
            "intent=complete&id=7",
            "PATCH /api/todos/7",
            json!({"completed": true}),
        ),
        (
            "/todos",
            "intent=delete&id=7",
            "DELETE /api/todos/7",
            Value::Null,
        ),
        (
            "/chat",
            "intent=say&message=hello",
            "POST /api/chat",
            json!({"message": "hello"}),
        ),
        (
            "/chat",
            "intent=forget",
            "DELETE /api/conversation",
            Value::Null,
        ),
    ];
    for (path, form, what, body) in forms {
        let answer = frontend.form(path, form, &[]).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, "./"),
            "{form}"
        );
        let asked = backend.asked_for(what);
        assert_eq!(
            (asked.body, asked.visitor.as_deref()),
            (body, Some(TOKEN)),
            "{form}"
        );
    }
    let again = frontend.form("/todos", "intent=reopen&id=7", &[]).await;
    assert_eq!(again.status, 303);
    assert_eq!(
        backend.asked().last().unwrap().body,
        json!({"completed": false})
    );
}

#[tokio::test]
async fn the_script_gets_the_page_at_once() {
    let backend = Backend::start().await;
    let frontend = Frontend::start(&backend.address).await;
    backend.answers("POST /api/chat", 200, json!({}));
    let fetch = [("x-requested-with", "fetch")];
    let answer = frontend
        .form("/chat", "intent=say&message=hello", &fetch)
        .await;
    assert_eq!(answer.status, 200);
    assert!(answer.text.contains("role=\"log\""));
}

#[tokio::test]
async fn a_refusal_of_the_backend_is_said_on_the_page() {
    let backend = Backend::start().await;
    let frontend = Frontend::start(&backend.address).await;
    let refusal = json!({"error": {"code": "invalid", "message": "a todo needs a title"}});
    backend.answers("POST /api/todos", 422, refusal);
    let page = frontend.form("/todos", "intent=add&title=+", &[]).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("A todo needs a title."), "{}", page.text);
    assert!(page.text.contains("Buy &lt;milk&gt;"));
}

#[tokio::test]
async fn without_a_backend_the_page_is_still_there_and_says_so() {
    let frontend = Frontend::start(NOWHERE).await;
    for headers in [&[][..], &[COOKIE][..]] {
        let page = frontend.get("/", headers).await;
        assert_eq!(page.status, 200);
        assert!(
            page.text.contains("The backend cannot be reached."),
            "{}",
            page.text
        );
        assert!(page.text.contains("role=\"alert\""));
    }
    assert_eq!(frontend.get("/health", &[]).await.status, 200);
    let page = frontend.form("/todos", "intent=add&title=x", &[]).await;
    assert!(page.status == 200 && page.text.contains("cannot be reached"));
    let api = frontend.get("/api/todos", &[COOKIE]).await;
    assert_eq!(api.status, 502);
    let body: Value = serde_json::from_str(&api.text).unwrap();
    assert_eq!(body["error"]["code"], "backend_unreachable");
}

#[tokio::test]
async fn a_backend_that_hangs_does_not_hang_the_page() {
    let backend = Backend::start().await;
    let frontend = Frontend::start(&backend.address).await;
    let api = frontend.get("/api/todos", &[COOKIE]).await;
    assert_eq!(api.status, 504);
    let page = frontend
        .form("/chat", "intent=say&message=hello", &[])
        .await;
    assert!(page.text.contains("took too long"), "{}", page.text);
}

#[tokio::test]
async fn a_backend_that_answers_nonsense_is_named_and_not_shown() {
    let backend = Backend::start().await;
    backend.answers("GET /api/board", 500, json!("<h1>panic at line 3</h1>"));
    let frontend = Frontend::start(&backend.address).await;
    let page = frontend.get("/", &[]).await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("cannot read") && !page.text.contains("panic"),
        "{}",
        page.text
    );
}

#[tokio::test]
async fn the_proxy_passes_on_what_was_asked_and_what_was_said() {
    let backend = Backend::start().await;
    let frontend = Frontend::start(&backend.address).await;
    backend.answers(
        "PATCH /api/todos/7",
        404,
        json!({"error": {"code": "not_found"}}),
    );
    let headers = [COOKIE, ("x-visitor", "somebody-else")];
    let answer = frontend
        .call("PATCH", "/api/todos/7", &headers, r#"{"completed":true}"#)
        .await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (404, "application/json")
    );
    assert_eq!(answer.text, r#"{"error":{"code":"not_found"}}"#);
    let asked = backend.asked_for("PATCH /api/todos/7");
    assert_eq!(asked.body, json!({"completed": true}));
    assert_eq!(
        asked.visitor.as_deref(),
        Some(TOKEN),
        "only the cookie says who asks"
    );
    // One id finds the log lines of both servers.
    let trace = asked.traceparent.unwrap();
    let id = answer.header("x-request-id");
    assert_eq!(id.len(), 32);
    assert!(trace.starts_with(&format!("00-{id}-")), "{trace}");
}

#[tokio::test]
async fn the_proxy_needs_a_visitor_and_a_plain_path() {
    let backend = Backend::start().await;
    let frontend = Frontend::start(&backend.address).await;
    assert_eq!(frontend.get("/api/todos", &[]).await.status, 401);
    for path in [
        "/api/session",
        "/api/chat/stream",
        "/api/%2e%2e/ready",
        "/api/a%3Fb",
        "/api/a%0d%0ab",
    ] {
        assert_eq!(frontend.get(path, &[COOKIE]).await.status, 404, "{path}");
    }
    assert!(backend.asked().is_empty());
}

#[tokio::test]
async fn another_site_cannot_use_a_visitors_cookie() {
    let backend = Backend::start().await;
    let frontend = Frontend::start(&backend.address).await;
    for site in ["cross-site", "same-site"] {
        let from = [("sec-fetch-site", site)];
        let answer = frontend.form("/todos", "intent=delete&id=7", &from).await;
        assert_eq!(answer.status, 403, "{site}");
    }
    assert!(backend.asked().is_empty());
}

#[tokio::test]
async fn nothing_foreign_and_nothing_inline_may_run() {
    let frontend = Frontend::start(NOWHERE).await;
    let page = frontend.get("/", &[]).await;
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(!page.text.contains("style=") && !page.text.contains("onclick"));
    for (path, kind) in [
        ("/assets/todo.css", "text/css; charset=utf-8"),
        ("/assets/todo.js", "text/javascript; charset=utf-8"),
        ("/favicon.ico", "image/svg+xml"),
    ] {
        let asset = frontend.get(path, &[]).await;
        assert_eq!((asset.status, asset.header("content-type")), (200, kind));
    }
}

#[tokio::test]
async fn a_turn_is_streamed_with_lists_as_markup() {
    let backend = Backend::start().await;
    let frontend = Frontend::start(&backend.address).await;
    let list = json!({"todos": [{"id": 9, "title": "<b>", "completed": false}]});
    let events = format!(
        "event: text\ndata: {{\"text\":\"On it\"}}\n\nevent: todos\ndata: {list}\n\n\
         event: secret\ndata: {{}}\n\nevent: end\ndata: {{\"reply\":\"x\"}}\n\n"
    );
    backend.answers("POST /api/chat/stream", 200, Value::String(events));
    let said = "intent=say&message=milk";
    let answer = frontend.form("/chat/stream", said, &[]).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "text/event-stream")
    );
    for wanted in [
        "event: text\ndata: {\"text\":\"On it\"}",
        "&lt;b&gt;",
        "1 open",
        "event: end\ndata: {}",
    ] {
        assert!(
            answer.text.contains(wanted),
            "{wanted} is not in {}",
            answer.text
        );
    }
    assert!(!answer.text.contains("secret") && !answer.text.contains("<b>"));
    assert_eq!(
        backend.asked_for("POST /api/chat/stream").body,
        json!({"message": "milk"})
    );
}

#[tokio::test]
async fn without_a_session_or_a_backend_the_stream_leaves_it_to_the_form() {
    let backend = Backend::start().await;
    let frontend = Frontend::start(&backend.address).await;
    let refused = json!({"error": {"code": "no_session", "message": "old"}});
    backend.answers("POST /api/chat/stream", 401, refused);
    let said = "intent=say&message=milk";
    assert_eq!(frontend.form("/chat/stream", said, &[]).await.status, 409);
    let nowhere = Frontend::start(NOWHERE).await;
    assert_eq!(nowhere.form("/chat/stream", said, &[]).await.status, 502);
}

#[tokio::test]
async fn signing_in_changes_the_cookie_and_signing_out_takes_it_away() {
    let backend = Backend::start().await;
    let frontend = Frontend::start(&backend.address).await;
    backend.answers("POST /api/session", 201, json!({"token": "v1.cccc.dddd"}));
    let form = "intent=sign-in&name=Ada&pin=1234";
    let answer = frontend.form("/session", form, &[]).await;
    assert_eq!((answer.status, answer.header("location")), (303, "./"));
    assert!(
        answer
            .header("set-cookie")
            .starts_with("todo_visitor=v1.cccc.dddd;")
    );
    let asked = backend.asked_for("POST /api/session");
    assert_eq!(
        asked.visitor.as_deref(),
        Some(TOKEN),
        "a new name keeps this list"
    );
    assert_eq!(asked.body, json!({"name": "Ada", "pin": "1234"}));

    let wrong = json!({"error": {"code": "wrong_pin", "message": "not the right PIN"}});
    backend.answers("POST /api/session", 403, wrong);
    let answer = frontend.form("/session", form, &[]).await;
    assert_eq!((answer.status, answer.header("set-cookie")), (200, ""));
    assert!(answer.text.contains("Not the right PIN.") && !answer.text.contains("1234"));

    let answer = frontend.form("/session", "intent=sign-out", &[]).await;
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
}
