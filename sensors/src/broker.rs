//! The way to the broker: one connection at a time, its will, and coming back when it is lost.
//!
//! The MQTT client is `rumqttc`. What it leaves to its user is settled here:
//!
//! - Its event loop must be polled without a break, and a poll must not be dropped half-way: a task
//!   of its own does nothing else and notes what happens in a [`Progress`].
//! - Its state outlives a lost connection (packet identifiers, collisions, queued requests). Every
//!   connection here starts with a new client, and whoever publishes starts over with what is true
//!   now; an old reading that arrives late is worth nothing.
//! - It reconnects at once and for ever: [`keep_connected`] waits between attempts.
//! - It takes no notice of what the CONNACK allows (MQTT 5.0 §3.2.2.3): [`Limits`] does.

mod reason;
mod v3;
mod v5;

use crate::backoff::Backoff;
use crate::report::say;
use clap::ValueEnum;
use rustls::ClientConfig;
use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time;

/// How long the broker may take to answer a connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the broker may take to accept or acknowledge what it was sent.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a clean stop may take; then the will has to do.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest pause between attempts: after the first failure, and ever.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A silent broker is noticed, and a silent client's will published, after about 1.5 times this.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// A connection that lasted this long was a good one: the next attempt comes soon again.
const STABLE_AFTER: Duration = Duration::from_secs(10);
/// Publishes on their way between the caller and the event loop.
const QUEUED_REQUESTS_MAX: usize = 64;
/// QoS 1 and 2 publishes on their way to the broker and back; the broker may allow fewer.
const INFLIGHT_MAX: u16 = 100;
/// The same where the broker can't say how many it allows, as in MQTT 3.1.1: Mosquitto allows 20, and drops a
/// message of QoS 2 beyond without a word.
const INFLIGHT_UNTOLD_MAX: u16 = 20;
/// The largest packet sent or accepted, in bytes.
const PACKET_BYTES_MAX: u32 = 1 << 20;

/// How a message is delivered (MQTT 5.0 §4.3); also a word of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[expect(clippy::enum_variant_names, reason = "these are the specification's names")]
pub(crate) enum Qos {
    #[value(name = "0")]
    AtMostOnce,
    #[value(name = "1")]
    AtLeastOnce,
    #[value(name = "2")]
    ExactlyOnce,
}

/// The protocol spoken with the broker; also a word of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Version {
    #[value(name = "3.1.1")]
    V3_1_1,
    #[value(name = "5")]
    V5,
}

/// An application message to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) topic: String,
    /// Text; an empty one removes the retained message (MQTT 5.0 §3.3.1.3).
    pub(crate) payload: String,
    /// Sent as the user property `unit` on MQTT 5; MQTT 3.1.1 has no place for it.
    pub(crate) unit: Option<Cow<'static, str>>,
    /// When this was so, as RFC 3339 has it; the user property `time` on MQTT 5.
    pub(crate) time: Option<String>,
    /// How long the broker keeps it (MQTT 5.0 §3.3.2.3.3); MQTT 3.1.1 keeps it until it is replaced.
    pub(crate) expiry: Option<Duration>,
    pub(crate) retain: bool,
    pub(crate) qos: Qos,
}

impl Message {
    /// A retained message with nothing more to it.
    pub(crate) fn retained(topic: impl Into<String>, payload: impl Into<String>, qos: Qos) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            unit: None,
            time: None,
            expiry: None,
            retain: true,
            qos,
        }
    }

    /// What MQTT 5 sends beside the payload (MQTT 5.0 §3.3.2.3.7).
    fn user_properties(&self) -> Vec<(String, String)> {
        let unit = self.unit.as_ref().map(|unit| ("unit".to_owned(), unit.clone().into_owned()));
        let time = self.time.as_ref().map(|time| ("time".to_owned(), time.clone()));
        unit.into_iter().chain(time).collect()
    }
}

/// Where the broker listens. An IPv6 address keeps its brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Address {
    /// The host as a resolver and a certificate know it: an IPv6 address without its brackets.
    fn bare_host(&self) -> &str {
        self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host)
    }
}

/// How bytes get to the broker.
#[derive(Clone)]
pub(crate) enum Transport {
    Tcp,
    Tls { config: Arc<ClientConfig> },
    WebSocket { path: String },
    WebSocketTls { path: String, config: Arc<ClientConfig> },
}

