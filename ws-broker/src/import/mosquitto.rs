//! Reads the file in which Mosquitto saves its state, `mosquitto.db`, in the versions 6 (Mosquitto 2) and
//! 5 (Mosquitto 1.6).
//!
//! The file is a head of 23 bytes and then chunks, each a kind and a length, both of four bytes, and as
//! many bytes of contents:
//!
//! | kind | contents |
//! |---|---|
//! | 1 | last message number (8), saved at the end (1), size of a message number (1) |
//! | 2 | a message: number (8), expiry (8), and the lengths of payload (4), with the packet identifier it came in by (2), of the client identifier (2) and user name (2) it came from, of its topic (2); the port it came in by (2), QoS (1), RETAIN (1); then client identifier, user name, topic, payload and, if it has any, a property section |
//! | 3 | a message in a session: number (8), packet identifier (2), length of the client identifier (2), QoS (1), state (1), RETAIN and DUP (4 bits each), direction (1); then the client identifier and, if it has any, a property section |
//! | 4 | a retained message: number (8) |
//! | 5 | a subscription: Subscription Identifier (4), the lengths of client identifier (2) and filter (2), QoS (1), options (1); then the two |
//! | 6 | a session: expiry (8), Session Expiry Interval (4), last packet identifier (2), length of the client identifier (2) and, from version 6 on, port (2) and length of the user name (2); then the two |
//!
//! They are C structures as they stood in memory. What arrived over a network has the network's byte
//! order; message numbers and the times of expiry have that of the machine, which the file does not name;
//! and between the fixed part and the texts lies as much padding as the machine's alignment wants. So
//! numbers are taken for names, without a value; a time, in seconds since 1970, is the smaller of its two
//! readings, since of two orders only the right one leaves its upper half empty (until 2106); and padding
//! is what the lengths leave over.

use std::fmt;
use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use codec::{
    MqttString, PacketId, PacketType, Properties, PropertyId, PropertyOwner, QoS,
    REMAINING_LENGTH_MAX, TopicFilter, TopicName,
};
use hashbrown::{HashMap, HashSet};

use super::left_out::{LeftOut, What, Why};
use crate::limits;

/// What the file begins with.
const MAGIC: [u8; 15] = *b"\0\xb5\0mosquitto db";

/// Bytes behind it that Mosquitto reserves for a checksum and leaves empty.
const CHECKSUM_LEN: usize = 4;

/// The size of a message number in every version of Mosquitto that writes these versions.
const MESSAGE_ID_LEN: u8 = 8;

/// The padding that a structure can end in.
const PADDING_MAX: usize = 7;

/// Bits of a subscription's options, as SUBSCRIBE has them.
const NO_LOCAL: u8 = 0b100;
const RETAIN_AS_PUBLISHED: u8 = 0b1000;

/// Who sends a message that is in a session.
const TO_BROKER: u8 = 0;
const TO_CLIENT: u8 = 1;

/// All that such a file holds.
#[derive(Debug)]
pub(crate) struct Database {
    pub messages: HashMap<MessageId, Message>,
    /// In the order of the file.
    pub clients: Vec<Client>,
    /// The message retained for each topic.
    pub retained: Vec<MessageId>,
    /// Whether Mosquitto saved it when it ended, so that nothing has happened since.
    pub is_final: bool,
    pub left_out: LeftOut,
}

/// What Mosquitto calls a message by: bytes without a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct MessageId(pub [u8; MESSAGE_ID_LEN as usize]);

/// An Application Message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub topic: TopicName,
    pub payload: Bytes,
    /// The QoS and RETAIN flag that it was published with.
    pub qos: QoS,
    pub retain: bool,
    /// Without its Message Expiry Interval.
    pub properties: Properties,
    /// When it expires, in seconds since 1970.
    pub expires_at_s: Option<u64>,
    /// Who published it; `None` for Mosquitto itself.
    pub source: Option<Source>,
}

/// A client that published a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub client_id: MqttString,
    pub username: Option<MqttString>,
    /// The port that it came in by; 0 if that is not known.
    pub port: u16,
}

