//! The weather, all the way: from a stand-in for its service through `sensors aemet` and the broker to
//! a subscriber, and to a card on the board.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use std::collections::BTreeMap;

use tests::browser::ON_CARD;
use tests::mosquitto::{Message, Subscriber};
use tests::opendata::{Fault, KEY, OpenData};
use tests::program::Signal;
use tests::sensors::{self, address};
use tests::{Broker, Browser, Program, Version};

const TEMPERATURE: &str = "weather/aemet/station/3195/temperature";
const SKY: &str = "weather/aemet/forecast/26089/2026-11-21/sky";
const DAY: &str = "weather/aemet/forecast/26089/2026-11-21";
const STATUS: &str = "weather/aemet/status";

/// Starts `sensors aemet` for this service and this broker.
fn start_aemet(service: &OpenData, broker: &Broker, more: &[&str]) -> Program {
    let mut command =
        sensors::command(&["aemet", "--base-url", &service.url(), "--broker", &address(broker)]);
    command.env("AEMET_API_KEY", KEY).args(more);
    Program::start("sensors aemet", &mut command)
}

/// The next messages, up to the one with which `enough` of them are there.
fn messages_until(
    subscriber: &mut Subscriber,
    enough: impl Fn(&BTreeMap<String, Message>) -> bool,
) -> BTreeMap<String, Message> {
    let mut messages = BTreeMap::new();
    while !enough(&messages) {
        let message = subscriber.next_message();
        messages.insert(message.topic.clone(), message);
    }
    messages
}

fn text(message: &Message) -> &str {
    std::str::from_utf8(&message.payload).expect("text")
}

/// Whether the last status says this of the state.
fn is_state(messages: &BTreeMap<String, Message>, state: &str) -> bool {
    let part = format!("\"state\":\"{state}\"");
    messages.get(STATUS).is_some_and(|status| text(status).contains(&part))
}

#[test]
fn the_weather_reaches_a_subscriber_and_outlives_an_outage() {
    let (service, broker) = (OpenData::start(), Broker::start());
    service.fault("/sh/", Fault::Truncated);
    let mut live = Subscriber::start(&broker, Version::V5, &["-t", "weather/#", "-q", "1"]);
    let arguments = ["--station", "3195", "--municipality", "26089", "--qos", "1"];
    let mut aemet = start_aemet(&service, &broker, &arguments);
    messages_until(&mut live, |messages| is_state(messages, "ok"));

    // The service goes away, and what it said stays, for whoever comes later.
    service.always("/", Fault::HangUp);
    let mut late = Subscriber::start(&broker, Version::V5, &["-t", "weather/#", "-q", "1"]);
    let retained = messages_until(&mut late, |messages| {
        [TEMPERATURE, SKY, DAY].iter().all(|topic| messages.contains_key(*topic))
    });
    let temperature = &retained[TEMPERATURE];
    assert_eq!((text(temperature), temperature.retain, temperature.qos), ("6.4", true, 1));
    let properties = &temperature.properties;
    assert_eq!(properties.user_properties, "unit:°C time:2026-11-21T08:00:00Z");
    let expiry: u32 = properties.message_expiry_interval.parse().expect("an expiry");
    assert!((1..=24 * 60 * 60).contains(&expiry), "{expiry}");
    assert_eq!(text(&retained[SKY]), "Muy nuboso con lluvia débil en otoño");
    let day: serde_json::Value = serde_json::from_str(text(&retained[DAY])).expect("a document");
    assert_eq!(day["temperature_max"], serde_json::json!({ "value": 12, "unit": "°C" }));

    aemet.signal(Signal::TERM);
    aemet.wait_success();
    let last = messages_until(&mut live, |messages| is_state(messages, "offline"));
    assert!(!last.contains_key(TEMPERATURE), "its last value stays as it is");
}

#[test]
fn the_weather_is_on_the_board() {
    let (service, broker) = (OpenData::start(), Broker::start());
    let browser = Browser::start();
    browser.open(&format!("http://127.0.0.1:{}/", broker.ports.ws));
    start_aemet(&service, &broker, &["--station", "3195", "--once"]).wait_success();
    for (role, shown) in [("value", "6.4"), ("unit", "°C")] {
        let what = format!("{shown} on the card of {TEMPERATURE}");
        let expression = format!("{ON_CARD} === arguments[2]");
        browser.wait_for(&what, &expression, &[TEMPERATURE, role, shown]);
    }
    browser.screenshot("weather");
}
