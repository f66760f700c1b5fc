//! One sensor: its name, its value as what it is, how old that is, and the line of the last minutes.

use std::rc::Rc;

use yew::prelude::*;

use super::bdi;
use super::field::use_field;
use super::link::Link;
use super::picture::Picture;
use super::sparkline::Sparkline;
use super::use_texts;
use super::watch::Watch;
use crate::number;
use crate::protocol::{Card as Message, Connection, Course, Line, Title, Value};
use crate::route::{Ask, Route};
use crate::texts::{Texts, age, fill};
use crate::visible::visible;

#[derive(PartialEq, Properties)]
pub(super) struct CardProps {
    pub(super) link: Link,
    pub(super) watch: Watch,
    pub(super) title: Title,
}

#[component]
pub(super) fn Card(props: &CardProps) -> Html {
    let CardProps { link, watch, title } = props;
    let texts = use_texts();
    let live = use_field(&link.live(title.id));
    let connection = use_field(link.connection());
    let now_ms = use_field(link.now_ms());
    let element = use_node_ref();
    {
        let (element, watch, id) = (element.clone(), watch.clone(), title.id);
        use_effect_with((), move |()| {
            let element = element.cast::<web_sys::Element>();
            if let Some(element) = &element {
                watch.begin(element);
            }
            move || {
                if let Some(element) = element {
                    watch.end(&element, id);
                }
            }
        });
    }

    let message = live.card.as_deref();
    let is_stale = message.is_some_and(|message| is_stale(message, &connection, now_ms));
    // Without a connection everything is old, which the page says once and not on each card.
    let is_online = matches!(connection, Connection::Online { .. });
    let heading = format!("card-{}", title.id);
    let href = Route::Topics(Some(title.topic.clone())).href();
    html! {
        <article
            ref={element}
            class={classes!("card", is_stale.then_some("is-stale"))}
            data-id={title.id.to_string()}
            data-topic={title.topic.clone()}
            aria-labelledby={heading.clone()}
        >
            <header class="card-head">
                <h3 class="card-name" id={heading}>
                    <a class="card-link" {href} title={visible(&title.topic)}>{ bdi(&title.name) }</a>
                </h3>
                { age_of(message, now_ms, texts) }
            </header>
            <div class="card-line">
                <p class="card-topic">{ bdi(&title.topic) }</p>
                { mark(message, is_stale && is_online, texts) }
                if let Some(message) = message {
                    { pin(title, &message.value, texts) }
                }
            </div>
            { message.map_or_else(nothing_yet, |message| {
                value(&message.value, &title.name, live.line.as_ref(), texts)
            }) }
            { chart(message, live.line.as_ref(), texts) }
        </article>
    }
}

/// Leads to the board with a widget of this sensor on it.
fn pin(title: &Title, value: &Value, texts: &Texts) -> Html {
    let kind = match value {
        Value::Number { .. } => "line",
        Value::Flag { .. } => "lamp",
        Value::Image { .. } => "image",
        Value::Json { .. } => "table",
        Value::Text { .. } | Value::Binary { .. } | Value::Empty => "value",
    };
    let (topic, path) = (title.topic.clone(), String::new());
    let href = Ask::Pin { kind: kind.to_owned(), topic, path }.href();
    html! {
        <a class="pin" {href} title={texts.pin} aria-label={fill(texts.pin_of, &[&visible(&title.name)])}>
            <svg viewBox="0 0 24 24" width="14" height="14" aria-hidden="true" focusable="false">
                <path d="M9 3h6l-1 7 4 4H6l4-4zM12 14v7" />
            </svg>
        </a>
    }
}

/// A value is stale where there is no connection, where it came before the last reconnect, and where
/// its next is overdue.
pub(super) fn is_stale(message: &Message, connection: &Connection, now_ms: f64) -> bool {
    let Connection::Online { since_ms, .. } = connection else { return true };
    let is_overdue =
        message.stale_after_ms.is_some_and(|after_ms| now_ms - message.at_ms > after_ms);
    message.at_ms < *since_ms || is_overdue
}

/// What is to be known of a value beside its age: that it is stale, or that it was retained.
pub(super) fn mark(message: Option<&Message>, mark_stale: bool, texts: &Texts) -> Html {
    let (class, why, text) = match message {
        Some(_) if mark_stale => ("mark mark-stale", texts.stale_explained, texts.stale),
        Some(message) if message.retained => ("mark", texts.retained_explained, texts.retained),
        _ => return html! {},
    };
    html! { <span {class} title={why}>{ text }</span> }
}

