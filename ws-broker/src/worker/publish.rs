//! From a message to the connections and queues of all who get it.

use std::sync::Arc;

use bytes::BytesMut;
use codec::{PacketId, Properties, ProtocolVersion, PublishHead, QoS, TopicFilter};
use session::{Outgoing, PubRecOutcome, SendFlow};

use crate::access::Access;
use crate::bridge::Renamed;
use crate::broker::{Chosen, Counters, Expired, Message, StoreFull, Target, Targets, count};
use crate::limits::{RETAINED_BYTES_AT_ONCE, SHARED_PAYLOAD_MIN};
use crate::log::NOTICE;
use crate::time::seconds;
use crate::worker::keeper::{Waiting, Who};
use crate::worker::link::Link;
use crate::worker::mount::unmounted;
use crate::worker::out::SpareBuffers;
use crate::worker::packets::is_sys;
use crate::worker::rights::{may, may_get};
use crate::worker::session::{Delivery, Held, KeptDelivery, RetainedDelivery, Session};
use crate::worker::{
    ForWhom, HandOver, HandedMessage, Mail, Receipt, State, put_into_outbox, trace,
};

/// A message while it is handed to one receiver after the other. Only when one of them must keep it
/// is it put on the heap, once for all.
pub(super) struct Routed<'a> {
    message: &'a Message,
    kept: Option<Arc<Message>>,
    /// Who waits until it is stored wherever it is to be.
    pub waiting: Waiting,
    /// Whether it is stored everywhere or nowhere: it comes a second time if it was not acknowledged,
    /// and nobody must get it twice.
    is_whole: bool,
}

impl Routed<'_> {
    pub(super) fn keep(&mut self) -> Arc<Message> {
        Arc::clone(self.kept.get_or_insert_with(|| self.message.keep()))
    }
}

impl State {
    /// Sends a message to all who are subscribed to its topic; says whether anybody is.
    pub(super) fn publish(&mut self, message: &Message, waiting: &mut Waiting) -> bool {
        let is_whole = message.qos == QoS::ExactlyOnce
            && message.publisher.is_some_and(|publisher| publisher.kept);
        let mut routed = Routed { message, kept: None, waiting: *waiting, is_whole };
        let is_for_somebody = self.route(&mut routed);
        *waiting = routed.waiting;
        is_for_somebody
    }

    /// Sends a message to all who are subscribed to its topic. It is stored everywhere or nowhere,
    /// together with what is noted here next.
    pub(super) fn publish_whole(&mut self, message: &Message) {
        let waiting = Waiting::Somebody;
        let mut routed = Routed { message, kept: None, waiting, is_whole: true };
        self.route(&mut routed);
        self.keeper.begin_wait(routed.waiting, Who::Nobody);
    }

    fn route(&mut self, routed: &mut Routed<'_>) -> bool {
        let message = routed.message;
        if message.retain {
            let kept = routed.keep();
            // What the broker says of itself stands until it says something else.
            let expiry_s = self.settings.config.rules.retain_expiry_s;
            let expiry_s = expiry_s.filter(|_| !is_sys(&message.topic));
            let until = expiry_s.map(|expiry_s| self.now.saturating_add(seconds(expiry_s)));
            let topic = kept.topic.clone();
            match self.shared.retained.set(kept, until) {
                Err(StoreFull) => count(&self.counters.dropped_retained_full, 1),
                Ok(()) if is_sys(&topic) => {}
                Ok(()) => self.keeper.retain(topic, &mut routed.waiting, self.now),
            }
        }
        let found = self.cache.look_up(&self.shared.router, message.topic.as_str());
        let targets = found.targets();
        if targets.is_empty() {
            return false;
        }
        if !routed.is_whole && self.is_for_many(message, targets) {
            self.end_round();
            self.fan_out(routed.keep(), found.share(), &mut routed.waiting);
        } else {
            match found.remembered() {
                Some(targets) if self.join_round(message, targets, true) => return true,
                Some(_) => {}
                None => self.end_round(),
            }
            self.deliver_here(targets.of(self.id), routed);
        }
        for (worker, kept) in targets.others(self.id) {
            let receipt = if kept { self.receipt(routed) } else { None };
            let for_whom = ForWhom::Matched(found.share());
            self.hand_over(worker, HandedMessage { message: routed.keep(), for_whom, receipt });
        }
        for chosen in targets.choose() {
            self.deliver_to(chosen, routed);
        }
        true
    }

