//! Who is to write next, where that are many: a message for a hundred thousand makes as many connections
//! ready to write, and whoever comes after them would wait for all of them. So they get their turn in
//! portions, and between two portions there is time for everybody else.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::limits::WAKES_AT_ONCE_MAX;
use crate::worker::link::{Link, SharedLink};
use crate::worker::{State, Worker};

/// Connections that have something to write, and whose turn it is later.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Connections that were made ready in this turn.
    woken: usize,
    waiting: VecDeque<SharedLink>,
    waker: Option<Waker>,
}

impl Queue {
    /// Begins another turn.
    pub(super) fn begin_turn(&mut self) {
        self.woken = 0;
    }

    /// Makes a connection ready to write, at once or when it is its turn.
    pub(super) fn wake(&mut self, link: &mut Link, shared: &SharedLink) {
        if link.awake {
            return;
        }
        if self.woken < WAKES_AT_ONCE_MAX {
            self.woken = self.woken.saturating_add(1);
            link.wake();
            return;
        }
        link.awake = true;
        self.waiting.push_back(Rc::clone(shared));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Gives a portion of those who wait their turn; says whether more do.
    fn give_turns(&mut self) -> bool {
        let portion = self.waiting.len().min(WAKES_AT_ONCE_MAX);
        for link in self.waiting.drain(..portion) {
            link.borrow().wake_task();
        }
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
        !self.waiting.is_empty()
    }
}

/// Gives those who wait their turns, for as long as the worker runs.
pub(super) async fn run(worker: Rc<Worker>) {
    poll_fn::<(), _>(|cx| {
        let State { queue, .. } = &mut *worker.state.borrow_mut();
        if queue.give_turns() {
            cx.waker().wake_by_ref();
        } else {
            queue.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    })
    .await;
}
