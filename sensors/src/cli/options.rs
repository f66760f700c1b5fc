//! The options that all subcommands share: which broker, and how readings are published.

use crate::broker::{Address, Credentials, Presence, Qos, Settings, Transport, Version};
use crate::report::Failure;
use crate::tls;
use clap::Args;
use percent_encoding::percent_decode_str;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// The longest topic prefix, in bytes; leaves room below it (MQTT 5.0 §1.5.4: 65 535 in all).
const PREFIX_BYTES_MAX: usize = 1024;
/// The longest password that a file may hold, in bytes (MQTT 5.0 §1.5.6).
const PASSWORD_BYTES_MAX: usize = 65_535;
/// The shortest and the longest time between two rounds.
const INTERVAL_MIN: Duration = Duration::from_millis(250);
const INTERVAL_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What a WebSocket is asked for where the URL has no path; brokers commonly listen there.
const WEBSOCKET_PATH: &str = "/mqtt";

/// How readings are published, whatever they are.
#[derive(Debug, Args)]
pub(crate) struct PublishingArguments {
    /// Quality of service of the readings; with `--once` at least 1
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "0")]
    pub(crate) qos: Qos,

    /// Publish one round, wait until the broker has acknowledged it, and exit
    #[arg(long)]
    pub(crate) once: bool,

    /// Print one line `topic payload` for each publish, and connect to no broker
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Say more about what happens
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// Which broker, and as whom.
// The URL may hold a password, so it is checked in `settings` and not by a value parser: `clap`
// repeats on standard error what a value parser turns down.
#[derive(Args)]
pub(crate) struct BrokerArguments {
    /// The broker: SCHEME://[USER[:PASSWORD]@]HOST[:PORT]
    ///
    /// The scheme is `mqtt` (TCP, port 1883), `mqtts` (TLS, port 8883), `ws` (WebSocket, port 80)
    /// or `wss` (WebSocket over TLS, port 443); the last two may have a path, else it is `/mqtt`.
    /// Special characters of the user name and the password are written as %XX. A password given
    /// here shows in the list of processes: better use --password-file.
    #[allow(rustdoc::broken_intra_doc_links, reason = "brackets as in any usage line, no links")]
    #[arg(long, value_name = "URL", default_value = "mqtt://127.0.0.1:1883")]
    broker: String,

    /// File whose first line is the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// File with the certificates (PEM) to trust, for mqtts:// and wss:// [default: the system's]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Version of MQTT to speak
    #[arg(long, value_enum, value_name = "VERSION", default_value = "5")]
    mqtt: Version,
}

impl std::fmt::Debug for BrokerArguments {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BrokerArguments")
            .field("password_file", &self.password_file)
            .field("ca_file", &self.ca_file)
            .field("mqtt", &self.mqtt)
            .finish_non_exhaustive()
    }
}

impl BrokerArguments {
    /// All that is needed to connect; reads the files that the options name.
    pub(crate) fn settings(
        &self,
        client_id: String,
        presence: Option<Presence>,
        verbose: bool,
    ) -> Result<Settings, Failure> {
        let Target { address, scheme, path, credentials } =
            broker_url(&self.broker).map_err(Failure::usage)?;
        let transport = self.transport(scheme, path)?;
        let credentials = match (&self.password_file, credentials) {
            (None, credentials) => credentials,
            (Some(_), None) => {
                return Err(Failure::usage(
                    "--password-file needs a user name: --broker mqtt://USER@HOST.",
                ));
            }
            (Some(_), Some(credentials)) if !credentials.password.is_empty() => {
                return Err(Failure::usage(
                    "The password is given twice, in --broker and with --password-file. \
                     Leave one of them out.",
                ));
            }
            (Some(file), Some(credentials)) => {
                Some(Credentials { password: password(file)?, ..credentials })
            }
        };
        let version = self.mqtt;
        Ok(Settings { address, transport, version, credentials, client_id, presence, verbose })
    }

    fn transport(&self, scheme: Scheme, path: String) -> Result<Transport, Failure> {
        let config = match scheme {
            Scheme::Mqtt | Scheme::Ws if self.ca_file.is_some() => {
                return Err(Failure::usage(
                    "--ca-file is of use with TLS only: --broker mqtts://HOST or wss://HOST.",
                ));
            }
            Scheme::Mqtt => return Ok(Transport::Tcp),
            Scheme::Ws => return Ok(Transport::WebSocket { path }),
            Scheme::Mqtts | Scheme::Wss => tls::client_config(self.ca_file.as_deref())?,
        };
        Ok(match scheme {
            Scheme::Wss => Transport::WebSocketTls { path, config },
            _ => Transport::Tls { config },
        })
    }
}

