//! The UTF-8 Encoded String (MQTT 5.0 §1.5.4): text that is a slice of the packet it came in.

use bytes::Bytes;
use core::borrow::Borrow;
use core::fmt;
use core::ops::Deref;

use crate::STRING_LEN_MAX;

/// Text of at most [`STRING_LEN_MAX`] bytes without U+0000, shared rather than copied when cloned.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MqttString(Bytes);

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
        Ok(Self(bytes))
    }

    /// Checks and copies `text`.
    ///
    /// # Errors
    /// When it is too long or holds U+0000.
    pub fn new(text: &str) -> Result<Self, StringError> {
        check_text(text)?;
        Ok(Self(Bytes::copy_from_slice(text.as_bytes())))
    }

    /// Checks and shares text that lives as long as the program.
    ///
    /// # Errors
    /// When it is too long or holds U+0000.
    pub fn from_static(text: &'static str) -> Result<Self, StringError> {
        check_text(text)?;
        Ok(Self(Bytes::from_static(text.as_bytes())))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // SAFETY: every constructor checks that the bytes are UTF-8, and nothing changes them after.
        #[allow(unsafe_code, reason = "checked once, when the text arrives, not at every look")]
        unsafe {
            core::str::from_utf8_unchecked(&self.0)
        }
    }

    /// The bytes of the text, without the length before it.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The bytes of the text, without the length before it.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// A copy of its own. The text of a packet is a slice of the buffer it arrived in, and what is
    /// kept for long would keep all of that in memory.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that a caller has checked already.
    pub(crate) fn from_checked(bytes: Bytes) -> Self {
        debug_assert!(check(&bytes).is_ok());
        Self(bytes)
    }
}

pub(crate) fn check(bytes: &[u8]) -> Result<(), StringError> {
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
        &self.0
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
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for MqttString {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
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
        // A surrogate, an over-long form and a lone continuation byte.
        for bytes in [&b"\xed\xa0\x80"[..], b"\xc0\x80", b"\x80"] {
            let got = MqttString::from_bytes(Bytes::copy_from_slice(bytes));
            assert_eq!(got, Err(StringError::NotUtf8));
        }
    }
}
