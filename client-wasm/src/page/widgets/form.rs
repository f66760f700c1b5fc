//! The form that says what a widget is.

use std::rc::Rc;

use wasm_bindgen::JsCast;
use web_sys::{HtmlDialogElement, HtmlElement, HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use super::super::field::use_field;
use super::super::link::{Link, use_sight};
use super::super::use_widget_texts;
use super::{alarm, fault_words, left};
use crate::limits::{SOURCES_PER_LOOK_MAX, WIDGET_LEVELS_MAX};
use crate::protocol::{Command, Look, Sight};
use crate::texts::{WidgetTexts, fill};
use crate::widgets::file::{self, Fault};
use crate::widgets::{Kind, Level, Shown, Tone, Widget};

/// The name of the list of topics that are offered while one is written.
const TOPICS_LIST: &str = "form-topics";

/// The first field, by its role.
const FIRST_FIELD: &str = "kind";

/// What the dialog is closed with by who wants nothing of what was written.
const GIVEN_UP: &str = "given-up";

/// A field for a path, which offers those of the topic's last message: the numbers where just a number can
/// be shown, else every value.
#[derive(PartialEq, Properties)]
struct PathFieldProps {
    link: Link,
    index: usize,
    topic: String,
    path: String,
    is_number: bool,
    on_path: Callback<String>,
}

#[component]
fn PathField(props: &PathFieldProps) -> Html {
    let PathFieldProps { link, index, topic, path, is_number, on_path } = props;
    let words = use_widget_texts();
    let sight = use_sight(link, Look::Paths(topic.trim().to_owned()));
    let paths: &[(String, bool)] = match sight.as_deref() {
        Some(Sight::Paths(paths)) => paths,
        _ => &[],
    };
    let offered = paths.iter().filter(|(_, is_of_number)| *is_of_number || !is_number);
    let list = format!("form-paths-{index}");
    let on_path = on_path.clone();
    let oninput = Callback::from(move |event: InputEvent| {
        if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
            on_path.emit(input.value());
        }
    });
    html! {
        <label class="form-field">
            <span>{ words.path }</span>
            <input class="input" data-role="value-path" value={path.clone()} list={list.clone()}
                autocomplete="off" spellcheck="false" {oninput} />
            <datalist id={list}>
                { for offered.map(|(path, _)| html! { <option value={path.clone()} /> }) }
            </datalist>
        </label>
    }
}

#[derive(PartialEq, Properties)]
pub(super) struct FormProps {
    pub(super) link: Link,
    /// What it is now; one without a number is new.
    pub(super) widget: Widget,
    /// What it shall be; nothing where the person left it.
    pub(super) on_done: Callback<Option<Widget>>,
}

/// Changes the widget that is being made.
type Change = Rc<dyn Fn(&dyn Fn(&mut Widget))>;

