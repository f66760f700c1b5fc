//! What is made of saved states, and of each odd thing that can be in them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test tells its failure by panicking"
)]

use bytes::Bytes;
use codec::Properties;

use super::super::mosquitto::{Client, Incoming, Outgoing, Source};
use super::*;
use crate::config::{Bridge, Listener, Protocol};

const NOW_S: u64 = 1_800_000_000;

fn config() -> Config {
    let listeners = [1883, 1884].map(|port| {
        let address = Address::Tcp { host: None, port, domain: None, interface: None };
        Listener::new(address, Protocol::Mqtt)
    });
    Config { listeners: listeners.into(), ..Config::default() }
}

fn plan_by(config: &Config, database: Database) -> Plan {
    Plan::of(database, &Circumstances { config, host: "pi", now_s: NOW_S })
}

fn plan(database: Database) -> Plan {
    plan_by(&config(), database)
}

fn text(text: &str) -> MqttString {
    MqttString::new(text).unwrap()
}

fn packet_id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

fn message_id(id: u8) -> MessageId {
    MessageId([id; 8])
}

/// A message of QoS 2 whose payload is its number.
fn message(id: u8, topic: &str) -> (MessageId, mosquitto::Message) {
    let message = mosquitto::Message {
        topic: TopicName::new(topic).unwrap(),
        payload: Bytes::copy_from_slice(&[id]),
        qos: QoS::ExactlyOnce,
        retain: false,
        properties: Properties::EMPTY,
        expires_at_s: None,
        source: None,
    };
    (message_id(id), message)
}

fn client(id: &str) -> Client {
    Client {
        id: text(id),
        username: None,
        port: 0,
        expiry_interval_s: u32::MAX,
        expires_at_s: None,
        last_packet_id: 0,
        subscriptions: Vec::new(),
        incoming: Vec::new(),
        outgoing: Vec::new(),
    }
}

fn subscription(filter: &str, qos: QoS) -> mosquitto::Subscription {
    mosquitto::Subscription {
        filter: TopicFilter::new(filter).unwrap(),
        qos,
        no_local: false,
        retain_as_published: false,
        identifier: None,
    }
}

fn outgoing(message: u8, stage: Stage) -> Outgoing {
    Outgoing {
        message: message_id(message),
        qos: QoS::ExactlyOnce,
        retain: false,
        subscription_ids: Vec::new(),
        stage,
    }
}

fn database(
    messages: impl IntoIterator<Item = (MessageId, mosquitto::Message)>,
    clients: impl IntoIterator<Item = Client>,
) -> Database {
    Database {
        messages: messages.into_iter().collect(),
        clients: clients.into_iter().collect(),
        retained: Vec::new(),
        is_final: true,
        left_out: LeftOut::default(),
    }
}

fn left(plan: &Plan) -> Vec<(What, Why, u64)> {
    plan.left_out.counts().collect()
}

/// The payload, number and stage of all that waits in a session.
fn waiting(session: &Session) -> Vec<(u8, u64, bool)> {
    let told = session
        .deliveries
        .iter()
        .map(|delivery| (delivery.message.payload[0], delivery.number.get(), delivery.released));
    told.collect()
}

/// Messages and their stages, and what becomes of them as [`waiting`] tells it.
type Saved<'a> = &'a [(u8, Stage)];
type Wanted<'a> = &'a [(u8, u64, bool)];

