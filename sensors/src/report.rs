//! What is said to the person who started the program: standard error is for sentences, standard
//! output for data.

use std::fmt;

/// Says one thing on standard error; a closed terminal is no reason to stop publishing.
macro_rules! say {
    ($($sentence:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "sensors: {}", format_args!($($sentence)*));
    }};
}
pub(crate) use say;

/// The exit status for arguments that make no sense; `clap` uses the same.
const STATUS_USAGE: u8 = 2;
/// The exit status for everything else that went wrong.
const STATUS_FAILED: u8 = 1;

/// Why the program ends: what happened, where, and what to do, in full sentences.
#[derive(Debug)]
pub(crate) struct Failure {
    reason: String,
    status: u8,
}

impl Failure {
    /// Something went wrong.
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), status: STATUS_FAILED }
    }

    /// The arguments make no sense.
    pub(crate) fn usage(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), status: STATUS_USAGE }
    }

    /// What the operating system is told.
    pub(crate) fn status(&self) -> u8 {
        self.status
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}
