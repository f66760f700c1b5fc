//! The topic that the tree is at: its value in any form, its properties, its chart and its history.

use std::rc::Rc;

use web_sys::{HtmlElement, HtmlSelectElement};
use yew::prelude::*;

use super::bdi;
use super::chart::{Chart, Line};
use super::clearing::Clearing;
use super::copy::Copy;
use super::decoded;
use super::field::{Field, use_field};
use super::house::use_texts;
use super::link::Link;
use super::picture::Picture;
use super::rows::{numbered, use_growth};
use super::time;
use super::topics::rate;
use crate::decode::{self, Form, Looked, Question};
use crate::format::{Format, Formatted};
use crate::limits::{BRANCH_ROWS_MAX, BRANCH_ROWS_STEP, HISTORY_STEP};
use crate::number::grouped;
use crate::protocol::{
    Command, Detail as Shown, DetailView, Difference, FileKind, HistoryRow, MessageInFull,
    MessagesView, Range, Row, Source, TopicInFull,
};
use crate::route::{Ask, Route};
use crate::search::Search;
use crate::texts::{RoomsTexts, age, fill};
use crate::visible::visible;

/// Bytes of a text that is set in large letters, as a reading is.
const SHORT_VALUE_BYTES: usize = 24;

/// Levels of a topic up to which each leads to its branch.
const LEVELS_LINKED_MAX: usize = 32;

/// How far back a chart can go, in minutes; 0 for all there is.
const SPANS_MIN: [u32; 5] = [0, 1, 5, 15, 60];

#[derive(PartialEq, Properties)]
pub(super) struct DetailProps {
    pub(super) link: Link,
    /// The topic that the address names, where nothing has come on it.
    pub(super) awaited: Option<AttrValue>,
}

/// What a person chose, for the topic at hand.
#[derive(Debug, Clone, PartialEq)]
struct Choice {
    history: u32,
    below: u32,
    seq: Option<u64>,
    form: Option<Shape>,
    path: Option<String>,
    path_of: Option<String>,
    span_min: u32,
}

/// A form of a payload: one that the engine makes, or one that the page decodes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    Kept(Format),
    Decoded(Form),
}

impl Shape {
    fn name(self, texts: &RoomsTexts) -> &'static str {
        match self {
            Self::Kept(Format::Json) => "JSON",
            Self::Kept(Format::Text) => texts.as_text,
            Self::Kept(Format::Hex) => "Hex",
            Self::Kept(Format::Base64) => "Base64",
            Self::Kept(Format::Image) => texts.as_image,
            Self::Decoded(form) => form.name(),
        }
    }
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            history: HISTORY_STEP,
            below: BRANCH_ROWS_STEP,
            seq: None,
            form: None,
            path: None,
            path_of: None,
            span_min: 0,
        }
    }
}

impl Choice {
    /// What the engine is to make of the payload.
    fn format(&self) -> Option<Format> {
        match self.form {
            Some(Shape::Kept(format)) => Some(format),
            _ => None,
        }
    }
}

