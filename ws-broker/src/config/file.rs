//! The grammar of `mosquitto.conf`: a word and its values a line, `#` for a comment, and words whose
//! place in the file says what they belong to.
//!
//! What comes before the first `listener` line belongs to a listener of its own on port 1883, which is
//! opened if anything is said of it. `listener` and `connection` open a listener and a bridge, to which
//! what follows belongs. Each included file begins anew, as it does in Mosquitto.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use codec::QoS;

use super::words::{self, Fate, Scope, Word};
use super::{
    Access, Address, Bridge, Config, Destination, Listener, LogTypes, Protocol, Tls,
    listener::{CertificateName, Domain},
};
use crate::limits;

/// The port of MQTT over TCP.
pub(crate) const MQTT_PORT: u16 = 1883;

/// Why a configuration is not taken, in words for the one who wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigError {
    pub why: String,
    /// The file, and the line if the fault is in one.
    pub place: Option<(PathBuf, usize)>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some((file, 0)) => write!(f, "{} ({})", self.why, file.display()),
            Some((file, line)) => write!(f, "{}. It stands at {}:{line}", self.why, file.display()),
            None => f.write_str(&self.why),
        }
    }
}

impl std::error::Error for ConfigError {}

/// What is wrong with one line.
pub(super) type Fault = String;

/// The values of one line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'a> {
    word: &'a str,
    rest: &'a str,
}

impl<'a> Values<'a> {
    /// The whole rest of the line, spaces inside included.
    pub(super) fn text(self) -> Result<&'a str, Fault> {
        if self.rest.is_empty() {
            return Err(format!("Empty {} value in configuration", self.word));
        }
        Ok(self.rest)
    }

    pub(super) fn path(self) -> Result<PathBuf, Fault> {
        self.text().map(PathBuf::from)
    }

    /// The values one by one. What stands behind a `#` is a comment, unless it is the first value.
    pub(super) fn each(self) -> impl Iterator<Item = &'a str> {
        let values = self.rest.split([' ', '\t']).filter(|value| !value.is_empty());
        let numbered = values.enumerate();
        numbered.take_while(|(n, value)| *n == 0 || !value.starts_with('#')).map(|(_, value)| value)
    }

    /// The one value there may be.
    pub(super) fn one(self) -> Result<&'a str, Fault> {
        let mut each = self.rest.split([' ', '\t']).filter(|value| !value.is_empty());
        let Some(value) = each.next() else {
            return Err(format!("Empty {} value in configuration", self.word));
        };
        match each.next() {
            Some(more) if !more.starts_with('#') => Err(format!(
                "{} takes one value, and \"{}\" is more than that",
                self.word, self.rest
            )),
            _ => Ok(value),
        }
    }

    pub(super) fn flag(self) -> Result<bool, Fault> {
        match self.one()? {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            value => Err(self.invalid(value, "true or false")),
        }
    }

    /// A number of this range.
    pub(super) fn number(self, min: i64, max: i64) -> Result<i64, Fault> {
        let value = self.one()?;
        let number = value.parse().ok().filter(|number| (min..=max).contains(number));
        number.ok_or_else(|| {
            let wanted = match (min, max) {
                (i64::MIN, i64::MAX) => "a number".into(),
                (min, i64::MAX) => format!("a number from {min} on"),
                (min, max) => format!("a number from {min} to {max}"),
            };
            self.invalid(value, &wanted)
        })
    }

    /// A number that fits the type it is for.
    pub(super) fn fitting<T: TryFrom<i64>>(self, min: i64, max: i64) -> Result<T, Fault> {
        let number = self.number(min, max)?;
        T::try_from(number).map_err(|_| self.invalid(&number.to_string(), "a smaller number"))
    }

    /// A size of which 0 and less mean: no limit.
    pub(super) fn size_or_unlimited(self) -> Result<usize, Fault> {
        let size = self.number(i64::MIN, i64::MAX)?;
        Ok(usize::try_from(size).ok().filter(|size| *size > 0).unwrap_or(usize::MAX))
    }

    pub(super) fn invalid(self, value: &str, wanted: &str) -> Fault {
        format!("Invalid {} value ({value}): it must be {wanted}", self.word)
    }
}

