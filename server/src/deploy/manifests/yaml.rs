//! The text of a manifest taken apart: documents with their lines, and values read strictly.
//! A key that stands twice is an error, and merge keys are merged, as kubectl does both.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Where and why a text cannot be read. Lines and columns count from 1, in the whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub document: usize,
    pub line: usize,
    pub column: usize,
    pub why: String,
}

/// A document of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its place in the file, from 1; documents without content are counted too.
    pub number: usize,
    /// The line its content starts at, from 1.
    pub line: usize,
    pub value: Value,
}

/// Reads all documents of a YAML text. Those without content are left out.
pub fn yaml(text: &str) -> Vec<Result<Document, Broken>> {
    split(text)
        .into_iter()
        .filter_map(|piece| match parse_yaml(piece.text) {
            Ok(Value::Null) => None,
            Ok(value) => Some(Ok(Document {
                number: piece.number,
                line: piece.line,
                value,
            })),
            Err((line, column, why)) => Some(Err(Broken {
                document: piece.number,
                line: piece.line + line.saturating_sub(1),
                column,
                why: in_words(piece.text, line, why),
            })),
        })
        .collect()
}

/// Reads all values of a JSON text, one after the other.
pub fn json(text: &str) -> Vec<Result<Document, Broken>> {
    let mut documents = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Strict>();
    let mut number = 0;
    loop {
        let before = stream.byte_offset();
        let blank = text[before..].len() - text[before..].trim_start().len();
        let line = 1 + text[..before + blank].matches('\n').count();
        let Some(value) = stream.next() else {
            return documents;
        };
        number += 1;
        match value {
            Ok(Strict(Value::Null)) => {}
            Ok(Strict(value)) => documents.push(Ok(Document {
                number,
                line,
                value,
            })),
            Err(error) => {
                documents.push(Err(Broken {
                    document: number,
                    line: error.line().max(1),
                    column: error.column().max(1),
                    why: without_place(&error.to_string()),
                }));
                return documents;
            }
        }
    }
}

struct Piece<'t> {
    number: usize,
    line: usize,
    text: &'t str,
}

/// The documents of a file with the line each starts at, without those that hold only comments.
fn split(text: &str) -> Vec<Piece<'_>> {
    // What Windows editors put in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut pieces: Vec<(usize, &str)> = Vec::new();
    let (mut start, mut start_line, mut at) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let next = at + line.len();
        if let Some(rest) = border(line) {
            pieces.push((start_line, &text[start..at]));
            if rest.trim().is_empty() || rest.trim_start().starts_with('#') {
                start = next;
                start_line = index + 2;
            } else {
                // `--- {a: 1}`: the document begins on the line of its border.
                start = at + 3;
                start_line = index + 1;
            }
        }
        at = next;
    }
    pieces.push((start_line, &text[start..]));
    let has_content = |line: &str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#') && !line.starts_with('%')
    };
    // What stands before the first border is a document only if there is something in it.
    let first_counts = pieces[0].1.lines().any(has_content);
    pieces
        .into_iter()
        .enumerate()
        .filter(|(_, (_, piece))| piece.lines().any(has_content))
        .map(|(index, (line, piece))| {
            let blank = piece.lines().take_while(|line| !has_content(line)).count();
            let skip: usize = piece.split_inclusive('\n').take(blank).map(str::len).sum();
            Piece {
                number: index + usize::from(first_counts),
                line: line + blank,
                text: &piece[skip..],
            }
        })
        .collect()
}

/// What follows on a line that ends a document; none for other lines.
fn border(line: &str) -> Option<&str> {
    let rest = line
        .strip_prefix("---")
        .or_else(|| line.strip_prefix("..."))?;
    (rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r'])).then_some(rest)
}

fn parse_yaml(text: &str) -> Result<Value, (usize, usize, String)> {
    let deserializer = serde_yaml::Deserializer::from_str(text);
    Strict::deserialize(deserializer)
        .map(|strict| strict.0)
        .map_err(|error| {
            let (line, column) = error
                .location()
                .map_or((1, 1), |at| (at.line(), at.column()));
            (line, column, without_place(&error.to_string()))
        })
}

/// The place is told with the file's own lines.
fn without_place(message: &str) -> String {
    let end = message.find(" at line ").unwrap_or(message.len());
    message[..end].to_owned()
}

/// What a parser says about a tab helps nobody.
fn in_words(text: &str, line: usize, why: String) -> String {
    let indent = text
        .lines()
        .nth(line.saturating_sub(1))
        .map(|line| &line[..line.len() - line.trim_start().len()]);
    match indent {
        Some(indent) if indent.contains('\t') => {
            "the line is indented with a tab, and YAML wants spaces".to_owned()
        }
        _ => why,
    }
}

/// A value in which no key stands twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("JSON has no infinite numbers"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        let mut merged = Vec::new();
        while let Some(Strict(key)) = entries.next_key()? {
            let key = match key {
                Value::String(key) => key,
                Value::Number(key) => key.to_string(),
                Value::Bool(key) => key.to_string(),
                _ => return Err(de::Error::custom("a key must be a text")),
            };
            let Strict(value) = entries.next_value()?;
            if key == "<<" {
                merged.push(value);
            } else if map.contains_key(&key) {
                return Err(de::Error::custom(format_args!(
                    "the key `{key}` stands twice"
                )));
            } else {
                map.insert(key, value);
            }
        }
        for source in merged {
            merge(&mut map, source).map_err(de::Error::custom)?;
        }
        Ok(Value::Object(map))
    }
}

