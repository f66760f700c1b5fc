//! How long a client waits before it tries again: exponential, with full jitter, so that a thousand
//! clients that lost one server do not come back at one instant.

/// The bounds of the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffLimits {
    /// The longest first wait, in milliseconds; it doubles with each failure.
    pub first_ms: u64,
    /// The longest wait of all, in milliseconds.
    pub max_ms: u64,
}

impl Default for BackoffLimits {
    /// Up to one second at first, up to 30 seconds later.
    fn default() -> Self {
        Self { first_ms: 1_000, max_ms: 30_000 }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    limits: BackoffLimits,
    failures: u32,
    state: u64,
}

impl Backoff {
    pub(crate) const fn new(limits: BackoffLimits, seed: u64) -> Self {
        Self { limits, failures: 0, state: seed }
    }

    /// The connection proved good; the next wait is a first one.
    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure, in milliseconds.
    pub(crate) fn next_ms(&mut self) -> u64 {
        let doubled = self.limits.first_ms.saturating_mul(1 << self.failures.min(32));
        let ceiling = doubled.min(self.limits.max_ms);
        self.failures = self.failures.saturating_add(1);
        self.random() % ceiling.saturating_add(1).max(1)
    }

    /// SplitMix64: a seed is enough, and a wait needs no better.
    const fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_below_a_ceiling_that_doubles_up_to_the_limit() {
        for seed in 0..200 {
            let mut backoff = Backoff::new(BackoffLimits { first_ms: 100, max_ms: 1_000 }, seed);
            for ceiling in [100, 200, 400, 800, 1_000, 1_000] {
                assert!(backoff.next_ms() <= ceiling, "seed {seed}");
            }
            backoff.reset();
            assert!(backoff.next_ms() <= 100, "seed {seed}");
        }
    }

    #[test]
    fn waits_spread_over_the_whole_range() {
        let limits = BackoffLimits { first_ms: 1_000, max_ms: 1_000 };
        let waits: Vec<u64> = (0..500).map(|seed| Backoff::new(limits, seed).next_ms()).collect();
        for tenth in 0..10 {
            let (from, to) = (tenth * 100, tenth * 100 + 100);
            let hits = waits.iter().filter(|wait| (from..to).contains(*wait)).count();
            assert!(hits > 20, "{hits} of 500 waits are between {from} and {to} ms");
        }
    }

    #[test]
    fn the_largest_numbers_are_no_problem() {
        let mut backoff = Backoff::new(BackoffLimits { first_ms: u64::MAX, max_ms: u64::MAX }, 7);
        for _ in 0..100 {
            backoff.next_ms();
        }
        assert_eq!(Backoff::new(BackoffLimits { first_ms: 0, max_ms: 0 }, 7).next_ms(), 0);
    }
}
