//! The page of connections: those that are open, those that are kept, and how to make, change and share
//! them.

mod form;
mod import;
mod sentences;
mod subscriptions;

use std::rc::Rc;

use gloo_events::EventListener;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, StorageEvent};
use yew::prelude::*;

use self::form::form;
use self::sentences::{Notice, notice};
use self::subscriptions::Subscriptions;
use super::bdi;
use super::copy::Copy;
use super::field::{Field, use_field};
use super::hub;
use super::link::Link;
use super::saving::save;
use super::{shelf, use_texts};
use crate::connect::Subscription;
use crate::limits::{CONNECTIONS_OPEN_MAX, PROFILES_MAX};
use crate::number::grouped;
use crate::profile::draft::Draft;
use crate::profile::file::{self, Passwords};
use crate::profile::{self, Profile, Wrong};
use crate::protocol::Connection;
use crate::switchboard::{Ask, OF_THE_LINK, OF_THE_PAGE, Opening, Told};
use crate::texts::{self, Connections as Texts, fill};

/// What the file is called that connections are exported to.
const FILE_NAME: &str = "connections.json";

/// Where a form begins.
const FIRST_FIELD: &str = "[name=name]";

/// What brings a connection back.
const UNDO: &str = "[data-role=undo]";

/// The wire to the program that holds the open connections.
#[derive(Clone, PartialEq)]
pub struct Switchboard {
    /// Asks it for something.
    pub ask: Callback<Ask>,
    /// What it has told last.
    pub told: Field<Rc<Vec<Told>>>,
    /// The form that a person left open, to go on with; and whether its connection is new.
    pub written: Field<Option<(Draft, bool)>>,
}

thread_local! {
    /// Whether somebody elsewhere has asked for the form of a new connection.
    static NEW_WANTED: Field<bool> = Field::new(false);
}

/// Has the page of connections begin a new one, as soon as it is on the screen.
pub(super) fn ask_for_new() {
    NEW_WANTED.with(|wanted| wanted.set(true));
}

#[derive(PartialEq, Properties)]
pub(super) struct ConnectionsProps {
    pub(super) link: Link,
    pub(super) switchboard: Switchboard,
}

/// What the page is at.
#[derive(Debug, Clone, PartialEq)]
struct View {
    profiles: Vec<Profile>,
    /// The form that is open; with whether its connection is new.
    draft: Option<(Draft, bool)>,
    /// What is wrong with what was written there.
    wrong: Vec<Wrong>,
    notice: Notice,
    /// Whether the browser keeps what it is given.
    is_kept: bool,
    /// Where a person who works by the keyboard goes on.
    goal: Goal,
}

/// What gets the focus, as the element that had it has gone or what was asked for is elsewhere.
#[derive(Debug, Clone, PartialEq, Default)]
struct Goal {
    /// Counts them, so that the same place can be gone to once more.
    number: u32,
    /// Where, as a selector.
    place: String,
}

/// A change of what the page is at. It is made to what the page is at then, not when the person began.
struct Edit(Box<dyn FnOnce(&mut View)>);

impl Reducible for View {
    type Action = Edit;

    fn reduce(self: Rc<Self>, edit: Edit) -> Rc<Self> {
        let mut view = (*self).clone();
        (edit.0)(&mut view);
        Rc::new(view)
    }
}

impl View {
    /// What the browser keeps, with the form that was left open.
    fn load(draft: Option<(Draft, bool)>) -> Self {
        let (wrong, notice) = (Vec::new(), Notice::None);
        let (is_kept, goal, profiles) = (true, Goal::default(), shelf::load());
        // Another tab may have deleted the connection meanwhile.
        let draft = draft.filter(|(draft, is_new)| {
            *is_new || profiles.iter().any(|profile| profile.id == draft.id())
        });
        Self { profiles, draft, wrong, notice, is_kept, goal }
    }

