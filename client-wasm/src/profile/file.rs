//! The file of connections: what is saved and sent around, and what the browser keeps.
//!
//! It is JSON: an object with `"format": "mqtt-connections"`, `"version": 1` and `"connections"`, a list
//! of objects whose members are named below. Reading goes on behind whatever is wrong, with a note of
//! what it was and where. Files of MQTT Explorer and MQTTX are known by what is in them.

use serde_json::{Map, Value, json};

use super::reader::{Note, Reader, What};
use super::{Profile, explorer, mqttx};
use crate::connect::{Connect, Subscription, Version, Will};
use crate::limits::PROFILES_MAX;
use crate::protocol::Properties;
use crate::unreadable::Unreadable;

/// What names our own format.
const FORMAT: &str = "mqtt-connections";

/// The version of it that is written, and the newest that is read.
const VERSION: u64 = 1;

const VERSIONS: &str = "\"3.1\", \"3.1.1\", \"5\"";

/// Which passwords are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passwords {
    /// None.
    None,
    /// Those of connections whose owner wants them kept.
    Kept,
    /// All of them.
    All,
}

/// What was read from a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Read {
    /// The connections. Those of a file of ours have the numbers that they have there.
    pub profiles: Vec<Profile>,
    /// What was not taken over as it stands.
    pub notes: Vec<Note>,
}

impl Read {
    /// Adds the connection that another program has put at this place, if it is one.
    pub(super) fn add(
        &mut self,
        place: String,
        value: &Value,
        connection: impl FnOnce(Reader<'_, '_>) -> Option<Profile>,
    ) {
        self.profiles.extend(Reader::new(place, value, &mut self.notes).and_then(connection));
    }
}

/// Why a file could not be read at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// It is no JSON from this line and column on.
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It is JSON, and not of connections.
    NotConnections,
    /// It is of a newer version of this page; with the version.
    Newer(u64),
}

/// Writes a file.
pub fn write(profiles: &[Profile], passwords: Passwords) -> String {
    let connections: Vec<Value> = profiles
        .iter()
        .map(|profile| {
            let with_password = match passwords {
                Passwords::None => false,
                Passwords::Kept => profile.keeps_password,
                Passwords::All => true,
            };
            connection(profile, with_password)
        })
        .collect();
    let file = json!({ "format": FORMAT, "version": VERSION, "connections": connections });
    // What was built of texts, numbers and truths has a form in JSON.
    serde_json::to_string_pretty(&file).unwrap_or_default()
}

fn connection(profile: &Profile, with_password: bool) -> Value {
    let Connect {
        url,
        version,
        client_id,
        username,
        password,
        clean_start,
        session_expiry_s,
        keep_alive_s,
        will,
        subscriptions,
    } = &profile.connect;
    let mut members = json!({
        "id": profile.id,
        "name": profile.name,
        "address": url,
        "protocolVersion": version.name(),
        "clientId": client_id,
        "username": username,
        "keepPassword": profile.keeps_password,
        "cleanStart": clean_start,
        "sessionExpirySeconds": session_expiry_s,
        "keepAliveSeconds": keep_alive_s,
        "will": will.as_ref().map(will_members),
        "subscriptions": subscriptions.iter().map(subscription_members).collect::<Vec<_>>(),
        "openAtStart": profile.opens_at_start,
    });
    if with_password && let Some(members) = members.as_object_mut() {
        members.insert("password".to_owned(), json!(password));
    }
    members
}

fn will_members(will: &Will) -> Value {
    let Properties { is_text, expiry_s, content_type, response_topic, correlation_data, user } =
        &will.properties;
    let correlation = correlation_data.as_deref().map(String::from_utf8_lossy);
    json!({
        "topic": will.topic,
        "payload": will.payload,
        "qos": will.qos,
        "retain": will.retain,
        "delaySeconds": will.delay_s,
        "payloadIsText": is_text,
        "expirySeconds": expiry_s,
        "contentType": content_type,
        "responseTopic": response_topic,
        "correlationData": correlation,
        "userProperties": user.iter().map(|(name, value)| json!([name, value])).collect::<Vec<_>>(),
    })
}

