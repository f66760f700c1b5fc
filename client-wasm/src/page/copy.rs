//! Copying text, also where the page came without TLS and the browser has no clipboard for it.

use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{HtmlDocument, HtmlTextAreaElement, Window};
use yew::prelude::*;

use super::house::use_texts;

/// Puts text on the clipboard, and then says whether the browser did it: a person may have forbidden it.
pub(super) fn copy(text: &str, done: impl FnOnce(bool) + 'static) {
    let Some(window) = web_sys::window() else { return done(false) };
    if window.is_secure_context() {
        let written = window.navigator().clipboard().write_text(text);
        spawn_local(async move { done(JsFuture::from(written).await.is_ok()) });
    } else {
        done(copy_selected(&window, text).unwrap_or(false));
    }
}

/// The old way: what is selected in the document.
fn copy_selected(window: &Window, text: &str) -> Option<bool> {
    let document = window.document()?.dyn_into::<HtmlDocument>().ok()?;
    let field: HtmlTextAreaElement = document.create_element("textarea").ok()?.dyn_into().ok()?;
    field.set_value(text);
    let body = document.body()?;
    body.append_child(&field).ok()?;
    field.select();
    let copied = document.exec_command("copy").ok();
    field.remove();
    copied
}

#[derive(PartialEq, Properties)]
pub(super) struct CopyProps {
    /// What is copied.
    pub(super) text: AttrValue,
    /// What the button is called.
    pub(super) name: AttrValue,
}

/// The button that copies something, and says whether it did.
#[component]
pub(super) fn Copy(props: &CopyProps) -> Html {
    let texts = use_texts();
    let tried = use_state(|| None::<(AttrValue, bool)>);
    let onclick = {
        let (text, tried) = (props.text.clone(), tried.setter());
        Callback::from(move |_: MouseEvent| {
            let (of, tried) = (text.clone(), tried.clone());
            copy(&text, move |is_copied| tried.set(Some((of, is_copied))));
        })
    };
    let said = match &*tried {
        Some((of, true)) if *of == props.text => AttrValue::from(texts.copied),
        Some((of, false)) if *of == props.text => AttrValue::from(texts.not_copied),
        _ => props.name.clone(),
    };
    html! {
        <button type="button" class="small-button" {onclick}>
            <span role="status">{ said }</span>
        </button>
    }
}
