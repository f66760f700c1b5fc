//! What a chart does with its numbers beside drawing them: how far a person has zoomed in, what is under
//! the cross-hair, and the rows of the table behind it.

use crate::history::{Extreme, Slice};
use crate::limits::ZOOMS_MAX;
use crate::number;
use crate::protocol::{Chart, Range};

/// The shortest time that can be zoomed in to, in milliseconds.
const ZOOM_MS_MIN: f64 = 100.0;

/// What one step closer leaves of the time that is shown.
const ZOOM_STEP: f64 = 0.5;

/// How far a step to the side goes, as a part of the time that is shown.
const PAN_STEP: f64 = 0.25;

/// How far a person has zoomed in, and the way back.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Zoom {
    /// Each stretch of time that was zoomed in to, in milliseconds since 1970.
    stretches: Vec<(f64, f64)>,
}

impl Zoom {
    /// What is shown; `home` where nobody has zoomed in.
    pub fn range(&self, home: Range) -> Range {
        match self.stretches.last() {
            Some(&(from_ms, to_ms)) => Range::Between { from_ms, to_ms },
            None => home,
        }
    }

    /// Whether there is a way back.
    pub fn is_in(&self) -> bool {
        !self.stretches.is_empty()
    }

    /// Shows this stretch of time.
    pub fn select(&mut self, a_ms: f64, b_ms: f64) {
        if !(b_ms - a_ms).is_finite() {
            return;
        }
        let (from_ms, to_ms) = (a_ms.min(b_ms), a_ms.max(b_ms));
        let around = ((ZOOM_MS_MIN - (to_ms - from_ms)) / 2.0).max(0.0);
        if self.stretches.len() >= ZOOMS_MAX {
            self.stretches.remove(0);
        }
        self.stretches.push((from_ms - around, to_ms + around));
    }

    /// A step closer to a moment of what `chart` shows.
    pub fn closer(&mut self, chart: &Chart, at_ms: f64) {
        let scaled = |edge_ms: f64| at_ms + (edge_ms - at_ms) * ZOOM_STEP;
        self.select(scaled(chart.from_ms), scaled(chart.to_ms));
    }

    /// A step to the side of what `chart` shows: later, or earlier where negative. It does not go beyond
    /// what is known.
    pub fn pan(&mut self, chart: &Chart, steps: f64, now_ms: f64) {
        let span_ms = chart.to_ms - chart.from_ms;
        let oldest_ms = chart.oldest_ms.unwrap_or(chart.from_ms).min(chart.from_ms);
        let least = oldest_ms - chart.from_ms;
        let most = (now_ms - chart.to_ms).max(0.0);
        let by_ms = (span_ms * PAN_STEP * steps).clamp(least, most);
        if by_ms != 0.0 {
            // To the side is as deep as before.
            self.stretches.pop();
            self.select(chart.from_ms + by_ms, chart.to_ms + by_ms);
        }
    }

    /// Back to where it was before the last step; says whether there was one.
    pub fn back(&mut self) -> bool {
        self.stretches.pop().is_some()
    }

    /// Back to the beginning.
    pub fn home(&mut self) {
        self.stretches.clear();
    }
}

/// The slice that is closest to a moment; none where the closest is further away than `far_ms`.
pub fn nearest(slices: &[Slice], at_ms: f64, far_ms: f64) -> Option<&Slice> {
    let distance = |slice: &Slice| (slice.from_ms - at_ms).max(at_ms - slice.to_ms).max(0.0);
    let behind = slices.partition_point(|slice| slice.to_ms < at_ms);
    let before = behind.checked_sub(1).and_then(|index| slices.get(index));
    [before, slices.get(behind)]
        .into_iter()
        .flatten()
        .min_by(|a, b| distance(a).total_cmp(&distance(b)))
        .filter(|slice| distance(slice) <= far_ms)
}

/// The moments that the cross-hair goes through by the keys: those at which any of the lines has a slice.
pub fn stops(chart: &Chart) -> Vec<f64> {
    let slices = chart.series.iter().flat_map(|series| &series.slices);
    let mut stops: Vec<f64> = slices.map(|slice| slice.to_ms).collect();
    stops.sort_by(f64::total_cmp);
    stops.dedup();
    stops
}

/// The stop so many further on from a moment; the last one where it begins nowhere.
pub fn step(stops: &[f64], at_ms: Option<f64>, by: isize) -> Option<f64> {
    let last = stops.len().checked_sub(1)?;
    let index = match at_ms {
        None => last,
        Some(at_ms) => {
            let behind = stops.partition_point(|stop| *stop < at_ms);
            // Between two stops, a step to the right leads to the next one.
            let is_on = stops.get(behind) == Some(&at_ms);
            let from = if by > 0 && !is_on { behind.checked_add_signed(-1) } else { Some(behind) };
            from.and_then(|from| from.checked_add_signed(by)).unwrap_or(0).min(last)
        }
    };
    stops.get(index).copied()
}

