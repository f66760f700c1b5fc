//! What the engine remembers: the last value of each topic and a bounded history of its numbers.
//!
//! Nothing here shares the memory of a packet: a topic or a payload that is a slice of what arrived
//! would keep all that arrived with it.

use hashbrown::HashMap;

use crate::history::{Gaps, History};
use crate::limits;
use crate::log::{Log, New, Seq};
use crate::name::Place;
use crate::{name, payload, reading, unit};

/// The number of a topic in the store: they are counted from 0 as they come.
pub type TopicId = u32;

/// How much a store may keep.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Topics.
    pub topics: usize,
    /// Points of history of one topic.
    pub points_per_topic: usize,
    /// Memory for all that is kept, in bytes.
    pub bytes: usize,
    /// Memory for the topics and their last values, in bytes; part of [`bytes`](Self::bytes).
    pub value_bytes: usize,
    /// Memory for the log of messages, in bytes; part of [`bytes`](Self::bytes).
    pub log_bytes: usize,
    /// Bytes of one payload.
    pub payload: usize,
}

impl Limits {
    /// With the shares of all that is kept which belong to the last values and to the log.
    fn shared_out(self) -> Self {
        let share = |part: usize| self.bytes / (limits::STORE_BYTES_MAX / part);
        Self {
            value_bytes: share(limits::VALUE_BYTES_MAX),
            log_bytes: share(limits::LOG_BYTES_MAX),
            ..self
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            topics: limits::TOPICS_MAX,
            points_per_topic: limits::POINTS_PER_TOPIC_MAX,
            bytes: limits::STORE_BYTES_MAX,
            value_bytes: limits::VALUE_BYTES_MAX,
            log_bytes: limits::LOG_BYTES_MAX,
            payload: limits::PAYLOAD_KEPT_MAX,
        }
    }
}

/// A message as it arrives.
#[derive(Debug, Clone, Copy, Default)]
pub struct Message<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// Its payload.
    pub payload: &'a [u8],
    /// 0, 1 or 2.
    pub qos: u8,
    /// The RETAIN flag as it was published: the broker keeps this message (MQTT 5.0 §3.3.1.3).
    pub retain: bool,
    /// The bytes of its properties.
    pub properties: &'a [u8],
    /// The user property `unit`, if there is one.
    pub unit: Option<&'a str>,
}

/// What is remembered of one topic.
#[derive(Debug)]
pub struct Topic {
    /// Its name.
    pub name: Box<str>,
    /// The last payload, or its beginning.
    pub payload: Vec<u8>,
    /// The length of the whole payload, in bytes.
    pub payload_len: usize,
    /// Whether the last message was one that the broker had stored, so that it may be old.
    pub retained: bool,
    /// Whether the last message was one that the broker keeps, and had no properties.
    pub is_last_kept: bool,
    /// The last message in the log, where it may have gone.
    pub last: Option<Seq>,
    /// The connection, counted, on which the last message came.
    epoch: u32,
    /// The connection on which a retained message came that was not deleted since.
    kept_epoch: Option<u32>,
    /// When the last message arrived, in milliseconds of the caller's clock.
    pub at_ms: f64,
    /// How many messages have come.
    pub count: u64,
    /// The usual time between two messages, in milliseconds; none before the third.
    pub interval_ms: Option<f64>,
    /// The unit that messages named.
    named_unit: Option<Box<str>>,
    history: History,
    live: u64,
    /// What [`Store::value_bytes`] counts for this topic.
    bytes: usize,
}

impl Topic {
    /// The numbers that have come.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Whether all of the last payload is kept.
    pub fn is_whole(&self) -> bool {
        self.payload.len() == self.payload_len
    }

    /// The unit that a message named beside its payload, else the one that the topic's words tell.
    pub fn unit(&self) -> Option<&str> {
        self.named_unit.as_deref().or_else(|| unit::from_topic(&self.name))
    }
}

/// What the store has counted since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that arrived.
    pub messages: u64,
    /// Messages of topics for which there was no room.
    pub messages_not_kept: u64,
    /// Payloads of which just the beginning is kept.
    pub payloads_cut: u64,
    /// Points of history that went to make room.
    pub points_dropped: u64,
    /// Messages that left the log to make room.
    pub log_dropped: u64,
}

