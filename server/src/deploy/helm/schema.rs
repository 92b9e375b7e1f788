//! What a chart's `values.schema.json` says about one value: only what a form can use.
//! Whether values are right is decided by helm itself.

use app::model::ValueControl;
use serde_json::{Map, Value};

use super::chart::Chart;

/// References inside references.
const DEEPEST: usize = 12;

/// A schema node with the document its references point into.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    root: &'a Value,
    node: &'a Value,
}

impl<'a> Node<'a> {
    pub fn root(schema: &'a Value) -> Self {
        Self {
            root: schema,
            node: schema,
        }
        .resolved()
    }

    /// Follows local references. One that leads nowhere, or around in a circle, says nothing.
    fn resolved(self) -> Self {
        let mut node = self.node;
        for _ in 0..DEEPEST {
            let Some(reference) = node.get("$ref").and_then(Value::as_str) else {
                return Self { node, ..self };
            };
            let target = reference
                .strip_prefix('#')
                .and_then(|pointer| self.root.pointer(pointer));
            match target {
                Some(target) => node = target,
                None => break,
            }
        }
        Self {
            node: &Value::Null,
            ..self
        }
    }

    /// A key of this node, or of one of the nodes it is all of.
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.node.get(key).or_else(|| {
            self.node.get("allOf")?.as_array()?.iter().find_map(|part| {
                let part = Self {
                    node: part,
                    ..*self
                }
                .resolved();
                part.node.get(key)
            })
        })
    }

    fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    /// The properties in the schema's order.
    pub fn properties(&self) -> Vec<(&'a str, Node<'a>)> {
        self.get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(key, node)| {
                let node = Self { node, ..*self }.resolved();
                (key.as_str(), node)
            })
            .collect()
    }

    pub fn property(&self, key: &str) -> Option<Node<'a>> {
        let node = self.get("properties")?.get(key)?;
        Some(Self { node, ..*self }.resolved())
    }

    pub fn requires(&self, key: &str) -> bool {
        self.get("required")
            .and_then(Value::as_array)
            .is_some_and(|keys| keys.iter().any(|one| one == key))
    }

    pub fn description(&self) -> &'a str {
        self.text("description").unwrap_or_default()
    }

    pub fn title(&self) -> Option<&'a str> {
        self.text("title").filter(|title| !title.is_empty())
    }

    pub fn default(&self) -> Option<&'a Value> {
        self.get("default")
    }

    /// The one type it allows beside `null`; none when it allows several or does not say.
    fn kind(&self) -> Option<&'a str> {
        match self.get("type")? {
            Value::String(kind) => Some(kind),
            Value::Array(kinds) => {
                let mut kinds = kinds
                    .iter()
                    .filter_map(Value::as_str)
                    .filter(|kind| *kind != "null");
                let only = kinds.next()?;
                kinds.next().is_none().then_some(only)
            }
            _ => None,
        }
    }

    fn number(&self, keys: [&str; 2]) -> Option<String> {
        keys.iter()
            .find_map(|key| self.get(key).filter(|value| value.is_number()))
            .map(Value::to_string)
    }

    /// The control for a value; none when the schema does not say enough.
    /// [`ValueControl::Group`] comes without its fields.
    pub fn control(&self, value: Option<&Value>) -> Option<ValueControl> {
        if self.get("oneOf").is_some() || self.get("anyOf").is_some() {
            return Some(ValueControl::Yaml);
        }
        if let Some(options) = self.choices() {
            let scalar = options
                .iter()
                .all(|option| !option.is_object() && !option.is_array());
            return Some(if scalar {
                ValueControl::Choice {
                    options: options.iter().map(scalar_text).collect(),
                }
            } else {
                ValueControl::Yaml
            });
        }
        Some(match self.kind()? {
            "boolean" => ValueControl::Switch,
            kind @ ("integer" | "number") => ValueControl::Number {
                integer: kind == "integer",
                minimum: self.number(["minimum", "exclusiveMinimum"]),
                maximum: self.number(["maximum", "exclusiveMaximum"]),
            },
            "string" => ValueControl::Text {
                pattern: self.text("pattern").map(str::to_owned),
                multiline: value
                    .and_then(Value::as_str)
                    .is_some_and(|text| text.contains('\n')),
            },
            "array" => {
                let of_scalars = self.get("items").is_some_and(|items| {
                    let items = Self {
                        node: items,
                        ..*self
                    }
                    .resolved();
                    matches!(
                        items.kind(),
                        Some("string" | "integer" | "number" | "boolean")
                    )
                });
                if of_scalars && value.is_none_or(is_plain_list) {
                    ValueControl::List
                } else {
                    ValueControl::Yaml
                }
            }
            "object" if !self.properties().is_empty() => ValueControl::Group { fields: Vec::new() },
            _ => ValueControl::Yaml,
        })
    }

    /// What can be chosen from, as it is written in the schema.
    pub fn choices(&self) -> Option<&'a Vec<Value>> {
        self.get("enum")?.as_array()
    }

    /// The type of a list's items, for reading them back.
    pub fn item_kind(&self) -> Option<&'a str> {
        let items = self.get("items")?;
        Self {
            node: items,
            ..*self
        }
        .resolved()
        .kind()
    }
}