/// A row of the table behind a chart: a stretch of time, and the numbers of each line in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// When the first number of the row arrived.
    pub from_ms: f64,
    /// When the last one did.
    pub to_ms: f64,
    /// The numbers of each line; none where there are none.
    pub cells: Vec<Option<Slice>>,
}

/// The table behind a chart, the newest row first, with no more rows than so many: each has all numbers of
/// its time.
pub fn table(chart: &Chart, rows_max: u16) -> Vec<Row> {
    let per_row = usize::from(chart.width.max(1)).div_ceil(usize::from(rows_max.max(1)));
    let count = usize::from(chart.width.max(1)).div_ceil(per_row);
    let mut rows: Vec<Row> = Vec::new();
    let empty = || vec![None; chart.series.len()];
    rows.resize_with(count, || Row {
        from_ms: f64::INFINITY,
        to_ms: f64::NEG_INFINITY,
        cells: empty(),
    });
    for (index, series) in chart.series.iter().enumerate() {
        for slice in &series.slices {
            let Some(row) = rows.get_mut(usize::from(slice.x) / per_row) else { continue };
            row.from_ms = row.from_ms.min(slice.from_ms);
            row.to_ms = row.to_ms.max(slice.to_ms);
            if let Some(cell) = row.cells.get_mut(index) {
                *cell = Some(cell.map_or(*slice, |cell| joined(&cell, slice)));
            }
        }
    }
    rows.retain(|row| row.from_ms.is_finite());
    rows.reverse();
    rows
}

/// Two slices, one after the other, as one.
fn joined(a: &Slice, b: &Slice) -> Slice {
    Slice {
        x: a.x,
        count: a.count.saturating_add(b.count),
        from_ms: a.from_ms,
        to_ms: b.to_ms,
        first: a.first,
        last: b.last,
        low: if b.low.value < a.low.value { b.low } else { a.low },
        high: if b.high.value > a.high.value { b.high } else { a.high },
        sum: a.sum + b.sum,
        gap: a.gap,
    }
}

/// A number as it was written, or with so many digits after the point.
pub fn written(number: Extreme, decimals: Option<u8>) -> String {
    match decimals {
        Some(decimals) => format!("{:.*}", usize::from(decimals), number.value),
        None => number::write(number.value, number.style),
    }
}

/// The numbers of a slice: one, or the lowest and the highest.
pub fn readout(slice: &Slice, decimals: Option<u8>) -> String {
    let (low, high) = (written(slice.low, decimals), written(slice.high, decimals));
    if low == high { low } else { format!("{low} … {high}") }
}

