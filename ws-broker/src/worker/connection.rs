//! The task of one connection: from its first byte to its last.

use std::future::poll_fn;
use std::io;
use std::ops::ControlFlow;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use codec::{Connect, DecodeError, Decoder, Packet, ProtocolVersion, QoS, ReasonCode};
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::access::Identity;
use crate::broker::{Counters, WorkerId, count};
use crate::limits::{READ_CHUNK, WRITES_PER_TURN};
use crate::log::CONNECTION;
use crate::net::Peer;
use crate::worker::ahead::Ahead;
use crate::worker::bridge::Crossing;
use crate::worker::link::{Cause, SharedLink};
use crate::worker::login::Login;
use crate::worker::mount::mounted_topic;
use crate::worker::out::{OutBuffer, SpareBuffers};
use crate::worker::packets::OUT_OF_MEMORY;
use crate::worker::rules;
use crate::worker::sessions::{NoSession, refusal, wants_words};
use crate::worker::transport::{Incoming, ReadError, Transport};
use crate::worker::{Adopted, Connected, Handshake, Mail, State, Worker};

/// Chunks that one turn reads from a connection before others get theirs.
const CHUNKS_PER_TURN: usize = 4;

/// Serves a connection that has sent nothing yet, and has to have connected by this time.
///
/// What this future is made of is copied and allocated for every connection, so what is rare is in
/// futures of their own on the heap.
#[expect(clippy::manual_async_fn, reason = "arguments of an `async fn` are kept twice")]
pub(super) fn serve(
    worker: Rc<Worker>,
    mut greeting: Greeting,
    deadline: Instant,
) -> impl Future<Output = ()> {
    async move {
        let handshake = Handshake::begin(&worker);
        let greeted = tokio::time::timeout_at(deadline, greeting.greet(&worker)).await;
        drop(handshake);
        let refusal = match greeted {
            Ok(Ok((connect, login))) => {
                let packet_size_max = worker.settings().config.limits.packet_size_max;
                greeting.transport.let_in(packet_size_max);
                match establish(&worker, greeting, connect, login) {
                    Ok(()) => return,
                    Err(refusal) => refusal,
                }
            }
            Ok(Err(refused)) => Box::new((greeting, refused)),
            Err(_) => {
                let why = "it did not connect and log in in time";
                Box::new((greeting, Refused::silently(why.into())))
            }
        };
        Box::pin(refuse(&worker, refusal)).await;
    }
}

/// Goes on with a connection whose session lives here and whose CONNECT another worker has read.
pub(super) async fn adopt(worker: Rc<Worker>, adopted: Adopted) {
    let Adopted { transport, peer, decoder, incoming, connect, login } = adopted;
    match transport.into_here() {
        Ok(transport) => {
            let greeting = Greeting { transport, incoming, decoder, peer };
            if let Err(refusal) = establish(&worker, greeting, connect, login) {
                Box::pin(refuse(&worker, refusal)).await;
            }
        }
        Err(error) => tracing::warn!("Connection from {peer} could not be moved: {error}."),
    }
}

async fn refuse(worker: &Worker, refusal: Box<(Greeting, Refused)>) {
    let (greeting, refused) = *refusal;
    greeting.refuse(worker, refused).await;
}

/// A connection before its CONNECT was accepted.
pub(super) struct Greeting {
    pub transport: Transport,
    incoming: Incoming,
    decoder: Decoder,
    pub peer: Peer,
}

/// Why a connection is turned down, and what it is told.
pub(super) struct Refused {
    pub why: String,
    /// Whether the client is told why in words, too.
    pub in_words: bool,
    pub connack: Option<(ReasonCode, ProtocolVersion)>,
    /// The largest packet that the client takes, as far as that is known.
    pub packet_size_max: u32,
}

impl Refused {
    pub(super) fn silently(why: String) -> Self {
        Self { why, in_words: false, connack: None, packet_size_max: u32::MAX }
    }
}

impl Greeting {
    pub(super) fn new(worker: &Worker, mut transport: Transport, peer: Peer) -> Self {
        let connect_max = worker.settings().config.limits.connect_size_max;
        let quota = usize::try_from(connect_max).unwrap_or(usize::MAX).saturating_add(READ_CHUNK);
        transport.bound(quota);
        let incoming = Incoming::default();
        Self { transport, incoming, decoder: Decoder::server(connect_max), peer }
    }

