//! A board as a file and as part of a link: JSON with a version. What comes from outside is checked whole
//! before anything of it is used.
//!
//! There is no place for a password in it: a board knows topics, never a broker.

use serde::{Deserialize, Serialize};

use super::layout;
use super::{Board, Kind, Widget};
use crate::limits::{
    BOARD_FILE_MAX, BOARD_LINK_MAX, SOURCES_PER_LOOK_MAX, WIDGET_LEVELS_MAX, WIDGET_TEXT_CHARS_MAX,
    WIDGETS_MAX,
};
use crate::unreadable::Unreadable;

/// What the file says it is.
const FORMAT: &str = "mqtt-board";

/// The version that is written.
const VERSION: u32 = 1;

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    version: u32,
    widgets: Vec<Widget>,
}

/// Enough of any version of the file to know that it is one.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

/// Why a file is no board that can be used.
#[derive(Debug, Clone, PartialEq)]
pub enum Wrong {
    /// It is larger than this many bytes.
    TooLarge(usize),
    /// It can't be read from here on.
    Unreadable {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        what: Unreadable,
    },
    /// It is JSON, but no board.
    NoBoard,
    /// It was written by a later version of this page.
    Version(u32),
    /// There are more widgets than this.
    TooMany(usize),
    /// A widget can't be as it says.
    Widget {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        fault: Fault,
    },
    /// A link is cut off, or was changed.
    Link,
}

/// What is wrong with a widget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It shows nothing, and publishes nothing.
    NoTopic,
    /// A topic can't be one.
    Topic,
    /// It shows more values than it may.
    Values,
    /// It has more levels than it may.
    Levels,
    /// The lower end of its scale is not below the upper.
    Scale,
    /// Its QoS is none.
    Qos,
    /// Some text is too long.
    Text,
}

/// The file of a board.
pub fn write(board: &Board) -> String {
    let mut text = serde_json::to_string_pretty(&file(board)).unwrap_or_default();
    text.push('\n');
    text
}

fn file(board: &Board) -> File {
    let widgets = board.in_order().into_iter().cloned().collect();
    File { format: FORMAT.to_owned(), version: VERSION, widgets }
}

/// Reads the file of a board.
///
/// # Errors
/// It is none; with the place and the reason.
pub fn read(text: &str) -> Result<Board, Wrong> {
    if text.len() > BOARD_FILE_MAX {
        return Err(Wrong::TooLarge(BOARD_FILE_MAX));
    }
    let text = text.trim_start_matches('\u{feff}');
    // Whether it is JSON at all comes first, so that the place of a mistake is the right one.
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|error| unreadable(&error))?;
    let head = Head::deserialize(&value).map_err(|_| Wrong::NoBoard)?;
    if head.format != FORMAT {
        return Err(Wrong::NoBoard);
    }
    if head.version != VERSION {
        return Err(Wrong::Version(head.version));
    }
    let File { widgets, .. } = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
    if widgets.len() > WIDGETS_MAX {
        return Err(Wrong::TooMany(WIDGETS_MAX));
    }
    for (index, widget) in widgets.iter().enumerate() {
        if let Err(fault) = check(widget) {
            return Err(Wrong::Widget { number: index.saturating_add(1), fault });
        }
    }
    let (mut placed, mut further) = (Vec::new(), Vec::new());
    for ((index, mut widget), id) in widgets.into_iter().enumerate().zip(1..) {
        widget.id = id;
        let (w, h) = widget.kind.size();
        let place = &mut widget.place;
        place.w = if place.w == 0 { w } else { place.w };
        place.h = if place.h == 0 { h } else { place.h };
        let says = |axis: &str| value.pointer(&format!("/widgets/{index}/place/{axis}")).is_some();
        let says_where = says("x") || says("y");
        if says_where { &mut placed } else { &mut further }.push(widget);
    }
    layout::lay_out(&mut placed, further);
    Ok(Board { widgets: placed })
}

