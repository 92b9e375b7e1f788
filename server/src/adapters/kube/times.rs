//! Kubernetes timestamps as the model's milliseconds.

use app::model::UnixMillis;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};

pub fn millis(time: &Time) -> UnixMillis {
    UnixMillis(time.0.as_millisecond())
}

pub fn micro_millis(time: &MicroTime) -> UnixMillis {
    UnixMillis(time.0.as_millisecond())
}

/// RFC 3339 in whole seconds, as Kubernetes writes its own times.
pub fn rfc3339(at: UnixMillis) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

/// The reverse of [`rfc3339`]; none when the text is no timestamp.
pub fn parse_rfc3339(text: &str) -> Option<UnixMillis> {
    text.parse::<jiff::Timestamp>()
        .ok()
        .map(|at| UnixMillis(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_survives_the_round_trip_to_the_second() {
        let at = UnixMillis(1_763_700_000_123);
        assert_eq!(
            parse_rfc3339(&rfc3339(at)),
            Some(UnixMillis(1_763_700_000_000))
        );
        assert_eq!(parse_rfc3339("yesterday"), None);
    }
}
