//! TLS as a user of Mosquitto sets it up: certificates of servers and of clients, and what they open.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tests::broker::{Ports, connect, run_until_it_ends};
use tests::certificates::{Authority, Owner, Pair};
use tests::{Broker, PATIENCE, Program, python};

/// How long a Python program may take.
const SCRIPT_LIMIT: Duration = Duration::from_secs(120);

/// A listener with TLS, whose certificate is the authority's.
fn listener(ports: Ports, server: &Pair, more: &str) -> String {
    format!(
        "listener {} 127.0.0.1\ncertfile {}\nkeyfile {}\nallow_anonymous true\n{more}",
        ports.mqtt,
        server.certificate.display(),
        server.key.display()
    )
}

/// Publishes by `mosquitto_pub` with these arguments about TLS; says whether the broker took it.
#[track_caller]
fn publish(broker: &Broker, trusted: &Path, arguments: &[&str]) -> bool {
    let mut command = Command::new("mosquitto_pub");
    command.args(["-h", "localhost", "-p", &broker.ports.mqtt.to_string(), "-q", "1"]);
    command.args(["-t", "a/b", "-m", "x", "-i", "publisher"]).arg("--cafile").arg(trusted);
    let name = format!("mosquitto_pub {}", arguments.join(" "));
    Program::start(&name, command.args(arguments)).wait_exit().success()
}

fn with_certificate(pair: &Pair) -> [String; 4] {
    let path = |path: &Path| path.display().to_string();
    ["--cert".into(), path(&pair.certificate), "--key".into(), path(&pair.key)]
}

#[track_caller]
fn publish_as(broker: &Broker, authority: &Authority, pair: &Pair) -> bool {
    let arguments = with_certificate(pair);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    publish(broker, &authority.certificate(), &arguments)
}

#[test]
fn clients_come_in_by_tls_1_2_and_1_3() {
    let mut authority = None;
    let broker = Broker::configured_with(|ports, folder| {
        let ca = authority.insert(Authority::new(folder, "ca"));
        listener(ports, &ca.sign(&Owner::Server, "server"), "")
    });
    let authority = authority.unwrap();
    let port = broker.ports.mqtt.to_string();
    let trusted = authority.certificate().display().to_string();
    for version in ["1.2", "1.3"] {
        python::run("secure.py", &["tcp", &port, &trusted, version], SCRIPT_LIMIT);
    }
    let folder = tempfile::tempdir().unwrap();
    let stranger = Authority::new(folder.path(), "stranger");
    assert!(!publish(&broker, &stranger.certificate(), &[]), "the client does not trust it");
    assert!(publish(&broker, &authority.certificate(), &[]), "and nobody else is hurt");
}

#[test]
fn only_tls_1_3_where_that_is_asked_for() {
    let mut authority = None;
    let broker = Broker::configured_with(|ports, folder| {
        let ca = authority.insert(Authority::new(folder, "ca"));
        listener(ports, &ca.sign(&Owner::Server, "server"), "tls_version tlsv1.3")
    });
    let trusted = authority.unwrap().certificate();
    let (port, trusted) = (broker.ports.mqtt.to_string(), trusted.display().to_string());
    for (version, wanted) in [("1.3", true), ("1.2", false)] {
        let arguments = ["tcp", &port, &trusted, version];
        assert_eq!(python::succeeds("secure.py", &arguments, SCRIPT_LIMIT), wanted, "{version}");
    }
}

#[test]
fn python_programs_come_in_by_tls_and_by_secure_websockets() {
    let mut authority = None;
    let broker = Broker::configured_with(|ports, folder| {
        let ca = authority.insert(Authority::new(folder, "ca"));
        let server = ca.sign(&Owner::Server, "server");
        let web = format!(
            "listener {} 127.0.0.1\nprotocol websockets\ncertfile {}\nkeyfile {}\n",
            ports.ws,
            server.certificate.display(),
            server.key.display()
        );
        listener(ports, &server, &web)
    });
    let trusted = authority.unwrap().certificate().display().to_string();
    for (transport, port) in [("tcp", broker.ports.mqtt), ("websockets", broker.ports.ws)] {
        python::run("secure.py", &[transport, &port.to_string(), &trusted, "1.3"], SCRIPT_LIMIT);
    }
}

