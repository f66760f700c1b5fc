//! Sessions in the store: how they get there, how answers wait for it, and how they come back.

use std::rc::Rc;
use std::sync::Arc;

use codec::{Ack, Packet, PacketId, QoS, ReasonCode};

use crate::broker::Message;
use crate::limits::{QUEUED_HERE_MAX, STORE_READ_PARCELS_MAX};
use crate::store::{
    self, NewDelivery, Place, SavedDelivery, SavedSession, SessionState, Store, Surroundings as _,
};
use crate::time::{Wall, seconds};
use crate::worker::held::Until;
use crate::worker::keeper::{Due, Stored, Waiting, Who};
use crate::worker::link::{Cause, SharedLink};
use crate::worker::publish::Routed;
use crate::worker::session::{
    DelayedWill, Delivery, Held, Kept, KeptDelivery, RetainedDelivery, Session, StoredMessage,
};
use crate::worker::sessions::{FOREVER_S, will_delay};
use crate::worker::{Mail, State, Worker};

/// Hands parcels to the store when they are due, for as long as the worker runs.
pub(super) async fn run(worker: Rc<Worker>) {
    let look = Rc::clone(&worker.state.borrow().keeper.look);
    loop {
        let (due, now) = {
            let mut state = worker.state.borrow_mut();
            state.begin_turn();
            let now = state.now;
            let due = state.keeper.due(now);
            state.keeper.sleeps_until(match due {
                Due::At(at) => Some(at),
                Due::Now => Some(now),
                Due::Never => None,
            });
            (due, now)
        };
        match due {
            Due::Never => look.notified().await,
            Due::At(at) => {
                let time = std::time::Duration::from_millis(at.saturating_sub(now));
                tokio::select! {
                    () = look.notified() => {}
                    () = tokio::time::sleep(time) => {}
                }
            }
            Due::Now => {
                // Whoever was ready has had a turn: this task was woken behind them.
                worker.in_turn(State::hand_to_store);
            }
        }
    }
}

/// Messages of parcels that were read last.
#[derive(Debug, Default)]
pub(super) struct ReadParcels(Vec<ReadParcel>);

#[derive(Debug)]
struct ReadParcel {
    number: u64,
    /// In the order of their places.
    messages: Vec<(u16, Arc<Message>)>,
}

impl ReadParcels {
    /// Reads a message out of the store, with the others of its parcel, which are likely to be next.
    fn read(&mut self, store: &Store, place: Place) -> Option<Arc<Message>> {
        let number = place.parcel();
        if !self.0.iter().any(|parcel| parcel.number == number) {
            if self.0.len() >= STORE_READ_PARCELS_MAX {
                self.0.remove(0);
            }
            self.0.push(ReadParcel::read(store, number));
        }
        let parcel = self.0.iter().find(|parcel| parcel.number == number)?;
        let at = parcel.messages.binary_search_by_key(&place.index(), |(index, _)| *index).ok()?;
        parcel.messages.get(at).map(|(_, message)| Arc::clone(message))
    }
}

impl ReadParcel {
    fn read(store: &Store, number: u64) -> Self {
        let messages = store.messages(number).unwrap_or_else(|error| {
            tracing::error!("Messages can't be read out of the store: {error:#}.");
            Vec::new()
        });
        let messages = messages.into_iter().map(|(index, message)| {
            message.set_stored_at(Place::new(number, index));
            (index, Arc::new(message))
        });
        Self { number, messages: messages.collect() }
    }
}

impl State {
    /// Hands what has gathered to the store.
    pub(super) fn hand_to_store(&mut self) {
        for slot in self.keeper.take_senders() {
            let Some(session) = self.sessions.get_mut(slot) else { continue };
            let Some(kept) = &mut session.kept else { continue };
            kept.is_sender = false;
            // Of messages that have arrived meanwhile nobody needs to know that they were sent.
            if session.send.inflight_len() > 0 {
                let batch = self.keeper.change(&mut Waiting::Nobody, self.now);
                store::put_sent(batch, kept.number, kept.sent_to);
            }
        }
        let is_behind = self.keeper.is_behind();
        let parcels = self.keeper.hand_on();
        let Some(store) = self.keeper.store().filter(|_| !parcels.is_empty()) else { return };
        for parcel in store.commit(parcels, is_behind, &*self.shared).into_iter().flatten() {
            if parcel.worker == self.id {
                self.on_stored(parcel.number);
                self.keeper.use_again(parcel);
            } else {
                self.shared.stored(parcel.worker, parcel.number);
            }
        }
    }

