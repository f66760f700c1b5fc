//! What a widget shows.

use std::rc::Rc;

use yew::prelude::*;

use super::super::bdi;
use super::super::chart::{Chart, Level as ChartLevel, Line};
use super::super::field::{Field, use_field};
use super::super::link::{Link, use_sight};
use super::super::picture::Picture;
use super::super::{card, time, use_texts, use_widget_texts};
use super::control::Control;
use crate::name;
use crate::number;
use crate::protocol::{Card, Connection, Look, MessageRow, Range, Sight, Source, Value};
use crate::route::Route;
use crate::texts::{Texts, WidgetTexts, age, fill};
use crate::visible::visible;
use crate::widgets::{Kind, Level, Shown, Tone, Widget, level};

/// Messages that a log shows.
const LOG_LEN: u16 = 50;

/// The value that a widget shows, in the engine's words.
pub(super) fn source(shown: &Shown) -> Source {
    Source { topic: shown.topic.clone(), path: shown.path.clone() }
}

/// What a value is called: as the person says, else by its topic or its path.
pub(super) fn name(shown: &Shown) -> String {
    match (shown.name.as_str(), shown.path.as_str()) {
        ("", "") => name::readable(&shown.topic),
        ("", path) => path.rsplit('.').next().unwrap_or(path).to_owned(),
        (name, _) => name.to_owned(),
    }
}

/// What a widget is called: as the person says, else by its first value and the number of the others.
pub(super) fn title(widget: &Widget) -> String {
    match (widget.title.as_str(), widget.values.as_slice()) {
        ("", [first]) => name(first),
        ("", [first, ..]) if widget.kind == Kind::Position => name(first),
        ("", [first, others @ ..]) => format!("{} + {}", name(first), others.len()),
        ("", []) => name::readable(&widget.control.topic),
        (title, _) => title.to_owned(),
    }
}

/// What a widget is called, which leads to the topic of its first value; a control may have none.
fn heading(widget: &Widget) -> Html {
    let name = bdi(title(widget));
    match widget.values.first() {
        Some(shown) if !widget.kind.is_control() => {
            let href = Route::Topics(Some(shown.topic.clone())).href();
            html! { <a {href} title={visible(&shown.topic)}>{ name }</a> }
        }
        _ => name,
    }
}

/// The variable of a colour.
pub(super) fn color(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "--ink-soft",
        Tone::Good => "--good",
        Tone::Warn => "--warn",
        Tone::Bad => "--bad",
        Tone::Cold => "--series-3",
    }
}

fn tone_word(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "plain",
        Tone::Good => "good",
        Tone::Warn => "warn",
        Tone::Bad => "bad",
        Tone::Cold => "cold",
    }
}

#[derive(PartialEq, Properties)]
pub(super) struct FaceProps {
    pub(super) link: Link,
    pub(super) widget: Widget,
    pub(super) cross: Field<Option<f64>>,
}

/// A widget with its heading.
#[component]
pub(super) fn Face(props: &FaceProps) -> Html {
    let FaceProps { link, widget, cross } = props;
    let (texts, words) = (use_texts(), use_widget_texts());
    let connection = use_field(link.connection());
    let now_ms = use_field(link.now_ms());
    let look = match (widget.kind, widget.values.first()) {
        (Kind::Log, Some(first)) => Look::Recent { topic: first.topic.clone(), len: LOG_LEN },
        // A chart looks by itself.
        (Kind::Line, _) => Look::Values(Vec::new()),
        _ => Look::Values(widget.values.iter().map(source).collect()),
    };
    let sight = use_sight(link, look);
    let values: &[Option<Card>] = match sight.as_deref() {
        Some(Sight::Values(values)) if values.len() == widget.values.len() => values,
        _ => &[],
    };
    let first = values.first().and_then(Option::as_ref);
    let is_old = |card: &Card| card::is_stale(card, &connection, now_ms);
    // Where there are many, each says so of itself.
    let is_stale = first.is_some() && values.iter().flatten().all(is_old);
    let is_online = matches!(connection, Connection::Online { .. });
    let tone = level::tone(&widget.levels, first.and_then(number_of));
    html! {
        <article class={classes!("card", "widget-card", is_stale.then_some("is-stale"))}
            data-kind={widget.kind.word()} data-tone={tone_word(tone)}>
            <header class="card-head">
                <h3 class="card-name">{ heading(widget) }</h3>
                if !widget.kind.is_control() && !matches!(widget.kind, Kind::Line | Kind::Log) {
                    <p class="card-status">
                        { card::mark(first, is_stale && is_online, texts) }
                        { card::age_of(first, now_ms, texts) }
                    </p>
                }
            </header>
            { match widget.kind {
                Kind::Line => chart(link, widget, cross),
                Kind::Log => log(sight.as_deref(), words, now_ms),
                kind if kind.is_control() => html! {
                    <Control link={link.clone()} widget={widget.clone()}
                        state={first.cloned().map(Rc::new)} />
                },
                Kind::Gauge => gauge(widget, first, words),
                Kind::Bar => bars(widget, values, &is_old, words),
                Kind::Lamp => lamp(first, words),
                Kind::Table => table(widget, values, now_ms, &is_old, words),
                Kind::Image => image(widget, first, words),
                Kind::Position => position(widget, values, words),
                _ => big(widget, first, texts, words),
            } }
        </article>
    }
}

