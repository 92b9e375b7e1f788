//! helm 3 and 4: its arguments by major version, its outputs, its failures and its release records.
//! Facts from the sources of 3.21.4 and 4.2.4, tested against 3.17.2 and 4.1.4.

pub mod commands;
pub mod failure;
pub mod output;
pub mod record;
pub mod schema_errors;
mod version;

pub use commands::{Helm, Place, ReleaseName, UpgradeWish};
pub use failure::HelmFailure;
pub use version::{HelmVersion, parse_version, program, version};
