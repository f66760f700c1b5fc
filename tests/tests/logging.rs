//! What the broker writes down, where, and in which words.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use std::path::Path;
use std::time::Instant;

use tests::broker::{Ports, bare_command, run_until_it_ends};
use tests::mosquitto::{Subscriber, publish};
use tests::program::{Program, Signal, Stream};
use tests::wire::{Client, Connect};
use tests::{Broker, PATIENCE, POLL_INTERVAL, Version};

/// Waits until a file holds a line with this part.
#[track_caller]
fn wait_for_line(file: &Path, part: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if let Some(line) = text.lines().find(|line| line.contains(part)) {
            return line.to_owned();
        }
        assert!(Instant::now() < deadline, "no line with {part:?} in {text}");
        std::thread::sleep(POLL_INTERVAL);
    }
}

fn listener(ports: Ports) -> String {
    format!("listener {} 127.0.0.1\nallow_anonymous true\n", ports.mqtt)
}

/// A broker that is not told to log all it can, and so keeps to what its file says.
fn start(configure: impl Fn(Ports) -> String) -> (Program, Ports, tempfile::TempDir) {
    let (folder, ports) = (tempfile::tempdir().unwrap(), Ports::free());
    let file = folder.path().join("mosquitto.conf");
    let text = format!("dashboard_port 0\nuser root\n{}", configure(ports));
    std::fs::write(&file, text).unwrap();
    let program = Program::start("ws-broker", bare_command().arg("-c").arg(&file));
    let deadline = Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(("127.0.0.1", ports.mqtt)).is_err() {
        assert!(Instant::now() < deadline, "the broker does not answer");
        std::thread::sleep(POLL_INTERVAL);
    }
    (program, ports, folder)
}

/// A client comes, subscribes and goes, and another is there when that has been logged.
fn visit(ports: Ports) {
    let mut client = Client::open(ports.mqtt);
    client.connect(&Connect::new(Version::V311, "visitor"));
    client.subscribe("a/b");
    drop(client);
}

#[test]
fn clients_come_and_go_in_words_that_mosquitto_uses() {
    let broker = Broker::start();
    publish(&broker, Version::V311, &["-i", "me", "-u", "ana", "-t", "a/b", "-m", "x", "-q", "1"]);
    visit(broker.ports);
    let port = format!("on port {}.", broker.ports.mqtt);
    for part in [
        "New connection from 127.0.0.1:",
        &port,
        "as me (p2, c1, k60, u'ana').",
        "No will message specified.",
        "Sending CONNACK to me (0, 0)",
        "Received PUBLISH from me (d0, q1, r0, m1, 'a/b', ... (1 bytes))",
        "Sending PUBACK to me (m1, rc16)",
        "Received DISCONNECT from me",
        "Client me disconnected.",
        "Received SUBSCRIBE from visitor",
        "\ta/b (QoS 1)",
        "visitor 1 a/b",
        "Sending SUBACK to visitor",
        "Client visitor closed its connection.",
    ] {
        broker.wait_for_log(part, &[""]);
    }
}

/// What watches a log for those who guess passwords looks for these words.
#[test]
fn who_is_turned_down_is_named() {
    let broker = Broker::configured(|ports| format!("listener {} 127.0.0.1", ports.mqtt));
    let mut client = broker.open();
    client.send(&Connect::new(Version::V311, "guest").bytes());
    client.receive_until_closed();
    broker.wait_for_log("Client guest disconnected, not authorised.", &[""]);
}

#[test]
fn json_lines_name_the_client_and_where_it_is() {
    let broker =
        Broker::configured(|ports| format!("log_format json\nlog_type all\n{}", listener(ports)));
    let client = broker.connect(Version::V5, "kitchen \"2\"");
    let address = client.address().to_string();
    drop(client);
    for (part, level) in [("New client connected", "notice"), ("closed its connection", "notice")] {
        let line = broker.wait_for_log(part, &[""]);
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["level"], level, "{line}");
        assert_eq!(line["client"], "kitchen \"2\"", "{line}");
        assert_eq!(line["peer"], address, "{line}");
    }
    let line = broker.wait_for_log("New connection", &[&address]);
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["peer"], address, "{line}");
}

#[test]
fn a_log_file_is_closed_and_opened_anew_when_it_is_asked_to() {
    let mut log = Path::new("").to_owned();
    let broker = Broker::configured_with(|ports, folder| {
        log = folder.join("broker.log");
        format!("{}log_dest file {}", listener(ports), log.display())
    });
    wait_for_line(&log, "running");
    let old = log.with_extension("old");
    std::fs::rename(&log, &old).unwrap();
    broker.program().signal(Signal::HUP);
    wait_for_line(&log, "Config reloaded.");
    drop(broker.connect(Version::V5, "late"));
    wait_for_line(&log, "late");
    assert!(!std::fs::read_to_string(&old).unwrap().contains("late"));
    assert_eq!(broker.log(), "", "standard error is not a destination any more");
}

#[test]
fn a_log_file_that_can_not_be_opened_is_said() {
    let text = format!("{}log_dest file /no/such/folder/log", listener(Ports::free()));
    let (status, said) = run_until_it_ends(&text, &[]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("/no/such/folder/log"), "{said}");
}

#[test]
fn the_types_and_the_look_of_lines_are_what_was_asked_for() {
    let (program, ports, folder) = start(|ports| {
        format!(
            "{}log_dest stdout\nlog_type subscribe\nlog_type error\nlog_timestamp_format %Y|%H",
            listener(ports)
        )
    });
    visit(ports);
    let said = |part: &'static str| {
        program.wait_for(part, move |lines| {
            lines.iter().find(|line| line.text.contains(part)).map(|line| line.text.clone())
        })
    };
    let line = said("visitor 1 a/b");
    assert!(line.starts_with("20") && line.contains('|'), "{line}");
    assert_eq!(program.text(Stream::Out).lines().count(), 1, "one line, of the one type");
    // A reload changes what is logged, and how.
    let text =
        format!("dashboard_port 0\nuser root\n{}log_dest stdout\nlog_format json", listener(ports));
    std::fs::write(folder.path().join("mosquitto.conf"), text).unwrap();
    program.signal(Signal::HUP);
    let line: serde_json::Value = serde_json::from_str(&said("Config reloaded.")).unwrap();
    assert_eq!(line["level"], "information");
}

#[test]
fn connection_messages_can_be_left_out() {
    let (program, ports, _folder) = start(|ports| {
        format!("{}log_type notice\nlog_type subscribe\nconnection_messages false", listener(ports))
    });
    visit(ports);
    program.wait_for("the subscription", |lines| {
        lines.iter().any(|line| line.text.contains("visitor 1 a/b")).then_some(())
    });
    assert_eq!(program.text(Stream::Err).lines().count(), 1);
}

#[test]
fn log_lines_can_be_subscribed_to() {
    let broker = Broker::configured(|ports| format!("{}log_dest topic", listener(ports)));
    let filter = "$SYS/broker/log/#";
    let mut watcher = Subscriber::start(&broker, Version::V311, &["-t", filter, "-q", "2"]);
    let mut client = broker.connect(Version::V311, "visitor");
    client.subscribe("a/b");
    let mut heard = Vec::new();
    while heard.last() != Some(&"$SYS/broker/log/M/subscribe".to_owned()) {
        let message = watcher.next_message();
        if String::from_utf8_lossy(&message.payload).contains("visitor") {
            heard.push(message.topic);
        }
    }
    assert_eq!(heard, ["$SYS/broker/log/N", "$SYS/broker/log/M/subscribe"]);
}
