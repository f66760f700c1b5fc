//! MessagePack: integers of 64 bits with all their digits, bytes, extensions by their number, its timestamp
//! as the time it is.

use super::token::{Cursor, Token};
use crate::export;

/// The extension type of a timestamp.
pub(super) const TIMESTAMP: i8 = -1;

/// One token.
pub(super) fn token<'a>(cursor: &mut Cursor<'a>) -> Option<Token<'a>> {
    let head = cursor.uint(1)?;
    // Lengths and types that come in this many sizes follow each other.
    let size = |first: u64| 1u64 << (head - first);
    Some(match head {
        0x00..=0x7f => Token::Positive(head),
        0x80..=0x8f => Token::Map(Some(head & 0x0f)),
        0x90..=0x9f => Token::List(Some(head & 0x0f)),
        0xa0..=0xbf => text(cursor.take(head & 0x1f)?),
        0xc0 => Token::Null,
        0xc2 => Token::Bool(false),
        0xc3 => Token::Bool(true),
        0xc4..=0xc6 => {
            let len = cursor.uint(size(0xc4))?;
            Token::Bytes(cursor.take(len)?)
        }
        0xc7..=0xc9 => {
            let len = cursor.uint(size(0xc7))?;
            extension(cursor, len)?
        }
        0xca => Token::Single(f32::from_bits(cursor.uint(4)? as u32)),
        0xcb => Token::Float(f64::from_bits(cursor.uint(8)?)),
        0xcc..=0xcf => Token::Positive(cursor.uint(size(0xcc))?),
        0xd0 => integer(i64::from(cursor.uint(1)? as i8)),
        0xd1 => integer(i64::from(cursor.uint(2)? as i16)),
        0xd2 => integer(i64::from(cursor.uint(4)? as i32)),
        0xd3 => integer(cursor.uint(8)? as i64),
        0xd4..=0xd8 => extension(cursor, size(0xd4))?,
        0xd9..=0xdb => {
            let len = cursor.uint(size(0xd9))?;
            text(cursor.take(len)?)
        }
        0xdc | 0xdd => Token::List(Some(cursor.uint(size(0xdb))?)),
        0xde | 0xdf => Token::Map(Some(cursor.uint(size(0xdd))?)),
        0xe0..=0xff => integer(i64::from(head as i8)),
        // The one that is never used.
        _ => return None,
    })
}

fn text(bytes: &[u8]) -> Token<'_> {
    // Older programs write bytes as strings.
    std::str::from_utf8(bytes).map_or(Token::Bytes(bytes), Token::Text)
}

fn integer(value: i64) -> Token<'static> {
    u64::try_from(value).map_or(Token::Negative(!value as u64), Token::Positive)
}

fn extension<'a>(cursor: &mut Cursor<'a>, len: u64) -> Option<Token<'a>> {
    let kind = cursor.uint(1)? as i8;
    Some(Token::Extension(kind, cursor.take(len)?))
}

/// The three layouts of a timestamp: seconds in 4 bytes, both in 8, nanoseconds in 4 and seconds in 8.
pub(super) fn timestamp(bytes: &[u8]) -> Option<String> {
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

    use super::super::Wrong;
    use super::super::outline::{self, Node};
    use super::super::token::Tokens;
    use super::*;
    use crate::format::from_hex;
    use crate::limits::*;

    fn decode(payload: &[u8]) -> Result<Node, Wrong> {
        outline::read(Tokens::new(payload, token))
    }

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
