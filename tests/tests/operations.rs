//! What whoever runs the broker looks at: `$SYS`, `/metrics`, `/healthz`, and what signals do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use std::collections::BTreeMap;
use std::time::Instant;

use tests::http::Connection;
use tests::mosquitto::{Subscriber, publish};
use tests::program::Signal;
use tests::wire::{self, Client, Connect, Version};
use tests::{Broker, PATIENCE, POLL_INTERVAL};

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
        // Only what is new is told.
        if message.topic != "$SYS/broker/uptime" {
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
        format!(
            "allow_anonymous true\n{lines}\nlistener {mqtt} 127.0.0.1\nlistener {ws} 127.0.0.1\n\
             protocol websockets\n"
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
