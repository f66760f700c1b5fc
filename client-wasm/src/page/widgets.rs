//! The widgets of the board: shown, arranged, and taken to other browsers by file and link.

pub(super) mod alarm;
mod control;
mod face;
mod form;
mod left;
mod saved;

use std::rc::Rc;

use gloo_events::EventListener;
use gloo_timers::callback::Timeout;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{HtmlElement, HtmlInputElement, KeyboardEvent, PointerEvent};
use yew::prelude::*;

use self::face::Face;
use self::form::Form;
use self::saved::Saved;
use super::bdi;
use super::field::{Field, use_field};
use super::link::Link;
use super::saving::save;
use super::use_widget_texts;
use crate::route::{Ask, Route};
use crate::texts::{self, WidgetTexts, fill};
use crate::widgets::edit::{Direction, Edit, Refused};
use crate::widgets::file::{self, Fault, Wrong};
use crate::widgets::{Board, COLUMNS, Id, Kind, Place, Shown, Widget};

/// What a board is saved as.
const FILE_NAME: &str = "board.json";

/// The roles of tools that are gone to from elsewhere.
const ADD: &str = "add-widget";
const IMPORT: &str = "import";
const UNDO: &str = "undo";
const EDIT: &str = "edit-board";

/// What takes hold of a widget, while the board is arranged.
const COVER: &str = ".widget-cover";

/// What is said above the widgets.
#[derive(Debug, Clone, PartialEq)]
struct Notice {
    text: String,
    is_bad: bool,
}

thread_local! {
    /// It may be said by who comes from another page.
    static NOTICE: Field<Option<Notice>> = Field::new(None);
}

/// A widget on its way by the pointer: where it would lie, and from which cell it was taken.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Drag {
    id: Id,
    place: Place,
    /// How far into the widget it was taken, in columns and rows.
    grip: (i32, i32),
    is_sizing: bool,
}

#[derive(PartialEq, Properties)]
pub(super) struct WidgetsProps {
    pub(super) link: Link,
}

