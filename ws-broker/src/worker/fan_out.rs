//! Messages for very many. They are given to their receivers in portions, and between two portions there is
//! time for everybody else: to hand one message to a hundred thousand takes longer than anybody should wait.
//! What a portion has to write has left before the next one begins, so that their buffers are used again.
//!
//! What is acknowledged is acknowledged after all have it. Not in portions goes what is stored everywhere at
//! once, or nowhere.
//!
//! **Invariant:** no message overtakes another of its topic and its publisher's that has the same QoS: while one is on
//! its way to very many, those of the same topic go behind it, however few they are for.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use crate::broker::{Message, Target, Targets};
use crate::limits::{RECEIVERS_AT_ONCE_MAX, ROUND_BYTES_MAX};
use crate::worker::keeper::{WaitKey, Waiting};
use crate::worker::portions::{self, Sleeper};
use crate::worker::round::{Packets, session_of, takes_packets};
use crate::worker::{State, Worker};

/// Messages on their way to very many, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct FanOuts {
    waiting: VecDeque<FanOut>,
    /// What all of them come to when they are written.
    bytes: usize,
    packets: Packets,
    sleeper: Sleeper,
}

/// Messages of one topic, for the same receivers.
#[derive(Debug)]
struct FanOut {
    messages: Vec<OnItsWay>,
    targets: Arc<Targets>,
    /// Who of them is next.
    next: usize,
    /// What each of them gets, in bytes.
    size: usize,
}

#[derive(Debug)]
struct OnItsWay {
    message: Arc<Message>,
    /// The wait of who is to know that all have it.
    wait: Option<WaitKey>,
}

impl FanOut {
    /// Whether a message for these receivers goes together with the others.
    fn takes(&self, targets: &Arc<Targets>) -> bool {
        self.next == 0 && self.size < ROUND_BYTES_MAX && Arc::ptr_eq(&self.targets, targets)
    }
}

impl FanOuts {
    /// Whether a message of this topic is on its way.
    fn hold(&self, topic: &str) -> bool {
        let topics = self.waiting.iter().filter_map(|fan_out| fan_out.messages.first());
        topics.map(|first| first.message.topic.as_str()).any(|waiting| waiting == topic)
    }
}

impl State {
    /// Whether a message goes to its receivers here in portions.
    pub(super) fn is_for_many(&self, message: &Message, targets: &Targets) -> bool {
        targets.of(self.id).len() > RECEIVERS_AT_ONCE_MAX
            || self.fan_outs.hold(message.topic.as_str())
    }

    /// Sends a message to its receivers here, in portions. Whoever publishes waits while too much is on its
    /// way, and who waits for the message until the last of them has it.
    pub(super) fn fan_out(
        &mut self,
        message: Arc<Message>,
        targets: Arc<Targets>,
        waiting: &mut Waiting,
    ) {
        let size = message.size();
        let bytes = size.saturating_mul(targets.of(self.id).len());
        self.fan_outs.bytes = self.fan_outs.bytes.saturating_add(bytes);
        if self.shared.note_fan_outs(self.id, self.fan_outs.bytes) {
            self.congested = Some(self.id);
        }
        let on_its_way = OnItsWay { message, wait: self.keeper.wait(waiting) };
        let waiting = &mut self.fan_outs.waiting;
        match waiting.back_mut().filter(|last| last.takes(&targets)) {
            Some(last) => {
                last.messages.push(on_its_way);
                last.size = last.size.saturating_add(size);
            }
            None => {
                waiting.push_back(FanOut { messages: vec![on_its_way], targets, next: 0, size });
            }
        }
        self.fan_outs.sleeper.wake();
    }

    /// Gives the next portion of receivers what is for them; says whether there are more.
    fn give_portion(&mut self) -> bool {
        let Some(mut fan_out) = self.fan_outs.waiting.pop_front() else { return false };
        let here = fan_out.targets.of(self.id);
        let end = fan_out.next.saturating_add(RECEIVERS_AT_ONCE_MAX).min(here.len());
        let portion = here.get(fan_out.next..end).unwrap_or_default();
        self.give(portion, &fan_out.messages);
        if end < here.len() {
            fan_out.next = end;
            self.fan_outs.waiting.push_front(fan_out);
        } else {
            let bytes = fan_out.size.saturating_mul(here.len());
            self.fan_outs.bytes = self.fan_outs.bytes.saturating_sub(bytes);
            self.shared.note_fan_outs(self.id, self.fan_outs.bytes);
            for wait in fan_out.messages.iter().filter_map(|on_its_way| on_its_way.wait) {
                self.keeper.settle(wait);
            }
        }
        !self.fan_outs.waiting.is_empty()
    }

    fn give(&mut self, portion: &[Target], messages: &[OnItsWay]) {
        let mut packets = std::mem::take(&mut self.fan_outs.packets);
        packets.clear();
        if messages.iter().all(|on_its_way| self.may_join_round(&on_its_way.message)) {
            packets.want_all();
            messages.iter().for_each(|on_its_way| packets.add(&on_its_way.message));
        }
        for target in portion {
            if packets.are_some() && self.takes_all(target, messages) {
                self.give_packets(target, &packets);
            } else {
                for OnItsWay { message, wait } in messages {
                    self.deliver_kept(target, message, wait.map_or(Waiting::Nobody, Waiting::For));
                }
            }
        }
        self.fan_outs.packets = packets;
    }

    /// Whether a receiver takes packets that were encoded for all, and all of them.
    fn takes_all(&self, target: &Target, messages: &[OnItsWay]) -> bool {
        let Some(session) = session_of(&self.sessions, target) else { return false };
        let is_own = messages.iter().any(|it| it.message.publisher == Some(session.key));
        !is_own && takes_packets(session, target).is_some()
    }
}

/// Gives those who wait their portions, for as long as the worker runs.
pub(super) async fn run(worker: Rc<Worker>) {
    // Not before the portion before it was written.
    let portion = |state: &mut State| !state.queue.is_empty() || state.give_portion();
    portions::run(worker, portion, |state| &mut state.fan_outs.sleeper).await;
}
