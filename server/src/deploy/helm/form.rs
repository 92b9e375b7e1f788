//! The values form: fields by the chart's schema (or by its values where it has none), with the value
//! in force and where it comes from; and the way back, from texts to values.

use app::model::{ResultRow, ValueControl, ValueEdit, ValueField, ValueOrigin};
use serde_json::{Map, Number, Value};

use super::layers::{Layers, put};
use super::schema::{Node, guessed_control, scalar_text};
use super::secret_shape::{is_secret, masked_under, promises_secret};
use super::yaml;

/// Groups inside groups; what is deeper is YAML.
const DEEPEST: usize = 6;

/// Tells the values that were entered as the project's secrets.
pub type Known<'a> = &'a dyn Fn(&str) -> bool;

/// All fields for these layers.
pub fn fields(schema: Option<&Value>, layers: &Layers, known: Known<'_>) -> Vec<ValueField> {
    let effective = layers.effective();
    let build = Build { layers, known };
    build.fields(schema.map(Node::root), &effective, &mut Vec::new())
}

struct Build<'a> {
    layers: &'a Layers,
    known: Known<'a>,
}

impl Build<'_> {
    fn fields(
        &self,
        node: Option<Node<'_>>,
        values: &Map<String, Value>,
        path: &mut Vec<String>,
    ) -> Vec<ValueField> {
        let described = node.map(|node| node.properties()).unwrap_or_default();
        let mut keys: Vec<&str> = described.iter().map(|(key, _)| *key).collect();
        for key in values.keys() {
            if !keys.contains(&key.as_str()) {
                keys.push(key);
            }
        }
        keys.into_iter()
            .filter_map(|key| {
                let below = node.and_then(|node| node.property(key));
                let value = values.get(key);
                // `global` is helm's own and empty most of the time.
                if key == "global" && value.is_none() {
                    return None;
                }
                path.push(key.to_owned());
                let required = node.is_some_and(|node| node.requires(key));
                let field = self.field(key, below, value, required, path);
                path.pop();
                Some(field)
            })
            .collect()
    }

    fn field(
        &self,
        key: &str,
        node: Option<Node<'_>>,
        value: Option<&Value>,
        required: bool,
        path: &mut Vec<String>,
    ) -> ValueField {
        let default = self
            .layers
            .default(path)
            .or_else(|| node.and_then(|node| node.default()));
        let shown = value.or(default);
        let mut control = node
            .and_then(|node| node.control(shown))
            .unwrap_or_else(|| guessed_control(shown));
        if !fits(&control, shown) || path.len() > DEEPEST {
            control = ValueControl::Yaml;
        }
        if let ValueControl::Group { fields } = &mut control {
            let empty = Map::new();
            let below = value.and_then(Value::as_object).unwrap_or(&empty);
            *fields = self.fields(node, below, path);
        }
        let is_group = matches!(control, ValueControl::Group { .. });
        let masked = shown.map(|value| masked_under(key, value, self.known));
        let secret = !is_group
            && (masked.as_ref() != shown
                || (promises_secret(key)
                    && !matches!(
                        control,
                        ValueControl::Switch | ValueControl::Number { .. } | ValueControl::Yaml
                    )));
        ValueField {
            label: node.and_then(|node| node.title()).unwrap_or(key).to_owned(),
            description: node.map_or("", |node| node.description()).to_owned(),
            text: match &masked {
                Some(value) if !is_group => to_text(&control, value),
                _ => String::new(),
            },
            default: default
                .filter(|_| !is_group)
                .map(|value| to_text(&control, &masked_under(key, value, self.known))),
            origin: match value {
                Some(_) => self.layers.origin(path),
                None => ValueOrigin::Unset,
            },
            path: path.clone(),
            control,
            required,
            secret,
            problem: None,
        }
    }
}

