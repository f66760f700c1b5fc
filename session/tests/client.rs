//! The client, call by call, against a server of which each answer is written down.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test, what must not be ends it"
)]

use bytes::{Bytes, BytesMut};
use codec::{
    Ack, Auth, ConnAck, Decoder, Disconnect, MqttString, Packet, PacketId, PacketType, Properties,
    Property, ProtocolVersion, Publish, QoS, ReasonCode, SubAck, Subscription, SubscriptionOptions,
    TopicFilter, TopicName, UnsubAck,
};
use session::{
    Action, AliasError, Client, DisconnectReason, Event, FlowError, Message, Millis, Options,
    PING_PATIENCE_MAX, PublishError, State, SubscribeError, Token, UNREAD_BYTES_MAX, Violation,
};
use std::num::NonZeroU16;

use ProtocolVersion::{V5, V31, V311};

/// A client, and what it sends as packets.
struct Wired {
    client: Client,
    version: ProtocolVersion,
    now: Millis,
    sent: (Decoder, BytesMut),
}

fn options(version: ProtocolVersion) -> Options {
    Options::new(version, MqttString::new("kitchen").expect("text"))
}

fn text(text: &str) -> MqttString {
    MqttString::new(text).expect("text")
}

fn id(number: u16) -> PacketId {
    NonZeroU16::new(number).expect("not 0")
}

fn message(qos: QoS, payload: impl Into<Bytes>) -> Message {
    Message { qos, ..Message::new(TopicName::new("t").expect("a topic"), payload) }
}

fn lines(filters: &[&str]) -> Vec<Subscription> {
    let line = |filter: &&str| Subscription {
        filter: TopicFilter::new(filter).expect("a filter"),
        options: SubscriptionOptions::with_qos(QoS::ExactlyOnce),
    };
    filters.iter().map(line).collect()
}

fn filters(filters: &[&str]) -> Vec<TopicFilter> {
    lines(filters).into_iter().map(|line| line.filter).collect()
}

fn accepted(session_present: bool, properties: &[Property]) -> Packet {
    let properties = Properties::new(properties.iter().cloned()).expect("small");
    Packet::ConnAck(ConnAck { session_present, code: ReasonCode::Success, properties })
}

impl Wired {
    fn new(options: Options) -> Self {
        let version = options.version;
        let client = Client::new(options, 1).expect("the options make a CONNECT");
        let sent = (Decoder::server(1 << 28), BytesMut::new());
        Self { client, version, now: Millis(1_000), sent }
    }

    /// Opens a transport and takes the CONNECT.
    fn open(&mut self) -> codec::Connect {
        if let Some(at) = self.client.poll_timeout().filter(|_| !self.is_idle()) {
            self.now = at;
            self.client.on_timeout(at);
        } else {
            self.client.connect(self.now);
        }
        assert_eq!(self.client.poll_action(), Some(Action::Open));
        self.sent = (Decoder::server(1 << 28), BytesMut::new());
        self.client.on_transport_open(self.now);
        match self.sent().pop() {
            Some(Packet::Connect(connect)) => *connect,
            other => panic!("{other:?} instead of CONNECT"),
        }
    }

    fn is_idle(&self) -> bool {
        self.client.state() == State::Idle
    }

    fn connected(options: Options, properties: &[Property]) -> Self {
        let mut wired = Self::new(options);
        wired.open();
        wired.hear(&accepted(false, properties));
        assert!(matches!(wired.events()[..], [Event::Connected(_)]));
        wired
    }

    fn hear(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        packet.encode(self.version, &mut bytes).expect("the test makes packets");
        self.client.on_bytes(self.now, &mut bytes);
    }

    fn sent(&mut self) -> Vec<Packet> {
        while self.client.poll_transmit(&mut self.sent.1) {}
        let (decoder, bytes) = &mut self.sent;
        std::iter::from_fn(|| decoder.decode(bytes).expect("the client makes packets")).collect()
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.client.poll_event()).collect()
    }

    fn after(&mut self, ms: u64) {
        self.now = self.now.after(ms);
        self.client.on_timeout(self.now);
    }

    /// The one reason why there is no connection any more, and whether another is tried for.
    fn lost(&mut self) -> (DisconnectReason, bool) {
        match self.events().pop() {
            Some(Event::Disconnected { why, retry_in_ms }) => (why, retry_in_ms.is_some()),
            other => panic!("{other:?} instead of Disconnected"),
        }
    }
}

