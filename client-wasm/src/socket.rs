//! A WebSocket that carries MQTT (MQTT 5.0 §6): subprotocol `mqtt`, binary frames, where a packet may
//! be split over several frames and a frame may hold several packets.

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{BinaryType, Event, MessageEvent, WebSocket};

/// The subprotocol of every version (MQTT 5.0 §6.0).
const SUBPROTOCOL: &str = "mqtt";

/// What a socket tells its owner.
#[derive(Debug)]
pub(crate) enum Told {
    /// It is open.
    Open,
    /// Bytes came.
    Bytes(Bytes),
    /// Text came, which is no MQTT (MQTT 5.0 §6.0).
    Text,
    /// It is closed, or could not be opened; nothing more comes.
    Closed,
}

/// An open socket, or one that is being opened. Dropping it closes it, and nothing more is told.
#[derive(Debug)]
pub(crate) struct Socket {
    socket: WebSocket,
    _on_open: Closure<dyn FnMut()>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut(Event)>,
}

impl Socket {
    /// Begins to open a socket.
    ///
    /// # Errors
    /// The address is not one that the browser opens a WebSocket to; with its words.
    pub(crate) fn open(url: &str, tell: impl Fn(Told) + Clone + 'static) -> Result<Self, String> {
        let socket = WebSocket::new_with_str(url, SUBPROTOCOL).map_err(|error| words(&error))?;
        socket.set_binary_type(BinaryType::Arraybuffer);

        let on_open = {
            let tell = tell.clone();
            Closure::<dyn FnMut()>::new(move || tell(Told::Open))
        };
        let on_message = {
            let tell = tell.clone();
            Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
                match event.data().dyn_into::<ArrayBuffer>() {
                    Ok(buffer) => {
                        tell(Told::Bytes(Bytes::from(Uint8Array::new(&buffer).to_vec())));
                    }
                    Err(_) => tell(Told::Text),
                }
            })
        };
        // An error is always followed by a close, which is all that a page is told of it.
        let on_close = Closure::<dyn FnMut(Event)>::new(move |_| tell(Told::Closed));

        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        Ok(Self { socket, _on_open: on_open, _on_message: on_message, _on_close: on_close })
    }

    /// Sends bytes in one frame. What can't be sent is followed by [`Told::Closed`].
    pub(crate) fn send(&self, bytes: &[u8]) {
        // It fails only before the socket is open; when it is closing, the bytes are let go.
        let _closed = self.socket.send_with_u8_array(bytes);
    }

    /// Bytes that wait in the browser to be sent.
    pub(crate) fn waiting(&self) -> u32 {
        self.socket.buffered_amount()
    }
}

impl Drop for Socket {
    /// Closes it behind what was sent before.
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        // Without a code and a reason there is nothing that it could fail for.
        let _done = self.socket.close();
    }
}

/// Looks whether something takes a WebSocket without the subprotocol that speaks MQTT.
#[derive(Debug)]
pub(crate) struct Probe {
    socket: WebSocket,
    was_answered: Rc<Cell<bool>>,
    _on_open: Closure<dyn FnMut()>,
}

impl Probe {
    /// Begins to look, and tells if there is something; none where the address is none.
    pub(crate) fn start(url: &str, tell: impl Fn() + 'static) -> Option<Self> {
        let socket = WebSocket::new(url).ok()?;
        let was_answered = Rc::new(Cell::new(false));
        let on_open = {
            let (socket, was_answered) = (socket.clone(), Rc::clone(&was_answered));
            Closure::<dyn FnMut()>::new(move || {
                was_answered.set(true);
                // Without a code and a reason there is nothing that it could fail for.
                let _done = socket.close();
                tell();
            })
        };
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        Some(Self { socket, was_answered, _on_open: on_open })
    }

    /// Whether there is something.
    pub(crate) fn was_answered(&self) -> bool {
        self.was_answered.get()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        // As above.
        let _done = self.socket.close();
    }
}

/// What the browser says of an error.
pub(crate) fn words(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => error.as_string().unwrap_or_else(|| format!("{error:?}")),
    }
}
