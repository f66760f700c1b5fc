//! The engine's desk: the store, what the page looks at, and what of it has changed.
//!
//! No socket and no browser here: messages and the time go in, frames come out. The work for a frame
//! follows what is on the screen, never how many messages or topics there are.

use std::collections::VecDeque;

use crate::card;
use crate::decode::Trust;
use crate::detail::{self, Detail};
use crate::export;
use crate::find;
use crate::history::{self, History, Slice, Span, Summary};
use crate::inside::Inside;
use crate::limits::{
    CARDS_STEP, CARDS_WATCHED_MAX, JSON_MEMBERS_SHOWN, POINTS_PER_MEMBER_MAX, RATE_SAMPLES_MAX,
    SPARKLINE_WIDTH_MAX,
};
use crate::looks::Looks;
use crate::messages::Messages;
use crate::name;
use crate::number;
use crate::plot;
use crate::protocol::{
    self, Board, Card, Connection, Counters, Course, DetailView, File, FileKind, Frame, Group,
    Line, Look, MessagesView, Problem, Published, Repeating, RetainedPart, Slot, Step, Subscribed,
    Tape, Title, TopicsView,
};
use crate::reading::Reader;
use crate::retained::Listing;
use crate::search::Search;
use crate::store::{Limits, Message, Store, Topic, TopicId};
use crate::sys::Sys;
use crate::tree::{NodeId, Tree};
use crate::wire::Wire;

/// How often figures that a person reads as they run may change, in milliseconds.
const COUNTERS_INTERVAL_MS: f64 = 500.0;

/// How often cards may be added to the board, in milliseconds.
const BOARD_INTERVAL_MS: f64 = 250.0;

/// How often a line is drawn anew because of new numbers, in milliseconds.
const LINE_INTERVAL_MS: f64 = 200.0;

/// How often a line is drawn anew because time goes on, in milliseconds.
const LINE_SHIFT_MS: f64 = 1_000.0;

/// So many lines go to the page in one frame, as drawing them takes it time; the others follow in the next.
const LINES_AT_ONCE: usize = 4;

/// The line of a number inside a payload is so many times narrower than that of a card.
const MEMBER_PART: u16 = 4;

/// What sparklines show, in minutes: the first that reaches back to the beginning.
const SPANS_MIN: &[u32] = &[1, 2, 5, 10, 20, 60, 180, 360, 720, 1_440];

/// What the engine keeps, and what it has shown of it.
#[derive(Debug)]
pub struct Desk {
    store: Store,
    connection: Connection,
    connection_sent: bool,
    subscriptions: Vec<Subscribed>,
    subscriptions_sent: bool,
    search: Search,
    cards_max: u32,
    is_board_open: bool,
    board_sent: Option<Board>,
    board_sent_ms: f64,
    topics_at_board: usize,
    board_wanted: bool,
    is_board_held: bool,
    watched: Vec<Watched>,
    width: u16,
    tree: Tree,
    detail: Detail,
    /// The rows of the tree went to the page in the last frame, and it is the turn of the topic beside them.
    is_turn_of_detail: bool,
    messages: Messages,
    sys: Sys,
    wire: Wire,
    listing: Option<Listing>,
    looks: Looks,
    file: Option<File>,
    repeating: Option<Repeating>,
    repeating_changed: bool,
    tape: Tape,
    tape_changed: bool,
    found: Option<Vec<String>>,
    counters_sent: Counters,
    counters_sent_ms: f64,
    rate: Rate,
    published: Vec<Published>,
    may_send: bool,
}

/// A card on the screen, and what the page has of it.
#[derive(Debug)]
struct Watched {
    id: TopicId,
    count_sent: u64,
    line_count: u64,
    line_sent_ms: f64,
    /// The numbers inside its payload.
    members: Vec<Inside>,
}

impl Watched {
    /// Follows the numbers inside the topic's payload, where it has any.
    fn follow(&mut self, topic: &Topic, store: &Store) {
        let mut before = std::mem::take(&mut self.members);
        let read = Reader::new(store).last(topic, Trust::Sure);
        let paths = detail::number_paths(&read, JSON_MEMBERS_SHOWN);
        for path in paths.into_iter().filter(|path| !path.is_empty()) {
            let known = before.iter().position(|member| member.path() == path);
            let mut member = match known {
                Some(at) => before.swap_remove(at),
                None => Inside::new(path, POINTS_PER_MEMBER_MAX),
            };
            member.follow(topic, store);
            self.members.push(member);
        }
    }
}

/// Messages per second, as the mean of the last few seconds: many sensors send all they have every
/// few seconds and nothing in between.
#[derive(Debug, Default)]
struct Rate {
    /// Times at least a second apart, and how many messages there had been.
    samples: VecDeque<(f64, u64)>,
    per_second: u32,
}

