//! The messages themselves, in the order in which they came: a ring of bounded size, from which the
//! oldest go first.
//!
//! Each message names the one before it of the same topic, so that one log is the history of all topics.

use std::collections::VecDeque;

use crate::store::TopicId;

/// The number of a message: they are counted from 1 as they come.
pub type Seq = u64;

/// Bytes of payloads and properties that one block of the log holds; a longer message has its own.
const BLOCK_BYTES: usize = 256 * 1024;

/// Messages that one block holds.
const BLOCK_ENTRIES: usize = 4_096;

/// A message as the log gives it back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry<'a> {
    /// Its number.
    pub seq: Seq,
    /// Its topic.
    pub topic: TopicId,
    /// When it arrived, in milliseconds since 1970.
    pub at_ms: f64,
    /// The payload, or its beginning.
    pub payload: &'a [u8],
    /// The length of the whole payload, in bytes.
    pub payload_len: usize,
    /// The bytes of its properties.
    pub properties: &'a [u8],
    /// 0, 1 or 2.
    pub qos: u8,
    /// The RETAIN flag.
    pub retain: bool,
    /// The message before it of the same topic; it may have gone.
    pub before: Option<Seq>,
}

impl Entry<'_> {
    /// Whether all of the payload is kept.
    pub fn is_whole(&self) -> bool {
        self.payload.len() == self.payload_len
    }
}

/// A message for the log.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    /// Its topic.
    pub topic: TopicId,
    /// When it arrived.
    pub at_ms: f64,
    /// What is kept of its payload.
    pub payload: &'a [u8],
    /// The length of the whole payload.
    pub payload_len: usize,
    /// The bytes of its properties.
    pub properties: &'a [u8],
    /// 0, 1 or 2.
    pub qos: u8,
    /// The RETAIN flag.
    pub retain: bool,
    /// The message before it of the same topic.
    pub before: Option<Seq>,
}

#[derive(Debug)]
struct Slot {
    at_ms: f64,
    before: Seq,
    topic: TopicId,
    start: u32,
    payload: u32,
    properties: u32,
    payload_len: u32,
    qos: u8,
    retain: bool,
}

#[derive(Debug)]
struct Block {
    first: Seq,
    slots: Vec<Slot>,
    data: Vec<u8>,
}

impl Block {
    fn bytes(&self) -> usize {
        let slots = self.slots.capacity().saturating_mul(size_of::<Slot>());
        self.data.capacity().saturating_add(slots)
    }

    fn has_room(&self, len: usize) -> bool {
        self.slots.len() < BLOCK_ENTRIES && self.data.len().saturating_add(len) <= BLOCK_BYTES
    }

    fn entry(&self, index: usize) -> Option<Entry<'_>> {
        let slot = self.slots.get(index)?;
        let (_, data) = self.data.split_at_checked(slot.start as usize)?;
        let (payload, data) = data.split_at_checked(slot.payload as usize)?;
        Some(Entry {
            seq: self.first.saturating_add(index as u64),
            topic: slot.topic,
            at_ms: slot.at_ms,
            payload,
            payload_len: slot.payload_len as usize,
            properties: data.get(..slot.properties as usize)?,
            qos: slot.qos,
            retain: slot.retain,
            before: (slot.before > 0).then_some(slot.before),
        })
    }
}

/// The log.
#[derive(Debug)]
pub struct Log {
    blocks: VecDeque<Block>,
    next: Seq,
    bytes: usize,
    bytes_max: usize,
}

impl Log {
    /// An empty log of at most so many bytes; the newest message is kept even where it has more.
    pub fn new(bytes_max: usize) -> Self {
        Self { blocks: VecDeque::new(), next: 1, bytes: 0, bytes_max }
    }

    /// Adds a message. Says its number, and how many had to go to make room for it.
    pub fn push(&mut self, new: New<'_>) -> (Seq, u64) {
        let seq = self.next;
        self.next = self.next.saturating_add(1);
        let len = new.payload.len().saturating_add(new.properties.len());
        if !self.blocks.back().is_some_and(|block| block.has_room(len)) {
            // Where one block was filled, the next is likely to be: its memory is taken in one piece.
            let (slots, data) =
                self.blocks.back().map_or((0, 0), |block| (block.slots.len(), block.data.len()));
            let (slots, data) = (Vec::with_capacity(slots), Vec::with_capacity(data.max(len)));
            let block = Block { first: seq, slots, data };
            self.bytes = self.bytes.saturating_add(block.bytes());
            self.blocks.push_back(block);
        }
        if let Some(block) = self.blocks.back_mut() {
            let before = block.bytes();
            let size = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
            block.slots.push(Slot {
                at_ms: new.at_ms,
                before: new.before.unwrap_or(0),
                topic: new.topic,
                start: size(block.data.len()),
                payload: size(new.payload.len()),
                properties: size(new.properties.len()),
                payload_len: size(new.payload_len),
                qos: new.qos,
                retain: new.retain,
            });
            block.data.extend_from_slice(new.payload);
            block.data.extend_from_slice(new.properties);
            self.bytes = self.bytes.saturating_add(block.bytes().saturating_sub(before));
        }
        (seq, self.make_room())
    }