/// All widgets, with what can be done to them.
#[component]
pub(super) fn Widgets(props: &WidgetsProps) -> Html {
    let link = &props.link;
    let words = use_widget_texts();
    let saved = Saved::here();
    let editor = use_field(saved.editor());
    let is_unsaved = use_field(saved.is_unsaved());
    let wrong = use_field(saved.wrong());
    let is_editing = use_state(|| false);
    let selected = use_state(|| None::<Id>);
    let form = use_state(|| None::<Widget>);
    let notice = NOTICE.with(Field::clone);
    let said_now = use_field(&notice);
    let offer = use_state(|| None::<Rc<Board>>);
    let drag = use_state(|| None::<Drag>);
    let grid = use_node_ref();
    let section = use_node_ref();
    let wanted = use_state(|| None::<Tool>);
    let cross = use_memo((), |()| Field::new(None));
    {
        let (saved, form, notice, offer) =
            (saved.clone(), form.clone(), notice.clone(), offer.clone());
        let (is_editing, wanted) = (is_editing.clone(), wanted.clone());
        use_effect_with((), move |()| {
            let ask = move || match take_ask() {
                Some(Ask::Edit) => {
                    is_editing.set(true);
                    wanted.set(Some(Tool::Add));
                }
                Some(Ask::Import) => {
                    is_editing.set(true);
                    wanted.set(Some(Tool::Import));
                }
                Some(Ask::Add) => {
                    is_editing.set(true);
                    form.set(Some(Widget::default()));
                }
                Some(Ask::Pin { kind, topic, path }) => {
                    let widget = pinned(&kind, topic, path);
                    let name = face::title(&widget);
                    let done = saved.apply(Edit::Add(widget));
                    notice.set(Some(said(done.map(|_| fill(words.pinned, &[&name])), words)));
                }
                Some(Ask::Board(letters)) => match file::from_link(&letters) {
                    Ok(board) => offer.set(Some(Rc::new(board))),
                    Err(wrong) => notice.set(Some(bad(wrong_words(&wrong, words)))),
                },
                None => {}
            };
            ask();
            let listener = web_sys::window()
                .map(|window| EventListener::new(&window, "hashchange", move |_| ask()));
            move || {
                drop(listener);
                NOTICE.with(|notice| notice.set(None));
            }
        });
    }
    let want = {
        let wanted = wanted.clone();
        Callback::from(move |tool: Tool| wanted.set(Some(tool)))
    };
    {
        let (section, wanted) = (section.clone(), wanted);
        use_effect_with(*wanted, move |tool| {
            // Who comes from another page is taken to the top of this one first.
            let later = tool.map(|tool| {
                Timeout::new(0, move || {
                    go_to(&section, tool);
                    wanted.set(None);
                })
            });
            move || drop(later)
        });
    }
    let apply = {
        let (saved, notice, want) = (saved.clone(), notice.clone(), want.clone());
        Callback::from(move |edit: Edit| {
            // What the person was at goes with the widget.
            if matches!(edit, Edit::Remove(_)) {
                want.emit(Tool::Undo);
            }
            notice.set(saved.apply(edit).err().map(|refused| said(Err(refused), words)));
        })
    };
    let board = match *drag {
        Some(Drag { id, place, .. }) => {
            let mut preview = editor.clone();
            // A widget that was taken away meanwhile is not there to be shown.
            let _shown = preview.apply(Edit::Place(id, place));
            Rc::clone(preview.board())
        }
        None => Rc::clone(editor.board()),
    };
    let undo = step(&saved, &notice, Saved::undo);
    let redo = step(&saved, &notice, Saved::redo);
    let onkeydown = {
        let (undo, redo, apply, want) = (undo.clone(), redo.clone(), apply.clone(), want.clone());
        let (selected, form, editor) = (selected.clone(), form.clone(), editor.clone());
        let drag = drag.clone();
        let is_editing = *is_editing && form.is_none();
        Callback::from(move |event: KeyboardEvent| {
            let is_text =
                event.target().is_some_and(|target| target.is_instance_of::<HtmlInputElement>());
            if !is_editing || is_text || event.alt_key() {
                return;
            }
            let key = event.key();
            if event.ctrl_key() || event.meta_key() {
                match (key.as_str(), event.shift_key()) {
                    ("z", false) => undo.emit(()),
                    ("z" | "Z", true) | ("y", _) => redo.emit(()),
                    _ => return,
                }
                return event.prevent_default();
            }
            let Some(id) = *selected else { return };
            let is_on = |selector: &str| {
                let target = event.target_dyn_into::<web_sys::Element>();
                target.is_some_and(|target| target.closest(selector).is_ok_and(|it| it.is_some()))
            };
            match key.as_str() {
                "Escape" if drag.is_some() => drag.set(None),
                "Escape" if is_on(TOOLBAR) => want.emit(Tool::Arrange(id)),
                "Escape" if is_on(COVER) => want.emit(Tool::Edit),
                // Every other key is for the widget, not for the buttons around it.
                _ if !is_on(COVER) => return,
                "Delete" => apply.emit(Edit::Remove(id)),
                "Enter" => form.set(editor.board().get(id).cloned()),
                key => {
                    let Some(edit) = arranged(id, key, event.shift_key()) else { return };
                    apply.emit(edit);
                    // A widget that comes before another one lets go of the focus.
                    want.emit(Tool::Arrange(id));
                }
            }
            event.prevent_default();
        })
    };
    let set_form = {
        let form = form.clone();
        Callback::from(move |widget: Option<Widget>| form.set(widget))
    };
    let on_done = {
        let (saved, notice, form) = (saved.clone(), notice.clone(), form.clone());
        let (selected, want) = (selected.clone(), want.clone());
        Callback::from(move |widget: Option<Widget>| {
            let is_left = form.as_ref().is_some_and(|widget| left::of(widget).is_some());
            form.set(None);
            let Some(widget) = widget else {
                let text = is_left.then(|| words.form_left.to_owned());
                return notice.set(text.map(|text| Notice { text, is_bad: false }));
            };
            let is_new = widget.id == 0;
            let done = saved.apply(if is_new { Edit::Add(widget) } else { Edit::Change(widget) });
            notice.set(done.err().map(|refused| said(Err(refused), words)));
            // Who made a widget goes on at it, where it can be arranged.
            if let (true, Ok(Some(id))) = (is_new, done) {
                selected.set(Some(id));
                want.emit(Tool::Arrange(id));
            }
        })
    };
    let moving = Moving { grid: grid.clone(), drag, apply: apply.clone() };
    let select = {
        let selected = selected.clone();
        Callback::from(move |id: Id| selected.set(Some(id)))
    };
    let to_tools = want.reform(|()| Tool::Tools);
    let chosen = selected.and_then(|id| editor.board().get(id)).filter(|_| *is_editing);
    html! {
        <section ref={section} class="widgets" aria-labelledby="widgets-heading" {onkeydown}
            data-editing={is_editing.to_string()}>
            <header class="page-head">
                <h2 class="page-heading" id="widgets-heading">{ words.my_board }</h2>
                { tools(&is_editing, &editor, &form, &undo, &redo, &apply, &notice, words) }
            </header>
            if is_unsaved {
                <p class="notice is-bad" role="alert">{ words.not_saved }</p>
            }
            if let Some(wrong) = &wrong {
                <div class="notice is-bad" role="alert" data-role="unread">
                    <p>{ fill(words.board_unread, &[&wrong_words(wrong, words)]) }</p>
                    <button type="button" class="small-button"
                        onclick={|_: MouseEvent| save(Saved::unread().as_bytes(), FILE_NAME)}>
                        { words.export }
                    </button>
                </div>
            }
            if let Some(notice) = said_now {
                <p class={classes!("notice", notice.is_bad.then_some("is-bad"))} role="status"
                    data-role="notice">{ &notice.text }</p>
            }
            if let Some(board) = &*offer {
                { offered(board, &offer, &apply, &want, words) }
            }
            if let Some(widget) = chosen {
                { arranging(widget, &apply, &set_form, words) }
            }
            if board.widgets.is_empty() {
                <p class="page-note">{ words.empty_board }</p>
            }
            <ul class="widgets-grid" ref={grid}>
                { for board.in_order().into_iter().map(|widget| html! {
                    <Placed key={widget.id} place={widget.place}
                        name={face::title(widget)}
                        id={widget.id}
                        is_selected={*is_editing && *selected == Some(widget.id)}
                        moving={is_editing.then(|| moving.clone())}
                        select={select.clone()}
                        to_tools={to_tools.clone()}
                    >
                        <Face link={link.clone()} widget={widget.clone()} cross={(*cross).clone()} />
                    </Placed>
                }) }
            </ul>
            if let Some(widget) = &*form {
                <Form key={widget.id} link={link.clone()} widget={widget.clone()} {on_done} />
            }
        </section>
    }
}