/// Whether the control can show the value without changing its kind.
fn fits(control: &ValueControl, value: Option<&Value>) -> bool {
    let Some(value) = value else { return true };
    match control {
        ValueControl::Text { .. } => !value.is_object() && !value.is_array(),
        ValueControl::Number { .. } => value.is_number() || value.is_string() || value.is_null(),
        ValueControl::Switch => value.is_boolean() || value.is_null(),
        ValueControl::Choice { .. } => !value.is_object() && !value.is_array(),
        ValueControl::List => value.is_array() || value.is_null(),
        ValueControl::Group { .. } => value.is_object() || value.is_null(),
        ValueControl::Yaml => true,
    }
}

/// A value as its control shows it.
fn to_text(control: &ValueControl, value: &Value) -> String {
    match control {
        ValueControl::List => value
            .as_array()
            .into_iter()
            .flatten()
            .map(scalar_text)
            .collect::<Vec<_>>()
            .join("\n"),
        ValueControl::Yaml => yaml::print(value),
        _ => scalar_text(value),
    }
}

/// The field at a path.
pub fn find<'a>(fields: &'a [ValueField], path: &[String]) -> Option<&'a ValueField> {
    fields.iter().find_map(|field| {
        if field.path == path {
            return Some(field);
        }
        match &field.control {
            ValueControl::Group { fields } if path.starts_with(&field.path) => find(fields, path),
            _ => None,
        }
    })
}

/// The deepest field at or above a path.
pub fn nearest_mut<'a>(
    fields: &'a mut [ValueField],
    path: &[String],
) -> Option<&'a mut ValueField> {
    let at = fields
        .iter()
        .position(|field| path.starts_with(&field.path))?;
    let is_deeper = match &fields[at].control {
        ValueControl::Group { fields } => fields.iter().any(|below| path.starts_with(&below.path)),
        _ => false,
    };
    let field = &mut fields[at];
    if !is_deeper {
        return Some(field);
    }
    match &mut field.control {
        ValueControl::Group { fields } => nearest_mut(fields, path),
        _ => None,
    }
}

/// What the edits make, and what is wrong with those that make nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read {
    pub values: Map<String, Value>,
    /// By path.
    pub problems: Vec<(Vec<String>, String)>,
    /// Edits that would put a secret into values.
    pub secrets: Vec<Vec<String>>,
}

/// Reads edits by the controls of their fields.
pub fn read_edits(
    fields: &[ValueField],
    schema: Option<&Value>,
    edits: &[ValueEdit],
    known: Known<'_>,
) -> Read {
    let mut read = Read::default();
    for edit in edits {
        let Some(field) = find(fields, &edit.path) else {
            read.problems
                .push((edit.path.clone(), "the chart has no such value".to_owned()));
            continue;
        };
        let node = schema.and_then(|schema| {
            edit.path
                .iter()
                .try_fold(Node::root(schema), |node, key| node.property(key))
        });
        match from_text(&field.control, node, &edit.text) {
            Ok(value) => {
                let key = edit.path.last().map_or("", String::as_str);
                let is_secret = field.secret
                    || masked_under(key, &value, known) != value
                    || value.as_str().is_some_and(|text| is_secret(key, text));
                if is_secret {
                    read.secrets.push(edit.path.clone());
                } else {
                    put(&mut read.values, &edit.path, value);
                }
            }
            Err(problem) => read.problems.push((edit.path.clone(), problem)),
        }
    }
    read
}

fn from_text(control: &ValueControl, node: Option<Node<'_>>, text: &str) -> Result<Value, String> {
    match control {
        ValueControl::Text { .. } => Ok(Value::String(text.to_owned())),
        ValueControl::Number { integer, .. } => number(text, *integer),
        ValueControl::Switch => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err("it is neither true nor false".to_owned()),
        },
        ValueControl::Choice { options } => {
            if !options.iter().any(|option| option == text) {
                return Err("it is none of the choices".to_owned());
            }
            let original = node
                .and_then(|node| node.choices())
                .into_iter()
                .flatten()
                .find(|option| scalar_text(option) == text);
            Ok(original
                .cloned()
                .unwrap_or_else(|| Value::String(text.to_owned())))
        }
        ValueControl::List => text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(|line| item(node.and_then(|node| node.item_kind()), line))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        ValueControl::Yaml => yaml::parse(text).map_err(|error| error.to_string()),
        ValueControl::Group { .. } => Err("it is only a heading".to_owned()),
    }
}

