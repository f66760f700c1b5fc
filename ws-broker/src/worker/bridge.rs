//! A bridge at work: it connects to another broker, again and again, and serves the connection as that
//! of its session.
//!
//! From the CONNACK on, a connection to another broker is a connection like any other: messages go both
//! ways through the two flows of its session. What differs is who asks whom: here it is we who subscribe,
//! and who see to it that the connection lives.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use codec::{
    ConnAck, Connect, Decoder, Packet, PacketId, Properties, ProtocolVersion, Publish, QoS,
    ReasonCode, RetainHandling, Subscribe, Subscription, SubscriptionOptions, TopicFilter,
    TopicName, Unsubscribe,
};
use hashbrown::{HashMap, HashSet};
use session::{AliasesIn, ReceiveFlow};
use tokio::net::{TcpSocket, TcpStream};

use crate::access::Identity;
use crate::bridge::{Abilities, Attempts, DOWN, Plan, Renamed, Request, UP};
use crate::broker::{Message, count};
use crate::config::bridge::Start;
use crate::limits::{
    BRIDGE_CONNACK_TIMEOUT, BRIDGE_LOOK_PERIOD, BRIDGE_MAIN_ADDRESS_PERIOD, BRIDGE_OPEN_TIMEOUT,
};
use crate::net::{Address, Peer, Socket, Stream};
use crate::time::{Ms, seconds};
use crate::worker::connection::{self, Connection};
use crate::worker::held::HeldAnswers;
use crate::worker::keeper::Waiting;
use crate::worker::link::{Cause, Link, SharedLink};
use crate::worker::out::{OutBuffer, SpareBuffers};
use crate::worker::session::Which;
use crate::worker::sessions::FOREVER_S;
use crate::worker::transport::{Incoming, Transport};
use crate::worker::{Connected, State, Worker};

/// Carries out a plan for as long as the worker runs.
pub(super) async fn run(worker: Rc<Worker>, plan: Arc<Plan>) {
    let attempts = Attempts::new(&plan.config, fastrand::u64(..));
    let bridge = Bridge { worker, abilities: plan.assumed(), attempts, plan };
    bridge.run().await;
}

/// What a link to another broker has beyond one to a client.
#[derive(Debug)]
pub(crate) struct Crossing {
    plan: Arc<Plan>,
    /// Whether the other broker takes messages to retain.
    pub retain: bool,
    /// What it was asked for and has not answered yet.
    asked: RefCell<HashMap<PacketId, Asked>>,
    /// Identifiers of messages of QoS 2 that it sent in a session which it does not have any more: one
    /// that comes with DUP may be that message once more, one without is another.
    forgotten: RefCell<BTreeSet<PacketId>>,
    /// When a message crossed last, in either direction.
    crossed_at: Cell<Ms>,
}

#[derive(Debug)]
enum Asked {
    Subscribe(TopicFilter),
    Unsubscribe,
    Notification,
}

impl Crossing {
    /// What a topic of this broker is called there.
    pub(super) fn to_remote(&self, topic: &TopicName, now: Ms) -> Renamed {
        self.crossed_at.set(now);
        self.plan.topics.to_remote(topic)
    }

    /// What a topic of the other broker is called here.
    pub(super) fn to_local(&self, topic: TopicName, now: Ms) -> Option<TopicName> {
        self.crossed_at.set(now);
        match self.plan.topics.to_local(&topic) {
            Renamed::Same => Some(topic),
            Renamed::To(topic) => Some(topic),
            Renamed::Nameless => None,
        }
    }

    /// Whether a message with this identifier can't be the one that was known by it.
    pub(super) fn is_another(&self, id: PacketId, dup: bool) -> bool {
        self.forgotten.borrow_mut().remove(&id) && !dup
    }
}

/// What comes after a connection, or after the attempt at one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// Another attempt, some time later.
    Failed,
    /// Nothing, until enough messages wait.
    Idle,
    /// The main address, which can be reached again.
    MainAddress,
    ShutDown,
}

