//! From packets to bytes: the length is computed first, so that one pass writes the packet.

use bytes::{BufMut, BytesMut};

use crate::error::{DecodeErrorKind, EncodeError};
use crate::frame::{put_varint, varint_len};
use crate::property::{put_binary, section_len};
use crate::{
    Ack, ConnAck, Connect, Packet, PacketId, PacketType, Properties, PropertyId, PropertyOwner,
    ProtocolVersion, Publish, QoS, REMAINING_LENGTH_MAX, ReasonCode, Subscription, TopicFilter,
};

impl Packet {
    /// Appends the packet to `out`. Where a CONNECT is written, `version` is not asked: the packet
    /// says its own.
    ///
    /// # Errors
    /// The packet has no form in this version, or is too large; `out` is as it was.
    #[inline]
    pub fn encode(&self, version: ProtocolVersion, out: &mut BytesMut) -> Result<(), EncodeError> {
        if let Self::Publish(publish) = self
            && encode_plain(publish, version, out)
        {
            return Ok(());
        }
        encode_any(self, version, out)
    }
}

/// By itself, so that the short way stays short where it is inlined.
#[inline(never)]
fn encode_any(
    packet: &Packet,
    version: ProtocolVersion,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    let start = out.len();
    let done = encode(packet, version, out);
    if done.is_err() {
        out.truncate(start);
    }
    done
}

fn encode(
    packet: &Packet,
    version: ProtocolVersion,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    match packet {
        Packet::Publish(publish) => encode_publish(publish, version, out),
        Packet::Connect(connect) => encode_connect(connect, out),
        Packet::ConnAck(connack) => encode_connack(connack, version, out),
        Packet::PubAck(ack) => encode_ack(PacketType::PubAck, ack, version, out),
        Packet::PubRec(ack) => encode_ack(PacketType::PubRec, ack, version, out),
        Packet::PubRel(ack) => encode_ack(PacketType::PubRel, ack, version, out),
        Packet::PubComp(ack) => encode_ack(PacketType::PubComp, ack, version, out),
        Packet::Subscribe(subscribe) => {
            let refused = |line: &Subscription| {
                version.is_v5() && line.options.no_local && line.filter.share_name().is_some()
            };
            if subscribe.subscriptions.iter().any(refused) {
                return Err(EncodeError::NoLocalOnShared);
            }
            let lines = subscribe.subscriptions.iter();
            let len = lines.map(|line| filter_len(&line.filter).saturating_add(1));
            let mut body = Body::new(PacketType::Subscribe, version, out);
            body.begin(2usize.saturating_add(sum(len)?), &subscribe.properties)?;
            body.out.put_u16(subscribe.packet_id.get());
            body.properties(&subscribe.properties);
            for line in &subscribe.subscriptions {
                put_binary(body.out, line.filter.as_bytes())?;
                body.out.put_u8(line.options.to_byte(version));
            }
            Ok(())
        }
        Packet::SubAck(suback) => {
            let mut body = Body::new(PacketType::SubAck, version, out);
            if suback.codes.is_empty() {
                return Err(EncodeError::Empty);
            }
            check_codes(&suback.codes, PacketType::SubAck)?;
            body.begin(suback.codes.len().saturating_add(2), &suback.properties)?;
            body.out.put_u16(suback.packet_id.get());
            body.properties(&suback.properties);
            body.out.extend(suback.codes.iter().map(|code| code.suback_byte(version)));
            Ok(())
        }
        Packet::Unsubscribe(unsubscribe) => {
            let len = sum(unsubscribe.filters.iter().map(filter_len))?;
            let mut body = Body::new(PacketType::Unsubscribe, version, out);
            body.begin(len.saturating_add(2), &unsubscribe.properties)?;
            body.out.put_u16(unsubscribe.packet_id.get());
            body.properties(&unsubscribe.properties);
            for filter in &unsubscribe.filters {
                put_binary(body.out, filter.as_bytes())?;
            }
            Ok(())
        }
        Packet::UnsubAck(unsuback) => {
            let mut body = Body::new(PacketType::UnsubAck, version, out);
            let codes = if version.is_v5() { unsuback.codes.as_slice() } else { &[] };
            if version.is_v5() && codes.is_empty() {
                return Err(EncodeError::Empty);
            }
            check_codes(codes, PacketType::UnsubAck)?;
            body.begin(codes.len().saturating_add(2), &unsuback.properties)?;
            body.out.put_u16(unsuback.packet_id.get());
            body.properties(&unsuback.properties);
            body.out.extend(codes.iter().map(|code| *code as u8));
            Ok(())
        }
        Packet::PingReq => Body::new(PacketType::PingReq, version, out).header(0),
        Packet::PingResp => Body::new(PacketType::PingResp, version, out).header(0),
        Packet::Disconnect(disconnect) => {
            let body = Body::new(PacketType::Disconnect, version, out);
            encode_code(body, None, disconnect.code, &disconnect.properties)
        }
        Packet::Auth(_) if !version.is_v5() => Err(EncodeError::NotInThisVersion(PacketType::Auth)),
        Packet::Auth(auth) if !auth.names_its_method() => {
            Err(EncodeError::Property(PropertyId::AuthenticationMethod))
        }
        Packet::Auth(auth) => {
            let body = Body::new(PacketType::Auth, version, out);
            encode_code(body, None, auth.code, &auth.properties)
        }
    }
}

