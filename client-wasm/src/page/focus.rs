//! Where a person who works by the keyboard goes on, when what had the focus goes.

use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};
use yew::prelude::*;

/// Puts the focus onto the first element like `selector` in the part of the page, like `part`, in which
/// something was pressed.
pub(super) fn go_on(event: &MouseEvent, part: &str, selector: &str) {
    let pressed = event.target_dyn_into::<Element>();
    let part = pressed.and_then(|pressed| pressed.closest(part).ok().flatten());
    let found = part.and_then(|part| part.query_selector(selector).ok().flatten());
    if let Some(found) = found.and_then(|found| found.dyn_into::<HtmlElement>().ok()) {
        // What is on the page can be focused.
        let _focused = found.focus();
    }
}
