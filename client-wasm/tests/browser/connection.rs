//! The engine over a socket: what comes off the wire reaches the page, whatever happens to the wire.

use std::cell::RefCell;
use std::rc::Rc;

use client_wasm::connect::{Connect, Subscription, Version, Will};
use client_wasm::engine::Engine;
use client_wasm::fault::Reason;
use client_wasm::limits::{PACKET_SIZE_CAUTIOUS, PACKET_SIZE_MAX};
use client_wasm::protocol::{
    Answer, Command, Connection, Failure, Frame, Large, Outcome, Problem, Publish, SignIn, Value,
};
use client_wasm::store::Limits;
use codec::{
    Ack, Packet, Properties, Property, ProtocolVersion, QoS, ReasonCode, RetainHandling, SubAck,
};
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::dom::eventually;
use crate::socket::{Broker, Network, connack, encode, publish};

/// An engine whose frames are painted as soon as they come.
struct Bench {
    engine: Engine,
    frames: Rc<RefCell<Vec<Frame>>>,
}

impl Bench {
    fn new() -> Self {
        let frames = Rc::<RefCell<Vec<Frame>>>::default();
        let seen = Rc::clone(&frames);
        let engine = Engine::new(Limits::default(), move |frame| seen.borrow_mut().push(frame));
        Self { engine, frames }
    }

    fn open() -> Self {
        Self::open_with(Connect {
            subscriptions: vec![Subscription::new("#")],
            ..Connect::new("ws://broker.lan/mqtt")
        })
    }

    fn open_with(connect: Connect) -> Self {
        let bench = Self::new();
        bench.engine.command(Command::Open(Box::new(connect)));
        bench
    }

    /// Waits for a frame with something in it, painting each that comes before.
    async fn sees<T>(&self, what: &str, pick: impl Fn(&Frame) -> Option<T>) -> T {
        eventually(what, || {
            let frames = self.frames.take();
            let found = frames.iter().find_map(&pick);
            self.engine.command(Command::Painted);
            self.engine.tick();
            found
        })
        .await
    }

    async fn sees_value(&self, expected: &str) {
        self.sees(expected, |frame| {
            frame.cards.iter().find_map(|card| match &card.value {
                Value::Number { text, .. } if text == expected => Some(()),
                _ => None,
            })
        })
        .await;
    }

    async fn sees_problem(&self) -> Problem {
        self.sees("a problem", |frame| match &frame.connection {
            Some(Connection::Offline { problem, .. }) => Some(problem.clone()),
            _ => None,
        })
        .await
    }
}

#[test]
async fn messages_reach_the_page_however_they_are_cut_into_frames() {
    let network = Network::new();
    let bench = Bench::open();
    bench.engine.command(Command::Watch { ids: vec![0, 1, 2], width: 100 });
    let mut broker = network.broker(0).await;
    let Packet::Connect(connect) = broker.next().await else { panic!("CONNECT comes first") };
    assert!(connect.client_id.starts_with("dashboard-"));
    broker.send(&[connack()]);
    let Packet::Subscribe(subscribe) = broker.next().await else { panic!("SUBSCRIBE is next") };
    assert_eq!(subscribe.subscriptions[0].filter.as_str(), "#");

    broker.send(&[publish("a", "1.0"), publish("b", "2.0")]);
    bench.sees_value("2.0").await;
    for byte in encode(&[publish("c", "127.0")]) {
        broker.send_bytes(&[byte]);
    }
    bench.sees_value("127.0").await;
}

#[test]
async fn the_unit_comes_from_the_user_property() {
    let network = Network::new();
    let bench = Bench::open();
    bench.engine.command(Command::Watch { ids: vec![0], width: 100 });
    let broker = Broker::accepted(&network, 0).await;
    let Packet::Publish(mut message) = publish("a", "5") else { unreachable!() };
    let unit = Property::UserProperty("unit".try_into().unwrap(), "lux".try_into().unwrap());
    message.properties = Properties::new([unit]).unwrap();
    broker.send(&[Packet::Publish(message)]);
    let unit = bench
        .sees("a card", |frame| match &frame.cards.first()?.value {
            Value::Number { unit, .. } => Some(unit.clone()),
            _ => None,
        })
        .await;
    assert_eq!(unit.as_deref(), Some("lux"));
}

