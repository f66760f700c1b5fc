//! Many messages in one write, which the broker may pass on together: each receiver gets all of them, in
//! their order, and as it wants them.

use codec::{Packet, Property, ProtocolVersion, Publish};
use tests::Broker;

use crate::client::*;

/// Messages of one write.
const COUNT: usize = 60;

/// One of the many things that a client may say between plain messages on one topic.
fn next(random: &mut fastrand::Rng, version: ProtocolVersion, number: usize) -> Publish {
    let payload = number.to_string();
    let plain = |topic: &str| publish(topic, payload.clone(), AtMostOnce, 1);
    let packet_id = u16::try_from(number).unwrap() + 1;
    match random.u32(0..40) {
        0 => plain("t/other"),
        1 => plain("t/\u{fc}"),
        2 => retained("t/same", payload, AtMostOnce),
        3 => publish("t/same", payload, AtLeastOnce, packet_id),
        4 => publish("t/same", format!("{payload}{}", " ".repeat(3000)), AtMostOnce, 1),
        5 if version.is_v5() => {
            let properties = properties([Property::UserProperty(text("a"), text("b"))]);
            Publish { properties, ..plain("t/same") }
        }
        _ => plain("t/same"),
    }
}

/// Receivers of all versions, on all workers, with and without a Subscription Identifier.
#[test]
fn messages_of_one_write_arrive_in_their_order_at_everybody() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let broker = Broker::start();
    for round in 0..30 {
        let version = VERSIONS[round % VERSIONS.len()];
        let mut publisher = Client::clean(&broker, version, "publisher");
        let mut receivers: Vec<_> = (0..random.usize(1..5))
            .map(|number| {
                let version = VERSIONS[random.usize(..VERSIONS.len())];
                let mut client = Client::clean(&broker, version, &format!("receiver {number}"));
                match random.u32(0..4) {
                    0 if version.is_v5() => client.subscribe_id("t/#", AtMostOnce, 7),
                    1 => client.subscribe_qos("t/#", AtLeastOnce),
                    _ => client.subscribe_qos("t/#", AtMostOnce),
                }
                client
            })
            .collect();
        let messages: Vec<_> =
            (0..COUNT).map(|number| next(&mut random, version, number)).collect();
        publisher.send_all(messages.iter().cloned().map(Packet::Publish));
        for receiver in &mut receivers {
            for message in &messages {
                let got = receiver.take_any();
                assert_eq!(payload(&got), payload(message), "seed {seed}");
                assert_eq!(got.topic, message.topic, "seed {seed}");
            }
        }
        for client in receivers {
            client.disconnect();
        }
        publisher.vanish();
        let mut tidy = Client::clean(&broker, V311, "tidy");
        tidy.publish_as(retained("t/same", "", AtLeastOnce));
        tidy.disconnect();
    }
}

/// Who is subscribed to what it publishes gets it in its order, before the answer to what it asks next.
#[test]
fn a_client_gets_its_own_messages_before_what_it_asks_for_next() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut client = Client::clean(&broker, version, "client");
        client.subscribe_qos("t", AtMostOnce);
        let mut other = Client::clean(&broker, version, "other");
        other.subscribe_qos("t", AtMostOnce);
        let plain =
            |number: usize| Packet::Publish(publish("t", number.to_string(), AtMostOnce, 1));
        client.send_all((0..20).map(plain).chain([Packet::PingReq]));
        for number in 0..20 {
            assert_eq!(payload(&client.receive_publish()), number.to_string());
            assert_eq!(payload(&other.receive_publish()), number.to_string());
        }
        client.expect(Packet::PingResp);
    }
}

/// So many that no worker gives a message to all of its own in one turn.
#[test]
fn messages_for_very_many_arrive_in_their_order_at_everybody() {
    allow_many_files();
    let broker = Broker::start();
    let mut receivers: Vec<_> = (0..5000)
        .map(|number| {
            let version = VERSIONS[number % VERSIONS.len()];
            let mut client = Client::clean(&broker, version, &format!("receiver {number}"));
            client.subscribe_qos("t/same", AtMostOnce);
            client
        })
        .collect();
    let mut publisher = Client::clean(&broker, ProtocolVersion::V311, "publisher");
    let messages: Vec<_> = (0..20)
        .map(|number| match number % 10 {
            0 => retained("t/same", number.to_string(), AtMostOnce),
            1 => publish("t/same", format!("{number}{}", " ".repeat(3000)), AtMostOnce, 1),
            _ => publish("t/same", number.to_string(), AtMostOnce, 1),
        })
        .collect();
    let packets = || messages.iter().cloned().map(Packet::Publish);
    publisher.send_all(packets().take(10));
    packets().skip(10).for_each(|packet| publisher.send_all([packet]));
    for receiver in &mut receivers {
        for message in &messages {
            assert_eq!(payload(&receiver.take_any()), payload(message));
        }
    }
}
