//! What MQTT travels over: a stream of bytes as it is, or WebSocket on one (MQTT 5.0 §6).

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{fmt, io};

use bytes::{BufMut as _, Bytes, BytesMut};
use codec::{FixedHeader, MqttString, PACKET_SIZE_MAX, ProtocolVersion};
use tokio::io::AsyncWrite;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::limits::{PARTIAL_COPIED_MAX, READ_CHUNK, WS_MESSAGE_MAX};
use crate::net::{LooseSocket, Stream, poll_read_behind, read_away};
use crate::websocket::{self, Messages, WebSocket};
use crate::worker::out::OutBuffer;

/// The network connection of one client.
pub(crate) enum Transport {
    Bytes(Stream),
    /// With what its peer is told if it has to be closed for an error.
    WebSocket(Box<WebSocket<Stream>>, CloseCode),
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes(_) => "bytes",
            Self::WebSocket(..) => "WebSocket",
        })
    }
}

/// A connection on its way from one worker to another.
pub(crate) struct Moving {
    transport: Transport,
    socket: LooseSocket,
}

impl Moving {
    /// Registers the connection with the runtime of the worker it has come to.
    pub(crate) fn into_here(self) -> io::Result<Transport> {
        let Self { mut transport, socket } = self;
        transport.stream().fasten(socket)?;
        Ok(transport)
    }
}

/// Why nothing more will be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The peer closed the connection in an orderly way.
    #[error("the connection was closed")]
    Closed,
    /// The connection broke.
    #[error("{0}")]
    Io(io::Error),
    /// A text message, where MQTT travels in binary ones (MQTT 5.0 §6.0).
    #[error("a WebSocket text message arrived, and MQTT travels in binary ones")]
    Text,
    /// The WebSocket protocol was broken.
    #[error("WebSocket: {0}")]
    WebSocket(String),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        // TLS has a word for goodbye, which many leave unsaid.
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Closed } else { Self::Io(error) }
    }
}

/// Bytes that arrived and are not decoded yet.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// The start of a packet whose end has not arrived. Owns no memory while it is empty.
    pub partial: BytesMut,
    /// What arrived last, if `partial` is empty.
    pub chunk: Bytes,
}

impl Incoming {
    /// All that arrived and is not decoded yet.
    pub(crate) fn bytes(&self) -> &[u8] {
        if self.partial.is_empty() { &self.chunk } else { &self.partial }
    }

    /// Keeps what is left of the chunk until more arrives.
    pub(crate) fn keep_rest(&mut self) {
        if !self.chunk.is_empty() {
            self.partial.reserve(self.chunk.len().saturating_add(growth(&self.chunk)));
            self.partial.extend_from_slice(&self.chunk);
            self.chunk = Bytes::new();
        } else if self.partial.is_empty() {
            self.partial = BytesMut::new();
        }
    }

    /// Makes bytes that arrived with the CONNECT the chunk that is looked at next.
    pub(crate) fn present(&mut self) {
        if !self.partial.is_empty() {
            self.chunk = std::mem::take(&mut self.partial).freeze();
        }
    }

    fn take(&mut self, bytes: Bytes) {
        if self.partial.is_empty() {
            self.chunk = bytes;
        } else {
            self.partial.extend_from_slice(&bytes);
        }
    }
}

/// Bytes that the packet at the start of `bytes` lacks.
fn lacking(bytes: &[u8]) -> usize {
    let header = FixedHeader::peek(bytes, ProtocolVersion::V5, PACKET_SIZE_MAX).ok().flatten();
    let whole = header.map_or(0, |header| {
        usize::from(header.header_len).saturating_add(header.remaining_len as usize)
    });
    whole.saturating_sub(bytes.len())
}

/// How much room to make behind the start of a packet: for all that it lacks, but for no more than three
/// times what has arrived, so that nobody is given memory for what he merely claims to send.
fn growth(bytes: &[u8]) -> usize {
    if bytes.len() > PARTIAL_COPIED_MAX {
        lacking(bytes).min(bytes.len().saturating_mul(3))
    } else {
        0
    }
}

/// Reads on behind the start of a packet, where that is long.
fn poll_read_on(
    stream: Pin<&mut Stream>,
    cx: &mut Context<'_>,
    partial: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    let lacking = lacking(partial);
    if lacking == 0 || partial.len().saturating_add(lacking) <= READ_CHUNK {
        partial.reserve(READ_CHUNK);
        return tokio_util::io::poll_read_buf(stream, cx, partial);
    }
    // A packet of many reads is read to its end and no further: then nothing has to be moved away from
    // behind it, and it is alone in its memory.
    if partial.capacity() == partial.len() {
        partial.reserve(growth(partial));
    }
    tokio_util::io::poll_read_buf(stream, cx, &mut partial.limit(lacking))
}

impl Transport {
    pub(crate) fn web_socket(socket: WebSocket<Stream>) -> Self {
        Self::WebSocket(Box::new(socket), CloseCode::Policy)
    }

    /// Takes the connection off this worker.
    pub(crate) fn into_moving(mut self) -> io::Result<Moving> {
        let socket = self.stream().loosen()?;
        Ok(Moving { transport: self, socket })
    }

    fn stream(&mut self) -> &mut Stream {
        match self {
            Self::Bytes(stream) => stream,
            Self::WebSocket(socket, _) => socket.stream_mut(),
        }
    }

    /// Takes no more than so many bytes from now on: whose connection it is, is not known yet.
    pub(crate) fn bound(&mut self, bytes_max: usize) {
        self.stream().set_quota(Some(bytes_max));
    }

    /// Takes all that its client may send from now on.
    pub(crate) fn let_in(&mut self, packet_size_max: u32) {
        self.stream().set_quota(None);
        if let Self::WebSocket(socket, _) = self {
            socket.set_message_max(usize::try_from(packet_size_max).unwrap_or(usize::MAX));
        }
    }

