//! A recorded walk, told to a store of its own at the pace it had; only pauses are shortened.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::fetch::{self, sleep_ms};
use super::{Connection, Live, Seed};
use crate::model::{Recording, Role, UnixMillis};
use crate::token;

/// A pause in which nothing happened is cut down to this.
const LONGEST_PAUSE_MS: u64 = 1_500;
/// For how long the end is shown before it begins anew.
const END_MS: u32 = 6_000;
/// What came this close together is told together.
const TOGETHER_MS: u64 = 15;

/// The last walk that went well; none when there is none, or it cannot be had now.
pub async fn fetch_recording() -> Option<Recording> {
    let text = fetch::text("/replay", &token::authorization()?).await?;
    fetch::decode(&text)
}

/// Puts a store into the context that shows the recording, again and again, while its owner lives.
pub fn play(recording: Arc<Recording>) {
    let live = Live::new(Some(Seed {
        state: recording.state.clone(),
        connection: Connection::Live,
        role: Role::Viewer,
        now: recording.started,
    }));
    provide_context(live);
    let over = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&over);
    on_cleanup(move || over.store(true, Ordering::Relaxed));
    spawn_local(async move {
        let mut now = recording.started;
        loop {
            for told in &recording.events {
                let pause = pause_ms(now, told.at);
                if pause > 0 {
                    sleep_ms(pause).await;
                }
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                now = told.at;
                live.heard.set_value(now);
                live.apply(&told.event);
                live.now.set(now);
            }
            sleep_ms(END_MS).await;
            if is_over.load(Ordering::Relaxed) {
                return;
            }
            now = recording.started;
            live.heard.set_value(now);
            live.replace(recording.state.clone());
            live.now.set(now);
        }
    });
}

fn pause_ms(now: UnixMillis, next: UnixMillis) -> u32 {
    match next.since(now) {
        0..TOGETHER_MS => 0,
        // Below u32::MAX: it is cut down.
        gap => gap.min(LONGEST_PAUSE_MS) as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_kept_up_to_a_length_and_time_never_runs_back() {
        let pause = |from, to| pause_ms(UnixMillis(from), UnixMillis(to));
        assert_eq!(pause(1_000, 1_010), 0);
        assert_eq!(pause(1_000, 1_400), 400);
        assert_eq!(pause(1_000, 900_000), 1_500);
        assert_eq!(pause(1_000, 400), 0);
    }
}
