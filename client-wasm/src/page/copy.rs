//! Copying text, also where the page came without TLS and the browser has no clipboard for it.

use wasm_bindgen::JsCast;
use web_sys::{HtmlDocument, HtmlTextAreaElement};
use yew::prelude::*;

use super::house::use_texts;

/// Puts text on the clipboard; says whether the browser did it.
pub(super) fn copy(text: &str) -> bool {
    let Some(window) = web_sys::window() else { return false };
    if window.is_secure_context() {
        // It tells its end by a promise, which a click from a person always keeps.
        let _kept = window.navigator().clipboard().write_text(text);
        return true;
    }
    // The old way: what is selected in the document.
    let copied = || {
        let document = window.document()?.dyn_into::<HtmlDocument>().ok()?;
        let field: HtmlTextAreaElement =
            document.create_element("textarea").ok()?.dyn_into().ok()?;
        field.set_value(text);
        let body = document.body()?;
        body.append_child(&field).ok()?;
        field.select();
        let copied = document.exec_command("copy").ok();
        field.remove();
        copied
    };
    copied().unwrap_or(false)
}

#[derive(PartialEq, Properties)]
pub(super) struct CopyProps {
    /// What is copied.
    pub(super) text: AttrValue,
    /// What the button is called.
    pub(super) name: AttrValue,
}

/// The button that copies something, and says so.
#[component]
pub(super) fn Copy(props: &CopyProps) -> Html {
    let texts = use_texts();
    let copied = use_state(|| None::<AttrValue>);
    let onclick = {
        let (text, copied) = (props.text.clone(), copied.clone());
        Callback::from(move |_: MouseEvent| {
            copied.set(copy(&text).then(|| text.clone()));
        })
    };
    let is_copied = copied.as_ref() == Some(&props.text);
    html! {
        <button type="button" class="small-button" {onclick}>
            <span role="status">
                { if is_copied { AttrValue::from(texts.copied) } else { props.name.clone() } }
            </span>
        </button>
    }
}
