//! PUBLISH packets that are encoded before the clock starts. What differs from one to the next is
//! stamped into a copy.

use anyhow::{Result, ensure};
use bytes::{Bytes, BytesMut};
use codec::{FixedHeader, PACKET_SIZE_MAX, Packet, PacketId, Publish, QoS, TopicName};

use crate::target::{Target, Transport};
use crate::websocket;

/// What stands at the start of every payload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stamp {
    /// Which publisher sent it.
    pub(crate) publisher: u32,
    /// How many it had sent before.
    pub(crate) number: u32,
    /// When it was due, in nanoseconds of the generator's clock.
    pub(crate) time_ns: u64,
}

impl Stamp {
    /// Bytes of a stamp: the smallest payload.
    pub(crate) const LEN: usize = 16;

    fn to_bytes(self) -> [u8; Self::LEN] {
        let [a, b, c, d] = self.publisher.to_le_bytes();
        let [e, f, g, h] = self.number.to_le_bytes();
        let [i, j, k, l, m, n, o, p] = self.time_ns.to_le_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    }

    fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = bytes;
        Self {
            publisher: u32::from_le_bytes([a, b, c, d]),
            number: u32::from_le_bytes([e, f, g, h]),
            time_ns: u64::from_le_bytes([i, j, k, l, m, n, o, p]),
        }
    }

    /// The stamp in a PUBLISH whose payload has this length.
    pub(crate) fn read(packet: &[u8], payload: usize) -> Option<Self> {
        let start = packet.len().checked_sub(payload)?;
        packet.get(start..)?.first_chunk().map(|bytes| Self::from_bytes(*bytes))
    }
}

/// The Packet Identifier of a PUBLISH of QoS 1 or 2 (MQTT 5.0 §3.3.2.2).
pub(crate) fn packet_id(header: FixedHeader, packet: &[u8]) -> Option<PacketId> {
    let variable = packet.get(usize::from(header.header_len)..)?;
    let (topic_len, rest) = variable.split_first_chunk()?;
    let id = rest.get(usize::from(u16::from_be_bytes(*topic_len))..)?.first_chunk()?;
    PacketId::new(u16::from_be_bytes(*id))
}

/// The Packet Identifier of an acknowledgement and its Reason Code, which is success where it is left
/// out (MQTT 5.0 §3.4.2.1).
pub(crate) fn ack(header: FixedHeader, packet: &[u8]) -> Option<(PacketId, u8)> {
    let variable = packet.get(usize::from(header.header_len)..)?;
    let (id, rest) = variable.split_first_chunk()?;
    Some((PacketId::new(u16::from_be_bytes(*id))?, rest.first().copied().unwrap_or_default()))
}

/// One encoded packet for each topic, all of the same length, one after the other.
pub(crate) struct Templates {
    bytes: Vec<u8>,
    /// Bytes of one.
    len: usize,
    id: Option<Field<2>>,
    stamp: Field<{ Stamp::LEN }>,
}

/// Bytes that are written into a copy: where they stand, and what masks them there.
#[derive(Clone, Copy)]
struct Field<const N: usize> {
    at: usize,
    mask: [u8; N],
}

impl<const N: usize> Field<N> {
    /// The field `offset` bytes into a packet that begins at `start`.
    fn new(start: usize, offset: usize, is_masked: bool) -> Self {
        let mut mask = [0; N];
        if is_masked {
            let key = websocket::MASK.iter().cycle().skip(offset % websocket::MASK.len());
            mask.iter_mut().zip(key).for_each(|(byte, key)| *byte = *key);
        }
        Self { at: start + offset, mask }
    }

    fn write(self, packet: &mut [u8], value: [u8; N]) {
        if let Some(place) = packet.get_mut(self.at..self.at + N) {
            let masked = value.iter().zip(self.mask).map(|(byte, mask)| byte ^ mask);
            place.iter_mut().zip(masked).for_each(|(byte, value)| *byte = value);
        }
    }
}