#[test]
fn connect_says_what_the_options_say() {
    let mut asked = options(V5);
    asked.clean_start = false;
    asked.session_expiry_s = 60;
    asked.receive_maximum = id(7);
    asked.packet_size_max = 1_000;
    asked.topic_alias_maximum = 3;
    asked.keep_alive_s = 5;
    asked.username = Some(text("me"));
    asked.password = Some(Bytes::from_static(b"secret"));
    assert!(!format!("{asked:?}").contains("secret"));
    let connect = Wired::new(asked).open();
    assert_eq!((connect.version, connect.clean_start, connect.keep_alive_s), (V5, false, 5));
    assert_eq!(connect.properties.session_expiry_interval(), Some(60));
    assert_eq!(connect.properties.receive_maximum(), Some(7));
    assert_eq!(connect.properties.maximum_packet_size(), Some(1_000));
    assert_eq!(connect.properties.topic_alias_maximum(), Some(3));
    assert_eq!(connect.username, Some(text("me")));

    let connect = Wired::new(options(V31)).open();
    assert_eq!((connect.version, connect.clean_start), (V31, true));

    let mut long = options(V5);
    long.password = Some(Bytes::from(vec![0; 65_536]));
    assert!(Client::new(long, 1).is_err());
}

/// [MQTT-3.1.2-21, MQTT-3.2.2-21]
#[test]
fn mqtt_3_2_2_16_and_21_an_assigned_identifier_and_a_server_keep_alive_are_used() {
    let mut asked = options(V5);
    asked.client_id = MqttString::default();
    let mut wired = Wired::new(asked);
    assert!(wired.open().client_id.is_empty());
    wired.hear(&accepted(
        false,
        &[Property::AssignedClientIdentifier(text("auto-1")), Property::ServerKeepAlive(4)],
    ));
    let Some(Event::Connected(connected)) = wired.events().pop() else { panic!("no Connected") };
    assert_eq!((connected.client_id, connected.keep_alive_s), (text("auto-1"), 4));
    assert_eq!(wired.client.poll_timeout(), Some(wired.now.after(3_000)));
    wired.client.on_transport_closed(wired.now);
    assert_eq!(wired.open().client_id, text("auto-1"));
}

#[test]
fn a_refusal_is_told_and_tried_again_only_if_that_can_help() {
    for (code, retries) in [
        (ReasonCode::BadUserNameOrPassword, false),
        (ReasonCode::NotAuthorized, false),
        (ReasonCode::ClientIdentifierNotValid, false),
        (ReasonCode::UseAnotherServer, false),
        (ReasonCode::ServerUnavailable, true),
        (ReasonCode::ServerBusy, true),
        (ReasonCode::ConnectionRateExceeded, true),
    ] {
        let mut wired = Wired::new(options(V5));
        wired.open();
        let properties =
            Properties::new([Property::ReasonString(text("so it is"))]).expect("small");
        wired.hear(&Packet::ConnAck(ConnAck { session_present: false, code, properties }));
        let Some(Event::Refused { code: told, reason, retry_in_ms, .. }) = wired.events().pop()
        else {
            panic!("no Refused");
        };
        assert_eq!((told, reason), (code, Some(text("so it is"))));
        assert_eq!(retry_in_ms.is_some(), retries, "{code}");
        assert_eq!(wired.client.poll_action(), Some(Action::Close));
        assert_eq!(wired.is_idle(), !retries, "{code}");
    }
}

#[test]
fn whoever_does_not_answer_in_time_is_left() {
    let mut wired = Wired::new(options(V311));
    wired.client.connect(wired.now);
    assert_eq!(wired.client.poll_action(), Some(Action::Open));
    wired.after(Options::OPEN_TIMEOUT_MS - 1);
    assert_eq!(wired.client.state(), State::Opening);
    wired.after(1);
    assert_eq!(wired.lost(), (DisconnectReason::OpenTimeout, true));
    assert_eq!(wired.client.poll_action(), Some(Action::Close));

    wired.open();
    wired.after(Options::HANDSHAKE_TIMEOUT_MS - 1);
    assert_eq!(wired.client.state(), State::Handshake);
    wired.after(1);
    assert_eq!(wired.lost(), (DisconnectReason::HandshakeTimeout, true));
    assert_eq!(wired.client.poll_action(), Some(Action::Close));

    wired.client.connect(wired.now);
    assert_eq!(wired.client.poll_action(), Some(Action::Open));
    wired.client.on_transport_closed(wired.now);
    assert_eq!(wired.lost(), (DisconnectReason::Unreachable, true));
}

