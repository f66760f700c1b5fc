//! Deleting retained messages: the exact list first, then the progress, and the way back, at once or from a
//! file.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{HtmlDialogElement, HtmlElement, HtmlInputElement};
use yew::prelude::*;

use super::field::{Field, Listening, use_field};
use super::house::{unreadable, use_texts};
use super::link::Link;
use super::publish::reason;
use super::saving::save;
use crate::clearing::{self, Job, Run, Wrong};
use crate::clock;
use crate::export;
use crate::number::grouped;
use crate::protocol::{Command, Published, Retained, RetainedPart};
use crate::texts::{RoomsTexts, fill};
use crate::tree::NodeId;
use crate::visible::visible;

/// How far it is.
#[derive(Debug, Default)]
enum Stage {
    /// Nobody has asked for anything.
    #[default]
    Closed,
    /// The list is on its way.
    Listing,
    /// The person looks at the list, of what is to be deleted or to be put back.
    Listed(Job),
    /// It is under way, or over.
    Running(Run),
    /// The file is none that retained messages were saved to; with what is wrong.
    BadFile(Wrong),
}

#[derive(Default)]
struct State {
    stage: Stage,
    path: String,
    messages: Vec<Retained>,
    /// What was deleted, once that is over.
    deleted: Vec<Retained>,
}

/// The work on retained messages, which goes on also where the person goes to another page meanwhile.
#[derive(Clone)]
pub(super) struct Clearing(Rc<Inner>);

struct Inner {
    link: Link,
    state: RefCell<State>,
    changed: Field<u32>,
    listening: RefCell<Option<Both>>,
}

/// Whom it listens to as long as it lives: lists, and what became of messages.
type Both = (Listening, Listening);

impl PartialEq for Clearing {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Clearing>> = const { RefCell::new(None) };
}

impl Clearing {
    /// The one of this link.
    pub(super) fn of(link: &Link) -> Self {
        CURRENT.with_borrow_mut(|current| match current {
            Some(clearing) if clearing.0.link == *link => clearing.clone(),
            _ => current.insert(Self::new(link)).clone(),
        })
    }

