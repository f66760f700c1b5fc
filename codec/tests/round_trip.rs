//! What is encoded decodes to itself: arbitrary packets of every type, version and sender.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says so by a panic, its helpers too"
)]

mod common;

use bytes::{Bytes, BytesMut};
use codec::{Decoder, FixedHeader, Packet, PacketType, Property, PropertyId, PublishHead};
use common::packets::{self, Sender};
#[cfg(target_arch = "wasm32")]
use common::test;
use common::{VERSIONS, encoded, rng};

/// Fewer in the browser, where one test has 20 seconds and the machine may be busy.
const RUNS: u64 = if cfg!(target_arch = "wasm32") { 50 } else { 200 };

fn every_type(mut see: impl FnMut(codec::ProtocolVersion, Sender, PacketType)) {
    for version in VERSIONS {
        see(version, Sender::Client, PacketType::Connect);
        for sender in [Sender::Client, Sender::Server] {
            for kind in packets::types(version, sender) {
                see(version, sender, kind);
            }
        }
    }
}

#[test]
fn every_packet_decodes_to_itself_and_encodes_to_the_same_bytes() {
    rng::with_seeds(RUNS, |rng| {
        every_type(|version, sender, kind| {
            let packet = packets::of_type(rng, kind, version, sender);
            let wire = encoded(&packet, version);
            let header = FixedHeader::peek(&wire, version, u32::MAX).unwrap().unwrap();
            assert_eq!((header.packet, header.packet_len()), (kind, wire.len()));
            let decoded = Packet::decode(&wire, version).unwrap();
            assert_eq!(decoded, packet, "{version}");
            assert_eq!(encoded(&decoded, version), wire, "{version}: {packet:?}");
        });
    });
}

#[test]
fn a_stream_cut_anywhere_gives_the_same_packets() {
    rng::with_seeds(RUNS, |rng| {
        for version in VERSIONS {
            for sender in [Sender::Client, Sender::Server] {
                let mut sent = Vec::new();
                if sender == Sender::Client {
                    sent.push(packets::of_type(rng, PacketType::Connect, version, sender));
                }
                sent.extend((0..10).map(|_| packets::any(rng, version, sender)));
                let mut wire = BytesMut::new();
                for packet in &sent {
                    packet.encode(version, &mut wire).unwrap();
                }

                let decoder = || match sender {
                    Sender::Client => Decoder::server(u32::MAX),
                    Sender::Server => Decoder::client(version, u32::MAX),
                };
                // All at once, as slices of one message.
                let mut whole = wire.clone().freeze();
                let mut at_once = decoder();
                let mut got = Vec::new();
                while let Some(packet) = at_once.decode(&mut whole).unwrap() {
                    got.push(packet);
                }
                assert_eq!((&got, whole.len()), (&sent, 0), "{version}");

                // In pieces, as they come from a socket.
                let mut bit_by_bit = decoder();
                let (mut buffer, mut got) = (BytesMut::new(), Vec::new());
                let mut left: &[u8] = &wire;
                let piece_max = *rng.pick(&[1, 2, 7, 64, 5_000]);
                while !left.is_empty() {
                    let (piece, rest) = left.split_at(left.len().min(1 + rng.below(piece_max)));
                    buffer.extend_from_slice(piece);
                    left = rest;
                    while let Some(packet) = bit_by_bit.decode(&mut buffer).unwrap() {
                        got.push(packet);
                    }
                }
                assert_eq!((&got, buffer.len()), (&sent, 0), "{version}");
                assert_eq!(bit_by_bit.version(), Some(version));
            }
        }
    });
}

#[test]
fn the_head_of_a_publish_is_that_of_the_packet() {
    rng::with_seeds(RUNS, |rng| {
        for version in VERSIONS {
            let publish = packets::publish(rng, version, Sender::Server);
            let head = PublishHead {
                dup: publish.dup,
                qos: publish.qos,
                retain: publish.retain,
                topic: publish.topic.as_ref().map_or(&[], |topic| topic.as_bytes()),
                packet_id: publish.packet_id,
                topic_alias: None,
                message_expiry_interval_s: None,
                subscription_identifiers: &[],
                properties: &publish.properties,
                payload_len: publish.payload.len(),
            };
            let want = encoded(&Packet::Publish(publish.clone()), version);
            assert_eq!(joined(&head, version, &publish.payload), want);
            assert_eq!(head.packet_len(version), want.len());

            // What differs from receiver to receiver may be given apart: the order changes at most.
            let apart = [
                PropertyId::TopicAlias,
                PropertyId::MessageExpiryInterval,
                PropertyId::SubscriptionIdentifier,
            ];
            let ids: Vec<u32> = publish.properties.subscription_identifiers().collect();
            let rest = publish.properties.filtered(|id| !apart.contains(&id));
            let head = PublishHead {
                topic_alias: publish.properties.topic_alias(),
                message_expiry_interval_s: publish.properties.message_expiry_interval(),
                subscription_identifiers: &ids,
                properties: &rest,
                ..head
            };
            let wire = joined(&head, version, &publish.payload);
            assert_eq!((head.packet_len(version), wire.len()), (want.len(), want.len()));
            let Ok(Packet::Publish(mut got)) = Packet::decode(&wire, version) else {
                panic!("{version}: {publish:?}");
            };
            assert_eq!(sorted(&got.properties), sorted(&publish.properties));
            got.properties = publish.properties.clone();
            assert_eq!(got, publish);
        }
    });
}

fn joined(head: &PublishHead<'_>, version: codec::ProtocolVersion, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    head.encode(version, &mut out).unwrap();
    out.extend_from_slice(payload);
    out.freeze()
}

/// By identifier; those with the same one keep their order.
fn sorted(properties: &codec::Properties) -> Vec<Property> {
    let mut all: Vec<_> = properties.iter().collect();
    all.sort_by_key(Property::id);
    all
}
