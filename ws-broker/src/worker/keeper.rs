//! What this worker wants stored, and what waits until it is.
//!
//! Changes gather in a parcel, and one parcel is under way to the store while the next one gathers: so
//! one write stores what many clients wait for. What waits for somebody is handed on as soon as the
//! tasks that are ready have had their turn; a message that was sent to a client who is there waits a
//! moment longer, since most acknowledge at once, and what is over before it was handed on is taken
//! back and costs the store nothing. Where a publisher may send nothing more before it has its answers,
//! that moment would be one in which nothing goes on, so many answers don't wait for few messages.
//!
//! Whoever waits for one parcel and nothing else, as most do, waits for it by its number. Whoever waits for
//! more has a [`Wait`], which counts that: changes of this worker, deliveries that may be over before
//! they are stored, and workers that it has handed a message to.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use codec::TopicName;
use slab::Slab;
use tokio::sync::Notify;

use crate::broker::{SessionKey, WorkerId};
use crate::limits::{
    PARCEL_DELIVERIES_MAX, PARCEL_ROOM_KEPT_MAX, STORE_AT_ONCE_ANSWERS_MIN,
    STORE_AT_ONCE_DELIVERIES_MAX, STORE_LAZY_MS, STORE_PATIENCE_MS,
};
use crate::store::engine::Batch;
use crate::store::{NewDelivery, Parcel, Place, Store, delete_owed};
use crate::time::Ms;
use crate::worker::link::SharedLink;
use crate::worker::session::Session;

/// Names a wait on its worker.
pub(crate) type WaitKey = usize;

/// Whether somebody waits for what is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    Nobody,
    /// Somebody does who has nothing to wait for so far.
    Somebody,
    /// Somebody waits for this parcel of the worker and nothing else.
    ForParcel(u64),
    For(WaitKey),
}

impl Waiting {
    /// Whether there is something to wait for.
    pub(super) fn is_for_something(self) -> bool {
        matches!(self, Self::ForParcel(_) | Self::For(_))
    }
}

/// Who waits.
#[derive(Debug)]
pub(super) enum Who {
    /// It is not known yet.
    Nobody,
    /// A connection, with an answer.
    Link(SharedLink),
    /// A connection whose CONNACK is to be stored.
    Gate(SharedLink),
    /// Another worker, for a message that it has handed over.
    Worker(WorkerId, WaitKey),
}

#[derive(Debug)]
struct Wait {
    left: usize,
    who: Who,
}

/// What is known of a delivery in the parcel that gathers.
#[derive(Debug, Clone, Copy)]
struct Claim {
    since: Ms,
    wait: Option<WaitKey>,
}

/// A parcel on its way to the store.
#[derive(Debug)]
struct UnderWay {
    parcel: u64,
    /// Whether another worker hands it to the store, together with what belongs to it there.
    is_lent: bool,
    waits: Vec<WaitKey>,
    links: Vec<SharedLink>,
    sessions: Vec<SessionKey>,
    /// Deliveries of a lent parcel that ended meanwhile.
    ended: Vec<Place>,
}

/// Who goes on when a parcel is stored.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// Connections with answers that waited for it.
    pub links: Vec<SharedLink>,
    /// Sessions to whom a message may be sent now.
    pub sessions: Vec<SessionKey>,
}

/// What a worker adds to the parcel of another, so that both are stored at once.
#[derive(Debug)]
struct Loan {
    parcels: Vec<Parcel>,
    sessions: Vec<SessionKey>,
}

/// When the parcel is to be handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Now,
    At(Ms),
    /// Not before something happens.
    Never,
}