fn subscription_members(subscription: &Subscription) -> Value {
    let Subscription { filter, qos, no_local, retain_as_published, retain_handling, identifier } =
        subscription;
    json!({
        "filter": filter,
        "qos": qos,
        "noLocal": no_local,
        "retainAsPublished": retain_as_published,
        "retainHandling": retain_handling,
        "identifier": identifier,
    })
}

/// Reads a file: ours, MQTT Explorer's or MQTTX's.
///
/// # Errors
/// Nothing could be read.
pub fn read(text: &str) -> Result<Read, Broken> {
    let file = serde_json::from_str(text.trim_start_matches('\u{feff}'));
    let file: Value = file.map_err(|error| {
        let (line, column) = Unreadable::place(&error);
        Broken::NotJson { line, column }
    })?;
    let mut read = Read::default();
    if file.get("format").and_then(Value::as_str) == Some(FORMAT) {
        read_own(&file, &mut read)?;
    } else if !explorer::read(&file, &mut read) && !mqttx::read(&file, &mut read) {
        return Err(Broken::NotConnections);
    }
    if read.profiles.len() > PROFILES_MAX {
        read.profiles.truncate(PROFILES_MAX);
        read.notes.push(Note { place: String::new(), what: What::TooMany });
    }
    Ok(read)
}

fn read_own(file: &Value, read: &mut Read) -> Result<(), Broken> {
    let version = file.get("version").and_then(Value::as_u64).unwrap_or(VERSION);
    if version > VERSION {
        return Err(Broken::Newer(version));
    }
    let Some(mut reader) = Reader::new(String::new(), file, &mut read.notes) else {
        return Err(Broken::NotConnections);
    };
    reader.only(&["format", "version", "connections"]);
    for (place, value) in reader.list("connections") {
        if let Some(profile) = reader.other(place, value).and_then(read_connection) {
            read.profiles.push(profile);
        }
    }
    Ok(())
}

fn read_connection(mut reader: Reader<'_, '_>) -> Option<Profile> {
    reader.only(&[
        "id",
        "name",
        "address",
        "protocolVersion",
        "clientId",
        "username",
        "password",
        "keepPassword",
        "cleanStart",
        "sessionExpirySeconds",
        "keepAliveSeconds",
        "will",
        "subscriptions",
        "openAtStart",
    ]);
    let Some(address) = reader.some_text("address") else {
        reader.note("address", What::NoHost);
        return None;
    };
    let mut profile = Profile::new(reader.text("id"), &address);
    profile.name = reader.text("name");
    profile.keeps_password = reader.flag("keepPassword").unwrap_or(false);
    profile.opens_at_start = reader.flag("openAtStart").unwrap_or(false);
    let connect = &mut profile.connect;
    if let Some(name) = reader.some_text("protocolVersion") {
        match Version::of_name(&name) {
            Some(version) => connect.version = version,
            None => reader.note("protocolVersion", What::NotOneOf(VERSIONS)),
        }
    }
    connect.client_id = reader.text("clientId");
    connect.username = reader.text("username");
    connect.password = reader.text("password");
    connect.clean_start = reader.flag("cleanStart").unwrap_or(true);
    connect.session_expiry_s = reader.number("sessionExpirySeconds", u32::MAX).unwrap_or(0);
    connect.keep_alive_s =
        reader.number("keepAliveSeconds", u16::MAX).unwrap_or(Connect::KEEP_ALIVE_S);
    connect.will = reader.object("will").map(read_will);
    for (place, value) in reader.list("subscriptions") {
        if let Some(reader) = reader.other(place, value) {
            connect.subscriptions.push(read_subscription(reader));
        }
    }
    Some(profile)
}

