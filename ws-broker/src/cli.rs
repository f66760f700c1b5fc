//! The command line, with Mosquitto's words where Mosquitto has them, and what comes of it together with
//! the configuration file.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Parser;

use crate::config::{
    self, Access, Address, Config, Durability, FromFile, Listener, LogTypes, MQTT_PORT, Protocol,
};
use crate::{import, process, store};

/// The port of MQTT over WebSocket, and of the dashboard.
const DASHBOARD_PORT: u16 = 9001;

/// Ports that the command line may name, as in Mosquitto.
const PORTS_MAX: usize = 10;

/// An MQTT broker that serves its own dashboard.
///
/// It speaks MQTT 3.1, 3.1.1 and 5.0 over TCP and, on the WebSocket port, over WebSocket; a browser
/// that opens http://localhost:9001 sees every sensor. Without a configuration only programs on this
/// machine can connect.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "ws-broker",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true
)]
pub(crate) struct Cli {
    /// Read this configuration file, which is written like a mosquitto.conf
    #[arg(short, long = "config-file", value_name = "FILE")]
    config: Option<PathBuf>,

    /// Listen for MQTT over TCP on this port of this machine [default: 1883]; may be given several
    /// times, and counts only where the configuration file opens no listener
    #[arg(short, long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Vec<u16>,

    /// Serve MQTT over WebSocket, and the dashboard, on this port of this machine [default: 9001,
    /// unless the configuration file opens a listener for WebSocket]
    #[arg(long, value_name = "PORT")]
    ws_port: Option<u16>,

    /// Go on in the background
    #[arg(short, long)]
    pub daemon: bool,

    /// Log all there is to say
    #[arg(short, long)]
    pub verbose: bool,

    /// Say whether the configuration makes sense, and end
    #[arg(long)]
    pub test_config: bool,

    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program does instead of being a broker.
#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
    /// Manage a password file, as mosquitto_passwd does
    #[command(disable_help_flag = true)]
    Passwd {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Take over what Mosquitto has saved: sessions, subscriptions, messages that wait, retained messages
    Import(import::Arguments),
}

/// The command line of this process.
///
/// # Errors
/// It makes no sense, or asks for help or the version.
pub(crate) fn parse() -> Result<Cli, clap::Error> {
    let cli = Cli::try_parse()?;
    if cli.port.len() > PORTS_MAX {
        let why = format!("only {PORTS_MAX} ports can be specified on the command line\n");
        return Err(clap::Error::raw(clap::error::ErrorKind::TooManyValues, why));
    }
    Ok(cli)
}

/// The configuration of a broker that is started with this file, or with none.
///
/// # Errors
/// The file can't be read or makes no sense.
pub(crate) fn load(config: Option<PathBuf>) -> Result<Loaded> {
    let cli = Cli {
        config,
        port: Vec::new(),
        ws_port: None,
        daemon: false,
        verbose: false,
        test_config: false,
        command: None,
    };
    cli.load()
}

/// A configuration, and what there is to say about it.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub config: Config,
    pub notes: Vec<String>,
}

impl Cli {
    /// The configuration that the command line and the file that it names make together.
    ///
    /// # Errors
    /// The file can't be read or makes no sense.
    pub(crate) fn load(&self) -> Result<Loaded> {
        let from_file = match &self.config {
            Some(path) => config::read(path)?,
            None => FromFile::none(),
        };
        let FromFile { mut config, mut notes, loopback, dashboard_port } = from_file;
        if self.verbose {
            config.log.types = LogTypes::ALL;
        }
        let opens_none = config.listeners.is_empty();
        if opens_none {
            let default = [MQTT_PORT];
            let ports = if self.port.is_empty() { &default[..] } else { &self.port };
            for port in ports {
                let address = Address::Loopback(*port);
                config.listeners.push(Listener { address, ..loopback.clone() });
            }
        } else if !self.port.is_empty() {
            notes
                .push("-p has no effect: the configuration file opens listeners of its own".into());
        }
        let asked_for = self.ws_port.or(dashboard_port);
        let has_http = config.listeners.iter().any(|listener| listener.protocol == Protocol::Http);
        match asked_for {
            Some(0) => {}
            None if has_http => {}
            port => match dashboard_access(&config, &loopback.access) {
                Ok(access) => {
                    let address = Address::Loopback(port.unwrap_or(DASHBOARD_PORT));
                    let mut listener = Listener::new(address, Protocol::Http);
                    listener.access = access.clone();
                    listener.is_optional = port.is_none();
                    config.listeners.push(listener);
                }
                Err(why) if port.is_some() => bail!("the dashboard gets no port of its own: {why}"),
                Err(why) => notes.push(format!("The dashboard is not served: {why}")),
            },
        }
        // Without a file what was acknowledged is kept; with one, that is what it says, as in Mosquitto.
        let port = if self.config.is_none() { Some(first_port(&config)) } else { None };
        config.persistence.enabled |= self.config.is_none();
        if config.persistence.enabled && config.persistence.durability != Durability::None {
            match store_folder(&config, port) {
                Ok(folder) => config.persistence.folder = Some(folder),
                Err(error) if config.persistence.is_asked_for => return Err(error),
                Err(error) => notes.push(format!("Nothing is kept on disk: {error:#}")),
            }
        }
        Ok(Loaded { config, notes })
    }

    /// The name of the configuration file, as it is logged.
    pub(crate) fn config_file(&self) -> Option<String> {
        self.config.as_ref().map(|path| path.display().to_string())
    }
}

/// The port by which a broker is told apart from others that were told nothing else.
fn first_port(config: &Config) -> u16 {
    config.listeners.first().map_or(MQTT_PORT, |listener| match listener.address {
        Address::Loopback(port) => port,
        _ => MQTT_PORT,
    })
}

/// The folder of the store.
fn store_folder(config: &Config, port: Option<u16>) -> Result<PathBuf> {
    match &config.persistence.location {
        Some(location) => Ok(store::home::within(location)),
        None => store::home::by_itself(process::is_root(), port),
    }
}

/// Who may use the dashboard where the file does not open a listener for it: those who may come in by
/// a listener that it does open. Where that can't be said, nobody may.
fn dashboard_access<'a>(
    config: &'a Config,
    loopback: &'a Access,
) -> Result<&'a Access, &'static str> {
    if config.per_listener_settings {
        return Err("each listener has settings of its own, so add one with protocol websockets");
    }
    let is_open = |listener: &Listener| {
        let needs_certificate = listener
            .tls
            .as_ref()
            .is_some_and(|tls| tls.require_certificate || tls.username.is_some());
        let is_plain = !needs_certificate
            && listener.mount_point.is_none()
            && listener.proxy_protocol.is_none()
            && !listener.use_username_as_clientid;
        is_plain && !matches!(listener.address, Address::Unix(_))
    };
    if config.listeners.iter().any(is_open) {
        Ok(loopback)
    } else {
        Err("no listener lets clients in by user name alone, so add one with protocol websockets")
    }
}
