//! Names with a rule: parsed at the border, trusted inside.
//! The rules are Kubernetes' own (RFC 1123 labels) or the environment-variable grammar.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not the name it should be; reads after "the component name ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what}: {rule}")]
pub struct InvalidName {
    pub text: String,
    pub what: &'static str,
    pub rule: &'static str,
}

const DNS_LABEL_RULE: &str =
    "use 1 to 63 lower-case letters, digits or `-`, starting and ending with a letter or digit";

fn is_dns_label(text: &str) -> bool {
    let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && edge(bytes[0])
        && edge(bytes[bytes.len() - 1])
        && bytes.iter().all(|&b| edge(b) || b == b'-')
}

fn is_env_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    !bytes.is_empty()
        && bytes.len() <= 253
        && !bytes[0].is_ascii_digit()
        && bytes
            .iter()
            .all(|&b| b.is_ascii_alphanumeric() || b == b'_')
}

fn is_context(text: &str) -> bool {
    !text.is_empty() && text.len() <= 1024 && !text.chars().any(char::is_control)
}

/// Narrow on purpose: both become arguments of a program.
fn is_profile(text: &str) -> bool {
    let bytes = text.as_bytes();
    (2..=63).contains(&bytes.len())
        && bytes[0].is_ascii_alphanumeric()
        && bytes
            .iter()
            .all(|&b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn is_kubernetes_version(text: &str) -> bool {
    let numbers = text.strip_prefix('v').unwrap_or(text).split('.');
    matches!(numbers.clone().count(), 2 | 3)
        && numbers.into_iter().all(|number| {
            (1..=3).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
        })
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:ident, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                if $check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidName { text: text.to_owned(), what: $what, rule: $rule })
                }
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(/** A component of the project; also its Deployment's and Service's name. */
    ComponentName, "component name", is_dns_label, DNS_LABEL_RULE);
name!(/** A Kubernetes namespace. */
    Namespace, "namespace", is_dns_label, DNS_LABEL_RULE);
name!(/** A minikube profile; also its kubeconfig context's name. */
    ProfileName, "profile name", is_profile,
    "use 2 to 63 letters, digits, `-`, `_` or `.`, starting with a letter or digit");
name!(/** A Kubernetes version as minikube takes it: `v1.35.1` or `1.35`. */
    KubernetesVersion, "Kubernetes version", is_kubernetes_version, "write it like v1.35.1");
name!(/** A kubeconfig context. Kubernetes itself allows almost any text here. */
    ContextName, "context name", is_context, "use 1 to 1024 characters without control characters");
name!(/** A key of the project's Secret; also the environment variable's name. */
    SecretKey, "secret key", is_env_name, "use letters, digits and `_`, not starting with a digit");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_breaks_the_rule_is_refused_with_the_rule() {
        for bad in ["", "Backend", "-a", "a-", "a_b", &"x".repeat(64)] {
            assert!(
                bad.parse::<ComponentName>().is_err(),
                "{bad:?} must be refused"
            );
        }
        assert_eq!(
            "backend-2".parse::<ComponentName>().map(String::from),
            Ok("backend-2".to_owned())
        );
        let err = "1KEY"
            .parse::<SecretKey>()
            .expect_err("starts with a digit");
        assert!(err.to_string().contains("not starting with a digit"));
    }

    #[test]
    fn nothing_that_looks_like_an_option_is_a_profile_or_a_version() {
        for bad in ["", "a", "-p", "--all", "a b", "a\n", "ä1"] {
            assert!(bad.parse::<ProfileName>().is_err(), "{bad:?}");
        }
        assert!("my_old.profile".parse::<ProfileName>().is_ok());
        for bad in ["", "v", "1", "latest", "-1.2", "v1.2.3.4", "v1..2", "1.x"] {
            assert!(bad.parse::<KubernetesVersion>().is_err(), "{bad:?}");
        }
        assert!("v1.35.1".parse::<KubernetesVersion>().is_ok());
        assert!("1.35".parse::<KubernetesVersion>().is_ok());
    }

    #[test]
    fn serde_goes_through_the_same_rule() {
        assert!(serde_json::from_str::<Namespace>("\"Todo\"").is_err());
        assert!(serde_json::from_str::<Namespace>("\"todo\"").is_ok());
    }
}
