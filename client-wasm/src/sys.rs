//! What the broker tells of itself, as the engine keeps it: the messages of `$SYS`, in a log of their own.
//!
//! Nothing is subscribed to before a person looks at the broker's page; from then on the engine stays
//! subscribed, so that the charts go on while the person is elsewhere. What the messages mean is the
//! page's affair: see [`vitals`](crate::vitals).

use hashbrown::HashMap;

use crate::fault::Reason;
use crate::limits::{
    SYS_INTERVAL_MS, SYS_LOG_BYTES_MAX, SYS_PAYLOAD_MAX, SYS_SENT_AT_ONCE, SYS_TOPICS_MAX,
};
use crate::log::{Log, New, Seq};
use crate::protocol::{Said, Sys as Shown, SysState};
use crate::store::{Message, TopicId};

/// The filter that `#` does not cover, as it matches no topic that begins with `$` (MQTT 5.0 §4.7.2).
pub const FILTER: &str = "$SYS/#";

/// How every topic of a broker's own begins.
const PREFIX: &str = "$SYS/";

/// A topic, and the last that was said of it.
#[derive(Debug)]
struct Topic {
    name: Box<str>,
    last: Seq,
    /// The beginning, counted, behind which the last came.
    epoch: u32,
    said: Said,
}

/// The messages, and what the page has of them.
#[derive(Debug)]
pub struct Sys {
    log: Log,
    ids: HashMap<Box<str>, TopicId>,
    topics: Vec<Topic>,
    not_kept: u64,
    state: SysState,
    is_wanted: bool,
    is_open: bool,
    /// Counts how often the broker was asked: it answers with what it has stored.
    epoch: u32,
    /// The next message for the page; none where it begins anew.
    next: Option<Seq>,
    topics_sent: usize,
    state_sent: Option<SysState>,
    sent_ms: f64,
}

impl Default for Sys {
    fn default() -> Self {
        Self {
            log: Log::new(SYS_LOG_BYTES_MAX),
            ids: HashMap::new(),
            topics: Vec::new(),
            not_kept: 0,
            state: SysState::Waiting,
            is_wanted: false,
            is_open: false,
            epoch: 0,
            next: None,
            topics_sent: 0,
            state_sent: None,
            sent_ms: f64::NEG_INFINITY,
        }
    }
}

impl Sys {
    /// The page shows the broker. Says whether it must be asked now.
    pub fn open(&mut self) -> bool {
        let must_ask = !self.is_wanted || matches!(self.state, SysState::Refused(_));
        if must_ask {
            self.begin();
        }
        self.is_wanted = true;
        self.is_open = true;
        self.next = None;
        must_ask
    }

    /// The broker is asked: what it says first of each topic is what it has stored.
    pub fn begin(&mut self) {
        self.state = SysState::Waiting;
        self.epoch = self.epoch.saturating_add(1);
    }

    /// The page shows something else.
    pub fn close(&mut self) {
        self.is_open = false;
    }

    /// Whether a new connection has to ask for it.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// The broker has answered; with its reason where it refused.
    pub fn answered(&mut self, refused: Option<Reason>) {
        self.state = refused.map_or(SysState::Subscribed, SysState::Refused);
    }

    /// Takes in a message, if it is one of these; says whether it was.
    pub fn take(&mut self, message: &Message<'_>, now_ms: f64) -> bool {
        if !self.is_wanted || !message.topic.starts_with(PREFIX) {
            return false;
        }
        let Some(id) = self.topic_id(message.topic) else {
            self.not_kept = self.not_kept.saturating_add(1);
            return true;
        };
        let payload = message.payload.get(..SYS_PAYLOAD_MAX).unwrap_or(message.payload);
        let is_first = self.topics.get(id as usize).is_some_and(|topic| topic.epoch != self.epoch);
        let retained = message.retain && is_first;
        let (seq, _dropped) = self.log.push(New {
            topic: id,
            at_ms: now_ms,
            payload,
            payload_len: message.payload.len(),
            properties: &[],
            qos: message.qos,
            retain: retained,
            before: None,
        });
        if let Some(topic) = self.topics.get_mut(id as usize) {
            topic.last = seq;
            topic.epoch = self.epoch;
            topic.said = said(id, now_ms, payload, retained);
        }
        true
    }

    fn topic_id(&mut self, name: &str) -> Option<TopicId> {
        if let Some(id) = self.ids.get(name) {
            return Some(*id);
        }
        let id = TopicId::try_from(self.topics.len()).ok()?;
        if self.topics.len() >= SYS_TOPICS_MAX {
            return None;
        }
        self.ids.insert(name.into(), id);
        let said = said(id, 0.0, &[], false);
        self.topics.push(Topic { name: name.into(), last: 0, epoch: 0, said });
        Some(id)
    }

