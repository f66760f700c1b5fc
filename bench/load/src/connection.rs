//! One connection to the broker: what was read is handed on packet by packet, what is to be written
//! gathers until it is flushed.

use std::io::{self, ErrorKind, Read as _, Write as _};

use anyhow::{Context as _, Result, bail};
use bytes::BytesMut;
use codec::{FixedHeader, Packet, PacketId, PacketType, ProtocolVersion};
use mio::net::TcpStream;
use rustls::ClientConnection;
use socket2::{Domain, Protocol, Socket, Type};

use crate::framer::Framer;
use crate::target::{Target, Transport};
use crate::websocket::{self, Unframer};

/// What is called for each packet that arrives, with the place where answers go.
pub(crate) type OnPacket<'a> = dyn FnMut(FixedHeader, &[u8], &mut Outbox) -> Result<()> + 'a;

/// Where what is read lies for a moment; all connections share it.
pub(crate) struct Scratch {
    wire: Box<[u8]>,
    plain: Box<[u8]>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self { wire: vec![0; 256 * 1024].into(), plain: vec![0; 64 * 1024].into() }
    }
}

/// One connection to the broker.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) out: Outbox,
    /// Never reads again: what arrives stays with the operating system, and then with the broker.
    pub(crate) is_deaf: bool,
    link: Link,
    framer: Framer,
    version: ProtocolVersion,
    /// Whether the socket took less than it was given.
    is_blocked: bool,
}

/// What lies between the socket and the packets.
enum Link {
    Plain,
    /// A WebSocket whose handshake has not been answered: the answer so far, and what is held back.
    Upgrading(Vec<u8>, Outbox),
    WebSocket(Unframer),
    Tls(Box<ClientConnection>),
}

impl Connection {
    /// Begins to connect; `first` is the first packet.
    pub(crate) fn open(target: &Target, index: usize, first: &Packet) -> Result<Self> {
        let stream = connect(target, index)
            .with_context(|| format!("cannot connect to {}", target.address))?;
        let mut out = Outbox::new(target);
        out.push(first)?;
        let link = match (target.transport, target.tls()?) {
            (Transport::Ws, _) => {
                let held = std::mem::replace(&mut out, Outbox::new(target));
                out.bytes.extend_from_slice(websocket::UPGRADE);
                Link::Upgrading(Vec::new(), held)
            }
            (_, Some(tls)) => Link::Tls(Box::new(tls)),
            _ => Link::Plain,
        };
        Ok(Self {
            stream,
            out,
            is_deaf: false,
            link,
            framer: Framer::default(),
            version: target.version,
            is_blocked: true,
        })
    }

    /// The socket takes bytes again.
    pub(crate) fn unblock(&mut self) -> Result<()> {
        self.is_blocked = false;
        self.flush()
    }

