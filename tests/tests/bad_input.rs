//! What bad input gets: the answer that its version of MQTT has, or the end of the connection, a
//! line in the log, and nothing that anyone else would notice, in bounded time and memory.
//!
//! The classes of what brokers have been broken by, and where each is tested:
//!
//! - allocation before authentication, lengths that are only claimed, memory for bad packets: here;
//! - packets illegal in this state: here (a second CONNECT, a packet before CONNECT),
//!   `protocol::flows::an_unknown_pubrel_is_answered`,
//!   `protocol::answers::nothing_is_done_after_a_refusal`,
//!   `protocol::authentication::auth_out_of_turn_ends_the_connection`;
//! - empty topics: here; deep ones: `protocol::subscriptions::a_topic_may_have_201_levels`;
//!   those with `$`: `protocol::messages`;
//! - writing to `$SYS`: `access::writing_to_sys`, `protocol::messages`;
//! - side effects before authentication, fail-open configuration, identifiers injected into ACL
//!   patterns, messages after a right was revoked: `access`;
//! - certificate identity, half-open connections and half-finished TLS handshakes: `tls`;
//! - file descriptors exhausted: `listeners`;
//! - a subscriber that never reads: `protocol::load::a_reader_that_does_not_read_costs_only_itself`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use std::time::Duration;

use tests::broker::{Ports, command};
use tests::http::{Connection, opcode};
use tests::program::Stream;
use tests::wire::{
    self, Client, Connect, Packet, first_byte, packet, prefixed, publish, subscribe,
    variable_byte_integer,
};
use tests::{Broker, Program, Version};

const MALFORMED_PACKET: u8 = 0x81;
const PROTOCOL_ERROR: u8 = 0x82;
const UNSUPPORTED_PROTOCOL_VERSION: u8 = 0x84;
const TOPIC_FILTER_INVALID: u8 = 0x8F;
const TOPIC_NAME_INVALID: u8 = 0x90;
const TOPIC_ALIAS_INVALID: u8 = 0x94;
const PACKET_TOO_LARGE: u8 = 0x95;

/// The broker gives a new connection ten seconds to say who it is; beyond this it is too slow.
const SILENCE_LIMIT: Duration = Duration::from_secs(20);

/// What the broker may grow by while bad input is thrown at it, in KiB: far less than what any one
/// of the lengths that are claimed here.
const GROWTH_KIB_MAX: u64 = 32 * 1024;

/// A client that does everything right, to see that what others do does not reach it.
struct Witness {
    client: Client,
    count: u32,
}

impl Witness {
    fn new(broker: &Broker) -> Self {
        let mut client = broker.connect(Version::V5, "witness");
        client.subscribe("witness/#");
        Self { client, count: 0 }
    }

    /// A message to itself arrives, and it is all that has arrived since the last time.
    #[track_caller]
    fn notices_nothing(&mut self) {
        self.count += 1;
        let payload = self.count.to_be_bytes();
        self.client.send(&publish(Version::V5, "witness/self", 0, 0, &payload));
        let received = self.client.receive_publication();
        assert_eq!(received, ("witness/self".to_owned(), payload.to_vec()));
        self.client.ping();
    }
}

fn disconnect_reasons(packets: &[Packet]) -> Vec<Option<u8>> {
    packets.iter().map(Packet::disconnect_reason).collect()
}

/// One way to break the rules, after a CONNECT that was accepted.
struct Case {
    what: &'static str,
    bytes: Vec<u8>,
    /// The reasons of which MQTT 5.0 has the broker give one.
    reasons: &'static [u8],
}

fn case(what: &'static str, bytes: Vec<u8>, reasons: &'static [u8]) -> Case {
    Case { what, bytes, reasons }
}

