//! `sensors sim`: what a seed shows, how it arrives, and what happens when devices or brokers go.

use crate::harness::{Broker, finish, run};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// A dry run of one round: its lines.
fn round(seed: &str, topics: &str) -> Vec<String> {
    let (status, output, errors) =
        finish(&["sim", "--dry-run", "--once", "--seed", seed, "--topics", topics]);
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    output.lines().map(str::to_owned).collect()
}

#[test]
fn the_same_seed_prints_the_same_readings_and_another_one_does_not() {
    let lines = round("7", "500");
    assert_eq!(lines.len(), 500);
    assert_eq!(lines, round("7", "500"));
    let others = round("8", "500");
    let topic = |line: &String| line.split_once(' ').expect("a topic and a payload").0.to_owned();
    let topics: BTreeSet<_> = lines.iter().map(topic).collect();
    assert_eq!(topics.len(), 500, "a topic is there twice");
    assert_eq!(topics, others.iter().map(topic).collect(), "topics do not depend on the seed");
    let alike = lines.iter().zip(&others).filter(|(one, other)| one == other).count();
    assert!(alike < 250, "{alike} of 500 readings are the same with another seed");
}

#[test]
fn any_number_of_topics_is_printed_once_each() {
    for topics in ["1", "99", "100000"] {
        let lines = round("1", topics);
        assert_eq!(lines.len().to_string(), topics);
    }
}

#[test]
fn more_readings_than_a_broker_takes_at_once_arrive_all() {
    for version in ["5", "3.1.1"] {
        let broker = Broker::start();
        let mut live = broker.subscribe();
        let (url, words) = (broker.url(), ["--once", "--topics", "100", "--seed", "7"]);
        let to = ["--broker", &url, "--qos", "2", "--mqtt", version];
        let (status, _, errors) = finish(&[&["sim"], &words[..], &to[..]].concat());
        assert_eq!((status, errors.as_str()), (Some(0), ""), "{version}");

        let topics = round("7", "100").into_iter();
        let topics = topics.filter_map(|line| Some(line.split_once(' ')?.0.to_owned()));
        let missing = RefCell::new(topics.collect::<BTreeSet<_>>());
        live.message("the last of all topics", |seen| {
            missing.borrow_mut().remove(&seen.topic);
            missing.borrow().is_empty()
        });
    }
}

