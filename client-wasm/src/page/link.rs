//! What the page knows: the engine's frames, taken apart into fields that components look at.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use gloo_timers::callback::{Interval, Timeout};
use wasm_bindgen::prelude::*;
use yew::prelude::*;

use super::field::{Field, use_field};
use crate::clock;
use crate::placeholder::Piece;
use crate::protocol::{
    self, Beginning, Board, Card, Command, Connection, Counters, Detail, File, Frame, Head, Line,
    Look, Messages, Outcome, Publish, Published, Repeating, Report, RetainedPart, Sight, Slot,
    Subscribed, Sys, Tape, Tree, Wire,
};
use crate::store::TopicId;

/// How often ages are told anew, in milliseconds.
const CLOCK_MS: u32 = 1_000;

/// What the page has of one topic.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Live {
    /// The last value.
    pub card: Option<Rc<Card>>,
    /// The line of the last minutes.
    pub line: Option<Rc<Line>>,
}

/// How the frame begins that is to be painted, and all of its bytes if it is to be passed on.
type Waiting = (Box<Head>, Option<Vec<u8>>);

/// Takes in the bytes of a report.
type Hears = Rc<dyn Fn(&[u8])>;

/// What is to be seen in a slot; none before the engine has said it.
pub type Seen = Field<Option<Rc<Sight>>>;

/// A slot that something is looked at in, as long as this lives.
pub struct Looking {
    link: Link,
    slot: Slot,
    seen: Seen,
}

impl Looking {
    /// Looks at something else. What was seen before stays until there is something new.
    pub fn look(&self, look: Look) {
        self.link.send(Command::Look { slot: self.slot, look: Some(look) });
    }

    /// What is to be seen.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.link.0.sights.borrow_mut().retain(|(slot, _)| *slot != self.slot);
        self.link.send(Command::Look { slot: self.slot, look: None });
    }
}

/// What the engine sees of this, as long as the component is there.
#[hook]
pub fn use_sight(link: &Link, look: Look) -> Option<Rc<Sight>> {
    let looking = use_memo((), |()| link.slot());
    {
        let looking = Rc::clone(&looking);
        use_effect_with(look, move |look| looking.look(look.clone()));
    }
    use_field(looking.seen())
}

/// The page's end of the wire to the engine. Clones are handles to the same one.
#[derive(Clone)]
pub struct Link(Rc<Inner>);

struct Inner {
    send: Box<dyn Fn(Command)>,
    connection: Field<Connection>,
    subscriptions: Field<Rc<Vec<Subscribed>>>,
    engine_failure: Field<Option<Rc<str>>>,
    counters: Field<Counters>,
    board: Field<Option<Rc<Board>>>,
    tree: Field<Rc<Tree>>,
    detail: Field<Option<Rc<Detail>>>,
    messages: Field<Rc<Messages>>,
    sys: Field<Option<Rc<Sys>>>,
    wire: Field<Rc<Wire>>,
    retained: Field<Option<Rc<RetainedPart>>>,
    file: Field<Option<File>>,
    repeating: Field<Option<Repeating>>,
    tape: Field<Tape>,
    found: Field<Rc<Vec<String>>>,
    published: Field<Option<Published>>,
    /// What is looked at, by slot: a few dozen at most.
    sights: RefCell<Vec<(Slot, Seen)>>,
    next_slot: Cell<Slot>,
    now_ms: Field<f64>,
    cards: RefCell<HashMap<TopicId, Field<Live>>>,
    waiting: RefCell<Option<Waiting>>,
    listener: RefCell<Option<Hears>>,
    on_frame: RefCell<Option<Closure<dyn FnMut()>>>,
    next_ticket: Cell<u32>,
    clock: RefCell<Option<Interval>>,
}

impl PartialEq for Link {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Link {
    /// A link whose commands go to `send`.
    pub fn new(send: impl Fn(Command) + 'static) -> Self {
        let link = Self(Rc::new(Inner {
            send: Box::new(send),
            connection: Field::new(Connection::Connecting),
            subscriptions: Field::new(Rc::default()),
            engine_failure: Field::new(None),
            counters: Field::new(Counters::default()),
            board: Field::new(None),
            tree: Field::new(Rc::default()),
            detail: Field::new(None),
            messages: Field::new(Rc::default()),
            sys: Field::new(None),
            wire: Field::new(Rc::default()),
            retained: Field::new(None),
            file: Field::new(None),
            repeating: Field::new(None),
            tape: Field::new(Tape::default()),
            found: Field::new(Rc::default()),
            published: Field::new(None),
            sights: RefCell::default(),
            next_slot: Cell::new(0),
            now_ms: Field::new(clock::now_ms()),
            cards: RefCell::default(),
            waiting: RefCell::default(),
            listener: RefCell::default(),
            on_frame: RefCell::default(),
            next_ticket: Cell::new(0),
            clock: RefCell::default(),
        }));
        let weak = Rc::downgrade(&link.0);
        let tick = Interval::new(CLOCK_MS, move || {
            if let Some(inner) = weak.upgrade() {
                inner.now_ms.set(clock::now_ms());
            }
        });
        *link.0.clock.borrow_mut() = Some(tick);
        let weak = Rc::downgrade(&link.0);
        *link.0.on_frame.borrow_mut() = Some(Closure::new(move || {
            if let Some(inner) = weak.upgrade() {
                inner.paint();
            }
        }));
        link
    }

