//! A payload in the form that a person wants to see it in.

use serde::{Deserialize, Serialize};

use crate::json;
use crate::limits::HEX_DUMP_BYTES;

/// A form of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// JSON, one member on a line.
    Json,
    /// Text as it came.
    Text,
    /// Bytes in hexadecimal, sixteen in a line.
    Hex,
    /// Base64 (RFC 4648 §4).
    Base64,
    /// A picture.
    Image,
}

/// A payload in one of its forms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Formatted {
    /// Characters.
    Text {
        /// The characters.
        text: String,
        /// How many bytes of the payload they stand for.
        bytes: u32,
    },
    /// A picture, for the browser to decode.
    Image {
        /// Its media type.
        media_type: String,
        /// Its bytes.
        bytes: Vec<u8>,
    },
}

/// The forms that a payload has, the most telling first.
pub fn available(payload: &[u8], is_whole: bool) -> Vec<Format> {
    let mut formats = Vec::new();
    if is_whole && media_type(payload).is_some() {
        formats.push(Format::Image);
    }
    if let Ok(text) = std::str::from_utf8(payload) {
        if is_whole && is_json(text) {
            formats.push(Format::Json);
        }
        let is_readable = !text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace());
        if is_readable {
            formats.push(Format::Text);
        }
    } else if !is_whole && lossless_head(payload).is_some() {
        formats.push(Format::Text);
    }
    formats.extend([Format::Hex, Format::Base64]);
    formats
}

/// An object or a list: a number is JSON too, but looks the same as text.
fn is_json(text: &str) -> bool {
    text.trim_ascii_start().starts_with(['{', '[']) && json::scan(text, |_, _| {})
}

/// The text of a payload that was cut within a character.
fn lossless_head(payload: &[u8]) -> Option<&str> {
    match std::str::from_utf8(payload) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(payload.get(..error.valid_up_to())?).ok()
        }
        Err(_) => None,
    }
}

/// Writes a payload in one of its forms.
pub fn format(payload: &[u8], format: Format) -> Formatted {
    let text = |text: String, bytes: usize| Formatted::Text {
        text,
        bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
    };
    match format {
        Format::Image => match media_type(payload) {
            Some(media_type) => {
                Formatted::Image { media_type: media_type.to_owned(), bytes: payload.to_vec() }
            }
            None => self::format(payload, Format::Hex),
        },
        Format::Json => match std::str::from_utf8(payload).ok().and_then(json::pretty) {
            Some(pretty) => text(pretty, payload.len()),
            None => self::format(payload, Format::Text),
        },
        Format::Text => match lossless_head(payload) {
            Some(head) => text(head.to_owned(), payload.len()),
            None => self::format(payload, Format::Hex),
        },
        Format::Hex => {
            let head = payload.get(..HEX_DUMP_BYTES).unwrap_or(payload);
            text(hex_dump(head), head.len())
        }
        Format::Base64 => text(base64(payload), payload.len()),
    }
}

/// What kind of picture begins like this.
pub fn media_type(payload: &[u8]) -> Option<&'static str> {
    const KINDS: &[(&[u8], &str)] = &[
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
    ];
    let webp = payload.starts_with(b"RIFF") && payload.get(8..12) == Some(b"WEBP");
    KINDS
        .iter()
        .find(|(head, _)| payload.starts_with(head))
        .map(|(_, kind)| *kind)
        .or(webp.then_some("image/webp"))
}

/// Eight bytes in a line, which is as wide as a phone: where it begins, the bytes, and the letters among
/// them.
fn hex_dump(bytes: &[u8]) -> String {
    const LINE: usize = 8;
    let mut out = String::with_capacity(bytes.len().saturating_mul(6));
    for (index, line) in bytes.chunks(LINE).enumerate() {
        let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let hex = hex.join(" ");
        let letter =
            |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { *byte as char } else { '·' };
        let letters: String = line.iter().map(letter).collect();
        out.push_str(&format!("{:04x}  {hex:<23}  {letters}\n", index.saturating_mul(LINE)));
    }
    out.truncate(out.trim_end_matches('\n').len());
    out
}

