//! Every byte of every packet has a name, and just one.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says so by a panic, its helpers too"
)]
#![cfg(feature = "anatomy")]

mod common;

use std::borrow::Cow;
use std::collections::BTreeSet;

use bytes::Bytes;
use codec::anatomy::{Anatomy, Field, Kind};
use codec::{Packet, PacketType, ProtocolVersion};
use common::packets::{self, Sender};
#[cfg(target_arch = "wasm32")]
use common::test;
use common::{VERSIONS, encoded, rng};

/// Fewer in the browser, where one test has 20 seconds and the machine may be busy.
const RUNS: u64 = if cfg!(target_arch = "wasm32") { 20 } else { 100 };

fn every_packet(rng: &mut rng::Rng, mut see: impl FnMut(&mut rng::Rng, ProtocolVersion, Packet)) {
    for version in VERSIONS {
        let connect = packets::of_type(rng, PacketType::Connect, version, Sender::Client);
        see(rng, version, connect);
        for sender in [Sender::Client, Sender::Server] {
            for kind in packets::types(version, sender) {
                let packet = packets::of_type(rng, kind, version, sender);
                see(rng, version, packet);
            }
        }
    }
}

/// A field without fields inside of it, of which the next one is the sign.
fn is_leaf(fields: &[Field], index: usize) -> bool {
    fields.get(index + 1).is_none_or(|next| next.depth <= fields[index].depth)
}

/// The leaves cover every bit once and in order, and a group is just what it consists of.
#[track_caller]
fn assert_covers(anatomy: &Anatomy, len: usize) {
    let fields = &anatomy.fields;
    let (mut at, mut bits) = (0, 0u8);
    for (index, field) in fields.iter().enumerate() {
        if !is_leaf(fields, index) {
            assert_eq!((field.kind, field.bits), (Kind::Group, u8::MAX), "{field:?}");
            let inside: Vec<_> =
                fields[index + 1..].iter().take_while(|next| next.depth > field.depth).collect();
            assert_eq!(inside[0].depth, field.depth + 1);
            assert_eq!(inside[0].start, field.start, "{field:?}");
            assert_eq!(inside.last().unwrap().end, field.end, "{field:?}");
            continue;
        }
        assert_ne!(field.kind, Kind::Group, "{field:?} consists of nothing");
        assert!(field.end > field.start && field.bits != 0, "{field:?}");
        assert_eq!(field.start, at, "{field:?}");
        if field.bits == u8::MAX {
            assert_eq!(bits, 0, "{field:?}");
            at = field.end;
            continue;
        }
        assert_eq!(field.end, field.start + 1, "{field:?}");
        assert_eq!(bits & field.bits, 0, "{field:?}");
        assert!(bits == 0 || field.bits < bits & bits.wrapping_neg(), "from the highest bit down");
        bits |= field.bits;
        if bits == u8::MAX {
            (at, bits) = (field.end, 0);
        }
    }
    assert_eq!((at, bits), (len, 0), "{anatomy:?}");
}

#[test]
fn every_bit_of_a_packet_belongs_to_one_field() {
    rng::with_seeds(RUNS, |rng| {
        every_packet(rng, |_, version, packet| {
            let wire = encoded(&packet, version);
            let anatomy = Anatomy::of(&wire, version);
            assert_covers(&anatomy, wire.len());
            assert_eq!(anatomy.error, None);
            assert_eq!(anatomy.packet, Some(packet.packet_type()));
            assert_eq!(anatomy.version, version);
            let rest = anatomy.fields.iter().find(|field| field.kind == Kind::Rest);
            assert_eq!(rest, None, "{packet:?}");
            assert!(anatomy.fields.iter().all(|field| !field.section.is_empty()));
        });
    });
}

