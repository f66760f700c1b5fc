//! What topics match, remembered by one worker.

use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashTable;

use crate::broker::{Router, Targets};
use crate::limits::{MATCH_CACHE_MAX, RECENT_TOPICS};

/// Topics and who gets their messages, true for one generation of the router.
///
/// A topic is remembered when it comes again soon. Where a million topics come in turn, nothing is
/// gained by remembering any of them, and making room for each costs more than looking it up.
#[derive(Debug, Default)]
pub(crate) struct MatchCache {
    generation: u64,
    matches: HashTable<(Box<str>, Rc<Remembered>)>,
    /// Parts of the hashes of topics that came lately, each at the place that another part names. They are
    /// short, so that all of them stay in the processor's cache.
    recent: Vec<u16>,
    /// Whether the topic that was looked up last was remembered.
    has_remembered: bool,
}

/// A match that is remembered. While it is looked at it is counted by an `Rc`, which costs nothing beside
/// an `Arc`; that one is for the targets that are handed to other workers.
#[derive(Debug)]
pub(crate) struct Remembered(Arc<Targets>);

/// Who gets the messages of one topic.
#[derive(Debug)]
pub(crate) enum Match {
    Remembered(Rc<Remembered>),
    New(Targets),
}

impl Match {
    pub(crate) fn targets(&self) -> &Targets {
        match self {
            Self::Remembered(remembered) => &remembered.0,
            Self::New(targets) => targets,
        }
    }

    /// The targets, if the next message may have the very same.
    pub(crate) fn remembered(&self) -> Option<&Arc<Targets>> {
        match self {
            Self::Remembered(remembered) => Some(&remembered.0),
            Self::New(_) => None,
        }
    }

    /// The targets for another worker.
    pub(crate) fn share(&self) -> Arc<Targets> {
        match self {
            Self::Remembered(remembered) => Arc::clone(&remembered.0),
            Self::New(targets) => Arc::new(targets.clone()),
        }
    }
}

impl MatchCache {
    /// Who gets a message of `topic`.
    pub(crate) fn look_up(&mut self, router: &Router, topic: &str) -> Match {
        let hash = router.hash(topic.as_bytes());
        if self.generation == router.generation() {
            let found = self.matches.find(hash, |(known, _)| **known == *topic);
            if let Some((_, remembered)) = found {
                self.has_remembered = true;
                return Match::Remembered(Rc::clone(remembered));
            }
        } else {
            self.matches.clear();
        }
        self.has_remembered = false;
        let (generation, targets) = router.matching_hashed(hash, topic);
        if !self.came_lately(hash) {
            return Match::New(targets);
        }
        if self.generation != generation || self.matches.len() >= MATCH_CACHE_MAX {
            self.matches.clear();
            self.generation = generation;
        }
        let remembered = Rc::new(Remembered(Arc::new(targets)));
        let place = (topic.into(), Rc::clone(&remembered));
        self.matches.insert_unique(hash, place, |(known, _)| router.hash(known.as_bytes()));
        Match::Remembered(remembered)
    }

    /// Whether the last look-up was of a topic that was remembered.
    pub(crate) fn has_remembered(&self) -> bool {
        self.has_remembered
    }

    /// Whether a topic with this hash has come before, and notes that it has now.
    fn came_lately(&mut self, hash: u64) -> bool {
        if self.recent.is_empty() {
            self.recent = vec![0; RECENT_TOPICS];
        }
        let place = usize::try_from(hash).unwrap_or(0) % RECENT_TOPICS;
        let part = u16::try_from(hash >> 48).unwrap_or(0);
        self.recent.get_mut(place).is_some_and(|noted| std::mem::replace(noted, part) == part)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use codec::{SubscriptionOptions, TopicFilter};

    use super::*;
    use crate::broker::SessionKey;

    #[test]
    fn a_topic_that_comes_again_is_remembered_until_subscriptions_change() {
        let (router, mut cache) = (Router::default(), MatchCache::default());
        let subscribe = |filter: &str, slot| {
            let key = SessionKey { worker: 0, slot, epoch: 0, kept: false };
            let connected = Arc::new(AtomicBool::new(true));
            let filter = TopicFilter::new(filter).unwrap();
            router.subscribe(&filter, key, SubscriptionOptions::default(), None, &connected);
        };
        let slots = |found: &Match| {
            let slots = found.targets().of(0).iter().map(|target| target.slot);
            (slots.collect::<Vec<_>>(), matches!(found, Match::Remembered(_)))
        };
        subscribe("a/b", 1);
        assert_eq!(slots(&cache.look_up(&router, "a/b")), (vec![1], false));
        assert_eq!(slots(&cache.look_up(&router, "a/b")), (vec![1], true));
        assert_eq!(slots(&cache.look_up(&router, "a/b")), (vec![1], true));
        assert_eq!(cache.matches.len(), 1);
        subscribe("a/#", 2);
        for _ in 0..3 {
            assert_eq!(slots(&cache.look_up(&router, "a/b")).0, [1, 2]);
        }
        for topic in 0..100_000 {
            cache.look_up(&router, &format!("once/{topic}"));
        }
        assert!(cache.matches.len() < 1000, "what comes once is not remembered");
    }
}
