//! Values in values, written so that a person reads them: JSON's signs, and for what JSON does not have
//! those of CBOR's diagnostic notation (RFC 8949 §8).

use std::fmt::Write;

use super::token::{Token, Tokens, negative};
use super::{Wrong, cbor, message_pack};
use crate::limits::{
    BIGNUM_BYTES_MAX, DECODED_BYTES_SHOWN, DECODED_CHARS_MAX, DECODED_DEPTH_MAX, DECODED_LINE_CHARS,
};
use crate::{export, float};

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
}

/// The one value that a payload consists of.
pub(super) fn read(tokens: Tokens<'_>) -> Result<Node, Wrong> {
    let mut reader = Reader { tokens };
    let node = reader.value(0)?;
    if reader.tokens.is_at_end() { Ok(node) } else { Err(malformed()) }
}

fn malformed() -> Wrong {
    Wrong::Malformed(String::new())
}

struct Reader<'a> {
    tokens: Tokens<'a>,
}

impl<'a> Reader<'a> {
    fn token(&mut self) -> Result<Token<'a>, Wrong> {
        self.tokens.next().ok_or_else(malformed)
    }

    fn value(&mut self, depth: usize) -> Result<Node, Wrong> {
        let token = self.token()?;
        self.value_of(token, depth)
    }

    fn value_of(&mut self, token: Token<'a>, depth: usize) -> Result<Node, Wrong> {
        if depth > DECODED_DEPTH_MAX {
            return Err(Wrong::TooDeep);
        }
        let inner = depth.saturating_add(1);
        let leaf = |text: String| Ok(Node::Leaf(text));
        match token {
            Token::Positive(value) => leaf(value.to_string()),
            Token::Negative(value) => leaf(negative(value)),
            Token::Float(value) => leaf(float::written(value)),
            Token::Single(value) => leaf(float::written_single(value)),
            Token::Text(text) => Ok(Node::text(text)),
            Token::Bytes(bytes) => Ok(Node::bytes(bytes)),
            Token::Bool(value) => leaf(value.to_string()),
            Token::Null => leaf("null".to_owned()),
            Token::Undefined => leaf("undefined".to_owned()),
            Token::Simple(value) => leaf(format!("simple({value})")),
            Token::Tag(tag) => self.tagged(tag, inner),
            Token::Extension(kind, bytes) => {
                let is_time = kind == message_pack::TIMESTAMP;
                let time = is_time.then(|| message_pack::timestamp(bytes)).flatten();
                let mark = time.map_or(format!("ext {kind} "), |t| format!("ext {kind} / {t} / "));
                Ok(Node::Marked(mark, Box::new(Node::bytes(bytes))))
            }
            Token::TextInPieces | Token::BytesInPieces => self.pieces(token),
            Token::List(len) => {
                let mut items = Vec::new();
                while let Some(token) = self.next_of(len, items.len())? {
                    items.push(self.value_of(token, inner)?);
                }
                Ok(Node::List(if len.is_some() { "[" } else { "[_" }, items, "]"))
            }
            Token::Map(len) => {
                let mut members = Vec::new();
                while let Some(token) = self.next_of(len, members.len())? {
                    let name = self.value_of(token, inner)?;
                    members.push((name, self.value(inner)?));
                }
                Ok(Node::Map(if len.is_some() { "{" } else { "{_" }, members))
            }
            Token::Break => Err(malformed()),
        }
    }

    fn next_of(&mut self, len: Option<u64>, have: usize) -> Result<Option<Token<'a>>, Wrong> {
        self.tokens.next_of(len, have as u64).ok_or_else(malformed)
    }

    /// A string in pieces, each of the kind of the whole (RFC 8949 §3.2.3).
    fn pieces(&mut self, whole: Token<'a>) -> Result<Node, Wrong> {
        let mut pieces = Vec::new();
        loop {
            pieces.push(match (self.token()?, whole) {
                (Token::Break, _) => return Ok(Node::List("(_", pieces, ")")),
                (Token::Bytes(bytes), Token::BytesInPieces) => Node::bytes(bytes),
                (Token::Text(text), Token::TextInPieces) => Node::text(text),
                _ => return Err(malformed()),
            });
        }
    }

    fn tagged(&mut self, tag: u64, depth: usize) -> Result<Node, Wrong> {
        let token = self.token()?;
        if let (cbor::BIGNUM | cbor::NEGATIVE_BIGNUM, Token::Bytes(bytes)) = (tag, token)
            && bytes.len() <= BIGNUM_BYTES_MAX
        {
            return Ok(Node::Leaf(cbor::decimal(bytes, tag == cbor::NEGATIVE_BIGNUM)));
        }
        let node = self.value_of(token, depth)?;
        let seconds = match token {
            Token::Positive(seconds) => Some(seconds as f64),
            Token::Float(seconds) => Some(seconds).filter(|seconds| *seconds >= 0.0),
            Token::Single(seconds) => Some(f64::from(seconds)).filter(|seconds| *seconds >= 0.0),
            _ => None,
        };
        let mark = match seconds.filter(|_| tag == cbor::EPOCH) {
            Some(seconds) => format!("1 / {} / ", export::time(seconds * 1_000.0)),
            None => tag.to_string(),
        };
        Ok(Node::Marked(mark, Box::new(node)))
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
}
