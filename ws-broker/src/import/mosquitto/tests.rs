//! Files that Mosquitto has saved, files as other machines and versions save them, and damaged ones.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test tells its failure by panicking"
)]

use super::*;

/// Saved by Mosquitto 2.0.11 on a machine of 64 bits. One session has an old client (`old`), one has
/// deliveries of each kind (`new`), one has a message begun with QoS 2 (`sender`), one waits (`tmp`).
const SAVED: &[u8] = include_bytes!("../testdata/mosquitto-2.0.11.db");

fn saved() -> Database {
    read(SAVED).unwrap()
}

fn client<'a>(database: &'a Database, id: &str) -> &'a Client {
    database.clients.iter().find(|client| client.id == *id).unwrap()
}

fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

#[test]
fn sessions_are_read_as_they_were_saved() {
    let database = saved();
    assert_eq!((&database.left_out, database.is_final), (&LeftOut::default(), true));
    let ids: Vec<_> = database.clients.iter().map(|client| client.id.as_str()).collect();
    assert_eq!(ids, ["old", "tmp", "sender", "new"]);
    let old = client(&database, "old");
    assert_eq!((old.expiry_interval_s, old.expires_at_s), (u32::MAX, None));
    assert_eq!((&old.username, old.last_packet_id), (&None, 1));
    let tmp = client(&database, "tmp");
    assert_eq!(tmp.expiry_interval_s, 4_294_967_294);
    let saved_at_s = tmp.expires_at_s.unwrap() - u64::from(tmp.expiry_interval_s);
    assert_eq!(saved_at_s, 1_795_248_934);
    let new = client(&database, "new");
    assert_eq!(new.username.as_deref(), Some("pepe"));
    assert_eq!((new.expiry_interval_s, new.last_packet_id), (4_000_000_000, 5));
    assert_eq!(new.expires_at_s, Some(saved_at_s + 4_000_000_000));
}

#[test]
fn subscriptions_are_read_with_their_options() {
    let database = saved();
    let subscription = |filter, qos| Subscription {
        filter: TopicFilter::new(filter).unwrap(),
        qos,
        no_local: false,
        retain_as_published: false,
        identifier: None,
    };
    let old = ["home/+/temp", "/slash//x/"];
    assert_eq!(
        client(&database, "old").subscriptions,
        [subscription(old[0], QoS::AtLeastOnce), subscription(old[1], QoS::AtMostOnce)]
    );
    let new = Subscription {
        no_local: true,
        retain_as_published: true,
        identifier: Some(77),
        ..subscription("home/#", QoS::ExactlyOnce)
    };
    assert_eq!(client(&database, "new").subscriptions, [new]);
    assert_eq!(client(&database, "tmp").subscriptions, []);
}

#[test]
fn deliveries_are_read_where_they_were() {
    let database = saved();
    let told = |client: &Client| {
        let told = client.outgoing.iter().map(|outgoing| {
            let message = &database.messages[&outgoing.message];
            let payload = String::from_utf8_lossy(&message.payload).into_owned();
            assert_eq!(outgoing.retain, message.retain && client.id == *"new");
            (payload, outgoing.qos, outgoing.stage, outgoing.subscription_ids.clone())
        });
        told.collect::<Vec<_>>()
    };
    use QoS::{AtLeastOnce, ExactlyOnce};
    let to_new = [
        ("20.5".to_owned(), AtLeastOnce, Stage::Published(id(1)), vec![77]),
        ("two".to_owned(), ExactlyOnce, Stage::Published(id(2)), vec![77]),
        ("two".to_owned(), ExactlyOnce, Stage::Received(id(3)), vec![77]),
        ("queued 0".to_owned(), ExactlyOnce, Stage::Queued, vec![77]),
        ("queued 1".to_owned(), ExactlyOnce, Stage::Queued, vec![77]),
    ];
    assert_eq!(told(client(&database, "new")), to_new);
    let to_old = [("20.5".to_owned(), AtLeastOnce, Stage::Queued, vec![])];
    assert_eq!(told(client(&database, "old")), to_old);
    let [begun] = &client(&database, "sender").incoming[..] else { panic!() };
    assert_eq!(begun.packet_id, id(10));
    let message = &database.messages[&begun.message];
    assert_eq!(
        (&message.topic.as_str(), &message.payload[..]),
        (&"home/cut", &b"in the middle"[..])
    );
    assert!(message.retain && message.qos == ExactlyOnce);
    assert_eq!(message.properties.payload_format_indicator(), Some(true));
}