    /// Reads the CONNECT and finds out who the client is. Until that is known nothing happens that
    /// anybody else could notice.
    async fn greet(&mut self, worker: &Worker) -> Result<(Box<Connect>, Login), Refused> {
        let Packet::Connect(mut connect) = self.read_packet(worker, None).await? else {
            // The decoder lets nothing else through.
            return Err(Refused::silently("its first packet is no CONNECT".into()));
        };
        count(&worker.state.borrow().counters.connects_received, 1);
        self.check(worker, &connect)?;
        let login = self.log_in(worker, &mut connect).await?;
        self.mount_will(worker, &mut connect)?;
        self.decoder.set_packet_size_max(worker.settings().config.limits.packet_size_max);
        detach_from_packet(&mut connect);
        Ok((connect, login))
    }

    /// Reads the next packet. `version` is that of the CONNECT, if one was read.
    pub(super) async fn read_packet(
        &mut self,
        worker: &Worker,
        version: Option<ProtocolVersion>,
    ) -> Result<Packet, Refused> {
        loop {
            // The first packet is read while it may still be looked at for its version.
            let head = Head::of(&self.incoming);
            match decode(&mut self.decoder, &mut self.incoming) {
                Ok(Some(packet)) => {
                    count(&worker.state.borrow().counters.packets_received, 1);
                    return Ok(packet);
                }
                Ok(None) => self.incoming.keep_rest(),
                Err(error) => {
                    count(&worker.state.borrow().counters.protocol_errors, 1);
                    let version = version.or_else(|| head.version().filter(|_| has_answer(&error)));
                    return Err(Refused {
                        why: error.to_string(),
                        in_words: false,
                        connack: version.map(|version| (error.reason_code(), version)),
                        packet_size_max: u32::MAX,
                    });
                }
            }
            poll_fn(|cx| {
                let mut state = worker.state.borrow_mut();
                poll_read(&mut self.transport, cx, &mut self.incoming, &mut state)
            })
            .await
            .map_err(|error| Refused::silently(error.to_string()))?;
        }
    }

    /// Writes all that waits.
    pub(super) async fn write(&mut self, worker: &Worker, out: &mut OutBuffer) -> io::Result<()> {
        let counters = Arc::clone(&worker.state.borrow().counters);
        poll_fn(|cx| poll_write(&mut self.transport, cx, out, &counters)).await
    }

    /// What a CONNECT must hold beyond being well formed.
    fn check(&self, worker: &Worker, connect: &Connect) -> Result<(), Refused> {
        match rules::objection(&worker.settings(), self.peer.listener, connect) {
            Some((code, why)) => Err(Refused {
                why: why.into(),
                in_words: wants_words(connect),
                connack: Some((code, connect.version)),
                packet_size_max: packet_size_max(connect),
            }),
            None => Ok(()),
        }
    }

    /// Has the topic of the will be what it is to the broker.
    fn mount_will(&self, worker: &Worker, connect: &mut Connect) -> Result<(), Refused> {
        let settings = worker.settings();
        let mount = settings.listener(self.peer.listener).mount_point.as_ref();
        let (version, packet_size_max) = (connect.version, packet_size_max(connect));
        let Some(will) = &mut connect.will else { return Ok(()) };
        will.topic = mounted_topic(mount, will.topic.clone()).map_err(|error| Refused {
            why: format!("the topic of its will is not one: {error}"),
            in_words: true,
            connack: Some((ReasonCode::TopicNameInvalid, version)),
            packet_size_max,
        })?;
        Ok(())
    }

