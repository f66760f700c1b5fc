//! What the configuration lets a client do: the highest QoS, retained messages, the size of a payload, how
//! long it may be silent and how long its session outlives it. What differs from MQTT's default is said in
//! the CONNACK of MQTT 5.0 (§3.2.2.3), and everybody is held to it.

use codec::{Connect, Property, QoS, ReasonCode};

use crate::config::{Listener, Rules};
use crate::limits::Limits;
use crate::settings::Settings;
use crate::worker::State;
use crate::worker::link::{Cause, Link};

/// Why a CONNECT is turned down, and the code for that.
pub(super) type Objection = (ReasonCode, &'static str);

/// What the configuration has against a CONNECT that is well formed.
pub(super) fn objection(
    settings: &Settings,
    listener: usize,
    connect: &Connect,
) -> Option<Objection> {
    let is_v5 = connect.version.is_v5();
    if let Some(will) = &connect.will {
        if will.topic.levels().count() > settings.config.limits.topic_levels_max {
            return Some((
                ReasonCode::TopicNameInvalid,
                "the topic of its will has too many levels",
            ));
        }
        if will.qos > settings.listener(listener).max_qos {
            return Some((ReasonCode::QoSNotSupported, "its will has a QoS that is not served"));
        }
        if will.retain && !settings.config.rules.retain_available {
            let why = "its will is to be retained, and nothing is";
            return Some((ReasonCode::RetainNotSupported, why));
        }
        if will.payload.len() > settings.config.limits.message_size_max {
            // Before MQTT 5.0 there is no return code that says it.
            let code = if is_v5 { ReasonCode::PacketTooLarge } else { ReasonCode::NotAuthorized };
            return Some((code, "its will is larger than message_size_limit"));
        }
    }
    if !is_v5 && keep_alive_s(&settings.config.rules, connect) != connect.keep_alive_s {
        // It could not be told how often it has to be heard.
        return Some((ReasonCode::ClientIdentifierNotValid, "its Keep Alive is too long"));
    }
    None
}

/// The Keep Alive that holds for a client, in seconds.
pub(super) fn keep_alive_s(rules: &Rules, connect: &Connect) -> u16 {
    let (wanted, max) = (connect.keep_alive_s, rules.max_keepalive_s);
    let is_limited = max > 0 && max < u16::MAX;
    if is_limited && (wanted == 0 || wanted > max) { max } else { wanted }
}

/// How long a session outlives its connection, in seconds, if the client wants `wanted_s`.
pub(super) fn session_expiry_s(rules: &Rules, wanted_s: u32) -> u32 {
    rules.persistent_client_expiration_s.map_or(wanted_s, |max| wanted_s.min(max))
}

/// What a CONNACK says of how long things last, as far as it is not what the client asked for.
pub(super) fn times(rules: &Rules, connect: &Connect) -> Vec<Property> {
    let mut said = Vec::new();
    let keep_alive = keep_alive_s(rules, connect);
    if keep_alive != connect.keep_alive_s {
        said.push(Property::ServerKeepAlive(keep_alive));
    }
    let wanted = connect.properties.session_expiry_interval().unwrap_or(0);
    let expiry = session_expiry_s(rules, wanted);
    if expiry != wanted {
        said.push(Property::SessionExpiryInterval(expiry));
    }
    said
}

/// What a CONNACK says of what the broker takes, in Mosquitto's order, as far as it is not the default:
/// there are tests that compare a CONNACK byte by byte.
pub(super) fn capabilities(rules: &Rules, limits: &Limits, listener: &Listener) -> Vec<Property> {
    let mut said = Vec::new();
    if !rules.retain_available {
        said.push(Property::RetainAvailable(false));
    }
    if limits.packet_size_max < codec::PACKET_SIZE_MAX {
        said.push(Property::MaximumPacketSize(limits.packet_size_max));
    }
    if limits.receive_maximum < u16::MAX {
        said.push(Property::ReceiveMaximum(limits.receive_maximum));
    }
    if listener.max_qos < QoS::ExactlyOnce {
        said.push(Property::MaximumQoS(listener.max_qos));
    }
    said
}

impl State {
    /// Whether a client may publish like this at all. One that was told in its CONNACK that it may not
    /// has broken a rule; one of MQTT 3.1.1 could not be told in another way.
    pub(super) fn check_publish(&self, link: &Link, qos: QoS, retain: bool) -> Result<(), Cause> {
        if link.crossing.is_some() {
            return Ok(());
        }
        if qos > self.max_qos(link) {
            let why = "PUBLISH: its QoS is higher than max_qos";
            return Err(Cause::refused(ReasonCode::QoSNotSupported, why));
        }
        if retain && !self.settings.config.rules.retain_available {
            let why = "PUBLISH: it is to be retained, and retain_available is false";
            return Err(Cause::refused(ReasonCode::RetainNotSupported, why));
        }
        Ok(())
    }

    /// The highest QoS of a client, for what it publishes and for what it gets.
    pub(super) fn max_qos(&self, link: &Link) -> QoS {
        self.settings.listener(link.peer.listener).max_qos
    }
}

impl Rules {
    /// The QoS that a message is sent with to a subscription.
    pub(crate) fn outgoing_qos(&self, message: QoS, subscription: QoS) -> QoS {
        if self.upgrade_outgoing_qos { subscription } else { message.min(subscription) }
    }
}