/// Writes bytes in Base64 (RFC 4648 §4).
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let index = (bits >> (18 - 6 * at) & 63) as usize;
            let letter = LETTERS.get(index).filter(|_| at <= group.len());
            out.push(letter.map_or('=', |letter| *letter as char));
        }
    }
    out
}

/// Reads Base64, with or without its padding and with space anywhere; none where it is not.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let (mut bits, mut held, mut letters, mut padding) = (0u32, 0u32, 0usize, 0usize);
    for c in text.chars().filter(|c| !c.is_ascii_whitespace()) {
        let value = match c {
            'A'..='Z' => c as u32 - 'A' as u32,
            'a'..='z' => c as u32 - 'a' as u32 + 26,
            '0'..='9' => c as u32 - '0' as u32 + 52,
            '+' | '-' => 62,
            '/' | '_' => 63,
            '=' => {
                padding = padding.saturating_add(1);
                continue;
            }
            _ => return None,
        };
        if padding > 0 {
            return None;
        }
        letters = letters.saturating_add(1);
        bits = bits << 6 | value;
        held = held.saturating_add(6);
        if held >= 8 {
            held = held.saturating_sub(8);
            out.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    let is_full = padding == 0 || letters.saturating_add(padding).is_multiple_of(4);
    (letters % 4 != 1 && bits == 0 && padding <= 2 && is_full).then_some(out)
}

/// Reads pairs of hexadecimal digits, with space, `:` or `,` between them; none where it is not.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_ascii_whitespace() && !matches!(c, ':' | ','))
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(high << 4 | low),
        _ => None,
    };
    digits.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_payload_has_the_forms_that_tell_something() {
        use Format::{Base64, Hex, Image, Json, Text};
        let cases: &[(&[u8], bool, &[Format])] = &[
            (b"21.5", true, &[Text, Hex, Base64]),
            (b"{\"a\":1}", true, &[Json, Text, Hex, Base64]),
            (b"{\"a\":1", false, &[Text, Hex, Base64]),
            (b"\xff\x00", true, &[Hex, Base64]),
            (b"\x00\x01", true, &[Hex, Base64]),
            (b"a\xc3", false, &[Text, Hex, Base64]),
            (b"\x89PNG\r\n\x1a\nrest", true, &[Image, Hex, Base64]),
            (b"\xff\xd8\xff\xe0", true, &[Image, Hex, Base64]),
            (b"\xff\xd8\xff\xe0", false, &[Hex, Base64]),
        ];
        for (payload, is_whole, formats) in cases {
            assert_eq!(available(payload, *is_whole), *formats, "{payload:?}");
        }
    }

    #[test]
    fn bytes_are_dumped_eight_in_a_line() {
        let bytes: Vec<u8> = (0x3c..0x48).collect();
        let Formatted::Text { text, bytes } = format(&bytes, Format::Hex) else { panic!("text") };
        assert_eq!(bytes, 12);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "0000  3c 3d 3e 3f 40 41 42 43  <=>?@ABC");
        assert_eq!(lines[1], "0008  44 45 46 47              DEFG");
    }

    #[test]
    fn base64_goes_there_and_back() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foobar", "Zm9vYmFy"),
            (b"\xff\xfe\xfd", "//79"),
        ] {
            assert_eq!(base64(bytes), text);
            assert_eq!(from_base64(text).as_deref(), Some(bytes), "{text}");
            assert_eq!(from_base64(text.trim_end_matches('=')).as_deref(), Some(bytes), "{text}");
        }
        assert_eq!(from_base64("Zm 9v\nYmFy").as_deref(), Some(&b"foobar"[..]));
        for text in ["Z", "Zg=", "Zg===", "Zh==", "Z=g=", "Zm9v!", "ñ"] {
            assert_eq!(from_base64(text), None, "{text}");
        }
    }

    #[test]
    fn hexadecimal_digits_are_read_in_pairs() {
        for (text, bytes) in [
            ("", Some(&b""[..])),
            ("00 ff 7F", Some(b"\x00\xff\x7f")),
            ("00:ff,7f\n01", Some(b"\x00\xff\x7f\x01")),
            ("0", None),
            ("0g", None),
        ] {
            assert_eq!(from_hex(text).as_deref(), bytes, "{text}");
        }
    }
}
