//! A chart of one number over time, with a cross-hair for the mouse and for the keyboard.

use std::rc::Rc;

use web_sys::{HtmlElement, KeyboardEvent, PointerEvent};
use yew::prelude::*;

use super::house::use_texts;
use super::sparkline::Sparkline;
use super::time;
use crate::history::Column;
use crate::number::grouped;
use crate::protocol::Chart as Shape;
use crate::texts::fill;

#[derive(PartialEq, Properties)]
pub(super) struct ChartProps {
    pub(super) chart: Rc<Shape>,
}

#[component]
pub(super) fn Chart(props: &ChartProps) -> Html {
    let texts = use_texts();
    let chart = &props.chart;
    let plot = use_node_ref();
    // The place of the cross-hair, from 0 at the left edge to 1.
    let at = use_state(|| None::<f64>);
    let cross = use_node_ref();
    let column = at.and_then(|at| nearest(chart, at));
    {
        let (cross, part) = (cross.clone(), column.map(|column| place(chart, &column)));
        use_effect_with(part.map(|part| part.to_string()), move |part| {
            if let (Some(cross), Some(part)) = (cross.cast::<HtmlElement>(), part) {
                // A number is always taken.
                let _set = cross.style().set_property("--at", part);
            }
        });
    }
    let onpointermove = {
        let (at, plot) = (at.clone(), plot.clone());
        Callback::from(move |event: PointerEvent| {
            let Some(plot) = plot.cast::<HtmlElement>() else { return };
            let width = f64::from(plot.client_width()).max(1.0);
            let left = plot.get_bounding_client_rect().left();
            at.set(Some((f64::from(event.client_x()) - left) / width));
        })
    };
    let leave = {
        let at = at.clone();
        move || at.set(None)
    };
    let onpointerleave = {
        let leave = leave.clone();
        Callback::from(move |_: PointerEvent| leave())
    };
    let onblur = Callback::from(move |_: FocusEvent| leave());
    let onkeydown = {
        let chart = Rc::clone(chart);
        Callback::from(move |event: KeyboardEvent| {
            let columns = &chart.sparkline.columns;
            let now = at.and_then(|at| nearest(&chart, at));
            let index = now.and_then(|now| columns.iter().position(|column| *column == now));
            let last = columns.len().saturating_sub(1);
            let index = match (event.key().as_str(), index) {
                ("ArrowLeft", Some(index)) => index.saturating_sub(1),
                ("ArrowRight", Some(index)) => index.saturating_add(1).min(last),
                ("Home", _) => 0,
                ("End" | "ArrowLeft" | "ArrowRight", _) => last,
                _ => return,
            };
            event.prevent_default();
            at.set(columns.get(index).map(|column| place(&chart, column)));
        })
    };
    let unit = chart.unit.as_deref().unwrap_or_default();
    let summary =
        fill(texts.chart_explained, &[&chart.points.to_string(), &chart.low, &chart.high]);
    let readout = column.map(|column| readout(chart, &column));
    html! {
        <figure class="chart">
            <div class="chart-scale" aria-hidden="true">
                <span>{ &chart.high }{ " " }{ unit }</span>
                <span>{ &chart.low }{ " " }{ unit }</span>
            </div>
            <div ref={plot} class="chart-plot" role="img" tabindex="0" aria-label={summary}
                {onpointermove} {onpointerleave} {onkeydown} {onblur}>
                <Sparkline sparkline={Some(Rc::new(chart.sparkline.clone()))} />
                if column.is_some() {
                    <span ref={cross} class="chart-cross" aria-hidden="true"></span>
                }
            </div>
            <figcaption class="chart-times">
                <span>{ time::short(chart.from_ms, chart.to_ms) }</span>
                <span class="chart-readout" role="status">
                    { readout.unwrap_or_else(|| fill(texts.chart_points, &[&grouped(chart.points.into())])) }
                </span>
                <span>{ time::short(chart.to_ms, chart.to_ms) }</span>
            </figcaption>
        </figure>
    }
}

/// Where a column stands, from 0 at the left edge to 1.
fn place(chart: &Shape, column: &Column) -> f64 {
    (f64::from(column.x) + 0.5) / f64::from(chart.sparkline.width.max(1))
}

fn nearest(chart: &Shape, at: f64) -> Option<Column> {
    let distance = |column: &&Column| (place(chart, column) - at).abs();
    chart.sparkline.columns.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).copied()
}

/// When a column was, and its numbers. They are read off the line, so they are near.
fn readout(chart: &Shape, column: &Column) -> String {
    let at_ms = chart.from_ms + place(chart, column) * (chart.to_ms - chart.from_ms);
    let range = chart.high_value - chart.low_value;
    let value = |height: u16| chart.low_value + range * f64::from(height) / f64::from(u16::MAX);
    let decimals = match range {
        range if range >= 100.0 => 0,
        range if range >= 1.0 => 2,
        _ => 4,
    };
    let time = time::short(at_ms, chart.to_ms);
    let (low, high) = (value(column.low), value(column.high));
    if column.low == column.high {
        format!("{time} · ≈ {low:.decimals$}")
    } else {
        format!("{time} · ≈ {low:.decimals$} … {high:.decimals$}")
    }
}
