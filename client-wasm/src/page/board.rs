//! The board: every sensor as a card, in groups that stay where they are; or what to do next.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo_events::EventListener;
use gloo_timers::callback::Timeout;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use yew::prelude::*;

use super::bdi;
use super::card::Card;
use super::field::use_field;
use super::figures::span;
use super::kept;
use super::link::Link;
use super::look;
use super::pace::{Made, use_pace};
use super::rooms::{Rooms, Slot, WIDGETS};
use super::search::search_box;
use super::use_texts;
use super::watch::Watch;
use crate::connect::Subscription;
use crate::limits::CARDS_STEP;
use crate::number::grouped;
use crate::protocol::{Board as Cards, Command, Connection, Group, Title};
use crate::route::{Ask, Route};
use crate::texts::{Texts, fill};
use crate::visible::visible;

/// Who has not moved the pointer for so long, in milliseconds, is not about to press anything.
const STILL_MS: u32 = 2_000;

/// Who has done nothing for so long, in milliseconds, watches the board, and wants to see what is new.
const WATCHES_MS: f64 = 30_000.0;

/// Where the cards are, with the focus on one of them.
const FOCUS_AT_CARDS: &str = ".groups:focus-within";

/// The same, or with the mouse.
const AT_CARDS: &str = ".groups:is(:hover, :focus-within)";

#[derive(PartialEq, Properties)]
pub(super) struct BoardProps {
    pub(super) link: Link,
    pub(super) rooms: Rooms,
    pub(super) host: AttrValue,
}

#[component]
pub(super) fn Board(props: &BoardProps) -> Html {
    let texts = use_texts();
    let board = use_field(props.link.board());
    let connection = use_field(props.link.connection());
    let asks_nothing = use_asks_nothing(&props.link);
    let has_widgets = use_widgets();
    let watch = use_memo((), |()| Watch::new(props.link.clone()));
    let groups = use_node_ref();
    let made = use_pace(board.as_ref(), &groups);
    let cards_max = use_state(|| CARDS_STEP);
    let search = use_state(|| AttrValue::from(""));
    {
        let link = props.link.clone();
        use_effect_with(((*search).clone(), *cards_max), move |(search, cards_max)| {
            link.send(Command::Board { search: search.to_string(), cards_max: *cards_max });
        });
    }
    {
        let link = props.link.clone();
        use_effect_with((), move |()| hold_and_close(link));
    }
    let on_search = {
        let search = search.clone();
        Callback::from(move |text: AttrValue| search.set(text))
    };
    let on_clear = {
        let search = search.clone();
        Callback::from(move |_: MouseEvent| search.set("".into()))
    };
    let show_more = {
        Callback::from(move |_: MouseEvent| cards_max.set(cards_max.saturating_add(CARDS_STEP)))
    };
    let shown: usize =
        board.iter().flat_map(|board| &board.groups).map(|group| group.cards.len()).sum();
    html! {
        <>
        if has_widgets {
            <Slot rooms={props.rooms.clone()} place={WIDGETS} />
        }
        <section class="board" aria-labelledby="board-heading">
            <BoardHead
                link={props.link.clone()}
                {shown}
                matching={matching(board.as_ref())}
                {has_widgets}
                search={(*search).clone()}
                {on_search}
            />
            if shown > 0 {
                <div class="groups" ref={groups}>
                    <div class="groups-grid">
                        { for board.iter().flat_map(|board| &board.groups).filter_map(|group| {
                            cards(group, &props.link, &watch, &made, texts)
                        }) }
                    </div>
                </div>
                if shown < matching(board.as_ref()) as usize {
                    <p class="board-more">
                        <button type="button" class="button" onclick={show_more}>
                            { texts.show_more }
                        </button>
                    </p>
                }
            } else if search.trim().is_empty() {
                { empty(props, &connection, asks_nothing, texts) }
            } else {
                <div class="empty">
                    <h3>{ fill(texts.no_match_heading, &[search.trim()]) }</h3>
                    <p>{ texts.no_match_advice }</p>
                    <button type="button" class="button" onclick={on_clear}>
                        { texts.clear_search }
                    </button>
                </div>
            }
        </section>
        </>
    }
}

/// Whether there are widgets to be shown, or the address asks for one: they are the second program's.
#[hook]
fn use_widgets() -> bool {
    let are_kept = || kept::read(WIDGETS).is_some();
    let are_asked_for = || {
        let hash = web_sys::window().and_then(|window| window.location().hash().ok());
        hash.is_some_and(|hash| hash.starts_with("#/?"))
    };
    let has_widgets = use_state(move || are_kept() || are_asked_for());
    {
        let has_widgets = has_widgets.clone();
        use_effect_with((), move |()| {
            // The first widget may also be another tab's.
            let listeners = web_sys::window().map(|window| {
                ["hashchange", "storage"].map(|event| {
                    let has_widgets = has_widgets.clone();
                    EventListener::new(&window, event, move |_| {
                        if are_kept() || are_asked_for() {
                            has_widgets.set(true);
                        }
                    })
                })
            });
            move || drop(listeners)
        });
    }
    *has_widgets
}

