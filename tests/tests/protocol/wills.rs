//! Wills: when they are sent, when they wait, and when they are forgotten.

use std::time::{Duration, Instant};

use codec::{Connect, Disconnect, Packet, Properties, Property, ProtocolVersion, ReasonCode, Will};
use tests::Broker;

use crate::client::*;

/// A client that hears of every will.
fn watcher(broker: &Broker) -> Client {
    let mut watcher = Client::clean(broker, V5, "watcher");
    watcher.subscribe_qos("will/#", ExactlyOnce);
    watcher
}

fn with_will(version: ProtocolVersion, client_id: &str, will: Will) -> Connect {
    Connect { will: Some(will), ..connect(version, client_id) }
}

/// A will that waits `delay_s`, of a client whose session lasts `expiry_s`.
fn delayed(client_id: &str, delay_s: u32, expiry_s: u32) -> Connect {
    let will = Will {
        properties: properties([Property::WillDelayInterval(delay_s)]),
        ..will("will/t", "gone")
    };
    Connect { will: Some(will), ..resuming(client_id, [Property::SessionExpiryInterval(expiry_s)]) }
}

/// The will is sent when a connection ends without DISCONNECT.
/// [MQTT-3.1.2-7, MQTT-3.1.2-8, MQTT-3.1.2-14], 3.1.1 [MQTT-3.1.2-8, MQTT-3.1.2-9, MQTT-3.1.2-16]
#[test]
fn a_will_is_sent_when_the_client_vanishes() {
    let broker = Broker::start();
    let mut watcher = watcher(&broker);
    for version in VERSIONS {
        for qos in QOS {
            let will = Will { qos, ..will("will/t", "gone") };
            Client::connect(&broker, with_will(version, "mortal", will)).vanish();
            let taken = watcher.take("gone");
            assert_eq!((taken.qos, taken.retain, taken.dup), (qos, false, false));
        }
    }
}

/// DISCONNECT takes the will back.
/// [MQTT-3.1.2-10, MQTT-3.14.4-3], 3.1.1 [MQTT-3.1.2-10, MQTT-3.14.4-3]
#[test]
fn a_will_is_not_sent_after_disconnect() {
    let broker = Broker::start();
    let mut watcher = watcher(&broker);
    for version in VERSIONS {
        Client::connect(&broker, with_will(version, "mortal", will("will/t", "gone"))).disconnect();
        watcher.expect_nothing();
    }
}

/// MQTT 5.0 §3.14.2.1: a client may leave and still want its will sent.
/// [MQTT-3.1.2-8]
#[test]
fn a_will_is_sent_after_a_disconnect_that_asks_for_it() {
    let broker = Broker::start();
    let mut watcher = watcher(&broker);
    for code in [ReasonCode::DisconnectWithWill, ReasonCode::UnspecifiedError] {
        Client::connect(&broker, with_will(V5, "mortal", will("will/t", "gone")))
            .disconnect_with(Disconnect::new(code));
        watcher.take("gone");
    }
}

/// A client that breaks the protocol has its will sent.
/// [MQTT-3.1.2-8, MQTT-4.13.1-1], 3.1.1 [MQTT-3.1.2-8]
#[test]
fn a_will_is_sent_after_a_protocol_error() {
    let broker = Broker::start();
    let mut watcher = watcher(&broker);
    for version in VERSIONS {
        let mut client =
            Client::connect(&broker, with_will(version, "mortal", will("will/t", "gone")));
        client.send_bytes(&[0x00, 0x00]);
        client.expect_disconnect(ReasonCode::MalformedPacket);
        watcher.take("gone");
    }
}

/// A client that falls silent has its will sent.
/// [MQTT-3.1.2-8], 3.1.1 [MQTT-3.1.2-8]
#[test]
fn a_will_is_sent_after_the_keep_alive() {
    let broker = Broker::start();
    let mut watcher = watcher(&broker);
    let will = with_will(V311, "mortal", will("will/t", "gone"));
    let _silent = Client::connect(&broker, Connect { keep_alive_s: 1, ..will });
    watcher.take("gone");
}

