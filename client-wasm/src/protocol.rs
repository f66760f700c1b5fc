//! What the page and the engine in its worker say to each other: both sides share these types.
//!
//! The page sends [`Command`]s, the engine sends [`Report`]s; each travels as one buffer in postcard's
//! format. The engine sends one [`Frame`], then waits for [`Command::Painted`]: so the page gets at
//! most one update per frame, and a page that isn't painted costs nothing.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::connect::{Connect, Subscription};
use crate::fault::{Fault, Reason};
use crate::format::{Format, Formatted};
use crate::history::{self, Gaps, History, Neighbor, Slice, Span, Sparkline, Summary};
use crate::log::Seq;
use crate::placeholder::Piece;
use crate::store::TopicId;
use crate::tree::NodeId;

/// What the page asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Connect, and stay connected.
    Open(Box<Connect>),
    /// Keep to so many bytes of memory; the oldest goes where that is less than before.
    Memory(u64),
    /// Don't wait for the next attempt to connect: try now.
    TryNow,
    /// Say goodbye, and stay away until [`TryNow`](Self::TryNow).
    Disconnect,
    /// Subscribe; a filter that was subscribed to before gets the new options.
    Subscribe(Subscription),
    /// Unsubscribe from this filter.
    Unsubscribe(String),
    /// Connect again, with this name.
    SignIn(SignIn),
    /// Show the cards that match the search, and no more than so many.
    Board {
        /// Words that are all in the topic, or a topic filter; empty for every card.
        search: String,
        /// How many cards at most.
        cards_max: u32,
    },
    /// Whether somebody is among the cards of the board, which holds still then: what comes meanwhile is counted
    /// and waits.
    HoldBoard(bool),
    /// The board is not on the screen any more.
    CloseBoard,
    /// Send the changes of these cards, and of no others.
    Watch {
        /// The cards on the screen.
        ids: Vec<TopicId>,
        /// How wide their sparklines are, in pixels of the screen.
        width: u16,
    },
    /// Show these rows of the tree of topics.
    Topics(TopicsView),
    /// The tree is not on the screen any more.
    CloseTopics,
    /// Go through the tree.
    Step(Step),
    /// Show the topic that the tree is at, in full.
    Detail(DetailView),
    /// Show these rows of the live log.
    Messages(MessagesView),
    /// The log is not on the screen any more.
    CloseMessages,
    /// Show what the broker tells of itself, and ask it where it has not been asked.
    Sys,
    /// The broker's page is not on the screen any more.
    CloseSys,
    /// Say goodbye to the broker and connect again.
    Reconnect,
    /// The same, and either wait for messages that are so large that nothing comes through beside them, or have
    /// them left out.
    WaitForLarge(bool),
    /// Record the packets of the connection, and show these.
    Wire(WireView),
    /// The packets are not on the screen any more.
    CloseWire,
    /// List the retained messages of this branch.
    ListRetained(NodeId),
    /// Look at something in a slot of the page's own numbering.
    Look {
        /// The slot.
        slot: Slot,
        /// What is looked at from now on; nothing any more where it is none.
        look: Option<Look>,
    },
    /// Make a file of all messages of the log that are to be seen, on the screen or not.
    Export(FileKind),
    /// Publish a message.
    Publish(Publish),
    /// Publish a message now and again and again; what was repeated before is not any more.
    Repeat {
        /// The message.
        publish: Publish,
        /// How often, in milliseconds.
        every_ms: u32,
        /// What each payload is made of, in place of the one in the message.
        pieces: Option<Vec<Piece>>,
    },
    /// Repeat no message any more.
    StopRepeating,
    /// Find the topics that are likeliest meant by these letters.
    Find(String),
    /// Record the messages that match from now on: words of the topic or the payload, or a topic filter.
    Record(String),
    /// End the recording, and make a file of it.
    StopRecording,
    /// Replay a recording.
    Replay(ReplayStep),
    /// The last frame is on the screen: the next may come.
    Painted,
    /// Somebody else listens from now on, and has heard nothing yet: send everything once more.
    Again,
}

/// What is to be done about the recording that is replayed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ReplayStep {
    /// Begin: so many times as fast as it was recorded, or as fast as it goes.
    Start(Option<f64>),
    /// This comes next.
    More {
        /// The messages, in order.
        messages: Vec<Timed>,
        /// Whether nothing comes behind them.
        is_last: bool,
    },
    /// From here on at another speed.
    Speed(Option<f64>),
    /// Stop where it is, or go on from there.
    Pause(bool),
    /// End it.
    Stop,
}

