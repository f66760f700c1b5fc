//! Where clients arrive: both Internets, Unix sockets, behind a proxy, and no more than there may be.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Command;

use tests::broker::{Ports, connect};
use tests::wire::{Client, Connect};
use tests::{Broker, PATIENCE, Program, Version};

/// The CONNACK that accepts.
const ACCEPTED: [u8; 4] = [0x20, 2, 0, 0];

fn open(ports: Ports, more: &str) -> String {
    format!("listener {} 127.0.0.1\nallow_anonymous true\n{more}", ports.mqtt)
}

/// Sends a CONNECT and reads the first bytes of the answer.
fn try_connect(stream: &mut (impl Read + Write), client_id: &str) -> std::io::Result<[u8; 4]> {
    stream.write_all(&Connect::new(Version::V311, client_id).bytes())?;
    let mut connack = [0; 4];
    stream.read_exact(&mut connack)?;
    Ok(connack)
}

#[test]
fn a_listener_without_an_address_is_on_both_internets() {
    let broker =
        Broker::configured(|ports| format!("listener {}\nallow_anonymous true", ports.mqtt));
    for host in ["127.0.0.1", "::1"] {
        let Ok(mut stream) = TcpStream::connect((host, broker.ports.mqtt)) else {
            // A machine without IPv6 has nothing there to listen on.
            assert_eq!(host, "::1");
            assert!(TcpStream::connect((host, 1)).is_err());
            continue;
        };
        assert_eq!(try_connect(&mut stream, host).unwrap(), ACCEPTED, "{host}");
    }
}

#[test]
fn one_internet_or_one_interface_can_be_enough() {
    for more in ["socket_domain ipv4", "bind_interface lo"] {
        let broker = Broker::configured(|ports| {
            format!("listener {}\n{more}\nallow_anonymous true", ports.mqtt)
        });
        let mut stream = connect(broker.ports.mqtt);
        assert_eq!(try_connect(&mut stream, "client").unwrap(), ACCEPTED, "{more}");
        if more.contains("ipv4") {
            assert!(TcpStream::connect(("::1", broker.ports.mqtt)).is_err());
        }
    }
}

#[test]
fn programs_of_this_machine_come_in_by_a_unix_socket() {
    let broker = Broker::configured_with(|ports, folder| {
        // A broker that was killed has left its socket behind.
        let path = folder.join("mqtt.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        open(ports, &format!("listener 0 {}", path.display()))
    });
    // The harness waits for the first listener alone.
    broker.wait_for_log("running", &["version"]);
    let path = broker.folder().join("mqtt.sock");
    let mut stream = UnixStream::connect(&path).unwrap();
    assert_eq!(try_connect(&mut stream, "neighbour").unwrap(), ACCEPTED);
    // Coming back by TCP takes over the session, whichever worker each came to.
    drop(broker.connect(Version::V311, "neighbour"));
    let mut rest = Vec::new();
    assert_eq!(stream.read_to_end(&mut rest).unwrap(), 0);
    broker.stop();
    assert!(!path.exists());
}

#[test]
fn a_proxy_says_where_a_connection_comes_from() {
    let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    v2.extend([192, 0, 2, 7, 192, 0, 2, 1, 0x13, 0x88, 0x07, 0x5b]);
    let v1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 1883\r\n".to_vec();
    for (version, header) in [(1, v1), (2, v2)] {
        let more = format!("enable_proxy_protocol {version}");
        let broker = Broker::configured(|ports| open(ports, &more));
        let mut stream = connect(broker.ports.mqtt);
        // In pieces, as a slow network would bring it.
        for byte in &header {
            stream.write_all(&[*byte]).unwrap();
        }
        assert_eq!(try_connect(&mut stream, "behind").unwrap(), ACCEPTED, "{version}");
        broker.wait_for_log("New client connected from 192.0.2.7:5000", &["behind"]);
        let mut stream = connect(broker.ports.mqtt);
        // It may be waiting for the rest of a header, and then for no longer than for a CONNECT.
        assert!(try_connect(&mut stream, "direct").is_err(), "{version}: without a header");
        broker.wait_for_log("closed", &["PROXY protocol", "took too long"]);
    }
}

#[test]
fn no_more_clients_than_a_listener_takes_and_a_place_is_free_again() {
    let broker = Broker::configured(|ports| open(ports, "max_connections 2"));
    // The harness has looked whether the broker answers, and hangs up.
    let mut first = loop {
        let mut stream = connect(broker.ports.mqtt);
        if try_connect(&mut stream, "first").is_ok() {
            break stream;
        }
    };
    let mut second = loop {
        let mut stream = connect(broker.ports.mqtt);
        if try_connect(&mut stream, "second").is_ok() {
            break stream;
        }
    };
    let mut third = connect(broker.ports.mqtt);
    assert!(try_connect(&mut third, "third").is_err());
    broker.wait_for_log("max_connections exceeded", &["denied"]);
    // DISCONNECT, and the end of the connection when the broker has seen it.
    first.write_all(&[0xe0, 0]).unwrap();
    assert_eq!(first.read_to_end(&mut Vec::new()).unwrap(), 0);
    let accepted = loop {
        let mut stream = connect(broker.ports.mqtt);
        if let Ok(connack) = try_connect(&mut stream, "fourth") {
            break connack;
        }
    };
    assert_eq!(accepted, ACCEPTED);
    second.write_all(&[0xc0, 0]).unwrap();
    let mut pong = [0; 2];
    second.read_exact(&mut pong).unwrap();
    assert_eq!(pong, [0xd0, 0]);
}

/// The class of flaws: who opens all connections there can be brings the broker down, or keeps it busy
/// for ever.
#[test]
fn file_descriptors_exhausted_accepting_pauses_serving_goes_on_and_it_recovers() {
    let ports = Ports::free();
    let mut command = Command::new("sh");
    let binary = std::env::var(tests::broker::BROKER_BIN_VARIABLE).unwrap();
    command.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\"", &binary]);
    command.args(["-p", &ports.mqtt.to_string(), "--ws-port", &ports.ws.to_string()]);
    let mut program = Program::start("ws-broker", &mut command);
    program.wait_for_line("running");
    let mut steady = Client::open(ports.mqtt);
    steady.connect(&Connect::new(Version::V311, "steady"));
    let mut crowd: Vec<_> = (0..200).map(|_| connect(ports.mqtt)).collect();
    program.wait_for_line("New connections have to wait");
    steady.ping();
    // Some of them are served even so.
    let client = crowd.first_mut().unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(try_connect(client, "early").unwrap(), ACCEPTED);
    drop(crowd);
    let mut late = Client::open(ports.mqtt);
    late.connect(&Connect::new(Version::V311, "late"));
    late.ping();
    steady.ping();
    program.signal(tests::program::Signal::TERM);
    assert!(program.wait_exit().success());
}
