//! From bytes to packets: each field in its order, each rule where its field is read.

use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::{Buf, Bytes};
use core::ops::Range;

use crate::decoder::Input;
use crate::error::{DecodeError, DecodeErrorKind as Kind};
use crate::frame::{read_varint, varint_len};
use crate::{
    Ack, Auth, ConnAck, Connect, Disconnect, FixedHeader, MqttString, Packet, PacketId, PacketType,
    Properties, PropertyId, PropertyOwner, ProtocolVersion, Publish, PublishView, QoS, ReasonCode,
    SubAck, Subscribe, Subscription, SubscriptionOptions, TopicFilter, TopicName, UnsubAck,
    Unsubscribe, Will,
};

/// Reads fields from the front of a packet's body.
struct Reader<'a> {
    frame: &'a Bytes,
    at: usize,
}

impl<'a> Reader<'a> {
    fn left(&self) -> &'a [u8] {
        self.frame.get(self.at..).unwrap_or_default()
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.frame.len()
    }

    fn u8(&mut self) -> Result<u8, Kind> {
        let byte = *self.left().first().ok_or(Kind::Truncated)?;
        self.at = self.at.saturating_add(1);
        Ok(byte)
    }

    fn u16(&mut self) -> Result<u16, Kind> {
        let bytes = self.left().first_chunk::<2>().ok_or(Kind::Truncated)?;
        self.at = self.at.saturating_add(2);
        Ok(u16::from_be_bytes(*bytes))
    }

    /// Goes on by so many bytes, and says where in the frame they lie.
    fn pass(&mut self, len: usize) -> Result<Range<usize>, Kind> {
        let passed = self.at..self.at.saturating_add(len);
        if passed.end > self.frame.len() {
            return Err(Kind::Truncated);
        }
        self.at = passed.end;
        Ok(passed)
    }

    /// Where a field lies that begins with its length in two bytes.
    fn field(&mut self) -> Result<Range<usize>, Kind> {
        let len = self.u16()?;
        self.pass(usize::from(len))
    }

    /// Binary Data (MQTT 5.0 §1.5.6).
    fn binary(&mut self) -> Result<Bytes, Kind> {
        Ok(self.frame.slice(self.field()?))
    }

    fn string(&mut self) -> Result<MqttString, Kind> {
        Ok(MqttString::decode(self.frame, self.field()?)?)
    }

    fn topic_name(&mut self) -> Result<TopicName, Kind> {
        Ok(TopicName::decode(self.frame, self.field()?)?)
    }

    fn topic_filter(&mut self) -> Result<TopicFilter, Kind> {
        Ok(TopicFilter::from_string(self.string()?)?)
    }

    fn packet_id(&mut self) -> Result<PacketId, Kind> {
        PacketId::new(self.u16()?).ok_or(Kind::PacketIdZero)
    }

    /// A property section, which is there from MQTT 5.0 on.
    fn properties(
        &mut self,
        version: ProtocolVersion,
        owner: PropertyOwner,
    ) -> Result<Properties, Kind> {
        if !version.is_v5() {
            return Ok(Properties::EMPTY);
        }
        let (len, len_len) = read_varint(self.left())?.ok_or(Kind::Truncated)?;
        if usize::from(len_len) != varint_len(len) {
            return Err(Kind::VarintNotMinimal);
        }
        self.at = self.at.saturating_add(usize::from(len_len));
        let section = self.pass(len as usize)?;
        Properties::decode(self.frame.slice(section), owner)
    }

    fn reason_code(&mut self, packet: PacketType) -> Result<ReasonCode, Kind> {
        let byte = self.u8()?;
        ReasonCode::from_u8(byte)
            .filter(|code| code.is_allowed_in(packet))
            .ok_or(Kind::ReasonCode(byte))
    }

    fn end(&self) -> Result<(), Kind> {
        if self.is_at_end() { Ok(()) } else { Err(Kind::TrailingBytes) }
    }
}

impl Packet {
    /// Reads the one packet that `frame` is, header included.
    ///
    /// Where a CONNECT is read, `version` is not asked: the packet says its own.
    ///
    /// # Errors
    /// The bytes are no packet, or not exactly one.
    pub fn decode(frame: &Bytes, version: ProtocolVersion) -> Result<Self, DecodeError> {
        let header = FixedHeader::peek(frame, version, u32::MAX)?
            .ok_or(DecodeError { packet: None, kind: Kind::Truncated })?;
        let fail = |kind| DecodeError { packet: Some(header.packet), kind };
        match frame.len().cmp(&header.packet_len()) {
            core::cmp::Ordering::Less => Err(fail(Kind::Truncated)),
            core::cmp::Ordering::Greater => Err(fail(Kind::TrailingBytes)),
            core::cmp::Ordering::Equal => decode_body(header, frame.clone(), version).map_err(fail),
        }
    }
}

