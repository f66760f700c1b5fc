//! The command palette: every page, every topic that was seen and everything that can be done, by a few
//! letters (WAI-ARIA, combobox pattern with a list).

use gloo_events::EventListener;
use wasm_bindgen::JsCast;
use web_sys::{HtmlDialogElement, HtmlElement, HtmlInputElement, KeyboardEvent};
use yew::prelude::*;

use super::bdi;
use super::connections::{self, Switchboard};
use super::field::use_field;
use super::house::use_texts;
use super::keys;
use super::link::Link;
use super::look::{self, Look};
use super::messages;
use super::shell::name;
use super::tape;
use super::widgets;
use crate::protocol::{Command, Connection, FileKind};
use crate::route::{Ask, Route};
use crate::switchboard::{Ask as Asked, Told};
use crate::texts::{self, RoomsTexts, WidgetTexts, fill};

/// What a line of the palette does.
#[derive(Debug, Clone, PartialEq)]
enum Act {
    Go(Route),
    Send(Command),
    Pause(bool),
    Board(Ask),
    ExportBoard,
    CopyBoard(&'static WidgetTexts),
    NewConnection,
    Replay,
    Ask(Asked),
    Look(Look, &'static str),
    Wall,
    Help,
}

/// A line of the palette.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    name: String,
    kind: &'static str,
    act: Act,
}

#[derive(PartialEq, Properties)]
pub(super) struct PaletteProps {
    pub(super) link: Link,
    pub(super) switchboard: Switchboard,
}

/// It opens as soon as it is there, and later with the same keys.
#[component]
pub(super) fn Palette(props: &PaletteProps) -> Html {
    let link = &props.link;
    let texts = use_texts();
    let dialog = use_node_ref();
    let text = use_state(String::new);
    let active = use_state(|| 0usize);
    let found = use_field(link.found());
    let tape = use_field(link.tape());
    let connection = use_field(link.connection());
    let is_online = matches!(connection, Connection::Online { .. });
    {
        let (dialog, text, active) = (dialog.clone(), text.clone(), active.clone());
        use_effect_with((), move |()| {
            let open = move || {
                if let Some(dialog) = dialog.cast::<HtmlDialogElement>().filter(|d| !d.open()) {
                    text.set(String::new());
                    active.set(0);
                    // One that is in the document can be shown.
                    let _shown = dialog.show_modal();
                }
            };
            open();
            let listener = web_sys::window()
                .map(|window| EventListener::new(&window, keys::PALETTE_EVENT, move |_| open()));
            move || drop(listener)
        });
    }
    let told = use_field(&props.switchboard.told);
    let topics = if text.trim().is_empty() { &[] } else { found.as_slice() };
    let entries = entries(&text, topics, &told, tape.recording.is_some(), is_online, texts);
    let current = (*active).min(entries.len().saturating_sub(1));
    let run = {
        let (link, dialog) = (link.clone(), dialog.clone());
        let ask = props.switchboard.ask.clone();
        move |entry: &Entry| {
            if let Some(dialog) = dialog.cast::<HtmlDialogElement>() {
                dialog.close();
            }
            act(&link, &ask, &entry.act);
        }
    };
    let oninput = {
        let (link, text, active) = (link.clone(), text.clone(), active.clone());
        Callback::from(move |event: InputEvent| {
            if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
                link.send(Command::Find(input.value()));
                text.set(input.value());
                active.set(0);
            }
        })
    };
    let onkeydown = {
        let (run, entries, active) = (run.clone(), entries.clone(), active);
        let last = entries.len().saturating_sub(1);
        Callback::from(move |event: KeyboardEvent| {
            match event.key().as_str() {
                "ArrowDown" => {
                    active.set(if current >= last { 0 } else { current.saturating_add(1) });
                }
                "ArrowUp" => active.set(current.checked_sub(1).unwrap_or(last)),
                "PageDown" => active.set(last),
                "PageUp" => active.set(0),
                "Enter" => {
                    if let Some(entry) = entries.get(current) {
                        run(entry);
                    }
                }
                _ => return,
            }
            event.prevent_default();
        })
    };
    use_effect_with((current, text.to_string()), move |_| {
        let chosen = web_sys::window()
            .and_then(|window| window.document()?.query_selector(".palette-row.is-active").ok()?);
        if let Some(row) = chosen.and_then(|row| row.dyn_into::<HtmlElement>().ok()) {
            // The list is what the row is placed by, and no more of it moves than has to.
            let Some(list) = row.parent_element() else { return };
            let (top, end) =
                (row.offset_top(), row.offset_top().saturating_add(row.offset_height()));
            let seen_end = list.scroll_top().saturating_add(list.client_height());
            if top < list.scroll_top() {
                list.set_scroll_top(top);
            } else if end > seen_end {
                list.set_scroll_top(end.saturating_sub(list.client_height()));
            }
        }
    });
    html! {
        <dialog ref={dialog} class="palette" aria-label={texts.palette} data-role="palette">
            <input class="input palette-input" type="text" role="combobox" autofocus=true
                autocomplete="off" autocapitalize="off" spellcheck="false" aria-expanded="true"
                aria-controls="palette-list" aria-label={texts.palette} placeholder={texts.palette_hint}
                aria-activedescendant={format!("palette-{current}")}
                value={(*text).clone()} {oninput} {onkeydown} />
            <ul class="palette-list" id="palette-list" role="listbox" aria-label={texts.palette}>
                { for entries.iter().enumerate().map(|(index, entry)| {
                    let onclick = {
                        let (run, entry) = (run.clone(), entry.clone());
                        Callback::from(move |_: MouseEvent| run(&entry))
                    };
                    let is_active = index == current;
                    html! {
                        <li id={format!("palette-{index}")} role="option"
                            class={classes!("palette-row", is_active.then_some("is-active"))}
                            aria-selected={is_active.to_string()} {onclick}>
                            { bdi(&entry.name) }
                            <span class="palette-kind">{ entry.kind }</span>
                        </li>
                    }
                }) }
            </ul>
            if entries.is_empty() {
                <p class="palette-nothing" role="status">
                    { fill(texts.palette_nothing, &[text.trim()]) }
                </p>
            }
        </dialog>
    }
}

