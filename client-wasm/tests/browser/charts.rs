//! Charts: what they ask of the engine, what is read off them, and the table behind them.

use client_wasm::format::Format;
use client_wasm::history::{Extreme, Slice, summary};
use client_wasm::number::Style;
use client_wasm::protocol::{
    Chart, ChartView, Command, Frame, Look, Range, Series, Sight, Slot, Source,
};
use wasm_bindgen::JsCast;
use wasm_bindgen_test::wasm_bindgen_test as test;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, HtmlElement};

use crate::dom::{Page, eventually, frame, press};
use crate::topics::{detail, message, open_at, text};

/// A quarter past ten in the morning of 1 July 2026, UTC.
const START_MS: f64 = 1_782_900_900_000.0;

fn slice(x: u16, at_ms: f64, value: f64) -> Slice {
    let number = Extreme { value, style: Style::Decimals(2) };
    Slice {
        x,
        count: 1,
        from_ms: START_MS + at_ms,
        to_ms: START_MS + at_ms,
        first: value,
        last: number,
        low: number,
        high: number,
        sum: value,
        gap: false,
    }
}

fn shape(slices: Vec<Slice>) -> Chart {
    let series =
        Series { unit: Some("°C".into()), summary: summary(&slices), slices, ..Series::default() };
    Chart {
        from_ms: START_MS,
        to_ms: START_MS + 10_000.0,
        oldest_ms: Some(START_MS),
        width: 100,
        series: vec![series],
    }
}

/// The charts that the page asked for, in order.
fn views(page: &Page) -> Vec<(Slot, ChartView)> {
    let commands = page.commands.borrow();
    let view = |command: &Command| match command {
        Command::Look { slot, look: Some(Look::Chart(view)) } => Some((*slot, view.clone())),
        _ => None,
    };
    commands.iter().filter_map(view).collect()
}

async fn asked(page: &Page, what: &str, pick: impl Fn(&ChartView) -> bool) -> (Slot, ChartView) {
    eventually(what, || views(page).into_iter().rev().find(|(_, view)| pick(view))).await
}

/// Where the topic is that has numbers. On a narrow screen it is there instead of the tree.
const PLACE: &str = "#/topics/home/attic";

/// The page of a topic with a chart on it, and the place of the chart.
async fn charted(slices: Vec<Slice>) -> (Page, HtmlElement, Slot) {
    let page = open_at(PLACE).await;
    page.receive(detail(message(9, Format::Text, text("2"))));
    let (slot, view) = asked(&page, "a chart", |view| view.width > 100).await;
    assert_eq!(view.sources, [Source { topic: "home/attic".into(), path: "t".into() }]);
    assert_eq!(view.range, Range::All);
    let sights = vec![(slot, Sight::Chart(shape(slices)))];
    page.receive(Frame { sights, ..Frame::default() });
    let plot = page.has(".chart-plot").await;
    page.has(".chart-foot").await;
    (page, plot, slot)
}

fn two() -> Vec<Slice> {
    vec![slice(10, 1_000.0, 1.0), slice(80, 8_000.0, 2.5)]
}

/// How many pixels of a canvas are drawn on.
fn painted(canvas: &HtmlElement) -> usize {
    let canvas: &HtmlCanvasElement = canvas.dyn_ref().unwrap();
    let context = canvas.get_context("2d").unwrap().unwrap();
    let context: CanvasRenderingContext2d = context.unchecked_into();
    let (width, height) = (f64::from(canvas.width()), f64::from(canvas.height()));
    let data = context.get_image_data(0.0, 0.0, width, height).unwrap().data();
    data.chunks(4).filter(|pixel| pixel[3] > 0).count()
}

#[test]
async fn a_chart_is_drawn_with_its_axes_and_says_its_numbers() {
    let (page, _, _) = charted(two()).await;
    page.shows(".chart-value", "2.50").await;
    page.shows(".chart-unit", "°C").await;
    page.shows(".chart-foot", "min 1.00mean 1.750max 2.50").await;
    let canvas = page.has(".chart-canvas").await;
    eventually("lines and axes", || (painted(&canvas) > 1_000).then_some(())).await;
}

#[test]
async fn the_cross_hair_follows_the_keys_and_reads_exact_numbers() {
    let (page, plot, _) = charted(two()).await;
    press(&plot, "Home");
    page.shows(".chart-value", "1.00").await;
    let over = page.has(".chart-canvas + .chart-canvas").await;
    eventually("a line", || (painted(&over) > 50).then_some(())).await;
    assert!(page.text(".chart-moment").unwrap().contains(":01.000"));
    press(&plot, "ArrowRight");
    page.shows(".chart-value", "2.50").await;
    press(&plot, "Escape");
    eventually("no cross-hair", || page.find(".chart-moment").is_none().then_some(())).await;
}

