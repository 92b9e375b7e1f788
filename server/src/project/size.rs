//! Sizes as people write them: `200MB`, `1.5 GiB`, `512 kB`.

/// Bytes of a size with a unit; none when it is not one. Units are decimal (`kB`, `MB`, `GB`) or
/// binary (`KiB`, `MiB`, `GiB`), in any case; a bare number is bytes.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" | "k" => 1_000,
        "mb" | "m" => 1_000_000,
        "gb" | "g" => 1_000_000_000,
        "kib" | "ki" => 1 << 10,
        "mib" | "mi" => 1 << 20,
        "gib" | "gi" => 1 << 30,
        _ => return None,
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let fraction = number.parse::<f64>().ok()?;
    let bytes = fraction * factor as f64;
    // Beyond this a float cannot tell single bytes apart, and no image is that large.
    (bytes.is_finite() && (0.0..9e15).contains(&bytes)).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let cases = [
            ("200MB", Some(200_000_000)),
            ("200 mb", Some(200_000_000)),
            ("1.5GiB", Some(1_610_612_736)),
            ("512", Some(512)),
            ("3 KiB", Some(3072)),
            ("", None),
            ("MB", None),
            ("12 apples", None),
            ("-3MB", None),
            ("1.2.3MB", None),
            ("99999999999999999999GB", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_size(text), bytes, "{text:?}");
        }
    }
}