    /// Keeps to so many bytes from now on. Says how many messages had to go.
    pub fn set_bytes_max(&mut self, bytes_max: usize) -> u64 {
        self.bytes_max = bytes_max;
        self.make_room()
    }

    fn make_room(&mut self) -> u64 {
        let mut gone = 0u64;
        while self.bytes > self.bytes_max && self.blocks.len() > 1 {
            if let Some(block) = self.blocks.pop_front() {
                self.bytes = self.bytes.saturating_sub(block.bytes());
                gone = gone.saturating_add(block.slots.len() as u64);
            }
        }
        gone
    }

    /// The number of the oldest message that is kept, or of the next one to come.
    pub fn first(&self) -> Seq {
        self.blocks.front().map_or(self.next, |block| block.first)
    }

    /// The number of the next message to come.
    pub fn next(&self) -> Seq {
        self.next
    }

    /// The memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// One message, if it is still there.
    pub fn get(&self, seq: Seq) -> Option<Entry<'_>> {
        let at = self.blocks.partition_point(|block| block.first <= seq).checked_sub(1)?;
        let block = self.blocks.get(at)?;
        block.entry(usize::try_from(seq.checked_sub(block.first)?).ok()?)
    }

    /// A message and those before it of the same topic, the newest first, as far as they are kept.
    pub fn back_from(&self, seq: Option<Seq>) -> impl Iterator<Item = Entry<'_>> {
        let newest = seq.and_then(|seq| self.get(seq));
        std::iter::successors(newest, |entry| entry.before.and_then(|seq| self.get(seq)))
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn push(log: &mut Log, topic: TopicId, payload: &[u8], before: Option<Seq>) -> (Seq, u64) {
        log.push(New {
            topic,
            at_ms: 1.0,
            payload,
            payload_len: payload.len(),
            properties: b"p",
            qos: 1,
            retain: true,
            before,
        })
    }

    #[test]
    fn what_went_in_comes_out() {
        let mut log = Log::new(1 << 20);
        assert_eq!((log.first(), log.next()), (1, 1));
        let (a, _) = push(&mut log, 7, b"one", None);
        let (b, _) = push(&mut log, 8, b"", None);
        let (c, _) = push(&mut log, 7, b"two", Some(a));
        let entry = log.get(c).unwrap();
        assert_eq!((entry.payload, entry.properties, entry.topic), (&b"two"[..], &b"p"[..], 7));
        assert!(entry.is_whole() && entry.retain && entry.qos == 1);
        let of_topic: Vec<_> = log.back_from(Some(c)).map(|entry| entry.payload).collect();
        assert_eq!(of_topic, [&b"two"[..], b"one"]);
        assert_eq!(log.get(b).unwrap().payload, b"");
        assert_eq!((log.get(0), log.get(4)), (None, None));
    }

    #[test]
    fn the_oldest_go_first_and_each_is_accounted_for() {
        let mut log = Log::new(2 << 20);
        let mut gone = 0;
        let mut before = None;
        for n in 0..50_000u32 {
            let (seq, dropped) = push(&mut log, 0, format!("{n:0>200}").as_bytes(), before);
            gone += dropped;
            before = Some(seq);
            assert!(log.bytes() <= 2 << 20, "{}", log.bytes());
        }
        assert_eq!(log.next() - log.first() + gone, 50_000);
        assert_eq!(log.first(), gone + 1);
        let kept = log.back_from(before).count() as u64;
        assert_eq!(kept, log.next() - log.first(), "the history ends where the log begins");
    }

    #[test]
    fn one_message_larger_than_all_the_room_is_kept_alone() {
        let mut log = Log::new(1_000);
        push(&mut log, 0, b"small", None);
        let (seq, gone) = push(&mut log, 0, &vec![1; 1 << 20], None);
        assert_eq!(gone, 1);
        assert_eq!(log.get(seq).map(|entry| entry.payload.len()), Some(1 << 20));
        assert_eq!(log.first(), seq);
    }
}
