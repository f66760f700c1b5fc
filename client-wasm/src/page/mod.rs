//! The page: it shows what the engine says, and asks it for what is on the screen.

mod board;
mod broker;
mod card;
mod chart;
mod clearing;
mod copy;
mod decoded;
mod detail;
mod fetch;
pub mod field;
mod figures;
pub mod house;
mod icon;
mod kept;
mod keys;
pub mod link;
mod look;
mod messages;
mod palette;
mod publish;
pub mod rooms;
mod rows;
mod search;
mod shell;
mod sparkline;
mod status;
mod tape;
mod time;
mod topics;
pub mod watch;
mod wire;

use std::cell::RefCell;
use std::rc::Rc;

use web_sys::{Document, Location, Url};
use yew::prelude::*;

use self::link::Link;
use self::rooms::Rooms;
use self::shell::Shell;
use crate::connect::{Connect, Subscription};
use crate::protocol::{self, Command};
use crate::texts::{self, Texts};
use crate::worker::{self, Remote};

/// The path that brokers take WebSocket connections on.
const MQTT_PATH: &str = "/mqtt";

/// The texts in a form that components get from their context.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Language(&'static Texts);

/// The texts in the page's language.
#[hook]
fn use_texts() -> &'static Texts {
    use_context::<Language>().map_or(texts::choose([]).1, |language| language.0)
}

/// What the whole page is made of.
#[derive(PartialEq, Properties)]
pub struct AppProps {
    /// The wire to the engine.
    pub link: Link,
    /// The second program.
    pub rooms: Rooms,
    /// Where and for whom the page is.
    pub surroundings: Surroundings,
}

/// Where and for whom a page is.
#[derive(Debug, Clone, PartialEq)]
pub struct Surroundings {
    /// Where the broker is, as a person writes it.
    pub host: AttrValue,
    /// What the page speaks.
    pub texts: &'static Texts,
}

/// The whole page.
#[component]
pub fn App(props: &AppProps) -> Html {
    let texts = look::use_language(props.surroundings.texts);
    html! {
        <ContextProvider<Language> context={Language(texts)}>
            <Shell
                link={props.link.clone()}
                rooms={props.rooms.clone()}
                host={props.surroundings.host.clone()}
            />
        </ContextProvider<Language>>
    }
}

/// Shows the page, and starts the engine beside it. `glue` is the address of the JavaScript that
/// wasm-bindgen made for this module.
///
/// Does nothing where there is no window: the same module runs in the engine's worker.
pub fn start(glue: &str) {
    let Some(window) = web_sys::window() else { return };
    let Some(document) = window.document() else { return };
    let (tag, _) = look::language();
    look::apply();
    if let Some(root) = document.document_element() {
        // An attribute that the page has already can be changed.
        let _set = root.set_attribute("lang", tag);
    }
    let (link, carry) = start_engine(glue);
    let Broker { url, .. } = broker(&document, &window.location());
    let everything = vec![Subscription::new(Subscription::EVERYTHING)];
    link.send(Command::Open(Box::new(Connect { subscriptions: everything, ..Connect::new(&url) })));
    let rooms = Rooms::new(link.clone(), move || Box::pin(fetch::fetch(Rc::clone(&carry))));
    let surroundings = surroundings();
    yew::Renderer::<App>::with_props(AppProps { link, rooms, surroundings }).render();
}

/// Where and for whom the page of this window is.
pub fn surroundings() -> Surroundings {
    let window = web_sys::window();
    let host = window.as_ref().and_then(|window| {
        let document = window.document()?;
        Some(broker(&document, &window.location()).host)
    });
    let texts = look::language().1;
    Surroundings { host: host.unwrap_or_default().into(), texts }
}

/// A broker, for the engine and for a person.
struct Broker {
    url: String,
    host: String,
}

/// The broker is where the page came from, unless the page names one: trunk serves the page in
/// development, and is no broker.
fn broker(document: &Document, location: &Location) -> Broker {
    let named = document.query_selector("link[rel=broker]").ok().flatten();
    if let Some(url) = named.and_then(|link| link.get_attribute("href")) {
        let host = Url::new(&url).map_or_else(|_| url.clone(), |url| url.host());
        return Broker { url, host };
    }
    let host = location.host().unwrap_or_default();
    let is_secure = location.protocol().is_ok_and(|protocol| protocol == "https:");
    let scheme = if is_secure { "wss" } else { "ws" };
    Broker { url: format!("{scheme}://{host}{MQTT_PATH}"), host }
}

/// Takes commands to the engine, in the form in which they travel.
type Carry = Rc<dyn Fn(Vec<u8>)>;

/// A link to an engine in its worker, and the way for commands that are none of the link's; where the
/// engine does not start, the page says so.
fn start_engine(glue: &str) -> (Link, Carry) {
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
    (link, carry)
}
