//! The engine: it owns the connection and the [`Desk`], lives in a Web Worker, and sends the page what
//! it looks at. A tab in the background stays connected, as its page has no part in it.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use codec::{PublishView, QoS, ReasonCode, TopicError, TopicFilter, TopicName};
use gloo_timers::callback::Interval;
use session::{DisconnectReason, Event, PublishError, State, Token};
use wasm_bindgen_futures::spawn_local;

use crate::clock;
use crate::connect::{self, Connect, Subscription, Version};
use crate::connection::{self, Connection};
use crate::desk::Desk;
use crate::export;
use crate::fault::{self, Fault, Reason};
use crate::limits::{
    LARGE_PATIENCE_MS, PACKET_SIZE_CAUTIOUS, PUBLISHES_WAITING_MAX, REPEAT_MS_MIN,
    REPLAY_INTERVAL_MS, REPLAY_TOLD_MS, SUBSCRIPTIONS_MAX,
};
use crate::placeholder::{Filler, Piece};
use crate::protocol::{
    Answer, Command, Connection as Shown, Failure, File, FileKind, Frame, Large, Outcome, Problem,
    Publish, Published, Repeating, ReplayStep, SignIn, Subscribed,
};
use crate::replay::{Replay, Sent};
use crate::socket::Probe;
use crate::store::{Limits, Message};
use crate::sys;
use crate::tape::Tape;

/// The user property that names a unit.
const UNIT_PROPERTY: &str = "unit";

/// The ticket of all messages that are replayed; the page counts its own from zero.
const REPLAY_TICKET: u32 = u32::MAX;

/// The engine; clones are handles to the same one.
#[derive(Clone)]
pub struct Engine(Rc<Inner>);

struct Inner {
    desk: RefCell<Desk>,
    connection: RefCell<Option<Connection>>,
    /// How to connect; none before the page has said so.
    connect: RefCell<Option<Box<Connect>>>,
    /// Whether a person wants very large messages waited for, as long as they may take, or left out; none where
    /// that shows by itself.
    waits_for_large: Cell<Option<bool>>,
    /// What looks for the reason why a broker can't be reached.
    probe: RefCell<Option<Probe>>,
    /// What is subscribed to by each SUBSCRIBE that is on its way.
    subscribing: RefCell<Vec<(Token, Subscription)>>,
    /// What was published and is not acknowledged, with the page's number for it and its QoS.
    tickets: RefCell<Vec<(Token, (u32, QoS))>>,
    /// How many files were made, and where the last one is.
    files: Cell<u32>,
    file_url: RefCell<Option<String>>,
    repeating: RefCell<Option<Interval>>,
    tape: Tape,
    tape_shown_ms: Cell<f64>,
    show: Box<dyn Fn(Frame)>,
    showing: Cell<bool>,
    /// Whether a person looks at the packets of the connection.
    is_tapped: Cell<bool>,
}

impl Engine {
    /// An engine that hands its frames to `show`.
    pub fn new(limits: Limits, show: impl Fn(Frame) + 'static) -> Self {
        Self(Rc::new(Inner {
            desk: RefCell::new(Desk::new(limits, clock::now_ms())),
            connection: RefCell::default(),
            connect: RefCell::default(),
            waits_for_large: Cell::new(None),
            probe: RefCell::default(),
            subscribing: RefCell::default(),
            tickets: RefCell::default(),
            files: Cell::new(0),
            file_url: RefCell::default(),
            repeating: RefCell::default(),
            tape: Tape::default(),
            tape_shown_ms: Cell::new(0.0),
            show: Box::new(show),
            showing: Cell::new(false),
            is_tapped: Cell::new(false),
        }))
    }

