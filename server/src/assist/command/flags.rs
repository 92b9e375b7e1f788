//! Flags in the way of kubectl, from a list for each verb; whatever is not on it is denied.

use super::Denied;

/// A flag a verb may have.
#[derive(Clone, Copy)]
pub struct Flag {
    pub long: &'static str,
    pub short: Option<char>,
    /// Says whether a value makes sense; none for a switch.
    pub value: Option<fn(&str) -> bool>,
}

/// The words of a verb, sorted.
#[derive(Debug, Default)]
pub struct Sorted {
    /// In their order.
    pub plain: Vec<String>,
    /// Long name and value; a switch has `true`.
    pub flags: Vec<(&'static str, String)>,
    /// What `-n` said, wherever it stood.
    pub namespace: Option<String>,
}

impl Sorted {
    pub fn value(&self, long: &str) -> Option<&str> {
        let mut found = self.flags.iter().filter(|(name, _)| *name == long);
        found.next_back().map(|(_, value)| value.as_str())
    }

    /// The flags again as words, each in one piece.
    pub fn words(&self) -> impl Iterator<Item = String> + '_ {
        self.flags
            .iter()
            .map(|(name, value)| format!("--{name}={value}"))
    }
}

/// Denied for a reason of their own, on every verb.
const NEVER: [(&[&str], &str); 9] = [
    (
        &["raw"],
        "speaks to the API server past everything kubectl checks",
    ),
    (
        &[
            "kubeconfig",
            "context",
            "cluster",
            "user",
            "server",
            "s",
            "token",
            "username",
            "password",
            "client-key",
            "client-certificate",
            "certificate-authority",
            "insecure-skip-tls-verify",
            "tls-server-name",
        ],
        "would choose another cluster or other rights than those on the screen",
    ),
    (
        &["as", "as-group", "as-uid", "as-user-extra"],
        "would act as somebody else",
    ),
    (
        &["all-namespaces", "A"],
        "goes to other namespaces than the project's",
    ),
    (
        &["all", "l", "selector", "field-selector"],
        "changes objects that are not named",
    ),
    (
        &[
            "f",
            "filename",
            "k",
            "kustomize",
            "R",
            "recursive",
            "patch-file",
            "from",
            "env",
        ],
        "takes what is to be done from somewhere else, where nobody can see it",
    ),
    (
        &["force", "grace-period", "now", "cascade"],
        "takes away what would make it safe",
    ),
    (
        &["dry-run"],
        "is Slipway's part: it always tries first and then does it",
    ),
    (
        &[
            "cache-dir",
            "profile",
            "profile-output",
            "kuberc",
            "log-file",
            "v",
            "request-timeout",
            "template",
            "output-directory",
        ],
        "changes how kubectl itself works",
    ),
];

/// Sorts the words after the verb.
pub fn sort(words: &[String], allowed: &[Flag]) -> Result<Sorted, Denied> {
    let mut sorted = Sorted::default();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let Some(flag) = word.strip_prefix('-') else {
            sorted.plain.push(word.clone());
            continue;
        };
        if flag.is_empty() || flag == "-" {
            return Err(Denied::UnknownFlag(word.clone()));
        }
        let (is_long, flag) = match flag.strip_prefix('-') {
            Some(long) => (true, long),
            None => (false, flag),
        };
        let (name, given) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (flag, None),
        };
        let shown = || format!("{}{name}", if is_long { "--" } else { "-" });
        let mut value_of = |given: Option<String>| match given {
            Some(value) => Ok(value),
            None => rest
                .next()
                .cloned()
                .filter(|value| !value.starts_with('-'))
                .ok_or_else(|| Denied::FlagValue { flag: shown() }),
        };
        if (is_long && name == "namespace") || (!is_long && name == "n") {
            sorted.namespace = Some(value_of(given)?);
            continue;
        }
        let known = allowed.iter().find(|known| match is_long {
            true => known.long == name,
            false => known.short.is_some_and(|short| name == short.to_string()),
        });
        let Some(known) = known else {
            return Err(refused(name, shown()));
        };
        let value = match (known.value, given) {
            (Some(makes_sense), given) => {
                let value = value_of(given)?;
                if !makes_sense(&value) {
                    return Err(Denied::FlagValue { flag: shown() });
                }
                value
            }
            (None, None) => "true".to_owned(),
            (None, Some(value)) if value == "true" || value == "false" => value,
            (None, Some(_)) => return Err(Denied::FlagValue { flag: shown() }),
        };
        sorted.flags.push((known.long, value));
    }
    Ok(sorted)
}

fn refused(name: &str, shown: String) -> Denied {
    for (names, why) in NEVER {
        // `-nprod` and `-A=true` come without their value here.
        if names.contains(&name) {
            return Denied::Flag { flag: shown, why };
        }
    }
    Denied::UnknownFlag(shown)
}
