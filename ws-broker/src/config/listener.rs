//! What a `listener` line opens, and all that may follow it.

use std::path::PathBuf;

use codec::{QoS, TopicName};

use crate::limits;

/// A place where clients arrive.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listener {
    pub address: Address,
    pub protocol: Protocol,
    /// Clients at the same time; `None` for as many as the operating system allows.
    pub max_connections: Option<usize>,
    pub max_qos: QoS,
    /// The highest Topic Alias that a client may use.
    pub max_topic_alias: u16,
    /// What stands before every topic of a client of this listener, without it seeing so.
    pub mount_point: Option<TopicName>,
    /// A folder that is served instead of the dashboard.
    pub http_dir: Option<PathBuf>,
    /// Whether a client's user name is its client identifier.
    pub use_username_as_clientid: bool,
    pub access: Access,
    pub tls: Option<Tls>,
    /// The version of the PROXY protocol that every connection begins with.
    pub proxy_protocol: Option<u8>,
    /// Pages of which sites may open a WebSocket, besides those served here; `*` stands for all.
    pub origins: Vec<String>,
    /// Bytes of an HTTP request's head.
    pub http_head_max: usize,
    /// Opened unasked for the dashboard: if its port is taken, the broker goes on without it.
    pub is_optional: bool,
}

/// Where a listener is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// This port of this machine, for programs on this machine.
    Loopback(u16),
    Tcp {
        /// An address or a host name; `None` for all addresses of the machine.
        host: Option<String>,
        port: u16,
        domain: Option<Domain>,
        /// The one network interface that is listened on.
        interface: Option<String>,
    },
    Unix(PathBuf),
}

/// One of the two Internets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Domain {
    Ipv4,
    Ipv6,
}

/// What a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// MQTT as it is.
    Mqtt,
    /// HTTP, and MQTT over WebSocket.
    Http,
}

/// Who may come in, and what they may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    pub allow_anonymous: bool,
    pub allow_zero_length_clientid: bool,
    /// How the client identifiers begin that we make up.
    pub auto_id_prefix: String,
    pub password_file: Option<PathBuf>,
    pub acl_file: Option<PathBuf>,
}

/// TLS for a listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tls {
    pub certfile: PathBuf,
    pub keyfile: PathBuf,
    /// Who has signed the certificates of clients: a file, a folder, or both.
    pub cafile: Option<PathBuf>,
    pub capath: Option<PathBuf>,
    pub crlfile: Option<PathBuf>,
    pub require_certificate: bool,
    /// The part of a client's certificate that is its user name.
    pub username: Option<CertificateName>,
    /// Whether TLS 1.2 is refused.
    pub only_tls13: bool,
    /// Cipher suites as OpenSSL names them, for TLS 1.2 and for 1.3; empty for all that are safe.
    pub ciphers: Vec<String>,
    pub ciphers_tls13: Vec<String>,
}

/// What a certificate calls its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CertificateName {
    /// The Common Name.
    Identity,
    /// The whole subject.
    Subject,
}

impl Default for Access {
    /// What holds in a file that does not say: nobody without a name comes in.
    fn default() -> Self {
        Self {
            allow_anonymous: false,
            allow_zero_length_clientid: true,
            auto_id_prefix: "auto-".into(),
            password_file: None,
            acl_file: None,
        }
    }
}

impl Listener {
    /// A listener of which nothing but its place is said.
    pub(crate) fn new(address: Address, protocol: Protocol) -> Self {
        Self {
            address,
            protocol,
            max_connections: None,
            max_qos: QoS::ExactlyOnce,
            max_topic_alias: limits::TOPIC_ALIAS_MAX,
            mount_point: None,
            http_dir: None,
            use_username_as_clientid: false,
            access: Access::default(),
            tls: None,
            proxy_protocol: None,
            origins: Vec::new(),
            http_head_max: limits::HTTP_HEAD_MAX,
            is_optional: false,
        }
    }
}

impl Address {
    /// The port, or what is there instead of one, as a log line names it.
    pub(crate) fn door(&self) -> String {
        match self {
            Self::Loopback(port) | Self::Tcp { port, .. } => format!("port {port}"),
            Self::Unix(path) => format!("socket {}", path.display()),
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Loopback(port) => write!(f, "localhost:{port}"),
            Self::Tcp { host: Some(host), port, .. } if host.contains(':') => {
                write!(f, "[{host}]:{port}")
            }
            Self::Tcp { host: Some(host), port, .. } => write!(f, "{host}:{port}"),
            Self::Tcp { host: None, port, .. } => write!(f, "port {port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}
