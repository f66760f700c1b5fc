//! Floating-point numbers as decimal text, and back. What finds the digits is large and every browser has
//! it, so in one its own is asked.

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
}
