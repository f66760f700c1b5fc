//! The client of MQTT 3.1, 3.1.1 and 5.0, without I/O: handshake, keep-alive, both flows,
//! subscriptions, and reconnect with back-off.

use bytes::BytesMut;
use codec::{
    Ack, ConnAck, Decoder, Disconnect, EncodeError, Input, MqttString, Packet, PacketType,
    PropertyId, ProtocolVersion, Publish, PublishView, QoS, ReasonCode, Subscription, TopicFilter,
};
use core::num::NonZeroU16;
use std::collections::VecDeque;

use crate::backoff::Backoff;
use crate::operations::Operations;
use crate::outbox::{Outbox, encode};
use crate::{
    Action, AliasesIn, AliasesOut, Arrival, Connected, DisconnectReason, Event, Message, Millis,
    Options, PublishError, ReceiveFlow, ServerLimits, State, SubscribeError, Token, Violation,
};

/// A connection that held this long, in milliseconds, was a good one: the wait before the next
/// reconnect is a first one again.
pub const STABLE_AFTER_MS: u64 = 10_000;

/// About how many bytes [`Client::poll_transmit`] hands out at a time; a single packet may be larger.
pub const TRANSMIT_BATCH_BYTES: usize = 64 * 1024;

/// How many times as long as at first a client waits for the answer to a PINGREQ, at most.
pub const PING_PATIENCE_MAX: u64 = 8;

/// How many bytes of answers may wait for a server that sends and does not read.
pub const UNREAD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One client of one server, over as many connections as it takes.
///
/// It does no I/O. Its owner has a transport and a clock, and four families of methods:
///
/// * **Look**: [`state`](Self::state), [`client_id`](Self::client_id), [`held`](Self::held).
/// * **Feed** what the outside did: [`on_transport_open`](Self::on_transport_open),
///   [`on_bytes`](Self::on_bytes), [`on_transport_closed`](Self::on_transport_closed),
///   [`on_text`](Self::on_text), [`on_timeout`](Self::on_timeout).
/// * **Change** what is wanted: [`connect`](Self::connect), [`disconnect`](Self::disconnect),
///   [`publish`](Self::publish), [`subscribe`](Self::subscribe),
///   [`unsubscribe`](Self::unsubscribe), at any time, connected or not.
/// * **Poll** what is to be done. After each call of the two families before, and when the transport
///   can take more bytes, in this order:
///   1. [`poll_transmit`](Self::poll_transmit) until `false`: hand the bytes to the transport. Stop
///      early while it can't take them, and go on here when it can.
///   2. [`poll_action`](Self::poll_action) until `None`: open a transport, or close it behind the bytes
///      handed over before.
///   3. [`poll_event`](Self::poll_event) until `None`: what happened. An event may make you change
///      something; then begin again at 1.
///   4. [`poll_timeout`](Self::poll_timeout): set the one timer, for [`on_timeout`](Self::on_timeout).
///
/// Each new transport begins with an empty receive buffer, and after [`Action::Close`] nothing of the
/// old one is fed any more.
///
/// ```
/// use bytes::BytesMut;
/// use codec::{ConnAck, MqttString, Packet, Properties, ProtocolVersion, ReasonCode, TopicName};
/// use session::{Action, Client, Event, Message, Millis, Options};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let version = ProtocolVersion::V5;
/// let seed = 42; // Draw one, so that many clients do not come back at one instant.
/// let mut client = Client::new(Options::new(version, MqttString::new("kitchen")?), seed)?;
/// client.publish(Message::new(TopicName::new("kitchen/temperature")?, "21.5"))?;
///
/// client.connect(Millis(0));
/// assert_eq!(client.poll_action(), Some(Action::Open));
/// client.on_transport_open(Millis(3));
/// let mut to_send = BytesMut::new();
/// assert!(client.poll_transmit(&mut to_send), "CONNECT");
///
/// // …the server answers:
/// let connack = ConnAck {
///     session_present: false,
///     code: ReasonCode::Success,
///     properties: Properties::EMPTY,
/// };
/// let mut received = BytesMut::new();
/// Packet::ConnAck(connack).encode(version, &mut received)?;
/// client.on_bytes(Millis(5), &mut received);
/// assert!(matches!(client.poll_event(), Some(Event::Connected(_))));
///
/// to_send.clear();
/// assert!(client.poll_transmit(&mut to_send), "the message that waited");
/// assert!(matches!(client.poll_event(), Some(Event::Published { .. })));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Client {
    options: Options,
    state: State,
    backoff: Backoff,
    /// The last time we were told.
    now: Millis,
    decoder: Decoder,
    out: BytesMut,
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
    next_token: u64,

    outbox: Outbox,
    operations: Operations,
    receive: ReceiveFlow,
    /// Whether there was a session that the next connection may go on with.
    had_session: bool,
    clean_start_sent: bool,

    aliases_in: AliasesIn,
    aliases_out: AliasesOut,
    limits: ServerLimits,
    keep_alive_s: u16,
    /// When the transport, or the CONNACK, must be there.
    deadline: Millis,
    connected_at: Millis,
    last_sent: Millis,
    last_received: Millis,
    /// When the first PINGREQ that is not answered was sent.
    ping_since: Option<Millis>,
    /// How many times as long as at first its answer may take. A WebSocket hands a message over when it is
    /// whole: behind a very large one on a slow way a server looks dead. One that had no answer is given
    /// twice as long on the next connection.
    ping_patience: u64,
    /// Whether a PINGREQ was answered on this connection.
    was_ping_answered: bool,
    /// Whether a connection was given up on which none was: from then on only small packets are asked for.
    is_cautious: bool,
}

