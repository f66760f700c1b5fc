//! Retained messages (MQTT 5.0 §3.3.1.3).

use std::time::Duration;

use codec::{Packet, Property, Publish};
use tests::Broker;

use crate::client::*;

/// The last one is kept, until an empty one clears it.
/// [MQTT-3.3.1-5, MQTT-3.3.1-6, MQTT-3.3.1-7, MQTT-3.3.1-8], 3.1.1 [MQTT-3.3.1-5, MQTT-3.3.1-6,
/// MQTT-3.3.1-8, MQTT-3.3.1-9, MQTT-3.3.1-10, MQTT-3.3.1-11, MQTT-3.3.1-12]
#[test]
fn a_retained_message_is_set_replaced_and_cleared() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut publisher = Client::clean(&broker, version, "publisher");
        let late = || {
            let mut late = Client::clean(&broker, version, "late");
            late.subscribe_qos("t/#", ExactlyOnce);
            late
        };
        late().expect_nothing();
        publisher.publish_as(retained("t/1", "first", AtLeastOnce));
        publisher.publish_as(retained("t/1", "second", AtLeastOnce));
        // [MQTT-3.3.1-8]: one without the flag changes nothing.
        publisher.publish("t/1", "not retained");
        let mut client = late();
        let kept = client.take("second");
        assert_eq!((kept.retain, kept.dup, kept.topic), (true, false, Some(name("t/1"))));
        client.expect_nothing();
        publisher.publish_as(retained("t/1", "", AtLeastOnce));
        // The clearing message is delivered like any other, and not kept.
        assert!(!client.take("").retain);
        late().expect_nothing();
    }
}

/// A retained message has the lower QoS of message and subscription.
/// [MQTT-3.8.4-8], 3.1.1 [MQTT-3.3.1-5, MQTT-3.3.1-7, MQTT-3.8.4-6]
#[test]
fn a_retained_message_has_the_lower_qos() {
    let broker = Broker::start();
    for version in VERSIONS {
        for published in QOS {
            let mut publisher = Client::clean(&broker, version, "publisher");
            publisher.publish_as(retained("t", "kept", published));
            for granted in QOS {
                let mut late = Client::clean(&broker, version, "late");
                late.subscribe_qos("t", granted);
                let kept = late.take("kept");
                assert_eq!((kept.qos, kept.retain), (published.min(granted), true));
                late.expect_nothing();
            }
        }
    }
}

/// MQTT 5.0 §4.7.2: wildcards find no retained message of a topic that begins with `$`.
/// [MQTT-4.7.2-1], 3.1.1 [MQTT-4.7.2-1]
#[test]
fn filters_find_the_retained_messages_they_match() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let topics = ["a", "a/b", "a/b/c", "/a", "$a/b"];
    for topic in topics {
        publisher.publish_as(retained(topic, topic, AtMostOnce));
    }
    for (filter, expected) in [
        ("#", &["/a", "a", "a/b", "a/b/c"][..]),
        ("+/b", &["a/b"]),
        ("a/#", &["a", "a/b", "a/b/c"]),
        ("+/+", &["/a", "a/b"]),
        ("$a/+", &["$a/b"]),
        ("b", &[]),
    ] {
        let mut late = Client::clean(&broker, V5, "late");
        late.subscribe_id(filter, AtMostOnce, 5);
        let mut found: Vec<_> = expected.iter().map(|_| late.take_any()).collect();
        late.expect_nothing();
        found.sort_by_key(|message| message.topic.clone());
        let topics: Vec<_> = found.iter().map(payload).collect();
        assert_eq!(topics, expected, "{filter}");
        assert!(
            found.iter().all(|message| message.properties.subscription_identifier() == Some(5))
        );
    }
}

/// A retained message grows older, and is gone when it expires.
/// [MQTT-3.3.2-6]
#[test]
fn a_retained_message_expires() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    for (topic, seconds) in [("short", 1), ("long", 100)] {
        publisher.publish_as(Publish {
            properties: properties([Property::MessageExpiryInterval(seconds)]),
            ..retained(topic, topic, AtLeastOnce)
        });
    }
    let_pass(Duration::from_millis(1100));
    let mut late = Client::clean(&broker, V5, "late");
    late.subscribe_qos("#", AtLeastOnce);
    let left_s = late.take("long").properties.message_expiry_interval().unwrap();
    assert!((90..=99).contains(&left_s), "{left_s}");
    late.expect_nothing();
}

/// More retained messages than a client takes at once all arrive, even if it loses its connection
/// among them.
/// [MQTT-3.3.1-9], 3.1.1 [MQTT-3.3.1-6]
#[test]
fn retained_messages_survive_a_lost_connection() {
    const COUNT: usize = 200;
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    for number in 0..COUNT {
        publisher.publish_as(retained(&format!("t/{number}"), "kept", AtLeastOnce));
    }
    for version in VERSIONS {
        let mut client = Client::connect(&broker, persistent(version, "late"));
        client.subscribe_qos("t/+", AtLeastOnce);
        let mut topics = std::collections::BTreeSet::new();
        while topics.len() < COUNT {
            for _ in 0..50 {
                let kept = client.take("kept");
                assert!(kept.retain);
                topics.insert(kept.topic.unwrap().to_string());
            }
            client.vanish();
            client = Client::connect(&broker, persistent(version, "late"));
        }
        client.expect_nothing();
        client.disconnect();
        Client::clean(&broker, version, "late").disconnect();
    }
}

/// A retained message that was replaced before the subscriber got it does not come after its
/// successor.
#[test]
fn an_old_value_never_follows_a_newer_one() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    publisher.publish_as(retained("t/blocker", "blocker", AtLeastOnce));
    for number in 0..50 {
        publisher.publish_as(retained(&format!("t/{number}"), "old", AtLeastOnce));
    }
    let properties = properties([Property::ReceiveMaximum(1)]);
    let mut late = Client::connect(&broker, codec::Connect { properties, ..connect(V5, "late") });
    late.subscribe_qos("t/+", AtLeastOnce);
    let first = late.receive_publish();
    for number in 0..50 {
        publisher.publish_as(retained(&format!("t/{number}"), "new", AtLeastOnce));
    }
    late.send(Packet::PubAck(codec::Ack::new(
        first.packet_id.unwrap(),
        codec::ReasonCode::Success,
    )));
    let mut last = std::collections::BTreeMap::new();
    last.insert(first.topic.clone().unwrap().to_string(), payload(&first).to_owned());
    while last.values().filter(|value| *value == "new").count() < 50 {
        let message = late.take_any();
        let topic = message.topic.clone().unwrap().to_string();
        let before = last.insert(topic, payload(&message).to_owned());
        assert_ne!(before.as_deref(), Some("new"), "{message:?}");
    }
}
