//! PUBLISH, decoded and encoded by our codec and by its peers: the same packets for all, of MQTT 3.1.1, and of
//! MQTT 5.0 with properties for those who speak it.
//!
//! Decoding begins with a buffer full of packets, as a busy connection's is, and ends with all of them
//! decoded. Where a codec can be given packets that were cut out of that buffer before, `cut` measures it so
//! by itself. Encoding fills one buffer again and again. What is decoded from or encoded into was in use just
//! before: of memory that has to be fetched first, nobody's codec is to be measured.

use bytes::{Bytes, BytesMut};
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};

/// Allocations are counted too, and shown below the times.
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

/// Bytes in one buffer, as many as a processor has in its nearer caches.
const BUFFER_BYTES: usize = 32 * 1024;

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

/// What follows the fixed header of one packet.
fn body(payload: usize) -> Bytes {
    let packet = one(payload);
    let len = payload + TOPIC.len() + 2;
    packet.slice(packet.len() - len..)
}

/// How many packets one buffer has room for.
fn packets(payload: usize) -> usize {
    BUFFER_BYTES / one(payload).len()
}

fn count(payload: usize) -> ItemsCount {
    ItemsCount::new(packets(payload))
}

/// A buffer full of packets.
fn stream(payload: usize) -> BytesMut {
    BytesMut::from(one(payload).repeat(packets(payload)).as_slice())
}

/// An empty buffer.
fn room() -> BytesMut {
    BytesMut::with_capacity(BUFFER_BYTES)
}

#[inline(always)]
fn ours_decodes(input: &mut Bytes, version: codec::ProtocolVersion) {
    let mut decoder = codec::Decoder::client(version, 1 << 20);
    while let Ok(Some(packet)) = decoder.decode(input) {
        black_box(packet);
    }
    assert!(input.is_empty());
}

/// Has a buffer with room for all of them filled with so many packets, again and again.
#[inline(always)]
fn encodes(bencher: Bencher, packets: usize, mut encode: impl FnMut(&mut BytesMut)) {
    let mut out = room();
    bencher.counter(ItemsCount::new(packets)).bench_local(|| {
        out.clear();
        for _ in 0..packets {
            encode(&mut out);
        }
    });
}

#[inline(always)]
fn mqtt5_protocol_decodes(input: &mut Bytes, version: u8) {
    use mqtt5_protocol::FixedHeader;
    use mqtt5_protocol::packet::publish::PublishPacket;
    while !input.is_empty() {
        let header = FixedHeader::decode(input).unwrap();
        let mut body = input.split_to(header.remaining_length as usize);
        let packet = PublishPacket::decode_body_with_version(&mut body, &header, version);
        black_box(packet.unwrap());
    }
}

#[divan::bench_group]
mod decode {
    use super::*;

    #[divan::bench(args = PAYLOADS, sample_size = 8, sample_count = 1000)]
    fn ours(bencher: Bencher, payload: usize) {
        let input = || stream(payload).freeze();
        bencher.counter(count(payload)).with_inputs(input).bench_refs(|input| {
            ours_decodes(input, codec::ProtocolVersion::V311);
        });
    }

    /// Looked at where it lies: what the broker does with the messages of a round.
    #[divan::bench(args = PAYLOADS, sample_size = 8, sample_count = 1000)]
    fn ours_in_place(bencher: Bencher, payload: usize) {
        let input = || stream(payload).freeze();
        bencher.counter(count(payload)).with_inputs(input).bench_refs(|input| {
            let mut rest = input.as_ref();
            let version = codec::ProtocolVersion::V311;
            while let Some(view) = codec::PublishView::peek(rest, version) {
                rest = &rest[black_box(view).packet.len()..];
            }
            assert!(rest.is_empty());
        });
    }

    #[divan::bench(args = PAYLOADS, sample_size = 8, sample_count = 1000)]
    fn rumqttc(bencher: Bencher, payload: usize) {
        let input = || stream(payload);
        bencher.counter(count(payload)).with_inputs(input).bench_refs(|input| {
            while !input.is_empty() {
                black_box(rumqttc::Packet::read(input, 1 << 20).unwrap());
            }
        });
    }

    #[divan::bench(args = PAYLOADS, sample_size = 8, sample_count = 1000)]
    fn rmqtt_codec(bencher: Bencher, payload: usize) {
        use tokio_util::codec::Decoder as _;
        let input = || stream(payload);
        bencher.counter(count(payload)).with_inputs(input).bench_refs(|input| {
            let mut codec = rmqtt_codec::v3::Codec::new(1 << 20);
            while let Some(packet) = codec.decode(input).unwrap() {
                black_box(packet);
            }
        });
    }

    #[divan::bench(args = PAYLOADS, sample_size = 8, sample_count = 1000)]
    fn mqtt5_protocol(bencher: Bencher, payload: usize) {
        let input = || stream(payload).freeze();
        bencher.counter(count(payload)).with_inputs(input).bench_refs(|input| {
            mqtt5_protocol_decodes(input, 4);
        });
    }

