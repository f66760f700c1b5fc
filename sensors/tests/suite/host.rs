//! `sensors host`: what arrives, the status, outages of the broker, and what goes wrong.

use crate::harness::{Broker, Process, finish, folder, run};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread::{self, JoinHandle};

const STATUS: &str = "sensors/box/status";
const UPTIME: &str = "sensors/box/uptime";

/// Arguments for a host called `box` that publishes often.
fn host<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["host", "--broker", url, "--name", "box", "--interval", "250ms"];
    arguments.extend(more);
    arguments
}

#[test]
fn readings_arrive_retained_with_their_units_and_change() {
    let cases: [(&[&str], &str, bool); 4] = [
        (&[], "0", true),
        (&["--qos", "1"], "1", true),
        (&["--qos", "2"], "1", true), // The subscription asks for QoS 1 at most.
        (&["--mqtt", "3.1.1", "--qos", "2"], "1", false),
    ];
    for (arguments, qos, with_units) in cases {
        let broker = Broker::start();
        let url = broker.url();
        let _sensors = run(&host(&url, arguments));

        let mut live = broker.subscribe();
        let first = live.on(UPTIME).number();
        live.message("a later reading", |seen| seen.topic == UPTIME && seen.number() > first);

        let mut late = broker.subscribe();
        assert_eq!(late.payload(STATUS, "online").qos, "1");
        late.message("a live message", |seen| !seen.retained);
        let retained: Vec<_> = late.seen().into_iter().filter(|seen| seen.retained).collect();
        for (topic, unit) in [
            ("sensors/box/cpu/total", "unit:%"),
            ("sensors/box/cpu/core/0", "unit:%"),
            ("sensors/box/memory/used", "unit:B"),
            ("sensors/box/memory/percent", "unit:%"),
            (UPTIME, "unit:s"),
        ] {
            let reading = retained.iter().find(|seen| seen.topic == topic);
            let reading = reading.unwrap_or_else(|| panic!("{topic} is not retained"));
            assert_eq!(reading.properties, if with_units { unit } else { "" }, "{arguments:?}");
            assert_eq!(reading.qos, qos, "{arguments:?}");
        }
        for reading in retained.iter().filter(|seen| seen.topic != STATUS) {
            assert!(reading.number().is_finite(), "{reading:?}");
        }
    }
}

#[test]
fn the_status_says_whether_the_host_is_there() {
    for version in ["5", "3.1.1"] {
        for (signal, is_clean) in [("TERM", true), ("INT", true), ("KILL", false)] {
            let broker = Broker::start();
            let url = broker.url();
            let mut live = broker.subscribe();
            let mut sensors = run(&host(&url, &["--mqtt", version]));
            live.payload(STATUS, "online");
            live.on(UPTIME);

            sensors.signal(signal);
            assert_eq!(sensors.end().success(), is_clean, "{version} {signal}");
            live.payload(STATUS, "offline");
            let mut late = broker.subscribe();
            assert!(late.payload(STATUS, "offline").retained, "{version} {signal}");
        }
    }
}

#[test]
fn a_broker_that_comes_back_gets_everything_again() {
    for version in ["5", "3.1.1"] {
        let mut broker = Broker::start();
        let url = broker.url();
        let mut sensors = run(&host(&url, &["--mqtt", version, "--verbose"]));
        let mut live = broker.subscribe();
        live.payload(STATUS, "online");
        live.message("a second round", |seen| seen.topic == UPTIME && !seen.retained);
        let before: BTreeSet<_> = live.seen().into_iter().map(|seen| seen.topic).collect();

        broker.kill();
        sensors.line("the loss", |line| line.contains("Lost the broker"));
        sensors.line("a third attempt", |line| line.contains("Attempt 3 failed"));
        let told = sensors.count("Lost the broker") + sensors.count("Still no connection");
        // The connection that broke, and then the port that nothing listens on.
        assert_eq!(told, 2, "an outage is told once for each reason, not for each attempt");
        broker.restart();

        sensors.line("the return", |line| line.contains("Connected again"));
        let mut after = broker.subscribe();
        after.payload(STATUS, "online");
        after.message("another round", |seen| seen.topic == UPTIME && !seen.retained);
        let after: BTreeSet<_> = after.seen().into_iter().map(|seen| seen.topic).collect();
        let missing: Vec<_> = before.difference(&after).collect();
        assert!(missing.is_empty(), "these did not come again: {missing:?}");
        sensors.signal("TERM");
        assert!(sensors.end().success());
    }
}