/// The number that a value is.
pub(super) fn number_of(card: &Card) -> Option<f64> {
    match &card.value {
        Value::Number { text, .. } => number::parse(text).map(|number| number.value),
        Value::Flag { on, .. } => Some(f64::from(u8::from(*on))),
        _ => None,
    }
}

/// A value in one line: the number as it was written, or with the digits that the person wants.
pub(super) fn text_of(card: &Card, shown: &Shown) -> String {
    match (&card.value, shown.decimals) {
        (Value::Number { text, .. }, Some(decimals)) => number::parse(text)
            .map_or_else(String::new, |number| {
                format!("{:.*}", usize::from(decimals.min(12)), number.value)
            }),
        (Value::Number { text, .. } | Value::Flag { text, .. } | Value::Text { text, .. }, _) => {
            visible(text)
        }
        (Value::Json { members, .. }, _) => {
            let member = |(path, value): &(String, String)| format!("{path}: {value}");
            members.iter().map(member).collect::<Vec<_>>().join(" · ")
        }
        (Value::Binary { hex, .. }, _) => hex.clone(),
        (Value::Image { .. } | Value::Empty, _) => "—".to_owned(),
    }
}

fn unit_of(card: &Card, shown: &Shown) -> String {
    match &card.value {
        _ if !shown.unit.is_empty() => shown.unit.clone(),
        Value::Number { unit, .. } => unit.clone().unwrap_or_default(),
        _ => String::new(),
    }
}

fn waiting(words: &WidgetTexts) -> Html {
    html! { <p class="widget-wait">{ words.waiting }</p> }
}

fn big(widget: &Widget, card: Option<&Card>, texts: &Texts, words: &WidgetTexts) -> Html {
    let (Some(card), Some(shown)) = (card, widget.values.first()) else { return waiting(words) };
    match &card.value {
        Value::Number { .. } => html! {
            <p class="widget-value">
                <span data-role="value">{ text_of(card, shown) }</span>
                <span class="unit">{ unit_of(card, shown) }</span>
            </p>
        },
        Value::Flag { .. } => lamp(Some(card), words),
        other => card::value(other, &title(widget), None, texts),
    }
}

fn chart(link: &Link, widget: &Widget, cross: &Field<Option<f64>>) -> Html {
    let line = |shown: &Shown| Line {
        source: source(shown),
        name: name(shown).into(),
        unit: (!shown.unit.is_empty()).then(|| shown.unit.clone().into()),
        decimals: shown.decimals,
        is_right: shown.right,
    };
    let level = |level: &Level| Some(ChartLevel { value: level.from?, color: color(level.tone) });
    let home = match widget.span_s {
        0 => Range::All,
        seconds => Range::Last { ms: f64::from(seconds) * 1_000.0 },
    };
    html! {
        <Chart link={link.clone()} lines={widget.values.iter().map(line).collect::<Vec<_>>()} {home}
            cross={cross.clone()}
            levels={widget.levels.iter().filter_map(level).collect::<Vec<_>>()} />
    }
}

/// The ends of a scale: those of the person, else round ones that hold the value.
fn scale(widget: &Widget, values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (mut low, mut high) = (0.0f64, 1.0f64);
    let mut is_percent = widget.values.iter().all(|shown| shown.unit == "%");
    for value in values {
        low = low.min(value);
        high = high.max(value);
        is_percent &= (0.0..=100.0).contains(&value);
    }
    let axis = crate::ticks::axis(low, high, 2);
    let high = if is_percent { 100.0 } else { axis.to };
    let (low, high) = (widget.low.unwrap_or(axis.from), widget.high.unwrap_or(high));
    if low < high { (low, high) } else { (low, low + 1.0) }
}

