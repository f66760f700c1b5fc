//! A session as one worker holds it (MQTT 5.0 §4.1).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::{NonZeroU16, NonZeroU64};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use codec::{MqttString, PacketId, QoS, TopicFilter, Will};
use hashbrown::HashSet;
use session::{ReceiveFlow, SendFlow};

use crate::access::{Identity, Rights};
use crate::broker::{Message, SessionKey};
use crate::limits::{Limits, QUEUED_HERE_MAX};
use crate::store::{Place, SessionNumber};
use crate::time::Ms;
use crate::worker::link::SharedLink;

/// What outlives the connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub key: SessionKey,
    pub client_id: MqttString,
    /// Who its client is, as of its last connection.
    pub identity: Arc<Identity>,
    /// What its client may do; `None` for everything.
    pub rights: Option<Arc<Rights>>,
    /// Whether messages may wait in `send` that were put there by other rights than these.
    pub is_doubtful: bool,
    /// The connection, while there is one.
    pub link: Option<SharedLink>,
    /// Whether there is a connection, for the choice among those who share a subscription.
    pub connected: Arc<AtomicBool>,
    /// What it is subscribed to; how, stands in the router.
    pub subscriptions: HashSet<TopicFilter>,
    pub send: SendFlow<Delivery>,
    /// Messages of QoS 0 that came while the client was away, where they are kept.
    qos0: VecDeque<Delivery>,
    /// Whether they are kept for this session whatever the configuration says.
    pub keeps_qos0: bool,
    /// Bytes of the messages that `send` and `qos0` have not sent yet.
    pub queued_bytes: usize,
    /// Bytes of payload that were sent on this connection and have not arrived for all we know.
    pub inflight_bytes: usize,
    /// No message in the queue expires before this; `None` if none ever does.
    pub first_expiry: Option<Ms>,
    pub receive: ReceiveFlow,
    /// Whether messages are dropped because the queue is full, which is logged once for each time it
    /// fills.
    pub is_dropping: bool,
    /// Retained messages that new subscriptions still have to get. Those of QoS 0 end with the
    /// connection.
    pub retained: VecDeque<RetainedDelivery>,
    /// How long it outlives its connection, in seconds; `u32::MAX` is for ever.
    pub expiry_interval_s: u32,
    /// When it ends, while there is no connection.
    pub expires_at: Option<Ms>,
    /// A will that waits for its delay to pass.
    pub will: Option<DelayedWill>,
    /// There if it is kept in the store.
    pub kept: Option<Box<Kept>>,
}

/// What the store has to do with a session that is kept there.
#[derive(Debug)]
pub(crate) struct Kept {
    pub number: SessionNumber,
    /// The number of the message that was sent last.
    pub sent_to: u64,
    /// Whether that is to be stored.
    pub is_sender: bool,
    /// Deliveries of QoS 2 of which PUBCOMP is still to come.
    pub released: BTreeMap<PacketId, Place>,
    /// Packet Identifiers of QoS 2 that were stored as received.
    pub received: BTreeSet<PacketId>,
    /// Subscriptions whose retained messages are on their way, as the store knows.
    pub owed: Vec<TopicFilter>,
    /// The number of the newest message that was left to the store.
    pub left_to: u64,
}

impl Kept {
    pub(crate) fn new(number: SessionNumber) -> Self {
        Self {
            number,
            sent_to: 0,
            is_sender: false,
            released: BTreeMap::new(),
            received: BTreeSet::new(),
            owed: Vec::new(),
            left_to: 0,
        }
    }
}

impl Session {
    /// A session that begins now.
    pub(crate) fn new(key: SessionKey, identity: &Arc<Identity>) -> Self {
        Self {
            key,
            client_id: identity.client_id.clone(),
            identity: Arc::clone(identity),
            rights: None,
            is_doubtful: false,
            link: None,
            connected: Arc::default(),
            subscriptions: HashSet::new(),
            send: SendFlow::new(NonZeroU16::MIN),
            qos0: VecDeque::new(),
            keeps_qos0: false,
            queued_bytes: 0,
            inflight_bytes: 0,
            first_expiry: None,
            receive: ReceiveFlow::new(NonZeroU16::MAX),
            is_dropping: false,
            retained: VecDeque::new(),
            expiry_interval_s: 0,
            expires_at: None,
            will: None,
            kept: None,
        }
    }

