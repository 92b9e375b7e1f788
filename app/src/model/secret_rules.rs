//! The kinds of secrets and the rules of their shape, the same in the form and on the server.
//! No sentence here ever repeats a value.

use serde::{Deserialize, Serialize};

/// The longest value that fits into a Secret, which may have 1 MiB in all (and grows by a third on
/// the way).
pub const LONGEST_VALUE: usize = 512 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretKind {
    PostgresUrl,
    Url,
    ApiKey {
        /// Whose key it has to be; none when the project does not say.
        provider: Option<ApiProvider>,
    },
    /// Can be generated; at least `min_length` characters.
    Random {
        min_length: u32,
    },
    Text,
    /// Several lines: a certificate, a private key.
    MultiLine,
    /// The content of a file, taken as it is. One that is no text travels as [`BINARY_FILE`].
    File,
}

/// How the value of a file that is no text begins on its way in: a data URL (RFC 2397) of its bytes in
/// base64. The cluster gets the bytes.
pub const BINARY_FILE: &str = "data:application/octet-stream;base64,";

impl SecretKind {
    /// Whether line breaks belong into the value.
    pub fn has_lines(&self) -> bool {
        matches!(self, Self::MultiLine | Self::File)
    }

    /// The bytes, in base64, of a file that is no text.
    pub fn binary<'a>(&self, value: &'a str) -> Option<&'a str> {
        match self {
            Self::File => value.strip_prefix(BINARY_FILE),
            _ => None,
        }
    }
}

/// A provider of an API, told by what its keys begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApiProvider {
    Openai,
    Anthropic,
    Openrouter,
    Groq,
    Mistral,
    Deepseek,
    Gemini,
    Stripe,
    Github,
    Huggingface,
}

impl ApiProvider {
    pub const ALL: [Self; 10] = [
        Self::Openai,
        Self::Anthropic,
        Self::Openrouter,
        Self::Groq,
        Self::Mistral,
        Self::Deepseek,
        Self::Gemini,
        Self::Stripe,
        Self::Github,
        Self::Huggingface,
    ];

    /// As `slipway.toml` has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Openrouter => "openrouter",
            Self::Groq => "groq",
            Self::Mistral => "mistral",
            Self::Deepseek => "deepseek",
            Self::Gemini => "gemini",
            Self::Stripe => "stripe",
            Self::Github => "github",
            Self::Huggingface => "huggingface",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Openai => "OpenAI",
            Self::Anthropic => "Anthropic",
            Self::Openrouter => "OpenRouter",
            Self::Groq => "Groq",
            Self::Mistral => "Mistral",
            Self::Deepseek => "DeepSeek",
            Self::Gemini => "Gemini",
            Self::Stripe => "Stripe",
            Self::Github => "GitHub",
            Self::Huggingface => "Hugging Face",
        }
    }

    /// What its keys begin with; nothing where they have no beginning of their own.
    pub fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::Openai | Self::Deepseek => &["sk-"],
            Self::Anthropic => &["sk-ant-"],
            Self::Openrouter => &["sk-or-"],
            Self::Groq => &["gsk_"],
            Self::Mistral => &[],
            Self::Gemini => &["AIza"],
            Self::Stripe => &["sk_live_", "sk_test_", "rk_live_", "rk_test_"],
            Self::Github => &["ghp_", "github_pat_", "gho_", "ghs_"],
            Self::Huggingface => &["hf_"],
        }
    }

    /// Where keys are made.
    pub fn where_to_get(self) -> &'static str {
        match self {
            Self::Openai => "platform.openai.com, API keys: Create new secret key",
            Self::Anthropic => "console.anthropic.com, API keys: Create key",
            Self::Openrouter => "openrouter.ai, Keys: Create key",
            Self::Groq => "console.groq.com, API keys: Create API key",
            Self::Mistral => "console.mistral.ai, API keys: Create new key",
            Self::Deepseek => "platform.deepseek.com, API keys: Create new API key",
            Self::Gemini => "aistudio.google.com, Get API key",
            Self::Stripe => "dashboard.stripe.com, Developers, API keys",
            Self::Github => "github.com, Settings, Developer settings, Personal access tokens",
            Self::Huggingface => "huggingface.co, Settings, Access Tokens",
        }
    }

    /// The OpenAI-compatible API of the provider, if it has one.
    pub fn openai_base_url(self) -> Option<&'static str> {
        match self {
            Self::Openai => Some("https://api.openai.com/v1"),
            Self::Openrouter => Some("https://openrouter.ai/api/v1"),
            Self::Groq => Some("https://api.groq.com/openai/v1"),
            Self::Mistral => Some("https://api.mistral.ai/v1"),
            Self::Deepseek => Some("https://api.deepseek.com/v1"),
            Self::Gemini => Some("https://generativelanguage.googleapis.com/v1beta/openai"),
            Self::Anthropic | Self::Stripe | Self::Github | Self::Huggingface => None,
        }
    }

    /// The provider a key's name speaks of: `OPENAI_API_KEY`.
    pub fn of_key_name(key: &str) -> Option<Self> {
        let key = key.to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|provider| key.starts_with(provider.word()))
    }

    /// The provider a value's beginning speaks of, where it speaks clearly.
    pub fn of_value(value: &str) -> Option<Self> {
        // `sk-` alone is used by several.
        Self::ALL
            .into_iter()
            .flat_map(|provider| {
                provider
                    .prefixes()
                    .iter()
                    .map(move |prefix| (provider, prefix))
            })
            .filter(|(_, prefix)| prefix.len() > 3 && value.starts_with(**prefix))
            .max_by_key(|(_, prefix)| prefix.len())
            .map(|(provider, _)| provider)
    }
}

