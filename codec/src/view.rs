//! A PUBLISH looked at where it lies.

use crate::topic::begins_plain;
use crate::{PacketId, PacketType, ProtocolVersion, QoS};

/// A PUBLISH as nearly all are, looked at where it lies: nothing is taken, copied or counted. For who
/// passes packets on, or wants to know what comes before it is decoded.
///
/// ```
/// use codec::{ProtocolVersion, PublishView};
///
/// let bytes = b"\x30\x05\x00\x01tab\xc0\x00";
/// let view = PublishView::peek(bytes, ProtocolVersion::V311).expect("a plain PUBLISH");
/// assert_eq!((view.topic, view.payload), (&b"t"[..], &b"ab"[..]));
/// assert_eq!(view.packet, &bytes[..7]);
/// assert!(PublishView::peek(&bytes[7..], ProtocolVersion::V311).is_none(), "a PINGREQ");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishView<'a> {
    /// Whether it may have been sent before.
    pub dup: bool,
    /// Quality of Service.
    pub qos: QoS,
    /// The RETAIN flag.
    pub retain: bool,
    /// The topic's bytes, which a [`TopicName`](crate::TopicName) may have; never empty.
    pub topic: &'a [u8],
    /// The Packet Identifier: with QoS 1 and 2, and only with them.
    pub packet_id: Option<PacketId>,
    /// The payload.
    pub payload: &'a [u8],
    /// All of the packet, header included.
    pub packet: &'a [u8],
}

impl<'a> PublishView<'a> {
    /// The PUBLISH at the start of `bytes`, if it is one as nearly all are: whole, well formed, of at most
    /// two bytes of Remaining Length, with a topic of plain ASCII and without properties. `None` for any
    /// other and for whatever else there is, of which [`Decoder`](crate::Decoder) finds out what it is.
    #[inline(always)]
    pub fn peek(bytes: &'a [u8], version: ProtocolVersion) -> Option<Self> {
        let (first, header_len, remaining_len) = match *bytes {
            [first, len @ ..0x80, ..] => (first, 2, usize::from(len)),
            [first, low, high @ 1..0x80, ..] => {
                (first, 3, usize::from(high) << 7 | usize::from(low & 0x7f))
            }
            _ => return None,
        };
        if first >> 4 != PacketType::Publish as u8 {
            return None;
        }
        let packet = bytes.get(..remaining_len.saturating_add(header_len))?;
        let (topic_len, rest) = packet.get(header_len..)?.split_first_chunk::<2>()?;
        let topic_len = usize::from(u16::from_be_bytes(*topic_len));
        let (topic, mut payload) = rest.split_at_checked(topic_len)?;
        let (qos, packet_id) = match first & 0b1110 {
            0b0000 => (QoS::AtMostOnce, None),
            flags => {
                let (id, after) = payload.split_first_chunk::<2>()?;
                payload = after;
                let qos = QoS::from_u8(flags >> 1 & 0b11).filter(|qos| *qos != QoS::AtMostOnce)?;
                (qos, Some(PacketId::new(u16::from_be_bytes(*id))?))
            }
        };
        if version.is_v5() {
            let (0, after) = payload.split_first().map(|(len, after)| (*len, after))? else {
                return None;
            };
            payload = after;
        }
        // Last, as it takes longest. What lies behind the packet may be looked at, too.
        let from_topic = bytes.get(header_len.saturating_add(2)..)?;
        if topic.is_empty() || !begins_plain(from_topic, topic_len) {
            return None;
        }
        let (dup, retain) = (first & 0b1000 != 0, first & 0b1 != 0);
        Some(Self { dup, qos, retain, topic, packet_id, payload, packet })
    }
}
