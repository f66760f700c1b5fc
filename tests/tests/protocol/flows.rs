//! QoS 1 and 2 in both directions (MQTT 5.0 §4.3, §4.4, §4.6, §4.9).

use codec::{Ack, Connect, Packet, Property, ProtocolVersion, Publish, ReasonCode};
use tests::Broker;

use crate::client::*;

fn ack(packet_id: codec::PacketId) -> Ack {
    Ack::new(packet_id, ReasonCode::Success)
}

/// A client whose session lasts, subscribed to `t`, and one that publishes.
fn subscriber_and_publisher(
    broker: &Broker,
    version: ProtocolVersion,
    qos: codec::QoS,
) -> (Client, Client) {
    let mut subscriber = Client::connect(broker, persistent(version, &format!("sub {version}")));
    subscriber.subscribe_qos("t", qos);
    (subscriber, Client::clean(broker, version, "publisher"))
}

/// Comes back as the client of [`subscriber_and_publisher`].
fn back(broker: &Broker, version: ProtocolVersion) -> Client {
    Client::connect(broker, persistent(version, &format!("sub {version}")))
}

/// Each QoS in both directions, in each version.
/// [MQTT-2.2.1-2, MQTT-2.2.1-4, MQTT-2.2.1-5, MQTT-3.3.4-1, MQTT-3.8.4-8, MQTT-4.3.1-1,
/// MQTT-4.3.2-1, MQTT-4.3.2-2, MQTT-4.3.2-4, MQTT-4.3.3-1, MQTT-4.3.3-2, MQTT-4.3.3-4,
/// MQTT-4.3.3-8, MQTT-4.3.3-11], 3.1.1 [MQTT-2.3.1-4, MQTT-2.3.1-5, MQTT-2.3.1-6, MQTT-3.3.4-1,
/// MQTT-3.8.4-6, MQTT-4.3.1-1, MQTT-4.3.2-1, MQTT-4.3.2-2, MQTT-4.3.3-1, MQTT-4.3.3-2]
#[test]
fn a_message_travels_with_the_lower_qos_of_both_ends() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut publisher = Client::clean(&broker, version, "publisher");
        for granted in QOS {
            let mut subscriber = Client::clean(&broker, version, "subscriber");
            subscriber.subscribe_qos("t", granted);
            for published in QOS {
                publisher.publish_as(publish("t", "x", published, 1));
                let taken = subscriber.take("x");
                assert_eq!(
                    (taken.qos, taken.dup, taken.retain),
                    (published.min(granted), false, false)
                );
            }
            subscriber.expect_nothing();
            subscriber.disconnect();
        }
    }
}

/// A PUBLISH of QoS 2 that is sent again before PUBREL is the same message; after PUBREL its
/// identifier is free for another.
/// [MQTT-3.3.1-3, MQTT-4.3.3-10, MQTT-4.3.3-12], 3.1.1 [MQTT-3.3.1-3, MQTT-4.3.3-2]
#[test]
fn a_repeated_publish_of_qos_2_is_delivered_once() {
    let broker = Broker::start();
    for version in VERSIONS {
        let (mut subscriber, _) = subscriber_and_publisher(&broker, version, ExactlyOnce);
        let mut publisher =
            Client::connect(&broker, persistent(version, &format!("exact {version}")));
        let message = publish("t", "once", ExactlyOnce, 9);
        publisher.send(Packet::Publish(message.clone()));
        publisher.expect(Packet::PubRec(ack(id(9))));
        let again = Publish { dup: true, ..message };
        publisher.send(Packet::Publish(again.clone()));
        publisher.expect(Packet::PubRec(ack(id(9))));
        // The same after the connection was lost: the identifier belongs to the session.
        publisher.vanish();
        let mut publisher =
            Client::connect(&broker, persistent(version, &format!("exact {version}")));
        publisher.send(Packet::Publish(again));
        publisher.expect(Packet::PubRec(ack(id(9))));
        publisher.send(Packet::PubRel(ack(id(9))));
        publisher.expect(Packet::PubComp(ack(id(9))));
        publisher.send(Packet::Publish(publish("t", "another", ExactlyOnce, 9)));
        publisher.expect(Packet::PubRec(ack(id(9))));

        subscriber.take("once");
        subscriber.take("another");
        subscriber.expect_nothing();
        subscriber.disconnect();
    }
}

