//! Parcels at random, beside a model that is too simple to be wrong: whatever has been stored, delivered
//! and tidied up, what is read back is what the model holds, and nothing else takes room.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::{Arc, mpsc};

use bytes::Bytes;
use codec::{MqttString, Properties, QoS, SubscriptionOptions, TopicFilter, TopicName};

use super::engine::faulty::{Faults, Faulty};
use super::engine::memory::Memory;
use super::engine::{Batch, Engine, Reach};
use super::packs::Packs;
use super::parcel::{NewDelivery, Parcel, Place};
use super::record::{self, Kind, SessionState};
use super::{Opened, Store, Surroundings, restore};
use crate::access::Identity;
use crate::broker::{Message, WorkerId};
use crate::time::{Clock, Ms, Wall};

struct Waiting {
    place: Place,
    payload: Bytes,
    qos: QoS,
    released: bool,
}

struct World {
    random: fastrand::Rng,
    wall: Wall,
    engine: Memory,
    packs: Packs,
    next_parcel: u64,
    next_number: u64,
    /// Messages that come again, as those do that are retained.
    messages: Vec<Arc<Message>>,
    /// By their numbers, which are those of one session.
    waiting: BTreeMap<u64, Waiting>,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            wall: Wall::now(Clock::start()),
            engine: Memory::default(),
            packs: Packs::default(),
            next_parcel: 1,
            next_number: 1,
            messages: Vec::new(),
            waiting: BTreeMap::new(),
        }
    }

    fn message(&mut self) -> Arc<Message> {
        if !self.messages.is_empty() && self.random.bool() {
            return Arc::clone(&self.messages[self.random.usize(..self.messages.len())]);
        }
        let topic = TopicName::new(&format!("t/{}", self.random.u8(..))).unwrap();
        let len = if self.random.u8(..8) == 0 { 5000 } else { self.random.usize(..50) };
        let payload = Bytes::from(vec![self.random.u8(..); len]);
        let qos = QoS::ExactlyOnce;
        let message = Arc::new(Message::new(topic, payload, qos, false, Properties::EMPTY));
        if self.messages.len() > 20 {
            self.messages.remove(0);
        }
        self.messages.push(Arc::clone(&message));
        message
    }

    fn parcel(&mut self) -> Parcel {
        let mut parcel = Parcel { number: self.next_parcel, ..Parcel::default() };
        self.next_parcel += 1;
        for index in 0..self.random.u16(..30) {
            if self.random.u8(..4) == 0 {
                parcel.deliveries.push(None);
                continue;
            }
            let message = self.message();
            let qos = if self.random.bool() { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
            let waiting = Waiting {
                place: Place::new(parcel.number, index),
                payload: message.payload.clone(),
                qos,
                released: false,
            };
            self.waiting.insert(self.next_number, waiting);
            parcel.deliveries.push(Some(NewDelivery {
                session: 7,
                number: NonZeroU64::new(self.next_number).unwrap(),
                qos,
                retain: false,
                ids: Box::default(),
                share: None,
                message,
            }));
            self.next_number += 1;
        }
        let ends = if self.random.u8(..5) == 0 { 200 } else { self.random.usize(..25) };
        for _ in 0..ends {
            let numbers: Vec<u64> = self.waiting.keys().copied().collect();
            if numbers.is_empty() {
                break;
            }
            let number = numbers[self.random.usize(..numbers.len())];
            let waiting = self.waiting.get_mut(&number).unwrap();
            if waiting.qos == QoS::ExactlyOnce && !waiting.released {
                parcel.released.push(waiting.place);
                waiting.released = true;
            } else {
                parcel.ended.push(waiting.place);
                self.waiting.remove(&number);
            }
        }
        parcel
    }

    fn commit(&mut self) {
        let parcels: Vec<Parcel> = (0..self.random.u8(1..4)).map(|_| self.parcel()).collect();
        let mut batch = Batch::default();
        let mut packing = self.packs.pack(self.wall);
        for parcel in &parcels {
            packing.add(parcel);
        }
        packing.finish(&mut batch);
        self.engine.commit(&batch, Reach::System).unwrap();
    }

    fn tidy(&mut self) {
        let mut batch = Batch::default();
        self.packs.tidy(&self.engine, 3, &mut batch).unwrap();
        self.engine.commit(&batch, Reach::System).unwrap();
    }

    /// Reads everything back, as after a start, and goes on with that.
    fn restart(&mut self) {
        let (restored, packs) = restore::read(&self.engine, self.wall).unwrap();
        assert_eq!(restored.sessions.len(), 1);
        assert!(restored.orphans.is_empty());
        assert!(restored.next_parcel <= self.next_parcel);
        let found = &restored.sessions[0].deliveries;
        assert_eq!(found.len(), self.waiting.len());
        for (delivery, (number, waiting)) in found.iter().zip(&self.waiting) {
            assert_eq!(delivery.number.get(), *number);
            assert_eq!(delivery.place, waiting.place);
            assert_eq!((delivery.qos, delivery.released), (waiting.qos, waiting.released));
            if waiting.released {
                continue;
            }
            let key = record::key(Kind::Bodies, delivery.body.parcel());
            let value = self.engine.get(&key).unwrap().unwrap();
            let bodies = record::bodies(&value, self.wall).unwrap();
            let body = bodies.iter().find(|(index, _)| *index == delivery.body.index());
            assert_eq!(body.unwrap().1.payload, waiting.payload);
        }
        self.packs = packs;
        assert_eq!(self.packs.waiting(), self.waiting.len());
        // What was in memory of another life knows no place in the store.
        self.messages.clear();
    }

    fn keys(&self) -> usize {
        let mut keys = 0;
        for kind in [Kind::Bodies, Kind::Deliveries, Kind::Marks] {
            self.engine
                .scan(&[kind as u8], &mut |_, _| {
                    keys += 1;
                    Ok(())
                })
                .unwrap();
        }
        keys
    }
}