#[test]
async fn a_lost_connection_is_said_and_made_again() {
    let network = Network::new();
    let bench = Bench::open();
    let broker = Broker::accepted(&network, 0).await;
    bench
        .sees("online", |frame| {
            matches!(frame.connection, Some(Connection::Online { .. })).then_some(())
        })
        .await;
    broker.close();
    assert_eq!(bench.sees_problem().await, Problem::Lost);
    bench.engine.command(Command::TryNow);
    let mut again = Broker::accepted(&network, 1).await;
    bench
        .sees("online", |frame| {
            matches!(frame.connection, Some(Connection::Online { .. })).then_some(())
        })
        .await;
    again.answer_subscribe(ReasonCode::Success).await;
    assert_eq!(network.sockets(), 2);
}

#[test]
async fn large_messages_are_waited_for_or_left_out_on_a_connection_of_their_own() {
    let network = Network::new();
    let bench = Bench::open();
    let _broker = Broker::accepted(&network, 0).await;
    let large = |frame: &Frame| match frame.connection {
        Some(Connection::Online { large, .. }) => Some(large),
        _ => None,
    };
    assert_eq!(bench.sees("online", large).await, None);
    for (index, waits, asked) in [(1, true, PACKET_SIZE_MAX), (2, false, PACKET_SIZE_CAUTIOUS)] {
        bench.engine.command(Command::WaitForLarge(waits));
        let mut broker = network.broker(index).await;
        let Packet::Connect(connect) = broker.next().await else { panic!("CONNECT comes first") };
        assert_eq!(connect.properties.maximum_packet_size(), Some(asked));
        broker.send(&[connack()]);
        let told = bench.sees("online", large).await;
        assert_eq!(matches!(told, Some(Large::WaitedFor { .. })), waits);
        assert_eq!(told == Some(Large::LeftOut(asked)), !waits);
    }
}

#[test]
async fn what_a_broker_does_wrong_is_a_sentence_not_the_end() {
    let network = Network::new();
    for (index, wrong) in ["garbage", "text", "refusal"].into_iter().enumerate() {
        let bench = Bench::open();
        let mut broker = network.broker(index).await;
        let Packet::Connect(_) = broker.next().await else { panic!("CONNECT comes first") };
        match wrong {
            "garbage" => broker.send_bytes(&[0xff; 16]),
            "text" => broker.send_text(),
            _ => {
                let Packet::ConnAck(mut refusal) = connack() else { unreachable!() };
                refusal.code = ReasonCode::ServerBusy;
                broker.send(&[Packet::ConnAck(refusal)]);
            }
        }
        let problem = bench.sees_problem().await;
        let fits = match wrong {
            "garbage" => matches!(problem, Problem::Malformed(_)),
            "text" => problem == Problem::Text,
            _ => problem == Problem::Refused("Server busy".into()),
        };
        assert!(fits, "{wrong}: {problem:?}");
        assert!(broker.is_closed(), "{wrong}");
    }
}

/// The name is asked for once more if it is not taken.
#[test]
async fn a_broker_that_wants_a_name_gets_it() {
    let network = Network::new();
    let bench = Bench::open();
    for (index, name) in [None, Some("who"), Some("josé")].into_iter().enumerate() {
        if let Some(name) = name {
            let (username, password) = (name.to_owned(), "secreto".to_owned());
            bench.engine.command(Command::SignIn(SignIn { username, password }));
        }
        let mut broker = network.broker(index).await;
        let Packet::Connect(connect) = broker.next().await else { panic!("CONNECT comes first") };
        assert_eq!(connect.username.as_deref(), name);
        assert_eq!(connect.password.is_some(), name.is_some());
        let Packet::ConnAck(mut answer) = connack() else { unreachable!() };
        if name == Some("josé") {
            broker.send(&[Packet::ConnAck(answer)]);
            bench
                .sees("online", |frame| {
                    matches!(frame.connection, Some(Connection::Online { .. })).then_some(())
                })
                .await;
        } else {
            answer.code = ReasonCode::NotAuthorized;
            broker.send(&[Packet::ConnAck(answer)]);
            let problem = bench.sees_problem().await;
            assert_eq!(problem, Problem::SignIn { name: name.unwrap_or_default().into() });
        }
    }
}

#[test]
async fn a_refused_subscription_is_said_while_the_connection_stays() {
    let network = Network::new();
    let bench = Bench::open();
    let mut broker = Broker::accepted(&network, 0).await;
    broker.answer_subscribe(ReasonCode::NotAuthorized).await;
    let answer = bench.sees("the refusal", answer).await;
    assert_eq!(answer, Answer::Refused(Reason::Broker("Not authorized (0x87)".into())));
    assert!(!broker.is_closed());
}