    /// Hands a message to sessions that live here.
    fn deliver_here(&mut self, targets: &[Target], routed: &mut Routed<'_>) {
        self.frames.begin(targets.len());
        for target in targets {
            self.deliver(target, None, routed);
        }
    }

    /// Hands a message of QoS 0 to sessions that live here.
    pub(super) fn deliver_each(&mut self, targets: &Arc<Targets>, message: &Message) {
        if self.is_for_many(message, targets) {
            self.fan_out(message.keep(), Arc::clone(targets), &mut Waiting::Nobody);
            return;
        }
        let waiting = Waiting::Nobody;
        let mut routed = Routed { message, kept: None, waiting, is_whole: false };
        self.deliver_here(targets.of(self.id), &mut routed);
    }

    /// Hands a message that is on the heap to one session, and has who waits for it wait for that, too.
    pub(super) fn deliver_kept(
        &mut self,
        target: &Target,
        message: &Arc<Message>,
        waiting: Waiting,
    ) {
        let kept = Some(Arc::clone(message));
        let mut routed = Routed { message, kept, waiting, is_whole: false };
        self.frames.begin(1);
        self.deliver(target, None, &mut routed);
    }

    /// Has who waits for a message wait for another worker, too, where it may have to be stored.
    fn receipt(&mut self, routed: &mut Routed<'_>) -> Option<Receipt> {
        if routed.message.qos == QoS::AtMostOnce && !self.settings.config.rules.upgrade_outgoing_qos
        {
            return None;
        }
        if routed.is_whole {
            self.keeper.expect_loan();
        }
        let (worker, wait) = (self.id, self.keeper.wait(&mut routed.waiting)?);
        Some(Receipt { worker, wait, is_loan: routed.is_whole })
    }

    /// Hands a message to the one that was chosen among those who share a subscription.
    fn deliver_to(&mut self, chosen: Chosen, routed: &mut Routed<'_>) {
        if chosen.worker == self.id {
            self.deliver(&chosen.target, Some(&chosen.share), routed);
        } else {
            let receipt = if chosen.kept { self.receipt(routed) } else { None };
            let worker = chosen.worker;
            let for_whom = ForWhom::Chosen(Box::new(chosen));
            self.hand_over(worker, HandedMessage { message: routed.keep(), for_whom, receipt });
        }
    }

    /// The session of this flow has ended: what it had from a Shared Subscription and has not
    /// acknowledged goes to another member (MQTT 5.0 §4.8.2).
    pub(super) fn hand_on(&mut self, flow: SendFlow<Delivery>) {
        for session::Held { qos, sent, message: delivery } in flow.into_unacknowledged() {
            // A message of QoS 2 that may have arrived must not arrive anywhere else.
            let may_go = !(sent && qos == QoS::ExactlyOnce);
            match delivery.share.filter(|_| may_go) {
                Some(share) => self.hand_on_one(&share, delivery.message, delivery.kept),
                None => self.end_delivery(delivery.kept),
            }
        }
    }

    /// Hands a message on to another of those who share a subscription: that it is there is stored
    /// together with that it is not here any more.
    pub(super) fn hand_on_one(
        &mut self,
        share: &TopicFilter,
        held: Held,
        kept: Option<KeptDelivery>,
    ) {
        if let Some(message) = self.fetch(held)
            && let Some(chosen) = self.shared.router.choose(share, message.topic.as_str())
        {
            self.frames.begin(1);
            let kept_message = Some(Arc::clone(&message));
            let waiting = Waiting::Somebody;
            let mut routed =
                Routed { message: &message, kept: kept_message, waiting, is_whole: true };
            self.deliver_to(chosen, &mut routed);
            self.keeper.begin_wait(routed.waiting, Who::Nobody);
        }
        self.end_delivery(kept);
    }

    fn hand_over(&mut self, worker: u16, handed: HandedMessage) {
        put_into_outbox(&mut self.outbox, worker, HandOver::Message(handed));
    }

    /// Takes over what another worker has handed over.
    pub(super) fn take_over(&mut self, hand_over: HandOver) {
        match hand_over {
            HandOver::Message(handed) => self.take_message(handed),
            HandOver::Round(handed) => self.take_round(handed),
        }
    }