/// Reads the packet whose header was read already and which fills `frame`.
#[inline]
pub(crate) fn decode_body(
    header: FixedHeader,
    frame: Bytes,
    version: ProtocolVersion,
) -> Result<Packet, Kind> {
    let mut reader = Reader { frame: &frame, at: usize::from(header.header_len) };
    let r = &mut reader;
    let packet = match header.packet {
        PacketType::Connect => Packet::Connect(Box::new(connect(r, header)?)),
        PacketType::ConnAck => Packet::ConnAck(connack(r, version)?),
        PacketType::PubAck => Packet::PubAck(ack(r, version, header.packet)?),
        PacketType::PubRec => Packet::PubRec(ack(r, version, header.packet)?),
        PacketType::PubRel => Packet::PubRel(ack(r, version, header.packet)?),
        PacketType::PubComp => Packet::PubComp(ack(r, version, header.packet)?),
        PacketType::Subscribe => Packet::Subscribe(subscribe(r, version)?),
        PacketType::SubAck => Packet::SubAck(suback(r, version)?),
        PacketType::Unsubscribe => Packet::Unsubscribe(unsubscribe(r, version)?),
        PacketType::UnsubAck => Packet::UnsubAck(unsuback(r, version)?),
        PacketType::PingReq => Packet::PingReq,
        PacketType::PingResp => Packet::PingResp,
        PacketType::Publish => return publish(header, frame, version),
        PacketType::Disconnect => {
            let (code, properties) = code_and_properties(r, version, header.packet)?;
            Packet::Disconnect(Disconnect { code, properties })
        }
        PacketType::Auth => {
            let (code, properties) = code_and_properties(r, version, header.packet)?;
            let auth = Auth { code, properties };
            if !auth.names_its_method() {
                return Err(Kind::AuthMethodMissing);
            }
            Packet::Auth(auth)
        }
    };
    reader.end()?;
    Ok(packet)
}

/// Takes the short way to a PUBLISH that [`PublishView`] knows. `None` for any other, and for whatever is
/// wrong: then nothing is taken, and the long way by [`decode_body`] finds out what there is.
#[inline(always)]
pub(crate) fn plain_publish<I: Input>(
    buf: &mut I,
    version: ProtocolVersion,
    packet_size_max: u32,
) -> Option<Publish> {
    let view = PublishView::peek(buf.as_slice(), version)?;
    let PublishView { dup, qos, retain, packet_id, .. } = view;
    let (topic_len, payload_len) = (view.topic.len(), view.payload.len());
    let packet_len = view.packet.len();
    if packet_len > packet_size_max as usize {
        return None;
    }
    // The header is longer by a byte where the rest has more bytes than seven bits count.
    let topic_at = if view.packet.get(1).is_some_and(|len| *len < 0x80) { 4 } else { 5 };
    let body_len = packet_len.saturating_sub(topic_at);
    let from_topic = buf.as_slice().get(topic_at..).unwrap_or_default();
    let topic = match TopicName::copy_of_short(from_topic, topic_len) {
        Some(topic) => {
            buf.skip(packet_len.saturating_sub(payload_len));
            topic
        }
        None => {
            buf.skip(topic_at);
            let topic = TopicName::from_plain(buf.take(topic_len));
            buf.skip(body_len.saturating_sub(topic_len).saturating_sub(payload_len));
            topic
        }
    };
    // Only now, and for nothing more than the payload, is counted who shares the buffer.
    let payload = buf.take(payload_len);
    Some(Publish {
        dup,
        qos,
        retain,
        topic: Some(topic),
        packet_id,
        properties: Properties::EMPTY,
        payload,
    })
}

/// An acknowledgement as nearly all are, which is its Packet Identifier and nothing else, so that nothing of the
/// buffer has to be shared for it. `None` for any other, and for whatever is wrong with it.
#[inline]
pub(crate) fn plain_ack(header: FixedHeader, bytes: &[u8]) -> Option<Packet> {
    let body = bytes.get(usize::from(header.header_len)..header.packet_len())?;
    let packet_id = PacketId::new(u16::from_be_bytes(body.try_into().ok()?))?;
    let ack = Ack::new(packet_id, ReasonCode::Success);
    Some(match header.packet {
        PacketType::PubAck => Packet::PubAck(ack),
        PacketType::PubRec => Packet::PubRec(ack),
        PacketType::PubRel => Packet::PubRel(ack),
        PacketType::PubComp => Packet::PubComp(ack),
        _ => return None,
    })
}