impl Desk {
    /// An empty desk. `now_ms` is the time since 1970, as of all times that follow.
    pub fn new(limits: Limits, now_ms: f64) -> Self {
        Self {
            store: Store::new(limits, now_ms),
            connection: Connection::Connecting,
            connection_sent: false,
            subscriptions: Vec::new(),
            subscriptions_sent: true,
            search: Search::All,
            cards_max: CARDS_STEP,
            is_board_open: true,
            board_sent: None,
            board_sent_ms: f64::NEG_INFINITY,
            topics_at_board: 0,
            board_wanted: true,
            is_board_held: false,
            watched: Vec::new(),
            width: 1,
            tree: Tree::default(),
            detail: Detail::default(),
            is_turn_of_detail: false,
            messages: Messages::default(),
            sys: Sys::default(),
            wire: Wire::default(),
            listing: None,
            looks: Looks::default(),
            file: None,
            repeating: None,
            repeating_changed: false,
            tape: Tape::default(),
            tape_changed: false,
            found: None,
            counters_sent: Counters::default(),
            counters_sent_ms: f64::NEG_INFINITY,
            rate: Rate { samples: VecDeque::from([(now_ms, 0)]), per_second: 0 },
            published: Vec::new(),
            may_send: true,
        }
    }

    /// What is remembered.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Takes in a message.
    pub fn take(&mut self, message: Message<'_>, now_ms: f64) {
        // What a person has subscribed to is on the board, whatever else it is.
        if !self.sys.take(&message, now_ms) || self.subscribes_to_sys() {
            self.store.take(message, now_ms);
        }
    }

    fn subscribes_to_sys(&self) -> bool {
        let filters = self.subscriptions.iter().map(|shown| &shown.subscription.filter);
        filters.into_iter().any(|filter| filter.starts_with('$'))
    }

    /// Takes in a change of the connection.
    pub fn set_connection(&mut self, connection: Connection, now_ms: f64) {
        match (&self.connection, &connection) {
            (Connection::Online { .. }, Connection::Online { .. }) => {}
            (Connection::Online { .. }, _) => self.store.lost(now_ms),
            (_, Connection::Online { .. }) => {
                self.store.back(now_ms);
                self.sys.begin();
            }
            _ => {}
        }
        self.connection = connection;
        self.connection_sent = false;
    }

    /// More is known of why there is no connection.
    pub fn set_problem(&mut self, known: Problem) {
        if let Connection::Offline { problem, .. } = &mut self.connection {
            *problem = known;
            self.connection_sent = false;
        }
    }

    /// Whether there is a connection.
    pub fn is_online(&self) -> bool {
        matches!(self.connection, Connection::Online { .. })
    }

    /// The subscriptions, which are shown once they have been changed.
    pub fn subscriptions(&mut self) -> &mut Vec<Subscribed> {
        self.subscriptions_sent = false;
        &mut self.subscriptions
    }

    /// Whether there is no connection, and none on its way.
    pub fn is_offline(&self) -> bool {
        matches!(self.connection, Connection::Offline { .. })
    }

    /// Takes in what became of a message that the page wanted published.
    pub fn set_published(&mut self, published: Published) {
        self.published.push(published);
    }

    /// The page wants these cards on its board.
    pub fn show_board(&mut self, search: &str, cards_max: u32) {
        self.search = Search::new(search);
        self.cards_max = cards_max;
        self.is_board_open = true;
        self.board_wanted = true;
    }

    /// Whether the board stays as it is; where it does not, it gets at once what has waited.
    pub fn hold_board(&mut self, is_held: bool) {
        self.is_board_held = is_held;
        if !is_held {
            self.board_wanted = true;
            self.counters_sent_ms = f64::NEG_INFINITY;
        }
    }

    /// The page does not look at its board any more.
    pub fn close_board(&mut self) {
        self.is_board_open = false;
        self.is_board_held = false;
        self.board_sent = None;
        self.watched.clear();
    }

    /// The page wants the changes of these cards.
    pub fn watch(&mut self, ids: &[TopicId], width: u16) {
        let width = width.clamp(1, SPARKLINE_WIDTH_MAX);
        let mut before = std::mem::take(&mut self.watched);
        if width != self.width {
            before.clear();
        }
        self.width = width;
        self.watched = ids
            .iter()
            .take(CARDS_WATCHED_MAX)
            .map(|id| match before.iter().position(|watched| watched.id == *id) {
                Some(at) => before.swap_remove(at),
                None => Watched {
                    id: *id,
                    count_sent: 0,
                    line_count: 0,
                    line_sent_ms: f64::NEG_INFINITY,
                    members: Vec::new(),
                },
            })
            .collect();
    }

    /// The page looks at these rows of the tree of topics.
    pub fn show_topics(&mut self, view: TopicsView) {
        self.tree.show(view);
    }

    /// The page does not look at the tree any more.
    pub fn close_topics(&mut self) {
        self.tree.close();
        self.detail.close();
    }

    /// The person goes through the tree.
    pub fn step(&mut self, step: Step, now_ms: f64) {
        self.tree.step(step, &self.store, now_ms);
    }

    /// The page shows the topic that the tree is at.
    pub fn show_detail(&mut self, view: DetailView) {
        self.detail.show(view);
    }

    /// The page looks at these rows of the log.
    pub fn show_messages(&mut self, view: MessagesView) {
        self.messages.show(view, &self.store);
    }

    /// The page does not look at the log any more.
    pub fn close_messages(&mut self) {
        self.messages.close();
    }

    /// What the broker tells of itself.
    pub fn sys(&mut self) -> &mut Sys {
        &mut self.sys
    }