    /// A parcel is stored: what waited for it goes on.
    pub(super) fn on_stored(&mut self, parcel: u64) {
        let Stored { links, sessions } = self.keeper.stored(parcel);
        for link in links {
            self.release(&link, Until::Stored(parcel));
        }
        for key in sessions {
            let slot = key.slot as usize;
            let Some(session) = self.sessions.get_mut(slot) else { continue };
            if session.key != key {
                continue;
            }
            if session.link.is_some() {
                self.pump(slot);
            } else {
                session.leave_to_store(|place| self.keeper.is_stored(place));
            }
        }
    }

    /// Goes on with whoever has nothing to wait for any more; at the end of each turn.
    pub(super) fn let_go_on(&mut self) {
        // In the order of the answers, or each would be looked for behind those that wait still.
        while let Some((wait, who)) = self.keeper.done.pop_front() {
            match who {
                Who::Nobody => {}
                Who::Link(link) => self.release(&link, Until::Settled(wait)),
                Who::Gate(link) => {
                    let link = &mut *link.borrow_mut();
                    link.is_gated = false;
                    link.wake();
                }
                Who::Worker(worker, wait) => {
                    self.shared.send(worker, Mail::Settled(wait));
                }
            }
        }
        self.keeper.wake_in_time(self.now);
    }

    /// Sends the answers of a connection that waited for this, as far as nothing before them waits.
    fn release(&mut self, shared: &SharedLink, until: Until) {
        let link = &mut *shared.borrow_mut();
        let was_full = link.held.is_full();
        link.release(until, &mut self.spare);
        if was_full {
            // It is to be listened to again.
            link.wake();
        } else {
            self.queue.push(link, shared);
        }
    }

    /// Sends an answer once what it waits for has come to be.
    pub(super) fn answer(
        &mut self,
        link: &SharedLink,
        waiting: Waiting,
        packet: Packet,
    ) -> Result<(), Cause> {
        let until = match waiting {
            Waiting::ForParcel(parcel) => {
                let is_under_way = self.keeper.begin_wait_for_parcel(parcel, link);
                is_under_way.then_some(Until::Stored(parcel))
            }
            Waiting::For(wait) => {
                let is_waiting = self.keeper.begin_wait(waiting, Who::Link(Rc::clone(link)));
                is_waiting.then_some(Until::Settled(wait))
            }
            Waiting::Nobody | Waiting::Somebody => None,
        };
        let link = &mut *link.borrow_mut();
        match until {
            Some(_) => link.hold(until, packet, &mut self.spare),
            None => link.answer(packet, &mut self.spare),
        }
    }

    /// Sends one of the four acknowledgements once what it waits for has come to be.
    pub(super) fn acknowledge(
        &mut self,
        link: &SharedLink,
        waiting: Waiting,
        kind: fn(Ack) -> Packet,
        id: PacketId,
        code: ReasonCode,
    ) -> Result<(), Cause> {
        let packet = link.borrow().ack(kind, id, code);
        self.answer(link, waiting, packet)
    }

    /// Has nothing written to a connection until what its CONNACK tells of is stored.
    pub(super) fn gate(&mut self, link: &SharedLink, waiting: Waiting) {
        if waiting.is_for_something() {
            let is_gated = self.keeper.begin_wait(waiting, Who::Gate(Rc::clone(link)));
            link.borrow_mut().is_gated = is_gated;
        }
    }