fn unreadable(error: &serde_json::Error) -> Wrong {
    let (line, column) = Unreadable::place(error);
    Wrong::Unreadable { line, column, what: Unreadable::of(error) }
}

/// Whether a widget can be as it is.
///
/// # Errors
/// It can't; with what is wrong.
pub fn check(widget: &Widget) -> Result<(), Fault> {
    let control = &widget.control;
    let is_long = |text: &String| text.chars().count() > WIDGET_TEXT_CHARS_MAX;
    let texts = [&widget.title, &control.payload, &control.on, &control.off];
    let named = widget.values.iter().flat_map(|v| [&v.path, &v.name, &v.unit]);
    if texts.into_iter().chain(named).any(is_long) {
        return Err(Fault::Text);
    }
    if widget.values.len() > SOURCES_PER_LOOK_MAX {
        return Err(Fault::Values);
    }
    if widget.levels.len() > WIDGET_LEVELS_MAX {
        return Err(Fault::Levels);
    }
    let is_topic = |topic: &str| codec::TopicName::new(topic).is_ok();
    match widget.kind.is_control() {
        true if control.topic.is_empty() => return Err(Fault::NoTopic),
        true if !is_topic(&control.topic) => return Err(Fault::Topic),
        false if widget.values.is_empty() => return Err(Fault::NoTopic),
        _ => {}
    }
    if !widget.values.iter().all(|value| is_topic(&value.topic)) {
        let is_missing = widget.values.iter().any(|value| value.topic.is_empty());
        return Err(if is_missing { Fault::NoTopic } else { Fault::Topic });
    }
    if control.qos > 2 {
        return Err(Fault::Qos);
    }
    match (widget.low, widget.high) {
        (Some(low), Some(high)) if low >= high => Err(Fault::Scale),
        _ if widget.kind == Kind::Slider && control.step.is_some_and(|step| step <= 0.0) => {
            Err(Fault::Scale)
        }
        _ => Ok(()),
    }
}

/// A board as letters that an address takes as they are.
///
/// # Errors
/// It is too large for an address.
pub fn to_link(board: &Board) -> Result<String, Wrong> {
    let json = serde_json::to_vec(&file(board)).unwrap_or_default();
    let text = crate::format::base64(&json);
    let link: String = text
        .chars()
        .filter_map(|c| match c {
            '+' => Some('-'),
            '/' => Some('_'),
            '=' => None,
            c => Some(c),
        })
        .collect();
    if link.len() > BOARD_LINK_MAX { Err(Wrong::TooLarge(BOARD_LINK_MAX)) } else { Ok(link) }
}

