//! What a certificate calls its owner.

use std::fmt::Write as _;

use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::{Decode, Encode, Tag, Tagged};
use x509_cert::name::Name;

/// The Common Name, by its object identifier.
const COMMON_NAME: &str = "2.5.4.3";

/// The extension Subject Alternative Name, by its object identifier.
const ALTERNATIVE_NAMES: &str = "2.5.29.17";

/// What the parts of a name are called (RFC 4514 §3, and OpenSSL for those that it leaves out).
const NAMES: [(&str, &str); 18] = [
    (COMMON_NAME, "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.46", "dnQualifier"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

fn parse(certificate: &CertificateDer<'_>) -> Option<CertificateInner<Raw>> {
    CertificateInner::<Raw>::from_der(certificate).ok()
}

/// Who signed a certificate.
pub(super) fn issuer_of(certificate: &CertificateDer<'static>) -> Option<Name> {
    Some(parse(certificate)?.tbs_certificate().issuer().clone())
}

/// Whom a certificate is for.
pub(super) fn subject_of(certificate: &CertificateDer<'static>) -> Option<Name> {
    Some(parse(certificate)?.tbs_certificate().subject().clone())
}

/// Whether a certificate is valid at this time.
pub(crate) fn is_valid_at(certificate: &CertificateDer<'_>, now: UnixTime) -> bool {
    parse(certificate).is_some_and(|certificate| {
        let validity = certificate.tbs_certificate().validity();
        let from = validity.not_before.to_unix_duration().as_secs();
        let until = validity.not_after.to_unix_duration().as_secs();
        (from..=until).contains(&now.as_secs())
    })
}

/// Whether a certificate lists the names that it is for, beside its owner's Common Name.
pub(crate) fn lists_names(certificate: &CertificateDer<'_>) -> bool {
    // One that can't be read has no Common Name either.
    let Some(certificate) = parse(certificate) else { return true };
    let extensions = certificate.tbs_certificate().extensions();
    extensions
        .is_some_and(|found| found.iter().any(|one| one.extn_id.to_string() == ALTERNATIVE_NAMES))
}

/// The Common Name of a certificate's owner, if it can be a user name: it is text, is not empty, and
/// holds no character that would make one name look like another.
pub(crate) fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = parse(certificate)?;
    let mut parts = certificate.tbs_certificate().subject().iter();
    let part = parts.find(|part| part.oid.to_string() == COMMON_NAME)?;
    let name = text(part)?;
    (!name.is_empty() && !name.contains(char::is_control)).then(|| name.to_owned())
}

/// The whole name of a certificate's owner, the last part first (RFC 2253), as OpenSSL writes it.
pub(super) fn subject(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = parse(certificate)?;
    let groups: Vec<_> = certificate.tbs_certificate().subject().iter_rdn().collect();
    let mut written = String::new();
    for group in groups.into_iter().rev() {
        let parts: Vec<_> = group.iter().collect();
        for (index, part) in parts.into_iter().rev().enumerate() {
            if !written.is_empty() {
                written.push(if index == 0 { ',' } else { '+' });
            }
            write_part(&mut written, part);
        }
    }
    (!written.is_empty()).then_some(written)
}

/// The value of a part that is text.
fn text(part: &AttributeTypeAndValue) -> Option<&str> {
    let text = std::str::from_utf8(part.value.value()).ok()?;
    match part.value.tag() {
        Tag::Utf8String => Some(text),
        Tag::PrintableString | Tag::Ia5String | Tag::TeletexString | Tag::NumericString => {
            Some(text).filter(|text| text.is_ascii())
        }
        _ => None,
    }
}

fn write_part(to: &mut String, part: &AttributeTypeAndValue) {
    let oid = part.oid.to_string();
    let name = NAMES.iter().find(|(known, _)| *known == oid).map(|(_, name)| *name);
    to.push_str(name.unwrap_or(&oid));
    to.push('=');
    match text(part) {
        Some(text) if name.is_some() => write_escaped(to, text),
        _ => {
            to.push('#');
            for byte in part.value.to_der().unwrap_or_default() {
                let _ = write!(to, "{byte:02X}");
            }
        }
    }
}

/// Writes a value so that nothing in it can be taken for the next part of the name.
fn write_escaped(to: &mut String, text: &str) {
    let last = text.len().saturating_sub(1);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => {
                to.push('\\');
                to.push(char::from(byte));
            }
            b'#' | b' ' if index == 0 => {
                to.push('\\');
                to.push(char::from(byte));
            }
            b' ' if index == last => to.push_str("\\ "),
            b' '..=b'~' => to.push(char::from(byte)),
            _ => {
                let _ = write!(to, "\\{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    use super::*;

    fn certificate(parts: &[(DnType, &str)]) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in parts {
            params.distinguished_name.push(kind.clone(), *value);
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn a_subject_is_written_from_its_end() {
        let certificate = certificate(&[
            (DnType::CountryName, "GB"),
            (DnType::LocalityName, "Nottingham"),
            (DnType::OrganizationName, "Server"),
            (DnType::OrganizationalUnitName, "Production"),
            (DnType::CommonName, "test client"),
        ]);
        assert_eq!(common_name(&certificate).unwrap(), "test client");
        let want = "CN=test client,OU=Production,O=Server,L=Nottingham,C=GB";
        assert_eq!(subject(&certificate).unwrap(), want);
    }

    #[test]
    fn a_name_can_not_pretend_to_be_another() {
        for (name, as_user, as_subject) in [
            ("a,O=b", Some("a,O=b"), "CN=a\\,O=b"),
            ("a+b", Some("a+b"), "CN=a\\+b"),
            (" a ", Some(" a "), "CN=\\ a\\ "),
            ("#a", Some("#a"), "CN=\\#a"),
            ("é", Some("é"), "CN=\\C3\\A9"),
            ("admin\0.example", None, "CN=admin\\00.example"),
            ("a\nb", None, "CN=a\\0Ab"),
            ("", None, "CN="),
        ] {
            let certificate = certificate(&[(DnType::CommonName, name)]);
            assert_eq!(common_name(&certificate).as_deref(), as_user, "{name:?}");
            assert_eq!(subject(&certificate).as_deref(), Some(as_subject), "{name:?}");
        }
        let nobody = certificate(&[]);
        assert_eq!((common_name(&nobody), subject(&nobody)), (None, None));
        let unnamed = certificate(&[(DnType::CustomDnType(vec![1, 2, 3]), "x")]);
        assert_eq!(subject(&unnamed).unwrap(), "1.2.3=#0C0178");
    }
}
