//! Messages of a recording on their way to a broker again, each when it is due.
//!
//! The page reads the file and hands on what it read, a little ahead; the clock is the engine's, as that
//! of a page in the background hardly ticks. What can't be sent now holds everything behind it up, so
//! nothing is left out and the order stays.

use std::collections::VecDeque;

use crate::limits::{REPLAY_AT_ONCE, REPLAY_WAITING_MAX};
use crate::protocol::{Failure, Replaying, Timed};

/// What became of a message that was due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way.
    Yes,
    /// It can't be sent now.
    Later(Failure),
    /// It can't be sent at all.
    Never(Failure),
}

/// A recording that is replayed.
#[derive(Debug, Default)]
pub struct Replay {
    waiting: VecDeque<Timed>,
    /// Whether nothing comes behind what waits.
    is_whole: bool,
    /// How many times as fast as it was recorded; none for as fast as it goes.
    speed: Option<f64>,
    /// Up to where of the recording it is, in its own milliseconds; none before the first message.
    position_ms: Option<f64>,
    looked_ms: f64,
    is_paused: bool,
    sent: u64,
    failed: u64,
    failure: Option<Failure>,
    held: Option<Failure>,
}

impl Replay {
    /// One that begins with the first message that it gets.
    pub fn new(speed: Option<f64>, now_ms: f64) -> Self {
        Self { speed, looked_ms: now_ms, ..Self::default() }
    }

    /// Takes in what comes next. What is beyond the limit was not asked for, and is counted as failed.
    pub fn add(&mut self, messages: Vec<Timed>, is_last: bool) {
        for message in messages {
            if self.waiting.len() < REPLAY_WAITING_MAX {
                self.waiting.push_back(message);
            } else {
                self.failed(Failure::Busy);
            }
        }
        self.is_whole = is_last;
    }

    /// Stops where it is, or goes on from there.
    pub fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    /// From here on at this speed.
    pub fn set_speed(&mut self, speed: Option<f64>) {
        self.speed = speed;
    }

    /// Sends what is due.
    pub fn run(&mut self, now_ms: f64, mut send: impl FnMut(&Timed) -> Sent) {
        // A clock that was set back does not turn the recording back.
        let passed_ms = (now_ms - self.looked_ms).max(0.0);
        self.looked_ms = now_ms;
        let Some(first) = self.waiting.front().filter(|_| !self.is_paused) else { return };
        let position = self.position_ms.unwrap_or(first.at_ms);
        let mut position = position + passed_ms * self.speed.unwrap_or(0.0);
        for _ in 0..REPLAY_AT_ONCE {
            let Some(next) = self.waiting.front() else { break };
            if self.speed.is_some() && next.at_ms > position {
                break;
            }
            let at_ms = next.at_ms;
            self.held = None;
            match send(next) {
                Sent::Yes => self.sent = self.sent.saturating_add(1),
                Sent::Never(why) => self.failed(why),
                Sent::Later(why) => {
                    // Its time waits with it.
                    position = at_ms;
                    self.held = Some(why);
                    break;
                }
            }
            self.waiting.pop_front();
            if self.speed.is_none() || self.waiting.is_empty() {
                // What is read next goes on from here, however long reading took.
                position = at_ms;
            }
        }
        self.position_ms = Some(position);
    }

    /// What was sent was refused after all.
    pub fn failed(&mut self, why: Failure) {
        self.failed = self.failed.saturating_add(1);
        self.failure = Some(why);
    }

    /// Whether all of it was sent.
    pub fn is_done(&self) -> bool {
        self.is_whole && self.waiting.is_empty()
    }

