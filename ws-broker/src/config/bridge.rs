//! What a `connection` line opens: a bridge to another broker, and all that may follow it.

use std::net::IpAddr;
use std::path::PathBuf;

use codec::{ProtocolVersion, QoS, TopicFilter};

/// A bridge to another broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bridge {
    pub name: String,
    /// Host and port of the other broker; the first is the main one.
    pub addresses: Vec<(String, u16)>,
    pub round_robin: bool,
    pub bind_address: Option<IpAddr>,
    pub topics: Vec<BridgeTopic>,
    pub protocol_version: ProtocolVersion,
    pub clean_session: bool,
    /// `None` for the same as `clean_session`.
    pub local_clean_session: Option<bool>,
    pub keepalive_s: u16,
    /// After how many seconds without traffic a lazy bridge ends its connection.
    pub idle_timeout_s: u32,
    pub start: Start,
    /// How many messages must wait before a lazy bridge connects.
    pub threshold: usize,
    pub restart: Restart,
    pub remote_clientid: Option<String>,
    pub remote_username: Option<String>,
    pub remote_password: Option<String>,
    pub local_clientid: Option<String>,
    pub notifications: bool,
    pub notifications_local_only: bool,
    pub notification_topic: Option<String>,
    pub try_private: bool,
    pub attempt_unsubscribe: bool,
    pub outgoing_retain: bool,
    /// Bytes of the largest packet that is sent to the other broker.
    pub max_packet_size: Option<u32>,
    pub tls: Option<BridgeTls>,
}

/// Topics that two brokers share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BridgeTopic {
    /// A filter, or nothing where the two prefixes are the topics.
    pub pattern: String,
    pub direction: Direction,
    pub qos: QoS,
    pub local_prefix: String,
    pub remote_prefix: String,
}

/// Which way messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To the other broker.
    Out,
    /// From the other broker.
    In,
    Both,
}

/// When a bridge connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Automatic,
    /// When enough messages wait.
    Lazy,
    /// When the broker starts, and not again.
    Once,
}

/// How long a bridge waits before it connects again, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restart {
    Constant(u32),
    Jitter { base: u32, cap: u32 },
}

/// TLS towards the other broker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BridgeTls {
    pub cafile: Option<PathBuf>,
    pub capath: Option<PathBuf>,
    /// Whether the certificate authorities of the operating system are trusted.
    pub use_os_certs: bool,
    pub certfile: Option<PathBuf>,
    pub keyfile: Option<PathBuf>,
    /// Whether a certificate for another host is taken.
    pub insecure: bool,
    pub alpn: Option<String>,
    pub only_tls13: bool,
}

impl Bridge {
    /// Whether it can be started.
    pub(super) fn check(&self) -> Result<(), String> {
        let name = &self.name;
        if self.addresses.is_empty() {
            return Err(format!("Invalid bridge configuration: no remote addresses for {name}"));
        }
        if self.topics.is_empty() {
            return Err(format!("Invalid bridge configuration: no topics for {name}"));
        }
        match &self.tls {
            Some(tls) if tls.certfile.is_some() != tls.keyfile.is_some() => Err(format!(
                "Invalid bridge configuration: {name} needs both bridge_certfile and bridge_keyfile"
            )),
            Some(tls) if tls.cafile.is_none() && tls.capath.is_none() && !tls.use_os_certs => {
                Err(format!(
                    "Invalid bridge configuration: {name} has settings of TLS, but no bridge_cafile, \
                     bridge_capath or bridge_tls_use_os_certs true to know whom to trust"
                ))
            }
            _ => Ok(()),
        }
    }

    /// Its Client Identifier there, on a computer of this name.
    pub(crate) fn remote_id(&self, host: &str) -> String {
        self.remote_clientid.clone().unwrap_or_else(|| format!("{host}.{}", self.name))
    }

    /// Its Client Identifier here, on a computer of this name.
    pub(crate) fn local_id(&self, host: &str) -> String {
        self.local_clientid.clone().unwrap_or_else(|| format!("local.{}", self.remote_id(host)))
    }

    /// Whether each of these bridges has a session of its own.
    pub(super) fn check_ids(bridges: &[Self]) -> Result<(), String> {
        let mut ids: Vec<String> = bridges.iter().map(|bridge| bridge.local_id("")).collect();
        ids.sort_unstable();
        match ids.windows(2).find(|pair| pair.first() == pair.last()).and_then(<[_]>::first) {
            Some(id) => Err(format!(
                "Bridge local_clientid '{id}' is not unique: give one of the bridges another \
                 local_clientid"
            )),
            None => Ok(()),
        }
    }

    /// A bridge of which nothing but its name is said.
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            addresses: Vec::new(),
            round_robin: false,
            bind_address: None,
            topics: Vec::new(),
            protocol_version: ProtocolVersion::V311,
            clean_session: false,
            local_clean_session: None,
            keepalive_s: 60,
            idle_timeout_s: 60,
            start: Start::Automatic,
            threshold: 10,
            restart: Restart::Jitter { base: 5, cap: 30 },
            remote_clientid: None,
            remote_username: None,
            remote_password: None,
            local_clientid: None,
            notifications: true,
            notifications_local_only: false,
            notification_topic: None,
            try_private: true,
            attempt_unsubscribe: true,
            outgoing_retain: true,
            max_packet_size: None,
            tls: None,
        }
    }
}

impl BridgeTopic {
    /// Whether both of its topics are topics.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.pattern.is_empty()
            && (self.local_prefix.is_empty() || self.remote_prefix.is_empty())
        {
            return Err("a bridge topic without a pattern needs a local and a remote prefix".into());
        }
        for prefix in [&self.local_prefix, &self.remote_prefix] {
            let topic = format!("{prefix}{}", self.pattern);
            if TopicFilter::new(&topic).is_err() {
                return Err(format!("Invalid bridge topic '{topic}'"));
            }
        }
        Ok(())
    }
}
