//! The last stop before storage: defaults are filled in, addresses are handed out and the result
//! is validated.

mod limits;
mod quotas;

use std::sync::Arc;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::api::kinds::{self, Kind};
use crate::api::status::StatusError;
use crate::api::store::Transaction;
use crate::api::{custom, defaults, service_network, validate};

/// Fills in what the API server fills in.
pub fn prepare(
    txn: &Transaction<'_>,
    kind: &Kind,
    object: &mut Value,
    existing: Option<&Arc<Value>>,
) -> Result<(), StatusError> {
    if kind.kind == "Secret" {
        fold_string_data(object);
    }
    if kind.kind == "PersistentVolumeClaim" && existing.is_none() {
        default_storage_class(txn, object);
    }
    defaults::apply(kind, object);
    if let Some(custom) = kind.custom {
        custom::default(&custom.schema, object);
    }
    if kind.kind == "Pod" && existing.is_none() {
        limits::fill_in(txn, object);
    }
    if kind.group.is_empty() && kind.kind == "Service" {
        let existing = existing.map(|e| &**e);
        // A service that is refused anyway takes no address.
        validate::check(kind, object, existing)?;
        service_network::allocate(txn, kind, object, existing)?;
    }
    Ok(())
}

/// Refuses what the API server refuses.
pub fn check(
    txn: &Transaction<'_>,
    kind: &Kind,
    object: &Value,
    existing: Option<&Arc<Value>>,
) -> Result<(), StatusError> {
    validate::check(kind, object, existing.map(|e| &**e))?;
    if existing.is_none() {
        account_exists(txn, kind, object)?;
        limits::check(txn, kind, object)?;
        quotas::check(txn, kind, object)?;
    }
    Ok(())
}

/// A pod runs as an account that exists. The default one comes with the namespace, a moment after.
fn account_exists(txn: &Transaction<'_>, kind: &Kind, object: &Value) -> Result<(), StatusError> {
    if (kind.group, kind.kind) != ("", "Pod") {
        return Ok(());
    }
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let account = text(&object["spec"]["serviceAccountName"]);
    let namespace = text(&object["metadata"]["namespace"]);
    let found = kinds::by_kind("", "ServiceAccount")
        .is_none_or(|kind| txn.get(kind, &namespace, &account).is_some());
    if account.is_empty() || account == "default" || found {
        return Ok(());
    }
    Err(StatusError::forbidden(
        &kind.resource(),
        &text(&object["metadata"]["name"]),
        &format!(
            "error looking up service account {namespace}/{account}: serviceaccount \"{account}\" not found"
        ),
    ))
}

/// A claim that names no class gets the default one.
fn default_storage_class(txn: &Transaction<'_>, claim: &mut Value) {
    let Some(kind) = kinds::by_kind("storage.k8s.io", "StorageClass") else {
        return;
    };
    if !claim["spec"]["storageClassName"].is_null() {
        return;
    }
    let default = txn.list(kind, None).into_iter().find(|class| {
        class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    });
    if let Some(class) = default
        && let Some(spec) = claim["spec"].as_object_mut()
    {
        spec.insert("storageClassName".into(), class["metadata"]["name"].clone());
    }
}

/// `stringData` is a way of writing: what is kept is `data`.
fn fold_string_data(secret: &mut Value) {
    let Some(fields) = secret.as_object_mut() else {
        return;
    };
    let Some(Value::Object(plain)) = fields.shift_remove("stringData") else {
        return;
    };
    if plain.is_empty() {
        return;
    }
    let data = fields.entry("data").or_insert_with(|| json!({}));
    if let Some(data) = data.as_object_mut() {
        for (key, value) in plain {
            let text = value.as_str().unwrap_or("");
            let encoded = base64::engine::general_purpose::STANDARD.encode(text);
            data.insert(key, encoded.into());
        }
    }
}