/// How old a value is.
pub(super) fn age_of(message: Option<&Message>, now_ms: f64, texts: &Texts) -> Html {
    let Some(message) = message else {
        return html! { <span class="age" data-role="age"></span> };
    };
    let age = age(now_ms - message.at_ms);
    // How old a retained value was when it came is not known.
    let shown = if message.retained { format!("≥ {age}") } else { age.clone() };
    let title = fill(texts.age_explained, &[&age]);
    html! { <span class="age" data-role="age" {title}>{ shown }</span> }
}

fn nothing_yet() -> Html {
    html! { <p class="card-value"><span data-role="value"></span></p> }
}

/// What a value is, as what it is; the lines are those of numbers inside a payload.
pub(super) fn value(value: &Value, name: &str, line: Option<&Rc<Line>>, texts: &Texts) -> Html {
    match value {
        Value::Empty => html! {
            <p class="card-value is-note"><span data-role="value">{ texts.empty_payload }</span></p>
        },
        Value::Number { text, unit, glance } => html! {
            <>
                <p class={classes!("card-value", size(text, unit.as_deref()))}>
                    <span data-role="value">{ text }</span>
                    <span class="unit" data-role="unit">{ unit.clone().unwrap_or_default() }</span>
                </p>
                if let Some(glance) = glance {
                    <p class="card-glance">{ format!("≈ {glance}") }</p>
                }
            </>
        },
        Value::Flag { on, text } => html! {
            <p class={classes!("card-value", "is-flag", on.then_some("is-on"))}>
                <span class="lamp" aria-hidden="true"></span>
                <span data-role="value">{ text }</span>
            </p>
        },
        Value::Text { text, cut_from } => html! {
            <>
                <p class="card-text" dir="auto"><span data-role="value">{ visible(text) }</span></p>
                if let Some(len) = cut_from {
                    <p class="card-note">{ fill(texts.cut_from, &[&number::grouped(*len)]) }</p>
                }
            </>
        },
        Value::Json { members, more } => html! {
            <>
                <dl class="card-members" data-role="value">
                    { for members.iter().map(|(path, value)| html! {
                        <div class="member">
                            <dt>{ bdi(path) }</dt>
                            <dd>{ member_line(line, path, texts) }{ bdi(value) }</dd>
                        </div>
                    }) }
                </dl>
                if *more > 0 {
                    <p class="card-note">{ fill(texts.more_members, &[&more.to_string()]) }</p>
                }
            </>
        },
        Value::Image { media_type, bytes } => html! {
            <Picture media_type={media_type.clone()} bytes={bytes.clone()} name={name.to_owned()} />
        },
        Value::Binary { hex, len } => html! {
            <>
                <p class="card-text is-code"><span data-role="value">{ hex }</span></p>
                <p class="card-note">{ fill(texts.bytes, &[&number::grouped(*len)]) }</p>
            </>
        },
    }
}

/// Long numbers are set smaller, so that all of their digits have room on the narrowest card, and the
/// unit behind them, whose letters are half as large.
fn size(text: &str, unit: Option<&str>) -> Option<&'static str> {
    let unit = unit.map_or(0, |unit| unit.chars().count().div_ceil(2));
    match text.len().saturating_add(unit) {
        0..=9 => None,
        10..=13 => Some("is-long"),
        _ => Some("is-longer"),
    }
}

/// The line with its lowest and highest number; for anything but numbers there is none.
fn chart(message: Option<&Message>, line: Option<&Rc<Line>>, texts: &Texts) -> Html {
    if !message.is_some_and(|message| matches!(message.value, Value::Number { .. })) {
        return Html::default();
    }
    let course = line.map(|line| &line.course);
    let figure = |name: &str, pick: fn(&Course) -> &String| {
        html! {
            <span><span class="range-name">{ name.to_owned() }</span>{ " " }{ course.map(pick) }</span>
        }
    };
    html! {
        <figure class="card-chart" aria-label={course.and_then(|course| explained(course, texts))}>
            <Sparkline line={line.cloned()} />
            <figcaption class="card-range" aria-hidden="true">
                { figure(texts.lowest, |course| &course.low) }
                { figure(texts.mean, |course| &course.mean) }
                { figure(texts.highest, |course| &course.high) }
            </figcaption>
        </figure>
    }
}

/// What a line shows, in words; nothing where it has no number.
fn explained(course: &Course, texts: &Texts) -> Option<String> {
    let Course { low, mean, high, .. } = course;
    (!low.is_empty()).then(|| fill(texts.line_explained, &[low, high, mean]))
}

/// The line of a number inside a payload.
fn member_line(line: Option<&Rc<Line>>, path: &str, texts: &Texts) -> Html {
    let course = line.and_then(|line| line.course_at(Some(path)));
    let Some(course) = course else { return Html::default() };
    let words = explained(course, texts);
    html! {
        <span class="member-line" role={words.as_ref().map(|_| "img")} title={words.clone()}
            aria-label={words}>
            <Sparkline line={line.cloned()} path={path.to_owned()} />
        </span>
    }
}