#[test]
fn bytes_that_are_no_packet_are_shown_as_far_as_they_go() {
    rng::with_seeds(RUNS, |rng| {
        every_packet(rng, |rng, version, packet| {
            let wire = encoded(&packet, version);
            // Cut anywhere near its beginning, and with a byte that is another one.
            let cut = rng.below(wire.len().min(200));
            let anatomy = Anatomy::of(&wire.slice(..cut), version);
            assert_covers(&anatomy, cut);
            assert!(anatomy.error.is_some(), "{packet:?} without its end");
            let mut bytes = wire.to_vec();
            let at = rng.below(bytes.len());
            bytes[at] = rng.next() as u8;
            let len = rng.below(40);
            bytes.extend(rng.bytes(len));
            assert_covers(&Anatomy::of(&Bytes::from(bytes.clone()), version), bytes.len());
        });
        let len = rng.below(60);
        let noise = Bytes::from(rng.bytes(len));
        for version in VERSIONS {
            assert_covers(&Anatomy::of(&noise, version), noise.len());
        }
    });
}

/// The leaves and groups of a packet as lines: indented names with their values and sections.
fn outline(bytes: &'static [u8], version: ProtocolVersion) -> Vec<String> {
    let anatomy = Anatomy::of(&Bytes::from_static(bytes), version);
    let line = |field: &Field| {
        let indent = " ".repeat(usize::from(field.depth));
        format!("{indent}{} = {} [{}]", field.name, field.value, field.section)
    };
    anatomy.fields.iter().map(line).collect()
}

#[test]
fn fields_are_called_what_the_specification_calls_them() {
    let publish = b"\x33\x0b\0\x03a/b\0\x07\x02\x01\x01!";
    assert_eq!(
        outline(publish, ProtocolVersion::V5),
        [
            "Fixed Header =  [2.1.1]",
            " MQTT Control Packet type = 3 (PUBLISH) [2.1.2]",
            " DUP = 0 [3.3.1.1]",
            " QoS = 1 (at least once) [3.3.1.2]",
            " RETAIN = 1 [3.3.1.3]",
            " Remaining Length = 11 [2.1.4]",
            "Variable Header =  [3.3.2]",
            " Topic Name = a/b [3.3.2.1]",
            "  Length = 3 [1.5.4]",
            "  UTF-8 Encoded String =  [1.5.4]",
            " Packet Identifier = 7 [3.3.2.2]",
            " Properties =  [3.3.2.3]",
            "  Property Length = 2 [3.3.2.3.1]",
            "  Payload Format Indicator = 1 [3.3.2.3.2]",
            "   Identifier = 1 (0x01) [2.2.2.2]",
            "   Value = 1 [1.5.1]",
            "Payload = 1 byte [3.3.3]",
        ]
    );
    let suback = b"\x90\x04\0\x01\x00\x80";
    assert_eq!(
        outline(suback, ProtocolVersion::V311)[4..],
        [
            "Variable Header =  [3.9.2]",
            " Packet Identifier = 1 [2.3.1]",
            "Payload =  [3.9.3]",
            " Return Code = 0x00 (Success - Maximum QoS 0) [3.9.3]",
            " Return Code = 0x80 (Failure) [3.9.3]",
        ]
    );
}

#[test]
fn a_password_is_marked_and_its_characters_are_in_no_value() {
    let connect = b"\x10\x17\0\x04MQTT\x05\xc2\0\x3c\0\0\0\0\x01u\0\x05horse";
    let bytes = Bytes::from_static(connect);
    // The version of the connection is not asked: the packet says its own.
    let anatomy = Anatomy::of(&bytes, ProtocolVersion::V31);
    assert_eq!((anatomy.error, anatomy.version), (None, ProtocolVersion::V5));
    let secret: Vec<_> = anatomy.fields.iter().filter(|field| field.kind == Kind::Secret).collect();
    assert_eq!(secret.len(), 1);
    assert_eq!(&bytes[secret[0].start..secret[0].end], b"horse");
    assert!(anatomy.fields.iter().all(|field| !field.value.contains("horse")));
    assert_eq!(anatomy.value("User Name"), Some("u"));
}

