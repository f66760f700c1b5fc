//! From what stands in a document to a payload.
//!
//! Numbers are passed on as they stand, to the last digit. Where a factor or an offset is asked for,
//! they are multiplied and added as decimal numbers, so `0.1` times `3` is `0.3`.

use super::pointer::{self, Pointer};
use rust_decimal::Decimal;
use serde_json::value::RawValue;
use std::time::Duration;

/// The longest payload taken from a document, in bytes.
const PAYLOAD_BYTES_MAX: usize = 256 * 1024;

/// What a value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// A number, or a text that is one.
    Number,
    /// A text, a number or a boolean, as text.
    Text,
    /// `true` or `false`.
    Boolean,
    /// Whatever is there, as JSON.
    Json,
}

/// What becomes of a number: it is multiplied, and then something is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale {
    pub(super) factor: Decimal,
    pub(super) offset: Decimal,
}

/// A value that is to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) pointer: Pointer,
    pub(super) topic: String,
    pub(super) unit: Option<String>,
    /// Anything but null where nothing is said.
    pub(super) must_be: Option<Type>,
    pub(super) scale: Option<Scale>,
    pub(super) retain: bool,
    pub(super) expiry: Option<Duration>,
}

impl Wanted {
    /// The payload, or why there is none, as a clause.
    pub(super) fn payload(&self, document: &RawValue) -> Result<String, String> {
        let found = self.pointer.find(document)?;
        let payload = match self.must_be {
            Some(Type::Number) => number(found, self.scale)?,
            Some(Type::Text) => text(found)?,
            Some(Type::Boolean) => boolean(found)?,
            Some(Type::Json) => found.get().to_owned(),
            None => plain(found)?,
        };
        match payload.len() {
            0 => Err("it is empty there".to_owned()),
            length if length > PAYLOAD_BYTES_MAX => {
                Err(format!("it has {length} bytes there, more than {PAYLOAD_BYTES_MAX}"))
            }
            _ => Ok(payload),
        }
    }
}

/// Something of another type than it must be.
fn not(wanted: &str, found: &RawValue) -> String {
    let what = match found.get().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    };
    format!("it is {what} there, not {wanted}")
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && serde_json::from_str::<&RawValue>(text).is_ok_and(|raw| raw.get() == text)
}

fn number(found: &RawValue, scale: Option<Scale>) -> Result<String, String> {
    let text = pointer::string(found);
    let text = text.as_deref().map_or(found.get(), str::trim);
    if !is_number(text) {
        return Err(not("a number", found));
    }
    match scale {
        None => Ok(text.to_owned()),
        Some(scale) => scaled(text, scale).ok_or_else(|| {
            format!(
                "the number there, {}, has more digits than can be multiplied exactly",
                text.chars().take(40).collect::<String>()
            )
        }),
    }
}

fn scaled(text: &str, scale: Scale) -> Option<String> {
    let number = match text.contains(['e', 'E']) {
        true => Decimal::from_scientific(text).ok()?,
        false => Decimal::from_str_exact(text).ok()?,
    };
    let product = number.checked_mul(scale.factor)?;
    let digits = number.scale().checked_add(scale.factor.scale())?;
    // What has lost digits is no longer what was asked for.
    if !number.is_zero() && !scale.factor.is_zero() && product.scale() < digits {
        return None;
    }
    let sum = product.checked_add(scale.offset)?;
    let is_exact = sum.checked_sub(scale.offset)? == product;
    is_exact.then(|| sum.to_string())
}

fn text(found: &RawValue) -> Result<String, String> {
    match pointer::string(found) {
        Some(text) => Ok(text.into_owned()),
        None if found.get().starts_with(['{', '[', 'n', '"']) => Err(not("a text", found)),
        None => Ok(found.get().to_owned()),
    }
}

fn boolean(found: &RawValue) -> Result<String, String> {
    match found.get() {
        boolean @ ("true" | "false") => Ok(boolean.to_owned()),
        _ => Err(not("a boolean", found)),
    }
}

