//! The line of a card: for each column of pixels the lowest and the highest number.
//!
//! It is drawn as paths of SVG. A canvas of its own for each of some dozen cards is a picture of its own to the
//! browser, which costs the page's thread in each frame, whatever changes in it; a path is as cheap as the text
//! beside it.

use std::fmt::Write as _;
use std::rc::Rc;

use yew::prelude::*;

use crate::history::{Column, Sparkline as Shape};
use crate::protocol::{Course, Line};

/// A column is so many units wide, so that its middle is a whole number too.
const COLUMN: u32 = 2;

/// How many bits of a height are drawn: many more than there are pixels.
const HEIGHT_BITS: u32 = 10;

/// The lowest a line goes, in units from the top…
const BOTTOM: u32 = (1 << HEIGHT_BITS) - 1;

/// …and the area below it, which reaches down to what stands under the picture.
const GROUND: u32 = BOTTOM + BOTTOM / 10;

#[derive(Properties)]
pub(super) struct SparklineProps {
    pub(super) line: Option<Rc<Line>>,
    /// Where inside a payload its numbers are; none where they are the payload.
    #[prop_or_default]
    pub(super) path: Option<String>,
}

/// A line that moved is another one: none is compared number by number.
impl PartialEq for SparklineProps {
    fn eq(&self, other: &Self) -> bool {
        let line = |props: &Self| props.line.as_ref().map(Rc::as_ptr);
        line(self) == line(other) && self.path == other.path
    }
}

#[component]
pub(super) fn Sparkline(props: &SparklineProps) -> Html {
    let line = props.line.as_deref();
    let course = line.and_then(|line| line.course_at(props.path.as_deref()));
    let [area, line, dot] = course.map(|course| paths(&course.sparkline)).unwrap_or_default();
    let width = course.map_or(1, |course| u32::from(course.sparkline.width.max(1)) * COLUMN);
    html! {
        <svg class="sparkline" viewBox={format!("0 0 {width} {BOTTOM}")} preserveAspectRatio="none"
            aria-hidden="true" focusable="false">
            <path d={area} />
            <path d={line} />
            <path d={dot} />
        </svg>
    }
}

impl Line {
    /// The course of the numbers at this place inside a payload, or of the payload itself.
    pub(super) fn course_at(&self, path: Option<&str>) -> Option<&Course> {
        let Some(path) = path else { return Some(&self.course) };
        self.members.iter().find(|(known, _)| known == path).map(|(_, course)| course)
    }
}

/// The area below the line, the line, and the dot at the newest number: a line of no length with round ends.
fn paths(shape: &Shape) -> [String; 3] {
    let [mut area, mut line, mut dot] = <[String; 3]>::default();
    for part in shape.columns.chunk_by(|_, next| !next.gap) {
        let mut before = 'M';
        let mut through = String::new();
        for column in part {
            trace(&mut through, before, column);
            before = 'L';
        }
        if let (Some(first), Some(last)) = (part.first(), part.last()) {
            // What is written into a text always has room there.
            let _written = write!(area, "{through}L{} {GROUND}H{}Z", x(last), x(first));
        }
        line += &through;
    }
    if let Some(last) = shape.columns.last() {
        let _written = write!(dot, "M{} {}h0", x(last), y(last.last));
    }
    [area, line, dot]
}

fn x(column: &Column) -> u32 {
    u32::from(column.x) * COLUMN + COLUMN / 2
}

fn y(height: u16) -> u32 {
    BOTTOM - (u32::from(height) >> (u16::BITS - HEIGHT_BITS))
}

/// Through all numbers of a column; what is lowest and highest lies in the middle of it.
fn trace(path: &mut String, before: char, column: &Column) {
    let _written = write!(path, "{before}{} {}", x(column), y(column.first));
    if column.low != column.high {
        for height in [column.low, column.high, column.last] {
            let _written = write!(path, "V{}", y(height));
        }
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn column(x: u16, [first, low, high, last]: [u16; 4], gap: bool) -> Column {
        Column { x, first, low, high, last, gap }
    }

    #[test]
    fn a_line_goes_through_all_numbers_and_not_over_a_gap() {
        let columns = vec![
            column(0, [0; 4], false),
            column(1, [0, 0, 65_535, 32_768], false),
            column(7, [65_535; 4], true),
        ];
        let [area, line, dot] = paths(&Shape { columns, width: 8 });
        assert_eq!(line, "M1 1023L3 1023V1023V0V511M15 0");
        assert_eq!(area, "M1 1023L3 1023V1023V0V511L3 1125H1ZM15 0L15 1125H15Z");
        assert_eq!(dot, "M15 0h0");
        assert_eq!(paths(&Shape::default()), <[String; 3]>::default());
    }
}
