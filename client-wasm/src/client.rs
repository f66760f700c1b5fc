//! The client library's Rust face: an MQTT client over WebSocket, for any program in a browser.
//!
//! ```no_run
//! # #[cfg(target_arch = "wasm32")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use client_wasm::client::Client;
//! use codec::{MqttString, ProtocolVersion, TopicName};
//! use session::{Message, Options};
//!
//! let options = Options::new(ProtocolVersion::V5, MqttString::new("kitchen-panel")?);
//! let (client, mut events) = Client::connect("ws://localhost:9001/mqtt", options)?;
//! client.publish(Message::new(TopicName::new("kitchen/lamp")?, "on")).await?;
//! // `events` is a stream of everything that comes, reconnects included.
//! # Ok(()) }
//! ```

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use codec::{EncodeError, ReasonCode, Subscription, TopicFilter};
use futures_channel::oneshot;
use futures_core::Stream;
use hashbrown::HashMap;
use session::{
    DisconnectReason, Event, Message, Options, PublishError, State, SubscribeError, Token,
};

use crate::connection::{self, Connection};
use crate::limits::MESSAGES_WAITING_MAX;
use crate::socket;

/// A client of one broker, which stays connected until [`disconnect`](Self::disconnect) or until the
/// last handle to it is dropped. Clones are handles to the same one.
#[derive(Clone)]
pub struct Client {
    connection: Connection,
    shared: Rc<Shared>,
}

/// What comes from the broker, in order. What the methods of [`Client`] wait for is not repeated here.
pub struct Events {
    shared: Rc<Shared>,
}

#[derive(Default)]
struct Shared {
    events: RefCell<VecDeque<Event>>,
    dropped: Cell<u64>,
    reader: RefCell<Option<Waker>>,
    publishing: RefCell<HashMap<Token, oneshot::Sender<Result<ReasonCode, PublishError>>>>,
    subscribing: RefCell<HashMap<Token, oneshot::Sender<Answers>>>,
    closed: Cell<bool>,
}

/// What the broker said of each filter.
pub type Answers = Vec<(TopicFilter, ReasonCode)>;

/// Why a client can't do what it was asked for.
#[derive(Debug)]
pub enum ClientError {
    /// The address is not one of a WebSocket; with the browser's words.
    Address(String),
    /// The options make no CONNECT.
    Options(EncodeError),
    /// The message was not published.
    Publish(PublishError),
    /// The subscription was not asked for.
    Subscribe(SubscribeError),
    /// The client was closed before the broker answered.
    Closed,
}

impl Client {
    /// Begins to connect to the WebSocket address `url`. The connection is made, and made again
    /// whenever it is lost, while the program goes on; [`Events`] tells.
    ///
    /// # Errors
    /// The address is not one of a WebSocket, or the options make no CONNECT.
    pub fn connect(url: &str, options: Options) -> Result<(Self, Events), ClientError> {
        check_address(url)?;
        let shared = Rc::<Shared>::default();
        let owner = Owner(Rc::clone(&shared));
        let connection =
            Connection::new(url.to_owned(), options, owner).map_err(ClientError::Options)?;
        connection.connect();
        Ok((Self { connection, shared: Rc::clone(&shared) }, Events { shared }))
    }

    /// Publishes a message. With QoS 1 and 2 it waits for the broker's acknowledgement, over as many
    /// connections as that takes; with QoS 0 until the message is handed to the browser.
    ///
    /// # Errors
    /// The message was not published, or it can't be known.
    pub async fn publish(&self, message: Message) -> Result<ReasonCode, ClientError> {
        let token = self.connection.change(|client, _| client.publish(message));
        let token = token.map_err(ClientError::Publish)?;
        let (sender, answer) = oneshot::channel();
        self.shared.publishing.borrow_mut().insert(token, sender);
        self.connection.run();
        answer.await.map_err(|_| ClientError::Closed)?.map_err(ClientError::Publish)
    }

    /// Subscribes, and does so again by itself when the broker has lost the session.
    ///
    /// # Errors
    /// The subscription can't be asked for. What the broker said of each filter is no error.
    pub async fn subscribe(
        &self,
        subscriptions: Vec<Subscription>,
    ) -> Result<Answers, ClientError> {
        let token = self.connection.change(|client, _| client.subscribe(subscriptions, None));
        self.answers(token.map_err(ClientError::Subscribe)?).await
    }