/// A configuration while its files are read.
pub(super) struct Draft {
    pub config: Config,
    /// The listener on the default port, and those that were opened.
    listeners: Vec<ListenerDraft>,
    /// Access where it is the same for all listeners.
    access: AccessDraft,
    /// Whether any word about access has been read.
    access_was_touched: bool,
    pub websockets_headers_size: Option<usize>,
    /// What is taken note of and has no effect, to be logged once there is a log.
    pub notes: Vec<String>,
    log_destinations: Vec<Destination>,
    log_types: Option<LogTypes>,
    dashboard_port: Option<u16>,
    /// Where words of a listener and of a bridge go in the file that is read.
    listener: usize,
    bridge: Option<usize>,
    seen: HashSet<(Place, &'static str)>,
}

/// What a word was said of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    All,
    Listener(usize),
    Bridge(Option<usize>),
}

/// Words that open no listener by themselves: where nothing else is said of any, the broker is for this
/// machine alone, and there they hold.
const LIMITS_OF_A_LISTENER: [&str; 3] = ["max_connections", "max_qos", "max_topic_alias"];

struct ListenerDraft {
    listener: Listener,
    access: AccessDraft,
    tls: TlsDraft,
    /// Whether anything was said of it; the one on the default port only opens then.
    was_touched: bool,
    /// Whether more than limits were said.
    was_opened: bool,
}

#[derive(Default)]
struct AccessDraft {
    access: Access,
    allow_anonymous: Option<bool>,
}

/// TLS before it is known whether there is a certificate.
#[derive(Default)]
pub(super) struct TlsDraft {
    pub tls: Tls,
    pub certfile: Option<PathBuf>,
    pub keyfile: Option<PathBuf>,
    pub by_identity: bool,
    pub by_subject: bool,
}

impl ListenerDraft {
    fn new(address: Address) -> Self {
        Self {
            listener: Listener::new(address, Protocol::Mqtt),
            access: AccessDraft::default(),
            tls: TlsDraft::default(),
            was_touched: false,
            was_opened: false,
        }
    }
}

/// What a configuration file says, and what is noted about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FromFile {
    pub config: Config,
    pub notes: Vec<String>,
    /// What holds for the listeners of a file that opens none, which are on this machine alone.
    pub loopback: Listener,
    /// The port that the file wants the dashboard on; 0 for no dashboard.
    pub dashboard_port: Option<u16>,
}

impl FromFile {
    /// What holds where there is no file: programs on this machine may do everything.
    pub(crate) fn none() -> Self {
        Self {
            config: Config::default(),
            notes: Vec::new(),
            loopback: Listener {
                access: Access { allow_anonymous: true, ..Access::default() },
                ..Listener::new(Address::Loopback(MQTT_PORT), Protocol::Mqtt)
            },
            dashboard_port: None,
        }
    }
}

/// Reads a configuration file and those that it includes.
///
/// # Errors
/// A file can't be read, or a line makes no sense; nothing is guessed.
pub(crate) fn read(path: &Path) -> Result<FromFile, ConfigError> {
    let mut draft = Draft::new();
    draft.read_file(path, true)?;
    draft.finish(path)
}

impl Draft {
    fn new() -> Self {
        let default = Address::Tcp { host: None, port: MQTT_PORT, domain: None, interface: None };
        Self {
            config: Config::default(),
            listeners: vec![ListenerDraft::new(default)],
            access: AccessDraft::default(),
            access_was_touched: false,
            websockets_headers_size: None,
            notes: Vec::new(),
            log_destinations: Vec::new(),
            log_types: None,
            dashboard_port: None,
            listener: 0,
            bridge: None,
            seen: HashSet::new(),
        }
    }

