//! Properties (MQTT 5.0 §2.2.2): kept as the bytes they arrived in, checked once.

use bytes::{BufMut, Bytes, BytesMut};
use core::fmt;

use crate::error::{DecodeErrorKind, EncodeError};
use crate::frame::{put_varint, read_varint, varint_len};
use crate::{
    MqttString, PacketType, QoS, REMAINING_LENGTH_MAX, STRING_LEN_MAX, TopicName, string, topic,
};

/// What a set of properties belongs to, which decides what may be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyOwner {
    /// A packet of this type.
    Packet(PacketType),
    /// The Will Properties in a CONNECT (MQTT 5.0 §3.1.3.2).
    Will,
}

/// How a property's value is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    Byte,
    TwoBytes,
    FourBytes,
    Varint,
    /// A UTF-8 Encoded String.
    Text,
    Binary,
    /// Two UTF-8 Encoded Strings.
    Pair,
}

macro_rules! properties {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $text:literal, $layout:ident, [$($owner:ident)*];)*) => {
        /// The Property Identifiers of the specification (MQTT 5.0 §2.2.2.2).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum PropertyId {
            $($(#[$doc])* $name = $id,)*
        }

        impl PropertyId {
            /// Every identifier, in the order of its number.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The identifier with this number, if the specification has one.
            pub const fn from_u32(value: u32) -> Option<Self> {
                match value {
                    $($id => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The name as the specification writes it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            pub(crate) const fn layout(self) -> Layout {
                match self {
                    $(Self::$name => Layout::$layout,)*
                }
            }

            /// Whether the property may be there (MQTT 5.0 table 2-4).
            pub const fn is_allowed_in(self, owner: PropertyOwner) -> bool {
                match self {
                    $(Self::$name => matches!(owner, $(properties!(@owner $owner))|*),)*
                }
            }
        }

        impl Kinds {
            /// All that may be there, without repetitions.
            const fn once_in(owner: PropertyOwner) -> u64 {
                0 $(| (PropertyId::$name.is_allowed_in(owner) as u64) << $id)*
            }
        }
    };
    (@owner Will) => { PropertyOwner::Will };
    (@owner $packet:ident) => { PropertyOwner::Packet(PacketType::$packet) };
}

properties! {
    /// Whether the payload is UTF-8 text.
    PayloadFormatIndicator = 0x01, "Payload Format Indicator", Byte, [Publish Will];
    /// Lifetime of the message, in seconds.
    MessageExpiryInterval = 0x02, "Message Expiry Interval", FourBytes, [Publish Will];
    /// What the payload is, in the words of the applications.
    ContentType = 0x03, "Content Type", Text, [Publish Will];
    /// Where a response is published.
    ResponseTopic = 0x08, "Response Topic", Text, [Publish Will];
    /// What tells the requester which request a response answers.
    CorrelationData = 0x09, "Correlation Data", Binary, [Publish Will];
    /// The number of the subscription, from 1.
    SubscriptionIdentifier = 0x0b, "Subscription Identifier", Varint, [Publish Subscribe];
    /// How long the session outlives its connection, in seconds; 0xffffffff is for ever.
    SessionExpiryInterval = 0x11, "Session Expiry Interval", FourBytes,
        [Connect ConnAck Disconnect];
    /// The identifier that the server gave to a client without one.
    AssignedClientIdentifier = 0x12, "Assigned Client Identifier", Text, [ConnAck];
    /// The Keep Alive to use instead, in seconds.
    ServerKeepAlive = 0x13, "Server Keep Alive", TwoBytes, [ConnAck];
    /// The name of an enhanced authentication.
    AuthenticationMethod = 0x15, "Authentication Method", Text, [Connect ConnAck Auth];
    /// One step of an enhanced authentication.
    AuthenticationData = 0x16, "Authentication Data", Binary, [Connect ConnAck Auth];
    /// Whether reason strings and user properties are wanted with failures.
    RequestProblemInformation = 0x17, "Request Problem Information", Byte, [Connect];
    /// How long the server waits before it sends the will, in seconds.
    WillDelayInterval = 0x18, "Will Delay Interval", FourBytes, [Will];
    /// Whether Response Information is wanted.
    RequestResponseInformation = 0x19, "Request Response Information", Byte, [Connect];
    /// The basis of response topics.
    ResponseInformation = 0x1a, "Response Information", Text, [ConnAck];
    /// Another server to use.
    ServerReference = 0x1c, "Server Reference", Text, [ConnAck Disconnect];
    /// What happened, for people.
    ReasonString = 0x1f, "Reason String", Text,
        [ConnAck PubAck PubRec PubRel PubComp SubAck UnsubAck Disconnect Auth];
    /// How many messages of QoS 1 and 2 may be unacknowledged, from 1.
    ReceiveMaximum = 0x21, "Receive Maximum", TwoBytes, [Connect ConnAck];
    /// The highest Topic Alias that is taken.
    TopicAliasMaximum = 0x22, "Topic Alias Maximum", TwoBytes, [Connect ConnAck];
    /// A number that stands for a topic on this connection, from 1.
    TopicAlias = 0x23, "Topic Alias", TwoBytes, [Publish];
    /// The highest QoS the server takes, if not 2.
    MaximumQoS = 0x24, "Maximum QoS", Byte, [ConnAck];
    /// Whether the server has retained messages.
    RetainAvailable = 0x25, "Retain Available", Byte, [ConnAck];
    /// A name and a value for the applications; as often as they like.
    UserProperty = 0x26, "User Property", Pair,
        [Connect ConnAck Publish Will PubAck PubRec PubRel PubComp Subscribe SubAck Unsubscribe
        UnsubAck Disconnect Auth];
    /// The largest packet that is taken, in bytes, from 1.
    MaximumPacketSize = 0x27, "Maximum Packet Size", FourBytes, [Connect ConnAck];
    /// Whether the server has wildcard subscriptions.
    WildcardSubscriptionAvailable = 0x28, "Wildcard Subscription Available", Byte, [ConnAck];
    /// Whether the server has subscription identifiers.
    SubscriptionIdentifierAvailable = 0x29, "Subscription Identifier Available", Byte, [ConnAck];
    /// Whether the server has shared subscriptions.
    SharedSubscriptionAvailable = 0x2a, "Shared Subscription Available", Byte, [ConnAck];
}

impl fmt::Display for PropertyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One property: text and data are slices of the packet it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is documented at its PropertyId")]
pub enum Property {
    PayloadFormatIndicator(bool),
    MessageExpiryInterval(u32),
    ContentType(MqttString),
    ResponseTopic(TopicName),
    CorrelationData(Bytes),
    SubscriptionIdentifier(u32),
    SessionExpiryInterval(u32),
    AssignedClientIdentifier(MqttString),
    ServerKeepAlive(u16),
    AuthenticationMethod(MqttString),
    AuthenticationData(Bytes),
    RequestProblemInformation(bool),
    WillDelayInterval(u32),
    RequestResponseInformation(bool),
    ResponseInformation(MqttString),
    ServerReference(MqttString),
    ReasonString(MqttString),
    ReceiveMaximum(u16),
    TopicAliasMaximum(u16),
    TopicAlias(u16),
    MaximumQoS(QoS),
    RetainAvailable(bool),
    UserProperty(MqttString, MqttString),
    MaximumPacketSize(u32),
    WildcardSubscriptionAvailable(bool),
    SubscriptionIdentifierAvailable(bool),
    SharedSubscriptionAvailable(bool),
}

impl Property {
    /// Its identifier.
    pub const fn id(&self) -> PropertyId {
        match self {
            Self::PayloadFormatIndicator(_) => PropertyId::PayloadFormatIndicator,
            Self::MessageExpiryInterval(_) => PropertyId::MessageExpiryInterval,
            Self::ContentType(_) => PropertyId::ContentType,
            Self::ResponseTopic(_) => PropertyId::ResponseTopic,
            Self::CorrelationData(_) => PropertyId::CorrelationData,
            Self::SubscriptionIdentifier(_) => PropertyId::SubscriptionIdentifier,
            Self::SessionExpiryInterval(_) => PropertyId::SessionExpiryInterval,
            Self::AssignedClientIdentifier(_) => PropertyId::AssignedClientIdentifier,
            Self::ServerKeepAlive(_) => PropertyId::ServerKeepAlive,
            Self::AuthenticationMethod(_) => PropertyId::AuthenticationMethod,
            Self::AuthenticationData(_) => PropertyId::AuthenticationData,
            Self::RequestProblemInformation(_) => PropertyId::RequestProblemInformation,
            Self::WillDelayInterval(_) => PropertyId::WillDelayInterval,
            Self::RequestResponseInformation(_) => PropertyId::RequestResponseInformation,
            Self::ResponseInformation(_) => PropertyId::ResponseInformation,
            Self::ServerReference(_) => PropertyId::ServerReference,
            Self::ReasonString(_) => PropertyId::ReasonString,
            Self::ReceiveMaximum(_) => PropertyId::ReceiveMaximum,
            Self::TopicAliasMaximum(_) => PropertyId::TopicAliasMaximum,
            Self::TopicAlias(_) => PropertyId::TopicAlias,
            Self::MaximumQoS(_) => PropertyId::MaximumQoS,
            Self::RetainAvailable(_) => PropertyId::RetainAvailable,
            Self::UserProperty(..) => PropertyId::UserProperty,
            Self::MaximumPacketSize(_) => PropertyId::MaximumPacketSize,
            Self::WildcardSubscriptionAvailable(_) => PropertyId::WildcardSubscriptionAvailable,
            Self::SubscriptionIdentifierAvailable(_) => PropertyId::SubscriptionIdentifierAvailable,
            Self::SharedSubscriptionAvailable(_) => PropertyId::SharedSubscriptionAvailable,
        }
    }
}

/// The value of a property as it lies in the packet, before it is given its meaning.
#[derive(Clone, Copy)]
enum Value<'a> {
    Number(u32),
    Text(&'a [u8]),
    Binary(&'a [u8]),
    Pair(&'a [u8], &'a [u8]),
}

/// Takes properties off the front of bytes.
struct Fields<'a> {
    left: &'a [u8],
}

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeErrorKind> {
        let (taken, left) = self.left.split_at_checked(len).ok_or(DecodeErrorKind::Truncated)?;
        self.left = left;
        Ok(taken)
    }

    fn array<const LEN: usize>(&mut self) -> Result<[u8; LEN], DecodeErrorKind> {
        let (array, left) = self.left.split_first_chunk().ok_or(DecodeErrorKind::Truncated)?;
        self.left = left;
        Ok(*array)
    }

    fn short(&mut self) -> Result<u16, DecodeErrorKind> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn varint(&mut self) -> Result<u32, DecodeErrorKind> {
        // All identifiers are of one byte, and so are most numbers.
        if let [value @ ..0x80, left @ ..] = self.left {
            self.left = left;
            return Ok(u32::from(*value));
        }
        let (value, len) = read_varint(self.left)?.ok_or(DecodeErrorKind::Truncated)?;
        if usize::from(len) != varint_len(value) {
            return Err(DecodeErrorKind::VarintNotMinimal);
        }
        self.take(usize::from(len))?;
        Ok(value)
    }

    fn binary(&mut self) -> Result<&'a [u8], DecodeErrorKind> {
        let len = self.short()?;
        self.take(usize::from(len))
    }

    fn id(&mut self) -> Result<PropertyId, DecodeErrorKind> {
        let id = self.varint()?;
        PropertyId::from_u32(id).ok_or(DecodeErrorKind::UnknownProperty(id))
    }

    fn value(&mut self, id: PropertyId) -> Result<Value<'a>, DecodeErrorKind> {
        Ok(match id.layout() {
            Layout::Byte => Value::Number(u32::from(u8::from_be_bytes(self.array()?))),
            Layout::TwoBytes => Value::Number(u32::from(self.short()?)),
            Layout::FourBytes => Value::Number(u32::from_be_bytes(self.array()?)),
            Layout::Varint => Value::Number(self.varint()?),
            Layout::Text => Value::Text(self.binary()?),
            Layout::Binary => Value::Binary(self.binary()?),
            Layout::Pair => Value::Pair(self.binary()?, self.binary()?),
        })
    }
}

