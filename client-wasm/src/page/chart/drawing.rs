//! What of a chart is on its two canvases: the axes and the lines, and above them the cross-hair, which
//! moves without the lines being drawn anew.

use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

use super::super::canvas::{Corner, LINE_WIDTH, Surface, trace};
use super::super::time;
use super::{Level, Line};
use crate::history::{Neighbor, Slice};
use crate::plot;
use crate::protocol::{Chart, Series};
use crate::ticks::{self, Axis, Detail};

/// The colours that lines have in turn.
pub(super) const HUES: usize = 6;

/// Pixels of the style sheet from mark to mark of an axis of numbers, at least.
const VALUE_MARK_HEIGHT: f64 = 34.0;

/// Pixels of the style sheet from mark to mark of the axis of time, at least.
const TIME_MARK_WIDTH: f64 = 84.0;

/// The height of the labels of the axis of time, in pixels of the style sheet.
const TIME_HEIGHT: f64 = 20.0;

/// The room above the highest mark, in pixels of the style sheet.
const TOP: f64 = 8.0;

/// The room between a label and the plot, in pixels of the style sheet.
const LABEL_GAP: f64 = 6.0;

/// The radius of a number that stands alone, in pixels of the style sheet.
const DOT_RADIUS: f64 = 2.0;

/// The radius of a number at the cross-hair, in pixels of the style sheet.
const CROSS_RADIUS: f64 = 3.5;

/// How opaque the area below a single line is.
const AREA_OPACITY: f64 = 0.08;

/// How opaque a stretch of time is that is being chosen.
const DRAG_OPACITY: f64 = 0.14;

/// What is drawn.
pub(super) struct Scene<'a> {
    pub(super) shape: &'a Chart,
    pub(super) lines: &'a [Line],
    pub(super) levels: &'a [Level],
}

/// Where the lines are on the canvas, in pixels of the screen, and what their axes show.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    ratio: f64,
    axes: [(f64, f64); 2],
}

impl Frame {
    /// The moment at a place, in pixels of the style sheet from the left edge; never outside the chart.
    pub(super) fn at(&self, x: f64, from_ms: f64, to_ms: f64) -> f64 {
        let part = (x * self.ratio - self.left) / (self.right - self.left).max(1.0);
        from_ms + part.clamp(0.0, 1.0) * (to_ms - from_ms)
    }

    /// The time that so many pixels of the style sheet stand for.
    pub(super) fn span_ms(&self, css: f64, shape: &Chart) -> f64 {
        css * self.ratio / (self.right - self.left).max(1.0) * (shape.to_ms - shape.from_ms)
    }

    fn x(&self, at_ms: f64, shape: &Chart) -> f64 {
        let part = (at_ms - shape.from_ms) / (shape.to_ms - shape.from_ms).max(f64::MIN_POSITIVE);
        self.left + part * (self.right - self.left)
    }

    fn y(&self, value: f64, is_right: bool) -> f64 {
        let [left, right] = self.axes;
        let (from, to) = if is_right { right } else { left };
        self.bottom - (value - from) / (to - from) * (self.bottom - self.top)
    }
}

/// Draws the axes and the lines; says where they are.
pub(super) fn draw(canvas: &HtmlCanvasElement, scene: &Scene<'_>) -> Frame {
    let Some(surface) = Surface::new(canvas) else { return Frame::default() };
    let (ratio, unit) = (surface.ratio, surface.unit);
    let css_height = surface.height / unit;
    let marks = ((css_height - TIME_HEIGHT - TOP) / VALUE_MARK_HEIGHT).floor().max(1.0) as usize;
    let (left, right) = (axis(scene, false, marks), axis(scene, true, marks));
    surface.context.set_font(&format!("{}px {}", 11.0 * unit, surface.style("font-family")));
    let label_width = |axis: &Option<Axis>| {
        let widths = axis.iter().flat_map(|axis| &axis.marks).map(|mark| {
            surface.context.measure_text(&mark.text).map_or(0.0, |measured| measured.width())
        });
        widths.fold(0.0, f64::max)
    };
    let side = |axis: &Option<Axis>| match axis {
        Some(_) => (label_width(axis) + LABEL_GAP * unit).round(),
        None => ratio,
    };
    let ends = |axis: &Option<Axis>| axis.as_ref().map_or((0.0, 1.0), |axis| (axis.from, axis.to));
    let frame = Frame {
        left: side(&left),
        right: (surface.width - side(&right).max(CROSS_RADIUS * unit)).round(),
        top: (TOP * unit).round(),
        bottom: (surface.height - TIME_HEIGHT * unit).round(),
        ratio,
        axes: [ends(&left), ends(&right)],
    };
    draw_values(&surface, &frame, left.as_ref(), false, true);
    // One set of lines across is enough.
    draw_values(&surface, &frame, right.as_ref(), true, left.is_none());
    draw_times(&surface, &frame, scene.shape);
    let context = &surface.context;
    context.save();
    context.begin_path();
    context.rect(frame.left, 0.0, frame.right - frame.left + ratio, surface.height);
    context.clip();
    for level in scene.levels {
        draw_level(&surface, &frame, level);
    }
    for (index, (line, series)) in scene.lines.iter().zip(&scene.shape.series).enumerate() {
        surface.color(&surface.style(hue(index)));
        let pen = Pen { surface: &surface, frame: &frame, shape: scene.shape, line };
        pen.draw(series, scene.lines.len() == 1);
    }
    context.restore();
    frame
}

