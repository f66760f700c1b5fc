//! HTTP on the WebSocket port: the dashboard's files, and the handshake of the WebSocket.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use std::time::Duration;

use tests::http::{Connection, Response, opcode};
use tests::wire::{self, Connect, first_byte, publish, subscribe};
use tests::{Broker, Version};

/// The broker gives the head of a request fifteen seconds; beyond this it is too slow.
const SLOW_LIMIT: Duration = Duration::from_secs(30);

fn connection(broker: &Broker) -> Connection {
    Connection::open(broker.ports.ws)
}

/// A GET on a connection of its own.
fn get(broker: &Broker, path: &str, headers: &[(&str, &str)]) -> Response {
    connection(broker).request("GET", path, headers)
}

/// The paths of the files that the page names: its scripts, styles and modules.
fn files_of_the_page(page: &str) -> Vec<String> {
    let quoted = page.split(['"', '\'']).skip(1).step_by(2);
    let is_file = |text: &&str| {
        let name = text.split('?').next().unwrap_or_default();
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        name.starts_with('/')
            && extension.is_some_and(|extension| ["js", "wasm", "css", "svg"].contains(&extension))
    };
    quoted.filter(is_file).map(str::to_owned).collect()
}

#[test]
fn the_root_is_the_dashboard() {
    let broker = Broker::start();
    for path in ["/", "/index.html", "/?theme=dark"] {
        let page = get(&broker, path, &[]);
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        let text = String::from_utf8(page.body).expect("the page is UTF-8");
        assert!(text.to_lowercase().starts_with("<!doctype html>"), "{path}: {text}");
    }
}

/// For a command that works as it is typed.
#[test]
fn the_page_is_told_where_mqtt_is_spoken_without_tls() {
    let broker = Broker::start();
    let told = get(&broker, "/mqtt-port", &[]);
    assert_eq!((told.status, told.header("cache-control")), (200, Some("no-store")));
    assert_eq!(String::from_utf8_lossy(&told.body), format!("{}\n", broker.ports.mqtt));
}

#[test]
fn every_file_that_the_page_names_is_there_with_its_content_type() {
    let broker = Broker::start();
    let page = String::from_utf8(get(&broker, "/", &[]).body).expect("the page is UTF-8");
    for path in files_of_the_page(&page) {
        let file = get(&broker, &path, &[]);
        assert_eq!(file.status, 200, "{path}");
        let content_type = file.header("content-type").unwrap_or_default();
        let expected = match path.rsplit_once('.').unwrap().1 {
            "js" => "text/javascript",
            "wasm" => "application/wasm",
            "css" => "text/css",
            _ => "image/svg+xml",
        };
        assert!(content_type.starts_with(expected), "{path}: {content_type}");
    }
}

#[test]
fn what_is_not_there_is_not_found_and_what_is_not_asked_for_right_is_refused() {
    let broker = Broker::start();
    let table = [
        ("GET", "/nothing", 404),
        ("GET", "/../Cargo.toml", 404),
        ("GET", "/%2e%2e/Cargo.toml", 404),
        ("GET", "//", 404),
        ("GET", "/index.html/", 404),
        ("HEAD", "/", 200),
        ("HEAD", "/nothing", 404),
        ("POST", "/", 405),
        ("PUT", "/index.html", 405),
        ("DELETE", "/mqtt", 405),
        ("OPTIONS", "/", 405),
        // The path of the WebSocket, without asking for one.
        ("GET", "/mqtt", 426),
    ];
    for (method, path, status) in table {
        let answer = connection(&broker).request(method, path, &[]);
        assert_eq!(answer.status, status, "{method} {path}");
        if status == 405 {
            assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{method} {path}");
        }
    }
}

