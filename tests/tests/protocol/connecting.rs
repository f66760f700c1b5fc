//! CONNECT and CONNACK, and what may follow them.

use codec::{Auth, Connect, Packet, Properties, Property, ReasonCode};
use tests::Broker;

use crate::client::*;

/// A client without an identifier is told the one that it was given.
/// [MQTT-3.1.3-6, MQTT-3.1.3-7, MQTT-3.2.2-16]
#[test]
fn a_client_without_an_identifier_gets_one() {
    let broker = Broker::start();
    let mut assigned = Vec::new();
    for clean_start in [true, false] {
        let (mut client, connack) =
            Client::connect_and_look(&broker, Connect { clean_start, ..connect(V5, "") });
        assert!(!connack.session_present);
        let id = connack.properties.assigned_client_identifier().unwrap();
        assert!(!id.is_empty());
        client.expect_nothing();
        assigned.push((client, id));
    }
    assert_ne!(assigned[0].1, assigned[1].1);
    // It is an identifier like any other: a client that uses it takes the session over.
    let (first, id) = &mut assigned[0];
    let (_again, connack) = Client::connect_and_look(&broker, connect(V5, id.as_str()));
    assert_eq!(connack.properties.assigned_client_identifier(), None);
    first.expect_disconnect(ReasonCode::SessionTakenOver);
}

/// Without an identifier there is a clean session or none. MQTT 3.1 wants an identifier in any
/// case.
/// 3.1.1 [MQTT-3.1.3-6, MQTT-3.1.3-7, MQTT-3.1.3-8, MQTT-3.1.3-9, MQTT-3.2.2-4, MQTT-3.2.2-5]
#[test]
fn before_mqtt_5_an_empty_identifier_goes_with_a_clean_session_alone() {
    let broker = Broker::start();
    for (version, clean_start, code) in [
        (V31, true, ReasonCode::ClientIdentifierNotValid),
        (V31, false, ReasonCode::ClientIdentifierNotValid),
        (V311, true, ReasonCode::Success),
        (V311, false, ReasonCode::ClientIdentifierNotValid),
    ] {
        let (mut client, connack) =
            Client::try_connect(&broker, Connect { clean_start, ..connect(version, "") });
        assert_eq!((connack.code, connack.session_present), (code, false), "{version}");
        if code.is_error() {
            client.expect_closed();
        } else {
            client.expect_nothing();
        }
    }
}

/// MQTT 3.1 §3.2: the first byte of its CONNACK is reserved, whatever session there is.
#[test]
fn mqtt_3_1_hears_nothing_of_a_session() {
    let broker = Broker::start();
    for _ in 0..2 {
        let mut client = Client::open(&broker, V31);
        client.send_bytes(b"\x10\x0f\x00\x06MQIsdp\x03\x00\x00\x00\x00\x01s");
        assert_eq!(client.receive_bytes(4), [0x20, 2, 0, 0]);
        client.disconnect();
    }
    // The session is there all the same, as a later version sees.
    let (_client, connack) = Client::connect_and_look(&broker, persistent(V311, "s"));
    assert!(connack.session_present);
}

/// A second CONNECT is a protocol error.
/// [MQTT-3.1.0-2, MQTT-4.13.1-1], 3.1.1 [MQTT-3.1.0-2, MQTT-4.8.0-1]
#[test]
fn a_second_connect_ends_the_connection() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut client = Client::clean(&broker, version, "twice");
        client.send(Packet::Connect(Box::new(connect(version, "twice"))));
        client.expect_disconnect(ReasonCode::ProtocolError);
    }
}

/// A client need not wait for its CONNACK.
/// [MQTT-3.2.0-1], 3.1.1 [MQTT-3.2.0-1]
#[test]
fn packets_may_follow_connect_at_once() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut client = Client::open(&broker, version);
        client.send_all([
            Packet::Connect(Box::new(connect(version, "hasty"))),
            Packet::Publish(publish("t", "1", AtLeastOnce, 7)),
            Packet::PingReq,
        ]);
        assert!(matches!(client.receive(), Packet::ConnAck(_)));
        assert!(matches!(client.receive(), Packet::PubAck(ack) if ack.packet_id == id(7)));
        client.expect(Packet::PingResp);
    }
}

/// PINGREQ is answered by PINGRESP.
/// [MQTT-3.12.4-1], 3.1.1 [MQTT-3.12.4-1]
#[test]
fn each_ping_is_answered() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut client = Client::clean(&broker, version, "ping");
        client.send_all([Packet::PingReq, Packet::PingReq, Packet::PingReq]);
        for _ in 0..3 {
            client.expect(Packet::PingResp);
        }
    }
}

