//! JSON (RFC 8259) read in one pass, without building a tree and without rounding a number.
//!
//! The card needs the leaves of a payload and where they are, as they were written. Numbers stay
//! text, so a 64-bit integer keeps its digits.

use crate::limits::JSON_DEPTH_MAX;

/// What a leaf is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaf<'a> {
    /// A number, as it was written.
    Number(&'a str),
    /// What stands between the quotes, with its escapes.
    Text(&'a str),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
    /// An array, as it was written: a card does not look inside.
    Array(&'a str),
    /// An object without members.
    EmptyObject,
}

/// Reads `text` and shows each leaf with its path: the raw keys from the outside in.
///
/// Says whether `text` is JSON at all. Where it is not, leaves may have been shown before the
/// mistake was reached.
pub fn scan<'a>(text: &'a str, mut leaf: impl FnMut(&[&'a str], Leaf<'a>)) -> bool {
    let mut scanner = Scanner::new(text, 0, &mut leaf);
    scanner.space();
    if scanner.value(0, true).is_none() {
        return false;
    }
    scanner.space();
    scanner.at == text.len()
}

/// Whether `text` is JSON.
///
/// # Errors
/// It is none; with the byte from which on it is not.
pub fn check(text: &str) -> Result<(), usize> {
    let mut nothing = |_: &[&str], _: Leaf<'_>| {};
    let mut scanner = Scanner::new(text, 0, &mut nothing);
    scanner.space();
    let value = scanner.value(0, false);
    if value.is_some() {
        scanner.space();
    }
    if value.is_some() && scanner.at == text.len() { Ok(()) } else { Err(scanner.at) }
}

/// JSON with each member on a line of its own, and everything else as it was written: no number is
/// rounded, no escape resolved. None where `text` is no JSON.
pub fn pretty(text: &str) -> Option<String> {
    if !scan(text, |_, _| {}) {
        return None;
    }
    let mut out = String::with_capacity(text.len().saturating_mul(2));
    let mut depth = 0usize;
    let mut chars = text.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                out.push('"');
                push_string(&mut out, &mut chars);
            }
            '{' | '[' => {
                out.push(c);
                while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                if let Some(end) = chars.next_if(|c| matches!(c, '}' | ']')) {
                    out.push(end);
                } else {
                    depth = depth.saturating_add(1);
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    Some(out)
}

/// The rest of a string, with its closing quote.
fn push_string(out: &mut String, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while let Some(c) = chars.next() {
        out.push(c);
        match c {
            '"' => return,
            '\\' => out.extend(chars.next()),
            _ => {}
        }
    }
}

/// Text between quotes with its escapes resolved; what can't be resolved becomes U+FFFD.
pub fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match rest.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('u') => out.push(unicode_escape(&mut rest)),
            Some(other) => out.push(other),
            None => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
    out
}

/// What follows `\u`: four digits, or two times four for a character beyond U+FFFF.
fn unicode_escape(rest: &mut std::str::Chars<'_>) -> char {
    let hex = |rest: &mut std::str::Chars<'_>| {
        let digits = rest.as_str().get(..4)?;
        let unit = u16::from_str_radix(digits, 16).ok()?;
        *rest = rest.as_str().get(4..)?.chars();
        Some(unit)
    };
    let Some(first) = hex(rest) else { return char::REPLACEMENT_CHARACTER };
    let mut units = vec![first];
    if (0xd800..0xdc00).contains(&first) {
        let mut ahead = rest.clone();
        if ahead.next() == Some('\\')
            && ahead.next() == Some('u')
            && let Some(second) = hex(&mut ahead)
            && (0xdc00..0xe000).contains(&second)
        {
            *rest = ahead;
            units.push(second);
        }
    }
    char::decode_utf16(units).next().and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The leaf at a path: keys joined by points, and `[n]` for the n-th element of an array, from 0. None
/// where nothing is there, or `text` is no JSON.
pub fn at<'a>(text: &'a str, path: &str) -> Option<Leaf<'a>> {
    let mut found = None;
    let is_json = scan(text, |keys, leaf| {
        if found.is_some() {
            return;
        }
        let here = unescape(&keys.join("."));
        found = match (path.strip_prefix(here.as_str()), leaf) {
            (Some(""), leaf) => Some(leaf),
            (Some(rest), Leaf::Array(array)) => in_array(array, rest),
            _ => None,
        };
    });
    found.filter(|_| is_json)
}