impl Transport {
    /// What the MQTT client wants in place of a host: over WebSocket, a URL.
    fn address(&self, address: &Address) -> String {
        match self {
            Self::Tcp | Self::Tls { .. } => address.bare_host().to_owned(),
            Self::WebSocket { path } => format!("ws://{address}{path}"),
            Self::WebSocketTls { path, .. } => format!("wss://{address}{path}"),
        }
    }
}

impl From<&Transport> for rumqttc::Transport {
    fn from(transport: &Transport) -> Self {
        let tls = |config: &Arc<ClientConfig>| rumqttc::TlsConfiguration::Rustls(config.clone());
        match transport {
            Transport::Tcp => Self::Tcp,
            Transport::Tls { config } => Self::Tls(tls(config)),
            Transport::WebSocket { .. } => Self::Ws,
            Transport::WebSocketTls { config, .. } => Self::Wss(tls(config)),
        }
    }
}

/// Who we are to the broker. Has no `Debug`: a password belongs into no log.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// What a topic says of whether this program is there: retained, QoS 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Presence {
    pub(crate) topic: String,
    /// Published as soon as we are connected; `None` for who says more than that by itself.
    pub(crate) online: Option<String>,
    /// Published as we leave: by us, or by the broker, because it is also the will.
    pub(crate) offline: String,
}

impl Presence {
    /// `online` and `offline`, in so many words.
    pub(crate) fn in_words(topic: String) -> Self {
        Self { topic, online: Some("online".to_owned()), offline: "offline".to_owned() }
    }
}

/// All it takes to connect.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) address: Address,
    pub(crate) transport: Transport,
    pub(crate) version: Version,
    pub(crate) credentials: Option<Credentials>,
    /// The same at every start: connecting again then takes the place of a connection that the
    /// broker still believes in, whose will would otherwise say "offline" later on.
    pub(crate) client_id: String,
    /// Says on MQTT whether this program is there; what publishes once and leaves has none.
    pub(crate) presence: Option<Presence>,
    /// Every attempt is told, not just what changes.
    pub(crate) verbose: bool,
}

impl Settings {
    /// Published while we are connected.
    pub(crate) fn online(&self) -> Option<Message> {
        let presence = self.presence.as_ref()?;
        let online = presence.online.as_ref()?;
        Some(Message::retained(&presence.topic, online, Qos::AtLeastOnce))
    }

    /// Published as we leave, by us or by the broker for us.
    pub(crate) fn offline(&self) -> Option<Message> {
        let presence = self.presence.as_ref()?;
        Some(Message::retained(&presence.topic, &presence.offline, Qos::AtLeastOnce))
    }
}

/// Why there is no connection, or no longer: a clause without capital and full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lost(pub(crate) String);

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the broker allowed in its CONNACK.
#[derive(Debug, Clone, Copy)]
struct Limits {
    qos: Qos,
    retain: bool,
}

/// What has become of a connection so far; its event loop writes it.
#[derive(Default)]
struct Progress {
    /// Set once the broker has accepted the connection.
    connected: Option<Limits>,
    /// Publishes that need nothing more: written for QoS 0, acknowledged for QoS 1 and 2.
    settled: u64,
    /// The first publish that the broker refused, and why.
    refused: Option<String>,
    /// Set when the event loop has ended.
    ended: Option<Lost>,
}

impl Progress {
    /// One publish has come to its end; a refusal is one too.
    fn settle(&mut self, outcome: Result<(), String>) {
        self.settled = self.settled.saturating_add(1);
        if let Err(refusal) = outcome {
            self.refused.get_or_insert(refusal);
        }
    }
}

enum Client {
    V3(rumqttc::AsyncClient),
    V5(rumqttc::v5::AsyncClient),
}

/// A connection that the broker has accepted.
pub(crate) struct Connection {
    client: Client,
    progress: watch::Receiver<Progress>,
    limits: Limits,
    sent: u64,
    event_loop: JoinHandle<()>,
}

impl Drop for Connection {
    /// Without [`Connection::close`] the broker publishes the will.
    fn drop(&mut self) {
        self.event_loop.abort();
    }
}

