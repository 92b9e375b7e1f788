//! An object before and after as lines of YAML, side by side: entries of lists stand beside their
//! counterparts, texts of several lines are compared line by line, secrets are masked.

use app::model::{DiffRow, ObjectDiff};
use serde_json::{Map, Value};
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::diff::union;
use super::mask::{LineMask, Mask};
use super::path::{Path, Step, align, list_keys};
use crate::engine::redact::MASK;

/// These come first, because they say what the rest is about.
const FIRST: [&str; 5] = ["apiVersion", "kind", "metadata", "name", "namespace"];
/// Stands where masked values differ and look the same.
const ANOTHER: &str = " # another value";

/// The rows, and how many more there are than are shown. `Null` stands for an object that is not
/// there.
pub fn rows(before: &Value, after: &Value) -> (Vec<DiffRow>, u32) {
    let mut writer = Writer {
        mask: Mask::of(if after.is_null() { before } else { after }),
        rows: Vec::new(),
    };
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => writer.maps(&Path::default(), 0, a, b, &[]),
        (before, after) => {
            for (side, value) in [(Side::Before, before), (Side::After, after)] {
                if let Value::Object(map) = value {
                    let lines = writer.map_lines(&Path::default(), 0, map, &[]);
                    writer.push_all(side, lines);
                }
            }
        }
    }
    let more = writer.rows.len().saturating_sub(ObjectDiff::ROWS);
    writer.rows.truncate(ObjectDiff::ROWS);
    (writer.rows, u32::try_from(more).unwrap_or(u32::MAX))
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Before,
    After,
    Both,
}

struct Writer {
    mask: Mask,
    rows: Vec<DiffRow>,
}

impl Writer {
    fn push_all(&mut self, side: Side, lines: Vec<String>) {
        self.rows.extend(lines.into_iter().map(|line| match side {
            Side::Before => DiffRow::Removed(line),
            Side::After => DiffRow::Added(line),
            Side::Both => DiffRow::Same(line),
        }));
    }

    /// Lines that go and lines that come, as far as possible side by side.
    fn pair(&mut self, before: Vec<String>, after: Vec<String>) {
        let mut after = after.into_iter();
        for line in before {
            self.rows.push(match after.next() {
                Some(other) if other == line && line.contains(MASK) => {
                    DiffRow::Changed(line, other + ANOTHER)
                }
                Some(other) if other == line => DiffRow::Same(line),
                Some(other) => DiffRow::Changed(line, other),
                None => DiffRow::Removed(line),
            });
        }
        self.rows.extend(after.map(DiffRow::Added));
    }

    fn maps(
        &mut self,
        path: &Path,
        indent: usize,
        a: &Map<String, Value>,
        b: &Map<String, Value>,
        keys: &[&str],
    ) {
        let mut names = union(a, b);
        names.sort_by_key(|name| place(name, keys));
        for name in names {
            let path = path.field(name);
            match (a.get(name), b.get(name)) {
                (Some(x), Some(y)) => self.field(&path, indent, name, x, y),
                (Some(x), None) => {
                    let lines = self.field_lines(&path, indent, name, x);
                    self.push_all(Side::Before, lines);
                }
                (None, Some(y)) => {
                    let lines = self.field_lines(&path, indent, name, y);
                    self.push_all(Side::After, lines);
                }
                (None, None) => {}
            }
        }
    }

    fn field(&mut self, path: &Path, indent: usize, name: &str, x: &Value, y: &Value) {
        if x == y {
            let lines = self.field_lines(path, indent, name, x);
            return self.push_all(Side::Both, lines);
        }
        let head = |rest: &str| format!("{}{}:{rest}", pad(indent), key_text(name));
        match (x, y) {
            (Value::Object(a), Value::Object(b)) if !a.is_empty() && !b.is_empty() => {
                self.rows.push(DiffRow::Same(head("")));
                self.maps(path, indent + 2, a, b, &[]);
            }
            (Value::Array(a), Value::Array(b)) if !a.is_empty() && !b.is_empty() => {
                self.rows.push(DiffRow::Same(head("")));
                self.lists(path, indent, a, b);
            }
            (Value::String(a), Value::String(b)) if is_block(a) && is_block(b) => {
                self.texts(path, indent, name, a, b);
            }
            (x, y) => {
                let before = self.field_lines(path, indent, name, x);
                let after = self.field_lines(path, indent, name, y);
                self.pair(before, after);
            }
        }
    }

