//! Numbers and when they came, packed into two or three bytes each where they are what sensors say.
//!
//! Full blocks are packed: of each point there is how much later it came than the one before, and how much
//! higher it is, counted in its last digit. Whatever can't be had back bit by bit that way stays as it is.

use std::cell::RefCell;
use std::collections::VecDeque;

use crate::number::{POWERS, Style};

/// Points that are packed together, and looked at together when a chart shows many in one column of pixels.
const BLOCK_LEN: usize = 64;

/// There is room for so many blocks at least, and for so many more.
const BLOCKS_MORE: usize = 4;

/// What the allocator needs for each packed block beside its bytes.
const BLOCK_OVERHEAD: usize = 8;

/// From here on not every integer is an `f64`.
const INTEGERS_MAX: f64 = 9_007_199_254_740_992.0;

/// The scale of a block of which the values stand as they are.
const AS_THEY_ARE: u8 = 0xff;

/// The style of a block in which each point has its own.
const EACH_ITS_OWN: u8 = 0xfe;

/// [`Style::Near`] as a byte; any other is a number of decimals.
const NEAR: u8 = 0xff;

/// One number and when it arrived.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) value: f64,
    /// When, in steps of the history's clock.
    pub(crate) tick: u32,
    pub(crate) style: Style,
}

/// Points of a block, unpacked.
type Unpacked = [Point; BLOCK_LEN];

const NOTHING: Point = Point { value: 0.0, tick: 0, style: Style::Near };

/// A full block: its points, and what they have in common.
#[derive(Debug)]
pub(crate) struct Block {
    /// The lowest number.
    pub(crate) low: f64,
    /// The highest number.
    pub(crate) high: f64,
    /// The sum of all numbers.
    pub(crate) sum: f64,
    packed: Box<[u8]>,
    tick: u32,
    /// How the lowest number was written.
    pub(crate) low_style: Style,
    /// How the highest number was written.
    pub(crate) high_style: Style,
}

/// Points in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Points {
    blocks: VecDeque<Block>,
    /// Those that fill no block yet.
    tail: Vec<Point>,
    /// So many at the beginning of the first block, or of the tail where there is none, are forgotten.
    skipped: usize,
    len: usize,
    packed_bytes: usize,
}

impl Points {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The memory they take, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let blocks = self.blocks.capacity().saturating_mul(size_of::<Block>());
        let tail = self.tail.capacity().saturating_mul(size_of::<Point>());
        blocks.saturating_add(tail).saturating_add(self.packed_bytes)
    }

    /// Adds one that came after all others.
    pub(crate) fn push(&mut self, point: Point) {
        self.tail.push(point);
        self.len = self.len.saturating_add(1);
        if let Some(full) = self.tail.first_chunk::<BLOCK_LEN>() {
            let block = Block::new(full);
            self.packed_bytes = self.packed_bytes.saturating_add(block.bytes());
            if self.blocks.len() == self.blocks.capacity() {
                // Not to double: many topics come to their next size in the same moment.
                self.blocks.reserve_exact((self.blocks.len() / 4).max(BLOCKS_MORE));
            }
            self.blocks.push_back(block);
            self.tail.clear();
        }
    }

    /// Forgets the oldest.
    pub(crate) fn forget(&mut self, count: usize) {
        self.len = self.len.saturating_sub(count);
        if self.len == 0 {
            *self = Self::default();
            return;
        }
        self.skipped = self.skipped.saturating_add(count);
        while self.skipped >= BLOCK_LEN
            && let Some(block) = self.blocks.pop_front()
        {
            self.packed_bytes = self.packed_bytes.saturating_sub(block.bytes());
            self.skipped = self.skipped.saturating_sub(BLOCK_LEN);
        }
    }

    /// Gives back memory that is not needed any more.
    pub(crate) fn shrink(&mut self) {
        if self.blocks.capacity() / 4 > self.blocks.len() {
            self.blocks.shrink_to_fit();
        }
    }

    /// The newest one.
    pub(crate) fn newest(&self) -> Option<Point> {
        match self.tail.last() {
            Some(point) => Some(*point),
            None => self.reader().get(self.len.checked_sub(1)?),
        }
    }

    /// How many come first for which this is true of the time; it is of none that comes after one for which
    /// it is not.
    pub(crate) fn partition_point(&self, is_before: impl Fn(u32) -> bool) -> usize {
        let blocks = self.blocks.partition_point(|block| is_before(block.tick));
        let within = |points: &[Point]| points.partition_point(|point| is_before(point.tick));
        let mut count = blocks.saturating_mul(BLOCK_LEN);
        if let Some(block) = blocks.checked_sub(1).and_then(|last| self.blocks.get(last)) {
            let inside = within(&block.unpack());
            count = count.saturating_sub(BLOCK_LEN).saturating_add(inside);
            if inside < BLOCK_LEN {
                return count.saturating_sub(self.skipped);
            }
        }
        if blocks == self.blocks.len() {
            count = count.saturating_add(within(&self.tail));
        }
        count.saturating_sub(self.skipped)
    }

    /// Reads many of them.
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { points: self, unpacked: RefCell::new((usize::MAX, [NOTHING; BLOCK_LEN])) }
    }
}

