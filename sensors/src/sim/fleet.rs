//! All simulated devices, and whose turn it is.
//!
//! Devices stand in a row that repeats [`MIX`], and a topic's number says where in the row it
//! belongs: names, kinds and seeds are worked out when they are asked for. What is remembered is
//! where in the round we are, and which devices have been said to be away.

use super::device::{Device, Kind, Says};
use super::kinds::MIX;
use super::signal::{self, Seed};
use crate::broker::{Message, Qos};
use std::borrow::Cow;
use std::ptr;

/// Where a device stands in [`MIX`].
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Topics of the mix that come before its own.
    first_topic: usize,
    /// Devices of its kind that come before it, and that there are in the mix.
    before: usize,
    alike: usize,
}

/// So many topics, published one after the other, round after round.
pub(super) struct Fleet {
    seed: Seed,
    topics: usize,
    /// Empty, or the first levels of all topics with the slash behind them.
    prefix: String,
    qos: Qos,
    drop_outs: bool,
    places: Vec<Place>,
    topics_in_mix: usize,
    round: u64,
    next: usize,
    /// By a device's number, whether it has been said to be away.
    away: Vec<bool>,
}

impl Fleet {
    pub(super) fn new(seed: u64, topics: usize, prefix: &str, qos: Qos, drop_outs: bool) -> Self {
        let (places, topics_in_mix) = places();
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let mut fleet = Self {
            seed: Seed::new(seed),
            topics,
            prefix,
            qos,
            drop_outs,
            places,
            topics_in_mix,
            round: 0,
            next: 0,
            away: Vec::new(),
        };
        let devices = topics.checked_sub(1).and_then(|last| fleet.device(last));
        fleet.away = vec![false; devices.map_or(0, |(device, _)| device.id + 1)];
        fleet
    }

    /// How many devices there are; the last one may be short of some topics.
    pub(super) fn devices(&self) -> usize {
        self.away.len()
    }

    /// Whether everything has been published once.
    pub(super) fn round_is_over(&self) -> bool {
        self.round > 0
    }

    /// Begins anew with a round of everything, for a broker that may have forgotten it.
    pub(super) fn start_over(&mut self) {
        self.round = 0;
        self.next = 0;
        self.away.fill(false);
    }

    /// What is published next, as it is at this moment; nothing if nobody has anything to say.
    ///
    /// The first round says everything. Then a device that is away is passed over, and so is a
    /// topic that is published only now and then: another one takes its turn.
    pub(super) fn next(&mut self, t: f64) -> Option<Message> {
        for _ in 0..self.topics {
            let (round, index) = (self.round, self.next);
            self.next += 1;
            if self.next == self.topics {
                self.next = 0;
                self.round += 1;
            }
            let message = self.message(round, index, t);
            if message.is_some() {
                return message;
            }
        }
        None
    }

    /// What one topic says in a round, if anything.
    fn message(&mut self, round: u64, index: usize, t: f64) -> Option<Message> {
        let (device, topic) = self.device(index)?;
        let topic = device.kind.topics.get(topic)?;
        let is_first = round == 0;
        let is_away = !is_first && self.drop_outs && signal::is_silent(device.seed, t);
        let payload = match topic.says {
            Says::Presence { here, away } => {
                let said = self.away.get_mut(device.id)?;
                if *said == is_away && !is_first {
                    return None;
                }
                *said = is_away;
                if is_away { away } else { here }.to_owned()
            }
            Says::Measured(measure) => {
                let turn = round.wrapping_add(device.id as u64);
                if is_away || !(is_first || turn.is_multiple_of(topic.every)) {
                    return None;
                }
                measure(device, t)
            }
        };
        let name = (device.kind.name)(device);
        Some(Message {
            topic: format!("{}{}", self.prefix, topic.name.replacen("{}", &name, 1)),
            payload,
            unit: topic.unit.map(Cow::Borrowed),
            time: None,
            expiry: None,
            retain: topic.retain,
            qos: self.qos,
        })
    }

    /// The device that a topic belongs to, and the topic's number there.
    fn device(&self, index: usize) -> Option<(Device, usize)> {
        let (row, rest) = (index / self.topics_in_mix, index % self.topics_in_mix);
        let place =
            self.places.partition_point(|place| place.first_topic <= rest).checked_sub(1)?;
        let (kind, at) = (MIX.get(place)?, self.places.get(place)?);
        let id = row * MIX.len() + place;
        let device =
            Device { id, kind, number: row * at.alike + at.before, seed: self.seed.of(id as u64) };
        Some((device, rest - at.first_topic))
    }
}

