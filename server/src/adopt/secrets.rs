//! Which variables are secrets, by their names, and what to say about the well-known ones.

/// The kind of secret a variable holds, as `slipway.toml` calls it, and why; none for a plain setting.
pub fn kind(name: &str, other_database: bool) -> Option<(&'static str, &'static str)> {
    let upper = name.to_ascii_uppercase();
    let has = |word: &str| upper.split('_').any(|part| part == word);
    let public = [
        "NEXT_PUBLIC_",
        "VITE_",
        "REACT_APP_",
        "PUBLIC_",
        "NUXT_PUBLIC_",
    ];
    if public.iter().any(|start| upper.starts_with(start)) {
        return None;
    }
    let is_address = has("URL") || has("URI") || has("DSN");
    let is_postgres = ["POSTGRES", "POSTGRESQL", "PG", "NEON"]
        .iter()
        .any(|word| has(word));
    let is_database = [
        "DATABASE",
        "DB",
        "MYSQL",
        "MARIADB",
        "MONGO",
        "MONGODB",
        "REDIS",
        "AMQP",
        "RABBITMQ",
        "KAFKA",
        "CACHE",
        "BROKER",
        "SQLALCHEMY",
    ]
    .iter()
    .any(|word| has(word));
    if is_address && is_postgres {
        return Some((
            "postgres-url",
            "Its name says it is an address of PostgreSQL",
        ));
    }
    if upper == "DATABASE_URL" && !other_database {
        return Some((
            "postgres-url",
            "The usual name for the address of PostgreSQL; choose url for another database",
        ));
    }
    if is_address && (is_database || has("WEBHOOK") || has("SENTRY")) {
        return Some(("url", "An address that may have a password in it"));
    }
    if upper.ends_with("API_KEY") || upper.ends_with("APIKEY") || has("TOKEN") || has("PAT") {
        return Some((
            "api-key",
            "Its name says it is a key that somebody else issues",
        ));
    }
    let is_made_up = ["SECRET", "SALT", "SIGNING", "ENCRYPTION", "JWT", "PEPPER"];
    let is_issued = [
        "CLIENT", "ACCESS", "AWS", "STRIPE", "OAUTH", "WEBHOOK", "GITHUB", "GOOGLE", "AZURE",
    ];
    let is_setting = [
        "ALGORITHM",
        "EXPIRES",
        "EXPIRY",
        "TTL",
        "NAME",
        "FILE",
        "PATH",
        "ID",
        "LENGTH",
        "MINUTES",
        "HOURS",
        "DAYS",
        "ISSUER",
        "AUDIENCE",
        "PUBLIC",
    ];
    if is_setting.iter().any(|word| has(word)) {
        return None;
    }
    if is_made_up.iter().any(|word| has(word)) {
        return Some(match is_issued.iter().any(|word| has(word)) {
            true => (
                "text",
                "Its name says that it is secret, and somebody else issues it",
            ),
            false => (
                "random",
                "Its name says that it is secret and made up: Slipway can generate it",
            ),
        });
    }
    if [
        "PASSWORD",
        "PASSWD",
        "PASS",
        "PASSPHRASE",
        "CREDENTIALS",
        "CREDENTIAL",
        "KEY",
    ]
    .iter()
    .any(|word| has(word))
    {
        return Some(("text", "Its name says that it is secret"));
    }
    None
}

/// How a well-known one is called, and where to get it.
pub fn known(key: &str) -> Option<(&'static str, &'static str)> {
    Some(match key {
        "DATABASE_URL" | "POSTGRES_URL" => (
            "Database address",
            "The connection string of the database; at Neon: the project's dashboard, Connect.",
        ),
        "OPENAI_API_KEY" => ("OpenAI API key", "platform.openai.com, API keys."),
        "ANTHROPIC_API_KEY" => ("Anthropic API key", "console.anthropic.com, API keys."),
        "GEMINI_API_KEY" | "GOOGLE_API_KEY" => {
            ("Gemini API key", "aistudio.google.com, Get API key.")
        }
        "BETTER_AUTH_SECRET" | "AUTH_SECRET" | "NEXTAUTH_SECRET" | "JWT_SECRET" | "SECRET_KEY"
        | "SESSION_SECRET" => (
            "Signing secret",
            "Any long random text; everybody is signed out when it changes.",
        ),
        "REDIS_URL" => (
            "Redis address",
            "The connection string of the Redis server.",
        ),
        "SENTRY_DSN" => (
            "Sentry DSN",
            "The project's settings at Sentry, Client Keys.",
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_from_settings_by_their_names() {
        for (name, wanted) in [
            ("DATABASE_URL", Some("postgres-url")),
            ("OPENAI_API_KEY", Some("api-key")),
            ("BETTER_AUTH_SECRET", Some("random")),
            ("JWT_SECRET_KEY", Some("random")),
            ("STRIPE_WEBHOOK_SECRET", Some("text")),
            ("REDIS_URL", Some("url")),
            ("SMTP_PASSWORD", Some("text")),
            ("GITHUB_TOKEN", Some("api-key")),
            ("NEXT_PUBLIC_API_KEY", None),
            ("BACKEND_URL", None),
            ("PORT", None),
            ("LOG_LEVEL", None),
            ("JWT_ALGORITHM", None),
            ("KEYBOARD", None),
        ] {
            assert_eq!(kind(name, false).map(|(kind, _)| kind), wanted, "{name}");
        }
        assert_eq!(
            kind("DATABASE_URL", true).map(|(kind, _)| kind),
            Some("url")
        );
    }
}