/// The class of flaws: who has no certificate, or the wrong one, gets in by it all the same.
#[test]
fn certificate_identity_only_a_trusted_valid_certificate_opens_the_door() {
    let mut files = None;
    let broker = Broker::configured_with(|ports, folder| {
        let ca = Authority::new(folder, "ca");
        let stranger = Authority::new(folder, "stranger");
        let server = ca.sign(&Owner::Server, "server");
        let good = ca.sign(&Owner::Client("alice"), "alice");
        let late = ca.sign(&Owner::Late("late"), "late");
        let revoked = ca.sign(&Owner::Client("revoked"), "revoked");
        let forged = stranger.sign(&Owner::Client("alice"), "forged");
        let crl = ca.revoke(&[&revoked]);
        let more = format!(
            "require_certificate true\nuse_identity_as_username true\ncafile {}\ncrlfile {}\n\
             allow_anonymous false",
            ca.certificate().display(),
            crl.display()
        );
        let text = listener(ports, &server, "").replace("allow_anonymous true\n", &more);
        files = Some((ca, good, late, revoked, forged));
        text
    });
    let (ca, good, late, revoked, forged) = files.unwrap();
    assert!(publish_as(&broker, &ca, &good));
    broker.wait_for_log("as publisher", &["u'alice'"]);
    assert!(!publish(&broker, &ca.certificate(), &[]), "no certificate");
    assert!(!publish_as(&broker, &ca, &late), "out of date");
    assert!(!publish_as(&broker, &ca, &revoked), "revoked");
    assert!(!publish_as(&broker, &ca, &forged), "of another authority");
    assert!(publish_as(&broker, &ca, &good));
    let log = broker.log();
    assert_eq!(log.matches("New client connected").count(), 2, "{log}");
}

/// Names are to come from certificates, and nobody is asked for one: nobody comes in.
#[test]
fn who_has_no_name_in_a_certificate_stays_out_where_names_come_from_there() {
    let mut authority = None;
    let broker = Broker::configured_with(|ports, folder| {
        let ca = authority.insert(Authority::new(folder, "ca"));
        listener(ports, &ca.sign(&Owner::Server, "server"), "use_identity_as_username true")
    });
    let trusted = authority.unwrap().certificate();
    assert!(!publish(&broker, &trusted, &["-u", "alice", "-P", "any"]));
    broker.wait_for_log("no user name in its certificate", &[""]);
}

#[test]
fn a_certificate_s_whole_subject_can_be_the_user_name() {
    let mut files = None;
    let broker = Broker::configured_with(|ports, folder| {
        let ca = Authority::new(folder, "ca");
        let more = format!(
            "require_certificate true\nuse_subject_as_username true\ncafile {}",
            ca.certificate().display()
        );
        let text = listener(ports, &ca.sign(&Owner::Server, "server"), &more);
        let client = ca.sign(&Owner::Client("alice"), "alice");
        files = Some((ca, client));
        text
    });
    let (ca, client) = files.unwrap();
    assert!(publish_as(&broker, &ca, &client));
    broker.wait_for_log("as publisher", &["u'CN=alice,O=Sensors'"]);
}

