//! ConfigMaps and Secrets: keys, sizes and immutability.

use serde_json::Value;

use super::super::names;
use super::super::status::FieldError;
use super::text;

const LIMIT: usize = 1024 * 1024;

pub fn check(object: &Value, existing: Option<&Value>, errors: &mut Vec<FieldError>) {
    let mut size = 0;
    for field in ["data", "binaryData"] {
        for (key, value) in object[field].as_object().into_iter().flatten() {
            // Base64 takes four characters for three bytes.
            let length = text(value).len();
            size += if field == "data" && object["kind"] == "ConfigMap" {
                length
            } else {
                length / 4 * 3
            };
            if !names::is_config_key(key) {
                errors.push(FieldError::invalid(
                    format!("{field}[{key}]"),
                    &key.as_str().into(),
                    names::CONFIG_KEY_RULE,
                ));
            }
            if field == "binaryData" && object["data"].get(key).is_some() {
                errors.push(FieldError::invalid(
                    format!("data[{key}]"),
                    &key.as_str().into(),
                    "duplicate of key present in binaryData",
                ));
            }
        }
    }
    if size > LIMIT {
        errors.push(FieldError::too_long(
            if object["kind"] == "Secret" {
                "data"
            } else {
                ""
            },
            LIMIT,
        ));
    }
    let Some(existing) = existing else { return };
    if existing["immutable"] == true {
        for field in ["data", "binaryData"] {
            if existing[field] != object[field] {
                errors.push(FieldError::forbidden(
                    field,
                    "field is immutable when `immutable` is set",
                ));
            }
        }
        if object["immutable"] != true {
            errors.push(FieldError::forbidden(
                "immutable",
                "field is immutable when `immutable` is set",
            ));
        }
    }
    if object["kind"] == "Secret" && existing["type"] != object["type"] {
        errors.push(FieldError::invalid(
            "type",
            &object["type"],
            "field is immutable",
        ));
    }
}