/// MQTT 5.0 §3.1.4: a client that is taken over from has its will sent, on whatever worker the
/// next one arrives.
/// [MQTT-3.1.2-8], 3.1.1 [MQTT-3.1.2-8]
#[test]
fn a_will_is_sent_when_another_takes_over() {
    let broker = Broker::start();
    let mut watcher = watcher(&broker);
    for version in VERSIONS {
        let mut olds = Vec::new();
        for clean_start in [true, false, true, false] {
            let properties = if version.is_v5() {
                properties([Property::SessionExpiryInterval(100)])
            } else {
                Properties::EMPTY
            };
            let connect = with_will(version, "mortal", will("will/t", "gone"));
            olds.push(Client::connect(&broker, Connect { clean_start, properties, ..connect }));
            if olds.len() > 1 {
                watcher.take("gone");
            }
        }
        olds.pop().unwrap().disconnect();
        watcher.expect_nothing();
    }
}

/// MQTT 5.0 §3.1.3.2.2: a client that comes back in time takes its will back, and brings a new
/// one.
/// [MQTT-3.1.3-9]
#[test]
fn a_delayed_will_is_forgotten_when_the_client_comes_back() {
    let broker = Broker::start();
    let mut watcher = watcher(&broker);
    Client::connect(&broker, delayed("mortal", 1, 100)).vanish();
    let (back, connack) = Client::connect_and_look(&broker, delayed("mortal", 1, 100));
    assert!(connack.session_present);
    let_pass(Duration::from_millis(1500));
    watcher.expect_nothing();
    // The same goes for one that comes back while the old connection is still there.
    let (back_again, _) = Client::connect_and_look(&broker, delayed("mortal", 1, 100));
    drop(back);
    let_pass(Duration::from_millis(1500));
    watcher.expect_nothing();
    drop(back_again);
    watcher.take("gone");
}

/// A will waits for its delay.
/// [MQTT-3.1.2-8, MQTT-3.1.2-10, MQTT-3.1.3-9]
#[test]
fn a_delayed_will_is_sent_after_its_delay() {
    let broker = Broker::start();
    let mut watcher = watcher(&broker);
    let mortal = Client::connect(&broker, delayed("mortal", 1, 100));
    let before = Instant::now();
    mortal.vanish();
    watcher.take("gone");
    assert!(before.elapsed() >= Duration::from_millis(990), "{:?}", before.elapsed());
    // It was sent once.
    Client::connect(&broker, delayed("mortal", 1, 100)).disconnect();
    watcher.expect_nothing();
}

/// A will does not wait longer than its session lasts.
/// [MQTT-3.1.2-8]
#[test]
fn a_delayed_will_is_sent_when_the_session_ends() {
    let broker = Broker::start();
    let mut watcher = watcher(&broker);
    // At once, if the session ends with its connection …
    Client::connect(&broker, delayed("at once", 100_000, 0)).vanish();
    watcher.take("gone");
    // … or when it expires …
    let mortal = Client::connect(&broker, delayed("expires", 100_000, 1));
    let before = Instant::now();
    mortal.vanish();
    watcher.take("gone");
    assert!(before.elapsed() >= Duration::from_millis(990), "{:?}", before.elapsed());
    // … or when a clean start ends it, after its connection …
    Client::connect(&broker, delayed("replaced", 100_000, 100_000)).vanish();
    watcher.expect_nothing();
    let replacing = Client::clean(&broker, V5, "replaced");
    watcher.take("gone");
    drop(replacing);
    // … or with it.
    let _old = Client::connect(&broker, delayed("taken over", 100_000, 100_000));
    let _new = Client::clean(&broker, V5, "taken over");
    watcher.take("gone");
}

