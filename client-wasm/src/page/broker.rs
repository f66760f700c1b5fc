//! What the broker tells of itself, as figures and charts; all else that it tells in a table.

use std::cell::RefCell;
use std::rc::Rc;

use yew::prelude::*;

use super::bdi;
use super::chart::{Line, Plot, WIDTH_FIRST};
use super::field::{Field, use_field};
use super::house::use_texts;
use super::link::Link;
use crate::number::{at_a_glance, grouped};
use crate::plot::Zoom;
use crate::protocol::{Command, Connection, Range, Sight, SysState};
use crate::texts::{RoomsTexts, age, fill};
use crate::vitals::{Vital, Vitals, unit};

/// How far back the charts can go, in minutes; 0 for all there is.
const SPANS_MIN: [u32; 3] = [0, 60, 10];

type Name = fn(&RoomsTexts) -> &'static str;

/// What is drawn, and how it is called.
const CHARTS: [(Vital, Name); 8] = [
    (Vital::MessagesIn, |texts| texts.sys_messages_in),
    (Vital::MessagesOut, |texts| texts.sys_messages_out),
    (Vital::PacketsIn, |texts| texts.sys_packets_in),
    (Vital::PacketsOut, |texts| texts.sys_packets_out),
    (Vital::BytesIn, |texts| texts.sys_bytes_in),
    (Vital::BytesOut, |texts| texts.sys_bytes_out),
    (Vital::Clients, |texts| texts.sys_clients),
    (Vital::Memory, |texts| texts.memory),
];

#[derive(PartialEq, Properties)]
pub(super) struct BrokerProps {
    pub(super) link: Link,
    /// Where the broker is.
    pub(super) host: AttrValue,
}

#[component]
pub(super) fn Broker(props: &BrokerProps) -> Html {
    let BrokerProps { link, host } = props;
    let texts = use_texts();
    let told = use_vitals(link);
    let vitals = told.borrow();
    let cross = use_memo((), |()| Field::new(None));
    let span_min = use_state(|| 0u32);
    let connection = use_field(link.connection());
    let is_online = matches!(connection, Connection::Online { .. });
    html! {
        <section class="broker" aria-labelledby="broker-heading">
            <header class="page-head">
                <h2 class="page-heading" id="broker-heading">{ texts.broker }</h2>
                <p class="page-note" data-role="version">{ vitals.version().unwrap_or_default().to_owned() }</p>
                if let Some(uptime) = vitals.uptime_s() {
                    <p class="page-note" data-role="uptime">{ fill(texts.sys_up, &[&duration(uptime)]) }</p>
                }
            </header>
            if vitals.is_empty() {
                <p class="panel broker-nothing" role="status" data-role="sys-nothing">
                    { nothing(vitals.state(), is_online, host, texts) }
                </p>
            } else {
                if vitals.figure(Vital::StoreFailing).is_some_and(|figure| figure.value > 0.0) {
                    <p class="panel broker-alarm" role="alert">{ texts.sys_store_failing }</p>
                }
                { figures(&vitals, texts) }
                { charts(&told, &span_min, &cross, texts) }
                { others(&vitals, texts) }
            }
        </section>
    }
}

/// Gathers what the broker tells while the page is on the screen.
#[hook]
fn use_vitals(link: &Link) -> Rc<RefCell<Vitals>> {
    let vitals = use_mut_ref(Vitals::default);
    let render = use_force_update();
    {
        let (link, vitals) = (link.clone(), Rc::clone(&vitals));
        use_effect_with((), move |()| {
            let sys = link.sys().clone();
            let listening = link.sys().listen(move || {
                if let Some(news) = sys.get() {
                    vitals.borrow_mut().take(&news);
                    render.force_update();
                }
            });
            link.send(Command::Sys);
            move || {
                drop(listening);
                link.send(Command::CloseSys);
            }
        });
    }
    vitals
}

/// Why there is nothing to see.
fn nothing(state: &SysState, is_online: bool, host: &str, texts: &RoomsTexts) -> String {
    match state {
        SysState::Refused(reason) => fill(texts.sys_refused, &[host, &reason.words(texts)]),
        _ if !is_online => texts.waiting_heading.to_owned(),
        SysState::Waiting => fill(texts.sys_waiting, &[host]),
        SysState::Subscribed => fill(texts.sys_nothing, &[host]),
    }
}

