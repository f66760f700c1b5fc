//! Every byte of every packet has a name, and just one.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says so by a panic, its helpers too"
)]
#![cfg(feature = "anatomy")]

mod common;

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
            " Return Code = 0x00 (Granted QoS 0) [3.9.3]",
            " Return Code = 0x80 (Unspecified error) [3.9.3]",
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