impl Templates {
    /// Encodes a message for each topic; topics must have one length.
    pub(crate) fn new(
        target: &Target,
        topics: &[String],
        qos: QoS,
        retain: bool,
        payload: usize,
    ) -> Result<Self> {
        ensure!(payload >= Stamp::LEN, "a payload has at least {} bytes", Stamp::LEN);
        let is_framed = target.transport == Transport::Ws;
        let mut bytes = Vec::new();
        let mut len = 0;
        let mut id = None;
        let mut stamp = Field::new(0, 0, false);
        let payload_bytes = Bytes::from(vec![b'.'; payload]);
        for topic in topics {
            let mut publish = Publish::new(TopicName::new(topic)?, payload_bytes.clone());
            publish.qos = qos;
            publish.retain = retain;
            publish.packet_id = PacketId::new(1).filter(|_| qos != QoS::AtMostOnce);
            let mut packet = BytesMut::new();
            Packet::Publish(publish).encode(target.version, &mut packet)?;
            let before = bytes.len();
            let start = if is_framed {
                websocket::put_frame(&packet, &mut bytes) - before
            } else {
                bytes.extend_from_slice(&packet);
                0
            };
            let header = FixedHeader::peek(&packet, target.version, PACKET_SIZE_MAX)?;
            let id_at = header.map_or(0, |header| header.header_len.into()) + 2 + topic.len();
            id = (qos != QoS::AtMostOnce).then(|| Field::new(start, id_at, is_framed));
            stamp = Field::new(start, packet.len() - payload, is_framed);
            ensure!(len == 0 || len == bytes.len() - before, "topics of different lengths");
            len = bytes.len() - before;
        }
        ensure!(len > 0, "a publisher without a topic");
        Ok(Self { bytes, len, id, stamp })
    }

    /// How many topics there are.
    pub(crate) fn count(&self) -> usize {
        self.bytes.len() / self.len
    }

    /// Bytes of one packet.
    pub(crate) fn packet_len(&self) -> usize {
        self.len
    }

    /// Appends the message for one topic.
    pub(crate) fn put(&self, topic: usize, id: u16, stamp: Stamp, out: &mut Vec<u8>) {
        let start = out.len();
        let from = topic * self.len;
        out.extend_from_slice(self.bytes.get(from..from + self.len).unwrap_or_default());
        let packet = out.get_mut(start..).unwrap_or_default();
        self.stamp.write(packet, stamp.to_bytes());
        if let Some(field) = self.id {
            field.write(packet, id.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use codec::ProtocolVersion;

    use super::*;
    use crate::framer::Framer;
    use crate::target::Target;

    #[test]
    fn a_stamped_copy_is_the_packet_that_it_says() {
        let address = SocketAddr::from(([127, 0, 0, 1], 1883));
        for transport in [Transport::Tcp, Transport::Ws] {
            for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
                let target = Target::plain(address, transport, ProtocolVersion::V311);
                let topics = ["load/1".to_owned(), "load/2".to_owned()];
                let templates = Templates::new(&target, &topics, qos, false, 64).unwrap();
                let stamp = Stamp { publisher: 7, number: 8, time_ns: 9 };
                let mut out = Vec::new();
                templates.put(1, 513, stamp, &mut out);
                assert_eq!((templates.count(), out.len()), (2, templates.packet_len()));
                if transport == Transport::Ws {
                    // Two bytes of header, four of mask.
                    out = out[6..]
                        .iter()
                        .zip(websocket::MASK.iter().cycle())
                        .map(|(b, m)| b ^ m)
                        .collect();
                }
                let mut packets = 0;
                let mut look = |header: FixedHeader, packet: &[u8]| {
                    packets += 1;
                    assert_eq!(Stamp::read(packet, 64), Some(stamp));
                    let mut bytes = Bytes::copy_from_slice(packet);
                    let decoded =
                        codec::Decoder::client(ProtocolVersion::V311, 1000).decode(&mut bytes)?;
                    let Some(Packet::Publish(publish)) = decoded else { panic!("{decoded:?}") };
                    assert_eq!(publish.topic.unwrap().as_str(), "load/2");
                    if qos == QoS::AtLeastOnce {
                        assert_eq!(publish.packet_id, PacketId::new(513));
                        assert_eq!(packet_id(header, packet), PacketId::new(513));
                    }
                    Ok(())
                };
                Framer::default().feed(&out, ProtocolVersion::V311, &mut look).unwrap();
                assert_eq!(packets, 1);
            }
        }
    }
}
