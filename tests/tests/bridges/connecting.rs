//! How a bridge connects: what it says of itself, when it tries again, and where.

use std::time::Duration;

use codec::{Connect, MqttString, Packet, ProtocolVersion, QoS, ReasonCode};

use crate::node::*;

fn bridge(port: u16, lines: &str) -> String {
    format!(
        "connection b\naddress 127.0.0.1:{port}\nrestart_timeout 1\ntopic t/# both 1\n{lines}\n"
    )
}

/// 3.1.1 [MQTT-7.0.0-1]
#[test]
fn a_bridge_says_who_it_is() {
    let place = Place::open();
    let lines = "remote_username me\nremote_password secret\nkeepalive_interval 77";
    let _here = Node::start(Kind::Ours, &bridge(place.port, lines));
    let (_, connect) = place.accept();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let id = format!("{host}.b");
    assert_eq!(connect.client_id.as_str(), id);
    assert!(connect.bridge && !connect.clean_start);
    assert_eq!((connect.version, connect.keep_alive_s), (ProtocolVersion::V311, 77));
    assert_eq!(connect.username.unwrap().as_str(), "me");
    assert_eq!(connect.password.unwrap(), "secret");
    let will = connect.will.unwrap();
    assert_eq!(will.topic.as_str(), format!("$SYS/broker/connection/{id}/state"));
    assert_eq!((&will.payload[..], will.retain, will.qos), (&b"0"[..], true, QoS::AtLeastOnce));
}

/// What a broker does not understand is left out the next time.
#[test]
fn a_bridge_adapts_to_what_the_other_broker_refuses() {
    let place = Place::open();
    let _here = Node::start(Kind::Ours, &bridge(place.port, "bridge_protocol_version mqttv50"));
    let (mut end, connect) = place.accept();
    assert_eq!((connect.version, connect.bridge), (ProtocolVersion::V5, false));
    // The CONNACK of a broker of MQTT 3.1.1 that does not know the version.
    end.send_bytes(b"\x20\x02\x00\x01");
    end.wait_closed();
    let (mut end, connect) = place.accept();
    assert_eq!((connect.version, connect.bridge), (ProtocolVersion::V311, true));
    end.send_connack(ReasonCode::UnsupportedProtocolVersion);
    end.wait_closed();
    let (mut end, connect) = place.accept();
    assert_eq!((connect.version, connect.bridge), (ProtocolVersion::V311, false));
    end.send_connack(ReasonCode::Success);
    assert!(matches!(end.receive(), Packet::Publish(_)), "it is connected now");
}

#[test]
fn both_brokers_are_told_whether_the_bridge_is_connected() {
    for kind in [Kind::Ours, Kind::Mosquitto] {
        let mut there = Node::start(kind, "");
        let state = "$SYS/broker/connection/edge/state";
        let mut here = Node::start(Kind::Ours, &bridge(there.port, "remote_clientid edge"));
        let mut right = there.client("right");
        right.subscribe(state, QoS::AtLeastOnce);
        right.take_until(state, "1");
        let mut left = here.client("left");
        left.subscribe(state, QoS::AtLeastOnce);
        left.take_until(state, "1");
        there.stop();
        left.expect(state, "0", QoS::AtLeastOnce);
        there.start_again();
        left.expect(state, "1", QoS::AtLeastOnce);
        let mut right = there.client("right");
        right.subscribe(state, QoS::AtLeastOnce);
        right.take_until(state, "1");
        here.stop();
        right.expect(state, "0", QoS::AtLeastOnce);
    }
}

#[test]
fn notifications_have_their_own_words() {
    let place = Place::open();
    let lines = "notification_topic up\nnotifications_local_only true";
    let here = Node::start(Kind::Ours, &bridge(place.port, lines));
    let mut left = here.client("left");
    left.subscribe("up", QoS::AtLeastOnce);
    left.expect("up", "0", QoS::AtLeastOnce);
    let (mut end, connect) = place.accept();
    assert!(connect.will.is_none());
    end.send_connack(ReasonCode::Success);
    end.grant();
    end.ping();
    left.expect("up", "1", QoS::AtLeastOnce);
}

/// The Client Identifier of a bridge's session is not for clients, which could take its messages.
#[test]
fn nobody_takes_a_bridges_session_over() {
    let place = Place::open();
    let here = Node::start(Kind::Ours, &bridge(place.port, "local_clientid mine"));
    let mut end = place.welcome(0);
    let mut thief = here.open(ProtocolVersion::V311);
    let connect = Connect::new(ProtocolVersion::V311, MqttString::new("mine").unwrap());
    thief.send(Packet::Connect(Box::new(connect)));
    match thief.receive() {
        Packet::ConnAck(connack) => {
            assert_eq!(connack.code, ReasonCode::ClientIdentifierNotValid);
        }
        other => panic!("{other:?}"),
    }
    end.receive_publish();
    end.grant();
    here.client("client").publish("t/x", "for the bridge", QoS::AtLeastOnce);
    end.expect("t/x", "for the bridge", QoS::AtLeastOnce);
}

#[test]
fn a_lazy_bridge_connects_when_enough_waits_and_leaves_when_nothing_comes() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let place = Place::open();
        let lines = "start_type lazy\nthreshold 3\nidle_timeout 1\nnotifications false";
        let here = Node::start(Kind::Ours, &bridge(place.port, lines));
        let mut end = place.welcome(1);
        end.wait_closed();
        here.wait_for_log("idle timeout");
        let mut client = here.client("client");
        client.publish("t/x", "1", qos);
        client.publish("t/x", "2", qos);
        std::thread::sleep(Duration::from_secs(2));
        assert!(place.next_stream().is_none(), "two are not enough");
        client.publish("t/x", "3", qos);
        let mut end = place.welcome(1);
        for payload in ["1", "2", "3"] {
            end.expect("t/x", payload, qos);
        }
    }
}

