//! Where the marks of a chart's axes stand, and what is written at them.
//!
//! Times are marked where a clock on the wall shows a round one, also on the day on which it is set
//! forward or back: what a zone's offset is at a moment is asked for, never assumed to stay.

/// A mark on an axis of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Where.
    pub value: f64,
    /// What is written there.
    pub text: String,
}

/// An axis of numbers, wide enough for round numbers at both ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The lower end.
    pub from: f64,
    /// The upper end.
    pub to: f64,
    /// The marks between them.
    pub marks: Vec<Mark>,
}

/// As far as an axis reaches; what is beyond lies at its edge. No sensor says such a number.
const FAR: f64 = 1e300;

/// Marks that an axis has at most, whatever it is asked for.
const MARKS_MAX: usize = 24;

/// An axis that shows everything from `low` to `high`, with about as many marks as are wanted.
pub fn axis(low: f64, high: f64, marks: usize) -> Axis {
    let (low, high) = room(low, high);
    let step = round_step((high - low) / marks.clamp(1, MARKS_MAX) as f64);
    let (first, last) = ((low / step).floor(), (high / step).ceil());
    let decimals = decimals(step);
    let count = ((last - first) as usize).min(MARKS_MAX);
    let mark = |index: usize| {
        let value = (first + index as f64) * step;
        Mark { value, text: number(value, step, decimals) }
    };
    Axis { from: first * step, to: last * step, marks: (0..=count).map(mark).collect() }
}

/// The same two numbers, or some room around them where they are one.
fn room(low: f64, high: f64) -> (f64, f64) {
    let (low, high) = if low <= high { (low, high) } else { (high, low) };
    let (low, high) = (low.clamp(-FAR, FAR), high.clamp(-FAR, FAR));
    // Numbers that differ by less than an `f64` can tell are the same number.
    let least = (low.abs().max(high.abs()) * 1e-9).max(1.0 / FAR);
    if high - low > least {
        return (low, high);
    }
    // One more and one less, or a tenth of what is large; a small number is not far from none.
    let size = low.abs();
    let around = if size == 0.0 { 1.0 } else { size.min(1.0).max(size * 0.1) };
    let around = around.max(least * 10.0);
    (low - around, high + around)
}

/// The next of 1, 2, 5, 10… that is not smaller.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let factor = step / power;
    // Ten of a power is the next one; rounding may put a number a hair above a round one.
    let factor = [1.0, 2.0, 5.0].into_iter().find(|round| factor <= round * 1.000_001);
    factor.unwrap_or(10.0) * power
}

/// Digits after the point that tell two marks apart.
fn decimals(step: f64) -> usize {
    (-(step.log10() + 1e-9).floor()).clamp(0.0, 12.0) as usize
}

fn number(value: f64, step: f64, decimals: usize) -> String {
    // Zero is what is left of a number that is close to it by rounding.
    let value = if value.abs() < step / 2.0 { 0.0 } else { value };
    match value.abs() {
        size if size >= 1e15 || (size > 0.0 && decimals >= 12) => format!("{value:.2e}"),
        size if step >= 1e9 => shortened(value, size, 1e9, "G"),
        size if step >= 1e6 => shortened(value, size, 1e6, "M"),
        size if step >= 1e4 => shortened(value, size, 1e3, "k"),
        _ => format!("{value:.decimals$}"),
    }
}

/// A large number with the letter of its decimal prefix, so that the axis stays narrow.
fn shortened(value: f64, size: f64, unit: f64, prefix: &str) -> String {
    if size == 0.0 { "0".to_owned() } else { format!("{} {prefix}", value / unit) }
}

/// A mark on the axis of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeMark {
    /// When, in milliseconds since 1970.
    pub at_ms: f64,
    /// How much of it is worth writing.
    pub detail: Detail,
}

/// What of a time is worth writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The day, as another one begins here.
    Day,
    /// Hours and minutes.
    Minutes,
    /// And seconds.
    Seconds,
    /// And thousandths.
    Millis,
}

const SECOND: f64 = 1_000.0;
const MINUTE: f64 = 60.0 * SECOND;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;

/// Steps between marks of time, which clocks and calendars are divided by.
const STEPS_MS: &[f64] = &[
    1.0,
    2.0,
    5.0,
    10.0,
    20.0,
    50.0,
    100.0,
    200.0,
    500.0,
    SECOND,
    2.0 * SECOND,
    5.0 * SECOND,
    10.0 * SECOND,
    15.0 * SECOND,
    30.0 * SECOND,
    MINUTE,
    2.0 * MINUTE,
    5.0 * MINUTE,
    10.0 * MINUTE,
    15.0 * MINUTE,
    30.0 * MINUTE,
    HOUR,
    2.0 * HOUR,
    3.0 * HOUR,
    6.0 * HOUR,
    12.0 * HOUR,
    DAY,
    2.0 * DAY,
    7.0 * DAY,
    14.0 * DAY,
    28.0 * DAY,
    84.0 * DAY,
];

