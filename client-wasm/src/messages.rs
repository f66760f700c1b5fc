//! The live log as a page looks at it: the newest message first, all of them or those that match.
//!
//! Without a search the rows follow from the log itself. With one, what matches is noted as it comes, and
//! what was there before is looked through in pieces, so that the engine never stops for it.

use std::collections::VecDeque;

use crate::decode::Trust;
use crate::limits::{LOG_LOOKED_AT_ONCE, TREE_ROWS_MAX};
use crate::log::{Entry, Seq};
use crate::protocol::{MessageRow, Messages as Shown, MessagesView};
use crate::reading::{self, Reader};
use crate::search::Search;
use crate::store::{Store, Topic};
use crate::tree;

/// How often the rows change, in milliseconds.
const INTERVAL_MS: f64 = 100.0;

/// The log, and what a page looks at of it.
#[derive(Debug, Default)]
pub struct Messages {
    view: Option<MessagesView>,
    search: Search,
    /// Messages that match, the oldest first.
    found: VecDeque<Seq>,
    /// All messages from this on up to the next one were looked at…
    looked_from: Seq,
    /// …and up to this one, without it.
    looked_to: Seq,
    /// Whether the topic of this number alone matches, as far as that was looked at.
    topics: Vec<Option<bool>>,
    /// The first message that the page does not show, as it holds still.
    held_at: Option<Seq>,
    sent: Option<Shown>,
    sent_ms: f64,
}

impl Messages {
    /// A page looks at these rows.
    pub fn show(&mut self, view: MessagesView, store: &Store) {
        let next = store.log().next();
        if self.view.as_ref().is_none_or(|before| before.search != view.search) {
            self.search = Search::new(&view.search);
            self.found.clear();
            self.topics.clear();
            (self.looked_from, self.looked_to) = (next, next);
        }
        self.held_at = match (view.is_held, self.held_at) {
            (true, held_at) => held_at.or(Some(next)),
            (false, _) => None,
        };
        self.view = Some(view);
        self.sent_ms = f64::NEG_INFINITY;
    }

    /// No page looks any more.
    pub fn close(&mut self) {
        *self = Self::default();
    }

    /// Whether part of the log is still to be looked through.
    fn is_searching(&self, store: &Store) -> bool {
        !self.search.is_all() && self.looked_from > store.log().first()
    }

    /// Notes what matches among the new messages, and in one more piece of the old ones.
    fn look(&mut self, store: &Store) {
        if self.search.is_all() {
            return;
        }
        let log = store.log();
        let first = log.first();
        while self.found.front().is_some_and(|seq| *seq < first) {
            self.found.pop_front();
        }
        for seq in self.looked_to.max(first)..log.next() {
            if log.get(seq).is_some_and(|entry| self.matches(&entry, store)) {
                self.found.push_back(seq);
            }
        }
        self.looked_to = log.next();
        let from = self.looked_from.saturating_sub(LOG_LOOKED_AT_ONCE).max(first);
        for seq in (from..self.looked_from).rev() {
            if log.get(seq).is_some_and(|entry| self.matches(&entry, store)) {
                self.found.push_front(seq);
            }
        }
        self.looked_from = self.looked_from.min(from);
    }

    fn matches(&mut self, entry: &Entry<'_>, store: &Store) -> bool {
        let Some(topic) = store.topic(entry.topic) else { return false };
        let search = &self.search;
        let at = entry.topic as usize;
        if self.topics.len() <= at {
            self.topics.resize(store.topics_len(), None);
        }
        let known = self.topics.get_mut(at);
        let by_topic =
            known.is_some_and(|known| *known.get_or_insert_with(|| search.matches(&topic.name)));
        let text = || reading::text(Reader::new(store).entry(entry, Trust::Sure));
        by_topic || matches!(search, Search::Words(_)) && search.matches_with(&topic.name, text)
    }

    /// Where the rows end: the first message that is not shown.
    fn end(&self, store: &Store) -> Seq {
        self.held_at.unwrap_or(store.log().next())
    }

    /// How many messages there are to see.
    fn total(&self, store: &Store) -> usize {
        let end = self.end(store);
        if self.search.is_all() {
            usize::try_from(end.saturating_sub(store.log().first())).unwrap_or(usize::MAX)
        } else {
            self.found.partition_point(|seq| *seq < end)
        }
    }

    /// The message in a row; the newest is in the first.
    fn seq_of_row(&self, row: usize, total: usize, store: &Store) -> Option<Seq> {
        let from_oldest = total.checked_sub(row.checked_add(1)?)?;
        if self.search.is_all() {
            store.log().first().checked_add(from_oldest as u64)
        } else {
            self.found.get(from_oldest).copied()
        }
    }

