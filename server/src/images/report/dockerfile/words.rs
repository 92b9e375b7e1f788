//! Words, lists, pairs and variables, as Dockerfiles write them.

/// Splits at blanks that are not quoted; quotes stay in the words.
pub fn words(text: &str, escape: char) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match quote {
            None if char.is_whitespace() => {
                if !word.is_empty() {
                    out.push(std::mem::take(&mut word));
                }
                continue;
            }
            None if char == '"' || char == '\'' => quote = Some(char),
            Some(open) if char == open => quote = None,
            _ if char == escape && quote != Some('\'') => {
                word.push(char);
                word.extend(chars.next());
                continue;
            }
            _ => {}
        }
        word.push(char);
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}

/// A JSON list of texts, the exec form.
pub fn json_list(text: &str) -> Option<Vec<String>> {
    let text = text.trim();
    if !text.starts_with('[') {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// `NAME=value NAME2="other"`, or `NAME the rest`. With `bare`, a name may stand alone.
pub fn pairs(text: &str, escape: char, bare: bool) -> Vec<(String, Option<String>)> {
    let words = words(text, escape);
    let Some(first) = words.first() else {
        return Vec::new();
    };
    if !bare && !first.contains('=') {
        let rest = text.trim_start().get(first.len()..).unwrap_or("").trim();
        return vec![(first.clone(), Some(rest.to_owned()))];
    }
    words
        .iter()
        .map(|word| match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(unquoted(value, escape))),
            None => (word.clone(), None),
        })
        .collect()
}

fn unquoted(value: &str, escape: char) -> String {
    let mut out = String::with_capacity(value.len());
    let mut quote = None;
    let mut chars = value.chars();
    while let Some(char) = chars.next() {
        match quote {
            None if char == '"' || char == '\'' => quote = Some(char),
            Some(open) if char == open => quote = None,
            _ if char == escape && quote != Some('\'') => out.extend(chars.next()),
            _ => out.push(char),
        }
    }
    out
}

/// Puts variables in: `$NAME`, `${NAME}`, `${NAME:-default}`. What is not known stays as it is.
pub fn expand(text: &str, known: &[(String, Option<String>)]) -> String {
    let value = |name: &str| {
        known
            .iter()
            .rev()
            .find(|(known, _)| known == name)
            .and_then(|(_, value)| value.clone())
    };
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (whole, name, default) = match after.strip_prefix('{') {
            Some(inside) => {
                let Some(end) = inside.find('}') else {
                    out.push_str(&rest[at..]);
                    return out;
                };
                let (name, default) = match inside[..end].split_once(":-") {
                    Some((name, default)) => (name, Some(default)),
                    None => (&inside[..end], None),
                };
                (end + 2, name, default)
            }
            None => {
                let is_name = |char: char| char.is_ascii_alphanumeric() || char == '_';
                let end = after.find(|char| !is_name(char)).unwrap_or(after.len());
                (end, &after[..end], None)
            }
        };
        match value(name).or(default.map(str::to_owned)) {
            Some(value) => out.push_str(&value),
            None => out.push_str(&rest[at..=at + whole]),
        }
        rest = &rest[at + 1 + whole..];
    }
    out.push_str(rest);
    out
}
