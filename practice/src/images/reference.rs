//! Image references in one canonical spelling, so that short and long names of the same image
//! compare equal, as they do for a container runtime.

/// The domain a name without one belongs to.
const DEFAULT_DOMAIN: &str = "docker.io";
const LEGACY_DEFAULT_DOMAIN: &str = "index.docker.io";

/// The canonical form of a reference: domain, repository and a tag or digest.
/// `todo:1`, `library/todo:1` and the fully spelled form all give the same text.
#[must_use]
pub fn normalize(reference: &str) -> String {
    let reference = reference.trim();
    if reference.starts_with("sha256:") {
        return reference.to_owned();
    }
    let (name, digest) = match reference.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (reference, None),
    };
    let (name, tag) = split_tag(name);
    let (domain, rest) = match name.split_once('/') {
        Some((first, rest))
            if first.contains('.') || first.contains(':') || first == "localhost" =>
        {
            (first, rest)
        }
        _ => (DEFAULT_DOMAIN, name),
    };
    let domain = if domain == LEGACY_DEFAULT_DOMAIN {
        DEFAULT_DOMAIN
    } else {
        domain
    };
    let library = if domain == DEFAULT_DOMAIN && !rest.contains('/') {
        "library/"
    } else {
        ""
    };
    match (digest, tag) {
        (Some(digest), _) => format!("{domain}/{library}{rest}@{digest}"),
        (None, Some(tag)) => format!("{domain}/{library}{rest}:{tag}"),
        (None, None) => format!("{domain}/{library}{rest}:latest"),
    }
}

/// The repository of a reference in canonical form: everything before the tag or digest.
#[must_use]
pub fn repository(reference: &str) -> String {
    let canonical = normalize(reference);
    let name = canonical.split('@').next().unwrap_or_default();
    split_tag(name).0.to_owned()
}

/// A colon after the last slash starts the tag; one before it belongs to a port.
fn split_tag(name: &str) -> (&str, Option<&str>) {
    match name.rfind(':') {
        Some(colon) if !name[colon..].contains('/') => (&name[..colon], Some(&name[colon + 1..])),
        _ => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::{normalize, repository};

    #[test]
    fn short_and_long_names_compare_equal() {
        let long = normalize(&format!("{}/library/todo:1", super::DEFAULT_DOMAIN));
        assert_eq!(normalize("todo:1"), long);
        assert_eq!(normalize("library/todo:1"), long);
        assert_ne!(normalize("todo:2"), long);
        assert_ne!(normalize("team/todo:1"), long);
    }

    #[test]
    fn a_missing_tag_is_latest_and_a_digest_wins_over_a_tag() {
        assert_eq!(normalize("todo"), normalize("todo:latest"));
        assert_eq!(normalize("todo:1@sha256:ab"), normalize("todo@sha256:ab"));
    }

    #[test]
    fn ports_are_not_tags() {
        assert_eq!(normalize("localhost:5000/app"), "localhost:5000/app:latest");
        assert_eq!(repository("localhost:5000/app:v1"), "localhost:5000/app");
        assert_eq!(normalize("127.0.0.1:5000/a/b:v1"), "127.0.0.1:5000/a/b:v1");
    }
}
