//! The virtual wire and the virtual clock between a client and a server, and all that goes wrong there.

use bytes::{Bytes, BytesMut};
use codec::{
    Decoder, MqttString, Packet, ProtocolVersion, QoS, Subscription, SubscriptionOptions,
    TopicFilter, TopicName,
};
use session::{
    Action, BackoffLimits, Client, Event, Message, Millis, Options, PublishError, State, Token,
};
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU16;

use crate::ledger::{Fate, Ledger};
use crate::server::{Server, ServerPlan};
use crate::tap::Tap;

/// All of it must have come to rest this long after the last trouble, in virtual milliseconds.
const REST_WITHIN_MS: u64 = 600_000;

/// For how long nothing then happens but keep-alive, in virtual milliseconds.
const QUIET_MS: u64 = 60_000;

/// What happens in one run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub version: ProtocolVersion,
    pub clean_start: bool,
    pub keep_alive_s: u16,
    /// Of the client, towards the server; MQTT 5.0 only.
    pub receive_maximum: u16,
    pub topic_alias_maximum: u16,
    pub server: ServerPlan,
    /// When each end publishes, in which QoS.
    pub up: Vec<(u64, QoS)>,
    pub down: Vec<(u64, QoS)>,
    pub troubles: Vec<(u64, Trouble)>,
    /// Cuts after so many bytes, of both directions together, counted from the last cut.
    pub cuts_after_bytes: VecDeque<u64>,
    pub latency_max_ms: u64,
    pub chunk_max: usize,
    /// Whether the server refuses a message now and then; MQTT 5.0 only.
    pub refusals: bool,
    pub trace: bool,
}

#[derive(Debug, Clone, Copy)]
pub enum Trouble {
    /// The connection breaks; some of the bytes on their way still arrive.
    Cut,
    /// Nothing arrives any more, and nobody is told.
    BlackHole,
    /// The server ends and begins again without its sessions.
    Forget,
    /// The transport can't be opened for so many milliseconds.
    Outage(u64),
}

/// What is to happen at some time.
#[derive(Debug)]
enum Happening {
    Up(QoS),
    Down(QoS),
    Trouble(Trouble),
    Opened {
        wire: usize,
    },
    ToServer {
        wire: usize,
        bytes: Bytes,
    },
    ToClient {
        wire: usize,
        bytes: Bytes,
    },
    ServerSeesEnd {
        wire: usize,
    },
    ClientSeesEnd {
        wire: usize,
    },
    Answer {
        wire: usize,
        packet: Box<Packet>,
    },
    /// The client's transport can take bytes again.
    Writable,
    ServerKeepAlive {
        wire: usize,
    },
}

/// One transport.
#[derive(Debug, Default)]
struct Wire {
    client_gone: bool,
    server_gone: bool,
    black_hole: bool,
    /// Once cut: how many bytes still arrive.
    to_server_left: Option<usize>,
    to_client_left: Option<usize>,
    to_server_last: u64,
    to_client_last: u64,
    answer_last: u64,
}

impl Wire {
    fn is_broken(&self) -> bool {
        self.black_hole || self.to_server_left.is_some()
    }
}

pub struct World {
    plan: Plan,
    rng: fastrand::Rng,
    now: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    scheduled: u64,
    wires: Vec<Wire>,
    /// Until when no transport opens.
    outage_until: u64,
    bytes_since_cut: u64,
    /// Bytes of both directions from the last planned cut until all had come to rest.
    pub bytes_to_rest: u64,

    client: Client,
    client_buffer: BytesMut,
    client_tap: Tap,
    /// Reads what the client sends, for the tap.
    client_sends: (Decoder, BytesMut),
    client_hears: (Decoder, BytesMut),
    tokens: BTreeMap<Token, usize>,
    stalled: bool,
    subscribed: bool,
    pub connections: u64,
    pub pings: u64,

    server: Server,
    pub up: Ledger,
    pub down: Ledger,
}

