//! Release records: one Secret for each revision, `sh.helm.release.v1.NAME.vREVISION`, the same in
//! helm 3 and 4. Its data is base64 of gzipped JSON, under the base64 that every Secret has.
//! Records hold values and rendered Secrets: nothing here prints them.

use std::fmt;
use std::io::Read;

use app::model::{ReleaseStatus, UnixMillis};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Secret;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The type of these Secrets.
pub const SECRET_TYPE: &str = "helm.sh/release.v1";
/// A Secret holds at most 1 MiB; text packs well, but a record beyond this is a bomb.
const MOST_UNPACKED: u64 = 64 * 1024 * 1024;

/// A label selector for all revisions of a release.
pub fn selector(release: &str) -> String {
    format!("owner=helm,name={release}")
}

/// The name of a revision's Secret.
pub fn secret_name(release: &str, revision: u32) -> String {
    format!("sh.helm.release.v1.{release}.v{revision}")
}

/// One revision of a release.
#[derive(Clone, Deserialize)]
pub struct Record {
    pub name: String,
    #[serde(default)]
    pub namespace: String,
    /// The revision.
    #[serde(default)]
    pub version: u32,
    #[serde(default)]
    pub info: Info,
    #[serde(default)]
    pub chart: Chart,
    /// What was given beyond the chart's own values.
    #[serde(default)]
    pub config: Value,
    /// Without the hooks.
    #[serde(default)]
    pub manifest: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub hooks: Vec<Hook>,
    /// helm 4: `ssa` or `csa`; empty in records of helm 3, which always applies from the client.
    #[serde(default)]
    pub apply_method: String,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("status", &self.info.status)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Default, Deserialize)]
pub struct Info {
    #[serde(default)]
    pub first_deployed: String,
    /// Empty and absent both mean none.
    #[serde(default)]
    pub last_deployed: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub notes: String,
}

#[derive(Clone, Default, Deserialize)]
pub struct Chart {
    #[serde(default, deserialize_with = "null_as_default")]
    pub metadata: ChartMetadata,
    /// The chart's own values.
    #[serde(default)]
    pub values: Value,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartMetadata {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub version: String,
    #[serde(default)]
    pub app_version: String,
}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Info")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chart")
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

/// An object that is made at a moment of the release's life and is not part of it.
#[derive(Clone, Deserialize)]
pub struct Hook {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub kind: String,
    /// The template it came from.
    #[serde(default)]
    pub path: String,
    #[serde(default)]
    pub manifest: String,
    /// `pre-install`, `test`, …
    #[serde(default, deserialize_with = "null_as_default")]
    pub events: Vec<String>,
    #[serde(default)]
    pub weight: i64,
    #[serde(default)]
    pub last_run: LastRun,
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook")
            .field("kind", &self.kind)
            .field("name", &self.name)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct LastRun {
    #[serde(default)]
    pub phase: String,
    #[serde(default)]
    pub started_at: String,
    #[serde(default)]
    pub completed_at: String,
}

/// `null` where a list or an object should be, as Go writes nil.
pub fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

impl Record {
    pub fn status(&self) -> ReleaseStatus {
        status(&self.info.status)
    }

    pub fn updated(&self) -> Option<UnixMillis> {
        time(&self.info.last_deployed)
    }
}

/// A status as helm spells it; any other text is unknown.
pub fn status(text: &str) -> ReleaseStatus {
    match text {
        "deployed" => ReleaseStatus::Deployed,
        "uninstalled" => ReleaseStatus::Uninstalled,
        "superseded" => ReleaseStatus::Superseded,
        "failed" => ReleaseStatus::Failed,
        "uninstalling" => ReleaseStatus::Uninstalling,
        "pending-install" => ReleaseStatus::PendingInstall,
        "pending-upgrade" => ReleaseStatus::PendingUpgrade,
        "pending-rollback" => ReleaseStatus::PendingRollback,
        _ => ReleaseStatus::Unknown,
    }
}

/// RFC 3339 with any zone; helm 3 writes `""` for never, and Go's zero time means never too.
pub fn time(text: &str) -> Option<UnixMillis> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(UnixMillis(at.as_millisecond())).filter(|at| at.0 > 0)
}

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("the Secret has no key `release`")]
    NoData,
    #[error("its data is not base64")]
    Base64,
    #[error("its data cannot be unpacked: {0}")]
    Gzip(std::io::Error),
    #[error("unpacked it is larger than {} MiB", MOST_UNPACKED / 1024 / 1024)]
    TooLarge,
    /// Without the parser's words: they may quote a value.
    #[error("it is not the JSON of a release (line {line}, column {column})")]
    Json { line: usize, column: usize },
}

/// Reads the record in a release's Secret.
pub fn decode(secret: &Secret) -> Result<Record, RecordError> {
    let data = secret
        .data
        .as_ref()
        .and_then(|data| data.get("release"))
        .ok_or(RecordError::NoData)?;
    decode_bytes(&data.0)
}

