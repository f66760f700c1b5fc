//! Which level a number is at, and when somebody is to be told.

use super::{Level, Tone};

/// The level of a number: the highest that is not above it.
pub fn level(levels: &[Level], number: f64) -> Option<&Level> {
    let from = |level: &Level| level.from.unwrap_or(f64::NEG_INFINITY);
    levels.iter().filter(|level| from(level) <= number).max_by(|a, b| from(a).total_cmp(&from(b)))
}

/// The colour of a number.
pub fn tone(levels: &[Level], number: Option<f64>) -> Tone {
    number.and_then(|number| level(levels, number)).map_or(Tone::Plain, |level| level.tone)
}

/// Remembers at which level a value was, so that somebody is told once when it comes to another.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Watch {
    /// The beginning of the level; none before the first number.
    last: Option<Option<f64>>,
}

impl Watch {
    /// Takes in a number. Says the level that somebody is to be told of: one that says so, and that the
    /// value was not at before. What is so at the beginning is news too.
    pub fn take<'a>(&mut self, levels: &'a [Level], number: f64) -> Option<&'a Level> {
        let level = level(levels, number);
        let now = Some(level.and_then(|level| level.from));
        let is_other = self.last != now;
        self.last = now;
        level.filter(|level| is_other && level.notify)
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const LEVELS: &[Level] = &[
        Level { from: Some(30.0), tone: Tone::Bad, notify: true },
        Level { from: None, tone: Tone::Cold, notify: true },
        Level { from: Some(18.0), tone: Tone::Good, notify: false },
    ];

    #[test]
    fn a_number_has_the_colour_of_the_highest_level_below_it() {
        for (number, expected) in [
            (-5.0, Tone::Cold),
            (17.999, Tone::Cold),
            (18.0, Tone::Good),
            (29.0, Tone::Good),
            (30.0, Tone::Bad),
            (1e9, Tone::Bad),
        ] {
            assert_eq!(tone(LEVELS, Some(number)), expected, "{number}");
        }
        assert_eq!((tone(LEVELS, None), tone(&[], Some(1.0))), (Tone::Plain, Tone::Plain));
        assert_eq!(tone(&LEVELS[..1], Some(1.0)), Tone::Plain, "below the first");
    }

    #[test]
    fn somebody_is_told_once_for_each_time_that_a_value_comes_to_a_level() {
        let mut watch = Watch::default();
        let mut told = |number| watch.take(LEVELS, number).map(|level| level.tone);
        assert_eq!(told(20.0), None);
        assert_eq!((told(31.0), told(32.0), told(30.0)), (Some(Tone::Bad), None, None));
        assert_eq!((told(20.0), told(30.5)), (None, Some(Tone::Bad)));
        assert_eq!((told(2.0), told(3.0)), (Some(Tone::Cold), None));
        let mut fresh = Watch::default();
        assert!(fresh.take(LEVELS, 40.0).is_some(), "so from the beginning");
    }
}