/// A packet whose properties, if its version has them, follow a part of fixed length.
struct Body<'a> {
    packet: PacketType,
    version: ProtocolVersion,
    out: &'a mut BytesMut,
}

impl<'a> Body<'a> {
    fn new(packet: PacketType, version: ProtocolVersion, out: &'a mut BytesMut) -> Self {
        Self { packet, version, out }
    }

    /// Writes the fixed header of a packet of `len` bytes and its properties.
    fn begin(&mut self, len: usize, properties: &Properties) -> Result<(), EncodeError> {
        let mut len = len;
        if self.version.is_v5() {
            check_properties(properties, PropertyOwner::Packet(self.packet))?;
            len = len.saturating_add(properties.encoded_len());
        }
        self.header(len)
    }

    /// The first byte of the packet.
    fn first(&self) -> u8 {
        (self.packet as u8) << 4 | self.packet.reserved_flags()
    }

    fn header(&mut self, len: usize) -> Result<(), EncodeError> {
        put_header(self.out, self.first(), len)
    }

    fn properties(&mut self, properties: &Properties) {
        if self.version.is_v5() {
            properties.encode(self.out);
        }
    }
}

fn put_header(out: &mut BytesMut, first: u8, len: usize) -> Result<(), EncodeError> {
    let len = u32::try_from(len).map_err(|_| EncodeError::TooLarge)?;
    if len > REMAINING_LENGTH_MAX {
        return Err(EncodeError::TooLarge);
    }
    match len {
        0..0x80 => out.put_slice(&[first, len as u8]),
        0x80..0x4000 => out.put_slice(&[first, len as u8 | 0x80, (len >> 7) as u8]),
        _ => {
            out.put_u8(first);
            put_varint(out, len);
        }
    }
    Ok(())
}

fn check_properties(properties: &Properties, owner: PropertyOwner) -> Result<(), EncodeError> {
    properties.check(owner).map_err(|kind| match kind {
        DecodeErrorKind::PropertyNotAllowed(id)
        | DecodeErrorKind::DuplicateProperty(id)
        | DecodeErrorKind::PropertyValue(id) => EncodeError::Property(id),
        _ => EncodeError::Property(PropertyId::AuthenticationData),
    })
}

fn check_codes(codes: &[ReasonCode], packet: PacketType) -> Result<(), EncodeError> {
    match codes.iter().find(|code| !code.is_allowed_in(packet)) {
        Some(code) => Err(EncodeError::ReasonCode(*code)),
        None => Ok(()),
    }
}

fn filter_len(filter: &TopicFilter) -> usize {
    filter.as_bytes().len().saturating_add(2)
}

/// The sum of at least one length.
fn sum(lengths: impl Iterator<Item = usize>) -> Result<usize, EncodeError> {
    lengths.reduce(usize::saturating_add).ok_or(EncodeError::Empty)
}

fn encode_ack(
    packet: PacketType,
    ack: &Ack,
    version: ProtocolVersion,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    let body = Body::new(packet, version, out);
    if ack.code == ReasonCode::Success && (ack.properties.is_empty() || !version.is_v5()) {
        // Nearly all are these four bytes.
        let [high, low] = ack.packet_id.get().to_be_bytes();
        body.out.put_slice(&[body.first(), 2, high, low]);
        return Ok(());
    }
    encode_code(body, Some(ack.packet_id), ack.code, &ack.properties)
}

