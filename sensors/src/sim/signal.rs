//! What a sensor shows, as a function of its seed and of the time and of nothing else.
//!
//! Nothing is remembered from one reading to the next, so a sensor costs no memory, any moment can
//! be asked for, and the same seed shows the same thing at whatever pace it is asked. What must
//! grow, such as a counter, is a sum that can be written down for any moment.

use std::f64::consts::TAU;

/// Seconds in a day and in a year.
pub(super) const DAY_S: f64 = 86_400.0;
const YEAR_S: f64 = 365.25 * DAY_S;

/// Counters began to count at this moment, 2025-01-01T00:00:00Z, in seconds since 1970.
const COUNTING_SINCE_S: f64 = 1_735_689_600.0;

/// A sensor that fails for a moment fails for this long, once in so many of these times.
const SPIKE_S: f64 = 5.0;
const SPIKE_CHANCE: f64 = 1.0 / 400.0;

/// In each window of this length a device drops out with this chance, for a part of the window
/// between these two.
const DROP_OUT_WINDOW_S: f64 = 1_800.0;
const DROP_OUT_CHANCE: f64 = 0.15;
const DROP_OUT_SHARE: (f64, f64) = (0.02, 0.3);

/// A source of chance that always says the same. Every device, and everything that a device
/// measures, has one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seed(u64);

impl Seed {
    pub(super) fn new(number: u64) -> Self {
        Self(mixed(number))
    }

    /// The seed of one part of what this one is the seed of.
    pub(super) fn of(self, part: u64) -> Self {
        Self(mixed(self.0 ^ mixed(part.wrapping_add(1))))
    }

    /// From 0 up to, and without, 1.
    pub(super) fn chance(self) -> f64 {
        // 53 bits, as many as fit exactly.
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From `low` up to, and without, `high`.
    pub(super) fn between(self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.chance()
    }

    /// One of these; nothing if there are none.
    pub(super) fn pick<T: Copy>(self, choices: &[T]) -> Option<T> {
        let index = (self.chance() * choices.len() as f64) as usize;
        choices.get(index).copied()
    }
}

/// Spreads every bit over all others: an odd step and three rounds of shift and multiply, which is
/// the well-known SplitMix64.
fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The number of the stretch of time that a moment lies in, as a seed's part.
fn stretch(t: f64, length_s: f64) -> u64 {
    (t / length_s).floor() as i64 as u64
}

/// Between -1 and 1: the highest at this hour of each day (UTC), the lowest twelve hours later.
pub(super) fn day(t: f64, peak_hour: f64) -> f64 {
    ((t / DAY_S - peak_hour / 24.0) * TAU).cos()
}

/// Between -1 and 1: the highest in the middle of July.
pub(super) fn year(t: f64) -> f64 {
    ((t / YEAR_S - 0.54) * TAU).cos()
}

/// Between -1 and 1: goes up and down without a plan, a new height every `period_s` and smoothly
/// from each to the next.
pub(super) fn wave(seed: Seed, t: f64, period_s: f64) -> f64 {
    let before = stretch(t, period_s);
    let height = |number: u64| seed.of(number).between(-1.0, 1.0);
    let way = (t / period_s).rem_euclid(1.0);
    let smooth = way * way * (3.0 - 2.0 * way);
    height(before) + (height(before.wrapping_add(1)) - height(before)) * smooth
}

/// Between -1 and 1, mostly near 0: what no two measurements agree on, to the millisecond.
pub(super) fn noise(seed: Seed, t: f64) -> f64 {
    let seed = seed.of((t * 1_000.0) as i64 as u64);
    seed.of(0).chance() - seed.of(1).chance()
}

/// Nearly always 0; a number between -1 and 1 for the few seconds that a sensor is wrong.
pub(super) fn spike(seed: Seed, t: f64) -> f64 {
    let seed = seed.of(stretch(t, SPIKE_S));
    if seed.of(0).chance() < SPIKE_CHANCE { seed.of(1).between(-1.0, 1.0) } else { 0.0 }
}

/// What holds for a while and then gives way, at one step, to something else.
pub(super) fn held(seed: Seed, t: f64, length_s: f64) -> Seed {
    let begun = seed.of(0).between(0.0, length_s);
    seed.of(1).of(stretch(t + begun, length_s))
}

/// A measurement: what is usual, how it follows the day, how it wanders, and how far it is to be
/// trusted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Curve {
    /// In the middle.
    pub(super) mean: f64,
    /// How far the day takes it up and down, and at which hour (UTC) it is highest.
    pub(super) day: f64,
    pub(super) peak_hour: f64,
    /// How far it wanders over the hours, and the sensor itself over the weeks.
    pub(super) wander: f64,
    pub(super) drift: f64,
    /// How far two measurements of the same thing lie apart.
    pub(super) noise: f64,
    /// How far off it is when it is quite wrong.
    pub(super) spike: f64,
    /// What the sensor can show at all.
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Curve {
    /// A curve that stays where it is.
    pub(super) const FLAT: Self = Self {
        mean: 0.0,
        day: 0.0,
        peak_hour: 14.0,
        wander: 0.0,
        drift: 0.0,
        noise: 0.0,
        spike: 0.0,
        least: f64::MIN,
        most: f64::MAX,
    };

    pub(super) fn at(self, seed: Seed, t: f64) -> f64 {
        let shown = self.mean
            + self.day * day(t, self.peak_hour)
            + self.wander * wave(seed.of(0), t, 5_400.0)
            + self.drift * wave(seed.of(1), t, 21.0 * DAY_S)
            + self.noise * noise(seed.of(2), t)
            + self.spike * spike(seed.of(3), t);
        shown.clamp(self.least, self.most)
    }
}

/// Something that is on for a while and off for a while, at hours of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Switch {
    /// It goes on and off once in this time.
    pub(super) period_s: f64,
    /// The part of the time that it is on.
    pub(super) share: f64,
}

