//! A client of many lives: it subscribes and unsubscribes, and now and then begins anew with a clean
//! start, after which nothing of its life before may reach it.

use std::time::Instant;

use crate::ledger::book::{StreamNumber, TakerNumber};
use crate::ledger::client::{Client, Event};
use crate::ledger::roles::{Role, Scene, keep_open};

/// A request that is to be acknowledged, however often it must be made.
#[derive(Clone, Debug)]
enum Request {
    Subscribe(Vec<StreamNumber>),
    Unsubscribe(Vec<StreamNumber>),
}

/// A client of many lives.
pub struct Lives {
    taker: TakerNumber,
    streams: Vec<StreamNumber>,
    subscribed: Vec<StreamNumber>,
    request: Option<Request>,
    is_asking: bool,
    /// Whether its clean start is not acknowledged yet.
    is_beginning: bool,
    next: Option<Instant>,
}

impl Lives {
    /// A client before its first life, who may subscribe to any stream.
    #[must_use]
    pub fn new(taker: TakerNumber, scene: &Scene) -> Self {
        Self {
            taker,
            streams: scene.book.all_streams().collect(),
            subscribed: Vec::new(),
            request: None,
            is_asking: false,
            is_beginning: true,
            next: None,
        }
    }

    fn decide(&mut self, client: &mut Client, scene: &mut Scene) {
        self.next = Some(scene.after_ms(5..150));
        match scene.rng.u32(..10) {
            0 => {
                scene.book.clean_start_sent(self.taker);
                client.close(scene.rng.bool());
                client.settings.clean_start = true;
                self.is_beginning = true;
            }
            1 => client.close(scene.rng.bool()),
            2..6 if !self.subscribed.is_empty() => {
                let stream = self.subscribed[scene.rng.usize(..self.subscribed.len())];
                self.request = Some(Request::Unsubscribe(vec![stream]));
            }
            _ => {
                let mut others = self.streams.clone();
                others.retain(|stream| !self.subscribed.contains(stream));
                scene.rng.shuffle(&mut others);
                others.truncate(scene.rng.usize(1..=3));
                self.request = (!others.is_empty()).then_some(Request::Subscribe(others));
            }
        }
    }

    fn ask(&mut self, client: &mut Client, scene: &mut Scene) {
        let Some(request) = &self.request else { return };
        self.is_asking = true;
        let topics = |streams: &[StreamNumber]| -> Vec<String> {
            streams.iter().map(|stream| scene.book.of_stream(*stream).0.to_owned()).collect()
        };
        match request {
            Request::Subscribe(streams) => {
                client.subscribe(&topics(streams));
                scene.book.subscribe_sent(self.taker, streams);
            }
            Request::Unsubscribe(streams) => {
                client.unsubscribe(&topics(streams));
                scene.book.unsubscribe_sent(self.taker, streams);
            }
        }
    }

    fn begin(&mut self, client: &mut Client, scene: &mut Scene) {
        scene.book.clean_started(self.taker);
        self.subscribed.clear();
        self.request = None;
        self.is_beginning = false;
        client.settings.clean_start = false;
        if !client.settings.version.is_v5() {
            // Before MQTT 5.0 a session that began clean ends with its connection.
            client.settings.clean_start = true;
            client.close(true);
            client.settings.clean_start = false;
        }
    }
}

impl Role for Lives {
    fn act(&mut self, client: &mut Client, scene: &mut Scene) {
        if self.is_beginning {
            client.settings.clean_start = true;
        }
        keep_open(client, scene);
        if !client.is_connected() || self.is_beginning || self.is_asking {
            return;
        }
        if self.request.is_some() {
            self.ask(client, scene);
        } else if !scene.is_calm && self.next.is_none_or(|next| next <= scene.now) {
            self.decide(client, scene);
        }
    }

    fn on(&mut self, client: &mut Client, event: Event, scene: &mut Scene) {
        match event {
            Event::Connected { .. } if self.is_beginning => self.begin(client, scene),
            Event::Lost => self.is_asking = false,
            Event::Subscribed(_) | Event::Unsubscribed(_) => {
                self.is_asking = false;
                match self.request.take() {
                    Some(Request::Subscribe(streams)) => {
                        scene.book.subscribed(self.taker, &streams);
                        self.subscribed.extend(streams);
                    }
                    Some(Request::Unsubscribe(streams)) => {
                        scene.book.unsubscribed(self.taker, &streams);
                        self.subscribed.retain(|stream| !streams.contains(stream));
                    }
                    None => {}
                }
            }
            Event::Message { topic, payload, qos, is_unmarked } => {
                if is_unmarked {
                    scene.book.came_unmarked(&payload);
                }
                scene.book.came(self.taker, &client.settings.name, &topic, &payload, qos);
            }
            _ => {}
        }
    }

    fn is_settled(&self, client: &Client) -> bool {
        client.is_connected() && !self.is_beginning && self.request.is_none()
    }
}
