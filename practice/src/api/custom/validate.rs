//! Values against a structural schema: defaults, types, bounds. Rules in CEL are not evaluated.

use regex::Regex;
use serde_json::Value;

use crate::api::status::FieldError;

/// Fills in the schema's defaults, from the outside in.
pub fn default(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
                if !inner["default"].is_null() && fields.get(name).is_none_or(Value::is_null) {
                    fields.insert(name.clone(), inner["default"].clone());
                }
                if let Some(field) = fields.get_mut(name) {
                    default(inner, field);
                }
            }
            let others = &schema["additionalProperties"];
            if others.is_object() {
                fields.values_mut().for_each(|field| default(others, field));
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| default(&schema["items"], item)),
        _ => {}
    }
}

/// What is wrong with a value, in the API server's words.
pub fn validate(schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    if !fits(schema, value) {
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let wanted = schema["type"].as_str().unwrap_or("integer,string");
        errors.push(FieldError::invalid(
            path,
            &found.into(),
            &format!("{path} in body must be of type {wanted}: \"{found}\""),
        ));
        return;
    }
    let mut wrong = |detail: String| {
        errors.push(FieldError::invalid(path, value, &format!("{path} in body {detail}")));
    };
    if let (Some(number), true) = (value.as_f64(), value.is_number()) {
        bounds(schema, number, &mut wrong);
    }
    if let Some(text) = value.as_str() {
        text_rules(schema, text, &mut wrong);
    }
    if let Some(items) = value.as_array() {
        count(schema, items.len(), ["minItems", "maxItems"], "items", &mut wrong);
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        let words: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        errors.push(FieldError::not_supported(path, value, &words));
    }
    let below = |name: &str| match path {
        "" | "<nil>" => name.to_owned(),
        _ => format!("{path}.{name}"),
    };
    if let Some(fields) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap_or("");
            if !fields.contains_key(name) {
                errors.push(FieldError::required(below(name), ""));
            }
        }
        for (name, field) in fields {
            let inner = &schema["properties"][name];
            if inner.is_object() {
                validate(inner, field, &below(name), errors);
            } else if schema["additionalProperties"].is_object() {
                validate(&schema["additionalProperties"], field, &below(name), errors);
            }
        }
    }
    if schema["items"].is_object() {
        for (at, item) in value.as_array().into_iter().flatten().enumerate() {
            validate(&schema["items"], item, &format!("{path}[{at}]"), errors);
        }
    }
}

fn fits(schema: &Value, value: &Value) -> bool {
    if schema["x-kubernetes-int-or-string"] == true {
        return value.is_string() || value.is_i64() || value.is_u64();
    }
    match schema["type"].as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => true,
    }
}

fn bounds(schema: &Value, number: f64, wrong: &mut impl FnMut(String)) {
    if let Some(least) = schema["minimum"].as_f64() {
        if schema["exclusiveMinimum"] == true && number <= least {
            wrong(format!("should be greater than {least}"));
        } else if number < least {
            wrong(format!("should be greater than or equal to {least}"));
        }
    }
    if let Some(most) = schema["maximum"].as_f64() {
        if schema["exclusiveMaximum"] == true && number >= most {
            wrong(format!("should be less than {most}"));
        } else if number > most {
            wrong(format!("should be less than or equal to {most}"));
        }
    }
}

fn text_rules(schema: &Value, text: &str, wrong: &mut impl FnMut(String)) {
    let length = text.chars().count();
    let limit = |name: &str| schema[name].as_u64().and_then(|n| usize::try_from(n).ok());
    if let Some(least) = limit("minLength").filter(|least| length < *least) {
        wrong(format!("should be at least {least} chars long"));
    }
    if let Some(most) = limit("maxLength").filter(|most| length > *most) {
        wrong(format!("should be at most {most} chars long"));
    }
    if let Some(pattern) = schema["pattern"].as_str()
        // A pattern this library cannot read refuses nothing.
        && let Ok(rule) = Regex::new(pattern)
        && !rule.is_match(text)
    {
        wrong(format!("should match '{pattern}'"));
    }
}

fn count(
    schema: &Value,
    length: usize,
    [least, most]: [&str; 2],
    what: &str,
    wrong: &mut impl FnMut(String),
) {
    let limit = |name: &str| schema[name].as_u64().and_then(|n| usize::try_from(n).ok());
    if let Some(least) = limit(least).filter(|least| length < *least) {
        wrong(format!("should have at least {least} {what}"));
    }
    if let Some(most) = limit(most).filter(|most| length > *most) {
        wrong(format!("should have at most {most} {what}"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_and_bounds_follow_the_schema() {
        let schema = json!({"type": "object", "properties": {"spec": {
            "type": "object", "required": ["size"], "default": {},
            "properties": {
                "size": {"type": "integer", "minimum": 1},
                "tier": {"type": "string", "default": "small", "enum": ["small", "large"]}
            }
        }}});
        let mut object = json!({"spec": {"size": 0}});
        default(&schema, &mut object);
        assert_eq!(object["spec"]["tier"], "small");
        let mut errors = Vec::new();
        validate(&schema, &object, "", &mut errors);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].field, "spec.size");
        let mut errors = Vec::new();
        validate(&schema, &json!({"spec": {"tier": "x"}}), "", &mut errors);
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["spec.size", "spec.tier"]);
    }
}