    /// Tells the client why it is turned down, where its version has words for it, and hangs up.
    async fn refuse(mut self, worker: &Worker, refused: Refused) {
        let (peer, why) = (self.peer, &refused.why);
        tracing::info!(target: CONNECTION, peer = %peer, "Connection from {peer} closed: {why}.");
        if let Some((code, version)) = refused.connack {
            let (mut out, mut spare) = (OutBuffer::default(), SpareBuffers::default());
            // Words are left out where they would make the packet too large [MQTT-3.2.2-19].
            let in_words = refused.in_words && version.is_v5();
            let words = if in_words { &[refused.why.as_str(), ""][..] } else { &[""] };
            let max = refused.packet_size_max;
            let fits = words
                .iter()
                .any(|why| out.append(&refusal(code, why), version, max, &mut spare).is_ok());
            if fits {
                let linger = worker.settings().config.limits.linger;
                let _ = tokio::time::timeout(linger, self.write(worker, &mut out)).await;
            }
        }
        hang_up(worker, &mut self.transport, true).await;
    }
}

/// The first bytes of a connection, which say what version a CONNECT is of even if it is malformed.
struct Head {
    bytes: [u8; 16],
}

impl Head {
    fn of(incoming: &Incoming) -> Self {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(incoming.bytes()) {
            *to = *from;
        }
        Self { bytes }
    }

    /// The version to answer in: that of the CONNECT, or the one that has a return code for a version
    /// that nobody knows (MQTT 3.1.1 §3.1.2.2).
    fn version(&self) -> Option<ProtocolVersion> {
        let (0x10, mut rest) = self.bytes.split_first().map(|(first, rest)| (*first, rest))? else {
            return None;
        };
        // Behind the Remaining Length of one to four bytes stands the protocol name.
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            if byte & 0x80 == 0 {
                break;
            }
        }
        if rest.starts_with(b"\0\x06MQIsdp") {
            return Some(ProtocolVersion::V31);
        }
        let level = rest.strip_prefix(b"\0\x04MQTT")?.first()?;
        Some(if *level == 5 { ProtocolVersion::V5 } else { ProtocolVersion::V311 })
    }
}

/// Whether a CONNECT that can't be taken is answered. One that can't even be read is not, as MQTT 3.1.1
/// demands and MQTT 5.0 allows (§3.1.4): what sent it is hardly a client of MQTT.
fn has_answer(error: &DecodeError) -> bool {
    use codec::DecodeErrorKind as Kind;
    matches!(
        error.kind,
        Kind::ProtocolVersion(_)
            | Kind::TooLarge { .. }
            | Kind::UnknownProperty(_)
            | Kind::PropertyNotAllowed(_)
            | Kind::DuplicateProperty(_)
            | Kind::PropertyValue(_)
            | Kind::AuthDataWithoutMethod
    )
}

pub(super) fn decode(
    decoder: &mut Decoder,
    incoming: &mut Incoming,
) -> Result<Option<Packet>, DecodeError> {
    if incoming.partial.is_empty() {
        decoder.decode(&mut incoming.chunk)
    } else {
        decoder.decode(&mut incoming.partial)
    }
}

/// Brings a connection to its session, which may live on another worker.
///
/// # Errors
/// The client can't have a session.
fn establish(
    worker: &Rc<Worker>,
    greeting: Greeting,
    connect: Box<Connect>,
    login: Login,
) -> Result<(), Box<(Greeting, Refused)>> {
    let home = worker.shared.registry.claim(&connect.client_id, worker.id);
    if home != worker.id {
        let Greeting { transport, incoming, decoder, peer, .. } = greeting;
        match transport.into_moving() {
            Ok(transport) => {
                let adopted = Adopted { transport, peer, decoder, incoming, connect, login };
                worker.shared.send(home, Mail::Adopt(Box::new(adopted)));
            }
            Err(error) => tracing::warn!("Connection from {peer} could not be moved: {error}."),
        }
        return Ok(());
    }
    let described = describe(&connect, &login.identity);
    let version = connect.version;
    let packet_size_max = packet_size_max(&connect);
    let in_words = wants_words(&connect);
    let peer = greeting.peer;
    let attached = {
        let mut state = worker.state.borrow_mut();
        if state.stopping {
            return Ok(());
        }
        state.begin_turn();
        let attached = state.attach(*connect, &login, peer);
        state.end_turn();
        attached
    };
    let (slot, link) = match attached {
        Ok(attached) => attached,
        Err(no_session) => {
            let refused = match no_session {
                NoSession::TooMany => Refused {
                    why: "there are as many sessions as there may be".into(),
                    in_words,
                    connack: Some((ReasonCode::QuotaExceeded, version)),
                    packet_size_max,
                },
                NoSession::OutOfMemory => Refused {
                    why: OUT_OF_MEMORY.into(),
                    in_words,
                    connack: Some((ReasonCode::QuotaExceeded, version)),
                    packet_size_max,
                },
                NoSession::OfBridge => Refused {
                    why: "its client identifier is that of a bridge".into(),
                    in_words: true,
                    connack: Some((ReasonCode::ClientIdentifierNotValid, version)),
                    packet_size_max,
                },
                NoSession::ConnAckTooLarge => {
                    let why = "its Maximum Packet Size leaves no room for a CONNACK";
                    Refused::silently(why.into())
                }
            };
            return Err(Box::new((greeting, refused)));
        }
    };
    let what = if link.borrow().is_bridge { "bridge" } else { "client" };
    let client = link.borrow().client_id.clone();
    tracing::info!(
        target: CONNECTION,
        client = %client,
        peer = %peer,
        "New {what} connected from {peer} as {described}."
    );
    let Greeting { transport, mut incoming, decoder, .. } = greeting;
    incoming.present();
    link.borrow_mut().transport = Some(transport);
    let connection =
        Connection { worker: Rc::clone(worker), incoming, decoder, slot, link, crossing: None };
    // In a task of its own, which needs far less memory than the handshake did.
    tokio::task::spawn_local(connection.serve());
    Ok(())
}

