//! How sessions begin, go on, wait and end, and how one client takes over from another.

use std::time::Duration;

use codec::{Connect, Disconnect, Packet, Properties, Property, ReasonCode};
use tests::Broker;

use crate::client::*;

/// A session waits for its client and for its messages, whatever the version.
/// [MQTT-3.1.2-5, MQTT-3.1.2-6, MQTT-3.1.2-23, MQTT-3.1.4-5, MQTT-3.2.2-3, MQTT-4.5.0-1], 3.1.1
/// [MQTT-3.1.2-4, MQTT-3.1.2-5, MQTT-3.1.4-4, MQTT-3.2.2-2, MQTT-3.2.2-3, MQTT-4.5.0-1]
#[test]
fn a_session_goes_on_where_it_was() {
    let broker = Broker::start();
    for version in VERSIONS {
        let id = format!("lasting {version}");
        let (mut client, connack) = Client::connect_and_look(&broker, persistent(version, &id));
        assert!(!connack.session_present);
        client.subscribe_qos("t", AtLeastOnce);
        client.disconnect();
        let mut publisher = Client::clean(&broker, version, "publisher");
        publisher.publish("t", "while you were away");

        let (mut client, connack) = Client::connect_and_look(&broker, persistent(version, &id));
        assert_eq!(connack.session_present, version != V31, "MQTT 3.1 does not say it");
        client.take("while you were away");
        publisher.publish("t", "live");
        client.take("live");
        client.expect_nothing();
    }
}

/// A clean start throws away what was there.
/// [MQTT-3.1.2-4, MQTT-3.1.4-4, MQTT-3.2.2-2], 3.1.1 [MQTT-3.1.2-6, MQTT-3.1.4-3, MQTT-3.2.2-1]
#[test]
fn a_clean_start_begins_anew() {
    let broker = Broker::start();
    for version in VERSIONS {
        let id = format!("clean {version}");
        let mut client = Client::connect(&broker, persistent(version, &id));
        client.subscribe_qos("t", AtLeastOnce);
        client.disconnect();
        let mut publisher = Client::clean(&broker, version, "publisher");
        publisher.publish("t", "lost");

        let anew = Connect { clean_start: true, ..persistent(version, &id) };
        let (mut client, connack) = Client::connect_and_look(&broker, anew);
        assert!(!connack.session_present);
        publisher.publish("t", "nobody listens");
        client.expect_nothing();
    }
}

/// A session without expiry interval ends with its connection.
/// [MQTT-4.1.0-2], 3.1.1 [MQTT-3.1.2-6]
#[test]
fn a_session_that_is_not_to_last_ends_with_its_connection() {
    let broker = Broker::start();
    for version in VERSIONS {
        let id = format!("short {version}");
        let mut client = Client::clean(&broker, version, &id);
        client.subscribe_qos("t", AtLeastOnce);
        client.disconnect();
        let mut publisher = Client::clean(&broker, version, "publisher");
        publisher.publish("t", "lost");

        let (mut client, connack) = Client::connect_and_look(&broker, persistent(version, &id));
        assert!(!connack.session_present);
        client.expect_nothing();
    }
}

/// Even a client that takes over gets nothing of a session that was not to last.
/// 3.1.1 [MQTT-3.1.2-6]
#[test]
fn a_session_that_is_not_to_last_can_not_be_taken_over() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut old = Client::clean(&broker, version, "same");
        old.subscribe_qos("t", AtLeastOnce);
        let (mut new, connack) = Client::connect_and_look(&broker, persistent(version, "same"));
        assert!(!connack.session_present, "{version}");
        old.expect_disconnect(ReasonCode::SessionTakenOver);
        Client::clean(&broker, version, "publisher").publish("t", "nobody listens");
        new.expect_nothing();
        new.disconnect();
        Client::clean(&broker, version, "same").disconnect();
    }
}

/// MQTT 5.0 §3.1.2.11.2: a session waits as long as it was told, and no longer.
/// [MQTT-3.1.2-23, MQTT-4.1.0-2]
#[test]
fn a_session_expires() {
    let broker = Broker::start();
    let short = || resuming("short", [Property::SessionExpiryInterval(1)]);
    let (client, connack) = Client::connect_and_look(&broker, short());
    assert!(!connack.session_present);
    client.vanish();
    let (client, connack) = Client::connect_and_look(&broker, short());
    assert!(connack.session_present, "one second has not passed");
    client.vanish();
    let_pass(Duration::from_millis(1050));
    let (_client, connack) = Client::connect_and_look(&broker, short());
    assert!(!connack.session_present, "one second has passed");
}

/// MQTT 5.0 §3.14.2.2.2: DISCONNECT may change how long the session lasts.
/// [MQTT-4.1.0-2]
#[test]
fn disconnect_changes_the_session_expiry_interval() {
    let broker = Broker::start();
    for (before_s, after_s, lasts) in [(1000, 0, false), (1, FOREVER_S, true)] {
        let id = format!("{before_s} {after_s}");
        let connect = || resuming(&id, [Property::SessionExpiryInterval(before_s)]);
        let client = Client::connect(&broker, connect());
        client.disconnect_with(Disconnect {
            code: ReasonCode::Success,
            properties: properties([Property::SessionExpiryInterval(after_s)]),
        });
        if lasts {
            let_pass(Duration::from_millis(1500));
        }
        let (_client, connack) = Client::connect_and_look(&broker, connect());
        assert_eq!(connack.session_present, lasts, "{before_s} s became {after_s} s");
    }
}

