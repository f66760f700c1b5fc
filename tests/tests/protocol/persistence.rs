//! What a client finds when the broker was killed and is back: what was acknowledged, as if nothing had
//! happened.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use codec::{
    Ack, Disconnect, Packet, Properties, Property, Publish, QoS, ReasonCode, RetainHandling,
    SubscriptionOptions,
};
use tests::broker::run_file_until_it_ends;
use tests::program::Signal;
use tests::{Broker, PATIENCE};

use crate::client::*;

/// The levels at which what is acknowledged outlives the broker.
const LEVELS: [&str; 2] = ["os", "fsync"];

fn ack(packet_id: u16) -> Ack {
    Ack::new(id(packet_id), ReasonCode::Success)
}

/// A session and what waits for it, in its order, is there after a kill and after a stop, whatever the
/// version and the level.
/// [MQTT-4.1.0-1, MQTT-4.5.0-1]
#[test]
fn a_session_and_its_messages_outlive_the_broker() {
    for level in LEVELS {
        for signal in [Signal::KILL, Signal::TERM] {
            let mut broker = Broker::durable(level, "");
            for version in VERSIONS {
                let mut client =
                    Client::connect(&broker, persistent(version, &version.to_string()));
                client.subscribe_qos("t/#", ExactlyOnce);
                client.disconnect();
            }
            let mut publisher = Client::clean(&broker, V5, "publisher");
            publisher.publish("t/a", "first");
            publisher.publish_as(publish("t/a", "second", ExactlyOnce, 1));
            publisher.publish("t/b", "x".repeat(70_000));
            broker.stop_with(signal);
            broker.start_again();
            for version in VERSIONS {
                let connect = persistent(version, &version.to_string());
                let (mut client, connack) = Client::connect_and_look(&broker, connect);
                assert_eq!(connack.session_present, version != V31, "MQTT 3.1 does not say it");
                client.take("first");
                assert_eq!(client.take("second").qos, ExactlyOnce);
                assert_eq!(client.take_any().payload.len(), 70_000);
                client.expect_nothing();
            }
        }
    }
}

/// What waits for a client who is away lies in the store and not in memory, and comes in its order all the
/// same, before and after a kill.
#[test]
fn what_waits_for_who_is_away_takes_little_memory() {
    const MESSAGES: usize = 2_500;
    const BYTES: usize = 128 * 1024;
    let payload = |number: usize| number.to_string() + &"x".repeat(BYTES);
    let limits = "max_queued_messages 0\nmax_queued_bytes 0";
    let mut broker = Broker::durable("os", limits);
    let subscribers = ["now", "later"];
    for name in subscribers {
        let mut subscriber = Client::connect(&broker, persistent(V5, name));
        subscriber.subscribe_qos("t", AtLeastOnce);
        subscriber.disconnect();
    }
    let before_kib = broker.resident_kib();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    for number in 0..MESSAGES {
        publisher.publish("t", payload(number));
    }
    let growth_kib = broker.resident_kib().saturating_sub(before_kib);
    let all_kib = (MESSAGES * BYTES / 1024) as u64;
    assert!(growth_kib < all_kib / 2, "{all_kib} KiB wait, and take {growth_kib} KiB of memory");
    for name in subscribers {
        let mut subscriber = Client::connect(&broker, persistent(V5, name));
        for number in 0..MESSAGES {
            assert!(subscriber.take_any().payload == payload(number), "not message {number}");
        }
        subscriber.expect_nothing();
        broker.die_and_start_again();
    }
}

