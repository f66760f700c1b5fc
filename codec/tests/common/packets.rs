//! Arbitrary packets: anything that the given end may send in the given version.

use bytes::Bytes;
use codec::{
    Ack, Auth, ConnAck, Connect, Disconnect, MqttString, Packet, PacketId, PacketType, Properties,
    Property, PropertyId, PropertyOwner, ProtocolVersion, Publish, QoS, ReasonCode, RetainHandling,
    SubAck, Subscribe, Subscription, SubscriptionOptions, TopicFilter, TopicName, UnsubAck,
    Unsubscribe, Will,
};

use super::rng::Rng;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    Client,
    Server,
}

use PacketType as Type;

const FROM_CLIENT: [Type; 10] = [
    Type::Publish,
    Type::PubAck,
    Type::PubRec,
    Type::PubRel,
    Type::PubComp,
    Type::Subscribe,
    Type::Unsubscribe,
    Type::PingReq,
    Type::Disconnect,
    Type::Auth,
];

const FROM_SERVER: [Type; 11] = [
    Type::ConnAck,
    Type::Publish,
    Type::PubAck,
    Type::PubRec,
    Type::PubRel,
    Type::PubComp,
    Type::SubAck,
    Type::UnsubAck,
    Type::PingResp,
    Type::Disconnect,
    Type::Auth,
];

/// The packet types that `sender` may send in this version after its CONNECT.
pub(crate) fn types(version: ProtocolVersion, sender: Sender) -> Vec<Type> {
    let all = match sender {
        Sender::Client => FROM_CLIENT.as_slice(),
        Sender::Server => FROM_SERVER.as_slice(),
    };
    let before_v5 = |kind: &Type| {
        *kind != Type::Auth && (*kind != Type::Disconnect || sender == Sender::Client)
    };
    all.iter().copied().filter(|kind| version.is_v5() || before_v5(kind)).collect()
}

/// An arbitrary packet other than CONNECT.
pub(crate) fn any(rng: &mut Rng, version: ProtocolVersion, sender: Sender) -> Packet {
    let kind = *rng.pick(&types(version, sender));
    of_type(rng, kind, version, sender)
}

pub(crate) fn of_type(
    rng: &mut Rng,
    kind: PacketType,
    version: ProtocolVersion,
    sender: Sender,
) -> Packet {
    match kind {
        Type::Connect => Packet::Connect(Box::new(connect(rng, version))),
        Type::ConnAck => Packet::ConnAck(connack(rng, version)),
        Type::Publish => Packet::Publish(publish(rng, version, sender)),
        Type::PubAck => Packet::PubAck(ack(rng, kind, version)),
        Type::PubRec => Packet::PubRec(ack(rng, kind, version)),
        Type::PubRel => Packet::PubRel(ack(rng, kind, version)),
        Type::PubComp => Packet::PubComp(ack(rng, kind, version)),
        Type::Subscribe => Packet::Subscribe(subscribe(rng, version)),
        Type::SubAck => Packet::SubAck(SubAck {
            packet_id: packet_id(rng),
            properties: properties(rng, version, PropertyOwner::Packet(kind), &[]),
            codes: (0..1 + rng.below(4)).map(|_| suback_code(rng, version)).collect(),
        }),
        Type::Unsubscribe => Packet::Unsubscribe(Unsubscribe {
            packet_id: packet_id(rng),
            properties: properties(rng, version, PropertyOwner::Packet(kind), &[]),
            filters: (0..1 + rng.below(4)).map(|_| topic_filter(rng)).collect(),
        }),
        Type::UnsubAck => {
            let codes = if version.is_v5() { 1 + rng.below(4) } else { 0 };
            Packet::UnsubAck(UnsubAck {
                packet_id: packet_id(rng),
                properties: properties(rng, version, PropertyOwner::Packet(kind), &[]),
                codes: (0..codes).map(|_| code(rng, kind)).collect(),
            })
        }
        Type::PingReq => Packet::PingReq,
        Type::PingResp => Packet::PingResp,
        Type::Disconnect => Packet::Disconnect(disconnect(rng, version, sender)),
        Type::Auth => Packet::Auth(auth(rng, version, sender)),
    }
}