/// What is malformed, or against the protocol, in every version.
fn cases_of_every_version(version: Version) -> Vec<Case> {
    const MALFORMED: &[u8] = &[MALFORMED_PACKET];
    // Where the specification says "malformed or protocol error" or leaves it open.
    const EITHER: &[u8] = &[MALFORMED_PACKET, PROTOCOL_ERROR];
    let id = [0, 1];
    let no_properties = version.properties(&[]);
    let publish_to = |topic: &[u8]| {
        packet(first_byte::PUBLISH, &[&prefixed(topic), &no_properties, &b"x"[..]].concat())
    };
    let subscribe_to = |filter: &[u8], options: u8| {
        let parts = [&id[..], &no_properties, &prefixed(filter), &[options]];
        packet(first_byte::SUBSCRIBE, &parts.concat())
    };
    vec![
        case("a packet of type 0", vec![0x00, 0x00], MALFORMED),
        case("a PUBLISH of QoS 3", packet(0x36, b"\0\x01a\0\x01x"), MALFORMED),
        case("a PUBLISH of QoS 0 with DUP", packet(0x38, &publish_to(b"a")[2..]), EITHER),
        case(
            "a PUBLISH of QoS 1 with packet identifier 0",
            publish(version, "a", 1, 0, b"x"),
            EITHER,
        ),
        case("a topic name with #", publish_to(b"a/#"), &[TOPIC_NAME_INVALID, 0x81, 0x82]),
        case("a topic name with +", publish_to(b"+/a"), &[TOPIC_NAME_INVALID, 0x81, 0x82]),
        case("a topic name with U+0000", publish_to(b"a\0b"), &[TOPIC_NAME_INVALID, 0x81]),
        case("a topic name that is no UTF-8", publish_to(b"a\xFFb"), &[TOPIC_NAME_INVALID, 0x81]),
        case("a topic name with a surrogate", publish_to(b"\xED\xA0\x80"), &[0x90, 0x81]),
        case("a topic name longer than its packet", packet(0x30, b"\xFF\xFFa"), MALFORMED),
        case("an empty topic name", publish_to(b""), &[0x82, 0x90, 0x81]),
        case("a PUBLISH without topic name", packet(0x30, b""), MALFORMED),
        case("a PUBLISH without packet identifier", packet(0x32, b"\0\x01a"), MALFORMED),
        case("a SUBSCRIBE with wrong flags", packet(0x80, &subscribe_to(b"a", 0)[2..]), MALFORMED),
        case("a SUBSCRIBE at QoS 3", subscribe_to(b"a", 3), EITHER),
        case("a SUBSCRIBE with packet identifier 0", subscribe(version, 0, "a", 0), EITHER),
        case(
            "a SUBSCRIBE without topic filter",
            packet(first_byte::SUBSCRIBE, &[&id[..], &no_properties].concat()),
            EITHER,
        ),
        case("an empty topic filter", subscribe_to(b"", 0), &[TOPIC_FILTER_INVALID, 0x81, 0x82]),
        case(
            "a topic filter that is no UTF-8",
            subscribe_to(b"\xC0\x80", 0),
            &[TOPIC_FILTER_INVALID, 0x81],
        ),
        case(
            "an UNSUBSCRIBE without topic filter",
            packet(first_byte::UNSUBSCRIBE, &[&id[..], &no_properties].concat()),
            EITHER,
        ),
        case(
            "an UNSUBSCRIBE with wrong flags",
            packet(0xA0, &[&id[..], &no_properties, &prefixed("a")].concat()),
            MALFORMED,
        ),
        case("a PUBACK of one byte", packet(first_byte::PUBACK, &[0]), MALFORMED),
        case("a PUBREL with wrong flags", packet(0x60, &id), MALFORMED),
        case("a PINGREQ with a body", packet(first_byte::PINGREQ, &[0]), MALFORMED),
        case("a PINGREQ with flags", packet(0xC1, &[]), MALFORMED),
        case("a CONNACK to the server", packet(first_byte::CONNACK, &[0, 0, 0]), EITHER),
        case("a SUBACK to the server", packet(first_byte::SUBACK, &[0, 1, 0, 0]), EITHER),
        case("a PINGRESP to the server", packet(first_byte::PINGRESP, &[]), EITHER),
        case("a second CONNECT", Connect::new(version, "again").bytes(), &[PROTOCOL_ERROR]),
        case("a remaining length of five bytes", vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], EITHER),
    ]
}

