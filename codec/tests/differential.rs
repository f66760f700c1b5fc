//! A second opinion: mqtt-protocol-core, which was written by others, reads our bytes as the same
//! content, and what it writes of that content reads here as the same packet.
//!
//! Its values are put together from ours by its builders, and compared whole with what it parses
//! from our bytes. It knows MQTT 3.1.1 and 5.0, not 3.1. Where it and we differ on purpose is said
//! in [`is_left_out`].

#![cfg(not(target_arch = "wasm32"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says so by a panic, its helpers too"
)]

mod common;

use codec::{
    FixedHeader, Packet, PacketType, Properties, Property, ProtocolVersion, Publish, QoS,
    ReasonCode, RetainHandling,
};
use common::packets::{self, Sender};
use common::{encoded, rng};
use mqtt_protocol_core::mqtt::packet::{self as other, GenericPacketTrait, v3_1_1, v5_0};
use mqtt_protocol_core::mqtt::{Arc, result_code as codes};

const RUNS: u64 = 300;

/// Longer packets are not corrupted: they tell nothing that these do not.
const LEN_MAX: usize = 300;

/// What the other crate can't say, or says otherwise than we do.
fn is_left_out(packet: &Packet) -> bool {
    match packet {
        // Bridges' mark in the protocol level is a custom of Mosquitto, not of the specification.
        // And it refuses a password without a user name, which MQTT 5.0 §3.1.2.9 allows.
        Packet::Connect(connect) => {
            connect.bridge || connect.password.is_some() && connect.username.is_none()
        }
        // Table 2-6 has this code for DISCONNECT, table 3-10 has not, and it goes by the latter.
        Packet::Disconnect(disconnect) => disconnect.code == ReasonCode::BadAuthenticationMethod,
        _ => false,
    }
}

/// What the other crate parsed from our bytes and what it built from our content.
struct Both {
    are_equal: bool,
    built: Vec<u8>,
}

fn both<T: PartialEq + GenericPacketTrait>(
    (parsed, read): (T, usize),
    built: &T,
    len: usize,
) -> Both {
    assert_eq!(read, len, "it read all of the body");
    Both { are_equal: parsed == *built, built: built.to_continuous_buffer() }
}

#[test]
fn both_crates_mean_the_same_by_the_same_bytes() {
    rng::with_seeds(RUNS, |rng| {
        for version in [ProtocolVersion::V311, ProtocolVersion::V5] {
            for sender in [Sender::Client, Sender::Server] {
                let mut kinds = packets::types(version, sender);
                kinds.push(PacketType::Connect);
                for kind in kinds {
                    let packet = packets::of_type(rng, kind, version, sender);
                    if is_left_out(&packet) {
                        continue;
                    }
                    let wire = encoded(&packet, version);
                    let header = FixedHeader::peek(&wire, version, u32::MAX).unwrap().unwrap();
                    let body = &wire[usize::from(header.header_len)..];
                    let both = match version {
                        ProtocolVersion::V5 => as_v5(&packet, header.flags, body),
                        _ => as_v311(&packet, header.flags, body),
                    };
                    assert!(both.are_equal, "{version}: {packet:?}");
                    let theirs = Packet::decode(&both.built.into(), version);
                    assert_eq!(theirs.as_ref(), Ok(&packet), "{version}");
                }
            }
        }
    });
}

/// We refuse more than it does, each time by a rule that has its row in the other tests. What it
/// refuses, we refuse too.
#[test]
fn what_we_accept_of_corrupted_packets_the_other_crate_accepts() {
    rng::with_seeds(8, |rng| {
        for version in [ProtocolVersion::V311, ProtocolVersion::V5] {
            for sender in [Sender::Client, Sender::Server] {
                let mut kinds = packets::types(version, sender);
                kinds.push(PacketType::Connect);
                for kind in kinds {
                    let wire = encoded(&packets::of_type(rng, kind, version, sender), version);
                    let header = FixedHeader::peek(&wire, version, u32::MAX).unwrap().unwrap();
                    let start = usize::from(header.header_len);
                    if wire.len() > LEN_MAX {
                        continue;
                    }
                    for bit in 0..8 * (wire.len() - start) {
                        let mut wrong = wire.to_vec();
                        wrong[start + bit / 8] ^= 1 << (bit % 8);
                        let Ok(packet) = Packet::decode(&wrong.clone().into(), version) else {
                            continue;
                        };
                        let accepted =
                            other_accepts(&packet, version, header.flags, &wrong[start..]);
                        assert!(accepted || is_left_out(&packet), "{version}: {wrong:02x?}");
                    }
                }
            }
        }
    });
}

