//! `--secrets-from`: the project's secret values from the environment or from a file.

use std::collections::BTreeMap;
use std::path::Path;

use app::model::{Finding, SecretKey, SecretView, parse_env_file};
use zeroize::Zeroizing;

/// Values by key; wiped on drop.
pub(super) type Values = BTreeMap<SecretKey, Zeroizing<String>>;

/// Reads the values of these secrets. Keys that are not there are left out, empty values too.
pub(super) fn read(from: Option<&Path>, secrets: &[SecretView]) -> Result<Values, Finding> {
    let Some(from) = from else {
        return Ok(Values::new());
    };
    if from == Path::new("env") {
        return Ok(secrets
            .iter()
            .filter_map(|secret| {
                let value = std::env::var(secret.key.as_str()).ok()?;
                (!value.is_empty()).then(|| (secret.key.clone(), Zeroizing::new(value)))
            })
            .collect());
    }
    let text = std::fs::read_to_string(from)
        .map(Zeroizing::new)
        .map_err(|error| {
            Finding::new(
                "SECRETS_FILE_UNREADABLE",
                "The file with the secrets cannot be read",
                format!("{}: {error}.", from.display()),
            )
        })?;
    parse(&text, secrets).map_err(|line| {
        Finding::new(
            "SECRETS_FILE_BROKEN",
            "The file with the secrets has a line that is not KEY=value",
            format!(
                "{}, line {line}. Its text is not repeated here.",
                from.display()
            ),
        )
    })
}

/// The values of these secrets in the text of such a file; the error is the number of its first
/// broken line.
fn parse(text: &str, secrets: &[SecretView]) -> Result<Values, usize> {
    let lines = parse_env_file(text)?;
    Ok(lines
        .into_iter()
        .map(|line| (line.key, Zeroizing::new(line.value)))
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(key, value)| {
            let secret = secrets.iter().find(|secret| secret.key.as_str() == key)?;
            Some((secret.key.clone(), value))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(key: &str) -> SecretView {
        SecretView::of_key(key.parse().expect("a key"))
    }

    #[test]
    fn a_file_is_read_as_people_write_them() {
        let secrets = [secret("A"), secret("B"), secret("C"), secret("D")];
        let text = "# comment\nexport A=one\nB = \"two = 2\"\n\nC=\nOTHER=x\nD='it'\r\n";
        let values = parse(text, &secrets).expect("every line is fine");
        let found: Vec<_> = values
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(found, [("A", "one"), ("B", "two = 2"), ("D", "it")]);
    }

    #[test]
    fn a_broken_line_is_named_by_number_only() {
        assert_eq!(parse("A=1\nhunter2\n", &[secret("A")]).err(), Some(2));
    }

    proptest::proptest! {
        #[test]
        fn no_file_breaks_the_reader(text in "(?s).{0,300}") {
            let _ = parse(&text, &[secret("A")]);
        }

        #[test]
        fn a_quoted_value_comes_back_as_it_was(value in "[^'\\r]{1,60}") {
            let values = parse(&format!("A='{value}'"), &[secret("A")]).expect("one line");
            proptest::prop_assert_eq!(values.values().next().expect("a value").as_str(), value.as_str());
        }
    }
}