    fn read_file(&mut self, path: &Path, is_main: bool) -> Result<(), ConfigError> {
        let text = std::fs::read(path).map_err(|error| ConfigError {
            why: format!("Unable to open config file {}: {error}", path.display()),
            place: None,
        })?;
        self.listener = 0;
        self.bridge = None;
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            self.read_line(line, path, is_main).map_err(|fault| match fault {
                LineFault::Here(why) => ConfigError { why, place: Some((path.to_owned(), number)) },
                LineFault::InIncluded(error) => error,
            })?;
        }
        Ok(())
    }

    fn read_line(&mut self, line: &[u8], path: &Path, is_main: bool) -> Result<(), LineFault> {
        let line =
            std::str::from_utf8(line).map_err(|_| "Malformed UTF-8 in configuration".to_owned())?;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (word, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let values = Values { word, rest: rest.trim() };
        if word == "include_dir" {
            if !is_main {
                return Err("include_dir only stands in the main configuration file"
                    .to_owned()
                    .into());
            }
            return self.include(values, path);
        }
        let known = words::find(word).ok_or_else(|| unknown(word))?;
        match known.fate {
            Fate::Works => {}
            Fate::Noted(why) => self.notes.push(format!("{word} has no effect: {why}")),
            Fate::Refused(why) => return Err(format!("{word} is not supported: {why}").into()),
        }
        self.touch(known)?;
        (known.read)(self, values)?;
        Ok(())
    }

    fn include(&mut self, values: Values<'_>, main: &Path) -> Result<(), LineFault> {
        let folder = values.path()?;
        let unreadable =
            |error| format!("Unable to open include_dir {}: {error}", folder.display());
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            if file.extension().is_some_and(|extension| extension == "conf") && file != main {
                files.push(file);
            }
        }
        files.sort_by_key(|file| include_order(file));
        for file in files {
            self.read_file(&file, false).map_err(LineFault::InIncluded)?;
        }
        self.listener = 0;
        self.bridge = None;
        Ok(())
    }

    /// Notes that a word was said, and whether it may be said here.
    fn touch(&mut self, word: &'static Word) -> Result<(), Fault> {
        let place = match word.scope {
            Scope::All => Place::All,
            Scope::Listener => Place::Listener(self.listener),
            Scope::Bridge => Place::Bridge(self.bridge),
            Scope::Access if self.config.per_listener_settings => Place::Listener(self.listener),
            Scope::Access => Place::All,
        };
        if word.once && !self.seen.insert((place, word.name)) {
            return Err(format!("Duplicate {} value in configuration", word.name));
        }
        match word.scope {
            Scope::Bridge if self.bridge.is_none() && word.name != "connection" => {
                Err(format!("{} belongs to a bridge: it comes after a connection line", word.name))
            }
            Scope::Listener if word.name != "listener" => {
                if let Some(draft) = self.listeners.get_mut(self.listener) {
                    draft.was_touched = true;
                    draft.was_opened |= !LIMITS_OF_A_LISTENER.contains(&word.name);
                }
                Ok(())
            }
            Scope::Access => {
                self.access_was_touched = true;
                // As in Mosquitto, these open the default listener only where they are its own.
                let opens = matches!(word.name, "password_file" | "allow_zero_length_clientid");
                if self.config.per_listener_settings
                    && opens
                    && let Some(draft) = self.listeners.get_mut(self.listener)
                {
                    (draft.was_touched, draft.was_opened) = (true, true);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Opens a listener, to which what follows belongs.
    pub(super) fn open_listener(&mut self, values: Values<'_>) -> Result<(), Fault> {
        let mut each = values.each();
        let port = each.next().ok_or("Empty listener value in configuration")?;
        let port: u16 = port.parse().map_err(|_| {
            format!("Invalid port value ({port}): it must be a number from 0 to 65535")
        })?;
        let address = match (port, each.next()) {
            (0, None) => {
                return Err("A listener with port 0 must provide a Unix socket path".into());
            }
            (0, Some(_)) => {
                // A path may hold spaces.
                let path = values.rest.split_once([' ', '\t']).map_or("", |(_, path)| path.trim());
                Address::Unix(path.into())
            }
            (port, host) => {
                let host = host.map(str::to_owned);
                Address::Tcp { host, port, domain: None, interface: None }
            }
        };
        self.listener = self.listeners.len();
        let mut draft = ListenerDraft::new(address);
        (draft.was_touched, draft.was_opened) = (true, true);
        self.listeners.push(draft);
        Ok(())
    }

    /// Opens a bridge, to which what follows belongs.
    pub(super) fn open_bridge(&mut self, name: &str) -> Result<(), Fault> {
        if self.config.bridges.iter().any(|bridge| bridge.name == name) {
            return Err(format!("Duplicate bridge name \"{name}\""));
        }
        self.bridge = Some(self.config.bridges.len());
        self.config.bridges.push(Bridge::new(name.to_owned()));
        Ok(())
    }

    pub(super) fn bridge(&mut self) -> Result<&mut Bridge, Fault> {
        let current = self.bridge.and_then(|index| self.config.bridges.get_mut(index));
        current.ok_or_else(|| "there is no connection line before it".into())
    }

    fn listener_draft(&mut self) -> Result<&mut ListenerDraft, Fault> {
        self.listeners.get_mut(self.listener).ok_or_else(|| "there is no listener".into())
    }

    pub(super) fn listener(&mut self) -> Result<&mut Listener, Fault> {
        self.listener_draft().map(|draft| &mut draft.listener)
    }

    /// Whether words about a listener are about the one on the default port.
    pub(super) fn is_default_listener(&self) -> bool {
        self.listener == 0
    }

    pub(super) fn tls(&mut self) -> Result<&mut TlsDraft, Fault> {
        self.listener_draft().map(|draft| &mut draft.tls)
    }

    fn access_draft(&mut self) -> Result<&mut AccessDraft, Fault> {
        if self.config.per_listener_settings {
            self.listener_draft().map(|draft| &mut draft.access)
        } else {
            Ok(&mut self.access)
        }
    }

    pub(super) fn access(&mut self) -> Result<&mut Access, Fault> {
        self.access_draft().map(|draft| &mut draft.access)
    }

    pub(super) fn allow_anonymous(&mut self, allow: bool) -> Result<(), Fault> {
        self.access_draft()?.allow_anonymous = Some(allow);
        Ok(())
    }

    /// Decides whether words about access are about each listener by itself.
    pub(super) fn per_listener_settings(&mut self, per_listener: bool) -> Result<(), Fault> {
        if self.access_was_touched && per_listener {
            return Err(
                "per_listener_settings must be set before any other security settings".into()
            );
        }
        self.config.per_listener_settings = per_listener;
        Ok(())
    }

    /// Where the default listener is, or another Internet or interface of the current one.
    pub(super) fn tcp(
        &mut self,
        change: impl FnOnce(&mut Option<String>, &mut u16, &mut Option<Domain>, &mut Option<String>),
    ) -> Result<(), Fault> {
        match &mut self.listener()?.address {
            Address::Tcp { host, port, domain, interface } => {
                change(host, port, domain, interface);
                Ok(())
            }
            Address::Loopback(_) | Address::Unix(_) => {
                Err("it makes no sense for a Unix socket".into())
            }
        }
    }

    /// Adds a destination; the first that is named replaces standard error.
    pub(super) fn log_to(&mut self, destination: Option<Destination>) -> Result<(), Fault> {
        let is_file = |destination: &Destination| matches!(destination, Destination::File(_));
        match destination {
            None => {
                self.log_destinations.clear();
                self.seen.insert((Place::All, "log_dest none"));
            }
            Some(file) if is_file(&file) && self.log_destinations.iter().any(is_file) => {
                return Err("Duplicate \"log_dest file\" value".into());
            }
            Some(destination) => {
                if !self.log_destinations.contains(&destination) {
                    self.log_destinations.push(destination);
                }
            }
        }
        Ok(())
    }

    /// The types of log lines; the first that is named replaces those that are usual.
    pub(super) fn log_types(&mut self) -> &mut LogTypes {
        self.log_types.get_or_insert(LogTypes::NONE)
    }

    pub(super) fn dashboard_port(&mut self, port: u16) {
        self.dashboard_port = Some(port);
    }

    fn finish(mut self, path: &Path) -> Result<FromFile, ConfigError> {
        let fault = |why: String| ConfigError { why, place: Some((path.to_owned(), 0)) };
        let said_none = self.seen.contains(&(Place::All, "log_dest none"));
        if !self.log_destinations.is_empty() || said_none {
            self.config.log.destinations = std::mem::take(&mut self.log_destinations);
        }
        if let Some(types) = self.log_types {
            self.config.log.types = types;
        }
        let head_max = self.websockets_headers_size.unwrap_or(limits::HTTP_HEAD_MAX);
        // Only who opens no listener is kept to this machine, and lets everybody on it in.
        let mut loopback = match self.listeners.first() {
            Some(draft) => draft.listener.clone(),
            None => Listener::new(Address::Loopback(MQTT_PORT), Protocol::Mqtt),
        };
        let opens_none = !self.listeners.iter().any(|draft| draft.was_opened);
        let drafts = self.listeners.into_iter().filter(|draft| draft.was_touched && !opens_none);
        loopback.address = Address::Loopback(MQTT_PORT);
        loopback.access = self.access.access.clone();
        loopback.access.allow_anonymous = self.access.allow_anonymous.unwrap_or(opens_none);
        for draft in drafts {
            let ListenerDraft { mut listener, access, tls, .. } = draft;
            let access = if self.config.per_listener_settings { &access } else { &self.access };
            listener.access = access.access.clone();
            listener.access.allow_anonymous = access.allow_anonymous.unwrap_or(false);
            listener.tls = tls.finish(&listener.address).map_err(fault)?;
            listener.http_head_max = head_max;
            self.config.listeners.push(listener);
        }
        for bridge in &self.config.bridges {
            bridge.check().map_err(fault)?;
        }
        Bridge::check_ids(&self.config.bridges).map_err(fault)?;
        Ok(FromFile {
            config: self.config,
            notes: self.notes,
            loopback,
            dashboard_port: self.dashboard_port,
        })
    }
}

impl TlsDraft {
    /// TLS, if there is a certificate.
    fn finish(self, address: &Address) -> Result<Option<Tls>, Fault> {
        let username = match (self.by_identity, self.by_subject) {
            (true, _) => Some(CertificateName::Identity),
            (_, true) => Some(CertificateName::Subject),
            _ => None,
        };
        match (self.certfile, self.keyfile) {
            (Some(certfile), Some(keyfile)) => {
                let tls = Tls { certfile, keyfile, username, ..self.tls };
                if tls.require_certificate && tls.cafile.is_none() && tls.capath.is_none() {
                    return Err(format!(
                        "the listener at {address} has require_certificate true and needs a cafile or \
                         capath to know whose certificates to trust"
                    ));
                }
                Ok(Some(tls))
            }
            (None, None) if self.tls != Tls::default() || username.is_some() => Err(format!(
                "the listener at {address} has settings of TLS, but neither certfile nor keyfile: it \
                 would be open to all who listen in"
            )),
            (None, None) => Ok(None),
            _ => Err(format!(
                "Both certfile and keyfile must be provided to enable a TLS listener, at {address}"
            )),
        }
    }
}

/// Why a line was not taken.
enum LineFault {
    Here(Fault),
    InIncluded(ConfigError),
}

impl From<Fault> for LineFault {
    fn from(why: Fault) -> Self {
        Self::Here(why)
    }
}

/// Names in the order in which they are included: `A` before `a`, both before `B`.
fn include_order(path: &Path) -> (String, PathBuf) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    (name, path.to_owned())
}

fn unknown(word: &str) -> Fault {
    match words::nearest(word) {
        Some(nearest) => {
            format!(
                "Unknown configuration variable \"{word}\". The nearest that is known is \"{nearest}\""
            )
        }
        None => format!("Unknown configuration variable \"{word}\""),
    }
}

/// The QoS of this number.
pub(super) fn qos(number: i64) -> QoS {
    match number {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Format;

    fn parse(text: &str) -> Result<FromFile, String> {
        let mut draft = Draft::new();
        let path = Path::new("test.conf");
        for line in text.lines() {
            draft.read_line(line.as_bytes(), path, true).map_err(|fault| match fault {
                LineFault::Here(why) => why,
                LineFault::InIncluded(error) => error.to_string(),
            })?;
        }
        draft.finish(path).map_err(|error| error.why)
    }

    #[test]
    fn an_empty_file_opens_nothing_and_trusts_this_machine() {
        let read = parse("# nothing\n\n   \n  # indented\n").unwrap();
        assert_eq!(read, FromFile::none());
    }

    #[test]
    fn what_follows_a_listener_belongs_to_it() {
        let read = parse(
            "max_connections 7\nlistener 1884 127.0.0.1\nmax_qos 1\nlistener 0 /run/my broker\n\
             listener 9001\nprotocol websockets\r\nwebsockets_origin https://a.example",
        )
        .unwrap();
        let listeners = read.config.listeners;
        let places: Vec<_> =
            listeners.iter().map(|listener| listener.address.to_string()).collect();
        assert_eq!(places, ["port 1883", "127.0.0.1:1884", "/run/my broker", "port 9001"]);
        assert_eq!(listeners[0].max_connections, Some(7));
        assert_eq!(listeners[1].max_qos, QoS::AtLeastOnce);
        assert_eq!(listeners[2].max_qos, QoS::ExactlyOnce);
        assert_eq!(listeners[3].protocol, Protocol::Http);
        assert_eq!(listeners[3].origins, ["https://a.example"]);
    }

    /// A door is only open where the file says so.
    #[test]
    fn who_may_come_in_without_a_name() {
        for (text, want) in [
            ("listener 1883", &[false][..]),
            ("listener 1883\nallow_anonymous true", &[true]),
            ("allow_anonymous true\nlistener 1883\nlistener 1884", &[true, true]),
            ("port 1884", &[false]),
            (
                "per_listener_settings true\nallow_anonymous true\nlistener 1883\nlistener 1884\n\
                 allow_anonymous true",
                &[false, true],
            ),
        ] {
            let listeners = parse(text).unwrap().config.listeners;
            let got: Vec<_> = listeners.iter().map(|it| it.access.allow_anonymous).collect();
            assert_eq!(got, want, "{text}");
        }
        assert!(parse("").unwrap().loopback.access.allow_anonymous);
        assert!(!parse("allow_anonymous false").unwrap().loopback.access.allow_anonymous);
        assert!(!parse("listener 1883").unwrap().loopback.access.allow_anonymous);
    }

    #[test]
    fn a_limit_alone_opens_no_listener_and_holds_on_this_machine() {
        let read = parse("max_connections 10").unwrap();
        assert_eq!(read.config.listeners, []);
        assert_eq!(read.loopback.max_connections, Some(10));
        assert!(read.loopback.access.allow_anonymous);
        let listeners = parse("max_connections 10\nport 1884").unwrap().config.listeners;
        assert_eq!(listeners.len(), 1);
        assert_eq!(listeners[0].max_connections, Some(10));
    }

    #[test]
    fn lines_that_make_no_sense_are_not_taken() {
        for (text, part) in [
            ("acl_flie /etc/acl", "Unknown configuration variable \"acl_flie\". The nearest"),
            ("allow_anonymous yes", "Invalid allow_anonymous value (yes)"),
            ("allow_anonymous", "Empty allow_anonymous value"),
            ("allow_anonymous true false", "takes one value"),
            ("listener 70000", "Invalid port value (70000)"),
            ("listener 0", "must provide a Unix socket path"),
            ("max_inflight_messages 65536", "max_inflight_messages"),
            ("max_packet_size 19", "a number from 20"),
            ("max_keepalive 65536", "from 0 to 65535"),
            ("password_file a\npassword_file b", "Duplicate password_file"),
            ("password_file", "Empty password_file value"),
            ("allow_anonymous true\nper_listener_settings true", "must be set before any other"),
            ("listener 1883\nport 1884", "about the default listener"),
            ("mount_point a/", "belongs to a listener"),
            ("listener 1\nmount_point a/#", "without wildcards"),
            ("listener 1\nprotocol http", "mqtt or websockets"),
            ("plugin /usr/lib/dynsec.so", "C libraries"),
            ("plugin_opt_config_file x", "C libraries"),
            ("listener 1\npsk_hint x", "no pre-shared keys"),
            ("listener 1\ncertfile c.pem", "Both certfile and keyfile"),
            ("listener 1\ncafile c.pem", "neither certfile nor keyfile"),
            ("listener 1\nrequire_certificate true", "neither certfile nor keyfile"),
            ("listener 1\ncertfile c\nkeyfile k\nrequire_certificate true", "needs a cafile"),
            ("persistent_client_expiration 14", "such as 14d"),
            ("persistent_client_expiration 0d", "such as 14d"),
            ("log_dest tape", "none, stdout"),
            ("log_dest file", "Empty \"log_dest file\""),
            ("log_dest file a\nlog_dest file b", "Duplicate \"log_dest file\""),
            ("log_type loud", "log_type"),
            ("address a", "after a connection line"),
            ("connection a\nconnection a", "Duplicate bridge name"),
            (
                "connection a\naddress h\ntopic x\nremote_clientid r\n\
                 connection b\naddress h\ntopic x\nlocal_clientid local.r",
                "Bridge local_clientid 'local.r' is not unique",
            ),
            ("connection a\ntopic #", "no remote addresses"),
            ("connection a\naddress b", "no topics"),
            ("connection a\naddress b:0", "Invalid address value"),
            ("connection a\ntopic x sideways", "direction 'sideways'"),
            ("connection a\ntopic x out 3", "QoS level '3'"),
            ("connection a\ntopic \"\" out 0 l", "needs a local and a remote prefix"),
            ("connection a\nrestart_timeout 30 10", "cap is lower"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(part), "{text:?} says {error:?}");
        }
    }

    #[test]
    fn numbers_that_stand_for_no_limit() {
        let read = parse(
            "max_queued_messages 0\nmax_queued_bytes -1\nmax_inflight_messages 0\n\
             listener 1\nmax_connections -1",
        );
        let config = read.unwrap().config;
        assert_eq!(config.limits.queued_messages_max, usize::MAX);
        assert_eq!(config.limits.queued_bytes_max, usize::MAX);
        assert_eq!(config.limits.inflight_max, u16::MAX);
        assert_eq!(config.listeners[0].max_connections, None);
    }

    #[test]
    fn logs_go_where_they_are_sent() {
        let log = parse(
            "log_dest stdout\nlog_dest file /var/log/my broker.log\nlog_type error\nlog_type all\n\
             log_timestamp_format %Y-%m-%dT%H:%M:%S\nlog_format json",
        );
        let log = log.unwrap().config.log;
        let file = Destination::File("/var/log/my broker.log".into());
        assert_eq!(log.destinations, [Destination::Stdout, file]);
        assert_eq!(log.types, LogTypes::ALL);
        assert_eq!(log.format, Format::Json);
        assert_eq!(log.timestamp_format.as_deref(), Some("%Y-%m-%dT%H:%M:%S"));
        assert_eq!(parse("log_dest none").unwrap().config.log.destinations, []);
        assert_eq!(parse("").unwrap().config.log.destinations, [Destination::Stderr]);
    }

    #[test]
    fn a_bridge_and_its_topics() {
        let text = "connection home\naddresses a b:1884 [::1]:1885\ntopic # both 2 l/ r/ # all\n\
                    topic x\ntopic \"\" in 1 a b\nrestart_timeout 5 30\nbridge_protocol_version mqttv50";
        let config = parse(text).unwrap().config;
        let bridge = &config.bridges[0];
        let addresses: Vec<_> = bridge.addresses.iter().map(|(h, p)| (h.as_str(), *p)).collect();
        assert_eq!(addresses, [("a", 1883), ("b", 1884), ("::1", 1885)]);
        let topics: Vec<_> = bridge.topics.iter().map(|topic| format!("{topic:?}")).collect();
        assert_eq!(topics.len(), 3, "{topics:?}");
        assert_eq!(bridge.topics[0].remote_prefix, "r/");
        assert_eq!(bridge.topics[1].pattern, "x");
        assert_eq!(bridge.topics[2].pattern, "");
    }

    #[test]
    fn a_listener_after_a_bridge_is_a_listener_still() {
        let read = parse("connection a\naddress b\ntopic #\nlistener 1884\ntry_private false");
        let config = read.unwrap().config;
        assert_eq!(config.listeners.len(), 1);
        assert!(!config.bridges[0].try_private);
    }

    #[test]
    fn included_files_come_in_the_order_of_their_names() {
        let mut names = ["b.conf", "A.conf", "01.conf", "a.conf", "B.conf", "00.conf"];
        names.sort_by_key(|name| include_order(name.as_ref()));
        assert_eq!(names, ["00.conf", "01.conf", "A.conf", "a.conf", "B.conf", "b.conf"]);
    }
}
