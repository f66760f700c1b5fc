//! A worker: one thread, one runtime, and the connections and sessions that live on it.
//!
//! A connection lives and dies on one worker, and so does a session, so their state needs no lock.
//! Workers speak to each other through mailboxes: a message that someone else's sessions get is
//! handed over once for each worker, with all its targets there.

mod ahead;
mod bridge;
mod cache;
mod connection;
mod doors;
mod fan_out;
mod held;
mod housekeeping;
mod keeper;
mod keeping;
mod leaving;
mod link;
mod login;
mod mount;
mod out;
mod packets;
mod portions;
mod publish;
mod queue;
mod rights;
mod round;
mod rules;
mod session;
mod sessions;
mod trace;
mod transport;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use bytes::BytesMut;
use codec::{Connect, Decoder};
use parking_lot::{Mutex, RwLock};
use slab::Slab;
use tokio::sync::{Notify, Semaphore, mpsc};

use crate::bridge::Plan;
use crate::broker::{
    Chosen, Counters, Figures, Message, Registry, Retained, Router, Targets, Totals, WorkerId,
    count,
};
use crate::config::Protocol;
use crate::http;
use crate::limits;
use crate::log::{self, CONNECTION};
use crate::memory;
use crate::net::{Accepted, Arrival, LooseSocket, Peer};
use crate::settings::Settings;
use crate::store::{Parcel, Place, SavedSession, Store};
use crate::sys::Sys;
use crate::time::{Clock, Ms};

use cache::MatchCache;
use connection::Greeting;
pub(crate) use doors::{Door, Turns};
use fan_out::FanOuts;
use keeper::{Keeper, WaitKey, Waiting};
use keeping::ReadParcels;
use leaving::Leaving;
use login::Login;
use out::SpareBuffers;
use publish::Frames;
use queue::Queue;
use round::{HandedRound, Round};
use session::Session;
use transport::Moving;
pub(crate) use transport::{Incoming, Transport};

/// What all workers share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Who is asked for them by more than a worker takes them from here.
    settings: RwLock<Arc<Settings>>,
    pub clock: Clock,
    pub router: Router,
    pub registry: Registry,
    pub retained: Retained,
    pub counters: Vec<Arc<Counters>>,
    /// When each worker was last at its housekeeping.
    pub beats: Vec<AtomicU64>,
    /// What was published under `$SYS`; one worker goes on with it.
    pub sys: Mutex<Sys>,
    /// Lets a few passwords be checked at the same time; who comes then waits.
    pub password_checks: Arc<Semaphore>,
    /// There if anything is kept on disk.
    pub store: Option<Arc<Store>>,
    /// Where each worker waits, at the start, until all have brought back their sessions.
    restored: Barrier,
    inboxes: Vec<Inbox>,
    inbox_bytes_max: usize,
}

/// The mailbox of one worker, as the others see it.
#[derive(Debug)]
struct Inbox {
    mail: mpsc::UnboundedSender<Mail>,
    /// Bytes of messages that the worker has not taken out yet.
    bytes: AtomicUsize,
    /// Bytes of messages that it has taken and not handed to all of very many.
    fan_out_bytes: AtomicUsize,
    drained: Notify,
}

/// What one worker sends to another.
#[derive(Debug)]
pub(crate) enum Mail {
    /// A listening socket that is this worker's to look after.
    Listen(Door),
    /// A connection that was just accepted.
    Accepted(Accepted<LooseSocket>),
    /// A connection whose session lives here.
    Adopt(Box<Adopted>),
    /// A bridge whose session lives here.
    Bridge(Arc<Plan>),
    /// Messages for sessions that live here, and their bytes.
    Deliver(Vec<HandOver>, usize),
    /// A message of the broker's own.
    Publish(Box<Message>),
    /// What a message that was handed over had to be stored for is stored.
    Settled(WaitKey),
    /// A parcel of this worker is stored.
    Stored(u64),
    /// What another worker is to store together with what it stores itself, and who waits for it.
    Loan(WaitKey, Vec<Parcel>),
    /// Deliveries of sessions that are no more.
    Forget(Vec<Place>),
    /// The configuration was read again. The sender is dropped once it holds.
    Reload(Arc<Settings>, mpsc::UnboundedSender<()>),
    /// Whoever runs the broker wants to see who is subscribed to what.
    ListSubscriptions,
    /// The broker stops.
    ShutDown,
}

