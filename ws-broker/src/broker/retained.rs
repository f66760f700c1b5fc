//! Retained messages (MQTT 5.0 §3.3.1.3): the last message of each topic that asked for it.

use std::sync::Arc;

use codec::{TopicFilter, TopicName};
use hashbrown::HashMap;
use parking_lot::RwLock;

use crate::broker::Message;
use crate::time::Ms;

/// The retained messages of all topics, as a tree of topic levels.
#[derive(Debug)]
pub(crate) struct Retained {
    tree: RwLock<Tree>,
    max: usize,
}

#[derive(Debug, Default)]
struct Tree {
    root: Node,
    len: usize,
    /// Bytes of payload.
    bytes: usize,
}

impl Tree {
    fn forget(&mut self, message: &Message) {
        self.len = self.len.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(message.payload.len());
    }
}

#[derive(Debug, Default)]
struct Node {
    message: Option<Arc<Message>>,
    /// When the message goes, where the broker is told to keep none for ever.
    until: Option<Ms>,
    children: HashMap<String, Node>,
}

impl Node {
    /// The message, unless its time has passed.
    fn current(&self, now: Ms) -> Option<&Arc<Message>> {
        let is_due = self.until.is_some_and(|at| at <= now);
        self.message.as_ref().filter(|message| !is_due && !message.is_expired(now))
    }
}

/// There are as many retained messages as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoreFull;

impl Retained {
    pub(crate) fn new(max: usize) -> Self {
        Self { tree: RwLock::default(), max }
    }

    /// Keeps `message` as the retained message of its topic, for ever or until this time; a payload of
    /// no length removes the one that is there.
    pub(crate) fn set(&self, message: Arc<Message>, until: Option<Ms>) -> Result<(), StoreFull> {
        let mut tree = self.tree.write();
        if message.payload.is_empty() {
            let topic = message.topic.clone();
            if let Some(old) = remove(&mut tree.root, &mut topic.as_str().split('/')) {
                old.supersede();
                tree.forget(&old);
            }
            return Ok(());
        }
        let full = tree.len >= self.max;
        let is_there =
            |root| find(root, message.topic.as_str()).is_some_and(|node| node.message.is_some());
        if full && !is_there(&tree.root) {
            return Err(StoreFull);
        }
        let mut node = &mut tree.root;
        for level in message.topic.levels() {
            node = node.children.entry_ref(level).or_default();
        }
        node.until = until;
        let bytes = message.payload.len();
        let old = node.message.replace(message);
        tree.len = tree.len.saturating_add(1);
        tree.bytes = tree.bytes.saturating_add(bytes);
        if let Some(old) = old {
            old.supersede();
            tree.forget(&old);
        }
        Ok(())
    }

    /// The retained messages that `filter` matches and that have not expired.
    pub(crate) fn matching(&self, filter: &TopicFilter, now: Ms) -> Vec<Arc<Message>> {
        let mut found = Vec::new();
        let tree = self.tree.read();
        let levels: Vec<&str> = filter.levels().collect();
        let mut take = |node: &Node| found.extend(node.current(now).cloned());
        visit(&tree.root, &levels, true, &mut take);
        found
    }

    /// The retained message of a topic, and when it goes if it does.
    pub(crate) fn get(&self, topic: &TopicName) -> Option<(Arc<Message>, Option<Ms>)> {
        let tree = self.tree.read();
        let node = find(&tree.root, topic.as_str())?;
        Some((node.message.clone()?, node.until))
    }

    /// How many there are, and the bytes of their payloads.
    pub(crate) fn len(&self) -> (usize, usize) {
        let tree = self.tree.read();
        (tree.len, tree.bytes)
    }

    /// Drops the messages that have expired, and says which those were.
    pub(crate) fn drop_expired(&self, now: Ms) -> Vec<Arc<Message>> {
        let mut tree = self.tree.write();
        let mut dropped = Vec::new();
        prune(&mut tree.root, now, &mut dropped);
        for message in &dropped {
            tree.forget(message);
        }
        dropped
    }
}

fn find<'a>(root: &'a Node, topic: &str) -> Option<&'a Node> {
    let mut node = root;
    for level in topic.split('/') {
        node = node.children.get(level)?;
    }
    Some(node)
}

/// Removes the message at the end of `levels` and the nodes that lead to nothing else.
fn remove<'a>(node: &mut Node, levels: &mut impl Iterator<Item = &'a str>) -> Option<Arc<Message>> {
    let Some(level) = levels.next() else { return node.message.take() };
    let child = node.children.get_mut(level)?;
    let removed = remove(child, levels);
    if child.message.is_none() && child.children.is_empty() {
        node.children.remove(level);
    }
    removed
}