    /// Does what the page asks for.
    pub fn command(&self, command: Command) {
        match command {
            Command::Open(connect) => {
                self.0.connect.replace(Some(connect));
                self.0.waits_for_large.set(None);
                self.open();
            }
            Command::Memory(bytes) => {
                self.0.desk.borrow_mut().set_memory(bytes, clock::now_ms());
                self.0.show();
            }
            Command::SignIn(SignIn { username, password }) => {
                if let Some(connect) = self.0.connect.borrow_mut().as_mut() {
                    (connect.username, connect.password) = (username, password);
                }
                self.open();
            }
            Command::TryNow => {
                let connection = self.0.connection.borrow().clone();
                if let Some(connection) = connection {
                    connection.connect();
                    self.0.connecting();
                }
            }
            Command::Disconnect => self.disconnect(),
            Command::Subscribe(subscription) => self.subscribe(subscription),
            Command::Unsubscribe(filter) => self.unsubscribe(&filter),
            Command::Board { search, cards_max } => {
                self.0.desk.borrow_mut().show_board(&search, cards_max);
            }
            Command::HoldBoard(is_held) => self.0.desk.borrow_mut().hold_board(is_held),
            Command::CloseBoard => self.0.desk.borrow_mut().close_board(),
            Command::Watch { ids, width } => self.0.desk.borrow_mut().watch(&ids, width),
            Command::Topics(view) => self.0.desk.borrow_mut().show_topics(view),
            Command::CloseTopics => self.0.desk.borrow_mut().close_topics(),
            Command::Step(step) => self.0.desk.borrow_mut().step(step, clock::now_ms()),
            Command::Detail(view) => self.0.desk.borrow_mut().show_detail(view),
            Command::Messages(view) => self.0.desk.borrow_mut().show_messages(view),
            Command::CloseMessages => self.0.desk.borrow_mut().close_messages(),
            Command::Sys => {
                let must_ask = self.0.desk.borrow_mut().sys().open();
                let connection = self.0.connection.borrow().clone();
                if let Some(connection) = connection.filter(|_| must_ask) {
                    self.0.ask_for_sys(&connection);
                    connection.run();
                }
            }
            Command::CloseSys => self.0.desk.borrow_mut().sys().close(),
            Command::Reconnect => {
                self.0.waits_for_large.set(None);
                self.open();
            }
            Command::WaitForLarge(waits) => {
                self.0.waits_for_large.set(Some(waits));
                self.open();
            }
            Command::Wire(view) => {
                self.0.is_tapped.set(true);
                let level = self.0.level();
                let mut desk = self.0.desk.borrow_mut();
                desk.wire().set_level(level);
                desk.wire().show(view);
            }
            Command::CloseWire => {
                self.0.is_tapped.set(false);
                self.0.desk.borrow_mut().wire().close();
            }
            Command::ListRetained(node) => self.0.desk.borrow_mut().list_retained(node),
            Command::Look { slot, look } => self.0.desk.borrow_mut().look(slot, look),
            Command::Export(kind) => self.export(kind),
            Command::Publish(publish) => self.publish(publish),
            Command::Repeat { publish, every_ms, pieces } => {
                self.repeat(publish, every_ms, pieces);
            }
            Command::StopRepeating => self.stop_repeating(),
            Command::Find(text) => self.0.desk.borrow_mut().find(&text),
            Command::Record(search) => {
                self.0.tape.record(&search);
                self.0.show_tape();
            }
            Command::StopRecording => self.stop_recording(),
            Command::Replay(step) => self.replay(step),
            Command::Painted => self.0.desk.borrow_mut().painted(),
            Command::Again => self.0.desk.borrow_mut().again(),
        }
        self.0.show();
    }

    /// Time goes on: figures and lines change without a message.
    pub fn tick(&self) {
        self.0.show_tape();
        self.0.connecting();
        self.0.show();
    }

