//! Kubernetes quantities (`250m`, `1Gi`, `1e3`) as whole thousandths.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// The value in thousandths, rounded up. `None` when the text is no quantity.
pub fn milli(text: &str) -> Option<i128> {
    let text = text.trim();
    let digits = text
        .char_indices()
        .find(|(at, c)| !(c.is_ascii_digit() || *c == '.' || (*at == 0 && matches!(c, '+' | '-'))))
        .map_or(text.len(), |(at, _)| at);
    let (number, suffix) = text.split_at(digits);
    let (negative, number) = match number.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    // Thirty digits are beyond any machine and still fit the arithmetic.
    if (whole.is_empty() && part.is_empty()) || whole.len() > 18 || part.len() > 12 {
        return None;
    }
    if part.contains('.') {
        return None;
    }
    let mantissa: i128 = format!("{whole}{part}").parse().ok()?;
    let (numerator, denominator) = scale(suffix)?;
    let divisor = denominator.checked_mul(10_i128.checked_pow(u32::try_from(part.len()).ok()?)?)?;
    let value = mantissa.checked_mul(numerator)?.checked_mul(1000)?;
    let rounded = value.checked_add(divisor - 1)? / divisor;
    Some(if negative { -rounded } else { rounded })
}

fn scale(suffix: &str) -> Option<(i128, i128)> {
    let binary = |power: u32| Some((1024_i128.pow(power), 1));
    let decimal = |power: u32| Some((1000_i128.pow(power), 1));
    match suffix {
        "" => Some((1, 1)),
        "n" => Some((1, 1_000_000_000)),
        "u" => Some((1, 1_000_000)),
        "m" => Some((1, 1000)),
        "k" => decimal(1),
        "M" => decimal(2),
        "G" => decimal(3),
        "T" => decimal(4),
        "P" => decimal(5),
        "E" => decimal(6),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            let factor = 10_i128
                .checked_pow(power.unsigned_abs())
                .filter(|_| power.abs() <= 18)?;
            Some(if power < 0 { (1, factor) } else { (factor, 1) })
        }
    }
}

/// Thousandths as the API writes them: in powers of 1024 where `binary` and they fit.
pub fn write(milli: i128, binary: bool) -> String {
    if milli % 1000 != 0 {
        return format!("{milli}m");
    }
    let whole = milli / 1000;
    let suffixes: &[&str] = if binary {
        &["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]
    } else {
        &["k", "M", "G", "T", "P", "E"]
    };
    let base = if binary { 1024 } else { 1000 };
    let (mut value, mut suffix) = (whole, "");
    for next in suffixes {
        if value == 0 || value % base != 0 {
            break;
        }
        value /= base;
        suffix = next;
    }
    format!("{value}{suffix}")
}

/// The thousandths of one resource in a list; absent or unreadable counts as none.
pub fn amount(list: Option<&BTreeMap<String, Quantity>>, resource: &str) -> Option<i128> {
    milli(&list?.get(resource)?.0)
}

#[cfg(test)]
mod tests {
    use super::milli;

    #[test]
    fn quantities_are_written_shortly() {
        use super::write;
        assert_eq!(write(1500, false), "1500m");
        assert_eq!(write(2000, false), "2");
        assert_eq!(write(0, true), "0");
        assert_eq!(write(1536 * 1024 * 1024 * 1000, true), "1536Mi");
        assert_eq!(write(5_000_000, false), "5k");
    }

    #[test]
    fn quantities_are_read_exactly() {
        let cases = [
            ("1", 1000),
            ("250m", 250),
            ("0.5", 500),
            ("1.5Gi", 1536 * 1024 * 1024 * 1000),
            ("128Mi", 128 * 1024 * 1024 * 1000),
            ("2k", 2_000_000),
            ("1e3", 1_000_000),
            ("5E-1", 500),
            ("100u", 1),
            ("-1", -1000),
            (".5", 500),
        ];
        for (text, expected) in cases {
            assert_eq!(milli(text), Some(expected), "{text}");
        }
        for bad in ["", "m", "1x", "1.2.3", "one", "1e99"] {
            assert_eq!(milli(bad), None, "{bad}");
        }
    }
}