impl World {
    pub fn new(plan: Plan) -> Self {
        let mut options = Options::new(plan.version, MqttString::new("simulated").expect("text"));
        options.clean_start = plan.clean_start;
        options.session_expiry_s = 3_600;
        options.keep_alive_s = plan.keep_alive_s;
        options.receive_maximum = NonZeroU16::new(plan.receive_maximum).expect("part of the plan");
        options.topic_alias_maximum = plan.topic_alias_maximum;
        options.open_timeout_ms = 3_000;
        options.handshake_timeout_ms = 3_000;
        options.ping_timeout_ms = 3_000;
        options.backoff = BackoffLimits { first_ms: 100, max_ms: 2_000 };
        let mut client = Client::new(options, plan.seed).expect("the options make a CONNECT");
        let down = Subscription {
            filter: TopicFilter::new("down/#").expect("a filter"),
            options: SubscriptionOptions::with_qos(QoS::ExactlyOnce),
        };
        client.subscribe(vec![down], None).expect("there is room");
        client.connect(Millis(0));
        let mut world = Self {
            rng: fastrand::Rng::with_seed(plan.seed),
            now: 0,
            queue: BTreeMap::new(),
            scheduled: 0,
            wires: Vec::new(),
            outage_until: 0,
            bytes_since_cut: 0,
            bytes_to_rest: 0,
            client,
            client_buffer: BytesMut::new(),
            client_tap: Tap::default(),
            client_sends: (Decoder::server(1 << 20), BytesMut::new()),
            client_hears: (Decoder::client(plan.version, 1 << 20), BytesMut::new()),
            tokens: BTreeMap::new(),
            stalled: false,
            subscribed: false,
            connections: 0,
            pings: 0,
            server: Server::new(plan.server.clone()),
            up: Ledger::default(),
            down: Ledger::default(),
            plan,
        };
        for (at, qos) in std::mem::take(&mut world.plan.up) {
            world.at(at, Happening::Up(qos));
        }
        for (at, qos) in std::mem::take(&mut world.plan.down) {
            world.at(at, Happening::Down(qos));
        }
        for (at, trouble) in std::mem::take(&mut world.plan.troubles) {
            world.at(at, Happening::Trouble(trouble));
        }
        world
    }

    /// Runs until all has come to rest, and looks whether every promise was kept.
    pub fn run(&mut self) {
        let last_planned = self.queue.keys().last().map_or(0, |(at, _)| *at);
        while self.now <= last_planned || !self.is_at_rest() {
            assert!(self.now < last_planned + REST_WITHIN_MS, "it never comes to rest");
            self.step();
        }
        self.plan.cuts_after_bytes.clear();
        self.bytes_to_rest = self.bytes_since_cut;
        let (until, connections) = (self.now + QUIET_MS, self.connections);
        while self.now < until {
            self.step();
        }
        assert_eq!(self.connections, connections, "the connection was lost without any trouble");
        assert!(self.plan.keep_alive_s == 0 || self.pings > 0, "there was no PINGREQ");
        self.up.check(self.server.sessions_lost);
        self.down.check(self.server.sessions_lost);
    }

    pub fn client_outstanding_most(&self) -> usize {
        self.client_tap.outstanding_most
    }

    fn is_at_rest(&self) -> bool {
        self.client.state() == State::Connected
            && self.wires.last().is_some_and(|wire| !wire.is_broken())
            && self.subscribed
            && self.server.has_subscriber()
            && self.client.held() == 0
            && self.server.is_at_rest()
            && !self
                .queue
                .values()
                .any(|next| matches!(next, Happening::ToServer { .. } | Happening::ToClient { .. }))
    }

    fn at(&mut self, at: u64, happening: Happening) {
        self.scheduled += 1;
        self.queue.insert((at.max(self.now), self.scheduled), happening);
    }