/// A message of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// When it came, in milliseconds since 1970.
    pub at_ms: f64,
    /// The message.
    pub publish: Publish,
}

/// Who the broker is told that the page is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// The User Name.
    pub username: String,
    /// The Password.
    pub password: String,
}

impl std::fmt::Debug for SignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignIn").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A message that the page wants published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// The page's own number for it, which [`Published`] repeats.
    pub ticket: u32,
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether the broker shall keep it as the topic's retained message.
    pub retain: bool,
    /// Its properties.
    pub properties: Properties,
}

/// The properties of a message that the page wants published (MQTT 5.0 §3.3.2.3).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Properties {
    /// The Payload Format Indicator: the payload is text.
    pub is_text: bool,
    /// The Message Expiry Interval, in seconds.
    pub expiry_s: Option<u32>,
    /// The Content Type.
    pub content_type: Option<String>,
    /// The Response Topic.
    pub response_topic: Option<String>,
    /// The Correlation Data.
    pub correlation_data: Option<Vec<u8>>,
    /// The User Properties.
    pub user: Vec<(String, String)>,
}

/// What the page shows of the tree of topics.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TopicsView {
    /// Words of the topic or its value, or a topic filter; empty for all topics.
    pub search: String,
    /// The order of the rows.
    pub sort: Sort,
    /// Whether topics stand in one list, without branches.
    pub is_flat: bool,
    /// The first row.
    pub first: u32,
    /// How many rows.
    pub len: u32,
}

/// The order of topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Sort {
    /// By name, numbers by their value.
    #[default]
    Name,
    /// Those with the most messages first.
    Messages,
    /// Those with the most messages in a second first.
    Rate,
    /// Those whose message came last first.
    Recent,
}

/// A step through the tree of topics, as the keys of any tree do it (WAI-ARIA, tree view pattern).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// To this node.
    To(NodeId),
    /// To this topic, now or as soon as it is there.
    Topic(String),
    /// Show the children of this node, or hide them.
    Toggle(NodeId),
    /// So many rows down; up where negative.
    Rows(i32),
    /// To the first row.
    First,
    /// To the last row.
    Last,
    /// Show the children, or go to the first of them.
    In,
    /// Hide the children, or go to the parent.
    Out,
    /// Show the children of all siblings.
    OpenSiblings,
    /// To the next row that begins so.
    Typed(String),
}

/// Where the page looks at something, in its own numbering.
pub type Slot = u32;

/// A value that something on the page shows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Source {
    /// The topic.
    pub topic: String,
    /// Where inside its payload: keys joined by points, `[n]` for an element of an array; empty for the whole
    /// payload.
    pub path: String,
}

/// What the page looks at in one slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Look {
    /// Numbers over time.
    Chart(ChartView),
    /// Last values.
    Values(Vec<Source>),
    /// The last messages of a topic.
    Recent {
        /// The topic.
        topic: String,
        /// How many of them.
        len: u16,
    },
    /// Where the values inside the last message of a topic are.
    Paths(String),
}

/// What a chart shows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ChartView {
    /// Its lines.
    pub sources: Vec<Source>,
    /// The time it shows.
    pub range: Range,
    /// How wide it is, in pixels of the screen.
    pub width: u16,
}

/// The time that a chart shows, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub enum Range {
    /// All there is, up to now.
    #[default]
    All,
    /// So long, up to now.
    Last {
        /// How long.
        ms: f64,
    },
    /// A stretch of the past, in milliseconds since 1970.
    Between {
        /// From when.
        from_ms: f64,
        /// Until when.
        to_ms: f64,
    },
}

/// What the page shows of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DetailView {
    /// How many messages of its history.
    pub history: u32,
    /// How many rows of what is below it.
    pub below: u32,
    /// The message of which all is shown; the last one where none is chosen, or it has gone.
    pub seq: Option<Seq>,
    /// The form of its payload; the most telling where it does not have this one.
    pub format: Option<Format>,
}

/// What the page shows of the live log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MessagesView {
    /// Words of the topic or the payload, or a topic filter; empty for all messages.
    pub search: String,
    /// Whether it holds still, so that new messages wait.
    pub is_held: bool,
    /// The first row.
    pub first: u32,
    /// How many rows.
    pub len: u32,
}

/// A kind of file that messages are written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileKind {
    /// Comma-separated values (RFC 4180).
    Csv,
    /// JSON (RFC 8259).
    Json,
}

