//! A payload that the page has decoded: values in values as text, the metrics of Sparkplug B as a table.

use yew::prelude::*;

use super::bdi;
use super::copy::Copy;
use super::time;
use crate::decode::outline::Outline;
use crate::decode::sparkplug::{self, Metric, Sparkplug};
use crate::decode::{Decoded, Looked, Wrong};
use crate::export;
use crate::number::grouped;
use crate::protocol::MessageInFull;
use crate::texts::{RoomsTexts, fill};
use crate::visible::visible;

/// What was decoded.
pub(super) fn payload(decoded: &Decoded, texts: &'static RoomsTexts) -> Html {
    match decoded {
        Decoded::Outline(outline) => outlined(outline, texts),
        Decoded::Sparkplug(payload) => metrics(payload, texts),
    }
}

/// Why something was not.
pub(super) fn trouble(message: &MessageInFull, looked: &Looked, texts: &RoomsTexts) -> Html {
    let words = match (&looked.wrong, &message.binary) {
        (Some((form, Wrong::Malformed(field))), _) if field.is_empty() => {
            fill(texts.decoded_not, &[form.name()])
        }
        (Some((form, Wrong::Malformed(field))), _) => {
            fill(texts.decoded_not_at, &[form.name(), field])
        }
        (Some((form, Wrong::TooDeep)), _) => fill(texts.decoded_deep, &[form.name()]),
        (None, Some(binary)) if binary.payload.is_none() => texts.decoded_cut.to_owned(),
        _ => return Html::default(),
    };
    html! { <p class="card-note" data-role="not-decoded">{ words }</p> }
}

fn outlined(outline: &Outline, texts: &'static RoomsTexts) -> Html {
    html! {
        <>
            <pre class="payload" tabindex="0" dir="auto" data-role="payload">{ visible(&outline.text) }</pre>
            if outline.is_cut {
                <p class="card-note" data-role="cut">{ texts.decoded_more }</p>
            }
            <Copy text={outline.text.clone()} name={texts.copy_value} />
        </>
    }
}

fn metrics(payload: &Sparkplug, texts: &'static RoomsTexts) -> Html {
    let now_ms = crate::clock::now_ms();
    let row = |name: &'static str, value: String| {
        html! { <div class="property"><dt>{ name }</dt><dd>{ bdi(value) }</dd></div> }
    };
    let at = |ms: u64| time::exact(ms as f64, now_ms);
    html! {
        <>
            <dl class="properties">
                { for payload.timestamp_ms.map(|ms| row(texts.sent_at, at(ms))) }
                { for payload.seq.map(|seq| row(texts.sequence, seq.to_string())) }
                { for payload.uuid.clone().map(|uuid| row("UUID", uuid)) }
                { for payload.body.clone().map(|body| row("Body", body)) }
            </dl>
            if !payload.metrics.is_empty() {
                <div class="metrics-pane" tabindex="0" role="region" aria-label={texts.metric}>
                    <table class="metrics" data-role="metrics">
                        <thead>
                            <tr>
                                <th scope="col">{ texts.metric }</th>
                                <th scope="col">{ texts.value }</th>
                                <th scope="col">{ texts.datatype }</th>
                                <th scope="col">{ texts.sent_at }</th>
                            </tr>
                        </thead>
                        <tbody>
                            { for payload.metrics.iter().map(|metric| {
                                row_of(metric, metric.timestamp_ms.map(at), texts)
                            }) }
                        </tbody>
                    </table>
                </div>
                <Copy text={text(payload)} name={texts.copy_value} />
            }
            { for notes(payload, texts).into_iter().map(|note| html! {
                <p class="card-note" data-role="metrics-note">{ note }</p>
            }) }
        </>
    }
}

fn notes(payload: &Sparkplug, texts: &RoomsTexts) -> Vec<String> {
    let count = |count: usize| grouped(count as u64);
    let mut notes = Vec::new();
    if payload.metrics.len() < payload.count {
        let (shown, all) = (count(payload.metrics.len()), count(payload.count));
        notes.push(fill(texts.metrics_shown, &[&shown, &all]));
    }
    if payload.unnamed > 0 {
        notes.push(fill(texts.metrics_unnamed, &[&count(payload.unnamed)]));
    }
    notes
}

fn row_of(metric: &Metric, at: Option<String>, texts: &RoomsTexts) -> Html {
    html! {
        <tr>
            <th scope="row">{ bdi(name(metric)) }</th>
            <td>
                <bdi class="metric-value">{ visible(&metric.value) }</bdi>
                { for metric.properties.iter().map(|(name, value)| html! {
                    <span class="metric-note">{ bdi(format!("{name}: {value}")) }</span>
                }) }
            </td>
            <td>{ metric.datatype }</td>
            <td>
                { at.unwrap_or_default() }
                if metric.is_historical {
                    <span class="metric-note">{ texts.historical }</span>
                }
            </td>
        </tr>
    }
}

fn name(metric: &Metric) -> String {
    metric.name.clone().unwrap_or_else(|| sparkplug::alias(metric.alias))
}

/// The table as text, with a tab between columns, as spreadsheets take it.
fn text(payload: &Sparkplug) -> String {
    let lines: Vec<String> = payload
        .metrics
        .iter()
        .map(|metric| {
            let time = metric.timestamp_ms.map(|ms| export::time(ms as f64)).unwrap_or_default();
            [&name(metric), &metric.value, metric.datatype, &time].join("\t")
        })
        .collect();
    lines.join("\n")
}
