//! Whatever speaks HTTP, all the way: from a stand-in for a service through `sensors http` and the
//! broker to a subscriber, and to a card on the board.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use std::fs;

use tempfile::TempDir;
use tests::browser::ON_CARD;
use tests::mosquitto::{Message, Subscriber};
use tests::program::Signal;
use tests::sensors::{self, address};
use tests::web::{Reply, Web};
use tests::{Broker, Browser, Program, Version};

const PM25: &str = "home/air/pm25";
const STATUS: &str = "http/air/status";

/// `sensors http`, and the folder of the file that has it ask `/air` of a service.
fn start_http(web: &Web, broker: &Broker) -> (Program, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("air.toml");
    let text = format!(
        r#"
            [[source]]
            name = "air"
            url = "{}/air"
            interval = "1s"
            [source.values]
            "/now/pm25" = {{ topic = "{PM25}", unit = "µg/m³", expiry = "2h" }}
            "/now/id" = "home/air/id"
        "#,
        web.url
    );
    fs::write(&file, text).unwrap();
    let arguments = ["http", file.to_str().unwrap(), "--qos", "1", "--broker", &address(broker)];
    (Program::start("sensors http", &mut sensors::command(&arguments)), folder)
}

/// The next message on a topic with this payload.
fn next(subscriber: &mut Subscriber, topic: &str, payload: &str) -> Message {
    loop {
        let message = subscriber.next_message();
        if message.topic == topic && message.payload == payload.as_bytes() {
            return message;
        }
    }
}

#[test]
fn a_value_reaches_a_subscriber_as_it_stands_and_outlives_an_outage() {
    let (web, broker) = (Web::start(), Broker::start());
    web.answer("/air", Reply::json(r#"{"now": {"pm25": 7.50, "id": 98765432109876543210.0}}"#));
    let everything = ["-t", "home/#", "-t", "http/#", "-q", "1"];
    let mut live = Subscriber::start(&broker, Version::V5, &everything);
    let (mut http, _folder) = start_http(&web, &broker);
    let reading = next(&mut live, PM25, "7.50");
    assert_eq!(reading.properties.user_properties, "unit:µg/m³");
    let expiry: u32 = reading.properties.message_expiry_interval.parse().expect("an expiry");
    assert!((7_000..=7_200).contains(&expiry) && reading.qos == 1, "{reading:?}");
    next(&mut live, STATUS, "ok");

    // The service goes away, and what it said stays, for whoever comes later.
    web.answer("/air", Reply::Silence);
    for (topic, payload) in [(PM25, "7.50"), ("home/air/id", "98765432109876543210.0")] {
        let mut late = Subscriber::start(&broker, Version::V311, &["-t", topic, "-q", "1"]);
        assert!(next(&mut late, topic, payload).retain);
    }

    http.signal(Signal::TERM);
    http.wait_success();
    next(&mut live, "http/status", "offline");
}

#[test]
fn a_value_is_on_the_board_and_moves() {
    let (web, broker) = (Web::start(), Broker::start());
    let answer = |pm25: &str| {
        web.answer("/air", Reply::json(&format!(r#"{{"now": {{"pm25": {pm25}, "id": 1}}}}"#)));
    };
    answer("7.50");
    let browser = Browser::start();
    browser.open(&format!("http://127.0.0.1:{}/", broker.ports.ws));
    let _http = start_http(&web, &broker);
    let wait_for = |role: &str, shown: &str| {
        let what = format!("{shown} on the card of {PM25}");
        browser.wait_for(&what, &format!("{ON_CARD} === arguments[2]"), &[PM25, role, shown]);
    };
    wait_for("value", "7.50");
    wait_for("unit", "µg/m³");
    answer("8.25");
    wait_for("value", "8.25");
}