#[test]
fn retained_messages_are_read_with_their_properties() {
    let database = saved();
    let [first, second] = &database.retained[..] else { panic!() };
    let first = &database.messages[first];
    assert_eq!((first.topic.as_str(), &first.payload[..]), ("home/hall/temp", &b"20.5"[..]));
    assert_eq!(first.expires_at_s, Some(1_795_248_934 + 4_000_000_000));
    assert_eq!(first.properties.content_type().as_deref(), Some("text/plain"));
    let unit = first.properties.user_properties().next().unwrap();
    assert_eq!((unit.0.as_str(), unit.1.as_str()), ("unit", "°C"));
    assert_eq!(first.properties.message_expiry_interval(), None);
    let second = &database.messages[second];
    assert_eq!((second.topic.as_str(), &second.payload[..]), ("other", &[0, 1, 2][..]));
    assert_eq!((second.expires_at_s, second.qos), (None, QoS::AtMostOnce));
}

/// Writes files as other machines and versions do.
struct Writer {
    version: u32,
    big_endian: bool,
    /// What a structure with a number of eight bytes is padded to a multiple of.
    alignment: usize,
    file: Vec<u8>,
}

impl Writer {
    fn new(version: u32, big_endian: bool, alignment: usize) -> Self {
        let mut file = MAGIC.to_vec();
        file.extend([0; 4]);
        file.extend(version.to_be_bytes());
        let mut writer = Self { version, big_endian, alignment, file };
        let mut config = writer.native(7);
        config.extend([1, 8]);
        writer.padded_chunk(1, config, alignment, &[]);
        writer
    }

    fn native(&self, number: u64) -> Vec<u8> {
        if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }.to_vec()
    }

    fn chunk(&mut self, kind: u32, parts: &[&[u8]]) {
        let contents = parts.concat();
        self.file.extend(kind.to_be_bytes());
        self.file.extend(u32::try_from(contents.len()).unwrap().to_be_bytes());
        self.file.extend(contents);
    }

    fn padded_chunk(&mut self, kind: u32, mut fixed: Vec<u8>, alignment: usize, texts: &[&str]) {
        fixed.resize(fixed.len().next_multiple_of(alignment), 0xee);
        self.chunk(kind, &[&fixed, texts.concat().as_bytes()]);
    }

    fn message(&mut self, number: u64, expiry_s: u64, topic: &str, payload: &str, tail: &[u8]) {
        let mut fixed = self.native(number);
        fixed.extend(self.native(expiry_s));
        fixed.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
        for short in [0, 2, 2, topic.len(), 1883] {
            fixed.extend(u16::try_from(short).unwrap().to_be_bytes());
        }
        fixed.extend([1, 1]);
        let texts = ["id", "me", topic, payload].concat();
        self.chunk(2, &[&fixed, texts.as_bytes(), tail]);
    }

    fn client(&mut self, id: &str, username: &str, expiry_s: u64) {
        let mut fixed = self.native(expiry_s);
        fixed.extend(3600_u32.to_be_bytes());
        for short in [9, id.len()] {
            fixed.extend(u16::try_from(short).unwrap().to_be_bytes());
        }
        if self.version >= 6 {
            fixed.extend(1883_u16.to_be_bytes());
            fixed.extend(u16::try_from(username.len()).unwrap().to_be_bytes());
        }
        let username = if self.version >= 6 { username } else { "" };
        self.padded_chunk(6, fixed, self.alignment, &[id, username]);
    }

    fn delivery(&mut self, number: u64, id: &str, packet_id: u16, bytes: [u8; 4]) {
        let mut fixed = self.native(number);
        fixed.extend(packet_id.to_be_bytes());
        fixed.extend(u16::try_from(id.len()).unwrap().to_be_bytes());
        fixed.extend(bytes);
        self.chunk(3, &[&fixed, id.as_bytes()]);
    }

    fn subscription(&mut self, id: &str, filter: &str, qos: u8) {
        let mut fixed = 5_u32.to_be_bytes().to_vec();
        for text in [id, filter] {
            fixed.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        }
        fixed.extend([qos, 0]);
        self.padded_chunk(5, fixed, self.alignment.min(4), &[id, filter]);
    }

    fn retained(&mut self, number: u64) {
        let number = self.native(number);
        self.chunk(4, &[&number]);
    }

    /// One of each.
    fn all(mut self) -> Self {
        self.message(3, 1_800_000_000, "a/b", "hello", &[2, 1, 1]);
        self.client("c", "ana", 1_800_003_600);
        self.delivery(3, "c", 8, [1, 3, 0x11, 1]);
        self.delivery(3, "c", 8, [2, 7, 0, 0]);
        self.subscription("c", "a/#", 1);
        self.retained(3);
        self
    }
}

