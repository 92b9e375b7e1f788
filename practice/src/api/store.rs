//! The objects in memory: every kind's current state, one global resource version and a bounded
//! history per kind from which watches resume. Writes are transactions, durable when answered.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use super::kinds::{KINDS, Kind};
use super::persist::{Change, PersistError, Writer};
use super::status::StatusError;

/// Events kept per kind for resuming watches.
const HISTORY: usize = 4096;
/// Distance put between the versions of two runs: an answer lost in a crash never shares its
/// version with a later object.
const RESTART_GAP: u64 = 1000;

/// Namespace (empty for cluster-scoped kinds) and name.
pub type Key = (String, String);

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Added,
    Modified,
    Deleted,
}

/// One step of a kind's history.
#[derive(Clone, Debug)]
pub struct Event {
    pub rv: u64,
    pub action: Action,
    pub object: Arc<Value>,
    /// The state before, for selectors that the object enters or leaves.
    pub previous: Option<Arc<Value>>,
}

#[derive(Debug)]
struct Shelf {
    objects: BTreeMap<Key, Arc<Value>>,
    history: VecDeque<Event>,
    /// Versions up to this one are no longer in the history.
    forgotten: u64,
    changed: watch::Sender<u64>,
}

impl Shelf {
    /// A shelf whose history begins now.
    fn new(objects: BTreeMap<Key, Arc<Value>>, rv: u64) -> Self {
        Self {
            objects,
            history: VecDeque::new(),
            forgotten: rv,
            changed: watch::channel(rv).0,
        }
    }
}

#[derive(Debug)]
struct Inner {
    rv: u64,
    shelves: HashMap<&'static str, Shelf>,
    /// Set when the disk refused a write: memory is then ahead and no more writes are taken.
    broken: Option<String>,
}

/// The store of one practice cluster.
#[derive(Debug)]
pub struct Store {
    inner: Mutex<Inner>,
    writer: Writer,
}

/// A consistent view of one kind.
#[derive(Debug)]
pub struct Snapshot {
    pub rv: u64,
    pub objects: Vec<Arc<Value>>,
}

