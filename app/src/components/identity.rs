//! What makes a row of a list the same row.

use serde::Serialize;

/// All of its content: a row that changed in any way is drawn anew.
pub fn content<T: Serialize>(row: &T) -> String {
    serde_json::to_string(row).unwrap_or_default()
}
