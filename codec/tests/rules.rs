//! Each rule that makes bytes malformed or a protocol error: what is found, and with which Reason
//! Code it is answered. Rows are named by the normative statement, of MQTT 5.0 where nothing else is
//! said.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says so by a panic, its helpers too"
)]

mod common;

use ReasonCode::{MalformedPacket as Malformed, ProtocolError as Protocol};
use bytes::{Bytes, BytesMut};
use codec::{
    DecodeError, DecodeErrorKind as Kind, Decoder, EncodeError, FixedHeader, Packet, PacketType,
    Properties, Property, PropertyId, PropertyOwner, ProtocolVersion, Publish, PublishHead, QoS,
    ReasonCode, StringError, TopicError,
};
use common::packets;
use common::rng::Rng;
#[cfg(target_arch = "wasm32")]
use common::test;
use common::{VERSIONS, encoded, filter, frame, name};

const V31: ProtocolVersion = ProtocolVersion::V31;
const V311: ProtocolVersion = ProtocolVersion::V311;
const V5: ProtocolVersion = ProtocolVersion::V5;

/// What the bytes are called, the version, the bytes, the error and its Reason Code.
type Row = (&'static str, ProtocolVersion, Bytes, Kind, ReasonCode);

fn check(rows: Vec<Row>) {
    for (rule, version, wire, kind, code) in rows {
        let packet = PacketType::from_nibble(wire[0] >> 4);
        match Packet::decode(&wire, version) {
            Ok(packet) => panic!("{rule}: {packet:?}"),
            Err(error) => {
                assert_eq!((error.kind, error.reason_code()), (kind, code), "{rule}");
                let has_name = !matches!(kind, Kind::PacketType(_));
                assert_eq!(error.packet, packet.filter(|_| has_name), "{rule}");
            }
        }
    }
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// CONNECT of MQTT 3.1.1 from its flags and what follows Keep Alive.
fn connect4(flags: u8, payload: &[u8]) -> Bytes {
    frame(0x10, &join(&[b"\x00\x04MQTT\x04", &[flags], b"\x00\x3c", payload]))
}

/// CONNECT of MQTT 5.0 from its flags and its properties, shorter than 128 bytes, and the payload.
fn connect5(flags: u8, properties: &[u8], payload: &[u8]) -> Bytes {
    let len = [properties.len() as u8];
    frame(0x10, &join(&[b"\x00\x04MQTT\x05", &[flags], b"\x00\x3c", &len, properties, payload]))
}

/// PUBLISH of MQTT 5.0 with the topic `t` and these properties.
fn publish5(properties: &[u8]) -> Bytes {
    frame(0x30, &join(&[b"\x00\x01t", &[properties.len() as u8], properties]))
}

#[test]
fn the_fixed_header() {
    check(vec![
        ("§2.1.2 type 0", V5, frame(0x00, b""), Kind::PacketType(0), Malformed),
        ("3.1.1 §2.2.1 type 15", V311, frame(0xf0, b""), Kind::PacketType(15), Malformed),
        ("3.1 type 15", V31, frame(0xf0, b""), Kind::PacketType(15), Malformed),
        ("[MQTT-3.3.1-4]", V5, frame(0x36, b"\0\x01t\0\x01\0"), Kind::QoS3, Malformed),
        ("3.1.1 [MQTT-3.3.1-4]", V311, frame(0x36, b"\0\x01t\0\x01"), Kind::QoS3, Malformed),
        ("[MQTT-3.3.1-2]", V5, frame(0x38, b"\0\x01t\0"), Kind::DupWithQoS0, Protocol),
        ("3.1.1 [MQTT-3.3.1-2]", V311, frame(0x38, b"\0\x01t"), Kind::DupWithQoS0, Protocol),
        (
            "§2.1.4 five bytes of length",
            V5,
            Bytes::from_static(b"\x30\xff\xff\xff\xff\x01"),
            Kind::VarintTooLong,
            Malformed,
        ),
        (
            "[MQTT-1.5.5-1]",
            V5,
            Bytes::from_static(b"\xc0\x80\x00"),
            Kind::VarintNotMinimal,
            Malformed,
        ),
        (
            "[MQTT-1.5.5-1] of a CONNECT",
            V5,
            Bytes::from_static(b"\x10\x8d\x00\x00\x04MQTT\x05\x02\0\0\0\0\0"),
            Kind::VarintNotMinimal,
            Malformed,
        ),
        ("bytes in a PINGREQ", V5, frame(0xc0, b"\0"), Kind::TrailingBytes, Malformed),
        ("bytes in a PINGRESP", V311, frame(0xd0, b"\0"), Kind::TrailingBytes, Malformed),
        ("bytes in a DISCONNECT", V311, frame(0xe0, b"\0"), Kind::TrailingBytes, Malformed),
        (
            "two packets in one frame",
            V5,
            b"\xc0\0\xc0\0"[..].into(),
            Kind::TrailingBytes,
            Malformed,
        ),
        ("half a packet", V5, b"\x30\x05\0\x01"[..].into(), Kind::Truncated, Malformed),
    ]);
    // Before MQTT 5.0 a length may be longer than it must be.
    for version in [V31, V311] {
        let padded = Bytes::from_static(b"\xc0\x80\x80\x00");
        assert_eq!(Packet::decode(&padded, version), Ok(Packet::PingReq), "{version}");
    }
}

/// [MQTT-2.1.3-1], 3.1.1 [MQTT-2.2.2-1]: every first byte in every version.
/// [MQTT-3.6.1-1, MQTT-3.8.1-1, MQTT-3.10.1-1, MQTT-3.14.1-1, MQTT-3.15.1-1], 3.1.1
/// [MQTT-2.2.2-2, MQTT-3.6.1-1, MQTT-3.8.1-1, MQTT-3.10.1-1, MQTT-3.14.1-1]
#[test]
fn the_flags_of_every_type() {
    for version in VERSIONS {
        for first in 0x10..=0xffu8 {
            let (Some(kind), flags) = (PacketType::from_nibble(first >> 4), first & 0x0f) else {
                continue;
            };
            if kind == PacketType::Publish || kind == PacketType::Auth && !version.is_v5() {
                continue;
            }
            let two = [PacketType::PubRel, PacketType::Subscribe, PacketType::Unsubscribe];
            let allowed: &[u8] = match two.contains(&kind) {
                // MQTT 3.1 §2.1: sent again, they carry DUP.
                true if version == V31 => &[0b0010, 0b1010],
                true => &[0b0010],
                false => &[0],
            };
            let got = FixedHeader::peek(&[first, 0], version, u32::MAX);
            if allowed.contains(&flags) {
                assert!(got.is_ok(), "{version}: {first:#04x}");
            } else {
                let error = got.unwrap_err();
                assert_eq!((error.packet, error.kind), (Some(kind), Kind::FixedHeaderFlags(flags)));
                assert_eq!(error.reason_code(), Malformed);
            }
        }
    }
}

#[test]
fn the_maximum_size_is_checked_before_anything_is_there() {
    // The claim of 256 MB in a CONNECT.
    let mut claim = BytesMut::from(&b"\x10\xff\xff\xff\x7f"[..]);
    let error = Decoder::server(1_000).decode(&mut claim).unwrap_err();
    assert_eq!(error.kind, Kind::TooLarge { size: 268_435_460, max: 1_000 });
    assert_eq!(error.reason_code(), ReasonCode::PacketTooLarge);
    // MQTT 5.0 §3.1.2.11.4: the size is that of the whole packet.
    let publish = publish5(b"");
    for (max, fits) in [(5, false), (6, true)] {
        assert_eq!(Decoder::client(V5, max).decode(&mut publish.clone()).is_ok(), fits, "{max}");
    }
}

/// [MQTT-3.1.3-1, MQTT-3.1.4-1], 3.1.1 [MQTT-3.1.2-1, MQTT-3.1.2-2, MQTT-3.1.2-11, MQTT-3.1.3-1]
#[test]
fn connect() {
    let connect = |name_and_level: &[u8]| frame(0x10, &join(&[name_and_level, b"\x02\0\0\0\0"]));
    let unsupported = ReasonCode::UnsupportedProtocolVersion;
    check(vec![
        ("[MQTT-3.1.2-1]", V5, connect(b"\0\x04mqtt\x05"), Kind::ProtocolName, unsupported),
        ("[MQTT-3.1.2-1]", V5, connect(b"\0\x04HTTP\x01"), Kind::ProtocolName, unsupported),
        ("[MQTT-3.1.2-2]", V5, connect(b"\0\x04MQTT\x06"), Kind::ProtocolVersion(6), unsupported),
        ("[MQTT-3.1.2-2]", V5, connect(b"\0\x04MQTT\x03"), Kind::ProtocolVersion(3), unsupported),
        ("[MQTT-3.1.2-2]", V5, connect(b"\0\x06MQIsdp\x04"), Kind::ProtocolVersion(4), unsupported),
        (
            "a bridge of MQTT 5.0 has no mark",
            V5,
            connect(b"\0\x04MQTT\x85"),
            Kind::ProtocolVersion(0x85),
            unsupported,
        ),
        ("[MQTT-3.1.2-3]", V5, connect5(0x03, b"", b"\0\0"), Kind::ReservedBits, Malformed),
        ("3.1.1 [MQTT-3.1.2-3]", V311, connect4(0x03, b"\0\0"), Kind::ReservedBits, Malformed),
        ("[MQTT-3.1.2-11]", V5, connect5(0x0a, b"", b"\0\0"), Kind::WillFlags, Malformed),
        ("3.1.1 [MQTT-3.1.2-13]", V311, connect4(0x12, b"\0\0"), Kind::WillFlags, Malformed),
        (
            "[MQTT-3.1.2-12]",
            V5,
            connect5(0x1e, b"", b"\0\0\0\0\x01w\0\0"),
            Kind::WillFlags,
            Malformed,
        ),
        (
            "3.1.1 [MQTT-3.1.2-14]",
            V311,
            connect4(0x1e, b"\0\0\0\x01w\0\0"),
            Kind::WillFlags,
            Malformed,
        ),
        ("[MQTT-3.1.2-13]", V5, connect5(0x22, b"", b"\0\0"), Kind::WillFlags, Malformed),
        ("3.1.1 [MQTT-3.1.2-15]", V311, connect4(0x22, b"\0\0"), Kind::WillFlags, Malformed),
        ("[MQTT-3.1.2-9]", V5, connect5(0x06, b"", b"\0\0"), Kind::Truncated, Malformed),
        (
            "[MQTT-3.1.2-16]",
            V5,
            connect5(0x02, b"", b"\0\0\0\x01u"),
            Kind::TrailingBytes,
            Malformed,
        ),
        ("[MQTT-3.1.2-17]", V5, connect5(0x82, b"", b"\0\0"), Kind::Truncated, Malformed),
        (
            "[MQTT-3.1.2-18]",
            V5,
            connect5(0x02, b"", b"\0\0\0\x01p"),
            Kind::TrailingBytes,
            Malformed,
        ),
        ("[MQTT-3.1.2-19]", V5, connect5(0x42, b"", b"\0\0"), Kind::Truncated, Malformed),
        ("3.1.1 [MQTT-3.1.2-19]", V311, connect4(0x82, b"\0\0"), Kind::Truncated, Malformed),
        (
            "3.1.1 [MQTT-3.1.2-22]",
            V311,
            connect4(0x42, b"\0\0\0\x01p"),
            Kind::PasswordWithoutUsername,
            Protocol,
        ),
        (
            "3.1.1 [MQTT-3.1.2-18]",
            V311,
            connect4(0x02, b"\0\0\0\x01u"),
            Kind::TrailingBytes,
            Malformed,
        ),
        (
            "3.1.1 [MQTT-3.1.2-20]",
            V311,
            connect4(0x82, b"\0\0\0\x01u\0\x01p"),
            Kind::TrailingBytes,
            Malformed,
        ),
        (
            "3.1.1 [MQTT-3.1.3-4]",
            V311,
            connect4(0x02, b"\0\x01\xff"),
            Kind::String(StringError::NotUtf8),
            Malformed,
        ),
        (
            "3.1.1 [MQTT-3.1.3-10]",
            V311,
            connect4(0x06, b"\0\0\0\x01\xff\0\0"),
            Kind::String(StringError::NotUtf8),
            Malformed,
        ),
        (
            "3.1.1 [MQTT-3.1.3-11]",
            V311,
            connect4(0x82, b"\0\0\0\x01\xff"),
            Kind::String(StringError::NotUtf8),
            Malformed,
        ),
        ("[MQTT-3.1.3-3]", V5, connect5(0x02, b"", b""), Kind::Truncated, Malformed),
        (
            "[MQTT-3.1.3-4]",
            V5,
            connect5(0x02, b"", b"\0\x01\xff"),
            Kind::String(StringError::NotUtf8),
            Malformed,
        ),
        (
            "[MQTT-3.1.3-11]",
            V5,
            connect5(0x06, b"", b"\0\0\0\0\x01\xff\0\0"),
            Kind::String(StringError::NotUtf8),
            Malformed,
        ),
        (
            "[MQTT-3.1.3-12]",
            V5,
            connect5(0x82, b"", b"\0\0\0\x01\xff"),
            Kind::String(StringError::NotUtf8),
            Malformed,
        ),
        (
            "[MQTT-4.7.0-1] in a will",
            V5,
            connect5(0x06, b"", b"\0\0\0\0\x01#\0\0"),
            Kind::Topic(TopicError::WildcardInName),
            Malformed,
        ),
        (
            "[MQTT-4.7.3-1] in a will",
            V311,
            connect4(0x06, b"\0\0\0\0\0\0"),
            Kind::Topic(TopicError::Empty),
            Malformed,
        ),
    ]);
}

/// What MQTT 3.1 does not look at, and later versions do.
#[test]
fn connect_of_mqtt_3_1() {
    let connect = |flags: u8, payload: &[u8]| {
        let wire = frame(0x10, &join(&[b"\0\x06MQIsdp\x03", &[flags], b"\0\0", payload]));
        match Packet::decode(&wire, V31) {
            Ok(Packet::Connect(connect)) => *connect,
            other => panic!("{other:?}"),
        }
    };
    assert!(connect(0x03, b"\0\x01c").clean_start, "bit 0 is not used");
    assert_eq!(connect(0x38, b"\0\x01c").will, None, "nor the will's bits without a will");
    let forgotten = connect(0xc2, b"\0\x01c");
    assert_eq!((forgotten.username, forgotten.password), (None, None));
    let half = connect(0xc2, b"\0\x01c\0\x01u");
    assert_eq!((half.username.as_deref(), half.password), (Some("u"), None));
    assert_eq!(connect(0x02, &[&b"\0\x1e"[..], &[b'x'; 30]].concat()).client_id.len(), 30);
    assert_eq!(connect(0x02, b"\0\0").client_id.len(), 0, "it is for the server to refuse");
    // A bridge of Mosquitto marks itself in the level, in both old versions.
    for (name, version) in [(&b"\0\x06MQIsdp\x83"[..], V31), (b"\0\x04MQTT\x84", V311)] {
        let wire = frame(0x10, &join(&[name, b"\x02\0\0\0\x01c"]));
        let Ok(Packet::Connect(bridge)) = Packet::decode(&wire, V5) else { panic!() };
        assert_eq!((bridge.version, bridge.bridge), (version, true));
    }
}

#[test]
fn connack() {
    check(vec![
        ("[MQTT-3.2.2-1]", V5, frame(0x20, b"\x02\0\0"), Kind::ReservedBits, Malformed),
        ("3.1.1 §3.2.2.1", V311, frame(0x20, b"\x03\0"), Kind::ReservedBits, Malformed),
        ("[MQTT-3.2.2-6]", V5, frame(0x20, b"\x01\x80\0"), Kind::SessionPresentOnError, Protocol),
        (
            "3.1.1 [MQTT-3.2.2-4]",
            V311,
            frame(0x20, b"\x01\x05"),
            Kind::SessionPresentOnError,
            Protocol,
        ),
        ("3.1.1 table 3.1", V311, frame(0x20, b"\0\x06"), Kind::ReasonCode(6), Malformed),
        ("3.1 §3.2", V31, frame(0x20, b"\0\x06"), Kind::ReasonCode(6), Malformed),
        ("no return code", V311, frame(0x20, b"\0"), Kind::Truncated, Malformed),
    ]);
    // The byte is reserved in MQTT 3.1.
    let wire = frame(0x20, b"\xff\0");
    assert!(matches!(Packet::decode(&wire, V31), Ok(Packet::ConnAck(ack)) if !ack.session_present));
}

#[test]
fn strings_and_topics() {
    let topic = |bytes: &[u8]| frame(0x30, &join(&[&[0, bytes.len() as u8], bytes]));
    let not_utf8 = Kind::String(StringError::NotUtf8);
    let wildcard = Kind::Topic(TopicError::WildcardInName);
    let nul = Kind::String(StringError::Nul);
    check(vec![
        ("3.1.1 [MQTT-1.5.3-1]", V311, topic(b"\xed\xa0\x80"), not_utf8, Malformed),
        ("3.1.1 [MQTT-1.5.3-1]", V311, topic(b"a\xff"), not_utf8, Malformed),
        ("3.1.1 [MQTT-1.5.3-2]", V311, topic(b"a\0b"), nul, Malformed),
        ("[MQTT-1.5.4-1]", V5, frame(0x30, b"\0\x03\xed\xb2\x80\0"), not_utf8, Malformed),
        ("[MQTT-1.5.4-2]", V5, frame(0x30, b"\0\x01\0\0"), nul, Malformed),
        ("[MQTT-1.5.7-1]", V5, publish5(b"\x26\0\x01k\0\x01\xff"), not_utf8, Malformed),
        ("[MQTT-1.5.7-1]", V5, publish5(b"\x26\0\x01\0\0\0"), nul, Malformed),
        ("[MQTT-3.3.2-2]", V5, frame(0x30, b"\0\x01+\0"), wildcard, Malformed),
        ("3.1.1 [MQTT-3.3.2-2]", V311, topic(b"a/#"), wildcard, Malformed),
        ("§3.3.2.1 no alias", V5, frame(0x30, b"\0\0\0"), Kind::NoTopic, Protocol),
        ("3.1.1 [MQTT-4.7.3-1]", V311, topic(b""), Kind::Topic(TopicError::Empty), Malformed),
        ("3.1 §2.5", V31, topic(b""), Kind::Topic(TopicError::Empty), Malformed),
        ("a topic past the end", V311, frame(0x30, b"\0\x05t"), Kind::Truncated, Malformed),
    ]);
    // [MQTT-1.5.4-3], 3.1.1 [MQTT-1.5.3-3]: a byte order mark stays where it is.
    let Ok(Packet::Publish(publish)) = Packet::decode(&topic(b"\xef\xbb\xbfa"), V311) else {
        panic!()
    };
    assert_eq!(publish.topic.as_ref().map(|topic| topic.as_str()), Some("\u{feff}a"));
}

#[test]
fn packet_identifiers() {
    let zero = Kind::PacketIdZero;
    check(vec![
        ("[MQTT-2.2.1-3]", V5, frame(0x32, b"\0\x01t\0\0\0"), zero, Protocol),
        ("3.1.1 [MQTT-2.3.1-1]", V311, frame(0x34, b"\0\x01t\0\0"), zero, Protocol),
        ("[MQTT-2.2.1-3]", V5, frame(0x82, b"\0\0\0\0\x01a\0"), zero, Malformed),
        ("[MQTT-2.2.1-3]", V5, frame(0xa2, b"\0\0\0\0\x01a"), zero, Malformed),
        ("[MQTT-2.2.1-5]", V5, frame(0x40, b"\0\0"), zero, Protocol),
        ("[MQTT-2.2.1-5]", V5, frame(0x50, b"\0\0"), zero, Protocol),
        ("[MQTT-2.2.1-5]", V5, frame(0x62, b"\0\0"), zero, Protocol),
        ("[MQTT-2.2.1-5]", V5, frame(0x70, b"\0\0"), zero, Protocol),
        ("[MQTT-2.2.1-6]", V5, frame(0x90, b"\0\0\0\0"), zero, Protocol),
        ("[MQTT-2.2.1-6]", V5, frame(0xb0, b"\0\0\0\0"), zero, Protocol),
        ("3.1.1 no identifier", V311, frame(0x40, b"\0"), Kind::Truncated, Malformed),
        ("3.1.1 more than one", V311, frame(0x40, b"\0\x01\0"), Kind::TrailingBytes, Malformed),
    ]);
}

#[test]
fn subscribe_and_unsubscribe() {
    let subscribe4 = |line: &[u8]| frame(0x82, &join(&[b"\0\x01", line]));
    let subscribe5 = |line: &[u8]| frame(0x82, &join(&[b"\0\x01\0", line]));
    let unsubscribe = |line: &[u8]| frame(0xa2, &join(&[b"\0\x01\0", line]));
    let options = Kind::SubscriptionOptions;
    let position = Kind::Topic(TopicError::WildcardPosition);
    let share = Kind::Topic(TopicError::ShareName);
    let empty = Kind::Topic(TopicError::Empty);
    check(vec![
        ("[MQTT-3.8.3-2]", V5, subscribe5(b""), Kind::NoFilter, Protocol),
        ("3.1.1 [MQTT-3.8.3-3]", V311, subscribe4(b""), Kind::NoFilter, Protocol),
        ("[MQTT-3.10.3-2]", V5, unsubscribe(b""), Kind::NoFilter, Protocol),
        ("3.1.1 [MQTT-3.10.3-2]", V311, frame(0xa2, b"\0\x01"), Kind::NoFilter, Protocol),
        ("§3.8.3.1 QoS 3", V5, subscribe5(b"\0\x01a\x03"), options(0x03), Protocol),
        ("§3.8.3.1 Retain Handling 3", V5, subscribe5(b"\0\x01a\x30"), options(0x30), Protocol),
        ("[MQTT-3.8.3-5]", V5, subscribe5(b"\0\x01a\x40"), options(0x40), Malformed),
        ("[MQTT-3.8.3-5]", V5, subscribe5(b"\0\x01a\x80"), options(0x80), Malformed),
        ("3.1.1 [MQTT-3.8.3-4]", V311, subscribe4(b"\0\x01a\x03"), options(0x03), Protocol),
        ("3.1.1 [MQTT-3.8.3-4]", V311, subscribe4(b"\0\x01a\x80"), options(0x80), Malformed),
        ("3.1 §3.8", V31, subscribe4(b"\0\x01a\x03"), options(0x03), Protocol),
        (
            "[MQTT-3.8.3-4]",
            V5,
            subscribe5(b"\0\x0a$share/g/a\x04"),
            Kind::NoLocalOnShared,
            Protocol,
        ),
        (
            "[MQTT-3.8.3-1]",
            V5,
            subscribe5(b"\0\x01\xff\0"),
            Kind::String(StringError::NotUtf8),
            Malformed,
        ),
        (
            "[MQTT-3.10.3-1]",
            V5,
            unsubscribe(b"\0\x01\xff"),
            Kind::String(StringError::NotUtf8),
            Malformed,
        ),
        ("[MQTT-4.7.3-1]", V5, subscribe5(b"\0\0\0"), empty, Malformed),
        ("[MQTT-4.7.3-1]", V5, unsubscribe(b"\0\0"), empty, Malformed),
        (
            "3.1.1 [MQTT-3.10.3-1]",
            V311,
            frame(0xa2, b"\0\x01\0\x01\xff"),
            Kind::String(StringError::NotUtf8),
            Malformed,
        ),
        ("3.1.1 [MQTT-4.7.1-2]", V311, subscribe4(b"\0\x04a/#/\0"), position, Malformed),
        ("3.1.1 [MQTT-4.7.1-3]", V311, subscribe4(b"\0\x02a+\0"), position, Malformed),
        ("[MQTT-4.7.1-1]", V5, subscribe5(b"\0\x04a/#/\0"), position, Malformed),
        ("[MQTT-4.7.1-2]", V5, subscribe5(b"\0\x02a+\0"), position, Malformed),
        ("[MQTT-4.7.1-2]", V5, unsubscribe(b"\0\x02+a"), position, Malformed),
        ("[MQTT-4.8.2-1]", V5, subscribe5(b"\0\x09$share//a\0"), share, Malformed),
        ("[MQTT-4.8.2-2]", V5, subscribe5(b"\0\x08$share/g\0"), share, Malformed),
        ("no options", V5, subscribe5(b"\0\x01a"), Kind::Truncated, Malformed),
        ("no options", V311, subscribe4(b"\0\x01a"), Kind::Truncated, Malformed),
        ("a SUBACK of nothing", V311, frame(0x90, b"\0\x01"), Kind::Truncated, Malformed),
        ("a SUBACK of nothing", V5, frame(0x90, b"\0\x01\0"), Kind::Truncated, Malformed),
        ("an UNSUBACK of nothing", V5, frame(0xb0, b"\0\x01\0"), Kind::Truncated, Malformed),
        ("3.1.1 codes", V311, frame(0xb0, b"\0\x01\0"), Kind::TrailingBytes, Malformed),
        (
            "3.1.1 [MQTT-3.9.3-2]",
            V311,
            frame(0x90, b"\0\x01\x87"),
            Kind::ReasonCode(0x87),
            Malformed,
        ),
        ("3.1.1 [MQTT-3.9.3-2]", V311, frame(0x90, b"\0\x01\x03"), Kind::ReasonCode(3), Malformed),
    ]);
}

#[test]
fn property_values() {
    use PropertyId as Id;
    let value = Kind::PropertyValue;
    let connect = |properties: &[u8]| connect5(0x02, properties, b"\0\0");
    let connack =
        |properties: &[u8]| frame(0x20, &join(&[b"\0\0", &[properties.len() as u8], properties]));
    let subscribe = |properties: &[u8]| {
        frame(0x82, &join(&[b"\0\x01", &[properties.len() as u8], properties, b"\0\x01a\0"]))
    };
    let auth =
        |properties: &[u8]| frame(0xf0, &join(&[b"\x18", &[properties.len() as u8], properties]));
    check(vec![
        ("§2.2.2.2", V5, publish5(b"\x00"), Kind::UnknownProperty(0), Malformed),
        ("§2.2.2.2", V5, publish5(b"\x7f"), Kind::UnknownProperty(127), Malformed),
        ("§2.2.2.2", V5, publish5(b"\xff\x01"), Kind::UnknownProperty(255), Malformed),
        ("[MQTT-1.5.5-1]", V5, publish5(b"\x81\x00\x00"), Kind::VarintNotMinimal, Malformed),
        (
            "[MQTT-1.5.5-1] of a length",
            V5,
            frame(0x30, b"\0\x01t\x80\x00"),
            Kind::VarintNotMinimal,
            Malformed,
        ),
        ("[MQTT-2.2.2-1]", V5, frame(0x30, b"\0\x01t"), Kind::Truncated, Malformed),
        ("a length past the end", V5, frame(0x30, b"\0\x01t\x05"), Kind::Truncated, Malformed),
        ("a value past the end", V5, publish5(b"\x02\0\0\0"), Kind::Truncated, Malformed),
        ("a text past the end", V5, publish5(b"\x03\0\x05abc"), Kind::Truncated, Malformed),
        ("an identifier cut off", V5, publish5(b"\x80"), Kind::Truncated, Malformed),
        ("§3.3.2.3.2", V5, publish5(b"\x01\x02"), value(Id::PayloadFormatIndicator), Protocol),
        ("§3.3.2.3.8", V5, publish5(b"\x0b\0"), value(Id::SubscriptionIdentifier), Protocol),
        ("§3.3.2.3.8", V5, publish5(b"\x0b\xff\xff\xff\xff\x01"), Kind::VarintTooLong, Malformed),
        ("§3.8.2.1.2", V5, subscribe(b"\x0b\0"), value(Id::SubscriptionIdentifier), Protocol),
        (
            "[MQTT-3.3.2-8]",
            V5,
            publish5(b"\x23\0\0"),
            value(Id::TopicAlias),
            ReasonCode::TopicAliasInvalid,
        ),
        ("[MQTT-3.3.2-14]", V5, publish5(b"\x08\0\x01+"), value(Id::ResponseTopic), Protocol),
        ("[MQTT-4.7.3-1]", V5, publish5(b"\x08\0\0"), value(Id::ResponseTopic), Protocol),
        (
            "[MQTT-3.3.2-13]",
            V5,
            publish5(b"\x08\0\x01\xff"),
            Kind::String(StringError::NotUtf8),
            Malformed,
        ),
        (
            "[MQTT-3.3.2-19]",
            V5,
            publish5(b"\x03\0\x01\xff"),
            Kind::String(StringError::NotUtf8),
            Malformed,
        ),
        ("§3.1.2.11.3", V5, connect(b"\x21\0\0"), value(Id::ReceiveMaximum), Protocol),
        ("§3.1.2.11.4", V5, connect(b"\x27\0\0\0\0"), value(Id::MaximumPacketSize), Protocol),
        ("§3.1.2.11.6", V5, connect(b"\x19\x02"), value(Id::RequestResponseInformation), Protocol),
        ("§3.1.2.11.7", V5, connect(b"\x17\x02"), value(Id::RequestProblemInformation), Protocol),
        ("§3.1.2.11.10", V5, connect(b"\x16\0\0"), Kind::AuthDataWithoutMethod, Protocol),
        ("§3.2.2.3.3", V5, connack(b"\x21\0\0"), value(Id::ReceiveMaximum), Protocol),
        ("§3.2.2.3.4", V5, connack(b"\x24\x02"), value(Id::MaximumQoS), Protocol),
        ("§3.2.2.3.5", V5, connack(b"\x25\x02"), value(Id::RetainAvailable), Protocol),
        ("§3.2.2.3.6", V5, connack(b"\x27\0\0\0\0"), value(Id::MaximumPacketSize), Protocol),
        (
            "§3.2.2.3.11",
            V5,
            connack(b"\x28\x02"),
            value(Id::WildcardSubscriptionAvailable),
            Protocol,
        ),
        (
            "§3.2.2.3.12",
            V5,
            connack(b"\x29\x02"),
            value(Id::SubscriptionIdentifierAvailable),
            Protocol,
        ),
        ("§3.2.2.3.13", V5, connack(b"\x2a\x02"), value(Id::SharedSubscriptionAvailable), Protocol),
        ("§3.15.2.2.2", V5, auth(b""), Kind::AuthMethodMissing, Protocol),
        ("§3.15.2.2.2", V5, frame(0xf0, b"\x19"), Kind::AuthMethodMissing, Protocol),
        ("§3.15.2.2.2", V5, auth(b"\x1f\0\x01r"), Kind::AuthMethodMissing, Protocol),
        ("§3.15.2.2.3", V5, auth(b"\x16\0\x01d"), Kind::AuthDataWithoutMethod, Protocol),
        (
            "its place counts for more than its value",
            V5,
            connect(b"\x23\0\0"),
            Kind::PropertyNotAllowed(Id::TopicAlias),
            Malformed,
        ),
    ]);
}

/// MQTT 5.0 §3: at each packet, the properties that its section lists.
fn listed() -> Vec<(PropertyOwner, &'static [u8])> {
    use PacketType as Type;
    let packet = PropertyOwner::Packet;
    vec![
        (packet(Type::Connect), &[0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27]),
        (PropertyOwner::Will, &[0x01, 0x02, 0x03, 0x08, 0x09, 0x18, 0x26]),
        (
            packet(Type::ConnAck),
            &[
                0x11, 0x12, 0x13, 0x15, 0x16, 0x1a, 0x1c, 0x1f, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27,
                0x28, 0x29, 0x2a,
            ],
        ),
        (packet(Type::Publish), &[0x01, 0x02, 0x03, 0x08, 0x09, 0x0b, 0x23, 0x26]),
        (packet(Type::PubAck), &[0x1f, 0x26]),
        (packet(Type::PubRec), &[0x1f, 0x26]),
        (packet(Type::PubRel), &[0x1f, 0x26]),
        (packet(Type::PubComp), &[0x1f, 0x26]),
        (packet(Type::Subscribe), &[0x0b, 0x26]),
        (packet(Type::SubAck), &[0x1f, 0x26]),
        (packet(Type::Unsubscribe), &[0x26]),
        (packet(Type::UnsubAck), &[0x1f, 0x26]),
        (packet(Type::PingReq), &[]),
        (packet(Type::PingResp), &[]),
        (packet(Type::Disconnect), &[0x11, 0x1c, 0x1f, 0x26]),
        (packet(Type::Auth), &[0x15, 0x16, 0x1f, 0x26]),
    ]
}

/// A packet of MQTT 5.0 with these properties, and as little else as there can be.
fn with_properties(owner: PropertyOwner, properties: &[u8]) -> Option<Bytes> {
    let section = &join(&[&[properties.len() as u8], properties])[..];
    let (first, before, after): (u8, &[u8], &[u8]) = match owner {
        PropertyOwner::Will => {
            return Some(connect5(0x06, b"", &join(&[b"\0\0", section, b"\0\x01w\0\0"])));
        }
        PropertyOwner::Packet(packet) => match packet {
            PacketType::Connect => return Some(connect5(0x02, properties, b"\0\0")),
            PacketType::ConnAck => (0x20, b"\0\0", b""),
            PacketType::Publish => (0x30, b"\0\x01t", b""),
            PacketType::PubAck => (0x40, b"\0\x01\0", b""),
            PacketType::PubRec => (0x50, b"\0\x01\0", b""),
            PacketType::PubRel => (0x62, b"\0\x01\0", b""),
            PacketType::PubComp => (0x70, b"\0\x01\0", b""),
            PacketType::Subscribe => (0x82, b"\0\x01", b"\0\x01a\0"),
            PacketType::SubAck => (0x90, b"\0\x01", b"\0"),
            PacketType::Unsubscribe => (0xa2, b"\0\x01", b"\0\x01a"),
            PacketType::UnsubAck => (0xb0, b"\0\x01", b"\0"),
            PacketType::Disconnect => (0xe0, b"\0", b""),
            PacketType::Auth => (0xf0, b"\x18", b""),
            PacketType::PingReq | PacketType::PingResp => return None,
        },
    };
    Some(frame(first, &join(&[before, section, after])))
}

/// MQTT 5.0 table 2-4, §2.2.2.2, and "more than once" at each property.
#[test]
fn every_property_in_every_packet() {
    let method =
        Properties::new([Property::AuthenticationMethod("m".try_into().unwrap())]).unwrap();
    let mut rng = Rng::new(0);
    for (owner, listed) in listed() {
        for id in PropertyId::ALL {
            let allowed = listed.contains(&(*id as u8));
            assert_eq!(id.is_allowed_in(owner), allowed, "{id} in {owner:?}");
            let one = Properties::new([packets::property(&mut rng, *id)]).unwrap();
            if one.as_bytes().len() > 60 {
                continue;
            }
            // What needs a method has one.
            let is_auth = owner == PropertyOwner::Packet(PacketType::Auth);
            let needs_method = match id {
                PropertyId::AuthenticationMethod => false,
                PropertyId::AuthenticationData => allowed,
                _ => is_auth,
            };
            let before: &[u8] = if needs_method { method.as_bytes() } else { b"" };
            let Some(once) = with_properties(owner, &join(&[before, one.as_bytes()])) else {
                continue;
            };
            let result = Packet::decode(&once, V5);
            if !allowed {
                let error = result.unwrap_err();
                assert_eq!(error.kind, Kind::PropertyNotAllowed(*id), "{owner:?}");
                assert_eq!(error.reason_code(), Malformed);
                continue;
            }
            assert!(result.is_ok(), "{id} in {owner:?}: {result:?}");
            let twice = join(&[before, one.as_bytes(), one.as_bytes()]);
            let result = Packet::decode(&with_properties(owner, &twice).unwrap(), V5);
            let repeats = *id == PropertyId::UserProperty
                || *id == PropertyId::SubscriptionIdentifier
                    && owner == PropertyOwner::Packet(PacketType::Publish);
            if repeats {
                assert!(result.is_ok(), "{id} in {owner:?}: {result:?}");
            } else {
                let error = result.unwrap_err();
                assert_eq!(error.kind, Kind::DuplicateProperty(*id), "{owner:?}");
                assert_eq!(error.reason_code(), Protocol);
            }
        }
    }
}

/// MQTT 5.0 table 2-6 and the table of each packet: [MQTT-3.2.2-8], [MQTT-3.4.2-1],
/// [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1], [MQTT-3.9.3-2], [MQTT-3.11.3-2],
/// [MQTT-3.14.2-1], [MQTT-3.15.2-1].
#[test]
fn every_reason_code_in_every_packet() {
    let publish: &[u8] = &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
    // The first byte, what precedes the code, what follows it, the codes that are listed.
    type Table<'a> = (u8, &'a [u8], &'a [u8], &'a [u8]);
    let tables: [Table<'_>; 9] = [
        (
            0x20,
            b"\0",
            b"\0",
            &[
                0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90,
                0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
            ],
        ),
        (0x40, b"\0\x01", b"", publish),
        (0x50, b"\0\x01", b"", publish),
        (0x62, b"\0\x01", b"", &[0x00, 0x92]),
        (0x70, b"\0\x01", b"", &[0x00, 0x92]),
        (
            0x90,
            b"\0\x01\0",
            b"",
            &[0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
        ),
        (0xb0, b"\0\x01\0", b"", &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91]),
        (
            0xe0,
            b"",
            b"",
            &[
                0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90,
                0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0,
                0xa1, 0xa2,
            ],
        ),
        (0xf0, b"", b"\x04\x15\0\x01m", &[0x00, 0x18, 0x19]),
    ];
    for (first, before, after, listed) in tables {
        for code in 0..=0xffu8 {
            let wire = frame(first, &join(&[before, &[code], after]));
            let result = Packet::decode(&wire, V5);
            if listed.contains(&code) {
                assert!(result.is_ok(), "{first:#x} {code:#x}: {result:?}");
            } else {
                let error = result.unwrap_err();
                assert_eq!(error.kind, Kind::ReasonCode(code), "{first:#x}");
                assert_eq!(error.reason_code(), Malformed);
            }
        }
    }
}

/// A decoder of a server whose client speaks this version.
fn server(version: ProtocolVersion) -> Decoder {
    let mut decoder = Decoder::server(u32::MAX);
    let connect = codec::Connect::new(version, "c".try_into().unwrap());
    let mut wire = encoded(&Packet::Connect(Box::new(connect)), version);
    decoder.decode(&mut wire).unwrap();
    decoder
}

#[test]
fn what_may_come_now_and_from_there() {
    let client = |version| Decoder::client(version, u32::MAX);
    let bridge = |version| Decoder::bridge(version, u32::MAX);
    let connect = || connect4(0x02, b"\0\0");
    let from_other = Kind::ReasonCodeFromOtherEnd;
    let expiry = Kind::PropertyFromOtherEnd(PropertyId::SessionExpiryInterval);
    let subscription = Kind::PropertyFromOtherEnd(PropertyId::SubscriptionIdentifier);
    let auth = |code: u8| frame(0xf0, &[code, 4, 0x15, 0, 1, b'm']);
    let rows: Vec<(&str, Decoder, Bytes, Result<(), Kind>)> = vec![
        ("[MQTT-3.1.0-1]", Decoder::server(99), frame(0xc0, b""), Err(Kind::NotConnect)),
        ("[MQTT-3.1.0-1]", Decoder::server(99), frame(0x00, b""), Err(Kind::NotConnect)),
        ("[MQTT-3.1.0-1]", Decoder::server(99), frame(0x20, b"\0\0"), Err(Kind::NotConnect)),
        ("HTTP", Decoder::server(99), b"GET / HTTP/1.1"[..].into(), Err(Kind::NotConnect)),
        ("[MQTT-3.1.0-2]", server(V311), connect(), Err(Kind::SecondConnect)),
        ("a CONNACK from a client", server(V5), frame(0x20, b"\0\0\0"), Err(Kind::WrongDirection)),
        ("a SUBACK from a client", server(V5), frame(0x90, b""), Err(Kind::WrongDirection)),
        ("an UNSUBACK from a client", server(V5), frame(0xb0, b""), Err(Kind::WrongDirection)),
        ("a PINGRESP from a client", server(V5), frame(0xd0, b""), Err(Kind::WrongDirection)),
        ("a CONNECT from a server", client(V5), connect(), Err(Kind::WrongDirection)),
        ("a SUBSCRIBE from a server", client(V5), frame(0x82, b""), Err(Kind::WrongDirection)),
        ("an UNSUBSCRIBE from a server", client(V5), frame(0xa2, b""), Err(Kind::WrongDirection)),
        ("a PINGREQ from a server", client(V5), frame(0xc0, b""), Err(Kind::WrongDirection)),
        ("a PINGREQ to a bridge", bridge(V5), frame(0xc0, b""), Ok(())),
        ("a SUBSCRIBE to a bridge", bridge(V5), frame(0x82, b""), Err(Kind::WrongDirection)),
        ("a DISCONNECT to a bridge", bridge(V311), frame(0xe0, b""), Err(Kind::WrongDirection)),
        ("3.1.1 §3.14", client(V311), frame(0xe0, b""), Err(Kind::WrongDirection)),
        ("§3.14", client(V5), frame(0xe0, b""), Ok(())),
        ("[MQTT-3.3.4-6]", server(V5), publish5(b"\x0b\x01"), Err(subscription)),
        ("§3.3.2.3.8", client(V5), publish5(b"\x0b\x01"), Ok(())),
        ("[MQTT-3.14.2-2]", client(V5), frame(0xe0, b"\0\x05\x11\0\0\0\0"), Err(expiry)),
        ("§3.14.2.2.2", server(V5), frame(0xe0, b"\0\x05\x11\0\0\0\0"), Ok(())),
        (
            "table 3-10",
            client(V5),
            frame(0xe0, b"\x04"),
            Err(from_other(ReasonCode::DisconnectWithWill)),
        ),
        ("table 3-10", server(V5), frame(0xe0, b"\x04"), Ok(())),
        (
            "table 3-10",
            server(V5),
            frame(0xe0, b"\x8e"),
            Err(from_other(ReasonCode::SessionTakenOver)),
        ),
        ("table 3-10", client(V5), frame(0xe0, b"\x8e"), Ok(())),
        ("table 3-11", server(V5), auth(0x00), Err(from_other(ReasonCode::Success))),
        ("table 3-11", server(V5), auth(0x19), Ok(())),
        ("table 3-11", client(V5), auth(0x19), Err(from_other(ReasonCode::ReAuthenticate))),
        ("table 3-11", client(V5), auth(0x00), Ok(())),
    ];
    for (rule, mut decoder, mut wire, want) in rows {
        let got = decoder.decode(&mut wire);
        if let Err(error) = got {
            assert_eq!(error.reason_code(), Protocol, "{rule}");
        }
        assert_eq!(got.map(|packet| assert!(packet.is_some())).map_err(|e| e.kind), want, "{rule}");
    }
}

/// MQTT 5.0 table 3-10, its column "Sent by".
#[test]
fn who_may_send_which_disconnect() {
    let server_alone =
        [0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2];
    for code in ReasonCode::ALL {
        if !code.is_allowed_in(PacketType::Disconnect) {
            continue;
        }
        let wire = frame(0xe0, &[*code as u8]);
        let to_server = server(V5).decode(&mut wire.clone());
        assert_eq!(to_server.is_err(), server_alone.contains(&(*code as u8)), "{code}");
        let to_client = Decoder::client(V5, u32::MAX).decode(&mut wire.clone());
        assert_eq!(to_client.is_err(), *code == ReasonCode::DisconnectWithWill, "{code}");
    }
}

/// A header that can't be right is found as soon as it is there.
#[test]
fn an_error_does_not_wait_for_the_rest() {
    for (start, kind) in [
        (&b"\x36"[..], Kind::QoS3),
        (b"\x80", Kind::FixedHeaderFlags(0)),
        (b"\x30\xff\xff\xff\xff", Kind::VarintTooLong),
    ] {
        let error = server(V5).decode(&mut BytesMut::from(start)).unwrap_err();
        assert_eq!(error.kind, kind);
    }
    // The first byte of TLS looks like a CONNECT, but for its flags.
    let error = Decoder::server(99).decode(&mut BytesMut::from(&b"\x16"[..])).unwrap_err();
    assert_eq!(error.kind, Kind::FixedHeaderFlags(6));
}

/// The Reason Codes that a CONNACK before MQTT 5.0 has a return code for, and those it has none for.
/// 3.1.1 [MQTT-3.2.2-6]
#[test]
fn refusals_before_mqtt_5() {
    for (code, byte) in [
        (ReasonCode::Success, Some(0)),
        (ReasonCode::UnsupportedProtocolVersion, Some(1)),
        (ReasonCode::ClientIdentifierNotValid, Some(2)),
        (ReasonCode::ServerUnavailable, Some(3)),
        (ReasonCode::ServerBusy, Some(3)),
        (ReasonCode::QuotaExceeded, Some(3)),
        (ReasonCode::BadUserNameOrPassword, Some(4)),
        (ReasonCode::NotAuthorized, Some(5)),
        (ReasonCode::Banned, Some(5)),
        // 3.1.1 [MQTT-3.2.2-6]: where none fits, the connection is closed without a CONNACK.
        (ReasonCode::MalformedPacket, None),
        (ReasonCode::ProtocolError, None),
    ] {
        let connack =
            codec::ConnAck { session_present: false, code, properties: Properties::EMPTY };
        let mut out = BytesMut::new();
        let done = Packet::ConnAck(connack).encode(V311, &mut out);
        match byte {
            Some(byte) => assert_eq!((done, &out[..]), (Ok(()), &[0x20, 2, 0, byte][..]), "{code}"),
            None => assert_eq!((done, out.len()), (Err(EncodeError::ReasonCode(code)), 0)),
        }
    }
}

#[test]
fn nothing_wrong_is_encoded_and_the_buffer_stays_as_it_was() {
    let id = codec::PacketId::new(1);
    let packet_id = id.unwrap();
    let publish = Publish::new(name("t"), "p");
    let properties = |property| Properties::new([property]).unwrap();
    let text = || "x".try_into().unwrap();
    let line = |text: &str, options| codec::Subscription { filter: filter(text), options };
    let no_local = codec::SubscriptionOptions { no_local: true, ..Default::default() };
    let subscribe = |subscriptions| {
        Packet::Subscribe(codec::Subscribe {
            packet_id,
            properties: Properties::EMPTY,
            subscriptions,
        })
    };
    let connect = |password| {
        Packet::Connect(Box::new(codec::Connect {
            password,
            ..codec::Connect::new(V311, "c".try_into().unwrap())
        }))
    };
    let will = |len: usize| {
        Packet::Connect(Box::new(codec::Connect {
            will: Some(codec::Will {
                qos: QoS::AtMostOnce,
                retain: false,
                properties: Properties::EMPTY,
                topic: name("w"),
                payload: vec![0; len].into(),
            }),
            ..codec::Connect::new(V311, "c".try_into().unwrap())
        }))
    };
    let huge = Publish::new(name("t"), vec![0; codec::REMAINING_LENGTH_MAX as usize - 2]);
    let rows: Vec<(&str, ProtocolVersion, Packet, EncodeError)> = vec![
        (
            "[MQTT-2.2.1-2]",
            V5,
            Packet::Publish(Publish { packet_id: id, ..publish.clone() }),
            EncodeError::PacketId,
        ),
        (
            "[MQTT-2.2.1-3]",
            V5,
            Packet::Publish(Publish { qos: QoS::AtLeastOnce, ..publish.clone() }),
            EncodeError::PacketId,
        ),
        (
            "§3.3.2.1",
            V5,
            Packet::Publish(Publish { topic: None, ..publish.clone() }),
            EncodeError::NoTopic,
        ),
        (
            "an alias before MQTT 5.0",
            V311,
            Packet::Publish(Publish {
                topic: None,
                properties: properties(Property::TopicAlias(1)),
                ..publish.clone()
            }),
            EncodeError::NoTopic,
        ),
        (
            "table 2-4",
            V5,
            Packet::Publish(Publish {
                properties: properties(Property::ReasonString(text())),
                ..publish
            }),
            EncodeError::Property(PropertyId::ReasonString),
        ),
        (
            "§3.14.2.1",
            V5,
            Packet::Disconnect(codec::Disconnect::new(ReasonCode::Banned)),
            EncodeError::ReasonCode(ReasonCode::Banned),
        ),
        (
            "§3.15",
            V311,
            Packet::Auth(codec::Auth { code: ReasonCode::Success, properties: Properties::EMPTY }),
            EncodeError::NotInThisVersion(PacketType::Auth),
        ),
        (
            "§3.15.2.2.2",
            V5,
            Packet::Auth(codec::Auth {
                code: ReasonCode::ReAuthenticate,
                properties: Properties::EMPTY,
            }),
            EncodeError::Property(PropertyId::AuthenticationMethod),
        ),
        ("[MQTT-3.8.3-2]", V5, subscribe(vec![]), EncodeError::Empty),
        (
            "[MQTT-3.8.3-4]",
            V5,
            subscribe(vec![line("$share/g/a", no_local)]),
            EncodeError::NoLocalOnShared,
        ),
        (
            "3.1.1 [MQTT-3.1.2-22]",
            V311,
            connect(Some(Bytes::new())),
            EncodeError::NotInThisVersion(PacketType::Connect),
        ),
        ("§1.5.6", V311, will(65_536), EncodeError::BinaryTooLong),
        ("§2.1.4", V311, Packet::Publish(huge), EncodeError::TooLarge),
    ];
    for (rule, version, packet, want) in rows {
        let mut out = BytesMut::from(&b"before"[..]);
        assert_eq!(packet.encode(version, &mut out), Err(want), "{rule}");
        assert_eq!(&out[..], b"before", "{rule}");
    }
    assert_eq!(encoded(&will(65_535), V311).len(), 5 + 10 + 3 + 3 + 2 + 65_535 - 1);

    for property in [
        Property::SubscriptionIdentifier(0),
        Property::SubscriptionIdentifier(codec::REMAINING_LENGTH_MAX + 1),
        Property::ReceiveMaximum(0),
        Property::TopicAlias(0),
        Property::MaximumPacketSize(0),
        Property::MaximumQoS(QoS::ExactlyOnce),
    ] {
        let want = EncodeError::Property(property.id());
        assert_eq!(Properties::new([property]).unwrap_err(), want);
    }
    let long = Property::CorrelationData(vec![0; 65_536].into());
    assert_eq!(Properties::new([long]).unwrap_err(), EncodeError::BinaryTooLong);
}

#[test]
fn properties_may_be_there_as_often_as_their_packet_says() {
    use PacketType as Type;
    use PropertyId as Id;
    let all = |properties: &[Property]| Properties::new(properties.iter().cloned()).unwrap();
    let text = || codec::MqttString::new("text").unwrap();
    let packet = |packet: Type, properties: Properties| match packet {
        Type::Publish => {
            let topic = codec::TopicName::new("t").unwrap();
            Packet::Publish(Publish { properties, ..Publish::new(topic, "") })
        }
        Type::PubAck => {
            let ack = codec::Ack::new(codec::PacketId::MIN, ReasonCode::Success);
            Packet::PubAck(codec::Ack { properties, ..ack })
        }
        _ => {
            let connect = codec::Connect::new(V5, text());
            Packet::Connect(Box::new(codec::Connect { properties, ..connect }))
        }
    };
    let alias = &Property::TopicAlias(1);
    let identifier = &Property::SubscriptionIdentifier(1);
    let user = &Property::UserProperty(text(), text());
    let reason = &Property::ReasonString(text());
    let method = &Property::AuthenticationMethod(text());
    let data = &Property::AuthenticationData(Bytes::new());
    let rows = [
        (Type::Publish, [alias, user, user], None),
        (Type::Publish, [identifier, identifier, alias], None),
        (Type::Publish, [alias, user, alias], Some(Id::TopicAlias)),
        (Type::Publish, [user, method, alias], Some(Id::AuthenticationMethod)),
        (Type::PubAck, [user, reason, user], None),
        (Type::PubAck, [reason, user, reason], Some(Id::ReasonString)),
        (Type::PubAck, [user, identifier, identifier], Some(Id::SubscriptionIdentifier)),
        (Type::Connect, [method, user, data], None),
        (Type::Connect, [data, method, user], None),
        (Type::Connect, [data, user, user], Some(Id::AuthenticationData)),
        (Type::Connect, [method, data, method], Some(Id::AuthenticationMethod)),
    ];
    for (owner, properties, refused) in rows {
        let properties = all(&properties.map(Property::clone));
        let want = refused.map_or(Ok(()), |id| Err(EncodeError::Property(id)));
        let got = packet(owner, properties.clone()).encode(V5, &mut BytesMut::new());
        assert_eq!(got, want, "{owner:?}: {properties:?}");
        // What is known of them stays true of what is made of them.
        assert_eq!(properties.detached(), properties);
        for id in Id::ALL.iter().copied() {
            let without: Vec<_> = properties.iter().filter(|other| other.id() != id).collect();
            assert_eq!(properties.contains(id), without.len() != 3, "{id} in {properties:?}");
            assert_eq!(properties.filtered(|other| other != id), all(&without), "without {id}");
        }
    }
}

#[test]
fn a_head_is_checked_like_its_packet() {
    let fine = PublishHead {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: b"t",
        packet_id: None,
        topic_alias: None,
        message_expiry_interval_s: None,
        subscription_identifiers: &[],
        properties: &Properties::EMPTY,
        payload_len: 0,
    };
    let property = EncodeError::Property;
    for (head, version, want) in [
        (fine, V5, Ok(())),
        (PublishHead { topic: b"", topic_alias: Some(1), ..fine }, V5, Ok(())),
        (PublishHead { topic: b"", topic_alias: Some(1), ..fine }, V311, Err(EncodeError::NoTopic)),
        (PublishHead { topic: b"", ..fine }, V5, Err(EncodeError::NoTopic)),
        (PublishHead { topic_alias: Some(0), ..fine }, V5, Err(property(PropertyId::TopicAlias))),
        (
            PublishHead { subscription_identifiers: &[1, 0], ..fine },
            V5,
            Err(property(PropertyId::SubscriptionIdentifier)),
        ),
        (
            PublishHead { subscription_identifiers: &[u32::MAX], ..fine },
            V5,
            Err(property(PropertyId::SubscriptionIdentifier)),
        ),
        (PublishHead { qos: QoS::ExactlyOnce, ..fine }, V5, Err(EncodeError::PacketId)),
        (PublishHead { topic: &[b't'; 65_536], ..fine }, V5, Err(EncodeError::BinaryTooLong)),
        (PublishHead { payload_len: usize::MAX, ..fine }, V5, Err(EncodeError::TooLarge)),
    ] {
        let mut out = BytesMut::new();
        assert_eq!(head.encode(version, &mut out), want, "{head:?}");
        assert_eq!(out.is_empty(), want.is_err(), "{head:?}");
    }
}

#[test]
fn an_error_is_a_sentence() {
    let error = DecodeError {
        packet: Some(PacketType::Connect),
        kind: Kind::DuplicateProperty(PropertyId::ReceiveMaximum),
    };
    assert_eq!(error.to_string(), "CONNECT: Receive Maximum is there twice");
    let error = DecodeError { packet: None, kind: Kind::PacketType(0) };
    assert_eq!(error.to_string(), "packet type 0 does not exist in this version");
}
