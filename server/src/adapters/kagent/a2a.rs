//! A2A as kagent's controller speaks it with `A2A-Version: 0.3`: what is sent, and what comes back as
//! server-sent JSON-RPC answers.

use serde_json::{Map, Value, json};

/// The header that pins the wire format.
pub const VERSION: (&str, &str) = ("A2A-Version", "0.3");
/// The call by which an agent asks a person.
const CONFIRMATION: &str = "adk_request_confirmation";
/// A tool of every agent that asks a person something else.
pub const ASK_USER: &str = "ask_user";

/// One `data:` line.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// A task, a change of its status, or a message.
    Heard(Heard),
    /// The whole answer again.
    Artifact(Vec<Part>),
    /// A JSON-RPC error.
    Error(String),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    pub task: Option<String>,
    pub state: Option<TaskState>,
    /// Nothing comes after it on this stream.
    pub is_final: bool,
    /// Names the message the parts are of.
    pub message: Option<String>,
    pub parts: Vec<Part>,
    /// A piece of a text that comes whole later.
    pub is_partial: bool,
    /// Tokens, where they are told: read, written.
    pub usage: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    Submitted,
    Working,
    InputRequired,
    Completed,
    Canceled,
    Failed,
    Rejected,
    AuthRequired,
    Unknown,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Text(String),
    Called {
        id: String,
        name: String,
        arguments: Value,
    },
    Answered {
        id: String,
        response: Value,
    },
    /// It waits for a yes or no about this call.
    Asks(Asked),
}

/// A call an agent wants a person's word for.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub id: String,
    pub name: String,
    pub arguments: Value,
}

fn envelope(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": "1", "method": method, "params": params})
}

fn message(id: &str, context: &str, task: Option<&str>, part: Value) -> Value {
    let mut message = json!({
        "kind": "message", "role": "user", "messageId": id, "contextId": context, "parts": [part]
    });
    if let Some(task) = task {
        message["taskId"] = json!(task);
    }
    envelope(
        "message/stream",
        json!({"message": message, "metadata": {}}),
    )
}

/// Asks a question; the same context goes on with a conversation.
pub fn question(id: &str, context: &str, text: &str) -> Value {
    message(id, context, None, json!({"kind": "text", "text": text}))
}

/// Says no to calls. Every one is named: what is missing counts as a yes.
pub fn rejection(id: &str, context: &str, task: &str, calls: &[String], why: &str) -> Value {
    let each = |word: &str| -> Map<String, Value> {
        let pairs = calls.iter().map(|call| (call.clone(), json!(word)));
        pairs.collect()
    };
    let data = json!({
        "decision_type": "batch", "decisions": each("reject"), "rejection_reasons": each(why)
    });
    message(
        id,
        context,
        Some(task),
        json!({"kind": "data", "data": data}),
    )
}

/// Ends a task: dropping the stream does not.
pub fn cancel(task: &str) -> Value {
    envelope("tasks/cancel", json!({"id": task}))
}

/// Reads the data of one server-sent event; none when it says nothing.
pub fn read(data: &str) -> Option<Update> {
    let answer: Value = serde_json::from_str(data).ok()?;
    if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
        let text = error["message"].as_str().unwrap_or_default();
        return Some(Update::Error(format!("{} ({})", text, error["code"])));
    }
    let result = &answer["result"];
    match result["kind"].as_str()? {
        "artifact-update" => Some(Update::Artifact(parts(&result["artifact"]["parts"]))),
        "message" => Some(Update::Heard(Heard {
            is_final: true,
            state: Some(TaskState::Completed),
            ..of_message(result)
        })),
        kind @ ("task" | "status-update") => {
            let status = &result["status"];
            let id = if kind == "task" { "id" } else { "taskId" };
            let own = of_message(&status["message"]);
            Some(Update::Heard(Heard {
                task: result[id].as_str().map(str::to_owned),
                state: status["state"].as_str().map(TaskState::of),
                is_final: result["final"] == true,
                is_partial: own.is_partial || is_partial(&result["metadata"]),
                usage: usage(&result["metadata"]),
                ..own
            }))
        }
        _ => None,
    }
}

