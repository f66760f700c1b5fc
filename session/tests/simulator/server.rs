//! The server's end of the wire, built from the same two flows, for one client.

use bytes::{Bytes, BytesMut};
use codec::{
    Ack, ConnAck, Connect, Decoder, Packet, Properties, Property, ProtocolVersion, Publish, QoS,
    ReasonCode, SubAck, TopicName, UnsubAck,
};
use session::{AliasesIn, AliasesOut, Arrival, Outgoing, PubRecOutcome, ReceiveFlow, SendFlow};
use std::collections::BTreeSet;
use std::num::NonZeroU16;

use crate::ledger::{Fate, Ledger};
use crate::tap::Tap;
use crate::world::{number_of, topic_of};

/// What this server is like.
#[derive(Debug, Clone, Default)]
pub struct ServerPlan {
    /// Of one connection and the next, in turn.
    pub receive_maximums: [u16; 2],
    pub topic_alias_maximum: u16,
    pub keep_alive_s: Option<u16>,
}

pub struct Server {
    plan: ServerPlan,
    pub session: Option<Session>,
    pub connection: Option<Connection>,
    /// Whether a session was ever lost.
    pub sessions_lost: bool,
}

pub struct Session {
    send: SendFlow<Down>,
    receive: ReceiveFlow,
    subscriptions: BTreeSet<String>,
    tap: Tap,
    /// Whether the client is known to have seen that the session is new. Had it another one before, and
    /// the CONNACK that says "new" gets lost, and the next one said "present", it would take this
    /// session for that one, and a message of QoS 2 could come twice.
    seen: bool,
}

pub struct Down {
    topic: TopicName,
    payload: Bytes,
    number: usize,
}

pub struct Connection {
    pub id: usize,
    decoder: Decoder,
    version: ProtocolVersion,
    buffer: BytesMut,
    aliases_in: AliasesIn,
    aliases_out: AliasesOut,
    /// Whether CONNACK is sent.
    accepted: bool,
    pub keep_alive_ms: u64,
    pub last_heard: u64,
    out: BytesMut,
}

impl Server {
    pub fn new(plan: ServerPlan) -> Self {
        Self { plan, session: None, connection: None, sessions_lost: false }
    }

    pub fn accept(&mut self, id: usize, now: u64) {
        self.connection_lost();
        self.connection = Some(Connection {
            id,
            decoder: Decoder::server(1 << 20),
            version: ProtocolVersion::V5,
            buffer: BytesMut::new(),
            aliases_in: AliasesIn::new(self.plan.topic_alias_maximum),
            aliases_out: AliasesOut::new(0),
            accepted: false,
            keep_alive_ms: 0,
            last_heard: now,
            out: BytesMut::new(),
        });
    }

    pub fn connection_lost(&mut self) {
        if self.connection.take().is_some()
            && let Some(session) = &mut self.session
        {
            session.receive.on_connection_lost();
            if !session.seen && self.sessions_lost {
                self.session = None;
            }
        }
    }

    /// The server forgets the session; who had messages in it is told by the ledger.
    pub fn forget(&mut self, down: &mut Ledger) {
        let Some(session) = self.session.take() else { return };
        self.sessions_lost = true;
        for held in session.send.into_unacknowledged() {
            down.decided(held.message.number, Fate::Lost);
        }
    }

    pub fn has_subscriber(&self) -> bool {
        self.session.as_ref().is_some_and(|it| it.subscriptions.contains("down/#"))
    }

    /// Sends a message to the client, which has subscribed.
    pub fn publish(&mut self, qos: QoS, topic: &TopicName, payload: Bytes, down: &mut Ledger) {
        let Some(session) = &mut self.session else { return };
        let number = down.next_number();
        down.sent(topic_of(topic), qos);
        if qos != QoS::AtMostOnce {
            session.send.push(qos, Down { topic: topic.clone(), payload, number });
            return;
        }
        down.decided(number, Fate::Taken);
        if let Some(connection) = self.connection.as_mut().filter(|it| it.accepted) {
            let publish = Publish::new(topic.clone(), payload);
            connection.send(&Packet::Publish(publish), &mut session.tap);
        }
    }