/// How bytes get to the broker; the first part of its URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Mqtt,
    Mqtts,
    Ws,
    Wss,
}

impl Scheme {
    fn of(text: &str) -> Option<Self> {
        match text {
            "mqtt" | "tcp" => Some(Self::Mqtt),
            "mqtts" | "ssl" | "tls" => Some(Self::Mqtts),
            "ws" => Some(Self::Ws),
            "wss" => Some(Self::Wss),
            _ => None,
        }
    }

    fn port_default(self) -> u16 {
        match self {
            Self::Mqtt => 1883,
            Self::Mqtts => 8883,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }

    fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }
}

/// What a broker's URL says.
struct Target {
    address: Address,
    scheme: Scheme,
    /// What a WebSocket asks for; without meaning for the other schemes.
    path: String,
    credentials: Option<Credentials>,
}

/// Takes a broker's URL apart. The reasons it gives never repeat the URL.
fn broker_url(text: &str) -> Result<Target, String> {
    const FORM: &str = "Write it as mqtt://USER@HOST:PORT, such as mqtt://127.0.0.1:1883.";
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("mqtt://{text}") };
    let url = Url::parse(&with_scheme).map_err(|error| {
        format!(
            "--broker is no URL: {error}. {FORM} Special characters of the user name and the \
             password are written as %XX."
        )
    })?;
    let Some(scheme) = Scheme::of(url.scheme()) else {
        return Err(format!(
            "--broker: {}:// is not known; mqtt, mqtts, ws and wss are. {FORM}",
            url.scheme()
        ));
    };
    let host = url.host_str().unwrap_or_default();
    if host.is_empty() {
        return Err(format!("--broker names no host. {FORM}"));
    }
    let port = url.port().unwrap_or(scheme.port_default());
    if port == 0 {
        return Err(format!("--broker: nothing listens on port 0. {FORM}"));
    }
    let has_path = !matches!(url.path(), "" | "/");
    if (has_path && !scheme.is_websocket()) || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("--broker has something after the host and the port. {FORM}"));
    }
    let path = if has_path { url.path() } else { WEBSOCKET_PATH }.to_owned();
    let decoded = |part: &str| {
        percent_decode_str(part).decode_utf8().map(|part| part.into_owned()).map_err(|_| {
            "--broker: the user name and the password must be UTF-8, written as %XX.".to_owned()
        })
    };
    let password = decoded(url.password().unwrap_or_default())?;
    let credentials = match decoded(url.username())? {
        user if !user.is_empty() => Some(Credentials { user, password }),
        _ if password.is_empty() => None,
        _ => return Err("--broker has a password but no user name.".to_owned()),
    };
    let address = Address { host: host.to_owned(), port };
    Ok(Target { address, scheme, path, credentials })
}

/// The first line of a file.
fn password(file: &Path) -> Result<String, Failure> {
    let shown = file.display();
    let text = fs::read_to_string(file).map_err(|error| {
        Failure::new(format!("Cannot read the password from {shown}: {error}."))
    })?;
    match text.lines().next() {
        None | Some("") => {
            Err(Failure::new(format!("There is no password in {shown}: its first line is empty.")))
        }
        Some(line) if line.len() > PASSWORD_BYTES_MAX => Err(Failure::new(format!(
            "The first line of {shown} is too long for a password: MQTT allows \
             {PASSWORD_BYTES_MAX} bytes."
        ))),
        Some(line) => Ok(line.to_owned()),
    }
}

/// The time between two rounds, from the command line.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text)
        .map_err(|_| "write a number and its unit, such as 500ms, 2s or 1m".to_owned())?;
    if (INTERVAL_MIN..=INTERVAL_MAX).contains(&interval) {
        Ok(interval)
    } else {
        let shortest = humantime::format_duration(INTERVAL_MIN);
        let longest = humantime::format_duration(INTERVAL_MAX);
        Err(format!("must be between {shortest} and {longest}"))
    }
}