/// What a key does to the place of a widget.
fn arranged(id: Id, key: &str, is_sizing: bool) -> Option<Edit> {
    Some(match (key, is_sizing) {
        ("ArrowLeft", true) => Edit::Grow(id, -1, 0),
        ("ArrowRight", true) => Edit::Grow(id, 1, 0),
        ("ArrowUp", true) => Edit::Grow(id, 0, -1),
        ("ArrowDown", true) => Edit::Grow(id, 0, 1),
        ("ArrowLeft", false) => Edit::Move(id, Direction::Left),
        ("ArrowRight", false) => Edit::Move(id, Direction::Right),
        ("ArrowUp", false) => Edit::Move(id, Direction::Up),
        ("ArrowDown", false) => Edit::Move(id, Direction::Down),
        _ => return None,
    })
}

/// The toolbar of the widget that is selected.
const TOOLBAR: &str = ".arranging";

/// A tool that somebody asked for from elsewhere on the page.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Tool {
    Add,
    Import,
    Undo,
    /// What begins and ends arranging.
    Edit,
    /// The first one of the toolbar.
    Tools,
    /// What takes hold of a widget.
    Arrange(Id),
}

/// Puts the focus onto a tool, and has the browser ask for a file at once where it is for that. It does so
/// only for somebody who has just asked for it; everybody else presses the tool.
fn go_to(section: &NodeRef, tool: Tool) {
    let selector = match tool {
        Tool::Add => format!("[data-role={ADD}]"),
        Tool::Import => format!("[data-role={IMPORT}]"),
        Tool::Undo => format!("[data-role={UNDO}]"),
        Tool::Edit => format!("[data-role={EDIT}]"),
        Tool::Tools => format!("{TOOLBAR} button"),
        Tool::Arrange(id) => format!("[data-widget='{id}'] {COVER}"),
    };
    let place = section.cast::<web_sys::Element>();
    let found = place.and_then(|place| place.query_selector(&selector).ok().flatten());
    if let Some(found) = found.and_then(|found| found.dyn_into::<HtmlElement>().ok()) {
        // What is on the page can be focused.
        let _focused = found.focus();
        if tool == Tool::Import {
            found.click();
        }
    }
}