/// What one worker hands over to another for the sessions there.
#[derive(Debug)]
pub(crate) enum HandOver {
    Message(HandedMessage),
    Round(HandedRound),
}

impl HandOver {
    /// Bytes that it takes.
    fn size(&self) -> usize {
        match self {
            Self::Message(handed) => handed.message.size(),
            Self::Round(handed) => handed.size(),
        }
    }
}

/// A message for sessions of one worker.
#[derive(Debug)]
pub(crate) struct HandedMessage {
    pub message: Arc<Message>,
    pub for_whom: ForWhom,
    /// There if somebody waits until it is stored here where it has to be.
    pub receipt: Option<Receipt>,
}

/// Who waits for a message that was handed over.
#[derive(Debug)]
pub(crate) struct Receipt {
    pub worker: WorkerId,
    pub wait: WaitKey,
    /// Whether that worker stores it for this one, together with what belongs to it there.
    pub is_loan: bool,
}

/// Who gets a message that is handed over.
#[derive(Debug)]
pub(crate) enum ForWhom {
    /// All who are subscribed to its topic.
    Matched(Arc<Targets>),
    /// The one that was chosen among those who share a subscription.
    Chosen(Box<Chosen>),
}

/// A connection on its way to the worker where its session lives.
pub(crate) struct Adopted {
    pub transport: Moving,
    pub peer: Peer,
    pub decoder: Decoder,
    pub incoming: Incoming,
    pub connect: Box<Connect>,
    pub login: Login,
}