/// How a [`Switch`] stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Switched {
    pub(super) on: bool,
    /// For how long it has been on in all; never falls.
    pub(super) on_s: f64,
    /// How often it went on; never falls.
    pub(super) times: u64,
}

impl Switch {
    pub(super) fn at(self, seed: Seed, t: f64) -> Switched {
        let passed = (t - COUNTING_SINCE_S).max(0.0) + seed.of(0).between(0.0, self.period_s);
        let periods = (passed / self.period_s).floor();
        let into = passed - periods * self.period_s;
        let on_for = on_the_grid(self.share * self.period_s);
        let begins = seed.of(1).of(periods as u64).between(0.0, self.period_s - on_for);
        let this_time = on_the_grid((into - begins).clamp(0.0, on_for));
        Switched {
            on: into >= begins && into < begins + on_for,
            on_s: periods * on_for + this_time,
            times: (periods as u64).saturating_add(u64::from(into >= begins)),
        }
    }

    /// The part of the time before `t` that it was on.
    pub(super) fn share_of_last(self, seconds: f64, seed: Seed, t: f64) -> f64 {
        (self.at(seed, t).on_s - self.at(seed, t - seconds).on_s) / seconds
    }
}

/// A time in whole parts of a power of two of a second: sums of those are exact, so that what is added
/// up never falls, not even by the last bit.
fn on_the_grid(seconds: f64) -> f64 {
    (seconds * 1_024.0).floor() / 1_024.0
}

/// What has come together at `mean` a second that the day takes up and down by `swing`, which is not
/// more than `mean`; so it never falls.
pub(super) fn total(t: f64, mean: f64, swing: f64, peak_hour: f64) -> f64 {
    let sine = |t: f64| ((t / DAY_S - peak_hour / 24.0) * TAU).sin();
    let passed = (t - COUNTING_SINCE_S).max(0.0);
    mean * passed + swing * DAY_S / TAU * (sine(COUNTING_SINCE_S + passed) - sine(COUNTING_SINCE_S))
}

/// What is left in a battery, from 100 down to 0, when it lasts this many days; then a new one.
pub(super) fn battery(seed: Seed, t: f64, days: f64) -> f64 {
    let lasts_s = days * DAY_S * seed.of(0).between(0.7, 1.3);
    let used = (t / lasts_s + seed.of(1).chance()).rem_euclid(1.0);
    100.0 * (1.0 - used)
}