    fn open(&self) {
        let Some(connect) = self.0.connect.borrow().clone() else { return };
        self.leave();
        // A browser would take any other address as one of the server that the page came from.
        if !["ws://", "wss://"].iter().any(|scheme| connect.url.starts_with(scheme)) {
            return self.0.offline(Problem::Address(connect.url.clone()), None);
        }
        let drawn = format!("dashboard-{:08x}", clock::seed() as u32);
        let owner = Owner(Rc::downgrade(&self.0));
        let made = connect.options(&drawn).and_then(|mut options| {
            match self.0.waits_for_large.get() {
                Some(true) => {
                    options.packet_size_cautious = options.packet_size_max;
                    options.ping_timeout_ms = LARGE_PATIENCE_MS;
                }
                Some(false) => options.packet_size_max = options.packet_size_cautious,
                None => {}
            }
            Connection::new(connect.url.clone(), options, owner)
                .map_err(|error| Fault::from(&error))
        });
        let connection = match made {
            Ok(connection) => connection,
            Err(fault) => return self.0.offline(Problem::Options(fault), None),
        };
        *self.0.connection.borrow_mut() = Some(connection.clone());
        self.0.desk.borrow_mut().subscriptions().clear();
        for subscription in connect.subscriptions {
            self.subscribe(subscription);
        }
        if self.0.desk.borrow_mut().sys().is_wanted() {
            self.0.ask_for_sys(&connection);
        }
        self.0.set_connection(Shown::Connecting);
        connection.connect();
    }

    /// Says goodbye to the broker before, if there is one: a connection that only ended would have its
    /// Will published.
    fn leave(&self) {
        let connection = self.0.connection.take();
        if let Some(connection) = connection {
            connection.disconnect();
        }
        self.0.probe.take();
        self.0.subscribing.borrow_mut().clear();
        // Another connection counts its messages anew, and knows nothing of these.
        for (_, (ticket, qos)) in self.0.tickets.take() {
            self.0.answered(ticket, qos, Some(Failure::Lost));
        }
    }

    fn disconnect(&self) {
        let connection = self.0.connection.borrow().clone();
        if let Some(connection) = connection {
            connection.disconnect();
        }
        self.0.offline(Problem::Asked, None);
    }

    fn subscribe(&self, subscription: Subscription) {
        if self.0.desk.borrow_mut().subscriptions().len() >= SUBSCRIPTIONS_MAX {
            return;
        }
        let connection = self.0.connection.borrow().clone();
        let asked = subscription.in_codec().and_then(|line| {
            let Some(connection) = &connection else { return Ok(None) };
            let identifier = subscription.identifier;
            let token = connection.change(|client, _| client.subscribe(vec![line], identifier));
            token.map(Some).map_err(|error| Fault::from(&error))
        });
        let (token, answer) = match asked {
            Ok(token) => (token, None),
            Err(fault) => (None, Some(Answer::Refused(Reason::Fault(fault)))),
        };
        self.0.show_subscription(Subscribed { subscription: subscription.clone(), answer });
        if let (Some(token), Some(connection)) = (token, connection) {
            self.0.subscribing.borrow_mut().push((token, subscription));
            connection.run();
        }
    }

    fn unsubscribe(&self, filter: &str) {
        self.0.desk.borrow_mut().subscriptions().retain(|s| s.subscription.filter != filter);
        self.0.keep_subscriptions();
        let connection = self.0.connection.borrow().clone();
        if let (Some(connection), Ok(filter)) = (connection, TopicFilter::new(filter)) {
            // One that can't be asked for is not subscribed to either.
            let _asked = connection.change(|client, _| client.unsubscribe(vec![filter]));
            connection.run();
        }
    }

    /// Makes a file that the page can hand to the browser. Its bytes stay here: the page gets its address.
    fn export(&self, kind: FileKind) {
        let bytes = self.0.desk.borrow_mut().export(kind);
        let (media_type, ending) = match kind {
            FileKind::Csv => ("text/csv", "csv"),
            FileKind::Json => ("application/json", "json"),
        };
        if let Some(url) = crate::blob::url(&bytes, media_type) {
            self.0.hand_over(url, "messages", ending);
        }
    }