    /// Goes on at this place, as soon as it is on the page.
    fn go(&mut self, place: impl Into<String>) {
        self.goal = Goal { number: self.goal.number.wrapping_add(1), place: place.into() };
    }

    /// Goes on at what can be done with a connection.
    fn go_to_actions(&mut self, id: &str) {
        self.go(format!("[data-connection='{id}'] .connection-actions button"));
    }

    /// Begins a new connection.
    fn begin(&mut self) {
        // One that is open already may have been filled in.
        if matches!(self.draft, Some((_, true))) {
            self.wrong = Vec::new();
            self.go(FIRST_FIELD);
        } else {
            self.open_form(Draft::of(&Profile::new(shelf::new_id(), "")), true);
        }
    }

    /// Opens a form. What was written in another one is put aside, and can be gone on with.
    fn open_form(&mut self, draft: Draft, is_new: bool) {
        let left = self.draft.take().filter(|(left, _)| left.id() != draft.id());
        let left = left.filter(|(left, was_new)| {
            let empty = was_new.then(|| Profile::new(left.id().to_owned(), ""));
            let kept = self.profiles.iter().find(|profile| profile.id == left.id());
            // What is as it was need not be gone on with, nor what was deleted meanwhile.
            empty.as_ref().or(kept).is_some_and(|before| Draft::of(before) != *left)
        });
        self.notice = left.map_or(Notice::None, |left| Notice::Left(Box::new(left)));
        (self.draft, self.wrong) = (Some((draft, is_new)), Vec::new());
        self.go(FIRST_FIELD);
    }

    fn save(&mut self) {
        self.is_kept = shelf::save(&self.profiles);
    }

    /// Takes in a connection: in the place of the one with its number, or behind all others.
    fn put(&mut self, profile: Profile) {
        match self.profiles.iter_mut().find(|other| other.id == profile.id) {
            Some(place) => *place = profile,
            None => self.profiles.push(profile),
        }
        self.save();
    }

    fn add(&mut self, at: usize, profile: Profile) {
        if self.profiles.len() >= PROFILES_MAX {
            self.notice = Notice::KeptMax;
            return;
        }
        self.profiles.insert(at.min(self.profiles.len()), profile);
        self.save();
    }
}

/// What everything on the page needs to do something.
#[derive(Clone, PartialEq)]
struct Hands {
    dispatcher: UseReducerDispatcher<View>,
    switchboard: Switchboard,
    texts: &'static Texts,
}

impl Hands {
    fn edit(&self, edit: impl FnOnce(&mut View) + 'static) {
        self.dispatcher.dispatch(Edit(Box::new(edit)));
    }

    /// A callback that changes what the page is at.
    fn editing<E>(&self, edit: impl Fn(&mut View) + Clone + 'static) -> Callback<E> {
        let hands = self.clone();
        Callback::from(move |_: E| {
            let edit = edit.clone();
            hands.edit(move |view| edit(view));
        })
    }

    /// Opens a connection, or says why it can't be.
    fn open(&self, profile: &Profile) {
        let title = profile.title().to_owned();
        let wrong = profile::check(&profile.connect, is_secure());
        let told = self.switchboard.told.get();
        let is_open = told.iter().any(|told| told.id == profile.id);
        if !wrong.is_empty() {
            self.edit(move |view| view.notice = Notice::NotConnected(title, wrong));
        } else if !is_open && told.len() >= CONNECTIONS_OPEN_MAX {
            self.edit(|view| view.notice = Notice::OpenMax);
        } else {
            let (id, connect) = (profile.id.clone(), profile.connect.clone());
            self.switchboard.ask.emit(Ask::Open(Box::new(Opening { id, title, connect })));
        }
    }

    /// A button that asks for something.
    fn button(&self, name: &'static str, what: impl Fn() -> Ask + 'static) -> Html {
        let ask = self.switchboard.ask.clone();
        let onclick = Callback::from(move |_: MouseEvent| ask.emit(what()));
        html! { <button type="button" class="small-button" {onclick}>{ name }</button> }
    }
}

