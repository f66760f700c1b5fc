//! A WebSocket after its handshake: messages in, messages out (RFC 6455 §5).
//!
//! The rules are the library's, by its `WebSocketContext`, which reads and writes whatever it is given.
//! One kind of frame never comes to it: that which is a whole binary message and has arrived whole, of
//! which a busy connection consists. Those are unmasked where they lie, moved together and handed on
//! as one piece. The library is given any other frame, byte by byte to its end and no further, so that
//! it never holds more than that frame.

use std::future::poll_fn;
use std::io::{self, Cursor, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, OpCode};
use tokio_tungstenite::tungstenite::protocol::{
    CloseFrame, Role, WebSocketConfig, WebSocketContext,
};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::limits::{WS_FRAME_AWAITED_MAX, WS_MESSAGE_MAX};
use crate::net::poll_read_behind;

/// Bytes that the library takes at once of a frame that it is given.
const LIBRARY_CHUNK: usize = 1024;

/// The first byte of a frame that is a whole binary message.
const WHOLE_BINARY: u8 = 0x82;

/// The bit of the second byte that says that the payload is masked.
const MASKED: u8 = 0x80;

/// How messages are handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Messages {
    /// Each by itself.
    Single,
    /// Binary messages that have arrived together as one: where messages end means nothing to MQTT
    /// (MQTT 5.0 §6.0).
    Joined,
}

/// A WebSocket, as the server has it.
#[derive(Debug)]
pub(crate) struct WebSocket<S> {
    stream: S,
    rules: WebSocketContext,
    /// What has been read, and neither handed on nor given to the library.
    unread: BytesMut,
    /// Bytes of the current frame that the library has not been given.
    owed: u64,
    /// Whether a message has begun that further frames go on with.
    in_pieces: bool,
    /// Whether the library may hold something that is to be written.
    unflushed: bool,
    /// Whether nothing more can be read.
    ended: bool,
}

