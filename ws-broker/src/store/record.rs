//! What stands on disk: each key and each value, as `docs/store.md` specifies them.
//!
//! The first byte of a key is its kind, then come numbers as big-endian bytes, so that the order of
//! keys is the order of what they name. Values are written by `postcard`, whose format is its own
//! specification. Times are milliseconds since 1970, so that clocks go on while the broker is down.

use std::borrow::Cow;
use std::num::NonZeroU64;

use bytes::Bytes;
use codec::{
    MqttString, PacketId, Properties, PropertyOwner, QoS, RetainHandling, SubscriptionOptions,
    TopicFilter, TopicName, Will,
};
use serde::{Deserialize, Serialize};

use super::engine::Batch;
use super::parcel::{NewDelivery, Place};
use crate::access::Identity;
use crate::broker::Message;
use crate::time::Wall;

/// The version of the format that this program writes. One that is higher is refused.
pub(super) const VERSION: u32 = 1;

/// The key of the version.
pub(super) const VERSION_KEY: &[u8] = b"v";

/// What a key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A session, by its number.
    Session = b's',
    /// A subscription, by its session and filter.
    Subscription = b'f',
    /// A subscription whose retained messages are still on their way, by its session and filter.
    Owed = b'o',
    /// How far a session's messages have been sent.
    Sent = b'n',
    /// A Packet Identifier of QoS 2 that was received, by its session.
    Received = b'i',
    /// A retained message, by its topic.
    Retained = b'r',
    /// The messages of a parcel.
    Bodies = b'm',
    /// What is to be delivered of a parcel.
    Deliveries = b'd',
    /// How far each delivery of a parcel is.
    Marks = b'x',
}

/// All kinds.
pub(super) const KINDS: &[Kind] = &[
    Kind::Session,
    Kind::Subscription,
    Kind::Owed,
    Kind::Sent,
    Kind::Received,
    Kind::Retained,
    Kind::Bodies,
    Kind::Deliveries,
    Kind::Marks,
];

pub(super) fn put_version(batch: &mut Batch) {
    put(batch, VERSION_KEY, &VERSION);
}

pub(super) fn version(value: &[u8]) -> Result<u32, Unreadable> {
    decode(value)
}

/// The number of a session on disk, which no other session ever has.
pub(crate) type SessionNumber = u64;

/// The key of what has a number.
pub(super) fn key(kind: Kind, number: u64) -> [u8; 9] {
    let mut key = [kind as u8; 9];
    let [_, rest @ ..] = &mut key;
    *rest = number.to_be_bytes();
    key
}

/// The key of what belongs to a session and has a name.
fn named_key(kind: Kind, session: SessionNumber, name: &[u8]) -> Vec<u8> {
    let mut key = key(kind, session).to_vec();
    key.extend_from_slice(name);
    key
}

fn topic_key(topic: &TopicName) -> Vec<u8> {
    let mut key = vec![Kind::Retained as u8];
    key.extend_from_slice(topic.as_bytes());
    key
}

/// The number in a key, and what stands behind it.
pub(super) fn number_in(key: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = key.get(1..)?.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*number), rest))
}

/// A value that can't be read. The engine says so of bytes that are not those that were written, so
/// this is another program's doing, or a bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// Writes as `postcard` does, for what is written for each message: a fifth fewer instructions than it
/// takes through `serde`.
struct Wire<'a>(&'a mut Vec<u8>);

impl Wire<'_> {
    #[inline]
    fn number(&mut self, number: impl Into<u64>) {
        let mut rest: u64 = number.into();
        while rest >= 0x80 {
            self.0.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
    }

    #[inline]
    fn byte(&mut self, byte: impl Into<u8>) {
        self.0.push(byte.into());
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Whether there is a value, and the value.
    #[inline]
    fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.byte(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }
}

fn put(batch: &mut Batch, key: &[u8], value: &impl Serialize) {
    // A vector takes all that is written to it.
    let bytes = postcard::to_allocvec(value).unwrap_or_default();
    batch.put(key, &bytes);
}

fn decode<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Result<T, Unreadable> {
    postcard::from_bytes(value).map_err(|_| Unreadable)
}

fn qos(number: u8) -> Result<QoS, Unreadable> {
    QoS::from_u8(number).ok_or(Unreadable)
}

/// A message.
#[derive(Debug, Serialize, Deserialize)]
struct Body<'a> {
    topic: &'a str,
    #[serde(with = "serde_bytes")]
    payload: &'a [u8],
    /// The property section of its PUBLISH, or of the will in its CONNECT.
    #[serde(with = "serde_bytes")]
    properties: &'a [u8],
    qos: u8,
    retain: bool,
    expires_at: Option<u64>,
    expiry_interval_s: u32,
}

