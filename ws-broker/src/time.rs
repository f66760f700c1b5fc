//! Time inside the broker: milliseconds since it started, from one clock for all workers.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the broker started.
pub(crate) type Ms = u64;

/// Tells the time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Ms {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Milliseconds of this many seconds.
pub(crate) const fn seconds(seconds: u32) -> Ms {
    seconds as u64 * 1000
}

/// How the broker's time relates to that of the world, for what outlives the broker: there, times are
/// milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wall {
    /// When the broker's time began.
    start: u64,
}

impl Wall {
    /// As it is now. Should the world's clock be set later, that changes nothing.
    pub(crate) fn now(clock: Clock) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        Self { start: now.saturating_sub(clock.now()) }
    }

    /// The world's time of a moment.
    pub(crate) const fn of(self, at: Ms) -> u64 {
        self.start.saturating_add(at)
    }

    /// The broker's time of a moment; what was before it began is its beginning.
    pub(crate) const fn here(self, at: u64) -> Ms {
        at.saturating_sub(self.start)
    }
}
