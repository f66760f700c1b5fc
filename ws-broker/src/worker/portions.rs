//! Tasks whose work may be long, and is done a portion at a time: between two portions there is time for
//! everybody else.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use tokio::task::{coop, yield_now};

use crate::worker::{State, Worker};

/// Wakes such a task once there is work for it.
#[derive(Debug, Default)]
pub(super) struct Sleeper {
    /// There while the task sleeps.
    waker: Option<Waker>,
    /// Whether there is work that came to be while it was awake.
    is_wanted: bool,
}

impl Sleeper {
    pub(super) fn wake(&mut self) {
        match self.waker.take() {
            Some(waker) => waker.wake(),
            None => self.is_wanted = true,
        }
    }
}

/// Does one portion in each turn for as long as the worker runs, and sleeps where `portion` says that there is no
/// more to do.
pub(super) async fn run(
    worker: Rc<Worker>,
    portion: impl Fn(&mut State) -> bool,
    sleeper: impl Fn(&mut State) -> &mut Sleeper,
) {
    // How long it may go on is its own affair: others have their turn after each portion.
    coop::unconstrained(poll_fn::<(), _>(|cx| {
        let state = &mut *worker.state.borrow_mut();
        state.begin_turn();
        sleeper(state).is_wanted = false;
        let more = portion(state);
        state.end_turn();
        let sleeper = sleeper(state);
        // The end of a turn may find work, too.
        if more || sleeper.is_wanted {
            // Not before it was looked for what has arrived.
            let _ = pin!(yield_now()).poll(cx);
        } else {
            sleeper.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }))
    .await;
}
