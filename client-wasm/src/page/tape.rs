//! Recording what arrives to a file, and replaying a file to the broker: above the log of messages.
//!
//! The file that is replayed is read here, a little ahead of what the engine sends, whichever page is on
//! the screen meanwhile.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{File, HtmlElement, HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use super::bdi;
use super::field::{Field, Listening, use_field};
use super::house::{unreadable, use_texts};
use super::link::Link;
use crate::limits::{RECORDING_READ_BYTES, RECORDING_WRONG_SHOWN, REPLAY_WAITING_LOW};
use crate::number::{at_a_glance, grouped};
use crate::protocol::{Command, ReplayStep, Replaying};
use crate::recording::{Reader, Wrong};
use crate::replay::Progress;
use crate::texts::{RoomsTexts, fill};

/// How fast a recording can be replayed; the last is as fast as it goes.
const SPEEDS: [(&str, Option<f64>); 5] =
    [("1", Some(1.0)), ("2", Some(2.0)), ("10", Some(10.0)), ("100", Some(100.0)), ("", None)];

/// What is shown of the file that is replayed.
#[derive(Debug, Clone, PartialEq, Default)]
struct Shown {
    name: String,
    size: f64,
    read: f64,
    progress: Progress,
    is_started: bool,
    is_looped: bool,
    speed: usize,
    wrong: Vec<(u64, Wrong)>,
    wrong_count: u64,
    /// Messages that were read since the beginning of the file.
    messages: u64,
    /// The file can't be read any more; with the browser's words.
    unreadable: Option<String>,
}

/// The file that is replayed. Clones are handles to the same one.
#[derive(Clone)]
struct Player(Rc<Inner>);

struct Inner {
    link: Link,
    shown: Field<Shown>,
    file: RefCell<Option<File>>,
    reader: RefCell<Reader>,
    /// Whether a part of the file is on its way.
    is_reading: Cell<bool>,
    /// Counts the files and their beginnings, so that what was read for one is not taken for another.
    round: Cell<u32>,
    follows: RefCell<Option<Listening>>,
}

thread_local! {
    /// Whether somebody elsewhere wants to choose a file to replay.
    static FILE_WANTED: Field<bool> = Field::new(false);

    /// It outlives the page that shows it.
    static PLAYER: RefCell<Option<Player>> = const { RefCell::new(None) };
}

/// Asks for a file to replay, as soon as there is where to choose it.
pub(super) fn ask_for_file() {
    FILE_WANTED.with(|wanted| wanted.set(true));
}

impl Player {
    /// The one of this link.
    fn of(link: &Link) -> Self {
        PLAYER.with_borrow_mut(|player| match player {
            Some(player) if player.0.link == *link => player.clone(),
            _ => player.insert(Self::new(link)).clone(),
        })
    }

    fn new(link: &Link) -> Self {
        let player = Self(Rc::new(Inner {
            link: link.clone(),
            shown: Field::new(Shown::default()),
            file: RefCell::default(),
            reader: RefCell::default(),
            is_reading: Cell::new(false),
            round: Cell::new(0),
            follows: RefCell::default(),
        }));
        let weak = Rc::downgrade(&player.0);
        let follows = link.tape().listen(move || {
            if let Some(inner) = weak.upgrade() {
                Self(inner).read_on();
            }
        });
        *player.0.follows.borrow_mut() = Some(follows);
        player
    }

    fn choose(&self, file: File) {
        self.stop();
        self.0.shown.set(Shown { name: file.name(), size: file.size(), ..Shown::default() });
        *self.0.file.borrow_mut() = Some(file);
    }

    fn start(&self) {
        self.0.round.set(self.0.round.get().wrapping_add(1));
        *self.0.reader.borrow_mut() = Reader::default();
        self.0.is_reading.set(false);
        self.0.shown.update(|shown| {
            (shown.read, shown.progress, shown.is_started) = (0.0, Progress::default(), true);
            (shown.wrong, shown.wrong_count, shown.messages) = (Vec::new(), 0, 0);
        });
        let speed = SPEEDS.get(self.0.shown.get().speed).and_then(|(_, speed)| *speed);
        self.step(ReplayStep::Start(speed));
        self.read();
    }