    fn stop_recording(&self) {
        if let Some(url) = self.0.tape.finish() {
            self.0.hand_over(url, "recording", "jsonl");
        }
        self.0.show_tape();
    }

    /// Replays a recording. The timer is the engine's, as that of a page in the background hardly ticks.
    fn replay(&self, step: ReplayStep) {
        let now_ms = clock::now_ms();
        let mut replay = self.0.tape.replay.borrow_mut();
        if matches!(step, ReplayStep::Start(_) | ReplayStep::Stop) {
            // What is still to be said of an earlier one is not of this one.
            self.0.tickets.borrow_mut().retain(|(_, (ticket, _))| *ticket != REPLAY_TICKET);
        }
        match (step, replay.as_mut()) {
            (ReplayStep::Start(speed), _) => *replay = Some(Replay::new(speed, now_ms)),
            (ReplayStep::Stop, _) => *replay = None,
            (ReplayStep::More { messages, is_last }, Some(replay)) => replay.add(messages, is_last),
            (ReplayStep::Speed(speed), Some(replay)) => replay.set_speed(speed),
            (ReplayStep::Pause(is_paused), Some(replay)) => replay.pause(is_paused),
            // What is stopped already needs nothing more.
            (_, None) => {}
        }
        let is_idle = replay.as_ref().is_none_or(Replay::is_sent);
        drop(replay);
        self.0.show_tape();
        let mut timer = self.0.tape.timer.borrow_mut();
        if is_idle {
            timer.take();
        } else if timer.is_none() {
            let weak = Rc::downgrade(&self.0);
            *timer = Some(Interval::new(REPLAY_INTERVAL_MS, move || {
                if let Some(inner) = weak.upgrade() {
                    Self(inner).replay_due();
                }
            }));
        }
    }

    fn replay_due(&self) {
        let mut sent = false;
        let mut replay = self.0.tape.replay.borrow_mut();
        if let Some(replay) = replay.as_mut() {
            replay.run(clock::now_ms(), |message| {
                let qos = QoS::from_u8(message.publish.qos).unwrap_or_default();
                match self.try_publish(message.publish.clone()) {
                    Ok(token) => {
                        self.0.tickets.borrow_mut().push((token, (REPLAY_TICKET, qos)));
                        sent = true;
                        Sent::Yes
                    }
                    Err(why @ (Failure::Offline | Failure::Busy)) => Sent::Later(why),
                    Err(why) => Sent::Never(why),
                }
            });
        }
        drop(replay);
        let connection = self.0.connection.borrow().clone();
        if let Some(connection) = connection.filter(|_| sent) {
            connection.run();
        }
        let is_sent = self.0.tape.replay.borrow().as_ref().is_none_or(Replay::is_sent);
        if is_sent {
            let inner = Rc::clone(&self.0);
            // Not from within what it calls.
            spawn_local(async move { drop(inner.tape.timer.take()) });
        }
        let now_ms = clock::now_ms();
        if is_sent || now_ms - self.0.tape_shown_ms.get() >= REPLAY_TOLD_MS {
            self.0.tape_shown_ms.set(now_ms);
            self.0.show_tape();
            self.0.show();
        }
    }

    /// Publishes now, and from now on each time that the interval has passed. The timer is the engine's:
    /// that of a page in the background would hardly tick.
    fn repeat(&self, publish: Publish, every_ms: u32, pieces: Option<Vec<Piece>>) {
        let topic = publish.topic.clone();
        let filler = pieces.map(|pieces| RefCell::new(Filler::new(pieces, clock::seed())));
        let count = Cell::new(0);
        let weak = Rc::downgrade(&self.0);
        let once = move || {
            let Some(inner) = weak.upgrade() else { return };
            count.set(count.get() + 1);
            let repeating = Repeating { topic: topic.clone(), count: count.get() };
            inner.desk.borrow_mut().set_repeating(Some(repeating));
            let engine = Self(inner);
            let mut publish = publish.clone();
            if let Some(filler) = &filler {
                publish.payload = filler.borrow_mut().fill(clock::now_ms()).into_bytes();
            }
            engine.publish(publish);
            engine.0.show();
        };
        once();
        let interval = Interval::new(every_ms.max(REPEAT_MS_MIN), once);
        *self.0.repeating.borrow_mut() = Some(interval);
    }

