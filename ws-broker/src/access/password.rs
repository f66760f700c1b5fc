//! Hashes of passwords, as a password file holds them.
//!
//! | begins with | is |
//! |---|---|
//! | `$6$` | SHA-512 over password and salt, once: `$6$salt$hash` |
//! | `$7$` | PBKDF2 with HMAC-SHA-512: `$7$iterations$salt$hash` |
//! | `$argon2id$` | Argon2id as a PHC string: `$argon2id$v=19$m=…,t=…,p=…$salt$hash` |
//!
//! Salt and hash are written in Base64, in a PHC string without padding.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq as _;

use crate::limits;

/// Bytes of a SHA-512.
pub(crate) const DIGEST_LEN: usize = 64;

/// Bytes of the salt of a new hash, which is what every Mosquitto reads.
pub(super) const SALT_LEN: usize = 12;

/// Bytes of the salts that are read: those that one version of Mosquitto or another writes.
const SALT_LENS: std::ops::RangeInclusive<usize> = 12..=64;

/// Iterations of a new PBKDF2 hash: enough for SCRAM, which asks for 4,096 at least (RFC 7677 §4), and
/// few enough that a fleet of devices can come back at once.
pub(crate) const PBKDF2_ITERATIONS: u32 = 10_000;

/// Memory in KiB, passes and lanes of a new Argon2id hash.
const ARGON2_COST: (u32, u32, u32) = (19 * 1024, 2, 1);

/// Bytes of a new Argon2id hash and its salt.
const ARGON2_LENS: (usize, usize) = (32, 16);

/// How a new password is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Sha512,
    Pbkdf2 { iterations: u32 },
    Argon2id,
}

/// What is kept of a password: enough to recognise it.
#[derive(Clone, PartialEq)]
pub(crate) enum Hash {
    Sha512 { salt: Box<[u8]>, digest: [u8; DIGEST_LEN] },
    Pbkdf2 { iterations: u32, salt: Box<[u8]>, digest: [u8; DIGEST_LEN] },
    Argon2id { version: Version, params: Params, salt: Box<[u8]>, digest: Box<[u8]> },
}

/// Why a text is no hash of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoHash {
    /// There is a password where its hash belongs.
    #[error("a password that is not hashed; `ws-broker passwd -U` hashes it")]
    Plain,
    /// It is hashed in a way that is not known.
    #[error("a hash of a kind that is not known")]
    Kind,
    /// A part is missing, or one is too many.
    #[error("a hash that is not whole")]
    Parts,
    /// The salt can't be decoded, or has a length that no tool writes.
    #[error("a salt that can't be decoded")]
    Salt,
    /// The hash can't be decoded, or has a length that no tool writes.
    #[error("a hash that can't be decoded")]
    Digest,
    /// The parameters make no sense, or ask for more than a check may cost.
    #[error("a hash whose parameters make no sense or cost too much")]
    Cost,
}

impl Hash {
    /// Hashes a password with a new salt.
    ///
    /// # Errors
    /// The operating system gives no random bytes.
    pub(crate) fn new(method: Method, password: &[u8]) -> Result<Self, getrandom::Error> {
        let salt_len = if method == Method::Argon2id { ARGON2_LENS.1 } else { SALT_LEN };
        let mut salt = vec![0; salt_len].into_boxed_slice();
        getrandom::fill(&mut salt)?;
        let mut hash = match method {
            Method::Sha512 => Self::Sha512 { salt, digest: [0; DIGEST_LEN] },
            Method::Pbkdf2 { iterations } => {
                Self::Pbkdf2 { iterations, salt, digest: [0; DIGEST_LEN] }
            }
            Method::Argon2id => {
                let (memory, passes, lanes) = ARGON2_COST;
                let params = Params::new(memory, passes, lanes, Some(ARGON2_LENS.0));
                Self::Argon2id {
                    version: Version::V0x13,
                    params: params.unwrap_or_default(),
                    salt,
                    digest: vec![0; ARGON2_LENS.0].into(),
                }
            }
        };
        let computed = hash.compute(password);
        match &mut hash {
            Self::Sha512 { digest, .. } | Self::Pbkdf2 { digest, .. } => {
                digest.copy_from_slice(&computed);
            }
            Self::Argon2id { digest, .. } => *digest = computed,
        }
        Ok(hash)
    }