/// What one worker wants stored.
#[derive(Debug)]
pub(super) struct Keeper {
    store: Option<Arc<Store>>,
    parcel: Parcel,
    /// One that was stored, whose room the next one takes.
    spare: Option<Parcel>,
    /// Parcels that are stored together with it.
    others: Vec<Parcel>,
    /// How many workers have still to add to it.
    expected: usize,
    /// There while what is done is stored together with another worker's parcel.
    loan: Option<Loan>,
    /// By the places of the parcel's deliveries.
    claims: Vec<Option<Claim>>,
    free: Vec<u16>,
    /// How many deliveries the parcel holds.
    held: usize,
    /// Waits for what is in the parcel beside deliveries.
    waits_of_parcel: Vec<WaitKey>,
    /// Connections with answers that wait for the parcel.
    links: Vec<SharedLink>,
    /// Whether anybody waits for the parcel by its number.
    is_awaited: bool,
    /// Sessions to whom a message may be sent once the parcel is stored.
    sessions: Vec<SessionKey>,
    /// Sessions that have sent messages which are stored.
    senders: Vec<usize>,
    is_urgent: bool,
    /// When the parcel is to be handed on though nobody waits.
    lazy_at: Option<Ms>,
    under_way: VecDeque<UnderWay>,
    waits: Slab<Wait>,
    /// Who has nothing to wait for any more.
    pub done: VecDeque<(WaitKey, Who)>,
    /// Wakes the task that hands parcels on.
    pub look: Rc<Notify>,
    /// When that task looks next; `None` if it sleeps until it is woken.
    asleep_until: Option<Ms>,
}

impl Keeper {
    /// A keeper for a worker; without a store nothing is kept.
    pub(super) fn new(worker: WorkerId, store: Option<Arc<Store>>) -> Self {
        let number = store.as_ref().map_or(0, |store| store.new_parcel());
        Self {
            store,
            parcel: Parcel { number, worker, ..Parcel::default() },
            spare: None,
            others: Vec::new(),
            expected: 0,
            loan: None,
            claims: Vec::new(),
            free: Vec::new(),
            held: 0,
            waits_of_parcel: Vec::new(),
            links: Vec::new(),
            is_awaited: false,
            sessions: Vec::new(),
            senders: Vec::new(),
            is_urgent: false,
            lazy_at: None,
            under_way: VecDeque::new(),
            waits: Slab::new(),
            done: VecDeque::new(),
            look: Rc::default(),
            asleep_until: None,
        }
    }

    pub(super) fn store(&self) -> Option<&Arc<Store>> {
        self.store.as_ref()
    }

    /// Has somebody wait for one thing more.
    pub(super) fn wait(&mut self, waiting: &mut Waiting) -> Option<WaitKey> {
        match *waiting {
            Waiting::Nobody => None,
            Waiting::Somebody => {
                // One for what is asked for here, and one until all is asked for.
                let key = self.waits.insert(Wait { left: 2, who: Who::Nobody });
                *waiting = Waiting::For(key);
                Some(key)
            }
            Waiting::ForParcel(parcel) => {
                let key = self.wait_of(parcel);
                *waiting = Waiting::For(key);
                self.wait(waiting)
            }
            Waiting::For(key) => {
                let wait = self.waits.get_mut(key)?;
                wait.left = wait.left.saturating_add(1);
                Some(key)
            }
        }
    }

    /// Has somebody wait for the parcel that gathers.
    fn wait_for_parcel(&mut self, waiting: &mut Waiting) {
        let number = self.parcel.number;
        match *waiting {
            Waiting::Nobody => {}
            Waiting::Somebody => {
                *waiting = Waiting::ForParcel(number);
                self.is_awaited = true;
            }
            Waiting::ForParcel(parcel) if parcel == number => {}
            Waiting::ForParcel(_) | Waiting::For(_) => {
                let wait = self.wait(waiting);
                self.waits_of_parcel.extend(wait);
            }
        }
    }

    /// A wait for a parcel, and until all is asked for.
    fn wait_of(&mut self, parcel: u64) -> WaitKey {
        let key = self.waits.insert(Wait { left: 1, who: Who::Nobody });
        let waits = if parcel == self.parcel.number {
            Some(&mut self.waits_of_parcel)
        } else {
            let mut under_way = self.under_way.iter_mut();
            under_way.find(|it| it.parcel == parcel).map(|it| &mut it.waits)
        };
        if let (Some(waits), Some(wait)) = (waits, self.waits.get_mut(key)) {
            waits.push(key);
            wait.left = 2;
        }
        key
    }

    /// All is asked for that the answers of a connection wait for, which is this parcel: says whether
    /// there is anything to wait for still.
    pub(super) fn begin_wait_for_parcel(&mut self, parcel: u64, link: &SharedLink) -> bool {
        let links = if parcel == self.parcel.number {
            &mut self.links
        } else {
            let mut under_way = self.under_way.iter_mut();
            let Some(it) = under_way.find(|it| it.parcel == parcel) else { return false };
            &mut it.links
        };
        if !links.last().is_some_and(|last| Rc::ptr_eq(last, link)) {
            links.push(Rc::clone(link));
        }
        true
    }