/// What the engine answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Report {
    /// The engine runs and takes commands.
    Ready,
    /// What has changed of what the page looks at.
    Frame(Box<Frame>),
}

/// The beginning of a [`Report`]: all that the page's first program reads. What follows is for the
/// second one, and the first load has no code that could take it apart.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub enum Beginning {
    /// The engine runs and takes commands.
    Ready,
    /// How a frame begins.
    Frame(Box<Head>),
}

/// The first fields of a [`Frame`], in its order.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct Head {
    /// The state of the connection.
    pub connection: Option<Connection>,
    /// What is subscribed to.
    pub subscriptions: Option<Vec<Subscribed>>,
    /// What was counted.
    pub counters: Option<Counters>,
    /// Which cards there are.
    pub board: Option<Board>,
    /// Cards with a new value.
    pub cards: Vec<Card>,
    /// Lines that have moved.
    pub lines: Vec<Line>,
}

impl Head {
    /// Whether pages of the second program show any of this frame, which ends with these bytes: the board
    /// and what is on it are the first one's alone.
    pub fn concerns_rooms(&self, rest: &[u8]) -> bool {
        // A part that is not there is a zero, and one that is there begins with something else.
        self.connection.is_some()
            || self.subscriptions.is_some()
            || self.counters.is_some()
            || rest.iter().any(|byte| *byte != 0)
    }
}

/// Everything that changed since the frame before; a part that did not is not there. It begins with
/// the fields of [`Head`]; what only pages of the second program show comes after them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Frame {
    /// The state of the connection.
    pub connection: Option<Connection>,
    /// What is subscribed to.
    pub subscriptions: Option<Vec<Subscribed>>,
    /// What was counted.
    pub counters: Option<Counters>,
    /// Which cards there are.
    pub board: Option<Board>,
    /// Cards with a new value.
    pub cards: Vec<Card>,
    /// Lines that have moved.
    pub lines: Vec<Line>,
    /// The rows of the tree of topics.
    pub tree: Option<Tree>,
    /// The topic that the tree is at.
    pub detail: Option<Detail>,
    /// The rows of the live log.
    pub messages: Option<Messages>,
    /// What is new of what the broker tells of itself.
    pub sys: Option<Sys>,
    /// The packets that the page looks at.
    pub wire: Option<Wire>,
    /// Part of a list of retained messages.
    pub retained: Option<RetainedPart>,
    /// What is to be seen in the slots that the page looks at.
    pub sights: Vec<(Slot, Sight)>,
    /// A file that was asked for.
    pub file: Option<File>,
    /// The message that is repeated, if one is.
    pub repeating: Option<Option<Repeating>>,
    /// What is recorded and replayed.
    pub tape: Option<Tape>,
    /// The topics that were looked for.
    pub found: Option<Vec<String>>,
    /// What became of messages to be published.
    pub published: Vec<Published>,
}

impl Frame {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.connection.is_none()
            && self.subscriptions.is_none()
            && self.counters.is_none()
            && self.board.is_none()
            && self.cards.is_empty()
            && self.lines.is_empty()
            && self.tree.is_none()
            && self.detail.is_none()
            && self.messages.is_none()
            && self.sys.is_none()
            && self.wire.is_none()
            && self.retained.is_none()
            && self.sights.is_empty()
            && self.file.is_none()
            && self.repeating.is_none()
            && self.tape.is_none()
            && self.found.is_none()
            && self.published.is_empty()
    }
}

/// The state of the connection to the broker. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Connection {
    /// On its way.
    Connecting,
    /// Connected.
    Online {
        /// Since when.
        since_ms: f64,
        /// What is done about very large messages, where there may be one.
        large: Option<Large>,
    },
    /// Not connected.
    Offline {
        /// Why.
        problem: Problem,
        /// When the next attempt begins; none where another would end alike.
        retry_at_ms: Option<f64>,
    },
}

/// What is done about messages that are so large that nothing comes through beside them: a browser hands over
/// nothing of a WebSocket message before all of it is there, so a broker that sends one looks dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Large {
    /// The broker was asked to leave out what is larger than this, in bytes.
    LeftOut(u32),
    /// Nothing, as this version of the protocol has no means for it.
    NoMeans,
    /// They are waited for.
    WaitedFor {
        /// For how many milliseconds at most.
        ms: u64,
        /// Whether they could be left out.
        has_means: bool,
    },
}

/// A subscription, and what the broker says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribed {
    /// What was asked for.
    pub subscription: Subscription,
    /// The answer; none as long as it has not come.
    pub answer: Option<Answer>,
}

