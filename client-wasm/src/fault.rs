//! What is wrong with a packet, or with what was to become one, as the page can say it in any language: the
//! codec's own words are English. Faults of which a person would do the same are one sentence; the names of
//! packets, fields and properties stay as the specification spells them.

use codec::{
    DecodeError, DecodeErrorKind, EncodeError, PacketType, PropertyId, QoS, StringError, TopicError,
};
use serde::{Deserialize, Serialize};
use session::{AliasError, FlowError, SubscribeError, Violation};

use crate::number::grouped;
use crate::texts::{Texts, fill};

/// The longest text and the longest binary data of a packet, in bytes (MQTT 5.0 §1.5.4, §1.5.6).
const FIELD_BYTES_MAX: u64 = 65_535;

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// By the broker: the name of its Reason Code, and its own words.
    Broker(String),
    /// By this page: it could not even be said.
    Fault(Fault),
}

impl Reason {
    /// It in words, for the middle of a sentence.
    pub fn words(&self, texts: &Texts) -> String {
        match self {
            Self::Broker(words) => words.clone(),
            Self::Fault(fault) => fault.words(texts),
        }
    }
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The packet or field that it is about; empty where that is clear.
    place: String,
    what: What,
    /// What the sentence names.
    values: Vec<String>,
}

/// What may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum What {
    /// There is no such thing.
    Unknown,
    /// It can't be like this, or not here.
    NotLikeThis,
    /// It is not there.
    Missing,
    /// It is there twice.
    Twice,
    /// It is the other end's to send.
    OtherEnd,
    /// The packet may not come now.
    OutOfTurn,
    /// The packet ends too early.
    Truncated,
    /// The packet goes on too long.
    Trailing,
    /// The packet is too large; its size and the largest.
    TooLarge,
    /// Text or binary data is too long; the most.
    TooLong,
    /// Text is no UTF-8.
    NotUtf8,
    /// Text has the character U+0000.
    Nul,
    /// A topic has no character.
    TopicEmpty,
    /// A topic name with a wildcard.
    Wildcard,
    /// A wildcard where none can be.
    WildcardPlace,
    /// A shared subscription without its parts.
    Share,
    /// No Local on a shared subscription.
    NoLocal,
    /// Too many messages at once.
    ReceiveMaximum,
    /// A Packet Identifier that belongs to something else.
    PacketIdentifier,
    /// Not one Reason Code for each filter.
    Codes,
    /// The other end sends and does not read.
    NotReading,
    /// A QoS above the broker's; the highest.
    Qos,
    /// The broker retains nothing.
    Retain,
    /// Too much waits for an answer.
    Busy,
}

impl Fault {
    fn new(what: What) -> Self {
        Self { place: String::new(), what, values: Vec::new() }
    }

    fn of(what: What, name: &(impl ToString + ?Sized)) -> Self {
        Self { values: vec![name.to_string()], ..Self::new(what) }
    }

    /// Says where it is.
    pub fn at(self, place: &(impl ToString + ?Sized)) -> Self {
        Self { place: place.to_string(), ..self }
    }

    /// It in words, for the middle of a sentence.
    pub fn words(&self, texts: &Texts) -> String {
        let text = match self.what {
            What::Unknown => texts.fault_unknown,
            What::NotLikeThis => texts.fault_not_like_this,
            What::Missing => texts.fault_missing,
            What::Twice => texts.fault_twice,
            What::OtherEnd => texts.fault_other_end,
            What::OutOfTurn => texts.fault_out_of_turn,
            What::Truncated => texts.fault_truncated,
            What::Trailing => texts.fault_trailing,
            What::TooLarge => texts.fault_too_large,
            What::TooLong => texts.fault_too_long,
            What::NotUtf8 => texts.fault_not_utf8,
            What::Nul => texts.fault_nul,
            What::TopicEmpty => texts.fault_topic_empty,
            What::Wildcard => texts.fault_wildcard,
            What::WildcardPlace => texts.fault_wildcard_place,
            What::Share => texts.fault_share,
            What::NoLocal => texts.fault_no_local,
            What::ReceiveMaximum => texts.fault_receive_maximum,
            What::PacketIdentifier => texts.fault_packet_identifier,
            What::Codes => texts.fault_codes,
            What::NotReading => texts.fault_not_reading,
            What::Qos => texts.fault_qos,
            What::Retain => texts.fault_retain,
            What::Busy => texts.fault_busy,
        };
        let values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        let words = fill(text, &values);
        if self.place.is_empty() { words } else { format!("{}: {words}", self.place) }
    }
}

