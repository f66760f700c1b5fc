//! Puts a plan into a store: all of it at once, so that an import that fails has changed nothing.

use std::sync::Arc;

use anyhow::{Result, bail};
use codec::TopicName;
use hashbrown::HashSet;

use super::left_out::{What, Why};
use super::plan::{Delivery, Plan, Session};
use crate::broker::{Message, WorkerId};
use crate::limits;
use crate::store::{
    NewDelivery, Opened, Parcel, Place, Restored, SessionState, Store, Surroundings, put_received,
    put_sent, put_session, put_subscription,
};
use crate::time::Ms;

/// Stores a plan. What the store has already stays as it is, if the two are to be merged.
///
/// # Errors
/// The store can't be written, or it is not empty and they are not to be merged. It is as it was then.
pub(super) fn store(plan: &mut Plan, opened: Opened, merge: bool) -> Result<()> {
    let Opened { store, restored, .. } = opened;
    let (sessions, retained) = (restored.sessions.len(), restored.retained.len());
    if sessions.saturating_add(retained) > 0 && !merge {
        bail!(
            "the store holds something already (sessions: {sessions}, retained messages: {retained}): \
             import into another folder (--into), or keep that and add what is not there (--merge)"
        );
    }
    leave_what_is_there(plan, &restored);
    let mut packing = Packing::new(&store);
    for session in &plan.sessions {
        packing.add(session);
    }
    packing.parcel.retained = plan.retained.keys().cloned().collect();
    packing.close_parcel();
    let parcels = packing.full;
    Ok(store.commit_once(&parcels, &Source { plan })?)
}

/// Takes out of a plan what the store has already.
fn leave_what_is_there(plan: &mut Plan, restored: &Restored) {
    let clients: HashSet<_> =
        restored.sessions.iter().map(|session| &session.identity.client_id).collect();
    let topics: HashSet<_> = restored.retained.iter().map(|(message, _)| &message.topic).collect();
    let left_out = &mut plan.left_out;
    plan.sessions.retain(|session| {
        let is_new = !clients.contains(&session.identity.client_id);
        if !is_new {
            left_out.add(What::Session, Why::Known, None);
        }
        is_new
    });
    plan.retained.retain(|topic, _| {
        let is_new = !topics.contains(topic);
        if !is_new {
            left_out.add(What::Retained, Why::Known, None);
        }
        is_new
    });
}

/// What the store asks for while it writes.
struct Source<'a> {
    plan: &'a Plan,
}

impl Surroundings for Source<'_> {
    fn retained(&self, topic: &TopicName) -> Option<(Arc<Message>, Option<Ms>)> {
        let message = self.plan.retained.get(topic)?;
        Some((Arc::clone(message), self.plan.retained_until))
    }

    fn stored(&self, _: WorkerId, _: u64) {}
}

/// Gathers what is to be stored in parcels that are read and freed in small pieces.
struct Packing<'a> {
    store: &'a Store,
    parcel: Parcel,
    /// Bytes of the messages in the parcel.
    bytes: usize,
    /// Parcels that hold as much as one shall.
    full: Vec<Parcel>,
}

impl<'a> Packing<'a> {
    fn new(store: &'a Store) -> Self {
        Self { store, parcel: new_parcel(store), bytes: 0, full: Vec::new() }
    }

    fn add(&mut self, session: &Session) {
        let number = self.store.new_session();
        let wall = self.store.wall;
        let changes = &mut self.parcel.changes;
        let state = SessionState {
            identity: &session.identity,
            expiry_interval_s: session.expiry_interval_s,
            expires_at: session.expires_at.map(|at| wall.of(at)),
            connected: false,
            will: None,
        };
        put_session(changes, number, &state);
        for subscription in &session.subscriptions {
            let (filter, options) = (&subscription.filter, subscription.options);
            put_subscription(changes, number, filter, options, subscription.id);
        }
        for id in &session.received {
            put_received(changes, number, *id);
        }
        put_sent(changes, number, session.sent_to);
        for delivery in &session.deliveries {
            self.add_delivery(number, delivery);
        }
    }

    fn add_delivery(&mut self, session: u64, delivery: &Delivery) {
        let size = delivery.message.size();
        let is_full = self.parcel.deliveries.len() >= limits::IMPORT_PARCEL_DELIVERIES_MAX
            || self.bytes >= limits::IMPORT_PARCEL_BYTES_MAX;
        if is_full {
            self.close_parcel();
        }
        let index = u16::try_from(self.parcel.deliveries.len()).unwrap_or(u16::MAX);
        if delivery.released {
            self.parcel.released.push(Place::new(self.parcel.number, index));
        }
        self.parcel.deliveries.push(Some(NewDelivery {
            session,
            number: delivery.number,
            qos: delivery.qos,
            retain: delivery.retain,
            ids: delivery.ids.clone(),
            share: delivery.share.clone(),
            message: Arc::clone(&delivery.message),
        }));
        self.bytes = self.bytes.saturating_add(size);
    }

    /// Has no more put into the parcel, and begins another.
    fn close_parcel(&mut self) {
        let parcel = std::mem::replace(&mut self.parcel, new_parcel(self.store));
        self.full.push(parcel);
        self.bytes = 0;
    }
}

fn new_parcel(store: &Store) -> Parcel {
    Parcel { number: store.new_parcel(), ..Parcel::default() }
}

#[cfg(test)]
mod tests;