fn number(text: &str, integer: bool) -> Result<Value, String> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return Ok(Value::from(whole));
    }
    if integer {
        return Err(format!("`{text}` is not a whole number"));
    }
    text.parse::<f64>()
        .ok()
        .and_then(Number::from_f64)
        .map(Value::Number)
        .ok_or_else(|| format!("`{text}` is not a number"))
}

fn item(kind: Option<&str>, line: &str) -> Result<Value, String> {
    match kind {
        Some("integer") => number(line, true),
        Some("number") => number(line, false),
        Some("boolean") => line
            .parse()
            .map(Value::Bool)
            .map_err(|_| format!("`{line}` is neither true nor false")),
        _ => Ok(Value::String(line.to_owned())),
    }
}

/// The values as rows, each with its origin, masked.
pub fn result_rows(layers: &Layers, known: Known<'_>) -> Vec<ResultRow> {
    let mut rows = Vec::new();
    let effective = layers.effective();
    add_rows(&effective, layers, known, &mut Vec::new(), &mut rows);
    rows
}

fn add_rows(
    values: &Map<String, Value>,
    layers: &Layers,
    known: Known<'_>,
    path: &mut Vec<String>,
    rows: &mut Vec<ResultRow>,
) {
    for (key, value) in values {
        path.push(key.clone());
        let depth = u32::try_from(path.len() - 1).unwrap_or(u32::MAX);
        match value {
            Value::Object(below) if !below.is_empty() => {
                rows.push(ResultRow {
                    depth,
                    key: key.clone(),
                    value: String::new(),
                    origin: None,
                });
                add_rows(below, layers, known, path, rows);
            }
            other => rows.push(ResultRow {
                depth,
                key: key.clone(),
                value: one_line(&masked_under(key, other, known)),
                origin: Some(layers.origin(path)),
            }),
        }
        path.pop();
    }
}

