//! What can be wrong with bytes, and with a packet that someone wants to turn into bytes.

use core::fmt;

use crate::{PacketType, PropertyId, ReasonCode, StringError, TopicError};

/// Bytes that are no packet of the specification, or none that is allowed here.
///
/// The connection they came over has no way to go on: answer with
/// [`reason_code`](Self::reason_code) where the version has one, and close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError {
    /// The packet it was found in, once its first byte was understood.
    pub packet: Option<PacketType>,
    /// What is wrong.
    pub kind: DecodeErrorKind,
}

/// What is wrong with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// Packet type 0, or AUTH before MQTT 5.0 (MQTT 5.0 §2.1.2).
    PacketType(u8),
    /// Bits 3-0 of the first byte are not what they must be (MQTT 5.0 §2.1.3).
    FixedHeaderFlags(u8),
    /// QoS bits that are both set (MQTT 5.0 §3.3.1.2).
    QoS3,
    /// DUP on a message of QoS 0 (MQTT 5.0 §3.3.1.1).
    DupWithQoS0,
    /// A Variable Byte Integer of more than four bytes (MQTT 5.0 §1.5.5).
    VarintTooLong,
    /// A Variable Byte Integer that has a shorter form (MQTT 5.0 §1.5.5).
    VarintNotMinimal,
    /// Larger than the maximum packet size of the receiver, in bytes.
    TooLarge {
        /// The size that the packet claims to have.
        size: u32,
        /// The most that is taken.
        max: u32,
    },
    /// The packet ends inside a field.
    Truncated,
    /// Bytes follow after the last field.
    TrailingBytes,
    /// A UTF-8 Encoded String breaks its rules (MQTT 5.0 §1.5.4).
    String(StringError),
    /// A Topic Name or Topic Filter breaks its rules (MQTT 5.0 §4.7).
    Topic(TopicError),
    /// A PUBLISH with neither topic nor Topic Alias (MQTT 5.0 §3.3.2.1).
    NoTopic,
    /// Packet Identifier 0 (MQTT 5.0 §2.2.1).
    PacketIdZero,
    /// The protocol name of a CONNECT is none that we know (MQTT 5.0 §3.1.2.1).
    ProtocolName,
    /// The protocol level of a CONNECT is none that we know (MQTT 5.0 §3.1.2.2).
    ProtocolVersion(u8),
    /// The reserved flag of CONNECT, or one of CONNACK, is set (MQTT 5.0 §3.1.2.3, §3.2.2.1).
    ReservedBits,
    /// Will QoS or Will Retain without a Will Flag, or Will QoS 3 (MQTT 5.0 §3.1.2.6).
    WillFlags,
    /// A password without a user name before MQTT 5.0 (MQTT 3.1.1 §3.1.2.9).
    PasswordWithoutUsername,
    /// Session Present in a CONNACK that refuses (MQTT 5.0 §3.2.2.1.1).
    SessionPresentOnError,
    /// A Reason Code, or return code, that this packet can't carry.
    ReasonCode(u8),
    /// A Property Identifier that the specification does not have.
    UnknownProperty(u32),
    /// A property that this packet can't carry (MQTT 5.0 §2.2.2.2).
    PropertyNotAllowed(PropertyId),
    /// A property that is there twice and may be there once.
    DuplicateProperty(PropertyId),
    /// A property with a value out of its range.
    PropertyValue(PropertyId),
    /// Authentication Data without an Authentication Method (MQTT 5.0 §3.1.2.11.10).
    AuthDataWithoutMethod,
    /// An AUTH without an Authentication Method (MQTT 5.0 §3.15.2.2.2).
    AuthMethodMissing,
    /// A property that only the other end may send in this packet (MQTT 5.0 §3.3.4, §3.14.2.2.2).
    PropertyFromOtherEnd(PropertyId),
    /// A Reason Code that only the other end may send in this packet (MQTT 5.0 §3.14.2.1,
    /// §3.15.2.1).
    ReasonCodeFromOtherEnd(ReasonCode),
    /// Subscription Options with a reserved bit, QoS 3 or Retain Handling 3 (MQTT 5.0 §3.8.3.1).
    SubscriptionOptions(u8),
    /// No Local on a Shared Subscription (MQTT 5.0 §3.8.3.1).
    NoLocalOnShared,
    /// A SUBSCRIBE or UNSUBSCRIBE without a filter (MQTT 5.0 §3.8.3, §3.10.3).
    NoFilter,
    /// The first packet of a client is not CONNECT (MQTT 5.0 §3.1).
    NotConnect,
    /// A second CONNECT (MQTT 5.0 §3.1).
    SecondConnect,
    /// A packet that only the other end may send.
    WrongDirection,
}

