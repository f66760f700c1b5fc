//! What a client has to publish: held until the server has it, counted, and bounded.

use bytes::{BufMut, BytesMut};
use codec::{
    Ack, EncodeError, Packet, PacketId, PropertyId, ProtocolVersion, Publish, PublishHead, QoS,
    ReasonCode,
};
use core::num::NonZeroU16;
use std::collections::VecDeque;

use crate::{
    AliasesOut, Event, FlowError, Message, Outgoing, PubRecOutcome, PublishError, SendFlow,
    ServerLimits, Token,
};

/// Bytes that a topic alias adds to a packet.
const ALIAS_LEN: usize = 3;

#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) flow: SendFlow<Outbound>,
    /// Messages of QoS 0.
    unacknowledged: VecDeque<Outbound>,
    messages: usize,
    messages_max: usize,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
pub(crate) struct Outbound {
    token: Token,
    message: Message,
}

impl Message {
    /// What the message counts for in the limit of bytes.
    fn cost(&self) -> usize {
        let lengths = [self.topic.as_bytes(), &self.payload, self.properties.as_bytes()];
        lengths.iter().fold(0, |sum, bytes| sum.saturating_add(bytes.len()))
    }

    fn head(&self) -> PublishHead<'_> {
        PublishHead {
            dup: false,
            qos: self.qos,
            retain: self.retain,
            topic: self.topic.as_bytes(),
            packet_id: (self.qos != QoS::AtMostOnce).then_some(PacketId::MIN),
            topic_alias: None,
            message_expiry_interval_s: None,
            subscription_identifiers: &[],
            properties: &self.properties,
            payload_len: self.payload.len(),
        }
    }

    /// Leaves out what is the business of the connection, and sees that the rest makes a packet.
    pub(crate) fn checked(mut self, version: ProtocolVersion) -> Result<Self, EncodeError> {
        if version.is_v5() {
            self.properties = self.properties.filtered(|id| id != PropertyId::TopicAlias);
        }
        let sample = Publish {
            properties: self.properties.clone(),
            ..Publish::new(self.topic.clone(), bytes::Bytes::new())
        };
        Packet::Publish(sample).encode(version, &mut BytesMut::new())?;
        if self.properties.subscription_identifier().is_some() && version.is_v5() {
            return Err(EncodeError::Property(PropertyId::SubscriptionIdentifier));
        }
        Ok(self)
    }

    /// Whether a server with these limits takes it.
    pub(crate) fn fits(
        &self,
        version: ProtocolVersion,
        limits: &ServerLimits,
    ) -> Result<(), PublishError> {
        if self.qos > limits.maximum_qos {
            return Err(PublishError::QosNotSupported { maximum: limits.maximum_qos });
        }
        if self.retain && !limits.retain_available {
            return Err(PublishError::RetainNotSupported);
        }
        let size = self.head().packet_len(version).saturating_add(ALIAS_LEN);
        let max = limits.packet_size_max;
        if size > max as usize {
            return Err(PublishError::TooLarge { size, max });
        }
        Ok(())
    }
}

