//! Many logs as one stream: a reader for each container that fits the wish, whatever pods come and
//! go, and a heap between them and the page that holds only what a page can take.

mod level;
mod line;
mod pending;
mod reader;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::model::{LogFile, LogFrame, LogSource, LogWish, PodLogLine};
use futures::{Stream, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::line::Sieve;
use self::pending::Pending;
use self::reader::{Read, Reader};
use crate::cluster::Connected;
use crate::engine::Core;

/// Frames come no faster than this.
const PACE: Duration = Duration::from_millis(100);
/// The past of all containers is put together before it is shown, so that it is in order.
const FIRST_PACE: Duration = Duration::from_millis(300);
/// A sign of life while nothing is logged.
const ALIVE: Duration = Duration::from_secs(2);
const MOST_SOURCES: usize = 60;
const MOST_TAIL: u32 = 2_000;
/// How often it is looked which containers there are, at most.
const LOOK: Duration = Duration::from_millis(250);
const CHANNEL: usize = 64;
/// A file for taking home holds at most this much.
const LARGEST_FILE: usize = 16 << 20;
const FILE_LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<Pending>,
    changed: tokio::sync::Notify,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sources: u32,
    done: bool,
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What makes a reader, apart from the container.
struct Readers {
    core: Core,
    api: Api<Pod>,
    wish: LogWish,
    sieve: Sieve,
    tail: i64,
}

impl Readers {
    fn new(core: &Core, connected: &Connected, namespace: &str, wish: LogWish, tail: i64) -> Self {
        Self {
            core: core.clone(),
            api: Api::namespaced(connected.client.clone(), namespace),
            sieve: Sieve::new(&wish, core.redactor.clone()),
            wish,
            tail,
        }
    }

    fn sources(&self) -> Vec<(String, LogSource)> {
        let mut found = self.core.hub.read(|state| state.log_sources(&self.wish));
        found.truncate(MOST_SOURCES);
        found
    }

    fn reader(&self, uid: String, source: LogSource, out: mpsc::Sender<Read>) -> Reader {
        Reader {
            api: self.api.clone(),
            hub: self.core.hub.clone(),
            uid,
            source,
            previous: self.wish.previous,
            tail: self.tail,
            sieve: self.sieve.clone(),
            out,
        }
    }
}

/// Follows until the stream is dropped or the cluster is another one.
pub(super) fn follow(
    core: &Core,
    connected: &Connected,
    namespace: String,
    wish: LogWish,
) -> impl Stream<Item = LogFrame> + Send + 'static {
    let tail = i64::from(wish.tail.clamp(1, MOST_TAIL));
    let readers = Readers::new(core, connected, &namespace, wish, tail);
    let shared = Arc::new(Shared::default());
    let stop = CancellationToken::new();
    let gone = connected.gone.clone();
    let (work, ended) = (Arc::clone(&shared), stop.clone());
    core.tasks.spawn(async move {
        tokio::select! {
            () = ended.cancelled() => {}
            () = gone.cancelled() => {}
            () = read_all(&readers, &work) => {}
        }
        work.state().done = true;
        work.changed.notify_one();
    });
    stream::unfold(
        Frames {
            shared,
            next: Instant::now() + FIRST_PACE,
            said_done: false,
            _stop: stop.drop_guard(),
        },
        |mut frames| async move {
            let frame = frames.next().await?;
            Some((frame, frames))
        },
    )
}

struct Frames {
    shared: Arc<Shared>,
    next: Instant,
    said_done: bool,
    _stop: DropGuard,
}

impl Frames {
    async fn next(&mut self) -> Option<LogFrame> {
        if self.said_done {
            return None;
        }
        tokio::time::sleep_until(self.next).await;
        let alive_at = Instant::now() + ALIVE;
        loop {
            let changed = self.shared.changed.notified();
            if !self.shared.pending().is_empty() {
                self.next = Instant::now() + PACE;
                let (lines, skipped, read) = self.shared.pending().take();
                return Some(LogFrame::Lines {
                    lines,
                    skipped,
                    read,
                });
            }
            let sources = {
                let state = self.shared.state();
                if state.done {
                    self.said_done = true;
                    return Some(LogFrame::Done);
                }
                state.sources
            };
            if tokio::time::timeout_at(alive_at, changed).await.is_err() {
                return Some(LogFrame::Alive { sources });
            }
        }
    }
}