/// The shape rules of a value.
pub fn check_secret_shape(
    kind: &SecretKind,
    allows_rehearsal: bool,
    value: &str,
) -> Result<(), String> {
    if value.trim().is_empty() {
        return Err("It is empty".to_owned());
    }
    if value.len() > LONGEST_VALUE {
        return Err("It is longer than 512 KiB, which no Secret can hold".to_owned());
    }
    if value.contains('\0') {
        return Err("It contains a NUL byte, which no environment variable can hold".to_owned());
    }
    if kind.has_lines() {
        return check_pem(value);
    }
    if value.trim() != value {
        return Err("It starts or ends with white space; paste it without".to_owned());
    }
    match kind {
        SecretKind::PostgresUrl => {
            if allows_rehearsal && value.starts_with("sqlite:") {
                return Ok(());
            }
            check_postgres_url(value)
        }
        SecretKind::Url => check_url(value),
        SecretKind::ApiKey { provider } => check_api_key(*provider, value),
        SecretKind::Random { min_length } => {
            let length = value.chars().count();
            if length < *min_length as usize {
                Err(format!(
                    "It has {length} characters and needs at least {min_length}"
                ))
            } else {
                Ok(())
            }
        }
        SecretKind::Text => match value.contains('\n') {
            true => Err("It has several lines, and this is a text of one".to_owned()),
            false => Ok(()),
        },
        SecretKind::MultiLine | SecretKind::File => Ok(()),
    }
}

/// What is odd about a value that has a right shape. It does not keep anybody from storing it.
pub fn secret_advice(key: &str, kind: &SecretKind, value: &str) -> Option<&'static str> {
    let lower = value.to_ascii_lowercase();
    if [
        "changeme",
        "change-me",
        "your-",
        "your_",
        "<your",
        "xxxx",
        "placeholder",
        "example.com",
    ]
    .iter()
    .any(|word| lower.contains(word))
    {
        return Some("This looks like a placeholder");
    }
    if value.len() > 1
        && ['"', '\'', '`']
            .iter()
            .any(|quote| value.starts_with(*quote) && value.ends_with(*quote))
    {
        return Some("It is in quotes, and they become part of the value");
    }
    match kind {
        SecretKind::ApiKey { .. } => {
            let meant = match kind {
                SecretKind::ApiKey {
                    provider: Some(provider),
                } => Some(*provider),
                _ => ApiProvider::of_key_name(key),
            };
            match (meant, ApiProvider::of_value(value)) {
                (Some(meant), Some(found)) if meant != found => {
                    Some("It begins like a key of another provider")
                }
                _ => None,
            }
        }
        SecretKind::PostgresUrl if is_pooled(value) => {
            Some("This is a pooler's address: right for the app, not for every migration tool")
        }
        SecretKind::PostgresUrl
            if value.starts_with("postgres") && !value.contains(":@") && !has_password(value) =>
        {
            Some("It has no password")
        }
        _ => None,
    }
}

