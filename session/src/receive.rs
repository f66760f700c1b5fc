//! The receiving flow: which messages of QoS 1 and 2 are new, and which are the same once more
//! (MQTT 5.0 §4.3).

use codec::{PacketId, QoS, ReasonCode};
use core::num::NonZeroU16;
use std::collections::BTreeMap;

use crate::FlowError;

/// The receiving flow of one session.
///
/// The identifiers of QoS 2 outlive a connection; those of QoS 1 do not. A flow that waits for nothing
/// owns no heap memory.
///
/// ```
/// use codec::{QoS, ReasonCode};
/// use session::{Arrival, ReceiveFlow};
/// # use core::num::NonZeroU16;
///
/// let (id, qos) = (NonZeroU16::MIN, QoS::ExactlyOnce);
/// let mut flow = ReceiveFlow::new(NonZeroU16::MAX);
/// assert_eq!(flow.on_publish(id, qos), Ok(Arrival::New));
/// flow.acknowledged(id, qos, ReasonCode::Success);
/// flow.on_connection_lost(); // …and the PUBREC with it.
/// assert_eq!(flow.on_publish(id, qos), Ok(Arrival::Duplicate));
/// flow.acknowledged(id, qos, ReasonCode::Success);
/// assert!(flow.on_pubrel(id));
/// assert_eq!(flow.on_publish(id, qos), Ok(Arrival::New), "the identifier is used again");
/// ```
#[derive(Debug, Clone)]
pub struct ReceiveFlow {
    /// A tree, so that the order of [`ReceiveFlow::ids`] is the same in every run.
    ids: BTreeMap<PacketId, Exchange>,
    receive_maximum: NonZeroU16,
    /// Exchanges whose PUBLISH came on this connection.
    outstanding: u16,
}

#[derive(Debug, Clone, Copy)]
struct Exchange {
    stage: Stage,
    /// Whether its PUBLISH came on this connection: receive maximum does not carry over from one to
    /// the next (MQTT 5.0 §4.9).
    counted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// PUBACK to be sent.
    SendPubAck,
    /// PUBREC to be sent.
    SendPubRec,
    /// PUBREC sent, PUBREL to come.
    AwaitPubRel,
}

impl Stage {
    const fn qos(self) -> QoS {
        match self {
            Self::SendPubAck => QoS::AtLeastOnce,
            Self::SendPubRec | Self::AwaitPubRel => QoS::ExactlyOnce,
        }
    }
}

/// What a PUBLISH of QoS 1 or 2 is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// A new message: deliver it, then acknowledge it.
    New,
    /// A message that came before: do not deliver it.
    ///
    /// With QoS 2, acknowledge it once more; if the first copy is not decided yet, only after that.
    /// With QoS 1 the first copy is still to be acknowledged, and that answers both.
    Duplicate,
}

impl ReceiveFlow {
    /// A flow that takes at most `receive_maximum` unacknowledged messages: what the other end was
    /// told (MQTT 5.0 §3.1.2.11.3, §3.2.2.3.3).
    pub const fn new(receive_maximum: NonZeroU16) -> Self {
        Self { ids: BTreeMap::new(), receive_maximum, outstanding: 0 }
    }

    /// Changes the receive maximum, between two connections.
    pub const fn set_receive_maximum(&mut self, receive_maximum: NonZeroU16) {
        self.receive_maximum = receive_maximum;
    }

    /// Takes the identifier of a message of QoS 2 that was accepted in an earlier life of this flow, and
    /// whose PUBREL has not come.
    pub fn restore(&mut self, id: PacketId) {
        self.ids.insert(id, Exchange { stage: Stage::AwaitPubRel, counted: false });
    }

