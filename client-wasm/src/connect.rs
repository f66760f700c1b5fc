//! How a connection is made: what the page tells the engine, and the CONNECT and SUBSCRIBE that come of
//! it (MQTT 5.0 §3.1 and §3.8).

use codec::{
    MqttString, Property, PropertyId, ProtocolVersion, QoS, RetainHandling, SubscriptionOptions,
    TopicFilter, TopicName,
};
use serde::{Deserialize, Serialize};
use session::Options;

use crate::fault::Fault;
use crate::limits::{PACKET_SIZE_CAUTIOUS, PACKET_SIZE_MAX};
use crate::protocol::Properties;

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Version {
    /// MQTT 3.1.
    V31,
    /// MQTT 3.1.1.
    V311,
    /// MQTT 5.0.
    #[default]
    V5,
}

impl Version {
    /// All of them, the newest first.
    pub const ALL: [Self; 3] = [Self::V5, Self::V311, Self::V31];

    /// As a person writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V31 => "3.1",
            Self::V311 => "3.1.1",
            Self::V5 => "5",
        }
    }

    /// The version of this name; `5.0` is another name of 5.
    pub fn of_name(name: &str) -> Option<Self> {
        let name = if name == "5.0" { "5" } else { name };
        Self::ALL.into_iter().find(|version| version.name() == name)
    }

    const fn in_codec(self) -> ProtocolVersion {
        match self {
            Self::V31 => ProtocolVersion::V31,
            Self::V311 => ProtocolVersion::V311,
            Self::V5 => ProtocolVersion::V5,
        }
    }
}

/// Where a broker is, who it is told that we are, and what we want of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connect {
    /// A WebSocket address, such as `ws://localhost:9001/mqtt`.
    pub url: String,
    /// The version to speak.
    pub version: Version,
    /// The Client Identifier; empty for one of its own, drawn anew each time.
    pub client_id: String,
    /// The User Name; empty for none.
    pub username: String,
    /// The Password; empty for none.
    pub password: String,
    /// Whether a session that the broker still has is thrown away.
    pub clean_start: bool,
    /// How long the broker keeps the session when the connection is gone, in seconds; MQTT 5.0 only.
    pub session_expiry_s: u32,
    /// Keep Alive, in seconds; 0 turns it off.
    pub keep_alive_s: u16,
    /// What the broker publishes when we are gone without a word.
    pub will: Option<Will>,
    /// What is subscribed to as soon as there is a connection.
    pub subscriptions: Vec<Subscription>,
}

impl std::fmt::Debug for Connect {
    /// All that may be shown: not the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect")
            .field("url", &self.url)
            .field("version", &self.version)
            .field("client_id", &self.client_id)
            .field("username", &self.username)
            .field("subscriptions", &self.subscriptions)
            .finish_non_exhaustive()
    }
}

/// The Will Message (MQTT 5.0 §3.1.2.5).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Will {
    /// Where it is published.
    pub topic: String,
    /// What is published.
    pub payload: String,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether it is published as a retained message.
    pub retain: bool,
    /// How long the broker waits for us to come back, in seconds; MQTT 5.0 only.
    pub delay_s: u32,
    /// Its properties; MQTT 5.0 only.
    pub properties: Properties,
}

/// A subscription with its options (MQTT 5.0 §3.8.3.1); all but the QoS are of MQTT 5.0 only.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Subscription {
    /// The Topic Filter.
    pub filter: String,
    /// The highest QoS wanted.
    pub qos: u8,
    /// Whether what we publish ourselves stays away.
    pub no_local: bool,
    /// Whether messages keep the RETAIN flag that they were published with.
    pub retain_as_published: bool,
    /// What becomes of retained messages: 0 they are sent, 1 they are sent if the subscription is new,
    /// 2 they are not sent.
    pub retain_handling: u8,
    /// The Subscription Identifier.
    pub identifier: Option<u32>,
}

impl Connect {
    /// Keep Alive where nothing else is asked for, in seconds.
    pub const KEEP_ALIVE_S: u16 = Options::KEEP_ALIVE_S;