    fn new(link: &Link) -> Self {
        let clearing = Self(Rc::new(Inner {
            link: link.clone(),
            state: RefCell::default(),
            changed: Field::new(0),
            listening: RefCell::default(),
        }));
        let (weak, parts) = (Rc::downgrade(&clearing.0), link.retained().clone());
        let listed = link.retained().listen(move || {
            if let (Some(inner), Some(part)) = (weak.upgrade(), parts.get()) {
                Self(inner).listed(&part);
            }
        });
        let (weak, published) = (Rc::downgrade(&clearing.0), link.published().clone());
        let told = link.published().listen(move || {
            if let (Some(inner), Some(published)) = (weak.upgrade(), published.get()) {
                Self(inner).told(&published);
            }
        });
        *clearing.0.listening.borrow_mut() = Some((listed, told));
        clearing
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.state.borrow_mut());
        self.0.changed.update(|count| *count = count.wrapping_add(1));
    }

    /// Asks for the list of what is retained in a branch.
    pub(super) fn list(&self, node: NodeId) {
        self.change(|state| *state = State { stage: Stage::Listing, ..State::default() });
        self.0.link.send(Command::ListRetained(node));
    }

    fn listed(&self, part: &RetainedPart) {
        self.change(|state| {
            if !matches!(state.stage, Stage::Listing) {
                return;
            }
            if part.is_first {
                state.messages.clear();
            }
            state.path.clone_from(&part.path);
            state.messages.extend(part.messages.iter().cloned());
            if part.is_last {
                state.stage = Stage::Listed(Job::Delete);
            }
        });
    }

    /// Lists what a file holds, to be put back.
    pub(super) fn open_file(&self, bytes: &[u8]) {
        self.change(|state| {
            *state = match clearing::read(bytes) {
                Ok((path, messages)) => {
                    State { stage: Stage::Listed(Job::PutBack), path, messages, ..State::default() }
                }
                Err(wrong) => State { stage: Stage::BadFile(wrong), ..State::default() },
            }
        });
    }

    fn start(&self, job: Job) {
        self.change(|state| {
            let messages = if state.deleted.is_empty() { &state.messages } else { &state.deleted };
            state.stage = Stage::Running(Run::new(job, messages.clone()));
        });
        self.go_on();
    }

    fn again(&self) {
        self.change(|state| {
            if let Stage::Running(run) = &mut state.stage {
                run.again();
            }
        });
        self.go_on();
    }

    /// Publishes as many as may be under way.
    fn go_on(&self) {
        // The engine may answer from within, in tests for instance: nothing is borrowed meanwhile.
        while let Some(index) = self.with_run(Run::take_next) {
            self.0.link.publish_with(|ticket| self.with_run(|run| run.publish(index, ticket)));
        }
        self.change(|state| {
            if let Stage::Running(run) = &state.stage
                && run.is_over()
                && run.job() == Job::Delete
            {
                state.deleted = run.deleted();
            }
        });
    }

    fn with_run<T>(&self, of: impl FnOnce(&mut Run) -> Option<T>) -> Option<T> {
        match &mut self.0.state.borrow_mut().stage {
            Stage::Running(run) => of(run),
            _ => None,
        }
    }

    fn told(&self, published: &Published) {
        let told = |run: &mut Run| Some(run.told(published.ticket, &published.outcome));
        if self.with_run(told) == Some(true) {
            self.go_on();
        }
    }

    fn close(&self) {
        let is_under_way = match &self.0.state.borrow().stage {
            Stage::Running(run) => !run.is_over(),
            Stage::Closed => return,
            _ => false,
        };
        if !is_under_way {
            self.change(|state| *state = State::default());
        }
    }

    /// Has the browser save a copy of what is listed, or was deleted.
    fn save(&self, host: &str) {
        let state = self.0.state.borrow();
        let time = export::time(clock::now_ms());
        let bytes = clearing::write(host, &state.path, time.clone(), &state.messages);
        // No file system takes a colon everywhere.
        let time = time.split('.').next().unwrap_or(&time).replace(':', "-");
        save(&bytes, &format!("retained-{time}.json"));
    }
}

/// The button for a file with retained messages.
pub(super) fn open_button(link: &Link, texts: &RoomsTexts) -> Html {
    let link = link.clone();
    let onchange = Callback::from(move |event: Event| {
        let Some(input) = event.target_dyn_into::<HtmlInputElement>() else { return };
        let Some(file) = input.files().and_then(|files| files.get(0)) else { return };
        let clearing = Clearing::of(&link);
        spawn_local(async move {
            // What can't be read is no file of retained messages either, and is told alike.
            let buffer = JsFuture::from(file.array_buffer()).await;
            let bytes = buffer.map(|buffer| Uint8Array::new(&buffer).to_vec()).unwrap_or_default();
            clearing.open_file(&bytes);
            // The same file can be chosen once more.
            input.set_value("");
        });
    });
    html! {
        <label class="button file-button" title={texts.put_back_explained}>
            { texts.put_back_file }
            <input type="file" accept=".json,application/json" data-role="put-back-file" {onchange} />
        </label>
    }
}

#[derive(PartialEq, Properties)]
pub(super) struct ClearingSheetProps {
    pub(super) link: Link,
    /// Where the broker is.
    pub(super) host: AttrValue,
}

