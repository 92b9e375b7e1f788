//! Which level a line says it has: JSON, logfmt, klog, and plain words at its beginning.

use app::model::LogLevel;

/// Levels stand near the beginning; looking further finds words of the message.
const LOOKED_AT: usize = 120;
const WORDS_LOOKED_AT: usize = 8;

/// What JSON loggers call it; the last is OpenTelemetry's.
const JSON_KEYS: [&str; 5] = [
    "\"level\"",
    "\"severity\"",
    "\"lvl\"",
    "\"levelname\"",
    "\"severity_text\"",
];

/// The line's level; none when it does not say.
pub fn level_of(line: &str) -> Option<LogLevel> {
    let line = line.trim_start();
    if line.starts_with('{') {
        return json_level(line);
    }
    let head = match line.char_indices().nth(LOOKED_AT) {
        Some((at, _)) => &line[..at],
        None => line,
    };
    if let Some(level) = ["level=", "lvl=", "severity="]
        .iter()
        .find_map(|key| named(value_after(head, key)?))
    {
        return Some(level);
    }
    klog(head).or_else(|| by_words(head))
}

fn json_level(line: &str) -> Option<LogLevel> {
    JSON_KEYS.iter().find_map(|key| {
        let rest = line[line.find(key)? + key.len()..].trim_start();
        let rest = rest.strip_prefix(':')?.trim_start();
        if let Some(text) = rest.strip_prefix('"') {
            return named(text.split('"').next()?);
        }
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        // Pino and bunyan count from 10 (trace) to 60 (fatal).
        match digits.parse::<u32>().ok()? {
            50.. => Some(LogLevel::Error),
            40.. => Some(LogLevel::Warn),
            30.. => Some(LogLevel::Info),
            20.. => Some(LogLevel::Debug),
            10.. => Some(LogLevel::Trace),
            _ => None,
        }
    })
}

fn value_after<'a>(head: &'a str, key: &str) -> Option<&'a str> {
    let at = head.find(key)?;
    let is_whole = at == 0 || !head.as_bytes()[at - 1].is_ascii_alphanumeric();
    let rest = head[at + key.len()..].trim_start_matches('"');
    is_whole.then(|| {
        rest.split(|c: char| !c.is_ascii_alphabetic())
            .next()
            .unwrap_or_default()
    })
}

/// `I0102 15:04:05.678901`.
fn klog(head: &str) -> Option<LogLevel> {
    let bytes = head.as_bytes();
    let is_klog = bytes.len() > 6 && bytes[1..5].iter().all(u8::is_ascii_digit) && bytes[5] == b' ';
    match bytes.first().filter(|_| is_klog)? {
        b'E' | b'F' => Some(LogLevel::Error),
        b'W' => Some(LogLevel::Warn),
        b'I' => Some(LogLevel::Info),
        _ => None,
    }
}

fn by_words(head: &str) -> Option<LogLevel> {
    if head.starts_with("Traceback (most recent call last)") || head.contains("' panicked at ") {
        return Some(LogLevel::Error);
    }
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    head.split_inclusive(|c: char| !is_part(c))
        .filter(|word| word.starts_with(is_part))
        .take(WORDS_LOOKED_AT)
        .find_map(|word| {
            let bare = word.trim_end_matches(|c: char| !is_part(c));
            // In small letters it is a word like any other, unless a colon makes it a label.
            let is_label = bare.len() > 2
                && (bare.chars().all(|c| c.is_ascii_uppercase()) || word.ends_with([':', ']']));
            is_label.then(|| named(bare)).flatten()
        })
}

fn named(word: &str) -> Option<LogLevel> {
    Some(match word.to_ascii_lowercase().as_str() {
        "error" | "err" | "eror" | "fatal" | "critical" | "crit" | "panic" | "emerg" | "alert"
        | "severe" => LogLevel::Error,
        "warn" | "warning" | "wrn" => LogLevel::Warn,
        "info" | "inf" | "notice" | "information" => LogLevel::Info,
        "debug" | "dbg" | "debg" => LogLevel::Debug,
        "trace" | "trc" | "verbose" => LogLevel::Trace,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_usual_formats_are_understood() {
        let cases = [
            (
                "2026-01-02T03:04:05Z ERROR todo::db: gone",
                Some(LogLevel::Error),
            ),
            ("  INFO listening on 8000", Some(LogLevel::Info)),
            ("[warn] low on disk", Some(LogLevel::Warn)),
            ("error: could not connect", Some(LogLevel::Error)),
            ("WARNING:root:careful", Some(LogLevel::Warn)),
            (r#"{"level":"debug","msg":"x"}"#, Some(LogLevel::Debug)),
            (
                r#"{"time":1,"level": 50,"msg":"info"}"#,
                Some(LogLevel::Error),
            ),
            ("time=x level=warn msg=\"error\"", Some(LogLevel::Warn)),
            (
                "E0102 15:04:05.678901 1 main.go:7] oops",
                Some(LogLevel::Error),
            ),
            (
                "thread 'main' panicked at src/main.rs:3",
                Some(LogLevel::Error),
            ),
            ("no error here, all is fine", None),
            ("GET /error 200", None),
            ("", None),
        ];
        for (line, level) in cases {
            assert_eq!(level_of(line), level, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_can_be_looked_at(line in "\\PC{0,200}") {
            let _ = level_of(&line);
            let _ = level_of(&format!("{{{line}"));
        }
    }
}
