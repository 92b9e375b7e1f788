//! BuildKit's raw JSON: a stream of objects, each telling what is new about some vertices.
//! buildx 0.13 indents them over many lines, newer ones write one a line; what the CLI prints
//! around them is text.

use std::collections::BTreeMap;

use app::model::{BuildStepState, Moved, UnixMillis, humanize_ms};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::Steps;
use crate::process::{LONGEST_LINE, strip_escapes};

/// An object that grows beyond this is none.
const LONGEST_OBJECT: usize = 8 * 1024 * 1024;

/// Puts objects together from lines and remembers the vertices by digest.
#[derive(Debug, Default)]
pub(super) struct RawJson {
    /// The lines of an object that has not ended.
    open: String,
    numbers: BTreeMap<String, Vertex>,
    last_number: u32,
}

#[derive(Debug, Default)]
struct Vertex {
    number: u32,
    /// A line of its output that has not ended; may end inside a character.
    partial: Vec<u8>,
    moved: BTreeMap<String, (u64, u64)>,
    announced: bool,
}

/// What the objects hold; all of it optional, unknown parts ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct News {
    vertexes: Option<Vec<VertexNews>>,
    statuses: Option<Vec<StatusNews>>,
    logs: Option<Vec<LogNews>>,
    warnings: Option<Vec<WarningNews>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct VertexNews {
    digest: String,
    name: String,
    started: Option<String>,
    completed: Option<String>,
    cached: bool,
    error: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StatusNews {
    id: String,
    vertex: String,
    current: i64,
    total: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LogNews {
    vertex: String,
    data: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WarningNews {
    short: String,
}

impl RawJson {
    pub(super) fn hear(
        &mut self,
        line: &str,
        steps: &mut Steps,
        now: UnixMillis,
        say: &mut dyn FnMut(&str),
    ) {
        if self.open.is_empty() {
            if !line.starts_with('{') {
                if !line.trim().is_empty() {
                    say(line);
                }
                return;
            }
            match serde_json::from_str::<News>(line) {
                Ok(news) => self.take(news, steps, now, say),
                // Only its beginning stands on this line.
                Err(error) if error.is_eof() => {
                    self.open.push_str(line);
                    self.open.push('\n');
                }
                Err(_) => say(line),
            }
            return;
        }
        self.open.push_str(line);
        self.open.push('\n');
        // Indented, only the last line begins with a brace.
        if line.starts_with('}') {
            match serde_json::from_str::<News>(&self.open) {
                Ok(news) => {
                    self.open.clear();
                    self.take(news, steps, now, say);
                }
                Err(_) => self.give_up(say),
            }
        } else if self.open.len() > LONGEST_OBJECT || !line.starts_with([' ', '\t']) {
            self.give_up(say);
        }
    }

    /// The output has ended: what is left of lines and objects is told as it is.
    pub(super) fn finish(&mut self, steps: &mut Steps, say: &mut dyn FnMut(&str)) {
        self.give_up(say);
        for vertex in self.numbers.values_mut() {
            vertex.flush(steps, say);
        }
    }

    /// It was no object of ours after all.
    fn give_up(&mut self, say: &mut dyn FnMut(&str)) {
        for line in std::mem::take(&mut self.open).lines() {
            say(line);
        }
    }

    fn take(&mut self, news: News, steps: &mut Steps, now: UnixMillis, say: &mut dyn FnMut(&str)) {
        // What was printed comes before the ending of what printed it.
        for log in news.logs.unwrap_or_default() {
            let Ok(bytes) = STANDARD.decode(log.data.as_bytes()) else {
                continue;
            };
            if let Some(vertex) = self.numbers.get_mut(&log.vertex) {
                vertex.print(&bytes, steps, say);
            }
        }
        for vertex in news.vertexes.unwrap_or_default() {
            self.vertex(&vertex, steps, now, say);
        }
        for status in news.statuses.unwrap_or_default() {
            let Some(vertex) = self.numbers.get_mut(&status.vertex) else {
                continue;
            };
            let amount = |number: i64| u64::try_from(number).unwrap_or(0);
            let (current, total) = (amount(status.current), amount(status.total));
            // Many are about no bytes at all: `exporting layers`.
            if current == 0 && total == 0 {
                continue;
            }
            vertex.moved.insert(status.id, (current, total));
            let sum = |pick: fn(&(u64, u64)) -> u64| {
                vertex.moved.values().map(pick).fold(0, u64::saturating_add)
            };
            let moved = Moved {
                done: sum(|both| both.0),
                total: Some(sum(|both| both.1)).filter(|total| *total > 0),
            };
            steps.moved(vertex.number, moved);
        }
        for warning in news.warnings.unwrap_or_default() {
            if let Ok(text) = STANDARD.decode(warning.short.as_bytes()) {
                say(&format!("WARNING: {}", String::from_utf8_lossy(&text)));
            }
        }
    }

    fn vertex(
        &mut self,
        news: &VertexNews,
        steps: &mut Steps,
        now: UnixMillis,
        say: &mut dyn FnMut(&str),
    ) {
        if news.digest.is_empty() {
            return;
        }
        if !self.numbers.contains_key(&news.digest) {
            // A number that cannot be reached by counting steps.
            self.last_number = self.last_number.saturating_add(1);
            let vertex = Vertex {
                number: self.last_number,
                ..Vertex::default()
            };
            steps.named(vertex.number, &news.name);
            self.numbers.insert(news.digest.clone(), vertex);
        }
        let Some(vertex) = self.numbers.get_mut(&news.digest) else {
            return;
        };
        let number = vertex.number;
        let has_ended = |state: Option<&BuildStepState>| {
            !matches!(
                state,
                Some(BuildStepState::Waiting | BuildStepState::Running { .. })
            )
        };
        // BuildKit looks at some vertices twice; an ending stays.
        if has_ended(steps.state(number)) {
            return;
        }
        if !vertex.announced && (news.started.is_some() || news.cached || !news.error.is_empty()) {
            vertex.announced = true;
            say(&format!("#{number} {}", news.name));
        }
        if news.completed.is_none() {
            if news.started.is_some() && steps.state(number) == Some(&BuildStepState::Waiting) {
                steps.set(number, BuildStepState::Running { since: now });
            }
            return;
        }
        vertex.flush(steps, say);
        let took_ms = took_ms(news).unwrap_or_else(|| steps.ran_ms(number, now));
        let state = if !news.error.is_empty() {
            if is_canceled(&news.error) {
                say(&format!("#{number} CANCELED"));
                BuildStepState::Stopped
            } else {
                say(&format!("#{number} ERROR: {}", news.error));
                BuildStepState::Failed {
                    took_ms,
                    why: news.error.clone(),
                }
            }
        } else if news.cached {
            say(&format!("#{number} CACHED"));
            BuildStepState::Cached
        } else {
            say(&format!("#{number} DONE {}", humanize_ms(took_ms)));
            BuildStepState::Done { took_ms }
        };
        steps.set(number, state);
    }
}

impl Vertex {
    fn print(&mut self, mut bytes: &[u8], steps: &mut Steps, say: &mut dyn FnMut(&str)) {
        while let Some(at) = bytes.iter().position(|byte| *byte == b'\n') {
            self.extend(&bytes[..at]);
            self.emit(steps, say);
            bytes = &bytes[at + 1..];
        }
        self.extend(bytes);
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = LONGEST_LINE.saturating_sub(self.partial.len());
        self.partial
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn flush(&mut self, steps: &mut Steps, say: &mut dyn FnMut(&str)) {
        if !self.partial.is_empty() {
            self.emit(steps, say);
        }
    }

    fn emit(&mut self, steps: &mut Steps, say: &mut dyn FnMut(&str)) {
        let bytes = std::mem::take(&mut self.partial);
        // A progress bar writes its line over and over: the last version counts.
        let bytes = bytes
            .split(|byte| *byte == b'\r')
            .rfind(|version| !version.is_empty())
            .unwrap_or_default();
        let text = String::from_utf8_lossy(bytes);
        let text = strip_escapes(&text);
        steps.printed(self.number, &text);
        say(&format!("#{} {text}", self.number));
    }
}

/// Steps beside the failed one end so; they are not what went wrong.
pub(super) fn is_canceled(error: &str) -> bool {
    error.ends_with("context canceled") || error == "canceled" || error.ends_with(": canceled")
}

/// By the builder's own clock, which may be another than ours.
fn took_ms(news: &VertexNews) -> Option<u64> {
    let at = |text: &Option<String>| text.as_ref()?.parse::<jiff::Timestamp>().ok();
    let took = at(&news.completed)?.duration_since(at(&news.started)?);
    u64::try_from(took.as_millis()).ok()
}