    fn stop_repeating(&self) {
        self.0.repeating.take();
        self.0.desk.borrow_mut().set_repeating(None);
    }

    fn publish(&self, publish: Publish) {
        let (ticket, qos) = (publish.ticket, QoS::from_u8(publish.qos).unwrap_or_default());
        let outcome = match self.try_publish(publish) {
            Ok(token) => {
                self.0.tickets.borrow_mut().push((token, (ticket, qos)));
                Outcome::Waiting
            }
            Err(failure) => Outcome::Failed(failure),
        };
        self.0.desk.borrow_mut().set_published(Published { ticket, outcome });
        let connection = self.0.connection.borrow().clone();
        if let Some(connection) = connection {
            connection.run();
        }
    }

    fn try_publish(&self, publish: Publish) -> Result<Token, Failure> {
        let topic = TopicName::new(&publish.topic).map_err(topic_failure)?;
        let connection = self.0.connection.borrow().clone().ok_or(Failure::Offline)?;
        if self.0.tickets.borrow().len() >= PUBLISHES_WAITING_MAX {
            return Err(Failure::Busy);
        }
        let mut message = session::Message::new(topic, publish.payload);
        message.qos = QoS::from_u8(publish.qos).unwrap_or_default();
        message.retain = publish.retain;
        message.properties =
            connect::properties(publish.properties, None).map_err(Failure::Property)?;
        connection.change(|client, _| {
            // A person who publishes wants to know now, not after some reconnect.
            if client.state() != State::Connected {
                return Err(Failure::Offline);
            }
            client.publish(message).map_err(failure)
        })
    }
}

impl Inner {
    /// Shows what has changed.
    fn show(&self) {
        // The page may answer from within, in tests for instance.
        if self.showing.replace(true) {
            return;
        }
        loop {
            let frame = self.desk.borrow_mut().frame(clock::now_ms());
            let Some(frame) = frame else { break };
            (self.show)(frame);
        }
        self.showing.set(false);
    }

    fn show_tape(&self) {
        self.desk.borrow_mut().set_tape(self.tape.shown());
    }

    /// Hands a file to the page, which asks a person where it shall be. Its bytes are the browser's.
    fn hand_over(&self, url: String, what: &str, ending: &str) {
        let number = self.files.get().wrapping_add(1);
        self.files.set(number);
        // The one before was saved long ago, or never will be.
        if let Some(url) = self.file_url.replace(Some(url.clone())) {
            let _revoked = web_sys::Url::revoke_object_url(&url);
        }
        // No file system takes a colon everywhere.
        let time = export::time(clock::now_ms()).replace(':', "-");
        let name = format!("{what}-{}.{ending}", time.split('.').next().unwrap_or(&time));
        self.desk.borrow_mut().set_file(File { number, url, name });
    }

    fn set_connection(&self, connection: Shown) {
        self.desk.borrow_mut().set_connection(connection, clock::now_ms());
    }

    fn offline(&self, problem: Problem, retry_in_ms: Option<u64>) {
        let retry_at_ms = retry_in_ms.map(|ms| clock::now_ms() + ms as f64);
        self.set_connection(Shown::Offline { problem, retry_at_ms });
    }

