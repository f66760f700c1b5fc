//! Reason Codes (MQTT 5.0 §2.4) and the return codes of MQTT 3.1 and 3.1.1.

use crate::{PacketType, ProtocolVersion, QoS};

macro_rules! reason_codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal, [$($packet:ident)*];)*) => {
        /// What a packet says of how an operation ended; 0x80 and above are failures.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(u8)]
        pub enum ReasonCode {
            $($(#[$doc])* $name = $value,)*
        }

        impl ReasonCode {
            /// Every code, in the order of its number.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code with this number, if the specification has one.
            pub const fn from_u8(value: u8) -> Option<Self> {
                match value {
                    $($value => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The name as the specification writes it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// Whether a packet of this type may carry the code (MQTT 5.0 §2.4).
            pub const fn is_allowed_in(self, packet: PacketType) -> bool {
                match self {
                    $(Self::$name => matches!(packet, $(PacketType::$packet)|*),)*
                }
            }
        }
    };
}

reason_codes! {
    /// Also "Normal disconnection" in DISCONNECT and "Granted QoS 0" in SUBACK.
    #[default]
    Success = 0x00, "Success",
        [ConnAck PubAck PubRec PubRel PubComp SubAck UnsubAck Disconnect Auth];
    /// QoS 1 is the maximum for the subscription.
    GrantedQoS1 = 0x01, "Granted QoS 1", [SubAck];
    /// QoS 2 is the maximum for the subscription.
    GrantedQoS2 = 0x02, "Granted QoS 2", [SubAck];
    /// The client leaves and wants its Will Message sent all the same.
    DisconnectWithWill = 0x04, "Disconnect with Will Message", [Disconnect];
    /// The message was accepted, but nobody is subscribed to its topic.
    NoMatchingSubscribers = 0x10, "No matching subscribers", [PubAck PubRec];
    /// There was no such subscription.
    NoSubscriptionExisted = 0x11, "No subscription existed", [UnsubAck];
    /// The exchange goes on.
    ContinueAuthentication = 0x18, "Continue authentication", [Auth];
    /// A client that is connected begins an exchange anew.
    ReAuthenticate = 0x19, "Re-authenticate", [Auth];
    /// The reason is not told, or none of the others fits.
    UnspecifiedError = 0x80, "Unspecified error",
        [ConnAck PubAck PubRec SubAck UnsubAck Disconnect];
    /// The bytes are no packet of the specification.
    MalformedPacket = 0x81, "Malformed Packet", [ConnAck Disconnect];
    /// The packet is well formed, but not allowed now or in this way.
    ProtocolError = 0x82, "Protocol Error", [ConnAck Disconnect];
    /// Valid, but not accepted by this implementation.
    ImplementationSpecificError = 0x83, "Implementation specific error",
        [ConnAck PubAck PubRec SubAck UnsubAck Disconnect];
    /// The protocol version of the CONNECT is not served.
    UnsupportedProtocolVersion = 0x84, "Unsupported Protocol Version", [ConnAck];
    /// The Client Identifier is valid text, but not accepted.
    ClientIdentifierNotValid = 0x85, "Client Identifier not valid", [ConnAck];
    /// User name or password are wrong.
    BadUserNameOrPassword = 0x86, "Bad User Name or Password", [ConnAck];
    /// The client may not do this.
    NotAuthorized = 0x87, "Not authorized", [ConnAck PubAck PubRec SubAck UnsubAck Disconnect];
    /// The server can't serve now.
    ServerUnavailable = 0x88, "Server unavailable", [ConnAck];
    /// The server is busy; try again later.
    ServerBusy = 0x89, "Server busy", [ConnAck Disconnect];
    /// The client was banned by an administrator.
    Banned = 0x8a, "Banned", [ConnAck];
    /// The server shuts down.
    ServerShuttingDown = 0x8b, "Server shutting down", [Disconnect];
    /// The authentication method is not served, or is not the one of the CONNECT.
    BadAuthenticationMethod = 0x8c, "Bad authentication method", [ConnAck Disconnect];
    /// Nothing came for one and a half times the Keep Alive.
    KeepAliveTimeout = 0x8d, "Keep Alive timeout", [Disconnect];
    /// Another connection uses the same Client Identifier now.
    SessionTakenOver = 0x8e, "Session taken over", [Disconnect];
    /// The Topic Filter is well formed, but not accepted.
    TopicFilterInvalid = 0x8f, "Topic Filter invalid", [SubAck UnsubAck Disconnect];
    /// The Topic Name is well formed, but not accepted.
    TopicNameInvalid = 0x90, "Topic Name invalid", [ConnAck PubAck PubRec Disconnect];
    /// The Packet Identifier is in use already.
    PacketIdentifierInUse = 0x91, "Packet Identifier in use", [PubAck PubRec SubAck UnsubAck];
    /// The Packet Identifier is not known.
    PacketIdentifierNotFound = 0x92, "Packet Identifier not found", [PubRel PubComp];
    /// More unacknowledged messages than the receiver said it takes.
    ReceiveMaximumExceeded = 0x93, "Receive Maximum exceeded", [Disconnect];
    /// A Topic Alias of 0, above the maximum, or without a meaning.
    TopicAliasInvalid = 0x94, "Topic Alias invalid", [Disconnect];
    /// Larger than the receiver said it takes.
    PacketTooLarge = 0x95, "Packet too large", [ConnAck Disconnect];
    /// Too many messages in too short a time.
    MessageRateTooHigh = 0x96, "Message rate too high", [Disconnect];
    /// A limit was reached.
    QuotaExceeded = 0x97, "Quota exceeded", [ConnAck PubAck PubRec SubAck Disconnect];
    /// An administrator closed the connection.
    AdministrativeAction = 0x98, "Administrative action", [Disconnect];
    /// The payload is not what its Payload Format Indicator says.
    PayloadFormatInvalid = 0x99, "Payload format invalid", [ConnAck PubAck PubRec Disconnect];
    /// The server has no retained messages.
    RetainNotSupported = 0x9a, "Retain not supported", [ConnAck Disconnect];
    /// A QoS above the server's Maximum QoS.
    QoSNotSupported = 0x9b, "QoS not supported", [ConnAck Disconnect];
    /// Use another server for now.
    UseAnotherServer = 0x9c, "Use another server", [ConnAck Disconnect];
    /// Use another server from now on.
    ServerMoved = 0x9d, "Server moved", [ConnAck Disconnect];
    /// The server has no Shared Subscriptions.
    SharedSubscriptionsNotSupported = 0x9e, "Shared Subscriptions not supported",
        [SubAck Disconnect];
    /// Too many connections in too short a time.
    ConnectionRateExceeded = 0x9f, "Connection rate exceeded", [ConnAck Disconnect];
    /// The connection lasted as long as it may.
    MaximumConnectTime = 0xa0, "Maximum connect time", [Disconnect];
    /// The server has no Subscription Identifiers.
    SubscriptionIdentifiersNotSupported = 0xa1, "Subscription Identifiers not supported",
        [SubAck Disconnect];
    /// The server has no wildcard subscriptions.
    WildcardSubscriptionsNotSupported = 0xa2, "Wildcard Subscriptions not supported",
        [SubAck Disconnect];
}

impl ReasonCode {
    /// Whether the operation failed.
    pub const fn is_error(self) -> bool {
        self as u8 >= 0x80
    }

    /// Whether a client may put the code into a DISCONNECT or AUTH (MQTT 5.0 §3.14.2.1, §3.15.2.1);
    /// other packets are not asked.
    pub(crate) const fn is_for_client(self, packet: PacketType) -> bool {
        match packet {
            PacketType::Auth => !matches!(self, Self::Success),
            PacketType::Disconnect => matches!(
                self,
                Self::Success
                    | Self::DisconnectWithWill
                    | Self::UnspecifiedError
                    | Self::MalformedPacket
                    | Self::ProtocolError
                    | Self::ImplementationSpecificError
                    | Self::BadAuthenticationMethod
                    | Self::TopicNameInvalid
                    | Self::ReceiveMaximumExceeded
                    | Self::TopicAliasInvalid
                    | Self::PacketTooLarge
                    | Self::MessageRateTooHigh
                    | Self::QuotaExceeded
                    | Self::AdministrativeAction
                    | Self::PayloadFormatInvalid
            ),
            _ => true,
        }
    }

    /// Whether a server may put the code into a DISCONNECT or AUTH (MQTT 5.0 §3.14.2.1, §3.15.2.1).
    pub(crate) const fn is_for_server(self) -> bool {
        !matches!(self, Self::DisconnectWithWill | Self::ReAuthenticate)
    }

    /// What a SUBACK says of a subscription with this maximum QoS.
    pub const fn granted(qos: QoS) -> Self {
        match qos {
            QoS::AtMostOnce => Self::Success,
            QoS::AtLeastOnce => Self::GrantedQoS1,
            QoS::ExactlyOnce => Self::GrantedQoS2,
        }
    }

    /// The maximum QoS that a SUBACK grants with this code.
    pub const fn granted_qos(self) -> Option<QoS> {
        match self {
            Self::Success => Some(QoS::AtMostOnce),
            Self::GrantedQoS1 => Some(QoS::AtLeastOnce),
            Self::GrantedQoS2 => Some(QoS::ExactlyOnce),
            _ => None,
        }
    }

    /// The byte that a CONNACK carries in this version: before MQTT 5.0 there are five ways to
    /// refuse (MQTT 3.1.1 §3.2.2.3), and the nearest of them is taken. `None` where none is near:
    /// the connection is then closed without a CONNACK ([MQTT-3.2.2-6]).
    pub(crate) const fn connack_byte(self, version: ProtocolVersion) -> Option<u8> {
        if version.is_v5() {
            return Some(self as u8);
        }
        Some(match self {
            Self::Success => 0,
            Self::UnsupportedProtocolVersion => 1,
            Self::ClientIdentifierNotValid => 2,
            Self::UnspecifiedError
            | Self::ImplementationSpecificError
            | Self::ServerUnavailable
            | Self::ServerBusy
            | Self::QuotaExceeded
            | Self::UseAnotherServer
            | Self::ServerMoved
            | Self::ConnectionRateExceeded => 3,
            Self::BadUserNameOrPassword => 4,
            Self::NotAuthorized | Self::Banned | Self::BadAuthenticationMethod => 5,
            _ => return None,
        })
    }

    /// The code that a CONNACK's byte stands for in this version.
    pub(crate) fn from_connack_byte(byte: u8, version: ProtocolVersion) -> Option<Self> {
        if version.is_v5() {
            return Self::from_u8(byte).filter(|code| code.is_allowed_in(PacketType::ConnAck));
        }
        Some(match byte {
            0 => Self::Success,
            1 => Self::UnsupportedProtocolVersion,
            2 => Self::ClientIdentifierNotValid,
            3 => Self::ServerUnavailable,
            4 => Self::BadUserNameOrPassword,
            5 => Self::NotAuthorized,
            _ => return None,
        })
    }

    /// The byte that a SUBACK carries in this version: before MQTT 5.0 there is one failure, 0x80.
    pub(crate) const fn suback_byte(self, version: ProtocolVersion) -> u8 {
        if self.is_error() && !version.is_v5() { 0x80 } else { self as u8 }
    }
}

impl core::fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} (0x{:02x})", self.name(), *self as u8)
    }
}
