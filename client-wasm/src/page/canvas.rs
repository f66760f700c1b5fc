//! A canvas in the pixels of the screen, and how a line of slices is drawn on one.

use wasm_bindgen::prelude::*;
use web_sys::{CanvasRenderingContext2d, CssStyleDeclaration, HtmlCanvasElement};

use crate::float;

/// How thick lines are, in pixels of the style sheet.
pub(super) const LINE_WIDTH: f64 = 1.5;

/// A cleared canvas, ready to be drawn on in pixels of the screen.
pub(super) struct Surface {
    pub(super) context: CanvasRenderingContext2d,
    pub(super) width: f64,
    pub(super) height: f64,
    /// Pixels of the screen to one of the style sheet.
    pub(super) ratio: f64,
    /// Pixels of the screen to one of the style sheet at the ordinary size of its text: lines and letters
    /// grow with the rest of the page.
    pub(super) unit: f64,
    style: Option<CssStyleDeclaration>,
}

/// How large a canvas is on the screen, and in which colour it is drawn.
struct Measures {
    width: u32,
    height: u32,
    ratio: f64,
    unit: f64,
    style: Option<CssStyleDeclaration>,
    color: String,
}

/// The size of text that the measures in pixels are meant for.
const ORDINARY_TEXT: f64 = 16.0;

impl Measures {
    fn of(canvas: &HtmlCanvasElement) -> Option<Self> {
        let window = web_sys::window()?;
        let ratio = window.device_pixel_ratio();
        let size = |css: i32| (f64::from(css) * ratio).round().max(1.0) as u32;
        let (width, height) = (size(canvas.client_width()), size(canvas.client_height()));
        let style = window.get_computed_style(canvas).ok().flatten();
        let color = style.as_ref().and_then(|style| style.get_property_value("color").ok());
        let text = style.as_ref().and_then(|style| style.get_property_value("font-size").ok());
        let text = text.and_then(|text| float::parse(&text)).filter(|text| *text > 0.0);
        let unit = ratio * text.unwrap_or(ORDINARY_TEXT) / ORDINARY_TEXT;
        Some(Self { width, height, ratio, unit, style, color: color.unwrap_or_default() })
    }
}

impl Surface {
    /// The canvas, cleared, as large as it is on the screen.
    pub(super) fn new(canvas: &HtmlCanvasElement) -> Option<Self> {
        Self::sized(canvas, Measures::of(canvas)?)
    }

    fn sized(canvas: &HtmlCanvasElement, measures: Measures) -> Option<Self> {
        let Measures { width, height, ratio, unit, style, color } = measures;
        // Setting the size clears the canvas, and costs, even where it stays the same.
        if canvas.width() != width || canvas.height() != height {
            canvas.set_width(width);
            canvas.set_height(height);
        }
        let context = canvas.get_context("2d").ok().flatten()?;
        let context = context.dyn_into::<CanvasRenderingContext2d>().ok()?;
        let (width, height) = (f64::from(width), f64::from(height));
        context.clear_rect(0.0, 0.0, width, height);
        let surface = Self { context, width, height, ratio, unit, style };
        surface.color(&color);
        Some(surface)
    }

    /// What the style sheet says, a variable for instance.
    pub(super) fn style(&self, name: &str) -> String {
        let value = self.style.as_ref().and_then(|style| style.get_property_value(name).ok());
        value.unwrap_or_default()
    }

    /// Lines and areas are drawn in this colour from now on.
    pub(super) fn color(&self, color: &str) {
        self.context.set_stroke_style_str(color);
        self.context.set_fill_style_str(color);
    }

    /// Lines are drawn as those of charts from now on.
    pub(super) fn line_width(&self, css: f64) {
        self.context.set_line_width(css * self.unit);
        self.context.set_line_join("bevel");
    }

    /// A filled circle, with its radius in pixels of the style sheet.
    pub(super) fn dot(&self, x: f64, y: f64, radius: f64) {
        self.context.begin_path();
        // A radius that is not negative is always taken.
        let _drawn = self.context.arc(x, y, radius * self.unit, 0.0, std::f64::consts::TAU);
        self.context.fill();
    }

    /// A straight line.
    pub(super) fn line(&self, from: (f64, f64), to: (f64, f64)) {
        self.context.begin_path();
        self.context.move_to(from.0, from.1);
        self.context.line_to(to.0, to.1);
        self.context.stroke();
    }
}

/// Where the numbers of one column are drawn: where the line comes in, how far down and up it goes, and
/// where it leaves.
pub(super) struct Corner {
    pub(super) from_x: f64,
    pub(super) to_x: f64,
    pub(super) first: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) last: f64,
}

/// Goes on with the path through a column. What is lowest and highest lies in the middle of it.
pub(super) fn trace(context: &CanvasRenderingContext2d, corner: &Corner) {
    context.line_to(corner.from_x, corner.first);
    if corner.low != corner.high {
        let middle = (corner.from_x + corner.to_x) / 2.0;
        context.line_to(middle, corner.low);
        context.line_to(middle, corner.high);
        context.line_to(corner.to_x, corner.last);
    }
}