#[component]
pub(super) fn Form(props: &FormProps) -> Html {
    let words = use_widget_texts();
    let found_again = use_state(|| left::of(&props.widget));
    let draft = use_state(|| (*found_again).clone().unwrap_or_else(|| begun(&props.widget)));
    let fault = use_state(|| None::<Fault>);
    let dialog = use_node_ref();
    let found = use_field(props.link.found());
    {
        let dialog = dialog.clone();
        use_effect_with((), move |()| {
            if let Some(dialog) = dialog.cast::<HtmlDialogElement>() {
                // One that is not modal is still there.
                let _shown = dialog.show_modal();
            }
        });
    }
    let change: Change = {
        let (draft, widget) = (draft.clone(), props.widget.clone());
        Rc::new(move |change: &dyn Fn(&mut Widget)| {
            let mut next = (*draft).clone();
            change(&mut next);
            left::keep(&widget, (next != begun(&widget)).then_some(&next));
            draft.set(next);
        })
    };
    let find = {
        let link = props.link.clone();
        Callback::from(move |text: String| link.send(Command::Find(text)))
    };
    // The browser gives the focus back to where it was when a sheet closes, which comes before it goes.
    let close = {
        let dialog = dialog.clone();
        move || {
            if let Some(dialog) = dialog.cast::<HtmlDialogElement>() {
                dialog.close();
            }
        }
    };
    let cancel = {
        let dialog = dialog.clone();
        Callback::from(move |_: MouseEvent| {
            if let Some(dialog) = dialog.cast::<HtmlDialogElement>() {
                dialog.close_with_return_value(GIVEN_UP);
            }
        })
    };
    // A field for a number tells it when it is left.
    let oncancel = Callback::from(|_: Event| {
        let active = web_sys::window().and_then(|window| window.document()?.active_element());
        if let Some(field) = active.and_then(|active| active.dyn_into::<HtmlElement>().ok()) {
            // What has the focus can lose it.
            let _left = field.blur();
        }
    });
    // Whatever else closes it, such as Escape, leaves what was written for the next time.
    let onclose = {
        let (dialog, widget, on_done) =
            (dialog.clone(), props.widget.clone(), props.on_done.clone());
        Callback::from(move |_: Event| {
            let dialog = dialog.cast::<HtmlDialogElement>();
            if dialog.is_some_and(|dialog| dialog.return_value() == GIVEN_UP) {
                left::keep(&widget, None);
            }
            on_done.emit(None);
        })
    };
    let begin_anew = {
        let (draft, found_again, fault) = (draft.clone(), found_again.clone(), fault.clone());
        let (dialog, widget) = (dialog.clone(), props.widget.clone());
        Callback::from(move |_: MouseEvent| {
            left::keep(&widget, None);
            draft.set(begun(&widget));
            found_again.set(None);
            fault.set(None);
            // The button that was pressed goes.
            focus_last(&dialog, FIRST_FIELD);
        })
    };
    let onsubmit = {
        let (draft, fault, on_done) = (draft.clone(), fault.clone(), props.on_done.clone());
        let before = props.widget.clone();
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let widget = finished((*draft).clone());
            match file::check(&widget) {
                Ok(()) => {
                    left::keep(&before, None);
                    close();
                    on_done.emit(Some(widget));
                }
                Err(wrong) => fault.set(Some(wrong)),
            }
        })
    };
    let widget = &*draft;
    let kind = widget.kind;
    use_focus_on_change(&dialog, "value-topic", "add-value", (kind, widget.values.len()));
    use_focus_on_change(&dialog, "level-from", "add-level", (kind, widget.levels.len()));
    let heading = if props.widget.id == 0 { words.new_widget } else { words.edit_widget };
    html! {
        <dialog ref={dialog} class="sheet widget-form" aria-labelledby="form-heading" {oncancel} {onclose}>
            <h2 class="panel-heading" id="form-heading">{ heading }</h2>
            <form class="form" {onsubmit} data-role="widget-form" novalidate={true}>
                if found_again.is_some() {
                    <div class="form-row">
                        <p class="page-note" role="status">{ words.form_found }</p>
                        <button type="button" class="small-button" data-role="begin-anew"
                            onclick={begin_anew}>{ words.begin_anew }</button>
                    </div>
                }
                <div class="form-row">
                    { kinds(kind, &change, words) }
                    { field(words.title, "title", &widget.title, Help::Hint(words.title_hint), &change,
                        |widget, text| widget.title = text) }
                </div>
                // In a list of their own, as with their number all of a list would be made anew, and what has the
                // focus with it.
                <div class="form">
                    { for widget.values.iter().enumerate().map(|(index, shown)| {
                        value(&props.link, widget, index, shown, &change, &find, words)
                    }) }
                </div>
                if kind.has_many() && widget.values.len() < SOURCES_PER_LOOK_MAX {
                    { button(words.add_value, "add-value", &change, |widget| {
                        widget.values.push(Shown::default());
                    }) }
                }
                if kind.is_control() {
                    { control(widget, &change, &find, words) }
                }
                <div class="form-row">
                    if kind.has_scale() {
                        { number(words.from, "low", widget.low, &change, |widget, n| widget.low = n) }
                        { number(words.to, "high", widget.high, &change, |widget, n| widget.high = n) }
                    }
                    if kind == Kind::Slider {
                        { number(words.step, "step", widget.control.step, &change,
                            |widget, n| widget.control.step = n) }
                    }
                    if kind == Kind::Line {
                        { number(words.span_min, "span", Some(f64::from(widget.span_s) / 60.0), &change,
                            // A cast from a float keeps to the range of the integer.
                            |widget, n| widget.span_s = (n.unwrap_or(0.0) * 60.0) as u32) }
                    }
                </div>
                if kind.has_levels() {
                    { levels(widget, &change, words) }
                }
                <datalist id={TOPICS_LIST}>
                    { for found.iter().map(|topic| html! { <option value={topic.clone()} /> }) }
                </datalist>
                if let Some(fault) = *fault {
                    <p class="form-note is-bad" role="alert">
                        { fill(words.widget_wrong, &[fault_words(fault, words)]) }
                    </p>
                }
                <div class="form-row form-end">
                    <button type="submit" class="button is-primary" data-role="save-widget">
                        { words.save }
                    </button>
                    <button type="button" class="button" data-role="cancel-widget" onclick={cancel}>
                        { words.cancel }
                    </button>
                </div>
            </form>
        </dialog>
    }
}