pub(crate) fn connect(rng: &mut Rng, version: ProtocolVersion) -> Connect {
    let username = rng.flag().then(|| text(rng));
    let may_have_password = version.is_v5() || username.is_some();
    Connect {
        version,
        bridge: !version.is_v5() && rng.one_in(4),
        clean_start: rng.flag(),
        keep_alive_s: rng.next() as u16,
        properties: properties(rng, version, PropertyOwner::Packet(Type::Connect), &[]),
        client_id: text(rng),
        will: rng.flag().then(|| Will {
            qos: qos(rng),
            retain: rng.flag(),
            properties: properties(rng, version, PropertyOwner::Will, &[]),
            topic: topic_name(rng),
            payload: data(rng),
        }),
        username,
        password: (may_have_password && rng.flag()).then(|| data(rng)),
    }
}

fn connack(rng: &mut Rng, version: ProtocolVersion) -> ConnAck {
    let code = if version.is_v5() {
        code(rng, Type::ConnAck)
    } else {
        *rng.pick(&[
            ReasonCode::Success,
            ReasonCode::UnsupportedProtocolVersion,
            ReasonCode::ClientIdentifierNotValid,
            ReasonCode::ServerUnavailable,
            ReasonCode::BadUserNameOrPassword,
            ReasonCode::NotAuthorized,
        ])
    };
    let may_be_present = code == ReasonCode::Success && version != ProtocolVersion::V31;
    ConnAck {
        session_present: may_be_present && rng.flag(),
        code,
        properties: properties(rng, version, PropertyOwner::Packet(Type::ConnAck), &[]),
    }
}

pub(crate) fn publish(rng: &mut Rng, version: ProtocolVersion, sender: Sender) -> Publish {
    let qos = qos(rng);
    let without: &[PropertyId] = match sender {
        Sender::Client => &[PropertyId::SubscriptionIdentifier],
        Sender::Server => &[],
    };
    let properties = properties(rng, version, PropertyOwner::Packet(Type::Publish), without);
    let by_alias = properties.topic_alias().is_some() && rng.flag();
    let payload_len = if rng.one_in(50) { rng.below(200_000) } else { rng.below(200) };
    Publish {
        dup: qos != QoS::AtMostOnce && rng.flag(),
        qos,
        retain: rng.flag(),
        topic: (!by_alias).then(|| topic_name(rng)),
        packet_id: (qos != QoS::AtMostOnce).then(|| packet_id(rng)),
        properties,
        payload: rng.bytes(payload_len).into(),
    }
}

fn ack(rng: &mut Rng, kind: PacketType, version: ProtocolVersion) -> Ack {
    Ack {
        packet_id: packet_id(rng),
        code: if version.is_v5() { code(rng, kind) } else { ReasonCode::Success },
        properties: properties(rng, version, PropertyOwner::Packet(kind), &[]),
    }
}

fn subscribe(rng: &mut Rng, version: ProtocolVersion) -> Subscribe {
    let mut line = || {
        let filter = topic_filter(rng);
        let mut options = SubscriptionOptions::with_qos(qos(rng));
        if version.is_v5() {
            options.no_local = filter.share_name().is_none() && rng.flag();
            options.retain_as_published = rng.flag();
            options.retain_handling = *rng.pick(&[
                RetainHandling::SendAtSubscribe,
                RetainHandling::SendIfNew,
                RetainHandling::DoNotSend,
            ]);
        }
        Subscription { filter, options }
    };
    let subscriptions = (0..3).map(|_| line()).collect();
    Subscribe {
        packet_id: packet_id(rng),
        properties: properties(rng, version, PropertyOwner::Packet(Type::Subscribe), &[]),
        subscriptions,
    }
}

