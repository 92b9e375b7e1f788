//! Who owns which field.

use std::sync::Arc;

use serde_json::Value;

use super::kinds::Kind;
use super::objects::WriteContext;

/// The fields an apply named.
#[derive(Clone, Debug, Default)]
pub struct AppliedSet;

/// Records the write in `metadata.managedFields`.
pub fn track(
    _kind: &Kind,
    _object: &mut Value,
    _existing: Option<&Arc<Value>>,
    _ctx: &WriteContext,
    _subresource: Option<&str>,
    _applied: Option<AppliedSet>,
) {
}
