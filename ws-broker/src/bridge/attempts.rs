//! Where a bridge connects next, and when.

use std::time::Duration;

use crate::config::bridge::{Bridge, Restart};

/// The addresses of one bridge, and the waits between its attempts.
#[derive(Debug)]
pub(crate) struct Attempts {
    addresses: Vec<(String, u16)>,
    /// Which of them is tried, or connected to.
    current: usize,
    round_robin: bool,
    restart: Restart,
    /// The wait before, in milliseconds.
    wait_ms: u64,
    random: fastrand::Rng,
}

impl Attempts {
    /// The attempts of a bridge; the seed decides its waits.
    pub(crate) fn new(bridge: &Bridge, seed: u64) -> Self {
        let mut attempts = Self {
            addresses: bridge.addresses.clone(),
            current: 0,
            round_robin: bridge.round_robin,
            restart: bridge.restart,
            wait_ms: 0,
            random: fastrand::Rng::with_seed(seed),
        };
        attempts.succeeded();
        attempts
    }

    /// The host and port to connect to.
    pub(crate) fn address(&self) -> (&str, u16) {
        let address = self.addresses.get(self.current).or(self.addresses.first());
        address.map_or(("", 0), |(host, port)| (host, *port))
    }

    /// The main address, if it is to be returned to from the one that is connected to now.
    pub(crate) fn better_address(&self) -> Option<(&str, u16)> {
        let main = self.addresses.first().filter(|_| self.current > 0 && !self.round_robin)?;
        Some((&main.0, main.1))
    }

    /// The main address answers again: it is next.
    pub(crate) fn return_to_main(&mut self) {
        self.current = 0;
    }

    /// The other broker has taken the connection: the next wait is a first one.
    pub(crate) fn succeeded(&mut self) {
        self.wait_ms = match self.restart {
            Restart::Constant(seconds) | Restart::Jitter { base: seconds, .. } => millis(seconds),
        };
    }

    /// The connection, or the attempt at one, has failed: how long to wait before the next address
    /// is tried.
    pub(crate) fn failed(&mut self) -> Duration {
        self.current = self.current.saturating_add(1);
        if self.current >= self.addresses.len() {
            self.current = 0;
        }
        if let Restart::Jitter { base, cap } = self.restart {
            // Decorrelated jitter: each wait is drawn from a range that follows the one before, so
            // that bridges which lost one broker together do not come back together.
            let base_ms = millis(base);
            let top_ms = self.wait_ms.saturating_mul(3).max(base_ms);
            self.wait_ms = self.random.u64(base_ms..=top_ms).min(millis(cap).max(base_ms));
        }
        Duration::from_millis(self.wait_ms)
    }
}

fn millis(seconds: u32) -> u64 {
    u64::from(seconds).saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(restart: Restart, addresses: usize, seed: u64) -> Attempts {
        let mut bridge = Bridge::new("b".into());
        bridge.restart = restart;
        bridge.addresses = (0..addresses).map(|number| (format!("host{number}"), 1883)).collect();
        Attempts::new(&bridge, seed)
    }

    #[test]
    fn a_constant_wait_stays_as_it_is() {
        let mut attempts = attempts(Restart::Constant(7), 1, 0);
        for _ in 0..5 {
            assert_eq!(attempts.failed(), Duration::from_secs(7));
        }
    }

    #[test]
    fn jitter_stays_between_base_and_cap_and_grows_by_three_at_most() {
        let (base, cap) = (Duration::from_secs(5), Duration::from_secs(30));
        for seed in 0..200 {
            let mut attempts = attempts(Restart::Jitter { base: 5, cap: 30 }, 1, seed);
            let mut before = base;
            for round in 0..50 {
                let wait = attempts.failed();
                assert!(wait >= base && wait <= cap, "seed {seed}, round {round}: {wait:?}");
                assert!(wait <= before * 3, "seed {seed}, round {round}: {wait:?}");
                before = wait;
            }
            attempts.succeeded();
            assert!(attempts.failed() <= base * 3, "seed {seed}: a first wait again");
        }
    }

    #[test]
    fn jitter_spreads() {
        let jitter = Restart::Jitter { base: 5, cap: 30 };
        let waits: Vec<_> = (0..300).map(|seed| attempts(jitter, 1, seed).failed()).collect();
        for second in 5..15 {
            let hits = waits.iter().filter(|wait| wait.as_secs() == second).count();
            assert!(hits > 10, "{hits} of 300 waits last {second} s");
        }
    }

    #[test]
    fn odd_numbers_are_no_problem() {
        for (base, cap) in [(0, 0), (30, 5), (u32::MAX, u32::MAX), (1, 0)] {
            let mut attempts = attempts(Restart::Jitter { base, cap }, 1, 1);
            for _ in 0..50 {
                attempts.failed();
            }
        }
    }

    #[test]
    fn the_next_address_is_tried_and_the_main_one_returned_to() {
        for round_robin in [false, true] {
            let mut attempts = attempts(Restart::Constant(1), 3, 0);
            attempts.round_robin = round_robin;
            let mut tried = Vec::new();
            for _ in 0..4 {
                let better = attempts.better_address().map(|(host, _)| host.to_owned());
                assert_eq!(better.is_some(), !round_robin && attempts.address().0 != "host0");
                assert!(better.is_none_or(|host| host == "host0"));
                tried.push(attempts.address().0.to_owned());
                attempts.failed();
            }
            assert_eq!(tried, ["host0", "host1", "host2", "host0"]);
            attempts.return_to_main();
            assert_eq!(attempts.address(), ("host0", 1883));
        }
    }
}
