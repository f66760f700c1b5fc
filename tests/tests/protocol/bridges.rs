//! A bridge of another broker that connects to this one. Before MQTT 5.0 it marks itself by the highest
//! bit of the protocol level, and is then given what a bridge of MQTT 5.0 asks for.

use codec::Connect;
use tests::Broker;

use crate::client::*;

fn bridge(broker: &Broker, version: codec::ProtocolVersion, client_id: &str) -> Client {
    Client::connect(broker, Connect { bridge: true, ..connect(version, client_id) })
}

#[test]
fn what_a_bridge_brings_is_not_sent_back_to_it() {
    let broker = Broker::start();
    for version in [V31, V311] {
        let mut subscriber = Client::clean(&broker, V311, "subscriber");
        subscriber.subscribe_qos("loop/#", ExactlyOnce);
        let mut bridge = bridge(&broker, version, "bridge");
        bridge.subscribe_qos("loop/#", ExactlyOnce);
        for qos in QOS {
            bridge.publish_as(publish("loop/x", "from there", qos, 1));
            subscriber.take("from there");
        }
        let mut publisher = Client::clean(&broker, version, "publisher");
        publisher.publish("loop/x", "from here");
        bridge.take("from here");
    }
    broker.program().wait_for_line("New bridge connected");
}

#[test]
fn a_bridge_learns_what_is_retained() {
    let broker = Broker::start();
    let mut bridge = bridge(&broker, V311, "bridge");
    let mut client = Client::clean(&broker, V311, "client");
    for who in [&mut bridge, &mut client] {
        who.subscribe_qos("t/#", AtMostOnce);
    }
    let mut publisher = Client::clean(&broker, V311, "publisher");
    for retain in [true, false] {
        let message = publish("t/x", "x", AtMostOnce, 1);
        publisher.publish_as(codec::Publish { retain, ..message });
        assert_eq!(bridge.take("x").retain, retain);
        assert!(!client.take("x").retain);
    }
}

/// That place below `$SYS` is the bridges' own; any other stays the broker's.
#[test]
fn a_bridge_tells_its_state() {
    let broker = Broker::start();
    let mut watcher = Client::clean(&broker, V311, "watcher");
    watcher.subscribe_qos("$SYS/broker/connection/#", AtLeastOnce);
    for version in VERSIONS {
        let topic = "$SYS/broker/connection/other.bridge/state";
        let will = codec::Will { retain: true, ..will(topic, "0") };
        let connect = Connect { bridge: true, will: Some(will), ..connect(version, "bridge") };
        let mut bridge = Client::connect(&broker, connect);
        for elsewhere in ["$SYS/broker/connection/a/b/state", "$SYS/broker/connection/a/stat"] {
            bridge.publish_as(publish(elsewhere, "mine", AtLeastOnce, 1));
        }
        bridge.publish_as(publish(topic, "1", AtMostOnce, 1));
        watcher.take("1");
        bridge.vanish();
        watcher.take("0");
    }
}
