//! A client that does nothing by itself: each packet it sends and takes is a line of a test.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use codec::{
    Ack, ConnAck, Connect, Decoder, Disconnect, MqttString, PACKET_SIZE_MAX, Packet, PacketId,
    Properties, Property, ProtocolVersion, Publish, QoS, ReasonCode, SubAck, Subscribe,
    Subscription, SubscriptionOptions, TopicFilter, TopicName, UnsubAck, Unsubscribe, Will,
};
use rustix::process::{Resource, Rlimit};
use tests::PATIENCE;
use tests::broker::Broker;

pub(crate) use codec::ProtocolVersion::{V5, V31, V311};
pub(crate) use codec::QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};

/// Every version that the broker speaks.
pub(crate) const VERSIONS: [ProtocolVersion; 3] = [V31, V311, V5];
/// Every Quality of Service.
pub(crate) const QOS: [QoS; 3] = [AtMostOnce, AtLeastOnce, ExactlyOnce];

/// A Session Expiry Interval that means: never (MQTT 5.0 §3.1.2.11.2).
pub(crate) const FOREVER_S: u32 = u32::MAX;

/// A CONNECT with a clean start, without Keep Alive, whose session ends with its connection.
pub(crate) fn connect(version: ProtocolVersion, client_id: &str) -> Connect {
    Connect { keep_alive_s: 0, ..Connect::new(version, text(client_id)) }
}

/// A CONNECT that goes on with a session that never expires.
pub(crate) fn persistent(version: ProtocolVersion, client_id: &str) -> Connect {
    let properties =
        if version.is_v5() { vec![Property::SessionExpiryInterval(FOREVER_S)] } else { vec![] };
    let properties = self::properties(properties);
    Connect { clean_start: false, properties, ..connect(version, client_id) }
}

/// A CONNECT of MQTT 5.0 that goes on with a session, with these properties.
pub(crate) fn resuming(client_id: &str, properties: impl IntoIterator<Item = Property>) -> Connect {
    let properties = self::properties(properties);
    Connect { clean_start: false, properties, ..connect(V5, client_id) }
}

/// A will of QoS 1 that is not retained.
pub(crate) fn will(topic: &str, payload: &'static str) -> Will {
    Will {
        qos: AtLeastOnce,
        retain: false,
        properties: Properties::EMPTY,
        topic: name(topic),
        payload: Bytes::from_static(payload.as_bytes()),
    }
}

pub(crate) fn text(text: &str) -> MqttString {
    MqttString::new(text).unwrap()
}

pub(crate) fn name(topic: &str) -> TopicName {
    TopicName::new(topic).unwrap()
}

pub(crate) fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

pub(crate) fn properties(properties: impl IntoIterator<Item = Property>) -> Properties {
    Properties::new(properties).unwrap()
}

/// A PUBLISH; with QoS 0 the Packet Identifier is not used.
pub(crate) fn publish(topic: &str, payload: impl Into<Bytes>, qos: QoS, packet_id: u16) -> Publish {
    let packet_id = (qos != AtMostOnce).then(|| id(packet_id));
    Publish { qos, packet_id, ..Publish::new(name(topic), payload) }
}

/// A PUBLISH that is retained.
pub(crate) fn retained(topic: &str, payload: impl Into<Bytes>, qos: QoS) -> Publish {
    Publish { retain: true, ..publish(topic, payload, qos, 1) }
}

/// A PUBLISH of QoS 0 that names its topic by an alias, and perhaps by itself too.
pub(crate) fn aliased(topic: Option<&str>, alias: u16, payload: &'static str) -> Publish {
    Publish {
        topic: topic.map(name),
        properties: properties([Property::TopicAlias(alias)]),
        ..Publish::new(name("unused"), payload)
    }
}

/// Options of a subscription with this QoS.
pub(crate) fn options(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions::with_qos(qos)
}

/// The payload as text.
pub(crate) fn payload(publish: &Publish) -> &str {
    std::str::from_utf8(&publish.payload).unwrap()
}

/// A TCP connection to the broker that was closed by neither end yet.
pub(crate) struct Client {
    stream: TcpStream,
    arrived: BytesMut,
    decoder: Decoder,
    /// Messages that came while an acknowledgement was waited for.
    set_aside: VecDeque<Packet>,
    version: ProtocolVersion,
    last_id: u16,
}

impl Client {
    /// Opens a connection and sends nothing.
    #[track_caller]
    pub(crate) fn open(broker: &Broker, version: ProtocolVersion) -> Self {
        let stream = tests::broker::connect(broker.ports.mqtt);
        Self {
            stream,
            arrived: BytesMut::new(),
            set_aside: VecDeque::new(),
            decoder: Decoder::client(version, PACKET_SIZE_MAX),
            version,
            last_id: 0,
        }
    }