struct Bridge {
    worker: Rc<Worker>,
    plan: Arc<Plan>,
    abilities: Abilities,
    attempts: Attempts,
}

/// A connection that the other broker has accepted.
struct Accepted {
    transport: Transport,
    incoming: Incoming,
    decoder: Decoder,
    connack: ConnAck,
    address: SocketAddr,
}

impl Bridge {
    async fn run(mut self) {
        if !self.in_turn(State::begin_bridge) {
            let (name, id) = (&self.plan.config.name, &self.plan.local_id);
            tracing::error!("Bridge {name} is not started: another has its local_clientid {id}.");
            return;
        }
        loop {
            let after = self.attempt().await;
            match after {
                After::ShutDown => return,
                _ if self.plan.config.start == Start::Once => {
                    tracing::info!("Bridge {} is not started again.", self.plan.config.name);
                    return;
                }
                After::MainAddress => self.attempts.return_to_main(),
                After::Idle => self.until_needed().await,
                After::Failed => {
                    tokio::time::sleep(self.attempts.failed()).await;
                    if self.plan.is_lazy() {
                        self.until_needed().await;
                    }
                }
            }
        }
    }

    /// Does something with the state and the plan, in a turn of its own.
    fn in_turn<T>(&self, act: impl FnOnce(&mut State, &Plan) -> T) -> T {
        let mut state = self.worker.state.borrow_mut();
        state.begin_turn();
        let done = act(&mut state, &self.plan);
        state.end_turn();
        done
    }

    /// Waits until as many messages wait as start a lazy bridge.
    async fn until_needed(&self) {
        while self.in_turn(|state, plan| state.waiting_for_bridge(plan))
            < self.plan.config.threshold
        {
            tokio::time::sleep(BRIDGE_LOOK_PERIOD).await;
        }
    }

    /// Connects, and serves the connection to its end.
    async fn attempt(&mut self) -> After {
        let name = &self.plan.config.name;
        let (host, port) = self.attempts.address();
        tracing::info!("Connecting bridge {name} ({host}:{port})");
        match self.connect(host.to_owned(), port).await {
            Ok(accepted) => self.serve(accepted).await,
            Err(error) => {
                tracing::warn!("Bridge {}: {error:#}.", self.plan.config.name);
                After::Failed
            }
        }
    }

    async fn connect(&mut self, host: String, port: u16) -> Result<Accepted> {
        let bind_address = self.plan.config.bind_address;
        let (stream, address) = open(&host, port, bind_address).await?;
        let stream = match &self.plan.tls {
            None => Stream::from(stream),
            Some(tls) => {
                let begun = tls.connect(&host, Socket::Tcp(stream));
                let begun = tokio::time::timeout(BRIDGE_OPEN_TIMEOUT, begun).await;
                let stream = begun
                    .unwrap_or_else(|_| Err(anyhow!("{host}:{port} does not answer in TLS")))?;
                Stream::tls(stream, None, None)
            }
        };
        let transport = Transport::Bytes(stream);
        let receive_maximum = self.worker.settings().config.limits.inflight_max;
        let connect = self.plan.connect(self.abilities, receive_maximum);
        tracing::debug!("Bridge {} sending CONNECT", self.plan.local_id);
        let greeting = self.greet(transport, connect, address);
        match tokio::time::timeout(BRIDGE_CONNACK_TIMEOUT, greeting).await {
            Ok(greeted) => greeted,
            Err(_) => bail!("{host}:{port} does not answer CONNECT"),
        }
    }

