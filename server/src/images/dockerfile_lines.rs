//! Which line of a Dockerfile a failed step stands on.

/// The line an instruction begins on, from 1, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingLine {
    pub line: usize,
    pub text: String,
}

/// Finds the instruction a builder calls `name`, such as `RUN make`, or the line a parse error names.
pub fn find(dockerfile: &str, name: &str, error: &str) -> Option<FailingLine> {
    let at_line = |line: usize| {
        let text = dockerfile.lines().nth(line.checked_sub(1)?)?;
        Some(FailingLine {
            line,
            text: text.trim().to_owned(),
        })
    };
    if let Some(line) = named_line(error) {
        return at_line(line);
    }
    let wanted = squeezed(name);
    if wanted.is_empty() {
        return None;
    }
    instructions(dockerfile)
        .into_iter()
        .find(|(_, text)| squeezed(text) == wanted)
        .and_then(|(line, _)| at_line(line))
}

/// `dockerfile parse error line 2: …`, `… on line 2: …` and `Dockerfile:5`.
fn named_line(error: &str) -> Option<usize> {
    let after = error
        .split_once("parse error line ")
        .or_else(|| error.split_once("parse error on line "))
        .or_else(|| error.split_once("Dockerfile parse error line "))
        .map(|(_, after)| after)?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Every instruction with the line it begins on; continued lines are one.
fn instructions(dockerfile: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (at, line) in dockerfile.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let (text, continued) = match line.strip_suffix('\\') {
            Some(text) => (text, true),
            None => (line, false),
        };
        match found.last_mut() {
            Some((_, last)) if goes_on => {
                last.push(' ');
                last.push_str(text);
            }
            _ => found.push((at + 1, text.to_owned())),
        }
        goes_on = continued;
    }
    found
}

/// Without what a builder changes when it prints an instruction: blanks and the keyword's case.
fn squeezed(text: &str) -> String {
    text.split_whitespace()
        .collect::<String>()
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKERFILE: &str = "# comment\nFROM scratch AS base\nCOPY a b\n\nrun  make \\\n  # inside\n  all\nRUN [\"/h\",\"fail\"]\n";

    #[test]
    fn the_line_is_where_the_instruction_begins() {
        let line = |name: &str, error: &str| find(DOCKERFILE, name, error).map(|found| found.line);
        assert_eq!(line("RUN make all", ""), Some(5));
        assert_eq!(line("RUN [\"/h\",\"fail\"]", "exit code: 7"), Some(8));
        assert_eq!(line("COPY a b", ""), Some(3));
        assert_eq!(line("COPY c d", ""), None);
        assert_eq!(
            line(
                "",
                "dockerfile parse error line 2: unknown instruction: RNU"
            ),
            Some(2)
        );
        assert_eq!(line("", "dockerfile parse error on line 3: x"), Some(3));
        assert_eq!(line("", "dockerfile parse error line 99: x"), None);
        assert_eq!(line("", "dockerfile parse error line 0: x"), None);
    }
}