impl std::fmt::Debug for Adopted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adopted").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Shared {
    /// The shared state of `workers` workers, and the mail that each of them will read.
    pub(crate) fn new(
        workers: WorkerId,
        settings: Arc<Settings>,
        clock: Clock,
        store: Option<Arc<Store>>,
    ) -> (Arc<Self>, Vec<mpsc::UnboundedReceiver<Mail>>) {
        let (mut inboxes, mut mails) = (Vec::new(), Vec::new());
        for _ in 0..workers {
            let (sender, mail) = mpsc::unbounded_channel();
            inboxes.push(Inbox {
                mail: sender,
                bytes: AtomicUsize::new(0),
                fan_out_bytes: AtomicUsize::new(0),
                drained: Notify::new(),
            });
            mails.push(mail);
        }
        let shared = Self {
            clock,
            store,
            restored: Barrier::new(usize::from(workers)),
            router: Router::default(),
            registry: Registry::default(),
            retained: Retained::new(settings.config.limits.retained_max),
            counters: (0..workers).map(|_| Arc::default()).collect(),
            beats: (0..workers).map(|_| AtomicU64::new(0)).collect(),
            sys: Mutex::default(),
            password_checks: Arc::new(Semaphore::new(limits::password_checks_max(workers))),
            inboxes,
            inbox_bytes_max: settings.config.limits.inbox_bytes_max,
            settings: RwLock::new(settings),
        };
        shared.begin_sys();
        (Arc::new(shared), mails)
    }

    /// Has `$SYS` stand there before anybody can look.
    fn begin_sys(&self) {
        if self.settings().config.sys_interval_s > 0 {
            for message in self.sys.lock().round(&self.figures()) {
                // In a store that holds nothing yet there is room.
                let _ = self.retained.set(Arc::new(message), None);
            }
        }
    }

    /// The broker as a whole, now. What sessions hold is as old as the last time that their worker looked
    /// at them.
    pub(crate) fn figures(&self) -> Figures {
        let mut totals = Totals::default();
        for counters in &self.counters {
            counters.add_to(&mut totals);
        }
        let (subscriptions, shared_subscriptions) = self.router.len();
        let (retained_messages, retained_bytes) = self.retained.len();
        let last_beat = self.beats.iter().map(|beat| beat.load(Ordering::Relaxed)).min();
        let now = self.clock.now();
        Figures {
            totals,
            uptime_ms: now,
            silence_ms: now.saturating_sub(last_beat.unwrap_or(now)),
            subscriptions: subscriptions as u64,
            shared_subscriptions: shared_subscriptions as u64,
            retained_messages: retained_messages as u64,
            retained_bytes: retained_bytes as u64,
            memory_bytes: memory::current() as u64,
            memory_maximum_bytes: memory::maximum() as u64,
            store: self.store.as_ref().map(|store| store.figures()),
        }
    }

    /// Sends mail to a worker; one that has stopped does not get it.
    pub(crate) fn send(&self, worker: WorkerId, mail: Mail) {
        if let Some(inbox) = self.inboxes.get(usize::from(worker)) {
            let bytes = match &mail {
                Mail::Deliver(_, bytes) => *bytes,
                Mail::Publish(message) => message.size(),
                _ => 0,
            };
            if bytes > 0 {
                inbox.bytes.fetch_add(bytes, Ordering::Relaxed);
            }
            let _ = inbox.mail.send(mail);
        }
    }

    /// The settings that are in force.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read())
    }

    /// Has the broker run by new settings, and waits until every worker does.
    pub(crate) async fn reload(&self, settings: &Arc<Settings>) {
        *self.settings.write() = Arc::clone(settings);
        let (done, mut all_done) = mpsc::unbounded_channel();
        for worker in self.workers() {
            self.send(worker, Mail::Reload(Arc::clone(settings), done.clone()));
        }
        drop(done);
        all_done.recv().await;
    }

    /// The workers by their numbers.
    pub(crate) fn workers(&self) -> std::ops::Range<WorkerId> {
        0..WorkerId::try_from(self.inboxes.len()).unwrap_or(WorkerId::MAX)
    }

    /// Whether a worker has so much mail that nobody should send it more.
    pub(crate) fn is_congested(&self, worker: WorkerId) -> bool {
        self.inboxes
            .get(usize::from(worker))
            .is_some_and(|inbox| inbox.bytes.load(Ordering::Relaxed) > self.inbox_bytes_max)
    }

    /// Notes how many bytes are on their way to very many on a worker; says whether those who publish to them
    /// have to wait.
    fn note_fan_outs(&self, worker: WorkerId, bytes: usize) -> bool {
        let Some(inbox) = self.inboxes.get(usize::from(worker)) else { return false };
        if inbox.fan_out_bytes.swap(bytes, Ordering::Relaxed) > bytes {
            inbox.drained.notify_waiters();
        }
        bytes > self.inbox_bytes_max
    }

    fn is_fanning_out(&self, worker: WorkerId) -> bool {
        self.inboxes
            .get(usize::from(worker))
            .is_some_and(|inbox| inbox.fan_out_bytes.load(Ordering::Relaxed) > self.inbox_bytes_max)
    }

    /// Waits until a worker has taken enough out of its mailbox, and handed enough of that to very many.
    async fn decongested(&self, worker: WorkerId) {
        let Some(inbox) = self.inboxes.get(usize::from(worker)) else { return };
        loop {
            let drained = inbox.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            if !self.is_congested(worker) && !self.is_fanning_out(worker) {
                return;
            }
            drained.await;
        }
    }
}

/// One worker, as its tasks see it.
pub(crate) struct Worker {
    pub id: WorkerId,
    pub shared: Arc<Shared>,
    pub state: RefCell<State>,
}

