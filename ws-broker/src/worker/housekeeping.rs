//! What happens because time passes: silent clients, wills, sessions and messages that expire.

use std::rc::Rc;
use std::time::Duration;

use crate::broker::count;
use crate::time::Ms;
use crate::worker::State;
use crate::worker::Worker;
use crate::worker::link::Cause;

/// How often a worker looks at its sessions. Deadlines are met this much late at most.
const PERIOD: Duration = Duration::from_millis(250);

/// How often retained messages are searched for expired ones, which are not sent anyhow.
const RETAINED_PERIOD_MS: Ms = 60_000;

/// Looks after a worker's sessions for as long as the worker runs.
pub(super) async fn run(worker: Rc<Worker>) {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut retained_at = RETAINED_PERIOD_MS;
    loop {
        ticks.tick().await;
        let mut state = worker.state.borrow_mut();
        state.begin_turn();
        state.look_after_sessions();
        state.end_turn();
        // One worker does it for all.
        if worker.id == 0 && state.now >= retained_at {
            retained_at = state.now.saturating_add(RETAINED_PERIOD_MS);
            worker.shared.retained.drop_expired(state.now);
        }
    }
}

/// What has become due for one session.
enum Due {
    Will(usize),
    End(usize),
}

impl State {
    fn look_after_sessions(&mut self) {
        let now = self.now;
        let deadline = self.closing_deadline();
        let mut due = Vec::new();
        for (slot, session) in &mut self.sessions {
            if let Some(link) = &session.link {
                let link = &mut *link.borrow_mut();
                let silent_ms = now.saturating_sub(link.last_heard);
                if link.silence_max_ms > 0 && silent_ms > link.silence_max_ms {
                    link.close(Cause::Silent, deadline, &mut self.spare);
                }
                if link.closing.as_ref().is_some_and(|closing| closing.deadline <= now) {
                    link.wake();
                }
            } else if session.expires_at.is_some_and(|at| at <= now) {
                due.push(Due::End(slot));
            } else if session.will.as_ref().is_some_and(|will| will.at <= now) {
                due.push(Due::Will(slot));
            }
            let expired = session.drop_expired(now);
            count(&self.counters.dropped_expired, expired as u64);
        }
        for due in due {
            match due {
                Due::Will(slot) => {
                    let will = self.sessions.get_mut(slot).and_then(|session| session.will.take());
                    if let Some(delayed) = will {
                        self.publish_will(slot, *delayed.will);
                    }
                }
                Due::End(slot) => {
                    if let Some(session) = self.sessions.get(slot) {
                        tracing::debug!("The session of {} has expired.", session.client_id);
                    }
                    self.end_session(slot);
                }
            }
        }
    }
}