/// The walk along properties that were checked before: it ends where they end.
impl<'a> Iterator for Fields<'a> {
    type Item = (PropertyId, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.left.is_empty() {
            return None;
        }
        let id = self.id().ok()?;
        Some((id, self.value(id).ok()?))
    }
}

/// Whether each property may be there, be there this often, and have its value; and which there are.
fn check(bytes: &[u8], owner: PropertyOwner) -> Result<Kinds, DecodeErrorKind> {
    let allowed = Kinds::allowed_in(owner);
    let mut kinds = Kinds::NONE;
    let mut fields = Fields { left: bytes };
    while !fields.left.is_empty() {
        let id = fields.id()?;
        kinds = kinds.with(id);
        if kinds.0 & !allowed != 0 {
            return Err(match id.is_allowed_in(owner) {
                true => DecodeErrorKind::DuplicateProperty(id),
                false => DecodeErrorKind::PropertyNotAllowed(id),
            });
        }
        check_value(id, fields.value(id)?)?;
    }
    if kinds.lack_method() { Err(DecodeErrorKind::AuthDataWithoutMethod) } else { Ok(kinds) }
}

/// Whether the property can have this value (MQTT 5.0 §3, at each property).
fn check_value(id: PropertyId, value: Value<'_>) -> Result<(), DecodeErrorKind> {
    use PropertyId as Id;
    let fine = match value {
        Value::Number(number) => match id {
            Id::PayloadFormatIndicator
            | Id::RequestProblemInformation
            | Id::RequestResponseInformation
            | Id::MaximumQoS
            | Id::RetainAvailable
            | Id::WildcardSubscriptionAvailable
            | Id::SubscriptionIdentifierAvailable
            | Id::SharedSubscriptionAvailable => number <= 1,
            Id::SubscriptionIdentifier
            | Id::ReceiveMaximum
            | Id::TopicAlias
            | Id::MaximumPacketSize => number != 0,
            _ => true,
        },
        Value::Text(text) => {
            string::check(text)?;
            id != Id::ResponseTopic || topic::is_name(text)
        }
        Value::Binary(_) => true,
        Value::Pair(name, value) => {
            string::check(name)?;
            string::check(value)?;
            true
        }
    };
    if fine { Ok(()) } else { Err(DecodeErrorKind::PropertyValue(id)) }
}

