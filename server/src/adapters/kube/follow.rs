//! List, then watch, for as long as wanted. Ours instead of kube's watcher, because a request that
//! is never answered and a 410 in either of its two shapes must not leave us blind.

use std::fmt::Debug;
use std::time::Duration;

use futures::{StreamExt, pin_mut};
use kube::Api;
use kube::api::{ListParams, WatchParams};
use kube::core::WatchEvent;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::client::{KubeError, REQUEST_LIMIT, within};

/// Objects per list page: whole objects live only while one page is folded.
const PAGE: u32 = 50;
/// The server ends a watch after this long; a silent one is noticed soon after.
const WATCH_SECONDS: u32 = 40;
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 4);
const FIRST_WAIT: Duration = Duration::from_millis(300);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What a followed collection tells.
#[derive(Debug)]
pub enum News<K> {
    /// A new list begins; what [`News::Listed`] tells until [`News::ListEnd`] is all there is.
    ListBegin,
    Listed(K),
    ListEnd,
    Applied(K),
    Deleted(K),
    /// The watch is open and the server has answered.
    Heard,
    /// Not connected; the collection may have changed unseen. Told again for every new reason.
    Lost(KubeError),
}

/// Which part of a collection to follow.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    pub labels: Option<String>,
    pub fields: Option<String>,
}

impl Scope {
    pub fn named(name: &str) -> Self {
        Self {
            labels: None,
            fields: Some(format!("metadata.name={name}")),
        }
    }
}

/// Follows until `stop`; returns only then.
pub async fn follow<K>(
    api: Api<K>,
    scope: Scope,
    stop: CancellationToken,
    mut tell: impl FnMut(News<K>),
) where
    K: Clone + DeserializeOwned + Debug + kube::Resource,
{
    let mut backoff = Backoff::default();
    let work = async {
        loop {
            match list(&api, &scope, &mut tell).await {
                Ok(version) => {
                    tell(News::Heard);
                    watch(&api, &scope, version, &mut backoff, &mut tell).await;
                }
                Err(error) => {
                    tell(News::Lost(error));
                }
            }
            backoff.wait().await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

async fn list<K>(
    api: &Api<K>,
    scope: &Scope,
    tell: &mut impl FnMut(News<K>),
) -> Result<String, KubeError>
where
    K: Clone + DeserializeOwned + Debug,
{
    let mut params = ListParams::default().limit(PAGE);
    params.label_selector.clone_from(&scope.labels);
    params.field_selector.clone_from(&scope.fields);
    tell(News::ListBegin);
    loop {
        let page = within(REQUEST_LIMIT, api.list(&params)).await?;
        for object in page.items {
            tell(News::Listed(object));
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => {
                tell(News::ListEnd);
                return Ok(page.metadata.resource_version.unwrap_or_default());
            }
        }
    }
}

/// Watches from `version`, over and over, until only a new list helps.
async fn watch<K>(
    api: &Api<K>,
    scope: &Scope,
    mut version: String,
    backoff: &mut Backoff,
    tell: &mut impl FnMut(News<K>),
) where
    K: Clone + DeserializeOwned + Debug + kube::Resource,
{
    let params = WatchParams {
        label_selector: scope.labels.clone(),
        field_selector: scope.fields.clone(),
        timeout: Some(WATCH_SECONDS),
        bookmarks: true,
        send_initial_events: false,
    };
    loop {
        let opened = Instant::now();
        let stream = match within(REQUEST_LIMIT, api.watch(&params, &version)).await {
            Ok(stream) => stream,
            Err(error) if is_expired(&error) => return,
            Err(error) => {
                tell(News::Lost(error));
                backoff.wait().await;
                continue;
            }
        };
        tell(News::Heard);
        pin_mut!(stream);
        loop {
            let event = match timeout(SILENCE, stream.next()).await {
                Ok(Some(Ok(event))) => event,
                // The server ended the watch in good order: carry on from where we are.
                Ok(None) => break,
                Ok(Some(Err(error))) => {
                    tell(News::Lost(KubeError::Kube(error)));
                    break;
                }
                Err(_) => {
                    tell(News::Lost(KubeError::Silent(SILENCE)));
                    break;
                }
            };
            match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    remember(&mut version, &object);
                    backoff.reset();
                    tell(News::Applied(object));
                }
                WatchEvent::Deleted(object) => {
                    remember(&mut version, &object);
                    backoff.reset();
                    tell(News::Deleted(object));
                }
                WatchEvent::Bookmark(bookmark) => {
                    version = bookmark.metadata.resource_version;
                    backoff.reset();
                    tell(News::Heard);
                }
                WatchEvent::Error(status) => {
                    let error = KubeError::Kube(kube::Error::Api(status));
                    if !is_expired(&error) {
                        tell(News::Lost(error));
                    }
                    return;
                }
            }
        }
        if opened.elapsed() < Duration::from_secs(2) {
            // Ended at once: some servers and proxies do that for ever.
            backoff.wait().await;
        }
    }
}

fn remember<K: kube::Resource>(version: &mut String, object: &K) {
    if let Some(newest) = &object.meta().resource_version {
        version.clone_from(newest);
    }
}

/// The version is too old (410), or from a cluster that is no more (504 "Too large resource version").
fn is_expired(error: &KubeError) -> bool {
    error.status().is_some_and(|status| {
        status.code == 410
            || status.reason == "Expired"
            || status.reason == "Gone"
            || (status.code == 504 && status.message.contains("Too large resource version"))
    })
}

#[derive(Debug)]
struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST_WAIT }
    }
}

impl Backoff {
    fn reset(&mut self) {
        self.next = FIRST_WAIT;
    }

    async fn wait(&mut self) {
        // Several watches lost together should not come back together.
        let jitter = rand::random_range(0.8..1.2);
        sleep(self.next.mul_f64(jitter)).await;
        self.grow();
    }

    fn grow(&mut self) {
        self.next = (self.next * 2).min(LONGEST_WAIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, reason: &str, message: &str) -> KubeError {
        KubeError::Kube(kube::Error::Api(Box::new(
            kube::core::Status::failure(message, reason).with_code(code),
        )))
    }

    #[test]
    fn both_shapes_of_too_old_and_a_foreign_version_ask_for_a_new_list() {
        assert!(is_expired(&status(410, "Expired", "too old")));
        assert!(is_expired(&status(410, "Gone", "")));
        assert!(is_expired(&status(
            504,
            "Timeout",
            "Too large resource version: 9, current: 3"
        )));
        assert!(!is_expired(&status(504, "Timeout", "")));
        assert!(!is_expired(&status(403, "Forbidden", "")));
    }

    #[test]
    fn waiting_grows_to_a_limit_and_starts_small_again() {
        let mut backoff = Backoff::default();
        for _ in 0..10 {
            backoff.grow();
        }
        assert_eq!(backoff.next, LONGEST_WAIT);
        backoff.reset();
        assert_eq!(backoff.next, FIRST_WAIT);
    }
}