/// An authentication method that is not served is refused with 0x8C.
/// [MQTT-4.12.0-1, MQTT-3.2.2-6, MQTT-3.2.2-7, MQTT-4.13.2-1]
#[test]
fn an_unknown_authentication_method_is_refused() {
    let broker = Broker::start();
    let properties = properties([
        Property::AuthenticationMethod(text("SCRAM-SHA-1")),
        Property::AuthenticationData("hello".into()),
    ]);
    let (mut client, connack) =
        Client::try_connect(&broker, Connect { properties, ..connect(V5, "scram") });
    assert_eq!(connack.code, ReasonCode::BadAuthenticationMethod);
    client.expect_closed();
}

/// Without a method in the CONNECT there is no AUTH.
/// [MQTT-4.12.0-6, MQTT-4.12.0-7]
#[test]
fn auth_without_a_method_in_connect_is_a_protocol_error() {
    let broker = Broker::start();
    let mut client = Client::clean(&broker, V5, "auth");
    let properties = properties([Property::AuthenticationMethod(text("SCRAM-SHA-1"))]);
    client.send(Packet::Auth(Auth { code: ReasonCode::ReAuthenticate, properties }));
    client.expect_disconnect(ReasonCode::ProtocolError);
}

/// No packet is larger than the client takes, not even one that only explains.
/// [MQTT-3.1.2-24, MQTT-3.14.2-3, MQTT-4.13.2-1]
#[test]
fn what_the_broker_says_fits_the_maximum_packet_size() {
    let broker = Broker::start();
    let properties = properties([Property::MaximumPacketSize(40)]);
    let mut client = Client::connect(&broker, Connect { properties, ..connect(V5, "tiny") });
    // A SUBACK of 36 bytes passes; one of 44 can't be sent, and there is no going on without it.
    let filters: Vec<_> = (0..38).map(|n| format!("t/{n}")).collect();
    let filters: Vec<_> = filters.iter().map(|f| (f.as_str(), options(AtMostOnce))).collect();
    assert_eq!(client.subscribe_all(&filters[..30], Properties::EMPTY).len(), 30);
    client.send_subscribe(&filters, Properties::EMPTY);
    client.expect_disconnect(ReasonCode::PacketTooLarge);
}

/// A client that takes no CONNACK of ours is not sent one.
/// [MQTT-3.1.2-24, MQTT-4.13.2-1]
#[test]
fn a_connack_that_is_too_large_is_not_sent() {
    let broker = Broker::start();
    let mut client = Client::open(&broker, V5);
    let properties = properties([Property::MaximumPacketSize(4)]);
    let connect = Connect { properties, ..connect(V5, "tiny") };
    client.send(Packet::Connect(Box::new(connect)));
    client.expect_closed();
}

/// A refusal is without words where they would make it too large.
/// [MQTT-3.2.2-19]
#[test]
fn a_refusal_fits_the_maximum_packet_size() {
    let broker = Broker::start();
    let deep = "a/".repeat(1000);
    for (maximum, words) in [(1000, true), (20, false)] {
        let properties = properties([
            Property::MaximumPacketSize(maximum),
            Property::RequestProblemInformation(true),
        ]);
        let will = Some(will(&deep, "of too many levels"));
        let (_client, connack) =
            Client::try_connect(&broker, Connect { properties, will, ..connect(V5, "deep") });
        assert_eq!(connack.code, ReasonCode::TopicNameInvalid);
        assert_eq!(connack.properties.reason_string().is_some(), words);
    }
}

/// A client is told in words what went wrong if it asks for that.
#[test]
fn problem_information_is_given_on_request() {
    let broker = Broker::start();
    for (asks, wanted) in [(Some(true), true), (Some(false), false), (None, false)] {
        let properties = properties(asks.map(Property::RequestProblemInformation));
        let mut client = Client::connect(&broker, Connect { properties, ..connect(V5, "c") });
        client.send_bytes(&[0x00, 0x00]);
        let Packet::Disconnect(end) = client.receive() else { panic!("no DISCONNECT") };
        assert_eq!(end.code, ReasonCode::MalformedPacket);
        assert_eq!(end.properties.reason_string().is_some(), wanted);
    }
}

/// MQTT 5.0 §3.14.2.1: a broker that stops says so, and sends no wills.
/// [MQTT-3.14.2-1]
#[test]
fn clients_hear_that_the_broker_stops() {
    let mut broker = Broker::start();
    let mut clients = VERSIONS.map(|version| {
        let will = Some(will("will", "gone"));
        let connect = connect(version, &version.to_string());
        let mut client = Client::connect(&broker, Connect { will, ..connect });
        client.subscribe_qos("will", AtLeastOnce);
        client
    });
    assert!(broker.stop_with(tests::program::Signal::TERM).success());
    for client in &mut clients {
        client.expect_disconnect(ReasonCode::ServerShuttingDown);
    }
}