/// All that is remembered.
#[derive(Debug)]
pub struct Store {
    limits: Limits,
    ids: HashMap<Box<str>, TopicId>,
    topics: Vec<Topic>,
    /// In the order of the board, but for those that came since somebody looked.
    order: Vec<Place>,
    /// How many topics there were then.
    ordered: usize,
    gaps: Gaps,
    log: Log,
    /// Connections so far.
    epoch: u32,
    counts: Counts,
    began_ms: f64,
    value_bytes: usize,
    history_bytes: usize,
}

/// What one topic takes beside its name, which is there twice, its place in the order and its payload.
const TOPIC_BYTES: usize = size_of::<Topic>() + 64;

impl Store {
    /// An empty store whose clock shows `now_ms`.
    pub fn new(limits: Limits, now_ms: f64) -> Self {
        Self {
            limits,
            ids: HashMap::new(),
            topics: Vec::new(),
            order: Vec::new(),
            ordered: 0,
            gaps: Gaps::default(),
            log: Log::new(limits.log_bytes),
            epoch: 0,
            counts: Counts::default(),
            began_ms: now_ms,
            value_bytes: 0,
            history_bytes: 0,
        }
    }

    /// Takes in a message. Says which topic it belongs to, or that there was no room for it.
    pub fn take(&mut self, message: Message<'_>, now_ms: f64) -> Option<TopicId> {
        self.counts.messages = self.counts.messages.saturating_add(1);
        let Some(id) = self.topic_id(message.topic) else {
            self.counts.messages_not_kept = self.counts.messages_not_kept.saturating_add(1);
            return None;
        };
        let since_began_ms = (now_ms - self.began_ms).max(0.0);
        let topic = self.topics.get_mut(id as usize)?;

        let room = self.limits.value_bytes.saturating_sub(self.value_bytes);
        let room = room.saturating_add(topic.payload.capacity()).min(self.limits.payload);
        let kept = message.payload.get(..room).unwrap_or(message.payload);
        if kept.len() < message.payload.len() {
            self.counts.payloads_cut = self.counts.payloads_cut.saturating_add(1);
        }
        topic.set_payload(kept, message.payload.len());
        topic.set_unit(message.unit);
        topic.set_retained(message.retain, message.payload.is_empty(), self.epoch);
        topic.is_last_kept =
            message.retain && !message.payload.is_empty() && message.properties.is_empty();
        topic.set_time(now_ms);
        let bytes = topic.value_bytes();
        self.value_bytes = self.value_bytes.saturating_sub(topic.bytes).saturating_add(bytes);
        topic.bytes = bytes;

        // Text and JSON, which nearly all payloads are, begin like that.
        let number = match kept.first() {
            Some(byte) if !byte.is_ascii() => reading::quick_number(kept),
            _ => payload::quick_number(kept),
        };
        if let Some(number) = number.filter(|_| topic.is_whole()) {
            self.history_bytes = self.history_bytes.saturating_sub(topic.history.bytes());
            if topic.history.push(since_began_ms, &number, self.limits.points_per_topic) {
                self.counts.points_dropped = self.counts.points_dropped.saturating_add(1);
            }
            self.history_bytes = self.history_bytes.saturating_add(topic.history.bytes());
        }
        let (seq, dropped) = self.log.push(New {
            topic: id,
            at_ms: now_ms,
            payload: kept,
            payload_len: message.payload.len(),
            properties: message.properties,
            qos: message.qos,
            retain: message.retain,
            before: topic.last,
        });
        topic.last = Some(seq);
        self.counts.log_dropped = self.counts.log_dropped.saturating_add(dropped);
        self.make_room(since_began_ms);
        Some(id)
    }

    /// The memory for all that is kept, in bytes.
    pub fn bytes_max(&self) -> usize {
        self.limits.bytes
    }

    /// Keeps to so many bytes from now on, shared out as before. What is too much goes at once, the oldest
    /// first; of last values none goes.
    pub fn set_bytes_max(&mut self, bytes: usize, now_ms: f64) {
        self.limits = Limits { bytes, ..self.limits }.shared_out();
        let dropped = self.log.set_bytes_max(self.limits.log_bytes);
        self.counts.log_dropped = self.counts.log_dropped.saturating_add(dropped);
        self.make_room((now_ms - self.began_ms).max(0.0));
    }

