//! Bridges to other brokers: what is fixed about each while the broker runs.
//!
//! A bridge is a session of this broker like any other, with its subscriptions, its queue and its
//! flows. Only its connection is one that this broker opens: [`crate::worker`] connects it, and from
//! there on both ends speak of the same messages, so that a message of QoS 1 or 2 is acknowledged to
//! the one side when the other side has it, and waits in the session's queue over an outage. Here
//! stands what needs no connection: [`topics`] are the names on either side, [`attempts`] is where it
//! connects next, and when.

mod attempts;
mod tls;
mod topics;

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use codec::{Connect, MqttString, Properties, Property, ProtocolVersion, QoS, TopicName, Will};

use crate::config::{self, bridge::Start};

pub(crate) use attempts::Attempts;
use tls::TlsClient;
pub(crate) use topics::{Renamed, Request, Topics};

/// What a notification says of the connection.
pub(crate) const UP: Bytes = Bytes::from_static(b"1");
pub(crate) const DOWN: Bytes = Bytes::from_static(b"0");

/// One bridge as it was configured, checked and put into MQTT's own types.
#[derive(Debug)]
pub(crate) struct Plan {
    pub config: config::Bridge,
    pub topics: Topics,
    /// The Client Identifier of its session here.
    pub local_id: MqttString,
    /// The Client Identifier there.
    remote_id: MqttString,
    username: Option<MqttString>,
    password: Option<Bytes>,
    pub tls: Option<TlsClient>,
    /// Where both brokers are told whether it is connected, if they are.
    pub notification_topic: Option<TopicName>,
}

/// What the other broker takes, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Abilities {
    pub version: ProtocolVersion,
    /// Whether it takes a CONNECT that says it comes from a bridge.
    pub knows_bridges: bool,
    pub qos_max: QoS,
    pub retain: bool,
}

impl Plan {
    /// The plans of all bridges.
    ///
    /// # Errors
    /// One of them can't be carried out.
    pub(crate) fn all(bridges: &[config::Bridge]) -> Result<Vec<Arc<Self>>> {
        if bridges.is_empty() {
            return Ok(Vec::new());
        }
        let host = nix::unistd::gethostname().context("this computer does not say its name")?;
        let host = host.to_string_lossy();
        let plans = bridges.iter().map(|bridge| {
            let plan = Self::new(bridge, &host);
            plan.map(Arc::new)
                .with_context(|| format!("the bridge {} can't be started", bridge.name))
        });
        plans.collect()
    }

    fn new(bridge: &config::Bridge, host: &str) -> Result<Self> {
        let (remote_id, local_id) = (bridge.remote_id(host), bridge.local_id(host));
        let notification_topic = match &bridge.notification_topic {
            Some(topic) => topic.clone(),
            None => format!("$SYS/broker/connection/{remote_id}/state"),
        };
        let text = |text: &str, what| MqttString::new(text).context(what);
        let notification_topic = TopicName::new(&notification_topic).context("notification_topic");
        let username = bridge.remote_username.as_deref();
        let password = bridge.remote_password.as_deref();
        if password.is_some_and(|password| password.len() > usize::from(u16::MAX)) {
            bail!("remote_password is longer than a password of MQTT can be");
        }
        Ok(Self {
            topics: Topics::new(&bridge.topics)?,
            local_id: text(&local_id, "local_clientid")?,
            remote_id: text(&remote_id, "remote_clientid")?,
            username: username.map(|name| text(name, "remote_username")).transpose()?,
            password: password.map(|password| Bytes::copy_from_slice(password.as_bytes())),
            notification_topic: bridge.notifications.then_some(notification_topic).transpose()?,
            tls: bridge.tls.as_ref().map(TlsClient::load).transpose()?,
            config: bridge.clone(),
        })
    }

    /// Whether the session here ends when the connection does.
    pub(crate) fn is_local_clean(&self) -> bool {
        // What starts a lazy bridge are the messages that wait for it.
        !self.is_lazy() && self.config.local_clean_session.unwrap_or(self.config.clean_session)
    }

    pub(crate) fn is_lazy(&self) -> bool {
        self.config.start == Start::Lazy
    }

    /// What is taken of another broker before it has said anything.
    pub(crate) const fn assumed(&self) -> Abilities {
        Abilities {
            version: self.config.protocol_version,
            knows_bridges: self.config.try_private,
            qos_max: QoS::ExactlyOnce,
            retain: self.config.outgoing_retain,
        }
    }