    #[divan::bench(args = PAYLOADS, sample_size = 8, sample_count = 1000)]
    fn mqtt_protocol_core(bencher: Bencher, payload: usize) {
        use mqtt_protocol_core::mqtt::common::Cursor;
        use mqtt_protocol_core::mqtt::connection::{PacketBuildResult, PacketBuilder, PacketData};
        use mqtt_protocol_core::mqtt::packet::v3_1_1::Publish;
        let input = || stream(payload);
        bencher.counter(count(payload)).with_inputs(input).bench_refs(|input| {
            let mut builder = PacketBuilder::new();
            let mut rest = Cursor::new(&input[..]);
            while let PacketBuildResult::Complete(packet) = builder.feed(&mut rest) {
                let flags = packet.flags();
                let PacketData::Publish(body) = packet.data else { unreachable!() };
                black_box(Publish::parse(flags, body).unwrap());
            }
        });
    }

    #[divan::bench(args = PAYLOADS, sample_size = 8, sample_count = 1000)]
    fn ntex_mqtt(bencher: Bencher, payload: usize) {
        use ntex_codec::Decoder as _;
        let input = || ntex_bytes::BytesMut::from(&stream(payload)[..]);
        bencher.counter(count(payload)).with_inputs(input).bench_refs(|input| {
            let codec = ntex_mqtt::v3::codec::Codec::new();
            while let Some(packet) = codec.decode(input).unwrap() {
                black_box(packet);
            }
        });
    }
}

/// Packets that were cut out of the buffer before, each with a memory of its own or a share of one.
#[divan::bench_group(sample_size = 8, sample_count = 1000)]
mod decode_cut {
    use super::*;

    #[divan::bench(args = PAYLOADS)]
    fn ours(bencher: Bencher, payload: usize) {
        let one_len = one(payload).len();
        let input = || {
            let mut stream = stream(payload).freeze();
            let cut = (0..packets(payload)).map(|_| stream.split_to(one_len));
            cut.collect::<Vec<_>>()
        };
        bencher.counter(count(payload)).with_inputs(input).bench_refs(|input| {
            let mut decoder = codec::Decoder::client(codec::ProtocolVersion::V311, 1 << 20);
            for mut frame in input.drain(..) {
                black_box(decoder.decode(&mut frame).unwrap());
            }
        });
    }

