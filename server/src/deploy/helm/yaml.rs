//! YAML to JSON values and back, the way helm sees it: keys are texts, dates are texts.

use serde_json::{Map, Number, Value};
use serde_yaml::Value as Yaml;

/// Why a text is no usable YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct YamlError {
    pub text: String,
    /// 1-based, where known.
    pub line: Option<usize>,
}

/// Reads one document; an empty one is `null`.
pub fn parse(text: &str) -> Result<Value, YamlError> {
    // Go's libraries skip a byte order mark, ours does not.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    let mut yaml: Yaml = serde_yaml::from_str(text).map_err(|error| YamlError {
        line: error.location().map(|at| at.line()),
        text: error.to_string(),
    })?;
    yaml.apply_merge().map_err(|error| YamlError {
        text: error.to_string(),
        line: None,
    })?;
    to_json(yaml)
}

/// Reads values: a mapping, or nothing at all.
pub fn parse_values(text: &str) -> Result<Map<String, Value>, YamlError> {
    match parse(text)? {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        _ => Err(YamlError {
            text: "values must be a mapping, such as `replicas: 2`".to_owned(),
            line: None,
        }),
    }
}

/// As a YAML document.
pub fn document(value: &Value) -> String {
    serde_yaml::to_string(value).unwrap_or_default()
}

/// As YAML to look at: without the line break at the end.
pub fn print(value: &Value) -> String {
    let text = document(value);
    text.strip_suffix('\n').unwrap_or(&text).to_owned()
}

fn to_json(yaml: Yaml) -> Result<Value, YamlError> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Bool(value),
        Yaml::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(value), _, _) => Value::from(value),
            (None, Some(value), _) => Value::from(value),
            (None, None, value) => value
                .and_then(Number::from_f64)
                .map_or_else(|| Value::String(number.to_string()), Value::Number),
        },
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => {
            Value::Array(items.into_iter().map(to_json).collect::<Result<_, _>>()?)
        }
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let key = match key {
                    Yaml::String(text) => text,
                    Yaml::Number(number) => number.to_string(),
                    Yaml::Bool(value) => value.to_string(),
                    _ => {
                        return Err(YamlError {
                            text: "a key must be a text".to_owned(),
                            line: None,
                        });
                    }
                };
                map.insert(key, to_json(value)?);
            }
            Value::Object(map)
        }
        Yaml::Tagged(tagged) => to_json(tagged.value)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn keys_become_texts_and_anchors_are_resolved() {
        let values =
            parse_values("a: &x {b: 1}\nc:\n  <<: *x\n  d: 2.5\n80: http\nday: 2026-01-02\n")
                .expect("values");
        assert_eq!(
            Value::Object(values),
            json!({"a": {"b": 1}, "c": {"d": 2.5, "b": 1}, "80": "http", "day": "2026-01-02"})
        );
        assert_eq!(parse_values("# nothing\n").expect("empty"), Map::new());
        assert!(parse_values("- a\n").is_err());
        assert_eq!(parse("a: b: c").expect_err("broken").line, Some(1));
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in "\\PC{0,100}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_was_printed_reads_the_same(text in "[ -~\n]{0,40}", number in any::<i64>()) {
            let value = json!({"text": text, "number": number, "list": [text]});
            prop_assert_eq!(parse(&document(&value)).expect("reads"), value);
        }
    }
}
