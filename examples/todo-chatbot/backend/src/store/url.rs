//! `DATABASE_URL`: parsed once, never printed.

use std::{path::PathBuf, str::FromStr};

use sqlx::any::AnyConnectOptions;

use super::DatabaseProblem;
use crate::secret::Secret;

/// Which of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// `postgres://` or `postgresql://`
    Postgres,
    /// `sqlite://PATH` or `sqlite::memory:`
    Sqlite,
}

impl Flavor {
    /// For the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
        }
    }
}

/// A connection string that was looked at; it holds a password, so `Debug` hides it.
#[derive(Clone, Debug)]
pub struct DatabaseUrl {
    url: Secret,
    flavor: Flavor,
    options: Options,
}

/// `AnyConnectOptions` prints its URL in `Debug`, so it is wrapped.
#[derive(Clone)]
struct Options(AnyConnectOptions);

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Options(hidden)")
    }
}

impl DatabaseUrl {
    /// Parses the variable; the error is the end of a sentence and has no part of the value.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let (flavor, url) = match text.split_once(':') {
            Some(("postgres" | "postgresql", _)) => (Flavor::Postgres, text.to_owned()),
            Some(("sqlite", rest)) => (Flavor::Sqlite, creating(text, rest)),
            _ => return Err("must start with postgres:// or, for a rehearsal, sqlite://"),
        };
        let options = AnyConnectOptions::from_str(&url).map_err(|_| {
            "is not a connection string; special characters in the password are written as %40 and so on"
        })?;
        if flavor == Flavor::Postgres && options.database_url.host_str().is_none_or(str::is_empty) {
            return Err("names no host");
        }
        Ok(Self {
            url: Secret::new(url),
            flavor,
            options: Options(options),
        })
    }

    /// Which database it names.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    pub(super) fn options(&self) -> AnyConnectOptions {
        self.options.0.clone()
    }

    pub(super) fn is_in_memory(&self) -> bool {
        self.flavor == Flavor::Sqlite
            && (self.url.reveal().contains(":memory:") || self.url.reveal().contains("mode=memory"))
    }

    /// Makes the folder of a SQLite file.
    pub(super) async fn prepare(&self) -> Result<(), DatabaseProblem> {
        if self.flavor == Flavor::Postgres || self.is_in_memory() {
            return Ok(());
        }
        let path = self
            .url
            .reveal()
            .trim_start_matches("sqlite:")
            .trim_start_matches("//");
        let path = PathBuf::from(path.split('?').next().unwrap_or_default());
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => tokio::fs::create_dir_all(folder)
                .await
                .map_err(|_| DatabaseProblem::FileNotWritable),
            _ => Ok(()),
        }
    }
}

/// A SQLite file that does not exist yet is made, unless the URL says otherwise.
fn creating(text: &str, rest: &str) -> String {
    if rest.contains("mode=") || rest.contains(":memory:") {
        return text.to_owned();
    }
    let separator = if rest.contains('?') { '&' } else { '?' };
    format!("{text}{separator}mode=rwc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_kinds_are_taken() {
        assert_eq!(
            DatabaseUrl::parse("postgres://u:p@h/d").unwrap().flavor(),
            Flavor::Postgres
        );
        assert_eq!(
            DatabaseUrl::parse("sqlite://a/b.db").unwrap().flavor(),
            Flavor::Sqlite
        );
        assert!(
            DatabaseUrl::parse("sqlite::memory:")
                .unwrap()
                .is_in_memory()
        );
        for wrong in [
            "",
            "mysql://h/d",
            "host=h user=u",
            "postgres:///d",
            "postgres://u:p@ss word@h:x/d",
        ] {
            assert!(DatabaseUrl::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_missing_sqlite_file_is_made_unless_the_url_says_otherwise() {
        let made = |text| DatabaseUrl::parse(text).unwrap().url.reveal().to_owned();
        assert_eq!(made("sqlite://todo.db"), "sqlite://todo.db?mode=rwc");
        assert_eq!(made("sqlite://todo.db?mode=ro"), "sqlite://todo.db?mode=ro");
    }
}
