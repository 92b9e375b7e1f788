//! Points in time as they cross the wire.
//! Wall-clock only: every deadline in the server uses the monotonic clock instead.

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, by the server's wall clock.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// Milliseconds from `earlier` to `self`; zero when the clock went backwards.
    pub fn since(self, earlier: UnixMillis) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

/// A span in words a person reads at a glance: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`.
pub fn humanize_ms(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0..=9 if ms < 10_000 && !ms.is_multiple_of(1000) => {
            format!("{}.{} s", s, (ms % 1000) / 100)
        }
        0..=59 => format!("{s} s"),
        60..=3599 => join_units(s / 60, "min", s % 60, "s"),
        3600..=86_399 => join_units(s / 3600, "h", (s % 3600) / 60, "min"),
        _ => join_units(s / 86_400, "d", (s % 86_400) / 3600, "h"),
    }
}

fn join_units(big: u64, big_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{big} {big_unit}")
    } else {
        format!("{big} {big_unit} {small} {small_unit}")
    }
}

/// A size in decimal units, as `docker images` prints it: `512 B`, `12.3 MB`.
pub fn humanize_bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_like_a_person_would_say_them() {
        let cases = [
            (0, "0 s"),
            (400, "0.4 s"),
            (12_345, "12 s"),
            (60_000, "1 min"),
            (185_000, "3 min 5 s"),
            (7_800_000, "2 h 10 min"),
            (90_000_000, "1 d 1 h"),
        ];
        for (ms, words) in cases {
            assert_eq!(humanize_ms(ms), words);
        }
    }

    #[test]
    fn sizes_never_show_four_digits_before_the_point() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (123_456_789, "123.5 MB"),
        ];
        for (bytes, words) in cases {
            assert_eq!(humanize_bytes(bytes), words);
        }
    }
}