fn matching(board: Option<&Rc<Cards>>) -> u32 {
    board.map_or(0, |board| board.matching)
}

#[derive(PartialEq, Properties)]
struct BoardHeadProps {
    link: Link,
    shown: usize,
    matching: u32,
    has_widgets: bool,
    search: AttrValue,
    on_search: Callback<AttrValue>,
}

/// The heading, how many cards there are, and what their lines show.
#[component]
fn BoardHead(props: &BoardHeadProps) -> Html {
    let texts = use_texts();
    let counters = use_field(props.link.counters());
    let (shown, all) = (props.shown as u64, u64::from(counters.topics.max(props.matching)));
    let count = if shown == all {
        grouped(all)
    } else {
        fill(texts.showing, &[&grouped(shown), &grouped(all)])
    };
    let show = {
        let link = props.link.clone();
        Callback::from(move |_: MouseEvent| {
            // Once, and then it holds still as before.
            link.send(Command::HoldBoard(false));
            link.send(Command::HoldBoard(true));
        })
    };
    html! {
        <header class="page-head">
            <h2 class="page-heading" id="board-heading">{ texts.sensors }</h2>
            if shown > 0 {
                <p class="page-note" data-role="shown">{ count }</p>
                <p class="page-note is-last">{ span(&counters, texts) }</p>
            }
            { search_box(texts.search, texts.search_hint, props.search.clone(), props.on_search.clone()) }
            <a class="button" href={Ask::Add.href()} data-role="add">{ texts.add_widget }</a>
            // A board that is there has it among its tools.
            if !props.has_widgets {
                <a class="button" href={Ask::Import.href()} data-role="import-board">
                    { texts.import_board }
                </a>
            }
            if counters.newcomers > 0 {
                <button type="button" class="button is-primary newcomers" data-role="newcomers"
                    onclick={show}>
                    { fill(texts.newcomers, &[&grouped(counters.newcomers.into())]) }
                </button>
            }
        </header>
    }
}

/// Has the board hold still while somebody scrolls or points, for a while as the mouse rests on a card or the focus
/// is on one, and where somebody has scrolled down: what is looked at, or about to be pressed, stays where it is.
struct Hold {
    link: Link,
    is_held: Cell<bool>,
    /// When a person last did something, by the clock.
    at_ms: Cell<f64>,
    /// Whether a mouse pointed last: what a finger has touched stays hovered when the finger has gone.
    is_mouse: Cell<bool>,
    ends: RefCell<Option<Timeout>>,
}

impl Hold {
    fn begin(self: Rc<Self>) {
        self.at_ms.set(js_sys::Date::now());
        self.go_on();
    }

    fn go_on(self: Rc<Self>) {
        if !self.is_held.replace(true) {
            self.link.send(Command::HoldBoard(true));
        }
        let hold = Rc::clone(&self);
        let ends = Timeout::new(STILL_MS, move || {
            // A mouse that leaves the page, and a card that goes, say nothing of it: it is looked at again.
            if hold.is_at_cards() && hold.is_attended() {
                return hold.go_on();
            }
            let window = web_sys::window();
            if window.is_some_and(|window| window.scroll_y() == Ok(0.0)) {
                hold.is_held.set(false);
                hold.link.send(Command::HoldBoard(false));
            }
        });
        self.ends.replace(Some(ends));
    }

    /// Whether the mouse rests on the cards, or the focus.
    fn is_at_cards(&self) -> bool {
        let there = if self.is_mouse.get() { AT_CARDS } else { FOCUS_AT_CARDS };
        let document = web_sys::window().and_then(|window| window.document());
        document.is_some_and(|document| matches!(document.query_selector(there), Ok(Some(_))))
    }

    /// Whether somebody may be about to press something: not where they are in another window, have long done
    /// nothing, or look at a wall.
    fn is_attended(&self) -> bool {
        let document = web_sys::window().and_then(|window| window.document());
        let is_here = document.is_some_and(|document| document.has_focus() == Ok(true));
        let idle_ms = js_sys::Date::now() - self.at_ms.get();
        // A clock that was set back says nothing.
        is_here && (0.0..WATCHES_MS).contains(&idle_ms) && !look::is_wall()
    }

    fn happened(self: Rc<Self>, event: &web_sys::Event) {
        if let Some(event) = event.dyn_ref::<web_sys::PointerEvent>() {
            self.is_mouse.set(event.pointer_type() == "mouse");
        }
        // The focus elsewhere is about no card.
        if event.type_() != "focusin" || self.is_at_cards() {
            self.begin();
        }
    }
}

/// Holds the board of this link until the page leaves it.
fn hold_and_close(link: Link) -> impl FnOnce() {
    let (is_held, at_ms, is_mouse, ends) = Default::default();
    let hold = Rc::new(Hold { link, is_held, at_ms, is_mouse, ends });
    let listeners = web_sys::window().map(|window| {
        ["scroll", "pointermove", "pointerdown", "focusin"].map(|event| {
            let hold = Rc::clone(&hold);
            EventListener::new(&window, event, move |event| Rc::clone(&hold).happened(event))
        })
    });
    move || {
        drop((listeners, hold.ends.take()));
        hold.link.send(Command::CloseBoard);
    }
}

