//! Whether the addresses of Services answer from this machine: a connection that is made and closed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::store::LiveNews;

/// A host name or an IP, and a port.
pub type Address = (String, u16);

const EVERY: Duration = Duration::from_secs(4);
const ANSWERS_WITHIN: Duration = Duration::from_millis(1_500);
/// Beyond this many the rest stays unknown.
const MOST: usize = 32;
/// One lost packet is not yet silence.
const SILENT_AFTER: u32 = 2;

/// Tries until the future is dropped, and tells what changed.
pub(super) async fn watch(
    mut wanted: watch::Receiver<Arc<BTreeSet<Address>>>,
    news: mpsc::UnboundedSender<LiveNews>,
) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut counts = Counts::default();
    let mut told = BTreeMap::new();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            changed = wanted.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
        let now = Arc::clone(&wanted.borrow_and_update());
        let tries = now.iter().take(MOST).cloned().map(|address| async move {
            let answers = answers(&address).await;
            (address, answers)
        });
        let tried = futures::future::join_all(tries).await;
        let found = counts.count(tried);
        if found != told {
            told.clone_from(&found);
            // The receiver is gone only when this is about to end, too.
            let _ = news.send(LiveNews::Reached(found));
        }
    }
}

async fn answers((host, port): &Address) -> bool {
    matches!(
        timeout(ANSWERS_WITHIN, TcpStream::connect((host.as_str(), *port))).await,
        Ok(Ok(_))
    )
}

/// How often in a row each address was silent.
#[derive(Debug, Default)]
struct Counts(BTreeMap<Address, u32>);

impl Counts {
    /// What is known then: only what answered, or was silent often enough.
    fn count(&mut self, tried: Vec<(Address, bool)>) -> BTreeMap<Address, bool> {
        let mut counts = BTreeMap::new();
        let mut found = BTreeMap::new();
        for (address, answers) in tried {
            let before = self.0.get(&address).copied().unwrap_or(0);
            let silent = if answers { 0 } else { before + 1 };
            if answers || silent >= SILENT_AFTER {
                found.insert(address.clone(), answers);
            }
            counts.insert(address, silent);
        }
        self.0 = counts;
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_silence_is_not_yet_believed_and_one_answer_is() {
        let address = || ("10.0.0.1".to_owned(), 80);
        let mut counts = Counts::default();
        assert!(counts.count(vec![(address(), false)]).is_empty());
        assert!(!counts.count(vec![(address(), false)])[&address()]);
        assert!(counts.count(vec![(address(), true)])[&address()]);
        assert!(counts.count(vec![(address(), false)]).is_empty());
        assert!(counts.count(vec![]).is_empty());
    }

    #[tokio::test]
    async fn an_address_answers_when_something_listens_there() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let port = listener.local_addr().expect("an address").port();
        assert!(answers(&("127.0.0.1".to_owned(), port)).await);
        drop(listener);
        assert!(!answers(&("127.0.0.1".to_owned(), port)).await);
    }
}