#[test]
fn head_is_the_head_of_get() {
    let broker = Broker::start();
    let get = get(&broker, "/", &[]);
    let head = connection(&broker).request("HEAD", "/", &[]);
    for name in ["content-type", "content-length", "etag"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
    assert_eq!(get.header("content-length"), Some(get.body.len().to_string().as_str()));
}

#[test]
fn a_connection_answers_many_requests() {
    let broker = Broker::start();
    let mut connection = connection(&broker);
    for _ in 0..3 {
        assert_eq!(connection.request("GET", "/", &[]).status, 200);
        assert_eq!(connection.request("GET", "/nothing", &[]).status, 404);
    }
}

#[test]
fn a_file_that_has_not_changed_is_not_sent_again() {
    let broker = Broker::start();
    let first = get(&broker, "/", &[]);
    let etag = first.header("etag").expect("an ETag").to_owned();
    let again = get(&broker, "/", &[("If-None-Match", &etag)]);
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), Some(etag.as_str()));
    let several = format!("\"other\", {etag}");
    assert_eq!(get(&broker, "/", &[("If-None-Match", &several)]).status, 304);
    assert_eq!(get(&broker, "/", &[("If-None-Match", "\"other\"")]).status, 200);
}

#[test]
fn a_file_is_compressed_for_who_can_read_it() {
    let broker = Broker::start();
    let page = String::from_utf8(get(&broker, "/", &[]).body).expect("the page is UTF-8");
    let mut paths = files_of_the_page(&page);
    paths.push("/".to_owned());
    for path in paths {
        let plain = get(&broker, &path, &[]);
        assert_eq!(plain.header("content-encoding"), None, "{path}: nothing was said");
        for (accepted, allowed) in [
            ("br", &["br"][..]),
            ("gzip", &["gzip"]),
            ("gzip, deflate, br, zstd", &["br"]),
            ("br;q=0, gzip", &["gzip"]),
            ("identity", &[]),
            ("br;q=0, gzip;q=0", &[]),
        ] {
            let answer = get(&broker, &path, &[("Accept-Encoding", accepted)]);
            assert_eq!(answer.status, 200, "{path}");
            match answer.header("content-encoding") {
                None => assert_eq!(answer.body, plain.body, "{path}: {accepted}"),
                Some(encoding) => {
                    assert!(allowed.contains(&encoding), "{path}: {accepted} got {encoding}");
                    assert!(answer.body.len() < plain.body.len(), "{path}: {accepted}");
                    let vary = answer.header("vary").unwrap_or_default().to_lowercase();
                    assert!(vary.contains("accept-encoding"), "{path}: Vary is {vary:?}");
                }
            }
        }
    }
}

/// Connects, subscribes, publishes and receives over an open WebSocket.
#[track_caller]
fn speak_mqtt(connection: &mut Connection, version: Version, client_id: &str) {
    let mut exchange = |packets: &[u8], answers: &[u8]| {
        connection.send_frame(opcode::BINARY, packets);
        let mut received = Vec::new();
        while received.len() < answers.len() {
            let (opcode, bytes) = connection.receive_frame().expect("the answer");
            assert_eq!(opcode, opcode::BINARY);
            received.extend(bytes);
        }
        received
    };
    let connack = exchange(&Connect::new(version, client_id).bytes(), &[0; 4]);
    assert_eq!((connack[0], connack[3]), (first_byte::CONNACK, 0));
    // Two packets in one message (MQTT 5.0 §6.0: packets need not be aligned with messages).
    let message = publish(version, "self", 0, 0, b"hello");
    let both = [subscribe(version, 1, "self", 0), message.clone()].concat();
    let suback = match version {
        Version::V5 => vec![first_byte::SUBACK, 4, 0, 1, 0, 0],
        Version::V31 | Version::V311 => vec![first_byte::SUBACK, 3, 0, 1, 0],
    };
    let expected = [suback, message].concat();
    assert_eq!(exchange(&both, &expected), expected, "{version}");
}

