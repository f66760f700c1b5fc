//! What of a message is passed on, and which messages are refused.

use codec::{Connect, Packet, Properties, Property, PropertyId, Publish, ReasonCode};
use tests::Broker;

use crate::client::*;

/// What the application put into a message arrives as it was, user properties in their order.
/// [MQTT-3.3.2-4, MQTT-3.3.2-15, MQTT-3.3.2-16, MQTT-3.3.2-17, MQTT-3.3.2-18, MQTT-3.3.2-20]
#[test]
fn properties_are_passed_on_unaltered() {
    let broker = Broker::start();
    let mut subscriber = Client::clean(&broker, V5, "subscriber");
    subscriber.subscribe_qos("t", ExactlyOnce);
    let mut old = Client::clean(&broker, V311, "old");
    old.subscribe_qos("t", ExactlyOnce);
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let passed = [
        Property::UserProperty(text("z"), text("1")),
        Property::ResponseTopic(name("answers/here")),
        Property::UserProperty(text("a"), text("2")),
        Property::CorrelationData(bytes::Bytes::from_static(&[0, 1, 255])),
        Property::UserProperty(text("z"), text("1")),
        Property::PayloadFormatIndicator(false),
        Property::UserProperty(text(""), text("")),
        Property::ContentType(text("application/octet-stream")),
    ];
    for qos in QOS {
        let properties = properties(passed.clone());
        publisher.publish_as(Publish { properties, ..publish("t", "x", qos, 1) });
        assert_eq!(subscriber.take("x").properties.iter().collect::<Vec<_>>(), passed);
        assert_eq!(old.take("x").properties, Properties::EMPTY);
    }
    // A retained message has them, too.
    let properties = properties(passed.clone());
    publisher.publish_as(Publish { properties, ..retained("t", "kept", AtLeastOnce) });
    let mut late = Client::clean(&broker, V5, "late");
    late.subscribe_qos("t", AtLeastOnce);
    assert_eq!(late.take("kept").properties.iter().collect::<Vec<_>>(), passed);
}

/// What the broker alone may say is refused from a client.
/// [MQTT-3.3.4-6]
#[test]
fn a_client_can_not_send_a_subscription_identifier() {
    let broker = Broker::start();
    let mut client = Client::clean(&broker, V5, "c");
    let properties = properties([Property::SubscriptionIdentifier(1)]);
    client.send(Packet::Publish(Publish { properties, ..publish("t", "x", AtMostOnce, 1) }));
    client.expect_disconnect(ReasonCode::ProtocolError);
}

/// MQTT 5.0 §4.7.2: nobody but the broker publishes below `$SYS`; the connection goes on.
/// 3.1.1 [MQTT-3.3.5-2]
#[test]
fn publishing_below_sys_is_not_authorized() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut client = Client::clean(&broker, version, "c");
        client.subscribe_qos("$SYS/mine/#", ExactlyOnce);
        for qos in QOS {
            for topic in ["$SYS/mine/x", "$SYS/mine"] {
                let code = client.publish_as(retained(topic, "lie", qos));
                let refused = version.is_v5() && qos != AtMostOnce;
                let expected =
                    if refused { ReasonCode::NotAuthorized } else { ReasonCode::Success };
                assert_eq!(code, expected, "{version} {qos:?} {topic}");
            }
        }
        client.expect_nothing();
        client.subscribe_qos("$SYS/mine/+", AtMostOnce);
        client.expect_nothing();
    }
}

/// Other topics that begin with `$` are topics.
/// [MQTT-4.7.2-1], 3.1.1 [MQTT-4.7.2-1]
#[test]
fn other_dollar_topics_are_topics() {
    let broker = Broker::start();
    let mut client = Client::clean(&broker, V5, "c");
    client.subscribe_qos("$SYSTEM/x", AtMostOnce);
    client.subscribe_qos("$aws/#", AtMostOnce);
    client.publish_self("$SYSTEM/x", "1");
    client.publish_self("$aws/things", "2");
}

/// A message that is too large for a client is dropped for it alone, as if it had been delivered.
/// [MQTT-3.1.2-24, MQTT-3.1.2-25]
#[test]
fn a_message_that_is_too_large_for_a_client_is_passed_over() {
    let broker = Broker::start();
    let mut other = Client::clean(&broker, V5, "other");
    other.subscribe_qos("t", ExactlyOnce);
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let large = "x".repeat(200);
    for aliases in [0, 10] {
        let properties = properties([
            Property::MaximumPacketSize(150),
            Property::ReceiveMaximum(1),
            Property::TopicAliasMaximum(aliases),
        ]);
        let mut small = Client::connect(&broker, Connect { properties, ..connect(V5, "small") });
        small.subscribe_qos("t", ExactlyOnce);
        for qos in QOS {
            for _ in 0..3 {
                publisher.publish_as(publish("t", large.clone(), qos, 1));
                other.take(&large);
            }
            publisher.publish_as(publish("t", "small", qos, 1));
            other.take("small");
            let taken = small.take("small");
            assert_eq!(
                taken.topic.is_some(),
                taken.properties.topic_alias().is_none() || qos == AtMostOnce
            );
        }
        small.expect_nothing();
        publisher.publish_as(retained("t", large.clone(), AtLeastOnce));
        other.take(&large);
        small.subscribe_qos("t", ExactlyOnce);
        small.expect_nothing();
        publisher.publish_as(retained("t", "", AtLeastOnce));
        other.take("");
        small.take("");
    }
}

