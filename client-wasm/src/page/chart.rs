//! A chart of numbers over time: several lines, two axes, a cross-hair for the mouse and for the keys,
//! and the table behind it. What is drawn is in `chart/drawing.rs`.

mod drawing;

use std::cell::Cell;
use std::rc::Rc;

use gloo_events::EventListener;
use wasm_bindgen::prelude::*;
use web_sys::{HtmlCanvasElement, HtmlElement, KeyboardEvent, PointerEvent, ResizeObserver};
use yew::prelude::*;

use self::drawing::{Frame, Scene};
use super::bdi;
use super::field::{Field, use_field};
use super::link::{Link, use_sight};
use super::look::LOOKS_EVENT;
use super::{time, use_texts, use_widget_texts};
use crate::limits::{CHART_ROWS_MAX, CHART_WIDTH_MAX};
use crate::plot::{self, Zoom};
use crate::protocol::{Chart as Shape, ChartView, Look, Range, Sight, Source};
use crate::texts::{Texts, WidgetTexts, fill};

/// How wide a chart is taken for before it is on the screen, in pixels of the screen.
pub(super) const WIDTH_FIRST: u16 = 400;

/// How far a pointer must go, in pixels of the style sheet, to be choosing a stretch of time.
const DRAG_MIN: f64 = 6.0;

/// How far from the cross-hair a number may be to be read off, in pixels of the style sheet.
const NEAR: f64 = 24.0;

/// One line of a chart.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Line {
    /// The numbers.
    pub(super) source: Source,
    /// What it is called.
    pub(super) name: AttrValue,
    /// Its unit; that which the engine knows where there is none.
    pub(super) unit: Option<AttrValue>,
    /// Digits after the point; as the numbers were written where there are none.
    pub(super) decimals: Option<u8>,
    /// Whether it belongs to the second axis, on the right.
    pub(super) is_right: bool,
}

/// A level across a chart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Level {
    /// Where.
    pub(super) value: f64,
    /// The variable of its colour.
    pub(super) color: &'static str,
}

#[derive(PartialEq, Properties)]
pub(super) struct ChartProps {
    pub(super) link: Link,
    pub(super) lines: Vec<Line>,
    /// What it shows as long as nobody zooms in.
    pub(super) home: Range,
    /// The moment of the cross-hair; charts that share it show the same moment.
    pub(super) cross: Field<Option<f64>>,
    /// Levels across the chart.
    #[prop_or_default]
    pub(super) levels: Vec<Level>,
}

/// A chart of what the engine knows.
#[component]
pub(super) fn Chart(props: &ChartProps) -> Html {
    let zoom = use_state(Zoom::default);
    let width = use_state(|| WIDTH_FIRST);
    let sight = use_sight(
        &props.link,
        Look::Chart(ChartView {
            sources: props.lines.iter().map(|line| line.source.clone()).collect(),
            range: zoom.range(props.home),
            width: *width,
        }),
    );
    html! {
        <Plot {sight} lines={props.lines.clone()} levels={props.levels.clone()} {zoom} {width}
            cross={props.cross.clone()} />
    }
}

#[derive(PartialEq, Properties)]
pub(super) struct PlotProps {
    /// The chart; nothing before it is there.
    pub(super) sight: Option<Rc<Sight>>,
    pub(super) lines: Vec<Line>,
    /// How far a person has zoomed in; whoever makes the chart follows it.
    pub(super) zoom: UseStateHandle<Zoom>,
    /// How wide it is, in pixels of the screen; whoever makes the chart follows it.
    pub(super) width: UseStateHandle<u16>,
    /// The moment of the cross-hair.
    pub(super) cross: Field<Option<f64>>,
    /// Levels across the chart.
    #[prop_or_default]
    pub(super) levels: Vec<Level>,
}

/// Where a pointer went down, and where it is, from the left edge in pixels of the style sheet.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Drag {
    from: f64,
    to: f64,
}