    /// All is asked for that somebody waits for: says whether there is anything to wait for still.
    pub(super) fn begin_wait(&mut self, waiting: Waiting, who: Who) -> bool {
        let key = match waiting {
            Waiting::Nobody | Waiting::Somebody => return false,
            Waiting::ForParcel(parcel) => self.wait_of(parcel),
            Waiting::For(key) => key,
        };
        let Some(wait) = self.waits.get_mut(key) else { return false };
        if wait.left <= 1 {
            self.waits.remove(key);
            return false;
        }
        wait.left = wait.left.saturating_sub(1);
        wait.who = who;
        true
    }

    /// Something has come to be that a wait was for.
    pub(super) fn settle(&mut self, key: WaitKey) {
        let Some(wait) = self.waits.get_mut(key) else { return };
        wait.left = wait.left.saturating_sub(1);
        if wait.left == 0 {
            let wait = self.waits.remove(key);
            self.done.push_back((key, wait.who));
        }
    }

    /// Notes a message that a session is to get. If its client is there, it may be over before it is
    /// stored, and with it what somebody waits for.
    pub(super) fn deliver(
        &mut self,
        delivery: NewDelivery,
        is_there: bool,
        waiting: &mut Waiting,
        now: Ms,
    ) -> Place {
        if let Some(store) = &self.store
            && let Some(loan) = &mut self.loan
        {
            return loan.add(delivery, store, self.parcel.worker);
        }
        if self.held >= PARCEL_DELIVERIES_MAX {
            self.roll_over();
        }
        let wait = if is_there { self.wait(waiting) } else { None };
        if !is_there {
            self.wait_for_parcel(waiting);
        }
        if !waiting.is_for_something() {
            self.be_lazy(now);
        }
        let claim = Some(Claim { since: now, wait });
        let index = match self.free.pop() {
            Some(index) => {
                let at = usize::from(index);
                if let (Some(free), Some(place)) =
                    (self.claims.get_mut(at), self.parcel.deliveries.get_mut(at))
                {
                    (*free, *place) = (claim, Some(delivery));
                }
                index
            }
            None => {
                self.claims.push(claim);
                self.parcel.deliveries.push(Some(delivery));
                u16::try_from(self.claims.len().saturating_sub(1)).unwrap_or(u16::MAX)
            }
        };
        self.held = self.held.saturating_add(1);
        Place::new(self.parcel.number, index)
    }

    /// Begins another parcel, which is handed on together with the one that is full.
    fn roll_over(&mut self) {
        if let Some(full) = self.begin_parcel() {
            self.others.push(full);
            self.is_urgent = true;
        }
    }

    /// Begins another parcel, and gives back the one that gathered; from now on it is under way.
    fn begin_parcel(&mut self) -> Option<Parcel> {
        let number = self.store.as_ref()?.new_parcel();
        let spare = self.spare.take().unwrap_or_default();
        let next = Parcel { number, worker: self.parcel.worker, ..spare };
        let mut parcel = std::mem::replace(&mut self.parcel, next);
        let mut waits = std::mem::take(&mut self.waits_of_parcel);
        waits.extend(self.claims.drain(..).flatten().filter_map(|claim| claim.wait));
        self.free.clear();
        self.held = 0;
        let is_awaited = std::mem::take(&mut self.is_awaited);
        parcel.is_awaited = is_awaited || !waits.is_empty() || !self.sessions.is_empty();
        self.under_way.push_back(UnderWay {
            parcel: parcel.number,
            is_lent: false,
            waits,
            links: std::mem::take(&mut self.links),
            sessions: std::mem::take(&mut self.sessions),
            ended: Vec::new(),
        });
        Some(parcel)
    }

    /// Has the next parcel take the room of one that is stored.
    pub(super) fn use_again(&mut self, mut parcel: Parcel) {
        if parcel.deliveries.capacity() <= PARCEL_ROOM_KEPT_MAX {
            parcel.clear();
            self.spare = Some(parcel);
        }
    }

    /// Has the parcel that gathers wait for what another worker adds to it.
    pub(super) fn expect_loan(&mut self) {
        self.expected = self.expected.saturating_add(1);
    }

