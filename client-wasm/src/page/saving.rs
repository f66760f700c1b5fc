//! Handing a file to the browser, which asks where it shall be or puts it where it puts downloads.

use gloo_timers::callback::Timeout;
use wasm_bindgen::JsCast;
use web_sys::{HtmlAnchorElement, Url};

/// How long a file stays there for the browser to save it, in milliseconds.
const SAVED_MS: u32 = 60_000;

/// Saves bytes under this name.
pub(super) fn save(bytes: &[u8], name: &str) {
    if let Some(url) = crate::blob::url(bytes, "application/json") {
        hand_over(&url, name);
        // Until then the browser has read it.
        let forget = move || drop(Url::revoke_object_url(&url));
        Timeout::new(SAVED_MS, forget).forget();
    }
}

/// Saves what is at this address under this name.
pub(super) fn hand_over(url: &str, name: &str) {
    let anchor = web_sys::window()
        .and_then(|window| window.document())
        .and_then(|document| document.create_element("a").ok())
        .and_then(|element| element.dyn_into::<HtmlAnchorElement>().ok());
    if let Some(anchor) = anchor {
        anchor.set_href(url);
        anchor.set_download(name);
        anchor.click();
    }
}
