//! Times of day as a person reads them, in the zone of the browser.

use js_sys::Date;

/// Hours to milliseconds; with the date where it is not that of `now_ms`.
pub(super) fn exact(at_ms: f64, now_ms: f64) -> String {
    let (at, now) = (date(at_ms), date(now_ms));
    let time = format!("{}.{:03}", clock(&at), at.get_milliseconds());
    if day(&at) == day(&now) { time } else { format!("{} {time}", day(&at)) }
}

/// Hours to seconds; with the date where it is not that of `now_ms`.
pub(super) fn short(at_ms: f64, now_ms: f64) -> String {
    let (at, now) = (date(at_ms), date(now_ms));
    if day(&at) == day(&now) { clock(&at) } else { format!("{} {}", day(&at), clock(&at)) }
}

fn date(at_ms: f64) -> Date {
    Date::new(&at_ms.into())
}

fn clock(at: &Date) -> String {
    format!("{:02}:{:02}:{:02}", at.get_hours(), at.get_minutes(), at.get_seconds())
}

fn day(at: &Date) -> String {
    format!("{}-{:02}-{:02}", at.get_full_year(), at.get_month().saturating_add(1), at.get_date())
}