/// A message for so many that no worker gives it to all of its own in one turn is acknowledged once all have it:
/// those who are there and those who are away find it after a kill.
#[test]
fn what_very_many_get_is_acknowledged_when_all_have_it() {
    allow_many_files();
    const RECEIVERS: usize = 5_000;
    let name = |number: usize| format!("receiver {number}");
    let mut broker = Broker::durable("os", "");
    let mut there = Vec::new();
    for number in 0..RECEIVERS {
        let mut client = Client::connect(&broker, persistent(V5, &name(number)));
        client.subscribe_qos("t", AtLeastOnce);
        if number % 2 == 0 {
            there.push(client);
        } else {
            client.disconnect();
        }
    }
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let numbers = || (1..=10_u16).map(|number| (number, number.to_string()));
    publisher.send_all(
        numbers().map(|(id, payload)| Packet::Publish(publish("t", payload, AtLeastOnce, id))),
    );
    for (id, _) in numbers() {
        publisher.expect(Packet::PubAck(ack(id)));
    }
    broker.die_and_start_again();
    drop(there);
    for number in (0..RECEIVERS).step_by(50).chain((1..RECEIVERS).step_by(50)) {
        let mut client = Client::connect(&broker, persistent(V5, &name(number)));
        for (_, payload) in numbers() {
            client.take(&payload);
        }
        client.expect_nothing();
    }
}

/// A message in flight comes again under its Packet Identifier, with DUP, and a PUBREL as a PUBREL, in
/// their order and before all that waits.
/// [MQTT-3.3.1-1, MQTT-4.4.0-1, MQTT-4.6.0-1]
#[test]
fn messages_in_flight_go_on_where_they_were() {
    for version in [V311, V5] {
        let mut broker = Broker::durable("os", "max_inflight_messages 3");
        let mut client = Client::connect(&broker, persistent(version, "c"));
        client.subscribe_qos("t", ExactlyOnce);
        let mut publisher = Client::clean(&broker, V5, "publisher");
        publisher.publish("t", "one");
        publisher.publish_as(publish("t", "two", ExactlyOnce, 1));
        publisher.publish_as(publish("t", "three", ExactlyOnce, 1));
        publisher.publish("t", "waits");
        let sent: Vec<Publish> = (0..3).map(|_| client.receive_publish()).collect();
        let [one, two, three] = &sent[..] else { unreachable!() };
        let three_id = three.packet_id.unwrap();
        client.send(Packet::PubRec(Ack::new(three_id, ReasonCode::Success)));
        client.expect(Packet::PubRel(Ack::new(three_id, ReasonCode::Success)));

        broker.die_and_start_again();
        let (mut client, connack) = Client::connect_and_look(&broker, persistent(version, "c"));
        assert!(connack.session_present);
        for before in [one, two] {
            assert_eq!(client.receive_publish(), Publish { dup: true, ..before.clone() });
        }
        client.expect(Packet::PubRel(Ack::new(three_id, ReasonCode::Success)));
        client.send(Packet::PubComp(Ack::new(three_id, ReasonCode::Success)));
        // It may say that it was sent before: the broker can't know.
        assert_eq!(payload(&client.receive_publish()), "waits");
    }
}

/// A Packet Identifier of QoS 2 whose PUBREL has not come stands for the message that it stood for; once
/// PUBCOMP has come it is free.
/// [MQTT-4.3.3-10, MQTT-4.3.3-11, MQTT-4.3.3-12]
#[test]
fn a_message_of_qos_2_is_taken_once_across_a_death() {
    let mut broker = Broker::durable("os", "");
    let mut subscriber = Client::connect(&broker, persistent(V5, "subscriber"));
    subscriber.subscribe_qos("t", ExactlyOnce);
    subscriber.disconnect();
    let mut publisher = Client::connect(&broker, persistent(V5, "publisher"));
    let message = publish("t", "once", ExactlyOnce, 7);
    publisher.send(Packet::Publish(message.clone()));
    publisher.expect(Packet::PubRec(ack(7)));

    broker.die_and_start_again();
    let mut publisher = Client::connect(&broker, persistent(V5, "publisher"));
    publisher.send(Packet::Publish(Publish { dup: true, ..message }));
    publisher.expect(Packet::PubRec(ack(7)));
    publisher.send(Packet::PubRel(ack(7)));
    publisher.expect(Packet::PubComp(ack(7)));

    broker.die_and_start_again();
    let mut publisher = Client::connect(&broker, persistent(V5, "publisher"));
    publisher.send(Packet::Publish(publish("t", "another", ExactlyOnce, 7)));
    publisher.expect(Packet::PubRec(ack(7)));

    broker.die_and_start_again();
    let mut subscriber = Client::connect(&broker, persistent(V5, "subscriber"));
    subscriber.take("once");
    subscriber.take("another");
    subscriber.expect_nothing();
}

