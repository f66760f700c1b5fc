//! Publisher and subscriber lose their connections again and again, wherever they are in a flow, and
//! QoS 1 and 2 keep what they promise (MQTT 5.0 §4.3, §4.4).

use std::collections::BTreeSet;

use codec::{Ack, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode};
use tests::Broker;

use crate::client::*;

const MESSAGES: u32 = 200;

/// A client that comes back after each cut, and cuts its connection at random.
struct Unlucky<'a> {
    broker: &'a Broker,
    version: ProtocolVersion,
    id: &'static str,
    client: Client,
    random: fastrand::Rng,
}

impl<'a> Unlucky<'a> {
    fn new(broker: &'a Broker, version: ProtocolVersion, id: &'static str, seed: u64) -> Self {
        let client = Client::connect(broker, persistent(version, id));
        Self { broker, version, id, client, random: fastrand::Rng::with_seed(seed) }
    }

    /// Perhaps loses the connection; says whether it did.
    fn perhaps_cut(&mut self) -> bool {
        if self.random.u8(..4) != 0 {
            return false;
        }
        let next = |this: &Self| {
            let connect = persistent(this.version, this.id);
            let (client, connack) = Client::connect_and_look(this.broker, connect);
            assert_eq!(connack.session_present, this.version != V31);
            client
        };
        if self.random.bool() {
            // The broker has not noticed yet: the new connection takes over.
            self.client = next(self);
        } else {
            let other = Client::open(self.broker, self.version);
            std::mem::replace(&mut self.client, other).vanish();
            self.client = next(self);
        }
        true
    }

    /// Publishes one message by all the rules.
    fn publish(&mut self, number: u32, qos: QoS) {
        let packet_id = id(u16::try_from(number % 5 + 1).unwrap());
        let message = publish("t", number.to_string(), qos, packet_id.get());
        let mut dup = false;
        loop {
            self.client.send(Packet::Publish(Publish { dup, ..message.clone() }));
            dup = true;
            if self.perhaps_cut() {
                continue;
            }
            let ack = self.client.receive();
            assert!(matches!(ack, Packet::PubAck(_) | Packet::PubRec(_)), "{ack:?}");
            break;
        }
        if qos == AtLeastOnce {
            return;
        }
        loop {
            self.perhaps_cut();
            self.client.send(Packet::PubRel(Ack::new(packet_id, ReasonCode::Success)));
            if !self.perhaps_cut() {
                let done = self.client.receive();
                assert!(matches!(done, Packet::PubComp(_)), "{done:?}");
                return;
            }
        }
    }

    /// Receives all messages by all the rules; shows the numbers of those that were new to it.
    fn receive_all(&mut self) -> Vec<u32> {
        let mut numbers = Vec::new();
        let mut known = BTreeSet::<PacketId>::new();
        while !numbers.ends_with(&[MESSAGES - 1]) || !known.is_empty() {
            if self.perhaps_cut() {
                continue;
            }
            let packet = self.client.receive();
            match &packet {
                Packet::Publish(message) => {
                    let packet_id = message.packet_id.unwrap();
                    let new = message.qos == AtLeastOnce || known.insert(packet_id);
                    assert!(new || message.dup, "a copy says that it is one: {message:?}");
                    if new {
                        numbers.push(payload(message).parse().unwrap());
                    }
                }
                Packet::PubRel(ack) => {
                    known.remove(&ack.packet_id);
                }
                other => panic!("{other:?}"),
            }
            if !self.perhaps_cut() {
                self.client.answer(&packet);
            }
        }
        numbers
    }
}

fn numbers_that_arrive(version: ProtocolVersion, qos: QoS, seed: u64) -> Vec<u32> {
    let broker = Broker::start_on(tests::broker::Ports::free(), &[]);
    let mut subscriber = Unlucky::new(&broker, version, "subscriber", seed);
    subscriber.client.subscribe_qos("t", qos);
    let mut publisher = Unlucky::new(&broker, version, "publisher", seed + 1);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..MESSAGES {
                publisher.publish(number, qos);
            }
        });
        subscriber.receive_all()
    })
}

/// QoS 2 arrives exactly once, and in order.
/// [MQTT-4.3.3-1, MQTT-4.3.3-2, MQTT-4.3.3-3, MQTT-4.3.3-4, MQTT-4.3.3-5, MQTT-4.3.3-6,
/// MQTT-4.3.3-8, MQTT-4.3.3-10, MQTT-4.3.3-11, MQTT-4.3.3-12, MQTT-4.4.0-1], 3.1.1 [MQTT-4.3.3-1,
/// MQTT-4.3.3-2, MQTT-4.4.0-1]
#[test]
fn qos_2_arrives_exactly_once() {
    for version in VERSIONS {
        let seed = fastrand::u64(..u64::MAX);
        println!("{version}: seed {seed}");
        let numbers = numbers_that_arrive(version, ExactlyOnce, seed);
        assert_eq!(numbers, (0..MESSAGES).collect::<Vec<_>>());
    }
}

/// QoS 1 arrives at least once, and what is new in order.
/// [MQTT-4.3.2-1, MQTT-4.3.2-2, MQTT-4.3.2-3, MQTT-4.3.2-4, MQTT-4.3.2-5, MQTT-4.4.0-1], 3.1.1
/// [MQTT-4.3.2-1, MQTT-4.3.2-2, MQTT-4.4.0-1]
#[test]
fn qos_1_arrives_at_least_once() {
    for version in VERSIONS {
        let seed = fastrand::u64(..u64::MAX);
        println!("{version}: seed {seed}");
        let mut numbers = numbers_that_arrive(version, AtLeastOnce, seed);
        let mut seen = BTreeSet::new();
        numbers.retain(|number| seen.insert(*number));
        assert_eq!(numbers, (0..MESSAGES).collect::<Vec<_>>());
    }
}
