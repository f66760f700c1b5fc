//! A screen on a wall stays lit: as long as the page is one, the browser is asked not to let it go dark.
//!
//! Browsers grant that to secure pages, take it back when the page is hidden and want to be asked again when
//! it is seen (Screen Wake Lock). Where they don't, the system's own settings decide.

use std::cell::RefCell;

use gloo_events::EventListener;
use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::look;

#[wasm_bindgen]
extern "C" {
    /// The browser's navigator, as far as it may know of screens.
    type Screens;

    #[wasm_bindgen(method, getter, structural, js_name = wakeLock)]
    fn wake_lock(this: &Screens) -> Option<WakeLock>;

    type WakeLock;

    #[wasm_bindgen(method, catch)]
    fn request(this: &WakeLock, kind: &str) -> Result<Promise, JsValue>;

    type Lit;

    #[wasm_bindgen(method, catch)]
    fn release(this: &Lit) -> Result<Promise, JsValue>;
}

thread_local! {
    static LIT: RefCell<Option<Lit>> = const { RefCell::new(None) };
}

/// Keeps the screen lit whenever the page is one for a wall and is seen, until what is returned is dropped.
pub(super) fn follow() -> Vec<EventListener> {
    let Some(window) = web_sys::window() else { return Vec::new() };
    let Some(document) = window.document() else { return Vec::new() };
    spawn_local(ask());
    vec![
        EventListener::new(&window, look::LOOKS_EVENT, |_| spawn_local(ask())),
        EventListener::new(&document, "visibilitychange", |_| spawn_local(ask())),
    ]
}

fn is_wanted() -> bool {
    let document = web_sys::window().and_then(|window| window.document());
    look::is_wall() && document.is_some_and(|document| !document.hidden())
}

async fn ask() {
    hold(None);
    let screens = web_sys::window().map(|window| window.navigator().unchecked_into::<Screens>());
    let lock = screens.filter(|_| is_wanted()).and_then(|screens| screens.wake_lock());
    let Some(Ok(asked)) = lock.map(|lock| lock.request("screen")) else { return };
    let Ok(lit) = JsFuture::from(asked).await else { return };
    // The answer takes its time, and the person may have gone on.
    hold(Some(lit.unchecked_into()));
    if !is_wanted() {
        hold(None);
    }
}

/// Has the screen lit by this request, and by none from before.
fn hold(lit: Option<Lit>) {
    if let Some(before) = LIT.with_borrow_mut(|held| std::mem::replace(held, lit)) {
        // The browser may have taken it back already.
        let _released = before.release();
    }
}
