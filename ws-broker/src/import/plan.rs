//! What becomes of what Mosquitto has saved: sessions, deliveries and retained messages as this broker has
//! them, ready to be stored.
//!
//! Mosquitto passes a message of QoS 2 on when its PUBREL comes, this broker when its PUBLISH comes, and
//! remembers the identifier. So a message that was between the two is passed on here, to the sessions
//! that are imported with it, and the PUBREL that its client will send ends the exchange.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use codec::{
    MqttString, PacketId, QoS, RetainHandling, SubscriptionOptions, TopicFilter, TopicName,
};
use hashbrown::HashMap;

use super::left_out::{LeftOut, What, Why};
use super::mosquitto::{self, Database, MessageId, Stage};
use crate::access::Identity;
use crate::broker::{Message, Router, SessionKey, Target};
use crate::config::{Address, Config};
use crate::time::{Ms, seconds};

/// How many packet identifiers there are (MQTT 5.0 §2.2.1).
const PACKET_IDS: u64 = u16::MAX as u64;

/// What is to be stored. Its times are those of a clock that begins with the import.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub sessions: Vec<Session>,
    pub retained: HashMap<TopicName, Arc<Message>>,
    /// When they go, where the broker is told to keep none for ever.
    pub retained_until: Option<Ms>,
    pub left_out: LeftOut,
    /// How many messages were passed on that waited for a PUBREL.
    pub passed_on: usize,
}

/// A session, whose client is away.
#[derive(Debug)]
pub(crate) struct Session {
    pub identity: Identity,
    pub expiry_interval_s: u32,
    /// When it ends, if it ever does.
    pub expires_at: Option<Ms>,
    pub subscriptions: Vec<Subscription>,
    /// Packet identifiers of QoS 2 whose PUBREL has not come.
    pub received: Vec<PacketId>,
    /// The number of the delivery that was sent last.
    pub sent_to: u64,
    pub deliveries: Vec<Delivery>,
}

#[derive(Debug)]
pub(crate) struct Subscription {
    pub filter: TopicFilter,
    pub options: SubscriptionOptions,
    pub id: Option<u32>,
}

/// A message of QoS 1 or 2 for a session.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// Its number in the session, of which the packet identifier is what 16 bits hold.
    pub number: NonZeroU64,
    pub qos: QoS,
    pub retain: bool,
    pub ids: Box<[u32]>,
    pub share: Option<Arc<TopicFilter>>,
    pub message: Arc<Message>,
    /// Whether its receiver has taken it over, so that only PUBREL and PUBCOMP are left.
    pub released: bool,
}

/// What an import goes by, besides the file.
#[derive(Debug)]
pub(crate) struct Circumstances<'a> {
    /// The configuration of the broker that will go on.
    pub config: &'a Config,
    /// The name of this computer, which is in the names of bridges.
    pub host: &'a str,
    /// Seconds since 1970.
    pub now_s: u64,
}

impl Plan {
    /// Makes a plan of all that is in `database`.
    pub(crate) fn of(database: Database, circumstances: &Circumstances<'_>) -> Self {
        let Database { messages, clients, retained, left_out, is_final: _ } = database;
        let messages = messages.into_iter().map(|(id, message)| {
            let expired = circumstances.has_passed(message.expires_at_s);
            (id, (Arc::new(circumstances.message(message)), expired))
        });
        let mut planning = Planning {
            circumstances,
            messages: messages.collect(),
            router: Router::default(),
            arrivals: Vec::new(),
            plan: Self {
                left_out,
                retained_until: circumstances.config.rules.retain_expiry_s.map(seconds),
                ..Self::default()
            },
        };
        for id in retained {
            planning.retain(id);
        }
        for client in clients {
            planning.take_session(client);
        }
        planning.pass_on();
        planning.plan
    }

    /// How many messages are on their way to clients, and how many wait to be sent.
    pub(crate) fn deliveries(&self) -> (usize, usize) {
        let all = self.sessions.iter().map(|session| session.deliveries.len()).sum::<usize>();
        let sent = self.sessions.iter().map(|session| {
            let sent = |delivery: &&Delivery| delivery.number.get() <= session.sent_to;
            session.deliveries.iter().filter(sent).count()
        });
        let sent = sent.sum();
        (sent, all.saturating_sub(sent))
    }
}