/// Each PUBLISH of QoS 1 that comes after its PUBACK is a new message, DUP or not.
/// [MQTT-3.3.1-3, MQTT-4.3.2-5], 3.1.1 [MQTT-3.3.1-3, MQTT-4.3.2-2]
#[test]
fn an_acknowledged_identifier_of_qos_1_is_free() {
    let broker = Broker::start();
    for version in VERSIONS {
        let (mut subscriber, mut publisher) =
            subscriber_and_publisher(&broker, version, AtLeastOnce);
        for (dup, payload) in [(false, "1"), (true, "2"), (false, "3")] {
            let message = Publish { dup, ..publish("t", payload, AtLeastOnce, 5) };
            publisher.send(Packet::Publish(message));
            publisher.expect(Packet::PubAck(ack(id(5))));
            // [MQTT-3.3.1-3]: DUP is not passed on.
            assert!(!subscriber.take(payload).dup);
        }
    }
}

/// PUBREL for an identifier that is not in use is answered all the same.
/// [MQTT-3.7.2-1, MQTT-4.3.3-11], 3.1.1 [MQTT-4.3.3-2]
#[test]
fn an_unknown_pubrel_is_answered() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut client = Client::clean(&broker, version, "c");
        client.send(Packet::PubRel(ack(id(77))));
        let code = if version.is_v5() {
            ReasonCode::PacketIdentifierNotFound
        } else {
            ReasonCode::Success
        };
        client.expect(Packet::PubComp(Ack::new(id(77), code)));
    }
}

/// MQTT 5.0 §3.7.2.1: the PUBREL of a client that missed the PUBCOMP and has come back is no error.
/// [MQTT-3.7.2-1]
#[test]
fn a_pubrel_that_is_sent_again_after_a_lost_connection_succeeds() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut client = Client::connect(&broker, persistent(version, "c"));
        client.send(Packet::Publish(publish("t", "x", ExactlyOnce, 9)));
        client.expect(Packet::PubRec(ack(id(9))));
        client.send(Packet::PubRel(ack(id(9))));
        client.expect(Packet::PubComp(ack(id(9))));
        client.vanish();
        let mut client = Client::connect(&broker, persistent(version, "c"));
        client.send(Packet::PubRel(ack(id(9))));
        client.expect(Packet::PubComp(ack(id(9))));
        client.disconnect();
    }
}

/// MQTT 5.0 §3.6.2.1: PUBREC for an identifier that is not in use is answered with what it is;
/// other acknowledgements without a message do no harm.
/// [MQTT-3.6.2-1]
#[test]
fn acknowledgements_without_a_message_do_no_harm() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut client = Client::clean(&broker, version, "c");
        client.send(Packet::PubAck(ack(id(77))));
        client.send(Packet::PubComp(ack(id(77))));
        client.expect_nothing();
        client.send(Packet::PubRec(ack(id(77))));
        let code = if version.is_v5() {
            ReasonCode::PacketIdentifierNotFound
        } else {
            ReasonCode::Success
        };
        client.expect(Packet::PubRel(Ack::new(id(77), code)));
        client.send(Packet::PubComp(ack(id(77))));
        client.expect_nothing();
    }
}

