//! The UTF-8 Encoded String (MQTT 5.0 §1.5.4): text that is a slice of the packet it came in, or so short
//! that a copy costs less.

use bytes::Bytes;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::{Deref, Range};

use crate::STRING_LEN_MAX;
use crate::topic::is_plain;

/// Text of at most [`STRING_LEN_MAX`] bytes without U+0000, shared rather than copied when cloned.
///
/// Text of few bytes, as most topics and Client Identifiers are, lies in the value itself. Then it owns no
/// memory, keeps no packet in memory, and nobody has to count who shares it.
#[derive(Clone)]
pub struct MqttString(Text);

#[derive(Clone)]
enum Text {
    Short(Short),
    Shared(Bytes),
}

/// The longest text that lies in the value itself, in bytes.
const SHORT_LEN_MAX: usize = 31;

/// Text, then whatever there was behind it, and in the last byte the length of the text. In words, so that
/// registers carry it and no memory has to be waited for.
#[derive(Clone, Copy)]
#[repr(align(8))]
struct Short([[u8; 8]; 4]);

impl Short {
    const EMPTY: Self = Self([[0; 8]; 4]);

    /// A copy of the first `len` bytes, if they are few enough. More of them are copied where there are more: a
    /// move of a known length costs less than one of any length.
    #[inline(always)]
    fn copy(bytes: &[u8], len: usize) -> Option<Self> {
        if len > SHORT_LEN_MAX {
            return None;
        }
        match bytes.as_chunks().0.first_chunk() {
            Some(words) => Some(Self::with_len(*words, len)),
            None => Self::copy_of_few(bytes.get(..len)?),
        }
    }

    /// A copy of text behind which there is nothing more to copy.
    fn copy_of_few(text: &[u8]) -> Option<Self> {
        let mut short = Self::EMPTY;
        short.0.as_flattened_mut().get_mut(..text.len())?.copy_from_slice(text);
        Some(Self::with_len(short.0, text.len()))
    }

    #[inline(always)]
    fn with_len([first, second, third, last]: [[u8; 8]; 4], len: usize) -> Self {
        let text = u64::from_le_bytes(last) & (u64::MAX >> 8);
        Self([first, second, third, (text | (len as u64) << 56).to_le_bytes()])
    }

    #[inline]
    fn as_bytes(&self) -> &[u8] {
        let all = self.0.as_flattened();
        let len = all.last().map_or(0, |len| usize::from(*len));
        // It is never longer than there is room.
        all.get(..len).unwrap_or(all)
    }
}

/// Why some bytes are no UTF-8 Encoded String.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StringError {
    /// Not UTF-8, or a surrogate, which UTF-8 does not encode.
    NotUtf8,
    /// Holds U+0000.
    Nul,
    /// Longer than [`STRING_LEN_MAX`] bytes.
    TooLong,
}

impl MqttString {
    /// Checks `bytes` and shares them.
    ///
    /// # Errors
    /// Says which of the three rules is broken.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, StringError> {
        check(&bytes)?;
        Ok(Self::from_checked(bytes))
    }

    /// Checks and copies `text`.
    ///
    /// # Errors
    /// When it is too long or holds U+0000.
    pub fn new(text: &str) -> Result<Self, StringError> {
        check_text(text)?;
        Ok(Self::copied(text.as_bytes()))
    }

    /// Checks and shares text that lives as long as the program.
    ///
    /// # Errors
    /// When it is too long or holds U+0000.
    pub fn from_static(text: &'static str) -> Result<Self, StringError> {
        check_text(text)?;
        Ok(Self::from_checked(Bytes::from_static(text.as_bytes())))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // SAFETY: every constructor checks that the bytes are UTF-8, and nothing changes them after.
        #[allow(unsafe_code, reason = "checked once, when the text arrives, not at every look")]
        unsafe {
            core::str::from_utf8_unchecked(self.as_bytes())
        }
    }

    /// The bytes of the text, without the length before it.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Short(short) => short.as_bytes(),
            Text::Shared(bytes) => bytes,
        }
    }

    /// The bytes of the text, without the length before it.
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Text::Short(_) => Bytes::copy_from_slice(self.as_bytes()),
            Text::Shared(bytes) => bytes,
        }
    }

    /// A copy of its own. Longer text of a packet is a slice of the buffer it arrived in, and what is
    /// kept for long would keep all of that in memory.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self::copied(self.as_bytes())
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// Bytes that a caller has checked already.
    pub(crate) fn from_checked(bytes: Bytes) -> Self {
        debug_assert!(check(&bytes).is_ok());
        match Short::copy(&bytes, bytes.len()) {
            Some(short) => Self(Text::Short(short)),
            None => Self(Text::Shared(bytes)),
        }
    }

    /// Checks a part of a packet, which is there.
    pub(crate) fn decode(packet: &Bytes, range: Range<usize>) -> Result<Self, StringError> {
        check(packet.get(range.clone()).unwrap_or_default())?;
        Ok(Self::part_of(packet, range))
    }

    /// A copy of text that a caller has checked already, the first `len` of `bytes`, if they are few enough.
    #[inline(always)]
    pub(crate) fn copy_of_short(bytes: &[u8], len: usize) -> Option<Self> {
        Short::copy(bytes, len).map(|short| Self(Text::Short(short)))
    }

    /// A part of a packet that a caller has checked already, and that is there.
    pub(crate) fn part_of(packet: &Bytes, range: Range<usize>) -> Self {
        let from_text = packet.get(range.start..).unwrap_or_default();
        Self::copy_of_short(from_text, range.len())
            .unwrap_or_else(|| Self(Text::Shared(packet.slice(range))))
    }

    /// A copy of text that a caller has checked already.
    pub(crate) fn copied(text: &[u8]) -> Self {
        let short = Short::copy(text, text.len()).map(Text::Short);
        Self(short.unwrap_or_else(|| Text::Shared(Bytes::copy_from_slice(text))))
    }
}