#[test]
fn devices_look_like_real_ones_to_a_subscriber() {
    let broker = Broker::start();
    let url = broker.url();
    let mut sensors = run(&["sim", "--broker", &url, "--rate", "400", "--qos", "1"]);
    let mut live = broker.subscribe();
    live.message("a document", |seen| {
        seen.topic == "sim/zigbee2mqtt/front-door" && seen.payload.contains(r#""contact":"#)
    });
    live.message("a word", |seen| seen.topic == "sim/plant/line-1/press/state");
    live.message("a later reading", |seen| seen.topic.ends_with("/parts") && seen.number() > 1.0);
    live.message("a position", |seen| {
        seen.topic == "sim/owntracks/ana/phone" && seen.payload.contains(r#""lat":"#)
    });

    let mut late = broker.subscribe();
    late.payload("sim/status", "online");
    late.message("a live message", |seen| !seen.retained);
    let retained =
        |topic: &str| late.seen().into_iter().find(|seen| seen.retained && seen.topic == topic);
    for (topic, unit) in [
        ("sim/esphome/living-room/sensor/temperature/state", "unit:°C"),
        ("sim/esphome/living-room/sensor/co2/state", "unit:ppm"),
        ("sim/shellies/shellyem-000000/emeter/0/power", "unit:W"),
        ("sim/weather/garden/pressure", "unit:hPa"),
    ] {
        let seen = retained(topic).unwrap_or_else(|| panic!("{topic} is not retained"));
        assert_eq!(seen.properties, unit, "{topic}");
        assert!(seen.number().is_finite() && seen.qos == "1", "{seen:?}");
    }
    for (topic, payload) in [
        ("sim/zigbee2mqtt/front-door/availability", r#"{"state":"online"}"#),
        ("sim/tele/washer/LWT", "Online"),
    ] {
        assert_eq!(retained(topic).map(|seen| seen.payload).as_deref(), Some(payload));
    }
    assert_eq!(retained("sim/zigbee2mqtt/front-door"), None, "events are not retained");
    assert_eq!(retained("sim/tele/washer/SENSOR"), None, "events are not retained");

    sensors.signal("TERM");
    late.payload("sim/status", "offline");
    sensors.line("the sum", |line| line.contains("Published ") && line.contains(" a second"));
    assert!(sensors.end().success());
}

#[test]
fn every_topic_of_a_round_reaches_the_broker() {
    let broker = Broker::start_with("allow_anonymous true\nmax_queued_messages 0\n");
    let url = broker.url();
    let mut live = broker.subscribe();
    let (status, output, errors) = finish(&[
        "sim", "--broker", &url, "--once", "--topics", "5000", "--seed", "1", "--prefix", "load/a",
    ]);
    assert_eq!((status, output.as_str(), errors.as_str()), (Some(0), "", ""));
    let (_, marker, _) =
        finish(&["sim", "--dry-run", "--once", "--topics", "1", "--prefix", "load/end"]);
    let end = marker.split_once(' ').expect("a topic").0;
    let (status, ..) =
        finish(&["sim", "--broker", &url, "--once", "--topics", "1", "--prefix", "load/end"]);
    assert_eq!(status, Some(0));
    live.on(end);
    let topics: BTreeSet<_> = live.seen().into_iter().map(|seen| seen.topic).collect();
    assert_eq!(topics.iter().filter(|topic| topic.starts_with("load/a/")).count(), 5_000);
}

#[test]
fn a_broker_forgets_all_of_it_when_told_to() {
    let broker = Broker::start();
    let url = broker.url();
    let round = ["sim", "--broker", &url, "--topics", "300", "--once"];
    assert_eq!(finish(&round).0, Some(0));
    assert!(broker.subscribe().on("sim/tele/washer/LWT").retained);
    let clear = ["sim", "--broker", &url, "--topics", "300", "--clear"];
    assert_eq!(finish(&clear), (Some(0), String::new(), String::new()));
    // What is retained comes before anything that is published after a subscription.
    let mut late = broker.subscribe();
    assert_eq!(finish(&["sim", "--broker", &url, "--topics", "1", "--once"]).0, Some(0));
    assert!(!late.on("sim/esphome/living-room/sensor/temperature/state").retained);
    assert_eq!(late.seen().len(), 1, "{:?}", late.seen());

    let (_, output, _) = finish(&["sim", "--topics", "2", "--clear", "--dry-run"]);
    let quantities = ["temperature", "humidity"];
    let [temperature, humidity] =
        quantities.map(|quantity| format!("sim/esphome/living-room/sensor/{quantity}/state \n"));
    assert_eq!(output, format!("{temperature}{humidity}sim/status \n"));
}

#[test]
fn devices_go_and_come_back() {
    let broker = Broker::start();
    let url = broker.url();
    let mut live = broker.subscribe();
    let _sensors = run(&[
        "sim", "--broker", &url, "--topics", "500", "--rate", "2000", "--speed", "300", "--seed",
        "3",
    ]);
    let is_status = |topic: &str| topic.starts_with("sim/esphome/") && topic.ends_with("/status");
    let gone = live.message("a device that drops out", |seen| {
        is_status(&seen.topic) && seen.payload == "offline"
    });
    assert_eq!(live.payload(&gone.topic, "online").qos, "0");
}

#[test]
fn after_an_outage_everything_is_there_again() {
    let mut broker = Broker::start();
    let url = broker.url();
    let mut sensors = run(&["sim", "--broker", &url, "--rate", "500", "--seed", "1", "--verbose"]);
    let mut live = broker.subscribe();
    live.on("sim/zigbee2mqtt/front-door");
    broker.kill();
    sensors.line("the loss", |line| line.contains("Lost the broker"));
    broker.restart();
    sensors.line("the return", |line| line.contains("Connected again"));
    let mut after = broker.subscribe();
    after.payload("sim/status", "online");
    // Said at the beginning and when it changes, and kept by nobody while the broker was away.
    after.payload("sim/tele/washer/LWT", "Online");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let cases: [&[&str]; 9] = [
        &["sim", "--topics", "0"],
        &["sim", "--topics", "1000001"],
        &["sim", "--topics", "many"],
        &["sim", "--rate", "0"],
        &["sim", "--rate", "-5"],
        &["sim", "--rate", "fast"],
        &["sim", "--speed", "0"],
        &["sim", "--start", "yesterday"],
        &["sim", "--seed", "x"],
    ];
    for arguments in cases {
        let (status, output, errors) = finish(arguments);
        assert_eq!((status, output.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(errors.contains(arguments[1]), "{arguments:?}: {errors}");
    }
}

#[test]
fn help_teaches_with_examples() {
    let (status, output, _) = finish(&["sim", "--help"]);
    assert_eq!(status, Some(0));
    for part in ["Examples:", "sensors sim --topics 100000", "zigbee2mqtt/", "--seed"] {
        assert!(output.contains(part), "{part} is not in\n{output}");
    }
}
