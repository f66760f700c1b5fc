//! Whatever happens to a packet on its way, it decodes to an error or to a packet, never to a panic;
//! and a packet that came of it is one like any other.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says so by a panic, its helpers too"
)]

mod common;

use bytes::{Bytes, BytesMut};
use codec::{Decoder, FixedHeader, Packet, PacketType, ProtocolVersion};
use common::packets::{self, Sender};
use common::rng::Rng;
#[cfg(target_arch = "wasm32")]
use common::test;
use common::{VERSIONS, encoded, frame, rng};

/// Up to this length every byte takes all its 255 wrong values; beyond it one bit flips at a time.
const SHORT_PACKET: usize = 48;

/// How many packets of each type, version and sender are looked at.
///
/// Fewer in the browser, where one test has 20 seconds and the machine may be busy.
const PACKETS_OF_A_KIND: u64 = if cfg!(target_arch = "wasm32") { 2 } else { 6 };

/// Longer packets tell nothing that these do not.
const LEN_MAX: usize = 600;

fn corpus(mut see: impl FnMut(ProtocolVersion, Sender, Bytes)) {
    rng::with_seeds(PACKETS_OF_A_KIND, |rng| {
        for version in VERSIONS {
            let mut add = |rng: &mut Rng, kind, sender| {
                let wire = encoded(&packets::of_type(rng, kind, version, sender), version);
                if wire.len() <= LEN_MAX {
                    see(version, sender, wire);
                }
            };
            add(rng, PacketType::Connect, Sender::Client);
            for sender in [Sender::Client, Sender::Server] {
                for kind in packets::types(version, sender) {
                    add(rng, kind, sender);
                }
            }
        }
    });
}

/// An error or a packet, and a packet encodes to what decodes to it again.
fn error_or_packet(bytes: &Bytes, version: ProtocolVersion, sender: Sender) {
    if let Ok(packet) = Packet::decode(bytes, version) {
        let own = match &packet {
            Packet::Connect(connect) => connect.version,
            _ => version,
        };
        let again = Packet::decode(&encoded(&packet, own), own);
        assert_eq!(again.as_ref(), Ok(&packet), "{version}: {bytes:02x?}");
    }
    // The decoder has a short way to most PUBLISH packets, which must come to where the long way does.
    if bytes.first().is_some_and(|first| first >> 4 == PacketType::Publish as u8) {
        let mut rest = bytes.clone();
        match Decoder::client(version, u32::MAX).decode(&mut rest) {
            Ok(Some(packet)) => {
                let taken = bytes.slice(..bytes.len() - rest.len());
                assert_eq!(Packet::decode(&taken, version), Ok(packet), "{version}: {taken:02x?}");
            }
            _ => assert!(Packet::decode(bytes, version).is_err(), "{version}: {bytes:02x?}"),
        }
    }
    let mut decoder = match sender {
        Sender::Client => Decoder::server(1 << 20),
        Sender::Server => Decoder::client(version, 1 << 20),
    };
    let mut buffer = BytesMut::from(&bytes[..]);
    while let Ok(Some(_)) = decoder.decode(&mut buffer) {}
}

#[test]
fn every_truncation_is_an_error_or_a_packet() {
    corpus(|version, sender, wire| {
        for cut in 0..wire.len() {
            let cut = wire.slice(..cut);
            assert!(Packet::decode(&cut, version).is_err(), "{version}: {cut:02x?}");
            let mut waiting = match sender {
                Sender::Client if wire[0] == 0x10 => Decoder::server(1 << 20),
                Sender::Client => after_connect(version),
                Sender::Server => Decoder::client(version, 1 << 20),
            };
            assert_eq!(waiting.decode(&mut cut.clone()), Ok(None), "{version}: {cut:02x?}");
        }
        // The same with a length that admits it.
        let header = FixedHeader::peek(&wire, version, u32::MAX).unwrap().unwrap();
        let body = &wire[usize::from(header.header_len)..];
        for cut in 0..body.len() {
            error_or_packet(&frame(wire[0], &body[..cut]), version, sender);
        }
    });
}

/// A server's end that has seen the CONNECT.
fn after_connect(version: ProtocolVersion) -> Decoder {
    let mut decoder = Decoder::server(1 << 20);
    let connect = packets::connect(&mut Rng::new(1), version);
    let mut wire = encoded(&Packet::Connect(Box::new(connect)), version);
    assert!(matches!(decoder.decode(&mut wire), Ok(Some(Packet::Connect(_)))));
    decoder
}

#[test]
fn every_wrong_byte_gives_an_error_or_a_packet() {
    corpus(|version, sender, wire| {
        for at in 0..wire.len() {
            let flips: Vec<u8> = if wire.len() <= SHORT_PACKET {
                (1..=255).collect()
            } else {
                (0..8).map(|bit| 1 << bit).collect()
            };
            for flip in flips {
                let mut wrong = wire.to_vec();
                wrong[at] ^= flip;
                error_or_packet(&wrong.into(), version, sender);
            }
        }
    });
}

#[test]
fn any_bytes_at_all_give_an_error_or_a_packet() {
    rng::with_seeds(2_000, |rng| {
        for version in VERSIONS {
            let len = rng.below(64);
            let noise = rng.bytes(len);
            error_or_packet(&noise.clone().into(), version, Sender::Client);
            // The same noise as the body of each type, so that it gets past the header.
            for first in [0x10u8, 0x20, 0x30, 0x32, 0x40, 0x50, 0x62, 0x70, 0x82, 0x90, 0xa2, 0xb0]
                .into_iter()
                .chain([0xe0, 0xf0])
            {
                error_or_packet(&frame(first, &noise), version, Sender::Server);
            }
        }
    });
}