/// Whether the page itself came encrypted.
fn is_secure() -> bool {
    let protocol = web_sys::window().and_then(|window| window.location().protocol().ok());
    protocol.is_some_and(|protocol| protocol == "https:")
}

#[component]
pub(super) fn Connections(props: &ConnectionsProps) -> Html {
    let texts = texts::connections(use_texts());
    let written = props.switchboard.written.clone();
    let view = {
        let written = written.clone();
        use_reducer(move || View::load(written.get()))
    };
    use_effect_with(view.draft.clone(), move |draft| {
        shelf::keep_form(draft.as_ref());
        written.set(draft.clone());
    });
    let told = use_field(&props.switchboard.told);
    let hands =
        Hands { dispatcher: view.dispatcher(), switchboard: props.switchboard.clone(), texts };
    {
        let hands = hands.clone();
        use_effect_with((), move |()| listen(hands));
    }
    {
        let (hands, wanted) = (hands.clone(), NEW_WANTED.with(Field::clone));
        let is_wanted = use_field(&wanted);
        use_effect_with(is_wanted, move |is_wanted| {
            if *is_wanted {
                wanted.set(false);
                hands.edit(View::begin);
            }
        });
    }
    let place = use_node_ref();
    {
        let place = place.clone();
        use_effect_with(view.goal.clone(), move |goal| go_to(&place, goal));
    }
    let kept = |told: &&Told| !view.profiles.iter().any(|profile| profile.id == told.id);
    let shown = told.iter().find(|told| told.is_shown);
    html! {
        <section ref={place} class="connections" aria-labelledby="connections-heading">
            { head(&view, &hands) }
            { notice(&view, &hands) }
            if let Some((draft, true)) = &view.draft {
                <div class="panel">{ form(draft, texts.new.into(), &view.wrong, &hands) }</div>
            }
            <ul class="connection-list">
                { for told.iter().filter(kept).map(|told| given(told, told_len(&props.switchboard), &hands)) }
                { for view.profiles.iter().map(|profile| row(profile, &view, &told, &hands)) }
            </ul>
            if view.profiles.is_empty() && view.draft.is_none() {
                <div class="empty">
                    <h3>{ texts.none_heading }</h3>
                    <p>{ texts.none_advice }</p>
                </div>
            }
            if let Some(shown) = shown {
                <Subscriptions link={props.link.clone()} title={shown.title.clone()}
                    on_change={remember(shown.id.clone(), &hands)} />
            }
        </section>
    }
}

/// Puts the focus where a person goes on.
fn go_to(place: &NodeRef, goal: &Goal) {
    let section = place.cast::<Element>().filter(|_| goal.number > 0);
    let found = section.and_then(|section| section.query_selector(&goal.place).ok().flatten());
    let Some(found) = found.and_then(|found| found.dyn_into::<HtmlElement>().ok()) else { return };
    // What is wrong may be in a part of the form that is folded up.
    if let Some(folded) = found.closest("details").ok().flatten() {
        // Where it stays folded nothing can be focused, and the sentence says what is wrong all the same.
        let _set = folded.set_attribute("open", "");
    }
    let _focused = found.focus();
}

fn told_len(switchboard: &Switchboard) -> usize {
    switchboard.told.get().len()
}

/// Keeps what a connection is subscribed to, where the connection itself is kept.
fn remember(id: String, hands: &Hands) -> Callback<Vec<Subscription>> {
    let hands = hands.clone();
    Callback::from(move |subscriptions: Vec<Subscription>| {
        let id = id.clone();
        hands.edit(move |view| {
            let Some(profile) = view.profiles.iter_mut().find(|profile| profile.id == id) else {
                return;
            };
            if profile.connect.subscriptions != subscriptions {
                profile.connect.subscriptions = subscriptions;
                view.save();
            }
        });
    })
}