/// What matches, the pages first.
fn entries(
    text: &str,
    topics: &[String],
    told: &[Told],
    is_recording: bool,
    is_online: bool,
    texts: &'static RoomsTexts,
) -> Vec<Entry> {
    let mut all: Vec<Entry> = Route::PAGES
        .into_iter()
        .chain([Route::Connections, Route::Settings])
        .map(|page| Entry {
            name: name(&page, texts).to_owned(),
            kind: texts.palette_page,
            act: Act::Go(page),
        })
        .collect();
    let record = match is_recording {
        true => (texts.record_stop, Command::StopRecording),
        false => (texts.record, Command::Record(String::new())),
    };
    let connect = match is_online {
        true => (texts.reconnect, Command::Reconnect),
        false => (texts.try_now, Command::TryNow),
    };
    let sends = [connect, record];
    let mut action = |name: String, act| all.push(Entry { name, kind: texts.palette_action, act });
    for (name, command) in sends {
        action(name.to_owned(), Act::Send(command));
    }
    let is_paused = messages::is_paused();
    let pause = if is_paused { texts.palette_go_on } else { texts.palette_pause };
    action(pause.to_owned(), Act::Pause(!is_paused));
    for (name, kind) in [("CSV", FileKind::Csv), ("JSON", FileKind::Json)] {
        action(fill(texts.palette_export, &[name]), Act::Send(Command::Export(kind)));
    }
    for (name, ask) in [
        (texts.add_widget, Ask::Add),
        (texts.palette_board, Ask::Edit),
        (texts.import_board, Ask::Import),
    ] {
        action(name.to_owned(), Act::Board(ask));
    }
    if widgets::has_some() {
        action(texts.palette_export_board.to_owned(), Act::ExportBoard);
        let words = texts::of_widgets(texts);
        action(texts.palette_copy_board.to_owned(), Act::CopyBoard(words));
    }
    action(texts.replay_file.to_owned(), Act::Replay);
    action(texts::connections(texts).new.to_owned(), Act::NewConnection);
    for other in told.iter().filter(|told| !told.is_shown) {
        let name = fill(texts.palette_show, &[&other.title]);
        action(name, Act::Ask(Asked::Show { id: other.id.clone() }));
    }
    for look in Look::ALL {
        for choice in look.choices().iter().filter(|choice| **choice != look.chosen()) {
            let name = format!("{}: {}", look_name(look, texts), choice_name(look, choice, texts));
            action(name, Act::Look(look, choice));
        }
    }
    action(texts.keys_wall.to_owned(), Act::Wall);
    action(texts.keys.to_owned(), Act::Help);
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    all.retain(|entry| {
        let name = entry.name.to_lowercase();
        words.iter().all(|word| name.contains(word.as_str()))
    });
    all.extend(topics.iter().map(|topic| Entry {
        name: topic.clone(),
        kind: texts.topic,
        act: Act::Go(Route::Topics(Some(topic.clone()))),
    }));
    all
}

/// What can be chosen.
pub(super) fn look_name(look: Look, texts: &RoomsTexts) -> &'static str {
    match look {
        Look::Theme => texts.look_theme,
        Look::Density => texts.look_density,
        Look::Language => texts.look_language,
        Look::Memory => texts.memory,
    }
}

/// What a choice is called.
pub(super) fn choice_name(look: Look, choice: &str, texts: &RoomsTexts) -> String {
    if look == Look::Memory {
        return format!("{choice} MB");
    }
    let choice = match choice {
        "system" => texts.look_system,
        "light" => texts.look_light,
        "dark" => texts.look_dark,
        "roomy" => texts.look_roomy,
        "compact" => texts.look_compact,
        "wall" => texts.look_wall,
        "en" => "English",
        _ => "Español",
    };
    choice.to_owned()
}

fn go(href: &str) {
    if let Some(window) = web_sys::window() {
        // An address of ours is always one.
        let _gone = window.location().set_hash(href);
    }
}

fn act(link: &Link, ask: &Callback<Asked>, act: &Act) {
    match act {
        Act::ExportBoard => widgets::export(),
        Act::CopyBoard(words) => {
            widgets::copy_link(words);
            go(&Route::Board.href());
        }
        Act::NewConnection => {
            connections::ask_for_new();
            go(&Route::Connections.href());
        }
        Act::Replay => {
            tape::ask_for_file();
            go(&Route::Messages.href());
        }
        Act::Ask(asked) => ask.emit(asked.clone()),
        Act::Go(route) => go(&route.href()),
        Act::Board(ask) => go(&ask.href()),
        Act::Pause(is_paused) => {
            messages::pause(*is_paused);
            go(&Route::Messages.href());
        }
        Act::Send(command) => link.send(command.clone()),
        Act::Look(look, choice) => look.choose(choice),
        Act::Wall => look::toggle_wall(),
        Act::Help => keys::ask_for_help(),
    }
}