/// A text without its quotes, and everything else as it stands.
fn plain(found: &RawValue) -> Result<String, String> {
    match pointer::string(found) {
        Some(text) => Ok(text.into_owned()),
        None if found.get() == "null" => Err("it is null there".to_owned()),
        None if found.get().starts_with('"') => Err("it is no text of Unicode there".to_owned()),
        None => Ok(found.get().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(json: &str, must_be: Option<Type>, scale: Option<Scale>) -> Result<String, String> {
        let wanted = Wanted {
            pointer: Pointer::parse("").unwrap(),
            topic: "t".to_owned(),
            unit: None,
            must_be,
            scale,
            retain: true,
            expiry: None,
        };
        wanted.payload(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn what_stands_there_is_passed_on_as_it_stands() {
        for (json, expected) in [
            ("21.50", "21.50"),
            ("-0", "-0"),
            ("1E400", "1E400"),
            (
                "123456789012345678901234567890.123456789",
                "123456789012345678901234567890.123456789",
            ),
            ("18446744073709551616", "18446744073709551616"),
            ("true", "true"),
            (r#""Logro\u00f1o""#, "Logroño"),
            (r#"{ "a" : 1.0 }"#, r#"{ "a" : 1.0 }"#),
            ("[1, 2]", "[1, 2]"),
        ] {
            assert_eq!(payload(json, None, None).as_deref(), Ok(expected), "{json}");
        }
    }

    #[test]
    fn what_is_of_another_type_is_told() {
        let (number, text) = (Some(Type::Number), Some(Type::Text));
        let (boolean, json) = (Some(Type::Boolean), Some(Type::Json));
        for (found, must_be, expected) in [
            ("null", None, Err("it is null there")),
            (r#""""#, None, Err("it is empty there")),
            ("12.0", number, Ok("12.0")),
            (r#"" 12.0 ""#, number, Ok("12.0")),
            (r#""12,0""#, number, Err("it is a text there, not a number")),
            (r#""NaN""#, number, Err("it is a text there, not a number")),
            (r#""0x10""#, number, Err("it is a text there, not a number")),
            ("null", number, Err("it is null there, not a number")),
            ("[1]", number, Err("it is an array there, not a number")),
            ("true", number, Err("it is a boolean there, not a number")),
            ("12.0", text, Ok("12.0")),
            ("false", text, Ok("false")),
            ("{}", text, Err("it is an object there, not a text")),
            ("true", boolean, Ok("true")),
            ("1", boolean, Err("it is a number there, not a boolean")),
            (r#""yes""#, boolean, Err("it is a text there, not a boolean")),
            (r#""yes""#, json, Ok(r#""yes""#)),
            ("null", json, Ok("null")),
        ] {
            let payload = payload(found, must_be, None);
            let payload = payload.as_deref().map_err(String::as_str);
            assert_eq!(payload, expected, "{found} as {must_be:?}");
        }
    }

    #[test]
    fn factors_and_offsets_are_exact() {
        for (json, factor, offset, expected) in [
            ("215", "0.1", "0", Some("21.5")),
            ("0.1", "3", "0", Some("0.3")),
            ("294.65", "1", "-273.15", Some("21.50")),
            ("70", "0.5", "-17.5", Some("17.5")),
            (r#""215""#, "0.1", "0", Some("21.5")),
            ("2.15e2", "0.1", "0", Some("21.5")),
            ("-7", "-1", "0", Some("7")),
            ("0", "0.001", "0", Some("0")),
            ("1234567890123456789", "0.000001", "0", Some("1234567890123.456789")),
            ("1e400", "0.1", "0", None),
            ("12345678901234567890123456789012", "0.1", "0", None),
            ("0.1234567890123456789012345678", "0.1", "0", None),
            ("79228162514264337593543950335", "10", "0", None),
        ] {
            let scale = Scale { factor: factor.parse().unwrap(), offset: offset.parse().unwrap() };
            let payload = payload(json, Some(Type::Number), Some(scale));
            assert_eq!(payload.as_deref().ok(), expected, "{json} × {factor} + {offset}");
        }
    }

    #[test]
    fn a_payload_has_a_limit() {
        let long = format!("\"{}\"", "x".repeat(PAYLOAD_BYTES_MAX + 1));
        assert!(payload(&long, None, None).unwrap_err().contains("more than"));
    }
}
