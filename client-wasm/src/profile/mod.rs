//! A connection as a person sets it up and keeps it: what can be wrong with it, and the forms in which
//! it travels.
//!
//! [`mod@file`] is our own file, which is also what the browser keeps; `explorer.rs` and `mqttx.rs` read those
//! of MQTT Explorer and MQTTX. [`link`] is what fits into an address, and [`draft`] what stands in a form.

pub mod draft;
mod explorer;
pub mod file;
pub mod link;
mod mqttx;
mod reader;

use codec::{TopicFilter, TopicName};

pub use self::reader::{Note, What};
use crate::connect::{Connect, Subscription, Version};
use crate::fault::Fault;
use crate::limits::SUBSCRIPTIONS_MAX;

/// The longest Password and Will Payload, in bytes: both have a length of two bytes.
const BINARY_BYTES_MAX: usize = u16::MAX as usize;

/// The highest Subscription Identifier (MQTT 5.0 §3.8.2.1.2).
pub const IDENTIFIER_MAX: u32 = 268_435_455;

/// The schemes of MQTT over TCP, by which other programs name what no browser can open.
const TCP_SCHEMES: [&str; 6] = ["mqtt", "mqtts", "tcp", "ssl", "tls", "mqtt+ssl"];

/// A connection that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Tells it from all others in this browser.
    pub id: String,
    /// What a person calls it; empty for the host.
    pub name: String,
    /// How to connect.
    pub connect: Connect,
    /// Whether the browser keeps the password too.
    pub keeps_password: bool,
    /// Whether the page opens it when it starts.
    pub opens_at_start: bool,
}

impl Profile {
    /// A new one for this address.
    pub fn new(id: String, url: &str) -> Self {
        let connect = Connect::new(url);
        Self { id, name: String::new(), connect, keeps_password: false, opens_at_start: false }
    }

    /// What it is called: its name, or the host where it has none.
    pub fn title(&self) -> &str {
        let name = self.name.trim();
        if name.is_empty() { host(&self.connect.url) } else { name }
    }

    /// Whether both say the same, whatever their numbers and passwords.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let plain = |profile: &Self| {
            let mut plain = profile.clone();
            plain.id.clear();
            plain.connect.password.clear();
            plain
        };
        plain(self) == plain(other)
    }
}

/// What is wrong with a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// There is no address.
    AddressEmpty,
    /// It is the address of MQTT over TCP.
    AddressTcp,
    /// It does not begin with `ws://` or `wss://`.
    AddressScheme,
    /// It names no host, or its port is none.
    AddressHost,
    /// It holds a name or a password.
    AddressUser,
    /// It holds a `#` or a space.
    AddressText,
    /// It is not encrypted, and the page is: browsers refuse that.
    AddressPlain,
    /// A session that is to be found again needs a Client Identifier.
    ClientIdNeeded,
    /// Before MQTT 5.0 there is no Password without a User Name.
    PasswordAlone,
    /// The Password is longer than a packet can say.
    PasswordLong,
    /// The Will Topic is empty, holds a wildcard, or can't be sent.
    WillTopic,
    /// The Will Payload is longer than a packet can say.
    WillPayload,
    /// This filter is none.
    Filter(String),
    /// There is the same filter twice.
    FilterTwice(String),
    /// The Subscription Identifier of this filter is out of range.
    Identifier(String),
    /// This filter is of a shared subscription, and No Local does not go with those.
    NoLocalShared(String),
    /// There are more subscriptions than the page takes.
    TooMany,
    /// There is no whole number up to this one in this field.
    Number {
        /// The field.
        field: String,
        /// The highest number.
        max: u64,
    },
    /// Something else can't be said in a packet; with what it is.
    Packet(Fault),
}

impl Wrong {
    /// The field of the form that it is about.
    pub fn field(&self) -> &str {
        match self {
            Self::AddressEmpty
            | Self::AddressTcp
            | Self::AddressScheme
            | Self::AddressHost
            | Self::AddressUser
            | Self::AddressText
            | Self::AddressPlain => "url",
            Self::ClientIdNeeded => "client_id",
            Self::PasswordAlone | Self::PasswordLong => "password",
            Self::WillTopic => "will_topic",
            Self::WillPayload => "will_payload",
            Self::Filter(_)
            | Self::FilterTwice(_)
            | Self::Identifier(_)
            | Self::NoLocalShared(_)
            | Self::TooMany => "filter",
            Self::Number { field, .. } => field,
            Self::Packet(_) => "",
        }
    }
}

