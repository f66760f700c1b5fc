//! PUBLISH of MQTT 3.1.1, decoded and encoded by our codec and by its peers: the same packets for all.
//!
//! Decoding begins with a buffer that holds a thousand packets, as a busy connection's does, and ends
//! with a thousand packets; where a codec takes bytes in another shape, bringing them into that shape
//! is not measured. Encoding goes into one buffer that is used again where the codec allows that.

use bytes::{Bytes, BytesMut};
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};

/// Allocations are counted too, and shown below the times.
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

/// Packets in one buffer.
const PACKETS: usize = 1000;

/// Bytes of payload.
const PAYLOADS: [usize; 2] = [64, 4096];

const TOPIC: &str = "sensors/kitchen/temperature";

fn main() {
    divan::main();
}

/// One packet.
fn one(payload: usize) -> Bytes {
    let topic = codec::TopicName::new(TOPIC).unwrap();
    let mut out = BytesMut::new();
    let publish = codec::Publish::new(topic, vec![b'x'; payload]);
    codec::Packet::Publish(publish).encode(codec::ProtocolVersion::V311, &mut out).unwrap();
    out.freeze()
}

/// A thousand packets in one buffer.
fn stream(payload: usize) -> BytesMut {
    BytesMut::from(one(payload).repeat(PACKETS).as_slice())
}

/// A buffer that a thousand packets fit into.
fn room(payload: usize) -> BytesMut {
    BytesMut::with_capacity(one(payload).len() * PACKETS + 1024)
}

#[divan::bench_group]
mod decode {
    use super::*;

    #[divan::bench(args = PAYLOADS)]
    fn ours(bencher: Bencher, payload: usize) {
        let input = || stream(payload).freeze();
        bencher.counter(ItemsCount::new(PACKETS)).with_inputs(input).bench_refs(|input| {
            let mut decoder = codec::Decoder::client(codec::ProtocolVersion::V311, 1 << 20);
            while let Some(packet) = decoder.decode(input).unwrap() {
                black_box(packet);
            }
        });
    }

    /// Looked at where it lies: what the broker does with the messages of a round.
    #[divan::bench(args = PAYLOADS)]
    fn ours_in_place(bencher: Bencher, payload: usize) {
        let input = || stream(payload).freeze();
        bencher.counter(ItemsCount::new(PACKETS)).with_inputs(input).bench_refs(|input| {
            let mut rest = input.as_ref();
            let version = codec::ProtocolVersion::V311;
            while let Some(view) = codec::PublishView::peek(rest, version) {
                rest = &rest[black_box(view).packet.len()..];
            }
            assert!(rest.is_empty());
        });
    }

    #[divan::bench(args = PAYLOADS)]
    fn rumqttc(bencher: Bencher, payload: usize) {
        let input = || stream(payload);
        bencher.counter(ItemsCount::new(PACKETS)).with_inputs(input).bench_refs(|input| {
            while !input.is_empty() {
                black_box(rumqttc::Packet::read(input, 1 << 20).unwrap());
            }
        });
    }

    #[divan::bench(args = PAYLOADS)]
    fn rmqtt_codec(bencher: Bencher, payload: usize) {
        use tokio_util::codec::Decoder as _;
        let input = || stream(payload);
        bencher.counter(ItemsCount::new(PACKETS)).with_inputs(input).bench_refs(|input| {
            let mut codec = rmqtt_codec::v3::Codec::new(1 << 20);
            while let Some(packet) = codec.decode(input).unwrap() {
                black_box(packet);
            }
        });
    }

    #[divan::bench(args = PAYLOADS)]
    fn mqtt5_protocol(bencher: Bencher, payload: usize) {
        use mqtt5_protocol::FixedHeader;
        use mqtt5_protocol::packet::publish::PublishPacket;
        let input = || stream(payload).freeze();
        bencher.counter(ItemsCount::new(PACKETS)).with_inputs(input).bench_refs(|input| {
            while !input.is_empty() {
                let header = FixedHeader::decode(input).unwrap();
                let mut body = input.split_to(header.remaining_length as usize);
                let packet = PublishPacket::decode_body_with_version(&mut body, &header, 4);
                black_box(packet.unwrap());
            }
        });
    }

    #[divan::bench(args = PAYLOADS)]
    fn mqtt_protocol_core(bencher: Bencher, payload: usize) {
        use mqtt_protocol_core::mqtt::Arc;
        use mqtt_protocol_core::mqtt::packet::v3_1_1::Publish;
        let packet = one(payload);
        let header = packet.len() - payload - TOPIC.len() - 2;
        let body: Arc<[u8]> = Arc::from(&packet[header..]);
        let input = || vec![body.clone(); PACKETS];
        bencher.counter(ItemsCount::new(PACKETS)).with_inputs(input).bench_refs(|input| {
            for body in input.drain(..) {
                black_box(Publish::parse(0, body).unwrap());
            }
        });
    }

