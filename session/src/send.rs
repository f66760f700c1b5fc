//! The sending flow: messages of QoS 1 and 2 on their way to the other end (MQTT 5.0 §4.3, §4.4).
//!
//! Packet Identifiers are given out one after the other, as most other implementations do, so that an
//! identifier comes back as late as it can: a late acknowledgement does not meet the wrong message. In
//! the order of sending identifiers therefore ascend, and an acknowledgement finds its message by a
//! binary search, in whatever order acknowledgements come.

use codec::{PacketId, QoS, ReasonCode};
use core::num::NonZeroU16;
use std::collections::VecDeque;

use crate::FlowError;

/// The sending flow of one session; `M` is whatever its owner needs for each message.
///
/// It outlives connections: when one is lost nothing needs to be told, and when the next one goes on
/// with the session, [`resume`](Self::resume) schedules what must be sent again. A flow that holds
/// nothing owns no heap memory.
///
/// ```
/// use codec::{QoS, ReasonCode};
/// use session::{Outgoing, PubRecOutcome, SendFlow};
/// # use core::num::NonZeroU16;
///
/// let mut flow = SendFlow::new(NonZeroU16::MIN);
/// flow.push(QoS::ExactlyOnce, "21.5");
/// flow.push(QoS::AtLeastOnce, "21.6");
///
/// let Some(Outgoing::Publish { id, dup: false, .. }) = flow.poll_transmit() else { panic!() };
/// assert!(flow.poll_transmit().is_none(), "the receive maximum is 1");
/// assert_eq!(flow.on_pubrec(id, ReasonCode::Success), Ok(PubRecOutcome::Release(Some("21.5"))));
/// assert_eq!(flow.on_pubcomp(id), Ok(()));
/// assert!(matches!(flow.poll_transmit(), Some(Outgoing::Publish { message: &"21.6", .. })));
/// ```
#[derive(Debug, Clone)]
pub struct SendFlow<M> {
    /// In flight or reserved, in the order of sending.
    slots: VecDeque<Slot<M>>,
    /// The identifier that was given out last; 0 before the first.
    last_id: u16,
    /// How many of the slots were sent again already; all of them once resending is done.
    resent: usize,
    queue: VecDeque<(QoS, M)>,
    receive_maximum: NonZeroU16,
    /// Slots in flight.
    in_flight: u16,
    /// Those of them that were sent on this connection, which is what the receive maximum limits.
    outstanding: u16,
}

#[derive(Debug, Clone)]
struct Slot<M> {
    id: PacketId,
    stage: Stage,
    /// Whether it was sent on this connection.
    sent: bool,
    /// There until the other end has taken it over.
    message: Option<M>,
}

/// What a Packet Identifier is in use for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// By the owner, for a SUBSCRIBE or UNSUBSCRIBE.
    Reserved,
    /// PUBLISH of QoS 1 sent, PUBACK to come.
    AwaitPubAck,
    /// PUBLISH of QoS 2 sent, PUBREC to come.
    AwaitPubRec,
    /// PUBREL sent, PUBCOMP to come.
    AwaitPubComp,
}

/// What [`SendFlow::poll_transmit`] wants sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Outgoing<'a, M> {
    /// A PUBLISH.
    Publish {
        /// Its Packet Identifier.
        id: PacketId,
        /// QoS 1 or 2.
        qos: QoS,
        /// Whether it was sent on an earlier connection.
        dup: bool,
        /// The message.
        message: &'a M,
    },
    /// A PUBREL that was sent on an earlier connection.
    PubRel {
        /// Its Packet Identifier.
        id: PacketId,
    },
}

/// What a PUBREC leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PubRecOutcome<M> {
    /// A PUBREL must be sent now. The other end has taken the message over, which is given back the
    /// first time; a repeated PUBREC has none.
    Release(Option<M>),
    /// The other end refused the message; the exchange is over.
    Refused(M),
}

