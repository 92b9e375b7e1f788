//! The schema, step by step. Safe when several servers start at once on one database.

use sqlx::{AnyPool, Row};

use super::{DatabaseProblem, Flavor, now_ms};

/// Each step is a list of statements; a published step is never changed, only followed by another.
/// `{ID}` is the database's own way to number rows.
const STEPS: &[&[&str]] = &[FIRST, ACCOUNTS];

const FIRST: &[&str] = &[
    "CREATE TABLE todos (
        id {ID},
        visitor TEXT NOT NULL,
        title TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        completed_at BIGINT
    )",
    "CREATE INDEX todos_of_visitor ON todos (visitor, id)",
    "CREATE TABLE messages (
        id {ID},
        visitor TEXT NOT NULL,
        role TEXT NOT NULL,
        content TEXT NOT NULL,
        actions TEXT NOT NULL,
        created_at BIGINT NOT NULL
    )",
    "CREATE INDEX messages_of_visitor ON messages (visitor, id)",
];

const ACCOUNTS: &[&str] = &["CREATE TABLE accounts (
        name TEXT PRIMARY KEY,
        shown_as TEXT NOT NULL,
        visitor TEXT NOT NULL UNIQUE,
        salt TEXT NOT NULL,
        pin_hash TEXT NOT NULL,
        failures BIGINT NOT NULL,
        failed_at BIGINT NOT NULL,
        created_at BIGINT NOT NULL
    )"];

/// Any fixed number will do; it only has to be the same in every server.
const LOCK: i64 = 0x746f_646f_6368_6174;

/// Brings the schema up to date and returns its version.
pub(super) async fn run(pool: &AnyPool, flavor: Flavor) -> Result<i64, DatabaseProblem> {
    // SQLite's IMMEDIATE takes the write lock now instead of failing at the first write.
    let begin = match flavor {
        Flavor::Postgres => "BEGIN",
        Flavor::Sqlite => "BEGIN IMMEDIATE",
    };
    let mut transaction = pool.begin_with(begin).await?;
    if flavor == Flavor::Postgres {
        sqlx::query("SET LOCAL lock_timeout = '30s'")
            .execute(&mut *transaction)
            .await?;
        // Held to the end of the transaction rather than of the session: a pooler in front of
        // Postgres (Neon's, for one) may give the session to somebody else.
        sqlx::query("SELECT pg_advisory_xact_lock($1)::text")
            .bind(LOCK)
            .execute(&mut *transaction)
            .await?;
    }
    sqlx::query("CREATE TABLE IF NOT EXISTS schema_steps (step BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL)")
        .execute(&mut *transaction)
        .await?;
    let row = sqlx::query("SELECT COUNT(*) AS applied FROM schema_steps")
        .fetch_one(&mut *transaction)
        .await?;
    let mut version: i64 = row.try_get("applied")?;
    let done = usize::try_from(version).unwrap_or(0);
    for step in STEPS.iter().skip(done) {
        for statement in *step {
            let statement = statement.replace("{ID}", numbered(flavor));
            sqlx::query(&statement).execute(&mut *transaction).await?;
        }
        version += 1;
        sqlx::query("INSERT INTO schema_steps (step, applied_at) VALUES ($1, $2)")
            .bind(version)
            .bind(now_ms())
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(version)
}

fn numbered(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::Postgres => "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        Flavor::Sqlite => "INTEGER PRIMARY KEY AUTOINCREMENT",
    }
}
