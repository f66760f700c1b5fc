//! What a person does to a board, and undoing it.

use std::collections::VecDeque;
use std::rc::Rc;

use super::layout::{self, First};
use super::{Board, COLUMNS, Id, Place, Widget};
use crate::limits::{UNDO_MAX, WIDGETS_MAX};

/// One thing that is done to a board.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Put a widget where there is room; its number and place are chosen for it.
    Add(Widget),
    /// Make a widget say something else; it stays where it is.
    Change(Widget),
    /// Take a widget away.
    Remove(Id),
    /// Put another one beside it that is the same.
    Duplicate(Id),
    /// Put a widget at a place.
    Place(Id, Place),
    /// Move a widget by one step.
    Move(Id, Direction),
    /// Make a widget wider and higher by so many cells, or smaller where negative.
    Grow(Id, i16, i16),
    /// Put these widgets below the ones that are there.
    Append(Board),
    /// Have these widgets and no others.
    Replace(Board),
}

/// Where a widget is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// One column.
    Left,
    /// One column.
    Right,
    /// Above the one that is above it.
    Up,
    /// Below the one that is below it.
    Down,
}

/// Why nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There are as many widgets as there may be.
    Full,
    /// There is no such widget.
    NotThere,
}

/// A board, and all that was done to it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Editor {
    now: Rc<Board>,
    past: VecDeque<Rc<Board>>,
    future: Vec<Rc<Board>>,
}

impl Editor {
    /// An editor of a board to which nothing was done.
    pub fn new(mut board: Board) -> Self {
        number(&mut board.widgets, 1);
        layout::settle(&mut board.widgets, First::Nobody);
        Self { now: Rc::new(board), ..Self::default() }
    }

    /// The board as it is.
    pub fn board(&self) -> &Rc<Board> {
        &self.now
    }

    /// Whether something can be undone.
    pub fn can_undo(&self) -> bool {
        !self.past.is_empty()
    }

    /// Whether something that was undone can be done again.
    pub fn can_redo(&self) -> bool {
        !self.future.is_empty()
    }

    /// Does something. What changes nothing is not remembered. Says which widget it was done to.
    ///
    /// # Errors
    /// It can't be done; then nothing is.
    pub fn apply(&mut self, edit: Edit) -> Result<Option<Id>, Refused> {
        let (next, id) = apply(&self.now, edit)?;
        if next != *self.now {
            if self.past.len() >= UNDO_MAX {
                self.past.pop_front();
            }
            self.past.push_back(std::mem::replace(&mut self.now, Rc::new(next)));
            self.future.clear();
        }
        Ok(id)
    }

    /// Undoes the last thing; says whether there was one.
    pub fn undo(&mut self) -> bool {
        let Some(before) = self.past.pop_back() else { return false };
        self.future.push(std::mem::replace(&mut self.now, before));
        true
    }

    /// Does again what was undone last; says whether there was something.
    pub fn redo(&mut self) -> bool {
        let Some(after) = self.future.pop() else { return false };
        self.past.push_back(std::mem::replace(&mut self.now, after));
        true
    }
}

fn apply(board: &Board, edit: Edit) -> Result<(Board, Option<Id>), Refused> {
    let mut widgets = board.widgets.clone();
    let room = WIDGETS_MAX.saturating_sub(widgets.len());
    let mut first = First::Nobody;
    let id = match edit {
        Edit::Add(widget) => Some(add(board, &mut widgets, widget)?),
        Edit::Duplicate(id) => {
            let widget = board.get(id).ok_or(Refused::NotThere)?.clone();
            Some(add(board, &mut widgets, widget)?)
        }
        Edit::Change(changed) => {
            let (widget, id) = (find(&mut widgets, changed.id)?, changed.id);
            *widget = Widget { place: widget.place, ..changed };
            Some(id)
        }
        Edit::Remove(id) => {
            find(&mut widgets, id)?;
            widgets.retain(|widget| widget.id != id);
            None
        }
        Edit::Place(id, place) => {
            let widget = find(&mut widgets, id)?;
            let is_down = place.y > widget.place.y;
            first = if is_down { First::Others(id) } else { First::Moved(id) };
            widget.place = place;
            Some(id)
        }
        Edit::Move(id, direction) => {
            first = step(board, &mut widgets, id, direction)?;
            Some(id)
        }
        Edit::Grow(id, columns, rows) => {
            let place = &mut find(&mut widgets, id)?.place;
            let right = place.x.saturating_add(place.w);
            place.w = place.w.saturating_add_signed(columns).clamp(1, COLUMNS);
            place.h = place.h.saturating_add_signed(rows).max(1);
            // At the right edge it grows to the left.
            place.x = place.x.min(COLUMNS.saturating_sub(place.w));
            if columns < 0 && right == COLUMNS {
                place.x = COLUMNS.saturating_sub(place.w);
            }
            first = First::Moved(id);
            Some(id)
        }
        Edit::Append(mut other) => {
            if other.widgets.len() > room {
                return Err(Refused::Full);
            }
            let below = widgets.iter().map(|w| w.place.y.saturating_add(w.place.h)).max();
            for widget in &mut other.widgets {
                widget.place.y = widget.place.y.saturating_add(below.unwrap_or(0));
            }
            number(&mut other.widgets, board.next_id());
            widgets.append(&mut other.widgets);
            None
        }
        Edit::Replace(other) => {
            if other.widgets.len() > WIDGETS_MAX {
                return Err(Refused::Full);
            }
            widgets = other.widgets;
            number(&mut widgets, 1);
            None
        }
    };
    layout::settle(&mut widgets, first);
    Ok((Board { widgets }, id))
}