/// What only MQTT 5.0 has to get wrong.
fn cases_of_version_5() -> Vec<Case> {
    const PROTOCOL: &[u8] = &[PROTOCOL_ERROR];
    const EITHER: &[u8] = &[MALFORMED_PACKET, PROTOCOL_ERROR];
    let publish_with = |properties: &[u8]| {
        let properties = Version::V5.properties(properties);
        packet(first_byte::PUBLISH, &[&prefixed("a"), &properties, &b"x"[..]].concat())
    };
    let subscribe_with = |properties: &[u8], filter: &str, options: u8| {
        let properties = Version::V5.properties(properties);
        let parts = [&[0, 1][..], &properties, &prefixed(filter), &[options]];
        packet(first_byte::SUBSCRIBE, &parts.concat())
    };
    vec![
        case("a packet of type 15 with flags", packet(0xF1, &[]), EITHER),
        case("an AUTH that nothing asked for", packet(0xF0, &[]), EITHER),
        case("an unknown property", publish_with(&[0x7F, 0]), EITHER),
        case("a property of another packet", publish_with(&[0x11, 0, 0, 0, 1]), EITHER),
        case("a property twice", publish_with(&[0x01, 0, 0x01, 0]), EITHER),
        case("a property cut short", publish_with(&[0x02, 0]), &[MALFORMED_PACKET]),
        case("a payload format indicator of 2", publish_with(&[0x01, 2]), EITHER),
        case("topic alias 0", publish_with(&[0x23, 0, 0]), &[TOPIC_ALIAS_INVALID, 0x82]),
        case("topic alias 65,535", publish_with(&[0x23, 0xFF, 0xFF]), &[TOPIC_ALIAS_INVALID]),
        case("a response topic with a wildcard", publish_with(&[0x08, 0, 1, b'#']), &[0x82, 0x90]),
        case("a subscription identifier from a client", publish_with(&[0x0B, 1]), PROTOCOL),
        case("subscription identifier 0", subscribe_with(&[0x0B, 0], "a", 0), EITHER),
        case("a reserved subscription option", subscribe_with(&[], "a", 0x40), EITHER),
        case("retain handling 3", subscribe_with(&[], "a", 0x30), EITHER),
        case("no local on a shared subscription", subscribe_with(&[], "$share/g/a", 4), EITHER),
        case(
            "a length of properties beyond the packet",
            packet(first_byte::PUBLISH, b"\0\x01a\x7Fx"),
            &[MALFORMED_PACKET],
        ),
    ]
}

/// What is wrong with how the broker takes this case, if anything.
fn refused(broker: &Broker, version: Version, client_id: &str, case: &Case) -> Option<String> {
    let Case { what, bytes, reasons } = case;
    let mut client = broker.connect(version, client_id);
    client.send(bytes);
    let answer = match client.try_receive_until_closed(SILENCE_LIMIT) {
        Ok(answer) => answer,
        Err(answer) => return Some(format!("{version}, {what}: not closed, {answer:?}")),
    };
    let given = disconnect_reasons(&answer);
    let right = match version {
        Version::V31 | Version::V311 => answer.is_empty(),
        Version::V5 => matches!(given[..], [Some(reason)] if reasons.contains(&reason)),
    };
    if !right {
        return Some(format!("{version}, {what}: answered {answer:?}, reasons are {reasons:02X?}"));
    }
    broker.wait_for_log(client_id, &[" disconnected: "]);
    None
}

