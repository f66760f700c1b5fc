//! Sensors that are not there, all the way: `sensors sim` through the broker to a subscriber, in
//! numbers that nobody owns.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use std::collections::BTreeMap;
use std::process::Command;

use tests::mosquitto::Subscriber;
use tests::program::Signal;
use tests::sensors::{self, address};
use tests::{Broker, Program, Version};

/// Enough for the broker to feed them to a subscriber piece by piece.
const TOPICS: &str = "20000";

/// `sensors sim` with one seed.
fn sim(more: &[&str]) -> Command {
    sensors::command(&[&["sim", "--seed", "7"], more].concat())
}

/// Runs it to its end: what it printed.
#[track_caller]
fn finish(more: &[&str]) -> String {
    let output = sim(more).output().expect("sensors");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{more:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// Topics and payloads of a dry run.
fn lines(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().map(|line| line.split_once(' ').expect("a topic and a payload"));
    pairs.map(|(topic, payload)| (topic.to_owned(), payload.to_owned())).collect()
}

#[test]
fn what_is_simulated_is_what_the_broker_keeps_until_it_is_told_to_forget() {
    let round = finish(&["--topics", TOPICS, "--once", "--dry-run"]);
    let kept = lines(&finish(&["--topics", TOPICS, "--clear", "--dry-run"]));
    let mut expected = lines(&round);
    assert_eq!(expected.len().to_string(), TOPICS);
    expected.retain(|topic, _| kept.contains_key(topic));
    assert!(expected.len() > 10_000, "{} are kept", expected.len());

    for (version, option) in [(Version::V5, "5"), (Version::V311, "3.1.1")] {
        let broker = Broker::start();
        let broker_options = ["--topics", TOPICS, "--mqtt", option, "--broker", &address(&broker)];
        finish(&[&broker_options[..], &["--once"]].concat());
        let everything = ["-t", "sim/#", "-q", "1"];
        let mut subscriber = Subscriber::start(&broker, version, &everything);
        let messages = subscriber.messages(&broker, expected.len());
        assert!(messages.iter().all(|message| message.retain && message.qos == 1));
        let seen: BTreeMap<_, _> = messages
            .into_iter()
            .map(|message| (message.topic, String::from_utf8(message.payload).unwrap()))
            .collect();
        assert!(seen == expected, "what the broker keeps is not what was published");
        subscriber.disconnect();

        finish(&[&broker_options[..], &["--clear"]].concat());
        let mut subscriber = Subscriber::start(&broker, version, &everything);
        assert_eq!(subscriber.messages(&broker, 0), []);
    }
}

#[test]
fn it_goes_on_at_its_rate_and_says_goodbye() {
    let broker = Broker::start();
    let everything = ["-t", "sim/#", "-q", "1"];
    let mut subscriber = Subscriber::start(&broker, Version::V5, &everything);
    let options = ["--topics", "200", "--rate", "1000", "--broker", &address(&broker)];
    let mut simulation = Program::start("sensors sim", &mut sim(&options));
    let next = |subscriber: &mut Subscriber, topic: &str| {
        loop {
            let message = subscriber.next_message();
            if message.topic == topic {
                return message;
            }
        }
    };
    assert_eq!(next(&mut subscriber, "sim/status").payload, b"online");
    let kitchen = "sim/esphome/kitchen/sensor/temperature/state";
    for _ in 0..5 {
        let reading = next(&mut subscriber, kitchen);
        assert_eq!(reading.properties.user_properties, "unit:°C");
        let celsius: f64 = String::from_utf8(reading.payload).unwrap().parse().unwrap();
        assert!((5.0..40.0).contains(&celsius), "{celsius}");
    }
    simulation.signal(Signal::TERM);
    assert_eq!(next(&mut subscriber, "sim/status").payload, b"offline");
    assert!(simulation.wait_exit().success());
    assert!(simulation.lines().iter().any(|line| line.text.contains("Published ")));
}
