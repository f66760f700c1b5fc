//! The numbers that one topic has said, and the line through them as a sparkline draws it.
//!
//! Nothing is smoothed: each column of pixels shows the lowest and the highest number of its time,
//! and where there was no connection, or nothing was said for far longer than usual, there is a gap.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::limits::{CHART_WIDTH_MAX, GAPS_MAX};
use crate::number::{Number, Style};
use crate::points::{Point, Points, Reader};

/// Milliseconds of one tick of a history's clock, which reaches 497 days.
const TICK_MS: f64 = 10.0;

/// The numbers of one topic in the order in which they arrived.
///
/// The extremes and the sum of each block of points stand beside it, so that what a chart costs follows its
/// width more than the number of points: a million of them is a few thousandths of a second.
#[derive(Debug, Default)]
pub struct History {
    points: Points,
}

/// A time without a connection, in milliseconds of the same clock as the points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// When the connection was lost.
    pub from_ms: f64,
    /// When it was there again; infinite while it is not.
    pub to_ms: f64,
}

/// The times without a connection, oldest first.
#[derive(Debug, Default)]
pub struct Gaps {
    gaps: VecDeque<Gap>,
}

impl Gaps {
    /// The connection is lost.
    pub fn begin(&mut self, now_ms: f64) {
        if self.gaps.back().is_some_and(|gap| gap.to_ms.is_infinite()) {
            return;
        }
        if self.gaps.len() >= GAPS_MAX {
            self.gaps.pop_front();
        }
        self.gaps.push_back(Gap { from_ms: now_ms, to_ms: f64::INFINITY });
    }

    /// The connection is there again.
    pub fn end(&mut self, now_ms: f64) {
        if let Some(gap) = self.gaps.back_mut().filter(|gap| gap.to_ms.is_infinite()) {
            gap.to_ms = now_ms;
        }
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Gap> {
        self.gaps.iter()
    }
}

/// What a chart looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// The left edge, in milliseconds.
    pub from_ms: f64,
    /// The right edge, in milliseconds.
    pub to_ms: f64,
    /// Columns of pixels between them.
    pub width: u16,
}

/// A line, ready to be drawn.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sparkline {
    /// The columns that have numbers, from left to right.
    pub columns: Vec<Column>,
    /// The width that the columns are counted in.
    pub width: u16,
}

/// The numbers of one column of pixels. Heights go from 0, the lowest of the line, to 65 535.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Which column, from 0 at the left edge.
    pub x: u16,
    /// The height of the first number.
    pub first: u16,
    /// The height of the lowest number.
    pub low: u16,
    /// The height of the highest number.
    pub high: u16,
    /// The height of the last number.
    pub last: u16,
    /// Whether nothing is known of the time since the column before, so that no line joins the two.
    pub gap: bool,
}

/// The numbers of one column of pixels, as they are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Slice {
    /// Which column, from 0 at the left edge.
    pub x: u16,
    /// How many numbers there are.
    pub count: u32,
    /// When the first arrived, in milliseconds of the points' clock.
    pub from_ms: f64,
    /// When the last arrived.
    pub to_ms: f64,
    /// The first.
    pub first: f64,
    /// The last.
    pub last: Extreme,
    /// The lowest.
    pub low: Extreme,
    /// The highest.
    pub high: Extreme,
    /// Their sum.
    pub sum: f64,
    /// Whether nothing is known of the time since the column before, so that no line joins the two.
    pub gap: bool,
}

/// A number beside what a chart shows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Neighbor {
    /// When it arrived, in milliseconds of the points' clock.
    pub at_ms: f64,
    /// The number.
    pub value: f64,
}

/// A number of the history that stands out, and how it was written.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Extreme {
    /// The number.
    pub value: f64,
    /// How it was written.
    pub style: Style,
}

/// The lowest and the highest of some numbers, and their mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The lowest number.
    pub low: Extreme,
    /// The highest number.
    pub high: Extreme,
    /// The mean of all of them.
    pub mean: f64,
    /// How many there are.
    pub count: u32,
}