#[test]
fn it_waits_for_a_broker_that_is_not_there_yet() {
    let mut broker = Broker::start();
    let url = broker.url();
    broker.kill();
    let mut sensors = run(&host(&url, &[]));
    let line = sensors.line("the reason", |line| line.contains("Cannot connect"));
    assert!(line.contains("connection refused"), "{line}");
    broker.restart();
    sensors.line("the connection", |line| line.contains("Connected to the broker"));
    broker.subscribe().on(UPTIME);
}

#[test]
fn without_a_broker_it_still_stops_when_told_to() {
    let mut broker = Broker::start();
    let url = broker.url();
    broker.kill();
    let mut sensors = run(&host(&url, &[]));
    sensors.line("the reason", |line| line.contains("Cannot connect"));
    sensors.signal("TERM");
    assert!(sensors.end().success());
}

#[test]
fn two_of_one_name_are_told_and_do_not_fill_the_screen() {
    let broker = Broker::start();
    let url = broker.url();
    let mut first = run(&host(&url, &["--verbose"]));
    first.line("the connection", |line| line.contains("Connected"));
    let _second = run(&host(&url, &[]));
    first.line("the advice", |line| line.contains("another --name"));
    let said = |first: &Process| ["Connected", "Lost", "--name"].map(|word| first.count(word));
    let before = said(&first);
    for _ in 0..2 {
        first.line("one more loss", |line| line.contains("Attempt 1 failed"));
    }
    assert_eq!(said(&first), before, "what repeats itself is only told on request");
}

#[test]
fn a_broker_without_keep_alive_is_not_flooded_with_pings() {
    // CONNACK with Server Keep Alive 0 (MQTT 5.0 §3.2.2.3.14), and no answer to anything else.
    const CONNACK: &[u8] = b"\x20\x06\x00\x00\x03\x13\x00\x00";
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("mqtt://{}", listener.local_addr().expect("its address"));
    let _sensors = run(&host(&url, &[]));
    let (mut stream, _) = listener.accept().expect("a connection");
    stream.write_all(CONNACK).expect("an answer");
    let mut received: Vec<u8> = Vec::new();
    while !received.windows(UPTIME.len()).any(|part| part == UPTIME.as_bytes()) {
        let mut part = [0; 4096];
        let length = stream.read(&mut part).expect("a packet");
        assert!(length > 0, "it hung up before the first round had arrived");
        received.extend(part.iter().take(length));
    }
}

#[test]
fn a_broker_that_says_why_it_closes_is_quoted() {
    const CONNACK: &[u8] = b"\x20\x03\x00\x00\x00";
    let cases: [(&[u8], &str); 2] = [
        (b"\xe0\x02\x8e\x00", "another client took this one's place"),
        (b"\xe0\x07\x89\x05\x1f\x00\x02no", "closed the connection (server busy: no)"),
    ];
    for (disconnect, reason) in cases {
        let (url, server) = answering([CONNACK, disconnect].concat());
        let mut sensors = run(&host(&url, &[]));
        sensors.line(reason, |line| line.contains(reason));
        server.join().expect("the server");
    }
}

#[test]
fn one_round_is_acknowledged_and_leaves_the_status_alone() {
    for version in ["5", "3.1.1"] {
        let broker = Broker::start();
        let url = broker.url();
        let (status, output, errors) = finish(&host(&url, &["--once", "--mqtt", version]));
        assert_eq!((status, output.as_str(), errors.as_str()), (Some(0), "", ""));

        let mut late = broker.subscribe();
        assert!(late.on(UPTIME).retained);
        let _next = run(&["host", "--broker", &url, "--name", "other"]);
        late.on("sensors/other/uptime");
        assert!(late.seen().iter().all(|seen| seen.topic != STATUS));
        assert!(late.seen().iter().filter(|seen| seen.retained).all(|seen| seen.qos == "1"));
    }
}

