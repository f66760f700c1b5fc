//! The connected side of a session: what belongs to one network connection and ends with it.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::task::Waker;

use codec::{
    Ack, Disconnect, EncodeError, MqttString, Packet, PacketId, Properties, Property,
    ProtocolVersion, ReasonCode, TopicName, Will,
};
use session::{AliasesIn, AliasesOut};

use crate::limits::Limits;
use crate::net::Peer;
use crate::time::Ms;
use crate::worker::bridge::Crossing;
use crate::worker::held::{HeldAnswers, Until};
use crate::worker::login::Authenticated;
use crate::worker::out::{OutBuffer, SpareBuffers};
use crate::worker::trace;
use crate::worker::transport::Transport;

/// A link is shared by its connection's task and by the session, both in one worker.
pub(crate) type SharedLink = Rc<RefCell<Link>>;

/// One network connection after its CONNECT was accepted.
#[derive(Debug)]
pub(crate) struct Link {
    pub peer: Peer,
    /// For log lines.
    pub client_id: MqttString,
    pub version: ProtocolVersion,
    /// Whether the client is another broker's bridge and has said so as bridges do before MQTT 5.0.
    pub is_bridge: bool,
    /// There if it is this broker's bridge to another.
    pub crossing: Option<Rc<Crossing>>,
    pub out: OutBuffer,
    /// Bytes of answers that were appended to `out` while it was too full.
    pub answer_bytes: usize,
    /// What the connection travels over: there from when its task begins until that hangs up.
    pub transport: Option<Transport>,
    /// Whether the transport holds bytes that it could not write yet.
    pub flushing: bool,
    /// The place of its session.
    pub slot: usize,
    /// Wakes the connection's task.
    pub waker: Option<Waker>,
    /// Whether the task is running or has been woken already.
    pub awake: bool,
    /// Whether it stands among those for whom what is in `out` is about to be written.
    pub queued: bool,
    /// Set once the connection is to be closed.
    pub closing: Option<Closing>,
    /// The largest packet that the client takes.
    pub packet_size_max: u32,
    /// Whether nothing is written yet, since the session in its CONNACK is not stored.
    pub is_gated: bool,
    /// Answers to what is not stored yet, and those behind them.
    pub held: HeldAnswers,
    /// What stands before the client's topics here.
    pub mount: Option<TopicName>,
    pub aliases_in: AliasesIn,
    /// There if the client takes Topic Aliases.
    pub aliases_out: Option<Box<AliasesOut>>,
    /// How long the client may be silent; 0 for ever.
    pub silence_max_ms: Ms,
    pub last_heard: Ms,
    pub will: Option<Box<Will>>,
    /// Whether the session was there before this connection.
    pub resumed: bool,
    /// Whether the client wants to be told in words why something failed.
    pub problem_information: bool,
    /// There if the client came in by an AUTH exchange.
    pub authenticated: Option<Box<Authenticated>>,
}

/// Why a connection is closed, and what is still to be done about it.
#[derive(Debug, Clone)]
pub(crate) struct Closing {
    pub cause: Cause,
    /// When to stop waiting for the peer to take what is still to be written.
    pub deadline: Ms,
}

/// Why a connection ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The client said goodbye.
    Disconnected,
    /// The client said goodbye and wants its will sent.
    DisconnectedWithWill,
    /// The client closed the connection without a word, or it broke for this reason.
    ConnectionLost(String),
    /// We end it, for this reason, with these words for people.
    Refused(ReasonCode, String),
    /// Another connection uses the same client identifier.
    TakenOver,
    /// Nothing was heard for one and a half times the Keep Alive.
    Silent,
    /// The broker stops.
    ShuttingDown,
}

impl Cause {
    /// Something that the client did wrong.
    pub(crate) fn refused(code: ReasonCode, why: impl fmt::Display) -> Self {
        Self::Refused(code, why.to_string())
    }

    /// The Reason Code that the client is told, if it is told anything.
    fn reason_code(&self) -> Option<ReasonCode> {
        Some(match self {
            Self::Refused(code, _) => *code,
            Self::TakenOver => ReasonCode::SessionTakenOver,
            Self::Silent => ReasonCode::KeepAliveTimeout,
            Self::ShuttingDown => ReasonCode::ServerShuttingDown,
            Self::Disconnected | Self::DisconnectedWithWill | Self::ConnectionLost(_) => {
                return None;
            }
        })
    }

    /// Whether the will is sent (MQTT 5.0 §3.1.2.5).
    pub(crate) fn sends_will(&self) -> bool {
        !matches!(self, Self::Disconnected | Self::ShuttingDown)
    }

    /// Whether it is we who end the connection.
    pub(crate) fn is_ours(&self) -> bool {
        self.reason_code().is_some()
    }
}

impl Link {
    /// Appends a packet.
    ///
    /// # Errors
    /// It is larger than the client takes, and there is no going on without it (MQTT 5.0
    /// §3.1.2.11.4).
    pub(crate) fn send(&mut self, packet: &Packet, spare: &mut SpareBuffers) -> Result<(), Cause> {
        let done = self.append(packet, spare);
        self.encoded(done)
    }