/// A session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Client {
    pub id: MqttString,
    pub username: Option<MqttString>,
    /// The port that it came in by; 0 if that is not known.
    pub port: u16,
    /// The Session Expiry Interval; `u32::MAX` is for ever.
    pub expiry_interval_s: u32,
    /// When it expires, in seconds since 1970; `None` while the client is connected, or if it never does.
    pub expires_at_s: Option<u64>,
    /// The packet identifier that Mosquitto used last.
    pub last_packet_id: u16,
    pub subscriptions: Vec<Subscription>,
    /// What the client is sending with QoS 2 and Mosquitto has not passed on: it waits for the PUBREL.
    pub incoming: Vec<Incoming>,
    /// What is sent to the client, or waits for it, in its order.
    pub outgoing: Vec<Outgoing>,
}

/// A subscription of a session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub filter: TopicFilter,
    pub qos: QoS,
    pub no_local: bool,
    pub retain_as_published: bool,
    pub identifier: Option<u32>,
}

/// A message of QoS 2 that a client is sending.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub packet_id: PacketId,
    pub message: MessageId,
}

/// A message to a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub message: MessageId,
    /// The QoS it is delivered with.
    pub qos: QoS,
    pub retain: bool,
    pub subscription_ids: Vec<u32>,
    pub stage: Stage,
}

/// How far the delivery of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It was never sent.
    Queued,
    /// PUBLISH was sent, and not answered.
    Published(PacketId),
    /// PUBREC has come: PUBREL is to be sent, or was.
    Received(PacketId),
}

/// Why a file can't be read, and where.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// The byte of the file.
    at: u64,
    why: Fault,
}

#[derive(Debug)]
enum Fault {
    Io(io::Error),
    Empty,
    NotMosquitto(Vec<u8>),
    TooOld(u32),
    TooNew(u32),
    MessageIdLen(u8),
    /// The file ends inside something of this length.
    Cut {
        what: &'static str,
        len: u64,
        there: u64,
    },
    TooLong {
        what: &'static str,
        len: u32,
    },
    /// What is in a chunk is longer than the chunk.
    Overfull {
        what: &'static str,
        len: usize,
    },
}

impl std::error::Error for Unreadable {}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        match &self.why {
            Fault::Io(error) => write!(f, "it can't be read from byte {at} on: {error}"),
            Fault::Empty => f.write_str(
                "the file is empty; Mosquitto writes it when it ends, or when it gets SIGUSR1",
            ),
            Fault::NotMosquitto(found) => write!(
                f,
                "it is not a file that Mosquitto has saved: it begins with \"{}\"; name the \
                 mosquitto.db in Mosquitto's persistence_location",
                found.escape_ascii()
            ),
            Fault::TooOld(version) => write!(
                f,
                "byte {at}: the file has version {version}, and only 5 and 6 are read; start \
                 Mosquitto 2 with it and stop it again, which makes it version 6"
            ),
            Fault::TooNew(version) => write!(
                f,
                "byte {at}: the file has version {version}, and only 5 and 6 are read, which \
                 Mosquitto 1.6 and 2 write"
            ),
            Fault::MessageIdLen(len) => write!(
                f,
                "byte {at}: message numbers have {len} bytes, and only those of \
                 {MESSAGE_ID_LEN} are read; {DAMAGED}"
            ),
            Fault::Cut { what, len, there } => write!(
                f,
                "byte {at}: the file ends inside {what}, which has {len} bytes, of which {there} \
                 are there; {DAMAGED}"
            ),
            Fault::TooLong { what, len } => write!(
                f,
                "byte {at}: {what} claims to have {len} bytes, more than Mosquitto writes; {DAMAGED}"
            ),
            Fault::Overfull { what, len } => {
                write!(
                    f,
                    "byte {at}: what is in {what} of {len} bytes is longer than that; {DAMAGED}"
                )
            }
        }
    }
}

/// What to do about a damaged file.
const DAMAGED: &str = "the file is damaged: have Mosquitto save it again, by SIGUSR1 or by stopping \
                       it, or take it from a backup";