fn visit(node: &Node, levels: &[&str], is_root: bool, take: &mut impl FnMut(&Node)) {
    // A filter that begins with a wildcard does not match a topic that begins with `$`.
    let hidden = |level: &str| is_root && level.starts_with('$');
    match levels.split_first() {
        None => take(node),
        Some((&"#", _)) => {
            take(node);
            for (level, child) in &node.children {
                if !hidden(level) {
                    visit(child, levels, false, take);
                }
            }
        }
        Some((&"+", rest)) => {
            for (level, child) in &node.children {
                if !hidden(level) {
                    visit(child, rest, false, take);
                }
            }
        }
        Some((level, rest)) => {
            if let Some(child) = node.children.get(*level) {
                visit(child, rest, false, take);
            }
        }
    }
}

fn prune(node: &mut Node, now: Ms, dropped: &mut Vec<Arc<Message>>) {
    if node.message.is_some() && node.current(now).is_none() {
        dropped.extend(node.message.take());
    }
    node.children.retain(|_, child| {
        prune(child, now, dropped);
        child.message.is_some() || !child.children.is_empty()
    });
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use codec::{Properties, QoS};

    use super::*;

    fn message(topic: &str, payload: &'static str) -> Arc<Message> {
        let payload = Bytes::from_static(payload.as_bytes());
        let topic = TopicName::new(topic).unwrap();
        Arc::new(Message::new(topic, payload, QoS::AtMostOnce, true, Properties::EMPTY))
    }

    fn topics(retained: &Retained, filter: &str) -> Vec<String> {
        let filter = TopicFilter::new(filter).unwrap();
        let found = retained.matching(&filter, 0);
        let mut topics: Vec<_> = found.iter().map(|m| m.topic.to_string()).collect();
        topics.sort();
        topics
    }

    #[test]
    fn filters_find_what_they_match() {
        let retained = Retained::new(100);
        for topic in ["a", "a/b", "a/b/c", "a//c", "/a", "$SYS/a", "b"] {
            retained.set(message(topic, "x"), None).unwrap();
        }
        for (filter, want) in [
            ("#", &["/a", "a", "a//c", "a/b", "a/b/c", "b"][..]),
            ("+", &["a", "b"]),
            ("a/#", &["a", "a//c", "a/b", "a/b/c"]),
            ("a/+/c", &["a//c", "a/b/c"]),
            ("+/+", &["/a", "a/b"]),
            ("$SYS/#", &["$SYS/a"]),
            ("$share/g/a/b", &["a/b"]),
            ("c", &[]),
        ] {
            assert_eq!(topics(&retained, filter), want, "{filter}");
        }
    }

    #[test]
    fn an_empty_payload_removes_and_an_old_message_knows_that_it_is_old() {
        let retained = Retained::new(1);
        let first = message("a/b", "1");
        retained.set(Arc::clone(&first), None).unwrap();
        assert_eq!(retained.set(message("c", "1"), None), Err(StoreFull));
        retained.set(message("a/b", "two"), None).unwrap();
        assert_eq!(retained.len(), (1, 3));
        assert!(first.is_superseded());
        retained.set(message("a/b", ""), None).unwrap();
        retained.set(message("a/b", ""), None).unwrap();
        assert_eq!(retained.len(), (0, 0));
        assert!(retained.tree.read().root.children.is_empty());
    }

    #[test]
    fn expired_messages_are_neither_found_nor_kept() {
        let retained = Retained::new(10);
        let mut short = Message::new(
            TopicName::new("a/b").unwrap(),
            Bytes::from_static(b"x"),
            QoS::AtMostOnce,
            true,
            Properties::EMPTY,
        );
        short.expire_after(Some(1), 0);
        retained.set(Arc::new(short), None).unwrap();
        let all = TopicFilter::new("#").unwrap();
        assert_eq!(retained.matching(&all, 999).len(), 1);
        assert_eq!(retained.matching(&all, 1000).len(), 0);
        retained.drop_expired(1000);
        assert_eq!(retained.len(), (0, 0));
    }

    #[test]
    fn none_is_kept_for_ever_where_the_broker_is_told_so() {
        let retained = Retained::new(10);
        retained.set(message("a", "x"), Some(1000)).unwrap();
        retained.set(message("b", "x"), Some(1000)).unwrap();
        retained.set(message("b", "y"), Some(2000)).unwrap();
        let all = TopicFilter::new("#").unwrap();
        assert_eq!(retained.matching(&all, 999).len(), 2);
        assert_eq!(retained.matching(&all, 1000).len(), 1);
        retained.drop_expired(1000);
        assert_eq!(retained.len(), (1, 1));
    }
}
