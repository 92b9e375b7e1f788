//! An answer, put together from the chunks it is streamed in.

use app::model::Usage;
use serde_json::Value;

/// More calls in one answer are no plan but a flood.
const MOST_CALLS: usize = 32;
const LONGEST_ARGUMENTS: usize = 64 << 10;

/// A function the model wants called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// The model's; empty where it gave none.
    pub id: String,
    pub name: String,
    /// JSON, as the model wrote it; may be broken.
    pub arguments: String,
}

/// What has arrived so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub text: String,
    pub calls: Vec<ToolCall>,
    pub usage: Usage,
    /// The model as the endpoint names it.
    pub model: Option<String>,
    /// `stop`, `tool_calls`, `length`, `content_filter`; none while it goes on.
    pub finish: Option<String>,
}

/// A chunk that is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadChunk {
    #[error("what was streamed is no JSON")]
    NotJson,
    /// Endpoints report trouble in the middle of a stream like this.
    #[error("{0}")]
    Error(String),
    #[error("the model calls too many functions at once")]
    TooMuch,
}

impl Answer {
    /// Takes one `data:` line; what was added to the text comes back. `[DONE]` adds nothing.
    pub fn take(&mut self, data: &str) -> Result<String, BadChunk> {
        if data.trim() == "[DONE]" {
            return Ok(String::new());
        }
        let chunk: Value = serde_json::from_str(data).map_err(|_| BadChunk::NotJson)?;
        if !chunk["error"].is_null() {
            let (_, words) = super::refusal(data);
            return Err(BadChunk::Error(words));
        }
        self.take_json(&chunk)
    }