    /// Subscribes to what the broker tells of itself. Who is subscribed already asks once more in the same
    /// words, for what the broker has stored.
    fn ask_for_sys(&self, connection: &Connection) {
        let mut desk = self.desk.borrow_mut();
        let mut shown = desk.subscriptions().iter().map(|shown| &shown.subscription);
        let own = shown.find(|subscription| subscription.filter == sys::FILTER).cloned();
        let subscription = own.unwrap_or_else(|| Subscription::new(sys::FILTER));
        let asked = subscription.in_codec().and_then(|line| {
            let identifier = subscription.identifier;
            let asked = connection.change(|client, _| client.subscribe(vec![line], identifier));
            asked.map_err(|error| Fault::from(&error))
        });
        if let Err(fault) = asked {
            desk.sys().answered(Some(Reason::Fault(fault)));
        }
    }

    /// A try to connect begins without an event: the state tells.
    fn connecting(&self) {
        let connection = self.connection.borrow().clone();
        let is_trying = connection.is_some_and(|connection| {
            connection
                .change(|client, _| matches!(client.state(), State::Opening | State::Handshake))
        });
        let is_offline = self.desk.borrow().is_offline();
        if is_trying && is_offline {
            self.set_connection(Shown::Connecting);
        }
    }

    fn message(&self, message: Message<'_>, at_ms: f64) {
        self.tape.take(&message);
        self.desk.borrow_mut().take(message, at_ms);
    }

    fn event(self: &Rc<Self>, event: Event) {
        match event {
            Event::Message(message) => {
                let unit = message
                    .properties
                    .user_properties()
                    .find_map(|(name, value)| (name.as_str() == UNIT_PROPERTY).then_some(value));
                let message = Message {
                    topic: message.topic.as_str(),
                    payload: &message.payload,
                    qos: message.qos as u8,
                    retain: message.retain,
                    properties: message.properties.as_bytes(),
                    unit: unit.as_deref(),
                };
                self.message(message, clock::now_ms());
            }
            Event::Connected(connected) => {
                self.probe.take();
                let large = self.large(connected.is_cautious);
                self.set_connection(Shown::Online { since_ms: clock::now_ms(), large });
            }
            Event::Subscribed { token, results } => self.subscribed(token, &results),
            Event::Unsubscribed { .. } => {}
            Event::Refused { code, reason, retry_in_ms, .. } => {
                let problem = match code {
                    ReasonCode::NotAuthorized | ReasonCode::BadUserNameOrPassword => {
                        Problem::SignIn { name: self.name() }
                    }
                    ReasonCode::UnsupportedProtocolVersion => Problem::Version,
                    _ => Problem::Refused(with_reason(code, reason.as_deref())),
                };
                self.offline(problem, retry_in_ms);
            }
            Event::Disconnected { why, retry_in_ms } => {
                if why != DisconnectReason::Requested {
                    let problem = self.problem(why);
                    self.offline(problem, retry_in_ms);
                }
            }
            Event::Published { token, .. } => self.published(token, None),
            Event::PublishFailed { token, why } => {
                self.published(token, Some(failure(why)));
            }
        }
    }

    /// The protocol level that is asked for.
    fn level(&self) -> u8 {
        let version = self.connect.borrow().as_ref().map(|connect| connect.version);
        match version.unwrap_or_default() {
            Version::V31 => 3,
            Version::V311 => 4,
            Version::V5 => 5,
        }
    }

    /// What is done about very large messages, where the broker may have fallen silent behind one.
    fn large(&self, was_silent: bool) -> Option<Large> {
        let large = match self.level() {
            5 => Large::LeftOut(PACKET_SIZE_CAUTIOUS),
            _ => Large::NoMeans,
        };
        match self.waits_for_large.get() {
            Some(true) => {
                Some(Large::WaitedFor { ms: LARGE_PATIENCE_MS, has_means: self.level() == 5 })
            }
            Some(false) => Some(large),
            None => was_silent.then_some(large),
        }
    }

    /// The User Name; empty where there is none.
    fn name(&self) -> String {
        self.connect.borrow().as_ref().map_or_else(String::new, |connect| connect.username.clone())
    }

