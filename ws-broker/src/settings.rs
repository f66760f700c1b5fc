//! What the broker runs by: its configuration, and what the files that it names say.
//!
//! Settings are loaded as a whole, at the start and again on SIGHUP, and handed to the workers as a
//! whole: each holds a reference of its own, so that nothing is locked to look at them.

use anyhow::{Result, bail};

use crate::config::{Address, Config, Listener, Protocol};

/// All that a worker needs to know of what the broker was told.
#[derive(Debug)]
pub(crate) struct Settings {
    pub config: Config,
    /// Stands for a listener that is not there, by which nobody comes in.
    nowhere: Listener,
}

impl Settings {
    /// Reads what the configuration names.
    ///
    /// # Errors
    /// A file can't be read or makes no sense: the broker is not to run with less than it was told.
    pub(crate) fn load(config: Config) -> Result<Self> {
        for listener in &config.listeners {
            let access = &listener.access;
            if listener.tls.is_some() || access.password_file.is_some() || access.acl_file.is_some()
            {
                bail!("TLS, password_file and acl_file can't be used yet");
            }
        }
        Ok(Self { config, nowhere: Listener::new(Address::Loopback(0), Protocol::Mqtt) })
    }

    /// The settings after a reload: what listeners and bridges there are stays as it was, and of the
    /// listeners only who may come in is new.
    ///
    /// # Errors
    /// As for [`Settings::load`]; then the old settings stay in force.
    pub(crate) fn reload(&self, mut config: Config) -> Result<Self> {
        let mut listeners = self.config.listeners.clone();
        for listener in &mut listeners {
            let new = config.listeners.iter().find(|new| new.address == listener.address);
            if let Some(new) = new {
                listener.access = new.access.clone();
            }
        }
        config.listeners = listeners;
        config.bridges.clone_from(&self.config.bridges);
        Self::load(config)
    }

    /// The listener of this number.
    pub(crate) fn listener(&self, number: usize) -> &Listener {
        self.config.listeners.get(number).unwrap_or(&self.nowhere)
    }
}
