//! The wire between the page and a worker, with a script that stands in for the engine.

use std::cell::RefCell;
use std::rc::Rc;

use client_wasm::connect::Connect;
use client_wasm::protocol::{self, Command, Frame, Outcome, Published, Report};
use client_wasm::worker::Remote;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test as test;
use web_sys::{Blob, Url, Worker};

use crate::dom::eventually;

fn run(script: &str) -> Worker {
    let parts = js_sys::Array::of1(&JsValue::from_str(script));
    let blob = Blob::new_with_str_sequence(&parts).unwrap();
    Worker::new(&Url::create_object_url_with_blob(&blob).unwrap()).unwrap()
}

#[test]
async fn commands_wait_for_the_engine_and_arrive_in_order() {
    let frame = Frame {
        published: vec![Published { ticket: 9, outcome: Outcome::Sent }],
        ..Frame::default()
    };
    let report = Report::Frame(Box::new(frame));
    let (ready, answer) = (protocol::encode(&Report::Ready), protocol::encode(&report));
    let first = protocol::encode(&Command::Open(Box::new(Connect::new("ws://a"))));
    // It answers when what comes first is the command that was sent first.
    let script = format!(
        "let n = 0;
         onmessage = ({{ data }}) => {{
           const bytes = [...new Uint8Array(data)];
           if (n++ === 0 && String(bytes) !== '{}') throw new Error('not in order');
           postMessage(new Uint8Array({answer:?}).buffer);
         }};
         setTimeout(() => postMessage(new Uint8Array({ready:?}).buffer), 50);",
        first.iter().map(u8::to_string).collect::<Vec<_>>().join(",")
    );
    let reports = Rc::<RefCell<Vec<Report>>>::default();
    let seen = Rc::clone(&reports);
    let remote = Remote::new(
        &run(&script),
        move |report| seen.borrow_mut().push(protocol::decode(&report).unwrap()),
        |words| panic!("{words}"),
    );
    remote.carry(first);
    remote.carry(protocol::encode(&Command::Painted));
    eventually("both answers", || (reports.borrow().len() == 3).then_some(())).await;
    assert_eq!(*reports.borrow(), [Report::Ready, report.clone(), report]);
}

#[test]
async fn a_worker_that_fails_is_said() {
    let words = Rc::<RefCell<Option<String>>>::default();
    let said = Rc::clone(&words);
    let _remote = Remote::new(
        &run("throw new Error('no engine today')"),
        |_| {},
        move |words| *said.borrow_mut() = Some(words),
    );
    let words = eventually("its words", || words.borrow().clone()).await;
    assert!(words.contains("no engine today"), "{words}");
}