fn find(widgets: &mut [Widget], id: Id) -> Result<&mut Widget, Refused> {
    widgets.iter_mut().find(|widget| widget.id == id).ok_or(Refused::NotThere)
}

fn add(board: &Board, widgets: &mut Vec<Widget>, widget: Widget) -> Result<Id, Refused> {
    if widgets.len() >= WIDGETS_MAX {
        return Err(Refused::Full);
    }
    let Place { w, h, .. } = widget.place;
    let size = if w == 0 || h == 0 { widget.kind.size() } else { (w, h) };
    let (id, place) = (board.next_id(), layout::free_place(widgets, size));
    widgets.push(Widget { id, place, ..widget });
    Ok(id)
}

/// One step: over the nearest widget above or below, or one column to the side.
fn step(
    board: &Board,
    widgets: &mut [Widget],
    id: Id,
    direction: Direction,
) -> Result<First, Refused> {
    let place = &mut find(widgets, id)?.place;
    let here = *place;
    let sharing = || {
        let others = board.widgets.iter().filter(|widget| widget.id != id);
        others.map(|widget| widget.place).filter(|other| layout::share_column(other, &here))
    };
    match direction {
        Direction::Left => place.x = place.x.saturating_sub(1),
        Direction::Right => place.x = place.x.saturating_add(1),
        Direction::Up => {
            let above = sharing().filter(|other| other.y < here.y).map(|other| other.y).max();
            place.y = above.unwrap_or(0);
        }
        Direction::Down => {
            let below = sharing().filter(|other| other.y > here.y).map(|other| other.y).min();
            place.y = below.unwrap_or(here.y);
            return Ok(First::Others(id));
        }
    }
    Ok(First::Moved(id))
}