    /// The topic on which the other broker is told whether the bridge is connected.
    pub(crate) fn remote_notification(&self) -> Option<&TopicName> {
        self.notification_topic.as_ref().filter(|_| !self.config.notifications_local_only)
    }

    /// The CONNECT for a broker of these abilities, which may have as many messages of QoS 1 and 2 on
    /// their way to us as `receive_maximum`.
    pub(crate) fn connect(&self, abilities: Abilities, receive_maximum: u16) -> Connect {
        let mut connect = Connect::new(abilities.version, self.remote_id.clone());
        connect.bridge = abilities.knows_bridges && !abilities.version.is_v5();
        connect.clean_start = self.config.clean_session;
        connect.keep_alive_s = self.config.keepalive_s;
        connect.username.clone_from(&self.username);
        // Before MQTT 5.0 there is no password without a user name (MQTT 3.1.1 §3.1.2.9).
        if abilities.version.is_v5() || self.username.is_some() {
            connect.password.clone_from(&self.password);
        }
        connect.will = self.remote_notification().map(|topic| Will {
            qos: abilities.qos_max.min(QoS::AtLeastOnce),
            retain: abilities.retain,
            properties: Properties::EMPTY,
            topic: topic.clone(),
            payload: DOWN,
        });
        if abilities.version.is_v5() {
            // As Mosquitto, it asks for no Session Expiry Interval: what is queued there for a bridge
            // of MQTT 5.0 ends with the connection. A bridge of MQTT 3.1.1 finds it again.
            let properties = [Property::ReceiveMaximum(receive_maximum.max(1))];
            connect.properties = Properties::new(properties).unwrap_or_default();
        }
        connect
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(change: impl FnOnce(&mut config::Bridge)) -> Plan {
        let mut bridge = config::Bridge::new("cloud".into());
        change(&mut bridge);
        Plan::new(&bridge, "pi").unwrap()
    }

    #[test]
    fn names_are_made_of_the_host_and_the_bridge() {
        let plain = plan(|_| {});
        assert_eq!(plain.remote_id.as_str(), "pi.cloud");
        assert_eq!(plain.local_id.as_str(), "local.pi.cloud");
        let topic = plain.notification_topic.as_ref().unwrap();
        assert_eq!(topic.as_str(), "$SYS/broker/connection/pi.cloud/state");

        let named = plan(|bridge| bridge.remote_clientid = Some("there".into()));
        assert_eq!(named.local_id.as_str(), "local.there");
        let named = plan(|bridge| bridge.local_clientid = Some("here".into()));
        assert_eq!((named.remote_id.as_str(), named.local_id.as_str()), ("pi.cloud", "here"));
        assert!(plan(|bridge| bridge.notifications = false).notification_topic.is_none());
    }

    #[test]
    fn the_local_session_is_as_clean_as_the_remote_one_unless_told_otherwise() {
        for (clean, local, want) in [
            (true, None, true),
            (false, None, false),
            (true, Some(false), false),
            (false, Some(true), true),
        ] {
            let plan = plan(|bridge| {
                bridge.clean_session = clean;
                bridge.local_clean_session = local;
            });
            assert_eq!(plan.is_local_clean(), want);
            assert_eq!(plan.connect(plan.assumed(), 20).clean_start, clean);
        }
    }

    #[test]
    fn a_connect_says_what_the_other_broker_understands() {
        let plan = plan(|bridge| {
            bridge.remote_password = Some("secret".into());
            bridge.keepalive_s = 77;
        });
        let assumed = plan.assumed();
        let connect = plan.connect(assumed, 20);
        assert!(connect.bridge && connect.will.is_some() && connect.password.is_none());
        assert_eq!(connect.keep_alive_s, 77);
        let plain = plan.connect(Abilities { knows_bridges: false, retain: false, ..assumed }, 20);
        assert!(!plain.bridge && !plain.will.unwrap().retain);
        let v5 = plan.connect(Abilities { version: ProtocolVersion::V5, ..assumed }, 20);
        assert!(!v5.bridge && v5.password.is_some());
        assert_eq!(v5.properties.receive_maximum(), Some(20));
        let weak = plan.connect(Abilities { qos_max: QoS::AtMostOnce, ..assumed }, 20);
        assert_eq!(weak.will.unwrap().qos, QoS::AtMostOnce);
    }
}