fn has_password(value: &str) -> bool {
    let authority = value.split_once("://").map_or("", |(_, rest)| rest);
    authority
        .rsplit_once('@')
        .is_some_and(|(credentials, _)| credentials.contains(':'))
}

fn is_pooled(value: &str) -> bool {
    value.contains("-pooler.") || value.contains(".pooler.supabase.com")
}

fn check_api_key(provider: Option<ApiProvider>, value: &str) -> Result<(), String> {
    if value.chars().any(char::is_whitespace) {
        return Err("An API key has no spaces or line breaks".to_owned());
    }
    if !value.is_ascii() {
        return Err("An API key has ASCII characters only; copy it again".to_owned());
    }
    if value.len() < 8 {
        return Err(format!(
            "It has {} characters; API keys are longer, so it may be cut off",
            value.chars().count()
        ));
    }
    let Some(provider) = provider else {
        return Ok(());
    };
    let prefixes = provider.prefixes();
    if prefixes.is_empty() || prefixes.iter().any(|prefix| value.starts_with(prefix)) {
        return Ok(());
    }
    Err(format!(
        "Keys of {} begin with {}",
        provider.title(),
        prefixes.join(" or ")
    ))
}

fn check_url(value: &str) -> Result<(), String> {
    const SHAPE: &str = "It should be a URL, like https://host/path";
    let (scheme, rest) = value.split_once("://").ok_or(SHAPE)?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if !is_scheme || rest.is_empty() || rest.starts_with('/') {
        return Err(SHAPE.to_owned());
    }
    match value.chars().any(char::is_whitespace) {
        true => Err("A URL has no spaces or line breaks".to_owned()),
        false => Ok(()),
    }
}

/// A text that begins like PEM has to be whole: half a key is the usual mistake.
fn check_pem(value: &str) -> Result<(), String> {
    let begins = value.matches("-----BEGIN ").count();
    let ends = value.matches("-----END ").count();
    match begins == ends {
        true => Ok(()),
        false => Err(
            "It has a BEGIN line without its END line, so a part is missing; copy all of it"
                .to_owned(),
        ),
    }
}

