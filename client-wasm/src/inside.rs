//! The numbers at one path inside a topic's payload. The store does not keep them: they are taken from the log
//! of messages, as long as somebody looks at them.

use crate::card;
use crate::decode::Trust;
use crate::history::History;
use crate::log::{Entry, Seq};
use crate::reading::Reader;
use crate::store::{Store, Topic};

/// The numbers at one path.
#[derive(Debug)]
pub struct Inside {
    path: String,
    points_max: usize,
    history: History,
    /// The newest message that was looked at.
    until: Seq,
}

impl Inside {
    /// Nothing yet of what is at this path; later at most so many numbers.
    pub fn new(path: String, points_max: usize) -> Self {
        Self { path, points_max, history: History::default(), until: 0 }
    }

    /// Where in the payload it looks.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The numbers.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Takes in the messages that came since it looked last.
    pub fn follow(&mut self, topic: &Topic, store: &Store) {
        let until = self.until;
        let newer = store.log().back_from(topic.last).take_while(|entry| entry.seq > until);
        let mut newer: Vec<Entry<'_>> = newer.take(self.points_max).collect();
        newer.reverse();
        let mut reader = Reader::new(store);
        for entry in newer {
            self.until = entry.seq;
            let read = reader.entry(&entry, Trust::Offered);
            let number = card::number_at(&read, &self.path);
            if let Some(number) = number.filter(|_| entry.is_whole()) {
                let at_ms = (entry.at_ms - store.began_ms()).max(0.0);
                self.history.push(at_ms, &number, self.points_max);
            }
        }
    }
}
