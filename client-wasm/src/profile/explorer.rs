//! The settings file of MQTT Explorer: its connections stand in one object, by their numbers. It speaks
//! MQTT 3.1.1, and its subscriptions are topics with a QoS, or bare topics in older files.

use serde_json::Value;

use super::Profile;
use super::file::Read;
use super::reader::{Reader, What};
use crate::connect::{Connect, Subscription, Version};

/// The member that the connections are in.
const CONNECTIONS: &str = "ConnectionManager_connections";

/// The seconds that it uses, which its file does not name.
const KEEP_ALIVE_S: u16 = 60;

/// Reads such a file; says whether it is one.
pub(super) fn read(file: &Value, read: &mut Read) -> bool {
    let Some(connections) = file.get(CONNECTIONS).and_then(Value::as_object) else { return false };
    let mut ordered: Vec<_> = connections.iter().collect();
    ordered.sort_by_key(|(_, value)| value.get("order").and_then(Value::as_u64));
    for (key, value) in ordered {
        let place = format!("{CONNECTIONS}[{key}]");
        read.add(place, value, connection);
    }
    true
}

fn connection(mut reader: Reader<'_, '_>) -> Option<Profile> {
    let host = reader.host()?;
    let is_encrypted = reader.flag("encryption").unwrap_or(false);
    let protocol = reader.some_text("protocol").unwrap_or_else(|| "mqtt".to_owned());
    let scheme = if is_encrypted { format!("{protocol}s") } else { protocol };
    let path = reader.text("basePath");
    let mut profile = Profile::new(String::new(), "");
    profile.connect = Connect {
        url: address(&scheme, &host, reader.number("port", u16::MAX), &path),
        version: Version::V311,
        client_id: reader.text("clientId"),
        username: reader.text("username"),
        password: reader.text("password"),
        keep_alive_s: KEEP_ALIVE_S,
        ..Connect::new("")
    };
    profile.name = reader.text("name");
    note_tcp(&scheme, &mut reader);
    let has_certificates = ["selfSignedCertificate", "clientCertificate", "clientKey"]
        .iter()
        .any(|key| reader.value(key).is_some());
    if has_certificates || reader.flag("certValidation") == Some(false) {
        reader.note("", What::Certificates);
    }
    for (place, value) in reader.list("subscriptions") {
        if let Some(topic) = value.as_str() {
            profile.connect.subscriptions.push(Subscription::new(topic));
        } else if let Some(mut reader) = reader.other(place, value) {
            let qos = reader.number("qos", 2).unwrap_or(0);
            let subscription = Subscription { qos, ..Subscription::new(&reader.text("topic")) };
            profile.connect.subscriptions.push(subscription);
        }
    }
    Some(profile)
}

/// An address of its parts. TCP has none that a browser could open: it stays as it is, for a person to
/// put right.
pub(super) fn address(scheme: &str, host: &str, port: Option<u16>, path: &str) -> String {
    let mut address = format!("{scheme}://{host}");
    if let Some(port) = port {
        address.push_str(&format!(":{port}"));
    }
    if scheme.starts_with("ws") {
        address.push('/');
        address.push_str(path.trim_start_matches('/'));
    }
    address
}

pub(super) fn note_tcp(scheme: &str, reader: &mut Reader<'_, '_>) {
    if !scheme.starts_with("ws") {
        reader.note("", What::Tcp);
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use crate::connect::{Subscription, Version};
    use crate::profile::What;
    use crate::profile::file::read;

    const FILE: &str = r##"{
        "Settings": { "theme": "light" },
        "ConnectionManager_connections": {
            "0b3c": { "configVersion": 1, "type": "mqtt", "id": "0b3c", "name": "Plant", "order": 2,
                "host": "plant.lan", "port": 8084, "protocol": "ws", "basePath": "mqtt",
                "encryption": true, "certValidation": false, "clientId": "line-1",
                "username": "ana", "password": "pw",
                "subscriptions": [{ "topic": "#", "qos": 0 }, { "topic": "$SYS/#", "qos": 1 }] },
            "old": { "name": "Old", "host": "10.0.0.2", "port": 1883, "protocol": "mqtt", "order": 1,
                "encryption": false, "certValidation": true, "subscriptions": ["a/#"] },
            "bad": { "name": "Bad", "port": 1 }
        }
    }"##;

    #[test]
    fn its_connections_are_taken_over() {
        let read = read(FILE).unwrap();
        let [old, plant] = &read.profiles[..] else { panic!("{:?}", read.profiles) };
        assert_eq!(plant.name, "Plant");
        let connect = &plant.connect;
        assert_eq!(connect.url, "wss://plant.lan:8084/mqtt");
        assert_eq!(connect.version, Version::V311);
        assert_eq!((connect.username.as_str(), connect.password.as_str()), ("ana", "pw"));
        assert_eq!(connect.client_id, "line-1");
        let qos_1 = Subscription { qos: 1, ..Subscription::new("$SYS/#") };
        assert_eq!(connect.subscriptions, [Subscription::new("#"), qos_1]);
        assert!(!plant.keeps_password);

        assert_eq!(old.connect.url, "mqtt://10.0.0.2:1883");
        assert_eq!(old.connect.subscriptions, [Subscription::new("a/#")]);
        let whats: Vec<&What> = read.notes.iter().map(|note| &note.what).collect();
        assert_eq!(whats, [&What::NoHost, &What::Tcp, &What::Certificates]);
    }
}
