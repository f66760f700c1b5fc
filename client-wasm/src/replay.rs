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

/// How far in the file the broker is. What is read is told in pieces, with the messages up to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Up to which message and which byte: the last piece that is done with, and those after it.
    pieces: VecDeque<(u64, f64)>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { pieces: VecDeque::from([(0, 0.0)]) }
    }
}

impl Progress {
    /// A piece of so many messages was read.
    pub fn read(&mut self, messages: u64, bytes: f64) {
        let (messages_before, bytes_before) = self.pieces.back().copied().unwrap_or_default();
        self.pieces.push_back((messages_before.saturating_add(messages), bytes_before + bytes));
    }

    /// Forgets the pieces that are done with when so many messages are.
    pub fn forget(&mut self, messages: u64) {
        self.pieces.drain(..self.last_done(messages));
    }

    /// The byte up to which the file is done with when so many messages are; it goes on where a file is replayed
    /// once more.
    pub fn at(&self, messages: u64) -> f64 {
        let done = self.last_done(messages);
        let (from, first) = self.pieces.get(done).copied().unwrap_or_default();
        let Some((to, last)) = self.pieces.get(done.saturating_add(1)) else { return first };
        let part = messages.saturating_sub(from) as f64 / to.saturating_sub(from) as f64;
        first + (last - first) * part
    }

    /// The place of the last piece that is done with.
    fn last_done(&self, messages: u64) -> usize {
        self.pieces.partition_point(|(up_to, _)| *up_to <= messages).saturating_sub(1)
    }
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
    /// What was sent and not answered.
    under_way: u64,
    taken: u64,
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
                Sent::Yes => self.under_way = self.under_way.saturating_add(1),
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

    /// What became of a message that was sent: the broker has taken it, or not.
    pub fn answered(&mut self, failure: Option<Failure>) {
        self.under_way = self.under_way.saturating_sub(1);
        match failure {
            None => self.taken = self.taken.saturating_add(1),
            Some(why) => self.failed(why),
        }
    }

    /// A message is not sent at all.
    fn failed(&mut self, why: Failure) {
        self.failed = self.failed.saturating_add(1);
        self.failure = Some(why);
    }

    /// Whether all of it was sent, be it answered or not.
    pub fn is_sent(&self) -> bool {
        self.is_whole && self.waiting.is_empty()
    }

    /// How it is.
    pub fn shown(&self) -> Replaying {
        Replaying {
            taken: self.taken,
            under_way: self.under_way,
            failed: self.failed,
            failure: self.failure.clone(),
            waiting: u32::try_from(self.waiting.len()).unwrap_or(u32::MAX),
            is_paused: self.is_paused,
            held: self.held.clone().filter(|_| !self.is_sent()),
            is_done: self.is_sent() && self.under_way == 0,
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
        assert!(replay.is_sent());
        let told = |replay: &Replay| {
            let shown = replay.shown();
            (shown.taken, shown.failed, shown.under_way, shown.is_done)
        };
        // It is the broker who says when it is done.
        assert_eq!(told(&replay), (0, 0, 4, false));
        for _ in 0..3 {
            replay.answered(None);
        }
        assert_eq!(told(&replay), (3, 0, 1, false));
        replay.answered(Some(Failure::Lost));
        assert_eq!(told(&replay), (3, 1, 0, true));
    }

    #[test]
    fn progress_is_what_is_done_of_the_file_and_not_what_is_read() {
        let mut progress = Progress::default();
        assert_eq!(progress.at(0), 0.0);
        progress.read(10, 1_000.0);
        // Lines that are no messages are done with when those before them are.
        progress.read(0, 500.0);
        progress.read(4, 100.0);
        for (messages, bytes) in
            [(0, 0.0), (5, 500.0), (9, 900.0), (10, 1_500.0), (11, 1_525.0), (14, 1_600.0)]
        {
            assert_eq!(progress.at(messages), bytes, "{messages}");
        }
        progress.read(10, 1_000.0);
        assert_eq!(progress.at(15), 1_700.0);
        // What is done with takes no memory, however often a file is replayed.
        progress.forget(15);
        assert_eq!((progress.at(15), progress.pieces.len()), (1_700.0, 2));
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
        assert!(!replay.is_sent());
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
        assert_eq!((shown.under_way, shown.failed, shown.is_done), (1, 1, false));
        assert_eq!(shown.failure, Some(Failure::TopicEmpty));
        let times: Vec<f64> = vec![0.0; REPLAY_WAITING_MAX + 1];
        replay.add(recording(&times), true);
        assert_eq!(replay.shown().failed, 2);
    }
}
