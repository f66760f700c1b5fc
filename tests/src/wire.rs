//! A client of bare bytes: packets put together by hand, so that they can also be wrong.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::PATIENCE;
use crate::broker;

/// A version of MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// MQTT 3.1.
    V31,
    /// MQTT 3.1.1.
    V311,
    /// MQTT 5.0.
    V5,
}

impl Version {
    /// All that the broker speaks.
    pub const ALL: [Self; 3] = [Self::V31, Self::V311, Self::V5];

    /// The value of the `-V` option of Mosquitto's clients.
    #[must_use]
    pub fn option(self) -> &'static str {
        match self {
            Self::V31 => "31",
            Self::V311 => "311",
            Self::V5 => "5",
        }
    }

    fn protocol_name(self) -> &'static str {
        match self {
            Self::V31 => "MQIsdp",
            Self::V311 | Self::V5 => "MQTT",
        }
    }

    fn protocol_level(self) -> u8 {
        match self {
            Self::V31 => 3,
            Self::V311 => 4,
            Self::V5 => 5,
        }
    }

    /// `properties` as this version has them: with their length in 5.0, nothing before.
    #[must_use]
    pub fn properties(self, properties: &[u8]) -> Vec<u8> {
        if self != Self::V5 {
            assert!(properties.is_empty(), "{self} has no properties");
            return Vec::new();
        }
        [&variable_byte_integer(properties.len()), properties].concat()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V31 => "MQTT 3.1",
            Self::V311 => "MQTT 3.1.1",
            Self::V5 => "MQTT 5.0",
        })
    }
}

/// The first byte of each packet, without flags.
pub mod first_byte {
    #![allow(missing_docs, reason = "each is the packet of its name")]
    pub const CONNECT: u8 = 0x10;
    pub const CONNACK: u8 = 0x20;
    pub const PUBLISH: u8 = 0x30;
    pub const PUBACK: u8 = 0x40;
    pub const PUBREC: u8 = 0x50;
    pub const PUBREL: u8 = 0x62;
    pub const PUBCOMP: u8 = 0x70;
    pub const SUBSCRIBE: u8 = 0x82;
    pub const SUBACK: u8 = 0x90;
    pub const UNSUBSCRIBE: u8 = 0xA2;
    pub const UNSUBACK: u8 = 0xB0;
    pub const PINGREQ: u8 = 0xC0;
    pub const PINGRESP: u8 = 0xD0;
    pub const DISCONNECT: u8 = 0xE0;
}

/// A length as the fixed header writes it (MQTT 5.0 §1.5.5).
#[must_use]
pub fn variable_byte_integer(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value % 128).unwrap();
        value /= 128;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// Binary data or a string with its length before it.
#[must_use]
pub fn prefixed(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let length = u16::try_from(bytes.len()).expect("at most 65,535 bytes");
    [&length.to_be_bytes(), bytes].concat()
}

/// A packet of these bytes, with its fixed header.
#[must_use]
pub fn packet(first_byte: u8, body: &[u8]) -> Vec<u8> {
    [&[first_byte], variable_byte_integer(body.len()).as_slice(), body].concat()
}

/// SUBSCRIBE to one topic filter.
#[must_use]
pub fn subscribe(version: Version, packet_id: u16, filter: &str, options: u8) -> Vec<u8> {
    let properties = version.properties(&[]);
    let parts = [&packet_id.to_be_bytes()[..], &properties, &prefixed(filter), &[options]];
    packet(first_byte::SUBSCRIBE, &parts.concat())
}

/// PUBLISH; `packet_id` is written where there is a QoS.
#[must_use]
pub fn publish(version: Version, topic: &str, qos: u8, packet_id: u16, payload: &[u8]) -> Vec<u8> {
    let packet_id = if qos == 0 { Vec::new() } else { packet_id.to_be_bytes().to_vec() };
    let parts = [&prefixed(topic), &packet_id, &version.properties(&[]), payload];
    packet(first_byte::PUBLISH | qos << 1, &parts.concat())
}

/// PINGREQ.
pub const PINGREQ: [u8; 2] = [first_byte::PINGREQ, 0];
/// PINGRESP.
pub const PINGRESP: [u8; 2] = [first_byte::PINGRESP, 0];
/// DISCONNECT, for no other reason than being done.
pub const DISCONNECT: [u8; 2] = [first_byte::DISCONNECT, 0];

/// The will of a CONNECT, at QoS 1 and not retained.
#[derive(Clone, Copy, Debug)]
pub struct Will<'a> {
    /// Where it goes.
    pub topic: &'a str,
    /// What it says.
    pub payload: &'a str,
    /// MQTT 5.0 alone: the bytes of its properties.
    pub properties: &'a [u8],
}

