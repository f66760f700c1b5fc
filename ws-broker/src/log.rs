//! Log lines as Mosquitto writes them: the time, a colon, a sentence; or one JSON object a line.
//!
//! Events are `tracing`'s. Its levels are error, warning, information and debug; what is none of these
//! has a target of its own, such as [`NOTICE`]. Where lines go and which are written is a matter of the
//! configuration, which a reload changes.
//!
//! A worker gathers its lines and writes them before it waits for something to happen, so that a hundred
//! clients who come at the same time cost one write. Errors and warnings wait for nothing.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use jiff::{Timestamp, Zoned};
use parking_lot::{Mutex, RwLock};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::config::{Destination, Format, Log, LogTypes};
use crate::limits::{LOG_GATHERED_BYTES_MAX, LOG_LINE_BYTES_MAX};

/// What an operator should notice, though nothing is wrong.
pub(crate) const NOTICE: &str = "notice";

/// A client that comes or goes; `connection_messages` has these left out.
pub(crate) const CONNECTION: &str = "connection";

/// A client that subscribes.
pub(crate) const SUBSCRIBE: &str = "subscribe";

/// A client that unsubscribes.
pub(crate) const UNSUBSCRIBE: &str = "unsubscribe";

/// What happens between a connection and MQTT on it.
pub(crate) const WEBSOCKETS: &str = "websockets";

/// The kinds of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Error,
    Warning,
    Notice,
    Connection,
    Information,
    Debug,
    Subscribe,
    Unsubscribe,
    WebSockets,
}

impl Kind {
    fn of(metadata: &Metadata<'_>) -> Self {
        match metadata.target() {
            NOTICE => Self::Notice,
            CONNECTION => Self::Connection,
            SUBSCRIBE => Self::Subscribe,
            UNSUBSCRIBE => Self::Unsubscribe,
            WEBSOCKETS => Self::WebSockets,
            _ => match *metadata.level() {
                Level::ERROR => Self::Error,
                Level::WARN => Self::Warning,
                Level::INFO => Self::Information,
                _ => Self::Debug,
            },
        }
    }

    /// What a line begins with.
    fn prefix(self) -> &'static str {
        match self {
            Self::Error => "Error: ",
            Self::Warning => "Warning: ",
            _ => "",
        }
    }

    /// The word for it in `log_type`.
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice | Self::Connection => "notice",
            Self::Information => "information",
            Self::Debug => "debug",
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
            Self::WebSockets => "websockets",
        }
    }

    /// The topic that lines of this kind are published on, if they are; debug lines never are, because
    /// each would be the cause of more.
    fn topic(self) -> Option<&'static str> {
        Some(match self {
            Self::Error => "$SYS/broker/log/E",
            Self::Warning => "$SYS/broker/log/W",
            Self::Notice | Self::Connection => "$SYS/broker/log/N",
            Self::Information => "$SYS/broker/log/I",
            Self::Subscribe => "$SYS/broker/log/M/subscribe",
            Self::Unsubscribe => "$SYS/broker/log/M/unsubscribe",
            Self::WebSockets => "$SYS/broker/log/WS",
            Self::Debug => return None,
        })
    }

    fn is_on(self, log: &Log) -> bool {
        let LogTypes {
            error,
            warning,
            notice,
            information,
            debug,
            subscribe,
            unsubscribe,
            websockets,
        } = log.types;
        match self {
            Self::Error => error,
            Self::Warning => warning,
            Self::Notice => notice,
            Self::Connection => notice && log.connection_messages,
            Self::Information => information,
            Self::Debug => debug,
            Self::Subscribe => subscribe,
            Self::Unsubscribe => unsubscribe,
            Self::WebSockets => websockets,
        }
    }
}

