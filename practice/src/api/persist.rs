//! The objects on disk: one SQLite file written by a dedicated thread with group commit, so that
//! a write that was answered survives SIGKILL of the process.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use rusqlite::{Connection, params};
use serde_json::Value;
use tokio::sync::oneshot;

/// How many changes one commit may take together.
const BATCH: usize = 512;

/// One change of the stored state.
#[derive(Debug)]
pub enum Change {
    Put {
        storage: &'static str,
        namespace: String,
        name: String,
        rv: u64,
        object: Arc<Value>,
    },
    Delete {
        storage: &'static str,
        namespace: String,
        name: String,
        rv: u64,
    },
}

/// What the file held.
#[derive(Debug)]
pub struct Loaded {
    pub objects: Vec<(String, String, String, Value)>,
    pub highest_rv: u64,
}

/// Failed to keep the objects.
#[derive(Debug, thiserror::Error)]
pub enum PersistError {
    #[error("open the practice cluster's objects: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("read a stored object of the practice cluster: {0}")]
    Decode(#[from] serde_json::Error),
    #[error("keep the practice cluster's objects: {0}")]
    Thread(#[from] std::io::Error),
}

type Done = oneshot::Sender<Result<(), String>>;

/// The handle to the writing thread. Dropping it ends the thread after what is queued.
#[derive(Debug)]
pub struct Writer {
    queue: Option<Sender<(Vec<Change>, Done)>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Opens or creates the file, reads everything and starts the writing thread.
    pub fn open(path: &Path) -> Result<(Self, Loaded), PersistError> {
        // SQLite gives its other files the mode of this one.
        std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS objects (
                 storage TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
                 body TEXT NOT NULL,
                 PRIMARY KEY (storage, namespace, name)) WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;",
        )?;
        let loaded = load(&connection)?;
        let (queue, jobs) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("practice-store".to_owned())
            .spawn(move || write_until_closed(connection, &jobs))?;
        Ok((
            Self {
                queue: Some(queue),
                thread: Some(thread),
            },
            loaded,
        ))
    }

    /// Queues changes in the order of the calls; the receiver answers when they are on disk.
    pub fn submit(&self, changes: Vec<Change>) -> oneshot::Receiver<Result<(), String>> {
        let (done, answer) = oneshot::channel();
        if let Some(queue) = &self.queue {
            // A closed queue drops `done`, which the caller sees as a failed write.
            let _ = queue.send((changes, done));
        }
        answer
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn load(connection: &Connection) -> Result<Loaded, PersistError> {
    let mut statement = connection.prepare("SELECT storage, namespace, name, body FROM objects")?;
    let rows = statement.query_map([], |row| {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get::<_, String>(3)?,
        ))
    })?;
    let mut objects = Vec::new();
    for row in rows {
        let (storage, namespace, name, body): (String, String, String, String) = row?;
        objects.push((storage, namespace, name, serde_json::from_str(&body)?));
    }
    let highest: Option<i64> =
        connection.query_row("SELECT max(value) FROM meta WHERE key = 'rv'", [], |row| {
            row.get(0)
        })?;
    Ok(Loaded {
        objects,
        highest_rv: highest.and_then(|v| u64::try_from(v).ok()).unwrap_or(0),
    })
}

fn write_until_closed(mut connection: Connection, jobs: &Receiver<(Vec<Change>, Done)>) {
    while let Ok(first) = jobs.recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH {
            match jobs.try_recv() {
                Ok(job) => batch.push(job),
                Err(_) => break,
            }
        }
        let result = write_batch(&mut connection, &batch).map_err(|error| error.to_string());
        if let Err(error) = &result {
            tracing::error!(%error, "the practice cluster's objects could not be stored");
        }
        for (_, done) in batch {
            let _ = done.send(result.clone());
        }
    }
}

fn write_batch(
    connection: &mut Connection,
    batch: &[(Vec<Change>, Done)],
) -> Result<(), PersistError> {
    let transaction = connection.transaction()?;
    let mut highest = 0;
    {
        let mut put = transaction.prepare_cached(
            "INSERT INTO objects (storage, namespace, name, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (storage, namespace, name) DO UPDATE SET body = excluded.body",
        )?;
        let mut delete = transaction.prepare_cached(
            "DELETE FROM objects WHERE storage = ?1 AND namespace = ?2 AND name = ?3",
        )?;
        for change in batch.iter().flat_map(|(changes, _)| changes) {
            match change {
                Change::Put {
                    storage,
                    namespace,
                    name,
                    rv,
                    object,
                } => {
                    put.execute(params![
                        storage,
                        namespace,
                        name,
                        serde_json::to_string(&**object)?
                    ])?;
                    highest = highest.max(*rv);
                }
                Change::Delete {
                    storage,
                    namespace,
                    name,
                    rv,
                } => {
                    delete.execute(params![storage, namespace, name])?;
                    highest = highest.max(*rv);
                }
            }
        }
        transaction.execute(
            "INSERT INTO meta (key, value) VALUES ('rv', ?1)
             ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)",
            params![i64::try_from(highest).unwrap_or(i64::MAX)],
        )?;
    }
    transaction.commit()?;
    Ok(())
}