    /// Asks the engine for something.
    pub fn send(&self, command: Command) {
        (self.0.send)(command);
    }

    /// Publishes a message; [`published`](Self::published) tells what becomes of the ticket.
    pub fn publish(&self, publish: impl FnOnce(u32) -> Publish) -> u32 {
        let ticket = self.0.next_ticket.get();
        self.0.next_ticket.set(ticket.wrapping_add(1));
        self.send(Command::Publish(publish(ticket)));
        ticket
    }

    /// Publishes what is made with the ticket, if anything is.
    pub fn publish_with(&self, publish: impl FnOnce(u32) -> Option<Publish>) {
        let ticket = self.0.next_ticket.get();
        self.0.next_ticket.set(ticket.wrapping_add(1));
        if let Some(publish) = publish(ticket) {
            self.send(Command::Publish(publish));
        }
    }

    /// Publishes a message again and again, all of them with one ticket.
    pub fn repeat(
        &self,
        publish: impl FnOnce(u32) -> Publish,
        every_ms: u32,
        pieces: Option<Vec<Piece>>,
    ) -> u32 {
        let ticket = self.0.next_ticket.get();
        self.0.next_ticket.set(ticket.wrapping_add(1));
        self.send(Command::Repeat { publish: publish(ticket), every_ms, pieces });
        ticket
    }

    /// A slot to look at things in; it is given back when the handle is dropped.
    pub fn slot(&self) -> Looking {
        let slot = self.0.next_slot.get();
        self.0.next_slot.set(slot.wrapping_add(1));
        let seen = Field::new(None);
        self.0.sights.borrow_mut().push((slot, seen.clone()));
        Looking { link: self.clone(), slot, seen }
    }

    /// Takes in how a report of the engine begins, in the form in which it travels. It reaches the screen
    /// with the browser's next frame, and the engine is told so.
    pub fn receive(&self, report: Vec<u8>) {
        let Ok((Beginning::Frame(head), rest)) = protocol::decode_beginning(&report) else {
            return;
        };
        let is_passed_on = head.concerns_rooms(rest);
        // The engine sends one frame and waits, so there is none that this one would replace.
        *self.0.waiting.borrow_mut() = Some((head, is_passed_on.then_some(report)));
        // The browser paints nothing of a page in the background; what it replays goes on all the same.
        let is_hidden = web_sys::window().and_then(|w| w.document()).is_some_and(|d| d.hidden());
        if is_hidden {
            let weak = Rc::downgrade(&self.0);
            let later = Timeout::new(CLOCK_MS, move || {
                if let Some(inner) = weak.upgrade() {
                    inner.paint();
                }
            });
            later.forget();
            return;
        }
        let asked = match (web_sys::window(), self.0.on_frame.borrow().as_ref()) {
            (Some(window), Some(closure)) => {
                window.request_animation_frame(closure.as_ref().unchecked_ref()).is_ok()
            }
            _ => false,
        };
        if !asked {
            self.0.paint();
        }
    }

    /// Takes in the whole of a report that another link passes on; that one decides when, and tells the
    /// engine.
    pub fn hear(&self, report: &[u8]) {
        if let Ok(Report::Frame(frame)) = protocol::decode(report) {
            self.0.apply_all(*frame);
        }
    }

    /// From now on passes on what it receives and is not for this program alone, as it takes it in itself.
    pub fn pass_on(&self, to: impl Fn(&[u8]) + 'static) {
        *self.0.listener.borrow_mut() = Some(Rc::new(to));
    }

    /// The engine does not run.
    pub fn fail(&self, words: &str) {
        self.0.engine_failure.set(Some(words.into()));
    }

    /// The state of the connection.
    pub fn connection(&self) -> &Field<Connection> {
        &self.0.connection
    }

    /// What is subscribed to.
    pub fn subscriptions(&self) -> &Field<Rc<Vec<Subscribed>>> {
        &self.0.subscriptions
    }

    /// Why the engine does not run, if so.
    pub fn engine_failure(&self) -> &Field<Option<Rc<str>>> {
        &self.0.engine_failure
    }

    /// What was counted.
    pub fn counters(&self) -> &Field<Counters> {
        &self.0.counters
    }

    /// Which cards there are; none before the engine said so.
    pub fn board(&self) -> &Field<Option<Rc<Board>>> {
        &self.0.board
    }

    /// The rows of the tree of topics.
    pub fn tree(&self) -> &Field<Rc<Tree>> {
        &self.0.tree
    }

    /// The topic that the tree is at.
    pub fn detail(&self) -> &Field<Option<Rc<Detail>>> {
        &self.0.detail
    }

    /// The rows of the live log.
    pub fn messages(&self) -> &Field<Rc<Messages>> {
        &self.0.messages
    }