/// Leaves out, from the end, what says nothing (MQTT 5.0 §3.4.2.1, §3.14.2.1).
fn encode_code(
    mut body: Body<'_>,
    packet_id: Option<PacketId>,
    code: ReasonCode,
    properties: &Properties,
) -> Result<(), EncodeError> {
    check_codes(&[code], body.packet)?;
    let with_properties = body.version.is_v5() && !properties.is_empty();
    let with_code = with_properties || body.version.is_v5() && code != ReasonCode::Success;
    let mut len = if packet_id.is_some() { 2 } else { 0usize };
    len = len.saturating_add(usize::from(with_code));
    if with_properties {
        body.begin(len, properties)?;
    } else {
        body.header(len)?;
    }
    if let Some(packet_id) = packet_id {
        body.out.put_u16(packet_id.get());
    }
    if with_code {
        body.out.put_u8(code as u8);
    }
    if with_properties {
        body.properties(properties);
    }
    Ok(())
}

fn encode_connack(
    connack: &ConnAck,
    version: ProtocolVersion,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    check_codes(&[connack.code], PacketType::ConnAck)?;
    let byte = connack.code.connack_byte(version).ok_or(EncodeError::ReasonCode(connack.code))?;
    let mut body = Body::new(PacketType::ConnAck, version, out);
    body.begin(2, &connack.properties)?;
    let session_present =
        connack.session_present && !connack.code.is_error() && version != ProtocolVersion::V31;
    body.out.put_u8(u8::from(session_present));
    body.out.put_u8(byte);
    body.properties(&connack.properties);
    Ok(())
}

fn encode_connect(connect: &Connect, out: &mut BytesMut) -> Result<(), EncodeError> {
    let version = connect.version;
    if connect.password.is_some() && connect.username.is_none() && !version.is_v5() {
        return Err(EncodeError::NotInThisVersion(PacketType::Connect));
    }
    let field = |bytes: &[u8]| bytes.len().saturating_add(2);
    // Protocol name, level, flags and Keep Alive, then the client identifier.
    let mut len = field(version.name().as_bytes()).saturating_add(4);
    len = len.saturating_add(field(connect.client_id.as_bytes()));
    let mut flags = u8::from(connect.clean_start) << 1;
    if let Some(will) = &connect.will {
        flags |= 0x04 | (will.qos as u8) << 3 | u8::from(will.retain) << 5;
        len = len.saturating_add(field(will.topic.as_bytes()));
        len = len.saturating_add(field(&will.payload));
        if version.is_v5() {
            check_properties(&will.properties, PropertyOwner::Will)?;
            len = len.saturating_add(will.properties.encoded_len());
        }
    }
    if let Some(username) = &connect.username {
        flags |= 0x80;
        len = len.saturating_add(field(username.as_bytes()));
    }
    if let Some(password) = &connect.password {
        flags |= 0x40;
        len = len.saturating_add(field(password));
    }

    let mut body = Body::new(PacketType::Connect, version, out);
    body.begin(len, &connect.properties)?;
    put_binary(body.out, version.name().as_bytes())?;
    let bridge = if connect.bridge && !version.is_v5() { 0x80 } else { 0 };
    body.out.put_u8(version.level() | bridge);
    body.out.put_u8(flags);
    body.out.put_u16(connect.keep_alive_s);
    body.properties(&connect.properties);
    put_binary(body.out, connect.client_id.as_bytes())?;
    if let Some(will) = &connect.will {
        body.properties(&will.properties);
        put_binary(body.out, will.topic.as_bytes())?;
        put_binary(body.out, &will.payload)?;
    }
    if let Some(username) = &connect.username {
        put_binary(body.out, username.as_bytes())?;
    }
    if let Some(password) = &connect.password {
        put_binary(body.out, password)?;
    }
    Ok(())
}

