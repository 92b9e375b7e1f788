//! What a Dockerfile build is given besides its context: arguments, which stay in the image, and
//! secrets, which must not.

use app::model::{ComponentName, Finding, SecretKey};
use url::Url;

use super::findings;
use crate::adapters::docker::{BuildEngine, BuildSecret, SecretSource};
use crate::engine::Redactor;
use crate::project::{ComponentSpec, Project};

/// A secret file that is longer is no secret, and not worth reading to hide it.
const LONGEST_SECRET: u64 = 64 * 1024;

/// Checked: no argument is a secret, and every secret is there.
#[derive(Clone, Debug, Default)]
pub struct BuildArguments {
    pub args: Vec<(String, String)>,
    pub secrets: Vec<BuildSecret>,
}

/// Checks what `slipway.toml` says. From here on the redactor hides the secrets' values.
pub fn read(
    project: &Project,
    component: &ComponentSpec,
    engine: &BuildEngine,
    redactor: &Redactor,
) -> Result<BuildArguments, Finding> {
    let name = &component.name;
    let keys: Vec<SecretKey> = project
        .spec()
        .secrets
        .iter()
        .map(|secret| secret.key.clone())
        .collect();
    for (arg, value) in &component.build_args {
        if let Some(why) = looks_secret(arg, value, &keys, redactor) {
            return Err(findings::arg_is_secret(name, arg, &why));
        }
    }
    let mut secrets = Vec::new();
    for secret in &component.build_secrets {
        if matches!(engine, BuildEngine::Classic { .. }) {
            return Err(findings::secret_needs_buildkit(name, &secret.id));
        }
        secrets.push(BuildSecret {
            id: secret.id.clone(),
            source: source(project, name, secret, redactor)?,
        });
    }
    Ok(BuildArguments {
        args: component
            .build_args
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        secrets,
    })
}

fn source(
    project: &Project,
    component: &ComponentName,
    secret: &crate::project::BuildSecretSpec,
    redactor: &Redactor,
) -> Result<SecretSource, Finding> {
    use crate::project::BuildSecretFrom;
    match &secret.from {
        BuildSecretFrom::Env(variable) => match std::env::var(variable) {
            Ok(value) if !value.is_empty() => {
                redactor.learn(&value);
                Ok(SecretSource::Env(variable.clone()))
            }
            _ => Err(findings::build_secret_missing(
                component,
                &secret.id,
                &format!("the variable {variable} is not set where Slipway was started"),
            )),
        },
        BuildSecretFrom::File(path) => {
            let path = project.path(path);
            let missing = |why: String| findings::build_secret_missing(component, &secret.id, &why);
            let size = path
                .metadata()
                .map_err(|error| missing(format!("{} cannot be read: {error}", path.display())))?
                .len();
            if size > LONGEST_SECRET {
                return Err(missing(format!(
                    "{} is larger than a secret is",
                    path.display()
                )));
            }
            let value =
                zeroize::Zeroizing::new(std::fs::read(&path).map_err(|error| {
                    missing(format!("{} cannot be read: {error}", path.display()))
                })?);
            if let Ok(text) = std::str::from_utf8(&value) {
                redactor.learn(text.trim_end());
            }
            Ok(SecretSource::File(path))
        }
    }
}

/// Why an argument should be a secret instead; never with its value.
fn looks_secret(
    name: &str,
    value: &str,
    keys: &[SecretKey],
    redactor: &Redactor,
) -> Option<String> {
    if keys.iter().any(|key| key.as_str() == name) {
        return Some("it has the name of one of the project's secrets".to_owned());
    }
    if redactor.redact(value) != value {
        return Some("its value is one that Slipway knows as a secret".to_owned());
    }
    let url = Url::parse(value).ok();
    if url.is_some_and(|url| url.password().is_some()) {
        return Some("its value is an address with a password in it".to_owned());
    }
    const PREFIXES: [&str; 8] = [
        "sk-",
        "ghp_",
        "gho_",
        "github_pat_",
        "glpat-",
        "xoxb-",
        "npm_",
        "AKIA",
    ];
    if value.len() >= 20 && PREFIXES.iter().any(|prefix| value.starts_with(prefix)) {
        return Some("its value begins like a well-known kind of token".to_owned());
    }
    if value.contains("PRIVATE KEY-----") {
        return Some("its value is a private key".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_that_is_a_secret_is_found_and_others_pass() {
        let keys = ["DATABASE_URL".parse().expect("a key")];
        let redactor = Redactor::default();
        redactor.learn("correct-horse-battery");
        let secret = |name: &str, value: &str| looks_secret(name, value, &keys, &redactor);
        for (name, value) in [
            ("DATABASE_URL", "x"),
            ("PHRASE", "a correct-horse-battery b"),
            ("URL", "https://me:pass@example.org/"),
            ("KEY", "sk-0123456789abcdef0123"),
            ("PEM", "-----BEGIN PRIVATE KEY-----\nabc"),
        ] {
            let why = secret(name, value).unwrap_or_else(|| panic!("{name} passes"));
            assert!(!why.contains(value) || value == "x", "{why}");
        }
        for (name, value) in [
            ("RUST_VERSION", "1.95"),
            ("API_URL", "https://example.org/v1"),
            ("FLAG", "sk-"),
        ] {
            assert_eq!(secret(name, value), None, "{name}");
        }
    }
}
