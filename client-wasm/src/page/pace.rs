//! How much of the board is made by now: some at a time, so that the page answers in between. Cards are made
//! near the screen; the others are rooms of the same size, until somebody scrolls to them, and those that
//! somebody has left far behind become rooms again.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

use gloo_timers::callback::Timeout;
use wasm_bindgen::prelude::*;
use web_sys::{
    Element, HtmlElement, IntersectionObserver, IntersectionObserverEntry, IntersectionObserverInit,
};
use yew::prelude::*;

use crate::clock;
use crate::protocol::Board;
use crate::store::TopicId;

/// The attribute of a place on the board that names its topic's number, be it a card or a room.
pub(super) const PLACE_ATTRIBUTE: &str = "data-card";

/// How many cards are made or taken away at once, as many as take a small part of what a person notices…
const CARDS_AT_ONCE: usize = 4;

/// …and how many places of cards are, which are rooms at first. The next follow behind the next frame.
const PLACES_AT_ONCE: usize = 24;

/// The heading of a group takes as long as so many places.
const GROUP_PLACES: usize = 3;

/// A frame that took less time than this, in milliseconds, has room for more; one that took twice as long has
/// too much in it.
const FRAME_MS: f64 = 8.0;

/// However long a frame takes, this part of what is made at once at most is made, so that it comes to an end.
const LEAST_PART: usize = 4;

/// So many at the beginning of the board are made wherever the screen is: they fill most screens, and need
/// not wait until it is known what is near.
const CARDS_FIRST: usize = 24;

/// So many cards stay when nobody is near them any more; further ones become rooms again. Who goes to and fro
/// finds them there, and what the browser paints does not grow with the board.
const CARDS_KEPT: usize = 48;

/// How far from the screen a room becomes a card: most of its height above and below it.
const MARGIN: &str = "75% 0px";

/// How much of the board is made.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Made {
    /// What has a place, be it a card or a room.
    pub(super) places: Ids,
    /// What is a card.
    pub(super) cards: Ids,
}

type Ids = HashSet<TopicId>;

/// What is known of places: whether they are near the screen. Of new ones nothing is, until a frame later.
#[derive(Debug, Default)]
struct Known {
    /// Near the screen, in the order in which they came there.
    near: Vec<TopicId>,
    far: Ids,
}

impl Known {
    /// Says whether that is anything new.
    fn tell(&mut self, id: TopicId, is_near: bool) -> bool {
        let was_near = self.near.contains(&id);
        if !is_near {
            self.near.retain(|other| *other != id);
            return self.far.insert(id);
        }
        self.far.remove(&id);
        if !was_near {
            self.near.push(id);
        }
        !was_near
    }

    fn knows(&self, id: TopicId) -> bool {
        self.far.contains(&id) || self.near.contains(&id)
    }

    /// What has no place any more need not be remembered.
    fn forget_all_but(&mut self, places: &Ids) {
        self.near.retain(|id| places.contains(id));
        self.far.retain(|id| places.contains(id));
    }
}

impl Made {
    /// What is made next of this board with so many cards at once, and whether that is all there is to be done
    /// now.
    fn next(&self, board: Option<&Board>, known: &Known, at_once: usize) -> (Self, bool) {
        let groups = || board.into_iter().flat_map(|board| &board.groups);
        let ids = || groups().flat_map(|group| &group.cards).map(|title| title.id);
        let mut next = Self::default();
        let (mut places, mut is_all) = (PLACES_AT_ONCE, true);
        for group in groups() {
            // The first of a group brings its heading with it.
            let mut cost = GROUP_PLACES;
            for id in group.cards.iter().map(|title| title.id) {
                if self.places.contains(&id) {
                    cost = 1;
                } else if places == 0 {
                    is_all = false;
                    continue;
                } else {
                    places = places.saturating_sub(std::mem::replace(&mut cost, 1));
                }
                next.places.insert(id);
            }
        }
        next.cards = self.cards.intersection(&next.places).copied().collect();
        let first = ids().take(CARDS_FIRST).filter(|id| !known.knows(*id));
        let mut cards = at_once;
        for id in known.near.iter().copied().chain(first) {
            if next.places.contains(&id) && !next.cards.contains(&id) {
                if cards == 0 {
                    return (next, false);
                }
                cards -= 1;
                next.cards.insert(id);
            }
        }
        // Nothing is taken away before what is near is there.
        let mut far: Vec<_> =
            ids().filter(|id| next.cards.contains(id) && known.far.contains(id)).collect();
        far.truncate(next.cards.len().saturating_sub(CARDS_KEPT));
        is_all &= far.len() <= cards;
        for id in far.iter().take(cards) {
            next.cards.remove(id);
        }
        (next, is_all)
    }
}

/// The places near the screen.
struct Near {
    known: RefCell<Known>,
    observer: RefCell<Option<(IntersectionObserver, Observed)>>,
}