/// The largest packet that the client takes.
pub(super) fn packet_size_max(connect: &Connect) -> u32 {
    connect.properties.maximum_packet_size().unwrap_or(u32::MAX)
}

/// Copies what is kept as long as the connection out of the packet it came in.
fn detach_from_packet(connect: &mut Connect) {
    connect.client_id = connect.client_id.detached();
    if let Some(will) = &mut connect.will {
        will.topic = will.topic.detached();
        will.payload = Bytes::copy_from_slice(&will.payload);
        will.properties = will.properties.detached();
    }
}

/// A client in the words of Mosquitto's log: version, clean start, keep alive, user name.
fn describe(connect: &Connect, identity: &Identity) -> String {
    let version = match connect.version {
        ProtocolVersion::V31 => 1,
        ProtocolVersion::V311 => 2,
        ProtocolVersion::V5 => 5,
    };
    let clean = u8::from(connect.clean_start);
    let mut text =
        format!("{} (p{version}, c{clean}, k{}", connect.client_id, connect.keep_alive_s);
    if let Some(username) = &identity.username {
        text.push_str(&format!(", u'{username}'"));
    }
    text.push(')');
    text
}

/// A connection and the session it belongs to.
pub(super) struct Connection {
    worker: Rc<Worker>,
    incoming: Incoming,
    decoder: Decoder,
    slot: usize,
    link: SharedLink,
    /// There if the other end is another broker, to which we connected.
    crossing: Option<Rc<Crossing>>,
}

impl Connection {
    /// The connection of a bridge.
    pub(super) fn to_broker(
        worker: &Rc<Worker>,
        transport: Transport,
        incoming: Incoming,
        decoder: Decoder,
        slot: usize,
        link: &SharedLink,
    ) -> Self {
        let (worker, link) = (Rc::clone(worker), Rc::clone(link));
        link.borrow_mut().transport = Some(transport);
        let crossing = link.borrow().crossing.clone();
        Self { worker, incoming, decoder, slot, link, crossing }
    }

    /// Serves the connection to its end.
    #[expect(clippy::manual_async_fn, reason = "arguments of an `async fn` are kept twice")]
    fn serve(mut self) -> impl Future<Output = ()> {
        async move {
            let counted = Connected::begin(&self.worker);
            let cause = self.run().await;
            Box::pin(self.end(&cause)).await;
            drop(counted);
        }
    }

    /// Serves the connection until it ends.
    pub(super) async fn run(&mut self) -> Cause {
        loop {
            match poll_fn(|cx| self.poll(cx)).await {
                ControlFlow::Break(cause) => return cause,
                // Who publishes faster than another worker takes it waits for that worker.
                ControlFlow::Continue(worker) => {
                    let shared = Arc::clone(&self.worker.shared);
                    shared.decongested(worker).await;
                }
            }
        }
    }