/// The marks from `from_ms` to `to_ms`, no more than so many. `offset_ms` says how far the local clock
/// is ahead of UTC at a moment.
pub fn times(
    from_ms: f64,
    to_ms: f64,
    marks: usize,
    offset_ms: impl Fn(f64) -> f64,
) -> Vec<TimeMark> {
    let wanted = (to_ms - from_ms) / marks.clamp(1, MARKS_MAX) as f64;
    let largest = STEPS_MS.last().copied().unwrap_or(DAY);
    let step = STEPS_MS.iter().copied().find(|step| *step >= wanted).unwrap_or(largest);
    let mut out = Vec::new();
    if !(to_ms - from_ms).is_finite() {
        return out;
    }
    let mut at_ms = first_from(from_ms, step, &offset_ms);
    while at_ms <= to_ms && out.len() <= MARKS_MAX {
        let local = at_ms + offset_ms(at_ms);
        let detail = match step {
            _ if local.rem_euclid(DAY) == 0.0 => Detail::Day,
            step if step < SECOND => Detail::Millis,
            step if step < MINUTE => Detail::Seconds,
            _ => Detail::Minutes,
        };
        out.push(TimeMark { at_ms, detail });
        at_ms = first_from(at_ms + step / 2.0, step, &offset_ms);
    }
    out
}

/// The first moment from `from_ms` on at which the local clock shows a multiple of the step. Where the
/// clock is set forward over it, that is the moment at which it is.
fn first_from(from_ms: f64, step: f64, offset_ms: &impl Fn(f64) -> f64) -> f64 {
    let offset = offset_ms(from_ms);
    let at_ms = ((from_ms + offset) / step).ceil() * step - offset;
    let there = offset_ms(at_ms);
    if there == offset {
        return at_ms;
    }
    // The clock is set in between. A step that divides what it is set by goes on as if it were not.
    let again = ((at_ms + there) / step).round() * step - there;
    let is_round = |at_ms: f64| (at_ms + offset_ms(at_ms)).rem_euclid(step) == 0.0;
    match () {
        () if is_round(at_ms) => at_ms,
        () if again >= from_ms && is_round(again) => again,
        () => again.max(from_ms) + step / 4.0,
    }
}

/// How far from a moment the clock may be set for it to show the same time once more.
const SET_NEAR_MS: f64 = 3.0 * HOUR;

