//! What the broker does with its command line, its signals and its addresses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use tests::broker::{Ports, bare_command, command};
use tests::program::{Signal, Stream};
use tests::{Broker, Program, Version};

/// The status for what makes no sense, which is Mosquitto's too.
const INVALID: i32 = 3;

/// Runs the broker with arguments that make it end by itself: its exit status, standard output and
/// standard error.
#[track_caller]
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut program = Program::start("ws-broker", bare_command().args(arguments));
    let status = program.wait_exit();
    (status.code(), program.text(Stream::Out), program.text(Stream::Err))
}

#[test]
fn help_names_every_option() {
    for option in ["--help", "-h"] {
        let (status, help, complaints) = run(&[option]);
        assert_eq!((status, complaints.as_str()), (Some(0), ""), "{option}");
        for named in
            ["-c", "-p", "--port", "--ws-port", "--test-config", "-v", "--help", "--version"]
        {
            assert!(help.contains(named), "{option} does not name {named}:\n{help}");
        }
    }
}

#[test]
fn version_is_one_line_that_names_the_program() {
    let (status, version, complaints) = run(&["--version"]);
    assert_eq!((status, complaints.as_str()), (Some(0), ""));
    let mut words = version.split(' ');
    assert_eq!(words.next(), Some("ws-broker"), "{version}");
    assert!(words.next().is_some_and(|number| number.split('.').count() == 3), "{version}");
}

#[test]
fn what_it_does_not_understand_it_names_and_does_not_start() {
    let cases: [(&[&str], &str); 6] = [
        (&["--colour"], "--colour"),
        (&["-p", "seaside"], "seaside"),
        (&["-p", "70000"], "70000"),
        (&["-p", "-1"], "-1"),
        (&["--ws-port"], "--ws-port"),
        (&["--ws-port", ""], "--ws-port"),
    ];
    for (arguments, named) in cases {
        let (status, output, complaint) = run(arguments);
        assert_eq!(status, Some(INVALID), "{arguments:?}");
        assert!(complaint.contains(named), "{arguments:?}: {complaint}");
        assert!(!complaint.contains("panicked"), "{arguments:?}: {complaint}");
        assert_eq!(output, "", "{arguments:?}");
    }
}

#[test]
fn an_interrupt_and_a_request_to_end_stop_it_cleanly() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut broker = Broker::start();
        let mut clients: Vec<_> =
            Version::ALL.map(|version| (version, broker.connect(version, version.option()))).into();
        let status = broker.stop_with(signal);
        assert_eq!(status.code(), Some(0), "{signal:?}");
        for (version, client) in &mut clients {
            let farewell = client.receive_until_closed();
            let reasons: Vec<_> =
                farewell.iter().map(|packet| packet.disconnect_reason()).collect();
            if *version == Version::V5 {
                const SERVER_SHUTTING_DOWN: u8 = 0x8B;
                assert_eq!(reasons, [Some(SERVER_SHUTTING_DOWN)], "{signal:?}");
            } else {
                assert_eq!(farewell, [], "{version} has no DISCONNECT from the broker");
            }
        }
        // The ports are free again at once.
        drop(Broker::start_on(broker.ports, &[]));
    }
}

#[test]
fn verbose_logs_more_and_nothing_is_said_on_standard_output() {
    let log_of_a_visit = |arguments: &[&str]| {
        let mut broker = Broker::start_on(Ports::free(), arguments);
        let mut client = broker.connect(Version::V311, "visitor");
        client.subscribe("a/b");
        broker.wait_for_log("visitor", &[""]);
        broker.stop_with(Signal::TERM);
        assert_eq!(broker.program().text(Stream::Out), "");
        broker.log()
    };
    let usual = log_of_a_visit(&[]);
    for option in ["-v", "--verbose"] {
        let verbose = log_of_a_visit(&[option]);
        assert!(verbose.contains("a/b") && !usual.contains("a/b"), "{option}: {verbose}");
        assert!(verbose.lines().count() > usual.lines().count(), "{option}");
    }
}

#[test]
fn the_log_names_where_it_listens() {
    let broker = Broker::start_on(Ports::free(), &[]);
    for port in [broker.ports.mqtt, broker.ports.ws] {
        broker.wait_for_log(&port.to_string(), &["listen"]);
    }
}

#[test]
fn it_listens_on_several_ports_when_told_to() {
    let (first, second) = (Ports::free(), Ports::free());
    let other = second.mqtt.to_string();
    let broker = Broker::start_on(first, &["-p", &other]);
    broker.wait_for_log(&other, &["listen"]);
    let mut subscriber = tests::wire::Client::open(second.mqtt);
    subscriber.connect(&tests::wire::Connect::new(Version::V311, "on-the-second"));
    subscriber.subscribe("a");
    let mut publisher = broker.connect(Version::V311, "on-the-first");
    publisher.send(&tests::wire::publish(Version::V311, "a", 0, 0, b"across"));
    assert_eq!(subscriber.receive_publication(), ("a".to_owned(), b"across".to_vec()));
}

/// Without a configuration nobody but this machine may connect.
#[test]
fn it_listens_on_loopback_alone() {
    /// `127.0.0.1` and `::1` as the kernel writes them: in hexadecimal, in words of this machine.
    const LOOPBACK: [&str; 2] = ["0100007F", "00000000000000000000000001000000"];
    /// TCP_LISTEN.
    const LISTENING: &str = "0A";
    let broker = Broker::start();
    for port in [broker.ports.mqtt, broker.ports.ws] {
        let mut listening = 0;
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            let Ok(table) = std::fs::read_to_string(table) else { continue };
            for line in table.lines().skip(1) {
                let fields: Vec<&str> = line.split_whitespace().collect();
                let (address, hexadecimal) = fields[1].split_once(':').expect("address:port");
                if fields[3] == LISTENING && hexadecimal == format!("{port:04X}") {
                    assert!(LOOPBACK.contains(&address), "port {port} listens on {address}");
                    listening += 1;
                }
            }
        }
        assert!(listening > 0, "port {port} is not in the table of sockets");
    }
}

#[test]
fn the_dashboard_port_may_not_be_the_mqtt_port() {
    let port = Ports::free().mqtt;
    let same = Ports { mqtt: port, ws: port };
    let mut program = Program::start("ws-broker", &mut command(same));
    let status = program.wait_exit();
    assert!(!status.success(), "{status}");
    let said = program.text(Stream::Err);
    assert!(said.contains(&port.to_string()) && !said.contains("panicked"), "{said}");
}
