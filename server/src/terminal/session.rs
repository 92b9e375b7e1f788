//! One session: a program at the other end of a line, what it draws, and everybody who watches.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app::model::{
    Terminal, TerminalEnd, TerminalEnding, TerminalFrame, TerminalId, TerminalPlace, TerminalSize,
    UnixMillis,
};
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::emulator::{Drawn, Emulator};
use crate::engine::{Redactor, clock};

/// Pages hear no more often; a value in two pieces has come by then.
const PACE: Duration = Duration::from_millis(30);
/// What is read before it is drawn; a flood waits, and its program with it.
const MOST_READ: usize = 256 * 1024;
/// Between two pieces of this size others have their turn.
const PIECE: usize = 4 * 1024;
/// A page that falls further behind gets everything anew.
const BEHIND: usize = 256;
/// Batches of keys that wait for the program.
const KEYS: usize = 64;
/// After its last word a program has this long to say how it ended.
const PARTING: Duration = Duration::from_secs(10);

/// How long a session may last without anybody.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Without a key typed and without a word printed.
    pub silent: Duration,
    /// Without a page that shows it.
    pub unwatched: Duration,
    pub longest: Duration,
    /// How often that is looked at.
    pub look: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            silent: Duration::from_secs(30 * 60),
            unwatched: Duration::from_secs(10 * 60),
            longest: Duration::from_secs(8 * 60 * 60),
            look: Duration::from_secs(5),
        }
    }
}

/// A connection to a program with a terminal. Dropping it ends the program.
pub struct Line {
    pub output: Pin<Box<dyn AsyncRead + Send>>,
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
    pub resize: Box<dyn FnMut(TerminalSize) + Send>,
    /// How it ended; asked for once its output is over.
    pub ended: BoxFuture<'static, TerminalEnd>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

#[derive(Debug)]
pub struct Session {
    pub id: TerminalId,
    pub place: TerminalPlace,
    began: UnixMillis,
    shared: Mutex<Shared>,
    news: broadcast::Sender<TerminalFrame>,
    keys: mpsc::Sender<Zeroizing<String>>,
    sizes: watch::Sender<TerminalSize>,
    /// Cancelled to end it; the reason is a sentence.
    stop: CancellationToken,
    why: Mutex<Option<String>>,
}

#[derive(Debug)]
struct Shared {
    emulator: Emulator,
    ending: Option<TerminalEnding>,
}

/// What the session's own task needs besides.
#[derive(Debug)]
pub struct Work {
    keys: mpsc::Receiver<Zeroizing<String>>,
    sizes: watch::Receiver<TerminalSize>,
}

impl Session {
    pub fn new(
        id: TerminalId,
        place: TerminalPlace,
        size: TerminalSize,
        redactor: Redactor,
    ) -> (Arc<Self>, Work) {
        let (keys, typed) = mpsc::channel(KEYS);
        let (sizes, measured) = watch::channel(size.clamped());
        let session = Self {
            id,
            place,
            began: clock::now(),
            shared: Mutex::new(Shared {
                emulator: Emulator::new(size, redactor),
                ending: None,
            }),
            news: broadcast::channel(BEHIND).0,
            keys,
            sizes,
            stop: CancellationToken::new(),
            why: Mutex::default(),
        };
        let work = Work {
            keys: typed,
            sizes: measured,
        };
        (Arc::new(session), work)
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_going(&self) -> bool {
        self.shared().ending.is_none()
    }

    /// Everything so far, and what follows.
    pub fn subscribe(&self) -> (TerminalFrame, broadcast::Receiver<TerminalFrame>) {
        let shared = self.shared();
        let whole = self.whole(&shared);
        (whole, self.news.subscribe())
    }

    fn whole(&self, shared: &Shared) -> TerminalFrame {
        TerminalFrame::Whole {
            terminal: Box::new(Terminal {
                id: self.id,
                began: self.began,
                screen: shared.emulator.screen().clone(),
                ending: shared.ending.clone(),
            }),
        }
    }

    /// Hands keys over; false when the program takes none.
    pub async fn type_in(&self, text: Zeroizing<String>, patience: Duration) -> bool {
        matches!(timeout(patience, self.keys.send(text)).await, Ok(Ok(())))
    }

    pub fn resize(&self, size: TerminalSize) {
        self.sizes.send_replace(size.clamped());
    }

    /// Ends it, for this reason; only the first one counts.
    pub fn close(&self, why: &str) {
        self.why
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| why.to_owned());
        self.stop.cancel();
    }

