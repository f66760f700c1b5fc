//! Topic Aliases in both directions (MQTT 5.0 §3.3.2.3.4).

use std::collections::HashMap;

use codec::{Connect, Packet, Property, Publish, ReasonCode};
use tests::Broker;

use crate::client::*;

/// Every alias up to our maximum stands for the topic it was last sent with.
/// [MQTT-3.3.2-12]
#[test]
fn a_client_may_use_aliases() {
    let broker = Broker::start();
    let mut subscriber = Client::clean(&broker, V5, "subscriber");
    subscriber.subscribe_qos("t/+", AtLeastOnce);
    let (mut publisher, connack) = Client::connect_and_look(&broker, connect(V5, "publisher"));
    let maximum = connack.properties.topic_alias_maximum().expect("the broker takes aliases");
    assert!(maximum > 0);
    for alias in 1..=maximum {
        publisher.send(Packet::Publish(aliased(Some(&format!("t/{alias}")), alias, "set")));
        subscriber.take("set");
    }
    for alias in (1..=maximum).rev() {
        publisher.send(Packet::Publish(aliased(None, alias, "used")));
        assert_eq!(subscriber.take("used").topic, Some(name(&format!("t/{alias}"))));
    }
    publisher.send(Packet::Publish(aliased(Some("t/other"), 1, "set anew")));
    subscriber.take("set anew");
    let used = Publish { qos: AtLeastOnce, packet_id: Some(id(1)), ..aliased(None, 1, "used") };
    publisher.send(Packet::Publish(used));
    assert_eq!(subscriber.take("used").topic, Some(name("t/other")));
}

/// What an alias can't be, and what the answer is.
/// [MQTT-3.3.2-8, MQTT-3.3.2-9, MQTT-4.13.1-1]
#[test]
fn a_wrong_alias_ends_the_connection() {
    let broker = Broker::start();
    let connack = Client::connect_and_look(&broker, connect(V5, "c")).1;
    let maximum = connack.properties.topic_alias_maximum().unwrap();
    // Alias 0 with a topic: the codec has no words for it.
    let zero = b"\x30\x07\x00\x01t\x03\x23\x00\x00";
    let mut client = Client::clean(&broker, V5, "c");
    client.send_bytes(zero);
    client.expect_disconnect(ReasonCode::TopicAliasInvalid);
    for (message, code) in [
        (aliased(Some("t"), maximum + 1, "x"), ReasonCode::TopicAliasInvalid),
        (aliased(None, maximum + 1, "x"), ReasonCode::TopicAliasInvalid),
        (aliased(Some("t"), u16::MAX, "x"), ReasonCode::TopicAliasInvalid),
        (aliased(None, 1, "x"), ReasonCode::ProtocolError),
    ] {
        let mut client = Client::clean(&broker, V5, "c");
        client.send(Packet::Publish(message));
        client.expect_disconnect(code);
    }
}

/// An alias ends with its connection, whatever the session does.
/// [MQTT-3.3.2-7]
#[test]
fn aliases_do_not_outlive_their_connection() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker, persistent(V5, "c"));
    client.send(Packet::Publish(aliased(Some("t"), 1, "x")));
    client.disconnect();
    let mut client = Client::connect(&broker, persistent(V5, "c"));
    client.send(Packet::Publish(aliased(None, 1, "x")));
    client.expect_disconnect(ReasonCode::ProtocolError);
}

/// Follows the aliases that the broker sets.
struct Topics {
    maximum: u16,
    by_alias: HashMap<u16, codec::TopicName>,
}

impl Topics {
    #[track_caller]
    fn of(&mut self, message: &Publish) -> String {
        let topic = match (&message.topic, message.properties.topic_alias()) {
            (Some(topic), Some(alias)) => {
                self.by_alias.insert(alias, topic.clone());
                topic.clone()
            }
            (Some(topic), None) => topic.clone(),
            (None, Some(alias)) => self.by_alias[&alias].clone(),
            (None, None) => panic!("no topic"),
        };
        assert!(message.properties.topic_alias() <= Some(self.maximum));
        topic.to_string()
    }
}

/// The broker uses no more aliases than the client takes, and the client can always tell the
/// topic, even where some messages are too large for it.
/// [MQTT-3.1.2-26, MQTT-3.3.2-11]
#[test]
fn the_broker_uses_aliases_that_the_client_takes() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    for maximum in [1, 2, 7, u16::MAX] {
        let properties =
            properties([Property::TopicAliasMaximum(maximum), Property::MaximumPacketSize(500)]);
        let mut client = Client::connect(&broker, Connect { properties, ..connect(V5, "c") });
        client.subscribe_qos("t/#", ExactlyOnce);
        let mut topics = Topics { maximum, by_alias: HashMap::new() };
        let mut without_topic = 0;
        let mut random = fastrand::Rng::with_seed(u64::from(maximum));
        for turn in 0..60 {
            let topic = format!("t/{}", random.u8(..5));
            let qos = QOS[turn % 3];
            publisher.publish_as(publish(&topic, "x".repeat(600), qos, 1));
            publisher.publish_as(publish(&topic, "x", qos, 1));
            let message = client.take("x");
            without_topic += u32::from(message.topic.is_none());
            assert_eq!(topics.of(&message), topic, "seed {maximum}, turn {turn}");
        }
        assert!(without_topic > 0, "aliases are of use");
        client.expect_nothing();
    }
}

/// A client that takes no aliases gets none.
/// [MQTT-3.1.2-27]
#[test]
fn a_client_without_aliases_gets_none() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    for version in VERSIONS {
        let mut client = Client::clean(&broker, version, "c");
        client.subscribe_qos("t", AtMostOnce);
        for _ in 0..3 {
            publisher.publish_as(publish("t", "x", AtMostOnce, 1));
            let message = client.take("x");
            assert_eq!((message.topic, message.properties.topic_alias()), (Some(name("t")), None));
        }
    }
}

/// What is sent again on a new connection names its topic.
/// [MQTT-3.3.2-7]
#[test]
fn what_is_sent_again_names_its_topic() {
    let broker = Broker::start();
    let connect = || {
        resuming("c", [Property::SessionExpiryInterval(FOREVER_S), Property::TopicAliasMaximum(5)])
    };
    let mut client = Client::connect(&broker, connect());
    client.subscribe_qos("t", AtLeastOnce);
    let mut publisher = Client::clean(&broker, V5, "publisher");
    publisher.publish("t", "1");
    publisher.publish("t", "2");
    assert!(client.receive_publish().topic.is_some());
    assert!(client.receive_publish().topic.is_none());
    client.vanish();
    let mut client = Client::connect(&broker, connect());
    assert_eq!(client.take("1").topic, Some(name("t")));
    assert_eq!(client.take("2").properties.topic_alias(), Some(1));
}
