//! A value ready to be shown: of a topic, or at a path inside its payload.

use std::borrow::Cow;

use crate::decode::Trust;
use crate::format;
use crate::json::{self, Leaf};
use crate::limits::{HEX_SHOWN_BYTES, MEMBER_SHOWN_CHARS, TEXT_SHOWN_CHARS};
use crate::number::{self, Number};
use crate::payload::{self, Payload};
use crate::protocol::{Card, Value};
use crate::reading::{self, Reader};
use crate::store::{Topic, TopicId};
use crate::unit;

/// A value is stale after this many times its usual interval without a message…
const STALE_INTERVALS: f64 = 4.0;

/// …and never before this time, in milliseconds.
const STALE_MS_MIN: f64 = 10_000.0;

/// The last value of a topic.
pub fn card<'s>(id: TopicId, topic: &'s Topic, reader: &mut Reader<'s>) -> Card {
    with_value(id, topic, value(topic, reader))
}

/// The last value at a path of a topic's payload, which is the whole payload where the path is empty;
/// none where nothing is at that path.
pub fn card_at<'s>(
    id: TopicId,
    topic: &'s Topic,
    path: &str,
    reader: &mut Reader<'s>,
) -> Option<Card> {
    let value = if path.is_empty() { value(topic, reader) } else { value_at(topic, path, reader)? };
    Some(with_value(id, topic, value))
}

fn with_value(id: TopicId, topic: &Topic, value: Value) -> Card {
    Card {
        id,
        value,
        at_ms: topic.at_ms,
        retained: topic.retained,
        stale_after_ms: stale_after_ms(topic),
        count: topic.count,
    }
}

/// After how many milliseconds without a message a value is stale, and a line has a gap; none as long
/// as nobody knows how often messages come.
pub fn stale_after_ms(topic: &Topic) -> Option<f64> {
    topic.interval_ms.map(|interval| (interval * STALE_INTERVALS).max(STALE_MS_MIN))
}

/// The number at a path of what was read of a payload.
pub fn number_at<'a>(payload: &'a [u8], path: &str) -> Option<Number<'a>> {
    if path.is_empty() {
        return payload::quick_number(payload);
    }
    match json::at(std::str::from_utf8(payload).ok()?, path)? {
        Leaf::Number(text) => number::parse(text),
        // A number may stand between quotes; one with escapes is none.
        Leaf::Text(raw) => number::parse(raw),
        _ => None,
    }
}

/// The unit of the number at a path: what the message says, else what the topic's or the path's words
/// tell.
pub fn unit_at<'s>(topic: &'s Topic, path: &str, reader: &mut Reader<'s>) -> Option<String> {
    if !path.is_empty() {
        return unit::from_topic(&path.replace('.', "/")).map(str::to_owned);
    }
    match payload::look(&reader.last(topic, Trust::Sure), topic.is_whole()) {
        Payload::Number { unit: Some(unit), .. } => Some(unit.into_owned()),
        _ => topic.unit().map(str::to_owned),
    }
}

fn value<'s>(topic: &'s Topic, reader: &mut Reader<'s>) -> Value {
    if topic.is_whole()
        && let Some(media_type) = format::media_type(&topic.payload)
    {
        return Value::Image { media_type: media_type.to_owned(), bytes: topic.payload.clone() };
    }
    let read = reader.last(topic, Trust::Sure);
    shown(payload::look(&read, topic.is_whole()), topic.unit(), topic.payload_len)
}

fn value_at<'s>(topic: &'s Topic, path: &str, reader: &mut Reader<'s>) -> Option<Value> {
    let text = reading::text(reader.last(topic, Trust::Offered))?;
    let leaf = json::at(&text, path)?;
    let unit = unit_at(topic, path, reader);
    let text = payload::shown(leaf);
    Some(match leaf {
        Leaf::Null => Value::Text { text: text.into_owned(), cut_from: None },
        _ => shown(payload::look(text.as_bytes(), true), unit.as_deref(), text.len()),
    })
}

/// `unit` is used where the payload itself names none; `len` is that of the whole payload.
fn shown(payload: Payload<'_>, unit: Option<&str>, len: usize) -> Value {
    match payload {
        Payload::Empty => Value::Empty,
        Payload::Number { number, unit: written } => {
            let unit = written.or(unit.map(Cow::Borrowed)).map(Cow::into_owned);
            let glance = unit.as_deref().and_then(|unit| number::at_a_glance(number.value, unit));
            Value::Number { text: number.text.to_owned(), unit, glance }
        }
        Payload::Flag { on, text } => Value::Flag { on, text: text.to_owned() },
        Payload::Text(text) => {
            let shown = payload::shortened(text, TEXT_SHOWN_CHARS);
            let cut_from = (shown.len() < len).then_some(len as u64);
            Value::Text { text: shown.to_owned(), cut_from }
        }
        Payload::Json { members, count } => Value::Json {
            more: u32::try_from(count.saturating_sub(members.len())).unwrap_or(u32::MAX),
            members: members
                .into_iter()
                .map(|member| (member_text(&member.path), member_text(&member.value)))
                .collect(),
        },
        Payload::Binary(bytes) => {
            Value::Binary { hex: payload::hex(bytes, HEX_SHOWN_BYTES), len: len as u64 }
        }
    }
}

fn member_text(text: &str) -> String {
    payload::with_ellipsis(text, MEMBER_SHOWN_CHARS)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::store::{Limits, Message, Store};

    fn at(payload: &[u8], path: &str) -> Option<Value> {
        let mut store = Store::new(Limits::default(), 0.0);
        let message = Message { topic: "home/air", payload, ..Message::default() };
        let id = store.take(message, 0.0)?;
        card_at(id, store.topic(id)?, path, &mut Reader::new(&store)).map(|card| card.value)
    }

    #[test]
    fn a_value_inside_json_is_what_it_is_by_itself() {
        let json = br#"{"a":{"temp_celsius":21.50},"on":true,"mode":"eco","n":18446744073709551615,
            "list":[1,{"x":"7"}],"none":null}"#;
        let number = |text: &str, unit: Option<&str>| {
            let unit = unit.map(str::to_owned);
            Some(Value::Number { text: text.to_owned(), unit, glance: None })
        };
        assert_eq!(at(json, "a.temp_celsius"), number("21.50", Some("°C")));
        assert_eq!(at(json, "n"), number("18446744073709551615", None));
        assert_eq!(at(json, "list[0]"), number("1", None));
        assert_eq!(at(json, "list[1].x"), number("7", None));
        assert_eq!(at(json, "on"), Some(Value::Flag { on: true, text: "true".into() }));
        let text = |text: &str| Some(Value::Text { text: text.into(), cut_from: None });
        assert_eq!((at(json, "mode"), at(json, "none")), (text("eco"), text("null")));
        assert_eq!(
            (at(json, "a.missing"), at(json, "list[9]"), at(b"21", "a")),
            (None, None, None)
        );
    }

    #[test]
    fn a_picture_is_handed_on_whole() {
        let Some(Value::Image { media_type, bytes }) = at(b"\x89PNG\r\n\x1a\nrest", "") else {
            panic!("an image")
        };
        assert_eq!((media_type.as_str(), bytes.len()), ("image/png", 12));
    }
}