/// The variable with the colour of a line.
fn hue(index: usize) -> &'static str {
    const NAMES: [&str; HUES] =
        ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6"];
    NAMES.get(index % HUES).copied().unwrap_or("--accent")
}

/// The axis of one side; none where it has no line.
fn axis(scene: &Scene<'_>, is_right: bool, marks: usize) -> Option<Axis> {
    let lines =
        || scene.lines.iter().zip(&scene.shape.series).filter(|(l, _)| l.is_right == is_right);
    lines().next()?;
    let summaries = lines().filter_map(|(_, series)| series.summary);
    let ends = summaries.flat_map(|summary| [summary.low.value, summary.high.value]);
    // What only passes through has ends outside.
    let passing = lines()
        .filter(|(_, series)| series.summary.is_none())
        .flat_map(|(_, series)| [series.before, series.behind])
        .flatten()
        .map(|neighbor| neighbor.value);
    let all: Vec<f64> = ends.chain(passing).collect();
    let low = all.iter().copied().reduce(f64::min).unwrap_or(0.0);
    let high = all.iter().copied().reduce(f64::max).unwrap_or(1.0);
    Some(ticks::axis(low, high, marks))
}

/// The marks of one axis, with lines across the plot or without.
fn draw_values(
    surface: &Surface,
    frame: &Frame,
    axis: Option<&Axis>,
    is_right: bool,
    has_lines: bool,
) {
    let Some(axis) = axis else { return };
    let context = &surface.context;
    let (line, ink) = (surface.style("--line"), surface.style("--ink-soft"));
    context.set_line_width(surface.ratio.round().max(1.0));
    context.set_text_align(if is_right { "left" } else { "right" });
    context.set_text_baseline("middle");
    for mark in &axis.marks {
        // A line of one pixel is sharp where it lies within one.
        let y = frame.y(mark.value, is_right).round() + 0.5;
        if has_lines {
            surface.color(&line);
            surface.line((frame.left, y), (frame.right, y));
        }
        surface.color(&ink);
        let gap = LABEL_GAP * surface.unit;
        let x = if is_right { frame.right + gap } else { frame.left - gap };
        // A label that can't be drawn is missing, and its number is in the table all the same.
        let _drawn = context.fill_text(&mark.text, x, y);
    }
}

fn draw_times(surface: &Surface, frame: &Frame, shape: &Chart) {
    let context = &surface.context;
    let room = (frame.right - frame.left) / surface.unit;
    let count = (room / TIME_MARK_WIDTH).floor().max(1.0) as usize;
    let marks = ticks::times(shape.from_ms, shape.to_ms, count, time::offset_ms);
    let (line, ink) = (surface.style("--line"), surface.style("--ink-soft"));
    context.set_text_align("center");
    context.set_text_baseline("top");
    for mark in &marks {
        let x = frame.x(mark.at_ms, shape).round() + 0.5;
        surface.color(&line);
        surface.line((x, frame.bottom), (x, frame.bottom + 4.0 * surface.unit));
        if mark.detail == Detail::Day {
            surface.line((x, frame.top), (x, frame.bottom));
        }
        surface.color(&ink);
        let text = time::mark(mark);
        let half = context.measure_text(&text).map_or(0.0, |measured| measured.width()) / 2.0;
        // One that would be cut is left out.
        if x - half >= 0.0 && x + half <= surface.width {
            let _drawn = context.fill_text(&text, x, frame.bottom + 6.0 * surface.unit);
        }
    }
}

fn draw_level(surface: &Surface, frame: &Frame, level: &Level) {
    let y = frame.y(level.value, false).round() + 0.5;
    if !(frame.top..=frame.bottom).contains(&y) {
        return;
    }
    surface.color(&surface.style(level.color));
    surface.context.set_line_width(surface.unit);
    let dash = js_sys::Array::of2(&(4.0 * surface.unit).into(), &(4.0 * surface.unit).into());
    // A line that can't be dashed is drawn through.
    let _dashed = surface.context.set_line_dash(&dash);
    surface.line((frame.left, y), (frame.right, y));
    let _whole = surface.context.set_line_dash(&js_sys::Array::new());
}

/// What draws one line, in the colour that is set.
struct Pen<'a> {
    surface: &'a Surface,
    frame: &'a Frame,
    shape: &'a Chart,
    line: &'a Line,
}