/// [MQTT-3.1.2-20], 3.1.1 [MQTT-3.1.2-23]
#[test]
fn mqtt_3_1_2_20_pings_go_out_before_keep_alive_is_over_and_silence_ends_the_connection() {
    let mut asked = options(V311);
    asked.keep_alive_s = 20;
    let mut wired = Wired::connected(asked, &[]);
    for _ in 0..3 {
        wired.after(14_999);
        assert_eq!(wired.sent(), []);
        wired.after(1);
        assert_eq!(wired.sent(), [Packet::PingReq]);
        wired.hear(&Packet::PingResp);
    }
    wired.after(15_000);
    assert_eq!(wired.sent(), [Packet::PingReq]);
    wired.after(Options::PING_TIMEOUT_MS - 1);
    assert_eq!(wired.client.state(), State::Connected);
    wired.after(1);
    assert_eq!(wired.lost(), (DisconnectReason::PingTimeout, true));
    assert_eq!(wired.client.poll_action(), Some(Action::Close));
}

/// What a WebSocket hands over as one message is silence until it is whole.
#[test]
fn a_server_behind_a_very_large_message_is_given_more_time_on_each_connection() {
    let mut asked = options(V311);
    asked.keep_alive_s = 20;
    let mut wired = Wired::connected(asked, &[]);
    let mut patience = 1;
    for _ in 0..6 {
        wired.after(15_000);
        assert_eq!(wired.sent(), [Packet::PingReq]);
        wired.after(Options::PING_TIMEOUT_MS * patience - 1);
        assert_eq!(wired.client.state(), State::Connected);
        wired.after(1);
        assert_eq!(wired.lost(), (DisconnectReason::PingTimeout, true));
        assert_eq!(wired.client.poll_action(), Some(Action::Close));
        wired.open();
        wired.hear(&accepted(false, &[]));
        wired.sent();
        while wired.client.poll_event().is_some() {}
        patience = (patience * 2).min(PING_PATIENCE_MAX);
    }
    // It got through.
    wired.after(15_000);
    wired.hear(&Packet::PingResp);
    wired.sent();
    wired.after(15_000);
    assert_eq!(wired.sent(), [Packet::PingReq]);
    wired.after(Options::PING_TIMEOUT_MS);
    assert_eq!(wired.lost(), (DisconnectReason::PingTimeout, true));
}

/// So that whatever comes behind a packet that never comes through is not lost with it, each time anew.
#[test]
fn once_a_server_never_answered_it_is_asked_for_small_packets_only() {
    let silent = |wired: &mut Wired| {
        wired.after(15_000);
        wired.sent();
        wired.after(Options::PING_TIMEOUT_MS * PING_PATIENCE_MAX);
        assert_eq!(wired.lost(), (DisconnectReason::PingTimeout, true));
        assert_eq!(wired.client.poll_action(), Some(Action::Close));
        let asked = wired.open().properties.maximum_packet_size();
        wired.hear(&accepted(false, &[]));
        match &wired.events()[..] {
            [Event::Connected(connected)] => (asked, connected.is_cautious),
            other => panic!("{other:?}"),
        }
    };
    for (version, cautious) in [(V5, Some(100)), (V311, None)] {
        let mut asked = options(version);
        (asked.keep_alive_s, asked.packet_size_max, asked.packet_size_cautious) = (20, 1_000, 100);
        let mut wired = Wired::connected(asked, &[]);
        wired.after(15_000);
        wired.hear(&Packet::PingResp);
        let whole = version.is_v5().then_some(1_000);
        assert_eq!(silent(&mut wired), (whole, false), "it was there before it fell silent");
        for _ in 0..2 {
            assert_eq!(silent(&mut wired), (cautious, true));
        }
        // A server that sends more all the same is understood.
        let topic = TopicName::new("t").expect("a topic");
        wired.hear(&Packet::Publish(Publish::new(topic, "x".repeat(500))));
        assert!(matches!(wired.events()[..], [Event::Message(_)]));
    }
}

#[test]
fn a_client_that_only_sends_still_finds_out_that_nobody_hears_it() {
    let mut asked = options(V311);
    asked.keep_alive_s = 20;
    let mut wired = Wired::connected(asked, &[]);
    let mut pinged_after = 0;
    for second in 1..60 {
        wired.client.publish(message(QoS::AtMostOnce, "x")).expect("there is room");
        wired.after(1_000);
        if wired.sent().contains(&Packet::PingReq) && pinged_after == 0 {
            pinged_after = second;
        }
        if wired.client.state() != State::Connected {
            break;
        }
    }
    assert_eq!(pinged_after, 15);
    assert_eq!(wired.lost(), (DisconnectReason::PingTimeout, true));
}

