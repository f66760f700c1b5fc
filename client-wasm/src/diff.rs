//! What is different between two messages of one topic.

use std::borrow::Cow;

use crate::json;
use crate::limits::{CHANGES_SHOWN, MEMBER_SHOWN_CHARS};
use crate::payload;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where in the payload; empty for all of it.
    pub path: String,
    /// What stood there; none where it is new.
    pub from: Option<String>,
    /// What stands there now; none where it has gone.
    pub to: Option<String>,
}

/// The differences, and how many more there are than are listed.
///
/// JSON is compared member by member, anything else as a whole; bytes that are no text by their length.
pub fn changes(from: &[u8], to: &[u8]) -> (Vec<Change>, usize) {
    if from == to {
        return (Vec::new(), 0);
    }
    let changes = match (members(from), members(to)) {
        (Some(from), Some(to)) => of_members(&from, &to),
        _ => vec![Change { path: String::new(), from: Some(whole(from)), to: Some(whole(to)) }],
    };
    let more = changes.len().saturating_sub(CHANGES_SHOWN);
    (changes.into_iter().take(CHANGES_SHOWN).collect(), more)
}

type Members<'a> = Vec<(String, Cow<'a, str>)>;

/// The leaves of an object or a list; none for anything else.
fn members(payload: &[u8]) -> Option<Members<'_>> {
    let text = std::str::from_utf8(payload).ok()?;
    if !text.trim_ascii_start().starts_with('{') {
        return None;
    }
    let mut members = Vec::new();
    json::scan(text, |path, leaf| {
        members.push((json::unescape(&path.join(".")), payload::shown(leaf)));
    })
    .then_some(members)
}

/// Members usually stand in the same order in each message, so the same place is looked at first.
fn find<'a>(members: &'a Members<'_>, path: &str, index: usize) -> Option<&'a str> {
    let at_index = members.get(index).filter(|(other, _)| other == path);
    let found = at_index.or_else(|| members.iter().find(|(other, _)| other == path));
    found.map(|(_, value)| value.as_ref())
}

fn of_members(from: &Members<'_>, to: &Members<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    for (index, (path, value)) in to.iter().enumerate() {
        let before = find(from, path, index);
        if before != Some(value.as_ref()) {
            let (path, to) = (path.clone(), Some(short(value)));
            changes.push(Change { path, from: before.map(short), to });
        }
    }
    for (index, (path, value)) in from.iter().enumerate() {
        if find(to, path, index).is_none() {
            changes.push(Change { path: path.clone(), from: Some(short(value)), to: None });
        }
    }
    changes
}

fn short(text: &str) -> String {
    payload::with_ellipsis(text, MEMBER_SHOWN_CHARS)
}

fn whole(payload: &[u8]) -> String {
    match std::str::from_utf8(payload) {
        Ok(text) => short(text),
        Err(_) => payload::hex(payload, 8),
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn lines(from: &str, to: &str) -> Vec<String> {
        let (changes, _) = changes(from.as_bytes(), to.as_bytes());
        changes
            .into_iter()
            .map(|Change { path, from, to }| {
                format!("{path}: {} > {}", from.unwrap_or("-".into()), to.unwrap_or("-".into()))
            })
            .collect()
    }

    #[test]
    fn members_of_json_are_compared_one_by_one() {
        let from = r#"{"t":21.50,"air":{"co2":415},"ok":true}"#;
        assert!(lines(from, from).is_empty());
        let to = r#"{"ok":true,"t":21.5,"air":{"voc":7}}"#;
        assert_eq!(lines(from, to), ["t: 21.50 > 21.5", "air.voc: - > 7", "air.co2: 415 > -"]);
    }

    #[test]
    fn anything_else_is_compared_as_a_whole() {
        assert_eq!(lines("on", "off"), [": on > off"]);
        assert_eq!(lines("", "1"), [":  > 1"]);
        assert_eq!(lines("{\"a\":", "{\"a\":1}"), [": {\"a\": > {\"a\":1}"]);
        let (changes, _) = changes(b"\xff\x00", b"x");
        assert_eq!(changes[0].from.as_deref(), Some("ff 00"));
    }

    #[test]
    fn many_differences_are_counted() {
        let object = |value: u32| {
            let members: Vec<_> = (0..50).map(|n| format!("\"m{n}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        };
        let (listed, more) = changes(object(1).as_bytes(), object(2).as_bytes());
        assert_eq!((listed.len(), more), (CHANGES_SHOWN, 50 - CHANGES_SHOWN));
    }
}
