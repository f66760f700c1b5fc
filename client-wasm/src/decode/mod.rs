//! Payloads that are no text but say what is in them: CBOR (RFC 8949), MessagePack, and Sparkplug B on
//! the topics that belong to it.
//!
//! The page decodes what it shows. The engine reads a payload as the JSON that says the same (`as_json.rs`),
//! where the values inside it are looked for. A form is offered where the whole payload is of that form, and
//! an outside byte can do no more than not be.
//!
//! **Invariant:** no number is rounded, and nothing is allocated for a length that a payload claims.

mod as_json;
mod cbor;
mod fields;
mod message_pack;
pub mod outline;
pub mod sparkplug;
mod token;

use std::cmp::Reverse;

use self::as_json::{Json, Kind};

use self::outline::Outline;
use self::sparkplug::Sparkplug;
use self::token::Tokens;

/// A form of a payload that the page decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Sparkplug B: a Protocol Buffers message of metrics.
    Sparkplug,
    /// CBOR (RFC 8949).
    Cbor,
    /// MessagePack.
    MessagePack,
}

impl Form {
    /// What it is called, in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sparkplug => "Sparkplug B",
            Self::Cbor => "CBOR",
            Self::MessagePack => "MessagePack",
        }
    }

    /// The tokens of a payload, where it is a form that has any.
    fn tokens(self, payload: &[u8]) -> Option<Tokens<'_>> {
        match self {
            Self::Sparkplug => None,
            Self::Cbor => Some(Tokens::new(payload, cbor::token)),
            Self::MessagePack => Some(Tokens::new(payload, message_pack::token)),
        }
    }

    /// The payload as JSON, if it has this form.
    fn as_json(self, payload: &[u8]) -> Option<Json> {
        as_json::read(self.tokens(payload)?)
    }
}

/// How much has to speak for a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Nothing else looks like it: names with their values, to the last byte.
    Sure,
    /// The page offers it, and a person has chosen to look inside.
    Offered,
}

/// CBOR or MessagePack as the JSON that says the same. None for anything else, and for all that is text: that
/// is what it is.
pub fn as_json(payload: &[u8], trust: Trust) -> Option<String> {
    // What holds other values never begins like text of plain letters.
    if payload.first()?.is_ascii() || std::str::from_utf8(payload).is_ok() {
        return None;
    }
    let least = match trust {
        Trust::Sure => Kind::Named,
        Trust::Offered => Kind::Holds,
    };
    let read = |form: Form| form.as_json(payload).filter(|json| json.kind >= least);
    let [cbor, message_pack] = [Form::Cbor, Form::MessagePack].map(read);
    // Few bytes can be both; what has names was most likely meant.
    let is_cbor =
        cbor.as_ref().map(|json| json.kind) >= message_pack.as_ref().map(|json| json.kind);
    if is_cbor { cbor } else { message_pack }.map(|json| json.text)
}

/// A payload that was decoded.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// Values in values.
    Outline(Outline),
    /// Metrics.
    Sparkplug(Sparkplug),
}

/// Why a payload is not shown in a form that it seems to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// It is not of that form; with the field that is wrong, where that is known.
    Malformed(String),
    /// Values stand in values deeper than the page looks.
    TooDeep,
}

/// What a payload is, as far as it can be decoded.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Looked {
    /// The forms that the whole payload has, the most telling first.
    pub forms: Vec<(Form, Decoded)>,
    /// A form that its topic or its beginning promises, and that it does not keep.
    pub wrong: Option<(Form, Wrong)>,
}

/// A payload of which all bytes are there, and what is known beside it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Question<'a> {
    /// The topic that it came on.
    pub topic: &'a str,
    /// Its bytes.
    pub payload: &'a [u8],
    /// The birth certificate that goes before it, on a topic of Sparkplug B.
    pub birth: Option<&'a [u8]>,
}

