//! What a process has used: by the kernel's accounting, seen from outside.

use std::fs;
use std::time::Duration;

use nix::sys::time::TimeValLike as _;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// The broker's process, if it is known which one that is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(pub(crate) Option<i32>);

impl Process {
    /// Processor time of all its threads since it started, user and system together.
    pub(crate) fn processor_time(self) -> Option<Duration> {
        let clock = nix::time::clock_getcpuclockid(Pid::from_raw(self.0?)).ok()?;
        read(clock)
    }

    /// Its resident memory in bytes.
    pub(crate) fn resident(self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kib.checked_mul(1024)
    }
}

/// Processor time that this process has used.
pub(crate) fn own_processor_time() -> Option<Duration> {
    read(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

fn read(clock: ClockId) -> Option<Duration> {
    let time = clock_gettime(clock).ok()?;
    Some(Duration::from_nanos(u64::try_from(time.num_nanoseconds()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen_from_outside_as_from_inside() {
        let this = Process(i32::try_from(std::process::id()).ok());
        let before = own_processor_time().unwrap();
        let outside = this.processor_time().unwrap();
        let after = own_processor_time().unwrap();
        assert!(before <= outside && outside <= after, "{before:?} {outside:?} {after:?}");
        assert!(this.resident().unwrap() > 100_000);
    }

    #[test]
    fn of_a_process_that_is_not_known_nothing_is_said() {
        assert_eq!(Process(None).processor_time(), None);
        assert_eq!(Process(None).resident(), None);
    }
}