/// Gives a checked value its meaning; text and data become slices of `all`, which they lie in.
fn meaning(id: PropertyId, value: Value<'_>, all: &Bytes) -> Option<Property> {
    use PropertyId as Id;
    let share = |text: &[u8]| MqttString::from_checked(all.slice_ref(text));
    Some(match value {
        Value::Number(number) => {
            let flag = number != 0;
            let short = u16::try_from(number).unwrap_or(u16::MAX);
            match id {
                Id::PayloadFormatIndicator => Property::PayloadFormatIndicator(flag),
                Id::MessageExpiryInterval => Property::MessageExpiryInterval(number),
                Id::SubscriptionIdentifier => Property::SubscriptionIdentifier(number),
                Id::SessionExpiryInterval => Property::SessionExpiryInterval(number),
                Id::ServerKeepAlive => Property::ServerKeepAlive(short),
                Id::RequestProblemInformation => Property::RequestProblemInformation(flag),
                Id::WillDelayInterval => Property::WillDelayInterval(number),
                Id::RequestResponseInformation => Property::RequestResponseInformation(flag),
                Id::ReceiveMaximum => Property::ReceiveMaximum(short),
                Id::TopicAliasMaximum => Property::TopicAliasMaximum(short),
                Id::TopicAlias => Property::TopicAlias(short),
                Id::MaximumQoS if flag => Property::MaximumQoS(QoS::AtLeastOnce),
                Id::MaximumQoS => Property::MaximumQoS(QoS::AtMostOnce),
                Id::RetainAvailable => Property::RetainAvailable(flag),
                Id::MaximumPacketSize => Property::MaximumPacketSize(number),
                Id::WildcardSubscriptionAvailable => Property::WildcardSubscriptionAvailable(flag),
                Id::SubscriptionIdentifierAvailable => {
                    Property::SubscriptionIdentifierAvailable(flag)
                }
                Id::SharedSubscriptionAvailable => Property::SharedSubscriptionAvailable(flag),
                _ => return None,
            }
        }
        Value::Text(text) => match id {
            Id::ContentType => Property::ContentType(share(text)),
            Id::ResponseTopic => Property::ResponseTopic(TopicName::from_string(share(text)).ok()?),
            Id::AssignedClientIdentifier => Property::AssignedClientIdentifier(share(text)),
            Id::AuthenticationMethod => Property::AuthenticationMethod(share(text)),
            Id::ResponseInformation => Property::ResponseInformation(share(text)),
            Id::ServerReference => Property::ServerReference(share(text)),
            Id::ReasonString => Property::ReasonString(share(text)),
            _ => return None,
        },
        Value::Binary(data) => match id {
            Id::CorrelationData => Property::CorrelationData(all.slice_ref(data)),
            Id::AuthenticationData => Property::AuthenticationData(all.slice_ref(data)),
            _ => return None,
        },
        Value::Pair(name, value) => Property::UserProperty(share(name), share(value)),
    })
}