impl<'a> Body<'a> {
    fn of(message: &'a Message, wall: Wall) -> Self {
        Self {
            topic: message.topic.as_str(),
            payload: &message.payload,
            properties: message.properties.as_bytes(),
            qos: message.qos as u8,
            retain: message.retain,
            expires_at: message.expires_at.map(|at| wall.of(at)),
            expiry_interval_s: message.expiry_interval(),
        }
    }

    #[inline]
    fn write(&self, to: &mut Wire<'_>) {
        to.bytes(self.topic.as_bytes());
        to.bytes(self.payload);
        to.bytes(self.properties);
        to.byte(self.qos);
        to.byte(self.retain);
        to.option(self.expires_at, Wire::number);
        to.number(self.expiry_interval_s);
    }

    fn of_will(will: &'a Will) -> Self {
        Self {
            topic: will.topic.as_str(),
            payload: &will.payload,
            properties: will.properties.as_bytes(),
            qos: will.qos as u8,
            retain: will.retain,
            expires_at: None,
            expiry_interval_s: 0,
        }
    }

    fn into_message(self, wall: Wall) -> Result<Message, Unreadable> {
        let topic = TopicName::new(self.topic).map_err(|_| Unreadable)?;
        let payload = Bytes::copy_from_slice(self.payload);
        let owner = PropertyOwner::Packet(codec::PacketType::Publish);
        let properties = properties(self.properties, owner)?;
        let mut message = Message::new(topic, payload, qos(self.qos)?, self.retain, properties);
        let at = self.expires_at.map(|at| wall.here(at));
        message.set_expiry(at, self.expiry_interval_s);
        Ok(message)
    }

    fn into_will(self) -> Result<Will, Unreadable> {
        Ok(Will {
            topic: TopicName::new(self.topic).map_err(|_| Unreadable)?,
            payload: Bytes::copy_from_slice(self.payload),
            qos: qos(self.qos)?,
            retain: self.retain,
            properties: properties(self.properties, PropertyOwner::Will)?,
        })
    }
}

fn properties(bytes: &[u8], owner: PropertyOwner) -> Result<Properties, Unreadable> {
    Properties::decode(Bytes::copy_from_slice(bytes), owner).map_err(|_| Unreadable)
}

/// Who a client is.
#[derive(Debug, Serialize, Deserialize)]
struct Who<'a> {
    client_id: &'a str,
    username: Option<&'a str>,
    /// The number of its listener; none for a bridge of this broker.
    listener: Option<u32>,
}

impl<'a> Who<'a> {
    fn of(identity: &'a Identity) -> Self {
        Self {
            client_id: identity.client_id.as_str(),
            username: identity.username.as_ref().map(MqttString::as_str),
            listener: u32::try_from(identity.listener).ok(),
        }
    }

