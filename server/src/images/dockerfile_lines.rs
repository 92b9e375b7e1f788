//! Which line of a Dockerfile a failed step stands on.

use super::report::dockerfile::{self, Instruction};

/// The line an instruction begins on, from 1, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingLine {
    pub line: usize,
    pub text: String,
}

/// Finds the line an error names, or the instruction a builder calls `name`, such as `RUN make`.
/// `file_name` is what the builder calls the file: `Dockerfile`.
pub fn find(dockerfile: &str, file_name: &str, name: &str, error: &str) -> Option<FailingLine> {
    let file = dockerfile::parse(dockerfile);
    let line = named_line(error, file_name).or_else(|| {
        let wanted = squeezed(name);
        let is_wanted = |one: &&Instruction| !wanted.is_empty() && squeezed(&one.text()) == wanted;
        let found = file.instructions.iter().find(is_wanted)?;
        usize::try_from(found.line).ok()
    })?;
    let text = file.lines.get(line.checked_sub(1)?)?;
    Some(FailingLine {
        line,
        text: text.trim().to_owned(),
    })
}

/// `dockerfile parse error line 2: …`, `… on line 2: …`, and the head of BuildKit's excerpt,
/// `Dockerfile:5`, which stands alone on its line.
fn named_line(error: &str, file_name: &str) -> Option<usize> {
    let after = error
        .split_once("parse error line ")
        .or_else(|| error.split_once("parse error on line "))
        .map(|(_, after)| after);
    let excerpt = || {
        error.lines().find_map(|line| {
            let number = line.trim().strip_prefix(file_name)?.strip_prefix(':')?;
            number
                .bytes()
                .all(|byte| byte.is_ascii_digit())
                .then_some(number)
        })
    };
    let text = after.or_else(excerpt)?;
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
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

    const DOCKERFILE: &str = "# comment\nFROM scratch AS base\nCOPY a b\n\nrun  make \\\n  # inside\n  all\nRUN [\"/h\",\"fail\"]\nCOPY --chown=1:1 --link c /c\nRUN <<EOF\nCOPY d e\nEOF\nCOPY d e\n";

    fn line(name: &str, error: &str) -> Option<usize> {
        find(DOCKERFILE, "Dockerfile", name, error).map(|found| found.line)
    }

    #[test]
    fn the_line_is_where_the_instruction_begins() {
        assert_eq!(line("RUN make all", ""), Some(5));
        assert_eq!(line("RUN [\"/h\",\"fail\"]", "exit code: 7"), Some(8));
        assert_eq!(line("COPY a b", ""), Some(3));
        assert_eq!(line("COPY --chown=1:1 --link c /c", ""), Some(9));
        assert_eq!(line("COPY c d", ""), None);
        assert_eq!(line("", ""), None);
    }

    #[test]
    fn what_stands_in_a_heredoc_is_no_instruction() {
        assert_eq!(line("COPY d e", ""), Some(13));
    }

    #[test]
    fn a_line_that_the_error_names_comes_first() {
        let parse = "dockerfile parse error line 2: unknown instruction: RNU";
        assert_eq!(line("", parse), Some(2));
        assert_eq!(line("", "dockerfile parse error on line 3: x"), Some(3));
        assert_eq!(line("", "dockerfile parse error line 99: x"), None);
        assert_eq!(line("", "dockerfile parse error line 0: x"), None);
        // The name of a step has its variables filled in, so it is not what the file says.
        let excerpt = "Dockerfile:8\n--------------------\n   8 | >>> RUN [\"/h\",\"fail\"]";
        assert_eq!(line("RUN something else", excerpt), Some(8));
        assert_eq!(line("COPY a b", "Dockerfile:8x"), Some(3));
    }
}