/// A chart, whoever made it.
#[component]
pub(super) fn Plot(props: &PlotProps) -> Html {
    let (sight, zoom) = (props.sight.clone(), props.zoom.clone());
    let (texts, more) = (use_texts(), use_widget_texts());
    let cross_ms = use_field(&props.cross);
    let drag = use_state(|| None::<Drag>);
    let is_table = use_state(|| false);
    let (plot, canvas, over) = (use_node_ref(), use_node_ref(), use_node_ref());
    // How often the size or the colours have changed.
    let looks = use_state(|| 0u32);
    let frame = use_memo((), |()| Cell::new(Frame::default()));
    use_looks(&plot, &looks, &props.width);
    let shape = match sight.as_deref() {
        Some(Sight::Chart(shape)) if shape.series.len() == props.lines.len() => Some(shape),
        _ => None,
    };
    {
        let (canvas, frame) = (canvas.clone(), Rc::clone(&frame));
        let scene = (sight.clone(), props.lines.clone(), props.levels.clone(), *looks, *is_table);
        use_effect_with(scene, move |(sight, lines, levels, _, is_table)| {
            let Some(Sight::Chart(shape)) = sight.as_deref() else { return };
            if let Some(canvas) = canvas.cast::<HtmlCanvasElement>().filter(|_| !is_table) {
                frame.set(drawing::draw(&canvas, &Scene { shape, lines, levels }));
            }
        });
    }
    {
        let (over, frame, lines) = (over.clone(), Rc::clone(&frame), props.lines.clone());
        let marks = (sight.clone(), cross_ms, *drag, *looks, *is_table);
        use_effect_with(marks, move |(sight, cross_ms, drag, _, is_table)| {
            let Some(Sight::Chart(shape)) = sight.as_deref() else { return };
            if let Some(over) = over.cast::<HtmlCanvasElement>().filter(|_| !is_table) {
                let drag = drag.filter(is_far).map(|drag| (drag.from, drag.to));
                let scene = Scene { shape, lines: &lines, levels: &[] };
                drawing::mark(&over, &scene, &frame.get(), *cross_ms, drag);
            }
        });
    }
    let pointer = Pointer { plot, frame, drag, cross: props.cross.clone(), zoom: zoom.clone() };
    let onkeydown = keys(&pointer, shape, &props.cross, &zoom);
    let change = |change: fn(&mut Zoom, &Shape, f64)| {
        let (zoom, shape, cross) = (zoom.clone(), shape.cloned(), props.cross.clone());
        Callback::from(move |_: MouseEvent| {
            let Some(shape) = &shape else { return };
            let mut next = (*zoom).clone();
            change(&mut next, shape, center(shape, cross.get()));
            zoom.set(next);
        })
    };
    let toggle = {
        let is_table = is_table.clone();
        Callback::from(move |_: MouseEvent| is_table.set(!*is_table))
    };
    let names: Vec<&str> = props.lines.iter().map(|line| line.name.as_str()).collect();
    let is_empty = shape.is_some_and(|shape| shape.series.iter().all(|s| s.summary.is_none()));
    // A button that the browser does not press any more lets go of the focus; these two are only said to be so.
    let is_whole = (!zoom.is_in()).to_string();
    html! {
        <figure class="chart">
            <header class="chart-head">
                { legend(shape, &props.lines, cross_ms, &pointer.frame, more) }
                <div class="chart-tools">
                    <button type="button" class="quiet-button tool" title={more.zoom_in} aria-label={more.zoom_in}
                        data-role="zoom-in" disabled={*is_table}
                        onclick={change(|zoom, shape, at_ms| zoom.closer(shape, at_ms))}>{ "+" }</button>
                    <button type="button" class="quiet-button tool" title={more.zoom_out} aria-label={more.zoom_out}
                        data-role="zoom-out" aria-disabled={is_whole.clone()}
                        onclick={change(|zoom, _, _| { zoom.back(); })}>{ "−" }</button>
                    <button type="button" class="quiet-button tool" data-role="zoom-all" aria-disabled={is_whole}
                        title={more.zoom_all} aria-label={more.zoom_all}
                        onclick={change(|zoom, _, _| zoom.home())}>{ "↺" }</button>
                    <button type="button" class="quiet-button tool" data-role="chart-table" onclick={toggle}
                        aria-pressed={is_table.to_string()}>{ more.chart_table }</button>
                </div>
            </header>
            if *is_table {
                { shape.map(|shape| table(shape, &props.lines, texts, more)) }
            }
            <div ref={pointer.plot.clone()} class="chart-plot" role="img" tabindex="0"
                hidden={*is_table}
                aria-label={fill(more.chart_explained, &[&names.join(", ")])}
                {onkeydown}
                onpointerdown={pointer.on_down(shape)}
                onpointermove={pointer.on_move(shape)}
                onpointerup={pointer.on_up(shape)}
                onpointercancel={pointer.on_leave()}
                onpointerleave={pointer.on_leave()}
                ondblclick={change(|zoom, _, _| { zoom.back(); })}
                onblur={pointer.on_blur()}
            >
                <canvas ref={canvas} class="chart-canvas" aria-hidden="true"></canvas>
                <canvas ref={over} class="chart-canvas" aria-hidden="true"></canvas>
                if is_empty {
                    <p class="chart-empty">{ more.chart_empty }</p>
                }
            </div>
            { foot(shape, &props.lines, texts) }
        </figure>
    }
}