impl From<&DecodeError> for Fault {
    fn from(error: &DecodeError) -> Self {
        let fault = Self::from(&error.kind);
        match error.packet {
            Some(packet) => fault.at(&packet),
            None => fault,
        }
    }
}

impl From<&DecodeErrorKind> for Fault {
    fn from(kind: &DecodeErrorKind) -> Self {
        use DecodeErrorKind as Kind;
        let not = |name: &str| Self::of(What::NotLikeThis, name);
        match kind {
            Kind::PacketType(number) => {
                Self::of(What::Unknown, &format!("MQTT Control Packet type {number}"))
            }
            Kind::UnknownProperty(number) => {
                Self::of(What::Unknown, &format!("Property Identifier {number}"))
            }
            Kind::FixedHeaderFlags(flags) => not(&format!("Fixed Header flags {flags:#06b}")),
            Kind::QoS3 => not("QoS 3"),
            Kind::DupWithQoS0 => not("DUP + QoS 0"),
            Kind::ReservedBits => not("Reserved = 1"),
            Kind::WillFlags => not("Will Flag, Will QoS, Will Retain"),
            Kind::SubscriptionOptions(byte) => not(&format!("Subscription Options 0x{byte:02x}")),
            Kind::VarintTooLong | Kind::VarintNotMinimal => not("Variable Byte Integer"),
            Kind::PacketIdZero => not("Packet Identifier 0"),
            Kind::ProtocolName => not("Protocol Name"),
            Kind::ProtocolVersion(level) => not(&format!("Protocol Version {level}")),
            Kind::SessionPresentOnError => not("Session Present"),
            Kind::ReasonCode(code) => not(&format!("Reason Code 0x{code:02x}")),
            Kind::PropertyNotAllowed(id) | Kind::PropertyValue(id) => {
                Self::of(What::NotLikeThis, id)
            }
            Kind::DuplicateProperty(id) => Self::of(What::Twice, id),
            Kind::SecondConnect => Self::of(What::Twice, &PacketType::Connect),
            Kind::PropertyFromOtherEnd(id) => Self::of(What::OtherEnd, id),
            Kind::ReasonCodeFromOtherEnd(code) => Self::of(What::OtherEnd, code),
            Kind::WrongDirection => Self::of(What::OtherEnd, "MQTT Control Packet"),
            Kind::NoTopic => Self::of(What::Missing, "Topic Name"),
            Kind::AuthMethodMissing | Kind::AuthDataWithoutMethod => {
                Self::of(What::Missing, &PropertyId::AuthenticationMethod)
            }
            Kind::PasswordWithoutUsername => Self::of(What::Missing, "User Name"),
            Kind::NoFilter => Self::of(What::Missing, "Topic Filter"),
            Kind::NotConnect => Self::of(What::Missing, &PacketType::Connect),
            Kind::TooLarge { size, max } => too_large((*size).into(), (*max).into()),
            Kind::Truncated => Self::new(What::Truncated),
            Kind::TrailingBytes => Self::new(What::Trailing),
            Kind::String(error) => error.into(),
            Kind::Topic(error) => error.into(),
            Kind::NoLocalOnShared => Self::new(What::NoLocal),
            // What the codec may come to know.
            other => Self::of(What::NotLikeThis, other),
        }
    }
}

