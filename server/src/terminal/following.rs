//! What a page hears that follows a place: the session there is, its frames, and the next one.

use std::time::Duration;

use app::model::{TerminalFrame, TerminalId, TerminalPlace};
use futures::{Stream, stream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::sleep;

use super::TerminalRoom;

/// A sign of life while nothing happens.
const ALIVE: Duration = Duration::from_secs(2);

struct Follower {
    room: TerminalRoom,
    place: TerminalPlace,
    changes: watch::Receiver<u64>,
    session: Option<(TerminalId, broadcast::Receiver<TerminalFrame>)>,
    has_begun: bool,
}

pub(super) fn follow(
    room: TerminalRoom,
    place: TerminalPlace,
) -> impl Stream<Item = TerminalFrame> + Send + 'static {
    let follower = Follower {
        changes: room.changes(),
        room,
        place,
        session: None,
        has_begun: false,
    };
    stream::unfold(follower, |mut follower| async move {
        let frame = follower.next().await?;
        Some((frame, follower))
    })
}

impl Follower {
    async fn next(&mut self) -> Option<TerminalFrame> {
        loop {
            if !std::mem::replace(&mut self.has_begun, true) || self.is_another() {
                return Some(self.join());
            }
            let heard = async {
                match &mut self.session {
                    Some((_, news)) => news.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                heard = heard => match heard {
                    Ok(frame) => return Some(frame),
                    Err(RecvError::Lagged(_)) => return Some(self.join()),
                    // An ended session is kept by the room until another one takes its place.
                    Err(RecvError::Closed) => self.session = None,
                },
                changed = self.changes.changed() => if changed.is_err() {
                    return None;
                },
                () = sleep(ALIVE) => return Some(TerminalFrame::Alive),
            }
        }
    }

    fn is_another(&self) -> bool {
        let newest = self.room.newest(&self.place).map(|session| session.id);
        newest.is_some() && newest != self.session.as_ref().map(|(id, _)| *id)
    }

    fn join(&mut self) -> TerminalFrame {
        let Some(session) = self.room.newest(&self.place) else {
            self.session = None;
            return TerminalFrame::None;
        };
        let (whole, news) = session.subscribe();
        self.session = Some((session.id, news));
        whole
    }
}