    /// Takes a message over from another worker.
    fn take_message(&mut self, handed: HandedMessage) {
        let HandedMessage { message, for_whom, receipt } = handed;
        let waiting = if receipt.is_some() { Waiting::Somebody } else { Waiting::Nobody };
        let is_loan = receipt.as_ref().is_some_and(|receipt| receipt.is_loan);
        let kept = Some(Arc::clone(&message));
        let mut routed = Routed { message: &message, kept, waiting, is_whole: false };
        if is_loan {
            self.keeper.begin_loan();
        }
        match for_whom {
            ForWhom::Matched(targets) => {
                if !is_loan && self.is_for_many(&message, &targets) {
                    self.end_round();
                    self.fan_out(Arc::clone(&message), targets, &mut routed.waiting);
                } else if !self.join_round(&message, &targets, false) {
                    self.deliver_here(targets.of(self.id), &mut routed);
                }
            }
            ForWhom::Chosen(chosen) => {
                self.end_round();
                self.frames.begin(1);
                self.deliver(&chosen.target, Some(&chosen.share), &mut routed);
            }
        }
        let Some(Receipt { worker, wait, .. }) = receipt else { return };
        if is_loan {
            let parcels = self.keeper.end_loan();
            self.shared.send(worker, Mail::Loan(wait, parcels));
            return;
        }
        if !self.keeper.begin_wait(routed.waiting, Who::Worker(worker, wait)) {
            self.shared.send(worker, Mail::Settled(wait));
        }
    }

    /// Hands a message to one session: to its connection, or to its queue. `share` is the Shared
    /// Subscription that it comes through.
    fn deliver(
        &mut self,
        target: &Target,
        share: Option<&Arc<TopicFilter>>,
        routed: &mut Routed<'_>,
    ) {
        let message = routed.message;
        let Some(session) = self.sessions.get_mut(target.slot as usize) else { return };
        if session.key.epoch != target.epoch {
            return;
        }
        let is_own = message.publisher == Some(session.key);
        let granted = if is_own { target.granted_of_own() } else { Some(&target.granted) };
        let Some(granted) = granted else { return };
        let qos = self.settings.config.rules.outgoing_qos(message.qos, granted.qos);
        let retain = granted.retain_as_published && message.retain;
        let limits = &self.settings.config.limits;
        if qos != QoS::AtMostOnce {
            if !session.has_room(message, limits) {
                drop_for(session, &self.counters);
                return;
            }
            let (ids, share) = (granted.ids.clone(), share.cloned());
            let delivery = Delivery::new(routed.keep(), retain, ids, share);
            self.put_into_flow(target.slot as usize, routed, qos, delivery);
            self.pump(target.slot as usize);
            return;
        }
        let Some(shared_link) = &session.link else {
            if session.keeps_qos0 || self.settings.config.rules.queue_qos0_messages {
                if session.has_room(message, limits) {
                    let (ids, share) = (granted.ids.clone(), share.cloned());
                    session.push_qos0(Delivery::new(routed.keep(), retain, ids, share));
                } else {
                    drop_for(session, &self.counters);
                }
            }
            return;
        };
        let link = &mut *shared_link.borrow_mut();
        if link.closing.is_some() {
            return;
        }
        if link.out.len() > limits.out_bytes_max {
            count(&self.counters.dropped_slow_reader, 1);
            return;
        }
        let kept;
        let message = if link.flushing && message.payload.len() >= SHARED_PAYLOAD_MIN {
            // It will wait, and must not keep all in memory that was read together with it.
            kept = routed.keep();
            &*kept
        } else {
            message
        };
        let frame = Frame { message, qos, retain, dup: false, packet_id: None, ids: &granted.ids };
        let is_renamed = link.crossing.is_some() || link.mount.is_some();
        let is_common = link.aliases_out.is_none() && !is_renamed;
        let sent = if is_common && granted.ids.is_empty() {
            self.frames.write(&frame, self.now, link, &mut self.spare)
        } else {
            frame.write(self.now, link, &mut self.spare)
        };
        self.queue.push(link, shared_link);
        note(&self.counters, message, sent);
    }

    /// Puts a message of QoS 1 or 2 into a session's queue, and into the store where that is kept.
    fn put_into_flow(
        &mut self,
        slot: usize,
        routed: &mut Routed<'_>,
        qos: QoS,
        mut delivery: Delivery,
    ) {
        self.keep_delivery(slot, routed, &mut delivery, qos);
        if let Some(session) = self.sessions.get_mut(slot) {
            session.push(qos, delivery);
        }
    }

