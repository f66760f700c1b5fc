//! JSON Pointer (RFC 6901), into a document that is left as it stands.
//!
//! What a pointer finds is the very text of the document: a number keeps all its digits, however
//! many, and the way it was written.

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The longest pointer, in bytes, and the most parts it may have.
const POINTER_BYTES_MAX: usize = 1_024;
const PARTS_MAX: usize = 64;

/// A way into a document, such as `/current/temperature` or `/list/0/main`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointer {
    text: String,
    parts: Vec<String>,
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Pointer {
    /// RFC 6901 §3 and §4: parts that begin with `/`, with `~1` for a slash and `~0` for a tilde.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > POINTER_BYTES_MAX {
            return Err(format!("a pointer has at most {POINTER_BYTES_MAX} bytes"));
        }
        let parts = match text.strip_prefix('/') {
            Some(parts) => parts.split('/').map(unescaped).collect::<Result<Vec<_>, _>>()?,
            None if text.is_empty() => Vec::new(),
            None => {
                return Err(format!(
                    "the pointer \"{text}\" does not begin with a slash: write \"/{}\"",
                    text.replace('.', "/")
                ));
            }
        };
        if parts.len() > PARTS_MAX {
            return Err(format!("a pointer has at most {PARTS_MAX} parts"));
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// What it points to, as it stands in the document; or why there is nothing, as a clause.
    pub(super) fn find<'a>(&self, document: &'a RawValue) -> Result<&'a RawValue, String> {
        let mut here = document;
        for (depth, part) in self.parts.iter().enumerate() {
            here = step(here, part).ok_or_else(|| self.nothing(depth, part, here))?;
        }
        Ok(here)
    }

    fn nothing(&self, depth: usize, part: &str, at: &RawValue) -> String {
        let mut place = String::new();
        for part in self.parts.iter().take(depth) {
            place.push('/');
            place.push_str(&part.replace('~', "~0").replace('/', "~1"));
        }
        let place = if place.is_empty() { "the document" } else { &place };
        match Shape::of(at) {
            Shape::Object => format!("{place} has no member \"{part}\""),
            Shape::Array => format!("{place} is an array without an element {part}"),
            Shape::Null => format!("{place} is null"),
            Shape::Other => format!("{place} is neither an object nor an array"),
        }
    }
}

fn unescaped(part: &str) -> Result<String, String> {
    let mut plain = String::new();
    let mut characters = part.chars();
    while let Some(c) = characters.next() {
        plain.push(match c {
            '~' => match characters.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return Err("in a pointer, ~ is written ~0 (and / is written ~1)".to_owned()),
            },
            c => c,
        });
    }
    Ok(plain)
}

/// What a document is at its top, which its first byte says.
enum Shape {
    Object,
    Array,
    Null,
    Other,
}

impl Shape {
    fn of(value: &RawValue) -> Self {
        match value.get().as_bytes().first() {
            Some(b'{') => Self::Object,
            Some(b'[') => Self::Array,
            Some(b'n') => Self::Null,
            _ => Self::Other,
        }
    }
}

/// One part further into a document.
fn step<'a>(value: &'a RawValue, part: &str) -> Option<&'a RawValue> {
    let mut deserializer = serde_json::Deserializer::from_str(value.get());
    match Shape::of(value) {
        Shape::Object => deserializer.deserialize_map(Member(part)).ok()?,
        Shape::Array => deserializer.deserialize_seq(Element(index(part)?)).ok()?,
        Shape::Null | Shape::Other => None,
    }
}

/// RFC 6901 §4: digits without a leading zero.
fn index(part: &str) -> Option<usize> {
    let is_plain = part.bytes().all(|byte| byte.is_ascii_digit());
    let has_leading_zero = part.len() > 1 && part.starts_with('0');
    if is_plain && !has_leading_zero { part.parse().ok() } else { None }
}

