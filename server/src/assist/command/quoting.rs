//! A line of text as words, as a shell would read it, as long as a shell would do nothing else.

use super::Denied;

/// The words of a line. What a shell would replace, run, pipe or redirect is denied, not read.
pub fn split(line: &str) -> Result<Vec<String>, Denied> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.trim().chars();
    while let Some(char) = chars.next() {
        if let Some(hidden) = hidden(char) {
            return Err(Denied::Hidden(hidden));
        }
        match char {
            ' ' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        None => return Err(Denied::OpenQuote),
                        Some('\'') => break,
                        Some(inside) => word.push(visible(inside)?),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        None => return Err(Denied::OpenQuote),
                        Some('"') => break,
                        Some('\\') => match chars.next() {
                            Some(escaped @ ('"' | '\\')) => word.push(escaped),
                            _ => return Err(Denied::Compound("\\".to_owned())),
                        },
                        Some(inside @ ('$' | '`' | '!')) => {
                            return Err(Denied::Compound(inside.to_string()));
                        }
                        Some(inside) => word.push(visible(inside)?),
                    }
                }
            }
            // As one puts an apostrophe between quotes.
            '\\' if chars.as_str().starts_with('\'') => {
                chars.next();
                word.get_or_insert_default().push('\'');
            }
            '|' | '&' | ';' | '<' | '>' | '(' | ')' | '{' | '}' | '[' | ']' | '$' | '`' | '\\'
            | '*' | '?' | '!' | '#' | '~' | '^' | '%' => {
                return Err(Denied::Compound(char.to_string()));
            }
            plain => word.get_or_insert_default().push(plain),
        }
    }
    words.extend(word);
    Ok(words)
}

fn visible(char: char) -> Result<char, Denied> {
    match hidden(char) {
        Some(hidden) => Err(Denied::Hidden(hidden)),
        None => Ok(char),
    }
}

/// What a character is called that is not what it looks like: control characters, white space of
/// other kinds, text direction, and letters of other alphabets, which can look like ours.
pub fn hidden(char: char) -> Option<String> {
    match char {
        '\n' | '\r' => Some("a line break".to_owned()),
        ' '..='~' => None,
        other => Some(format!("the character U+{:04X}", u32::from(other))),
    }
}

/// A word as a shell reads it back.
pub fn quote(word: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_./=:,@+".contains(char);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