/// Reads points by their place. The block of the last one is unpacked: the next is often in the same.
pub(crate) struct Reader<'a> {
    points: &'a Points,
    unpacked: RefCell<(usize, Unpacked)>,
}

impl Reader<'_> {
    /// The point at a place, counted from the oldest.
    pub(crate) fn get(&self, at: usize) -> Option<Point> {
        let number = at.checked_add(self.points.skipped)?;
        let (index, offset) = (number / BLOCK_LEN, number % BLOCK_LEN);
        let Some(block) = self.points.blocks.get(index) else {
            let packed = self.points.blocks.len().saturating_mul(BLOCK_LEN);
            return self.points.tail.get(number.checked_sub(packed)?).copied();
        };
        let mut unpacked = self.unpacked.borrow_mut();
        if unpacked.0 != index {
            *unpacked = (index, block.unpack());
        }
        unpacked.1.get(offset).copied()
    }

    /// The full block that begins at a place and ends before the other, and how many points it has.
    pub(crate) fn block(&self, at: usize, until: usize) -> Option<(&Block, usize)> {
        let number = at.checked_add(self.points.skipped)?;
        let is_whole = number.is_multiple_of(BLOCK_LEN) && at.checked_add(BLOCK_LEN)? <= until;
        let block = self.points.blocks.get(number / BLOCK_LEN).filter(|_| is_whole)?;
        Some((block, BLOCK_LEN))
    }
}

impl Block {
    fn new(points: &Unpacked) -> Self {
        let [first, ..] = points;
        let (mut low, mut high, mut sum) = (first, first, 0.0);
        for point in points {
            low = if point.value < low.value { point } else { low };
            high = if point.value > high.value { point } else { high };
            sum += point.value;
        }
        Self {
            low: low.value,
            high: high.value,
            sum,
            packed: pack(points).into(),
            tick: first.tick,
            low_style: low.style,
            high_style: high.style,
        }
    }

    fn bytes(&self) -> usize {
        self.packed.len().saturating_add(BLOCK_OVERHEAD)
    }

    fn unpack(&self) -> Unpacked {
        let mut bytes = Bytes(&self.packed);
        let (scale, style) = (bytes.next(), bytes.next());
        let power = POWERS.get(usize::from(scale));
        let (mut tick, mut digits) = (self.tick, 0i64);
        std::array::from_fn(|_| {
            tick = tick.wrapping_add(bytes.number() as u32);
            let style = if style == EACH_ITS_OWN { bytes.next() } else { style };
            let value = match power {
                Some(power) => {
                    digits = digits.wrapping_add(unfolded(bytes.number()));
                    digits as f64 / power
                }
                None => f64::from_le_bytes(std::array::from_fn(|_| bytes.next())),
            };
            Point { value, tick, style: from_byte(style) }
        })
    }
}

/// A scale, a style, and then of each point the time, the style where each has its own, and the value.
fn pack(points: &Unpacked) -> Vec<u8> {
    let [first, ..] = points;
    let is_alike = points.iter().all(|point| point.style == first.style);
    let scale = points.iter().map(|point| to_byte(point.style)).max().unwrap_or(NEAR);
    let digits = POWERS.get(usize::from(scale)).and_then(|power| all_whole(points, *power));
    let is_whole = digits.is_some();
    let mut out = Vec::with_capacity(BLOCK_LEN * 3);
    out.push(if is_whole { scale } else { AS_THEY_ARE });
    out.push(if is_alike { to_byte(first.style) } else { EACH_ITS_OWN });
    let (mut tick, mut before) = (first.tick, 0i64);
    for (point, digits) in points.iter().zip(digits.unwrap_or([0; BLOCK_LEN])) {
        // One that came before its predecessor, as a clock can be set back, is very much later.
        push_number(&mut out, point.tick.wrapping_sub(tick).into());
        tick = point.tick;
        if !is_alike {
            out.push(to_byte(point.style));
        }
        if is_whole {
            push_number(&mut out, folded(digits.wrapping_sub(before)));
            before = digits;
        } else {
            out.extend(point.value.to_le_bytes());
        }
    }
    out
}