    /// Takes the identifier of a PUBLISH of QoS 1 or 2; a message of QoS 0 is always new.
    ///
    /// The DUP flag is not asked, since it says nothing of what has arrived (MQTT 5.0 §3.3.1.1).
    ///
    /// # Errors
    /// It exceeds the receive maximum, or the identifier is in use on this connection with the other
    /// QoS.
    pub fn on_publish(&mut self, id: PacketId, qos: QoS) -> Result<Arrival, FlowError> {
        let stage = match qos {
            QoS::AtMostOnce => return Ok(Arrival::New),
            QoS::AtLeastOnce => Stage::SendPubAck,
            QoS::ExactlyOnce => Stage::SendPubRec,
        };
        let known = self.ids.get(&id).copied();
        if let Some(Exchange { stage, counted: true }) = known {
            let same = stage.qos() == qos;
            return if same { Ok(Arrival::Duplicate) } else { Err(FlowError::WrongState) };
        }
        if self.outstanding >= self.receive_maximum.get() {
            return Err(FlowError::ReceiveMaximumExceeded);
        }
        self.outstanding = self.outstanding.saturating_add(1);
        // The identifier of an earlier connection that now comes with QoS 1 shows that the sender has
        // forgotten that exchange, as devices do that lose their memory and keep their session.
        let duplicate = known.filter(|known| known.stage.qos() == qos);
        let stage = duplicate.map_or(stage, |known| known.stage);
        self.ids.insert(id, Exchange { stage, counted: true });
        Ok(if duplicate.is_some() { Arrival::Duplicate } else { Arrival::New })
    }

    /// The PUBACK or PUBREC of a message was sent, or would have been had the connection not been
    /// lost. This is to be said each time.
    ///
    /// After a PUBACK, and after a PUBREC that refuses, the identifier is forgotten, and the next
    /// PUBLISH with it is a new message. After a PUBREC that accepts, it is known until PUBREL comes.
    /// Nothing happens if the identifier is not known, or not with this QoS.
    pub fn acknowledged(&mut self, id: PacketId, qos: QoS, code: ReasonCode) {
        let Some(exchange) = self.ids.get_mut(&id).filter(|known| known.stage.qos() == qos) else {
            return;
        };
        if qos == QoS::ExactlyOnce && !code.is_error() {
            exchange.stage = Stage::AwaitPubRel;
        } else {
            self.forget(id);
        }
    }

    /// Takes a PUBREL and forgets its identifier. `false` if no accepted message has it: the PUBCOMP,
    /// which must be sent in any case, then says so in MQTT 5.0.
    pub fn on_pubrel(&mut self, id: PacketId) -> bool {
        let known = self.ids.get(&id).is_some_and(|known| known.stage == Stage::AwaitPubRel);
        if known {
            self.forget(id);
        }
        known
    }

    /// The connection is gone: identifiers of QoS 1 are forgotten, since what was not acknowledged
    /// comes again as new; those of QoS 2 are kept (MQTT 5.0 §4.1).
    ///
    /// A message of QoS 2 whose acceptance is undecided keeps its identifier; if it is turned down
    /// later, tell [`acknowledged`](Self::acknowledged), or the next copy is taken for a duplicate.
    pub fn on_connection_lost(&mut self) {
        self.ids.retain(|_, exchange| exchange.stage != Stage::SendPubAck);
        for exchange in self.ids.values_mut() {
            exchange.counted = false;
        }
        self.outstanding = 0;
        self.give_memory_back();
    }

    /// Whether no identifier is known.
    pub fn is_idle(&self) -> bool {
        self.ids.is_empty()
    }

    /// The identifiers that are known, in ascending order.
    pub fn ids(&self) -> impl Iterator<Item = PacketId> {
        self.ids.keys().copied()
    }

    fn forget(&mut self, id: PacketId) {
        if let Some(exchange) = self.ids.remove(&id) {
            self.outstanding = self.outstanding.saturating_sub(u16::from(exchange.counted));
        }
        self.give_memory_back();
    }

    /// A tree keeps its last node when its last entry goes.
    fn give_memory_back(&mut self) {
        if self.ids.is_empty() {
            self.ids = BTreeMap::new();
        }
    }
}