#[test]
fn what_the_broker_does_not_offer_is_not_used() {
    let broker = Broker::start_with("allow_anonymous true\nmax_qos 0\nretain_available false\n");
    let url = broker.url();
    let mut live = broker.subscribe();
    let (status, _, errors) = finish(&host(&url, &["--once"]));
    assert_eq!(status, Some(0), "{errors}");
    let seen = live.on(UPTIME);
    assert_eq!((seen.retained, seen.qos.as_str()), (false, "0"));
    let (_, _, errors) = finish(&host(&url, &["--once", "--qos", "2"]));
    assert_eq!(errors, "");
}

#[test]
fn passwords_open_the_door_and_are_never_shown() {
    let folder = folder();
    let passwords = folder.join("passwords");
    let made = Command::new("mosquitto_passwd")
        .args(["-b", "-c"])
        .arg(&passwords)
        .args(["ana", "open sesame"])
        .status()
        .expect("mosquitto_passwd, which comes with Debian's package mosquitto");
    assert!(made.success());
    let broker = Broker::start_with(&format!(
        "allow_anonymous false\npassword_file {}\n",
        passwords.display()
    ));
    let port = broker.port;
    let (right, wrong) = (folder.join("right"), folder.join("wrong"));
    fs::write(&right, "open sesame\r\nanother line\n").expect("a password file");
    fs::write(&wrong, "open barley\n").expect("a password file");
    let (right, wrong) = (right.to_string_lossy(), wrong.to_string_lossy());

    let user = format!("mqtt://ana@127.0.0.1:{port}");
    let with_password = format!("mqtt://ana:open%20sesame@127.0.0.1:{port}");
    let with_wrong = format!("mqtt://ana:open%20barley@127.0.0.1:{port}");
    let nobody = format!("mqtt://127.0.0.1:{port}");
    let cases: [(&str, &[&str], i32); 7] = [
        (&user, &["--password-file", &right], 0),
        (&with_password, &[], 0),
        (&user, &["--password-file", &wrong], 1),
        (&with_wrong, &[], 1),
        (&nobody, &[], 1),
        (&user, &["--password-file", "/nonexistent/password"], 1),
        (&with_password, &["--password-file", &right], 2),
    ];
    for version in ["5", "3.1.1"] {
        for (url, arguments, expected) in cases {
            let more = [&["--once", "--verbose", "--mqtt", version], arguments].concat();
            let (status, output, errors) = finish(&host(url, &more));
            assert_eq!(status, Some(expected), "{url} {arguments:?}: {errors}");
            for text in [output, errors] {
                assert!(!text.contains("sesame") && !text.contains("barley"), "{text}");
            }
        }
    }
}

#[test]
fn a_broker_that_refuses_the_readings_is_a_failure() {
    let rules = folder().join("rules");
    fs::write(&rules, "topic read #\ntopic write elsewhere/#\n").expect("the access rules");
    let broker =
        Broker::start_with(&format!("allow_anonymous true\nacl_file {}\n", rules.display()));
    let url = broker.url();
    for qos in ["1", "2"] {
        let (status, _, errors) = finish(&host(&url, &["--once", "--qos", qos]));
        assert_eq!(status, Some(1), "{errors}");
        assert!(errors.contains("refused to take the readings: not authorized"), "{errors}");
    }
    // More than a broker takes at once, of which each counts as on its way for ever.
    let many = ["sim", "--broker", &url, "--once", "--topics", "60", "--qos", "2"];
    let (status, _, errors) = finish(&many);
    assert_eq!(status, Some(1), "{errors}");
    assert!(errors.contains("refused to take the readings: not authorized"), "{errors}");
    let mut sensors = run(&host(&url, &["--qos", "1"]));
    sensors.line("the refusal", |line| line.contains("refuses to take readings: not authorized"));
}

