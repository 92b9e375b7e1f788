//! Kubernetes quantities (`250m`, `128Mi`) and what this machine has.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// The amount in base units (cores, bytes); `None` for text that is no quantity.
pub fn parse(quantity: &Quantity) -> Option<f64> {
    let text = quantity.0.trim();
    const SUFFIXES: [(&str, f64); 14] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
    ];
    if let Ok(plain) = text.parse() {
        return Some(plain);
    }
    let (number, factor) = SUFFIXES
        .iter()
        .find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, factor)))?;
    number.parse::<f64>().ok().map(|number| number * factor)
}

pub fn host_cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub fn host_memory_bytes() -> u64 {
    std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("MemTotal:"))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        })
        .map_or(8 << 30, |kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

    use super::parse;

    #[test]
    fn quantities_are_read_with_their_suffix() {
        let amount = |text: &str| parse(&Quantity(text.into()));
        assert_eq!(amount("250m"), Some(0.25));
        assert_eq!(amount("128Mi"), Some(134_217_728.0));
        assert_eq!(amount("1e3"), Some(1000.0));
        assert_eq!(amount("2"), Some(2.0));
        assert_eq!(amount("many"), None);
    }
}