/// Which kinds of property there are: the bit of each identifier's number, and two that say what is repeated.
/// With it, whether properties may be somewhere, and whether one of a kind is there, takes no walk along them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Kinds(u64);

impl Kinds {
    const NONE: Self = Self(0);

    /// There are several Subscription Identifiers, as a PUBLISH alone may have.
    const SUBSCRIPTION_IDENTIFIERS: u64 = 1 << 62;

    /// There are several of what can be there but once.
    const REPEATED: u64 = 1 << 63;

    const fn bit(id: PropertyId) -> u64 {
        1 << id as u8
    }

    /// What may be there.
    #[inline]
    fn allowed_in(owner: PropertyOwner) -> u64 {
        /// By packet type; what belongs to a will is at the number that no packet type has.
        #[allow(clippy::indexing_slicing, reason = "the compiler does it")]
        static ALLOWED: [u64; 16] = {
            let mut allowed = [0; 16];
            allowed[0] = Kinds::once_in(PropertyOwner::Will);
            let mut nibble = 1;
            while nibble < 16 {
                if let Some(packet) = PacketType::from_nibble(nibble) {
                    allowed[nibble as usize] = Kinds::once_in(PropertyOwner::Packet(packet));
                }
                nibble += 1;
            }
            allowed[PacketType::Publish as usize] |= Kinds::SUBSCRIPTION_IDENTIFIERS;
            allowed
        };
        let index = match owner {
            PropertyOwner::Packet(packet) => packet as usize,
            PropertyOwner::Will => 0,
        };
        ALLOWED.get(index).map_or(0, |allowed| *allowed)
    }