fn read_will(mut reader: Reader<'_, '_>) -> Will {
    reader.only(&[
        "topic",
        "payload",
        "qos",
        "retain",
        "delaySeconds",
        "payloadIsText",
        "expirySeconds",
        "contentType",
        "responseTopic",
        "correlationData",
        "userProperties",
    ]);
    let mut user = Vec::new();
    for (_, value) in reader.list("userProperties") {
        match value.as_array().map(Vec::as_slice) {
            Some([Value::String(name), Value::String(value)]) => {
                user.push((name.clone(), value.clone()));
            }
            _ => reader.note("userProperties", What::NotText),
        }
    }
    Will {
        topic: reader.text("topic"),
        payload: reader.text("payload"),
        qos: reader.number("qos", 2).unwrap_or(0),
        retain: reader.flag("retain").unwrap_or(false),
        delay_s: reader.number("delaySeconds", u32::MAX).unwrap_or(0),
        properties: Properties {
            is_text: reader.flag("payloadIsText").unwrap_or(false),
            expiry_s: reader.number("expirySeconds", u32::MAX),
            content_type: reader.some_text("contentType"),
            response_topic: reader.some_text("responseTopic"),
            correlation_data: reader.some_text("correlationData").map(String::into_bytes),
            user,
        },
    }
}

fn read_subscription(mut reader: Reader<'_, '_>) -> Subscription {
    reader.only(&["filter", "qos", "noLocal", "retainAsPublished", "retainHandling", "identifier"]);
    Subscription {
        filter: reader.text("filter"),
        qos: reader.number("qos", 2).unwrap_or(0),
        no_local: reader.flag("noLocal").unwrap_or(false),
        retain_as_published: reader.flag("retainAsPublished").unwrap_or(true),
        retain_handling: reader.number("retainHandling", 2).unwrap_or(0),
        identifier: reader.number("identifier", u32::MAX),
    }
}

