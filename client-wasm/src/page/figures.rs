//! What was counted: messages, topics, memory, and whatever was dropped.

use yew::prelude::*;

use super::field::use_field;
use super::link::Link;
use super::use_texts;
use crate::number::{at_a_glance, grouped};
use crate::protocol::Counters;
use crate::texts::{Texts, age, fill};

#[derive(PartialEq, Properties)]
pub(super) struct FiguresProps {
    pub(super) link: Link,
}

#[component]
pub(super) fn Figures(props: &FiguresProps) -> Html {
    let texts = use_texts();
    let counters = use_field(props.link.counters());
    let memory =
        at_a_glance(counters.bytes as f64, "B").unwrap_or_else(|| format!("{} B", counters.bytes));
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
            <div
                class={classes!("figure", (dropped > 0).then_some("is-warning"))}
                data-role="dropped"
                title={explain(&counters, texts)}
            >
                <dt>{ texts.dropped }</dt>
                <dd>{ grouped(dropped) }</dd>
            </div>
        </dl>
    }
}

/// What was dropped, one line for each kind.
fn explain(counters: &Counters, texts: &Texts) -> String {
    let lines: Vec<String> = [
        (texts.dropped_messages, counters.messages_not_kept),
        (texts.dropped_payloads, counters.payloads_cut),
        (texts.dropped_points, counters.points_dropped),
        (texts.dropped_log, counters.log_dropped),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(text, count)| fill(text, &[&grouped(count)]))
    .collect();
    if lines.is_empty() { texts.dropped_nothing.to_owned() } else { lines.join("\n") }
}

/// The time that all sparklines show.
pub(super) fn span(counters: &Counters, texts: &Texts) -> String {
    fill(texts.last, &[&age(f64::from(counters.span_ms))])
}
