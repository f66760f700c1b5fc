//! What a simulated device is: a name, a seed, and the topics that its kind publishes.

use super::signal::Seed;
use crate::reading::Value;
use std::fmt::{self, Write as _};

/// One device of a fleet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Device {
    /// The number among all devices.
    pub(super) id: usize,
    pub(super) kind: &'static Kind,
    /// The number among the devices of its kind.
    pub(super) number: usize,
    /// Everything about it follows from this.
    pub(super) seed: Seed,
}

/// A kind of device: whatever is alike in all of them.
pub(super) struct Kind {
    /// How the device is called in its topics; no two of a kind alike.
    pub(super) name: fn(Device) -> String,
    pub(super) topics: &'static [Topic],
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.topics.iter().map(|topic| topic.name)).finish()
    }
}

/// A topic of a kind of device.
pub(super) struct Topic {
    /// With `{}` where the device's name stands.
    pub(super) name: &'static str,
    pub(super) unit: Option<&'static str>,
    pub(super) retain: bool,
    /// Published once in so many rounds.
    pub(super) every: u64,
    pub(super) says: Says,
}

/// What a device says on a topic.
pub(super) enum Says {
    /// What it measures at a moment, given in seconds since 1970.
    Measured(fn(Device, f64) -> String),
    /// Whether the device is there, in the words that its kind has for it.
    Presence { here: &'static str, away: &'static str },
}

impl Topic {
    /// A topic that is published in every round and not retained.
    pub(super) const fn live(name: &'static str, says: fn(Device, f64) -> String) -> Self {
        Self { name, unit: None, retain: false, every: 1, says: Says::Measured(says) }
    }

    /// A topic that is published in every round and retained.
    pub(super) const fn kept(name: &'static str, says: fn(Device, f64) -> String) -> Self {
        Self { retain: true, ..Self::live(name, says) }
    }

    /// The topic, retained, on which the device is said to be there or not.
    pub(super) const fn presence(
        name: &'static str,
        here: &'static str,
        away: &'static str,
    ) -> Self {
        Self { name, unit: None, retain: true, every: 1, says: Says::Presence { here, away } }
    }

    pub(super) const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }

    pub(super) const fn every(mut self, rounds: u64) -> Self {
        self.every = rounds;
        self
    }
}

/// A number with this many digits after the point.
pub(super) fn decimal(number: f64, digits: usize) -> String {
    Value::Decimal { number, digits }.to_string()
}

/// A number with none.
pub(super) fn whole(number: f64) -> String {
    decimal(number, 0)
}

/// A JSON object while it is written. Its names and words are ours and need no escaping.
pub(super) struct Document(String);

impl Document {
    pub(super) fn new() -> Self {
        Self("{".to_owned())
    }

    /// Writes something that is JSON already.
    fn field(mut self, name: &str, json: fmt::Arguments<'_>) -> Self {
        let comma = if self.0.ends_with('{') { "" } else { "," };
        // Writing to a `String` does not fail.
        let _ = write!(self.0, "{comma}\"{name}\":{json}");
        self
    }

    pub(super) fn number(self, name: &str, number: f64, digits: usize) -> Self {
        self.field(name, format_args!("{}", Value::Decimal { number, digits }))
    }

    pub(super) fn flag(self, name: &str, flag: bool) -> Self {
        self.field(name, format_args!("{flag}"))
    }

    pub(super) fn word(self, name: &str, word: &str) -> Self {
        self.field(name, format_args!("\"{word}\""))
    }

    pub(super) fn object(self, name: &str, object: Self) -> Self {
        self.field(name, format_args!("{}", object.done()))
    }

    pub(super) fn done(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_json() {
        let inner = Document::new().number("power", -0.04, 1).word("state", "ON");
        let written = Document::new().flag("tamper", false).object("energy", inner).done();
        assert_eq!(written, r#"{"tamper":false,"energy":{"power":0.0,"state":"ON"}}"#);
        assert_eq!(Document::new().done(), "{}");
    }
}