/// A figure as the page writes it; none where the broker does not tell it.
fn written(vitals: &Vitals, vital: Vital) -> Option<String> {
    vitals.figure(vital).map(|figure| write(figure.value, unit(vital)))
}

fn write(value: f64, unit: Option<&str>) -> String {
    if let Some(unit) = unit {
        return at_a_glance(value, unit).unwrap_or_else(|| format!("{value:.0} {unit}"));
    }
    if value.fract() == 0.0 || value >= 100.0 {
        // What a broker counts is far below where a float is not exact any more.
        return grouped(value.round() as u64);
    }
    format!("{value:.1}")
}

fn duration(seconds: f64) -> String {
    at_a_glance(seconds, "s").unwrap_or_else(|| age(seconds * 1_000.0))
}

/// The tiles, each with a figure and beside it what belongs to it.
fn figures(vitals: &Vitals, texts: &RoomsTexts) -> Html {
    let of = |vital: Vital| written(vitals, vital);
    let with = |vital: Vital, text: &'static str| of(vital).map(|value| fill(text, &[&value]));
    let clients =
        [with(Vital::ClientsMaximum, texts.sys_at_most), with(Vital::Sessions, texts.sys_sessions)];
    let stored = with(Vital::StoredBytes, texts.sys_in_all);
    let memory = with(Vital::MemoryMaximum, texts.sys_at_most);
    let shared = with(Vital::SharedSubscriptions, texts.sys_shared);
    let joined = clients.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let dropped = vitals.figure(Vital::Dropped).is_some_and(|figure| figure.value > 0.0);
    html! {
        <dl class="vitals">
            { tile("clients", texts.sys_clients, of(Vital::Clients), Some(joined), false) }
            { rate(vitals, "messages-in", Vital::MessagesIn, texts.sys_messages_in, texts) }
            { rate(vitals, "messages-out", Vital::MessagesOut, texts.sys_messages_out, texts) }
            { rate(vitals, "packets-in", Vital::PacketsIn, texts.sys_packets_in, texts) }
            { rate(vitals, "packets-out", Vital::PacketsOut, texts.sys_packets_out, texts) }
            { rate(vitals, "bytes-in", Vital::BytesIn, texts.sys_bytes_in, texts) }
            { rate(vitals, "bytes-out", Vital::BytesOut, texts.sys_bytes_out, texts) }
            { tile("dropped", texts.sys_dropped, of(Vital::Dropped), None, dropped) }
            { tile("subscriptions", texts.sys_subscriptions, of(Vital::Subscriptions), shared, false) }
            { tile("retained", texts.sys_retained, of(Vital::Retained), None, false) }
            { tile("stored", texts.sys_stored, of(Vital::Stored), stored, false) }
            { tile("memory", texts.memory, of(Vital::Memory), memory, false) }
            { tile("commits", texts.sys_commits, of(Vital::StoreCommits), None, false) }
            { tile("deliveries", texts.sys_deliveries, of(Vital::StoreDeliveries), None, false) }
            { tile("failures", texts.sys_failures, of(Vital::StoreFailures), None,
                vitals.figure(Vital::StoreFailures).is_some_and(|figure| figure.value > 0.0)) }
        </dl>
    }
}

fn tile(
    role: &'static str,
    name: &'static str,
    value: Option<String>,
    note: Option<String>,
    is_warning: bool,
) -> Html {
    let Some(value) = value else { return Html::default() };
    html! {
        <div class={classes!("vital", is_warning.then_some("is-warning"))} data-role={role}>
            <dt>{ name }</dt>
            <dd>
                <span class="vital-value" data-role="value">{ value }</span>
                if let Some(note) = note.filter(|note| !note.is_empty()) {
                    <span class="vital-note">{ note }</span>
                }
            </dd>
        </div>
    }
}