/// What is wrong with a connection that a page wants to make; `is_secure` says whether the page itself
/// came encrypted.
pub fn check(connect: &Connect, is_secure: bool) -> Vec<Wrong> {
    let mut wrong: Vec<Wrong> = check_address(&connect.url, is_secure).err().into_iter().collect();
    let keeps_session = !connect.clean_start || connect.session_expiry_s != 0;
    if connect.client_id.is_empty() && keeps_session {
        wrong.push(Wrong::ClientIdNeeded);
    }
    if connect.username.is_empty() && !connect.password.is_empty() && connect.version != Version::V5
    {
        wrong.push(Wrong::PasswordAlone);
    }
    if connect.password.len() > BINARY_BYTES_MAX {
        wrong.push(Wrong::PasswordLong);
    }
    if let Some(will) = &connect.will {
        if TopicName::new(&will.topic).is_err() {
            wrong.push(Wrong::WillTopic);
        }
        if will.payload.len() > BINARY_BYTES_MAX {
            wrong.push(Wrong::WillPayload);
        }
    }
    check_subscriptions(&connect.subscriptions, &mut wrong);
    if wrong.is_empty()
        && let Err(fault) = connect.options("")
    {
        wrong.push(Wrong::Packet(fault));
    }
    wrong
}

fn check_subscriptions(subscriptions: &[Subscription], wrong: &mut Vec<Wrong>) {
    if subscriptions.len() > SUBSCRIPTIONS_MAX {
        wrong.push(Wrong::TooMany);
    }
    for (index, subscription) in subscriptions.iter().enumerate().take(SUBSCRIPTIONS_MAX) {
        let name = || subscription.filter.clone();
        match TopicFilter::new(&subscription.filter) {
            Err(_) => wrong.push(Wrong::Filter(name())),
            Ok(filter) if subscription.no_local && filter.share_name().is_some() => {
                wrong.push(Wrong::NoLocalShared(name()));
            }
            Ok(_) => {}
        }
        if subscriptions.iter().take(index).any(|other| other.filter == subscription.filter) {
            wrong.push(Wrong::FilterTwice(name()));
        }
        if !subscription.identifier.is_none_or(|id| (1..=IDENTIFIER_MAX).contains(&id)) {
            wrong.push(Wrong::Identifier(name()));
        }
    }
}

/// Whether a browser can open a WebSocket to this address.
///
/// # Errors
/// It can't; with the reason.
pub fn check_address(url: &str, is_secure: bool) -> Result<(), Wrong> {
    let url = url.trim();
    if url.is_empty() {
        return Err(Wrong::AddressEmpty);
    }
    let (scheme, rest) = url.split_once("://").ok_or(Wrong::AddressScheme)?;
    let scheme = scheme.to_ascii_lowercase();
    if TCP_SCHEMES.contains(&scheme.as_str()) {
        return Err(Wrong::AddressTcp);
    }
    if scheme != "ws" && scheme != "wss" {
        return Err(Wrong::AddressScheme);
    }
    if rest.contains('#') || rest.contains(char::is_whitespace) {
        return Err(Wrong::AddressText);
    }
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    if authority.contains('@') {
        return Err(Wrong::AddressUser);
    }
    let (name, port) = split_port(authority);
    if name.is_empty() || port.is_some_and(|port| !port.is_empty() && port.parse::<u16>().is_err())
    {
        return Err(Wrong::AddressHost);
    }
    if is_secure && scheme == "ws" && !is_this_machine(name) {
        return Err(Wrong::AddressPlain);
    }
    Ok(())
}

/// Name and port; an IPv6 address has colons of its own, and brackets around them.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    let name_end = authority.rfind(']').map_or(0, |at| at.saturating_add(1));
    let (name, rest) = authority.split_at_checked(name_end).unwrap_or((authority, ""));
    match rest.split_once(':') {
        Some((rest_of_name, port)) if name.is_empty() => (rest_of_name, Some(port)),
        Some((_, port)) => (name, Some(port)),
        None if name.is_empty() => (rest, None),
        None => (name, None),
    }
}

