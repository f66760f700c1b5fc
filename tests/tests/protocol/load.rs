//! Many messages at once, and readers that do not read.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use codec::{Packet, Property, Publish};
use tests::Broker;

use crate::client::*;

/// Messages of one publisher in one test, numbered from 0.
fn burst(topic: &str, count: u32) -> BytesMut {
    let mut bytes = BytesMut::new();
    for number in 0..count {
        let message = publish(topic, number.to_be_bytes().to_vec(), AtMostOnce, 1);
        Packet::Publish(message).encode(V311, &mut bytes).unwrap();
    }
    bytes
}

fn number(message: &Publish) -> u32 {
    u32::from_be_bytes(message.payload[..4].try_into().unwrap())
}

/// QoS 0 from several publishers, on several workers, to several subscribers: each subscriber
/// gets all messages of each publisher in their order.
/// [MQTT-4.6.0-5, MQTT-4.6.0-6], 3.1.1 [MQTT-4.6.0-5, MQTT-4.6.0-6]
#[test]
fn a_burst_of_qos_0_arrives_complete_and_in_order() {
    const PUBLISHERS: usize = 4;
    const COUNT: u32 = 25_000;
    let broker = Broker::start_on(tests::broker::Ports::free(), &[]);
    let subscribers: Vec<_> = (0..3)
        .map(|number| {
            let mut client = Client::clean(&broker, V311, &format!("subscriber {number}"));
            client.subscribe_qos("burst/+", AtMostOnce);
            client
        })
        .collect();
    std::thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let mut client = Client::clean(&broker, V311, &format!("publisher {publisher}"));
            scope.spawn(move || {
                client.send_bytes(&burst(&format!("burst/{publisher}"), COUNT));
                client.disconnect();
            });
        }
        for mut client in subscribers {
            scope.spawn(move || {
                let mut next = [0; PUBLISHERS];
                for _ in 0..COUNT as usize * PUBLISHERS {
                    let message = client.receive_publish();
                    let topic = message.topic.clone().unwrap();
                    let publisher: usize = topic.as_str()["burst/".len()..].parse().unwrap();
                    assert_eq!(number(&message), next[publisher], "of publisher {publisher}");
                    next[publisher] += 1;
                }
                client.expect_nothing();
            });
        }
    });
}

/// The same with QoS 1 and 2, as fast as the acknowledgements allow.
/// [MQTT-4.6.0-5, MQTT-4.6.0-6], 3.1.1 [MQTT-4.6.0-5, MQTT-4.6.0-6]
#[test]
fn qos_1_and_2_arrive_complete_and_in_order() {
    const COUNT: u32 = 900;
    let broker = Broker::start_on(tests::broker::Ports::free(), &[]);
    for qos in [AtLeastOnce, ExactlyOnce] {
        let mut subscribers: Vec<_> = (0..2)
            .map(|number| {
                let mut client = Client::clean(&broker, V5, &format!("subscriber {number}"));
                client.subscribe_qos("t", qos);
                client
            })
            .collect();
        std::thread::scope(|scope| {
            // Of MQTT 3.1.1, which has no Receive Maximum to wait for.
            let mut publisher = Client::clean(&broker, V311, "publisher");
            scope.spawn(move || {
                let messages = (0..COUNT).map(|number| {
                    let packet_id = u16::try_from(number + 1).unwrap();
                    Packet::Publish(publish("t", number.to_be_bytes().to_vec(), qos, packet_id))
                });
                publisher.send_all(messages);
                let mut done = 0;
                while done < COUNT {
                    match publisher.receive() {
                        Packet::PubAck(_) | Packet::PubComp(_) => done += 1,
                        packet => publisher.answer(&packet),
                    }
                }
            });
            for client in &mut subscribers {
                scope.spawn(move || {
                    let (mut next, mut released) = (0, 0);
                    while next < COUNT || qos == ExactlyOnce && released < COUNT {
                        let packet = client.receive();
                        client.answer(&packet);
                        if let Packet::Publish(message) = packet {
                            assert_eq!((number(&message), message.dup), (next, false));
                            next += 1;
                        } else {
                            released += 1;
                        }
                    }
                    client.expect_nothing();
                });
            }
        });
    }
}

