//! Which topics the Topic Aliases of packets stand for (MQTT 5.0 §3.3.2.3.4), as far as the packets that a
//! page has seen tell.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::ALIASES_KNOWN_MAX;

/// What is known of the Topic Aliases of a connection, in either direction.
#[derive(Debug, Default)]
pub struct Aliases {
    /// The topic that an alias got, by direction, alias, and the number of the packet that said so.
    topics: BTreeMap<(bool, u16, u64), String>,
    /// The packets with which a connection began: aliases from before mean nothing any more.
    began: BTreeSet<u64>,
}

impl Aliases {
    /// With this packet, a connection begins.
    pub fn begin(&mut self, seq: u64) {
        self.began.insert(seq);
        if self.began.len() > ALIASES_KNOWN_MAX {
            self.began.pop_first();
        }
    }

    /// This packet gives the alias a topic.
    pub fn learn(&mut self, is_sent: bool, alias: u16, seq: u64, topic: &str) {
        if self.topics.len() >= ALIASES_KNOWN_MAX {
            self.topics.clear();
        }
        self.topics.entry((is_sent, alias, seq)).or_insert_with(|| topic.to_owned());
    }

    /// The topic that the alias stands for in this packet; none where the packet that gave it was not
    /// seen.
    pub fn topic(&self, is_sent: bool, alias: u16, seq: u64) -> Option<&str> {
        let (key, topic) =
            self.topics.range((is_sent, alias, 0)..=(is_sent, alias, seq)).next_back()?;
        let is_of_another = self.began.range(key.2..=seq).next().is_some();
        (!is_of_another).then_some(topic)
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn an_alias_stands_for_the_topic_it_got_last_on_its_connection() {
        let mut aliases = Aliases::default();
        aliases.learn(true, 1, 10, "a");
        aliases.learn(true, 1, 20, "b");
        aliases.begin(30);
        for (is_sent, alias, seq, topic) in [
            (true, 1, 9, None),
            (true, 1, 10, Some("a")),
            (true, 1, 19, Some("a")),
            (true, 1, 29, Some("b")),
            (true, 1, 31, None),
            (false, 1, 15, None),
            (true, 2, 15, None),
        ] {
            assert_eq!(aliases.topic(is_sent, alias, seq), topic, "{is_sent} {alias} {seq}");
        }
    }

    #[test]
    fn what_is_known_is_bounded() {
        let mut aliases = Aliases::default();
        for seq in 0..3 * ALIASES_KNOWN_MAX as u64 {
            aliases.learn(true, 1, seq, "a");
            aliases.begin(seq);
        }
        assert!(aliases.topics.len() <= ALIASES_KNOWN_MAX);
        assert!(aliases.began.len() <= ALIASES_KNOWN_MAX);
    }
}
