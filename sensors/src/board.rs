//! The last values: what the broker is to hold, and what of it the broker doesn't have yet.
//!
//! They outlive both outages: while the service is silent they stay, and a broker that comes back
//! without its memory gets them all again, with the time that is left of their expiry.

use crate::broker::Message;
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::Instant;

/// A message, and since when it has been true.
struct Held {
    message: Message,
    since: Instant,
}

/// The last message of every topic.
#[derive(Default)]
pub(crate) struct Board {
    held: BTreeMap<String, Held>,
    /// Topics that the broker has yet to be told.
    fresh: BTreeSet<String>,
    /// Which topics each source had the last time.
    sources: BTreeMap<String, BTreeSet<String>>,
}

impl Board {
    /// Replaces what is held of these topics.
    pub(crate) fn put(&mut self, messages: Vec<Message>, now: Instant) {
        for message in messages {
            self.fresh.insert(message.topic.clone());
            self.held.insert(message.topic.clone(), Held { message, since: now });
        }
    }

    /// Replaces all that a source has said: what it no longer says is cleared, with an empty
    /// message, upon which the broker forgets it.
    pub(crate) fn replace(&mut self, source: &str, messages: Vec<Message>, now: Instant) {
        let topics: BTreeSet<_> = messages.iter().map(|message| message.topic.clone()).collect();
        let before = self.sources.insert(source.to_owned(), topics.clone()).unwrap_or_default();
        for topic in before.difference(&topics) {
            if let Some(held) = self.held.get_mut(topic) {
                held.message.payload.clear();
                held.message.expiry = None;
                self.fresh.insert(topic.clone());
            }
        }
        self.put(messages, now);
    }

    /// A broker we are newly connected to may know nothing of all this.
    pub(crate) fn all_again(&mut self) {
        self.fresh = self.held.keys().cloned().collect();
    }

    /// What the broker has yet to be told. What has expired meanwhile is forgotten.
    pub(crate) fn fresh(&mut self, now: Instant) -> Vec<Message> {
        let topics: Vec<_> = self.fresh.iter().cloned().collect();
        let mut messages = Vec::new();
        for topic in topics {
            let Some(held) = self.held.get(&topic) else { continue };
            let age = now.saturating_duration_since(held.since);
            match held.message.expiry.map(|expiry| expiry.checked_sub(age)) {
                Some(None) => {
                    self.held.remove(&topic);
                    self.fresh.remove(&topic);
                }
                left => messages.push(Message { expiry: left.flatten(), ..held.message.clone() }),
            }
        }
        messages
    }

    /// The broker has these.
    pub(crate) fn arrived(&mut self, messages: &[Message]) {
        for message in messages {
            let is_as_sent = self.held.get(&message.topic).is_some_and(|held| {
                held.message.payload == message.payload && held.message.time == message.time
            });
            if is_as_sent {
                self.fresh.remove(&message.topic);
                // The broker does not hold it either.
                if message.payload.is_empty() || !message.retain {
                    self.held.remove(&message.topic);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Qos;
    use std::time::Duration;

    fn message(topic: &str, payload: &str) -> Message {
        let expiry = Some(Duration::from_secs(100));
        Message { expiry, ..Message::retained(topic, payload, Qos::AtMostOnce) }
    }

    /// Topics and payloads that are yet to be sent, and seconds until they expire.
    fn fresh(board: &mut Board, now: Instant) -> Vec<(String, String, u64)> {
        let seconds = |message: &Message| message.expiry.unwrap_or_default().as_secs();
        let messages = board.fresh(now);
        messages.into_iter().map(|m| (m.topic.clone(), m.payload.clone(), seconds(&m))).collect()
    }

    fn sent(board: &mut Board, now: Instant) {
        let messages = board.fresh(now);
        board.arrived(&messages);
    }

    #[test]
    fn a_broker_that_comes_back_gets_everything_with_the_time_that_is_left() {
        let start = Instant::now();
        let mut board = Board::default();
        board.put(vec![message("a", "1"), message("b", "2")], start);
        sent(&mut board, start);
        assert_eq!(fresh(&mut board, start), []);

        let later = start + Duration::from_secs(40);
        board.put(vec![message("b", "3")], later);
        board.all_again();
        let expected = [("a", "1", 60), ("b", "3", 100)];
        let expected = expected.map(|(topic, payload, left)| (topic.into(), payload.into(), left));
        assert_eq!(fresh(&mut board, later), expected);

        let much_later = start + Duration::from_secs(120);
        assert_eq!(fresh(&mut board, much_later), [("b".into(), "3".into(), 20)]);
    }

    #[test]
    fn what_a_source_no_longer_says_is_cleared_until_the_broker_has_it() {
        let now = Instant::now();
        let mut board = Board::default();
        board.replace("x", vec![message("a", "1"), message("b", "2")], now);
        board.replace("y", vec![message("c", "3")], now);
        sent(&mut board, now);
        board.replace("x", vec![message("b", "4")], now);
        let expected = [("a".into(), String::new(), 0), ("b".into(), "4".into(), 100)];
        assert_eq!(fresh(&mut board, now), expected);
        board.all_again();
        sent(&mut board, now);
        board.all_again();
        let topics: Vec<_> = board.fresh(now).into_iter().map(|message| message.topic).collect();
        assert_eq!(topics, ["b", "c"]);
    }

    #[test]
    fn what_is_not_retained_is_told_once() {
        let now = Instant::now();
        let mut board = Board::default();
        board.put(vec![Message { retain: false, ..message("a", "1") }, message("b", "2")], now);
        board.all_again();
        sent(&mut board, now);
        board.all_again();
        assert_eq!(fresh(&mut board, now), [("b".into(), "2".into(), 100)]);
    }

    #[test]
    fn what_changed_while_it_was_sent_is_sent_again() {
        let now = Instant::now();
        let mut board = Board::default();
        board.put(vec![message("a", "1")], now);
        let under_way = board.fresh(now);
        board.put(vec![message("a", "2")], now);
        board.arrived(&under_way);
        assert_eq!(fresh(&mut board, now), [("a".into(), "2".into(), 100)]);
    }
}