impl Connection {
    /// Connects and waits for the broker to accept.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, Lost> {
        let (note, progress) = watch::channel(Progress::default());
        let (client, event_loop) = match settings.version {
            Version::V3_1_1 => v3::start(settings, note),
            Version::V5 => v5::start(settings, note),
        };
        let limits = Limits { qos: Qos::ExactlyOnce, retain: true };
        let mut connection = Self { client, progress, limits, sent: 0, event_loop };
        // The clients have time limits of their own for this, but not for every part of it.
        let accepted = connection.wait(CONNECT_TIMEOUT, |progress| progress.connected.is_some());
        if !accepted.await? {
            return Err(reason::no_answer(CONNECT_TIMEOUT));
        }
        if let Some(limits) = connection.progress.borrow().connected {
            connection.limits = limits;
        }
        Ok(connection)
    }

    /// Hands a message over, to be sent soon; [`Connection::settled`] says when it arrived.
    pub(crate) async fn publish(&mut self, message: &Message) -> Result<(), Lost> {
        let qos = message.qos.min(self.limits.qos);
        let retain = message.retain && self.limits.retain;
        let handed_over = async {
            match &self.client {
                Client::V3(client) => v3::publish(client, message, qos, retain).await,
                Client::V5(client) => v5::publish(client, message, qos, retain).await,
            }
        };
        match time::timeout(ANSWER_TIMEOUT, handed_over).await {
            Ok(true) => {
                self.sent = self.sent.saturating_add(1);
                Ok(())
            }
            // The event loop has gone, or is just going and about to say why.
            Ok(false) => Err(self.lost().await),
            Err(_) => Err(self.unanswered(reason::not_taking(ANSWER_TIMEOUT))),
        }
    }

    /// Waits until everything handed over has arrived, as far as its QoS can tell.
    pub(crate) async fn settled(&mut self) -> Result<(), Lost> {
        let sent = self.sent;
        if self.wait(ANSWER_TIMEOUT, |progress| progress.settled >= sent).await? {
            Ok(())
        } else {
            Err(self.unanswered(reason::not_acknowledging(ANSWER_TIMEOUT)))
        }
    }

    /// Waits until the connection is lost.
    pub(crate) async fn lost(&mut self) -> Lost {
        match self.progress.wait_for(|progress| progress.ended.is_some()).await {
            Ok(progress) => progress.ended.clone().unwrap_or_else(reason::stopped),
            Err(_) => reason::stopped(),
        }
    }

    /// The first publish that the broker has refused, if any, and why.
    pub(crate) fn refused(&self) -> Option<String> {
        self.progress.borrow().refused.clone()
    }

    /// Why nothing goes on: a publish of QoS 2 that was refused counts as one on its way for ever with the
    /// client of MQTT 5, so that after some of them it sends no more.
    fn unanswered(&self, otherwise: Lost) -> Lost {
        self.refused().map_or(otherwise, |refusal| reason::refusing(&refusal))
    }

    /// Sends DISCONNECT, upon which the broker forgets the will (MQTT 5.0 §3.14.4).
    pub(crate) async fn close(mut self) {
        let goodbye = async {
            let asked = match &self.client {
                Client::V3(client) => client.disconnect().await.is_ok(),
                Client::V5(client) => client.disconnect().await.is_ok(),
            };
            if asked {
                self.lost().await;
            }
        };
        // Who does not take our goodbye in time will notice that we hang up.
        let _ = time::timeout(CLOSE_TIMEOUT, goodbye).await;
    }

    /// Waits for something to have happened: `false` when it did not in time.
    async fn wait(
        &mut self,
        timeout: Duration,
        mut happened: impl FnMut(&Progress) -> bool,
    ) -> Result<bool, Lost> {
        let waiting = self.progress.wait_for(|p| happened(p) || p.ended.is_some());
        match time::timeout(timeout, waiting).await {
            Err(_) => Ok(false),
            Ok(Err(_)) => Err(reason::stopped()),
            Ok(Ok(progress)) => match &progress.ended {
                Some(lost) if !happened(&progress) => Err(lost.clone()),
                _ => Ok(true),
            },
        }
    }
}

/// Does `work` on a connection until `stop`, and on a new one whenever it is lost.
///
/// While connected the status topic is `online`; it is `offline` after a stop, and the will says
/// so after anything else. What goes wrong is said on standard error, once for each thing that
/// changes.
pub(crate) async fn keep_connected(
    settings: &Settings,
    stop: impl Future<Output = ()>,
    mut work: impl AsyncFnMut(&mut Connection) -> Result<Infallible, Lost>,
) {
    let mut stop = pin!(stop);
    let mut backoff = Backoff::new(PAUSE_FIRST, PAUSE_MAX);
    let mut reporter = Reporter::new(settings);
    loop {
        let opened = tokio::select! {
            () = &mut stop => return,
            opened = Connection::open(settings) => opened,
        };
        let lost = match opened {
            Err(lost) => lost,
            Ok(connection) => {
                reporter.connected();
                let ended = stay(settings, connection, stop.as_mut(), &mut work, || {
                    backoff.reset();
                    reporter.stable();
                });
                let Some(lost) = ended.await else { return };
                lost
            }
        };
        let pause = backoff.next_pause(fastrand::f64());
        reporter.lost(&lost, pause);
        tokio::select! {
            () = &mut stop => return,
            () = time::sleep(pause) => {}
        }
    }
}

