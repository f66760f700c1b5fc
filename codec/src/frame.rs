//! The fixed header: where a packet begins and how long it is (MQTT 5.0 §2.1).

use bytes::{BufMut, BytesMut};

use crate::error::{DecodeError, DecodeErrorKind};
use crate::{PacketType, ProtocolVersion, REMAINING_LENGTH_MAX};

/// The first bytes of a packet, which say what it is and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedHeader {
    /// What it is.
    pub packet: PacketType,
    /// Bits 3-0 of the first byte, checked but for those of PUBLISH.
    pub flags: u8,
    /// Length of the header itself: 2 to 5 bytes.
    pub header_len: u8,
    /// Length of what follows the header, in bytes.
    pub remaining_len: u32,
}

impl FixedHeader {
    /// Reads the header at the start of `bytes`, which need not hold the whole packet; `None` while
    /// the header itself is not complete. Nothing is allocated.
    ///
    /// # Errors
    /// The first byte is none that the version has, the length is malformed, or the packet would be
    /// larger than `max` bytes, header included.
    ///
    /// ```
    /// use codec::{FixedHeader, PacketType, ProtocolVersion};
    ///
    /// let header = FixedHeader::peek(&[0x30, 0x80, 0x01], ProtocolVersion::V5, 1000)?;
    /// let header = header.expect("three bytes are a whole header here");
    /// assert_eq!((header.packet, header.remaining_len), (PacketType::Publish, 128));
    /// assert!(FixedHeader::peek(&[0x30, 0x80], ProtocolVersion::V5, 1000)?.is_none());
    /// # Ok::<(), codec::DecodeError>(())
    /// ```
    pub fn peek(
        bytes: &[u8],
        version: ProtocolVersion,
        max: u32,
    ) -> Result<Option<Self>, DecodeError> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        let nibble = first >> 4;
        let packet = PacketType::from_nibble(nibble)
            .filter(|packet| version.is_v5() || *packet != PacketType::Auth)
            .ok_or(DecodeError { packet: None, kind: DecodeErrorKind::PacketType(nibble) })?;
        let flags = first & 0x0f;
        let fail = |kind| DecodeError { packet: Some(packet), kind };
        check_flags(packet, flags, version).map_err(fail)?;
        let Some((remaining_len, len)) = read_varint(rest).map_err(fail)? else { return Ok(None) };
        let header_len = len.saturating_add(1);
        let header = Self { packet, flags, header_len, remaining_len };
        // The shortest form is a rule of MQTT 5.0 alone, and a CONNECT has yet to say its version.
        if version.is_v5() && packet != PacketType::Connect && !header.is_minimal() {
            return Err(fail(DecodeErrorKind::VarintNotMinimal));
        }
        let size = remaining_len.saturating_add(u32::from(header_len));
        if size > max {
            return Err(fail(DecodeErrorKind::TooLarge { size, max }));
        }
        Ok(Some(header))
    }

    /// Whether the length is written in as few bytes as it can be (MQTT 5.0 §1.5.5).
    pub(crate) fn is_minimal(&self) -> bool {
        usize::from(self.header_len) == varint_len(self.remaining_len).saturating_add(1)
    }

    /// The length of the whole packet, in bytes.
    pub fn packet_len(&self) -> usize {
        usize::from(self.header_len).saturating_add(self.remaining_len as usize)
    }
}

fn check_flags(
    packet: PacketType,
    flags: u8,
    version: ProtocolVersion,
) -> Result<(), DecodeErrorKind> {
    if packet == PacketType::Publish {
        return match flags >> 1 & 0b11 {
            0b11 => Err(DecodeErrorKind::QoS3),
            0 if flags & 0b1000 != 0 => Err(DecodeErrorKind::DupWithQoS0),
            _ => Ok(()),
        };
    }
    let reserved = packet.reserved_flags();
    // MQTT 3.1 sets DUP when it sends one of these three again (MQTT 3.1 §2.1).
    let dup = if version == ProtocolVersion::V31 && reserved != 0 { 0b1000 } else { 0 };
    if flags & !dup == reserved { Ok(()) } else { Err(DecodeErrorKind::FixedHeaderFlags(flags)) }
}

/// Reads a Variable Byte Integer (MQTT 5.0 §1.5.5): its value and its length in bytes, `None` while
/// it is not complete. Whether that is its shortest form is for the caller to say.
pub(crate) fn read_varint(bytes: &[u8]) -> Result<Option<(u32, u8)>, DecodeErrorKind> {
    let mut value = 0u32;
    for (index, &byte) in (0u8..4).zip(bytes) {
        value |= u32::from(byte & 0x7f) << (7u32.saturating_mul(u32::from(index)));
        if byte & 0x80 == 0 {
            return Ok(Some((value, index.saturating_add(1))));
        }
    }
    if bytes.len() >= 4 { Err(DecodeErrorKind::VarintTooLong) } else { Ok(None) }
}

/// How many bytes a Variable Byte Integer of this value has: 1 to 4.
pub const fn varint_len(value: u32) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    }
}

/// Appends a Variable Byte Integer; the caller has checked that it is at most
/// [`REMAINING_LENGTH_MAX`].
pub(crate) fn put_varint(out: &mut BytesMut, mut value: u32) {
    debug_assert!(value <= REMAINING_LENGTH_MAX);
    while value > 0x7f {
        out.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn mqtt_1_5_5_the_table_of_variable_byte_integers() {
        for (value, bytes) in [
            (0, &[0x00][..]),
            (127, &[0x7f]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 0x01]),
            (2_097_151, &[0xff, 0xff, 0x7f]),
            (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
            (REMAINING_LENGTH_MAX, &[0xff, 0xff, 0xff, 0x7f]),
        ] {
            let mut out = BytesMut::new();
            put_varint(&mut out, value);
            assert_eq!(out, bytes);
            assert_eq!(varint_len(value), bytes.len());
            assert_eq!(read_varint(bytes), Ok(Some((value, bytes.len() as u8))));
            for cut in 0..bytes.len() {
                assert_eq!(read_varint(&bytes[..cut]), Ok(None));
            }
        }
        assert_eq!(read_varint(&[0xff; 4]), Err(DecodeErrorKind::VarintTooLong));
    }
}
