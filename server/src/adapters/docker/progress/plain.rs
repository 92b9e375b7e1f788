//! BuildKit's plain progress: every line belongs to a numbered step, `#7 [build 2/4] RUN make`.

use app::model::{BuildStepState, Moved, UnixMillis};

use super::super::sizes::parse_bytes;
use super::Steps;

/// Reads one line; all of them are the log's as well.
pub(super) fn hear(line: &str, steps: &mut Steps, now: UnixMillis, say: &mut dyn FnMut(&str)) {
    if !line.is_empty() {
        say(line);
    }
    let Some((number, rest)) = numbered(line) else {
        return;
    };
    // 0 is what the client says about itself.
    if number == 0 || rest == "..." {
        return;
    }
    if !steps.knows(number) {
        steps.named(number, rest);
        steps.set(number, BuildStepState::Running { since: now });
        return;
    }
    if rest == "CACHED" {
        steps.set(number, BuildStepState::Cached);
    } else if rest == "CANCELED" {
        steps.set(number, BuildStepState::Stopped);
    } else if let Some(took) = rest.strip_prefix("DONE ") {
        let took_ms = seconds(took).unwrap_or_else(|| steps.ran_ms(number, now));
        // A step that needed nothing says both.
        if steps.state(number) != Some(&BuildStepState::Cached) {
            steps.set(number, BuildStepState::Done { took_ms });
        }
    } else if let Some(why) = rest.strip_prefix("ERROR: ") {
        let took_ms = steps.ran_ms(number, now);
        let state = if super::rawjson::is_canceled(why) {
            BuildStepState::Stopped
        } else {
            BuildStepState::Failed {
                took_ms,
                why: why.to_owned(),
            }
        };
        steps.set(number, state);
    } else if let Some((_, text)) = rest
        .split_once(' ')
        .filter(|(at, _)| at.parse::<f64>().is_ok())
    {
        steps.printed(number, text);
    } else if let Some(moved) = moved(rest) {
        steps.moved(number, moved);
    }
}

fn numbered(line: &str) -> Option<(u32, &str)> {
    let (number, rest) = line.strip_prefix('#')?.split_once(' ')?;
    Some((number.parse().ok()?, rest))
}

/// `1.2s`
fn seconds(text: &str) -> Option<u64> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    // Saturates, so no number is too large.
    Some((seconds * 1000.0) as u64)
}

/// `transferring context: 24B done` or `sha256:ab… 1.05MB / 3.41MB 0.2s`.
fn moved(rest: &str) -> Option<Moved> {
    if let Some(sizes) = rest.strip_prefix("transferring ") {
        let size = sizes.split_once(": ")?.1.split_whitespace().next()?;
        return Some(Moved {
            done: parse_bytes(size)?,
            total: None,
        });
    }
    let mut words = rest.strip_prefix("sha256:")?.split_whitespace().skip(1);
    let done = parse_bytes(words.next()?)?;
    let total = match words.next() {
        Some("/") => parse_bytes(words.next()?),
        _ => None,
    };
    Some(Moved { done, total })
}
