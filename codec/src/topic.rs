//! Topic Names and Topic Filters (MQTT 5.0 §4.7, §4.8) as types that cannot hold a bad value.

use bytes::Bytes;
use core::fmt;
use core::ops::Range;

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
        if !bytes.is_empty() && bytes.len() <= crate::STRING_LEN_MAX && is_plain(&bytes) {
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

    /// Checks a part of a packet, which is there.
    pub(crate) fn decode(packet: &Bytes, range: Range<usize>) -> Result<Self, TopicError> {
        let from_text = packet.get(range.start..).unwrap_or_default();
        let (len, len_max) = (range.len(), crate::STRING_LEN_MAX);
        if (1..=len_max).contains(&len) && begins_plain(from_text, len) {
            return Ok(Self(MqttString::part_of(packet, range)));
        }
        Self::from_string(MqttString::decode(packet, range)?)
    }

    /// A copy of the first `len` of `bytes`, which [`begins_plain`] has found to be a topic, if they are few
    /// enough.
    #[inline(always)]
    pub(crate) fn copy_of_short(bytes: &[u8], len: usize) -> Option<Self> {
        MqttString::copy_of_short(bytes, len).map(Self)
    }

    /// What [`begins_plain`] has found to be a topic.
    pub(crate) fn from_plain(bytes: Bytes) -> Self {
        Self(MqttString::from_checked(bytes))
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

    /// The same as a string: without a share name it is shared with the filter.
    pub fn matching_string(&self) -> MqttString {
        if self.share_name().is_none() {
            return self.0.clone();
        }
        MqttString::copied(self.matching_part().as_bytes())
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

/// Whether the first `len` bytes are ASCII without wildcard or NUL, as nearly every topic is. Such a topic is
/// seen in one pass, where any other is looked at for its text and then for its wildcards.
#[inline(always)]
pub(crate) fn begins_plain(bytes: &[u8], len: usize) -> bool {
    in_one_look(bytes, len).unwrap_or_else(|| is_plain(bytes.get(..len).unwrap_or_default()))
}

/// The same for few bytes with enough behind them, which takes no loop: `None` for others.
#[inline(always)]
fn in_one_look(bytes: &[u8], len: usize) -> Option<bool> {
    const WORDS: usize = 4;
    const LEN: usize = WORDS * 8;
    /// From the right place on it has the high bit of each byte that counts.
    static COUNTS: [[u8; LEN]; 2] = [[0x80; LEN], [0; LEN]];
    let [a, b, c, d] = bytes.as_chunks().0.first_chunk::<WORDS>()?;
    let counts = COUNTS.as_flattened().get(LEN.checked_sub(len)?..)?;
    let [e, f, g, h] = counts.as_chunks().0.first_chunk::<WORDS>()?;
    let odd = |word: &[u8; 8], counts: &[u8; 8]| {
        odd_bytes(u64::from_le_bytes(*word)) & u64::from_le_bytes(*counts)
    };
    let found = odd(a, e) | odd(b, f) | odd(c, g) | odd(d, h);
    Some(found == 0)
}

/// Whether all of it is ASCII without wildcard or NUL, eight bytes at a time. Some bytes are looked at twice, which
/// costs less than looking at each by itself.
#[inline]
pub(crate) fn is_plain(text: &[u8]) -> bool {
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let (chunks, rest) = text.as_chunks::<8>();
    let last = match text.last_chunk::<8>() {
        Some(last) => *last,
        None => match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
            (Some([a, b, c, d]), Some([e, f, g, h])) => [*a, *b, *c, *d, *e, *f, *g, *h],
            _ => {
                let mut last = [b'/'; 8];
                last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                last
            }
        },
    };
    let last = odd_bytes(u64::from_le_bytes(last));
    let found =
        chunks.iter().fold(last, |found, chunk| found | odd_bytes(u64::from_le_bytes(*chunk)));
    found & HIGH == 0
}

/// The high bit of a byte is set if it is no ASCII, NUL or a wildcard; of those above such a one it may be set
/// too. The other bits say nothing.
#[inline(always)]
fn odd_bytes(bytes: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    // The two wildcards differ in one bit.
    const BOTH: u64 = u64::from_ne_bytes([b'+' ^ b'#'; 8]);
    const PLUS: u64 = u64::from_ne_bytes([b'+'; 8]);
    let zero = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
    bytes | zero(bytes) | zero((bytes | BOTH) ^ PLUS)
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
            pub fn as_bytes(&self) -> &[u8] {
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const NUL: TopicError = TopicError::String(StringError::Nul);
    const TOO_LONG: TopicError = TopicError::String(StringError::TooLong);

    #[test]
    fn mqtt_4_7_topic_names() {
        let at_limit = String::from_utf8(alloc::vec![b'x'; 65_535]).unwrap();
        let over = String::from_utf8(alloc::vec![b'x'; 65_536]).unwrap();
        for (text, want) in [
            ("sport/tennis/player1", Ok(())),
            ("/finance", Ok(())),
            ("/", Ok(())),
            ("//", Ok(())),
            ("ACCOUNTS", Ok(())),
            ("Accounts payable", Ok(())),
            ("$SYS/monitor/Clients", Ok(())),
            ("$share/consumer1/sport", Ok(())),
            ("año/ñandú/🌡", Ok(())),
            // [MQTT-4.7.0-1], 3.1.1 [MQTT-4.7.1-1]
            ("sport/+", Err(TopicError::WildcardInName)),
            ("sport#", Err(TopicError::WildcardInName)),
            ("año/#", Err(TopicError::WildcardInName)),
            // [MQTT-4.7.3-1], [MQTT-4.7.3-2], [MQTT-4.7.3-3]
            ("", Err(TopicError::Empty)),
            ("a\0b", Err(NUL)),
            ("ñ\0", Err(NUL)),
            (at_limit.as_str(), Ok(())),
            (over.as_str(), Err(TOO_LONG)),
        ] {
            let shown = text.get(..20).unwrap_or(text);
            assert_eq!(TopicName::new(text).map(|_| ()), want, "{shown}");
            let bytes = Bytes::copy_from_slice(text.as_bytes());
            assert_eq!(TopicName::from_bytes(bytes).map(|_| ()), want, "{shown}");
        }
        let not_text = TopicName::from_bytes(Bytes::from_static(b"a\xff"));
        assert_eq!(not_text, Err(TopicError::String(StringError::NotUtf8)));
    }

    #[test]
    fn an_odd_byte_is_found_wherever_it_stands() {
        for len in 1..20 {
            for at in 0..len {
                for byte in 0..=255u8 {
                    let mut text = alloc::vec![b'a'; len];
                    text[at] = byte;
                    let odd = matches!(byte, 0 | b'+' | b'#' | 0x80..);
                    assert_eq!(is_plain(&text), !odd, "{byte:#04x} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn what_lies_behind_a_topic_does_not_count() {
        for (len, behind) in (1..40).flat_map(|len| [0, 1, 31, 32, 64].map(|behind| (len, behind)))
        {
            for other in *b"\0+#\x80\xff" {
                let mut bytes = alloc::vec![b'a'; len];
                bytes.resize(len.saturating_add(behind), other);
                assert!(begins_plain(&bytes, len), "{other:#04x} behind {len}");
                for at in [0, len / 2, len.saturating_sub(1)] {
                    let mut bytes = bytes.clone();
                    bytes[at] = other;
                    assert!(!begins_plain(&bytes, len), "{other:#04x} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn mqtt_4_7_1_and_4_8_2_topic_filters() {
        for (text, want) in [
            ("#", Ok(())),
            ("+", Ok(())),
            ("/", Ok(())),
            ("+/+", Ok(())),
            ("/+", Ok(())),
            ("sport/#", Ok(())),
            ("sport/tennis/#", Ok(())),
            ("+/tennis/#", Ok(())),
            ("sport/+/player1", Ok(())),
            ("a//b", Ok(())),
            ("$SYS/#", Ok(())),
            ("", Err(TopicError::Empty)),
            ("a\0", Err(NUL)),
            // [MQTT-4.7.1-1]
            ("sport/tennis#", Err(TopicError::WildcardPosition)),
            ("sport/tennis/#/ranking", Err(TopicError::WildcardPosition)),
            ("#/", Err(TopicError::WildcardPosition)),
            ("##", Err(TopicError::WildcardPosition)),
            // [MQTT-4.7.1-2]
            ("sport+", Err(TopicError::WildcardPosition)),
            ("+sport/a", Err(TopicError::WildcardPosition)),
            ("a/+#", Err(TopicError::WildcardPosition)),
            // [MQTT-4.8.2-1], [MQTT-4.8.2-2]
            ("$share/consumer1/sport/tennis/+", Ok(())),
            ("$share/consumer1//finance", Ok(())),
            ("$share/consumer1/#", Ok(())),
            ("$share/c//", Ok(())),
            ("$share", Err(TopicError::ShareName)),
            ("$share/", Err(TopicError::ShareName)),
            ("$share/c", Err(TopicError::ShareName)),
            ("$share/c/", Err(TopicError::ShareName)),
            ("$share//sport", Err(TopicError::ShareName)),
            ("$share/+/sport", Err(TopicError::ShareName)),
            ("$share/c#/sport", Err(TopicError::ShareName)),
            ("$share/c/sport+", Err(TopicError::WildcardPosition)),
            ("$shared/c", Ok(())),
            ("$Share/+/x", Ok(())),
        ] {
            assert_eq!(TopicFilter::new(text).map(|_| ()), want, "{text}");
        }
    }

    #[test]
    fn the_parts_of_a_shared_subscription() {
        for (text, share, part, levels, has_wildcard) in [
            ("$share/consumer1//finance", Some("consumer1"), "/finance", 2, false),
            ("$share/g/sport/+", Some("g"), "sport/+", 2, true),
            ("$SYS/broker/#", None, "$SYS/broker/#", 3, true),
            ("a//b", None, "a//b", 3, false),
        ] {
            let filter = TopicFilter::new(text).unwrap();
            assert_eq!(filter.share_name(), share, "{text}");
            assert_eq!(filter.matching_part(), part, "{text}");
            assert_eq!(filter.levels().count(), levels, "{text}");
            assert_eq!(filter.has_wildcard(), has_wildcard, "{text}");
        }
    }

    #[test]
    fn mqtt_4_7_what_matches() {
        for (filter, topic, want) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/tennis/player1/#", "sport/tennis/player2", false),
            ("sport/#", "sport", true),
            ("sport/#", "sports", false),
            ("#", "a/b/c", true),
            ("#", "/", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+", "sport", true),
            ("+/tennis/#", "sport/tennis", true),
            ("sport/+/player1", "sport/tennis/player1", true),
            ("sport/+/player1", "sport//player1", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("a//b", "a//b", true),
            ("a/b", "a//b", false),
            ("a", "a/", false),
            ("a/", "a", false),
            // [MQTT-4.7.2-1]
            ("#", "$SYS/monitor/Clients", false),
            ("+/monitor/Clients", "$SYS/monitor/Clients", false),
            ("$SYS/#", "$SYS/monitor/Clients", true),
            ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
            ("$share/g/#", "$SYS/monitor/Clients", false),
            ("a/#", "a/$b", true),
            // [MQTT-4.7.3-4]
            ("ACCOUNTS", "Accounts", false),
            ("caf\u{e9}", "cafe\u{301}", false),
            // §4.8.2
            ("$share/consumer1/sport/tennis/+", "sport/tennis/player1", true),
            ("$share/consumer1//finance", "/finance", true),
            ("$share/consumer1//finance", "$share/consumer1//finance", false),
        ] {
            let matches =
                TopicFilter::new(filter).unwrap().matches(&TopicName::new(topic).unwrap());
            assert_eq!(matches, want, "{filter} {topic}");
        }
    }
}