    fn lists(&mut self, path: &Path, indent: usize, a: &[Value], b: &[Value]) {
        let Some(keys) = list_keys(a, b) else {
            return self.plain_lists(path, indent, a, b);
        };
        let aligned = align(a, b, keys);
        let moved = !aligned.iter().filter_map(|(_, _, y)| *y).eq(b.iter());
        if moved {
            let order = |list: &[Value]| {
                let names: Vec<String> = list.iter().map(|entry| bare(&entry[keys[0]])).collect();
                format!("{}# order: {}", pad(indent), names.join(", "))
            };
            self.rows.push(DiffRow::Changed(order(a), order(b)));
        }
        for (step, x, y) in aligned {
            let path = path.then(step);
            match (x, y) {
                (Some(Value::Object(x)), Some(Value::Object(y))) => {
                    let start = self.rows.len();
                    self.maps(&path, indent + 2, x, y, keys);
                    if let Some(row) = self.rows.get_mut(start) {
                        dash_row(row, indent);
                    }
                }
                (Some(x), _) => {
                    let lines = self.entry_lines(&path, indent, x, keys);
                    self.push_all(Side::Before, lines);
                }
                (None, Some(y)) => {
                    let lines = self.entry_lines(&path, indent, y, keys);
                    self.push_all(Side::After, lines);
                }
                (None, None) => {}
            }
        }
    }

    /// Entries without keys: the longest run both have in common stays.
    fn plain_lists(&mut self, path: &Path, indent: usize, a: &[Value], b: &[Value]) {
        let texts = |list: &[Value]| -> Vec<String> { list.iter().map(Value::to_string).collect() };
        let (of_a, of_b) = (texts(a), texts(b));
        for op in capture_diff_slices(Algorithm::Myers, &of_a, &of_b) {
            let lines = |writer: &Self, list: &[Value], range: std::ops::Range<usize>| {
                range
                    .flat_map(|at| {
                        let path = path.then(Step::Place(at));
                        writer.entry_lines(&path, indent, &list[at], &[])
                    })
                    .collect::<Vec<_>>()
            };
            match op {
                DiffOp::Equal { old_index, len, .. } => {
                    let same = lines(self, a, old_index..old_index + len);
                    self.push_all(Side::Both, same);
                }
                op => {
                    let before = lines(self, a, op.old_range());
                    let after = lines(self, b, op.new_range());
                    self.pair(before, after);
                }
            }
        }
    }

    fn texts(&mut self, path: &Path, indent: usize, name: &str, a: &str, b: &str) {
        let masks = (self.mask.lines(path, a), self.mask.lines(path, b));
        // Hidden as a whole: there are no lines to compare.
        let (Some(mask_a), Some(mask_b)) = masks else {
            let before = self.field_lines(path, indent, name, &Value::from(a));
            let after = self.field_lines(path, indent, name, &Value::from(b));
            return self.pair(before, after);
        };
        let (raw_a, raw_b) = (block_lines(a), block_lines(b));
        let head = |text: &str| format!("{}{}: {}", pad(indent), key_text(name), block_head(text));
        match (head(a), head(b)) {
            (x, y) if x == y => self.rows.push(DiffRow::Same(x)),
            (x, y) => self.rows.push(DiffRow::Changed(x, y)),
        }
        let shown = |mask: LineMask, lines: &[&str]| -> Vec<String> {
            let lines = lines.iter();
            lines
                .map(|line| block_line(indent + 2, &mask.line(line)))
                .collect()
        };
        let deadline = std::time::Instant::now() + std::time::Duration::from_millis(500);
        let ops =
            similar::capture_diff_slices_deadline(Algorithm::Myers, &raw_a, &raw_b, Some(deadline));
        for op in ops {
            match op {
                DiffOp::Equal { old_index, len, .. } => {
                    let same = shown(mask_a, &raw_a[old_index..old_index + len]);
                    self.push_all(Side::Both, same);
                }
                op => {
                    let before = shown(mask_a, &raw_a[op.old_range()]);
                    let after = shown(mask_b, &raw_b[op.new_range()]);
                    self.pair(before, after);
                }
            }
        }
    }

    fn map_lines(
        &self,
        path: &Path,
        indent: usize,
        map: &Map<String, Value>,
        keys: &[&str],
    ) -> Vec<String> {
        let mut names: Vec<&String> = map.keys().collect();
        names.sort_by_key(|name| place(name, keys));
        names
            .into_iter()
            .flat_map(|name| self.field_lines(&path.field(name), indent, name, &map[name]))
            .collect()
    }

