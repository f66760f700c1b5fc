//! The receiving flow: which messages of QoS 1 and 2 are new, and which are the same once more
//! (MQTT 5.0 §4.3).

use codec::{PacketId, QoS, ReasonCode};
use core::num::NonZeroU16;
use std::collections::VecDeque;

use crate::FlowError;

/// Identifiers for which a flow that waits for nothing keeps the room.
const ROOM_KEPT_MAX: usize = 16;

/// The receiving flow of one session.
///
/// The identifiers of QoS 2 outlive a connection; those of QoS 1 do not. A flow that waits for nothing
/// owns a hundred bytes of heap memory at most, and none once its connection is lost.
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
    /// In the order of the identifiers. As they come and go in this order, too, with few exceptions, they are
    /// put behind the last and taken from the front.
    exchanges: VecDeque<(PacketId, Exchange)>,
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
        Self { exchanges: VecDeque::new(), receive_maximum, outstanding: 0 }
    }

    /// Changes the receive maximum, between two connections.
    pub const fn set_receive_maximum(&mut self, receive_maximum: NonZeroU16) {
        self.receive_maximum = receive_maximum;
    }

    /// Takes the identifier of a message of QoS 2 that was accepted in an earlier life of this flow, and
    /// whose PUBREL has not come.
    pub fn restore(&mut self, id: PacketId) {
        let exchange = Exchange { stage: Stage::AwaitPubRel, counted: false };
        self.set(self.find(id), id, exchange);
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
        let at = self.find(id);
        let known = at.ok().and_then(|at| self.get(at));
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
        self.set(at, id, Exchange { stage, counted: true });
        Ok(if duplicate.is_some() { Arrival::Duplicate } else { Arrival::New })
    }

    /// The PUBACK or PUBREC of a message was sent, or would have been had the connection not been
    /// lost. This is to be said each time.
    ///
    /// After a PUBACK, and after a PUBREC that refuses, the identifier is forgotten, and the next
    /// PUBLISH with it is a new message. After a PUBREC that accepts, it is known until PUBREL comes.
    /// Nothing happens if the identifier is not known, or not with this QoS.
    pub fn acknowledged(&mut self, id: PacketId, qos: QoS, code: ReasonCode) {
        let Ok(at) = self.find(id) else { return };
        let known = self.exchanges.get_mut(at).map(|(_, exchange)| exchange);
        let Some(exchange) = known.filter(|known| known.stage.qos() == qos) else { return };
        if qos == QoS::ExactlyOnce && !code.is_error() {
            exchange.stage = Stage::AwaitPubRel;
        } else {
            self.forget(at);
        }
    }

    /// Takes a PUBREL and forgets its identifier. `false` if no accepted message has it: the PUBCOMP,
    /// which must be sent in any case, then says so in MQTT 5.0.
    pub fn on_pubrel(&mut self, id: PacketId) -> bool {
        let Ok(at) = self.find(id) else { return false };
        let known = self.get(at).is_some_and(|known| known.stage == Stage::AwaitPubRel);
        if known {
            self.forget(at);
        }
        known
    }

    /// The connection is gone: identifiers of QoS 1 are forgotten, since what was not acknowledged
    /// comes again as new; those of QoS 2 are kept (MQTT 5.0 §4.1).
    ///
    /// A message of QoS 2 whose acceptance is undecided keeps its identifier; if it is turned down
    /// later, tell [`acknowledged`](Self::acknowledged), or the next copy is taken for a duplicate.
    pub fn on_connection_lost(&mut self) {
        self.exchanges.retain(|(_, exchange)| exchange.stage != Stage::SendPubAck);
        for (_, exchange) in &mut self.exchanges {
            exchange.counted = false;
        }
        self.outstanding = 0;
        self.exchanges.shrink_to_fit();
    }

    /// Whether no identifier is known.
    pub fn is_idle(&self) -> bool {
        self.exchanges.is_empty()
    }

    /// The identifiers that are known, in ascending order.
    pub fn ids(&self) -> impl Iterator<Item = PacketId> {
        self.exchanges.iter().map(|(id, _)| *id)
    }

    /// Where an identifier is, or where it would have to be.
    #[inline]
    fn find(&self, id: PacketId) -> Result<usize, usize> {
        match (self.exchanges.front(), self.exchanges.back()) {
            (Some((first, _)), _) if *first == id => Ok(0),
            (Some(_), Some((last, _))) if *last >= id => {
                self.exchanges.binary_search_by_key(&id, |(id, _)| *id)
            }
            _ => Err(self.exchanges.len()),
        }
    }

    #[inline]
    fn get(&self, at: usize) -> Option<Exchange> {
        self.exchanges.get(at).map(|(_, exchange)| *exchange)
    }

    #[inline]
    fn set(&mut self, at: Result<usize, usize>, id: PacketId, exchange: Exchange) {
        match at {
            Ok(at) => {
                if let Some(known) = self.exchanges.get_mut(at) {
                    *known = (id, exchange);
                }
            }
            Err(at) if at == self.exchanges.len() => self.exchanges.push_back((id, exchange)),
            Err(at) => self.exchanges.insert(at, (id, exchange)),
        }
    }

    #[inline]
    fn forget(&mut self, at: usize) {
        let exchange = if at == 0 { self.exchanges.pop_front() } else { self.exchanges.remove(at) };
        let counted = exchange.is_some_and(|(_, exchange)| exchange.counted);
        self.outstanding = self.outstanding.saturating_sub(u16::from(counted));
        if self.exchanges.is_empty() && self.exchanges.capacity() > ROOM_KEPT_MAX {
            self.exchanges = VecDeque::new();
        }
    }
}