    fn problem(self: &Rc<Self>, why: DisconnectReason) -> Problem {
        match why {
            DisconnectReason::Unreachable | DisconnectReason::OpenTimeout => self.unreachable(),
            DisconnectReason::HandshakeTimeout | DisconnectReason::PingTimeout => Problem::Silent,
            DisconnectReason::TransportClosed if !self.desk.borrow().is_online() => {
                Problem::Unanswered
            }
            DisconnectReason::Text => Problem::Text,
            DisconnectReason::Requested | DisconnectReason::TransportClosed => Problem::Lost,
            DisconnectReason::ByServer { code, reason, .. } => {
                Problem::Refused(with_reason(code, reason.as_deref()))
            }
            DisconnectReason::Protocol(violation) => Problem::Malformed((&violation).into()),
            DisconnectReason::Connect(error) => Problem::Options((&error).into()),
            DisconnectReason::ServerDoesNotRead => Problem::Malformed(fault::not_reading()),
        }
    }

    /// A browser does not say why a WebSocket could not be opened. The first time, what is there is
    /// asked once more, without the subprotocol: if it answers then, it has no MQTT to offer.
    fn unreachable(self: &Rc<Self>) -> Problem {
        let url = self.connect.borrow().as_ref().map(|c| c.url.clone()).unwrap_or_default();
        if self.probe.borrow().is_none() {
            let weak = Rc::downgrade(self);
            let probe = Probe::start(&url, move || {
                if let Some(inner) = weak.upgrade() {
                    inner.desk.borrow_mut().set_problem(Problem::NoMqtt);
                    inner.show();
                }
            });
            *self.probe.borrow_mut() = probe;
        }
        match self.probe.borrow().as_ref() {
            Some(probe) if probe.was_answered() => Problem::NoMqtt,
            _ => Problem::Unreachable { is_secure: url.starts_with("wss:") },
        }
    }

    /// Shows a subscription in the place of one to the same filter, or behind all others; it is asked for
    /// again with each new connection.
    fn show_subscription(&self, subscribed: Subscribed) {
        let mut desk = self.desk.borrow_mut();
        let shown = desk.subscriptions();
        let filter = &subscribed.subscription.filter;
        let place = shown.iter().position(|shown| shown.subscription.filter == *filter);
        match place.and_then(|place| shown.get_mut(place)) {
            Some(place) => *place = subscribed,
            None => shown.push(subscribed),
        }
        drop(desk);
        self.keep_subscriptions();
    }

    fn keep_subscriptions(&self) {
        let mut desk = self.desk.borrow_mut();
        if let Some(connect) = self.connect.borrow_mut().as_mut() {
            connect.subscriptions =
                desk.subscriptions().iter().map(|shown| shown.subscription.clone()).collect();
        }
    }

    fn subscribed(&self, token: Token, results: &[(TopicFilter, ReasonCode)]) {
        if let Some((filter, code)) = results.first()
            && filter.as_str() == sys::FILTER
        {
            let refused = code.is_error().then(|| Reason::Broker(code.to_string()));
            self.desk.borrow_mut().sys().answered(refused);
        }
        // After a reconnect the broker answers once more, maybe otherwise.
        let subscribing = self.subscribing.borrow();
        let subscription = subscribing.iter().find(|(other, _)| *other == token);
        let subscription = subscription.map(|(_, subscription)| subscription.clone());
        let (Some(subscription), Some((_, code))) = (subscription, results.first()) else { return };
        let answer = match code.granted_qos() {
            Some(qos) => Answer::Granted(qos as u8),
            None => Answer::Refused(Reason::Broker(code.to_string())),
        };
        let mut desk = self.desk.borrow_mut();
        let place = desk.subscriptions().iter_mut().find(|s| s.subscription == subscription);
        // Meanwhile it may have been asked for otherwise, or not any more.
        if let Some(place) = place {
            place.answer = Some(answer);
        }
    }

