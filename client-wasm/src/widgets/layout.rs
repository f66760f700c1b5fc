//! How widgets lie on the grid: none over another, each as far up as the ones above it let it.

use super::{COLUMNS, Id, Place, Widget};
use crate::limits::{WIDGET_ROW_LAST, WIDGET_ROWS_MAX};

/// A place that is on the grid and has a size.
pub fn within(place: Place) -> Place {
    let w = place.w.clamp(1, COLUMNS);
    Place {
        w,
        h: place.h.clamp(1, WIDGET_ROWS_MAX),
        x: place.x.min(COLUMNS.saturating_sub(w)),
        y: place.y.min(WIDGET_ROW_LAST),
    }
}

/// Who comes first where two widgets want the same row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// The widget that was moved, as it came from below.
    Moved(Id),
    /// All others, as it came from above.
    Others(Id),
    /// Nobody in particular.
    Nobody,
}

/// Moves every widget as far up as it goes without touching another, in the order of their rows.
///
/// What lies side by side stays so, and doing it again changes nothing.
pub fn settle(widgets: &mut [Widget], first: First) {
    for widget in widgets.iter_mut() {
        widget.place = within(widget.place);
    }
    widgets.sort_by_key(|widget| {
        let turn = match first {
            First::Moved(id) if id == widget.id => 0,
            First::Others(id) if id == widget.id => 2,
            _ => 1u8,
        };
        (widget.place.y, turn, widget.place.x, widget.id)
    });
    // The first free row of each column.
    let mut free = [0u16; COLUMNS as usize];
    for widget in widgets {
        widget.place.y = top(&free, widget.place.x, widget.place.w);
        take(&mut free, widget.place);
    }
}

/// Lays further widgets out beside and below the ones that are there, so that they are read in the order in
/// which they are given; their sizes are known.
pub fn lay_out(widgets: &mut Vec<Widget>, further: Vec<Widget>) {
    settle(widgets, First::Nobody);
    let mut free = [0u16; COLUMNS as usize];
    for widget in widgets.iter() {
        take(&mut free, widget.place);
    }
    // Where the one before begins, row before column.
    let mut before = None;
    for mut widget in further {
        let Place { w, h, .. } = within(widget.place);
        let places =
            (0..=COLUMNS.saturating_sub(w)).map(|x| Place { x, y: top(&free, x, w), w, h });
        let next = places.filter(|place| before < Some((place.y, place.x)));
        // Below the one before there is always one.
        let place = next.min_by_key(|place| (place.y, place.x)).unwrap_or(widget.place);
        before = Some((place.y, place.x));
        take(&mut free, place);
        widget.place = place;
        widgets.push(widget);
    }
}

/// The first row that is free in all of these columns; `free` is that of each column.
fn top(free: &[u16], x: u16, w: u16) -> u16 {
    let columns = free.iter().skip(x.into()).take(w.into());
    columns.copied().max().unwrap_or(0)
}

fn take(free: &mut [u16], place: Place) {
    let columns = free.iter_mut().skip(place.x.into()).take(place.w.into());
    columns.for_each(|row| *row = place.y.saturating_add(place.h));
}

/// A free place for something of this size: the first one from the top.
pub fn free_place(widgets: &[Widget], (w, h): (u16, u16)) -> Place {
    let below = widgets.iter().map(|widget| widget.place.y.saturating_add(widget.place.h)).max();
    let below = below.unwrap_or(0);
    let w = w.clamp(1, COLUMNS);
    for y in 0..below {
        for x in 0..=COLUMNS.saturating_sub(w) {
            let place = Place { x, y, w, h };
            if !widgets.iter().any(|widget| touch(&widget.place, &place)) {
                return place;
            }
        }
    }
    Place { x: 0, y: below, w, h }
}

/// Whether two places have a cell in common.
pub fn touch(a: &Place, b: &Place) -> bool {
    a.x < b.x.saturating_add(b.w)
        && b.x < a.x.saturating_add(a.w)
        && a.y < b.y.saturating_add(b.h)
        && b.y < a.y.saturating_add(a.h)
}

/// Whether two places share a column.
pub fn share_column(a: &Place, b: &Place) -> bool {
    a.x < b.x.saturating_add(b.w) && b.x < a.x.saturating_add(a.w)
}