/// What the broker says of a subscription (MQTT 5.0 §3.9.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The QoS that it grants.
    Granted(u8),
    /// It refuses; with the reason.
    Refused(Reason),
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Problem {
    /// The page was asked to end it.
    Asked,
    /// This address is not one that a WebSocket can be opened to.
    Address(String),
    /// What the broker is to be told can't be said; with what it is.
    Options(Fault),
    /// Nothing answered: no broker there, or the network is down.
    Unreachable {
        /// Whether it was to be encrypted: then it may also be a certificate that the browser does not
        /// trust, which it does not tell a page.
        is_secure: bool,
    },
    /// What answered takes WebSockets, and has no MQTT for them.
    NoMqtt,
    /// What answered sends text, where MQTT is bytes.
    Text,
    /// The broker closed the connection instead of answering CONNECT.
    Unanswered,
    /// There is no answer any more, or none in time.
    Silent,
    /// The connection ended without a word.
    Lost,
    /// The broker does not speak this version of the protocol.
    Version,
    /// The broker refused the connection, or ended it, with this reason.
    Refused(String),
    /// The broker only takes who has a name that it knows.
    SignIn {
        /// The one that it was told, which it does not take; empty where it was told none.
        name: String,
    },
    /// The broker broke the protocol; with what was wrong.
    Malformed(Fault),
}

/// What was counted since the page was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Messages that arrived.
    pub messages: u64,
    /// Messages in the last second.
    pub per_second: u32,
    /// Topics that are kept.
    pub topics: u32,
    /// Topics that match what the board is searched for and wait, as it holds still.
    pub newcomers: u32,
    /// Messages of topics for which there was no room.
    pub messages_not_kept: u64,
    /// Payloads of which just the beginning is kept.
    pub payloads_cut: u64,
    /// Points of history that went to make room.
    pub points_dropped: u64,
    /// Messages that left the log to make room.
    pub log_dropped: u64,
    /// Memory that the store takes, in bytes.
    pub bytes: u64,
    /// Memory that it may take, in bytes.
    pub bytes_max: u64,
    /// What all sparklines show, in milliseconds up to now.
    pub span_ms: u32,
}

/// Which cards there are, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Board {
    /// The cards by group.
    pub groups: Vec<Group>,
    /// How many cards match, shown or not.
    pub matching: u32,
}

/// Cards whose topics begin alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The beginning; empty for topics of one level.
    pub prefix: String,
    /// The cards.
    pub cards: Vec<Title>,
}

/// The part of a card that never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Title {
    /// The topic's number.
    pub id: TopicId,
    /// The topic.
    pub topic: String,
    /// The topic as a person reads it.
    pub name: String,
}

/// The part of a card that each message changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The topic's number.
    pub id: TopicId,
    /// The value.
    pub value: Value,
    /// When it arrived, in milliseconds since 1970.
    pub at_ms: f64,
    /// Whether the broker had stored it, so that it may be older.
    pub retained: bool,
    /// After how many milliseconds without a message the value is stale.
    pub stale_after_ms: Option<f64>,
    /// How many messages have come.
    pub count: u64,
}

/// A value, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// No bytes.
    Empty,
    /// A number as it was written.
    Number {
        /// The digits.
        text: String,
        /// The unit, where it is known.
        unit: Option<String>,
        /// A large quantity in words.
        glance: Option<String>,
    },
    /// On or off.
    Flag {
        /// Which.
        on: bool,
        /// The word as it was written.
        text: String,
    },
    /// Text, or its beginning.
    Text {
        /// The text.
        text: String,
        /// The length of the payload in bytes, where just its beginning is shown.
        cut_from: Option<u64>,
    },
    /// JSON, or what was read as JSON.
    Json {
        /// Its first leaves: path and value.
        members: Vec<(String, String)>,
        /// How many further leaves there are.
        more: u32,
    },
    /// A picture, for the browser to decode.
    Image {
        /// Its media type.
        media_type: String,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Bytes that are no text.
    Binary {
        /// The first bytes in hexadecimal digits.
        hex: String,
        /// How many bytes there are.
        len: u64,
    },
}

/// The lines of a card.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Line {
    /// The topic's number.
    pub id: TopicId,
    /// That of its numbers.
    pub course: Course,
    /// Those of the numbers inside its payload, with their paths.
    pub members: Vec<(String, Course)>,
}

/// Numbers over the time that the cards show.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Course {
    /// What to draw.
    pub sparkline: Sparkline,
    /// The lowest number in it, as it was written; empty where there is none.
    pub low: String,
    /// Their mean.
    pub mean: String,
    /// The highest.
    pub high: String,
}

