//! Names as Kubernetes wants them, from what people call things.

/// A DNS label made of any text: lower-case letters, digits and `-`, at most 63.
pub fn label(text: &str) -> Option<String> {
    // `@scope/name` of npm.
    let text = text.rsplit('/').next().unwrap_or(text);
    let mut made = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            made.push(c.to_ascii_lowercase());
        } else if !made.is_empty() && !made.ends_with('-') {
            made.push('-');
        }
    }
    made.truncate(63);
    let made = made.trim_end_matches('-').to_owned();
    (!made.is_empty()).then_some(made)
}

/// The label, or the next free `label-2`.
pub fn free(wanted: &str, taken: &[String]) -> String {
    let is_free = |name: &str| !taken.iter().any(|other| other == name);
    if is_free(wanted) {
        return wanted.to_owned();
    }
    let short: String = wanted.chars().take(58).collect();
    (2_u32..)
        .map(|number| format!("{short}-{number}"))
        .find(|name| is_free(name))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::model::ComponentName;
    use proptest::prelude::*;

    #[test]
    fn names_are_made_of_what_people_write() {
        assert_eq!(label("@acme/Web App").as_deref(), Some("web-app"));
        assert_eq!(label("my_api.v2").as_deref(), Some("my-api-v2"));
        assert_eq!(label("日本"), None);
        assert_eq!(free("a", &["a".into(), "a-2".into()]), "a-3");
    }

    proptest! {
        #[test]
        fn whatever_is_made_is_a_valid_name(text in ".{0,200}") {
            if let Some(name) = label(&text) {
                prop_assert!(name.parse::<ComponentName>().is_ok(), "{name}");
                prop_assert!(free(&name, std::slice::from_ref(&name)).parse::<ComponentName>().is_ok());
            }
        }
    }
}
