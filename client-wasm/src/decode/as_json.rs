//! CBOR and MessagePack as the JSON that says the same, so that a value has one way to be found by its path,
//! whatever form it came in.
//!
//! What JSON does not have becomes text: bytes, numbers that are none, and names that are no text. Tags go.

use super::outline::hex;
use super::token::{Token, Tokens, negative};
use super::{cbor, message_pack};
use crate::export::string;
use crate::float;
use crate::limits::{DECODED_DEPTH_MAX, NUMBER_LEN_MAX};

/// A payload as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Json {
    /// The JSON.
    pub(super) text: String,
    /// What it holds.
    pub(super) kind: Kind,
}

/// What a value is to those who look for others inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// There are no others.
    Alone,
    /// A list or a map.
    Holds,
    /// A map whose names are all words, or a list of such maps: nothing else that is sent happens to look
    /// like that.
    Named,
}

/// The one value that a payload consists of; none where it is not of the form.
pub(super) fn read(tokens: Tokens<'_>) -> Option<Json> {
    let mut writer = Writer { tokens, out: String::new() };
    let kind = writer.value(0)?;
    writer.tokens.is_at_end().then_some(Json { text: writer.out, kind })
}

struct Writer<'a> {
    tokens: Tokens<'a>,
    out: String,
}

impl<'a> Writer<'a> {
    fn value(&mut self, depth: usize) -> Option<Kind> {
        let token = self.tokens.next()?;
        self.value_of(token, depth)
    }

    fn value_of(&mut self, token: Token<'a>, depth: usize) -> Option<Kind> {
        if depth > DECODED_DEPTH_MAX {
            return None;
        }
        let inner = depth.saturating_add(1);
        match token {
            Token::List(len) => {
                let (mut have, mut kind) = (0, Kind::Named);
                self.out.push('[');
                while let Some(token) = self.tokens.next_of(len, have)? {
                    self.comma(have);
                    kind = kind.min(self.value_of(token, inner)?);
                    have += 1;
                }
                self.out.push(']');
                Some(if have > 0 { kind.max(Kind::Holds) } else { Kind::Holds })
            }
            Token::Map(len) => {
                let (mut have, mut is_named) = (0, true);
                self.out.push('{');
                while let Some(token) = self.tokens.next_of(len, have)? {
                    self.comma(have);
                    is_named &= self.name(token, inner)?;
                    self.out.push(':');
                    self.value(inner)?;
                    have += 1;
                }
                self.out.push('}');
                Some(if have > 0 && is_named { Kind::Named } else { Kind::Holds })
            }
            Token::Tag(tag) => {
                let token = self.tokens.next()?;
                match (tag, token) {
                    // One that is longer is no number that a chart could draw.
                    (cbor::BIGNUM | cbor::NEGATIVE_BIGNUM, Token::Bytes(bytes))
                        if bytes.len() <= NUMBER_LEN_MAX / 3 =>
                    {
                        let is_negative = tag == cbor::NEGATIVE_BIGNUM;
                        self.out.push_str(&cbor::decimal(bytes, is_negative));
                        Some(Kind::Alone)
                    }
                    _ => self.value_of(token, inner),
                }
            }
            token => {
                let leaf = self.leaf(token)?;
                self.out.push_str(&leaf);
                Some(Kind::Alone)
            }
        }
    }

    fn comma(&mut self, have: u64) {
        if have > 0 {
            self.out.push(',');
        }
    }

    /// A name, and whether it is a word.
    fn name(&mut self, token: Token<'a>, depth: usize) -> Option<bool> {
        let begin = self.out.len();
        let kind = self.value_of(token, depth)?;
        match token {
            Token::Text(text) => return Some(!text.is_empty() && !text.contains(char::is_control)),
            Token::TextInPieces => return Some(false),
            _ => {}
        }
        let written = self.out.split_off(begin);
        self.out.push_str(&match kind {
            Kind::Alone if written.starts_with('"') => written,
            Kind::Alone => string(&written),
            _ => string("…"),
        });
        Some(false)
    }