/// Another tab may change what is kept.
fn listen(hands: Hands) -> impl FnOnce() {
    let listener = web_sys::window().map(|window| {
        EventListener::new(&window, "storage", move |event| {
            let key = event.dyn_ref::<StorageEvent>().and_then(StorageEvent::key);
            if key.as_deref() == Some(shelf::KEY) {
                hands.edit(|view| view.profiles = shelf::load());
            }
        })
    });
    move || drop(listener)
}

fn head(view: &View, hands: &Hands) -> Html {
    let texts = hands.texts;
    let new = hands.editing(View::begin);
    let export = {
        let profiles = view.profiles.clone();
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let form = event.target_dyn_into::<web_sys::HtmlFormElement>();
            let data = form.and_then(|form| web_sys::FormData::new_with_form(&form).ok());
            let with_passwords = data.is_some_and(|data| data.has("with_passwords"));
            let passwords = if with_passwords { Passwords::All } else { Passwords::None };
            save(file::write(&profiles, passwords).as_bytes(), FILE_NAME);
        })
    };
    html! {
        <header class="page-head">
            <h2 class="page-heading" id="connections-heading">{ texts.connections }</h2>
            <div class="connection-tools">
                <button type="button" class="button is-primary" data-role="new" onclick={new}>
                    { texts.new }
                </button>
                <label class="button" title={texts.import_explained}>
                    { texts.import }
                    <input class="file-input" type="file" accept=".json,application/json"
                        data-role="import" onchange={import::chosen(hands)} />
                </label>
                if !view.profiles.is_empty() {
                    <form class="export" onsubmit={export}>
                        <button type="submit" class="button" data-role="export">{ texts.export }</button>
                        <label class="form-check">
                            <input type="checkbox" name="with_passwords" />
                            <span>{ texts.with_passwords }</span>
                        </label>
                    </form>
                }
            </div>
        </header>
    }
}

/// A connection that is open without being kept: the page's own, or its address's.
fn given(told: &Told, open: usize, hands: &Hands) -> Html {
    let texts = hands.texts;
    let note = match told.id.as_str() {
        OF_THE_PAGE => texts.of_the_page,
        OF_THE_LINK => texts.from_link,
        // It was deleted while it was open.
        _ => "",
    };
    html! {
        <li class="connection panel" key={told.id.clone()} data-connection={told.id.clone()}
            data-state={state(Some(told))}>
            { summary(&told.title, note, Some(told), texts) }
            <div class="connection-actions">{ actions(told, open, hands) }</div>
        </li>
    }
}

/// A connection that is kept, or its form.
fn row(profile: &Profile, view: &View, told: &[Told], hands: &Hands) -> Html {
    let texts = hands.texts;
    let open = told.iter().find(|told| told.id == profile.id);
    if let Some((draft, false)) = &view.draft
        && draft.id() == profile.id
    {
        let heading = fill(texts.edit_heading, &[profile.title()]);
        return html! {
            <li class="connection panel" key={profile.id.clone()}
                data-connection={profile.id.clone()}>
                { form(draft, heading.into(), &view.wrong, hands) }
            </li>
        };
    }
    html! {
        <li class="connection panel" key={profile.id.clone()}
            data-connection={profile.id.clone()} data-state={state(open)}>
            { summary(profile.title(), &profile.connect.url, open, texts) }
            <div class="connection-actions">
                { match open {
                    Some(open) => actions(open, told.len(), hands),
                    None => connect_button(profile, hands),
                } }
                { own_actions(profile, hands) }
            </div>
        </li>
    }
}

fn connect_button(profile: &Profile, hands: &Hands) -> Html {
    let onclick = {
        let (hands, profile) = (hands.clone(), profile.clone());
        Callback::from(move |_: MouseEvent| hands.open(&profile))
    };
    html! {
        <button type="button" class="small-button is-primary" data-role="connect" {onclick}>
            { hands.texts.connect }
        </button>
    }
}

