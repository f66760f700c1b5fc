//! What a configuration holds, whether it came from a file, from the command line, or from nowhere.
//!
//! The language is Mosquitto's: [`mod@file`] reads its lines, [`words`] is the table of all its words. Here
//! stands what they fill, as plain data: nothing is opened or listened on, and no file that the
//! configuration names has been read.

pub(crate) mod bridge;
mod file;
pub(crate) mod listener;
mod log;
mod words;

use std::path::PathBuf;

use crate::limits::Limits;

pub(crate) use bridge::Bridge;
pub(crate) use file::{FromFile, MQTT_PORT, read};
pub(crate) use listener::{Access, Address, Listener, Protocol, Tls};
pub(crate) use log::{Destination, Format, Log, LogTypes};

/// Everything that the broker is told before it starts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    /// Where it listens, in the order of the file.
    pub listeners: Vec<Listener>,
    /// Whether each listener has users and rights of its own.
    pub per_listener_settings: bool,
    pub bridges: Vec<Bridge>,
    pub log: Log,
    pub limits: Limits,
    pub rules: Rules,
    pub persistence: Persistence,
    /// Seconds between two rounds of `$SYS`; 0 for none at all.
    pub sys_interval_s: u32,
    pub pid_file: Option<PathBuf>,
    /// The user to become when started by root.
    pub user: Option<String>,
    /// Whether `/metrics` is answered to other machines too; this one may always ask.
    pub public_metrics: bool,
}

/// How messages and sessions are treated, where Mosquitto leaves a choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Whether QoS 0 waits for a client that is away.
    pub queue_qos0_messages: bool,
    /// Whether a message is sent with the QoS of the subscription, even if it was published with less.
    pub upgrade_outgoing_qos: bool,
    pub retain_available: bool,
    /// Whether a retained message is only sent if who published it still has the right to.
    pub check_retain_source: bool,
    /// How a client identifier must begin.
    pub clientid_prefix: Option<String>,
    /// The longest Keep Alive in seconds; a client of MQTT 5.0 that wants a longer one is told so.
    pub max_keepalive_s: u16,
    /// The longest that a session outlives its connection, in seconds.
    pub persistent_client_expiration_s: Option<u32>,
    /// How long a retained message is kept, in seconds.
    pub retain_expiry_s: Option<u32>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            queue_qos0_messages: false,
            upgrade_outgoing_qos: false,
            retain_available: true,
            check_retain_source: true,
            clientid_prefix: None,
            max_keepalive_s: u16::MAX,
            persistent_client_expiration_s: None,
            retain_expiry_s: None,
        }
    }
}

/// What is kept on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Persistence {
    pub enabled: bool,
    /// The folder in which the store is; `None` for the user's own folder of such things.
    pub location: Option<PathBuf>,
    /// Whether it was asked for, and is not only what is best where nothing is said.
    pub is_asked_for: bool,
    /// The folder of the store itself, once that is settled; `None` if there is none.
    pub folder: Option<PathBuf>,
    pub durability: Durability,
}

/// What has happened to a change when it is acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It is in memory.
    None,
    /// It is with the operating system, and outlives the broker.
    #[default]
    Os,
    /// It is on the disk, and outlives a power failure.
    Fsync,
}

impl Default for Config {
    /// What holds without a file: no listener yet, and everything else as Mosquitto has it.
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            per_listener_settings: false,
            bridges: Vec::new(),
            log: Log::default(),
            limits: Limits::default(),
            rules: Rules::default(),
            persistence: Persistence::default(),
            sys_interval_s: 10,
            pid_file: None,
            user: None,
            public_metrics: false,
        }
    }
}