impl<S> WebSocket<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// A WebSocket of which these bytes have been read already, and whose messages and frames have at
    /// most so many.
    pub(crate) fn new(stream: S, read: &[u8], message_max: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(LIBRARY_CHUNK)
            // What it holds is written when it is flushed.
            .write_buffer_size(WS_MESSAGE_MAX.saturating_mul(2));
        let mut socket = Self {
            stream,
            rules: WebSocketContext::new(Role::Server, Some(config)),
            unread: BytesMut::from(read),
            owed: 0,
            in_pieces: false,
            unflushed: false,
            ended: false,
        };
        socket.set_message_max(message_max);
        socket
    }

    /// Changes how large messages and frames may be that arrive from now on.
    pub(crate) fn set_message_max(&mut self, message_max: usize) {
        self.rules.set_config(|config| {
            config.max_message_size = Some(message_max);
            config.max_frame_size = Some(message_max);
        });
    }

    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }

    pub(crate) fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The next message, or after an error or a close nothing more. `shared` is an empty buffer that is
    /// read into, of which nothing is kept while nothing is there to read.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        shared: &mut BytesMut,
        messages: Messages,
    ) -> Poll<Option<Result<Message, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match ready!(self.poll_message(cx, shared, messages)) {
            Ok(message) => Poll::Ready(Some(Ok(message))),
            Err(error) => {
                self.ended = true;
                let is_close = matches!(error, Error::AlreadyClosed | Error::ConnectionClosed);
                Poll::Ready((!is_close).then_some(Err(error)))
            }
        }
    }

    fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
        shared: &mut BytesMut,
        messages: Messages,
    ) -> Poll<Result<Message, Error>> {
        loop {
            // Pings and closes are answered before anything else is looked at.
            match self.poll_flush(cx) {
                Poll::Ready(done) => done?,
                Poll::Pending if self.rules.can_read() => {}
                Poll::Pending => return Poll::Pending,
            }
            if self.owed == 0 {
                if let Some(bytes) = self.take_whole(messages) {
                    return Poll::Ready(Ok(Message::Binary(bytes)));
                }
                if !self.begin_frame()? {
                    ready!(self.poll_fill(cx, shared))?;
                    continue;
                }
            }
            match self.give(cx) {
                Ok(message) => return Poll::Ready(Ok(message)),
                // A frame that is given whole, and is no message by itself.
                Err(error) if is_would_block(&error) && self.owed == 0 => {}
                Err(error) if is_would_block(&error) => ready!(self.poll_fill(cx, shared))?,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Takes the whole binary messages off the front of what has been read.
    fn take_whole(&mut self, messages: Messages) -> Option<Bytes> {
        if self.in_pieces {
            return None;
        }
        let message_max = self.rules.get_config().max_message_size.unwrap_or(usize::MAX);
        let (taken, payload) = unmask_whole(&mut self.unread, message_max, messages);
        if taken == 0 {
            return None;
        }
        let mut bytes = self.unread.split_to(taken);
        bytes.truncate(payload);
        self.detach();
        Some(bytes.freeze())
    }

    /// Has what is unread not keep alive the whole buffer that it was read into.
    fn detach(&mut self) {
        self.unread = BytesMut::from(self.unread.as_ref());
    }

    /// Looks at the header of the next frame, all of which the library is to get; `false` if more has to
    /// arrive first.
    fn begin_frame(&mut self) -> Result<bool, Error> {
        let mut cursor = Cursor::new(self.unread.as_ref());
        let Some((header, length)) = FrameHeader::parse(&mut cursor)? else { return Ok(false) };
        let whole = length.saturating_add(cursor.position());
        if whole > self.unread.len() as u64 && whole <= WS_FRAME_AWAITED_MAX {
            return Ok(false);
        }
        if matches!(header.opcode, OpCode::Data(_)) {
            self.in_pieces = !header.is_final;
        }
        self.owed = whole;
        Ok(true)
    }

    /// Gives the library what there is of the current frame.
    fn give(&mut self, cx: &mut Context<'_>) -> Result<Message, Error> {
        let Self { stream, rules, unread, owed, .. } = self;
        let message = rules.read(&mut Wire { stream, cx, unread, owed })?;
        // It has an answer to these.
        self.unflushed |= matches!(message, Message::Ping(_) | Message::Close(_));
        Ok(message)
    }

    /// Reads more of what the peer sends.
    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        shared: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        let stream = Pin::new(&mut self.stream);
        match poll_read_behind(stream, cx, shared, &self.unread) {
            Poll::Ready(Ok(1..)) => {
                self.unread = shared.split();
                Poll::Ready(Ok(()))
            }
            other => {
                self.detach();
                ready!(other)?;
                Poll::Ready(Err(ProtocolError::ResetWithoutClosingHandshake.into()))
            }
        }
    }

    /// Takes a message to be sent, which is written when the WebSocket is flushed.
    pub(crate) fn start_send(
        &mut self,
        cx: &mut Context<'_>,
        message: Message,
    ) -> Result<(), Error> {
        self.unflushed = true;
        let Self { stream, rules, unread, owed, .. } = self;
        match rules.write(&mut Wire { stream, cx, unread, owed }, message) {
            Err(error) if !is_would_block(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes what is to be sent.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        let Self { stream, rules, unread, owed, .. } = self;
        match rules.flush(&mut Wire { stream, cx, unread, owed }) {
            Err(error) if is_would_block(&error) => Poll::Pending,
            done => {
                self.unflushed = false;
                Poll::Ready(done)
            }
        }
    }

    /// Sends a message.
    pub(crate) async fn send(&mut self, message: Message) -> Result<(), Error> {
        let mut message = Some(message);
        poll_fn(|cx| {
            if let Some(message) = message.take() {
                self.start_send(cx, message)?;
            }
            self.poll_flush(cx)
        })
        .await
    }

    /// Closes the WebSocket from our side, waits for the peer's word where one is to be expected, and
    /// ends what we write (RFC 6455 §7.1).
    pub(crate) async fn say_goodbye(&mut self, code: CloseCode) {
        // Whether the peer still listens is no concern of ours.
        let _ = self.send(Message::Close(Some(CloseFrame { code, reason: "".into() }))).await;
        // After an error there is nothing left here that could be understood.
        let mut buffer = BytesMut::new();
        while let Some(Ok(_)) =
            poll_fn(|cx| self.poll_next(cx, &mut buffer, Messages::Joined)).await
        {}
        let _ = self.stream.shutdown().await;
    }
}

/// What the library reads and writes: of what has been read the current frame alone.
struct Wire<'a, 'b, S> {
    stream: &'a mut S,
    cx: &'a mut Context<'b>,
    unread: &'a mut BytesMut,
    owed: &'a mut u64,
}

impl<S> Read for Wire<'_, '_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let owed = usize::try_from(*self.owed).unwrap_or(usize::MAX);
        let read = buffer.len().min(self.unread.len()).min(owed);
        if read == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.unread.split_to(read).copy_to_slice(buffer.get_mut(..read).unwrap_or_default());
        *self.owed = self.owed.saturating_sub(read as u64);
        Ok(read)
    }
}

impl<S: AsyncWrite + Unpin> Write for Wire<'_, '_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        now(Pin::new(&mut *self.stream).poll_write(self.cx, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        now(Pin::new(&mut *self.stream).poll_flush(self.cx))
    }
}

/// What is not done yet as the library has it.
fn now<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(done) => done,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

fn is_would_block(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// Unmasks the whole binary messages at the front of `wire`, and moves their payloads together there.
/// Returns how many bytes the frames had, and how many the payloads have.
fn unmask_whole(wire: &mut [u8], message_max: usize, messages: Messages) -> (usize, usize) {
    let (mut taken, mut payload) = (0_usize, 0_usize);
    while let Some(frame) = wire.get(taken..).and_then(Whole::parse) {
        if frame.length > message_max {
            break;
        }
        let start = taken.saturating_add(frame.header);
        taken = start.saturating_add(frame.length);
        wire.copy_within(start..taken, payload);
        let end = payload.saturating_add(frame.length);
        if let Some(bytes) = wire.get_mut(payload..end) {
            unmask(bytes, frame.mask);
        }
        payload = end;
        if messages == Messages::Single {
            break;
        }
    }
    (taken, payload)
}

/// A frame that is a whole binary message and has arrived whole.
struct Whole {
    /// Bytes of its header.
    header: usize,
    /// Bytes of its payload.
    length: usize,
    mask: [u8; 4],
}

impl Whole {
    /// The frame that `bytes` begin with, if it is one of these.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (&[first, second], rest) = bytes.split_first_chunk::<2>()?;
        if first != WHOLE_BINARY || second & MASKED == 0 {
            return None;
        }
        let (length, rest) = match second & !MASKED {
            126 => {
                let (length, rest) = rest.split_first_chunk::<2>()?;
                (u16::from_be_bytes(*length).into(), rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk::<8>()?;
                (u64::from_be_bytes(*length), rest)
            }
            length => (length.into(), rest),
        };
        let (&mask, payload) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(length).ok().filter(|length| *length <= payload.len())?;
        Some(Self { header: bytes.len().saturating_sub(payload.len()), length, mask })
    }
}

/// Takes the mask off a payload (RFC 6455 §5.3).
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}