    /// Sends the CONNECT and waits for the CONNACK.
    async fn greet(
        &mut self,
        mut transport: Transport,
        connect: Connect,
        address: SocketAddr,
    ) -> Result<Accepted> {
        let version = connect.version;
        let (mut out, mut spare) = (OutBuffer::default(), SpareBuffers::default());
        out.append(&Packet::Connect(Box::new(connect)), version, u32::MAX, &mut spare)
            .map_err(|error| anyhow!("its settings make no CONNECT: {error}"))?;
        let counters = Arc::clone(&self.worker.state.borrow().counters);
        poll_fn(|cx| connection::poll_write(&mut transport, cx, &mut out, &counters)).await?;

        let packet_size_max = self.worker.settings().config.limits.packet_size_max;
        let mut decoder = Decoder::bridge(version, packet_size_max);
        let mut incoming = Incoming::default();
        loop {
            poll_fn(|cx| {
                let mut state = self.worker.state.borrow_mut();
                connection::poll_read(&mut transport, cx, &mut incoming, &mut state)
            })
            .await
            .context("the other broker did not answer CONNECT")?;
            if version.is_v5() && is_refusal_of_v5(incoming.bytes()) {
                self.abilities.version = ProtocolVersion::V311;
                bail!(
                    "Remote bridge {} does not support MQTT v5.0, reconnecting using MQTT v3.1.1",
                    self.plan.config.name
                );
            }
            match connection::decode(&mut decoder, &mut incoming)? {
                Some(Packet::ConnAck(connack)) if !connack.code.is_error() => {
                    return Ok(Accepted { transport, incoming, decoder, connack, address });
                }
                Some(Packet::ConnAck(connack)) => return Err(self.refused(&connack)),
                Some(packet) => bail!("a {} came instead of CONNACK", packet.packet_type()),
                None => incoming.keep_rest(),
            }
        }
    }

    /// Learns from a refusal what the other broker can't do.
    fn refused(&mut self, connack: &ConnAck) -> anyhow::Error {
        let abilities = &mut self.abilities;
        match connack.code {
            ReasonCode::UnsupportedProtocolVersion => abilities.knows_bridges = false,
            ReasonCode::RetainNotSupported => abilities.retain = false,
            ReasonCode::QoSNotSupported => {
                let lower = match abilities.qos_max {
                    QoS::ExactlyOnce => QoS::AtLeastOnce,
                    QoS::AtLeastOnce | QoS::AtMostOnce => QoS::AtMostOnce,
                };
                abilities.qos_max = connack.properties.maximum_qos().unwrap_or(lower);
            }
            _ => {}
        }
        match connack.properties.reason_string() {
            Some(reason) => anyhow!("Connection Refused: {}: {reason}", connack.code),
            None => anyhow!("Connection Refused: {}", connack.code),
        }
    }

    /// Serves a connection to its end.
    async fn serve(&mut self, accepted: Accepted) -> After {
        let Accepted { transport, mut incoming, decoder, connack, address } = accepted;
        if self.worker.state.borrow().stopping {
            return After::ShutDown;
        }
        self.attempts.succeeded();
        let counted = Connected::begin(&self.worker);
        let abilities = Abilities {
            qos_max: connack
                .properties
                .maximum_qos()
                .map_or(self.abilities.qos_max, |theirs| theirs.min(self.abilities.qos_max)),
            retain: self.abilities.retain && connack.properties.retain_available() != Some(false),
            ..self.abilities
        };
        let keepalive_s = connack.properties.server_keep_alive();
        let keepalive_s = keepalive_s.unwrap_or(self.plan.config.keepalive_s);
        let plan = Arc::clone(&self.plan);
        let crossing = Rc::new(Crossing {
            plan: Arc::clone(&plan),
            retain: abilities.retain,
            asked: RefCell::default(),
            forgotten: RefCell::default(),
            crossed_at: Cell::default(),
        });
        let (slot, link) = self.in_turn(|state, _| {
            let arrival = Arrival { crossing: &crossing, abilities, connack, address, keepalive_s };
            state.attach_bridge(arrival)
        });
        incoming.present();
        let mut connection =
            Connection::to_broker(&self.worker, transport, incoming, decoder, slot, &link);
        let (cause, after) = {
            let mut served = pin!(connection.run());
            let mut main_address = pin!(self.main_address());
            let mut asked_at = self.worker.shared.clock.now();
            let mut ticks = tokio::time::interval(BRIDGE_LOOK_PERIOD);
            let mut after = After::Failed;
            loop {
                tokio::select! {
                    cause = &mut served => break (cause, after),
                    () = &mut main_address, if after == After::Failed => {
                        after = After::MainAddress;
                        self.leave(&link);
                    }
                    _ = ticks.tick() => {
                        if self.keep_alive(&link, keepalive_s, &mut asked_at)
                            && after == After::Failed
                        {
                            after = After::Idle;
                            self.leave(&link);
                        }
                    }
                }
            }
        };
        self.in_turn(|state, plan| state.detach_bridge(plan, slot, &link, &crossing, &cause));
        connection::log_end(&plan.local_id, &link.borrow().peer, &cause);
        connection.hang_up(&cause).await;
        drop(counted);
        if cause == Cause::ShuttingDown { After::ShutDown } else { after }
    }