#[test]
async fn an_address_that_is_none_is_said() {
    let _network = Network::new();
    let bench = Bench::new();
    bench.engine.command(Command::Open(Box::new(Connect::new("gopher://broker.lan"))));
    assert!(matches!(bench.sees_problem().await, Problem::Address(_)));
}

#[test]
async fn publishing_says_what_became_of_it() {
    let network = Network::new();
    let bench = Bench::open();
    let ask = |ticket, topic: &str, qos| {
        let (topic, payload) = (topic.to_owned(), b"on".to_vec());
        bench.engine.command(Command::Publish(Publish {
            ticket,
            topic,
            payload,
            qos,
            retain: true,
            properties: Default::default(),
        }));
    };
    let outcome = async |ticket| {
        bench
            .sees("an outcome", |frame| {
                let published = frame.published.iter().rev();
                let mut last = published.filter(|published| {
                    published.ticket == ticket && published.outcome != Outcome::Waiting
                });
                last.next().map(|published| published.outcome.clone())
            })
            .await
    };
    ask(1, "home/lamp", 1);
    assert_eq!(outcome(1).await, Outcome::Failed(Failure::Offline));

    let mut broker = Broker::accepted(&network, 0).await;
    broker.answer_subscribe(ReasonCode::Success).await;
    ask(2, "home/+", 0);
    assert_eq!(outcome(2).await, Outcome::Failed(Failure::TopicWildcard));
    ask(3, "home/lamp", 1);
    let Packet::Publish(message) = broker.next().await else { panic!("PUBLISH is next") };
    assert_eq!((message.qos, message.retain), (QoS::AtLeastOnce, true));
    let ack = Ack::new(message.packet_id.unwrap(), ReasonCode::Success);
    broker.send(&[Packet::PubAck(ack)]);
    assert_eq!(outcome(3).await, Outcome::Acknowledged);
    ask(4, "home/lamp", 0);
    assert_eq!(outcome(4).await, Outcome::Sent);
}

/// What the broker says of the first subscription.
fn answer(frame: &Frame) -> Option<Answer> {
    frame.subscriptions.as_ref()?.first()?.answer.clone()
}

#[test]
async fn the_broker_is_told_everything_that_was_set() {
    let network = Network::new();
    let subscription = Subscription {
        qos: 1,
        no_local: true,
        retain_handling: 2,
        identifier: Some(7),
        ..Subscription::new("home/#")
    };
    let _bench = Bench::open_with(Connect {
        client_id: "panel".into(),
        username: "josé".into(),
        password: "ñ".into(),
        clean_start: false,
        session_expiry_s: 60,
        keep_alive_s: 5,
        will: Some(Will { topic: "panel".into(), payload: "gone".into(), ..Will::default() }),
        subscriptions: vec![subscription],
        ..Connect::new("wss://broker.lan/mqtt")
    });
    let mut broker = network.broker(0).await;
    let Packet::Connect(connect) = broker.next().await else { panic!("CONNECT comes first") };
    assert_eq!((connect.client_id.as_str(), connect.keep_alive_s), ("panel", 5));
    assert_eq!(connect.username.as_deref(), Some("josé"));
    assert_eq!(connect.password.as_deref(), Some("ñ".as_bytes()));
    assert!(!connect.clean_start);
    assert_eq!(connect.properties.session_expiry_interval(), Some(60));
    assert_eq!(connect.will.unwrap().topic.as_str(), "panel");
    broker.send(&[connack()]);
    let Packet::Subscribe(subscribe) = broker.next().await else { panic!("SUBSCRIBE is next") };
    let line = &subscribe.subscriptions[0];
    assert_eq!(line.filter.as_str(), "home/#");
    assert_eq!((line.options.qos, line.options.no_local), (QoS::AtLeastOnce, true));
    assert_eq!(line.options.retain_handling, RetainHandling::DoNotSend);
    assert_eq!(subscribe.properties.subscription_identifier(), Some(7));
}

#[test]
async fn each_version_of_the_protocol_is_spoken() {
    let network = Network::new();
    let versions = [
        (Version::V31, ProtocolVersion::V31),
        (Version::V311, ProtocolVersion::V311),
        (Version::V5, ProtocolVersion::V5),
    ];
    for (index, (version, spoken)) in versions.into_iter().enumerate() {
        let _bench = Bench::open_with(Connect { version, ..Connect::new("ws://broker.lan/mqtt") });
        let mut broker = network.broker(index).await;
        let Packet::Connect(connect) = broker.next().await else { panic!("CONNECT comes first") };
        assert_eq!(connect.version, spoken);
    }
}