/// Puts the focus into the first field of what a person has added, as it stands before the button that did;
/// and onto that button where something was taken away, with the one that had the focus. Another kind of widget
/// may have more or fewer fields, and leaves the focus where the kind was chosen.
#[hook]
fn use_focus_on_change(
    dialog: &NodeRef,
    field: &'static str,
    add: &'static str,
    now: (Kind, usize),
) {
    let before = use_mut_ref(|| now);
    let dialog = dialog.clone();
    use_effect_with(now, move |now| {
        let (kind, count) = before.replace(*now);
        let role = if count < now.1 { field } else { add };
        if kind != now.0 || count == now.1 {
            return;
        }
        focus_last(&dialog, role);
    });
}

/// Puts the focus onto the last element of the form with this role.
fn focus_last(dialog: &NodeRef, role: &str) {
    let place = dialog.cast::<web_sys::Element>();
    let all = place.and_then(|it| it.query_selector_all(&format!("[data-role={role}]")).ok());
    let last = all.and_then(|all| all.item(all.length().saturating_sub(1)));
    if let Some(field) = last.and_then(|node| node.dyn_into::<HtmlElement>().ok()) {
        // A field that is shown takes it.
        let _focused = field.focus();
    }
}

/// A widget with all that the form has fields for.
fn begun(widget: &Widget) -> Widget {
    let mut widget = widget.clone();
    if widget.values.is_empty() {
        widget.values.push(Shown::default());
    }
    if widget.id == 0 && widget.kind == Kind::Line && widget.span_s == 0 {
        widget.span_s = 900;
    }
    widget
}

/// A widget without what its kind has no use for.
fn finished(mut widget: Widget) -> Widget {
    let kind = widget.kind;
    if kind.is_control() {
        // What is so need not be shown.
        widget.values.retain(|shown| !shown.topic.is_empty());
        widget.control.topic = widget.control.topic.trim().to_owned();
    } else {
        widget.control = Default::default();
        let is_first = |index: usize| index == 0;
        let mut index = 0;
        widget.values.retain(|shown| {
            let keep = is_first(index) || !shown.topic.is_empty();
            index += 1;
            keep
        });
    }
    let room = match kind {
        Kind::Position => 2,
        _ if kind.has_many() => SOURCES_PER_LOOK_MAX,
        _ => 1,
    };
    widget.values.truncate(room);
    for shown in &mut widget.values {
        shown.topic = shown.topic.trim().to_owned();
        shown.path = shown.path.trim().to_owned();
    }
    if !kind.has_levels() {
        widget.levels.clear();
    }
    if !kind.has_scale() {
        (widget.low, widget.high) = (None, None);
    }
    if kind != Kind::Line {
        widget.span_s = 0;
    }
    widget
}