    /// What is new for the page, so much of it as goes into one frame.
    pub fn changed(&mut self, now_ms: f64) -> Option<Shown> {
        if !self.is_open {
            return None;
        }
        let is_first = self.next.is_none();
        let next = self.next.unwrap_or(0).max(self.log.first());
        let is_same = self.state_sent.as_ref() == Some(&self.state);
        if !is_first
            && is_same
            && (next == self.log.next() || now_ms - self.sent_ms < SYS_INTERVAL_MS)
        {
            return None;
        }
        if is_first {
            self.topics_sent = 0;
        }
        // What the log has let go of still has its last value.
        let old = self.topics.iter().filter(|topic| is_first && topic.last < next);
        let mut told: Vec<Said> = old.map(|topic| topic.said.clone()).collect();
        let end = self.log.next().min(next.saturating_add(SYS_SENT_AT_ONCE));
        let entries = (next..end).filter_map(|seq| self.log.get(seq));
        told.extend(
            entries.map(|entry| said(entry.topic, entry.at_ms, entry.payload, entry.retain)),
        );
        let new = self.topics.get(self.topics_sent..).unwrap_or_default();
        let topics = new.iter().map(|topic| topic.name.to_string()).collect();
        self.topics_sent = self.topics.len();
        self.next = Some(end);
        self.state_sent = Some(self.state.clone());
        self.sent_ms = if end < self.log.next() { f64::NEG_INFINITY } else { now_ms };
        let (state, not_kept) = (self.state.clone(), self.not_kept);
        Some(Shown { state, is_first, topics, said: told, not_kept })
    }
}

fn said(topic: TopicId, at_ms: f64, payload: &[u8], retained: bool) -> Said {
    Said { topic, at_ms, text: String::from_utf8_lossy(payload).into_owned(), retained }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn take(sys: &mut Sys, topic: &str, payload: &str, now_ms: f64) -> bool {
        let message = Message { topic, payload: payload.as_bytes(), ..Message::default() };
        sys.take(&message, now_ms)
    }

    fn texts(shown: &Shown) -> Vec<(u32, &str)> {
        shown.said.iter().map(|said| (said.topic, said.text.as_str())).collect()
    }

    #[test]
    fn nothing_is_asked_for_before_a_person_looks_and_then_once() {
        let mut sys = Sys::default();
        assert!(!take(&mut sys, "$SYS/broker/uptime", "1 seconds", 0.0), "a topic like any other");
        assert_eq!(sys.changed(0.0), None);
        assert!(sys.open());
        assert!(!sys.open(), "it is on its way");
        sys.answered(Some(Reason::Broker("Not authorized".into())));
        assert!(sys.open(), "who looks again asks again");
        assert!(!take(&mut sys, "$SYSTEM/a", "1", 0.0));
        assert!(take(&mut sys, "$SYS/broker/uptime", "1 seconds", 0.0));
    }

    #[test]
    fn the_page_gets_each_message_once_and_all_again_when_it_comes_back() {
        let mut sys = Sys::default();
        sys.open();
        take(&mut sys, "$SYS/a", "1", 0.0);
        let first = sys.changed(0.0).unwrap();
        assert!(first.is_first && first.state == SysState::Waiting);
        assert_eq!((first.topics.clone(), texts(&first)), (vec!["$SYS/a".into()], vec![(0, "1")]));
        assert_eq!(sys.changed(1_000.0), None);
        take(&mut sys, "$SYS/b", "2", 1_000.0);
        take(&mut sys, "$SYS/a", "3", 1_000.0);
        let second = sys.changed(1_000.0).unwrap();
        assert_eq!((second.is_first, texts(&second)), (false, vec![(1, "2"), (0, "3")]));
        sys.answered(None);
        assert_eq!(sys.changed(1_001.0).unwrap().state, SysState::Subscribed);
        sys.close();
        take(&mut sys, "$SYS/a", "4", 2_000.0);
        assert_eq!(sys.changed(2_000.0), None, "nobody looks");
        sys.open();
        let again = sys.changed(3_000.0).unwrap();
        assert_eq!(again.topics, ["$SYS/a", "$SYS/b"]);
        assert_eq!(texts(&again), [(0, "1"), (1, "2"), (0, "3"), (0, "4")]);
    }

    #[test]
    fn just_what_comes_first_can_have_been_stored() {
        let mut sys = Sys::default();
        sys.open();
        let said = |sys: &mut Sys, now_ms: f64| {
            let (topic, payload) = ("$SYS/a", &b"1"[..]);
            sys.take(&Message { topic, payload, retain: true, ..Message::default() }, now_ms);
            sys.changed(now_ms).unwrap().said[0].retained
        };
        assert!(said(&mut sys, 0.0));
        assert!(!said(&mut sys, 1_000.0), "published with RETAIN, and live");
        sys.begin();
        assert!(said(&mut sys, 2_000.0), "after a reconnect");
    }

    #[test]
    fn a_broker_that_says_too_much_is_bounded_and_the_last_values_stay() {
        let mut sys = Sys::default();
        sys.open();
        take(&mut sys, "$SYS/once", "kept", 0.0);
        for n in 0..SYS_TOPICS_MAX + 10 {
            take(&mut sys, &format!("$SYS/{n}"), "x", 0.0);
        }
        let long = "y".repeat(SYS_PAYLOAD_MAX * 3);
        for _ in 0..4 * SYS_LOG_BYTES_MAX / SYS_PAYLOAD_MAX {
            take(&mut sys, "$SYS/0", &long, 1.0);
        }
        let shown = sys.changed(1.0).unwrap();
        assert_eq!((shown.topics.len(), shown.not_kept), (SYS_TOPICS_MAX, 11));
        assert_eq!(texts(&shown)[0], (0, "kept"));
        assert!(shown.said.iter().all(|said| said.text.len() <= SYS_PAYLOAD_MAX));
        assert!(sys.log.bytes() <= 2 * SYS_LOG_BYTES_MAX);
    }
}
