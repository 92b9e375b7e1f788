//! What helm prints: JSON that other lines may stand around, lint lines, and warnings.

use serde::Deserialize;

use super::record::Hook;

/// A dry run's release, as far as it is looked at. Its manifest may hold secrets: never logged.
#[derive(Deserialize)]
pub struct Rendered {
    #[serde(default)]
    pub manifest: String,
    #[serde(default, deserialize_with = "super::record::null_as_default")]
    pub hooks: Vec<Hook>,
    #[serde(default)]
    pub info: RenderedInfo,
    /// The revision it would get.
    #[serde(default)]
    pub version: u32,
}

impl std::fmt::Debug for Rendered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rendered")
            .field("version", &self.version)
            .field("hooks", &self.hooks.len())
            .finish_non_exhaustive()
    }
}

#[derive(Default, Deserialize)]
pub struct RenderedInfo {
    #[serde(default)]
    pub notes: String,
}

impl std::fmt::Debug for RenderedInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RenderedInfo(…)")
    }
}

/// Reads the output of [`dry_upgrade`](super::Helm::dry_upgrade).
pub fn parse_rendered(stdout: &str) -> Option<Rendered> {
    from_first_bracket(stdout)
}

/// The first JSON value in a text: a cancelled helm prints a sentence around it.
pub fn from_first_bracket<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    let at = text.find(['{', '['])?;
    let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter();
    values.next()?.ok()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LintLevel {
    Info,
    Warning,
    Error,
}

/// One thing `helm lint` said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LintLine {
    pub level: LintLevel,
    /// `templates/deploy.yaml`, as exactly as helm says it; relative to the chart's folder.
    pub file: String,
    /// 1-based.
    pub line: Option<u32>,
    /// May have several lines.
    pub text: String,
}

/// Reads the output of [`lint`](super::Helm::lint). A message goes on until the next one begins.
pub fn parse_lint(stdout: &str) -> Vec<LintLine> {
    let mut found: Vec<LintLine> = Vec::new();
    let mut open = false;
    for raw in stdout.lines() {
        if let Some(begun) = lint_begins(raw) {
            found.push(begun);
            open = true;
        } else if raw.starts_with("==>") || raw.contains(" chart(s) linted") {
            open = false;
        } else if open
            && !raw.trim().is_empty()
            && let Some(last) = found.last_mut()
        {
            last.text.push('\n');
            last.text.push_str(raw.trim_end());
        }
    }
    for line in &mut found {
        if let Some((file, number)) = place_in_text(&line.text) {
            line.file = file;
            line.line = number;
        }
    }
    found
}

fn lint_begins(raw: &str) -> Option<LintLine> {
    let (level, rest) = [
        ("[INFO] ", LintLevel::Info),
        ("[WARNING] ", LintLevel::Warning),
        ("[ERROR] ", LintLevel::Error),
    ]
    .into_iter()
    .find_map(|(mark, level)| Some((level, raw.strip_prefix(mark)?)))?;
    let (file, text) = rest.split_once(": ").unwrap_or(("", rest));
    Some(LintLine {
        level,
        file: file.trim_end_matches('/').to_owned(),
        line: None,
        text: text.to_owned(),
    })
}

/// File and line inside a message: `template: web/templates/a.yaml:12:20: …` (helm 3),
/// `web/templates/a.yaml:12:20` alone on a line (helm 4), `parse error at (web/templates/a.yaml:3): …`.
pub fn place_in_text(text: &str) -> Option<(String, Option<u32>)> {
    text.split([' ', '\n', '(', ')', '"'])
        .filter(|word| word.contains("/templates/"))
        .find_map(|word| {
            let mut parts = word.split(':');
            let path = parts.next()?;
            let extension = path.rsplit_once('.').map(|(_, extension)| extension)?;
            if !["yaml", "yml", "tpl", "txt", "json"].contains(&extension) {
                return None;
            }
            // The first part is the chart's name, the rest is relative to its folder.
            let (_, file) = path.split_once('/')?;
            let line = parts.next().and_then(|number| number.parse().ok());
            Some((file.to_owned(), line))
        })
}