/// MQTT 5.0 §3.1.3.2.2: the session that another takes over may be one that was not to last.
/// [MQTT-3.1.2-8]
#[test]
fn a_delayed_will_is_sent_when_a_short_session_is_taken_over() {
    let broker = Broker::start();
    let mut watcher = watcher(&broker);
    let _old = Client::connect(&broker, delayed("mortal", 100_000, 0));
    let _new = Client::connect(&broker, resuming("mortal", []));
    watcher.take("gone");
}

/// A will is retained if it says so, and only then.
/// [MQTT-3.1.2-14, MQTT-3.1.2-15], 3.1.1 [MQTT-3.1.2-16, MQTT-3.1.2-17]
#[test]
fn a_will_may_be_retained() {
    let broker = Broker::start();
    for version in VERSIONS {
        for retain in [true, false] {
            let topic = format!("status/{version}/{retain}");
            let will = Will { retain, ..will(&topic, "offline") };
            let client = Client::connect(&broker, with_will(version, "mortal", will));
            client.vanish();
            let mut late = Client::clean(&broker, version, "late");
            late.subscribe_qos(&topic, AtLeastOnce);
            if retain {
                assert!(late.take("offline").retain);
            }
            late.expect_nothing();
        }
    }
}

/// What a PUBLISH would pass on is passed on.
/// [MQTT-3.1.3-10]
#[test]
fn a_will_has_the_properties_of_a_message() {
    let broker = Broker::start();
    let mut watcher = watcher(&broker);
    let passed = [
        Property::PayloadFormatIndicator(true),
        Property::ContentType(text("text/plain")),
        Property::ResponseTopic(name("answers")),
        Property::CorrelationData("42".into()),
        Property::UserProperty(text("b"), text("1")),
        Property::UserProperty(text("a"), text("2")),
        Property::UserProperty(text("b"), text("3")),
    ];
    let mut own = vec![Property::WillDelayInterval(0), Property::MessageExpiryInterval(500)];
    own.extend(passed.clone());
    let will = Will { properties: properties(own), ..will("will/t", "gone") };
    Client::connect(&broker, with_will(V5, "mortal", will)).vanish();

    let taken = watcher.take("gone");
    assert!(matches!(taken.properties.message_expiry_interval(), Some(499..=500)));
    let rest = taken.properties.filtered(|id| id != codec::PropertyId::MessageExpiryInterval);
    assert_eq!(rest.iter().collect::<Vec<_>>(), passed);
}

/// A client may hear its own will of last time.
/// [MQTT-3.1.2-8], 3.1.1 [MQTT-3.1.2-8]
#[test]
fn a_will_waits_in_the_session_of_its_own_client() {
    let broker = Broker::start();
    for version in VERSIONS {
        let connect =
            || Connect { will: Some(will("will/own", "gone")), ..persistent(version, "mortal") };
        let mut client = Client::connect(&broker, connect());
        client.subscribe_qos("will/own", AtLeastOnce);
        client.vanish();
        let mut client = Client::connect(&broker, connect());
        client.take("gone");
        client.send(Packet::Disconnect(Disconnect::new(ReasonCode::Success)));
        client.expect_closed();
        Client::clean(&broker, version, "mortal").disconnect();
    }
}

/// DISCONNECT takes the will back at once, even while the client has not read all that was
/// written to it, and another connection takes over in that time.
/// [MQTT-3.1.2-10], 3.1.1 [MQTT-3.1.2-10]
#[test]
fn a_will_is_not_sent_for_a_client_that_said_goodbye_and_came_back() {
    let broker = Broker::start();
    let mut watcher = watcher(&broker);
    for version in VERSIONS {
        let mut hasty =
            Client::connect(&broker, with_will(version, "hasty", will("will/t", "gone")));
        hasty.subscribe_qos("large", AtMostOnce);
        let mut publisher = Client::clean(&broker, version, "publisher");
        for _ in 0..40 {
            publisher.publish("large", vec![0; 500_000]);
        }
        hasty.send(Packet::Disconnect(Disconnect::new(ReasonCode::Success)));
        let mut again = Client::clean(&broker, version, "hasty");
        again.expect_nothing();
        drop(hasty);
        watcher.expect_nothing();
    }
}
