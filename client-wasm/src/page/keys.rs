//! Keys that work all over the page, and the sheet that lists them.
//!
//! Single keys can be turned off, as WCAG 2.2 §2.1.4 asks: who speaks to the computer presses many.

use gloo_events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use web_sys::{Event, HtmlDialogElement, HtmlElement, HtmlInputElement, KeyboardEvent};
use yew::prelude::*;

use super::{kept, look, use_texts};
use crate::route::Route;
use crate::texts::Texts;

/// Where the browser keeps whether single keys are off.
const OFF_KEY: &str = "single-keys-off";

/// Told to the window when the command palette is asked for…
pub(super) const PALETTE_EVENT: &str = "palette";

/// …and when the list of keys is, from the other program.
const HELP_EVENT: &str = "keys";

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

fn are_off() -> bool {
    kept::read(OFF_KEY).is_some()
}

fn turn(on: bool) {
    if on {
        kept::forget(OFF_KEY);
    } else {
        // A browser that keeps nothing forgets this too; nothing else is lost.
        let _kept = kept::write(OFF_KEY, "1");
    }
}

/// Listens as long as the page lives.
pub(super) fn listen(help: NodeRef) -> impl FnOnce() {
    let asked_for_help = {
        let help = help.clone();
        web_sys::window().map(|window| {
            EventListener::new(&window, HELP_EVENT, move |_| {
                show(&help);
            })
        })
    };
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
                && follow(asked, &help)
            {
                event.prevent_default();
            }
        })
    });
    move || drop((listener, asked_for_help))
}

/// Opens the command palette.
pub(super) fn ask_for_palette() {
    tell(PALETTE_EVENT);
}

/// Opens the list of keys, from either program.
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
fn follow(asked: Asked, help: &NodeRef) -> bool {
    let Some(window) = web_sys::window() else { return false };
    match asked {
        Asked::Search => {
            let found = window
                .document()
                .and_then(|document| document.query_selector("[data-role=search]").ok().flatten())
                .and_then(|element| element.dyn_into::<HtmlElement>().ok());
            found.is_some_and(|input| input.focus().is_ok())
        }
        Asked::Help => show(help),
        Asked::Wall => {
            look::toggle_wall();
            true
        }
        Asked::Page(index) => Route::PAGES
            .get(index)
            .is_some_and(|route| window.location().set_hash(&route.href()).is_ok()),
    }
}

/// Opens the sheet, if it is not open already.
pub(super) fn show(help: &NodeRef) -> bool {
    help.cast::<HtmlDialogElement>()
        .is_some_and(|dialog| !dialog.open() && dialog.show_modal().is_ok())
}

#[derive(PartialEq, Properties)]
pub(super) struct SheetProps {
    pub(super) dialog: NodeRef,
}

/// The list of keys.
#[component]
pub(super) fn Sheet(props: &SheetProps) -> Html {
    let texts = use_texts();
    let onchange = Callback::from(|event: yew::events::Event| {
        if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
            turn(input.checked());
        }
    });
    html! {
        <dialog ref={props.dialog.clone()} class="sheet" aria-labelledby="keys-heading">
            <h2 class="panel-heading" id="keys-heading">{ texts.keys }</h2>
            <dl class="keys">
                { for rows(texts).into_iter().map(|(keys, what)| html! {
                    <div class="key-row">
                        <dt>{ for keys.iter().map(|key| html! { <kbd>{ key }</kbd> }) }</dt>
                        <dd>{ what }</dd>
                    </div>
                }) }
            </dl>
            <form class="form" method="dialog">
                <label class="form-check">
                    <input type="checkbox" checked={!are_off()} {onchange} />
                    <span>{ texts.keys_on }</span>
                </label>
                <button class="button" type="submit">{ texts.close }</button>
            </form>
        </dialog>
    }
}

fn rows(texts: &Texts) -> Vec<(Vec<String>, &'static str)> {
    let numbers = (1..=Route::PAGES.len()).map(|number| number.to_string()).collect();
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
    vec![
        (numbers, texts.keys_pages),
        (keys(&["Ctrl", "K"]), texts.keys_palette),
        (keys(&["/"]), texts.keys_search),
        (keys(&["w"]), texts.keys_wall),
        (keys(&["?"]), texts.keys_help),
        (keys(&["Esc"]), texts.keys_escape),
    ]
}