/// What lives on one worker. Borrowed for the length of one poll, never across an await.
pub(crate) struct State {
    id: WorkerId,
    shared: Arc<Shared>,
    counters: Arc<Counters>,
    pub settings: Arc<Settings>,
    /// The time of the current turn.
    now: Ms,
    sessions: Slab<Session>,
    slots: hashbrown::HashMap<codec::MqttString, usize>,
    /// Client Identifiers of bridges, which no client may use.
    bridges: hashbrown::HashSet<codec::MqttString>,
    /// Counts sessions, so that one that has another's slot is told apart.
    next_epoch: u32,
    cache: MatchCache,
    frames: Frames,
    round: Round,
    queue: Queue,
    fan_outs: FanOuts,
    leaving: Leaving,
    keeper: Keeper,
    read_parcels: ReadParcels,
    spare: SpareBuffers,
    /// All connections read into this one, one after the other.
    read_buffer: BytesMut,
    /// What is to be handed to each other worker at the end of the turn, and its bytes.
    outbox: Vec<(Vec<HandOver>, usize)>,
    /// A worker whose mailbox was too full in this turn.
    congested: Option<WorkerId>,
    /// Connections whose CONNECT is not whole yet.
    handshakes: usize,
    /// Connections of clients.
    connections: usize,
    stopping: bool,
}

impl State {
    fn new(id: WorkerId, shared: Arc<Shared>) -> Self {
        let outbox = shared.workers().map(|_| Default::default()).collect();
        Self {
            id,
            counters: shared.counters.get(usize::from(id)).cloned().unwrap_or_default(),
            settings: shared.settings(),
            now: shared.clock.now(),
            sessions: Slab::new(),
            slots: hashbrown::HashMap::new(),
            bridges: hashbrown::HashSet::new(),
            next_epoch: 0,
            cache: MatchCache::default(),
            frames: Frames::default(),
            round: Round::default(),
            queue: Queue::default(),
            fan_outs: FanOuts::default(),
            leaving: Leaving::default(),
            keeper: Keeper::new(id, shared.store.clone()),
            read_parcels: ReadParcels::default(),
            spare: SpareBuffers::default(),
            read_buffer: BytesMut::new(),
            outbox,
            congested: None,
            handshakes: 0,
            connections: 0,
            stopping: false,
            shared,
        }
    }

    /// Whether the broker holds all the memory that it may.
    fn is_out_of_memory(&self) -> bool {
        let max = self.settings.config.limits.memory_max;
        max.is_some_and(|max| memory::current() > max)
    }

    /// Begins a turn: the time is read once for all that happens in it.
    fn begin_turn(&mut self) {
        self.now = self.shared.clock.now();
        self.congested = None;
    }

    /// Ends a turn: who waited for what was stored goes on, and what other workers' sessions get is
    /// handed over.
    fn end_turn(&mut self) {
        self.end_round();
        self.let_go_on();
        for (worker, (batch, bytes)) in (0..).zip(&mut self.outbox) {
            if !batch.is_empty() {
                let mail = Mail::Deliver(std::mem::take(batch), std::mem::take(bytes));
                self.shared.send(worker, mail);
                if self.shared.is_congested(worker) {
                    self.congested = Some(worker);
                }
            }
        }
    }
}

/// Puts something into what is to be handed over at the end of the turn.
fn put_into_outbox(outbox: &mut [(Vec<HandOver>, usize)], worker: WorkerId, hand_over: HandOver) {
    if let Some((batch, bytes)) = outbox.get_mut(usize::from(worker)) {
        let size = hand_over.size();
        batch.push(hand_over);
        // What an entry of the mailbox takes by itself counts too.
        *bytes = bytes.saturating_add(size).saturating_add(64);
    }
}

