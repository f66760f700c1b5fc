//! Brokers that a test starts and stops at the same place, and what the test speaks to them with.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use codec::{
    Ack, ConnAck, Connect, Decoder, MqttString, PACKET_SIZE_MAX, Packet, PacketId, Properties,
    ProtocolVersion, Publish, QoS, ReasonCode, SubAck, Subscribe, Subscription,
    SubscriptionOptions, TopicFilter, TopicName, UnsubAck,
};
use tempfile::TempDir;
use tests::broker::bare_command;
use tests::{PATIENCE, POLL_INTERVAL, Program};

/// Whose program a broker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    Mosquitto,
}

/// A broker with a port and a folder of its own, which may run or not.
pub(crate) struct Node {
    kind: Kind,
    pub(crate) port: u16,
    folder: TempDir,
    program: Option<Program>,
}

impl Node {
    /// A broker that listens for anybody; `config` follows in its configuration file.
    #[track_caller]
    pub(crate) fn start(kind: Kind, config: &str) -> Self {
        Self::start_with(kind, |_| config.to_owned())
    }

    /// [`Node::start`] with further files, which `configure` writes into the broker's folder.
    #[track_caller]
    pub(crate) fn start_with(kind: Kind, configure: impl FnOnce(&Path) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = tests::ports::free_port();
        let config = configure(folder.path());
        let dashboard = if kind == Kind::Ours { "dashboard_port 0\n" } else { "" };
        let text =
            format!("{dashboard}listener {port} 127.0.0.1\nallow_anonymous true\n{config}\n");
        std::fs::write(folder.path().join("broker.conf"), text).unwrap();
        let mut node = Self { kind, port, folder, program: None };
        node.start_again();
        node
    }

    #[track_caller]
    pub(crate) fn start_again(&mut self) {
        let mut command = match self.kind {
            Kind::Ours => bare_command(),
            Kind::Mosquitto => Command::new("mosquitto"),
        };
        command.arg("-v").arg("-c").arg(self.folder.path().join("broker.conf"));
        let name = format!("{:?}", self.kind).to_lowercase();
        let mut program = Program::start(&name, &mut command);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(!program.has_ended(), "the broker ended");
            assert!(Instant::now() < deadline, "nothing answers on port {}", self.port);
            std::thread::sleep(POLL_INTERVAL);
        }
        self.program = Some(program);
    }

    /// Ends the broker, which drops its connections.
    pub(crate) fn stop(&mut self) {
        let mut program = self.program.take().unwrap();
        program.signal(tests::program::Signal::TERM);
        program.wait_exit();
    }

    /// Has the broker read its configuration again, once in its life.
    pub(crate) fn reload(&self) {
        self.program.as_ref().unwrap().signal(tests::program::Signal::HUP);
        self.wait_for_log("Config reloaded.");
    }

    #[track_caller]
    pub(crate) fn wait_for_log(&self, part: &str) {
        self.program.as_ref().unwrap().wait_for_line(part);
    }

    /// A client with a clean session.
    #[track_caller]
    pub(crate) fn client(&self, client_id: &str) -> End {
        self.client_of(ProtocolVersion::V311, client_id)
    }

    #[track_caller]
    pub(crate) fn client_of(&self, version: ProtocolVersion, client_id: &str) -> End {
        let mut end = self.open(version);
        let connect = Connect::new(version, MqttString::new(client_id).unwrap());
        end.send(Packet::Connect(Box::new(connect)));
        let connack = end.receive();
        assert!(
            matches!(&connack, Packet::ConnAck(connack) if !connack.code.is_error()),
            "{connack:?}"
        );
        end
    }

    /// A connection on which nothing was sent.
    #[track_caller]
    pub(crate) fn open(&self, version: ProtocolVersion) -> End {
        End::new(
            tests::broker::connect(self.port),
            version,
            Decoder::client(version, PACKET_SIZE_MAX),
        )
    }
}

/// A place where a bridge may connect, at which the test answers by itself.
pub(crate) struct Place {
    listener: TcpListener,
    pub(crate) port: u16,
}

impl Place {
    pub(crate) fn open() -> Self {
        let port = tests::ports::free_port();
        Self::open_at(port)
    }

    pub(crate) fn open_at(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { listener, port }
    }

    /// Whether somebody waits to be let in.
    pub(crate) fn next_stream(&self) -> Option<TcpStream> {
        let (stream, _) = self.listener.accept().ok()?;
        stream.set_nonblocking(false).unwrap();
        Some(stream)
    }

