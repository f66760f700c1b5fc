//! What a client tells its owner, and what it wants done.

use bytes::Bytes;
use codec::{
    DecodeError, EncodeError, MqttString, PacketType, Properties, QoS, ReasonCode, TopicFilter,
    TopicName,
};
use core::fmt;

use crate::{AliasError, FlowError, Millis};

/// Names one thing that a client was asked to do, in what it tells about it later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// An Application Message, on its way in or out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it is published.
    pub topic: TopicName,
    /// What is published.
    pub payload: Bytes,
    /// Its Quality of Service.
    pub qos: QoS,
    /// Whether it is to be, or was, kept for later subscribers.
    pub retain: bool,
    /// Its properties but for the Topic Alias, which is the business of the connection; empty before
    /// MQTT 5.0.
    pub properties: Properties,
}

impl Message {
    /// A message of QoS 0, not retained.
    pub fn new(topic: TopicName, payload: impl Into<Bytes>) -> Self {
        Self {
            topic,
            payload: payload.into(),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: Properties::EMPTY,
        }
    }
}

/// What the owner must do with the transport. What it does not do, or can't, it reports as
/// [`on_transport_closed`](crate::Client::on_transport_closed).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Open a new one.
    Open,
    /// Close the one there is, once the bytes handed out before are sent, and report nothing more
    /// of it.
    Close,
}

/// Where a client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It was not asked to connect, or has given up; only
    /// [`connect`](crate::Client::connect) changes that.
    Idle,
    /// It will try again.
    Waiting {
        /// When.
        until: Millis,
    },
    /// The transport is being opened.
    Opening,
    /// CONNECT is sent, CONNACK to come.
    Handshake,
    /// CONNACK has come.
    Connected,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The server accepted the connection.
    Connected(Connected),
    /// The server turned the connection down.
    Refused {
        /// Why; before MQTT 5.0 the nearest code.
        code: ReasonCode,
        /// The server's own words.
        reason: Option<MqttString>,
        /// Another server to use, where the code is about that.
        server_reference: Option<MqttString>,
        /// When the next try begins, in milliseconds from now; `None` when trying again can't help.
        retry_in_ms: Option<u64>,
    },
    /// There is no connection any more, or none came about.
    Disconnected {
        /// Why; also as a sentence.
        why: DisconnectReason,
        /// When the next try begins, in milliseconds from now; `None` if there is none.
        retry_in_ms: Option<u64>,
    },
    /// A message came.
    Message(Message),
    /// The server answered a SUBSCRIBE; after a reconnect also one that was answered before.
    Subscribed {
        /// Which.
        token: Token,
        /// What it said of each filter: the QoS granted, or why not. A filter that was refused is
        /// forgotten.
        results: Vec<(TopicFilter, ReasonCode)>,
    },
    /// The server answered an UNSUBSCRIBE.
    Unsubscribed {
        /// Which.
        token: Token,
        /// What it said of each filter; success before MQTT 5.0.
        results: Vec<(TopicFilter, ReasonCode)>,
    },
    /// The message is the server's now; with QoS 0, it was handed to the transport.
    Published {
        /// Which.
        token: Token,
        /// Success, or that nobody is subscribed.
        code: ReasonCode,
    },
    /// The message was given up.
    PublishFailed {
        /// Which.
        token: Token,
        /// Why.
        why: PublishError,
    },
}

/// What the server said when it accepted a connection; what it left out has the specification's
/// default (MQTT 5.0 §3.2.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// Whether the server went on with a session it had.
    pub session_present: bool,
    /// The Client Identifier in use: ours, or the one that the server assigned.
    pub client_id: MqttString,
    /// The Keep Alive in use, in seconds.
    pub keep_alive_s: u16,
    /// How long the session outlives the connection, in seconds; 0 before MQTT 5.0.
    pub session_expiry_s: u32,
    /// What the server takes.
    pub limits: ServerLimits,
    /// Whether it was asked for packets of at most [`packet_size_cautious`](crate::Options::packet_size_cautious)
    /// bytes, or would have been in MQTT 5.0, as it had fallen silent.
    pub is_cautious: bool,
    /// All properties of the CONNACK.
    pub properties: Properties,
}

/// What a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Messages of QoS 1 and 2 that may be unacknowledged.
    pub receive_maximum: u16,
    /// The highest QoS of a message.
    pub maximum_qos: QoS,
    /// Whether messages may be retained.
    pub retain_available: bool,
    /// The largest packet, in bytes.
    pub packet_size_max: u32,
    /// The highest topic alias.
    pub topic_alias_maximum: u16,
    /// Whether filters may hold wildcards.
    pub wildcards_available: bool,
    /// Whether subscriptions may have an identifier.
    pub subscription_ids_available: bool,
    /// Whether there are shared subscriptions.
    pub shared_available: bool,
}

impl ServerLimits {
    pub(crate) fn of(properties: &Properties) -> Self {
        Self {
            receive_maximum: properties.receive_maximum().unwrap_or(u16::MAX),
            maximum_qos: properties.maximum_qos().unwrap_or(QoS::ExactlyOnce),
            retain_available: properties.retain_available().unwrap_or(true),
            packet_size_max: properties.maximum_packet_size().unwrap_or(codec::PACKET_SIZE_MAX),
            topic_alias_maximum: properties.topic_alias_maximum().unwrap_or(0),
            wildcards_available: properties.wildcard_subscription_available().unwrap_or(true),
            subscription_ids_available: properties
                .subscription_identifier_available()
                .unwrap_or(true),
            shared_available: properties.shared_subscription_available().unwrap_or(true),
        }
    }
}

