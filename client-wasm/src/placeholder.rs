//! Placeholders in a payload that is written by hand: `{{time}}`, `{{counter}}`, `{{walk 20 0.5}}`. So a
//! message that is published again and again can say what a sensor would.
//!
//! The page takes a payload apart into [`Piece`]s and complains of what is wrong; the engine fills them
//! in, message by message, as its clock goes on while the page sleeps.

use serde::{Deserialize, Serialize};

use crate::export;
use crate::float;

/// What stands before a placeholder, and behind it.
const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// The most digits behind the point that a number is written with.
const DECIMALS_MAX: usize = 9;

/// A part of a payload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Piece {
    /// It stays as it is.
    Text(String),
    /// The time, in milliseconds since 1970.
    Time,
    /// The time of UTC, as RFC 3339 writes it.
    Iso,
    /// An integer that grows by a step with each message.
    Counter {
        /// The first.
        start: i64,
        /// What is added.
        step: i64,
    },
    /// A number that goes up or down with each message, by chance.
    Walk {
        /// The first.
        start: f64,
        /// How far it goes at most with each message.
        step: f64,
        /// Between which it stays.
        range: (f64, f64),
        /// Digits behind the point.
        decimals: u8,
    },
    /// A number between two others, by chance.
    Random {
        /// The lowest.
        low: f64,
        /// The highest.
        high: f64,
        /// Digits behind the point.
        decimals: u8,
    },
}

/// What is wrong with a placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// It has no end.
    Open,
    /// It has a name that is none; with the name.
    Name(String),
    /// It does not take what stands behind its name; with all of it.
    Numbers(String),
}

/// The placeholders as a person writes them, for those who look for one.
pub const EXAMPLES: [&str; 5] =
    ["{{time}}", "{{iso}}", "{{counter}}", "{{walk 20.0 0.5}}", "{{random 0 100}}"];

/// Takes a text apart.
///
/// # Errors
/// A placeholder is none.
pub fn parse(text: &str) -> Result<Vec<Piece>, Wrong> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let (inside, after) = after.split_once(CLOSE).ok_or(Wrong::Open)?;
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        pieces.push(piece(inside)?);
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

fn piece(inside: &str) -> Result<Piece, Wrong> {
    let mut words = inside.split_whitespace();
    let name = words.next().unwrap_or_default();
    let numbers: Vec<&str> = words.collect();
    let wrong = || Wrong::Numbers(inside.trim().to_owned());
    let integer = |text: &str| text.parse::<i64>().map_err(|_| wrong());
    let float =
        |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(wrong);
    let decimals = decimals(&numbers);
    match (name, numbers.as_slice()) {
        ("time", []) => Ok(Piece::Time),
        ("iso", []) => Ok(Piece::Iso),
        ("counter", []) => Ok(Piece::Counter { start: 0, step: 1 }),
        ("counter", [start]) => Ok(Piece::Counter { start: integer(start)?, step: 1 }),
        ("counter", [start, step]) => {
            Ok(Piece::Counter { start: integer(start)?, step: integer(step)? })
        }
        ("walk", [start, step]) => {
            let range = (f64::MIN, f64::MAX);
            Ok(Piece::Walk { start: float(start)?, step: float(step)?, range, decimals })
        }
        ("walk", [start, step, low, high]) => {
            let (start, step, low, high) = (float(start)?, float(step)?, float(low)?, float(high)?);
            let is_range = low <= start && start <= high;
            let range = is_range.then_some((low, high)).ok_or_else(wrong)?;
            Ok(Piece::Walk { start, step, range, decimals })
        }
        ("random", [low, high]) => {
            let (low, high) = (float(low)?, float(high)?);
            (low <= high).then_some(Piece::Random { low, high, decimals }).ok_or_else(wrong)
        }
        ("time" | "iso" | "counter" | "walk" | "random", _) => Err(wrong()),
        _ => Err(Wrong::Name(inside.trim().to_owned())),
    }
}

/// As many as the numbers were written with.
fn decimals(numbers: &[&str]) -> u8 {
    let digits = numbers.iter().filter_map(|text| Some(text.split_once('.')?.1.len()));
    u8::try_from(digits.max().unwrap_or(0).min(DECIMALS_MAX)).unwrap_or(0)
}

