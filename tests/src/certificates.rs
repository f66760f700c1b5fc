//! Certificates for tests: an authority, what it signs, and what it takes back.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};

/// One who signs certificates.
pub struct Authority {
    name: String,
    issuer: Issuer<'static, KeyPair>,
    folder: PathBuf,
    next_serial: std::cell::Cell<u64>,
}

/// The files of a certificate and its key.
pub struct Pair {
    /// The certificate, as PEM.
    pub certificate: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
    serial: u64,
}

/// Whose certificate it is to be.
pub enum Owner<'a> {
    /// A server of this machine.
    Server,
    /// A client with this Common Name, of an organisation.
    Client(&'a str),
    /// A client whose certificate is out of date.
    Late(&'a str),
}

impl Authority {
    /// A new authority, whose certificate is in `folder` as `NAME.crt`.
    #[must_use]
    pub fn new(folder: &Path, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).unwrap();
        let authority = Self {
            name: name.to_owned(),
            issuer: Issuer::new(params, key),
            folder: folder.to_owned(),
            next_serial: std::cell::Cell::new(1),
        };
        std::fs::write(authority.certificate(), certificate.pem()).unwrap();
        authority
    }

    /// The file of its own certificate.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.join(format!("{}.crt", self.name))
    }

    /// Signs a certificate; its files are called `file`.
    #[must_use]
    pub fn sign(&self, owner: &Owner<'_>, file: &str) -> Pair {
        let serial = self.next_serial.replace(self.next_serial.get() + 1);
        let key = KeyPair::generate().unwrap();
        let names = match owner {
            Owner::Server => vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            Owner::Client(_) | Owner::Late(_) => Vec::new(),
        };
        let mut params = CertificateParams::new(names).unwrap();
        params.serial_number = Some(SerialNumber::from(serial));
        params.distinguished_name = rcgen::DistinguishedName::new();
        match owner {
            Owner::Server => params.distinguished_name.push(DnType::CommonName, "localhost"),
            Owner::Client(name) | Owner::Late(name) => {
                params.distinguished_name.push(DnType::OrganizationName, "Sensors");
                params.distinguished_name.push(DnType::CommonName, *name);
            }
        }
        if matches!(owner, Owner::Late(_)) {
            params.not_after = date_time_ymd(2020, 1, 1);
            params.not_before = date_time_ymd(2019, 1, 1);
        }
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let pair = Pair {
            certificate: self.folder.join(format!("{file}.crt")),
            key: self.folder.join(format!("{file}.key")),
            serial,
        };
        std::fs::write(&pair.certificate, certificate.pem()).unwrap();
        std::fs::write(&pair.key, key.serialize_pem()).unwrap();
        pair
    }

    /// Writes the list of those that it takes back, as `NAME.crl`.
    pub fn revoke(&self, revoked: &[&Pair]) -> PathBuf {
        let revoked = revoked.iter().map(|pair| RevokedCertParams {
            serial_number: SerialNumber::from(pair.serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2124, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let path = self.folder.join(format!("{}.crl", self.name));
        std::fs::write(&path, params.signed_by(&self.issuer).unwrap().pem().unwrap()).unwrap();
        path
    }
}
