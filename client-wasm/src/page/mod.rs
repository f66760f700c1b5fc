//! The page: it shows what the engine says, and asks it for what is on the screen.

mod awake;
mod board;
mod broker;
mod canvas;
mod card;
mod chart;
mod clearing;
pub mod connections;
mod copy;
mod decoded;
mod detail;
mod fetch;
pub mod field;
mod figures;
mod focus;
pub mod house;
pub mod hub;
mod icon;
mod image;
mod kept;
mod keys;
pub mod link;
mod look;
mod messages;
mod pace;
mod palette;
mod picture;
mod publish;
pub mod rooms;
mod rows;
mod saving;
mod search;
mod settings;
mod sheet;
mod shelf;
mod shell;
mod sign_in;
mod sparkline;
mod startup;
mod status;
mod tape;
mod time;
mod topics;
pub mod watch;
mod widgets;
mod wire;

use std::cell::RefCell;
use std::rc::Rc;

use yew::prelude::*;

use self::field::use_field;
use self::hub::{Hub, Started};
use self::link::Link;
use self::look::use_texts;
use self::rooms::Rooms;
use self::shell::Shell;
use crate::protocol;
use crate::texts::{self, Texts, WidgetTexts};
use crate::visible::visible;
use crate::worker::{self, Remote};

/// What charts and widgets say in the page's language.
#[hook]
fn use_widget_texts() -> &'static WidgetTexts {
    texts::of_widgets(use_texts())
}

/// What the whole page is made of.
#[derive(PartialEq, Properties)]
pub struct AppProps {
    /// The connections that are open.
    pub hub: Hub,
}

/// The whole page.
#[component]
pub fn App(props: &AppProps) -> Html {
    let shown = use_field(props.hub.shown());
    match shown {
        Some(opened) => html! { <Shell hub={props.hub.clone()} {opened} /> },
        None => Html::default(),
    }
}

/// Has the program speak a language, until a person chooses another.
pub fn speak(texts: &'static Texts) {
    look::speak(texts);
}

/// Shows the page, and starts the engine beside it. `glue` is the address of the JavaScript that
/// wasm-bindgen made for this module.
///
/// Does nothing where there is no window: the same module runs in the engine's worker.
pub fn start(glue: &str) {
    let Some(window) = web_sys::window() else { return };
    let Some(document) = window.document() else { return };
    let (tag, texts) = look::language();
    speak(texts);
    look::apply();
    if let Some(root) = document.document_element() {
        // An attribute that the page has already can be changed.
        let _set = root.set_attribute("lang", tag);
    }
    let glue = glue.to_owned();
    let hub = Hub::new(move |hub| start_engine(&glue, hub));
    for opening in startup::openings(&document, &window.location()) {
        hub.open(opening);
    }
    yew::Renderer::<App>::with_props(AppProps { hub }).render();
}

/// What the page of this window speaks.
pub fn texts_of_window() -> &'static Texts {
    look::language().1
}

/// Takes bytes to another program, in the form in which they travel.
type Carry = Rc<dyn Fn(Vec<u8>)>;

/// An engine in its worker, with a second program for it; where it does not start, the page says so.
fn start_engine(glue: &str, hub: &Hub) -> Started {
    let remote: Rc<RefCell<Option<Remote>>> = Rc::default();
    let carry: Carry = {
        let remote = Rc::clone(&remote);
        Rc::new(move |command| {
            if let Some(remote) = remote.borrow().as_ref() {
                remote.carry(command);
            }
        })
    };
    let link = {
        let carry = Rc::clone(&carry);
        Link::new(move |command| carry(protocol::encode(&command)))
    };
    let (reports, failures) = (link.clone(), link.clone());
    match worker::start(glue) {
        Ok(worker) => {
            let started = Remote::new(
                &worker,
                move |report| reports.receive(report),
                move |words| failures.fail(&words),
            );
            *remote.borrow_mut() = Some(started);
        }
        Err(words) => link.fail(&words),
    }
    // The worker's reports go to the link, and the link's commands to the worker: somebody must part them.
    let stop = Rc::new(move || drop(remote.take()));
    let asked = hub.clone();
    let ask: Carry = Rc::new(move |bytes| {
        if let Ok(ask) = protocol::decode(&bytes) {
            asked.ask(ask);
        }
    });
    let rooms = Rooms::new(link.clone(), move || {
        Box::pin(fetch::fetch(Rc::clone(&carry), Rc::clone(&ask)))
    });
    Started { link, rooms, stop }
}

/// A text of others, which may be of any script: apart from what stands beside it, and with all that is in it to be
/// seen.
fn bdi(text: impl AsRef<str>) -> Html {
    html! { <bdi>{ visible(text.as_ref()) }</bdi> }
}
