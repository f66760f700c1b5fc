//! The retained messages of a branch of topics, with a copy of each: the list that a person sees before
//! any of them is deleted. What becomes of the list is the page's affair: see [`clearing`](crate::clearing).

use bytes::Bytes;
use codec::{PacketType, PropertyOwner};

use crate::limits::RETAINED_BYTES_AT_ONCE;
use crate::name::Place;
use crate::protocol::{Properties, Retained, RetainedPart};
use crate::store::{Store, TopicId};

/// A list on its way to the page.
#[derive(Debug)]
pub struct Listing {
    path: String,
    topics: Vec<TopicId>,
    /// How many of the topics have been looked at.
    done: usize,
}

impl Listing {
    /// The list of what is retained among these topics, in order.
    pub fn new(path: String, topics: Vec<TopicId>, store: &Store) -> Self {
        let place = |id| {
            let topic = store.topic(id).filter(|topic| store.is_kept(topic))?;
            Some((topic.name.as_bytes().into(), id))
        };
        let mut places: Vec<Place> = topics.into_iter().filter_map(place).collect();
        places.sort();
        Self { path, topics: places.into_iter().map(|(_, id)| id).collect(), done: 0 }
    }

    /// So much of the list as goes into one frame; the last part says that it is.
    pub fn part(&mut self, store: &Store) -> RetainedPart {
        let is_first = self.done == 0;
        let (mut messages, mut bytes) = (Vec::new(), 0usize);
        while bytes < RETAINED_BYTES_AT_ONCE
            && let Some(id) = self.topics.get(self.done)
        {
            self.done = self.done.saturating_add(1);
            if let Some(message) = message(*id, store) {
                let len = message.payload.as_ref().map_or(0, Vec::len);
                bytes = bytes.saturating_add(len).saturating_add(message.topic.len());
                messages.push(message);
            }
        }
        let is_last = self.done >= self.topics.len();
        RetainedPart { path: self.path.clone(), is_first, is_last, messages }
    }
}

/// The retained message of a topic: from the log, or as its last value if it had no properties.
fn message(id: TopicId, store: &Store) -> Option<Retained> {
    let topic = store.topic(id).filter(|topic| store.is_kept(topic))?;
    let mut entries = store.log().back_from(topic.last);
    let entry = entries.find(|entry| entry.retain && entry.payload_len > 0);
    let (payload, properties) = match entry {
        Some(entry) => (entry.is_whole().then_some(entry.payload), entry.properties),
        None => {
            let is_all = topic.is_last_kept && topic.is_whole();
            (is_all.then_some(topic.payload.as_slice()), &[][..])
        }
    };
    Some(Retained {
        topic: topic.name.to_string(),
        payload: payload.map(<[u8]>::to_vec),
        properties: decoded(properties),
    })
}

/// What a client can publish again: not what the broker has added for this subscriber.
fn decoded(properties: &[u8]) -> Properties {
    let owner = PropertyOwner::Packet(PacketType::Publish);
    // They were checked when they came.
    let properties = codec::Properties::decode(Bytes::copy_from_slice(properties), owner);
    let properties = properties.unwrap_or_default();
    Properties {
        is_text: properties.payload_format_indicator().unwrap_or_default(),
        expiry_s: properties.message_expiry_interval(),
        content_type: properties.content_type().map(|text| text.as_str().to_owned()),
        response_topic: properties.response_topic().map(|topic| topic.as_str().to_owned()),
        correlation_data: properties.correlation_data().map(|data| data.to_vec()),
        user: properties
            .user_properties()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_str().to_owned()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::store::{Limits, Message};

    fn store(limits: Limits, messages: &[(&str, &[u8], bool)]) -> Store {
        let mut store = Store::new(limits, 0.0);
        store.back(0.0);
        for (topic, payload, retain) in messages {
            let message = Message { topic, payload, retain: *retain, ..Message::default() };
            store.take(message, 0.0);
        }
        store
    }

    fn all(store: &Store) -> Vec<Retained> {
        let topics = (0..store.topics_len() as TopicId).collect();
        let mut listing = Listing::new("p".into(), topics, store);
        let mut listed = Vec::new();
        loop {
            let part = listing.part(store);
            assert_eq!(part.is_first, listed.is_empty());
            listed.extend(part.messages);
            if part.is_last {
                return listed;
            }
        }
    }

    fn payloads(listed: &[Retained]) -> Vec<(&str, Option<&[u8]>)> {
        listed.iter().map(|r| (r.topic.as_str(), r.payload.as_deref())).collect()
    }

    #[test]
    fn just_what_is_retained_is_listed_with_its_own_payload() {
        let limits = Limits { payload: 8, ..Limits::default() };
        let store = store(
            limits,
            &[
                ("b", b"kept", true),
                ("b", b"live", false),
                ("a", b"live", false),
                ("c", b"kept", true),
                ("c", b"", true),
                ("d", b"far too long", true),
            ],
        );
        assert_eq!(payloads(&all(&store)), [("b", Some(&b"kept"[..])), ("d", None)]);
    }

    #[test]
    fn what_the_log_has_let_go_of_is_still_the_last_value() {
        let limits = Limits { log_bytes: 0, ..Limits::default() };
        let kept = [("last", &b"1"[..], true), ("not/last", b"2", true), ("not/last", b"3", false)];
        let mut store = store(limits, &kept);
        let properties =
            codec::Properties::new([codec::Property::MessageExpiryInterval(9)]).unwrap();
        store.take(
            Message {
                topic: "with/properties",
                payload: b"4",
                retain: true,
                properties: properties.as_bytes(),
                ..Message::default()
            },
            0.0,
        );
        assert_eq!(all(&store)[2].properties.expiry_s, Some(9));
        let filler = vec![b'x'; 60_000];
        for _ in 0..20 {
            let message = Message { topic: "filler", payload: &filler, ..Message::default() };
            store.take(message, 0.0);
        }
        let listed = all(&store);
        let expected = [("last", Some(&b"1"[..])), ("not/last", None), ("with/properties", None)];
        assert_eq!(payloads(&listed), expected);
    }

    #[test]
    fn a_long_list_comes_in_parts() {
        let payload = vec![b'x'; RETAINED_BYTES_AT_ONCE / 10];
        let topics: Vec<String> = (0..35).map(|n| format!("t/{n:02}")).collect();
        let messages: Vec<_> =
            topics.iter().map(|topic| (topic.as_str(), payload.as_slice(), true)).collect();
        let store = store(Limits::default(), &messages);
        let mut listing = Listing::new("t".into(), (0..35).collect(), &store);
        let lens: Vec<_> = std::iter::from_fn(|| Some(listing.part(&store)))
            .take(4)
            .map(|p| p.messages.len())
            .collect();
        assert_eq!(lens, [10, 10, 10, 5]);
        assert_eq!(all(&store).len(), 35);
        let nothing = Listing::new("t".into(), Vec::new(), &store).part(&store);
        assert!(nothing.is_first && nothing.is_last && nothing.messages.is_empty());
    }
}
