//! The sending flow: messages of QoS 1 and 2 on their way to the other end (MQTT 5.0 §4.3, §4.4).
//!
//! Messages in flight live in a slab whose slot number is the Packet Identifier, so an acknowledgement
//! finds its message in one step, in whatever order acknowledgements come, and an identifier in flight
//! can't be given out a second time. Links between the slots keep the order of sending.

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
    /// The slot of identifier `id` is at `id - 1`.
    slots: Vec<Slot<M>>,
    /// The first of the unused slots, which are linked by `next`.
    free: Option<PacketId>,
    /// In flight, in the order of sending.
    first: Option<PacketId>,
    last: Option<PacketId>,
    /// Where resending goes on; `None` once all is sent again.
    resend: Option<PacketId>,
    queue: VecDeque<(QoS, M)>,
    receive_maximum: NonZeroU16,
    /// Slots in flight.
    in_flight: u16,
    /// Those of them that were sent on this connection, which is what the receive maximum limits.
    outstanding: u16,
    /// Slots that [`reserve_id`](SendFlow::reserve_id) gave out.
    reserved: u16,
}

#[derive(Debug, Clone)]
struct Slot<M> {
    stage: Stage,
    /// Whether it was sent on this connection.
    sent: bool,
    previous: Option<PacketId>,
    next: Option<PacketId>,
    /// There until the other end has taken it over.
    message: Option<M>,
}

