//! Which paths a list of `.dockerignore` patterns excludes: moby/patternmatcher v0.6.1.
//! Patterns are anchored at the root, one that matches a folder matches what is in it, and the last
//! one that matches wins.

use regex::Regex;

use super::ignore_file::clean_path;

/// A pattern the builder would refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("syntax error in pattern {pattern:?}")]
pub struct BadPattern {
    pub pattern: String,
}

/// The patterns of one file, ready to match.
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    patterns: Vec<Pattern>,
}

/// One pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Without the `!`.
    text: String,
    negated: bool,
    how: How,
}

#[derive(Clone, Debug)]
enum How {
    Exact,
    /// `dir/**`: everything that begins so.
    Prefix(String),
    /// `**/name`: everything that ends so.
    Suffix(String),
    Regex(Regex),
}

/// What a folder's match decided, pattern by pattern; its contents begin from there.
pub type Matched = Vec<bool>;

/// The answer for one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub excluded: bool,
    /// The number of the pattern that decided, if one did.
    pub by: Option<usize>,
    pub matched: Matched,
}

impl Patterns {
    /// Compiles cleaned patterns; fails as the builder does.
    pub fn new<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Result<Self, BadPattern> {
        let patterns = patterns
            .into_iter()
            .filter(|pattern| !pattern.as_ref().trim().is_empty())
            .map(|pattern| Pattern::new(pattern.as_ref().trim()))
            .collect::<Result<_, _>>()?;
        Ok(Self { patterns })
    }

    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    pub fn negations(&self) -> impl Iterator<Item = &Pattern> {
        self.patterns.iter().filter(|pattern| pattern.negated)
    }

    /// Decides about a path below a folder about which `parent` was decided; `None` at the root.
    pub fn verdict(&self, path: &str, parent: Option<&Matched>) -> Verdict {
        let mut excluded = false;
        let mut by = None;
        let mut matched = vec![false; self.patterns.len()];
        for (at, pattern) in self.patterns.iter().enumerate() {
            let mut matches = parent.is_some_and(|parent| parent[at]);
            if !matches {
                // A pattern that could not change the answer is not even asked, and so is not
                // remembered for the contents either: the builder does the same.
                if pattern.negated != excluded {
                    continue;
                }
                matches = pattern.matches(path);
            }
            matched[at] = matches;
            if matches {
                excluded = !pattern.negated;
                by = Some(at);
            }
        }
        Verdict {
            excluded,
            by,
            matched,
        }
    }
}

impl Pattern {
    fn new(cleaned: &str) -> Result<Self, BadPattern> {
        let bad = || BadPattern {
            pattern: cleaned.to_owned(),
        };
        let cleaned_again = clean_path(cleaned);
        let (negated, text) = match cleaned_again.strip_prefix('!') {
            Some("") => return Err(bad()),
            Some(rest) => (true, rest.to_owned()),
            None => (false, cleaned_again),
        };
        if !is_valid_glob(&text) {
            return Err(bad());
        }
        let how = compile(&text).ok_or_else(bad)?;
        Ok(Self { text, negated, how })
    }

    /// As it was written, without the `!`.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn matches(&self, path: &str) -> bool {
        match &self.how {
            How::Exact => path == self.text,
            How::Prefix(prefix) => path.starts_with(prefix.as_str()),
            How::Suffix(suffix) => {
                path.ends_with(suffix.as_str()) || suffix.strip_prefix('/') == Some(path)
            }
            How::Regex(regex) => regex.is_match(path),
        }
    }
}

/// Whether Go's `filepath.Match` would take it; the builder refuses what that refuses.
fn is_valid_glob(pattern: &str) -> bool {
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' if chars.next().is_none() => return false,
            '[' => {
                chars.next_if_eq(&'^');
                let mut ranges = 0;
                loop {
                    if ranges > 0 && chars.next_if_eq(&']').is_some() {
                        break;
                    }
                    if !take_range_end(&mut chars) {
                        return false;
                    }
                    if chars.next_if_eq(&'-').is_some() && !take_range_end(&mut chars) {
                        return false;
                    }
                    ranges += 1;
                    if chars.peek().is_none() {
                        return false;
                    }
                }
            }
            _ => {}
        }
    }
    true
}

fn take_range_end(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    match chars.next() {
        None | Some('-' | ']') => false,
        Some('\\') => chars.next().is_some(),
        Some(_) => true,
    }
}

/// Simple patterns need no regular expression. The order of the cases is the builder's.
fn compile(pattern: &str) -> Option<How> {
    #[derive(PartialEq)]
    enum Kind {
        Exact,
        Prefix,
        Suffix,
        Regex,
    }
    let mut kind = Kind::Exact;
    let mut regex = String::from("^");
    let mut chars = pattern.chars().peekable();
    let mut is_first = true;
    while let Some(char) = chars.next() {
        match char {
            '*' if chars.next_if_eq(&'*').is_some() => {
                chars.next_if_eq(&'/');
                if chars.peek().is_some() {
                    regex.push_str("(.*/)?");
                    kind = Kind::Regex;
                } else if kind == Kind::Exact {
                    kind = Kind::Prefix;
                } else {
                    regex.push_str(".*");
                    kind = Kind::Regex;
                }
                if is_first {
                    kind = Kind::Suffix;
                }
            }
            '*' => {
                regex.push_str("[^/]*");
                kind = Kind::Regex;
            }
            '?' => {
                regex.push_str("[^/]");
                kind = Kind::Regex;
            }
            '.' | '+' | '(' | ')' | '|' | '{' | '}' | '$' => {
                regex.push('\\');
                regex.push(char);
            }
            '\\' => {
                regex.push('\\');
                if let Some(escaped) = chars.next() {
                    regex.push(escaped);
                    kind = Kind::Regex;
                }
            }
            '[' | ']' => {
                regex.push(char);
                kind = Kind::Regex;
            }
            char => regex.push(char),
        }
        is_first = false;
    }
    match kind {
        Kind::Exact => Some(How::Exact),
        Kind::Prefix => pattern
            .strip_suffix("**")
            .map(|prefix| How::Prefix(prefix.to_owned())),
        Kind::Suffix => pattern
            .strip_prefix("**")
            .map(|suffix| How::Suffix(suffix.to_owned())),
        Kind::Regex => {
            regex.push('$');
            Regex::new(&from_go(&regex)).ok().map(How::Regex)
        }
    }
}

/// The same expression for another engine: in Rust's, `[`, `&` and `~` inside brackets mean sets of
/// sets, and `\d` and its like are not only ASCII; in Go's they are plain.
fn from_go(go: &str) -> String {
    let mut out = String::with_capacity(go.len() + 8);
    let mut in_class = false;
    let mut chars = go.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some(class @ ('d' | 'D' | 's' | 'S' | 'w' | 'W' | 'b' | 'B')) => {
                    out.push_str(&format!("(?-u:\\{class})"));
                }
                Some(escaped) => {
                    out.push('\\');
                    out.push(escaped);
                }
                None => out.push('\\'),
            },
            '[' if in_class => out.push_str("\\["),
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(char);
            }
            '[' => {
                in_class = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            char => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests;