fn is_far(drag: &Drag) -> bool {
    (drag.to - drag.from).abs() >= DRAG_MIN
}

/// The width of an element in pixels of the screen; none while it is hidden.
fn width(element: &NodeRef) -> Option<u16> {
    let css = element.cast::<HtmlElement>()?.client_width();
    if css == 0 {
        return None;
    }
    let ratio = web_sys::window().map_or(1.0, |window| window.device_pixel_ratio());
    // A cast from a float keeps to the range of the integer.
    Some(((f64::from(css) * ratio) as u16).clamp(1, CHART_WIDTH_MAX))
}

/// Counts up when the element's size changes or the page becomes dark or light, and tells its width.
#[hook]
fn use_looks(element: &NodeRef, looks: &UseStateHandle<u32>, width: &UseStateHandle<u16>) {
    let count = use_mut_ref(|| 0u32);
    let element = element.clone();
    let (looks, width) = (looks.clone(), width.setter());
    use_effect_with((), move |()| {
        let measured = element.clone();
        let changed: Rc<dyn Fn()> = Rc::new(move || {
            // A chart keeps its columns while its table is shown, as its rows are made of them.
            let Some(wide) = self::width(&measured) else { return };
            width.set(wide);
            let next = count.borrow().wrapping_add(1);
            count.replace(next);
            looks.set(next);
        });
        let resized = {
            let changed = Rc::clone(&changed);
            Closure::<dyn FnMut()>::new(move || changed())
        };
        let observer = ResizeObserver::new(resized.as_ref().unchecked_ref()).ok();
        if let (Some(observer), Some(element)) = (&observer, element.cast::<HtmlElement>()) {
            observer.observe(&element);
        }
        let query = web_sys::window()
            .and_then(|window| window.match_media("(prefers-color-scheme: dark)").ok().flatten());
        let recolored = query.map(|query| {
            let changed = Rc::clone(&changed);
            EventListener::new(&query, "change", move |_| changed())
        });
        let chosen = web_sys::window()
            .map(|window| EventListener::new(&window, LOOKS_EVENT, move |_| changed()));
        move || {
            if let Some(observer) = observer {
                observer.disconnect();
            }
            drop((resized, recolored, chosen));
        }
    });
}

/// Where a zoom by key or button leads to: the cross-hair if it is on the chart, else its middle.
fn center(shape: &Shape, cross_ms: Option<f64>) -> f64 {
    let middle = (shape.from_ms + shape.to_ms) / 2.0;
    cross_ms.filter(|at_ms| (shape.from_ms..=shape.to_ms).contains(at_ms)).unwrap_or(middle)
}

/// What the keys do.
fn keys(
    pointer: &Pointer,
    shape: Option<&Shape>,
    cross: &Field<Option<f64>>,
    zoom: &UseStateHandle<Zoom>,
) -> Callback<KeyboardEvent> {
    let (shape, cross, zoom) = (shape.cloned(), cross.clone(), zoom.clone());
    let drag = pointer.drag.clone();
    Callback::from(move |event: KeyboardEvent| {
        let Some(shape) = shape.as_ref().filter(|_| !event.ctrl_key() && !event.alt_key()) else {
            return;
        };
        let mut next = (*zoom).clone();
        let walk = |by: isize| {
            let stops = plot::stops(shape);
            cross.set(plot::step(&stops, cross.get(), by));
        };
        match event.key().as_str() {
            "ArrowLeft" if event.shift_key() => next.pan(shape, -1.0, crate::clock::now_ms()),
            "ArrowRight" if event.shift_key() => next.pan(shape, 1.0, crate::clock::now_ms()),
            "ArrowLeft" => walk(-1),
            "ArrowRight" => walk(1),
            "PageDown" => walk(10),
            "PageUp" => walk(-10),
            "Home" => cross.set(plot::stops(shape).first().copied()),
            "End" => cross.set(plot::stops(shape).last().copied()),
            "+" | "=" => next.closer(shape, center(shape, cross.get())),
            "-" | "_" => {
                next.back();
            }
            "Escape" if drag.is_some() => drag.set(None),
            "Escape" if cross.get().is_some() && !zoom.is_in() => cross.set(None),
            "Escape" if zoom.is_in() => {
                next.back();
            }
            _ => return,
        }
        event.prevent_default();
        event.stop_propagation();
        if next != *zoom {
            zoom.set(next);
        }
    })
}