    /// Writes what has gathered, as far as the socket takes it.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if self.is_blocked {
            return Ok(());
        }
        match self.write() {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.is_blocked = true;
                Ok(())
            }
            Err(error) => Err(error).context("the broker takes no more bytes"),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        if let Link::Tls(tls) = &mut self.link {
            if !self.out.bytes.is_empty() {
                tls.writer().write_all(&self.out.bytes)?;
                self.out.bytes.clear();
            }
            while tls.wants_write() {
                tls.write_tls(&mut self.stream)?;
            }
            return Ok(());
        }
        let out = &mut self.out;
        while let Some(rest) = out.bytes.get(out.written..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(written) => out.written += written,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        out.bytes.clear();
        out.written = 0;
        Ok(())
    }

    /// Reads what there is and hands on each packet. Whatever that makes us answer is flushed.
    pub(crate) fn read(
        &mut self,
        scratch: &mut Scratch,
        on_packet: &mut OnPacket<'_>,
    ) -> Result<()> {
        loop {
            let len = match self.stream.read(&mut scratch.wire) {
                Ok(0) => bail!("the broker closed a connection"),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("a connection was lost"),
            };
            let bytes = scratch.wire.get(..len).unwrap_or_default();
            self.take(bytes, &mut scratch.plain, on_packet)?;
            // A read that does not fill the buffer has emptied the socket.
            if len < scratch.wire.len() {
                break;
            }
        }
        if self.out.is_empty() && !matches!(self.link, Link::Tls(_)) {
            return Ok(());
        }
        self.flush()
    }

    fn take(
        &mut self,
        mut bytes: &[u8],
        plain: &mut [u8],
        on_packet: &mut OnPacket<'_>,
    ) -> Result<()> {
        if let Link::Upgrading(answer, held) = &mut self.link {
            answer.extend_from_slice(bytes);
            let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
                return Ok(());
            };
            let (head, rest) = answer.split_at(end + 4);
            if !head.starts_with(b"HTTP/1.1 101") {
                bail!("the broker refused the WebSocket: {}", String::from_utf8_lossy(head));
            }
            let rest = rest.to_vec();
            self.out.bytes.append(&mut held.bytes);
            self.link = Link::WebSocket(Unframer::default());
            return self.take(&rest, plain, on_packet);
        }
        let Self { link, framer, out, version, .. } = self;
        let mut hand_on = |header, packet: &[u8]| on_packet(header, packet, out);
        match link {
            Link::Plain => framer.feed(bytes, *version, &mut hand_on)?,
            Link::WebSocket(unframer) => {
                while let Some(data) = unframer.next(&mut bytes)? {
                    framer.feed(data, *version, &mut hand_on)?;
                }
            }
            Link::Tls(tls) => {
                while !bytes.is_empty() {
                    tls.read_tls(&mut bytes)?;
                    tls.process_new_packets().context("TLS failed")?;
                    loop {
                        match tls.reader().read(plain) {
                            Ok(0) => bail!("the broker closed a connection"),
                            Ok(len) => {
                                let data = plain.get(..len).unwrap_or_default();
                                framer.feed(data, *version, &mut hand_on)?;
                            }
                            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                            Err(error) => return Err(error.into()),
                        }
                    }
                }
            }
            Link::Upgrading(..) => {}
        }
        Ok(())
    }
}

/// What is to be written to one connection.
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    written: usize,
    version: ProtocolVersion,
    is_framed: bool,
}

impl Outbox {
    fn new(target: &Target) -> Self {
        Self {
            bytes: Vec::new(),
            written: 0,
            version: target.version,
            is_framed: target.transport == Transport::Ws,
        }
    }

    /// Appends a packet.
    pub(crate) fn push(&mut self, packet: &Packet) -> Result<()> {
        let mut bytes = BytesMut::new();
        packet.encode(self.version, &mut bytes)?;
        self.push_encoded(&bytes);
        Ok(())
    }

    /// Appends an acknowledgement of success: the same four bytes in every version
    /// (MQTT 5.0 §3.4.2.1).
    pub(crate) fn push_ack(&mut self, packet: PacketType, id: PacketId) {
        // The reserved bits of PUBREL alone are not all zero (MQTT 5.0 §2.1.3).
        let flags = if packet == PacketType::PubRel { 0b0010 } else { 0 };
        let [high, low] = id.get().to_be_bytes();
        self.push_encoded(&[(packet as u8) << 4 | flags, 2, high, low]);
    }

    /// Appends a packet that is encoded already.
    pub(crate) fn push_encoded(&mut self, packet: &[u8]) {
        if self.is_framed {
            websocket::put_frame(packet, &mut self.bytes);
        } else {
            self.bytes.extend_from_slice(packet);
        }
    }

    /// Where bytes go that are framed already.
    pub(crate) fn raw(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Bytes that the socket has not taken yet.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.written)
    }

    /// Whether the socket has taken all.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// A socket that begins to connect.
fn connect(target: &Target, index: usize) -> io::Result<TcpStream> {
    let domain = Domain::for_address(target.address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = target.source(index) {
        socket.bind(&std::net::SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&target.address.into()) {
        Err(error) if error.raw_os_error() != Some(nix::libc::EINPROGRESS) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}