fn all_whole(points: &Unpacked, power: f64) -> Option<[i64; BLOCK_LEN]> {
    let mut all = [0; BLOCK_LEN];
    for (digits, point) in all.iter_mut().zip(points) {
        *digits = whole(point.value, power)?;
    }
    Some(all)
}

/// The value as a number of its last digits, if that says it to the bit.
fn whole(value: f64, power: f64) -> Option<i64> {
    let digits = (value * power).round();
    let is_same = (digits / power).to_bits() == value.to_bits();
    (is_same && digits.abs() <= INTEGERS_MAX).then_some(digits as i64)
}

fn to_byte(style: Style) -> u8 {
    match style {
        Style::Decimals(decimals) => decimals,
        Style::Near => NEAR,
    }
}

fn from_byte(byte: u8) -> Style {
    if byte == NEAR { Style::Near } else { Style::Decimals(byte) }
}

/// Small numbers of either sign as small ones without.
fn folded(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unfolded(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// Seven bits in a byte, the low ones first; the eighth says that there are more.
fn push_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Bytes that are read from the beginning; behind their end there are zeros.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> u64 {
        let mut number = 0u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.next();
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        number
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::number;

    fn point(tick: u32, text: &str) -> Point {
        let number = number::parse(text).unwrap();
        Point { value: number.value, tick, style: number.style }
    }

    /// Bit by bit: `-0` is not `0`.
    fn exact(point: Point) -> (u64, u32, Style) {
        (point.value.to_bits(), point.tick, point.style)
    }

    #[test]
    fn what_sensors_say_takes_three_bytes_with_all_that_belongs_to_it() {
        let mut points = Points::default();
        for n in 0..10_240u32 {
            points.push(point(n * 50, &format!("{}.{:02}", 20 + n % 7, n % 100)));
        }
        assert!(points.bytes() < 10_240 * 5, "{}", points.bytes());
        let steady: Vec<_> = (0..64).map(|n| point(n * 100, "21.5")).collect();
        assert_eq!(pack(steady.first_chunk().unwrap()).len(), 2 + 64 * 2 + 1);
    }

    #[test]
    fn every_number_comes_back_to_the_bit() {
        let texts = [
            "21.5",
            "0",
            "-0",
            "-0.0",
            "9007199254740993",
            "1e300",
            "-1e-300",
            "0.1",
            "12",
            "3.14159265358979",
            "123456789012345",
            "-7.25",
            "18446744073709551615",
            "0.000000000000001",
            "5e-324",
        ];
        for seed in 0..200u64 {
            let mut random = fastrand::Rng::with_seed(seed);
            // Some blocks are of one kind, some of all.
            let kinds = random.usize(1..=texts.len());
            let mut points = Points::default();
            let mut all = Vec::new();
            let mut tick = random.u32(..);
            for _ in 0..random.usize(..400) {
                let later_max = 1u32 << random.u32(..31);
                tick = tick.wrapping_add(random.u32(..later_max));
                let next = match random.u8(..3) {
                    0 => point(tick, random.choice(&texts[..kinds]).unwrap()),
                    1 => point(tick, &format!("{}.{}", random.i32(-99..99), random.u32(..1000))),
                    _ => point(tick, &random.i64(..).to_string()),
                };
                points.push(next);
                all.push(next);
                if random.u8(..100) == 0 {
                    let gone = random.usize(..=all.len());
                    points.forget(gone);
                    all.drain(..gone);
                }
            }
            assert_eq!(points.len(), all.len(), "seed {seed}");
            let reader = points.reader();
            for (at, expected) in all.iter().enumerate() {
                let found = reader.get(at).map(exact);
                assert_eq!(found, Some(exact(*expected)), "seed {seed}, {at}");
            }
            assert_eq!(reader.get(all.len()), None, "seed {seed}");
            assert_eq!(points.newest().map(exact), all.last().copied().map(exact), "seed {seed}");
            if all.is_empty() {
                assert_eq!(points.bytes(), 0, "seed {seed}");
            }
        }
    }

    #[test]
    fn a_moment_is_found_in_blocks_and_behind_them() {
        for len in [0, 1, 63, 64, 65, 200] {
            for gone in [0, 1, 63, 64, 100] {
                let mut points = Points::default();
                (0..len).for_each(|n| points.push(point(n * 10, "1")));
                points.forget(gone);
                let kept: Vec<_> = (0..len).skip(gone).map(|n| n * 10).collect();
                for moment in [0, 5, 630, 640, 645, 1000, 1990, 5000] {
                    let expected = kept.partition_point(|tick| *tick < moment);
                    let found = points.partition_point(|tick| tick < moment);
                    assert_eq!(found, expected, "{moment} of {len} without {gone}");
                }
            }
        }
    }
}