    fn into_identity(self) -> Result<Identity, Unreadable> {
        let text = |text| MqttString::new(text).map_err(|_| Unreadable);
        Ok(Identity {
            client_id: text(self.client_id)?,
            username: self.username.map(text).transpose()?,
            listener: self.listener.map_or(Identity::NO_LISTENER, |listener| listener as usize),
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct SessionRecord<'a> {
    #[serde(borrow)]
    who: Who<'a>,
    expiry_interval_s: u32,
    /// When it ends, unless its client is there or it never does.
    expires_at: Option<u64>,
    connected: bool,
    #[serde(borrow)]
    will: Option<WillRecord<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WillRecord<'a> {
    /// When it is sent, if its client has gone.
    at: Option<u64>,
    #[serde(borrow)]
    message: Body<'a>,
}

/// A session without its messages, as it is written.
#[derive(Debug)]
pub(crate) struct SessionState<'a> {
    pub identity: &'a Identity,
    pub expiry_interval_s: u32,
    /// When it ends, while its client is away and if it ever does.
    pub expires_at: Option<u64>,
    pub connected: bool,
    /// Its will, and when that is sent if its client has gone.
    pub will: Option<(&'a Will, Option<u64>)>,
}

/// A session as it is read: its messages come later.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SavedSession {
    pub number: SessionNumber,
    pub identity: Identity,
    pub expiry_interval_s: u32,
    pub expires_at: Option<u64>,
    pub connected: bool,
    pub will: Option<(Will, Option<u64>)>,
    pub subscriptions: Vec<SavedSubscription>,
    /// Packet Identifiers of QoS 2 whose PUBREL has not come.
    pub received: Vec<PacketId>,
    /// The number of the message that was sent last, of those that are numbered.
    pub sent_to: u64,
    pub deliveries: Vec<SavedDelivery>,
}

pub(crate) fn put_session(batch: &mut Batch, number: SessionNumber, state: &SessionState<'_>) {
    let will = state.will.map(|(will, at)| WillRecord { at, message: Body::of_will(will) });
    let record = SessionRecord {
        who: Who::of(state.identity),
        expiry_interval_s: state.expiry_interval_s,
        expires_at: state.expires_at,
        connected: state.connected,
        will,
    };
    put(batch, &key(Kind::Session, number), &record);
}

pub(super) fn session(number: SessionNumber, value: &[u8]) -> Result<SavedSession, Unreadable> {
    let record: SessionRecord<'_> = decode(value)?;
    let will = record.will.map(|will| Ok((will.message.into_will()?, will.at)));
    Ok(SavedSession {
        number,
        identity: record.who.into_identity()?,
        expiry_interval_s: record.expiry_interval_s,
        expires_at: record.expires_at,
        connected: record.connected,
        will: will.transpose()?,
        subscriptions: Vec::new(),
        received: Vec::new(),
        sent_to: 0,
        deliveries: Vec::new(),
    })
}

/// Removes what is there of a session by its number alone; its subscriptions, identifiers and messages
/// are removed one by one.
pub(crate) fn delete_session(batch: &mut Batch, number: SessionNumber) {
    batch.delete(&key(Kind::Session, number));
    batch.delete(&key(Kind::Sent, number));
}

#[derive(Debug, Serialize, Deserialize)]
struct SubscriptionRecord {
    qos: u8,
    no_local: bool,
    retain_as_published: bool,
    retain_handling: u8,
    id: Option<u32>,
}

/// A subscription of a session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SavedSubscription {
    pub filter: TopicFilter,
    pub options: SubscriptionOptions,
    pub id: Option<u32>,
    /// Whether retained messages were on their way to it.
    pub is_owed: bool,
}

pub(crate) fn put_subscription(
    batch: &mut Batch,
    session: SessionNumber,
    filter: &TopicFilter,
    options: SubscriptionOptions,
    id: Option<u32>,
) {
    let record = SubscriptionRecord {
        qos: options.qos as u8,
        no_local: options.no_local,
        retain_as_published: options.retain_as_published,
        retain_handling: options.retain_handling as u8,
        id,
    };
    put(batch, &named_key(Kind::Subscription, session, filter.as_bytes()), &record);
}

pub(crate) fn delete_subscription(batch: &mut Batch, session: SessionNumber, filter: &TopicFilter) {
    batch.delete(&named_key(Kind::Subscription, session, filter.as_bytes()));
}

/// Notes that retained messages are on their way to a subscription.
pub(crate) fn put_owed(batch: &mut Batch, session: SessionNumber, filter: &TopicFilter) {
    batch.put(&named_key(Kind::Owed, session, filter.as_bytes()), &[]);
}

pub(crate) fn delete_owed(batch: &mut Batch, session: SessionNumber, filter: &TopicFilter) {
    batch.delete(&named_key(Kind::Owed, session, filter.as_bytes()));
}

pub(super) fn subscription(filter: &[u8], value: &[u8]) -> Result<SavedSubscription, Unreadable> {
    let record: SubscriptionRecord = decode(value)?;
    let filter = TopicFilter::from_bytes(Bytes::copy_from_slice(filter));
    let retain_handling = match record.retain_handling {
        0 => RetainHandling::SendAtSubscribe,
        1 => RetainHandling::SendIfNew,
        2 => RetainHandling::DoNotSend,
        _ => return Err(Unreadable),
    };
    let mut options = SubscriptionOptions::with_qos(qos(record.qos)?);
    options.no_local = record.no_local;
    options.retain_as_published = record.retain_as_published;
    options.retain_handling = retain_handling;
    let filter = filter.map_err(|_| Unreadable)?;
    Ok(SavedSubscription { filter, options, id: record.id, is_owed: false })
}

pub(crate) fn put_sent(batch: &mut Batch, session: SessionNumber, number: u64) {
    put(batch, &key(Kind::Sent, session), &number);
}

pub(super) fn sent(value: &[u8]) -> Result<u64, Unreadable> {
    decode(value)
}

pub(crate) fn put_received(batch: &mut Batch, session: SessionNumber, id: PacketId) {
    batch.put(&named_key(Kind::Received, session, &id.get().to_be_bytes()), &[]);
}

pub(crate) fn delete_received(batch: &mut Batch, session: SessionNumber, id: PacketId) {
    batch.delete(&named_key(Kind::Received, session, &id.get().to_be_bytes()));
}

pub(super) fn received(rest: &[u8]) -> Result<PacketId, Unreadable> {
    let id = <[u8; 2]>::try_from(rest).map_err(|_| Unreadable)?;
    PacketId::new(u16::from_be_bytes(id)).ok_or(Unreadable)
}

#[derive(Debug, Serialize, Deserialize)]
struct RetainedRecord<'a> {
    #[serde(borrow)]
    message: Body<'a>,
    /// Who published it.
    #[serde(borrow)]
    source: Option<Who<'a>>,
    /// When it goes, where the broker keeps none for ever.
    until: Option<u64>,
}