#[component]
pub(super) fn Detail(props: &DetailProps) -> Html {
    let link = &props.link;
    let texts = use_texts();
    let detail = use_field(link.detail());
    let choice = use_state(Choice::default);
    let pane = use_node_ref();
    let is_scrolled = use_mut_ref(|| false);
    {
        let link = link.clone();
        use_effect_with((*choice).clone(), move |choice| {
            link.send(Command::Detail(DetailView {
                history: choice.history,
                below: choice.below,
                seq: choice.seq,
                format: choice.format(),
            }));
        });
    }
    let node = detail.as_ref().map(|detail| detail.node);
    {
        // Another topic begins anew; how a payload is shown and how far a chart goes stays.
        let (choice, pane, is_scrolled) = (choice.clone(), pane.clone(), is_scrolled.clone());
        use_effect_with(node, move |_| {
            let (form, span_min) = (choice.form, choice.span_min);
            choice.set(Choice { form, span_min, ..Choice::default() });
            // To say so to a pane that is at its beginning would have the browser lay out the page at once.
            if is_scrolled.replace(false)
                && let Some(pane) = pane.cast::<HtmlElement>()
            {
                pane.set_scroll_top(0);
            }
        });
    }
    let choose = {
        let choice = choice.clone();
        Callback::from(move |next: Choice| choice.set(next))
    };
    html! {
        <aside ref={pane} class="detail" aria-label={texts.detail}
            onscroll={Callback::from(move |_: Event| *is_scrolled.borrow_mut() = true)}>
            if let Some(topic) = &props.awaited {
                <header class="detail-head">{ name(topic, texts) }</header>
                <p class="detail-nothing" role="status">{ texts.nothing_yet }</p>
            } else if let Some(detail) = detail {
                <Head link={link.clone()} detail={Rc::clone(&detail)} />
                if let Some(topic) = &detail.topic {
                    { value(&detail, topic, &choice, &choose, texts) }
                    <Numbers
                        link={link.clone()}
                        detail={Rc::clone(&detail)}
                        choice={(*choice).clone()}
                        choose={choose.clone()}
                    />
                    <History
                        link={link.clone()}
                        topic={detail.path.clone()}
                        rows={topic.history.clone()}
                        has_more={topic.has_more}
                        choice={(*choice).clone()}
                        choose={choose.clone()}
                    />
                }
                if !detail.below.is_empty() {
                    <Below link={link.clone()} {detail} choice={(*choice).clone()} {choose} />
                }
            } else {
                <p class="detail-nothing">{ texts.nothing_chosen }</p>
            }
        </aside>
    }
}

#[derive(PartialEq, Properties)]
struct HeadProps {
    link: Link,
    detail: Rc<Shown>,
}

/// The topic's name, and the way back to the tree where there is no room for both.
fn name(topic: &str, texts: &RoomsTexts) -> Html {
    html! {
        <>
            <a class="back" href={Route::Topics(None).href()}>{ "← " }{ texts.topics }</a>
            <h2 class="detail-name">{ levels(topic) }</h2>
        </>
    }
}

/// The name, what can be done, and what there is to count.
#[component]
fn Head(props: &HeadProps) -> Html {
    let texts = use_texts();
    let detail = &props.detail;
    let figure = |name: &str, value: String| {
        html! { <div><dt>{ name.to_owned() }</dt><dd>{ value }</dd></div> }
    };
    let topic = detail.topic.as_deref();
    let delete = {
        let (link, node) = (props.link.clone(), detail.node);
        Callback::from(move |_: MouseEvent| Clearing::of(&link).list(node))
    };
    let is_branch = detail.topics > 1 || topic.is_none();
    html! {
        <header class="detail-head">
            { name(&detail.path, texts) }
            <div class="detail-actions">
                <Copy text={detail.path.clone()} name={texts.copy_topic} />
                if detail.retained > 0 {
                    <button type="button" class="small-button is-bad" data-role="delete-retained"
                        onclick={delete}>{ texts.delete_retained }</button>
                }
                <a class="small-button" href={Route::Publish(Some(detail.path.clone())).href()}>
                    { texts.publish_here }
                </a>
            </div>
            <dl class="detail-figures">
                if is_branch {
                    { figure(texts.topics, grouped(detail.topics.into())) }
                    { figure(texts.retained_messages, grouped(detail.retained.into())) }
                }
                { figure(texts.messages, grouped(match topic {
                    Some(topic) if !is_branch => topic.count,
                    _ => detail.messages,
                })) }
                { figure(texts.per_second, match detail.rate_tenths {
                    None => "–".to_owned(),
                    Some(0) => "0".to_owned(),
                    Some(tenths) => rate(tenths),
                }) }
                if let Some(interval_ms) = topic.and_then(|topic| topic.interval_ms) {
                    { figure(texts.usual_interval, interval(interval_ms)) }
                }
                if topic.is_some_and(|topic| topic.is_kept) && !is_branch {
                    { figure(texts.kept, texts.yes.to_owned()) }
                }
            </dl>
        </header>
    }
}