/// What is left of the frame becomes the payload: one reference count less than a slice of it.
#[inline]
fn publish(header: FixedHeader, frame: Bytes, version: ProtocolVersion) -> Result<Packet, Kind> {
    let mut reader = Reader { frame: &frame, at: usize::from(header.header_len) };
    let r = &mut reader;
    let flags = header.flags;
    let qos = QoS::from_u8(flags >> 1 & 0b11).ok_or(Kind::QoS3)?;
    let topic = r.field()?;
    // Before MQTT 5.0 a topic of no length is wrong in itself (MQTT 3.1.1 §4.7.3).
    let topic = if topic.is_empty() && version.is_v5() {
        None
    } else {
        Some(TopicName::decode(&frame, topic)?)
    };
    let packet_id = if qos == QoS::AtMostOnce { None } else { Some(r.packet_id()?) };
    let properties = r.properties(version, PropertyOwner::Packet(PacketType::Publish))?;
    if topic.is_none() && !properties.contains(PropertyId::TopicAlias) {
        return Err(Kind::NoTopic);
    }
    let at = r.at;
    let mut payload = frame;
    payload.advance(at.min(payload.len()));
    Ok(Packet::Publish(Publish {
        dup: flags & 0b1000 != 0,
        qos,
        retain: flags & 0b1 != 0,
        topic,
        packet_id,
        properties,
        payload,
    }))
}

fn connect(r: &mut Reader<'_>, header: FixedHeader) -> Result<Connect, Kind> {
    let name = r.binary()?;
    let level = r.u8()?;
    let (version, bridge) = match (name.as_ref(), level) {
        (b"MQIsdp", 0x03) => (ProtocolVersion::V31, false),
        (b"MQIsdp", 0x83) => (ProtocolVersion::V31, true),
        (b"MQTT", 0x04) => (ProtocolVersion::V311, false),
        (b"MQTT", 0x84) => (ProtocolVersion::V311, true),
        (b"MQTT", 0x05) => (ProtocolVersion::V5, false),
        (b"MQIsdp" | b"MQTT", level) => return Err(Kind::ProtocolVersion(level)),
        _ => return Err(Kind::ProtocolName),
    };
    if version.is_v5() && !header.is_minimal() {
        return Err(Kind::VarintNotMinimal);
    }
    let flags = r.u8()?;
    // MQTT 3.1 does not use bit 0, nor the bits that describe a will where there is none.
    let is_v31 = version == ProtocolVersion::V31;
    if flags & 0b1 != 0 && !is_v31 {
        return Err(Kind::ReservedBits);
    }
    let has = |bit: u8| flags & bit != 0;
    let (has_username, has_password, has_will) = (has(0x80), has(0x40), has(0x04));
    let will_bits = if is_v31 && !has_will { 0 } else { flags & 0b0011_1000 };
    if !has_will && will_bits != 0 {
        return Err(Kind::WillFlags);
    }
    let will_qos = QoS::from_u8(will_bits >> 3 & 0b11).ok_or(Kind::WillFlags)?;
    let will_retain = will_bits & 0x20 != 0;
    if has_password && !has_username && !version.is_v5() {
        return Err(Kind::PasswordWithoutUsername);
    }
    let keep_alive_s = r.u16()?;
    let properties = r.properties(version, PropertyOwner::Packet(PacketType::Connect))?;
    let client_id = r.string()?;
    let will = if has_will {
        let properties = r.properties(version, PropertyOwner::Will)?;
        let topic = r.topic_name()?;
        let payload = r.binary()?;
        Some(Will { qos: will_qos, retain: will_retain, properties, topic, payload })
    } else {
        None
    };
    // In MQTT 3.1 the packet's length counts for more than these flags: the field may be missing.
    let left_out = |r: &Reader<'_>| is_v31 && r.is_at_end();
    let username = if has_username && !left_out(r) { Some(r.string()?) } else { None };
    let password = if has_password && !left_out(r) { Some(r.binary()?) } else { None };
    Ok(Connect {
        version,
        bridge,
        clean_start: has(0x02),
        keep_alive_s,
        properties,
        client_id,
        will,
        username,
        password,
    })
}