fn of_message(message: &Value) -> Heard {
    if message["role"] == "user" {
        return Heard::default();
    }
    Heard {
        message: message["messageId"].as_str().map(str::to_owned),
        parts: parts(&message["parts"]),
        is_partial: is_partial(&message["metadata"]),
        ..Heard::default()
    }
}

/// A field of metadata under any of its prefixes.
fn tagged<'a>(metadata: &'a Value, name: &str) -> Option<&'a Value> {
    ["kagent_", "kagent_adk_", "adk_"]
        .iter()
        .find_map(|prefix| metadata.get(format!("{prefix}{name}")))
}

fn is_partial(metadata: &Value) -> bool {
    tagged(metadata, "partial").is_some_and(|partial| *partial == true)
}

fn usage(metadata: &Value) -> Option<(u64, u64)> {
    let usage = tagged(metadata, "usage_metadata")?;
    let number = |names: [&str; 2]| names.iter().find_map(|name| usage[*name].as_u64());
    let read = number(["promptTokenCount", "prompt_token_count"])?;
    let written = number(["candidatesTokenCount", "candidates_token_count"]);
    Some((read, written.unwrap_or_default()))
}

fn parts(all: &Value) -> Vec<Part> {
    let all = all.as_array().into_iter().flatten();
    all.flat_map(part).collect()
}

