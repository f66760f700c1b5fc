//! What whoever runs the broker looks at: `$SYS`, `/metrics`, `/healthz`, and what signals do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::process::Command;
use std::time::Instant;

use tests::http::Connection;
use tests::mosquitto::{Subscriber, publish};
use tests::program::Signal;
use tests::wire::{self, Client, Connect, Version, first_byte};
use tests::{Broker, PATIENCE, POLL_INTERVAL, Program, ports};

/// A broker that speaks of itself so often, in seconds, with these further lines.
#[track_caller]
fn speaking_every(interval_s: u32, lines: &str) -> Broker {
    Broker::configured(|ports| {
        let port = ports.mqtt;
        format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nsys_interval {interval_s}\n{lines}"
        )
    })
}

/// What stands under `$SYS` at a broker, by topic.
#[track_caller]
fn sys_tree(port: u16) -> BTreeMap<String, String> {
    let mut client = Client::open(port);
    client.connect(&Connect::new(Version::V311, "reader"));
    client.subscribe("fence");
    client.send(&wire::subscribe(Version::V311, 2, "$SYS/#", 0));
    client.send(&wire::publish(Version::V311, "fence", 0, 0, b""));
    let mut tree = BTreeMap::new();
    loop {
        let Some((topic, payload)) = client.receive().publication(Version::V311) else { continue };
        if topic == "fence" {
            return tree;
        }
        tree.insert(topic, String::from_utf8(payload).unwrap());
    }
}

/// Looks at what stands under `$SYS` until it is as it should be.
#[track_caller]
fn wait_for_tree(port: u16, what: &str, is_so: impl Fn(&BTreeMap<String, String>) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let tree = sys_tree(port);
        if is_so(&tree) {
            return;
        }
        assert!(Instant::now() < deadline, "{what} does not come: {tree:#?}");
        std::thread::sleep(POLL_INTERVAL);
    }
}

#[test]
fn the_tree_stands_there_from_the_start() {
    let broker = speaking_every(3600, "");
    let tree = sys_tree(broker.ports.mqtt);
    let version = &tree["$SYS/broker/version"];
    assert!(version.starts_with("ws-broker version "), "{version}");
    let uptime = tree["$SYS/broker/uptime"].strip_suffix(" seconds");
    assert!(uptime.is_some_and(|seconds| seconds.parse::<u32>().is_ok()), "{uptime:?}");
    for (topic, payload) in [
        ("clients/total", "0"),
        ("messages/received", "0"),
        ("load/connections/15min", "0.00"),
        ("retained messages/count", "0"),
    ] {
        assert_eq!(tree[&format!("$SYS/broker/{topic}")], payload, "{topic}");
    }
}