    fn closed(&self) -> TerminalEnd {
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        TerminalEnd::Closed {
            why: why.clone().unwrap_or_else(|| "It was closed".to_owned()),
        }
    }

    /// Tells what differs since the last time.
    fn draw(&self) {
        let mut shared = self.shared();
        let frame = match shared.emulator.draw() {
            None => return,
            Some(Drawn::Update(update)) => TerminalFrame::Update { update },
            Some(Drawn::Whole) => self.whole(&shared),
        };
        // Nobody may be watching. Told under the lock: everybody hears everything in order.
        let _ = self.news.send(frame);
    }

    fn end(&self, how: TerminalEnd) {
        self.draw();
        let ending = TerminalEnding {
            at: clock::now(),
            how,
        };
        let mut shared = self.shared();
        shared.ending = Some(ending.clone());
        let _ = self.news.send(TerminalFrame::Ended { ending });
    }

    /// Carries everything both ways until the program ends or the session is closed; says how.
    /// `gone` ends it, too.
    pub async fn run(
        &self,
        line: Line,
        work: Work,
        limits: Limits,
        gone: impl Future<Output = &'static str> + Send,
    ) -> TerminalEnd {
        let how = tokio::select! {
            biased;
            () = self.stop.cancelled() => self.closed(),
            why = gone => TerminalEnd::Closed { why: why.to_owned() },
            how = self.carry(line, work, limits) => how,
        };
        self.end(how.clone());
        how
    }

    async fn carry(&self, line: Line, work: Work, limits: Limits) -> TerminalEnd {
        let Line {
            mut output,
            mut input,
            mut resize,
            ended,
        } = line;
        let Work {
            mut keys,
            mut sizes,
        } = work;
        let (typed, last_typed) = watch::channel(());
        let typing = async move {
            while let Some(text) = keys.recv().await {
                typed.send_replace(());
                let written = async {
                    input.write_all(text.as_bytes()).await?;
                    input.flush().await
                };
                if written.await.is_err() {
                    // How it ended is told by the other direction.
                    break;
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::pin!(typing);
        let mut look = interval(limits.look);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_typed = last_typed;
        let begun = Instant::now();
        let (mut heard, mut watched) = (begun, begun);
        let mut buffer = vec![0; PIECE];
        let mut unread = 0;
        let mut draw_at: Option<Instant> = None;
        resize(*sizes.borrow_and_update());
        loop {
            tokio::select! {
                // The clock first: a flood must not keep the page waiting.
                biased;
                () = sleep_until(draw_at.unwrap_or(begun)), if draw_at.is_some() => {
                    self.draw();
                    (draw_at, unread) = (None, 0);
                }
                () = &mut typing => {}
                Ok(()) = last_typed.changed() => heard = Instant::now(),
                Ok(()) = sizes.changed() => {
                    let size = *sizes.borrow_and_update();
                    self.shared().emulator.resize(size);
                    resize(size);
                    self.draw();
                }
                _ = look.tick() => {
                    let now = Instant::now();
                    if self.news.receiver_count() > 0 {
                        watched = now;
                    }
                    let over = [
                        (now - heard > limits.silent, "Nothing was typed or printed for too long", limits.silent),
                        (now - watched > limits.unwatched, "No page showed it for too long", limits.unwatched),
                        (now - begun > limits.longest, "It lasted too long", limits.longest),
                    ];
                    if let Some((_, why, limit)) = over.into_iter().find(|(is_over, ..)| *is_over) {
                        return TerminalEnd::Closed { why: format!("{why} ({})", words(limit)) };
                    }
                }
                read = output.read(&mut buffer), if unread < MOST_READ => match read {
                    Ok(count @ 1..) => {
                        self.shared().emulator.feed(&buffer[..count]);
                        heard = Instant::now();
                        unread += count;
                        draw_at.get_or_insert(heard + PACE);
                        tokio::task::yield_now().await;
                    }
                    Ok(0) | Err(_) => break,
                },
            }
        }
        self.draw();
        timeout(PARTING, ended)
            .await
            .unwrap_or_else(|_| TerminalEnd::Closed {
                why: "It is not known how it ended".to_owned(),
            })
    }
}

fn words(limit: Duration) -> String {
    match limit.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} minutes", seconds / 60),
        seconds => format!("{} hours", seconds / 3600),
    }
}
