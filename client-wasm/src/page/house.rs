//! The second program: every page but the board, each in the place that the first program has for it.
//!
//! It has a link of its own, whose commands the first program carries to the engine. Both are built
//! from this crate, so they speak of the same things; [`Program`] is all that they have in common.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo_events::{EventListener, EventListenerOptions};
use web_sys::Element;
use yew::prelude::*;

use super::broker::Broker;
use super::connections::{Connections, Switchboard};
use super::field::{Field, Listening, use_field};
use super::link::Link;
use super::messages::Messages;
use super::palette::Palette;
use super::publish::PublishPage;
use super::rooms::{KEYS, PAGE, PALETTE, Program, SIGN_IN, WIDGETS};
use super::saving::hand_over;
use super::settings::Settings;
use super::sheet::Sheet;
use super::shelf;
use super::shell::use_route;
use super::sign_in::SignInForm;
use super::topics::Topics;
use super::widgets::Widgets;
use super::widgets::alarm::Alarms;
use super::wire::WirePage;
use crate::protocol;
use crate::route::Route;
use crate::switchboard::Told;
use crate::texts::{self, RoomsTexts, Texts, fill};
use crate::unreadable::Unreadable;

/// The texts of this program's pages in the page's language.
#[hook]
pub(super) fn use_texts() -> &'static RoomsTexts {
    texts::of_rooms(super::use_texts())
}

/// What is wrong with JSON that was read, in the middle of a sentence.
pub(super) fn unreadable(what: &Unreadable, texts: &RoomsTexts) -> String {
    match what {
        Unreadable::Syntax => texts.json_syntax.to_owned(),
        Unreadable::Nothing => texts.json_nothing.to_owned(),
        Unreadable::End => texts.json_end.to_owned(),
        Unreadable::Value => texts.json_value.to_owned(),
        Unreadable::Missing(name) => fill(texts.json_missing, &[name]),
        Unreadable::Unknown(word) => fill(texts.json_unknown, &[word]),
    }
}

/// The second program.
pub struct House {
    link: Link,
    switchboard: Switchboard,
    /// Where the broker is, as a person writes it.
    host: Field<AttrValue>,
    stages: RefCell<Vec<Stage>>,
    /// Go on whichever page is open.
    _alarms: Alarms,
    _files: Listening,
    /// Asks before the page is closed, as long as something is recorded that would be gone with it.
    _leaving: Option<EventListener>,
    next: Cell<u32>,
}

impl House {
    /// A program whose commands go to `send`, and what it asks of connections to `ask`, both in the form in
    /// which they travel.
    pub fn new(
        texts: &'static Texts,
        send: impl Fn(&[u8]) + 'static,
        ask: impl Fn(&[u8]) + 'static,
    ) -> Self {
        super::speak(texts);
        skip_first_root();
        let ask = Callback::from(move |asked| ask(&protocol::encode(&asked)));
        let link = Link::new(move |command| send(&protocol::encode(&command)));
        Self {
            _alarms: Alarms::new(&link, texts::of_widgets(texts)),
            _files: hand_over_files(&link),
            _leaving: ask_before_leaving(&link),
            link,
            switchboard: Switchboard {
                ask,
                told: Field::new(Rc::default()),
                written: Field::new(shelf::form()),
            },
            host: Field::new(AttrValue::default()),
            stages: RefCell::default(),
            next: Cell::new(0),
        }
    }
}

/// Hands each file that the engine has made to the browser, whichever page is open.
fn hand_over_files(link: &Link) -> Listening {
    let file = link.file().clone();
    link.file().listen(move || {
        if let Some(file) = file.get() {
            hand_over(&file.url, &file.name);
        }
    })
}

fn ask_before_leaving(link: &Link) -> Option<EventListener> {
    let tape = link.tape().clone();
    let options = EventListenerOptions::enable_prevent_default();
    web_sys::window().map(|window| {
        EventListener::new_with_options(&window, "beforeunload", options, move |event| {
            if tape.get().recording.is_some() {
                event.prevent_default();
            }
        })
    })
}

/// Yew marks the elements of each of its trees with the tree's number, and takes an event for its own
/// where it finds that number. Each program counts from 1, and both are in the same document: the
/// first program has one tree, so the first of this one is one that is never seen.
fn skip_first_root() {
    let element = web_sys::window()
        .and_then(|window| window.document())
        .and_then(|document| document.create_element("div").ok());
    if let Some(element) = element {
        yew::Renderer::<Nothing>::with_root(element).render().destroy();
    }
}

