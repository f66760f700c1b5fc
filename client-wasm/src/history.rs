//! The numbers that one topic has said, and the line through them as a sparkline draws it.
//!
//! Nothing is smoothed: each column of pixels shows the lowest and the highest number of its time,
//! and where there was no connection there is a gap.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::limits::{CHART_WIDTH_MAX, GAPS_MAX};
use crate::number::{Number, Style};

/// One number and when it arrived. Sixteen bytes, as there are very many of them.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    value: f64,
    tick: u32,
    style: Style,
}

/// The memory of one point, in bytes.
pub const POINT_BYTES: usize = size_of::<Point>();

/// Milliseconds of one tick of a history's clock, which reaches 497 days.
const TICK_MS: f64 = 10.0;

/// The numbers of one topic in the order in which they arrived.
#[derive(Debug, Default)]
pub struct History {
    points: VecDeque<Point>,
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

    /// Whether the connection was lost at some time from `from_ms` to `to_ms`.
    pub fn any_between(&self, from_ms: f64, to_ms: f64) -> bool {
        self.gaps.iter().any(|gap| gap.from_ms < to_ms && gap.to_ms > from_ms)
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
    /// Whether the connection was lost since the column before, so that no line joins the two.
    pub gap: bool,
}

/// A number of the history that stands out, and how it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extreme {
    /// The number.
    pub value: f64,
    /// How it was written.
    pub style: Style,
}

/// The line of some span with its lowest and highest number.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What to draw.
    pub sparkline: Sparkline,
    /// The lowest number.
    pub low: Extreme,
    /// The highest number.
    pub high: Extreme,
}

impl History {
    /// How many points there are.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// The memory it takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.points.capacity().saturating_mul(POINT_BYTES)
    }

    /// Adds a number that arrived `at_ms` after the store's beginning. Says whether the oldest had to
    /// go so that there are no more than `points_max`.
    pub fn push(&mut self, at_ms: f64, number: &Number<'_>, points_max: usize) -> bool {
        let dropped = self.points.len() >= points_max && self.points.pop_front().is_some();
        self.points.push_back(Point {
            value: number.value,
            tick: tick(at_ms),
            style: number.style,
        });
        dropped
    }

    /// When the oldest point arrived, in milliseconds.
    pub fn oldest_ms(&self) -> Option<f64> {
        self.points.front().map(|point| ms(point.tick))
    }

    /// How many points arrived in a span.
    pub fn count_between(&self, from_ms: f64, to_ms: f64) -> usize {
        let before = |edge_ms: f64, or_at: bool| {
            self.points.partition_point(|point| {
                ms(point.tick) < edge_ms || or_at && ms(point.tick) <= edge_ms
            })
        };
        before(to_ms, true).saturating_sub(before(from_ms, false))
    }

    /// Forgets what arrived before `at_ms` and gives the memory back. Says how many points that was.
    pub fn forget_before(&mut self, at_ms: f64) -> usize {
        let count = self.points.partition_point(|point| ms(point.tick) < at_ms);
        self.points.drain(..count);
        if count > 0 {
            self.points.shrink_to_fit();
        }
        count
    }

    /// The line of a span; none where nothing is in it.
    pub fn line(&self, span: Span, gaps: &Gaps) -> Option<Line> {
        let width = span.width.clamp(1, CHART_WIDTH_MAX);
        let scale = f64::from(width) / (span.to_ms - span.from_ms).max(1.0);
        let start = self.points.partition_point(|point| ms(point.tick) < span.from_ms);
        let inside = || self.points.range(start..).take_while(|point| ms(point.tick) <= span.to_ms);
        let (low, high) = extremes(inside())?;
        let height = |value: f64| {
            let range = high.value - low.value;
            // A line that is level runs through the middle.
            let part = if range > 0.0 { (value - low.value) / range } else { 0.5 };
            (part * f64::from(u16::MAX)).round() as u16
        };

        let mut columns: Vec<Column> = Vec::new();
        let mut before_ms = None;
        for point in inside() {
            let at_ms = ms(point.tick);
            let x = ((at_ms - span.from_ms) * scale).floor().min(f64::from(width) - 1.0) as u16;
            let y = height(point.value);
            let gap = before_ms.is_some_and(|before| gaps.any_between(before, at_ms));
            before_ms = Some(at_ms);
            match columns.last_mut() {
                Some(column) if column.x == x && !gap => {
                    column.low = column.low.min(y);
                    column.high = column.high.max(y);
                    column.last = y;
                }
                _ => columns.push(Column { x, first: y, low: y, high: y, last: y, gap }),
            }
        }
        Some(Line { sparkline: Sparkline { columns, width }, low, high })
    }
}

