//! A connection while a person writes it: every field of the form is text until the form is sent, so that
//! what is half written stays as it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{IDENTIFIER_MAX, Profile, Wrong, check};
use crate::connect::{Connect, Subscription, Version, Will};
use crate::protocol::Properties;

/// What a checked box holds.
pub const ON: &str = "on";

/// The field of the password.
const PASSWORD: &str = "password";

/// A field that nobody sees: on where the password was left out when the form was kept.
const PASSWORD_LEFT_OUT: &str = "password_left_out";

/// The fields of a form, by their names. Those of a row have the row's number behind a dot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    id: String,
    fields: BTreeMap<String, String>,
    filters: Vec<u32>,
    user_properties: Vec<u32>,
    next_row: u32,
}

impl Draft {
    /// The form of a connection.
    pub fn of(profile: &Profile) -> Self {
        let connect = &profile.connect;
        let mut draft = Self {
            id: profile.id.clone(),
            fields: BTreeMap::new(),
            filters: Vec::new(),
            user_properties: Vec::new(),
            next_row: 0,
        };
        draft.set("name", &profile.name);
        draft.set("url", &connect.url);
        draft.set("version", connect.version.name());
        draft.set("username", &connect.username);
        draft.set(PASSWORD, &connect.password);
        draft.turn("keeps_password", profile.keeps_password);
        draft.turn("opens_at_start", profile.opens_at_start);
        draft.set("client_id", &connect.client_id);
        draft.turn("clean_start", connect.clean_start);
        draft.set("session_expiry", &connect.session_expiry_s.to_string());
        draft.set("keep_alive", &connect.keep_alive_s.to_string());
        draft.set_will(connect.will.as_ref());
        for subscription in &connect.subscriptions {
            draft.add_filter(subscription);
        }
        draft
    }

    fn set_will(&mut self, will: Option<&Will>) {
        self.turn("has_will", will.is_some());
        let default = Will::default();
        let will = will.unwrap_or(&default);
        self.set("will_topic", &will.topic);
        self.set("will_payload", &will.payload);
        self.set("will_qos", &will.qos.to_string());
        self.turn("will_retain", will.retain);
        self.set("will_delay", &will.delay_s.to_string());
        let given = &will.properties;
        self.turn("will_is_text", given.is_text);
        self.set("will_expiry", &given.expiry_s.map(|s| s.to_string()).unwrap_or_default());
        self.set("will_content_type", given.content_type.as_deref().unwrap_or_default());
        self.set("will_response_topic", given.response_topic.as_deref().unwrap_or_default());
        let correlation = given.correlation_data.as_deref().unwrap_or_default();
        self.set("will_correlation", &String::from_utf8_lossy(correlation));
        for (name, value) in &given.user {
            self.add_user_property(name, value);
        }
    }

    /// The form as a text that outlives the page, in which the password stands only where its owner wants it
    /// kept; with whether its connection is new.
    pub fn write(&self, is_new: bool) -> String {
        let mut kept = self.clone();
        if !self.is_on("keeps_password") && !self.get(PASSWORD).is_empty() {
            kept.set(PASSWORD, "");
            kept.turn(PASSWORD_LEFT_OUT, true);
        }
        // What consists of texts and numbers has a form in JSON.
        serde_json::to_string(&(kept, is_new)).unwrap_or_default()
    }

    /// The form that was written so; none where it is of another version of the page.
    pub fn read(text: &str) -> Option<(Self, bool)> {
        serde_json::from_str(text).ok()
    }

    /// Whether there was a password that was not kept, and is to be written once more.
    pub fn lacks_password(&self) -> bool {
        self.is_on(PASSWORD_LEFT_OUT) && self.get(PASSWORD).is_empty()
    }

