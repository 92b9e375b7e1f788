//! Reads the log of one container over all its lives: the API ends a followed log with the container,
//! so it is opened anew from the last line's time, and what comes again is left out.

use std::sync::OnceLock;
use std::time::Duration;

use app::model::{ContainerRow, LogSource, PodLogLine};
use futures::{AsyncRead, AsyncReadExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, LogParams};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::line::{LONGEST, Sieve, Stamped};
use crate::adapters::kube::client::{KubeError, REQUEST_LIMIT, within};
use crate::engine::{Hub, clock};
use crate::live::pod_row::ended;
use crate::process::Lines;

const CHUNK: usize = 64 * 1024;
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(4);
const QUIET: Duration = Duration::from_secs(15);
/// Room for the time in front of the text.
const STAMP: usize = 64;

/// What a chunk of a log gave.
#[derive(Debug, Default)]
pub struct Read {
    pub lines: Vec<PodLogLine>,
    /// How many lines were in it, wanted or not.
    pub read: u64,
}

pub struct Reader {
    pub api: Api<Pod>,
    pub hub: Hub,
    /// The pod's UID.
    pub uid: String,
    pub source: LogSource,
    pub previous: bool,
    pub tail: i64,
    pub sieve: Sieve,
    pub out: mpsc::Sender<Read>,
}

/// Where a log was read to.
#[derive(Clone, Debug, Default)]
struct Place {
    last: Option<Timestamp>,
    /// How many lines had that very time.
    same: u32,
    /// How many of those came again since the log was opened anew.
    again: u32,
    /// From here on somebody else reads.
    until: Option<Timestamp>,
}

impl Place {
    fn reopened(&mut self) {
        self.again = 0;
    }

    /// Whether a line with this time was not seen before.
    fn is_new(&mut self, at: Option<Timestamp>) -> bool {
        if at.is_some_and(|at| self.until.is_some_and(|until| at >= until)) {
            return false;
        }
        let (Some(at), Some(last)) = (at, self.last) else {
            self.last = at.or(self.last);
            self.same = 1;
            self.again = 1;
            return true;
        };
        if at < last {
            return false;
        }
        if at > last {
            self.last = Some(at);
            self.same = 1;
            self.again = 1;
            return true;
        }
        self.again += 1;
        if self.again <= self.same {
            return false;
        }
        self.same = self.again;
        true
    }
}

/// How far reading is.
#[derive(Debug, Default)]
struct Progress {
    place: Place,
    /// Where the last stream ended: what its container still wrote then is in the log before.
    before: Place,
    /// How many restarts are known of.
    restarts: u32,
}

impl Reader {
    /// Reads until the pod is gone, or to the end of what was before the last restart.
    pub async fn read(self) {
        let mut progress = Progress {
            restarts: self.restarts().unwrap_or_default(),
            ..Progress::default()
        };
        let mut wait = FIRST_WAIT;
        loop {
            match self.follow(&mut progress).await {
                Ok(0) => {}
                Ok(_) => wait = FIRST_WAIT,
                // The pod is gone.
                Err(error) if error.is_not_found() => return,
                // It has not started yet, or the API server does not answer: later.
                Err(error) => tracing::debug!(%error, pod = %self.source.pod, "no log yet"),
            }
            if self.previous || self.restarts().is_none() || self.out.is_closed() {
                return;
            }
            progress.before = progress.place.clone();
            tokio::select! {
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
                () = self.restarted(progress.restarts) => {
                    self.catch_up(&mut progress, None).await;
                    // The next life's log is there a moment later than the news of it.
                    tokio::time::sleep(FIRST_WAIT).await;
                }
            }
        }
    }

    /// Reads what there is now, and nothing that comes later.
    pub async fn read_whole(self) {
        let params = self.params(false, None);
        let mut place = Place::default();
        match self.open(&params).await {
            Ok(stream) => {
                self.pull(stream, &mut place, &OnceLock::new()).await;
            }
            Err(error) => tracing::debug!(%error, pod = %self.source.pod, "no log to take home"),
        }
    }

    /// Reads one life of the container to its end; gives how many lines were new.
    async fn follow(&self, progress: &mut Progress) -> Result<u64, KubeError> {
        progress.place.reopened();
        let params = self.params(!self.previous, progress.place.last);
        let stream = self.open(&params).await?;
        let mut place = progress.place.clone();
        let first = OnceLock::new();
        let pulled = {
            let pull = self.pull(stream, &mut place, &first);
            futures::pin_mut!(pull);
            loop {
                tokio::select! {
                    pulled = &mut pull => break pulled,
                    // The log was opened anew before anybody knew that it is another life's.
                    () = self.restarted(progress.restarts) => {
                        self.catch_up(progress, first.get().copied()).await;
                    }
                }
            }
        };
        progress.place = place;
        Ok(pulled)
    }

    /// Brings what the container before wrote at its end, and says how that was. What the stream
    /// that is open brings begins at `first`, and needs nobody else.
    async fn catch_up(&self, progress: &mut Progress, first: Option<Timestamp>) {
        progress.restarts = self.restarts().unwrap_or(progress.restarts);
        if self.previous {
            return;
        }
        let mut place = progress.before.clone();
        place.reopened();
        place.until = first;
        let params = LogParams {
            previous: true,
            ..self.params(false, place.last)
        };
        // Before any stream has ended, the one that is open brings its own end.
        if place.last.is_some()
            && let Ok(stream) = self.open(&params).await
        {
            self.pull(stream, &mut place, &OnceLock::new()).await;
        }
        self.note().await;
    }