    /// How it is.
    pub fn shown(&self) -> Replaying {
        Replaying {
            sent: self.sent,
            failed: self.failed,
            failure: self.failure.clone(),
            waiting: u32::try_from(self.waiting.len()).unwrap_or(u32::MAX),
            is_paused: self.is_paused,
            held: self.held.clone().filter(|_| !self.is_done()),
            is_done: self.is_done(),
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::protocol::{Properties, Publish};

    fn timed(at_ms: f64) -> Timed {
        let publish = Publish {
            ticket: 0,
            topic: at_ms.to_string(),
            payload: Vec::new(),
            qos: 0,
            retain: false,
            properties: Properties::default(),
        };
        Timed { at_ms, publish }
    }

    fn recording(times: &[f64]) -> Vec<Timed> {
        times.iter().map(|at_ms| timed(*at_ms)).collect()
    }

    /// What is sent when it runs at these times.
    fn sent(replay: &mut Replay, times: &[f64]) -> Vec<Vec<String>> {
        times
            .iter()
            .map(|now_ms| {
                let mut sent = Vec::new();
                replay.run(*now_ms, |message| {
                    sent.push(message.publish.topic.clone());
                    Sent::Yes
                });
                sent
            })
            .collect()
    }

    #[test]
    fn each_message_comes_when_it_is_due() {
        let mut replay = Replay::new(Some(1.0), 1_000.0);
        replay.add(recording(&[50.0, 60.0, 60.0, 90.0]), true);
        assert_eq!(
            sent(&mut replay, &[1_000.0, 1_009.0, 1_010.0, 1_039.0, 1_040.0]),
            [vec!["50"], vec![], vec!["60", "60"], vec![], vec!["90"]]
        );
        assert!(replay.is_done() && replay.shown().sent == 4);
    }

    #[test]
    fn it_goes_faster_pauses_and_is_never_turned_back() {
        let mut replay = Replay::new(Some(10.0), 0.0);
        replay.add(recording(&[0.0, 100.0, 200.0, 300.0]), true);
        assert_eq!(sent(&mut replay, &[0.0, 9.0, 10.0]), [vec!["0"], vec![], vec!["100"]]);
        replay.pause(true);
        assert_eq!(sent(&mut replay, &[5_000.0]), [Vec::<String>::new()]);
        replay.pause(false);
        assert_eq!(sent(&mut replay, &[5_009.0, 1.0, 2.0]), [vec![], vec![], vec!["200"]]);
        replay.set_speed(None);
        assert_eq!(sent(&mut replay, &[2.0]), [vec!["300"]]);
    }

    #[test]
    fn what_can_not_be_sent_waits_with_its_time() {
        let mut replay = Replay::new(Some(1.0), 0.0);
        replay.add(recording(&[0.0, 10.0]), true);
        replay.run(0.0, |_| Sent::Later(Failure::Offline));
        replay.run(9_000.0, |_| Sent::Later(Failure::Offline));
        assert_eq!(replay.shown().held, Some(Failure::Offline));
        assert_eq!(
            sent(&mut replay, &[9_000.0, 9_009.0, 9_010.0]),
            [vec!["0"], vec![], vec!["10"]]
        );
        assert_eq!(replay.shown().held, None);
    }

    #[test]
    fn what_was_read_late_goes_on_from_where_it_was() {
        let mut replay = Replay::new(Some(1.0), 0.0);
        replay.add(recording(&[0.0]), false);
        assert_eq!(sent(&mut replay, &[0.0, 500.0]), [vec!["0"], vec![]]);
        assert!(!replay.is_done());
        replay.add(recording(&[20.0]), true);
        assert_eq!(sent(&mut replay, &[510.0, 520.0]), [vec![], vec!["20"]]);
    }

    #[test]
    fn what_fails_is_counted_and_the_rest_goes_on() {
        let mut replay = Replay::new(None, 0.0);
        replay.add(recording(&[0.0, 1.0]), true);
        replay.run(0.0, |message| match message.at_ms {
            0.0 => Sent::Never(Failure::TopicEmpty),
            _ => Sent::Yes,
        });
        let shown = replay.shown();
        assert_eq!((shown.sent, shown.failed, shown.is_done), (1, 1, true));
        assert_eq!(shown.failure, Some(Failure::TopicEmpty));
        let times: Vec<f64> = vec![0.0; REPLAY_WAITING_MAX + 1];
        replay.add(recording(&times), true);
        assert_eq!(replay.shown().failed, 2);
    }
}