    /// The next connection, and its CONNECT.
    #[track_caller]
    pub(crate) fn accept(&self) -> (End, Connect) {
        let deadline = Instant::now() + PATIENCE;
        let stream = loop {
            if let Some(stream) = self.next_stream() {
                break stream;
            }
            assert!(Instant::now() < deadline, "no bridge comes");
            std::thread::sleep(POLL_INTERVAL);
        };
        let mut end = End::new(stream, ProtocolVersion::V311, Decoder::server(PACKET_SIZE_MAX));
        match end.receive() {
            Packet::Connect(connect) => {
                end.version = connect.version;
                (end, *connect)
            }
            other => panic!("CONNECT was expected, {other:?} came"),
        }
    }

    /// The next connection, let in; all that it asks for first has been granted.
    #[track_caller]
    pub(crate) fn welcome(&self, requests: usize) -> End {
        let (mut end, _) = self.accept();
        end.send_connack(ReasonCode::Success);
        for _ in 0..requests {
            end.grant();
        }
        end
    }
}

/// One end of a connection, which does nothing by itself.
pub(crate) struct End {
    stream: TcpStream,
    arrived: BytesMut,
    decoder: Decoder,
    version: ProtocolVersion,
    set_aside: VecDeque<Packet>,
}

impl End {
    fn new(stream: TcpStream, version: ProtocolVersion, decoder: Decoder) -> Self {
        let (arrived, set_aside) = (BytesMut::new(), VecDeque::new());
        Self { stream, arrived, decoder, version, set_aside }
    }

    /// Where the other end is.
    pub(crate) fn peer_ip(&self) -> std::net::IpAddr {
        self.stream.peer_addr().unwrap().ip()
    }