    /// Reads a hash as a password file holds it.
    pub(crate) fn parse(text: &str) -> Result<Self, NoHash> {
        let Some(rest) = text.strip_prefix('$') else { return Err(NoHash::Plain) };
        let parts: Vec<&str> = rest.split('$').collect();
        match *parts.as_slice() {
            ["6", salt, digest] => {
                Ok(Self::Sha512 { salt: parse_salt(salt)?, digest: parse_digest(digest)? })
            }
            ["7", iterations, salt, digest] => {
                let iterations = iterations.parse().map_err(|_| NoHash::Cost)?;
                if iterations == 0 || iterations > limits::PBKDF2_ITERATIONS_MAX {
                    return Err(NoHash::Cost);
                }
                let (salt, digest) = (parse_salt(salt)?, parse_digest(digest)?);
                Ok(Self::Pbkdf2 { iterations, salt, digest })
            }
            ["argon2id", version, cost, salt, digest] => {
                let version = match version {
                    "v=19" => Version::V0x13,
                    "v=16" => Version::V0x10,
                    _ => return Err(NoHash::Cost),
                };
                parse_argon2id(version, cost, salt, digest)
            }
            ["argon2id", cost, salt, digest] => parse_argon2id(Version::V0x10, cost, salt, digest),
            ["6" | "7" | "argon2id", ..] => Err(NoHash::Parts),
            _ => Err(NoHash::Kind),
        }
    }

    /// Whether this is the hash of `password`. It takes its time, which does not depend on the answer.
    pub(crate) fn is_of(&self, password: &[u8]) -> bool {
        let digest: &[u8] = match self {
            Self::Sha512 { digest, .. } | Self::Pbkdf2 { digest, .. } => digest,
            Self::Argon2id { digest, .. } => digest,
        };
        self.compute(password).ct_eq(digest).into()
    }

    fn compute(&self, password: &[u8]) -> Box<[u8]> {
        match self {
            Self::Sha512 { salt, .. } => {
                Sha512::new().chain_update(password).chain_update(salt).finalize().as_slice().into()
            }
            Self::Pbkdf2 { iterations, salt, .. } => {
                let mut digest = vec![0; DIGEST_LEN];
                pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, *iterations, &mut digest);
                digest.into()
            }
            Self::Argon2id { version, params, salt, digest } => {
                let argon2 = Argon2::new(Algorithm::Argon2id, *version, params.clone());
                let mut computed = vec![0; digest.len()];
                match argon2.hash_password_into(password, salt, &mut computed) {
                    Ok(()) => computed.into(),
                    // Without the memory for it nothing is recognised: no hash is as short as this.
                    Err(_) => Box::default(),
                }
            }
        }
    }
}

fn parse_salt(text: &str) -> Result<Box<[u8]>, NoHash> {
    let salt = BASE64_STANDARD.decode(text).map_err(|_| NoHash::Salt)?;
    if SALT_LENS.contains(&salt.len()) { Ok(salt.into()) } else { Err(NoHash::Salt) }
}

fn parse_digest(text: &str) -> Result<[u8; DIGEST_LEN], NoHash> {
    let digest = BASE64_STANDARD.decode(text).map_err(|_| NoHash::Digest)?;
    digest.try_into().map_err(|_| NoHash::Digest)
}

