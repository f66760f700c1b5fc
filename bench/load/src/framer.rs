//! Finds the packets in a stream of bytes, without a copy where they arrive whole.

use anyhow::Result;
use codec::{FixedHeader, PACKET_SIZE_MAX, ProtocolVersion};

/// The start of a packet whose rest has yet to come; empty most of the time.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    partial: Vec<u8>,
}

impl Framer {
    /// Calls back for each whole packet, in order, and keeps what is left.
    pub(crate) fn feed(
        &mut self,
        mut bytes: &[u8],
        version: ProtocolVersion,
        on_packet: &mut dyn FnMut(FixedHeader, &[u8]) -> Result<()>,
    ) -> Result<()> {
        while !self.partial.is_empty() {
            // The header tells how much is missing; until it is whole, one byte is.
            let header = FixedHeader::peek(&self.partial, version, PACKET_SIZE_MAX)?;
            let whole = header.map_or(self.partial.len() + 1, |header| header.packet_len());
            let missing = whole.saturating_sub(self.partial.len());
            let Some((more, rest)) = bytes.split_at_checked(missing) else {
                self.partial.extend_from_slice(bytes);
                return Ok(());
            };
            self.partial.extend_from_slice(more);
            bytes = rest;
            if let Some(header) = header {
                on_packet(header, &self.partial)?;
                self.partial.clear();
            }
        }
        while let Some(header) = FixedHeader::peek(bytes, version, PACKET_SIZE_MAX)? {
            let Some((packet, rest)) = bytes.split_at_checked(header.packet_len()) else { break };
            on_packet(header, packet)?;
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_found_however_the_stream_is_cut() {
        let mut stream = vec![0xd0, 0, 0x30, 0x84, 0x01];
        stream.resize(stream.len() + 0x84, 7);
        stream.extend([0x40, 2, 0, 1]);
        for step in 1..=stream.len() {
            let mut framer = Framer::default();
            let mut lengths = Vec::new();
            for piece in stream.chunks(step) {
                let mut note = |_, packet: &[u8]| {
                    lengths.push(packet.len());
                    Ok(())
                };
                framer.feed(piece, ProtocolVersion::V311, &mut note).unwrap();
            }
            assert_eq!(lengths, [2, 3 + 0x84, 4], "in pieces of {step}");
            assert!(framer.partial.is_empty());
        }
    }
}
