//! One connection of a client: packets over TCP, without ever waiting.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use bytes::BytesMut;
use codec::{Decoder, Packet, ProtocolVersion};

/// How long a connection on loopback may take to come about.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// A connection to the broker.
pub struct Link {
    stream: TcpStream,
    version: ProtocolVersion,
    decoder: Decoder,
    arrived: BytesMut,
    to_send: BytesMut,
}

impl Link {
    /// A connection, if somebody listens on the port.
    #[must_use]
    pub fn open(port: u16, version: ProtocolVersion) -> Option<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream = TcpStream::connect_timeout(&address, CONNECT_PATIENCE).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_nonblocking(true).ok()?;
        Some(Self {
            stream,
            version,
            decoder: Decoder::client(version, codec::PACKET_SIZE_MAX),
            arrived: BytesMut::new(),
            to_send: BytesMut::new(),
        })
    }

    /// Puts a packet behind those that wait to be sent.
    ///
    /// # Panics
    /// If it has no form as a packet: this harness made it.
    pub fn send(&mut self, packet: &Packet) {
        packet.encode(self.version, &mut self.to_send).expect("it is a packet");
    }

    /// Sends what can be sent now; `false` if the connection is over.
    pub fn flush(&mut self) -> bool {
        while !self.to_send.is_empty() {
            match self.stream.write(&self.to_send) {
                Ok(0) => return false,
                Ok(written) => drop(self.to_send.split_to(written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// Reads all that has arrived; `false` if the connection is over behind it.
    pub fn fill(&mut self) -> bool {
        let mut buffer = [0; 64 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(length) => self.arrived.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }

    /// The next packet that has arrived whole.
    ///
    /// # Errors
    /// The bytes are no packet.
    pub fn take(&mut self) -> Result<Option<Packet>, codec::DecodeError> {
        self.decoder.decode(&mut self.arrived)
    }

    /// Whether bytes wait to be sent.
    #[must_use]
    pub fn is_sending(&self) -> bool {
        !self.to_send.is_empty()
    }

    /// What the system calls the connection.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
