//! The browser's notifications: when a value comes to a level that says so, whichever page is open.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    Notification, NotificationOptions, NotificationPermission, ServiceWorkerRegistration,
};

use super::super::field::Listening;
use super::super::link::{Link, Looking};
use super::face;
use super::saved::Saved;
use crate::limits::SOURCES_PER_LOOK_MAX;
use crate::number;
use crate::protocol::{Look, Sight, Source, Value};
use crate::texts::{WidgetTexts, fill};
use crate::widgets::level::Watch;
use crate::widgets::{Board, Id, Level, Shown, Widget};

/// Follows the values that somebody wants to be told of, as long as it lives.
pub(in crate::page) struct Alarms {
    _saved: Listening,
}

/// One value that is followed.
#[derive(Clone, PartialEq)]
struct Followed {
    key: Key,
    source: Source,
    name: String,
    levels: Vec<Level>,
}

/// A widget, and which of its values.
type Key = (Id, usize);

/// At which level each value was.
type Watches = Rc<RefCell<HashMap<Key, Watch>>>;

/// What is followed, and the hands that do it: a slot has room for so many values.
#[derive(Default)]
struct Following {
    all: Vec<Followed>,
    parts: Vec<(Looking, Listening)>,
}

impl Alarms {
    /// Follows what the board of this browser says, through this link.
    pub(in crate::page) fn new(link: &Link, words: &'static WidgetTexts) -> Self {
        let saved = Saved::here();
        let (watches, following) = (Watches::default(), RefCell::new(Following::default()));
        let follow = {
            let (saved, link) = (saved.clone(), link.clone());
            move || {
                let all = wanted(saved.editor().get().board());
                let mut following = following.borrow_mut();
                if following.all != all {
                    let parts = all.chunks(SOURCES_PER_LOOK_MAX);
                    following.parts =
                        parts.map(|part| part_of(&link, part, &watches, words)).collect();
                    following.all = all;
                }
            }
        };
        follow();
        Self { _saved: saved.editor().listen(follow) }
    }
}

/// What the board wants somebody to be told of.
fn wanted(board: &Board) -> Vec<Followed> {
    let has_alarm =
        |widget: &&Widget| widget.kind.has_levels() && widget.levels.iter().any(|l| l.notify);
    let values = |widget: &Widget| {
        let followed = |(index, shown): (usize, &Shown)| Followed {
            key: (widget.id, index),
            source: face::source(shown),
            name: face::name(shown),
            levels: widget.levels.clone(),
        };
        widget.values.iter().enumerate().map(followed).collect::<Vec<_>>()
    };
    board.widgets.iter().filter(has_alarm).flat_map(values).collect()
}

/// Follows some of the values in a slot of their own.
fn part_of(
    link: &Link,
    part: &[Followed],
    watches: &Watches,
    words: &'static WidgetTexts,
) -> (Looking, Listening) {
    let looking = link.slot();
    let (seen, part, watches) = (looking.seen().clone(), part.to_vec(), Rc::clone(watches));
    looking.look(Look::Values(part.iter().map(|followed| followed.source.clone()).collect()));
    let on_seen = {
        let seen = seen.clone();
        move || {
            let Some(sight) = seen.get() else { return };
            let Sight::Values(values) = &*sight else { return };
            for (value, followed) in values.iter().zip(&part) {
                let Some(Value::Number { text, unit, .. }) = value.as_ref().map(|c| &c.value)
                else {
                    continue;
                };
                let Some(number) = number::parse(text) else { continue };
                let mut watches = watches.borrow_mut();
                let watch = watches.entry(followed.key).or_default();
                if watch.take(&followed.levels, number.value).is_some() {
                    let unit = unit.as_deref().unwrap_or_default();
                    let told = fill(words.alarm, &[&followed.name, text, unit]);
                    tell(told.trim_end(), followed.key);
                }
            }
        }
    };
    let listening = seen.listen(on_seen);
    (looking, listening)
}

/// What the person lets this page do; nothing where the browser has no notifications at all.
fn permission() -> NotificationPermission {
    let is_there = web_sys::window()
        .is_some_and(|window| js_sys::Reflect::has(&window, &"Notification".into()) == Ok(true));
    if is_there { Notification::permission() } else { NotificationPermission::Denied }
}

/// Whether the browser shows no notifications of this page, whatever is asked.
pub(super) fn is_denied() -> bool {
    permission() == NotificationPermission::Denied
}

/// Asks the person, through the browser, whether it may show some.
pub(super) fn ask() {
    if permission() == NotificationPermission::Default {
        // The answer shows in what the browser does from then on.
        let _asked = Notification::request_permission();
    }
}

fn tell(text: &str, key: Key) {
    if permission() != NotificationPermission::Granted {
        return;
    }
    let options = NotificationOptions::new();
    // A newer one of the same value takes the place of the one before.
    options.set_tag(&format!("{}-{}", key.0, key.1));
    if Notification::new_with_options(text, &options).is_ok() {
        return;
    }
    // Browsers of phones show those of a service worker alone.
    let text = text.to_owned();
    spawn_local(async move {
        let Some(window) = web_sys::window() else { return };
        let worker = JsFuture::from(window.navigator().service_worker().get_registration()).await;
        let worker = worker.ok().and_then(|it| it.dyn_into::<ServiceWorkerRegistration>().ok());
        // A page without one, such as over HTTP from another machine, has no permission either.
        let shown = worker.and_then(|it| it.show_notification_with_options(&text, &options).ok());
        if let Some(shown) = shown {
            let _shown = JsFuture::from(shown).await;
        }
    });
}
