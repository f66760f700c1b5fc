//! Bridges over TLS, to a Mosquitto whose certificates OpenSSL checks and is checked by.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use codec::QoS;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};

use crate::node::*;

/// A certificate authority, and a folder in which it leaves what it makes.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        Self::of(CertificateParams::default())
    }

    /// One whose certificate, `ca.crt` with `ca.key`, is that of a broker at this address, for this many
    /// days from now.
    fn signing_itself(address: IpAddr, days: i64) -> Self {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::IpAddress(address)];
        params.not_after = time::OffsetDateTime::now_utc() + time::Duration::days(days);
        Self::of(params)
    }

    fn of(mut params: CertificateParams) -> Self {
        params.distinguished_name.push(DnType::CommonName, "Testing");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.crt"), issuer.pem()).unwrap();
        std::fs::write(folder.path().join("ca.key"), issuer.key().serialize_pem()).unwrap();
        Self { issuer, folder }
    }

    /// Makes `name.crt` and `name.key` for an owner of this Common Name.
    fn make(&self, name: &str, common_name: &str, addresses: &[IpAddr]) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.subject_alt_names =
            addresses.iter().map(|address| SanType::IpAddress(*address)).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.file(&format!("{name}.crt")), certificate.pem()).unwrap();
        std::fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A Mosquitto that shows this certificate.
fn there(authority: &Authority, certificate: &str, lines: &str) -> Node {
    let folder = authority.folder().display();
    Node::start(
        Kind::Mosquitto,
        &format!(
            "certfile {folder}/{certificate}.crt\nkeyfile {folder}/{certificate}.key\n{lines}"
        ),
    )
}

fn bridge(there: &Node, host: &str, authority: &Authority, lines: &str) -> String {
    let (port, folder) = (there.port, authority.folder().display());
    format!(
        "connection b\naddress {host}:{port}\nrestart_timeout 1\ntopic t/# out 1\n\
         bridge_cafile {folder}/ca.crt\n{lines}"
    )
}

fn connects(there: &Node, host: &str, authority: &Authority, lines: &str) {
    let here = Node::start(Kind::Ours, &bridge(there, host, authority, lines));
    here.client("client").publish("t/x", "through TLS", QoS::AtLeastOnce);
    there.wait_for_log("'t/x', ... (11 bytes)");
}

fn is_refused(there: &Node, host: &str, authority: &Authority, lines: &str, why: &str) {
    let here = Node::start(Kind::Ours, &bridge(there, host, authority, lines));
    here.wait_for_log(why);
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[test]
fn a_broker_is_known_by_its_certificate() {
    let authority = Authority::new();
    authority.make("server", "anything", &[LOOPBACK]);
    for lines in ["", "bridge_tls_version tlsv1.3", "bridge_alpn mqtt"] {
        connects(&there(&authority, "server", ""), "127.0.0.1", &authority, lines);
    }
    is_refused(
        &there(&authority, "server", ""),
        "127.0.0.1",
        &Authority::new(),
        "",
        "invalid peer certificate",
    );
}

#[test]
fn a_broker_with_another_name_is_not_talked_to_unless_that_is_wanted() {
    let authority = Authority::new();
    authority.make("other", "127.0.0.1", &[IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))]);
    // Names that are listed count, and a Common Name beside them does not.
    is_refused(&there(&authority, "other", ""), "127.0.0.1", &authority, "", "not valid for name");
    connects(&there(&authority, "other", ""), "127.0.0.1", &authority, "bridge_insecure true");
    // Where none are listed, as in many an old guide, it does.
    authority.make("old", "localhost", &[]);
    connects(&there(&authority, "old", ""), "localhost", &authority, "");
    is_refused(&there(&authority, "old", ""), "127.0.0.1", &authority, "", "not valid for name");
}

#[test]
fn a_broker_can_know_the_bridge_by_its_certificate() {
    let authority = Authority::new();
    authority.make("server", "anything", &[LOOPBACK]);
    authority.make("client", "edge", &[]);
    let folder = authority.folder().display();
    let wants = format!("cafile {folder}/ca.crt\nrequire_certificate true");
    let shows = format!("bridge_certfile {folder}/client.crt\nbridge_keyfile {folder}/client.key");
    connects(&there(&authority, "server", &wants), "127.0.0.1", &authority, &shows);
    is_refused(
        &there(&authority, "server", &wants),
        "127.0.0.1",
        &authority,
        "",
        "Warning: Bridge b",
    );
}

/// A certificate that a broker has signed itself is trusted where the configuration names it, and then
/// everything else about it has to be right still.
#[test]
fn a_broker_can_have_signed_its_certificate_itself() {
    for (address, days, lines, why) in [
        ("127.0.0.1", 1, "", None),
        ("127.0.0.2", 1, "", Some("not valid for name")),
        ("127.0.0.2", 1, "bridge_insecure true", None),
        ("127.0.0.1", -1, "bridge_insecure true", Some("Expired")),
    ] {
        let authority = Authority::signing_itself(address.parse().unwrap(), days);
        let there = there(&authority, "ca", "");
        match why {
            None => connects(&there, "127.0.0.1", &authority, lines),
            Some(why) => is_refused(&there, "127.0.0.1", &authority, lines, why),
        }
    }
}
