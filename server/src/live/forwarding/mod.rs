//! Ports of this machine that lead to a Service, and stay when its pods come and go: every connection
//! goes to a pod that is ready at that moment. They end with the cluster that is in use, or by a wish.

mod connection;
mod target;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use app::model::{Failure, ForwardView, PanelEvent};
use app::ports::Forwards;
use async_trait::async_trait;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::connection::Connection;
use super::{LiveRoom, words};
use crate::cluster::{ClusterRoom, Connected};
use crate::engine::{Voice, clock};

/// More are a mistake.
const MOST: usize = 16;
/// How long nobody is let in after one could not be.
const AFTER_A_REFUSAL: Duration = Duration::from_millis(50);
/// Connections through one port at once; browsers take six.
const MOST_CONNECTIONS: usize = 128;

type Key = (String, u16);

/// The forwards that are open; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Registry(Arc<Mutex<BTreeMap<Key, Open>>>);

#[derive(Debug)]
struct Open {
    view: ForwardView,
    stop: CancellationToken,
}

impl Open {
    fn is_open(&self) -> bool {
        !self.stop.is_cancelled()
    }
}

impl Registry {
    fn find(&self, key: &Key) -> Option<ForwardView> {
        let all = self.lock();
        all.get(key)
            .filter(|open| open.is_open())
            .map(|open| open.view.clone())
    }

    /// Keeps it, unless there is one for the same port already: then that one is the answer.
    fn keep(&self, key: &Key, open: Open) -> Result<(), Box<ForwardView>> {
        let mut all = self.lock();
        if let Some(known) = all.get(key).filter(|open| open.is_open()) {
            return Err(Box::new(known.view.clone()));
        }
        all.insert(key.clone(), open);
        Ok(())
    }

    /// Forgets the one that had this port of the machine; another may have taken its place.
    fn forget(&self, key: &Key, local_port: u16) {
        let mut all = self.lock();
        if all
            .get(key)
            .is_some_and(|open| open.view.local_port == local_port)
        {
            all.remove(key);
        }
    }

    fn views(&self) -> Vec<ForwardView> {
        let all = self.lock();
        all.values()
            .filter(|open| open.is_open())
            .map(|open| open.view.clone())
            .collect()
    }

    /// Publishes only what differs: a page may open many connections.
    fn note(&self, key: &Key, pod: Option<&str>, problem: Option<&str>, voice: &Voice) {
        let changed = self.lock().get_mut(key).is_some_and(|open| {
            let before = open.view.clone();
            if pod.is_some() {
                open.view.pod = pod.map(str::to_owned);
            }
            open.view.problem = problem.map(str::to_owned);
            open.view != before
        });
        if changed {
            self.publish(voice);
        }
    }

    fn publish(&self, voice: &Voice) {
        voice.publish(PanelEvent::Forwards(self.views()));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Forwards for LiveRoom {
    async fn open(&self, service: String, port: u16) -> Result<ForwardView, Failure> {
        let connected = self.cluster.changeable()?;
        let key = (service, port);
        if let Some(known) = self.forwards.find(&key) {
            return Ok(known);
        }
        if self.forwards.views().len() >= MOST {
            return Err(words::too_many_forwards(MOST).into());
        }
        let (service, port) = (&key.0, key.1);
        let https = target::speaks_tls(&connected, &self.namespace(), service, port)
            .await
            .map_err(|finding| *finding)?;
        let what = format!("Forward a port of this machine to port {port} of Service {service}");
        self.core.journal.audit("operator", &what).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(|error| words::no_local_port(service, &error))?;
        let local_port = listener
            .local_addr()
            .map_err(|error| words::no_local_port(service, &error))?
            .port();
        let view = ForwardView {
            service: service.clone(),
            port,
            local_port,
            https,
            since: clock::now(),
            pod: None,
            problem: None,
        };
        let stop = connected.gone.child_token();
        let open = Open {
            view: view.clone(),
            stop: stop.clone(),
        };
        if let Err(known) = self.forwards.keep(&key, open) {
            return Ok(*known);
        }
        self.forwards.publish(&connected.voice);
        let forward = Forward {
            key,
            local_port,
            registry: self.forwards.clone(),
            cluster: self.cluster.clone(),
            core: self.core.clone(),
            namespace: self.namespace(),
            voice: connected.voice.clone(),
            stop,
        };
        self.core.tasks.spawn(forward.listen(listener));
        Ok(view)
    }

    async fn close(&self, service: String, port: u16) -> Result<(), Failure> {
        if let Some(open) = self.forwards.lock().get(&(service, port)) {
            open.stop.cancel();
        }
        // Without a cluster there is nothing to tell: its forwards went with it.
        if let Some(connected) = self.cluster.current() {
            self.forwards.publish(&connected.voice);
        }
        Ok(())
    }
}

/// One open port.
#[derive(Clone, Debug)]
struct Forward {
    key: Key,
    local_port: u16,
    registry: Registry,
    cluster: ClusterRoom,
    core: crate::engine::Core,
    namespace: String,
    voice: Voice,
    stop: CancellationToken,
}

impl Forward {
    async fn listen(self, listener: TcpListener) {
        let places = Arc::new(tokio::sync::Semaphore::new(MOST_CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let (Ok((client, _)), Ok(place)) = (accepted, Arc::clone(&places).try_acquire_owned())
            else {
                // Out of files, or a flood: the one that came last is let go, and others get time to end.
                tokio::time::sleep(AFTER_A_REFUSAL).await;
                continue;
            };
            let connection = Connection {
                forward: self.clone(),
            };
            self.core.tasks.spawn(async move {
                let stop = connection.forward.stop.clone();
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = connection.carry(client) => {}
                }
                drop(place);
            });
        }
        drop(listener);
        self.registry.forget(&self.key, self.local_port);
        self.registry.publish(&self.voice);
    }

    fn connected(&self) -> Result<Arc<Connected>, Failure> {
        self.cluster.changeable()
    }

    fn note(&self, pod: Option<&str>, problem: Option<&str>) {
        let problem = problem.map(|text| self.core.redactor.redact(text));
        self.registry
            .note(&self.key, pod, problem.as_deref(), &self.voice);
    }
}
