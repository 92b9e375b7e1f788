//! Sizes as Docker's tools print them.

/// Reads `762.8kB`, `24B`, `1.05MB`: decimal units, as go-units writes them.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let number: f64 = text[..unit_at].trim().parse().ok()?;
    let factor = match &text[unit_at..] {
        "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    // The cast saturates: no text can make it overflow.
    (number.is_finite() && number >= 0.0).then_some((number * factor).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, bytes) in [
            ("24B", Some(24)),
            ("762.8kB", Some(762_800)),
            ("1.05MB", Some(1_050_000)),
            ("2GiB", Some(2_147_483_648)),
            ("12", None),
            ("-1B", None),
            ("NaNB", None),
            ("xB", None),
            ("é1B", None),
        ] {
            assert_eq!(parse_bytes(text), bytes, "{text}");
        }
    }
}
