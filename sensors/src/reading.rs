//! What a sensor has to say: a number with its unit, and the topic it is published under.
//!
//! A reading becomes a payload that is the plain number and nothing else, so that any client can
//! use it. The unit travels beside it, as the MQTT 5 user property `unit` (MQTT 5.0 §3.3.2.3.7).

use crate::broker::{Message, Qos};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

/// The longest level that a name from outside may become, in bytes. A topic name is limited to
/// 65 535 bytes (MQTT 5.0 §1.5.4); a name that a person reads is far shorter.
const LEVEL_BYTES_MAX: usize = 128;

/// The level that stands for a name with nothing in it.
const LEVEL_WITHOUT_NAME: &str = "unnamed";

/// The units of readings, as the user property `unit` spells them.
pub(crate) mod unit {
    /// Of a whole, 0 to 100.
    pub(crate) const PERCENT: &str = "%";
    /// Bytes.
    pub(crate) const BYTES: &str = "B";
    /// Bytes per second.
    pub(crate) const BYTES_PER_SECOND: &str = "B/s";
    /// Degrees Celsius.
    pub(crate) const CELSIUS: &str = "°C";
    /// Seconds.
    pub(crate) const SECONDS: &str = "s";
    /// Parts in a million.
    pub(crate) const PPM: &str = "ppm";
    /// Decibels above a milliwatt, for the strength of a radio signal.
    pub(crate) const DBM: &str = "dBm";
    /// Watts.
    pub(crate) const WATTS: &str = "W";
    /// Watt hours.
    pub(crate) const WATT_HOURS: &str = "Wh";
    /// Volts.
    pub(crate) const VOLTS: &str = "V";
    /// Amperes.
    pub(crate) const AMPERES: &str = "A";
    /// Hectopascals, for the pressure of the air.
    pub(crate) const HECTOPASCALS: &str = "hPa";
    /// Bars, for the pressure in a pipe.
    pub(crate) const BAR: &str = "bar";
    /// Metres per second.
    pub(crate) const METRES_PER_SECOND: &str = "m/s";
    /// Millimetres per second, for vibrations.
    pub(crate) const MILLIMETRES_PER_SECOND: &str = "mm/s";
    /// Millimetres: as many litres per square metre.
    pub(crate) const MILLIMETRES: &str = "mm";
    /// Degrees of an angle; of the compass, clockwise from north.
    pub(crate) const DEGREES: &str = "°";
    /// Lux.
    pub(crate) const LUX: &str = "lx";
}

/// A number as it will be written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    /// A whole number.
    Count(u64),
    /// A number with a fixed number of digits after the point.
    Decimal { number: f64, digits: usize },
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Count(number) => write!(f, "{number}"),
            Self::Decimal { number, digits } => {
                let written = format!("{number:.digits$}");
                // A small negative number rounds to "-0.0", which reads like a mistake.
                let is_zero =
                    written.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.'));
                f.write_str(if is_zero { written.trim_start_matches('-') } else { &written })
            }
        }
    }
}

/// One number of one sensor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    /// Topic below the sensor's own prefix, such as `cpu/total`.
    pub(crate) topic: String,
    /// The number.
    pub(crate) value: Value,
    /// Its unit; a bare number, such as a load average, has none.
    pub(crate) unit: Option<&'static str>,
}

impl Reading {
    /// The retained message for this reading, below `root`.
    pub(crate) fn message(self, root: &str, qos: Qos) -> Message {
        let topic = format!("{root}/{}", self.topic);
        let unit = self.unit.map(Cow::Borrowed);
        Message { unit, ..Message::retained(topic, self.value.to_string(), qos) }
    }
}

/// Makes one topic level of a name from outside: a host, a device, a mount point.
///
/// What has a meaning in topics (`/`, `+`, `#`), and whitespace, control characters and
/// backslashes, which are awkward to type, become `_`. A leading `$` does too: topics that begin
/// with it are the broker's own (MQTT 5.0 §4.7.2).
pub(crate) fn topic_level(name: &str) -> String {
    let mut level = String::new();
    for c in name.trim().chars() {
        let is_awkward = matches!(c, '/' | '+' | '#' | '\\') || c.is_whitespace() || c.is_control();
        let c = if is_awkward || (c == '$' && level.is_empty()) { '_' } else { c };
        if level.len() + c.len_utf8() > LEVEL_BYTES_MAX {
            break;
        }
        level.push(c);
    }
    if level.is_empty() { LEVEL_WITHOUT_NAME.to_owned() } else { level }
}

/// Makes each name a level of its own, in the order given.
///
/// Two names that become the same level are told apart by a number: `disk`, `disk_2`.
pub(crate) fn topic_levels<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut levels = Vec::new();
    for name in names {
        let level = topic_level(name);
        let mut candidate = level.clone();
        let mut number = 2_usize;
        while !taken.insert(candidate.clone()) {
            candidate = format!("{level}_{number}");
            number = number.saturating_add(1);
        }
        levels.push(candidate);
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_plain_numbers() {
        let cases = [
            (Value::Count(0), "0"),
            (Value::Count(u64::MAX), "18446744073709551615"),
            (Value::Decimal { number: 12.345, digits: 1 }, "12.3"),
            (Value::Decimal { number: 99.96, digits: 1 }, "100.0"),
            (Value::Decimal { number: 0.5, digits: 2 }, "0.50"),
            (Value::Decimal { number: -0.04, digits: 1 }, "0.0"),
            (Value::Decimal { number: -7.25, digits: 2 }, "-7.25"),
            (Value::Decimal { number: 1e12, digits: 1 }, "1000000000000.0"),
        ];
        for (value, written) in cases {
            assert_eq!(value.to_string(), written);
        }
    }

    #[test]
    fn a_name_becomes_one_level() {
        let cases = [
            ("pi", "pi"),
            ("host.example.org", "host.example.org"),
            ("a/b+c#d", "a_b_c_d"),
            ("two words", "two_words"),
            ("  edges \n", "edges"),
            ("nul\0tab\there", "nul_tab_here"),
            ("C:\\data", "C:_data"),
            ("$SYS", "_SYS"),
            ("price$", "price$"),
            ("señal", "señal"),
            ("", "unnamed"),
            (" \t", "unnamed"),
        ];
        for (name, level) in cases {
            assert_eq!(topic_level(name), level, "{name:?}");
        }
    }

    #[test]
    fn a_level_is_never_longer_than_its_limit_nor_cut_inside_a_character() {
        let level = topic_level(&"ñ".repeat(1000));
        assert_eq!(level, "ñ".repeat(LEVEL_BYTES_MAX / 2));
        assert_eq!(topic_level(&format!("x{}", "ñ".repeat(1000))).len(), LEVEL_BYTES_MAX - 1);
    }

    #[test]
    fn names_that_look_alike_get_levels_of_their_own() {
        let names = ["a b", "a/b", "a_b", "a_b_2", "c"];
        assert_eq!(topic_levels(names), ["a_b", "a_b_2", "a_b_3", "a_b_2_2", "c"]);
    }
}
