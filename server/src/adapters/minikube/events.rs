//! The CloudEvents that minikube prints with `--output json`, one per line.
//! Every value in them is text, also the numbers; what is not understood is told as a plain line.

use serde::Deserialize;
use serde_json::{Map, Value};

const PREFIX: &str = "io.k8s.sigs.minikube.";
/// Longer texts are cut: an advice is a few lines.
const LONGEST: usize = 4_000;

/// One line of output.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Step {
        /// Its number; a hint only: numbers are skipped and repeated.
        at: Option<usize>,
        name: String,
        message: String,
    },
    Info(String),
    Warning(String),
    /// A note on the error channel, not the end.
    Complaint(String),
    /// Why the program is about to end; the last one counts.
    Fatal(Fatal),
    Download {
        artifact: String,
    },
    Downloaded {
        artifact: String,
        /// From 0 to 1; none when the total is not known.
        share: Option<f64>,
    },
    /// Not an event.
    Line(String),
}

/// A reason to end, in minikube's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fatal {
    pub exit: i32,
    /// Such as `PROVIDER_DOCKER_NOT_RUNNING`; an open set.
    pub id: String,
    pub message: String,
    /// With templates such as `{{.profileArg}}` already taken out.
    pub advice: String,
    pub url: String,
}

/// Reads one line.
pub fn parse(line: &str) -> Event {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        data: Map<String, Value>,
    }
    let Ok(Envelope { kind, data }) = serde_json::from_str(line) else {
        return Event::Line(line.to_owned());
    };
    let text = |key: &str| without_templates(data.get(key).and_then(Value::as_str).unwrap_or(""));
    match kind.strip_prefix(PREFIX) {
        Some("step") => Event::Step {
            at: text("currentstep").parse().ok(),
            name: text("name"),
            message: text("message"),
        },
        Some("info") => Event::Info(text("message")),
        Some("warning") => Event::Warning(text("message")),
        Some("error") => match text("exitcode").parse() {
            Ok(exit) => Event::Fatal(Fatal {
                exit,
                id: text("name"),
                message: text("message"),
                advice: text("advice"),
                url: text("url"),
            }),
            Err(_) => Event::Complaint(text("message")),
        },
        Some("download") => Event::Download {
            artifact: text("artifact"),
        },
        Some("download.progress") => Event::Downloaded {
            artifact: text("artifact"),
            // `NaN` and `+Inf` parse as numbers.
            share: text("progress")
                .parse::<f64>()
                .ok()
                .filter(|share| share.is_finite() && (0.0..=1.0).contains(share)),
        },
        _ => Event::Line(line.to_owned()),
    }
}

/// The text without unexpanded Go templates, and without the holes they leave; lines are tidied.
pub fn without_templates(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        plain.push_str(&rest[..at]);
        rest = match rest[at..].find("}}") {
            Some(end) => &rest[at + end + 2..],
            // Never closed: what follows is not a sentence any more.
            None => "",
        };
        if rest.is_empty() || rest.starts_with(['\'', '"', '`', '.', ',', ')', '\n']) {
            plain.truncate(plain.trim_end_matches(' ').len());
        }
        // Quotes around nothing.
        for quote in ['\'', '"', '`'] {
            if plain.ends_with(quote) && rest.starts_with(quote) {
                plain.pop();
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    let lines: Vec<String> = plain
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect();
    lines.join("\n").chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(kind: &str, data: &str) -> Event {
        parse(&format!(
            r#"{{"specversion":"1.0","type":"io.k8s.sigs.minikube.{kind}","data":{data}}}"#
        ))
    }

    #[test]
    fn numbers_come_as_text_and_may_be_missing() {
        let step = event(
            "step",
            r#"{"currentstep":"8","message":"Creating docker container ...","name":"Creating Container","totalsteps":"19"}"#,
        );
        assert_eq!(
            step,
            Event::Step {
                at: Some(8),
                name: "Creating Container".into(),
                message: "Creating docker container ...".into()
            }
        );
        let unregistered = event("step", r#"{"currentstep":"","message":"m","name":""}"#);
        assert!(matches!(unregistered, Event::Step { at: None, .. }));
    }

    #[test]
    fn a_progress_that_is_no_share_is_unknown() {
        let share = |text: &str| match event(
            "download.progress",
            &format!(r#"{{"artifact":"a","progress":"{text}"}}"#),
        ) {
            Event::Downloaded { share, .. } => share,
            other => panic!("{other:?}"),
        };
        assert_eq!(share("0.25"), Some(0.25));
        for odd in ["NaN", "+Inf", "-1", "2", "", "x"] {
            assert_eq!(share(odd), None, "{odd}");
        }
    }

    #[test]
    fn only_an_error_with_an_exit_code_is_the_end() {
        assert_eq!(
            event("error", r#"{"message":"will try again"}"#),
            Event::Complaint("will try again".into())
        );
        let Event::Fatal(fatal) = event(
            "error",
            r#"{"exitcode":"69","name":"PROVIDER_DOCKER_NEWGRP","message":"denied","advice":"Add your user:\n\t1. usermod {{.profileArg}}\n","url":"https://x"}"#,
        ) else {
            panic!("it is the end");
        };
        assert_eq!(
            (fatal.exit, fatal.id.as_str()),
            (69, "PROVIDER_DOCKER_NEWGRP")
        );
        assert_eq!(fatal.advice, "Add your user:\n1. usermod");
    }

    #[test]
    fn templates_leave_no_hole() {
        let cases = [
            (
                "Delete it using: 'minikube delete {{.profileArg}}'",
                "Delete it using: 'minikube delete'",
            ),
            ("{{.recommend}}", ""),
            ("a '{{.x}}' b.", "a b."),
            ("Use {{.a}}, then {{.b}}.", "Use, then."),
            ("open {{.never", "open"),
            ("plain ()", "plain ()"),
        ];
        for (text, plain) in cases {
            assert_eq!(without_templates(text), plain, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_line_breaks_the_reader(line in ".{0,200}") {
            let _ = parse(&line);
        }

        #[test]
        fn no_template_is_left(text in r"[a-z '{}.\n]{0,80}") {
            prop_assert!(!without_templates(&text).contains("{{"));
        }

        #[test]
        fn a_share_is_between_nothing_and_all(number in any::<f64>()) {
            let line = format!(r#"{{"type":"io.k8s.sigs.minikube.download.progress","data":{{"progress":"{number}"}}}}"#);
            if let Event::Downloaded { share: Some(share), .. } = parse(&line) {
                prop_assert!((0.0..=1.0).contains(&share));
            }
        }
    }
}