/// What waits for a reader that does not read is kept, and not all that was read together with it.
#[test]
fn what_waits_keeps_nothing_else_in_memory() {
    const COUNT: u32 = 1500;
    const PAYLOAD: usize = 5000;
    /// Several times what may wait, and a third of what was sent together with it.
    const GROWTH_KIB_MAX: u64 = 30 * 1024;
    let broker = Broker::start_on(tests::broker::Ports::free(), &[]);
    let mut stuck = Client::clean(&broker, V311, "stuck");
    stuck.subscribe_qos("waits", AtMostOnce);
    let mut publisher = Client::clean(&broker, V311, "publisher");
    let mut bytes = BytesMut::new();
    for topic in std::iter::once("waits").chain(std::iter::repeat_n("other", 15)) {
        let message = publish(topic, vec![0; PAYLOAD], AtMostOnce, 1);
        Packet::Publish(message).encode(V311, &mut bytes).unwrap();
    }
    let before_kib = broker.resident_kib();
    for _ in 0..COUNT {
        publisher.send_bytes(&bytes);
    }
    // Once this is acknowledged all is done.
    publisher.publish("done", "");
    let growth_kib = broker.resident_kib().saturating_sub(before_kib);
    assert!(growth_kib < GROWTH_KIB_MAX, "{growth_kib} KiB");
}

/// The same for what is retained, with its properties.
#[test]
fn a_retained_message_keeps_nothing_else_in_memory() {
    const COUNT: u32 = 800;
    /// Of what was sent together with them, a third.
    const GROWTH_KIB_MAX: u64 = 20 * 1024;
    let broker = Broker::start_on(tests::broker::Ports::free(), &[]);
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let others = publish("other", vec![0; 1000], AtMostOnce, 1);
    let before_kib = broker.resident_kib();
    for number in 0..COUNT {
        let mut message = retained(&format!("kept/{number}"), "21.5", AtMostOnce);
        message.properties = properties([Property::UserProperty(text("unit"), text("°C"))]);
        let packets = std::iter::once(message).chain(std::iter::repeat_n(others.clone(), 70));
        publisher.send_all(packets.map(Packet::Publish));
    }
    publisher.publish("done", "");
    let growth_kib = broker.resident_kib().saturating_sub(before_kib);
    assert!(growth_kib < GROWTH_KIB_MAX, "{growth_kib} KiB");
}

/// Memory that waiting messages have taken goes back to the system when nobody waits for them any more,
/// also where nothing happens after that.
#[test]
fn memory_of_readers_who_have_gone_is_given_back() {
    const READERS: u32 = 6;
    const COUNT: u32 = 9000;
    const WAITING_KIB_MIN: u64 = 30 * 1024;
    let broker = Broker::start_on(tests::broker::Ports::free(), &[]);
    let mut stuck: Vec<_> = (0..READERS)
        .map(|number| Client::clean(&broker, V311, &format!("stuck {number}")))
        .collect();
    stuck.iter_mut().for_each(|client| client.subscribe_qos("t", AtMostOnce));
    let mut publisher = Client::clean(&broker, V311, "publisher");
    let before_kib = broker.resident_kib();
    let growth_kib = || broker.resident_kib().saturating_sub(before_kib);
    let mut bytes = BytesMut::new();
    Packet::Publish(publish("t", vec![0; 2000], AtMostOnce, 1)).encode(V311, &mut bytes).unwrap();
    for _ in 0..COUNT {
        publisher.send_bytes(&bytes);
    }
    publisher.publish("done", "");
    // Another worker hands it to its clients a little later.
    let wait_for = |has_come: &dyn Fn(u64) -> bool| {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !has_come(growth_kib()) {
            assert!(Instant::now() < deadline, "{} KiB", growth_kib());
            let_pass(Duration::from_millis(50));
        }
    };
    wait_for(&|growth_kib| growth_kib > WAITING_KIB_MIN);
    stuck.into_iter().for_each(Client::vanish);
    wait_for(&|growth_kib| growth_kib < WAITING_KIB_MIN / 2);
}