    #[inline]
    fn with(self, id: PropertyId) -> Self {
        let bit = Self::bit(id);
        let repeated = match id {
            _ if self.0 & bit == 0 => 0,
            PropertyId::UserProperty => 0,
            PropertyId::SubscriptionIdentifier => Self::SUBSCRIPTION_IDENTIFIERS,
            _ => Self::REPEATED,
        };
        Self(self.0 | bit | repeated)
    }

    #[inline]
    fn contain(self, id: PropertyId) -> bool {
        self.0 & Self::bit(id) != 0
    }

    /// Whether each may be there, and be there this often.
    #[inline]
    fn fit(self, owner: PropertyOwner) -> bool {
        self.0 & !Self::allowed_in(owner) == 0 && !self.lack_method()
    }

    /// Data of an enhanced authentication goes with its method (MQTT 5.0 §3.1.2.11.10).
    fn lack_method(self) -> bool {
        self.contain(PropertyId::AuthenticationData)
            && !self.contain(PropertyId::AuthenticationMethod)
    }
}

/// The properties of one packet, in the order and in the bytes they arrived in.
///
/// They were checked when they were decoded, so that looking at them can't fail. A look costs a walk
/// along the bytes, where there is what is looked for, and no allocation.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties(Option<Set>);

/// Properties that are there.
#[derive(Clone, PartialEq, Eq)]
struct Set {
    bytes: Bytes,
    kinds: Kinds,
}