/// The lowest and the highest of all slices, and the mean of their numbers; none where there is no slice.
pub fn summary(slices: &[Slice]) -> Option<Summary> {
    let first = slices.first()?;
    let (mut low, mut high, mut sum, mut count) = (first.low, first.high, 0.0, 0u32);
    for slice in slices {
        low = lower(low, slice.low);
        high = higher(high, slice.high);
        sum += slice.sum;
        count = count.saturating_add(slice.count);
    }
    Some(Summary { low, high, mean: sum / f64::from(count.max(1)), count })
}

/// The same line for a small picture, which needs no numbers.
pub fn sparkline(slices: &[Slice], width: u16) -> Sparkline {
    let Some(Summary { low, high, .. }) = summary(slices) else { return Sparkline::default() };
    let height = |value: f64| {
        let range = high.value - low.value;
        // A line that is level runs through the middle.
        let part = if range > 0.0 { (value - low.value) / range } else { 0.5 };
        (part * f64::from(u16::MAX)).round() as u16
    };
    let column = |slice: &Slice| Column {
        x: slice.x,
        first: height(slice.first),
        low: height(slice.low.value),
        high: height(slice.high.value),
        last: height(slice.last.value),
        gap: slice.gap,
    };
    Sparkline { columns: slices.iter().map(column).collect(), width: width.max(1) }
}

fn lower(a: Extreme, b: Extreme) -> Extreme {
    if b.value < a.value { b } else { a }
}

fn higher(a: Extreme, b: Extreme) -> Extreme {
    if b.value > a.value { b } else { a }
}

impl History {
    /// How many points there are.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The memory it takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.points.bytes()
    }

    /// Adds a number that arrived `at_ms` after the store's beginning. Says whether the oldest had to
    /// go so that there are no more than `points_max`.
    pub fn push(&mut self, at_ms: f64, number: &Number<'_>, points_max: usize) -> bool {
        let is_full = self.len() >= points_max;
        if is_full {
            self.points.forget(1);
        }
        let Number { value, style, .. } = *number;
        self.points.push(Point { value, tick: tick(at_ms), style });
        is_full
    }

    /// When the oldest point arrived, in milliseconds.
    pub fn oldest_ms(&self) -> Option<f64> {
        self.points.reader().get(0).map(|point| ms(point.tick))
    }

    /// The newest point: when it arrived, in milliseconds, and the number.
    pub fn newest(&self) -> Option<(f64, f64)> {
        self.points.newest().map(|point| (ms(point.tick), point.value))
    }

    /// Forgets what arrived before `at_ms` and gives the memory back. Says how many points that was.
    pub fn forget_before(&mut self, at_ms: f64) -> usize {
        let count = self.points.partition_point(|tick| ms(tick) < at_ms);
        if count > 0 {
            self.points.forget(count);
            self.points.shrink();
        }
        count
    }

    /// The numbers of a span, column by column. No line joins what a gap parts, nor what lies further
    /// apart than `apart_ms_max`.
    pub fn slices(&self, span: Span, gaps: &Gaps, apart_ms_max: f64) -> Vec<Slice> {
        let width = span.width.clamp(1, CHART_WIDTH_MAX);
        let scale = f64::from(width) / (span.to_ms - span.from_ms).max(1.0);
        let column = |at_ms: f64| {
            ((at_ms - span.from_ms) * scale).floor().min(f64::from(width) - 1.0) as u16
        };
        let points = self.points.reader();
        let mut at = self.points.partition_point(|tick| ms(tick) < span.from_ms);
        let end = self.points.partition_point(|tick| ms(tick) <= span.to_ms);
        // The points that come first after a gap.
        let mut breaks = gaps
            .iter()
            .map(|gap| self.points.partition_point(|tick| ms(tick) <= gap.from_ms))
            .filter(|first| (at + 1..end).contains(first))
            .collect::<VecDeque<usize>>();
        let mut slices: Vec<Slice> = Vec::new();
        while let Some(point) = points.get(at).filter(|_| at < end) {
            let from_ms = ms(point.tick);
            let mut gap = slices.last().is_some_and(|s| from_ms - s.to_ms > apart_ms_max);
            while breaks.front().is_some_and(|first| *first <= at) {
                gap |= breaks.pop_front() == Some(at);
            }
            let x = column(from_ms);
            let until = breaks.front().copied().unwrap_or(end);
            let next = first_beyond(&points, at, until, |tick| column(ms(tick)) > x);
            slices.extend(slice(&points, at, next, x, gap));
            at = next;
        }
        slices
    }

    /// The points before and behind a span that a line into it comes from and goes to: when they arrived,
    /// and their numbers. None where a gap lies between.
    pub fn neighbors(
        &self,
        span: Span,
        gaps: &Gaps,
        apart_ms_max: f64,
    ) -> (Option<Neighbor>, Option<Neighbor>) {
        let points = self.points.reader();
        let first = self.points.partition_point(|tick| ms(tick) < span.from_ms);
        let next = self.points.partition_point(|tick| ms(tick) <= span.to_ms);
        let neighbor = |at: Option<usize>, other: Option<usize>| {
            let (point, other) = (points.get(at?)?, points.get(other?)?);
            let (from_ms, to_ms) = (ms(point.tick.min(other.tick)), ms(point.tick.max(other.tick)));
            let is_gap = to_ms - from_ms > apart_ms_max
                || gaps.iter().any(|gap| gap.from_ms < to_ms && gap.to_ms > from_ms);
            (!is_gap).then_some(Neighbor { at_ms: ms(point.tick), value: point.value })
        };
        (neighbor(first.checked_sub(1), Some(first)), neighbor(Some(next), next.checked_sub(1)))
    }
}

