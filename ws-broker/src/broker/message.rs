//! An Application Message inside the broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use codec::{Properties, QoS, TopicName};

use crate::access::Identity;
use crate::broker::SessionKey;
use crate::limits::COMPACT_MAX;
use crate::store::Place;
use crate::time::{Ms, seconds};

/// A message on its way from one publisher to all who subscribed.
#[derive(Debug)]
pub(crate) struct Message {
    pub topic: TopicName,
    pub payload: Bytes,
    /// What is passed through as it came: all but Topic Alias, Message Expiry Interval and
    /// Subscription Identifiers, which differ from receiver to receiver.
    pub properties: Properties,
    pub qos: QoS,
    /// Whether it was published with RETAIN.
    pub retain: bool,
    /// When it is no longer worth sending (MQTT 5.0 §3.3.2.3.3).
    pub expires_at: Option<Ms>,
    /// The Message Expiry Interval that it came with, if it expires.
    expiry_interval_s: u32,
    /// Who published it, for No Local; `None` for the broker itself and for wills.
    pub publisher: Option<SessionKey>,
    /// Who that is, where the message is retained: it is only sent to new subscriptions for as long
    /// as its publisher may publish it.
    pub source: Option<Arc<Identity>>,
    /// Set when another retained message took its place.
    superseded: AtomicBool,
    /// Where the store has it; 0 if it was never stored.
    stored_at: AtomicU64,
}

impl Message {
    pub(crate) fn new(
        topic: TopicName,
        payload: Bytes,
        qos: QoS,
        retain: bool,
        properties: Properties,
    ) -> Self {
        Self {
            topic,
            payload,
            properties,
            qos,
            retain,
            expires_at: None,
            expiry_interval_s: 0,
            publisher: None,
            source: None,
            superseded: AtomicBool::new(false),
            stored_at: AtomicU64::new(0),
        }
    }

    /// Sets when it expires, if it does. One with an interval of 0 is for those who can be sent it at
    /// once, and is given a second for that.
    pub(crate) fn expire_after(&mut self, interval_s: Option<u32>, now: Ms) {
        self.expires_at = interval_s.map(|left_s| now.saturating_add(seconds(left_s.max(1))));
        self.expiry_interval_s = interval_s.unwrap_or(0);
    }

    /// Sets when it expires as it was set before, with the interval that it came with.
    pub(crate) fn set_expiry(&mut self, at: Option<Ms>, interval_s: u32) {
        self.expires_at = at;
        self.expiry_interval_s = interval_s;
    }

    /// The Message Expiry Interval that it came with, in seconds; 0 if it does not expire.
    pub(crate) fn expiry_interval(&self) -> u32 {
        self.expiry_interval_s
    }

    /// Where the store had it last. Only the store knows whether it is there still.
    pub(crate) fn stored_at(&self) -> Option<Place> {
        Place::from_bits(self.stored_at.load(Ordering::Relaxed))
    }

    /// Remembers where the store has it; the store alone does so.
    pub(crate) fn set_stored_at(&self, place: Place) {
        self.stored_at.store(place.to_bits(), Ordering::Relaxed);
    }

    /// The message as it is kept: what is a slice of the read buffer it came in is copied, so that it does not
    /// keep the whole buffer in memory. Only a large payload is alone in its memory.
    pub(crate) fn keep(&self) -> Arc<Self> {
        let (topic, payload) = self.compact();
        Arc::new(Self {
            topic,
            payload,
            properties: self.properties.detached(),
            qos: self.qos,
            retain: self.retain,
            expires_at: self.expires_at,
            expiry_interval_s: self.expiry_interval_s,
            publisher: self.publisher,
            source: self.source.clone(),
            superseded: AtomicBool::new(false),
            stored_at: AtomicU64::new(0),
        })
    }

    fn compact(&self) -> (TopicName, Bytes) {
        let is_small = self.payload.len() <= COMPACT_MAX;
        let copied = || Bytes::copy_from_slice(&self.payload);
        (self.topic.detached(), if is_small { copied() } else { self.payload.clone() })
    }

    /// The Message Expiry Interval to send now, in seconds: `Ok(None)` if it never expires.
    pub(crate) fn expiry_interval_s(&self, now: Ms) -> Result<Option<u32>, Expired> {
        match self.expires_at {
            None => Ok(None),
            Some(at) if at <= now => Err(Expired),
            Some(at) => {
                let left_s = at.saturating_sub(now).div_ceil(1000);
                let left_s = u32::try_from(left_s).unwrap_or(u32::MAX);
                Ok(Some(left_s.min(self.expiry_interval_s)))
            }
        }
    }

    pub(crate) fn is_expired(&self, now: Ms) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Bytes that it takes in a queue, roughly.
    pub(crate) fn size(&self) -> usize {
        let topic = self.topic.as_bytes().len();
        topic.saturating_add(self.payload.len()).saturating_add(self.properties.as_bytes().len())
    }

    pub(crate) fn supersede(&self) {
        self.superseded.store(true, Ordering::Release);
    }

    /// Whether another retained message took its place since it was looked up.
    pub(crate) fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Acquire)
    }
}

/// A message whose Message Expiry Interval has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expired;