/// The sections of MQTT 5.0 that describe a field, with their headings.
const SECTIONS_V5: &[(&str, &str)] = &[
    ("1.5.1", "Bits"),
    ("1.5.2", "Two Byte Integer"),
    ("1.5.3", "Four Byte Integer"),
    ("1.5.4", "UTF-8 Encoded String"),
    ("1.5.5", "Variable Byte Integer"),
    ("1.5.6", "Binary Data"),
    ("1.5.7", "UTF-8 String Pair"),
    ("2.1.1", "Fixed Header"),
    ("2.1.2", "MQTT Control Packet type"),
    ("2.1.3", "Flags"),
    ("2.1.4", "Remaining Length"),
    ("2.2.1", "Packet Identifier"),
    ("2.2.2.2", "Property"),
    ("3.1.2", "CONNECT Variable Header"),
    ("3.1.2.1", "Protocol Name"),
    ("3.1.2.2", "Protocol Version"),
    ("3.1.2.3", "Connect Flags"),
    ("3.1.2.4", "Clean Start"),
    ("3.1.2.5", "Will Flag"),
    ("3.1.2.6", "Will QoS"),
    ("3.1.2.7", "Will Retain"),
    ("3.1.2.8", "User Name Flag"),
    ("3.1.2.9", "Password Flag"),
    ("3.1.2.10", "Keep Alive"),
    ("3.1.2.11", "CONNECT Properties"),
    ("3.1.2.11.1", "Property Length"),
    ("3.1.2.11.2", "Session Expiry Interval"),
    ("3.1.2.11.3", "Receive Maximum"),
    ("3.1.2.11.4", "Maximum Packet Size"),
    ("3.1.2.11.5", "Topic Alias Maximum"),
    ("3.1.2.11.6", "Request Response Information"),
    ("3.1.2.11.7", "Request Problem Information"),
    ("3.1.2.11.8", "User Property"),
    ("3.1.2.11.9", "Authentication Method"),
    ("3.1.2.11.10", "Authentication Data"),
    ("3.1.3", "CONNECT Payload"),
    ("3.1.3.1", "Client Identifier (ClientID)"),
    ("3.1.3.2", "Will Properties"),
    ("3.1.3.2.1", "Property Length"),
    ("3.1.3.2.2", "Will Delay Interval"),
    ("3.1.3.2.3", "Payload Format Indicator"),
    ("3.1.3.2.4", "Message Expiry Interval"),
    ("3.1.3.2.5", "Content Type"),
    ("3.1.3.2.6", "Response Topic"),
    ("3.1.3.2.7", "Correlation Data"),
    ("3.1.3.2.8", "User Property"),
    ("3.1.3.3", "Will Topic"),
    ("3.1.3.4", "Will Payload"),
    ("3.1.3.5", "User Name"),
    ("3.1.3.6", "Password"),
    ("3.2.2", "CONNACK Variable Header"),
    ("3.2.2.1", "Connect Acknowledge Flags"),
    ("3.2.2.1.1", "Session Present"),
    ("3.2.2.2", "Connect Reason Code"),
    ("3.2.2.3", "CONNACK Properties"),
    ("3.2.2.3.1", "Property Length"),
    ("3.2.2.3.2", "Session Expiry Interval"),
    ("3.2.2.3.3", "Receive Maximum"),
    ("3.2.2.3.4", "Maximum QoS"),
    ("3.2.2.3.5", "Retain Available"),
    ("3.2.2.3.6", "Maximum Packet Size"),
    ("3.2.2.3.7", "Assigned Client Identifier"),
    ("3.2.2.3.8", "Topic Alias Maximum"),
    ("3.2.2.3.9", "Reason String"),
    ("3.2.2.3.10", "User Property"),
    ("3.2.2.3.11", "Wildcard Subscription Available"),
    ("3.2.2.3.12", "Subscription Identifiers Available"),
    ("3.2.2.3.13", "Shared Subscription Available"),
    ("3.2.2.3.14", "Server Keep Alive"),
    ("3.2.2.3.15", "Response Information"),
    ("3.2.2.3.16", "Server Reference"),
    ("3.2.2.3.17", "Authentication Method"),
    ("3.2.2.3.18", "Authentication Data"),
    ("3.3.1.1", "DUP"),
    ("3.3.1.2", "QoS"),
    ("3.3.1.3", "RETAIN"),
    ("3.3.2", "PUBLISH Variable Header"),
    ("3.3.2.1", "Topic Name"),
    ("3.3.2.2", "Packet Identifier"),
    ("3.3.2.3", "PUBLISH Properties"),
    ("3.3.2.3.1", "Property Length"),
    ("3.3.2.3.2", "Payload Format Indicator"),
    ("3.3.2.3.3", "Message Expiry Interval"),
    ("3.3.2.3.4", "Topic Alias"),
    ("3.3.2.3.5", "Response Topic"),
    ("3.3.2.3.6", "Correlation Data"),
    ("3.3.2.3.7", "User Property"),
    ("3.3.2.3.8", "Subscription Identifier"),
    ("3.3.2.3.9", "Content Type"),
    ("3.3.3", "PUBLISH Payload"),
    ("3.4.2", "PUBACK Variable Header"),
    ("3.4.2.1", "PUBACK Reason Code"),
    ("3.4.2.2", "PUBACK Properties"),
    ("3.4.2.2.1", "Property Length"),
    ("3.4.2.2.2", "Reason String"),
    ("3.4.2.2.3", "User Property"),
    ("3.5.2", "PUBREC Variable Header"),
    ("3.5.2.1", "PUBREC Reason Code"),
    ("3.5.2.2", "PUBREC Properties"),
    ("3.5.2.2.1", "Property Length"),
    ("3.5.2.2.2", "Reason String"),
    ("3.5.2.2.3", "User Property"),
    ("3.6.2", "PUBREL Variable Header"),
    ("3.6.2.1", "PUBREL Reason Code"),
    ("3.6.2.2", "PUBREL Properties"),
    ("3.6.2.2.1", "Property Length"),
    ("3.6.2.2.2", "Reason String"),
    ("3.6.2.2.3", "User Property"),
    ("3.7.2", "PUBCOMP Variable Header"),
    ("3.7.2.1", "PUBCOMP Reason Code"),
    ("3.7.2.2", "PUBCOMP Properties"),
    ("3.7.2.2.1", "Property Length"),
    ("3.7.2.2.2", "Reason String"),
    ("3.7.2.2.3", "User Property"),
    ("3.8.2", "SUBSCRIBE Variable Header"),
    ("3.8.2.1", "SUBSCRIBE Properties"),
    ("3.8.2.1.1", "Property Length"),
    ("3.8.2.1.2", "Subscription Identifier"),
    ("3.8.2.1.3", "User Property"),
    ("3.8.3", "SUBSCRIBE Payload"),
    ("3.8.3.1", "Subscription Options"),
    ("3.9.2", "SUBACK Variable Header"),
    ("3.9.2.1", "SUBACK Properties"),
    ("3.9.2.1.1", "Property Length"),
    ("3.9.2.1.2", "Reason String"),
    ("3.9.2.1.3", "User Property"),
    ("3.9.3", "SUBACK Payload"),
    ("3.10.2", "UNSUBSCRIBE Variable Header"),
    ("3.10.2.1", "UNSUBSCRIBE Properties"),
    ("3.10.2.1.1", "Property Length"),
    ("3.10.2.1.2", "User Property"),
    ("3.10.3", "UNSUBSCRIBE Payload"),
    ("3.11.2", "UNSUBACK Variable Header"),
    ("3.11.2.1", "UNSUBACK Properties"),
    ("3.11.2.1.1", "Property Length"),
    ("3.11.2.1.2", "Reason String"),
    ("3.11.2.1.3", "User Property"),
    ("3.11.3", "UNSUBACK Payload"),
    ("3.14.2", "DISCONNECT Variable Header"),
    ("3.14.2.1", "Disconnect Reason Code"),
    ("3.14.2.2", "DISCONNECT Properties"),
    ("3.14.2.2.1", "Property Length"),
    ("3.14.2.2.2", "Session Expiry Interval"),
    ("3.14.2.2.3", "Reason String"),
    ("3.14.2.2.4", "User Property"),
    ("3.14.2.2.5", "Server Reference"),
    ("3.15.2", "AUTH Variable Header"),
    ("3.15.2.1", "Authenticate Reason Code"),
    ("3.15.2.2", "AUTH Properties"),
    ("3.15.2.2.1", "Property Length"),
    ("3.15.2.2.2", "Authentication Method"),
    ("3.15.2.2.3", "Authentication Data"),
    ("3.15.2.2.4", "Reason String"),
    ("3.15.2.2.5", "User Property"),
];

