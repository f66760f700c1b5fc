//! The connections that are open: each has an engine of its own in a worker of its own, and one of them
//! is shown. The others go on in the background, where they cost what their messages cost and nothing for
//! the screen.

use std::cell::RefCell;
use std::rc::Rc;

use gloo_events::EventListener;
use gloo_timers::callback::Timeout;
use yew::prelude::*;

use super::field::{Field, Listening, use_field};
use super::link::Link;
use super::look;
use super::rooms::Rooms;
use crate::limits::CONNECTIONS_OPEN_MAX;
use crate::number::grouped;
use crate::profile::host;
use crate::protocol::{self, Command, Connection};
use crate::switchboard::{Ask, Opening, Told};
use crate::visible::visible;

/// How long an engine has to say goodbye to its broker before it is stopped, in milliseconds.
const GOODBYE_MS: u32 = 1_000;

/// A connection that is open.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) id: Rc<str>,
    pub(super) title: AttrValue,
    /// Where its broker is, as a person writes it.
    pub(super) host: AttrValue,
    pub(super) link: Link,
    pub(super) rooms: Rooms,
    stop: Rc<dyn Fn()>,
    _listening: Rc<(Listening, Listening)>,
}

impl PartialEq for Opened {
    fn eq(&self, other: &Self) -> bool {
        (&self.id, &self.title, &self.host, &self.link)
            == (&other.id, &other.title, &other.host, &other.link)
    }
}

/// All connections that are open. Clones are handles to the same ones.
#[derive(Clone)]
pub struct Hub(Rc<Inner>);

/// An engine that was started.
pub struct Started {
    /// The wire to it.
    pub link: Link,
    /// The second program for it.
    pub rooms: Rooms,
    /// Stops it.
    pub stop: Rc<dyn Fn()>,
}

struct Inner {
    start: Box<dyn Fn(&Hub) -> Started>,
    opened: RefCell<Vec<Opened>>,
    shown: Field<Option<Opened>>,
    told: Field<Rc<Vec<Told>>>,
    sharing: RefCell<Option<EventListener>>,
}

impl PartialEq for Hub {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Hub {
    /// No connection yet; `start` starts an engine for each.
    pub fn new(start: impl Fn(&Self) -> Started + 'static) -> Self {
        let hub = Self(Rc::new(Inner {
            start: Box::new(start),
            opened: RefCell::default(),
            shown: Field::new(None),
            told: Field::new(Rc::default()),
            sharing: RefCell::default(),
        }));
        let weak = Rc::downgrade(&hub.0);
        *hub.0.sharing.borrow_mut() = web_sys::window().map(|window| {
            EventListener::new(&window, look::MEMORY_EVENT, move |_| {
                if let Some(inner) = weak.upgrade() {
                    Self(inner).share_memory();
                }
            })
        });
        hub
    }

    /// Gives each connection its share of the memory, so that all together keep to what a person chose.
    fn share_memory(&self) {
        let opened = self.0.opened.borrow();
        let count = u64::try_from(opened.len()).unwrap_or(u64::MAX).max(1);
        for opened in opened.iter() {
            opened.link.send(Command::Memory(look::memory_bytes() / count));
        }
    }

    /// Opens a connection, or connects it otherwise where it is open.
    pub fn open(&self, opening: Opening) {
        let Opening { id, title, connect } = opening;
        let host = AttrValue::from(host(&connect.url).to_owned());
        let mut opened = self.0.opened.borrow_mut();
        if let Some(place) = opened.iter_mut().find(|opened| *opened.id == *id) {
            (place.title, place.host) = (title.into(), host);
            place.link.send(Command::Open(Box::new(connect)));
        } else if opened.len() < CONNECTIONS_OPEN_MAX {
            let Started { link, rooms, stop } = (self.0.start)(self);
            link.send(Command::Open(Box::new(connect)));
            let (first, second) = (self.clone(), self.clone());
            let listening = Rc::new((
                link.connection().listen(move || first.tell()),
                link.counters().listen(move || second.tell()),
            ));
            let (id, title) = (id.as_str().into(), title.into());
            opened.push(Opened { id, title, host, link, rooms, stop, _listening: listening });
        }
        drop(opened);
        self.share_memory();
        if self.0.shown.get().is_none_or(|shown| *shown.id == *id) {
            self.show(&id);
        }
        self.tell();
    }

