//! Mosquitto's state moved over: Mosquitto runs, is stopped in the middle of everything, its file is
//! imported, and the clients that come back to this broker go on as if nothing had happened.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use tests::broker::bare_command;
use tests::mosquitto::{Subscriber, message};
use tests::ports::free_port;
use tests::program::{Signal, Stream};
use tests::wire::{self, Client, Connect, Packet, first_byte, packet, prefixed};
use tests::{Broker, PATIENCE, POLL_INTERVAL, Program, Version};

/// Mosquitto, with a folder in which it saves its state.
struct Mosquitto {
    program: Program,
    folder: tempfile::TempDir,
    port: u16,
}

impl Mosquitto {
    /// Starts it; `words` are further lines of its configuration.
    #[track_caller]
    fn start(words: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let config = folder.path().join("mosquitto.conf");
        let location = folder.path().display();
        let text = format!(
            "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n\
             persistence_location {location}/\n{words}\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut program =
            Program::start("mosquitto", Command::new("mosquitto").arg("-v").arg("-c").arg(config));
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(!program.has_ended(), "it ended instead of listening on port {port}");
            assert!(Instant::now() < deadline, "nothing answers on port {port}");
            std::thread::sleep(POLL_INTERVAL);
        }
        Self { program, folder, port }
    }

    #[track_caller]
    fn connect(&self, connect: &Connect<'_>) -> Client {
        let mut client = Client::open(self.port);
        client.connect(connect);
        client
    }

    /// Stops it, which has it save its state.
    #[track_caller]
    fn stop(mut self) -> Saved {
        self.program.signal(Signal::TERM);
        assert!(self.program.wait_exit().success());
        let file = self.folder.path().join("mosquitto.db");
        assert!(file.exists(), "Mosquitto has saved its state");
        Saved { file, store: self.folder.path().join("store"), _folder: self.folder }
    }
}

/// What Mosquitto has saved, and the folder that it is imported into.
struct Saved {
    file: PathBuf,
    store: PathBuf,
    _folder: tempfile::TempDir,
}

impl Saved {
    /// Runs `ws-broker import` with these arguments besides: its status, what it says, and its complaint.
    #[track_caller]
    fn import(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        import(&self.file, &self.store, arguments)
    }

    /// Runs `ws-broker import` with a configuration that has no persistence.
    #[track_caller]
    fn import_with(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let config = self.file.with_extension("conf");
        std::fs::write(&config, "user root\nlistener 1883 127.0.0.1\n").unwrap();
        let mut command = bare_command();
        command.arg("import").args(arguments).arg("-c").arg(config).arg(&self.file);
        finished(&mut command)
    }

    /// Imports all of it, and says what the import said.
    #[track_caller]
    fn imported(&self) -> String {
        let (status, said, complaint) = self.import(&[]);
        assert_eq!((status, complaint.as_str()), (Some(0), ""), "{said}");
        said
    }

    /// A broker that goes on with what was imported.
    #[track_caller]
    fn broker(&self) -> Broker {
        Self::broker_in(&self.store)
    }

    #[track_caller]
    fn broker_in(location: &Path) -> Broker {
        Broker::configured(|ports| {
            format!(
                "listener {} 127.0.0.1\nallow_anonymous true\npersistence true\n\
                 persistence_location {}\n",
                ports.mqtt,
                location.display()
            )
        })
    }
}

#[track_caller]
fn import(file: &Path, store: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    // Started by root it would become another user, who can't write where root's tests do.
    let config = file.with_file_name("import.conf");
    std::fs::write(&config, "user root\n").unwrap();
    let mut command = bare_command();
    command.arg("import").args(arguments).arg("-c").arg(config).arg("--into").arg(store).arg(file);
    finished(&mut command)
}

#[track_caller]
fn finished(command: &mut Command) -> (Option<i32>, String, String) {
    let mut program = Program::start("ws-broker import", command);
    let status = program.wait_exit();
    (status.code(), program.text(Stream::Out), program.text(Stream::Err))
}

/// Session Expiry Interval.
fn session_expiry(seconds: u32) -> Vec<u8> {
    [&[0x11][..], &seconds.to_be_bytes()].concat()
}

/// PUBLISH in MQTT 5.0 with properties.
fn publish_v5(topic: &str, flags: u8, id: u16, properties: &[u8], payload: &[u8]) -> Vec<u8> {
    let id = if flags & 0b0110 == 0 { Vec::new() } else { id.to_be_bytes().to_vec() };
    let properties = Version::V5.properties(properties);
    let body = [&prefixed(topic)[..], &id, &properties, payload].concat();
    packet(first_byte::PUBLISH | flags, &body)
}