/// A subscription keeps its QoS, its options and its identifier; one that ended stays ended, and one that
/// was replaced stays replaced.
/// [MQTT-3.8.3-3, MQTT-3.8.4-3, MQTT-3.10.4-2]
#[test]
fn subscriptions_keep_all_their_options() {
    let mut broker = Broker::durable("os", "");
    let mut client = Client::connect(&broker, persistent(V5, "c"));
    let quiet = SubscriptionOptions {
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
        ..options(AtLeastOnce)
    };
    let with_id = |number| properties([Property::SubscriptionIdentifier(number)]);
    client.subscribe_all(&[("quiet", quiet)], with_id(70_000));
    client.subscribe_qos("replaced", ExactlyOnce);
    client.subscribe_id("replaced", AtMostOnce, 2);
    client.subscribe_qos("ended", AtLeastOnce);
    client.unsubscribe(&["ended"]);
    client.subscribe_id("$share/group/shared/+", AtLeastOnce, 3);

    broker.die_and_start_again();
    let mut client = Client::connect(&broker, persistent(V5, "c"));
    client.expect_nothing();
    let mut other = Client::clean(&broker, V5, "other");
    client.publish("quiet", "of its own");
    client.publish("ended", "for nobody");
    other.publish("ended", "for nobody");
    client.expect_nothing();

    other.publish_as(retained("quiet", "kept", ExactlyOnce));
    let quiet = client.take("kept");
    assert_eq!((quiet.qos, quiet.retain), (AtLeastOnce, true));
    assert_eq!(quiet.properties.subscription_identifier(), Some(70_000));

    other.publish_as(publish("replaced", "lower", ExactlyOnce, 1));
    let replaced = client.take("lower");
    assert_eq!(replaced.qos, AtMostOnce);
    assert_eq!(replaced.properties.subscription_identifier(), Some(2));

    other.publish("shared/x", "for one");
    assert_eq!(client.take("for one").properties.subscription_identifier(), Some(3));
}

/// Retained messages are there with all their properties, replaced ones replaced and removed ones
/// removed.
/// [MQTT-3.3.1-5, MQTT-3.3.1-6]
#[test]
fn retained_messages_outlive_the_broker() {
    let mut broker = Broker::durable("os", "");
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let with = properties([
        Property::ContentType(text("text/plain")),
        Property::UserProperty(text("unit"), text("°C")),
        Property::CorrelationData("42".into()),
    ]);
    publisher
        .publish_as(Publish { properties: with.clone(), ..retained("a", "21.5", AtLeastOnce) });
    publisher.publish_as(retained("b", "old", ExactlyOnce));
    publisher.publish_as(retained("b", "new", ExactlyOnce));
    publisher.publish_as(retained("c", "goes", AtLeastOnce));
    publisher.publish_as(retained("c", "", AtLeastOnce));

    broker.die_and_start_again();
    let mut client = Client::clean(&broker, V5, "c");
    client.subscribe_qos("a", ExactlyOnce);
    let kept = client.take("21.5");
    assert_eq!((kept.retain, kept.qos, kept.properties), (true, AtLeastOnce, with));
    client.subscribe_qos("b", ExactlyOnce);
    client.take("new");
    client.subscribe_qos("c", ExactlyOnce);
    client.expect_nothing();
}