/// Where each device of the mix stands, and how many topics all of them have.
fn places() -> (Vec<Place>, usize) {
    let alike = |devices: &[&'static Kind], kind: &'static Kind| {
        devices.iter().filter(|other| ptr::eq(**other, kind)).count()
    };
    let mut first_topic = 0;
    let mut places = Vec::new();
    for (position, kind) in MIX.iter().enumerate() {
        let before = alike(MIX.get(..position).unwrap_or_default(), kind);
        places.push(Place { first_topic, before, alike: alike(MIX, kind) });
        first_topic += kind.topics.len();
    }
    (places, first_topic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// 2026-06-21T08:00:00Z.
    const START_S: f64 = 1_782_028_800.0;

    fn fleet(seed: u64, topics: usize) -> Fleet {
        Fleet::new(seed, topics, "sim", Qos::AtMostOnce, true)
    }

    /// So many messages, ten a second.
    fn messages(fleet: &mut Fleet, count: u32) -> Vec<(f64, Message)> {
        (0..count)
            .filter_map(|n| {
                let t = START_S + f64::from(n) / 10.0;
                Some((t, fleet.next(t)?))
            })
            .collect()
    }

    #[test]
    fn the_first_round_has_every_topic_once_whatever_the_number() {
        for topics in [1, 2, 5, 6, 7, 89, 90, 91, 1_000, 100_000] {
            let mut fleet = fleet(1, topics);
            let mut seen = BTreeSet::new();
            while !fleet.round_is_over() {
                let message = fleet.next(START_S).expect("the first round is complete");
                assert!(!message.payload.is_empty(), "{message:?}");
                assert!(message.topic.starts_with("sim/"), "{message:?}");
                assert!(!message.topic.contains(['{', '}', '+', '#', ' ']), "{message:?}");
                seen.insert(message.topic);
            }
            assert_eq!(seen.len(), topics);
        }
    }

    #[test]
    fn a_hundred_thousand_topics_take_a_byte_for_each_device() {
        let fleet = fleet(1, 100_000);
        assert!(fleet.devices() < 25_000, "{}", fleet.devices());
        assert_eq!(fleet.away.len(), fleet.devices());
    }

    #[test]
    fn the_same_seed_says_the_same_and_another_says_something_else() {
        for seed in 0..20 {
            let once = messages(&mut fleet(seed, 200), 1_000);
            assert_eq!(once, messages(&mut fleet(seed, 200), 1_000), "seed {seed}");
            assert_ne!(once, messages(&mut fleet(seed + 1, 200), 1_000), "seed {seed}");
        }
    }

    #[test]
    fn what_is_json_is_json_and_numbers_are_numbers() {
        let mut fleet = fleet(11, 2_000);
        for (_, message) in messages(&mut fleet, 20_000) {
            let payload = &message.payload;
            if payload.starts_with('{') {
                let json: Result<serde_json::Value, _> = serde_json::from_str(payload);
                assert!(json.is_ok_and(|json| json.is_object()), "{message:?}");
            }
            if message.unit.is_some() {
                assert!(payload.parse::<f64>().is_ok_and(f64::is_finite), "{message:?}");
            }
        }
    }

    #[test]
    fn readings_change_but_do_not_jump_about() {
        let mut fleet = fleet(2, 500);
        let mut last: BTreeMap<String, f64> = BTreeMap::new();
        let (mut changed, mut far) = (0_u32, 0_u32);
        for (_, message) in messages(&mut fleet, 50_000) {
            if !message.topic.ends_with("sensor/temperature/state") {
                continue;
            }
            let celsius: f64 = message.payload.parse().unwrap();
            assert!((5.0..40.0).contains(&celsius), "{message:?}");
            if let Some(before) = last.insert(message.topic, celsius) {
                changed += u32::from(before != celsius);
                far += u32::from((before - celsius).abs() > 1.0);
            }
        }
        assert!(changed > 1_000, "{changed} changes");
        assert!((1..changed / 20).contains(&far), "{far} spikes in {changed} changes");
    }

    #[test]
    fn a_device_that_drops_out_says_so_is_silent_and_comes_back() {
        let mut fleet = fleet(3, 400);
        let mut away: BTreeSet<String> = BTreeSet::new();
        let (mut gone, mut back, mut silent) = (0_u32, 0_u32, 0_u32);
        for (t, message) in messages(&mut fleet, 100_000) {
            let Some((device, rest)) =
                message.topic.strip_prefix("sim/esphome/").and_then(|below| below.split_once('/'))
            else {
                continue;
            };
            match (rest, message.payload.as_str()) {
                ("status", "offline") => {
                    assert!(message.retain && away.insert(device.to_owned()), "{message:?}");
                    gone += 1;
                }
                ("status", _) => back += u32::from(away.remove(device)),
                _ if away.contains(device) => {
                    // Its readings come before its status in a round, so one may be back first.
                    silent += 1;
                }
                _ => {}
            }
            assert!(t > 0.0);
        }
        assert!(gone > 10 && back > 10, "{gone} went, {back} came back");
        // Five readings a round at most, between the two.
        assert!(silent <= 5 * back, "{silent} readings of {back} devices that were away");
    }

    #[test]
    fn without_drop_outs_the_turn_is_always_taken() {
        let mut fleet = Fleet::new(1, 1, "", Qos::AtMostOnce, false);
        assert_eq!(messages(&mut fleet, 20_000).len(), 20_000);
        let mut fleet = Fleet::new(1, 1, "", Qos::AtMostOnce, true);
        let spoken = messages(&mut fleet, 200_000).len();
        assert!((150_000..200_000).contains(&spoken), "{spoken}");
    }

    #[test]
    fn after_an_outage_everything_is_said_again() {
        let mut fleet = fleet(1, 90);
        let before = messages(&mut fleet, 500);
        fleet.start_over();
        let after: BTreeSet<_> =
            messages(&mut fleet, 90).into_iter().map(|(_, message)| message.topic).collect();
        assert_eq!(after.len(), 90);
        assert!(before.iter().all(|(_, message)| after.contains(&message.topic)));
    }
}