#[test]
fn packet_identifiers_stay_and_what_waits_gets_the_next() {
    use Stage::{Published, Queued, Received};
    let cases: [(Saved<'_>, u16, u64, Wanted<'_>); 6] = [
        (&[], 0, 0, &[]),
        (&[(1, Queued), (2, Queued)], 7, 7, &[(1, 8, false), (2, 9, false)]),
        (
            &[(1, Published(packet_id(5))), (2, Received(packet_id(6))), (3, Queued)],
            9,
            6,
            &[(1, 5, false), (2, 6, true), (3, 7, false)],
        ),
        // Some of those between are acknowledged already.
        (
            &[(1, Received(packet_id(100))), (2, Published(packet_id(60_000)))],
            60_000,
            60_000,
            &[(1, 100, true), (2, 60_000, false)],
        ),
        // After 65,535 comes 1.
        (
            &[(1, Published(packet_id(65_535))), (2, Published(packet_id(1))), (3, Queued)],
            2,
            65_536,
            &[(1, 65_535, false), (2, 65_536, false), (3, 65_537, false)],
        ),
        // What was sent goes before what was not, whatever the file has between.
        (
            &[(1, Queued), (2, Published(packet_id(9))), (3, Published(packet_id(8)))],
            9,
            9 + 65_534,
            &[(2, 9, false), (3, 9 + 65_534, false), (1, 9 + 65_535, false)],
        ),
    ];
    for (stages, last_packet_id, sent_to, wanted) in cases {
        let outgoing = stages.iter().map(|(message, stage)| outgoing(*message, *stage)).collect();
        let client = Client { last_packet_id, outgoing, ..client("c") };
        let messages = [message(1, "a"), message(2, "a"), message(3, "a")];
        let plan = plan(database(messages, [client]));
        assert_eq!(waiting(&plan.sessions[0]), wanted, "{stages:?}");
        assert_eq!(plan.sessions[0].sent_to, sent_to, "{stages:?}");
        for id in stages.iter().filter_map(|(_, stage)| stage.packet_id()) {
            let has_id = |number: u64| (number - 1) % 65_535 + 1 == u64::from(id.get());
            let mut sent = wanted.iter().filter(|(_, number, _)| *number <= sent_to);
            assert!(sent.any(|(_, number, _)| has_id(*number)), "{id} of {stages:?}");
        }
        assert_eq!(left(&plan), [], "{stages:?}");
    }
}

#[test]
fn clocks_have_gone_on() {
    let never = u32::MAX;
    for (interval_s, expires_at_s, longest_s, wanted) in [
        (never, None, None, Some(None)),
        // Mosquitto was told to expire such sessions, and this broker is not.
        (never, Some(NOW_S + 5), None, Some(None)),
        (never, Some(NOW_S + 5), Some(60), Some(Some(5))),
        (never, None, Some(60), Some(Some(60))),
        (3600, Some(NOW_S + 5), None, Some(Some(5))),
        (3600, Some(NOW_S), None, None),
        (3600, Some(NOW_S - 5), None, None),
        (3600, None, None, Some(Some(3600))),
        (0, None, None, None),
    ] {
        let mut config = config();
        config.rules.persistent_client_expiration_s = longest_s;
        let client = Client { expiry_interval_s: interval_s, expires_at_s, ..client("c") };
        let plan = plan_by(&config, database([], [client]));
        let expires_at = plan.sessions.first().map(|session| session.expires_at);
        let wanted = wanted.map(|left_s: Option<u32>| left_s.map(seconds));
        assert_eq!(expires_at, wanted, "{interval_s} {expires_at_s:?} {longest_s:?}");
        let ended = wanted.is_none().then_some((What::Session, Why::Ended, 1));
        assert_eq!(left(&plan), ended.into_iter().collect::<Vec<_>>());
    }
    let (old, mut message_old) = message(1, "old");
    message_old.expires_at_s = Some(NOW_S);
    let (new, mut message_new) = message(2, "new");
    message_new.expires_at_s = Some(NOW_S + 9);
    let sent = outgoing(1, Stage::Published(packet_id(1)));
    let outgoing = vec![sent, outgoing(1, Stage::Queued), outgoing(2, Stage::Queued)];
    let mut database =
        database([(old, message_old), (new, message_new)], [Client { outgoing, ..client("c") }]);
    database.retained = vec![old, new];
    let plan = plan(database);
    // What was sent may have arrived, and is sent again whatever the time.
    assert_eq!(waiting(&plan.sessions[0]), [(1, 1, false), (2, 2, false)]);
    assert_eq!(plan.sessions[0].deliveries[1].message.expires_at, Some(seconds(9)));
    assert_eq!(plan.retained.keys().map(TopicName::as_str).collect::<Vec<_>>(), ["new"]);
    let wanted = [(What::Delivery, Why::Expired, 1), (What::Retained, Why::Expired, 1)];
    assert_eq!(left(&plan), wanted);
}