impl Client {
    /// A client that stays idle until [`connect`](Self::connect). The seed decides the waits before
    /// reconnects: draw it at random.
    ///
    /// # Errors
    /// The options make no CONNECT, a password of more than 65,535 bytes for instance.
    pub fn new(options: Options, seed: u64) -> Result<Self, EncodeError> {
        let connect = options.connect(options.clean_start, options.packet_size_max)?;
        Packet::Connect(Box::new(connect)).encode(options.version, &mut BytesMut::new())?;
        Ok(Self {
            state: State::Idle,
            backoff: Backoff::new(options.backoff, seed),
            now: Millis::default(),
            decoder: Decoder::client(options.version, options.packet_size_max),
            out: BytesMut::new(),
            actions: VecDeque::new(),
            events: VecDeque::new(),
            next_token: 0,
            outbox: Outbox::new(options.queue_messages_max, options.queue_bytes_max),
            operations: Operations::default(),
            receive: ReceiveFlow::new(options.told_receive_maximum()),
            had_session: false,
            clean_start_sent: options.clean_start,
            aliases_in: AliasesIn::new(0),
            aliases_out: AliasesOut::new(0),
            limits: ServerLimits::of(&codec::Properties::EMPTY),
            keep_alive_s: options.keep_alive_s,
            deadline: Millis::default(),
            connected_at: Millis::default(),
            last_sent: Millis::default(),
            last_received: Millis::default(),
            ping_since: None,
            ping_patience: 1,
            was_ping_answered: false,
            is_cautious: false,
            options,
        })
    }

    // Look.

    /// Where the client stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// The Client Identifier: ours, or the one that the server assigned.
    pub const fn client_id(&self) -> &MqttString {
        &self.options.client_id
    }

    /// How many messages are held, waiting or on their way.
    pub const fn held(&self) -> usize {
        self.outbox.len()
    }

    // Change.

    /// Connects, now, unless there is a connection or one is being made; from then on the client
    /// reconnects by itself.
    pub fn connect(&mut self, now: Millis) {
        self.now = now;
        if matches!(self.state, State::Idle | State::Waiting { .. }) {
            self.open();
        }
    }

