//! Publishes as fast as it is acknowledged.

use crate::ledger::book::StreamNumber;
use crate::ledger::client::{Client, Event};
use crate::ledger::roles::{Role, Scene, keep_open};

/// How many messages it has on their way.
const WINDOW: usize = 20;
/// How many it sends in one turn.
const BURST: usize = 10;
/// How far the slowest subscriber may be behind.
const BACKLOG_MAX: i64 = 5_000;
/// One turn in how many ends with a failure of its network.
const TURNS_UNTIL_FAILURE: u32 = 2_000;

/// A publisher, and the streams that are its own.
pub struct Publisher {
    streams: Vec<StreamNumber>,
    /// Whether it has sent the last message of each stream before a checkpoint, behind which nothing of
    /// the stream is to come.
    has_closed: bool,
}

impl Publisher {
    /// A publisher of these streams.
    #[must_use]
    pub fn new(streams: Vec<StreamNumber>) -> Self {
        Self { streams, has_closed: false }
    }

    fn publish(client: &mut Client, stream: StreamNumber, scene: &mut Scene) {
        let (key, payload) = scene.book.send(stream);
        let (topic, qos) = scene.book.of_stream(stream);
        client.publish(topic, payload, qos, false, key);
    }
}

impl Role for Publisher {
    fn act(&mut self, client: &mut Client, scene: &mut Scene) {
        keep_open(client, scene);
        if !scene.is_ready {
            return;
        }
        if !scene.is_calm {
            self.has_closed = false;
            for _ in 0..scene.rng.usize(..=BURST) {
                if !client.can_publish(WINDOW) || scene.book.backlog() > BACKLOG_MAX {
                    break;
                }
                let stream = self.streams[scene.rng.usize(..self.streams.len())];
                Self::publish(client, stream, scene);
            }
            if client.is_connected() && scene.rng.u32(..TURNS_UNTIL_FAILURE) == 0 {
                client.close(false);
            }
        } else if !self.has_closed && client.is_connected() && client.sending() == 0 {
            for stream in &self.streams {
                Self::publish(client, *stream, scene);
            }
            self.has_closed = true;
        }
    }

    fn on(&mut self, _: &mut Client, event: Event, scene: &mut Scene) {
        match event {
            Event::Acknowledged(key) => scene.book.acknowledged(key),
            Event::Abandoned(key) => {
                scene.book.abandoned(key);
                self.has_closed = false;
            }
            _ => {}
        }
    }

    fn is_settled(&self, client: &Client) -> bool {
        client.is_connected() && self.has_closed && client.sending() == 0
    }
}