    /// The number of the connection.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What stands in a field.
    pub fn get(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// Whether a box is checked.
    pub fn is_on(&self, name: &str) -> bool {
        self.get(name) == ON
    }

    /// Writes into a field.
    pub fn set(&mut self, name: &str, text: &str) {
        self.fields.insert(name.to_owned(), text.to_owned());
    }

    /// Checks a box, or unchecks it.
    pub fn turn(&mut self, name: &str, is_on: bool) {
        self.set(name, if is_on { ON } else { "" });
    }

    /// The rows of topic filters.
    pub fn filters(&self) -> &[u32] {
        &self.filters
    }

    /// The rows of the Will's User Properties.
    pub fn user_properties(&self) -> &[u32] {
        &self.user_properties
    }

    /// Adds a row for a subscription, unless there is an empty one for it or its filter is there.
    pub fn add_filter(&mut self, subscription: &Subscription) {
        let filter = &subscription.filter;
        let held = |row: &&u32| self.get(&format!("filter.{row}")) == filter;
        if !filter.is_empty() && self.filters.iter().any(|row| held(&row)) {
            return;
        }
        let empty = self.filters.iter().find(|row| self.get(&format!("filter.{row}")).is_empty());
        let row = match empty.copied().filter(|_| !filter.is_empty()) {
            Some(row) => row,
            None => {
                let row = self.row();
                self.filters.push(row);
                row
            }
        };
        self.set(&format!("filter.{row}"), filter);
        self.set(&format!("qos.{row}"), &subscription.qos.to_string());
        self.turn(&format!("no_local.{row}"), subscription.no_local);
        self.turn(&format!("as_published.{row}"), subscription.retain_as_published);
        self.set(&format!("handling.{row}"), &subscription.retain_handling.to_string());
        let identifier = subscription.identifier.map(|id| id.to_string()).unwrap_or_default();
        self.set(&format!("identifier.{row}"), &identifier);
    }

    /// Adds a row for a User Property of the Will.
    pub fn add_user_property(&mut self, name: &str, value: &str) {
        let row = self.row();
        self.user_properties.push(row);
        self.set(&format!("user_name.{row}"), name);
        self.set(&format!("user_value.{row}"), value);
    }

    /// Takes a row away.
    pub fn remove_row(&mut self, row: u32) {
        self.filters.retain(|other| *other != row);
        self.user_properties.retain(|other| *other != row);
    }

    fn row(&mut self) -> u32 {
        let row = self.next_row;
        self.next_row = row.saturating_add(1);
        row
    }

    /// The connection that was written.
    ///
    /// # Errors
    /// All that is wrong with it. `is_secure` is as in [`check`].
    pub fn profile(&self, is_secure: bool) -> Result<Profile, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let connect = self.connect(&mut wrong);
        wrong.extend(check(&connect, is_secure));
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Profile {
            id: self.id.clone(),
            name: self.get("name").trim().to_owned(),
            connect,
            keeps_password: self.is_on("keeps_password"),
            opens_at_start: self.is_on("opens_at_start"),
        })
    }

    fn connect(&self, wrong: &mut Vec<Wrong>) -> Connect {
        let text = |name: &str| self.get(name).to_owned();
        Connect {
            url: self.get("url").trim().to_owned(),
            version: Version::of_name(self.get("version")).unwrap_or_default(),
            client_id: text("client_id"),
            username: text("username"),
            password: text(PASSWORD),
            clean_start: self.is_on("clean_start"),
            session_expiry_s: self.number("session_expiry", u32::MAX, wrong).unwrap_or(0),
            keep_alive_s: self.number("keep_alive", u16::MAX, wrong).unwrap_or(0),
            will: self.is_on("has_will").then(|| self.will(wrong)),
            subscriptions: self
                .filters
                .iter()
                // An empty row was not filled in, and asks for nothing.
                .filter(|row| !self.get(&format!("filter.{row}")).is_empty())
                .map(|row| self.subscription(*row, wrong))
                .collect(),
        }
    }

    fn will(&self, wrong: &mut Vec<Wrong>) -> Will {
        let text = |name: &str| self.get(name).to_owned();
        let given = |name: &str| Some(text(name)).filter(|text| !text.is_empty());
        let pair =
            |row: &u32| (text(&format!("user_name.{row}")), text(&format!("user_value.{row}")));
        Will {
            topic: text("will_topic"),
            payload: text("will_payload"),
            qos: self.number("will_qos", 2, wrong).unwrap_or(0),
            retain: self.is_on("will_retain"),
            delay_s: self.number("will_delay", u32::MAX, wrong).unwrap_or(0),
            properties: Properties {
                is_text: self.is_on("will_is_text"),
                expiry_s: self.number("will_expiry", u32::MAX, wrong),
                content_type: given("will_content_type"),
                response_topic: given("will_response_topic"),
                correlation_data: given("will_correlation").map(String::into_bytes),
                user: self
                    .user_properties
                    .iter()
                    .map(pair)
                    .filter(|(name, value)| !(name.is_empty() && value.is_empty()))
                    .collect(),
            },
        }
    }

    fn subscription(&self, row: u32, wrong: &mut Vec<Wrong>) -> Subscription {
        Subscription {
            filter: self.get(&format!("filter.{row}")).to_owned(),
            qos: self.number(&format!("qos.{row}"), 2, wrong).unwrap_or(0),
            no_local: self.is_on(&format!("no_local.{row}")),
            retain_as_published: self.is_on(&format!("as_published.{row}")),
            retain_handling: self.number(&format!("handling.{row}"), 2, wrong).unwrap_or(0),
            identifier: self.number(&format!("identifier.{row}"), IDENTIFIER_MAX, wrong),
        }
    }

    /// The whole number in a field; none where it is empty.
    fn number<T: TryFrom<u64> + Into<u64>>(
        &self,
        name: &str,
        max: T,
        wrong: &mut Vec<Wrong>,
    ) -> Option<T> {
        let text = self.get(name).trim();
        if text.is_empty() {
            return None;
        }
        let max = max.into();
        let number = text.parse().ok().filter(|number| *number <= max);
        let number = number.and_then(|number| T::try_from(number).ok());
        if number.is_none() {
            wrong.push(Wrong::Number { field: name.to_owned(), max });
        }
        number
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn full() -> Profile {
        Profile {
            id: "a1".into(),
            name: "Kitchen".into(),
            connect: Connect {
                client_id: "panel".into(),
                username: "ana".into(),
                password: "pw".into(),
                clean_start: false,
                session_expiry_s: 60,
                keep_alive_s: 5,
                will: Some(Will {
                    topic: "gone".into(),
                    qos: 2,
                    retain: true,
                    delay_s: 9,
                    properties: Properties {
                        expiry_s: Some(1),
                        correlation_data: Some(b"7".to_vec()),
                        user: vec![("k".into(), "v".into())],
                        ..Properties::default()
                    },
                    ..Will::default()
                }),
                subscriptions: vec![
                    Subscription { qos: 1, identifier: Some(3), ..Subscription::new("a/#") },
                    Subscription { no_local: true, retain_handling: 2, ..Subscription::new("b") },
                ],
                ..Connect::new("ws://a/mqtt")
            },
            keeps_password: true,
            opens_at_start: true,
        }
    }

    #[test]
    fn a_form_that_nobody_changed_says_what_it_was_made_of() {
        for profile in [full(), Profile::new("b".into(), "ws://a")] {
            assert_eq!(Draft::of(&profile).profile(false), Ok(profile));
        }
    }

    #[test]
    fn what_is_written_is_taken_and_what_is_no_number_is_said() {
        let mut draft = Draft::of(&full());
        draft.set("url", "  wss://b/mqtt ");
        draft.set("version", "3.1.1");
        draft.turn("has_will", false);
        let profile = draft.profile(true).unwrap();
        assert_eq!(profile.connect.url, "wss://b/mqtt");
        assert_eq!(profile.connect.version, Version::V311);
        assert_eq!(profile.connect.will, None);
        draft.set("keep_alive", "65536");
        draft.set("session_expiry", "soon");
        let number = |field: &str, max| Wrong::Number { field: field.to_owned(), max };
        assert_eq!(
            draft.profile(true),
            Err(vec![number("session_expiry", 0xffff_ffff), number("keep_alive", 0xffff)])
        );
    }

    #[test]
    fn a_form_that_was_kept_is_whole_but_for_a_password_that_nobody_wanted_kept() {
        let draft = Draft::of(&full());
        assert_eq!(Draft::read(&draft.write(true)), Some((draft.clone(), true)));
        assert!(!draft.lacks_password());

        let mut unkept = draft;
        unkept.turn("keeps_password", false);
        let text = unkept.write(false);
        assert!(!text.contains("pw"), "{text}");
        let (mut read, is_new) = Draft::read(&text).unwrap();
        assert!(!is_new);
        assert!(read.lacks_password());
        // It goes on lacking however often it is kept, until it is written once more.
        read = Draft::read(&read.write(false)).unwrap().0;
        assert!(read.lacks_password());
        read.set("password", "pw");
        assert!(!read.lacks_password());
        assert_eq!(read.profile(false), unkept.profile(false));
        for broken in ["", "{}", "[1", r#"[{"id":"a","fields":{"url":1}},true]"#] {
            assert_eq!(Draft::read(broken), None, "{broken}");
        }
    }

    #[test]
    fn rows_come_and_go_and_empty_ones_ask_for_nothing() {
        let mut draft = Draft::of(&Profile::new("b".into(), "ws://a"));
        draft.add_filter(&Subscription::new(""));
        assert_eq!(draft.profile(false).unwrap().connect.subscriptions, []);
        draft.add_filter(&Subscription::new("#"));
        draft.add_filter(&Subscription::new("#"));
        assert_eq!(draft.filters(), [0], "an empty row is filled in, and a filter stands once");
        draft.add_filter(&Subscription::new("$SYS/#"));
        let row = draft.filters()[0];
        draft.remove_row(row);
        let left = draft.profile(false).unwrap().connect.subscriptions;
        assert_eq!(left, [Subscription::new("$SYS/#")]);
    }
}