const RETAIN: u8 = 0b0001;
const QOS_1: u8 = 0b0010;
const QOS_2: u8 = 0b0100;
const DUP: u8 = 0b1000;

/// SUBSCRIBE in MQTT 5.0, with an identifier; waits to be acknowledged.
#[track_caller]
fn subscribe_v5(client: &mut Client, filter: &str, options: u8, identifier: u8) {
    let properties = Version::V5.properties(&[0x0B, identifier]);
    let body = [&1_u16.to_be_bytes()[..], &properties, &prefixed(filter), &[options]].concat();
    client.send(&packet(first_byte::SUBSCRIBE, &body));
    assert_eq!(client.receive().first_byte, first_byte::SUBACK);
}

fn ack(first_byte: u8, id: u16) -> Vec<u8> {
    packet(first_byte, &id.to_be_bytes())
}

/// Sends a packet and waits for the answer, which has to be this one.
#[track_caller]
fn exchange(client: &mut Client, packet: &[u8], answer: u8, id: u16) {
    client.send(packet);
    expect(client, answer, id);
}

/// Waits for an acknowledgement, which has to be this one and to tell of success.
#[track_caller]
fn expect(client: &mut Client, first_byte: u8, id: u16) {
    let packet = client.receive();
    assert_eq!(packet.first_byte, first_byte, "{packet:?}");
    assert_eq!(packet.body[..2], id.to_be_bytes(), "{packet:?}");
    assert!(packet.body.get(2).is_none_or(|reason| *reason == 0), "{packet:?}");
}

/// Publishes with QoS 2, all of the exchange.
#[track_caller]
fn publish_twice_acknowledged(client: &mut Client, topic: &str, id: u16, payload: &[u8]) {
    exchange(client, &publish_v5(topic, QOS_2, id, &[], payload), first_byte::PUBREC, id);
    exchange(client, &ack(first_byte::PUBREL, id), first_byte::PUBCOMP, id);
}

/// A PUBLISH that arrived in MQTT 5.0.
#[derive(Debug, PartialEq, Eq)]
struct Arrived {
    flags: u8,
    topic: String,
    id: u16,
    properties: Vec<u8>,
    payload: Vec<u8>,
}

#[track_caller]
fn arrived(client: &mut Client) -> Arrived {
    let Packet { first_byte, body } = client.receive();
    assert_eq!(first_byte & 0xF0, first_byte::PUBLISH, "a PUBLISH was expected: {body:02X?}");
    let flags = first_byte & 0x0F;
    let (topic, mut rest) = body[2..].split_at(usize::from(body[1]));
    let mut id = 0;
    if flags & 0b0110 != 0 {
        id = u16::from_be_bytes([rest[0], rest[1]]);
        rest = &rest[2..];
    }
    let (properties, payload) = rest[1..].split_at(usize::from(rest[0]));
    Arrived {
        flags,
        topic: String::from_utf8(topic.to_vec()).unwrap(),
        id,
        properties: properties.to_vec(),
        payload: payload.to_vec(),
    }
}

/// Waits for a PUBLISH with this flags, identifier and payload.
#[track_caller]
fn expect_publish(client: &mut Client, flags: u8, id: u16, payload: &str) -> Arrived {
    let arrived = arrived(client);
    let told = (arrived.flags, arrived.id, String::from_utf8_lossy(&arrived.payload));
    assert_eq!(told, (flags, id, payload.into()), "{arrived:?}");
    arrived
}

/// CONNECT of a session that stays for an hour.
fn staying<'a>(client_id: &'a str, properties: &'a [u8]) -> Connect<'a> {
    Connect { clean: false, properties, ..Connect::new(Version::V5, client_id) }
}

/// The properties of a reading: how long it is of use, what it is, and its unit.
fn properties_of_a_reading() -> (Vec<u8>, Vec<u8>) {
    let expiry = [&[0x02][..], &2_000_000_000_u32.to_be_bytes()].concat();
    let content_type = [&[0x03][..], &prefixed("text/plain")].concat();
    let unit = [&[0x26][..], &prefixed("unit"), &prefixed("°C")].concat();
    (expiry, [content_type, unit].concat())
}

