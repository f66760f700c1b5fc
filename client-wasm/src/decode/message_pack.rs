//! MessagePack, shown like CBOR: integers of 64 bits with all their digits, single floats with as few as
//! they need, bytes in hexadecimal digits, extensions by their number, its timestamp as the time it is.

use rmpv::Value;
use rmpv::decode::{Error, read_value_with_max_depth};

use super::Wrong;
use super::outline::{self, Node};
use crate::export;
use crate::limits::DECODED_DEPTH_MAX;

/// What the library counts for each value within another.
const STEPS_PER_LEVEL: usize = 2;

/// The extension type of a timestamp.
const TIMESTAMP: i8 = -1;

/// The one value that a payload consists of.
pub(super) fn decode(payload: &[u8]) -> Result<Node, Wrong> {
    let mut rest = payload;
    let steps = DECODED_DEPTH_MAX.saturating_add(2).saturating_mul(STEPS_PER_LEVEL);
    let at = |rest: &[u8]| format!("byte {}", payload.len().saturating_sub(rest.len()));
    match read_value_with_max_depth(&mut rest, steps) {
        Ok(value) if rest.is_empty() => node(value),
        Ok(_) => Err(Wrong::Malformed(at(rest))),
        Err(Error::DepthLimitExceeded) => Err(Wrong::TooDeep),
        Err(_) => Err(Wrong::Malformed(at(rest))),
    }
}

/// The depth of `value` was limited when it was read.
fn node(value: Value) -> Result<Node, Wrong> {
    Ok(match value {
        Value::Nil => Node::Leaf("null".to_owned()),
        Value::Boolean(value) => Node::Leaf(value.to_string()),
        Value::Integer(value) => Node::Leaf(value.to_string()),
        Value::F32(value) => Node::Leaf(outline::single(value)),
        Value::F64(value) => Node::Leaf(outline::float(value)),
        Value::String(text) => match text.as_str() {
            Some(text) => Node::text(text),
            // Older programs write bytes as strings.
            None => Node::bytes(text.as_bytes()),
        },
        Value::Binary(bytes) => Node::bytes(&bytes),
        Value::Array(items) => {
            Node::List("[", items.into_iter().map(node).collect::<Result<_, _>>()?, "]")
        }
        Value::Map(members) => {
            let member = |(name, value)| Ok((node(name)?, node(value)?));
            Node::Map("{", members.into_iter().map(member).collect::<Result<_, _>>()?)
        }
        Value::Ext(kind, bytes) => {
            let time = (kind == TIMESTAMP).then(|| timestamp(&bytes)).flatten();
            let mark =
                time.map_or(format!("ext {kind} "), |time| format!("ext {kind} / {time} / "));
            Node::Marked(mark, Box::new(Node::bytes(&bytes)))
        }
    })
}

/// The three layouts of a timestamp: seconds in 4 bytes, both in 8, nanoseconds in 4 and seconds in 8.
fn timestamp(bytes: &[u8]) -> Option<String> {
    let (seconds, nanoseconds) = match bytes.len() {
        4 => (i64::from(u32::from_be_bytes(bytes.try_into().ok()?)), 0),
        8 => {
            let both = u64::from_be_bytes(bytes.try_into().ok()?);
            (i64::try_from(both & ((1 << 34) - 1)).ok()?, u32::try_from(both >> 34).ok()?)
        }
        12 => {
            let (nanoseconds, seconds) = bytes.split_at_checked(4)?;
            (
                i64::from_be_bytes(seconds.try_into().ok()?),
                u32::from_be_bytes(nanoseconds.try_into().ok()?),
            )
        }
        _ => return None,
    };
    if seconds < 0 || nanoseconds >= 1_000_000_000 {
        return None;
    }
    let whole = export::time(seconds as f64 * 1_000.0);
    let fraction = format!(".{nanoseconds:09}");
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    whole.strip_suffix(".000Z").map(|time| format!("{time}{fraction}Z"))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::format::from_hex;

    fn shown(hex: &str) -> Result<String, Wrong> {
        decode(&from_hex(hex).unwrap()).map(|node| outline::write(&node).text)
    }

    #[test]
    fn every_value_is_written_in_full() {
        for (hex, text) in [
            ("c0", "null"),
            ("c3", "true"),
            ("7f", "127"),
            ("ff", "-1"),
            ("cfffffffffffffffff", "18446744073709551615"),
            ("d38000000000000000", "-9223372036854775808"),
            ("ca4048f5c3", "3.14"),
            ("cb3ff199999999999a", "1.1"),
            ("cb7ff8000000000000", "NaN"),
            ("a2c3bc", "\"ü\""),
            ("a2c328", "h'c328'"),
            ("c4020001", "h'0001'"),
            ("93010203", "[1, 2, 3]"),
            ("82a16101a162c2", "{\n  \"a\": 1,\n  \"b\": false\n}"),
            ("d40507", "ext 5 (h'07')"),
            ("d6ff514b67b0", "ext -1 / 2013-03-21T20:04:00Z / (h'514b67b0')"),
            ("d7ff77359400514b67b0", "ext -1 / 2013-03-21T20:04:00.5Z / (h'77359400514b67b0')"),
            (
                "c70cff000000010000000000000000",
                "ext -1 / 1970-01-01T00:00:00.000000001Z / (h'000000010000000000000000')",
            ),
            ("c70cff00000000ffffffffffffffff", "ext -1 (h'00000000ffffffffffffffff')"),
        ] {
            assert_eq!(shown(hex).as_deref(), Ok(text), "{hex}");
        }
    }

    #[test]
    fn what_is_no_message_pack_is_refused() {
        // The one byte that MessagePack never uses reads as null in the library.
        for hex in ["", "cc", "a161 61 00", "91", "81a161", "9301", "dfffffffff", "c6ffffffff"] {
            assert!(matches!(shown(hex), Err(Wrong::Malformed(_))), "{hex}");
        }
    }

    #[test]
    fn depth_has_its_limit() {
        let nested = |depth: usize| {
            decode(&std::iter::repeat_n(0x91, depth).chain([0]).collect::<Vec<u8>>()).map(drop)
        };
        assert_eq!(nested(DECODED_DEPTH_MAX), Ok(()));
        assert_eq!(nested(4 * DECODED_DEPTH_MAX), Err(Wrong::TooDeep));
    }
}
