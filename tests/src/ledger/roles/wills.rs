//! Clients that die and leave a will, with a delay in which they may come back, and a witness who hears
//! what is published. The broker's own death ends a connection too, and takes no will with it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use codec::QoS;

use crate::ledger::book::{Book, Kind, Moment};
use crate::ledger::client::{Client, Event};
use crate::ledger::roles::{Role, Scene, keep_open};

/// What stands before the name of who left a will.
const PREFIX: &str = "will/";
/// The Will Delay Interval of those who come back at once, in seconds.
const LONG_DELAY_S: u32 = 4;
/// The Will Delay Interval of those who wait for their wills, in seconds.
const SHORT_DELAY_S: u32 = 1;
/// How much before the end of its delay a will may be published: the broker counts whole seconds.
const DELAY_MARGIN: Duration = Duration::from_secs(2);

/// What became of a will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It may be published.
    Open,
    /// It must be published, since the connection ended then.
    Due(Moment),
    /// Its client was back in time.
    Revoked(Moment),
    /// It was published.
    Published(Moment),
}

/// The ledger of wills.
#[derive(Default)]
pub struct Wills {
    states: HashMap<String, State>,
}

impl Wills {
    fn is_published(&self, will: &str) -> bool {
        matches!(self.states.get(will), Some(State::Published(_)))
    }

    fn set(&mut self, will: &str, state: State) {
        if !self.is_published(will) {
            self.states.insert(will.to_owned(), state);
        }
    }

    fn came(&mut self, will: &str, qos: QoS, book: &mut Book) {
        let now = book.moment();
        let before = self.states.get(will).copied();
        match before {
            None => book.violation(Kind::Garbled, format!("nobody left the will {will:?}")),
            Some(State::Published(first)) => {
                let story = format!("the will {will:?} came {first}, and once more {now}");
                book.violation(Kind::Twice, story);
            }
            Some(State::Revoked(back)) => {
                let story = format!("the will {will:?} came {now}, but its client was back {back}");
                book.violation(Kind::Will, story);
            }
            Some(State::Open | State::Due(_)) => {}
        }
        if qos != QoS::ExactlyOnce {
            book.violation(Kind::Will, format!("the will {will:?} came with {qos:?}"));
        }
        book.counts.wills += 1;
        self.states.insert(will.to_owned(), State::Published(now));
    }
}

/// A client that leaves wills.
pub struct Mourned {
    name: String,
    number: u64,
    /// Whether it comes back at once; else when its will was published.
    returns: bool,
    /// The will of the connection before, while it comes back.
    left: Option<String>,
    next: Option<Instant>,
}

impl Mourned {
    /// A client of this name; it `returns` at once, or else when its will was published.
    #[must_use]
    pub fn new(name: &str, returns: bool) -> Self {
        Self { name: name.to_owned(), number: 0, returns, left: None, next: None }
    }

    fn delay_s(&self) -> u32 {
        if self.returns { LONG_DELAY_S } else { SHORT_DELAY_S }
    }

    /// The will of the connection that there is, or was last.
    fn will(&self) -> String {
        format!("{} {}", self.name, self.number)
    }

    fn come(&mut self, client: &mut Client, scene: &mut Scene) {
        if !scene.is_up {
            return;
        }
        self.number += 1;
        let will = self.will();
        scene.wills.set(&will, State::Open);
        client.settings.will = Some((format!("{PREFIX}{}", self.name), will, self.delay_s()));
        client.open(scene.port);
    }
}

impl Role for Mourned {
    fn act(&mut self, client: &mut Client, scene: &mut Scene) {
        if client.is_connected() {
            if !scene.is_calm && self.next.is_some_and(|next| next <= scene.now) {
                client.close(false);
            }
        } else if !client.is_open() {
            let waits = |left: &String| !self.returns && !scene.wills.is_published(left);
            if !self.left.as_ref().is_some_and(waits) {
                self.come(client, scene);
            }
        }
    }

    fn on(&mut self, client: &mut Client, event: Event, scene: &mut Scene) {
        let moment = scene.book.moment();
        match event {
            Event::Connected { .. } => {
                let delay =
                    Duration::from_secs(u64::from(self.delay_s())).saturating_sub(DELAY_MARGIN);
                let away = client.lost_at().map(|lost| lost.elapsed());
                if let Some(left) = self.left.take()
                    && away.is_some_and(|away| away < delay)
                {
                    scene.wills.set(&left, State::Revoked(moment));
                }
                self.next = Some(scene.after_ms(20..500));
            }
            Event::Lost if self.next.take().is_some() => {
                let will = self.will();
                if !self.returns {
                    scene.wills.set(&will, State::Due(moment));
                }
                self.left = Some(will);
            }
            _ => {}
        }
    }

    fn judge(&mut self, client: &Client, scene: &mut Scene) {
        if client.is_connected() {
            return;
        }
        let state = self.left.as_ref().and_then(|left| scene.wills.states.get(left));
        let story = match state {
            Some(State::Due(since)) => format!(
                "the will {:?}, due {} s after its connection ended {since}, was not published",
                self.left.as_deref().unwrap_or_default(),
                self.delay_s(),
            ),
            _ => format!("{} does not get in any more", self.name),
        };
        scene.book.violation(Kind::Will, story);
    }
}

/// Hears all wills.
#[derive(Default)]
pub struct Witness {
    is_asking: bool,
    has_subscribed: bool,
}

impl Role for Witness {
    fn act(&mut self, client: &mut Client, scene: &mut Scene) {
        keep_open(client, scene);
        if client.is_connected() && !self.has_subscribed && !self.is_asking {
            client.subscribe(&[format!("{PREFIX}#")]);
            self.is_asking = true;
        }
    }

    fn on(&mut self, _: &mut Client, event: Event, scene: &mut Scene) {
        match event {
            Event::Subscribed(_) => self.has_subscribed = true,
            Event::Lost => self.is_asking = false,
            Event::Message { payload, qos, .. } => {
                let will = String::from_utf8_lossy(&payload).into_owned();
                scene.wills.came(&will, qos, &mut scene.book);
            }
            _ => {}
        }
    }

    fn is_ready(&self) -> bool {
        self.has_subscribed
    }
}
