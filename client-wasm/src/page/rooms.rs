//! The second program, as the page knows it: where it is shown, and how it is fetched.
//!
//! The first load is the page around everything, the board and the engine. All other pages lie in a
//! program of their own, which is fetched when somebody goes there. It is told every report of the
//! engine, and its commands go to the engine as they are; the page itself understands neither.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use gloo_timers::callback::Timeout;
use wasm_bindgen_futures::spawn_local;
use web_sys::Element;
use yew::prelude::*;

use super::field::{Field, use_field};
use super::link::Link;
use super::use_texts;
use crate::protocol::Command;
use crate::texts::fill;

/// The place of the pages: what is shown there follows the address.
pub(super) const PAGE: &str = "page";

/// The place of the command palette, from when it is first asked for.
pub(super) const PALETTE: &str = "palette";

/// The place of the list of keys, from when it is first asked for.
pub(super) const KEYS: &str = "keys";

/// The place of the form for who has to sign in.
pub(super) const SIGN_IN: &str = "sign-in";

/// The place of the widgets on the board; what the browser keeps of them is called alike.
pub(super) const WIDGETS: &str = "board";

/// The second program, once it is there.
pub trait Program {
    /// Takes in what the engine says, in the form in which it travels.
    fn receive(&self, report: &[u8]);
    /// Takes in which connections are open, in the form in which that travels.
    fn tell(&self, told: &[u8]);
    /// Shows what belongs to a place in this element, until it is taken away by the number returned.
    fn show(&self, place: &str, element: &Element) -> u32;
    /// Takes it away again.
    fn take_away(&self, shown: u32);
}

/// The second program, or why it can't be had.
pub type Fetched = Result<Rc<dyn Program>, String>;

/// The second program on its way.
pub type Fetching = Pin<Box<dyn Future<Output = Fetched>>>;

/// How far the second program is.
#[derive(Clone)]
enum State {
    Away,
    OnItsWay,
    Here(Rc<dyn Program>),
    Failed(Rc<str>),
}

/// The page's handle to the second program. Clones are handles to the same one.
#[derive(Clone)]
pub struct Rooms(Rc<Inner>);

struct Inner {
    link: Link,
    state: Field<State>,
    fetch: Box<dyn Fn() -> Fetching>,
    /// Which connections are open, as the program is told.
    told: RefCell<Vec<u8>>,
}

impl PartialEq for Rooms {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Rooms {
    /// A handle to a program that `fetch` brings, and that hears what `link` hears.
    pub fn new(link: Link, fetch: impl Fn() -> Fetching + 'static) -> Self {
        let (state, told) = (Field::new(State::Away), RefCell::default());
        Self(Rc::new(Inner { link, state, fetch: Box::new(fetch), told }))
    }

    /// Tells the program which connections are open, now or as soon as it is here.
    pub(super) fn tell(&self, told: Vec<u8>) {
        if let State::Here(program) = self.0.state.get() {
            program.tell(&told);
        }
        self.0.told.replace(told);
    }

    /// Fetches the program, unless it is here or on its way.
    pub(super) fn fetch(&self) {
        if !matches!(self.0.state.get(), State::Away | State::Failed(_)) {
            return;
        }
        self.0.state.set(State::OnItsWay);
        let inner = Rc::clone(&self.0);
        spawn_local(async move {
            let state = match (inner.fetch)().await {
                Ok(program) => {
                    let hears = Rc::clone(&program);
                    program.tell(&inner.told.borrow());
                    inner.link.pass_on(move |report| hears.receive(report));
                    // What the engine has said already was not heard there.
                    inner.link.send(Command::Again);
                    State::Here(program)
                }
                Err(words) => State::Failed(words.into()),
            };
            inner.state.set(state);
        });
    }
}

#[derive(PartialEq, Properties)]
pub(super) struct SlotProps {
    pub(super) rooms: Rooms,
    /// The name of the place, by which the second program knows what belongs there.
    pub(super) place: &'static str,
}

/// A place of the page that the second program fills. It is fetched if it isn't here.
#[component]
pub(super) fn Slot(props: &SlotProps) -> Html {
    let SlotProps { rooms, place } = props;
    let texts = use_texts();
    let state = use_field(&rooms.0.state);
    let element = use_node_ref();
    {
        let rooms = rooms.clone();
        use_effect_with((), move |()| rooms.fetch());
    }
    let program = match &state {
        State::Here(program) => Some(Rc::clone(program)),
        _ => None,
    };
    {
        let (element, place) = (element.clone(), *place);
        use_effect_with((program.is_some(), place), move |_| {
            // What was there has gone in this task; what comes is made in the next one, so that both are short.
            let shown = Rc::new(RefCell::new(None));
            let soon = program.zip(element.cast::<Element>()).map(|(program, element)| {
                let shown = Rc::clone(&shown);
                Timeout::new(0, move || {
                    let place = program.show(place, &element);
                    shown.replace(Some((program, place)));
                })
            });
            move || {
                drop(soon);
                if let Some((program, shown)) = shown.take() {
                    program.take_away(shown);
                }
            }
        });
    }
    let reload = Callback::from(|_: MouseEvent| {
        if let Some(window) = web_sys::window() {
            // A page that does not reload stays as it is, with its button.
            let _reloading = window.location().reload();
        }
    });
    html! {
        <>
            // What is in it belongs to the second program alone.
            <div class="slot" ref={element} data-place={*place}
                aria-busy={matches!(state, State::OnItsWay).then_some("true")}></div>
            if let State::Failed(words) = &state {
                <div class="empty" role="alert" data-role="not-fetched">
                    <h3>{ texts.rooms_failed }</h3>
                    <p>{ fill(texts.rooms_failed_advice, &[words]) }</p>
                    <button type="button" class="button" onclick={reload}>{ texts.reload }</button>
                </div>
            }
        </>
    }
}