    fn field_lines(&self, path: &Path, indent: usize, name: &str, value: &Value) -> Vec<String> {
        let head = format!("{}{}:", pad(indent), key_text(name));
        match value {
            Value::Object(map) if !map.is_empty() => {
                let mut lines = vec![head];
                lines.extend(self.map_lines(path, indent + 2, map, &[]));
                lines
            }
            Value::Array(list) if !list.is_empty() => {
                let mut lines = vec![head];
                let keys = list_keys(list, &[]);
                for (at, entry) in list.iter().enumerate() {
                    let step = match keys {
                        Some(keys) => super::path::entry_step(entry, keys),
                        None => Step::Place(at),
                    };
                    let keys = keys.unwrap_or_default();
                    lines.extend(self.entry_lines(&path.then(step), indent, entry, keys));
                }
                lines
            }
            value => self.scalar_lines(path, indent, &head, value),
        }
    }

    fn entry_lines(&self, path: &Path, indent: usize, entry: &Value, keys: &[&str]) -> Vec<String> {
        match entry {
            Value::Object(map) if !map.is_empty() => {
                let mut lines = self.map_lines(path, indent + 2, map, keys);
                if let Some(first) = lines.first_mut() {
                    dash(first, indent);
                }
                lines
            }
            Value::Array(list) if !list.is_empty() => {
                let mut lines: Vec<String> = list
                    .iter()
                    .enumerate()
                    .flat_map(|(at, entry)| {
                        self.entry_lines(&path.then(Step::Place(at)), indent + 2, entry, &[])
                    })
                    .collect();
                if let Some(first) = lines.first_mut() {
                    dash(first, indent);
                }
                lines
            }
            value => self.scalar_lines(path, indent, &format!("{}-", pad(indent)), value),
        }
    }

    fn scalar_lines(&self, path: &Path, indent: usize, head: &str, value: &Value) -> Vec<String> {
        let Value::String(text) = value else {
            // Numbers under a telling name are hidden like texts.
            let text = value.to_string();
            return vec![format!("{head} {}", self.mask.text(path, &text))];
        };
        let shown = self.mask.text(path, text);
        if !is_block(&shown) {
            return vec![format!("{head} {}", scalar_text(&shown))];
        }
        let mut lines = vec![format!("{head} {}", block_head(&shown))];
        lines.extend(
            block_lines(&shown)
                .iter()
                .map(|line| block_line(indent + 2, line)),
        );
        lines
    }
}

fn place(name: &str, keys: &[&str]) -> usize {
    match keys.iter().position(|key| *key == name) {
        Some(at) => at,
        None => {
            keys.len()
                + FIRST
                    .iter()
                    .position(|first| *first == name)
                    .unwrap_or(FIRST.len())
        }
    }
}

fn pad(indent: usize) -> String {
    " ".repeat(indent)
}

fn dash(line: &mut String, indent: usize) {
    line.replace_range(indent..=indent, "-");
}

fn dash_row(row: &mut DiffRow, indent: usize) {
    match row {
        DiffRow::Same(line) | DiffRow::Removed(line) | DiffRow::Added(line) => dash(line, indent),
        DiffRow::Changed(before, after) => {
            dash(before, indent);
            dash(after, indent);
        }
    }
}

fn bare(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether a text is written as a block: several lines, the first of which shows how far it is in.
fn is_block(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    text.contains('\n')
        && !first.is_empty()
        && !first.starts_with([' ', '\t'])
        && !text.chars().any(|c| c.is_control() && c != '\n')
}

/// Says how the text ends.
fn block_head(text: &str) -> &'static str {
    match (text.ends_with('\n'), text.ends_with("\n\n")) {
        (false, _) => "|-",
        (true, false) => "|",
        (true, true) => "|+",
    }
}

fn block_lines(text: &str) -> Vec<&str> {
    text.strip_suffix('\n')
        .unwrap_or(text)
        .split('\n')
        .collect()
}

fn block_line(indent: usize, line: &str) -> String {
    if line.is_empty() {
        String::new()
    } else {
        format!("{}{line}", pad(indent))
    }
}

fn key_text(name: &str) -> String {
    let plain = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        && name.starts_with(|c: char| c.is_ascii_alphabetic());
    if plain
        && !matches!(
            name,
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        )
    {
        name.to_owned()
    } else {
        Value::from(name).to_string()
    }
}

