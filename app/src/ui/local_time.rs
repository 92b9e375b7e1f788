//! Moments in the reader's own time zone. In the browser only.

use crate::model::UnixMillis;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

fn date(at: UnixMillis) -> js_sys::Date {
    js_sys::Date::new(&(at.0 as f64).into())
}

/// `14:03:22`
pub fn time_of_day(at: UnixMillis) -> String {
    let date = date(at);
    format!(
        "{:02}:{:02}:{:02}",
        date.get_hours(),
        date.get_minutes(),
        date.get_seconds()
    )
}

/// `14:03:22.051`
pub fn time_with_millis(at: UnixMillis) -> String {
    format!("{}.{:03}", time_of_day(at), date(at).get_milliseconds())
}

/// `21 Nov 2026, 14:03`
pub fn day_and_time(at: UnixMillis) -> String {
    let date = date(at);
    let month = MONTHS.get(date.get_month() as usize).unwrap_or(&"");
    format!(
        "{} {month} {}, {:02}:{:02}",
        date.get_date(),
        date.get_full_year(),
        date.get_hours(),
        date.get_minutes()
    )
}