    fn leaf(&mut self, token: Token<'a>) -> Option<String> {
        let number = |text: String, is_finite| if is_finite { text } else { string(&text) };
        Some(match token {
            Token::Positive(value) => value.to_string(),
            Token::Negative(value) => negative(value),
            Token::Float(value) => number(float::written(value), value.is_finite()),
            Token::Single(value) => number(float::written_single(value), value.is_finite()),
            Token::Text(text) => string(text),
            Token::Bytes(bytes) => string(&hex(bytes)),
            Token::TextInPieces => {
                let mut whole = String::new();
                loop {
                    match self.tokens.next()? {
                        Token::Text(text) => whole.push_str(text),
                        Token::Break => break string(&whole),
                        _ => return None,
                    }
                }
            }
            Token::BytesInPieces => {
                let mut whole = Vec::new();
                loop {
                    match self.tokens.next()? {
                        Token::Bytes(bytes) => whole.extend_from_slice(bytes),
                        Token::Break => break string(&hex(&whole)),
                        _ => return None,
                    }
                }
            }
            Token::Bool(value) => value.to_string(),
            Token::Null => "null".to_owned(),
            Token::Undefined => string("undefined"),
            Token::Simple(value) => string(&format!("simple({value})")),
            Token::Extension(kind, bytes) => {
                let is_time = kind == message_pack::TIMESTAMP;
                let time = is_time.then(|| message_pack::timestamp(bytes)).flatten();
                string(&time.unwrap_or_else(|| hex(bytes)))
            }
            Token::Tag(_) | Token::List(_) | Token::Map(_) | Token::Break => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::super::Form;
    use super::*;
    use crate::format::from_hex;
    use crate::json;

    fn shown(form: Form, hex: &str) -> Option<(String, Kind)> {
        let payload = from_hex(hex).unwrap();
        let read = read(form.tokens(&payload)?)?;
        assert!(json::scan(&read.text, |_, _| {}), "{}", read.text);
        Some((read.text, read.kind))
    }

    #[test]
    fn what_is_said_is_said_in_json() {
        use Form::{Cbor, MessagePack};
        for (form, hex, text, kind) in [
            (Cbor, "a1617415", r#"{"t":21}"#, Kind::Named),
            (MessagePack, "81a17415", r#"{"t":21}"#, Kind::Named),
            (Cbor, "d9d9f7a1617415", r#"{"t":21}"#, Kind::Named),
            (Cbor, "81a1617415", r#"[{"t":21}]"#, Kind::Named),
            (Cbor, "82a161741500", r#"[{"t":21},0]"#, Kind::Holds),
            (Cbor, "a10115", r#"{"1":21}"#, Kind::Holds),
            (Cbor, "a2613102200a", r#"{"1":2,"-1":10}"#, Kind::Holds),
            (Cbor, "a16015", r#"{"":21}"#, Kind::Holds),
            (Cbor, "a1610a15", r#"{"\n":21}"#, Kind::Holds),
            (Cbor, "a1820102f5", r#"{"…":true}"#, Kind::Holds),
            (Cbor, "a14105f4", r#"{"h'05'":false}"#, Kind::Holds),
            (Cbor, "a0", "{}", Kind::Holds),
            (Cbor, "80", "[]", Kind::Holds),
            (Cbor, "05", "5", Kind::Alone),
            (Cbor, "9f1bffffffffffffffffff", "[18446744073709551615]", Kind::Holds),
            (Cbor, "813bffffffffffffffff", "[-18446744073709551616]", Kind::Holds),
            (Cbor, "81c249010000000000000000", "[18446744073709551616]", Kind::Holds),
            (
                Cbor,
                "84f97e00f97c00fafF800000f7",
                r#"["NaN","Infinity","-Infinity","undefined"]"#,
                Kind::Holds,
            ),
            (Cbor, "83fa41aa6666fb4035800000000000f93c00", "[21.3,21.5,1.0]", Kind::Holds),
            (Cbor, "82c11a514b67b0f0", r#"[1363896240,"simple(16)"]"#, Kind::Holds),
            (Cbor, "827f6261226162ff5f41014102ff", r#"["a\"b","h'0102'"]"#, Kind::Holds),
            (Cbor, "bf7f6161ff01ff", r#"{"a":1}"#, Kind::Holds),
            (MessagePack, "92d38000000000000000ff", "[-9223372036854775808,-1]", Kind::Holds),
            (
                MessagePack,
                "93c0c3d6ff514b67b0",
                r#"[null,true,"2013-03-21T20:04:00Z"]"#,
                Kind::Holds,
            ),
        ] {
            assert_eq!(shown(form, hex), Some((text.to_owned(), kind)), "{hex}");
        }
        for (form, hex) in [
            (Cbor, ""),
            (Cbor, "a16174"),
            (Cbor, "a161741500"),
            (Cbor, "9f"),
            (Cbor, "81ff"),
            (Cbor, "7f4161ff"),
            (Cbor, "bf6161ff"),
            (Cbor, "9bffffffffffffffff00"),
            (MessagePack, "81a174"),
            (MessagePack, "dfffffffff"),
            (MessagePack, "c1"),
        ] {
            assert_eq!(shown(form, hex), None, "{hex}");
        }
    }
}