    #[divan::bench(args = PAYLOADS)]
    fn mqtt_protocol_core(bencher: Bencher, payload: usize) {
        use mqtt_protocol_core::mqtt::Arc;
        use mqtt_protocol_core::mqtt::packet::v3_1_1::Publish;
        let body = body(payload);
        let input = || {
            let cut = (0..packets(payload)).map(|_| Arc::<[u8]>::from(&body[..]));
            cut.collect::<Vec<_>>()
        };
        bencher.counter(count(payload)).with_inputs(input).bench_refs(|input| {
            for body in input.drain(..) {
                black_box(Publish::parse(0, body).unwrap());
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
        encodes(bencher, packets(payload), |out| {
            black_box(&packet).encode(codec::ProtocolVersion::V311, out).unwrap();
        });
    }

    /// With the payload as a piece of its own behind the head, for a vectored write: what the broker does
    /// with large ones.
    #[divan::bench(args = PAYLOADS)]
    fn ours_in_two_pieces(bencher: Bencher, payload: usize) {
        let topic = codec::TopicName::new(TOPIC).unwrap();
        let publish = codec::Publish::new(topic, vec![b'x'; payload]);
        encodes(bencher, packets(payload), |out| {
            let codec::Publish { qos, retain, topic, properties, payload, .. } =
                black_box(&publish);
            let head = codec::PublishHead {
                dup: false,
                qos: *qos,
                retain: *retain,
                topic: topic.as_ref().map_or(&[], |topic| topic.as_bytes()),
                packet_id: None,
                topic_alias: None,
                message_expiry_interval_s: None,
                subscription_identifiers: &[],
                properties,
                payload_len: payload.len(),
            };
            head.encode(codec::ProtocolVersion::V311, out).unwrap();
            black_box(payload.clone());
        });
    }

    #[divan::bench(args = PAYLOADS)]
    fn rumqttc(bencher: Bencher, payload: usize) {
        let publish = rumqttc::Publish::new(TOPIC, rumqttc::QoS::AtMostOnce, vec![b'x'; payload]);
        encodes(bencher, packets(payload), |out| {
            black_box(&publish).write(out).unwrap();
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
            (packets, room())
        };
        bencher.counter(count(payload)).with_inputs(packets).bench_refs(|input| {
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
        encodes(bencher, packets(payload), |out| {
            black_box(&packet).encode(out).unwrap();
        });
    }

    #[divan::bench(args = PAYLOADS)]
    fn mqtt_protocol_core(bencher: Bencher, payload: usize) {
        use mqtt_protocol_core::mqtt::Arc;
        use mqtt_protocol_core::mqtt::packet::v3_1_1::Publish;
        let (packet, _) = Publish::parse(0, Arc::from(&body(payload)[..])).unwrap();
        encodes(bencher, packets(payload), |out| {
            for piece in black_box(&packet).to_buffers() {
                out.extend_from_slice(&piece);
            }
        });
    }

    #[divan::bench(args = PAYLOADS)]
    fn ntex_mqtt(bencher: Bencher, payload: usize) {
        use ntex_codec::Encoder as _;
        use ntex_mqtt::QoS;
        use ntex_mqtt::v3::codec::{Codec, Encoded, Publish};
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
            let packets: Vec<_> = (0..packets(payload))
                .map(|_| Encoded::Publish(publish.clone(), Some(body.clone())))
                .collect();
            (packets, ntex_bytes::BytePages::default())
        };
        bencher.counter(count(payload)).with_inputs(input).bench_refs(|input| {
            let (packets, out) = input;
            let codec = Codec::new();
            for packet in packets.drain(..) {
                codec.encodev(packet, out).unwrap();
            }
        });
    }
}

/// PUBLISH of MQTT 5.0 with a Topic Alias, a User Property and a Subscription Identifier.
mod v5 {
    use super::*;

    const USER_PROPERTY: (&str, &str) = ("unit", "degrees Celsius");

    fn packet(payload: usize) -> codec::Packet {
        use codec::{MqttString, Property};
        let [name, value] =
            [USER_PROPERTY.0, USER_PROPERTY.1].map(|text| MqttString::new(text).unwrap());
        let properties = [
            Property::TopicAlias(7),
            Property::UserProperty(name, value),
            Property::SubscriptionIdentifier(3),
        ];
        let topic = codec::TopicName::new(TOPIC).unwrap();
        let mut publish = codec::Publish::new(topic, vec![b'x'; payload]);
        publish.properties = codec::Properties::new(properties).unwrap();
        codec::Packet::Publish(publish)
    }

    fn one(payload: usize) -> Bytes {
        let mut out = BytesMut::new();
        packet(payload).encode(codec::ProtocolVersion::V5, &mut out).unwrap();
        out.freeze()
    }

    fn packets(payload: usize) -> usize {
        BUFFER_BYTES / one(payload).len()
    }

    fn count(payload: usize) -> ItemsCount {
        ItemsCount::new(packets(payload))
    }

    fn stream(payload: usize) -> BytesMut {
        BytesMut::from(one(payload).repeat(packets(payload)).as_slice())
    }

    #[divan::bench_group(sample_size = 8, sample_count = 1000)]
    mod decode {
        use super::*;

        #[divan::bench(args = PAYLOADS)]
        fn ours(bencher: Bencher, payload: usize) {
            let input = || stream(payload).freeze();
            bencher.counter(count(payload)).with_inputs(input).bench_refs(|input| {
                ours_decodes(input, codec::ProtocolVersion::V5);
            });
        }

        #[divan::bench(args = PAYLOADS)]
        fn rumqttc(bencher: Bencher, payload: usize) {
            use rumqttc::v5::mqttbytes::v5::Packet;
            let input = || stream(payload);
            bencher.counter(count(payload)).with_inputs(input).bench_refs(|input| {
                while !input.is_empty() {
                    black_box(Packet::read(input, Some(1 << 20)).unwrap());
                }
            });
        }

        #[divan::bench(args = PAYLOADS)]
        fn mqtt5_protocol(bencher: Bencher, payload: usize) {
            let input = || stream(payload).freeze();
            bencher.counter(count(payload)).with_inputs(input).bench_refs(|input| {
                mqtt5_protocol_decodes(input, 5);
            });
        }
    }

    #[divan::bench_group]
    mod encode {
        use super::*;

        #[divan::bench(args = PAYLOADS)]
        fn ours(bencher: Bencher, payload: usize) {
            let packet = packet(payload);
            encodes(bencher, packets(payload), |out| {
                black_box(&packet).encode(codec::ProtocolVersion::V5, out).unwrap();
            });
        }

        #[divan::bench(args = PAYLOADS)]
        fn rumqttc(bencher: Bencher, payload: usize) {
            use rumqttc::v5::mqttbytes::v5::Packet;
            let Packet::Publish(publish) =
                Packet::read(&mut stream(payload), Some(1 << 20)).unwrap()
            else {
                unreachable!("it is a PUBLISH");
            };
            encodes(bencher, packets(payload), |out| {
                black_box(&publish).write(out).unwrap();
            });
        }

        #[divan::bench(args = PAYLOADS)]
        fn mqtt5_protocol(bencher: Bencher, payload: usize) {
            use mqtt5_protocol::QoS;
            use mqtt5_protocol::packet::MqttPacket as _;
            use mqtt5_protocol::packet::publish::PublishPacket;
            let packet = PublishPacket::new(TOPIC, vec![b'x'; payload], QoS::AtMostOnce)
                .with_topic_alias(7)
                .with_user_property(USER_PROPERTY.0.into(), USER_PROPERTY.1.into())
                .with_subscription_identifier(3);
            encodes(bencher, packets(payload), |out| {
                black_box(&packet).encode(out).unwrap();
            });
        }
    }
}
