//! The browser's copy of the one store: what the stream brings is folded in, and only what an event
//! touched is drawn again.

pub mod backoff;
mod clock;
mod fetch;
mod followed;
pub mod frames;
mod replay;
pub mod sequence;
mod stream;

use std::sync::atomic::{AtomicU64, Ordering};

use clock::{Clocks, ServerClock};
pub use fetch::sleep_ms;
pub use followed::{Followed, Following};
use leptos::prelude::*;
pub use replay::{fetch_recording, play};

use crate::model::{
    Freshness, LiveMessage, PanelEvent, PanelState, Role, STALE_AFTER_MS, Slice, UnixMillis,
};

/// How the page stands with the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Before the first answer.
    Connecting,
    Live,
    /// The stream broke at this time (server clock); what is shown is the last known state.
    Reconnecting {
        since: UnixMillis,
    },
    /// The tab has no token.
    NoToken,
    /// The panel does not know the tab's token (any more).
    Refused,
}

/// The era of the cluster that the page shows, for wishes: they must reach no other one.
static ERA: AtomicU64 = AtomicU64::new(0);

/// Which choice of a cluster the page shows.
pub fn era() -> u64 {
    ERA.load(Ordering::Relaxed)
}

fn remember_era(state: &PanelState) {
    let era = state.cluster.as_ref().map_or(0, |cluster| cluster.era);
    ERA.store(era, Ordering::Relaxed);
}

/// A state to start with instead of an empty one; for drawing pages without a server.
#[derive(Clone, Debug)]
pub struct Seed {
    pub state: PanelState,
    pub connection: Connection,
    pub role: Role,
    pub now: UnixMillis,
}

/// Handle to the store; copy it freely.
#[derive(Clone, Copy, Debug)]
pub struct Live {
    state: StoredValue<PanelState>,
    versions: [RwSignal<u32>; Slice::ALL.len()],
    has_snapshot: RwSignal<bool>,
    connection: RwSignal<Connection>,
    role: RwSignal<Role>,
    now: RwSignal<UnixMillis>,
    clock: StoredValue<ServerClock>,
    /// When the stream last said anything, by the server's clock.
    heard: StoredValue<UnixMillis>,
}

impl Live {
    /// Makes the store and puts it into the context; reads a [`Seed`] from there.
    pub fn provide() -> Self {
        let live = Self::new(use_context::<Seed>());
        provide_context(live);
        live
    }

    fn new(seed: Option<Seed>) -> Self {
        let now = seed.as_ref().map_or(UnixMillis(0), |seed| seed.now);
        Self {
            has_snapshot: RwSignal::new(seed.is_some()),
            connection: RwSignal::new(
                seed.as_ref()
                    .map_or(Connection::Connecting, |seed| seed.connection),
            ),
            role: RwSignal::new(seed.as_ref().map_or(Role::Viewer, |seed| seed.role)),
            state: StoredValue::new(seed.map(|seed| seed.state).unwrap_or_default()),
            versions: std::array::from_fn(|_| RwSignal::new(0)),
            now: RwSignal::new(now),
            clock: StoredValue::new(ServerClock::default()),
            heard: StoredValue::new(now),
        }
    }

    /// The store of this page.
    pub fn expect() -> Self {
        expect_context()
    }

    /// Reads the state and follows the slices named.
    pub fn read<R>(&self, slices: &[Slice], read: impl FnOnce(&PanelState) -> R) -> R {
        for slice in slices {
            self.versions[*slice as usize].track();
        }
        self.state.with_value(read)
    }

    /// Reads the state now, without following it.
    pub fn peek<R>(&self, read: impl FnOnce(&PanelState) -> R) -> R {
        self.state.with_value(read)
    }

    /// A value made from some slices; whoever uses it is drawn again only when it really differs.
    pub fn memo<T>(
        self,
        slices: &'static [Slice],
        read: impl Fn(&PanelState) -> T + Send + Sync + 'static,
    ) -> Memo<T>
    where
        T: PartialEq + Send + Sync + 'static,
    {
        Memo::new(move |_| self.read(slices, &read))
    }

    /// Whether a snapshot has arrived: before that there is nothing to show.
    pub fn has_snapshot(&self) -> bool {
        self.has_snapshot.get()
    }

    pub fn connection(&self) -> Connection {
        self.connection.get()
    }

    /// Whether this page may change anything.
    pub fn is_operator(&self) -> bool {
        self.role.get() == Role::Operator
    }

    /// The server's time, in steps of a second.
    pub fn now(&self) -> UnixMillis {
        self.now.get()
    }

    /// The server's time now, without following it.
    pub fn now_untracked(&self) -> UnixMillis {
        self.now.get_untracked()
    }

    /// Whether the stream itself is alive; without it nothing on the page can be called fresh.
    pub fn stream_is_fresh(&self) -> bool {
        self.connection.get() == Connection::Live
            && self.now.get().since(self.heard.get_value()) < STALE_AFTER_MS
    }

    /// Whether a source is fresh, seen from here.
    pub fn is_fresh(&self, source: &Freshness) -> bool {
        self.stream_is_fresh() && source.is_fresh(self.now.get())
    }

    /// Begins to connect and to tick. Call once, in the browser.
    pub fn start(self) {
        stream::start(self);
    }

    /// Tries the token that is stored now, after the old one was missing or refused.
    pub fn retry(self) {
        self.connection.set(Connection::Connecting);
        stream::connect(self);
    }

    fn replace(&self, state: PanelState) {
        self.state.set_value(state);
        self.has_snapshot.set(true);
        for version in &self.versions {
            version.update(|version| *version = version.wrapping_add(1));
        }
    }

    fn apply(&self, event: &PanelEvent) {
        self.state.update_value(|state| state.apply(event));
        for slice in event.slices() {
            self.versions[*slice as usize].update(|version| *version = version.wrapping_add(1));
        }
    }

    fn set_connection(&self, connection: Connection) {
        if self.connection.get_untracked() != connection {
            self.connection.set(connection);
        }
    }

    fn lost(&self) {
        let since = match self.connection.get_untracked() {
            Connection::Reconnecting { since } => since,
            _ => self.local_now(),
        };
        self.set_connection(Connection::Reconnecting { since });
    }

    fn local_now(&self) -> UnixMillis {
        self.clock.with_value(|clock| clock.at(Clocks::now()))
    }

    fn set_server_time(&self, server: UnixMillis) {
        self.clock
            .update_value(|clock| clock.set(server, Clocks::now()));
        self.now.set(server);
    }

    /// Lets the page's time go on; true when the machine slept since the last time.
    fn tick(&self) -> bool {
        let slept = self
            .clock
            .try_update_value(|clock| clock.slept(Clocks::now()));
        self.now.set(self.local_now());
        slept.unwrap_or(false)
    }

    fn take(&self, message: LiveMessage, verdict: sequence::Verdict) {
        match message {
            LiveMessage::Snapshot {
                now, role, state, ..
            } => {
                self.set_server_time(now);
                remember_era(&state);
                self.role.set(role);
                self.replace(*state);
                self.set_connection(Connection::Live);
            }
            LiveMessage::Event { event, .. } if verdict == sequence::Verdict::Apply => {
                self.apply(&event);
                self.state.with_value(remember_era);
            }
            LiveMessage::Event { .. } => {}
            LiveMessage::Heartbeat { now, .. } => self.set_server_time(now),
        }
        // Last: the server's clock may have been set since the message before.
        self.heard.set_value(self.local_now());
    }
}
