//! The words of `sensors sim`.

use crate::cli::{BrokerArguments, PublishingArguments, prefix};
use clap::Args;
use clap::builder::RangedU64ValueParser;
use jiff::Timestamp;

/// More topics than a broker is ever tried with on one machine.
const TOPICS_MAX: u64 = 1_000_000;
/// Messages a second; more than one connection takes.
const RATE_MIN: f64 = 0.001;
const RATE_MAX: f64 = 1_000_000.0;
/// Where no rate is given, each topic is published about this often, and all of them together not
/// more often than that.
const SECONDS_EACH_DEFAULT: f64 = 5.0;
const RATE_DEFAULT_MAX: f64 = 1_000.0;
/// How fast simulated time may pass: up to a day in a second.
const SPEED_MIN: f64 = 0.001;
const SPEED_MAX: f64 = 86_400.0;
/// Where time begins for those who give a seed and no time: 2026-06-21T08:00:00Z, a summer morning.
const START_DEFAULT_S: i64 = 1_782_028_800;

pub(crate) const EXAMPLES: &str = "\
Devices, below the prefix, with the topics and payloads that real ones have:
  esphome/ROOM/sensor/QUANTITY/state      plain numbers, retained: a room's climate
  zigbee2mqtt/ROOM-climate                JSON: a room's climate
  zigbee2mqtt/DOOR                        JSON: contact, battery, link quality
  tele/APPLIANCE/SENSOR, …/STATE          JSON as Tasmota has it: a plug and its energy
  stat/APPLIANCE/POWER                    ON or OFF
  shellies/shellyem-ID/emeter/0/QUANTITY  plain numbers, retained: a house's energy meter
  weather/PLACE/QUANTITY                  plain numbers and words, retained
  garden/bed-N/QUANTITY                   plain numbers: soil
  plant/line-N/MACHINE/QUANTITY           numbers, counters and words: a machine
  owntracks/PERSON/phone                  JSON with a position, retained
  status                                  `online` or `offline`: this program itself
Numbers follow the day, wander, drift and are noisy; now and then a sensor shows
something quite wrong. Now and then a device drops out: its availability topic says so,
it is silent for some minutes, and comes back.

The unit of a plain number is the user property `unit` of its message (MQTT 5).

The same seed gives the same readings: to the byte, with the same --topics, --rate,
--start and --speed. What can't be sent in time is left out, counted and said.

Examples:
  A board full of sensors:
    sensors sim

  See what would be published, each topic once:
    sensors sim --topics 30 --seed 7 --once --dry-run

  A day in 24 minutes, at the time it is now:
    sensors sim --speed 60 --start now

  Load: a hundred thousand topics, twenty thousand messages a second, all the time:
    sensors sim --topics 100000 --rate 20000 --no-drop-outs

  Have the broker forget all of that again:
    sensors sim --topics 100000 --clear

Exit status: 0 when published or stopped by a signal, 2 for wrong arguments,
1 for anything else, with the reason on standard error.";

/// What `sensors sim` is told.
#[derive(Debug, Args)]
pub(crate) struct SimArguments {
    /// Number of topics, from 1 to 1000000; devices have 1 to 10 of them
    #[arg(
        long,
        value_name = "NUMBER",
        default_value = "100",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=TOPICS_MAX)
    )]
    pub(crate) topics: usize,

    /// Messages a second, all topics together [default: each topic every 5 s, at most 1000 in all]
    #[arg(long, value_name = "NUMBER", value_parser = rate, allow_negative_numbers = true)]
    rate: Option<f64>,

    /// Number that all readings follow from [default: another one each time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,

    /// When simulated time begins: `now`, or a time such as 2026-06-21T08:00:00Z [default: that
    /// time with --seed, else now]
    #[arg(long, value_name = "TIME", value_parser = start)]
    start: Option<Timestamp>,

    /// How many times as fast as ours simulated time passes
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed, allow_negative_numbers = true)]
    pub(crate) speed: f64,

    /// Let no device drop out, so that the rate is the same at all times
    #[arg(long)]
    pub(crate) no_drop_outs: bool,

    /// Have the broker forget what it keeps of these topics, and exit; no reading is published
    #[arg(long)]
    pub(crate) clear: bool,

    /// First levels of all topics
    #[arg(long, value_name = "TOPIC", default_value = "sim", value_parser = prefix)]
    pub(crate) prefix: String,

    #[command(flatten)]
    pub(crate) publishing: PublishingArguments,

    #[command(flatten)]
    pub(crate) broker: BrokerArguments,
}

impl SimArguments {
    /// Messages a second.
    pub(crate) fn rate(&self) -> f64 {
        let default = || (self.topics as f64 / SECONDS_EACH_DEFAULT).min(RATE_DEFAULT_MAX);
        self.rate.unwrap_or_else(default)
    }

    /// The seed and the beginning of time. Who gives no seed wants to see something, as it would be
    /// now; who gives one wants to see it again.
    pub(crate) fn origin(&self) -> (u64, Timestamp) {
        let start = self.start.unwrap_or_else(|| match self.seed {
            Some(_) => Timestamp::from_second(START_DEFAULT_S).unwrap_or(Timestamp::UNIX_EPOCH),
            None => Timestamp::now(),
        });
        (self.seed.unwrap_or_else(|| u64::from(fastrand::u32(..))), start)
    }
}

fn rate(text: &str) -> Result<f64, String> {
    number(text, RATE_MIN, RATE_MAX)
}

fn speed(text: &str) -> Result<f64, String> {
    number(text, SPEED_MIN, SPEED_MAX)
}

fn number(text: &str, least: f64, most: f64) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        Ok(_) => Err(format!("must be between {least} and {most}")),
        Err(_) => Err("write a number, such as 20 or 0.5".to_owned()),
    }
}

fn start(text: &str) -> Result<Timestamp, String> {
    if text == "now" {
        return Ok(Timestamp::now());
    }
    text.parse().map_err(|_| "write `now` or a time such as 2026-06-21T08:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_speeds_are_numbers_that_make_sense() {
        let cases = [
            ("20", true),
            ("0.5", true),
            ("1e3", true),
            ("0", false),
            ("-1", false),
            ("inf", false),
            ("NaN", false),
            ("fast", false),
            ("", false),
            ("20/s", false),
        ];
        for (text, taken) in cases {
            assert_eq!(rate(text).is_ok(), taken, "{text}");
            assert_eq!(speed(text).is_ok(), taken, "{text}");
        }
        assert!(rate("100000").is_ok() && speed("100000").is_err());
    }

    #[test]
    fn time_begins_when_told() {
        let morning = Timestamp::from_second(START_DEFAULT_S).unwrap();
        assert_eq!(start("2026-06-21T08:00:00Z"), Ok(morning));
        assert_eq!(start("2026-06-21T10:00:00+02:00"), Ok(morning));
        assert!(start("now").is_ok());
        for text in ["", "today", "2026-06-21", "08:00", "2026-13-01T00:00:00Z"] {
            assert!(start(text).is_err(), "{text}");
        }
    }
}