impl Properties {
    /// No properties.
    pub const EMPTY: Self = Self(None);

    /// Properties to send, in this order.
    ///
    /// # Errors
    /// As [`PropertiesBuilder::push`].
    ///
    /// ```
    /// use codec::{Properties, Property};
    ///
    /// let properties = Properties::new([Property::TopicAlias(7)])?;
    /// assert_eq!(properties.topic_alias(), Some(7));
    /// assert!(Properties::new([Property::TopicAlias(0)]).is_err(), "there is no alias 0");
    /// # Ok::<(), codec::EncodeError>(())
    /// ```
    pub fn new(properties: impl IntoIterator<Item = Property>) -> Result<Self, EncodeError> {
        let mut builder = PropertiesBuilder::default();
        for property in properties {
            builder.push(&property)?;
        }
        Ok(builder.build())
    }

    /// Checks the bytes of a property section, without its length, and shares them.
    ///
    /// # Errors
    /// They are no properties, or not ones that may be there.
    pub fn decode(bytes: Bytes, owner: PropertyOwner) -> Result<Self, DecodeErrorKind> {
        if bytes.is_empty() {
            return Ok(Self::EMPTY);
        }
        let kinds = check(&bytes, owner)?;
        Ok(Self(Some(Set { bytes, kinds })))
    }

    /// Checks and shares a property section that stands by itself: its length and, up to the end of
    /// `section`, its properties.
    ///
    /// # Errors
    /// The length is not that of what follows, or a property can't be there or can't have its value.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use codec::{PacketType, Properties, PropertyOwner};
    ///
    /// let owner = PropertyOwner::Packet(PacketType::Publish);
    /// let properties = Properties::decode_section(&Bytes::from_static(&[2, 0x0b, 7]), owner)?;
    /// assert!(properties.subscription_identifiers().eq([7]));
    /// assert!(Properties::decode_section(&Bytes::from_static(&[3, 0x0b, 7]), owner).is_err());
    /// # Ok::<(), codec::DecodeErrorKind>(())
    /// ```
    pub fn decode_section(section: &Bytes, owner: PropertyOwner) -> Result<Self, DecodeErrorKind> {
        let (len, len_len) = read_varint(section)?.ok_or(DecodeErrorKind::Truncated)?;
        let bytes = section.slice(usize::from(len_len)..);
        if bytes.len() != len as usize {
            return Err(DecodeErrorKind::Truncated);
        }
        Self::decode(bytes, owner)
    }

    /// Whether each property may be there, and be there this often.
    #[inline]
    pub(crate) fn fit(&self, owner: PropertyOwner) -> bool {
        self.kinds().fit(owner)
    }

    /// Which property may not be there, or not this often.
    ///
    /// # Errors
    /// The first that may not.
    #[inline]
    pub(crate) fn check(&self, owner: PropertyOwner) -> Result<(), DecodeErrorKind> {
        if self.fit(owner) { Ok(()) } else { check(self.as_bytes(), owner).map(|_| ()) }
    }

    fn kinds(&self) -> Kinds {
        self.0.as_ref().map_or(Kinds::NONE, |set| set.kinds)
    }

    /// A copy of their own, which does not keep the packet they came in in memory.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self::of(Bytes::copy_from_slice(self.as_bytes()), self.kinds())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Properties that were checked, or that need no check.
    fn of(bytes: Bytes, kinds: Kinds) -> Self {
        Self(Some(Set { bytes, kinds }).filter(|set| !set.bytes.is_empty()))
    }

    /// The property section as bytes, without its length.
    pub fn as_bytes(&self) -> &Bytes {
        static NONE: Bytes = Bytes::new();
        self.0.as_ref().map_or(&NONE, |set| &set.bytes)
    }

