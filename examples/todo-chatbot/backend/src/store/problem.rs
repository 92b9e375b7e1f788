//! What can be wrong with the database, in words that hold no part of the connection string.

use std::error::Error as _;

/// Why the database cannot be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseProblem {
    /// The first attempt is not over yet.
    #[error("the database is still being opened")]
    StillOpening,
    /// No route, no listener, or no such host.
    #[error("the database cannot be reached; is the host right, and is the database running?")]
    Unreachable,
    /// It was reached but gave no answer in time.
    #[error("the database did not answer in time")]
    Slow,
    /// User name or password refused.
    #[error("the database refused the user name or the password")]
    BadCredentials,
    /// The server has no database of that name.
    #[error("the server has no database of the name in DATABASE_URL")]
    NoSuchDatabase,
    /// The secure connection failed.
    #[error("no secure connection to the database; check sslmode in DATABASE_URL")]
    Tls,
    /// The server's connection limit is reached.
    #[error("the database takes no more connections")]
    TooManyConnections,
    /// The role may not do what we need.
    #[error("the database user may not create or change tables")]
    NotAllowed,
    /// A SQLite file or its folder is not writable.
    #[error("the SQLite file cannot be opened; is its folder there and writable?")]
    FileNotWritable,
    /// Another kind of answer; the log has its SQLSTATE.
    #[error("the database answered with an error; the log has its code")]
    Other,
}

impl DatabaseProblem {
    /// A stable name for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::StillOpening => "still_opening",
            Self::Unreachable => "unreachable",
            Self::Slow => "slow",
            Self::BadCredentials => "bad_credentials",
            Self::NoSuchDatabase => "no_such_database",
            Self::Tls => "tls",
            Self::TooManyConnections => "too_many_connections",
            Self::NotAllowed => "not_allowed",
            Self::FileNotWritable => "file_not_writable",
            Self::Other => "other",
        }
    }

    fn from_code(code: &str) -> Self {
        match code {
            "28P01" | "28000" => Self::BadCredentials,
            "3D000" => Self::NoSuchDatabase,
            "53300" => Self::TooManyConnections,
            "42501" | "25006" => Self::NotAllowed,
            // The server starts up, shuts down, or has no primary.
            "57P01" | "57P02" | "57P03" => Self::Unreachable,
            // SQLite: CANTOPEN, READONLY and IOERR with their extended forms.
            "14" | "8" | "10" | "1032" | "1544" => Self::FileNotWritable,
            // SQLite: BUSY. Postgres: lock_timeout.
            "5" | "55P03" | "57014" => Self::Slow,
            _ => Self::Other,
        }
    }
}

impl From<sqlx::Error> for DatabaseProblem {
    fn from(error: sqlx::Error) -> Self {
        let problem = match &error {
            sqlx::Error::Database(answer) => {
                let code = answer.code().unwrap_or_default();
                let problem = Self::from_code(&code);
                if problem == Self::Other {
                    // The code only: the server's sentence may quote values.
                    tracing::warn!(%code, "an unexpected answer of the database");
                }
                problem
            }
            sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => Self::Unreachable,
            sqlx::Error::Tls(_) => Self::Tls,
            sqlx::Error::PoolTimedOut => Self::Slow,
            sqlx::Error::PoolClosed => Self::Unreachable,
            _ => Self::Other,
        };
        if problem == Self::Other && !matches!(error, sqlx::Error::Database(_)) {
            tracing::warn!(
                has_source = error.source().is_some(),
                "an unexpected database error"
            );
        }
        problem
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_codes_have_their_own_words() {
        assert_eq!(
            DatabaseProblem::from_code("28P01"),
            DatabaseProblem::BadCredentials
        );
        assert_eq!(
            DatabaseProblem::from_code("3D000"),
            DatabaseProblem::NoSuchDatabase
        );
        assert_eq!(
            DatabaseProblem::from_code("14"),
            DatabaseProblem::FileNotWritable
        );
        assert_eq!(DatabaseProblem::from_code("XX000"), DatabaseProblem::Other);
        assert_eq!(
            DatabaseProblem::from(sqlx::Error::PoolTimedOut),
            DatabaseProblem::Slow
        );
    }
}
