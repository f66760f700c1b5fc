//! Looking at the topics of the next messages of a connection before the first of them is handed on.
//!
//! Among a million filters, the one that is looked up lies in memory and in none of the processor's caches.
//! Message by message, each would be waited for. Looked at together, they are fetched at the same time.

use codec::{ProtocolVersion, PublishView};

use crate::limits::TOPICS_AHEAD;
use crate::worker::State;

/// How far was looked ahead.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// Messages that were looked at and are not handed on yet.
    messages: usize,
}

impl Ahead {
    /// Looks at the messages at the start of `bytes`, if that is worth it and was not done before. It is called
    /// once for each.
    pub(super) fn look(&mut self, state: &State, bytes: &[u8], version: ProtocolVersion) {
        if let Some(left) = self.messages.checked_sub(1) {
            self.messages = left;
            return;
        }
        // What is remembered is at hand.
        if state.cache.has_remembered() || !state.shared.router.is_large() {
            return;
        }
        let router = &state.shared.router;
        let mut hashes = [0; TOPICS_AHEAD];
        let mut rest = bytes;
        let mut found = 0_usize;
        for hash in &mut hashes {
            let Some(view) = PublishView::peek(rest, version) else { break };
            *hash = router.hash(view.topic);
            found = found.saturating_add(1);
            rest = rest.get(view.packet.len()..).unwrap_or_default();
        }
        if found > 1 {
            router.fetch(hashes.get(..found).unwrap_or_default());
        }
        self.messages = found.saturating_sub(1);
    }
}
