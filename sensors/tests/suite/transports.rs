//! The ways to a broker: TCP, TLS, WebSocket and both, in both versions of MQTT.

use crate::harness::{Broker, finish, folder, free_port, run};
use rcgen::{CertificateParams, IsCa, Issuer, KeyPair};
use std::fs;
use std::path::{Path, PathBuf};

/// One round of a host called `box`.
fn once(url: &str, more: &[&str]) -> (Option<i32>, String) {
    let arguments = [&["host", "--name", "box", "--once", "--broker", url], more].concat();
    let (status, output, errors) = finish(&arguments);
    assert_eq!(output, "");
    (status, errors)
}

/// An authority's certificate, in the file it returns, and one it signed for `localhost`, in
/// `server.crt` and `server.key`.
pub(crate) fn certificates(folder: &Path) -> PathBuf {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("an authority");
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).expect("its certificate");
    let issuer = Issuer::new(params, key);
    let server_key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("a server");
    let server = server.signed_by(&server_key, &issuer).expect("its certificate");
    fs::write(folder.join("server.crt"), server.pem()).expect("a file");
    fs::write(folder.join("server.key"), server_key.serialize_pem()).expect("a file");
    let file = folder.join("authority.pem");
    fs::write(&file, authority.pem()).expect("a file");
    file
}

/// A broker that listens in four ways, and the URLs of each.
struct Listening {
    broker: Broker,
    authority: String,
    tls: String,
    websocket: String,
    websocket_tls: String,
    tls_port: u16,
}

fn listening() -> Listening {
    let folder = folder();
    let authority = certificates(&folder);
    let [tls, websocket, websocket_tls] = [free_port(), free_port(), free_port()];
    let files = format!("certfile {0}/server.crt\nkeyfile {0}/server.key\n", folder.display());
    let broker = Broker::start_with(&format!(
        "allow_anonymous true\n\
         listener {tls} 127.0.0.1\n{files}\
         listener {websocket} 127.0.0.1\nprotocol websockets\n\
         listener {websocket_tls} 127.0.0.1\nprotocol websockets\n{files}"
    ));
    Listening {
        broker,
        authority: authority.to_string_lossy().into_owned(),
        tls: format!("mqtts://localhost:{tls}"),
        websocket: format!("ws://localhost:{websocket}"),
        websocket_tls: format!("wss://localhost:{websocket_tls}/mqtt"),
        tls_port: tls,
    }
}

#[test]
fn readings_arrive_over_every_transport_in_both_versions() {
    let listening = listening();
    let trusting = ["--ca-file", &listening.authority];
    let mut live = listening.broker.subscribe();
    for version in ["5", "3.1.1"] {
        for (url, trust) in [
            (&listening.tls, &trusting[..]),
            (&listening.websocket, &[]),
            (&listening.websocket_tls, &trusting),
        ] {
            let more = [&["--mqtt", version, "--qos", "2"], trust].concat();
            assert_eq!(once(url, &more), (Some(0), String::new()), "{url} {version}");
            live.on("sensors/box/uptime");
        }
    }
}

#[test]
fn a_will_travels_over_every_transport() {
    let listening = listening();
    for (url, trust) in [
        (&listening.tls, &["--ca-file", &listening.authority][..]),
        (&listening.websocket, &[]),
        (&listening.websocket_tls, &["--ca-file", &listening.authority]),
    ] {
        for (signal, is_clean) in [("TERM", true), ("KILL", false)] {
            let mut live = listening.broker.subscribe();
            let arguments = [&["host", "--name", "box", "--broker", url], trust].concat();
            let mut sensors = run(&arguments);
            live.payload("sensors/box/status", "online");
            live.on("sensors/box/uptime");
            sensors.signal(signal);
            assert_eq!(sensors.end().success(), is_clean, "{url} {signal}");
            live.payload("sensors/box/status", "offline");
        }
    }
}

#[test]
fn what_is_wrong_with_a_transport_is_said() {
    let listening = listening();
    let plain = listening.broker.port;
    let stranger = certificates(&folder()).to_string_lossy().into_owned();
    let not_pem = folder().join("notes.txt");
    fs::write(&not_pem, "no certificate\n").expect("a file");
    let not_pem = not_pem.to_string_lossy();
    let trusting = ["--ca-file", &listening.authority];
    let by_address = format!("mqtts://127.0.0.1:{}", listening.tls_port);
    let tls_to_plain = format!("mqtts://localhost:{plain}");
    let ws_to_plain = format!("ws://localhost:{plain}");
    let plain_to_tls = format!("mqtt://localhost:{}", listening.tls_port);
    let cases: [(&str, &[&str], &str); 7] = [
        (&listening.tls, &["--ca-file", &stranger], "signed by nobody who is trusted here"),
        (&listening.websocket_tls, &["--ca-file", &stranger], "signed by nobody"),
        (&listening.tls, &["--ca-file", &not_pem], "There is no certificate in"),
        (&listening.tls, &["--ca-file", "/nonexistent.pem"], "Cannot read the certificates in"),
        (&by_address, &trusting, "certificate is for another host name"),
        (&tls_to_plain, &trusting, "Cannot connect to the broker at localhost"),
        (&ws_to_plain, &[], "Cannot connect to the broker at localhost"),
    ];
    for version in ["5", "3.1.1"] {
        for (url, more, reason) in cases {
            let more = [&["--mqtt", version], more].concat();
            let (status, errors) = once(url, &more);
            assert_eq!(status, Some(1), "{url} {more:?}: {errors}");
            assert!(errors.contains(reason), "{url} {more:?}: {errors}");
            assert_eq!(errors.lines().count(), 1, "{url} {more:?}: {errors}");
        }
        assert_eq!(once(&plain_to_tls, &["--mqtt", version]).0, Some(1));
    }
}