fn cards(group: &Group, link: &Link, watch: &Watch, made: &Made, texts: &Texts) -> Option<Html> {
    let mut titles = group.cards.iter().filter(|title| made.places.contains(&title.id)).peekable();
    titles.peek()?;
    let name = if group.prefix.is_empty() { texts.ungrouped } else { group.prefix.as_str() };
    Some(html! {
        <section
            class="group"
            key={group.prefix.clone()}
            data-size={group.cards.len().to_string()}
            aria-label={visible(name)}
        >
            <h3 class="group-heading">
                { bdi(name) }
                <span class="group-count">{ group.cards.len() }</span>
            </h3>
            <ul class="cards">
                { for titles.map(|title| place(title, made.cards.contains(&title.id), link, watch)) }
            </ul>
        </section>
    })
}

/// The place of a card, which is a room with its name as long as it is not made: whoever searches the page
/// finds it.
fn place(title: &Title, is_made: bool, link: &Link, watch: &Watch) -> Html {
    let card = || {
        html! {
            <Card link={link.clone()} watch={watch.clone()} title={title.clone()} />
        }
    };
    html! {
        <li
            key={title.id}
            class={(!is_made).then_some("card-room")}
            data-card={title.id.to_string()}
            data-topic={(!is_made).then(|| title.topic.clone())}
        >
            { if is_made { card() } else { visible(&title.name).into() } }
        </li>
    }
}

/// What to do while there is no sensor.
fn empty(props: &BoardProps, connection: &Connection, asks_nothing: bool, texts: &Texts) -> Html {
    if !matches!(connection, Connection::Online { .. }) {
        return html! {
            <div class="empty">
                <h3>{ texts.waiting_heading }</h3>
                <p>{ texts.waiting_advice }</p>
            </div>
        };
    }
    if asks_nothing {
        return unsubscribed(&props.link, texts);
    }
    html! {
        <div class="empty">
            <h3>{ texts.empty_heading }</h3>
            <p>{ texts.empty_advice }</p>
            <Example host={props.host.clone()} />
            <p><a href={Route::Publish(None).href()}>{ texts.empty_form }</a></p>
        </div>
    }
}

#[derive(PartialEq, Properties)]
struct ExampleProps {
    host: AttrValue,
}

/// A command that publishes something. The port is the usual one of MQTT, unless the broker that serves this page
/// says that it has another.
#[component]
fn Example(props: &ExampleProps) -> Html {
    let port = use_state(String::new);
    {
        let port = port.clone();
        use_effect_with(props.host.clone(), move |host| {
            let host = host.clone();
            spawn_local(async move {
                port.set(
                    told_port(&host).await.map(|port| format!(" -p {port}")).unwrap_or_default(),
                );
            });
        });
    }
    // The name alone: an address of IPv6 has colons of its own, and stands in brackets before a port.
    let name = match props.host.strip_prefix('[') {
        Some(address) => address.split(']').next(),
        None => props.host.split(':').next(),
    };
    let name = name.unwrap_or_default();
    html! {
        <pre class="command" tabindex="0"><code>
            { format!("mosquitto_pub -h {name}{} -t home/kitchen/temperature -m 21.5", *port) }
        </code></pre>
    }
}

/// The port of MQTT over TCP, where that is another one than usual and the broker serves this page.
async fn told_port(host: &str) -> Option<u16> {
    const USUAL: u16 = 1883;
    let window = web_sys::window()?;
    if window.location().host().ok()? != host {
        return None;
    }
    // Of another server that serves this page nothing is known.
    let response = JsFuture::from(window.fetch_with_str("./mqtt-port")).await.ok()?;
    let response: web_sys::Response = response.dyn_into().ok()?;
    let text = JsFuture::from(response.text().ok().filter(|_| response.ok())?).await.ok()?;
    let port: u16 = text.as_string()?.trim().parse().ok()?;
    (port != USUAL).then_some(port)
}

/// Whether the broker is there and nothing was asked of it.
#[hook]
pub(super) fn use_asks_nothing(link: &Link) -> bool {
    let connection = use_field(link.connection());
    let subscriptions = use_field(link.subscriptions());
    matches!(connection, Connection::Online { .. }) && subscriptions.is_empty()
}

/// Nothing was asked of the broker yet, so nothing comes: the person decides.
pub(super) fn unsubscribed(link: &Link, texts: &Texts) -> Html {
    let subscribe = |filter: &'static str| {
        let link = link.clone();
        Callback::from(move |_: MouseEvent| {
            link.send(Command::Subscribe(Subscription::new(filter)));
        })
    };
    html! {
        <div class="empty" data-role="unsubscribed">
            <h3>{ texts.unsubscribed_heading }</h3>
            <p>{ texts.unsubscribed_advice }</p>
            <button type="button" class="button" data-role="everything"
                onclick={subscribe(Subscription::EVERYTHING)}>
                { texts.subscribe_everything }
            </button>
            <p><a href={Route::Connections.href()}>{ texts.subscribe_else }</a></p>
        </div>
    }
}