    /// Moves what a session's queues hold to its connection, as far as the flow and the write buffer
    /// have room.
    pub(super) fn pump(&mut self, slot: usize) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        // As after most acknowledgements.
        if !session.holds_back() {
            return;
        }
        let Some(shared_link) = session.link.clone() else { return };
        let link = &mut *shared_link.borrow_mut();
        let before = link.out.len();
        self.pump_qos0(slot, link);
        loop {
            self.pump_flow(slot, link);
            if !self.pump_retained(slot, link) {
                break;
            }
        }
        if link.out.len() > before {
            self.queue.push(link, &shared_link);
        }
    }

    /// Sends what was kept of QoS 0 while the client was away.
    fn pump_qos0(&mut self, slot: usize, link: &mut Link) {
        let room = self.settings.config.limits.out_bytes_max;
        while link.closing.is_none() && link.out.len() <= room {
            let Some(session) = self.sessions.get_mut(slot) else { return };
            let Some(delivery) = session.pop_qos0() else { return };
            // It was of a higher QoS when it was stored.
            self.end_delivery(delivery.kept);
            let Some(message) = self.fetch(delivery.message) else {
                count(&self.counters.dropped_unreadable, 1);
                continue;
            };
            let Some(session) = self.sessions.get_mut(slot) else { return };
            let message = &message;
            let denied =
                session.is_doubtful && !may(&session.rights, Access::Read, message.topic.as_str());
            let (qos, retain) = (QoS::AtMostOnce, delivery.retain);
            let ids = &delivery.ids;
            let frame = Frame { message, qos, retain, dup: false, packet_id: None, ids };
            let sent = if denied {
                Err(NotSent::Denied)
            } else {
                frame.write(self.now, link, &mut self.spare)
            };
            note(&self.counters, message, sent);
        }
    }

    fn pump_flow(&mut self, slot: usize, link: &mut Link) {
        let room = self.settings.config.limits.out_bytes_max;
        while link.closing.is_none() && link.out.len() <= room && self.make_ready(slot) {
            let Some(session) = self.sessions.get_mut(slot) else { return };
            if session.inflight_bytes >= self.settings.config.limits.inflight_bytes_max {
                return;
            }
            let (packet_id, qos, sent) = match session.send.poll_transmit() {
                None => {
                    session.is_doubtful &= session.queued_len() > 0;
                    return;
                }
                Some(Outgoing::PubRel { id }) => {
                    let ack = codec::Ack::new(id, codec::ReasonCode::Success);
                    let _ = link.answer(codec::Packet::PubRel(ack), &mut self.spare);
                    continue;
                }
                Some(Outgoing::Publish { id, qos, dup, message: delivery }) => {
                    if !dup {
                        let size = delivery.message.size();
                        session.queued_bytes = session.queued_bytes.saturating_sub(size);
                    }
                    let payload_len = delivery.message.payload_len();
                    session.inflight_bytes = session.inflight_bytes.saturating_add(payload_len);
                    if let (Some(kept), Some(by)) = (&mut session.kept, delivery.kept)
                        && !dup
                    {
                        kept.sent_to = by.number.get();
                        let is_known = std::mem::replace(&mut kept.is_sender, true);
                        self.keeper.has_sent(slot, is_known, by.place, self.now);
                    }
                    let sent = match delivery.message.here() {
                        None => Err(NotSent::Unreadable),
                        Some(message) => {
                            let frame = Frame {
                                message,
                                qos,
                                retain: delivery.retain,
                                dup: dup || delivery.may_have_arrived,
                                packet_id: Some(id),
                                ids: &delivery.ids,
                            };
                            let topic = message.topic.as_str();
                            let denied =
                                session.is_doubtful && !may(&session.rights, Access::Read, topic);
                            let sent = if denied {
                                Err(NotSent::Denied)
                            } else {
                                frame.write(self.now, link, &mut self.spare)
                            };
                            note(&self.counters, message, sent);
                            sent
                        }
                    };
                    if sent == Err(NotSent::Unreadable) {
                        count(&self.counters.dropped_unreadable, 1);
                    }
                    (id, qos, sent)
                }
            };
            if sent.is_err() {
                let kept = abandon(session, packet_id, qos);
                self.end_delivery(kept);
            }
        }
    }

    /// Moves retained messages towards new subscriptions; says whether the flow has something new.
    fn pump_retained(&mut self, slot: usize, link: &mut Link) -> bool {
        // They wait for the connection, so no more of them are taken than are written in one go.
        let room = self.settings.config.limits.out_bytes_max.min(RETAINED_BYTES_AT_ONCE);
        while link.closing.is_none() && link.out.len() <= room {
            let Some(session) = self.sessions.get_mut(slot) else { return false };
            if session.send.queued_len() > 0 || !link.held.is_empty() {
                return false;
            }
            session.is_dropping = false;
            let Some(delivery) = session.retained.pop_front() else {
                self.keeper.forget_owed(session, self.now);
                return false;
            };
            // The subscription was there when its successor was published, so the client has got
            // that one and must not see the older one after it.
            if delivery.message.is_superseded() || !may_get(&self.settings, session, &delivery) {
                continue;
            }
            let RetainedDelivery { message, qos, id } = delivery;
            let ids: Box<[u32]> = id.into_iter().collect();
            if qos == QoS::AtMostOnce {
                let frame = Frame {
                    message: &message,
                    qos,
                    retain: true,
                    dup: false,
                    packet_id: None,
                    ids: &ids,
                };
                let sent = frame.write(self.now, link, &mut self.spare);
                note(&self.counters, &message, sent);
            } else {
                let mut routed = Routed {
                    message: &message,
                    kept: Some(Arc::clone(&message)),
                    waiting: Waiting::Nobody,
                    is_whole: false,
                };
                let delivery = Delivery::new(Arc::clone(&message), true, ids, None);
                self.put_into_flow(slot, &mut routed, qos, delivery);
                return true;
            }
        }
        false
    }
}