fn extremes<'a>(points: impl Iterator<Item = &'a Point>) -> Option<(Extreme, Extreme)> {
    let mut found: Option<(Extreme, Extreme)> = None;
    for point in points {
        let this = Extreme { value: point.value, style: point.style };
        let (low, high) = found.get_or_insert((this, this));
        if this.value < low.value {
            *low = this;
        }
        if this.value > high.value {
            *high = this;
        }
    }
    found
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

    #[test]
    fn a_point_takes_sixteen_bytes() {
        assert_eq!(POINT_BYTES, 16);
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
        let line = history.line(span(0.0, 1000.0, 10), &Gaps::default()).unwrap();
        let (mid, top) = (32768, 65535);
        assert_eq!(
            line.sparkline.columns,
            [
                Column { x: 0, first: mid, low: 0, high: top, last: mid, gap: false },
                Column { x: 1, first: mid, low: mid, high: mid, last: mid, gap: false },
                Column { x: 5, first: top, low: top, high: top, last: top, gap: false },
            ]
        );
        assert_eq!((line.low.value, line.high.value), (0.0, 10.0));
    }

    #[test]
    fn the_span_decides_what_is_looked_at() {
        let history = history(&[(0.0, "100"), (1000.0, "1"), (2000.0, "2"), (3000.0, "100")]);
        let line = history.line(span(1000.0, 2000.0, 10), &Gaps::default()).unwrap();
        assert_eq!((line.low.value, line.high.value), (1.0, 2.0));
        let xs: Vec<_> = line.sparkline.columns.iter().map(|column| column.x).collect();
        assert_eq!(xs, [0, 9], "the right edge belongs to the last column");
        assert!(history.line(span(5000.0, 6000.0, 10), &Gaps::default()).is_none());
        assert!(history.line(span(5.0, 5.0, 0), &Gaps::default()).is_none());
    }

    #[test]
    fn a_level_line_runs_through_the_middle() {
        let line =
            history(&[(0.0, "7"), (10.0, "7")]).line(span(0.0, 10.0, 2), &Gaps::default()).unwrap();
        assert!(line.sparkline.columns.iter().all(|column| column.low == 32768));
    }

    #[test]
    fn no_line_joins_what_a_lost_connection_parts() {
        let mut gaps = Gaps::default();
        gaps.begin(1500.0);
        gaps.begin(1600.0);
        gaps.end(2500.0);
        let history = history(&[(1000.0, "1"), (2600.0, "1"), (2700.0, "2")]);
        let line = history.line(span(0.0, 10_000.0, 10), &gaps).unwrap();
        let parts: Vec<_> = line.sparkline.columns.iter().map(|c| (c.x, c.gap)).collect();
        assert_eq!(parts, [(1, false), (2, true)]);
        let close = history.line(span(0.0, 10_000.0, 1), &gaps).unwrap();
        assert_eq!(close.sparkline.columns.len(), 2, "not even within one column");
    }

    #[test]
    fn the_oldest_goes_first_and_is_counted() {
        let mut history = History::default();
        let number = number::parse("1").unwrap();
        let dropped = (0..10).filter(|n| history.push(f64::from(*n) * 10.0, &number, 4)).count();
        assert_eq!((dropped, history.len(), history.oldest_ms()), (6, 4, Some(60.0)));
        assert_eq!(history.forget_before(80.0), 2);
        assert_eq!((history.len(), history.oldest_ms()), (2, Some(80.0)));
        assert_eq!(history.forget_before(1e9), 2);
        assert!(history.is_empty());
        assert_eq!(history.bytes(), 0);
    }

    #[test]
    fn extremes_keep_the_way_they_were_written() {
        let line = history(&[(0.0, "9.10"), (10.0, "12"), (20.0, "10.5")])
            .line(span(0.0, 20.0, 2), &Gaps::default())
            .unwrap();
        assert_eq!(number::write(line.low.value, line.low.style), "9.10");
        assert_eq!(number::write(line.high.value, line.high.style), "12");
    }
}
