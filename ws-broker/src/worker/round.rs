//! A round: messages of QoS 0 that one client publishes in one turn to the same receivers. They are
//! encoded one behind the other, and each receiver is given all of them at once when the round ends, so
//! that a receiver costs as much for twenty messages as it does for one.
//!
//! What comes next on the publisher's connection and begins with the very same topic joins the round as it
//! lies in the read buffer, without being decoded: what would be found out about it has been found out
//! about the one before.
//!
//! **Invariant:** while a round is open nothing happens but that it grows. Whatever else a session could
//! notice ends it first, and so does the end of the turn.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use codec::{
    Decoder, PACKET_SIZE_MAX, Packet, Properties, ProtocolVersion, Publish, PublishHead,
    PublishView, QoS,
};

use crate::broker::{Message, SessionKey, Target, Targets, WorkerId, count};
use crate::limits::{RECEIVERS_AT_ONCE_MAX, ROUND_BYTES_MAX, ROUND_PACKET_BYTES_MAX};
use crate::worker::link::SharedLink;
use crate::worker::session::Session;
use crate::worker::{HandOver, State, put_into_outbox, trace};

/// Packets of one turn for the same receivers.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Those who get them, if a round is open.
    targets: Option<Arc<Targets>>,
    /// Who published them, or the last message if no round is open.
    publisher: Option<SessionKey>,
    /// Where the receivers of the last message are written down: if the next one is for the same, a
    /// round is worth beginning.
    last: usize,
    /// The topic of all of them.
    topic: Vec<u8>,
    /// The other workers on which somebody gets them, if it is this one that hands them over.
    others: Vec<WorkerId>,
    packets: Packets,
}

/// Packets in the forms that their receivers want.
#[derive(Debug, Default)]
pub(super) struct Packets {
    v3: Form,
    v5: Form,
    messages: u32,
    payload_bytes: u64,
}

/// The packets as one family of versions has them.
#[derive(Debug, Default)]
struct Form {
    is_wanted: bool,
    bytes: BytesMut,
}

impl Form {
    fn add(&mut self, message: &Message, version: ProtocolVersion) {
        if self.is_wanted {
            // A packet as small as this has a form in every version.
            let head = plain_head(message.topic.as_bytes(), message.payload.len());
            let _ = head.encode(version, &mut self.bytes);
            self.bytes.extend_from_slice(&message.payload);
        }
    }
}

static NO_PROPERTIES: Properties = Properties::EMPTY;

/// The head of a message that looks the same to all who get it.
fn plain_head(topic: &[u8], payload_len: usize) -> PublishHead<'_> {
    PublishHead {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic,
        packet_id: None,
        topic_alias: None,
        message_expiry_interval_s: None,
        subscription_identifiers: &[],
        properties: &NO_PROPERTIES,
        payload_len,
    }
}

impl Packets {
    /// Has none, and none wanted.
    pub(super) fn clear(&mut self) {
        for form in [&mut self.v3, &mut self.v5] {
            form.bytes.clear();
            form.is_wanted = false;
        }
        self.messages = 0;
        self.payload_bytes = 0;
    }

    /// Has every form wanted.
    pub(super) fn want_all(&mut self) {
        self.v3.is_wanted = true;
        self.v5.is_wanted = true;
    }

    pub(super) fn are_some(&self) -> bool {
        self.messages > 0
    }

    pub(super) fn add(&mut self, message: &Message) {
        self.v3.add(message, ProtocolVersion::V311);
        self.v5.add(message, ProtocolVersion::V5);
        self.messages = self.messages.saturating_add(1);
        self.payload_bytes = self.payload_bytes.saturating_add(message.payload.len() as u64);
    }

    /// Adds a packet as it is.
    fn add_packet(&mut self, view: &PublishView<'_>, version: ProtocolVersion) {
        let is_v5 = version.is_v5();
        let (same, other) =
            if is_v5 { (&mut self.v5, &mut self.v3) } else { (&mut self.v3, &mut self.v5) };
        if same.is_wanted {
            same.bytes.extend_from_slice(view.packet);
        }
        if other.is_wanted {
            let version = if is_v5 { ProtocolVersion::V311 } else { ProtocolVersion::V5 };
            let _ = plain_head(view.topic, view.payload.len()).encode(version, &mut other.bytes);
            other.bytes.extend_from_slice(view.payload);
        }
        self.messages = self.messages.saturating_add(1);
        self.payload_bytes = self.payload_bytes.saturating_add(view.payload.len() as u64);
    }

