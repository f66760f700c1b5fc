//! What a payload says, as the text in which values are looked for: text and JSON as they came, the forms of
//! [`decode`] as the JSON that says the same. So whatever the page knows of a value inside JSON it knows of one
//! inside them.

use std::borrow::Cow;

use crate::decode::sparkplug::{self, Names};
use crate::decode::{self, Trust};
use crate::limits::BIRTHS_KNOWN_MAX;
use crate::log::{Entry, Seq};
use crate::number::Number;
use crate::payload;
use crate::store::{Store, Topic, TopicId};

/// Reads payloads of one store.
#[derive(Debug)]
pub struct Reader<'s> {
    store: &'s Store,
    /// The birth certificates that were needed so far, by their topics and messages.
    births: Vec<((TopicId, Option<Seq>), Names)>,
}

impl<'s> Reader<'s> {
    /// With nothing read yet.
    pub fn new(store: &'s Store) -> Self {
        Self { store, births: Vec::new() }
    }

    /// The store.
    pub fn store(&self) -> &'s Store {
        self.store
    }

    /// The last value of a topic.
    pub fn last(&mut self, topic: &'s Topic, trust: Trust) -> Cow<'s, [u8]> {
        self.read(topic, topic.last, (&topic.payload, topic.is_whole()), trust)
    }

    /// A message of the log.
    pub fn entry(&mut self, entry: &Entry<'s>, trust: Trust) -> Cow<'s, [u8]> {
        let payload = (entry.payload, entry.is_whole());
        match self.store.topic(entry.topic) {
            Some(topic) => self.read(topic, Some(entry.seq), payload, trust),
            None => Cow::Borrowed(entry.payload),
        }
    }

    fn read(
        &mut self,
        topic: &Topic,
        seq: Option<Seq>,
        (payload, is_whole): (&'s [u8], bool),
        trust: Trust,
    ) -> Cow<'s, [u8]> {
        match metrics(&topic.name, payload, is_whole, || self.birth(topic, seq)) {
            Some(json) => Cow::Owned(json.into_bytes()),
            None => read(payload, is_whole, trust),
        }
    }

    /// The names that metrics of this message have.
    fn birth(&mut self, topic: &Topic, seq: Option<Seq>) -> Option<&Names> {
        let birth = birth(self.store, &topic.name, seq)?;
        let of = (birth.topic, birth.seq);
        let known = self.births.iter().position(|(known, _)| *known == of);
        let known = known.unwrap_or_else(|| {
            if self.births.len() >= BIRTHS_KNOWN_MAX {
                self.births.clear();
            }
            self.births.push((of, Names::of(birth.payload)));
            self.births.len().saturating_sub(1)
        });
        self.births.get(known).map(|(_, names)| names)
    }
}

/// A birth certificate.
#[derive(Debug, Clone, Copy)]
pub struct Birth<'s> {
    topic: TopicId,
    seq: Option<Seq>,
    /// Its bytes.
    pub payload: &'s [u8],
}

/// The birth certificate that was in force when a message came, or the oldest that is still known. None for
/// topics that need none, and where none has come.
pub fn birth<'s>(store: &'s Store, topic: &str, seq: Option<Seq>) -> Option<Birth<'s>> {
    let id = store.id(&sparkplug::birth_topic(topic)?)?;
    let topic = store.topic(id)?;
    let mut messages = store.log().back_from(topic.last);
    let before = messages.find(|m| m.is_whole() && seq.is_none_or(|seq| m.seq < seq));
    let before = before.map(|m| Birth { topic: id, seq: Some(m.seq), payload: m.payload });
    let last = Birth { topic: id, seq: None, payload: &topic.payload };
    before.or((topic.is_whole() && !topic.payload.is_empty()).then_some(last))
}

/// Sparkplug B, on the topics that belong to it.
fn metrics<'n>(
    topic: &str,
    payload: &[u8],
    is_whole: bool,
    birth: impl FnOnce() -> Option<&'n Names>,
) -> Option<String> {
    let is_sparkplug = is_whole && sparkplug::is_topic(topic);
    is_sparkplug.then(|| sparkplug::as_json(payload, birth)).flatten()
}

/// A payload by itself; of one that was cut, nobody knows what it was.
fn read(payload: &[u8], is_whole: bool, trust: Trust) -> Cow<'_, [u8]> {
    let json = if is_whole { decode::as_json(payload, trust) } else { None };
    json.map_or(Cow::Borrowed(payload), |json| Cow::Owned(json.into_bytes()))
}

/// A message that no store has; metrics in it have the names that it gives them.
pub fn alone<'a>(topic: &str, payload: &'a [u8]) -> Cow<'a, [u8]> {
    match metrics(topic, payload, true, || None) {
        Some(json) => Cow::Owned(json.into_bytes()),
        None => read(payload, true, Trust::Sure),
    }
}

