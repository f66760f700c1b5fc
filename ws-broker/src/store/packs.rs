//! Which messages and deliveries are still needed, of all that parcels have stored.
//!
//! A parcel's messages stand in one value and its deliveries in another: many small ones cost a store
//! little more than one. Neither is changed while it is needed. What became of each delivery is told by
//! a third, small value; and when nothing of a parcel is needed any more, all three go. A parcel of
//! which most is not needed is written again without that, some time later.

use std::collections::BTreeMap;

use hashbrown::HashSet;

use super::engine::{Batch, Engine, EngineError};
use super::parcel::{Parcel, Place};
use super::record::{self, Kind, SavedDelivery, key};
use crate::broker::Message;
use crate::limits::STORE_SPARE_BYTES_MAX;
use crate::time::Wall;

/// Messages or deliveries of a parcel that take fewer bytes are not written again to save room.
const REWRITE_BYTES_MIN: usize = 4096;

/// Parcels for which buffers are kept: as many as are rarely written at once.
const SPARE_VALUES_MAX: usize = 4;

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum State {
    Waiting = 0,
    /// Its receiver has taken the message over; PUBREL and PUBCOMP are left.
    Released = 1,
    Ended = 2,
}

#[derive(Debug, Clone, Copy)]
struct Delivery {
    state: State,
    body: Place,
}

/// How often a message is needed, and what it takes.
#[derive(Debug, Clone, Copy, Default)]
struct Body {
    needed: u32,
    bytes: u32,
}

/// What is stored of one parcel.
#[derive(Debug, Default)]
struct Pack {
    /// By their places; none where nothing was stored.
    deliveries: Vec<Option<Delivery>>,
    /// How many of them have not ended.
    waiting: usize,
    /// How many of them are in the stored value.
    written: usize,
    bodies: Vec<Body>,
    /// How many of them are needed, and the bytes these take.
    needed: usize,
    needed_bytes: usize,
    /// Bytes of the stored value.
    bytes: usize,
}

impl Pack {
    fn is_done(&self) -> bool {
        self.waiting == 0 && self.needed == 0
    }

    /// Adds a message that is needed once.
    fn add_body(
        &mut self,
        parcel: u64,
        message: &Message,
        bodies: &mut Vec<u8>,
        wall: Wall,
    ) -> Place {
        // A parcel has no more messages than deliveries.
        let index = u16::try_from(self.bodies.len()).unwrap_or(u16::MAX);
        let bytes = record::append_body(bodies, index, message, wall);
        self.bodies.push(Body { needed: 1, bytes: u32::try_from(bytes).unwrap_or(u32::MAX) });
        self.needed = self.needed.saturating_add(1);
        self.needed_bytes = self.needed_bytes.saturating_add(bytes);
        self.bytes = self.bytes.saturating_add(bytes);
        let place = Place::new(parcel, index);
        message.set_stored_at(place);
        place
    }

    fn wastes_bodies(&self) -> bool {
        self.bytes >= REWRITE_BYTES_MIN && self.needed_bytes.saturating_mul(2) < self.bytes
    }

    fn wastes_deliveries(&self) -> bool {
        // A delivery takes some thirty bytes.
        let few = REWRITE_BYTES_MIN / 32;
        self.written >= few && self.waiting.saturating_mul(2) < self.written
    }

    /// The value that tells how far the deliveries are: two bits for each.
    fn marks(&self) -> Vec<u8> {
        let four = |four: &[Option<Delivery>]| {
            four.iter().rev().fold(0, |byte, delivery| {
                let state = delivery.map_or(State::Ended, |delivery| delivery.state);
                (byte << 2) | state as u8
            })
        };
        self.deliveries.chunks(4).map(four).collect()
    }
}

/// How far a delivery is according to the marks of its parcel: released, or ended.
fn marked(marks: &[u8], index: u16) -> (bool, bool) {
    let byte = marks.get(usize::from(index) / 4).copied().unwrap_or(0);
    let state = byte >> (index % 4 * 2) & 3;
    (state == State::Released as u8, state == State::Ended as u8)
}

/// All that parcels have stored and that is still there.
#[derive(Debug, Default)]
pub(super) struct Packs {
    /// By their numbers. A new one has the highest, so it stands beside those before it: in a table of hashes it
    /// would be somewhere in memory that nobody has looked at lately.
    packs: BTreeMap<u64, Pack>,
    /// Those that changed since they were last looked at for waste.
    worn: HashSet<u64>,
    /// How many deliveries have not ended.
    waiting: usize,
    /// Buffers that were written and can be used again.
    spare: Vec<Values>,
}

/// The two values of a parcel: its messages and its deliveries.
#[derive(Debug, Default)]
struct Values {
    bodies: Vec<u8>,
    deliveries: Vec<u8>,
    /// Room for what is known of its messages, of which there may be one or as many as deliveries.
    known: Vec<Body>,
}

