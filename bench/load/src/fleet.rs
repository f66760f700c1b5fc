//! Many connections, watched together by one thread.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use codec::{
    Connect, Decoder, FixedHeader, MqttString, PACKET_SIZE_MAX, Packet, PacketType, Properties,
    Property, ProtocolVersion, ReasonCode,
};
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::connection::{Connection, Outbox, Scratch};
use crate::report::histogram;
use crate::target::Target;

/// The Keep Alive of every client: longer than any load lasts, for not every broker lets in who has none.
const KEEP_ALIVE_S: u16 = u16::MAX;

/// How long the broker may be silent while an answer is due.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// How long a session stays that outlives its connection.
const SESSION_EXPIRY_S: u32 = 3600;

/// Files that are open besides the connections.
const OTHER_FILES: usize = 64;

/// What is called for each packet that arrives, with the number of the connection that it came by.
type OnAnyPacket<'a> = dyn FnMut(usize, FixedHeader, &[u8], &mut Outbox) -> Result<()> + 'a;

/// Many connections, watched together by one thread.
pub(crate) struct Fleet {
    target: Target,
    poll: Poll,
    events: Events,
    scratch: Scratch,
    connections: Vec<Connection>,
    /// Connections that were ever begun.
    begun: usize,
    /// Whether the sessions of connections that are opened from now on outlive these.
    pub(crate) keeps_sessions: bool,
}

/// How opening connections went.
pub(crate) struct Opened {
    pub(crate) took: Duration,
    /// From opening a connection to its CONNACK, in nanoseconds.
    pub(crate) latency: Histogram<u64>,
}

impl Fleet {
    pub(crate) fn new(target: Target) -> Result<Self> {
        Ok(Self {
            target,
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            scratch: Scratch::new(),
            connections: Vec::new(),
            begun: 0,
            keeps_sessions: false,
        })
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) fn get(&mut self, index: usize) -> Result<&mut Connection> {
        self.connections.get_mut(index).context("there is no such connection")
    }

    pub(crate) fn len(&self) -> usize {
        self.connections.len()
    }

    /// Opens so many more connections and waits until the broker has accepted all of them. Packets
    /// for those that are open already must not arrive meanwhile.
    pub(crate) fn open(&mut self, count: usize, name: &str) -> Result<Opened> {
        let first = self.len();
        let last = first.saturating_add(count);
        allow_files(last)?;
        let start = Instant::now();
        let mut begun = Vec::with_capacity(count);
        let mut latency = histogram()?;
        let mut accepted = 0;
        while accepted < count {
            while self.len() < last && begun.len() - accepted < self.target.opening {
                begun.push(Instant::now());
                self.begin(name)?;
            }
            let turn = self.turn(Some(SILENCE_MAX), &mut |index, header, packet, _| {
                check_connack(header, packet)?;
                accepted += 1;
                if let Some(begun) = index.checked_sub(first).and_then(|n| begun.get(n)) {
                    latency.saturating_record(nanoseconds(begun.elapsed()));
                }
                Ok(())
            });
            if turn.with_context(|| format!("after {accepted} of {count} connections"))? == 0 {
                bail!("the broker accepted {accepted} of {count} connections, then nothing came");
            }
        }
        Ok(Opened { took: start.elapsed(), latency })
    }

    /// Begins one connection.
    fn begin(&mut self, name: &str) -> Result<()> {
        let index = self.len();
        let client_id = MqttString::new(&format!("{name}-{}-{}", std::process::id(), self.begun))?;
        self.begun += 1;
        let mut connect =
            Connect { keep_alive_s: KEEP_ALIVE_S, ..Connect::new(self.target.version, client_id) };
        if self.keeps_sessions {
            connect.clean_start = false;
            // Before MQTT 5.0 it is for ever by itself.
            if self.target.version == ProtocolVersion::V5 {
                let expiry = Property::SessionExpiryInterval(SESSION_EXPIRY_S);
                connect.properties = Properties::new([expiry])?;
            }
        }
        let packet = Packet::Connect(Box::new(connect));
        let mut connection = Connection::open(&self.target, index, &packet)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut connection.stream, Token(index), interest)?;
        self.connections.push(connection);
        Ok(())
    }

    /// Closes all connections from this one on.
    pub(crate) fn close_from(&mut self, index: usize) {
        self.connections.truncate(index);
    }

    /// Waits until something happens, for `timeout` at most, and hands on every packet that came.
    /// Returns on how many connections something happened.
    pub(crate) fn turn(
        &mut self,
        timeout: Option<Duration>,
        on_packet: &mut OnAnyPacket<'_>,
    ) -> Result<usize> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(0),
            other => other.context("cannot wait for the connections")?,
        }
        let mut happened = 0;
        for event in &self.events {
            happened += 1;
            let Token(index) = event.token();
            let Some(connection) = self.connections.get_mut(index) else { continue };
            if event.is_writable() {
                connection.unblock()?;
            }
            if event.is_readable() && !connection.is_deaf {
                connection.read(&mut self.scratch, &mut |header, packet, out| {
                    on_packet(index, header, packet, out)
                })?;
            }
        }
        Ok(happened)
    }

    /// Decodes one packet whole, for those that are rare.
    pub(crate) fn decode(target: &Target, packet: &[u8]) -> Result<Packet> {
        let mut bytes = Bytes::copy_from_slice(packet);
        let packet = Decoder::client(target.version, PACKET_SIZE_MAX).decode(&mut bytes)?;
        packet.context("a packet that is not whole")
    }
}

/// Nanoseconds as a number; more than five centuries count as five centuries.
pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn check_connack(header: FixedHeader, packet: &[u8]) -> Result<()> {
    // The code stands at the same place in every version (MQTT 5.0 §3.2.2.2).
    let code = packet.get(usize::from(header.header_len) + 1);
    if header.packet != PacketType::ConnAck {
        bail!("{} came instead of CONNACK", header.packet);
    }
    if code != Some(&(ReasonCode::Success as u8)) {
        bail!("the broker refused a connection with code {code:?}");
    }
    Ok(())
}

/// Raises the limit of open files where it is too low for so many connections.
fn allow_files(connections: usize) -> Result<()> {
    let needed = u64::try_from(connections.saturating_add(OTHER_FILES))?;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if needed <= soft {
        return Ok(());
    }
    setrlimit(Resource::RLIMIT_NOFILE, needed, hard.max(needed)).with_context(|| {
        format!("{connections} connections need {needed} open files, of which {hard} are allowed (ulimit -n)")
    })
}
