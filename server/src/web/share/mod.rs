//! A link for viewers on the network: a listener of its own with a router that can change nothing, a
//! token of its own that can be taken back at any time, and a count of those who watch.

mod address;
mod key;
mod qr;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use app::model::{Failure, Finding, NextAction, PanelEvent, Role, ShareLink, SharingView};
use async_trait::async_trait;
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

pub use self::address::ShareAt;
pub(super) use self::address::is_near;
pub(super) use self::key::Link;
use self::key::ShareKey;
use super::events::Stage;
use super::gate::Addresses;
use super::{Listeners, Site};
use crate::engine::Core;

/// How long a door stays open without a link, so that whoever watched is told why it ended.
const LINGER: Duration = Duration::from_secs(30);

/// The sharing of one panel; clones share it.
#[derive(Clone, Debug)]
pub struct Sharing {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    core: Core,
    key: Arc<ShareKey>,
    /// Locked while the door is opened or closed.
    place: Mutex<Place>,
}

#[derive(Debug)]
struct Place {
    at: ShareAt,
    door: Option<Door>,
}

/// The listener that is open.
#[derive(Debug)]
struct Door {
    address: SocketAddr,
    close: CancellationToken,
}

impl Sharing {
    pub fn new(core: Core) -> Self {
        Self {
            inner: Arc::new(Inner {
                core,
                key: Arc::default(),
                place: Mutex::new(Place {
                    at: ShareAt::Auto,
                    door: None,
                }),
            }),
        }
    }

    /// From now on links are opened at this address.
    pub async fn prefer(&self, at: ShareAt) {
        self.inner.place.lock().await.at = at;
    }

    /// Opens a link; a former one ends.
    pub async fn open(&self) -> Result<ShareLink, Failure> {
        let inner = &self.inner;
        let mut place = inner.place.lock().await;
        let address = match &place.door {
            Some(door) => door.address,
            None => {
                let door = self.open_door(place.at).await?;
                place.door.insert(door).address
            }
        };
        let what = format!("Let viewers watch at {address}");
        inner.core.journal.audit("operator", &what).await?;
        let link = inner
            .key
            .renew()
            .map_err(|error| refused(address, &error))?;
        self.tell(&link, address);
        Ok(share_link(&link, address))
    }

    async fn open_door(&self, at: ShareAt) -> Result<Door, Failure> {
        let addresses = at.addresses();
        let mut bound = Err(Failure::from(no_address()));
        for address in addresses {
            bound = Listeners::bind_for_viewers(address)
                .await
                .map(|listeners| (SocketAddr::new(address.ip(), listeners.port()), listeners))
                .map_err(|error| Failure::from(refused(address, &error)));
            if bound.is_ok() {
                break;
            }
        }
        let (address, listeners) = bound?;
        let core = &self.inner.core;
        let close = core.shutdown.child_token();
        let watched = self.clone();
        let stage = Stage::new(core.hub.clone(), close.clone()).shared(move |link| {
            watched.tell(link, address);
        });
        let key = Arc::clone(&self.inner.key);
        let routes = Router::new().route("/replay", stage.replay()).route(
            "/events",
            get(move |headers: HeaderMap| {
                let (stage, key) = (stage.clone(), Arc::clone(&key));
                async move { watch(&stage, &key, &headers) }
            }),
        );
        let site = Site::for_viewers(Addresses::exactly(address), self.inner.key.clone(), routes);
        core.tasks.spawn(listeners.serve(site, close.clone()));
        Ok(Door { address, close })
    }

    /// Says how many watch through the link, unless it is not the one any more.
    fn tell(&self, link: &Arc<Link>, address: SocketAddr) {
        let voice = self.inner.core.hub.voice();
        self.inner.key.while_current(link, || {
            voice.publish(PanelEvent::Sharing(Some(SharingView {
                address: address.to_string(),
                since: link.since,
                watching: link.watching(),
            })));
        });
    }

    /// Shuts the door after a while, unless a new link was opened.
    fn close_later(&self) {
        let sharing = self.clone();
        let shutdown = self.inner.core.shutdown.clone();
        self.inner.core.tasks.spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(LINGER) => {}
            }
            let mut place = sharing.inner.place.lock().await;
            if sharing.inner.key.current().is_none()
                && let Some(door) = place.door.take()
            {
                door.close.cancel();
            }
        });
    }
}

#[async_trait]
impl app::ports::Sharing for Sharing {
    async fn open(&self) -> Result<ShareLink, Failure> {
        Sharing::open(self).await
    }

    async fn link(&self) -> Result<Option<ShareLink>, Failure> {
        let place = self.inner.place.lock().await;
        let link = self.inner.key.current();
        Ok(place
            .door
            .as_ref()
            .zip(link)
            .map(|(door, link)| share_link(&link, door.address)))
    }

    async fn revoke(&self) -> Result<(), Failure> {
        // Cut first: a journal that is slow must not keep anyone watching.
        let was_open = self.inner.key.revoke(|| {
            let voice = self.inner.core.hub.voice();
            voice.publish(PanelEvent::Sharing(None));
        });
        if was_open {
            self.close_later();
            let what = "End the viewers' link";
            self.inner.core.journal.audit("operator", what).await?;
        }
        Ok(())
    }
}

/// The stream of one viewer. The link is looked up once more here, so that the stream hangs on the
/// very link that let it in.
fn watch(stage: &Stage, key: &ShareKey, headers: &HeaderMap) -> Response {
    match key.link_of(headers) {
        Some(link) => stage.stream_through(Role::Viewer, link),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

fn share_link(link: &Link, address: SocketAddr) -> ShareLink {
    let url = format!("http://{address}/demo#token={}", link.token());
    ShareLink {
        qr: qr::draw(&url),
        url,
    }
}

fn no_address() -> Finding {
    Finding::new(
        "SHARE_NO_ADDRESS",
        "There is no network to share on",
        "This machine has no address in a private network, so nobody could reach the link. Slipway does \
         not listen on public addresses.",
    )
    .attention()
    .next(NextAction::advice("Connect to the network the viewers are in, then try again"))
    .next(NextAction::Command {
        command: "slipway --share=ADDRESS:PORT".to_owned(),
        why: "Shares at an address that you name".to_owned(),
    })
}

fn refused(address: SocketAddr, error: &std::io::Error) -> Finding {
    Finding::new(
        "SHARE_REFUSED",
        "The link for viewers could not be opened",
        format!("The system refused to listen at {address}: {error}."),
    )
    .next(NextAction::Command {
        command: format!("slipway --share={}:0", address.ip()),
        why: "Picks a free port".to_owned(),
    })
}
