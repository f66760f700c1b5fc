//! What the sessions of a worker may do, and what becomes of what waits when that changes.
//!
//! What a client may not read does not match, so a delivery asks nothing: see `Router::matching`. What
//! was put aside before a right was taken away is looked at once more when it leaves: messages in a
//! session's queue, retained messages on their way, and wills.

use std::sync::Arc;

use codec::TopicName;

use crate::access::{Access, Identity, Rights};
use crate::settings::Settings;
use crate::worker::State;
use crate::worker::packets::{is_bridge_state, is_sys};
use crate::worker::session::{RetainedDelivery, Session};

/// How the filter of a shared subscription begins (MQTT 5.0 §4.8.2).
const SHARED_SUBSCRIPTION: &str = "$share/";

/// Whether these rights allow something; no rights at all are those of a session that may do everything.
pub(super) fn may(rights: &Option<Arc<Rights>>, access: Access, topic: &str) -> bool {
    rights.as_ref().is_none_or(|rights| rights.allow(access, topic))
}

/// Whether a session may get a retained message: it may read it, and who published it may do so still.
pub(super) fn may_get(settings: &Settings, session: &Session, delivery: &RetainedDelivery) -> bool {
    let message = &delivery.message;
    let topic = message.topic.as_str();
    if !may(&session.rights, Access::Read, topic) {
        return false;
    }
    let source = message.source.as_ref().filter(|_| settings.config.rules.check_retain_source);
    let rights = source.and_then(|source| settings.rights(source));
    rights.is_none_or(|rights| rights.allow(Access::Write, topic))
}

impl State {
    /// Has a session be that of this client, who has logged in.
    pub(super) fn admit(&mut self, slot: usize, identity: &Arc<Identity>) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        session.identity = Arc::clone(identity);
        self.set_rights(slot);
        // What was on its way is sent once more, and the right to it may be gone since.
        if let Some(session) = self.sessions.get_mut(slot) {
            session.is_doubtful = session.rights.is_some();
        }
    }

    /// Goes on by new settings.
    pub(super) fn reload(&mut self, settings: Arc<Settings>) {
        self.begin_turn();
        self.settings = settings;
        let slots: Vec<usize> = self.sessions.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.set_rights(slot);
        }
    }

    pub(super) fn set_rights(&mut self, slot: usize) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        let rights = self.settings.rights(&session.identity).map(Arc::new);
        let is_same = match (&rights, &session.rights) {
            (None, None) => true,
            (Some(new), Some(old)) => new.are_as(old),
            _ => false,
        };
        if !is_same {
            session.rights.clone_from(&rights);
            session.is_doubtful = true;
            let is_subscribed = !session.subscriptions.is_empty();
            self.shared.router.limit(session.key, rights, is_subscribed);
        }
    }

    /// Whether a session may publish to a topic: what the broker says of itself is nobody else's to say,
    /// and what looks like a shared subscription could be read by nobody. The answer is who to remember
    /// as the publisher, which is worth it for a retained message alone.
    pub(super) fn may_publish(
        &self,
        slot: usize,
        topic: &TopicName,
        retain: bool,
    ) -> Option<Option<Arc<Identity>>> {
        let session = self.sessions.get(slot)?;
        let is_reserved = is_sys(topic) && !is_bridge_state(topic)
            || topic.as_str().starts_with(SHARED_SUBSCRIPTION);
        if is_reserved || !may(&session.rights, Access::Write, topic.as_str()) {
            tracing::debug!("Denied PUBLISH from {} to {topic}.", session.client_id);
            return None;
        }
        Some(retain.then(|| Arc::clone(&session.identity)))
    }
}