    /// Ends the connection without a word, so that the other broker says that the bridge is gone.
    fn leave(&self, link: &SharedLink) {
        let mut state = self.worker.state.borrow_mut();
        let deadline = state.closing_deadline();
        link.borrow_mut().close(Cause::Disconnected, deadline, &mut state.spare);
    }

    /// Sends a PINGREQ when it is time; says whether the bridge is lazy and has nothing to do.
    fn keep_alive(&self, link: &SharedLink, keepalive_s: u16, asked_at: &mut Ms) -> bool {
        let state = &mut *self.worker.state.borrow_mut();
        state.begin_turn();
        let link = &mut *link.borrow_mut();
        let keepalive_ms = seconds(u32::from(keepalive_s));
        if keepalive_ms > 0 && state.now.saturating_sub(*asked_at) >= keepalive_ms {
            *asked_at = state.now;
            link.send_small(&Packet::PingReq, &mut state.spare);
            link.wake();
        }
        let Some(crossing) = &link.crossing else { return false };
        let idle_ms = state.now.saturating_sub(crossing.crossed_at.get());
        let is_idle = self.plan.is_lazy() && idle_ms >= seconds(self.plan.config.idle_timeout_s);
        if is_idle && link.closing.is_none() {
            tracing::info!(
                "Bridge connection {} has exceeded idle timeout, disconnecting.",
                self.plan.local_id
            );
        }
        is_idle
    }

    /// Comes back once the main address can be reached; never if this is it.
    async fn main_address(&self) {
        let Some((host, port)) = self.attempts.better_address() else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep(BRIDGE_MAIN_ADDRESS_PERIOD).await;
            if open(host, port, self.plan.config.bind_address).await.is_ok() {
                let name = &self.plan.config.name;
                tracing::info!("Bridge {name} returns to its main address {host}:{port}.");
                return;
            }
        }
    }
}

/// Opens a TCP connection to the first address of a host that takes one.
async fn open(host: &str, port: u16, from: Option<IpAddr>) -> Result<(TcpStream, SocketAddr)> {
    let opened = tokio::time::timeout(BRIDGE_OPEN_TIMEOUT, async {
        let addresses = tokio::net::lookup_host((host, port));
        let addresses = addresses.await.with_context(|| format!("{host} has no address"))?;
        let mut why = anyhow!("{host} has no address");
        for address in addresses {
            match open_address(address, from).await {
                Ok(stream) => return Ok((stream, address)),
                Err(error) => why = anyhow!(error).context(format!("can't connect to {address}")),
            }
        }
        Err(why)
    });
    opened.await.unwrap_or_else(|_| Err(anyhow!("can't connect to {host}:{port} in time")))
}

async fn open_address(address: SocketAddr, from: Option<IpAddr>) -> std::io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(from) = from {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Whether this is how a broker of MQTT 3 refuses a CONNECT of MQTT 5.0: a CONNACK of its own version
/// (MQTT 3.1.1 §3.2.2.3).
fn is_refusal_of_v5(bytes: &[u8]) -> bool {
    matches!(bytes, [0x20, 2, _, 1, ..])
}

/// A connection to another broker that is to be joined to its session.
struct Arrival<'a> {
    crossing: &'a Rc<Crossing>,
    abilities: Abilities,
    connack: ConnAck,
    address: SocketAddr,
    keepalive_s: u16,
}