/// A topic, each level of which leads to the branch that ends there.
fn levels(path: &str) -> Html {
    let ends: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
    if ends.len() > LEVELS_LINKED_MAX {
        return bdi(path);
    }
    let mut from = 0;
    let above = ends.into_iter().map(|end| {
        let level = path.get(from..end).unwrap_or_default().to_owned();
        from = end.saturating_add(1);
        let branch = path.get(..end).unwrap_or_default().to_owned();
        // An empty level is nothing that could be clicked.
        let level = if level.is_empty() {
            html! {}
        } else {
            html! { <a class="level" href={Route::Topics(Some(branch)).href()}>{ visible(&level) }</a> }
        };
        html! { <>{ level }{ "/" }<wbr /></> }
    });
    let above: Vec<Html> = above.collect();
    html! { <bdi>{ for above }{ visible(path.get(from..).unwrap_or_default()) }</bdi> }
}

/// What a part of the page is about, and what the person has chosen.
#[derive(PartialEq, Properties)]
struct PartProps {
    link: Link,
    detail: Rc<Shown>,
    choice: Choice,
    choose: Callback<Choice>,
}

/// What is below a branch, with its last values.
#[component]
fn Below(props: &PartProps) -> Html {
    let texts = use_texts();
    let PartProps { link, detail, choice, choose } = props;
    let now_ms = use_field(link.now_ms());
    let more = {
        let (choice, choose) = (choice.clone(), choose.clone());
        Callback::from(move |_: MouseEvent| {
            let below = choice.below.saturating_mul(2);
            choose.emit(Choice { below, ..choice.clone() });
        })
    };
    let made = use_growth(detail.below.len());
    let row = |(number, row): (u32, &Row)| {
        let href = Route::Topics(Some(format!("{}/{}", detail.path, row.name))).href();
        let value = match &row.value {
            Some(value) => value.clone(),
            None => fill(texts.topics_below, &[&grouped(row.topics.into())]),
        };
        html! {
            <tr key={number}>
                <th scope="row">
                    <a {href}><bdi>
                        { if row.name.is_empty() { texts.empty_level.to_owned() } else { visible(&row.name) } }
                    </bdi></a>
                    if row.is_kept {
                        <span class="kept" role="img" title={texts.kept_explained}
                            aria-label={texts.kept}></span>
                    }
                </th>
                <td class={if row.value.is_some() { "below-value" } else { "below-topics" }}>
                    { bdi(value) }
                </td>
                <td class="is-number">{ row.rate_tenths.map(rate).unwrap_or_default() }</td>
                <td class="is-number">
                    { row.at_ms.map(|at_ms| age(now_ms - at_ms)).unwrap_or_default() }
                </td>
            </tr>
        }
    };
    let shown = detail.below.len();
    html! {
        <section class="detail-part" aria-labelledby="below-heading">
            <header class="part-head">
                <h3 class="part-heading" id="below-heading">{ texts.below }</h3>
            </header>
            <table class="below" data-role="below">
                <thead><tr>
                    <th scope="col">{ texts.topic }</th>
                    <th scope="col">{ texts.value }</th>
                    <th scope="col" class="is-number">{ texts.per_second_short }</th>
                    <th scope="col" class="is-number">{ texts.age_short }</th>
                </tr></thead>
                <tbody>{ for numbered(0, &detail.below).take(made).map(row) }</tbody>
            </table>
            if shown < detail.below_total as usize {
                <p class="card-note" data-role="below-rest">
                    { fill(texts.shown_below,
                        &[&grouped(shown as u64), &grouped(detail.below_total.into())]) }
                </p>
                if shown < BRANCH_ROWS_MAX {
                    <button type="button" class="small-button" onclick={more}>
                        { texts.show_more }
                    </button>
                }
            }
        </section>
    }
}

fn interval(ms: f64) -> String {
    match ms {
        ms if ms < 1_000.0 => format!("{ms:.0} ms"),
        ms if ms < 60_000.0 => format!("{:.1} s", ms / 1_000.0),
        ms => format!("{:.1} min", ms / 60_000.0),
    }
}