    /// Adds to the parcel that gathers what another worker has for it.
    pub(super) fn take_loan(&mut self, parcels: Vec<Parcel>) {
        self.expected = self.expected.saturating_sub(1);
        self.others.extend(parcels);
        self.is_urgent = true;
    }

    /// Has what is done next be stored together with another worker's parcel.
    pub(super) fn begin_loan(&mut self) {
        self.loan = Some(Loan { parcels: Vec::new(), sessions: Vec::new() });
    }

    /// Gives back what the other worker is to store.
    pub(super) fn end_loan(&mut self) -> Vec<Parcel> {
        let Some(Loan { parcels, mut sessions }) = self.loan.take() else { return Vec::new() };
        for parcel in &parcels {
            self.under_way.push_back(UnderWay {
                parcel: parcel.number,
                is_lent: true,
                waits: Vec::new(),
                links: Vec::new(),
                sessions: std::mem::take(&mut sessions),
                ended: Vec::new(),
            });
        }
        parcels
    }

    /// A delivery is over.
    pub(super) fn end(&mut self, place: Place, now: Ms) {
        if let Some(loan) = self.loan.as_mut().filter(|loan| loan.holds(place)) {
            loan.take_back(place);
            return;
        }
        if place.parcel() != self.parcel.number {
            // What is lent may be stored later than the parcel that gathers here.
            let lent = self
                .under_way
                .iter_mut()
                .find(|under_way| under_way.is_lent && under_way.parcel == place.parcel());
            match lent {
                Some(lent) => lent.ended.push(place),
                None => self.parcel.ended.push(place),
            }
            self.be_lazy(now);
            return;
        }
        let index = usize::from(place.index());
        if self.parcel.deliveries.get_mut(index).and_then(Option::take).is_none() {
            return;
        }
        self.held = self.held.saturating_sub(1);
        self.free.push(place.index());
        let claim = self.claims.get_mut(index).and_then(Option::take);
        if let Some(wait) = claim.and_then(|claim| claim.wait) {
            self.settle(wait);
        }
    }

    /// The receiver of a delivery of QoS 2 has taken the message over.
    pub(super) fn release(&mut self, place: Place, waiting: &mut Waiting, now: Ms) {
        self.parcel.released.push(place);
        self.note_change(waiting, now);
    }

    /// The retained message of a topic is another one now, or none.
    pub(super) fn retain(&mut self, topic: TopicName, waiting: &mut Waiting, now: Ms) {
        if self.store.is_some() {
            self.parcel.retained.push(topic);
            self.note_change(waiting, now);
        }
    }

    /// Where other changes are written.
    pub(super) fn change(&mut self, waiting: &mut Waiting, now: Ms) -> &mut Batch {
        self.note_change(waiting, now);
        &mut self.parcel.changes
    }

    /// All retained messages that a session's subscriptions were to get are in its flow.
    pub(super) fn forget_owed(&mut self, session: &mut Session, now: Ms) {
        let Some(kept) = &mut session.kept else { return };
        for filter in kept.owed.drain(..) {
            delete_owed(self.change(&mut Waiting::Nobody, now), kept.number, &filter);
        }
    }

    fn note_change(&mut self, waiting: &mut Waiting, now: Ms) {
        self.wait_for_parcel(waiting);
        if waiting.is_for_something() {
            self.is_urgent = true;
        } else {
            self.be_lazy(now);
        }
    }

    /// Hands the parcel on as soon as can be.
    pub(super) fn hurry(&mut self) {
        self.is_urgent = true;
    }

    /// Hands the parcel on some time soon.
    fn be_lazy(&mut self, now: Ms) {
        self.lazy_at.get_or_insert(now.saturating_add(STORE_LAZY_MS));
    }

    /// Has a session looked after once the parcel is stored.
    pub(super) fn resume_when_stored(&mut self, key: SessionKey) {
        if let Some(loan) = &mut self.loan {
            loan.sessions.push(key);
            return;
        }
        if self.sessions.last() != Some(&key) {
            self.sessions.push(key);
        }
    }

    /// A session has sent a message. How far it has come is stored with the next parcel.
    pub(super) fn has_sent(&mut self, slot: usize, is_known: bool, place: Place, now: Ms) {
        if !is_known {
            self.senders.push(slot);
        }
        if place.parcel() != self.parcel.number {
            self.be_lazy(now);
        }
    }