    /// The packets of the connection.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// The page wants the retained messages of a branch of the tree.
    pub fn list_retained(&mut self, node: NodeId) {
        let topics = self.tree.topics_below(node);
        self.listing = Some(Listing::new(self.tree.path(node), topics, &self.store));
    }

    fn listed(&mut self) -> Option<RetainedPart> {
        let part = self.listing.as_mut()?.part(&self.store);
        if part.is_last {
            self.listing = None;
        }
        Some(part)
    }

    /// The page looks at something in this slot, or at nothing any more.
    pub fn look(&mut self, slot: Slot, look: Option<Look>) {
        self.looks.look(slot, look);
    }

    /// The bytes of a file with all messages that are to be seen.
    pub fn export(&mut self, kind: FileKind) -> Vec<u8> {
        self.messages.finish(&self.store);
        export::write(kind, self.messages.all(&self.store))
    }

    /// Keeps to so many bytes of memory from now on.
    pub fn set_memory(&mut self, bytes: u64, now_ms: f64) {
        self.store.set_bytes_max(usize::try_from(bytes).unwrap_or(usize::MAX), now_ms);
    }

    /// Takes in which message is repeated, and how often it was by now.
    pub fn set_repeating(&mut self, repeating: Option<Repeating>) {
        self.repeating = repeating;
        self.repeating_changed = true;
    }

    /// Finds topics by a few letters.
    pub fn find(&mut self, text: &str) {
        let topics = self.store.in_order().map(|(_, topic)| &*topic.name);
        self.found = Some(find::find(topics, text));
    }

    /// Takes in what is recorded and replayed.
    pub fn set_tape(&mut self, tape: Tape) {
        self.tape_changed |= tape != self.tape;
        self.tape = tape;
    }

    /// Hands a file to the page.
    pub fn set_file(&mut self, file: File) {
        self.file = Some(file);
    }

    /// The page has painted the last frame.
    pub fn painted(&mut self) {
        self.may_send = true;
    }

    /// Somebody has begun to listen who has heard nothing yet: all that is sent when it changes is
    /// sent once more. Views are not among it, as who wants one asks for it first.
    pub fn again(&mut self) {
        self.connection_sent = false;
        self.subscriptions_sent = false;
        self.counters_sent = Counters::default();
        self.counters_sent_ms = f64::NEG_INFINITY;
        for watched in &mut self.watched {
            (watched.count_sent, watched.line_sent_ms) = (0, f64::NEG_INFINITY);
        }
        self.tape_changed = true;
        self.repeating_changed = true;
    }

    /// What has changed of the rows of the tree, or of the topic beside them: either takes the page some time,
    /// so that they go to it in turn.
    fn changed_topics(
        &mut self,
        now_ms: f64,
    ) -> (Option<protocol::Tree>, Option<protocol::Detail>) {
        if std::mem::take(&mut self.is_turn_of_detail) {
            let detail = self.detail.changed(&self.tree, &self.store, now_ms);
            if detail.is_some() {
                return (None, detail);
            }
        }
        let tree = self.tree.changed(&self.store, now_ms);
        self.is_turn_of_detail = tree.is_some();
        let detail = match tree {
            Some(_) => None,
            None => self.detail.changed(&self.tree, &self.store, now_ms),
        };
        (tree, detail)
    }

    /// What has changed, if the page is ready for it and there is anything.
    pub fn frame(&mut self, now_ms: f64) -> Option<Frame> {
        self.rate.update(self.store.counts().messages, now_ms);
        if !self.may_send {
            return None;
        }
        let (tree, detail) = self.changed_topics(now_ms);
        // Before the counters: what it has got does not wait any more.
        let board = self.changed_board(now_ms);
        let frame = Frame {
            connection: (!self.connection_sent).then(|| self.connection.clone()),
            subscriptions: (!self.subscriptions_sent).then(|| self.subscriptions.clone()),
            counters: self.changed_counters(now_ms),
            board,
            cards: self.changed_cards(),
            lines: self.changed_lines(now_ms),
            tree,
            detail,
            messages: self.messages.changed(&self.store, now_ms),
            sys: self.sys.changed(now_ms),
            wire: self.wire.changed(now_ms),
            retained: self.listed(),
            sights: self.looks.changed(&self.store, now_ms),
            file: self.file.take(),
            repeating: self.repeating_changed.then(|| self.repeating.clone()),
            tape: self.tape_changed.then(|| self.tape.clone()),
            found: self.found.take(),
            published: std::mem::take(&mut self.published),
        };
        self.connection_sent = true;
        self.subscriptions_sent = true;
        self.repeating_changed = false;
        self.tape_changed = false;
        if frame.is_empty() {
            return None;
        }
        self.may_send = false;
        Some(frame)
    }