/// What stands in the mapping itself wins over what is merged in.
fn merge(map: &mut Map<String, Value>, source: Value) -> Result<(), &'static str> {
    match source {
        Value::Object(entries) => {
            for (key, value) in entries {
                map.entry(key).or_insert(value);
            }
            Ok(())
        }
        Value::Array(sources) => sources
            .into_iter()
            .try_for_each(|source| merge(map, source)),
        _ => Err("`<<` merges mappings only"),
    }
}

/// A word that stands without quotes somewhere in the text and that kubectl (YAML 1.1) reads as
/// something else than the text that was read here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambiguous {
    pub line: usize,
    pub word: String,
    /// What kubectl reads.
    pub meaning: String,
}

/// Finds them: a leaf of the value is such a word, and a line has it without quotes.
pub fn ambiguous(text: &str, value: &Value, first_line: usize) -> Vec<Ambiguous> {
    let mut leaves = Vec::new();
    words(value, &mut leaves);
    leaves.sort_unstable();
    leaves.dedup();
    if leaves.is_empty() {
        return Vec::new();
    }
    text.lines()
        .enumerate()
        .skip(first_line.saturating_sub(1))
        .filter_map(|(index, line)| {
            let bare = bare_scalar(line)?;
            leaves.contains(&bare).then(|| Ambiguous {
                line: index + 1,
                word: bare.to_owned(),
                meaning: old_meaning(bare).unwrap_or_default(),
            })
        })
        .collect()
}

fn words<'v>(value: &'v Value, into: &mut Vec<&'v str>) {
    match value {
        Value::String(text) if old_meaning(text).is_some() => into.push(text),
        Value::Array(items) => items.iter().for_each(|item| words(item, into)),
        Value::Object(map) => map.values().for_each(|item| words(item, into)),
        _ => {}
    }
}

/// The value of `key: value` or `- value` on a line, when nothing quotes it.
fn bare_scalar(line: &str) -> Option<&str> {
    let line = line.trim_end();
    let line = line
        .split_once(" #")
        .map_or(line, |(before, _)| before)
        .trim_end();
    let value = match line.rsplit_once(": ") {
        Some((_, value)) => value,
        None => line.trim_start().strip_prefix("- ")?,
    };
    Some(value.trim())
}

