//! How sessions begin, go on, wait and end (MQTT 5.0 §4.1, §3.1.2.4).

use std::cell::RefCell;
use std::num::NonZeroU16;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use codec::{
    ConnAck, Connect, Packet, Properties, PropertiesBuilder, Property, PropertyId, ReasonCode, Will,
};
use session::{AliasesIn, AliasesOut};

use crate::access::Identity;
use crate::broker::{Message, SessionKey, count};
use crate::log::NOTICE;
use crate::net::Peer;
use crate::store;
use crate::time::{Ms, seconds};
use crate::worker::held::HeldAnswers;
use crate::worker::keeper::Waiting;
use crate::worker::link::{Cause, Link, SharedLink};
use crate::worker::login::{Authenticated, Login, Proof};
use crate::worker::out::OutBuffer;
use crate::worker::rules;
use crate::worker::session::{DelayedWill, Kept, Session};
use crate::worker::{State, trace};

/// A Session Expiry Interval that means: never (MQTT 5.0 §3.1.2.11.2).
pub(super) const FOREVER_S: u32 = u32::MAX;

/// Why a client can't be connected to a session.
#[derive(Debug, Clone, Copy)]
pub(super) enum NoSession {
    /// The worker has as many sessions as it may have.
    TooMany,
    /// The broker holds as much memory as it may.
    OutOfMemory,
    /// The Client Identifier is that of a bridge.
    OfBridge,
    /// The client takes no packet as large as the CONNACK.
    ConnAckTooLarge,
}

/// What the client of a CONNECT can do and wants.
struct Wishes {
    receive_maximum: NonZeroU16,
    packet_size_max: u32,
    topic_alias_max: u16,
    expiry_interval_s: u32,
    problem_information: bool,
}

impl Wishes {
    fn of(connect: &Connect, inflight_max: u16) -> Self {
        let properties = &connect.properties;
        let all = u16::MAX;
        let receive_maximum = properties.receive_maximum().unwrap_or(all).min(inflight_max);
        Self {
            receive_maximum: NonZeroU16::new(receive_maximum).unwrap_or(NonZeroU16::MIN),
            packet_size_max: properties.maximum_packet_size().unwrap_or(u32::MAX),
            topic_alias_max: properties.topic_alias_maximum().unwrap_or(0),
            expiry_interval_s: match (connect.version.is_v5(), connect.clean_start) {
                (true, _) => properties.session_expiry_interval().unwrap_or(0),
                (false, true) => 0,
                (false, false) => FOREVER_S,
            },
            problem_information: wants_words(connect),
        }
    }
}