    fn changed_counters(&mut self, now_ms: f64) -> Option<Counters> {
        if now_ms - self.counters_sent_ms < COUNTERS_INTERVAL_MS {
            return None;
        }
        let counts = self.store.counts();
        let counters = Counters {
            messages: counts.messages,
            per_second: self.rate.per_second,
            topics: u32::try_from(self.store.topics_len()).unwrap_or(u32::MAX),
            newcomers: self.newcomers(),
            messages_not_kept: counts.messages_not_kept,
            payloads_cut: counts.payloads_cut,
            points_dropped: counts.points_dropped,
            log_dropped: counts.log_dropped,
            bytes: self.store.bytes() as u64,
            bytes_max: self.store.bytes_max() as u64,
            span_ms: self.span_ms(now_ms),
        };
        if counters == self.counters_sent {
            return None;
        }
        self.counters_sent = counters;
        self.counters_sent_ms = now_ms;
        Some(counters)
    }

    /// How many more match than when the board was sent, as long as it holds still.
    fn newcomers(&mut self) -> u32 {
        let sent = self.board_sent.as_ref().filter(|_| self.is_board_held);
        let sent = sent.map(|board| board.matching);
        sent.map_or(0, |sent| self.board().matching.saturating_sub(sent))
    }

    fn changed_board(&mut self, now_ms: f64) -> Option<Board> {
        if !self.is_board_open {
            return None;
        }
        // The first cards come at once: there is nothing yet that they could move.
        let is_empty = self.board_sent.as_ref().is_none_or(|board| board.matching == 0);
        let may_move = is_empty || !self.is_board_held;
        let grown = self.topics_at_board != self.store.topics_len();
        let due =
            grown && may_move && (is_empty || now_ms - self.board_sent_ms >= BOARD_INTERVAL_MS);
        if !self.board_wanted && !due {
            return None;
        }
        self.board_wanted = false;
        self.board_sent_ms = now_ms;
        self.topics_at_board = self.store.topics_len();
        let board = self.board();
        if self.board_sent.as_ref() == Some(&board) {
            return None;
        }
        self.board_sent = Some(board.clone());
        Some(board)
    }

    fn board(&mut self) -> Board {
        let mut board = Board::default();
        for (id, topic) in self.store.in_order() {
            if !self.search.matches(&topic.name) {
                continue;
            }
            if board.matching < self.cards_max {
                let (prefix, _) = name::split(&topic.name);
                let title =
                    Title { id, topic: topic.name.to_string(), name: name::readable(&topic.name) };
                match board.groups.last_mut() {
                    Some(group) if group.prefix == prefix => group.cards.push(title),
                    _ => board.groups.push(Group { prefix: prefix.to_owned(), cards: vec![title] }),
                }
            }
            board.matching = board.matching.saturating_add(1);
        }
        board
    }

    fn changed_cards(&mut self) -> Vec<Card> {
        let store = &self.store;
        let mut reader = Reader::new(store);
        self.watched
            .iter_mut()
            .filter_map(|watched| {
                let topic = store.topic(watched.id)?;
                if topic.count == watched.count_sent {
                    return None;
                }
                watched.count_sent = topic.count;
                Some(card::card(watched.id, topic, &mut reader))
            })
            .collect()
    }

    fn changed_lines(&mut self, now_ms: f64) -> Vec<Line> {
        let span = Span {
            from_ms: now_ms - f64::from(self.span_ms(now_ms)) - self.store.began_ms(),
            to_ms: now_ms - self.store.began_ms(),
            width: self.width,
        };
        let store = &self.store;
        let mut lines = Vec::new();
        let mut looked_at = 0;
        for watched in &mut self.watched {
            if lines.len() == LINES_AT_ONCE {
                break;
            }
            looked_at += 1;
            let Some(topic) = store.topic(watched.id) else { continue };
            let since_ms = now_ms - watched.line_sent_ms;
            let is_new = topic.count != watched.line_count && since_ms >= LINE_INTERVAL_MS;
            if !(is_new || since_ms >= LINE_SHIFT_MS) {
                continue;
            }
            if topic.count != watched.line_count {
                watched.follow(topic, store);
            }
            watched.line_count = topic.count;
            watched.line_sent_ms = now_ms;
            if !(topic.history().is_empty() && watched.members.is_empty()) {
                lines.push(line(watched, topic, span, store));
            }
        }
        // The next frame begins with those that this one had no room for.
        self.watched.rotate_left(looked_at);
        lines
    }

    fn span_ms(&self, now_ms: f64) -> u32 {
        let age_ms = now_ms - self.store.began_ms();
        let span = |minutes: &u32| minutes.saturating_mul(60_000);
        let spans = || SPANS_MIN.iter().map(span);
        spans()
            .find(|span| f64::from(*span) >= age_ms)
            .or_else(|| spans().next_back())
            .unwrap_or(60_000)
    }
}

impl Rate {
    fn update(&mut self, messages: u64, now_ms: f64) {
        match self.samples.back() {
            Some((last_ms, _)) if (0.0..1_000.0).contains(&(now_ms - last_ms)) => return,
            // A clock that was set back begins anew.
            Some((last_ms, _)) if now_ms < *last_ms => self.samples.clear(),
            _ => {}
        }
        self.samples.push_back((now_ms, messages));
        if self.samples.len() > RATE_SAMPLES_MAX {
            self.samples.pop_front();
        }
        let Some((first_ms, first)) = self.samples.front() else { return };
        let elapsed_ms = now_ms - first_ms;
        if elapsed_ms > 0.0 {
            let count = messages.saturating_sub(*first) as f64;
            self.per_second = (count * 1_000.0 / elapsed_ms).round() as u32;
        }
    }
}

