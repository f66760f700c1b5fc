//! What happens because time passes: silent clients, wills, sessions and messages that expire.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::broker::count;
use crate::limits::SESSIONS_AT_ONCE_MAX;
use crate::log;
use crate::memory;
use crate::time::Ms;
use crate::worker::State;
use crate::worker::Worker;
use crate::worker::keeper::Waiting;
use crate::worker::link::Cause;
use crate::worker::session::Session;

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
        // A worker that never waits has to write its log lines some time.
        log::flush();
        memory::give_back_much();
        look_after_sessions(&worker).await;
        let mut state = worker.state.borrow_mut();
        state.begin_turn();
        if let Some(beat) = worker.shared.beats.get(usize::from(worker.id)) {
            beat.store(state.now, Ordering::Relaxed);
        }
        if worker.id == 0 {
            state.tell_of_oneself();
        }
        state.end_turn();
        // One worker does it for all.
        if worker.id == 0 && state.now >= retained_at {
            retained_at = state.now.saturating_add(RETAINED_PERIOD_MS);
            for message in worker.shared.retained.drop_expired(state.now) {
                let now = state.now;
                state.keeper.retain(message.topic.clone(), &mut Waiting::Nobody, now);
            }
        }
    }
}

/// Looks at all sessions. Where they are very many, everybody else has time for something between two portions
/// of them.
async fn look_after_sessions(worker: &Worker) {
    let mut held = Held::default();
    let mut first = 0_usize;
    loop {
        {
            let mut state = worker.state.borrow_mut();
            let slots = first..first.saturating_add(SESSIONS_AT_ONCE_MAX);
            first = slots.end;
            state.begin_turn();
            state.look_after(slots, &mut held);
            state.end_turn();
            if first >= state.sessions.capacity() {
                state.note_held(&held);
                return;
            }
        }
        tokio::task::yield_now().await;
    }
}

/// What sessions hold, added up.
#[derive(Default)]
struct Held {
    connected: usize,
    queued: usize,
    queued_bytes: usize,
    inflight: usize,
}

impl Held {
    fn take(&mut self, session: &Session) {
        self.connected = self.connected.saturating_add(usize::from(session.link.is_some()));
        self.queued = self.queued.saturating_add(session.queued_len());
        self.queued_bytes = self.queued_bytes.saturating_add(session.queued_bytes);
        self.inflight = self.inflight.saturating_add(session.send.inflight_len());
    }
}

/// What has become due for one session.
enum Due {
    Will(usize),
    End(usize),
}

impl State {
    /// Publishes what is new under `$SYS`, when it is time for it.
    fn tell_of_oneself(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut sys = shared.sys.lock();
        if sys.is_due(self.now, self.settings.config.sys_interval_s) {
            for message in sys.round(&shared.figures()) {
                self.publish(&message, &mut Waiting::Nobody);
            }
        }
    }

    /// Writes down for others what this worker's sessions hold now.
    fn note_held(&self, held: &Held) {
        let counters = &self.counters;
        for (gauge, value) in [
            (&counters.sessions, self.sessions.len()),
            (&counters.clients_connected, held.connected),
            (&counters.handshakes, self.handshakes),
            (&counters.queued_messages, held.queued),
            (&counters.queued_bytes, held.queued_bytes),
            (&counters.inflight_messages, held.inflight),
        ] {
            gauge.store(value as u64, Ordering::Relaxed);
        }
    }

    /// Does what is due for the sessions in these slots.
    fn look_after(&mut self, slots: Range<usize>, held: &mut Held) {
        let (now, stopping) = (self.now, self.stopping);
        let deadline = self.closing_deadline();
        let mut due = Vec::new();
        for slot in slots {
            let Some(session) = self.sessions.get_mut(slot) else { continue };
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
            } else if !stopping && session.will.as_ref().is_some_and(|will| will.at <= now) {
                due.push(Due::Will(slot));
            }
            let (expired, places) = session.drop_expired(now);
            count(&self.counters.dropped_expired, expired as u64);
            for place in places {
                self.keeper.end(place, now);
            }
            held.take(session);
        }
        for due in due {
            match due {
                Due::Will(slot) => {
                    let will = self.sessions.get_mut(slot).and_then(|session| session.will.take());
                    if let Some(delayed) = will {
                        self.publish_will(slot, *delayed.will);
                        self.keep_session(slot, &mut Waiting::Nobody);
                    }
                }
                Due::End(slot) => {
                    if let Some(session) = self.sessions.get(slot) {
                        tracing::debug!("The session of {} has expired.", session.client_id);
                    }
                    count(&self.counters.sessions_expired, 1);
                    self.end_session(slot);
                }
            }
        }
    }
}