    #[track_caller]
    pub(crate) fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet.encode(self.version, &mut bytes).unwrap();
        self.send_bytes(&bytes);
    }

    #[track_caller]
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    #[track_caller]
    pub(crate) fn send_connack(&mut self, code: ReasonCode) {
        let properties = Properties::EMPTY;
        self.send(Packet::ConnAck(ConnAck { session_present: false, code, properties }));
    }

    /// The next packet.
    #[track_caller]
    pub(crate) fn receive(&mut self) -> Packet {
        if let Some(packet) = self.set_aside.pop_front() {
            return packet;
        }
        self.receive_from_stream().expect("a packet, not the end of the connection")
    }

    /// Waits for the other end to close, which may send what it likes before.
    #[track_caller]
    pub(crate) fn wait_closed(&mut self) {
        while self.receive_from_stream().is_some() {}
    }

    #[track_caller]
    fn receive_from_stream(&mut self) -> Option<Packet> {
        loop {
            if let Some(packet) = self.decoder.decode(&mut self.arrived).unwrap() {
                return Some(packet);
            }
            if !self.read_more() {
                return None;
            }
        }
    }

    /// Reads what arrives next; `false` when the other end has closed.
    #[track_caller]
    fn read_more(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "nothing comes");
            self.stream.set_read_timeout(Some(left)).unwrap();
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) => return false,
                Ok(length) => {
                    self.arrived.extend_from_slice(&bytes[..length]);
                    return true;
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    ErrorKind::ConnectionReset => return false,
                    other => panic!("the connection broke: {other}"),
                },
            }
        }
    }

    /// Grants the next SUBSCRIBE or UNSUBSCRIBE, and tells of it.
    #[track_caller]
    pub(crate) fn grant(&mut self) -> Packet {
        let request = self.receive();
        let properties = Properties::EMPTY;
        match &request {
            Packet::Subscribe(subscribe) => {
                let code = ReasonCode::granted(subscribe.subscriptions[0].options.qos);
                let (packet_id, codes) = (subscribe.packet_id, vec![code]);
                self.send(Packet::SubAck(SubAck { packet_id, properties, codes }));
            }
            Packet::Unsubscribe(unsubscribe) => {
                let codes =
                    if self.version.is_v5() { vec![ReasonCode::Success] } else { Vec::new() };
                let packet_id = unsubscribe.packet_id;
                self.send(Packet::UnsubAck(UnsubAck { packet_id, properties, codes }));
            }
            other => panic!("a request was expected, {other:?} came"),
        }
        request
    }

    #[track_caller]
    pub(crate) fn subscribe(&mut self, filter: &str, qos: QoS) {
        let options = SubscriptionOptions::with_qos(qos);
        let packet_id = PacketId::new(60_000).unwrap();
        self.send(Packet::Subscribe(Subscribe {
            packet_id,
            properties: Properties::EMPTY,
            subscriptions: vec![Subscription {
                filter: TopicFilter::new(filter).unwrap(),
                options,
            }],
        }));
        self.expect_aside(|packet| matches!(packet, Packet::SubAck(_)));
    }

    /// Publishes, and sees its acknowledgement through.
    #[track_caller]
    pub(crate) fn publish(&mut self, topic: &str, payload: &str, qos: QoS) {
        self.publish_message(message(topic, payload, qos));
    }

    #[track_caller]
    pub(crate) fn publish_message(&mut self, mut message: Publish) {
        let qos = message.qos;
        let id = PacketId::new(50_000).unwrap();
        message.packet_id = (qos != QoS::AtMostOnce).then_some(id);
        self.send(Packet::Publish(message));
        match qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => self.expect_aside(|packet| matches!(packet, Packet::PubAck(_))),
            QoS::ExactlyOnce => {
                self.expect_aside(|packet| matches!(packet, Packet::PubRec(_)));
                self.send(Packet::PubRel(Ack::new(id, ReasonCode::Success)));
                self.expect_aside(|packet| matches!(packet, Packet::PubComp(_)));
            }
        }
    }

    /// Waits for such a packet; messages that come meanwhile are looked at later.
    #[track_caller]
    fn expect_aside(&mut self, is_it: impl Fn(&Packet) -> bool) {
        loop {
            match self.receive_from_stream() {
                Some(packet) if is_it(&packet) => return,
                Some(packet @ Packet::Publish(_)) => self.set_aside.push_back(packet),
                other => panic!("{other:?} came instead of an acknowledgement"),
            }
        }
    }

    /// The next packet, which has to be a PUBLISH; it is not acknowledged.
    #[track_caller]
    pub(crate) fn receive_publish(&mut self) -> Publish {
        match self.receive() {
            Packet::Publish(publish) => publish,
            other => panic!("PUBLISH was expected, {other:?} came"),
        }
    }

    /// The next message, acknowledged as its QoS wants: topic, payload, QoS.
    #[track_caller]
    pub(crate) fn take(&mut self) -> (String, String, QoS) {
        let publish = self.receive_publish();
        if let Some(id) = publish.packet_id {
            let ack = Ack::new(id, ReasonCode::Success);
            if publish.qos == QoS::AtLeastOnce {
                self.send(Packet::PubAck(ack));
            } else {
                self.send(Packet::PubRec(ack.clone()));
                self.expect_aside(|packet| matches!(packet, Packet::PubRel(_)));
                self.send(Packet::PubComp(ack));
            }
        }
        let topic = publish.topic.unwrap().as_str().to_owned();
        (topic, String::from_utf8(publish.payload.to_vec()).unwrap(), publish.qos)
    }

    /// The next message has to be this one.
    #[track_caller]
    pub(crate) fn expect(&mut self, topic: &str, payload: &str, qos: QoS) {
        assert_eq!(self.take(), (topic.to_owned(), payload.to_owned(), qos));
    }

    /// Takes messages until one has this topic and payload.
    #[track_caller]
    pub(crate) fn take_until(&mut self, topic: &str, payload: &str) {
        loop {
            let (its_topic, its_payload, _) = self.take();
            if its_topic == topic && its_payload == payload {
                return;
            }
        }
    }

    /// Asserts that nothing is on its way: what the other end was told before has been done, and
    /// all that comes is a PINGRESP. Brokers give one at either end of a bridge.
    #[track_caller]
    pub(crate) fn ping(&mut self) {
        assert_eq!(self.set_aside, [], "nothing was to come");
        self.send(Packet::PingReq);
        while self.arrived.len() < 2 {
            assert!(self.read_more(), "the other end has closed");
        }
        assert_eq!(&self.arrived.split()[..], b"\xd0\x00", "only a PINGRESP was to come");
    }
}

/// A message that is not retained.
pub(crate) fn message(topic: &str, payload: &str, qos: QoS) -> Publish {
    let payload = Bytes::copy_from_slice(payload.as_bytes());
    Publish { qos, ..Publish::new(TopicName::new(topic).unwrap(), payload) }
}