#[test]
fn a_reload_takes_new_certificates_and_lists_and_cuts_nobody_off() {
    let mut files = None;
    let broker = Broker::configured_with(|ports, folder| {
        let ca = Authority::new(folder, "ca");
        let server = ca.sign(&Owner::Server, "server");
        let client = ca.sign(&Owner::Client("alice"), "alice");
        let crl = ca.revoke(&[]);
        let more = format!(
            "require_certificate true\ncafile {}\ncrlfile {}",
            ca.certificate().display(),
            crl.display()
        );
        let text = listener(ports, &server, &more);
        files = Some((ca, client));
        text
    });
    let (ca, client) = files.unwrap();
    // With its output in a pipe it would keep its lines back until there are many.
    let mut command = Command::new("stdbuf");
    command.args([
        "--output=L",
        "mosquitto_sub",
        "-h",
        "localhost",
        "-p",
        &broker.ports.mqtt.to_string(),
        "-t",
        "a/b",
        "-d",
    ]);
    command.arg("--cafile").arg(ca.certificate()).args(with_certificate(&client));
    let mut subscriber = Program::start("mosquitto_sub", &mut command);
    subscriber.wait_for_line("Subscribed (mid:");

    let _list = ca.revoke(&[&client]);
    broker.reload();
    assert!(!publish_as(&broker, &ca, &client), "revoked for who comes now");
    let other = ca.sign(&Owner::Client("bob"), "bob");
    assert!(publish_as(&broker, &ca, &other));
    subscriber.wait_for_line("received PUBLISH");
    // Another server's certificate, of another authority.
    let next = Authority::new(broker.folder(), "next");
    let _server = next.sign(&Owner::Server, "server");
    broker.reload();
    assert!(!publish_as(&broker, &ca, &other), "the client does not trust the new one yet");
    assert!(publish_as(&broker, &next, &other));
    subscriber.signal(tests::program::Signal::TERM);
    subscriber.wait_exit();
}

#[test]
fn what_tls_can_not_be_made_of_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Authority::new(folder.path(), "ca");
    let server = ca.sign(&Owner::Server, "server");
    let other = ca.sign(&Owner::Server, "other");
    let broken = folder.path().join("broken.pem");
    std::fs::write(&broken, "no certificate").unwrap();
    let display = |path: &Path| path.display().to_string();
    let (certificate, key) = (display(&server.certificate), display(&server.key));
    for (certfile, keyfile, more, part) in [
        ("/no/such/file", &*key, "", "/no/such/file"),
        (&*display(&broken), &*key, "", "broken.pem"),
        (&*certificate, "/no/such/key", "", "/no/such/key"),
        (&*certificate, &*display(&other.key), "", "does not belong to"),
        (&*certificate, &*key, "ciphers AES128-SHA", "AES128-SHA"),
        (&*certificate, &*key, "tls_version ssl3", "ssl3"),
    ] {
        let port = Ports::free().mqtt;
        let text = format!(
            "dashboard_port 0\nuser root\nlistener {port}\ncertfile {certfile}\nkeyfile {keyfile}\n{more}"
        );
        let (status, said) = run_until_it_ends(&text, &[]);
        assert_ne!(status, Some(0), "{part}: {said}");
        assert!(said.contains(part), "{part}: {said}");
    }
}

/// The class of flaws: connections that begin a handshake and never end it keep others out.
#[test]
fn half_open_connections_and_half_finished_tls_handshakes_are_bounded_and_timed_out() {
    const CLIENT_HELLO_BEGINS: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    let mut authority = None;
    let broker = Broker::configured_with(|ports, folder| {
        let ca = authority.insert(Authority::new(folder, "ca"));
        listener(ports, &ca.sign(&Owner::Server, "server"), "")
    });
    let trusted = authority.unwrap().certificate();
    let mut half_open = Vec::new();
    for number in 0..200 {
        let mut stream = connect(broker.ports.mqtt);
        if number % 2 == 0 {
            stream.write_all(CLIENT_HELLO_BEGINS).unwrap();
        }
        half_open.push(stream);
    }
    assert!(publish(&broker, &trusted, &[]), "others are served meanwhile");
    for mut stream in half_open {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // Closed by the broker, with an alert or without.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
    assert!(publish(&broker, &trusted, &[]));
}
