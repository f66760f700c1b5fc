//! Shared Subscriptions (MQTT 5.0 §4.8.2), which clients of all versions may have.

use std::collections::BTreeMap;
use std::time::Instant;

use codec::{Packet, Publish, ReasonCode};
use tests::{Broker, PATIENCE};

use crate::client::*;

/// Each message goes to exactly one of those who share, and all get some.
#[test]
fn each_message_goes_to_one_of_those_who_share() {
    const COUNT: usize = 60;
    let broker = Broker::start();
    for qos in QOS {
        // Connections go to the workers in turn, so that both have members.
        let mut members: Vec<_> = VERSIONS
            .iter()
            .chain([&V5])
            .enumerate()
            .map(|(number, version)| {
                let mut client = Client::clean(&broker, *version, &format!("member {number}"));
                client.subscribe_qos("$share/group/t/+", qos);
                client
            })
            .collect();
        let mut alone = Client::clean(&broker, V311, "alone");
        alone.subscribe_qos("t/1", qos);
        let mut publisher = Client::clean(&broker, V5, "publisher");
        for number in 0..COUNT {
            publisher.publish_as(publish("t/1", number.to_string(), qos, 1));
        }
        for number in 0..COUNT {
            alone.take(&number.to_string());
        }
        let mut taken = BTreeMap::new();
        let mut last = vec![None; members.len()];
        let deadline = Instant::now() + PATIENCE;
        while taken.len() < COUNT {
            assert!(Instant::now() < deadline, "{} of {COUNT} came", taken.len());
            for (member, client) in members.iter_mut().enumerate() {
                for message in messages_until_ping(client) {
                    let number: usize = payload(&message).parse().unwrap();
                    assert!(last[member] < Some(number), "in order for each member");
                    last[member] = Some(number);
                    assert_eq!(taken.insert(number, member), None, "{number} came twice");
                }
            }
        }
        assert!(last.iter().all(Option::is_some), "each member gets some: {taken:?}");
        let expected: Vec<usize> = (0..COUNT).collect();
        assert_eq!(taken.into_keys().collect::<Vec<_>>(), expected, "{qos:?}");
    }
}

/// The messages that wait for a client now.
fn messages_until_ping(client: &mut Client) -> Vec<Publish> {
    client.send(Packet::PingReq);
    let mut messages = Vec::new();
    loop {
        match client.receive() {
            Packet::PingResp => return messages,
            packet => {
                client.answer(&packet);
                if let Packet::Publish(message) = packet {
                    messages.push(message);
                }
            }
        }
    }
}

/// MQTT 5.0 §4.8.2: groups with other names, or other filters, get messages of their own.
#[test]
fn each_group_gets_each_message() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let mut client = Client::clean(&broker, V5, "c");
    for (id, filter) in ["$share/a/t", "$share/b/t", "$share/a/+", "t"].iter().enumerate() {
        client.subscribe_id(filter, AtLeastOnce, id as u32 + 1);
    }
    publisher.publish("t", "x");
    let mut ids: Vec<_> =
        (0..4).map(|_| client.take("x").properties.subscription_identifier().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3, 4]);
    client.expect_nothing();
}

/// MQTT 5.0 §4.8.2: no retained messages at subscribe; live ones are passed on as ever.
#[test]
fn a_shared_subscription_gets_no_retained_messages() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    publisher.publish_as(retained("t", "kept", AtLeastOnce));
    for version in VERSIONS {
        let mut client = Client::clean(&broker, version, "c");
        client.subscribe_qos("$share/g/t", AtLeastOnce);
        client.expect_nothing();
        publisher.publish_as(retained("t", "live", AtLeastOnce));
        assert!(!client.take("live").retain);
    }
}

/// Messages go to a member that is connected, as long as there is one; without any, they wait for
/// one.
/// [MQTT-4.8.2-1]
#[test]
fn members_who_are_away_get_nothing_that_another_can_take() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let mut away = Client::connect(&broker, persistent(V5, "away"));
    away.subscribe_qos("$share/g/t", AtLeastOnce);
    away.disconnect();
    let mut here = Client::clean(&broker, V5, "here");
    here.subscribe_qos("$share/g/t", AtLeastOnce);
    for number in 0..6 {
        publisher.publish("t", number.to_string());
        here.take(&number.to_string());
    }
    here.disconnect();
    assert_eq!(publisher.publish("t", "waits"), ReasonCode::Success);
    let mut away = Client::connect(&broker, persistent(V5, "away"));
    away.take("waits");
    away.expect_nothing();
}

/// What was sent to a member with QoS 2 is that member's, even if it goes away.
/// [MQTT-4.8.2-4]
#[test]
fn a_message_of_qos_2_stays_with_the_member_it_was_sent_to() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let mut first = Client::connect(&broker, persistent(V5, "first"));
    first.subscribe_qos("$share/g/t", ExactlyOnce);
    publisher.publish_as(publish("t", "yours", ExactlyOnce, 1));
    let sent = first.receive_publish();
    let mut second = Client::clean(&broker, V5, "second");
    second.subscribe_qos("$share/g/t", ExactlyOnce);
    first.vanish();
    second.expect_nothing();
    let mut first = Client::connect(&broker, persistent(V5, "first"));
    assert_eq!(first.take("yours").packet_id, sent.packet_id);
}

/// Each member has the QoS it was granted.
/// [MQTT-4.8.2-3]
#[test]
fn members_have_a_qos_each() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let mut members: Vec<_> = QOS
        .iter()
        .map(|qos| {
            let mut client = Client::clean(&broker, V5, &format!("{qos:?}"));
            client.subscribe_qos("$share/g/t", *qos);
            client
        })
        .collect();
    // In turn, so that each gets one.
    for _ in 0..QOS.len() {
        publisher.publish_as(publish("t", "x", ExactlyOnce, 1));
    }
    for (client, qos) in members.iter_mut().zip(QOS) {
        assert_eq!(client.take("x").qos, qos);
        client.expect_nothing();
    }
}