impl DecodeError {
    /// The Reason Code that a CONNACK or DISCONNECT of MQTT 5.0 carries for it (MQTT 5.0 §4.13).
    ///
    /// Most of them are the same in both packets; [`UnsupportedProtocolVersion`] is of CONNACK alone,
    /// and comes of nothing but a CONNECT. [`TopicAliasInvalid`] is of DISCONNECT alone, and comes of
    /// nothing but a PUBLISH.
    ///
    /// [`UnsupportedProtocolVersion`]: ReasonCode::UnsupportedProtocolVersion
    /// [`TopicAliasInvalid`]: ReasonCode::TopicAliasInvalid
    pub const fn reason_code(&self) -> ReasonCode {
        use DecodeErrorKind as Kind;
        match self.kind {
            Kind::TooLarge { .. } => ReasonCode::PacketTooLarge,
            Kind::ProtocolVersion(_) | Kind::ProtocolName => ReasonCode::UnsupportedProtocolVersion,
            // A reserved bit is malformed; QoS 3 and Retain Handling 3 are called protocol errors.
            Kind::SubscriptionOptions(options) if options & 0b1100_0000 == 0 => {
                ReasonCode::ProtocolError
            }
            Kind::PropertyValue(PropertyId::TopicAlias) => ReasonCode::TopicAliasInvalid,
            // The specification leaves it open which of the two it is; other brokers say this.
            Kind::PacketIdZero
                if matches!(self.packet, Some(PacketType::Subscribe | PacketType::Unsubscribe)) =>
            {
                ReasonCode::MalformedPacket
            }
            Kind::DupWithQoS0
            | Kind::NoTopic
            | Kind::PacketIdZero
            | Kind::PasswordWithoutUsername
            | Kind::DuplicateProperty(_)
            | Kind::PropertyValue(_)
            | Kind::AuthDataWithoutMethod
            | Kind::AuthMethodMissing
            | Kind::PropertyFromOtherEnd(_)
            | Kind::ReasonCodeFromOtherEnd(_)
            | Kind::NoLocalOnShared
            | Kind::NoFilter
            | Kind::NotConnect
            | Kind::SecondConnect
            | Kind::SessionPresentOnError
            | Kind::WrongDirection => ReasonCode::ProtocolError,
            _ => ReasonCode::MalformedPacket,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.packet {
            Some(packet) => write!(f, "{packet}: {}", self.kind),
            None => self.kind.fmt(f),
        }
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PacketType(kind) => {
                return write!(f, "packet type {kind} does not exist in this version");
            }
            Self::FixedHeaderFlags(flags) => {
                return write!(f, "the flags in its first byte can't be {flags:#06b}");
            }
            Self::QoS3 => "QoS 3 does not exist",
            Self::DupWithQoS0 => "DUP is set on a message of QoS 0",
            Self::VarintTooLong => "a variable byte integer has more than four bytes",
            Self::VarintNotMinimal => "a variable byte integer is longer than it must be",
            Self::TooLarge { size, max } => {
                return write!(f, "the packet has {size} bytes, and {max} is the maximum");
            }
            Self::Truncated => "the packet ends inside a field",
            Self::TrailingBytes => "bytes follow after the last field",
            Self::String(error) => return error.fmt(f),
            Self::Topic(error) => return error.fmt(f),
            Self::NoTopic => "there is neither a topic nor a topic alias",
            Self::PacketIdZero => "the packet identifier is 0",
            Self::ProtocolName => "the protocol name is not MQTT",
            Self::ProtocolVersion(level) => {
                return write!(f, "protocol version {level} is not known");
            }
            Self::ReservedBits => "a reserved bit is set",
            Self::WillFlags => "the will flags contradict each other",
            Self::PasswordWithoutUsername => "there is a password but no user name",
            Self::SessionPresentOnError => "a refusal says that a session is present",
            Self::ReasonCode(code) => return write!(f, "reason code 0x{code:02x} is not allowed"),
            Self::UnknownProperty(id) => return write!(f, "property {id} does not exist"),
            Self::PropertyNotAllowed(id) => return write!(f, "{id} is not allowed in it"),
            Self::DuplicateProperty(id) => return write!(f, "{id} is there twice"),
            Self::PropertyValue(id) => return write!(f, "{id} has a value it can't have"),
            Self::AuthMethodMissing => "there is no authentication method",
            Self::PropertyFromOtherEnd(id) => {
                return write!(f, "only the other end may send {id} in it");
            }
            Self::ReasonCodeFromOtherEnd(code) => {
                return write!(f, "only the other end may send {code} in it");
            }
            Self::AuthDataWithoutMethod => "there is authentication data but no method",
            Self::SubscriptionOptions(byte) => {
                return write!(f, "the subscription options can't be 0x{byte:02x}");
            }
            Self::NoLocalOnShared => "No Local is set on a shared subscription",
            Self::NoFilter => "there is no topic filter in it",
            Self::NotConnect => "the first packet must be CONNECT",
            Self::SecondConnect => "a client sends CONNECT once",
            Self::WrongDirection => "only the other end may send it",
        })
    }
}

