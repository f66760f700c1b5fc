//! What an import had to leave, and why: counted, so that a damaged file of any size is told in few lines.

use std::collections::BTreeMap;
use std::fmt;

/// What was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum What {
    Session,
    Subscription,
    /// A message that is on its way, or waits, for a client.
    Delivery,
    /// A message that a client has begun to send with QoS 2.
    Arrival,
    Message,
    Retained,
    /// A part of the file that is none of these.
    Part,
}

/// Why it was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    ClientId,
    Username,
    Topic,
    Filter,
    Properties,
    QoS,
    State,
    PacketId,
    PacketIdTwice,
    Twice,
    NoMessage,
    NoSession,
    SentAgain,
    UnknownKind,
    Identifier,
    Ended,
    Expired,
    QoS0,
    Known,
}

/// The count of what was left, by what it is and why.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut(BTreeMap<(What, Why), Tally>);

#[derive(Debug, PartialEq, Eq)]
struct Tally {
    count: u64,
    /// The byte of the file at which the first of them stands, where the file is to blame.
    first: Option<u64>,
}

impl LeftOut {
    /// Counts something, with the byte of the file at which it stands if the file is to blame.
    pub(crate) fn add(&mut self, what: What, why: Why, at: Option<u64>) {
        let tally = self.0.entry((what, why)).or_insert(Tally { count: 0, first: at });
        tally.count = tally.count.saturating_add(1);
    }

    /// A sentence for each kind.
    pub(crate) fn sentences(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|((what, why), Tally { count, first })| {
            let what = what.counted(*count);
            match first {
                None => format!("{what}: {why}"),
                Some(first) if *count == 1 => format!("{what}: {why} (at byte {first})"),
                Some(first) => format!("{what}: {why} (the first at byte {first})"),
            }
        })
    }

    /// How many of each kind there are.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> impl Iterator<Item = (What, Why, u64)> {
        self.0.iter().map(|((what, why), tally)| (*what, *why, tally.count))
    }
}

impl What {
    fn counted(self, count: u64) -> String {
        let (one, many) = match self {
            Self::Session => ("session", "sessions"),
            Self::Subscription => ("subscription", "subscriptions"),
            Self::Delivery => ("message for a client", "messages for clients"),
            Self::Arrival => ("message from a client", "messages from clients"),
            Self::Message => ("message", "messages"),
            Self::Retained => ("retained message", "retained messages"),
            Self::Part => ("part of the file", "parts of the file"),
        };
        format!("{count} {}", if count == 1 { one } else { many })
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientId => "the client identifier is empty or no text",
            Self::Username => "the user name is no text",
            Self::Topic => "the topic is none that MQTT allows",
            Self::Filter => "the topic filter is none that MQTT allows",
            Self::Properties => "the properties are none that a message can have",
            Self::QoS => "there is no such QoS",
            Self::State => "Mosquitto has no such state of an exchange",
            Self::PacketId => "it is in flight without a packet identifier",
            Self::PacketIdTwice => "another exchange of the same client has its packet identifier",
            Self::Twice => "the file has another with the same name",
            Self::NoMessage => "the message itself is not in the file",
            Self::NoSession => "the session it belongs to is not in the file",
            Self::SentAgain => "it was not acknowledged, so its sender sends it again",
            Self::UnknownKind => "Mosquitto 2 writes nothing of this kind",
            Self::Identifier => "the subscription identifier is none that MQTT allows",
            Self::Ended => "it has ended since",
            Self::Expired => "it has expired since",
            Self::Known => "the store has its own, which stays",
            Self::QoS0 => "what is delivered with QoS 0 is not stored",
        })
    }
}