/// Reads such a file. It is taken into memory as a whole, as it was in Mosquitto.
///
/// # Errors
/// It is not such a file, it has a version that is not read, or it is damaged so that what follows can't
/// be told apart. What makes no sense by itself is left out instead.
pub(crate) fn read(from: impl Read) -> Result<Database, Unreadable> {
    let mut file = File { from, at: 0 };
    let version = file.head()?;
    let mut reading = Reading::new(version);
    while let Some((kind, chunk)) = file.chunk()? {
        reading.take(kind, chunk)?;
    }
    Ok(reading.finish())
}

/// A file, and how much of it was read.
struct File<R> {
    from: R,
    at: u64,
}

impl<R: Read> File<R> {
    /// Reads this many bytes, or as many as there are. Nothing is allocated for what is not there.
    fn up_to(&mut self, len: u64) -> Result<Vec<u8>, Unreadable> {
        let mut bytes = Vec::new();
        let read = self.from.by_ref().take(len).read_to_end(&mut bytes);
        let at = self.at;
        self.at = at.saturating_add(bytes.len() as u64);
        match read {
            Ok(_) => Ok(bytes),
            Err(error) => Err(Unreadable { at: self.at, why: Fault::Io(error) }),
        }
    }

    /// Reads this many bytes, which begin something called `what`.
    fn exactly(&mut self, len: u64, what: &'static str) -> Result<Bytes, Unreadable> {
        let at = self.at;
        let bytes = self.up_to(len)?;
        let there = bytes.len() as u64;
        if there < len {
            return Err(Unreadable { at, why: Fault::Cut { what, len, there } });
        }
        // Without the room that reading has left over.
        Ok(bytes.into_boxed_slice().into())
    }

    /// Reads what stands before the chunks: the version of the file.
    fn head(&mut self) -> Result<u32, Unreadable> {
        let magic = self.up_to(MAGIC.len() as u64)?;
        if magic.is_empty() {
            return Err(Unreadable { at: 0, why: Fault::Empty });
        }
        if magic != MAGIC {
            return Err(Unreadable { at: 0, why: Fault::NotMosquitto(magic) });
        }
        let what = "the head of the file";
        self.exactly(CHECKSUM_LEN as u64, what)?;
        let at = self.at;
        let version = self.exactly(size_of::<u32>() as u64, what)?.get_u32();
        match version {
            5 | 6 => Ok(version),
            ..5 => Err(Unreadable { at, why: Fault::TooOld(version) }),
            _ => Err(Unreadable { at, why: Fault::TooNew(version) }),
        }
    }

    /// Reads the next chunk and what kind it is of; `None` at the end of the file.
    fn chunk(&mut self) -> Result<Option<(Kind, Chunk)>, Unreadable> {
        const HEAD_LEN: u64 = 8;
        let begin = self.at;
        let mut head = Bytes::from(self.up_to(HEAD_LEN)?);
        if head.is_empty() {
            return Ok(None);
        }
        let there = head.len() as u64;
        let (Ok(kind), Ok(len)) = (head.try_get_u32(), head.try_get_u32()) else {
            let what = "the head of a chunk";
            return Err(Unreadable { at: begin, why: Fault::Cut { what, len: HEAD_LEN, there } });
        };
        let kind = Kind::from_u32(kind);
        let what = kind.name();
        if len > limits::MOSQUITTO_CHUNK_BYTES_MAX {
            return Err(Unreadable { at: begin, why: Fault::TooLong { what, len } });
        }
        let bytes = self.exactly(len.into(), what)?;
        Ok(Some((kind, Chunk { begin, what, len: bytes.len(), left: bytes })))
    }
}

/// What a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Config,
    Message,
    Delivery,
    Retained,
    Subscription,
    Client,
    Other,
}