    /// Ends the connection with a DISCONNECT, behind the messages of QoS 0 that wait. What else waits
    /// is held for the next [`connect`](Self::connect).
    pub fn disconnect(&mut self, now: Millis) {
        self.now = now;
        let close = match self.state {
            State::Idle => return,
            State::Waiting { .. } => false,
            State::Opening | State::Handshake => true,
            State::Connected => {
                self.fill(usize::MAX);
                self.send(&Packet::Disconnect(Disconnect::new(ReasonCode::Success)));
                true
            }
        };
        self.leave(close);
        self.state = State::Idle;
        let why = DisconnectReason::Requested;
        self.events.push_back(Event::Disconnected { why, retry_in_ms: None });
    }

    /// Takes a message to publish; [`Event::Published`] or [`Event::PublishFailed`] says what became of
    /// it. Messages of QoS 1 and 2 survive reconnects; all wait while there is no connection.
    ///
    /// # Errors
    /// There are too many already, it has no form as a packet, or the server, if there is one, has said
    /// that it would not take it.
    pub fn publish(&mut self, message: Message) -> Result<Token, PublishError> {
        let version = self.options.version;
        let message = message.checked(version).map_err(PublishError::Encode)?;
        if self.state == State::Connected {
            message.fits(version, &self.limits)?;
        }
        let token = Token(self.next_token);
        self.outbox.push(token, message)?;
        self.next_token = self.next_token.saturating_add(1);
        Ok(token)
    }

    /// Subscribes, and does so again whenever the server has lost the session;
    /// [`Event::Subscribed`] says what became of it. A filter that was subscribed to before gets the
    /// new options. The subscription identifier, from 1, comes with each message of MQTT 5.0.
    ///
    /// # Errors
    /// See [`SubscribeError`].
    pub fn subscribe(
        &mut self,
        subscriptions: Vec<Subscription>,
        identifier: Option<u32>,
    ) -> Result<Token, SubscribeError> {
        let identifier = identifier.filter(|_| self.options.version.is_v5());
        let token = Token(self.next_token);
        self.operations.subscribe(token, subscriptions, identifier, self.options.version)?;
        self.next_token = self.next_token.saturating_add(1);
        Ok(token)
    }

    /// Unsubscribes; [`Event::Unsubscribed`] says what became of it.
    ///
    /// # Errors
    /// See [`SubscribeError`].
    pub fn unsubscribe(&mut self, filters: Vec<TopicFilter>) -> Result<Token, SubscribeError> {
        let token = Token(self.next_token);
        self.operations.unsubscribe(token, filters, self.options.version)?;
        self.next_token = self.next_token.saturating_add(1);
        Ok(token)
    }

    // Feed.

    /// The transport that [`Action::Open`] asked for is open.
    pub fn on_transport_open(&mut self, now: Millis) {
        self.now = now;
        if self.state != State::Opening {
            return;
        }
        let version = self.options.version;
        self.decoder = Decoder::client(version, self.options.packet_size_max);
        self.aliases_in = AliasesIn::new(self.options.topic_alias_maximum);
        self.out.clear();
        self.clean_start_sent = self.wants_clean_start();
        let connect = match self.options.connect(self.clean_start_sent, self.packet_size_asked()) {
            Ok(connect) => Packet::Connect(Box::new(connect)),
            Err(error) => return self.lose(DisconnectReason::Connect(error), true),
        };
        // The server may have assigned an identifier that makes it too large.
        if let Err(error) = connect.encode(version, &mut self.out) {
            return self.lose(DisconnectReason::Connect(error), true);
        }
        self.state = State::Handshake;
        self.deadline = now.after(self.options.handshake_timeout_ms);
    }

    /// Bytes came. Whole packets are taken off `input`; what is left must be there again, in front of
    /// what comes next.
    pub fn on_bytes<I: Input>(&mut self, now: Millis, input: &mut I) {
        self.on_bytes_with(now, input, |_| false);
    }