/// Those of MQTT 3.1.1.
const SECTIONS_V311: &[(&str, &str)] = &[
    ("1.5.3", "UTF-8 encoded strings"),
    ("2.2", "Fixed header"),
    ("2.2.1", "MQTT Control Packet type"),
    ("2.2.2", "Flags"),
    ("2.2.3", "Remaining Length"),
    ("2.3.1", "Packet Identifier"),
    ("3.1.2", "Variable header"),
    ("3.1.2.1", "Protocol Name"),
    ("3.1.2.2", "Protocol Level"),
    ("3.1.2.3", "Connect Flags"),
    ("3.1.2.4", "Clean Session"),
    ("3.1.2.5", "Will Flag"),
    ("3.1.2.6", "Will QoS"),
    ("3.1.2.7", "Will Retain"),
    ("3.1.2.8", "User Name Flag"),
    ("3.1.2.9", "Password Flag"),
    ("3.1.2.10", "Keep Alive"),
    ("3.1.3", "Payload"),
    ("3.1.3.1", "Client Identifier"),
    ("3.1.3.2", "Will Topic"),
    ("3.1.3.3", "Will Message"),
    ("3.1.3.4", "User Name"),
    ("3.1.3.5", "Password"),
    ("3.2.2", "Variable header"),
    ("3.2.2.1", "Connect Acknowledge Flags"),
    ("3.2.2.2", "Session Present"),
    ("3.2.2.3", "Connect Return code"),
    ("3.3.1.1", "DUP"),
    ("3.3.1.2", "QoS"),
    ("3.3.1.3", "RETAIN"),
    ("3.3.2", "Variable header"),
    ("3.3.2.1", "Topic Name"),
    ("3.3.2.2", "Packet Identifier"),
    ("3.3.3", "Payload"),
    ("3.4.2", "Variable header"),
    ("3.5.2", "Variable header"),
    ("3.6.2", "Variable header"),
    ("3.7.2", "Variable header"),
    ("3.8.2", "Variable header"),
    ("3.8.3", "Payload"),
    ("3.9.2", "Variable header"),
    ("3.9.3", "Payload"),
    ("3.10.2", "Variable header"),
    ("3.10.3", "Payload"),
    ("3.11.2", "Variable header"),
];