#[test]
fn what_is_read_back_is_what_was_stored_and_is_not_over() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut world = World::new(seed);
    let mut batch = Batch::default();
    let identity =
        Identity { client_id: MqttString::new("client").unwrap(), username: None, listener: 0 };
    let state = SessionState {
        identity: &identity,
        expiry_interval_s: 60,
        expires_at: None,
        connected: true,
        will: None,
    };
    record::put_session(&mut batch, 7, &state);
    world.engine.commit(&batch, Reach::System).unwrap();
    for _ in 0..300 {
        world.commit();
        if world.random.u8(..4) == 0 {
            world.tidy();
        }
        if world.random.u8(..8) == 0 {
            world.restart();
        }
    }
    // When all is over, nothing is left.
    let mut parcel = Parcel { number: world.next_parcel, ..Parcel::default() };
    parcel.ended.extend(world.waiting.values().map(|waiting| waiting.place));
    world.waiting.clear();
    let mut batch = Batch::default();
    let mut packing = world.packs.pack(world.wall);
    packing.add(&parcel);
    packing.finish(&mut batch);
    world.engine.commit(&batch, Reach::System).unwrap();
    world.restart();
    assert_eq!(world.keys(), 0);
}

#[test]
fn what_belongs_to_a_session_comes_back_with_it() {
    let wall = Wall::now(Clock::start());
    let engine = Memory::default();
    let text = |text| MqttString::new(text).unwrap();
    let identity =
        Identity { client_id: text("client"), username: Some(text("user")), listener: 3 };
    let will = codec::Will {
        qos: QoS::AtLeastOnce,
        retain: true,
        properties: Properties::new([codec::Property::WillDelayInterval(30)]).unwrap(),
        topic: TopicName::new("gone").unwrap(),
        payload: Bytes::from_static(b"bye"),
    };
    let filter = TopicFilter::new("$share/group/a/+").unwrap();
    let mut options = SubscriptionOptions::with_qos(QoS::ExactlyOnce);
    options.no_local = true;
    let id = codec::PacketId::new(77).unwrap();
    let mut batch = Batch::default();
    let state = SessionState {
        identity: &identity,
        expiry_interval_s: 3600,
        expires_at: Some(123_456),
        connected: false,
        will: Some((&will, Some(99))),
    };
    record::put_session(&mut batch, 5, &state);
    record::put_subscription(&mut batch, 5, &filter, options, Some(12));
    record::put_received(&mut batch, 5, id);
    record::put_sent(&mut batch, 5, 42);
    engine.commit(&batch, Reach::System).unwrap();

    let (restored, _) = restore::read(&engine, wall).unwrap();
    let session = &restored.sessions[0];
    assert_eq!((session.number, &session.identity), (5, &identity));
    assert_eq!((session.expiry_interval_s, session.expires_at), (3600, Some(123_456)));
    assert_eq!((session.connected, &session.will), (false, &Some((will, Some(99)))));
    assert_eq!(session.subscriptions[0].filter, filter);
    assert_eq!(session.subscriptions[0].options, options);
    assert_eq!(session.subscriptions[0].id, Some(12));
    assert_eq!((&session.received[..], session.sent_to), (&[id][..], 42));

    batch.clear();
    record::delete_subscription(&mut batch, 5, &filter);
    record::delete_received(&mut batch, 5, id);
    record::delete_session(&mut batch, 5);
    engine.commit(&batch, Reach::System).unwrap();
    assert!(restore::read(&engine, wall).unwrap().0.sessions.is_empty());
    for kind in record::KINDS {
        engine.scan(&[*kind as u8], &mut |key, _| panic!("{key:?} is left")).unwrap();
    }
}