/// What is at `[n]` and the path behind it.
fn in_array<'a>(array: &'a str, path: &str) -> Option<Leaf<'a>> {
    let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
    let index: usize = index.parse().ok()?;
    let mut nothing = |_: &[&str], _: Leaf<'_>| {};
    let mut scanner = Scanner::new(array, 1, &mut nothing);
    for _ in 0..index {
        scanner.space();
        scanner.value(0, false)?;
        scanner.space();
        scanner.eat(b',')?;
    }
    scanner.space();
    let start = scanner.at;
    scanner.value(0, false)?;
    at(scanner.since(start)?, rest.strip_prefix('.').unwrap_or(rest))
}

/// Who is shown the leaves: one type for all, so that there is one scanner in the program.
type OnLeaf<'a, 's> = dyn FnMut(&[&'a str], Leaf<'a>) + 's;

struct Scanner<'a, 's> {
    text: &'a str,
    at: usize,
    path: Vec<&'a str>,
    leaf: &'s mut OnLeaf<'a, 's>,
}

impl<'a, 's> Scanner<'a, 's> {
    fn new(text: &'a str, at: usize, leaf: &'s mut OnLeaf<'a, 's>) -> Self {
        Self { text, at, path: Vec::new(), leaf }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.step())
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.step();
        }
    }

    fn since(&self, start: usize) -> Option<&'a str> {
        self.text.get(start..self.at)
    }

    /// One value; its leaves are shown if `show`, which is not so inside an array.
    fn value(&mut self, depth: usize, show: bool) -> Option<()> {
        if depth > JSON_DEPTH_MAX {
            return None;
        }
        let start = self.at;
        let leaf = match self.peek()? {
            b'{' => return self.object(depth, show),
            b'[' => {
                self.array(depth)?;
                Leaf::Array(self.since(start)?)
            }
            b'"' => Leaf::Text(self.string()?),
            b't' => self.word("true", Leaf::Bool(true))?,
            b'f' => self.word("false", Leaf::Bool(false))?,
            b'n' => self.word("null", Leaf::Null)?,
            _ => Leaf::Number(self.number()?),
        };
        if show {
            (self.leaf)(&self.path, leaf);
        }
        Some(())
    }

    fn word(&mut self, word: &str, leaf: Leaf<'a>) -> Option<Leaf<'a>> {
        self.text.get(self.at..)?.strip_prefix(word)?;
        self.at = self.at.saturating_add(word.len());
        Some(leaf)
    }

    fn object(&mut self, depth: usize, show: bool) -> Option<()> {
        self.step();
        self.space();
        if self.eat(b'}').is_some() {
            if show {
                (self.leaf)(&self.path, Leaf::EmptyObject);
            }
            return Some(());
        }
        loop {
            self.space();
            let key = self.string()?;
            self.space();
            self.eat(b':')?;
            self.space();
            self.path.push(key);
            self.value(depth.saturating_add(1), show)?;
            self.path.pop();
            self.space();
            if self.eat(b',').is_none() {
                return self.eat(b'}');
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.step();
        self.space();
        if self.eat(b']').is_some() {
            return Some(());
        }
        loop {
            self.space();
            self.value(depth.saturating_add(1), false)?;
            self.space();
            if self.eat(b',').is_none() {
                return self.eat(b']');
            }
        }
    }

    /// What stands between two quotes.
    fn string(&mut self) -> Option<&'a str> {
        self.eat(b'"')?;
        let start = self.at;
        loop {
            match self.peek()? {
                b'"' => {
                    let inside = self.since(start);
                    self.step();
                    return inside;
                }
                b'\\' => {
                    self.step();
                    match self.peek()? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.step(),
                        b'u' => {
                            self.step();
                            for _ in 0..4 {
                                self.peek().filter(u8::is_ascii_hexdigit)?;
                                self.step();
                            }
                        }
                        _ => return None,
                    }
                }
                0..0x20 => return None,
                _ => self.step(),
            }
        }
    }

    fn number(&mut self) -> Option<&'a str> {
        let start = self.at;
        let _sign = self.eat(b'-');
        match self.peek()? {
            b'0' => self.step(),
            b'1'..=b'9' => self.digits()?,
            _ => return None,
        }
        if self.eat(b'.').is_some() {
            self.digits()?;
        }
        if self.eat(b'e').or_else(|| self.eat(b'E')).is_some() {
            let _sign = self.eat(b'+').or_else(|| self.eat(b'-'));
            self.digits()?;
        }
        self.since(start)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.step();
        }
        (self.at > start).then_some(())
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn leaves(text: &str) -> Option<Vec<(String, Leaf<'_>)>> {
        let mut found = Vec::new();
        scan(text, |path, leaf| found.push((path.join("."), leaf))).then_some(found)
    }

    #[test]
    fn every_leaf_is_shown_with_its_path_and_its_digits() {
        let text = r#" {"a":1.50,"b":{"c":"x\n","d":{}},"big":9223372036854775807,
            "list":[1,{"z":2}],"t":true,"n":null} "#;
        assert_eq!(
            leaves(text).unwrap(),
            [
                ("a".into(), Leaf::Number("1.50")),
                ("b.c".into(), Leaf::Text("x\\n")),
                ("b.d".into(), Leaf::EmptyObject),
                ("big".into(), Leaf::Number("9223372036854775807")),
                ("list".into(), Leaf::Array(r#"[1,{"z":2}]"#)),
                ("t".into(), Leaf::Bool(true)),
                ("n".into(), Leaf::Null),
            ]
        );
    }

    #[test]
    fn what_is_not_json() {
        let deep = "[".repeat(JSON_DEPTH_MAX + 2) + &"]".repeat(JSON_DEPTH_MAX + 2);
        for text in [
            "",
            "{",
            "}",
            "{a:1}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "[1,]",
            "[1 2]",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "tru",
            "truex",
            "\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"a\nb\"",
            "{} {}",
            "nul",
            "-",
            "[",
            "'a'",
            &deep,
        ] {
            assert_eq!(leaves(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_prefix_of_a_value_is_refused_without_harm() {
        let text = r#"{"å":["\u00e5",-1.5e+3,{"b":null}],"c":true}"#;
        assert!(leaves(text).is_some());
        for (end, _) in text.char_indices() {
            assert_eq!(leaves(&text[..end]), None, "{}", &text[..end]);
        }
    }

    #[test]
    fn pretty_json_says_the_same() {
        let text = r#"{"a":[1.50,{}, [ ]],"b\"}":"x, {y}: \\","c":{"d":9223372036854775807}}"#;
        let pretty = pretty(text).unwrap();
        let lines: Vec<_> = pretty.lines().collect();
        assert_eq!(
            lines,
            [
                "{",
                "  \"a\": [",
                "    1.50,",
                "    {},",
                "    []",
                "  ],",
                r#"  "b\"}": "x, {y}: \\","#,
                "  \"c\": {",
                "    \"d\": 9223372036854775807",
                "  }",
                "}",
            ]
        );
        assert_eq!(leaves(&pretty).map(|leaves| leaves.len()), leaves(text).map(|l| l.len()));
        assert_eq!(super::pretty("{"), None);
    }

    #[test]
    fn escapes_are_resolved() {
        for (raw, text) in [
            ("plain", "plain"),
            (r#"a\"b\\c\/d"#, "a\"b\\c/d"),
            (r"\n\r\t\b\f", "\n\r\t\u{8}\u{c}"),
            (r"\u00b0C", "°C"),
            (r"\ud83d\ude00!", "😀!"),
            (r"\ud83dx", "\u{fffd}x"),
            (r"\ude00", "\u{fffd}"),
            (r"\ud83d\u0041", "\u{fffd}A"),
        ] {
            assert_eq!(unescape(raw), text, "{raw}");
        }
    }
}
