//! The box that a page is searched with; the key `/` leads to it.

use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::limits::SEARCH_CHARS_MAX;

/// The box, with what it is called and a hint of what can be searched for.
pub(super) fn search_box(
    label: &'static str,
    hint: &'static str,
    value: AttrValue,
    on_search: Callback<AttrValue>,
) -> Html {
    let oninput = move |event: InputEvent| {
        if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
            on_search.emit(input.value().into());
        }
    };
    html! {
        <input
            class="search"
            type="search"
            data-role="search"
            aria-label={label}
            placeholder={hint}
            {value}
            autocomplete="off"
            autocapitalize="off"
            spellcheck="false"
            maxlength={SEARCH_CHARS_MAX.to_string()}
            {oninput}
        />
    }
}
