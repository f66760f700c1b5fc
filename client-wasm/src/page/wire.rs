//! The packets of the connection as bytes, each field with its name, its value and its section of the
//! specification. Whatever a packet's bytes mean, the codec says: see `codec::anatomy`.

use std::rc::Rc;

use codec::anatomy::{Anatomy, Field, Kind};
use codec::{PacketType, ProtocolVersion};
use web_sys::{HtmlElement, HtmlSelectElement, KeyboardEvent};
use yew::prelude::*;

use super::bdi;
use super::field::use_field;
use super::house::use_texts;
use super::link::Link;
use super::rows::{Rows, Space, numbered, use_growth, use_rows};
use super::time;
use crate::aliases::Aliases;
use crate::fault::Fault;
use crate::limits::WIRE_BYTES_SHOWN;
use crate::number::grouped;
use crate::protocol::{Command, Wire, WirePacket, WireRow, WireView};
use crate::texts::{RoomsTexts, fill};

/// What the specification calls the number that stands for a topic.
const TOPIC_ALIAS: &str = "Topic Alias";

/// Bytes in one line.
const LINE_BYTES: usize = 16;

/// Colours that fields have in turn.
const COLOURS: usize = 6;

/// What stands in the place of a byte that nobody should see by accident.
const HIDDEN: &str = "••";

/// The types of packet by their numbers.
const KINDS: std::ops::RangeInclusive<u8> = 1..=15;

#[derive(PartialEq, Properties)]
pub(super) struct WireProps {
    pub(super) link: Link,
}

/// What a person chose.
#[derive(Debug, Clone, PartialEq, Default)]
struct Choice {
    kind: u8,
    is_sent: Option<bool>,
    is_paused: bool,
    seq: Option<u64>,
}