fn other_accepts(packet: &Packet, version: ProtocolVersion, flags: u8, body: &[u8]) -> bool {
    // A corrupted CONNECT may have become one of another version.
    let version = match packet {
        Packet::Connect(connect) => connect.version,
        _ => version,
    };
    macro_rules! parses {
        ($kind:ident) => {
            match version {
                ProtocolVersion::V5 => read_all(v5_0::$kind::parse(body), body),
                _ => read_all(v3_1_1::$kind::parse(body), body),
            }
        };
    }
    match packet {
        Packet::Connect(_) => parses!(Connect),
        Packet::ConnAck(_) => parses!(Connack),
        Packet::Publish(_) => match version {
            ProtocolVersion::V5 => read_all(v5_0::Publish::parse(flags, Arc::from(body)), body),
            _ => read_all(v3_1_1::Publish::parse(flags, Arc::from(body)), body),
        },
        Packet::PubAck(_) => parses!(Puback),
        Packet::PubRec(_) => parses!(Pubrec),
        Packet::PubRel(_) => parses!(Pubrel),
        Packet::PubComp(_) => parses!(Pubcomp),
        Packet::Subscribe(_) => parses!(Subscribe),
        Packet::SubAck(_) => parses!(Suback),
        Packet::Unsubscribe(_) => parses!(Unsubscribe),
        Packet::UnsubAck(_) => parses!(Unsuback),
        Packet::PingReq => parses!(Pingreq),
        Packet::PingResp => parses!(Pingresp),
        Packet::Disconnect(_) => parses!(Disconnect),
        Packet::Auth(_) => read_all(v5_0::Auth::parse(body), body),
    }
}

fn read_all<T>(parsed: Result<(T, usize), codes::MqttError>, body: &[u8]) -> bool {
    parsed.is_ok_and(|(_, read)| read == body.len())
}