    /// The sessions that have sent something since they were last asked for.
    pub(super) fn take_senders(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.senders)
    }

    /// Whether a delivery is stored.
    pub(super) fn is_stored(&self, place: Place) -> bool {
        let parcel = place.parcel();
        let is_on_loan = self.loan.as_ref().is_some_and(|loan| loan.holds(place));
        parcel != self.parcel.number
            && !is_on_loan
            && !self.under_way.iter().any(|under_way| under_way.parcel == parcel)
    }

    /// Whether the parcel has to wait, for the one before it or for what belongs to it.
    fn is_held_up(&self) -> bool {
        self.expected > 0 || self.is_behind()
    }

    /// Whether a parcel of this worker was handed on and is not stored yet.
    pub(super) fn is_behind(&self) -> bool {
        self.under_way
            .iter()
            .any(|it| !it.is_lent && !self.others.iter().any(|other| other.number == it.parcel))
    }

    /// When the parcel is to be handed on.
    pub(super) fn due(&self, now: Ms) -> Due {
        if self.is_held_up() {
            return Due::Never;
        }
        let is_lazy_due = self.lazy_at.is_some_and(|at| at <= now);
        if self.is_urgent || is_lazy_due || self.holds_up_many() {
            return Due::Now;
        }
        let waiting = self.claims.iter().flatten().filter(|claim| claim.wait.is_some());
        let oldest = if self.held > 0 { waiting.map(|claim| claim.since).min() } else { None };
        let patience = oldest.map(|since| since.saturating_add(STORE_PATIENCE_MS));
        match patience.into_iter().chain(self.lazy_at).min() {
            Some(at) if at <= now => Due::Now,
            Some(at) => Due::At(at),
            None => Due::Never,
        }
    }

    /// Whether what waits is better stored at once: many answers wait for few messages, and to write those
    /// takes less than another turn of everybody.
    fn holds_up_many(&self) -> bool {
        let deliveries = 1..=STORE_AT_ONCE_DELIVERIES_MAX;
        self.waits.len() >= STORE_AT_ONCE_ANSWERS_MIN
            && self.store.as_ref().is_some_and(|store| store.is_quick)
            && deliveries.contains(&self.held)
    }

    /// Sees that the task which hands parcels on looks in time; at the end of each turn.
    pub(super) fn wake_in_time(&mut self, now: Ms) {
        if self.is_held_up() {
            return;
        }
        let wanted = if self.is_urgent || self.holds_up_many() {
            Some(now)
        } else if self.held > 0 {
            Some(now.saturating_add(STORE_PATIENCE_MS))
        } else {
            self.lazy_at
        };
        if wanted.is_some_and(|at| self.asleep_until.is_none_or(|until| until > at)) {
            self.asleep_until = wanted;
            self.look.notify_one();
        }
    }

    /// The task sleeps until then.
    pub(super) fn sleeps_until(&mut self, at: Option<Ms>) {
        self.asleep_until = at;
    }

    /// Gives back what is to be stored together. A parcel that lacks a part must not be: nothing in it was
    /// acknowledged.
    pub(super) fn hand_on(&mut self) -> Vec<Parcel> {
        if self.expected > 0 {
            return Vec::new();
        }
        self.is_urgent = false;
        self.lazy_at = None;
        let mut parcels = std::mem::take(&mut self.others);
        // What somebody waits for may be over: then there is an empty parcel to wait for.
        if self.is_awaited || !self.parcel.is_empty() || !parcels.is_empty() {
            parcels.extend(self.begin_parcel());
        }
        parcels
    }

    /// A parcel is stored: gives back who waited for it.
    pub(super) fn stored(&mut self, parcel: u64) -> Stored {
        let Some(at) = self.under_way.iter().position(|under_way| under_way.parcel == parcel)
        else {
            return Stored::default();
        };
        let Some(under_way) = self.under_way.remove(at) else { return Stored::default() };
        for wait in under_way.waits {
            self.settle(wait);
        }
        self.parcel.ended.extend(under_way.ended);
        Stored { links: under_way.links, sessions: under_way.sessions }
    }
}