/// The control for a value no schema describes.
pub fn guessed_control(value: Option<&Value>) -> ValueControl {
    match value {
        Some(Value::Bool(_)) => ValueControl::Switch,
        Some(Value::Number(number)) => ValueControl::Number {
            integer: number.is_i64() || number.is_u64(),
            minimum: None,
            maximum: None,
        },
        Some(Value::String(text)) => ValueControl::Text {
            pattern: None,
            multiline: text.contains('\n'),
        },
        Some(list @ Value::Array(items)) if !items.is_empty() && is_plain_list(list) => {
            ValueControl::List
        }
        Some(Value::Object(map)) if !map.is_empty() => ValueControl::Group { fields: Vec::new() },
        _ => ValueControl::Yaml,
    }
}

/// Whether one line for each item can show it.
fn is_plain_list(value: &Value) -> bool {
    value.as_array().is_some_and(|items| {
        items.iter().all(|item| match item {
            Value::String(text) => !text.contains('\n') && text.trim() == text && !text.is_empty(),
            Value::Bool(_) | Value::Number(_) => true,
            _ => false,
        })
    })
}

/// A scalar as a control shows it.
pub fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A chart's schema with its subcharts' schemas as properties, where the chart itself says nothing.
pub fn combined(chart: &Chart) -> Option<Value> {
    let mut schema = chart.schema.clone();
    for (key, sub) in chart.subcharts() {
        let Some(mut below) = combined(sub) else {
            continue;
        };
        let whole = schema.get_or_insert_with(|| Value::Object(Map::new()));
        let Some(whole) = whole.as_object_mut() else {
            continue;
        };
        let properties = whole
            .entry("properties")
            .or_insert_with(|| Value::Object(Map::new()));
        let says_something = properties
            .get(key)
            .is_some_and(|own| own.get("properties").is_some() || own.get("$ref").is_some());
        if says_something {
            continue;
        }
        // References of the subchart point into its own schema.
        move_references(
            &mut below,
            &format!("#/properties/{}", key.replace('~', "~0").replace('/', "~1")),
        );
        if let Some(properties) = properties.as_object_mut() {
            properties.insert(key.to_owned(), below);
        }
    }
    schema
}

fn move_references(node: &mut Value, to: &str) {
    match node {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(reference) if key == "$ref" => {
                        if let Some(pointer) = reference.strip_prefix('#') {
                            *reference = format!("{to}{pointer}");
                        }
                    }
                    other => move_references(other, to),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| move_references(item, to)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_of_value_has_its_control() {
        let schema = json!({
            "definitions": {"port": {"type": "integer", "minimum": 1, "maximum": 65535}},
            "properties": {
                "port": {"$ref": "#/definitions/port"},
                "mode": {"enum": ["a", 1, null]},
                "on": {"type": ["boolean", "null"]},
                "name": {"type": "string", "pattern": "^x"},
                "args": {"type": "array", "items": {"type": "string"}},
                "env": {"type": "array", "items": {"type": "object"}},
                "free": {"type": "object"},
                "either": {"oneOf": [{"type": "string"}, {"type": "object"}]},
                "all": {"allOf": [{"$ref": "#/definitions/port"}]},
                "circle": {"$ref": "#/properties/circle"},
                "inner": {"type": "object", "properties": {"x": {"type": "string"}}}
            }
        });
        let root = Node::root(&schema);
        let control = |key: &str| root.property(key).expect("a property").control(None);
        let port = Some(ValueControl::Number {
            integer: true,
            minimum: Some("1".into()),
            maximum: Some("65535".into()),
        });
        assert_eq!(control("port"), port);
        assert_eq!(control("all"), port);
        assert_eq!(
            control("mode"),
            Some(ValueControl::Choice {
                options: vec!["a".into(), "1".into(), String::new()]
            })
        );
        assert_eq!(control("on"), Some(ValueControl::Switch));
        assert_eq!(
            control("name"),
            Some(ValueControl::Text {
                pattern: Some("^x".into()),
                multiline: false
            })
        );
        assert_eq!(control("args"), Some(ValueControl::List));
        for key in ["env", "free", "either"] {
            assert_eq!(control(key), Some(ValueControl::Yaml), "{key}");
        }
        assert_eq!(control("circle"), None);
        assert_eq!(
            control("inner"),
            Some(ValueControl::Group { fields: vec![] })
        );
    }

    #[test]
    fn a_subchart_s_schema_becomes_a_part_of_the_whole() {
        let sub = Chart {
            metadata: super::super::chart::Metadata {
                name: "db".into(),
                ..Default::default()
            },
            schema: Some(
                json!({"definitions": {"n": {"type": "integer"}}, "properties": {"size": {"$ref": "#/definitions/n"}}}),
            ),
            ..Chart::default()
        };
        let chart = Chart {
            charts: vec![sub],
            ..Chart::default()
        };
        let schema = combined(&chart).expect("a schema");
        let size = Node::root(&schema)
            .property("db")
            .and_then(|db| db.property("size"));
        assert!(matches!(
            size.and_then(|size| size.control(None)),
            Some(ValueControl::Number { .. })
        ));
    }
}
