//! Shared Subscriptions (MQTT 5.0 §4.8.2), which clients of all versions may have.

use std::collections::BTreeMap;
use std::time::Instant;

use codec::{Ack, Connect, Packet, Properties, Property, Publish, ReasonCode};
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

/// MQTT 5.0 §4.8.2: groups with other names, or other filters, get messages of their own, each with the
/// identifier of its own subscription.
/// [MQTT-3.3.4-5]
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

/// A member whose session ends hands on what it has not acknowledged, in its order; but not what may
/// have reached it with QoS 2.
/// [MQTT-4.8.2-5]
#[test]
fn a_member_that_leaves_hands_on_what_it_has_not_acknowledged() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    for version in VERSIONS {
        for (qos, handed_on) in [(AtLeastOnce, &["1", "2", "3"][..]), (ExactlyOnce, &["3"])] {
            // Connections go to the workers in turn: now the next member is on the same as the first,
            // now on another.
            for others in 0..2 {
                let properties = if version.is_v5() {
                    properties([Property::ReceiveMaximum(2)])
                } else {
                    Properties::EMPTY
                };
                let mut leaves =
                    Client::connect(&broker, Connect { properties, ..connect(version, "leaves") });
                leaves.subscribe_qos("$share/g/t/#", qos);
                let _others: Vec<_> = (0..others).map(|_| Client::open(&broker, V5)).collect();
                for payload in ["1", "2", "3"] {
                    publisher.publish_as(publish("t/1", payload, qos, 1));
                }
                let sent = if version.is_v5() { 2 } else { 3 };
                for _ in 0..sent {
                    leaves.receive_publish();
                }
                let mut stays = Client::clean(&broker, version, "stays");
                stays.subscribe_qos("$share/g/t/#", qos);
                stays.expect_nothing();
                leaves.vanish();
                let handed_on = if version.is_v5() || qos == AtLeastOnce { handed_on } else { &[] };
                for payload in handed_on {
                    assert!(!stays.take(payload).dup);
                }
                stays.expect_nothing();
                stays.disconnect();
            }
        }
    }
}

/// What nobody who is there can take waits where a session keeps it: with the member whose
/// subscription is above QoS 0, and with whom it is handed on to.
#[test]
fn messages_wait_where_a_session_keeps_them() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    for (id, qos) in [("at most once", AtMostOnce), ("at least once", AtLeastOnce)] {
        let mut member = Client::connect(&broker, persistent(V311, id));
        member.subscribe_qos("$share/g/t", qos);
        member.disconnect();
    }
    let mut leaves = Client::clean(&broker, V311, "leaves");
    leaves.subscribe_qos("$share/g/t", AtLeastOnce);
    publisher.publish("t", "handed on");
    leaves.receive_publish();
    leaves.vanish();
    for number in 0..3 {
        publisher.publish("t", number.to_string());
    }
    Client::connect(&broker, persistent(V311, "at most once")).expect_nothing();
    let mut member = Client::connect(&broker, persistent(V311, "at least once"));
    for payload in ["handed on", "0", "1", "2"] {
        member.take(payload);
    }
    member.expect_nothing();
}

/// A message that a member refuses goes to nobody else.
/// [MQTT-4.4.0-2, MQTT-4.8.2-6]
#[test]
fn a_refused_message_goes_to_no_other_member() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    for (qos, refuse) in
        [(AtLeastOnce, Packet::PubAck as fn(Ack) -> Packet), (ExactlyOnce, Packet::PubRec)]
    {
        let mut refuses = Client::clean(&broker, V5, "refuses");
        refuses.subscribe_qos("$share/g/t", qos);
        publisher.publish_as(publish("t", "unwanted", qos, 1));
        let message = refuses.receive_publish();
        let mut other = Client::clean(&broker, V5, "other");
        other.subscribe_qos("$share/g/t", qos);
        let code = ReasonCode::ImplementationSpecificError;
        refuses.send(refuse(Ack::new(message.packet_id.unwrap(), code)));
        refuses.expect_nothing();
        refuses.disconnect();
        other.expect_nothing();
        other.disconnect();
    }
}
