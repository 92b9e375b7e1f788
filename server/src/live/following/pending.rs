//! Lines that wait for the page: a bounded heap of the newest, and a count of what did not fit.

use std::collections::VecDeque;

use app::model::PodLogLine;

/// More lines than this between two frames are left out, the oldest first.
pub const MOST: usize = 500;
/// The first frame holds the past of all containers.
pub const MOST_AT_FIRST: usize = 5_000;

#[derive(Debug)]
pub struct Pending {
    lines: VecDeque<PodLogLine>,
    most: usize,
    skipped: u64,
    read: u64,
}

impl Default for Pending {
    fn default() -> Self {
        Self {
            lines: VecDeque::new(),
            most: MOST_AT_FIRST,
            skipped: 0,
            read: 0,
        }
    }
}

impl Pending {
    /// Takes lines in, of so many that were read.
    pub fn add(&mut self, lines: impl IntoIterator<Item = PodLogLine>, read: u64) {
        self.read += read;
        for line in lines {
            if self.lines.len() >= self.most {
                self.lines.pop_front();
                self.skipped += 1;
            }
            self.lines.push_back(line);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.read == 0
    }

    /// Everything that waits, in the order of time, with how many were left out and read.
    pub fn take(&mut self) -> (Vec<PodLogLine>, u64, u64) {
        self.most = MOST;
        let mut lines: Vec<PodLogLine> = self.lines.drain(..).collect();
        // Stable: lines of one container that have the same time stay in their order.
        lines.sort_by_key(|line| line.at);
        (
            lines,
            std::mem::take(&mut self.skipped),
            std::mem::take(&mut self.read),
        )
    }
}

#[cfg(test)]
mod tests {
    use app::model::{LogSource, UnixMillis};

    use super::*;

    fn line(at: i64) -> PodLogLine {
        PodLogLine {
            at: UnixMillis(at),
            source: LogSource {
                pod: "p".into(),
                container: "c".into(),
            },
            level: None,
            text: String::new(),
            note: false,
        }
    }

    #[test]
    fn the_newest_lines_are_kept_and_the_others_counted() {
        let mut pending = Pending::default();
        pending.take();
        pending.add((0..10_000).map(line), 20_000);
        let (lines, skipped, read) = pending.take();
        assert_eq!((lines.len(), skipped, read), (MOST, 9_500, 20_000));
        assert_eq!(lines.last().map(|line| line.at.0), Some(9_999));
        assert!(pending.is_empty());
    }

    #[test]
    fn lines_of_several_containers_come_in_the_order_of_time() {
        let mut pending = Pending::default();
        pending.add([line(5), line(7)], 2);
        pending.add([line(6)], 1);
        let at: Vec<i64> = pending.take().0.iter().map(|line| line.at.0).collect();
        assert_eq!(at, [5, 6, 7]);
    }
}