    fn fields(&self) -> Fields<'_> {
        Fields { left: self.as_bytes() }
    }

    /// The properties in their order.
    pub fn iter(&self) -> impl Iterator<Item = Property> + '_ {
        self.fields().filter_map(|(id, value)| meaning(id, value, self.as_bytes()))
    }

    /// Whether there is a property with this identifier.
    #[inline]
    pub fn contains(&self, wanted: PropertyId) -> bool {
        self.kinds().contain(wanted)
    }

    /// The first property with this identifier.
    fn find(&self, wanted: PropertyId) -> Option<Property> {
        if !self.contains(wanted) {
            return None;
        }
        let (id, value) = self.fields().find(|(id, _)| *id == wanted)?;
        meaning(id, value, self.as_bytes())
    }

    /// The same without those that `keep` turns down; nothing is copied if it keeps them all.
    #[must_use]
    pub fn filtered(&self, mut keep: impl FnMut(PropertyId) -> bool) -> Self {
        if self.fields().all(|(id, _)| keep(id)) {
            return self.clone();
        }
        let mut kept = BytesMut::with_capacity(self.as_bytes().len());
        let mut kinds = Kinds::NONE;
        let mut fields = self.fields();
        loop {
            let before = fields.left;
            let Some((id, _)) = fields.next() else { break };
            let len = before.len().saturating_sub(fields.left.len());
            if keep(id) {
                kept.put_slice(before.get(..len).unwrap_or_default());
                kinds = kinds.with(id);
            }
        }
        Self::of(kept.freeze(), kinds)
    }

    /// The user properties in their order.
    pub fn user_properties(&self) -> impl Iterator<Item = (MqttString, MqttString)> + '_ {
        self.fields().filter_map(|(id, value)| match meaning(id, value, self.as_bytes()) {
            Some(Property::UserProperty(name, value)) => Some((name, value)),
            _ => None,
        })
    }

    /// The subscription identifiers in their order.
    pub fn subscription_identifiers(&self) -> impl Iterator<Item = u32> + '_ {
        self.fields().filter_map(|(id, value)| match (id, value) {
            (PropertyId::SubscriptionIdentifier, Value::Number(id)) => Some(id),
            _ => None,
        })
    }

    /// Bytes that these properties take in a packet, their length included.
    pub(crate) fn encoded_len(&self) -> usize {
        section_len(self.as_bytes().len())
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) {
        put_varint(out, u32::try_from(self.as_bytes().len()).unwrap_or(REMAINING_LENGTH_MAX));
        out.put_slice(self.as_bytes());
    }
}

/// Bytes of a property section of this length together with the length before it.
pub(crate) fn section_len(len: usize) -> usize {
    len.saturating_add(varint_len(u32::try_from(len).unwrap_or(u32::MAX)))
}

macro_rules! getters {
    ($($name:ident: $property:ident -> $value:ty;)*) => {
        impl Properties {
            $(
                #[doc = concat!("The [`", stringify!($property), "`](PropertyId::", stringify!($property), "), if there is one.")]
                pub fn $name(&self) -> Option<$value> {
                    match self.find(PropertyId::$property) {
                        Some(Property::$property(value)) => Some(value),
                        _ => None,
                    }
                }
            )*
        }
    };
}