    /// How many messages wait to be sent for the first time.
    pub(crate) fn queued_len(&self) -> usize {
        self.send.queued_len().saturating_add(self.qos0.len())
    }

    /// Whether anything waits to be moved to the connection, or is to be noted once nothing does.
    pub(crate) fn holds_back(&self) -> bool {
        self.send.has_waiting()
            || !self.qos0.is_empty()
            || !self.retained.is_empty()
            || self.is_dropping
            || self.kept.as_ref().is_some_and(|kept| !kept.owed.is_empty())
    }

    /// Keeps a message of QoS 0.
    pub(crate) fn push_qos0(&mut self, delivery: Delivery) {
        self.queued_bytes = self.queued_bytes.saturating_add(delivery.message.size());
        self.first_expiry = earlier(self.first_expiry, delivery.message.expires_at());
        self.qos0.push_back(delivery);
    }

    /// Lowers the QoS of what was not sent yet, for a receiver that takes no higher one.
    pub(crate) fn lower_queued(&mut self, qos_max: QoS) {
        if qos_max == QoS::ExactlyOnce {
            return;
        }
        for delivery in self.send.extract_queued(|_| true) {
            if qos_max == QoS::AtMostOnce {
                self.qos0.push_back(delivery);
            } else {
                self.enqueue(qos_max, delivery);
            }
        }
    }

    /// The next message of QoS 0 that was kept.
    pub(crate) fn pop_qos0(&mut self) -> Option<Delivery> {
        let delivery = self.qos0.pop_front()?;
        self.queued_bytes = self.queued_bytes.saturating_sub(delivery.message.size());
        if self.qos0.is_empty() {
            self.qos0 = VecDeque::new();
        }
        Some(delivery)
    }

    /// The receiver has taken over a message that was sent to it.
    pub(crate) fn has_arrived(&mut self, delivery: &Delivery) {
        let bytes = delivery.message.payload_len();
        self.inflight_bytes = self.inflight_bytes.saturating_sub(bytes);
    }

    /// Puts a message of QoS 1 or 2 into the queue.
    pub(crate) fn push(&mut self, qos: QoS, delivery: Delivery) {
        self.queued_bytes = self.queued_bytes.saturating_add(delivery.message.size());
        self.first_expiry = earlier(self.first_expiry, delivery.message.expires_at());
        self.enqueue(qos, delivery);
    }

    fn enqueue(&mut self, qos: QoS, delivery: Delivery) {
        match delivery.kept {
            Some(kept) => self.send.push_numbered(kept.number, qos, delivery),
            None => self.send.push(qos, delivery),
        }
    }

    /// Leaves to the store what it holds of the queue, but for the messages that are sent first. Each is
    /// looked at once.
    pub(crate) fn leave_to_store(&mut self, is_stored: impl Fn(Place) -> bool) {
        let Some(kept) = &mut self.kept else { return };
        let left_to = kept.left_to;
        for (before, delivery) in self.send.queued_from_newest() {
            let Some(by) = delivery.kept else { continue };
            if before < QUEUED_HERE_MAX || by.number.get() <= left_to {
                break;
            }
            if let Held::Here(message) = &delivery.message
                && let Some(place) = message.stored_at().filter(|_| is_stored(by.place))
            {
                delivery.message = Held::Stored(StoredMessage::new(message, place));
                kept.left_to = kept.left_to.max(by.number.get());
            }
        }
    }

    /// Whether a message may still enter the queue.
    pub(crate) fn has_room(&self, message: &Message, limits: &Limits) -> bool {
        let bytes = self.queued_bytes.saturating_add(message.size());
        let queued = self.queued_len();
        queued == 0 || queued < limits.queued_messages_max && bytes <= limits.queued_bytes_max
    }

    /// Drops the messages that expired in the queue: says how many, and which of them are stored. Costs
    /// nothing until one may have.
    pub(crate) fn drop_expired(&mut self, now: Ms) -> (usize, Vec<Place>) {
        let mut stored = Vec::new();
        if self.first_expiry.is_none_or(|at| at > now) {
            return (0, stored);
        }
        let queued_bytes = &mut self.queued_bytes;
        let mut first_expiry = None;
        let mut lives = |held: &Delivery| {
            let expires_at = held.message.expires_at();
            let expired = expires_at.is_some_and(|at| at <= now);
            if expired {
                *queued_bytes = queued_bytes.saturating_sub(held.message.size());
                stored.extend(held.kept.map(|kept| kept.place));
            } else {
                first_expiry = earlier(first_expiry, expires_at);
            }
            !expired
        };
        let before = self.qos0.len();
        self.qos0.retain(&mut lives);
        let dropped = before.saturating_sub(self.qos0.len());
        let dropped = dropped.saturating_add(self.send.retain_queued(lives));
        self.first_expiry = first_expiry;
        (dropped, stored)
    }

