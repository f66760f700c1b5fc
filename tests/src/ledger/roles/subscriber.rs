//! Takes all that is published, at once, slowly, or now and then; alone or as a member of a group.

use std::time::Instant;

use codec::PacketId;

use crate::ledger::book::{StreamNumber, TakerNumber};
use crate::ledger::client::{Client, Event};
use crate::ledger::roles::{Role, Scene, keep_open};

/// When a subscriber is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Always, as far as the broker is.
    Stays,
    /// A moment now and then.
    Visits,
}

/// A subscriber with a session that lasts.
pub struct Subscriber {
    taker: TakerNumber,
    filters: Vec<String>,
    streams: Vec<StreamNumber>,
    habit: Habit,
    asked: Option<PacketId>,
    has_subscribed: bool,
    /// When it comes, or goes.
    next: Option<Instant>,
}

impl Subscriber {
    /// A subscriber to these filters.
    #[must_use]
    pub fn new(taker: TakerNumber, filters: &[&str], habit: Habit, scene: &Scene) -> Self {
        Self {
            taker,
            filters: filters.iter().map(|filter| (*filter).to_owned()).collect(),
            streams: filters.iter().flat_map(|filter| scene.streams_of(filter)).collect(),
            habit,
            asked: None,
            has_subscribed: false,
            next: None,
        }
    }

    fn come_and_go(&mut self, client: &mut Client, scene: &mut Scene) {
        if self.next.is_some_and(|next| scene.now < next) {
            return;
        }
        if client.is_connected() && self.has_subscribed {
            client.close(scene.rng.bool());
            self.next = Some(scene.after_ms(20..900));
        } else if !client.is_open() {
            keep_open(client, scene);
            self.next = Some(scene.after_ms(10..300));
        }
    }
}

impl Role for Subscriber {
    fn act(&mut self, client: &mut Client, scene: &mut Scene) {
        if scene.is_calm {
            client.hurry(scene.now);
        }
        if self.habit == Habit::Visits && scene.is_ready && !scene.is_calm {
            self.come_and_go(client, scene);
        } else {
            keep_open(client, scene);
        }
        if !self.has_subscribed && self.asked.is_none() && client.is_connected() {
            scene.book.subscribe_sent(self.taker, &self.streams);
            self.asked = Some(client.subscribe(&self.filters));
        }
    }

    fn on(&mut self, client: &mut Client, event: Event, scene: &mut Scene) {
        match event {
            Event::Subscribed(_) => {
                scene.book.subscribed(self.taker, &self.streams);
                self.has_subscribed = true;
            }
            Event::Lost => self.asked = None,
            Event::Message { topic, payload, qos, is_unmarked } => {
                if is_unmarked {
                    scene.book.came_unmarked(&payload);
                }
                scene.book.came(self.taker, &client.settings.name, &topic, &payload, qos);
            }
            _ => {}
        }
    }

    fn is_ready(&self) -> bool {
        self.has_subscribed
    }
}
