//! What crosses a bridge, and how it looks on the other side.

use codec::{Publish, QoS};

use crate::node::*;

const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// Who has the bridge, and to whom, and in which version they speak.
const PAIRS: [(Kind, Kind, &str); 8] = [
    (Kind::Ours, Kind::Ours, "mqttv31"),
    (Kind::Ours, Kind::Ours, "mqttv311"),
    (Kind::Ours, Kind::Ours, "mqttv50"),
    (Kind::Ours, Kind::Mosquitto, "mqttv31"),
    (Kind::Ours, Kind::Mosquitto, "mqttv311"),
    (Kind::Ours, Kind::Mosquitto, "mqttv50"),
    (Kind::Mosquitto, Kind::Ours, "mqttv311"),
    (Kind::Mosquitto, Kind::Ours, "mqttv50"),
];

/// A bridge called `edge` to this port.
fn bridge(port: u16, lines: &str) -> String {
    format!(
        "connection b\naddress 127.0.0.1:{port}\nremote_clientid edge\nrestart_timeout 1\n{lines}\n"
    )
}

#[test]
fn messages_cross_both_ways_with_their_qos_and_never_come_back() {
    for (from, to, version) in PAIRS {
        let there = Node::start(to, "");
        let lines = format!("topic # both 2 here/ there/\nbridge_protocol_version {version}");
        let here = Node::start(from, &bridge(there.port, &lines));
        let (mut left, mut right) = (here.client("left"), there.client("right"));
        left.subscribe("here/#", QoS::ExactlyOnce);
        right.subscribe("there/#", QoS::ExactlyOnce);
        // It is there from now on: the bridge gets it as soon as it has subscribed.
        let probe = message("there/probe", "probe", QoS::AtLeastOnce);
        right.publish_message(Publish { retain: true, ..probe });
        left.take_until("here/probe", "probe");
        left.publish("here/begin", "begin", QoS::AtLeastOnce);
        left.take_until("here/begin", "begin");
        right.take_until("there/begin", "begin");
        for qos in QOS {
            let round = format!("{from:?} to {to:?}, {version}, {qos:?}");
            left.publish("here/up/x", &round, qos);
            left.expect("here/up/x", &round, qos);
            right.expect("there/up/x", &round, qos);
            right.publish("there/down/x", &round, qos);
            right.expect("there/down/x", &round, qos);
            left.expect("here/down/x", &round, qos);
        }
        // Whatever had come back would have come before this.
        left.publish("here/end", "end", QoS::ExactlyOnce);
        left.expect("here/end", "end", QoS::ExactlyOnce);
        right.expect("there/end", "end", QoS::ExactlyOnce);
        right.publish("there/end", "end too", QoS::ExactlyOnce);
        right.expect("there/end", "end too", QoS::ExactlyOnce);
        left.expect("here/end", "end too", QoS::ExactlyOnce);
    }
}

#[test]
fn what_is_retained_here_is_retained_there() {
    for (outgoing_retain, retained) in [("true", true), ("false", false)] {
        let place = Place::open();
        let lines = format!(
            "topic t/# out 1\nnotifications false\nbridge_attempt_unsubscribe false\n\
             bridge_outgoing_retain {outgoing_retain}"
        );
        let here = Node::start(Kind::Ours, &bridge(place.port, &lines));
        let mut client = here.client("client");
        let (mut end, _) = place.accept();
        let before = message("t/before", "1", QoS::AtMostOnce);
        client.publish_message(Publish { retain: true, ..before });
        client.ping();
        end.send_connack(codec::ReasonCode::Success);
        let publish = end.receive_publish();
        assert_eq!((&publish.payload[..], publish.retain), (&b"1"[..], retained));
        for (retain, payload) in [(true, "2"), (false, "3")] {
            let message = message("t/x", payload, QoS::AtLeastOnce);
            client.publish_message(Publish { retain, ..message });
            let publish = end.receive_publish();
            assert_eq!(publish.payload, payload.as_bytes());
            assert_eq!(publish.retain, retain && retained);
        }
        end.ping();
    }
}

#[test]
fn a_retained_message_is_not_sent_back_after_a_reconnect() {
    let place = Place::open();
    let lines = "topic t/# both 1\nnotifications false";
    let here = Node::start(Kind::Ours, &bridge(place.port, lines));
    let mut end = place.welcome(1);
    let theirs = message("t/theirs", "theirs", QoS::AtLeastOnce);
    end.publish_message(Publish { retain: true, ..theirs });
    let ours = message("t/ours", "ours", QoS::AtLeastOnce);
    here.client("client").publish_message(Publish { retain: true, ..ours });
    end.expect("t/ours", "ours", QoS::AtLeastOnce);
    drop(end);
    let mut end = place.welcome(1);
    end.expect("t/ours", "ours", QoS::AtLeastOnce);
    end.ping();
}

/// A message whose topic has no name on the other side ends at the bridge, and the bridge lives on.
#[test]
fn a_topic_without_a_name_there_stops_nothing() {
    let place = Place::open();
    let lines = "topic # both 1 here/ \"\"\nnotifications false";
    let here = Node::start(Kind::Ours, &bridge(place.port, lines));
    let mut end = place.welcome(1);
    let mut client = here.client("client");
    client.subscribe("#", QoS::AtLeastOnce);
    for (topic, renamed) in
        [("here", None), ("here/", None), ("here//", Some("/")), ("here/x", Some("x"))]
    {
        client.publish(topic, topic, QoS::AtLeastOnce);
        client.expect(topic, topic, QoS::AtLeastOnce);
        if let Some(renamed) = renamed {
            end.expect(renamed, topic, QoS::AtLeastOnce);
        }
    }
    let long = "x".repeat(65_532);
    end.publish(&long, "too long here", QoS::AtLeastOnce);
    end.publish("y", "last", QoS::AtLeastOnce);
    client.expect("here/y", "last", QoS::AtLeastOnce);
}

/// What crosses is said by the bridge's lines alone, and a reload changes nothing about that.
#[test]
fn an_acl_file_says_nothing_of_bridges() {
    let place = Place::open();
    let here = Node::start_with(Kind::Ours, |folder| {
        let acl = folder.join("acl");
        std::fs::write(&acl, "topic read other/#\n").unwrap();
        let lines = "topic x in 1 other/ \"\"\nnotifications false";
        format!("acl_file {}\n{}", acl.display(), bridge(place.port, lines))
    });
    let mut client = here.client("client");
    client.subscribe("#", QoS::AtLeastOnce);
    let mut end = place.welcome(1);
    for payload in ["before", "after"] {
        client.publish("other/x", "not allowed", QoS::AtMostOnce);
        end.publish("x", payload, QoS::AtLeastOnce);
        client.expect("other/x", payload, QoS::AtLeastOnce);
        here.reload();
    }
}