/// A new subscription gets its retained messages though the broker dies while they are on their way, and once
/// it has them it does not get them again.
/// [MQTT-3.3.1-9]
#[test]
fn retained_messages_on_their_way_go_on() {
    let mut broker = Broker::durable("os", "max_inflight_messages 1");
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let numbers: BTreeSet<u32> = (0..5).collect();
    for number in &numbers {
        let topic = format!("t/{number}");
        publisher.publish_as(retained(&topic, number.to_string(), AtLeastOnce));
    }
    let mut client = Client::connect(&broker, persistent(V5, "c"));
    client.subscribe_qos("t/+", AtLeastOnce);
    // While this one is not acknowledged there is no other.
    client.receive_publish();

    broker.die_and_start_again();
    let mut client = Client::connect(&broker, persistent(V5, "c"));
    let mut taken = BTreeSet::new();
    while taken != numbers {
        taken.insert(payload(&client.take_any()).parse().unwrap());
    }
    while !taken_until_ping(&mut client).is_empty() {}
    settle(&broker);

    broker.die_and_start_again();
    let mut client = Client::connect(&broker, persistent(V5, "c"));
    assert!(taken_until_ping(&mut client).is_empty());
}

/// The lifetime of a message goes on while the broker is away, for what waits and for what is retained.
/// [MQTT-3.3.2-5, MQTT-3.3.2-6]
#[test]
fn messages_expire_while_the_broker_is_away() {
    let mut broker = Broker::durable("os", "");
    let mut client = Client::connect(&broker, persistent(V5, "c"));
    client.subscribe_qos("t", AtLeastOnce);
    client.disconnect();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    for (payload, lifetime_s) in [("short", 2), ("long", 1000)] {
        for retain in [false, true] {
            let topic = if retain { payload } else { "t" };
            publisher.publish_as(Publish {
                retain,
                properties: properties([Property::MessageExpiryInterval(lifetime_s)]),
                ..publish(topic, payload, AtLeastOnce, 1)
            });
        }
    }
    broker.stop_with(Signal::KILL);
    let_pass(Duration::from_secs(3));
    broker.start_again();

    let mut client = Client::connect(&broker, persistent(V5, "c"));
    let left_s = |message: Publish| message.properties.message_expiry_interval().unwrap();
    let left = left_s(client.take("long"));
    assert!((1..=997).contains(&left), "{left} s are left");
    client.subscribe_qos("short", AtLeastOnce);
    client.expect_nothing();
    client.subscribe_qos("long", AtLeastOnce);
    let left = left_s(client.take("long"));
    assert!((1..=997).contains(&left), "{left} s are left");
}

/// A session expires while the broker is away, counted from when its client left, by what the client
/// said when it came or when it left.
/// [MQTT-3.1.2-23]
#[test]
fn sessions_expire_while_the_broker_is_away() {
    let mut broker = Broker::durable("os", "");
    let lasting = |seconds| [Property::SessionExpiryInterval(seconds)];
    for (name, comes_with, leaves_with) in [
        ("short", 2, None),
        ("long", 1000, None),
        ("longer", 2, Some(1000)),
        ("shorter", 1000, Some(2)),
    ] {
        let client = Client::connect(&broker, resuming(name, lasting(comes_with)));
        let with = leaves_with.map_or(Properties::EMPTY, |seconds| properties(lasting(seconds)));
        let goodbye = Disconnect { properties: with, ..Disconnect::new(ReasonCode::Success) };
        client.disconnect_with(goodbye);
    }
    let stays = Client::connect(&broker, resuming("stays", lasting(1000)));
    // A goodbye is not acknowledged. What is stored is stored in its order, and this is behind it.
    settle(&broker);
    broker.stop_with(Signal::KILL);
    drop(stays);
    let_pass(Duration::from_secs(4));
    broker.start_again();
    for (name, is_there) in
        [("short", false), ("long", true), ("longer", true), ("shorter", false), ("stays", true)]
    {
        let connect = resuming(name, lasting(1000));
        let (_, connack) = Client::connect_and_look(&broker, connect);
        assert_eq!(connack.session_present, is_there, "{name}");
    }
}