fn as_v311(packet: &Packet, flags: u8, body: &[u8]) -> Both {
    let len = body.len();
    // An acknowledgement is a packet identifier and nothing else.
    macro_rules! ack {
        ($kind:ident, $id:expr) => {
            both(
                v3_1_1::$kind::parse(body).unwrap(),
                &v3_1_1::$kind::builder().packet_id($id.get()).build().unwrap(),
                len,
            )
        };
    }
    macro_rules! bare {
        ($kind:ident) => {
            both(v3_1_1::$kind::parse(body).unwrap(), &v3_1_1::$kind::new(), len)
        };
    }
    match packet {
        Packet::Connect(connect) => {
            let mut builder = v3_1_1::Connect::builder()
                .client_id(connect.client_id.as_str())
                .unwrap()
                .clean_session(connect.clean_start)
                .keep_alive(connect.keep_alive_s);
            if let Some(will) = &connect.will {
                let (topic, payload) = (will.topic.as_str(), will.payload.to_vec());
                builder = builder.will_message(topic, payload, qos(will.qos), will.retain).unwrap();
            }
            if let Some(username) = &connect.username {
                builder = builder.user_name(username.as_str()).unwrap();
            }
            if let Some(password) = &connect.password {
                builder = builder.password(password.to_vec()).unwrap();
            }
            both(v3_1_1::Connect::parse(body).unwrap(), &builder.build().unwrap(), len)
        }
        Packet::ConnAck(connack) => {
            // Table 3.1 of MQTT 3.1.1.
            use ReasonCode as Code;
            let code = match connack.code {
                Code::Success => codes::ConnectReturnCode::Accepted,
                Code::UnsupportedProtocolVersion => {
                    codes::ConnectReturnCode::UnacceptableProtocolVersion
                }
                Code::ClientIdentifierNotValid => codes::ConnectReturnCode::IdentifierRejected,
                Code::ServerUnavailable => codes::ConnectReturnCode::ServerUnavailable,
                Code::BadUserNameOrPassword => codes::ConnectReturnCode::BadUserNameOrPassword,
                _ => codes::ConnectReturnCode::NotAuthorized,
            };
            let builder = v3_1_1::Connack::builder();
            let built = builder.session_present(connack.session_present).return_code(code);
            both(v3_1_1::Connack::parse(body).unwrap(), &built.build().unwrap(), len)
        }
        Packet::Publish(publish) => {
            let mut builder = v3_1_1::Publish::builder()
                .topic_name(publish.topic.as_ref().unwrap().as_str())
                .unwrap()
                .qos(qos(publish.qos))
                .dup(publish.dup)
                .retain(publish.retain)
                .payload(&publish.payload[..]);
            if let Some(id) = publish.packet_id {
                builder = builder.packet_id(id.get());
            }
            let parsed = v3_1_1::Publish::parse(flags, Arc::from(body)).unwrap();
            check_content(publish, parsed.0.topic_name(), parsed.0.payload().as_slice());
            both(parsed, &builder.build().unwrap(), len)
        }
        Packet::PubAck(ack) => ack!(Puback, ack.packet_id),
        Packet::PubRec(ack) => ack!(Pubrec, ack.packet_id),
        Packet::PubRel(ack) => ack!(Pubrel, ack.packet_id),
        Packet::PubComp(ack) => ack!(Pubcomp, ack.packet_id),
        Packet::UnsubAck(ack) => ack!(Unsuback, ack.packet_id),
        Packet::Subscribe(subscribe) => {
            let builder = v3_1_1::Subscribe::builder().packet_id(subscribe.packet_id.get());
            let built = builder.entries(entries(subscribe)).build().unwrap();
            both(v3_1_1::Subscribe::parse(body).unwrap(), &built, len)
        }
        Packet::SubAck(suback) => {
            let codes = suback.codes.iter().map(|code| (*code as u8).try_into().unwrap()).collect();
            let builder = v3_1_1::Suback::builder().packet_id(suback.packet_id.get());
            let built = builder.return_codes(codes).build().unwrap();
            both(v3_1_1::Suback::parse(body).unwrap(), &built, len)
        }
        Packet::Unsubscribe(unsubscribe) => {
            let filters = unsubscribe.filters.iter().map(codec::TopicFilter::as_str);
            let builder = v3_1_1::Unsubscribe::builder().packet_id(unsubscribe.packet_id.get());
            let built = builder.entries(filters).unwrap().build().unwrap();
            both(v3_1_1::Unsubscribe::parse(body).unwrap(), &built, len)
        }
        Packet::PingReq => bare!(Pingreq),
        Packet::PingResp => bare!(Pingresp),
        Packet::Disconnect(_) => bare!(Disconnect),
        Packet::Auth(_) => panic!("MQTT 3.1.1 has no AUTH"),
    }
}