    /// All messages to see, the oldest first, each with its topic.
    pub fn all<'a>(&'a self, store: &'a Store) -> impl Iterator<Item = (&'a str, Entry<'a>)> {
        let total = self.total(store);
        (0..total).rev().filter_map(move |row| {
            let entry = store.log().get(self.seq_of_row(row, total, store)?)?;
            Some((store.topic(entry.topic)?.name.as_ref(), entry))
        })
    }

    /// Looks through all of the log, for a file that is to have all of it.
    pub fn finish(&mut self, store: &Store) {
        while self.view.is_some() && self.is_searching(store) {
            self.look(store);
        }
    }

    /// The rows that the page looks at, if they have changed.
    pub fn changed(&mut self, store: &Store, now_ms: f64) -> Option<Shown> {
        self.view.as_ref()?;
        if now_ms - self.sent_ms < INTERVAL_MS && now_ms >= self.sent_ms {
            return None;
        }
        self.look(store);
        let shown = self.shown(store)?;
        self.sent_ms = now_ms;
        if self.sent.as_ref() == Some(&shown) {
            return None;
        }
        self.sent = Some(shown.clone());
        Some(shown)
    }

    fn shown(&self, store: &Store) -> Option<Shown> {
        let view = self.view.as_ref()?;
        let total = self.total(store);
        let len = (view.len as usize).min(TREE_ROWS_MAX);
        let first = (view.first as usize).min(total.saturating_sub(len));
        let mut reader = Reader::new(store);
        let rows = (first..total.min(first.saturating_add(len)))
            .filter_map(|at| {
                let entry = store.log().get(self.seq_of_row(at, total, store)?)?;
                let topic = store.topic(entry.topic)?;
                Some(row(&entry, topic, &mut reader))
            })
            .collect();
        let next = store.log().next();
        Some(Shown {
            first: first as u32,
            total: u32::try_from(total).unwrap_or(u32::MAX),
            kept: next.saturating_sub(store.log().first()),
            gone: store.counts().log_dropped,
            new: self.held_at.map_or(0, |held_at| next.saturating_sub(held_at)),
            is_searching: self.is_searching(store),
            rows,
        })
    }
}

/// What a page shows of a message of this topic.
pub(crate) fn row<'s>(entry: &Entry<'s>, topic: &Topic, reader: &mut Reader<'s>) -> MessageRow {
    MessageRow {
        seq: entry.seq,
        at_ms: entry.at_ms,
        topic: topic.name.to_string(),
        value: tree::line(&reader.entry(entry, Trust::Sure), entry.is_whole()),
        len: entry.payload_len as u64,
        qos: entry.qos,
        retain: entry.retain,
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::store::{Limits, Message};

    struct Scene {
        store: Store,
        messages: Messages,
        now_ms: f64,
    }

    impl Scene {
        fn new() -> Self {
            Self {
                store: Store::new(Limits::default(), 0.0),
                messages: Messages::default(),
                now_ms: 0.0,
            }
        }

        fn take(&mut self, topic: &str, payload: &str) {
            let payload = payload.as_bytes();
            self.store.take(Message { topic, payload, ..Message::default() }, self.now_ms);
        }

        fn look(&mut self, search: &str, is_held: bool) {
            let search = search.to_owned();
            let view = MessagesView { search, is_held, first: 0, len: 50 };
            self.messages.show(view, &self.store);
        }

        fn values(&mut self) -> Vec<String> {
            self.now_ms += 1_000.0;
            self.messages.changed(&self.store, self.now_ms);
            let shown = self.messages.sent.clone().unwrap();
            shown.rows.into_iter().map(|row| row.value).collect()
        }
    }

    #[test]
    fn the_newest_is_first_and_nothing_is_lost_while_it_is_held() {
        let mut scene = Scene::new();
        scene.look("", false);
        scene.take("a", "1");
        scene.take("b", "2");
        assert_eq!(scene.values(), ["2", "1"]);
        scene.look("", true);
        scene.take("a", "3");
        assert_eq!(scene.values(), ["2", "1"]);
        assert_eq!(scene.messages.sent.as_ref().unwrap().new, 1);
        scene.look("", false);
        assert_eq!(scene.values(), ["3", "2", "1"]);
    }

    #[test]
    fn a_search_finds_what_was_there_before_and_what_comes() {
        let mut scene = Scene::new();
        for n in 0..30 {
            scene.take(if n % 10 == 0 { "home/lamp" } else { "other" }, &n.to_string());
        }
        scene.look("home/#", false);
        assert_eq!(scene.values(), ["20", "10", "0"]);
        scene.take("home/lamp", "30");
        scene.take("other", "31");
        assert_eq!(scene.values(), ["30", "20", "10", "0"]);
        scene.look("other 29", false);
        assert_eq!(scene.values(), ["29"], "a payload is searched too");
        let exported: Vec<_> = {
            scene.look("home/#", false);
            scene.messages.finish(&scene.store);
            scene.messages.all(&scene.store).map(|(topic, e)| (topic, e.payload)).collect()
        };
        assert_eq!(exported[0], ("home/lamp", &b"0"[..]));
        assert_eq!(exported.len(), 4);
    }

    #[test]
    fn a_long_log_is_looked_through_in_pieces() {
        let mut scene = Scene::new();
        scene.take("first", "x");
        for _ in 0..LOG_LOOKED_AT_ONCE + 10 {
            scene.take("other", "1");
        }
        scene.look("first", false);
        assert!(scene.values().is_empty());
        assert!(scene.messages.sent.as_ref().unwrap().is_searching);
        assert_eq!(scene.values(), ["x"]);
        assert!(!scene.messages.sent.as_ref().unwrap().is_searching);
    }

    #[test]
    fn rows_deep_in_the_log_are_found() {
        let mut scene = Scene::new();
        for n in 0..1_000 {
            scene.take("a", &n.to_string());
        }
        let view = MessagesView { first: 900, len: 5, ..MessagesView::default() };
        scene.messages.show(view, &scene.store);
        assert_eq!(scene.values(), ["99", "98", "97", "96", "95"]);
    }
}