/// The rows of the tree of topics that the page looks at.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Tree {
    /// Which row of all the first one is.
    pub first: u32,
    /// How many rows there are in all.
    pub total: u32,
    /// How many topics match the search.
    pub matching: u32,
    /// How many topics there are.
    pub topics: u32,
    /// The rows.
    pub rows: Vec<Row>,
    /// The node that the person is at.
    pub active: Option<NodeId>,
    /// Which row of all that is; none where it is hidden.
    pub active_row: Option<u32>,
    /// Its levels from the top, joined.
    pub active_path: Option<String>,
    /// Counts the steps: with each, the page brings the active row into sight.
    pub steps: u32,
}

/// A row of the tree of topics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its node.
    pub node: NodeId,
    /// How many levels are above it.
    pub depth: u16,
    /// Its place among its siblings, from 1.
    pub position: u32,
    /// How many siblings there are, with it.
    pub siblings: u32,
    /// The level, or the whole topic in a list without branches.
    pub name: String,
    /// Whether its children are shown; none where it has none.
    pub is_open: Option<bool>,
    /// Topics in it, where it has children.
    pub topics: u32,
    /// Messages of all topics in it.
    pub messages: u64,
    /// Messages in ten seconds; none as long as that is not known.
    pub rate_tenths: Option<u32>,
    /// The last value of the topic that ends here, in one line.
    pub value: Option<String>,
    /// Whether the broker holds a retained message of that topic.
    pub is_kept: bool,
    /// When the last value came, in milliseconds since 1970.
    pub at_ms: Option<f64>,
}

/// The node that the tree is at: a branch, a topic, or both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// The node.
    pub node: NodeId,
    /// Its levels from the top, joined.
    pub path: String,
    /// Topics in it.
    pub topics: u32,
    /// Topics in it of which the broker holds a retained message.
    pub retained: u32,
    /// Messages of all of them.
    pub messages: u64,
    /// Messages in ten seconds; none as long as that is not known.
    pub rate_tenths: Option<u32>,
    /// The topic that ends here, if there is one.
    pub topic: Option<Box<TopicInFull>>,
    /// What is below it, each named from here on: all topics where these are few, else its own branches.
    pub below: Vec<Row>,
    /// How many of those there are in all.
    pub below_total: u32,
}

/// One topic in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopicInFull {
    /// Messages that have come.
    pub count: u64,
    /// The usual time between two of them, in milliseconds.
    pub interval_ms: Option<f64>,
    /// Whether the broker holds a retained message.
    pub is_kept: bool,
    /// One message, the last unless another was chosen; none where the log has let go of it.
    pub message: Option<MessageInFull>,
    /// The newest messages.
    pub history: Vec<HistoryRow>,
    /// Whether there are older ones.
    pub has_more: bool,
    /// Where the numbers of the last payload are.
    pub paths: Vec<String>,
}

/// A message with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageInFull {
    /// Its number in the log.
    pub seq: Seq,
    /// When it arrived, in milliseconds since 1970.
    pub at_ms: f64,
    /// The QoS it was delivered with.
    pub qos: u8,
    /// The RETAIN flag.
    pub retain: bool,
    /// Whether a newer one has come.
    pub is_older: bool,
    /// The length of its payload in bytes.
    pub payload_len: u64,
    /// How much of it is kept.
    pub kept_len: u64,
    /// Its properties by name.
    pub properties: Vec<(String, String)>,
    /// The forms that the payload has.
    pub formats: Vec<Format>,
    /// The form that it is shown in.
    pub format: Format,
    /// The payload in that form.
    pub payload: Formatted,
    /// The bytes themselves, where the page has to find out what they say.
    pub binary: Option<Binary>,
}

/// A payload for the page to decode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binary {
    /// All of its bytes; none where just the beginning is kept.
    pub payload: Option<Vec<u8>>,
    /// The birth certificate that goes before it, on a topic of Sparkplug B.
    pub birth: Option<Vec<u8>>,
}

/// A message of a topic's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// Its number in the log.
    pub seq: Seq,
    /// When it arrived, in milliseconds since 1970.
    pub at_ms: f64,
    /// The RETAIN flag.
    pub retain: bool,
    /// The payload in one line.
    pub value: String,
    /// Whether it says the same as the one before.
    pub is_same: bool,
    /// The members that are different from the one before.
    pub changes: Vec<Difference>,
    /// How many more there are.
    pub more: u32,
}

