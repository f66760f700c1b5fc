//! SUBSCRIBE and UNSUBSCRIBE, and what they make of the messages that follow.

use codec::{Packet, Properties, Property, ReasonCode, RetainHandling, SubscriptionOptions};
use tests::Broker;

use crate::client::*;

/// Subscriptions of one session that the broker takes.
const SUBSCRIPTIONS_MAX: usize = 10_000;

/// One code for each filter, in their order.
/// [MQTT-2.2.1-6, MQTT-3.8.4-1, MQTT-3.8.4-2, MQTT-3.8.4-5, MQTT-3.8.4-6, MQTT-3.8.4-7,
/// MQTT-3.9.3-1], 3.1.1 [MQTT-2.3.1-7, MQTT-3.8.4-1, MQTT-3.8.4-2, MQTT-3.8.4-4, MQTT-3.8.4-5,
/// MQTT-3.9.3-1]
#[test]
fn a_suback_answers_each_filter() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut client = Client::clean(&broker, version, "c");
        let filters = [
            ("a", options(ExactlyOnce)),
            ("a/+/b/#", options(AtMostOnce)),
            ("$share/group/a", options(AtLeastOnce)),
            ("#", options(ExactlyOnce)),
        ];
        let codes = client.subscribe_all(&filters, Properties::EMPTY);
        use ReasonCode as Code;
        let granted = [Code::GrantedQoS2, Code::Success, Code::GrantedQoS1, Code::GrantedQoS2];
        assert_eq!(codes, granted, "{version}");
    }
}

/// A filter that is refused is answered for itself.
/// [MQTT-3.8.4-5, MQTT-3.8.4-7, MQTT-3.9.3-1, MQTT-3.9.3-2], 3.1.1 [MQTT-3.8.4-4, MQTT-3.8.4-5,
/// MQTT-3.9.3-1, MQTT-3.9.3-2]
#[test]
fn a_refused_filter_does_not_harm_the_others() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut client = Client::clean(&broker, version, "c");
        // With `a` there are as many as there may be. `b` is there already.
        let many: Vec<_> = (2..SUBSCRIPTIONS_MAX).map(|number| number.to_string()).collect();
        let many = many.iter().map(String::as_str).chain(["b"]);
        let many: Vec<_> = many.map(|filter| (filter, options(AtMostOnce))).collect();
        let codes = client.subscribe_all(&many, Properties::EMPTY);
        assert!(codes.iter().all(|code| *code == ReasonCode::Success), "{version}");
        let filters = [("a", AtLeastOnce), ("one more", AtMostOnce), ("b", ExactlyOnce)]
            .map(|(filter, qos)| (filter, options(qos)));
        let codes = client.subscribe_all(&filters, Properties::EMPTY);
        let refused =
            if version.is_v5() { ReasonCode::QuotaExceeded } else { ReasonCode::UnspecifiedError };
        assert_eq!(codes, [ReasonCode::GrantedQoS1, refused, ReasonCode::GrantedQoS2]);
        client.publish_self("b", "x");
    }
}

/// A topic of more levels than the broker takes ends the connection, as with Mosquitto.
/// [MQTT-4.13.1-1]
#[test]
fn a_topic_may_have_201_levels() {
    let broker = Broker::start();
    for version in VERSIONS {
        let (fits, too_deep) = ("/".repeat(200), "/".repeat(201));
        let mut client = Client::clean(&broker, version, "c");
        client.subscribe_qos(&fits, AtMostOnce);
        client.publish_self(&fits, "x");
        client.send_subscribe(&[(&too_deep, options(AtMostOnce))], Properties::EMPTY);
        client.expect_disconnect(ReasonCode::MalformedPacket);
        let mut client = Client::clean(&broker, version, "c");
        client.send(Packet::Publish(publish(&too_deep, "x", AtLeastOnce, 1)));
        client.expect_disconnect(ReasonCode::MalformedPacket);
    }
}

