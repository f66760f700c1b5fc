//! What the broker runs by: its configuration, and what the files that it names say.
//!
//! Settings are loaded as a whole, at the start and again on SIGHUP, and handed to the workers as a
//! whole: each holds a reference of its own, so that nothing is locked to look at them.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::access::{Acl, Identity, Rights, Users};
use crate::config::{Address, Config, Listener, Protocol};
use crate::net::tls::TlsServer;

/// All that a worker needs to know of what the broker was told.
#[derive(Debug)]
pub(crate) struct Settings {
    pub config: Config,
    /// Who comes in by each listener.
    guards: Vec<Guard>,
    /// The rights of who came in by a listener that is not there.
    nothing: Arc<Acl>,
    /// Stands for a listener that is not there, by which nobody comes in.
    nowhere: Listener,
}

impl Settings {
    /// Reads what the configuration names.
    ///
    /// # Errors
    /// A file can't be read or makes no sense: the broker is not to run with less than it was told.
    pub(crate) fn load(config: Config) -> Result<Self> {
        let guards = Guard::load_all(&config)?;
        Ok(Self {
            config,
            guards,
            nothing: Arc::default(),
            nowhere: Listener::new(Address::Loopback(0), Protocol::Mqtt),
        })
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

    /// The users who may come in by a listener; `None` if it has no password file.
    pub(crate) fn users(&self, listener: usize) -> Option<&Arc<Users>> {
        self.guards.get(listener)?.users.as_ref()
    }

    /// TLS on a listener, if it has it.
    pub(crate) fn tls(&self, listener: usize) -> Option<&TlsServer> {
        self.guards.get(listener)?.tls.as_ref()
    }

    /// What a client may do; `None` for everything.
    pub(crate) fn rights(&self, identity: &Arc<Identity>) -> Option<Rights> {
        let acl = match self.guards.get(identity.listener) {
            Some(guard) => guard.acl.as_ref()?,
            // Whoever writes the configuration says what crosses a bridge, and no ACL is asked.
            None if identity.listener == Identity::NO_LISTENER => return None,
            None => &self.nothing,
        };
        Some(acl.rights(identity))
    }
}

/// What the files say that guard one listener.
#[derive(Debug)]
struct Guard {
    tls: Option<TlsServer>,
    users: Option<Arc<Users>>,
    acl: Option<Arc<Acl>>,
}

impl Guard {
    /// The guards of all listeners; a file that several name is read once.
    fn load_all(config: &Config) -> Result<Vec<Self>> {
        let mut users = Loaded::new(Users::load);
        let mut acls = Loaded::new(Acl::load);
        let mut guards = Vec::new();
        for listener in &config.listeners {
            let access = &listener.access;
            let tls = listener.tls.as_ref().map(TlsServer::load).transpose();
            guards.push(Self {
                tls: tls.with_context(|| format!("the listener at {}", listener.address))?,
                users: users.get(access.password_file.as_deref())?,
                acl: acls.get(access.acl_file.as_deref())?,
            });
        }
        Ok(guards)
    }
}

/// Files that have been read, by their names.
struct Loaded<'a, T> {
    load: fn(&Path) -> Result<T>,
    files: Vec<(&'a Path, Arc<T>)>,
}

impl<'a, T> Loaded<'a, T> {
    fn new(load: fn(&Path) -> Result<T>) -> Self {
        Self { load, files: Vec::new() }
    }

    fn get(&mut self, path: Option<&'a Path>) -> Result<Option<Arc<T>>> {
        let Some(path) = path else { return Ok(None) };
        if let Some((_, loaded)) = self.files.iter().find(|(known, _)| *known == path) {
            return Ok(Some(Arc::clone(loaded)));
        }
        let loaded = Arc::new((self.load)(path)?);
        self.files.push((path, Arc::clone(&loaded)));
        Ok(Some(loaded))
    }
}