/// A session that was taken away by a clean start, or ended with its connection, does not come back.
/// [MQTT-3.1.2-4, MQTT-4.1.0-2]
#[test]
fn what_has_ended_does_not_come_back() {
    let mut broker = Broker::durable("os", "");
    for version in VERSIONS {
        let name = version.to_string();
        let mut client = Client::connect(&broker, persistent(version, &name));
        client.subscribe_qos("t", AtLeastOnce);
        client.disconnect();
        let mut transient = Client::clean(&broker, version, &format!("transient {name}"));
        transient.subscribe_qos("t", AtLeastOnce);
    }
    Client::clean(&broker, V5, "publisher").publish("t", "lost");
    for version in VERSIONS {
        drop(Client::clean(&broker, version, &version.to_string()));
    }
    broker.die_and_start_again();
    for version in VERSIONS {
        for name in [version.to_string(), format!("transient {version}")] {
            let (mut client, connack) =
                Client::connect_and_look(&broker, persistent(version, &name));
            assert!(!connack.session_present, "{name}");
            client.expect_nothing();
        }
    }
}

/// A will waits for the rest of its delay across a death, is published once, and not at all when its
/// client is back in time. The broker's own death ends connections too.
/// [MQTT-3.1.2-8, MQTT-3.1.3-9]
#[test]
fn wills_outlive_the_broker() {
    let mut broker = Broker::durable("os", "");
    let mut witness = Client::connect(&broker, persistent(V5, "witness"));
    witness.subscribe_qos("will/#", AtLeastOnce);
    let leaves = |name: &str, payload: &'static str, delay_s| {
        let will = codec::Will {
            properties: properties([Property::WillDelayInterval(delay_s)]),
            ..will(&format!("will/{name}"), payload)
        };
        codec::Connect { will: Some(will), ..persistent(V5, name) }
    };
    Client::connect(&broker, leaves("gone", "gone before", 2)).vanish();
    Client::connect(&broker, leaves("back", "back in time", 60)).vanish();
    Client::connect(&broker, leaves("polite", "never", 0)).disconnect();
    let online = Client::connect(&broker, leaves("online", "died with the broker", 0));
    let late = Client::connect(&broker, leaves("late", "back late", 60));
    settle(&broker);

    broker.die_and_start_again();
    drop((online, late));
    let mut witness = Client::connect(&broker, persistent(V5, "witness"));
    let _back = Client::connect(&broker, persistent(V5, "back"));
    let mut came = [witness.take_any(), witness.take_any()];
    came.sort_by_key(|message| message.payload.clone());
    assert_eq!(came.each_ref().map(payload), ["died with the broker", "gone before"]);
    // Its acknowledgements have been read before the answer to this.
    witness.expect_nothing();
    settle(&broker);

    broker.die_and_start_again();
    let mut witness = Client::connect(&broker, persistent(V5, "witness"));
    let_pass(Duration::from_secs(3));
    witness.expect_nothing();
}

/// A message to a group that nobody was there to take waits for the group, also across a death.
#[test]
fn what_waits_for_a_group_outlives_the_broker() {
    let mut broker = Broker::durable("os", "");
    for name in ["one", "two"] {
        let mut member = Client::connect(&broker, persistent(V5, name));
        member.subscribe_qos("$share/group/t", ExactlyOnce);
        member.disconnect();
    }
    let mut publisher = Client::clean(&broker, V5, "publisher");
    for number in 0..10 {
        publisher.publish_as(publish("t", number.to_string(), ExactlyOnce, 1));
    }
    broker.die_and_start_again();
    let mut members = ["one", "two"].map(|name| Client::connect(&broker, persistent(V5, name)));
    let mut came: Vec<u32> = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while came.len() < 10 && Instant::now() < deadline {
        for member in &mut members {
            came.extend(taken_until_ping(member));
        }
    }
    came.sort_unstable();
    assert_eq!(came, (0..10).collect::<Vec<_>>());
}

/// The numbers of the messages that wait for this client, each answered as its QoS wants.
fn taken_until_ping(client: &mut Client) -> Vec<u32> {
    client.send(Packet::PingReq);
    let mut taken = Vec::new();
    loop {
        match client.receive() {
            Packet::PingResp => return taken,
            packet => {
                client.answer(&packet);
                if let Packet::Publish(publish) = packet {
                    taken.push(payload(&publish).parse().unwrap());
                }
            }
        }
    }
}