    fn stop(&self) {
        self.0.round.set(self.0.round.get().wrapping_add(1));
        self.step(ReplayStep::Stop);
        self.0.shown.update(|shown| shown.is_started = false);
    }

    /// The file is no longer wanted.
    fn close(&self) {
        self.stop();
        self.0.file.borrow_mut().take();
        self.0.shown.set(Shown::default());
    }

    fn step(&self, step: ReplayStep) {
        self.0.link.send(Command::Replay(step));
    }

    /// Reads on where the engine will soon have sent what it has.
    fn read_on(&self) {
        let is_low =
            self.0.link.tape().get().replaying.is_some_and(|replaying| {
                !replaying.is_done && replaying.waiting < REPLAY_WAITING_LOW
            });
        let shown = self.0.shown.get();
        if is_low && shown.is_started && shown.read < shown.size {
            self.read();
        }
    }

    fn read(&self) {
        if self.0.is_reading.replace(true) {
            return;
        }
        let (player, round) = (self.clone(), self.0.round.get());
        spawn_local(async move {
            let from = player.0.shown.get().read;
            let to = from + f64::from(RECORDING_READ_BYTES);
            let piece =
                player.0.file.borrow().as_ref().map(|file| file.slice_with_f64_and_f64(from, to));
            let bytes = match piece {
                Some(Ok(piece)) => JsFuture::from(piece.array_buffer()).await,
                Some(Err(error)) => Err(error),
                None => return,
            };
            if player.0.round.get() == round {
                player.0.is_reading.set(false);
                match bytes {
                    Ok(buffer) => player.take(&Uint8Array::new(&buffer).to_vec(), to),
                    Err(error) => player.unreadable(&error),
                }
            }
        });
    }

    fn take(&self, bytes: &[u8], to: f64) {
        let shown = self.0.shown.get();
        let is_end = to >= shown.size;
        let read = self.0.reader.borrow_mut().feed(bytes, is_end);
        // A file in which no message is would be read again and again for nothing.
        let count = shown.messages.saturating_add(read.messages.len() as u64);
        let is_again = is_end && shown.is_looped && count > 0;
        if is_again {
            self.0.reader.borrow_mut().again();
        }
        let is_empty = read.messages.is_empty();
        let told = self.0.link.tape().get();
        let done = told.replaying.as_ref().map_or(0, done);
        self.0.shown.update(|shown| {
            let bytes = to.min(shown.size) - shown.read;
            shown.progress.forget(done);
            shown.progress.read(read.messages.len() as u64, bytes);
            shown.read = if is_again { 0.0 } else { to.min(shown.size) };
            shown.messages = if is_again { 0 } else { count };
            shown.wrong_count = shown.wrong_count.saturating_add(read.wrong.len() as u64);
            let room = RECORDING_WRONG_SHOWN.saturating_sub(shown.wrong.len());
            shown.wrong.extend(read.wrong.into_iter().take(room));
        });
        let (messages, is_last) = (read.messages, is_end && !is_again);
        self.step(ReplayStep::More { messages, is_last });
        // The engine has nothing new to tell of a piece without a message.
        if is_empty && !is_last {
            self.read();
        }
    }

    fn unreadable(&self, error: &wasm_bindgen::JsValue) {
        let words = crate::socket::words(error);
        self.0.shown.update(|shown| {
            (shown.unreadable, shown.read) = (Some(words), shown.size);
        });
        self.step(ReplayStep::More { messages: Vec::new(), is_last: true });
    }
}

#[derive(PartialEq, Properties)]
pub(super) struct TapeProps {
    pub(super) link: Link,
    /// What is searched for: what is recorded.
    pub(super) search: AttrValue,
}