    fn have_room(&self) -> bool {
        self.v3.bytes.len().max(self.v5.bytes.len()) < ROUND_BYTES_MAX
    }
}

impl Round {
    /// Whether a message has the same publisher and the same receivers as the one before.
    fn is_next(&self, message: &Message, targets: &Arc<Targets>) -> bool {
        let is_same = match &self.targets {
            Some(open) => Arc::ptr_eq(open, targets),
            None => self.last == Arc::as_ptr(targets).addr(),
        };
        is_same && self.publisher == message.publisher
    }
}

impl State {
    /// Puts a message into the round that is open for its receivers, or begins one; says whether that
    /// could be. If not, none is open. A message that is `new` here goes to those on other workers, too.
    pub(super) fn join_round(
        &mut self,
        message: &Message,
        targets: &Arc<Targets>,
        new: bool,
    ) -> bool {
        let is_next = self.round.is_next(message, targets) && self.may_join_round(message);
        if is_next && self.round.targets.is_some() && self.round.packets.have_room() {
            self.round.packets.add(message);
            return true;
        }
        self.end_round();
        self.round.publisher = message.publisher;
        self.round.last = Arc::as_ptr(targets).addr();
        if is_next && self.all_take_rounds(targets, message.publisher) {
            self.round.targets = Some(Arc::clone(targets));
            self.round.topic.clear();
            self.round.topic.extend_from_slice(message.topic.as_bytes());
            if new {
                self.round.others.extend(targets.others(self.id).map(|(worker, _)| worker));
                // They get this form, whoever their receivers are.
                self.round.packets.v3.is_wanted |= !self.round.others.is_empty();
            }
            self.round.packets.add(message);
            return true;
        }
        false
    }

    /// Whether a message looks the same to all who get it.
    pub(super) fn may_join_round(&self, message: &Message) -> bool {
        let size = message.topic.as_bytes().len().saturating_add(message.payload.len());
        message.qos == QoS::AtMostOnce
            && !message.retain
            && message.properties.is_empty()
            && message.expires_at.is_none()
            && size < ROUND_PACKET_BYTES_MAX
            && !self.settings.config.rules.upgrade_outgoing_qos
            && !trace::is_on()
    }

    /// Whether those who live here are connected, and take packets that were encoded for all of them.
    /// Notes which forms they want.
    fn all_take_rounds(&mut self, targets: &Targets, publisher: Option<SessionKey>) -> bool {
        let (mut want_v3, mut want_v5) = (false, false);
        for target in targets.of(self.id) {
            let session = session_of(&self.sessions, target);
            let other = session.filter(|session| publisher != Some(session.key));
            let Some(version) = other.and_then(|session| takes_packets(session, target)) else {
                return false;
            };
            *(if version.is_v5() { &mut want_v5 } else { &mut want_v3 }) = true;
        }
        self.round.packets.v3.is_wanted = want_v3;
        self.round.packets.v5.is_wanted = want_v5;
        !targets.are_shared()
    }

    /// Takes over from another worker what that gave to those of its own in a round.
    pub(super) fn take_round(&mut self, handed: HandedRound) {
        let HandedRound { targets, publisher, packets, messages, payload_bytes } = handed;
        self.end_round();
        let are_many = targets.of(self.id).len() > RECEIVERS_AT_ONCE_MAX;
        let are_plain = !are_many && self.all_take_rounds(&targets, publisher);
        if are_plain && !self.round.packets.v5.is_wanted {
            self.round.packets.v3.bytes.extend_from_slice(&packets);
            self.round.packets.messages = messages;
            self.round.packets.payload_bytes = payload_bytes;
        } else {
            let mut decoder = Decoder::client(ProtocolVersion::V311, PACKET_SIZE_MAX);
            let mut rest = packets;
            while let Ok(Some(Packet::Publish(publish))) = decoder.decode(&mut rest) {
                let Publish { topic: Some(topic), payload, .. } = publish else { continue };
                let mut message =
                    Message::new(topic, payload, QoS::AtMostOnce, false, Properties::EMPTY);
                message.publisher = publisher;
                if are_plain {
                    self.round.packets.add(&message);
                } else {
                    self.deliver_each(&targets, &message);
                }
            }
        }
        if are_plain {
            self.round.targets = Some(targets);
            self.end_round();
        }
    }

