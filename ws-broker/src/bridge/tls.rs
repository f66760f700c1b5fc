//! TLS towards another broker: whom to trust, what to show, and what the other broker may be called.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
};

use crate::config::bridge::BridgeTls;
use crate::net::Socket;
use crate::net::tls::{self, files};

/// What makes a TLS connection out of one to another broker.
pub(crate) struct TlsClient(TlsConnector);

impl std::fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsClient").finish_non_exhaustive()
    }
}

impl TlsClient {
    /// Reads what the configuration names.
    ///
    /// # Errors
    /// A file can't be read or makes no sense.
    pub(crate) fn load(tls: &BridgeTls) -> Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let mut authorities = files::authorities(tls.cafile.as_deref(), tls.capath.as_deref())?;
        let key = match (&tls.certfile, &tls.keyfile) {
            (Some(certfile), Some(keyfile)) => {
                Some(files::certified_key(certfile, keyfile, &authorities, &provider)?)
            }
            _ => None,
        };
        if tls.use_os_certs {
            authorities.extend(rustls_native_certs::load_native_certs().certs);
        }
        let trust = Arc::new(files::trust(&authorities)?);
        let chains = WebPkiServerVerifier::builder_with_provider(trust, Arc::clone(&provider));
        let verifier = Verifier {
            chains: chains.build().context("bridge_cafile, bridge_capath")?,
            own: authorities,
            any_name: tls.insecure,
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(tls::versions(tls.only_tls13))
            .context("TLS can't be set up")?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match key {
            Some(key) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key))),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = tls.alpn.iter().map(|name| name.clone().into_bytes()).collect();
        Ok(Self(Arc::new(config).into()))
    }

    /// Begins TLS on a connection to this host.
    ///
    /// # Errors
    /// The two do not come to terms: one of them is not who the other trusts, for instance.
    pub(crate) async fn connect(&self, host: &str, socket: Socket) -> Result<TlsStream<Socket>> {
        // A name that can't stand in a certificate only matters where names are asked for.
        let name = ServerName::try_from(host.to_owned())
            .unwrap_or_else(|_| ServerName::from(std::net::IpAddr::from(Ipv4Addr::UNSPECIFIED)));
        self.0.connect(name, socket).await.with_context(|| format!("TLS with {host}"))
    }
}

/// Checks a broker's certificate as Mosquitto does: by those whom the configuration trusts, and by its
/// name, for which an old certificate has its Common Name alone.
#[derive(Debug)]
struct Verifier {
    chains: Arc<WebPkiServerVerifier>,
    /// Certificates that are trusted by themselves. One that a broker has signed itself is among them
    /// where the configuration names it, and no authority needs to stand for it.
    own: Vec<CertificateDer<'static>>,
    /// Whether the broker may be called anything (`bridge_insecure`).
    any_name: bool,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chains = &self.chains;
        // The name is looked at last, so that everything else is right where it is what is wrong.
        let verified = if self.own.iter().any(|own| own == end_entity) {
            verify_own(end_entity, name, now)
        } else {
            chains.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
        };
        match verified {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.any_name || is_called(end_entity, name) => {
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// Checks a certificate that is trusted by itself.
fn verify_own(
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, Error> {
    if !tls::is_valid_at(certificate, now) {
        return Err(CertificateError::Expired.into());
    }
    verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
    Ok(ServerCertVerified::assertion())
}

/// Whether a certificate that lists no names has this one as its Common Name.
fn is_called(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    !tls::lists_names(certificate)
        && tls::common_name(certificate).is_some_and(|own| own.eq_ignore_ascii_case(&name.to_str()))
}