impl Kind {
    const fn from_u32(kind: u32) -> Self {
        match kind {
            1 => Self::Config,
            2 => Self::Message,
            3 => Self::Delivery,
            4 => Self::Retained,
            5 => Self::Subscription,
            6 => Self::Client,
            _ => Self::Other,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Config => "the first chunk",
            Self::Message => "a message",
            Self::Delivery => "a message in a session",
            Self::Retained => "a retained message",
            Self::Subscription => "a subscription",
            Self::Client => "a session",
            Self::Other => "a chunk of an unknown kind",
        }
    }
}

/// The contents of a chunk, of which what was read is taken off the front.
struct Chunk {
    /// The byte of the file at which it begins.
    begin: u64,
    what: &'static str,
    len: usize,
    left: Bytes,
}

impl Chunk {
    fn overfull(&self) -> Unreadable {
        Unreadable { at: self.begin, why: Fault::Overfull { what: self.what, len: self.len } }
    }

    fn take(&mut self, len: usize) -> Result<Bytes, Unreadable> {
        if len > self.left.len() {
            return Err(self.overfull());
        }
        Ok(self.left.split_to(len))
    }

    fn u8(&mut self) -> Result<u8, Unreadable> {
        self.left.try_get_u8().map_err(|_| self.overfull())
    }

    fn u16(&mut self) -> Result<u16, Unreadable> {
        self.left.try_get_u16().map_err(|_| self.overfull())
    }

    fn u32(&mut self) -> Result<u32, Unreadable> {
        self.left.try_get_u32().map_err(|_| self.overfull())
    }

    fn message_id(&mut self) -> Result<MessageId, Unreadable> {
        let mut id = MessageId([0; MESSAGE_ID_LEN as usize]);
        self.left.try_copy_to_slice(&mut id.0).map_err(|_| self.overfull())?;
        Ok(id)
    }

    /// A time in seconds since 1970, in whichever byte order; `None` where there is none.
    fn time(&mut self) -> Result<Option<u64>, Unreadable> {
        let one = self.left.try_get_u64().map_err(|_| self.overfull())?;
        let time = one.min(one.swap_bytes());
        Ok((time != 0).then_some(time))
    }

    /// Passes over the padding before texts of these lengths, which are all that is left.
    fn padding(&mut self, texts: [u16; 2]) -> Result<(), Unreadable> {
        let texts = texts.into_iter().map(usize::from).sum();
        match self.left.len().checked_sub(texts) {
            Some(padding @ 0..=PADDING_MAX) => self.take(padding).map(drop),
            _ => Err(self.overfull()),
        }
    }

    /// The property section of a message, which is all that is left. If there is none, its message has
    /// no properties.
    fn properties(&self) -> Option<Properties> {
        if self.left.is_empty() {
            return Some(Properties::EMPTY);
        }
        Properties::decode_section(&self.left, PropertyOwner::Packet(PacketType::Publish)).ok()
    }
}

/// The database as far as it was read.
struct Reading {
    version: u32,
    database: Database,
    /// The place of each client.
    places: HashMap<MqttString, usize>,
    retained: Vec<(MessageId, u64)>,
    subscriptions: Vec<(MqttString, Subscription, u64)>,
    deliveries: Vec<(MqttString, Delivery, u64)>,
}

/// A message in a session, in either direction.
enum Delivery {
    In(Incoming),
    Out(Outgoing),
}

impl Delivery {
    const fn what(&self) -> What {
        match self {
            Self::In(_) => What::Arrival,
            Self::Out(_) => What::Delivery,
        }
    }

    const fn message(&self) -> MessageId {
        match self {
            Self::In(incoming) => incoming.message,
            Self::Out(outgoing) => outgoing.message,
        }
    }

    /// The packet identifier of what is in flight.
    const fn packet_id(&self) -> Option<PacketId> {
        match self {
            Self::In(incoming) => Some(incoming.packet_id),
            Self::Out(outgoing) => outgoing.stage.packet_id(),
        }
    }
}

/// What stands in a chunk, or why it is left out.
type Found<T> = Result<T, Why>;