/// What a CONNECT says.
#[derive(Clone, Copy, Debug)]
pub struct Connect<'a> {
    /// The version it is in.
    pub version: Version,
    /// The client identifier.
    pub client_id: &'a str,
    /// Clean session, in MQTT 5.0 clean start.
    pub clean: bool,
    /// In seconds; 0 switches it off.
    pub keep_alive: u16,
    /// The will.
    pub will: Option<Will<'a>>,
    /// The user name.
    pub username: Option<&'a str>,
    /// The password.
    pub password: Option<&'a str>,
    /// MQTT 5.0 alone: the bytes of the properties.
    pub properties: &'a [u8],
}

impl<'a> Connect<'a> {
    /// A clean session without keep-alive, will, user name and properties.
    #[must_use]
    pub fn new(version: Version, client_id: &'a str) -> Self {
        Self {
            version,
            client_id,
            clean: true,
            keep_alive: 0,
            will: None,
            username: None,
            password: None,
            properties: &[],
        }
    }

    /// The same, from a user with a password.
    #[must_use]
    pub fn user(self, name: &'a str, password: &'a str) -> Self {
        Self { username: Some(name), password: Some(password), ..self }
    }

    /// The bytes of the packet.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let Self { version, client_id, clean, keep_alive, will, username, password, properties } =
            *self;
        let mut flags = u8::from(clean) << 1 | if will.is_some() { 0b0000_1100 } else { 0 };
        flags |= u8::from(username.is_some()) << 7 | u8::from(password.is_some()) << 6;
        let mut body = prefixed(version.protocol_name());
        body.extend([version.protocol_level(), flags]);
        body.extend(keep_alive.to_be_bytes());
        body.extend(version.properties(properties));
        body.extend(prefixed(client_id));
        if let Some(will) = will {
            body.extend(version.properties(will.properties));
            body.extend(prefixed(will.topic));
            body.extend(prefixed(will.payload));
        }
        body.extend([username, password].into_iter().flatten().flat_map(prefixed));
        packet(first_byte::CONNECT, &body)
    }
}

/// A packet that arrived.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    /// Type and flags.
    pub first_byte: u8,
    /// All after the remaining length.
    pub body: Vec<u8>,
}

impl Packet {
    /// The reason of a DISCONNECT in MQTT 5.0 (§3.14.2.1: none written means 0); `None` for any
    /// other packet.
    #[must_use]
    pub fn disconnect_reason(&self) -> Option<u8> {
        let reason = self.body.first().copied().unwrap_or(0);
        (self.first_byte == first_byte::DISCONNECT).then_some(reason)
    }

    /// Topic and payload of a PUBLISH without properties.
    #[must_use]
    pub fn publication(&self, version: Version) -> Option<(String, Vec<u8>)> {
        if self.first_byte & 0xF0 != first_byte::PUBLISH {
            return None;
        }
        let (length, rest) = self.body.split_at(2);
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let (topic, mut payload) = rest.split_at(length);
        if self.first_byte & 0b0110 != 0 {
            payload = &payload[2..];
        }
        if version == Version::V5 {
            payload = &payload[1 + usize::from(payload[0])..];
        }
        Some((String::from_utf8(topic.to_vec()).expect("a topic is UTF-8"), payload.to_vec()))
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.body[..self.body.len().min(64)];
        write!(f, "{:#04X}+{} {shown:02X?}", self.first_byte, self.body.len())
    }
}

/// What a client hears from the broker in a given time.
enum Heard {
    Packet(Packet),
    End,
    Nothing,
}

/// A TCP connection to the broker.
pub struct Client {
    stream: TcpStream,
    arrived: Vec<u8>,
    version: Version,
}

impl Client {
    /// Connects, and sends nothing.
    #[must_use]
    #[track_caller]
    pub fn open(port: u16) -> Self {
        let stream = broker::connect(port);
        Self { stream, arrived: Vec::new(), version: Version::V311 }
    }

