//! The engine over a socket: what comes off the wire reaches the page, whatever happens to the wire.

use std::cell::RefCell;
use std::rc::Rc;

use client_wasm::engine::Engine;
use client_wasm::protocol::{
    Command, Connection, Failure, Frame, Outcome, Problem, Publish, SignIn, Value,
};
use client_wasm::store::Limits;
use codec::{Ack, Packet, Properties, Property, QoS, ReasonCode};
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
        let bench = Self::new();
        bench.engine.command(Command::Open { url: "ws://broker.lan/mqtt".into() });
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
            "text" => problem == Problem::Lost,
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
            assert_eq!(problem, Problem::SignIn { refused: name.is_some() });
        }
    }
}

#[test]
async fn a_refused_subscription_is_said_while_the_connection_stays() {
    let network = Network::new();
    let bench = Bench::open();
    let mut broker = Broker::accepted(&network, 0).await;
    broker.answer_subscribe(ReasonCode::NotAuthorized).await;
    let reason = bench
        .sees("the refusal", |frame| match &frame.connection {
            Some(Connection::Online { not_subscribed, .. }) => not_subscribed.clone(),
            _ => None,
        })
        .await;
    assert!(reason.contains("Not authorized"), "{reason}");
}

#[test]
async fn an_address_that_is_none_is_said() {
    let _network = Network::new();
    let bench = Bench::new();
    bench.engine.command(Command::Open { url: "gopher://broker.lan".into() });
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