/// Whether the local clock shows the time of this moment twice, as it does where it is set back.
pub fn is_shown_twice(at_ms: f64, offset_ms: impl Fn(f64) -> f64) -> bool {
    let here = offset_ms(at_ms);
    [at_ms - SET_NEAR_MS, at_ms + SET_NEAR_MS].into_iter().any(|near_ms| {
        let there = offset_ms(near_ms);
        there != here && offset_ms(at_ms + here - there) == there
    })
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn marks_are_round_numbers_around_all_that_is_shown() {
        for (low, high, marks, texts) in [
            (0.0, 10.0, 5, &["0", "2", "4", "6", "8", "10"][..]),
            (20.13, 22.9, 4, &["20", "21", "22", "23"]),
            (-0.3, 0.2, 5, &["-0.3", "-0.2", "-0.1", "0.0", "0.1", "0.2"]),
            (7.0, 7.0, 4, &["6.0", "6.5", "7.0", "7.5", "8.0"]),
            (0.0, 0.0, 2, &["-1", "0", "1"]),
            (3.0, 3.0, 2, &["2", "3", "4"]),
            (680_000.0, 680_000.0, 3, &["600 k", "650 k", "700 k", "750 k"]),
            (0.0, 90_000.0, 4, &["0", "50 k", "100 k"]),
            (0.0, 8e9, 4, &["0", "2 G", "4 G", "6 G", "8 G"]),
        ] {
            let axis = axis(low, high, marks);
            let found: Vec<_> = axis.marks.iter().map(|mark| mark.text.as_str()).collect();
            assert_eq!(found, texts, "{low} … {high}");
            assert!(axis.from <= low && axis.to >= high, "{low} … {high}");
        }
    }

    #[test]
    fn an_axis_has_its_limits_whatever_the_numbers_are() {
        let values = [0.0, -0.0, 1e-300, 5e-324, 1.0, 1e15, 1e16 + 2.0, -1e308, 1e308, f64::MAX];
        for low in values {
            for high in values {
                for marks in [0, 1, 5, 1_000] {
                    let axis = axis(low, high, marks);
                    let count = axis.marks.len();
                    assert!((2..=MARKS_MAX + 1).contains(&count), "{low} {high}: {count}");
                    assert!(axis.from < axis.to, "{low} {high}: {axis:?}");
                }
            }
        }
    }

    /// 2026 in Madrid: an hour ahead, and two from 29 March to 25 October, 01:00 UTC.
    fn madrid(at_ms: f64) -> f64 {
        if (1_774_746_000_000.0..1_792_890_000_000.0).contains(&at_ms) { 2.0 * HOUR } else { HOUR }
    }

    fn clock(mark: &TimeMark, offset: fn(f64) -> f64) -> String {
        let minutes = ((mark.at_ms + offset(mark.at_ms)) / MINUTE).rem_euclid(1_440.0) as u32;
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }

    fn clocks(from_ms: f64, hours: f64, marks: usize, offset: fn(f64) -> f64) -> Vec<String> {
        let times = times(from_ms, from_ms + hours * HOUR, marks, offset);
        times.iter().map(|mark| clock(mark, offset)).collect()
    }

    #[test]
    fn marks_stand_where_the_clock_on_the_wall_is_round() {
        // 1 July 2026, 10:07 in Madrid.
        let from_ms = 1_782_893_220_000.0;
        assert_eq!(
            clocks(from_ms, 1.0, 6, madrid),
            ["10:10", "10:20", "10:30", "10:40", "10:50", "11:00"]
        );
        assert_eq!(clocks(from_ms, 24.0, 4, madrid), ["12:00", "18:00", "00:00", "06:00"]);
        let kathmandu = |_: f64| 5.75 * HOUR;
        assert_eq!(clocks(from_ms, 3.0, 3, kathmandu), ["14:00", "15:00", "16:00"]);
        let day = times(from_ms, from_ms + DAY, 4, madrid);
        let details: Vec<_> = day.iter().map(|mark| mark.detail).collect();
        assert_eq!(details, [Detail::Minutes, Detail::Minutes, Detail::Day, Detail::Minutes]);
    }

    #[test]
    fn the_clock_is_set_forward_and_back() {
        // In March 02:00 to 03:00 is not there; in October it is there twice.
        let march = 1_774_746_000_000.0;
        assert_eq!(
            clocks(march - 2.0 * HOUR, 5.0, 6, madrid),
            ["00:00", "01:00", "03:00", "04:00", "05:00", "06:00"]
        );
        let october = 1_792_890_000_000.0;
        assert_eq!(
            clocks(october - 2.0 * HOUR, 4.0, 5, madrid),
            ["01:00", "02:00", "02:00", "03:00", "04:00"]
        );
        let wide = clocks(march - 25.0 * HOUR, 72.0, 8, madrid);
        assert!(wide.iter().all(|clock| clock == "00:00" || clock == "12:00"), "{wide:?}");
        let days = clocks(october - 3.0 * 24.0 * HOUR, 7.0 * 24.0, 7, madrid);
        assert_eq!(days, ["00:00"; 7]);
    }

    #[test]
    fn a_time_that_the_clock_shows_twice_is_known_as_such() {
        let (march, october) = (1_774_746_000_000.0, 1_792_890_000_000.0);
        for (at_ms, expected) in [
            // An hour before it is set back, by an hour, the clock begins to show what it will show again.
            (october - HOUR - 1.0, false),
            (october - HOUR, true),
            (october - 1.0, true),
            (october, true),
            (october + HOUR - 1.0, true),
            (october + HOUR, false),
            (october + DAY, false),
            (march - 1.0, false),
            (march, false),
        ] {
            assert_eq!(is_shown_twice(at_ms, madrid), expected, "{}", at_ms - october);
        }
        assert!(!is_shown_twice(f64::NAN, madrid));
    }

    #[test]
    fn marks_go_on_in_any_zone_and_over_any_span() {
        let zones: [fn(f64) -> f64; 4] = [
            madrid,
            |_| -3.5 * HOUR,
            |at| if at > 1e12 { 0.5 * HOUR } else { 11.0 * HOUR },
            |at| {
                // A clock that nobody has: it is set every seven minutes.
                ((at / (7.0 * MINUTE)).floor().rem_euclid(3.0)) * 13.0 * MINUTE
            },
        ];
        for zone in zones {
            for step in [5.0, 1_234.0, 77_000.0, 4.4e6, 9.9e7, 1e10, 1e12] {
                for from_ms in [0.0, 1_774_700_000_000.0, 999_999_999_000.0] {
                    let marks = times(from_ms, from_ms + step, 6, zone);
                    assert!(marks.len() <= MARKS_MAX + 1);
                    assert!(marks.iter().all(|m| (from_ms..=from_ms + step).contains(&m.at_ms)));
                    assert!(marks.windows(2).all(|two| two[0].at_ms < two[1].at_ms), "{step}");
                }
            }
        }
    }
}