fn connack(r: &mut Reader<'_>, version: ProtocolVersion) -> Result<ConnAck, Kind> {
    let flags = r.u8()?;
    // MQTT 3.1 has no Session Present: the byte is reserved and not looked at.
    let session_present = match (flags, version) {
        (_, ProtocolVersion::V31) | (0, _) => false,
        (1, _) => true,
        _ => return Err(Kind::ReservedBits),
    };
    let byte = r.u8()?;
    let code = ReasonCode::from_connack_byte(byte, version).ok_or(Kind::ReasonCode(byte))?;
    if session_present && code.is_error() {
        return Err(Kind::SessionPresentOnError);
    }
    let properties = r.properties(version, PropertyOwner::Packet(PacketType::ConnAck))?;
    Ok(ConnAck { session_present, code, properties })
}

fn ack(r: &mut Reader<'_>, version: ProtocolVersion, packet: PacketType) -> Result<Ack, Kind> {
    let packet_id = r.packet_id()?;
    let (code, properties) = code_and_properties(r, version, packet)?;
    Ok(Ack { packet_id, code, properties })
}

/// A Reason Code and properties, of which the end may be left out (MQTT 5.0 §3.4.2, §3.14.2).
fn code_and_properties(
    r: &mut Reader<'_>,
    version: ProtocolVersion,
    packet: PacketType,
) -> Result<(ReasonCode, Properties), Kind> {
    if !version.is_v5() || r.is_at_end() {
        return Ok((ReasonCode::Success, Properties::EMPTY));
    }
    let code = r.reason_code(packet)?;
    if r.is_at_end() {
        return Ok((code, Properties::EMPTY));
    }
    Ok((code, r.properties(version, PropertyOwner::Packet(packet))?))
}

fn subscribe(r: &mut Reader<'_>, version: ProtocolVersion) -> Result<Subscribe, Kind> {
    let packet_id = r.packet_id()?;
    let properties = r.properties(version, PropertyOwner::Packet(PacketType::Subscribe))?;
    let mut subscriptions = Vec::new();
    while !r.is_at_end() {
        let filter = r.topic_filter()?;
        let byte = r.u8()?;
        let options =
            SubscriptionOptions::from_byte(byte, version).ok_or(Kind::SubscriptionOptions(byte))?;
        if options.no_local && filter.share_name().is_some() {
            return Err(Kind::NoLocalOnShared);
        }
        subscriptions.push(Subscription { filter, options });
    }
    if subscriptions.is_empty() {
        return Err(Kind::NoFilter);
    }
    Ok(Subscribe { packet_id, properties, subscriptions })
}

fn suback(r: &mut Reader<'_>, version: ProtocolVersion) -> Result<SubAck, Kind> {
    let packet_id = r.packet_id()?;
    let properties = r.properties(version, PropertyOwner::Packet(PacketType::SubAck))?;
    let mut codes = Vec::new();
    while !r.is_at_end() {
        let code = r.reason_code(PacketType::SubAck)?;
        if !version.is_v5() && code.is_error() && code != ReasonCode::UnspecifiedError {
            return Err(Kind::ReasonCode(code as u8));
        }
        codes.push(code);
    }
    if codes.is_empty() {
        return Err(Kind::Truncated);
    }
    Ok(SubAck { packet_id, properties, codes })
}

fn unsubscribe(r: &mut Reader<'_>, version: ProtocolVersion) -> Result<Unsubscribe, Kind> {
    let packet_id = r.packet_id()?;
    let properties = r.properties(version, PropertyOwner::Packet(PacketType::Unsubscribe))?;
    let mut filters = Vec::new();
    while !r.is_at_end() {
        filters.push(r.topic_filter()?);
    }
    if filters.is_empty() {
        return Err(Kind::NoFilter);
    }
    Ok(Unsubscribe { packet_id, properties, filters })
}

fn unsuback(r: &mut Reader<'_>, version: ProtocolVersion) -> Result<UnsubAck, Kind> {
    let packet_id = r.packet_id()?;
    let properties = r.properties(version, PropertyOwner::Packet(PacketType::UnsubAck))?;
    let mut codes = Vec::new();
    if version.is_v5() {
        while !r.is_at_end() {
            codes.push(r.reason_code(PacketType::UnsubAck)?);
        }
        if codes.is_empty() {
            return Err(Kind::Truncated);
        }
    }
    Ok(UnsubAck { packet_id, properties, codes })
}
