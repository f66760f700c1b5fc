//! What answers and refusals say, and what they leave out.

use codec::{Ack, Connect, Disconnect, Packet, Properties, Property, ReasonCode, SubAck, UnsubAck};
use tests::Broker;

use crate::client::*;

/// Acknowledgements carry a Reason Code and nothing else, asked for or not, so that none of them can be
/// too large for a client or explain what it does not want explained.
/// [MQTT-3.1.2-29, MQTT-3.4.2-2, MQTT-3.4.2-3, MQTT-3.5.2-2, MQTT-3.5.2-3, MQTT-3.6.2-2,
/// MQTT-3.6.2-3, MQTT-3.7.2-2, MQTT-3.7.2-3, MQTT-3.9.2-1, MQTT-3.9.2-2, MQTT-3.11.2-1,
/// MQTT-3.11.2-2]
#[test]
fn acknowledgements_carry_no_words() {
    let broker = Broker::start();
    for wanted in [true, false] {
        let properties = properties([Property::RequestProblemInformation(wanted)]);
        let mut client = Client::connect(&broker, Connect { properties, ..connect(V5, "c") });
        // Each answer says that something is not as it should be.
        client.send(Packet::Publish(publish("$SYS/x", "x", AtLeastOnce, 1)));
        client.expect(Packet::PubAck(Ack::new(id(1), ReasonCode::NotAuthorized)));
        client.send(Packet::Publish(publish("$SYS/x", "x", ExactlyOnce, 2)));
        client.expect(Packet::PubRec(Ack::new(id(2), ReasonCode::NotAuthorized)));
        client.send(Packet::PubRec(Ack::new(id(3), ReasonCode::Success)));
        client.expect(Packet::PubRel(Ack::new(id(3), ReasonCode::PacketIdentifierNotFound)));
        client.send(Packet::PubRel(Ack::new(id(4), ReasonCode::Success)));
        client.expect(Packet::PubComp(Ack::new(id(4), ReasonCode::PacketIdentifierNotFound)));
        let packet_id = client.send_subscribe(&[("t", options(AtMostOnce))], Properties::EMPTY);
        let codes = vec![ReasonCode::Success];
        let properties = Properties::EMPTY;
        client.expect(Packet::SubAck(SubAck { packet_id, properties, codes }));
        let filters = vec![codec::TopicFilter::new("other").unwrap()];
        let properties = Properties::EMPTY;
        let packet_id = id(77);
        client.send(Packet::Unsubscribe(codec::Unsubscribe { packet_id, properties, filters }));
        let codes = vec![ReasonCode::NoSubscriptionExisted];
        let properties = Properties::EMPTY;
        client.expect(Packet::UnsubAck(UnsubAck { packet_id, properties, codes }));
    }
}

/// A CONNACK or DISCONNECT of ours has no User Properties, and no Response Information where nobody
/// asked for it.
/// [MQTT-3.1.2-28, MQTT-3.2.2-20, MQTT-3.14.2-2, MQTT-3.14.2-4]
#[test]
fn greetings_and_goodbyes_say_no_more_than_they_must() {
    let broker = Broker::start();
    for wanted in [None, Some(false)] {
        let properties = properties(wanted.map(Property::RequestResponseInformation));
        let connect = Connect { properties, ..connect(V5, "c") };
        let (mut client, connack) = Client::connect_and_look(&broker, connect);
        assert_eq!(connack.properties.response_information(), None);
        assert_eq!(connack.properties.user_properties().count(), 0);
        client.send_bytes(&[0x00, 0x00]);
        let Packet::Disconnect(end) = client.receive() else { panic!("no DISCONNECT") };
        assert_eq!(end.properties.user_properties().count(), 0);
        assert_eq!(end.properties.session_expiry_interval(), None);
        // Nothing follows a goodbye but the end of the connection.
        client.expect_closed();
    }
}

