//! The box that a page is searched with; the key `/` leads to it.

use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::limits::SEARCH_CHARS_MAX;

#[derive(PartialEq, Properties)]
pub(super) struct SearchBoxProps {
    pub(super) label: AttrValue,
    pub(super) hint: AttrValue,
    pub(super) value: AttrValue,
    pub(super) on_search: Callback<AttrValue>,
}

#[component]
pub(super) fn SearchBox(props: &SearchBoxProps) -> Html {
    let oninput = {
        let on_search = props.on_search.clone();
        Callback::from(move |event: InputEvent| {
            if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
                on_search.emit(input.value().into());
            }
        })
    };
    html! {
        <input
            class="search"
            type="search"
            data-role="search"
            aria-label={props.label.clone()}
            placeholder={props.hint.clone()}
            value={props.value.clone()}
            autocomplete="off"
            autocapitalize="off"
            spellcheck="false"
            maxlength={SEARCH_CHARS_MAX.to_string()}
            {oninput}
        />
    }
}
