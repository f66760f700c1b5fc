//! What answers and refusals say, and what they leave out.

use std::net::TcpListener;

use bytes::BytesMut;
use codec::{
    Ack, Connect, Disconnect, Packet, Properties, Property, ReasonCode, SubAck, TopicFilter,
    UnsubAck, Unsubscribe,
};
use tests::Broker;

use crate::authentication::{METHOD, with_users};
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
        let filters = vec![TopicFilter::new("other").unwrap()];
        let properties = Properties::EMPTY;
        let packet_id = id(77);
        client.send(Packet::Unsubscribe(Unsubscribe { packet_id, properties, filters }));
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

/// What the first message of an exchange has to say for the server to go on with it.
const FIRST: &str = "n,,n=ann,r=rOprNGfwEbeRWgbNEkqO";

/// How many bytes a packet takes.
fn size(packet: &Packet) -> usize {
    let mut bytes = BytesMut::new();
    packet.encode(V5, &mut bytes).unwrap();
    bytes.len()
}

/// Whether an answer explains itself to people or programs.
#[track_caller]
fn explains_itself(packet: &Packet) -> bool {
    let properties = match packet {
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            &ack.properties
        }
        Packet::ConnAck(connack) => &connack.properties,
        Packet::SubAck(suback) => &suback.properties,
        Packet::UnsubAck(unsuback) => &unsuback.properties,
        Packet::Disconnect(disconnect) => &disconnect.properties,
        Packet::Auth(auth) => &auth.properties,
        other => panic!("{other:?} answers nothing"),
    };
    properties.reason_string().is_some() || properties.user_properties().next().is_some()
}

/// A broker that takes messages of one byte only, and puts a level before every filter.
fn narrow_broker() -> Broker {
    Broker::configured(|ports| {
        let port = ports.mqtt;
        format!("message_size_limit 1\nlistener {port}\nallow_anonymous true\nmount_point m/")
    })
}

/// Asks for something that fails in each packet that has an answer; shows the answers.
#[track_caller]
fn fail_at_everything(client: &mut Client) -> Vec<Packet> {
    let unknown = |packet_id| Ack::new(id(packet_id), ReasonCode::Success);
    client.send_all([
        Packet::Publish(publish("t", "too long", AtLeastOnce, 1)),
        Packet::Publish(publish("t", "too long", ExactlyOnce, 2)),
        Packet::PubRec(unknown(3)),
        Packet::PubRel(unknown(4)),
        Packet::Unsubscribe(Unsubscribe {
            packet_id: id(5),
            properties: Properties::EMPTY,
            filters: vec![TopicFilter::new("t").unwrap()],
        }),
    ]);
    let mut answers: Vec<_> = (0..5).map(|_| client.receive()).collect();
    let too_deep = "/".repeat(200);
    client.send_subscribe(&[(&too_deep, options(AtMostOnce))], Properties::EMPTY);
    answers.push(client.receive());
    answers
}

#[track_caller]
fn assert_failures(answers: &[Packet]) {
    use ReasonCode::{
        NoSubscriptionExisted, PacketIdentifierNotFound, QuotaExceeded, TopicFilterInvalid,
    };
    let [
        Packet::PubAck(puback),
        Packet::PubRec(pubrec),
        Packet::PubRel(pubrel),
        Packet::PubComp(pubcomp),
        Packet::UnsubAck(unsuback),
        Packet::SubAck(suback),
    ] = answers
    else {
        panic!("{answers:?}")
    };
    assert_eq!([puback.code, pubrec.code], [QuotaExceeded; 2]);
    assert_eq!([pubrel.code, pubcomp.code], [PacketIdentifierNotFound; 2]);
    assert_eq!(unsuback.codes, [NoSubscriptionExisted]);
    assert_eq!(suback.codes, [TopicFilterInvalid]);
}

/// A client that wants explanations, and takes packets that are just as large as its CONNACK, gets every
/// answer, none of them with words that would not fit.
/// [MQTT-3.1.2-24, MQTT-3.4.2-2, MQTT-3.4.2-3, MQTT-3.5.2-2, MQTT-3.5.2-3, MQTT-3.6.2-2, MQTT-3.6.2-3,
/// MQTT-3.7.2-2, MQTT-3.7.2-3, MQTT-3.9.2-1, MQTT-3.9.2-2, MQTT-3.11.2-1, MQTT-3.11.2-2, MQTT-3.14.2-3,
/// MQTT-3.14.2-4]
#[test]
fn answers_fit_the_maximum_packet_size_without_words() {
    let broker = narrow_broker();
    let (_, connack) = Client::connect_and_look(&broker, connect(V5, "c"));
    let maximum = size(&Packet::ConnAck(connack));
    let properties = properties([
        Property::MaximumPacketSize(maximum.try_into().unwrap()),
        Property::RequestProblemInformation(true),
    ]);
    let mut client = Client::connect(&broker, Connect { properties, ..connect(V5, "c") });
    let mut answers = fail_at_everything(&mut client);
    assert_failures(&answers);
    client.send_bytes(&[0x00, 0x00]);
    let last = client.receive();
    assert!(matches!(&last, Packet::Disconnect(end) if end.code == ReasonCode::MalformedPacket));
    answers.push(last);
    for answer in &answers {
        assert!(size(answer) <= maximum && !explains_itself(answer), "{maximum}: {answer:?}");
    }
    client.expect_closed();
}

