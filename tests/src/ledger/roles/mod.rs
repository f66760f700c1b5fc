//! What the clients of a ledger do: each has one of these roles.

mod lives;
mod publisher;
mod retained;
mod sleeper;
mod subscriber;
mod wills;

use std::time::{Duration, Instant};

use codec::{TopicFilter, TopicName};

use crate::ledger::book::{Book, StreamNumber};
use crate::ledger::client::{Client, Event};

pub use lives::Lives;
pub use publisher::Publisher;
pub use retained::{Keeper, Reader, Retained};
pub use sleeper::Sleeper;
pub use subscriber::{Habit, Subscriber};
pub use wills::{Mourned, Wills, Witness};

/// What a role sees and writes down.
pub struct Scene {
    /// The ledger of messages.
    pub book: Book,
    /// The ledger of retained messages.
    pub retained: Retained,
    /// The ledger of wills.
    pub wills: Wills,
    /// Where all chance comes from.
    pub rng: fastrand::Rng,
    /// Where the broker listens.
    pub port: u16,
    /// The time of this turn.
    pub now: Instant,
    /// Whether there is a broker to connect to.
    pub is_up: bool,
    /// Whether all who are to get everything have subscribed.
    pub is_ready: bool,
    /// Whether a checkpoint is due: nothing new begins, and all that is owed is to come.
    pub is_calm: bool,
}

impl Scene {
    /// Some time from now.
    fn after_ms(&mut self, range: std::ops::Range<u64>) -> Instant {
        self.now + Duration::from_millis(self.rng.u64(range))
    }

    /// The streams whose topics match.
    fn streams_of(&self, filter: &str) -> Vec<StreamNumber> {
        let filter = TopicFilter::new(filter).unwrap();
        let filter = TopicFilter::new(filter.matching_part()).unwrap();
        let matches = |stream: &StreamNumber| {
            filter.matches(&TopicName::new(self.book.of_stream(*stream).0).unwrap())
        };
        self.book.all_streams().filter(matches).collect()
    }
}

/// What a client does, and how it takes what happens.
pub trait Role {
    /// Its turn.
    fn act(&mut self, client: &mut Client, scene: &mut Scene);

    /// Something happened to its client.
    fn on(&mut self, client: &mut Client, event: Event, scene: &mut Scene);

    /// Whether all may begin that depends on it.
    fn is_ready(&self) -> bool {
        true
    }

    /// Whether, at a checkpoint, nothing more is to come of it.
    fn is_settled(&self, client: &Client) -> bool {
        client.is_connected()
    }

    /// At the end of a checkpoint, writes down what did not come.
    fn judge(&mut self, client: &Client, scene: &mut Scene) {
        if !client.is_connected() && scene.is_up {
            let story = format!("{} does not get in any more", client.settings.name);
            scene.book.violation(crate::ledger::book::Kind::Protocol, story);
        }
    }
}

/// Connects unless there is a connection.
fn keep_open(client: &mut Client, scene: &Scene) {
    if !client.is_open() && scene.is_up {
        client.open(scene.port);
    }
}
