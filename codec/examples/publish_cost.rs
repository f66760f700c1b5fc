//! What a PUBLISH costs, for callgrind: `publish_cost decode|encode|head v311|v5 COUNT`.
//!
//! The difference between two counts, divided, is the instructions of one packet:
//!
//! ```text
//! cargo build --release -p codec --example publish_cost
//! valgrind --tool=callgrind target/release/examples/publish_cost decode v5 1000
//! valgrind --tool=callgrind target/release/examples/publish_cost decode v5 2000
//! ```

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use codec::{Decoder, Packet, Properties, ProtocolVersion, Publish, PublishHead, QoS, TopicName};

const PAYLOAD_LEN: usize = 64;
/// As many packets as one message of a WebSocket, or one read of a socket, may bring.
const PACKETS_PER_READ: usize = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let what = args.next().unwrap_or_default();
    let version = match args.next().as_deref() {
        Some("v5") => ProtocolVersion::V5,
        _ => ProtocolVersion::V311,
    };
    let reads: usize = args.next().unwrap_or_default().parse()?;

    let topic = TopicName::new("sensors/pi/temperature")?;
    let publish = Publish::new(topic.clone(), vec![b'x'; PAYLOAD_LEN]);
    let packet = Packet::Publish(publish);
    let mut wire = BytesMut::new();
    for _ in 0..PACKETS_PER_READ {
        packet.encode(version, &mut wire)?;
    }
    let wire: Bytes = wire.freeze();
    let mut out = BytesMut::with_capacity(wire.len());
    let mut decoder = Decoder::client(version, u32::MAX);
    let head = PublishHead {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: topic.as_bytes(),
        packet_id: None,
        topic_alias: None,
        message_expiry_interval_s: None,
        subscription_identifiers: &[],
        properties: &Properties::EMPTY,
        payload_len: PAYLOAD_LEN,
    };
    for _ in 0..reads {
        match what.as_str() {
            "decode" => {
                let mut read = wire.clone();
                while let Some(packet) = decoder.decode(&mut read)? {
                    black_box(packet);
                }
            }
            "encode" => {
                out.clear();
                for _ in 0..PACKETS_PER_READ {
                    black_box(&packet).encode(version, &mut out)?;
                }
            }
            "head" => {
                out.clear();
                for _ in 0..PACKETS_PER_READ {
                    black_box(&head).encode(version, &mut out)?;
                }
            }
            _ => return Err("say decode, encode or head".into()),
        }
    }
    Ok(())
}
