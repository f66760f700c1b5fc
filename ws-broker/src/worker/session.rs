//! A session as one worker holds it (MQTT 5.0 §4.1).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use codec::{MqttString, QoS, TopicFilter, Will};
use hashbrown::HashSet;
use session::{ReceiveFlow, SendFlow};

use crate::broker::{Message, SessionKey};
use crate::time::Ms;
use crate::worker::link::SharedLink;

/// What outlives the connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub key: SessionKey,
    pub client_id: MqttString,
    /// The connection, while there is one.
    pub link: Option<SharedLink>,
    /// Whether there is a connection, for the choice among those who share a subscription.
    pub connected: Arc<AtomicBool>,
    /// What it is subscribed to; how, stands in the router.
    pub subscriptions: HashSet<TopicFilter>,
    pub send: SendFlow<Delivery>,
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
    /// What belonged to the connection alone ends with it.
    pub(crate) fn on_connection_lost(&mut self) {
        self.receive.on_connection_lost();
        self.retained.retain(|delivery| delivery.qos != QoS::AtMostOnce);
        self.retained.shrink_to_fit();
    }
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