fn disconnect(rng: &mut Rng, version: ProtocolVersion, sender: Sender) -> Disconnect {
    if !version.is_v5() {
        return Disconnect::new(ReasonCode::Success);
    }
    let owner = PropertyOwner::Packet(Type::Disconnect);
    match sender {
        Sender::Client => Disconnect {
            code: *rng.pick(&[
                ReasonCode::Success,
                ReasonCode::DisconnectWithWill,
                ReasonCode::UnspecifiedError,
                ReasonCode::AdministrativeAction,
            ]),
            properties: properties(rng, version, owner, &[]),
        },
        Sender::Server => Disconnect {
            code: *rng.pick(&[
                ReasonCode::Success,
                ReasonCode::ServerShuttingDown,
                ReasonCode::SessionTakenOver,
                ReasonCode::WildcardSubscriptionsNotSupported,
            ]),
            properties: properties(rng, version, owner, &[PropertyId::SessionExpiryInterval]),
        },
    }
}

fn auth(rng: &mut Rng, version: ProtocolVersion, sender: Sender) -> Auth {
    let code = match sender {
        Sender::Client => {
            *rng.pick(&[ReasonCode::ContinueAuthentication, ReasonCode::ReAuthenticate])
        }
        Sender::Server => *rng.pick(&[ReasonCode::ContinueAuthentication, ReasonCode::Success]),
    };
    let mut properties = properties(rng, version, PropertyOwner::Packet(Type::Auth), &[]);
    let short_form = code == ReasonCode::Success && properties.is_empty();
    if !short_form && !properties.contains(PropertyId::AuthenticationMethod) {
        let method = Property::AuthenticationMethod(text(rng));
        properties = Properties::new(properties.iter().chain([method])).unwrap();
    }
    Auth { code, properties }
}

/// Arbitrary properties of those that `owner` may have, but `without` these.
pub(crate) fn properties(
    rng: &mut Rng,
    version: ProtocolVersion,
    owner: PropertyOwner,
    without: &[PropertyId],
) -> Properties {
    if !version.is_v5() || rng.one_in(4) {
        return Properties::EMPTY;
    }
    let mut chosen = Vec::new();
    for id in PropertyId::ALL {
        if !id.is_allowed_in(owner) || without.contains(id) || rng.flag() {
            continue;
        }
        let repeats = *id == PropertyId::UserProperty
            || *id == PropertyId::SubscriptionIdentifier
                && owner == PropertyOwner::Packet(Type::Publish);
        for _ in 0..if repeats { 1 + rng.below(3) } else { 1 } {
            chosen.push(property(rng, *id));
        }
    }
    // Data belongs to a method.
    if !chosen.iter().any(|property| property.id() == PropertyId::AuthenticationMethod) {
        chosen.retain(|property| property.id() != PropertyId::AuthenticationData);
    }
    // Any order is as good as another.
    for at in 1..chosen.len() {
        chosen.swap(at, rng.below(at + 1));
    }
    Properties::new(chosen).unwrap()
}

