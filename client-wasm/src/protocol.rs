//! What the page and the engine in its worker say to each other: both sides share these types.
//!
//! The page sends [`Command`]s, the engine sends [`Report`]s; each travels as one buffer in postcard's
//! format. The engine sends one [`Frame`], then waits for [`Command::Painted`]: so the page gets at
//! most one update per frame, and a page that isn't painted costs nothing.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::history::Sparkline;
use crate::store::TopicId;

/// What the page asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Connect to the broker at this WebSocket address, and stay connected.
    Open {
        /// Such as `ws://localhost:9001/mqtt`.
        url: String,
    },
    /// Don't wait for the next attempt to connect: try now.
    TryNow,
    /// Connect again, with this name.
    SignIn(SignIn),
    /// Show the cards that match the search, and no more than so many.
    Board {
        /// Words that are all in the topic, or a topic filter; empty for every card.
        search: String,
        /// How many cards at most.
        cards_max: u32,
    },
    /// The board is not on the screen any more.
    CloseBoard,
    /// Send the changes of these cards, and of no others.
    Watch {
        /// The cards on the screen.
        ids: Vec<TopicId>,
        /// How wide their sparklines are, in pixels of the screen.
        width: u16,
    },
    /// Publish a message.
    Publish(Publish),
    /// The last frame is on the screen: the next may come.
    Painted,
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
}

/// What the engine answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Report {
    /// The engine runs and takes commands.
    Ready,
    /// What has changed of what the page looks at.
    Frame(Box<Frame>),
}

/// Everything that changed since the frame before; a part that did not is not there.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Frame {
    /// The state of the connection.
    pub connection: Option<Connection>,
    /// What was counted.
    pub counters: Option<Counters>,
    /// Which cards there are.
    pub board: Option<Board>,
    /// Cards with a new value.
    pub cards: Vec<Card>,
    /// Lines that have moved.
    pub lines: Vec<Line>,
    /// What became of messages to be published.
    pub published: Vec<Published>,
}

impl Frame {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.connection.is_none()
            && self.counters.is_none()
            && self.board.is_none()
            && self.cards.is_empty()
            && self.lines.is_empty()
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
        /// Why the broker does not let this client subscribe, where it does not.
        not_subscribed: Option<String>,
    },
    /// Not connected.
    Offline {
        /// Why.
        problem: Problem,
        /// When the next attempt begins; none where another would end alike.
        retry_at_ms: Option<f64>,
    },
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Problem {
    /// The address is not one that a WebSocket can be opened to; with the browser's words.
    Address(String),
    /// Nothing answered: no broker there, or the network is down.
    Unreachable,
    /// There is no answer any more, or none in time.
    Silent,
    /// The connection ended without a word.
    Lost,
    /// The broker refused the connection, or ended it, with this reason.
    Refused(String),
    /// The broker only takes who has a name that it knows.
    SignIn {
        /// Whether it was told one, which it does not take.
        refused: bool,
    },
    /// The broker broke the protocol; with what was wrong.
    Malformed(String),
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
    /// Messages of topics for which there was no room.
    pub messages_not_kept: u64,
    /// Payloads of which just the beginning is kept.
    pub payloads_cut: u64,
    /// Points of history that went to make room.
    pub points_dropped: u64,
    /// Memory that the store takes, in bytes.
    pub bytes: u64,
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
    /// JSON.
    Json {
        /// Its first leaves: path and value.
        members: Vec<(String, String)>,
        /// How many further leaves there are.
        more: u32,
    },
    /// Bytes that are no text.
    Binary {
        /// The first bytes in hexadecimal digits.
        hex: String,
        /// How many bytes there are.
        len: u64,
    },
}

/// The line of a card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The topic's number.
    pub id: TopicId,
    /// What to draw.
    pub sparkline: Sparkline,
    /// The lowest number in it, as it was written.
    pub low: String,
    /// The highest.
    pub high: String,
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
    /// There is no connection.
    Offline,
    /// Too many wait already.
    Busy,
    /// The broker refused it; with its reason.
    Refused(String),
    /// The connection was lost before the broker acknowledged it, and the session with it.
    Lost,
}

/// Writes a message into a buffer of its own.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    // These types hold nothing that has no form in postcard, so an empty buffer never leaves here;
    // if one did, the other side would refuse it as it refuses anything else it can't read.
    postcard::to_allocvec(message).unwrap_or_default()
}

/// Reads a message.
///
/// # Errors
/// The buffer holds no such message: page and engine are not of the same build.
pub fn decode<T: DeserializeOwned>(buffer: &[u8]) -> Result<T, String> {
    postcard::from_bytes(buffer).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn every_message_arrives_as_it_left() {
        for command in [
            Command::Open { url: "ws://localhost:9001/mqtt".into() },
            Command::SignIn(SignIn { username: "josé".into(), password: "ñ".into() }),
            Command::Board { search: "año +/#".into(), cards_max: 240 },
            Command::Watch { ids: vec![0, 7, u32::MAX], width: 300 },
            Command::Publish(Publish {
                ticket: 1,
                topic: "a".into(),
                payload: vec![0, 255],
                qos: 2,
                retain: true,
            }),
            Command::Painted,
        ] {
            assert_eq!(decode::<Command>(&encode(&command)), Ok(command));
        }
        let report = Report::Frame(Box::new(Frame {
            connection: Some(Connection::Offline {
                problem: Problem::Unreachable,
                retry_at_ms: Some(1.5e12),
            }),
            published: vec![Published { ticket: 1, outcome: Outcome::Failed(Failure::Lost) }],
            ..Frame::default()
        }));
        assert_eq!(decode::<Report>(&encode(&report)), Ok(report));
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
