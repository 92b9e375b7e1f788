//! The assistant against a scripted provider: tools, and every way the provider can fail.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{
    Backend, config,
    provider::{Answer, Provider, calls, says, streams},
};

const KEY: &str = "sk-test-0123456789-never-shown";

async fn with_provider(answers: Vec<Answer>) -> (Backend, Provider) {
    let provider = Provider::start(answers).await;
    let config = config("sqlite::memory:", Some((&provider.address, KEY)));
    (Backend::ready(&config).await, provider)
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_change_the_list_and_their_results_reach_the_model() {
    let (backend, provider) = with_provider(vec![
        calls(&[
            ("add_todo", json!({"title": "Buy milk"})),
            ("add_todo", json!({"title": "Rest"})),
        ]),
        calls(&[("list_todos", json!({}))]),
        calls(&[
            ("complete_todo", json!({"id": 1})),
            ("delete_todo", json!({"id": "2"})),
        ]),
        says("  All done. "),
    ])
    .await;
    let visitor = backend.visitor().await;
    let answer = visitor.say("do it all").await;
    assert_eq!(answer["assistant"], "online");
    assert_eq!(answer["reply"], "All done.");
    let kinds: Vec<_> = answer["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| &action["kind"])
        .collect();
    assert_eq!(kinds, ["added", "added", "completed", "deleted"]);
    assert_eq!(visitor.titles().await, ["✓ Buy milk"]);

    let asked = provider.asked();
    assert_eq!(asked.len(), 4);
    let (headers, last) = &asked[3];
    assert_eq!(headers["authorization"], format!("Bearer {KEY}"));
    let results: Vec<&Value> = last["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|said| said["role"] == "tool")
        .collect();
    assert_eq!(results.len(), 5);
    assert!(results[2]["content"].as_str().unwrap().contains("Buy milk"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_is_told_when_a_tool_could_not_do_it() {
    let (backend, provider) = with_provider(vec![
        calls(&[
            ("complete_todo", json!({"id": 99})),
            ("add_todo", json!({"title": " "})),
            ("launch_rocket", json!({})),
            ("delete_todo", json!("not an object")),
        ]),
        says("Nothing was changed"),
    ])
    .await;
    let answer = backend.visitor().await.say("do the impossible").await;
    assert_eq!(answer["actions"], json!([]));
    let asked = provider.asked();
    let told = asked[1].1["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|said| {
            said["role"] == "tool" && said["content"].as_str().unwrap().contains("error")
        });
    assert_eq!(told.count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_conversation_is_remembered_per_visitor_and_can_be_forgotten() {
    let (backend, provider) = with_provider(vec![says("Hello Ada"), says("Ada, of course")]).await;
    let (ada, bob) = (backend.visitor().await, backend.visitor().await);
    ada.say("I am Ada").await;
    ada.say("Who am I?").await;
    let second = &provider.asked()[1].1["messages"];
    let said: Vec<_> = second
        .as_array()
        .unwrap()
        .iter()
        .skip(1)
        .map(|said| said["content"].as_str().unwrap())
        .collect();
    assert_eq!(said, ["I am Ada", "Hello Ada", "Who am I?"]);

    let (_, bobs) = bob.call("GET", "/api/conversation", None).await;
    assert_eq!(bobs["conversation"], json!([]));
    assert_eq!(ada.call("DELETE", "/api/conversation", None).await.0, 204);
    let (_, adas) = ada.call("GET", "/api/conversation", None).await;
    assert_eq!(adas["conversation"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_the_chat_says_so_and_the_list_works() {
    let backend = Backend::ready(&config("sqlite::memory:", None)).await;
    let visitor = backend.visitor().await;
    let answer = visitor.say("add milk").await;
    assert_eq!(answer["assistant"], "offline");
    assert!(answer["reply"].as_str().unwrap().contains("OPENAI_API_KEY"));
    visitor.add("Buy milk").await;
    let (_, board) = visitor.call("GET", "/api/board", None).await;
    assert_eq!(board["assistant"]["state"], "offline");
    assert_eq!(board["conversation"][1]["role"], "notice");
}

async fn failure(answer: Answer) -> Value {
    let (backend, _provider) = with_provider(vec![answer]).await;
    let visitor = backend.visitor().await;
    visitor.add("Still here").await;
    let answer = visitor.say("hello").await;
    assert_eq!(answer["assistant"], "failed", "{answer}");
    assert_eq!(answer["todos"][0]["title"], "Still here");
    assert!(!answer.to_string().contains(KEY));
    answer["problem"]["code"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_of_the_provider_has_its_own_name() {
    // A provider that quotes the key back must not get it shown.
    let quoting = json!({"error": {"message": format!("Incorrect API key provided: {KEY}")}});
    assert_eq!(failure(Answer::Status(401, quoting)).await, "bad_key");
    let quota = json!({"error": {"code": "insufficient_quota", "message": "no money"}});
    assert_eq!(failure(Answer::Status(429, quota)).await, "quota");
    assert_eq!(
        failure(Answer::Status(429, json!({}))).await,
        "rate_limited"
    );
    assert_eq!(failure(Answer::Status(404, json!({}))).await, "not_found");
    assert_eq!(
        failure(Answer::Status(503, json!({}))).await,
        "provider_error"
    );
    assert_eq!(failure(Answer::Status(400, json!({}))).await, "refused");
    assert_eq!(
        failure(Answer::Text("<h1>It works</h1>")).await,
        "malformed"
    );
    assert_eq!(
        failure(Answer::Text(r#"{"choices": []}"#)).await,
        "malformed"
    );
    assert_eq!(failure(says("  ")).await, "malformed");
    assert_eq!(failure(Answer::Never).await, "timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_not_there_is_called_unreachable() {
    let config = config("sqlite::memory:", Some(("http://127.0.0.1:1/v1", KEY)));
    let backend = Backend::ready(&config).await;
    let answer = backend.visitor().await.say("hello").await;
    assert_eq!(answer["problem"]["code"], "unreachable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_never_stops_is_stopped_and_what_it_did_stays() {
    let answers = (0..50)
        .map(|_| calls(&[("add_todo", json!({"title": "Again"}))]))
        .collect();
    let (backend, provider) = with_provider(answers).await;
    let visitor = backend.visitor().await;
    let answer = visitor.say("go on for ever").await;
    assert_eq!(answer["problem"]["code"], "no_end");
    assert_eq!(provider.asked().len(), 8);
    assert_eq!(visitor.titles().await.len(), 8);
    assert_eq!(answer["actions"].as_array().unwrap().len(), 8);
}

/// The events of a stream: name and data.
fn events(text: &str) -> Vec<(String, Value)> {
    text.split("\n\n")
        .filter_map(|event| {
            let field = |name: &str| {
                event
                    .lines()
                    .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            };
            Some((
                field("event")?.to_owned(),
                serde_json::from_str(field("data")?).unwrap(),
            ))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streamed_turn_brings_words_and_the_list_as_they_come() {
    let delta = |delta: Value| json!({"choices": [{"index": 0, "delta": delta}]});
    let arguments = json!({"title": "Buy milk"}).to_string();
    let (first, rest) = arguments.split_at(5);
    let (backend, _provider) = with_provider(vec![
        Answer::Pieces(
            vec![
                delta(json!({"content": "One moment"})),
                delta(json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "add_todo", "arguments": first}}]})),
                delta(json!({"tool_calls": [{"index": 0, "function": {"arguments": rest}}]})),
            ],
            false,
        ),
        calls(&[("edit_todo", json!({"id": 1, "title": "Buy oat milk"}))]),
        streams("It is on your list"),
    ])
    .await;
    let visitor = backend.visitor().await;
    let said = json!({"message": "milk, please"});
    let text = backend
        .text("POST", "/api/chat/stream", Some(&visitor.token), said)
        .await;
    let events = events(&text);
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "text", "again", "todos", "todos", "text", "text", "text", "text", "text", "end"
        ]
    );
    assert_eq!(events[2].1["todos"][0]["title"], "Buy milk");
    assert_eq!(events[3].1["todos"][0]["title"], "Buy oat milk");
    assert_eq!(events[3].1["action"]["kind"], "edited");
    let words: String = events[4..9]
        .iter()
        .map(|(_, data)| data["text"].as_str().unwrap())
        .collect();
    assert_eq!(words, "It is on your list");
    assert_eq!(events[9].1["reply"], "It is on your list");
    let (_, said) = visitor.call("GET", "/api/conversation", None).await;
    assert_eq!(said["conversation"][1]["content"], "It is on your list");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_reports_an_error_is_a_failed_turn() {
    let error = json!({"error": {"message": "overloaded"}});
    let broken = Answer::Pieces(vec![error], false);
    assert_eq!(failure(broken).await, "provider_error");
    assert_eq!(failure(Answer::Pieces(vec![], false)).await, "malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_who_goes_away_finds_the_answer_on_return() {
    let (backend, provider) = with_provider(vec![says("Still here")]).await;
    let visitor = backend.visitor().await;
    let asking = visitor.say("hello");
    // The request is dropped as soon as the provider was asked, as a closed tab would.
    tokio::select! {
        _ = asking => {}
        () = until(|| !provider.asked().is_empty()) => {}
    }
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let (_, said) = visitor.call("GET", "/api/conversation", None).await;
        if said["conversation"][1]["content"] == "Still here" {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{said}");
    }
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}