/// Looks for the member of this name; the last one, where a name is there twice.
struct Member<'k>(&'k str);

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(is_it) = members.next_key_seed(Named(self.0))? {
            if is_it {
                found = Some(members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Whether a member's name is this one.
struct Named<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for Named<'_> {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'de>>(self, name: D) -> Result<bool, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for Named<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

/// Looks for the element of this number.
struct Element(usize);

impl<'de> Visitor<'de> for Element {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        for _ in 0..self.0 {
            if elements.next_element::<IgnoredAny>()?.is_none() {
                return Ok(None);
            }
        }
        let found = elements.next_element()?;
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }
}

/// The text of a JSON string, or `None` for what is no string or can't be one in UTF-8.
pub(super) fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    if !value.get().starts_with('"') {
        return None;
    }
    let plain: Option<&str> = serde_json::from_str(value.get()).ok();
    plain.map(Cow::Borrowed).or_else(|| serde_json::from_str(value.get()).ok().map(Cow::Owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"
        { "foo": ["bar", "baz", {"deep": [ [1, 2.50] ]}], "": 0, "a/b": 1, "c%d": 2, "m~n": 8,
          "k\"l": 6, " ": 7, "ñ": "\u00f1", "twice": 1, "twice": 2, "null": null,
          "big": 123456789012345678901234567890.10, "1": "one", "raw" : { "x" : [ 1 , 2 ] } }"#;

    fn found(pointer: &str) -> Result<String, String> {
        let document: &RawValue = serde_json::from_str(DOCUMENT).unwrap();
        Pointer::parse(pointer)?.find(document).map(|value| value.get().to_owned())
    }

    #[test]
    fn pointers_find_what_stands_there() {
        let cases = [
            ("/foo/0", r#""bar""#),
            ("/foo/2/deep/0/1", "2.50"),
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/m~0n", "8"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/ñ", r#""\u00f1""#),
            ("/twice", "2"),
            ("/null", "null"),
            ("/big", "123456789012345678901234567890.10"),
            ("/1", r#""one""#),
            ("/raw", r#"{ "x" : [ 1 , 2 ] }"#),
        ];
        for (pointer, expected) in cases {
            assert_eq!(found(pointer).as_deref(), Ok(expected), "{pointer}");
        }
        assert_eq!(found("").as_deref(), Ok(DOCUMENT.trim()));
    }

    #[test]
    fn where_there_is_nothing_it_is_said_why() {
        let cases = [
            ("/bar", r#"the document has no member "bar""#),
            ("/foo/3", "/foo is an array without an element 3"),
            ("/foo/-", "/foo is an array without an element -"),
            ("/foo/00", "/foo is an array without an element 00"),
            ("/foo/+1", "/foo is an array without an element +1"),
            ("/foo/99999999999999999999", "an array without an element 99999999999999999999"),
            ("/foo/0/x", "/foo/0 is neither an object nor an array"),
            ("/a~1b/x", "/a~1b is neither an object nor an array"),
            ("/null/x", "/null is null"),
            ("/foo/2/deep/x", "/foo/2/deep is an array without an element x"),
        ];
        for (pointer, expected) in cases {
            let said = found(pointer).unwrap_err();
            assert!(said.ends_with(expected), "{pointer}: {said}");
        }
    }

    #[test]
    fn what_is_no_pointer_is_told() {
        let long = format!("/{}", "x".repeat(POINTER_BYTES_MAX));
        let cases = [
            ("current.temp", r#"write "/current/temp""#),
            ("#/a", "does not begin with a slash"),
            ("/a~b", "~ is written ~0"),
            ("/a~", "~ is written ~0"),
            (&"/x".repeat(PARTS_MAX + 1), "at most 64 parts"),
            (&long, "at most 1024 bytes"),
        ];
        for (text, expected) in cases {
            let said = Pointer::parse(text).unwrap_err();
            assert!(said.contains(expected), "{text}: {said}");
        }
    }

    #[test]
    fn a_document_may_be_as_deep_as_it_likes() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let document: &RawValue = serde_json::from_str(&deep).unwrap();
        let pointer = Pointer::parse(&"/0".repeat(PARTS_MAX)).unwrap();
        assert!(pointer.find(document).unwrap().get().starts_with("[["));
    }

    #[test]
    fn pointers_agree_with_those_of_serde_json() {
        let mut random = fastrand::Rng::with_seed(6901);
        for round in 0..500 {
            let value = any_value(&mut random, 4);
            let text = value.to_string();
            let document: &RawValue = serde_json::from_str(&text).unwrap();
            for _ in 0..20 {
                let parts = random.usize(0..5);
                let pointer: String = (0..parts)
                    .map(|_| ["/a", "/b", "/0", "/1", "/2", "/~0", "/"][random.usize(0..7)])
                    .collect();
                let ours = Pointer::parse(&pointer).unwrap().find(document).ok();
                let ours = ours.map(|found| serde_json::from_str(found.get()).unwrap());
                assert_eq!(ours.as_ref(), value.pointer(&pointer), "{round}: {pointer} in {text}");
            }
        }
    }

    fn any_value(random: &mut fastrand::Rng, depth: usize) -> serde_json::Value {
        let below = depth.saturating_sub(1);
        match random.usize(0..if depth == 0 { 3 } else { 5 }) {
            0 => random.i64(-9..9).into(),
            1 => "text".into(),
            2 => serde_json::Value::Null,
            3 => (0..random.usize(0..4)).map(|_| any_value(random, below)).collect(),
            _ => {
                let names = ["a", "b", "0", "~", ""];
                let mut members = serde_json::Map::new();
                for _ in 0..random.usize(0..4) {
                    let name = names[random.usize(0..5)].to_owned();
                    members.insert(name, any_value(random, below));
                }
                members.into()
            }
        }
    }

    #[test]
    fn strings_are_read_with_their_escapes() {
        for (text, expected) in [
            (r#""plain ñ""#, Some("plain ñ")),
            (r#""a\nb\u00e9\"""#, Some("a\nbé\"")),
            (r#""\ud800""#, None),
            ("12", None),
            ("null", None),
        ] {
            let value: Result<&RawValue, _> = serde_json::from_str(text);
            let read = value.ok().and_then(string);
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }
}
