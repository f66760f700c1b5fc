//! A connection in the address of the page: `?broker=wss://host/mqtt`, with `version`, `client`, `user`
//! and any number of `subscribe` beside it. A password is never in it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::connect::{Connect, Subscription, Version};
use crate::limits::SUBSCRIPTIONS_MAX;

/// What stays as it is in an address, so that a person can read it.
const QUOTED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b':').remove(b'-').remove(b'_').remove(b'.');

/// Reads what stands behind `?`; none where no broker is named.
pub fn read(query: &str) -> Option<Connect> {
    let mut connect = Connect::new("");
    for pair in query.trim_start_matches('?').split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = value.replace('+', " ");
        let value = percent_decode_str(&value).decode_utf8_lossy().into_owned();
        match name {
            "broker" => connect.url = value,
            "version" => connect.version = Version::of_name(&value).unwrap_or_default(),
            "client" => connect.client_id = value,
            "user" => connect.username = value,
            "subscribe" if connect.subscriptions.len() < SUBSCRIPTIONS_MAX => {
                connect.subscriptions.push(Subscription::new(&value));
            }
            // Whatever else is there is not for us.
            _ => {}
        }
    }
    (!connect.url.is_empty()).then_some(connect)
}

/// What stands behind the page's address for this connection, with the `?`.
pub fn write(connect: &Connect) -> String {
    let mut query = String::from("?broker=");
    let mut push = |before: &str, value: &str| {
        query.push_str(before);
        query.extend(utf8_percent_encode(value, QUOTED));
    };
    push("", &connect.url);
    if connect.version != Version::default() {
        push("&version=", connect.version.name());
    }
    for (before, value) in [("&client=", &connect.client_id), ("&user=", &connect.username)] {
        if !value.is_empty() {
            push(before, value);
        }
    }
    for subscription in &connect.subscriptions {
        push("&subscribe=", &subscription.filter);
    }
    query
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_link_leads_to_the_connection_it_was_made_of_without_its_password() {
        let connect = Connect {
            version: Version::V311,
            client_id: "panel 1".into(),
            username: "josé".into(),
            subscriptions: vec![Subscription::new("casa/+/temp"), Subscription::new("a&b=c/#")],
            ..Connect::new("wss://broker.lan:9001/mqtt?x=1")
        };
        let with_password = Connect { password: "secreto".into(), ..connect.clone() };
        let query = write(&with_password);
        assert!(!query.contains("secreto"), "{query}");
        assert_eq!(read(&query), Some(connect));
    }

    #[test]
    fn a_link_is_readable_and_may_be_written_by_hand() {
        let connect = Connect::new("wss://host/mqtt");
        assert_eq!(write(&connect), "?broker=wss://host/mqtt");
        assert_eq!(read("?x=1&broker=wss://host/mqtt&"), Some(connect.clone()));
        assert_eq!(read("?broker=wss%3A%2F%2Fhost%2Fmqtt&password=x"), Some(connect));
        for query in ["", "?", "?broker", "?broker=", "?other=1"] {
            assert_eq!(read(query), None, "{query}");
        }
    }
}
