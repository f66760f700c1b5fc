//! Retained messages that are set, replaced and removed, and a reader that looks at all of them: each
//! topic has the value that was acknowledged last, or one that was sent later.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;
use codec::QoS;

use crate::ledger::body;
use crate::ledger::book::{Book, Kind, Moment};
use crate::ledger::client::{Client, Event};
use crate::ledger::roles::{Role, Scene, keep_open};

/// How many topics have retained messages.
const TOPICS: usize = 60;
/// How many of its messages the keeper has on their way.
const WINDOW: usize = 8;
/// What stands before the number of a topic.
const PREFIX: &str = "kept/";
/// What is added to the number of a topic, so that no body is that of another stream.
const BODY_BASE: usize = 1_000_000;

/// The ledger of retained messages.
pub struct Retained {
    topics: Vec<Topic>,
}

#[derive(Default)]
struct Topic {
    next: u64,
    /// From the one that was acknowledged last.
    values: VecDeque<Value>,
}

#[derive(Clone, Copy)]
struct Value {
    number: u64,
    is_removal: bool,
    sent: Moment,
    acknowledged: Option<Moment>,
}

impl Default for Retained {
    fn default() -> Self {
        Self { topics: (0..TOPICS).map(|_| Topic::default()).collect() }
    }
}

impl Retained {
    fn acknowledged(&mut self, topic: usize, number: u64, moment: Moment) {
        let values = &mut self.topics[topic].values;
        if let Some(value) = values.iter_mut().find(|value| value.number == number) {
            value.acknowledged = Some(moment);
        }
        while values.iter().skip(1).any(|value| value.acknowledged.is_some()) {
            values.pop_front();
        }
    }

    /// For each topic the value that was acknowledged last.
    fn settled(&self) -> Vec<Option<Value>> {
        let last = |topic: &Topic| topic.values.front().copied();
        self.topics.iter().map(|topic| last(topic).filter(|v| v.acknowledged.is_some())).collect()
    }

    /// Whether a value must be there if that one was acknowledged before the asking.
    fn must_be_there(&self, topic: usize, before: Option<Value>) -> bool {
        before.is_some_and(|before| !before.is_removal)
            && self.topics[topic].values.iter().all(|value| !value.is_removal)
    }
}

/// Sets, replaces and removes them. It alone does.
pub struct Keeper;

impl Role for Keeper {
    fn act(&mut self, client: &mut Client, scene: &mut Scene) {
        keep_open(client, scene);
        while scene.is_ready && !scene.is_calm && client.can_publish(WINDOW) {
            let number = scene.rng.usize(..TOPICS);
            let is_removal = scene.rng.u32(..4) == 0;
            let sent = scene.book.moment();
            let topic = &mut scene.retained.topics[number];
            let value = Value { number: topic.next, is_removal, sent, acknowledged: None };
            topic.next += 1;
            topic.values.push_back(value);
            let full = body::of((BODY_BASE + number, value.number));
            let payload = if is_removal { Bytes::new() } else { full };
            let qos = if number.is_multiple_of(2) { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
            let tag = (number, value.number);
            client.publish(&format!("{PREFIX}{number}"), payload, qos, true, tag);
        }
    }

    fn on(&mut self, _: &mut Client, event: Event, scene: &mut Scene) {
        if let Event::Acknowledged((topic, number)) = event {
            let moment = scene.book.moment();
            scene.retained.acknowledged(topic, number, moment);
        }
    }

    fn is_settled(&self, client: &Client) -> bool {
        client.is_connected() && client.sending() == 0
    }
}

/// Looks at all of them, again and again.
#[derive(Default)]
pub struct Reader {
    look: Option<Look>,
    next: Option<Instant>,
    /// Whether a look that began at this checkpoint is over.
    has_looked: bool,
    was_calm: bool,
}

/// One look at all retained messages.
struct Look {
    asked: Moment,
    settled: Vec<Option<Value>>,
    came: HashMap<usize, u64>,
    is_granted: bool,
}

impl Look {
    fn missing<'a>(&'a self, retained: &'a Retained) -> impl Iterator<Item = (usize, Value)> + 'a {
        let topics = self.settled.iter().enumerate();
        topics.filter_map(|(topic, before)| {
            let missing = retained.must_be_there(topic, *before) && !self.came.contains_key(&topic);
            before.filter(|_| missing).map(|before| (topic, before))
        })
    }