    /// Answers to what came, each to be sent in its time, in order.
    pub fn on_bytes(
        &mut self,
        now: u64,
        bytes: &[u8],
        up: &mut Ledger,
        down: &mut Ledger,
    ) -> Vec<Packet> {
        let mut answers = Vec::new();
        let Some(connection) = &mut self.connection else { return answers };
        connection.last_heard = now;
        connection.buffer.extend_from_slice(bytes);
        while let Some(connection) = &mut self.connection {
            match connection.decoder.decode(&mut connection.buffer) {
                Ok(Some(Packet::Connect(connect))) => {
                    answers.push(self.on_connect(&connect, down));
                }
                Ok(Some(packet)) => answers.extend(self.on_packet(packet, up, down)),
                Ok(None) => return answers,
                Err(error) => panic!("the client sent no packet: {error}"),
            }
        }
        answers
    }

    fn on_connect(&mut self, connect: &Connect, down: &mut Ledger) -> Packet {
        if connect.clean_start {
            self.forget(down);
        }
        let connection = self.connection.as_mut().expect("it sent the CONNECT");
        connection.version = connect.version;
        let keep_alive_s = self.plan.keep_alive_s.unwrap_or(connect.keep_alive_s);
        connection.keep_alive_ms = u64::from(keep_alive_s) * 1_000;
        let properties = &connect.properties;
        connection.aliases_out = AliasesOut::new(properties.topic_alias_maximum().unwrap_or(0));
        let theirs = properties.receive_maximum().unwrap_or(u16::MAX).min(50);
        let receive_maximum = NonZeroU16::new(theirs).expect("the codec has checked it");
        let ours = self.plan.receive_maximums[connection.id % 2];
        let ours = NonZeroU16::new(ours).expect("part of the plan");
        let session_present = self.session.is_some();
        let session = self.session.get_or_insert_with(|| Session {
            send: SendFlow::new(receive_maximum),
            receive: ReceiveFlow::new(ours),
            subscriptions: BTreeSet::new(),
            tap: Tap::default(),
            seen: false,
        });
        session.send.resume(receive_maximum);
        session.receive.set_receive_maximum(ours);
        session.tap.connected(theirs, session_present);
        let mut said = Vec::new();
        if connect.version.is_v5() {
            said.push(Property::ReceiveMaximum(ours.get()));
            said.push(Property::TopicAliasMaximum(self.plan.topic_alias_maximum));
            said.extend(self.plan.keep_alive_s.map(Property::ServerKeepAlive));
        }
        let properties = Properties::new(said).expect("small");
        Packet::ConnAck(ConnAck { session_present, code: ReasonCode::Success, properties })
    }

    fn on_packet(&mut self, packet: Packet, up: &mut Ledger, down: &mut Ledger) -> Option<Packet> {
        let (Some(connection), Some(session)) = (&mut self.connection, &mut self.session) else {
            panic!("a {} before CONNECT", packet.packet_type());
        };
        session.seen = true;
        session.tap.received(&packet);
        match packet {
            Packet::Publish(publish) => on_publish(connection, session, publish, up),
            Packet::PubAck(ack) => {
                let message = session.send.on_puback(ack.packet_id).expect("PUBACK fits");
                down.decided(message.number, Fate::Taken);
                None
            }
            Packet::PubRec(ack) => {
                match session.send.on_pubrec(ack.packet_id, ack.code).expect("PUBREC fits") {
                    PubRecOutcome::Release(Some(message)) => {
                        down.decided(message.number, Fate::Taken);
                    }
                    PubRecOutcome::Release(None) => {}
                    PubRecOutcome::Refused(_) => panic!("the client refuses nothing"),
                }
                // Sent at once: PUBREL follows PUBREC [MQTT-4.6.0-4].
                let pubrel = Packet::PubRel(Ack::new(ack.packet_id, ReasonCode::Success));
                connection.send(&pubrel, &mut session.tap);
                None
            }
            Packet::PubComp(ack) => {
                session.send.on_pubcomp(ack.packet_id).expect("PUBCOMP fits");
                None
            }
            Packet::PubRel(ack) => {
                let known = session.receive.on_pubrel(ack.packet_id);
                let code =
                    if known { ReasonCode::Success } else { ReasonCode::PacketIdentifierNotFound };
                Some(Packet::PubComp(Ack::new(ack.packet_id, code)))
            }
            Packet::Subscribe(subscribe) => {
                let filters = subscribe.subscriptions.iter().map(|line| line.filter.to_string());
                session.subscriptions.extend(filters);
                let granted = |line: &codec::Subscription| ReasonCode::granted(line.options.qos);
                Some(Packet::SubAck(SubAck {
                    packet_id: subscribe.packet_id,
                    properties: Properties::EMPTY,
                    codes: subscribe.subscriptions.iter().map(granted).collect(),
                }))
            }
            Packet::Unsubscribe(unsubscribe) => {
                let codes = unsubscribe.filters.iter().map(|filter| {
                    let known = session.subscriptions.remove(filter.as_str());
                    if known { ReasonCode::Success } else { ReasonCode::NoSubscriptionExisted }
                });
                Some(Packet::UnsubAck(UnsubAck {
                    packet_id: unsubscribe.packet_id,
                    properties: Properties::EMPTY,
                    codes: codes.collect(),
                }))
            }
            Packet::PingReq => Some(Packet::PingResp),
            Packet::Disconnect(_) => None,
            other => panic!("a {} from a client", other.packet_type()),
        }
    }