/// What the pointer does on a chart.
struct Pointer {
    plot: NodeRef,
    frame: Rc<Cell<Frame>>,
    drag: UseStateHandle<Option<Drag>>,
    cross: Field<Option<f64>>,
    zoom: UseStateHandle<Zoom>,
}

impl Pointer {
    /// How far from the left edge the pointer is, in pixels of the style sheet.
    fn x(plot: &NodeRef, event: &PointerEvent) -> Option<f64> {
        let plot = plot.cast::<HtmlElement>()?;
        Some(f64::from(event.client_x()) - plot.get_bounding_client_rect().left())
    }

    fn on_down(&self, shape: Option<&Shape>) -> Callback<PointerEvent> {
        let (plot, drag, has_shape) = (self.plot.clone(), self.drag.clone(), shape.is_some());
        Callback::from(move |event: PointerEvent| {
            // A finger moves the cross-hair; it zooms by the buttons.
            let is_drawing = has_shape && event.button() == 0 && event.pointer_type() != "touch";
            if let Some(x) = Self::x(&plot, &event).filter(|_| is_drawing) {
                drag.set(Some(Drag { from: x, to: x }));
                if let Some(plot) = plot.cast::<HtmlElement>() {
                    // Where it is not captured, it ends at the edge.
                    let _captured = plot.set_pointer_capture(event.pointer_id());
                }
            }
        })
    }

    fn on_move(&self, shape: Option<&Shape>) -> Callback<PointerEvent> {
        let (plot, drag, cross) = (self.plot.clone(), self.drag.clone(), self.cross.clone());
        let (frame, edges) = (Rc::clone(&self.frame), shape.map(|s| (s.from_ms, s.to_ms)));
        Callback::from(move |event: PointerEvent| {
            let Some((x, (from_ms, to_ms))) = Self::x(&plot, &event).zip(edges) else { return };
            if let Some(now) = *drag {
                drag.set(Some(Drag { to: x, ..now }));
            }
            cross.set(Some(frame.get().at(x, from_ms, to_ms)));
        })
    }

    fn on_up(&self, shape: Option<&Shape>) -> Callback<PointerEvent> {
        let (drag, zoom, frame) = (self.drag.clone(), self.zoom.clone(), Rc::clone(&self.frame));
        let edges = shape.map(|shape| (shape.from_ms, shape.to_ms));
        Callback::from(move |_: PointerEvent| {
            let Some((now, (from_ms, to_ms))) = (*drag).zip(edges) else { return };
            drag.set(None);
            if is_far(&now) {
                let at = |x| frame.get().at(x, from_ms, to_ms);
                let mut next = (*zoom).clone();
                next.select(at(now.from), at(now.to));
                zoom.set(next);
            }
        })
    }

    fn on_leave(&self) -> Callback<PointerEvent> {
        let (drag, cross) = (self.drag.clone(), self.cross.clone());
        Callback::from(move |_: PointerEvent| {
            if drag.is_none() {
                cross.set(None);
            }
        })
    }

    fn on_blur(&self) -> Callback<FocusEvent> {
        let cross = self.cross.clone();
        Callback::from(move |_: FocusEvent| cross.set(None))
    }
}

/// The unit of a line: the person's, or that which the engine knows.
fn unit<'a>(line: &'a Line, shape: Option<&'a Shape>, index: usize) -> &'a str {
    let known = || shape.and_then(|shape| shape.series.get(index)?.unit.as_deref());
    line.unit.as_deref().or_else(known).unwrap_or_default()
}