/// The first point from `at` on that is beyond, and `until` where none is. Looks close by first, as most
/// columns have few points.
fn first_beyond(
    points: &Reader<'_>,
    at: usize,
    until: usize,
    is_beyond: impl Fn(u32) -> bool,
) -> usize {
    let beyond = |at: usize| points.get(at).is_none_or(|point| is_beyond(point.tick));
    let (mut inside, mut step) = (at, 1usize);
    let mut outside = until;
    while inside + step < until {
        if beyond(inside + step) {
            outside = inside + step;
            break;
        }
        inside += step;
        step = step.saturating_mul(2);
    }
    while outside - inside > 1 {
        let middle = inside + (outside - inside) / 2;
        if beyond(middle) {
            outside = middle;
        } else {
            inside = middle;
        }
    }
    outside
}

/// What the points from `from` to before `to` have in common.
fn slice(points: &Reader<'_>, from: usize, to: usize, x: u16, gap: bool) -> Option<Slice> {
    let extreme = |point: Point| Extreme { value: point.value, style: point.style };
    let (first, last) = (points.get(from)?, points.get(to.checked_sub(1)?)?);
    let (mut low, mut high, mut sum) = (extreme(first), extreme(first), 0.0);
    let mut at = from;
    while at < to {
        if let Some((block, len)) = points.block(at, to) {
            low = lower(low, Extreme { value: block.low, style: block.low_style });
            high = higher(high, Extreme { value: block.high, style: block.high_style });
            sum += block.sum;
            at += len;
        } else {
            let point = points.get(at)?;
            low = lower(low, extreme(point));
            high = higher(high, extreme(point));
            sum += point.value;
            at += 1;
        }
    }
    Some(Slice {
        x,
        count: u32::try_from(to - from).unwrap_or(u32::MAX),
        from_ms: ms(first.tick),
        to_ms: ms(last.tick),
        first: first.value,
        last: extreme(last),
        low,
        high,
        sum,
        gap,
    })
}

fn tick(at_ms: f64) -> u32 {
    // A cast from a float keeps to the range of the integer.
    (at_ms / TICK_MS) as u32
}