    fn topic_id(&mut self, topic: &str) -> Option<TopicId> {
        if let Some(id) = self.ids.get(topic) {
            return Some(*id);
        }
        let order = name::order(topic);
        let bytes =
            topic.len().saturating_mul(2).saturating_add(order.len()).saturating_add(TOPIC_BYTES);
        if self.topics.len() >= self.limits.topics
            || self.value_bytes.saturating_add(bytes) > self.limits.value_bytes
        {
            return None;
        }
        let id = TopicId::try_from(self.topics.len()).ok()?;
        self.value_bytes = self.value_bytes.saturating_add(bytes);
        self.ids.insert(topic.into(), id);
        self.order.push((order, id));
        self.topics.push(Topic {
            name: topic.into(),
            payload: Vec::new(),
            payload_len: 0,
            retained: false,
            is_last_kept: false,
            last: None,
            epoch: 0,
            kept_epoch: None,
            at_ms: 0.0,
            count: 0,
            interval_ms: None,
            named_unit: None,
            history: History::default(),
            live: 0,
            bytes: 0,
        });
        Some(id)
    }

    /// Forgets the oldest history of all topics until what is kept fits again.
    fn make_room(&mut self, since_began_ms: f64) {
        // The log keeps to its own share.
        let room = self.limits.bytes.saturating_sub(self.limits.log_bytes);
        while self.bytes().saturating_sub(self.log.bytes()) > room && self.history_bytes > 0 {
            let oldest = self
                .topics
                .iter()
                .filter_map(|topic| topic.history.oldest_ms())
                .fold(since_began_ms, f64::min);
            // A quarter of the time goes at once, so that there is room for a while; at least one
            // tick of the clock, so that there is an end.
            let horizon = oldest + ((since_began_ms - oldest) / 4.0).max(20.0);
            let mut dropped = 0usize;
            self.history_bytes = 0;
            for topic in &mut self.topics {
                dropped = dropped.saturating_add(topic.history.forget_before(horizon));
                self.history_bytes = self.history_bytes.saturating_add(topic.history.bytes());
            }
            self.counts.points_dropped = self.counts.points_dropped.saturating_add(dropped as u64);
            if dropped == 0 {
                return;
            }
        }
    }

    /// The connection is lost: charts have a gap from here on.
    pub fn lost(&mut self, now_ms: f64) {
        self.gaps.begin(now_ms - self.began_ms);
    }

    /// The connection is there again, and the broker sends what it has stored.
    pub fn back(&mut self, now_ms: f64) {
        self.epoch = self.epoch.saturating_add(1);
        self.gaps.end(now_ms - self.began_ms);
    }

    /// The times without a connection, in milliseconds since [`began_ms`](Self::began_ms).
    pub fn gaps(&self) -> &Gaps {
        &self.gaps
    }

    /// When the store began; points and gaps are counted from here.
    pub fn began_ms(&self) -> f64 {
        self.began_ms
    }

    /// One topic.
    pub fn topic(&self, id: TopicId) -> Option<&Topic> {
        self.topics.get(id as usize)
    }

    /// Whether the broker holds a retained message of this topic, as far as this connection knows.
    pub fn is_kept(&self, topic: &Topic) -> bool {
        topic.kept_epoch == Some(self.epoch)
    }

    /// The messages themselves.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The number of a topic.
    pub fn id(&self, topic: &str) -> Option<TopicId> {
        self.ids.get(topic).copied()
    }

    /// How many topics there are.
    pub fn topics_len(&self) -> usize {
        self.topics.len()
    }

    /// All topics in the order of the board.
    pub fn in_order(&mut self) -> impl Iterator<Item = (TopicId, &Topic)> {
        if self.ordered != self.order.len() {
            self.ordered = self.order.len();
            // Those that are in order already are one run for it.
            self.order.sort();
        }
        let this = &*self;
        this.order.iter().filter_map(|(_, id)| Some((*id, this.topic(*id)?)))
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The memory that is taken, in bytes.
    pub fn bytes(&self) -> usize {
        self.value_bytes.saturating_add(self.history_bytes).saturating_add(self.log.bytes())
    }

    /// The memory that topics and their last values take, in bytes.
    pub fn value_bytes(&self) -> usize {
        self.value_bytes
    }
}

/// A payload's memory is given back when this many times less is needed.
const SHRINK_FACTOR: usize = 4;

impl Topic {
    fn value_bytes(&self) -> usize {
        let unit = self.named_unit.as_ref().map_or(0, |unit| unit.len());
        self.payload.capacity().saturating_add(unit)
    }