fn line(watched: &Watched, topic: &Topic, span: Span, store: &Store) -> Line {
    let apart_ms_max = card::stale_after_ms(topic).unwrap_or(f64::INFINITY);
    let course = |history: &History, width: u16, unit: Option<&str>| {
        let slices = history.slices(Span { width, ..span }, store.gaps(), apart_ms_max);
        course(&slices, width, unit)
    };
    let member = |member: &Inside| {
        let unit = card::unit_at(topic, member.path(), &mut Reader::new(store));
        let course = course(member.history(), span.width.div_ceil(MEMBER_PART), unit.as_deref());
        (member.path().to_owned(), course)
    };
    Line {
        id: watched.id,
        course: course(topic.history(), span.width, topic.unit()),
        members: watched.members.iter().map(member).collect(),
    }
}

fn course(slices: &[Slice], width: u16, unit: Option<&str>) -> Course {
    let Some(Summary { low, high, mean, .. }) = history::summary(slices) else {
        return Course::default();
    };
    // At a glance where it is a large quantity, as the three have to stand side by side.
    let text = |value: f64, written: String| {
        let glance = unit.and_then(|unit| number::at_a_glance(value, unit));
        glance.map_or(written, |glance| format!("≈{glance}"))
    };
    Course {
        low: text(low.value, number::write(low.value, low.style)),
        mean: text(mean, plot::mean(mean, low, high, None)),
        high: text(high.value, number::write(high.value, high.style)),
        sparkline: history::sparkline(slices, width),
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::limits::TEXT_SHOWN_CHARS;
    use crate::protocol::{Outcome, Problem, Value};

    const START_MS: f64 = 1_700_000_000_000.0;

    fn desk() -> Desk {
        Desk::new(Limits::default(), START_MS)
    }

    fn take(desk: &mut Desk, topic: &str, payload: &[u8], now_ms: f64) {
        desk.take(Message { topic, payload, ..Message::default() }, now_ms);
    }

    fn online(since_ms: f64) -> Connection {
        Connection::Online { since_ms, large: None }
    }

    /// The next frame, painted at once.
    fn next(desk: &mut Desk, now_ms: f64) -> Frame {
        let frame = desk.frame(now_ms).unwrap_or_default();
        desk.painted();
        frame
    }

    fn topics(board: &Board) -> Vec<&str> {
        board.groups.iter().flat_map(|group| &group.cards).map(|card| card.topic.as_str()).collect()
    }

    #[test]
    fn a_frame_has_what_changed_and_the_next_waits_until_it_is_painted() {
        let mut desk = desk();
        take(&mut desk, "a/b", b"1", START_MS);
        let first = desk.frame(START_MS).unwrap();
        assert_eq!(first.connection, Some(Connection::Connecting));
        assert_eq!(topics(first.board.as_ref().unwrap()), ["a/b"]);
        assert!(first.cards.is_empty(), "nobody watches a card yet");

        desk.watch(&[0], 100);
        for n in 0..1_000 {
            take(&mut desk, "a/b", n.to_string().as_bytes(), START_MS + 600.0);
        }
        assert_eq!(desk.frame(START_MS + 600.0), None, "not painted yet");
        desk.painted();
        let second = desk.frame(START_MS + 600.0).unwrap();
        assert_eq!((second.connection, second.board), (None, None));
        assert_eq!(second.cards.len(), 1, "a thousand messages make one update");
        assert_eq!(second.cards[0].count, 1_001);
        assert_eq!(second.counters.unwrap().messages, 1_001);
    }

    #[test]
    fn who_begins_to_listen_is_told_everything() {
        let mut desk = desk();
        take(&mut desk, "a", b"1", START_MS);
        desk.watch(&[0], 100);
        desk.set_connection(online(START_MS), START_MS);
        let first = next(&mut desk, START_MS);
        assert_eq!(desk.frame(START_MS), None);
        desk.again();
        // The board is not among it: only the first program shows it.
        let again = next(&mut desk, START_MS);
        let (subscriptions, repeating) = (Some(Vec::new()), Some(None));
        let tape = Some(Tape::default());
        assert_eq!(again, Frame { board: None, subscriptions, repeating, tape, ..first });
        assert_eq!(desk.frame(START_MS), None, "and once");
    }

    #[test]
    fn the_rows_of_the_tree_and_the_topic_beside_them_go_to_the_page_in_turn() {
        let mut desk = desk();
        take(&mut desk, "a", b"1", START_MS);
        desk.show_topics(TopicsView { len: 10, ..TopicsView::default() });
        desk.show_detail(DetailView::default());
        desk.step(Step::First, START_MS);
        let mut parts = |after_ms: f64| {
            let frame = next(&mut desk, START_MS + after_ms);
            take(&mut desk, "a", b"2", START_MS + after_ms);
            (frame.tree.is_some(), frame.detail.is_some())
        };
        assert_eq!((parts(0.0), parts(1.0)), ((true, false), (false, true)));
        // Both are due each time where the page takes long, and neither waits for ever.
        for after_ms in [1_000.0, 3_000.0] {
            assert_eq!(parts(after_ms), (true, false));
            assert_eq!(parts(after_ms + 1_000.0), (false, true));
        }
    }

    #[test]
    fn nothing_new_is_no_frame() {
        let mut desk = desk();
        next(&mut desk, START_MS);
        assert_eq!(desk.frame(START_MS + 10_000.0), None);
    }

    #[test]
    fn only_watched_cards_are_sent_and_each_once() {
        let mut desk = desk();
        take(&mut desk, "a", b"1", START_MS);
        take(&mut desk, "b", b"2", START_MS);
        desk.watch(&[1, 77], 100);
        let ids = |frame: &Frame| frame.cards.iter().map(|card| card.id).collect::<Vec<_>>();
        assert_eq!(ids(&next(&mut desk, START_MS)), [1]);
        assert!(ids(&next(&mut desk, START_MS + 1.0)).is_empty());
        desk.watch(&[0, 1], 100);
        assert_eq!(ids(&next(&mut desk, START_MS + 2.0)), [0], "the page has the other one");
        desk.watch(&[0, 1], 200);
        assert_eq!(ids(&next(&mut desk, START_MS + 3.0)), [0, 1], "another width: all anew");
    }

    #[test]
    fn a_line_moves_with_new_numbers_and_with_the_time() {
        let mut desk = desk();
        desk.watch(&[0], 60);
        take(&mut desk, "a", b"1.50", START_MS);
        let lines = |desk: &mut Desk, after_ms: f64| next(desk, START_MS + after_ms).lines;
        let first = lines(&mut desk, 0.0);
        let Course { low, high, .. } = &first[0].course;
        assert_eq!((low.as_str(), high.as_str()), ("1.50", "1.50"));
        take(&mut desk, "a", b"2", START_MS + 50.0);
        assert!(lines(&mut desk, 100.0).is_empty(), "not so often");
        let Course { mean, high, .. } = &lines(&mut desk, 250.0)[0].course;
        assert_eq!((mean.as_str(), high.as_str()), ("1.750", "2"));
        assert!(lines(&mut desk, 1_000.0).is_empty());
        assert_eq!(lines(&mut desk, 1_300.0).len(), 1, "the time went on");
    }

    #[test]
    fn many_lines_go_in_several_frames_and_each_has_its_turn() {
        let mut desk = desk();
        let ids: Vec<_> = (0..20).collect();
        desk.watch(&ids, 60);
        let mut now_ms = START_MS;
        for _ in 0..3 {
            for id in &ids {
                take(&mut desk, &id.to_string(), b"1", now_ms);
            }
            let mut sent = Vec::new();
            for _ in 0..ids.len().div_ceil(LINES_AT_ONCE) {
                let lines = next(&mut desk, now_ms).lines;
                assert!(lines.len() <= LINES_AT_ONCE);
                sent.extend(lines.iter().map(|line| line.id));
            }
            sent.sort_unstable();
            assert_eq!(sent, ids);
            assert!(next(&mut desk, now_ms).lines.is_empty());
            now_ms += LINE_INTERVAL_MS;
        }
    }

    #[test]
    fn large_quantities_below_a_line_are_written_short() {
        let mut desk = desk();
        desk.watch(&[0], 60);
        take(&mut desk, "disk/bytes", b"68528144384", START_MS);
        take(&mut desk, "disk/bytes", b"512", START_MS);
        let Course { low, high, .. } = &next(&mut desk, START_MS).lines[0].course;
        assert_eq!((low.as_str(), high.as_str()), ("512", "≈68.5 GB"));
    }

    #[test]
    fn numbers_inside_json_have_lines_of_their_own() {
        let mut desk = desk();
        take(&mut desk, "room", br#"{"t":20.5,"air":{"co2":400},"mode":"eco"}"#, START_MS);
        take(&mut desk, "room", br#"{"t":21.5,"air":{"co2":600},"mode":"eco"}"#, START_MS + 10.0);
        desk.watch(&[0], 400);
        let lines = |desk: &mut Desk, after_ms: f64| next(desk, START_MS + after_ms).lines;
        let line = lines(&mut desk, 20.0).remove(0);
        assert_eq!(line.course, Course::default(), "the payload is no number");
        let members: Vec<_> = line
            .members
            .iter()
            .map(|(path, course)| (path.as_str(), &*course.low, &*course.mean, &*course.high))
            .collect();
        assert_eq!(members, [("t", "20.5", "21.00", "21.5"), ("air.co2", "400", "500.0", "600")]);
        take(&mut desk, "room", br#"{"t":22.5}"#, START_MS + 300.0);
        let line = lines(&mut desk, 400.0).remove(0);
        assert_eq!((line.members.len(), line.members[0].1.high.as_str()), (1, "22.5"));
        take(&mut desk, "room", b"off", START_MS + 700.0);
        assert!(lines(&mut desk, 800.0).is_empty(), "what is no JSON any more has none");
    }

    #[test]
    fn the_span_grows_with_the_time_that_has_passed() {
        let desk = desk();
        for (age_s, minutes) in
            [(0, 1), (60, 1), (61, 2), (600, 10), (3_601, 180), (999_999, 1_440)]
        {
            let now_ms = START_MS + f64::from(age_s) * 1_000.0;
            assert_eq!(desk.span_ms(now_ms), minutes * 60_000, "{age_s} s");
        }
    }

    #[test]
    fn the_board_keeps_its_order_and_says_how_many_more_there_are() {
        let mut desk = desk();
        for topic in ["s/pi/cpu/10", "s/pi/cpu/2", "home/lamp", "one"] {
            take(&mut desk, topic, b"1", START_MS);
        }
        let board = next(&mut desk, START_MS).board.unwrap();
        assert_eq!(topics(&board), ["one", "home/lamp", "s/pi/cpu/2", "s/pi/cpu/10"]);
        let prefixes: Vec<_> = board.groups.iter().map(|group| group.prefix.as_str()).collect();
        assert_eq!(prefixes, ["", "home", "s/pi"]);

        desk.show_board("", 2);
        let board = next(&mut desk, START_MS).board.unwrap();
        assert_eq!((topics(&board).len(), board.matching), (2, 4));
    }

    #[test]
    fn the_first_cards_come_at_once_and_further_ones_together() {
        let mut desk = desk();
        let shown = |desk: &mut Desk, after_ms: f64| {
            next(desk, START_MS + after_ms).board.map(|board| board.matching)
        };
        assert_eq!(shown(&mut desk, 0.0), Some(0));
        take(&mut desk, "a", b"1", START_MS + 10.0);
        assert_eq!(shown(&mut desk, 10.0), Some(1));
        take(&mut desk, "b", b"1", START_MS + 20.0);
        assert_eq!(shown(&mut desk, 20.0), None);
        take(&mut desk, "c", b"1", START_MS + 30.0);
        assert_eq!(shown(&mut desk, 260.0), Some(3));
    }

    #[test]
    fn a_board_that_is_held_stays_as_it_is_and_says_how_many_wait() {
        let mut desk = desk();
        let mut now_ms = START_MS;
        desk.show_board("m/", 100);
        assert!(topics(&next(&mut desk, now_ms).board.unwrap()).is_empty());
        desk.hold_board(true);
        // The first one moves nothing.
        take(&mut desk, "m/one", b"1", now_ms);
        assert_eq!(topics(&next(&mut desk, now_ms).board.unwrap()), ["m/one"]);
        for topic in ["m/early", "elsewhere", "m/two"] {
            take(&mut desk, topic, b"1", now_ms);
        }
        now_ms += 1_000.0;
        let frame = next(&mut desk, now_ms);
        assert_eq!((frame.board, frame.counters.unwrap().newcomers), (None, 2));
        // Who asks is shown them, and the board holds still again.
        desk.hold_board(false);
        desk.hold_board(true);
        let frame = next(&mut desk, now_ms);
        assert_eq!(topics(&frame.board.unwrap()), ["m/early", "m/one", "m/two"]);
        assert_eq!(frame.counters.unwrap().newcomers, 0);
        take(&mut desk, "m/three", b"1", now_ms);
        now_ms += 1_000.0;
        let frame = next(&mut desk, now_ms);
        assert_eq!((frame.board, frame.counters.unwrap().newcomers), (None, 1));
        desk.hold_board(false);
        now_ms += 1_000.0;
        let frame = next(&mut desk, now_ms);
        assert_eq!(
            (topics(&frame.board.unwrap()).len(), frame.counters.unwrap().newcomers),
            (4, 0)
        );
    }

    #[test]
    fn searching_finds_words_names_and_filters() {
        let mut desk = desk();
        for topic in ["sensors/pi/cpu/total", "sensors/pi/memory/used", "home/airQuality"] {
            take(&mut desk, topic, b"1", START_MS);
        }
        for (search, found) in [
            ("CPU", vec!["sensors/pi/cpu/total"]),
            ("pi used", vec!["sensors/pi/memory/used"]),
            ("air quality", vec!["home/airQuality"]),
            ("sensors/+/cpu/#", vec!["sensors/pi/cpu/total"]),
            ("a#b", vec![]),
            ("nothing", vec![]),
            ("  ", vec!["home/airQuality", "sensors/pi/cpu/total", "sensors/pi/memory/used"]),
        ] {
            desk.show_board(search, 100);
            let frame = next(&mut desk, START_MS);
            let board = frame.board.or_else(|| desk.board_sent.clone()).unwrap();
            assert_eq!(topics(&board), found, "{search}");
        }
    }

    #[test]
    fn values_are_shown_as_what_they_are() {
        let cases: &[(&[u8], Value)] = &[
            (b"", Value::Empty),
            (b"127.0", Value::Number { text: "127.0".into(), unit: None, glance: None }),
            (b"ON", Value::Flag { on: true, text: "ON".into() }),
            (b"hi <b>", Value::Text { text: "hi <b>".into(), cut_from: None }),
            (
                br#"{"a":1.0,"b":"x"}"#,
                Value::Json {
                    members: vec![("a".into(), "1.0".into()), ("b".into(), "x".into())],
                    more: 0,
                },
            ),
            (
                b"\xa2\x61a\xfa\x41\xaa\x66\x66\x61b\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
                Value::Json {
                    members: vec![
                        ("a".into(), "21.3".into()),
                        ("b".into(), "18446744073709551615".into()),
                    ],
                    more: 0,
                },
            ),
            (b"\x00\xff", Value::Binary { hex: "00 ff".into(), len: 2 }),
            (b"\x81\x05", Value::Binary { hex: "81 05".into(), len: 2 }),
        ];
        for (payload, expected) in cases {
            let mut desk = desk();
            desk.watch(&[0], 1);
            take(&mut desk, "topic", payload, START_MS);
            assert_eq!(next(&mut desk, START_MS).cards[0].value, *expected);
        }
    }

    #[test]
    fn numbers_inside_any_form_have_their_lines() {
        let forms: [(&str, [&[u8]; 3]); 4] = [
            ("json", [br#"{"t":1.5}"#, br#"{"t":"none"}"#, br#"{"t":2}"#]),
            ("cbor", [b"\xa1\x61t\xf9\x3e\x00", b"\xa1\x61t\xf9\x7e\x00", b"\xa1\x61t\x02"]),
            (
                "message-pack",
                [b"\x81\xa1t\xca\x3f\xc0\0\0", b"\x81\xa1t\xca\x7f\xc0\0\0", b"\x81\xa1t\x02"],
            ),
            (
                "spBv1.0/g/NDATA/n",
                [
                    b"\x12\x0a\x0a\x01t\x20\x09\x65\0\0\xc0\x3f",
                    b"\x12\x0a\x0a\x01t\x20\x09\x65\0\0\xc0\x7f",
                    b"\x12\x0a\x0a\x01t\x20\x09\x65\0\0\0\x40",
                ],
            ),
        ];
        for (topic, payloads) in forms {
            let mut desk = desk();
            desk.watch(&[0], 60);
            for (at, payload) in payloads.into_iter().enumerate() {
                take(&mut desk, topic, payload, START_MS + 10_000.0 * at as f64);
            }
            let line = &next(&mut desk, START_MS + 30_000.0).lines[0];
            let [(path, course)] = line.members.as_slice() else { panic!("{topic}: one line") };
            assert_eq!((path.as_str(), course.low.as_str()), ("t", "1.5"), "{topic}");
            let high: f64 = course.high.parse().unwrap();
            assert_eq!((high, course.sparkline.columns.len()), (2.0, 2), "{topic}");
        }
    }

    #[test]
    fn long_text_says_how_long_it_is() {
        let mut desk = desk();
        desk.watch(&[0], 1);
        take(&mut desk, "topic", "é".repeat(1_000).as_bytes(), START_MS);
        let Value::Text { text, cut_from } = &next(&mut desk, START_MS).cards[0].value else {
            panic!("it is text")
        };
        assert_eq!((text.chars().count(), *cut_from), (TEXT_SHOWN_CHARS, Some(2_000)));
    }

    #[test]
    fn what_was_counted_and_what_was_published_reach_the_page_once() {
        let mut desk = desk();
        desk.set_published(Published { ticket: 3, outcome: Outcome::Sent });
        desk.set_connection(
            Connection::Offline { problem: Problem::Lost, retry_at_ms: None },
            START_MS,
        );
        let frame = next(&mut desk, START_MS);
        assert_eq!(frame.published.len(), 1);
        assert!(matches!(frame.connection, Some(Connection::Offline { .. })));
        assert_eq!(desk.frame(START_MS), None);
    }

    #[test]
    fn the_rate_is_the_mean_of_the_last_seconds() {
        let mut desk = desk();
        next(&mut desk, START_MS);
        for n in 0..500 {
            take(&mut desk, "a", b"1", START_MS + f64::from(n));
        }
        let counters = next(&mut desk, START_MS + 1_000.0).counters.unwrap();
        assert_eq!(counters.per_second, 500);
        let counters = next(&mut desk, START_MS + 2_000.0).counters.unwrap();
        assert_eq!(counters.per_second, 250, "a pause is no end");
        for second in 3..=RATE_SAMPLES_MAX as u32 {
            next(&mut desk, START_MS + 1_000.0 * f64::from(second));
        }
        let after = START_MS + 1_000.0 * (RATE_SAMPLES_MAX as f64 + 1.0);
        take(&mut desk, "a", b"1", after);
        let counters = next(&mut desk, after).counters.unwrap();
        assert_eq!(counters.per_second, 0, "one message in five seconds");
    }

    #[test]
    fn a_lost_connection_leaves_a_gap_in_the_line() {
        let mut desk = desk();
        desk.watch(&[0], 60);
        let offline = Connection::Offline { problem: Problem::Lost, retry_at_ms: None };
        desk.set_connection(online(START_MS), START_MS);
        take(&mut desk, "a", b"1", START_MS + 100.0);
        desk.set_connection(offline, START_MS + 5_000.0);
        desk.set_connection(Connection::Connecting, START_MS + 6_000.0);
        desk.set_connection(online(START_MS + 9_000.0), START_MS + 9_000.0);
        take(&mut desk, "a", b"2", START_MS + 10_000.0);
        let line = &next(&mut desk, START_MS + 11_000.0).lines[0];
        let gaps: Vec<_> = line.course.sparkline.columns.iter().map(|column| column.gap).collect();
        assert_eq!(gaps, [false, true]);
    }
}
