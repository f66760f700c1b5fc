//! Time inside the broker: milliseconds since it started, from one clock for all workers.

use std::time::Instant;

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