    #[divan::bench(args = PAYLOADS)]
    fn ntex_mqtt(bencher: Bencher, payload: usize) {
        use ntex_codec::Decoder as _;
        let input = || ntex_bytes::BytesMut::from(&stream(payload)[..]);
        bencher.counter(ItemsCount::new(PACKETS)).with_inputs(input).bench_refs(|input| {
            let codec = ntex_mqtt::v3::codec::Codec::new();
            while let Some(packet) = codec.decode(input).unwrap() {
                black_box(packet);
            }
        });
    }
}

#[divan::bench_group]
mod encode {
    use super::*;

    #[divan::bench(args = PAYLOADS)]
    fn ours(bencher: Bencher, payload: usize) {
        let publish =
            codec::Publish::new(codec::TopicName::new(TOPIC).unwrap(), vec![b'x'; payload]);
        let packet = codec::Packet::Publish(publish);
        let input = || room(payload);
        bencher.counter(ItemsCount::new(PACKETS)).with_inputs(input).bench_refs(|out| {
            for _ in 0..PACKETS {
                black_box(&packet).encode(codec::ProtocolVersion::V311, out).unwrap();
            }
        });
    }

    #[divan::bench(args = PAYLOADS)]
    fn rumqttc(bencher: Bencher, payload: usize) {
        let publish = rumqttc::Publish::new(TOPIC, rumqttc::QoS::AtMostOnce, vec![b'x'; payload]);
        let input = || room(payload);
        bencher.counter(ItemsCount::new(PACKETS)).with_inputs(input).bench_refs(|out| {
            for _ in 0..PACKETS {
                black_box(&publish).write(out).unwrap();
            }
        });
    }

    #[divan::bench(args = PAYLOADS)]
    fn rmqtt_codec(bencher: Bencher, payload: usize) {
        use tokio_util::codec::{Decoder as _, Encoder as _};
        let packets = || {
            let mut codec = rmqtt_codec::v3::Codec::new(1 << 20);
            let mut stream = stream(payload);
            let mut packets = Vec::new();
            while let Some((packet, _)) = codec.decode(&mut stream).unwrap() {
                packets.push(packet);
            }
            (packets, room(payload))
        };
        bencher.counter(ItemsCount::new(PACKETS)).with_inputs(packets).bench_refs(|input| {
            let (packets, out) = input;
            let mut codec = rmqtt_codec::v3::Codec::new(1 << 20);
            for packet in packets.drain(..) {
                codec.encode(packet, out).unwrap();
            }
        });
    }

    #[divan::bench(args = PAYLOADS)]
    fn mqtt5_protocol(bencher: Bencher, payload: usize) {
        use mqtt5_protocol::QoS;
        use mqtt5_protocol::packet::MqttPacket as _;
        use mqtt5_protocol::packet::publish::PublishPacket;
        let packet = PublishPacket::new_v311(TOPIC, vec![b'x'; payload], QoS::AtMostOnce);
        let input = || room(payload);
        bencher.counter(ItemsCount::new(PACKETS)).with_inputs(input).bench_refs(|out| {
            for _ in 0..PACKETS {
                black_box(&packet).encode(out).unwrap();
            }
        });
    }

    #[divan::bench(args = PAYLOADS)]
    fn mqtt_protocol_core(bencher: Bencher, payload: usize) {
        use mqtt_protocol_core::mqtt::Arc;
        use mqtt_protocol_core::mqtt::packet::v3_1_1::Publish;
        let packet = one(payload);
        let header = packet.len() - payload - TOPIC.len() - 2;
        let (packet, _) = Publish::parse(0, Arc::from(&packet[header..])).unwrap();
        let input = || room(payload);
        bencher.counter(ItemsCount::new(PACKETS)).with_inputs(input).bench_refs(|out| {
            for _ in 0..PACKETS {
                for piece in black_box(&packet).to_buffers() {
                    out.extend_from_slice(&piece);
                }
            }
        });
    }

    #[divan::bench(args = PAYLOADS)]
    fn ntex_mqtt(bencher: Bencher, payload: usize) {
        use ntex_codec::Encoder as _;
        use ntex_mqtt::v3::codec::{Codec, Encoded, Publish};
        use ntex_mqtt::QoS;
        let publish = Publish {
            dup: false,
            retain: false,
            qos: QoS::AtMostOnce,
            topic: TOPIC.into(),
            packet_id: None,
            payload_size: payload as u32,
        };
        let body = ntex_bytes::Bytes::from(vec![b'x'; payload]);
        let input = || {
            let packets: Vec<_> = (0..PACKETS)
                .map(|_| Encoded::Publish(publish.clone(), Some(body.clone())))
                .collect();
            (packets, ntex_bytes::BytePages::default())
        };
        bencher.counter(ItemsCount::new(PACKETS)).with_inputs(input).bench_refs(|input| {
            let (packets, out) = input;
            let codec = Codec::new();
            for packet in packets.drain(..) {
                codec.encodev(packet, out).unwrap();
            }
        });
    }
}
