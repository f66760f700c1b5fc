//! Takes packets off a buffer that grows as bytes arrive.

use bytes::{Buf, Bytes, BytesMut};

use crate::decode::{decode_body, plain_ack, plain_publish};
use crate::error::{DecodeError, DecodeErrorKind as Kind};
use crate::{FixedHeader, Packet, PacketType, Properties, PropertyId, ProtocolVersion, ReasonCode};

/// Bytes that packets can be taken off the front of.
pub trait Input {
    /// All that is there.
    fn as_slice(&self) -> &[u8];

    /// Takes the first `len` bytes; the caller has seen that they are there.
    fn take(&mut self, len: usize) -> Bytes;

    /// Leaves out the first `len` bytes; the caller has seen that they are there.
    fn skip(&mut self, len: usize);
}

impl Input for Bytes {
    #[inline]
    fn as_slice(&self) -> &[u8] {
        self
    }

    #[inline]
    fn take(&mut self, len: usize) -> Bytes {
        self.split_to(len.min(self.len()))
    }

    #[inline]
    fn skip(&mut self, len: usize) {
        self.advance(len.min(self.len()));
    }
}

impl Input for BytesMut {
    #[inline]
    fn as_slice(&self) -> &[u8] {
        self
    }

    #[inline]
    fn take(&mut self, len: usize) -> Bytes {
        self.split_to(len.min(self.len())).freeze()
    }

    #[inline]
    fn skip(&mut self, len: usize) {
        self.advance(len.min(self.len()));
    }
}

/// The receiving end of one connection.
///
/// It knows what only the packets before can tell: the version, and whether a CONNECT has come. That
/// CONNACK is the first packet of a server, and the only CONNACK, is for its caller to see.
///
/// ```
/// use bytes::BytesMut;
/// use codec::{Decoder, DecodeErrorKind, Packet, ProtocolVersion};
///
/// let mut decoder = Decoder::server(1_000_000);
/// let mut read_buffer = BytesMut::from(&b"\x10\x0d\x00\x04MQ"[..]);
/// assert_eq!(decoder.decode(&mut read_buffer)?, None, "more has to arrive");
///
/// read_buffer.extend_from_slice(b"TT\x04\x02\x00\x3c\x00\x01c\xc0\x00");
/// assert!(matches!(decoder.decode(&mut read_buffer)?, Some(Packet::Connect(_))));
/// assert_eq!(decoder.version(), Some(ProtocolVersion::V311));
/// assert_eq!(decoder.decode(&mut read_buffer)?, Some(Packet::PingReq));
///
/// let mut no_mqtt = BytesMut::from(&b"GET / HTTP/1.1"[..]);
/// let error = Decoder::server(1_000_000).decode(&mut no_mqtt).unwrap_err();
/// assert_eq!(error.kind, DecodeErrorKind::NotConnect);
/// # Ok::<(), codec::DecodeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Decoder {
    end: End,
    packet_size_max: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Of a server that waits for CONNECT.
    NewServer,
    Server(ProtocolVersion),
    Client(ProtocolVersion),
    /// Of a broker that is another one's client.
    Bridge(ProtocolVersion),
}

impl Decoder {
    /// A server's end, which takes packets of at most `packet_size_max` bytes, header included.
    pub const fn server(packet_size_max: u32) -> Self {
        Self { end: End::NewServer, packet_size_max }
    }

    /// The end of a client that asks for `version` and takes packets of at most `packet_size_max`
    /// bytes, header included.
    pub const fn client(version: ProtocolVersion, packet_size_max: u32) -> Self {
        Self { end: End::Client(version), packet_size_max }
    }

    /// The end of a broker that is a client of another: a client's, but for PINGREQ, which brokers take
    /// from either end of a bridge.
    pub const fn bridge(version: ProtocolVersion, packet_size_max: u32) -> Self {
        Self { end: End::Bridge(version), packet_size_max }
    }

    /// Changes the largest packet that is taken, in bytes, header included.
    pub const fn set_packet_size_max(&mut self, max: u32) {
        self.packet_size_max = max;
    }

    /// The version of the connection, once it is known.
    pub const fn version(&self) -> Option<ProtocolVersion> {
        match self.end {
            End::NewServer => None,
            End::Server(version) | End::Client(version) | End::Bridge(version) => Some(version),
        }
    }