/// A message that a flow held when it was taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held<M> {
    /// QoS 1 or 2.
    pub qos: QoS,
    /// Whether it was sent before, so that the other end may have it. A message of QoS 2 that was sent
    /// must not go to another client (MQTT 5.0 §4.8.2).
    pub sent: bool,
    /// The message.
    pub message: M,
}

impl<M> SendFlow<M> {
    /// A flow that sends at most `receive_maximum` messages before the first is acknowledged: the
    /// other end's Receive Maximum, or a lower limit of this end (MQTT 5.0 §4.9).
    pub const fn new(receive_maximum: NonZeroU16) -> Self {
        Self {
            slots: VecDeque::new(),
            last_id: 0,
            resent: 0,
            queue: VecDeque::new(),
            receive_maximum,
            in_flight: 0,
            outstanding: 0,
        }
    }

    /// Puts a message of QoS 1 or 2 at the end of the queue. Messages of QoS 0 do not enter the flow;
    /// one that does nevertheless is sent with QoS 1.
    pub fn push(&mut self, qos: QoS, message: M) {
        debug_assert!(qos != QoS::AtMostOnce, "a message of QoS 0 needs no flow");
        self.queue.push_back((qos.max(QoS::AtLeastOnce), message));
    }

    /// The next packet to send: first what [`resume`](Self::resume) scheduled, in its original order,
    /// then the queue, both only while the receive maximum allows. The packet counts as sent.
    pub fn poll_transmit(&mut self) -> Option<Outgoing<'_, M>> {
        while let Some(slot) = self.slots.get(self.resent) {
            let again = !slot.sent && slot.stage != Stage::Reserved;
            // A PUBREL may be sent when the quota is used up (MQTT 5.0 §4.9).
            if again && !self.has_quota() && slot.stage != Stage::AwaitPubComp {
                return None;
            }
            let at = self.resent;
            self.resent = self.resent.saturating_add(1);
            if again {
                self.outstanding = self.outstanding.saturating_add(1);
                return self.outgoing(at, true);
            }
        }
        if !self.has_quota() || self.queue.is_empty() {
            return None;
        }
        let id = self.next_id()?;
        let (qos, message) = self.queue.pop_front()?;
        self.append(id, Stage::of(qos), Some(message));
        self.in_flight = self.in_flight.saturating_add(1);
        self.outstanding = self.outstanding.saturating_add(1);
        self.outgoing(self.slots.len().saturating_sub(1), false)
    }

    /// Takes a PUBACK, whatever its Reason Code, and gives the message back (MQTT 5.0 §4.3.2).
    ///
    /// # Errors
    /// The identifier is not in use, or not for a message of QoS 1.
    pub fn on_puback(&mut self, id: PacketId) -> Result<M, FlowError> {
        let at = self.expect_stage(id, Stage::AwaitPubAck)?;
        self.remove(at).ok_or(FlowError::WrongState)
    }

    /// Takes a PUBREC (MQTT 5.0 §4.3.3).
    ///
    /// # Errors
    /// The identifier is not in use, or not for a message of QoS 2; or the message is refused after it
    /// was taken over.
    pub fn on_pubrec(
        &mut self,
        id: PacketId,
        code: ReasonCode,
    ) -> Result<PubRecOutcome<M>, FlowError> {
        let at = self.in_use(id)?;
        let slot = self.slots.get_mut(at).ok_or(FlowError::UnknownPacketId)?;
        match (slot.stage, code.is_error()) {
            (Stage::AwaitPubRec, true) => {
                self.remove(at).map(PubRecOutcome::Refused).ok_or(FlowError::WrongState)
            }
            (Stage::AwaitPubRec | Stage::AwaitPubComp, false) => {
                slot.stage = Stage::AwaitPubComp;
                let message = slot.message.take();
                // The caller sends the PUBREL, so that it need not be sent again on this connection.
                if !core::mem::replace(&mut slot.sent, true) {
                    self.outstanding = self.outstanding.saturating_add(1);
                }
                Ok(PubRecOutcome::Release(message))
            }
            _ => Err(FlowError::WrongState),
        }
    }

    /// Takes a PUBCOMP, whatever its Reason Code; the exchange is over (MQTT 5.0 §4.3.3).
    ///
    /// # Errors
    /// The identifier is not in use, or a PUBREC was to come first.
    pub fn on_pubcomp(&mut self, id: PacketId) -> Result<(), FlowError> {
        let at = self.expect_stage(id, Stage::AwaitPubComp)?;
        self.remove(at);
        Ok(())
    }

    /// A new connection goes on with the session: all that is not acknowledged will be sent again, in
    /// its original order and before anything new (MQTT 5.0 §4.4, §4.6). The new receive maximum may
    /// be lower than what is in flight; it holds for what is sent again, too.
    pub fn resume(&mut self, receive_maximum: NonZeroU16) {
        self.receive_maximum = receive_maximum;
        self.outstanding = 0;
        self.resent = 0;
        for slot in &mut self.slots {
            slot.sent = false;
        }
    }

    /// Gives out an identifier that no message has, for a SUBSCRIBE or UNSUBSCRIBE, which share them
    /// (MQTT 5.0 §2.2.1). `None` when the next of the 65,535 is still in use.
    pub fn reserve_id(&mut self) -> Option<PacketId> {
        let id = self.next_id()?;
        self.append(id, Stage::Reserved, None);
        Some(id)
    }

    /// Takes back what [`reserve_id`](Self::reserve_id) gave out; `false` if it did not.
    pub fn release_id(&mut self, id: PacketId) -> bool {
        let Some(at) = self.find(id) else { return false };
        if self.slots.get(at).is_none_or(|slot| slot.stage != Stage::Reserved) {
            return false;
        }
        self.take_out(at);
        true
    }

    /// How many messages are sent and not yet fully acknowledged.
    pub fn inflight_len(&self) -> usize {
        usize::from(self.in_flight)
    }

    /// How many messages wait for their first sending.
    pub fn queued_len(&self) -> usize {
        self.queue.len()
    }

    /// Whether the flow holds no message and waits for no acknowledgement.
    pub fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.queue.is_empty()
    }

    /// Drops the oldest message that was not yet sent; for limits.
    pub fn pop_oldest_queued(&mut self) -> Option<M> {
        let message = self.queue.pop_front().map(|(_, message)| message);
        self.give_memory_back();
        message
    }

    /// Drops the messages that were not yet sent and that `keep` turns down, and says how many those
    /// were; for message expiry, which does not touch what was sent (MQTT 5.0 §4.3.3).
    pub fn retain_queued(&mut self, mut keep: impl FnMut(&M) -> bool) -> usize {
        let before = self.queue.len();
        self.queue.retain(|(_, message)| keep(message));
        let dropped = before.saturating_sub(self.queue.len());
        self.give_memory_back();
        dropped
    }

    /// Takes out the messages that were not yet sent and that `take` picks.
    pub fn extract_queued(&mut self, mut take: impl FnMut(&M) -> bool) -> Vec<M> {
        let mut taken = Vec::new();
        for (qos, message) in core::mem::take(&mut self.queue) {
            if take(&message) {
                taken.push(message);
            } else {
                self.queue.push_back((qos, message));
            }
        }
        self.give_memory_back();
        taken
    }

    /// All messages: those in flight that the other end has not taken over, then those queued.
    pub fn iter(&self) -> impl Iterator<Item = &M> {
        let in_flight = self.slots.iter().filter_map(|slot| slot.message.as_ref());
        in_flight.chain(self.queue.iter().map(|(_, message)| message))
    }

    /// Takes the flow apart: all messages that the other end has not taken over, in their order.
    pub fn into_unacknowledged(self) -> impl Iterator<Item = Held<M>> {
        let in_flight = self.slots.into_iter().filter_map(|slot| {
            let qos = slot.stage.qos();
            slot.message.map(|message| Held { qos, sent: true, message })
        });
        let queued = self.queue.into_iter();
        in_flight.chain(queued.map(|(qos, message)| Held { qos, sent: false, message }))
    }

    fn has_quota(&self) -> bool {
        self.outstanding < self.receive_maximum.get()
    }

    /// The place of the slot with this identifier.
    fn find(&self, id: PacketId) -> Option<usize> {
        let first = self.slots.front()?.id;
        if first == id {
            return Some(0);
        }
        let age = age(first, id);
        self.slots.binary_search_by_key(&age, |slot| self::age(first, slot.id)).ok()
    }

    /// The place of a message in flight.
    fn in_use(&self, id: PacketId) -> Result<usize, FlowError> {
        self.find(id)
            .filter(|at| self.slots.get(*at).is_some_and(|slot| slot.stage != Stage::Reserved))
            .ok_or(FlowError::UnknownPacketId)
    }

    fn expect_stage(&self, id: PacketId, stage: Stage) -> Result<usize, FlowError> {
        let at = self.in_use(id)?;
        let fits = self.slots.get(at).is_some_and(|slot| slot.stage == stage);
        if fits { Ok(at) } else { Err(FlowError::WrongState) }
    }

    /// The next identifier. One that is in use still is waited for: it is the oldest, and passing it
    /// by would break the order.
    fn next_id(&self) -> Option<PacketId> {
        let id = PacketId::new(self.last_id.wrapping_add(1)).unwrap_or(PacketId::MIN);
        self.slots.front().is_none_or(|oldest| oldest.id != id).then_some(id)
    }

    fn append(&mut self, id: PacketId, stage: Stage, message: Option<M>) {
        // Whoever appends has sent all that was to be sent again, or appends what never is.
        if self.resent == self.slots.len() {
            self.resent = self.resent.saturating_add(1);
        }
        self.last_id = id.get();
        self.slots.push_back(Slot { id, stage, sent: true, message });
    }

    /// Ends the exchange of a slot in flight.
    fn remove(&mut self, at: usize) -> Option<M> {
        let sent = self.slots.get(at)?.sent;
        self.in_flight = self.in_flight.saturating_sub(1);
        self.outstanding = self.outstanding.saturating_sub(u16::from(sent));
        self.take_out(at)?.message
    }

    fn take_out(&mut self, at: usize) -> Option<Slot<M>> {
        let slot = self.slots.remove(at)?;
        if at < self.resent {
            self.resent = self.resent.saturating_sub(1);
        }
        self.give_memory_back();
        Some(slot)
    }

    /// Most sessions are idle most of the time, and there are many.
    fn give_memory_back(&mut self) {
        if self.slots.is_empty() {
            self.slots = VecDeque::new();
        }
        if self.is_idle() {
            self.queue = VecDeque::new();
        }
    }

    fn outgoing(&mut self, at: usize, dup: bool) -> Option<Outgoing<'_, M>> {
        let slot = self.slots.get_mut(at)?;
        slot.sent = true;
        let (id, qos) = (slot.id, slot.stage.qos());
        Some(match &slot.message {
            Some(message) => Outgoing::Publish { id, qos, dup, message },
            None => Outgoing::PubRel { id },
        })
    }
}

/// How long after `first` an identifier was given out.
const fn age(first: PacketId, id: PacketId) -> u16 {
    let (first, id) = (first.get(), id.get());
    // 0 is no identifier, and not counted.
    if id >= first { id.saturating_sub(first) } else { (u16::MAX - first).saturating_add(id) }
}

impl Stage {
    const fn of(qos: QoS) -> Self {
        match qos {
            QoS::AtMostOnce | QoS::AtLeastOnce => Self::AwaitPubAck,
            QoS::ExactlyOnce => Self::AwaitPubRec,
        }
    }

    const fn qos(self) -> QoS {
        match self {
            Self::AwaitPubRec | Self::AwaitPubComp => QoS::ExactlyOnce,
            Self::Reserved | Self::AwaitPubAck => QoS::AtLeastOnce,
        }
    }
}
