//! What waits to be written to one connection.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};
use codec::{EncodeError, Packet, ProtocolVersion};

use crate::limits::{SPARE_BUFFER_BYTES_MAX, SPARE_BUFFERS_BYTES_MAX};

/// Pieces that one vectored write takes at most.
const PIECES_MAX: usize = 64;

/// Bytes in the order they must be written: small packets one after the other in one buffer, large
/// payloads as shared pieces between them. It owns no memory while it is empty.
#[derive(Debug, Default)]
pub(crate) struct OutBuffer {
    /// All that comes before `tail`.
    pieces: VecDeque<Bytes>,
    pieces_len: usize,
    tail: BytesMut,
    /// Packets that were begun since they were counted last.
    packets: u32,
}

impl OutBuffer {
    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.pieces_len.saturating_add(self.tail.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.tail.is_empty()
    }

    /// Where the next packet is appended, which has about so many bytes.
    ///
    /// Where much waits it is in pieces, of which each is freed once it is written. One buffer for all of it would
    /// keep what was written for as long as more follows, and be copied again and again as it grows.
    pub(crate) fn tail(&mut self, packet_len: usize, spare: &mut SpareBuffers) -> &mut BytesMut {
        if self.tail.capacity() == 0 {
            self.tail = spare.take();
        } else if self.tail.len().saturating_add(packet_len) > SPARE_BUFFER_BYTES_MAX
            && !self.tail.is_empty()
        {
            let next = BytesMut::with_capacity(SPARE_BUFFER_BYTES_MAX);
            let full = std::mem::replace(&mut self.tail, next);
            self.push_piece(full.freeze());
        }
        self.packets = self.packets.saturating_add(1);
        &mut self.tail
    }

    /// Appends packets that are encoded already.
    pub(crate) fn push_packets(&mut self, bytes: &[u8], packets: u32, spare: &mut SpareBuffers) {
        self.tail(bytes.len(), spare).extend_from_slice(bytes);
        // One was counted by taking the tail.
        self.packets = self.packets.saturating_add(packets).saturating_sub(1);
    }

    /// How many packets were appended since this was asked last.
    pub(crate) fn take_packets(&mut self) -> u32 {
        std::mem::take(&mut self.packets)
    }

    /// Appends a packet.
    ///
    /// # Errors
    /// The packet has no form in this version, or has more than `size_max` bytes; nothing is appended.
    pub(crate) fn append(
        &mut self,
        packet: &Packet,
        version: ProtocolVersion,
        size_max: u32,
        spare: &mut SpareBuffers,
    ) -> Result<(), EncodeError> {
        let tail = self.tail(0, spare);
        let start = tail.len();
        packet.encode(version, tail)?;
        if tail.len().saturating_sub(start) > size_max as usize {
            tail.truncate(start);
            self.packets = self.packets.saturating_sub(1);
            return Err(EncodeError::TooLarge);
        }
        Ok(())
    }

    /// Appends bytes that others share.
    pub(crate) fn push_shared(&mut self, bytes: Bytes) {
        if !self.tail.is_empty() {
            let before = self.tail.split().freeze();
            self.push_piece(before);
        }
        self.push_piece(bytes);
    }

    fn push_piece(&mut self, piece: Bytes) {
        self.pieces_len = self.pieces_len.saturating_add(piece.len());
        self.pieces.push_back(piece);
    }

    /// The next bytes to write, as one slice if they are one.
    pub(crate) fn front(&self) -> &[u8] {
        self.pieces.front().map_or(&self.tail, Bytes::as_ref)
    }

    /// Whether [`front`](Self::front) is all there is.
    pub(crate) fn is_one_piece(&self) -> bool {
        self.pieces.is_empty() || self.pieces.len() == 1 && self.tail.is_empty()
    }