/// Browsers trust their own machine without encryption.
fn is_this_machine(name: &str) -> bool {
    name == "localhost"
        || name.ends_with(".localhost")
        || name == "[::1]"
        || name.starts_with("127.")
}

/// The host of an address, with its port, as a person knows the broker by.
pub fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::connect::Will;

    #[test]
    fn an_address_is_one_that_a_browser_can_open_or_it_is_said_why_not() {
        for (url, is_secure, expected) in [
            ("ws://broker.lan:9001/mqtt", false, Ok(())),
            ("wss://broker.example/mqtt?token=1", true, Ok(())),
            ("WS://[fe80::1]:9001", false, Ok(())),
            ("ws://[::1]", true, Ok(())),
            ("ws://localhost:9001/mqtt", true, Ok(())),
            ("  ", false, Err(Wrong::AddressEmpty)),
            ("broker.lan:9001/mqtt", false, Err(Wrong::AddressScheme)),
            ("http://broker.lan", false, Err(Wrong::AddressScheme)),
            ("mqtt://broker.lan:1883", false, Err(Wrong::AddressTcp)),
            ("MQTTS://broker.lan", false, Err(Wrong::AddressTcp)),
            ("ws:///mqtt", false, Err(Wrong::AddressHost)),
            ("ws://broker.lan:90001/", false, Err(Wrong::AddressHost)),
            ("ws://broker.lan:mqtt/", false, Err(Wrong::AddressHost)),
            ("ws://a:b@broker.lan", false, Err(Wrong::AddressUser)),
            ("ws://broker.lan/#/x", false, Err(Wrong::AddressText)),
            ("ws://broker lan/", false, Err(Wrong::AddressText)),
            ("ws://broker.lan/mqtt", true, Err(Wrong::AddressPlain)),
        ] {
            assert_eq!(check_address(url, is_secure), expected, "{url}");
        }
    }

    #[test]
    fn everything_else_is_checked_too() {
        type Change = fn(&mut Connect);
        let cases: [(Change, Wrong); 9] = [
            (|c| c.clean_start = false, Wrong::ClientIdNeeded),
            (|c| c.session_expiry_s = 1, Wrong::ClientIdNeeded),
            (|c| (c.version, c.password) = (Version::V311, "x".into()), Wrong::PasswordAlone),
            (|c| c.password = "x".repeat(65_536), Wrong::PasswordLong),
            (|c| c.will = Some(Will::default()), Wrong::WillTopic),
            (|c| c.subscriptions = vec![Subscription::new("a/#/b")], Wrong::Filter("a/#/b".into())),
            (
                |c| c.subscriptions = vec![Subscription::new("a"), Subscription::new("a")],
                Wrong::FilterTwice("a".into()),
            ),
            (
                |c| {
                    let identifier = Some(0);
                    c.subscriptions = vec![Subscription { identifier, ..Subscription::new("a") }];
                },
                Wrong::Identifier("a".into()),
            ),
            (
                |c| {
                    let shared = Subscription::new("$share/g/a");
                    c.subscriptions = vec![Subscription { no_local: true, ..shared }];
                },
                Wrong::NoLocalShared("$share/g/a".into()),
            ),
        ];
        for (change, expected) in cases {
            let mut connect = Connect::new("ws://a");
            assert_eq!(check(&connect, false), []);
            change(&mut connect);
            assert_eq!(check(&connect, false), [expected]);
        }
        let connect = Connect { username: "a\0".into(), ..Connect::new("ws://a") };
        assert!(matches!(check(&connect, false)[..], [Wrong::Packet(_)]));
    }

    #[test]
    fn a_connection_is_called_by_its_name_or_its_host() {
        let mut profile = Profile::new("1".into(), "wss://user@broker.lan:9001/mqtt");
        assert_eq!(profile.title(), "broker.lan:9001");
        profile.name = " Kitchen ".into();
        assert_eq!(profile.title(), "Kitchen");
    }
}