/// Without persistence nothing is on disk, and nothing is there after a death.
#[test]
fn nothing_is_stored_without_persistence() {
    for words in ["persistence false", "durability none"] {
        let mut broker = Broker::durable("os", words);
        let mut client = Client::connect(&broker, persistent(V5, "c"));
        client.subscribe_qos("t", AtLeastOnce);
        client.disconnect();
        Client::clean(&broker, V5, "publisher").publish_as(retained("t", "kept", AtLeastOnce));
        assert_eq!(files(&broker.store()), [], "{words}");
        broker.die_and_start_again();
        let (mut client, connack) = Client::connect_and_look(&broker, persistent(V5, "c"));
        assert!(!connack.session_present, "{words}");
        client.subscribe_qos("t", AtLeastOnce);
        client.expect_nothing();
    }
}

/// A second broker on the same folder is refused, says why, and does the first one no harm.
#[test]
fn a_folder_belongs_to_one_broker() {
    let mut broker = Broker::durable("os", "");
    Client::clean(&broker, V5, "publisher").publish_as(retained("t", "kept", AtLeastOnce));
    let config = broker.folder().join("second.conf");
    let text = format!(
        "listener {} 127.0.0.1\ndashboard_port 0\nuser root\npersistence true\n\
         persistence_location {}/\n",
        tests::ports::free_port(),
        broker.store().display()
    );
    fs::write(&config, text).unwrap();
    let (status, said) = run_file_until_it_ends(&config, &[]);
    assert_ne!(status, Some(0));
    assert!(said.contains("in use") || said.contains("another"), "{said}");
    assert!(said.contains(&broker.store().display().to_string()), "{said}");

    broker.die_and_start_again();
    let mut client = Client::clean(&broker, V5, "c");
    client.subscribe_qos("t", AtLeastOnce);
    client.take("kept");
}

/// All files under a folder, and what is in them.
fn files(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

/// Waits until all that the broker has done so far is stored, also what it acknowledges to nobody. Each
/// worker stores in the order in which it does things, and connections go to the workers in turn: so it
/// takes a new session on each of them, whose CONNACK says that what came before is stored.
#[track_caller]
fn settle(broker: &Broker) {
    static SETTLED: AtomicUsize = AtomicUsize::new(0);
    for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
        let name = format!("settles {}", SETTLED.fetch_add(1, Ordering::Relaxed));
        Client::connect(broker, persistent(V5, &name)).disconnect();
    }
}

/// Where nothing can be stored, nothing is acknowledged that would have to be, what needs no store is
/// served as ever, and when there is room again all goes on.
#[test]
fn a_full_disk_is_survived() {
    for qos in [AtLeastOnce, ExactlyOnce] {
        full_disk(qos);
    }
}

fn full_disk(qos: QoS) {
    let mut broker = Broker::durable("os", "sys_interval 1");
    let mut client = Client::connect(&broker, persistent(V5, "c"));
    client.subscribe_qos("kept", ExactlyOnce);
    client.disconnect();
    let mut here = Client::clean(&broker, V5, "here");
    here.subscribe_qos("live", AtMostOnce);
    let mut publisher = Client::connect(&broker, persistent(V5, "publisher"));
    publisher.publish("kept", "before");

    broker.limit_file_size(Some(0));
    publisher.send(Packet::Publish(publish("kept", "while it is full", qos, 9)));
    broker.wait_for_log("stor", &["file too large", "no space", "can't", "cannot"]);
    // Nothing but the answer to the ping: no acknowledgement.
    publisher.expect_nothing();
    let mut other = Client::clean(&broker, V311, "other");
    other.send(Packet::Publish(publish("live", "goes on", AtMostOnce, 1)));
    here.take("goes on");
    publisher.expect_nothing();

    broker.limit_file_size(None);
    match qos {
        ExactlyOnce => publisher.expect(Packet::PubRec(ack(9))),
        _ => publisher.expect(Packet::PubAck(ack(9))),
    }
    broker.die_and_start_again();
    let mut client = Client::connect(&broker, persistent(V5, "c"));
    client.take("before");
    client.take("while it is full");
    client.expect_nothing();
}