/// A member that is different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Where it is.
    pub path: String,
    /// What stood there before.
    pub from: Option<String>,
    /// What stands there now.
    pub to: Option<String>,
}

/// What is to be seen in a slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Sight {
    /// Numbers over time.
    Chart(Chart),
    /// Last values, in the order in which they were asked for; none of what is not there.
    Values(Vec<Option<Card>>),
    /// The last messages of a topic, the newest first.
    Recent(Vec<MessageRow>),
    /// Where the values inside a topic's payload are, and whether each is a number.
    Paths(Vec<(String, bool)>),
}

/// A chart, ready to be drawn. All times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// The left edge.
    pub from_ms: f64,
    /// The right edge.
    pub to_ms: f64,
    /// The oldest number that is known of any of its lines, shown or not.
    pub oldest_ms: Option<f64>,
    /// The width that the slices are counted in.
    pub width: u16,
    /// The lines, in the order in which they were asked for.
    pub series: Vec<Series>,
}

/// One line of a chart.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Series {
    /// The unit, where it is known.
    pub unit: Option<String>,
    /// The numbers, column by column.
    pub slices: Vec<Slice>,
    /// Where the line comes from.
    pub before: Option<Neighbor>,
    /// Where it goes to.
    pub behind: Option<Neighbor>,
    /// What they have in common; none where there is no number.
    pub summary: Option<Summary>,
}

impl Series {
    /// The line through a span of a history whose clock began at `began_ms`.
    pub fn new(
        history: &History,
        span: Span,
        gaps: &Gaps,
        apart_ms_max: f64,
        began_ms: f64,
        unit: Option<String>,
    ) -> Self {
        let mut slices = history.slices(span, gaps, apart_ms_max);
        for slice in &mut slices {
            slice.from_ms += began_ms;
            slice.to_ms += began_ms;
        }
        let (before, behind) = history.neighbors(span, gaps, apart_ms_max);
        let since_1970 = |n: Neighbor| Neighbor { at_ms: n.at_ms + began_ms, ..n };
        Self {
            unit,
            summary: history::summary(&slices),
            slices,
            before: before.map(since_1970),
            behind: behind.map(since_1970),
        }
    }
}

/// The rows of the live log that the page looks at, the newest first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Messages {
    /// Which row of all the first one is.
    pub first: u32,
    /// How many rows there are in all.
    pub total: u32,
    /// How many messages the log holds.
    pub kept: u64,
    /// How many have left it to make room.
    pub gone: u64,
    /// How many have come since it holds still.
    pub new: u64,
    /// Whether part of the log is still to be searched through.
    pub is_searching: bool,
    /// The rows.
    pub rows: Vec<MessageRow>,
}

/// A row of the live log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageRow {
    /// The message's number in the log.
    pub seq: Seq,
    /// When it arrived, in milliseconds since 1970.
    pub at_ms: f64,
    /// Its topic.
    pub topic: String,
    /// Its payload in one line.
    pub value: String,
    /// The length of the payload in bytes.
    pub len: u64,
    /// The QoS it was delivered with.
    pub qos: u8,
    /// The RETAIN flag.
    pub retain: bool,
}

/// What is new of what the broker tells of itself, under `$SYS`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sys {
    /// Whether the broker tells it at all.
    pub state: SysState,
    /// Whether all that the page had before is to be forgotten.
    pub is_first: bool,
    /// The topics that are new; they are numbered from 0 as they come.
    pub topics: Vec<String>,
    /// The messages that are new, in the order in which they came.
    pub said: Vec<Said>,
    /// Messages of topics for which there was no room.
    pub not_kept: u64,
}

/// Whether the broker tells of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum SysState {
    /// It has not answered.
    #[default]
    Waiting,
    /// It has agreed to; whether it has anything to tell is seen when it comes.
    Subscribed,
    /// It refuses, with this reason.
    Refused(Reason),
}

/// A message of the broker's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// The number of its topic.
    pub topic: TopicId,
    /// When it came, in milliseconds since 1970.
    pub at_ms: f64,
    /// Its payload.
    pub text: String,
    /// Whether the broker had it stored, so that it is older than that.
    pub retained: bool,
}

/// What the page shows of the packets of the connection.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WireView {
    /// The types to be shown: a bit for each by its number; 0 for all.
    pub kinds: u16,
    /// Just those that were sent, or just those that were received.
    pub is_sent: Option<bool>,
    /// Whether the list holds still, so that new packets wait.
    pub is_held: bool,
    /// The first row.
    pub first: u32,
    /// How many rows.
    pub len: u32,
    /// The packet of which all bytes are shown.
    pub chosen: Option<u64>,
}

