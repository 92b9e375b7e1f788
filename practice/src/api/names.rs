//! What names, label keys and values may look like, with the API server's own words for it.

/// The complaint about something that is no RFC 1123 subdomain.
pub const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
/// The complaint about something that is no RFC 1123 label.
pub const LABEL_RULE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
/// The complaint about something that is no RFC 1035 label.
pub const DNS1035_RULE: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
/// The complaint about a label value.
pub const LABEL_VALUE_RULE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
/// The complaint about the name part of a label or annotation key.
pub const QUALIFIED_NAME_RULE: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
/// The complaint about a ConfigMap or Secret key.
pub const CONFIG_KEY_RULE: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/// Which rule an object's name follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRule {
    Subdomain,
    Label,
    Dns1035,
    /// RBAC names: anything that is one path segment.
    PathSegment,
}

impl NameRule {
    /// The rule of a kind's names.
    pub fn of(group: &str, kind: &str) -> Self {
        match (group, kind) {
            ("", "Namespace") => Self::Label,
            ("", "Service") => Self::Dns1035,
            ("rbac.authorization.k8s.io", _) => Self::PathSegment,
            _ => Self::Subdomain,
        }
    }

    /// What is wrong with a name, if anything.
    pub fn problem(self, name: &str) -> Option<String> {
        let (max, ok, rule) = match self {
            Self::Subdomain => (253, is_subdomain(name), SUBDOMAIN_RULE),
            Self::Label => (63, is_dns_label(name), LABEL_RULE),
            Self::Dns1035 => (
                63,
                is_dns_label(name) && name.starts_with(|c: char| c.is_ascii_lowercase()),
                DNS1035_RULE,
            ),
            Self::PathSegment => {
                let bad = match name {
                    "." => Some("may not be '.'"),
                    ".." => Some("may not be '..'"),
                    name if name.contains('/') => Some("may not contain '/'"),
                    name if name.contains('%') => Some("may not contain '%'"),
                    _ => None,
                };
                return bad.map(str::to_owned);
            }
        };
        if name.len() > max {
            return Some(format!("must be no more than {max} characters"));
        }
        (!ok).then(|| rule.to_owned())
    }
}

/// RFC 1123 label, at most 63 characters.
pub fn is_dns_label(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.len() <= 63
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && edge(text.chars().next())
        && edge(text.chars().last())
}

/// RFC 1123 subdomain, at most 253 characters.
pub fn is_subdomain(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|part| {
            // Only the whole has a length limit in the API server's rule.
            let edge =
                |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
            part.chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                && edge(part.chars().next())
                && edge(part.chars().last())
        })
}

/// The value of a label.
pub fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_name_part(text)
}

/// A label or annotation key: an optional DNS prefix and a name part.
pub fn is_qualified_name(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_name_part(name),
        None => is_name_part(text),
    }
}

/// A key of a ConfigMap or Secret.
pub fn is_config_key(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text != "."
        && !text.starts_with("..")
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn is_name_part(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && edge(text.chars().next())
        && edge(text.chars().last())
}

/// Five random characters in the alphabet the API server uses for `generateName`.
pub fn random_suffix() -> String {
    use rand::Rng as _;
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut rng = rand::rng();
    (0..5)
        .map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_kinds_rule() {
        assert_eq!(NameRule::of("", "Pod").problem("a.b-c"), None);
        assert_eq!(
            NameRule::of("", "Pod").problem("Web").as_deref(),
            Some(SUBDOMAIN_RULE)
        );
        assert_eq!(
            NameRule::of("", "Namespace").problem("a.b").as_deref(),
            Some(LABEL_RULE)
        );
        assert_eq!(
            NameRule::of("", "Service").problem("1web").as_deref(),
            Some(DNS1035_RULE)
        );
        assert_eq!(
            NameRule::of("rbac.authorization.k8s.io", "ClusterRole").problem("system:x"),
            None
        );
    }

    #[test]
    fn suffixes_are_valid_in_names() {
        assert!((0..50).all(|_| is_dns_label(&format!("web-{}", random_suffix()))));
    }
}