#[test]
fn a_websocket_opens_at_any_path_with_both_subprotocols() {
    let broker = Broker::start();
    for path in ["/", "/mqtt", "/any/where?x=1"] {
        for (asked, chosen) in [
            ("mqtt", "mqtt"),
            ("mqttv3.1", "mqttv3.1"),
            ("mqttv3.1, mqtt", "mqtt"),
            ("chat, mqtt", "mqtt"),
        ] {
            let mut connection = connection(&broker);
            let answer = connection.upgrade(path, Some(asked));
            assert_eq!(answer.status, 101, "{path}: {asked}");
            assert_eq!(answer.header("sec-websocket-protocol"), Some(chosen), "{path}: {asked}");
            for version in if chosen == "mqtt" { &Version::ALL[1..] } else { &Version::ALL[..1] } {
                speak_mqtt(&mut connection, *version, "over-websocket");
                connection = self::connection(&broker);
                connection.upgrade(path, Some(asked));
            }
        }
    }
}

#[test]
fn a_packet_may_come_in_any_number_of_frames() {
    let broker = Broker::start();
    let mut connection = connection(&broker);
    connection.upgrade("/mqtt", Some("mqtt"));
    for byte in Connect::new(Version::V5, "drop-by-drop").bytes() {
        connection.send_frame(opcode::BINARY, &[byte]);
    }
    let (_, connack) = connection.receive_frame().expect("CONNACK");
    assert_eq!((connack[0], connack[3]), (first_byte::CONNACK, 0));
    connection.send_frame(opcode::PING, b"still there?");
    assert_eq!(connection.receive_frame(), Some((opcode::PONG, b"still there?".to_vec())));
    connection.send_frame(opcode::BINARY, &wire::PINGREQ);
    assert_eq!(connection.receive_frame(), Some((opcode::BINARY, wire::PINGRESP.to_vec())));
}

#[test]
fn a_websocket_without_mqtt_is_a_bad_request() {
    let broker = Broker::start();
    for path in ["/", "/mqtt"] {
        for asked in [None, Some("chat"), Some("mqtt5"), Some("")] {
            let answer = connection(&broker).upgrade(path, asked);
            assert_eq!(answer.status, 400, "{path}: {asked:?}");
        }
    }
}

#[test]
fn a_handshake_that_is_not_whole_is_a_bad_request() {
    const KEY: (&str, &str) = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    const VERSION: (&str, &str) = ("Sec-WebSocket-Version", "13");
    const UPGRADE: (&str, &str) = ("Upgrade", "websocket");
    const CONNECTION: (&str, &str) = ("Connection", "Upgrade");
    const MQTT: (&str, &str) = ("Sec-WebSocket-Protocol", "mqtt");
    let broker = Broker::start();
    let cases: [(&str, &[_]); 3] = [
        ("no key", &[CONNECTION, UPGRADE, VERSION, MQTT]),
        ("no version", &[CONNECTION, UPGRADE, KEY, MQTT]),
        ("no Connection: Upgrade", &[UPGRADE, KEY, VERSION, MQTT]),
    ];
    for (what, headers) in cases {
        let status = get(&broker, "/mqtt", headers).status;
        assert!([400, 426].contains(&status), "{what}: {status}");
    }
    let old = [CONNECTION, UPGRADE, KEY, ("Sec-WebSocket-Version", "8"), MQTT];
    let answer = get(&broker, "/mqtt", &old);
    assert!([400, 426].contains(&answer.status), "version 8: {}", answer.status);
    assert_eq!(answer.header("sec-websocket-version"), Some("13"), "RFC 6455 §4.4");
}

#[test]
fn what_is_no_http_is_a_bad_request_or_closed() {
    let broker = Broker::start();
    let requests: [&[u8]; 6] = [
        b"\r\n\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03",
    ];
    for request in requests {
        let mut connection = connection(&broker);
        connection.send(request);
        connection.finish_sending();
        if let Some(answer) = connection.response(true) {
            let shown = String::from_utf8_lossy(request);
            assert!([400, 505].contains(&answer.status), "{shown:?}: {}", answer.status);
        }
    }
    assert_eq!(get(&broker, "/", &[]).status, 200);
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let broker = Broker::start();
    let long = "x".repeat(1024 * 1024);
    let before = broker.resident_kib();
    let cases = [
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {long}\r\n\r\n"),
        format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{}\r\n", "X-Many: x\r\n".repeat(10_000)),
    ];
    for request in cases {
        let mut connection = connection(&broker);
        connection.send(request.as_bytes());
        connection.finish_sending();
        let answer = connection.receive_until_closed_within(SLOW_LIMIT);
        let status = String::from_utf8_lossy(&answer).chars().take(12).collect::<String>();
        let right = ["", "HTTP/1.1 431", "HTTP/1.1 400", "HTTP/1.1 414"];
        assert!(right.contains(&status.as_str()), "{status}");
    }
    let growth = broker.resident_kib().saturating_sub(before);
    assert!(growth < 16 * 1024, "the broker grew by {growth} KiB");
}

