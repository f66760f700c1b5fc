//! The ledger itself: what was sent, what was acknowledged, what came, and what follows from that.
//!
//! Everything that happens gets a number, so that "before" and "after" are beyond doubt: the clients of
//! a ledger share one thread. What a broker may do is judged by these rules.
//!
//! * A message that was acknowledged reaches everybody whose subscription was acknowledged before the
//!   message was first sent and is not asked to end before it was acknowledged.
//! * A message that was sent and never acknowledged may come or not.
//! * A message comes to nobody who asked for it after it was acknowledged, or whose unsubscription or
//!   clean start was acknowledged before it was sent.
//! * With QoS 2 it comes once. With QoS 1 it may come again, but first occurrences are in order.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use codec::QoS;

use crate::ledger::body;

/// How many stories are told of each kind of violation; the others are counted.
const STORIES_MAX: usize = 12;

/// When something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The number of what happened: later things have larger ones.
    pub tick: u64,
    /// The round, each of which ends with the broker's death.
    pub round: u32,
    /// The time since the start.
    pub at: Duration,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:.3} s in round {}", self.at.as_secs_f64(), self.round)
    }
}

/// What a broker must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An acknowledged message did not come.
    Missing,
    /// A message of QoS 2 came twice.
    Twice,
    /// A message came after a later one of the same publisher and topic.
    OutOfOrder,
    /// A message came to somebody whose subscription had ended, or had not begun.
    Unwanted,
    /// A message came with another body, or was never sent.
    Garbled,
    /// Session Present said something untrue.
    SessionPresent,
    /// A Packet Identifier, or the DUP flag, did not survive.
    Identifier,
    /// A retained message is older than the last acknowledged one, or not there.
    Retained,
    /// A will was not published, or published though its client came back in time.
    Will,
    /// A request was refused, or the protocol broken.
    Protocol,
    /// The broker ended by itself, or did not end when it was asked to.
    Broker,
}

/// The number of a stream of messages: those of one publisher, topic and QoS.
pub type StreamNumber = usize;

/// Names a message: its stream, and its number in it.
pub type Key = (StreamNumber, u64);

struct Stream {
    publisher: String,
    topic: String,
    qos: QoS,
    next: u64,
    messages: BTreeMap<u64, Sent>,
}

/// What became of a message on its way to the broker.
struct Sent {
    sent: Moment,
    acknowledged: Option<Moment>,
    /// Its publisher gave it up: nobody will send it again.
    abandoned: bool,
}

/// The number of somebody who is owed messages: a session, or a group that shares a subscription.
pub type TakerNumber = usize;

struct Taker {
    name: String,
    interests: Vec<Interest>,
    came: HashMap<Key, u32>,
    /// For each stream the last message that came for the first time.
    last: HashMap<StreamNumber, u64>,
    /// Whether all comes over one session, and so in order.
    in_order: bool,
    /// How many messages were sent for it and have not come.
    outstanding: i64,
}

/// One subscription, as its owner knows it.
struct Interest {
    stream: StreamNumber,
    asked: Moment,
    granted: Option<Moment>,
    end_asked: Option<Moment>,
    ended: Option<Moment>,
}

impl Interest {
    fn owes(&self, message: &Sent) -> bool {
        let Some(acknowledged) = message.acknowledged else { return false };
        self.granted.is_some_and(|granted| granted.tick < message.sent.tick)
            && self.end_asked.is_none_or(|asked| acknowledged.tick < asked.tick)
    }

    fn allows(&self, message: &Sent) -> bool {
        message.acknowledged.is_none_or(|acknowledged| self.asked.tick < acknowledged.tick)
            && self.ended.is_none_or(|ended| message.sent.tick < ended.tick)
    }
}

/// The figures of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Messages that were sent, each once however often it was sent again.
    pub sent: u64,
    /// Messages that the broker has acknowledged.
    pub acknowledged: u64,
    /// Messages that came for the first time to somebody.
    pub delivered: u64,
    /// Messages of QoS 1 that came once more.
    pub duplicates: u64,
    /// Messages that a publisher sent once more, with DUP.
    pub resent: u64,
    /// Connections that went on with a session.
    pub resumed: u64,
    /// Messages of QoS 1 that came again under another Packet Identifier.
    pub renumbered: u64,
    /// Messages that came again without DUP, though they had been acknowledged before the broker died.
    pub unmarked: u64,
    /// Looks at all retained messages.
    pub retained_checks: u64,
    /// Wills that were published.
    pub wills: u64,
    /// Sessions that were over when their owner came back late.
    pub expired: u64,
}

