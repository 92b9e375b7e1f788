//! `--secrets-from`: the project's secret values from the environment or from a file.

use std::collections::BTreeMap;
use std::path::Path;

use app::model::{Finding, SecretKey, SecretView};
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

/// The lines `KEY=value`, with comments, `export ` and quotes as usual in such files.
fn parse(text: &str, secrets: &[SecretView]) -> Result<Values, usize> {
    let mut values = Values::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (key, value) = line.split_once('=').ok_or(number)?;
        let value = value.trim();
        let quoted = ['"', '\'']
            .iter()
            .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        let value = quoted.unwrap_or(value);
        let known = secrets
            .iter()
            .find(|secret| secret.key.as_str() == key.trim());
        if let Some(secret) = known
            && !value.is_empty()
        {
            values.insert(secret.key.clone(), Zeroizing::new(value.to_owned()));
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use app::model::{SecretKind, SecretState};

    use super::*;

    fn secret(key: &str) -> SecretView {
        SecretView {
            key: key.parse().expect("a key"),
            label: String::new(),
            help: String::new(),
            kind: SecretKind::Text,
            required: true,
            components: Vec::new(),
            rehearsal: None,
            state: SecretState::Unset,
        }
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
}
