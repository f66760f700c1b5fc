//! Log lines as Mosquitto writes them: seconds since 1970, a colon, a sentence; on standard error.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes log lines from now on; with `verbose`, those too that only help to find a fault.
pub(crate) fn start(verbose: bool) {
    tracing_subscriber::fmt()
        .with_max_level(if verbose { Level::DEBUG } else { Level::INFO })
        .with_writer(std::io::stderr)
        .event_format(Lines)
        .init();
}

struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let level = match *event.metadata().level() {
            Level::ERROR => "Error: ",
            Level::WARN => "Warning: ",
            _ => "",
        };
        write!(writer, "{}: {level}", now.as_secs())?;
        context.field_format().format_fields(Writer::new(&mut OneLine(&mut writer)), event)?;
        writeln!(writer)
    }
}

/// Keeps what a client named itself from looking like a line of ours.
struct OneLine<'a, 'w>(&'a mut Writer<'w>);

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (index, part) in text.split(char::is_control).enumerate() {
            if index > 0 {
                self.0.write_char('\u{fffd}')?;
            }
            self.0.write_str(part)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn a_client_can_not_forge_a_line() {
        let mut line = String::new();
        let mut writer = Writer::new(&mut line);
        OneLine(&mut writer).write_str("Client a\n1: Error: b\x1b[2J left").unwrap();
        assert_eq!(line, "Client a\u{fffd}1: Error: b\u{fffd}[2J left");
    }
}
