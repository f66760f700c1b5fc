//! TLS on a listener: its certificate, whose certificates it takes from clients, and what a client's
//! certificate calls it.
//!
//! Everything is read from its files when the settings are loaded, so a reload replaces certificates,
//! authorities and revocation lists for the connections to come; those that stand go on as they are.

mod ciphers;
pub(crate) mod files;
mod subject;

use std::sync::Arc;

use anyhow::{Context, Result};
use codec::MqttString;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion};

use crate::config::Tls;
use crate::config::listener::CertificateName;

pub(crate) use subject::{common_name, is_valid_at, lists_names};

/// TLS as a listener offers it.
pub(crate) struct TlsServer {
    acceptor: TlsAcceptor,
    username: Option<CertificateName>,
}

impl std::fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsServer").field("username", &self.username).finish_non_exhaustive()
    }
}

/// The versions of TLS that are spoken.
pub(crate) fn versions(only_tls13: bool) -> &'static [&'static SupportedProtocolVersion] {
    static NEWEST: [&SupportedProtocolVersion; 1] = [&TLS13];
    static ALL: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    if only_tls13 { &NEWEST } else { &ALL }
}

impl TlsServer {
    /// Reads what the configuration names.
    ///
    /// # Errors
    /// A file can't be read or makes no sense.
    pub(crate) fn load(tls: &Tls) -> Result<Self> {
        let offered = ring::default_provider();
        let suites = ciphers::choose(&tls.ciphers, &tls.ciphers_tls13, &offered.cipher_suites)?;
        let provider = Arc::new(CryptoProvider { cipher_suites: suites, ..offered });
        let authorities = files::authorities(tls.cafile.as_deref(), tls.capath.as_deref())?;
        let key = files::certified_key(&tls.certfile, &tls.keyfile, &authorities, &provider)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions(tls.only_tls13))
            .context("TLS can't be set up")?;
        let builder = if tls.require_certificate {
            let trust = Arc::new(files::trust(&authorities)?);
            let mut verifier = WebPkiClientVerifier::builder_with_provider(trust, provider);
            if let Some(path) = &tls.crlfile {
                // As OpenSSL does with such a list: it is about the clients' own certificates, and a
                // certificate about which no list says anything is not trusted.
                verifier = verifier
                    .with_crls(files::revocations(path)?)
                    .only_check_end_entity_revocation()
                    .enforce_revocation_expiration();
            }
            builder.with_client_cert_verifier(verifier.build().context("cafile, capath, crlfile")?)
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        config.ignore_client_order = !tls.ciphers.is_empty() || !tls.ciphers_tls13.is_empty();
        if tls.require_certificate {
            // A session that is resumed shows no certificate, which may have expired meanwhile.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Self { acceptor: Arc::new(config).into(), username: tls.username })
    }

    /// What makes a TLS connection out of one that was accepted.
    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Whether clients have the user names that stand in their certificates.
    pub(crate) fn gives_names(&self) -> bool {
        self.username.is_some()
    }

    /// The user name that a client has by its certificate, if the listener has it so and there is one.
    pub(crate) fn username(
        &self,
        certificates: Option<&[CertificateDer<'_>]>,
    ) -> Option<MqttString> {
        let certificate = certificates?.first()?;
        let name = match self.username? {
            CertificateName::Identity => subject::common_name(certificate),
            CertificateName::Subject => subject::subject(certificate),
        };
        MqttString::new(&name?).ok()
    }
}