    fn came(&mut self, topic: &str, payload: &Bytes, book: &mut Book) {
        let number = topic.strip_prefix(PREFIX).and_then(|rest| rest.parse::<usize>().ok());
        let Some(topic) = number.filter(|number| *number < TOPICS) else {
            return book.violation(Kind::Garbled, format!("a retained message on {topic:?}"));
        };
        if payload.is_empty() {
            // A removal that was published meanwhile.
            return;
        }
        let key = body::key_of(payload).filter(|key| key.0 == BODY_BASE + topic);
        let Some(key) = key.filter(|key| body::of(*key) == *payload) else {
            let story = format!("the retained message of {PREFIX}{topic} was never sent like that");
            return book.violation(Kind::Garbled, story);
        };
        if let Some(before) = self.settled[topic]
            && (key.1 < before.number || before.is_removal && key.1 == before.number)
        {
            let story = format!(
                "{PREFIX}{topic} has value {}, asked for {}, but {}",
                key.1,
                self.asked,
                story_of(&before)
            );
            book.violation(Kind::Retained, story);
        }
        let last = self.came.entry(topic).or_insert(key.1);
        *last = key.1.max(*last);
    }
}

fn story_of(value: &Value) -> String {
    let Value { number, is_removal, sent, acknowledged } = value;
    let what = if *is_removal { "its removal" } else { "its value" };
    let when = acknowledged.map_or_else(String::new, |moment| format!(", acknowledged {moment}"));
    format!("{what} number {number} was sent {sent}{when}")
}

impl Role for Reader {
    fn act(&mut self, client: &mut Client, scene: &mut Scene) {
        if scene.is_calm != self.was_calm {
            self.was_calm = scene.is_calm;
            self.has_looked = false;
            client.close(true);
            return;
        }
        if !scene.is_ready || self.has_looked && scene.is_calm {
            return;
        }
        if !client.is_open() && self.next.is_none_or(|next| next <= scene.now) {
            keep_open(client, scene);
        }
        let Some(look) = &self.look else { return };
        if look.is_granted && look.missing(&scene.retained).next().is_none() {
            scene.book.counts.retained_checks += 1;
            self.has_looked = true;
            self.next = Some(scene.after_ms(10..300));
            client.close(true);
        }
    }

    fn on(&mut self, client: &mut Client, event: Event, scene: &mut Scene) {
        match event {
            Event::Connected { .. } => {
                self.look = Some(Look {
                    asked: scene.book.moment(),
                    settled: scene.retained.settled(),
                    came: HashMap::new(),
                    is_granted: false,
                });
                client.subscribe(&[format!("{PREFIX}#")]);
            }
            Event::Subscribed(_) => {
                if let Some(look) = &mut self.look {
                    look.is_granted = true;
                }
            }
            Event::Message { topic, payload, .. } => {
                if let Some(look) = &mut self.look {
                    look.came(&topic, &payload, &mut scene.book);
                }
            }
            Event::Lost => self.look = None,
            _ => {}
        }
    }

    fn is_settled(&self, _: &Client) -> bool {
        self.was_calm && self.has_looked
    }

    fn judge(&mut self, client: &Client, scene: &mut Scene) {
        if self.has_looked {
            return;
        }
        let Some(look) = &self.look else {
            let story = format!("{} does not get in any more", client.settings.name);
            return scene.book.violation(Kind::Retained, story);
        };
        for (topic, value) in look.missing(&scene.retained) {
            let story = format!("{PREFIX}{topic} has no value, but {}", story_of(&value));
            scene.book.violation(Kind::Retained, story);
        }
    }
}
