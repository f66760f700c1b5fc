//! The packets of the connection as bytes, while a person looks at them: a ring of bounded size, from which
//! the oldest go first.
//!
//! The engine cuts what is sent and received into packets by their lengths and knows nothing else of them;
//! what their bytes mean is the page's affair, by the codec's `anatomy`.

use std::collections::VecDeque;

use crate::limits::{
    WIRE_BYTES_MAX, WIRE_HEAD_BYTES, WIRE_INTERVAL_MS, WIRE_PACKET_KEPT_MAX, WIRE_ROWS_MAX,
};
use crate::protocol::{Wire as Shown, WirePacket, WireRow, WireView};

/// What a packet costs beside its bytes.
const RECORD_BYTES: usize = size_of::<Record>();

#[derive(Debug)]
struct Record {
    seq: u64,
    at_ms: f64,
    is_sent: bool,
    level: u8,
    len: usize,
    bytes: Box<[u8]>,
}

/// One direction of the connection, cut into packets.
#[derive(Debug, Default)]
struct Cutter {
    /// The beginning of a packet that is not whole yet.
    kept: Vec<u8>,
    /// How long it is, once its header is there.
    len: Option<usize>,
    /// How much of it has come.
    come: usize,
    /// Whether it began where a packet begins.
    is_in_step: bool,
}

impl Cutter {
    /// Takes in bytes and hands over each packet that is whole, with its length.
    fn take(&mut self, mut bytes: &[u8], mut whole: impl FnMut(&[u8], usize)) {
        while !bytes.is_empty() {
            if self.len.is_none() {
                // A header is at most five bytes; what is no header is as long as what came of it.
                let Some((first, rest)) = bytes.split_first() else { return };
                self.kept.push(*first);
                (self.come, bytes) = (self.kept.len(), rest);
                self.len = packet_len(&self.kept);
                if self.len.is_none() && self.kept.len() >= 5 {
                    self.kept.extend_from_slice(bytes);
                    self.len = Some(self.kept.len());
                    (self.come, bytes) = (self.kept.len(), &[]);
                }
            }
            let Some(len) = self.len else { continue };
            let wanted = len.saturating_sub(self.come).min(bytes.len());
            let (part, rest) = bytes.split_at(wanted);
            let room = WIRE_PACKET_KEPT_MAX.saturating_sub(self.kept.len());
            self.kept.extend_from_slice(part.get(..room).unwrap_or(part));
            self.come = self.come.saturating_add(wanted);
            bytes = rest;
            if self.come >= len {
                whole(&self.kept, len);
                self.kept.clear();
                (self.len, self.come) = (None, 0);
            }
        }
    }
}

/// The length of a packet that begins so; none while its header is not whole.
fn packet_len(bytes: &[u8]) -> Option<usize> {
    let mut len = 0usize;
    for (place, byte) in bytes.iter().skip(1).take(4).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some(len.saturating_add(place).saturating_add(2));
        }
    }
    None
}

/// The packets, and what the page looks at of them.
#[derive(Debug, Default)]
pub struct Wire {
    view: Option<WireView>,
    /// The first number that is not shown while the list holds still.
    until: Option<u64>,
    /// The protocol level of the connection: 3, 4 or 5.
    level: u8,
    records: VecDeque<Record>,
    next: u64,
    bytes: usize,
    dropped: u64,
    sent: Cutter,
    received: Cutter,
    is_sent_ms: f64,
    next_sent: u64,
    is_changed: bool,
}

impl Wire {
    /// The page looks at these packets.
    pub fn show(&mut self, view: WireView) {
        self.until = match (self.until, view.is_held) {
            (Some(until), true) => Some(until),
            (None, true) => Some(self.next),
            (_, false) => None,
        };
        self.view = Some(view);
        self.is_changed = true;
    }

    /// The page looks at something else: nothing is recorded any more, nor kept.
    pub fn close(&mut self) {
        *self = Self::default();
    }

    /// What follows is of a connection of this protocol level.
    pub fn set_level(&mut self, level: u8) {
        self.level = level;
    }

    /// Another connection begins, and with it the first packet of either direction.
    pub fn begin(&mut self) {
        self.sent = Cutter { is_in_step: true, ..Cutter::default() };
        self.received = Cutter { is_in_step: true, ..Cutter::default() };
    }

    /// Takes in bytes. `is_start` says that a packet begins with the first of them.
    pub fn take(&mut self, is_sent: bool, bytes: &[u8], is_start: bool, now_ms: f64) {
        let mut cutter = std::mem::take(if is_sent { &mut self.sent } else { &mut self.received });
        cutter.is_in_step |= is_start;
        if cutter.is_in_step {
            cutter.take(bytes, |bytes, len| self.push(is_sent, bytes, len, now_ms));
        }
        *(if is_sent { &mut self.sent } else { &mut self.received }) = cutter;
    }