impl Store {
    /// Opens the store kept in this file.
    pub fn open(path: &Path) -> Result<Self, PersistError> {
        let (writer, loaded) = Writer::open(path)?;
        let mut objects: HashMap<&'static str, BTreeMap<Key, Arc<Value>>> = HashMap::new();
        let mut rv = loaded.highest_rv;
        for (storage, namespace, name, object) in loaded.objects {
            rv = rv.max(version_of(&object));
            // A kind that is no longer served keeps its rows on disk and is not loaded.
            // Objects of custom kinds are stored under `plural.group`.
            let storage = match super::kinds::by_storage(&storage) {
                Some(kind) => kind.storage,
                None if storage.contains('.') => match objects.get_key_value(storage.as_str()) {
                    Some((known, _)) => *known,
                    None => Box::leak(storage.into_boxed_str()),
                },
                None => continue,
            };
            objects
                .entry(storage)
                .or_default()
                .insert((namespace, name), Arc::new(object));
        }
        let rv = if rv == 0 { 1 } else { rv + RESTART_GAP };
        for kind in KINDS {
            objects.entry(kind.storage).or_default();
        }
        let shelves = objects
            .into_iter()
            .map(|(storage, objects)| (storage, Shelf::new(objects, rv)))
            .collect();
        Ok(Self {
            inner: Mutex::new(Inner {
                rv,
                shelves,
                broken: None,
            }),
            writer,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while holding the lock can only come from a closure that staged its changes, so
        // the state itself is whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One object.
    pub fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.lock().get(kind.storage, namespace, name)
    }

    /// All objects of a kind, or those of one namespace, in key order.
    pub fn list(&self, kind: &Kind, namespace: Option<&str>) -> Snapshot {
        let inner = self.lock();
        Snapshot {
            rv: inner.rv,
            objects: inner.list(kind.storage, namespace),
        }
    }

    /// The newest version.
    pub fn current_rv(&self) -> u64 {
        self.lock().rv
    }

    /// The kind's events after `after`, or the error that says they are gone.
    pub fn events_after(&self, kind: &Kind, after: u64) -> Result<Vec<Event>, StatusError> {
        let inner = self.lock();
        let Some(shelf) = inner.shelves.get(kind.storage) else {
            return Ok(Vec::new());
        };
        if after < shelf.forgotten {
            return Err(StatusError::expired(after, shelf.forgotten));
        }
        let start = shelf.history.partition_point(|event| event.rv <= after);
        Ok(shelf.history.iter().skip(start).cloned().collect())
    }

    /// The version of the kind's last change; never 0.
    pub fn changed_at(&self, kind: &Kind) -> u64 {
        let inner = self.lock();
        let shelf = inner.shelves.get(kind.storage);
        shelf.map_or(1, |shelf| (*shelf.changed.borrow()).max(1))
    }

    /// Makes room for the objects of a custom kind.
    pub fn make_shelf(&self, kind: &'static Kind) {
        let mut inner = self.lock();
        let rv = inner.rv;
        inner
            .shelves
            .entry(kind.storage)
            .or_insert_with(|| Shelf::new(BTreeMap::new(), rv));
    }

    /// A signal that fires when the kind changed.
    pub fn subscribe(&self, kind: &Kind) -> Option<watch::Receiver<u64>> {
        self.lock()
            .shelves
            .get(kind.storage)
            .map(|shelf| shelf.changed.subscribe())
    }

    /// Runs a transaction: all of its changes happen, or none. The answer comes when the changes
    /// are on disk. A dry run only says what would have happened.
    pub async fn write<T>(
        &self,
        dry_run: bool,
        transaction: impl FnOnce(&mut Transaction<'_>) -> Result<T, StatusError>,
    ) -> Result<T, StatusError> {
        let (value, stored) = {
            let mut inner = self.lock();
            if let Some(why) = &inner.broken {
                return Err(StatusError::internal(why));
            }
            let mut open = Transaction {
                rv: inner.rv,
                inner: &inner,
                staged: Vec::new(),
            };
            let value = transaction(&mut open)?;
            let (rv, staged) = (open.rv, open.staged);
            if staged.is_empty() || dry_run {
                return Ok(value);
            }
            let changes = inner.apply(rv, staged);
            // Submitted under the lock, so that the disk sees the changes in their order.
            (value, self.writer.submit(changes))
        };
        match stored.await {
            Ok(Ok(())) => Ok(value),
            Ok(Err(why)) => Err(self.refuse_further_writes(why)),
            Err(_) => Err(self.refuse_further_writes("the store has been closed".to_owned())),
        }
    }

    fn refuse_further_writes(&self, why: String) -> StatusError {
        let error = StatusError::internal(&why);
        self.lock().broken.get_or_insert(why);
        error
    }
}

impl Inner {
    fn get(&self, storage: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let key = (namespace.to_owned(), name.to_owned());
        self.shelves.get(storage)?.objects.get(&key).cloned()
    }

    fn list(&self, storage: &str, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let Some(shelf) = self.shelves.get(storage) else {
            return Vec::new();
        };
        match namespace {
            None => shelf.objects.values().cloned().collect(),
            Some(namespace) => shelf
                .objects
                .range((namespace.to_owned(), String::new())..)
                .take_while(|((ns, _), _)| ns == namespace)
                .map(|(_, object)| object.clone())
                .collect(),
        }
    }

    fn apply(&mut self, rv: u64, staged: Vec<Staged>) -> Vec<Change> {
        self.rv = rv;
        let mut changes = Vec::with_capacity(staged.len());
        for Staged {
            storage,
            key,
            rv,
            object,
            deleted,
        } in staged
        {
            let Some(shelf) = self.shelves.get_mut(storage) else {
                continue;
            };
            let (namespace, name) = key.clone();
            let (action, previous) = if deleted {
                changes.push(Change::Delete {
                    storage,
                    namespace,
                    name,
                    rv,
                });
                (Action::Deleted, shelf.objects.remove(&key))
            } else {
                changes.push(Change::Put {
                    storage,
                    namespace,
                    name,
                    rv,
                    object: object.clone(),
                });
                match shelf.objects.insert(key, object.clone()) {
                    None => (Action::Added, None),
                    Some(previous) => (Action::Modified, Some(previous)),
                }
            };
            shelf.history.push_back(Event {
                rv,
                action,
                object,
                previous,
            });
            if shelf.history.len() > HISTORY
                && let Some(oldest) = shelf.history.pop_front()
            {
                shelf.forgotten = oldest.rv;
            }
            shelf.changed.send_replace(rv);
        }
        changes
    }
}

#[derive(Debug)]
struct Staged {
    storage: &'static str,
    key: Key,
    rv: u64,
    object: Arc<Value>,
    deleted: bool,
}

/// A set of changes being made; it reads its own writes.
#[derive(Debug)]
pub struct Transaction<'a> {
    inner: &'a Inner,
    rv: u64,
    staged: Vec<Staged>,
}

impl Transaction<'_> {
    /// One object as this transaction sees it.
    pub fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let mine = self
            .staged
            .iter()
            .rev()
            .find(|s| s.storage == kind.storage && s.key.0 == namespace && s.key.1 == name);
        match mine {
            Some(staged) if staged.deleted => None,
            Some(staged) => Some(staged.object.clone()),
            None => self.inner.get(kind.storage, namespace, name),
        }
    }

    /// The committed objects of a kind (without this transaction's own changes).
    pub fn list(&self, kind: &Kind, namespace: Option<&str>) -> Vec<Arc<Value>> {
        self.inner.list(kind.storage, namespace)
    }

    /// Writes an object under its own name and returns it with its new version.
    pub fn put(&mut self, kind: &Kind, mut object: Value) -> Arc<Value> {
        self.rv += 1;
        object["metadata"]["resourceVersion"] = self.rv.to_string().into();
        let object = Arc::new(object);
        self.stage(kind, object.clone(), false);
        object
    }

    /// Removes an object; the answer is its last state with the version of the removal.
    pub fn delete(&mut self, kind: &Kind, object: &Value) -> Arc<Value> {
        self.rv += 1;
        let mut last = object.clone();
        last["metadata"]["resourceVersion"] = self.rv.to_string().into();
        let last = Arc::new(last);
        self.stage(kind, last.clone(), true);
        last
    }

    fn stage(&mut self, kind: &Kind, object: Arc<Value>, deleted: bool) {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or("").to_owned();
        let key = (text("namespace"), text("name"));
        self.staged.push(Staged {
            storage: kind.storage,
            key,
            rv: self.rv,
            object,
            deleted,
        });
    }
}

/// An object's resource version; 0 when it has none.
pub fn version_of(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"]
        .as_str()
        .and_then(|v| v.parse().ok())
        .unwrap_or(0)
}
