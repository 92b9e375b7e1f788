//! A shared cache of one kind: one watch feeds it, and every controller hears of each change
//! with the object as it was before and as it is now.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use futures::{StreamExt, pin_mut};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::key::ObjectKey;

/// What happened to one object.
#[derive(Debug)]
pub enum Change<K> {
    Added(Arc<K>),
    Updated { old: Arc<K>, new: Arc<K> },
    Deleted(Arc<K>),
}

impl<K> Change<K> {
    /// The object after the change; the last known state of a deleted one.
    pub fn object(&self) -> &Arc<K> {
        match self {
            Self::Added(object) | Self::Deleted(object) => object,
            Self::Updated { new, .. } => new,
        }
    }

    /// The object before the change, where there was one.
    pub fn old(&self) -> Option<&Arc<K>> {
        match self {
            Self::Updated { old, .. } => Some(old),
            Self::Added(_) | Self::Deleted(_) => None,
        }
    }
}

type Handler<K> = Box<dyn Fn(&Change<K>) + Send + Sync>;

/// The cache of one kind, and who wants to hear of its changes.
pub struct Informer<K> {
    objects: RwLock<BTreeMap<ObjectKey, Arc<K>>>,
    handlers: RwLock<Vec<Handler<K>>>,
    synced: watch::Sender<bool>,
}

impl<K> fmt::Debug for Informer<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Informer").finish_non_exhaustive()
    }
}

impl<K> Default for Informer<K> {
    fn default() -> Self {
        Self {
            objects: RwLock::default(),
            handlers: RwLock::default(),
            synced: watch::Sender::new(false),
        }
    }
}

impl<K> Informer<K>
where
    K: Resource + Clone + fmt::Debug + DeserializeOwned + Send + Sync + 'static,
{
    /// Registers a listener. It runs inside the watch: it may only look and enqueue.
    pub fn on_change(&self, handler: impl Fn(&Change<K>) + Send + Sync + 'static) {
        self.handlers
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Box::new(handler));
    }

    /// One object, as last seen.
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<K>> {
        self.objects
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
    }

    /// All objects of one namespace, by name.
    pub fn in_namespace(&self, namespace: &str) -> Vec<Arc<K>> {
        let start = ObjectKey::new(namespace, "");
        self.objects
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .range((Bound::Included(start), Bound::Unbounded))
            .take_while(|(key, _)| key.namespace == namespace)
            .map(|(_, object)| Arc::clone(object))
            .collect()
    }

    /// All objects.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.objects
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// Waits until the cache holds everything that existed when the watch began.
    pub async fn wait_synced(&self) {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self.synced.subscribe().wait_for(|synced| *synced).await;
    }

    /// Watches until `shutdown`; the watch reconnects and relists by itself. `prune` drops what
    /// nobody reads before it is kept.
    pub async fn run(&self, api: Api<K>, prune: fn(&mut K), shutdown: &CancellationToken) {
        let events = watcher(api, watcher::Config::default())
            .modify(prune)
            .default_backoff();
        pin_mut!(events);
        let mut listing: Vec<K> = Vec::new();
        loop {
            let event = tokio::select! {
                () = shutdown.cancelled() => return,
                event = events.next() => event,
            };
            match event {
                None => return,
                Some(Err(error)) => {
                    tracing::debug!(%error, kind = std::any::type_name::<K>(), "watch interrupted");
                }
                Some(Ok(watcher::Event::Init)) => listing.clear(),
                Some(Ok(watcher::Event::InitApply(object))) => listing.push(object),
                Some(Ok(watcher::Event::InitDone)) => self.replace(std::mem::take(&mut listing)),
                Some(Ok(watcher::Event::Apply(object))) => self.apply(object),
                Some(Ok(watcher::Event::Delete(object))) => self.delete(object),
            }
        }
    }

    /// Takes a whole listing as the new truth and tells the listeners the differences.
    pub fn replace(&self, listing: Vec<K>) {
        let kept: HashSet<ObjectKey> = listing.iter().map(ObjectKey::of).collect();
        let gone: Vec<Arc<K>> = self
            .objects
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter(|(key, _)| !kept.contains(key))
            .map(|(_, object)| Arc::clone(object))
            .collect();
        for object in gone {
            self.delete(Arc::unwrap_or_clone(object));
        }
        for object in listing {
            self.apply(object);
        }
        self.synced.send_replace(true);
    }

    /// Takes one object's new state.
    pub fn apply(&self, object: K) {
        let new = Arc::new(object);
        let old = self
            .objects
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(ObjectKey::of(new.as_ref()), Arc::clone(&new));
        match old {
            None => self.tell(&Change::Added(new)),
            // A new object under an old name: its predecessor's deletion was not seen.
            Some(old) if old.meta().uid != new.meta().uid => {
                self.tell(&Change::Deleted(old));
                self.tell(&Change::Added(new));
            }
            Some(old) if old.resource_version() == new.resource_version() => {}
            Some(old) => self.tell(&Change::Updated { old, new }),
        }
    }

    /// Takes one object's end.
    pub fn delete(&self, object: K) {
        self.objects
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&ObjectKey::of(&object));
        self.tell(&Change::Deleted(Arc::new(object)));
    }

    fn tell(&self, change: &Change<K>) {
        for handler in self
            .handlers
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            handler(change);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    fn config_map(name: &str, uid: &str, version: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.namespace = Some("shop".to_owned());
        object.metadata.name = Some(name.to_owned());
        object.metadata.uid = Some(uid.to_owned());
        object.metadata.resource_version = Some(version.to_owned());
        object
    }

    fn heard(informer: &Informer<ConfigMap>) -> Arc<Mutex<Vec<String>>> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        informer.on_change(move |change| {
            let word = match change {
                Change::Added(_) => "added",
                Change::Updated { .. } => "updated",
                Change::Deleted(_) => "deleted",
            };
            let meta = &change.object().metadata;
            log.lock()
                .unwrap()
                .push(format!("{word} {}", meta.uid.as_deref().unwrap()));
        });
        heard
    }

    #[test]
    fn a_relist_tells_only_the_differences() {
        let informer = Informer::default();
        informer.replace(vec![config_map("a", "1", "1"), config_map("b", "2", "1")]);
        let heard = heard(&informer);
        informer.replace(vec![config_map("b", "2", "1"), config_map("c", "3", "2")]);
        assert_eq!(*heard.lock().unwrap(), ["deleted 1", "added 3"]);
        assert_eq!(informer.in_namespace("shop").len(), 2);
        assert!(informer.in_namespace("sho").is_empty());
    }

    #[test]
    fn a_recreated_object_is_a_deletion_and_an_addition() {
        let informer = Informer::default();
        informer.apply(config_map("a", "1", "1"));
        let heard = heard(&informer);
        informer.apply(config_map("a", "2", "5"));
        informer.apply(config_map("a", "2", "6"));
        assert_eq!(
            *heard.lock().unwrap(),
            ["deleted 1", "added 2", "updated 2"]
        );
    }
}