impl Reading {
    fn new(version: u32) -> Self {
        let database = Database {
            messages: HashMap::new(),
            clients: Vec::new(),
            retained: Vec::new(),
            is_final: false,
            left_out: LeftOut::default(),
        };
        Self {
            version,
            database,
            places: HashMap::new(),
            retained: Vec::new(),
            subscriptions: Vec::new(),
            deliveries: Vec::new(),
        }
    }

    fn take(&mut self, kind: Kind, chunk: Chunk) -> Result<(), Unreadable> {
        let at = chunk.begin;
        let (what, left_out) = match kind {
            Kind::Config => {
                self.database.is_final = config(chunk)?;
                return Ok(());
            }
            Kind::Message => (What::Message, self.on_message(message(chunk)?)),
            Kind::Client => (What::Session, self.on_client(client(chunk, self.version)?)),
            Kind::Subscription => {
                let found = subscription(chunk)?;
                let found = found.map(|(id, found)| self.subscriptions.push((id, found, at)));
                (What::Subscription, found)
            }
            Kind::Delivery => {
                let (what, found) = delivery(chunk)?;
                let found = found.map(|(id, found)| self.deliveries.push((id, found, at)));
                (what, found)
            }
            Kind::Retained => {
                let mut chunk = chunk;
                self.retained.push((chunk.message_id()?, at));
                return Ok(());
            }
            Kind::Other => (What::Part, Err(Why::UnknownKind)),
        };
        if let Err(why) = left_out {
            self.database.left_out.add(what, why, Some(at));
        }
        Ok(())
    }

    fn on_message(&mut self, found: Found<(MessageId, Message)>) -> Found<()> {
        let (id, message) = found?;
        match self.database.messages.try_insert(id, message) {
            Ok(_) => Ok(()),
            Err(_) => Err(Why::Twice),
        }
    }

    fn on_client(&mut self, found: Found<Client>) -> Found<()> {
        let client = found?;
        let place = self.database.clients.len();
        match self.places.try_insert(client.id.clone(), place) {
            Ok(_) => {
                self.database.clients.push(client);
                Ok(())
            }
            Err(_) => Err(Why::Twice),
        }
    }

    /// Gives each session what belongs to it.
    fn finish(self) -> Database {
        let Self { mut database, places, retained, subscriptions, deliveries, .. } = self;
        let left_out = &mut database.left_out;
        for (id, subscription, at) in subscriptions {
            let place = places.get(&id).copied();
            match place.and_then(|place| database.clients.get_mut(place)) {
                Some(client) => client.subscriptions.push(subscription),
                None => left_out.add(What::Subscription, Why::NoSession, Some(at)),
            }
        }
        let mut in_use = HashSet::new();
        for (id, delivery, at) in deliveries {
            let place = places.get(&id).copied();
            let what = delivery.what();
            let Some(client) = place.and_then(|place| database.clients.get_mut(place)) else {
                left_out.add(what, Why::NoSession, Some(at));
                continue;
            };
            if !database.messages.contains_key(&delivery.message()) {
                left_out.add(what, Why::NoMessage, Some(at));
            } else if delivery.packet_id().is_some_and(|id| !in_use.insert((place, what, id))) {
                left_out.add(what, Why::PacketIdTwice, Some(at));
            } else {
                client.deliver(delivery);
            }
        }
        for (id, at) in retained {
            if database.messages.contains_key(&id) {
                database.retained.push(id);
            } else {
                left_out.add(What::Retained, Why::NoMessage, Some(at));
            }
        }
        database
    }
}

impl Client {
    fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::In(incoming) => self.incoming.push(incoming),
            Delivery::Out(outgoing) => self.outgoing.push(outgoing),
        }
    }
}

impl Stage {
    /// The packet identifier, if the other end knows one.
    pub(crate) const fn packet_id(self) -> Option<PacketId> {
        match self {
            Self::Queued => None,
            Self::Published(id) | Self::Received(id) => Some(id),
        }
    }
}