    /// One turn: reads what has arrived, does what it says, and writes what has come together.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ControlFlow<Cause, WorkerId>> {
        let worker = Rc::clone(&self.worker);
        let mut state = worker.state.borrow_mut();
        state.begin_turn();
        {
            let mut link = self.link.borrow_mut();
            link.awake = true;
            match &mut link.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                waker => *waker = Some(cx.waker().clone()),
            }
        }
        let deaf = self.link.borrow_mut().is_deaf(&state.settings.config.limits);
        let more = !deaf && self.read(cx, &mut state);
        state.end_turn();
        let written = state.write(cx, self.slot, &self.link, WRITES_PER_TURN);
        let mut link = self.link.borrow_mut();
        let more = more || deaf && !link.is_deaf(&state.settings.config.limits);
        link.awake = false;
        let more = match written {
            Ok(more_to_write) => more || more_to_write,
            Err(error) => {
                let cause = link.closing.take().map(|closing| closing.cause);
                let cause = cause.unwrap_or(Cause::ConnectionLost(error));
                return Poll::Ready(ControlFlow::Break(cause));
            }
        };
        if let Some(closing) = &link.closing {
            let done = link.out.is_empty() && !link.flushing;
            if done || closing.deadline <= state.now {
                return Poll::Ready(ControlFlow::Break(closing.cause.clone()));
            }
        }
        if let Some(congested) = state.congested.take() {
            return Poll::Ready(ControlFlow::Continue(congested));
        }
        if more {
            link.awake = true;
            // Not before it was looked for what has arrived for others: whoever is given a hundred thousand
            // messages would have turn after turn until then.
            let _ = pin!(yield_now()).poll(cx);
        }
        Poll::Pending
    }

    /// Reads until nothing is there or the turn is over; says whether there may be more.
    fn read(&mut self, cx: &mut Context<'_>, state: &mut State) -> bool {
        for _ in 0..CHUNKS_PER_TURN {
            if self.link.borrow().closing.is_some() {
                return false;
            }
            // What is left from the handshake is there before anything is read.
            if self.incoming.chunk.is_empty() {
                match self.poll_read(cx, state) {
                    Poll::Pending => return false,
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => {
                        self.close(read_cause(error), state);
                        return false;
                    }
                }
            }
            if let Err(cause) = self.handle_all(state) {
                self.close(cause, state);
                return false;
            }
        }
        true
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        state: &mut State,
    ) -> Poll<Result<(), ReadError>> {
        let link = &mut *self.link.borrow_mut();
        let Some(transport) = &mut link.transport else { return Poll::Pending };
        let read = poll_read(transport, cx, &mut self.incoming, state);
        if matches!(read, Poll::Ready(Ok(()))) {
            link.last_heard = state.now;
        }
        read
    }

    /// Does what the whole packets among the bytes say.
    fn handle_all(&mut self, state: &mut State) -> Result<(), Cause> {
        let version = self.link.borrow().version;
        let mut ahead = Ahead::default();
        loop {
            // What is of the last message's kind need not be decoded.
            state.extend_round(&self.link, &mut self.incoming.chunk);
            ahead.look(state, &self.incoming.chunk, version);
            match decode(&mut self.decoder, &mut self.incoming) {
                Ok(Some(packet)) => {
                    count(&state.counters.packets_received, 1);
                    if !is_plain_publish(&packet) {
                        state.end_round();
                    }
                    match &self.crossing {
                        None => state.handle(self.slot, &self.link, packet)?,
                        Some(crossing) => {
                            state.handle_from_broker(self.slot, &self.link, crossing, packet)?;
                        }
                    }
                }
                Ok(None) => {
                    self.incoming.keep_rest();
                    return Ok(());
                }
                Err(error) => {
                    count(&state.counters.protocol_errors, 1);
                    return Err(Cause::refused(error.reason_code(), error));
                }
            }
        }
    }

    fn close(&mut self, cause: Cause, state: &mut State) {
        state.end_round();
        let deadline = state.closing_deadline();
        self.link.borrow_mut().close(cause, deadline, &mut state.spare);
    }

    /// The connection has ended: its session goes on without it, or ends.
    async fn end(mut self, cause: &Cause) {
        let (client_id, peer) = {
            let mut state = self.worker.state.borrow_mut();
            state.begin_turn();
            let id = state.sessions.get(self.slot).map(|session| session.client_id.clone());
            state.detach(self.slot, &self.link, cause);
            state.end_turn();
            (id.unwrap_or_default(), self.link.borrow().peer)
        };
        log_end(&client_id, &peer, cause);
        self.hang_up(cause).await;
    }

    /// Closes the connection as its end wants.
    pub(super) async fn hang_up(&mut self, cause: &Cause) {
        // From now on nobody else writes.
        let transport = self.link.borrow_mut().transport.take();
        let Some(mut transport) = transport else { return };
        let needs_no_goodbye = match cause {
            Cause::ConnectionLost(_) => true,
            // Who said goodbye sends nothing more, so nothing that was written last is thrown away.
            Cause::Disconnected | Cause::DisconnectedWithWill => {
                self.crossing.is_none() && transport.is_bare()
            }
            _ => false,
        };
        if !needs_no_goodbye {
            let error = cause.is_ours() && *cause != Cause::ShuttingDown;
            hang_up(&self.worker, &mut transport, error).await;
        }
    }
}