/// What helm warned about on standard error while it went on.
pub fn warnings(stderr: &str) -> Vec<String> {
    stderr
        .lines()
        .filter_map(|line| {
            let line = line.trim();
            if let Some(text) = line.strip_prefix("WARNING: ") {
                return Some(text.to_owned());
            }
            if let Some((_, rest)) = line.split_once("level=WARN msg=") {
                return Some(unquoted(rest));
            }
            // `coalesce.go:298: warning: cannot overwrite table with non table for …`
            let (_, text) = line.split_once(" warning: ")?;
            Some(text.to_owned())
        })
        .collect()
}

fn unquoted(text: &str) -> String {
    match text.strip_prefix('"') {
        Some(quoted) => {
            let end = quoted
                .find("\" ")
                .unwrap_or_else(|| quoted.strip_suffix('"').map_or(quoted.len(), str::len));
            let (message, rest) = quoted.split_at(end);
            let rest = rest.trim_start_matches('"').trim();
            if rest.is_empty() {
                message.replace("\\\"", "\"")
            } else {
                format!("{} ({rest})", message.replace("\\\"", "\""))
            }
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lint_lines_name_file_and_line_in_both_majors() {
        // 3.17.2
        let three = "==> Linting c3\n[INFO] Chart.yaml: icon is recommended\n[ERROR] templates/: template: todo/templates/bad.yaml:1:10: executing \"todo/templates/bad.yaml\" at <.Values.nope.x>: nil pointer evaluating interface {}.x\n\nError: 1 chart(s) linted, 1 chart(s) failed\n";
        let found = parse_lint(three);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].level, found[0].file.as_str()),
            (LintLevel::Info, "Chart.yaml")
        );
        assert_eq!(
            (found[1].level, found[1].file.as_str(), found[1].line),
            (LintLevel::Error, "templates/bad.yaml", Some(1))
        );
        // 4.1.4
        let four = "[ERROR] templates/: todo/templates/bad.yaml:7:10\n  executing \"todo/templates/bad.yaml\" at <.Values.nope.x>:\n    nil pointer evaluating interface {}.x\n\n";
        let found = parse_lint(four);
        assert_eq!(
            (found[0].file.as_str(), found[0].line),
            ("templates/bad.yaml", Some(7))
        );
        assert!(
            found[0]
                .text
                .ends_with("nil pointer evaluating interface {}.x")
        );
        let syntax = parse_lint(
            "[ERROR] templates/: parse error at (todo/templates/bad.yaml:3): unexpected \"}\" in if\n",
        );
        assert_eq!(
            (syntax[0].file.as_str(), syntax[0].line),
            ("templates/bad.yaml", Some(3))
        );
        let schema =
            parse_lint("[ERROR] values.yaml: - at '/a': got string, want integer\n- at '/b': x\n");
        assert_eq!(schema[0].text.lines().count(), 2);
    }

    #[test]
    fn json_is_found_between_other_lines() {
        let text = "Release web has been cancelled.\n{\"manifest\":\"a: 1\",\"hooks\":null,\"version\":3}\nmore";
        let rendered = parse_rendered(text).expect("parses");
        assert_eq!((rendered.manifest.as_str(), rendered.version), ("a: 1", 3));
        assert!(parse_rendered("no json here").is_none());
        assert!(parse_rendered("{ broken").is_none());
    }

    #[test]
    fn warnings_of_a_helm_that_succeeded_are_kept() {
        let stderr = "WARNING: Kubernetes configuration file is group-readable.\ntime=2026 level=WARN msg=\"--dry-run is deprecated\" a=b\ncoalesce.go:298: warning: cannot overwrite table with non table for web.x (map[])\nother\n";
        assert_eq!(
            warnings(stderr),
            [
                "Kubernetes configuration file is group-readable.",
                "--dry-run is deprecated (a=b)",
                "cannot overwrite table with non table for web.x (map[])",
            ]
        );
    }

    proptest! {
        #[test]
        fn no_output_makes_the_parsers_panic(text in "\\PC{0,300}") {
            let _ = parse_lint(&text);
            let _ = warnings(&text);
            let _ = parse_rendered(&text);
            let _ = place_in_text(&text);
        }
    }
}
