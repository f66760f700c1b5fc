//! Forms of widgets that were left before they were done: what was written there waits in this tab, as long
//! as the widget is as it was.

use super::super::kept;
use crate::limits::FORMS_LEFT_MAX;
use crate::widgets::{Id, Widget};

/// What the tab calls them.
const KEY: &str = "widget-forms";

/// The number of a widget, the widget as it was, and what was written in its form.
type Left = (Id, Widget, Widget);

/// What was written in the form of a widget that was left.
pub(super) fn of(widget: &Widget) -> Option<Widget> {
    let (id, _, written) = all().into_iter().find(|left| is_of(left, widget))?;
    Some(Widget { id, place: widget.place, ..written })
}

/// Keeps what is written in the form of a widget, or forgets what was.
pub(super) fn keep(widget: &Widget, written: Option<&Widget>) {
    let mut all = all();
    all.retain(|left| !is_of(left, widget));
    all.extend(written.map(|written| (widget.id, widget.clone(), written.clone())));
    let too_many = all.len().saturating_sub(FORMS_LEFT_MAX);
    all.drain(..too_many);
    if all.is_empty() {
        return kept::forget_here(KEY);
    }
    // What consists of texts and numbers has a form in JSON.
    kept::write_here(KEY, &serde_json::to_string(&all).unwrap_or_default());
}

/// All of them, the one that was written in last at the end; none of another version of the page.
fn all() -> Vec<Left> {
    kept::read_here(KEY).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Whether this was the form of this widget, wherever that lies by now.
fn is_of((id, was, _): &Left, widget: &Widget) -> bool {
    *id == widget.id && Widget { id: *id, place: widget.place, ..was.clone() } == *widget
}