fn value(
    detail: &Shown,
    topic: &TopicInFull,
    choice: &Choice,
    choose: &Callback<Choice>,
    texts: &'static RoomsTexts,
) -> Html {
    let Some(message) = &topic.message else {
        return html! { <p class="detail-nothing">{ texts.message_gone }</p> };
    };
    let looked = looked(&detail.path, message);
    let shapes = shapes(message, &looked);
    let shape = choice.form.filter(|form| shapes.contains(form)).or(shapes.first().copied());
    let decoded = looked.forms.iter().find(|(form, _)| shape == Some(Shape::Decoded(*form)));
    let with = |change: &dyn Fn(&mut Choice)| {
        let (mut next, choose) = (choice.clone(), choose.clone());
        change(&mut next);
        Callback::from(move |_: MouseEvent| choose.emit(next.clone()))
    };
    html! {
        <section class="detail-part" aria-labelledby="value-heading" data-seq={message.seq.to_string()}>
            <header class="part-head">
                <h3 class="part-heading" id="value-heading">{ texts.value }</h3>
                <div class="segments is-small" role="group" aria-label={texts.format}>
                    { for shapes.iter().map(|option| html! {
                        <button
                            type="button"
                            class="segment"
                            aria-pressed={(shape == Some(*option)).to_string()}
                            onclick={with(&|choice| choice.form = Some(*option))}
                        >{ option.name(texts) }</button>
                    }) }
                </div>
            </header>
            if message.is_older {
                <p class="older">
                    { fill(texts.older_message, &[&time::exact(message.at_ms, message.at_ms)]) }
                    { " " }
                    <button type="button" class="link-button" onclick={with(&|choice| choice.seq = None)}>
                        { texts.newest_message }
                    </button>
                </p>
            }
            if let Some((_, decoded)) = decoded {
                { decoded::payload(decoded, texts) }
            } else {
                <Payload
                    topic={detail.path.clone()}
                    {shape}
                    payload={message.payload.clone()}
                    payload_len={message.payload_len}
                    kept_len={message.kept_len}
                />
            }
            { decoded::trouble(message, &looked, texts) }
            { properties(message, texts) }
        </section>
    }
}

/// What the payload says, where the engine leaves it to the page to find out.
fn looked(topic: &str, message: &MessageInFull) -> Looked {
    let Some(binary) = &message.binary else { return Looked::default() };
    let Some(payload) = binary.payload.as_deref() else { return Looked::default() };
    decode::look(&Question { topic, payload, birth: binary.birth.as_deref() })
}

/// The forms of a payload, the most telling first: what it was decoded to comes before bare bytes, and
/// after a picture; on the topics of Sparkplug B it comes before text.
fn shapes(message: &MessageInFull, looked: &Looked) -> Vec<Shape> {
    let is_first = |format: &Format| match format {
        Format::Image => true,
        Format::Json | Format::Text => looked.forms.first().is_none_or(|f| f.0 != Form::Sparkplug),
        Format::Hex | Format::Base64 => false,
    };
    let kept = |format: &Format| Shape::Kept(*format);
    let (first, last): (Vec<_>, Vec<_>) = message.formats.iter().partition(|f| is_first(f));
    let decoded = looked.forms.iter().map(|(form, _)| Shape::Decoded(*form));
    first.into_iter().map(kept).chain(decoded).chain(last.into_iter().map(kept)).collect()
}

#[derive(PartialEq, Properties)]
struct PayloadProps {
    topic: AttrValue,
    shape: Option<Shape>,
    payload: Formatted,
    payload_len: u64,
    kept_len: u64,
}

#[component]
fn Payload(props: &PayloadProps) -> Html {
    let texts = use_texts();
    // The lines of bytes stay below each other, and what is short is read from afar.
    let look = |text: &str| match props.shape {
        Some(Shape::Kept(Format::Hex)) => Some("is-dump"),
        Some(Shape::Kept(Format::Text)) if text.len() <= SHORT_VALUE_BYTES => Some("is-short"),
        _ => None,
    };
    let shown = match &props.payload {
        Formatted::Text { text, .. } if text.is_empty() => {
            html! { <p class="payload is-empty" data-role="payload">{ texts.empty_payload }</p> }
        }
        Formatted::Text { text, .. } => html! {
            <>
                <pre class={classes!("payload", look(text))} tabindex="0" dir="auto"
                    data-role="payload">{ visible(text) }</pre>
                <Copy text={text.clone()} name={texts.copy_value} />
            </>
        },
        Formatted::Image { media_type, bytes } => html! {
            <Picture media_type={media_type.clone()} bytes={bytes.clone()} name={props.topic.clone()} />
        },
    };
    let stands_for = match &props.payload {
        Formatted::Text { bytes, .. } => u64::from(*bytes),
        Formatted::Image { .. } => props.payload_len,
    };
    html! {
        <>
            { shown }
            if stands_for < props.payload_len {
                <p class="card-note" data-role="cut">
                    { fill(texts.shown_of, &[&grouped(stands_for), &grouped(props.payload_len)]) }
                    if props.kept_len < props.payload_len {
                        { " " }{ fill(texts.kept_of, &[&grouped(props.kept_len)]) }
                    }
                </p>
            }
        </>
    }
}