/// Writes the retained message of a topic; `None` if there is none.
pub(crate) fn put_retained(
    batch: &mut Batch,
    topic: &TopicName,
    message: Option<(&Message, Option<u64>)>,
    wall: Wall,
) {
    let key = topic_key(topic);
    let Some((message, until)) = message else {
        batch.delete(&key);
        return;
    };
    let source = message.source.as_ref().map(|source| Who::of(source));
    put(batch, &key, &RetainedRecord { message: Body::of(message, wall), source, until });
}

/// A retained message, and when it goes.
pub(super) fn retained(value: &[u8], wall: Wall) -> Result<(Message, Option<u64>), Unreadable> {
    let record: RetainedRecord<'_> = decode(value)?;
    let mut message = record.message.into_message(wall)?;
    let source = record.source.map(Who::into_identity).transpose()?;
    message.source = source.map(std::sync::Arc::new);
    Ok((message, record.until))
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize))]
struct NumberedBody<'a> {
    index: u16,
    #[serde(borrow)]
    body: Body<'a>,
}

/// Appends a message to the messages of a parcel, and says how many bytes it takes there.
pub(super) fn append_body(to: &mut Vec<u8>, index: u16, message: &Message, wall: Wall) -> usize {
    let before = to.len();
    let wire = &mut Wire(to);
    wire.number(index);
    Body::of(message, wall).write(wire);
    to.len().saturating_sub(before)
}

/// The messages of a parcel with their places in it.
pub(super) fn bodies(value: &[u8], wall: Wall) -> Result<Vec<(u16, Message)>, Unreadable> {
    let mut found = Vec::new();
    let mut rest = value;
    while !rest.is_empty() {
        let (record, after): (NumberedBody<'_>, _) =
            postcard::take_from_bytes(rest).map_err(|_| Unreadable)?;
        found.push((record.index, record.body.into_message(wall)?));
        rest = after;
    }
    Ok(found)
}

/// The bytes of those messages of a parcel that are to stay.
pub(super) fn filter_bodies(
    value: &[u8],
    mut stays: impl FnMut(u16) -> bool,
) -> Result<Vec<u8>, Unreadable> {
    let mut kept = Vec::new();
    let mut rest = value;
    while !rest.is_empty() {
        let (record, after): (NumberedBody<'_>, _) =
            postcard::take_from_bytes(rest).map_err(|_| Unreadable)?;
        if stays(record.index) {
            kept.extend_from_slice(
                rest.get(..rest.len().saturating_sub(after.len())).unwrap_or_default(),
            );
        }
        rest = after;
    }
    Ok(kept)
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize))]
struct DeliveryRecord<'a> {
    index: u16,
    session: SessionNumber,
    /// Its number in its session, which is also its Packet Identifier.
    number: u64,
    qos: u8,
    retain: bool,
    ids: Cow<'a, [u32]>,
    share: Option<&'a str>,
    /// Where its message is.
    body: u64,
    /// Bytes of that message, and of its payload.
    size: u32,
    payload_len: u32,
    expires_at: Option<u64>,
    /// Whether its receiver has taken it over, so that only PUBREL and PUBCOMP are left.
    released: bool,
}

impl DeliveryRecord<'_> {
    #[inline]
    fn write(&self, to: &mut Wire<'_>) {
        to.number(self.index);
        to.number(self.session);
        to.number(self.number);
        to.byte(self.qos);
        to.byte(self.retain);
        to.number(self.ids.len() as u64);
        for id in &*self.ids {
            to.number(*id);
        }
        to.option(self.share, |to, share| to.bytes(share.as_bytes()));
        to.number(self.body);
        to.number(self.size);
        to.number(self.payload_len);
        to.option(self.expires_at, Wire::number);
        to.byte(self.released);
    }
}

