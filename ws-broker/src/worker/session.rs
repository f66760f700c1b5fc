//! A session as one worker holds it (MQTT 5.0 §4.1).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use codec::{MqttString, QoS, TopicFilter, Will};
use hashbrown::HashSet;
use session::{ReceiveFlow, SendFlow};

use crate::access::{Identity, Rights};
use crate::broker::{Message, SessionKey};
use crate::limits::Limits;
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
    /// Bytes of the messages that `send` has not sent yet.
    pub queued_bytes: usize,
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
}

impl Session {
    /// Puts a message of QoS 1 or 2 into the queue.
    pub(crate) fn push(&mut self, qos: QoS, delivery: Delivery) {
        self.queued_bytes = self.queued_bytes.saturating_add(delivery.message.size());
        self.first_expiry = earlier(self.first_expiry, delivery.message.expires_at);
        self.send.push(qos, delivery);
    }

    /// Whether a message may still enter the queue.
    pub(crate) fn has_room(&self, message: &Message, limits: &Limits) -> bool {
        let bytes = self.queued_bytes.saturating_add(message.size());
        let queued = self.send.queued_len();
        queued == 0 || queued < limits.queued_messages_max && bytes <= limits.queued_bytes_max
    }

    /// Drops the messages that expired in the queue; says how many. Costs nothing until one may have.
    pub(crate) fn drop_expired(&mut self, now: Ms) -> usize {
        if self.first_expiry.is_none_or(|at| at > now) {
            return 0;
        }
        let queued_bytes = &mut self.queued_bytes;
        let mut first_expiry = None;
        let dropped = self.send.retain_queued(|held| {
            let expired = held.message.is_expired(now);
            if expired {
                *queued_bytes = queued_bytes.saturating_sub(held.message.size());
            } else {
                first_expiry = earlier(first_expiry, held.message.expires_at);
            }
            !expired
        });
        self.first_expiry = first_expiry;
        dropped
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
    pub message: Arc<Message>,
    /// The RETAIN flag towards this receiver.
    pub retain: bool,
    /// The Subscription Identifiers that it is sent with.
    pub ids: Box<[u32]>,
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