fn part(value: f64, (low, high): (f64, f64)) -> f64 {
    ((value - low) / (high - low)).clamp(0.0, 1.0) * 100.0
}

fn gauge(widget: &Widget, card: Option<&Card>, words: &WidgetTexts) -> Html {
    const ARC: &str = "M 12 58 A 44 44 0 0 1 108 58";
    let (Some(card), Some(shown)) = (card, widget.values.first()) else { return waiting(words) };
    let Some(number) = number_of(card) else {
        let text = text_of(card, shown);
        return html! {
            <p class="widget-wait" data-role="no-number">{ fill(words.no_number, &[&text]) }</p>
        };
    };
    let ends = scale(widget, std::iter::once(number));
    let mark = |level: &Level| {
        let at = part(level.from?, ends);
        Some(html! {
            <path class="gauge-mark" d={ARC} pathLength="100" data-tone={tone_word(level.tone)}
                stroke-dasharray={format!("0 {at} 1.2 200")} />
        })
    };
    html! {
        <div class="gauge">
            <svg viewBox="0 0 120 64" class="gauge-arc" aria-hidden="true" focusable="false">
                <path class="gauge-ground" d={ARC} pathLength="100" />
                <path class="gauge-hand" d={ARC} pathLength="100"
                    stroke-dasharray={format!("{} 200", part(number, ends))} />
                { for widget.levels.iter().filter_map(mark) }
            </svg>
            <p class="widget-value">
                <span data-role="value">{ text_of(card, shown) }</span>
                <span class="unit">{ unit_of(card, shown) }</span>
            </p>
            <p class="gauge-ends" aria-hidden="true">
                <span>{ ends.0 }</span><span>{ ends.1 }</span>
            </p>
        </div>
    }
}

fn bars(
    widget: &Widget,
    values: &[Option<Card>],
    is_old: &dyn Fn(&Card) -> bool,
    words: &WidgetTexts,
) -> Html {
    if values.is_empty() {
        return waiting(words);
    }
    let ends = scale(widget, values.iter().flatten().filter_map(number_of));
    html! {
        <ul class="bars">
            { for widget.values.iter().zip(values).map(|(shown, card)| {
                let number = card.as_ref().and_then(number_of);
                let tone = level::tone(&widget.levels, number);
                let width = number.map_or(0.0, |number| part(number, ends));
                let stale = card.as_ref().is_some_and(is_old).then_some("is-stale");
                html! {
                    <li class={classes!("bar", stale)} data-tone={tone_word(tone)}>
                        <span class="bar-name">{ bdi(name(shown)) }</span>
                        <span class="bar-value">
                            { card.as_ref().map_or("—".to_owned(), |card| text_of(card, shown)) }
                            { " " }
                            <span class="unit">{ card.as_ref().map(|card| unit_of(card, shown)) }</span>
                        </span>
                        <svg class="bar-track" aria-hidden="true" focusable="false">
                            <rect class="bar-ground" width="100%" height="100%" rx="4" />
                            <rect class="bar-part" width={format!("{width}%")} height="100%" rx="4" />
                        </svg>
                    </li>
                }
            }) }
        </ul>
    }
}

fn lamp(card: Option<&Card>, words: &WidgetTexts) -> Html {
    let Some(card) = card else { return waiting(words) };
    let is_on = number_of(card).is_some_and(|number| number != 0.0);
    html! {
        <p class={classes!("widget-value", "is-flag", is_on.then_some("is-on"))}>
            <span class="lamp" aria-hidden="true"></span>
            <span data-role="value">{ text_of(card, &Shown::default()) }</span>
        </p>
    }
}

