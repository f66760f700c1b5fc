//! What each packet of a connected client does.

use codec::{
    Ack, Disconnect, Packet, PacketId, Publish, QoS, ReasonCode, RetainHandling, SubAck, Subscribe,
    Subscription, TopicFilter, TopicName, UnsubAck, Unsubscribe,
};
use session::{Arrival, FlowError, PubRecOutcome};

use crate::broker::{Message, SessionKey, count};
use crate::log::{SUBSCRIBE, UNSUBSCRIBE};
use crate::store::{self, Place};
use crate::worker::keeper::Waiting;
use crate::worker::link::{Cause, SharedLink};
use crate::worker::mount::{mounted_filter, mounted_topic};
use crate::worker::publish::passed_through;
use crate::worker::rules;
use crate::worker::session::{RetainedDelivery, Session};
use crate::worker::{State, trace};

impl State {
    /// Does what a packet asks for. An error ends the connection.
    pub(super) fn handle(
        &mut self,
        slot: usize,
        link: &SharedLink,
        packet: Packet,
    ) -> Result<(), Cause> {
        trace::received(&link.borrow().client_id, &packet);
        match packet {
            Packet::Publish(publish) => self.on_publish(slot, link, publish),
            Packet::PubAck(ack) => {
                let done = self.session_flow(slot, |session| {
                    let delivery = session.send.on_puback(ack.packet_id)?;
                    session.has_arrived(&delivery);
                    Ok(delivery.kept.map(|kept| kept.place))
                });
                self.after_ack(slot, done)
            }
            Packet::PubRec(ack) => self.on_pubrec(slot, link, &ack),
            Packet::PubRel(ack) => self.on_pubrel(slot, link, ack.packet_id),
            Packet::PubComp(ack) => {
                let done = self.session_flow(slot, |session| {
                    session.send.on_pubcomp(ack.packet_id)?;
                    let kept = session.kept.as_mut();
                    Ok(kept.and_then(|kept| kept.released.remove(&ack.packet_id)))
                });
                self.after_ack(slot, done)
            }
            Packet::Subscribe(subscribe) => self.on_subscribe(slot, link, subscribe),
            Packet::Unsubscribe(unsubscribe) => self.on_unsubscribe(slot, link, &unsubscribe),
            Packet::PingReq => {
                link.borrow_mut().send_small(&Packet::PingResp, &mut self.spare);
                Ok(())
            }
            Packet::Disconnect(disconnect) => Err(self.on_disconnect(slot, &disconnect)),
            Packet::Auth(auth) => self.on_auth(slot, link, &auth),
            // The decoder lets none of these through on a server's end.
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::SubAck(_)
            | Packet::UnsubAck(_)
            | Packet::PingResp => {
                Err(Cause::refused(ReasonCode::ProtocolError, "a client can't send this packet"))
            }
        }
    }

    /// Does something with a session's flow that may end a delivery, which the store is told then.
    fn session_flow(
        &mut self,
        slot: usize,
        act: impl FnOnce(&mut Session) -> Result<Option<Place>, FlowError>,
    ) -> Result<(), FlowError> {
        let Some(session) = self.sessions.get_mut(slot) else { return Ok(()) };
        if let Some(place) = act(session)? {
            self.keeper.end(place, self.now);
        }
        Ok(())
    }

    /// An acknowledgement makes room for the next message. One for an identifier that is not in use
    /// is what a client may send after a session was lost, and does no harm (MQTT 5.0 §4.3).
    fn after_ack(&mut self, slot: usize, done: Result<(), FlowError>) -> Result<(), Cause> {
        match done {
            Err(FlowError::WrongState) => Err(Cause::refused(
                ReasonCode::ProtocolError,
                "an acknowledgement does not fit the QoS of its message",
            )),
            _ => {
                self.pump(slot);
                Ok(())
            }
        }
    }

    fn on_pubrec(&mut self, slot: usize, link: &SharedLink, ack: &Ack) -> Result<(), Cause> {
        let Some(session) = self.sessions.get_mut(slot) else { return Ok(()) };
        let mut waiting = Waiting::Somebody;
        let code = match session.send.on_pubrec(ack.packet_id, ack.code) {
            Ok(PubRecOutcome::Release(delivery)) => {
                if let Some(delivery) = delivery {
                    session.has_arrived(&delivery);
                    // The PUBREL lets the client forget the identifier, so that the message must not be
                    // sent with it again.
                    if let (Some(kept), Some(by)) = (&mut session.kept, delivery.kept) {
                        kept.released.insert(ack.packet_id, by.place);
                        self.keeper.release(by.place, &mut waiting, self.now);
                    }
                }
                ReasonCode::Success
            }
            Ok(PubRecOutcome::Refused(delivery)) => {
                session.has_arrived(&delivery);
                self.end_delivery(delivery.kept);
                self.pump(slot);
                return Ok(());
            }
            Err(FlowError::UnknownPacketId) if ack.code.is_error() => return Ok(()),
            Err(FlowError::UnknownPacketId) => ReasonCode::PacketIdentifierNotFound,
            Err(error) => return self.after_ack(slot, Err(error)),
        };
        self.acknowledge(link, waiting, Packet::PubRel, ack.packet_id, code)
    }

