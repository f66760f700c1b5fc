//! What a person searches topics for: words, or a topic filter.

use codec::{TopicFilter, TopicName};

use crate::case;
use crate::limits::SEARCH_CHARS_MAX;
use crate::name;

/// Before a topic that is searched for alone, as its letters stand also in others.
const EXACTLY: char = '=';

/// What is searched for.
#[derive(Debug, Default)]
pub enum Search {
    /// Nothing: everything matches.
    #[default]
    All,
    /// Words that must all be there, in any case of letters.
    Words(Vec<String>),
    /// A topic filter with `+` or `#` (MQTT 5.0 §4.7).
    Filter(TopicFilter),
    /// One topic and no other.
    Topic(String),
}

impl Search {
    /// What is typed for one topic and no other; none where it is too long, or ends in blanks.
    pub fn exactly(topic: &str) -> Option<String> {
        let search = format!("{EXACTLY}{topic}");
        let fits = search.chars().count() <= SEARCH_CHARS_MAX && search.trim_end() == search;
        fits.then_some(search)
    }

    /// Reads what was typed.
    pub fn new(text: &str) -> Self {
        let text: String = text.trim().chars().take(SEARCH_CHARS_MAX).collect();
        if let Some(topic) = text.strip_prefix(EXACTLY).filter(|topic| !topic.is_empty()) {
            return Self::Topic(topic.to_owned());
        }
        if text.contains(['+', '#'])
            && let Ok(filter) = TopicFilter::new(&text)
        {
            return Self::Filter(filter);
        }
        let words: Vec<_> = text.split_whitespace().map(case::lower).collect();
        if words.is_empty() { Self::All } else { Self::Words(words) }
    }

    /// Whether everything matches.
    pub fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// Whether a topic matches.
    pub fn matches(&self, topic: &str) -> bool {
        self.matches_with(topic, || None::<&str>)
    }

    /// Whether a topic matches, or its words stand in a payload that belongs to it.
    pub fn matches_with<T: AsRef<str>>(
        &self,
        topic: &str,
        payload: impl FnOnce() -> Option<T>,
    ) -> bool {
        match self {
            Self::All => true,
            Self::Words(words) => {
                // A person types what the card is called, or the topic itself.
                let mut text = case::lower(&format!("{topic} {}", name::readable(topic)));
                if words.iter().all(|word| text.contains(word.as_str())) {
                    return true;
                }
                let Some(payload) = payload() else { return false };
                text.push(' ');
                text.push_str(&case::lower(payload.as_ref()));
                words.iter().all(|word| text.contains(word.as_str()))
            }
            Self::Topic(exactly) => exactly == topic,
            Self::Filter(filter) => TopicName::new(topic).is_ok_and(|topic| filter.matches(&topic)),
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn words_are_found_in_the_topic_its_name_and_its_payload() {
        for (search, topic, payload, found) in [
            ("CPU", "sensors/pi/cpu/total", None, true),
            ("pi total", "sensors/pi/cpu/total", None, true),
            ("air quality", "home/airQuality", None, true),
            ("kitchen OPEN", "home/kitchen/door", Some("Open"), true),
            ("kitchen", "home/door", Some("it is the Kitchen's"), true),
            ("kitchen", "home/door", None, false),
            ("", "anything", None, true),
        ] {
            assert_eq!(Search::new(search).matches_with(topic, || payload), found, "{search}");
        }
    }

    #[test]
    fn one_topic_is_found_alone() {
        let search = Search::exactly("home/lamp").expect("it is short");
        for (topic, found) in
            [("home/lamp", true), ("home/lamp/power", false), ("home/Lamp", false), ("lamp", false)]
        {
            assert_eq!(Search::new(&search).matches_with(topic, || Some("=home/lamp")), found);
        }
        assert!(Search::new("=").matches("a=b") && !Search::new("=").matches("a"));
        assert_eq!(Search::exactly("a "), None);
        assert_eq!(Search::exactly(&"a".repeat(SEARCH_CHARS_MAX)), None);
    }

    #[test]
    fn a_filter_is_matched_as_the_broker_does() {
        for (search, topic, found) in [
            ("sensors/+/cpu/#", "sensors/pi/cpu/total", true),
            ("sensors/+/cpu/#", "sensors/pi/memory", false),
            ("+/+", "a/b/c", false),
            ("#", "$SYS/broker/uptime", false),
            ("a#b", "a#b", true),
        ] {
            assert_eq!(Search::new(search).matches(topic), found, "{search} {topic}");
        }
    }
}