#[test]
fn without_keep_alive_there_are_no_pings() {
    let mut asked = options(V311);
    asked.keep_alive_s = 0;
    let mut wired = Wired::connected(asked, &[]);
    assert_eq!(wired.client.poll_timeout(), None);
    wired.after(1_000_000);
    assert_eq!(wired.sent(), []);
}

/// [MQTT-3.2.2-11, MQTT-3.2.2-14, MQTT-3.2.2-15]
#[test]
fn what_the_server_does_not_take_is_not_sent() {
    let limits = [
        Property::MaximumQoS(QoS::AtLeastOnce),
        Property::RetainAvailable(false),
        Property::MaximumPacketSize(30),
    ];
    let retained = Message { retain: true, ..message(QoS::AtMostOnce, "x") };
    let large = message(QoS::AtMostOnce, "x".repeat(30));
    let too_much = [message(QoS::ExactlyOnce, "x"), retained, large];
    let why = [
        PublishError::QosNotSupported { maximum: QoS::AtLeastOnce },
        PublishError::RetainNotSupported,
        PublishError::TooLarge { size: 39, max: 30 },
    ];

    let mut wired = Wired::connected(options(V5), &limits);
    for (message, why) in too_much.iter().zip(&why) {
        assert_eq!(wired.client.publish(message.clone()).as_ref(), Err(why));
    }
    // The same, taken before the server could say so.
    let mut wired = Wired::new(options(V5));
    for message in &too_much {
        wired.client.publish(message.clone()).expect("there is room");
    }
    wired.open();
    wired.hear(&accepted(false, &limits));
    let failed: Vec<_> = wired
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::PublishFailed { why, .. } => Some(why),
            _ => None,
        })
        .collect();
    assert!(why.iter().all(|why| failed.contains(why)), "{failed:?}");
    assert_eq!((wired.sent(), wired.client.held()), (vec![], 0));
}

#[test]
fn messages_wait_for_a_connection_up_to_the_limits() {
    let mut asked = options(V5);
    asked.queue_messages_max = 2;
    asked.queue_bytes_max = 10;
    let mut wired = Wired::new(asked);
    let publish = |wired: &mut Wired, qos, payload: &str| {
        wired.client.publish(message(qos, payload.to_owned())).map(|_| ())
    };
    assert_eq!(publish(&mut wired, QoS::AtLeastOnce, "1234567890"), Err(PublishError::QueueFull));
    assert_eq!(publish(&mut wired, QoS::AtLeastOnce, "1"), Ok(()));
    assert_eq!(publish(&mut wired, QoS::AtMostOnce, "2"), Ok(()));
    assert_eq!(publish(&mut wired, QoS::AtMostOnce, "3"), Err(PublishError::QueueFull));
    wired.open();
    assert_eq!(wired.sent(), [], "not before CONNACK");
    wired.hear(&accepted(false, &[]));
    assert_eq!(wired.sent().len(), 2);
    assert_eq!(wired.client.held(), 1, "the one of QoS 1 is the server's only with PUBACK");
    wired.hear(&Packet::PubAck(Ack::new(id(1), ReasonCode::NoMatchingSubscribers)));
    assert_eq!(wired.client.held(), 0);
    let told = Event::Published { token: Token(0), code: ReasonCode::NoMatchingSubscribers };
    assert_eq!(wired.events().pop(), Some(told));
}

#[test]
fn a_publish_that_has_no_form_is_turned_down_at_once() {
    let mut client = Client::new(options(V5), 1).expect("the options make a CONNECT");
    for property in [Property::ReceiveMaximum(1), Property::SubscriptionIdentifier(1)] {
        let properties = Properties::new([property.clone()]).expect("small");
        let bad = Message { properties, ..message(QoS::AtMostOnce, "x") };
        let error = client.publish(bad).expect_err("it can't be in a PUBLISH to a server");
        assert_eq!(error, PublishError::Encode(codec::EncodeError::Property(property.id())));
    }
    let properties = Properties::new([Property::TopicAlias(9)]).expect("small");
    let aliased = Message { properties, ..message(QoS::AtMostOnce, "x") };
    assert!(client.publish(aliased).is_ok(), "a message that is passed on, alias and all");
}