/// [MQTT-1.5.4-1, MQTT-1.5.4-2, MQTT-2.1.3-1, MQTT-2.2.1-3, MQTT-3.1.0-2, MQTT-3.3.1-2,
/// MQTT-3.3.1-4, MQTT-3.3.2-1, MQTT-3.3.2-2, MQTT-3.6.1-1, MQTT-3.8.1-1, MQTT-3.8.3-1,
/// MQTT-3.8.3-2, MQTT-3.10.1-1, MQTT-3.10.3-2, MQTT-4.7.0-1, MQTT-4.7.3-1, MQTT-4.7.3-2,
/// MQTT-4.13.1-1], 3.1.1 [MQTT-1.5.3-1, MQTT-1.5.3-2, MQTT-2.2.2-1, MQTT-2.2.2-2, MQTT-2.3.1-1,
/// MQTT-3.1.0-2, MQTT-3.3.1-2, MQTT-3.3.1-4, MQTT-3.3.2-1, MQTT-3.3.2-2, MQTT-3.6.1-1,
/// MQTT-3.8.1-1, MQTT-3.8.3-1, MQTT-3.8.3-3, MQTT-3.8.3-4, MQTT-3.10.1-1, MQTT-3.10.3-2,
/// MQTT-4.7.1-1, MQTT-4.7.3-1, MQTT-4.7.3-2, MQTT-4.8.0-1]
#[test]
fn a_malformed_packet_ends_its_connection_with_the_reason_and_a_log_line() {
    let broker = Broker::start();
    let mut witness = Witness::new(&broker);
    let mut wrong = Vec::new();
    for version in Version::ALL {
        for (number, case) in cases_of_every_version(version).iter().enumerate() {
            let client_id = format!("bad-{}-{number}-", version.option());
            wrong.extend(refused(&broker, version, &client_id, case));
            witness.notices_nothing();
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// [MQTT-3.3.2-8, MQTT-3.3.2-14, MQTT-3.3.4-6, MQTT-3.8.3-4, MQTT-3.8.3-5, MQTT-4.12.0-7,
/// MQTT-4.13.1-1]
#[test]
fn what_mqtt_5_forbids_ends_its_connection_with_the_reason_and_a_log_line() {
    let broker = Broker::start();
    let mut witness = Witness::new(&broker);
    let mut wrong = Vec::new();
    for (number, case) in cases_of_version_5().iter().enumerate() {
        wrong.extend(refused(&broker, Version::V5, &format!("bad-{number}-"), case));
        witness.notices_nothing();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_packet_larger_than_the_broker_takes_is_refused_as_such() {
    let broker = Broker::start();
    let mut witness = Witness::new(&broker);
    // The largest length that the fixed header can claim; of it, no more than this is sent.
    let claim = [first_byte::PUBLISH, 0xFF, 0xFF, 0xFF, 0x7F];
    let before = broker.resident_kib();
    for version in Version::ALL {
        for number in 0..20 {
            let mut client =
                broker.connect(version, &format!("huge-{}-{number}", version.option()));
            client.send(&claim);
            client.send_if_taken(&prefixed("a"));
            client.finish_sending();
            let answer = client.receive_until_closed();
            if version == Version::V5 && !answer.is_empty() {
                assert_eq!(disconnect_reasons(&answer), [Some(PACKET_TOO_LARGE)]);
            }
        }
    }
    witness.notices_nothing();
    let growth = broker.resident_kib().saturating_sub(before);
    assert!(growth < GROWTH_KIB_MAX, "60 claims of 256 MB made the broker grow by {growth} KiB");
}

#[test]
fn a_claimed_length_takes_no_memory_while_the_connection_lasts() {
    let broker = Broker::start();
    let mut witness = Witness::new(&broker);
    let before = broker.resident_kib();
    let claim = [first_byte::CONNECT, 0xFF, 0xFF, 0xFF, 0x7F, 0, 4, b'M', b'Q', b'T', b'T', 5];
    let mut clients: Vec<_> = (0..50)
        .map(|_| {
            let mut client = broker.open();
            client.send(&claim);
            client
        })
        .collect();
    witness.notices_nothing();
    let growth = broker.resident_kib().saturating_sub(before);
    assert!(growth < GROWTH_KIB_MAX, "50 claims of 256 MB made the broker grow by {growth} KiB");
    for client in &mut clients {
        client.receive_until_closed_within(SILENCE_LIMIT);
    }
    witness.notices_nothing();
}

/// [MQTT-3.1.0-1, MQTT-3.14.0-1], 3.1.1 [MQTT-3.1.0-1]
#[test]
fn a_first_packet_that_is_no_connect_closes_the_connection() {
    let broker = Broker::start();
    let mut witness = Witness::new(&broker);
    let packets = [
        publish(Version::V311, "a", 0, 0, b"x"),
        subscribe(Version::V311, 1, "#", 0),
        wire::PINGREQ.to_vec(),
        wire::DISCONNECT.to_vec(),
        packet(first_byte::CONNACK, &[0, 0]),
        packet(0xF0, &[]),
        vec![0; 16],
        vec![0xFF; 16],
    ];
    for bytes in packets {
        let mut client = broker.open();
        let address = client.address().to_string();
        client.send(&bytes);
        assert_eq!(client.receive_until_closed(), [], "after {bytes:02X?}");
        broker.wait_for_log(&address, &["connect", "malformed", "protocol"]);
        witness.notices_nothing();
    }
}

#[test]
fn silence_before_and_within_the_connect_ends_in_bounded_time() {
    let broker = Broker::start();
    let mut witness = Witness::new(&broker);
    let connect = Connect::new(Version::V5, "slow").bytes();
    let halves = [0, 1, 2, 8, connect.len() - 1];
    let mut clients: Vec<_> = halves
        .iter()
        .map(|&length| {
            let mut client = broker.open();
            client.send(&connect[..length]);
            client
        })
        .collect();
    for (client, length) in clients.iter_mut().zip(halves) {
        let answer = client.receive_until_closed_within(SILENCE_LIMIT);
        assert_eq!(answer, [], "after {length} bytes of a CONNECT");
        witness.notices_nothing();
    }
}

#[test]
fn half_a_packet_and_silence_ends_with_the_keep_alive() {
    let broker = Broker::start();
    for version in Version::ALL {
        let connect = Connect { keep_alive: 1, ..Connect::new(version, "half") };
        let mut client = broker.connect_with(&connect);
        client.send(&publish(version, "a", 0, 0, b"never finished")[..6]);
        client.receive_until_closed_within(SILENCE_LIMIT);
    }
}

/// [MQTT-3.1.2-1, MQTT-3.1.2-2], 3.1.1 [MQTT-3.1.2-1, MQTT-3.1.2-2]
#[test]
fn an_unknown_protocol_version_is_refused_as_such() {
    let broker = Broker::start();
    let connect_at_level = |name: &str, level: u8| {
        let parts = [&prefixed(name)[..], &[level, 0x02, 0, 0], &prefixed("future")];
        packet(first_byte::CONNECT, &parts.concat())
    };
    // A server may close without an answer (MQTT 5.0 §3.1.2.2), and when it gives one, it is in
    // the manner of the version it takes the client for: 0x01 up to 3.1.1, 0x84 from 5.0 on.
    for level in [0, 1, 2, 6, 7, 0x7F, 0xFF] {
        let mut client = broker.open();
        client.send(&connect_at_level("MQTT", level));
        let answer = client.receive_until_closed();
        let codes: Vec<_> = answer.iter().map(|p| (p.first_byte, p.body.get(1).copied())).collect();
        let right = [
            (first_byte::CONNACK, Some(UNSUPPORTED_PROTOCOL_VERSION)),
            (first_byte::CONNACK, Some(0x01)),
        ];
        assert!(codes.len() == 1 && right.contains(&codes[0]), "level {level}: {answer:?}");
    }
    // A protocol that is not MQTT at all.
    let mut client = broker.open();
    client.send(&connect_at_level("HTTP", 4));
    let answer = client.receive_until_closed();
    assert!(answer.iter().all(|packet| packet.body.get(1) != Some(&0)), "accepted: {answer:?}");
}

/// 3.1.1 [MQTT-3.1.3-8]
#[test]
fn an_empty_client_id_needs_a_clean_session() {
    const IDENTIFIER_REJECTED: u8 = 0x02;
    let broker = Broker::start();
    let mut client = broker.open();
    client.send(&Connect { clean: false, ..Connect::new(Version::V311, "") }.bytes());
    let answer = client.receive_until_closed();
    let expected = Packet { first_byte: first_byte::CONNACK, body: vec![0, IDENTIFIER_REJECTED] };
    assert_eq!(answer, [expected], "MQTT 3.1.1 §3.1.3.1");

    // With a clean session the broker gives it a name, and in 5.0 in any case.
    broker.connect(Version::V311, "").ping();
    broker.connect(Version::V5, "").ping();
    broker.connect_with(&Connect { clean: false, ..Connect::new(Version::V5, "") }).ping();
}

/// [MQTT-3.1.2-3, MQTT-3.1.2-9, MQTT-3.1.2-11, MQTT-3.1.2-12, MQTT-3.1.2-13, MQTT-3.1.2-17,
/// MQTT-3.1.4-1, MQTT-3.2.2-7], 3.1.1 [MQTT-3.1.2-3, MQTT-3.1.2-9, MQTT-3.1.2-11, MQTT-3.1.2-13,
/// MQTT-3.1.2-14, MQTT-3.1.2-15, MQTT-3.1.2-19, MQTT-3.1.4-1, MQTT-1.5.3-2]
#[test]
fn a_malformed_connect_is_never_accepted() {
    let broker = Broker::start();
    let mut witness = Witness::new(&broker);
    for version in Version::ALL {
        let right = Connect::new(version, "name").bytes();
        let flags_at = 2 + usize::from(u16::from_be_bytes([right[2], right[3]])) + 3;
        let with_flags = |flags: u8| {
            let mut bytes = right.clone();
            bytes[flags_at] = flags;
            bytes
        };
        let mut cases = vec![
            ("a will of QoS 3", with_flags(0x1E)),
            ("a will that is not there", with_flags(0x06)),
            ("a byte too few", packet(first_byte::CONNECT, &right[2..right.len() - 1])),
        ];
        // MQTT 3.1 says of these bits that they are not used, and forbids no character.
        if version != Version::V31 {
            cases.extend([
                ("the reserved flag", with_flags(0x03)),
                ("a will QoS without a will", with_flags(0x0A)),
                ("will retain without a will", with_flags(0x22)),
                ("a user name that is not there", with_flags(0x82)),
                ("wrong flags of the packet", [&[0x11], &right[1..]].concat()),
                ("a byte too many", packet(first_byte::CONNECT, &[&right[2..], b"x"].concat())),
                ("a client id with U+0000", Connect::new(version, "a\0b").bytes()),
            ]);
        }
        for (what, bytes) in cases {
            let mut client = broker.open();
            client.send(&bytes);
            let answer = client
                .try_receive_until_closed(SILENCE_LIMIT)
                .unwrap_or_else(|answer| panic!("{version}, {what}: not closed, {answer:?}"));
            let accepted = answer.iter().any(|p| p.body.get(1) == Some(&0));
            assert!(answer.len() <= 1 && !accepted, "{version}, {what}: {answer:?}");
            witness.notices_nothing();
        }
    }
}

/// The class of flaws: a length that is checked for TCP alone, or taken at its word before anybody has
/// logged in. Nothing behind these lengths ever comes.
#[test]
fn lengths_are_bounded_over_websocket_too_and_before_anybody_has_logged_in() {
    let broker = Broker::start();
    let mut witness = Witness::new(&broker);
    let before = broker.resident_kib();
    let connect = Connect::new(Version::V5, "ws").bytes();
    // A frame of 2^62 bytes, and one of 200 MiB, of which no byte follows.
    let claims = [
        [&[0x82, 0xff][..], &(1_u64 << 62).to_be_bytes()],
        [&[0x82, 0xff], &(200_u64 << 20).to_be_bytes()],
    ];
    let frames: Vec<Vec<u8>> =
        claims.iter().map(|claim| [claim.concat(), vec![0; 4]].concat()).collect();
    let packets = [
        ("a CONNECT of 200 MiB", vec![first_byte::CONNECT, 0xff, 0xff, 0xff, 0x63]),
        ("a length of five bytes", vec![first_byte::CONNECT, 0x80, 0x80, 0x80, 0x80, 0x01]),
        (
            "a PUBLISH with such a length",
            [&connect[..], &[0x30, 0xff, 0xff, 0xff, 0xff, 0x01]].concat(),
        ),
    ];
    for (what, bytes) in &packets {
        let mut connection = Connection::open(broker.ports.ws);
        assert_eq!(connection.upgrade("/mqtt", Some("mqtt")).status, 101);
        connection.send_frame(opcode::BINARY, bytes);
        connection.receive_binary_until_closed();
        witness.notices_nothing();
        assert!(broker.resident_kib() < before + GROWTH_KIB_MAX, "{what}");
    }
    // What is sent is gathered by the WebSocket before MQTT sees it, and bounded all the same.
    let mut flooding: Vec<_> = (0..20)
        .map(|_| {
            let mut connection = Connection::open(broker.ports.ws);
            assert_eq!(connection.upgrade("/mqtt", Some("mqtt")).status, 101);
            connection.send(&frames[1]);
            for _ in 0..64 {
                if !connection.send(&[0; 64 * 1024]) {
                    break;
                }
            }
            connection
        })
        .collect();
    for connection in &mut flooding {
        connection.receive_until_closed_within(SILENCE_LIMIT);
    }
    witness.notices_nothing();
    assert!(broker.resident_kib() < before + GROWTH_KIB_MAX, "20 messages of 4 MiB");
    let mut claiming: Vec<_> = frames
        .iter()
        .cycle()
        .take(50)
        .map(|frame| {
            let mut connection = Connection::open(broker.ports.ws);
            assert_eq!(connection.upgrade("/mqtt", Some("mqtt")).status, 101);
            connection.send(frame);
            connection
        })
        .collect();
    witness.notices_nothing();
    assert!(broker.resident_kib() < before + GROWTH_KIB_MAX, "frames that are only announced");
    for connection in &mut claiming {
        connection.receive_until_closed_within(SILENCE_LIMIT);
    }
    witness.notices_nothing();
}

/// [MQTT-6.0.0-1], 3.1.1 [MQTT-6.0.0-1]
#[test]
fn a_text_frame_on_the_websocket_closes_it() {
    let broker = Broker::start();
    let mut witness = Witness::new(&broker);
    for (kind, before) in [("first", vec![]), ("second", Connect::new(Version::V5, "t").bytes())] {
        let mut connection = Connection::open(broker.ports.ws);
        assert_eq!(connection.upgrade("/mqtt", Some("mqtt")).status, 101);
        if !before.is_empty() {
            connection.send_frame(opcode::BINARY, &before);
            let (opcode, connack) = connection.receive_frame().expect("CONNACK");
            assert_eq!((opcode, connack[0]), (opcode::BINARY, first_byte::CONNACK));
        }
        connection.send_frame(opcode::TEXT, &wire::PINGREQ);
        let answer = connection.receive_binary_until_closed();
        assert!(!answer.contains(&first_byte::PINGRESP), "as the {kind} frame: {answer:02X?}");
        witness.notices_nothing();
    }
}

#[test]
fn broken_websocket_frames_close_it() {
    let broker = Broker::start();
    let mut witness = Witness::new(&broker);
    let before = broker.resident_kib();
    let cases: [(&str, &[u8]); 5] = [
        ("an unmasked frame", &[0x82, 0x02, 0xC0, 0x00]),
        ("a reserved bit", &[0xC2, 0x82, 0, 0, 0, 0, 0xC0, 0x00]),
        ("an unknown opcode", &[0x83, 0x80, 0, 0, 0, 0]),
        ("a fragmented ping", &[0x09, 0x80, 0, 0, 0, 0]),
        ("a claim of 2^62 bytes", &[0x82, 0xFF, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5]),
    ];
    for (what, bytes) in cases {
        let mut connection = Connection::open(broker.ports.ws);
        assert_eq!(connection.upgrade("/mqtt", Some("mqtt")).status, 101, "{what}");
        connection.send_frame(opcode::BINARY, &Connect::new(Version::V5, "frames").bytes());
        let (_, connack) = connection.receive_frame().expect("CONNACK");
        assert_eq!(connack[0], first_byte::CONNACK, "{what}");
        connection.send(bytes);
        connection.receive_until_closed_within(SILENCE_LIMIT);
        witness.notices_nothing();
    }
    let growth = broker.resident_kib().saturating_sub(before);
    assert!(growth < GROWTH_KIB_MAX, "the broker grew by {growth} KiB");
}

#[test]
fn http_on_the_mqtt_port_closes_the_connection() {
    let broker = Broker::start();
    let mut witness = Witness::new(&broker);
    let mut client = broker.open();
    client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.receive_until_closed(), []);
    witness.notices_nothing();
}

#[test]
fn mqtt_on_the_websocket_port_is_closed_or_answered_as_a_bad_request() {
    let broker = Broker::start();
    let mut witness = Witness::new(&broker);
    for version in Version::ALL {
        let mut connection = Connection::open(broker.ports.ws);
        connection.send(&Connect::new(version, "wrong-door").bytes());
        let answer = connection.receive_until_closed_within(SILENCE_LIMIT);
        let is_bad_request = answer.starts_with(b"HTTP/1.1 400 ");
        assert!(answer.is_empty() || is_bad_request, "{}", String::from_utf8_lossy(&answer));
        witness.notices_nothing();
    }
}

#[test]
fn a_port_in_use_is_one_sentence_that_names_it_and_exit_status_1() {
    let broker = Broker::start();
    let free = Ports::free();
    let taken = [
        (broker.ports.mqtt, Ports { mqtt: broker.ports.mqtt, ..free }),
        (broker.ports.ws, Ports { ws: broker.ports.ws, ..free }),
    ];
    for (port, ports) in taken {
        let mut second = Program::start("a second ws-broker", &mut command(ports));
        assert_eq!(second.wait_exit().code(), Some(1));
        let said = second.text(Stream::Err);
        let naming: Vec<_> = said.lines().filter(|line| line.contains(&port.to_string())).collect();
        assert_eq!(naming.len(), 1, "one sentence names port {port}:\n{said}");
        assert!(naming[0].to_lowercase().contains("in use"), "{}", naming[0]);
        assert!(!said.contains("panicked"), "{said}");
    }
}

/// Thousands of connections that send noise, and packets that were right before they were changed.
#[test]
fn noise_neither_stops_the_broker_nor_fills_its_memory() {
    const CONNECTIONS: u32 = 3000;
    const NOISE_BYTES_MAX: usize = 4096;
    /// To warm up what the broker keeps for later, before its memory is measured.
    const WARM_UP: u32 = 300;
    const SEED_VARIABLE: &str = "NOISE_SEED";

    let given = std::env::var(SEED_VARIABLE).ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..));
    println!("{SEED_VARIABLE}={seed} repeats this run");
    let mut random = fastrand::Rng::with_seed(seed);

    let broker = Broker::start_on(Ports::free(), &[]);
    let mut witness = Witness::new(&broker);
    let mut before = 0;
    for number in 0..CONNECTIONS {
        if number == WARM_UP {
            before = broker.resident_kib();
        }
        let version = Version::ALL[random.usize(..3)];
        let bytes = match random.u8(..4) {
            0 => noise(&mut random, NOISE_BYTES_MAX),
            1 => {
                let connect = Connect::new(version, "noise").bytes();
                [connect, noise(&mut random, NOISE_BYTES_MAX)].concat()
            }
            2 => changed(&mut random, conversation(version)),
            _ => {
                let mut bytes = Connect::new(version, "noise").bytes();
                for _ in 0..random.usize(1..20) {
                    // A right fixed header, so that the broker reads what is in it.
                    let body = noise(&mut random, 64);
                    bytes.push(random.u8(..));
                    bytes.extend(variable_byte_integer(body.len()));
                    bytes.extend(body);
                }
                bytes
            }
        };
        let mut client = broker.open();
        client.send_if_taken(&bytes);
        client.finish_sending();
        client.receive_until_closed();
        if number % 100 == 0 {
            witness.notices_nothing();
        }
    }
    witness.notices_nothing();
    let growth = broker.resident_kib().saturating_sub(before);
    assert!(growth < 2 * GROWTH_KIB_MAX, "the broker grew by {growth} KiB");
}

fn noise(random: &mut fastrand::Rng, length_max: usize) -> Vec<u8> {
    let length = random.usize(1..=length_max);
    std::iter::repeat_with(|| random.u8(..)).take(length).collect()
}

/// All that a client usually says.
fn conversation(version: Version) -> Vec<u8> {
    let id = [0, 1];
    let unsubscribe = [&id[..], &version.properties(&[]), &prefixed("noise/+")].concat();
    [
        Connect::new(version, "noise").bytes(),
        subscribe(version, 1, "noise/+", 2),
        publish(version, "noise/a", 0, 0, b"0"),
        publish(version, "noise/a", 1, 2, b"1"),
        publish(version, "noise/a", 2, 3, b"2"),
        packet(first_byte::PUBREL, &[0, 3]),
        packet(first_byte::UNSUBSCRIBE, &unsubscribe),
        wire::PINGREQ.to_vec(),
        wire::DISCONNECT.to_vec(),
    ]
    .concat()
}

/// The same with a few bytes changed, added or left out.
fn changed(random: &mut fastrand::Rng, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..random.usize(1..8) {
        let at = random.usize(..bytes.len());
        match random.u8(..3) {
            0 => bytes[at] = random.u8(..),
            1 => bytes.insert(at, random.u8(..)),
            _ => {
                bytes.remove(at);
            }
        }
    }
    bytes
}
