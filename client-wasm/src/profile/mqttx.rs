//! The file that MQTTX exports: a list of connections, or one of them, with their messages.

use serde_json::Value;

use super::Profile;
use super::explorer::{address, note_tcp};
use super::file::{Read, user_properties};
use super::reader::{Reader, What};
use crate::connect::{Connect, Subscription, Version, Will};
use crate::protocol::Properties;

const VERSIONS: &str = "\"3.1\", \"3.1.1\", \"5.0\"";

/// Reads such a file; says whether it is one.
pub(super) fn read(file: &Value, read: &mut Read) -> bool {
    let is_connection = |value: &Value| {
        value.is_object() && (value.get("host").is_some() || value.get("clientId").is_some())
    };
    let connections = match file {
        Value::Array(list) if list.iter().any(is_connection) => list.as_slice(),
        object if is_connection(object) => std::slice::from_ref(object),
        _ => return false,
    };
    for (index, value) in connections.iter().enumerate() {
        let place = format!("[{index}]");
        read.add(place, value, connection);
    }
    true
}

fn connection(mut reader: Reader<'_, '_>) -> Option<Profile> {
    let host = reader.host()?;
    let is_encrypted = reader.flag("ssl").unwrap_or(false);
    let scheme = match reader.some_text("protocol") {
        Some(scheme) => scheme,
        None if is_encrypted => "mqtts".to_owned(),
        None => "mqtt".to_owned(),
    };
    let path = reader.text("path");
    let mut profile = Profile::new(String::new(), "");
    profile.name = reader.text("name");
    let connect = &mut profile.connect;
    connect.url = address(&scheme, &host, reader.number("port", u16::MAX), &path);
    if let Some(name) = reader.some_text("mqttVersion") {
        match Version::of_name(&name) {
            Some(version) => connect.version = version,
            None => reader.note("mqttVersion", What::NotOneOf(VERSIONS)),
        }
    }
    connect.client_id = reader.text("clientId");
    connect.username = reader.text("username");
    connect.password = reader.text("password");
    connect.clean_start = reader.flag("clean").unwrap_or(true);
    connect.keep_alive_s = reader.number("keepalive", u16::MAX).unwrap_or(Connect::KEEP_ALIVE_S);
    if let Some(mut properties) = reader.object("properties") {
        connect.session_expiry_s =
            properties.number("sessionExpiryInterval", u32::MAX).unwrap_or(0);
    }
    connect.will = reader.object("will").and_then(will);
    note_tcp(&scheme, &mut reader);
    if ["ca", "cert", "key"].iter().any(|key| reader.some_text(key).is_some()) {
        reader.note("", What::Certificates);
    }
    for (place, value) in reader.list("subscriptions") {
        if let Some(subscription) = reader.other(place, value).and_then(subscription) {
            profile.connect.subscriptions.push(subscription);
        }
    }
    Some(profile)
}

/// A Will without a topic is none.
fn will(mut reader: Reader<'_, '_>) -> Option<Will> {
    let mut will = Will {
        topic: reader.some_text("lastWillTopic")?,
        payload: reader.text("lastWillPayload"),
        qos: reader.number("lastWillQos", 2).unwrap_or(0),
        retain: reader.flag("lastWillRetain").unwrap_or(false),
        ..Will::default()
    };
    if let Some(mut reader) = reader.object("properties") {
        will.delay_s = reader.number("willDelayInterval", u32::MAX).unwrap_or(0);
        will.properties = Properties {
            is_text: reader.flag("payloadFormatIndicator").unwrap_or(false),
            expiry_s: reader.number("messageExpiryInterval", u32::MAX),
            content_type: reader.some_text("contentType"),
            response_topic: reader.some_text("responseTopic"),
            correlation_data: reader.some_text("correlationData").map(String::into_bytes),
            user: will_user_properties(&mut reader),
        };
    }
    Some(will)
}

/// An object, or the same as JSON in a text.
fn will_user_properties(reader: &mut Reader<'_, '_>) -> Vec<(String, String)> {
    match reader.value("userProperties") {
        None => Vec::new(),
        Some(Value::Object(object)) => user_properties(object),
        Some(Value::String(text)) => {
            let object = serde_json::from_str::<Value>(text).ok();
            object.as_ref().and_then(Value::as_object).map(user_properties).unwrap_or_default()
        }
        Some(_) => {
            reader.note("userProperties", What::NotObject);
            Vec::new()
        }
    }
}