    /// What becomes of the connection when a packet was encoded, or could not be.
    #[inline]
    fn encoded(&self, done: Result<(), EncodeError>) -> Result<(), Cause> {
        let max = self.packet_size_max;
        match done {
            Ok(()) => Ok(()),
            Err(EncodeError::TooLarge) => {
                let why = format!("an answer is larger than its Maximum Packet Size of {max}");
                Err(Cause::Refused(ReasonCode::PacketTooLarge, why))
            }
            Err(error) => {
                let id = &self.client_id;
                tracing::error!("A packet for client {id} could not be encoded: {error}.");
                Ok(())
            }
        }
    }

    /// Appends a packet that is never larger than a CONNACK, which the client took. One that can't
    /// be encoded is left out, which only a bug can cause.
    pub(crate) fn send_small(&mut self, packet: &Packet, spare: &mut SpareBuffers) {
        if let Err(error) = self.append(packet, spare) {
            tracing::error!("A packet could not be encoded: {error} in {packet:?}.");
        }
    }

    fn append(&mut self, packet: &Packet, spare: &mut SpareBuffers) -> Result<(), EncodeError> {
        trace::sending(&self.client_id, packet);
        let before = self.out.len();
        let done = self.out.append(packet, self.version, self.packet_size_max, spare);
        let appended = self.out.len().saturating_sub(before);
        self.answer_bytes = self.answer_bytes.saturating_add(appended);
        done
    }

    /// Sends an answer to which nothing is to be stored, behind those that wait.
    ///
    /// # Errors
    /// As for [`Link::send`].
    pub(crate) fn answer(&mut self, packet: Packet, spare: &mut SpareBuffers) -> Result<(), Cause> {
        if self.held.is_empty() {
            self.send(&packet, spare)
        } else {
            self.hold(None, packet, spare)
        }
    }

    /// Holds an answer back until that has come to be, and until those before it are sent.
    ///
    /// # Errors
    /// As for [`Link::send`].
    pub(crate) fn hold(
        &mut self,
        until: Option<Until>,
        packet: Packet,
        spare: &mut SpareBuffers,
    ) -> Result<(), Cause> {
        let done = self.held.push(until, packet, self.version, self.packet_size_max, spare);
        self.encoded(done)
    }

    /// What answers waited for has come to be: appends those that have nothing to wait for any more, up to
    /// the first that has.
    pub(crate) fn release(&mut self, until: Until, spare: &mut SpareBuffers) {
        if self.closing.is_some() {
            self.held = HeldAnswers::default();
            return;
        }
        self.held.release(until);
        let sent = self.held.move_ready(&mut self.out, &self.client_id, spare);
        self.answer_bytes = self.answer_bytes.saturating_add(sent);
    }

    /// Whether the client asks and asks and does not read the answers: it is not listened to until
    /// it has read.
    pub(crate) fn is_deaf(&mut self, limits: &Limits) -> bool {
        if self.out.len() <= limits.out_bytes_max {
            self.answer_bytes = 0;
        }
        self.answer_bytes > limits.answer_bytes_max || self.held.is_full()
    }

    /// One of the four acknowledgements, as it is sent on this connection.
    pub(crate) fn ack(
        &self,
        kind: fn(Ack) -> Packet,
        packet_id: PacketId,
        code: ReasonCode,
    ) -> Packet {
        // Of an identifier that nobody knows another broker only wants the end, as before MQTT 5.0:
        // some take the code for an error.
        let is_unknown = code == ReasonCode::PacketIdentifierNotFound;
        let code = if is_unknown && self.crossing.is_some() { ReasonCode::Success } else { code };
        kind(Ack::new(packet_id, code))
    }

    /// Wakes the connection's task, once.
    pub(crate) fn wake(&mut self) {
        if !self.awake {
            self.awake = true;
            if let Some(waker) = &self.waker {
                waker.wake_by_ref();
            }
        }
    }

    /// Begins to close the connection: the client is told why, where its version has words for it.
    pub(crate) fn close(&mut self, cause: Cause, deadline: Ms, spare: &mut SpareBuffers) {
        if self.closing.is_some() {
            return;
        }
        // Another broker is left without a word, so that it says that the bridge is gone.
        if let Some(code) = cause.reason_code()
            && self.version.is_v5()
            && self.crossing.is_none()
        {
            let disconnect = Disconnect { code, properties: self.reason_string(&cause) };
            self.send_small(&Packet::Disconnect(disconnect), spare);
        }
        self.closing = Some(Closing { cause, deadline });
        self.wake();
    }

    /// The words for people, if the client takes them.
    fn reason_string(&self, cause: &Cause) -> Properties {
        let Cause::Refused(_, why) = cause else { return Properties::EMPTY };
        // Words are left out where they are not wanted, or would make the packet too large
        // (MQTT 5.0 §3.14.2.2.3).
        let fits = why.len().saturating_add(16) < self.packet_size_max as usize;
        if !self.problem_information || !fits {
            return Properties::EMPTY;
        }
        codec::MqttString::new(why)
            .ok()
            .and_then(|why| Properties::new([Property::ReasonString(why)]).ok())
            .unwrap_or_default()
    }
}