type Observed = Closure<dyn FnMut(js_sys::Array)>;

impl Near {
    /// Calls `tell` when places have come near or are not near any more.
    fn new(tell: impl Fn() + 'static) -> Rc<Self> {
        let near = Rc::new(Self { known: RefCell::default(), observer: RefCell::default() });
        let weak = Rc::downgrade(&near);
        let observed = Observed::new(move |entries: js_sys::Array| {
            if weak.upgrade().is_some_and(|near| near.take(&entries)) {
                tell();
            }
        });
        let init = IntersectionObserverInit::new();
        init.set_root_margin(MARGIN);
        // Every browser that runs this module has it; one that did not would show the first cards alone.
        let observer =
            IntersectionObserver::new_with_options(observed.as_ref().unchecked_ref(), &init);
        near.observer.replace(observer.ok().map(|observer| (observer, observed)));
        near
    }

    /// Says whether there is anything new among them.
    fn take(&self, entries: &js_sys::Array) -> bool {
        let mut known = self.known.borrow_mut();
        let mut left = Vec::new();
        let mut is_new = false;
        for entry in entries.iter() {
            let entry: IntersectionObserverEntry = entry.unchecked_into();
            let place: HtmlElement = entry.target().unchecked_into();
            let id = place.get_attribute(PLACE_ATTRIBUTE).and_then(|id| id.parse().ok());
            let Some(id) = id else { continue };
            let is_near = entry.is_intersecting();
            if !is_near && known.near.contains(&id) {
                left.push((place.offset_height(), place));
            }
            is_new |= known.tell(id, is_near);
        }
        // Should one be a room again, that is as high as the card was, and nothing moves. All were measured
        // before the first is changed, so that the browser lays out the page once.
        for (height, place) in left {
            // A length is always taken.
            let _set = place.style().set_property("--height", &format!("{height}px"));
        }
        is_new
    }

    /// Follows all places that are in this element now.
    fn follow(&self, groups: &Element, made: &Made) {
        let places = groups.query_selector_all(&format!("[{PLACE_ATTRIBUTE}]"));
        let (Ok(places), Some((observer, _))) = (places, &*self.observer.borrow()) else { return };
        observer.disconnect();
        self.known.borrow_mut().forget_all_but(&made.places);
        for at in 0..places.length() {
            if let Some(place) = places.get(at) {
                observer.observe(place.unchecked_ref());
            }
        }
    }
}

impl Drop for Near {
    fn drop(&mut self) {
        if let Some((observer, _)) = self.observer.borrow().as_ref() {
            observer.disconnect();
        }
    }
}

/// A board that is equal to itself alone.
struct Same(Option<Rc<Board>>);

impl PartialEq for Same {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Rc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }
}

/// Calls this when the browser's next frame begins.
pub(super) fn with_next_frame(begin: impl FnOnce() + 'static) {
    if let Some(window) = web_sys::window() {
        let begin = Closure::once_into_js(begin);
        // Every window has frames.
        let _asked = window.request_animation_frame(begin.unchecked_ref());
    }
}

/// How many of something are made at once on this machine, which is found out by making them.
pub(super) struct Portion {
    now: Cell<usize>,
    most: usize,
}

impl Portion {
    /// No more than so many, half of them at first, and no less than a quarter.
    pub(super) fn new(most: usize) -> Self {
        Self { now: Cell::new(most.div_ceil(2)), most }
    }

    pub(super) fn get(&self) -> usize {
        self.now.get()
    }

    /// The last ones took a frame of this time.
    fn took(&self, frame_ms: f64) {
        let now = self.now.get();
        self.now.set(match frame_ms {
            ..FRAME_MS => (now + 1).min(self.most),
            ms if ms > 2.0 * FRAME_MS => (now / 2).max(self.most / LEAST_PART),
            _ => now,
        });
    }
}

/// Renders once more behind the browser's next frame, if there is more to be made: what is made has then been
/// laid out and painted, and each task is a short one.
#[hook]
pub(super) fn use_another_part(is_wanted: bool, portion: &Rc<Portion>) {
    let render = use_force_update();
    let portion = Rc::clone(portion);
    use_effect(move || {
        let waiting = Rc::new(RefCell::new(None));
        if is_wanted {
            let waiting = Rc::downgrade(&waiting);
            with_next_frame(move || {
                let began_ms = clock::now_ms();
                let rendered = move || {
                    portion.took(clock::now_ms() - began_ms);
                    render.force_update();
                };
                if let Some(waiting) = waiting.upgrade() {
                    waiting.replace(Some(Timeout::new(0, rendered)));
                }
            });
        }
        move || drop(waiting)
    });
}

