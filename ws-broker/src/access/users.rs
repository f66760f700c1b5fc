//! A password file: who may come in, and what their passwords are recognised by.
//!
//! A line is `name:hash`. Lines that are empty or begin with `#` are passed over, and so, with a warning,
//! is every line that makes no sense, as in Mosquitto: its user does not come in, all others do.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, Result};
use hashbrown::HashMap;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha512};

use super::password::{DIGEST_LEN, Hash, PBKDF2_ITERATIONS, SALT_LEN};
use super::scram::Credentials;
use crate::limits;

/// The bit of a file's mode that lets everybody read it.
const WORLD_READABLE: u32 = 0o004;

/// The users of a password file.
#[derive(Debug)]
pub(crate) struct Users {
    by_name: HashMap<Box<str>, Hash>,
    /// The names in order of the file, of which one stands in for a user that is not there.
    names: Vec<Box<str>>,
    /// Iterations and salt length of those hashes that SCRAM can go by.
    scram_costs: Vec<(u32, usize)>,
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
        let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
        if mode & WORLD_READABLE != 0 {
            tracing::warn!("The password file {file} can be read by every user of this machine.");
        }
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
            scram_costs: Vec::new(),
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
        let hashes = users.names.iter().filter_map(|name| users.by_name.get(name));
        let cost = |hash: &Hash| match hash {
            Hash::Pbkdf2 { iterations, salt, .. } => Some((*iterations, salt.len())),
            _ => None,
        };
        users.scram_costs = hashes.filter_map(cost).collect();
        (users, skipped)
    }

    /// Whether this is the user's password. It takes as long for a user that is not there as for one
    /// that is, so run it where nobody waits for it.
    pub(crate) fn has(&self, name: &str, password: &[u8]) -> bool {
        match self.by_name.get(name) {
            Some(hash) => hash.is_of(password),
            None => {
                let stand_in = self.stand_in(name, &self.names);
                if let Some(hash) = stand_in.and_then(|name| self.by_name.get(name)) {
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
                let stand_in = self.stand_in(name, &self.scram_costs).copied();
                let (iterations, salt_len) = stand_in.unwrap_or((PBKDF2_ITERATIONS, SALT_LEN));
                let digest = self.keyed(name);
                Credentials::unknown(iterations, digest.get(..salt_len).unwrap_or(&digest))
            }
        }
    }

    /// Which of these stands in for a user that is not there: always the same for a name, so that neither
    /// the time it takes nor its parameters tell that name from the others.
    fn stand_in<'a, T>(&self, name: &str, all: &'a [T]) -> Option<&'a T> {
        let digest = self.keyed(name);
        let number = digest.last_chunk().map_or(0, |last| u64::from_le_bytes(*last));
        all.get(usize::try_from(number).unwrap_or(0).checked_rem(all.len())?)
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

#[cfg(test)]
mod tests {
    use super::super::password::Method;
    use super::*;

    fn line(name: &str, method: Method, password: &str) -> String {
        format!("{name}:{}", Hash::new(method, password.as_bytes()).unwrap())
    }

    const CHEAP: Method = Method::Pbkdf2 { iterations: 3 };

    #[test]
    fn a_file_holds_its_users_and_passes_over_the_rest() {
        let one = line("one", CHEAP, "first");
        let again = line("one", Method::Sha512, "second");
        let two = line("two", Method::Sha512, "pass:word");
        let text = format!("# a\r\n\n{one}\r\n{again}\n  two  : {}\nbad\n:x\nx:y", &two[4..]);
        let (users, skipped) = Users::parse(&[text.as_bytes(), b"\n\xff:x"].concat());
        let lines: Vec<_> = skipped.iter().map(|skipped| skipped.line).collect();
        assert_eq!(lines, [6, 7, 8, 9], "{skipped:?}");
        for (name, password, has) in [
            ("one", "second", true),
            ("one", "first", false),
            ("two", "pass:word", true),
            ("two", "", false),
            ("three", "second", false),
            ("", "", false),
            ("# a", "", false),
        ] {
            assert_eq!(users.has(name, password.as_bytes()), has, "{name} {password}");
        }
        let (nobody, _) = Users::parse(b"");
        assert!(!nobody.has("one", b"second"));
    }

    #[test]
    fn a_user_who_is_not_there_costs_what_one_costs_who_is() {
        let text = [
            line("one", Method::Pbkdf2 { iterations: 5 }, "secret"),
            line("two", Method::Pbkdf2 { iterations: 7 }, "secret"),
            line("old", Method::Sha512, "secret"),
        ];
        let (users, _) = Users::parse(text.join("\n").as_bytes());
        for stranger in ["a", "b", "c", "d", "old"] {
            let shown = |users: &Users| {
                let begun = super::super::scram::Exchange::begin(
                    format!("n,,n={stranger},r=12345678").as_bytes(),
                    "nonce",
                    |name| users.scram(name),
                );
                begun.unwrap().1
            };
            let answer = shown(&users);
            assert!(answer.ends_with(",i=5") || answer.ends_with(",i=7"), "{answer}");
            let (again, _) = Users::parse(text.join("\n").as_bytes());
            assert_eq!(shown(&again), answer, "it is the same after a restart");
        }
    }
}