#[test]
fn what_waited_for_its_pubrel_is_passed_on_once() {
    let incoming =
        |id, message| Incoming { packet_id: packet_id(id), message: message_id(message) };
    let sender = Client {
        incoming: vec![incoming(7, 1), incoming(8, 2), incoming(9, 3)],
        subscriptions: vec![
            subscription("home/#", QoS::ExactlyOnce),
            mosquitto::Subscription { no_local: true, ..subscription("own", QoS::ExactlyOnce) },
        ],
        ..client("sender")
    };
    let reader = Client {
        outgoing: vec![outgoing(4, Stage::Queued)],
        subscriptions: vec![
            mosquitto::Subscription {
                identifier: Some(7),
                retain_as_published: true,
                ..subscription("home/+", QoS::AtLeastOnce)
            },
            subscription("own", QoS::AtMostOnce),
        ],
        ..client("reader")
    };
    let sharing = ["$share/g/home/lamp", "$share/g/home/lamp"].map(|filter| Client {
        subscriptions: vec![subscription(filter, QoS::AtLeastOnce)],
        ..client(filter)
    });
    let (lamp, mut on) = message(1, "home/lamp");
    on.retain = true;
    let (own, not_retained) = message(2, "own");
    let (gone, mut nothing) = message(3, "home/gone");
    nothing.retain = true;
    nothing.payload = Bytes::new();
    let (old, mut retained) = message(5, "home/gone");
    retained.retain = true;
    let messages =
        [(lamp, on), (own, not_retained), (gone, nothing), message(4, "x"), (old, retained)];
    let [one, other] = sharing;
    let mut database = database(messages, [sender, reader, one, other]);
    database.retained = vec![old];
    let plan = plan(database);
    assert_eq!((plan.passed_on, left(&plan)), (3, vec![]));
    let [sender, reader, one, other] = &plan.sessions[..] else { panic!() };
    assert_eq!(sender.received, [7, 8, 9].map(packet_id));
    // Its own subscription gets what it sent, but for No Local.
    let topics = |session: &Session| {
        let told = session.deliveries.iter().map(|delivery| {
            (delivery.message.topic.to_string(), delivery.number.get(), delivery.qos as u8)
        });
        told.collect::<Vec<_>>()
    };
    let delivered = |topic: &str, number, qos| (topic.to_owned(), number, qos);
    let to_sender = [delivered("home/lamp", 1, 2), delivered("home/gone", 2, 2)];
    assert_eq!(topics(sender), to_sender);
    let to_reader =
        [delivered("x", 1, 2), delivered("home/lamp", 2, 1), delivered("home/gone", 3, 1)];
    assert_eq!(topics(reader), to_reader);
    assert!(reader.deliveries[1].retain && *reader.deliveries[1].ids == [7]);
    // One of those who share a subscription gets it, and the store knows by which.
    let shared: Vec<_> = one.deliveries.iter().chain(&other.deliveries).collect();
    let [shared] = &shared[..] else { panic!("{shared:?}") };
    assert_eq!(shared.share.as_deref().unwrap().as_str(), "$share/g/home/lamp");
    // It is retained now, and what a message without payload removes is not.
    assert_eq!(plan.retained.keys().map(TopicName::as_str).collect::<Vec<_>>(), ["home/lamp"]);
}

#[test]
fn a_session_belongs_to_the_listener_of_its_port() {
    let mut config = config();
    let bridge = Bridge::new("up".into());
    let bridge_id = bridge.local_id("pi");
    config.bridges.push(bridge);
    let clients = [("a", 1883), ("b", 1884), ("c", 99), ("d", 0), (&bridge_id, 0)]
        .map(|(id, port)| Client { port, username: Some(text("ana")), ..client(id) });
    let (id, mut message) = message(1, "a");
    message.retain = true;
    message.source = Some(Source { client_id: text("p"), username: None, port: 1884 });
    let mut database = database([(id, message)], clients);
    database.retained = vec![id];
    let plan = plan_by(&config, database);
    let listeners = plan.sessions.iter().map(|session| session.identity.listener);
    let wanted = [0, 1, 0, 0, Identity::NO_LISTENER];
    assert_eq!(listeners.collect::<Vec<_>>(), wanted);
    assert!(plan.sessions.iter().all(|session| session.identity.username == Some(text("ana"))));
    let source = plan.retained.values().next().unwrap().source.clone().unwrap();
    assert_eq!((source.client_id.as_str(), source.listener), ("p", 1));
}

#[test]
fn what_is_not_stored_is_told() {
    let unstored = Outgoing { qos: QoS::AtMostOnce, ..outgoing(1, Stage::Queued) };
    let twice = || subscription("a", QoS::AtLeastOnce);
    let client =
        Client { outgoing: vec![unstored], subscriptions: vec![twice(), twice()], ..client("c") };
    let plan = plan(database([message(1, "a")], [client]));
    let wanted = [(What::Subscription, Why::Twice, 1), (What::Delivery, Why::QoS0, 1)];
    assert_eq!(left(&plan), wanted);
    assert_eq!(plan.deliveries(), (0, 0));
}
