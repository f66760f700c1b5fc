//! Where the broker is, and how it is spoken to.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use codec::ProtocolVersion;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// Connections from one address of ours; one more begins the next address of the loopback network.
const CONNECTIONS_PER_ADDRESS: usize = 25_000;

/// Options that every kind of load has.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)]
pub(crate) struct Arguments {
    /// The broker's address and port
    #[arg(long, default_value = "127.0.0.1:1883")]
    pub(crate) address: SocketAddr,
    /// How packets travel
    #[arg(long, value_enum, default_value_t = Transport::Tcp)]
    pub(crate) transport: Transport,
    /// The certificate that the broker shows or that signed it, for TLS; it is for `localhost`
    #[arg(long, required_if_eq("transport", "tls"))]
    pub(crate) cafile: Option<PathBuf>,
    /// Speak MQTT 5.0 instead of 3.1.1
    #[arg(long)]
    pub(crate) v5: bool,
    /// The broker's process, whose processor time and memory are read
    #[arg(long)]
    pub(crate) pid: Option<i32>,
    /// Connections that are opened at the same time
    #[arg(long, default_value_t = 50)]
    pub(crate) opening: usize,
}

/// How packets travel.
#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
pub(crate) enum Transport {
    /// TCP
    Tcp,
    /// WebSocket: a frame for each packet
    Ws,
    /// TLS 1.3
    Tls,
}

/// Where the broker is, and how it is spoken to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) version: ProtocolVersion,
    pub(crate) opening: usize,
    tls: Option<Arc<ClientConfig>>,
}

impl Target {
    pub(crate) fn new(arguments: &Arguments) -> Result<Self> {
        let tls = match (arguments.transport, &arguments.cafile) {
            (Transport::Tls, Some(file)) => Some(Arc::new(trust(file)?)),
            _ => None,
        };
        Ok(Self {
            address: arguments.address,
            transport: arguments.transport,
            version: if arguments.v5 { ProtocolVersion::V5 } else { ProtocolVersion::V311 },
            opening: arguments.opening.max(1),
            tls,
        })
    }

    /// A broker that is spoken to without TLS, for tests.
    #[cfg(test)]
    pub(crate) fn plain(
        address: SocketAddr,
        transport: Transport,
        version: ProtocolVersion,
    ) -> Self {
        Self { address, transport, version, opening: 1, tls: None }
    }

    /// The address of ours that a connection comes from, where it matters: the ports of one address
    /// don't suffice for a hundred thousand.
    pub(crate) fn source(&self, index: usize) -> Option<IpAddr> {
        let net = index / CONNECTIONS_PER_ADDRESS;
        if !self.address.ip().is_loopback() || self.address.is_ipv6() || net == 0 {
            return None;
        }
        Some(Ipv4Addr::new(127, 0, 1, u8::try_from(net).ok()?).into())
    }

    /// A new end of TLS.
    pub(crate) fn tls(&self) -> Result<Option<ClientConnection>> {
        let Some(config) = &self.tls else { return Ok(None) };
        let name = ServerName::try_from("localhost")?;
        let mut connection = ClientConnection::new(config.clone(), name)?;
        connection.set_buffer_limit(None);
        Ok(Some(connection))
    }
}

/// TLS 1.3 that trusts what a file of certificates holds, and nothing else.
fn trust(file: &Path) -> Result<ClientConfig> {
    let cannot = || format!("cannot read certificates from {}", file.display());
    let pem = fs::read(file).with_context(cannot)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.with_context(cannot)?).with_context(cannot)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