    /// Unsubscribes.
    ///
    /// # Errors
    /// It can't be asked for. What the broker said of each filter is no error.
    pub async fn unsubscribe(&self, filters: Vec<TopicFilter>) -> Result<Answers, ClientError> {
        let token = self.connection.change(|client, _| client.unsubscribe(filters));
        self.answers(token.map_err(ClientError::Subscribe)?).await
    }

    async fn answers(&self, token: Token) -> Result<Answers, ClientError> {
        let (sender, answer) = oneshot::channel();
        self.shared.subscribing.borrow_mut().insert(token, sender);
        self.connection.run();
        answer.await.map_err(|_| ClientError::Closed)
    }

    /// Where the client stands.
    pub fn state(&self) -> State {
        self.connection.change(|client, _| client.state())
    }

    /// How many of the [`Events`] had to go, the oldest first, because nobody read them.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.get()
    }

    /// Says goodbye and stays away. What is still waited for ends with [`ClientError::Closed`], and
    /// [`Events`] ends.
    pub fn disconnect(&self) {
        self.connection.disconnect();
        self.shared.close();
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let event = self.shared.events.borrow_mut().pop_front();
        if event.is_none() && !self.shared.closed.get() {
            *self.shared.reader.borrow_mut() = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(event)
    }
}

impl Shared {
    fn take(&self, event: Event) {
        match event {
            Event::Published { token, code } => self.published(token, Ok(code)),
            Event::PublishFailed { token, why } => self.published(token, Err(why)),
            Event::Subscribed { token, ref results }
            | Event::Unsubscribed { token, ref results } => {
                let waiting = self.subscribing.borrow_mut().remove(&token);
                match waiting {
                    // Who does not wait any more has dropped the other end.
                    Some(sender) => drop(sender.send(results.clone())),
                    // After a reconnect the broker answers once more, maybe otherwise.
                    None => self.tell(event),
                }
            }
            other => self.tell(other),
        }
    }

    fn published(&self, token: Token, outcome: Result<ReasonCode, PublishError>) {
        let waiting = self.publishing.borrow_mut().remove(&token);
        if let Some(sender) = waiting {
            // Who does not wait any more has dropped the other end.
            drop(sender.send(outcome));
        }
    }

    fn tell(&self, event: Event) {
        let mut events = self.events.borrow_mut();
        if events.len() >= MESSAGES_WAITING_MAX {
            events.pop_front();
            self.dropped.set(self.dropped.get().saturating_add(1));
        }
        events.push_back(event);
        drop(events);
        self.wake();
    }

    fn wake(&self) {
        let reader = self.reader.borrow_mut().take();
        if let Some(waker) = reader {
            waker.wake();
        }
    }

    fn close(&self) {
        self.closed.set(true);
        self.publishing.borrow_mut().clear();
        self.subscribing.borrow_mut().clear();
        self.wake();
    }
}

struct Owner(Rc<Shared>);

impl connection::Owner for Owner {
    fn event(&self, event: Event) {
        self.0.take(event);
    }

    /// What `check_address` lets through and the browser does not, a page over https may not open an
    /// unencrypted WebSocket for instance.
    fn bad_address(&self, _words: &str) {
        let why = DisconnectReason::Unreachable;
        self.0.tell(Event::Disconnected { why, retry_in_ms: None });
    }
}

fn check_address(url: &str) -> Result<(), ClientError> {
    let parsed =
        web_sys::Url::new(url).map_err(|error| ClientError::Address(socket::words(&error)))?;
    match parsed.protocol().as_str() {
        "ws:" | "wss:" => Ok(()),
        _ => Err(ClientError::Address(format!("{url} does not begin with ws:// or wss://"))),
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(words) => write!(f, "not an address of a WebSocket: {words}"),
            Self::Options(error) => write!(f, "these options make no CONNECT: {error}"),
            Self::Publish(error) => error.fmt(f),
            Self::Subscribe(error) => error.fmt(f),
            Self::Closed => f.write_str("the client was closed before the broker answered"),
        }
    }
}

impl std::error::Error for ClientError {}