/// The sheet that stands above the page as long as there is a list.
#[component]
pub(super) fn ClearingSheet(props: &ClearingSheetProps) -> Html {
    let texts = use_texts();
    let clearing = Clearing::of(&props.link);
    use_field(&clearing.0.changed);
    let dialog = use_node_ref();
    let state = clearing.0.state.borrow();
    let is_open = !matches!(state.stage, Stage::Closed);
    {
        let dialog = dialog.clone();
        use_effect_with(is_open, move |is_open| {
            let Some(dialog) = dialog.cast::<HtmlDialogElement>() else { return };
            if *is_open && !dialog.open() {
                // One that is part of the page can be shown.
                let _shown = dialog.show_modal();
            } else if !*is_open {
                dialog.close();
            }
        });
    }
    let was_open = use_mut_ref(|| false);
    {
        let dialog = dialog.clone();
        // A button that has done its work is gone, and so may be the one that led here.
        use_effect_with((is_open, is_under_way(&state)), move |(is_open, is_under_way)| {
            // Nobody's focus is lost where there was no sheet.
            if !was_open.replace(*is_open) && !is_open {
                return;
            }
            let document = web_sys::window().and_then(|window| window.document());
            let is_lost = document.as_ref().is_some_and(|document| {
                document.active_element().is_none_or(|active| active.tag_name() == "BODY")
            });
            if !is_lost || *is_under_way {
                return;
            }
            let next = if *is_open {
                let dialog = dialog.cast::<web_sys::Element>();
                dialog.and_then(|it| it.query_selector("[data-role=close-clearing]").ok().flatten())
            } else {
                document.and_then(|document| document.query_selector(".tree").ok().flatten())
            };
            if let Some(next) = next.and_then(|next| next.dyn_into::<HtmlElement>().ok()) {
                // Both take it.
                let _focused = next.focus();
            }
        });
    }
    let does = |what: fn(&Clearing)| {
        let clearing = clearing.clone();
        Callback::from(move |_: MouseEvent| what(&clearing))
    };
    let save = {
        let (clearing, host) = (clearing.clone(), props.host.clone());
        Callback::from(move |_: MouseEvent| clearing.save(&host))
    };
    // What is under way can't be called back: the sheet stays until it is over.
    let oncancel = {
        let clearing = clearing.clone();
        Callback::from(move |event: Event| {
            event.prevent_default();
            clearing.close();
        })
    };
    html! {
        <dialog ref={dialog} class="sheet is-wide" data-role="clearing" {oncancel}
            aria-labelledby="clearing-heading">
            <h2 class="panel-heading" id="clearing-heading">{ heading(&state, texts) }</h2>
            { list(&state, texts) }
            { progress(&state) }
            <p class="clearing-state" role="status" data-role="clearing-state">
                { said(&state, texts) }
            </p>
            <div class="clearing-actions">
                { actions(&state, &does, texts) }
                if has_copy(&state) {
                    <button type="button" class="button" data-role="save-copy" onclick={save}>
                        { texts.save_copy }
                    </button>
                }
                <button type="button" class="button" data-role="close-clearing"
                    disabled={is_under_way(&state)} onclick={does(Clearing::close)}>
                    { if matches!(state.stage, Stage::Listed(_)) { texts.cancel } else { texts.close } }
                </button>
            </div>
        </dialog>
    }
}

fn is_under_way(state: &State) -> bool {
    matches!(&state.stage, Stage::Running(run) if !run.is_over())
}

fn has_copy(state: &State) -> bool {
    let is_ours = match &state.stage {
        Stage::Listed(job) => *job == Job::Delete,
        Stage::Running(run) => run.is_over(),
        _ => false,
    };
    is_ours && state.messages.iter().any(|message| message.payload.is_some())
}

/// What can be done now.
fn actions(
    state: &State,
    does: &impl Fn(fn(&Clearing)) -> Callback<MouseEvent>,
    texts: &RoomsTexts,
) -> Html {
    let button = |role: &'static str, class: &'static str, text: String, what: fn(&Clearing)| {
        html! {
            <button type="button" class={classes!("button", class)} data-role={role}
                onclick={does(what)}>{ text }</button>
        }
    };
    let count = |len: usize| grouped(len as u64);
    match &state.stage {
        Stage::Listed(Job::Delete) if !state.messages.is_empty() => {
            let text = fill(texts.delete_all, &[&count(state.messages.len())]);
            button("delete", "is-danger", text, |clearing| clearing.start(Job::Delete))
        }
        Stage::Listed(Job::PutBack) if !state.messages.is_empty() => {
            let text = fill(texts.put_back_all, &[&count(state.messages.len())]);
            button("put-back", "is-primary", text, |clearing| clearing.start(Job::PutBack))
        }
        Stage::Running(run) if run.is_over() => {
            let (failed, _) = run.failed();
            let again = fill(texts.try_again, &[&count(failed)]);
            let back = fill(texts.put_back_all, &[&count(state.deleted.len())]);
            html! {
                <>
                    if failed > 0 {
                        { button("again", "", again, Clearing::again) }
                    }
                    if run.job() == Job::Delete && !state.deleted.is_empty() {
                        { button("put-back", "", back, |clearing| clearing.start(Job::PutBack)) }
                    }
                </>
            }
        }
        _ => Html::default(),
    }
}