/// Takes the short way for a PUBLISH as nearly all are: of QoS 0 and at most two bytes of Remaining Length, with
/// a topic. For any other nothing is appended.
#[inline(always)]
fn encode_plain(publish: &Publish, version: ProtocolVersion, out: &mut BytesMut) -> bool {
    let Some(topic) = publish.topic.as_ref().map(|topic| topic.as_bytes()) else { return false };
    if publish.qos != QoS::AtMostOnce || publish.packet_id.is_some() {
        return false;
    }
    // No topic is empty.
    let len = topic.len().saturating_add(publish.payload.len()).saturating_add(2);
    let (len, properties) = match version.is_v5() {
        true if !publish.properties.fit(PropertyOwner::Packet(PacketType::Publish)) => {
            return false;
        }
        true => {
            let properties = publish.properties.as_bytes().as_ref();
            (len.saturating_add(section_len(properties.len())), Some(properties))
        }
        false => (len, None),
    };
    if len >= 0x4000 {
        return false;
    }
    out.reserve(len.saturating_add(3));
    let first = (PacketType::Publish as u8) << 4 | u8::from(publish.retain);
    let (high, low) = ((topic.len() >> 8) as u8, topic.len() as u8);
    if len < 0x80 {
        out.extend_from_slice(&[first, len as u8, high, low]);
    } else {
        out.extend_from_slice(&[first, len as u8 | 0x80, (len >> 7) as u8, high, low]);
    }
    out.extend_from_slice(topic);
    if let Some(properties) = properties {
        match properties.len() {
            len @ 0..0x80 => out.extend_from_slice(&[len as u8]),
            len => out.extend_from_slice(&[len as u8 | 0x80, (len >> 7) as u8]),
        }
        if !properties.is_empty() {
            out.extend_from_slice(properties);
        }
    }
    out.extend_from_slice(&publish.payload);
    true
}

fn encode_publish(
    publish: &Publish,
    version: ProtocolVersion,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    if version.is_v5() && !publish.properties.is_empty() {
        check_properties(&publish.properties, PropertyOwner::Packet(PacketType::Publish))?;
    }
    let head = PublishHead {
        dup: publish.dup,
        qos: publish.qos,
        retain: publish.retain,
        topic: publish.topic.as_ref().map_or(&[], |topic| topic.as_bytes()),
        packet_id: publish.packet_id,
        topic_alias: None,
        message_expiry_interval_s: None,
        subscription_identifiers: &[],
        properties: &publish.properties,
        payload_len: publish.payload.len(),
    };
    head.encode(version, out)?;
    out.put_slice(&publish.payload);
    Ok(())
}

/// All of a PUBLISH that precedes its payload, borrowed from wherever it is kept.
///
/// This is what a broker sends a message with: what differs from receiver to receiver is a field of
/// its own, the properties that are passed through are bytes, and the payload need not be at hand.
///
/// ```
/// use bytes::{Bytes, BytesMut};
/// use codec::{Packet, Properties, ProtocolVersion, PublishHead, QoS, TopicName};
///
/// let topic = TopicName::new("sensors/pi/temperature")?;
/// let payload = Bytes::from_static(b"21.5");
/// let head = PublishHead {
///     dup: false,
///     qos: QoS::AtMostOnce,
///     retain: false,
///     topic: topic.as_bytes(),
///     packet_id: None,
///     topic_alias: None,
///     message_expiry_interval_s: None,
///     subscription_identifiers: &[4],
///     properties: &Properties::EMPTY,
///     payload_len: payload.len(),
/// };
/// let mut wire = BytesMut::new();
/// head.encode(ProtocolVersion::V5, &mut wire)?;
/// assert_eq!(wire.len() + payload.len(), head.packet_len(ProtocolVersion::V5));
///
/// wire.extend_from_slice(&payload); // Or sent after it, with one vectored write.
/// let Packet::Publish(publish) = Packet::decode(&wire.freeze(), ProtocolVersion::V5)? else {
///     unreachable!("it was a PUBLISH");
/// };
/// assert_eq!((publish.topic, publish.payload), (Some(topic), payload));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct PublishHead<'a> {
    /// Whether it may have been sent before.
    pub dup: bool,
    /// Quality of Service towards this receiver.
    pub qos: QoS,
    /// The RETAIN flag towards this receiver.
    pub retain: bool,
    /// The topic's bytes, taken from a [`TopicName`](crate::TopicName); empty where an alias stands
    /// for it.
    pub topic: &'a [u8],
    /// The Packet Identifier: with QoS 1 and 2, and only with them.
    pub packet_id: Option<PacketId>,
    /// The Topic Alias towards this receiver.
    pub topic_alias: Option<u16>,
    /// The Message Expiry Interval that is left, in seconds.
    pub message_expiry_interval_s: Option<u32>,
    /// The identifiers of the subscriptions that the message is sent for.
    pub subscription_identifiers: &'a [u32],
    /// All other properties, which must be such as a PUBLISH may carry.
    pub properties: &'a Properties,
    /// Length of the payload that follows, in bytes.
    pub payload_len: usize,
}

