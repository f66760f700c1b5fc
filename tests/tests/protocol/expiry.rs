//! The Message Expiry Interval (MQTT 5.0 §3.3.2.3.3).

use std::time::Duration;

use codec::{Packet, Property, Publish, QoS};
use tests::Broker;

use crate::client::*;

fn expiring(payload: &'static str, qos: QoS, seconds: u32) -> Publish {
    let properties = properties([Property::MessageExpiryInterval(seconds)]);
    Publish { properties, ..publish("t", payload, qos, 1) }
}

/// A message that waits grows older, and one that expired is not sent.
/// [MQTT-3.3.2-5, MQTT-3.3.2-6]
#[test]
fn messages_expire_while_they_wait() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    for version in VERSIONS {
        for qos in [AtLeastOnce, ExactlyOnce] {
            let mut client = Client::connect(&broker, persistent(version, &format!("{version}")));
            client.subscribe_qos("t", qos);
            client.disconnect();
        }
    }
    publisher.publish_as(expiring("long", ExactlyOnce, 100));
    publisher.publish_as(expiring("short", ExactlyOnce, 1));
    publisher.publish("t", "for ever");
    let_pass(Duration::from_millis(1100));
    for version in VERSIONS {
        let mut client = Client::connect(&broker, persistent(version, &format!("{version}")));
        let long = client.take("long");
        if version.is_v5() {
            let left_s = long.properties.message_expiry_interval().unwrap();
            assert!((90..=99).contains(&left_s), "{left_s}");
        }
        assert_eq!(client.take("for ever").properties.message_expiry_interval(), None);
        client.expect_nothing();
    }
}

/// A message that does not wait has its whole time left.
/// [MQTT-3.3.2-6]
#[test]
fn a_message_that_does_not_wait_keeps_its_interval() {
    let broker = Broker::start();
    let mut client = Client::clean(&broker, V5, "c");
    client.subscribe_qos("t", ExactlyOnce);
    let mut publisher = Client::clean(&broker, V5, "publisher");
    for qos in QOS {
        publisher.publish_as(expiring("x", qos, 1000));
        let left_s = client.take("x").properties.message_expiry_interval().unwrap();
        assert!((990..=1000).contains(&left_s), "{left_s}");
    }
}

/// What was sent once is sent again, even if its time has passed.
/// [MQTT-4.3.3-7, MQTT-4.3.3-13, MQTT-4.4.0-1]
#[test]
fn a_message_that_was_sent_does_not_expire() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    for qos in [AtLeastOnce, ExactlyOnce] {
        let mut client = Client::connect(&broker, persistent(V5, "c"));
        client.subscribe_qos("t", qos);
        publisher.publish_as(expiring("sent", qos, 1));
        let sent = client.receive_publish();
        client.vanish();
        publisher.publish_as(expiring("waited", qos, 1));
        let_pass(Duration::from_millis(1100));
        let mut client = Client::connect(&broker, persistent(V5, "c"));
        let again = client.take("sent");
        assert_eq!((again.dup, again.packet_id), (true, sent.packet_id));
        assert_eq!(again.properties.message_expiry_interval(), Some(0));
        client.expect_nothing();
        client.disconnect();
    }
}

/// A message that waits for the Receive Maximum may expire there.
/// [MQTT-3.3.2-5]
#[test]
fn messages_expire_behind_the_receive_maximum() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let properties = properties([Property::ReceiveMaximum(1)]);
    let mut client = Client::connect(&broker, codec::Connect { properties, ..connect(V5, "c") });
    client.subscribe_qos("t", AtLeastOnce);
    publisher.publish_as(expiring("sent", AtLeastOnce, 1));
    publisher.publish_as(expiring("waited", AtLeastOnce, 1));
    publisher.publish("t", "for ever");
    let sent = client.receive_publish();
    assert_eq!(payload(&sent), "sent");
    let_pass(Duration::from_millis(1100));
    let ack = codec::Ack::new(sent.packet_id.unwrap(), codec::ReasonCode::Success);
    client.send(Packet::PubAck(ack));
    client.take("for ever");
    client.expect_nothing();
}

/// An interval of 0 is for those who are there now: they get it, and nobody does later.
/// [MQTT-3.3.2-5, MQTT-3.3.2-6]
#[test]
fn an_interval_of_zero_is_for_those_who_are_there() {
    let broker = Broker::start();
    let mut away = Client::connect(&broker, persistent(V5, "away"));
    away.subscribe_qos("t", AtLeastOnce);
    away.disconnect();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let mut here: Vec<_> = (0..2)
        .map(|number| {
            let mut client = Client::clean(&broker, V5, &format!("here {number}"));
            client.subscribe_qos("t", ExactlyOnce);
            client
        })
        .collect();
    for qos in QOS {
        publisher.publish_as(Publish { retain: true, ..expiring("now", qos, 0) });
        for client in &mut here {
            assert_eq!(client.take("now").properties.message_expiry_interval(), Some(0));
        }
    }
    let_pass(Duration::from_millis(1100));
    Client::connect(&broker, persistent(V5, "away")).expect_nothing();
    here[0].subscribe_qos("t", AtLeastOnce);
    here[0].expect_nothing();
}
