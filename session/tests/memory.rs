//! A broker holds many sessions, most of them idle: a flow that waits for nothing owns no heap memory,
//! and one that is busy owns little.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::expect_used, reason = "in a test, what must not be ends it")]

use codec::{PacketId, QoS, ReasonCode};
use session::{Outgoing, ReceiveFlow, SendFlow};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::num::NonZeroU16;
use std::sync::Arc;

thread_local! {
    static OWNED: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, which counts the bytes that this thread owns.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[allow(
    unsafe_code,
    reason = "an allocator can't be written without, and only it sees allocations"
)]
// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the promises that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the promises that the system's allocator asks for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn count(bytes: isize) {
    // A thread that is ending has no counter any more, and nobody who would ask.
    let _ = OWNED.try_with(|owned| owned.set(owned.get().saturating_add(bytes)));
}

fn owned() -> isize {
    OWNED.with(Cell::get)
}

/// The messages of a busy flow, and the bytes that each of them may take beside itself.
const MESSAGES: u16 = 1_000;
const BYTES_EACH_MAX: isize = 40;

#[test]
fn a_sending_flow_owns_little_when_busy_and_nothing_when_idle() {
    let message: Arc<str> = Arc::from("shared");
    let before = owned();
    let mut flow = SendFlow::new(NonZeroU16::MAX);
    for _ in 0..3 {
        for _ in 0..MESSAGES {
            flow.push(QoS::AtLeastOnce, message.clone());
        }
        assert!(owned() - before <= BYTES_EACH_MAX * isize::from(MESSAGES as i16), "queued");
        let mut ids: Vec<PacketId> = Vec::with_capacity(usize::from(MESSAGES));
        while let Some(Outgoing::Publish { id, .. }) = flow.poll_transmit() {
            ids.push(id);
        }
        for id in ids {
            flow.on_puback(id).expect("it is in flight");
        }
        assert_eq!(owned(), before, "idle");
    }
}

#[test]
fn a_receiving_flow_owns_next_to_nothing_when_idle_and_nothing_without_a_connection() {
    let before = owned();
    let mut flow = ReceiveFlow::new(NonZeroU16::MAX);
    for (qos, at_once) in [(QoS::AtLeastOnce, 1), (QoS::ExactlyOnce, 1), (QoS::ExactlyOnce, 1000)] {
        let ids: Vec<PacketId> = (1..=MESSAGES).filter_map(NonZeroU16::new).collect();
        for ids in ids.chunks(at_once) {
            for id in ids {
                flow.on_publish(*id, qos).expect("there is room");
                flow.acknowledged(*id, qos, ReasonCode::Success);
            }
            for id in ids {
                assert_eq!(flow.on_pubrel(*id), qos == QoS::ExactlyOnce);
            }
        }
        drop(ids);
        assert!(owned() - before <= 100, "{qos:?}, {at_once} at once");
    }
    flow.on_connection_lost();
    assert_eq!(owned(), before);
}
