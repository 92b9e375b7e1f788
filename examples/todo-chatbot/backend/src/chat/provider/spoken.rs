//! A streamed answer, put together from its pieces.

use serde::Deserialize;

use super::{Answer, ProviderProblem, ToolCall};

/// More than any model calls at once; it bounds what a broken provider can make us keep.
const MAX_CALLS: usize = 64;

/// What was said so far.
#[derive(Debug, Default)]
pub(super) struct Spoken {
    text: String,
    calls: Vec<ToolCall>,
}

/// One piece: `choices[0].delta`. Everything in it may be missing.
#[derive(Deserialize)]
struct Piece {
    #[serde(default)]
    choices: Vec<Choice>,
    /// Some providers answer 200 and report what went wrong in the stream.
    #[serde(default)]
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
}

#[derive(Default, Deserialize)]
struct Delta {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<CallPiece>>,
}

/// A part of a tool call: the first one carries id and name, all of them carry a bit of the arguments.
#[derive(Deserialize)]
struct CallPiece {
    #[serde(default)]
    index: usize,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: FunctionPiece,
}

#[derive(Default, Deserialize)]
struct FunctionPiece {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<String>,
}

impl Spoken {
    /// Adds one piece and returns its text, if it has any.
    pub(super) fn take(&mut self, data: &str) -> Result<Option<String>, ProviderProblem> {
        let piece: Piece = serde_json::from_str(data).map_err(|_| ProviderProblem::Malformed)?;
        if piece.error.is_some() {
            return Err(ProviderProblem::Broken);
        }
        let Some(choice) = piece.choices.into_iter().next() else {
            return Ok(None);
        };
        for call in choice.delta.tool_calls.into_iter().flatten() {
            self.add(call)?;
        }
        let text = choice.delta.content.filter(|text| !text.is_empty());
        if let Some(text) = &text {
            self.text.push_str(text);
        }
        Ok(text)
    }

    fn add(&mut self, piece: CallPiece) -> Result<(), ProviderProblem> {
        if piece.index >= MAX_CALLS {
            return Err(ProviderProblem::Malformed);
        }
        if self.calls.len() <= piece.index {
            self.calls.resize_with(piece.index + 1, ToolCall::default);
        }
        let call = &mut self.calls[piece.index];
        if let Some(id) = piece.id {
            call.id = id;
        }
        if let Some(name) = piece.function.name {
            call.function.name.push_str(&name);
        }
        if let Some(arguments) = piece.function.arguments {
            call.function.arguments.push_str(&arguments);
        }
        Ok(())
    }

    /// The whole answer, once nothing more comes.
    pub(super) fn finish(self) -> Result<Answer, ProviderProblem> {
        Ok(Answer {
            content: (!self.text.is_empty()).then_some(self.text),
            tool_calls: (!self.calls.is_empty()).then_some(self.calls),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_calls_are_put_together_from_their_pieces() {
        let mut spoken = Spoken::default();
        let pieces = [
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"On "}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"it"}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"add_todo","arguments":""}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"list_todos","arguments":"{}"}},{"index":0,"function":{"arguments":"{\"title\":"}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"milk\"}"}}]}}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#,
            r#"{"choices":[],"usage":{"total_tokens":3}}"#,
        ];
        let said: Vec<String> = pieces
            .iter()
            .filter_map(|piece| spoken.take(piece).unwrap())
            .collect();
        assert_eq!(said, ["On ", "it"]);
        let answer = spoken.finish().unwrap();
        assert_eq!(answer.content.as_deref(), Some("On it"));
        let calls = answer.tool_calls.unwrap();
        assert_eq!(calls[0].function.arguments, r#"{"title":"milk"}"#);
        assert_eq!(
            (calls[1].id.as_str(), calls[1].function.name.as_str()),
            ("b", "list_todos")
        );
    }

    #[test]
    fn a_broken_stream_is_a_problem_and_never_a_panic() {
        let mut spoken = Spoken::default();
        assert_eq!(spoken.take("<h1>"), Err(ProviderProblem::Malformed));
        assert_eq!(
            spoken.take(r#"{"error":{"message":"overloaded"}}"#),
            Err(ProviderProblem::Broken)
        );
        assert_eq!(
            spoken.take(r#"{"choices":[{"delta":{"tool_calls":[{"index":4294967295}]}}]}"#),
            Err(ProviderProblem::Malformed)
        );
    }
}
