//! `.env` files as people write them: comments, `export`, quotes, values of several lines.
//! The form reads a dropped one in the page, the command line reads one from disk.

/// One assignment of the file.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvLine {
    /// From 1.
    pub line: usize,
    pub key: String,
    pub value: String,
}

impl std::fmt::Debug for EnvLine {
    /// Values may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EnvLine({}: {}=…)", self.line, self.key)
    }
}

/// What the file assigns, in its order. The error is the number of the first line that assigns
/// nothing; its text is never repeated.
pub fn parse_env_file(text: &str) -> Result<Vec<EnvLine>, usize> {
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = (1_usize..).zip(text.lines());
    let mut found = Vec::new();
    while let Some((number, line)) = lines.next() {
        // The end belongs to the value while a quote is open.
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let assignment = line.strip_prefix("export ").unwrap_or(line);
        let (key, value) = assignment.split_once('=').ok_or(number)?;
        let key = key.trim();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(number);
        }
        let value = value.trim_start();
        let value = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let mut raw = value[1..].to_owned();
                // A quoted value may go on over lines.
                while closing(&raw, quote).is_none() {
                    let Some((_, more)) = lines.next() else {
                        return Err(number);
                    };
                    raw.push('\n');
                    raw.push_str(more);
                }
                let end = closing(&raw, quote).ok_or(number)?;
                match quote {
                    '"' => unescaped(&raw[..end]),
                    _ => raw[..end].to_owned(),
                }
            }
            _ => without_comment(value).trim_end().to_owned(),
        };
        found.push(EnvLine {
            line: number,
            key: key.to_owned(),
            value,
        });
    }
    Ok(found)
}

/// Where the quote closes; a backslash hides one within double quotes.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut hidden = false;
    text.char_indices().find_map(|(at, c)| {
        if hidden {
            hidden = false;
        } else if c == '\\' && quote == '"' {
            hidden = true;
        } else if c == quote {
            return Some(at);
        }
        None
    })
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some('n') => plain.push('\n'),
                Some('r') => plain.push('\r'),
                Some('t') => plain.push('\t'),
                Some(same @ ('"' | '\\' | '$')) => plain.push(same),
                Some(other) => {
                    plain.push('\\');
                    plain.push(other);
                }
                None => plain.push('\\'),
            },
            c => plain.push(c),
        }
    }
    plain
}

/// A comment begins at a `#` after white space.
fn without_comment(value: &str) -> &str {
    let comment = value
        .char_indices()
        .zip(std::iter::once(' ').chain(value.chars()))
        .find(|((_, c), before)| *c == '#' && before.is_whitespace());
    match comment {
        Some(((at, _), _)) => &value[..at],
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let lines = parse_env_file(text).expect("every line is fine");
        lines
            .into_iter()
            .map(|line| (line.key, line.value))
            .collect()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn a_file_is_read_as_people_write_them() {
        let text = "\u{feff}# comment\nexport A=one # why\nB = \"two = 2\" # x\n\nC=\nURL=http://h/#part\nD='it''s'\r\nE=\"a\\n\\\"b\\\\ \\x\"\nF=\"-----BEGIN\nx\n-----END\"\n";
        assert_eq!(
            pairs(text),
            [
                pair("A", "one"),
                pair("B", "two = 2"),
                pair("C", ""),
                pair("URL", "http://h/#part"),
                pair("D", "it"),
                pair("E", "a\n\"b\\ \\x"),
                pair("F", "-----BEGIN\nx\n-----END"),
            ]
        );
    }

    #[test]
    fn a_broken_line_is_named_by_number_only() {
        assert_eq!(parse_env_file("A=1\nhunter2\n"), Err(2));
        assert_eq!(parse_env_file("A=1\n\nB=\"open\nand on\n"), Err(3));
        assert_eq!(parse_env_file("two words=1"), Err(1));
        let told = format!("{:?}", parse_env_file("A=hunter2"));
        assert!(!told.contains("hunter2"), "{told}");
    }
}
