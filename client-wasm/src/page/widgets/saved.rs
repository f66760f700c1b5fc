//! The board of widgets as this browser keeps it.

use gloo_events::EventListener;
use wasm_bindgen::JsCast;
use web_sys::StorageEvent;

use super::super::field::Field;
use super::super::kept;
use super::super::rooms::WIDGETS;
use crate::widgets::edit::{Edit, Editor, Refused};
use crate::widgets::file::{self, Wrong};
use crate::widgets::{Board, Id};

/// Where a board that can't be read goes, so that the next change does not take its place.
const UNREAD: &str = "board-unread";

thread_local! {
    static HERE: (Saved, Option<EventListener>) = {
        let saved = Saved::load();
        let listener = saved.follow();
        (saved, listener)
    };
}

/// The board, whether it could be read and whether it could be kept. Clones are handles to the same one.
#[derive(Clone, PartialEq)]
pub(super) struct Saved {
    editor: Field<Editor>,
    is_unsaved: Field<bool>,
    wrong: Field<Option<Wrong>>,
}

impl Saved {
    /// The board of this browser.
    pub(super) fn here() -> Self {
        HERE.with(|(saved, _)| saved.clone())
    }

    fn load() -> Self {
        let (board, wrong) = match read() {
            Ok(board) => (board, None),
            Err((text, wrong)) => {
                kept::write(UNREAD, &text);
                (Board::default(), Some(wrong))
            }
        };
        Self {
            editor: Field::new(Editor::new(board)),
            is_unsaved: Field::new(false),
            wrong: Field::new(wrong),
        }
    }

    /// Takes over what the same page in another tab does to the board, so that neither undoes the other.
    fn follow(&self) -> Option<EventListener> {
        let editor = self.editor.clone();
        let window = web_sys::window()?;
        Some(EventListener::new(&window, "storage", move |event| {
            let key = event.dyn_ref::<StorageEvent>().and_then(StorageEvent::key);
            if key.as_deref() == Some(WIDGETS)
                && let Ok(board) = read()
            {
                editor.set(Editor::new(board));
            }
        }))
    }

    /// The board with all that was done to it.
    pub(super) fn editor(&self) -> &Field<Editor> {
        &self.editor
    }

    /// Whether the browser did not take the last change.
    pub(super) fn is_unsaved(&self) -> &Field<bool> {
        &self.is_unsaved
    }

    /// Why the board that was kept could not be read, if it could not.
    pub(super) fn wrong(&self) -> &Field<Option<Wrong>> {
        &self.wrong
    }

    /// The text of a board that could not be read.
    pub(super) fn unread() -> String {
        kept::read(UNREAD).unwrap_or_default()
    }

    /// Does something to the board, and keeps it.
    pub(super) fn apply(&self, edit: Edit) -> Result<Option<Id>, Refused> {
        let mut next = self.editor.get();
        let done = next.apply(edit)?;
        self.set(next);
        Ok(done)
    }

    /// Undoes the last thing.
    pub(super) fn undo(&self) {
        let mut next = self.editor.get();
        next.undo();
        self.set(next);
    }

    /// Does again what was undone.
    pub(super) fn redo(&self) {
        let mut next = self.editor.get();
        next.redo();
        self.set(next);
    }

    fn set(&self, editor: Editor) {
        let is_kept = keep(editor.board());
        self.editor.set(editor);
        self.is_unsaved.set(!is_kept);
    }
}

/// The board as it was kept last, or the text that was there and why it is none.
fn read() -> Result<Board, (String, Wrong)> {
    let Some(text) = kept::read(WIDGETS) else { return Ok(Board::default()) };
    file::read(&text).map_err(|wrong| (text, wrong))
}

/// Whether the browser took it: it may have no room, or keep nothing at all.
fn keep(board: &Board) -> bool {
    if board.widgets.is_empty() {
        kept::forget(WIDGETS);
        return true;
    }
    kept::write(WIDGETS, &file::write(board))
}