#[test]
fn a_store_of_another_version_or_that_makes_no_sense_is_not_touched() {
    let open = |engine: Arc<Memory>| {
        let wall = Wall::now(Clock::start());
        super::Store::with_engine(engine, crate::config::Durability::Os, wall)
            .map(|_| ())
            .map_err(|error| format!("{error:#}"))
    };
    let engine = |pairs: &[(&[u8], &[u8])]| {
        let engine = Memory::default();
        let mut batch = Batch::default();
        for (key, value) in pairs {
            batch.put(key, value);
        }
        engine.commit(&batch, Reach::System).unwrap();
        Arc::new(engine)
    };
    assert_eq!(open(engine(&[])), Ok(()));
    assert_eq!(open(engine(&[(b"v", &[1])])), Ok(()));
    for (pairs, why) in [
        (&[(&b"v"[..], &[2][..])][..], "of version 2"),
        (&[(b"v", &[0xff])], "nothing of its version"),
        (&[(b"s\0\0\0\0\0\0\0\x01", &[1])], "does not say of what version"),
        (&[(b"v", &[1]), (b"s\0\0\0\0\0\0\0\x01", &[1])], "makes no sense"),
        (&[(b"v", &[1]), (b"ra", &[1])], "makes no sense"),
    ] {
        let refused = open(engine(pairs)).unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
}

/// Tells workers what is stored.
struct Workers(Vec<mpsc::Sender<u64>>);

impl Surroundings for Workers {
    fn retained(&self, _: &TopicName) -> Option<(Arc<Message>, Option<Ms>)> {
        None
    }

    fn stored(&self, worker: WorkerId, parcel: u64) {
        self.0[usize::from(worker)].send(parcel).unwrap();
    }
}

fn one_delivery(parcel: &mut Parcel, number: u64) {
    let topic = TopicName::new("t").unwrap();
    let payload = Bytes::from(number.to_string());
    let message = Message::new(topic, payload, QoS::AtLeastOnce, false, Properties::EMPTY);
    parcel.deliveries.push(Some(NewDelivery {
        session: 7,
        number: NonZeroU64::new(number).unwrap(),
        qos: QoS::AtLeastOnce,
        retain: false,
        ids: Box::default(),
        share: None,
        message: Arc::new(message),
    }));
}

/// Stores parcels one after the other, each of which ends what the one before it has begun.
fn work(worker: WorkerId, store: &Store, around: &Workers, told: &mpsc::Receiver<u64>) {
    let mut last = None;
    for turn in 0..100 {
        let number = u64::from(worker) * 1000 + turn + 1;
        let mut parcel = Parcel { number: store.new_parcel(), worker, ..Parcel::default() };
        parcel.ended.extend(last);
        one_delivery(&mut parcel, number);
        last = Some(Place::new(parcel.number, 0));
        let parcel_number = parcel.number;
        let stored = match store.commit(vec![parcel], false, around) {
            Some(parcels) => parcels[0].number,
            None => told.recv().unwrap(),
        };
        assert_eq!(stored, parcel_number);
    }
    assert!(told.try_recv().is_err(), "a parcel was stored twice");
}

#[test]
fn a_parcel_is_stored_once_whoever_writes_it_and_whatever_fails() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let engine = Arc::new(Faulty::new(seed, Faults::default()));
    let wall = Wall::now(Clock::start());
    let durability = crate::config::Durability::Os;
    let Opened { store, committer, .. } =
        Store::with_engine(Arc::clone(&engine) as Arc<dyn Engine>, durability, wall).unwrap();
    engine.set_faults(Faults { before: 20, after: 20, reads: 0 });
    let (tell, told): (Vec<_>, Vec<_>) = (0..3).map(|_| mpsc::channel()).unzip();
    let around = Workers(tell);
    std::thread::scope(|scope| {
        let committing = scope.spawn(|| committer.run(&around));
        let workers = (0..).zip(told).map(|(worker, told)| {
            let (store, around) = (&store, &around);
            scope.spawn(move || work(worker, store, around, &told))
        });
        workers.collect::<Vec<_>>().into_iter().for_each(|worker| worker.join().unwrap());
        store.close();
        committing.join().unwrap();
    });
    // Of each worker the last delivery is left.
    let killed: Arc<dyn Engine> = Arc::new(engine.killed());
    let (restored, _) = restore::read(&*killed, wall).unwrap();
    let mut left: Vec<u64> = restored.orphans.iter().map(|left| left.number.get()).collect();
    left.sort_unstable();
    assert_eq!(left, [100, 1100, 2100]);
}