/// The names of the lines with their numbers: those at the cross-hair, else the last ones.
fn legend(
    shape: Option<&Shape>,
    lines: &[Line],
    cross_ms: Option<f64>,
    frame: &Cell<Frame>,
    more: &WidgetTexts,
) -> Html {
    let text = |index: usize, line: &Line| {
        let slices = &shape?.series.get(index)?.slices;
        let Some(at_ms) = cross_ms else {
            return slices.last().map(|slice| plot::written(slice.last, line.decimals));
        };
        let far_ms = shape.map_or(0.0, |shape| frame.get().span_ms(NEAR, shape));
        let slice = plot::nearest(slices, at_ms, far_ms);
        slice.map(|slice| plot::readout(slice, line.decimals))
    };
    let moment = cross_ms.zip(shape).map(|(at_ms, shape)| {
        // The numbers say when they came where there is one line, which is what its cross-hair is at.
        let slices = shape.series.first().filter(|_| lines.len() == 1).map(|s| &s.slices);
        let far_ms = frame.get().span_ms(NEAR, shape);
        let slice = slices.and_then(|slices| plot::nearest(slices, at_ms, far_ms));
        slice.map_or(at_ms, |slice| at_ms.clamp(slice.from_ms, slice.to_ms))
    });
    html! {
        <div class="chart-legend" role="status">
            { for lines.iter().enumerate().map(|(index, line)| {
                let value = text(index, line);
                let is_none = value.is_none();
                html! {
                    <span class="chart-key" data-hue={(index % drawing::HUES).to_string()}>
                        <span class="chart-name">{ bdi(&line.name) }</span>
                        { " " }
                        <span class={classes!("chart-value", is_none.then_some("is-none"))}>
                            { value.unwrap_or_else(|| more.no_value.to_owned()) }
                        </span>
                        if !is_none {
                            { " " }<span class="chart-unit">{ unit(line, shape, index).to_owned() }</span>
                        }
                    </span>
                }
            }) }
            if let Some(at_ms) = moment {
                <span class="chart-moment">{ time::exact(at_ms, crate::clock::now_ms()) }</span>
            }
        </div>
    }
}

/// The lowest, the mean and the highest of what is shown, for a chart of one line.
fn foot(shape: Option<&Shape>, lines: &[Line], texts: &Texts) -> Html {
    let ([line], Some(shape)) = (lines, shape) else { return Html::default() };
    let Some(summary) = shape.series.first().and_then(|series| series.summary) else {
        return Html::default();
    };
    let figure = |name: &str, value: String| {
        html! { <span><span class="range-name">{ name.to_owned() }</span>{ " " }{ value }</span> }
    };
    html! {
        <figcaption class="chart-foot">
            { figure(texts.lowest, plot::written(summary.low, line.decimals)) }
            { figure(texts.mean, plot::mean(summary.mean, summary.low, summary.high, line.decimals)) }
            { figure(texts.highest, plot::written(summary.high, line.decimals)) }
        </figcaption>
    }
}

/// The same numbers as a table.
fn table(shape: &Shape, lines: &[Line], texts: &Texts, more: &WidgetTexts) -> Html {
    let now_ms = crate::clock::now_ms();
    let rows = plot::table(shape, CHART_ROWS_MAX);
    let cells = |cells: &[Option<crate::history::Slice>]| -> Html {
        let cell = |(line, cell): (&Line, &Option<crate::history::Slice>)| {
            let text = |pick: fn(&crate::history::Slice) -> crate::history::Extreme| {
                cell.as_ref().map(|cell| plot::written(pick(cell), line.decimals))
            };
            let mean = cell.as_ref().map(|cell| {
                let mean = cell.sum / f64::from(cell.count.max(1));
                plot::mean(mean, cell.low, cell.high, line.decimals)
            });
            html! {
                <>
                    <td>{ text(|cell| cell.low) }</td>
                    <td>{ mean }</td>
                    <td>{ text(|cell| cell.high) }</td>
                    <td>{ cell.as_ref().map(|cell| cell.count) }</td>
                </>
            }
        };
        lines.iter().zip(cells).map(cell).collect()
    };
    html! {
        <div class="chart-rows" tabindex="0" role="region" aria-label={more.chart_table}>
            <table class="figures-table" data-role="chart-rows">
                <thead>
                    <tr>
                        <th rowspan="2" scope="col">{ more.time }</th>
                        { for lines.iter().enumerate().map(|(index, line)| {
                            let unit = unit(line, Some(shape), index).to_owned();
                            html! {
                                <th colspan="4" scope="colgroup">
                                    { bdi(&line.name) }{ " " }{ unit }
                                </th>
                            }
                        }) }
                    </tr>
                    <tr>
                        { for lines.iter().map(|_| html! {
                            <>
                                <th scope="col">{ texts.lowest }</th>
                                <th scope="col">{ texts.mean }</th>
                                <th scope="col">{ texts.highest }</th>
                                <th scope="col">{ more.values }</th>
                            </>
                        }) }
                    </tr>
                </thead>
                <tbody>
                    { for rows.iter().map(|row| html! {
                        <tr>
                            <th scope="row">
                                { time::exact(row.from_ms, now_ms) }
                                if row.to_ms > row.from_ms {
                                    { " – " }{ time::exact(row.to_ms, row.from_ms) }
                                }
                            </th>
                            { cells(&row.cells) }
                        </tr>
                    }) }
                </tbody>
            </table>
        </div>
    }
}