/// Whether a packet may be one of a round.
fn is_plain_publish(packet: &Packet) -> bool {
    matches!(packet, Packet::Publish(publish) if publish.qos == QoS::AtMostOnce)
}

/// Says that a connection has ended, and why.
pub(super) fn log_end(client_id: &codec::MqttString, peer: &Peer, cause: &Cause) {
    let what = match cause {
        Cause::Disconnected | Cause::DisconnectedWithWill => "disconnected".into(),
        // Whoever goes without a word leaves none to pass on.
        Cause::ConnectionLost(why) if why.is_empty() => "closed its connection".into(),
        Cause::ConnectionLost(why) => format!("closed its connection: {why}"),
        Cause::Refused(_, why) => format!("at {peer} disconnected: {why}"),
        Cause::TakenOver => "already connected, closing old connection".into(),
        Cause::Silent => "has exceeded timeout, disconnecting".into(),
        Cause::ShuttingDown => return,
    };
    tracing::info!(
        target: CONNECTION,
        client = %client_id,
        peer = %peer,
        "Client {client_id} {what}."
    );
}

/// Reads what has arrived, and counts it.
pub(super) fn poll_read(
    transport: &mut Transport,
    cx: &mut Context<'_>,
    incoming: &mut Incoming,
    state: &mut State,
) -> Poll<Result<(), ReadError>> {
    let before = incoming.bytes().len();
    let read = transport.poll_read(cx, incoming, &mut state.read_buffer);
    let arrived = incoming.bytes().len().saturating_sub(before);
    count(&state.counters.bytes_received, arrived as u64);
    read
}

/// Writes what waits, and counts it.
pub(super) fn poll_write(
    transport: &mut Transport,
    cx: &mut Context<'_>,
    out: &mut OutBuffer,
    counters: &Counters,
) -> Poll<io::Result<()>> {
    let before = out.len();
    let written = transport.poll_write(cx, out);
    count(&counters.bytes_sent, before.saturating_sub(out.len()) as u64);
    count(&counters.packets_sent, u64::from(out.take_packets()));
    written
}

fn read_cause(error: ReadError) -> Cause {
    match error {
        ReadError::Closed => Cause::ConnectionLost(String::new()),
        ReadError::Io(_) => Cause::ConnectionLost(error.to_string()),
        ReadError::Text => Cause::refused(ReasonCode::ProtocolError, error),
        ReadError::WebSocket(_) => Cause::refused(ReasonCode::MalformedPacket, error),
    }
}

/// Closes a connection so that its peer gets to read what was written last: as long as there are
/// bytes that nobody has read, a plain close would throw that away.
async fn hang_up(worker: &Worker, transport: &mut Transport, error: bool) {
    let linger = worker.settings().config.limits.linger;
    let _ = tokio::time::timeout(linger, async {
        transport.shut_down(error).await;
        transport.read_away().await;
    })
    .await;
}