fn kind_name(kind: Kind, words: &WidgetTexts) -> &'static str {
    match kind {
        Kind::Value => words.kind_value,
        Kind::Gauge => words.kind_gauge,
        Kind::Line => words.kind_line,
        Kind::Bar => words.kind_bar,
        Kind::Lamp => words.kind_lamp,
        Kind::Table => words.kind_table,
        Kind::Log => words.kind_log,
        Kind::Image => words.kind_image,
        Kind::Position => words.kind_position,
        Kind::Switch => words.kind_switch,
        Kind::Slider => words.kind_slider,
        Kind::Button => words.kind_button,
        Kind::Number => words.kind_number,
        Kind::Text => words.kind_text,
        Kind::Color => words.kind_color,
    }
}

fn kinds(kind: Kind, change: &Change, words: &WidgetTexts) -> Html {
    let change = Rc::clone(change);
    let onchange = Callback::from(move |event: Event| {
        let select = event.target_dyn_into::<HtmlSelectElement>();
        if let Some(kind) = select.and_then(|select| Kind::from_word(&select.value())) {
            change(&|widget| {
                widget.kind = kind;
                if kind == Kind::Position && widget.values.len() < 2 {
                    widget.values.push(Shown::default());
                }
                if kind == Kind::Line && widget.span_s == 0 {
                    widget.span_s = 900;
                }
                // The size of another kind may be too small for this one.
                if widget.id == 0 {
                    widget.place = Default::default();
                }
            });
        }
    });
    html! {
        <label class="form-field">
            <span>{ words.kind }</span>
            <select class="input" data-role={FIRST_FIELD} autofocus=true {onchange}>
                { for Kind::ALL.into_iter().map(|other| html! {
                    <option value={other.word()} selected={other == kind}>
                        { kind_name(other, words) }
                    </option>
                }) }
            </select>
        </label>
    }
}

/// What helps to fill a field in.
enum Help {
    /// An example, or what stands there otherwise.
    Hint(&'static str),
    /// The topics that are there; it is called with what was typed.
    Topics(Callback<String>),
}

fn field(
    label: &'static str,
    role: &'static str,
    value: &str,
    help: Help,
    change: &Change,
    set: impl Fn(&mut Widget, String) + 'static,
) -> Html {
    let (hint, list) = match &help {
        Help::Hint(hint) => (Some(*hint), None),
        Help::Topics(_) => (None, Some(TOPICS_LIST)),
    };
    let change = Rc::clone(change);
    let oninput = Callback::from(move |event: InputEvent| {
        if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
            let text = input.value();
            if let Help::Topics(find) = &help {
                find.emit(text.clone());
            }
            change(&|widget| set(widget, text.clone()));
        }
    });
    html! {
        <label class="form-field">
            <span>{ label }</span>
            <input class="input" data-role={role} value={value.to_owned()} placeholder={hint} {list}
                autocomplete="off" spellcheck="false" {oninput} />
        </label>
    }
}

/// A field for a number, which may be empty.
fn number(
    label: &'static str,
    role: &'static str,
    value: Option<f64>,
    change: &Change,
    set: impl Fn(&mut Widget, Option<f64>) + 'static,
) -> Html {
    let change = Rc::clone(change);
    let onchange = Callback::from(move |event: Event| {
        if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
            let number = crate::number::parse(&input.value()).map(|number| number.value);
            change(&|widget| set(widget, number));
        }
    });
    html! {
        <label class="form-field is-number">
            <span>{ label }</span>
            <input class="input" type="number" step="any" data-role={role}
                value={value.map(|value| value.to_string())} {onchange} />
        </label>
    }
}

