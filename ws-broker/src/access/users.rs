//! A password file: who may come in, and what their passwords are recognised by.
//!
//! A line is `name:hash`. Lines that are empty or begin with `#` are passed over, and so, with a warning,
//! is every line that makes no sense, as in Mosquitto: its user does not come in, all others do.

use std::path::Path;

use anyhow::{Context, Result};
use hashbrown::HashMap;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha512};

use super::password::{DIGEST_LEN, Hash, PBKDF2_ITERATIONS};
use super::scram::Credentials;
use crate::limits;

/// The users of a password file.
#[derive(Debug)]
pub(crate) struct Users {
    by_name: HashMap<Box<str>, Hash>,
    /// The names in order of the file, of which one stands in for a user that is not there.
    names: Vec<Box<str>>,
    /// What strangers can't know, and is the same for as long as the file is.
    secret: [u8; DIGEST_LEN],
}

/// A line that was passed over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Skipped {
    pub line: usize,
    pub why: String,
}

impl Users {
    /// Reads a password file.
    ///
    /// # Errors
    /// It can't be read.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let file = path.display();
        let bytes = std::fs::read(path)
            .with_context(|| format!("the password file {file} can't be read"))?;
        let (users, skipped) = Self::parse(&bytes);
        for Skipped { line, why } in skipped {
            tracing::warn!("Line {line} of the password file {file} is passed over: {why}.");
        }
        if users.by_name.is_empty() {
            tracing::warn!("The password file {file} holds no users: nobody comes in by name.");
        }
        Ok(users)
    }

    /// The users of a file with these bytes, and the lines that make no sense.
    pub(crate) fn parse(bytes: &[u8]) -> (Self, Vec<Skipped>) {
        let mut users = Self {
            by_name: HashMap::new(),
            names: Vec::new(),
            secret: Sha512::digest(bytes).into(),
        };
        let mut skipped = Vec::new();
        for (line, bytes) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
            match parse_line(bytes) {
                Ok(None) => {}
                Ok(Some((name, hash))) => {
                    if users.by_name.insert(name.into(), hash).is_none() {
                        users.names.push(name.into());
                    }
                }
                Err(why) => skipped.push(Skipped { line, why }),
            }
        }
        (users, skipped)
    }

    /// Whether this is the user's password. It takes as long for a user that is not there as for one
    /// that is, so run it where nobody waits for it.
    pub(crate) fn has(&self, name: &str, password: &[u8]) -> bool {
        match self.by_name.get(name) {
            Some(hash) => hash.is_of(password),
            None => {
                if let Some(hash) = self.stand_in(name) {
                    hash.is_of(password);
                }
                false
            }
        }
    }

    /// What a SCRAM exchange with this user goes by. For a user that is not there, or whose hash is of
    /// another kind, it is made up, and the same each time (RFC 5802 §9).
    pub(crate) fn scram(&self, name: &str) -> Credentials {
        match self.by_name.get(name) {
            Some(Hash::Pbkdf2 { iterations, salt, digest }) => {
                Credentials::new(*iterations, salt, digest)
            }
            _ => {
                let digest = self.keyed(name);
                let (iterations, salt_len) = match self.stand_in(name) {
                    Some(Hash::Pbkdf2 { iterations, salt, .. }) => (*iterations, salt.len()),
                    _ => (PBKDF2_ITERATIONS, super::password::SALT_LEN),
                };
                let salt = digest.get(..salt_len).unwrap_or(&digest);
                Credentials::unknown(iterations, salt)
            }
        }
    }

    /// The hash of the user that stands in for one that is not there: always the same for a name, so
    /// that neither the time it takes nor its parameters tell that name from the others.
    fn stand_in(&self, name: &str) -> Option<&Hash> {
        let digest = self.keyed(name);
        let number = digest.last_chunk().map_or(0, |last| u64::from_le_bytes(*last));
        let turn = usize::try_from(number).unwrap_or(0).checked_rem(self.names.len())?;
        self.by_name.get(self.names.get(turn)?)
    }

    fn keyed(&self, name: &str) -> [u8; DIGEST_LEN] {
        // A key of any length is one that HMAC takes.
        Hmac::<Sha512>::new_from_slice(&self.secret).map_or([0; DIGEST_LEN], |mut hmac| {
            hmac.update(name.as_bytes());
            hmac.finalize().into_bytes().into()
        })
    }
}

/// The user on a line, if there is one.
fn parse_line(line: &[u8]) -> Result<Option<(&str, Hash)>, String> {
    let line = str::from_utf8(line).map_err(|_| String::from("it is no UTF-8"))?;
    if line.starts_with('#') || line.trim().is_empty() {
        return Ok(None);
    }
    let (name, hash) = line.split_once(':').ok_or("it is not of the form name:hash")?;
    let (name, hash) = (name.trim(), hash.trim());
    if name.is_empty() {
        return Err("it has no user name".into());
    }
    if name.len() > limits::CREDENTIAL_BYTES_MAX {
        return Err("its user name is longer than MQTT has them".into());
    }
    let hash = Hash::parse(hash).map_err(|why| format!("for the user {name} it has {why}"))?;
    Ok(Some((name, hash)))
}