    /// A connection to this address with everything else at its default: MQTT 5.0, a clean start, and
    /// nothing subscribed to.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            version: Version::default(),
            client_id: String::new(),
            username: String::new(),
            password: String::new(),
            clean_start: true,
            session_expiry_s: 0,
            keep_alive_s: Self::KEEP_ALIVE_S,
            will: None,
            subscriptions: Vec::new(),
        }
    }

    /// What a client is told that connects so; `client_id` is for a connection that has none.
    ///
    /// # Errors
    /// Something can't be said in a CONNECT; with what it is.
    pub fn options(&self, client_id: &str) -> Result<Options, Fault> {
        let own = if self.client_id.is_empty() { client_id } else { &self.client_id };
        let client_id = text("Client Identifier", own)?;
        let mut options = Options::new(self.version.in_codec(), client_id);
        options.packet_size_max = PACKET_SIZE_MAX;
        options.packet_size_cautious = PACKET_SIZE_CAUTIOUS;
        // An alias would save some bytes of a message, and cost more than all else that is done for it.
        options.topic_alias_maximum = 0;
        options.clean_start = self.clean_start;
        options.session_expiry_s = self.session_expiry_s;
        options.keep_alive_s = self.keep_alive_s;
        if !self.username.is_empty() {
            options.username = Some(text("User Name", &self.username)?);
        }
        if !self.password.is_empty() {
            options.password = Some(self.password.clone().into_bytes().into());
        }
        if let Some(will) = &self.will {
            options.will = Some(will.in_codec(self.version)?);
        }
        Ok(options)
    }
}

impl Will {
    fn in_codec(&self, version: Version) -> Result<codec::Will, Fault> {
        let topic =
            TopicName::new(&self.topic).map_err(|error| Fault::from(&error).at("Will Topic"))?;
        let properties = if version == Version::V5 {
            let delay = (self.delay_s != 0).then_some(Property::WillDelayInterval(self.delay_s));
            properties(self.properties.clone(), delay)?
        } else {
            codec::Properties::EMPTY
        };
        Ok(codec::Will {
            qos: QoS::from_u8(self.qos).unwrap_or_default(),
            retain: self.retain,
            properties,
            topic,
            payload: self.payload.clone().into_bytes().into(),
        })
    }
}

impl Subscription {
    /// Everything but what begins with `$` (MQTT 5.0 §4.7.2).
    pub const EVERYTHING: &str = "#";

    /// A subscription to a filter, with RETAIN as it was published: so what the broker holds is known
    /// for live messages too.
    pub fn new(filter: &str) -> Self {
        Self { filter: filter.to_owned(), retain_as_published: true, ..Self::default() }
    }

    /// The line of a SUBSCRIBE.
    ///
    /// # Errors
    /// The filter is none; with the reason.
    pub fn in_codec(&self) -> Result<codec::Subscription, Fault> {
        let filter = TopicFilter::new(&self.filter).map_err(|error| Fault::from(&error))?;
        let retain_handling = match self.retain_handling {
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => RetainHandling::SendAtSubscribe,
        };
        let options = SubscriptionOptions {
            qos: QoS::from_u8(self.qos).unwrap_or_default(),
            no_local: self.no_local,
            retain_as_published: self.retain_as_published,
            retain_handling,
        };
        Ok(codec::Subscription { filter, options })
    }
}

fn text(name: &str, text: &str) -> Result<MqttString, Fault> {
    MqttString::new(text).map_err(|error| Fault::from(&error).at(name))
}