impl Loan {
    fn add(&mut self, delivery: NewDelivery, store: &Store, worker: WorkerId) -> Place {
        let is_full = |parcel: &Parcel| parcel.deliveries.len() >= PARCEL_DELIVERIES_MAX;
        if self.parcels.last().is_none_or(is_full) {
            let number = store.new_parcel();
            self.parcels.push(Parcel { number, worker, ..Parcel::default() });
        }
        let Some(parcel) = self.parcels.last_mut() else { return Place::new(0, 0) };
        let index = u16::try_from(parcel.deliveries.len()).unwrap_or(u16::MAX);
        parcel.deliveries.push(Some(delivery));
        Place::new(parcel.number, index)
    }

    /// Whether a delivery is among those that are lent.
    fn holds(&self, place: Place) -> bool {
        self.parcels.iter().any(|parcel| parcel.number == place.parcel())
    }

    /// A delivery was over before it was lent.
    fn take_back(&mut self, place: Place) {
        let parcel = self.parcels.iter_mut().find(|parcel| parcel.number == place.parcel());
        let index = usize::from(place.index());
        if let Some(delivery) = parcel.and_then(|parcel| parcel.deliveries.get_mut(index)) {
            *delivery = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use bytes::Bytes;
    use codec::{Properties, QoS};

    use super::*;
    use crate::broker::Message;
    use crate::config::Durability;
    use crate::store::Opened;
    use crate::store::engine::memory::Memory;
    use crate::time::{Clock, Wall};

    fn keeper(durability: Durability) -> Keeper {
        let wall = Wall::now(Clock::start());
        let Opened { store, .. } =
            Store::with_engine(Arc::new(Memory::default()), durability, wall).unwrap();
        Keeper::new(0, Some(store))
    }

    /// Takes messages at the time 0, each of which goes to so many.
    fn take(keeper: &mut Keeper, messages: u64, receivers: u64) -> Vec<Place> {
        let mut places = Vec::new();
        let topic = TopicName::new("t").unwrap();
        for number in 1..=messages {
            let mut waiting = Waiting::Somebody;
            let message = Message::new(
                topic.clone(),
                Bytes::new(),
                QoS::AtLeastOnce,
                false,
                Properties::EMPTY,
            );
            let message = Arc::new(message);
            for session in 1..=receivers {
                let delivery = NewDelivery {
                    session,
                    number: NonZeroU64::new(number).unwrap(),
                    qos: QoS::AtLeastOnce,
                    retain: false,
                    ids: Box::default(),
                    share: None,
                    message: Arc::clone(&message),
                };
                places.push(keeper.deliver(delivery, true, &mut waiting, 0));
            }
            assert!(keeper.begin_wait(waiting, Who::Nobody));
        }
        places
    }

    #[test]
    fn who_waits_for_receivers_who_are_there_waits_no_longer_than_is_worth_it() {
        use Durability::{Fsync, Os};
        let patience = Due::At(STORE_PATIENCE_MS);
        let table = [
            (Os, 1, 1, patience),
            (Os, 9, 1, patience),
            (Os, 10, 1, Due::Now),
            (Os, 64, 1, Due::Now),
            // To write as many costs more than another turn.
            (Os, 65, 1, patience),
            (Os, 20, 4, patience),
            // And here the disk takes longer than the receivers.
            (Fsync, 20, 1, patience),
        ];
        for (durability, messages, receivers, due) in table {
            let mut keeper = keeper(durability);
            take(&mut keeper, messages, receivers);
            let row = (durability, messages, receivers);
            assert_eq!(keeper.due(0), due, "{row:?}");
            assert_eq!(keeper.due(STORE_PATIENCE_MS), Due::Now, "{row:?}");
        }
    }

    #[test]
    fn what_was_acknowledged_is_waited_for_no_longer() {
        let mut keeper = keeper(Durability::Os);
        let places = take(&mut keeper, 10, 1);
        assert_eq!(keeper.due(0), Due::Now);
        keeper.end(places[0], 0);
        assert_eq!(keeper.due(0), Due::At(STORE_PATIENCE_MS));
        places.iter().skip(1).for_each(|place| keeper.end(*place, 0));
        assert_eq!(keeper.due(0), Due::Never);
        assert_eq!(keeper.done.len(), 10);
        assert!(keeper.hand_on().is_empty());
    }
}