/// The number of a payload that begins like no text: all that a history needs of a message, which is not its
/// digits.
#[cold]
pub fn quick_number(payload: &[u8]) -> Option<Number<'static>> {
    /// The name of such a number in an object: without it there is none.
    const VALUE: &[u8] = b"value";
    payload.windows(VALUE.len()).find(|bytes| *bytes == VALUE)?;
    let json = decode::as_json(payload, Trust::Sure)?;
    payload::quick_number(json.as_bytes()).map(|number| Number { text: "", ..number })
}

/// What was read, where it is text.
pub fn text(read: Cow<'_, [u8]>) -> Option<Cow<'_, str>> {
    match read {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::store::{Limits, Message};
    use crate::{card, detail, json};

    fn taken(messages: &[(&str, &[u8])]) -> Store {
        let mut store = Store::new(Limits::default(), 0.0);
        for (topic, payload) in messages {
            store.take(Message { topic, payload, ..Message::default() }, 0.0);
        }
        store
    }

    /// What is read of the last message of its topic.
    fn last(messages: &[(&str, &[u8])], trust: Trust) -> String {
        let store = taken(messages);
        let topic = messages.last().and_then(|(topic, _)| store.topic(store.id(topic)?)).unwrap();
        let read = Reader::new(&store).last(topic, trust);
        String::from_utf8_lossy(&read).into_owned()
    }

    #[test]
    fn what_is_text_stays_what_it_is() {
        for text in ["5", "21.5 °C", "{\"a\":1}", "on", "\u{1}\u{2}", "ñ", "", "\n8", "«a»"] {
            for topic in ["a", "spBv1.0/g/NDATA/n"] {
                assert_eq!(last(&[(topic, text.as_bytes())], Trust::Offered), text);
            }
        }
    }

    /// What could be anything else is not looked into by itself, only where a person does.
    #[test]
    fn few_bytes_are_no_reading() {
        let json = |json: &str| Some(json.to_owned());
        for (payload, sure, offered) in [
            (&b"\xa1\x61t\x15"[..], json(r#"{"t":21}"#), json(r#"{"t":21}"#)),
            (b"\x81\xa1t\x15", json(r#"{"t":21}"#), json(r#"{"t":21}"#)),
            (b"\x81\xa1\x61t\x15", json(r#"[{"t":21}]"#), json(r#"[{"t":21}]"#)),
            (b"\x81\x05", None, json("[5]")),
            (b"\xa1\x01\x15", None, json(r#"{"1":21}"#)),
            (b"\x92\x15\xcc\xff", None, json("[21,255]")),
            (b"\x80", None, json("[]")),
            (b"\xf9\x4d\x53", None, None),
            (b"\xcc\xff", None, None),
            (b"\xa1\x61t", None, None),
            (b"\xff\xd8\xff", None, None),
            (b"\x08\x01\x12\x03\x0a\x01t", None, None),
        ] {
            let as_it_came = String::from_utf8_lossy(payload).into_owned();
            let read = |trust| last(&[("a", payload)], trust);
            assert_eq!(read(Trust::Sure), sure.unwrap_or(as_it_came.clone()), "{payload:02x?}");
            assert_eq!(read(Trust::Offered), offered.unwrap_or(as_it_came), "{payload:02x?}");
        }
    }

    /// `name`, number, type, and value, of which the lengths are less than 128.
    fn metric(name: &str, alias: u8, datatype: Option<u8>, value: &[u8]) -> Vec<u8> {
        let mut metric = Vec::new();
        if !name.is_empty() {
            metric.extend([&[0x0a, name.len() as u8], name.as_bytes()].concat());
        }
        metric.extend([0x10, alias]);
        metric.extend(datatype.into_iter().flat_map(|datatype| [0x20, datatype]));
        metric.extend(value);
        [&[0x12, metric.len() as u8], metric.as_slice()].concat()
    }

    #[test]
    fn metrics_have_the_names_of_the_birth_certificate_before_them() {
        let (birth, data) = ("spBv1.0/g/DBIRTH/n/d", "spBv1.0/g/DDATA/n/d");
        let minus_two = b"\x50\xfe\xff\xff\xff\x0f";
        let born = |name: &str| {
            [metric(name, 7, Some(3), b"\x50\x05"), metric("T/in", 8, Some(9), b"")].concat()
        };
        let said =
            [metric("", 7, None, minus_two), metric("", 8, None, b"\x65\x66\x66\xaa\x41")].concat();
        let none = [(data, &said[..])];
        // Whether a number has a sign is not known without its type.
        assert_eq!(last(&none, Trust::Sure), r##"{"#7":"4294967294 ?","#8":21.3}"##);
        let level = (birth, &born("Level")[..]);
        let named = r#"{"Level":-2,"T/in":21.3}"#;
        assert_eq!(last(&[level, none[0]], Trust::Sure), named);
        // One of another device is none of its business.
        let other = ("spBv1.0/g/DBIRTH/n/x", &born("Level")[..]);
        assert!(last(&[other, none[0]], Trust::Sure).starts_with("{\"#7\""));

        // A message keeps the names it had, and a number of its own under `value` is one among others.
        let value = born("value");
        let store = taken(&[level, none[0], (birth, &value), none[0]]);
        let topic = store.topic(store.id(data).unwrap()).unwrap();
        let entries: Vec<_> = store.log().back_from(topic.last).collect();
        let mut reader = Reader::new(&store);
        let read = |entry| String::from_utf8(reader.entry(entry, Trust::Sure).into_owned());
        let read: Vec<_> = entries.iter().map(read).collect::<Result<_, _>>().unwrap();
        assert_eq!(read, [r#"{"valu\u0065":-2,"T/in":21.3}"#, named]);
        let read = read.first().unwrap().as_bytes();
        assert_eq!(detail::number_paths(read, 9), ["value", "T/in"]);
        assert_eq!(card::number_at(read, "value").map(|number| number.text), Some("-2"));
    }

    #[test]
    fn what_was_so_before_is_no_value_of_now() {
        let historical = metric("t", 1, Some(9), b"\x28\x01\x65\0\0\xa0\x41");
        let now = |value: u8| metric("t", 1, Some(7), &[0x50, value]);
        let said = [historical.clone(), now(5), metric("n", 2, Some(7), b"\x38\x01"), now(6)];
        let read = |payload: &[u8]| last(&[("spBv1.0/g/NDATA/n", payload)], Trust::Sure);
        assert_eq!(read(&said.concat()), r#"{"t":6,"n":null}"#);
        assert_eq!(read(&historical), String::from_utf8_lossy(&historical));
    }

    #[test]
    fn a_number_alone_is_kept_for_its_line() {
        for payload in [
            &b"\xa2\x65value\xfa\x41\xaa\x66\x66\x64unit\x61V"[..],
            b"\x82\xa5value\xca\x41\xaa\x66\x66\xa4unit\xa1V",
        ] {
            let store = taken(&[("a", payload)]);
            let history = store.topic(0).unwrap().history();
            assert_eq!(history.newest(), Some((0.0, 21.3)));
            let read = alone("a", payload);
            let looked = payload::look(&read, true);
            let payload::Payload::Number { number, unit } = looked else { panic!("{looked:?}") };
            assert_eq!((number.text, unit.as_deref()), ("21.3", Some("V")));
        }
        assert!(taken(&[("a", b"\xa1\x61v\x15")]).topic(0).unwrap().history().is_empty());
    }

    /// Whatever arrives, what is read is JSON or what came, and what is said by itself is said to a person too.
    #[test]
    fn no_payload_breaks_a_reader() {
        let good: [&[u8]; 4] = [
            b"\xa3\x65value\x9f\x01\x02\xff\x61b\x5f\x41x\xff\x61c\xc2\x49\x01\0\0\0\0\0\0\0\0",
            b"\x83\xa5value\x93\x01\xc0\xc3\xa1b\xcb\x3f\xf0\0\0\0\0\0\0\xa1c\xd6\xff\x5a\x4a\xf6\xa5",
            b"\x08\x01\x12\x0e\x0a\x01t\x10\x05\x20\x0a\x69\0\0\0\0\0\0\xf0\x3f\x18\x02",
            b"\x12\x1a\x0a\x01m\x20\x13\x92\x01\x12\x12\x0b\x0a\x01a\x20\x03\x50\xff\xff\xff\xff\x0f\x22\x01M",
        ];
        let seed = 0x5eed_0003_u64;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut read_as_json = 0;
        for round in 0..20_000 {
            let mut payload = match good.get(round % 5) {
                Some(good) => good.to_vec(),
                None => std::iter::repeat_with(|| random.u8(..)).take(round % 64).collect(),
            };
            for _ in 0..random.usize(..4) {
                let at = random.usize(..=payload.len());
                match payload.get_mut(at) {
                    Some(byte) => *byte = random.u8(..),
                    None => payload.truncate(random.usize(..=at)),
                }
            }
            let topic = if random.bool() { "spBv1.0/g/DDATA/n/d" } else { "a" };
            let store = taken(&[("spBv1.0/g/DBIRTH/n/d", &payload), (topic, &payload)]);
            let last = store.topic(1).unwrap();
            let mut reader = Reader::new(&store);
            let [sure, offered] =
                [Trust::Sure, Trust::Offered].map(|trust| reader.last(last, trust));
            for read in [&sure, &offered, &alone(topic, &payload)] {
                let json = read.as_ref() == payload
                    || std::str::from_utf8(read).is_ok_and(|text| json::check(text).is_ok());
                assert!(json, "seed {seed:#x} round {round}: {payload:02x?} {read:?}");
            }
            let alone = alone("a", &payload);
            if payload.first().is_some_and(|byte| !byte.is_ascii()) {
                let [quick, thorough] = [quick_number(&payload), payload::quick_number(&alone)];
                assert_eq!(quick.map(|n| n.value), thorough.map(|n| n.value), "{payload:02x?}");
            }
            read_as_json += usize::from(sure.as_ref() != payload);
            assert!(sure.as_ref() == payload || sure == offered, "seed {seed:#x} round {round}");
        }
        assert!(read_as_json > 2_000, "{read_as_json}");
    }
}
