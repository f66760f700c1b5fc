//! One MQTT connection of the browser: `session`'s client, which does no I/O, with a WebSocket and
//! the browser's timer around it.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use bytes::{Bytes, BytesMut};
use codec::PublishView;
use gloo_timers::callback::Timeout;
use session::{Action, Client, Event, Millis, Options};

use crate::clock;
use crate::limits::SEND_BUFFER_BYTES_MAX;
use crate::socket::{Socket, Told};

/// How long to wait before looking again whether the browser has sent what it holds, in milliseconds:
/// a WebSocket does not say when it can take more.
const SEND_AGAIN_MS: u32 = 20;

/// The longest wait that the browser's timer can express, in milliseconds.
const TIMER_MS_MAX: u64 = i32::MAX as u64;

/// Who a connection tells what happens. Any of its methods may be called from within.
pub trait Owner {
    /// Something happened.
    fn event(&self, event: Event);

    /// The address is not one that the browser opens a WebSocket to; with its words. There will be no
    /// further try.
    fn bad_address(&self, words: &str);

    /// A message of QoS 0 without properties came, as nearly all do; says whether it was taken. One that
    /// was not is an event. The connection is at work meanwhile: only `event` may change it.
    fn plain(&self, _message: &PublishView<'_>, _at_ms: f64) -> bool {
        false
    }

    /// A socket is being opened: what was sent and received before was on another one.
    fn opened(&self) {}

    /// These bytes go to the socket, or came from it. `is_start` says that they begin with a packet.
    fn bytes(&self, _is_sent: bool, _bytes: &[u8], _is_start: bool) {}

    /// All that happened was told; nothing more until something comes from outside.
    fn settled(&self) {}
}

/// A connection; clones are handles to the same one. It ends when the last of them is dropped.
#[derive(Clone)]
pub struct Connection(Rc<Inner>);

struct Inner {
    url: String,
    owner: Box<dyn Owner>,
    client: RefCell<Client>,
    socket: RefCell<Option<Socket>>,
    /// What was received of a packet that is not whole yet.
    partial: RefCell<BytesMut>,
    timer: RefCell<Option<Timeout>>,
    running: Cell<bool>,
    /// Counts the sockets, so that what an old one still says is passed over.
    generation: Cell<u64>,
}

impl Connection {
    /// A connection to the WebSocket address `url`, which begins with [`connect`](Self::connect).
    ///
    /// # Errors
    /// The options make no CONNECT.
    pub fn new(
        url: String,
        options: Options,
        owner: impl Owner + 'static,
    ) -> Result<Self, codec::EncodeError> {
        Ok(Self(Rc::new(Inner {
            url,
            owner: Box::new(owner),
            client: RefCell::new(Client::new(options, clock::seed())?),
            socket: RefCell::default(),
            partial: RefCell::default(),
            timer: RefCell::default(),
            running: Cell::new(false),
            generation: Cell::new(0),
        })))
    }

    /// Connects now, also where the next try is still to come; from then on it stays connected.
    pub fn connect(&self) {
        self.change(Client::connect);
        self.run();
    }

    /// Says goodbye and stays away.
    pub fn disconnect(&self) {
        self.change(Client::disconnect);
        self.run();
    }

    /// Changes what is wanted of the client. Nothing is sent or told before [`run`](Self::run).
    pub fn change<R>(&self, change: impl FnOnce(&mut Client, Millis) -> R) -> R {
        change(&mut self.0.client.borrow_mut(), clock::monotonic())
    }

    /// Does what is to be done: sends, opens, closes, tells, sets the timer.
    pub fn run(&self) {
        Inner::run(&self.0);
    }
}

impl Inner {
    fn run(self: &Rc<Self>) {
        // The owner may change something from within: then the loop that is running goes on.
        if self.running.replace(true) {
            return;
        }
        loop {
            self.transmit();
            if self.act() {
                continue;
            }
            let Some(event) = self.next_event() else { break };
            self.owner.event(event);
            // Events come in crowds, and asking the socket what it holds costs as much as one of them.
            while let Some(event) = self.next_event() {
                self.owner.event(event);
            }
        }
        self.owner.settled();
        self.running.set(false);
        self.set_timer();
    }