/// What a person can do with a connection that they have made.
fn own_actions(profile: &Profile, hands: &Hands) -> Html {
    let texts = hands.texts;
    let id = profile.id.clone();
    let edit = {
        let profile = profile.clone();
        hands.editing(move |view: &mut View| {
            view.open_form(Draft::of(&profile), false);
        })
    };
    let duplicate = {
        let (id, profile) = (id.clone(), profile.clone());
        hands.editing(move |view: &mut View| {
            let name = fill(texts.copy_of, &[profile.title()]);
            let at = view.profiles.iter().position(|other| other.id == id);
            let copy = Profile { id: shelf::new_id(), name, ..profile.clone() };
            view.go_to_actions(&copy.id);
            view.add(at.map_or(usize::MAX, |at| at.saturating_add(1)), copy);
        })
    };
    let delete = {
        hands.editing(move |view: &mut View| {
            if let Some(at) = view.profiles.iter().position(|other| other.id == id) {
                let removed = view.profiles.remove(at);
                view.save();
                view.notice = Notice::Deleted(at, Box::new(removed));
                view.go(UNDO);
            }
        })
    };
    let base = web_sys::window().and_then(|window| {
        let location = window.location();
        Some(location.origin().ok()? + &location.pathname().ok()?)
    });
    let address = base.unwrap_or_default() + &profile::link::write(&profile.connect);
    html! {
        <>
            <button type="button" class="small-button" data-role="edit" onclick={edit}>
                { texts.edit }
            </button>
            <button type="button" class="small-button" data-role="duplicate" onclick={duplicate}>
                { texts.duplicate }
            </button>
            <Copy text={address} name={texts.copy_link} />
            <button type="button" class="small-button" data-role="delete" onclick={delete}>
                { texts.delete }
            </button>
        </>
    }
}

/// What a person can do with a connection that is open.
fn actions(told: &Told, open: usize, hands: &Hands) -> Html {
    let texts = hands.texts;
    let id = || told.id.clone();
    let (show, connect, disconnect, close) = (id(), id(), id(), id());
    let is_away = matches!(told.connection, Connection::Offline { .. });
    html! {
        <>
            if !told.is_shown {
                { hands.button(texts.show, move || Ask::Show { id: show.clone() }) }
            }
            if is_away {
                { hands.button(texts.reconnect, move || Ask::Connect { id: connect.clone() }) }
            } else {
                { hands.button(texts.disconnect, move || Ask::Disconnect { id: disconnect.clone() }) }
            }
            if open > 1 {
                { hands.button(texts.close_it, move || Ask::Close { id: close.clone() }) }
            }
        </>
    }
}

fn state(told: Option<&Told>) -> &'static str {
    told.map_or("closed", |told| hub::state(&told.connection))
}

/// What a connection is called, where it is, and how it is.
fn summary(title: &str, note: &str, told: Option<&Told>, texts: &Texts) -> Html {
    let words = match state(told) {
        "online" => texts.state_online,
        "connecting" => texts.state_connecting,
        "offline" => texts.state_offline,
        _ => texts.state_closed,
    };
    html! {
        <div class="connection-summary">
            <h3 class="connection-title">
                <span class="lamp" data-state={state(told)} aria-hidden="true"></span>
                { bdi(title) }
                if told.is_some_and(|told| told.is_shown) {
                    <span class="mark">{ texts.open_now }</span>
                }
            </h3>
            <p class="connection-note">{ bdi(note) }</p>
            <p class="connection-note" data-role="state">
                { words }
                if let Some(told) = told {
                    { " · " }
                    { fill(texts.rate, &[
                        &grouped(told.counters.messages),
                        &grouped(told.counters.per_second.into()),
                    ]) }
                }
            </p>
        </div>
    }
}