impl core::error::Error for DecodeError {}

impl From<StringError> for DecodeErrorKind {
    fn from(error: StringError) -> Self {
        Self::String(error)
    }
}

impl From<TopicError> for DecodeErrorKind {
    fn from(error: TopicError) -> Self {
        match error {
            TopicError::String(error) => Self::String(error),
            error => Self::Topic(error),
        }
    }
}

/// A packet that has no form as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// Longer than a Remaining Length can say.
    TooLarge,
    /// Binary Data of more than 65,535 bytes.
    BinaryTooLong,
    /// AUTH, or a CONNECT with a password but no user name, before MQTT 5.0.
    NotInThisVersion(PacketType),
    /// A PUBLISH with neither topic nor Topic Alias.
    NoTopic,
    /// A PUBLISH of QoS 1 or 2 without a Packet Identifier, or of QoS 0 with one.
    PacketId,
    /// A property that this packet can't carry, or can't carry twice, or with this value.
    Property(PropertyId),
    /// A Reason Code that this packet can't carry; before MQTT 5.0 also one that no return code of
    /// CONNACK is near to, where the connection is closed without a CONNACK (MQTT 3.1.1 §3.2.2.3).
    ReasonCode(ReasonCode),
    /// No Local on a Shared Subscription.
    NoLocalOnShared,
    /// A SUBSCRIBE, SUBACK, UNSUBSCRIBE or UNSUBACK about nothing.
    Empty,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the packet is larger than it may be",
            Self::BinaryTooLong => "binary data is longer than 65,535 bytes",
            Self::NotInThisVersion(packet) => {
                return write!(f, "{packet} does not exist in this version, or not like this");
            }
            Self::NoTopic => "the message has neither a topic nor a topic alias",
            Self::PacketId => "a packet identifier goes with QoS 1 and 2, and only with them",
            Self::Property(id) => return write!(f, "{id} can't be in this packet like this"),
            Self::ReasonCode(code) => return write!(f, "{code} can't be in this packet"),
            Self::NoLocalOnShared => "No Local can't be set on a shared subscription",
            Self::Empty => "the packet is about nothing",
        })
    }
}

impl core::error::Error for EncodeError {}