fn properties(message: &MessageInFull, texts: &RoomsTexts) -> Html {
    let row = |name: String, value: String| {
        html! { <div class="property"><dt>{ name }</dt><dd>{ bdi(value) }</dd></div> }
    };
    let now_ms = crate::clock::now_ms();
    let size = fill(texts.bytes_count, &[&grouped(message.payload_len)]);
    html! {
        <dl class="properties" data-role="properties">
            { row(texts.arrived.to_owned(), time::exact(message.at_ms, now_ms)) }
            { row("QoS".to_owned(), message.qos.to_string()) }
            { row("RETAIN".to_owned(), u8::from(message.retain).to_string()) }
            { row(texts.size.to_owned(), size) }
            { for message.properties.iter().map(|(name, value)| row(name.clone(), value.clone())) }
        </dl>
    }
}

/// The chart of the topic's number, or of one of those inside its payload.
#[component]
fn Numbers(props: &PartProps) -> Html {
    let texts = use_texts();
    let PartProps { link, detail, choice, choose } = props;
    let cross = use_memo((), |()| Field::new(None));
    let paths = detail.topic.as_ref().map(|topic| topic.paths.as_slice()).unwrap_or_default();
    let wanted = choice.path.as_ref().filter(|_| choice.path_of.as_ref() == Some(&detail.path));
    let Some(path) = wanted.or(paths.first()) else { return Html::default() };
    let on_path = {
        let (choice, choose, of) = (choice.clone(), choose.clone(), detail.path.clone());
        Callback::from(move |event: Event| {
            if let Some(select) = event.target_dyn_into::<HtmlSelectElement>() {
                let (path, path_of) = (Some(select.value()), Some(of.clone()));
                choose.emit(Choice { path, path_of, ..choice.clone() });
            }
        })
    };
    let on_span = |span_min: u32| {
        let (choice, choose) = (choice.clone(), choose.clone());
        Callback::from(move |_: MouseEvent| choose.emit(Choice { span_min, ..choice.clone() }))
    };
    let name = match path.as_str() {
        "" => detail.path.rsplit('/').next().unwrap_or_default().to_owned(),
        path => path.to_owned(),
    };
    let source = Source { topic: detail.path.clone(), path: path.clone() };
    let home = match choice.span_min {
        0 => Range::All,
        minutes => Range::Last { ms: f64::from(minutes) * 60_000.0 },
    };
    html! {
        <section class="detail-part" aria-labelledby="chart-heading">
            <header class="part-head">
                <h3 class="part-heading" id="chart-heading">{ texts.chart }</h3>
                if paths.len() > 1 {
                    <select class="input is-small" data-role="chart-path"
                        aria-label={texts.chart_path} onchange={on_path}>
                        { for paths.iter().map(|option| html! {
                            <option value={option.clone()} selected={path == option}>
                                { if option.is_empty() { texts.value } else { option.as_str() } }
                            </option>
                        }) }
                    </select>
                }
                <a class="small-button" data-role="pin" href={Ask::Pin {
                    kind: "line".to_owned(),
                    topic: detail.path.clone(),
                    path: path.clone(),
                }.href()}>{ texts.pin }</a>
                <div class="segments is-small" role="group" aria-label={texts.chart_span}>
                    { for SPANS_MIN.iter().map(|minutes| html! {
                        <button
                            type="button"
                            class="segment"
                            aria-pressed={(*minutes == choice.span_min).to_string()}
                            onclick={on_span(*minutes)}
                        >{ span_name(*minutes, texts) }</button>
                    }) }
                </div>
            </header>
            // Another number, or another span, begins without zoom.
            <Chart
                key={format!("{}\n{path}\n{}", detail.path, choice.span_min)}
                link={link.clone()}
                lines={vec![Line { source, name: name.into(), ..Line::default() }]}
                {home}
                cross={(*cross).clone()}
            />
        </section>
    }
}