/// A message of QoS 1 or 2 that waits in a session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SavedDelivery {
    pub place: Place,
    pub number: NonZeroU64,
    pub qos: QoS,
    pub retain: bool,
    pub ids: Box<[u32]>,
    pub share: Option<TopicFilter>,
    pub body: Place,
    pub size: u32,
    pub payload_len: u32,
    pub expires_at: Option<u64>,
    pub released: bool,
}

/// Appends a delivery to those of a parcel.
pub(super) fn append_delivery(
    to: &mut Vec<u8>,
    index: u16,
    delivery: &NewDelivery,
    body: Place,
    wall: Wall,
) {
    let message = &delivery.message;
    let len = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
    let record = DeliveryRecord {
        index,
        session: delivery.session,
        number: delivery.number.get(),
        qos: delivery.qos as u8,
        retain: delivery.retain,
        ids: Cow::Borrowed(&delivery.ids),
        share: delivery.share.as_ref().map(|share| share.as_str()),
        body: body.to_bits(),
        size: len(message.size()),
        payload_len: len(message.payload.len()),
        expires_at: message.expires_at.map(|at| wall.of(at)),
        released: false,
    };
    record.write(&mut Wire(to));
}

/// The deliveries of a parcel, each with the session it is for.
pub(super) fn deliveries(
    parcel: u64,
    value: &[u8],
) -> Result<Vec<(SessionNumber, SavedDelivery)>, Unreadable> {
    let mut found = Vec::new();
    let mut rest = value;
    while !rest.is_empty() {
        let (record, after): (DeliveryRecord<'_>, _) =
            postcard::take_from_bytes(rest).map_err(|_| Unreadable)?;
        let share = record.share.map(TopicFilter::new).transpose().map_err(|_| Unreadable)?;
        let delivery = SavedDelivery {
            place: Place::new(parcel, record.index),
            number: NonZeroU64::new(record.number).ok_or(Unreadable)?,
            qos: qos(record.qos)?,
            retain: record.retain,
            ids: record.ids.into(),
            share,
            body: Place::from_bits(record.body).ok_or(Unreadable)?,
            size: record.size,
            payload_len: record.payload_len,
            expires_at: record.expires_at,
            released: record.released,
        };
        found.push((record.session, delivery));
        rest = after;
    }
    Ok(found)
}

/// The bytes of those deliveries of a parcel that are to stay, with how far they are.
pub(super) fn filter_deliveries(
    value: &[u8],
    mut released: impl FnMut(u16) -> Option<bool>,
) -> Result<Vec<u8>, Unreadable> {
    let mut kept = Vec::new();
    let mut rest = value;
    while !rest.is_empty() {
        let (mut record, after): (DeliveryRecord<'_>, _) =
            postcard::take_from_bytes(rest).map_err(|_| Unreadable)?;
        if let Some(released) = released(record.index) {
            record.released |= released;
            record.write(&mut Wire(&mut kept));
        }
        rest = after;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_by_hand_is_what_postcard_writes() {
        let numbers = [0, 1, 127, 128, 300, 65_535, 1 << 32, u64::MAX];
        let texts = ["", "a/b", &"long/".repeat(60)];
        for number in numbers {
            for text in texts {
                let small = u32::try_from(number).unwrap_or(u32::MAX);
                let ids = [small, 7];
                let body = Body {
                    topic: text,
                    payload: text.as_bytes(),
                    properties: &[2, 0, 0, 0, 9],
                    qos: 2,
                    retain: number % 2 == 0,
                    expires_at: (number > 1).then_some(number),
                    expiry_interval_s: small,
                };
                let delivery = DeliveryRecord {
                    index: small as u16,
                    session: number,
                    number,
                    qos: 1,
                    retain: true,
                    ids: Cow::Borrowed(&ids[..usize::from(number % 3 == 0) * 2]),
                    share: (!text.is_empty()).then_some(text),
                    body: number,
                    size: small,
                    payload_len: small,
                    expires_at: (number > 1).then_some(number),
                    released: number == 1,
                };
                let mut written = Vec::new();
                delivery.write(&mut Wire(&mut written));
                assert_eq!(written, postcard::to_allocvec(&delivery).unwrap());

                written.clear();
                let wire = &mut Wire(&mut written);
                wire.number(delivery.index);
                body.write(wire);
                let numbered = NumberedBody { index: delivery.index, body };
                assert_eq!(written, postcard::to_allocvec(&numbered).unwrap());
            }
        }
    }
}