#[test]
async fn keys_and_buttons_zoom_and_lead_back() {
    let (page, plot, slot) = charted(two()).await;
    press(&plot, "Home");
    page.shows(".chart-value", "1.00").await;
    press(&plot, "+");
    let (same, view) = asked(&page, "closer", |view| view.range != Range::All).await;
    assert_eq!(same, slot);
    let Range::Between { from_ms, to_ms } = view.range else { panic!("{view:?}") };
    assert_eq!((from_ms - START_MS, to_ms - START_MS), (500.0, 5_500.0));
    page.has("[data-role=zoom-all][aria-disabled=false]").await;
    press(&plot, "Escape");
    page.has("[data-role=zoom-all][aria-disabled=true]").await;
    let (_, view) = views(&page).pop().unwrap();
    assert_eq!(view.range, Range::All);
    page.find("[data-role=zoom-in]").unwrap().click();
    page.has("[data-role=zoom-out][aria-disabled=false]").await.click();
    page.has("[data-role=zoom-out][aria-disabled=true]").await;
}

fn point(plot: &HtmlElement, kind: &str, part: f64) {
    let bounds = plot.get_bounding_client_rect();
    let init = web_sys::PointerEventInit::new();
    init.set_bubbles(true);
    init.set_client_x((bounds.left() + bounds.width() * part) as i32);
    init.set_pointer_type("mouse");
    let event = web_sys::PointerEvent::new_with_event_init_dict(kind, &init).unwrap();
    plot.dispatch_event(&event).unwrap();
}

#[test]
async fn a_stretch_of_time_is_chosen_by_drawing_over_it() {
    let (page, plot, _) = charted(two()).await;
    // The lines begin right of the labels.
    frame().await;
    for (kind, part) in [("pointerdown", 0.5), ("pointermove", 0.7), ("pointermove", 0.9)] {
        point(&plot, kind, part);
        frame().await;
        frame().await;
    }
    point(&plot, "pointerup", 0.9);
    let (_, view) = asked(&page, "the stretch", |view| view.range != Range::All).await;
    let Range::Between { from_ms, to_ms } = view.range else { panic!("{view:?}") };
    let (from, to) = (from_ms - START_MS, to_ms - START_MS);
    assert!((3_500.0..5_100.0).contains(&from) && (8_000.0..9_600.0).contains(&to), "{from} {to}");
}

#[test]
async fn the_table_behind_a_chart_has_its_numbers() {
    let (page, _, _) = charted(two()).await;
    page.find("[data-role=chart-table]").unwrap().click();
    let rows = page.has("[data-role=chart-rows] tbody").await;
    let text = rows.text_content().unwrap();
    assert!(text.contains("2.50") && text.contains("1.00"), "{text}");
    assert_eq!(rows.child_element_count(), 2);
    for _ in 0..3 {
        frame().await;
    }
    let (_, view) = views(&page).pop().unwrap();
    assert!(view.width > 100, "the table is made of as many columns as the chart: {view:?}");
    page.find("[data-role=chart-table]").unwrap().click();
    let canvas = page.has(".chart-canvas").await;
    eventually("the lines again", || (painted(&canvas) > 1_000).then_some(())).await;
}

#[test]
async fn a_chart_without_numbers_says_so() {
    let page = open_at(PLACE).await;
    page.receive(detail(message(9, Format::Text, text("2"))));
    let (slot, _) = asked(&page, "a chart", |_| true).await;
    let sights = vec![(slot, Sight::Chart(shape(Vec::new())))];
    page.receive(Frame { sights, ..Frame::default() });
    page.shows(".chart-empty", "No number came in this span.").await;
    page.go("#/");
    page.sent("nobody looks any more", |command| {
        (*command == Command::Look { slot, look: None }).then_some(())
    })
    .await;
}

/// A million points are two thousand slices of a screen: what is drawn follows the width.
#[test]
async fn a_chart_of_very_many_numbers_is_drawn_whole() {
    let slices: Vec<Slice> = (0..2_000u16)
        .map(|x| {
            let value = f64::from(x % 97);
            let number = |value| Extreme { value, style: Style::Decimals(2) };
            Slice {
                count: 500,
                to_ms: START_MS + f64::from(x) * 5.0 + 4.0,
                low: number(value - 20.0),
                high: number(value + 20.0),
                ..slice(x, f64::from(x) * 5.0, value)
            }
        })
        .collect();
    let (page, _, _) = charted(slices).await;
    let canvas = page.has(".chart-canvas").await;
    eventually("all of it", || (painted(&canvas) > 10_000).then_some(())).await;
}