fn check(
    label: &'static str,
    role: &'static str,
    is_on: bool,
    change: &Change,
    set: impl Fn(&mut Widget, bool) + 'static,
) -> Html {
    let change = Rc::clone(change);
    let onchange = Callback::from(move |event: Event| {
        if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
            let is_on = input.checked();
            change(&|widget| set(widget, is_on));
        }
    });
    html! {
        <label class="form-check">
            <input type="checkbox" data-role={role} checked={is_on} {onchange} />
            <span>{ label }</span>
        </label>
    }
}

fn button(
    name: &'static str,
    role: &'static str,
    change: &Change,
    set: impl Fn(&mut Widget) + 'static,
) -> Html {
    let change = Rc::clone(change);
    let onclick = Callback::from(move |_: MouseEvent| change(&|widget| set(widget)));
    html! {
        <button type="button" class="small-button" data-role={role} {onclick}>{ name }</button>
    }
}

/// The fields of one value.
fn value(
    link: &Link,
    widget: &Widget,
    index: usize,
    shown: &Shown,
    change: &Change,
    find: &Callback<String>,
    words: &WidgetTexts,
) -> Html {
    fn at(widget: &mut Widget, index: usize, set: impl FnOnce(&mut Shown)) {
        if let Some(shown) = widget.values.get_mut(index) {
            set(shown);
        }
    }
    let legend = match widget.kind.is_control() {
        true => words.state_of.to_owned(),
        false => fill(words.value_of, &[&index.saturating_add(1).to_string()]),
    };
    let on_path = {
        let change = Rc::clone(change);
        Callback::from(move |text: String| {
            change(&|widget| at(widget, index, |shown| shown.path.clone_from(&text)));
        })
    };
    html! {
        <fieldset class="form-group" key={index}>
            <legend>{ legend }</legend>
            <div class="form-row">
                { field(words.topic, "value-topic", &shown.topic, Help::Topics(find.clone()), change,
                    move |widget, text| at(widget, index, |shown| shown.topic = text)) }
                <PathField link={link.clone()} {index} topic={shown.topic.clone()}
                    path={shown.path.clone()} is_number={widget.kind.is_of_numbers()} {on_path} />
            </div>
            if !widget.kind.is_control() && !matches!(widget.kind, Kind::Log | Kind::Image) {
                <div class="form-row">
                    { field(words.name, "value-name", &shown.name, Help::Hint(words.title_hint), change,
                        move |widget, text| at(widget, index, |shown| shown.name = text)) }
                    { field(words.unit, "value-unit", &shown.unit, Help::Hint(""), change,
                        move |widget, text| at(widget, index, |shown| shown.unit = text)) }
                    { number(words.decimals, "value-decimals", shown.decimals.map(f64::from), change,
                        move |widget, n| at(widget, index, |shown| {
                            // A cast from a float keeps to the range of the integer.
                            shown.decimals = n.map(|n| (n as u8).min(12));
                        })) }
                </div>
            }
            <div class="form-row">
                if widget.kind == Kind::Line {
                    { check(words.right_axis, "value-right", shown.right, change,
                        move |widget, is_on| at(widget, index, |shown| shown.right = is_on)) }
                }
                if widget.kind.has_many() && widget.values.len() > 1 {
                    { button(words.remove, "remove-value", change, move |widget| {
                        if index < widget.values.len() {
                            widget.values.remove(index);
                        }
                    }) }
                }
            </div>
        </fieldset>
    }
}