/// What is recorded and replayed, with what can be done about it.
#[component]
pub(super) fn Tape(props: &TapeProps) -> Html {
    let TapeProps { link, search } = props;
    let texts = use_texts();
    let tape = use_field(link.tape());
    let player = use_memo(link.clone(), Player::of);
    let shown = use_field(&player.0.shown);
    let field = use_node_ref();
    {
        let (field, wanted) = (field.clone(), FILE_WANTED.with(Field::clone));
        let is_wanted = use_field(&wanted);
        use_effect_with(is_wanted, move |is_wanted| {
            if let (true, Some(field)) = (*is_wanted, field.cast::<HtmlElement>()) {
                wanted.set(false);
                // The browser asks for the file only for somebody who has just asked for it; everybody else
                // presses what has the focus.
                let _focused = field.focus();
                field.click();
            }
        });
    }
    let record = {
        let (link, search, is_on) = (link.clone(), search.clone(), tape.recording.is_some());
        Callback::from(move |_: MouseEvent| {
            link.send(if is_on {
                Command::StopRecording
            } else {
                Command::Record(search.to_string())
            });
        })
    };
    let choose = {
        let player = Rc::clone(&player);
        Callback::from(move |event: Event| {
            let Some(input) = event.target_dyn_into::<HtmlInputElement>() else { return };
            if let Some(file) = input.files().and_then(|files| files.get(0)) {
                player.choose(file);
            }
            // The same file can be chosen once more.
            input.set_value("");
        })
    };
    html! {
        <div class="tape">
            <button type="button" class="button" data-role="record" title={texts.record_explained}
                aria-pressed={tape.recording.is_some().to_string()} onclick={record}>
                <span class="record-sign" aria-hidden="true"></span>
                { if tape.recording.is_some() { texts.record_stop } else { texts.record } }
            </button>
            <label class="button tape-file" title={texts.replay_file}>
                { texts.replay_file }
                <input ref={field} type="file" accept=".jsonl,.ndjson,.json,.txt" data-role="replay-file"
                    onchange={choose} />
            </label>
            <p class="tape-note" role="status" data-role="recording">
                { tape.recording.map(|recording| {
                    let size = size(recording.bytes as f64);
                    if recording.is_full {
                        return fill(texts.recorded_full, &[&size, &grouped(recording.left_out)]);
                    }
                    let told = fill(texts.recorded, &[&grouped(recording.messages), &size]);
                    match recording.left_out {
                        0 => told,
                        left_out => format!(
                            "{told} {}", fill(texts.recorded_left_out, &[&grouped(left_out)])
                        ),
                    }
                }).unwrap_or_default() }
            </p>
            if !shown.name.is_empty() {
                { replay(&player, &shown, tape.replaying.as_ref(), texts) }
            }
        </div>
    }
}

fn size(bytes: f64) -> String {
    at_a_glance(bytes, "B").unwrap_or_else(|| format!("{bytes} B"))
}

fn replay(
    player: &Rc<Player>,
    shown: &Shown,
    told: Option<&Replaying>,
    texts: &'static RoomsTexts,
) -> Html {
    let act = |act: fn(&Player)| {
        let player = Rc::clone(player);
        Callback::from(move |_: MouseEvent| act(&player))
    };
    let told = told.filter(|_| shown.is_started);
    let is_on = told.is_some_and(|told| !told.is_done);
    let is_paused = told.is_some_and(|told| told.is_paused);
    let pause = {
        let player = Rc::clone(player);
        Callback::from(move |_: MouseEvent| player.step(ReplayStep::Pause(!is_paused)))
    };
    let on_speed = {
        let player = Rc::clone(player);
        Callback::from(move |event: Event| {
            let Some(select) = event.target_dyn_into::<HtmlSelectElement>() else { return };
            let index = usize::try_from(select.selected_index()).unwrap_or(0);
            player.0.shown.update(|shown| shown.speed = index);
            if let Some((_, speed)) = SPEEDS.get(index) {
                player.step(ReplayStep::Speed(*speed));
            }
        })
    };
    let on_loop = {
        let player = Rc::clone(player);
        Callback::from(move |event: Event| {
            if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
                let is_looped = input.checked();
                player.0.shown.update(|shown| shown.is_looped = is_looped);
            }
        })
    };
    html! {
        <section class="replay" aria-label={texts.replay}>
            <div class="form-row">
                <strong class="replay-name">{ bdi(&shown.name) }</strong>
                <span class="tape-note">{ size(shown.size) }</span>
                <label class="inline-field">
                    <span class="label">{ texts.replay_speed }</span>
                    <select class="input" data-role="replay-speed" onchange={on_speed}>
                        { for SPEEDS.iter().enumerate().map(|(index, (times, _))| html! {
                            <option value={*times} selected={index == shown.speed}>
                                { if times.is_empty() {
                                    texts.replay_fastest.to_owned()
                                } else {
                                    format!("{times} ×")
                                } }
                            </option>
                        }) }
                    </select>
                </label>
                <label class="form-check">
                    <input type="checkbox" checked={shown.is_looped} onchange={on_loop} />
                    <span>{ texts.replay_loop }</span>
                </label>
                if is_on {
                    <button type="button" class="button" data-role="replay-pause" onclick={pause}>
                        { if is_paused { texts.go_on } else { texts.pause } }
                    </button>
                    <button type="button" class="button" data-role="replay-stop"
                        onclick={act(Player::stop)}>{ texts.stop }</button>
                } else {
                    <button type="button" class="button is-primary" data-role="replay-start"
                        onclick={act(Player::start)}>{ texts.replay }</button>
                    <button type="button" class="button" data-role="replay-close"
                        onclick={act(Player::close)}>{ texts.close }</button>
                }
            </div>
            if let Some(told) = told {
                <progress class="replay-progress" max={shown.size.to_string()}
                    value={progress(shown, told).to_string()} aria-label={texts.replay}></progress>
                <p class="tape-note" role="status" data-role="replayed">{ state(told, texts) }</p>
            }
            { troubles(shown, texts) }
        </section>
    }
}