#[component]
pub(super) fn WirePage(props: &WireProps) -> Html {
    let link = &props.link;
    let texts = use_texts();
    let wire = use_field(link.wire());
    let choice = use_state(Choice::default);
    let aliases = use_mut_ref(Aliases::default);
    // The broker is allowed none, so there are none in what it sends.
    for row in wire.rows.iter().filter(|row| row.is_sent) {
        learn(&mut aliases.borrow_mut(), row);
    }
    let rows = use_rows();
    let made = use_growth(wire.rows.len());
    // Who has gone down to older packets is not pushed away from them by new ones.
    let is_held = choice.is_paused || rows.window.is_scrolled;
    {
        let link = link.clone();
        use_effect_with(
            ((*choice).clone(), is_held, rows.window),
            move |(choice, held, window)| {
                link.send(Command::Wire(WireView {
                    kinds: if choice.kind == 0 { 0 } else { 1u16 << (choice.kind & 0x0f) },
                    is_sent: choice.is_sent,
                    is_held: *held,
                    first: window.first,
                    len: window.len,
                    chosen: choice.seq,
                }));
            },
        );
    }
    {
        let link = link.clone();
        use_effect_with((), move |()| move || link.send(Command::CloseWire));
    }
    let change = |change: fn(&mut Choice)| {
        let choice = choice.clone();
        Callback::from(move |_: MouseEvent| {
            let mut next = (*choice).clone();
            change(&mut next);
            choice.set(next);
        })
    };
    let on_kind = {
        let choice = choice.clone();
        Callback::from(move |event: Event| {
            if let Some(select) = event.target_dyn_into::<HtmlSelectElement>() {
                let kind = select.value().parse().unwrap_or_default();
                choice.set(Choice { kind, ..(*choice).clone() });
            }
        })
    };
    let pause = {
        let (choice, rows) = (choice.clone(), rows.clone());
        Callback::from(move |_: MouseEvent| {
            if is_held {
                rows.reveal(0);
            }
            choice.set(Choice { is_paused: !is_held, ..(*choice).clone() });
        })
    };
    let choose = {
        let choice = choice.clone();
        Callback::from(move |seq: u64| choice.set(Choice { seq: Some(seq), ..(*choice).clone() }))
    };
    // A row that is not on the screen is none, for those who have it read out.
    let is_there = |seq: &u64| wire.rows.iter().take(made).any(|row| row.seq == *seq);
    let reconnect = {
        let link = link.clone();
        Callback::from(move |_: MouseEvent| link.send(Command::Reconnect))
    };
    let segment = |name: &'static str, is_sent: Option<bool>, set: fn(&mut Choice)| {
        html! {
            <button type="button" class="segment" onclick={change(set)}
                aria-pressed={(choice.is_sent == is_sent).to_string()}>{ name }</button>
        }
    };
    let times = wire.rows.iter().take(made).map(|row| row.at_ms);
    let times = time::room(times, crate::clock::now_ms());
    html! {
        <section class="wire" aria-labelledby="wire-heading">
            <header class="page-head">
                <h2 class="page-heading" id="wire-heading">{ texts.wire }</h2>
                <p class="page-note" data-role="count">{ count(&wire, texts) }</p>
                <label class="inline-field wire-filter">
                    <span class="label">{ texts.wire_filter }</span>
                    <select class="input" data-role="kind" onchange={on_kind}>
                        <option value="0" selected={choice.kind == 0}>{ texts.wire_all }</option>
                        { for KINDS.filter_map(|kind| Some((kind, PacketType::from_nibble(kind)?)))
                            .map(|(number, kind)| html! {
                            <option value={number.to_string()} selected={choice.kind == number}>
                                { kind.name() }
                            </option>
                        }) }
                    </select>
                </label>
                <div class="segments" role="group" aria-label={texts.wire_direction}>
                    { segment(texts.wire_all, None, |choice| choice.is_sent = None) }
                    { segment(texts.wire_sent, Some(true), |choice| choice.is_sent = Some(true)) }
                    { segment(texts.wire_received, Some(false), |choice| choice.is_sent = Some(false)) }
                </div>
                <button type="button" class="button" data-role="pause"
                    aria-pressed={is_held.to_string()} onclick={pause}>
                    { if is_held { texts.go_on } else { texts.pause } }
                </button>
                <button type="button" class="button" data-role="reconnect" onclick={reconnect}
                    title={texts.reconnect_explained}>{ texts.reconnect }</button>
            </header>
            <div class="wire-panes">
                <div class={classes!("log-pane", times)}>
                    <div ref={rows.outer.clone()} class="log rows" role="listbox" tabindex="0"
                        aria-label={texts.wire} onkeydown={keys(&wire, choice.seq, &choose, &rows)}
                        aria-activedescendant={choice.seq.filter(is_there).map(row_id)}>
                        <Space total={wire.total} first={wire.first}>
                            { for numbered(wire.first, &wire.rows).take(made).map(|(number, row)| {
                                packet_row(number, row, choice.seq, &choose, &aliases.borrow(), texts)
                            }) }
                        </Space>
                        if wire.total == 0 {
                            <p class="tree-nothing">
                                { if wire.kept == 0 { texts.wire_nothing } else { texts.wire_no_match } }
                            </p>
                        }
                    </div>
                    <p class="log-foot" role="status">{ foot(&wire, is_held, texts) }</p>
                </div>
                <div class="wire-detail">
                    if let Some(packet) = &wire.chosen {
                        <Packet key={packet.row.seq} packet={Rc::new(packet.clone())} />
                    } else {
                        <p class="detail-nothing">{ texts.wire_choose }</p>
                    }
                </div>
            </div>
        </section>
    }
}

fn count(wire: &Wire, texts: &RoomsTexts) -> String {
    let kept = grouped(wire.kept);
    if u64::from(wire.total) == wire.kept {
        return kept;
    }
    fill(texts.showing, &[&grouped(wire.total.into()), &kept])
}

fn foot(wire: &Wire, is_held: bool, texts: &RoomsTexts) -> String {
    let mut parts = Vec::new();
    if is_held {
        parts.push(fill(texts.held, &[&grouped(wire.new)]));
    }
    if wire.dropped > 0 {
        parts.push(fill(texts.wire_gone, &[&grouped(wire.dropped)]));
    }
    parts.join(" · ")
}

fn row_id(seq: u64) -> String {
    format!("packet-{seq}")
}

/// Up and down through the packets; the list goes along.
fn keys(
    wire: &Rc<Wire>,
    chosen: Option<u64>,
    choose: &Callback<u64>,
    list: &Rows,
) -> Callback<KeyboardEvent> {
    let (wire, choose, list) = (Rc::clone(wire), choose.clone(), list.clone());
    Callback::from(move |event: KeyboardEvent| {
        let at = wire.rows.iter().position(|row| Some(row.seq) == chosen);
        let next = match (event.key().as_str(), at) {
            ("ArrowDown", Some(at)) => at.saturating_add(1),
            ("ArrowUp", Some(at)) => at.saturating_sub(1),
            ("ArrowDown" | "ArrowUp" | "Home", _) => 0,
            _ => return,
        };
        event.prevent_default();
        if let Some((number, row)) = numbered(wire.first, &wire.rows).nth(next) {
            choose.emit(row.seq);
            list.reveal(number);
        }
    })
}

