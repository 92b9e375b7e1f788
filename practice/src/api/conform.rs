//! Decoding along the schema: unknown fields are found (and dropped, as a typed decode would),
//! values of the wrong type are refused.

use serde_json::Value;

use super::kinds::Kind;
use super::schema::{self, Type};
use super::status::StatusError;

/// Brings an object into the shape of its kind. The answer names the unknown fields.
pub fn conform(kind: &Kind, object: &mut Value) -> Result<Vec<String>, StatusError> {
    let mut walk = Walk {
        unknown: Vec::new(),
        wrong: None,
        lenient: kind.custom.is_some(),
    };
    walk.value(&Type::Struct(schema::name_of(kind)), object, "");
    match walk.wrong {
        None => Ok(walk.unknown),
        Some(wrong) => Err(StatusError::bad_request(format!(
            "{} in version \"{}\" cannot be handled as a {}: {wrong}",
            kind.kind, kind.version, kind.kind
        ))),
    }
}

/// What the client wants to happen with unknown fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

impl FieldValidation {
    /// From the query; `Warn` is the default.
    pub fn parse(text: Option<&str>) -> Result<Self, StatusError> {
        match text {
            None | Some("" | "Warn") => Ok(Self::Warn),
            Some("Ignore") => Ok(Self::Ignore),
            Some("Strict") => Ok(Self::Strict),
            Some(other) => Err(StatusError::bad_request(format!(
                "fieldValidation: Unsupported value: \"{other}\": supported values: \"Ignore\", \"Strict\", \"Warn\""
            ))),
        }
    }

    /// The warnings to send, or the refusal.
    pub fn judge(self, kind: &Kind, unknown: Vec<String>) -> Result<Vec<String>, StatusError> {
        let words: Vec<String> = unknown
            .iter()
            .map(|path| format!("unknown field \"{path}\""))
            .collect();
        match self {
            Self::Ignore => Ok(Vec::new()),
            Self::Warn => Ok(words),
            Self::Strict if words.is_empty() => Ok(words),
            Self::Strict => Err(StatusError::bad_request(format!(
                "{} in version \"{}\" cannot be handled as a {}: strict decoding error: {}",
                kind.kind,
                kind.version,
                kind.kind,
                words.join(", ")
            ))),
        }
    }
}

struct Walk {
    unknown: Vec<String>,
    wrong: Option<String>,
    /// A custom kind is pruned here; its own schema judges the values later.
    lenient: bool,
}

impl Walk {
    fn refuse(&mut self, value: &Value, path: &str, wanted: &str) {
        if self.lenient {
            return;
        }
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        self.wrong.get_or_insert_with(|| {
            format!("json: cannot unmarshal {found} into Go struct field {path} of type {wanted}")
        });
    }

