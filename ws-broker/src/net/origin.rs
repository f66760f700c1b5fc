//! Which web pages may open a WebSocket.
//!
//! A browser lets every page open one to any address, and says in `Origin` where the page is from
//! (RFC 6455 §10.2). Unless the configuration says otherwise, a page may talk to the broker it came
//! from, and a page from this machine to a broker on this machine. A page from elsewhere may not, even
//! if its owner has given this machine's address to a name of theirs.

use std::net::IpAddr;

/// Stands for all origins, in a list of those that may come.
const ALL: &str = "*";

/// Ends of names that nobody can own in the public Internet, so that no stranger's page has one.
const LOCAL_DOMAINS: [&str; 6] =
    [".localhost", ".local", ".lan", ".home.arpa", ".internal", ".localdomain"];

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// Where the page is from; `None` for a program that is no browser.
    pub origin: Option<&'a str>,
    /// The name by which the broker was found.
    pub host: Option<&'a str>,
    /// Whether both ends of the connection are on this machine.
    pub is_local: bool,
}

/// Whether who asks may open a WebSocket; `listed` are origins of which the configuration says so.
pub(crate) fn may_open(asked: Asked<'_>, listed: &[String]) -> bool {
    let Some(origin) = asked.origin else { return true };
    if listed.iter().any(|listed| listed == ALL || listed.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let page = origin.split_once("://").map(|(_, rest)| name_of(rest));
    let (Some(page), Some(host)) = (page, asked.host.map(name_of)) else { return false };
    if asked.is_local && is_loopback(host) && is_loopback(page) {
        return true;
    }
    page.eq_ignore_ascii_case(host) && (!asked.is_local || is_ours(host))
}

/// The name or address without its port.
fn name_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => authority.split(':').next().unwrap_or(authority),
    }
}

fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
        || has_end(name, ".localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether no stranger can have this name: it is an address, has no dot, or has a local end.
fn is_ours(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok()
        || !name.contains('.')
        || LOCAL_DOMAINS.iter().any(|end| has_end(name, end))
}

fn has_end(name: &str, end: &str) -> bool {
    let start = name.len().checked_sub(end.len());
    start.and_then(|start| name.get(start..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_open_a_websocket() {
        const LOCAL: bool = true;
        const FAR: bool = false;
        for (origin, host, is_local, want) in [
            // Programs that are no browsers.
            (None, Some("localhost:9001"), LOCAL, true),
            (None, None, FAR, true),
            // The broker's own page.
            (Some("http://localhost:9001"), Some("localhost:9001"), LOCAL, true),
            (Some("http://192.168.1.5:9001"), Some("192.168.1.5:9001"), FAR, true),
            (Some("https://mqtt.example.org"), Some("mqtt.example.org:443"), FAR, true),
            (Some("http://[::1]:9001"), Some("[::1]:9001"), LOCAL, true),
            (Some("http://MyPC:9001"), Some("mypc:9001"), LOCAL, true),
            (Some("http://mypc.local"), Some("mypc.local:9001"), LOCAL, true),
            // Another page of the same host.
            (Some("http://pi.example.org"), Some("pi.example.org:9001"), FAR, true),
            // A page that is being developed on this machine.
            (Some("http://127.0.0.1:8080"), Some("localhost:9001"), LOCAL, true),
            (Some("http://localhost:8080"), Some("127.0.0.1:9001"), LOCAL, true),
            (Some("http://[::1]:8080"), Some("app.localhost:9001"), LOCAL, true),
            // A page from elsewhere.
            (Some("https://evil.example"), Some("localhost:9001"), LOCAL, false),
            (Some("https://evil.example"), Some("127.0.0.1:9001"), LOCAL, false),
            (Some("https://evil.example"), Some("192.168.1.5:9001"), FAR, false),
            (Some("https://localhost.evil.example"), Some("localhost:9001"), LOCAL, false),
            (Some("https://evil.example:9001"), None, FAR, false),
            (Some("null"), Some("localhost:9001"), LOCAL, false),
            (Some(""), Some("localhost:9001"), LOCAL, false),
            (Some("http://localhost"), Some("192.168.1.5:9001"), FAR, false),
            // A name of a stranger's that was given this machine's address.
            (Some("http://evil.example:9001"), Some("evil.example:9001"), LOCAL, false),
        ] {
            let asked = Asked { origin, host, is_local };
            assert_eq!(may_open(asked, &[]), want, "{asked:?}");
        }
    }

    #[test]
    fn a_list_says_who_may_besides() {
        let asked = |origin| Asked { origin: Some(origin), host: Some("broker"), is_local: true };
        let list = ["https://app.example".to_owned(), "null".to_owned()];
        assert!(may_open(asked("https://app.example"), &list));
        assert!(may_open(asked("HTTPS://APP.example"), &list));
        assert!(may_open(asked("null"), &list));
        assert!(!may_open(asked("http://app.example"), &list));
        assert!(!may_open(asked("https://app.example.evil.example"), &list));
        assert!(may_open(asked("https://anyone.example"), &["*".to_owned()]));
    }
}