/// Publishes a line on a topic.
pub(crate) type Publish = Box<dyn Fn(&'static str, String) + Send + Sync>;

/// Where lines go now.
static OUTPUT: OnceLock<Output> = OnceLock::new();

/// What publishes lines, once there are workers.
static PUBLISH: OnceLock<Publish> = OnceLock::new();

thread_local! {
    /// Where a sentence is put together.
    static MESSAGE: Cell<String> = const { Cell::new(String::new()) };
    /// Lines that are not written yet; there if this thread gathers them.
    static GATHERED: RefCell<Option<String>> = const { RefCell::new(None) };
}

struct Output(RwLock<Arc<Outlets>>);

/// The configuration, and what it has opened.
struct Outlets {
    log: Log,
    file: Option<Mutex<File>>,
    syslog: Option<Mutex<Syslog>>,
}

type Syslog = syslog::Logger<syslog::LoggerBackend, syslog::Formatter3164>;

/// Writes log lines on standard error from now on, as long as nothing else is said.
pub(crate) fn start() {
    let outlets = Outlets { log: Log::default(), file: None, syslog: None };
    // Only the first call has an effect, and there is only one.
    let _ = OUTPUT.set(Output(RwLock::new(Arc::new(outlets))));
    let _ = tracing::subscriber::set_global_default(Lines);
}

/// Writes log lines as a configuration says. Files are closed and opened anew.
///
/// # Errors
/// A place that lines are to go to can't be opened, or the format of the time makes no sense; then all
/// stays as it was.
pub(crate) fn configure(log: &Log) -> Result<()> {
    if let Some(format) = &log.timestamp_format {
        jiff::fmt::strtime::format(format, &Zoned::now())
            .with_context(|| format!("log_timestamp_format {format} makes no sense"))?;
    }
    let file = log.files().first().map(|path| open(path)).transpose()?;
    let to_syslog = log.destinations.contains(&Destination::Syslog);
    let syslog = to_syslog.then(|| open_syslog(log.facility)).transpose()?;
    let outlets = Outlets { log: log.clone(), file: file.map(Mutex::new), syslog };
    if let Some(output) = OUTPUT.get() {
        *output.0.write() = Arc::new(outlets);
        tracing::callsite::rebuild_interest_cache();
    }
    Ok(())
}

/// Whether standard error is among the places that lines go to.
pub(crate) fn is_on_stderr() -> bool {
    outlets().is_some_and(|outlets| outlets.log.destinations.contains(&Destination::Stderr))
}

/// Has this thread gather its lines from now on, until it [flushes](flush) them.
pub(crate) fn gather() {
    GATHERED.with_borrow_mut(|gathered| *gathered = Some(String::new()));
}

/// Writes the lines that this thread has gathered.
pub(crate) fn flush() {
    // While a thread ends it may have no place of its own any more.
    let _ = GATHERED.try_with(|gathered| {
        if let Ok(mut gathered) = gathered.try_borrow_mut()
            && let Some(lines) = gathered.as_mut().filter(|lines| !lines.is_empty())
        {
            if let Some(outlets) = outlets() {
                outlets.write(lines);
            }
            lines.clear();
        }
    });
}

/// Has lines published that are to go to topics.
pub(crate) fn publish_with(publish: Publish) {
    // Only the first call has an effect, and there is only one.
    let _ = PUBLISH.set(publish);
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("Unable to open log file {} for writing", path.display()))
}

fn open_syslog(facility: Option<u8>) -> Result<Mutex<Syslog>> {
    use syslog::Facility;
    let facility = match facility {
        Some(0) => Facility::LOG_LOCAL0,
        Some(1) => Facility::LOG_LOCAL1,
        Some(2) => Facility::LOG_LOCAL2,
        Some(3) => Facility::LOG_LOCAL3,
        Some(4) => Facility::LOG_LOCAL4,
        Some(5) => Facility::LOG_LOCAL5,
        Some(6) => Facility::LOG_LOCAL6,
        Some(7) => Facility::LOG_LOCAL7,
        _ => Facility::LOG_DAEMON,
    };
    let formatter = syslog::Formatter3164 {
        facility,
        hostname: None,
        process: env!("CARGO_PKG_NAME").into(),
        pid: std::process::id(),
    };
    let logger =
        syslog::unix(formatter).context("there is no syslog to log to (log_dest syslog)")?;
    Ok(Mutex::new(logger))
}

fn outlets() -> Option<Arc<Outlets>> {
    OUTPUT.get().map(|output| Arc::clone(&output.0.read()))
}

fn is_on(metadata: &Metadata<'_>) -> bool {
    outlets().is_some_and(|outlets| Kind::of(metadata).is_on(&outlets.log))
}

/// Turns events into lines. There are no spans here.
struct Lines;

impl Subscriber for Lines {
    fn max_level_hint(&self) -> Option<LevelFilter> {
        let debug = outlets()?.log.types.debug;
        Some(if debug { LevelFilter::DEBUG } else { LevelFilter::INFO })
    }

