//! The sending flow: messages of QoS 1 and 2 on their way to the other end (MQTT 5.0 §4.3, §4.4).
//!
//! Messages are numbered, and the Packet Identifier is what 16 bits hold of the number. So identifiers
//! are given out one after the other, as most other implementations do, and come back as late as they
//! can: a late acknowledgement does not meet the wrong message. In the order of sending identifiers
//! ascend, and an acknowledgement finds its message by a binary search, in whatever order
//! acknowledgements come. An owner that numbers its messages itself and remembers the numbers knows
//! every identifier, too, without writing it down.

use codec::{PacketId, QoS, ReasonCode};
use core::num::{NonZeroU16, NonZeroU64};
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
    /// In flight, in the order of sending.
    slots: VecDeque<Slot<M>>,
    /// The highest number that was given to anything; 0 before the first.
    highest: u64,
    /// How many of the slots were sent again already; all of them once resending is done.
    resent: usize,
    queue: VecDeque<Queued<M>>,
    /// Identifiers in use for what is no message.
    reserved: Vec<PacketId>,
    receive_maximum: NonZeroU16,
    /// Slots in flight.
    in_flight: u16,
    /// Those of them that were sent on this connection, which is what the receive maximum limits.
    outstanding: u16,
}

#[derive(Debug, Clone)]
struct Queued<M> {
    qos: QoS,
    /// There if the owner has numbered it.
    number: Option<NonZeroU64>,
    message: M,
}

#[derive(Debug, Clone)]
struct Slot<M> {
    number: u64,
    stage: Stage,
    /// Whether it was sent on this connection.
    sent: bool,
    /// There until the other end has taken it over.
    message: Option<M>,
}