    /// Sends this CONNECT and is accepted.
    #[track_caller]
    pub(crate) fn connect(broker: &Broker, connect: Connect) -> Self {
        Self::connect_and_look(broker, connect).0
    }

    /// Sends this CONNECT and is accepted; shows the CONNACK.
    #[track_caller]
    pub(crate) fn connect_and_look(broker: &Broker, connect: Connect) -> (Self, ConnAck) {
        let (client, connack) = Self::try_connect(broker, connect);
        assert_eq!(connack.code, ReasonCode::Success, "{connack:?}");
        (client, connack)
    }

    /// Sends this CONNECT; shows the CONNACK.
    #[track_caller]
    pub(crate) fn try_connect(broker: &Broker, connect: Connect) -> (Self, ConnAck) {
        let mut client = Self::open(broker, connect.version);
        client.send(Packet::Connect(Box::new(connect)));
        match client.receive() {
            Packet::ConnAck(connack) => (client, connack),
            other => panic!("CONNACK was expected, {other:?} came"),
        }
    }

    /// A client with a clean session that ends with its connection.
    #[track_caller]
    pub(crate) fn clean(broker: &Broker, version: ProtocolVersion, client_id: &str) -> Self {
        Self::connect(broker, connect(version, client_id))
    }

    /// Sends a packet, which the broker has to take.
    #[track_caller]
    pub(crate) fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet.encode(self.version, &mut bytes).unwrap();
        self.send_bytes(&bytes);
    }

    /// Sends packets in one write.
    #[track_caller]
    pub(crate) fn send_all(&mut self, packets: impl IntoIterator<Item = Packet>) {
        let mut bytes = BytesMut::new();
        for packet in packets {
            packet.encode(self.version, &mut bytes).unwrap();
        }
        self.send_bytes(&bytes);
    }

    /// Sends a packet that the broker may refuse by closing the connection.
    pub(crate) fn send_if_open(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet.encode(self.version, &mut bytes).unwrap();
        let _ = self.stream.write_all(&bytes);
    }

    /// Sends bytes as long as the broker takes some within `time`; says how many it took.
    pub(crate) fn send_as_far_as_taken(&mut self, bytes: &[u8], time: Duration) -> usize {
        self.stream.set_write_timeout(Some(time)).unwrap();
        let mut sent = 0;
        while sent < bytes.len() {
            match self.stream.write(&bytes[sent..]) {
                Ok(taken) => sent += taken,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
                    break;
                }
            }
        }
        self.stream.set_write_timeout(Some(PATIENCE)).unwrap();
        sent
    }

    #[track_caller]
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next packet.
    #[track_caller]
    pub(crate) fn receive(&mut self) -> Packet {
        self.receive_or_closed().expect("a packet, not the end of the connection")
    }

    /// The next packet, or `None` when the broker has closed the connection.
    #[track_caller]
    pub(crate) fn receive_or_closed(&mut self) -> Option<Packet> {
        self.set_aside.pop_front().or_else(|| self.receive_from_stream())
    }

    #[track_caller]
    fn receive_from_stream(&mut self) -> Option<Packet> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(packet) = self.decoder.decode(&mut self.arrived).unwrap() {
                return Some(packet);
            }
            if !self.read_more(deadline) {
                assert!(self.arrived.is_empty(), "the broker closed within a packet");
                return None;
            }
        }
    }

    /// Reads what has arrived; `false` when the broker has closed.
    #[track_caller]
    fn read_more(&mut self, deadline: Instant) -> bool {
        let mut bytes = [0; 64 * 1024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the broker neither answers nor closes");
            self.stream.set_read_timeout(Some(left)).unwrap();
            match self.stream.read(&mut bytes) {
                Ok(0) => return false,
                Ok(length) => {
                    self.arrived.extend_from_slice(&bytes[..length]);
                    return true;
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => return false,
                    other => panic!("the connection broke: {other}"),
                },
            }
        }
    }

    /// The next bytes, as many as these, whatever they mean.
    #[track_caller]
    pub(crate) fn receive_bytes(&mut self, length: usize) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        while self.arrived.len() < length {
            assert!(self.read_more(deadline), "the broker closed");
        }
        self.arrived.split_to(length).to_vec()
    }

    /// The next packet has to be this one.
    #[track_caller]
    pub(crate) fn expect(&mut self, packet: Packet) {
        assert_eq!(self.receive(), packet);
    }

    /// The next packet has to be a PUBLISH; it is not acknowledged.
    #[track_caller]
    pub(crate) fn receive_publish(&mut self) -> Publish {
        match self.receive() {
            Packet::Publish(publish) => publish,
            other => panic!("PUBLISH was expected, {other:?} came"),
        }
    }

    /// The next packet has to be a PUBLISH with this payload; it is acknowledged as its QoS wants.
    #[track_caller]
    pub(crate) fn take(&mut self, payload: &str) -> Publish {
        let publish = self.take_any();
        assert_eq!(self::payload(&publish), payload, "{publish:?}");
        publish
    }

    /// The next packet has to be a PUBLISH; it is acknowledged as its QoS wants.
    #[track_caller]
    pub(crate) fn take_any(&mut self) -> Publish {
        let publish = self.receive_publish();
        if let Some(packet_id) = publish.packet_id {
            let ack = Ack::new(packet_id, ReasonCode::Success);
            if publish.qos == AtLeastOnce {
                self.send(Packet::PubAck(ack));
            } else {
                self.send(Packet::PubRec(ack.clone()));
                self.expect_among_messages(&Packet::PubRel(ack.clone()));
                self.send(Packet::PubComp(ack));
            }
        }
        publish
    }

    /// The next packet that is no PUBLISH has to be this one; the others are looked at later.
    #[track_caller]
    fn expect_among_messages(&mut self, packet: &Packet) {
        loop {
            match self.receive_from_stream() {
                Some(message @ Packet::Publish(_)) => self.set_aside.push_back(message),
                other => return assert_eq!(other.as_ref(), Some(packet)),
            }
        }
    }

    /// Answers a packet of one of the flows.
    #[track_caller]
    pub(crate) fn answer(&mut self, packet: &Packet) {
        match packet {
            Packet::Publish(Publish { packet_id: None, .. }) => {}
            Packet::Publish(Publish { packet_id: Some(packet_id), qos, .. }) => {
                let ack = Ack::new(*packet_id, ReasonCode::Success);
                let exact = *qos == ExactlyOnce;
                self.send(if exact { Packet::PubRec(ack) } else { Packet::PubAck(ack) });
            }
            Packet::PubRec(ack) => self.send(Packet::PubRel(ack.clone())),
            Packet::PubRel(ack) => self.send(Packet::PubComp(ack.clone())),
            other => panic!("there is no answer to {other:?}"),
        }
    }

    /// The connection has to end without another packet.
    #[track_caller]
    pub(crate) fn expect_closed(&mut self) {
        assert_eq!(self.receive_or_closed(), None);
    }

    /// The connection has to end, in MQTT 5.0 with a DISCONNECT that says this.
    #[track_caller]
    pub(crate) fn expect_disconnect(&mut self, code: ReasonCode) {
        if self.version.is_v5() {
            match self.receive() {
                Packet::Disconnect(disconnect) => assert_eq!(disconnect.code, code),
                other => panic!("DISCONNECT was expected, {other:?} came"),
            }
        }
        self.expect_closed();
    }

    /// Says goodbye and waits until the broker has heard it.
    #[track_caller]
    pub(crate) fn disconnect(self) {
        self.disconnect_with(Disconnect::new(ReasonCode::Success));
    }

    /// Says goodbye like this and waits until the broker has heard it.
    #[track_caller]
    pub(crate) fn disconnect_with(mut self, disconnect: Disconnect) {
        self.send(Packet::Disconnect(disconnect));
        while self.receive_or_closed().is_some() {}
    }

    /// Closes the connection without a word, and waits until the broker has noticed.
    #[track_caller]
    pub(crate) fn vanish(mut self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
        while self.receive_or_closed().is_some() {}
    }

    /// Nothing but the answers to two pings may come: what others had sent before would be there.
    #[track_caller]
    pub(crate) fn expect_nothing(&mut self) {
        for _ in 0..2 {
            self.send(Packet::PingReq);
            self.expect(Packet::PingResp);
        }
    }

    fn next_id(&mut self) -> PacketId {
        self.last_id += 1;
        id(self.last_id)
    }

    /// Subscribes to one filter and is granted what it asked for.
    #[track_caller]
    pub(crate) fn subscribe(&mut self, filter: &str, options: SubscriptionOptions) {
        self.subscribe_with(filter, options, Properties::EMPTY);
    }

    /// Subscribes to one filter at this QoS and is granted what it asked for.
    #[track_caller]
    pub(crate) fn subscribe_qos(&mut self, filter: &str, qos: QoS) {
        self.subscribe(filter, options(qos));
    }

    /// Subscribes to one filter with a Subscription Identifier.
    #[track_caller]
    pub(crate) fn subscribe_id(&mut self, filter: &str, qos: QoS, id: u32) {
        let properties = properties([Property::SubscriptionIdentifier(id)]);
        self.subscribe_with(filter, options(qos), properties);
    }

    #[track_caller]
    fn subscribe_with(&mut self, filter: &str, options: SubscriptionOptions, with: Properties) {
        let codes = self.subscribe_all(&[(filter, options)], with);
        assert_eq!(codes, [ReasonCode::granted(options.qos)]);
    }

    /// Subscribes to filters in one SUBSCRIBE; shows the codes of the SUBACK.
    #[track_caller]
    pub(crate) fn subscribe_all(
        &mut self,
        filters: &[(&str, SubscriptionOptions)],
        properties: Properties,
    ) -> Vec<ReasonCode> {
        let packet_id = self.send_subscribe(filters, properties);
        match self.receive() {
            Packet::SubAck(SubAck { packet_id: answered, codes, .. }) => {
                assert_eq!(answered, packet_id);
                codes
            }
            other => panic!("SUBACK was expected, {other:?} came"),
        }
    }

    /// Sends SUBSCRIBE and does not wait for its answer.
    #[track_caller]
    pub(crate) fn send_subscribe(
        &mut self,
        filters: &[(&str, SubscriptionOptions)],
        properties: Properties,
    ) -> PacketId {
        let packet_id = self.next_id();
        let subscriptions = filters
            .iter()
            .map(|(filter, options)| Subscription {
                filter: TopicFilter::new(filter).unwrap(),
                options: *options,
            })
            .collect();
        self.send(Packet::Subscribe(Subscribe { packet_id, properties, subscriptions }));
        packet_id
    }

    /// Unsubscribes; shows the codes of the UNSUBACK, of which there are none before MQTT 5.0.
    #[track_caller]
    pub(crate) fn unsubscribe(&mut self, filters: &[&str]) -> Vec<ReasonCode> {
        let packet_id = self.next_id();
        let filters = filters.iter().map(|filter| TopicFilter::new(filter).unwrap()).collect();
        let properties = Properties::EMPTY;
        self.send(Packet::Unsubscribe(Unsubscribe { packet_id, properties, filters }));
        match self.receive() {
            Packet::UnsubAck(UnsubAck { packet_id: answered, codes, .. }) => {
                assert_eq!(answered, packet_id);
                codes
            }
            other => panic!("UNSUBACK was expected, {other:?} came"),
        }
    }

    /// Publishes with QoS 1, so that the broker has it when this returns; shows the code.
    #[track_caller]
    pub(crate) fn publish(&mut self, topic: &str, payload: impl Into<Bytes>) -> ReasonCode {
        self.publish_as(publish(topic, payload, AtLeastOnce, 1))
    }

    /// Publishes with QoS 0 to itself.
    #[track_caller]
    pub(crate) fn publish_self(&mut self, topic: &str, payload: &'static str) {
        self.send(Packet::Publish(publish(topic, payload, AtMostOnce, 1)));
        self.take(payload);
    }

    /// Publishes and goes through the flow of its QoS; shows the code of PUBACK or PUBREC.
    #[track_caller]
    pub(crate) fn publish_as(&mut self, mut publish: Publish) -> ReasonCode {
        if publish.qos == AtMostOnce {
            self.send(Packet::Publish(publish));
            self.send(Packet::PingReq);
            self.expect(Packet::PingResp);
            return ReasonCode::Success;
        }
        let packet_id = self.next_id();
        publish.packet_id = Some(packet_id);
        let qos = publish.qos;
        self.send(Packet::Publish(publish));
        let code = match (self.receive(), qos) {
            (Packet::PubAck(ack), AtLeastOnce) | (Packet::PubRec(ack), ExactlyOnce) => {
                assert_eq!(ack.packet_id, packet_id);
                ack.code
            }
            (other, _) => panic!("an acknowledgement was expected, {other:?} came"),
        };
        if qos == ExactlyOnce && !code.is_error() {
            let ack = Ack::new(packet_id, ReasonCode::Success);
            self.send(Packet::PubRel(ack.clone()));
            self.expect(Packet::PubComp(ack));
        }
        code
    }
}

/// Lets time pass that the specification counts in seconds.
pub(crate) fn let_pass(time: Duration) {
    std::thread::sleep(time);
}

/// Lets this process have as many connections as it may at all.
pub(crate) fn allow_many_files() {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    rustix::process::setrlimit(Resource::Nofile, raised).expect("the limit may be raised");
}
