//! A connection as bytes: TCP or a Unix socket, with TLS on it or without.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use codec::MqttString;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsStream;

use crate::limits::READ_CHUNK;

/// Bytes that are read at once only to be thrown away.
const READ_AWAY_CHUNK: usize = 4096;

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    pub address: Address,
    /// The number of the listener it came in by.
    pub listener: usize,
}

/// What is known of the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Address {
    Ip(SocketAddr),
    /// A program on this machine, by a Unix socket, where nobody has an address.
    Unix,
}

impl Address {
    /// Whether the other end is a program on this machine.
    pub(crate) fn is_this_machine(self) -> bool {
        match self {
            Self::Ip(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix => true,
        }
    }
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.address {
            Address::Ip(address) => address.fmt(f),
            Address::Unix => f.write_str("a Unix socket"),
        }
    }
}

/// A socket that no runtime is waiting on: just accepted, or on its way between two workers.
#[derive(Debug)]
pub(crate) enum LooseSocket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl LooseSocket {
    /// Registers the socket with the runtime of this worker.
    pub(crate) fn register(self) -> io::Result<Socket> {
        Ok(match self {
            Self::Tcp(stream) => Socket::Tcp(TcpStream::from_std(stream)?),
            Self::Unix(stream) => Socket::Unix(UnixStream::from_std(stream)?),
        })
    }
}

/// A socket of this worker.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// Taken off this worker, by [`Socket::loosen`].
    Away,
}

impl Socket {
    /// Takes the socket off this worker, and leaves its place to the one that it comes back as.
    pub(super) fn loosen(&mut self) -> io::Result<LooseSocket> {
        Ok(match std::mem::replace(self, Self::Away) {
            Self::Tcp(stream) => LooseSocket::Tcp(stream.into_std()?),
            Self::Unix(stream) => LooseSocket::Unix(stream.into_std()?),
            Self::Away => return Err(away()),
        })
    }
}

fn away() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

/// The bytes of a connection, whatever carries them.
#[derive(Debug)]
pub(crate) struct Stream {
    channel: Channel,
    /// Bytes that may still be read, while it is not known who sends them.
    quota: Option<usize>,
    /// The User Name that the client's certificate gives it, where the listener has it so.
    pub username: Option<MqttString>,
    /// Held for as long as the connection is there, where its listener takes only so many.
    _place: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
enum Channel {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
}

impl Stream {
    pub(crate) fn plain(socket: Socket, place: Option<OwnedSemaphorePermit>) -> Self {
        Self { channel: Channel::Plain(socket), quota: None, username: None, _place: place }
    }

    pub(crate) fn tls(
        stream: impl Into<TlsStream<Socket>>,
        username: Option<MqttString>,
        place: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self {
            channel: Channel::Tls(Box::new(stream.into())),
            quota: None,
            username,
            _place: place,
        }
    }

    fn socket(&mut self) -> &mut Socket {
        match &mut self.channel {
            Channel::Plain(socket) => socket,
            Channel::Tls(stream) => stream.get_mut().0,
        }
    }

    /// Whether both ends are on this machine.
    pub(crate) fn is_local(&self) -> bool {
        let socket = match &self.channel {
            Channel::Plain(socket) => socket,
            Channel::Tls(stream) => stream.get_ref().0,
        };
        match socket {
            Socket::Tcp(stream) => match (stream.peer_addr(), stream.local_addr()) {
                (Ok(peer), Ok(own)) => own.ip() == peer.ip() || own.ip().is_loopback(),
                _ => false,
            },
            Socket::Unix(_) => true,
            Socket::Away => false,
        }
    }

    /// Whether the bytes travel as they are.
    pub(crate) fn is_bare(&self) -> bool {
        matches!(self.channel, Channel::Plain(_))
    }

    /// Lets no more than so many bytes be read from now on, or as many as come. A message of WebSocket is
    /// gathered before anybody can look at it, so a stranger's has to be bounded here.
    pub(crate) fn set_quota(&mut self, quota: Option<usize>) {
        self.quota = quota;
    }

    /// Takes the socket below off this worker. Nothing can be read or written until it is
    /// [fastened](Self::fasten) again.
    pub(crate) fn loosen(&mut self) -> io::Result<LooseSocket> {
        self.socket().loosen()
    }

    /// Registers the socket with the runtime of the worker it has come to.
    pub(crate) fn fasten(&mut self, socket: LooseSocket) -> io::Result<()> {
        *self.socket() = socket.register()?;
        Ok(())
    }
}

/// Reads what the peer still sends, to its end: a connection that is closed while there are bytes that
/// nobody has read takes with it what was written last.
pub(crate) async fn read_away(stream: &mut (impl AsyncRead + Unpin)) {
    let mut unread = BytesMut::with_capacity(READ_AWAY_CHUNK);
    while stream.read_buf(&mut unread).await.is_ok_and(|read| read > 0) {
        unread.clear();
    }
}

/// Reads into an empty buffer that many connections share, behind the bytes of this one that have been
/// read already and must be looked at again. The buffer stays empty unless something is read.
pub(crate) fn poll_read_behind(
    stream: Pin<&mut impl AsyncRead>,
    cx: &mut Context<'_>,
    shared: &mut BytesMut,
    before: &[u8],
) -> Poll<io::Result<usize>> {
    if shared.capacity() < before.len().saturating_add(READ_CHUNK / 4) {
        shared.reserve(before.len().saturating_add(READ_CHUNK));
    }
    shared.extend_from_slice(before);
    let read = tokio_util::io::poll_read_buf(stream, cx, shared);
    if !matches!(read, Poll::Ready(Ok(1..))) {
        shared.clear();
    }
    read
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Away => Poll::Ready(Err(away())),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Away => Poll::Ready(Err(away())),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Self::Away => Poll::Ready(Err(away())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Away => Poll::Ready(Err(away())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Away => Poll::Ready(Err(away())),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = match &mut this.channel {
            Channel::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Channel::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        if let Some(quota) = &mut this.quota {
            let count = buffer.filled().len().saturating_sub(before);
            match quota.checked_sub(count) {
                Some(left) => *quota = left,
                None => {
                    let why = "it sent more than a CONNECT can hold before it was let in";
                    return Poll::Ready(Err(io::Error::other(why)));
                }
            }
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().channel {
            Channel::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Channel::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().channel {
            Channel::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, pieces),
            Channel::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().channel {
            Channel::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Channel::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().channel {
            Channel::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Channel::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
