//! A list of any length of which only the rows on the screen exist.
//!
//! All rows are equally high: as high as a line of the list's text, which the style sheet says.

use std::cell::Cell;
use std::rc::Rc;

use gloo_events::EventListener;
use gloo_timers::callback::Timeout;
use wasm_bindgen::prelude::*;
use web_sys::{HtmlElement, ResizeObserver};
use yew::prelude::*;

use super::pace::{Portion, use_another_part};

/// Rows beyond either edge of the screen that are there already when they come into sight…
const BEYOND: u32 = 6;

/// …but not when the list is first shown, which is to be soon: this time later, in milliseconds.
const BEYOND_AFTER_MS: u32 = 100;

/// So many rows are made at once where a list becomes longer, and the next behind the next frame.
const ROWS_AT_ONCE: usize = 16;

/// The first row is a multiple of this, so that scrolling by a pixel asks for nothing.
const STEP: u32 = 4;

/// Which rows are on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Window {
    pub(super) first: u32,
    pub(super) len: u32,
    /// Whether the list is not at its beginning.
    pub(super) is_scrolled: bool,
}

/// A list that scrolls: the element around, and which of its rows are on the screen.
#[derive(Clone, PartialEq)]
pub(super) struct Rows {
    pub(super) outer: NodeRef,
    pub(super) window: Window,
    measures: Rc<Cell<Measures>>,
}

/// The measures of a list in pixels, as they were when it last was laid out or scrolled. Who asks the browser
/// for them has it lay out the page at once, in the middle of what is being changed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Measures {
    /// How high a row is; nothing before the list is first laid out.
    row: f64,
    /// How high the list is on the screen.
    room: f64,
    /// How much of it is above that.
    above: f64,
}

/// The height of a row in pixels.
fn row_height(outer: &HtmlElement) -> f64 {
    web_sys::window()
        .and_then(|window| window.get_computed_style(outer).ok().flatten())
        .and_then(|style| style.get_property_value("line-height").ok())
        .and_then(|text| text.trim_end_matches("px").parse().ok())
        .filter(|height| *height >= 1.0)
        .unwrap_or(32.0)
}

impl Measures {
    fn of(outer: &HtmlElement) -> Self {
        let (room, above) = (outer.client_height(), outer.scroll_top());
        Self { row: row_height(outer), room: room.into(), above: above.into() }
    }

    /// The rows on the screen, and so many beyond either edge.
    fn window(self, beyond: u32) -> Window {
        // A cast from a float keeps to the range of the integer.
        let top = (self.above / self.row) as u32;
        let len = (self.room / self.row).ceil() as u32;
        let first = top.saturating_sub(beyond) / STEP * STEP;
        // The first one may lie a step before the edge.
        let around = if beyond == 0 { 0 } else { 2 * beyond + STEP };
        Window { first, len: len.saturating_add(around), is_scrolled: self.above > 0.0 }
    }

    /// How far the list has to be scrolled for a row to be in sight, if it is not.
    fn reveal(self, row: u32) -> Option<f64> {
        let top = f64::from(row) * self.row;
        let bottom = top + self.row;
        if top < self.above {
            Some(top)
        } else if bottom > self.above + self.room {
            Some(bottom - self.room)
        } else {
            None
        }
    }
}

/// Follows what is on the screen of a list.
#[hook]
pub(super) fn use_rows() -> Rows {
    let outer = use_node_ref();
    let window = use_state_eq(Window::default);
    let measures = use_memo((), |()| Cell::new(Measures::default()));
    {
        let (outer, window, measures) = (outer.clone(), window.clone(), Rc::clone(&measures));
        use_effect_with((), move |()| {
            let element = outer.cast::<HtmlElement>();
            let look = {
                let element = element.clone();
                move |beyond: u32| {
                    if let Some(element) = &element {
                        measures.set(Measures::of(element));
                        window.set(measures.get().window(beyond));
                    }
                }
            };
            let later = {
                let look = look.clone();
                Timeout::new(BEYOND_AFTER_MS, move || look(BEYOND))
            };
            let scrolled = element.as_ref().map(|element| {
                let look = look.clone();
                EventListener::new(element, "scroll", move |_| look(BEYOND))
            });
            // It tells the first size too, when the page is laid out and measuring costs nothing.
            let is_first = Cell::new(true);
            let resized = Closure::<dyn FnMut()>::new(move || {
                look(if is_first.replace(false) { 0 } else { BEYOND });
            });
            let observer = ResizeObserver::new(resized.as_ref().unchecked_ref()).ok();
            if let (Some(observer), Some(element)) = (&observer, &element) {
                observer.observe(element);
            }
            move || {
                drop((scrolled, later));
                if let Some(observer) = observer {
                    observer.disconnect();
                }
                drop(resized);
            }
        });
    }
    Rows { outer, window: *window, measures }
}

impl Rows {
    /// Whether the list has been laid out: before that nothing is known of where its rows are.
    pub(super) fn is_laid_out(&self) -> bool {
        self.measures.get().row > 0.0
    }

    /// Brings a row into sight.
    pub(super) fn reveal(&self, row: u32) {
        let measures = self.measures.get();
        if let (Some(above), Some(outer)) = (measures.reveal(row), self.outer.cast::<HtmlElement>())
        {
            outer.set_scroll_top(above as i32);
            self.measures.set(Measures { above, ..measures });
        }
    }

    /// Whether a row is in sight, wholly.
    pub(super) fn shows(&self, row: u32) -> bool {
        self.measures.get().reveal(row).is_none()
    }

    /// How many rows fit.
    pub(super) fn page(&self) -> u32 {
        let Measures { row, room, .. } = self.measures.get();
        // Before it is laid out this is no number, which becomes 0.
        ((room / row) as u32).max(2).saturating_sub(1)
    }
}

/// How many of so many rows are made by now.
#[hook]
pub(super) fn use_growth(len: usize) -> usize {
    let before = use_mut_ref(|| 0usize);
    let portion = use_memo((), |()| Portion::new(ROWS_AT_ONCE));
    let made = before.borrow().saturating_add(portion.get()).min(len);
    before.replace(made);
    use_another_part(made < len, &portion);
    made
}

/// Rows with their numbers in the list, which are their keys: where other rows come into their places, as
/// they do all the time in a live log, their elements stay and get other texts.
pub(super) fn numbered<T>(first: u32, rows: &[T]) -> impl Iterator<Item = (u32, &T)> {
    (first..).zip(rows)
}

#[derive(PartialEq, Properties)]
pub(super) struct SpaceProps {
    /// How many rows there are in all.
    pub(super) total: u32,
    /// Which of them the first child is.
    pub(super) first: u32,
    pub(super) children: Html,
}

/// The room of all rows, with those in their place that exist.
///
/// Its measures are set on the element and not written into the page, as the page's content security
/// policy lets no style be written there.
#[component]
pub(super) fn Space(props: &SpaceProps) -> Html {
    let space = use_node_ref();
    {
        let space = space.clone();
        use_effect_with((props.total, props.first), move |(total, first)| {
            let Some(space) = space.cast::<HtmlElement>() else { return };
            // Numbers are always taken.
            let style = space.style();
            let _set = style.set_property("--total", &total.to_string());
            let _set = style.set_property("--first", &first.to_string());
        });
    }
    html! {
        <div ref={space} class="rows-space" role="presentation">
            <div class="rows-block" role="presentation">{ props.children.clone() }</div>
        </div>
    }
}
