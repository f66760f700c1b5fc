//! What was stored is what a broker finds.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test tells its failure by panicking"
)]

use bytes::Bytes;
use codec::{MqttString, PacketId, Properties, QoS, SubscriptionOptions, TopicFilter};
use std::num::NonZeroU64;

use super::super::plan::Subscription;
use super::*;
use crate::access::Identity;
use crate::config::Durability;
use crate::store::engine::Engine;
use crate::store::engine::memory::Memory;
use crate::time::{Clock, Wall};

fn open(engine: &Arc<dyn Engine>, wall: Wall) -> Opened {
    Store::with_engine(Arc::clone(engine), Durability::Os, wall).unwrap()
}

fn message(payload: &str) -> Arc<Message> {
    let topic = TopicName::new("home/lamp").unwrap();
    let payload = Bytes::copy_from_slice(payload.as_bytes());
    Arc::new(Message::new(topic, payload, QoS::ExactlyOnce, true, Properties::EMPTY))
}

fn delivery(number: u64, message: &Arc<Message>, released: bool) -> Delivery {
    Delivery {
        number: NonZeroU64::new(number).unwrap(),
        qos: QoS::ExactlyOnce,
        retain: true,
        ids: [7, 8].into(),
        share: Some(Arc::new(TopicFilter::new("$share/g/home/#").unwrap())),
        message: Arc::clone(message),
        released,
    }
}

fn session(client_id: &str, deliveries: Vec<Delivery>) -> Session {
    let client_id = MqttString::new(client_id).unwrap();
    Session {
        identity: Identity { username: Some(client_id.clone()), client_id, listener: 3 },
        expiry_interval_s: 3600,
        expires_at: Some(1_000_000),
        subscriptions: vec![Subscription {
            filter: TopicFilter::new("home/#").unwrap(),
            options: SubscriptionOptions {
                no_local: true,
                ..SubscriptionOptions::with_qos(QoS::AtLeastOnce)
            },
            id: Some(7),
        }],
        received: vec![PacketId::new(11).unwrap()],
        sent_to: 5,
        deliveries,
    }
}

#[test]
fn a_broker_finds_what_was_planned() {
    let engine: Arc<dyn Engine> = Arc::new(Memory::default());
    let wall = Wall::now(Clock::start());
    let (on, off) = (message("on"), message("off"));
    // So many that one parcel does not hold them.
    let many = limits::IMPORT_PARCEL_DELIVERIES_MAX as u64 + 10;
    let mut deliveries = vec![delivery(4, &on, false), delivery(5, &off, true)];
    deliveries.extend((6..many).map(|number| delivery(number, &off, false)));
    let one = session("one", deliveries);
    let other = session("other", vec![delivery(5, &on, false)]);
    let mut plan = Plan { sessions: vec![one, other], ..Plan::default() };
    plan.retained.insert(on.topic.clone(), Arc::clone(&on));
    store(&mut plan, open(&engine, wall), false).unwrap();

    let opened = open(&engine, wall);
    let Restored { sessions, retained, .. } = &opened.restored;
    let find = |id: &str| {
        let mut sessions = sessions.iter();
        sessions.find(|session| session.identity.client_id == *id).unwrap()
    };
    assert_eq!(sessions.len(), 2);
    for planned in &plan.sessions {
        let found = find(planned.identity.client_id.as_str());
        assert_eq!(found.identity, planned.identity);
        assert_eq!((found.expiry_interval_s, found.connected), (3600, false));
        assert_eq!(found.expires_at, Some(wall.of(1_000_000)));
        let [subscription] = &found.subscriptions[..] else { panic!("{found:?}") };
        let wanted = &planned.subscriptions[0];
        assert_eq!(
            (&subscription.filter, subscription.options, subscription.id),
            (&wanted.filter, wanted.options, wanted.id)
        );
        assert_eq!((&found.received, found.sent_to), (&planned.received, 5));
        assert_eq!(found.deliveries.len(), planned.deliveries.len());
        for (found, planned) in found.deliveries.iter().zip(&planned.deliveries) {
            assert_eq!((found.number, found.released), (planned.number, planned.released));
            assert_eq!((found.qos, found.retain), (planned.qos, planned.retain));
            assert_eq!(
                (&found.ids, &found.share),
                (&planned.ids, &planned.share.as_deref().cloned())
            );
            if !planned.released {
                let bodies = opened.store.messages(found.body.parcel()).unwrap();
                let (_, body) = bodies.iter().find(|(at, _)| *at == found.body.index()).unwrap();
                assert_eq!(body.payload, planned.message.payload);
            }
        }
    }
    let [(retained, None)] = &retained[..] else { panic!("{retained:?}") };
    assert_eq!((&retained.topic, &retained.payload), (&on.topic, &on.payload));
}

#[test]
fn what_is_there_stays() {
    let engine: Arc<dyn Engine> = Arc::new(Memory::default());
    let wall = Wall::now(Clock::start());
    let first = message("first");
    let plan_of = |message: &Arc<Message>, clients: &[&str]| {
        let sessions = clients.iter().map(|id| session(id, vec![delivery(5, message, false)]));
        let mut plan = Plan { sessions: sessions.collect(), ..Plan::default() };
        plan.retained.insert(message.topic.clone(), Arc::clone(message));
        plan
    };
    store(&mut plan_of(&first, &["one"]), open(&engine, wall), false).unwrap();

    let mut second = plan_of(&message("second"), &["one", "two"]);
    let refused = store(&mut second, open(&engine, wall), false).unwrap_err().to_string();
    assert!(refused.contains("already (sessions: 1, retained messages: 1)"), "{refused}");
    assert_eq!(open(&engine, wall).restored.sessions.len(), 1);

    store(&mut second, open(&engine, wall), true).unwrap();
    let wanted = [(What::Session, Why::Known, 1), (What::Retained, Why::Known, 1)];
    assert_eq!(second.left_out.counts().collect::<Vec<_>>(), wanted);
    let opened = open(&engine, wall);
    assert_eq!(opened.restored.sessions.len(), 2);
    assert_eq!(opened.restored.retained[0].0.payload, "first");
    for session in &opened.restored.sessions {
        let body = session.deliveries[0].body;
        let bodies = opened.store.messages(body.parcel()).unwrap();
        let wanted = if session.identity.client_id == *"one" { "first" } else { "second" };
        assert_eq!(bodies[usize::from(body.index())].1.payload, wanted);
    }
}
