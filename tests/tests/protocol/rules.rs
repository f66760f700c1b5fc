//! What a configuration file lets clients do, and what they are told of it.

use codec::{Connect, Disconnect, Packet, Properties, Property, ReasonCode};
use tests::Broker;

use crate::client::*;

/// A broker whose listener is open to everybody, with these lines.
fn listener_with(lines: &str) -> Broker {
    Broker::configured_with(|ports, _| {
        format!("listener {}\nallow_anonymous true\n{lines}", ports.mqtt)
    })
}

/// `max_qos`: a subscription is granted less, a PUBLISH of more ends the connection, a will of more is
/// refused. [MQTT-3.2.2-9, MQTT-3.2.2-10, MQTT-3.2.2-11, MQTT-3.2.2-12]
#[test]
fn nothing_goes_beyond_the_maximum_qos() {
    let broker = listener_with("max_qos 1");
    for version in VERSIONS {
        let (mut client, connack) = Client::connect_and_look(&broker, connect(version, "c"));
        assert_eq!(connack.properties.maximum_qos(), version.is_v5().then_some(AtLeastOnce));
        let codes = client.subscribe_all(&[("t", options(ExactlyOnce))], Properties::EMPTY);
        assert_eq!(codes, [ReasonCode::GrantedQoS1], "{version}");
        client.send(Packet::Publish(publish("t", "x", ExactlyOnce, 1)));
        client.expect_disconnect(ReasonCode::QoSNotSupported);

        let last = codec::Will { qos: ExactlyOnce, ..will("t", "gone") };
        let refused = Connect { will: Some(last), ..connect(version, "c") };
        let mut client = Client::open(&broker, version);
        client.send(Packet::Connect(Box::new(refused)));
        if version.is_v5() {
            client.expect_refusal(ReasonCode::QoSNotSupported);
        } else {
            client.expect_closed();
        }
    }
}

/// `retain_available false`: neither a message nor a will is retained.
/// [MQTT-3.2.2-13, MQTT-3.2.2-14]
#[test]
fn nothing_is_retained_where_that_is_not_served() {
    let broker = listener_with("retain_available false");
    for version in VERSIONS {
        let (mut client, connack) = Client::connect_and_look(&broker, connect(version, "c"));
        assert_eq!(connack.properties.retain_available(), version.is_v5().then_some(false));
        client.send(Packet::Publish(codec::Publish {
            retain: true,
            ..publish("t", "x", AtLeastOnce, 1)
        }));
        client.expect_disconnect(ReasonCode::RetainNotSupported);

        let last = codec::Will { retain: true, ..will("t", "gone") };
        let refused = Connect { will: Some(last), ..connect(version, "c") };
        let mut client = Client::open(&broker, version);
        client.send(Packet::Connect(Box::new(refused)));
        if version.is_v5() {
            client.expect_refusal(ReasonCode::RetainNotSupported);
        } else {
            client.expect_closed();
        }
    }
}

/// `message_size_limit`: a larger message goes to nobody, and its sender of MQTT 5.0 hears it.
#[test]
fn a_message_beyond_the_limit_is_dropped() {
    let broker = listener_with("message_size_limit 1");
    for version in VERSIONS {
        let mut client = Client::clean(&broker, version, "c");
        client.subscribe_qos("t", AtMostOnce);
        let code = client.publish_as(publish("t", "ab", AtLeastOnce, 1));
        let refused = if version.is_v5() { ReasonCode::QuotaExceeded } else { ReasonCode::Success };
        assert_eq!(code, refused, "{version}");
        client.publish_self("t", "a");
        client.disconnect();

        let refused = Connect { will: Some(will("t", "gone")), ..connect(version, "c") };
        let mut client = Client::open(&broker, version);
        client.send(Packet::Connect(Box::new(refused)));
        client.expect_refusal(if version.is_v5() {
            ReasonCode::PacketTooLarge
        } else {
            ReasonCode::NotAuthorized
        });
    }
}