    /// Each place that logs is asked about once, and again after a reload.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_on(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_on(metadata)
    }

    fn event(&self, event: &Event<'_>) {
        let Some(outlets) = outlets() else { return };
        let mut said = Said {
            message: MESSAGE.take(),
            fields: (outlets.log.format == Format::Json).then(Map::new),
        };
        event.record(&mut said);
        outlets.say(Kind::of(event.metadata()), &said);
        said.message.clear();
        MESSAGE.set(said.message);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// What an event says.
#[derive(Debug, Default)]
struct Said {
    message: String,
    /// What it says apart from its sentence, where that is asked for.
    fields: Option<Map<String, Value>>,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a text can't fail.
            let _ = write!(OneLine(&mut self.message), "{value:?}");
        } else if let Some(fields) = &mut self.fields {
            fields.insert(field.name().to_owned(), format!("{value:?}").into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if let Some(fields) = &mut self.fields {
            fields.insert(field.name().to_owned(), value.into());
        }
    }
}

/// Keeps what a client named itself from looking like a line of ours, and from filling the log.
struct OneLine<'a>(&'a mut String);

impl fmt::Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Nearly everything is short and plain.
        let length = self.0.len().saturating_add(text.len());
        if length <= LOG_LINE_BYTES_MAX && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            self.0.push_str(text);
            return Ok(());
        }
        for character in text.chars() {
            match self.0.len() {
                length if length < LOG_LINE_BYTES_MAX => {
                    // A tab sets off what belongs to the line before.
                    let is_plain = character == '\t' || !character.is_control();
                    self.0.push(if is_plain { character } else { '\u{fffd}' });
                }
                _ if self.0.ends_with('\u{2026}') => return Ok(()),
                _ => self.0.push('\u{2026}'),
            }
        }
        Ok(())
    }
}

impl Outlets {
    /// Brings what was said to all places that lines go to.
    fn say(&self, kind: Kind, said: &Said) {
        self.write_to_syslog(kind, &said.message);
        let is_gathered = GATHERED.try_with(|gathered| {
            let Ok(mut gathered) = gathered.try_borrow_mut() else { return false };
            let Some(lines) = gathered.as_mut() else { return false };
            self.put_line(kind, said, lines);
            true
        });
        if is_gathered == Ok(true) {
            let is_full = GATHERED.with_borrow(|gathered| {
                gathered.as_ref().is_some_and(|lines| lines.len() > LOG_GATHERED_BYTES_MAX)
            });
            if is_full || matches!(kind, Kind::Error | Kind::Warning) {
                flush();
            }
            return;
        }
        let mut line = String::new();
        self.put_line(kind, said, &mut line);
        self.write(&line);
    }

    /// Appends a line, and publishes it where that is asked for.
    fn put_line(&self, kind: Kind, said: &Said, lines: &mut String) {
        let start = lines.len();
        match self.log.format {
            Format::Text => put_text(&self.log, kind, said, lines),
            Format::Json => put_json(kind, said, lines),
        }
        if let (Some(topic), Some(publish)) = (self.topic_of(kind), PUBLISH.get()) {
            publish(topic, lines.get(start..).unwrap_or_default().to_owned());
        }
        lines.push('\n');
    }

    fn write(&self, lines: &str) {
        for destination in &self.log.destinations {
            // There is nowhere to tell that a line could not be written.
            let _ = match destination {
                Destination::Stdout => std::io::stdout().lock().write_all(lines.as_bytes()),
                Destination::Stderr => std::io::stderr().lock().write_all(lines.as_bytes()),
                Destination::File(_) => match &self.file {
                    Some(file) => file.lock().write_all(lines.as_bytes()),
                    None => Ok(()),
                },
                Destination::Syslog | Destination::Topic => Ok(()),
            };
        }
    }

    fn topic_of(&self, kind: Kind) -> Option<&'static str> {
        kind.topic().filter(|_| self.log.destinations.contains(&Destination::Topic))
    }

    /// The syslog has its own time and its own word for the kind.
    fn write_to_syslog(&self, kind: Kind, message: &str) {
        let Some(syslog) = &self.syslog else { return };
        let syslog = &mut *syslog.lock();
        let _ = match kind {
            Kind::Error => syslog.err(message),
            Kind::Warning => syslog.warning(message),
            Kind::Notice | Kind::Connection | Kind::Subscribe | Kind::Unsubscribe => {
                syslog.notice(message)
            }
            Kind::Information => syslog.info(message),
            Kind::Debug | Kind::WebSockets => syslog.debug(message),
        };
    }
}

