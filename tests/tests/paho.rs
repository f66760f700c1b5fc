//! `paho-mqtt`, the client library of most Python programs, against the broker: over TCP and over
//! WebSocket, in MQTT 3.1.1 and 5.0. What it has to see is told in `paho/stories.py`.

use std::time::Duration;

use tests::{Broker, python};

/// How long one story may take before it has failed. Its own waits are bounded by less.
const STORY_LIMIT: Duration = Duration::from_secs(240);

/// Runs a story in each of these versions over TCP and over WebSocket, on the two paths that the
/// broker serves; each has a broker of its own, so that nothing is left over from another.
#[track_caller]
fn tell(story: &str, versions: &[&str]) {
    for version in versions {
        for (transport, path) in [("tcp", "-"), ("websockets", "/"), ("websockets", "/mqtt")] {
            // The log of each packet would be the most work in a story of many messages.
            let broker = Broker::start_on(tests::broker::Ports::free(), &[]);
            let is_tcp = transport == "tcp";
            let port = if is_tcp { broker.ports.mqtt } else { broker.ports.ws }.to_string();
            python::run("stories.py", &[story, version, transport, &port, path], STORY_LIMIT);
        }
    }
}

const BOTH: [&str; 2] = ["3.1.1", "5"];

#[test]
fn messages_of_each_qos() {
    tell("messages_of_each_qos", &BOTH);
}

#[test]
fn retained_messages() {
    tell("retained_messages", &BOTH);
}

#[test]
fn wills() {
    tell("wills", &BOTH);
}

#[test]
fn wildcards_and_unsubscribing() {
    tell("wildcards_and_unsubscribing", &BOTH);
}

#[test]
fn a_session_that_is_kept() {
    tell("a_session_that_is_kept", &BOTH);
}

#[test]
fn properties() {
    tell("properties", &["5"]);
}

#[test]
fn a_payload_of_a_megabyte() {
    tell("a_payload_of_a_megabyte", &BOTH);
}

#[test]
fn ten_thousand_messages_of_qos_0() {
    tell("many_messages_of_qos_0", &BOTH);
}

#[test]
fn ten_thousand_messages_of_qos_1() {
    tell("many_messages_of_qos_1", &BOTH);
}

#[test]
fn ten_thousand_messages_of_qos_2() {
    tell("many_messages_of_qos_2", &BOTH);
}