/// Why a message is not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishError {
    /// As many messages, or bytes of them, are held as the options allow.
    QueueFull,
    /// The server takes no messages of this QoS.
    QosNotSupported {
        /// The highest it takes.
        maximum: QoS,
    },
    /// The server keeps no messages for later subscribers.
    RetainNotSupported,
    /// The packet is larger than the server takes.
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The largest it takes.
        max: u32,
    },
    /// It has no form as a packet.
    Encode(EncodeError),
    /// The server refused it.
    Refused {
        /// Why.
        code: ReasonCode,
        /// The server's own words.
        reason: Option<MqttString>,
    },
    /// A message of QoS 2 was on its way when the server lost the session: whether it arrived can't
    /// be known, and sending it again might deliver it twice.
    SessionLost,
}

/// Why a subscription is not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscribeError {
    /// As many operations wait for the server as there may be
    /// ([`OPERATIONS_MAX`](crate::OPERATIONS_MAX)).
    TooMany,
    /// No Local does not go with a shared subscription (MQTT 5.0 §3.8.3.1).
    NoLocalOnShared,
    /// It has no form as a packet: there is no filter, or a subscription identifier out of range.
    Encode(EncodeError),
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisconnectReason {
    /// [`disconnect`](crate::Client::disconnect) was called.
    Requested,
    /// The transport could not be opened.
    Unreachable,
    /// The transport did not open in time.
    OpenTimeout,
    /// No CONNACK came in time.
    HandshakeTimeout,
    /// The transport closed without a word from the server.
    TransportClosed,
    /// Nothing came after a PINGREQ.
    PingTimeout,
    /// The server sent a DISCONNECT.
    ByServer {
        /// Why.
        code: ReasonCode,
        /// The server's own words.
        reason: Option<MqttString>,
        /// Another server to use, where the code is about that.
        server_reference: Option<MqttString>,
    },
    /// The server broke the protocol.
    Protocol(Violation),
    /// Text came over a WebSocket, where MQTT comes in binary frames alone (MQTT 5.0 §6.0).
    Text,
    /// The server sends, but does not read, until too many answers wait for it.
    ServerDoesNotRead,
    /// Our CONNECT has no form as a packet.
    Connect(EncodeError),
}

/// How a server broke the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// Bytes that are no packet.
    Decode(DecodeError),
    /// A packet that does not fit the flow it belongs to.
    Flow(PacketType, FlowError),
    /// A topic that can't be told.
    Alias(AliasError),
    /// A packet that may not come now.
    Unexpected(PacketType),
    /// A session is said to be present though a clean start was asked for (MQTT 5.0 §3.2.2.1.1).
    SessionPresent,
    /// A SUBACK or UNSUBACK with more or fewer codes than there were filters.
    CodeCount(PacketType),
}

impl Violation {
    /// The Reason Code that our DISCONNECT gives for it.
    pub const fn reason_code(&self) -> ReasonCode {
        match self {
            Self::Decode(error) => error.reason_code(),
            Self::Flow(_, FlowError::ReceiveMaximumExceeded) => ReasonCode::ReceiveMaximumExceeded,
            Self::Alias(error) => error.reason_code(),
            Self::Flow(..) | Self::Unexpected(_) | Self::SessionPresent | Self::CodeCount(_) => {
                ReasonCode::ProtocolError
            }
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::Flow(packet, error) => write!(f, "{packet}: {error}"),
            Self::Alias(error) => write!(f, "PUBLISH: {error}"),
            Self::Unexpected(packet) => write!(f, "a {packet} may not come now"),
            Self::SessionPresent => {
                f.write_str("CONNACK: a session is present after a clean start")
            }
            Self::CodeCount(packet) => {
                write!(f, "{packet}: it has not one reason code for each filter")
            }
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requested => "disconnected as asked",
            Self::Unreachable => {
                "the server can't be reached: it is not running, or something is in between"
            }
            Self::OpenTimeout => "the server can't be reached: the connection did not open in time",
            Self::HandshakeTimeout => "the server did not answer CONNECT in time",
            Self::TransportClosed => "the connection was closed by the server or by the network",
            Self::PingTimeout => "the server does not answer any more",
            Self::ByServer { code, reason: None, .. } => {
                return write!(f, "the server ended the connection: {code}");
            }
            Self::ByServer { code, reason: Some(reason), .. } => {
                return write!(f, "the server ended the connection: {code}: {reason}");
            }
            Self::Protocol(violation) => {
                return write!(f, "the server broke the protocol: {violation}");
            }
            Self::Text => "what answers sends text, where MQTT comes in binary WebSocket frames",
            Self::ServerDoesNotRead => "the server sends without reading what it is answered",
            Self::Connect(error) => return write!(f, "these options make no CONNECT: {error}"),
        })
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueueFull => f.write_str("too many messages wait to be sent"),
            Self::QosNotSupported { maximum } => {
                write!(f, "the server takes messages up to QoS {} only", *maximum as u8)
            }
            Self::RetainNotSupported => f.write_str("the server does not retain messages"),
            Self::TooLarge { size, max } => {
                write!(f, "the packet would have {size} bytes, and the server takes {max}")
            }
            Self::Encode(error) => error.fmt(f),
            Self::Refused { code, reason: None } => write!(f, "the server refused it: {code}"),
            Self::Refused { code, reason: Some(reason) } => {
                write!(f, "the server refused it: {code}: {reason}")
            }
            Self::SessionLost => f.write_str(
                "the server lost the session while the message was on its way; it may have arrived",
            ),
        }
    }
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => f.write_str("too many subscriptions wait for the server's answer"),
            Self::NoLocalOnShared => f.write_str("No Local does not go with a shared subscription"),
            Self::Encode(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Violation {}
impl core::error::Error for PublishError {}
impl core::error::Error for SubscribeError {}