    /// [`on_bytes`](Self::on_bytes) for who takes in very many messages: plain ones of QoS 0 are offered to
    /// `take` where they lie, and those that it takes are no events.
    ///
    /// None is offered while events wait to be polled, so messages keep their order.
    pub fn on_bytes_with<I: Input>(
        &mut self,
        now: Millis,
        input: &mut I,
        mut take: impl FnMut(&PublishView<'_>) -> bool,
    ) {
        self.now = now;
        self.last_received = now;
        while matches!(self.state, State::Handshake | State::Connected) {
            if self.state == State::Connected && self.events.is_empty() {
                let taken = self.offer(input.as_slice(), &mut take);
                if taken > 0 {
                    input.take(taken);
                }
            }
            let done = match self.decoder.decode(input) {
                Ok(Some(packet)) => self.on_packet(packet),
                Ok(None) => return,
                Err(error) => Err(Violation::Decode(error)),
            };
            if let Err(violation) = done {
                self.violated(violation);
            } else if self.out.len() > UNREAD_BYTES_MAX {
                self.lose(DisconnectReason::ServerDoesNotRead, true);
            }
        }
        // Nothing that follows the end of a connection has a meaning.
        input.take(input.as_slice().len());
    }

    /// Offers the messages at the start of `bytes`; returns the length of those that were taken.
    fn offer(&self, bytes: &[u8], take: &mut impl FnMut(&PublishView<'_>) -> bool) -> usize {
        let mut taken = 0usize;
        while let Some(view) = bytes
            .get(taken..)
            .and_then(|rest| PublishView::peek(rest, self.options.version))
            .filter(|view| view.qos == QoS::AtMostOnce)
            .filter(|view| view.packet.len() <= self.options.packet_size_max as usize)
            && take(&view)
        {
            taken = taken.saturating_add(view.packet.len());
        }
        taken
    }

    /// The transport is closed, by the other end or by an error, or it could not be opened.
    pub fn on_transport_closed(&mut self, now: Millis) {
        self.now = now;
        let why = match self.state {
            State::Idle | State::Waiting { .. } => return,
            State::Opening => DisconnectReason::Unreachable,
            State::Handshake | State::Connected => DisconnectReason::TransportClosed,
        };
        self.out.clear();
        self.lose(why, false);
    }

    /// A text frame came over a WebSocket, for which it must be closed [MQTT-6.0.0-1].
    pub fn on_text(&mut self, now: Millis) {
        self.now = now;
        if matches!(self.state, State::Handshake | State::Connected) {
            self.lose(DisconnectReason::Text, true);
        }
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) named has come. Too early does no harm.
    pub fn on_timeout(&mut self, now: Millis) {
        self.now = now;
        match self.state {
            State::Idle => {}
            State::Waiting { until } if now >= until => self.open(),
            State::Waiting { .. } => {}
            State::Opening if now >= self.deadline => {
                self.lose(DisconnectReason::OpenTimeout, true);
            }
            State::Handshake if now >= self.deadline => {
                self.lose(DisconnectReason::HandshakeTimeout, true);
            }
            State::Opening | State::Handshake => {}
            State::Connected => self.keep_alive(),
        }
    }

    // Poll.

    /// Appends bytes for the transport to `out`; `false` if there are none to send now.
    pub fn poll_transmit(&mut self, out: &mut BytesMut) -> bool {
        if self.state == State::Connected {
            self.fill(TRANSMIT_BATCH_BYTES);
        }
        if self.out.is_empty() {
            return false;
        }
        self.last_sent = self.now;
        if out.is_empty() {
            core::mem::swap(out, &mut self.out);
        } else {
            out.extend_from_slice(&self.out);
        }
        self.out.clear();
        true
    }

    /// What to do with the transport next.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`on_timeout`](Self::on_timeout) is to be called; `None` if it need not be.
    pub fn poll_timeout(&self) -> Option<Millis> {
        match self.state {
            State::Idle => None,
            State::Waiting { until } => Some(until),
            State::Opening | State::Handshake => Some(self.deadline),
            State::Connected => {
                let silence = self.silence_max_ms()?;
                let ours = self.last_sent.after(silence);
                Some(ours.min(match self.ping_since {
                    Some(_) => self.ping_deadline(),
                    None => self.last_received.after(silence),
                }))
            }
        }
    }

    // The connection.

    fn open(&mut self) {
        self.state = State::Opening;
        self.deadline = self.now.after(self.options.open_timeout_ms);
        self.actions.push_back(Action::Open);
    }

    fn packet_size_asked(&self) -> u32 {
        let cautious = if self.is_cautious { self.options.packet_size_cautious } else { u32::MAX };
        self.options.packet_size_max.min(cautious)
    }

    /// Before MQTT 5.0 the flag also says that the session ends with the connection.
    const fn wants_clean_start(&self) -> bool {
        let goes_on =
            self.options.version.is_v5() && self.had_session && self.options.session_expiry_s != 0;
        self.options.clean_start && !goes_on
    }

    /// Forgets the connection, not the session.
    fn leave(&mut self, close: bool) {
        // An Open that nobody has seen yet need be neither done nor undone.
        let unseen = self.actions.back() == Some(&Action::Open);
        if unseen {
            self.actions.pop_back();
        } else if close {
            self.actions.push_back(Action::Close);
        }
        if self.state == State::Connected && self.now.since(self.connected_at) >= STABLE_AFTER_MS {
            self.backoff.reset();
        }
        self.ping_since = None;
        self.receive.on_connection_lost();
        for id in self.operations.connection_lost() {
            self.outbox.flow.release_id(id);
        }
    }

    /// The connection is lost, and another is tried for if that can help.
    fn lose(&mut self, why: DisconnectReason, close: bool) {
        self.leave(close);
        let helps = match &why {
            DisconnectReason::Requested | DisconnectReason::Connect(_) => false,
            DisconnectReason::ByServer { code, .. } => retry_helps(*code),
            _ => true,
        };
        let retry_in_ms = self.wait_or_stop(helps);
        self.events.push_back(Event::Disconnected { why, retry_in_ms });
    }

    fn wait_or_stop(&mut self, wait: bool) -> Option<u64> {
        if !wait {
            self.state = State::Idle;
            return None;
        }
        let ms = self.backoff.next_ms();
        self.state = State::Waiting { until: self.now.after(ms) };
        Some(ms)
    }

    fn violated(&mut self, violation: Violation) {
        // Before MQTT 5.0 a client has no way to say why.
        if self.options.version.is_v5() && self.state == State::Connected {
            self.send(&Packet::Disconnect(Disconnect::new(violation.reason_code())));
        }
        self.lose(DisconnectReason::Protocol(violation), true);
    }

    fn send(&mut self, packet: &Packet) {
        encode(packet, self.options.version, &mut self.out);
    }

    /// Gathers packets to send, up to about `len` bytes.
    fn fill(&mut self, len: usize) {
        let version = self.options.version;
        while self.out.len() < len && self.operations.has_waiting() {
            let Some(id) = self.outbox.flow.reserve_id() else { break };
            let (operations, out) = (&mut self.operations, &mut self.out);
            if let Some(id) = operations.transmit(id, version, &self.limits, out, &mut self.events)
            {
                self.outbox.flow.release_id(id);
            }
        }
        let aliases = &mut self.aliases_out;
        while self.out.len() < len
            && self.outbox.transmit(version, aliases, &mut self.out, &mut self.events)
        {}
    }

    // Keep-alive.

    /// How long either end may be silent before we send a PINGREQ. A quarter less than was agreed, for
    /// the time that a packet takes.
    fn silence_max_ms(&self) -> Option<u64> {
        (self.keep_alive_s != 0).then(|| u64::from(self.keep_alive_s).saturating_mul(750))
    }

    /// Bytes of any kind show that the server is there.
    fn ping_deadline(&self) -> Millis {
        let since = self.ping_since.unwrap_or(self.last_sent).max(self.last_received);
        since.after(self.options.ping_timeout_ms.saturating_mul(self.ping_patience))
    }

    fn keep_alive(&mut self) {
        let Some(silence) = self.silence_max_ms() else { return };
        if self.ping_since.is_some() && self.now >= self.ping_deadline() {
            self.ping_patience = self.ping_patience.saturating_mul(2).min(PING_PATIENCE_MAX);
            self.is_cautious |= !self.was_ping_answered;
            return self.lose(DisconnectReason::PingTimeout, true);
        }
        let silent = |last: Millis| self.now >= last.after(silence);
        if silent(self.last_sent) || self.ping_since.is_none() && silent(self.last_received) {
            self.send(&Packet::PingReq);
            self.last_sent = self.now;
            self.ping_since.get_or_insert(self.now);
        }
    }

    // Packets.

    fn on_packet(&mut self, packet: Packet) -> Result<(), Violation> {
        let kind = packet.packet_type();
        match (self.state, packet) {
            (State::Handshake, Packet::ConnAck(connack)) => self.on_connack(connack),
            (State::Connected, Packet::Publish(publish)) => self.on_publish(publish),
            (State::Connected, Packet::PubAck(ack)) => {
                let done = self.outbox.on_puback(&ack);
                self.events.extend(done.map_err(|error| Violation::Flow(kind, error))?);
                Ok(())
            }
            (State::Connected, Packet::PubRec(ack)) => {
                let done = self.outbox.on_pubrec(&ack);
                let (event, pubrel) = done.map_err(|error| Violation::Flow(kind, error))?;
                if let Some(pubrel) = pubrel {
                    self.send(&Packet::PubRel(pubrel));
                }
                self.events.extend(event);
                Ok(())
            }
            (State::Connected, Packet::PubRel(ack)) => {
                let known = self.receive.on_pubrel(ack.packet_id);
                let code =
                    if known { ReasonCode::Success } else { ReasonCode::PacketIdentifierNotFound };
                self.send(&Packet::PubComp(Ack::new(ack.packet_id, code)));
                Ok(())
            }
            (State::Connected, Packet::PubComp(ack)) => {
                let done = self.outbox.on_pubcomp(ack.packet_id);
                done.map_err(|error| Violation::Flow(kind, error))
            }
            (State::Connected, Packet::SubAck(suback)) => {
                let answer = self.operations.on_suback(suback.packet_id, &suback.codes);
                self.on_answer(suback.packet_id, answer.map_err(|_| Violation::CodeCount(kind))?);
                Ok(())
            }
            (State::Connected, Packet::UnsubAck(unsuback)) => {
                let (id, version) = (unsuback.packet_id, self.options.version);
                let answer = self.operations.on_unsuback(id, &unsuback.codes, version);
                self.on_answer(id, answer.map_err(|_| Violation::CodeCount(kind))?);
                Ok(())
            }
            (State::Connected, Packet::PingResp) => {
                self.ping_since = None;
                self.ping_patience = 1;
                self.was_ping_answered = true;
                Ok(())
            }
            (State::Connected, Packet::Disconnect(disconnect)) => {
                self.lose(
                    DisconnectReason::ByServer {
                        code: disconnect.code,
                        reason: disconnect.properties.reason_string(),
                        server_reference: disconnect.properties.server_reference(),
                    },
                    true,
                );
                Ok(())
            }
            _ => Err(Violation::Unexpected(kind)),
        }
    }

    /// An identifier that was not asked with is nobody's, and stays as it is.
    fn on_answer(&mut self, id: codec::PacketId, answer: Option<Event>) {
        if let Some(event) = answer {
            self.outbox.flow.release_id(id);
            self.events.push_back(event);
        }
    }

    fn on_connack(&mut self, connack: ConnAck) -> Result<(), Violation> {
        let properties = &connack.properties;
        if connack.code.is_error() {
            let code = connack.code;
            let (reason, server_reference) =
                (properties.reason_string(), properties.server_reference());
            self.leave(true);
            let retry_in_ms = self.wait_or_stop(retry_helps(code));
            self.events.push_back(Event::Refused { code, reason, server_reference, retry_in_ms });
            return Ok(());
        }
        if connack.session_present && self.clean_start_sent {
            return Err(Violation::SessionPresent);
        }
        self.limits = ServerLimits::of(properties);
        self.keep_alive_s = properties.server_keep_alive().unwrap_or(self.options.keep_alive_s);
        if let Some(client_id) = properties.assigned_client_identifier() {
            self.options.client_id = client_id;
        }
        self.aliases_out = AliasesOut::new(self.limits.topic_alias_maximum);
        self.state = State::Connected;
        self.connected_at = self.now;
        self.was_ping_answered = false;
        self.last_sent = self.now;
        self.go_on_with_session(connack.session_present);
        self.had_session = true;
        let session_expiry_s = if self.options.version.is_v5() {
            properties.session_expiry_interval().unwrap_or(self.options.session_expiry_s)
        } else {
            0
        };
        self.events.push_back(Event::Connected(Connected {
            session_present: connack.session_present,
            client_id: self.options.client_id.clone(),
            keep_alive_s: self.keep_alive_s,
            session_expiry_s,
            limits: self.limits,
            is_cautious: self.is_cautious,
            properties: connack.properties,
        }));
        Ok(())
    }

    fn go_on_with_session(&mut self, present: bool) {
        let version = self.options.version;
        // MQTT 3.1 has no way to say it: the flows go on as if it were there, and subscribing once more
        // does no harm.
        let assumed = version == ProtocolVersion::V31 && self.had_session && !self.clean_start_sent;
        if !present {
            self.operations.session_lost();
        }
        let resumed = present || assumed;
        if !resumed {
            self.receive = ReceiveFlow::new(self.options.told_receive_maximum());
        }
        let receive_maximum = NonZeroU16::new(self.limits.receive_maximum)
            .map_or(self.options.inflight_max, |theirs| theirs.min(self.options.inflight_max));
        let (limits, events) = (&self.limits, &mut self.events);
        self.outbox.connected(resumed, version, limits, receive_maximum, events);
    }

    fn on_publish(&mut self, publish: Publish) -> Result<(), Violation> {
        let topic = self
            .aliases_in
            .resolve(publish.topic, publish.properties.topic_alias())
            .map_err(Violation::Alias)?;
        let arrival = match publish.packet_id {
            None => Arrival::New,
            Some(id) => self
                .receive
                .on_publish(id, publish.qos)
                .map_err(|error| Violation::Flow(PacketType::Publish, error))?,
        };
        if let Some(id) = publish.packet_id {
            let ack = Ack::new(id, ReasonCode::Success);
            let packet = match publish.qos {
                QoS::ExactlyOnce => Packet::PubRec(ack),
                QoS::AtMostOnce | QoS::AtLeastOnce => Packet::PubAck(ack),
            };
            self.send(&packet);
            self.receive.acknowledged(id, publish.qos, ReasonCode::Success);
        }
        if arrival == Arrival::New {
            self.events.push_back(Event::Message(Message {
                topic,
                payload: publish.payload,
                qos: publish.qos,
                retain: publish.retain,
                properties: publish.properties.filtered(|id| id != PropertyId::TopicAlias),
            }));
        }
        Ok(())
    }
}

impl Options {
    /// Before MQTT 5.0 there is no way to tell it.
    const fn told_receive_maximum(&self) -> NonZeroU16 {
        if self.version.is_v5() { self.receive_maximum } else { NonZeroU16::MAX }
    }
}

/// Whether the same CONNECT can succeed later. Where another client took the session over, coming back
/// would only make the two push each other out.
const fn retry_helps(code: ReasonCode) -> bool {
    !matches!(
        code,
        ReasonCode::UnsupportedProtocolVersion
            | ReasonCode::ClientIdentifierNotValid
            | ReasonCode::BadUserNameOrPassword
            | ReasonCode::NotAuthorized
            | ReasonCode::Banned
            | ReasonCode::BadAuthenticationMethod
            | ReasonCode::SessionTakenOver
            | ReasonCode::TopicNameInvalid
            | ReasonCode::PayloadFormatInvalid
            | ReasonCode::QoSNotSupported
            | ReasonCode::RetainNotSupported
            | ReasonCode::UseAnotherServer
            | ReasonCode::ServerMoved
    )
}
