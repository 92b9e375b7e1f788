//! The events of its runtime, as its API server streams them. Types that are not known are left out: new
//! ones appear often.

use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// More of the answer.
    Text(String),
    ToolCalled(Call),
    /// A tool waits for a yes or no; the stream pauses until then.
    Asks(Call),
    ToolAnswered {
        id: String,
        text: String,
        failed: bool,
    },
    /// Tokens of the session so far.
    Used {
        input: u64,
        output: u64,
    },
    /// It pauses at its limit of rounds.
    AtItsLimit,
    /// It pauses for something a person should fill in.
    Elicits,
    Failed(String),
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub id: String,
    pub name: String,
    /// A JSON text.
    pub arguments: String,
}

/// Reads the data of one server-sent event.
pub fn read(data: &str) -> Option<Event> {
    let event: Value = serde_json::from_str(data).ok()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Some(match event["type"].as_str()? {
        "agent_choice" => Event::Text(text(&event["content"])),
        "tool_call" => Event::ToolCalled(call(&event["tool_call"])),
        "tool_call_confirmation" => Event::Asks(call(&event["tool_call"])),
        "tool_call_response" => Event::ToolAnswered {
            id: text(&event["tool_call"]["id"]),
            text: text(&event["response"]),
            failed: event["result"]["isError"] == true,
        },
        "token_usage" => Event::Used {
            input: event["usage"]["input_tokens"].as_u64().unwrap_or_default(),
            output: event["usage"]["output_tokens"].as_u64().unwrap_or_default(),
        },
        "max_iterations_reached" => Event::AtItsLimit,
        "elicitation_request" => Event::Elicits,
        "error" => Event::Failed(text(&event["error"])),
        "stream_stopped" => Event::Ended,
        _ => return None,
    })
}

fn call(call: &Value) -> Call {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let arguments = match &call["function"]["arguments"] {
        Value::String(arguments) => arguments.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    Call {
        id: text(&call["id"]),
        name: text(&call["function"]["name"]),
        arguments,
    }
}

impl Call {
    /// The kubectl command in its arguments, if there is one.
    pub fn kubectl(&self) -> Option<String> {
        let arguments: Value = serde_json::from_str(&self.arguments).ok()?;
        let fields = arguments.as_object()?;
        let mut lines = fields.values().filter_map(Value::as_str).map(str::trim);
        lines
            .find(|line| line.split_whitespace().next() == Some("kubectl"))
            .map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_events_are_read_and_others_left_out() {
        // docker-agent v1.32.3
        let cases = [
            (
                r#"{"type":"stream_started","session_id":"s1","agent_name":"root"}"#,
                None,
            ),
            (
                r#"{"type":"agent_choice","agent_name":"root","session_id":"s1","content":"The pod"}"#,
                Some(Event::Text("The pod".into())),
            ),
            (
                r#"{"type":"tool_call_response","tool_call":{"id":"call_1"},"response":"NAME READY ...","result":{"isError":false}}"#,
                Some(Event::ToolAnswered {
                    id: "call_1".into(),
                    text: "NAME READY ...".into(),
                    failed: false,
                }),
            ),
            (
                r#"{"type":"stream_stopped","session_id":"s1","agent_name":"root"}"#,
                Some(Event::Ended),
            ),
            (r#"{"type":"of_tomorrow"}"#, None),
            ("[DONE]", None),
            ("{}", None),
        ];
        for (data, event) in cases {
            assert_eq!(read(data), event, "{data}");
        }
        let asked = r#"{"type":"tool_call_confirmation","agent_name":"root","tool_call":{"id":"call_1","type":"function","function":{"name":"shell","arguments":"{\"cmd\":\"kubectl get pods\"}"}},"tool_definition":{"name":"shell"}}"#;
        let Some(Event::Asks(call)) = read(asked) else {
            panic!("it asks");
        };
        assert_eq!(call.name, "shell");
        assert_eq!(call.kubectl().as_deref(), Some("kubectl get pods"));
    }
}