/// How many in a second; with a note where that is the mean of a minute.
fn rate(
    vitals: &Vitals,
    role: &'static str,
    vital: Vital,
    name: &'static str,
    texts: &RoomsTexts,
) -> Html {
    let is_mean = vitals.figure(vital).is_some_and(|figure| figure.is_mean);
    let note = if is_mean { texts.sys_mean } else { texts.sys_a_second };
    tile(role, name, written(vitals, vital), Some(note.to_owned()), false)
}

fn charts(
    told: &Rc<RefCell<Vitals>>,
    span_min: &UseStateHandle<u32>,
    cross: &Rc<Field<Option<f64>>>,
    texts: &'static RoomsTexts,
) -> Html {
    let on_span = |minutes: u32| {
        let span_min = span_min.clone();
        Callback::from(move |_: MouseEvent| span_min.set(minutes))
    };
    let home = match **span_min {
        0 => Range::All,
        minutes => Range::Last { ms: f64::from(minutes) * 60_000.0 },
    };
    let shown: Vec<_> = CHARTS
        .into_iter()
        .filter(|(vital, _)| told.borrow().series(*vital).next().is_some())
        .collect();
    html! {
        <section class="broker-part" aria-labelledby="course-heading">
            <header class="part-head">
                <h3 class="part-heading" id="course-heading">{ texts.sys_course }</h3>
                <div class="segments is-small" role="group" aria-label={texts.chart_span}>
                    { for SPANS_MIN.into_iter().map(|minutes| html! {
                        <button type="button" class="segment" onclick={on_span(minutes)}
                            aria-pressed={(minutes == **span_min).to_string()}>
                            { match minutes {
                                0 => texts.span_all.to_owned(),
                                60 => "1 h".to_owned(),
                                minutes => format!("{minutes} min"),
                            } }
                        </button>
                    }) }
                </div>
            </header>
            if shown.is_empty() {
                <p class="page-note">{ texts.sys_soon }</p>
            }
            <div class="broker-charts">
                { for shown.into_iter().map(|(vital, name)| html! {
                    <article class="panel broker-chart" data-chart={name(texts)}>
                        // Another span begins without zoom.
                        <VitalChart key={**span_min} vitals={Told(Rc::clone(told))} {vital} {home}
                            name={name(texts)} cross={(**cross).clone()} />
                    </article>
                }) }
            </div>
        </section>
    }
}

/// What the broker told, as it is at each rendering.
#[derive(Clone)]
struct Told(Rc<RefCell<Vitals>>);

impl PartialEq for Told {
    fn eq(&self, _: &Self) -> bool {
        // What was told may have grown since.
        false
    }
}

#[derive(PartialEq, Properties)]
struct VitalChartProps {
    vitals: Told,
    vital: Vital,
    name: AttrValue,
    home: Range,
    cross: Field<Option<f64>>,
}

/// How one figure went.
#[component]
fn VitalChart(props: &VitalChartProps) -> Html {
    let zoom = use_state(Zoom::default);
    let width = use_state(|| WIDTH_FIRST);
    let chart = props.vitals.0.borrow().chart(props.vital, zoom.range(props.home), *width);
    let sight = chart.map(|chart| Rc::new(Sight::Chart(chart)));
    let lines = vec![Line { name: props.name.clone(), ..Line::default() }];
    html! { <Plot {sight} {lines} {zoom} {width} cross={props.cross.clone()} /> }
}

fn others(vitals: &Vitals, texts: &RoomsTexts) -> Html {
    let others = vitals.others();
    html! {
        <section class="broker-part" aria-labelledby="others-heading">
            <h3 class="part-heading" id="others-heading">{ texts.sys_others }</h3>
            if vitals.not_kept() > 0 {
                <p class="page-note">{ fill(texts.sys_not_kept, &[&grouped(vitals.not_kept())]) }</p>
            }
            <table class="table is-wide" data-role="sys-others">
                <thead><tr><th scope="col">{ texts.topic }</th><th scope="col">{ texts.value }</th></tr></thead>
                <tbody>
                    { for others.into_iter().map(|(topic, value)| html! {
                        <tr><th scope="row">{ bdi(topic) }</th><td>{ bdi(value) }</td></tr>
                    }) }
                </tbody>
            </table>
        </section>
    }
}