/// What was not acknowledged is sent again with DUP and the same identifier, in its order, before
/// anything new.
/// [MQTT-3.3.1-1, MQTT-4.3.2-3, MQTT-4.3.3-3, MQTT-4.4.0-1], 3.1.1 [MQTT-2.3.1-4, MQTT-3.3.1-1,
/// MQTT-4.3.2-1, MQTT-4.4.0-1]
#[test]
fn unacknowledged_messages_are_sent_again() {
    let broker = Broker::start();
    for version in VERSIONS {
        for qos in [AtLeastOnce, ExactlyOnce] {
            let (mut subscriber, mut publisher) = subscriber_and_publisher(&broker, version, qos);
            for payload in ["1", "2", "3"] {
                publisher.publish_as(publish("t", payload, qos, 1));
            }
            let first: Vec<_> = (0..3).map(|_| subscriber.receive_publish()).collect();
            subscriber.vanish();
            publisher.publish_as(publish("t", "4", qos, 1));
            let mut subscriber = back(&broker, version);
            for message in first {
                assert!(!message.dup);
                assert_eq!(subscriber.take_any(), Publish { dup: true, ..message });
            }
            assert!(!subscriber.take("4").dup);
            subscriber.expect_nothing();
            subscriber.disconnect();
            // All is settled: nothing comes a third time.
            back(&broker, version).expect_nothing();
        }
    }
}

/// After PUBREC it is PUBREL that is sent again, and never the message.
/// [MQTT-4.3.3-3, MQTT-4.3.3-4, MQTT-4.3.3-5, MQTT-4.3.3-6, MQTT-4.4.0-1], 3.1.1 [MQTT-4.3.3-1,
/// MQTT-4.4.0-1]
#[test]
fn an_unfinished_release_is_sent_again() {
    let broker = Broker::start();
    for version in VERSIONS {
        let (mut subscriber, mut publisher) =
            subscriber_and_publisher(&broker, version, ExactlyOnce);
        publisher.publish_as(publish("t", "1", ExactlyOnce, 1));
        publisher.publish_as(publish("t", "2", ExactlyOnce, 1));
        let first = subscriber.receive_publish();
        let second = subscriber.receive_publish();
        let (first_id, second_id) = (first.packet_id.unwrap(), second.packet_id.unwrap());
        subscriber.send(Packet::PubRec(ack(first_id)));
        subscriber.expect(Packet::PubRel(ack(first_id)));
        subscriber.vanish();

        // PUBREL again, and again, for as long as it is not answered.
        for _ in 0..2 {
            let mut subscriber = back(&broker, version);
            subscriber.expect(Packet::PubRel(ack(first_id)));
            let again = subscriber.receive_publish();
            assert_eq!(again, Publish { dup: true, ..second.clone() });
            subscriber.vanish();
        }
        let mut subscriber = back(&broker, version);
        subscriber.expect(Packet::PubRel(ack(first_id)));
        subscriber.send(Packet::PubComp(ack(first_id)));
        subscriber.receive_publish();
        subscriber.send(Packet::PubRec(ack(second_id)));
        subscriber.expect(Packet::PubRel(ack(second_id)));
        subscriber.send(Packet::PubComp(ack(second_id)));
        subscriber.expect_nothing();
        subscriber.disconnect();
        back(&broker, version).expect_nothing();
    }
}

/// A PUBREC that refuses ends the exchange: neither PUBREL nor the message follows.
/// [MQTT-4.4.0-2]
#[test]
fn a_refused_message_is_done_with() {
    let broker = Broker::start();
    let (mut subscriber, mut publisher) = subscriber_and_publisher(&broker, V5, ExactlyOnce);
    publisher.publish_as(publish("t", "unwanted", ExactlyOnce, 1));
    let message = subscriber.receive_publish();
    let refusal = Ack::new(message.packet_id.unwrap(), ReasonCode::ImplementationSpecificError);
    subscriber.send(Packet::PubRec(refusal));
    subscriber.expect_nothing();
    subscriber.vanish();
    let mut subscriber = back(&broker, V5);
    subscriber.expect_nothing();
    publisher.publish_as(publish("t", "next", ExactlyOnce, 1));
    subscriber.take("next");
}

