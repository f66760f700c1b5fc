//! Floating-point numbers as decimal text, and back. What finds the digits is large and every browser has
//! it, so in one its own is asked.

use crate::number::POWERS;

/// The number that text is nearest to; text that is no number may have any.
pub fn parse(text: &str) -> Option<f64> {
    digits::parse(text)
}

/// With so many digits after the point, which a browser writes of numbers below 10²¹.
pub fn fixed(value: f64, decimals: u8) -> String {
    digits::fixed(value, decimals)
}

/// With one digit before the point, so many after it, and an exponent.
pub fn exponential(value: f64, decimals: u8) -> String {
    digits::exponential(value, decimals)
}

/// With as few digits as tell it from its neighbours.
pub fn shortest(value: f64) -> String {
    digits::shortest(value)
}

/// With a point, so that it is seen to be a number that has one, and as few digits as tell it from its
/// neighbours.
pub fn written(value: f64) -> String {
    short(value, |near| near == value).unwrap_or_else(|| long(value))
}

/// The same for a number of 32 bits, which needs fewer.
pub fn written_single(value: f32) -> String {
    /// So many digits tell each of them from its neighbours.
    const DIGITS_MAX: u8 = 9;
    let (wide, is_same) = (f64::from(value), |near: f64| near as f32 == value);
    short(wide, is_same).unwrap_or_else(|| {
        let mut near = (0..DIGITS_MAX).filter_map(|decimals| parse(&exponential(wide, decimals)));
        long(near.find(|near| is_same(*near)).unwrap_or(wide))
    })
}

/// What sensors say has a few decimals, which are found without asking the browser.
fn short(value: f64, is_same: impl Fn(f64) -> bool) -> Option<String> {
    const DECIMALS_MAX: usize = 12;
    /// Below this, an integer and what a power of ten makes of it are as near as they can be.
    const DIGITS_MAX: f64 = 1e15;
    let sign = if value.is_sign_negative() { "-" } else { "" };
    for (decimals, power) in POWERS.iter().enumerate().take(DECIMALS_MAX).skip(1) {
        let digits = (value.abs() * power).round();
        // Not what is no number, either.
        if !(0.0..DIGITS_MAX).contains(&digits) {
            return None;
        }
        if is_same((digits / power).copysign(value)) {
            let digits = format!("{:0>width$}", digits as u64, width = decimals + 1);
            let (whole, fraction) = digits.split_at(digits.len().saturating_sub(decimals));
            return Some(format!("{sign}{whole}.{fraction}"));
        }
    }
    None
}

fn long(value: f64) -> String {
    /// Where a browser writes no exponent.
    const PLAIN: std::ops::Range<f64> = 1e-6..1e21;
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() }
    } else if !PLAIN.contains(&value.abs()) {
        digits::scientific(value)
    } else {
        let text = shortest(value);
        if text.contains('.') { text } else { format!("{text}.0") }
    }
}

#[cfg(target_arch = "wasm32")]
mod digits {
    use js_sys::Number;

    /// The most digits that a browser takes.
    const DECIMALS_MAX: u8 = 100;

    pub(super) fn parse(text: &str) -> Option<f64> {
        Some(js_sys::parse_float(text))
    }

    pub(super) fn fixed(value: f64, decimals: u8) -> String {
        let text = Number::from(value).to_fixed(decimals.min(DECIMALS_MAX));
        text.map(String::from).unwrap_or_default()
    }

    pub(super) fn exponential(value: f64, decimals: u8) -> String {
        let text = Number::from(value).to_exponential(decimals.min(DECIMALS_MAX));
        text.map(String::from).unwrap_or_default().replace('+', "")
    }

    pub(super) fn shortest(value: f64) -> String {
        let text = Number::from(value).to_string_with_radix(10);
        text.map(String::from).unwrap_or_default()
    }

    /// Of a number that a browser writes with an exponent by itself.
    pub(super) fn scientific(value: f64) -> String {
        shortest(value).replace('+', "")
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod digits {
    pub(super) fn parse(text: &str) -> Option<f64> {
        text.parse().ok()
    }

    pub(super) fn fixed(value: f64, decimals: u8) -> String {
        format!("{value:.*}", usize::from(decimals))
    }

    pub(super) fn exponential(value: f64, decimals: u8) -> String {
        format!("{value:.*e}", usize::from(decimals))
    }

    pub(super) fn shortest(value: f64) -> String {
        value.to_string()
    }

    pub(super) fn scientific(value: f64) -> String {
        format!("{value:e}")
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn numbers_are_written_alike_wherever_that_is_done() {
        for (value, decimals, text) in [
            (0.0, 0, "0"),
            (21.5, 2, "21.50"),
            (-0.126, 2, "-0.13"),
            (123_456_789_012_345.0, 0, "123456789012345"),
            (0.1, 20, "0.10000000000000000555"),
        ] {
            assert_eq!(fixed(value, decimals), text);
        }
        for (value, text) in [(1.234_56e15, "1.235e15"), (-5e-7, "-5.000e-7")] {
            assert_eq!(exponential(value, 3), text);
        }
        for (value, text) in [(0.3, "0.3"), (1e14, "100000000000000"), (-0.000_1, "-0.0001")] {
            assert_eq!(shortest(value), text);
            assert_eq!(parse(text), Some(value));
        }
    }

    #[test]
    fn numbers_of_the_machine_are_written_with_as_few_digits_as_they_need() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (127.0, "127.0"),
            (-21.5, "-21.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1.0 / 3.0, "0.3333333333333333"),
            (65_504.0, "65504.0"),
            (1e14, "100000000000000.0"),
            (123_456_789_012_345_680.0, "123456789012345680.0"),
            (5.960_464_477_539_063e-8, "5.960464477539063e-8"),
            (1e-7, "0.0000001"),
            (1e-13, "1e-13"),
            (1e300, "1e300"),
            (f64::MAX, "1.7976931348623157e308"),
            (5e-324, "5e-324"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(written(value), text);
        }
        for (value, text) in [
            (21.3, "21.3"),
            (-0.012_345_679, "-0.012345679"),
            (16_777_216.0, "16777216.0"),
            (3.402_823_5e38, "3.4028235e38"),
            (1e-40, "1e-40"),
        ] {
            assert_eq!(written_single(value), text);
        }
    }

    /// What is written is the number again, bit by bit.
    #[test]
    fn no_bit_is_lost_in_writing() {
        let seed = 0x5eed_0002_u64;
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..5_000 {
            let (wide, narrow) = (f64::from_bits(random.u64(..)), f32::from_bits(random.u32(..)));
            let few = random.i32(-1_000_000..1_000_000) as f64 / 1_000.0;
            for value in [wide, few].into_iter().filter(|value| value.is_finite()) {
                let text = written(value);
                assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(value.to_bits()), "{text}");
            }
            if narrow.is_finite() {
                let text = written_single(narrow);
                let again = text.parse::<f32>().map(f32::to_bits);
                assert_eq!(again, Ok(narrow.to_bits()), "seed {seed:#x}: {text}");
            }
        }
    }
}