/// Keeps a reader for every container that fits; ends only when nothing is followed.
async fn read_all(readers: &Readers, shared: &Shared) {
    let mut changes = readers.core.hub.changed();
    changes.mark_changed();
    let (out, mut chunks) = mpsc::channel(CHANNEL);
    let mut tasks = JoinSet::new();
    let mut known: HashMap<(String, LogSource), AbortHandle> = HashMap::new();
    let mut look_at = Instant::now();
    loop {
        if look_at <= Instant::now() && changes.has_changed().unwrap_or(true) {
            changes.mark_unchanged();
            let wanted = readers.sources();
            shared.state().sources = u32::try_from(wanted.len()).unwrap_or(u32::MAX);
            known.retain(|key, reader| {
                let stays = wanted.contains(key);
                // It reads to its end by itself; a pod that left the wish is not read on.
                if !stays
                    && readers
                        .core
                        .hub
                        .read(|state| state.pods.contains_key(&key.0))
                {
                    reader.abort();
                }
                stays
            });
            for (uid, source) in wanted {
                let key = (uid.clone(), source.clone());
                known.entry(key).or_insert_with(|| {
                    tasks.spawn(readers.reader(uid, source, out.clone()).read())
                });
            }
            look_at = Instant::now() + LOOK;
        }
        if readers.wish.previous && tasks.is_empty() && chunks.is_empty() {
            return;
        }
        tokio::select! {
            Some(chunk) = chunks.recv() => {
                shared.pending().add(chunk.lines, chunk.read);
                shared.changed.notify_one();
            }
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            // Looked at again when something changed, but not for every single change.
            () = async {
                tokio::time::sleep_until(look_at).await;
                // The hub outlives this.
                let _ = changes.changed().await;
                changes.mark_changed();
            } => {}
        }
    }
}

/// Reads everything there is once, within limits.
pub(super) async fn whole(
    core: &Core,
    connected: &Connected,
    namespace: String,
    wish: LogWish,
) -> LogFile {
    let readers = Readers::new(core, connected, &namespace, wish, i64::MAX);
    let (out, mut chunks) = mpsc::channel(CHANNEL);
    let mut tasks = JoinSet::new();
    for (uid, source) in readers.sources() {
        let reader = readers.reader(uid, source, out.clone());
        tasks.spawn(async move { reader.read_whole().await });
    }
    drop(out);
    let mut lines: Vec<PodLogLine> = Vec::new();
    let (mut bytes, mut is_cut) = (0, false);
    let collect = async {
        while let Some(chunk) = chunks.recv().await {
            for line in chunk.lines {
                bytes += line.text.len() + 64;
                lines.push(line);
            }
            if bytes > 2 * LARGEST_FILE {
                bytes = keep_newest(&mut lines);
                is_cut = true;
            }
        }
    };
    is_cut |= timeout(FILE_LIMIT, collect).await.is_err();
    if bytes > LARGEST_FILE {
        keep_newest(&mut lines);
        is_cut = true;
    }
    lines.sort_by_key(|line| line.at);
    let mut file = LogFile {
        lines: lines.len() as u64,
        is_cut,
        ..LogFile::default()
    };
    for line in lines {
        let at = Timestamp::from_millisecond(line.at.0).unwrap_or_default();
        let LogSource { pod, container } = line.source;
        file.text
            .push_str(&format!("{at}\t{pod}/{container}\t{}\n", line.text));
    }
    file
}

/// Drops the oldest lines until the rest fits; gives its size.
fn keep_newest(lines: &mut Vec<PodLogLine>) -> usize {
    lines.sort_by_key(|line| line.at);
    let mut bytes = 0;
    let kept = lines
        .iter()
        .rev()
        .take_while(|line| {
            bytes += line.text.len() + 64;
            bytes <= LARGEST_FILE
        })
        .count();
    lines.drain(..lines.len() - kept);
    bytes.min(LARGEST_FILE)
}