    fn step(&mut self) {
        let timer = self.client.poll_timeout().map(|at| at.0);
        let next = self.queue.first_key_value().map(|((at, _), _)| *at);
        match (timer, next) {
            (Some(timer), next) if next.is_none_or(|next| timer < next) => {
                self.now = self.now.max(timer);
                self.client.on_timeout(Millis(self.now));
            }
            (_, Some(_)) => {
                let ((at, _), happening) = self.queue.pop_first().expect("just seen");
                self.now = at;
                if self.plan.trace {
                    eprintln!("{at:>8} {happening:?}");
                }
                self.happen(happening);
            }
            (None, None) => panic!("nothing will ever happen again"),
            (Some(_), None) => unreachable!("the first arm has taken it"),
        }
        self.pump_client();
        self.pump_server();
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Up(qos) => self.publish_up(qos),
            Happening::Down(qos) => {
                if !self.server.has_subscriber() {
                    self.at(self.now + 50, Happening::Down(qos));
                    return;
                }
                let number = self.down.next_number();
                let (topic, payload) = self.message("down", number, false);
                self.server.publish(qos, &topic, payload, &mut self.down);
            }
            Happening::Trouble(trouble) => self.trouble(trouble),
            Happening::Opened { wire } => {
                if self.wires[wire].client_gone {
                    return;
                }
                if self.now < self.outage_until {
                    self.wires[wire].client_gone = true;
                    self.client.on_transport_closed(Millis(self.now));
                    return;
                }
                if let Some(old) = self.server.connection.as_ref().map(|old| old.id) {
                    self.server_closes(old);
                }
                self.server.accept(wire, self.now);
                self.client_buffer.clear();
                self.client_sends = (Decoder::server(1 << 20), BytesMut::new());
                self.client_hears = (Decoder::client(self.plan.version, 1 << 20), BytesMut::new());
                self.stalled = false;
                self.client.on_transport_open(Millis(self.now));
            }
            Happening::ToServer { wire, bytes } => self.reach_server(wire, bytes),
            Happening::ToClient { wire, bytes } => self.reach_client(wire, bytes),
            Happening::ServerSeesEnd { wire } => {
                if !self.wires[wire].server_gone {
                    self.wires[wire].server_gone = true;
                    self.server.connection_lost();
                }
            }
            Happening::ClientSeesEnd { wire } => {
                if !self.wires[wire].client_gone {
                    self.wires[wire].client_gone = true;
                    self.client.on_transport_closed(Millis(self.now));
                }
            }
            Happening::Answer { wire, packet } => {
                if !self.wires[wire].server_gone {
                    self.server.send(&packet);
                    if let Packet::ConnAck(_) = *packet {
                        self.watch_keep_alive(wire);
                    }
                }
            }
            Happening::Writable => self.stalled = false,
            Happening::ServerKeepAlive { wire } => self.watch_keep_alive(wire),
        }
    }

    /// Closes a connection that was silent for one and a half times the Keep Alive. That may only be
    /// when something went wrong on the wire [MQTT-3.1.2-20].
    fn watch_keep_alive(&mut self, wire: usize) {
        let Some(connection) = self.server.connection.as_ref().filter(|it| it.id == wire) else {
            return;
        };
        let silence_max = connection.keep_alive_ms * 3 / 2;
        if silence_max == 0 {
            return;
        }
        let until = connection.last_heard + silence_max;
        if self.now < until {
            self.at(until, Happening::ServerKeepAlive { wire });
            return;
        }
        assert!(self.wires[wire].is_broken(), "the client was silent");
        self.server_closes(wire);
    }

    fn trouble(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Cut => self.cut(None),
            Trouble::BlackHole => {
                if let Some(wire) = self.wires.last_mut() {
                    wire.black_hole = true;
                }
            }
            Trouble::Forget => {
                self.cut(Some(0));
                self.server.connection_lost();
                if let Some(wire) = self.wires.last_mut() {
                    wire.server_gone = true;
                }
                self.server.forget(&mut self.down);
            }
            Trouble::Outage(ms) => {
                self.cut(None);
                self.outage_until = self.now + ms;
            }
        }
    }

    /// Cuts the newest wire; `left` bytes of each direction still arrive, or a random number.
    fn cut(&mut self, left: Option<usize>) {
        let Some(id) = self.wires.len().checked_sub(1) else { return };
        let mut random = |max| self.rng.usize(0..=max);
        let (to_server, to_client) = (random(200), random(200));
        let delays = [random(100) as u64, random(100) as u64];
        let wire = &mut self.wires[id];
        wire.to_server_left.get_or_insert(left.unwrap_or(to_server));
        wire.to_client_left.get_or_insert(left.unwrap_or(to_client));
        let delay = |at: usize| if left.is_some() { 0 } else { delays[at] };
        self.at(self.now + delay(0), Happening::ServerSeesEnd { wire: id });
        self.at(self.now + delay(1), Happening::ClientSeesEnd { wire: id });
    }

    fn server_closes(&mut self, id: usize) {
        let wire = &mut self.wires[id];
        wire.server_gone = true;
        let (black_hole, last) = (wire.black_hole, wire.to_client_last);
        self.server.connection_lost();
        if !black_hole {
            self.at(last, Happening::ClientSeesEnd { wire: id });
        }
    }

    fn reach_server(&mut self, id: usize, bytes: Bytes) {
        let wire = &mut self.wires[id];
        let bytes = survivors(&mut wire.to_server_left, bytes);
        if wire.server_gone || wire.black_hole || bytes.is_empty() || self.count(bytes.len()) {
            return;
        }
        let now = self.now;
        let answers = self.server.on_bytes(now, &bytes, &mut self.up, &mut self.down);
        for packet in answers {
            let think = self.rng.u64(0..=self.plan.latency_max_ms);
            let wire = &mut self.wires[id];
            wire.answer_last = wire.answer_last.max(now + think);
            let at = wire.answer_last;
            self.at(at, Happening::Answer { wire: id, packet: Box::new(packet) });
        }
    }

    fn reach_client(&mut self, id: usize, bytes: Bytes) {
        let wire = &mut self.wires[id];
        let bytes = survivors(&mut wire.to_client_left, bytes);
        if wire.client_gone || wire.black_hole || bytes.is_empty() || self.count(bytes.len()) {
            return;
        }
        self.client_hears.1.extend_from_slice(&bytes);
        while let Some(packet) =
            self.client_hears.0.decode(&mut self.client_hears.1).expect("the server makes packets")
        {
            if let Packet::ConnAck(connack) = &packet {
                let theirs = connack.properties.receive_maximum().unwrap_or(u16::MAX);
                // MQTT 3.1 has no way to say it.
                let assumed = self.plan.version == ProtocolVersion::V31
                    && !self.plan.clean_start
                    && self.connections > 0;
                self.client_tap.connected(theirs, connack.session_present || assumed);
            }
            self.client_tap.received(&packet);
        }
        self.client_buffer.extend_from_slice(&bytes);
        self.client.on_bytes(Millis(self.now), &mut self.client_buffer);
    }

    /// Counts bytes that are about to arrive; whether the wire was cut right before them.
    fn count(&mut self, len: usize) -> bool {
        let Some(cut_after) = self.plan.cuts_after_bytes.front() else {
            self.bytes_since_cut += len as u64;
            return false;
        };
        if self.bytes_since_cut < *cut_after {
            self.bytes_since_cut += len as u64;
            return false;
        }
        self.plan.cuts_after_bytes.pop_front();
        self.bytes_since_cut = 0;
        self.cut(Some(0));
        true
    }

    fn publish_up(&mut self, qos: QoS) {
        let number = self.up.next_number();
        let refused = self.plan.refusals && self.rng.u8(0..8) == 0;
        let (topic, payload) = self.message("up", number, refused);
        let message = Message { qos, ..Message::new(topic.clone(), payload) };
        self.up.sent(topic_of(&topic), qos);
        let token = self.client.publish(message).expect("there is room");
        self.tokens.insert(token, number);
    }

    fn message(&mut self, direction: &str, number: usize, refused: bool) -> (TopicName, Bytes) {
        let topic = self.rng.u8(0..3);
        let padding = "x".repeat(self.rng.usize(0..=self.plan.chunk_max));
        let payload = format!("{number} {padding}{}", if refused { "!" } else { "" });
        let topic = TopicName::new(&format!("{direction}/{topic}")).expect("a topic");
        (topic, Bytes::from(payload))
    }

    fn pump_client(&mut self) {
        loop {
            let mut busy = false;
            let mut out = BytesMut::new();
            while !self.stalled && self.client.poll_transmit(&mut out) {
                busy = true;
                self.client_sent(&out);
                self.send_up(out.split().freeze());
                // A transport that is full for a while.
                if self.plan.latency_max_ms > 1 && self.rng.u8(0..10) == 0 {
                    self.stalled = true;
                    let at = self.now + self.rng.u64(0..100);
                    self.at(at, Happening::Writable);
                }
            }
            while let Some(action) = self.client.poll_action() {
                busy = true;
                self.act(action);
            }
            while let Some(event) = self.client.poll_event() {
                busy = true;
                self.on_event(event);
            }
            if !busy {
                return;
            }
        }
    }

    fn client_sent(&mut self, bytes: &[u8]) {
        self.client_sends.1.extend_from_slice(bytes);
        while let Some(packet) =
            self.client_sends.0.decode(&mut self.client_sends.1).expect("the client makes packets")
        {
            if self.plan.trace {
                eprintln!("{:>8} client sends {packet:?}", self.now);
            }
            self.pings += u64::from(packet == Packet::PingReq);
            self.client_tap.sent(&packet);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Open => {
                self.wires.push(Wire::default());
                let wire = self.wires.len() - 1;
                let never = self.plan.latency_max_ms > 1 && self.rng.u8(0..30) == 0;
                if !never {
                    let at = self.now + self.rng.u64(0..=self.plan.latency_max_ms);
                    self.at(at, Happening::Opened { wire });
                }
            }
            Action::Close => {
                let id = self.wires.len() - 1;
                let wire = &mut self.wires[id];
                wire.client_gone = true;
                let (black_hole, last) = (wire.black_hole, wire.to_server_last);
                if !black_hole {
                    self.at(last, Happening::ServerSeesEnd { wire: id });
                }
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        if self.plan.trace {
            eprintln!("{:>8} client says {event:?}", self.now);
        }
        match event {
            Event::Connected(_) => self.connections += 1,
            Event::Message(message) => {
                let number = number_of(&message.payload);
                self.down.arrived(topic_of(&message.topic), message.qos, number);
            }
            Event::Subscribed { .. } => self.subscribed = true,
            Event::Published { token, .. } => self.up.decided(self.tokens[&token], Fate::Taken),
            Event::PublishFailed { token, why } => {
                let fate = match why {
                    PublishError::Refused { .. } => Fate::Refused,
                    PublishError::SessionLost => Fate::Lost,
                    other => panic!("{other}"),
                };
                self.up.decided(self.tokens[&token], fate);
            }
            Event::Disconnected { retry_in_ms: Some(_), why } => {
                use session::DisconnectReason as Why;
                let honest = !matches!(why, Why::Protocol(_) | Why::Connect(_) | Why::Requested);
                assert!(honest, "{why}");
            }
            other => panic!("{other:?}"),
        }
    }

    fn pump_server(&mut self) {
        while let Some((wire, bytes)) = self.server.transmit() {
            let mut last = self.wires[wire].to_client_last;
            for (at, bytes) in self.chunks(&mut last, bytes) {
                self.at(at, Happening::ToClient { wire, bytes });
            }
            self.wires[wire].to_client_last = last;
        }
    }

    fn send_up(&mut self, bytes: Bytes) {
        let Some(wire) = self.wires.len().checked_sub(1) else { return };
        let mut last = self.wires[wire].to_server_last;
        for (at, bytes) in self.chunks(&mut last, bytes) {
            self.at(at, Happening::ToServer { wire, bytes });
        }
        self.wires[wire].to_server_last = last;
    }

    /// Takes bytes apart; they arrive in their order, each piece in its time.
    fn chunks(&mut self, last: &mut u64, mut bytes: Bytes) -> Vec<(u64, Bytes)> {
        let mut chunks = Vec::new();
        while !bytes.is_empty() {
            let len = self.rng.usize(1..=self.plan.chunk_max).min(bytes.len());
            *last = (*last).max(self.now + self.rng.u64(1..=self.plan.latency_max_ms));
            chunks.push((*last, bytes.split_to(len)));
        }
        chunks
    }
}

/// What a cut leaves of bytes on their way.
fn survivors(left: &mut Option<usize>, mut bytes: Bytes) -> Bytes {
    if let Some(left) = left {
        bytes.truncate(*left);
        *left -= bytes.len();
    }
    bytes
}

pub fn topic_of(topic: &TopicName) -> u8 {
    let last = topic.as_str().rsplit('/').next();
    last.and_then(|number| number.parse().ok()).expect("topics of this world end in a number")
}

pub fn number_of(payload: &[u8]) -> usize {
    let text = std::str::from_utf8(payload).expect("payloads of this world are text");
    let number = text.split(' ').next().and_then(|number| number.parse().ok());
    number.expect("payloads of this world begin with a number")
}