#[test]
fn clients_go_on_in_the_middle_of_every_exchange() {
    let hour = session_expiry(3600);
    let mosquitto = Mosquitto::start("max_inflight_messages 3");
    let mut publisher = mosquitto.connect(&Connect::new(Version::V5, "publisher"));

    // One who was sent three messages, of which it has answered one half, and for whom two more wait.
    let mut reader =
        mosquitto.connect(&Connect { username: Some("pepe"), ..staying("reader", &hour) });
    const NO_LOCAL_AND_AS_PUBLISHED: u8 = 0b1100;
    subscribe_v5(&mut reader, "home/#", 2 | NO_LOCAL_AND_AS_PUBLISHED, 77);
    let (expiry, other_properties) = properties_of_a_reading();
    let properties = [expiry, other_properties.clone()].concat();
    let reading = publish_v5("home/hall", QOS_1 | RETAIN, 1, &properties, b"20.5");
    exchange(&mut publisher, &reading, first_byte::PUBACK, 1);
    expect_publish(&mut reader, QOS_1 | RETAIN, 1, "20.5");
    publish_twice_acknowledged(&mut publisher, "home/lamp", 2, b"on");
    expect_publish(&mut reader, QOS_2, 2, "on");
    publish_twice_acknowledged(&mut publisher, "home/lamp", 3, b"off");
    expect_publish(&mut reader, QOS_2, 3, "off");
    exchange(&mut reader, &ack(first_byte::PUBREC, 3), first_byte::PUBREL, 3);
    drop(reader);
    // One of an older version, who was away all the time.
    let mut old =
        mosquitto.connect(&Connect { clean: false, ..Connect::new(Version::V311, "old") });
    old.subscribe("home/+");
    old.receive_publication();
    old.send(&wire::DISCONNECT);
    assert_eq!(old.receive_or_closed(PATIENCE), None);
    publish_twice_acknowledged(&mut publisher, "home/door", 4, b"open");
    publish_twice_acknowledged(&mut publisher, "home/door", 5, b"shut");
    // One who was told that its message has arrived, and one who was not told yet.
    let mut sender = mosquitto.connect(&staying("sender", &hour));
    let begun = publish_v5("home/gate", QOS_2 | RETAIN, 10, &[0x01, 1], b"up");
    exchange(&mut sender, &begun, first_byte::PUBREC, 10);
    let begun_too = publish_v5("home/gate", QOS_2, 11, &[], b"half way down");
    exchange(&mut sender, &begun_too, first_byte::PUBREC, 11);
    drop(sender);

    let saved = mosquitto.stop();
    let said = saved.imported();
    for line in [
        "3 sessions",
        "2 subscriptions",
        "2 retained messages",
        "3 messages on their way to clients",
        "2 messages that waited for their PUBREL",
    ] {
        assert!(said.lines().any(|said| said.trim().starts_with(line)), "{line}: {said}");
    }
    let broker = saved.broker();

    // The reader gets again what it did not answer, and then what waited, each by its identifier.
    let mut reader = Client::open(broker.ports.mqtt);
    let connack = reader.connect(&staying("reader", &hour));
    assert_eq!(connack.body[0], 1, "the session is there");
    let first = expect_publish(&mut reader, QOS_1 | RETAIN | DUP, 1, "20.5");
    let (identifier, rest) = properties_found(&first.properties);
    assert_eq!((identifier, rest), (Some(77), sorted(&other_properties)), "{first:?}");
    expect_publish(&mut reader, QOS_2 | DUP, 2, "on");
    expect(&mut reader, first_byte::PUBREL, 3);
    let waited = [
        ("open", QOS_2, 4),
        ("shut", QOS_2, 5),
        ("up", QOS_2 | RETAIN, 6),
        ("half way down", QOS_2, 7),
    ];
    for (payload, flags, id) in waited {
        let waited = expect_publish(&mut reader, flags, id, payload);
        assert_eq!(properties_found(&waited.properties).0, Some(77), "{waited:?}");
    }
    reader.send(&ack(first_byte::PUBACK, 1));
    reader.send(&ack(first_byte::PUBCOMP, 3));
    for id in [2, 4, 5, 6, 7] {
        exchange(&mut reader, &ack(first_byte::PUBREC, id), first_byte::PUBREL, id);
        reader.send(&ack(first_byte::PUBCOMP, id));
    }

    // The older one gets what waited for it.
    let mut old = Client::open(broker.ports.mqtt);
    let connack = old.connect(&Connect { clean: false, ..Connect::new(Version::V311, "old") });
    assert_eq!(connack.body[0], 1, "the session is there");
    for payload in ["open", "shut", "up", "half way down"] {
        assert_eq!(old.receive_publication().1, payload.as_bytes());
    }

    // The sender ends the one exchange, and begins the other once more: nobody gets anything twice.
    let mut sender = Client::open(broker.ports.mqtt);
    assert_eq!(sender.connect(&staying("sender", &hour)).body[0], 1, "the session is there");
    exchange(&mut sender, &ack(first_byte::PUBREL, 10), first_byte::PUBCOMP, 10);
    let again = publish_v5("home/gate", QOS_2 | DUP, 11, &[], b"half way down");
    exchange(&mut sender, &again, first_byte::PUBREC, 11);
    exchange(&mut sender, &ack(first_byte::PUBREL, 11), first_byte::PUBCOMP, 11);
    // The next thing that the others get is what comes after it.
    let mut publisher = broker.connect(Version::V5, "publisher");
    publish_twice_acknowledged(&mut publisher, "home/after", 1, b"that was all");
    expect_publish(&mut reader, QOS_2, 8, "that was all");
    assert_eq!(old.receive_publication().1, b"that was all");

    // Whoever subscribes now gets what is retained.
    let mut late = Subscriber::start(&broker, Version::V5, &["-t", "home/#"]);
    let mut retained = [late.next_message(), late.next_message()];
    retained.sort_by(|one, other| one.topic.cmp(&other.topic));
    let [gate, hall] = retained;
    let properties = &gate.properties;
    assert_eq!(
        (gate.topic.as_str(), &gate.payload[..], gate.retain),
        ("home/gate", &b"up"[..], true)
    );
    assert_eq!(properties.payload_format_indicator, "1");
    let properties = &hall.properties;
    assert_eq!(
        (hall.topic.as_str(), &hall.payload[..], hall.retain),
        ("home/hall", &b"20.5"[..], true)
    );
    assert_eq!(
        (properties.content_type.as_str(), properties.user_properties.as_str()),
        ("text/plain", "unit:°C")
    );
    let left: u32 = properties.message_expiry_interval.parse().unwrap();
    assert!((1_999_990_000..=2_000_000_000).contains(&left), "{left}");
}

