//! CBOR (RFC 8949): integers of 64 bits and bignums with all their digits, half floats by their exact value,
//! tags, and lengths that were not known when writing began.

use super::token::{Cursor, Token};

/// Tags: a time in seconds since 1970, a bignum, a negative bignum (RFC 8949 §3.4).
pub(super) const EPOCH: u64 = 1;
pub(super) const BIGNUM: u64 = 2;
pub(super) const NEGATIVE_BIGNUM: u64 = 3;

/// One token.
pub(super) fn token<'a>(cursor: &mut Cursor<'a>) -> Option<Token<'a>> {
    let head = cursor.uint(1)?;
    let (major, short) = (head >> 5, head & 0x1f);
    let argument = match short {
        0..=23 => Some(short),
        24 => Some(cursor.uint(1)?),
        25 => Some(cursor.uint(2)?),
        26 => Some(cursor.uint(4)?),
        27 => Some(cursor.uint(8)?),
        31 => None,
        _ => return None,
    };
    Some(match (major, argument) {
        (0, Some(value)) => Token::Positive(value),
        (1, Some(value)) => Token::Negative(value),
        (2, Some(len)) => Token::Bytes(cursor.take(len)?),
        (2, None) => Token::BytesInPieces,
        (3, Some(len)) => Token::Text(std::str::from_utf8(cursor.take(len)?).ok()?),
        (3, None) => Token::TextInPieces,
        (4, len) => Token::List(len),
        (5, len) => Token::Map(len),
        (6, Some(tag)) => Token::Tag(tag),
        (7, Some(bits)) => match short {
            20 => Token::Bool(false),
            21 => Token::Bool(true),
            22 => Token::Null,
            23 => Token::Undefined,
            25 => Token::Float(half(bits as u16)),
            26 => Token::Single(f32::from_bits(bits as u32)),
            27 => Token::Float(f64::from_bits(bits)),
            // Those below 32 have one way to be written.
            24 if bits < 32 => return None,
            _ => Token::Simple(bits),
        },
        (7, None) => Token::Break,
        _ => return None,
    })
}

/// The value of a half float (RFC 8949, appendix D).
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction > 0.0 => f64::NAN,
        31 => f64::INFINITY,
        _ => (fraction + 1_024.0) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 0 { size } else { -size }
}

/// The decimal digits of a number of any size, given by its bytes from the highest on; of -1 minus it
/// where it is negative (RFC 8949 §3.4.3).
pub(super) fn decimal(bytes: &[u8], is_negative: bool) -> String {
    const BASE: u64 = 1_000_000_000;
    // Groups of nine digits, the lowest first.
    let mut groups = vec![0u64];
    let mut carry_in = |carry: u64, factor: u64| {
        let mut carry = carry;
        for group in &mut groups {
            let sum = group.saturating_mul(factor).saturating_add(carry);
            *group = sum % BASE;
            carry = sum / BASE;
        }
        if carry > 0 {
            groups.push(carry);
        }
    };
    for byte in bytes {
        carry_in(u64::from(*byte), 256);
    }
    if is_negative {
        carry_in(1, 1);
    }
    let mut out = if is_negative { "-".to_owned() } else { String::new() };
    for (index, group) in groups.iter().rev().enumerate() {
        out.push_str(&if index == 0 { group.to_string() } else { format!("{group:09}") });
    }
    out
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

    /// Out of the examples of RFC 8949, appendix A.
    #[test]
    fn every_value_is_written_as_the_specification_writes_it() {
        for (hex, text) in [
            ("00", "0"),
            ("1bffffffffffffffff", "18446744073709551615"),
            ("c249010000000000000000", "18446744073709551616"),
            ("3bffffffffffffffff", "-18446744073709551616"),
            ("c349010000000000000000", "-18446744073709551617"),
            ("20", "-1"),
            ("3903e7", "-1000"),
            ("f90000", "0.0"),
            ("f98000", "-0.0"),
            ("f93c00", "1.0"),
            ("f90001", "5.960464477539063e-8"),
            ("f97bff", "65504.0"),
            ("fa47c35000", "100000.0"),
            ("fa4048f5c3", "3.14"),
            ("fb3ff199999999999a", "1.1"),
            ("fb7e37e43c8800759c", "1e300"),
            ("f97e00", "NaN"),
            ("f97c00", "Infinity"),
            ("faff800000", "-Infinity"),
            ("f4", "false"),
            ("f6", "null"),
            ("f7", "undefined"),
            ("f0", "simple(16)"),
            ("f8ff", "simple(255)"),
            ("c074323031332d30332d32315432303a30343a30305a", "0(\"2013-03-21T20:04:00Z\")"),
            ("c11a514b67b0", "1 / 2013-03-21T20:04:00.000Z / (1363896240)"),
            ("d74401020304", "23(h'01020304')"),
            ("40", "h''"),
            ("62c3bc", "\"ü\""),
            ("80", "[]"),
            ("83010203", "[1, 2, 3]"),
            ("a0", "{}"),
            ("a201020304", "{\n  1: 2,\n  3: 4\n}"),
            ("5f42010243030405ff", "(_ h'0102', h'030405')"),
            ("7f657374726561646d696e67ff", "(_ \"strea\", \"ming\")"),
            ("9fff", "[_ ]"),
            ("9f0102ff", "[_ 1, 2]"),
            ("bf6346756ef563416d7421ff", "{_\n  \"Fun\": true,\n  \"Amt\": -2\n}"),
            ("d9d9f7a16161f5", "55799({\n  \"a\": true\n})"),
            ("c2480000000000000000", "0"),
        ] {
            assert_eq!(shown(hex).as_deref(), Ok(text), "{hex}");
        }
    }

    #[test]
    fn what_is_no_cbor_is_refused() {
        for hex in [
            "",
            "18",
            "1c",
            "61",
            "61ff",
            "62c3",
            "81",
            "a1",
            "a101",
            "9f",
            "bf01ff",
            "ff",
            "5f01ff",
            "5f6161ff",
            "7f4161ff",
            "5f5fffff",
            "c2",
            "8101ff",
            "0000",
            "1f",
            "df00",
            "f800",
            "f816",
            "5bffffffffffffffff",
            "9bffffffffffffffff00",
            "bbffffffffffffffff0000",
        ] {
            assert!(matches!(shown(hex), Err(Wrong::Malformed(_))), "{hex}");
        }
    }

    #[test]
    fn depth_and_size_have_their_limits() {
        let nested = |depth: usize| {
            decode(&std::iter::repeat_n(0x81, depth).chain([0]).collect::<Vec<u8>>()).map(drop)
        };
        assert_eq!(nested(DECODED_DEPTH_MAX), Ok(()));
        assert_eq!(nested(DECODED_DEPTH_MAX + 1), Err(Wrong::TooDeep));
        let tags: Vec<u8> = vec![0xc6; 60_000];
        assert_eq!(decode(&tags).map(drop), Err(Wrong::TooDeep));
        let len = BIGNUM_BYTES_MAX + 1;
        let mut large = vec![0xc2, 0x59, (len >> 8) as u8, len as u8];
        large.extend(std::iter::repeat_n(0xff, len));
        let shown = decode(&large).map(|node| outline::write(&node).text);
        assert!(shown.is_ok_and(|text| text.starts_with("2(h'ff")));
    }
}