    fn on_pubrel(&mut self, slot: usize, link: &SharedLink, id: PacketId) -> Result<(), Cause> {
        let Some(session) = self.sessions.get_mut(slot) else { return Ok(()) };
        let known = session.receive.on_pubrel(id);
        let mut waiting = Waiting::Somebody;
        // The PUBCOMP lets the client use the identifier for another message.
        if let Some(kept) = &mut session.kept
            && kept.received.remove(&id)
        {
            store::delete_received(self.keeper.change(&mut waiting, self.now), kept.number, id);
        }
        // In a session that was resumed it is the PUBREL of a PUBCOMP that was lost, which is no error
        // (MQTT 5.0 §3.7.2.1).
        let code = if known || link.borrow().resumed {
            ReasonCode::Success
        } else {
            ReasonCode::PacketIdentifierNotFound
        };
        self.acknowledge(link, waiting, Packet::PubComp, id, code)
    }

    fn on_publish(
        &mut self,
        slot: usize,
        link: &SharedLink,
        mut publish: Publish,
    ) -> Result<(), Cause> {
        count(&self.counters.publishes_received, 1);
        count(&self.counters.publish_bytes_received, publish.payload.len() as u64);
        if self.is_out_of_memory() {
            return Err(Cause::refused(ReasonCode::QuotaExceeded, OUT_OF_MEMORY));
        }
        let version = link.borrow().version;
        let topic = if version.is_v5() {
            let alias = publish.properties.topic_alias();
            let topic = publish.topic.take();
            let resolved = link.borrow_mut().aliases_in.resolve(topic, alias);
            resolved.map_err(|error| Cause::refused(error.reason_code(), error))?
        } else {
            publish.topic.take().ok_or_else(|| {
                Cause::refused(ReasonCode::ProtocolError, "PUBLISH: there is no topic")
            })?
        };
        self.check_levels(topic.as_str())?;
        self.check_publish(&link.borrow(), publish.qos, publish.retain)?;
        let crossing = link.borrow().crossing.clone();
        let topic = match &crossing {
            Some(crossing) => crossing.to_local(topic, self.now),
            None => Some(self.mounted(link, topic)?),
        };
        let Some(session) = self.sessions.get_mut(slot) else { return Ok(()) };
        let key = session.key;
        if let Some(id) = publish.packet_id {
            if crossing.is_some_and(|crossing| crossing.is_another(id, publish.dup)) {
                session.receive.on_pubrel(id);
            }
            match session.receive.on_publish(id, publish.qos) {
                Ok(Arrival::New) => {}
                Ok(Arrival::Duplicate) => {
                    let (nobody, success) = (Waiting::Nobody, ReasonCode::Success);
                    return self.acknowledge(link, nobody, Packet::PubRec, id, success);
                }
                Err(error) => return Err(Cause::refused(error.reason_code(), error)),
            }
        }
        let (id, qos) = (publish.packet_id, publish.qos);
        let mut waiting = if id.is_some() { Waiting::Somebody } else { Waiting::Nobody };
        let code = match topic {
            Some(topic) => self.accept_publish(topic, publish, key, &mut waiting),
            None => {
                count(&self.counters.dropped_nameless, 1);
                ReasonCode::Success
            }
        };
        let Some(id) = id else { return Ok(()) };
        if let Some(session) = self.sessions.get_mut(slot) {
            session.receive.acknowledged(id, qos, code);
            // If the message is stored, so is that it was received: together, or not at all.
            if let Some(kept) = &mut session.kept
                && qos == QoS::ExactlyOnce
                && waiting.is_for_something()
                && kept.received.insert(id)
            {
                store::put_received(self.keeper.change(&mut waiting, self.now), kept.number, id);
            }
        }
        let (kind, code): (fn(Ack) -> Packet, _) = match (qos, code) {
            // That nobody is subscribed is said in a PUBACK; a PUBREC need not say it, and
            // Mosquitto's never does, since there a message is passed on with its PUBREL.
            (QoS::ExactlyOnce, ReasonCode::NoMatchingSubscribers) => {
                (Packet::PubRec, ReasonCode::Success)
            }
            (QoS::ExactlyOnce, code) => (Packet::PubRec, code),
            (_, code) => (Packet::PubAck, code),
        };
        self.acknowledge(link, waiting, kind, id, code)
    }