    /// What was new of what the broker tells of itself; who listens gathers it.
    pub fn sys(&self) -> &Field<Option<Rc<Sys>>> {
        &self.0.sys
    }

    /// The packets that the page looks at.
    pub fn wire(&self) -> &Field<Rc<Wire>> {
        &self.0.wire
    }

    /// The last part of a list of retained messages; who listens gathers them.
    pub fn retained(&self) -> &Field<Option<Rc<RetainedPart>>> {
        &self.0.retained
    }

    /// The last file that was asked for.
    pub fn file(&self) -> &Field<Option<File>> {
        &self.0.file
    }

    /// The message that is repeated, if one is.
    pub fn repeating(&self) -> &Field<Option<Repeating>> {
        &self.0.repeating
    }

    /// What is recorded and replayed.
    pub fn tape(&self) -> &Field<Tape> {
        &self.0.tape
    }

    /// The topics that were looked for.
    pub fn found(&self) -> &Field<Rc<Vec<String>>> {
        &self.0.found
    }

    /// What became of the last message to be published.
    pub fn published(&self) -> &Field<Option<Published>> {
        &self.0.published
    }

    /// The time, as it goes on each second.
    pub fn now_ms(&self) -> &Field<f64> {
        &self.0.now_ms
    }

    /// What the page has of one topic.
    pub fn live(&self, id: TopicId) -> Field<Live> {
        let mut cards = self.0.cards.borrow_mut();
        cards.entry(id).or_insert_with(|| Field::new(Live::default())).clone()
    }
}

impl Inner {
    fn paint(&self) {
        let Some((head, bytes)) = self.waiting.borrow_mut().take() else { return };
        let listener = self.listener.borrow().clone();
        if let Some((listener, bytes)) = listener.zip(bytes) {
            listener(&bytes);
        }
        self.apply(*head);
        (self.send)(Command::Painted);
    }

    fn apply(&self, head: Head) {
        if let Some(connection) = head.connection {
            self.now_ms.set(clock::now_ms());
            self.connection.set(connection);
        }
        if let Some(subscriptions) = head.subscriptions {
            self.subscriptions.set(Rc::new(subscriptions));
        }
        if let Some(counters) = head.counters {
            self.counters.set(counters);
        }
        if let Some(board) = head.board {
            self.forget_all_but(&board);
            self.board.set(Some(Rc::new(board)));
        }
        for card in head.cards {
            self.change(card.id, |live| live.card = Some(Rc::new(card)));
        }
        for line in head.lines {
            self.change(line.id, |live| live.line = Some(Rc::new(line)));
        }
    }

    /// What only the second program calls: what it reads is no part of the first.
    fn apply_all(&self, frame: Frame) {
        let Frame { connection, subscriptions, counters, .. } = frame;
        self.apply(Head { connection, subscriptions, counters, ..Head::default() });
        if let Some(tree) = frame.tree {
            self.tree.set(Rc::new(tree));
        }
        if let Some(detail) = frame.detail {
            self.detail.set(Some(Rc::new(detail)));
        }
        if let Some(messages) = frame.messages {
            self.messages.set(Rc::new(messages));
        }
        if let Some(sys) = frame.sys {
            self.sys.set(Some(Rc::new(sys)));
        }
        if let Some(wire) = frame.wire {
            self.wire.set(Rc::new(wire));
        }
        if let Some(part) = frame.retained {
            self.retained.set(Some(Rc::new(part)));
        }
        for (slot, sight) in frame.sights {
            // One that was given back meanwhile has nobody left to look.
            let seen = self.sights.borrow().iter().find(|(known, _)| *known == slot).cloned();
            if let Some((_, seen)) = seen {
                seen.set(Some(Rc::new(sight)));
            }
        }
        if let Some(file) = frame.file {
            self.file.set(Some(file));
        }
        if let Some(repeating) = frame.repeating {
            self.repeating.set(repeating);
        }
        if let Some(tape) = frame.tape {
            self.tape.set(tape);
        }
        if let Some(found) = frame.found {
            self.found.set(Rc::new(found));
        }
        for published in frame.published {
            // Who waits for one ticket must see each of its outcomes, and the last one stays.
            let is_final = published.outcome != Outcome::Waiting;
            let current = self.published.get();
            if is_final || current.is_none_or(|current| current.ticket != published.ticket) {
                self.published.set(Some(published));
            }
        }
    }

    fn change(&self, id: TopicId, change: impl FnOnce(&mut Live)) {
        let field = self
            .cards
            .borrow_mut()
            .entry(id)
            .or_insert_with(|| Field::new(Live::default()))
            .clone();
        field.update(change);
    }

    /// What is not on the board any more need not be remembered.
    fn forget_all_but(&self, board: &Board) {
        let mut cards = self.cards.borrow_mut();
        let mut before = std::mem::take(&mut *cards);
        for title in board.groups.iter().flat_map(|group| &group.cards) {
            cards.extend(before.remove_entry(&title.id));
        }
    }
}