/// The text with something in the place of each placeholder that may stand where a number may, and that
/// is as long: what is wrong with the rest is then found at its place.
pub fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN)
        && let Some((inside, after)) = after.split_once(CLOSE)
    {
        out.push_str(before);
        let stands_for = if inside.trim() == "iso" { "x" } else { "1" };
        let chars = inside.chars().count().saturating_add(OPEN.len()).saturating_add(CLOSE.len());
        out.extend(std::iter::repeat_n(stands_for, chars));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Fills the placeholders of one payload, each time with what comes next.
#[derive(Debug, Clone)]
pub struct Filler {
    pieces: Vec<Piece>,
    /// Where walks are.
    at: Vec<f64>,
    /// How many times it was filled.
    count: i64,
    random: u64,
}

impl Filler {
    /// One that begins; two with the same seed walk alike.
    pub fn new(pieces: Vec<Piece>, seed: u64) -> Self {
        let start = |piece: &Piece| match piece {
            Piece::Walk { start, .. } => *start,
            _ => 0.0,
        };
        Self { at: pieces.iter().map(start).collect(), pieces, count: 0, random: seed | 1 }
    }

    /// The next payload.
    pub fn fill(&mut self, now_ms: f64) -> String {
        let mut out = String::new();
        let count = self.count;
        for (piece, at) in self.pieces.iter().zip(&mut self.at) {
            match piece {
                Piece::Text(text) => out.push_str(text),
                // Milliseconds are whole, and a cast from a float keeps to the range of the integer.
                Piece::Time => out.push_str(&(now_ms as i64).to_string()),
                Piece::Iso => out.push_str(&export::time(now_ms)),
                Piece::Counter { start, step } => {
                    let value = start.wrapping_add(step.wrapping_mul(count));
                    out.push_str(&value.to_string());
                }
                Piece::Walk { step, range: (low, high), decimals, .. } => {
                    if count > 0 {
                        let by = (chance(&mut self.random) * 2.0 - 1.0) * step;
                        *at = (*at + by).max(*low).min(*high);
                    }
                    out.push_str(&written(*at, *decimals));
                }
                Piece::Random { low, high, decimals } => {
                    let value = low + chance(&mut self.random) * (high - low);
                    out.push_str(&written(value, *decimals));
                }
            }
        }
        self.count = count.wrapping_add(1);
        out
    }
}

/// A number with as many digits; never a zero with a sign.
fn written(value: f64, decimals: u8) -> String {
    let text = float::fixed(value, decimals);
    let is_zero = text.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.'));
    if is_zero { text.trim_start_matches('-').to_owned() } else { text }
}

/// A number from 0 up to 1, by chance: xorshift, which no secret hangs on.
fn chance(state: &mut u64) -> f64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    // 53 bits are what a float holds.
    (*state >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn filler(text: &str) -> Filler {
        Filler::new(parse(text).unwrap(), 42)
    }

    #[test]
    fn placeholders_say_what_comes_next() {
        let mut all =
            filler(r#"{"n":{{counter}},"down":{{ counter 10 -5 }},"t":{{time}},"at":"{{iso}}"}"#);
        let second = 1_700_000_001_000.0;
        assert_eq!(
            all.fill(1_700_000_000_000.0),
            r#"{"n":0,"down":10,"t":1700000000000,"at":"2023-11-14T22:13:20.000Z"}"#
        );
        assert_eq!(
            all.fill(second),
            r#"{"n":1,"down":5,"t":1700000001000,"at":"2023-11-14T22:13:21.000Z"}"#
        );
        assert_eq!(filler("{\"a\":{}} }").fill(0.0), "{\"a\":{}} }", "single braces are text");
        assert_eq!(filler("").fill(0.0), "");
    }

    #[test]
    fn a_walk_begins_where_it_is_told_and_keeps_to_its_steps_and_range() {
        let mut walk = filler("{{walk 20.00 0.5 19 21}}");
        let mut before = 20.0;
        for n in 0..1_000 {
            let text = walk.fill(0.0);
            let value: f64 = text.parse().unwrap();
            assert_eq!(text.split_once('.').map(|(_, digits)| digits.len()), Some(2), "{text}");
            assert!(
                (19.0..=21.0).contains(&value) && (value - before).abs() < 0.511,
                "{n}: {text}"
            );
            before = value;
        }
        assert!(filler("{{walk 20 0.5}}").fill(0.0) == "20.0");
        let mut random = filler("{{random -1 1}}");
        let seen: std::collections::BTreeSet<_> = (0..200).map(|_| random.fill(0.0)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["-1", "0", "1"]);
    }

    #[test]
    fn what_is_no_placeholder_is_said_to_be_none() {
        let name = |text: &str| Err(Wrong::Name(text.to_owned()));
        let numbers = |text: &str| Err(Wrong::Numbers(text.to_owned()));
        for (text, expected) in [
            ("{{counter", Err(Wrong::Open)),
            ("{{ value_json.t }}", name("value_json.t")),
            ("{{}}", name("")),
            ("{{time 1}}", numbers("time 1")),
            ("{{counter x}}", numbers("counter x")),
            ("{{walk}}", numbers("walk")),
            ("{{walk 1 inf}}", numbers("walk 1 inf")),
            ("{{walk 1 2 5 9}}", numbers("walk 1 2 5 9")),
            ("{{random 2 1}}", numbers("random 2 1")),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        for example in EXAMPLES {
            assert!(parse(example).is_ok(), "{example}");
        }
    }

    #[test]
    fn masked_text_is_as_long_and_a_number() {
        assert_eq!(masked("[{{counter}}, 2]"), "[11111111111, 2]");
        assert_eq!(masked("\"{{iso}}\""), "\"xxxxxxx\"");
        assert_eq!(masked("{{open"), "{{open");
    }
}