/// A text of one line as YAML has it: quoted where it would be something else.
fn scalar_text(text: &str) -> String {
    match serde_yaml::to_string(text) {
        Ok(yaml) if !text.contains('\n') && yaml.trim_end().lines().count() == 1 => {
            yaml.trim_end().to_owned()
        }
        _ => Value::from(text).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn signs(before: &Value, after: &Value) -> Vec<String> {
        let (rows, _) = rows(before, after);
        rows.into_iter()
            .flat_map(|row| match row {
                DiffRow::Same(text) => vec![format!("  {text}")],
                DiffRow::Removed(text) => vec![format!("- {text}")],
                DiffRow::Added(text) => vec![format!("+ {text}")],
                DiffRow::Changed(a, b) => vec![format!("- {a}"), format!("+ {b}")],
            })
            .collect()
    }

    fn side(rows: &[DiffRow], of: impl Fn(&DiffRow) -> Option<&str>) -> Value {
        let text: Vec<&str> = rows.iter().filter_map(of).collect();
        // The last line ends too: a block of text keeps its line break by it.
        serde_yaml::from_str(&(text.join("\n") + "\n")).expect("it is YAML")
    }

    #[test]
    fn entries_stand_beside_their_counterparts() {
        let before = json!({"kind": "Deployment", "spec": {"containers": [
            {"image": "a:1", "name": "app"}, {"name": "old", "image": "o:1"}]}});
        let after = json!({"kind": "Deployment", "spec": {"containers": [
            {"image": "a:2", "name": "app", "args": ["-v"]}, {"name": "new", "image": "n:1"}]}});
        assert_eq!(
            signs(&before, &after),
            [
                "  kind: Deployment",
                "  spec:",
                "    containers:",
                "    - name: app",
                "-     image: a:1",
                "+     image: a:2",
                "+     args:",
                "+     - -v",
                "-   - name: old",
                "-     image: o:1",
                "+   - name: new",
                "+     image: n:1",
            ]
        );
    }

    #[test]
    fn texts_of_several_lines_are_compared_by_line() {
        let config = |text: &str| json!({"kind": "ConfigMap", "data": {"app.conf": text}});
        assert_eq!(
            signs(
                &config("one\ntwo\nthree\n"),
                &config("one\n2\nthree\nfour\n")
            ),
            [
                "  kind: ConfigMap",
                "  data:",
                "    app.conf: |",
                "      one",
                "-     two",
                "+     2",
                "      three",
                "+     four",
            ]
        );
    }

    #[test]
    fn only_a_hidden_value_is_called_another_one() {
        let list = |entry: &str| json!({"kind": "ConfigMap", "items": [entry]});
        assert_eq!(
            signs(&list("a\n\nold\n"), &list("b\n\nnew\n")),
            [
                "  kind: ConfigMap",
                "  items:",
                "  - |",
                "-   a",
                "+   b",
                "  ",
                "-   old",
                "+   new",
            ]
        );
    }

    #[test]
    fn a_secret_shows_that_it_changes_and_not_what() {
        let secret = |value: &str| json!({"kind": "Secret", "data": {"A": value, "B": "c2FtZQ=="}});
        assert_eq!(
            signs(&secret("b2xk"), &secret("bmV3")),
            [
                "  kind: Secret",
                "  data:",
                "-   A: •••",
                "+   A: ••• # another value",
                "    B: •••"
            ]
        );
    }

    fn any_object() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3..1000i64).prop_map(Value::from),
            "[ -~\n]{0,12}".prop_map(Value::from),
            "[a-c\n]{0,9}".prop_map(Value::from),
        ];
        let value = scalar.prop_recursive(3, 30, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                proptest::collection::btree_map("[a-d]{1,2}", inner.clone(), 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
                proptest::collection::btree_map("[a-e]", inner, 1..4).prop_map(|entries| {
                    entries
                        .into_iter()
                        .map(|(name, value)| json!({"name": name, "value": value}))
                        .collect()
                }),
            ]
        });
        proptest::collection::btree_map("[a-f]", value, 1..5)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn each_side_is_the_object_as_yaml(a in any_object(), b in any_object()) {
            let (rows, more) = rows(&a, &b);
            prop_assert_eq!(more, 0);
            prop_assert_eq!(side(&rows, DiffRow::before), a);
            // Lists keep the order they had; what stands where is told in a comment.
            if !rows.iter().any(|row| row.after().is_some_and(|line| line.contains("# order"))) {
                prop_assert_eq!(side(&rows, DiffRow::after), b);
            }
        }

        #[test]
        fn no_value_of_a_secret_is_ever_in_a_row(
            old in "[A-Za-z0-9]{8,30}", new in "[A-Za-z0-9]{8,30}", key in "[a-z]{1,6}", kind in "data|stringData"
        ) {
            let (old, new) = (format!("Q{old}q"), format!("W{new}w"));
            let secret = |value: &str| json!({"kind": "Secret", "metadata": {"name": "s", "annotations":
                {"kubectl.kubernetes.io/last-applied-configuration": format!("{{\"data\":\"{value}\"}}")}},
                &kind: {&key: value}});
            for (a, b) in [(secret(&old), secret(&new)), (Value::Null, secret(&new)), (secret(&old), Value::Null)] {
                let shown = format!("{:?}", rows(&a, &b));
                prop_assert!(!shown.contains(&old) && !shown.contains(&new), "{}", shown);
            }
        }
    }
}
