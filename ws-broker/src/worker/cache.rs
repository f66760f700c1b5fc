//! What topics match, remembered by one worker.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::broker::{Router, Targets};
use crate::limits::MATCH_CACHE_MAX;

/// Topics and who gets their messages, true for one generation of the router.
#[derive(Debug, Default)]
pub(crate) struct MatchCache {
    generation: u64,
    matches: HashMap<Box<str>, Arc<Targets>>,
}

impl MatchCache {
    /// Who gets a message of `topic`.
    pub(crate) fn look_up(&mut self, router: &Router, topic: &str) -> Arc<Targets> {
        if self.generation == router.generation() {
            if let Some(targets) = self.matches.get(topic) {
                return Arc::clone(targets);
            }
        } else {
            self.matches.clear();
        }
        let (generation, targets) = router.matching(topic);
        let targets = Arc::new(targets);
        if self.generation != generation || self.matches.len() >= MATCH_CACHE_MAX {
            self.matches.clear();
            self.generation = generation;
        }
        self.matches.insert(topic.into(), Arc::clone(&targets));
        targets
    }
}
