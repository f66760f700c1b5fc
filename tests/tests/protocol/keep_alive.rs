//! Keep Alive (MQTT 5.0 §3.1.2.10).

use std::time::{Duration, Instant};

use codec::{Connect, Packet, ReasonCode};
use tests::Broker;

use crate::client::*;

/// Who is silent for one and a half times the Keep Alive is disconnected, and nobody is before.
/// [MQTT-3.1.2-22, MQTT-3.2.2-22], 3.1.1 [MQTT-3.1.2-24]
#[test]
fn a_silent_client_is_disconnected() {
    let broker = Broker::start();
    std::thread::scope(|scope| {
        for version in VERSIONS {
            let broker = &broker;
            scope.spawn(move || {
                let before = Instant::now();
                let connect = connect(version, &format!("silent {version}"));
                let mut client = Client::connect(broker, Connect { keep_alive_s: 1, ..connect });
                client.expect_disconnect(ReasonCode::KeepAliveTimeout);
                let silent = before.elapsed();
                assert!(silent >= Duration::from_millis(1490), "{version}: {silent:?}");
            });
        }
    });
}

/// Any packet keeps the connection alive, and one that hears much but says nothing is silent.
/// [MQTT-3.1.2-22]
#[test]
fn what_a_client_sends_keeps_it_alive_and_what_it_hears_does_not() {
    let broker = Broker::start();
    let lively = || Connect { keep_alive_s: 1, ..connect(V5, "speaks") };
    let mut speaks = Client::connect(&broker, lively());
    let mut hears = Client::connect(&broker, Connect { keep_alive_s: 1, ..connect(V5, "hears") });
    hears.subscribe_qos("t", AtMostOnce);
    for turn in 0..6 {
        let_pass(Duration::from_millis(400));
        speaks.send(Packet::Publish(publish("t", turn.to_string(), AtMostOnce, 1)));
    }
    speaks.expect_nothing();
    let end = std::iter::from_fn(|| hears.receive_or_closed())
        .find(|packet| !matches!(packet, Packet::Publish(_)));
    let Some(Packet::Disconnect(end)) = end else { panic!("{end:?}") };
    assert_eq!(end.code, ReasonCode::KeepAliveTimeout);
}

/// MQTT 5.0 §3.1.2.10: a Keep Alive of 0 turns it off.
#[test]
fn without_keep_alive_silence_is_no_end() {
    let broker = Broker::start();
    let mut clients = VERSIONS.map(|version| Client::clean(&broker, version, &version.to_string()));
    let_pass(Duration::from_millis(2000));
    for client in &mut clients {
        client.expect_nothing();
    }
}
