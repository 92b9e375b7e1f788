//! What kubectl-ai's web mode says: the whole state, every time something happens.

use serde::Deserialize;
use serde_json::Value;

/// One `data:` line.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Snapshot {
    #[serde(rename = "agentState", default)]
    pub state: AgentState,
    /// Null until the first one.
    #[serde(default)]
    messages: Option<Vec<Message>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentState {
    /// It takes a question.
    Idle,
    /// It takes a question; the last one is over.
    Done,
    /// An approval is pending, and nothing but a choice may be sent.
    WaitingForInput,
    Running,
    #[default]
    Initializing,
    Exited,
    #[serde(other)]
    Unknown,
}

impl AgentState {
    /// Whether a question may be sent. Sent at any other moment, it makes the agent fall silent for good.
    pub fn takes_question(self) -> bool {
        matches!(self, Self::Idle | Self::Done)
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Message {
    #[serde(rename = "ID", default)]
    pub id: String,
    #[serde(rename = "Source", default)]
    pub source: String,
    #[serde(rename = "Type", default)]
    pub kind: String,
    #[serde(rename = "Payload", default)]
    pub payload: Value,
}

impl Snapshot {
    pub fn messages(&self) -> &[Message] {
        self.messages.as_deref().unwrap_or_default()
    }

    /// How many questions it was sent, by whomever.
    pub fn questions(&self) -> usize {
        let all = self.messages().iter();
        all.filter(|message| message.is_question()).count()
    }

    /// What came after the question of this number, from 1; none as long as it was not taken.
    pub fn since(&self, question: usize) -> Option<&[Message]> {
        let questions = self
            .messages()
            .iter()
            .enumerate()
            .filter(|(_, message)| message.is_question());
        let (at, _) = questions.take(question).nth(question.checked_sub(1)?)?;
        self.messages().get(at + 1..)
    }

    /// The approval that is pending: the newest request, unless a choice follows it.
    pub fn pending(&self) -> Option<&Message> {
        let last = self
            .messages()
            .iter()
            .rev()
            .find(|message| message.kind.starts_with("user-choice-"))?;
        (last.kind == "user-choice-request").then_some(last)
    }

    /// Whether somebody has said yes to something. Slipway never does.
    pub fn was_allowed(&self) -> bool {
        self.messages().iter().any(|message| {
            let choice = message
                .payload
                .get("Choice")
                .or_else(|| message.payload.get("choice"))
                .unwrap_or(&message.payload);
            message.kind == "user-choice-response" && matches!(choice.as_u64(), Some(1 | 2))
        })
    }
}

impl Message {
    fn is_question(&self) -> bool {
        self.source == "user" && self.kind == "text"
    }

    /// The text of a message that is one.
    pub fn text(&self) -> String {
        match &self.payload {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        }
    }
}

/// The commands an approval is asked for, as they stand in its prompt:
///
/// ```text
/// The following commands require your approval to run:
/// * kubectl delete pod web-0 -n default
///
/// Do you want to proceed ?
/// ```
///
/// One that goes over several lines is kept whole.
pub fn asked_for(request: &Value) -> Vec<String> {
    let prompt = request
        .get("Prompt")
        .or_else(|| request.get("prompt"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let body = prompt
        .rfind("Do you want to proceed")
        .map_or(prompt, |end| &prompt[..end]);
    let mut commands: Vec<String> = Vec::new();
    for line in body.lines() {
        match (line.strip_prefix("* "), commands.last_mut()) {
            (Some(command), _) => commands.push(command.to_owned()),
            (None, Some(last)) => {
                last.push('\n');
                last.push_str(line);
            }
            (None, None) => {}
        }
    }
    commands
        .into_iter()
        .map(|command| command.trim().to_owned())
        .filter(|command| !command.is_empty())
        .collect()
}

/// The number, from 1, of the option that means No; none when there is no such option.
pub fn no(request: &Value) -> Option<usize> {
    let options = request
        .get("Options")
        .or_else(|| request.get("options"))?
        .as_array()?;
    let at = options.iter().position(|option| {
        let value = option.get("value").or_else(|| option.get("Value"));
        value.and_then(Value::as_str) == Some("no")
    })?;
    Some(at + 1)
}

/// What a tool said, and whether it failed.
pub fn tool_answer(payload: &Value) -> (String, bool) {
    let Value::Object(fields) = payload else {
        let text = payload
            .as_str()
            .map_or_else(|| payload.to_string(), str::to_owned);
        return (text, false);
    };
    let field = |name: &str| {
        fields
            .iter()
            .find(|(key, _)| key.replace('_', "").eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    let text = |name: &str| {
        field(name)
            .and_then(Value::as_str)
            .filter(|text| !text.trim().is_empty())
    };
    let parts: Vec<&str> = ["stdout", "content", "stderr", "error"]
        .into_iter()
        .filter_map(text)
        .collect();
    let failed = text("error").is_some()
        || field("exitcode")
            .and_then(Value::as_i64)
            .unwrap_or_default()
            != 0;
    match parts.is_empty() {
        true => (payload.to_string(), failed),
        false => (parts.join("\n"), failed),
    }
}

/// Whether the program would take it for a command of its own.
pub fn is_meta(question: &str) -> bool {
    let question = question.trim();
    let known = [
        "model",
        "models",
        "tools",
        "session",
        "sessions",
        "save-session",
        "clear",
        "reset",
        "exit",
        "quit",
    ];
    known.iter().any(|meta| question.eq_ignore_ascii_case(meta))
        || question.starts_with("resume-session")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn request(prompt: &str) -> Value {
        json!({"Prompt": prompt, "Options": [
            {"label": "Yes", "value": "yes"},
            {"label": "Yes, and don't ask me again", "value": "yes_and_dont_ask_me_again"},
            {"label": "No", "value": "no"}
        ]})
    }

    #[test]
    fn the_recorded_state_is_read() {
        // v0.0.28
        let text = r#"{"agentState":"waiting-for-input","messages":[{"ID":"1","Source":"user","Type":"text","Payload":"delete web-0","Timestamp":"2026-01-01T00:00:00Z"},{"ID":"2","Source":"model","Type":"tool-call-request","Payload":"kubectl get pod web-0","Timestamp":"2026-01-01T00:00:00Z"},{"ID":"3","Source":"agent","Type":"user-choice-request","Payload":{"Prompt":"The following commands require your approval to run:\n* kubectl delete pod web-0 -n default\n\nDo you want to proceed ?","Options":[{"label":"Yes","value":"yes"},{"label":"Yes, and don't ask me again","value":"yes_and_dont_ask_me_again"},{"label":"No","value":"no"}]},"Timestamp":"2026-01-01T00:00:00Z"}]}"#;
        let snapshot: Snapshot = serde_json::from_str(text).expect("a state");
        assert_eq!(snapshot.state, AgentState::WaitingForInput);
        assert_eq!(snapshot.questions(), 1);
        let pending = snapshot.pending().expect("an approval");
        assert_eq!(
            asked_for(&pending.payload),
            ["kubectl delete pod web-0 -n default"]
        );
        assert_eq!(no(&pending.payload), Some(3));
        let none = r#"{"agentState":"idle","messages":null}"#;
        let none: Snapshot = serde_json::from_str(none).expect("a state");
        assert!(none.messages().is_empty() && none.state.takes_question());
        let new = r#"{"agentState":"dreaming","sessionId":"a","messages":[]}"#;
        let new: Snapshot = serde_json::from_str(new).expect("a state");
        assert_eq!(new.state, AgentState::Unknown);
        assert!(!new.state.takes_question());
    }

    #[test]
    fn every_command_of_a_request_is_found_and_one_of_several_lines_stays_one() {
        let prompt = "The following commands require your approval to run:\n* kubectl apply -f - <<EOF\nkind: Pod\nEOF\n* kubectl scale deploy/a --replicas=2\n\nDo you want to proceed ?";
        assert_eq!(
            asked_for(&request(prompt)),
            [
                "kubectl apply -f - <<EOF\nkind: Pod\nEOF",
                "kubectl scale deploy/a --replicas=2"
            ]
        );
        assert!(asked_for(&json!({})).is_empty());
        assert_eq!(
            no(&json!({"Options": [{"label": "Yes", "value": "yes"}]})),
            None
        );
    }

    #[test]
    fn a_yes_of_somebody_else_is_noticed() {
        let with = |payload: Value| {
            let text = json!({"agentState": "running", "messages": [
                {"ID": "1", "Source": "user", "Type": "user-choice-response", "Payload": payload}
            ]});
            serde_json::from_value::<Snapshot>(text).expect("a state")
        };
        assert!(with(json!({"Choice": 1})).was_allowed());
        assert!(with(json!({"choice": 2})).was_allowed());
        assert!(!with(json!({"Choice": 3})).was_allowed());
        assert!(!with(json!("no")).was_allowed());
    }

    #[test]
    fn what_a_tool_said_is_text() {
        let said =
            tool_answer(&json!({"command": "kubectl get pods", "stdout": "NAME", "exit_code": 0}));
        assert_eq!(said, ("NAME".to_owned(), false));
        let said = tool_answer(&json!({"stderr": "forbidden", "exit_code": 1}));
        assert_eq!(said, ("forbidden".to_owned(), true));
        assert!(tool_answer(&json!({"error": "declined"})).1);
        assert_eq!(tool_answer(&json!("plain")), ("plain".to_owned(), false));
    }

    #[test]
    fn a_question_is_never_one_of_its_own_commands() {
        for meta in ["exit", " Clear ", "resume-session 20260101-0001", "models"] {
            assert!(is_meta(meta), "{meta}");
        }
        assert!(!is_meta("why is the model not answering"));
        assert!(!is_meta("why?"));
    }

    proptest! {
        #[test]
        fn no_request_breaks_the_reader(prompt in "(?s).{0,300}") {
            for command in asked_for(&request(&prompt)) {
                prop_assert!(!command.is_empty());
            }
        }
    }
}