/// Who sent what, what was acknowledged, and what came.
pub struct Book {
    start: Instant,
    tick: u64,
    round: u32,
    streams: Vec<Stream>,
    by_topic: HashMap<String, StreamNumber>,
    takers: Vec<Taker>,
    /// When the broker died.
    deaths: Vec<Moment>,
    violations: BTreeMap<Kind, (u64, Vec<String>)>,
    /// What has happened so far.
    pub counts: Counts,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            tick: 0,
            round: 0,
            streams: Vec::new(),
            by_topic: HashMap::new(),
            takers: Vec::new(),
            deaths: Vec::new(),
            violations: BTreeMap::new(),
            counts: Counts::default(),
        }
    }
}

impl Book {
    /// The next moment.
    pub fn moment(&mut self) -> Moment {
        self.tick += 1;
        Moment { tick: self.tick, round: self.round, at: self.start.elapsed() }
    }

    /// A round begins.
    pub fn begin_round(&mut self, round: u32) {
        self.round = round;
    }

    /// The broker is dead.
    pub fn broker_died(&mut self) {
        let moment = self.moment();
        self.deaths.push(moment);
    }

    /// A new stream of messages.
    pub fn stream(&mut self, publisher: &str, topic: String, qos: QoS) -> StreamNumber {
        let number = self.streams.len();
        self.by_topic.insert(topic.clone(), number);
        let publisher = publisher.to_owned();
        self.streams.push(Stream { publisher, topic, qos, next: 0, messages: BTreeMap::new() });
        number
    }

    /// The topic and QoS of a stream.
    #[must_use]
    pub fn of_stream(&self, stream: StreamNumber) -> (&str, QoS) {
        let stream = &self.streams[stream];
        (&stream.topic, stream.qos)
    }

    /// All streams of messages.
    pub fn all_streams(&self) -> std::ops::Range<StreamNumber> {
        0..self.streams.len()
    }

    /// A message that is sent now for the first time.
    pub fn send(&mut self, number: StreamNumber) -> (Key, Bytes) {
        let sent = self.moment();
        let stream = &mut self.streams[number];
        let key = (number, stream.next);
        stream.next += 1;
        stream.messages.insert(key.1, Sent { sent, acknowledged: None, abandoned: false });
        self.counts.sent += 1;
        for taker in &mut self.takers {
            let wants = |interest: &Interest| interest.stream == number && interest.ended.is_none();
            taker.outstanding += i64::from(taker.interests.iter().any(wants));
        }
        (key, body::of(key))
    }

    /// The broker has acknowledged a message.
    pub fn acknowledged(&mut self, (stream, number): Key) {
        let moment = self.moment();
        if let Some(message) = self.streams[stream].messages.get_mut(&number) {
            message.acknowledged.get_or_insert(moment);
            self.counts.acknowledged += 1;
        }
    }

    /// The publisher of a message that was not acknowledged will not send it again.
    pub fn abandoned(&mut self, (stream, number): Key) {
        if let Some(message) = self.streams[stream].messages.get_mut(&number) {
            message.abandoned = true;
        }
    }

    /// Somebody new who is to be owed messages; `in_order` if all comes over one session.
    pub fn taker(&mut self, name: &str, in_order: bool) -> TakerNumber {
        self.takers.push(Taker {
            name: name.to_owned(),
            interests: Vec::new(),
            came: HashMap::new(),
            last: HashMap::new(),
            in_order,
            outstanding: 0,
        });
        self.takers.len() - 1
    }

    /// A SUBSCRIBE to these streams is sent.
    pub fn subscribe_sent(&mut self, taker: TakerNumber, streams: &[StreamNumber]) {
        let asked = self.moment();
        let interests = streams.iter().map(|stream| Interest {
            stream: *stream,
            asked,
            granted: None,
            end_asked: None,
            ended: None,
        });
        self.takers[taker].interests.extend(interests);
    }

    /// Its SUBACK came.
    pub fn subscribed(&mut self, taker: TakerNumber, streams: &[StreamNumber]) {
        let moment = self.moment();
        for interest in self.current(taker, streams) {
            interest.granted.get_or_insert(moment);
        }
    }

    /// An UNSUBSCRIBE from these streams is sent.
    pub fn unsubscribe_sent(&mut self, taker: TakerNumber, streams: &[StreamNumber]) {
        let moment = self.moment();
        for interest in self.current(taker, streams) {
            interest.end_asked.get_or_insert(moment);
        }
    }