#[test]
async fn nothing_is_subscribed_to_that_was_not_asked_for_and_filters_come_and_go() {
    let network = Network::new();
    let bench = Bench::open_with(Connect::new("ws://broker.lan/mqtt"));
    let mut broker = Broker::accepted(&network, 0).await;
    bench.engine.command(Command::Subscribe(Subscription { qos: 2, ..Subscription::new("a/#") }));
    let Packet::Subscribe(subscribe) = broker.next().await else { panic!("SUBSCRIBE is next") };
    assert_eq!(subscribe.subscriptions[0].filter.as_str(), "a/#");
    let suback = SubAck {
        packet_id: subscribe.packet_id,
        properties: Properties::EMPTY,
        codes: vec![ReasonCode::GrantedQoS1],
    };
    broker.send(&[Packet::SubAck(suback)]);
    assert_eq!(bench.sees("the answer", answer).await, Answer::Granted(1));

    // With a new connection it is asked for again by itself.
    broker.close();
    bench.engine.command(Command::TryNow);
    let mut broker = Broker::accepted(&network, 1).await;
    broker.answer_subscribe(ReasonCode::Success).await;
    assert_eq!(bench.sees("the answer", answer).await, Answer::Granted(0));

    bench.engine.command(Command::Unsubscribe("a/#".into()));
    let Packet::Unsubscribe(packet) = broker.next().await else { panic!("UNSUBSCRIBE is next") };
    assert_eq!(packet.filters[0].as_str(), "a/#");
    bench
        .sees("no subscription", |frame| {
            frame.subscriptions.as_ref().is_some_and(Vec::is_empty).then_some(())
        })
        .await;
}

#[test]
async fn a_filter_that_is_none_is_said() {
    let network = Network::new();
    let bench = Bench::open_with(Connect::new("ws://broker.lan/mqtt"));
    let _broker = Broker::accepted(&network, 0).await;
    bench.engine.command(Command::Subscribe(Subscription::new("a/#/b")));
    let answer = bench.sees("the answer", answer).await;
    assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
}

/// The Will is for those who leave without a word.
#[test]
async fn who_disconnects_says_goodbye_and_stays_away_until_asked() {
    let network = Network::new();
    let bench = Bench::open();
    let mut broker = Broker::accepted(&network, 0).await;
    broker.answer_subscribe(ReasonCode::Success).await;
    bench.engine.command(Command::Disconnect);
    assert!(matches!(broker.next().await, Packet::Disconnect(_)));
    assert_eq!(bench.sees_problem().await, Problem::Asked);
    assert!(broker.is_closed());
    bench.engine.command(Command::TryNow);
    let mut broker = Broker::accepted(&network, 1).await;
    broker.answer_subscribe(ReasonCode::Success).await;

    // Other settings are a new connection, and the one before ends like that too.
    bench.engine.command(Command::Open(Box::new(Connect::new("ws://broker.lan/mqtt"))));
    assert!(matches!(broker.next().await, Packet::Disconnect(_)));
    Broker::accepted(&network, 2).await;
}

#[test]
async fn a_server_of_web_sockets_without_mqtt_is_told_from_none() {
    let network = Network::new();
    let bench = Bench::open_with(Connect::new("wss://broker.lan/"));
    network.refuse(0).await;
    assert_eq!(bench.sees_problem().await, Problem::Unreachable { is_secure: true });
    network.answer_without_subprotocol(1).await;
    assert_eq!(bench.sees_problem().await, Problem::NoMqtt);
}

#[test]
async fn a_broker_that_closes_at_once_or_speaks_another_version_is_said() {
    let network = Network::new();
    let bench = Bench::open();
    let mut broker = network.broker(0).await;
    let Packet::Connect(_) = broker.next().await else { panic!("CONNECT comes first") };
    broker.close();
    assert_eq!(bench.sees_problem().await, Problem::Unanswered);
    bench.engine.command(Command::TryNow);
    let mut broker = network.broker(1).await;
    let Packet::Connect(_) = broker.next().await else { panic!("CONNECT comes first") };
    let Packet::ConnAck(mut answer) = connack() else { unreachable!() };
    answer.code = ReasonCode::UnsupportedProtocolVersion;
    broker.send(&[Packet::ConnAck(answer)]);
    assert_eq!(bench.sees_problem().await, Problem::Version);
}

#[test]
async fn settings_that_make_no_packet_are_said() {
    let _network = Network::new();
    let bench = Bench::open_with(Connect { client_id: "a\0".into(), ..Connect::new("ws://a") });
    assert!(matches!(bench.sees_problem().await, Problem::Options(_)));
}
