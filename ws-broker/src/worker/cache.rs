//! What topics match, remembered by one worker.

use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::broker::{Router, Targets};
use crate::limits::MATCH_CACHE_MAX;

/// Topics and who gets their messages, true for one generation of the router.
#[derive(Debug, Default)]
pub(crate) struct MatchCache {
    generation: u64,
    matches: HashMap<Box<str>, Rc<Match>>,
}

/// Who gets the messages of one topic. While it is looked at it is counted by an `Rc`, which costs nothing
/// beside an `Arc`; that one is for the targets that are handed to other workers.
#[derive(Debug)]
pub(crate) struct Match(pub Arc<Targets>);

impl MatchCache {
    /// Who gets a message of `topic`.
    pub(crate) fn look_up(&mut self, router: &Router, topic: &str) -> Rc<Match> {
        if self.generation == router.generation() {
            if let Some(targets) = self.matches.get(topic) {
                return Rc::clone(targets);
            }
        } else {
            self.matches.clear();
        }
        let (generation, targets) = router.matching(topic);
        let targets = Rc::new(Match(Arc::new(targets)));
        if self.generation != generation || self.matches.len() >= MATCH_CACHE_MAX {
            self.matches.clear();
            self.generation = generation;
        }
        self.matches.insert(topic.into(), Rc::clone(&targets));
        targets
    }
}