fn version(level: u8) -> ProtocolVersion {
    match level {
        3 => ProtocolVersion::V31,
        4 => ProtocolVersion::V311,
        _ => ProtocolVersion::V5,
    }
}

fn packet_row(
    number: u32,
    row: &WireRow,
    chosen: Option<u64>,
    choose: &Callback<u64>,
    aliases: &Aliases,
    texts: &RoomsTexts,
) -> Html {
    let anatomy = Anatomy::of(&row.head.clone().into(), version(row.level));
    let is_chosen = chosen == Some(row.seq);
    let onclick = {
        let (choose, seq) = (choose.clone(), row.seq);
        Callback::from(move |_: MouseEvent| choose.emit(seq))
    };
    let direction = direction(row, texts);
    html! {
        <div key={number} id={row_id(row.seq)} role="option" {onclick}
            aria-selected={is_chosen.to_string()}
            class={classes!("wire-row", is_chosen.then_some("is-active"))}>
            <span class="log-time">{ time::exact(row.at_ms, crate::clock::now_ms()) }</span>
            <span class="wire-arrow" title={direction} aria-label={direction}>
                { if row.is_sent { "↑" } else { "↓" } }
            </span>
            <span class="wire-kind" data-role="kind-name">{ kind_name(&anatomy) }</span>
            <span class="log-value">{ bdi(summary(row, &anatomy, aliases)) }</span>
            <span class="tree-number">{ grouped(row.len) }</span>
        </div>
    }
}

fn direction(row: &WireRow, texts: &RoomsTexts) -> &'static str {
    if row.is_sent { texts.wire_was_sent } else { texts.wire_was_received }
}

fn kind_name(anatomy: &Anatomy) -> &'static str {
    anatomy.packet.map_or("?", PacketType::name)
}

fn alias(anatomy: &Anatomy) -> Option<u16> {
    anatomy.value(TOPIC_ALIAS)?.parse().ok()
}

/// Notes what a packet says of Topic Aliases.
fn learn(aliases: &mut Aliases, row: &WireRow) {
    let anatomy = Anatomy::of(&row.head.clone().into(), version(row.level));
    match anatomy.packet {
        Some(PacketType::Connect) => aliases.begin(row.seq),
        Some(PacketType::Publish) => {
            let topic = anatomy.value("Topic Name").filter(|topic| !topic.is_empty());
            if let (Some(alias), Some(topic)) = (alias(&anatomy), topic) {
                aliases.learn(row.is_sent, alias, row.seq, topic);
            }
        }
        _ => {}
    }
}

/// What tells a packet from others of its type.
fn summary(row: &WireRow, anatomy: &Anatomy, aliases: &Aliases) -> String {
    const TELLING: [&str; 9] = [
        "Client Identifier",
        "Topic Name",
        "Topic Filter",
        "Packet Identifier",
        "Connect Reason Code",
        "Connect Return code",
        "Reason Code",
        "Return Code",
        "Disconnect Reason Code",
    ];
    let told = TELLING.iter().filter_map(|name| anatomy.value(name).map(|value| (*name, value)));
    let words = told.filter(|(_, value)| !value.is_empty()).map(|(name, value)| match name {
        "Packet Identifier" => format!("#{value}"),
        _ => value.to_owned(),
    });
    let mut words: Vec<String> = words.collect();
    let has_topic = anatomy.value("Topic Name").is_some_and(|topic| !topic.is_empty());
    if let Some(alias) = alias(anatomy).filter(|_| !has_topic) {
        let known = aliases.topic(row.is_sent, alias, row.seq);
        words.insert(
            0,
            match known {
                Some(topic) => format!("{topic} ({TOPIC_ALIAS} {alias})"),
                None => format!("{TOPIC_ALIAS} {alias}"),
            },
        );
    }
    words.join(" · ")
}

#[derive(PartialEq, Properties)]
struct PacketProps {
    packet: Rc<WirePacket>,
}