impl Circumstances<'_> {
    /// Whether this moment is over.
    fn has_passed(&self, at_s: Option<u64>) -> bool {
        at_s.is_some_and(|at_s| at_s <= self.now_s)
    }

    /// How long it is until this moment.
    fn left_s(&self, at_s: u64) -> u32 {
        u32::try_from(at_s.saturating_sub(self.now_s)).unwrap_or(u32::MAX)
    }

    fn message(&self, message: mosquitto::Message) -> Message {
        let mosquitto::Message { topic, payload, qos, retain, properties, .. } = message;
        let mut ours = Message::new(topic, payload, qos, retain, properties);
        ours.expire_after(message.expires_at_s.map(|at_s| self.left_s(at_s)), 0);
        if retain {
            let source = message.source.map(|source| {
                Arc::new(self.identity(source.client_id, source.username, source.port))
            });
            ours.source = source;
        }
        ours
    }

    /// Who a client is here, by the port that it came in by.
    fn identity(&self, client_id: MqttString, username: Option<MqttString>, port: u16) -> Identity {
        let is_bridge = self.config.bridges.iter().any(|bridge| {
            let id = bridge.local_id(self.host);
            client_id == *id.as_str()
        });
        let mut listeners = self.config.listeners.iter();
        let listener = listeners.position(|listener| match listener.address {
            Address::Loopback(own) | Address::Tcp { port: own, .. } => own == port,
            Address::Unix(_) => port == 0,
        });
        // Where Mosquitto did not note the port, all listeners have the same rules.
        let listener = if is_bridge { Identity::NO_LISTENER } else { listener.unwrap_or(0) };
        Identity { client_id, username, listener }
    }

    /// When a session ends, if it ever does; or nothing if it is over.
    fn session_expiry(&self, client: &mosquitto::Client) -> Option<Option<Ms>> {
        let longest_s = self.config.rules.persistent_client_expiration_s;
        let interval_s = client.expiry_interval_s.min(longest_s.unwrap_or(u32::MAX));
        let left_s = match client.expires_at_s {
            _ if interval_s == u32::MAX => return Some(None),
            Some(at_s) if self.has_passed(Some(at_s)) => return None,
            Some(at_s) => self.left_s(at_s),
            // Its client was there when Mosquitto stopped.
            None if interval_s == 0 => return None,
            None => interval_s,
        };
        Some(Some(seconds(left_s)))
    }
}

/// A message that waits for its PUBREL, and the place of the session that it came from.
type Arrival = (usize, MessageId);

/// A plan as it is made.
struct Planning<'a> {
    circumstances: &'a Circumstances<'a>,
    /// Each message, and whether it has expired.
    messages: HashMap<MessageId, (Arc<Message>, bool)>,
    /// Who is subscribed to what; slots are places in the plan.
    router: Router,
    arrivals: Vec<Arrival>,
    plan: Plan,
}