/// How many messages the broker is done with.
fn done(told: &Replaying) -> u64 {
    told.taken.saturating_add(told.failed)
}

/// How many bytes of the file the broker is done with, from its beginning where it is replayed once more.
fn progress(shown: &Shown, told: &Replaying) -> f64 {
    let done = shown.progress.at(done(told));
    if told.is_done || shown.size <= 0.0 { shown.size } else { done % shown.size }
}

/// How far it is, and what holds it up.
fn state(told: &Replaying, texts: &RoomsTexts) -> String {
    let mut parts = vec![fill(texts.replayed, &[&grouped(told.taken)])];
    if told.under_way > 0 {
        parts.push(fill(texts.replay_under_way, &[&grouped(told.under_way)]));
    }
    if let (count @ 1.., Some(why)) = (told.failed, &told.failure) {
        let why = super::publish::reason(why, texts);
        parts.push(fill(texts.replay_failed, &[&grouped(count), &why]));
    }
    if told.is_done && told.taken == 0 && told.failed == 0 {
        return texts.replay_nothing.to_owned();
    }
    if told.is_done {
        parts.push(texts.replay_done.to_owned());
    } else if let Some(why) = &told.held {
        parts.push(match why {
            crate::protocol::Failure::Offline => texts.replay_offline.to_owned(),
            _ => texts.replay_busy.to_owned(),
        });
    }
    parts.join(" · ")
}

/// The lines that could not be read.
fn troubles(shown: &Shown, texts: &RoomsTexts) -> Html {
    let more = shown.wrong_count.saturating_sub(shown.wrong.len() as u64);
    html! {
        <>
            if let Some(words) = &shown.unreadable {
                <p class="form-note is-bad" role="alert">{ fill(texts.replay_unreadable, &[words]) }</p>
            }
            if !shown.wrong.is_empty() {
                <ul class="replay-wrong" role="status" data-role="replay-wrong">
                    { for shown.wrong.iter().map(|(line, wrong)| {
                        let reason = reason(wrong, texts);
                        html! { <li>{ fill(texts.replay_wrong, &[&line.to_string(), &reason]) }</li> }
                    }) }
                    if more > 0 {
                        <li>{ fill(texts.replay_wrong_more, &[&grouped(more)]) }</li>
                    }
                </ul>
            }
        </>
    }
}

fn reason(wrong: &Wrong, texts: &RoomsTexts) -> String {
    match wrong {
        Wrong::Json(what) => fill(texts.line_json, &[&unreadable(what, texts)]),
        Wrong::Topic => texts.line_topic.to_owned(),
        Wrong::Time => texts.line_time.to_owned(),
        Wrong::Payload => texts.line_payload.to_owned(),
        Wrong::Version => texts.line_version.to_owned(),
        Wrong::Long => texts.line_long.to_owned(),
    }
}