fn parse_argon2id(version: Version, cost: &str, salt: &str, digest: &str) -> Result<Hash, NoHash> {
    let salt = BASE64_STANDARD_NO_PAD.decode(salt).map_err(|_| NoHash::Salt)?;
    let digest = BASE64_STANDARD_NO_PAD.decode(digest).map_err(|_| NoHash::Digest)?;
    if !(argon2::MIN_SALT_LEN..=*SALT_LENS.end()).contains(&salt.len()) {
        return Err(NoHash::Salt);
    }
    // A hash of a few bytes is guessed, not known.
    if !(16..=DIGEST_LEN).contains(&digest.len()) {
        return Err(NoHash::Digest);
    }
    let (mut memory, mut passes, mut lanes) = (None, None, None);
    for part in cost.split(',') {
        let (name, value) = part.split_once('=').ok_or(NoHash::Cost)?;
        let value: u32 = value.parse().map_err(|_| NoHash::Cost)?;
        match name {
            "m" => memory = Some(value),
            "t" => passes = Some(value),
            "p" => lanes = Some(value),
            _ => return Err(NoHash::Cost),
        }
    }
    let (Some(memory), Some(passes), Some(lanes)) = (memory, passes, lanes) else {
        return Err(NoHash::Cost);
    };
    if memory > limits::ARGON2_KIB_MAX || passes > limits::ARGON2_PASSES_MAX {
        return Err(NoHash::Cost);
    }
    let params = Params::new(memory, passes, lanes, Some(digest.len()));
    Ok(Hash::Argon2id {
        version,
        params: params.map_err(|_| NoHash::Cost)?,
        salt: salt.into(),
        digest: digest.into(),
    })
}

/// As it stands in a password file.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let padded = |bytes| BASE64_STANDARD.encode(bytes);
        let bare = |bytes| BASE64_STANDARD_NO_PAD.encode(bytes);
        match self {
            Self::Sha512 { salt, digest } => {
                write!(f, "$6${}${}", padded(&**salt), padded(digest))
            }
            Self::Pbkdf2 { iterations, salt, digest } => {
                write!(f, "$7${iterations}${}${}", padded(&**salt), padded(digest))
            }
            Self::Argon2id { version, params, salt, digest } => write!(
                f,
                "$argon2id$v={}$m={},t={},p={}${}${}",
                u32::from(*version),
                params.m_cost(),
                params.t_cost(),
                params.p_cost(),
                bare(&**salt),
                bare(&**digest)
            ),
        }
    }
}