    /// Stores what there is to know of a session, apart from its subscriptions and messages.
    pub(super) fn keep_session(&mut self, slot: usize, waiting: &mut Waiting) {
        let Some(store) = self.keeper.store().map(Arc::clone) else { return };
        let Some(session) = self.sessions.get(slot) else { return };
        let Some(kept) = &session.kept else { return };
        let link = session.link.as_ref().map(|link| link.borrow());
        let will = match (&session.will, &link) {
            (Some(delayed), _) => Some((&*delayed.will, Some(store.wall.of(delayed.at)))),
            (None, Some(link)) => link.will.as_deref().map(|will| (will, None)),
            (None, None) => None,
        };
        let state = SessionState {
            identity: &session.identity,
            expiry_interval_s: session.expiry_interval_s,
            expires_at: session.expires_at.map(|at| store.wall.of(at)),
            connected: link.is_some(),
            will,
        };
        store::put_session(self.keeper.change(waiting, self.now), kept.number, &state);
    }

    /// Notes a message in the parcel that gathers, if its session is kept in the store.
    pub(super) fn keep_delivery(
        &mut self,
        slot: usize,
        routed: &mut Routed<'_>,
        delivery: &mut Delivery,
        qos: QoS,
    ) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        let Some(kept) = &session.kept else { return };
        let number = session.send.next_number();
        let new = NewDelivery {
            session: kept.number,
            number,
            qos,
            retain: delivery.retain,
            ids: delivery.ids.clone(),
            share: delivery.share.clone(),
            message: routed.keep(),
        };
        let is_there = session.link.is_some();
        let place = self.keeper.deliver(new, is_there, &mut routed.waiting, self.now);
        delivery.kept = Some(KeptDelivery { place, number });
        // Who is there is likely to acknowledge at once; anybody else is waited for in vain. With QoS 2
        // nothing is sent before it is stored, lest its identifier be used for another message.
        let is_long = !is_there && session.send.queued_len() >= QUEUED_HERE_MAX;
        if qos == QoS::ExactlyOnce || is_long {
            self.keeper.resume_when_stored(session.key);
        }
        if qos == QoS::ExactlyOnce || !is_there && routed.waiting != Waiting::Nobody {
            self.keeper.hurry();
        }
    }

    /// Something that a session was to get is over.
    pub(super) fn end_delivery(&mut self, kept: Option<KeptDelivery>) {
        if let Some(kept) = kept {
            self.keeper.end(kept.place, self.now);
        }
    }

    /// Ends deliveries that are over.
    pub(super) fn end_places(&mut self, places: Vec<Place>) {
        for place in places {
            self.keeper.end(place, self.now);
        }
    }

    /// Has the next message of a session's flow be here, and says whether it may be sent.
    pub(super) fn make_ready(&mut self, slot: usize) -> bool {
        let Some(session) = self.sessions.get_mut(slot) else { return false };
        if session.kept.is_none() {
            return true;
        }
        let Some((qos, delivery)) = session.send.next_message() else { return true };
        if let Some(kept) = delivery.kept
            && qos == QoS::ExactlyOnce
            && !self.keeper.is_stored(kept.place)
        {
            return false;
        }
        if let Held::Stored(stored) = delivery.message
            && let Some(store) = self.keeper.store()
            && let Some(message) = self.read_parcels.read(store, stored.place)
        {
            delivery.message = Held::Here(message);
        }
        true
    }

    /// A message, read out of the store if it is there alone.
    pub(super) fn fetch(&mut self, held: Held) -> Option<Arc<Message>> {
        match held {
            Held::Here(message) => Some(message),
            Held::Stored(stored) => {
                let store = self.keeper.store()?;
                self.read_parcels.read(store, stored.place)
            }
        }
    }

    /// Goes on with sessions of an earlier life of the broker.
    pub(super) fn restore(&mut self, sessions: Vec<SavedSession>) {
        for saved in sessions {
            self.restore_session(saved);
        }
        self.let_go_on();
    }

    fn restore_session(&mut self, saved: SavedSession) {
        let Some(wall) = self.keeper.store().map(|store| store.wall) else { return };
        let now = self.now;
        let slot = self.add_session(&Arc::new(saved.identity), Some(Kept::new(saved.number)));
        self.set_rights(slot);
        let Some(session) = self.sessions.get_mut(slot) else { return };
        session.is_doubtful = session.rights.is_some();
        session.expiry_interval_s = saved.expiry_interval_s;
        session.expires_at = saved.expires_at.map(|at| wall.here(at));
        if saved.connected && saved.expiry_interval_s != FOREVER_S {
            // Its connection was lost with the broker; since when is not known.
            session.expires_at = Some(now.saturating_add(seconds(saved.expiry_interval_s)));
        }
        session.will = saved.will.map(|(will, at)| {
            let lost_now = || now.saturating_add(seconds(will_delay(&will)));
            let at = at.map_or_else(lost_now, |at| wall.here(at));
            DelayedWill { at, will: Box::new(will) }
        });
        for id in &saved.received {
            session.receive.restore(*id);
        }
        // What was taken over was sent, and so was all before it.
        let released = saved.deliveries.iter().filter(|delivery| delivery.released);
        let sent_to = released.map(|delivery| delivery.number.get()).max();
        let sent_to = sent_to.unwrap_or(0).max(saved.sent_to);
        if let Some(kept) = &mut session.kept {
            kept.sent_to = sent_to;
            // Their PUBRELs are to remove them from the store, too.
            kept.received.extend(&saved.received);
        }
        for subscription in saved.subscriptions {
            let (filter, options) = (subscription.filter, subscription.options);
            let (router, id) = (&self.shared.router, subscription.id);
            router.subscribe(&filter, session.key, options, id, &session.connected);
            if subscription.is_owed
                && let Some(kept) = &mut session.kept
            {
                // How far they had come nobody knows, so all of them are sent again.
                let found = self.shared.retained.matching(&filter, now);
                let rules = &self.settings.config.rules;
                let owed = found.into_iter().map(|message| RetainedDelivery {
                    qos: rules.outgoing_qos(message.qos, options.qos),
                    message,
                    id,
                });
                session.retained.extend(owed.filter(|owed| owed.qos > QoS::AtMostOnce));
                kept.owed.push(filter.clone());
            }
            session.subscriptions.insert(filter);
        }
        session.send.reserve(saved.deliveries.len());
        for delivery in saved.deliveries {
            restore_delivery(session, delivery, sent_to, saved.connected, wall);
        }
        if saved.connected {
            let last = session.send.last_number();
            self.keep_session(slot, &mut Waiting::Nobody);
            let batch = self.keeper.change(&mut Waiting::Nobody, self.now);
            store::put_sent(batch, saved.number, last);
        }
    }
}