    /// Its UNSUBACK came.
    pub fn unsubscribed(&mut self, taker: TakerNumber, streams: &[StreamNumber]) {
        let moment = self.moment();
        for interest in self.current(taker, streams) {
            interest.ended.get_or_insert(moment);
        }
    }

    fn current<'a>(
        &'a mut self,
        taker: TakerNumber,
        streams: &'a [StreamNumber],
    ) -> impl Iterator<Item = &'a mut Interest> {
        let interests = self.takers[taker].interests.iter_mut();
        interests.filter(|interest| interest.ended.is_none() && streams.contains(&interest.stream))
    }

    /// A clean start is asked for: from now on nothing is owed to the session that was.
    pub fn clean_start_sent(&mut self, taker: TakerNumber) {
        let all: Vec<StreamNumber> = self.all_streams().collect();
        self.unsubscribe_sent(taker, &all);
    }

    /// A clean start was acknowledged: subscriptions and messages of the old session are gone.
    pub fn clean_started(&mut self, taker: TakerNumber) {
        self.takers[taker].interests.clear();
        self.takers[taker].outstanding = 0;
    }

    /// A message came once more, under the same Packet Identifier and without DUP. A broker that had
    /// acknowledged it before it died has stored it, and should know that it may have sent it.
    pub fn came_unmarked(&mut self, payload: &Bytes) {
        let Some(key) = body::key_of(payload).filter(|key| key.0 < self.streams.len()) else {
            return;
        };
        let message = self.streams[key.0].messages.get(&key.1);
        let acknowledged = message.and_then(|message| message.acknowledged);
        let is_of_earlier_life = match (acknowledged, self.deaths.last()) {
            (Some(acknowledged), Some(death)) => acknowledged.tick < death.tick,
            (acknowledged, None) => acknowledged.is_some(),
            (None, Some(_)) => message.is_none(),
        };
        if is_of_earlier_life {
            self.counts.unmarked += 1;
        }
    }

    /// A message came to a session of `taker`.
    pub fn came(&mut self, taker: TakerNumber, to: &str, topic: &str, payload: &Bytes, qos: QoS) {
        let Some(&number) = self.by_topic.get(topic) else {
            return self.violation(Kind::Garbled, format!("{to} got a message on {topic:?}"));
        };
        let stream = &self.streams[number];
        let key = body::key_of(payload).filter(|key| key.0 == number && key.1 < stream.next);
        let Some(key) = key.filter(|key| body::of(*key) == *payload && stream.qos == qos) else {
            let story = format!(
                "{to} got a message on {topic:?} ({qos:?}, {} bytes) that nobody sent like that: it \
                 begins with {:?}",
                payload.len(),
                String::from_utf8_lossy(&payload[..payload.len().min(40)])
            );
            return self.violation(Kind::Garbled, story);
        };
        let times = self.takers[taker].came.get(&key).copied().unwrap_or(0);
        match stream.messages.get(&key.1) {
            // It was settled at a checkpoint: acknowledged, and delivered to all.
            None => self.came_again(key, to),
            Some(_) if times > 0 => self.came_again(key, to),
            Some(message) => {
                let interests = &self.takers[taker].interests;
                let mut of_stream = interests.iter().filter(|interest| interest.stream == number);
                if !of_stream.any(|interest| interest.allows(message)) {
                    self.unwanted(taker, key, to);
                }
                self.came_first(taker, key, to);
            }
        }
        *self.takers[taker].came.entry(key).or_default() += 1;
    }

    fn came_first(&mut self, taker: TakerNumber, key: Key, to: &str) {
        self.counts.delivered += 1;
        let sent = self.streams[key.0].messages.get(&key.1).map(|message| message.sent.tick);
        let taker = &mut self.takers[taker];
        taker.outstanding -= 1;
        let last = taker.last.entry(key.0).or_insert(key.1);
        let before = *last;
        *last = before.max(key.1);
        // What was sent before it had subscribed and not acknowledged is sent again later.
        let had_subscribed = taker.interests.iter().any(|interest| {
            let granted = interest.granted.map(|granted| granted.tick);
            interest.stream == key.0 && granted.is_some_and(|granted| Some(granted) < sent)
        });
        if taker.in_order && had_subscribed && key.1 < before {
            let story = format!(
                "{to} got {} only after number {before} of that stream",
                self.story_of(key)
            );
            self.violation(Kind::OutOfOrder, story);
        }
    }

    fn came_again(&mut self, key: Key, to: &str) {
        if self.streams[key.0].qos != QoS::ExactlyOnce {
            self.counts.duplicates += 1;
            return;
        }
        let now = self.moment();
        let story = format!("{to} got once more, {now}: {}", self.story_of(key));
        self.violation(Kind::Twice, story);
    }

    fn unwanted(&mut self, taker: TakerNumber, key: Key, to: &str) {
        let interests = &self.takers[taker].interests;
        let told = match interests.iter().rfind(|interest| interest.stream == key.0) {
            None => "never asked for it in this session".to_owned(),
            Some(Interest { ended: Some(ended), .. }) => {
                format!("its UNSUBACK had come {ended}")
            }
            Some(Interest { asked, .. }) => format!("it asked for it {asked} only"),
        };
        let now = self.moment();
        let story = format!("{to} got, {now}, {}; {told}", self.story_of(key));
        self.violation(Kind::Unwanted, story);
    }

    /// The life of a message so far, as a clause.
    fn story_of(&self, (stream, number): Key) -> String {
        let Stream { publisher, topic, qos, messages, .. } = &self.streams[stream];
        let what = format!("number {number} of {topic:?} ({qos:?}, from {publisher})");
        match messages.get(&number) {
            None => format!("{what}, which was settled at an earlier checkpoint"),
            Some(Sent { sent, acknowledged: Some(acknowledged), .. }) => {
                format!("{what}, sent {sent}, acknowledged {acknowledged}")
            }
            Some(Sent { sent, abandoned, .. }) => {
                let given_up = if *abandoned { " and given up" } else { "" };
                format!("{what}, sent {sent}, not acknowledged{given_up}")
            }
        }
    }

    /// How many messages were sent for the taker who is furthest behind and have not come to it.
    #[must_use]
    pub fn backlog(&self) -> i64 {
        self.takers.iter().map(|taker| taker.outstanding).max().unwrap_or(0)
    }

    /// Whether something that is owed has not come.
    #[must_use]
    pub fn is_owing(&self) -> bool {
        self.takers.iter().any(|taker| self.owed(taker).next().is_some())
    }

    fn owed<'a>(&'a self, taker: &'a Taker) -> impl Iterator<Item = Key> + 'a {
        taker.interests.iter().flat_map(move |interest| {
            let messages = self.streams[interest.stream].messages.iter();
            messages
                .filter(|(_, message)| interest.owes(message))
                .map(|(number, _)| (interest.stream, *number))
                .filter(|key| !taker.came.contains_key(key))
        })
    }

    /// Judges that nothing more will come of what is owed, and begins a new page.
    pub fn settle(&mut self) {
        let missing: Vec<_> = (self.takers.iter())
            .flat_map(|taker| self.owed(taker).map(|key| (taker.name.clone(), key)))
            .collect();
        for (taker, key) in missing {
            let acknowledged =
                (self.streams[key.0].messages.get(&key.1)).and_then(|message| message.acknowledged);
            let death = (self.deaths.iter())
                .find(|death| acknowledged.is_some_and(|moment| moment.tick < death.tick));
            let death =
                death.map_or_else(String::new, |death| format!("; the broker died {death}"));
            let story = format!("{taker} never got {}{death}", self.story_of(key));
            self.violation(Kind::Missing, story);
        }
        for stream in &mut self.streams {
            stream.messages.retain(|_, message| message.acknowledged.is_none());
        }
        for taker in &mut self.takers {
            let streams = &self.streams;
            taker.came.retain(|key, _| streams[key.0].messages.contains_key(&key.1));
            taker.interests.retain(|interest| interest.ended.is_none());
            taker.outstanding = 0;
        }
    }

    /// Something that must not happen.
    pub fn violation(&mut self, kind: Kind, story: String) {
        let (count, stories) = self.violations.entry(kind).or_default();
        *count += 1;
        if stories.len() < STORIES_MAX {
            stories.push(story);
        }
    }

    /// Whether the broker has kept its word so far.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// How often something of this kind happened.
    #[must_use]
    pub fn count(&self, kind: Kind) -> u64 {
        self.violations.get(&kind).map_or(0, |(count, _)| *count)
    }

    /// All that must not happen and did, with the stories of the first ones of each kind.
    pub fn violations(&self) -> impl Iterator<Item = (Kind, u64, &[String])> {
        self.violations.iter().map(|(kind, (count, stories))| (*kind, *count, stories.as_slice()))
    }
}