    /// The User Name that the client's certificate gives it, where the listener has it so.
    pub(crate) fn certificate_username(&self) -> Option<&MqttString> {
        let stream = match self {
            Self::Bytes(stream) => stream,
            Self::WebSocket(socket, _) => socket.stream(),
        };
        stream.username.as_ref()
    }

    /// Reads what has arrived into `incoming`. `shared` is the read buffer of the worker: an idle
    /// connection has none of its own.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        incoming: &mut Incoming,
        shared: &mut BytesMut,
    ) -> Poll<Result<(), ReadError>> {
        match self {
            Self::Bytes(stream) => {
                let stream = Pin::new(stream);
                let Incoming { partial, chunk } = incoming;
                let read = if partial.len() > PARTIAL_COPIED_MAX {
                    ready!(poll_read_on(stream, cx, partial))?
                } else {
                    let read = ready!(poll_read_behind(stream, cx, shared, partial))?;
                    *partial = BytesMut::new();
                    *chunk = shared.split().freeze();
                    read
                };
                closed_if(read == 0)
            }
            Self::WebSocket(socket, close_code) => loop {
                match ready!(socket.poll_next(cx, shared, Messages::Joined)) {
                    Some(Ok(Message::Binary(bytes))) => {
                        incoming.take(bytes);
                        return Poll::Ready(Ok(()));
                    }
                    // Reading on sends the answer to these.
                    Some(Ok(Message::Ping(_) | Message::Close(_))) => {}
                    Some(Ok(Message::Pong(_) | Message::Frame(_))) => {}
                    Some(Ok(Message::Text(_))) => {
                        *close_code = CloseCode::Unsupported;
                        return Poll::Ready(Err(ReadError::Text));
                    }
                    None => return Poll::Ready(Err(ReadError::Closed)),
                    Some(Err(error)) => {
                        *close_code = websocket::close_code(&error);
                        return Poll::Ready(Err(websocket_error(error)));
                    }
                }
            },
        }
    }

    /// Writes from `out` until it is empty.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut OutBuffer,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Bytes(stream) => {
                while !out.is_empty() {
                    let stream = Pin::new(&mut *stream);
                    let written = if out.is_one_piece() {
                        ready!(stream.poll_write(cx, out.front()))?
                    } else {
                        ready!(stream.poll_write_vectored(cx, &out.slices()))?
                    };
                    if written == 0 {
                        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                    }
                    out.advance(written);
                }
                // TLS may hold records back; TCP has nothing to flush.
                Pin::new(stream).poll_flush(cx)
            }
            Self::WebSocket(socket, _) => {
                loop {
                    match ready!(socket.poll_flush(cx)) {
                        // Its peer has closed it, which is found when it is read.
                        Ok(()) | Err(tungstenite::Error::ConnectionClosed) if out.is_empty() => {
                            return Poll::Ready(Ok(()));
                        }
                        done => done.map_err(io::Error::other)?,
                    }
                    let message = Message::Binary(out.take(WS_MESSAGE_MAX));
                    socket.start_send(cx, message).map_err(io::Error::other)?;
                }
            }
        }
    }

    /// Whether there is nothing between MQTT and the socket that has a goodbye of its own.
    pub(crate) fn is_bare(&self) -> bool {
        matches!(self, Self::Bytes(stream) if stream.is_bare())
    }

    /// Says goodbye: after this the peer reads the end of the stream.
    pub(crate) async fn shut_down(&mut self, error: bool) {
        // Whether the peer still listens is no concern of ours.
        match self {
            Self::Bytes(stream) => {
                let _ = std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_shutdown(cx)).await;
            }
            Self::WebSocket(socket, close_code) => {
                let code = if error { *close_code } else { CloseCode::Normal };
                socket.say_goodbye(code).await;
            }
        }
    }

    /// Reads what still comes, after our side has ended, until the other has.
    pub(crate) async fn read_away(&mut self) {
        read_away(self.stream()).await;
    }
}

fn closed_if(closed: bool) -> Poll<Result<(), ReadError>> {
    Poll::Ready(if closed { Err(ReadError::Closed) } else { Ok(()) })
}

fn websocket_error(error: tungstenite::Error) -> ReadError {
    match error {
        tungstenite::Error::Io(error) => error.into(),
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => {
            ReadError::Closed
        }
        tungstenite::Error::Protocol(
            tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        ) => ReadError::Closed,
        error => ReadError::WebSocket(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_for_what_a_packet_lacks_and_never_for_a_mere_claim() {
        // A PUBLISH that claims 2 MiB.
        let mut packet = vec![0x30, 0x80, 0x80, 0x80, 0x01];
        let whole = packet.len() + (2 << 20);
        assert_eq!((lacking(&packet), growth(&packet)), (2 << 20, 0));
        packet.resize(64 * 1024, b'x');
        assert_eq!(growth(&packet), 3 * 64 * 1024);
        packet.resize(1 << 20, b'x');
        assert_eq!(growth(&packet), whole - packet.len());
        packet.resize(whole, b'x');
        assert_eq!((lacking(&packet), growth(&packet)), (0, 0));
    }

    #[test]
    fn the_rest_of_a_packet_is_kept_with_room_for_more() {
        let mut packet = vec![0x30, 0x80, 0x80, 0x08];
        packet.resize(64 * 1024, b'x');
        let mut incoming = Incoming { partial: BytesMut::new(), chunk: packet.clone().into() };
        incoming.keep_rest();
        assert_eq!(incoming.partial, packet);
        assert!(incoming.chunk.is_empty());
        assert_eq!(incoming.partial.capacity(), 4 + (128 << 10));
    }
}
