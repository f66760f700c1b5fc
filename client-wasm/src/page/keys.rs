//! Keys that work all over the page. The sheet that lists them is the second program's: see `sheet.rs`.
//!
//! Single keys can be turned off, as WCAG 2.2 §2.1.4 asks: who speaks to the computer presses many.

use gloo_events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use web_sys::{Event, HtmlElement, KeyboardEvent};

use super::{kept, look};
use crate::route::Route;

/// Where the browser keeps whether single keys are off.
const OFF_KEY: &str = "single-keys-off";

/// Told to the window when the command palette is asked for…
pub(super) const PALETTE_EVENT: &str = "palette";

/// …and when the list of keys is.
pub(super) const HELP_EVENT: &str = "keys";

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Search,
    Help,
    Wall,
    Page(usize),
}

fn asked(key: &str) -> Option<Asked> {
    match key {
        "/" => Some(Asked::Search),
        "?" => Some(Asked::Help),
        "w" => Some(Asked::Wall),
        _ => {
            let number: usize = key.parse().ok()?;
            (1..=Route::PAGES.len())
                .contains(&number)
                .then(|| Asked::Page(number.saturating_sub(1)))
        }
    }
}

/// Whether what has the focus takes characters itself.
fn takes_text(event: &KeyboardEvent) -> bool {
    event.target().is_some_and(|target| {
        target.dyn_ref::<HtmlElement>().is_some_and(|element| {
            matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT")
        })
    })
}

/// Whether single keys do nothing.
pub(super) fn are_off() -> bool {
    kept::read(OFF_KEY).is_some()
}

/// Turns single keys on or off.
pub(super) fn turn(on: bool) {
    if on {
        kept::forget(OFF_KEY);
    } else {
        // A browser that keeps nothing forgets this too; nothing else is lost.
        let _kept = kept::write(OFF_KEY, "1");
    }
}

/// Listens as long as the page lives.
pub(super) fn listen() -> impl FnOnce() {
    let listener = web_sys::window().map(|window| {
        let options = EventListenerOptions::enable_prevent_default();
        EventListener::new_with_options(&window, "keydown", options, move |event| {
            let Some(event) = event.dyn_ref::<KeyboardEvent>() else { return };
            let has_modifier = event.ctrl_key() || event.meta_key() || event.alt_key();
            if (event.ctrl_key() || event.meta_key()) && event.key().eq_ignore_ascii_case("k") {
                // Browsers have keys of their own for what this one does in some of them.
                event.prevent_default();
                tell(PALETTE_EVENT);
                return;
            }
            if has_modifier || takes_text(event) || are_off() {
                return;
            }
            if let Some(asked) = asked(&event.key())
                && follow(asked)
            {
                event.prevent_default();
            }
        })
    });
    move || drop(listener)
}

/// Opens the command palette.
pub(super) fn ask_for_palette() {
    tell(PALETTE_EVENT);
}

/// Opens the list of keys.
pub(super) fn ask_for_help() {
    tell(HELP_EVENT);
}

fn tell(event: &str) {
    if let (Some(window), Ok(event)) = (web_sys::window(), Event::new(event)) {
        // Nobody has to handle it.
        let _handled = window.dispatch_event(&event);
    }
}

/// Does what was asked for; says whether there was something to do.
fn follow(asked: Asked) -> bool {
    let Some(window) = web_sys::window() else { return false };
    match asked {
        Asked::Search => {
            let found = window
                .document()
                .and_then(|document| document.query_selector("[data-role=search]").ok().flatten())
                .and_then(|element| element.dyn_into::<HtmlElement>().ok());
            found.is_some_and(|input| input.focus().is_ok())
        }
        Asked::Help => {
            ask_for_help();
            true
        }
        Asked::Wall => {
            look::toggle_wall();
            true
        }
        Asked::Page(index) => Route::PAGES
            .get(index)
            .is_some_and(|route| window.location().set_hash(&route.href()).is_ok()),
    }
}