/// Acknowledgements of the wrong kind are a protocol error.
/// [MQTT-4.13.1-1], 3.1.1 [MQTT-4.8.0-1]
#[test]
fn an_acknowledgement_of_the_wrong_kind_ends_the_connection() {
    let broker = Broker::start();
    for version in VERSIONS {
        for (qos, wrong) in [
            (ExactlyOnce, Packet::PubAck as fn(Ack) -> Packet),
            (ExactlyOnce, Packet::PubComp),
            (AtLeastOnce, Packet::PubRec),
            (AtLeastOnce, Packet::PubComp),
        ] {
            let (mut subscriber, mut publisher) = subscriber_and_publisher(&broker, version, qos);
            publisher.publish_as(publish("t", "1", qos, 1));
            let message = subscriber.receive_publish();
            subscriber.send(wrong(ack(message.packet_id.unwrap())));
            subscriber.expect_disconnect(ReasonCode::ProtocolError);
            let mut subscriber = back(&broker, version);
            subscriber.take("1");
            subscriber.disconnect();
        }
    }
}

/// With a Receive Maximum of 1 the next message waits for the acknowledgement of the one before.
/// [MQTT-3.3.4-9, MQTT-3.3.4-10, MQTT-4.9.0-1, MQTT-4.9.0-2, MQTT-4.9.0-3]
#[test]
fn the_receive_maximum_of_a_client_is_respected() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    for qos in [AtLeastOnce, ExactlyOnce] {
        let mut subscriber = Client::connect(
            &broker,
            Connect { properties: properties([Property::ReceiveMaximum(1)]), ..connect(V5, "one") },
        );
        subscriber.subscribe_qos("t", ExactlyOnce);
        for payload in ["1", "2", "3"] {
            publisher.publish_as(publish("t", payload, qos, 1));
        }
        // QoS 0 is not held up.
        publisher.publish_as(publish("t", "aside", AtMostOnce, 1));
        let first = subscriber.receive_publish();
        assert_eq!(payload(&first), "1");
        subscriber.take("aside");
        subscriber.expect_nothing();
        let packet_id = first.packet_id.unwrap();
        if qos == AtLeastOnce {
            subscriber.send(Packet::PubAck(ack(packet_id)));
        } else {
            subscriber.send(Packet::PubRec(ack(packet_id)));
            subscriber.expect(Packet::PubRel(ack(packet_id)));
            subscriber.expect_nothing();
            subscriber.send(Packet::PubComp(ack(packet_id)));
        }
        subscriber.take("2");
        subscriber.take("3");
        subscriber.expect_nothing();
        subscriber.disconnect();
    }
}

/// A refusing PUBREC makes room too, and a lower Receive Maximum of the next connection holds for
/// what is sent again.
/// [MQTT-4.4.0-2, MQTT-4.9.0-2]
#[test]
fn the_receive_maximum_holds_for_what_is_sent_again() {
    let broker = Broker::start();
    let lasting = |receive_maximum| {
        let lasting = Property::SessionExpiryInterval(FOREVER_S);
        resuming("sub", [lasting, Property::ReceiveMaximum(receive_maximum)])
    };
    let mut subscriber = Client::connect(&broker, lasting(3));
    subscriber.subscribe_qos("t", ExactlyOnce);
    let mut publisher = Client::clean(&broker, V5, "publisher");
    for payload in ["1", "2", "3", "4"] {
        publisher.publish_as(publish("t", payload, ExactlyOnce, 1));
    }
    for _ in 0..3 {
        subscriber.receive_publish();
    }
    subscriber.vanish();

    let mut subscriber = Client::connect(&broker, lasting(1));
    for (payload, dup) in [("1", true), ("2", true), ("3", true), ("4", false)] {
        let message = subscriber.receive_publish();
        assert_eq!((crate::client::payload(&message), message.dup), (payload, dup));
        subscriber.expect_nothing();
        let refused = Ack::new(message.packet_id.unwrap(), ReasonCode::UnspecifiedError);
        subscriber.send(Packet::PubRec(refused));
    }
    subscriber.expect_nothing();
}