    /// Takes a chunk, or a whole answer of an endpoint that does not stream.
    pub fn take_json(&mut self, chunk: &Value) -> Result<String, BadChunk> {
        if let (None, Some(model)) = (&self.model, chunk["model"].as_str()) {
            self.model = Some(model.to_owned());
        }
        let usage = &chunk["usage"];
        if usage.is_object() {
            // Some count up in every chunk; the last word is the whole.
            self.usage = Usage {
                input: usage["prompt_tokens"].as_u64().unwrap_or_default(),
                output: usage["completion_tokens"].as_u64().unwrap_or_default(),
            };
        }
        let choice = &chunk["choices"][0];
        if let Some(finish) = choice["finish_reason"].as_str() {
            self.finish = Some(finish.to_owned());
        }
        let delta = match &choice["delta"] {
            Value::Null => &choice["message"],
            delta => delta,
        };
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            self.take_call(call)?;
        }
        let added = delta["content"].as_str().unwrap_or_default();
        self.text.push_str(added);
        Ok(added.to_owned())
    }

    fn take_call(&mut self, piece: &Value) -> Result<(), BadChunk> {
        let function = &piece["function"];
        let id = piece["id"].as_str().unwrap_or_default();
        // Ollama sends whole calls, all without an index or with the same.
        let at = match piece["index"].as_u64() {
            Some(index) => usize::try_from(index).map_err(|_| BadChunk::TooMuch)?,
            None => self.calls.len(),
        };
        let is_other = |known: &ToolCall| !id.is_empty() && !known.id.is_empty() && known.id != id;
        let at = match self.calls.get(at) {
            Some(known) if is_other(known) => self.calls.len(),
            _ => at,
        };
        if at >= MOST_CALLS {
            return Err(BadChunk::TooMuch);
        }
        if self.calls.len() <= at {
            self.calls.resize_with(at + 1, ToolCall::default);
        }
        let call = &mut self.calls[at];
        if call.id.is_empty() {
            call.id = id.to_owned();
        }
        // The name comes whole, and some send it with every piece.
        if call.name.is_empty() {
            call.name = function["name"].as_str().unwrap_or_default().to_owned();
        }
        match &function["arguments"] {
            Value::String(more) => call.arguments.push_str(more),
            Value::Null => {}
            whole => call.arguments = whole.to_string(),
        }
        match call.arguments.len() > LONGEST_ARGUMENTS {
            true => Err(BadChunk::TooMuch),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn taken(chunks: &[Value]) -> Answer {
        let mut answer = Answer::default();
        for chunk in chunks {
            answer.take(&chunk.to_string()).expect("a chunk");
        }
        answer.take("[DONE]").expect("the end");
        answer
    }

    #[test]
    fn text_and_usage_come_in_pieces() {
        let answer = taken(&[
            json!({"model": "m", "choices": [{"delta": {"role": "assistant", "content": ""}}]}),
            json!({"choices": [{"delta": {"content": "The "}}]}),
            json!({"choices": [{"delta": {"content": "pod"}, "finish_reason": "stop"}]}),
            json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}),
        ]);
        assert_eq!(answer.text, "The pod");
        assert_eq!(
            answer.usage,
            Usage {
                input: 7,
                output: 2
            }
        );
        assert_eq!(answer.finish.as_deref(), Some("stop"));
        assert_eq!(answer.model.as_deref(), Some("m"));
    }

    #[test]
    fn calls_are_put_together_by_their_index() {
        let piece = |index: u32, id: Value, name: Value, arguments: &str| {
            json!({"choices": [{"delta": {"tool_calls": [{
                "index": index, "id": id, "function": {"name": name, "arguments": arguments},
            }]}}]})
        };
        let answer = taken(&[
            piece(0, json!("a"), json!("logs"), ""),
            piece(0, Value::Null, Value::Null, "{\"of\":"),
            piece(1, json!("b"), json!("pods"), "{}"),
            piece(0, Value::Null, Value::Null, "\"web\"}"),
        ]);
        assert_eq!(answer.calls.len(), 2);
        assert_eq!(answer.calls[0].arguments, "{\"of\":\"web\"}");
        assert_eq!(answer.calls[1].name, "pods");
    }

    #[test]
    fn whole_calls_that_share_an_index_or_have_none_stay_apart() {
        let call = |id: &str, index: Value| {
            json!({"choices": [{"delta": {"tool_calls": [{
                "index": index, "id": id, "function": {"name": "logs", "arguments": {"of": id}},
            }]}}]})
        };
        for index in [json!(0), Value::Null] {
            let answer = taken(&[call("a", index.clone()), call("b", index)]);
            assert_eq!(answer.calls.len(), 2);
            assert_eq!(answer.calls[1].arguments, r#"{"of":"b"}"#);
        }
    }

    #[test]
    fn an_answer_that_is_not_streamed_is_read_the_same() {
        let mut answer = Answer::default();
        let added = answer.take_json(&json!({
            "choices": [{"message": {"content": "all at once"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 3},
        }));
        assert_eq!(added.as_deref(), Ok("all at once"));
        assert_eq!(answer.usage.output, 3);
    }

    #[test]
    fn trouble_in_the_middle_of_a_stream_is_told() {
        let mut answer = Answer::default();
        assert_eq!(answer.take("{oops"), Err(BadChunk::NotJson));
        let error = answer.take(r#"{"error":{"message":"overloaded"}}"#);
        assert_eq!(error, Err(BadChunk::Error("overloaded".to_owned())));
        let flood = json!({"choices": [{"delta": {"tool_calls": [{"index": 4_000_000_000_u32, "function": {}}]}}]});
        assert_eq!(answer.take(&flood.to_string()), Err(BadChunk::TooMuch));
    }

    proptest! {
        #[test]
        fn no_chunk_makes_it_panic(
            text in "\\PC{0,40}",
            index in proptest::option::of(0_u64..200),
            id in proptest::option::of("[a-c]{0,2}"),
            junk in "[\\[\\]{}\":,a-z0-9 ]{0,60}",
        ) {
            let mut answer = Answer::default();
            let _ = answer.take(&junk);
            let chunk = json!({"choices": [{"delta": {"content": text, "tool_calls": [
                {"index": index, "id": id, "function": {"name": text, "arguments": text}},
            ]}}]});
            let _ = answer.take(&chunk.to_string());
            prop_assert!(answer.calls.len() <= MOST_CALLS);
        }
    }
}