    /// The address that the broker sees.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket has an address")
    }

    /// Sends CONNECT and waits to be accepted; returns the CONNACK.
    #[track_caller]
    pub fn connect(&mut self, connect: &Connect<'_>) -> Packet {
        self.version = connect.version;
        self.send(&connect.bytes());
        let connack = self.receive();
        assert_eq!(connack.first_byte, first_byte::CONNACK, "{connack:?}");
        assert_eq!(connack.body[1], 0, "CONNECT is accepted: {connack:?}");
        connack
    }

    /// Sends bytes, which the broker has to take.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the broker takes what it is sent");
    }

    /// Sends bytes that the broker may refuse by closing the connection. Whether it took them all.
    pub fn send_if_taken(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Says that nothing more will be sent, and goes on listening.
    pub fn finish_sending(&self) {
        // Fails only if the broker has already closed, which is what the caller goes on to see.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Subscribes to one topic filter at QoS 1 and waits for the acknowledgement.
    #[track_caller]
    pub fn subscribe(&mut self, filter: &str) {
        self.send(&subscribe(self.version, 1, filter, 1));
        let suback = self.receive();
        assert_eq!(suback.first_byte, first_byte::SUBACK, "{suback:?}");
        assert_eq!(suback.body.last(), Some(&1), "{suback:?}");
    }

    /// The next packet.
    #[track_caller]
    pub fn receive(&mut self) -> Packet {
        self.receive_or_closed(PATIENCE).expect("a packet, not the end of the connection")
    }

    /// The next packet, which has to be a PUBLISH: its topic and payload. It is acknowledged when
    /// it is of QoS 1.
    #[track_caller]
    pub fn receive_publication(&mut self) -> (String, Vec<u8>) {
        let packet = self.receive();
        let publication = packet
            .publication(self.version)
            .unwrap_or_else(|| panic!("a PUBLISH was expected, {packet:?} came"));
        if packet.first_byte & 0b0110 == 0b0010 {
            let id_at = 2 + publication.0.len();
            let id = packet.body[id_at..id_at + 2].to_vec();
            self.send(&crate::wire::packet(first_byte::PUBACK, &id));
        }
        publication
    }

    /// The next packet, or `None` when the broker has closed the connection.
    ///
    /// # Panics
    /// If within `limit` there is neither.
    #[track_caller]
    pub fn receive_or_closed(&mut self, limit: Duration) -> Option<Packet> {
        match self.listen(Instant::now() + limit) {
            Heard::Packet(packet) => Some(packet),
            Heard::End => None,
            Heard::Nothing => panic!("the broker neither answers nor closes within {limit:?}"),
        }
    }

    /// All packets until the broker closes the connection, which it has to do by itself.
    #[track_caller]
    pub fn receive_until_closed(&mut self) -> Vec<Packet> {
        self.receive_until_closed_within(PATIENCE)
    }

    /// [`Self::receive_until_closed`] with a limit of its own.
    #[track_caller]
    pub fn receive_until_closed_within(&mut self, limit: Duration) -> Vec<Packet> {
        self.try_receive_until_closed(limit).unwrap_or_else(|packets| {
            panic!("the broker does not close within {limit:?}, it sent {packets:?}")
        })
    }

    /// All packets until the broker closes the connection; if it does not within `limit`, they are
    /// the error.
    pub fn try_receive_until_closed(
        &mut self,
        limit: Duration,
    ) -> Result<Vec<Packet>, Vec<Packet>> {
        let deadline = Instant::now() + limit;
        let mut packets = Vec::new();
        loop {
            match self.listen(deadline) {
                Heard::Packet(packet) => packets.push(packet),
                Heard::End => return Ok(packets),
                Heard::Nothing => return Err(packets),
            }
        }
    }

    fn listen(&mut self, deadline: Instant) -> Heard {
        loop {
            if let Some(packet) = self.take_packet() {
                return Heard::Packet(packet);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Heard::Nothing;
            }
            self.stream.set_read_timeout(Some(left)).unwrap();
            let mut bytes = [0; 64 * 1024];
            match self.stream.read(&mut bytes) {
                Ok(0) => return Heard::End,
                Ok(length) => self.arrived.extend(&bytes[..length]),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => return Heard::End,
                    other => panic!("the connection broke: {other}"),
                },
            }
        }
    }

    /// Asks whether the connection still lives: PINGREQ, and nothing but PINGRESP comes.
    #[track_caller]
    pub fn ping(&mut self) {
        self.send(&PINGREQ);
        assert_eq!(self.receive(), Packet { first_byte: PINGRESP[0], body: Vec::new() });
    }

    fn take_packet(&mut self) -> Option<Packet> {
        let mut length = 0_usize;
        for (index, byte) in self.arrived.iter().skip(1).take(4).enumerate() {
            length |= usize::from(byte & 0x7F) << (7 * index);
            if byte & 0x80 == 0 {
                let start = index + 2;
                if self.arrived.len() < start + length {
                    return None;
                }
                let packet: Vec<u8> = self.arrived.drain(..start + length).collect();
                return Some(Packet { first_byte: packet[0], body: packet[start..].to_vec() });
            }
        }
        assert!(self.arrived.len() < 5, "no packet begins with {:02X?}", &self.arrived[..5]);
        None
    }
}