/// One message beyond our Receive Maximum, and the connection ends with 0x93.
/// [MQTT-3.3.4-7, MQTT-4.13.1-1]
#[test]
fn our_receive_maximum_is_enforced() {
    let broker = Broker::start();
    let (mut client, connack) = Client::connect_and_look(&broker, connect(V5, "eager"));
    let maximum = connack.properties.receive_maximum().expect("the broker says its own");
    for packet_id in 1..=maximum {
        client.send(Packet::Publish(publish("t", "x", ExactlyOnce, packet_id)));
        client.expect(Packet::PubRec(ack(id(packet_id))));
    }
    // What ends makes room, QoS 0 needs none, and what is there already is not counted twice.
    client.send(Packet::PubRel(ack(id(1))));
    client.expect(Packet::PubComp(ack(id(1))));
    client.publish_as(publish("t", "x", AtMostOnce, 1));
    client.send(Packet::Publish(publish("t", "x", ExactlyOnce, maximum)));
    assert!(matches!(client.receive(), Packet::PubRec(_)));
    client.send(Packet::Publish(publish("t", "x", ExactlyOnce, maximum + 1)));
    assert!(matches!(client.receive(), Packet::PubRec(_)));
    client.send(Packet::Publish(publish("t", "x", ExactlyOnce, maximum + 2)));
    client.expect_disconnect(ReasonCode::ReceiveMaximumExceeded);
}

/// An identifier can't be in use for two messages at once.
/// [MQTT-2.2.1-3], 3.1.1 [MQTT-2.3.1-2]
#[test]
fn an_identifier_in_use_with_another_qos_is_a_protocol_error() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut client = Client::clean(&broker, version, "c");
        client.send(Packet::Publish(publish("t", "x", ExactlyOnce, 3)));
        assert!(matches!(client.receive(), Packet::PubRec(_)));
        client.send(Packet::Publish(publish("t", "x", AtLeastOnce, 3)));
        client.expect_disconnect(ReasonCode::ProtocolError);
    }
}

/// MQTT 5.0 §3.4.2.1: PUBACK says when nobody is subscribed; PUBREC may, and does not.
/// [MQTT-3.4.2-1, MQTT-3.5.2-1]
#[test]
fn the_publisher_hears_that_nobody_is_subscribed() {
    let broker = Broker::start();
    let mut client = Client::clean(&broker, V5, "c");
    for (qos, code) in
        [(AtLeastOnce, ReasonCode::NoMatchingSubscribers), (ExactlyOnce, ReasonCode::Success)]
    {
        assert_eq!(client.publish_as(publish("nobody", "x", qos, 1)), code);
    }
    let mut subscriber = Client::connect(&broker, persistent(V5, "s"));
    subscriber.subscribe_qos("nobody", AtMostOnce);
    assert_eq!(client.publish("nobody", "x"), ReasonCode::Success);
}

/// Messages of one topic and QoS arrive in the order they were sent, through a queue and a lost
/// connection.
/// [MQTT-4.6.0-5, MQTT-4.6.0-6], 3.1.1 [MQTT-4.6.0-5, MQTT-4.6.0-6]
#[test]
fn order_is_kept_across_connections() {
    const COUNT: u32 = 100;
    let broker = Broker::start();
    for version in VERSIONS {
        for qos in [AtLeastOnce, ExactlyOnce] {
            let (mut subscriber, mut publisher) = subscriber_and_publisher(&broker, version, qos);
            for number in 0..COUNT {
                publisher.publish_as(publish("t", number.to_string(), qos, 1));
            }
            let mut expected = 0;
            while expected < COUNT {
                // Every connection settles seven messages and is lost with others on their way.
                for _ in 0..7.min(COUNT - expected) {
                    subscriber.take(&expected.to_string());
                    expected += 1;
                }
                subscriber.vanish();
                subscriber = back(&broker, version);
            }
            subscriber.expect_nothing();
            subscriber.disconnect();
        }
    }
}