/// Turns parcels into the changes that store them.
#[derive(Debug)]
pub(super) struct Packing<'a> {
    packs: &'a mut Packs,
    wall: Wall,
    /// New parcels with their messages and deliveries.
    new: Vec<(u64, Values)>,
    /// Parcels of which something has ended.
    touched: HashSet<u64>,
}

impl Packs {
    /// Takes note of what was stored in an earlier life, and says which deliveries have not ended.
    pub(super) fn restore(
        &mut self,
        parcel: u64,
        deliveries: Vec<(u64, SavedDelivery)>,
        marks: &[u8],
    ) -> Vec<(u64, SavedDelivery)> {
        let mut waiting = Vec::with_capacity(deliveries.len());
        for (session, mut delivery) in deliveries {
            let index = delivery.place.index();
            let (released, ended) = marked(marks, index);
            delivery.released |= released;
            let pack = self.packs.entry(parcel).or_default();
            pack.written = pack.written.saturating_add(1);
            let state = match (ended, delivery.released) {
                (true, _) => State::Ended,
                (false, true) => State::Released,
                (false, false) => State::Waiting,
            };
            // The marks that are written next tell of those that have ended, too.
            place_at(&mut pack.deliveries, index, Delivery { state, body: delivery.body });
            if ended {
                // Without a place of its own it would have no mark either, and be back.
                reach(&mut pack.deliveries, index);
                continue;
            }
            pack.waiting = pack.waiting.saturating_add(1);
            self.waiting = self.waiting.saturating_add(1);
            if !delivery.released {
                self.need_restored(delivery.body, delivery.size);
            }
            waiting.push((session, delivery));
        }
        self.worn.insert(parcel);
        waiting
    }

    fn need_restored(&mut self, body: Place, bytes: u32) {
        let pack = self.packs.entry(body.parcel()).or_default();
        let index = usize::from(body.index());
        if pack.bodies.len() <= index {
            pack.bodies.resize(index.saturating_add(1), Body::default());
        }
        if let Some(body) = pack.bodies.get_mut(index) {
            if body.needed == 0 {
                body.bytes = bytes;
                pack.needed = pack.needed.saturating_add(1);
                pack.needed_bytes = pack.needed_bytes.saturating_add(bytes as usize);
                pack.bytes = pack.bytes.saturating_add(bytes as usize);
            }
            body.needed = body.needed.saturating_add(1);
        }
    }

    /// Begins to turn parcels into changes.
    pub(super) fn pack(&mut self, wall: Wall) -> Packing<'_> {
        Packing { packs: self, wall, new: Vec::new(), touched: HashSet::new() }
    }

    /// How many deliveries have not ended.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Writes some of the parcels again of which most is not needed any more.
    pub(super) fn tidy(
        &mut self,
        engine: &dyn Engine,
        max: usize,
        batch: &mut Batch,
    ) -> Result<(), EngineError> {
        let mut rewritten = 0;
        for parcel in std::mem::take(&mut self.worn) {
            let Some(pack) = self.packs.get_mut(&parcel) else { continue };
            if rewritten >= max {
                self.worn.insert(parcel);
                continue;
            }
            if pack.wastes_bodies() {
                rewritten = rewritten.saturating_add(1);
                let key = key(Kind::Bodies, parcel);
                if let Some(value) = engine.get(&key)? {
                    let needed = |index: u16| {
                        pack.bodies.get(usize::from(index)).is_some_and(|body| body.needed > 0)
                    };
                    if let Ok(value) = record::filter_bodies(&value, needed) {
                        pack.bytes = pack.needed_bytes;
                        batch.put(&key, &value);
                    }
                }
            }
            if pack.wastes_deliveries() {
                rewritten = rewritten.saturating_add(1);
                let deliveries_key = key(Kind::Deliveries, parcel);
                if let Some(value) = engine.get(&deliveries_key)? {
                    let released = |index: u16| {
                        let delivery = pack.deliveries.get(usize::from(index))?.as_ref()?;
                        (delivery.state != State::Ended)
                            .then_some(delivery.state == State::Released)
                    };
                    if let Ok(value) = record::filter_deliveries(&value, released) {
                        pack.written = pack.waiting;
                        batch.put(&deliveries_key, &value);
                    }
                }
            }
        }
        Ok(())
    }
}

fn place_at<T>(list: &mut Vec<Option<T>>, index: u16, value: T) {
    reach(list, index);
    if let Some(place) = list.get_mut(usize::from(index)) {
        *place = Some(value);
    }
}

/// Makes a list long enough to hold something at this index.
fn reach<T>(list: &mut Vec<Option<T>>, index: u16) {
    while list.len() <= usize::from(index) {
        list.push(None);
    }
}

