//! The live log of everything that is subscribed to.

use yew::prelude::*;

use super::bdi;
use super::board::{unsubscribed, use_asks_nothing};
use super::field::{Field, use_field};
use super::house::use_texts;
use super::link::Link;
use super::rows::{Space, numbered, use_growth, use_rows};
use super::search::search_box;
use super::tape::Tape;
use super::time;
use crate::number::grouped;
use crate::protocol::{Command, FileKind, MessageRow, Messages as Shown, MessagesView};
use crate::route::Route;
use crate::texts::{RoomsTexts, fill};
use crate::visible::visible;

thread_local! {
    /// Whether a person has the log hold still.
    static PAUSED: Field<bool> = Field::new(false);
}

/// Whether a person has the log hold still.
pub(super) fn is_paused() -> bool {
    PAUSED.with(Field::get)
}

/// Has the log hold still, or go on.
pub(super) fn pause(is_paused: bool) {
    PAUSED.with(|paused| paused.set(is_paused));
}

#[derive(PartialEq, Properties)]
pub(super) struct MessagesProps {
    pub(super) link: Link,
}

#[component]
pub(super) fn Messages(props: &MessagesProps) -> Html {
    let link = &props.link;
    let texts = use_texts();
    let messages = use_field(link.messages());
    let search = use_state(|| AttrValue::from(""));
    let paused = PAUSED.with(Field::clone);
    let is_paused = use_field(&paused);
    let rows = use_rows();
    let made = use_growth(messages.rows.len());
    let asks_nothing = use_asks_nothing(link) && messages.kept == 0;
    // Who has gone down to older messages is not pushed away from them by new ones.
    let is_held = is_paused || rows.window.is_scrolled;
    {
        let link = link.clone();
        use_effect_with((search.to_string(), is_held, rows.window), move |view| {
            let (search, is_held, window) = view;
            link.send(Command::Messages(MessagesView {
                search: search.clone(),
                is_held: *is_held,
                first: window.first,
                len: window.len,
            }));
        });
    }
    {
        let link = link.clone();
        use_effect_with((), move |()| move || link.send(Command::CloseMessages));
    }
    let on_search = {
        let search = search.clone();
        Callback::from(move |text: AttrValue| search.set(text))
    };
    let toggle = {
        let rows = rows.clone();
        Callback::from(move |_: MouseEvent| {
            if is_held {
                rows.reveal(0);
            }
            paused.set(!is_held);
        })
    };
    let export = |kind: FileKind| {
        let link = link.clone();
        Callback::from(move |_: MouseEvent| link.send(Command::Export(kind)))
    };
    let times = messages.rows.iter().take(made).map(|row| row.at_ms);
    let times = time::room(times, crate::clock::now_ms());
    html! {
        <section class="messages" aria-labelledby="messages-heading">
            <header class="page-head">
                <h2 class="page-heading" id="messages-heading">{ texts.messages }</h2>
                <p class="page-note" data-role="count">{ count(&messages, texts) }</p>
                { search_box(texts.search_messages, texts.search_messages_hint, (*search).clone(), on_search) }
                <button type="button" class="button" data-role="pause"
                    aria-pressed={is_held.to_string()} onclick={toggle}>
                    { if is_held { texts.go_on } else { texts.pause } }
                </button>
                <button type="button" class="button" data-role="csv" title={texts.export_explained}
                    onclick={export(FileKind::Csv)}>{ "CSV" }</button>
                <button type="button" class="button" data-role="json" title={texts.export_explained}
                    onclick={export(FileKind::Json)}>{ "JSON" }</button>
                <Tape link={link.clone()} search={(*search).clone()} />
            </header>
            if asks_nothing {
                { unsubscribed(link, texts) }
            }
            <div class={classes!("log-pane", times)}>
                <div class="log-head" aria-hidden="true">
                    <span>{ texts.arrived }</span>
                    <span>{ texts.topic }</span>
                    <span>{ texts.payload }</span>
                    <span class="tree-number">{ texts.size }</span>
                    <span class="log-flags">{ "QoS" }</span>
                </div>
                <div ref={rows.outer.clone()} class="log rows" tabindex="0" role="log"
                    aria-live="off" aria-label={texts.messages}>
                    <Space total={messages.total} first={messages.first}>
                        { for numbered(messages.first, &messages.rows).take(made).map(|(number, row)| html! {
                            <LogRow key={number} row={row.clone()} />
                        }) }
                    </Space>
                    if messages.total == 0 && !asks_nothing {
                        <p class="tree-nothing">{ nothing(&search, &messages, texts) }</p>
                    }
                </div>
                <p class="log-foot" role="status">{ foot(&messages, is_held, texts) }</p>
            </div>
        </section>
    }
}

fn count(messages: &Shown, texts: &RoomsTexts) -> String {
    let kept = grouped(messages.kept);
    if messages.new == 0 && u64::from(messages.total) == messages.kept {
        return kept;
    }
    fill(texts.showing, &[&grouped(messages.total.into()), &kept])
}

fn nothing(search: &str, messages: &Shown, texts: &RoomsTexts) -> String {
    if messages.is_searching {
        texts.searching.to_owned()
    } else if search.trim().is_empty() {
        texts.no_message_yet.to_owned()
    } else {
        fill(texts.no_message_matches, &[search.trim()])
    }
}

/// What waits, and what has gone.
fn foot(messages: &Shown, is_held: bool, texts: &RoomsTexts) -> String {
    let mut parts = Vec::new();
    if is_held {
        parts.push(fill(texts.held, &[&grouped(messages.new)]));
    }
    if messages.is_searching {
        parts.push(texts.searching.to_owned());
    }
    if messages.gone > 0 {
        parts.push(fill(texts.log_gone, &[&grouped(messages.gone)]));
    }
    parts.join(" · ")
}

#[derive(PartialEq, Properties)]
struct LogRowProps {
    row: MessageRow,
}

#[component]
fn LogRow(props: &LogRowProps) -> Html {
    let row = &props.row;
    let texts = use_texts();
    let href = Route::Topics(Some(row.topic.clone())).href();
    html! {
        <div class="log-row" data-seq={row.seq.to_string()}>
            <span class="log-time">{ time::exact(row.at_ms, crate::clock::now_ms()) }</span>
            <a class="log-topic" {href} title={visible(&row.topic)}>{ bdi(&row.topic) }</a>
            <span class="log-value" data-role="value">{ bdi(&row.value) }</span>
            <span class="tree-number">{ grouped(row.len) }</span>
            <span class="log-flags">
                { row.qos }
                if row.retain {
                    <span class="kept" role="img" title={texts.retain_flag}
                        aria-label={texts.retain_flag}></span>
                }
            </span>
        </div>
    }
}