/// Whether the file was saved when Mosquitto ended. Message numbers of another size would have the rest
/// of the file misread.
fn config(mut chunk: Chunk) -> Result<bool, Unreadable> {
    chunk.message_id()?;
    let (is_final, len) = (chunk.u8()? != 0, chunk.u8()?);
    if len == MESSAGE_ID_LEN {
        Ok(is_final)
    } else {
        Err(Unreadable { at: chunk.begin, why: Fault::MessageIdLen(len) })
    }
}

fn message(mut chunk: Chunk) -> Result<Found<(MessageId, Message)>, Unreadable> {
    let id = chunk.message_id()?;
    let expires_at_s = chunk.time()?;
    let payload_len = chunk.u32()?;
    let _packet_id = chunk.u16()?;
    let (client_id_len, username_len) = (chunk.u16()?, chunk.u16()?);
    let topic_len = chunk.u16()?;
    let port = chunk.u16()?;
    let (qos, retain) = (chunk.u8()?, chunk.u8()? != 0);
    let source_id = chunk.take(client_id_len.into())?;
    let username = chunk.take(username_len.into())?;
    let topic = chunk.take(topic_len.into())?;
    let payload = chunk.take(payload_len as usize)?;
    let found = || {
        let topic = TopicName::from_bytes(topic).map_err(|_| Why::Topic)?;
        let qos = QoS::from_u8(qos).ok_or(Why::QoS)?;
        let properties = chunk.properties().ok_or(Why::Properties)?;
        // These belong to one delivery, not to the message.
        let properties = properties.filtered(|id| {
            use PropertyId as Id;
            let of_delivery =
                [Id::MessageExpiryInterval, Id::TopicAlias, Id::SubscriptionIdentifier];
            !of_delivery.contains(&id)
        });
        let source = source(source_id, username, port);
        Ok((id, Message { topic, payload, qos, retain, properties, expires_at_s, source }))
    };
    Ok(found())
}

/// Who published a message. One that can't be told is nobody: the message matters more.
fn source(client_id: Bytes, username: Bytes, port: u16) -> Option<Source> {
    let client_id = self::client_id(client_id).ok()?;
    let username = user_name(username).ok()?;
    Some(Source { client_id, username, port })
}

fn client(mut chunk: Chunk, version: u32) -> Result<Found<Client>, Unreadable> {
    let expires_at_s = chunk.time()?;
    let expiry_interval_s = chunk.u32()?;
    let last_packet_id = chunk.u16()?;
    let id_len = chunk.u16()?;
    let (port, username_len) = if version >= 6 { (chunk.u16()?, chunk.u16()?) } else { (0, 0) };
    chunk.padding([id_len, username_len])?;
    let id = client_id(chunk.take(id_len.into())?);
    let username = chunk.take(username_len.into())?;
    let found = || {
        Ok(Client {
            id: id?,
            username: user_name(username)?,
            port,
            expiry_interval_s,
            expires_at_s,
            last_packet_id,
            subscriptions: Vec::new(),
            incoming: Vec::new(),
            outgoing: Vec::new(),
        })
    };
    Ok(found())
}

fn subscription(mut chunk: Chunk) -> Result<Found<(MqttString, Subscription)>, Unreadable> {
    let identifier = chunk.u32()?;
    let (id_len, filter_len) = (chunk.u16()?, chunk.u16()?);
    let (qos, options) = (chunk.u8()?, chunk.u8()?);
    chunk.padding([id_len, filter_len])?;
    let id = client_id(chunk.take(id_len.into())?);
    let filter = chunk.take(filter_len.into())?;
    let found = || {
        let filter = TopicFilter::from_bytes(filter).map_err(|_| Why::Filter)?;
        let subscription = Subscription {
            filter,
            qos: QoS::from_u8(qos).ok_or(Why::QoS)?,
            no_local: options & NO_LOCAL != 0,
            retain_as_published: options & RETAIN_AS_PUBLISHED != 0,
            identifier: subscription_id(identifier)?,
        };
        Ok((id?, subscription))
    };
    Ok(found())
}

/// A Subscription Identifier; Mosquitto writes 0 where there is none.
fn subscription_id(id: u32) -> Found<Option<u32>> {
    match id {
        0 => Ok(None),
        1..=REMAINING_LENGTH_MAX => Ok(Some(id)),
        _ => Err(Why::Identifier),
    }
}