/// Counts what became of a message.
fn note(counters: &Counters, message: &Message, sent: Result<(), NotSent>) {
    match sent {
        Ok(()) => {
            count(&counters.publishes_sent, 1);
            count(&counters.publish_bytes_sent, message.payload.len() as u64);
        }
        Err(NotSent::TooLarge) => count(&counters.dropped_too_large, 1),
        Err(NotSent::Expired) => count(&counters.dropped_expired, 1),
        Err(NotSent::Denied | NotSent::Unreadable) => {}
        Err(NotSent::Nameless) => count(&counters.dropped_nameless, 1),
    }
}

/// Counts a message for which a session has no room, and says so once for each time its queue fills.
fn drop_for(session: &mut Session, counters: &Counters) {
    count(&counters.dropped_queue_full, 1);
    if !std::mem::replace(&mut session.is_dropping, true) {
        let id = &session.client_id;
        tracing::info!(target: NOTICE, "Outgoing messages are being dropped for client {id}.");
    }
}

/// Ends the delivery of a message that can't be sent to this client (MQTT 5.0 §3.1.2.11.4).
fn abandon(session: &mut Session, packet_id: PacketId, qos: QoS) -> Option<KeptDelivery> {
    let delivery = if qos == QoS::AtLeastOnce {
        session.send.on_puback(packet_id).ok()
    } else {
        match session.send.on_pubrec(packet_id, codec::ReasonCode::UnspecifiedError) {
            Ok(PubRecOutcome::Refused(delivery)) => Some(delivery),
            _ => None,
        }
    };
    let delivery = delivery?;
    session.has_arrived(&delivery);
    delivery.kept
}

/// Why a message was not sent to one receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NotSent {
    TooLarge,
    Expired,
    /// The right to read it was taken away while it waited.
    Denied,
    /// Its topic has no name at the other end of the bridge.
    Nameless,
    /// The store can't give it back.
    Unreadable,
}

/// A PUBLISH for one receiver.
struct Frame<'a> {
    message: &'a Message,
    qos: QoS,
    retain: bool,
    dup: bool,
    packet_id: Option<PacketId>,
    ids: &'a [u32],
}

