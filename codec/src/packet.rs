//! The fifteen control packets (MQTT 5.0 §3), one structure for each layout.

use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

use crate::{
    MqttString, PacketId, PacketType, Properties, PropertyId, ProtocolVersion, QoS, ReasonCode,
    SubscriptionOptions, TopicFilter, TopicName,
};

/// Any control packet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the specification's own")]
pub enum Packet {
    Connect(Box<Connect>),
    ConnAck(ConnAck),
    Publish(Publish),
    PubAck(Ack),
    PubRec(Ack),
    PubRel(Ack),
    PubComp(Ack),
    Subscribe(Subscribe),
    SubAck(SubAck),
    Unsubscribe(Unsubscribe),
    UnsubAck(UnsubAck),
    PingReq,
    PingResp,
    Disconnect(Disconnect),
    Auth(Auth),
}

impl Packet {
    /// Which of the fifteen it is.
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::ConnAck(_) => PacketType::ConnAck,
            Self::Publish(_) => PacketType::Publish,
            Self::PubAck(_) => PacketType::PubAck,
            Self::PubRec(_) => PacketType::PubRec,
            Self::PubRel(_) => PacketType::PubRel,
            Self::PubComp(_) => PacketType::PubComp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::SubAck(_) => PacketType::SubAck,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::UnsubAck(_) => PacketType::UnsubAck,
            Self::PingReq => PacketType::PingReq,
            Self::PingResp => PacketType::PingResp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }
}

/// CONNECT: a client asks for a connection (MQTT 5.0 §3.1).
#[derive(Clone, PartialEq, Eq)]
pub struct Connect {
    /// The version that the rest of the connection speaks.
    pub version: ProtocolVersion,
    /// The highest bit of the protocol level, with which a bridge marks itself before MQTT 5.0.
    pub bridge: bool,
    /// Clean Start; before MQTT 5.0 Clean Session.
    pub clean_start: bool,
    /// Keep Alive in seconds; 0 turns it off.
    pub keep_alive_s: u16,
    /// Properties of the CONNECT itself; empty before MQTT 5.0.
    pub properties: Properties,
    /// The Client Identifier; empty asks the server to assign one. That MQTT 3.1 wants 1 to 23
    /// characters, and MQTT 3.1.1 Clean Session with an empty one, is for the server to answer with
    /// a CONNACK (MQTT 3.1.1 §3.1.3.1).
    pub client_id: MqttString,
    /// The Will Message, if there is one.
    pub will: Option<Will>,
    /// The user name.
    pub username: Option<MqttString>,
    /// The password: at most 65,535 bytes.
    pub password: Option<Bytes>,
}

impl Connect {
    /// A CONNECT with this version and Client Identifier, Clean Start, a Keep Alive of 60 seconds
    /// and nothing else.
    pub fn new(version: ProtocolVersion, client_id: MqttString) -> Self {
        Self {
            version,
            bridge: false,
            clean_start: true,
            keep_alive_s: 60,
            properties: Properties::EMPTY,
            client_id,
            will: None,
            username: None,
            password: None,
        }
    }
}

impl fmt::Debug for Connect {
    /// All but the password, which must not get into a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("bridge", &self.bridge)
            .field("clean_start", &self.clean_start)
            .field("keep_alive_s", &self.keep_alive_s)
            .field("properties", &self.properties)
            .field("client_id", &self.client_id)
            .field("will", &self.will)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .finish()
    }
}

/// What the server publishes when the connection ends without a DISCONNECT (MQTT 5.0 §3.1.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// QoS of the message.
    pub qos: QoS,
    /// Whether it is published as a retained message.
    pub retain: bool,
    /// Will Properties; empty before MQTT 5.0.
    pub properties: Properties,
    /// Where it is published.
    pub topic: TopicName,
    /// What is published: at most 65,535 bytes.
    pub payload: Bytes,
}

/// CONNACK: the server's answer to CONNECT (MQTT 5.0 §3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnAck {
    /// Whether the server goes on with a session it had.
    pub session_present: bool,
    /// Success, or why not; before MQTT 5.0 the five return codes are told by their nearest
    /// Reason Code.
    pub code: ReasonCode,
    /// Properties; empty before MQTT 5.0.
    pub properties: Properties,
}

