//! How much of the board is made by now: some at a time, so that the page answers in between. Cards are made
//! near the screen; the others are rooms of the same size, until somebody scrolls to them.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use gloo_timers::callback::Timeout;
use wasm_bindgen::prelude::*;
use web_sys::{Element, IntersectionObserver, IntersectionObserverEntry, IntersectionObserverInit};
use yew::prelude::*;

use crate::protocol::Board;
use crate::store::TopicId;

/// The attribute of a room that names its topic's number.
pub(super) const ROOM_ATTRIBUTE: &str = "data-room";

/// How many cards are made at once, as many as take a small part of what a person notices…
const CARDS_AT_ONCE: usize = 8;

/// …how many places of cards are, which are rooms at first…
const PLACES_AT_ONCE: usize = 24;

/// …and after which time the next are, in milliseconds.
const PAUSE_MS: u32 = 16;

/// So many at the beginning of the board are made wherever the screen is: they fill most screens, and need
/// not wait until it is known what is near.
const CARDS_FIRST: usize = 24;

/// How far from the screen a room becomes a card: its own height above and below it.
const MARGIN: &str = "100% 0px";

/// How much of the board is made.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Made {
    /// What has a place, be it a card or a room.
    pub(super) places: Ids,
    /// What is a card.
    pub(super) cards: Ids,
}

type Ids = HashSet<TopicId>;

impl Made {
    /// What is made next of this board, and whether that is all there is to be made now.
    fn next(&self, board: Option<&Board>, near: &Ids) -> (Self, bool) {
        let mut next = Self::default();
        let (mut places, mut cards, mut is_all) = (PLACES_AT_ONCE, CARDS_AT_ONCE, true);
        // Whether there is room for one more, which takes it.
        let mut take = |room: &mut usize| {
            let has_room = *room > 0;
            *room = room.saturating_sub(1);
            is_all &= has_room;
            has_room
        };
        let titles = board.into_iter().flat_map(|board| &board.groups).flat_map(|g| &g.cards);
        for (index, title) in titles.enumerate() {
            let id = title.id;
            if !(self.places.contains(&id) || take(&mut places)) {
                continue;
            }
            next.places.insert(id);
            let is_near = index < CARDS_FIRST || near.contains(&id);
            if self.cards.contains(&id) || is_near && take(&mut cards) {
                next.cards.insert(id);
            }
        }
        (next, is_all)
    }
}

/// The rooms near the screen.
struct Near {
    seen: RefCell<Ids>,
    observer: RefCell<Option<(IntersectionObserver, Observed)>>,
}

type Observed = Closure<dyn FnMut(js_sys::Array)>;

impl Near {
    /// Calls `tell` when rooms have come near.
    fn new(tell: impl Fn() + 'static) -> Rc<Self> {
        let near = Rc::new(Self { seen: RefCell::default(), observer: RefCell::default() });
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
        let mut seen = self.seen.borrow_mut();
        let mut is_new = false;
        for entry in entries.iter() {
            let entry: IntersectionObserverEntry = entry.unchecked_into();
            if entry.is_intersecting() {
                let id = entry.target().get_attribute(ROOM_ATTRIBUTE);
                is_new |= id.and_then(|id| id.parse().ok()).is_some_and(|id| seen.insert(id));
            }
        }
        is_new
    }

    /// Follows all rooms that are in this element now.
    fn follow(&self, groups: &Element) {
        let rooms = groups.query_selector_all(&format!("[{ROOM_ATTRIBUTE}]"));
        let (Ok(rooms), Some((observer, _))) = (rooms, &*self.observer.borrow()) else { return };
        observer.disconnect();
        self.seen.borrow_mut().clear();
        for at in 0..rooms.length() {
            if let Some(room) = rooms.get(at) {
                observer.observe(room.unchecked_ref());
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

/// Renders once more a little later, if there is more to be made.
#[hook]
pub(super) fn use_another_part(is_wanted: bool) {
    let render = use_force_update();
    use_effect(move || {
        let later = is_wanted.then(|| Timeout::new(PAUSE_MS, move || render.force_update()));
        move || drop(later)
    });
}

/// How much of the board there is by now. `groups` is what it stands in.
#[hook]
pub(super) fn use_pace(board: Option<&Rc<Board>>, groups: &NodeRef) -> Made {
    let before = use_mut_ref(Made::default);
    let render = use_force_update();
    let near = use_memo((), move |()| Near::new(move || render.force_update()));
    let (made, is_all) = before.borrow().next(board.map(Rc::as_ref), &near.seen.borrow());
    before.borrow_mut().clone_from(&made);
    use_another_part(!is_all);
    {
        let groups = groups.clone();
        use_effect_with((Same(board.cloned()), is_all), move |(_, is_all)| {
            // Not before all are in the place where they stay.
            if let Some(groups) = groups.cast::<Element>().filter(|_| *is_all) {
                near.follow(&groups);
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

    #[test]
    fn a_large_board_is_made_in_small_parts_and_far_cards_are_rooms() {
        let (board, near) = (board(0..120), Ids::new());
        let mut made = Made::default();
        let mut parts = 0;
        loop {
            let (next, is_all) = made.next(Some(&board), &near);
            assert!(next.places.len() - made.places.len() <= PLACES_AT_ONCE);
            assert!(next.cards.len() - made.cards.len() <= CARDS_AT_ONCE);
            made = next;
            parts += 1;
            if is_all {
                break;
            }
        }
        assert_eq!((made.places.len(), made.cards.len(), parts), (120, CARDS_FIRST, 5));
        // Somebody scrolls down.
        let (made, is_all) = made.next(Some(&board), &Ids::from([100, 101]));
        assert!(is_all && made.cards.len() == CARDS_FIRST + 2 && made.cards.contains(&101));
    }

    #[test]
    fn what_is_there_stays_when_others_come_before_it_and_goes_with_its_topic() {
        let (made, _) = Made::default().next(Some(&board(50..58)), &Ids::new());
        let (made, is_all) = made.next(Some(&board(0..58)), &Ids::new());
        assert!(!is_all && (50..58).all(|id| made.cards.contains(&id)));
        let (made, is_all) = made.next(Some(&board(50..51)), &Ids::new());
        assert!(is_all && made.places == Ids::from([50]) && made.cards == Ids::from([50]));
    }
}