/// One packet: its fields, and its bytes with the field that is pointed at.
#[component]
fn Packet(props: &PacketProps) -> Html {
    let texts = use_texts();
    let packet = &props.packet;
    let hot = use_state_eq(|| None::<usize>);
    let is_revealed = use_state_eq(|| false);
    let shown = use_state_eq(|| WIRE_BYTES_SHOWN);
    let row = &packet.row;
    let anatomy = Anatomy::of(&packet.bytes.clone().into(), version(row.level));
    let is_cut = (packet.bytes.len() as u64) < row.len;
    let point = |field: Option<usize>| {
        let hot = hot.clone();
        move || hot.set(field)
    };
    let has_secret = anatomy.fields.iter().any(|field| field.kind == Kind::Secret);
    let bytes = use_node_ref();
    // The button may go, and what it is about has the focus then.
    let go_to_bytes = {
        let bytes = bytes.clone();
        move || {
            if let Some(bytes) = bytes.cast::<HtmlElement>() {
                // What is on the page can be focused.
                let _focused = bytes.focus();
            }
        }
    };
    let reveal = {
        let (is_revealed, go_to_bytes) = (is_revealed.clone(), go_to_bytes.clone());
        Callback::from(move |_: MouseEvent| {
            is_revealed.set(true);
            go_to_bytes();
        })
    };
    let more = {
        let (shown, len) = (shown.clone(), packet.bytes.len());
        Callback::from(move |_: MouseEvent| {
            let next = shown.saturating_mul(4);
            shown.set(next);
            if next >= len {
                go_to_bytes();
            }
        })
    };
    let span = hot.and_then(|hot| anatomy.fields.get(hot)).map(|field| (field.start, field.end));
    html! {
        <>
            <header class="wire-head">
                <h3 class="detail-name" data-role="packet">{ kind_name(&anatomy) }</h3>
                <p class="page-note">
                    { direction(row, texts) }{ " · " }
                    { time::exact(row.at_ms, crate::clock::now_ms()) }{ " · " }
                    { fill(texts.bytes_count, &[&grouped(row.len)]) }
                </p>
                if has_secret && !*is_revealed {
                    <button type="button" class="small-button" data-role="reveal" onclick={reveal}>
                        { texts.wire_reveal }
                    </button>
                }
            </header>
            if is_cut {
                <p class="page-note" role="note">
                    { fill(texts.wire_cut, &[&grouped(packet.bytes.len() as u64), &grouped(row.len)]) }
                </p>
            } else if let Some(error) = &anatomy.error {
                <p class="wire-wrong" role="note" data-role="wrong">
                    { fill(texts.wire_wrong, &[&Fault::from(error).words(texts)]) }
                </p>
            }
            <div ref={bytes} class="wire-bytes" role="group" tabindex="0" aria-label={texts.wire_bytes} data-role="bytes"
                onmouseleave={let leave = point(None); move |_: MouseEvent| leave()}>
                { for lines(&packet.bytes, &anatomy.fields, *shown, *is_revealed).map(|line| {
                    line_of(&line, span, &point)
                }) }
            </div>
            if packet.bytes.len() > *shown {
                <button type="button" class="small-button" onclick={more}>{ texts.show_more }</button>
            }
            <ol class="wire-fields" aria-label={texts.wire_fields} data-role="fields">
                { for anatomy.fields.iter().enumerate().map(|(index, field)| {
                    let (over, focus) = (point(Some(index)), point(Some(index)));
                    let value = match field.kind {
                        Kind::Secret if !*is_revealed => texts.wire_secret.to_owned(),
                        Kind::Secret | Kind::Payload => text_of(&packet.bytes, field),
                        _ => field.value.clone(),
                    };
                    html! {
                        <li key={index}>
                            <button type="button" data-depth={field.depth.min(5).to_string()}
                                class={classes!("wire-field", (*hot == Some(index)).then_some("is-hot"))}
                                onmouseenter={move |_: MouseEvent| over()}
                                onfocus={move |_: FocusEvent| focus()}>
                                <span class={classes!("wire-name", colour(&anatomy.fields, index))}>
                                    { if field.kind == Kind::Rest { texts.wire_rest } else { field.name } }
                                </span>
                                <span class="wire-value">{ bdi(value) }</span>
                                <span class="wire-place">{ place(field) }</span>
                                <span class="wire-section">
                                    if !field.section.is_empty() {
                                        { format!("{} §{}", anatomy.document(), field.section) }
                                    }
                                </span>
                            </button>
                        </li>
                    }
                }) }
            </ol>
        </>
    }
}

/// The longest text of a payload that a field shows, in characters.
const TEXT_CHARS: usize = 200;