#[test]
fn a_slow_head_ends_in_bounded_time_and_holds_up_nobody() {
    let broker = Broker::start();
    let mut slow: Vec<_> = ["", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: loc"]
        .into_iter()
        .map(|start| {
            let mut connection = connection(&broker);
            connection.send(start.as_bytes());
            (start, connection)
        })
        .collect();
    assert_eq!(get(&broker, "/", &[]).status, 200, "while others are slow");
    for (start, connection) in &mut slow {
        let answer = connection.receive_until_closed_within(SLOW_LIMIT);
        let right = answer.is_empty() || answer.starts_with(b"HTTP/1.1 408 ");
        assert!(right, "{start:?}: {}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(get(&broker, "/", &[]).status, 200, "after others were slow");
}

/// Cross-site WebSocket hijacking, and DNS rebinding: the broker on somebody's machine is reachable for
/// every page that their browser shows.
#[test]
fn a_page_from_elsewhere_opens_no_websocket() {
    let broker = Broker::start();
    for (origin, status) in [
        (None, 101),
        (Some("http://localhost:9001"), 101),
        (Some("http://127.0.0.1:8080"), 101),
        (Some("https://evil.example"), 403),
        (Some("http://localhost.evil.example"), 403),
        (Some("null"), 403),
    ] {
        let answer = connection(&broker).upgrade_from(origin, "/mqtt", Some("mqtt"));
        assert_eq!(answer.status, status, "{origin:?}");
    }
}

#[test]
fn the_configuration_says_whose_pages_may_come_besides() {
    let broker = Broker::configured(|ports| {
        format!(
            "listener {}\nallow_anonymous true\nlistener {}\nprotocol websockets\n\
             websockets_origin https://app.example",
            ports.mqtt, ports.ws
        )
    });
    for (origin, status) in [("https://app.example", 101), ("https://evil.example", 403)] {
        let answer = connection(&broker).upgrade_from(Some(origin), "/", Some("mqtt"));
        assert_eq!(answer.status, status, "{origin}");
    }
}

#[test]
fn a_folder_is_served_instead_of_the_dashboard_and_nothing_outside_it() {
    let broker = Broker::configured_with(|ports, folder| {
        let site = folder.join("site");
        std::fs::create_dir_all(site.join("sub")).unwrap();
        std::fs::write(site.join("index.html"), "my page").unwrap();
        std::fs::write(site.join("sub/app.js"), "my script").unwrap();
        format!(
            "listener {}\nallow_anonymous true\nlistener {}\nprotocol websockets\nhttp_dir {}",
            ports.mqtt,
            ports.ws,
            site.display()
        )
    });
    let page = get(&broker, "/", &[]);
    assert_eq!((page.status, page.body.as_slice()), (200, &b"my page"[..]));
    let script = get(&broker, "/sub/app.js", &[]);
    assert_eq!((script.status, script.body.as_slice()), (200, &b"my script"[..]));
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(get(&broker, "/sub", &[]).header("location"), Some("/sub/"));
    for path in ["/../mosquitto.conf", "/%2e%2e/mosquitto.conf", "/sub/../../mosquitto.conf"] {
        assert_eq!(get(&broker, path, &[]).status, 404, "{path}");
    }
    assert_eq!(connection(&broker).upgrade("/", Some("mqtt")).status, 101);
}
