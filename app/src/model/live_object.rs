//! An object of the cluster in full, and the key by which one is asked for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::UnixMillis;

macro_rules! kinds {
    ($($kind:ident),+ $(,)?) => {
        /// The kinds that can be looked at: what a project's workloads are made of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ObjectKind { $($kind),+ }

        impl ObjectKind {
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// As Kubernetes calls it.
            pub fn word(self) -> &'static str {
                match self { $(Self::$kind => stringify!($kind)),+ }
            }
        }
    };
}

kinds!(
    Pod,
    Deployment,
    ReplicaSet,
    StatefulSet,
    DaemonSet,
    Job,
    CronJob,
    Service,
    EndpointSlice,
    Ingress,
    ConfigMap,
    Secret,
    PersistentVolumeClaim,
    ServiceAccount,
    NetworkPolicy,
    HorizontalPodAutoscaler,
    PodDisruptionBudget,
);

/// Which object of the project's namespace; written `Deployment/backend`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey {
    kind: ObjectKind,
    name: String,
}

impl ObjectKey {
    /// None when the name is none that Kubernetes takes.
    pub fn new(kind: ObjectKind, name: impl Into<String>) -> Option<Self> {
        let name = name.into();
        is_name(&name).then_some(Self { kind, name })
    }

    pub fn kind(&self) -> ObjectKind {
        self.kind
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A DNS subdomain: it becomes a part of a path.
fn is_name(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    (1..=253).contains(&bytes.len())
        && inner(bytes[0])
        && inner(bytes[bytes.len() - 1])
        && bytes.iter().all(|&b| inner(b) || b == b'-' || b == b'.')
}

/// Why a text is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no object: write its kind and its name, as in Deployment/backend")]
pub struct NoObjectKey(String);

impl FromStr for ObjectKey {
    type Err = NoObjectKey;

    fn from_str(text: &str) -> Result<Self, NoObjectKey> {
        let parsed = text.split_once('/').and_then(|(kind, name)| {
            let kind = ObjectKind::ALL.iter().find(|known| known.word() == kind)?;
            Self::new(*kind, name)
        });
        parsed.ok_or_else(|| NoObjectKey(text.to_owned()))
    }
}

impl TryFrom<String> for ObjectKey {
    type Error = NoObjectKey;

    fn try_from(text: String) -> Result<Self, NoObjectKey> {
        text.parse()
    }
}

impl From<ObjectKey> for String {
    fn from(key: ObjectKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.word(), self.name)
    }
}

/// An object as the cluster had it at a moment. No secret value is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveObject {
    pub key: ObjectKey,
    pub yaml: String,
    /// How many values are hidden in it.
    pub hidden: u32,
    /// Lines beyond what is shown of a very long one.
    pub more_lines: u32,
    pub read: UnixMillis,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_kind_and_a_name_and_nothing_that_leads_elsewhere() {
        let key: ObjectKey = "Deployment/backend".parse().expect("a key");
        assert_eq!(
            (key.kind(), key.name()),
            (ObjectKind::Deployment, "backend")
        );
        assert_eq!(key.to_string(), "Deployment/backend");
        for kind in ObjectKind::ALL {
            let text = format!("{}/kube-root-ca.crt", kind.word());
            assert_eq!(text.parse::<ObjectKey>().expect("a key").to_string(), text);
        }
        for wrong in [
            "",
            "Deployment",
            "Deployment/",
            "deployment/backend",
            "Node/n",
            "Pod/../secrets",
            "Pod/a/log",
            "Pod/a?x",
            "Pod/A",
            "Pod/-a",
        ] {
            assert!(wrong.parse::<ObjectKey>().is_err(), "{wrong}");
        }
    }
}
