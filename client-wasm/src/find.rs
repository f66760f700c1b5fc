//! Finding a topic by a few of its letters: for the command palette, which shows the likeliest first.

use crate::case;
use crate::limits::{FOUND_MAX, SEARCH_CHARS_MAX};
use crate::search::Search;

/// How likely a topic is meant, the lower the likelier: what the search finds before what just has the
/// letters in order, then the last level before the others, then the shorter.
type Rank = (bool, bool, usize);

/// The topics that are likeliest meant.
pub fn find<'a>(topics: impl Iterator<Item = &'a str>, text: &str) -> Vec<String> {
    let text: String = text.trim().chars().take(SEARCH_CHARS_MAX).collect();
    let search = Search::new(&text);
    if search.is_all() {
        return Vec::new();
    }
    let letters: Vec<char> = case::lower(&text).chars().filter(|c| !c.is_whitespace()).collect();
    let mut found: Vec<(Rank, &str)> = Vec::with_capacity(FOUND_MAX.saturating_add(1));
    for topic in topics {
        let Some(rank) = rank(topic, &search, &letters) else { continue };
        let at = found.partition_point(|(other, _)| *other <= rank);
        if at < FOUND_MAX {
            found.insert(at, (rank, topic));
            found.truncate(FOUND_MAX);
        }
    }
    found.into_iter().map(|(_, topic)| topic.to_owned()).collect()
}

fn rank(topic: &str, search: &Search, letters: &[char]) -> Option<Rank> {
    let is_found = search.matches(topic);
    if !is_found && !has_in_order(topic, letters) {
        return None;
    }
    let last = topic.rsplit('/').next().unwrap_or_default();
    Some((!is_found, !has_in_order(last, letters), topic.len()))
}

/// Whether all letters are there, in their order, whatever stands between them.
fn has_in_order(text: &str, letters: &[char]) -> bool {
    let mut letters = letters.iter().peekable();
    for c in case::lower(text).chars() {
        letters.next_if(|letter| **letter == c);
    }
    letters.peek().is_none()
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const TOPICS: [&str; 5] =
        ["home/kitchen/temp", "home/kitchen/temp/raw", "home/cellar/lamp", "año/Ñandú", "tmp"];

    #[test]
    fn the_likeliest_comes_first() {
        for (text, expected) in [
            ("temp", &["home/kitchen/temp", "home/kitchen/temp/raw"][..]),
            ("kitchen raw", &["home/kitchen/temp/raw"]),
            ("tmp", &["tmp", "home/kitchen/temp", "home/kitchen/temp/raw"]),
            ("hclamp", &["home/cellar/lamp"]),
            ("ÑANDÚ", &["año/Ñandú"]),
            ("home/+/lamp", &["home/cellar/lamp"]),
            ("", &[]),
            ("zzz", &[]),
        ] {
            assert_eq!(find(TOPICS.into_iter(), text), expected, "{text}");
        }
    }

    #[test]
    fn there_are_never_too_many() {
        let topics: Vec<String> = (0..1_000).map(|n| format!("a/{n}")).collect();
        let found = find(topics.iter().map(String::as_str), "a");
        assert_eq!(found.len(), FOUND_MAX);
        assert_eq!(found[0], "a/0");
    }
}