/// What a section describes under another name than its heading: its parts, and fields that have no section of
/// their own. The names are those of the section's figures and tables.
const PARTS: &[(&str, &[&str])] = &[
    ("1.4", &["Length", "Binary Data"]),
    ("1.5.1", &["Value"]),
    ("1.5.2", &["Value"]),
    ("1.5.3", &["Value", "Length", "UTF-8 Encoded String"]),
    ("1.5.4", &["Value", "Length"]),
    ("1.5.5", &["Value"]),
    ("1.5.6", &["Value", "Length"]),
    ("1.5.7", &["Name", "Value"]),
    ("2.2.2.2", &["Identifier"]),
    ("3.1.2.3", &["Reserved"]),
    ("3.1.3.1", &["Client Identifier"]),
    ("3.2.2.1", &["Reserved"]),
    // The flag is reserved in MQTT 3.1.
    ("3.2.2.2", &["Reserved"]),
    // As the table of all properties has it.
    ("3.2.2.3.12", &["Subscription Identifier Available"]),
    ("3.8.3", &["Topic Filter", "Requested QoS", "Reserved", "QoS"]),
    ("3.8.3.1", &["Reserved", "Retain Handling", "Retain As Published", "No Local", "Maximum QoS"]),
    ("3.9.3", &["Return Code", "Reason Code"]),
    ("3.10.3", &["Topic Filter"]),
    ("3.11.3", &["Reason Code"]),
];