/// The Secret's bytes, with its own base64 already undone.
fn decode_bytes(bytes: &[u8]) -> Result<Record, RecordError> {
    let packed = STANDARD
        .decode(bytes.trim_ascii())
        .map_err(|_| RecordError::Base64)?;
    let json = if packed.starts_with(&[0x1f, 0x8b, 0x08]) {
        let mut json = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice())
            .take(MOST_UNPACKED + 1)
            .read_to_end(&mut json)
            .map_err(RecordError::Gzip)?;
        if json.len() as u64 > MOST_UNPACKED {
            return Err(RecordError::TooLarge);
        }
        json
    } else {
        // Very old releases were not packed.
        packed
    };
    serde_json::from_slice(&json).map_err(|error| RecordError::Json {
        line: error.line(),
        column: error.column(),
    })
}

/// What a revision's Secret says in its labels alone: enough for a list, without unpacking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    pub revision: u32,
    pub status: ReleaseStatus,
}

/// None when it is not a revision's Secret.
pub fn label(secret: &Secret) -> Option<Label> {
    let labels = secret.metadata.labels.as_ref()?;
    Some(Label {
        revision: labels.get("version")?.parse().ok()?,
        status: status(labels.get("status")?),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use k8s_openapi::ByteString;
    use proptest::prelude::*;

    use super::*;

    fn packed(json: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(json).expect("packed");
        STANDARD
            .encode(encoder.finish().expect("packed"))
            .into_bytes()
    }

    fn secret(bytes: Vec<u8>) -> Secret {
        Secret {
            data: Some([("release".to_owned(), ByteString(bytes))].into()),
            ..Secret::default()
        }
    }

    #[test]
    fn a_record_of_either_major_is_read_with_its_empty_times() {
        // helm 3 writes "" and null, helm 4 leaves out.
        let three = br#"{"name":"web","namespace":"n","version":2,"info":{"first_deployed":"2026-08-20T10:11:12.345678901Z","last_deployed":"2026-08-20T12:15:00.1+02:00","deleted":"","description":"Upgrade complete","status":"deployed"},"chart":{"metadata":{"name":"web","version":"0.1.1","appVersion":"1.0"},"lock":null,"values":{"a":1},"templates":[{"name":"t","data":"e30="}]},"config":{"replicas":2},"manifest":"---\na: 1\n","hooks":[{"name":"m","kind":"Job","path":"p","manifest":"x","events":["pre-install"],"last_run":{"started_at":"","completed_at":"","phase":""},"weight":-5}]}"#;
        let record = decode(&secret(packed(three))).expect("a record");
        assert_eq!(
            (record.version, record.status()),
            (2, ReleaseStatus::Deployed)
        );
        assert_eq!(record.updated(), Some(UnixMillis(1_787_220_900_100)));
        assert_eq!(record.hooks[0].weight, -5);
        let four = br#"{"name":"web","version":1,"info":{"last_deployed":"","status":"pending-install"},"chart":{"metadata":{"name":"web"}},"hooks":null,"apply_method":"ssa"}"#;
        let record = decode(&secret(packed(four))).expect("a record");
        assert_eq!(
            (record.updated(), record.status()),
            (None, ReleaseStatus::PendingInstall)
        );
        assert_eq!(time("0001-01-01T00:00:00Z"), None);
        let plain = STANDARD.encode(four).into_bytes();
        assert!(decode(&secret(plain)).is_ok());
        assert_eq!(status("melting"), ReleaseStatus::Unknown);
    }

    #[test]
    fn a_bomb_and_a_broken_record_are_errors_that_quote_nothing() {
        let bomb = packed(&vec![
            b' ';
            usize::try_from(MOST_UNPACKED).expect("fits") + 10
        ]);
        assert!(matches!(decode(&secret(bomb)), Err(RecordError::TooLarge)));
        assert!(matches!(
            decode(&Secret::default()),
            Err(RecordError::NoData)
        ));
        let broken = decode(&secret(packed(br#"{"name": hunter2}"#))).expect_err("broken");
        assert!(!broken.to_string().contains("hunter2"));
        let record =
            decode(&secret(packed(br#"{"name":"web","manifest":"hunter2"}"#))).expect("reads");
        assert!(!format!("{record:?}").contains("hunter2"));
    }

    #[test]
    fn the_labels_are_enough_for_a_list() {
        let mut secret = Secret::default();
        assert_eq!(label(&secret), None);
        secret.metadata.labels = Some(
            [("version", "12"), ("status", "pending-upgrade")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        );
        assert_eq!(
            label(&secret),
            Some(Label {
                revision: 12,
                status: ReleaseStatus::PendingUpgrade
            })
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_bytes(&bytes);
            let _ = decode_bytes(&packed(&bytes));
        }
    }
}
