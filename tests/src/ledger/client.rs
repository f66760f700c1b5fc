//! A client that survives the broker's death: its side of the session lives on, whatever connection
//! comes and goes, and what the specification demands of it after a reconnect it does to the letter.
//!
//! It is not built from the flows of the `session` crate, which the broker is built from too.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::num::NonZeroU16;
use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::Bytes;
use codec::{
    Ack, ConnAck, Connect, Disconnect, MqttString, Packet, PacketId, Properties, Property,
    ProtocolVersion, Publish, QoS, ReasonCode, Subscribe, Subscription, SubscriptionOptions,
    TopicFilter, TopicName, Unsubscribe, Will,
};

use crate::ledger::book::Kind;
use crate::ledger::link::Link;

/// How much longer than its interval, counted from the broker's last start, a session may be there:
/// intervals are whole seconds, and a broker looks at them now and then.
const EXPIRY_MARGIN: Duration = Duration::from_secs(3);

/// How much sooner than after its interval a session may be over: the broker may count from when it
/// last noted that the client was there.
const EXPIRY_EARLY: Duration = Duration::from_secs(1);

/// What a message that is published is called by who publishes it.
pub type Tag = (usize, u64);

/// What happened to a client.
#[derive(Debug)]
pub enum Event {
    /// The CONNACK came.
    Connected {
        /// Whether the session goes on.
        present: bool,
    },
    /// The connection is over.
    Lost,
    /// A message is the broker's now.
    Acknowledged(Tag),
    /// A message was given up with the session it belonged to.
    Abandoned(Tag),
    /// A message came; with QoS 2 not one that had come before.
    Message {
        /// Its topic.
        topic: String,
        /// Its payload.
        payload: Bytes,
        /// Its QoS.
        qos: QoS,
        /// Whether it came before, with QoS 1 and under the same Packet Identifier, and now without
        /// DUP: as a new message that just happens to say the same, or as one that was not marked.
        is_unmarked: bool,
    },
    /// A SUBACK came, and everything was granted.
    Subscribed(PacketId),
    /// An UNSUBACK came.
    Unsubscribed(PacketId),
    /// The broker did what it must not.
    Fault(Kind, String),
}

/// What a client is to the broker.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The Client Identifier.
    pub name: String,
    /// The version of MQTT it speaks.
    pub version: ProtocolVersion,
    /// Whether its next CONNECT asks for a clean start.
    pub clean_start: bool,
    /// How long its session outlives a connection, in seconds; before MQTT 5.0 a session lasts for ever
    /// unless it is clean.
    pub session_expiry_s: u32,
    /// How many messages it takes unacknowledged.
    pub receive_maximum: u16,
    /// How long it thinks before each acknowledgement.
    pub thinks_ms: Range<u64>,
    /// Its will: topic, payload, and delay in seconds.
    pub will: Option<(String, String, u32)>,
}

impl Settings {
    /// A client with a session that lasts, which acknowledges at once.
    #[must_use]
    pub fn lasting(name: impl Into<String>, version: ProtocolVersion) -> Self {
        Self {
            name: name.into(),
            version,
            clean_start: false,
            session_expiry_s: 3600,
            receive_maximum: u16::MAX,
            thinks_ms: 0..1,
            will: None,
        }
    }

    fn session_ends_with_connection(&self) -> bool {
        if self.version.is_v5() { self.session_expiry_s == 0 } else { self.clean_start }
    }
}

/// What a client may believe about its session at the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Belief {
    /// There is none.
    None,
    /// A CONNECT was sent and not answered, or the end of the session may not have been noticed.
    Unsure,
    /// There is one: its CONNACK came.
    Kept,
}

/// A message on its way out.
struct Outgoing {
    packet_id: PacketId,
    publish: Publish,
    tag: Tag,
    /// Whether the PUBREC has come, so that PUBREL is what is sent.
    received: bool,
}

/// A message that came and is not done with.
struct Incoming {
    payload: Bytes,
    /// The connection it came over last.
    connection: u64,
}

