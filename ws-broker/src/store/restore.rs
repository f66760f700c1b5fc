//! What the broker goes on with: all that is stored, apart from the messages that wait, of which only
//! what is to be done with them is read.

use anyhow::{Context, Result, anyhow};
use hashbrown::HashMap;

use super::engine::{Engine, EngineError};
use super::packs::Packs;
use super::record::{
    self, Kind, SavedDelivery, SavedSession, SessionNumber, Unreadable, number_in,
};
use crate::broker::Message;
use crate::time::Wall;

/// All that was found.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    pub sessions: Vec<SavedSession>,
    /// Retained messages, and when each goes if it does.
    pub retained: Vec<(Message, Option<u64>)>,
    /// Deliveries whose session is no more, which are to be handed on or forgotten.
    pub orphans: Vec<SavedDelivery>,
    pub(super) next_parcel: u64,
    pub(super) next_session: SessionNumber,
}

impl Restored {
    /// How many messages wait in sessions.
    pub(crate) fn waiting(&self) -> usize {
        self.sessions.iter().map(|session| session.deliveries.len()).sum()
    }
}

/// Shows every key of a kind with its number, what stands behind that, and its value.
fn each(
    engine: &dyn Engine,
    kind: Kind,
    mut take: impl FnMut(u64, &[u8], &[u8]) -> Result<(), Unreadable>,
) -> Result<()> {
    let mut unreadable = None;
    engine.scan(&[kind as u8], &mut |key, value| {
        let taken =
            number_in(key).ok_or(Unreadable).and_then(|(number, rest)| take(number, rest, value));
        if taken.is_err() && unreadable.is_none() {
            unreadable = Some(key.to_vec());
        }
        Ok::<(), EngineError>(())
    })?;
    match unreadable {
        None => Ok(()),
        Some(key) => Err(makes_no_sense(&key)),
    }
}

fn makes_no_sense(key: &[u8]) -> anyhow::Error {
    anyhow!(
        "what stands under {} makes no sense: nothing was changed; start with a copy of the folder \
         from before, or with another folder (persistence_location)",
        key.escape_ascii()
    )
}

/// Reads all of a store.
pub(super) fn read(engine: &dyn Engine, wall: Wall) -> Result<(Restored, Packs)> {
    let mut sessions: HashMap<SessionNumber, SavedSession> = HashMap::new();
    let mut next_session = 1;
    each(engine, Kind::Session, |number, _, value| {
        sessions.insert(number, record::session(number, value)?);
        next_session = next_session.max(number.saturating_add(1));
        Ok(())
    })?;
    each(engine, Kind::Subscription, |number, filter, value| {
        let subscription = record::subscription(filter, value)?;
        if let Some(session) = sessions.get_mut(&number) {
            session.subscriptions.push(subscription);
        }
        Ok(())
    })?;
    each(engine, Kind::Received, |number, rest, _| {
        let id = record::received(rest)?;
        if let Some(session) = sessions.get_mut(&number) {
            session.received.push(id);
        }
        Ok(())
    })?;
    each(engine, Kind::Owed, |number, filter, _| {
        let subscriptions = sessions.get_mut(&number).map(|session| &mut session.subscriptions);
        let mut subscriptions = subscriptions.into_iter().flatten();
        if let Some(owed) = subscriptions.find(|it| it.filter.as_bytes() == filter) {
            owed.is_owed = true;
        }
        Ok(())
    })?;
    each(engine, Kind::Sent, |number, _, value| {
        let sent_to = record::sent(value)?;
        if let Some(session) = sessions.get_mut(&number) {
            session.sent_to = sent_to;
        }
        Ok(())
    })?;
    let (packs, orphans, next_parcel) = read_parcels(engine, &mut sessions)?;
    for session in sessions.values_mut() {
        session.deliveries.sort_unstable_by_key(|delivery| delivery.number);
    }
    let retained = read_retained(engine, wall)?;
    let sessions = sessions.into_values().collect();
    let restored = Restored { sessions, retained, orphans, next_parcel, next_session };
    Ok((restored, packs))
}

fn read_parcels(
    engine: &dyn Engine,
    sessions: &mut HashMap<SessionNumber, SavedSession>,
) -> Result<(Packs, Vec<SavedDelivery>, u64)> {
    let mut marks: HashMap<u64, Vec<u8>> = HashMap::new();
    let mut next_parcel = 1;
    each(engine, Kind::Marks, |parcel, _, value| {
        marks.insert(parcel, value.to_vec());
        Ok(())
    })?;
    let mut packs = Packs::default();
    let mut orphans = Vec::new();
    each(engine, Kind::Deliveries, |parcel, _, value| {
        next_parcel = next_parcel.max(parcel.saturating_add(1));
        let marks = marks.get(&parcel).map_or(&[][..], Vec::as_slice);
        let deliveries = record::deliveries(parcel, value)?;
        for (session, delivery) in packs.restore(parcel, deliveries, marks) {
            // A message may stand in a later parcel than what is left of the parcel it came in.
            next_parcel = next_parcel.max(delivery.body.parcel().saturating_add(1));
            match sessions.get_mut(&session) {
                Some(session) => session.deliveries.push(delivery),
                None => orphans.push(delivery),
            }
        }
        Ok(())
    })?;
    Ok((packs, orphans, next_parcel))
}

fn read_retained(engine: &dyn Engine, wall: Wall) -> Result<Vec<(Message, Option<u64>)>> {
    let mut retained = Vec::new();
    let mut unreadable = None;
    engine
        .scan(&[Kind::Retained as u8], &mut |key, value| {
            match record::retained(value, wall) {
                Ok(found) => retained.push(found),
                Err(Unreadable) => unreadable = Some(key.to_vec()),
            }
            Ok(())
        })
        .context("retained messages")?;
    match unreadable {
        None => Ok(retained),
        Some(key) => Err(makes_no_sense(&key)),
    }
}