/// What the address asks for; after that it asks no more.
fn take_ask() -> Option<Ask> {
    let window = web_sys::window()?;
    let ask = Ask::parse(&window.location().hash().ok()?)?;
    // Without it, going back leads to where the person was before.
    let _replaced = window.history().ok()?.replace_state_with_url(
        &JsValue::NULL,
        "",
        Some(&Route::Board.href()),
    );
    Some(ask)
}

/// A widget for what was pinned.
fn pinned(kind: &str, topic: String, path: String) -> Widget {
    let kind = Kind::from_word(kind).unwrap_or_default();
    let span_s = if kind == Kind::Line { 900 } else { 0 };
    let values = vec![Shown { topic, path, ..Shown::default() }];
    Widget { kind, values, span_s, ..Widget::default() }
}

fn bad(text: String) -> Notice {
    Notice { text, is_bad: true }
}

fn said(done: Result<String, Refused>, words: &WidgetTexts) -> Notice {
    match done {
        Ok(text) => Notice { text, is_bad: false },
        Err(Refused::Full) => bad(words.board_full.to_owned()),
        Err(Refused::NotThere) => bad(words.widget_gone.to_owned()),
    }
}

fn step(saved: &Saved, notice: &Field<Option<Notice>>, go: fn(&Saved)) -> Callback<()> {
    let (saved, notice) = (saved.clone(), notice.clone());
    Callback::from(move |()| {
        go(&saved);
        notice.set(None);
    })
}

/// The buttons beside the heading.
#[allow(clippy::too_many_arguments, reason = "they are what the buttons do")]
fn tools(
    is_editing: &UseStateHandle<bool>,
    editor: &crate::widgets::edit::Editor,
    form: &UseStateHandle<Option<Widget>>,
    undo: &Callback<()>,
    redo: &Callback<()>,
    apply: &Callback<Edit>,
    notice: &Field<Option<Notice>>,
    words: &'static WidgetTexts,
) -> Html {
    let toggle = {
        let is_editing = is_editing.clone();
        Callback::from(move |_: MouseEvent| is_editing.set(!*is_editing))
    };
    let add = {
        let form = form.clone();
        Callback::from(move |_: MouseEvent| form.set(Some(Widget::default())))
    };
    let on = |callback: &Callback<()>| callback.reform(|_: MouseEvent| ());
    let on_save = Callback::from(|_: MouseEvent| export());
    let on_share = {
        let (board, notice) = (Rc::clone(editor.board()), notice.clone());
        Callback::from(move |_: MouseEvent| {
            let notice = notice.clone();
            share(&board, words, move |said| notice.set(Some(said)));
        })
    };
    let on_file = {
        let (apply, notice) = (apply.clone(), notice.clone());
        Callback::from(move |event: Event| {
            let Some(input) = event.target_dyn_into::<HtmlInputElement>() else { return };
            let Some(file) = input.files().and_then(|files| files.get(0)) else { return };
            // The same file can be chosen again.
            input.set_value("");
            let (apply, notice) = (apply.clone(), notice.clone());
            spawn_local(async move {
                let text = JsFuture::from(file.text()).await.ok().and_then(|text| text.as_string());
                match file::read(&text.unwrap_or_default()) {
                    Ok(board) => {
                        let count = board.widgets.len().to_string();
                        apply.emit(Edit::Replace(board));
                        let text = fill(words.imported, &[&count, &file.name()]);
                        notice.set(Some(Notice { text, is_bad: false }));
                    }
                    Err(wrong) => {
                        let why = wrong_words(&wrong, words);
                        notice.set(Some(bad(fill(words.not_imported, &[&file.name(), &why]))));
                    }
                }
            });
        })
    };
    let has_some = !editor.board().widgets.is_empty();
    html! {
        <div class="widgets-tools">
            if **is_editing {
                <button type="button" class="small-button" data-role={ADD} onclick={add}>
                    { words.add_widget }
                </button>
                // With the last step the focus would go, were they disabled for the browser too.
                <button type="button" class="small-button" data-role={UNDO}
                    aria-disabled={(!editor.can_undo()).to_string()} onclick={on(undo)}>
                    { words.undo }
                </button>
                <button type="button" class="small-button" data-role="redo"
                    aria-disabled={(!editor.can_redo()).to_string()} onclick={on(redo)}>
                    { words.redo }
                </button>
                <label class="small-button file-button">
                    { words.import }
                    <input type="file" class="visually-hidden" data-role={IMPORT}
                        accept=".json,application/json" onchange={on_file} />
                </label>
                <button type="button" class="small-button" data-role="export" disabled={!has_some}
                    onclick={on_save}>{ words.export }</button>
                <button type="button" class="small-button" data-role="share" disabled={!has_some}
                    onclick={on_share}>{ words.share }</button>
            }
            <button type="button" class="small-button" data-role={EDIT} onclick={toggle}
                aria-pressed={is_editing.to_string()}>
                { if **is_editing { words.done } else { words.edit } }
            </button>
        </div>
    }
}