fn heading(state: &State, texts: &RoomsTexts) -> String {
    let job = match &state.stage {
        Stage::Listed(job) => *job,
        Stage::Running(run) => run.job(),
        Stage::BadFile(_) => return texts.put_back_file.to_owned(),
        Stage::Closed | Stage::Listing => Job::Delete,
    };
    let text = match job {
        Job::Delete => texts.clearing_heading,
        Job::PutBack => texts.putting_back_heading,
    };
    fill(text, &[&visible(&state.path)])
}

/// Each topic on a line of its own, in a field that scrolls, can be searched and copied from.
fn list(state: &State, texts: &RoomsTexts) -> Html {
    let topics = |messages: &mut dyn Iterator<Item = &Retained>| {
        messages.map(|message| visible(&message.topic)).collect::<Vec<_>>().join("\n")
    };
    let without = || state.messages.iter().filter(|message| message.payload.is_none());
    let count = without().count();
    if state.messages.is_empty() {
        return Html::default();
    }
    html! {
        <>
            <textarea class="input clearing-list" readonly=true rows="10" spellcheck="false" wrap="off"
                data-role="clearing-list" aria-label={texts.retained_messages}
                value={topics(&mut state.messages.iter())} />
            if count > 0 {
                <p class="clearing-warning" data-role="without-copy">
                    { fill(texts.clearing_without_copy, &[&grouped(count as u64)]) }
                </p>
                <textarea class="input clearing-list" readonly=true rows="3" spellcheck="false"
                    wrap="off" aria-label={texts.clearing_without_copy}
                    value={topics(&mut without())} />
            }
        </>
    }
}

fn progress(state: &State) -> Html {
    let Stage::Running(run) = &state.stage else { return Html::default() };
    let done = run.done().saturating_add(run.failed().0);
    html! {
        <progress class="clearing-progress" max={run.len().to_string()} value={done.to_string()}
            aria-labelledby="clearing-heading"></progress>
    }
}

/// How it is.
fn said(state: &State, texts: &RoomsTexts) -> String {
    let count = |len: usize| grouped(len as u64);
    let run = match &state.stage {
        Stage::Closed => return String::new(),
        Stage::Listing => return texts.searching.to_owned(),
        Stage::BadFile(Wrong::Unreadable { line, column, what }) => {
            let what = unreadable(what, texts);
            return fill(texts.bad_copy, &[&line.to_string(), &column.to_string(), &what]);
        }
        Stage::BadFile(Wrong::Payload(topic)) => {
            return fill(texts.bad_copy_payload, &[topic]);
        }
        Stage::Listed(_) if state.messages.is_empty() => return texts.nothing_retained.to_owned(),
        Stage::Listed(Job::Delete) => return texts.clearing_listed.to_owned(),
        Stage::Listed(Job::PutBack) => return texts.putting_back_listed.to_owned(),
        Stage::Running(run) => run,
    };
    let text = match (run.job(), run.is_over()) {
        (Job::Delete, false) => texts.clearing_deleting,
        (Job::Delete, true) => texts.clearing_deleted,
        (Job::PutBack, false) => texts.clearing_putting_back,
        (Job::PutBack, true) => texts.clearing_put_back,
    };
    let mut said = fill(text, &[&count(run.done()), &count(run.len())]);
    if let (failed @ 1.., why) = run.failed() {
        let why = why.map(|why| reason(why, texts)).unwrap_or_default();
        said = format!("{said} {} {why}", fill(texts.clearing_failed, &[&count(failed)]));
    }
    said
}