/// The board of a link.
///
/// # Errors
/// It is none, or was cut off on its way.
pub fn from_link(link: &str) -> Result<Board, Wrong> {
    if link.len() > BOARD_LINK_MAX {
        return Err(Wrong::TooLarge(BOARD_LINK_MAX));
    }
    let mut text: String = link
        .chars()
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            c => c,
        })
        .collect();
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    let json = crate::format::from_base64(&text).ok_or(Wrong::Link)?;
    let json = String::from_utf8(json).map_err(|_| Wrong::Link)?;
    match read(&json) {
        // Nobody reads a link by line and column.
        Err(Wrong::Unreadable { .. } | Wrong::NoBoard) => Err(Wrong::Link),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::widgets::{Control, Level, Place, Shown, Tone};

    fn value(topic: &str) -> Shown {
        Shown { topic: topic.into(), ..Shown::default() }
    }

    fn board() -> Board {
        let line = Widget {
            id: 1,
            kind: Kind::Line,
            title: "Té «quoted» 🌡".into(),
            place: Place { x: 0, y: 0, w: 6, h: 4 },
            values: vec![
                value("a/b"),
                Shown {
                    path: "t[0].x".into(),
                    unit: "°C".into(),
                    decimals: Some(1),
                    right: true,
                    ..value("c")
                },
            ],
            levels: vec![Level { from: Some(25.5), tone: Tone::Warn, notify: true }],
            span_s: 600,
            ..Widget::default()
        };
        let switch = Widget {
            id: 2,
            kind: Kind::Switch,
            place: Place { x: 6, y: 0, w: 3, h: 2 },
            control: Control {
                topic: "lamp/set".into(),
                qos: 1,
                retain: true,
                payload: r#"{"state":"{value}"}"#.into(),
                on: "ON".into(),
                ..Control::default()
            },
            ..Widget::default()
        };
        Board { widgets: vec![line, switch] }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let board = board();
        assert_eq!(read(&write(&board)), Ok(board.clone()));
        assert_eq!(from_link(&to_link(&board).unwrap()), Ok(board.clone()));
        assert_eq!(read(&format!("\u{feff}{}", write(&board))), Ok(board));
        let link = to_link(&self::board()).unwrap();
        assert!(link.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    }

    #[test]
    fn a_file_by_hand_needs_no_more_than_it_says() {
        let text = r#"{"format":"mqtt-board","version":1,"widgets":[
            {"kind":"gauge","values":[{"topic":"a"}]},{"values":[{"topic":"b"}]}]}"#;
        let board = read(text).unwrap();
        let kinds: Vec<_> = board.widgets.iter().map(|w| (w.kind, w.place.w, w.id)).collect();
        assert_eq!(kinds, [(Kind::Gauge, 3, 1), (Kind::Value, 3, 2)]);
        assert_eq!(board.widgets[1].place, Place { x: 3, y: 0, w: 3, h: 2 });
    }

    #[test]
    fn what_has_no_place_lies_side_by_side_in_its_order() {
        let widget = |kind: &str, place: &str| {
            format!(
                r#"{{"kind":"{kind}","values":[{{"topic":"a"}}],"control":{{"topic":"a"}}{place}}}"#
            )
        };
        let places = |widgets: &[String]| -> Vec<_> {
            let widgets = widgets.join(",");
            let text = format!(r#"{{"format":"mqtt-board","version":1,"widgets":[{widgets}]}}"#);
            let board = read(&text).unwrap();
            let in_order = board.in_order().into_iter().map(|w| (w.id, w.place.x, w.place.y));
            let in_order: Vec<_> = in_order.collect();
            // It is what the board is from then on.
            assert_eq!(read(&write(&board)).unwrap().in_order().len(), in_order.len());
            let mut again = board.widgets.clone();
            layout::settle(&mut again, layout::First::Nobody);
            assert_eq!(again, board.in_order().into_iter().cloned().collect::<Vec<_>>());
            in_order
        };
        let none = |kind| widget(kind, "");
        let five = ["value", "line", "lamp", "value", "switch"].map(none);
        assert_eq!(places(&five), [(1, 0, 0), (2, 3, 0), (3, 9, 0), (4, 0, 2), (5, 9, 2)]);
        // Those that say where they lie come first; a size is no place.
        let mixed = [
            none("value"),
            widget("line", r#","place":{"x":3,"y":0,"w":6,"h":4}"#),
            widget("lamp", r#","place":{"w":6}"#),
            none("value"),
        ];
        assert_eq!(places(&mixed), [(1, 0, 0), (2, 3, 0), (3, 0, 4), (4, 6, 4)]);
        let wide = [widget("value", r#","place":{"w":99,"h":99}"#), none("value")];
        assert_eq!(places(&wide).len(), 2);
    }

    #[test]
    fn a_bad_file_is_told_by_place_and_reason() {
        let with = |widgets: &str| {
            format!("{{\"format\":\"mqtt-board\",\"version\":1,\n\"widgets\":[{widgets}]}}")
        };
        let place = |text: &str| match read(text) {
            Err(Wrong::Unreadable { line, what, .. }) => (line, what),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(place("{\n\n  x").0, 3);
        let unknown = |word: &str| (2, Unreadable::Unknown(word.to_owned()));
        let gouge = with(r#"{"kind":"gouge","values":[{"topic":"a"}]}"#);
        assert_eq!(place(&gouge), unknown("gouge"));
        let colour = with(r#"{"values":[{"topic":"a","colour":1}]}"#);
        assert_eq!(place(&colour), unknown("colour"));
        assert_eq!(place(&with(r#"{"values":3}"#)), (2, Unreadable::Value));
        assert_eq!(read("[1, 2]"), Err(Wrong::NoBoard));
        assert_eq!(read(r#"{"format":"other","version":1}"#), Err(Wrong::NoBoard));
        let later = r#"{"format":"mqtt-board","version":9,"widgets":[],"more":1}"#;
        assert_eq!(read(later), Err(Wrong::Version(9)));
        assert_eq!(read(&" ".repeat(BOARD_FILE_MAX + 1)), Err(Wrong::TooLarge(BOARD_FILE_MAX)));
        let long = "x".repeat(WIDGET_TEXT_CHARS_MAX + 1);
        let values = [r#"{"topic":"a"}"#; SOURCES_PER_LOOK_MAX + 1].join(",");
        let levels = ["{}"; WIDGET_LEVELS_MAX + 1].join(",");
        for (widget, fault) in [
            (r#"{"kind":"line"}"#.to_owned(), Fault::NoTopic),
            (r#"{"kind":"switch"}"#.to_owned(), Fault::NoTopic),
            (r#"{"values":[{"topic":"a/+"}]}"#.to_owned(), Fault::Topic),
            (r#"{"values":[{"topic":""}]}"#.to_owned(), Fault::NoTopic),
            (r##"{"kind":"button","control":{"topic":"#"}}"##.to_owned(), Fault::Topic),
            (r#"{"kind":"button","control":{"topic":"a","qos":3}}"#.to_owned(), Fault::Qos),
            (r#"{"low":5,"high":5,"values":[{"topic":"a"}]}"#.to_owned(), Fault::Scale),
            (format!(r#"{{"title":"{long}","values":[{{"topic":"a"}}]}}"#), Fault::Text),
            (format!(r#"{{"values":[{values}]}}"#), Fault::Values),
            (format!(r#"{{"values":[{{"topic":"a"}}],"levels":[{levels}]}}"#), Fault::Levels),
        ] {
            let text = with(&format!(r#"{{"values":[{{"topic":"fine"}}]}},{widget}"#));
            assert_eq!(read(&text), Err(Wrong::Widget { number: 2, fault }), "{widget}");
        }
        let many = vec![r#"{"values":[{"topic":"a"}]}"#; WIDGETS_MAX + 1].join(",");
        assert_eq!(read(&with(&many)), Err(Wrong::TooMany(WIDGETS_MAX)));
    }

    #[test]
    fn any_bytes_are_an_answer_and_never_the_end() {
        let whole = write(&board());
        let link = to_link(&board()).unwrap();
        for seed in 0..400u64 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut next = |below: usize| random.usize(..below);
            let mut bytes = whole.clone().into_bytes();
            for _ in 0..1 + next(4) {
                let at = next(bytes.len());
                bytes[at] = next(128) as u8;
            }
            let _read = read(&String::from_utf8_lossy(&bytes));
            let cut = next(link.len());
            assert!(from_link(&link[..cut]).is_err(), "seed {seed}: cut at {cut}");
        }
        assert_eq!(from_link("%%%"), Err(Wrong::Link));
    }

    #[test]
    fn a_board_may_be_too_large_for_a_link() {
        let mut board = board();
        for _ in 0..100 {
            board.widgets.push(board.widgets[0].clone());
        }
        assert_eq!(to_link(&board), Err(Wrong::TooLarge(BOARD_LINK_MAX)));
    }
}
