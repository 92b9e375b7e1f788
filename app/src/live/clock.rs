//! The server's time on a page whose own wall clock may be set at any moment, and whose machine may sleep.

use crate::model::UnixMillis;

/// The wall clock ran this much further than the page's own: the machine slept, or somebody set it.
const SLEPT_MS: f64 = 5_000.0;

/// Both clocks of the page at one moment, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Clocks {
    /// Jumps when it is set, and goes on while the machine sleeps.
    wall: f64,
    /// Never jumps, and stands still while the machine sleeps.
    page: f64,
}

impl Clocks {
    /// In the browser only.
    pub fn now() -> Self {
        Self {
            wall: js_sys::Date::now(),
            page: leptos::prelude::window()
                .performance()
                .map_or(0.0, |performance| performance.now()),
        }
    }
}

/// Goes on from what the server said last, by the clock that nobody sets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ServerClock {
    said: UnixMillis,
    said_at: Clocks,
    looked_at: Clocks,
}

impl ServerClock {
    pub fn set(&mut self, said: UnixMillis, now: Clocks) {
        self.said = said;
        self.said_at = now;
    }

    /// The server's time. Before it said any, the page's wall clock.
    pub fn at(&self, now: Clocks) -> UnixMillis {
        if self.said_at == Clocks::default() {
            return UnixMillis(now.wall as i64);
        }
        UnixMillis(self.said.0 + (now.page - self.said_at.page) as i64)
    }

    /// Whether the machine slept since it was asked last.
    pub fn slept(&mut self, now: Clocks) -> bool {
        let before = std::mem::replace(&mut self.looked_at, now);
        before != Clocks::default() && now.wall - before.wall > now.page - before.page + SLEPT_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clocks(wall: f64, page: f64) -> Clocks {
        Clocks { wall, page }
    }

    #[test]
    fn a_wall_clock_that_is_set_changes_nothing_about_the_servers_time() {
        let mut clock = ServerClock::default();
        assert_eq!(clock.at(clocks(7_000.0, 1.0)), UnixMillis(7_000));
        clock.set(UnixMillis(50_000), clocks(7_000.0, 1.0));
        for wall in [0.0, 8_000.0, 4_000_000.0] {
            assert_eq!(clock.at(clocks(wall, 1_001.0)), UnixMillis(51_000));
        }
        clock.set(UnixMillis(20_000), clocks(9_000.0, 2_001.0));
        assert_eq!(clock.at(clocks(9_500.0, 2_501.0)), UnixMillis(20_500));
    }

    #[test]
    fn a_sleep_is_told_once_and_a_clock_set_back_is_none() {
        let mut clock = ServerClock::default();
        assert!(!clock.slept(clocks(1_000_000.0, 1.0)));
        assert!(!clock.slept(clocks(1_001_000.0, 1_001.0)));
        assert!(clock.slept(clocks(1_032_000.0, 2_001.0)));
        assert!(!clock.slept(clocks(1_033_000.0, 3_001.0)));
        assert!(!clock.slept(clocks(1_000.0, 4_001.0)));
        // Timers that waited long in a hidden tab slept with nobody: both clocks went on.
        assert!(!clock.slept(clocks(61_000.0, 64_001.0)));
    }
}