/// A message in a session, whose client it belongs to, and in any case what it is.
fn delivery(mut chunk: Chunk) -> Result<(What, Found<(MqttString, Delivery)>), Unreadable> {
    let message = chunk.message_id()?;
    let (packet_id, id_len) = (PacketId::new(chunk.u16()?), chunk.u16()?);
    let (qos, state, retain_dup, direction) = (chunk.u8()?, chunk.u8()?, chunk.u8()?, chunk.u8()?);
    let id = client_id(chunk.take(id_len.into())?);
    let what = if direction == TO_BROKER { What::Arrival } else { What::Delivery };
    let found = || {
        let (id, qos) = (id?, QoS::from_u8(qos).ok_or(Why::QoS)?);
        let (retain, dup) = (retain_dup & 0xf0 != 0, retain_dup & 0x0f != 0);
        let properties = chunk.properties().ok_or(Why::Properties)?;
        let delivery = match direction {
            TO_BROKER if qos != QoS::ExactlyOnce => return Err(Why::SentAgain),
            TO_BROKER => {
                let packet_id = packet_id.ok_or(Why::PacketId)?;
                Delivery::In(Incoming { packet_id, message })
            }
            TO_CLIENT => {
                let stage = stage(qos, state, dup, packet_id)?;
                let subscription_ids = properties.subscription_identifiers().collect();
                Delivery::Out(Outgoing { message, qos, retain, subscription_ids, stage })
            }
            _ => return Err(Why::State),
        };
        Ok((id, delivery))
    };
    Ok((what, found()))
}

/// How far a message to a client is, by the number that Mosquitto has for it.
fn stage(qos: QoS, state: u8, dup: bool, packet_id: Option<PacketId>) -> Found<Stage> {
    const PUBLISH_QOS0: u8 = 1;
    const PUBLISH_QOS1: u8 = 2;
    const WAIT_FOR_PUBACK: u8 = 3;
    const PUBLISH_QOS2: u8 = 4;
    const WAIT_FOR_PUBREC: u8 = 5;
    const SEND_PUBREL: u8 = 6;
    const WAIT_FOR_PUBCOMP: u8 = 9;
    const QUEUED: u8 = 11;
    match (qos, state) {
        (QoS::AtMostOnce, PUBLISH_QOS0) | (_, QUEUED) => Ok(Stage::Queued),
        // It is to be sent: for the first time, unless DUP says that it was sent before.
        (QoS::AtLeastOnce, PUBLISH_QOS1) | (QoS::ExactlyOnce, PUBLISH_QOS2) if !dup => {
            Ok(Stage::Queued)
        }
        (QoS::AtLeastOnce, PUBLISH_QOS1 | WAIT_FOR_PUBACK)
        | (QoS::ExactlyOnce, PUBLISH_QOS2 | WAIT_FOR_PUBREC) => {
            packet_id.map(Stage::Published).ok_or(Why::PacketId)
        }
        (QoS::ExactlyOnce, SEND_PUBREL | WAIT_FOR_PUBCOMP) => {
            packet_id.map(Stage::Received).ok_or(Why::PacketId)
        }
        _ => Err(Why::State),
    }
}

/// The user name of a session, if it has one.
fn user_name(bytes: Bytes) -> Found<Option<MqttString>> {
    // Up to Mosquitto 2.0.11 a session without a user name is saved with what stood in memory after the
    // name of an earlier one. No name that came by MQTT has a NUL, and such a leftover does.
    if bytes.is_empty() || bytes.contains(&0) {
        return Ok(None);
    }
    MqttString::from_bytes(bytes).map(Some).map_err(|_| Why::Username)
}

fn client_id(bytes: Bytes) -> Found<MqttString> {
    let id = MqttString::from_bytes(bytes).map_err(|_| Why::ClientId)?;
    if id.is_empty() { Err(Why::ClientId) } else { Ok(id) }
}

#[cfg(test)]
mod tests;
