//! The specifications' own byte examples: each decodes to what its figure says, and the packet
//! encodes to the figure's bytes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says so by a panic, its helpers too"
)]

mod common;

use bytes::Bytes;
use codec::{
    Connect, Disconnect, MqttString, Packet, PacketId, Properties, Property, ProtocolVersion,
    Publish, QoS, ReasonCode, SubAck, Subscribe, Subscription, SubscriptionOptions, Unsubscribe,
    Will,
};
#[cfg(target_arch = "wasm32")]
use common::test;
use common::{encoded, filter, frame, name};

const V311: ProtocolVersion = ProtocolVersion::V311;
const V5: ProtocolVersion = ProtocolVersion::V5;

fn ten() -> PacketId {
    PacketId::new(10).unwrap()
}

fn two_filters() -> [(codec::TopicFilter, QoS); 2] {
    [(filter("a/b"), QoS::AtLeastOnce), (filter("c/d"), QoS::ExactlyOnce)]
}

/// The variable header of figure 3.6, 1100_1110 its flags, with the shortest payload it can have:
/// client identifier, will topic, will message, user name and password.
fn connect(version: ProtocolVersion, properties: Properties) -> Packet {
    let text = |text| MqttString::new(text).unwrap();
    Packet::Connect(Box::new(Connect {
        clean_start: true,
        keep_alive_s: 10,
        properties,
        will: Some(Will {
            qos: QoS::AtLeastOnce,
            retain: false,
            properties: Properties::EMPTY,
            topic: name("w"),
            payload: Bytes::from_static(b"m"),
        }),
        username: Some(text("u")),
        password: Some(Bytes::from_static(b"p")),
        ..Connect::new(version, text("c"))
    }))
}

fn publish() -> Packet {
    let publish = Publish::new(name("a/b"), Bytes::new());
    Packet::Publish(Publish { qos: QoS::AtLeastOnce, packet_id: Some(ten()), ..publish })
}

fn subscribe() -> Packet {
    let line = |(filter, qos)| Subscription { filter, options: SubscriptionOptions::with_qos(qos) };
    Packet::Subscribe(Subscribe {
        packet_id: ten(),
        properties: Properties::EMPTY,
        subscriptions: two_filters().into_iter().map(line).collect(),
    })
}

fn unsubscribe() -> Packet {
    Packet::Unsubscribe(Unsubscribe {
        packet_id: ten(),
        properties: Properties::EMPTY,
        filters: two_filters().into_iter().map(|(filter, _)| filter).collect(),
    })
}

