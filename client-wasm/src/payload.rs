//! What a payload is: looked at when a card shows it, never guessed beyond what the bytes say. What it is given
//! is what [`reading`](crate::reading) makes of bytes that are no text.

use std::borrow::Cow;

use crate::json::{self, Leaf};
use crate::limits::{JSON_MEMBERS_SHOWN, NUMBER_LEN_MAX, UNIT_CHARS_MAX};
use crate::number::{self, Number};
use crate::unit;

/// What a payload is.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload<'a> {
    /// No bytes: what also removes a retained message (MQTT 5.0 §3.3.1.3).
    Empty,
    /// One number: alone, with its unit behind it, or the `value` of a JSON object.
    Number {
        /// The number as it was written.
        number: Number<'a>,
        /// The unit, where the payload itself names it.
        unit: Option<Cow<'a, str>>,
    },
    /// A word that says on or off.
    Flag {
        /// Whether it says on.
        on: bool,
        /// The word as it was written.
        text: &'a str,
    },
    /// JSON that is no single number.
    Json {
        /// Its first leaves.
        members: Vec<Member<'a>>,
        /// How many leaves there are in all.
        count: usize,
    },
    /// Text that is nothing of the above.
    Text(&'a str),
    /// Bytes that are no UTF-8 text.
    Binary(&'a [u8]),
}

/// One leaf of a JSON payload.
#[derive(Debug, Clone, PartialEq)]
pub struct Member<'a> {
    /// The keys from the outside in, joined by points; empty for a value without an object around.
    pub path: String,
    /// The value as it was written; text without its quotes and escapes.
    pub value: Cow<'a, str>,
}

/// What devices say in English and Spanish.
const ON: &str = "on true yes open online connected enabled active sí SÍ encendido encendida abierto abierta \
    conectado conectada activado activada activo activa";
const OFF: &str = "off false no closed offline disconnected disabled inactive apagado apagada cerrado cerrada \
    desconectado desconectada desactivado desactivada inactivo inactiva";

/// No word of those is longer, in bytes.
const FLAG_BYTES_MAX: usize = 12;

/// Looks at a whole payload. `whole` says that nothing of it was cut off before.
pub fn look(bytes: &[u8], whole: bool) -> Payload<'_> {
    if bytes.is_empty() {
        return Payload::Empty;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // What was cut in the middle of a character is text up to there.
        Err(error) if !whole && error.error_len().is_none() => {
            match bytes.get(..error.valid_up_to()).map(std::str::from_utf8) {
                Some(Ok(text)) if !text.is_empty() => text,
                _ => return Payload::Binary(bytes),
            }
        }
        Err(_) => return Payload::Binary(bytes),
    };
    if is_control(text) {
        return Payload::Binary(bytes);
    }
    if !whole {
        return Payload::Text(text);
    }
    number_in(text).or_else(|| flag(text)).or_else(|| json_in(text)).unwrap_or(Payload::Text(text))
}

/// The number of a payload, if that is what it is: all that a history needs of a message.
pub fn quick_number(bytes: &[u8]) -> Option<Number<'_>> {
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace())? {
        b'0'..=b'9' | b'+' | b'-' | b'.' if bytes.len() <= NUMBER_LEN_MAX => {
            match number_in(std::str::from_utf8(bytes).ok()?)? {
                Payload::Number { number, .. } => Some(number),
                _ => None,
            }
        }
        b'{' => value_of_json(std::str::from_utf8(bytes).ok()?).map(|(number, _)| number),
        _ => None,
    }
}

/// Text of control characters is no text that a person could read.
fn is_control(text: &str) -> bool {
    text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace())
}

/// A number, alone or with a known unit behind it.
fn number_in(text: &str) -> Option<Payload<'_>> {
    if text.len() > NUMBER_LEN_MAX {
        return None;
    }
    if let Some(number) = number::parse(text) {
        return Some(Payload::Number { number, unit: None });
    }
    let text = text.trim_ascii();
    let end = text.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.'))?;
    let (digits, rest) = text.split_at_checked(end)?;
    let rest = rest.trim_ascii_start();
    let number = number::parse(digits)?;
    unit::is_written_unit(rest)
        .then_some(Payload::Number { number, unit: Some(Cow::Borrowed(rest)) })
}

