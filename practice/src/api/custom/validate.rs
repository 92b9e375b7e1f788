//! Values against a structural schema: defaults, types, bounds. Rules in CEL are not evaluated.

use regex::Regex;
use serde_json::Value;

use crate::api::status::FieldError;

/// Fills in the schema's defaults, from the outside in.
pub fn default(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
                // Null is a value where it is allowed, and as good as nothing elsewhere.
                let missing = match fields.get(name) {
                    None => true,
                    Some(value) => value.is_null() && inner["nullable"] != true,
                };
                if !inner["default"].is_null() && missing {
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
        errors.push(FieldError::wrong_type(
            path,
            &found.into(),
            &format!("{path} in body must be of type {wanted}: \"{found}\""),
        ));
        return;
    }
    let mut wrong = |detail: String| {
        errors.push(FieldError::invalid(
            path,
            value,
            &format!("{path} in body {detail}"),
        ));
    };
    if let (Some(number), true) = (value.as_f64(), value.is_number()) {
        bounds(schema, number, &mut wrong);
    }
    if let Some(text) = value.as_str() {
        text_rules(schema, text, &mut wrong);
    }
    let limit = |name: &str| schema[name].as_u64().and_then(|n| usize::try_from(n).ok());
    let counted = value
        .as_array()
        .map(|items| (items.len(), "Items", "items"));
    let counted = counted.or(value
        .as_object()
        .map(|fields| (fields.len(), "Properties", "properties")));
    if let Some((length, word, what)) = counted {
        if let Some(least) = limit(&format!("min{word}")).filter(|least| length < *least) {
            wrong(format!("should have at least {least} {what}"));
        }
        if let Some(most) = limit(&format!("max{word}")).filter(|most| length > *most) {
            errors.push(FieldError::too_many(path, length, most));
        }
    }
    if let Some(most) = limit("maxLength")
        && value
            .as_str()
            .is_some_and(|text| text.chars().count() > most)
    {
        errors.push(FieldError::too_long(path, most));
    }
    combined(schema, value, path, errors);
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
    if let Some(pattern) = schema["pattern"].as_str()
        // A pattern this library cannot read refuses nothing.
        && let Ok(rule) = Regex::new(pattern)
        && !rule.is_match(text)
    {
        wrong(format!("should match '{pattern}'"));
    }
}

/// Schemas about schemas. They only ever judge; what is inside them defines no fields.
fn combined(schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let holds = |inner: &Value| {
        let mut wrong = Vec::new();
        validate(inner, value, path, &mut wrong);
        wrong.is_empty()
    };
    let of = |name: &str| {
        schema[name].as_array().map(|all| {
            let right = all.iter().filter(|inner| holds(inner)).count();
            (right, all.len())
        })
    };
    let mut wrong = |detail: &str| {
        errors.push(FieldError::invalid(
            path,
            value,
            &format!("{path} in body {detail}"),
        ));
    };
    if of("allOf").is_some_and(|(right, all)| right < all) {
        wrong("must validate all the schemas (allOf)");
    }
    if of("anyOf").is_some_and(|(right, _)| right == 0) {
        wrong("must validate at least one schema (anyOf)");
    }
    match of("oneOf") {
        Some((0, _)) => wrong("must validate one and only one schema (oneOf). Found none valid"),
        Some((right, _)) if right > 1 => wrong(&format!(
            "must validate one and only one schema (oneOf). Found {right} valid alternatives"
        )),
        _ => {}
    }
    if schema["not"].is_object() && holds(&schema["not"]) {
        wrong("must not validate the schema (not)");
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

    #[test]
    fn one_of_several_schemas_has_to_hold() {
        let schema = json!({
            "type": "object",
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
            "not": {"required": ["c"]},
            "properties": {"a": {"type": "integer"}, "b": {"type": "array", "maxItems": 1}}
        });
        let wrong = |value: Value| {
            let mut errors = Vec::new();
            validate(&schema, &value, "spec", &mut errors);
            errors.len()
        };
        assert_eq!(wrong(json!({"a": 1})), 0);
        assert_eq!(wrong(json!({})), 1);
        assert_eq!(wrong(json!({"a": 1, "b": []})), 1);
        assert_eq!(wrong(json!({"a": 1, "c": 2})), 1);
        assert_eq!(wrong(json!({"b": [1, 2]})), 1);
    }
}