/// A subscriber that never reads costs nobody else anything: others get all, the publisher is not
/// held up, and what the broker keeps for it is bounded.
#[test]
fn a_reader_that_does_not_read_costs_only_itself() {
    const COUNT: u32 = 3000;
    const PAYLOAD: usize = 20_000;
    /// Half of what was sent, and several times what may wait for one connection.
    const GROWTH_KIB_MAX: u64 = 30 * 1024;
    let broker = Broker::start_on(tests::broker::Ports::free(), &[]);
    for version in [V311, V5] {
        let stuck: Vec<_> = (0..2)
            .map(|number| {
                let mut client = Client::clean(&broker, version, &format!("stuck {number}"));
                client.subscribe_qos("t", AtMostOnce);
                client
            })
            .collect();
        let mut reader = Client::clean(&broker, version, "reader");
        reader.subscribe_qos("t", AtMostOnce);
        let before_kib = broker.resident_kib();
        // In step with the reader: one that reads too slowly is not what this is about.
        let mut publisher = Client::clean(&broker, version, "publisher");
        for expected in 0..COUNT {
            let mut payload = vec![0; PAYLOAD];
            payload[..4].copy_from_slice(&expected.to_be_bytes());
            publisher.publish("t", payload);
            assert_eq!(number(&reader.receive_publish()), expected);
        }
        let growth_kib = broker.resident_kib().saturating_sub(before_kib);
        assert!(growth_kib < GROWTH_KIB_MAX, "{growth_kib} KiB");
        // What they read in the end begins with the oldest, in order, with a gap where it was full.
        for mut client in stuck {
            assert_eq!(numbers_until_ping(&mut client).first(), Some(&0));
            client.publish_self("t", "next");
            reader.take("next");
            client.disconnect();
        }
    }
}

/// The numbers of the messages that wait for a client, which have to be in order.
fn numbers_until_ping(client: &mut Client) -> Vec<u32> {
    client.send(Packet::PingReq);
    let mut numbers = Vec::new();
    loop {
        match client.receive() {
            Packet::Publish(message) => numbers.push(number(&message)),
            Packet::PingResp => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(numbers.is_sorted_by(|a, b| a < b));
    numbers
}

/// More than the mailboxes between workers take, in both directions at once: publishers wait, and
/// in the end everything works as before.
#[test]
fn a_flood_between_workers_comes_to_an_end() {
    const COUNT: u32 = 1500;
    const CLIENTS: usize = 4;
    let broker = Broker::start_on(tests::broker::Ports::free(), &[]);
    let subscribers: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let mut client = Client::clean(&broker, V5, &format!("subscriber {number}"));
            client.subscribe_qos("t/#", AtLeastOnce);
            client
        })
        .collect();
    std::thread::scope(|scope| {
        let publishers: Vec<_> = (0..CLIENTS)
            .map(|publisher| {
                let mut client = Client::clean(&broker, V5, &format!("publisher {publisher}"));
                let topic = format!("t/{publisher}");
                scope.spawn(move || {
                    for number in 0..COUNT {
                        let mut payload = vec![0; 20_000];
                        payload[..4].copy_from_slice(&number.to_be_bytes());
                        client.send(Packet::Publish(publish(&topic, payload, AtMostOnce, 1)));
                    }
                    client.disconnect();
                })
            })
            .collect();
        for mut client in subscribers {
            scope.spawn(move || {
                let mut last = std::collections::HashMap::new();
                loop {
                    let message = client.take_any();
                    if message.payload == "end" {
                        break;
                    }
                    // What was too much may be missing, and the rest is in order.
                    let before = last.insert(message.topic.clone(), number(&message));
                    assert!(before < Some(number(&message)));
                }
                client.expect_nothing();
            });
        }
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        Client::clean(&broker, V5, "last").publish("t/end", "end");
    });
}

/// A client that asks and never reads the answers is not listened to for ever, and is again once
/// it has read: it gets every answer.
#[test]
fn a_client_that_reads_no_answers_is_held_up() {
    /// More than every buffer between the client and the broker's limit takes.
    const ENOUGH: usize = 40 << 20;
    const CHUNK: usize = 1 << 16;
    let broker = Broker::start_on(tests::broker::Ports::free(), &[]);
    let mut deaf = Client::clean(&broker, V311, "deaf");
    deaf.subscribe_qos("t", AtMostOnce);
    // Messages that it does not read come first, until they are dropped for it.
    let mut publisher = Client::clean(&broker, V311, "publisher");
    for _ in 0..40 {
        publisher.publish("t", vec![0; 500_000]);
    }
    let pings = [0xC0, 0x00].repeat(CHUNK / 2);
    let mut sent = 0;
    loop {
        let taken = deaf.send_as_far_as_taken(&pings, Duration::from_secs(1));
        sent += taken;
        if taken < CHUNK {
            break;
        }
        assert!(sent < ENOUGH, "{sent} bytes of requests");
    }
    publisher.expect_nothing();
    let (pings, rest) = (sent / 2, sent % 2);
    let mut answers = 0;
    while answers < pings {
        answers += usize::from(deaf.receive() == Packet::PingResp);
    }
    // What was taken may have ended within a ping.
    deaf.send_bytes(&[0x00][..rest]);
    for _ in 0..rest {
        deaf.expect(Packet::PingResp);
    }
    deaf.expect_nothing();
}