/// What a Packet Identifier is in use for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Free,
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
            slots: Vec::new(),
            free: None,
            first: None,
            last: None,
            resend: None,
            queue: VecDeque::new(),
            receive_maximum,
            in_flight: 0,
            outstanding: 0,
            reserved: 0,
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
        while let Some(id) = self.resend {
            let quota = self.has_quota();
            let slot = self.slot_mut(id)?;
            // A PUBREL may be sent when the quota is used up (MQTT 5.0 §4.9).
            if !slot.sent && !quota && slot.stage != Stage::AwaitPubComp {
                return None;
            }
            let sent_already = core::mem::replace(&mut slot.sent, true);
            self.resend = slot.next;
            if !sent_already {
                self.outstanding = self.outstanding.saturating_add(1);
                return self.outgoing(id, true);
            }
        }
        if !self.has_quota() || self.queue.is_empty() {
            return None;
        }
        let id = self.take_id()?;
        let (qos, message) = self.queue.pop_front()?;
        self.append(id, qos, message);
        self.outgoing(id, false)
    }

    /// Takes a PUBACK, whatever its Reason Code, and gives the message back (MQTT 5.0 §4.3.2).
    ///
    /// # Errors
    /// The identifier is not in use, or not for a message of QoS 1.
    pub fn on_puback(&mut self, id: PacketId) -> Result<M, FlowError> {
        self.expect_stage(id, Stage::AwaitPubAck)?;
        self.remove(id).ok_or(FlowError::WrongState)
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
        let slot = self.in_use(id)?;
        match (slot.stage, code.is_error()) {
            (Stage::AwaitPubRec, true) => {
                self.remove(id).map(PubRecOutcome::Refused).ok_or(FlowError::WrongState)
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
        self.expect_stage(id, Stage::AwaitPubComp)?;
        self.remove(id);
        Ok(())
    }

    /// A new connection goes on with the session: all that is not acknowledged will be sent again, in
    /// its original order and before anything new (MQTT 5.0 §4.4, §4.6). The new receive maximum may
    /// be lower than what is in flight; it holds for what is sent again, too.
    pub fn resume(&mut self, receive_maximum: NonZeroU16) {
        self.receive_maximum = receive_maximum;
        self.outstanding = 0;
        self.resend = self.first;
        for slot in &mut self.slots {
            slot.sent = false;
        }
    }

    /// Gives out an identifier that no message has, for a SUBSCRIBE or UNSUBSCRIBE, which share them
    /// (MQTT 5.0 §2.2.1). `None` when all 65,535 are in use.
    pub fn reserve_id(&mut self) -> Option<PacketId> {
        let id = self.take_id()?;
        self.slot_mut(id)?.stage = Stage::Reserved;
        self.reserved = self.reserved.saturating_add(1);
        Some(id)
    }

    /// Takes back what [`reserve_id`](Self::reserve_id) gave out; `false` if it did not.
    pub fn release_id(&mut self, id: PacketId) -> bool {
        let Some(Stage::Reserved) = self.slot_mut(id).map(|slot| slot.stage) else { return false };
        self.reserved = self.reserved.saturating_sub(1);
        self.put_free(id);
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
        let mut next = self.first;
        let in_flight = core::iter::from_fn(move || {
            let slot = self.slot(next?)?;
            next = slot.next;
            Some(slot.message.as_ref())
        });
        in_flight.flatten().chain(self.queue.iter().map(|(_, message)| message))
    }

    /// Takes the flow apart: all messages that the other end has not taken over, in their order.
    pub fn into_unacknowledged(mut self) -> impl Iterator<Item = Held<M>> {
        let queue = core::mem::take(&mut self.queue);
        let mut next = self.first;
        let in_flight = core::iter::from_fn(move || {
            let slot = self.slot_mut(next?)?;
            next = slot.next;
            let qos = slot.stage.qos();
            Some(slot.message.take().map(|message| Held { qos, sent: true, message }))
        });
        let queued = queue.into_iter();
        in_flight.flatten().chain(queued.map(|(qos, message)| Held { qos, sent: false, message }))
    }

    fn has_quota(&self) -> bool {
        self.outstanding < self.receive_maximum.get()
    }

    fn slot(&self, id: PacketId) -> Option<&Slot<M>> {
        self.slots.get(usize::from(id.get()).saturating_sub(1))
    }

    fn slot_mut(&mut self, id: PacketId) -> Option<&mut Slot<M>> {
        self.slots.get_mut(usize::from(id.get()).saturating_sub(1))
    }

    /// The slot of a message in flight.
    fn in_use(&mut self, id: PacketId) -> Result<&mut Slot<M>, FlowError> {
        self.slot_mut(id)
            .filter(|slot| !matches!(slot.stage, Stage::Free | Stage::Reserved))
            .ok_or(FlowError::UnknownPacketId)
    }

    fn expect_stage(&mut self, id: PacketId, stage: Stage) -> Result<(), FlowError> {
        if self.in_use(id)?.stage == stage { Ok(()) } else { Err(FlowError::WrongState) }
    }

    /// An identifier that is not in use; its slot is in no list.
    fn take_id(&mut self) -> Option<PacketId> {
        if let Some(id) = self.free {
            self.free = self.slot_mut(id)?.next.take();
            return Some(id);
        }
        let id =
            u16::try_from(self.slots.len().saturating_add(1)).ok().and_then(NonZeroU16::new)?;
        self.slots.push(Slot {
            stage: Stage::Free,
            sent: false,
            previous: None,
            next: None,
            message: None,
        });
        Some(id)
    }

    fn append(&mut self, id: PacketId, qos: QoS, message: M) {
        let previous = self.last;
        let Some(slot) = self.slot_mut(id) else { return };
        *slot = Slot {
            stage: Stage::of(qos),
            sent: true,
            previous,
            next: None,
            message: Some(message),
        };
        match previous.and_then(|previous| self.slot_mut(previous)) {
            Some(slot) => slot.next = Some(id),
            None => self.first = Some(id),
        }
        self.last = Some(id);
        self.in_flight = self.in_flight.saturating_add(1);
        self.outstanding = self.outstanding.saturating_add(1);
    }

    /// Ends the exchange of a slot in flight.
    fn remove(&mut self, id: PacketId) -> Option<M> {
        let slot = self.slot_mut(id)?;
        let (message, sent) = (slot.message.take(), slot.sent);
        let (previous, next) = (slot.previous.take(), slot.next.take());
        match previous.and_then(|previous| self.slot_mut(previous)) {
            Some(slot) => slot.next = next,
            None => self.first = next,
        }
        match next.and_then(|next| self.slot_mut(next)) {
            Some(slot) => slot.previous = previous,
            None => self.last = previous,
        }
        if self.resend == Some(id) {
            self.resend = next;
        }
        self.in_flight = self.in_flight.saturating_sub(1);
        self.outstanding = self.outstanding.saturating_sub(u16::from(sent));
        self.put_free(id);
        message
    }

    fn put_free(&mut self, id: PacketId) {
        let free = self.free;
        if let Some(slot) = self.slot_mut(id) {
            slot.stage = Stage::Free;
            slot.next = free;
            self.free = Some(id);
        }
        self.give_memory_back();
    }

    /// Most sessions are idle most of the time, and there are many.
    fn give_memory_back(&mut self) {
        if self.in_flight == 0 && self.reserved == 0 {
            self.slots = Vec::new();
            self.free = None;
        }
        if self.is_idle() {
            self.queue = VecDeque::new();
        }
    }

    fn outgoing(&self, id: PacketId, dup: bool) -> Option<Outgoing<'_, M>> {
        let slot = self.slot(id)?;
        Some(match &slot.message {
            Some(message) => Outgoing::Publish { id, qos: slot.stage.qos(), dup, message },
            None => Outgoing::PubRel { id },
        })
    }
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
            Self::Free | Self::Reserved | Self::AwaitPubAck => QoS::AtLeastOnce,
        }
    }
}
