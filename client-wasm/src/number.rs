//! Numbers as they are written: what was received is what is shown, to the digit.
//!
//! A chart needs a number of the machine, which holds 53 bits of precision. A card does not: it
//! shows the very text that arrived, so `127.0` stays `127.0` and a 64-bit integer is not rounded.

use serde::{Deserialize, Serialize};

use crate::float;
use crate::limits::NUMBER_LEN_MAX;

/// Text that is a number and nothing else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number<'a> {
    /// The number as it was written, without the space around it.
    pub text: &'a str,
    /// The nearest number that a chart can draw; always finite.
    pub value: f64,
    /// How to write [`value`](Self::value) again.
    pub style: Style,
}

/// How a number was written, so that it can be written alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Style {
    /// With this many digits after the point, and so few in all that an `f64` holds them.
    Decimals(u8),
    /// With an exponent, or with more digits than an `f64` holds: what is written again is near.
    Near,
}

/// Significant decimal digits that an `f64` always holds.
const EXACT_DIGITS: usize = 15;

/// Significant decimal digits that a `u64` always holds.
const DIGITS_HELD: usize = 19;

/// Reads text that is a number: sign, digits, point, exponent, with space around it.
///
/// It is done for nearly every message, so each byte is looked at once.
pub fn parse(text: &str) -> Option<Number<'_>> {
    let text = text.trim_ascii();
    if text.len() > NUMBER_LEN_MAX {
        return None;
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mut integer, mut digits, mut significant) = (0u64, 0usize, 0usize);
    let mut decimals = None;
    let mut exponent = None;
    for (at, byte) in unsigned.bytes().enumerate() {
        match byte {
            b'0'..=b'9' => {
                // One that does not fit is read otherwise.
                integer = integer.wrapping_mul(10).wrapping_add(u64::from(byte.wrapping_sub(b'0')));
                digits = digits.saturating_add(1);
                decimals = decimals.map(|decimals: usize| decimals.saturating_add(1));
                if decimals.is_some() || significant > 0 || byte != b'0' {
                    significant = significant.saturating_add(1);
                }
            }
            b'.' if decimals.is_none() => decimals = Some(0),
            b'e' | b'E' => {
                exponent = Some(unsigned.get(at.saturating_add(1)..)?);
                break;
            }
            _ => return None,
        }
    }
    if digits == 0 || exponent.is_some_and(|exponent| !is_exponent(exponent)) {
        return None;
    }
    let decimals = decimals.unwrap_or(0);
    let integer = (significant <= DIGITS_HELD).then_some(integer);
    let value = integer
        .and_then(|integer| exact(integer, decimals, exponent))
        .map(|value| if text.starts_with('-') { -value } else { value })
        .or_else(|| float::parse(text))?;
    let style = match u8::try_from(decimals) {
        Ok(decimals) if exponent.is_none() && significant <= EXACT_DIGITS => {
            Style::Decimals(decimals)
        }
        _ => Style::Near,
    };
    value.is_finite().then_some(Number { text, value, style })
}