impl Outbox {
    pub(crate) fn new(messages_max: usize, bytes_max: usize) -> Self {
        Self {
            flow: SendFlow::new(NonZeroU16::MAX),
            unacknowledged: VecDeque::new(),
            messages: 0,
            messages_max,
            bytes: 0,
            bytes_max,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.messages
    }

    pub(crate) fn push(&mut self, token: Token, message: Message) -> Result<(), PublishError> {
        let bytes = self.bytes.saturating_add(message.cost());
        if self.messages >= self.messages_max || bytes > self.bytes_max {
            return Err(PublishError::QueueFull);
        }
        self.bytes = bytes;
        self.messages = self.messages.saturating_add(1);
        let qos = message.qos;
        let outbound = Outbound { token, message };
        match qos {
            QoS::AtMostOnce => self.unacknowledged.push_back(outbound),
            QoS::AtLeastOnce | QoS::ExactlyOnce => self.flow.push(qos, outbound),
        }
        Ok(())
    }

    /// A message leaves.
    fn leave(&mut self, outbound: &Outbound) -> Token {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(outbound.message.cost());
        outbound.token
    }

    /// A new connection: the flow goes on, or begins anew with what it held.
    pub(crate) fn connected(
        &mut self,
        resumed: bool,
        version: ProtocolVersion,
        limits: &ServerLimits,
        receive_maximum: NonZeroU16,
        events: &mut VecDeque<Event>,
    ) {
        let mut failed = Vec::new();
        if resumed {
            self.flow.resume(receive_maximum);
        } else {
            let old = core::mem::replace(&mut self.flow, SendFlow::new(receive_maximum));
            for held in old.into_unacknowledged() {
                if held.sent && held.qos == QoS::ExactlyOnce {
                    failed.push((held.message, PublishError::SessionLost));
                } else {
                    self.flow.push(held.qos, held.message);
                }
            }
        }
        // What a session has in flight was within the limits when it was sent, and stays.
        let too_much = |outbound: &Outbound| outbound.message.fits(version, limits).is_err();
        let mut kept = VecDeque::new();
        for outbound in core::mem::take(&mut self.unacknowledged) {
            match outbound.message.fits(version, limits) {
                Ok(()) => kept.push_back(outbound),
                Err(why) => failed.push((outbound, why)),
            }
        }
        self.unacknowledged = kept;
        for outbound in self.flow.extract_queued(too_much) {
            if let Err(why) = outbound.message.fits(version, limits) {
                failed.push((outbound, why));
            }
        }
        for (outbound, why) in failed {
            let token = self.leave(&outbound);
            events.push_back(Event::PublishFailed { token, why });
        }
    }

    /// Appends the next packet, if there is one to send.
    pub(crate) fn transmit(
        &mut self,
        version: ProtocolVersion,
        aliases: &mut AliasesOut,
        out: &mut BytesMut,
        events: &mut VecDeque<Event>,
    ) -> bool {
        match self.flow.poll_transmit() {
            Some(Outgoing::PubRel { id }) => {
                encode(&Packet::PubRel(Ack::new(id, ReasonCode::Success)), version, out);
                return true;
            }
            Some(Outgoing::Publish { id, dup, message, .. }) => {
                put(&message.message, Some(id), dup, version, aliases, out);
                return true;
            }
            None => {}
        }
        let Some(outbound) = self.unacknowledged.pop_front() else { return false };
        put(&outbound.message, None, false, version, aliases, out);
        let token = self.leave(&outbound);
        events.push_back(Event::Published { token, code: ReasonCode::Success });
        true
    }

    pub(crate) fn on_puback(&mut self, ack: &Ack) -> Result<Option<Event>, FlowError> {
        let outbound = match self.flow.on_puback(ack.packet_id) {
            Ok(outbound) => outbound,
            Err(FlowError::UnknownPacketId) => return Ok(None),
            Err(error) => return Err(error),
        };
        let token = self.leave(&outbound);
        Ok(Some(acknowledged(token, ack)))
    }

    /// The event, and the PUBREL to send.
    pub(crate) fn on_pubrec(
        &mut self,
        ack: &Ack,
    ) -> Result<(Option<Event>, Option<Ack>), FlowError> {
        let id = ack.packet_id;
        let release = |code| Some(Ack::new(id, code));
        match self.flow.on_pubrec(id, ack.code) {
            Ok(PubRecOutcome::Release(outbound)) => {
                let event = outbound.map(|outbound| acknowledged(self.leave(&outbound), ack));
                Ok((event, release(ReasonCode::Success)))
            }
            Ok(PubRecOutcome::Refused(outbound)) => {
                Ok((Some(acknowledged(self.leave(&outbound), ack)), None))
            }
            Err(FlowError::UnknownPacketId) if ack.code.is_error() => Ok((None, None)),
            Err(FlowError::UnknownPacketId) => {
                Ok((None, release(ReasonCode::PacketIdentifierNotFound)))
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) fn on_pubcomp(&mut self, id: PacketId) -> Result<(), FlowError> {
        match self.flow.on_pubcomp(id) {
            Err(FlowError::UnknownPacketId) => Ok(()),
            done => done,
        }
    }
}

fn acknowledged(token: Token, ack: &Ack) -> Event {
    let code = ack.code;
    if code.is_error() {
        let reason = ack.properties.reason_string();
        Event::PublishFailed { token, why: PublishError::Refused { code, reason } }
    } else {
        Event::Published { token, code }
    }
}

/// Appends a PUBLISH that was found to fit.
fn put(
    message: &Message,
    packet_id: Option<PacketId>,
    dup: bool,
    version: ProtocolVersion,
    aliases: &mut AliasesOut,
    out: &mut BytesMut,
) {
    let alias = aliases.assign(&message.topic);
    let mut head = PublishHead { dup, packet_id, topic_alias: alias.alias, ..message.head() };
    if !alias.with_topic {
        head.topic = &[];
    }
    let encoded = head.encode(version, out);
    debug_assert!(encoded.is_ok(), "checked when it was taken: {encoded:?}");
    if encoded.is_ok() {
        out.put_slice(&message.payload);
    }
}

/// Appends a packet of our own making.
pub(crate) fn encode(packet: &Packet, version: ProtocolVersion, out: &mut BytesMut) {
    let encoded = packet.encode(version, out);
    debug_assert!(encoded.is_ok(), "{packet:?}: {encoded:?}");
}
