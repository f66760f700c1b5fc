//! Who has something to write, and the task that writes it for all of them.
//!
//! A message for many makes as many connections ready to write. Their tasks need not run for that: each of
//! them would be taken up, look for what has arrived and be put away again, which costs as much as what it
//! is woken for. So this one task writes for one connection after the other. It comes after all that have
//! something to do already, so what many publish for one receiver leaves in one write.
//!
//! There may be a hundred thousand of them. They get their turn in portions, and between two portions there
//! is time for everybody else.

use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::limits::WRITES_AT_ONCE_MAX;
use crate::worker::connection::poll_write;
use crate::worker::link::{Cause, Closing, Link, SharedLink};
use crate::worker::portions::{self, Sleeper};
use crate::worker::session::Session;
use crate::worker::{State, Worker};

/// Connections that have something to write.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<SharedLink>,
    sleeper: Sleeper,
}

impl Queue {
    /// Has written, soon, what waits for a connection.
    pub(super) fn push(&mut self, link: &mut Link, shared: &SharedLink) {
        // Its own task writes at the end of its turn.
        if link.awake || link.queued {
            return;
        }
        link.queued = true;
        self.waiting.push_back(Rc::clone(shared));
        self.sleeper.wake();
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl State {
    /// Writes for a portion of those who wait; says whether more do.
    fn write_portion(&mut self) -> bool {
        for _ in 0..WRITES_AT_ONCE_MAX {
            let Some(shared) = self.queue.waiting.pop_front() else { break };
            self.write_queued(&shared);
        }
        if self.queue.is_empty() && self.queue.waiting.capacity() > WRITES_AT_ONCE_MAX {
            self.queue.waiting = VecDeque::new();
        }
        !self.queue.is_empty()
    }

    /// Writes for one connection, and leaves to its task whatever is more than that.
    fn write_queued(&mut self, shared: &SharedLink) {
        let (slot, waker) = {
            let link = &mut *shared.borrow_mut();
            link.queued = false;
            if link.awake {
                return;
            }
            // Once a socket takes no more, it is the connection's task that goes on.
            let Some(waker) = link.waker.take() else { return };
            link.awake = true;
            (link.slot, waker)
        };
        let written = self.write(&mut Context::from_waker(&waker), slot, shared, 1);
        let link = &mut *shared.borrow_mut();
        link.waker = Some(waker);
        link.awake = false;
        let more = written.unwrap_or_else(|error| {
            let cause = Cause::ConnectionLost(error);
            link.closing.get_or_insert(Closing { cause, deadline: self.now });
            true
        });
        if more || link.closing.is_some() {
            link.wake();
        }
    }

    /// Writes what waits for a connection and what its session holds back, until there is nothing more, the socket
    /// takes no more, or there were so many writes; says whether there is more to write at once.
    ///
    /// # Errors
    /// The connection is broken, for this reason.
    pub(super) fn write(
        &mut self,
        cx: &mut Context<'_>,
        slot: usize,
        shared: &SharedLink,
        writes_max: usize,
    ) -> Result<bool, String> {
        for _ in 0..writes_max {
            {
                let link = &mut *shared.borrow_mut();
                if link.is_gated {
                    return Ok(false);
                }
                if link.out.is_empty() && !link.flushing {
                    link.out.release(&mut self.spare);
                    return Ok(false);
                }
                let Some(transport) = &mut link.transport else { return Ok(false) };
                match poll_write(transport, cx, &mut link.out, &self.counters) {
                    Poll::Ready(Ok(())) => {
                        link.flushing = false;
                        if !self.sessions.get(slot).is_some_and(Session::holds_back) {
                            link.out.release(&mut self.spare);
                            return Ok(false);
                        }
                    }
                    Poll::Ready(Err(error)) => return Err(error.to_string()),
                    Poll::Pending => {
                        link.flushing = true;
                        return Ok(false);
                    }
                }
            }
            // There is room again for what the session holds back.
            self.pump(slot);
        }
        let link = &mut *shared.borrow_mut();
        link.out.release(&mut self.spare);
        Ok(!link.out.is_empty())
    }
}

/// Writes for those who wait, for as long as the worker runs.
pub(super) async fn run(worker: Rc<Worker>) {
    portions::run(worker, State::write_portion, |state| &mut state.queue.sleeper).await;
}