/// A client and its side of the session.
pub struct Client {
    /// What it is to the broker.
    pub settings: Settings,
    link: Option<Link>,
    is_connected: bool,
    connection: u64,
    belief: Belief,
    lost_at: Option<Instant>,
    /// When its last connection ended, accepted or not: the broker may have accepted one that ended before
    /// this client heard of it.
    ended_at: Option<Instant>,
    /// Connections that ended before they were answered. The broker may come to them after later ones.
    unanswered: u32,
    events: Vec<Event>,

    /// By the order in which they were first sent.
    outgoing: BTreeMap<u64, Outgoing>,
    next_order: u64,
    send_quota: usize,
    requests: HashMap<PacketId, usize>,

    /// Messages of QoS 1 whose PUBACK is not sent.
    unacknowledged: HashMap<PacketId, Incoming>,
    /// Messages of QoS 2 that were not released.
    unreleased: HashMap<PacketId, Incoming>,
    /// How many messages the broker has on their way over this connection.
    receiving: u16,
    /// Acknowledgements that it thinks about.
    due: VecDeque<(Instant, Packet)>,

    /// How often it sent a message again.
    pub resent: u64,
    /// How many messages of QoS 1 came again under another Packet Identifier.
    pub renumbered: u64,
    /// How many messages of QoS 2 came again without DUP.
    pub unmarked: u64,
    /// How many sessions were over, rightly, when it came back.
    pub expired: u64,
    /// How many connections went on with a session.
    pub resumed: u64,
}