/// The packets of the connection that the page looks at, the newest first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Wire {
    /// Which row of all the first one is.
    pub first: u32,
    /// How many rows there are in all.
    pub total: u32,
    /// How many packets are kept.
    pub kept: u64,
    /// How many have gone to make room.
    pub dropped: u64,
    /// How many have come since the list holds still.
    pub new: u64,
    /// The rows.
    pub rows: Vec<WireRow>,
    /// The packet that was chosen, if it is still there.
    pub chosen: Option<WirePacket>,
}

/// A row of the list of packets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WireRow {
    /// Its number.
    pub seq: u64,
    /// When it was sent or received, in milliseconds since 1970.
    pub at_ms: f64,
    /// Whether it was sent.
    pub is_sent: bool,
    /// The protocol level of its connection: 3, 4 or 5.
    pub level: u8,
    /// Its length in bytes.
    pub len: u64,
    /// Its first bytes.
    pub head: Vec<u8>,
}

/// A packet with its bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WirePacket {
    /// What its row says.
    pub row: WireRow,
    /// Its bytes, as many as are kept.
    pub bytes: Vec<u8>,
}

/// Part of a list of retained messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetainedPart {
    /// The branch.
    pub path: String,
    /// Whether it is the first part.
    pub is_first: bool,
    /// Whether it is the last.
    pub is_last: bool,
    /// The messages.
    pub messages: Vec<Retained>,
}

/// A retained message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retained {
    /// Its topic.
    pub topic: String,
    /// Its payload; none where there is no whole copy of the message.
    pub payload: Option<Vec<u8>>,
    /// Its properties.
    pub properties: Properties,
}

/// A file that the engine has made; the browser has its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Counts the files.
    pub number: u32,
    /// Where its bytes are.
    pub url: String,
    /// What it is to be called.
    pub name: String,
}

/// A message that is published again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeating {
    /// Where.
    pub topic: String,
    /// How many times so far.
    pub count: u64,
}

/// What is recorded and replayed, if anything is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tape {
    /// How the recording is.
    pub recording: Option<Recording>,
    /// How the replaying is.
    pub replaying: Option<Replaying>,
}

/// How a recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Recording {
    /// Messages in it.
    pub messages: u64,
    /// How large it is, in bytes.
    pub bytes: u64,
    /// Messages for which there was no room.
    pub left_out: u64,
    /// Whether it takes no more.
    pub is_full: bool,
}

/// How far a recording is replayed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Replaying {
    /// Messages that the broker has taken: acknowledged, or with QoS 0 handed to the network.
    pub taken: u64,
    /// Messages that are on their way to it.
    pub under_way: u64,
    /// Messages that could not be sent, or were refused.
    pub failed: u64,
    /// Why the last of them was.
    pub failure: Option<Failure>,
    /// Messages that wait until they are due.
    pub waiting: u32,
    /// Whether a person paused it.
    pub is_paused: bool,
    /// Why it waits by itself, if it does.
    pub held: Option<Failure>,
    /// Whether the broker has taken all, but for what failed.
    pub is_done: bool,
}

/// What became of a message to be published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The page's own number for it.
    pub ticket: u32,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a message to be published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It left with QoS 0, which is never acknowledged.
    Sent,
    /// It waits for the broker's acknowledgement.
    Waiting,
    /// The broker has it.
    Acknowledged,
    /// It was not published; with the reason.
    Failed(Failure),
}

/// Why a message was not published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// There is no topic.
    TopicEmpty,
    /// The topic holds a wildcard.
    TopicWildcard,
    /// The topic is longer than a packet can say, or holds U+0000.
    TopicText,
    /// A property can't be sent like this; with the reason.
    Property(Fault),
    /// There is no connection.
    Offline,
    /// Too many wait already.
    Busy,
    /// The broker refused it, or does not take such messages; with the reason.
    Refused(Reason),
    /// The connection was lost before the broker acknowledged it, and the session with it.
    Lost,
}

/// Writes a message into a buffer of its own.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    // These types hold nothing that has no form in postcard, so an empty buffer never leaves here;
    // if one did, the other side would refuse it as it refuses anything else it can't read.
    postcard::to_allocvec(message).unwrap_or_default()
}

/// Reads a message, or the beginning of one.
///
/// # Errors
/// The buffer holds no such message: page and engine are not of the same build.
pub fn decode<T: DeserializeOwned>(buffer: &[u8]) -> Result<T, String> {
    postcard::from_bytes(buffer).map_err(|error| error.to_string())
}

