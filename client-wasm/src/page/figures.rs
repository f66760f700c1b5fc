//! What was counted: messages, topics, memory, and whatever was dropped.

use yew::prelude::*;

use super::field::use_field;
use super::link::Link;
use super::use_texts;
use crate::number::{at_a_glance, grouped};
use crate::protocol::Counters;
use crate::route::Route;
use crate::texts::{Texts, age, fill};

#[derive(PartialEq, Properties)]
pub(super) struct FiguresProps {
    pub(super) link: Link,
}

#[component]
pub(super) fn Figures(props: &FiguresProps) -> Html {
    let texts = use_texts();
    let counters = use_field(props.link.counters());
    let memory = size(counters.bytes);
    let dropped = counters
        .messages_not_kept
        .saturating_add(counters.payloads_cut)
        .saturating_add(counters.points_dropped)
        .saturating_add(counters.log_dropped);
    let figure = |role: &'static str, name: &'static str, value: String| {
        html! {
            <div class="figure" data-role={role}>
                <dt>{ name }</dt>
                <dd>{ value }</dd>
            </div>
        }
    };
    html! {
        <dl class="figures">
            { figure("topics", texts.topics, grouped(counters.topics.into())) }
            { figure("messages", texts.messages, grouped(counters.messages)) }
            { figure("per-second", texts.per_second, grouped(counters.per_second.into())) }
            { figure("memory", texts.memory, memory) }
            <div class={classes!("figure", (dropped > 0).then_some("is-warning"))} data-role="dropped">
                // What was dropped, and how to have room for more, is told there.
                <dt><a href={Route::Settings.href()}>{ texts.dropped }</a></dt>
                <dd>{ grouped(dropped) }</dd>
            </div>
        </dl>
    }
}

/// So many bytes, as a person reads them.
pub(super) fn size(bytes: u64) -> String {
    at_a_glance(bytes as f64, "B").unwrap_or_else(|| format!("{bytes} B"))
}

/// What was dropped, one line for each kind.
pub(super) fn losses(counters: &Counters, texts: &Texts) -> impl Iterator<Item = String> {
    [
        (texts.dropped_messages, counters.messages_not_kept),
        (texts.dropped_payloads, counters.payloads_cut),
        (texts.dropped_points, counters.points_dropped),
        (texts.dropped_log, counters.log_dropped),
    ]
    .into_iter()
    .map(|(text, count)| fill(text, &[&grouped(count)]))
}

/// The time that all sparklines show.
pub(super) fn span(counters: &Counters, texts: &Texts) -> String {
    fill(texts.last, &[&age(f64::from(counters.span_ms))])
}