fn subscription(mut reader: Reader<'_, '_>) -> Option<Subscription> {
    if reader.flag("disabled") == Some(true) {
        reader.note("", What::Disabled);
        return None;
    }
    Some(Subscription {
        filter: reader.text("topic"),
        qos: reader.number("qos", 2).unwrap_or(0),
        no_local: reader.flag("nl").unwrap_or(false),
        retain_as_published: reader.flag("rap").unwrap_or(false),
        retain_handling: reader.number("rh", 2).unwrap_or(0),
        identifier: reader.number("subscriptionIdentifier", u32::MAX),
    })
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use crate::connect::{Subscription, Version};
    use crate::profile::What;
    use crate::profile::file::read;

    const CONNECTION: &str = r#"{
        "clientId": "mqttx_1", "name": "Plant", "clean": false, "protocol": "wss",
        "host": "plant.lan", "port": 8084, "path": "/mqtt", "keepalive": 60,
        "connectTimeout": 10, "reconnect": true, "username": "ana", "password": "pw",
        "ssl": true, "certType": "server", "ca": "", "cert": "", "key": "", "mqttVersion": "5.0",
        "unreadMessageCount": 0, "messages": [{ "topic": "a", "payload": "b", "qos": 0 }],
        "subscriptions": [
            { "id": "1", "topic": "line/+", "qos": 2, "nl": true, "rap": true, "rh": 1,
              "subscriptionIdentifier": 4, "disabled": false },
            { "id": "2", "topic": "off", "qos": 0, "disabled": true }
        ],
        "will": { "lastWillTopic": "gone", "lastWillPayload": "x", "lastWillQos": 1,
            "lastWillRetain": true, "properties": { "willDelayInterval": 5,
            "payloadFormatIndicator": true, "messageExpiryInterval": null, "contentType": "",
            "userProperties": { "k": ["v", "w"] } } },
        "properties": { "sessionExpiryInterval": 3600, "receiveMaximum": null }
    }"#;

    #[test]
    fn its_connections_are_taken_over() {
        for text in [CONNECTION.to_owned(), format!("[{CONNECTION}]")] {
            let read = read(&text).unwrap();
            let [plant] = &read.profiles[..] else { panic!("{:?}", read.profiles) };
            let connect = &plant.connect;
            assert_eq!(
                (plant.name.as_str(), connect.url.as_str()),
                ("Plant", "wss://plant.lan:8084/mqtt")
            );
            assert_eq!((connect.version, connect.clean_start), (Version::V5, false));
            assert_eq!((connect.keep_alive_s, connect.session_expiry_s), (60, 3_600));
            assert_eq!((connect.username.as_str(), connect.password.as_str()), ("ana", "pw"));
            let subscription = Subscription {
                filter: "line/+".into(),
                qos: 2,
                no_local: true,
                retain_as_published: true,
                retain_handling: 1,
                identifier: Some(4),
            };
            assert_eq!(connect.subscriptions, [subscription]);
            let will = connect.will.as_ref().unwrap();
            assert_eq!((will.topic.as_str(), will.payload.as_str()), ("gone", "x"));
            assert_eq!((will.qos, will.retain, will.delay_s), (1, true, 5));
            assert!(will.properties.is_text);
            let user = [("k".into(), "v".into()), ("k".into(), "w".into())];
            assert_eq!(will.properties.user, user);
            assert_eq!(read.notes.len(), 1);
            assert_eq!(read.notes[0].what, What::Disabled);
            assert_eq!(read.notes[0].place, "[0].subscriptions[1]");
        }
    }

    #[test]
    fn tcp_is_taken_over_for_a_person_to_put_right() {
        let read = read(r#"[{ "host": "a", "port": 1883, "protocol": "mqtt" }]"#).unwrap();
        assert_eq!(read.profiles[0].connect.url, "mqtt://a:1883");
        assert_eq!(read.notes[0].what, What::Tcp);
    }
}
