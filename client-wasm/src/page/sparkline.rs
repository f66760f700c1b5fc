//! The line of a card, on a canvas: for each column of pixels the lowest and the highest number.

use std::rc::Rc;

use wasm_bindgen::prelude::*;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};
use yew::prelude::*;

use crate::history::{Column, Sparkline as Shape};

/// How thick the line is, in pixels of the style sheet.
const LINE_WIDTH: f64 = 1.5;

/// The radius of the dot at the newest number, in pixels of the style sheet.
const DOT_RADIUS: f64 = 2.5;

/// How opaque the area below the line is.
const AREA_OPACITY: f64 = 0.10;

#[derive(PartialEq, Properties)]
pub(super) struct SparklineProps {
    pub(super) sparkline: Option<Rc<Shape>>,
}

#[component]
pub(super) fn Sparkline(props: &SparklineProps) -> Html {
    let canvas = use_node_ref();
    {
        let canvas = canvas.clone();
        use_effect_with(props.sparkline.clone(), move |sparkline| {
            if let Some(canvas) = canvas.cast::<HtmlCanvasElement>() {
                draw(&canvas, sparkline.as_deref());
            }
        });
    }
    html! { <canvas ref={canvas} class="sparkline" aria-hidden="true"></canvas> }
}

/// Draws the line in the canvas' own text colour.
fn draw(canvas: &HtmlCanvasElement, shape: Option<&Shape>) {
    let Some(window) = web_sys::window() else { return };
    let ratio = window.device_pixel_ratio();
    let size = |css: i32| (f64::from(css) * ratio).round().max(1.0) as u32;
    let (width, height) = (size(canvas.client_width()), size(canvas.client_height()));
    // Setting the size clears the canvas, and costs, even where it stays the same.
    if canvas.width() != width || canvas.height() != height {
        canvas.set_width(width);
        canvas.set_height(height);
    }
    let context = canvas.get_context("2d").ok().flatten();
    let Some(context) = context.and_then(|c| c.dyn_into::<CanvasRenderingContext2d>().ok()) else {
        return;
    };
    let (width, height) = (f64::from(width), f64::from(height));
    context.clear_rect(0.0, 0.0, width, height);
    let Some(shape) = shape.filter(|shape| !shape.columns.is_empty()) else { return };

    let color = window
        .get_computed_style(canvas)
        .ok()
        .flatten()
        .and_then(|style| style.get_property_value("color").ok())
        .unwrap_or_default();
    context.set_stroke_style_str(&color);
    context.set_fill_style_str(&color);
    context.set_line_width(LINE_WIDTH * ratio);
    context.set_line_join("round");
    context.set_line_cap("round");

    let margin = (DOT_RADIUS + 0.5) * ratio;
    let plot = Plot {
        left: 0.0,
        top: margin,
        x_scale: (width - margin) / f64::from(shape.width.max(1)),
        y_scale: (height - 2.0 * margin) / f64::from(u16::MAX),
        bottom: height - margin,
        floor: height,
    };
    for part in shape.columns.chunk_by(|_, next| !next.gap) {
        plot.area(&context, part);
        plot.stroke(&context, part);
    }
    if let Some(last) = shape.columns.last() {
        let (x, y) = (plot.x(last), plot.y(last.last));
        context.begin_path();
        // A radius that is not negative is always taken.
        let _drawn = context.arc(x, y, DOT_RADIUS * ratio, 0.0, std::f64::consts::TAU);
        context.fill();
    }
}

/// From columns and heights to pixels of the canvas.
struct Plot {
    left: f64,
    top: f64,
    bottom: f64,
    floor: f64,
    x_scale: f64,
    y_scale: f64,
}

impl Plot {
    fn x(&self, column: &Column) -> f64 {
        self.left + (f64::from(column.x) + 0.5) * self.x_scale
    }

    fn y(&self, height: u16) -> f64 {
        (self.bottom - f64::from(height) * self.y_scale).max(self.top)
    }

    /// The line through all columns, which have no gap between them.
    fn trace(&self, context: &CanvasRenderingContext2d, columns: &[Column]) {
        for column in columns {
            let x = self.x(column);
            context.line_to(x, self.y(column.first));
            if column.low != column.high {
                context.line_to(x, self.y(column.low));
                context.line_to(x, self.y(column.high));
                context.line_to(x, self.y(column.last));
            }
        }
    }

    fn stroke(&self, context: &CanvasRenderingContext2d, columns: &[Column]) {
        context.begin_path();
        self.trace(context, columns);
        context.stroke();
    }

    fn area(&self, context: &CanvasRenderingContext2d, columns: &[Column]) {
        let (Some(first), Some(last)) = (columns.first(), columns.last()) else { return };
        context.begin_path();
        context.move_to(self.x(first), self.floor);
        self.trace(context, columns);
        context.line_to(self.x(last), self.floor);
        context.set_global_alpha(AREA_OPACITY);
        context.fill();
        context.set_global_alpha(1.0);
    }
}
