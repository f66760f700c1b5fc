//! Values in values, written so that a person reads them: JSON's signs, and for what JSON does not have
//! those of CBOR's diagnostic notation (RFC 8949 §8).

use std::fmt::Write;

use crate::export;
use crate::limits::{DECODED_BYTES_SHOWN, DECODED_CHARS_MAX, DECODED_LINE_CHARS};

/// A decoded value.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A value in which there is no other, as it is written.
    Leaf(String),
    /// Values in order, between what opens and what closes them.
    List(&'static str, Vec<Node>, &'static str),
    /// Names, which may be any values, with their values.
    Map(&'static str, Vec<(Node, Node)>),
    /// A value with something in front of it that says what it is meant to be.
    Marked(String, Box<Node>),
}

impl Node {
    /// Text in quotes.
    pub fn text(text: &str) -> Self {
        Self::Leaf(export::string(text))
    }

    /// Bytes in hexadecimal digits.
    pub fn bytes(bytes: &[u8]) -> Self {
        Self::Leaf(hex(bytes))
    }

    /// Whether it is a list or a map, marked or not.
    pub fn holds_others(&self) -> bool {
        match self {
            Self::Leaf(_) => false,
            Self::List(..) | Self::Map(..) => true,
            Self::Marked(_, node) => node.holds_others(),
        }
    }

    /// Whether it is a map whose names are all text.
    pub fn has_names(&self) -> bool {
        match self {
            Self::Map(_, members) => {
                !members.is_empty()
                    && members
                        .iter()
                        .all(|(name, _)| matches!(name, Self::Leaf(text) if text.starts_with('"')))
            }
            Self::Marked(_, node) => node.has_names(),
            _ => false,
        }
    }
}

/// Bytes as `h'00ff'`, with their number where there are too many to be shown.
pub fn hex(bytes: &[u8]) -> String {
    let mut out = "h'".to_owned();
    for byte in bytes.iter().take(DECODED_BYTES_SHOWN) {
        // Writing into a string does not fail.
        let _written = write!(out, "{byte:02x}");
    }
    out.push('\'');
    if bytes.len() > DECODED_BYTES_SHOWN {
        out.pop();
        let _written = write!(out, "…' / {} bytes /", bytes.len());
    }
    out
}

/// A number with a point, so that it is seen to be one.
pub fn float(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() }
    } else {
        format!("{value:?}")
    }
}

/// A number of 32 bits with as few digits as tell it from its neighbours.
pub fn single(value: f32) -> String {
    if value.is_finite() { format!("{value:?}") } else { float(f64::from(value)) }
}

/// What a person reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The text.
    pub text: String,
    /// Whether there is more than it shows.
    pub is_cut: bool,
}

/// Writes a value: what fits stands in one line, each member of the rest on a line of its own.
pub fn write(node: &Node) -> Outline {
    let mut writer = Writer { out: String::new(), is_cut: false };
    writer.node(node, 0);
    Outline { text: writer.out, is_cut: writer.is_cut }
}

struct Writer {
    out: String,
    is_cut: bool,
}

impl Writer {
    fn node(&mut self, node: &Node, depth: usize) {
        if self.out.len() >= DECODED_CHARS_MAX {
            self.is_cut = true;
            return;
        }
        match node {
            Node::Leaf(text) => self.out.push_str(text),
            Node::Marked(mark, node) => {
                self.out.push_str(mark);
                self.out.push('(');
                self.node(node, depth);
                self.out.push(')');
            }
            Node::List(open, items, close) => {
                self.out.push_str(open);
                if open.ends_with('_') && in_one_line(items) {
                    self.out.push(' ');
                }
                let members = items.iter().map(|item| (None, item));
                self.members(members, in_one_line(items), depth);
                self.out.push_str(close);
            }
            Node::Map(open, members) => {
                self.out.push_str(open);
                let members = members.iter().map(|(name, value)| (Some(name), value));
                self.members(members, false, depth);
                self.out.push('}');
            }
        }
    }

    fn members<'a>(
        &mut self,
        members: impl ExactSizeIterator<Item = (Option<&'a Node>, &'a Node)>,
        is_one_line: bool,
        depth: usize,
    ) {
        let count = members.len();
        let inner = depth.saturating_add(1);
        for (index, (name, value)) in members.enumerate() {
            if self.is_cut {
                return;
            }
            if !is_one_line {
                self.line(inner);
            } else if index > 0 {
                self.out.push(' ');
            }
            if let Some(name) = name {
                self.node(name, inner);
                self.out.push_str(": ");
            }
            self.node(value, inner);
            if index.saturating_add(1) < count && !self.is_cut {
                self.out.push(',');
            }
        }
        if count > 0 && !is_one_line {
            self.line(depth);
        }
    }

    fn line(&mut self, depth: usize) {
        if !self.is_cut {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", depth));
        }
    }
}

/// Whether short values can stand side by side.
fn in_one_line(items: &[Node]) -> bool {
    let mut chars = 0usize;
    items.iter().all(|item| {
        let Node::Leaf(text) = item else { return false };
        chars = chars.saturating_add(text.len()).saturating_add(2);
        chars <= DECODED_LINE_CHARS
    })
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn leaf(text: &str) -> Node {
        Node::Leaf(text.to_owned())
    }

    #[test]
    fn members_stand_on_lines_and_short_lists_on_one() {
        let list = Node::List("[", vec![leaf("1"), leaf("2")], "]");
        let long = Node::List("[", vec![Node::text(&"x".repeat(90)), leaf("2")], "]");
        let map = Node::Map("{", vec![(Node::text("a\n"), list), (leaf("7"), long)]);
        let shown = write(&Node::Marked("55799".to_owned(), Box::new(map)));
        let x = "x".repeat(90);
        assert_eq!(
            shown.text,
            format!("55799({{\n  \"a\\n\": [1, 2],\n  7: [\n    \"{x}\",\n    2\n  ]\n}})")
        );
        assert!(!shown.is_cut);
        assert_eq!(write(&Node::Map("{", Vec::new())).text, "{}");
    }

    #[test]
    fn too_much_is_cut_and_said_to_be() {
        let shown = write(&Node::List("[", vec![leaf("123456789"); DECODED_CHARS_MAX], "]"));
        assert!(shown.is_cut && shown.text.len() < DECODED_CHARS_MAX + 64);
        let long = hex(&[0xab; DECODED_BYTES_SHOWN + 1]);
        assert!(long.ends_with(&format!("ab…' / {} bytes /", DECODED_BYTES_SHOWN + 1)));
    }

    #[test]
    fn numbers_keep_their_point() {
        for (value, text) in [(127.0, "127.0"), (-0.0, "-0.0"), (1e300, "1e300"), (0.1, "0.1")] {
            assert_eq!(float(value), text);
        }
        assert_eq!(single(21.3), "21.3");
        assert_eq!(single(f32::NEG_INFINITY), "-Infinity");
        assert_eq!(float(f64::NAN), "NaN");
    }
}