fn table(
    widget: &Widget,
    values: &[Option<Card>],
    now_ms: f64,
    is_old: &dyn Fn(&Card) -> bool,
    words: &WidgetTexts,
) -> Html {
    if values.is_empty() {
        return waiting(words);
    }
    // What is JSON has a row for each of its members.
    if let ([shown], [Some(Card { value: Value::Json { members, .. }, .. })]) =
        (widget.values.as_slice(), values)
    {
        let _whole = shown;
        return html! {
            <div class="widget-rows" tabindex="0" role="region" aria-label={title(widget)}>
                <table class="figures-table is-plain">
                    { for members.iter().map(|(path, value)| html! {
                        <tr><th scope="row">{ bdi(path) }</th><td>{ bdi(value) }</td></tr>
                    }) }
                </table>
            </div>
        };
    }
    html! {
        <div class="widget-rows" tabindex="0" role="region" aria-label={title(widget)}>
            <table class="figures-table is-plain">
                { for widget.values.iter().zip(values).map(|(shown, card)| {
                    let tone = level::tone(&widget.levels, card.as_ref().and_then(number_of));
                    let stale = card.as_ref().is_some_and(is_old).then_some("is-stale");
                    html! {
                        <tr class={classes!(stale)} data-tone={tone_word(tone)}>
                            <th scope="row">{ bdi(name(shown)) }</th>
                            <td class="is-value">
                                { bdi(card.as_ref().map_or("—".to_owned(), |c| text_of(c, shown))) }
                                { " " }
                                <span class="unit">{ card.as_ref().map(|c| unit_of(c, shown)) }</span>
                            </td>
                            <td class="is-age">{ card.as_ref().map(|c| age(now_ms - c.at_ms)) }</td>
                        </tr>
                    }
                }) }
            </table>
        </div>
    }
}

fn log(sight: Option<&Sight>, words: &WidgetTexts, now_ms: f64) -> Html {
    let rows: &[MessageRow] = match sight {
        Some(Sight::Recent(rows)) => rows,
        _ => &[],
    };
    if rows.is_empty() {
        return waiting(words);
    }
    html! {
        <ol class="widget-log widget-rows" tabindex="0">
            { for rows.iter().map(|row| html! {
                <li key={row.seq}>
                    <span class="log-time">{ time::exact(row.at_ms, now_ms) }</span>
                    <bdi class="log-text">{ visible(&row.value) }</bdi>
                </li>
            }) }
        </ol>
    }
}

fn image(widget: &Widget, card: Option<&Card>, words: &WidgetTexts) -> Html {
    match card.map(|card| &card.value) {
        Some(Value::Image { media_type, bytes }) => html! {
            <div class="widget-image">
                <Picture media_type={media_type.clone()} bytes={bytes.clone()} name={title(widget)} />
            </div>
        },
        Some(_) => html! { <p class="widget-wait">{ words.no_image }</p> },
        None => waiting(words),
    }
}

/// Latitude and longitude: two values, or two members of one that have such names.
fn coordinates(values: &[Option<Card>]) -> Option<(f64, f64)> {
    if let [Some(latitude), Some(longitude), ..] = values {
        return number_of(latitude).zip(number_of(longitude));
    }
    let Some(Some(Card { value: Value::Json { members, .. }, .. })) = values.first() else {
        return None;
    };
    let member = |names: &[&str]| {
        let is_named = |path: &str| {
            let last = path.rsplit('.').next().unwrap_or(path);
            names.iter().any(|name| last.eq_ignore_ascii_case(name))
        };
        let (_, value) = members.iter().find(|(path, _)| is_named(path))?;
        number::parse(value).map(|number| number.value)
    };
    member(&["lat", "latitude"]).zip(member(&["lon", "lng", "long", "longitude"]))
}

fn position(widget: &Widget, values: &[Option<Card>], words: &WidgetTexts) -> Html {
    if values.is_empty() || values.iter().all(Option::is_none) {
        return waiting(words);
    }
    let Some((latitude, longitude)) = coordinates(values)
        .filter(|(lat, lon)| (-90.0..=90.0).contains(lat) && (-180.0..=180.0).contains(lon))
    else {
        return html! { <p class="widget-wait">{ words.no_position }</p> };
    };
    let decimals = widget.values.first().and_then(|shown| shown.decimals).unwrap_or(5);
    let side = |value: f64, ahead: &str, behind: &str| {
        let sign = if value < 0.0 { behind } else { ahead };
        format!("{:.*}° {sign}", usize::from(decimals.min(12)), value.abs())
    };
    let map = format!(
        "https://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}#map=15/{latitude}/{longitude}"
    );
    html! {
        <div class="position">
            <p class="position-line" data-role="value">{ side(latitude, words.north, words.south) }</p>
            <p class="position-line">{ side(longitude, words.east, words.west) }</p>
            <a class="position-map" href={map} target="_blank" rel="noreferrer">{ words.map }</a>
        </div>
    }
}