fn is_exponent(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The powers of ten that an `f64` holds exactly.
pub(crate) const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// The nearest `f64` of a number that is taken apart already. Where the digits and the power of ten are
/// both exact, which is nearly always, one rounding multiplication or division makes it.
fn exact(integer: u64, decimals: usize, exponent: Option<&str>) -> Option<f64> {
    /// From here on not every integer is an `f64`.
    const INTEGERS_MAX: u64 = 1 << 53;
    let integer = Some(integer).filter(|integer| *integer <= INTEGERS_MAX)? as f64;
    let exponent: i32 = exponent.map_or(Some(0), |exponent| exponent.parse().ok())?;
    let power = exponent.checked_sub(i32::try_from(decimals).ok()?)?;
    let factor = POWERS.get(power.unsigned_abs() as usize)?;
    Some(if power < 0 { integer / factor } else { integer * factor })
}

/// Writes a number that [`parse`] read: the same digits, or marked with `≈` where they are near.
pub fn write(value: f64, style: Style) -> String {
    match style {
        Style::Decimals(decimals) => {
            // Not every writer of numbers knows a zero with a sign.
            let sign = if value.is_sign_negative() { "-" } else { "" };
            format!("{sign}{}", float::fixed(value.abs(), decimals))
        }
        Style::Near if value != 0.0 && !(1e-4..1e15).contains(&value.abs()) => {
            format!("≈ {}", float::exponential(value, 3))
        }
        Style::Near => format!("≈ {}", float::shortest(value)),
    }
}

/// A large quantity in words that a person reads at a glance, beside the exact number.
///
/// Bytes get a decimal prefix, seconds become days, hours and minutes. Others are left alone.
pub fn at_a_glance(value: f64, unit: &str) -> Option<String> {
    match unit {
        "B" | "B/s" | "bytes" if value.abs() >= 1_000.0 => {
            let suffix = if unit == "B/s" { "B/s" } else { "B" };
            Some(with_prefix(value, suffix))
        }
        "s" | "seconds" if value >= 120.0 => Some(duration(value)),
        _ => None,
    }
}

fn with_prefix(value: f64, suffix: &str) -> String {
    let mut scaled = value;
    let mut prefix = "";
    for next in ["k", "M", "G", "T", "P", "E"] {
        // From 999.5 on, three digits would be rounded to a fourth.
        if scaled.abs() < 999.5 {
            break;
        }
        scaled /= 1_000.0;
        prefix = next;
    }
    let decimals = match scaled.abs() {
        size if size < 9.995 => 2,
        size if size < 99.95 => 1,
        _ => 0,
    };
    format!("{} {prefix}{suffix}", float::fixed(scaled, decimals))
}

fn duration(seconds: f64) -> String {
    // Longer than all of history, and not a number, are both cut to the largest.
    let minutes = (seconds / 60.0) as u64;
    let (days, hours, minutes) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A count with a narrow space between the thousands, which no language reads as a point.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len().saturating_mul(2));
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digits.len().saturating_sub(index).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_value_is_the_nearest_there_is() {
        for text in [
            "0",
            "-0.0",
            "007",
            "21.5",
            "-0.1",
            "0.3",
            "1e22",
            "1e23",
            "5e-324",
            "1e-400",
            "9007199254740992",
            "9007199254740993",
            "18446744073709551616",
            "123456789012345678901234567890",
            "1.7976931348623157e308",
            "2.2250738585072011e-308",
            ".5",
            "5.",
            "+3",
            "1e-22",
            "1e+5",
            "0.000000000000000000000000001",
        ] {
            let expected: f64 = text.parse().unwrap();
            assert_eq!(parse(text).unwrap().value.to_bits(), expected.to_bits(), "{text}");
        }
    }

    #[test]
    fn what_is_a_number() {
        for (text, value) in [
            ("0", 0.0),
            ("127.0", 127.0),
            ("-0.50", -0.5),
            ("+3", 3.0),
            (" 21.5\n", 21.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1_000.0),
            ("1.5E-2", 0.015),
            ("9007199254740993", 9_007_199_254_740_992.0),
        ] {
            assert_eq!(parse(text).map(|number| number.value), Some(value), "{text:?}");
        }
    }

    #[test]
    fn what_is_none() {
        let long = "1".repeat(NUMBER_LEN_MAX + 1);
        for text in [
            "", " ", "-", ".", "e5", "1e", "1e+", "0x10", "1,5", "1 000", "NaN", "inf", "infinity",
            "1e999", "21.5 C", "--1", "1.2.3", "٣", &long,
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_text_is_kept_to_the_digit() {
        for text in ["127.0", "18446744073709551615", "0.10", "-7.25", "1.000000000000000000001"] {
            assert_eq!(parse(text).map(|number| number.text), Some(text));
        }
    }

    #[test]
    fn a_point_of_the_chart_is_written_as_it_came_or_marked_as_near() {
        for (text, written) in [
            ("127.0", "127.0"),
            ("0.10", "0.10"),
            ("-7.25", "-7.25"),
            ("007", "7"),
            ("123456789012345", "123456789012345"),
            ("9007199254740993", "≈ 9.007e15"),
            ("1e3", "≈ 1000"),
            ("0e0", "≈ 0"),
        ] {
            let number = parse(text).unwrap();
            assert_eq!(write(number.value, number.style), written, "{text}");
        }
    }

    #[test]
    fn large_quantities_are_readable_at_a_glance() {
        for (value, unit, glance) in [
            (999.0, "B", None),
            (1_000.0, "B", Some("1.00 kB")),
            (999_999.0, "B", Some("1.00 MB")),
            (8_123_456_789.0, "B", Some("8.12 GB")),
            (12_345_678.0, "B/s", Some("12.3 MB/s")),
            (-4_000.0, "B", Some("-4.00 kB")),
            (119.0, "s", None),
            (150.0, "s", Some("2 min")),
            (7_380.0, "s", Some("2 h 3 min")),
            (273_600.0, "s", Some("3 d 4 h")),
            (5_000.0, "°C", None),
        ] {
            assert_eq!(at_a_glance(value, unit).as_deref(), glance, "{value} {unit}");
        }
    }

    #[test]
    fn counts_are_grouped_by_thousands() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1\u{202f}000"),
            (1_234_567, "1\u{202f}234\u{202f}567"),
            (u64::MAX, "18\u{202f}446\u{202f}744\u{202f}073\u{202f}709\u{202f}551\u{202f}615"),
        ] {
            assert_eq!(grouped(count), text);
        }
    }
}
