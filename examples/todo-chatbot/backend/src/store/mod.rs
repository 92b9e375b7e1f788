//! The database: Postgres in earnest, SQLite for a rehearsal, behind the same few statements.
//! It opens in the background: the server lives without it, and readiness says what is wrong.

pub mod accounts;
pub mod conversation;
mod migrations;
mod problem;
pub mod todos;
mod url;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::{AnyConnection, AnyPool, Connection, any::AnyPoolOptions};
use tokio::{sync::watch, time::timeout};

pub use self::{
    problem::DatabaseProblem,
    url::{DatabaseUrl, Flavor},
};

/// How long a request waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(5);
/// Deadline of each half of the readiness check: the question, then the search for the reason.
const CHECK: Duration = Duration::from_millis(1500);
/// Deadline of one attempt to reach a database and bring its schema up to date.
const OPEN: Duration = Duration::from_secs(60);
/// The longest pause between two such attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Todos and conversations of all visitors.
#[derive(Clone, Debug)]
pub struct Store {
    pool: AnyPool,
    url: DatabaseUrl,
    schema: watch::Receiver<Result<(), DatabaseProblem>>,
}

impl Store {
    /// Starts opening the database and returns at once. Needs a running Tokio runtime.
    pub fn open(url: DatabaseUrl) -> Self {
        sqlx::any::install_default_drivers();
        let mut options = AnyPoolOptions::new().acquire_timeout(ACQUIRE);
        options = match url.flavor() {
            Flavor::Postgres => options
                .max_connections(8)
                .max_lifetime(Duration::from_secs(1800)),
            // One connection: writers never collide, and an in-memory database lives in it.
            Flavor::Sqlite => options
                .max_connections(1)
                .idle_timeout(None)
                .max_lifetime(None),
        };
        let pool = options.connect_lazy_with(url.options());
        let (report, schema) = watch::channel(Err(DatabaseProblem::StillOpening));
        let opening = Opening {
            pool: pool.clone(),
            url: url.clone(),
            report,
        };
        tokio::spawn(opening.run());
        Self { pool, url, schema }
    }

    /// Whether the database answers and its schema is in place.
    pub async fn check(&self) -> Result<(), DatabaseProblem> {
        (*self.schema.borrow())?;
        let question = sqlx::query("SELECT 1").execute(&self.pool);
        match timeout(CHECK, question).await {
            Ok(Ok(_)) => Ok(()),
            // The pool hides the reason behind its own time limit, so ask once without it.
            Ok(Err(_)) | Err(_) => Err(match timeout(CHECK, reach(&self.url)).await {
                Ok(Err(problem)) => problem,
                Ok(Ok(())) | Err(_) => DatabaseProblem::Slow,
            }),
        }
    }

    /// The pool, once the schema is in place.
    fn ready_pool(&self) -> Result<&AnyPool, DatabaseProblem> {
        (*self.schema.borrow())?;
        Ok(&self.pool)
    }

    /// Closes all connections; what is under way may finish.
    pub async fn close(&self) {
        if timeout(ACQUIRE, self.pool.close()).await.is_err() {
            tracing::warn!("the database connections did not close in time");
        }
    }
}

/// One connection outside the pool, for the true reason of a failure.
async fn reach(url: &DatabaseUrl) -> Result<(), DatabaseProblem> {
    if url.is_in_memory() {
        return Ok(());
    }
    let connection = AnyConnection::connect_with(&url.options()).await?;
    // Reaching it was the question; a failed goodbye changes nothing.
    let _ = connection.close().await;
    Ok(())
}

/// The background task that reaches the database and migrates it, however long that takes.
struct Opening {
    pool: AnyPool,
    url: DatabaseUrl,
    report: watch::Sender<Result<(), DatabaseProblem>>,
}

impl Opening {
    async fn run(self) {
        let mut pause = Duration::from_millis(250);
        loop {
            let attempt = timeout(OPEN, self.attempt()).await;
            match attempt.unwrap_or(Err(DatabaseProblem::Slow)) {
                Ok(version) => {
                    tracing::info!(version, "the database is ready");
                    _ = self.report.send_replace(Ok(()));
                    return;
                }
                Err(problem) => {
                    let retry_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                    tracing::warn!(
                        code = problem.code(),
                        retry_ms,
                        "the database is not ready: {problem}"
                    );
                    _ = self.report.send_replace(Err(problem));
                }
            }
            // Nobody is left to hear about it: the server is gone.
            if self.report.is_closed() || self.pool.is_closed() {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt(&self) -> Result<i64, DatabaseProblem> {
        self.url.prepare().await?;
        reach(&self.url).await?;
        migrations::run(&self.pool, self.url.flavor()).await
    }
}

/// Now, in milliseconds since 1970.
fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
