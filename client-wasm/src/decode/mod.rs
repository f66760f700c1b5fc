//! Payloads that are no text but say what is in them: CBOR (RFC 8949), MessagePack, and Sparkplug B on
//! the topics that belong to it.
//!
//! The page decodes what it shows, and the engine knows nothing of these forms: it sends the bytes. A form
//! is offered where the whole payload is of that form, and an outside byte can do no more than not be.
//!
//! **Invariant:** no number is rounded, and nothing is allocated for a length that a payload claims.

mod cbor;
mod message_pack;
pub mod outline;
pub mod sparkplug;

use self::outline::Outline;
use self::sparkplug::Sparkplug;

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
    /// It is not of that form; with the field that is wrong, or the byte, where that is known.
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
    for (form, decoded) in [
        (Form::Cbor, cbor::decode(question.payload)),
        (Form::MessagePack, message_pack::decode(question.payload)),
    ] {
        match decoded {
            Ok(node) if node.holds_others() => outlines.push((form, node)),
            Err(Wrong::TooDeep) if looked.wrong.is_none() => {
                looked.wrong = Some((form, Wrong::TooDeep));
            }
            _ => {}
        }
    }
    // Few bytes can be both; what reads as names with values was most likely meant.
    outlines.sort_by_key(|(_, node)| !node.has_names());
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