/// The broker hears nothing of a client that has said goodbye, and closes the connection.
/// [MQTT-3.14.4-1, MQTT-3.14.4-2]
#[test]
fn nothing_is_done_after_a_goodbye() {
    let broker = Broker::start();
    let mut subscriber = Client::clean(&broker, V5, "subscriber");
    subscriber.subscribe_qos("t", AtMostOnce);
    for version in VERSIONS {
        let mut client = Client::clean(&broker, version, "c");
        client.send_all([
            Packet::Disconnect(Disconnect::new(ReasonCode::Success)),
            Packet::Publish(publish("t", "too late", AtMostOnce, 1)),
            Packet::PingReq,
        ]);
        client.expect_closed();
        subscriber.expect_nothing();
    }
}

/// What follows a CONNECT that is refused is not done.
/// [MQTT-3.1.3-8, MQTT-3.1.4-2, MQTT-3.1.4-6, MQTT-3.2.0-2], 3.1.1 [MQTT-3.1.4-5]
#[test]
fn nothing_is_done_after_a_refusal() {
    let broker = Broker::configured(|ports| {
        format!("listener {} 127.0.0.1\nallow_anonymous true\nclientid_prefixes good\n", ports.mqtt)
    });
    let mut subscriber = Client::clean(&broker, V5, "good");
    subscriber.subscribe_qos("t", AtMostOnce);
    for version in VERSIONS {
        let mut client = Client::open(&broker, version);
        client.send_all([
            Packet::Connect(Box::new(connect(version, "bad"))),
            Packet::Publish(publish("t", "unheard", AtMostOnce, 1)),
            Packet::PingReq,
        ]);
        let Packet::ConnAck(connack) = client.receive() else { panic!("no CONNACK") };
        assert!(connack.code.is_error(), "{connack:?}");
        client.expect_closed();
        subscriber.expect_nothing();
    }
}

/// Identifiers of 1 to 23 letters and digits are taken, and user names and passwords of those who need
/// none.
/// [MQTT-3.1.3-5], 3.1.1 [MQTT-3.1.2-19, MQTT-3.1.2-21, MQTT-3.1.3-3, MQTT-3.1.3-5]
#[test]
fn plain_identifiers_and_names_are_taken() {
    let broker = Broker::start();
    for version in VERSIONS {
        for client_id in
            ["a", "0123456789abcdefghijklm", "nopqrstuvwxyzABCDEFGHIJ", "KLMNOPQRSTUVWXYZ"]
        {
            let (username, password) = (Some(text("somebody")), Some("secret".into()));
            let connect = Connect { username, password, ..connect(version, client_id) };
            Client::connect(&broker, connect).disconnect();
        }
    }
}

/// A connection without a will leaves nothing behind, and what is retained outlives every session.
/// 3.1.1 [MQTT-3.1.2-7, MQTT-3.1.2-12]
#[test]
fn retained_messages_outlive_sessions_and_no_will_is_made_up() {
    let broker = Broker::start();
    for version in VERSIONS {
        let mut watcher = Client::clean(&broker, version, "watcher");
        watcher.subscribe_qos("#", AtMostOnce);
        let mut mortal = Client::connect(&broker, persistent(version, "mortal"));
        mortal.publish_as(retained("t", "stays", AtLeastOnce));
        watcher.take("stays");
        mortal.vanish();
        watcher.expect_nothing();
        Client::clean(&broker, version, "mortal").disconnect();
        let mut late = Client::clean(&broker, version, "late");
        late.subscribe_qos("t", AtMostOnce);
        late.take("stays");
        Client::clean(&broker, version, "cleaner").publish_as(retained("t", "", AtLeastOnce));
    }
}

/// A session does not expire under its connection, however short it is to last afterwards.
/// [MQTT-4.1.0-1], 3.1.1 [MQTT-4.1.0-1, MQTT-4.1.0-2]
#[test]
fn a_session_lasts_as_long_as_its_connection() {
    let broker = Broker::start();
    let mut clients = VERSIONS.map(|version| {
        let mut client = Client::clean(&broker, version, &version.to_string());
        client.subscribe_qos("t", AtLeastOnce);
        client
    });
    let mut short =
        Client::connect(&broker, resuming("short", [Property::SessionExpiryInterval(1)]));
    short.subscribe_qos("t", AtLeastOnce);
    let_pass(std::time::Duration::from_millis(1500));
    Client::clean(&broker, V5, "publisher").publish("t", "still here");
    for client in clients.iter_mut().chain([&mut short]) {
        client.take("still here");
    }
}