    /// Sends what a client published to all who get it; the code is for its acknowledgement.
    fn accept_publish(
        &mut self,
        topic: TopicName,
        publish: Publish,
        publisher: SessionKey,
        waiting: &mut Waiting,
    ) -> ReasonCode {
        let Publish { qos, retain, properties, payload, .. } = publish;
        let Some(source) = self.may_publish(publisher.slot as usize, &topic, retain) else {
            return ReasonCode::NotAuthorized;
        };
        if payload.len() > self.settings.config.limits.message_size_max {
            return ReasonCode::QuotaExceeded;
        }
        let expiry_interval_s =
            if properties.is_empty() { None } else { properties.message_expiry_interval() };
        let properties = passed_through(&properties);
        let mut message = Message::new(topic, payload, qos, retain, properties);
        message.expire_after(expiry_interval_s, self.now);
        message.publisher = Some(publisher);
        message.source = source;
        if self.publish(&message, waiting) {
            ReasonCode::Success
        } else {
            ReasonCode::NoMatchingSubscribers
        }
    }

    fn mounted(&self, link: &SharedLink, topic: TopicName) -> Result<TopicName, Cause> {
        mounted_topic(link.borrow().mount.as_ref(), topic)
            .map_err(|error| Cause::refused(ReasonCode::TopicNameInvalid, error))
    }

    fn has_few_levels(&self, topic: &str) -> bool {
        let max = self.settings.config.limits.topic_levels_max;
        // As nearly all, a topic with fewer bytes than that need not be looked at.
        topic.len() < max || topic.bytes().filter(|byte| *byte == b'/').count() < max
    }

    /// A topic of too many levels ends the connection, as Mosquitto has it: nobody needs one.
    fn check_levels(&self, topic: &str) -> Result<(), Cause> {
        if self.has_few_levels(topic) {
            return Ok(());
        }
        let max = self.settings.config.limits.topic_levels_max;
        let why = format!("the topic has more than {max} levels");
        Err(Cause::Refused(ReasonCode::MalformedPacket, why))
    }

    fn on_subscribe(
        &mut self,
        slot: usize,
        link: &SharedLink,
        subscribe: Subscribe,
    ) -> Result<(), Cause> {
        let id = subscribe.properties.subscription_identifier();
        for subscription in &subscribe.subscriptions {
            self.check_levels(subscription.filter.as_str())?;
        }
        let mut codes = Vec::with_capacity(subscribe.subscriptions.len());
        let mut waiting = Waiting::Somebody;
        let is_bridge = link.borrow().is_bridge;
        let max_qos = self.max_qos(&link.borrow());
        for mut subscription in subscribe.subscriptions {
            if is_bridge {
                // What a bridge of MQTT 5.0 asks for, it is given before, too: a message goes back to
                // nobody it came from, and what is retained here is retained there.
                subscription.options.no_local = true;
                subscription.options.retain_as_published = true;
            }
            subscription.options.qos = subscription.options.qos.min(max_qos);
            let filter = mounted_filter(link.borrow().mount.as_ref(), subscription.filter);
            codes.push(match filter {
                Ok(filter) => {
                    let subscription = Subscription { filter, ..subscription };
                    self.subscribe(slot, subscription, id, &mut waiting)
                }
                Err(_) => ReasonCode::TopicFilterInvalid,
            });
        }
        let suback =
            SubAck { packet_id: subscribe.packet_id, properties: codec::Properties::EMPTY, codes };
        self.answer(link, waiting, Packet::SubAck(suback))?;
        self.pump(slot);
        Ok(())
    }