/// Whether there is anything on the board.
pub(super) fn has_some() -> bool {
    !Saved::here().editor().get().board().widgets.is_empty()
}

/// Hands the board to the browser as a file.
pub(super) fn export() {
    save(file::write(Saved::here().editor().get().board()).as_bytes(), FILE_NAME);
}

/// Copies the link of the board, and has the board say so.
pub(super) fn copy_link(words: &WidgetTexts) {
    share(Saved::here().editor().get().board(), words, |said| {
        NOTICE.with(|notice| notice.set(Some(said)));
    });
}

/// Copies the link of a board, and says what came of it.
fn share(board: &Board, words: &WidgetTexts, say: impl FnOnce(Notice) + 'static) {
    let letters = match file::to_link(board) {
        Ok(letters) => letters,
        Err(Wrong::TooLarge(most)) => {
            return say(bad(fill(words.link_too_long, &[&most.to_string()])));
        }
        Err(wrong) => return say(bad(wrong_words(&wrong, words))),
    };
    let here = web_sys::window().and_then(|window| window.location().href().ok());
    let here = here.unwrap_or_default();
    let page = here.split('#').next().unwrap_or_default();
    let link = format!("{page}{}", Ask::Board(letters).href());
    let (copied, not_copied) = (words.link_copied, words.link_not_copied);
    let shown = link.clone();
    super::copy::copy(&link, move |is_copied| {
        say(match is_copied {
            true => Notice { text: copied.to_owned(), is_bad: false },
            false => bad(fill(not_copied, &[&shown])),
        });
    });
}

/// What is wrong with a file or a link, in a sentence.
fn wrong_words(wrong: &Wrong, words: &WidgetTexts) -> String {
    match wrong {
        Wrong::TooLarge(most) => fill(words.file_too_large, &[&most.to_string()]),
        Wrong::Unreadable { line, column, what } => {
            let what = super::house::unreadable(what, texts::of_rooms(words.common));
            fill(words.file_unreadable, &[&line.to_string(), &column.to_string(), &what])
        }
        Wrong::NoBoard => words.file_no_board.to_owned(),
        Wrong::Version(version) => fill(words.file_version, &[&version.to_string()]),
        Wrong::TooMany(most) => fill(words.file_too_many, &[&most.to_string()]),
        Wrong::Widget { number, fault } => {
            fill(words.file_widget, &[&number.to_string(), fault_words(*fault, words)])
        }
        Wrong::Link => words.link_broken.to_owned(),
    }
}

fn fault_words(fault: Fault, words: &WidgetTexts) -> &'static str {
    match fault {
        Fault::NoTopic => words.fault_no_topic,
        Fault::Topic => words.fault_topic,
        Fault::Values => words.fault_values,
        Fault::Levels => words.fault_levels,
        Fault::Scale => words.fault_scale,
        Fault::Qos => words.fault_qos,
        Fault::Text => words.fault_text,
    }
}

/// A board that came with the link, and what can be done with it.
fn offered(
    board: &Rc<Board>,
    offer: &UseStateHandle<Option<Rc<Board>>>,
    apply: &Callback<Edit>,
    want: &Callback<Tool>,
    words: &WidgetTexts,
) -> Html {
    let with = |edit: Option<fn(Board) -> Edit>| {
        let (board, offer, apply) = (Rc::clone(board), offer.clone(), apply.clone());
        let want = want.clone();
        Callback::from(move |_: MouseEvent| {
            if let Some(edit) = edit {
                apply.emit(edit((*board).clone()));
            }
            offer.set(None);
            want.emit(Tool::Edit);
        })
    };
    html! {
        <div class="notice is-offer" role="status" data-role="offer">
            <p>{ fill(words.offered, &[&board.widgets.len().to_string()]) }</p>
            <div class="widgets-tools">
                <button type="button" class="button is-primary" onclick={with(Some(Edit::Append))}>
                    { words.offer_add }
                </button>
                <button type="button" class="button" onclick={with(Some(Edit::Replace))}>
                    { words.offer_replace }
                </button>
                <button type="button" class="button" onclick={with(None)}>{ words.offer_leave }</button>
            </div>
        </div>
    }
}