/// A mean, with one digit more than the numbers that it is of.
pub fn mean(mean: f64, low: Extreme, high: Extreme, decimals: Option<u8>) -> String {
    let of = |extreme: Extreme| match extreme.style {
        number::Style::Decimals(decimals) => Some(decimals),
        number::Style::Near => None,
    };
    let digits = of(low).zip(of(high)).map(|(low, high)| low.max(high).saturating_add(1));
    let style = decimals.or(digits).map_or(number::Style::Near, number::Style::Decimals);
    number::write(mean, style)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::number::Style;
    use crate::protocol::Series;

    fn slice(x: u16, from_ms: f64, to_ms: f64, low: f64, high: f64) -> Slice {
        let number = |value| Extreme { value, style: Style::Decimals(1) };
        Slice {
            x,
            count: 2,
            from_ms,
            to_ms,
            first: low,
            last: number(high),
            low: number(low),
            high: number(high),
            sum: low + high,
            gap: false,
        }
    }

    fn chart(series: Vec<Vec<Slice>>) -> Chart {
        Chart {
            from_ms: 1_000.0,
            to_ms: 2_000.0,
            oldest_ms: Some(900.0),
            width: 100,
            series: series
                .into_iter()
                .map(|slices| Series { slices, ..Series::default() })
                .collect(),
        }
    }

    fn shown(zoom: &Zoom) -> Option<(f64, f64)> {
        match zoom.range(Range::All) {
            Range::Between { from_ms, to_ms } => Some((from_ms, to_ms)),
            _ => None,
        }
    }

    #[test]
    fn zooming_goes_in_to_the_side_and_back() {
        let (mut zoom, chart) = (Zoom::default(), chart(Vec::new()));
        assert!(!zoom.back() && shown(&zoom).is_none());
        zoom.closer(&chart, 1_250.0);
        assert_eq!(
            shown(&zoom),
            Some((1_125.0, 1_625.0)),
            "what is under the cross-hair stays there"
        );
        zoom.select(1_400.0, 1_200.0);
        assert_eq!(shown(&zoom), Some((1_200.0, 1_400.0)), "from right to left too");
        zoom.select(1_300.0, 1_300.0);
        assert_eq!(shown(&zoom), Some((1_250.0, 1_350.0)), "never to nothing");
        assert!(zoom.back());
        assert_eq!(shown(&zoom), Some((1_200.0, 1_400.0)));
        zoom.pan(&chart, 1.0, 5_000.0);
        assert_eq!(shown(&zoom), Some((1_250.0, 2_250.0)));
        assert!(zoom.back());
        assert_eq!(shown(&zoom), Some((1_125.0, 1_625.0)), "a step to the side is no step in");
        zoom.home();
        zoom.pan(&chart, -9.0, 5_000.0);
        assert_eq!(shown(&zoom), Some((900.0, 1_900.0)), "not beyond the oldest");
        zoom.home();
        zoom.pan(&chart, 9.0, 2_100.0);
        assert_eq!(shown(&zoom), Some((1_100.0, 2_100.0)), "nor into the future");
        zoom.select(f64::NAN, 1.0);
        assert_eq!(shown(&zoom), Some((1_100.0, 2_100.0)));
        for _ in 0..1_000 {
            zoom.closer(&chart, 1_500.0);
        }
        assert!(zoom.stretches.len() <= ZOOMS_MAX);
    }

    #[test]
    fn the_cross_hair_finds_what_is_closest() {
        let slices = [slice(0, 1_000.0, 1_010.0, 1.0, 2.0), slice(50, 1_500.0, 1_500.0, 3.0, 3.0)];
        let at = |at_ms, far_ms| nearest(&slices, at_ms, far_ms).map(|slice| slice.x);
        assert_eq!(
            (at(1_005.0, 0.0), at(1_100.0, 100.0), at(1_400.0, 100.0)),
            (Some(0), Some(0), Some(50))
        );
        assert_eq!((at(1_200.0, 100.0), at(9_999.0, 10.0)), (None, None), "a gap has no numbers");
        assert_eq!(readout(&slices[0], None), "1.0 … 2.0");
        assert_eq!(readout(&slices[1], Some(2)), "3.00");
        let extreme = slices[0].low;
        assert_eq!(mean(1.26, extreme, extreme, None), "1.26");
    }

    #[test]
    fn keys_lead_from_number_to_number() {
        let stops = stops(&chart(vec![
            vec![slice(0, 1.0, 1.0, 0.0, 0.0), slice(5, 5.0, 5.0, 0.0, 0.0)],
            vec![slice(3, 3.0, 3.0, 0.0, 0.0), slice(5, 5.0, 5.0, 0.0, 0.0)],
        ]));
        assert_eq!(stops, [1.0, 3.0, 5.0]);
        for (at_ms, by, to) in [
            (None, 1, 5.0),
            (Some(1.0), 1, 3.0),
            (Some(3.0), -1, 1.0),
            (Some(1.0), -1, 1.0),
            (Some(5.0), 1, 5.0),
            (Some(2.0), 1, 3.0),
            (Some(2.0), -1, 1.0),
            (Some(9.0), -1, 5.0),
            (Some(0.0), 1, 1.0),
            (Some(3.0), isize::MIN, 1.0),
        ] {
            assert_eq!(step(&stops, at_ms, by), Some(to), "{at_ms:?} {by}");
        }
        assert_eq!(step(&[], None, 1), None);
    }

    #[test]
    fn the_table_has_every_number_in_some_row() {
        let slices: Vec<_> = (0..100u16)
            .map(|x| slice(x, f64::from(x), f64::from(x), f64::from(x), 100.0))
            .collect();
        let chart = chart(vec![slices, vec![slice(7, 7.0, 7.0, 1.0, 2.0)], Vec::new()]);
        for rows_max in [1, 7, 10, 99, 100, 5_000] {
            let rows = table(&chart, rows_max);
            assert!(rows.len() <= usize::from(rows_max), "{rows_max}");
            let count = |line: usize| -> u32 {
                rows.iter().filter_map(|row| row.cells[line]).map(|cell| cell.count).sum()
            };
            assert_eq!((count(0), count(1), count(2)), (200, 2, 0));
            assert!(rows.windows(2).all(|two| two[0].from_ms > two[1].to_ms), "newest first");
        }
        let ten = table(&chart, 10);
        let cell = ten[0].cells[0].unwrap();
        assert_eq!((cell.low.value, cell.high.value, cell.first), (90.0, 100.0, 90.0));
    }
}
