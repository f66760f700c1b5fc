//! What TLS needs from files: certificates, keys, whom to trust and who was revoked, all as PEM.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer,
};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, InconsistentKeys, RootCertStore};

use super::subject::{issuer_of, subject_of};

/// Certificates between a server's own and the one that everybody trusts.
const CHAIN_MAX: usize = 8;

/// Reads a file; `what` is the word of the configuration that names it.
fn read(path: &Path, what: &str) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("can't read {} ({what})", path.display()))
}

fn all<T: PemObject>(path: &Path, what: &str) -> Result<Vec<T>> {
    let text = read(path, what)?;
    let objects: Result<Vec<T>, PemError> = T::pem_slice_iter(&text).collect();
    objects.with_context(|| format!("{} ({what}) is no PEM file", path.display()))
}

/// The certificates of a file, of which there has to be one.
///
/// # Errors
/// It can't be read, is no PEM, or has none.
pub(crate) fn certificates(path: &Path, what: &str) -> Result<Vec<CertificateDer<'static>>> {
    let certificates = all(path, what)?;
    if certificates.is_empty() {
        bail!("there is no certificate in {} ({what})", path.display());
    }
    Ok(certificates)
}

/// The private key of a file, in any of the forms that PEM has for keys.
///
/// # Errors
/// It can't be read, has no key, or one that is encrypted.
pub(crate) fn private_key(path: &Path, what: &str) -> Result<PrivateKeyDer<'static>> {
    let text = read(path, what)?;
    match PrivateKeyDer::from_pem_slice(&text) {
        Ok(key) => Ok(key),
        Err(_) if text.windows(9).any(|part| part == b"ENCRYPTED") => bail!(
            "the private key in {path} ({what}) is encrypted, and nobody is there to be asked for its \
             password: decrypt it with openssl pkey -in {path} -out ...",
            path = path.display()
        ),
        Err(PemError::NoItemsFound) => {
            bail!("there is no private key in {} ({what})", path.display())
        }
        Err(error) => {
            Err(error).with_context(|| format!("{} ({what}) is no PEM file", path.display()))
        }
    }
}

/// The certificate authorities of a file and of a folder.
///
/// Of a folder those files count whose name is a hash, as `openssl rehash` names them: what merely
/// lies there is not trusted.
///
/// # Errors
/// One of them can't be read, or there are none where there should be.
pub(crate) fn authorities(
    file: Option<&Path>,
    folder: Option<&Path>,
) -> Result<Vec<CertificateDer<'static>>> {
    let mut found = Vec::new();
    if let Some(file) = file {
        found.extend(certificates(file, "cafile")?);
    }
    if let Some(folder) = folder {
        let mut paths = hashed_files(folder)
            .with_context(|| format!("can't read the folder {} (capath)", folder.display()))?;
        if paths.is_empty() {
            bail!(
                "no file in {folder} (capath) is named by its hash: run openssl rehash {folder}",
                folder = folder.display()
            );
        }
        paths.sort();
        for path in paths {
            found.extend(certificates(&path, "capath")?);
        }
    }
    Ok(found)
}

fn hashed_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_hash) {
            paths.push(entry.path());
        }
    }
    Ok(paths)
}

/// Whether a name is eight hexadecimal digits, a dot and a number.
fn is_hash(name: &str) -> bool {
    name.split_once('.').is_some_and(|(hash, number)| {
        hash.len() == 8
            && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// A store that trusts these.
///
/// # Errors
/// One of them is no certificate.
pub(crate) fn trust(authorities: &[CertificateDer<'static>]) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    for authority in authorities {
        store.add(authority.clone()).context("a certificate authority can't be used")?;
    }
    Ok(store)
}

/// The revocation lists of a file.
///
/// # Errors
/// It can't be read or has none.
pub(crate) fn revocations(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>> {
    let lists = all(path, "crlfile")?;
    if lists.is_empty() {
        bail!("there is no revocation list in {} (crlfile)", path.display());
    }
    Ok(lists)
}

/// A certificate with its key.
///
/// Where the file has the certificate alone, those between it and the one that everybody trusts are
/// looked for among `authorities`, as OpenSSL does.
///
/// # Errors
/// A file can't be read, or the two do not belong together.
pub(crate) fn certified_key(
    certfile: &Path,
    keyfile: &Path,
    authorities: &[CertificateDer<'static>],
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>> {
    let mut chain = certificates(certfile, "certfile")?;
    complete(&mut chain, authorities);
    let key = provider
        .key_provider
        .load_private_key(private_key(keyfile, "keyfile")?)
        .with_context(|| format!("the private key in {} can't be used", keyfile.display()))?;
    let certified = CertifiedKey::new(chain, key);
    // That the check can't be made is no reason against a certificate: old ones are still in use.
    if let Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) = certified.keys_match() {
        bail!(
            "the private key in {} (keyfile) does not belong to the certificate in {} (certfile)",
            keyfile.display(),
            certfile.display()
        );
    }
    Ok(Arc::new(certified))
}

/// Appends to a chain of one those who signed it, but for the last, which signs itself.
fn complete(chain: &mut Vec<CertificateDer<'static>>, authorities: &[CertificateDer<'static>]) {
    if chain.len() > 1 {
        return;
    }
    while let Some(issuer) = chain.last().and_then(issuer_of)
        && chain.len() < CHAIN_MAX
        && let Some(next) = authorities.iter().find(|ca| subject_of(ca).as_ref() == Some(&issuer))
        && issuer_of(next) != subject_of(next)
    {
        chain.push(next.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_asked_for_hashes_only() {
        for (name, want) in [
            ("0a1b2c3d.0", true),
            ("0A1B2C3D.12", true),
            ("0a1b2c3d.r0", false),
            ("ca.crt", false),
            ("0a1b2c3d", false),
            ("0a1b2c3d.", false),
            ("0a1b2c3.0", false),
        ] {
            assert_eq!(is_hash(name), want, "{name}");
        }
    }
}