/// `max_keepalive`: a client of MQTT 5.0 is told what holds, one of MQTT 3 is refused.
/// [MQTT-3.2.2-21, MQTT-3.2.2-22]
#[test]
fn a_keep_alive_has_a_limit() {
    let broker = listener_with("max_keepalive 60");
    for (keep_alive_s, told) in [(60, None), (61, Some(60)), (0, Some(60))] {
        for version in VERSIONS {
            let connect = Connect { keep_alive_s, ..connect(version, "c") };
            let mut client = Client::open(&broker, version);
            client.send(Packet::Connect(Box::new(connect)));
            if told.is_some() && !version.is_v5() {
                client.expect_refusal(ReasonCode::ClientIdentifierNotValid);
                continue;
            }
            let Packet::ConnAck(connack) = client.receive() else { panic!("no CONNACK") };
            assert_eq!(connack.code, ReasonCode::Success);
            assert_eq!(connack.properties.server_keep_alive(), told, "{version}");
        }
    }
}

/// `upgrade_outgoing_qos`: a message is sent with the QoS of the subscription, a retained one too.
#[test]
fn a_message_may_be_sent_with_more_than_it_was_published_with() {
    let broker = listener_with("upgrade_outgoing_qos true");
    let mut publisher = Client::clean(&broker, V5, "publisher");
    publisher.publish_as(codec::Publish { retain: true, ..publish("kept", "k", AtMostOnce, 1) });
    publisher.publish("fence", "x");
    for version in VERSIONS {
        let mut client = Client::clean(&broker, version, "c");
        client.subscribe_qos("kept", AtLeastOnce);
        assert_eq!(client.take("k").qos, AtLeastOnce, "{version}");
        client.subscribe_qos("t", ExactlyOnce);
        publisher.publish_as(publish("t", "x", AtMostOnce, 1));
        assert_eq!(client.take("x").qos, ExactlyOnce, "{version}");
    }
}

/// `persistent_client_expiration`: no session lasts longer, and a client of MQTT 5.0 is told.
#[test]
fn a_session_expiry_has_a_limit() {
    let broker = listener_with("persistent_client_expiration 1h");
    for (wanted, told) in [(30, None), (3600, None), (3601, Some(3600)), (u32::MAX, Some(3600))] {
        let properties = properties([Property::SessionExpiryInterval(wanted)]);
        let connect = Connect { properties, ..connect(V5, "c") };
        let (mut client, connack) = Client::connect_and_look(&broker, connect);
        assert_eq!(connack.properties.session_expiry_interval(), told, "{wanted}");
        client.send(Packet::Disconnect(Disconnect::new(ReasonCode::Success)));
        client.expect_closed();
    }
}

/// `max_inflight_bytes`: no more is begun before something is acknowledged; what is sent again on the
/// next connection counts anew.
#[test]
fn bytes_in_flight_have_a_limit() {
    const PAYLOADS: [&str; 4] = ["message1", "message2", "message3", "message4"];
    let broker = listener_with("max_inflight_bytes 16");
    let mut publisher = Client::clean(&broker, V5, "publisher");
    for version in VERSIONS {
        for qos in [AtLeastOnce, ExactlyOnce] {
            let mut client = Client::connect(&broker, persistent(version, "c"));
            client.subscribe_qos("t", qos);
            for payload in PAYLOADS {
                publisher.publish_as(publish("t", payload, qos, 1));
            }
            for expected in &PAYLOADS[..2] {
                assert_eq!(payload(&client.receive_publish()), *expected);
            }
            client.expect_nothing();
            client.vanish();
            let mut client = Client::connect(&broker, persistent(version, "c"));
            for payload in PAYLOADS {
                client.take(payload);
            }
            client.expect_nothing();
            client.disconnect();
            Client::clean(&broker, version, "c").disconnect();
        }
    }
}
