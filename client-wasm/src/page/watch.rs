//! Which cards are on the screen: the engine is asked for the changes of these alone.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo_events::EventListener;
use gloo_timers::callback::Timeout;
use wasm_bindgen::prelude::*;
use web_sys::{Element, IntersectionObserver, IntersectionObserverEntry, IntersectionObserverInit};

use super::link::Link;
use crate::limits::SPARKLINE_WIDTH_MAX;
use crate::protocol::Command;
use crate::store::TopicId;

/// The attribute of a card that names its topic's number.
pub const ID_ATTRIBUTE: &str = "data-id";

/// How far beyond the screen a card counts as on it, so that it is filled when it comes into sight.
const MARGIN: &str = "200px";

/// Changes within this time are told at once, in milliseconds.
const GATHER_MS: u32 = 16;

/// Follows the cards on the screen. Clones are handles to the same one.
#[derive(Clone)]
pub struct Watch(Rc<Inner>);

struct Inner {
    link: Link,
    visible: RefCell<Vec<TopicId>>,
    width: Cell<u16>,
    /// Cards may have another width, which is asked for when it is told.
    is_resized: Cell<bool>,
    observer: RefCell<Option<(IntersectionObserver, Observed)>>,
    later: RefCell<Option<Timeout>>,
    resized: RefCell<Option<EventListener>>,
}

type Observed = Closure<dyn FnMut(js_sys::Array)>;

impl PartialEq for Watch {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Watch {
    /// A watch that tells the engine through `link`.
    pub fn new(link: Link) -> Self {
        let watch = Self(Rc::new(Inner {
            link,
            visible: RefCell::default(),
            width: Cell::new(1),
            is_resized: Cell::new(false),
            observer: RefCell::default(),
            later: RefCell::default(),
            resized: RefCell::default(),
        }));
        let weak = Rc::downgrade(&watch.0);
        let observed = Observed::new(move |entries: js_sys::Array| {
            if let Some(inner) = weak.upgrade() {
                inner.observed(&entries);
                inner.tell_soon();
            }
        });
        let init = IntersectionObserverInit::new();
        init.set_root_margin(MARGIN);
        // Every browser that runs this module has it; one that did not would show empty cards.
        if let Ok(observer) =
            IntersectionObserver::new_with_options(observed.as_ref().unchecked_ref(), &init)
        {
            *watch.0.observer.borrow_mut() = Some((observer, observed));
        }
        if let Some(window) = web_sys::window() {
            let weak = Rc::downgrade(&watch.0);
            *watch.0.resized.borrow_mut() =
                Some(EventListener::new(&window, "resize", move |_| {
                    if let Some(inner) = weak.upgrade() {
                        inner.is_resized.set(true);
                        inner.tell_soon();
                    }
                }));
        }
        watch
    }

    /// Follows this card from now on.
    pub fn begin(&self, card: &Element) {
        if let Some((observer, _)) = self.0.observer.borrow().as_ref() {
            observer.observe(card);
        }
    }

    /// Does not follow this card any more.
    pub fn end(&self, card: &Element, id: TopicId) {
        if let Some((observer, _)) = self.0.observer.borrow().as_ref() {
            observer.unobserve(card);
        }
        if self.0.set_visible(id, false) {
            self.0.tell_soon();
        }
    }
}

impl Inner {
    fn observed(&self, entries: &js_sys::Array) {
        for entry in entries.iter() {
            let entry: IntersectionObserverEntry = entry.unchecked_into();
            let target = entry.target();
            let id = target.get_attribute(ID_ATTRIBUTE).and_then(|id| id.parse().ok());
            let Some(id) = id else { continue };
            self.set_visible(id, entry.is_intersecting());
            if entry.is_intersecting() {
                // As it was laid out; to ask the card itself would have the browser lay out the page anew.
                self.set_width(entry.bounding_client_rect().width());
            }
        }
    }

    /// Says whether that is a change. There are never more than a screen is full of.
    fn set_visible(&self, id: TopicId, is_visible: bool) -> bool {
        let mut visible = self.visible.borrow_mut();
        let place = visible.iter().position(|other| *other == id);
        match place {
            Some(place) if !is_visible => {
                visible.swap_remove(place);
            }
            None if is_visible => visible.push(id),
            _ => return false,
        }
        true
    }

    /// All cards have the same width.
    fn set_width(&self, width: f64) {
        let ratio = web_sys::window().map_or(1.0, |window| window.device_pixel_ratio());
        let width = width * ratio;
        // A cast from a float keeps to the range of the integer.
        self.width.set((width as u16).clamp(1, SPARKLINE_WIDTH_MAX));
    }

    fn tell_soon(self: &Rc<Self>) {
        let weak = Rc::downgrade(self);
        let mut later = self.later.borrow_mut();
        if later.is_none() {
            *later = Some(Timeout::new(GATHER_MS, move || {
                if let Some(inner) = weak.upgrade() {
                    inner.later.borrow_mut().take();
                    inner.tell();
                }
            }));
        }
    }

    fn tell(&self) {
        let ids = self.visible.borrow().clone();
        let first = ids.first().filter(|_| self.is_resized.replace(false)).and_then(|id| {
            let document = web_sys::window()?.document()?;
            document.query_selector(&format!("[{ID_ATTRIBUTE}=\"{id}\"]")).ok()?
        });
        if let Some(card) = first {
            self.set_width(card.get_bounding_client_rect().width());
        }
        self.link.send(Command::Watch { ids, width: self.width.get() });
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some((observer, _)) = self.observer.borrow().as_ref() {
            observer.disconnect();
        }
    }
}