/// Each field of each packet has the name that the section has which it refers to, and each of the sections is
/// referred to by some packet.
#[test]
fn the_names_of_all_fields_are_those_of_their_sections() {
    let mut seen = BTreeSet::new();
    // The same ones each time, so that no section is missed by chance.
    for seed in 0..RUNS {
        every_packet(&mut rng::Rng::new(seed), |_, version, packet| {
            let anatomy = Anatomy::of(&encoded(&packet, version), version);
            for field in &anatomy.fields {
                let headings = if version.is_v5() { SECTIONS_V5 } else { SECTIONS_V311 };
                let heading = headings.iter().find(|(section, _)| *section == field.section);
                let is_heading = heading.is_some_and(|(_, heading)| {
                    // "PUBACK Properties" are the Properties of a PUBACK.
                    let name = packet.packet_type().name();
                    let short = heading.strip_prefix(name).map_or(*heading, str::trim_start);
                    short.eq_ignore_ascii_case(field.name)
                });
                let parts = PARTS.iter().find(|(section, _)| *section == field.section);
                let is_part = parts.is_some_and(|(_, names)| names.contains(&field.name));
                assert!(is_heading || is_part, "{packet:?}: {field:?}");
                seen.insert((version.is_v5(), field.section.clone()));
            }
        });
    }
    if cfg!(not(target_arch = "wasm32")) {
        for (is_v5, headings) in [(true, SECTIONS_V5), (false, SECTIONS_V311)] {
            for (section, heading) in headings {
                let section = (is_v5, Cow::Borrowed(*section));
                assert!(seen.contains(&section), "no packet has a field of {section:?}, {heading}");
            }
        }
    }
}

#[test]
fn codes_are_called_what_their_version_calls_them() {
    let said = |bytes: &'static [u8], version, name: &str| {
        Anatomy::of(&Bytes::from_static(bytes), version).value(name).map(str::to_owned)
    };
    for (bytes, version, name, value) in [
        (&b"\x20\x02\0\0"[..], ProtocolVersion::V311, "Connect Return code", "Connection Accepted"),
        (
            b"\x20\x02\0\x05",
            ProtocolVersion::V31,
            "Connect Return code",
            "Connection Refused, not authorized",
        ),
        (b"\x20\x03\0\x87\0", ProtocolVersion::V5, "Connect Reason Code", "Not authorized"),
        (b"\x90\x03\0\x01\x80", ProtocolVersion::V311, "Return Code", "Failure"),
        (b"\x90\x04\0\x01\0\x80", ProtocolVersion::V5, "Reason Code", "Unspecified error"),
        (b"\xb0\x04\0\x01\0\x11", ProtocolVersion::V5, "Reason Code", "No subscription existed"),
        (b"\xe0\0", ProtocolVersion::V5, "Disconnect Reason Code", ""),
        (b"\xe0\x01\0", ProtocolVersion::V5, "Disconnect Reason Code", "Normal disconnection"),
        (
            b"\xf0\x02\x18\0",
            ProtocolVersion::V5,
            "Authenticate Reason Code",
            "Continue authentication",
        ),
        (b"\x62\x03\0\x01\x92", ProtocolVersion::V5, "Reason Code", "Packet Identifier not found"),
    ] {
        let said = said(bytes, version, name).unwrap_or_default();
        assert!(
            said.contains(value) && value.is_empty() == said.is_empty(),
            "{bytes:02x?}: {said}"
        );
    }
}
