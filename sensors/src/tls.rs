//! TLS for everybody here: what is trusted, and the one place where its library is chosen.
//!
//! rustls with ring, as the broker's own TLS is. Without a file of certificates the operating
//! system's are trusted; `SSL_CERT_FILE` in the environment names others.

use crate::report::Failure;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The client's side of TLS, trusting what the file holds, or what the system trusts.
pub(crate) fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, Failure> {
    let roots = match ca_file {
        Some(file) => roots_of(file)?,
        None => roots_of_the_system(),
    };
    if roots.is_empty() {
        return Err(Failure::new(
            "This system trusts nobody: no certificate authorities were found. Install its package \
             (`ca-certificates` on Debian), or name a file of them in the variable SSL_CERT_FILE.",
        ));
    }
    trusting(roots).map(Arc::new)
}

/// The same for services that may be asked without TLS as well: a system that trusts nobody is
/// told so by the first certificate it sees.
pub(crate) fn service_config() -> Result<ClientConfig, Failure> {
    trusting(roots_of_the_system())
}

/// The error of TLS that has caused another, if one has.
///
/// It may be wrapped in several errors of I/O, which don't name it as their source.
pub(crate) fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(error) = error.downcast_ref() {
        return Some(error);
    }
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => cause(inner),
        None => cause(error.source()?),
    }
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new(format!("Cannot use TLS: {error}.")))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn roots_of(file: &Path) -> Result<RootCertStore, Failure> {
    let shown = file.display();
    let cannot = |error: &dyn std::fmt::Display| {
        Failure::new(format!("Cannot read the certificates in {shown}: {error}."))
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| cannot(&error))? {
        let certificate = certificate.map_err(|error| cannot(&error))?;
        roots.add(certificate).map_err(|error| cannot(&error))?;
    }
    if roots.is_empty() {
        return Err(Failure::new(format!(
            "There is no certificate in {shown}: it must be a PEM file, with lines such as \
             `-----BEGIN CERTIFICATE-----`."
        )));
    }
    Ok(roots)
}

/// A system may hold certificates that this library turns down; the others are enough.
fn roots_of_the_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_found_however_deep_it_is() {
        let tls = || rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        assert_eq!(cause(&tls()), Some(&tls()));
        assert_eq!(cause(&io::Error::other(tls())), Some(&tls()));
        assert_eq!(cause(&io::Error::other(io::Error::other(tls()))), Some(&tls()));
        assert_eq!(cause(&io::Error::other("something else")), None);
        assert_eq!(cause(&io::Error::from(io::ErrorKind::NotFound)), None);
    }
}