#[test]
fn files_of_other_machines_and_versions_say_the_same() {
    for version in [5, 6] {
        for big_endian in [false, true] {
            for alignment in [2, 4, 8] {
                let what = format!("version {version}, {big_endian}, {alignment}");
                let writer = Writer::new(version, big_endian, alignment).all();
                let database = read(&writer.file[..]).unwrap();
                assert_eq!(database.left_out, LeftOut::default(), "{what}");
                let [client] = &database.clients[..] else { panic!("{what}") };
                assert_eq!(client.id, *"c", "{what}");
                let username = (version == 6).then_some("ana");
                assert_eq!(client.username.as_deref(), username, "{what}");
                assert_eq!(client.expires_at_s, Some(1_800_003_600), "{what}");
                assert_eq!((client.expiry_interval_s, client.last_packet_id), (3600, 9));
                assert_eq!(client.subscriptions[0].filter, *"a/#", "{what}");
                assert_eq!(client.outgoing[0].stage, Stage::Published(id(8)), "{what}");
                assert_eq!(client.incoming[0].packet_id, id(8), "{what}");
                let message = &database.messages[&database.retained[0]];
                assert_eq!(message.expires_at_s, Some(1_800_000_000), "{what}");
                assert_eq!((message.topic.as_str(), &message.payload[..]), ("a/b", &b"hello"[..]));
                assert_eq!(message.properties.payload_format_indicator(), Some(true));
            }
        }
    }
}

#[test]
fn a_user_name_that_stood_in_memory_is_none() {
    let mut writer = Writer::new(6, false, 8);
    writer.client("a", "ana", 0);
    writer.client("b", "ana\0\u{1}\u{2}…", 0);
    let database = read(&writer.file[..]).unwrap();
    let names = database.clients.iter().map(|client| client.username.as_deref());
    assert_eq!(names.collect::<Vec<_>>(), [Some("ana"), None]);
    assert_eq!(database.left_out, LeftOut::default());
}

#[test]
fn what_makes_no_sense_is_left_and_told() {
    let mut writer = Writer::new(6, false, 8).all();
    let begin = writer.file.len();
    writer.message(3, 0, "a/b", "", &[]);
    writer.message(4, 0, "a/+", "", &[]);
    writer.message(5, 0, "a/c", "", &[9, 1]);
    writer.client("c", "", 0);
    writer.client("", "", 0);
    writer.delivery(3, "c", 8, [2, 5, 0, 1]);
    writer.delivery(3, "c", 0, [1, 3, 0, 1]);
    writer.delivery(3, "c", 1, [1, 7, 0, 1]);
    writer.delivery(3, "c", 1, [3, 7, 0, 0]);
    writer.delivery(3, "c", 1, [1, 7, 0, 0]);
    writer.delivery(4, "c", 1, [1, 11, 0, 1]);
    writer.delivery(3, "d", 1, [1, 11, 0, 1]);
    writer.subscription("c", "a/#/b", 1);
    writer.subscription("c", "b", 3);
    writer.subscription("d", "b", 1);
    writer.retained(4);
    writer.chunk(9, &[b"?"]);
    let database = read(&writer.file[..]).unwrap();
    let left = |what, why, at| (what, why, at);
    use Why as W;
    let mut wanted = vec![
        left(What::Message, W::Twice, 1),
        left(What::Message, W::Topic, 1),
        left(What::Message, W::Properties, 1),
        left(What::Session, W::Twice, 1),
        left(What::Session, W::ClientId, 1),
        left(What::Delivery, W::PacketIdTwice, 1),
        left(What::Delivery, W::PacketId, 1),
        left(What::Delivery, W::State, 1),
        left(What::Arrival, W::QoS, 1),
        left(What::Arrival, W::SentAgain, 1),
        left(What::Delivery, W::NoMessage, 1),
        left(What::Delivery, W::NoSession, 1),
        left(What::Subscription, W::Filter, 1),
        left(What::Subscription, W::QoS, 1),
        left(What::Subscription, W::NoSession, 1),
        left(What::Retained, W::NoMessage, 1),
        left(What::Part, W::UnknownKind, 1),
    ];
    wanted.sort();
    assert_eq!(database.left_out.counts().collect::<Vec<_>>(), wanted);
    let sentences: Vec<_> = database.left_out.sentences().collect();
    let first = format!("1 message: the file has another with the same name (at byte {begin})");
    assert!(sentences.contains(&first), "{sentences:?}");
    // All that makes sense is there nevertheless.
    assert_eq!(database.clients.len(), 1);
    assert_eq!(database.retained.len(), 1);
}