fn flag(text: &str) -> Option<Payload<'_>> {
    let trimmed = text.trim_ascii();
    let unquoted = trimmed.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let text = unquoted.unwrap_or(trimmed);
    if text.len() > FLAG_BYTES_MAX {
        return None;
    }
    let is_one_of = |words: &str| words.split(' ').any(|word| text.eq_ignore_ascii_case(word));
    if is_one_of(ON) {
        Some(Payload::Flag { on: true, text })
    } else if is_one_of(OFF) {
        Some(Payload::Flag { on: false, text })
    } else {
        None
    }
}

fn json_in(text: &str) -> Option<Payload<'_>> {
    if !text.trim_ascii_start().starts_with(['{', '[', '"']) {
        return None;
    }
    if let Some((number, unit)) = value_of_json(text) {
        return Some(Payload::Number { number, unit });
    }
    let mut members = Vec::new();
    let mut count = 0usize;
    let valid = json::scan(text, |path, leaf| {
        count = count.saturating_add(1);
        if members.len() < JSON_MEMBERS_SHOWN {
            members.push(Member { path: json::unescape(&path.join(".")), value: shown(leaf) });
        }
    });
    valid.then_some(Payload::Json { members, count })
}

/// The number under `value` of an object, and the text under `unit` or `unit_of_measurement`.
fn value_of_json(text: &str) -> Option<(Number<'_>, Option<Cow<'_, str>>)> {
    let mut value = None;
    let mut unit = None;
    let valid = json::scan(text, |path, leaf| match (path, leaf) {
        (["value"], Leaf::Number(text)) => value = number::parse(text),
        (["unit" | "unit_of_measurement"], Leaf::Text(raw)) => unit = Some(unquoted(raw)),
        _ => {}
    });
    let unit = unit.filter(|unit| is_fit_for_unit(unit));
    value.filter(|_| valid).map(|value| (value, unit))
}

/// Whether text that says to be a unit is short enough to be shown as one.
pub fn is_fit_for_unit(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= UNIT_CHARS_MAX && !is_control(text)
}

/// A leaf of JSON as a person reads it: as it was written, text without its quotes and escapes.
pub fn shown(leaf: Leaf<'_>) -> Cow<'_, str> {
    match leaf {
        Leaf::Number(text) | Leaf::Array(text) => Cow::Borrowed(text),
        Leaf::Text(raw) => unquoted(raw),
        Leaf::Bool(true) => Cow::Borrowed("true"),
        Leaf::Bool(false) => Cow::Borrowed("false"),
        Leaf::Null => Cow::Borrowed("null"),
        Leaf::EmptyObject => Cow::Borrowed("{}"),
    }
}

fn unquoted(raw: &str) -> Cow<'_, str> {
    if raw.contains('\\') { Cow::Owned(json::unescape(raw)) } else { Cow::Borrowed(raw) }
}