/// Reads the beginning of a message; says which bytes come after it.
///
/// # Errors
/// The buffer holds no such message: page and engine are not of the same build.
pub fn decode_beginning<T: DeserializeOwned>(buffer: &[u8]) -> Result<(T, &[u8]), String> {
    postcard::take_from_bytes(buffer).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn every_message_arrives_as_it_left() {
        for command in [
            Command::Open(Box::new(Connect::new("ws://localhost:9001/mqtt"))),
            Command::Subscribe(Subscription::new("a/#")),
            Command::SignIn(SignIn { username: "josé".into(), password: "ñ".into() }),
            Command::Board { search: "año +/#".into(), cards_max: 240 },
            Command::Watch { ids: vec![0, 7, u32::MAX], width: 300 },
            Command::Publish(Publish {
                ticket: 1,
                topic: "a".into(),
                payload: vec![0, 255],
                qos: 2,
                retain: true,
                properties: Properties { expiry_s: Some(7), ..Properties::default() },
            }),
            Command::Topics(TopicsView { sort: Sort::Rate, len: 40, ..TopicsView::default() }),
            Command::Step(Step::Topic("a/b".into())),
            Command::Painted,
        ] {
            assert_eq!(decode::<Command>(&encode(&command)), Ok(command));
        }
        let report = Report::Frame(Box::new(Frame {
            connection: Some(Connection::Offline {
                problem: Problem::Unreachable { is_secure: true },
                retry_at_ms: Some(1.5e12),
            }),
            published: vec![Published { ticket: 1, outcome: Outcome::Failed(Failure::Lost) }],
            ..Frame::default()
        }));
        assert_eq!(decode::<Report>(&encode(&report)), Ok(report));
    }

    #[test]
    fn who_reads_the_beginning_of_a_frame_need_not_know_its_rest() {
        let (connection, counters) = (Some(Connection::Connecting), Some(Counters::default()));
        let board = Some(Board { matching: 7, ..Board::default() });
        let cards = vec![Card {
            id: 1,
            value: Value::Empty,
            at_ms: 1.0,
            retained: true,
            stale_after_ms: None,
            count: 2,
        }];
        let frame = Frame {
            connection: connection.clone(),
            counters,
            board: board.clone(),
            cards: cards.clone(),
            tree: Some(Tree { total: 9, ..Tree::default() }),
            repeating: Some(None),
            ..Frame::default()
        };
        let head = Head { connection, counters, board, cards, ..Head::default() };
        assert_eq!(
            decode::<Beginning>(&encode(&Report::Frame(Box::new(frame)))),
            Ok(Beginning::Frame(Box::new(head)))
        );
        assert_eq!(decode::<Beginning>(&encode(&Report::Ready)), Ok(Beginning::Ready));
    }

    #[test]
    fn the_second_program_is_told_what_its_pages_show_and_no_more() {
        let concerns = |frame: Frame| {
            let bytes = encode(&Report::Frame(Box::new(frame)));
            match decode_beginning::<Beginning>(&bytes) {
                Ok((Beginning::Frame(head), rest)) => head.concerns_rooms(rest),
                other => panic!("{other:?}"),
            }
        };
        let board = Frame { board: Some(Board::default()), ..Frame::default() };
        let line = Line { id: 3, course: Course::default(), members: Vec::new() };
        let lines = Frame { lines: vec![line], ..Frame::default() };
        assert!(!concerns(board) && !concerns(lines));
        let parts: &[fn(&mut Frame)] = &[
            |frame| frame.connection = Some(Connection::Connecting),
            |frame| frame.subscriptions = Some(Vec::new()),
            |frame| frame.counters = Some(Counters::default()),
            |frame| frame.tree = Some(Tree::default()),
            |frame| frame.messages = Some(Messages::default()),
            |frame| frame.sights = vec![(0, Sight::Values(Vec::new()))],
            |frame| frame.repeating = Some(None),
            |frame| frame.found = Some(Vec::new()),
        ];
        for (index, part) in parts.iter().enumerate() {
            let mut frame = Frame::default();
            part(&mut frame);
            assert!(concerns(frame), "part {index}");
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let good = encode(&Command::Watch { ids: vec![1, 2, 3], width: 300 });
        for end in 0..good.len() {
            assert!(decode::<Command>(&good[..end]).is_err(), "{end} bytes");
        }
        assert!(decode::<Command>(&[0xff; 8]).is_err());
    }
}