#[test]
fn the_figures_of_both_specifications() {
    let ten_seconds = Properties::new([Property::SessionExpiryInterval(10)]).unwrap();
    let no_seconds = Properties::new([Property::SessionExpiryInterval(0)]).unwrap();
    let rows: Vec<(&str, ProtocolVersion, u8, &[u8], Packet)> = vec![
        (
            "3.1.1 figure 3.6",
            V311,
            0x10,
            b"\x00\x04MQTT\x04\xce\x00\x0a\x00\x01c\x00\x01w\x00\x01m\x00\x01u\x00\x01p",
            connect(V311, Properties::EMPTY),
        ),
        (
            "5.0 figure 3-6",
            V5,
            0x10,
            b"\x00\x04MQTT\x05\xce\x00\x0a\x05\x11\x00\x00\x00\x0a\
              \x00\x01c\x00\x00\x01w\x00\x01m\x00\x01u\x00\x01p",
            connect(V5, ten_seconds),
        ),
        ("3.1.1 figure 3.11", V311, 0x32, b"\x00\x03a/b\x00\x0a", publish()),
        ("5.0 figure 3-9", V5, 0x32, b"\x00\x03a/b\x00\x0a\x00", publish()),
        (
            "3.1.1 figures 3.21 and 3.23",
            V311,
            0x82,
            b"\x00\x0a\x00\x03a/b\x01\x00\x03c/d\x02",
            subscribe(),
        ),
        (
            "5.0 figures 3-19 and 3-21",
            V5,
            0x82,
            b"\x00\x0a\x00\x00\x03a/b\x01\x00\x03c/d\x02",
            subscribe(),
        ),
        (
            "3.1.1 figure 3.27",
            V311,
            0x90,
            b"\x00\x0a\x00\x02\x80",
            Packet::SubAck(SubAck {
                packet_id: ten(),
                properties: Properties::EMPTY,
                codes: vec![
                    ReasonCode::Success,
                    ReasonCode::GrantedQoS2,
                    ReasonCode::UnspecifiedError,
                ],
            }),
        ),
        ("3.1.1 figure 3.30", V311, 0xa2, b"\x00\x0a\x00\x03a/b\x00\x03c/d", unsubscribe()),
        ("5.0 figure 3.30", V5, 0xa2, b"\x00\x0a\x00\x00\x03a/b\x00\x03c/d", unsubscribe()),
        ("3.1.1 figure 3.33", V311, 0xc0, b"", Packet::PingReq),
        ("3.1.1 figure 3.34", V311, 0xd0, b"", Packet::PingResp),
        (
            "3.1.1 figure 3.35",
            V311,
            0xe0,
            b"",
            Packet::Disconnect(Disconnect::new(ReasonCode::Success)),
        ),
        (
            "5.0 figure 3-24",
            V5,
            0xe0,
            b"\x00\x05\x11\x00\x00\x00\x00",
            Packet::Disconnect(Disconnect { code: ReasonCode::Success, properties: no_seconds }),
        ),
    ];
    for (figure, version, first, body, packet) in rows {
        let wire = frame(first, body);
        assert_eq!(Packet::decode(&wire, version).as_ref(), Ok(&packet), "{figure}");
        assert_eq!(encoded(&packet, version), wire, "{figure}");
    }
}

#[test]
fn figure_1_2_a_string_of_two_characters_and_five_bytes() {
    let wire = frame(0x30, b"\x00\x05\x41\xf0\xaa\x9b\x94");
    let Ok(Packet::Publish(publish)) = Packet::decode(&wire, V311) else { panic!() };
    let topic = publish.topic.unwrap();
    assert_eq!(topic.as_str(), "A\u{2a6d4}");
    assert_eq!(encoded(&Packet::Publish(Publish::new(topic, Bytes::new())), V311), wire);
}

/// MQTT 3.1 §3.1: level 3 with the name `MQIsdp`.
#[test]
fn mqtt_3_1_says_mqisdp() {
    let wire = frame(0x10, b"\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01c");
    let packet = Packet::Connect(Box::new(Connect::new(
        ProtocolVersion::V31,
        MqttString::new("c").unwrap(),
    )));
    assert_eq!(Packet::decode(&wire, V5).as_ref(), Ok(&packet), "it says its version itself");
    assert_eq!(encoded(&packet, V5), wire);
}

#[test]
fn what_says_nothing_is_left_out_and_may_be() {
    // MQTT 5.0 §3.4.2.1, §3.14.2.1: Reason Code and Property Length.
    let id = PacketId::new(1).unwrap();
    let good = codec::Ack::new(id, ReasonCode::Success);
    for body in [&b"\x00\x01"[..], b"\x00\x01\x00", b"\x00\x01\x00\x00"] {
        let decoded = Packet::decode(&frame(0x40, body), V5).unwrap();
        assert_eq!(decoded, Packet::PubAck(good.clone()));
        assert_eq!(encoded(&decoded, V5), frame(0x40, b"\x00\x01"));
    }
    for body in [&b""[..], b"\x00", b"\x00\x00"] {
        let decoded = Packet::decode(&frame(0xe0, body), V5).unwrap();
        assert_eq!(decoded, Packet::Disconnect(Disconnect::new(ReasonCode::Success)));
        assert_eq!(encoded(&decoded, V5), frame(0xe0, b""));
    }
}