/// Finds out what a payload is.
pub fn look(question: &Question<'_>) -> Looked {
    let mut looked = Looked::default();
    if question.payload.is_empty() {
        return looked;
    }
    if sparkplug::is_topic(question.topic) {
        let birth = question.birth.unwrap_or_default();
        match sparkplug::decode(question.payload, birth) {
            Ok(payload) => looked.forms.push((Form::Sparkplug, Decoded::Sparkplug(payload))),
            Err(field) => looked.wrong = Some((Form::Sparkplug, Wrong::Malformed(field))),
        }
    }
    let mut outlines = Vec::new();
    for form in [Form::Cbor, Form::MessagePack] {
        let Some(tokens) = form.tokens(question.payload) else { continue };
        match outline::read(tokens) {
            Ok(node) if node.holds_others() => outlines.push((form, node)),
            Err(Wrong::TooDeep) if looked.wrong.is_none() => {
                looked.wrong = Some((form, Wrong::TooDeep));
            }
            _ => {}
        }
    }
    // In the order in which a value inside is looked for.
    let kind = |form: Form| form.as_json(question.payload).map(|json| json.kind);
    outlines.sort_by_key(|(form, _)| Reverse(kind(*form)));
    looked.forms.extend(
        outlines.into_iter().map(|(form, node)| (form, Decoded::Outline(outline::write(&node)))),
    );
    if !looked.forms.is_empty() {
        looked.wrong = looked.wrong.filter(|(form, _)| *form == Form::Sparkplug);
    }
    looked
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::token::Token;
    use super::*;

    fn forms(topic: &str, payload: &[u8]) -> Vec<Form> {
        let looked = look(&Question { topic, payload, birth: None });
        looked.forms.into_iter().map(|(form, _)| form).collect()
    }

    #[test]
    fn a_form_is_offered_where_the_whole_payload_has_it() {
        let cbor = b"\xa1\x61t\x15";
        let message_pack = b"\x81\xa1t\x15";
        let sparkplug = b"\x08\x01\x18\x02";
        for (topic, payload, expected) in [
            ("a", &cbor[..], &[Form::Cbor][..]),
            ("a", message_pack, &[Form::MessagePack]),
            ("spBv1.0/g/NDATA/n", sparkplug, &[Form::Sparkplug]),
            ("a", sparkplug, &[]),
            ("a", b"", &[]),
            ("a", b"plain text", &[]),
            ("a", b"\x18\x2a", &[]),
            ("a", b"\xa1\x61t", &[]),
            ("a", b"\xa1\x61t\x15\x00", &[]),
            ("a", b"\x81\xa1t\x15\x00", &[]),
        ] {
            assert_eq!(forms(topic, payload), expected, "{topic} {payload:02x?}");
        }
        // An empty array of the one is an empty map of the other.
        assert_eq!(forms("a", b"\x80"), [Form::Cbor, Form::MessagePack]);
    }

    #[test]
    fn what_breaks_its_promise_is_told() {
        let deep: Vec<u8> = std::iter::repeat_n(0x81, 4_000).chain([0]).collect();
        let wrong = |topic, payload| look(&Question { topic, payload, birth: None }).wrong;
        assert!(matches!(wrong("a", &deep), Some((_, Wrong::TooDeep))));
        let found = wrong("spBv1.0/g/NDATA/n", b"\x08");
        assert!(matches!(found, Some((Form::Sparkplug, Wrong::Malformed(_)))));
        assert_eq!(wrong("a", b"\xa1\x61t"), None);
    }

    /// The numbers of a payload in their order, as another implementation of CBOR reads them; none where it
    /// refuses it. `left` is how many values are still to come, and none up to the next break.
    fn cbor_by_another(
        rest: &mut &[u8],
        left: Option<u64>,
        numbers: &mut Vec<String>,
    ) -> Option<()> {
        use ciborium_ll::{Decoder, Header};
        let mut have = 0;
        while left.is_none_or(|left| have < left) {
            let mut decoder = Decoder::from(*rest);
            let header = decoder.pull().ok()?;
            let width = decoder.offset();
            *rest = rest.get(width..)?;
            let take = |rest: &mut &[u8], len: Option<usize>| {
                let taken = rest.split_off(..len?)?;
                Some(taken.to_vec())
            };
            match header {
                Header::Positive(value) => numbers.push(value.to_string()),
                Header::Negative(value) => numbers.push((!i128::from(value)).to_string()),
                Header::Float(value) => numbers.push(value.to_string()),
                // Those below 32 have one way to be written.
                Header::Simple(value) if width == 2 && value < 32 => return None,
                Header::Simple(_) => {}
                Header::Tag(_) => cbor_by_another(rest, Some(1), numbers)?,
                Header::Bytes(Some(len)) => drop(take(rest, Some(len))?),
                Header::Text(Some(len)) => drop(String::from_utf8(take(rest, Some(len))?).ok()?),
                Header::Bytes(None) | Header::Text(None) => loop {
                    let mut decoder = Decoder::from(*rest);
                    let piece = decoder.pull().ok()?;
                    *rest = rest.get(decoder.offset()..)?;
                    match (piece, header) {
                        (Header::Break, _) => break,
                        (Header::Bytes(len), Header::Bytes(_)) => drop(take(rest, len)?),
                        (Header::Text(len), Header::Text(_)) => {
                            drop(String::from_utf8(take(rest, len)?).ok()?);
                        }
                        _ => return None,
                    }
                },
                Header::Array(len) => {
                    cbor_by_another(rest, len.map(|len| len as u64), numbers)?;
                }
                Header::Map(len) => {
                    let len = len.map(|len| (len as u64).saturating_mul(2));
                    cbor_by_another(rest, len, numbers)?;
                }
                Header::Break => return left.is_none().then_some(()),
            }
            have += 1;
        }
        Some(())
    }

    /// The numbers of a MessagePack value in their order.
    fn numbers_of(value: &rmpv::Value, numbers: &mut Vec<String>) {
        match value {
            rmpv::Value::Integer(value) => numbers.push(value.to_string()),
            rmpv::Value::F32(value) => numbers.push(f64::from(*value).to_string()),
            rmpv::Value::F64(value) => numbers.push(value.to_string()),
            rmpv::Value::Array(items) => items.iter().for_each(|item| numbers_of(item, numbers)),
            rmpv::Value::Map(members) => members.iter().for_each(|(name, value)| {
                numbers_of(name, numbers);
                numbers_of(value, numbers);
            }),
            _ => {}
        }
    }

    /// The numbers of a payload in their order, as we read them; none where it is not of the form.
    fn by_us(form: Form, payload: &[u8]) -> Option<Vec<String>> {
        form.as_json(payload)?;
        let mut tokens = form.tokens(payload)?;
        let mut numbers = Vec::new();
        while let Some(token) = tokens.next() {
            match token {
                Token::Positive(value) => numbers.push(value.to_string()),
                Token::Negative(value) => numbers.push(token::negative(value)),
                Token::Float(value) => numbers.push(value.to_string()),
                Token::Single(value) => numbers.push(f64::from(value).to_string()),
                _ => {}
            }
        }
        Some(numbers)
    }

    /// Others who read the same bytes come to the same numbers, or refuse them too.
    #[test]
    fn a_second_opinion() {
        let good: [&[u8]; 4] = [
            b"\xbf\x61a\x9f\x01\x39\x01\x00\xff\x61b\x5f\x41x\xff\x61c\xc2\x41\x01\x61d\xf9\x3c\x01\xff",
            b"\x84\xf9\x7b\xff\xfb\x40\x09\x21\xfb\x54\x44\x2d\x18\xa1\x1b\xff\xff\xff\xff\xff\xff\xff\xff\xf8\xff\x3b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x83\xa1a\x93\x01\xc0\xc3\xa1b\xcb\x3f\xf0\0\0\0\0\0\0\xa1c\xd6\xff\x5a\x4a\xf6\xa5",
            b"\xdc\x00\x05\xd3\xff\0\0\0\0\0\0\0\xd1\x80\x00\xcd\x80\x00\xca\x3f\x80\0\0\xc7\x01\x05\x07",
        ];
        let seed = 0x5eed_0004_u64;
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut both, mut neither) = (0, 0);
        for round in 0..30_000 {
            let mut payload = match good.get(round % 5) {
                Some(good) => good.to_vec(),
                None => std::iter::repeat_with(|| random.u8(..)).take(round % 24).collect(),
            };
            for _ in 0..random.usize(..3) {
                let at = random.usize(..payload.len().max(1));
                if let Some(byte) = payload.get_mut(at) {
                    *byte = random.u8(..);
                }
            }
            let why = format!("seed {seed:#x} round {round}: {payload:02x?}");
            let (mut rest, mut numbers) = (payload.as_slice(), Vec::new());
            let cbor = cbor_by_another(&mut rest, Some(1), &mut numbers);
            let cbor = cbor.filter(|()| rest.is_empty()).map(|()| numbers);
            let ours = by_us(Form::Cbor, &payload);
            // A map without its length that ends behind a name is none.
            if !(ours.is_none() && payload.contains(&0xbf)) {
                assert_eq!(ours, cbor, "CBOR, {why}");
            }
            let mut rest = payload.as_slice();
            let theirs = rmpv::decode::read_value(&mut rest).ok().filter(|_| rest.is_empty());
            let message_pack = theirs.map(|value| {
                let mut numbers = Vec::new();
                numbers_of(&value, &mut numbers);
                numbers
            });
            let ours = by_us(Form::MessagePack, &payload);
            // They take the one byte that is never used for nothing.
            if !(ours.is_none() && payload.contains(&0xc1)) {
                assert_eq!(ours, message_pack, "MessagePack, {why}");
            }
            both += usize::from(cbor.is_some() || message_pack.is_some());
            neither += usize::from(cbor.is_none() && message_pack.is_none());
        }
        assert!(both > 5_000 && neither > 5_000, "{both} {neither}");
    }

    /// Whatever arrives is decoded or not, and nothing else: random bytes, and good payloads in which
    /// some bytes are others.
    #[test]
    fn no_payload_breaks_a_decoder() {
        let good: [&[u8]; 3] = [
            b"\xbf\x61a\x9f\x01\x02\xff\x61b\x5f\x41x\xff\x61c\xc2\x49\x01\0\0\0\0\0\0\0\0\xff",
            b"\x83\xa1a\x93\x01\xc0\xc3\xa1b\xcb\x3f\xf0\0\0\0\0\0\0\xa1c\xd6\xff\x5a\x4a\xf6\xa5",
            b"\x08\x01\x12\x11\x0a\x01t\x10\x05\x20\x0a\x69\0\0\0\0\0\0\xf0\x3f\x18\x02",
        ];
        let seed = 0x5eed_0001_u64;
        let mut state = seed;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for round in 0..20_000 {
            let mut payload: Vec<u8> = match good.get(round % 4) {
                Some(good) => good.to_vec(),
                None => (0..random() % 64).map(|_| random() as u8).collect(),
            };
            for _ in 0..random() % 4 {
                let at = random() as usize % payload.len().max(1);
                if let Some(byte) = payload.get_mut(at) {
                    *byte = random() as u8;
                }
            }
            payload.truncate(random() as usize % 128);
            let question =
                Question { topic: "spBv1.0/g/DDATA/n/d", payload: &payload, birth: Some(good[2]) };
            for (form, decoded) in look(&question).forms {
                if let Decoded::Outline(outline) = decoded {
                    assert!(!outline.text.is_empty(), "seed {seed:#x} round {round} {form:?}");
                }
            }
        }
    }
}
