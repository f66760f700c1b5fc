//! Subscriptions of sessions that have ended. A client may have had ten thousand of them, and to take that
//! many out of the router in one go takes milliseconds, for which everybody else would wait.
//!
//! What still stands there of a session that is gone does no harm: a target names the session that it is for,
//! and nobody else has that name. Only a subscription that is shared ends at once, for a member that is gone must not
//! be chosen.

use std::collections::VecDeque;
use std::rc::Rc;

use codec::TopicFilter;
use hashbrown::{HashSet, hash_set};

use crate::broker::SessionKey;
use crate::limits::SUBSCRIPTIONS_ENDED_AT_ONCE_MAX;
use crate::worker::portions::{self, Sleeper};
use crate::worker::{State, Worker};

/// Subscriptions that are still to be taken out of the router.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    waiting: VecDeque<(SessionKey, hash_set::IntoIter<TopicFilter>)>,
    sleeper: Sleeper,
}

impl State {
    /// Ends the subscriptions of a session that has ended: at once, or a portion at a time where they are many.
    pub(super) fn leave(&mut self, key: SessionKey, mut filters: HashSet<TopicFilter>) {
        let router = &self.shared.router;
        for filter in filters.extract_if(|filter| filter.share_name().is_some()) {
            router.unsubscribe(&filter, key);
        }
        if filters.len() <= SUBSCRIPTIONS_ENDED_AT_ONCE_MAX {
            for filter in &filters {
                router.unsubscribe(filter, key);
            }
            return;
        }
        self.leaving.waiting.push_back((key, filters.into_iter()));
        self.leaving.sleeper.wake();
    }

    /// Ends a portion of the subscriptions that wait for it; says whether there are more.
    fn leave_portion(&mut self) -> bool {
        if let Some((key, filters)) = self.leaving.waiting.front_mut() {
            for filter in filters.by_ref().take(SUBSCRIPTIONS_ENDED_AT_ONCE_MAX) {
                self.shared.router.unsubscribe(&filter, *key);
            }
            if filters.len() == 0 {
                self.leaving.waiting.pop_front();
            }
        }
        !self.leaving.waiting.is_empty()
    }
}

/// Ends the subscriptions that wait for it, for as long as the worker runs.
pub(super) async fn run(worker: Rc<Worker>) {
    portions::run(worker, State::leave_portion, |state| &mut state.leaving.sleeper).await;
}