/// [MQTT-3.2.2-17, MQTT-3.2.2-18, MQTT-3.3.2-9]
#[test]
fn topics_are_sent_once_where_the_server_takes_aliases() {
    let mut wired = Wired::connected(options(V5), &[Property::TopicAliasMaximum(1)]);
    for _ in 0..2 {
        wired.client.publish(message(QoS::AtMostOnce, "x")).expect("there is room");
    }
    let topics: Vec<bool> = wired
        .sent()
        .iter()
        .map(|packet| match packet {
            Packet::Publish(publish) => publish.topic.is_some(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(topics, [true, false]);
}

#[test]
fn a_message_of_qos_2_in_doubt_fails_when_the_session_is_lost_and_one_of_qos_1_is_sent_anew() {
    let mut wired = Wired::connected(options(V311), &[]);
    let one = wired.client.publish(message(QoS::AtLeastOnce, "1")).expect("there is room");
    let two = wired.client.publish(message(QoS::ExactlyOnce, "2")).expect("there is room");
    let taken = wired.client.publish(message(QoS::ExactlyOnce, "3")).expect("there is room");
    let sent = wired.sent();
    let Packet::Publish(Publish { packet_id: Some(third), .. }) = sent[2] else { panic!() };
    wired.hear(&Packet::PubRec(Ack::new(third, ReasonCode::Success)));
    assert_eq!(wired.events(), [Event::Published { token: taken, code: ReasonCode::Success }]);
    wired.client.on_transport_closed(wired.now);
    wired.open();
    wired.hear(&accepted(false, &[]));
    let failed = Event::PublishFailed { token: two, why: PublishError::SessionLost };
    assert!(wired.events().contains(&failed));
    let sent = wired.sent();
    let [Packet::Publish(again)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((again.dup, again.payload.as_ref()), (false, &b"1"[..]));
    let id = again.packet_id.expect("QoS 1");
    wired.hear(&Packet::PubAck(Ack::new(id, ReasonCode::Success)));
    assert_eq!(wired.events(), [Event::Published { token: one, code: ReasonCode::Success }]);
}

#[test]
fn subscriptions_are_asked_for_again_when_the_server_has_lost_them_and_only_then() {
    let mut asked = options(V5);
    asked.session_expiry_s = 60;
    let mut wired = Wired::new(asked);
    let token = wired.client.subscribe(lines(&["a", "b"]), Some(5)).expect("there is room");
    wired.client.subscribe(lines(&["c"]), None).expect("there is room");
    wired.client.unsubscribe(filters(&["c"])).expect("there is room");
    assert!(wired.open().clean_start);
    wired.hear(&accepted(false, &[]));
    let sent = wired.sent();
    assert_eq!(
        sent.iter().map(Packet::packet_type).collect::<Vec<_>>(),
        [PacketType::Subscribe, PacketType::Subscribe, PacketType::Unsubscribe],
        "in the order they were asked for"
    );
    let codes = vec![ReasonCode::GrantedQoS2, ReasonCode::NotAuthorized];
    let properties = Properties::EMPTY;
    wired.hear(&Packet::SubAck(SubAck { packet_id: id(1), properties, codes }));
    let [_, Event::Subscribed { token: told, results }] = &wired.events()[..] else { panic!() };
    assert_eq!((*told, results[1].1), (token, ReasonCode::NotAuthorized));

    for (session_present, want) in [(true, 2), (true, 2), (false, 3)] {
        wired.client.on_transport_closed(wired.now);
        assert!(!wired.open().clean_start, "the session goes on");
        wired.hear(&accepted(session_present, &[]));
        let sent = wired.sent();
        assert_eq!(sent.len(), want, "what has no answer yet is asked again: {sent:?}");
        if let Packet::Subscribe(subscribe) = &sent[0]
            && !session_present
        {
            assert_eq!(subscribe.subscriptions, lines(&["a"]), "b was refused");
            assert_eq!(subscribe.properties.subscription_identifier(), Some(5));
        }
    }
}

#[test]
fn what_the_server_does_not_have_is_not_subscribed_to() {
    let mut wired = Wired::connected(
        options(V5),
        &[
            Property::WildcardSubscriptionAvailable(false),
            Property::SharedSubscriptionAvailable(false),
            Property::MaximumPacketSize(40),
        ],
    );
    let mixed = lines(&["a", "b/#", "$share/g/c"]);
    let token = wired.client.subscribe(mixed, None).expect("there is room");
    let sent = wired.sent();
    let [Packet::Subscribe(subscribe)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(subscribe.subscriptions, lines(&["a"]));
    let (packet_id, properties) = (subscribe.packet_id, Properties::EMPTY);
    let codes = vec![ReasonCode::GrantedQoS1];
    wired.hear(&Packet::SubAck(SubAck { packet_id, properties, codes }));
    let codes = |event: Option<Event>| match event {
        Some(Event::Subscribed { results, token }) => {
            (token, results.into_iter().map(|(_, code)| code).collect::<Vec<_>>())
        }
        other => panic!("{other:?}"),
    };
    let want = vec![
        ReasonCode::GrantedQoS1,
        ReasonCode::WildcardSubscriptionsNotSupported,
        ReasonCode::SharedSubscriptionsNotSupported,
    ];
    assert_eq!(codes(wired.events().pop()), (token, want));

    let token = wired.client.subscribe(lines(&["x".repeat(40).as_str()]), None).expect("room");
    assert_eq!(wired.sent(), []);
    assert_eq!(codes(wired.events().pop()), (token, vec![ReasonCode::PacketTooLarge]));

    let mut no_local = lines(&["$share/g/c"]);
    no_local[0].options.no_local = true;
    let refused = wired.client.subscribe(no_local, None);
    assert_eq!(refused, Err(SubscribeError::NoLocalOnShared));
    let nothing = SubscribeError::Encode(codec::EncodeError::Empty);
    assert_eq!(wired.client.subscribe(vec![], None), Err(nothing));
}

#[test]
fn unsubscribing_is_told_of_in_every_version() {
    for version in [V31, V311, V5] {
        let mut wired = Wired::connected(options(version), &[]);
        let token = wired.client.unsubscribe(filters(&["a"])).expect("there is room");
        let sent = wired.sent();
        let [Packet::Unsubscribe(unsubscribe)] = &sent[..] else { panic!("{sent:?}") };
        let codes = if version.is_v5() { vec![ReasonCode::Success] } else { vec![] };
        let (packet_id, properties) = (unsubscribe.packet_id, Properties::EMPTY);
        wired.hear(&Packet::UnsubAck(UnsubAck { packet_id, properties, codes }));
        let a = TopicFilter::new("a").expect("a filter");
        let results = vec![(a, ReasonCode::Success)];
        assert_eq!(wired.events(), [Event::Unsubscribed { token, results }]);
    }
}

#[test]
fn a_server_that_breaks_the_protocol_is_told_so_and_left() {
    let publish = |qos: QoS, packet_id: u16| Publish {
        qos,
        packet_id: Some(id(packet_id)),
        ..Publish::new(TopicName::new("t").expect("a topic"), "x")
    };
    let aliased = Publish {
        topic: None,
        properties: Properties::new([Property::TopicAlias(1)]).expect("small"),
        ..Publish::new(TopicName::new("t").expect("a topic"), "x")
    };
    let suback = SubAck {
        packet_id: id(1),
        properties: Properties::EMPTY,
        codes: vec![ReasonCode::Success; 2],
    };
    let method = Properties::new([Property::AuthenticationMethod(text("m"))]).expect("small");
    let auth = Auth { code: ReasonCode::ContinueAuthentication, properties: method };
    let first = publish(QoS::ExactlyOnce, 1);
    for (packets, violation) in [
        (vec![accepted(false, &[])], Violation::Unexpected(PacketType::ConnAck)),
        (vec![Packet::Auth(auth)], Violation::Unexpected(PacketType::Auth)),
        (
            vec![Packet::Publish(first.clone()), Packet::Publish(publish(QoS::ExactlyOnce, 2))],
            Violation::Flow(PacketType::Publish, FlowError::ReceiveMaximumExceeded),
        ),
        (
            vec![Packet::Publish(first), Packet::Publish(publish(QoS::AtLeastOnce, 1))],
            Violation::Flow(PacketType::Publish, FlowError::WrongState),
        ),
        (vec![Packet::Publish(aliased)], Violation::Alias(AliasError::Unknown { alias: 1 })),
        (vec![Packet::SubAck(suback)], Violation::CodeCount(PacketType::SubAck)),
    ] {
        let mut asked = options(V5);
        asked.receive_maximum = id(1);
        let mut wired = Wired::connected(asked, &[]);
        wired.client.subscribe(lines(&["a"]), None).expect("there is room");
        wired.sent();
        packets.iter().for_each(|packet| wired.hear(packet));
        assert_eq!(wired.lost(), (DisconnectReason::Protocol(violation), true));
        let goodbye = Packet::Disconnect(Disconnect::new(violation.reason_code()));
        assert_eq!(wired.sent().pop(), Some(goodbye), "{violation}");
        assert_eq!(wired.client.poll_action(), Some(Action::Close));
    }

    let mut wired = Wired::connected(options(V311), &[]);
    wired.client.on_bytes(wired.now, &mut BytesMut::from(&b"\x00\x00 and more"[..]));
    assert!(matches!(wired.lost(), (DisconnectReason::Protocol(Violation::Decode(_)), true)));
    assert_eq!(wired.sent(), [], "before MQTT 5.0 there is no way to say it");

    let mut wired = Wired::new(options(V311));
    wired.open();
    wired.hear(&accepted(true, &[]));
    let violation = Violation::SessionPresent;
    assert_eq!(wired.lost(), (DisconnectReason::Protocol(violation), true));
}

/// 5.0 [MQTT-6.0.0-1]
#[test]
fn a_server_that_sends_text_is_left_and_tried_again() {
    let mut wired = Wired::connected(options(V5), &[]);
    wired.client.on_text(wired.now);
    assert_eq!(wired.lost(), (DisconnectReason::Text, true));
    assert_eq!(wired.client.poll_action(), Some(Action::Close));
    // Nothing is open any more that it could have come from.
    wired.client.on_text(wired.now);
    assert_eq!(wired.client.poll_event(), None);
}

#[test]
fn a_server_that_only_talks_does_not_fill_our_memory() {
    let mut wired = Wired::connected(options(V311), &[]);
    let mut flood = BytesMut::new();
    for number in 0..UNREAD_BYTES_MAX / 4 + 1 {
        let pubrel =
            Packet::PubRel(Ack::new(id((number % 65_535 + 1) as u16), ReasonCode::Success));
        pubrel.encode(V311, &mut flood).expect("the test makes packets");
    }
    wired.client.on_bytes(wired.now, &mut flood);
    assert_eq!(wired.lost(), (DisconnectReason::ServerDoesNotRead, true));
    assert!(flood.is_empty());
}

#[test]
fn a_goodbye_from_the_server_decides_whether_to_come_back() {
    for (code, retries) in [
        (ReasonCode::ServerShuttingDown, true),
        (ReasonCode::KeepAliveTimeout, true),
        (ReasonCode::SessionTakenOver, false),
        (ReasonCode::ServerMoved, false),
    ] {
        let mut wired = Wired::connected(options(V5), &[]);
        let properties = Properties::new([Property::ReasonString(text("bye"))]).expect("small");
        wired.hear(&Packet::Disconnect(Disconnect { code, properties }));
        let (why, retried) = wired.lost();
        assert_eq!(why.to_string(), format!("the server ended the connection: {code}: bye"));
        assert_eq!(retried, retries, "{code}");
    }
}

/// 3.1.1 [MQTT-3.14.4-1, MQTT-3.14.4-2]
#[test]
fn disconnect_lets_what_can_go_go_first_and_stays_away() {
    let mut wired = Wired::connected(options(V311), &[]);
    wired.client.publish(message(QoS::AtMostOnce, "last words")).expect("there is room");
    wired.client.disconnect(wired.now);
    let types: Vec<_> = wired.sent().iter().map(Packet::packet_type).collect();
    assert_eq!(types, [PacketType::Publish, PacketType::Disconnect]);
    assert_eq!(wired.client.poll_action(), Some(Action::Close));
    assert_eq!(wired.lost(), (DisconnectReason::Requested, false));
    assert_eq!((wired.client.state(), wired.client.poll_timeout()), (State::Idle, None));

    wired.client.connect(wired.now);
    wired.client.disconnect(wired.now);
    assert_eq!(wired.client.poll_action(), None, "an Open that nobody has seen is undone");
}

#[test]
fn the_wait_grows_until_a_connection_has_held_for_a_while() {
    let mut wired = Wired::connected(options(V311), &[]);
    let wait = |wired: &mut Wired| {
        wired.client.on_transport_closed(wired.now);
        match wired.events().pop() {
            Some(Event::Disconnected { retry_in_ms: Some(ms), .. }) => ms,
            other => panic!("{other:?}"),
        }
    };
    // Connections that end as soon as they begin: the sum of eight full-jitter waits up to 30 s.
    let mut longest = 0;
    for _ in 0..8 {
        longest = longest.max(wait(&mut wired));
        wired.open();
        wired.hear(&accepted(false, &[]));
    }
    assert!(longest > 1_000 && longest <= 30_000, "{longest} ms");
    wired.after(session::STABLE_AFTER_MS);
    assert!(wait(&mut wired) <= 1_000, "a first wait again");
}

#[test]
fn mqtt_4_9_what_came_on_an_earlier_connection_does_not_count_on_this_one() {
    let mut asked = options(V5);
    asked.session_expiry_s = 60;
    asked.receive_maximum = id(1);
    let mut wired = Wired::connected(asked, &[]);
    for number in 1..4 {
        wired.hear(&Packet::Publish(Publish {
            qos: QoS::ExactlyOnce,
            packet_id: Some(id(number)),
            ..Publish::new(TopicName::new("t").expect("a topic"), "x")
        }));
        assert!(matches!(wired.events()[..], [Event::Message(_)]));
        wired.client.on_transport_closed(wired.now);
        wired.open();
        wired.hear(&accepted(true, &[]));
        wired.events();
    }
}

#[test]
fn a_subscribe_gives_its_identifier_back_with_the_answer_or_with_the_connection() {
    let mut asked = options(V311);
    asked.clean_start = false;
    let mut wired = Wired::connected(asked, &[]);
    // More than there are identifiers: each must come back.
    for round in 0..70_000 {
        wired.client.unsubscribe(filters(&["a"])).expect("there is room");
        let mut sent = wired.sent();
        if round % 10_000 == 1 {
            wired.client.on_transport_closed(wired.now);
            wired.open();
            wired.hear(&accepted(true, &[]));
            sent = wired.sent();
        }
        let [Packet::Unsubscribe(unsubscribe)] = &sent[..] else { panic!("{round}: {sent:?}") };
        let (packet_id, properties) = (unsubscribe.packet_id, Properties::EMPTY);
        wired.hear(&Packet::UnsubAck(UnsubAck { packet_id, properties, codes: vec![] }));
        wired.events();
    }
}

#[test]
fn nothing_meant_for_one_transport_reaches_the_next() {
    let mut wired = Wired::connected(options(V5), &[]);
    wired.client.on_bytes(wired.now, &mut BytesMut::from(&b"\x00\x00"[..]));
    wired.events();
    assert_eq!(wired.client.poll_action(), Some(Action::Close));
    wired.open();
}

#[test]
fn plain_messages_are_offered_where_they_lie_and_all_keep_their_order() {
    let mut wired = Wired::connected(options(V5), &[]);
    let mut bytes = BytesMut::new();
    let mut say = |topic: &str, qos: QoS, property: Option<Property>| {
        let publish = Publish {
            dup: false,
            qos,
            retain: false,
            topic: Some(TopicName::new(topic).expect("a topic")),
            packet_id: (qos != QoS::AtMostOnce).then_some(id(1)),
            properties: Properties::new(property).expect("small"),
            payload: Bytes::from_static(b"1"),
        };
        let start = bytes.len();
        Packet::Publish(publish).encode(V5, &mut bytes).expect("the test makes packets");
        start
    };
    say("taken/1", QoS::AtMostOnce, None);
    say("taken/2", QoS::AtMostOnce, None);
    say("with a property", QoS::AtMostOnce, Some(Property::ContentType(text("text/plain"))));
    say("behind it", QoS::AtMostOnce, None);
    say("of QoS 1", QoS::AtLeastOnce, None);
    let whole = say("cut off", QoS::AtMostOnce, None);
    bytes.truncate(whole + 5);

    let mut heard = Vec::new();
    wired.client.on_bytes_with(wired.now, &mut bytes, |view| {
        heard.push(String::from_utf8_lossy(view.topic).into_owned());
        true
    });
    assert_eq!(heard, ["taken/1", "taken/2"], "nothing overtakes an event");
    assert_eq!(bytes.len(), 5, "what is not whole yet stays");
    heard.clear();
    for event in wired.events() {
        match event {
            Event::Message(message) => heard.push(message.topic.as_str().to_owned()),
            other => panic!("{other:?} instead of a message"),
        }
    }
    assert_eq!(heard, ["with a property", "behind it", "of QoS 1"]);
    assert!(matches!(wired.sent()[..], [Packet::PubAck(_)]), "as ever");
}