/// A packet is larger than it may be, in bytes.
pub fn too_large(size: u64, max: u64) -> Fault {
    Fault { values: vec![grouped(size), grouped(max)], ..Fault::new(What::TooLarge) }
}

/// A QoS above the highest that the broker takes.
pub fn qos_max(maximum: QoS) -> Fault {
    Fault::of(What::Qos, &(maximum as u8))
}

/// A message to be retained, by a broker that retains none.
pub fn no_retain() -> Fault {
    Fault::new(What::Retain)
}

impl From<&StringError> for Fault {
    fn from(error: &StringError) -> Self {
        match error {
            StringError::NotUtf8 => Self::new(What::NotUtf8),
            StringError::Nul => Self::new(What::Nul),
            StringError::TooLong => Self::of(What::TooLong, &grouped(FIELD_BYTES_MAX)),
        }
    }
}

impl From<&TopicError> for Fault {
    fn from(error: &TopicError) -> Self {
        match error {
            TopicError::Empty => Self::new(What::TopicEmpty),
            TopicError::WildcardInName => Self::new(What::Wildcard),
            TopicError::WildcardPosition => Self::new(What::WildcardPlace),
            TopicError::ShareName => Self::new(What::Share),
            TopicError::String(error) => error.into(),
        }
    }
}

impl From<&EncodeError> for Fault {
    fn from(error: &EncodeError) -> Self {
        match error {
            EncodeError::TooLarge => Self::of(What::NotLikeThis, "Remaining Length"),
            EncodeError::BinaryTooLong => Self::of(What::TooLong, &grouped(FIELD_BYTES_MAX)),
            EncodeError::NotInThisVersion(packet) => Self::of(What::NotLikeThis, packet),
            EncodeError::NoTopic => Self::of(What::Missing, "Topic Name"),
            EncodeError::PacketId => Self::of(What::NotLikeThis, "Packet Identifier"),
            EncodeError::Property(id) => Self::of(What::NotLikeThis, id),
            EncodeError::ReasonCode(code) => Self::of(What::NotLikeThis, code),
            EncodeError::NoLocalOnShared => Self::new(What::NoLocal),
            EncodeError::Empty => Self::of(What::Missing, "Topic Filter"),
            // As above.
            other => Self::of(What::NotLikeThis, other),
        }
    }
}

impl From<&Violation> for Fault {
    fn from(violation: &Violation) -> Self {
        match violation {
            Violation::Decode(error) => error.into(),
            Violation::Flow(packet, FlowError::ReceiveMaximumExceeded) => {
                Self::new(What::ReceiveMaximum).at(packet)
            }
            Violation::Flow(packet, FlowError::UnknownPacketId | FlowError::WrongState) => {
                Self::new(What::PacketIdentifier).at(packet)
            }
            Violation::Alias(error) => Self::from(error).at(&PacketType::Publish),
            Violation::Unexpected(packet) => Self::new(What::OutOfTurn).at(packet),
            Violation::SessionPresent => {
                Self::of(What::NotLikeThis, "Session Present").at(&PacketType::ConnAck)
            }
            Violation::CodeCount(packet) => Self::new(What::Codes).at(packet),
        }
    }
}

impl From<&AliasError> for Fault {
    fn from(error: &AliasError) -> Self {
        match error {
            AliasError::OutOfRange { alias, .. } => {
                Self::of(What::NotLikeThis, &format!("Topic Alias {alias}"))
            }
            AliasError::Unknown { alias } => {
                Self::of(What::Unknown, &format!("Topic Alias {alias}"))
            }
            AliasError::NoTopic => Self::of(What::Missing, "Topic Name"),
            AliasError::TooManyBytes => Self::of(What::NotLikeThis, &PropertyId::TopicAlias),
        }
    }
}

/// The other end sends, and does not read what it is answered.
pub fn not_reading() -> Fault {
    Fault::new(What::NotReading)
}