impl Default for MqttString {
    fn default() -> Self {
        Self(Text::Short(Short::EMPTY))
    }
}

impl PartialEq for MqttString {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for MqttString {}

impl PartialOrd for MqttString {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for MqttString {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for MqttString {
    /// As its bytes, by which it may be looked up.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

pub(crate) fn check(bytes: &[u8]) -> Result<(), StringError> {
    if bytes.len() <= STRING_LEN_MAX && is_plain(bytes) {
        return Ok(());
    }
    check_text(core::str::from_utf8(bytes).map_err(|_| StringError::NotUtf8)?)
}

fn check_text(text: &str) -> Result<(), StringError> {
    if text.len() > STRING_LEN_MAX {
        return Err(StringError::TooLong);
    }
    // Without a short-cut the loop is turned into vector instructions.
    if text.bytes().fold(false, |nul, byte| nul | (byte == 0)) {
        return Err(StringError::Nul);
    }
    Ok(())
}

impl Deref for MqttString {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<[u8]> for MqttString {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl AsRef<str> for MqttString {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl TryFrom<&str> for MqttString {
    type Error = StringError;
    fn try_from(text: &str) -> Result<Self, StringError> {
        Self::new(text)
    }
}

impl fmt::Debug for MqttString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for MqttString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq<str> for MqttString {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for MqttString {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl fmt::Display for StringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUtf8 => "the text is not UTF-8",
            Self::Nul => "the text holds the character U+0000",
            Self::TooLong => "the text is longer than 65,535 bytes",
        })
    }
}

impl core::error::Error for StringError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn mqtt_1_5_4_the_rules_of_text() {
        let at_limit = String::from_utf8(alloc::vec![b'x'; STRING_LEN_MAX]).unwrap();
        let over = String::from_utf8(alloc::vec![b'x'; STRING_LEN_MAX + 1]).unwrap();
        for (text, want) in [
            ("", Ok(())),
            ("temperature", Ok(())),
            ("año/ñandú/🌡", Ok(())),
            ("\u{feff}kept", Ok(())),
            ("a\0b", Err(StringError::Nul)),
            (at_limit.as_str(), Ok(())),
            (over.as_str(), Err(StringError::TooLong)),
        ] {
            assert_eq!(MqttString::new(text).map(|_| ()), want, "{}", text.len());
        }
        // As a copy in the value itself, and as what is shared, text is the same.
        for len in [0, 1, 15, 16, 17, SHORT_LEN_MAX, SHORT_LEN_MAX + 1, 100] {
            let text: String = ('!'..).take(len).collect();
            let bytes = Bytes::copy_from_slice(text.as_bytes());
            let (copied, shared) =
                (MqttString::new(&text).unwrap(), MqttString(Text::Shared(bytes)));
            assert_eq!((copied.as_str(), shared.as_str()), (text.as_str(), text.as_str()));
            assert_eq!((&copied, copied.cmp(&shared)), (&shared, Ordering::Equal));
        }
        // A surrogate, an over-long form and a lone continuation byte.
        for bytes in [&b"\xed\xa0\x80"[..], b"\xc0\x80", b"\x80"] {
            let got = MqttString::from_bytes(Bytes::copy_from_slice(bytes));
            assert_eq!(got, Err(StringError::NotUtf8));
        }
    }
}