/// What can be done to the widget that is selected, without dragging.
fn arranging(
    widget: &Widget,
    apply: &Callback<Edit>,
    form: &Callback<Option<Widget>>,
    words: &WidgetTexts,
) -> Html {
    let id = widget.id;
    let button = |sign: &'static str, name: &'static str, edit: Edit| {
        let apply = apply.clone();
        let onclick = Callback::from(move |_: MouseEvent| apply.emit(edit.clone()));
        html! {
            <button type="button" class="quiet-button tool" title={name} aria-label={name} {onclick}>{ sign }</button>
        }
    };
    let edit = {
        let (form, widget) = (form.clone(), widget.clone());
        Callback::from(move |_: MouseEvent| form.emit(Some(widget.clone())))
    };
    let text_button = |name: &'static str, role: &'static str, edit: Edit| {
        let apply = apply.clone();
        let onclick = Callback::from(move |_: MouseEvent| apply.emit(edit.clone()));
        html! {
            <button type="button" class="small-button" data-role={role} {onclick}>{ name }</button>
        }
    };
    html! {
        <div class="arranging" role="toolbar" aria-label={fill(words.arrange, &[&face::title(widget)])}>
            <strong class="arranging-name">{ bdi(face::title(widget)) }</strong>
            <span class="arranging-part">
                { button("←", words.move_left, Edit::Move(id, Direction::Left)) }
                { button("↑", words.move_up, Edit::Move(id, Direction::Up)) }
                { button("↓", words.move_down, Edit::Move(id, Direction::Down)) }
                { button("→", words.move_right, Edit::Move(id, Direction::Right)) }
            </span>
            <span class="arranging-part">
                <span class="page-note">{ words.width }</span>
                { button("−", words.narrower, Edit::Grow(id, -1, 0)) }
                { button("+", words.wider, Edit::Grow(id, 1, 0)) }
            </span>
            <span class="arranging-part">
                <span class="page-note">{ words.height }</span>
                { button("−", words.lower, Edit::Grow(id, 0, -1)) }
                { button("+", words.higher, Edit::Grow(id, 0, 1)) }
            </span>
            <button type="button" class="small-button" data-role="edit-widget" onclick={edit}>
                { words.edit }
            </button>
            { text_button(words.duplicate, "duplicate", Edit::Duplicate(id)) }
            { text_button(words.remove, "remove", Edit::Remove(id)) }
        </div>
    }
}

/// Moving and sizing by the pointer. Clones are handles to the same.
#[derive(Clone)]
struct Moving {
    grid: NodeRef,
    drag: UseStateHandle<Option<Drag>>,
    apply: Callback<Edit>,
}

impl PartialEq for Moving {
    fn eq(&self, other: &Self) -> bool {
        *self.drag == *other.drag
    }
}

impl Moving {
    /// The cell under the pointer; it may lie outside. None where the screen is too narrow for the grid.
    fn cell(&self, event: &PointerEvent) -> Option<(i32, i32)> {
        let grid = self.grid.cast::<HtmlElement>()?;
        let style = web_sys::window()?.get_computed_style(&grid).ok().flatten()?;
        let pixels = |name: &str| -> f64 {
            let value = style.get_property_value(name).unwrap_or_default();
            value.trim_end_matches("px").parse().unwrap_or(0.0)
        };
        let columns = style.get_property_value("grid-template-columns").unwrap_or_default();
        if columns.split_whitespace().count() != usize::from(COLUMNS) {
            return None;
        }
        let gap = pixels("row-gap");
        let bounds = grid.get_bounding_client_rect();
        let column = (bounds.width() + gap) / f64::from(COLUMNS);
        let row = pixels("grid-auto-rows") + gap;
        let x = (f64::from(event.client_x()) - bounds.left()) / column.max(1.0);
        let y = (f64::from(event.client_y()) - bounds.top()) / row.max(1.0);
        // A cast from a float keeps to the range of the integer.
        Some((x.floor() as i32, y.floor() as i32))
    }