/// Which topics a filter matches.
/// [MQTT-3.3.2-3, MQTT-4.7.2-1, MQTT-4.7.3-4], 3.1.1 [MQTT-3.3.2-3, MQTT-4.7.2-1, MQTT-4.7.3-4]
#[test]
fn filters_match_what_they_say() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let mut subscriber = Client::clean(&broker, V5, "subscriber");
    for (filter, matching, others) in [
        (
            "sport/tennis/player1/#",
            &["sport/tennis/player1", "sport/tennis/player1/ranking"][..],
            &["sport/tennis/player10"][..],
        ),
        ("#", &["a", "/", "/a/b", "a/$b"], &["$a", "$a/b"]),
        ("+/b", &["a/b", "/b"], &["$a/b", "a/b/c", "b"]),
        ("+/+", &["/finance"], &["finance", "$x/y"]),
        ("/+", &["/finance"], &["finance", "/finance/x"]),
        ("a/+/c", &["a//c", "a/b/c"], &["a/c", "a/b/b/c"]),
        ("$a/#", &["$a", "$a/b"], &["a", "$ab"]),
        ("$a/+", &["$a/b", "$a/"], &["$a"]),
        ("A/b", &["A/b"], &["a/b", "A/b/", "/A/b", "A/B"]),
        ("ä/ 🌡", &["ä/ 🌡"], &["ä/🌡"]),
    ] {
        subscriber.subscribe_qos(filter, AtLeastOnce);
        for topic in others {
            assert_eq!(publisher.publish(topic, "no"), ReasonCode::NoMatchingSubscribers);
        }
        for topic in matching {
            assert_eq!(publisher.publish(topic, "yes"), ReasonCode::Success, "{filter} {topic}");
            assert_eq!(subscriber.take("yes").topic, Some(name(topic)));
        }
        subscriber.unsubscribe(&[filter]);
    }
    subscriber.expect_nothing();
}

/// The same filter again replaces the subscription, options and identifier included.
/// [MQTT-3.8.4-3], 3.1.1 [MQTT-3.8.4-3]
#[test]
fn a_subscription_is_replaced() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut publisher = Client::clean(&broker, version, "publisher");
        let mut client = Client::clean(&broker, version, "c");
        for qos in [ExactlyOnce, AtMostOnce, AtLeastOnce] {
            client.subscribe_qos("t/#", qos);
            publisher.publish_as(publish("t/1", "x", ExactlyOnce, 1));
            assert_eq!(client.take("x").qos, qos);
        }
        client.expect_nothing();
    }
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let mut client = Client::clean(&broker, V5, "c");
    client.subscribe_id("t", AtLeastOnce, 1);
    client.subscribe_id("t", AtLeastOnce, 2);
    publisher.publish("t", "x");
    assert_eq!(ids(&client.take("x")), [2]);
    client.subscribe_qos("t", AtLeastOnce);
    publisher.publish("t", "x");
    assert!(ids(&client.take("x")).is_empty());
    client.expect_nothing();
}

fn ids(message: &codec::Publish) -> Vec<u32> {
    let mut ids: Vec<u32> = message.properties.subscription_identifiers().collect();
    ids.sort_unstable();
    ids
}

/// Subscriptions that overlap bring a message once, with the highest QoS and all their
/// identifiers.
/// [MQTT-3.3.4-2, MQTT-3.3.4-3, MQTT-3.3.4-4], 3.1.1 [MQTT-3.3.5-1]
#[test]
fn overlapping_subscriptions_deliver_once() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut publisher = Client::clean(&broker, version, "publisher");
        let mut client = Client::clean(&broker, version, "c");
        client.subscribe_qos("a/#", AtMostOnce);
        client.subscribe_qos("a/+", ExactlyOnce);
        client.subscribe_qos("a/b", AtLeastOnce);
        for qos in QOS {
            publisher.publish_as(publish("a/b", "x", qos, 1));
            assert_eq!(client.take("x").qos, qos);
        }
        client.expect_nothing();
    }
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let mut client = Client::clean(&broker, V5, "c");
    client.subscribe_id("a/#", AtMostOnce, 268_435_455);
    client.subscribe_id("a/+", AtLeastOnce, 1);
    client.subscribe_id("a/b", AtMostOnce, 200);
    client.subscribe_qos("+/b", AtMostOnce);
    for (topic, expected) in [
        ("a/b", &[1, 200, 268_435_455][..]),
        ("a/c", &[1, 268_435_455]),
        ("a/c/d", &[268_435_455]),
        ("c/b", &[]),
    ] {
        for qos in QOS {
            publisher.publish_as(publish(topic, "x", qos, 1));
            assert_eq!(ids(&client.take("x")), expected, "{topic}");
        }
    }
    client.expect_nothing();
}