/// Works on one connection until it is lost, which it returns, or until `stop`. Calls `stable`
/// once the connection has proved to be a good one.
async fn stay(
    settings: &Settings,
    mut connection: Connection,
    stop: impl Future<Output = ()>,
    work: &mut impl AsyncFnMut(&mut Connection) -> Result<Infallible, Lost>,
    mut stable: impl FnMut(),
) -> Option<Lost> {
    {
        let mut stop = pin!(stop);
        let mut work = pin!(work_online(settings, &mut connection, work));
        let proved = time::sleep(STABLE_AFTER);
        let mut proved = pin!(proved);
        loop {
            tokio::select! {
                () = &mut stop => break,
                lost = &mut work => return Some(lost),
                () = &mut proved, if !proved.is_elapsed() => stable(),
            }
        }
    }
    leave(settings, connection).await;
    None
}

async fn work_online(
    settings: &Settings,
    connection: &mut Connection,
    work: &mut impl AsyncFnMut(&mut Connection) -> Result<Infallible, Lost>,
) -> Lost {
    if let Some(online) = settings.online()
        && let Err(lost) = connection.publish(&online).await
    {
        return lost;
    }
    let Err(lost) = work(connection).await;
    lost
}

/// Says goodbye: the status first, then DISCONNECT.
async fn leave(settings: &Settings, mut connection: Connection) {
    let goodbye = async {
        if let Some(offline) = settings.offline() {
            connection.publish(&offline).await?;
            connection.settled().await?;
        }
        connection.close().await;
        Ok::<(), Lost>(())
    };
    if !matches!(time::timeout(CLOSE_TIMEOUT, goodbye).await, Ok(Ok(()))) {
        say!("Stopped without a goodbye: the broker at {} does not answer.", settings.address);
    }
}

/// Tells a person about the connection: each change once, and every attempt if asked to.
struct Reporter<'a> {
    settings: &'a Settings,
    /// Failed attempts since the last connection.
    attempts: u32,
    was_connected: bool,
    /// The reason last given for there being no connection.
    said: Option<Lost>,
    /// Connections in a row that did not last.
    short_lived: u32,
}

impl<'a> Reporter<'a> {
    fn new(settings: &'a Settings) -> Self {
        Self { settings, attempts: 0, was_connected: false, said: None, short_lived: 0 }
    }

    fn connected(&mut self) {
        if self.short_lived < 2 {
            self.say_connected();
        }
        self.attempts = 0;
        self.was_connected = true;
        self.said = None;
        // Until it has proved to be a good one.
        self.short_lived = self.short_lived.saturating_add(1);
    }

    fn stable(&mut self) {
        if self.short_lived > 2 {
            self.say_connected();
        }
        self.short_lived = 0;
    }

    fn say_connected(&self) {
        let again = if self.was_connected { " again" } else { "" };
        say!("Connected{again} to the broker at {}.", self.settings.address);
    }

    fn lost(&mut self, lost: &Lost, pause: Duration) {
        self.attempts = self.attempts.saturating_add(1);
        if self.said.as_ref() != Some(lost) {
            self.say_lost(lost);
            self.said = Some(lost.clone());
        }
        if self.settings.verbose {
            let seconds = pause.as_secs_f64();
            say!("Attempt {} failed: {lost}. The next one is in {seconds:.1} s.", self.attempts);
        }
    }

    fn say_lost(&self, lost: &Lost) {
        let address = &self.settings.address;
        match (&self.said, self.was_connected, self.short_lived) {
            (Some(_), _, _) => say!("Still no connection to the broker at {address}: {lost}."),
            (None, false, _) => say!(
                "Cannot connect to the broker at {address}: {lost}. Trying again until it works."
            ),
            (None, true, 0 | 1) => {
                say!("Lost the broker at {address}: {lost}. Trying again until it is back.");
            }
            // Two of one name take each other's place for ever. Few brokers say so.
            (None, true, 2) => say!(
                "Losing the broker at {address} soon after every connection: {lost}. If this \
                 program runs twice, give one of them another --name or --prefix. Trying again."
            ),
            (None, true, _) => {}
        }
    }
}