    /// What belonged to the connection alone ends with it.
    pub(crate) fn on_connection_lost(&mut self) {
        self.receive.on_connection_lost();
        self.retained.retain(|delivery| delivery.qos != QoS::AtMostOnce);
        self.retained.shrink_to_fit();
    }
}

/// The earlier of two times, of which either may never come.
fn earlier(one: Option<Ms>, other: Option<Ms>) -> Option<Ms> {
    one.into_iter().chain(other).min()
}

/// A message of QoS 1 or 2 in a session.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub message: Held,
    /// The RETAIN flag towards this receiver.
    pub retain: bool,
    /// The Subscription Identifiers that it is sent with.
    pub ids: Box<[u32]>,
    /// The Shared Subscription that it came through: it is handed on to another member if this session
    /// ends before it is acknowledged.
    pub share: Option<Arc<TopicFilter>>,
    /// There if it is kept in the store, or on its way there.
    pub kept: Option<KeptDelivery>,
    /// Whether it may have been sent before the broker was started, so that it is sent with DUP.
    pub may_have_arrived: bool,
}

impl Delivery {
    /// A message that is here, and that the store knows nothing of yet.
    pub(crate) fn new(
        message: Arc<Message>,
        retain: bool,
        ids: Box<[u32]>,
        share: Option<Arc<TopicFilter>>,
    ) -> Self {
        let message = Held::Here(message);
        Self { message, retain, ids, share, kept: None, may_have_arrived: false }
    }
}

/// What the store knows a delivery by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeptDelivery {
    pub place: Place,
    /// Its number in its session.
    pub number: NonZeroU64,
}

/// A message that waits: here, or in the store alone.
#[derive(Debug)]
pub(crate) enum Held {
    Here(Arc<Message>),
    Stored(StoredMessage),
}

/// Tells messages apart, while they are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Which {
    Here(*const Message),
    Stored(Place),
}

/// What is known of a message without reading it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoredMessage {
    pub place: Place,
    pub size: u32,
    pub payload_len: u32,
    pub expires_at: Option<Ms>,
}

impl StoredMessage {
    /// What is known of a message that stands there in the store.
    fn new(message: &Message, place: Place) -> Self {
        let bytes = |len| u32::try_from(len).unwrap_or(u32::MAX);
        Self {
            place,
            size: bytes(message.size()),
            payload_len: bytes(message.payload.len()),
            expires_at: message.expires_at,
        }
    }
}

impl Held {
    /// Bytes that it takes in a queue.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Here(message) => message.size(),
            Self::Stored(stored) => stored.size as usize,
        }
    }

    pub(crate) fn payload_len(&self) -> usize {
        match self {
            Self::Here(message) => message.payload.len(),
            Self::Stored(stored) => stored.payload_len as usize,
        }
    }

    pub(crate) fn expires_at(&self) -> Option<Ms> {
        match self {
            Self::Here(message) => message.expires_at,
            Self::Stored(stored) => stored.expires_at,
        }
    }

    /// Which message it is.
    pub(crate) fn which(&self) -> Which {
        match self {
            Self::Here(message) => Which::Here(Arc::as_ptr(message)),
            Self::Stored(stored) => Which::Stored(stored.place),
        }
    }

    /// The message, if it is here.
    pub(crate) fn here(&self) -> Option<&Arc<Message>> {
        match self {
            Self::Here(message) => Some(message),
            Self::Stored(_) => None,
        }
    }
}

/// A retained message on its way to a new subscription.
#[derive(Debug)]
pub(crate) struct RetainedDelivery {
    pub message: Arc<Message>,
    pub qos: QoS,
    pub id: Option<u32>,
}

/// A will and when to send it (MQTT 5.0 §3.1.3.2.2).
#[derive(Debug)]
pub(crate) struct DelayedWill {
    pub at: Ms,
    pub will: Box<Will>,
}
