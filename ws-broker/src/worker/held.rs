//! Answers of one connection to what is not stored yet.
//!
//! They are encoded when they are given, one behind the other: those that wait for the same, as most do, are
//! sent by copying some bytes once.

use std::collections::VecDeque;

use codec::{EncodeError, Packet, ProtocolVersion};

use crate::limits::HELD_ANSWERS_MAX;
use crate::worker::keeper::WaitKey;
use crate::worker::out::{OutBuffer, SpareBuffers};
use crate::worker::trace;

/// What an answer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// This parcel of the worker is stored.
    Stored(u64),
    Settled(WaitKey),
}

/// Answers that wait, and those behind them. It owns no memory while there are none.
#[derive(Debug, Default)]
pub(crate) struct HeldAnswers {
    runs: VecDeque<Run>,
    encoded: OutBuffer,
    packets: usize,
    /// The answers once more, while each that is sent is logged.
    said: VecDeque<Packet>,
}

/// Answers one behind the other that wait for the same; for nothing but those before them, if `until` is
/// `None`.
#[derive(Debug)]
struct Run {
    until: Option<Until>,
    packets: u32,
    bytes: usize,
}

impl HeldAnswers {
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether so many wait that there are to be no more.
    pub(crate) fn is_full(&self) -> bool {
        self.packets > HELD_ANSWERS_MAX
    }

    /// Adds an answer behind the others.
    ///
    /// # Errors
    /// As for [`OutBuffer::append`].
    pub(crate) fn push(
        &mut self,
        until: Option<Until>,
        packet: Packet,
        version: ProtocolVersion,
        size_max: u32,
        spare: &mut SpareBuffers,
    ) -> Result<(), EncodeError> {
        let before = self.encoded.len();
        self.encoded.append(&packet, version, size_max, spare)?;
        let bytes = self.encoded.len().saturating_sub(before);
        match self.runs.back_mut() {
            Some(run) if run.until == until => {
                run.packets = run.packets.saturating_add(1);
                run.bytes = run.bytes.saturating_add(bytes);
            }
            _ => self.runs.push_back(Run { until, packets: 1, bytes }),
        }
        self.packets = self.packets.saturating_add(1);
        if trace::is_on() {
            self.said.push_back(packet);
        }
        Ok(())
    }

    /// What answers waited for has come to be. Their runs are looked for from the front, where they are
    /// if things come to be in the order in which they were asked for.
    pub(crate) fn release(&mut self, until: Until) {
        for run in &mut self.runs {
            if run.until == Some(until) {
                run.until = None;
                if matches!(until, Until::Settled(_)) {
                    return;
                }
            }
        }
    }

    /// Moves the answers that wait for nothing any more, and says how many bytes they have.
    pub(crate) fn move_ready(
        &mut self,
        to: &mut OutBuffer,
        client_id: &str,
        spare: &mut SpareBuffers,
    ) -> usize {
        let mut moved: usize = 0;
        while let Some(run) = self.runs.pop_front_if(|run| run.until.is_none()) {
            let bytes = self.encoded.front().get(..run.bytes).unwrap_or_default();
            to.push_packets(bytes, run.packets, spare);
            self.encoded.advance(run.bytes);
            moved = moved.saturating_add(run.bytes);
            self.packets = self.packets.saturating_sub(run.packets as usize);
            for packet in self.said.drain(..self.said.len().min(run.packets as usize)) {
                trace::sending(client_id, &packet);
            }
        }
        if self.runs.is_empty() {
            self.encoded.release(spare);
            self.runs = VecDeque::new();
            self.said = VecDeque::new();
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use codec::{Ack, PacketId, ReasonCode};

    use super::*;

    fn puback(id: u16) -> Packet {
        Packet::PubAck(Ack::new(PacketId::new(id).unwrap(), ReasonCode::Success))
    }

    /// Adds answers with the identifiers 1, 2, 3…, each of which waits for what stands there.
    fn holding(untils: &[Option<Until>], spare: &mut SpareBuffers) -> HeldAnswers {
        let mut held = HeldAnswers::default();
        for (id, until) in (1..).zip(untils) {
            held.push(*until, puback(id), ProtocolVersion::V311, 100, spare).unwrap();
        }
        held
    }

    /// The identifiers of the answers that can be sent now.
    fn ready(held: &mut HeldAnswers, spare: &mut SpareBuffers) -> Vec<u8> {
        let mut out = OutBuffer::default();
        let bytes = held.move_ready(&mut out, "client", spare);
        assert_eq!(bytes, out.len());
        let packets = out.front().chunks(4);
        let ids: Vec<u8> = packets.map(|packet| packet[3]).collect();
        assert_eq!(out.take_packets() as usize, ids.len());
        ids
    }

    #[test]
    fn answers_are_sent_in_their_order_whatever_comes_to_be_first() {
        let (stored, settled) = (|parcel| Some(Until::Stored(parcel)), Some(Until::Settled(5)));
        let untils = [stored(7), stored(7), settled, None, None, stored(7), stored(8)];
        let spare = &mut SpareBuffers::default();
        let mut held = holding(&untils, spare);
        assert_eq!(held.packets, 7);
        assert!(ready(&mut held, spare).is_empty());
        held.release(Until::Stored(8));
        assert!(ready(&mut held, spare).is_empty());
        held.release(Until::Stored(7));
        assert_eq!(ready(&mut held, spare), [1, 2]);
        assert_eq!(held.packets, 5);
        held.release(Until::Settled(5));
        assert_eq!(ready(&mut held, spare), [3, 4, 5, 6, 7]);
        assert!(held.is_empty());
        assert_eq!(held.packets, 0);
    }

    #[test]
    fn those_that_wait_for_the_same_are_one_run() {
        let spare = &mut SpareBuffers::default();
        let held = holding(&[Some(Until::Stored(1)); 40], spare);
        assert_eq!((held.runs.len(), held.packets), (1, 40));
    }

    #[test]
    fn an_answer_that_the_client_does_not_take_is_not_held() {
        let spare = &mut SpareBuffers::default();
        let mut held = HeldAnswers::default();
        let until = Some(Until::Stored(1));
        let done = held.push(until, puback(1), ProtocolVersion::V5, 3, spare);
        assert_eq!(done, Err(EncodeError::TooLarge));
        assert!(held.is_empty());
    }
}