/// The Subscription Identifier among properties, and those that do not count time, in order.
fn properties_found(mut properties: &[u8]) -> (Option<u8>, Vec<Vec<u8>>) {
    let mut identifier = None;
    let mut rest = Vec::new();
    while let [id, value @ ..] = properties {
        let text = |value: &[u8]| 2 + usize::from(u16::from_be_bytes([value[0], value[1]]));
        let len = match id {
            0x01 => 1,
            0x02 => 4,
            0x03 => text(value),
            0x0B => 1,
            0x26 => text(value) + text(&value[text(value)..]),
            _ => panic!("an unexpected property {id:#04X}"),
        };
        match id {
            0x0B => identifier = Some(value[0]),
            0x02 => {}
            _ => rest.push(properties[..=len].to_vec()),
        }
        properties = &properties[1 + len..];
    }
    rest.sort();
    (identifier, rest)
}

fn sorted(properties: &[u8]) -> Vec<Vec<u8>> {
    properties_found(properties).1
}

#[test]
fn mosquittos_own_clients_get_what_waited_for_them() {
    let mosquitto = Mosquitto::start("queue_qos0_messages true");
    let port = mosquitto.port.to_string();
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(["-h", "127.0.0.1", "-p", &port, "-q", "1"]).args(arguments);
        Program::start(program, &mut command).wait_success();
    };
    run("mosquitto_sub", &["-c", "-i", "away", "-t", "home/#", "-E"]);
    run("mosquitto_sub", &["-c", "-i", "sharing", "-t", "$share/g/home/#", "-E"]);
    for reading in ["1", "2", "3"] {
        run("mosquitto_pub", &["-t", "home/count", "-m", reading, "-r"]);
    }
    run("mosquitto_pub", &["-t", "home/fleeting", "-m", "quiet", "-q", "0"]);
    let saved = mosquitto.stop();

    let said = saved.imported();
    for line in [
        "2 sessions",
        "1 subscription",
        "1 retained message",
        "6 messages that wait for clients",
        "2 messages for clients: what is delivered with QoS 0 is not stored",
        "Mosquitto 2.0 does not save shared subscriptions",
    ] {
        assert!(said.lines().any(|said| said.trim().starts_with(line)), "{line}: {said}");
    }
    let broker = saved.broker();
    for client_id in ["away", "sharing"] {
        let arguments = ["-c", "-i", client_id, "-q", "1", "-t", "another"];
        let mut subscriber = Subscriber::start(&broker, Version::V311, &arguments);
        let got = subscriber.messages(&broker, 3);
        assert_eq!(got, ["1", "2", "3"].map(|reading| message("home/count", reading, 1)));
    }
}