    fn published(&self, token: Token, failure: Option<Failure>) {
        let mut tickets = self.tickets.borrow_mut();
        let place = tickets.iter().position(|(other, _)| *other == token);
        let ticket = place.map(|place| tickets.remove(place).1);
        drop(tickets);
        if let Some((ticket, qos)) = ticket {
            self.answered(ticket, qos, failure);
        }
    }

    /// What became of a message that the page wanted published, or of one that is replayed.
    fn answered(&self, ticket: u32, qos: QoS, failure: Option<Failure>) {
        if ticket == REPLAY_TICKET {
            // Answers come with what the socket says, and not while messages are handed to it.
            if let Ok(mut replay) = self.tape.replay.try_borrow_mut()
                && let Some(replay) = replay.as_mut()
            {
                replay.answered(failure);
            }
        } else {
            let outcome = match (failure, qos) {
                (Some(failure), _) => Outcome::Failed(failure),
                (None, QoS::AtMostOnce) => Outcome::Sent,
                (None, _) => Outcome::Acknowledged,
            };
            self.desk.borrow_mut().set_published(Published { ticket, outcome });
        }
    }
}

/// The engine as the owner of its connection.
struct Owner(Weak<Inner>);

impl connection::Owner for Owner {
    fn event(&self, event: Event) {
        if let Some(inner) = self.0.upgrade() {
            inner.event(event);
        }
    }

    fn plain(&self, message: &PublishView<'_>, at_ms: f64) -> bool {
        let Some(inner) = self.0.upgrade() else { return false };
        let Ok(topic) = std::str::from_utf8(message.topic) else { return false };
        let (payload, retain) = (message.payload, message.retain);
        inner.message(Message { topic, payload, retain, ..Message::default() }, at_ms);
        true
    }

    fn bad_address(&self, _words: &str) {
        if let Some(inner) = self.0.upgrade() {
            let address = inner.connect.borrow().as_ref().map(|connect| connect.url.clone());
            inner.offline(Problem::Address(address.unwrap_or_default()), None);
        }
    }

    fn opened(&self) {
        if let Some(inner) = self.0.upgrade().filter(|inner| inner.is_tapped.get()) {
            let level = inner.level();
            let mut desk = inner.desk.borrow_mut();
            desk.wire().set_level(level);
            desk.wire().begin();
        }
    }

    fn bytes(&self, is_sent: bool, bytes: &[u8], is_start: bool) {
        if let Some(inner) = self.0.upgrade().filter(|inner| inner.is_tapped.get()) {
            inner.desk.borrow_mut().wire().take(is_sent, bytes, is_start, clock::now_ms());
        }
    }

    fn settled(&self) {
        if let Some(inner) = self.0.upgrade() {
            inner.show();
        }
    }
}

fn with_reason(code: ReasonCode, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("{} ({reason})", code.name()),
        None => code.name().to_owned(),
    }
}

fn topic_failure(error: TopicError) -> Failure {
    match error {
        TopicError::Empty => Failure::TopicEmpty,
        TopicError::WildcardInName => Failure::TopicWildcard,
        // The others are of filters, or of the text itself.
        _ => Failure::TopicText,
    }
}

fn failure(why: PublishError) -> Failure {
    let refused = |fault| Failure::Refused(Reason::Fault(fault));
    match why {
        PublishError::QueueFull => Failure::Busy,
        PublishError::SessionLost => Failure::Lost,
        PublishError::Refused { code, reason } => {
            Failure::Refused(Reason::Broker(with_reason(code, reason.as_deref())))
        }
        PublishError::QosNotSupported { maximum } => refused(fault::qos_max(maximum)),
        PublishError::RetainNotSupported => refused(fault::no_retain()),
        PublishError::TooLarge { size, max } => refused(fault::too_large(size as u64, max.into())),
        PublishError::Encode(error) => refused((&error).into()),
    }
}