/// Puts a message where it was in its session.
fn restore_delivery(
    session: &mut Session,
    saved: SavedDelivery,
    sent_to: u64,
    was_connected: bool,
    wall: Wall,
) {
    let Some(kept) = &mut session.kept else { return };
    if saved.released {
        kept.released.insert(session::packet_id(saved.number), saved.place);
        session.send.restore_sent(saved.number, saved.qos, None);
        return;
    }
    let delivery = Delivery {
        message: Held::Stored(StoredMessage {
            place: saved.body,
            size: saved.size,
            payload_len: saved.payload_len,
            expires_at: saved.expires_at.map(|at| wall.here(at)),
        }),
        retain: saved.retain,
        ids: saved.ids,
        share: saved.share.map(Arc::new),
        kept: Some(KeptDelivery { place: saved.place, number: saved.number }),
        // How far a session was sent to is stored a little later than it is sent: where its client was
        // there when the broker ended, anything may have been.
        may_have_arrived: was_connected,
    };
    // There are no more identifiers than that, and none of another connection is free to be one of these.
    let has_room = session.send.inflight_len() < usize::from(u16::MAX);
    if saved.number.get() <= sent_to && has_room {
        session.send.restore_sent(saved.number, saved.qos, Some(delivery));
    } else {
        session.push(saved.qos, delivery);
    }
}
