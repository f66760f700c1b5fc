//! The line of a card, on a canvas: for each column of pixels the lowest and the highest number.

use std::rc::Rc;

use web_sys::HtmlCanvasElement;
use yew::prelude::*;

use super::canvas::{Corner, LINE_WIDTH, Surface, draw_soon, trace};
use crate::history::{Column, Sparkline as Shape};

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
                let shape = sparkline.clone();
                draw_soon(canvas, move |surface| draw(surface, shape.as_deref()));
            }
        });
    }
    html! { <canvas ref={canvas} class="sparkline" aria-hidden="true"></canvas> }
}

fn draw(surface: &Surface, shape: Option<&Shape>) {
    let Some(shape) = shape.filter(|shape| !shape.columns.is_empty()) else { return };
    surface.line_width(LINE_WIDTH);
    let margin = (DOT_RADIUS + 0.5) * surface.unit;
    let plot = Plot {
        top: margin,
        x_scale: (surface.width - margin) / f64::from(shape.width.max(1)),
        y_scale: (surface.height - 2.0 * margin) / f64::from(u16::MAX),
        bottom: surface.height - margin,
    };
    for part in shape.columns.chunk_by(|_, next| !next.gap) {
        plot.area(surface, part);
        surface.context.begin_path();
        plot.trace(surface, part);
        surface.context.stroke();
    }
    if let Some(last) = shape.columns.last() {
        surface.dot(plot.x(last), plot.y(last.last), DOT_RADIUS);
    }
}

/// From columns and heights to pixels of the canvas.
struct Plot {
    top: f64,
    bottom: f64,
    x_scale: f64,
    y_scale: f64,
}

impl Plot {
    fn x(&self, column: &Column) -> f64 {
        (f64::from(column.x) + 0.5) * self.x_scale
    }

    fn y(&self, height: u16) -> f64 {
        (self.bottom - f64::from(height) * self.y_scale).max(self.top)
    }

    /// The line through all columns, which have no gap between them.
    fn trace(&self, surface: &Surface, columns: &[Column]) {
        for column in columns {
            let x = self.x(column);
            let corner = Corner {
                from_x: x,
                to_x: x,
                first: self.y(column.first),
                low: self.y(column.low),
                high: self.y(column.high),
                last: self.y(column.last),
            };
            trace(&surface.context, &corner);
        }
    }

    fn area(&self, surface: &Surface, columns: &[Column]) {
        let (Some(first), Some(last)) = (columns.first(), columns.last()) else { return };
        let context = &surface.context;
        context.begin_path();
        context.move_to(self.x(first), surface.height);
        self.trace(surface, columns);
        context.line_to(self.x(last), surface.height);
        context.set_global_alpha(AREA_OPACITY);
        context.fill();
        context.set_global_alpha(1.0);
    }
}