impl Client {
    /// A client that has never connected.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            link: None,
            is_connected: false,
            connection: 0,
            belief: Belief::None,
            lost_at: None,
            ended_at: None,
            unanswered: 0,
            events: Vec::new(),
            outgoing: BTreeMap::new(),
            next_order: 0,
            send_quota: usize::from(u16::MAX),
            requests: HashMap::new(),
            unacknowledged: HashMap::new(),
            unreleased: HashMap::new(),
            receiving: 0,
            due: VecDeque::new(),
            resent: 0,
            renumbered: 0,
            unmarked: 0,
            expired: 0,
            resumed: 0,
        }
    }

    /// Its connection, for the system to wait on.
    #[must_use]
    pub fn link(&self) -> Option<&Link> {
        self.link.as_ref()
    }

    /// Whether there is a connection, or one is being made.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.link.is_some()
    }

    /// Whether the broker has accepted its connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// When it lost its last connection.
    #[must_use]
    pub fn lost_at(&self) -> Option<Instant> {
        self.lost_at
    }

    /// How many of its messages are on their way.
    #[must_use]
    pub fn sending(&self) -> usize {
        self.outgoing.len()
    }

    /// Whether it may send one more message, of which it has at most `window` on their way.
    #[must_use]
    pub fn can_publish(&self, window: usize) -> bool {
        self.is_connected && self.outgoing.len() < window.min(self.send_quota)
    }

    /// What happened since it was last asked.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Connects, if anybody listens.
    pub fn open(&mut self, port: u16) {
        let Some(mut link) = Link::open(port, self.settings.version) else { return };
        link.send(&Packet::Connect(Box::new(self.connect())));
        self.link = Some(link);
        self.connection += 1;
        self.receiving = 0;
        if !self.settings.clean_start && self.belief == Belief::None {
            self.belief = Belief::Unsure;
        }
    }

    fn connect(&self) -> Connect {
        let Settings { name, version, clean_start, session_expiry_s, .. } = &self.settings;
        let mut connect = Connect::new(*version, MqttString::new(name).unwrap());
        connect.clean_start = *clean_start;
        connect.keep_alive_s = 3600;
        if version.is_v5() {
            connect.properties = Properties::new([
                Property::SessionExpiryInterval(*session_expiry_s),
                Property::ReceiveMaximum(self.settings.receive_maximum),
            ])
            .unwrap();
        }
        connect.will = self.settings.will.as_ref().map(|(topic, payload, delay_s)| Will {
            qos: QoS::ExactlyOnce,
            retain: false,
            properties: Properties::new([Property::WillDelayInterval(*delay_s)]).unwrap(),
            topic: TopicName::new(topic).unwrap(),
            payload: payload.clone().into(),
        });
        connect
    }

    /// Ends its connection: with a DISCONNECT, or as if the network had failed.
    pub fn close(&mut self, politely: bool) {
        if let Some(link) = &mut self.link
            && politely
            && self.is_connected
        {
            link.send(&Packet::Disconnect(Disconnect::new(ReasonCode::Success)));
            link.flush();
        }
        self.lose(false);
    }

    /// The connection is over; `for_good` if the broker is gone too, so that it can't go on with a
    /// session that ends with its connection.
    fn lose(&mut self, for_good: bool) {
        if self.link.take().is_none() {
            return;
        }
        let now = Some(Instant::now());
        self.ended_at = now;
        if self.is_connected {
            self.lost_at = now;
        } else {
            self.unanswered = self.unanswered.saturating_add(1);
        }
        self.is_connected = false;
        self.due.clear();
        self.requests.clear();
        if self.settings.session_ends_with_connection() {
            self.belief = if for_good { Belief::None } else { Belief::Unsure };
            self.forget_session();
        }
        self.events.push(Event::Lost);
    }

    /// Reads what is left of the connection to a broker that has died, and gives it up.
    pub fn bury(&mut self, restarted: Instant) {
        self.read(restarted);
        self.lose(true);
        if self.settings.session_ends_with_connection() {
            self.belief = Belief::None;
        }
    }

    fn forget_session(&mut self) {
        let outgoing = std::mem::take(&mut self.outgoing);
        let given_up = outgoing.into_values().filter(|out| !out.received);
        self.events.extend(given_up.map(|out| Event::Abandoned(out.tag)));
        self.unacknowledged.clear();
        self.unreleased.clear();
    }

    /// Publishes; [`Event::Acknowledged`] tells when the broker has it.
    pub fn publish(&mut self, topic: &str, payload: Bytes, qos: QoS, retain: bool, tag: Tag) {
        let packet_id = self.free_packet_id();
        let mut publish = Publish::new(TopicName::new(topic).unwrap(), payload);
        publish.qos = qos;
        publish.retain = retain;
        publish.packet_id = Some(packet_id);
        self.send(&Packet::Publish(publish.clone()));
        let outgoing = Outgoing { packet_id, publish, tag, received: false };
        self.outgoing.insert(self.next_order, outgoing);
        self.next_order += 1;
    }

    /// Subscribes with QoS 2; [`Event::Subscribed`] tells when that is granted.
    pub fn subscribe(&mut self, filters: &[String]) -> PacketId {
        let packet_id = self.free_packet_id();
        self.requests.insert(packet_id, filters.len());
        let line = |filter: &String| Subscription {
            filter: TopicFilter::new(filter).unwrap(),
            options: SubscriptionOptions::with_qos(QoS::ExactlyOnce),
        };
        self.send(&Packet::Subscribe(Subscribe {
            packet_id,
            properties: Properties::EMPTY,
            subscriptions: filters.iter().map(line).collect(),
        }));
        packet_id
    }

    /// Unsubscribes; [`Event::Unsubscribed`] tells when that is done.
    pub fn unsubscribe(&mut self, filters: &[String]) -> PacketId {
        let packet_id = self.free_packet_id();
        self.requests.insert(packet_id, filters.len());
        self.send(&Packet::Unsubscribe(Unsubscribe {
            packet_id,
            properties: Properties::EMPTY,
            filters: filters.iter().map(|filter| TopicFilter::new(filter).unwrap()).collect(),
        }));
        packet_id
    }

    /// The lowest that is free, so that each is used again as soon as it may be.
    fn free_packet_id(&self) -> PacketId {
        let is_used = |id: &PacketId| {
            self.requests.contains_key(id) || self.outgoing.values().any(|out| out.packet_id == *id)
        };
        (1..=u16::MAX).filter_map(NonZeroU16::new).find(|id| !is_used(id)).unwrap()
    }

    fn send(&mut self, packet: &Packet) {
        if let Some(link) = &mut self.link {
            link.send(packet);
        }
    }

    /// Takes what came, and sends what is due. `restarted` is when the broker last began to listen.
    pub fn turn(&mut self, now: Instant, restarted: Instant) {
        let open = self.read(restarted);
        while let Some((due, _)) = self.due.front()
            && *due <= now
            && let Some((_, packet)) = self.due.pop_front()
        {
            self.acknowledge(&packet);
        }
        if !open || !self.link.as_mut().is_none_or(Link::flush) {
            self.lose(false);
        }
    }

    fn read(&mut self, restarted: Instant) -> bool {
        let Some(link) = &mut self.link else { return true };
        let open = link.fill();
        while let Some(link) = &mut self.link {
            match link.take() {
                Ok(Some(packet)) => self.on_packet(packet, restarted),
                Ok(None) => break,
                Err(error) => {
                    self.fault(
                        Kind::Protocol,
                        &format!("the broker sent what is no packet: {error}"),
                    );
                    return false;
                }
            }
        }
        open
    }

    fn fault(&mut self, kind: Kind, what: &str) {
        let story = format!("{}: {what}", self.settings.name);
        self.events.push(Event::Fault(kind, story));
    }

    fn on_packet(&mut self, packet: Packet, restarted: Instant) {
        match packet {
            Packet::ConnAck(connack) => self.on_connack(&connack, restarted),
            Packet::Publish(publish) => self.on_publish(&publish),
            Packet::PubAck(ack) | Packet::PubRec(ack) if ack.code.is_error() => {
                self.fault(Kind::Protocol, &format!("a message was refused: {ack:?}"));
            }
            Packet::PubAck(ack) => self.on_done(&ack, QoS::AtLeastOnce),
            Packet::PubComp(ack) => self.on_done(&ack, QoS::ExactlyOnce),
            Packet::PubRec(ack) => self.on_pubrec(&ack),
            Packet::PubRel(ack) => {
                self.unreleased.remove(&ack.packet_id);
                self.think(Packet::PubComp(Ack::new(ack.packet_id, ReasonCode::Success)));
            }
            Packet::SubAck(suback) => {
                let lines = self.requests.remove(&suback.packet_id);
                let granted = |code: &ReasonCode| code.granted_qos() == Some(QoS::ExactlyOnce);
                if lines == Some(suback.codes.len()) && suback.codes.iter().all(granted) {
                    self.events.push(Event::Subscribed(suback.packet_id));
                } else {
                    self.fault(Kind::Protocol, &format!("{suback:?}"));
                }
            }
            Packet::UnsubAck(unsuback) => {
                if self.requests.remove(&unsuback.packet_id).is_none()
                    || unsuback.codes.iter().any(|code| code.is_error())
                {
                    self.fault(Kind::Protocol, &format!("{unsuback:?}"));
                }
                self.events.push(Event::Unsubscribed(unsuback.packet_id));
            }
            Packet::Disconnect(disconnect) if disconnect.code == ReasonCode::ServerShuttingDown => {
            }
            Packet::Disconnect(disconnect)
                if disconnect.code == ReasonCode::SessionTakenOver && self.unanswered > 0 =>
            {
                self.unanswered -= 1;
            }
            packet => self.fault(Kind::Protocol, &format!("the broker sent {packet:?}")),
        }
    }

    fn on_connack(&mut self, connack: &ConnAck, restarted: Instant) {
        if connack.code.is_error() || self.is_connected {
            return self.fault(Kind::Protocol, &format!("{connack:?}"));
        }
        let present = connack.session_present;
        self.judge_presence(present, restarted);
        let quota = connack.properties.receive_maximum().unwrap_or(u16::MAX);
        self.send_quota = usize::from(quota);
        self.is_connected = true;
        self.belief = Belief::Kept;
        self.resumed += u64::from(present);
        if !present {
            // MQTT 5.0 §3.2.2.1.1: without a session there, the client begins anew too.
            self.forget_session();
        }
        self.events.push(Event::Connected { present });
        let packets: Vec<Packet> = self.outgoing.values_mut().map(Outgoing::again).collect();
        for packet in &packets {
            self.resent += u64::from(matches!(packet, Packet::Publish(_)));
            self.send(packet);
        }
    }

    /// Session Present, held against what this client knows (MQTT 5.0 §3.2.2.1.1).
    fn judge_presence(&mut self, present: bool, restarted: Instant) {
        let lost_ago = self.lost_at.map(|lost| lost.elapsed());
        if self.settings.clean_start {
            if present {
                self.fault(Kind::SessionPresent, "it is present after a clean start");
            }
            return;
        }
        if self.belief == Belief::None && present {
            let what = "a session is present, and there was none that could have lasted";
            return self.fault(Kind::SessionPresent, what);
        }
        if self.belief != Belief::Kept || self.settings.session_ends_with_connection() {
            return;
        }
        let Some(lost_ago) = lost_ago else { return };
        let expiry = match self.settings.version.is_v5() {
            true => Duration::from_secs(u64::from(self.settings.session_expiry_s)),
            false => Duration::MAX,
        };
        let ended_ago = self.ended_at.map_or(lost_ago, |ended| ended.elapsed());
        let since_start = ended_ago.min(restarted.elapsed());
        if !present && lost_ago + EXPIRY_EARLY < expiry {
            let what = format!(
                "its session was acknowledged and is not there; it was away for {:.3} s",
                lost_ago.as_secs_f64()
            );
            self.fault(Kind::SessionPresent, &what);
        } else if present && since_start > expiry.saturating_add(EXPIRY_MARGIN) {
            let what = format!(
                "its session is still there {:.3} s after it was left, and {:.3} s after the broker's \
                 start, and was to last {expiry:?}",
                ended_ago.as_secs_f64(),
                restarted.elapsed().as_secs_f64()
            );
            self.fault(Kind::SessionPresent, &what);
        }
        self.expired += u64::from(!present && lost_ago + EXPIRY_EARLY >= expiry);
    }

    /// PUBACK or PUBCOMP: the message is done with.
    fn on_done(&mut self, ack: &Ack, qos: QoS) {
        let Some(order) = self.order_of(ack.packet_id, qos) else {
            let what = format!("{qos:?} was acknowledged to the end, and not sent: {ack:?}");
            return self.fault(Kind::Protocol, &what);
        };
        let Some(out) = self.outgoing.remove(&order) else { return };
        if qos == QoS::AtLeastOnce {
            self.events.push(Event::Acknowledged(out.tag));
        } else if !out.received {
            self.fault(Kind::Protocol, &format!("PUBCOMP without PUBREC: {ack:?}"));
        }
    }

    fn on_pubrec(&mut self, ack: &Ack) {
        let order = self.order_of(ack.packet_id, QoS::ExactlyOnce);
        let Some(out) = order.and_then(|order| self.outgoing.get_mut(&order)) else {
            return self.fault(Kind::Protocol, &format!("PUBREC for what was not sent: {ack:?}"));
        };
        if !out.received {
            out.received = true;
            self.events.push(Event::Acknowledged(out.tag));
        }
        self.think(Packet::PubRel(Ack::new(ack.packet_id, ReasonCode::Success)));
    }

    fn order_of(&self, packet_id: PacketId, qos: QoS) -> Option<u64> {
        let found =
            |(_, out): &(&u64, &Outgoing)| out.packet_id == packet_id && out.publish.qos == qos;
        self.outgoing.iter().find(found).map(|(order, _)| *order)
    }

    fn on_publish(&mut self, publish: &Publish) {
        let Some(topic) = &publish.topic else {
            return self.fault(Kind::Protocol, "a PUBLISH without a topic");
        };
        let (topic, payload) = (topic.as_str().to_owned(), publish.payload.clone());
        let message =
            |is_unmarked| Event::Message { topic, payload, qos: publish.qos, is_unmarked };
        let Some(packet_id) = publish.packet_id else { return self.events.push(message(false)) };
        self.receiving += 1;
        if self.settings.version.is_v5() && self.receiving > self.settings.receive_maximum {
            self.fault(Kind::Protocol, "more came at once than the Receive Maximum");
        }
        if publish.qos == QoS::AtLeastOnce {
            let is_unmarked = self.on_at_least_once(packet_id, publish);
            self.events.push(message(is_unmarked));
        } else if self.on_exactly_once(packet_id, publish) {
            self.events.push(message(false));
        }
        let ack = Ack::new(packet_id, ReasonCode::Success);
        self.think(match publish.qos {
            QoS::AtLeastOnce => Packet::PubAck(ack),
            _ => Packet::PubRec(ack),
        });
    }

    /// Says whether it came before and is not marked as such.
    fn on_at_least_once(&mut self, packet_id: PacketId, publish: &Publish) -> bool {
        let incoming = self.incoming(publish);
        if let Some(before) = self.unacknowledged.insert(packet_id, incoming) {
            if before.payload == publish.payload {
                if before.connection == self.connection {
                    self.judge_again(packet_id, &before, publish);
                }
                return !publish.dup;
            } else if before.connection == self.connection {
                self.fault(Kind::Identifier, &format!("{packet_id} was used twice: {publish:?}"));
            } else {
                self.renumbered += 1;
            }
        }
        false
    }

    /// Says whether it is new.
    fn on_exactly_once(&mut self, packet_id: PacketId, publish: &Publish) -> bool {
        let incoming = self.incoming(publish);
        let Some(before) = self.unreleased.insert(packet_id, incoming) else { return true };
        if before.payload == publish.payload {
            self.judge_again(packet_id, &before, publish);
        } else {
            let start =
                |body: &Bytes| String::from_utf8_lossy(&body[..body.len().min(20)]).into_owned();
            let what = format!(
                "Packet Identifier {packet_id} of {:?} was never released and stands for {:?} now, \
                 which a client takes for the same message",
                start(&before.payload),
                start(&publish.payload)
            );
            self.fault(Kind::Identifier, &what);
        }
        false
    }

    fn incoming(&self, publish: &Publish) -> Incoming {
        Incoming { payload: publish.payload.clone(), connection: self.connection }
    }

    /// A message that comes again must come over another connection, and should say so: a broker that
    /// was killed may not know that it had sent it, so that is counted only.
    fn judge_again(&mut self, packet_id: PacketId, before: &Incoming, publish: &Publish) {
        if before.connection == self.connection {
            let what = format!("{packet_id} was sent twice over one connection");
            self.fault(Kind::Identifier, &what);
        } else if !publish.dup {
            self.unmarked += 1;
        }
    }

    /// Acknowledges after a while.
    fn think(&mut self, packet: Packet) {
        let due =
            Instant::now() + Duration::from_millis(fastrand::u64(self.settings.thinks_ms.clone()));
        // Acknowledgements leave in the order of what they acknowledge [MQTT-4.6.0-2].
        let due = self.due.back().map_or(due, |(last, _)| due.max(*last));
        self.due.push_back((due, packet));
    }

    fn acknowledge(&mut self, packet: &Packet) {
        match packet {
            Packet::PubAck(ack) => {
                self.unacknowledged.remove(&ack.packet_id);
                self.receiving = self.receiving.saturating_sub(1);
            }
            Packet::PubComp(_) => self.receiving = self.receiving.saturating_sub(1),
            _ => {}
        }
        self.send(packet);
    }

    /// Acknowledges at once all that it thinks about.
    pub fn hurry(&mut self, now: Instant) {
        for (due, _) in &mut self.due {
            *due = now.min(*due);
        }
    }
}

impl Outgoing {
    /// What is sent for it on a new connection [MQTT-4.4.0-1].
    fn again(&mut self) -> Packet {
        if self.received {
            return Packet::PubRel(Ack::new(self.packet_id, ReasonCode::Success));
        }
        self.publish.dup = true;
        Packet::Publish(self.publish.clone())
    }
}