#[test]
fn a_file_that_is_none_is_refused_with_what_to_do() {
    let good = Writer::new(6, false, 8).all().file;
    let with = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    };
    let version = |version: u32| Writer::new(version, false, 8).file;
    let mut long = good.clone();
    long.extend([0, 0, 0, 2, 0x40, 0, 0, 0]);
    for (file, says) in [
        (Vec::new(), "the file is empty"),
        (b"not a database".to_vec(), "it begins with \"not a database\""),
        (version(4), "byte 19: the file has version 4"),
        (version(4), "start Mosquitto 2 with it"),
        (version(7), "byte 19: the file has version 7"),
        (with(40, &[4]), "byte 23: message numbers have 4 bytes"),
        (good[..20].to_vec(), "byte 19: the file ends inside the head of the file"),
        (good[..50].to_vec(), "byte 47: the file ends inside the head of a chunk"),
        (good[..60].to_vec(), "byte 55: the file ends inside a message, which has 47 bytes"),
        (good[..good.len() - 1].to_vec(), "inside a retained message"),
        (with(55 + 8 + 8, &[0xff; 4]), "byte 47: what is in a message of 47 bytes is longer"),
        (long, "a message claims to have 1073741824 bytes"),
    ] {
        let told = read(&file[..]).err().map(|error| error.to_string());
        assert!(told.as_ref().is_some_and(|told| told.contains(says)), "{says}: {told:?}");
    }
}

/// Whatever the bytes, reading ends with an answer, and a claimed length costs nothing.
#[test]
fn no_bytes_are_too_odd() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let seeds =
        [SAVED.to_vec(), Writer::new(5, true, 4).all().file, Writer::new(6, false, 8).all().file];
    let mut answers = [0_u32; 2];
    for round in 0..20_000 {
        let mut file = random.choice(&seeds).unwrap().clone();
        for _ in 0..random.usize(1..8) {
            // What stands before the chunks is left alone more often than not.
            let begin = if random.u8(..) == 0 { 0 } else { 23 };
            if file.len() <= begin {
                break;
            }
            let at = random.usize(begin..file.len());
            match random.u8(0..4) {
                0 => file[at] = random.u8(..),
                1 => file[at] ^= 1 << random.u8(0..8),
                2 => file.truncate(at),
                _ => {
                    let from = random.usize(begin..file.len());
                    let len = random.usize(0..40).min(file.len() - from);
                    let piece = file[from..from + len].to_vec();
                    file.splice(at..at, piece);
                }
            }
        }
        let answer = std::panic::catch_unwind(|| match read(&file[..]) {
            Ok(database) => {
                assert!(database.clients.len() < file.len());
                database.left_out.sentences().for_each(drop);
                0
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                1
            }
        });
        let answer = answer.unwrap_or_else(|_| panic!("seed {seed}, round {round}"));
        answers[answer] += 1;
    }
    assert!(answers.into_iter().all(|count| count > 100), "{answers:?}, seed {seed}");
}