/// An AUTH that just fits has no words beside what it is for, and one that does not fit is not sent.
/// [MQTT-3.1.2-24, MQTT-3.15.2-2, MQTT-3.15.2-3]
#[test]
fn an_auth_fits_the_maximum_packet_size_without_words() {
    let broker = with_users();
    let begin = |maximum: Option<usize>| {
        let maximum = maximum.map(|size| Property::MaximumPacketSize(size.try_into().unwrap()));
        let method = [
            Property::AuthenticationMethod(text(METHOD)),
            Property::AuthenticationData(FIRST.into()),
            Property::RequestProblemInformation(true),
        ];
        let properties = properties(method.into_iter().chain(maximum));
        let mut client = Client::open(&broker, V5);
        client.send(Packet::Connect(Box::new(Connect { properties, ..connect(V5, "c") })));
        client
    };
    let auth = begin(None).receive();
    assert!(matches!(auth, Packet::Auth(_)), "{auth:?}");
    let needed = size(&auth);
    let auth = begin(Some(needed)).receive();
    assert!(matches!(auth, Packet::Auth(_)), "{auth:?}");
    assert!(size(&auth) <= needed && !explains_itself(&auth), "{auth:?}");
    begin(Some(needed - 1)).expect_closed();
}

/// An identifier that belongs to a bridge is refused as such, and the connection ends.
/// [MQTT-3.1.3-8]
#[test]
fn an_identifier_that_is_refused_ends_the_connection() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = silent.local_addr().unwrap();
    let broker = Broker::configured(|ports| {
        format!(
            "listener {}\nallow_anonymous true\nconnection b\naddress {there}\n\
             local_clientid mine\ntopic t both",
            ports.mqtt
        )
    });
    for version in VERSIONS {
        let mut client = Client::open(&broker, version);
        client.send(Packet::Connect(Box::new(connect(version, "mine"))));
        client.expect_refusal(ReasonCode::ClientIdentifierNotValid);
    }
}

/// However often a client sends CONNECT, and whether it is accepted or refused, it hears CONNACK once.
/// [MQTT-3.2.0-2]
#[test]
fn there_is_one_connack() {
    let broker = Broker::start();
    let deep = Some(will(&"a/".repeat(1000), "of too many levels"));
    for version in VERSIONS {
        // What is refused before MQTT 5.0 is a session that is to last and has no name.
        let refused = if version.is_v5() {
            Connect { will: deep.clone(), ..connect(version, "c") }
        } else {
            Connect { clean_start: false, ..connect(version, "") }
        };
        for connect in [connect(version, "c"), refused] {
            let connect = Packet::Connect(Box::new(connect));
            let mut client = Client::open(&broker, version);
            client.send_all([connect.clone(), connect.clone(), connect]);
            let mut connacks = 0;
            while let Some(packet) = client.receive_or_closed() {
                connacks += usize::from(matches!(packet, Packet::ConnAck(_)));
            }
            assert_eq!(connacks, 1, "{version}");
        }
    }
}

/// A DISCONNECT of the broker is the last that comes, whatever it had to send and to answer, and the
/// connection is closed after it.
/// [MQTT-3.14.4-1, MQTT-3.14.4-2]
#[test]
fn nothing_comes_after_disconnect() {
    let broker = Broker::start();
    let mut publisher = Client::clean(&broker, V5, "publisher");
    let messages = || (0..200).map(|_| Packet::Publish(publish("t", "x", AtMostOnce, 1)));
    let causes =
        [ReasonCode::MalformedPacket, ReasonCode::ProtocolError, ReasonCode::SessionTakenOver];
    for code in causes {
        let mut client = Client::clean(&broker, V5, "c");
        client.subscribe_qos("t", AtMostOnce);
        publisher.send_all(messages());
        match code {
            // The pings that follow in the same write would have answers.
            ReasonCode::MalformedPacket => client.send_bytes(&[0x00, 0x00, 0xc0, 0x00, 0xc0, 0x00]),
            ReasonCode::ProtocolError => {
                let again = Packet::Connect(Box::new(connect(V5, "c")));
                client.send_all([again, Packet::PingReq]);
            }
            _ => Client::clean(&broker, V5, "c").disconnect(),
        }
        publisher.send_all(messages());
        let last = loop {
            match client.receive() {
                Packet::Publish(_) => {}
                other => break other,
            }
        };
        assert!(matches!(&last, Packet::Disconnect(end) if end.code == code), "{last:?}");
        client.expect_closed();
    }
}