    fn next_event(&self) -> Option<Event> {
        self.client.borrow_mut().poll_event()
    }

    fn transmit(&self) {
        let socket = self.socket.borrow();
        let Some(socket) = socket.as_ref() else { return };
        let mut out = BytesMut::new();
        while socket.waiting() <= SEND_BUFFER_BYTES_MAX
            && self.client.borrow_mut().poll_transmit(&mut out)
        {
            self.owner.bytes(true, &out, true);
            socket.send(&out);
            out.clear();
        }
    }

    /// Opens or closes; says whether there was something to do.
    fn act(self: &Rc<Self>) -> bool {
        let action = self.client.borrow_mut().poll_action();
        match action {
            None => return false,
            Some(Action::Close) => self.forget_socket(),
            Some(Action::Open) => self.open(),
        }
        true
    }

    fn forget_socket(&self) {
        self.generation.set(self.generation.get().wrapping_add(1));
        self.partial.borrow_mut().clear();
        drop(self.socket.take());
    }

    fn open(self: &Rc<Self>) {
        self.forget_socket();
        self.owner.opened();
        let generation = self.generation.get();
        let weak = Rc::downgrade(self);
        let opened = Socket::open(&self.url, move |told| {
            if let Some(inner) = Weak::upgrade(&weak)
                && inner.generation.get() == generation
            {
                inner.told(told);
            }
        });
        match opened {
            Ok(socket) => *self.socket.borrow_mut() = Some(socket),
            Err(words) => {
                self.client.borrow_mut().disconnect(clock::monotonic());
                self.owner.bad_address(&words);
            }
        }
    }

    fn told(self: &Rc<Self>, told: Told) {
        let now = clock::monotonic();
        match told {
            Told::Open => self.client.borrow_mut().on_transport_open(now),
            Told::Bytes(bytes) => self.received(now, bytes),
            Told::Text => self.client.borrow_mut().on_text(now),
            Told::Closed => {
                self.forget_socket();
                self.client.borrow_mut().on_transport_closed(now);
            }
        }
        self.run();
    }

    fn received(&self, now: Millis, mut bytes: Bytes) {
        let mut partial = self.partial.borrow_mut();
        self.owner.bytes(false, &bytes, partial.is_empty());
        let mut client = self.client.borrow_mut();
        let at_ms = clock::now_ms();
        let take = |message: &PublishView<'_>| self.owner.plain(message, at_ms);
        if partial.is_empty() {
            // The usual frame holds whole packets, which are then slices of it.
            client.on_bytes_with(now, &mut bytes, take);
            partial.extend_from_slice(&bytes);
        } else {
            partial.extend_from_slice(&bytes);
            client.on_bytes_with(now, &mut *partial, take);
        }
    }

    fn set_timer(self: &Rc<Self>) {
        let until = self.client.borrow().poll_timeout();
        let is_full =
            self.socket.borrow().as_ref().is_some_and(|s| s.waiting() > SEND_BUFFER_BYTES_MAX);
        let wait_ms = match until {
            _ if is_full => Some(u64::from(SEND_AGAIN_MS)),
            // A timer may fire a moment early by this clock, which counts whole milliseconds.
            Some(until) => Some(until.since(clock::monotonic()).saturating_add(1)),
            None => None,
        };
        let weak = Rc::downgrade(self);
        *self.timer.borrow_mut() = wait_ms.map(|wait_ms| {
            let wait_ms = u32::try_from(wait_ms.min(TIMER_MS_MAX)).unwrap_or(u32::MAX);
            Timeout::new(wait_ms, move || {
                if let Some(inner) = Weak::upgrade(&weak) {
                    inner.client.borrow_mut().on_timeout(clock::monotonic());
                    inner.run();
                }
            })
        });
    }
}