/// Monitors that were written for Mosquitto find every topic that they know.
#[test]
fn every_topic_of_mosquitto_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (file, port) = (folder.path().join("mosquitto.conf"), ports::free_port());
    let text = format!("listener {port} 127.0.0.1\nallow_anonymous true\nsys_interval 1\n");
    std::fs::write(&file, text).unwrap();
    let mut mosquitto = Program::start("mosquitto", Command::new("mosquitto").arg("-c").arg(&file));
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(!mosquitto.has_ended() && Instant::now() < deadline, "Mosquitto does not start");
        std::thread::sleep(POLL_INTERVAL);
    }
    // The last to come is the one that needs a client to have been counted.
    let last = "$SYS/broker/clients/maximum";
    let mut counted = Client::open(port);
    counted.connect(&Connect::new(Version::V311, "counted"));
    wait_for_tree(port, last, |tree| tree.contains_key(last));
    let theirs = sys_tree(port);
    assert!(theirs.len() > 40, "{theirs:#?}");

    let ours = sys_tree(speaking_every(3600, "").ports.mqtt);
    let missing: Vec<&String> = theirs.keys().filter(|topic| !ours.contains_key(*topic)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_monitor_sees_the_counts_go_up() {
    let broker = speaking_every(1, "");
    let mut monitor = Subscriber::start(&broker, Version::V311, &["-t", "$SYS/#"]);
    let mut others = vec![Subscriber::start(&broker, Version::V5, &["-t", "a/#"])];
    others.push(Subscriber::start(&broker, Version::V5, &["-t", "$share/g/a/b"]));
    for _ in 0..3 {
        publish(&broker, Version::V5, &["-t", "a/b", "-m", "12345"]);
    }
    publish(&broker, Version::V5, &["-t", "kept", "-m", "12345", "-r"]);
    let mut missing = BTreeMap::from(
        [
            ("clients/connected", 3),
            ("clients/active", 3),
            ("clients/total", 3),
            ("clients/maximum", 3),
            // Each monitor is also subscribed to a topic of its own.
            ("subscriptions/count", 5),
            ("shared_subscriptions/count", 1),
            ("publish/messages/received", 4),
            ("publish/bytes/received", 20),
            // Twice three to the others, and what the monitor got so far.
            ("publish/messages/sent", 6 + 10),
            ("messages/received", 3 * 3 + 4 * 2),
            ("messages/sent", 3 * 3 + 4),
            ("bytes/received", 100),
            ("bytes/sent", 1000),
            ("load/messages/sent/1min", 1),
            ("load/connections/1min", 1),
        ]
        .map(|(topic, least)| (format!("$SYS/broker/{topic}"), f64::from(least))),
    );
    let mut seen = BTreeMap::new();
    while !missing.is_empty() {
        let message = monitor.next_message();
        let payload = String::from_utf8(message.payload).unwrap();
        if let Ok(number) = payload.parse::<f64>()
            && missing.get(&message.topic).is_some_and(|least| number >= *least)
        {
            missing.remove(&message.topic);
        }
        // Only what is new is told; what stood there already comes as a retained message.
        if !message.retain && message.topic != "$SYS/broker/uptime" {
            let before = seen.insert(message.topic.clone(), payload.clone());
            assert_ne!(before, Some(payload), "{} is told twice", message.topic);
        }
    }
}

#[test]
fn who_wants_no_tree_gets_none() {
    let broker = speaking_every(0, "");
    assert_eq!(sys_tree(broker.ports.mqtt), BTreeMap::new());
}

#[test]
fn how_often_it_speaks_can_be_changed_while_it_runs() {
    let broker = speaking_every(0, "");
    let text = "allow_anonymous true\nsys_interval 1";
    broker.rewrite_config(&format!("listener {} 127.0.0.1\n{text}", broker.ports.mqtt));
    broker.reload();
    wait_for_tree(broker.ports.mqtt, "the tree", |tree| {
        tree.get("$SYS/broker/clients/connected").is_some_and(|count| count == "1")
    });
}

/// A broker that serves HTTP, with these further lines.
#[track_caller]
fn serving_http(lines: &str) -> Broker {
    Broker::configured(|ports| {
        let (mqtt, ws) = (ports.mqtt, ports.ws);
        // The one that is waited for comes last.
        format!(
            "allow_anonymous true\n{lines}\nlistener {ws} 127.0.0.1\nprotocol websockets\n\
             listener {mqtt} 127.0.0.1\n"
        )
    })
}

/// One figure of `/metrics`.
fn figure(page: &str, name: &str) -> Option<u64> {
    let mut lines = page.lines().filter_map(|line| line.split_once(' '));
    lines.find_map(|(this, value)| (this == name).then(|| value.parse().unwrap()))
}

#[test]
fn prometheus_reads_the_figures() {
    let broker = serving_http("sys_interval 0");
    let mut subscriber = Subscriber::start(&broker, Version::V5, &["-t", "a"]);
    publish(&broker, Version::V5, &["-t", "a", "-m", "12345"]);
    assert_eq!(subscriber.next_message().payload, b"12345");
    let mut http = Connection::open(broker.ports.ws);
    let answer = http.request("GET", "/metrics", &[]);
    assert_eq!(answer.status, 200);
    let format = answer.header("content-type").unwrap();
    assert!(format.starts_with("text/plain; version=0.0.4"), "{format}");
    let page = String::from_utf8(answer.body).unwrap();
    for (name, value) in [
        ("ws_broker_publishes_received_total", 1),
        ("ws_broker_publishes_sent_total", 1),
        ("ws_broker_publish_bytes_sent_total", 5),
        ("ws_broker_connects_received_total", 2),
        ("ws_broker_subscriptions", 2),
    ] {
        assert_eq!(figure(&page, name), Some(value), "{name} in {page}");
    }
}

#[test]
fn a_health_check_is_answered() {
    let broker = serving_http("");
    let answer = Connection::open(broker.ports.ws).request("GET", "/healthz", &[]);
    assert_eq!((answer.status, answer.body), (200, b"ok\n".to_vec()));
}

/// A page whose name was made to stand for this machine gets nothing out of a visitor's browser.
#[test]
fn another_hosts_name_opens_no_figures() {
    let ask = |broker: &Broker, path: &str| {
        let mut http = Connection::open(broker.ports.ws);
        http.send(format!("GET {path} HTTP/1.1\r\nHost: page.example\r\n\r\n").as_bytes());
        http.response(true).unwrap().status
    };
    let private = serving_http("");
    let public = serving_http("metrics_public true");
    for path in ["/metrics", "/healthz"] {
        assert_eq!(ask(&private, path), 403, "{path}");
        assert_eq!(ask(&public, path), 200, "{path}");
    }
}

/// What Mosquitto's signals do there, and that they end nothing.
#[test]
fn signals_have_it_tell_something() {
    let broker = speaking_every(0, "");
    let mut client = broker.connect(Version::V5, "kitchen");
    client.subscribe("home/+/temperature");
    client.subscribe("$share/group/home/#");
    broker.program().signal(Signal::USR1);
    broker.wait_for_log("to save", &[""]);
    broker.program().signal(Signal::USR2);
    for filter in ["home/+/temperature", "$share/group/home/#"] {
        broker.wait_for_log("Subscription to", &[&format!("{filter} of kitchen")]);
    }
    client.ping();
}

/// Who publishes more than `memory_limit` leaves room for is told so and cut off; others stay.
#[test]
fn memory_that_is_used_up_is_used_by_nobody_else() {
    const LIMIT: usize = 48 << 20;
    const MESSAGE: usize = 1 << 20;
    const QUOTA_EXCEEDED: u8 = 0x97;
    let limited = |limit: usize| format!("memory_limit {limit}");
    let broker = speaking_every(0, &limited(LIMIT));
    let mut bystander = broker.connect(Version::V5, "bystander");
    let mut hoarder = broker.connect(Version::V5, "hoarder");
    let mut kept = 0;
    let end = loop {
        let payload = vec![b'x'; MESSAGE];
        let topic = format!("hoard/{kept}");
        let mut publish = wire::publish(Version::V5, &topic, 1, 1, &payload);
        publish[0] |= 1;
        hoarder.send_if_taken(&publish);
        let answer = hoarder.receive();
        if answer.first_byte != first_byte::PUBACK {
            break answer;
        }
        kept += 1;
        assert!(kept * MESSAGE <= LIMIT, "it keeps more than it may");
    };
    assert_eq!(end.disconnect_reason(), Some(QUOTA_EXCEEDED));
    // A large message keeps the buffer that it came in, which may be twice its size.
    assert!(kept * MESSAGE > LIMIT / 4, "{kept} messages are much less than the limit");

    bystander.ping();
    let mut newcomer = broker.open();
    newcomer.send(&Connect::new(Version::V5, "newcomer").bytes());
    assert_eq!(newcomer.receive().body[1], QUOTA_EXCEEDED);

    let listener = format!("listener {} 127.0.0.1\nallow_anonymous true", broker.ports.mqtt);
    broker.rewrite_config(&format!("{listener}\n{}", limited(2 * LIMIT)));
    broker.reload();
    drop(broker.connect(Version::V5, "newcomer"));
}
