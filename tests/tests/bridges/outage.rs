//! What waits while the other broker is away, and what is sent again when it is back.

use codec::{Ack, Packet, ProtocolVersion, Publish, QoS, ReasonCode};

use crate::node::*;

const ONE: QoS = QoS::AtLeastOnce;
const TWO: QoS = QoS::ExactlyOnce;

fn bridge(port: u16, lines: &str) -> String {
    format!(
        "connection b\naddress 127.0.0.1:{port}\nrestart_timeout 1\nnotifications false\n{lines}\n"
    )
}

#[test]
fn what_was_published_before_the_first_connection_waits() {
    let place = Place::open();
    let here = Node::start(Kind::Ours, &bridge(place.port, "topic t/# out 2"));
    let mut client = here.client("client");
    for number in 0..50 {
        let qos = if number % 2 == 0 { ONE } else { TWO };
        client.publish("t/x", &number.to_string(), qos);
    }
    let mut end = place.welcome(1);
    for number in 0..50 {
        let qos = if number % 2 == 0 { ONE } else { TWO };
        end.expect("t/x", &number.to_string(), qos);
    }
    end.ping();
}

#[test]
fn what_was_not_acknowledged_is_sent_again_with_its_identifier() {
    for version in ["mqttv31", "mqttv311", "mqttv50"] {
        let place = Place::open();
        let lines = format!("topic t/# both 2\nbridge_protocol_version {version}");
        let here = Node::start(Kind::Ours, &bridge(place.port, &lines));
        let mut end = place.welcome(1);
        let mut client = here.client("client");
        client.publish("t/x", "one", ONE);
        client.publish("t/x", "two", TWO);
        let sent = [end.receive_publish(), end.receive_publish()];
        drop(end);

        let mut end = place.welcome(1);
        for first in &sent {
            assert_eq!(end.receive_publish(), Publish { dup: true, ..first.clone() });
        }
        let ack = |publish: &Publish| Ack::new(publish.packet_id.unwrap(), ReasonCode::Success);
        end.send(Packet::PubAck(ack(&sent[0])));
        end.send(Packet::PubRec(ack(&sent[1])));
        assert_eq!(end.receive(), Packet::PubRel(ack(&sent[1])));
        drop(end);

        let mut end = place.welcome(1);
        assert_eq!(end.receive(), Packet::PubRel(ack(&sent[1])), "{version}");
        end.send(Packet::PubComp(ack(&sent[1])));
        end.ping();
    }
}

/// A message of QoS 2 that comes once more is the same; one without DUP in a session that begins anew is
/// another, whatever its identifier.
#[test]
fn a_message_from_there_is_delivered_once() {
    let place = Place::open();
    let here = Node::start(Kind::Ours, &bridge(place.port, "topic t/# in 2"));
    let mut client = here.client("client");
    client.subscribe("t/#", TWO);
    let mut end = place.welcome(1);
    let message = |payload, dup| {
        let packet_id = codec::PacketId::new(7);
        Packet::Publish(Publish { packet_id, dup, ..message("t/x", payload, TWO) })
    };
    let ack = || Ack::new(codec::PacketId::new(7).unwrap(), ReasonCode::Success);
    end.send(message("first", false));
    assert_eq!(end.receive(), Packet::PubRec(ack()));
    client.expect("t/x", "first", TWO);
    drop(end);

    let mut end = place.welcome(1);
    end.send(message("first", true));
    assert_eq!(end.receive(), Packet::PubRec(ack()));
    drop(end);

    let mut end = place.welcome(1);
    end.send(message("second", false));
    assert_eq!(end.receive(), Packet::PubRec(ack()));
    end.send(Packet::PubRel(ack()));
    assert_eq!(end.receive(), Packet::PubComp(ack()));
    client.expect("t/x", "second", TWO);
    client.ping();
}

/// Which side forgets over an outage is said by two words of the configuration.
#[test]
fn clean_sessions_forget() {
    for (clean, local_clean, waits) in [
        ("false", None, true),
        ("true", None, false),
        ("false", Some("true"), false),
        ("true", Some("false"), true),
    ] {
        let place = Place::open();
        let local =
            local_clean.map_or(String::new(), |word| format!("local_cleansession {word}\n"));
        let lines = format!("topic t/# out 1\ncleansession {clean}\n{local}");
        let here = Node::start(Kind::Ours, &bridge(place.port, &lines));
        let (mut end, connect) = place.accept();
        assert_eq!(connect.clean_start, clean == "true");
        end.send_connack(ReasonCode::Success);
        end.grant();
        drop(end);
        here.wait_for_log("closed its connection");
        let mut client = here.client("client");
        client.publish("t/x", "away", ONE);
        let mut end = place.welcome(1);
        client.publish("t/x", "back", ONE);
        if waits {
            end.expect("t/x", "away", ONE);
        }
        end.expect("t/x", "back", ONE);
    }
}

/// The other way round: what is published there while this broker is away.
#[test]
fn the_other_broker_keeps_what_is_for_us() {
    for kind in [Kind::Ours, Kind::Mosquitto] {
        let there = Node::start(kind, "");
        let mut here = Node::start(Kind::Ours, &bridge(there.port, "topic t/# in 1"));
        let mut probe = there.client("probe");
        let retained = |topic: &str| Publish { retain: true, ..message(topic, "x", ONE) };
        probe.publish_message(retained("t/probe"));
        let mut client = here.client("client");
        client.subscribe("t/#", ONE);
        client.take_until("t/probe", "x");
        here.stop();
        for number in 0..20 {
            probe.publish_message(retained(&format!("t/{number}")));
        }
        here.start_again();
        // They are retained here, too, so that it does not matter who comes first.
        let mut client = here.client("client");
        client.subscribe("t/#", ONE);
        for number in 0..20 {
            let topic = format!("t/{number}");
            let mut late = here.client("late");
            late.subscribe(&topic, ONE);
            late.take_until(&topic, "x");
        }
    }
}

/// The other broker ends and begins again; nothing that was published meanwhile is lost, or comes twice.
#[test]
fn an_outage_of_a_whole_broker_is_bridged() {
    for kind in [Kind::Ours, Kind::Mosquitto] {
        let mut there = Node::start(kind, "");
        let here = Node::start(Kind::Ours, &bridge(there.port, "topic t/# out 2"));
        here.wait_for_log("Connecting bridge b");
        let mut client = here.client("client");
        there.stop();
        let count = 200;
        for number in 0..count {
            let topic = format!("t/{number}");
            let payload =
                message(&topic, &number.to_string(), if number % 2 == 0 { ONE } else { TWO });
            client.publish_message(Publish { retain: true, ..payload });
        }
        there.start_again();
        let mut watcher = there.client_of(ProtocolVersion::V311, "watcher");
        watcher.subscribe("t/#", TWO);
        let mut seen = vec![0; count];
        while seen.contains(&0) {
            let (topic, payload, _) = watcher.take();
            assert_eq!(topic, format!("t/{payload}"));
            seen[payload.parse::<usize>().unwrap()] += 1;
        }
        watcher.ping();
        assert!(seen.iter().all(|times| *times == 1), "{seen:?}");
    }
}