/// What Mosquitto saves of one session with one subscription, and one retained message.
#[track_caller]
fn small_state() -> Saved {
    let mosquitto = Mosquitto::start("");
    let connect = Connect { clean: false, ..Connect::new(Version::V311, "one") };
    let mut one = mosquitto.connect(&connect);
    one.subscribe("home/#");
    one.send(&packet(first_byte::PUBLISH | RETAIN, &[&prefixed("home/lamp")[..], b"on"].concat()));
    assert_eq!(one.receive_publication().1, b"on");
    mosquitto.stop()
}

#[track_caller]
fn is_refused((status, said, complaint): (Option<i32>, String, String), why: &str) {
    assert_eq!((status, said.as_str()), (Some(1), ""), "{complaint}");
    assert!(complaint.starts_with("Error: ") && complaint.contains(why), "{why}: {complaint}");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
}

#[test]
fn a_store_is_never_overwritten() {
    let saved = small_state();
    saved.imported();
    let store = std::fs::read_dir(&saved.store).unwrap().next().unwrap().unwrap();
    let mode = store.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "what clients said is nobody else's to read");
    is_refused(saved.import(&[]), "already (sessions: 1, retained messages: 1)");
    let broker = saved.broker();
    // Whoever is connected knows that the broker has its store.
    let mut one = broker.connect(Version::V311, "publisher");
    is_refused(saved.import(&["--merge"]), "is in use");
    // What happens here is newer than the file.
    one.send(&packet(first_byte::PUBLISH | RETAIN, &[&prefixed("home/lamp")[..], b"off"].concat()));
    one.ping();
    assert!(broker.stop().success());
    let (status, said, complaint) = saved.import(&["--merge"]);
    assert_eq!((status, complaint.as_str()), (Some(0), ""));
    for left in ["1 session: the store has its own", "1 retained message: the store has its own"] {
        assert!(said.contains(left), "{left}: {said}");
    }
    let broker = saved.broker();
    let connect = Connect { clean: false, ..Connect::new(Version::V311, "one") };
    let mut one = Client::open(broker.ports.mqtt);
    assert_eq!(one.connect(&connect).body[0], 1, "the session is there");
    let mut late = Subscriber::start(&broker, Version::V5, &["-t", "home/#"]);
    assert_eq!(late.next_message(), message("home/lamp", "off", 0).retained());
}

#[test]
fn what_can_not_be_imported_changes_nothing() {
    let saved = small_state();
    let whole = std::fs::read(&saved.file).unwrap();
    let (status, said, _) = saved.import_with(&["--dry-run"]);
    assert!(status == Some(0) && said.contains("To be imported from"), "{said}");
    is_refused(saved.import_with(&[]), "is not imported");
    let broken = saved.file.with_extension("broken");
    std::fs::write(&broken, &whole[..whole.len() - 3]).unwrap();
    is_refused(import(&broken, &saved.store, &[]), "have Mosquitto save it again");
    std::fs::write(&broken, b"").unwrap();
    is_refused(import(&broken, &saved.store, &[]), "the file is empty");
    is_refused(import(&saved.file.with_extension("none"), &saved.store, &[]), "No such file");
    assert!(!saved.store.exists(), "nothing was written");
    let said = saved.imported();
    assert!(said.contains("1 retained message\n"), "{said}");
}

#[test]
fn a_broker_that_finds_mosquittos_state_says_what_to_do() {
    let saved = small_state();
    let location = saved.file.parent().unwrap();
    let broker = Saved::broker_in(location);
    broker.wait_for_log("Mosquitto has left its state in", &["`ws-broker import`"]);
    assert!(broker.stop().success());
    // One configuration leads to both.
    let config = location.join("both.conf");
    let text =
        format!("user root\npersistence true\npersistence_location {}\n", location.display());
    std::fs::write(&config, text).unwrap();
    let (status, said, complaint) = finished(bare_command().arg("import").arg("-c").arg(config));
    assert_eq!((status, complaint.as_str()), (Some(0), ""), "{said}");
    let broker = Saved::broker_in(location);
    let connect = Connect { clean: false, ..Connect::new(Version::V311, "one") };
    assert_eq!(
        Client::open(broker.ports.mqtt).connect(&connect).body[0],
        1,
        "the session is there"
    );
    assert!(!broker.log().contains("Mosquitto has left its state"), "{}", broker.log());
}
