//! CBOR (RFC 8949), shown in its diagnostic notation (§8): integers of 64 bits and bignums with all their
//! digits, half floats by their exact value, tags, and lengths that were not known when writing began.

use ciborium_ll::{Decoder, Header, simple};

use super::Wrong;
use super::outline::{self, Node};
use crate::export;
use crate::limits::{BIGNUM_BYTES_MAX, DECODED_DEPTH_MAX};

/// A time in text or seconds since 1970, a bignum, a negative bignum (RFC 8949 §3.4).
const EPOCH: u64 = 1;
const BIGNUM: u64 = 2;
const NEGATIVE_BIGNUM: u64 = 3;

/// The one value that a payload consists of.
pub(super) fn decode(payload: &[u8]) -> Result<Node, Wrong> {
    let mut reader = Reader { rest: payload, len: payload.len() };
    let node = reader.value(0)?;
    if reader.rest.is_empty() { Ok(node) } else { Err(reader.malformed()) }
}

struct Reader<'a> {
    rest: &'a [u8],
    len: usize,
}

impl<'a> Reader<'a> {
    fn malformed(&self) -> Wrong {
        Wrong::Malformed(format!("byte {}", self.len.saturating_sub(self.rest.len())))
    }

    /// The next header, and how many bytes it has.
    fn header(&mut self) -> Result<(Header, usize), Wrong> {
        let mut decoder = Decoder::from(self.rest);
        let header = decoder.pull().map_err(|_| self.malformed())?;
        let width = decoder.offset();
        self.take(width)?;
        Ok((header, width))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Wrong> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(|| self.malformed())?;
        self.rest = rest;
        Ok(taken)
    }

    fn text(&mut self, len: usize) -> Result<Node, Wrong> {
        let bytes = self.take(len)?;
        std::str::from_utf8(bytes).map(Node::text).map_err(|_| self.malformed())
    }

    fn value(&mut self, depth: usize) -> Result<Node, Wrong> {
        let (header, width) = self.header()?;
        self.value_of(header, width, depth)
    }

    fn value_of(&mut self, header: Header, width: usize, depth: usize) -> Result<Node, Wrong> {
        if depth > DECODED_DEPTH_MAX {
            return Err(Wrong::TooDeep);
        }
        let inner = depth.saturating_add(1);
        let leaf = |text: String| Ok(Node::Leaf(text));
        match header {
            Header::Positive(value) => leaf(value.to_string()),
            // The bits of a negative number are all turned over.
            Header::Negative(value) => leaf((!i128::from(value)).to_string()),
            // What was a single float has nine digits at most.
            Header::Float(value) if width == 5 => leaf(outline::single(value as f32)),
            Header::Float(value) => leaf(outline::float(value)),
            Header::Simple(value) => leaf(match value {
                simple::FALSE => "false".to_owned(),
                simple::TRUE => "true".to_owned(),
                simple::NULL => "null".to_owned(),
                simple::UNDEFINED => "undefined".to_owned(),
                other => format!("simple({other})"),
            }),
            Header::Tag(tag) => self.tagged(tag, inner),
            Header::Bytes(Some(len)) => self.take(len).map(Node::bytes),
            Header::Text(Some(len)) => self.text(len),
            Header::Bytes(None) | Header::Text(None) => self.pieces(header),
            Header::Array(len) => {
                let mut items = Vec::new();
                while let Some((header, width)) = self.next_of(len, items.len())? {
                    items.push(self.value_of(header, width, inner)?);
                }
                Ok(Node::List(if len.is_some() { "[" } else { "[_" }, items, "]"))
            }
            Header::Map(len) => {
                let mut members = Vec::new();
                while let Some((header, width)) = self.next_of(len, members.len())? {
                    let name = self.value_of(header, width, inner)?;
                    members.push((name, self.value(inner)?));
                }
                Ok(Node::Map(if len.is_some() { "{" } else { "{_" }, members))
            }
            Header::Break => Err(self.malformed()),
        }
    }

    /// The header of the next member; none behind the last one.
    fn next_of(
        &mut self,
        len: Option<usize>,
        have: usize,
    ) -> Result<Option<(Header, usize)>, Wrong> {
        if len.is_some_and(|len| have >= len) {
            return Ok(None);
        }
        let (header, width) = self.header()?;
        let is_end = len.is_none() && header == Header::Break;
        Ok((!is_end).then_some((header, width)))
    }

    /// A string in pieces, each of the kind of the whole (RFC 8949 §3.2.3).
    fn pieces(&mut self, whole: Header) -> Result<Node, Wrong> {
        let mut pieces = Vec::new();
        loop {
            pieces.push(match (self.header()?.0, whole) {
                (Header::Break, _) => return Ok(Node::List("(_", pieces, ")")),
                (Header::Bytes(Some(len)), Header::Bytes(_)) => self.take(len).map(Node::bytes)?,
                (Header::Text(Some(len)), Header::Text(_)) => self.text(len)?,
                _ => return Err(self.malformed()),
            });
        }
    }

    fn tagged(&mut self, tag: u64, depth: usize) -> Result<Node, Wrong> {
        let (header, width) = self.header()?;
        if let (BIGNUM | NEGATIVE_BIGNUM, Header::Bytes(Some(len))) = (tag, header)
            && len <= BIGNUM_BYTES_MAX
        {
            let digits = decimal(self.take(len)?, tag == NEGATIVE_BIGNUM);
            return Ok(Node::Leaf(digits));
        }
        let node = self.value_of(header, width, depth)?;
        let mark = match (tag, header) {
            (EPOCH, Header::Positive(seconds)) => {
                format!("1 / {} / ", export::time(seconds as f64 * 1_000.0))
            }
            (EPOCH, Header::Float(seconds)) if seconds >= 0.0 => {
                format!("1 / {} / ", export::time(seconds * 1_000.0))
            }
            _ => tag.to_string(),
        };
        Ok(Node::Marked(mark, Box::new(node)))
    }
}

/// The decimal digits of a number of any size, given by its bytes from the highest on; of -1 minus it
/// where it is negative (RFC 8949 §3.4.3).
fn decimal(bytes: &[u8], is_negative: bool) -> String {
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

    use super::*;
    use crate::format::from_hex;

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
            "5bffffffffffffffff",
            "9bffffffffffffffff00",
            "bbffffffffffffffff0000",
        ] {
            // A simple value below 32 in two bytes is not well-formed (RFC 8949 §3.3); it is harmless.
            if hex != "f800" {
                assert!(matches!(shown(hex), Err(Wrong::Malformed(_))), "{hex}");
            }
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
