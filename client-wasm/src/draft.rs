//! A payload as a person writes it: text, JSON, hexadecimal digits or Base64.

use serde::{Deserialize, Serialize};

use crate::format;
use crate::json;
use crate::placeholder::{self, Piece};

/// How a payload is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Characters.
    #[default]
    Text,
    /// Characters that have to be JSON (RFC 8259).
    Json,
    /// Pairs of hexadecimal digits.
    Hex,
    /// Base64 (RFC 4648).
    Base64,
    /// It is not written but in a file.
    File,
}

/// What is wrong with what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// It is no JSON from here on, counted from 1.
    Json {
        /// The line.
        line: usize,
        /// The character in the line.
        column: usize,
    },
    /// It is no pairs of hexadecimal digits.
    Hex,
    /// It is no Base64.
    Base64,
    /// No file was chosen.
    NoFile,
    /// A placeholder is none.
    Placeholder(placeholder::Wrong),
}

impl Kind {
    /// Whether it is written in characters that placeholders may stand among.
    pub const fn takes_placeholders(self) -> bool {
        matches!(self, Self::Text | Self::Json)
    }
}

/// What was written with placeholders, taken apart.
///
/// # Errors
/// A placeholder is none, or what is around them is not written as it should be.
pub fn pieces(kind: Kind, text: &str) -> Result<Vec<Piece>, Wrong> {
    let pieces = placeholder::parse(text).map_err(Wrong::Placeholder)?;
    payload(kind, &placeholder::masked(text)).map(|_| pieces)
}

/// The bytes that were written.
///
/// # Errors
/// They were not written as they should be.
pub fn payload(kind: Kind, text: &str) -> Result<Vec<u8>, Wrong> {
    match kind {
        Kind::Text => Ok(text.as_bytes().to_vec()),
        Kind::Json => match json::check(text) {
            Ok(()) => Ok(text.as_bytes().to_vec()),
            Err(at) => Err(place(text, at)),
        },
        Kind::Hex => format::from_hex(text).ok_or(Wrong::Hex),
        Kind::Base64 => format::from_base64(text).ok_or(Wrong::Base64),
        Kind::File => Err(Wrong::NoFile),
    }
}

/// The line and the character at a byte of a text.
fn place(text: &str, at: usize) -> Wrong {
    let before: Vec<char> =
        text.char_indices().take_while(|(i, _)| *i < at).map(|(_, c)| c).collect();
    let line = before.iter().filter(|c| **c == '\n').count().saturating_add(1);
    let column = before.iter().rev().take_while(|c| **c != '\n').count().saturating_add(1);
    Wrong::Json { line, column }
}

/// What a person may write.
pub const fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "on",
        Kind::Json => "{ \"on\": true, \"level\": 80 }",
        Kind::Hex => "00 ff 1a",
        Kind::Base64 => "AP8a",
        Kind::File => "",
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn each_kind_becomes_its_bytes() {
        for (kind, text, bytes) in [
            (Kind::Text, "21.5 °C", "21.5 °C".as_bytes()),
            (Kind::Text, "", b""),
            (Kind::Json, " {\"a\": 1} ", b" {\"a\": 1} "),
            (Kind::Hex, "00 fF", b"\x00\xff"),
            (Kind::Base64, "AP8=", b"\x00\xff"),
        ] {
            assert_eq!(payload(kind, text).as_deref(), Ok(bytes), "{text}");
        }
        for kind in [Kind::Text, Kind::Json, Kind::Hex, Kind::Base64] {
            assert!(payload(kind, example(kind)).is_ok());
        }
    }

    #[test]
    fn json_with_placeholders_is_checked_as_it_is_typed() {
        for text in ["{\"t\": {{walk 20 0.5}}, \"at\": \"{{iso}}\"}", "[{{counter}}]"] {
            assert!(pieces(Kind::Json, text).is_ok(), "{text}");
        }
        let at = |line, column| Err(Wrong::Json { line, column });
        assert_eq!(pieces(Kind::Json, "{\"t\": {{counter}}, }"), at(1, 20));
        assert_eq!(pieces(Kind::Json, "{\"at\": {{iso}}}"), at(1, 8), "it needs quotes");
        let wrong = placeholder::Wrong::Name("x".to_owned());
        assert_eq!(pieces(Kind::Text, "{{x}}"), Err(Wrong::Placeholder(wrong)));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, line, column) in [
            ("", 1, 1),
            ("{\"a\": }", 1, 7),
            ("{\n  \"ñ\": tru\n}", 2, 8),
            ("[1,\n2,\n]", 3, 1),
            ("{} x", 1, 4),
        ] {
            assert_eq!(payload(Kind::Json, text), Err(Wrong::Json { line, column }), "{text:?}");
        }
        assert_eq!(payload(Kind::Hex, "0"), Err(Wrong::Hex));
        assert_eq!(payload(Kind::Base64, "%"), Err(Wrong::Base64));
        assert_eq!(payload(Kind::File, ""), Err(Wrong::NoFile));
    }
}