/// Numbers widgets that have none yet, or those of somebody else.
fn number(widgets: &mut [Widget], from: Id) {
    for (widget, id) in widgets.iter_mut().zip(from..) {
        widget.id = id;
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::limits::WIDGET_ROWS_MAX;
    use crate::widgets::Kind;

    fn widget(title: &str, kind: Kind) -> Widget {
        Widget { title: title.into(), kind, ..Widget::default() }
    }

    fn three() -> Editor {
        let mut editor = Editor::default();
        for (title, kind) in [("a", Kind::Value), ("b", Kind::Value), ("c", Kind::Line)] {
            editor.apply(Edit::Add(widget(title, kind))).unwrap();
        }
        editor
    }

    fn places(editor: &Editor) -> Vec<(String, u16, u16)> {
        let place = |w: &&Widget| (w.title.clone(), w.place.x, w.place.y);
        editor.board().in_order().iter().map(place).collect()
    }

    #[test]
    fn widgets_are_put_where_there_is_room() {
        let at = |title: &str, x, y| (title.to_owned(), x, y);
        assert_eq!(places(&three()), [at("a", 0, 0), at("b", 3, 0), at("c", 6, 0)]);
    }

    #[test]
    fn steps_go_over_neighbors_and_sides() {
        let mut editor = three();
        let at = |title: &str, x, y| (title.to_owned(), x, y);
        editor.apply(Edit::Move(1, Direction::Right)).unwrap();
        assert_eq!(places(&editor), [at("a", 1, 0), at("c", 6, 0), at("b", 3, 2)]);
        editor.apply(Edit::Move(1, Direction::Down)).unwrap();
        assert_eq!(places(&editor), [at("b", 3, 0), at("c", 6, 0), at("a", 1, 2)]);
        editor.apply(Edit::Move(1, Direction::Up)).unwrap();
        assert_eq!(places(&editor), [at("a", 1, 0), at("c", 6, 0), at("b", 3, 2)]);
        editor.apply(Edit::Move(3, Direction::Right)).unwrap();
        assert!(editor.undo());
        assert!(editor.can_redo(), "at the edge there was nothing to remember: {editor:?}");
        editor.apply(Edit::Grow(3, 3, 1)).unwrap();
        let place = editor.board().get(3).unwrap().place;
        assert_eq!((place.x, place.w, place.h), (3, 9, 5));
        assert_eq!(editor.apply(Edit::Remove(99)), Err(Refused::NotThere));
    }

    /// A board must be so whatever was done to it.
    fn check(board: &Board, seed: u64) {
        let places: Vec<Place> = board.widgets.iter().map(|widget| widget.place).collect();
        for (index, place) in places.iter().enumerate() {
            assert!(place.w >= 1 && place.x + place.w <= COLUMNS, "seed {seed}: {place:?}");
            assert!((1..=WIDGET_ROWS_MAX).contains(&place.h), "seed {seed}: {place:?}");
            for other in &places[..index] {
                assert!(!layout::touch(place, other), "seed {seed}: {place:?} {other:?}");
            }
        }
        let mut again = board.widgets.clone();
        layout::settle(&mut again, First::Nobody);
        let mut same = again.clone();
        layout::settle(&mut same, First::Nobody);
        assert_eq!(again, same, "seed {seed}");
        for widget in &again {
            assert_eq!(board.get(widget.id), Some(widget), "seed {seed}: settled already");
        }
        let mut ids: Vec<Id> = board.widgets.iter().map(|widget| widget.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), board.widgets.len(), "seed {seed}");
        assert!(board.widgets.len() <= WIDGETS_MAX);
    }

    #[test]
    fn whatever_is_done_can_be_undone_and_done_again() {
        for seed in 0..150u64 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut next = |below: u64| random.u64(..below);
            let mut editor = three();
            while editor.undo() {}
            let start = Rc::clone(editor.board());
            // What the board was after each thing that was done.
            let mut states = vec![Rc::clone(editor.board())];
            let mut editor = Editor { now: start, ..Editor::default() };
            for _ in 0..UNDO_MAX - 1 {
                let id = next(12) as Id;
                let kind = Kind::ALL[next(15) as usize];
                let direction = [Direction::Left, Direction::Right, Direction::Up, Direction::Down]
                    [next(4) as usize];
                let place = Place {
                    x: next(14) as u16,
                    y: next(30) as u16,
                    w: next(14) as u16,
                    h: next(9) as u16,
                };
                let edit = match next(9) {
                    0 | 1 => Edit::Add(widget("new", kind)),
                    2 => Edit::Change(Widget { id, ..widget("changed", kind) }),
                    3 => Edit::Remove(id),
                    4 => Edit::Duplicate(id),
                    5 => Edit::Place(id, place),
                    6 => Edit::Move(id, direction),
                    7 => Edit::Grow(id, next(9) as i16 - 4, next(9) as i16 - 4),
                    _ => {
                        Edit::Append(Board { widgets: vec![Widget { place, ..widget("x", kind) }] })
                    }
                };
                let before = editor.clone();
                if editor.apply(edit).is_err() {
                    assert_eq!(editor, before, "seed {seed}: what is refused changes nothing");
                }
                check(editor.board(), seed);
                if editor.board() != states.last().unwrap() {
                    states.push(Rc::clone(editor.board()));
                }
            }
            for state in states.iter().rev().skip(1) {
                assert!(editor.undo(), "seed {seed}");
                assert_eq!(editor.board(), state, "seed {seed}");
            }
            assert!(!editor.undo());
            for state in states.iter().skip(1) {
                assert!(editor.redo(), "seed {seed}");
                assert_eq!(editor.board(), state, "seed {seed}");
            }
            assert!(!editor.redo());
        }
    }

    #[test]
    fn what_is_done_after_undoing_forgets_what_was_undone() {
        let mut editor = three();
        assert!(editor.undo() && editor.can_redo());
        editor.apply(Edit::Remove(1)).unwrap();
        assert!(!editor.can_redo() && editor.can_undo());
    }

    #[test]
    fn there_is_a_limit_to_widgets_and_to_what_is_remembered() {
        let mut editor = Editor::default();
        for _ in 0..WIDGETS_MAX {
            editor.apply(Edit::Add(widget("x", Kind::Lamp))).unwrap();
        }
        assert_eq!(editor.apply(Edit::Add(widget("x", Kind::Lamp))), Err(Refused::Full));
        assert_eq!(editor.apply(Edit::Duplicate(1)), Err(Refused::Full));
        assert_eq!(editor.past.len(), UNDO_MAX.min(WIDGETS_MAX));
    }
}