    /// The time of an answer has come.
    pub fn send(&mut self, packet: &Packet) {
        let (Some(connection), Some(session)) = (&mut self.connection, &mut self.session) else {
            return;
        };
        match packet {
            Packet::ConnAck(_) => connection.accepted = true,
            Packet::PubAck(ack) => {
                session.receive.acknowledged(ack.packet_id, QoS::AtLeastOnce, ack.code);
            }
            Packet::PubRec(ack) => {
                session.receive.acknowledged(ack.packet_id, QoS::ExactlyOnce, ack.code);
            }
            _ => {}
        }
        connection.send(packet, &mut session.tap);
    }

    /// Bytes for the client.
    pub fn transmit(&mut self) -> Option<(usize, Bytes)> {
        let (Some(connection), Some(session)) = (&mut self.connection, &mut self.session) else {
            return None;
        };
        while connection.accepted
            && let Some(outgoing) = session.send.poll_transmit()
        {
            let packet = match outgoing {
                Outgoing::PubRel { id } => Packet::PubRel(Ack::new(id, ReasonCode::Success)),
                Outgoing::Publish { id, qos, dup, message } => {
                    let alias = connection.aliases_out.assign(&message.topic);
                    let properties = Properties::new(alias.alias.map(Property::TopicAlias));
                    Packet::Publish(Publish {
                        dup,
                        qos,
                        retain: false,
                        topic: alias.with_topic.then(|| message.topic.clone()),
                        packet_id: Some(id),
                        properties: properties.expect("small"),
                        payload: message.payload.clone(),
                    })
                }
            };
            connection.send(&packet, &mut session.tap);
        }
        let bytes = connection.out.split().freeze();
        (!bytes.is_empty()).then_some((connection.id, bytes))
    }

    pub fn is_at_rest(&self) -> bool {
        self.session.as_ref().is_none_or(|it| it.send.is_idle() && it.receive.is_idle())
    }
}

impl Connection {
    fn send(&mut self, packet: &Packet, tap: &mut Tap) {
        tap.sent(packet);
        packet.encode(self.version, &mut self.out).expect("the server makes packets");
    }
}

fn on_publish(
    connection: &mut Connection,
    session: &mut Session,
    publish: Publish,
    up: &mut Ledger,
) -> Option<Packet> {
    let alias = publish.properties.topic_alias();
    let topic = connection.aliases_in.resolve(publish.topic, alias).expect("a topic");
    let refuse = publish.payload.ends_with(b"!");
    let mut deliver = || {
        if !refuse {
            up.arrived(topic_of(&topic), publish.qos, number_of(&publish.payload));
        }
    };
    let Some(id) = publish.packet_id else {
        deliver();
        return None;
    };
    if session.receive.on_publish(id, publish.qos).expect("PUBLISH fits") == Arrival::New {
        deliver();
    }
    let code = if refuse { ReasonCode::QuotaExceeded } else { ReasonCode::Success };
    let ack = Ack::new(id, code);
    Some(if publish.qos == QoS::ExactlyOnce { Packet::PubRec(ack) } else { Packet::PubAck(ack) })
}