impl PublishHead<'_> {
    /// Length of the whole packet in bytes, payload included.
    pub fn packet_len(&self, version: ProtocolVersion) -> usize {
        let properties_len = if version.is_v5() { self.properties_len() } else { 0 };
        let len = self.remaining_len(version, properties_len);
        let header = varint_len(u32::try_from(len).unwrap_or(u32::MAX)).saturating_add(1);
        len.saturating_add(header)
    }

    fn remaining_len(&self, version: ProtocolVersion, properties_len: usize) -> usize {
        let mut len = self.topic.len().saturating_add(2).saturating_add(self.payload_len);
        if self.qos != QoS::AtMostOnce {
            len = len.saturating_add(2);
        }
        if version.is_v5() {
            len = len.saturating_add(section_len(properties_len));
        }
        len
    }

    fn properties_len(&self) -> usize {
        let mut len = self.properties.as_bytes().len();
        if self.topic_alias.is_some() {
            len = len.saturating_add(3);
        }
        if self.message_expiry_interval_s.is_some() {
            len = len.saturating_add(5);
        }
        for id in self.subscription_identifiers {
            len = len.saturating_add(varint_len(*id)).saturating_add(1);
        }
        len
    }

    /// Appends the head to `out`.
    ///
    /// # Errors
    /// The packet would be too large, its Packet Identifier does not go with its QoS, it has neither
    /// topic nor alias, or an alias or subscription identifier is 0 or too large; `out` is as it was.
    pub fn encode(&self, version: ProtocolVersion, out: &mut BytesMut) -> Result<(), EncodeError> {
        if (self.qos != QoS::AtMostOnce) != self.packet_id.is_some() {
            return Err(EncodeError::PacketId);
        }
        if self.topic.is_empty() && !self.has_alias(version) {
            return Err(EncodeError::NoTopic);
        }
        if self.topic_alias == Some(0) {
            return Err(EncodeError::Property(PropertyId::TopicAlias));
        }
        if self.subscription_identifiers.iter().any(|id| !(1..=REMAINING_LENGTH_MAX).contains(id)) {
            return Err(EncodeError::Property(PropertyId::SubscriptionIdentifier));
        }
        let topic_len = u16::try_from(self.topic.len()).map_err(|_| EncodeError::BinaryTooLong)?;
        let dup = self.dup && self.qos != QoS::AtMostOnce;
        let first = (PacketType::Publish as u8) << 4
            | u8::from(dup) << 3
            | (self.qos as u8) << 1
            | u8::from(self.retain);
        let properties_len = if version.is_v5() { self.properties_len() } else { 0 };
        let len = self.remaining_len(version, properties_len);
        put_header(out, first, len)?;
        out.put_u16(topic_len);
        out.put_slice(self.topic);
        if let Some(packet_id) = self.packet_id {
            out.put_u16(packet_id.get());
        }
        if version.is_v5() {
            // The whole packet was found small enough, so its properties are.
            put_varint(out, u32::try_from(properties_len).unwrap_or(REMAINING_LENGTH_MAX));
            if properties_len != 0 {
                self.encode_properties(out);
            }
        }
        Ok(())
    }

    fn has_alias(&self, version: ProtocolVersion) -> bool {
        version.is_v5()
            && (self.topic_alias.is_some() || self.properties.contains(PropertyId::TopicAlias))
    }

    fn encode_properties(&self, out: &mut BytesMut) {
        if let Some(alias) = self.topic_alias {
            out.put_u8(PropertyId::TopicAlias as u8);
            out.put_u16(alias);
        }
        if let Some(seconds) = self.message_expiry_interval_s {
            out.put_u8(PropertyId::MessageExpiryInterval as u8);
            out.put_u32(seconds);
        }
        out.put_slice(self.properties.as_bytes());
        for id in self.subscription_identifiers {
            out.put_u8(PropertyId::SubscriptionIdentifier as u8);
            put_varint(out, *id);
        }
    }
}