fn part(part: &Value) -> Vec<Part> {
    let data = &part["data"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match part["kind"].as_str() {
        Some("text") => vec![Part::Text(text(&part["text"]))],
        Some("data") => match tagged(&part["metadata"], "type").and_then(Value::as_str) {
            Some("function_call") if data["name"] == CONFIRMATION => {
                asked(data).into_iter().map(Part::Asks).collect()
            }
            Some("function_call") => vec![Part::Called {
                id: text(&data["id"]),
                name: text(&data["name"]),
                arguments: data["args"].clone(),
            }],
            Some("function_response") if data["name"] != CONFIRMATION => vec![Part::Answered {
                id: text(&data["id"]),
                response: data["response"].clone(),
            }],
            _ => vec![],
        },
        _ => vec![],
    }
}

/// The call it asks about, and the calls of agents below it that it asks for.
fn asked(data: &Value) -> Vec<Asked> {
    let original = &data["args"]["originalFunctionCall"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all = vec![Asked {
        id: text(&original["id"]),
        name: text(&original["name"]),
        arguments: original["args"].clone(),
    }];
    let below = data["args"]["toolConfirmation"]["payload"]["hitl_parts"].as_array();
    for part in below.into_iter().flatten() {
        let data = if part["data"].is_object() {
            &part["data"]
        } else {
            part
        };
        if data["args"]["originalFunctionCall"].is_object() {
            all.extend(asked(data));
        }
    }
    all.retain(|asked| !asked.id.is_empty());
    all
}

impl TaskState {
    fn of(word: &str) -> Self {
        match word {
            "submitted" => Self::Submitted,
            "working" => Self::Working,
            "input-required" => Self::InputRequired,
            "completed" => Self::Completed,
            "canceled" => Self::Canceled,
            "failed" => Self::Failed,
            "rejected" => Self::Rejected,
            "auth-required" => Self::AuthRequired,
            _ => Self::Unknown,
        }
    }
}

impl Asked {
    /// The same as one kubectl command, where that is plain.
    pub fn kubectl(&self) -> Option<Vec<String>> {
        let text = |name: &str| {
            let value = self.arguments[name].as_str()?.trim();
            (!value.is_empty()).then(|| value.to_owned())
        };
        let object = format!("{}/{}", text("resource_type")?, text("resource_name")?);
        let mut words: Vec<String> = match self.name.as_str() {
            "k8s_delete_resource" => vec!["kubectl".into(), "delete".into(), object],
            "k8s_patch_resource" => vec![
                "kubectl".into(),
                "patch".into(),
                object,
                "--type=strategic".into(),
                format!("--patch={}", text("patch")?),
            ],
            _ => return None,
        };
        if let Some(namespace) = text("namespace") {
            words.push(format!("--namespace={namespace}"));
        }
        Some(words)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heard(data: &str) -> Heard {
        match read(data) {
            Some(Update::Heard(heard)) => heard,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_recorded_stream_is_read() {
        // kagent v0.9.12
        let submitted = heard(
            r#"{"jsonrpc":"2.0","id":"1","result":{"kind":"status-update","taskId":"T","contextId":"C","final":false,"status":{"state":"submitted","timestamp":"..."}}}"#,
        );
        assert_eq!(submitted.task.as_deref(), Some("T"));
        assert_eq!(submitted.state, Some(TaskState::Submitted));
        let called = heard(
            r#"{"jsonrpc":"2.0","id":"1","result":{"kind":"status-update","taskId":"T","contextId":"C","final":false,"status":{"state":"working","message":{"kind":"message","role":"agent","messageId":"m1","parts":[{"kind":"data","data":{"name":"k8s_get_pod_logs","args":{"pod_name":"web-0"},"id":"call_1"},"metadata":{"kagent_type":"function_call"}}]}}}}"#,
        );
        assert!(
            matches!(&called.parts[..], [Part::Called { name, .. }] if name == "k8s_get_pod_logs")
        );
        let artifact = read(
            r#"{"jsonrpc":"2.0","id":"1","result":{"kind":"artifact-update","taskId":"T","contextId":"C","lastChunk":true,"artifact":{"artifactId":"a1","parts":[{"kind":"text","text":"The pod ..."}]}}}"#,
        );
        assert_eq!(
            artifact,
            Some(Update::Artifact(vec![Part::Text("The pod ...".into())]))
        );
        let done = heard(
            r#"{"jsonrpc":"2.0","id":"1","result":{"kind":"status-update","taskId":"T","contextId":"C","final":true,"status":{"state":"completed"},"metadata":{"kagent_usage_metadata":{}}}}"#,
        );
        assert!(done.is_final && done.state == Some(TaskState::Completed) && done.usage.is_none());
        assert_eq!(read("[DONE]"), None);
        assert!(
            matches!(read(r#"{"error":{"code":-32001,"message":"gone"}}"#), Some(Update::Error(text)) if text.contains("-32001"))
        );
    }

    #[test]
    fn an_approval_is_read_with_those_of_agents_below_and_every_one_is_refused() {
        let pause = heard(
            r#"{"result":{"kind":"status-update","taskId":"T","contextId":"C","final":true,"status":{"state":"input-required","message":{"role":"agent","messageId":"m","parts":[{"kind":"data","metadata":{"adk_type":"function_call","adk_is_long_running":true},"data":{"name":"adk_request_confirmation","id":"fc9","args":{"originalFunctionCall":{"name":"k8s_delete_resource","args":{"resource_type":"pod","resource_name":"web-0","namespace":"shop"},"id":"fc1"},"toolConfirmation":{"hint":"...","confirmed":false,"payload":{"hitl_parts":[{"kind":"data","data":{"name":"adk_request_confirmation","id":"x","args":{"originalFunctionCall":{"name":"helm_uninstall","args":{},"id":"fc2"}}}}]}}}}}]}}}}"#,
        );
        let ids: Vec<&str> = pause
            .parts
            .iter()
            .map(|part| match part {
                Part::Asks(asked) => asked.id.as_str(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(ids, ["fc1", "fc2"]);
        let Part::Asks(first) = &pause.parts[0] else {
            panic!("it asks");
        };
        assert_eq!(
            first.kubectl().map(|words| words.join(" ")).as_deref(),
            Some("kubectl delete pod/web-0 --namespace=shop")
        );
        let calls = ["fc1".to_owned(), "fc2".to_owned()];
        let no = rejection("m2", "C", "T", &calls, "a person decides");
        let sent = &no["params"]["message"];
        assert_eq!(
            (&sent["taskId"], &sent["contextId"]),
            (&json!("T"), &json!("C"))
        );
        let decisions = &sent["parts"][0]["data"]["decisions"];
        assert_eq!(*decisions, json!({"fc1": "reject", "fc2": "reject"}));
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reader(data in "\\PC{0,200}") {
            let _ = read(&data);
        }
    }
}