    /// The next bytes to write, as slices for a vectored write.
    pub(crate) fn slices(&self) -> Vec<IoSlice<'_>> {
        let pieces = self.pieces.iter().map(|piece| IoSlice::new(piece));
        let mut slices: Vec<_> = pieces.take(PIECES_MAX).collect();
        if self.pieces.len() < PIECES_MAX && !self.tail.is_empty() {
            slices.push(IoSlice::new(&self.tail));
        }
        slices
    }

    /// Takes the next bytes out, at most `max` of them.
    pub(crate) fn take(&mut self, max: usize) -> Bytes {
        let Some(mut piece) = self.pieces.pop_front() else {
            return self.tail.split_to(max.min(self.tail.len())).freeze();
        };
        let taken = piece.split_to(max.min(piece.len()));
        self.pieces_len = self.pieces_len.saturating_sub(taken.len());
        if !piece.is_empty() {
            self.pieces.push_front(piece);
        }
        taken
    }

    /// Forgets the first `written` bytes.
    pub(crate) fn advance(&mut self, mut written: usize) {
        while let Some(piece) = self.pieces.front_mut() {
            let step = written.min(piece.len());
            piece.advance(step);
            written = written.saturating_sub(step);
            self.pieces_len = self.pieces_len.saturating_sub(step);
            if !piece.is_empty() {
                return;
            }
            self.pieces.pop_front();
        }
        self.tail.advance(written.min(self.tail.len()));
    }

    /// Gives the memory of an empty buffer to the next connection that needs some.
    pub(crate) fn release(&mut self, spare: &mut SpareBuffers) {
        if !self.is_empty() || self.tail.capacity() == 0 {
            return;
        }
        let mut buffer = std::mem::take(&mut self.tail);
        buffer.clear();
        // Takes back what was advanced over, where nobody else holds a part of it.
        if buffer.try_reclaim(SPARE_BUFFER_BYTES_MIN)
            && buffer.capacity() <= SPARE_BUFFER_BYTES_MAX
            && spare.bytes.saturating_add(buffer.capacity()) <= SPARE_BUFFERS_BYTES_MAX
        {
            spare.bytes = spare.bytes.saturating_add(buffer.capacity());
            spare.buffers.push(buffer);
        }
    }
}

/// A spare buffer has at least this much room.
const SPARE_BUFFER_BYTES_MIN: usize = 1024;

/// Write buffers of one worker that no connection uses now.
#[derive(Debug, Default)]
pub(crate) struct SpareBuffers {
    buffers: Vec<BytesMut>,
    /// What they have room for together.
    bytes: usize,
}

impl SpareBuffers {
    fn take(&mut self) -> BytesMut {
        let Some(buffer) = self.buffers.pop() else {
            return BytesMut::with_capacity(SPARE_BUFFER_BYTES_MIN);
        };
        self.bytes = self.bytes.saturating_sub(buffer.capacity());
        buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_the_order_they_came_in() {
        let mut spare = SpareBuffers::default();
        for step in 1..12 {
            let mut out = OutBuffer::default();
            out.tail(0, &mut spare).extend_from_slice(b"one");
            out.push_shared(Bytes::from_static(b"-shared-"));
            out.push_shared(Bytes::from_static(b"twice-"));
            out.tail(0, &mut spare).extend_from_slice(b"two");
            assert_eq!(out.len(), 20);
            let all: Vec<u8> = out.slices().iter().flat_map(|slice| slice.to_vec()).collect();
            assert_eq!(all, b"one-shared-twice-two");

            let mut written = Vec::new();
            while !out.is_empty() {
                let part = out.front();
                let part = part[..step.min(part.len())].to_vec();
                out.advance(part.len());
                written.extend(part);
            }
            assert_eq!((written.as_slice(), out.len()), (all.as_slice(), 0), "step {step}");
            out.release(&mut spare);
            assert_eq!(out.tail.capacity(), 0, "an empty buffer owns nothing");
        }
    }

    /// A slow reader costs what waits for it, and not what was written before or what a buffer has grown to.
    #[test]
    fn much_waits_in_pieces_that_go_as_they_are_written() {
        let (mut out, mut spare) = (OutBuffer::default(), SpareBuffers::default());
        let packets = vec![b'x'; 40 * 1024];
        let (mut pushed, mut waiting) = (0, 0);
        while pushed < 4 << 20 {
            out.push_packets(&packets, 1, &mut spare);
            pushed += packets.len();
            out.advance(30 * 1024);
            waiting += 10 * 1024;
            assert_eq!(out.len(), waiting);
            assert!(out.tail.capacity() <= 2 * SPARE_BUFFER_BYTES_MAX);
            assert!(out.pieces.iter().all(|piece| piece.len() <= SPARE_BUFFER_BYTES_MAX));
            let pieces_max = waiting / (200 * 1024) + 2;
            assert!(out.pieces.len() <= pieces_max, "{} at {waiting}", out.pieces.len());
        }
    }

    #[test]
    fn a_vectored_write_may_end_anywhere() {
        let mut spare = SpareBuffers::default();
        for written in 0..=11 {
            let mut out = OutBuffer::default();
            out.push_shared(Bytes::from_static(b"abc"));
            out.push_shared(Bytes::from_static(b"defg"));
            out.tail(0, &mut spare).extend_from_slice(b"hijk");
            out.advance(written);
            let mut rest = Vec::new();
            while !out.is_empty() {
                rest.extend(out.take(3));
            }
            assert_eq!(rest, &b"abcdefghijk"[written..]);
        }
    }
}
