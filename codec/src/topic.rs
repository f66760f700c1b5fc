//! Topic Names and Topic Filters (MQTT 5.0 §4.7, §4.8) as types that cannot hold a bad value.

use bytes::Bytes;
use core::fmt;

use crate::string::{MqttString, StringError};

/// A Topic Name: at least one character, no wildcard (MQTT 5.0 §4.7.3).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(MqttString);

/// A Topic Filter, which may be that of a Shared Subscription (MQTT 5.0 §4.7.1, §4.8.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilter(MqttString);

/// Why some text is no Topic Name or no Topic Filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicError {
    /// There is no text.
    Empty,
    /// A Topic Name holds `+` or `#`.
    WildcardInName,
    /// `+` is not alone in its level, or `#` is not alone in the last level.
    WildcardPosition,
    /// `$share/` without a share name, with `+` or `#` in it, or without a filter after it.
    ShareName,
    /// It is no UTF-8 Encoded String at all.
    String(StringError),
}

impl TopicName {
    /// Checks and copies `text`.
    ///
    /// # Errors
    /// When it is empty, holds a wildcard, or is no UTF-8 Encoded String.
    pub fn new(text: &str) -> Result<Self, TopicError> {
        Self::from_string(MqttString::new(text)?)
    }

    /// Checks `bytes` and shares them.
    ///
    /// # Errors
    /// As [`TopicName::new`].
    pub fn from_bytes(bytes: Bytes) -> Result<Self, TopicError> {
        // One pass for the usual topic: all ASCII, no wildcard, no NUL.
        let plain = bytes.iter().fold(true, |plain, byte| {
            plain & byte.is_ascii() & (*byte != 0) & (*byte != b'+') & (*byte != b'#')
        });
        if plain && !bytes.is_empty() && bytes.len() <= crate::STRING_LEN_MAX {
            return Ok(Self(MqttString::from_checked(bytes)));
        }
        Self::from_string(MqttString::from_bytes(bytes)?)
    }

    /// Checks `text` and shares it.
    ///
    /// # Errors
    /// When it is empty or holds a wildcard.
    pub fn from_string(text: MqttString) -> Result<Self, TopicError> {
        if text.is_empty() {
            return Err(TopicError::Empty);
        }
        if !is_name(text.as_bytes()) {
            return Err(TopicError::WildcardInName);
        }
        Ok(Self(text))
    }

    /// The levels, which `/` separates; a level may be empty.
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.as_str().split('/')
    }

    /// Whether it begins with `$`, so that a filter which begins with a wildcard does not match it
    /// (MQTT 5.0 §4.7.2).
    pub fn is_dollar(&self) -> bool {
        self.0.as_bytes().first() == Some(&b'$')
    }
}

impl TopicFilter {
    /// Checks and copies `text`.
    ///
    /// # Errors
    /// When it is empty, a wildcard or a share name is out of place, or it is no UTF-8 Encoded String.
    pub fn new(text: &str) -> Result<Self, TopicError> {
        Self::from_string(MqttString::new(text)?)
    }

    /// Checks `bytes` and shares them.
    ///
    /// # Errors
    /// As [`TopicFilter::new`].
    pub fn from_bytes(bytes: Bytes) -> Result<Self, TopicError> {
        Self::from_string(MqttString::from_bytes(bytes)?)
    }

    /// Checks `text` and shares it.
    ///
    /// # Errors
    /// When it is empty, or a wildcard or a share name is out of place.
    pub fn from_string(text: MqttString) -> Result<Self, TopicError> {
        if text.is_empty() {
            return Err(TopicError::Empty);
        }
        let filter = match text.as_str().strip_prefix("$share/") {
            Some(shared) => {
                let (name, filter) = shared.split_once('/').ok_or(TopicError::ShareName)?;
                if name.is_empty() || filter.is_empty() || name.contains(['+', '#']) {
                    return Err(TopicError::ShareName);
                }
                filter
            }
            None if text.as_str() == "$share" => return Err(TopicError::ShareName),
            None => text.as_str(),
        };
        check_wildcards(filter)?;
        Ok(Self(text))
    }

    /// The share name, where this is the filter of a Shared Subscription.
    pub fn share_name(&self) -> Option<&str> {
        let shared = self.as_str().strip_prefix("$share/")?;
        shared.split_once('/').map(|(name, _)| name)
    }

    /// The filter that topics are matched against: all of it, or what follows the share name.
    pub fn matching_part(&self) -> &str {
        self.as_str()
            .strip_prefix("$share/")
            .and_then(|shared| shared.split_once('/'))
            .map_or(self.as_str(), |(_, filter)| filter)
    }

    /// The levels of [`matching_part`](Self::matching_part).
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.matching_part().split('/')
    }

    /// Whether there is a `+` or `#` in it.
    pub fn has_wildcard(&self) -> bool {
        self.matching_part().contains(['+', '#'])
    }

    /// Whether `topic` matches (MQTT 5.0 §4.7).
    ///
    /// ```
    /// use codec::{TopicFilter, TopicName};
    ///
    /// let filter = TopicFilter::new("sensors/+/temperature")?;
    /// assert!(filter.matches(&TopicName::new("sensors/pi/temperature")?));
    /// assert!(!filter.matches(&TopicName::new("sensors/pi/humidity")?));
    /// # Ok::<(), codec::TopicError>(())
    /// ```
    pub fn matches(&self, topic: &TopicName) -> bool {
        let part = self.matching_part();
        if topic.is_dollar() && part.starts_with(['+', '#']) {
            return false;
        }
        let mut names = topic.levels();
        for level in part.split('/') {
            match (level, names.next()) {
                ("#", _) => return true,
                ("+", Some(_)) => {}
                (level, Some(name)) if level == name => {}
                _ => return false,
            }
        }
        names.next().is_none()
    }
}

/// Whether text, which was checked, is a Topic Name.
pub(crate) fn is_name(text: &[u8]) -> bool {
    !text.is_empty() && !text.iter().any(|byte| matches!(byte, b'+' | b'#'))
}

fn check_wildcards(filter: &str) -> Result<(), TopicError> {
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let last = levels.peek().is_none();
        let fine = match level {
            "#" => last,
            "+" => true,
            _ => !level.contains(['+', '#']),
        };
        if !fine {
            return Err(TopicError::WildcardPosition);
        }
    }
    Ok(())
}

macro_rules! text {
    ($name:ident) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            /// The text as the string that a packet carries.
            pub fn as_string(&self) -> &MqttString {
                &self.0
            }

            /// A copy of its own, which does not keep the packet it came in in memory.
            #[must_use]
            pub fn detached(&self) -> Self {
                Self(self.0.detached())
            }

            /// The text's bytes.
            pub fn as_bytes(&self) -> &Bytes {
                self.0.as_bytes()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl TryFrom<&str> for $name {
            type Error = TopicError;
            fn try_from(text: &str) -> Result<Self, TopicError> {
                Self::new(text)
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == *other
            }
        }
    };
}

text!(TopicName);
text!(TopicFilter);

impl From<StringError> for TopicError {
    fn from(error: StringError) -> Self {
        Self::String(error)
    }
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the topic is empty",
            Self::WildcardInName => "a topic name can't hold the wildcards + and #",
            Self::WildcardPosition => {
                "in a topic filter, + must be alone in its level and # alone in the last one"
            }
            Self::ShareName => "a shared subscription is written $share/NAME/FILTER",
            Self::String(error) => return error.fmt(f),
        })
    }
}

impl core::error::Error for TopicError {}
