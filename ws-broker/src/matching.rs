//! The table of subscriptions by itself, so that `benches/matching.rs` can measure what finding the
//! receivers of a message costs.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use codec::{SubscriptionOptions, TopicFilter, TopicName};

use crate::broker::{Router, SessionKey};

/// Who is subscribed to what.
#[derive(Debug, Default)]
pub struct Subscriptions {
    router: Router,
    connected: Arc<AtomicBool>,
}

impl Subscriptions {
    /// Subscribes a client, which has a number here.
    pub fn subscribe(&self, filter: &TopicFilter, client: u32) {
        let key = SessionKey { worker: 0, slot: client, epoch: 0, kept: false };
        let options = SubscriptionOptions::default();
        self.router.subscribe(filter, key, options, None, &self.connected);
    }

    /// How many clients get a message of `topic`, found anew each time.
    #[must_use]
    pub fn receivers(&self, topic: &TopicName) -> usize {
        self.router.matching(topic.as_str()).1.of(0).len()
    }
}
