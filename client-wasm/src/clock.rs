//! The two clocks of the browser, which a window and a worker both have.

use session::Millis;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
}

/// The time of day, in milliseconds since 1970: what the page and its worker agree on.
pub(crate) fn now_ms() -> f64 {
    js_sys::Date::now()
}

/// A clock that is never set back, for the session's timers.
pub(crate) fn monotonic() -> Millis {
    // It begins with the page, and a cast from a float keeps to the range of the integer.
    Millis(performance_now() as u64)
}

/// A number to begin random choices with, such as the wait before a reconnect.
pub(crate) fn seed() -> u64 {
    let part = || (js_sys::Math::random() * f64::from(u32::MAX)) as u64;
    part() << 32 | part()
}