/// Just what fits is sent.
/// [MQTT-3.1.2-24]
#[test]
fn a_message_that_just_fits_is_sent() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    for qos in QOS {
        let properties = properties([Property::MaximumPacketSize(100)]);
        let mut client = Client::connect(&broker, Connect { properties, ..connect(V5, "c") });
        client.subscribe_qos("t", ExactlyOnce);
        // First byte, length, topic, no properties, and the identifier where there is one.
        let overhead = 2 + 3 + 1 + if qos == AtMostOnce { 0 } else { 2 };
        let fits = "x".repeat(100 - overhead);
        publisher.publish_as(publish("t", fits.clone() + "x", qos, 1));
        publisher.publish_as(publish("t", fits.clone(), qos, 1));
        client.take(&fits);
        client.expect_nothing();
    }
}

/// MQTT 5.0 §3.3.3: a message may be empty, and it may be large.
#[test]
fn payloads_of_every_size_arrive() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut subscriber = Client::clean(&broker, version, "subscriber");
        subscriber.subscribe_qos("t", ExactlyOnce);
        let mut publisher = Client::clean(&broker, version, "publisher");
        for size in [0, 1, 127, 128, 4095, 4096, 4097, 16_383, 16_384, 65_536, 300_000, 3_000_000] {
            let payload: String = (0..size).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
            for qos in QOS {
                publisher.send(Packet::Publish(publish("t", payload.clone(), qos, 9)));
                let taken = subscriber.take_any();
                assert!(taken.payload == payload.as_bytes(), "{size} bytes, {qos:?}");
                if qos == ExactlyOnce {
                    publisher.receive();
                    publisher.send(Packet::PubRel(codec::Ack::new(id(9), ReasonCode::Success)));
                }
                if qos != AtMostOnce {
                    publisher.receive();
                }
            }
        }
    }
}

/// Topic Alias and Message Expiry Interval are the broker's to set.
/// [MQTT-3.3.2-7]
#[test]
fn a_publishers_alias_is_not_passed_on() {
    let broker = Broker::start();
    let mut subscriber = Client::clean(&broker, V5, "subscriber");
    subscriber.subscribe_qos("t", AtMostOnce);
    let mut publisher = Client::clean(&broker, V5, "publisher");
    publisher.send(Packet::Publish(aliased(Some("t"), 3, "x")));
    let taken = subscriber.take("x");
    assert!(!taken.properties.contains(PropertyId::TopicAlias));
    assert_eq!(taken.topic, Some(name("t")));
}

/// What would be sent again to a client that takes less now is passed over, and makes room for
/// what follows.
/// [MQTT-3.1.2-25]
#[test]
fn what_became_too_large_is_not_sent_again() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let large = "x".repeat(500);
    for qos in [AtLeastOnce, ExactlyOnce] {
        let connect = |maximum| {
            let lasting = Property::SessionExpiryInterval(FOREVER_S);
            let maximum = Property::MaximumPacketSize(maximum);
            resuming("c", [lasting, maximum, Property::ReceiveMaximum(1)])
        };
        let mut client = Client::connect(&broker, connect(1000));
        client.subscribe_qos("t", qos);
        publisher.publish_as(publish("t", large.clone(), qos, 1));
        assert_eq!(client.receive_publish().payload.len(), 500);
        client.vanish();
        publisher.publish_as(publish("t", large.clone(), qos, 1));
        publisher.publish_as(publish("t", "small", qos, 1));
        let mut client = Client::connect(&broker, connect(100));
        assert!(!client.take("small").dup);
        client.expect_nothing();
        client.disconnect();
    }
}

/// A client that is away gets what came first; beyond a limit the rest is dropped.
#[test]
fn what_waits_for_a_client_is_bounded() {
    const SENT: u32 = 1200;
    let broker = Broker::start_on(tests::broker::Ports::free(), &[]);
    let mut client = Client::connect(&broker, persistent(V311, "away"));
    client.subscribe_qos("t", AtLeastOnce);
    client.disconnect();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    for number in 0..SENT {
        publisher.publish("t", number.to_string());
    }
    let mut client = Client::connect(&broker, persistent(V311, "away"));
    let mut expected = 0;
    publisher.publish("t", "last");
    loop {
        let message = client.take_any();
        if message.payload == "last" {
            break;
        }
        assert_eq!(payload(&message), expected.to_string());
        expected += 1;
    }
    assert_eq!(expected, 1000, "as many as Mosquitto keeps");
}

/// Large messages fill what a client may have waiting before there are many of them; one alone
/// may be larger still.
#[test]
fn what_waits_for_a_client_is_bounded_in_bytes() {
    const LARGE: usize = 1_000_000;
    let broker = Broker::start_on(tests::broker::Ports::free(), &[]);
    let mut client = Client::connect(&broker, persistent(V5, "away"));
    client.subscribe_qos("t", AtLeastOnce);
    client.disconnect();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    for number in 0..80_u8 {
        publisher.publish("t", vec![number; LARGE]);
    }
    // There is room again once the client has been here.
    for (number, expected) in [(80_u8, 67), (81, 1)] {
        let mut client = Client::connect(&broker, persistent(V5, "away"));
        let messages = (0..expected).map(|_| client.take_any().payload);
        assert!(messages.enumerate().all(|(at, payload)| {
            payload.len() == LARGE && usize::from(payload[0]) == if number == 80 { at } else { 80 }
        }));
        client.expect_nothing();
        client.disconnect();
        publisher.publish("t", vec![number; LARGE]);
    }
}
