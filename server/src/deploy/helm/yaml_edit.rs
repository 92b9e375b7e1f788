//! Changes single values in a YAML text and leaves everything else as it was: comments, order, blank
//! lines. What is too clever for that (flow style, anchors) is written anew as a whole instead.

use serde_json::{Map, Value};

use super::layers::put;
use super::yaml::{self, YamlError};

/// A text with its changes made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    pub text: String,
    /// It was written anew: its comments are gone.
    pub rewritten: bool,
}

/// Sets every value of `changes`, each at its path, in the text of a values file.
pub fn edit(text: &str, changes: &[(Vec<String>, Value)]) -> Result<Edited, YamlError> {
    let mut wanted = yaml::parse_values(text)?;
    let mut edited = Some(text.to_owned());
    for (path, value) in changes {
        put(&mut wanted, path, value.clone());
        edited = edited.and_then(|text| set(&text, path, value));
    }
    // Only what reads back as it should is taken.
    match edited {
        Some(text) if yaml::parse_values(&text).as_ref() == Ok(&wanted) => Ok(Edited {
            text,
            rewritten: false,
        }),
        _ => {
            let is_plain = !text.lines().any(|line| line.contains('#'));
            Ok(Edited {
                text: yaml::document(&Value::Object(wanted)),
                rewritten: !is_plain,
            })
        }
    }
}

/// A line that is neither blank nor only a comment.
fn has_content(line: &str) -> bool {
    let trimmed = line.trim_start();
    !trimmed.is_empty() && !trimmed.starts_with('#') && trimmed.trim_end() != "---"
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// What stands after `key:` on a line of this indentation; none when the line is another key's.
fn after_key<'a>(line: &'a str, key: &str, at: usize) -> Option<&'a str> {
    if indent(line) != at {
        return None;
    }
    let rest = &line[at..];
    let rest = [key.to_owned(), format!("\"{key}\""), format!("'{key}'")]
        .iter()
        .find_map(|spelled| rest.strip_prefix(spelled.as_str()))?;
    let rest = rest.trim_start().strip_prefix(':')?;
    (rest.is_empty() || rest.starts_with([' ', '\t'])).then(|| rest.trim())
}

fn set(text: &str, path: &[String], value: &Value) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let (mut from, mut to) = (0, lines.len());
    let mut at = lines
        .iter()
        .find(|line| has_content(line))
        .map_or(0, |line| indent(line));
    for (depth, key) in path.iter().enumerate() {
        let found =
            (from..to).find_map(|number| Some((number, after_key(lines[number], key, at)?)));
        let Some((number, rest)) = found else {
            // After the last line that says something.
            let place = (from..to)
                .rev()
                .find(|number| has_content(lines[*number]))
                .map_or(from, |number| number + 1);
            return Some(replaced(
                &lines,
                place,
                place,
                &render(&path[depth..], value, at),
            ));
        };
        let end = block_end(&lines, number, to, at);
        if depth + 1 == path.len() {
            let mut new = render(&path[depth..], value, at);
            if new.len() == 1
                && let Some((_, comment)) = rest.split_once(" #")
                && !rest.starts_with(['"', '\''])
            {
                new[0].push_str(" #");
                new[0].push_str(comment);
            }
            // Comments after a nested value belong to what follows.
            let last = (number + 1..end)
                .rev()
                .find(|number| has_content(lines[*number]))
                .unwrap_or(number);
            return Some(replaced(&lines, number, last + 1, &new));
        }
        if !(rest.is_empty() || rest.starts_with('#')) {
            return None;
        }
        at = (number + 1..end)
            .find(|number| has_content(lines[*number]))
            .map_or(at + 2, |number| indent(lines[number]));
        (from, to) = (number + 1, end);
    }
    None
}

/// Where the value of the key on line `number` ends.
fn block_end(lines: &[&str], number: usize, to: usize, at: usize) -> usize {
    (number + 1..to)
        .find(|next| {
            let line = lines[*next];
            let is_item = indent(line) == at && line[at..].starts_with("- ");
            has_content(line) && indent(line) <= at && !is_item
        })
        .unwrap_or(to)
}

/// `path: value` as lines of this indentation.
fn render(path: &[String], value: &Value, at: usize) -> Vec<String> {
    let mut nested = Map::new();
    put(&mut nested, path, value.clone());
    let margin = " ".repeat(at);
    yaml::document(&Value::Object(nested))
        .lines()
        .map(|line| format!("{margin}{line}"))
        .collect()
}

fn replaced(lines: &[&str], from: usize, to: usize, new: &[String]) -> String {
    let mut all: Vec<&str> = lines[..from].to_vec();
    all.extend(new.iter().map(String::as_str));
    all.extend(&lines[to..]);
    let mut text = all.join("\n");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn change(path: &str, value: Value) -> (Vec<String>, Value) {
        (path.split('.').map(str::to_owned).collect(), value)
    }

    #[test]
    fn comments_and_order_survive_an_edit() {
        let text = "# For minikube\nbackend:\n  replicas: 1 # keep low\n  image:\n    tag: dev\n\n  # how it is reached\n  service: {type: ClusterIP}\nlist:\n- a\n- b\n# the end\nlast: x\n";
        let edited = edit(
            text,
            &[
                change("backend.replicas", json!(3)),
                change("backend.image.pullPolicy", json!("Never")),
                change("list", json!(["c"])),
                change("new.key", json!(true)),
            ],
        )
        .expect("edited");
        assert_eq!(
            edited.text,
            "# For minikube\nbackend:\n  replicas: 3 # keep low\n  image:\n    tag: dev\n    pullPolicy: Never\n\n  # how it is reached\n  service: {type: ClusterIP}\nlist:\n- c\n# the end\nlast: x\nnew:\n  key: true\n"
        );
        assert!(!edited.rewritten);
    }

    #[test]
    fn what_cannot_be_edited_in_place_is_written_anew_and_says_so() {
        let edited = edit("a: {b: 1} # why\n", &[change("a.c", json!(2))]).expect("edited");
        assert!(edited.rewritten);
        assert_eq!(
            yaml::parse(&edited.text),
            Ok(json!({"a": {"b": 1, "c": 2}}))
        );
        let new = edit("", &[change("a.b", json!("x"))]).expect("edited");
        assert_eq!((new.text.as_str(), new.rewritten), ("a:\n  b: x\n", false));
        assert!(edit("a: b: c", &[]).is_err());
    }

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (-99..99_i64).prop_map(Value::from),
            "[ -~\n]{0,12}".prop_map(Value::from),
            proptest::collection::vec("[a-z:# -]{0,6}", 0..3).prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            proptest::collection::btree_map("[a-d]{1,2}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect()))
        })
    }

    proptest! {
        #[test]
        fn an_edited_text_reads_as_it_should(
            values in proptest::collection::btree_map("[a-d]{1,2}", tree(), 0..4),
            path in proptest::collection::vec("[a-d]{1,2}", 1..4),
            value in tree(),
        ) {
            let mut wanted: Map<String, Value> = values.into_iter().collect();
            let text = yaml::document(&Value::Object(wanted.clone()));
            let edited = edit(&text, &[(path.clone(), value.clone())]).expect("edited");
            put(&mut wanted, &path, value);
            prop_assert_eq!(yaml::parse_values(&edited.text), Ok(wanted));
        }
    }
}
