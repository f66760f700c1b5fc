//! Topic aliases: numbers that stand for topics on one connection (MQTT 5.0 §3.3.2.3.4).

use codec::{ReasonCode, TopicName};
use core::fmt;
use std::collections::HashMap;

use crate::sorted::Sorted;

/// How many bytes of topics one connection may have us remember behind its aliases.
pub const ALIAS_TOPIC_BYTES_MAX: usize = 1024 * 1024;

/// How many aliases we give out on one connection, however many the other end would take.
pub const ALIASES_OUT_MAX: u16 = 256;

/// The aliases that the other end has set on this connection.
#[derive(Debug, Clone)]
pub struct AliasesIn {
    maximum: u16,
    topics: Sorted<u16, TopicName>,
    topic_bytes: usize,
}

/// A PUBLISH whose topic can't be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasError {
    /// The alias is 0, or above the maximum that the other end was told.
    OutOfRange {
        /// The alias.
        alias: u16,
        /// The maximum; at 0 there are no aliases.
        maximum: u16,
    },
    /// The alias was not set on this connection.
    Unknown {
        /// The alias.
        alias: u16,
    },
    /// There is neither a topic nor an alias.
    NoTopic,
    /// The topics behind the aliases are longer than [`ALIAS_TOPIC_BYTES_MAX`] all together.
    TooManyBytes,
}

impl AliasesIn {
    /// No aliases yet, of at most `maximum`: the Topic Alias Maximum that the other end was told.
    pub const fn new(maximum: u16) -> Self {
        Self { maximum, topics: Sorted::new(), topic_bytes: 0 }
    }

    /// The topic of a PUBLISH with this topic and alias; an alias that comes with a topic stands for
    /// it from now on.
    ///
    /// # Errors
    /// See [`AliasError`]; the connection can't go on.
    pub fn resolve(
        &mut self,
        topic: Option<TopicName>,
        alias: Option<u16>,
    ) -> Result<TopicName, AliasError> {
        let Some(alias) = alias else { return topic.ok_or(AliasError::NoTopic) };
        if alias == 0 || alias > self.maximum {
            return Err(AliasError::OutOfRange { alias, maximum: self.maximum });
        }
        match topic {
            Some(topic) => self.set(alias, &topic).map(|()| topic),
            None => self.topics.get(&alias).cloned().ok_or(AliasError::Unknown { alias }),
        }
    }

    fn set(&mut self, alias: u16, topic: &TopicName) -> Result<(), AliasError> {
        let old = self.topics.get(&alias);
        if old == Some(topic) {
            return Ok(());
        }
        let old_len = old.map_or(0, |old| old.as_bytes().len());
        let bytes = self.topic_bytes.saturating_sub(old_len).saturating_add(topic.as_bytes().len());
        if bytes > ALIAS_TOPIC_BYTES_MAX {
            return Err(AliasError::TooManyBytes);
        }
        self.topic_bytes = bytes;
        self.topics.insert(alias, topic.detached());
        Ok(())
    }
}

impl AliasError {
    /// The Reason Code of the DISCONNECT that answers it (MQTT 5.0 §3.3.4).
    pub const fn reason_code(self) -> ReasonCode {
        match self {
            Self::OutOfRange { .. } => ReasonCode::TopicAliasInvalid,
            Self::Unknown { .. } | Self::NoTopic => ReasonCode::ProtocolError,
            Self::TooManyBytes => ReasonCode::QuotaExceeded,
        }
    }
}

impl fmt::Display for AliasError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { alias, maximum } => {
                write!(f, "topic alias {alias} is not between 1 and the maximum, {maximum}")
            }
            Self::Unknown { alias } => {
                write!(f, "topic alias {alias} was not set on this connection")
            }
            Self::NoTopic => f.write_str("there is neither a topic nor a topic alias"),
            Self::TooManyBytes => {
                write!(f, "the topic aliases stand for more than {ALIAS_TOPIC_BYTES_MAX} bytes")
            }
        }
    }
}

impl core::error::Error for AliasError {}

/// The aliases that we have set on this connection; when all are in use, the topic that was used
/// least recently loses its own.
///
/// ```
/// use codec::TopicName;
/// use session::{AliasUse, AliasesOut};
///
/// let mut aliases = AliasesOut::new(1);
/// let topic = TopicName::new("sensors/pi/temperature")?;
/// assert_eq!(aliases.assign(&topic), AliasUse { alias: Some(1), with_topic: true });
/// assert_eq!(aliases.assign(&topic), AliasUse { alias: Some(1), with_topic: false });
/// # Ok::<(), codec::TopicError>(())
/// ```
#[derive(Debug, Clone)]
pub struct AliasesOut {
    maximum: u16,
    by_topic: HashMap<TopicName, Alias>,
    uses: u64,
}

#[derive(Debug, Clone, Copy)]
struct Alias {
    number: u16,
    last_use: u64,
}

/// How a PUBLISH names its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AliasUse {
    /// The Topic Alias to send, if any.
    pub alias: Option<u16>,
    /// Whether the topic itself must be sent; otherwise it is left empty.
    pub with_topic: bool,
}

impl AliasesOut {
    /// No aliases yet, of at most `maximum`: the other end's Topic Alias Maximum, or
    /// [`ALIASES_OUT_MAX`] if that is less.
    pub fn new(maximum: u16) -> Self {
        Self { maximum: maximum.min(ALIASES_OUT_MAX), by_topic: HashMap::new(), uses: 0 }
    }

    /// How the next PUBLISH names `topic`. It is then taken for sent: do not ask for a packet that may
    /// still be dropped.
    pub fn assign(&mut self, topic: &TopicName) -> AliasUse {
        if self.maximum == 0 {
            return AliasUse { alias: None, with_topic: true };
        }
        self.uses = self.uses.saturating_add(1);
        if let Some(alias) = self.by_topic.get_mut(topic) {
            alias.last_use = self.uses;
            return AliasUse { alias: Some(alias.number), with_topic: false };
        }
        let Some(number) = self.free_number() else {
            return AliasUse { alias: None, with_topic: true };
        };
        self.by_topic.insert(topic.detached(), Alias { number, last_use: self.uses });
        AliasUse { alias: Some(number), with_topic: true }
    }

    /// A number that was never used, or that of the topic used least recently.
    fn free_number(&mut self) -> Option<u16> {
        let used = u16::try_from(self.by_topic.len()).ok()?;
        if used < self.maximum {
            return used.checked_add(1);
        }
        let oldest = self.by_topic.iter().min_by_key(|(_, alias)| alias.last_use)?.0.clone();
        self.by_topic.remove(&oldest).map(|alias| alias.number)
    }
}