fn put_text(log: &Log, kind: Kind, said: &Said, lines: &mut String) {
    // Writing to a text can't fail.
    let _ = match (log.timestamp, &log.timestamp_format) {
        (false, _) => Ok(()),
        (true, None) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            write!(lines, "{}: ", now.as_secs())
        }
        (true, Some(format)) => {
            let time = jiff::fmt::strtime::format(format, &Zoned::now());
            write!(lines, "{}: ", time.unwrap_or_default())
        }
    };
    lines.push_str(kind.prefix());
    lines.push_str(&said.message);
}

fn put_json(kind: Kind, said: &Said, lines: &mut String) {
    let mut line = Map::new();
    line.insert("time".into(), Timestamp::now().to_string().into());
    line.insert("level".into(), kind.name().into());
    line.insert("message".into(), said.message.as_str().into());
    for (name, value) in said.fields.iter().flatten() {
        line.insert(name.clone(), value.clone());
    }
    let _ = write!(lines, "{}", Value::Object(line));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &str) -> Said {
        Said { message: message.into(), fields: None }
    }

    fn text_line(log: &Log, kind: Kind, said: &Said) -> String {
        let mut line = String::new();
        put_text(log, kind, said, &mut line);
        line
    }

    #[test]
    fn a_client_can_not_forge_a_line() {
        let mut line = String::new();
        OneLine(&mut line).write_str("Client a\n1: Error: b\x1b[2J left").unwrap();
        assert_eq!(line, "Client a\u{fffd}1: Error: b\u{fffd}[2J left");
    }

    #[test]
    fn a_client_can_not_fill_the_log_with_its_name() {
        let mut line = String::new();
        for part in ["Client ", &"\u{e4}".repeat(65_535), " disconnected."] {
            OneLine(&mut line).write_str(part).unwrap();
        }
        assert!(line.len() <= LOG_LINE_BYTES_MAX + 4 && line.ends_with("\u{e4}\u{2026}"), "{line}");
    }

    #[test]
    fn the_time_stands_before_a_line_as_it_is_asked_for() {
        let log = Log { timestamp: false, ..Log::default() };
        assert_eq!(text_line(&log, Kind::Warning, &said("w")), "Warning: w");
        let log = Log { timestamp_format: Some("%Y!".into()), ..Log::default() };
        let year = Zoned::now().year();
        assert_eq!(text_line(&log, Kind::Notice, &said("n")), format!("{year}!: n"));
        let line = text_line(&Log::default(), Kind::Information, &said("i"));
        let (seconds, rest) = line.split_once(": ").unwrap();
        assert!(seconds.parse::<u64>().is_ok_and(|seconds| seconds > 1_700_000_000), "{line}");
        assert_eq!(rest, "i");
    }

    #[test]
    fn json_names_the_time_the_level_and_what_is_known() {
        let mut said = said("Client a\"b disconnected.");
        said.fields.get_or_insert_default().insert("client".into(), "a\"b".into());
        let mut line = String::new();
        put_json(Kind::Connection, &said, &mut line);
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["level"], "notice");
        assert_eq!(line["message"], "Client a\"b disconnected.");
        assert_eq!(line["client"], "a\"b");
        assert!(line["time"].as_str().unwrap().parse::<Timestamp>().is_ok());
    }

    #[test]
    fn what_is_written_is_what_was_asked_for() {
        let quiet = Log { types: LogTypes::NONE, ..Log::default() };
        let usual = Log::default();
        let no_clients = Log { connection_messages: false, ..Log::default() };
        let all = Log { types: LogTypes::ALL, ..Log::default() };
        for (kind, in_usual, without_clients) in [
            (Kind::Error, true, true),
            (Kind::Warning, true, true),
            (Kind::Notice, true, true),
            (Kind::Connection, true, false),
            (Kind::Information, true, true),
            (Kind::Debug, false, false),
            (Kind::Subscribe, false, false),
            (Kind::Unsubscribe, false, false),
            (Kind::WebSockets, false, false),
        ] {
            assert!(!kind.is_on(&quiet) && kind.is_on(&all), "{kind:?}");
            assert_eq!(kind.is_on(&usual), in_usual, "{kind:?}");
            assert_eq!(kind.is_on(&no_clients), without_clients, "{kind:?}");
        }
    }
}
