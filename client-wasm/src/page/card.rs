//! One sensor: its name, its value as what it is, how old that is, and the line of the last minutes.

use std::rc::Rc;

use yew::prelude::*;

use super::field::use_field;
use super::link::Link;
use super::sparkline::Sparkline;
use super::use_texts;
use super::watch::Watch;
use crate::number;
use crate::protocol::{Card as Message, Connection, Line, Title, Value};
use crate::texts::{Texts, age, fill};

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
    html! {
        <li>
            <article
                ref={element}
                class={classes!("card", is_stale.then_some("is-stale"))}
                data-id={title.id.to_string()}
                data-topic={title.topic.clone()}
                aria-labelledby={heading.clone()}
            >
                <header class="card-head">
                    <h3 class="card-name" id={heading}><bdi>{ &title.name }</bdi></h3>
                    { status(message, is_stale && is_online, now_ms, texts) }
                </header>
                <p class="card-topic" title={title.topic.clone()}><bdi>{ &title.topic }</bdi></p>
                { message.map_or_else(nothing_yet, |message| value(&message.value, texts)) }
                { chart(message, live.line.as_ref(), texts) }
            </article>
        </li>
    }
}

/// A value is stale where there is no connection, where it came before the last reconnect, and where
/// its next is overdue.
fn is_stale(message: &Message, connection: &Connection, now_ms: f64) -> bool {
    let Connection::Online { since_ms, .. } = connection else { return true };
    let is_overdue =
        message.stale_after_ms.is_some_and(|after_ms| now_ms - message.at_ms > after_ms);
    message.at_ms < *since_ms || is_overdue
}

/// The marks and the age of a value.
fn status(message: Option<&Message>, mark_stale: bool, now_ms: f64, texts: &Texts) -> Html {
    let Some(message) = message else {
        return html! { <p class="card-status"><span class="age" data-role="age"></span></p> };
    };
    let age = age(now_ms - message.at_ms);
    // How old a stored value was when it came is not known.
    let shown = if message.retained { format!("≥ {age}") } else { age.clone() };
    html! {
        <p class="card-status">
            if mark_stale {
                <span class="mark mark-stale" title={texts.stale_explained}>{ texts.stale }</span>
            } else if message.retained {
                <span class="mark" title={texts.retained_explained}>{ texts.retained }</span>
            }
            <span class="age" data-role="age" title={fill(texts.age_explained, &[&age])}>
                { shown }
            </span>
        </p>
    }
}

fn nothing_yet() -> Html {
    html! { <p class="card-value"><span data-role="value"></span></p> }
}

fn value(value: &Value, texts: &Texts) -> Html {
    match value {
        Value::Empty => html! {
            <p class="card-value is-note"><span data-role="value">{ texts.empty_payload }</span></p>
        },
        Value::Number { text, unit, glance } => html! {
            <>
                <p class={classes!("card-value", size(text))}>
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
                <p class="card-text" dir="auto"><span data-role="value">{ text }</span></p>
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
                            <dt><bdi>{ path }</bdi></dt>
                            <dd><bdi>{ value }</bdi></dd>
                        </div>
                    }) }
                </dl>
                if *more > 0 {
                    <p class="card-note">{ fill(texts.more_members, &[&more.to_string()]) }</p>
                }
            </>
        },
        Value::Binary { hex, len } => html! {
            <>
                <p class="card-text is-code"><span data-role="value">{ hex }</span></p>
                <p class="card-note">{ fill(texts.bytes, &[&number::grouped(*len)]) }</p>
            </>
        },
    }
}

/// Long numbers are set smaller, so that all of their digits have room.
fn size(text: &str) -> Option<&'static str> {
    match text.len() {
        0..=9 => None,
        10..=16 => Some("is-long"),
        _ => Some("is-longer"),
    }
}

/// The line with its lowest and highest number; for anything but numbers there is none.
fn chart(message: Option<&Message>, line: Option<&Rc<Line>>, texts: &Texts) -> Html {
    if !message.is_some_and(|message| matches!(message.value, Value::Number { .. })) {
        return Html::default();
    }
    let (low, high) = line.map_or(("", ""), |line| (line.low.as_str(), line.high.as_str()));
    let explained = fill(texts.line_explained, &[low, high]);
    html! {
        <figure class="card-chart" aria-label={(!low.is_empty()).then_some(explained)}>
            <Sparkline sparkline={line.map(|line| Rc::new(line.sparkline.clone()))} />
            <figcaption class="card-range" aria-hidden="true">
                <span><span class="range-name">{ texts.lowest }</span>{ " " }{ low }</span>
                <span><span class="range-name">{ texts.highest }</span>{ " " }{ high }</span>
            </figcaption>
        </figure>
    }
}
