//! The engine's tape: what is recorded of the messages that arrive, and what is replayed of a file.

use std::cell::RefCell;

use gloo_timers::callback::Interval;
use wasm_bindgen::JsCast;
use web_sys::{Blob, BlobPropertyBag, Url};

use crate::clock;
use crate::limits::{RECORDING_BYTES_MAX, RECORDING_LINE_MAX, RECORDING_PART_BYTES};
use crate::protocol::{Recording, Tape as Shown};
use crate::reading;
use crate::recording;
use crate::replay::Replay;
use crate::search::Search;
use crate::store::Message;

/// What a recording is, for the browser.
const MEDIA_TYPE: &str = "application/x-ndjson";

/// What is recorded and replayed.
#[derive(Default)]
pub(crate) struct Tape {
    recorder: RefCell<Option<Recorder>>,
    pub(crate) replay: RefCell<Option<Replay>>,
    pub(crate) timer: RefCell<Option<Interval>>,
}

/// A recording under way. Its bytes are the browser's, which puts large ones on the disk: what this
/// program has of them is the last part.
struct Recorder {
    search: Search,
    parts: js_sys::Array,
    last: Vec<u8>,
    shown: Recording,
}

impl Tape {
    /// Records from now on what matches.
    pub(crate) fn record(&self, search: &str) {
        let recorder = Recorder {
            search: Search::new(search),
            parts: js_sys::Array::new(),
            last: recording::HEAD.as_bytes().to_vec(),
            shown: Recording::default(),
        };
        *self.recorder.borrow_mut() = Some(recorder);
    }

    /// Takes in a message that arrived.
    pub(crate) fn take(&self, message: &Message<'_>) {
        if let Some(recorder) = self.recorder.borrow_mut().as_mut() {
            recorder.take(message);
        }
    }

    /// Ends the recording; with the address of its bytes.
    pub(crate) fn finish(&self) -> Option<String> {
        let mut recorder = self.recorder.borrow_mut().take()?;
        recorder.end_part();
        let blob = blob(&recorder.parts)?;
        Url::create_object_url_with_blob(&blob).ok()
    }

    /// How it is.
    pub(crate) fn shown(&self) -> Shown {
        Shown {
            recording: self.recorder.borrow().as_ref().map(|recorder| recorder.shown),
            replaying: self.replay.borrow().as_ref().map(Replay::shown),
        }
    }
}

impl Recorder {
    fn take(&mut self, message: &Message<'_>) {
        let payload = || reading::text(reading::alone(message.topic, message.payload));
        if !self.search.matches_with(message.topic, payload) {
            return;
        }
        let line = recording::line(message, clock::now_ms());
        let bytes = self.shown.bytes.saturating_add(line.len() as u64);
        let is_long = line.len() > RECORDING_LINE_MAX;
        // What is full has its end there, and no gaps where only short lines still fitted.
        self.shown.is_full |= !is_long && bytes > RECORDING_BYTES_MAX;
        if is_long || self.shown.is_full {
            self.shown.left_out = self.shown.left_out.saturating_add(1);
            return;
        }
        self.shown.bytes = bytes;
        self.shown.messages = self.shown.messages.saturating_add(1);
        self.last.extend_from_slice(line.as_bytes());
        if self.last.len() >= RECORDING_PART_BYTES {
            self.end_part();
        }
    }

    fn end_part(&mut self) {
        let part = std::mem::take(&mut self.last);
        let bytes = js_sys::Array::of1(&js_sys::Uint8Array::from(part.as_slice()));
        if let Some(part) = blob(&bytes) {
            self.parts.push(&part);
        }
    }
}

fn blob(parts: &js_sys::Array) -> Option<Blob> {
    let options = BlobPropertyBag::new();
    options.set_type(MEDIA_TYPE);
    // A sequence of bytes and one of blobs are the same to the browser.
    Blob::new_with_u8_array_sequence_and_options(parts.unchecked_ref(), &options).ok()
}
