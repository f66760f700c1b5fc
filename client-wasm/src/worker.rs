//! Both ends of the wire between the page and the worker that the engine lives in.
//!
//! `worker.js` loads this same module in the worker, without compiling it a second time, and calls
//! what [`run_engine`] is exported as.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use gloo_events::EventListener;
use gloo_timers::callback::Interval;
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{
    DedicatedWorkerGlobalScope, ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType,
};

use crate::engine::Engine;
use crate::protocol::{self, Report};
use crate::socket::words;
use crate::store::Limits;

/// How often the engine looks for what changes without a message, in milliseconds.
const TICK_MS: u32 = 250;

/// Runs the engine in the worker that this is called in, as long as that lives.
///
/// # Errors
/// This is no worker.
pub fn run_engine() -> Result<(), JsValue> {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().dyn_into().map_err(|_| {
        JsValue::from(js_sys::Error::new("the engine runs in a dedicated worker alone"))
    })?;
    let engine = {
        let scope = scope.clone();
        Engine::new(Limits::default(), move |frame| {
            report(&scope, &Report::Frame(Box::new(frame)));
        })
    };
    let commanded = engine.clone();
    let listener = EventListener::new(&scope, "message", move |event| {
        if let Some(command) = received(event).and_then(|bytes| protocol::decode(&bytes).ok()) {
            commanded.command(command);
        }
    });
    // Both last as long as the worker.
    listener.forget();
    Interval::new(TICK_MS, move || engine.tick()).forget();
    report(&scope, &Report::Ready);
    Ok(())
}

fn report(scope: &DedicatedWorkerGlobalScope, report: &Report) {
    let buffer = packed(&protocol::encode(report));
    let transfer = js_sys::Array::of1(&buffer);
    // A buffer of its own can always be handed over.
    let _sent = scope.post_message_with_transfer(&buffer, &transfer);
}

fn packed(bytes: &[u8]) -> ArrayBuffer {
    Uint8Array::from(bytes).buffer()
}

/// What a message event carries; none where it is not one of ours.
fn received(event: &web_sys::Event) -> Option<Vec<u8>> {
    let data = event.dyn_ref::<MessageEvent>()?.data().dyn_into::<ArrayBuffer>().ok()?;
    Some(Uint8Array::new(&data).to_vec())
}

/// The page's handle to the worker; clones are handles to the same one.
#[derive(Clone)]
pub struct Remote(Rc<Inner>);

struct Inner {
    worker: Worker,
    /// Commands that wait until the engine is ready, in order; none once it is.
    waiting: RefCell<Option<VecDeque<Vec<u8>>>>,
    listeners: RefCell<Vec<EventListener>>,
}

/// Starts a worker with an engine in it. `glue` is the address of the JavaScript that wasm-bindgen made
/// for this module; `worker.js` lies beside it.
///
/// # Errors
/// The browser does not start it; with its words.
pub fn start(glue: &str) -> Result<Worker, String> {
    let said = |error: JsValue| words(&error);
    let script = web_sys::Url::new_with_base("worker.js", glue).map_err(said)?;
    script.search_params().set("glue", glue);
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    options.set_name("engine");
    let worker = Worker::new_with_options(&script.href(), &options).map_err(said)?;
    // The module is compiled already: the worker need neither load nor compile it again.
    worker.post_message(&wasm_bindgen::module()).map_err(said)?;
    Ok(worker)
}

impl Remote {
    /// The handle to an engine in this worker, which is stopped when the last handle is dropped. Reports
    /// reach `on_report` in the form in which they travel.
    pub fn new(
        worker: &Worker,
        on_report: impl Fn(Vec<u8>) + 'static,
        on_failure: impl Fn(String) + 'static,
    ) -> Self {
        let remote = Self(Rc::new(Inner {
            worker: worker.clone(),
            waiting: RefCell::new(Some(VecDeque::new())),
            listeners: RefCell::default(),
        }));
        let weak = Rc::downgrade(&remote.0);
        let reports = EventListener::new(worker, "message", move |event| {
            let Some(report) = received(event) else { return };
            // The first report is that the engine is ready, and there is no other of that kind.
            if let Some(inner) = weak.upgrade() {
                inner.ready();
            }
            on_report(report);
        });
        let failures = EventListener::new(worker, "error", move |event| {
            // A script that does not load at all has no message.
            let message = event.dyn_ref::<ErrorEvent>().map(ErrorEvent::message);
            on_failure(message.filter(|text| !text.is_empty()).unwrap_or("worker.js".to_owned()));
        });
        *remote.0.listeners.borrow_mut() = vec![reports, failures];
        remote
    }

    /// Sends a command, in the form in which it travels, or keeps it until the engine is ready.
    pub fn carry(&self, command: Vec<u8>) {
        match self.0.waiting.borrow_mut().as_mut() {
            Some(waiting) => waiting.push_back(command),
            None => self.0.post(&command),
        }
    }
}

impl Inner {
    fn ready(&self) {
        let waiting = self.waiting.borrow_mut().take();
        for command in waiting.into_iter().flatten() {
            self.post(&command);
        }
    }

    fn post(&self, command: &[u8]) {
        let buffer = packed(command);
        let transfer = js_sys::Array::of1(&buffer);
        // A buffer of its own can always be handed over.
        let _sent = self.worker.post_message_with_transfer(&buffer, &transfer);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}