    fn params(&self, follow: bool, since: Option<Timestamp>) -> LogParams {
        LogParams {
            container: Some(self.source.container.clone()),
            follow,
            previous: self.previous,
            timestamps: true,
            tail_lines: (since.is_none() && self.tail < i64::MAX).then_some(self.tail),
            since_time: since.map(whole_second),
            ..LogParams::default()
        }
    }

    async fn open(&self, params: &LogParams) -> Result<impl AsyncRead + use<>, KubeError> {
        within(REQUEST_LIMIT, self.api.log_stream(&self.source.pod, params)).await
    }

    /// Reads a stream to its end; gives how many lines were new.
    async fn pull(
        &self,
        stream: impl AsyncRead,
        place: &mut Place,
        first: &OnceLock<Timestamp>,
    ) -> u64 {
        futures::pin_mut!(stream);
        let mut lines = Lines::up_to(LONGEST + STAMP);
        let mut chunk = vec![0; CHUNK];
        let mut total = 0;
        loop {
            // A connection that breaks, or says nothing for so long that it may be dead, is like a
            // log that ends: it is opened anew, and nothing comes twice.
            let size = match timeout(QUIET, stream.read(&mut chunk)).await {
                Ok(Ok(size)) => size,
                Ok(Err(_)) | Err(_) => 0,
            };
            if size == 0 {
                break;
            }
            let mut read = Read::default();
            lines.push(&chunk[..size], |line| {
                self.take(line, place, first, &mut read)
            });
            total += read.read;
            self.send(read).await;
            if self.out.is_closed() {
                return total;
            }
        }
        let mut read = Read::default();
        lines.finish(|line| self.take(line, place, first, &mut read));
        total += read.read;
        self.send(read).await;
        total
    }

    async fn send(&self, read: Read) {
        if read.read > 0 || !read.lines.is_empty() {
            // Nobody listens any more: whoever reads notices by itself.
            let _ = self.out.send(read).await;
        }
    }

    /// Ends when the container was restarted more often than that; never when the pod is gone, which
    /// its log's end says.
    async fn restarted(&self, known: u32) {
        let mut changed = self.hub.changed();
        while self.restarts().is_none_or(|restarts| restarts <= known) {
            if changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn take(&self, line: &str, place: &mut Place, first: &OnceLock<Timestamp>, read: &mut Read) {
        let stamped = Stamped::parse(line);
        if place.is_new(stamped.at) {
            if let Some(at) = stamped.at {
                first.get_or_init(|| at);
            }
            read.read += 1;
            read.lines.extend(self.sieve.take(&self.source, &stamped));
        }
    }

    /// How often the container was restarted; none when the pod is gone.
    fn restarts(&self) -> Option<u32> {
        self.container(|container| container.restarts)
    }

    fn container<R>(&self, look: impl FnOnce(&ContainerRow) -> R) -> Option<R> {
        self.hub.read(|state| {
            let pod = state.pods.get(&self.uid)?;
            let of_name = |container: &&ContainerRow| container.name == self.source.container;
            pod.containers.iter().find(of_name).map(look)
        })
    }

    /// Says between the lines of two lives how the first one ended.
    async fn note(&self) {
        let end = self.container(|container| container.last_termination.clone());
        let end = end.flatten();
        let how = end.as_ref().map_or_else(|| "ended".to_owned(), ended);
        let note = PodLogLine {
            at: end.and_then(|end| end.finished).unwrap_or_else(clock::now),
            source: self.source.clone(),
            level: None,
            text: self.sieve.hide(&format!(
                "{} {how}, and was started again",
                self.source.container
            )),
            note: true,
        };
        self.send(Read {
            lines: vec![note],
            read: 0,
        })
        .await;
    }
}

/// The second a moment is in. `kube` sends whole seconds and rounds to the nearest: what a container
/// writes until then would be left out.
fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_never_opened_anew_from_a_moment_that_is_still_to_come() {
        let late = Timestamp::new(7, 999_999_999).expect("a moment");
        assert_eq!(whole_second(late), Timestamp::new(7, 0).expect("a moment"));
    }

    fn at(second: i64, nano: i32) -> Option<Timestamp> {
        Timestamp::new(second, nano).ok()
    }

    #[test]
    fn a_log_that_is_opened_anew_repeats_nothing_and_loses_nothing() {
        let mut place = Place::default();
        for stamp in [at(1, 0), at(2, 5), at(2, 5)] {
            assert!(place.is_new(stamp));
        }
        // The API knows whole seconds only: everything since second 2 comes again.
        place.reopened();
        assert!(!place.is_new(at(2, 5)));
        assert!(!place.is_new(at(2, 5)));
        assert!(place.is_new(at(2, 5)), "a third line of that time is new");
        assert!(place.is_new(at(3, 0)));
        place.reopened();
        assert!(!place.is_new(at(2, 5)));
        assert!(!place.is_new(at(3, 0)));
        assert!(place.is_new(at(3, 1)));
    }
}
