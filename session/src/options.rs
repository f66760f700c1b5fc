//! What a client is told once: who it is, what it asks of the server, and all of its limits.

use bytes::Bytes;
use codec::{
    Connect, EncodeError, MqttString, PACKET_SIZE_MAX, Properties, Property, ProtocolVersion, Will,
};
use core::fmt;
use core::num::NonZeroU16;

use crate::BackoffLimits;

/// How a [`Client`](crate::Client) connects, and its limits.
#[derive(Clone)]
pub struct Options {
    /// The version to speak.
    pub version: ProtocolVersion,
    /// The Client Identifier; empty asks the server for one, which is then kept.
    pub client_id: MqttString,
    /// Whether a session that the server may have is thrown away. In MQTT 5.0 this is for the first
    /// connection only; a reconnect goes on with the session as long as it lasts.
    pub clean_start: bool,
    /// How long the server keeps the session when the connection is gone, in seconds; MQTT 5.0 only.
    pub session_expiry_s: u32,
    /// The longest silence from us, in seconds; 0 turns keep-alive off, and with it the means to
    /// notice that a connection is dead.
    pub keep_alive_s: u16,
    /// What the server publishes when we are gone without a word.
    pub will: Option<Will>,
    /// User name.
    pub username: Option<MqttString>,
    /// Password.
    pub password: Option<Bytes>,
    /// How many messages of QoS 1 and 2 the server may have on their way to us; MQTT 5.0 only.
    pub receive_maximum: NonZeroU16,
    /// The largest packet that we take, in bytes.
    pub packet_size_max: u32,
    /// The largest packet that the server is asked for, in bytes, once a connection was given up on which it
    /// never answered a PINGREQ: one packet may have been so large that nothing came through behind it, and
    /// would be so again. What it sends beyond is taken as before. MQTT 5.0 only.
    pub packet_size_cautious: u32,
    /// How many topic aliases the server may set; MQTT 5.0 only.
    pub topic_alias_maximum: u16,
    /// How many messages of QoS 1 and 2 we have on their way, if the server does not allow fewer.
    pub inflight_max: NonZeroU16,
    /// How many messages are held, waiting or on their way, before more are turned down.
    pub queue_messages_max: usize,
    /// How many bytes of topics, properties and payloads these may have together.
    pub queue_bytes_max: usize,
    /// How long the transport may take to open, in milliseconds.
    pub open_timeout_ms: u64,
    /// How long the server may take for its CONNACK, in milliseconds.
    pub handshake_timeout_ms: u64,
    /// How long the server may be silent after a PINGREQ, in milliseconds.
    pub ping_timeout_ms: u64,
    /// How long to wait before a reconnect.
    pub backoff: BackoffLimits,
}

impl Options {
    /// Default of [`keep_alive_s`](Self::keep_alive_s).
    pub const KEEP_ALIVE_S: u16 = 30;
    /// Default of [`packet_size_max`](Self::packet_size_max): 16 MiB.
    pub const PACKET_SIZE_MAX: u32 = 16 * 1024 * 1024;
    /// Default of [`receive_maximum`](Self::receive_maximum), as the specification has it.
    pub const RECEIVE_MAXIMUM: NonZeroU16 = NonZeroU16::MAX;
    /// Default of [`topic_alias_maximum`](Self::topic_alias_maximum).
    pub const TOPIC_ALIAS_MAXIMUM: u16 = 256;
    /// Default of [`inflight_max`](Self::inflight_max).
    pub const INFLIGHT_MAX: NonZeroU16 = NonZeroU16::new(1_000).unwrap();
    /// Default of [`queue_messages_max`](Self::queue_messages_max).
    pub const QUEUE_MESSAGES_MAX: usize = 10_000;
    /// Default of [`queue_bytes_max`](Self::queue_bytes_max): 16 MiB.
    pub const QUEUE_BYTES_MAX: usize = 16 * 1024 * 1024;
    /// Default of [`open_timeout_ms`](Self::open_timeout_ms).
    pub const OPEN_TIMEOUT_MS: u64 = 10_000;
    /// Default of [`handshake_timeout_ms`](Self::handshake_timeout_ms).
    pub const HANDSHAKE_TIMEOUT_MS: u64 = 10_000;
    /// Default of [`ping_timeout_ms`](Self::ping_timeout_ms): as long as the Keep Alive, as most clients have it.
    /// A browser hands over nothing of a WebSocket message before all of it is there, and there are brokers
    /// that take half a minute for a megabyte, behind which a PINGRESP waits.
    pub const PING_TIMEOUT_MS: u64 = 30_000;

    /// The defaults for this version and Client Identifier: a clean start, a session that ends with
    /// its connection, no will, no password.
    pub fn new(version: ProtocolVersion, client_id: MqttString) -> Self {
        Self {
            version,
            client_id,
            clean_start: true,
            session_expiry_s: 0,
            keep_alive_s: Self::KEEP_ALIVE_S,
            will: None,
            username: None,
            password: None,
            receive_maximum: Self::RECEIVE_MAXIMUM,
            packet_size_max: Self::PACKET_SIZE_MAX,
            packet_size_cautious: u32::MAX,
            topic_alias_maximum: Self::TOPIC_ALIAS_MAXIMUM,
            inflight_max: Self::INFLIGHT_MAX,
            queue_messages_max: Self::QUEUE_MESSAGES_MAX,
            queue_bytes_max: Self::QUEUE_BYTES_MAX,
            open_timeout_ms: Self::OPEN_TIMEOUT_MS,
            handshake_timeout_ms: Self::HANDSHAKE_TIMEOUT_MS,
            ping_timeout_ms: Self::PING_TIMEOUT_MS,
            backoff: BackoffLimits::default(),
        }
    }

    /// The CONNECT that says all this, with the largest packet that the server is to send (MQTT 5.0 §3.1).
    pub(crate) fn connect(
        &self,
        clean_start: bool,
        packet_size_max: u32,
    ) -> Result<Connect, EncodeError> {
        let mut connect = Connect::new(self.version, self.client_id.clone());
        connect.clean_start = clean_start;
        connect.keep_alive_s = self.keep_alive_s;
        connect.will.clone_from(&self.will);
        connect.username.clone_from(&self.username);
        connect.password.clone_from(&self.password);
        if self.version.is_v5() {
            connect.properties = self.connect_properties(packet_size_max)?;
        }
        Ok(connect)
    }

    /// What differs from the defaults of the specification (MQTT 5.0 §3.1.2.11).
    fn connect_properties(&self, packet_size_max: u32) -> Result<Properties, EncodeError> {
        let receive_maximum = self.receive_maximum.get();
        let session_expiry = Property::SessionExpiryInterval(self.session_expiry_s);
        let packet_size = Property::MaximumPacketSize(packet_size_max.max(1));
        Properties::new(
            [
                (self.session_expiry_s != 0).then_some(session_expiry),
                (receive_maximum != u16::MAX).then_some(Property::ReceiveMaximum(receive_maximum)),
                (packet_size_max < PACKET_SIZE_MAX).then_some(packet_size),
                (self.topic_alias_maximum != 0)
                    .then_some(Property::TopicAliasMaximum(self.topic_alias_maximum)),
            ]
            .into_iter()
            .flatten(),
        )
    }
}

impl fmt::Debug for Options {
    /// All that a log may hold: not the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("version", &self.version)
            .field("client_id", &self.client_id)
            .field("clean_start", &self.clean_start)
            .field("session_expiry_s", &self.session_expiry_s)
            .field("keep_alive_s", &self.keep_alive_s)
            .field("will", &self.will)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