impl Packing<'_> {
    /// Adds a parcel's messages and deliveries, and what became of earlier ones.
    pub(super) fn add(&mut self, parcel: &Parcel) {
        if parcel.deliveries.iter().any(Option::is_some) {
            self.add_deliveries(parcel);
        }
        for place in &parcel.released {
            self.set(*place, State::Released);
        }
        for place in &parcel.ended {
            self.set(*place, State::Ended);
        }
    }

    fn add_deliveries(&mut self, parcel: &Parcel) {
        let mut values = self.packs.spare.pop().unwrap_or_default();
        let mut pack = Pack { bodies: std::mem::take(&mut values.known), ..Pack::default() };
        pack.deliveries.reserve_exact(parcel.deliveries.len());
        for (index, delivery) in (0..).zip(&parcel.deliveries) {
            let delivery = delivery.as_ref().map(|delivery| {
                let message = &delivery.message;
                let known = self.body_of(message, parcel.number, &mut pack);
                let body = known.unwrap_or_else(|| {
                    pack.add_body(parcel.number, message, &mut values.bodies, self.wall)
                });
                record::append_delivery(&mut values.deliveries, index, delivery, body, self.wall);
                pack.waiting = pack.waiting.saturating_add(1);
                Delivery { state: State::Waiting, body }
            });
            pack.deliveries.push(delivery);
        }
        pack.written = pack.waiting;
        let bodies = pack.bodies.clone();
        values.known = std::mem::replace(&mut pack.bodies, bodies);
        self.packs.waiting = self.packs.waiting.saturating_add(pack.waiting);
        self.packs.packs.insert(parcel.number, pack);
        self.new.push((parcel.number, values));
    }

    /// Where a message is stored, if it is: it is needed once more then. `pack` is that of the parcel
    /// which is being added.
    fn body_of(&mut self, message: &Message, parcel: u64, pack: &mut Pack) -> Option<Place> {
        let place = message.stored_at()?;
        let packs = &mut self.packs.packs;
        let pack = if place.parcel() == parcel { pack } else { packs.get_mut(&place.parcel())? };
        let body = pack.bodies.get_mut(usize::from(place.index()))?;
        if body.needed == 0 {
            return None;
        }
        body.needed = body.needed.saturating_add(1);
        Some(place)
    }

    /// A delivery has come further.
    fn set(&mut self, place: Place, state: State) {
        let Some(pack) = self.packs.packs.get_mut(&place.parcel()) else { return };
        let delivery = pack.deliveries.get_mut(usize::from(place.index()));
        let Some(Some(delivery)) = delivery else { return };
        let (before, body) = (delivery.state, delivery.body);
        if before as u8 >= state as u8 {
            return;
        }
        delivery.state = state;
        self.touched.insert(place.parcel());
        if state == State::Ended {
            pack.waiting = pack.waiting.saturating_sub(1);
            self.packs.waiting = self.packs.waiting.saturating_sub(1);
        }
        if before == State::Waiting {
            self.need_less(body);
        }
    }

    fn need_less(&mut self, place: Place) {
        let Some(pack) = self.packs.packs.get_mut(&place.parcel()) else { return };
        let Some(body) = pack.bodies.get_mut(usize::from(place.index())) else { return };
        body.needed = body.needed.saturating_sub(1);
        if body.needed == 0 {
            pack.needed = pack.needed.saturating_sub(1);
            pack.needed_bytes = pack.needed_bytes.saturating_sub(body.bytes as usize);
            self.touched.insert(place.parcel());
        }
    }

    /// Puts all changes into a batch.
    pub(super) fn finish(self, batch: &mut Batch) {
        let Self { packs, new, touched, .. } = self;
        for (parcel, values) in &new {
            let Some(pack) = packs.packs.get(parcel) else { continue };
            if pack.needed > 0 {
                batch.put(&key(Kind::Bodies, *parcel), &values.bodies);
            }
            if pack.waiting > 0 {
                batch.put(&key(Kind::Deliveries, *parcel), &values.deliveries);
            }
        }
        for parcel in touched {
            let Some(pack) = packs.packs.get(&parcel) else { continue };
            let was_there = !new.iter().any(|(new, _)| *new == parcel);
            if was_there && pack.needed == 0 {
                batch.delete(&key(Kind::Bodies, parcel));
            }
            if pack.waiting > 0 {
                batch.put(&key(Kind::Marks, parcel), &pack.marks());
            } else if was_there {
                batch.delete(&key(Kind::Deliveries, parcel));
                batch.delete(&key(Kind::Marks, parcel));
            }
            if pack.is_done() {
                packs.packs.remove(&parcel);
            } else {
                packs.worn.insert(parcel);
            }
        }
        for (_, mut values) in new {
            let room = values.bodies.capacity().saturating_add(values.deliveries.capacity());
            if packs.spare.len() < SPARE_VALUES_MAX && room <= STORE_SPARE_BYTES_MAX {
                values.bodies.clear();
                values.deliveries.clear();
                values.known.clear();
                packs.spare.push(values);
            }
        }
    }
}
