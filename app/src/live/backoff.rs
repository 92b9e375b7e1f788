//! How long to wait before the next try to connect.

const FIRST_MS: u32 = 250;
const LONGEST_MS: u32 = 5_000;

/// Doubles from a quarter of a second to five seconds. `jitter` (0 to 1) takes up to a fifth away,
/// so that many pages do not come back in the same instant.
pub fn delay_ms(failed_tries: u32, jitter: f64) -> u32 {
    let doubled = FIRST_MS.saturating_mul(1 << failed_tries.min(16));
    let capped = f64::from(doubled.min(LONGEST_MS));
    (capped * (1.0 - 0.2 * jitter.clamp(0.0, 1.0))) as u32
}

#[cfg(test)]
mod tests {
    use super::delay_ms;

    #[test]
    fn delays_double_up_to_the_cap() {
        let delays: Vec<u32> = (0..8).map(|tries| delay_ms(tries, 0.0)).collect();
        assert_eq!(delays, [250, 500, 1000, 2000, 4000, 5000, 5000, 5000]);
        assert_eq!(delay_ms(u32::MAX, 0.0), 5000);
    }

    #[test]
    fn jitter_only_shortens_and_by_a_fifth_at_most() {
        assert_eq!(delay_ms(1, 1.0), 400);
        assert_eq!(delay_ms(1, 7.0), 400);
        assert_eq!(delay_ms(1, 0.5), 450);
    }
}