    pub(super) fn subscribe(
        &mut self,
        slot: usize,
        subscription: Subscription,
        id: Option<u32>,
        waiting: &mut Waiting,
    ) -> ReasonCode {
        let Subscription { filter, options } = subscription;
        let filter = filter.detached();
        if !self.has_few_levels(filter.as_str()) {
            return ReasonCode::TopicFilterInvalid;
        }
        let out_of_memory = self.is_out_of_memory();
        let Some(session) = self.sessions.get_mut(slot) else {
            return ReasonCode::UnspecifiedError;
        };
        let full = session.subscriptions.len() >= self.settings.config.limits.subscriptions_max
            || out_of_memory;
        if full && !session.subscriptions.contains(&filter) {
            return ReasonCode::QuotaExceeded;
        }
        let shared = &self.shared;
        let is_new = shared.router.subscribe(&filter, session.key, options, id, &session.connected);
        session.subscriptions.insert(filter.clone());
        let (client_id, qos) = (&session.client_id, options.qos as u8);
        tracing::info!(target: SUBSCRIBE, "{client_id} {qos} {filter}");
        // Retained messages do not go to shared subscriptions (MQTT 5.0 §4.8.2).
        let wants_retained = filter.share_name().is_none()
            && match options.retain_handling {
                RetainHandling::SendAtSubscribe => true,
                RetainHandling::SendIfNew => is_new,
                RetainHandling::DoNotSend => false,
            };
        let mut is_owed = false;
        if wants_retained {
            let rules = &self.settings.config.rules;
            let found = shared.retained.matching(&filter, self.now);
            let queue = &mut session.retained;
            if queue.len().saturating_add(found.len()) > self.settings.config.limits.retained_max {
                self.end_subscription(slot, &filter, waiting);
                return ReasonCode::QuotaExceeded;
            }
            let deliveries = found.into_iter().map(|message| RetainedDelivery {
                qos: rules.outgoing_qos(message.qos, options.qos),
                message,
                id,
            });
            let before = queue.len();
            queue.extend(deliveries);
            // Those of QoS 0 end with the connection.
            is_owed = queue.iter().skip(before).any(|delivery| delivery.qos > QoS::AtMostOnce);
        }
        if let Some(kept) = &mut session.kept {
            let batch = self.keeper.change(waiting, self.now);
            store::put_subscription(batch, kept.number, &filter, options, id);
            if is_owed && !kept.owed.contains(&filter) {
                store::put_owed(batch, kept.number, &filter);
                kept.owed.push(filter);
            }
        }
        ReasonCode::granted(options.qos)
    }

    /// Ends a subscription; says whether there was one.
    pub(super) fn end_subscription(
        &mut self,
        slot: usize,
        filter: &TopicFilter,
        waiting: &mut Waiting,
    ) -> bool {
        let Some(session) = self.sessions.get_mut(slot) else { return false };
        let existed = session.subscriptions.remove(filter);
        self.shared.router.unsubscribe(filter, session.key);
        if let Some(kept) = session.kept.as_mut().filter(|_| existed) {
            let batch = self.keeper.change(waiting, self.now);
            store::delete_subscription(batch, kept.number, filter);
            if let Some(at) = kept.owed.iter().position(|owed| owed == filter) {
                store::delete_owed(batch, kept.number, &kept.owed.swap_remove(at));
            }
        }
        existed
    }

    fn on_unsubscribe(
        &mut self,
        slot: usize,
        link: &SharedLink,
        unsubscribe: &Unsubscribe,
    ) -> Result<(), Cause> {
        let mut codes = Vec::with_capacity(unsubscribe.filters.len());
        let mut waiting = Waiting::Somebody;
        for filter in &unsubscribe.filters {
            let mounted = mounted_filter(link.borrow().mount.as_ref(), filter.clone());
            let filter = mounted.as_ref().unwrap_or(filter);
            tracing::info!(target: UNSUBSCRIBE, "{} {filter}", link.borrow().client_id);
            codes.push(if self.end_subscription(slot, filter, &mut waiting) {
                ReasonCode::Success
            } else {
                ReasonCode::NoSubscriptionExisted
            });
        }
        let unsuback = UnsubAck {
            packet_id: unsubscribe.packet_id,
            properties: codec::Properties::EMPTY,
            codes,
        };
        self.answer(link, waiting, Packet::UnsubAck(unsuback))
    }

    fn on_disconnect(&mut self, slot: usize, disconnect: &Disconnect) -> Cause {
        if let Some(session) = self.sessions.get_mut(slot)
            && let Some(expiry_s) = disconnect.properties.session_expiry_interval()
        {
            // A session that was to end with its connection can't be made to last
            // (MQTT 5.0 §3.14.2.2.2).
            if session.expiry_interval_s == 0 && expiry_s != 0 {
                return Cause::refused(
                    ReasonCode::ProtocolError,
                    "DISCONNECT: a Session Expiry Interval of 0 can't be changed",
                );
            }
            let rules = &self.settings.config.rules;
            session.expiry_interval_s = rules::session_expiry_s(rules, expiry_s);
        }
        if disconnect.code == ReasonCode::Success {
            Cause::Disconnected
        } else {
            Cause::DisconnectedWithWill
        }
    }
}

/// Why something can't be taken on (`memory_limit`).
pub(super) const OUT_OF_MEMORY: &str = "the broker holds as much memory as it may";

/// Whether a topic is where a bridge tells both brokers whether it is connected.
pub(super) fn is_bridge_state(topic: &TopicName) -> bool {
    let name = topic.as_str().strip_prefix("$SYS/broker/connection/");
    name.and_then(|rest| rest.strip_suffix("/state")).is_some_and(|name| !name.contains('/'))
}

pub(super) fn is_sys(topic: &TopicName) -> bool {
    topic
        .as_bytes()
        .strip_prefix(b"$SYS")
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
}