/// Something that answers the first packet it gets with these bytes, and then hangs up.
fn answering(answer: Vec<u8>) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("mqtt://{}", listener.local_addr().expect("its address"));
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut connect = [0; 1024];
        let length = stream.read(&mut connect).expect("a CONNECT");
        assert!(length > 0 && connect.starts_with(&[0x10]), "not a CONNECT");
        stream.write_all(&answer).expect("an answer");
    });
    (url, server)
}

#[test]
fn what_is_no_broker_is_said_to_be_none() {
    let answers: [(&[u8], &str); 3] = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "in the middle of a packet"),
        (b"\x30\x04\x00\x01a\x00", "does not speak MQTT"),
        (b"", "closed the connection"),
    ];
    for (answer, reason) in answers {
        let (url, server) = answering(answer.to_vec());
        let (status, _, errors) = finish(&host(&url, &["--once"]));
        assert_eq!(status, Some(1), "{errors}");
        assert!(errors.contains(reason), "{errors}");
        server.join().expect("the server");
    }
}

#[test]
fn no_broker_and_no_answer_end_a_single_round() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    let silent = format!("mqtt://{address}");
    let (status, _, errors) = finish(&host(&silent, &["--once"]));
    assert_eq!(status, Some(1));
    assert!(errors.contains("no answer within"), "{errors}");

    drop(listener);
    let (status, _, errors) = finish(&host(&silent, &["--once"]));
    assert_eq!(status, Some(1));
    assert!(errors.contains(&format!("at {address}: connection refused")), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
}

#[test]
fn wrong_arguments_are_told_apart_from_failures() {
    let cases: [&[&str]; 15] = [
        &[],
        &["weather"],
        &["host", "--nonsense"],
        &["host", "stray"],
        &["host", "--interval", "2"],
        &["host", "--interval", "0s"],
        &["host", "--qos", "3"],
        &["host", "--mqtt", "4"],
        &["host", "--prefix", "home/#"],
        &["host", "--prefix", ""],
        &["host", "--broker", ""],
        &["host", "--broker", "http://127.0.0.1"],
        &["host", "--ca-file", "ca.pem", "--broker", "mqtt://127.0.0.1"],
        &["host", "--broker", "mqtt://127.0.0.1:99999"],
        &["host", "--password-file", "/dev/null"],
    ];
    for arguments in cases {
        let (status, output, errors) = finish(arguments);
        assert_eq!((status, output.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(!errors.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_teaches_with_examples() {
    let cases: [(&[&str], &str); 3] = [
        (&["--help"], "sensors host"),
        (&["host", "--help"], "sensors host"),
        (&["aemet", "--help"], "sensors aemet --station 3195"),
    ];
    for (arguments, example) in cases {
        let (status, output, errors) = finish(arguments);
        assert_eq!((status, errors.as_str()), (Some(0), ""));
        assert!(output.contains("Examples:") && output.contains(example), "{output}");
    }
}

#[test]
fn a_dry_run_prints_topics_and_payloads() {
    let name = "my/box + #1";
    let (status, output, errors) =
        finish(&["host", "--dry-run", "--once", "--prefix", "home/machines/", "--name", name]);
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    let topics: Vec<_> = output
        .lines()
        .map(|line| {
            let (topic, payload) = line.split_once(' ').expect("a topic and a payload");
            assert!(payload.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
            let below = topic.strip_prefix("home/machines/my_box____1/");
            below.unwrap_or_else(|| panic!("{line}"))
        })
        .collect();
    for topic in ["cpu/total", "cpu/core/0", "memory/total", "memory/used", "uptime"] {
        assert!(topics.contains(&topic), "{topic} is not in\n{output}");
    }
    let distinct: BTreeSet<_> = topics.iter().collect();
    assert_eq!(distinct.len(), topics.len(), "a topic is there twice in\n{output}");
}
