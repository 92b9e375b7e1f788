//! What the node listens to: pods bound to it, Services and their endpoints, the image store, and
//! the memory its containers use.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch_api};
use kube::{Api, ResourceExt};
use std::collections::HashSet;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::core::{NodeCore, PodHandle, PodShared};
use super::pod_net::PodNet;
use super::worker::{Message, Worker};
use crate::images::ImageStore;

const IMAGE_POLL: Duration = Duration::from_millis(300);
const MEMORY_POLL: Duration = Duration::from_millis(250);

/// Counts changes of the image store, also those other processes make.
pub fn images(store: ImageStore, stop: CancellationToken) -> watch::Receiver<u64> {
    let (sender, receiver) = watch::channel(0);
    tokio::spawn(async move {
        let mut last = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(IMAGE_POLL) => {}
            }
            let store = store.clone();
            let now = tokio::task::spawn_blocking(move || store.changed_at())
                .await
                .ok()
                .flatten();
            if now != last {
                last = now;
                sender.send_modify(|count| *count += 1);
            }
        }
    });
    receiver
}

/// Ends containers that exceed their memory limit.
pub async fn memory(core: Arc<NodeCore>) {
    loop {
        tokio::time::sleep(MEMORY_POLL).await;
        let core = core.clone();
        let _ = tokio::task::spawn_blocking(move || core.memory.enforce()).await;
    }
}

pub async fn services(core: Arc<NodeCore>) {
    let api: Api<Service> = Api::all(core.client.clone());
    let mut events = watch_api(api, watcher::Config::default())
        .default_backoff()
        .boxed();
    let mut fresh = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => fresh.clear(),
            Ok(Event::InitApply(service)) => fresh.push(service),
            Ok(Event::InitDone) => core.services.replace_services(std::mem::take(&mut fresh)),
            Ok(Event::Apply(service)) => core.services.put_service(service),
            Ok(Event::Delete(service)) => core.services.drop_service(&service),
            Err(error) => tracing::debug!(%error, "watching services"),
        }
    }
}

pub async fn slices(core: Arc<NodeCore>) {
    let api: Api<EndpointSlice> = Api::all(core.client.clone());
    let mut events = watch_api(api, watcher::Config::default())
        .default_backoff()
        .boxed();
    let mut fresh = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => fresh.clear(),
            Ok(Event::InitApply(slice)) => fresh.push(slice),
            Ok(Event::InitDone) => core.services.replace_slices(std::mem::take(&mut fresh)),
            Ok(Event::Apply(slice)) => core.services.put_slice(slice),
            Ok(Event::Delete(slice)) => core.services.drop_slice(&slice),
            Err(error) => tracing::debug!(%error, "watching endpoint slices"),
        }
    }
}

/// Runs the pods bound to this node.
pub async fn pods(core: Arc<NodeCore>, stop: CancellationToken) {
    let api: Api<Pod> = Api::all(core.client.clone());
    let config = watcher::Config::default().fields(&format!("spec.nodeName={}", core.name));
    let mut events = watch_api(api, config).default_backoff().boxed();
    let mut images = core.image_changes.clone();
    let mut listed = HashSet::new();
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return,
            changed = images.changed() => {
                if changed.is_err() {
                    return;
                }
                for handle in handles(&core) {
                    // A full inbox means the worker is about to look anyway.
                    let _ = handle.messages.try_send(Message::Images);
                }
                continue;
            }
            event = events.next() => event,
        };
        match event {
            None => return,
            Some(Ok(Event::Init)) => listed.clear(),
            Some(Ok(Event::InitApply(pod))) => {
                listed.insert(pod.uid().unwrap_or_default());
                apply(&core, pod).await;
            }
            Some(Ok(Event::InitDone)) => {
                let gone: Vec<PodHandle> = core
                    .pods
                    .read()
                    .unwrap_or_else(PoisonError::into_inner)
                    .iter()
                    .filter(|(uid, _)| !listed.contains(*uid))
                    .map(|(_, handle)| handle.clone())
                    .collect();
                for handle in gone {
                    let _ = handle.messages.send(Message::Gone).await;
                }
            }
            Some(Ok(Event::Apply(pod))) => apply(&core, pod).await,
            Some(Ok(Event::Delete(pod))) => {
                if let Some(handle) = core.pod(&pod.uid().unwrap_or_default()) {
                    let _ = handle.messages.send(Message::Gone).await;
                }
            }
            Some(Err(error)) => tracing::debug!(%error, "watching pods"),
        }
    }
}

fn handles(core: &NodeCore) -> Vec<PodHandle> {
    core.pods
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .values()
        .cloned()
        .collect()
}

async fn apply(core: &Arc<NodeCore>, pod: Pod) {
    let Some(uid) = pod.uid() else { return };
    if let Some(handle) = core.pod(&uid) {
        let _ = handle.messages.send(Message::Pod(Box::new(pod))).await;
        return;
    }
    // An object whose worker just finished may still echo through the watch.
    let wanted = pod
        .status
        .as_ref()
        .and_then(|s| s.pod_ip.as_ref())
        .and_then(|ip| ip.parse().ok());
    let Some(pod_ip) = core.addresses.take(wanted) else {
        tracing::warn!(pod = pod.name_any(), "no pod address is free");
        return;
    };
    core.pod_namespaces
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(pod_ip, pod.namespace().unwrap_or_default());
    let net = Arc::new(PodNet::new(pod_ip, core.dns, core.services.clone()));
    let shared = Arc::new(PodShared {
        net,
        runs: std::sync::RwLock::default(),
    });
    let (messages, inbox) = mpsc::channel(64);
    let handle = PodHandle {
        messages: messages.clone(),
        shared: shared.clone(),
    };
    core.pods
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(uid, handle);
    tokio::spawn(Worker::new(core.clone(), pod, shared, messages, inbox).run());
}