/// User Properties as other programs write them: an object of texts, or of lists of texts.
pub(super) fn user_properties(object: &Map<String, Value>) -> Vec<(String, String)> {
    let values = |value: &Value| match value {
        Value::Array(values) => values.clone(),
        other => vec![other.clone()],
    };
    object
        .iter()
        .flat_map(|(name, value)| values(value).into_iter().map(move |value| (name, value)))
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn full() -> Profile {
        let will = Will {
            topic: "panel/status".into(),
            payload: "gone \"ñ\"".into(),
            qos: 1,
            retain: true,
            delay_s: 30,
            properties: Properties {
                is_text: true,
                expiry_s: Some(60),
                content_type: Some("text/plain".into()),
                response_topic: Some("a/b".into()),
                correlation_data: Some(b"7".to_vec()),
                user: vec![("k".into(), "v".into()), ("k".into(), "w".into())],
            },
        };
        let subscription = Subscription {
            filter: "casa/#".into(),
            qos: 2,
            no_local: true,
            retain_as_published: false,
            retain_handling: 1,
            identifier: Some(9),
        };
        Profile {
            id: "a1".into(),
            name: "Cocina".into(),
            connect: Connect {
                url: "wss://broker.lan/mqtt".into(),
                version: Version::V311,
                client_id: "panel".into(),
                username: "josé".into(),
                password: "secreto".into(),
                clean_start: false,
                session_expiry_s: u32::MAX,
                keep_alive_s: 0,
                will: Some(will),
                subscriptions: vec![subscription, Subscription::new("$SYS/#")],
            },
            keeps_password: false,
            opens_at_start: true,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let profiles = vec![full(), Profile::new("b2".into(), "ws://a")];
        let read = read(&write(&profiles, Passwords::All)).unwrap();
        assert_eq!(read, Read { profiles, notes: Vec::new() });
    }

    #[test]
    fn passwords_are_written_only_when_asked_for() {
        let kept = Profile { keeps_password: true, ..full() };
        for (passwords, profile, is_there) in [
            (Passwords::None, &kept, false),
            (Passwords::Kept, &full(), false),
            (Passwords::Kept, &kept, true),
            (Passwords::All, &full(), true),
        ] {
            let text = write(std::slice::from_ref(profile), passwords);
            assert_eq!(text.contains("secreto"), is_there, "{passwords:?}");
        }
    }

    #[test]
    fn what_is_broken_is_said_with_its_place() {
        for (text, expected) in [
            ("", Broken::NotJson { line: 1, column: 1 }),
            ("{\n \"format\": \n}", Broken::NotJson { line: 3, column: 1 }),
            ("7", Broken::NotConnections),
            ("{}", Broken::NotConnections),
            ("[]", Broken::NotConnections),
            ("[{\"a\": 1}]", Broken::NotConnections),
            ("{\"format\": \"something else\"}", Broken::NotConnections),
            ("{\"format\": \"mqtt-connections\", \"version\": 2}", Broken::Newer(2)),
        ] {
            assert_eq!(read(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn reading_goes_on_behind_what_is_wrong() {
        let text = r#"{ "format": "mqtt-connections", "version": 1, "more": 1, "connections": [
            7,
            { "name": "no address" },
            { "address": "ws://a", "keepAliveSeconds": 70000, "cleanStart": "yes",
              "protocolVersion": "4", "colour": "red", "will": { "topic": 5, "qos": 3 },
              "subscriptions": [ { "filter": "a", "qos": -1 }, "b" ] },
            { "address": "ws://b", "subscriptions": "c" } ] }"#;
        let read = read(text).unwrap();
        let urls: Vec<&str> = read.profiles.iter().map(|p| p.connect.url.as_str()).collect();
        assert_eq!(urls, ["ws://a", "ws://b"]);
        assert_eq!(read.profiles[0].connect.keep_alive_s, Connect::KEEP_ALIVE_S);
        assert_eq!(read.profiles[0].connect.subscriptions, [Subscription::new("a")]);
        let notes: Vec<(&str, &What)> =
            read.notes.iter().map(|note| (note.place.as_str(), &note.what)).collect();
        assert_eq!(
            notes,
            [
                ("more", &What::Unknown),
                ("connections[0]", &What::NotObject),
                ("connections[1].address", &What::NoHost),
                ("connections[2].colour", &What::Unknown),
                ("connections[2].protocolVersion", &What::NotOneOf(VERSIONS)),
                ("connections[2].cleanStart", &What::NotFlag),
                ("connections[2].keepAliveSeconds", &What::NotNumber(0, 65_535)),
                ("connections[2].will.topic", &What::NotText),
                ("connections[2].will.qos", &What::NotNumber(0, 2)),
                ("connections[2].subscriptions[0].qos", &What::NotNumber(0, 2)),
                ("connections[2].subscriptions[1]", &What::NotObject),
                ("connections[3].subscriptions", &What::NotList),
            ]
        );
    }

    /// Whatever bytes come, there is an answer.
    #[test]
    fn any_damage_is_survived() {
        let good = write(&[full()], Passwords::All);
        for end in (0..good.len()).filter(|end| good.is_char_boundary(*end)) {
            assert!(read(&good[..end]).is_err(), "{end} bytes");
        }
        for (at, _) in good.char_indices() {
            let mut damaged = good.clone();
            damaged.remove(at);
            // Some damage is still JSON; it must not panic.
            let _read = read(&damaged);
        }
        assert!(read(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn too_many_are_cut_off_with_a_note() {
        let many = vec![Profile::new(String::new(), "ws://a"); PROFILES_MAX + 1];
        let read = read(&write(&many, Passwords::None)).unwrap();
        assert_eq!(read.profiles.len(), PROFILES_MAX);
        assert_eq!(read.notes[0].what, What::TooMany);
    }
}