/// MQTT 5.0 §3.14.2.2.2: a session that was to end can't be made to last.
#[test]
fn a_session_expiry_interval_of_zero_can_not_be_changed() {
    let broker = Broker::start();
    let mut client = Client::clean(&broker, V5, "zero");
    client.send(Packet::Disconnect(Disconnect {
        code: ReasonCode::Success,
        properties: properties([Property::SessionExpiryInterval(100)]),
    }));
    client.expect_disconnect(ReasonCode::ProtocolError);
    let (_client, connack) = Client::connect_and_look(&broker, resuming("zero", []));
    assert!(!connack.session_present);
}

/// The second of two clients with one identifier stays, on whatever worker either is.
/// [MQTT-3.1.4-3, MQTT-3.1.3-2], 3.1.1 [MQTT-3.1.4-2, MQTT-3.1.3-2]
#[test]
fn a_client_takes_over_from_another_on_any_worker() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut old = Client::connect(&broker, persistent(version, "same"));
        old.subscribe_qos("t", AtLeastOnce);
        for turn in 0..6 {
            // Connections go to the workers in turn: an odd number of others puts the next one
            // where the last one was not, an even number where it was.
            let others: Vec<_> = (0..turn % 2).map(|_| Client::open(&broker, version)).collect();
            let (mut new, connack) = Client::connect_and_look(&broker, persistent(version, "same"));
            assert_eq!(connack.session_present, version != V31);
            old.expect_disconnect(ReasonCode::SessionTakenOver);
            let payload = format!("to number {turn}");
            Client::clean(&broker, version, "publisher").publish("t", payload.clone());
            new.take(&payload);
            new.expect_nothing();
            old = new;
            drop(others);
        }
        Client::clean(&broker, version, "same").disconnect();
    }
}

/// Many at once with one identifier leave one connection and a session in order.
/// [MQTT-3.1.4-3], 3.1.1 [MQTT-3.1.4-2]
#[test]
fn a_crowd_with_one_identifier_leaves_one() {
    let broker = Broker::start();
    let mut clients: Vec<_> = (0..40).map(|_| Client::open(&broker, V5)).collect();
    for client in &mut clients {
        client.send(Packet::Connect(Box::new(persistent(V5, "crowd"))));
    }
    let mut alive = Vec::new();
    for mut client in clients {
        assert!(matches!(client.receive(), Packet::ConnAck(_)), "each is accepted at first");
        client.send_if_open(Packet::PingReq);
        match client.receive_or_closed() {
            Some(Packet::PingResp) => alive.push(client),
            Some(Packet::Disconnect(end)) => {
                assert_eq!(end.code, ReasonCode::SessionTakenOver);
            }
            other => panic!("{other:?}"),
        }
    }
    // One that was pinged just before it was taken over is seen to be closed now.
    alive.retain_mut(|client| {
        client.send_if_open(Packet::PingReq);
        matches!(client.receive_or_closed(), Some(Packet::PingResp))
    });
    assert_eq!(alive.len(), 1);
    let survivor = &mut alive[0];
    survivor.subscribe_qos("t", ExactlyOnce);
    survivor.publish_self("t", "still here");
}

/// MQTT 5.0 §4.1: a session is the client's, whatever version it speaks next.
#[test]
fn a_session_outlives_a_change_of_version() {
    let broker = Broker::start();
    let mut client = Client::connect(&broker, persistent(V5, "mixed"));
    client.subscribe_id("t", AtLeastOnce, 7);
    client.disconnect();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let mut message = publish("t", "with properties", AtLeastOnce, 1);
    message.properties = properties([
        Property::ContentType(text("text/plain")),
        Property::MessageExpiryInterval(1000),
    ]);
    publisher.publish_as(message);

    let (mut client, connack) = Client::connect_and_look(&broker, persistent(V311, "mixed"));
    assert!(connack.session_present);
    let taken = client.take("with properties");
    assert_eq!(taken.properties, Properties::EMPTY);
    client.disconnect();
    publisher.publish("t", "next");
    let mut client = Client::connect(&broker, persistent(V5, "mixed"));
    let taken = client.take("next");
    assert_eq!(taken.properties.subscription_identifier(), Some(7));
}

/// QoS 0 waits for a client that is away where the broker is told to keep it, in the room that there is
/// for all that waits.
#[test]
fn qos_0_waits_where_the_broker_is_told_so() {
    for (word, waits) in [("true", true), ("false", false)] {
        let broker = Broker::configured(|ports| {
            format!(
                "listener {} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 3\n\
                 queue_qos0_messages {word}",
                ports.mqtt
            )
        });
        for version in VERSIONS {
            let mut away = Client::connect(&broker, persistent(version, "away"));
            away.subscribe_qos("t/#", AtLeastOnce);
            away.disconnect();
            let mut publisher = Client::clean(&broker, version, "publisher");
            for payload in ["first", "second"] {
                publisher.publish_as(publish("t/x", payload, AtMostOnce, 1));
            }
            publisher.publish_as(publish("t/x", "acknowledged", AtLeastOnce, 1));
            publisher.publish_as(publish("t/x", "too many", AtMostOnce, 1));
            publisher.disconnect();
            let mut back = Client::connect(&broker, persistent(version, "away"));
            if waits {
                back.take("first");
                back.take("second");
            }
            back.take("acknowledged");
            if waits {
                // There was room for three.
                back.expect_nothing();
            }
            Client::clean(&broker, version, "away").disconnect();
        }
    }
}