#[test]
fn a_bridge_that_starts_once_does_not_come_back() {
    let place = Place::open();
    let here = Node::start(Kind::Ours, &bridge(place.port, "start_type once"));
    drop(place.welcome(0));
    here.wait_for_log("is not started again");
}

#[test]
fn a_bridge_goes_to_another_address_and_returns_to_the_main_one() {
    let (main, other) = (Place::open(), Place::open());
    let port = main.port;
    let addresses = format!("127.0.0.1:{port} 127.0.0.1:{}", other.port);
    let text = format!(
        "connection b\naddresses {addresses}\nrestart_timeout 1\ntopic t/# both 1\nnotifications false"
    );
    drop(main);
    let _here = Node::start(Kind::Ours, &text);
    let mut end = other.welcome(1);
    end.ping();
    let main = Place::open_at(port);
    end.wait_closed();
    // First it only looks whether anybody is there.
    let look = loop {
        if let Some(stream) = main.next_stream() {
            break stream;
        }
        std::thread::sleep(tests::POLL_INTERVAL);
    };
    drop(look);
    main.welcome(1).ping();
}

#[test]
fn a_bridge_shows_that_it_lives() {
    let place = Place::open();
    let _here =
        Node::start(Kind::Ours, &bridge(place.port, "keepalive_interval 5\nnotifications false"));
    let mut end = place.welcome(1);
    assert_eq!(end.receive(), Packet::PingReq);
    end.send(Packet::PingResp);
    assert_eq!(end.receive(), Packet::PingReq);
    // Whoever does not answer is left.
    end.wait_closed();
}

/// Line by line it subscribes to what is to come in, and makes sure that nothing comes of the rest.
#[test]
fn a_bridge_asks_for_what_its_lines_say() {
    for (version, marked) in [("mqttv31", false), ("mqttv311", false), ("mqttv50", true)] {
        let place = Place::open();
        let lines = format!(
            "topic in/# in 0 l/ r/\ntopic out/# out 2\nbridge_protocol_version {version}\n\
             notifications false"
        );
        let _here = Node::start(Kind::Ours, &bridge(place.port, &lines));
        let (mut end, _) = place.accept();
        end.send_connack(ReasonCode::Success);
        let mut expected_id = 1..;
        for (filter, qos) in [("t/#", Some(1)), ("r/in/#", Some(0)), ("out/#", None)] {
            let id = expected_id.next();
            match (end.grant(), qos) {
                (Packet::Subscribe(subscribe), Some(qos)) => {
                    let [line] = &subscribe.subscriptions[..] else { panic!("{subscribe:?}") };
                    assert_eq!((line.filter.as_str(), line.options.qos as u8), (filter, qos));
                    assert_eq!(line.options.no_local, marked, "{version}");
                    assert_eq!(line.options.retain_as_published, marked, "{version}");
                    assert_eq!(Some(subscribe.packet_id.get()), id);
                }
                (Packet::Unsubscribe(unsubscribe), None) => {
                    assert_eq!(unsubscribe.filters, [codec::TopicFilter::new(filter).unwrap()]);
                    assert_eq!(Some(unsubscribe.packet_id.get()), id);
                }
                (other, _) => panic!("{other:?}"),
            }
        }
        end.ping();
    }
}

#[test]
fn a_bridge_keeps_to_the_limits_of_both_brokers() {
    let place = Place::open();
    let lines = "topic big/# out 2\nbridge_protocol_version mqttv50\nnotifications false\n\
                 bridge_attempt_unsubscribe false\nbridge_max_packet_size 100";
    let here = Node::start(Kind::Ours, &bridge(place.port, lines));
    let mut client = here.client("client");
    // Before anything is known of the other broker.
    client.publish("big/x", "early", QoS::ExactlyOnce);
    let (mut end, _) = place.accept();
    let properties = codec::Properties::new([
        codec::Property::MaximumQoS(QoS::AtLeastOnce),
        codec::Property::RetainAvailable(false),
        codec::Property::ReceiveMaximum(1),
    ]);
    let properties = properties.unwrap();
    let code = ReasonCode::Success;
    end.send(Packet::ConnAck(codec::ConnAck { session_present: false, code, properties }));
    match end.grant() {
        Packet::Subscribe(subscribe) => {
            assert_eq!(subscribe.subscriptions[0].options.qos, QoS::AtLeastOnce);
        }
        other => panic!("{other:?}"),
    }
    end.expect("big/x", "early", QoS::AtLeastOnce);
    let publish = |client: &mut End, payload: &str| {
        let message = message("big/x", payload, QoS::ExactlyOnce);
        client.publish_message(codec::Publish { retain: true, ..message });
    };
    publish(&mut client, &"x".repeat(100));
    publish(&mut client, "small");
    publish(&mut client, "smaller");
    let first = end.receive_publish();
    assert_eq!((&first.payload[..], first.qos), (&b"small"[..], QoS::AtLeastOnce));
    assert!(!first.retain);
    // One at a time.
    end.ping();
    let ack = codec::Ack::new(first.packet_id.unwrap(), ReasonCode::Success);
    end.send(Packet::PubAck(ack));
    end.expect("big/x", "smaller", QoS::AtLeastOnce);
}

#[test]
fn a_bridge_comes_from_where_it_is_told_to() {
    let place = Place::open();
    let _here = Node::start(Kind::Ours, &bridge(place.port, "bridge_bind_address 127.0.0.2"));
    let (end, _) = place.accept();
    assert_eq!(end.peer_ip(), std::net::Ipv4Addr::new(127, 0, 0, 2));
}