    fn value(&mut self, ty: &Type, value: &mut Value, path: &str) {
        let fits = match ty {
            Type::Any => true,
            Type::String => value.is_string(),
            Type::Integer => {
                // 3.0 is an integer to JSON.
                if value.as_i64().is_none()
                    && let Some(whole) = value
                        .as_f64()
                        .filter(|n| n.fract() == 0.0 && n.abs() < 9e15)
                {
                    #[expect(
                        clippy::cast_possible_truncation,
                        reason = "checked to be whole and small"
                    )]
                    let whole = whole as i64;
                    *value = whole.into();
                }
                value.is_i64() || value.is_u64()
            }
            Type::Number => value.is_number(),
            Type::Boolean => value.is_boolean(),
            Type::IntOrString => value.is_string() || value.is_i64() || value.is_u64(),
            Type::Bytes => return self.bytes(value, path),
            Type::Time | Type::MicroTime => return self.time(value, path),
            Type::Quantity => return self.quantity(value, path),
            Type::Struct(name) => return self.fields(name, value, path),
            Type::AtomicList(item) | Type::Set(item) | Type::KeyedList(_, item) => {
                return self.items(item, value, path);
            }
            Type::Map(item) | Type::AtomicMap(item) => return self.map(item, value, path),
        };
        if !fits {
            let wanted = match ty {
                Type::Integer => "int32",
                Type::Number => "float64",
                Type::Boolean => "bool",
                Type::IntOrString => "intstr.IntOrString",
                _ => "string",
            };
            self.refuse(value, path, wanted);
        }
    }

    fn fields(&mut self, name: &str, value: &mut Value, path: &str) {
        let Some(known) = schema::get(name) else {
            return;
        };
        let Some(object) = value.as_object_mut() else {
            let of = name.split_once('.').map_or(name, |(_, rest)| rest);
            return self.refuse(value, path, of);
        };
        object.retain(|_, field| !field.is_null());
        let mut strangers = Vec::new();
        for (field, inner) in object.iter_mut() {
            let below = if path.is_empty() {
                field.clone()
            } else {
                format!("{path}.{field}")
            };
            match known.field(field) {
                Some(found) => self.value(&found.ty, inner, &below),
                None => {
                    strangers.push(field.clone());
                    self.unknown.push(below);
                }
            }
        }
        for stranger in strangers {
            object.shift_remove(&stranger);
        }
    }

    fn items(&mut self, item: &Type, value: &mut Value, path: &str) {
        let Some(list) = value.as_array_mut() else {
            return self.refuse(value, path, "[]");
        };
        for (at, inner) in list.iter_mut().enumerate() {
            self.value(item, inner, &format!("{path}[{at}]"));
        }
    }

    fn map(&mut self, item: &Type, value: &mut Value, path: &str) {
        let Some(object) = value.as_object_mut() else {
            return self.refuse(value, path, "map[string]string");
        };
        object.retain(|_, field| !field.is_null());
        for (key, inner) in object.iter_mut() {
            self.value(item, inner, &format!("{path}.{key}"));
        }
    }

    fn bytes(&mut self, value: &Value, path: &str) {
        use base64::Engine as _;
        let Some(text) = value.as_str() else {
            return self.refuse(value, path, "[]uint8");
        };
        let engine = base64::engine::general_purpose::STANDARD;
        if let Err(error) = engine.decode(text) {
            // The text may be a secret: only the place is told.
            let at = match error {
                base64::DecodeError::InvalidByte(at, _) => at,
                base64::DecodeError::InvalidLastSymbol(at, _) => at,
                _ => text.len(),
            };
            self.wrong
                .get_or_insert_with(|| format!("illegal base64 data at input byte {at}"));
        }
    }

    fn time(&mut self, value: &Value, path: &str) {
        let Some(text) = value.as_str() else {
            return self.refuse(value, path, "Time");
        };
        if text.parse::<jiff::Timestamp>().is_err() {
            self.wrong.get_or_insert_with(|| {
                format!("parsing time \"{text}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"{text}\" as \"2006\" ({path})")
            });
        }
    }

    fn quantity(&mut self, value: &mut Value, path: &str) {
        if value.is_number() {
            *value = value.to_string().into();
        }
        let Some(text) = value.as_str() else {
            return self.refuse(value, path, "resource.Quantity");
        };
        if !is_quantity(text) {
            self.wrong.get_or_insert_with(|| {
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'".to_owned()
            });
        }
    }
}

/// A number with an optional binary or decimal suffix or exponent.
fn is_quantity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let number_ok = number.parse::<f64>().is_ok();
    let exponent = suffix
        .strip_prefix(['e', 'E'])
        .is_some_and(|digits| digits.parse::<i32>().is_ok());
    number_ok
        && (exponent
            || matches!(
                suffix,
                "" | "n"
                    | "u"
                    | "m"
                    | "k"
                    | "M"
                    | "G"
                    | "T"
                    | "P"
                    | "E"
                    | "Ki"
                    | "Mi"
                    | "Gi"
                    | "Ti"
                    | "Pi"
                    | "Ei"
            ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::kinds::by_kind;
    use serde_json::json;

    #[test]
    fn unknown_fields_are_named_and_dropped() {
        let kind = by_kind("apps", "Deployment").expect("served");
        let mut object = json!({"metadata": {"name": "a"}, "spec": {"replica": 1, "template": {"spec": {"containers": [{"name": "a", "imag": "x"}]}}}});
        let unknown = conform(kind, &mut object).expect("decodes");
        assert_eq!(
            unknown,
            ["spec.replica", "spec.template.spec.containers[0].imag"]
        );
        assert!(object["spec"].get("replica").is_none());
        assert_eq!(
            FieldValidation::Strict
                .judge(kind, unknown)
                .expect_err("refused")
                .code,
            400
        );
    }

    #[test]
    fn wrong_types_are_refused() {
        let kind = by_kind("apps", "Deployment").expect("served");
        for bad in [
            json!({"spec": {"replicas": "two"}}),
            json!({"spec": []}),
            json!({"metadata": {"labels": {"a": 1}}}),
        ] {
            let mut object = bad.clone();
            assert_eq!(
                conform(kind, &mut object).expect_err("refused").code,
                400,
                "{bad}"
            );
        }
        let secret = by_kind("", "Secret").expect("served");
        let error = conform(secret, &mut json!({"data": {"a": "hunter2!"}})).expect_err("refused");
        assert!(!error.message.contains("hunter2"));
    }

    #[test]
    fn quantities_are_numbers_with_suffixes() {
        for good in ["1", "100m", "1.5Gi", "1e3", "0.5", "2E", "-1"] {
            assert!(is_quantity(good), "{good}");
        }
        for bad in ["", "1GB", "Mi", "1 Gi", "one"] {
            assert!(!is_quantity(bad), "{bad}");
        }
    }
}