fn as_v5(packet: &Packet, flags: u8, body: &[u8]) -> Both {
    let len = body.len();
    // Our side leaves out what says nothing; a builder is told only what is in the bytes.
    macro_rules! code_and_properties {
        ($kind:ident, $builder:expr, $packet:expr) => {{
            let mut builder = $builder;
            if !$packet.properties.is_empty() || $packet.code != ReasonCode::Success {
                builder = builder.reason_code(($packet.code as u8).try_into().unwrap());
            }
            if !$packet.properties.is_empty() {
                builder = builder.props(properties(&$packet.properties));
            }
            both(v5_0::$kind::parse(body).unwrap(), &builder.build().unwrap(), len)
        }};
    }
    macro_rules! ack {
        ($kind:ident, $ack:expr) => {
            code_and_properties!(
                $kind,
                v5_0::$kind::builder().packet_id($ack.packet_id.get()),
                $ack
            )
        };
    }
    macro_rules! acks {
        ($kind:ident, $ack:expr) => {{
            let codes = $ack.codes.iter().map(|code| (*code as u8).try_into().unwrap()).collect();
            let builder = v5_0::$kind::builder().packet_id($ack.packet_id.get());
            let built = builder.reason_codes(codes).props(properties(&$ack.properties));
            both(v5_0::$kind::parse(body).unwrap(), &built.build().unwrap(), len)
        }};
    }
    match packet {
        Packet::Connect(connect) => {
            let mut builder = v5_0::Connect::builder()
                .client_id(connect.client_id.as_str())
                .unwrap()
                .clean_start(connect.clean_start)
                .keep_alive(connect.keep_alive_s)
                .props(properties(&connect.properties));
            if let Some(will) = &connect.will {
                let (topic, payload) = (will.topic.as_str(), will.payload.to_vec());
                builder = builder
                    .will_message(topic, payload, qos(will.qos), will.retain)
                    .unwrap()
                    .will_props(properties(&will.properties));
            }
            if let Some(username) = &connect.username {
                builder = builder.user_name(username.as_str()).unwrap();
            }
            if let Some(password) = &connect.password {
                builder = builder.password(password.to_vec()).unwrap();
            }
            both(v5_0::Connect::parse(body).unwrap(), &builder.build().unwrap(), len)
        }
        Packet::ConnAck(connack) => {
            let built = v5_0::Connack::builder()
                .session_present(connack.session_present)
                .reason_code((connack.code as u8).try_into().unwrap())
                .props(properties(&connack.properties));
            both(v5_0::Connack::parse(body).unwrap(), &built.build().unwrap(), len)
        }
        Packet::Publish(publish) => {
            let topic = publish.topic.as_ref().map_or("", |topic| topic.as_str());
            let mut builder = v5_0::Publish::builder()
                .topic_name(topic)
                .unwrap()
                .qos(qos(publish.qos))
                .dup(publish.dup)
                .retain(publish.retain)
                .props(properties(&publish.properties))
                .payload(&publish.payload[..]);
            if let Some(id) = publish.packet_id {
                builder = builder.packet_id(id.get());
            }
            let parsed = v5_0::Publish::parse(flags, Arc::from(body)).unwrap();
            check_content(publish, parsed.0.topic_name(), parsed.0.payload().as_slice());
            both(parsed, &builder.build().unwrap(), len)
        }
        Packet::PubAck(ack) => ack!(Puback, ack),
        Packet::PubRec(ack) => ack!(Pubrec, ack),
        Packet::PubRel(ack) => ack!(Pubrel, ack),
        Packet::PubComp(ack) => ack!(Pubcomp, ack),
        Packet::Subscribe(subscribe) => {
            let built = v5_0::Subscribe::builder()
                .packet_id(subscribe.packet_id.get())
                .entries(entries(subscribe))
                .props(properties(&subscribe.properties));
            both(v5_0::Subscribe::parse(body).unwrap(), &built.build().unwrap(), len)
        }
        Packet::SubAck(suback) => acks!(Suback, suback),
        Packet::UnsubAck(unsuback) => acks!(Unsuback, unsuback),
        Packet::Unsubscribe(unsubscribe) => {
            let filters = unsubscribe.filters.iter().map(codec::TopicFilter::as_str);
            let built = v5_0::Unsubscribe::builder()
                .packet_id(unsubscribe.packet_id.get())
                .entries(filters)
                .unwrap()
                .props(properties(&unsubscribe.properties));
            both(v5_0::Unsubscribe::parse(body).unwrap(), &built.build().unwrap(), len)
        }
        Packet::PingReq => both(v5_0::Pingreq::parse(body).unwrap(), &v5_0::Pingreq::new(), len),
        Packet::PingResp => both(v5_0::Pingresp::parse(body).unwrap(), &v5_0::Pingresp::new(), len),
        Packet::Disconnect(disconnect) => {
            code_and_properties!(Disconnect, v5_0::Disconnect::builder(), disconnect)
        }
        Packet::Auth(auth) => code_and_properties!(Auth, v5_0::Auth::builder(), auth),
    }
}

fn check_content(publish: &Publish, topic: &str, payload: &[u8]) {
    assert_eq!(publish.topic.as_ref().map_or("", |topic| topic.as_str()), topic);
    assert_eq!(&publish.payload[..], payload);
}