/// How much of the board there is by now. `groups` is what it stands in.
#[hook]
pub(super) fn use_pace(board: Option<&Rc<Board>>, groups: &NodeRef) -> Made {
    let before = use_mut_ref(Made::default);
    let render = use_force_update();
    let near = use_memo((), move |()| Near::new(move || render.force_update()));
    let portion = use_memo((), |()| Portion::new(CARDS_AT_ONCE));
    let (made, is_all) =
        before.borrow().next(board.map(Rc::as_ref), &near.known.borrow(), portion.get());
    before.borrow_mut().clone_from(&made);
    use_another_part(!is_all, &portion);
    {
        let (groups, made) = (groups.clone(), made.clone());
        use_effect_with((Same(board.cloned()), made.places.len()), move |_| {
            if let Some(groups) = groups.cast::<Element>() {
                near.follow(&groups, &made);
            }
        });
    }
    made
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::protocol::{Group, Title};

    fn board(ids: std::ops::Range<TopicId>) -> Board {
        let title = |id| Title { id, topic: format!("a/{id}"), name: id.to_string() };
        let cards: Vec<_> = ids.map(title).collect();
        let matching = cards.len() as u32;
        Board { groups: vec![Group { prefix: "a".into(), cards }], matching }
    }

    /// All parts, one after the other, and how many they were.
    fn all(mut made: Made, board: &Board, known: &Known) -> (Made, usize) {
        for parts in 1.. {
            let (next, is_all) = made.next(Some(board), known, CARDS_AT_ONCE);
            assert!(next.places.difference(&made.places).count() <= PLACES_AT_ONCE);
            assert!(next.cards.symmetric_difference(&made.cards).count() <= CARDS_AT_ONCE);
            made = next;
            if is_all {
                return (made, parts);
            }
        }
        unreachable!()
    }

    #[test]
    fn a_large_board_is_made_in_small_parts_and_far_cards_are_rooms() {
        let (board, mut known) = (board(0..120), Known::default());
        let (made, parts) = all(Made::default(), &board, &known);
        assert_eq!((made.places.len(), made.cards.len(), parts), (120, CARDS_FIRST, 6));
        // Somebody scrolls down.
        assert!(known.tell(101, true) && known.tell(100, true) && !known.tell(100, true));
        let (made, parts) = all(made, &board, &known);
        assert_eq!((made.cards.len(), parts), (CARDS_FIRST + 2, 1));
        assert!(made.cards.contains(&101));
    }

    #[test]
    fn fewer_are_made_at_once_where_a_frame_takes_long() {
        let portion = Portion::new(4);
        for (frame_ms, then) in
            [(5.0, 3), (5.0, 4), (5.0, 4), (10.0, 4), (20.0, 2), (80.0, 1), (80.0, 1), (3.0, 2)]
        {
            portion.took(frame_ms);
            assert_eq!(portion.get(), then, "{frame_ms} ms");
        }
    }

    #[test]
    fn what_came_near_first_is_made_first_and_what_has_gone_by_is_not() {
        let (board, mut known) = (board(0..120), Known::default());
        let (made, _) = all(Made::default(), &board, &known);
        for id in 60..80 {
            known.tell(id, true);
        }
        for id in 60..70 {
            known.tell(id, false);
        }
        let (made, _) = made.next(Some(&board), &known, 3);
        assert!([70, 71, 72].iter().all(|id| made.cards.contains(id)));
        let (made, _) = all(made, &board, &known);
        assert_eq!(made.cards.len(), CARDS_FIRST + 10);
    }

    #[test]
    fn cards_that_are_left_far_behind_become_rooms_again() {
        let (board, mut known) = (board(0..120), Known::default());
        let mut made = Made::default();
        for first in (0..100).step_by(10) {
            for id in 0..120 {
                known.tell(id, (first..first + 20).contains(&id));
            }
            (made, _) = all(made, &board, &known);
            assert!((first..first + 20).all(|id| made.cards.contains(&id)), "all that are near");
            assert!(made.cards.len() <= CARDS_KEPT);
        }
        assert_eq!((made.places.len(), made.cards.len()), (120, CARDS_KEPT));
        // A screen may be larger than what is kept.
        for id in 0..120 {
            known.tell(id, true);
        }
        assert_eq!(all(made, &board, &known).0.cards.len(), 120);
    }

    #[test]
    fn what_is_there_stays_when_others_come_before_it_and_goes_with_its_topic() {
        let mut known = Known::default();
        let (made, _) = all(Made::default(), &board(50..58), &known);
        known.tell(51, true);
        let (made, is_all) = made.next(Some(&board(0..58)), &known, 4);
        assert!(!is_all && (50..58).all(|id| made.cards.contains(&id)));
        let (made, is_all) = made.next(Some(&board(50..51)), &known, 4);
        assert!(is_all && made.places == Ids::from([50]) && made.cards == Ids::from([50]));
        known.forget_all_but(&made.places);
        assert!(known.near.is_empty() && known.far.is_empty());
    }
}