fn span_name(minutes: u32, texts: &RoomsTexts) -> String {
    match minutes {
        0 => texts.span_all.to_owned(),
        60 => "1 h".to_owned(),
        minutes => format!("{minutes} min"),
    }
}

#[derive(PartialEq, Properties)]
struct HistoryProps {
    link: Link,
    topic: AttrValue,
    rows: Vec<HistoryRow>,
    has_more: bool,
    choice: Choice,
    choose: Callback<Choice>,
}

/// The newest messages, each with what is different from the one before.
#[component]
fn History(props: &HistoryProps) -> Html {
    let texts = use_texts();
    let HistoryProps { link, topic, rows, has_more, choice, choose } = props;
    let now_ms = crate::clock::now_ms();
    let newest = rows.first().map(|row| row.seq);
    let chosen = choice.seq.or(newest);
    let more = {
        let (choice, choose) = (choice.clone(), choose.clone());
        Callback::from(move |_: MouseEvent| {
            let history = choice.history.saturating_mul(2);
            choose.emit(Choice { history, ..choice.clone() });
        })
    };
    html! {
        <section class="detail-part" aria-labelledby="history-heading">
            <header class="part-head">
                <h3 class="part-heading" id="history-heading">{ texts.history }</h3>
                { export(link, topic, FileKind::Csv, ("CSV", "export-csv"), texts) }
                { export(link, topic, FileKind::Json, ("JSON", "export-json"), texts) }
            </header>
            <ol class="history">
                { for rows.iter().map(|row| {
                    let (choice, choose, seq) = (choice.clone(), choose.clone(), row.seq);
                    let is_newest = newest == Some(seq);
                    let onclick = Callback::from(move |_: MouseEvent| {
                        let seq = (!is_newest).then_some(seq);
                        choose.emit(Choice { seq, ..choice.clone() });
                    });
                    html! {
                        <li key={row.seq}>
                            <button type="button" class="history-row" {onclick}
                                aria-pressed={(chosen == Some(row.seq)).to_string()}>
                                <span class="history-time">{ time::exact(row.at_ms, now_ms) }</span>
                                { changes(row, texts) }
                            </button>
                        </li>
                    }
                }) }
            </ol>
            if *has_more {
                <button type="button" class="small-button" onclick={more}>{ texts.show_more }</button>
            }
        </section>
    }
}

/// The button that saves the messages of a topic. It looks through the log as the page of messages does, for this
/// topic alone; nothing where the topic is too long for that.
fn export(
    link: &Link,
    topic: &str,
    kind: FileKind,
    (name, role): (&str, &'static str),
    texts: &RoomsTexts,
) -> Html {
    let Some(search) = Search::exactly(topic) else { return Html::default() };
    let link = link.clone();
    let onclick = Callback::from(move |_: MouseEvent| {
        let search = search.clone();
        link.send(Command::Messages(MessagesView { search, ..MessagesView::default() }));
        link.send(Command::Export(kind));
        link.send(Command::CloseMessages);
    });
    html! {
        <button type="button" class="small-button" data-role={role} title={texts.history_export}
            {onclick}>
            { name.to_owned() }
        </button>
    }
}

fn changes(row: &HistoryRow, texts: &RoomsTexts) -> Html {
    if row.is_same {
        return html! { <span class="history-same">{ texts.same }</span> };
    }
    if row.changes.is_empty() {
        return html! { <span class="history-value">{ bdi(&row.value) }</span> };
    }
    html! {
        <span class="history-changes">
            { for row.changes.iter().map(change) }
            if row.more > 0 {
                <span class="change">{ fill(texts.more_members, &[&row.more.to_string()]) }</span>
            }
        </span>
    }
}

fn change(difference: &Difference) -> Html {
    let Difference { path, from, to } = difference;
    html! {
        <span class="change">
            <bdi class="change-path">{ visible(path) }</bdi>{ " " }
            if let Some(from) = from {
                <del>{ bdi(from) }</del>
            }
            if from.is_some() && to.is_some() { { " → " } }
            if let Some(to) = to {
                <ins>{ bdi(to) }</ins>
            }
        </span>
    }
}