    fn push(&mut self, is_sent: bool, bytes: &[u8], len: usize, now_ms: f64) {
        let (seq, level) = (self.next, self.level);
        let record = Record { seq, at_ms: now_ms, is_sent, level, len, bytes: bytes.into() };
        self.next = self.next.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes.len()).saturating_add(RECORD_BYTES);
        self.records.push_back(record);
        while self.bytes > WIRE_BYTES_MAX
            && let Some(oldest) = self.records.pop_front()
        {
            let gone = oldest.bytes.len().saturating_add(RECORD_BYTES);
            self.bytes = self.bytes.saturating_sub(gone);
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// What the page shows, where that has changed.
    pub fn changed(&mut self, now_ms: f64) -> Option<Shown> {
        let view = self.view.as_ref()?;
        let is_new = self.next != self.next_sent && now_ms - self.is_sent_ms >= WIRE_INTERVAL_MS;
        if !self.is_changed && !is_new {
            return None;
        }
        let until = self.until.unwrap_or(self.next);
        let is_seen = |record: &&Record| {
            let kind = record.bytes.first().map_or(0, |first| first >> 4);
            let is_kind = view.kinds == 0 || view.kinds >> kind & 1 == 1;
            is_kind && record.seq < until && view.is_sent.is_none_or(|sent| sent == record.is_sent)
        };
        let (first, len) = (view.first as usize, (view.len as usize).min(WIRE_ROWS_MAX));
        let total = self.records.iter().filter(is_seen).count();
        let first = first.min(total.saturating_sub(len));
        let rows = self.records.iter().rev().filter(is_seen).skip(first).take(len).map(row);
        let chosen = view
            .chosen
            .and_then(|seq| self.record(seq))
            .map(|record| WirePacket { row: row(record), bytes: record.bytes.to_vec() });
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let shown = Shown {
            first: count(first),
            total: count(total),
            kept: self.records.len() as u64,
            dropped: self.dropped,
            new: self.next.saturating_sub(until),
            rows: rows.collect(),
            chosen,
        };
        self.is_changed = false;
        self.next_sent = self.next;
        self.is_sent_ms = now_ms;
        Some(shown)
    }

    fn record(&self, seq: u64) -> Option<&Record> {
        let first = self.records.front()?.seq;
        self.records.get(usize::try_from(seq.checked_sub(first)?).ok()?)
    }
}

fn row(record: &Record) -> WireRow {
    WireRow {
        seq: record.seq,
        at_ms: record.at_ms,
        is_sent: record.is_sent,
        level: record.level,
        len: record.len as u64,
        head: record.bytes.get(..WIRE_HEAD_BYTES).unwrap_or(&record.bytes).to_vec(),
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const PING: &[u8] = &[0xc0, 0];
    const PONG: &[u8] = &[0xd0, 0];

    fn open() -> Wire {
        let mut wire = Wire::default();
        wire.show(WireView { len: 100, ..WireView::default() });
        wire
    }

    fn seen(wire: &mut Wire) -> Vec<(bool, u64, Vec<u8>)> {
        wire.is_changed = true;
        let shown = wire.changed(0.0).unwrap();
        shown.rows.into_iter().map(|row| (row.is_sent, row.len, row.head)).collect()
    }

    #[test]
    fn nothing_is_recorded_before_a_packet_begins() {
        let mut wire = open();
        wire.take(false, &[1, 2, 3], false, 0.0);
        assert_eq!(seen(&mut wire), []);
        wire.take(false, PONG, true, 0.0);
        assert_eq!(seen(&mut wire), [(false, 2, PONG.to_vec())]);
        wire.close();
        assert_eq!(wire.changed(9_999.0), None);
    }

    #[test]
    fn packets_are_cut_however_they_come() {
        let long = [&[0x30, 0x90, 0x4e][..], &[7; 10_000]].concat();
        let all = [PONG, &long, PONG].concat();
        for piece in [1, 2, 3, 7, 4_096, all.len()] {
            let mut wire = open();
            wire.begin();
            for part in all.chunks(piece) {
                wire.take(false, part, false, 0.0);
            }
            let lens: Vec<_> = seen(&mut wire).iter().map(|(_, len, _)| *len).collect();
            assert_eq!(lens, [2, 10_003, 2], "pieces of {piece}");
        }
    }

    #[test]
    fn bytes_that_are_no_packet_are_shown_as_they_came() {
        let mut wire = open();
        wire.take(false, &[0xff; 20], true, 0.0);
        assert_eq!(seen(&mut wire), [(false, 20, vec![0xff; 20])]);
    }

    #[test]
    fn a_list_is_filtered_and_holds_still() {
        let mut wire = open();
        wire.begin();
        wire.take(true, PING, true, 0.0);
        wire.take(false, PONG, true, 1.0);
        let held = WireView { len: 10, is_held: true, chosen: Some(1), ..WireView::default() };
        wire.show(held.clone());
        wire.take(true, PING, true, 2.0);
        wire.show(held.clone());
        let shown = wire.changed(500.0).unwrap();
        assert_eq!((shown.total, shown.new, shown.kept), (2, 1, 3));
        assert_eq!(shown.chosen.unwrap().bytes, PONG);
        wire.show(WireView { kinds: 1 << 12, is_held: false, ..held });
        assert_eq!(seen(&mut wire).len(), 2);
        wire.show(WireView { is_sent: Some(false), is_held: false, ..held });
        assert_eq!(seen(&mut wire), [(false, 2, PONG.to_vec())]);
    }

    #[test]
    fn the_oldest_go_first_and_are_counted_and_long_ones_are_cut() {
        let mut wire = open();
        let len = 3 * WIRE_PACKET_KEPT_MAX;
        let mut long = vec![0x30, 0x80, 0x80, 0x0c];
        long.resize(len + 4, 0);
        let count = 2 * WIRE_BYTES_MAX / WIRE_PACKET_KEPT_MAX;
        for _ in 0..count {
            wire.take(false, &long, true, 0.0);
        }
        let shown = wire.changed(500.0).unwrap();
        assert_eq!(shown.kept + shown.dropped, count as u64);
        assert!(shown.dropped > 0 && wire.bytes <= WIRE_BYTES_MAX);
        assert_eq!(shown.rows[0].len as usize, len + 4);
        assert_eq!(wire.records[0].bytes.len(), WIRE_PACKET_KEPT_MAX);
    }
}
