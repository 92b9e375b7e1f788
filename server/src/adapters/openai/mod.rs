//! Chat completions as OpenAI's API defines them and Ollama, llama.cpp, vLLM and others speak them, too.
//! Source: the API reference of chat completions, streaming form. Builds requests and reads answers;
//! what is sent over the network is not known here.

mod answer;

use serde_json::{Value, json};

pub use answer::{Answer, BadChunk, ToolCall};

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    System(String),
    User(String),
    Assistant {
        text: String,
        calls: Vec<ToolCall>,
    },
    /// What a tool answered to the call with this id.
    Tool {
        call: String,
        text: String,
    },
}

/// A function a model may call.
#[derive(Clone, Debug)]
pub struct Function {
    pub name: String,
    pub description: String,
    /// The JSON Schema of its arguments.
    pub parameters: Value,
}

/// The body of a request whose answer is streamed, with the tokens counted at its end.
pub fn request(model: &str, messages: &[Message], functions: &[Function]) -> Value {
    let mut body = json!({
        "model": model,
        "messages": messages.iter().map(message).collect::<Vec<_>>(),
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    if !functions.is_empty() {
        let tools = functions.iter().map(|function| {
            json!({"type": "function", "function": {
                "name": function.name,
                "description": function.description,
                "parameters": function.parameters,
            }})
        });
        body["tools"] = tools.collect();
    }
    body
}

fn message(message: &Message) -> Value {
    match message {
        Message::System(text) => json!({"role": "system", "content": text}),
        Message::User(text) => json!({"role": "user", "content": text}),
        Message::Assistant { text, calls } => {
            let mut said = json!({"role": "assistant", "content": text});
            if !calls.is_empty() {
                let calls = calls.iter().map(|call| {
                    json!({"id": call.id, "type": "function", "function": {
                        "name": call.name,
                        "arguments": call.arguments,
                    }})
                });
                said["tool_calls"] = calls.collect();
            }
            said
        }
        Message::Tool { call, text } => {
            json!({"role": "tool", "tool_call_id": call, "content": text})
        }
    }
}

/// The names in an answer to `GET …/models`; none when it is something else.
pub fn models(body: &[u8]) -> Option<Vec<String>> {
    let json: Value = serde_json::from_slice(body).ok()?;
    let names = json["data"].as_array()?.iter();
    Some(
        names
            .filter_map(|model| model["id"].as_str().map(str::to_owned))
            .collect(),
    )
}

/// What an error's body says: its code or type, and its words.
pub fn refusal(body: &str) -> (String, String) {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    // Ollama sends `{"error": "text"}`.
    if let Some(text) = json["error"].as_str() {
        return (String::new(), text.to_owned());
    }
    let error = &json["error"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let code = [&error["code"], &error["type"]]
        .into_iter()
        .map(text)
        .find(|code| !code.is_empty());
    match text(&error["message"]) {
        none if none.is_empty() => (code.unwrap_or_default(), body.chars().take(500).collect()),
        message => (code.unwrap_or_default(), message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_written_as_the_api_wants_it() {
        let call = ToolCall {
            id: "c1".to_owned(),
            name: "logs".to_owned(),
            arguments: r#"{"of":"backend"}"#.to_owned(),
        };
        let messages = [
            Message::System("be brief".to_owned()),
            Message::User("why?".to_owned()),
            Message::Assistant {
                text: String::new(),
                calls: vec![call],
            },
            Message::Tool {
                call: "c1".to_owned(),
                text: "boom".to_owned(),
            },
        ];
        let function = Function {
            name: "logs".to_owned(),
            description: "Log lines".to_owned(),
            parameters: json!({"type": "object"}),
        };
        let body = request("m", &messages, &[function]);
        assert_eq!(
            body["messages"][2]["tool_calls"][0]["function"]["name"],
            "logs"
        );
        assert_eq!(body["messages"][3]["tool_call_id"], "c1");
        assert_eq!(body["tools"][0]["function"]["parameters"]["type"], "object");
        assert_eq!(body["stream"], true);
        assert!(request("m", &messages, &[]).get("tools").is_none());
    }

    #[test]
    fn refusals_of_all_kinds_have_words() {
        for (body, code, words) in [
            (
                r#"{"error":{"code":"invalid_api_key","message":"no"}}"#,
                "invalid_api_key",
                "no",
            ),
            (r#"{"error":"model not found"}"#, "", "model not found"),
            ("<html>bad gateway</html>", "", "<html>bad gateway</html>"),
        ] {
            assert_eq!(refusal(body), (code.to_owned(), words.to_owned()));
        }
    }

    #[test]
    fn models_are_listed_by_name() {
        let listed = models(br#"{"object":"list","data":[{"id":"a"},{"id":"b"},{}]}"#);
        assert_eq!(listed, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(models(b"<html>"), None);
    }
}