    /// Takes one packet off the front of `buf`; `None` if it does not hold a whole one yet.
    ///
    /// Nothing is allocated for what a header merely claims, and a header that can't be right is
    /// found as soon as it is there.
    ///
    /// # Errors
    /// The bytes are no packet, or none that may come now. There is no way on from there: what is
    /// left in `buf` has no meaning.
    // Where a PUBLISH is decoded, it need not be moved from a place that was just written to.
    #[inline(always)]
    pub fn decode<I: Input>(&mut self, buf: &mut I) -> Result<Option<Packet>, DecodeError> {
        if let Some(version) = self.version()
            && let Some(publish) = plain_publish(buf, version, self.packet_size_max)
        {
            return Ok(Some(Packet::Publish(publish)));
        }
        // Were it returned from where it is written, a plain PUBLISH would be put together there as well, and then
        // moved. So it stays in registers.
        let packet = self.decode_any(buf)?;
        Ok(packet)
    }

    /// Whatever there is, however unusual. By itself, so that the short way stays short where it is inlined.
    #[inline(never)]
    fn decode_any<I: Input>(&mut self, buf: &mut I) -> Result<Option<Packet>, DecodeError> {
        // The fixed header of CONNECT is the same in every version.
        let version = self.version().unwrap_or(ProtocolVersion::V5);
        let bytes = buf.as_slice();
        self.check_type(bytes)?;
        let Some(header) = FixedHeader::peek(bytes, version, self.packet_size_max)? else {
            return Ok(None);
        };
        if bytes.len() < header.packet_len() {
            return Ok(None);
        }
        if let Some(packet) = plain_ack(header, bytes) {
            buf.skip(header.packet_len());
            return Ok(Some(packet));
        }
        let frame = buf.take(header.packet_len());
        let fail = |kind| DecodeError { packet: Some(header.packet), kind };
        let packet = decode_body(header, frame, version).map_err(fail)?;
        self.check_sender(&packet).map_err(fail)?;
        if let Packet::Connect(connect) = &packet {
            self.end = End::Server(connect.version);
        }
        Ok(Some(packet))
    }

    /// Whether the packet holds nothing that only this end may send.
    fn check_sender(&self, packet: &Packet) -> Result<(), Kind> {
        let from_client = !matches!(self.end, End::Client(_) | End::Bridge(_));
        let is_for_sender = |code: ReasonCode, packet: PacketType| {
            if from_client { code.is_for_client(packet) } else { code.is_for_server() }
        };
        match packet {
            // A client can't say which subscriptions a message is for (MQTT 5.0 §3.3.4).
            Packet::Publish(publish) if from_client => {
                refuse(&publish.properties, PropertyId::SubscriptionIdentifier)
            }
            Packet::Disconnect(disconnect) => {
                if !is_for_sender(disconnect.code, PacketType::Disconnect) {
                    return Err(Kind::ReasonCodeFromOtherEnd(disconnect.code));
                }
                if from_client {
                    return Ok(());
                }
                // How long a session lasts is for the client to change (MQTT 5.0 §3.14.2.2.2).
                refuse(&disconnect.properties, PropertyId::SessionExpiryInterval)
            }
            Packet::Auth(auth) if !is_for_sender(auth.code, PacketType::Auth) => {
                Err(Kind::ReasonCodeFromOtherEnd(auth.code))
            }
            _ => Ok(()),
        }
    }

    /// Whether a packet of the type in the first byte may come now, and from there.
    fn check_type(&self, bytes: &[u8]) -> Result<(), DecodeError> {
        use PacketType as Type;
        let Some(packet) = bytes.first().and_then(|first| Type::from_nibble(first >> 4)) else {
            return match (bytes.first(), self.end) {
                (Some(_), End::NewServer) => {
                    Err(DecodeError { packet: None, kind: Kind::NotConnect })
                }
                _ => Ok(()),
            };
        };
        let kind = match (self.end, packet) {
            (End::NewServer, Type::Connect) => return Ok(()),
            (End::NewServer, _) => Kind::NotConnect,
            (End::Server(_), Type::Connect) => Kind::SecondConnect,
            (End::Server(_), Type::ConnAck | Type::SubAck | Type::UnsubAck | Type::PingResp)
            | (End::Client(_), Type::PingReq)
            | (
                End::Client(_) | End::Bridge(_),
                Type::Connect | Type::Subscribe | Type::Unsubscribe,
            ) => Kind::WrongDirection,
            // Before MQTT 5.0 only a client ends a connection with a packet.
            (End::Client(version) | End::Bridge(version), Type::Disconnect) if !version.is_v5() => {
                Kind::WrongDirection
            }
            _ => return Ok(()),
        };
        Err(DecodeError { packet: Some(packet), kind })
    }
}

fn refuse(properties: &Properties, id: PropertyId) -> Result<(), Kind> {
    if properties.contains(id) { Err(Kind::PropertyFromOtherEnd(id)) } else { Ok(()) }
}