/// The properties of a message to be published, behind one that goes before them; what can't be one is
/// named.
pub(crate) fn properties(
    given: Properties,
    first: Option<Property>,
) -> Result<codec::Properties, Fault> {
    let string = |id: PropertyId, text: &str| {
        MqttString::new(text).map_err(|error| Fault::from(&error).at(&id))
    };
    let mut properties: Vec<Property> = first.into_iter().collect();
    if given.is_text {
        properties.push(Property::PayloadFormatIndicator(true));
    }
    properties.extend(given.expiry_s.map(Property::MessageExpiryInterval));
    if let Some(text) = given.content_type {
        let text = string(PropertyId::ContentType, &text)?;
        properties.push(Property::ContentType(text));
    }
    if let Some(topic) = given.response_topic {
        let topic = TopicName::new(&topic)
            .map_err(|error| Fault::from(&error).at(&PropertyId::ResponseTopic))?;
        properties.push(Property::ResponseTopic(topic));
    }
    properties.extend(given.correlation_data.map(|d| Property::CorrelationData(d.into())));
    for (name, value) in given.user {
        let (name, value) =
            (string(PropertyId::UserProperty, &name)?, string(PropertyId::UserProperty, &value)?);
        properties.push(Property::UserProperty(name, value));
    }
    codec::Properties::new(properties).map_err(|error| Fault::from(&error))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn full() -> Connect {
        Connect {
            client_id: "panel".into(),
            username: "josé".into(),
            password: "ñ".into(),
            clean_start: false,
            session_expiry_s: 3_600,
            keep_alive_s: 15,
            will: Some(Will {
                topic: "panel/status".into(),
                payload: "gone".into(),
                qos: 1,
                retain: true,
                delay_s: 5,
                properties: Properties { is_text: true, ..Properties::default() },
            }),
            ..Connect::new("ws://a/mqtt")
        }
    }

    #[test]
    fn everything_that_was_set_is_in_the_options() {
        let options = full().options("drawn").unwrap();
        assert_eq!(options.version, ProtocolVersion::V5);
        assert_eq!(options.client_id.as_str(), "panel");
        assert_eq!(options.username.as_deref(), Some("josé"));
        assert_eq!(options.password.as_deref(), Some("ñ".as_bytes()));
        assert!(!options.clean_start);
        assert_eq!((options.session_expiry_s, options.keep_alive_s), (3_600, 15));
        let will = options.will.unwrap();
        assert_eq!((will.topic.as_str(), &will.payload[..]), ("panel/status", &b"gone"[..]));
        assert_eq!((will.qos, will.retain), (QoS::AtLeastOnce, true));
        assert_eq!(will.properties.will_delay_interval(), Some(5));
        assert_eq!(will.properties.payload_format_indicator(), Some(true));
    }

    #[test]
    fn what_is_not_set_is_not_sent() {
        let options = Connect::new("ws://a").options("drawn").unwrap();
        assert_eq!(options.client_id.as_str(), "drawn");
        assert_eq!((options.username, options.password), (None, None));
        assert!(options.will.is_none());
        assert!(options.clean_start);
    }

    #[test]
    fn properties_belong_to_mqtt_5() {
        for version in [Version::V31, Version::V311] {
            let options = Connect { version, ..full() }.options("").unwrap();
            assert_eq!(options.will.unwrap().properties, codec::Properties::EMPTY);
        }
    }

    #[test]
    fn what_has_no_form_in_a_packet_is_named() {
        let wrong = |change: fn(&mut Connect)| {
            let mut connect = full();
            change(&mut connect);
            connect.options("").unwrap_err().words(crate::texts::choose(["en"]).1)
        };
        let nul = "the text holds the character U+0000";
        assert_eq!(wrong(|c| c.client_id = "\0".into()), format!("Client Identifier: {nul}"));
        assert_eq!(wrong(|c| c.username = "a\0".into()), format!("User Name: {nul}"));
        let topic = wrong(|c| c.will.as_mut().unwrap().topic = "a/#".into());
        assert_eq!(topic, "Will Topic: a topic to publish on can’t hold + or #");
    }

    #[test]
    fn subscriptions_have_all_their_options() {
        let subscription = Subscription {
            filter: "a/+".into(),
            qos: 2,
            no_local: true,
            retain_as_published: true,
            retain_handling: 1,
            identifier: Some(7),
        };
        let line = subscription.in_codec().unwrap();
        assert_eq!(line.filter.as_str(), "a/+");
        assert_eq!(line.options.qos, QoS::ExactlyOnce);
        assert!(line.options.no_local && line.options.retain_as_published);
        assert_eq!(line.options.retain_handling, RetainHandling::SendIfNew);
        assert!(Subscription::new("a/#/b").in_codec().is_err());
    }

    #[test]
    fn versions_have_their_names() {
        for version in Version::ALL {
            assert_eq!(Version::of_name(version.name()), Some(version));
        }
        assert_eq!(Version::of_name("5.0"), Some(Version::V5));
        assert_eq!(Version::of_name("4"), None);
    }
}