/// A prefix is a topic name as it is: a person wrote it, so it is refused rather than changed.
pub(crate) fn prefix(text: &str) -> Result<String, String> {
    let prefix = text.strip_suffix('/').unwrap_or(text);
    if prefix.is_empty() {
        Err("must not be empty".to_owned())
    } else if prefix.contains(['+', '#']) {
        Err("must not contain `+` or `#`, which are wildcards".to_owned())
    } else if prefix.starts_with('$') {
        Err("must not begin with `$`: those topics are the broker's own".to_owned())
    } else if prefix.chars().any(char::is_control) {
        Err("must not contain control characters".to_owned())
    } else if prefix.len() > PREFIX_BYTES_MAX {
        Err(format!("must not be longer than {PREFIX_BYTES_MAX} bytes"))
    } else {
        Ok(prefix.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Host, port, user and password of a URL.
    fn parts(text: &str) -> (String, u16, String, String) {
        let Target { address, credentials, .. } = broker_url(text).unwrap();
        let (user, password) = credentials.map(|c| (c.user, c.password)).unwrap_or_default();
        (address.host, address.port, user, password)
    }

    #[test]
    fn broker_urls() {
        let cases = [
            ("mqtt://127.0.0.1:1884", ("127.0.0.1", 1884, "", "")),
            ("mqtt://localhost", ("localhost", 1883, "", "")),
            ("mqtt://localhost/", ("localhost", 1883, "", "")),
            ("tcp://broker.lan:1", ("broker.lan", 1, "", "")),
            ("broker.lan", ("broker.lan", 1883, "", "")),
            ("broker.lan:8000", ("broker.lan", 8000, "", "")),
            ("ana@broker.lan", ("broker.lan", 1883, "ana", "")),
            ("mqtt://ana:secret@[::1]:1885", ("[::1]", 1885, "ana", "secret")),
            ("mqtt://a%40b:p%2Fw%23%C3%B1@h", ("h", 1883, "a@b", "p/w#ñ")),
        ];
        for (text, (host, port, user, password)) in cases {
            let expected = (host.to_owned(), port, user.to_owned(), password.to_owned());
            assert_eq!(parts(text), expected, "{text}");
        }
    }

    #[test]
    fn broker_urls_that_make_no_sense_are_refused_without_repeating_the_password() {
        let cases = [
            ("mqtt://", "names no host"),
            ("mqtt://u:secret@", "is no URL"),
            ("mqtt://u:secret@h:0", "port 0"),
            ("mqtt://u:secret@h:99999", "invalid port number"),
            ("mqtt://u:secret@h:port", "invalid port number"),
            ("mqtt://u:secret@h/topic", "after the host"),
            ("mqtt://u:secret@h?x=1", "after the host"),
            ("mqtt://:secret@h", "no user name"),
            ("mqtt://u:secret%FF@h", "must be UTF-8"),
            ("mqtts://u:secret@h/topic", "after the host"),
            ("ws://u:secret@h/mqtt?x=1", "after the host"),
            ("http://u:secret@h", "http:// is not known"),
        ];
        for (text, reason) in cases {
            let Err(said) = broker_url(text) else { panic!("{text} was taken") };
            assert!(said.contains(reason), "{text}: {said}");
            assert!(!said.contains("secret"), "{text}: {said}");
        }
    }

    #[test]
    fn the_scheme_of_a_broker_url_says_how_to_get_there() {
        let cases = [
            ("mqtts://h", Scheme::Mqtts, 8883, "/mqtt"),
            ("ssl://h:1", Scheme::Mqtts, 1, "/mqtt"),
            ("ws://h", Scheme::Ws, 80, "/mqtt"),
            ("ws://h:9001/", Scheme::Ws, 9001, "/mqtt"),
            ("wss://h/broker/ws", Scheme::Wss, 443, "/broker/ws"),
            ("wss://ana:secret@[::1]:9001/a%20b", Scheme::Wss, 9001, "/a%20b"),
        ];
        for (text, scheme, port, path) in cases {
            let target = broker_url(text).unwrap_or_else(|reason| panic!("{text}: {reason}"));
            assert_eq!(target.scheme, scheme, "{text}");
            assert_eq!((target.address.port, target.path.as_str()), (port, path), "{text}");
        }
    }

    #[test]
    fn intervals() {
        let cases = [
            ("2s", Some(2_000)),
            ("500ms", Some(500)),
            ("250ms", Some(250)),
            ("1m", Some(60_000)),
            ("1m 30s", Some(90_000)),
            ("24h", Some(86_400_000)),
            ("2", None),
            ("", None),
            ("soon", None),
            ("-2s", None),
            ("0s", None),
            ("249ms", None),
            ("25h", None),
            ("99999999999999999999s", None),
        ];
        for (text, millis) in cases {
            let expected = millis.map(Duration::from_millis);
            assert_eq!(interval(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn prefixes() {
        let long = "x".repeat(PREFIX_BYTES_MAX + 1);
        let cases = [
            ("sensors", Some("sensors")),
            ("home/attic", Some("home/attic")),
            ("home/", Some("home")),
            ("casa/señal", Some("casa/señal")),
            ("", None),
            ("/", None),
            ("home/#", None),
            ("+/home", None),
            ("$SYS", None),
            ("nul\0", None),
            (&long, None),
        ];
        for (text, expected) in cases {
            assert_eq!(prefix(text).ok().as_deref(), expected, "{text}");
        }
    }
}
