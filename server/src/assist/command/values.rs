//! Names, numbers, images, labels: whether a value is one.

/// A DNS subdomain, as names of objects are; 253 characters at most.
pub fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// A number of pods.
pub fn is_replicas(text: &str) -> bool {
    text.parse::<u32>()
        .is_ok_and(|number| number <= app::model::RolloutAct::MOST_REPLICAS)
}

pub fn is_revision(text: &str) -> bool {
    text.parse::<u64>().is_ok()
}

/// `NAME=IMAGE`; an image reference has letters, digits and a few signs.
pub fn is_image_change(text: &str) -> bool {
    let Some((container, image)) = text.split_once('=') else {
        return false;
    };
    let is_sign = |b: u8| b.is_ascii_alphanumeric() || b"._-/:@".contains(&b);
    is_name(container) && !image.is_empty() && image.len() <= 512 && image.bytes().all(is_sign)
}

/// `NAME=VALUE`, or `NAME-` to take it away.
pub fn is_variable(text: &str) -> bool {
    let name = match text.split_once('=') {
        Some((name, _)) => name,
        None => match text.strip_suffix('-') {
            Some(name) => name,
            None => return false,
        },
    };
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

/// `KEY=VALUE`, or `KEY-` to take it away: the key.
pub fn mark_key(text: &str) -> Option<&str> {
    let key = match text.split_once('=') {
        Some((key, _)) => key,
        None => text.strip_suffix('-')?,
    };
    let name = key.rsplit('/').next().unwrap_or_default();
    let is_sign = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
    (!name.is_empty() && key.len() <= 317 && key.bytes().all(is_sign)).then_some(key)
}

/// Marks by which controllers, Helm and Slipway know what is theirs or how to treat it.
pub fn is_reserved(key: &str) -> bool {
    const FREE: [&str; 6] = [
        "app.kubernetes.io/name",
        "app.kubernetes.io/instance",
        "app.kubernetes.io/version",
        "app.kubernetes.io/component",
        "app.kubernetes.io/part-of",
        "kubernetes.io/change-cause",
    ];
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    let is_of = |owner: &str| domain == owner || domain.ends_with(&format!(".{owner}"));
    !FREE.contains(&key)
        && ["kubernetes.io", "k8s.io", "slipway.dev", "helm.sh"]
            .iter()
            .any(|owner| is_of(owner))
}

/// `cpu=100m,memory=64Mi`
pub fn is_resources(text: &str) -> bool {
    !text.is_empty()
        && text.split(',').all(|part| {
            part.split_once('=').is_some_and(|(name, amount)| {
                matches!(name, "cpu" | "memory" | "ephemeral-storage")
                    && !amount.is_empty()
                    && amount
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'.')
            })
        })
}

pub fn is_patch_type(text: &str) -> bool {
    matches!(text, "strategic" | "merge" | "json")
}

pub fn anything(_: &str) -> bool {
    true
}

/// A few output formats that print no more than the object.
pub fn is_output(text: &str) -> bool {
    matches!(text, "json" | "yaml" | "wide" | "name")
}