impl Pen<'_> {
    fn x(&self, at_ms: f64) -> f64 {
        self.frame.x(at_ms, self.shape)
    }

    fn y(&self, value: f64) -> f64 {
        self.frame.y(value, self.line.is_right)
    }

    fn neighbor(&self, neighbor: Option<Neighbor>) -> Option<(f64, f64)> {
        neighbor.map(|neighbor| (self.x(neighbor.at_ms), self.y(neighbor.value)))
    }

    fn draw(&self, series: &Series, is_alone: bool) {
        self.surface.line_width(LINE_WIDTH);
        let context = &self.surface.context;
        let (before, behind) = (self.neighbor(series.before), self.neighbor(series.behind));
        if series.slices.is_empty()
            && let (Some(before), Some(behind)) = (before, behind)
        {
            self.surface.line(before, behind);
        }
        let mut parts = series.slices.chunk_by(|_, next| !next.gap).peekable();
        let mut is_first = true;
        while let Some(part) = parts.next() {
            let comes = before.filter(|_| is_first);
            let goes = behind.filter(|_| parts.peek().is_none());
            is_first = false;
            if is_alone {
                self.area(context, part, comes, goes);
            }
            context.begin_path();
            self.trace(context, part, comes, goes);
            context.stroke();
            self.dots(part, comes.is_none() && goes.is_none());
        }
    }

    fn trace(
        &self,
        context: &CanvasRenderingContext2d,
        part: &[Slice],
        comes: Option<(f64, f64)>,
        goes: Option<(f64, f64)>,
    ) {
        if let Some((x, y)) = comes {
            context.line_to(x, y);
        }
        for slice in part {
            let corner = Corner {
                from_x: self.x(slice.from_ms),
                to_x: self.x(slice.to_ms),
                first: self.y(slice.first),
                low: self.y(slice.low.value),
                high: self.y(slice.high.value),
                last: self.y(slice.last.value),
            };
            trace(context, &corner);
        }
        if let Some((x, y)) = goes {
            context.line_to(x, y);
        }
    }

    fn area(
        &self,
        context: &CanvasRenderingContext2d,
        part: &[Slice],
        comes: Option<(f64, f64)>,
        goes: Option<(f64, f64)>,
    ) {
        let (Some(first), Some(last)) = (part.first(), part.last()) else { return };
        let from_x = comes.map_or_else(|| self.x(first.from_ms), |(x, _)| x);
        let to_x = goes.map_or_else(|| self.x(last.to_ms), |(x, _)| x);
        context.begin_path();
        context.move_to(from_x, self.frame.bottom);
        self.trace(context, part, comes, goes);
        context.line_to(to_x, self.frame.bottom);
        context.set_global_alpha(AREA_OPACITY);
        context.fill();
        context.set_global_alpha(1.0);
    }

    /// The numbers themselves, where they are far enough apart; one that stands alone always.
    fn dots(&self, part: &[Slice], may_be_alone: bool) {
        let (Some(first), Some(last)) = (part.first(), part.last()) else { return };
        let room = (self.x(last.to_ms) - self.x(first.from_ms)) / part.len() as f64;
        let is_sparse = room >= 12.0 * self.surface.unit;
        let is_alone = may_be_alone && part.len() == 1;
        if !is_sparse && !is_alone {
            return;
        }
        for slice in part.iter().filter(|slice| slice.count == 1) {
            self.surface.dot(self.x(slice.to_ms), self.y(slice.last.value), DOT_RADIUS);
        }
    }
}

/// Draws the cross-hair at a moment, and the stretch of time that is being chosen, which is given in
/// pixels of the style sheet from the left edge.
pub(super) fn mark(
    canvas: &HtmlCanvasElement,
    scene: &Scene<'_>,
    frame: &Frame,
    cross_ms: Option<f64>,
    drag: Option<(f64, f64)>,
) {
    let Some(surface) = Surface::new(canvas) else { return };
    let shape = scene.shape;
    if let Some((from, to)) = drag {
        let at = |css: f64| (css * frame.ratio).clamp(frame.left, frame.right);
        surface.color(&surface.style("--accent"));
        surface.context.set_global_alpha(DRAG_OPACITY);
        let (from, to) = (at(from.min(to)), at(from.max(to)));
        surface.context.fill_rect(from, frame.top, to - from, frame.bottom - frame.top);
        surface.context.set_global_alpha(1.0);
    }
    let Some(at_ms) = cross_ms.filter(|at_ms| (shape.from_ms..=shape.to_ms).contains(at_ms)) else {
        return;
    };
    let x = frame.x(at_ms, shape).round() + 0.5;
    surface.color(&surface.style("--line-strong"));
    surface.context.set_line_width(surface.ratio.round().max(1.0));
    surface.line((x, frame.top), (x, frame.bottom));
    let far_ms = frame.span_ms(super::NEAR, shape);
    for (index, (line, series)) in scene.lines.iter().zip(&shape.series).enumerate() {
        let Some(slice) = plot::nearest(&series.slices, at_ms, far_ms) else { continue };
        let x = frame.x(at_ms.clamp(slice.from_ms, slice.to_ms), shape);
        for value in [slice.low.value, slice.high.value] {
            let y = frame.y(value, line.is_right);
            surface.color(&surface.style("--surface"));
            surface.dot(x, y, CROSS_RADIUS + 1.5);
            surface.color(&surface.style(hue(index)));
            surface.dot(x, y, CROSS_RADIUS);
        }
    }
}