/// The first characters of a text.
pub fn shortened(text: &str, chars: usize) -> &str {
    let end = text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

/// The first characters of a text, marked where something is left out.
pub fn with_ellipsis(text: &str, chars: usize) -> String {
    let shown = shortened(text, chars);
    if shown.len() < text.len() { format!("{shown}…") } else { shown.to_owned() }
}

/// The first bytes in pairs of hexadecimal digits.
pub fn hex(bytes: &[u8], count: usize) -> String {
    let pairs: Vec<String> = bytes.iter().take(count).map(|byte| format!("{byte:02x}")).collect();
    pairs.join(" ")
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn kind(bytes: &[u8]) -> &'static str {
        match look(bytes, true) {
            Payload::Empty => "empty",
            Payload::Number { .. } => "number",
            Payload::Flag { on: true, .. } => "on",
            Payload::Flag { on: false, .. } => "off",
            Payload::Json { .. } => "json",
            Payload::Text(_) => "text",
            Payload::Binary(_) => "binary",
        }
    }

    #[test]
    fn each_payload_is_what_its_bytes_say() {
        for (bytes, expected) in [
            (&b""[..], "empty"),
            (b"21.5", "number"),
            (b" 7\n", "number"),
            (b"21.5 \xc2\xb0C", "number"),
            (b"45%", "number"),
            (b"3 apples", "text"),
            (b"2026-11-21", "text"),
            (b"10.0.0.1", "text"),
            (b"NaN", "text"),
            (b"ON", "on"),
            (b"true", "on"),
            (b"\"open\"", "on"),
            (b"offline", "off"),
            ("sí".as_bytes(), "on"),
            (b"Abierta", "on"),
            (b"apagado", "off"),
            (b"DESCONECTADA", "off"),
            (b"on fire", "text"),
            (b"{\"value\":1.0,\"unit\":\"V\"}", "number"),
            (b"{\"temperature\":21.5,\"humidity\":40}", "json"),
            (b"[1,2,3]", "json"),
            (b"\"words\"", "json"),
            (b"{broken", "text"),
            (b"{\"value\":1", "text"),
            (b"hello\nworld", "text"),
            (b"hello\0world", "binary"),
            (b"\xff\xd8\xff", "binary"),
            (b"\xc3", "binary"),
        ] {
            assert_eq!(kind(bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn no_word_for_on_or_off_is_longer_than_is_looked_at() {
        let longest = ON.split(' ').chain(OFF.split(' ')).map(str::len).max();
        assert_eq!(longest, Some(FLAG_BYTES_MAX));
    }

    #[test]
    fn numbers_carry_the_unit_that_the_payload_names() {
        for (bytes, text, unit) in [
            (&b"127.0"[..], "127.0", None),
            (b"45 %", "45", Some("%")),
            (b"{\"value\":127.0,\"unit\":\"\\u00b0C\"}", "127.0", Some("°C")),
            (
                b"{\"unit_of_measurement\":\"W\",\"value\":9223372036854775807}",
                "9223372036854775807",
                Some("W"),
            ),
            (b"{\"value\":1,\"unit\":\"a unit that is far too long\"}", "1", None),
        ] {
            let Payload::Number { number, unit: found } = look(bytes, true) else {
                panic!("{bytes:?} is a number")
            };
            assert_eq!((number.text, found.as_deref()), (text, unit));
            assert_eq!(quick_number(bytes), Some(number));
        }
    }

    #[test]
    fn the_quick_look_agrees_with_the_thorough_one() {
        for bytes in
            [&b""[..], b"on", b"{\"a\":1}", b"{\"value\":\"1\"}", b"10.0.0.1", b"\xff", b" "]
        {
            assert_eq!(quick_number(bytes), None, "{bytes:?}");
            assert!(!matches!(look(bytes, true), Payload::Number { .. }));
        }
    }

    #[test]
    fn a_json_object_lists_its_first_leaves_and_counts_all() {
        let text = r#"{"a":{"b":1.0},"c":"x\u0021","d":[1],"e":null,"f":true,"g":{},"h":2}"#;
        let Payload::Json { members, count } = look(text.as_bytes(), true) else {
            panic!("it is JSON")
        };
        let members: Vec<_> =
            members.iter().map(|member| (member.path.as_str(), member.value.as_ref())).collect();
        assert_eq!(count, 7);
        assert_eq!(
            members,
            [("a.b", "1.0"), ("c", "x!"), ("d", "[1]"), ("e", "null"), ("f", "true"), ("g", "{}")]
        );
    }

    #[test]
    fn what_was_cut_off_is_text_up_to_there_and_never_a_number() {
        assert_eq!(look("12345".as_bytes(), false), Payload::Text("12345"));
        assert_eq!(look(b"caf\xc3", false), Payload::Text("caf"));
        assert_eq!(look(b"\xc3", false), Payload::Binary(b"\xc3"));
    }

    #[test]
    fn hexadecimal_preview() {
        assert_eq!(hex(&[0, 255, 16], 2), "00 ff");
        assert_eq!(hex(&[], 2), "");
    }
}