    /// Takes off the front of `bytes`, which came from a client, what goes on with the round that its
    /// last message has begun.
    pub(super) fn extend_round(&mut self, link: &SharedLink, bytes: &mut Bytes) {
        if self.round.targets.is_none() || self.is_out_of_memory() {
            return;
        }
        let limits = &self.settings.config.limits;
        let link = link.borrow();
        if link.mount.is_some() || link.crossing.is_some() {
            return;
        }
        let packet_max = ROUND_PACKET_BYTES_MAX.min(limits.packet_size_max as usize);
        let (mut rest, mut taken) = (bytes.as_ref(), 0_usize);
        let (messages, payload_bytes) =
            (self.round.packets.messages, self.round.packets.payload_bytes);
        while self.round.packets.have_room()
            && let Some(view) = PublishView::peek(rest, link.version)
            && view.qos == QoS::AtMostOnce
            && !view.retain
            && view.topic == self.round.topic.as_slice()
            && view.packet.len() <= packet_max
            && view.payload.len() <= limits.message_size_max
        {
            self.round.packets.add_packet(&view, link.version);
            taken = taken.saturating_add(view.packet.len());
            rest = rest.get(view.packet.len()..).unwrap_or_default();
        }
        bytes.advance(taken);
        let messages = u64::from(self.round.packets.messages.saturating_sub(messages));
        let payload_bytes = self.round.packets.payload_bytes.saturating_sub(payload_bytes);
        count(&self.counters.packets_received, messages);
        count(&self.counters.publishes_received, messages);
        count(&self.counters.publish_bytes_received, payload_bytes);
    }

    /// Gives the packets of the round to those who get them.
    pub(super) fn end_round(&mut self) {
        let round = &mut self.round;
        round.last = 0;
        let Some(targets) = round.targets.take() else { return };
        if !round.others.is_empty() {
            let packets = Bytes::copy_from_slice(&round.packets.v3.bytes);
            for worker in round.others.drain(..) {
                let handed = HandedRound {
                    targets: Arc::clone(&targets),
                    publisher: round.publisher,
                    packets: packets.clone(),
                    messages: round.packets.messages,
                    payload_bytes: round.packets.payload_bytes,
                };
                put_into_outbox(&mut self.outbox, worker, HandOver::Round(handed));
            }
        }
        let packets = std::mem::take(&mut self.round.packets);
        for target in targets.of(self.id) {
            // All of them are here: nothing has happened since the round began.
            self.give_packets(target, &packets);
        }
        self.round.packets = packets;
        self.round.packets.clear();
    }

    /// Gives packets to one who takes them.
    pub(super) fn give_packets(&mut self, target: &Target, packets: &Packets) {
        let session = session_of(&self.sessions, target);
        let Some(shared_link) = session.and_then(|session| session.link.as_ref()) else { return };
        let link = &mut *shared_link.borrow_mut();
        let messages = u64::from(packets.messages);
        if link.out.len() > self.settings.config.limits.out_bytes_max {
            count(&self.counters.dropped_slow_reader, messages);
            return;
        }
        let form = if link.version.is_v5() { &packets.v5 } else { &packets.v3 };
        link.out.push_packets(&form.bytes, packets.messages, &mut self.spare);
        self.queue.push(link, shared_link);
        count(&self.counters.publishes_sent, messages);
        count(&self.counters.publish_bytes_sent, packets.payload_bytes);
    }
}

/// A round for the receivers on another worker.
#[derive(Debug)]
pub(crate) struct HandedRound {
    targets: Arc<Targets>,
    publisher: Option<SessionKey>,
    /// As before MQTT 5.0 they are.
    packets: Bytes,
    messages: u32,
    payload_bytes: u64,
}

impl HandedRound {
    pub(super) fn size(&self) -> usize {
        self.packets.len()
    }
}

/// The session of a target, if it is that one still.
pub(super) fn session_of<'a>(
    sessions: &'a slab::Slab<Session>,
    target: &Target,
) -> Option<&'a Session> {
    let session = sessions.get(target.slot as usize)?;
    (session.key.epoch == target.epoch).then_some(session)
}

/// The version of a receiver that is connected, and takes packets of others that were encoded for all of them.
pub(super) fn takes_packets(session: &Session, target: &Target) -> Option<ProtocolVersion> {
    let link = session.link.as_ref()?.borrow();
    let is_plain = link.crossing.is_none()
        && link.mount.is_none()
        && link.aliases_out.is_none()
        && link.closing.is_none()
        && link.packet_size_max as usize >= ROUND_PACKET_BYTES_MAX
        && target.granted.ids.is_empty();
    is_plain.then_some(link.version)
}