impl Frame<'_> {
    fn head(&self, now: u64) -> Result<PublishHead<'_>, NotSent> {
        let message = self.message;
        Ok(PublishHead {
            dup: self.dup,
            qos: self.qos,
            retain: self.retain,
            topic: message.topic.as_bytes(),
            packet_id: self.packet_id,
            topic_alias: None,
            message_expiry_interval_s: match message.expiry_interval_s(now) {
                Ok(left_s) => left_s,
                // What was sent once is sent again until it is settled (MQTT 5.0 §4.3.3, §4.4).
                Err(Expired) if self.dup => Some(0),
                Err(Expired) => return Err(NotSent::Expired),
            },
            subscription_identifiers: self.ids,
            properties: &message.properties,
            payload_len: message.payload.len(),
        })
    }

    fn trace(&self, link: &Link) {
        if trace::is_on() {
            let said = trace::Said {
                dup: self.dup,
                qos: self.qos,
                retain: self.retain,
                packet_id: self.packet_id,
                topic: self.message.topic.as_str(),
                payload_len: self.message.payload.len(),
            };
            trace::sending_publish(&link.client_id, &said);
        }
    }

    /// Appends the packet to what waits for the connection.
    fn write(&self, now: u64, link: &mut Link, spare: &mut SpareBuffers) -> Result<(), NotSent> {
        let renamed;
        let mut head = self.head(now)?;
        if let Some(crossing) = &link.crossing {
            head.retain = self.retain && crossing.retain;
            match crossing.to_remote(&self.message.topic, now) {
                Renamed::Same => {}
                Renamed::To(topic) => {
                    renamed = topic;
                    head.topic = renamed.as_bytes();
                }
                Renamed::Nameless => return Err(NotSent::Nameless),
            }
        }
        if link.mount.is_some() {
            head.topic = unmounted(link.mount.as_ref(), &self.message.topic);
        }
        // The alias that is assigned below only takes the room that is set aside for it here.
        head.topic_alias = link.aliases_out.is_some().then_some(0);
        let packet_len = head.packet_len(link.version);
        if packet_len > link.packet_size_max as usize {
            return Err(NotSent::TooLarge);
        }
        if let Some(aliases) = &mut link.aliases_out {
            let used = aliases.assign(&self.message.topic);
            head.topic_alias = used.alias;
            if !used.with_topic {
                head.topic = &[];
            }
        }
        self.trace(link);
        let payload = &self.message.payload;
        let is_shared = payload.len() >= SHARED_PAYLOAD_MIN;
        let tail = link.out.tail(if is_shared { 0 } else { packet_len }, spare);
        head.encode(link.version, tail).map_err(|_| NotSent::TooLarge)?;
        if is_shared {
            link.out.push_shared(payload.clone());
        } else {
            tail.extend_from_slice(payload);
        }
        Ok(())
    }
}

/// The packets of one message of QoS 0, each layout encoded once and then copied to all who get it.
#[derive(Debug, Default)]
pub(super) struct Frames {
    layouts: [Layout; 4],
    /// Whether more than one may get the message.
    are_shared: bool,
}

/// A PUBLISH as bytes, without its payload if that is shared.
#[derive(Debug, Default)]
struct Layout {
    ready: bool,
    bytes: BytesMut,
    packet_len: usize,
}

impl Frames {
    /// Makes room for the next message, which goes to so many.
    fn begin(&mut self, receivers: usize) {
        self.are_shared = receivers > 1;
        for layout in &mut self.layouts {
            layout.ready = false;
        }
    }

    fn write(
        &mut self,
        frame: &Frame<'_>,
        now: u64,
        link: &mut Link,
        spare: &mut SpareBuffers,
    ) -> Result<(), NotSent> {
        if !self.are_shared {
            return frame.write(now, link, spare);
        }
        let [v3, v3_retain, v5, v5_retain] = &mut self.layouts;
        let layout = match (link.version, frame.retain) {
            (ProtocolVersion::V5, true) => v5_retain,
            (ProtocolVersion::V5, false) => v5,
            (_, true) => v3_retain,
            (_, false) => v3,
        };
        let payload = &frame.message.payload;
        let is_shared = payload.len() >= SHARED_PAYLOAD_MIN;
        if !layout.ready {
            let head = frame.head(now)?;
            layout.bytes.clear();
            head.encode(link.version, &mut layout.bytes).map_err(|_| NotSent::TooLarge)?;
            layout.packet_len = layout.bytes.len().saturating_add(payload.len());
            if !is_shared {
                layout.bytes.extend_from_slice(payload);
            }
            layout.ready = true;
        }
        if layout.packet_len > link.packet_size_max as usize {
            return Err(NotSent::TooLarge);
        }
        frame.trace(link);
        link.out.tail(layout.bytes.len(), spare).extend_from_slice(&layout.bytes);
        if is_shared {
            link.out.push_shared(payload.clone());
        }
        Ok(())
    }
}

/// The properties of a PUBLISH that are passed on as they came.
pub(super) fn passed_through(properties: &Properties) -> Properties {
    use codec::PropertyId as Id;
    properties.filtered(|id| !matches!(id, Id::TopicAlias | Id::MessageExpiryInterval))
}