impl State {
    /// Connects a client to its session, which is there already or begins now, and answers its
    /// CONNECT.
    ///
    /// # Errors
    /// The client can't have a session, and nothing has changed.
    pub(super) fn attach(
        &mut self,
        connect: Connect,
        login: &Login,
        peer: Peer,
    ) -> Result<(usize, SharedLink), NoSession> {
        let mut wishes = Wishes::of(&connect, self.settings.config.limits.inflight_max);
        let rules = &self.settings.config.rules;
        wishes.expiry_interval_s = rules::session_expiry_s(rules, wishes.expiry_interval_s);
        let keep_alive_s = rules::keep_alive_s(rules, &connect);
        if self.bridges.contains(&connect.client_id) {
            return Err(NoSession::OfBridge);
        }
        let old = self.slots.get(&connect.client_id).copied();
        if old.is_none() && self.sessions.len() >= self.settings.config.limits.sessions_max {
            self.forget_home(&connect.client_id);
            return Err(NoSession::TooMany);
        }
        if old.is_none() && self.is_out_of_memory() {
            self.forget_home(&connect.client_id);
            return Err(NoSession::OutOfMemory);
        }
        let resumed = old.filter(|slot| !connect.clean_start && self.lasts(*slot));
        let connack = self.connack(&connect, login, resumed.is_some(), peer.listener);
        let connack = Packet::ConnAck(connack);
        trace::will(connect.will.as_ref());
        trace::sending(&connect.client_id, &connack);
        let mut out = OutBuffer::default();
        let size_max = wishes.packet_size_max;
        if out.append(&connack, connect.version, size_max, &mut self.spare).is_err() {
            self.forget_home(&connect.client_id);
            return Err(NoSession::ConnAckTooLarge);
        }
        let mut waiting = Waiting::Somebody;
        if let Some(slot) = old {
            self.take_over_session(slot, resumed.is_none());
            if resumed.is_none() {
                self.forget_session(slot, &mut waiting);
            }
        }
        let outlives = wishes.expiry_interval_s > 0;
        let slot = resumed.unwrap_or_else(|| self.begin_session(&login.identity, outlives));
        self.admit(slot, &login.identity);

        let aliases_out = AliasesOut::new(wishes.topic_alias_max);
        let listener = self.settings.listener(peer.listener);
        let aliases_in_max = if connect.version.is_v5() { listener.max_topic_alias } else { 0 };
        let link = Link {
            peer,
            client_id: connect.client_id.clone(),
            version: connect.version,
            is_bridge: connect.bridge,
            crossing: None,
            mount: listener.mount_point.clone(),
            out,
            is_gated: false,
            held: HeldAnswers::default(),
            answer_bytes: 0,
            transport: None,
            flushing: false,
            slot,
            waker: None,
            awake: true,
            queued: false,
            closing: None,
            packet_size_max: wishes.packet_size_max,
            aliases_in: AliasesIn::new(aliases_in_max),
            aliases_out: (wishes.topic_alias_max > 0).then(|| Box::new(aliases_out)),
            silence_max_ms: seconds(u32::from(keep_alive_s)).saturating_mul(3) / 2,
            last_heard: self.now,
            will: connect.will.map(Box::new),
            resumed: resumed.is_some(),
            problem_information: wishes.problem_information,
            authenticated: login.proof.as_ref().map(|proof| Box::new(Authenticated::by(proof))),
        };
        let link = Rc::new(RefCell::new(link));

        let receive_maximum = if connect.version.is_v5() {
            NonZeroU16::new(self.settings.config.limits.receive_maximum).unwrap_or(NonZeroU16::MIN)
        } else {
            NonZeroU16::MAX
        };
        let now = self.now;
        if let Some(session) = self.sessions.get_mut(slot) {
            session.link = Some(Rc::clone(&link));
            session.connected.store(true, Ordering::Relaxed);
            session.expiry_interval_s = wishes.expiry_interval_s;
            session.expires_at = None;
            session.will = None;
            session.receive.set_receive_maximum(receive_maximum);
            let (expired, places) = session.drop_expired(now);
            count(&self.counters.dropped_expired, expired as u64);
            session.send.resume(wishes.receive_maximum);
            session.inflight_bytes = 0;
            self.end_places(places);
        }
        self.keep_session(slot, &mut waiting);
        self.gate(&link, waiting);
        self.pump(slot);
        Ok((slot, link))
    }

    fn connack(
        &self,
        connect: &Connect,
        login: &Login,
        session_present: bool,
        listener: usize,
    ) -> ConnAck {
        let config = &self.settings.config;
        let listener = self.settings.listener(listener);
        let properties = if connect.version.is_v5() {
            let mut wanted = rules::times(&config.rules, connect);
            let topic_alias_max = listener.max_topic_alias;
            if topic_alias_max > 0 {
                wanted.push(Property::TopicAliasMaximum(topic_alias_max));
            }
            if login.assigned {
                wanted.push(Property::AssignedClientIdentifier(connect.client_id.clone()));
            }
            if let Some(Proof { method, answer }) = &login.proof {
                wanted.push(Property::AuthenticationMethod(method.clone()));
                wanted.push(Property::AuthenticationData(answer.clone()));
            }
            wanted.extend(rules::capabilities(&config.rules, &config.limits, listener));
            Properties::new(wanted).unwrap_or_default()
        } else {
            Properties::EMPTY
        };
        ConnAck { session_present, code: ReasonCode::Success, properties }
    }

    /// Begins a session, which is kept in the store if it is to outlive its connection.
    pub(super) fn begin_session(&mut self, identity: &Arc<Identity>, outlives: bool) -> usize {
        let store = self.keeper.store().filter(|_| outlives);
        let kept = store.map(|store| Kept::new(store.new_session()));
        self.add_session(identity, kept)
    }