/// The fields of what is published.
fn control(widget: &Widget, change: &Change, find: &Callback<String>, words: &WidgetTexts) -> Html {
    let control = &widget.control;
    let onchange = {
        let change = Rc::clone(change);
        Callback::from(move |event: Event| {
            let select = event.target_dyn_into::<HtmlSelectElement>();
            if let Some(qos) = select.and_then(|select| select.value().parse().ok()) {
                change(&|widget| widget.control.qos = qos);
            }
        })
    };
    html! {
        <fieldset class="form-group">
            <legend>{ words.publish_to }</legend>
            <div class="form-row">
                { field(words.topic, "control-topic", &control.topic, Help::Topics(find.clone()), change,
                    |widget, text| widget.control.topic = text) }
                <label class="form-field is-number">
                    <span>{ "QoS" }</span>
                    <select class="input" data-role="control-qos" {onchange}>
                        { for (0..=2u8).map(|qos| html! {
                            <option value={qos.to_string()} selected={qos == control.qos}>{ qos }</option>
                        }) }
                    </select>
                </label>
                { check(words.retain, "control-retain", control.retain, change,
                    |widget, is_on| widget.control.retain = is_on) }
            </div>
            <div class="form-row">
                if widget.kind == Kind::Switch {
                    { field(words.on, "control-on", &control.on, Help::Hint("ON"), change,
                        |widget, text| widget.control.on = text) }
                    { field(words.off, "control-off", &control.off, Help::Hint("OFF"), change,
                        |widget, text| widget.control.off = text) }
                }
                if widget.kind == Kind::Button {
                    { field(words.payload_of, "control-on", &control.on, Help::Hint(""), change,
                        |widget, text| widget.control.on = text) }
                } else {
                    { field(words.payload, "control-payload", &control.payload, Help::Hint("{value}"), change,
                        |widget, text| widget.control.payload = text) }
                }
            </div>
            if widget.kind != Kind::Button {
                <p class="form-note">{ words.payload_hint }</p>
            }
        </fieldset>
    }
}

fn tone_name(tone: Tone, words: &WidgetTexts) -> &'static str {
    match tone {
        Tone::Plain => words.tone_plain,
        Tone::Good => words.tone_good,
        Tone::Warn => words.tone_warn,
        Tone::Bad => words.tone_bad,
        Tone::Cold => words.tone_cold,
    }
}

/// The fields of the levels.
fn levels(widget: &Widget, change: &Change, words: &WidgetTexts) -> Html {
    fn at(widget: &mut Widget, index: usize, set: impl FnOnce(&mut Level)) {
        if let Some(level) = widget.levels.get_mut(index) {
            set(level);
        }
    }
    let is_told = widget.levels.iter().any(|level| level.notify);
    let tones = |index: usize, tone: Tone| {
        let change = Rc::clone(change);
        let onchange = Callback::from(move |event: Event| {
            let Some(select) = event.target_dyn_into::<HtmlSelectElement>() else { return };
            let chosen = usize::try_from(select.selected_index()).unwrap_or(0);
            if let Some(tone) = Tone::ALL.get(chosen) {
                change(&|widget| at(widget, index, |level| level.tone = *tone));
            }
        });
        html! {
            <label class="form-field is-number">
                <span>{ words.tone }</span>
                <select class="input" data-role="level-tone" {onchange}>
                    { for Tone::ALL.into_iter().map(|other| html! {
                        <option selected={other == tone}>{ tone_name(other, words) }</option>
                    }) }
                </select>
            </label>
        }
    };
    html! {
        <fieldset class="form-group">
            <legend>{ words.levels }</legend>
            { for widget.levels.iter().enumerate().map(|(index, level)| html! {
                <div class="form-row" key={index}>
                    { number(words.level_from, "level-from", level.from, change,
                        move |widget, n| at(widget, index, |level| level.from = n)) }
                    { tones(index, level.tone) }
                    { check(words.notify, "level-notify", level.notify, change,
                        move |widget, is_on| {
                            if is_on {
                                alarm::ask();
                            }
                            at(widget, index, |level| level.notify = is_on);
                        }) }
                    { button(words.remove, "remove-level", change, move |widget| {
                        if index < widget.levels.len() {
                            widget.levels.remove(index);
                        }
                    }) }
                </div>
            }) }
            if is_told && alarm::is_denied() {
                <p class="form-note is-bad" role="status">{ words.notify_denied }</p>
            }
            if widget.levels.len() < WIDGET_LEVELS_MAX {
                { button(words.add_level, "add-level", change, |widget| {
                    widget.levels.push(Level::default());
                }) }
            }
        </fieldset>
    }
}