/// With No Local a client does not get what it publishes itself.
/// [MQTT-3.8.3-3]
#[test]
fn no_local_keeps_a_clients_own_messages_from_it() {
    let broker = Broker::start();
    let mut other = Client::clean(&broker, V5, "other");
    let mut client = Client::connect(&broker, persistent(V5, "c"));
    let no_local = SubscriptionOptions { no_local: true, ..options(AtLeastOnce) };
    client.subscribe("t", no_local);
    for qos in QOS {
        client.publish_as(publish("t", "own", qos, 1));
        other.publish_as(publish("t", "other's", qos, 1));
        client.take("other's");
    }
    client.expect_nothing();
    // It is about the client, not the connection.
    client.disconnect();
    let mut client = Client::connect(&broker, persistent(V5, "c"));
    client.publish("t", "own");
    client.expect_nothing();
    // A subscription without it gets them.
    client.subscribe_qos("+", AtLeastOnce);
    client.send(codec::Packet::Publish(publish("t", "own", AtMostOnce, 1)));
    client.take("own");
    client.expect_nothing();
}

/// Of a client's own messages, its other subscriptions count alone: their QoS, their identifiers,
/// their Retain As Published.
/// [MQTT-3.3.4-3, MQTT-3.8.3-3]
#[test]
fn no_local_leaves_the_other_subscriptions_alone() {
    let broker = Broker::start();
    let mut other = Client::clean(&broker, V5, "other");
    let no_local = SubscriptionOptions { no_local: true, ..options(ExactlyOnce) };
    // In whatever order the broker finds them.
    for (first, second) in [("a/b", "a/+"), ("a/+", "a/b"), ("a/#", "+/b")] {
        let mut client = Client::clean(&broker, V5, "c");
        let retaining = SubscriptionOptions { retain_as_published: true, ..no_local };
        client.subscribe_all(&[(first, retaining)], subscription_id(1));
        client.subscribe_id(second, AtLeastOnce, 2);
        client.subscribe_all(&[("#", no_local)], subscription_id(3));
        let publish = |payload| Packet::Publish(retained("a/b", payload, ExactlyOnce));
        client.send(publish("own"));
        let own = client.take("own");
        assert_eq!((own.qos, own.retain), (AtLeastOnce, false), "{first} {second}");
        assert_eq!(ids(&own), [2], "{first} {second}");
        client.receive();
        other.send(publish("other's"));
        other.receive();
        let others = client.take("other's");
        assert_eq!((others.qos, others.retain), (ExactlyOnce, true), "{first} {second}");
        assert_eq!(ids(&others), [1, 2, 3], "{first} {second}");
        client.expect_nothing();
        other.send(Packet::PubRel(codec::Ack::new(id(1), ReasonCode::Success)));
        other.receive();
        client.disconnect();
        other.publish_as(retained("a/b", "", AtLeastOnce));
    }
}

fn subscription_id(id: u32) -> Properties {
    properties([Property::SubscriptionIdentifier(id)])
}

/// RETAIN is passed on to those who asked for it, and 0 to all others.
/// [MQTT-3.3.1-12, MQTT-3.3.1-13], 3.1.1 [MQTT-3.3.1-9]
#[test]
fn retain_as_published_passes_the_flag_on() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let mut as_published = Client::clean(&broker, V5, "as published");
    let options = options(ExactlyOnce);
    as_published.subscribe("t", SubscriptionOptions { retain_as_published: true, ..options });
    let mut plain = VERSIONS.map(|version| {
        let mut client = Client::clean(&broker, version, &version.to_string());
        client.subscribe("t", options);
        client
    });
    for qos in QOS {
        for retain in [true, false] {
            let message = codec::Publish { retain, ..publish("t", "x", qos, 1) };
            publisher.publish_as(message);
            assert_eq!(as_published.take("x").retain, retain, "{qos:?}");
            for client in &mut plain {
                assert!(!client.take("x").retain);
            }
        }
    }
    // A message that clears the retained one is a message, too.
    publisher.publish_as(retained("t", "", AtLeastOnce));
    assert!(as_published.take("").retain);
}

/// When retained messages are sent to a subscription.
/// [MQTT-3.3.1-9, MQTT-3.3.1-10, MQTT-3.3.1-11, MQTT-3.8.4-4]
#[test]
fn retain_handling_decides_about_retained_messages() {
    let broker = Broker::start();
    Client::clean(&broker, V5, "publisher").publish_as(retained("t", "kept", AtLeastOnce));
    let handling =
        |retain_handling| SubscriptionOptions { retain_handling, ..options(AtLeastOnce) };
    let mut client = Client::connect(&broker, persistent(V5, "c"));

    client.subscribe("t", handling(RetainHandling::DoNotSend));
    client.expect_nothing();
    for _ in 0..2 {
        client.subscribe("t", handling(RetainHandling::SendAtSubscribe));
        client.take("kept");
    }
    client.subscribe("t", handling(RetainHandling::SendIfNew));
    client.expect_nothing();
    client.unsubscribe(&["t"]);
    client.subscribe("t", handling(RetainHandling::SendIfNew));
    client.take("kept");
    // A subscription that the session remembers is not new.
    client.disconnect();
    let mut client = Client::connect(&broker, persistent(V5, "c"));
    client.subscribe("t", handling(RetainHandling::SendIfNew));
    client.expect_nothing();
}