    pub(super) fn add_session(&mut self, identity: &Arc<Identity>, kept: Option<Kept>) -> usize {
        let entry = self.sessions.vacant_entry();
        let slot = entry.key();
        self.next_epoch = self.next_epoch.wrapping_add(1);
        let key = SessionKey {
            worker: self.id,
            // Memory ends long before four thousand million sessions do.
            slot: u32::try_from(slot).unwrap_or(u32::MAX),
            epoch: self.next_epoch,
            kept: kept.is_some(),
        };
        let client_id = identity.client_id.clone();
        let session = entry.insert(Session::new(key, identity));
        session.kept = kept.map(Box::new);
        self.slots.insert(client_id, slot);
        slot
    }

    /// Whether a session is there for another connection: one that ends with the connection it has
    /// is not, nor is one whose time has passed (MQTT 5.0 §3.1.2.11.2).
    fn lasts(&self, slot: usize) -> bool {
        self.sessions.get(slot).is_some_and(|session| match &session.link {
            Some(_) => session.expiry_interval_s > 0,
            None => session.expires_at.is_none_or(|at| at > self.now),
        })
    }

    /// Ends the connection of a session that another connection asks for (MQTT 5.0 §3.1.4).
    fn take_over_session(&mut self, slot: usize, ends: bool) {
        let deadline = self.closing_deadline();
        let Some(session) = self.sessions.get_mut(slot) else { return };
        session.on_connection_lost();
        // A will that waits is not sent if its session goes on (MQTT 5.0 §3.1.3.2.2).
        let mut will = session.will.take().map(|delayed| delayed.will).filter(|_| ends);
        if let Some(link) = session.link.take() {
            let link = &mut *link.borrow_mut();
            // A client that has said goodbye may be here still, while it reads what is left.
            let died = link.closing.as_ref().is_none_or(|closing| closing.cause.sends_will());
            let left = link.will.take().filter(|will| died && (ends || will_delay(will) == 0));
            will = will.or(left);
            link.close(Cause::TakenOver, deadline, &mut self.spare);
        }
        if let Some(will) = will {
            self.publish_will(slot, *will);
        }
    }