    /// Does what the page of connections asks for.
    pub fn ask(&self, ask: Ask) {
        match ask {
            Ask::Open(opening) => {
                let id = opening.id.clone();
                self.open(*opening);
                self.show(&id);
            }
            Ask::Show { id } => self.show(&id),
            Ask::Connect { id } => self.send(&id, Command::TryNow),
            Ask::Disconnect { id } => self.send(&id, Command::Disconnect),
            Ask::Close { id } => self.close(&id),
        }
        self.tell();
    }

    /// The connection that is shown; none before the first is open.
    pub(super) fn shown(&self) -> &Field<Option<Opened>> {
        &self.0.shown
    }

    /// How all of them are.
    pub(super) fn told(&self) -> &Field<Rc<Vec<Told>>> {
        &self.0.told
    }

    fn find(&self, id: &str) -> Option<Opened> {
        self.0.opened.borrow().iter().find(|opened| *opened.id == *id).cloned()
    }

    fn send(&self, id: &str, command: Command) {
        if let Some(opened) = self.find(id) {
            opened.link.send(command);
        }
    }

    fn show(&self, id: &str) {
        let found = self.find(id);
        if found.is_some() && found != self.0.shown.get() {
            self.0.shown.set(found);
        }
    }

    /// The last one stays: the page always shows one.
    fn close(&self, id: &str) {
        if self.0.opened.borrow().len() < 2 {
            return;
        }
        let Some(closed) = self.find(id) else { return };
        closed.link.send(Command::Disconnect);
        self.0.opened.borrow_mut().retain(|opened| *opened.id != *id);
        if self.0.shown.get().is_some_and(|shown| *shown.id == *id) {
            let next = self.0.opened.borrow().first().cloned();
            self.0.shown.set(next);
        }
        self.share_memory();
        Timeout::new(GOODBYE_MS, move || (closed.stop)()).forget();
    }

    fn tell(&self) {
        let shown = self.0.shown.get();
        let opened = self.0.opened.borrow();
        let told = opened.iter().map(|opened| Told {
            id: opened.id.to_string(),
            title: opened.title.to_string(),
            host: opened.host.to_string(),
            is_shown: shown.as_ref().is_some_and(|shown| shown.id == opened.id),
            connection: opened.link.connection().get(),
            counters: opened.link.counters().get(),
        });
        let told: Rc<Vec<Told>> = Rc::new(told.collect());
        drop(opened);
        if let Some(shown) = shown {
            shown.rooms.tell(protocol::encode(&*told));
        }
        self.0.told.set(told);
    }
}

#[derive(PartialEq, Properties)]
pub(super) struct SwitcherProps {
    pub(super) hub: Hub,
    /// What the list is called.
    pub(super) label: AttrValue,
}

/// The list of open connections, each with its lamp and its count: one click shows another.
#[component]
pub(super) fn Switcher(props: &SwitcherProps) -> Html {
    let told = use_field(props.hub.told());
    if told.len() < 2 {
        return Html::default();
    }
    html! {
        <ul class="switcher" data-role="switcher" aria-label={props.label.clone()}>
            { for told.iter().map(|told| {
                let (hub, id) = (props.hub.clone(), told.id.clone());
                let onclick = Callback::from(move |_: MouseEvent| {
                    hub.ask(Ask::Show { id: id.clone() });
                });
                html! {
                    <li key={told.id.clone()}>
                        <button type="button" class="quiet-button switch" {onclick} data-connection={told.id.clone()}
                            aria-current={told.is_shown.then_some("true")}>
                            <span class="lamp" data-state={state(&told.connection)}></span>
                            <bdi class="switch-name">{ visible(&told.title) }</bdi>
                            <span class="switch-count">{ grouped(told.counters.messages) }</span>
                        </button>
                    </li>
                }
            }) }
        </ul>
    }
}

/// The state as the style sheet knows it.
pub(super) fn state(connection: &Connection) -> &'static str {
    match connection {
        Connection::Connecting => "connecting",
        Connection::Online { .. } => "online",
        Connection::Offline { .. } => "offline",
    }
}