#[component]
fn Nothing() -> Html {
    Html::default()
}

impl Program for House {
    fn receive(&self, report: &[u8]) {
        self.link.hear(report);
    }

    fn tell(&self, told: &[u8]) {
        let Ok(told) = protocol::decode::<Vec<Told>>(told) else { return };
        let shown = told.iter().find(|told| told.is_shown);
        let host = shown.map_or(AttrValue::default(), |told| told.host.clone().into());
        if host != self.host.get() {
            self.host.set(host);
        }
        self.switchboard.told.set(Rc::new(told));
    }

    fn show(&self, place: &str, element: &Element) -> u32 {
        let key = self.next.get();
        self.next.set(key.wrapping_add(1));
        let mut stages = self.stages.borrow_mut();
        if !stages.iter().any(|stage| *stage.place == *place) {
            stages.extend(self.stage(place));
        }
        if let Some(stage) = stages.iter_mut().find(|stage| *stage.place == *place) {
            stage.shown = Some(key);
            // An element takes any other that it does not lie in.
            let _shown = element.append_child(&stage.element);
            stage.is_shown.set(true);
        }
        key
    }

    fn take_away(&self, shown: u32) {
        let mut stages = self.stages.borrow_mut();
        if let Some(stage) = stages.iter_mut().find(|stage| stage.shown == Some(shown)) {
            stage.shown = None;
            stage.is_shown.set(false);
            stage.element.remove();
        }
    }
}

/// What belongs to a place, from when it is first shown. Yew never takes the listeners off the element that
/// it renders into, so that each visit would leave some behind if it had an element of its own.
struct Stage {
    place: AttrValue,
    element: Element,
    is_shown: Field<bool>,
    shown: Option<u32>,
    room: AppHandle<Room>,
}

impl House {
    fn stage(&self, place: &str) -> Option<Stage> {
        let document = web_sys::window()?.document()?;
        let element = document.create_element("div").ok()?;
        element.set_class_name("slot");
        let (place, is_shown) = (AttrValue::from(place.to_owned()), Field::new(false));
        let props = RoomProps {
            link: self.link.clone(),
            switchboard: self.switchboard.clone(),
            host: self.host.clone(),
            place: place.clone(),
            is_shown: is_shown.clone(),
        };
        let room = yew::Renderer::<Room>::with_root_and_props(element.clone(), props).render();
        Some(Stage { place, element, is_shown, shown: None, room })
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for stage in self.stages.take() {
            stage.room.destroy();
        }
    }
}

#[derive(PartialEq, Properties)]
struct RoomProps {
    link: Link,
    switchboard: Switchboard,
    host: Field<AttrValue>,
    place: AttrValue,
    /// Nothing is there while it is not.
    is_shown: Field<bool>,
}

/// What belongs to a place.
#[component]
fn Room(props: &RoomProps) -> Html {
    let route = use_route();
    let host = use_field(&props.host);
    let is_shown = use_field(&props.is_shown);
    match props.place.as_str() {
        _ if !is_shown => Html::default(),
        PAGE => page(&route, &props.link, &host, &props.switchboard),
        PALETTE => {
            let (link, switchboard) = (props.link.clone(), props.switchboard.clone());
            html! { <Palette {link} {switchboard} /> }
        }
        KEYS => html! { <Sheet /> },
        SIGN_IN => {
            let link = props.link.clone();
            html! { <SignInForm {link} /> }
        }
        WIDGETS => {
            let link = props.link.clone();
            html! { <Widgets {link} /> }
        }
        _ => Html::default(),
    }
}

/// The page of an address; none for the board, which is the first program's.
fn page(route: &Route, link: &Link, host: &AttrValue, switchboard: &Switchboard) -> Html {
    let (link, host) = (link.clone(), host.clone());
    match route {
        Route::Topics(topic) => {
            let topic = topic.clone().map(AttrValue::from);
            html! { <Topics {link} {host} {topic} /> }
        }
        Route::Messages => html! { <Messages {link} /> },
        Route::Publish(topic) => {
            let topic = topic.clone().map(AttrValue::from);
            html! { <PublishPage {link} {topic} /> }
        }
        Route::Wire => html! { <WirePage {link} /> },
        Route::Broker => html! { <Broker {link} {host} /> },
        Route::Connections => {
            html! { <Connections {link} switchboard={switchboard.clone()} /> }
        }
        Route::Settings => html! { <Settings {link} /> },
        Route::Board => Html::default(),
    }
}
