//! What the two flows have in common: how the other end can break their rules.

use codec::ReasonCode;
use core::fmt;

/// The other end sent what does not fit the state of a flow; the flow is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowError {
    /// An acknowledgement for a Packet Identifier that is not in use.
    UnknownPacketId,
    /// More unacknowledged messages than the receiver said it takes (MQTT 5.0 §4.9).
    ReceiveMaximumExceeded,
    /// The Packet Identifier is in use for something that the packet does not belong to, a PUBACK for
    /// a message of QoS 2 for instance.
    WrongState,
}

impl FlowError {
    /// The Reason Code that says it in MQTT 5.0.
    ///
    /// [`UnknownPacketId`](Self::UnknownPacketId) need not end a connection: a PUBREL answers such a
    /// PUBREC, a PUBCOMP such a PUBREL, and such a PUBACK or PUBCOMP is passed over.
    pub const fn reason_code(self) -> ReasonCode {
        match self {
            Self::UnknownPacketId => ReasonCode::PacketIdentifierNotFound,
            Self::ReceiveMaximumExceeded => ReasonCode::ReceiveMaximumExceeded,
            Self::WrongState => ReasonCode::ProtocolError,
        }
    }
}

impl fmt::Display for FlowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownPacketId => "the packet identifier is not in use",
            Self::ReceiveMaximumExceeded => {
                "there are more unacknowledged messages than the receive maximum allows"
            }
            Self::WrongState => "the packet does not fit what its packet identifier is in use for",
        })
    }
}

impl core::error::Error for FlowError {}