fn qos(qos: QoS) -> other::Qos {
    match qos {
        QoS::AtMostOnce => other::Qos::AtMostOnce,
        QoS::AtLeastOnce => other::Qos::AtLeastOnce,
        QoS::ExactlyOnce => other::Qos::ExactlyOnce,
    }
}

fn entries(subscribe: &codec::Subscribe) -> Vec<other::SubEntry> {
    let entry = |line: &codec::Subscription| {
        let options = other::SubOpts::new()
            .set_qos(qos(line.options.qos))
            .set_nl(line.options.no_local)
            .set_rap(line.options.retain_as_published)
            .set_rh(match line.options.retain_handling {
                RetainHandling::SendAtSubscribe => other::RetainHandling::SendRetained,
                RetainHandling::SendIfNew => other::RetainHandling::SendRetainedIfNotExists,
                RetainHandling::DoNotSend => other::RetainHandling::DoNotSendRetained,
            });
        other::SubEntry::new(line.filter.as_str(), options).unwrap()
    };
    subscribe.subscriptions.iter().map(entry).collect()
}

fn properties(properties: &Properties) -> other::Properties {
    properties.iter().map(|property| theirs(&property)).collect()
}

fn theirs(property: &Property) -> other::Property {
    use other::Property as Theirs;
    macro_rules! same {
        ($name:ident, $value:expr) => {
            Theirs::$name(other::$name::new($value).unwrap())
        };
    }
    match property {
        Property::PayloadFormatIndicator(text) => same!(
            PayloadFormatIndicator,
            if *text { other::PayloadFormat::String } else { other::PayloadFormat::Binary }
        ),
        Property::MessageExpiryInterval(seconds) => same!(MessageExpiryInterval, *seconds),
        Property::ContentType(text) => same!(ContentType, text.as_str()),
        Property::ResponseTopic(topic) => same!(ResponseTopic, topic.as_str()),
        Property::CorrelationData(data) => same!(CorrelationData, data.to_vec()),
        Property::SubscriptionIdentifier(id) => same!(SubscriptionIdentifier, *id),
        Property::SessionExpiryInterval(seconds) => same!(SessionExpiryInterval, *seconds),
        Property::AssignedClientIdentifier(id) => same!(AssignedClientIdentifier, id.as_str()),
        Property::ServerKeepAlive(seconds) => same!(ServerKeepAlive, *seconds),
        Property::AuthenticationMethod(method) => same!(AuthenticationMethod, method.as_str()),
        Property::AuthenticationData(data) => same!(AuthenticationData, data.to_vec()),
        Property::RequestProblemInformation(flag) => same!(RequestProblemInformation, *flag as u8),
        Property::WillDelayInterval(seconds) => same!(WillDelayInterval, *seconds),
        Property::RequestResponseInformation(flag) => {
            same!(RequestResponseInformation, *flag as u8)
        }
        Property::ResponseInformation(text) => same!(ResponseInformation, text.as_str()),
        Property::ServerReference(text) => same!(ServerReference, text.as_str()),
        Property::ReasonString(text) => same!(ReasonString, text.as_str()),
        Property::ReceiveMaximum(max) => same!(ReceiveMaximum, *max),
        Property::TopicAliasMaximum(max) => same!(TopicAliasMaximum, *max),
        Property::TopicAlias(alias) => same!(TopicAlias, *alias),
        Property::MaximumQoS(qos) => same!(MaximumQos, *qos as u8),
        Property::RetainAvailable(flag) => same!(RetainAvailable, *flag as u8),
        Property::UserProperty(name, value) => {
            Theirs::UserProperty(other::UserProperty::new(name.as_str(), value.as_str()).unwrap())
        }
        Property::MaximumPacketSize(max) => same!(MaximumPacketSize, *max),
        Property::WildcardSubscriptionAvailable(flag) => {
            same!(WildcardSubscriptionAvailable, *flag as u8)
        }
        Property::SubscriptionIdentifierAvailable(flag) => {
            same!(SubscriptionIdentifierAvailable, *flag as u8)
        }
        Property::SharedSubscriptionAvailable(flag) => {
            same!(SharedSubscriptionAvailable, *flag as u8)
        }
    }
}