/// PUBLISH: an Application Message on its way (MQTT 5.0 §3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Whether it may have been sent before.
    pub dup: bool,
    /// Its Quality of Service.
    pub qos: QoS,
    /// Whether it replaces, or is, the retained message of its topic.
    pub retain: bool,
    /// Where it is published; `None`, a topic of no length, where a Topic Alias stands for it.
    pub topic: Option<TopicName>,
    /// Its Packet Identifier: with QoS 1 and 2, and only with them.
    pub packet_id: Option<PacketId>,
    /// Properties; empty before MQTT 5.0.
    pub properties: Properties,
    /// What is published.
    pub payload: Bytes,
}

impl Publish {
    /// A message of QoS 0, not retained.
    pub fn new(topic: TopicName, payload: impl Into<Bytes>) -> Self {
        Self {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic: Some(topic),
            packet_id: None,
            properties: Properties::EMPTY,
            payload: payload.into(),
        }
    }
}

/// PUBACK, PUBREC, PUBREL and PUBCOMP, which look alike (MQTT 5.0 §3.4 to §3.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The PUBLISH it answers.
    pub packet_id: PacketId,
    /// Success, or why not; always success before MQTT 5.0.
    pub code: ReasonCode,
    /// Properties; empty before MQTT 5.0.
    pub properties: Properties,
}

impl Ack {
    /// An acknowledgement with this code and no properties.
    pub const fn new(packet_id: PacketId, code: ReasonCode) -> Self {
        Self { packet_id, code, properties: Properties::EMPTY }
    }
}

/// SUBSCRIBE (MQTT 5.0 §3.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// The identifier that its SUBACK repeats.
    pub packet_id: PacketId,
    /// Properties; empty before MQTT 5.0.
    pub properties: Properties,
    /// What is subscribed to; at least one.
    pub subscriptions: Vec<Subscription>,
}

/// One line of a SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Which topics.
    pub filter: TopicFilter,
    /// How.
    pub options: SubscriptionOptions,
}

/// SUBACK (MQTT 5.0 §3.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubAck {
    /// The SUBSCRIBE it answers.
    pub packet_id: PacketId,
    /// Properties; empty before MQTT 5.0.
    pub properties: Properties,
    /// One code for each line of the SUBSCRIBE, in its order.
    pub codes: Vec<ReasonCode>,
}

/// UNSUBSCRIBE (MQTT 5.0 §3.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe {
    /// The identifier that its UNSUBACK repeats.
    pub packet_id: PacketId,
    /// Properties; empty before MQTT 5.0.
    pub properties: Properties,
    /// What is no longer subscribed to; at least one.
    pub filters: Vec<TopicFilter>,
}

/// UNSUBACK (MQTT 5.0 §3.11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsubAck {
    /// The UNSUBSCRIBE it answers.
    pub packet_id: PacketId,
    /// Properties; empty before MQTT 5.0.
    pub properties: Properties,
    /// One code for each line of the UNSUBSCRIBE; before MQTT 5.0 there are none.
    pub codes: Vec<ReasonCode>,
}

/// DISCONNECT: the last packet of a connection (MQTT 5.0 §3.14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnect {
    /// Why; always normal before MQTT 5.0.
    pub code: ReasonCode,
    /// Properties; empty before MQTT 5.0.
    pub properties: Properties,
}

impl Disconnect {
    /// A DISCONNECT with this code and no properties.
    pub const fn new(code: ReasonCode) -> Self {
        Self { code, properties: Properties::EMPTY }
    }
}

/// AUTH: one step of an enhanced authentication, from MQTT 5.0 on (MQTT 5.0 §3.15).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// Whether the exchange goes on, begins anew or has ended well.
    pub code: ReasonCode,
    /// Properties, the method and its data among them.
    pub properties: Properties,
}

impl Auth {
    /// Whether the method is there, which only the short form of success may leave out
    /// (MQTT 5.0 §3.15.2.1, §3.15.2.2.2).
    pub(crate) fn names_its_method(&self) -> bool {
        self.code == ReasonCode::Success && self.properties.is_empty()
            || self.properties.contains(PropertyId::AuthenticationMethod)
    }
}
