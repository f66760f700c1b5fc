//! What a person can set for the whole page: its looks, its memory, its keys; and what was dropped to keep
//! to that memory, counter by counter.

use web_sys::HtmlSelectElement;
use yew::prelude::*;

use super::field::use_field;
use super::figures;
use super::house::use_texts;
use super::keys;
use super::link::Link;
use super::look::Look;
use super::palette::{choice_name, look_name};
use crate::texts::{RoomsTexts, fill};

#[derive(PartialEq, Properties)]
pub(super) struct SettingsProps {
    pub(super) link: Link,
}

#[component]
pub(super) fn Settings(props: &SettingsProps) -> Html {
    let texts = use_texts();
    let counters = use_field(props.link.counters());
    let show_keys = Callback::from(|_: MouseEvent| keys::ask_for_help());
    let used = figures::size(counters.bytes);
    let all = figures::size(counters.bytes_max);
    html! {
        <section class="settings" aria-labelledby="settings-heading">
            <header class="page-head">
                <h2 class="page-heading" id="settings-heading">{ texts.settings }</h2>
            </header>
            <div class="panel">
                <h3 class="panel-heading">{ texts.settings_look }</h3>
                <div class="form-row">
                    { for [Look::Theme, Look::Density, Look::Language].map(|look| select(look, texts)) }
                </div>
            </div>
            <div class="panel">
                <h3 class="panel-heading">{ texts.memory }</h3>
                <p class="form-note">{ texts.settings_memory }</p>
                <div class="form-row">{ select(Look::Memory, texts) }</div>
                <p data-role="memory-used">{ fill(texts.settings_used, &[&used, &all]) }</p>
                <h4 class="settings-dropped">{ texts.dropped }</h4>
                <ul data-role="dropped-list">
                    { for figures::losses(&counters, texts).map(|line| html! { <li>{ line }</li> }) }
                </ul>
            </div>
            <div class="panel">
                <h3 class="panel-heading">{ texts.keys }</h3>
                <button type="button" class="button" onclick={show_keys}>{ texts.keys_help }</button>
            </div>
        </section>
    }
}

/// The choices of something that can be chosen.
fn select(look: Look, texts: &'static RoomsTexts) -> Html {
    let onchange = Callback::from(move |event: Event| {
        let select = event.target_dyn_into::<HtmlSelectElement>();
        let index = select.and_then(|select| usize::try_from(select.selected_index()).ok());
        if let Some(choice) = index.and_then(|index| look.choices().get(index)) {
            look.choose(choice);
        }
    });
    let chosen = look.chosen();
    html! {
        <label class="form-field">
            <span class="label">{ look_name(look, texts) }</span>
            <select class="input" data-role={look.role()} {onchange}>
                { for look.choices().iter().map(|choice| html! {
                    <option selected={*choice == chosen}>{ choice_name(look, choice, texts) }</option>
                }) }
            </select>
        </label>
    }
}