/// Its kind, and nothing that would help to find the password.
impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha512 { .. } => "Hash::Sha512",
            Self::Pbkdf2 { .. } => "Hash::Pbkdf2",
            Self::Argon2id { .. } => "Hash::Argon2id",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by Mosquitto's tool, by Python's hashlib and by the argon2 program.
    const MADE_ELSEWHERE: [(&str, &str); 4] = [
        (
            "secret",
            "$6$Ev8AdQyq3PWh25RA$C23twjpjHBticR4geW+hfq7+Kb8/ztItmlGwzpA++jN0/3tJHGCIpdtc3KxEzvMweqDKjDbPUoXVOkuY09xfVw==",
        ),
        (
            "secret",
            "$7$101$ccz7R2357R5F/tUP$PBM/pPlSFycXikqQjfk4rN/AECPL+X8akJvkPyewQ4MVY73y6N/WhOcaQSuaqM2besHp0+K/hA7VRF+jDUSmEA==",
        ),
        (
            "secret",
            "$7$1000$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==$j5aX3DstWRgO5cjjfvKvsf7Z/KK812T4wGDMih+DCHQg8P7++fmj4sZcMp1smkEafZL0QZ29tE5ezahL/nyffw==",
        ),
        (
            "secret",
            "$argon2id$v=19$m=64,t=2,p=2$qG4yO0IzomKOzbAmto6Payq9CInrX0DBaSuW4xuThRsD+/19VtAW/3Yl5NO9ydhN8Wb802q8Vz93VwIkuMFP2Q$RjNvSvfO1y3H+98NjH0rjcfAARW/JpzLeQAGUl5c5DeOZe2QlFmEZBbY78DmCAAFhjUoFJqIXARHrYDPRvyXwQ",
        ),
    ];

    #[test]
    fn hashes_that_other_tools_made_know_their_password() {
        for (password, text) in MADE_ELSEWHERE {
            let hash = Hash::parse(text).unwrap();
            assert!(hash.is_of(password.as_bytes()), "{text}");
            for other in ["", "Secret", "secret ", "secre"] {
                assert!(!hash.is_of(other.as_bytes()), "{text} is of {other:?}");
            }
            assert_eq!(hash.to_string(), text, "it is written as it was read");
        }
    }

    #[test]
    fn a_new_hash_knows_its_password_and_has_a_salt_of_its_own() {
        let methods = [Method::Sha512, Method::Pbkdf2 { iterations: 7 }, Method::Argon2id];
        for method in methods {
            let one = Hash::new(method, b"p\xc3\xa4ss: word").unwrap();
            let other = Hash::new(method, b"p\xc3\xa4ss: word").unwrap();
            assert_ne!(one.to_string(), other.to_string());
            let read = Hash::parse(&one.to_string()).unwrap();
            assert_eq!(read, one);
            assert!(read.is_of(b"p\xc3\xa4ss: word"));
            assert!(!read.is_of(b"p\xc3\xa4ss:"));
        }
    }

    #[test]
    fn what_is_no_hash_is_told_by_what_is_wrong_with_it() {
        let digest = BASE64_STANDARD.encode([7; DIGEST_LEN]);
        let short = BASE64_STANDARD.encode([7; 63]);
        let salt = BASE64_STANDARD.encode([9; SALT_LEN]);
        let cases = [
            (String::new(), NoHash::Plain),
            ("secret".into(), NoHash::Plain),
            ("$".into(), NoHash::Kind),
            ("$6".into(), NoHash::Parts),
            ("$6$".into(), NoHash::Parts),
            (format!("$6${salt}"), NoHash::Parts),
            (format!("$6${salt}$"), NoHash::Digest),
            (format!("$6$${digest}"), NoHash::Salt),
            (format!("$6${salt}${short}"), NoHash::Digest),
            (format!("$6$b{{d!${digest}"), NoHash::Salt),
            (format!("$6${salt}$b{{d!"), NoHash::Digest),
            (format!("$5${salt}${digest}"), NoHash::Kind),
            (format!("$6$101${salt}${digest}"), NoHash::Parts),
            (format!("$7${salt}${digest}"), NoHash::Parts),
            (format!("$7$0${salt}${digest}"), NoHash::Cost),
            (format!("$7$-1${salt}${digest}"), NoHash::Cost),
            (format!("$7$4000000000${salt}${digest}"), NoHash::Cost),
            (format!("$7$101$AAAA${digest}"), NoHash::Salt),
            ("$argon2id$v=19$m=8,t=1$c2FsdHNhbHQ$aGFzaA".into(), NoHash::Digest),
            (format!("$argon2id$v=19$m=8,t=1$c2FsdHNhbHQ${}", "A".repeat(32)), NoHash::Cost),
            (format!("$argon2id$v=19$m=8,t=1,p=0$c2FsdHNhbHQ${}", "A".repeat(32)), NoHash::Cost),
            (
                format!("$argon2id$v=19$m=4000000000,t=1,p=1$c2FsdHNhbHQ${}", "A".repeat(32)),
                NoHash::Cost,
            ),
            (format!("$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ${}", "A".repeat(32)), NoHash::Kind),
        ];
        for (text, why) in cases {
            assert_eq!(Hash::parse(&text), Err(why), "{text}");
        }
    }

    #[test]
    fn a_hash_does_not_show_itself_in_a_log() {
        let hash = Hash::new(Method::Sha512, b"secret").unwrap();
        assert_eq!(format!("{hash:?}"), "Hash::Sha512");
    }
}