pub(crate) fn property(rng: &mut Rng, id: PropertyId) -> Property {
    use PropertyId as Id;
    match id {
        Id::PayloadFormatIndicator => Property::PayloadFormatIndicator(rng.flag()),
        Id::MessageExpiryInterval => Property::MessageExpiryInterval(rng.long()),
        Id::ContentType => Property::ContentType(text(rng)),
        Id::ResponseTopic => Property::ResponseTopic(topic_name(rng)),
        Id::CorrelationData => Property::CorrelationData(data(rng)),
        Id::SubscriptionIdentifier => {
            let edges = [1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455];
            Property::SubscriptionIdentifier(*rng.pick(&edges))
        }
        Id::SessionExpiryInterval => Property::SessionExpiryInterval(rng.long()),
        Id::AssignedClientIdentifier => Property::AssignedClientIdentifier(text(rng)),
        Id::ServerKeepAlive => Property::ServerKeepAlive(rng.short()),
        Id::AuthenticationMethod => Property::AuthenticationMethod(text(rng)),
        Id::AuthenticationData => Property::AuthenticationData(data(rng)),
        Id::RequestProblemInformation => Property::RequestProblemInformation(rng.flag()),
        Id::WillDelayInterval => Property::WillDelayInterval(rng.long()),
        Id::RequestResponseInformation => Property::RequestResponseInformation(rng.flag()),
        Id::ResponseInformation => Property::ResponseInformation(text(rng)),
        Id::ServerReference => Property::ServerReference(text(rng)),
        Id::ReasonString => Property::ReasonString(text(rng)),
        Id::ReceiveMaximum => Property::ReceiveMaximum(rng.short()),
        Id::TopicAliasMaximum => Property::TopicAliasMaximum(rng.short()),
        Id::TopicAlias => Property::TopicAlias(rng.short()),
        Id::MaximumQoS => Property::MaximumQoS(*rng.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce])),
        Id::RetainAvailable => Property::RetainAvailable(rng.flag()),
        Id::UserProperty => Property::UserProperty(text(rng), text(rng)),
        Id::MaximumPacketSize => Property::MaximumPacketSize(rng.long()),
        Id::WildcardSubscriptionAvailable => Property::WildcardSubscriptionAvailable(rng.flag()),
        Id::SubscriptionIdentifierAvailable => {
            Property::SubscriptionIdentifierAvailable(rng.flag())
        }
        Id::SharedSubscriptionAvailable => Property::SharedSubscriptionAvailable(rng.flag()),
    }
}

fn code(rng: &mut Rng, kind: PacketType) -> ReasonCode {
    let allowed: Vec<_> =
        ReasonCode::ALL.iter().copied().filter(|code| code.is_allowed_in(kind)).collect();
    *rng.pick(&allowed)
}

fn suback_code(rng: &mut Rng, version: ProtocolVersion) -> ReasonCode {
    if version.is_v5() {
        return code(rng, Type::SubAck);
    }
    *rng.pick(&[
        ReasonCode::Success,
        ReasonCode::GrantedQoS1,
        ReasonCode::GrantedQoS2,
        ReasonCode::UnspecifiedError,
    ])
}

pub(crate) fn packet_id(rng: &mut Rng) -> PacketId {
    PacketId::new(rng.short()).unwrap()
}

pub(crate) fn qos(rng: &mut Rng) -> QoS {
    *rng.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

fn data(rng: &mut Rng) -> Bytes {
    let len = if rng.one_in(200) { 65_535 } else { rng.below(20) };
    rng.bytes(len).into()
}

/// Characters of one to four bytes, a byte order mark and a control character among them.
const LETTERS: [char; 12] =
    ['a', 'Z', '0', ' ', '/', '$', '\u{1}', 'ñ', 'é', '\u{feff}', '\u{2a6d4}', '🌡'];

fn letters(rng: &mut Rng, letters: &[char]) -> String {
    (0..rng.below(12)).map(|_| *rng.pick(letters)).collect()
}

pub(crate) fn text(rng: &mut Rng) -> MqttString {
    let text = if rng.one_in(200) {
        "x".repeat(65_535)
    } else {
        letters(rng, &[&LETTERS[..], &['+', '#']].concat())
    };
    MqttString::new(&text).unwrap()
}

pub(crate) fn topic_name(rng: &mut Rng) -> TopicName {
    let text = letters(rng, &LETTERS);
    TopicName::new(if text.is_empty() { "/" } else { &text }).unwrap()
}

pub(crate) fn topic_filter(rng: &mut Rng) -> TopicFilter {
    let mut levels: Vec<String> = Vec::new();
    if rng.one_in(4) {
        levels.extend(["$share".into(), rng.pick(&["group", "ñ", "$"]).to_string()]);
    }
    for _ in 0..1 + rng.below(4) {
        let level =
            if rng.one_in(3) { "+".into() } else { letters(rng, &['a', 'ñ', ' ', '🌡']) };
        levels.push(level);
    }
    if rng.one_in(3) || levels.last().is_some_and(String::is_empty) {
        levels.push("#".into());
    }
    TopicFilter::new(&levels.join("/")).unwrap()
}