/// Whether a device is away: out of reach, without power, restarting.
pub(super) fn is_silent(seed: Seed, t: f64) -> bool {
    let shifted = t + seed.of(0).between(0.0, DROP_OUT_WINDOW_S);
    let window = seed.of(1).of(stretch(shifted, DROP_OUT_WINDOW_S));
    if window.of(0).chance() >= DROP_OUT_CHANCE {
        return false;
    }
    let (least, most) = DROP_OUT_SHARE;
    let length = window.of(1).between(least, most);
    let begins = window.of(2).between(0.0, 1.0 - length);
    let into = (shifted / DROP_OUT_WINDOW_S).rem_euclid(1.0);
    into >= begins && into < begins + length
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-06-21T00:00:00Z.
    const MIDSUMMER_S: f64 = 1_782_000_000.0;

    /// Moments of a few days, `step_s` apart.
    fn moments(step_s: f64) -> impl Iterator<Item = f64> {
        (0..20_000).map(move |step| MIDSUMMER_S + f64::from(step) * step_s)
    }

    #[test]
    fn a_seed_is_the_same_on_every_machine() {
        // Whoever keeps a recording of a seed finds it again after an update.
        assert_eq!(Seed::new(1), Seed(0x910a_2dec_8902_5cc1));
        assert_ne!(Seed::new(1).of(0), Seed::new(1).of(1));
        assert_ne!(Seed::new(1).of(0), Seed::new(2).of(0));
    }

    #[test]
    fn chance_is_spread_evenly() {
        let mut counts = [0_u32; 10];
        for number in 0..10_000 {
            let chance = Seed::new(7).of(number).chance();
            counts[(chance * 10.0) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_day_has_its_highest_and_its_lowest_hour() {
        for (hour, expected) in [(15.0, 1.0), (3.0, -1.0), (9.0, 0.0), (21.0, 0.0), (39.0, 1.0)] {
            let value = day(MIDSUMMER_S + hour * 3_600.0, 15.0);
            assert!((value - expected).abs() < 1e-6, "{hour}: {value}");
        }
    }

    #[test]
    fn a_wave_is_smooth_and_a_noise_is_not() {
        let seed = Seed::new(3);
        let (mut last, mut steepest, mut roughest) = (None, 0.0_f64, 0.0_f64);
        for t in moments(1.0) {
            let now = (wave(seed, t, 600.0), noise(seed, t));
            assert!(now.0.abs() <= 1.0 && now.1.abs() <= 1.0);
            if let Some((wave, noise)) = last.replace(now) {
                steepest = steepest.max((now.0 - wave).abs());
                roughest = roughest.max((now.1 - noise).abs());
            }
        }
        assert!(steepest < 0.01, "{steepest}");
        assert!(roughest > 1.0, "{roughest}");
    }

    #[test]
    fn spikes_are_rare_and_short() {
        let wrong = moments(SPIKE_S).filter(|t| spike(Seed::new(5), *t) != 0.0).count();
        assert!((20..100).contains(&wrong), "{wrong} of 20000");
    }

    #[test]
    fn what_is_held_changes_in_steps() {
        let levels: Vec<_> = moments(10.0).map(|t| held(Seed::new(9), t, 1_000.0)).collect();
        let steps = levels.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert_eq!(steps, 200);
    }

    #[test]
    fn what_counts_never_falls_and_what_it_counts_is_what_it_shows() {
        for number in 0..20 {
            let seed = Seed::new(number);
            let switch = Switch { period_s: 1_800.0, share: seed.between(0.1, 0.9) };
            let mut last: Option<Switched> = None;
            let (mut moments_on, mut first_on_s) = (0_u32, None);
            for t in moments(7.0) {
                let now = switch.at(seed, t);
                if let Some(last) = last.replace(now) {
                    assert!(now.on_s >= last.on_s && now.times >= last.times, "{last:?} {now:?}");
                }
                first_on_s.get_or_insert(now.on_s);
                moments_on += u32::from(now.on);
            }
            let counted = last.unwrap().on_s - first_on_s.unwrap();
            assert!((counted - f64::from(moments_on) * 7.0).abs() < 800.0, "{counted}");
        }
        let totals: Vec<_> = moments(60.0).map(|t| total(t, 300.0, 300.0, 19.0)).collect();
        assert!(totals.is_sorted() && totals[0] > 0.0);
    }

    #[test]
    fn a_battery_drains_until_there_is_a_new_one() {
        let left: Vec<_> = moments(600.0).map(|t| battery(Seed::new(4), t, 30.0)).collect();
        assert!(left.iter().all(|left| (0.0..=100.0).contains(left)));
        let renewed = left.windows(2).filter(|pair| pair[1] > pair[0]).count();
        assert!((3..=7).contains(&renewed), "{renewed} new batteries in 139 days");
    }

    #[test]
    fn devices_drop_out_now_and_then_and_come_back() {
        let devices = 200_u64;
        let (mut away, mut ever) = (0_u32, 0_u32);
        for device in 0..devices {
            let silent: Vec<_> =
                moments(10.0).take(2_000).map(|t| is_silent(Seed::new(1).of(device), t)).collect();
            away += u32::try_from(silent.iter().filter(|silent| **silent).count()).unwrap();
            ever += u32::from(silent.contains(&true) && silent.contains(&false));
        }
        let share = f64::from(away) / (devices as f64 * 2_000.0);
        assert!((0.01..0.05).contains(&share), "{share} of the time");
        assert!(ever > 100, "{ever} of {devices} dropped out");
    }

    #[test]
    fn no_moment_is_too_early_or_too_late() {
        for t in [f64::MIN, -1e18, -1.0, 0.0, 1e18, f64::MAX, f64::INFINITY, f64::NAN] {
            let seed = Seed::new(1);
            let curve = Curve { mean: 20.0, day: 5.0, noise: 1.0, ..Curve::FLAT };
            let _ = (curve.at(seed, t), battery(seed, t, 9.0), is_silent(seed, t), year(t));
            let _ = Switch { period_s: 60.0, share: 0.5 }.at(seed, t);
        }
    }
}
