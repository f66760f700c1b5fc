//! Which connections the page opens when it starts: the one that its address names, or the broker that it
//! came from; and those whose owner wants it.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use web_sys::{Document, Location};

use super::kept;
use crate::connect::{Connect, Subscription};
use crate::limits::CONNECTIONS_OPEN_MAX;
use crate::profile::{host, link};
use crate::protocol;
use crate::switchboard::{OF_THE_LINK, OF_THE_PAGE, Opening};

/// The path that brokers take WebSocket connections on.
const MQTT_PATH: &str = "/mqtt";

/// What the browser calls those whose owner wants it.
const KEY: &str = "connections-at-start";

/// What to open, the one to be shown first.
pub(super) fn openings(document: &Document, location: &Location) -> Vec<Opening> {
    let own = own(document, location);
    let linked = link::read(&location.search().unwrap_or_default());
    if let Some(mut connect) = linked {
        // Whose page it is, its broker expects to be looked at.
        if connect.subscriptions.is_empty() && host(&connect.url) == host(&own.connect.url) {
            connect.subscriptions = own.connect.subscriptions;
        }
        let title = host(&connect.url).to_owned();
        return vec![Opening { id: OF_THE_LINK.to_owned(), title, connect }];
    }
    let mut openings = vec![own];
    openings.extend(kept_openings());
    openings.truncate(CONNECTIONS_OPEN_MAX);
    openings
}

/// The broker is where the page came from, unless the page names one: trunk serves the page in
/// development, and is no broker. Everything of it is shown; of no other broker, unless asked for.
fn own(document: &Document, location: &Location) -> Opening {
    let named = document.query_selector("link[rel=broker]").ok().flatten();
    let url = named.and_then(|link| link.get_attribute("href")).unwrap_or_else(|| {
        let is_secure = location.protocol().is_ok_and(|protocol| protocol == "https:");
        let scheme = if is_secure { "wss" } else { "ws" };
        format!("{scheme}://{}{MQTT_PATH}", location.host().unwrap_or_default())
    });
    let subscriptions = vec![Subscription::new(Subscription::EVERYTHING)];
    Opening {
        id: OF_THE_PAGE.to_owned(),
        title: host(&url).to_owned(),
        connect: Connect { subscriptions, ..Connect::new(&url) },
    }
}

fn kept_openings() -> Vec<Opening> {
    let kept = kept::read(KEY).unwrap_or_default();
    let bytes: Vec<u8> = percent_decode_str(&kept).collect();
    // What an older page has kept may have had another form: then they are opened by hand.
    protocol::decode(&bytes).unwrap_or_default()
}

/// Keeps which connections are opened at the start.
pub(super) fn keep(openings: &[Opening]) {
    if openings.is_empty() {
        return kept::forget(KEY);
    }
    let bytes = protocol::encode(&openings);
    // A browser that keeps nothing has said so where the connections themselves were kept.
    let _kept = kept::write(KEY, &percent_encode(&bytes, NON_ALPHANUMERIC).to_string());
}