/// UNSUBSCRIBE ends what it names, says what there was, and nothing else changes.
/// [MQTT-2.2.1-6, MQTT-3.10.4-1, MQTT-3.10.4-2, MQTT-3.10.4-4, MQTT-3.10.4-5, MQTT-3.10.4-6,
/// MQTT-3.11.3-1, MQTT-3.11.3-2], 3.1.1 [MQTT-2.3.1-7, MQTT-3.10.4-1, MQTT-3.10.4-2,
/// MQTT-3.10.4-4, MQTT-3.10.4-5, MQTT-3.10.4-6]
#[test]
fn unsubscribe_ends_a_subscription() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut publisher = Client::clean(&broker, version, "publisher");
        let mut client = Client::clean(&broker, version, "c");
        for filter in ["a", "a/#", "b", "$share/g/c"] {
            client.subscribe_qos(filter, AtLeastOnce);
        }
        // Filters are compared as they are written.
        let codes = client.unsubscribe(&["a", "a/+", "b", "b", "c", "$share/h/c", "$share/g/c"]);
        use ReasonCode::{NoSubscriptionExisted as None, Success as Ended};
        let expected = [Ended, None, Ended, None, None, None, Ended];
        assert_eq!(codes, if version.is_v5() { &expected[..] } else { &[] });
        for topic in ["b", "c"] {
            publisher.publish(topic, "nobody listens");
        }
        publisher.publish("a", "the other filter");
        client.take("the other filter");
        client.expect_nothing();
    }
}

/// What was on its way when UNSUBSCRIBE came is still settled.
/// [MQTT-3.10.4-2, MQTT-3.10.4-3], 3.1.1 [MQTT-3.10.4-2, MQTT-3.10.4-3]
#[test]
fn unsubscribe_lets_deliveries_complete() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut publisher = Client::clean(&broker, version, "publisher");
        let mut client = Client::connect(&broker, persistent(version, "c"));
        client.subscribe_qos("t", ExactlyOnce);
        publisher.publish_as(publish("t", "on its way", ExactlyOnce, 1));
        let first = client.receive_publish();
        client.unsubscribe(&["t"]);
        publisher.publish_as(publish("t", "too late", ExactlyOnce, 1));
        client.vanish();
        let mut client = Client::connect(&broker, persistent(version, "c"));
        assert_eq!(client.take("on its way").packet_id, first.packet_id);
        client.expect_nothing();
        client.disconnect();
        Client::clean(&broker, version, "c").disconnect();
    }
}

/// The subscriptions of sessions that ended are gone, and those of others stay.
#[test]
fn subscriptions_end_with_their_session() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let mut stays = Client::clean(&broker, V5, "stays");
    stays.subscribe_qos("t", AtLeastOnce);
    for _ in 0..4 {
        let mut goes = Client::clean(&broker, V5, "goes");
        goes.subscribe_qos("t", AtLeastOnce);
        goes.subscribe_qos("only/+", AtLeastOnce);
        assert_eq!(publisher.publish("only/t", "x"), ReasonCode::Success);
        goes.take("x");
        goes.disconnect();
        assert_eq!(publisher.publish("only/t", "x"), ReasonCode::NoMatchingSubscribers);
        publisher.publish("t", "x");
        stays.take("x");
    }
    stays.expect_nothing();
}

/// Those of a session that had very many are ended a part at a time, and one that is shared before all others.
#[test]
fn very_many_subscriptions_end_with_their_session() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let mut goes = Client::clean(&broker, V5, "goes");
    let filters: Vec<String> = (0..5000).map(|n| format!("many/{n}")).collect();
    let wanted: Vec<_> =
        filters.iter().map(|filter| (filter.as_str(), options(AtMostOnce))).collect();
    goes.subscribe_all(&wanted, Properties::EMPTY);
    goes.subscribe_qos("$share/group/shared", AtLeastOnce);
    for topic in ["many/4999", "shared"] {
        assert_eq!(publisher.publish(topic, "x"), ReasonCode::Success);
        goes.take("x");
    }
    goes.disconnect();
    assert_eq!(publisher.publish("shared", "x"), ReasonCode::NoMatchingSubscribers);
    // Each of these waits for the broker, which ends another part meanwhile.
    for filter in &filters {
        while publisher.publish(filter, "x") != ReasonCode::NoMatchingSubscribers {}
    }
}