impl From<&SubscribeError> for Fault {
    fn from(error: &SubscribeError) -> Self {
        match error {
            SubscribeError::TooMany => Self::new(What::Busy),
            SubscribeError::NoLocalOnShared => Self::new(What::NoLocal),
            SubscribeError::Encode(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use codec::{Packet, ProtocolVersion, ReasonCode, TopicFilter, TopicName};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::texts;

    fn said(language: &str, fault: &Fault) -> String {
        fault.words(texts::choose([language]).1)
    }

    #[test]
    fn a_packet_that_breaks_the_rules_is_told_in_the_language_of_the_page() {
        for (bytes, words) in [
            (&b"\x30\x05\x00\x09abc"[..], "PUBLISH: termina en medio de un campo"),
            (b"\x36\x05\x00\x01a\x00\x01", "PUBLISH: QoS 3 no puede ser así aquí"),
            (
                b"\x31\x06\x00\x01a\x02\x01\x07",
                "PUBLISH: Payload Format Indicator no puede ser así aquí",
            ),
            (b"\x30\x04\x00\x01a\x01", "PUBLISH: termina en medio de un campo"),
            (
                b"\x30\x04\x00\x01#\x00",
                "PUBLISH: un tema en el que se publica no puede contener + ni #",
            ),
            (b"\x30\x03\x00\x00\x00", "PUBLISH: falta Topic Name"),
            (b"\x00\x00", "MQTT Control Packet type 0 no existe"),
            (b"\xd0\x01\x00", "PINGRESP: le siguen bytes detrás de su último campo"),
            (b"\x40\x02\x00\x00", "PUBACK: Packet Identifier 0 no puede ser así aquí"),
        ] {
            let error =
                Packet::decode(&Bytes::from_static(bytes), ProtocolVersion::V5).unwrap_err();
            assert_eq!(said("es", &(&error).into()), words, "{bytes:02x?}");
        }
    }

    /// Every sentence has a place for each of its values, and no more.
    #[test]
    fn nothing_is_left_open() {
        let kinds = [
            DecodeErrorKind::UnknownProperty(99),
            DecodeErrorKind::SubscriptionOptions(0xc0),
            DecodeErrorKind::DuplicateProperty(PropertyId::TopicAlias),
            DecodeErrorKind::ReasonCodeFromOtherEnd(ReasonCode::Success),
            DecodeErrorKind::TooLarge { size: 20_000, max: 10 },
            DecodeErrorKind::String(StringError::TooLong),
            DecodeErrorKind::NoLocalOnShared,
        ];
        let filters =
            ["", "a/#/b", "$share//a", "\0"].map(|text| TopicFilter::new(text).unwrap_err());
        let violations = [
            Violation::Flow(PacketType::PubRec, FlowError::ReceiveMaximumExceeded),
            Violation::Alias(AliasError::Unknown { alias: 7 }),
            Violation::CodeCount(PacketType::SubAck),
            Violation::Unexpected(PacketType::Auth),
        ];
        let encodes = [EncodeError::BinaryTooLong, EncodeError::Property(PropertyId::TopicAlias)];
        let mut faults: Vec<Fault> = kinds.iter().map(Fault::from).collect();
        faults.extend(filters.iter().map(Fault::from));
        faults.extend(violations.iter().map(Fault::from));
        faults.extend(encodes.iter().map(Fault::from));
        faults
            .extend([&SubscribeError::TooMany, &SubscribeError::NoLocalOnShared].map(Fault::from));
        faults.push((&TopicName::new("a/+").unwrap_err()).into());
        faults.extend([not_reading(), no_retain(), qos_max(QoS::AtLeastOnce)]);
        for fault in faults {
            let (english, spanish) = (said("en", &fault), said("es", &fault));
            assert_ne!(english, spanish);
            for words in [english, spanish] {
                let is_whole = fault.values.iter().all(|value| words.contains(value.as_str()));
                assert!(is_whole && !words.contains("{}") && !words.contains("  "), "{words}");
            }
        }
    }
}