impl Planning<'_> {
    fn retain(&mut self, id: MessageId) {
        match self.messages.get(&id) {
            Some((_, true)) => self.leave(What::Retained, Why::Expired),
            Some((message, false)) => {
                self.plan.retained.insert(message.topic.clone(), Arc::clone(message));
            }
            None => {}
        }
    }

    fn leave(&mut self, what: What, why: Why) {
        self.plan.left_out.add(what, why, None);
    }

    fn take_session(&mut self, client: mosquitto::Client) {
        let Some(expires_at) = self.circumstances.session_expiry(&client) else {
            self.leave(What::Session, Why::Ended);
            return;
        };
        let place = self.plan.sessions.len();
        let key = key(place);
        let away = Arc::new(AtomicBool::new(false));
        let mut subscriptions = Vec::with_capacity(client.subscriptions.len());
        for subscription in client.subscriptions {
            let subscription = Subscription {
                filter: subscription.filter,
                options: SubscriptionOptions {
                    qos: subscription.qos,
                    no_local: subscription.no_local,
                    retain_as_published: subscription.retain_as_published,
                    retain_handling: RetainHandling::SendAtSubscribe,
                },
                id: subscription.identifier,
            };
            let Subscription { filter, options, id } = &subscription;
            if self.router.subscribe(filter, key, *options, *id, &away) {
                subscriptions.push(subscription);
            } else {
                self.leave(What::Subscription, Why::Twice);
            }
        }
        let received = client.incoming.iter().map(|incoming| incoming.packet_id).collect();
        let arrivals = client.incoming.iter().map(|incoming| (place, incoming.message));
        self.arrivals.extend(arrivals);
        let (sent_to, deliveries) = self.deliveries(client.last_packet_id, client.outgoing);
        let identity = self.circumstances.identity(client.id, client.username, client.port);
        self.plan.sessions.push(Session {
            identity,
            expiry_interval_s: client.expiry_interval_s,
            expires_at,
            subscriptions,
            received,
            sent_to,
            deliveries,
        });
    }

    /// Numbers what is on its way to a client, so that each keeps its packet identifier, and what waits,
    /// which gets those that follow. The first result is the number of what was sent last.
    fn deliveries(
        &mut self,
        last_packet_id: u16,
        outgoing: Vec<mosquitto::Outgoing>,
    ) -> (u64, Vec<Delivery>) {
        let first = outgoing.iter().find_map(|outgoing| outgoing.stage.packet_id());
        let mut numbered = Vec::with_capacity(outgoing.len());
        let mut waiting = Vec::new();
        for outgoing in outgoing {
            match first.zip(outgoing.stage.packet_id()) {
                Some((first, id)) => numbered.push((number(first, id), outgoing)),
                None => waiting.push(outgoing),
            }
        }
        // Mosquitto numbers in the order of sending, so this changes nothing, unless the file is odd.
        numbered.sort_by_key(|(number, _)| *number);
        let sent_to = numbered.last().map_or(last_packet_id.into(), |(number, _)| *number);
        let mut deliveries = Vec::with_capacity(numbered.len().saturating_add(waiting.len()));
        for (number, outgoing) in numbered {
            deliveries.extend(self.delivery(number, outgoing));
        }
        let mut next = sent_to;
        for outgoing in waiting {
            let Some((_, expired)) = self.messages.get(&outgoing.message) else { continue };
            if *expired {
                self.leave(What::Delivery, Why::Expired);
            } else if outgoing.qos == QoS::AtMostOnce {
                self.leave(What::Delivery, Why::QoS0);
            } else {
                next = next.saturating_add(1);
                deliveries.extend(self.delivery(next, outgoing));
            }
        }
        (sent_to, deliveries)
    }

    fn delivery(&self, number: u64, outgoing: mosquitto::Outgoing) -> Option<Delivery> {
        let mosquitto::Outgoing { message, qos, retain, subscription_ids, stage } = outgoing;
        let (message, _) = self.messages.get(&message)?;
        Some(Delivery {
            number: NonZeroU64::new(number)?,
            qos,
            retain,
            ids: subscription_ids.into(),
            share: None,
            message: Arc::clone(message),
            released: matches!(stage, Stage::Received(_)),
        })
    }

    /// Passes on what waited for its PUBREL.
    fn pass_on(&mut self) {
        for (from, id) in std::mem::take(&mut self.arrivals) {
            let Some((message, expired)) = self.messages.get(&id) else { continue };
            let (message, expired) = (Arc::clone(message), *expired);
            if expired {
                self.leave(What::Arrival, Why::Expired);
                continue;
            }
            self.plan.passed_on = self.plan.passed_on.saturating_add(1);
            if message.retain {
                let topic = message.topic.clone();
                if message.payload.is_empty() {
                    self.plan.retained.remove(&topic);
                } else {
                    self.plan.retained.insert(topic, Arc::clone(&message));
                }
            }
            let (_, targets) = self.router.matching(message.topic.as_str());
            for target in targets.of(WORKER) {
                self.deliver(from, target, None, &message);
            }
            for chosen in targets.choose() {
                self.deliver(from, &chosen.target, Some(chosen.share), &message);
            }
        }
    }

    fn deliver(
        &mut self,
        from: usize,
        target: &Target,
        share: Option<Arc<TopicFilter>>,
        message: &Arc<Message>,
    ) {
        let place = target.slot as usize;
        let granted = if place == from { target.granted_of_own() } else { Some(&target.granted) };
        let (Some(granted), Some(session)) = (granted, self.plan.sessions.get_mut(place)) else {
            return;
        };
        let qos = self.circumstances.config.rules.outgoing_qos(message.qos, granted.qos);
        if qos == QoS::AtMostOnce {
            return;
        }
        let last = session.deliveries.last().map_or(0, |delivery| delivery.number.get());
        let Some(number) = NonZeroU64::new(last.max(session.sent_to).saturating_add(1)) else {
            return;
        };
        session.deliveries.push(Delivery {
            number,
            qos,
            retain: granted.retain_as_published && message.retain,
            ids: granted.ids.clone(),
            share,
            message: Arc::clone(message),
            released: false,
        });
    }
}

/// The worker in which all sessions are while they are planned.
const WORKER: u16 = 0;

fn key(place: usize) -> SessionKey {
    SessionKey {
        worker: WORKER,
        slot: u32::try_from(place).unwrap_or(u32::MAX),
        epoch: 0,
        kept: true,
    }
}

/// The number of what has this packet identifier, where `first` is that of the first.
fn number(first: PacketId, id: PacketId) -> u64 {
    let (first, id) = (u64::from(first.get()), u64::from(id.get()));
    // 0 is no identifier, and not counted.
    let after = id.saturating_add(PACKET_IDS).saturating_sub(first).checked_rem(PACKET_IDS);
    first.saturating_add(after.unwrap_or(0))
}

#[cfg(test)]
mod tests;