    fn begin(&self, id: Id, place: Place, is_sizing: bool) -> Callback<PointerEvent> {
        let this = self.clone();
        Callback::from(move |event: PointerEvent| {
            let Some((x, y)) = this.cell(&event).filter(|_| event.button() == 0) else { return };
            event.prevent_default();
            event.stop_propagation();
            if let Some(target) = event.target_dyn_into::<web_sys::Element>() {
                // Where it is not captured, it ends at the edge.
                let _captured = target.set_pointer_capture(event.pointer_id());
            }
            let grip = (x - i32::from(place.x), y - i32::from(place.y));
            this.drag.set(Some(Drag { id, place, grip, is_sizing }));
        })
    }

    fn go_on(&self) -> Callback<PointerEvent> {
        let this = self.clone();
        Callback::from(move |event: PointerEvent| {
            let (Some(drag), Some((x, y))) = (*this.drag, this.cell(&event)) else { return };
            let cells = |cells: i32| u16::try_from(cells.max(0)).unwrap_or(u16::MAX);
            let place = if drag.is_sizing {
                let size = |to: i32, from: u16| cells(to - i32::from(from) + 1).max(1);
                Place { w: size(x, drag.place.x), h: size(y, drag.place.y), ..drag.place }
            } else {
                Place { x: cells(x - drag.grip.0), y: cells(y - drag.grip.1), ..drag.place }
            };
            if place != drag.place {
                this.drag.set(Some(Drag { place, ..drag }));
            }
        })
    }

    /// The pointer has let go, or the browser has taken it for something else.
    fn end(&self, is_meant: bool) -> Callback<PointerEvent> {
        let this = self.clone();
        Callback::from(move |_: PointerEvent| {
            let Some(drag) = *this.drag else { return };
            this.drag.set(None);
            if is_meant {
                this.apply.emit(Edit::Place(drag.id, drag.place));
            }
        })
    }
}

#[derive(PartialEq, Properties)]
struct PlacedProps {
    id: Id,
    place: Place,
    name: AttrValue,
    is_selected: bool,
    /// How it is moved, while the board is arranged.
    moving: Option<Moving>,
    select: Callback<Id>,
    /// Goes to the toolbar of the widget that is selected.
    to_tools: Callback<()>,
    children: Html,
}

/// A widget at its place on the grid.
#[component]
fn Placed(props: &PlacedProps) -> Html {
    let words = use_widget_texts();
    let PlacedProps { id, place, moving, select, .. } = props;
    let element = use_node_ref();
    {
        let element = element.clone();
        use_effect_with(*place, move |place| {
            let Some(element) = element.cast::<HtmlElement>() else { return };
            let style = element.style();
            // Grid lines are counted from 1. A number is always taken.
            for (name, value) in [
                ("--x", place.x.saturating_add(1)),
                ("--y", place.y.saturating_add(1)),
                ("--w", place.w),
                ("--h", place.h),
            ] {
                let _set = style.set_property(name, &value.to_string());
            }
        });
    }
    let choose = {
        let (select, id) = (select.clone(), *id);
        Callback::from(move |()| select.emit(id))
    };
    // Not every browser focuses a button that is pressed. Who presses it by a key goes on at the toolbar,
    // which other widgets may stand before.
    let onclick = {
        let (choose, to_tools) = (choose.clone(), props.to_tools.clone());
        Callback::from(move |event: MouseEvent| {
            choose.emit(());
            if event.detail() == 0 {
                to_tools.emit(());
            }
        })
    };
    let onfocus = choose.reform(|_: FocusEvent| ());
    html! {
        <li ref={element} class={classes!("widget", props.is_selected.then_some("is-selected"))}
            data-widget={id.to_string()} data-narrow={(place.w <= 3).to_string()}>
            { props.children.clone() }
            if let Some(moving) = moving {
                // Above the widget, so that nothing in it is pressed by mistake.
                <button type="button" class="widget-cover" {onfocus} {onclick}
                    aria-label={fill(words.select, &[&props.name])}
                    onpointerdown={moving.begin(*id, *place, false)}
                    onpointermove={moving.go_on()}
                    onpointerup={moving.end(true)}
                    onpointercancel={moving.end(false)}
                ></button>
                <span class="widget-corner" aria-hidden="true"
                    onpointerdown={moving.begin(*id, *place, true)}
                    onpointermove={moving.go_on()}
                    onpointerup={moving.end(true)}
                    onpointercancel={moving.end(false)}
                ></span>
            }
        </li>
    }
}
