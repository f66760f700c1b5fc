//! A client whose session lasts a few seconds, and who sleeps for a few, while the broker may or may not
//! be there. Its client holds Session Present against the clock.

use std::time::Instant;

use crate::ledger::client::{Client, Event};
use crate::ledger::roles::{Role, Scene, keep_open};

/// A client that comes back in time, or too late.
#[derive(Default)]
pub struct Sleeper {
    next: Option<Instant>,
}

impl Role for Sleeper {
    fn act(&mut self, client: &mut Client, scene: &mut Scene) {
        if self.next.is_some_and(|next| scene.now < next) {
            return;
        }
        if client.is_connected() {
            client.close(scene.rng.bool());
            self.next = Some(scene.after_ms(0..8_000));
        } else {
            keep_open(client, scene);
            self.next = Some(scene.after_ms(5..100));
        }
    }

    fn on(&mut self, _: &mut Client, _: Event, _: &mut Scene) {}

    fn is_settled(&self, _: &Client) -> bool {
        true
    }

    fn judge(&mut self, _: &Client, _: &mut Scene) {}
}