impl State {
    /// Begins to gather what is for the other broker, and says that it is not connected; `false` if
    /// there is a bridge with its Client Identifier already.
    fn begin_bridge(&mut self, plan: &Plan) -> bool {
        if !self.bridges.insert(plan.local_id.clone()) {
            return false;
        }
        if !plan.is_local_clean() {
            let slot = self.bridge_session(plan);
            self.subscribe_bridge(slot, plan, QoS::ExactlyOnce, RetainHandling::DoNotSend);
        }
        self.notify(plan, DOWN);
        true
    }

    /// The session of a bridge, which is there or begins now, as its plan wants it.
    fn bridge_session(&mut self, plan: &Plan) -> usize {
        let slot = self.slots.get(&plan.local_id).copied().unwrap_or_else(|| {
            let identity = Identity {
                client_id: plan.local_id.clone(),
                username: None,
                listener: Identity::NO_LISTENER,
            };
            self.begin_session(&Arc::new(identity), !plan.is_local_clean())
        });
        self.tend_bridge_session(slot, plan);
        slot
    }

    /// Has the session of a bridge be as its plan wants it, which may have changed since it began.
    fn tend_bridge_session(&mut self, slot: usize, plan: &Plan) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        session.expiry_interval_s = FOREVER_S;
        // What starts a lazy bridge is what waits for it, of any QoS.
        session.keeps_qos0 = plan.is_lazy();
        let wanted: HashSet<_> =
            plan.topics.local(QoS::ExactlyOnce).map(|(filter, _)| filter).collect();
        let filters = session.subscriptions.iter();
        let gone: Vec<_> = filters.filter(|filter| !wanted.contains(filter)).cloned().collect();
        for filter in gone {
            self.end_subscription(slot, &filter, &mut Waiting::Nobody);
        }
        self.keep_session(slot, &mut Waiting::Nobody);
    }

    fn subscribe_bridge(
        &mut self,
        slot: usize,
        plan: &Plan,
        qos_max: QoS,
        retain_handling: RetainHandling,
    ) {
        for (filter, qos) in plan.topics.local(qos_max) {
            tracing::debug!("Bridge {} doing local SUBSCRIBE on topic {filter}", plan.local_id);
            let options = SubscriptionOptions {
                qos,
                no_local: true,
                retain_as_published: true,
                retain_handling,
            };
            let subscription = Subscription { filter: filter.clone(), options };
            let code = self.subscribe(slot, subscription, None, &mut Waiting::Nobody);
            if code.is_error() {
                tracing::warn!("Bridge {} can't have {filter}: {code}.", plan.config.name);
            }
        }
        // What came from there is not sent back, and what waits already is not sent twice.
        if let Some(session) = self.sessions.get_mut(slot) {
            let key = session.key;
            let waiting: HashSet<_> =
                session.send.iter().map(|held| held.message.which()).collect();
            session.retained.retain(|held| {
                let message = &held.message;
                let stored = message.stored_at().map(Which::Stored);
                message.publisher != Some(key)
                    && !waiting.contains(&Which::Here(Arc::as_ptr(message)))
                    && !stored.is_some_and(|stored| waiting.contains(&stored))
            });
        }
    }

    /// Tells this broker's clients whether a bridge is connected.
    fn notify(&mut self, plan: &Plan, payload: Bytes) {
        let Some(topic) = plan.notification_topic.clone() else { return };
        let mut message = Message::new(topic, payload, QoS::AtLeastOnce, true, Properties::EMPTY);
        let session = self.slots.get(&plan.local_id).and_then(|slot| self.sessions.get(*slot));
        message.publisher = session.map(|session| session.key);
        self.publish(&message, &mut Waiting::Nobody);
    }

    /// How many messages wait for a bridge.
    fn waiting_for_bridge(&self, plan: &Plan) -> usize {
        let session = self.slots.get(&plan.local_id).and_then(|slot| self.sessions.get(*slot));
        session
            .map_or(0, |session| session.queued_len().saturating_add(session.send.inflight_len()))
    }

    /// Joins a connection to the session of its bridge, and asks the other broker for its messages.
    fn attach_bridge(&mut self, arrival: Arrival<'_>) -> (usize, SharedLink) {
        let Arrival { crossing, abilities, connack, address, keepalive_s } = arrival;
        let plan = Arc::clone(&crossing.plan);
        let slot = self.bridge_session(&plan);
        let properties = &connack.properties;
        let theirs = properties.maximum_packet_size().unwrap_or(u32::MAX);
        crossing.crossed_at.set(self.now);
        let link = Link {
            peer: Peer { address: Address::Ip(address), listener: Identity::NO_LISTENER },
            client_id: plan.local_id.clone(),
            version: abilities.version,
            is_bridge: true,
            crossing: Some(Rc::clone(crossing)),
            mount: None,
            out: OutBuffer::default(),
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
            packet_size_max: plan.config.max_packet_size.unwrap_or(u32::MAX).min(theirs),
            // It was told of none.
            aliases_in: AliasesIn::new(0),
            aliases_out: None,
            silence_max_ms: seconds(u32::from(keepalive_s)).saturating_mul(3) / 2,
            last_heard: self.now,
            will: None,
            resumed: connack.session_present,
            problem_information: true,
            authenticated: None,
        };
        let link = Rc::new(RefCell::new(link));
        let now = self.now;
        let inflight_max = self.settings.config.limits.inflight_max;
        let receive_maximum = properties.receive_maximum().unwrap_or(u16::MAX).min(inflight_max);
        if let Some(session) = self.sessions.get_mut(slot) {
            session.link = Some(Rc::clone(&link));
            session.connected.store(true, Ordering::Relaxed);
            let ours = if abilities.version.is_v5() { inflight_max } else { u16::MAX };
            let ours = NonZeroU16::new(ours).unwrap_or(NonZeroU16::MIN);
            if plan.config.clean_session {
                session.receive = ReceiveFlow::new(ours);
            } else {
                session.receive.set_receive_maximum(ours);
                if !connack.session_present {
                    crossing.forgotten.borrow_mut().extend(session.receive.ids());
                }
            }
            let (expired, places) = session.drop_expired(now);
            count(&self.counters.dropped_expired, expired as u64);
            session.lower_queued(abilities.qos_max);
            session.send.resume(NonZeroU16::new(receive_maximum).unwrap_or(NonZeroU16::MIN));
            self.end_places(places);
        }
        self.notify(&plan, UP);
        self.ask(slot, &link, crossing, abilities);
        self.subscribe_bridge(slot, &plan, abilities.qos_max, RetainHandling::SendAtSubscribe);
        self.pump(slot);
        (slot, link)
    }

    /// Tells the other broker that the bridge is connected, and subscribes there.
    fn ask(&mut self, slot: usize, link: &SharedLink, crossing: &Crossing, abilities: Abilities) {
        let plan = &crossing.plan;
        if let Some(topic) = plan.remote_notification() {
            let qos = abilities.qos_max.min(QoS::AtLeastOnce);
            let mut publish = Publish::new(topic.clone(), UP);
            (publish.qos, publish.retain) = (qos, abilities.retain);
            if qos == QoS::AtMostOnce {
                link.borrow_mut().send_small(&Packet::Publish(publish), &mut self.spare);
            } else {
                self.ask_for(slot, link, crossing, Asked::Notification, |id| {
                    publish.packet_id = Some(id);
                    Packet::Publish(publish)
                });
            }
        }
        for request in plan.topics.remote(abilities.qos_max) {
            match request {
                Request::Subscribe(filter, qos) => {
                    // MQTT 5.0 has words for what the mark of a bridge means before it.
                    let options = SubscriptionOptions {
                        no_local: true,
                        retain_as_published: true,
                        ..SubscriptionOptions::with_qos(qos)
                    };
                    let line = Subscription { filter: filter.clone(), options };
                    self.ask_for(slot, link, crossing, Asked::Subscribe(filter), |packet_id| {
                        let properties = Properties::EMPTY;
                        let subscriptions = vec![line];
                        Packet::Subscribe(Subscribe { packet_id, properties, subscriptions })
                    });
                }
                Request::Unsubscribe(filter) if plan.config.attempt_unsubscribe => {
                    self.ask_for(slot, link, crossing, Asked::Unsubscribe, |packet_id| {
                        let (properties, filters) = (Properties::EMPTY, vec![filter]);
                        Packet::Unsubscribe(Unsubscribe { packet_id, properties, filters })
                    });
                }
                Request::Unsubscribe(_) => {}
            }
        }
    }

    /// Sends a packet that will be answered.
    fn ask_for(
        &mut self,
        slot: usize,
        link: &SharedLink,
        crossing: &Crossing,
        what: Asked,
        packet: impl FnOnce(PacketId) -> Packet,
    ) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        // All identifiers are in use only if the other broker never answers.
        let Some(id) = session.send.reserve_id() else { return };
        crossing.asked.borrow_mut().insert(id, what);
        let packet = packet(id);
        let deadline = self.closing_deadline();
        let link = &mut *link.borrow_mut();
        tracing::debug!(
            "Bridge {} sending {} (Mid: {id})",
            crossing.plan.local_id,
            packet.packet_type()
        );
        if let Err(cause) = link.send(&packet, &mut self.spare) {
            link.close(cause, deadline, &mut self.spare);
        }
    }

    /// Does what a packet of the other broker asks for. An error ends the connection.
    pub(super) fn handle_from_broker(
        &mut self,
        slot: usize,
        link: &SharedLink,
        crossing: &Crossing,
        packet: Packet,
    ) -> Result<(), Cause> {
        match packet {
            Packet::SubAck(suback) => {
                let code = suback.codes.first().copied();
                self.answered(
                    slot,
                    crossing,
                    suback.packet_id,
                    code.filter(|code| code.is_error()),
                );
                Ok(())
            }
            Packet::UnsubAck(unsuback) => {
                self.answered(slot, crossing, unsuback.packet_id, None);
                Ok(())
            }
            Packet::PubAck(ack) if crossing.asked.borrow().contains_key(&ack.packet_id) => {
                let code = Some(ack.code).filter(|code| code.is_error());
                self.answered(slot, crossing, ack.packet_id, code);
                Ok(())
            }
            Packet::PingResp => Ok(()),
            Packet::Disconnect(disconnect) => Err(Cause::ConnectionLost(format!(
                "the other broker ended it: {}",
                disconnect.code
            ))),
            packet => self.handle(slot, link, packet),
        }
    }

    fn answered(
        &mut self,
        slot: usize,
        crossing: &Crossing,
        id: PacketId,
        refused: Option<ReasonCode>,
    ) {
        let Some(asked) = crossing.asked.borrow_mut().remove(&id) else { return };
        if let Some(session) = self.sessions.get_mut(slot) {
            session.send.release_id(id);
        }
        let name = &crossing.plan.config.name;
        match (asked, refused) {
            (Asked::Subscribe(filter), Some(code)) => {
                tracing::warn!("Bridge {name}: the other broker does not send {filter}: {code}.");
            }
            (Asked::Notification, Some(code)) => {
                tracing::warn!("Bridge {name}: the other broker takes no notification: {code}.");
            }
            _ => {}
        }
        self.pump(slot);
    }

    /// The connection of a bridge has ended.
    fn detach_bridge(
        &mut self,
        plan: &Plan,
        slot: usize,
        link: &SharedLink,
        crossing: &Crossing,
        cause: &Cause,
    ) {
        self.detach(slot, link, cause);
        if let Some(session) = self.sessions.get_mut(slot) {
            for (id, _) in crossing.asked.borrow_mut().drain() {
                session.send.release_id(id);
            }
        }
        if plan.is_local_clean() {
            self.forget_session(slot, &mut Waiting::Nobody);
        }
        self.notify(plan, DOWN);
    }
}
