//! Where a moment is on the screen. Pure.

use crate::model::UnixMillis;

const MINUTE: i64 = 60_000;

/// What can be seen at once, in milliseconds and words.
pub const ZOOMS: [(i64, &str); 6] = [
    (MINUTE, "1 min"),
    (10 * MINUTE, "10 min"),
    (60 * MINUTE, "1 h"),
    (6 * 60 * MINUTE, "6 h"),
    (12 * 60 * MINUTE, "12 h"),
    (24 * 60 * MINUTE, "1 day"),
];

/// The width of a drawing, in its own units.
pub const WIDE: f64 = 1000.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: UnixMillis,
    pub to: UnixMillis,
}

impl Window {
    /// So wide, so many windows before now.
    pub fn at(now: UnixMillis, wide_ms: i64, back: i64) -> Self {
        let to = now.0 - back * wide_ms;
        Self {
            from: UnixMillis(to - wide_ms),
            to: UnixMillis(to),
        }
    }

    fn wide_ms(&self) -> i64 {
        (self.to.0 - self.from.0).max(1)
    }

    /// Where a moment is, within the drawing.
    pub fn x(&self, at: UnixMillis) -> f64 {
        let x = (at.0 - self.from.0) as f64 / self.wide_ms() as f64 * WIDE;
        x.clamp(0.0, WIDE)
    }

    /// The moment at a part of the width, from 0 to 1.
    pub fn moment(&self, part: f64) -> UnixMillis {
        UnixMillis(self.from.0 + (self.wide_ms() as f64 * part.clamp(0.0, 1.0)) as i64)
    }

    /// What is meant by "near" at this zoom: a hundredth of what is seen.
    pub fn near_ms(&self) -> i64 {
        self.wide_ms() / 100
    }

    /// Five moments to write below, evenly.
    pub fn ticks(&self) -> [UnixMillis; 5] {
        [0.0, 0.25, 0.5, 0.75, 1.0].map(|part| self.moment(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_places_are_each_others_inverse() {
        let window = Window::at(UnixMillis(1_000_000), 100_000, 2);
        assert_eq!((window.from.0, window.to.0), (700_000, 800_000));
        for part in [0.0, 0.25, 0.5, 1.0] {
            assert!((window.x(window.moment(part)) - part * WIDE).abs() < 0.1);
        }
        assert_eq!(window.x(UnixMillis(0)), 0.0);
        assert_eq!(window.moment(7.0), window.to);
    }
}
