//! Where log lines go, and which are written.

use std::path::{Path, PathBuf};

/// What is logged, where to, and how a line looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    pub destinations: Vec<Destination>,
    /// The syslog facility `local0` to `local7`; `None` for `daemon`.
    pub facility: Option<u8>,
    pub timestamp: bool,
    /// A format of `strftime`; `None` for seconds since 1970.
    pub timestamp_format: Option<String>,
    pub types: LogTypes,
    /// Whether clients that come and go are logged.
    pub connection_messages: bool,
    pub format: Format,
}

/// One place that log lines go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    Stdout,
    Stderr,
    Syslog,
    /// The topics `$SYS/broker/log/…`.
    Topic,
    File(PathBuf),
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Format {
    /// As Mosquitto writes it.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The kinds of lines that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogTypes {
    pub error: bool,
    pub warning: bool,
    pub notice: bool,
    pub information: bool,
    pub debug: bool,
    pub subscribe: bool,
    pub unsubscribe: bool,
    pub websockets: bool,
}

impl Log {
    /// The files among the destinations.
    pub(crate) fn files(&self) -> Vec<&Path> {
        let destinations = self.destinations.iter();
        let files = destinations.filter_map(|destination| match destination {
            Destination::File(path) => Some(path.as_path()),
            _ => None,
        });
        files.collect()
    }
}

impl LogTypes {
    pub(crate) const NONE: Self = Self::each(false);
    pub(crate) const ALL: Self = Self::each(true);

    const fn each(on: bool) -> Self {
        Self {
            error: on,
            warning: on,
            notice: on,
            information: on,
            debug: on,
            subscribe: on,
            unsubscribe: on,
            websockets: on,
        }
    }
}

impl Default for LogTypes {
    fn default() -> Self {
        Self { error: true, warning: true, notice: true, information: true, ..Self::NONE }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            destinations: vec![Destination::Stderr],
            facility: None,
            timestamp: true,
            timestamp_format: None,
            types: LogTypes::default(),
            connection_messages: true,
            format: Format::Text,
        }
    }
}
