//! What was sent in one direction, what arrived, and whether that is what was promised.

use codec::QoS;
use std::collections::BTreeMap;

/// One direction, from application to application.
#[derive(Debug, Default)]
pub struct Ledger {
    sent: Vec<Sent>,
    arrived: Vec<Copy>,
}

#[derive(Debug)]
struct Sent {
    copy: Copy,
    fate: Fate,
}

/// What the sender knows of a message at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing was said of it.
    Open,
    /// It is the other end's.
    Taken,
    /// The other end refused it.
    Refused,
    /// The session was lost under it.
    Lost,
}

/// A message: the number says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Copy {
    topic: u8,
    qos: QoS,
    number: usize,
}

impl Ledger {
    /// The number that the next message carries.
    pub fn next_number(&self) -> usize {
        self.sent.len()
    }

    pub fn sent(&mut self, topic: u8, qos: QoS) {
        let copy = Copy { topic, qos, number: self.sent.len() };
        self.sent.push(Sent { copy, fate: Fate::Open });
    }

    pub fn arrived(&mut self, topic: u8, qos: QoS, number: usize) {
        let copy = Copy { topic, qos, number };
        assert_eq!(self.sent[number].copy, copy, "what arrived is not what was sent");
        self.arrived.push(copy);
    }

    /// The sender is told what became of a message; once.
    pub fn decided(&mut self, number: usize, fate: Fate) {
        let known = std::mem::replace(&mut self.sent[number].fate, fate);
        assert_eq!(known, Fate::Open, "message {number} was decided before");
    }

    pub fn arrived_len(&self) -> usize {
        self.arrived.len()
    }

    /// At the end, when all has come to rest. Where the receiver may have lost its session, a message
    /// that nobody promised may be missing.
    pub fn check(&self, sessions_lost: bool) {
        for sent in &self.sent {
            let Copy { qos, number, .. } = sent.copy;
            let copies = self.arrived.iter().filter(|copy| copy.number == number).count();
            let what = format!("{sent:?} arrived {copies} times");
            match (qos, sent.fate) {
                (_, Fate::Refused) => assert_eq!(copies, 0, "{what}"),
                (QoS::AtMostOnce, _) => assert!(copies <= 1, "{what}"),
                (QoS::AtLeastOnce, Fate::Taken) => assert!(copies >= 1, "{what}"),
                (QoS::ExactlyOnce, Fate::Taken) => assert_eq!(copies, 1, "{what}"),
                (_, Fate::Open) => panic!("{what}"),
                (QoS::AtLeastOnce, Fate::Lost) => assert!(sessions_lost, "{what}"),
                (QoS::ExactlyOnce, Fate::Lost) => assert!(sessions_lost && copies <= 1, "{what}"),
            }
        }
        self.check_order();
    }

    /// For each topic and QoS, the first copies are in the order of sending, and so are the last
    /// (MQTT 5.0 §4.6).
    fn check_order(&self) {
        let mut lanes: BTreeMap<(u8, QoS), Vec<usize>> = BTreeMap::new();
        for copy in &self.arrived {
            lanes.entry((copy.topic, copy.qos)).or_default().push(copy.number);
        }
        for (lane, numbers) in lanes {
            let first = firsts(numbers.iter().copied());
            let mut last = firsts(numbers.iter().rev().copied());
            last.reverse();
            assert!(first.is_sorted(), "MQTT 5.0 §4.6: first copies of {lane:?}: {numbers:?}");
            assert!(last.is_sorted(), "MQTT 5.0 §4.6: last copies of {lane:?}: {numbers:?}");
        }
    }
}

fn firsts(numbers: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut seen = std::collections::BTreeSet::new();
    numbers.filter(|number| seen.insert(*number)).collect()
}