    fn set_payload(&mut self, kept: &[u8], len: usize) {
        self.payload.clear();
        if self.payload.capacity() / SHRINK_FACTOR > kept.len() {
            self.payload.shrink_to(kept.len());
        }
        self.payload.reserve_exact(kept.len());
        self.payload.extend_from_slice(kept);
        self.payload_len = len;
    }

    fn set_unit(&mut self, unit: Option<&str>) {
        let unit = unit.filter(|unit| payload::is_fit_for_unit(unit));
        if self.named_unit.as_deref() != unit {
            self.named_unit = unit.map(Into::into);
        }
    }

    /// The broker sends what it has stored at the beginning, before anything else of the topic; a
    /// message with RETAIN set that comes later was published just now.
    fn set_retained(&mut self, retain: bool, is_empty: bool, epoch: u32) {
        let is_first = self.count == 0 || self.epoch != epoch;
        self.epoch = epoch;
        self.retained = retain && is_first;
        if retain {
            // An empty one deletes what was retained.
            self.kept_epoch = (!is_empty).then_some(epoch);
        }
    }

    fn set_time(&mut self, now_ms: f64) {
        if !self.retained {
            if self.live > 0 {
                let elapsed = (now_ms - self.at_ms).max(0.0);
                // The usual interval follows slowly, as single messages come early and late.
                let usual =
                    self.interval_ms.map_or(elapsed, |usual| usual + (elapsed - usual) / 8.0);
                self.interval_ms = Some(usual);
            }
            self.live = self.live.saturating_add(1);
        }
        self.at_ms = now_ms;
        self.count = self.count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn message<'a>(topic: &'a str, payload: &'a str) -> Message<'a> {
        Message { topic, payload: payload.as_bytes(), ..Message::default() }
    }

    fn store(change: impl FnOnce(&mut Limits)) -> Store {
        let mut limits = Limits { log_bytes: 0, ..Limits::default() };
        change(&mut limits);
        Store::new(limits, 0.0)
    }

    /// What is kept beside the log, which has its newest messages whatever its share is.
    fn bytes(store: &Store) -> usize {
        store.bytes() - store.log().bytes()
    }

    #[test]
    fn less_memory_takes_the_oldest_away_and_counts_it() {
        let mut store = Store::new(Limits::default(), 0.0);
        for n in 0..20_000u32 {
            let (topic, payload) = (format!("t/{}", n % 20), format!("{n} and some more text"));
            let message =
                Message { topic: &topic, payload: payload.as_bytes(), ..Message::default() };
            store.take(message, f64::from(n));
            store.take(Message { topic: "n", payload: b"1", ..Message::default() }, f64::from(n));
        }
        let before = (store.bytes(), store.counts());
        assert_eq!((before.1.log_dropped, before.1.points_dropped), (0, 0));
        let bytes_max = store.bytes() / 2;
        store.set_bytes_max(bytes_max, 20_000.0);
        assert_eq!(store.bytes_max(), bytes_max);
        assert!(store.bytes() <= bytes_max, "{} of {}", store.bytes(), before.0);
        assert!(store.counts().log_dropped > 0);
        assert_eq!(store.topics_len(), 21, "last values stay");
    }

    #[test]
    fn the_last_value_and_the_history_of_each_topic_are_kept() {
        let mut store = store(|_| {});
        let a = store.take(message("a", "1.0"), 10.0).unwrap();
        let b = store.take(message("b", "text"), 20.0).unwrap();
        assert_eq!(store.take(message("a", "2.50"), 30.0), Some(a));
        let topic = store.topic(a).unwrap();
        assert_eq!((topic.payload.as_slice(), topic.count, topic.at_ms), (&b"2.50"[..], 2, 30.0));
        assert_eq!(topic.history().len(), 2);
        assert!(store.topic(b).unwrap().history().is_empty());
        assert_eq!(store.counts(), Counts { messages: 3, ..Counts::default() });
    }

    #[test]
    fn topics_beyond_the_limit_are_counted_not_kept() {
        let mut store = store(|limits| limits.topics = 2);
        for topic in ["a", "b", "c", "c", "a"] {
            store.take(message(topic, "1"), 0.0);
        }
        assert_eq!(store.topics_len(), 2);
        assert_eq!((store.counts().messages, store.counts().messages_not_kept), (5, 2));
    }

    #[test]
    fn a_long_payload_is_cut_counted_and_never_read_as_a_number() {
        let mut store = store(|limits| limits.payload = 4);
        let id = store.take(message("a", "123456"), 0.0).unwrap();
        let topic = store.topic(id).unwrap();
        assert_eq!((topic.payload.as_slice(), topic.payload_len), (&b"1234"[..], 6));
        assert!(!topic.is_whole());
        assert!(topic.history().is_empty());
        assert_eq!(store.counts().payloads_cut, 1);
        store.take(message("a", "12"), 0.0);
        assert!(store.topic(id).unwrap().is_whole());
    }

    #[test]
    fn values_stay_within_their_share() {
        let mut store = store(|limits| limits.value_bytes = 4_500);
        for n in 0..1_000 {
            store.take(message(&format!("topic/{n}"), &"x".repeat(1_000)), 0.0);
            assert!(store.value_bytes() <= 4_500, "{}", store.value_bytes());
        }
        let counts = store.counts();
        assert!(counts.payloads_cut > 0 && counts.messages_not_kept > 0, "{counts:?}");
        assert_eq!(counts.messages, 1_000);
    }

    #[test]
    fn the_oldest_history_of_all_topics_goes_first() {
        let mut store = store(|limits| {
            limits.bytes = 64 * 1024;
            limits.value_bytes = 8 * 1024;
        });
        for n in 0..20_000u32 {
            let topic = if n.is_multiple_of(2) { "even" } else { "odd" };
            store.take(message(topic, "1"), f64::from(n) * 100.0);
            assert!(bytes(&store) <= 64 * 1024);
        }
        let kept: usize = store.in_order().map(|(_, topic)| topic.history().len()).sum();
        assert_eq!(
            kept as u64 + store.counts().points_dropped,
            20_000,
            "each point is accounted for"
        );
        let oldest: Vec<_> =
            store.in_order().filter_map(|(_, topic)| topic.history().oldest_ms()).collect();
        assert!((oldest[0] - oldest[1]).abs() <= 100.0, "{oldest:?}");
    }

    #[test]
    fn room_is_made_even_when_all_came_at_once() {
        let mut store = store(|limits| {
            limits.bytes = 16 * 1024;
            limits.value_bytes = 4 * 1024;
        });
        for _ in 0..10_000 {
            store.take(message("a", "1"), 5.0);
        }
        assert!(bytes(&store) <= 16 * 1024);
    }

    #[test]
    fn the_memory_of_a_long_payload_is_given_back() {
        let mut store = store(|_| {});
        store.take(message("a", &"x".repeat(50_000)), 0.0);
        let with_long = bytes(&store);
        store.take(message("a", "x"), 0.0);
        assert!(bytes(&store) + 49_000 < with_long);
    }

    #[test]
    fn the_unit_is_the_messages_own_or_that_of_the_topic() {
        let mut store = store(|_| {});
        let id = store.take(message("room/humidity", "40"), 0.0).unwrap();
        assert_eq!(store.topic(id).unwrap().unit(), Some("%"));
        for (named, shown) in [
            (Some("g/m³"), Some("g/m³")),
            (Some("more than a unit should be"), Some("%")),
            (Some(" "), Some("%")),
            (None, Some("%")),
        ] {
            store.take(Message { unit: named, ..message("room/humidity", "40") }, 0.0);
            assert_eq!(store.topic(id).unwrap().unit(), shown);
        }
    }

    #[test]
    fn the_usual_interval_is_learnt_from_live_messages_alone() {
        let mut store = store(|_| {});
        let id = store.take(Message { retain: true, ..message("a", "1") }, 0.0).unwrap();
        store.take(message("a", "1"), 50_000.0);
        assert_eq!(store.topic(id).unwrap().interval_ms, None);
        for n in 1..10 {
            store.take(message("a", "1"), 50_000.0 + f64::from(n) * 2_000.0);
        }
        assert_eq!(store.topic(id).unwrap().interval_ms, Some(2_000.0));
    }
}