/// Runs a worker until it is told to stop and its connections have ended. Says whether it could be
/// started: a worker that lacks what it needs would lose the connections that it is given.
pub(crate) fn run(
    id: WorkerId,
    shared: Arc<Shared>,
    mail: mpsc::UnboundedReceiver<Mail>,
    restored: Vec<SavedSession>,
    started: &std::sync::mpsc::Sender<std::io::Result<()>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .event_interval(limits::TASKS_BEFORE_IO)
        .on_thread_park(log::flush)
        .on_thread_stop(memory::settle)
        .build_local(tokio::runtime::LocalOptions::default());
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            // Who started it waits for this.
            let _ = started.send(Err(error));
            return;
        }
    };
    let mut state = State::new(id, Arc::clone(&shared));
    state.restore(restored);
    let state = RefCell::new(state);
    let _ = started.send(Ok(()));
    // A will that is due must find the subscriptions of every worker's sessions.
    shared.restored.wait();
    let worker = Rc::new(Worker { id, shared, state });
    log::gather();
    runtime.block_on(worker.read_mail(mail));
    log::flush();
}

impl Worker {
    async fn read_mail(self: Rc<Self>, mut mail: mpsc::UnboundedReceiver<Mail>) {
        tokio::task::spawn_local(housekeeping::run(Rc::clone(&self)));
        tokio::task::spawn_local(queue::run(Rc::clone(&self)));
        tokio::task::spawn_local(fan_out::run(Rc::clone(&self)));
        tokio::task::spawn_local(leaving::run(Rc::clone(&self)));
        if self.shared.store.is_some() {
            tokio::task::spawn_local(keeping::run(Rc::clone(&self)));
        }
        // Doors are closed when the worker is told to stop.
        let mut doors = tokio::task::JoinSet::new();
        while let Some(item) = mail.recv().await {
            match item {
                Mail::Listen(door) => {
                    doors.spawn_local(doors::watch(Rc::clone(&self), door));
                }
                Mail::Accepted(accepted) => {
                    let peer = accepted.peer;
                    match accepted.register() {
                        Ok(accepted) => self.accept(accepted),
                        Err(error) => not_served(peer, &error),
                    }
                }
                Mail::Adopt(adopted) => {
                    tokio::task::spawn_local(connection::adopt(Rc::clone(&self), *adopted));
                }
                Mail::Bridge(plan) => {
                    tokio::task::spawn_local(bridge::run(Rc::clone(&self), plan));
                }
                Mail::Deliver(batch, bytes) => self.deliver(batch, bytes),
                Mail::Publish(message) => {
                    self.publish(&message);
                    self.taken_out(message.size());
                }
                Mail::Settled(wait) => self.in_turn(|state| state.keeper.settle(wait)),
                Mail::Stored(parcel) => self.in_turn(|state| state.on_stored(parcel)),
                Mail::Loan(wait, parcels) => self.in_turn(|state| {
                    state.keeper.take_loan(parcels);
                    state.keeper.settle(wait);
                }),
                Mail::Forget(places) => self.in_turn(|state| state.end_places(places)),
                Mail::Reload(settings, _done) => self.state.borrow_mut().reload(settings),
                Mail::ListSubscriptions => self.state.borrow().list_subscriptions(),
                Mail::ShutDown => break,
            }
        }
        doors.shutdown().await;
        self.stop().await;
    }

    fn in_turn(&self, act: impl FnOnce(&mut State)) {
        let mut state = self.state.borrow_mut();
        state.begin_turn();
        act(&mut state);
        state.end_turn();
    }

    fn publish(&self, message: &Message) {
        self.in_turn(|state| {
            state.publish(message, &mut Waiting::Nobody);
        });
    }

    fn deliver(&self, batch: Vec<HandOver>, bytes: usize) {
        self.in_turn(|state| {
            for hand_over in batch {
                state.take_over(hand_over);
            }
        });
        self.taken_out(bytes);
    }

    /// Mail with so many bytes of messages is not in the mailbox any more.
    fn taken_out(&self, bytes: usize) {
        if let Some(inbox) = self.shared.inboxes.get(usize::from(self.id)) {
            inbox.bytes.fetch_sub(bytes, Ordering::Relaxed);
            inbox.drained.notify_waiters();
        }
    }

