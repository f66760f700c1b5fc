//! MQTT over WebSocket (MQTT 5.0 §6): packets do not care where its messages begin and end.

use bytes::BytesMut;
use codec::{Decoder, PACKET_SIZE_MAX, Packet, ProtocolVersion, ReasonCode};
use tests::Broker;
use tests::http::{Connection, opcode};

use crate::client::*;

fn open(broker: &Broker) -> Connection {
    let mut socket = Connection::open(broker.ports.ws);
    assert_eq!(socket.upgrade("/mqtt", Some("mqtt")).status, 101);
    socket
}

fn bytes(packets: impl IntoIterator<Item = Packet>, version: ProtocolVersion) -> BytesMut {
    let mut bytes = BytesMut::new();
    for packet in packets {
        packet.encode(version, &mut bytes).unwrap();
    }
    bytes
}

/// The next `count` packets, in however many messages they come.
fn receive(socket: &mut Connection, version: ProtocolVersion, count: usize) -> Vec<Packet> {
    let mut decoder = Decoder::client(version, PACKET_SIZE_MAX);
    let (mut arrived, mut packets) = (BytesMut::new(), Vec::new());
    while packets.len() < count {
        let (opcode, payload) = socket.receive_frame().expect("packets");
        assert_eq!(opcode, opcode::BINARY, "[MQTT-6.0.0-1]");
        arrived.extend_from_slice(&payload);
        while let Some(packet) = decoder.decode(&mut arrived).unwrap() {
            packets.push(packet);
        }
    }
    assert!(arrived.is_empty());
    packets
}

fn conversation(version: ProtocolVersion) -> BytesMut {
    let filter = codec::TopicFilter::new("t").unwrap();
    let subscription = codec::Subscription { filter, options: options(AtMostOnce) };
    let subscribe = codec::Subscribe {
        packet_id: id(1),
        properties: codec::Properties::EMPTY,
        subscriptions: vec![subscription],
    };
    let packets = [
        Packet::Connect(Box::new(connect(version, "ws"))),
        Packet::Subscribe(subscribe),
        Packet::Publish(publish("t", "x".repeat(300), AtMostOnce, 1)),
        Packet::PingReq,
    ];
    bytes(packets, version)
}

#[track_caller]
fn check_answers(packets: &[Packet]) {
    let [Packet::ConnAck(connack), Packet::SubAck(_), Packet::Publish(message), Packet::PingResp] =
        packets
    else {
        panic!("{packets:?}");
    };
    assert_eq!(connack.code, ReasonCode::Success);
    assert_eq!(message.payload.len(), 300);
}

/// A stranger may send no more than a CONNECT needs; who was let in may send all that there is, and what
/// came with the CONNECT is not lost.
#[test]
fn what_follows_the_connect_at_once_may_be_large() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut watcher = Client::clean(&broker, version, "watcher");
        watcher.subscribe_qos("t", AtMostOnce);
        let mut socket = open(&broker);
        let hello = bytes([Packet::Connect(Box::new(connect(version, "ws")))], version);
        let (first, second) = hello.split_at(7);
        let payload = "x".repeat(2 << 20);
        let large = bytes([Packet::Publish(publish("t", payload.clone(), AtMostOnce, 0))], version);
        let frames = [
            fragment(0x02, first),
            fragment(0x89, b"ping"),
            fragment(0x80, second),
            fragment(0x8a, b""),
            fragment(0x82, &large),
            fragment(0x82, &bytes([Packet::PingReq], version)),
        ];
        assert!(socket.send(&frames.concat()));
        assert_eq!(watcher.receive_publish().payload.len(), payload.len());
    }
}

/// Several packets in one message.
/// [MQTT-6.0.0-1, MQTT-6.0.0-2, MQTT-6.0.0-4], 3.1.1 [MQTT-6.0.0-1, MQTT-6.0.0-2, MQTT-6.0.0-4]
#[test]
fn one_message_may_hold_many_packets() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut socket = open(&broker);
        socket.send_frame(opcode::BINARY, &conversation(version));
        check_answers(&receive(&mut socket, version, 4));
    }
}

/// One packet in several messages, cut wherever it may be.
/// [MQTT-6.0.0-2], 3.1.1 [MQTT-6.0.0-2]
#[test]
fn a_packet_may_be_split_over_messages() {
    let broker = Broker::start();
    for version in VERSIONS {
        for size in [1, 2, 3, 7, 100] {
            let mut socket = open(&broker);
            for part in conversation(version).chunks(size) {
                socket.send_frame(opcode::BINARY, part);
                // What is no data does not come between.
                if size > 50 {
                    socket.send_frame(opcode::PONG, b"");
                }
            }
            check_answers(&receive(&mut socket, version, 4));
        }
    }
}

/// A frame of at most 125 bytes that is not the last of its message. Its mask changes nothing.
fn fragment(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = match u8::try_from(payload.len()) {
        Ok(length) if length < 126 => vec![0x80 | length],
        _ => [&[0xff][..], &(payload.len() as u64).to_be_bytes()].concat(),
    };
    [&[opcode][..], &length, &[0; 4], payload].concat()
}

/// RFC 6455 §5.4, §5.5.2: a message in fragments with a ping between them.
#[test]
fn fragments_and_pings_are_understood() {
    let broker = Broker::start();
    let mut socket = open(&broker);
    let conversation = conversation(V5);
    let (first, rest) = conversation.split_at(5);
    socket.send(&fragment(opcode::BINARY, first));
    socket.send_frame(opcode::PING, b"are you there");
    socket.send_frame(opcode::CONTINUATION, rest);
    assert_eq!(socket.receive_frame(), Some((opcode::PONG, b"are you there".to_vec())));
    check_answers(&receive(&mut socket, V5, 4));
}

/// One client on each kind of connection: they hear each other, and one takes over from the
/// other.
/// [MQTT-4.2-1], 3.1.1 [MQTT-7.1.1-1]
#[test]
fn websocket_and_tcp_share_everything() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut tcp = Client::connect(&broker, persistent(version, "same"));
        tcp.subscribe_qos("t", AtMostOnce);
        let mut socket = open(&broker);
        let connect = Packet::Connect(Box::new(persistent(version, "same")));
        socket.send_frame(opcode::BINARY, &bytes([connect], version));
        let Some(Packet::ConnAck(connack)) = receive(&mut socket, version, 1).pop() else {
            panic!("no CONNACK");
        };
        assert_eq!(connack.session_present, version != V31);
        tcp.expect_disconnect(ReasonCode::SessionTakenOver);
        Client::clean(&broker, version, "publisher").publish("t", "hello");
        let Some(Packet::Publish(message)) = receive(&mut socket, version, 1).pop() else {
            panic!("no PUBLISH");
        };
        assert_eq!(payload(&message), "hello");
        // And back again.
        let mut tcp = Client::connect(&broker, persistent(version, "same"));
        let end = socket.receive_binary_until_closed();
        assert_eq!(end.is_empty(), !version.is_v5(), "MQTT 5.0 says why");
        tcp.expect_nothing();
        tcp.disconnect();
        Client::clean(&broker, version, "same").disconnect();
    }
}