fn check_postgres_url(value: &str) -> Result<(), String> {
    let rest = value
        .strip_prefix("postgres://")
        .or_else(|| value.strip_prefix("postgresql://"))
        .ok_or("It should start with postgres:// or postgresql://")?;
    if value.chars().any(char::is_whitespace) {
        return Err("It has spaces or line breaks; paste it without".to_owned());
    }
    let (authority, path) = rest
        .split_once('/')
        .ok_or("The database name is missing after the host")?;
    let broken = "The password has a character such as / ? or #, which has to be URL-encoded (%2F, %3F, %23)";
    if authority.contains(['?', '#']) || (!authority.contains('@') && path.contains('@')) {
        return Err(broken.to_owned());
    }
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let (host_name, port) = match host.rsplit_once(':') {
        // An IPv6 address has colons of its own, within brackets.
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    if host_name.is_empty() {
        return Err("The host is missing".to_owned());
    }
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err("The port after the host is no number".to_owned());
    }
    let (database, query) = path.split_once('?').unwrap_or((path, ""));
    if database.is_empty() {
        return Err("The database name is missing after the host".to_owned());
    }
    let sslmode = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("sslmode="));
    const MODES: [&str; 7] = [
        "disable",
        "allow",
        "prefer",
        "require",
        "verify-ca",
        "verify-full",
        "no-verify",
    ];
    if sslmode.is_some_and(|mode| !MODES.contains(&mode)) {
        return Err(
            "sslmode has to be disable, allow, prefer, require, verify-ca or verify-full"
                .to_owned(),
        );
    }
    let is_neon = host_name.ends_with(".neon.tech");
    let has_tls = matches!(sslmode, Some("require" | "verify-ca" | "verify-full"));
    if is_neon && !has_tls {
        return Err("Neon only accepts encrypted connections: add ?sslmode=require".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY_API: SecretKind = SecretKind::ApiKey { provider: None };

    #[test]
    fn a_postgres_url_needs_scheme_host_database_and_neon_needs_tls() {
        let check = |value: &str| check_secret_shape(&SecretKind::PostgresUrl, false, value);
        for good in [
            "postgres://u:p@host:5432/db",
            "postgres://u:p@[::1]:5432/db",
            "postgres://u:p@[::1]/db",
            "postgresql://u:p@ep-x.eu.aws.neon.tech/db?sslmode=require",
            "postgresql://u:p@h/db?application_name=x&sslmode=verify-full",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            " postgres://h/d",
            "mysql://h/d",
            "postgres://host",
            "postgres:///db",
            "postgres://u:p@host/",
            "postgres://u:p@host:port/db",
            "postgres://u:p/w@host/db",
            "postgres://u:p#w@host/db",
            "postgres://u:p@host/db?sslmode=yes",
            "postgresql://u:p@ep-x.eu.aws.neon.tech/db",
            "sqlite://x",
        ] {
            assert!(check(bad).is_err(), "{bad:?} must be refused");
        }
        assert_eq!(
            check_secret_shape(&SecretKind::PostgresUrl, true, "sqlite:///data/todo.db"),
            Ok(())
        );
    }

    #[test]
    fn a_key_begins_as_its_provider_has_it_and_a_foreign_one_is_noticed() {
        let github = SecretKind::ApiKey {
            provider: Some(ApiProvider::Github),
        };
        assert_eq!(check_secret_shape(&github, false, "ghp_0123456789"), Ok(()));
        let refused = check_secret_shape(&github, false, "sk-0123456789").expect_err("another");
        assert!(refused.contains("ghp_ or github_pat_"), "{refused}");
        assert_eq!(check_secret_shape(&ANY_API, false, "anything-goes"), Ok(()));
        let advice = |key, value| secret_advice(key, &ANY_API, value);
        assert!(advice("OPENAI_API_KEY", "sk-ant-0123456789").is_some());
        assert_eq!(advice("OPENAI_API_KEY", "sk-proj-0123456789"), None);
        assert!(advice("SOME_KEY", "changeme-now").is_some());
        assert!(advice("SOME_KEY", "\"quoted-value\"").is_some());
    }

    #[test]
    fn several_lines_belong_into_some_kinds_only_and_half_a_pem_into_none() {
        let pem = "-----BEGIN KEY-----\nabc\n-----END KEY-----\n";
        for kind in [SecretKind::MultiLine, SecretKind::File] {
            assert_eq!(check_secret_shape(&kind, false, pem), Ok(()));
            assert!(check_secret_shape(&kind, false, &pem[..25]).is_err());
        }
        assert!(check_secret_shape(&SecretKind::Text, false, "a\nb").is_err());
        assert!(
            check_secret_shape(&SecretKind::Text, false, &"x".repeat(LONGEST_VALUE + 1)).is_err()
        );
    }

    #[test]
    fn no_message_repeats_the_value() {
        let value = "hunter2-but";
        for kind in [
            SecretKind::PostgresUrl,
            SecretKind::Url,
            SecretKind::ApiKey {
                provider: Some(ApiProvider::Openai),
            },
            SecretKind::Random { min_length: 32 },
        ] {
            let message = check_secret_shape(&kind, true, value).expect_err("wrong shape");
            assert!(!message.contains("hunter2"));
        }
    }
}