/// What the exchange of a message waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// PUBLISH of QoS 1 sent, PUBACK to come.
    Ack,
    /// PUBLISH of QoS 2 sent, PUBREC to come.
    Rec,
    /// PUBREL sent, PUBCOMP to come.
    Comp,
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
            highest: 0,
            resent: 0,
            queue: VecDeque::new(),
            reserved: Vec::new(),
            receive_maximum,
            in_flight: 0,
            outstanding: 0,
        }
    }

    /// Makes room for messages that are about to be pushed, and no more than that.
    pub fn reserve(&mut self, messages: usize) {
        self.queue.reserve_exact(messages);
    }

    /// Puts a message of QoS 1 or 2 at the end of the queue. Messages of QoS 0 do not enter the flow;
    /// one that does nevertheless is sent with QoS 1.
    pub fn push(&mut self, qos: QoS, message: M) {
        debug_assert!(qos != QoS::AtMostOnce, "a message of QoS 0 needs no flow");
        self.enqueue(qos, None, message);
    }

    /// Puts a message at the end of the queue that has a number already, which
    /// [`next_number`](Self::next_number) gave out after those of the messages before it.
    pub fn push_numbered(&mut self, number: NonZeroU64, qos: QoS, message: M) {
        self.highest = self.highest.max(number.get());
        self.enqueue(qos, Some(number), message);
    }

    /// The highest number that was given to anything; 0 before the first.
    pub const fn last_number(&self) -> u64 {
        self.highest
    }

    /// Gives out a number for a message that is to be pushed. Not all have to be used.
    pub fn next_number(&mut self) -> NonZeroU64 {
        self.highest = self.highest.saturating_add(1);
        NonZeroU64::new(self.highest).unwrap_or(NonZeroU64::MIN)
    }

    fn enqueue(&mut self, qos: QoS, number: Option<NonZeroU64>, message: M) {
        let qos = qos.max(QoS::AtLeastOnce);
        self.queue.push_back(Queued { qos, number, message });
    }

    /// Puts a message where it was in a flow that is no more: sent, and not acknowledged. Messages are
    /// to be restored in the order of their numbers, before any is pushed; `None` stands for one of
    /// QoS 2 that the other end has taken over, so that its PUBREL is to be sent again.
    pub fn restore_sent(&mut self, number: NonZeroU64, qos: QoS, message: Option<M>) {
        let stage = if message.is_some() { Stage::of(qos) } else { Stage::Comp };
        let number = number.get();
        self.highest = self.highest.max(number);
        self.slots.push_back(Slot { number, stage, sent: false, message });
        self.in_flight = self.in_flight.saturating_add(1);
    }

    /// The message that [`poll_transmit`](Self::poll_transmit) sends next, if it sends one, with the QoS
    /// that it is sent with.
    pub fn next_message(&mut self) -> Option<(QoS, &mut M)> {
        let has_quota = self.has_quota();
        let next = self.slots.iter_mut().skip(self.resent).find(|slot| !slot.sent);
        let next = match next {
            Some(slot) => slot.message.as_mut().map(|message| (slot.stage.qos(), message)),
            None => self.queue.front_mut().map(|queued| (queued.qos, &mut queued.message)),
        };
        next.filter(|_| has_quota)
    }

    /// The next packet to send: first what [`resume`](Self::resume) scheduled, in its original order,
    /// then the queue, both only while the receive maximum allows. The packet counts as sent.
    pub fn poll_transmit(&mut self) -> Option<Outgoing<'_, M>> {
        while let Some(slot) = self.slots.get(self.resent) {
            let again = !slot.sent;
            // A PUBREL may be sent when the quota is used up (MQTT 5.0 §4.9).
            if again && !self.has_quota() && slot.stage != Stage::Comp {
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
        let unnumbered = self.highest.saturating_add(1);
        let number = self.queue.front()?.number.map_or(unnumbered, NonZeroU64::get);
        if !self.is_free(number) {
            return None;
        }
        let Queued { qos, message, .. } = self.queue.pop_front()?;
        self.append(number, Stage::of(qos), Some(message));
        self.in_flight = self.in_flight.saturating_add(1);
        self.outstanding = self.outstanding.saturating_add(1);
        self.outgoing(self.slots.len().saturating_sub(1), false)
    }

    /// Whether there may be something to transmit, now or when there is quota again.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        !self.queue.is_empty() || self.resent < self.slots.len()
    }

    /// Takes a PUBACK, whatever its Reason Code, and gives the message back (MQTT 5.0 §4.3.2).
    ///
    /// # Errors
    /// The identifier is not in use, or not for a message of QoS 1.
    pub fn on_puback(&mut self, id: PacketId) -> Result<M, FlowError> {
        let at = self.expect_stage(id, Stage::Ack)?;
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
            (Stage::Rec, true) => {
                self.remove(at).map(PubRecOutcome::Refused).ok_or(FlowError::WrongState)
            }
            (Stage::Rec | Stage::Comp, false) => {
                slot.stage = Stage::Comp;
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
        let at = self.expect_stage(id, Stage::Comp)?;
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
        let number = self.highest.saturating_add(1);
        if !self.is_free(number) {
            return None;
        }
        self.highest = number;
        let id = identifier(number);
        self.reserved.push(id);
        Some(id)
    }

    /// Takes back what [`reserve_id`](Self::reserve_id) gave out; `false` if it did not.
    pub fn release_id(&mut self, id: PacketId) -> bool {
        let before = self.reserved.len();
        self.reserved.retain(|reserved| *reserved != id);
        if self.reserved.is_empty() {
            self.reserved = Vec::new();
        }
        self.reserved.len() < before
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
        let message = self.queue.pop_front().map(|queued| queued.message);
        self.give_memory_back();
        message
    }

    /// Drops the messages that were not yet sent and that `keep` turns down, and says how many those
    /// were; for message expiry, which does not touch what was sent (MQTT 5.0 §4.3.3).
    pub fn retain_queued(&mut self, mut keep: impl FnMut(&M) -> bool) -> usize {
        let before = self.queue.len();
        self.queue.retain(|queued| keep(&queued.message));
        let dropped = before.saturating_sub(self.queue.len());
        self.give_memory_back();
        dropped
    }

    /// Takes out the messages that were not yet sent and that `take` picks.
    pub fn extract_queued(&mut self, mut take: impl FnMut(&M) -> bool) -> Vec<M> {
        let mut taken = Vec::new();
        for queued in core::mem::take(&mut self.queue) {
            if take(&queued.message) {
                taken.push(queued.message);
            } else {
                self.queue.push_back(queued);
            }
        }
        self.give_memory_back();
        taken
    }

    /// The messages that were not yet sent, the newest first, each with how many are sent before it.
    pub fn queued_from_newest(&mut self) -> impl Iterator<Item = (usize, &mut M)> {
        let queued = self.queue.iter_mut().enumerate().rev();
        queued.map(|(before, queued)| (before, &mut queued.message))
    }

    /// All messages: those in flight that the other end has not taken over, then those queued.
    pub fn iter(&self) -> impl Iterator<Item = &M> {
        let in_flight = self.slots.iter().filter_map(|slot| slot.message.as_ref());
        in_flight.chain(self.queue.iter().map(|queued| &queued.message))
    }

    /// Takes the flow apart: all messages that the other end has not taken over, in their order.
    pub fn into_unacknowledged(self) -> impl Iterator<Item = Held<M>> {
        let in_flight = self.slots.into_iter().filter_map(|slot| {
            let qos = slot.stage.qos();
            slot.message.map(|message| Held { qos, sent: true, message })
        });
        let queued = self.queue.into_iter();
        in_flight.chain(queued.map(|Queued { qos, message, .. }| Held {
            qos,
            sent: false,
            message,
        }))
    }

    fn has_quota(&self) -> bool {
        self.outstanding < self.receive_maximum.get()
    }

    /// The place of the slot with this identifier.
    fn find(&self, id: PacketId) -> Option<usize> {
        let first = self.slots.front()?.number;
        let age = age(identifier(first), id);
        if age == 0 {
            return Some(0);
        }
        let number = first.saturating_add(u64::from(age));
        self.slots.binary_search_by_key(&number, |slot| slot.number).ok()
    }

    /// The place of a message in flight.
    fn in_use(&self, id: PacketId) -> Result<usize, FlowError> {
        self.find(id).ok_or(FlowError::UnknownPacketId)
    }

    fn expect_stage(&self, id: PacketId, stage: Stage) -> Result<usize, FlowError> {
        let at = self.in_use(id)?;
        let fits = self.slots.get(at).is_some_and(|slot| slot.stage == stage);
        if fits { Ok(at) } else { Err(FlowError::WrongState) }
    }

    /// Whether the identifier of a number is free. One that is in use still is waited for: it is the
    /// oldest, and passing it by would break the order.
    fn is_free(&self, number: u64) -> bool {
        let oldest = self.slots.front();
        oldest.is_none_or(|oldest| number.saturating_sub(oldest.number) < IDENTIFIERS)
            && !self.reserved.contains(&identifier(number))
    }

    fn append(&mut self, number: u64, stage: Stage, message: Option<M>) {
        // Whoever appends has sent all that was to be sent again, or appends what never is.
        if self.resent == self.slots.len() {
            self.resent = self.resent.saturating_add(1);
        }
        self.highest = self.highest.max(number);
        self.slots.push_back(Slot { number, stage, sent: true, message });
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
        let (id, qos) = (identifier(slot.number), slot.stage.qos());
        Some(match &slot.message {
            Some(message) => Outgoing::Publish { id, qos, dup, message },
            None => Outgoing::PubRel { id },
        })
    }
}

/// How many Packet Identifiers there are (MQTT 5.0 §2.2.1).
const IDENTIFIERS: u64 = u16::MAX as u64;

/// The Packet Identifier that a flow gives to the message with this number.
pub fn packet_id(number: NonZeroU64) -> PacketId {
    identifier(number.get())
}

/// The Packet Identifier of a message with this number, which begins at 1.
fn identifier(number: u64) -> PacketId {
    let id = number.saturating_sub(1).checked_rem(IDENTIFIERS).unwrap_or(0).saturating_add(1);
    u16::try_from(id).ok().and_then(PacketId::new).unwrap_or(PacketId::MIN)
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
            QoS::AtMostOnce | QoS::AtLeastOnce => Self::Ack,
            QoS::ExactlyOnce => Self::Rec,
        }
    }

    const fn qos(self) -> QoS {
        match self {
            Self::Rec | Self::Comp => QoS::ExactlyOnce,
            Self::Ack => QoS::AtLeastOnce,
        }
    }
}