    /// The settings that are in force on this worker.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.state.borrow().settings)
    }

    fn accept(self: &Rc<Self>, accepted: Accepted) {
        let peer = accepted.peer;
        let settings = {
            let state = self.state.borrow();
            count(&state.counters.connections_accepted, 1);
            if state.handshakes >= state.settings.config.limits.handshakes_max {
                count(&state.counters.connections_refused_busy, 1);
                tracing::debug!("Connection from {peer} closed: too many have not connected yet.");
                return;
            }
            Arc::clone(&state.settings)
        };
        let deadline = tokio::time::Instant::now() + settings.config.limits.connect_timeout;
        let by = settings.listener(peer.listener).address.door();
        tracing::info!(target: CONNECTION, peer = %peer, "New connection from {peer} on {by}.");
        if accepted.needs_more(&settings) {
            tokio::task::spawn_local(Rc::clone(self).receive(accepted, settings, deadline));
            return;
        }
        self.serve(accepted.at_once(deadline), &settings);
    }

    /// Lets a connection go through what stands before MQTT and HTTP on its listener.
    async fn receive(
        self: Rc<Self>,
        accepted: Accepted,
        settings: Arc<Settings>,
        deadline: tokio::time::Instant,
    ) {
        let peer = accepted.peer;
        let handshake = Handshake::begin(&self);
        let arrived = accepted.go_through(&settings, deadline).await;
        drop(handshake);
        match arrived {
            Ok(arrival) => self.serve(arrival, &settings),
            Err(why) => {
                tracing::info!(target: CONNECTION, peer = %peer, "Connection from {peer} closed: {why}.");
            }
        }
    }

    /// Serves what the listener of a connection is for.
    fn serve(self: &Rc<Self>, arrival: Arrival, settings: &Settings) {
        match settings.listener(arrival.peer.listener).protocol {
            Protocol::Mqtt => {
                let Arrival { stream, peer, deadline } = arrival;
                let transport = Transport::Bytes(stream);
                let greeting = Greeting::new(self, transport, peer);
                tokio::task::spawn_local(connection::serve(Rc::clone(self), greeting, deadline));
            }
            Protocol::Http => {
                tokio::task::spawn_local(http::serve(Rc::clone(self), arrival));
            }
        }
    }

    /// Serves MQTT on a WebSocket that the HTTP side has opened.
    pub(crate) async fn serve_websocket(self: Rc<Self>, transport: Transport, peer: Peer) {
        let time = self.settings().config.limits.connect_timeout;
        let greeting = Greeting::new(&self, transport, peer);
        connection::serve(self, greeting, tokio::time::Instant::now() + time).await;
    }

    /// Tells every client that the broker stops, and waits a little while they leave.
    async fn stop(self: Rc<Self>) {
        let deadline = {
            let mut state = self.state.borrow_mut();
            state.begin_turn();
            state.stopping = true;
            state.close_all();
            tokio::time::Instant::now() + state.settings.config.limits.shutdown_timeout
        };
        while self.state.borrow().connections > 0 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.in_turn(State::hand_to_store);
    }
}

/// Says that a connection that was accepted can't be served.
fn not_served(peer: Peer, error: &std::io::Error) {
    tracing::warn!("Connection from {peer} could not be served: {error}.");
}

macro_rules! counted {
    ($(#[$doc:meta])* $name:ident, $counter:ident) => {
        $(#[$doc])*
        pub(crate) struct $name(Rc<Worker>);

        impl $name {
            pub(crate) fn begin(worker: &Rc<Worker>) -> Self {
                worker.state.borrow_mut().$counter += 1;
                Self(Rc::clone(worker))
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                self.0.state.borrow_mut().$counter -= 1;
            }
        }
    };
}

counted! {
    /// Counts a connection whose CONNECT is not whole yet, for as long as it lives.
    Handshake, handshakes
}

counted! {
    /// Counts the connection of a client, for as long as it lives.
    Connected, connections
}
