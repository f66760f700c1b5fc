//! The list of keys: those that work all over the page, and those of its parts.

use gloo_events::EventListener;
use web_sys::{HtmlDialogElement, HtmlInputElement};
use yew::prelude::*;

use super::house::use_texts;
use super::keys;
use crate::route::Route;
use crate::texts::RoomsTexts;

/// It opens as soon as it is there, and later with the same key.
#[component]
pub(super) fn Sheet() -> Html {
    let texts = use_texts();
    let dialog = use_node_ref();
    {
        let dialog = dialog.clone();
        use_effect_with((), move |()| {
            let open = move || {
                if let Some(dialog) = dialog.cast::<HtmlDialogElement>().filter(|d| !d.open()) {
                    // One that is in the document can be shown.
                    let _shown = dialog.show_modal();
                }
            };
            open();
            let listener = web_sys::window()
                .map(|window| EventListener::new(&window, keys::HELP_EVENT, move |_| open()));
            move || drop(listener)
        });
    }
    let onchange = Callback::from(|event: Event| {
        if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
            keys::turn(input.checked());
        }
    });
    html! {
        <dialog ref={dialog} class="sheet is-keys" aria-labelledby="keys-heading">
            // What is read first, where the sheet is longer than the screen.
            <h2 class="panel-heading" id="keys-heading" tabindex="-1" autofocus=true>{ texts.keys }</h2>
            <div class="keys-parts">
                { for parts(texts).into_iter().map(|(heading, rows)| html! {
                    <section class="keys-part">
                        if let Some(heading) = heading {
                            <h3 class="label">{ heading }</h3>
                        }
                        <dl class="keys">{ for rows.into_iter().map(row) }</dl>
                    </section>
                }) }
            </div>
            <form class="form" method="dialog">
                <label class="form-check">
                    <input type="checkbox" checked={!keys::are_off()} {onchange} />
                    <span>{ texts.keys_on }</span>
                </label>
                <button class="button" type="submit">{ texts.close }</button>
            </form>
        </dialog>
    }
}

/// Keys, and what they do.
type Row = (Vec<String>, &'static str);

fn row((keys, what): Row) -> Html {
    html! {
        <div class="key-row">
            <dt>{ for keys.iter().map(|key| html! { <kbd>{ key }</kbd> }) }</dt>
            <dd>{ what }</dd>
        </div>
    }
}

/// The keys of each part of the page, those of all of it first.
fn parts(texts: &RoomsTexts) -> Vec<(Option<&'static str>, Vec<Row>)> {
    let numbers = (1..=Route::PAGES.len()).map(|number| number.to_string()).collect();
    let keys = |keys: &str| keys.split(' ').map(str::to_owned).collect();
    let shift = texts.key_shift;
    let everywhere = vec![
        (numbers, texts.keys_pages),
        (keys("Ctrl K"), texts.keys_palette),
        (keys("/"), texts.keys_search),
        (keys("w"), texts.keys_wall),
        (keys("?"), texts.keys_help),
        (keys("Esc"), texts.keys_escape),
    ];
    let board = vec![
        (keys("← ↑ ↓ →"), texts.keys_move),
        (keys(&format!("{shift} ← ↑ ↓ →")), texts.keys_size),
        (keys(texts.key_enter), texts.keys_edit),
        (keys(texts.key_space), texts.keys_tools),
        (keys(texts.key_delete), texts.keys_remove),
        (keys("Ctrl Z"), texts.keys_undo),
        (keys(&format!("Ctrl {shift} Z")), texts.keys_redo),
    ];
    let chart = vec![
        (keys("← →"), texts.keys_read),
        (keys("+ −"), texts.keys_zoom),
        (keys(&format!("{shift} ← →")), texts.keys_pan),
        (keys("Esc"), texts.keys_back),
    ];
    let lists = vec![
        (keys("↑ ↓"), texts.keys_rows),
        (keys("← →"), texts.keys_branch),
        (keys("*"), texts.keys_siblings),
    ];
    let publish = vec![(keys(&format!("Ctrl {}", texts.key_enter)), texts.keys_send)];
    vec![
        (None, everywhere),
        (Some(texts.keys_board), board),
        (Some(texts.keys_chart), chart),
        (Some(texts.keys_lists), lists),
        (Some(texts.publish), publish),
    ]
}