/// Lists as JSON, which is YAML too; texts of several lines are cut to the first.
fn one_line(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => match text.split_once('\n') {
            Some((first, _)) => format!("{first} …"),
            None => text.clone(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::helm::layers::Layer;
    use proptest::prelude::*;
    use serde_json::json;

    fn layers(chart: Value) -> Layers {
        match chart {
            Value::Object(values) => Layers(vec![Layer {
                origin: ValueOrigin::Chart,
                values,
            }]),
            other => panic!("{other}"),
        }
    }

    fn edit(path: &str, text: &str) -> ValueEdit {
        ValueEdit {
            path: path.split('.').map(str::to_owned).collect(),
            text: text.to_owned(),
        }
    }

    const NOBODY: Known<'static> = &|_| false;

    #[test]
    fn edits_come_back_as_values_of_the_right_kind() {
        let schema = json!({"properties": {
            "replicas": {"type": "integer"},
            "ratio": {"type": "number"},
            "mode": {"enum": [1, "one"]},
            "ports": {"type": "array", "items": {"type": "integer"}},
            "inner": {"properties": {"on": {"type": "boolean"}}, "type": "object"},
            "free": {"type": "object"}
        }});
        let layers = layers(json!({"replicas": 1, "inner": {"on": false}, "extra": "x"}));
        let fields = fields(Some(&schema), &layers, NOBODY);
        let read = |path, text| read_edits(&fields, Some(&schema), &[edit(path, text)], NOBODY);
        let value = |path, text| Value::Object(read(path, text).values);
        assert_eq!(value("replicas", "3"), json!({"replicas": 3}));
        assert_eq!(value("ratio", "0.5"), json!({"ratio": 0.5}));
        assert_eq!(value("mode", "1"), json!({"mode": 1}));
        assert_eq!(value("mode", "one"), json!({"mode": "one"}));
        assert_eq!(value("ports", "80\n\n443"), json!({"ports": [80, 443]}));
        assert_eq!(value("inner.on", "true"), json!({"inner": {"on": true}}));
        assert_eq!(value("free", "a: {b: 1}"), json!({"free": {"a": {"b": 1}}}));
        assert_eq!(value("extra", "007"), json!({"extra": "007"}));
        for (path, text) in [
            ("replicas", "2.5"),
            ("replicas", ""),
            ("mode", "two"),
            ("free", "a: b: c"),
            ("inner", "x"),
            ("nope", "x"),
        ] {
            assert_eq!(read(path, text).problems.len(), 1, "{path}={text}");
        }
    }

    #[test]
    fn secrets_are_masked_and_cannot_be_entered() {
        let layers = layers(
            json!({"db": {"password": "hunter2", "host": "h"}, "note": "entered", "list": [{"token": "t0k"}]}),
        );
        let known: Known<'_> = &|text| text == "entered";
        let fields = fields(None, &layers, known);
        let text = serde_json::to_string(&fields).expect("encodes");
        for value in ["hunter2", "entered", "t0k"] {
            assert!(!text.contains(value), "{value} is shown");
        }
        let rows = serde_json::to_string(&result_rows(&layers, known)).expect("encodes");
        assert!(!rows.contains("hunter2") && !rows.contains("t0k"));
        for (path, text) in [
            ("db.password", "new"),
            ("db.host", "postgres://u:p@h/d"),
            ("note", "entered"),
        ] {
            let read = read_edits(&fields, None, &[edit(path, text)], known);
            assert_eq!((read.secrets.len(), read.values.len()), (1, 0), "{path}");
        }
    }

    #[test]
    fn problems_find_the_nearest_field() {
        let layers = layers(json!({"a": {"b": {"c": 1}}, "list": [{"x": 1}]}));
        let mut fields = fields(None, &layers, NOBODY);
        let mut nearest = |path: &[&str]| {
            let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
            nearest_mut(&mut fields, &path).map(|field| field.path.join("."))
        };
        assert_eq!(nearest(&["a", "b", "c"]).as_deref(), Some("a.b.c"));
        assert_eq!(nearest(&["a", "x"]).as_deref(), Some("a"));
        assert_eq!(nearest(&["list", "0", "x"]).as_deref(), Some("list"));
        assert_eq!(nearest(&["z"]), None);
    }

    #[test]
    fn the_result_shows_each_value_with_its_origin() {
        let mut layers = layers(json!({"a": {"b": 1, "c": []}, "e": ""}));
        layers.0.push(Layer {
            origin: ValueOrigin::Form,
            values: json!({"a": {"b": 2}}).as_object().cloned().expect("a map"),
        });
        let rows: Vec<_> = result_rows(&layers, NOBODY)
            .into_iter()
            .map(|row| (row.depth, row.key, row.value, row.origin))
            .collect();
        assert_eq!(
            rows,
            [
                (0, "a".into(), String::new(), None),
                (1, "b".into(), "2".into(), Some(ValueOrigin::Form)),
                (1, "c".into(), "[]".into(), Some(ValueOrigin::Chart)),
                (0, "e".into(), "\"\"".into(), Some(ValueOrigin::Chart)),
            ]
        );
    }

    proptest! {
        #[test]
        fn a_scalar_survives_the_form(text in "[ -~]{0,30}", number in -1000..1000_i64, on in any::<bool>()) {
            let values = json!({"text": text, "number": number, "on": on});
            let layers = layers(values.clone());
            let fields = fields(None, &layers, NOBODY);
            let edits: Vec<ValueEdit> = fields
                .iter()
                .map(|field| ValueEdit { path: field.path.clone(), text: field.text.clone() })
                .collect();
            let read = read_edits(&fields, None, &edits, NOBODY);
            if read.secrets.is_empty() {
                prop_assert_eq!(Value::Object(read.values), values);
            }
        }
    }
}