/// What YAML 1.1 makes of a word that YAML 1.2 leaves a text.
fn old_meaning(word: &str) -> Option<String> {
    match word {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some("true".to_owned()),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some("false".to_owned()),
        _ => {
            let digits = word.strip_prefix('0')?;
            let is_octal =
                !digits.is_empty() && digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
            let number = is_octal
                .then(|| i64::from_str_radix(digits, 8).ok())
                .flatten()?;
            Some(number.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(text: &str) -> Result<Value, String> {
        match yaml(text).into_iter().next() {
            Some(Ok(document)) => Ok(document.value),
            Some(Err(broken)) => Err(broken.why),
            None => Ok(Value::Null),
        }
    }

    #[test]
    fn documents_keep_their_number_and_line() {
        let text = "# head\n---\na: 1\n---\n# only a comment\n---\n\nb: 2\n...\n--- {c: 3}\n";
        let found: Vec<(usize, usize, Value)> = yaml(text)
            .into_iter()
            .map(|document| document.expect("readable"))
            .map(|document| (document.number, document.line, document.value))
            .collect();
        assert_eq!(
            found,
            [
                (1, 3, json!({"a": 1})),
                (3, 8, json!({"b": 2})),
                (5, 10, json!({"c": 3}))
            ]
        );
    }

    #[test]
    fn what_windows_editors_write_is_read() {
        assert_eq!(
            read("\u{feff}a: 1\r\nb: x\r\n"),
            Ok(json!({"a": 1, "b": "x"}))
        );
        let two = yaml("a: 1\r\n---\r\nb: 2\r\n");
        assert_eq!(two.len(), 2);
    }

    #[test]
    fn a_key_that_stands_twice_is_an_error_with_its_place() {
        let broken = yaml("x: 1\n---\na:\n  b: 1\n  b: 2\n")
            .remove(1)
            .expect_err("twice");
        assert!(broken.why.contains("`b` stands twice"), "{broken:?}");
        assert_eq!(broken.document, 2);
        assert!((3..=5).contains(&broken.line), "{broken:?}");
        let json = super::json("{\"a\": {\"b\": 1, \"b\": 2}}")
            .remove(0)
            .expect_err("twice");
        assert!(json.why.contains("`b` stands twice"));
    }

    #[test]
    fn a_tab_is_named_as_one() {
        let broken = yaml("a:\n\tb: 1\n").remove(0).expect_err("a tab");
        assert!(broken.why.contains("tab"), "{broken:?}");
        assert_eq!(broken.line, 2);
    }

    #[test]
    fn anchors_and_merge_keys_are_resolved() {
        let text = "base: &base {a: 1, b: 2}\nmine:\n  <<: *base\n  b: 3\nsame: *base\n";
        assert_eq!(
            read(text),
            Ok(
                json!({"base": {"a": 1, "b": 2}, "mine": {"b": 3, "a": 1}, "same": {"a": 1, "b": 2}})
            )
        );
        assert!(read("a: {<<: 1}\n").is_err());
    }

    #[test]
    fn a_bomb_of_aliases_or_of_depth_is_an_error_and_not_a_hang() {
        let mut bomb = String::from("a: &a [x, x, x, x, x, x, x, x, x]\n");
        for (this, before) in ('b'..='k').zip('a'..) {
            let line = format!(
                "{this}: &{this} [{}]\n",
                vec![format!("*{before}"); 9].join(", ")
            );
            bomb.push_str(&line);
        }
        assert!(read(&bomb).is_err());
        assert!(read(&format!("a: {}", "[".repeat(50_000))).is_err());
        assert!(super::json(&"[".repeat(50_000))[0].is_err());
    }

    #[test]
    fn words_that_readers_differ_about_are_found_only_without_quotes() {
        let text =
            "a: yes\nb: \"no\"\nc: |\n  x: off\nd: 0644\ne: [1]\nf: NO # a comment\nlist:\n- on\n";
        let value = read(text).expect("readable");
        let found: Vec<(usize, String, String)> = ambiguous(text, &value, 1)
            .into_iter()
            .map(|one| (one.line, one.word, one.meaning))
            .collect();
        let row =
            |line: usize, word: &str, meaning: &str| (line, word.to_owned(), meaning.to_owned());
        assert_eq!(
            found,
            [
                row(1, "yes", "true"),
                row(5, "0644", "420"),
                row(7, "NO", "false"),
                row(9, "on", "true")
            ]
        );
        let quoted = "a: 'yes'\n";
        assert!(ambiguous(quoted, &read(quoted).expect("readable"), 1).is_empty());
    }

    #[test]
    fn json_values_may_follow_each_other() {
        let found: Vec<(usize, usize)> = super::json("{\"a\": 1}\n\n{\"b\":\n 2}\n")
            .into_iter()
            .map(|document| document.expect("readable"))
            .map(|document| (document.number, document.line))
            .collect();
        assert_eq!(found, [(1, 1), (2, 3)]);
        assert!(super::json("{\"a\": }")[0].is_err());
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ -~\n\t]{0,24}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-zA-Z./-]{1,8}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_never_panics(text in "\\PC{0,200}") {
            for document in yaml(&text).into_iter().flatten() {
                ambiguous(&text, &document.value, document.line);
            }
            super::json(&text);
        }

        #[test]
        fn lines_of_yaml_like_text_stay_inside_the_file(text in "([a-c]:|- |---|\n|\t| {1,3}|[\\[{&*!|>%#'\"]|x){0,40}") {
            let lines = text.split('\n').count();
            for document in yaml(&text) {
                let line = match document { Ok(document) => document.line, Err(broken) => broken.line };
                prop_assert!((1..=lines + 1).contains(&line));
            }
        }

        #[test]
        fn what_was_written_is_read_back(values in prop::collection::vec(value(), 1..4)) {
            let text: String = values
                .iter()
                .map(|value| format!("---\n{}", serde_yaml::to_string(value).expect("written")))
                .collect();
            let expected: Vec<Value> = values.into_iter().filter(|value| !value.is_null()).collect();
            let read: Vec<Value> = yaml(&text)
                .into_iter()
                .map(|document| document.expect("readable").value)
                .collect();
            prop_assert_eq!(read, expected);
        }
    }
}