fn ms(tick: u32) -> f64 {
    f64::from(tick) * TICK_MS
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::number;

    fn history(points: &[(f64, &str)]) -> History {
        let mut history = History::default();
        for (at_ms, text) in points {
            history.push(*at_ms, &number::parse(text).unwrap(), 100);
        }
        history
    }

    fn span(from_ms: f64, to_ms: f64, width: u16) -> Span {
        Span { from_ms, to_ms, width }
    }

    fn slices(history: &History, span: Span) -> Vec<Slice> {
        history.slices(span, &Gaps::default(), f64::INFINITY)
    }

    #[test]
    fn each_column_has_the_lowest_and_the_highest_of_its_time() {
        let history = history(&[
            (0.0, "5"),
            (10.0, "0"),
            (20.0, "10"),
            (90.0, "5"),
            (100.0, "5"),
            (500.0, "10"),
        ]);
        let slices = slices(&history, span(0.0, 1000.0, 10));
        let (mid, top) = (32768, 65535);
        assert_eq!(
            sparkline(&slices, 10).columns,
            [
                Column { x: 0, first: mid, low: 0, high: top, last: mid, gap: false },
                Column { x: 1, first: mid, low: mid, high: mid, last: mid, gap: false },
                Column { x: 5, first: top, low: top, high: top, last: top, gap: false },
            ]
        );
        let whole = summary(&slices).unwrap();
        assert_eq!((whole.low.value, whole.high.value), (0.0, 10.0));
        assert_eq!((whole.count, whole.mean), (6, 35.0 / 6.0));
        assert_eq!((slices[0].count, slices[0].from_ms, slices[0].to_ms), (4, 0.0, 90.0));
    }

    #[test]
    fn the_span_decides_what_is_looked_at() {
        let history = history(&[(0.0, "100"), (1000.0, "1"), (2000.0, "2"), (3000.0, "100")]);
        let line = slices(&history, span(1000.0, 2000.0, 10));
        let whole = summary(&line).unwrap();
        assert_eq!((whole.low.value, whole.high.value), (1.0, 2.0));
        let xs: Vec<_> = line.iter().map(|slice| slice.x).collect();
        assert_eq!(xs, [0, 9], "the right edge belongs to the last column");
        assert!(slices(&history, span(5000.0, 6000.0, 10)).is_empty());
        assert!(slices(&history, span(5.0, 5.0, 0)).is_empty());
        assert_eq!(summary(&[]), None);
    }

    #[test]
    fn a_level_line_runs_through_the_middle() {
        let history = history(&[(0.0, "7"), (10.0, "7")]);
        let line = sparkline(&slices(&history, span(0.0, 10.0, 2)), 2);
        assert!(line.columns.iter().all(|column| column.low == 32768));
    }

    #[test]
    fn no_line_joins_what_a_lost_connection_parts() {
        let mut gaps = Gaps::default();
        gaps.begin(1500.0);
        gaps.begin(1600.0);
        gaps.end(2500.0);
        let history = history(&[(1000.0, "1"), (2600.0, "1"), (2700.0, "2")]);
        let line = history.slices(span(0.0, 10_000.0, 10), &gaps, f64::INFINITY);
        let parts: Vec<_> = line.iter().map(|slice| (slice.x, slice.gap)).collect();
        assert_eq!(parts, [(1, false), (2, true)]);
        let close = history.slices(span(0.0, 10_000.0, 1), &gaps, f64::INFINITY);
        assert_eq!(close.len(), 2, "not even within one column");
    }

    #[test]
    fn no_line_joins_what_a_long_silence_parts() {
        let history = history(&[(0.0, "1"), (1000.0, "2"), (9000.0, "3"), (10_000.0, "4")]);
        let line = history.slices(span(0.0, 10_000.0, 100), &Gaps::default(), 4_000.0);
        let parts: Vec<_> = line.iter().map(|slice| (slice.first, slice.gap)).collect();
        assert_eq!(parts, [(1.0, false), (2.0, false), (3.0, true), (4.0, false)]);
    }

    #[test]
    fn a_line_comes_from_somewhere_and_goes_somewhere() {
        let history = history(&[(0.0, "1"), (1000.0, "2"), (2000.0, "3"), (9000.0, "4")]);
        let around = |from_ms, to_ms, gaps: &Gaps| {
            let (before, behind) = history.neighbors(span(from_ms, to_ms, 10), gaps, 5_000.0);
            (before.map(|n| n.value), behind.map(|n| n.value))
        };
        let mut gaps = Gaps::default();
        assert_eq!(around(500.0, 1500.0, &gaps), (Some(1.0), Some(3.0)));
        assert_eq!(around(1200.0, 1500.0, &gaps), (Some(2.0), Some(3.0)), "through all of it");
        assert_eq!(around(1500.0, 2500.0, &gaps), (Some(2.0), None), "a long silence");
        assert_eq!(around(0.0, 9000.0, &gaps), (None, None));
        gaps.begin(200.0);
        gaps.end(300.0);
        assert_eq!(around(500.0, 1500.0, &gaps), (None, Some(3.0)));
    }

    /// What [`History::slices`] finds by blocks and by halving, found point by point.
    fn slowly(
        points: &[(f64, f64)],
        span: Span,
        apart_ms_max: f64,
    ) -> Vec<(u16, u32, f64, f64, bool)> {
        let scale = f64::from(span.width) / (span.to_ms - span.from_ms);
        let mut out: Vec<(u16, u32, f64, f64, bool)> = Vec::new();
        let mut before = None;
        for (at_ms, value) in points {
            if !(span.from_ms..=span.to_ms).contains(at_ms) {
                continue;
            }
            let x =
                ((at_ms - span.from_ms) * scale).floor().min(f64::from(span.width) - 1.0) as u16;
            let gap = before.is_some_and(|before: f64| at_ms - before > apart_ms_max);
            before = Some(*at_ms);
            match out.last_mut() {
                Some(column) if column.0 == x => {
                    column.1 += 1;
                    column.2 = column.2.min(*value);
                    column.3 = column.3.max(*value);
                }
                _ => out.push((x, 1, *value, *value, gap)),
            }
        }
        out
    }

    #[test]
    fn blocks_and_halving_find_what_looking_at_each_point_finds() {
        for seed in 0..200u64 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut next = |below: u64| random.u64(..below);
            let points_max = 1 + next(400) as usize;
            let (mut history, mut points, mut at_ms) = (History::default(), Vec::new(), 0.0);
            for _ in 0..next(900) {
                at_ms += 10.0 * next(30) as f64;
                let text = format!("{}", next(1_000));
                let number = number::parse(&text).unwrap();
                history.push(at_ms, &number, points_max);
                points.push((at_ms, number.value));
                if next(200) == 0 {
                    let horizon = at_ms * next(100) as f64 / 100.0;
                    let kept = points.len().saturating_sub(points_max);
                    points.drain(..kept);
                    points.retain(|(at_ms, _)| *at_ms >= horizon);
                    history.forget_before(horizon);
                }
            }
            points.drain(..points.len().saturating_sub(points_max));
            assert_eq!(history.len(), points.len(), "seed {seed}");
            for _ in 0..5 {
                let from_ms = 10.0 * next(1 + at_ms as u64 / 10) as f64;
                let to_ms = from_ms + 10.0 + 10.0 * next(1 + at_ms as u64 / 10) as f64;
                let span = span(from_ms, to_ms, 1 + next(300) as u16);
                // Within a column a silence can't be seen.
                let apart_ms_max = (to_ms - from_ms) / f64::from(span.width) + next(500) as f64;
                let found: Vec<_> = history
                    .slices(span, &Gaps::default(), apart_ms_max)
                    .iter()
                    .map(|s| (s.x, s.count, s.low.value, s.high.value, s.gap))
                    .collect();
                assert_eq!(found, slowly(&points, span, apart_ms_max), "seed {seed}");
            }
            let all = slices(&history, span(0.0, at_ms + 1.0, 7));
            let sum: f64 = points.iter().map(|(_, value)| value).sum();
            assert!((all.iter().map(|s| s.sum).sum::<f64>() - sum).abs() < 1e-6, "seed {seed}");
        }
    }

    #[test]
    fn the_oldest_goes_first_and_is_counted() {
        let mut history = History::default();
        let number = number::parse("1").unwrap();
        let dropped = (0..10).filter(|n| history.push(f64::from(*n) * 10.0, &number, 4)).count();
        assert_eq!((dropped, history.len(), history.oldest_ms()), (6, 4, Some(60.0)));
        assert_eq!(history.forget_before(80.0), 2);
        assert_eq!((history.len(), history.oldest_ms()), (2, Some(80.0)));
        assert_eq!(history.newest(), Some((90.0, 1.0)));
        assert_eq!(history.forget_before(1e9), 2);
        assert!(history.is_empty());
        assert_eq!(history.bytes(), 0);
    }

    #[test]
    fn extremes_keep_the_way_they_were_written() {
        let history = history(&[(0.0, "9.10"), (10.0, "12"), (20.0, "10.5")]);
        let whole = summary(&slices(&history, span(0.0, 20.0, 2))).unwrap();
        assert_eq!(number::write(whole.low.value, whole.low.style), "9.10");
        assert_eq!(number::write(whole.high.value, whole.high.style), "12");
    }
}