    /// The connection of a session has ended: the session waits for its client, or ends.
    pub(super) fn detach(&mut self, slot: usize, link: &SharedLink, cause: &Cause) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(slot) else { return };
        // Another connection may have taken the session over.
        if !session.link.as_ref().is_some_and(|current| Rc::ptr_eq(current, link)) {
            return;
        }
        session.link = None;
        session.connected.store(false, Ordering::Relaxed);
        session.on_connection_lost();
        let expiry_s = session.expiry_interval_s;
        // A will that is stored outlives the broker, also one that stops: it is sent by the next.
        let is_for_next = *cause == Cause::ShuttingDown && session.kept.is_some();
        let will = link.borrow_mut().will.take();
        match will.filter(|_| cause.sends_will() || is_for_next) {
            Some(will) if (will_delay(&will) > 0 || is_for_next) && expiry_s > 0 => {
                let at = now.saturating_add(seconds(will_delay(&will)));
                session.will = Some(DelayedWill { at, will });
            }
            Some(will) => self.publish_will(slot, *will),
            None => {}
        }
        match expiry_s {
            0 => {
                self.end_session(slot);
                return;
            }
            FOREVER_S => {}
            expiry_s => {
                if let Some(session) = self.sessions.get_mut(slot) {
                    session.expires_at = Some(now.saturating_add(seconds(expiry_s)));
                }
            }
        }
        self.keep_session(slot, &mut Waiting::Nobody);
    }

    /// Ends a session for good: its will is sent now at the latest.
    pub(super) fn end_session(&mut self, slot: usize) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        let client_id = session.client_id.clone();
        if let Some(delayed) = session.will.take() {
            self.publish_will(slot, *delayed.will);
        }
        self.forget_session(slot, &mut Waiting::Nobody);
        self.shared.registry.release(&client_id, self.id);
    }

    /// Forgets that this worker is home to a session which it does not have.
    fn forget_home(&mut self, client_id: &codec::MqttString) {
        if !self.slots.contains_key(client_id) {
            self.shared.registry.release(client_id, self.id);
        }
    }

    /// Removes a session; this worker stays home to its client identifier.
    pub(super) fn forget_session(&mut self, slot: usize, waiting: &mut Waiting) {
        let Some(session) = self.sessions.try_remove(slot) else { return };
        self.slots.remove(&session.client_id);
        if session.rights.is_some() {
            self.shared.router.limit(session.key, None, false);
        }
        if let Some(kept) = &session.kept {
            let batch = self.keeper.change(waiting, self.now);
            store::delete_session(batch, kept.number);
            for filter in &session.subscriptions {
                store::delete_subscription(batch, kept.number, filter);
            }
            for filter in &kept.owed {
                store::delete_owed(batch, kept.number, filter);
            }
            for id in &kept.received {
                store::delete_received(batch, kept.number, *id);
            }
            self.end_places(kept.released.values().copied().collect());
        }
        self.leave(session.key, session.subscriptions);
        self.hand_on(session.send);
    }

    /// Publishes a Will Message (MQTT 5.0 §3.1.2.5), if its session may publish it now. That the session
    /// has it no more is to be noted next, and stored with it.
    pub(super) fn publish_will(&mut self, slot: usize, will: Will) {
        let Some(source) = self.may_publish(slot, &will.topic, will.retain) else { return };
        let expiry_interval_s = will.properties.message_expiry_interval();
        let properties = will.properties.filtered(|id| {
            !matches!(id, PropertyId::WillDelayInterval | PropertyId::MessageExpiryInterval)
        });
        let mut message = Message::new(will.topic, will.payload, will.qos, will.retain, properties);
        message.expire_after(expiry_interval_s, self.now);
        message.source = source;
        self.publish_whole(&message);
    }

    /// Logs who is subscribed to what, filter by filter.
    pub(super) fn list_subscriptions(&self) {
        let mut subscriptions: Vec<(&str, &codec::MqttString)> = Vec::new();
        for (_, session) in &self.sessions {
            let filters = session.subscriptions.iter();
            subscriptions.extend(filters.map(|filter| (filter.as_str(), &session.client_id)));
        }
        subscriptions.sort_unstable_by_key(|(filter, _)| *filter);
        for (filter, client_id) in subscriptions {
            tracing::info!(target: NOTICE, "Subscription to {filter} of {client_id}.");
        }
    }

    /// Asks every connection to end, because the broker stops.
    pub(super) fn close_all(&mut self) {
        let deadline = self.closing_deadline();
        for (_, session) in &self.sessions {
            if let Some(link) = &session.link {
                link.borrow_mut().close(Cause::ShuttingDown, deadline, &mut self.spare);
            }
        }
    }

    /// When to stop waiting for a peer to take the last that is written to it.
    pub(super) fn closing_deadline(&self) -> Ms {
        let linger = u64::try_from(self.settings.config.limits.linger.as_millis()).unwrap_or(0);
        self.now.saturating_add(linger)
    }
}

/// Whether a client is told in words why something failed. The specification lets it be told unless
/// it asks not to be; we tell who asks to be, since clients that know Mosquitto may expect a
/// DISCONNECT of three bytes (MQTT 5.0 §3.1.2.11.7).
pub(super) fn wants_words(connect: &Connect) -> bool {
    connect.properties.request_problem_information() == Some(true)
}

/// How long a will waits, in seconds.
pub(super) fn will_delay(will: &Will) -> u32 {
    will.properties.will_delay_interval().unwrap_or(0)
}

/// The CONNACK that turns a client down, with words for people unless they are empty.
pub(super) fn refusal(code: ReasonCode, why: &str) -> Packet {
    let mut properties = PropertiesBuilder::default();
    if !why.is_empty()
        && let Ok(why) = codec::MqttString::new(why)
    {
        // A sentence of ours is short enough to be a property.
        let _ = properties.push(&Property::ReasonString(why));
    }
    Packet::ConnAck(ConnAck { session_present: false, code, properties: properties.build() })
}