getters! {
    payload_format_indicator: PayloadFormatIndicator -> bool;
    message_expiry_interval: MessageExpiryInterval -> u32;
    content_type: ContentType -> MqttString;
    response_topic: ResponseTopic -> TopicName;
    correlation_data: CorrelationData -> Bytes;
    subscription_identifier: SubscriptionIdentifier -> u32;
    session_expiry_interval: SessionExpiryInterval -> u32;
    assigned_client_identifier: AssignedClientIdentifier -> MqttString;
    server_keep_alive: ServerKeepAlive -> u16;
    authentication_method: AuthenticationMethod -> MqttString;
    authentication_data: AuthenticationData -> Bytes;
    request_problem_information: RequestProblemInformation -> bool;
    will_delay_interval: WillDelayInterval -> u32;
    request_response_information: RequestResponseInformation -> bool;
    response_information: ResponseInformation -> MqttString;
    server_reference: ServerReference -> MqttString;
    reason_string: ReasonString -> MqttString;
    receive_maximum: ReceiveMaximum -> u16;
    topic_alias_maximum: TopicAliasMaximum -> u16;
    topic_alias: TopicAlias -> u16;
    maximum_qos: MaximumQoS -> QoS;
    retain_available: RetainAvailable -> bool;
    maximum_packet_size: MaximumPacketSize -> u32;
    wildcard_subscription_available: WildcardSubscriptionAvailable -> bool;
    subscription_identifier_available: SubscriptionIdentifierAvailable -> bool;
    shared_subscription_available: SharedSubscriptionAvailable -> bool;
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Puts properties together one by one.
#[derive(Debug, Default)]
pub struct PropertiesBuilder {
    bytes: BytesMut,
    kinds: Kinds,
}

impl PropertiesBuilder {
    /// Appends a property.
    ///
    /// # Errors
    /// When data is longer than 65,535 bytes, the property can't have this value, or all of it is
    /// longer than a packet can be. The properties are then as they were.
    pub fn push(&mut self, property: &Property) -> Result<&mut Self, EncodeError> {
        let before = self.bytes.len();
        match put_property(&mut self.bytes, property) {
            Ok(()) if self.bytes.len() <= REMAINING_LENGTH_MAX as usize => {
                self.kinds = self.kinds.with(property.id());
                Ok(self)
            }
            done => {
                self.bytes.truncate(before);
                Err(done.err().unwrap_or(EncodeError::TooLarge))
            }
        }
    }

    /// The properties so far.
    pub fn build(self) -> Properties {
        Properties::of(self.bytes.freeze(), self.kinds)
    }
}

/// The first number that a Variable Byte Integer can't say.
const VARINT_OVER: u32 = REMAINING_LENGTH_MAX + 1;

fn put_property(out: &mut BytesMut, property: &Property) -> Result<(), EncodeError> {
    out.put_u8(property.id() as u8);
    match property {
        Property::SubscriptionIdentifier(0)
        | Property::SubscriptionIdentifier(VARINT_OVER..)
        | Property::ReceiveMaximum(0)
        | Property::TopicAlias(0)
        | Property::MaximumPacketSize(0)
        | Property::MaximumQoS(QoS::ExactlyOnce) => {
            return Err(EncodeError::Property(property.id()));
        }
        Property::PayloadFormatIndicator(flag)
        | Property::RequestProblemInformation(flag)
        | Property::RequestResponseInformation(flag)
        | Property::RetainAvailable(flag)
        | Property::WildcardSubscriptionAvailable(flag)
        | Property::SubscriptionIdentifierAvailable(flag)
        | Property::SharedSubscriptionAvailable(flag) => out.put_u8(u8::from(*flag)),
        Property::MaximumQoS(qos) => out.put_u8(*qos as u8),
        Property::ServerKeepAlive(number)
        | Property::ReceiveMaximum(number)
        | Property::TopicAliasMaximum(number)
        | Property::TopicAlias(number) => out.put_u16(*number),
        Property::MessageExpiryInterval(number)
        | Property::SessionExpiryInterval(number)
        | Property::WillDelayInterval(number)
        | Property::MaximumPacketSize(number) => out.put_u32(*number),
        Property::SubscriptionIdentifier(number) => put_varint(out, *number),
        Property::ContentType(text)
        | Property::AssignedClientIdentifier(text)
        | Property::AuthenticationMethod(text)
        | Property::ResponseInformation(text)
        | Property::ServerReference(text)
        | Property::ReasonString(text) => put_binary(out, text.as_bytes())?,
        Property::ResponseTopic(topic) => put_binary(out, topic.as_bytes())?,
        Property::CorrelationData(data) | Property::AuthenticationData(data) => {
            put_binary(out, data)?;
        }
        Property::UserProperty(name, value) => {
            put_binary(out, name.as_bytes())?;
            put_binary(out, value.as_bytes())?;
        }
    }
    Ok(())
}

/// Appends Binary Data, or a UTF-8 Encoded String, with the length before it.
pub(crate) fn put_binary(out: &mut BytesMut, bytes: &[u8]) -> Result<(), EncodeError> {
    if bytes.len() > STRING_LEN_MAX {
        return Err(EncodeError::BinaryTooLong);
    }
    out.put_u16(bytes.len() as u16);
    out.put_slice(bytes);
    Ok(())
}
