//! Times of day as a person reads them, in the zone of the browser.

use js_sys::Date;

use crate::ticks::{self, Detail, TimeMark};

/// Hours to milliseconds; with the date where it is not that of `now_ms`, and with how far it is from UTC where
/// the clock shows the same time twice that night.
pub(super) fn exact(at_ms: f64, now_ms: f64) -> String {
    let (at, now) = (date(at_ms), date(now_ms));
    let mut time = format!("{}.{:03}", clock(&at), at.get_milliseconds());
    if ticks::is_shown_twice(at_ms, offset_ms) {
        time.push_str(&zone(at_ms));
    }
    if day(&at) == day(&now) { time } else { format!("{} {time}", day(&at)) }
}

/// The most letters of a time without a date, and of one with a date.
const TIME_LEN: usize = "00:00:00.000".len();
const DATED_LEN: usize = "2026-10-25 00:00:00.000".len();

/// The class of a list in which these times stand below each other: how much room they take, as [`exact`]
/// writes them.
pub(super) fn room(times_ms: impl Iterator<Item = f64>, now_ms: f64) -> Option<&'static str> {
    let len = times_ms.map(|at_ms| exact(at_ms, now_ms).len()).max()?;
    (len > TIME_LEN).then_some(if len > DATED_LEN { "is-zoned" } else { "is-dated" })
}

/// How far the clock is from UTC at a moment, such as `+02:00`.
fn zone(at_ms: f64) -> String {
    // A cast from a float keeps to the range of the integer.
    let minutes = (offset_ms(at_ms) / 60_000.0) as i32;
    let (sign, minutes) = (if minutes < 0 { '-' } else { '+' }, minutes.unsigned_abs());
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
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

/// How far the clock of the browser's zone is ahead of UTC at a moment, in milliseconds.
pub(super) fn offset_ms(at_ms: f64) -> f64 {
    let minutes = date(at_ms).get_timezone_offset();
    // A moment that no calendar has is as far as UTC.
    if minutes.is_finite() { -minutes * 60_000.0 } else { 0.0 }
}

/// A mark on the axis of time.
pub(super) fn mark(mark: &TimeMark) -> String {
    let at = date(mark.at_ms);
    let seconds = clock(&at);
    match mark.detail {
        Detail::Day => day(&at),
        Detail::Minutes => format!("{:02}:{:02}", at.get_hours(), at.get_minutes()),
        Detail::Seconds => seconds,
        Detail::Millis => format!("{seconds}.{:03}", at.get_milliseconds()),
    }
}
