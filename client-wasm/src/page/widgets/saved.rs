//! The board of widgets as this browser keeps it.

use gloo_events::EventListener;
use wasm_bindgen::JsCast;
use web_sys::{Storage, StorageEvent};

use super::super::field::Field;
use super::super::rooms::WIDGETS;
use crate::widgets::edit::{Edit, Editor, Refused};
use crate::widgets::{Board, Id, file};

thread_local! {
    static HERE: (Saved, Option<EventListener>) = {
        let saved = Saved::load();
        let listener = saved.follow();
        (saved, listener)
    };
}

/// The board, and whether it could be kept. Clones are handles to the same one.
#[derive(Clone, PartialEq)]
pub(super) struct Saved {
    editor: Field<Editor>,
    is_unsaved: Field<bool>,
}

impl Saved {
    /// The board of this browser.
    pub(super) fn here() -> Self {
        HERE.with(|(saved, _)| saved.clone())
    }

    fn load() -> Self {
        Self { editor: Field::new(Editor::new(kept())), is_unsaved: Field::new(false) }
    }

    /// Takes over what the same page in another tab does to the board, so that neither undoes the other.
    fn follow(&self) -> Option<EventListener> {
        let editor = self.editor.clone();
        let window = web_sys::window()?;
        Some(EventListener::new(&window, "storage", move |event| {
            let key = event.dyn_ref::<StorageEvent>().and_then(StorageEvent::key);
            if key.as_deref() == Some(WIDGETS) {
                editor.set(Editor::new(kept()));
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

/// The board as it was kept last. What this page wrote it can read; what somebody else put there is
/// replaced with the first change.
fn kept() -> Board {
    let kept = storage().and_then(|storage| storage.get_item(WIDGETS).ok().flatten());
    kept.and_then(|text| file::read(&text).ok()).unwrap_or_default()
}

fn storage() -> Option<Storage> {
    web_sys::window()?.local_storage().ok().flatten()
}

/// Whether the browser took it: it may have no room, or keep nothing at all.
fn keep(board: &Board) -> bool {
    let Some(storage) = storage() else { return false };
    match board.widgets.is_empty() {
        true => storage.remove_item(WIDGETS).is_ok(),
        false => storage.set_item(WIDGETS, &file::write(board)).is_ok(),
    }
}