/// The bytes of a field as text, or how many there are where they are none.
fn text_of(bytes: &[u8], field: &Field) -> String {
    let part = bytes.get(field.start..field.end).unwrap_or_default();
    match std::str::from_utf8(part) {
        Ok(text) if text.chars().count() <= TEXT_CHARS => text.to_owned(),
        Ok(text) => text.chars().take(TEXT_CHARS).chain(std::iter::once('…')).collect(),
        Err(_) => field.value.clone(),
    }
}

/// Which bytes, or which bits of one.
fn place(field: &Field) -> String {
    let last = field.end.saturating_sub(1);
    match (field.bits, last == field.start) {
        (u8::MAX, true) => field.start.to_string(),
        (u8::MAX, false) => format!("{}–{last}", field.start),
        (bits, _) => {
            let (high, low) = (7u32.saturating_sub(bits.leading_zeros()), bits.trailing_zeros());
            let bits = if high == low { high.to_string() } else { format!("{high}–{low}") };
            format!("{}:{bits}", field.start)
        }
    }
}

fn is_leaf(fields: &[Field], index: usize) -> bool {
    let depth = fields.get(index).map(|field| field.depth);
    fields.get(index.saturating_add(1)).is_none_or(|next| Some(next.depth) <= depth)
}

/// The colour of a field that consists of bytes: neighbours have different ones.
fn colour(fields: &[Field], index: usize) -> Option<String> {
    let leaves = (0..index).filter(|before| is_leaf(fields, *before)).count();
    is_leaf(fields, index).then(|| format!("tint-{}", leaves % COLOURS))
}

/// Bytes in a line that belong to one field.
struct Part {
    field: usize,
    colour: Option<String>,
    start: usize,
    end: usize,
    hex: String,
    text: String,
}

struct Line {
    at: usize,
    parts: Vec<Part>,
}

/// The bytes in lines, each in parts by field; of a byte that several share, by the first of them.
fn lines<'a>(
    bytes: &'a [u8],
    fields: &'a [Field],
    shown: usize,
    is_revealed: bool,
) -> impl Iterator<Item = Line> + 'a {
    let leaves: Vec<(usize, &Field)> = fields
        .iter()
        .enumerate()
        .filter(|(index, field)| is_leaf(fields, *index) && field.bits.leading_zeros() == 0)
        .collect();
    let shown = bytes.get(..shown).unwrap_or(bytes);
    shown.chunks(LINE_BYTES).enumerate().map(move |(number, chunk)| {
        let at = number.saturating_mul(LINE_BYTES);
        let end = at.saturating_add(chunk.len());
        let inside = leaves.iter().filter(|(_, field)| field.start < end && field.end > at);
        let parts = inside.map(|(index, field)| {
            let (start, end) = (field.start.max(at), field.end.min(end));
            let part = bytes.get(start..end).unwrap_or_default();
            let is_hidden = field.kind == Kind::Secret && !is_revealed;
            let hex = |byte: &u8| if is_hidden { HIDDEN.to_owned() } else { format!("{byte:02x}") };
            let letter = |byte: &u8| match byte {
                _ if is_hidden => '•',
                0x20..0x7f => char::from(*byte),
                _ => '·',
            };
            Part {
                field: *index,
                colour: colour(fields, *index),
                start,
                end,
                hex: part.iter().map(hex).collect::<Vec<_>>().join(" "),
                text: part.iter().map(letter).collect(),
            }
        });
        Line { at, parts: parts.collect() }
    })
}

fn line_of<F: Fn() + 'static>(
    line: &Line,
    hot: Option<(usize, usize)>,
    point: &impl Fn(Option<usize>) -> F,
) -> Html {
    let part = |part: &Part, text: &str| {
        let over = point(Some(part.field));
        let is_hot = hot.is_some_and(|(start, end)| part.start < end && part.end > start);
        html! {
            <span class={classes!("wire-part", part.colour.clone(), is_hot.then_some("is-hot"))}
                onmouseenter={move |_: MouseEvent| over()}>{ text.to_owned() }</span>
        }
    };
    html! {
        <div class="wire-line" key={line.at}>
            <span class="wire-at" aria-hidden="true">{ format!("{:04x}", line.at) }</span>
            <span class="wire-hex">
                { for line.parts.iter().map(|p| html! { <>{ part(p, &p.hex) }{ " " }</> }) }
            </span>
            <span class="wire-text" aria-hidden="true">{ for line.parts.iter().map(|p| part(p, &p.text)) }</span>
        </div>
    }
}
