//! One topic in full: its value, its properties, its history with what changed, and where the
//! numbers in it are. Built from the log when a page looks, at a cost that follows what is shown.

use codec::{PacketType, Properties, Property, PropertyOwner};

use crate::decode::{Trust, sparkplug};
use crate::diff;
use crate::format::{self, Format};
use crate::json::{self, Leaf};
use crate::limits::{ARRAY_PATHS_MAX, CHART_PATHS_MAX, HISTORY_SHOWN_MAX, VALUE_PATHS_MAX};
use crate::log::Entry;
use crate::payload;
use crate::protocol::{
    Binary, Detail as Shown, DetailView, Difference, HistoryRow, MessageInFull, TopicInFull,
};
use crate::reading::{self, Reader};
use crate::store::{Store, Topic, TopicId};
use crate::tree::{self, NodeId, Tree};

/// How often new messages change what is shown, in milliseconds.
const INTERVAL_MS: f64 = 250.0;

/// How often rates change because time goes on, in milliseconds.
const SHIFT_MS: f64 = 1_000.0;

/// What a page looks at, and what it was shown.
#[derive(Debug, Default)]
pub struct Detail {
    view: Option<DetailView>,
    sent_ms: f64,
    sent_count: u64,
    sent_node: Option<NodeId>,
    is_stale: bool,
}

impl Detail {
    /// A page looks at the topic that the tree is at.
    pub fn show(&mut self, view: DetailView) {
        self.view = Some(view);
        self.is_stale = true;
    }

    /// No page looks any more.
    pub fn close(&mut self) {
        *self = Self::default();
    }

    /// What has changed, if anything.
    pub fn changed(&mut self, tree: &Tree, store: &Store, now_ms: f64) -> Option<Shown> {
        let view = self.view.clone()?;
        let node = tree.active()?;
        let topic = tree.topic(node);
        let count = topic.and_then(|id| store.topic(id)).map_or(0, |topic| topic.count);
        let passed_ms = now_ms - self.sent_ms;
        let is_other = self.is_stale || self.sent_node != Some(node);
        let is_new = count != self.sent_count && passed_ms >= INTERVAL_MS;
        if !is_other && !is_new && (0.0..SHIFT_MS).contains(&passed_ms) {
            return None;
        }
        self.is_stale = false;
        self.sent_ms = now_ms;
        self.sent_count = count;
        self.sent_node = Some(node);
        let figures = tree.figures(node);
        let (below, below_total) = tree.below(node, view.below, store);
        Some(Shown {
            node,
            path: tree.path(node),
            topics: figures.topics,
            retained: figures.retained,
            messages: figures.messages,
            rate_tenths: figures.rate.map(|rate| (rate * 10.0).round() as u32),
            topic: topic.and_then(|id| {
                let topic = store.topic(id)?;
                Some(Box::new(Self::in_full(id, topic, &view, store)))
            }),
            below,
            below_total,
        })
    }

    fn in_full(id: TopicId, topic: &Topic, view: &DetailView, store: &Store) -> TopicInFull {
        let len = (view.history as usize).min(HISTORY_SHOWN_MAX);
        let mut entries = store.log().back_from(topic.last).take(len.saturating_add(1));
        let entries: Vec<Entry<'_>> = entries.by_ref().collect();
        let mut reader = Reader::new(store);
        let history = entries
            .iter()
            .enumerate()
            .take(len)
            .map(|(index, entry)| {
                history_row(entry, entries.get(index.saturating_add(1)), &mut reader)
            })
            .collect();
        let chosen = view.seq.and_then(|seq| store.log().get(seq)).filter(|e| e.topic == id);
        let message = chosen.or_else(|| entries.first().copied());
        TopicInFull {
            count: topic.count,
            interval_ms: topic.interval_ms,
            is_kept: store.is_kept(topic),
            message: message.map(|entry| MessageInFull {
                binary: binary(&entry, topic, store),
                ..in_full(&entry, entry.seq != topic.last.unwrap_or(0), view)
            }),
            has_more: entries.len() > len && len < HISTORY_SHOWN_MAX,
            history,
            paths: number_paths(&reader.last(topic, Trust::Offered), CHART_PATHS_MAX),
        }
    }
}

/// Where the first numbers are in what was read of a payload: the empty path for one that is one number, else
/// paths inside it.
pub fn number_paths(payload: &[u8], paths_max: usize) -> Vec<String> {
    if payload::quick_number(payload).is_some() {
        return vec![String::new()];
    }
    let leaves = leaf_paths(payload, VALUE_PATHS_MAX).into_iter();
    let numbers = leaves.filter_map(|(path, is_number)| is_number.then_some(path));
    numbers.take(paths_max).collect()
}

/// Where the first values are inside what was read of a payload, and whether each is a number.
pub fn leaf_paths(payload: &[u8], paths_max: usize) -> Vec<(String, bool)> {
    let mut paths = Vec::new();
    let Ok(text) = std::str::from_utf8(payload) else { return paths };
    let is_json = json::scan(text, |path, leaf| {
        if paths.len() >= paths_max {
            return;
        }
        let here = json::unescape(&path.join("."));
        if let Leaf::Array(array) = leaf {
            for index in 0..ARRAY_PATHS_MAX {
                let step = format!("[{index}]");
                let Some(leaf) = json::at(array, &step) else { break };
                paths.push((format!("{here}{step}"), matches!(leaf, Leaf::Number(_))));
            }
        } else if !here.is_empty() {
            paths.push((here, matches!(leaf, Leaf::Number(_))));
        }
    });
    paths.truncate(paths_max);
    if is_json { paths } else { Vec::new() }
}

fn history_row<'s>(
    entry: &Entry<'s>,
    before: Option<&Entry<'s>>,
    reader: &mut Reader<'s>,
) -> HistoryRow {
    let read = reader.entry(entry, Trust::Sure);
    let (changes, more) = match before {
        Some(before) => diff::changes(&reader.entry(before, Trust::Sure), &read),
        None => (Vec::new(), 0),
    };
    HistoryRow {
        seq: entry.seq,
        at_ms: entry.at_ms,
        retain: entry.retain,
        value: tree::line(&read, entry.is_whole()),
        is_same: before.is_some_and(|before| before.payload == entry.payload),
        more: u32::try_from(more).unwrap_or(u32::MAX),
        changes: changes
            .into_iter()
            // What changed as a whole stands there already.
            .filter(|change| !change.path.is_empty())
            .map(|change| Difference { path: change.path, from: change.from, to: change.to })
            .collect(),
    }
}

fn in_full(entry: &Entry<'_>, is_older: bool, view: &DetailView) -> MessageInFull {
    let formats = format::available(entry.payload, entry.is_whole());
    let wanted = view.format.filter(|format| formats.contains(format));
    let format = wanted.or_else(|| formats.first().copied()).unwrap_or(Format::Hex);
    MessageInFull {
        seq: entry.seq,
        at_ms: entry.at_ms,
        qos: entry.qos,
        retain: entry.retain,
        is_older,
        payload_len: entry.payload_len as u64,
        kept_len: entry.payload.len() as u64,
        properties: properties(entry.properties),
        formats,
        format,
        payload: format::format(entry.payload, format),
        binary: None,
    }
}

/// What the page needs to find out what a payload says that is no text, or that Sparkplug B promises to
/// be of.
fn binary(entry: &Entry<'_>, topic: &Topic, store: &Store) -> Option<Binary> {
    let is_sparkplug = sparkplug::is_topic(&topic.name);
    let is_text = std::str::from_utf8(entry.payload).is_ok();
    if entry.payload.is_empty() || (is_text && !is_sparkplug) {
        return None;
    }
    let birth = reading::birth(store, &topic.name, Some(entry.seq)).filter(|_| is_sparkplug);
    let birth = birth.map(|birth| birth.payload.to_vec());
    Some(Binary { payload: entry.is_whole().then(|| entry.payload.to_vec()), birth })
}

/// The properties of a PUBLISH by the names of the specification (MQTT 5.0 §3.3.2.3).
pub fn properties(bytes: &[u8]) -> Vec<(String, String)> {
    let owner = PropertyOwner::Packet(PacketType::Publish);
    // They were checked when they came.
    let Ok(properties) = Properties::decode(bytes.to_vec().into(), owner) else {
        return Vec::new();
    };
    properties
        .iter()
        .filter_map(|property| Some((property.id().name().to_owned(), text(property)?)))
        .collect()
}

fn text(property: Property) -> Option<String> {
    Some(match property {
        Property::PayloadFormatIndicator(is_text) => u8::from(is_text).to_string(),
        Property::MessageExpiryInterval(seconds) => format!("{seconds} s"),
        Property::ContentType(text) => text.to_string(),
        Property::ResponseTopic(topic) => topic.to_string(),
        Property::CorrelationData(data) => match std::str::from_utf8(&data) {
            Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
            _ => payload::hex(&data, data.len()),
        },
        Property::SubscriptionIdentifier(number) => number.to_string(),
        Property::UserProperty(name, value) => format!("{name}: {value}"),
        // A PUBLISH carries no others; a Topic Alias is the business of the connection.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::format::Formatted;
    use crate::protocol::{Sort, Step, TopicsView};
    use crate::store::{Limits, Message};

    struct Scene {
        store: Store,
        tree: Tree,
        detail: Detail,
    }

    impl Scene {
        fn new() -> Self {
            let mut tree = Tree::default();
            tree.show(TopicsView { sort: Sort::Name, len: 10, ..TopicsView::default() });
            Self { store: Store::new(Limits::default(), 0.0), tree, detail: Detail::default() }
        }

        fn take(&mut self, payload: &[u8], now_ms: f64) {
            let message = Message { topic: "a/b", payload, ..Message::default() };
            self.store.take(message, now_ms);
        }

        fn look(&mut self, view: DetailView, now_ms: f64) -> TopicInFull {
            self.tree.step(Step::Topic("a/b".into()), &self.store, now_ms);
            self.detail.show(view);
            let shown = self.detail.changed(&self.tree, &self.store, now_ms).unwrap();
            *shown.topic.unwrap()
        }
    }

    fn view() -> DetailView {
        DetailView { history: 10, ..DetailView::default() }
    }

    #[test]
    fn the_history_says_what_changed() {
        let mut scene = Scene::new();
        for (n, payload) in
            [r#"{"t":1,"u":2}"#, r#"{"t":3,"u":2}"#, r#"{"t":3,"u":2}"#].into_iter().enumerate()
        {
            scene.take(payload.as_bytes(), n as f64 * 1_000.0);
        }
        let topic = scene.look(view(), 3_000.0);
        assert_eq!((topic.count, topic.history.len(), topic.has_more), (3, 3, false));
        assert!(topic.history[0].is_same);
        let change = &topic.history[1].changes[0];
        assert_eq!((change.path.as_str(), change.from.as_deref()), ("t", Some("1")));
        let message = topic.message.unwrap();
        assert_eq!(message.format, Format::Json);
        let Formatted::Text { text, .. } = message.payload else { panic!("text") };
        assert_eq!(text, "{\n  \"t\": 3,\n  \"u\": 2\n}");

        let two = DetailView { history: 2, seq: Some(1), ..view() };
        let topic = scene.look(two, 3_000.0);
        assert!(topic.has_more && topic.message.is_some_and(|message| message.is_older));
    }

    #[test]
    fn numbers_are_found_wherever_they_are() {
        let mut scene = Scene::new();
        scene.take(br#"{"air":{"t":1.5},"name":"x","v":-1}"#, 0.0);
        assert_eq!(scene.look(view(), 0.0).paths, ["air.t", "v"]);
        scene.take(b"21.5", 1.0);
        assert_eq!(scene.look(view(), 1.0).paths, [""]);
        scene.take(br#"{"xyz":[1,2.5]}"#, 1.5);
        assert_eq!(scene.look(view(), 1.5).paths, ["xyz[0]", "xyz[1]"]);
        scene.take(b"none", 2.0);
        assert!(scene.look(view(), 2.0).paths.is_empty());
    }

    #[test]
    fn bytes_that_are_no_text_go_to_the_page_with_what_explains_them() {
        let mut scene = Scene::new();
        scene.take(b"21.5", 0.0);
        assert_eq!(scene.look(view(), 1.0).message.unwrap().binary, None);
        scene.take(b"\xa0", 2.0);
        let binary = scene.look(view(), 3.0).message.unwrap().binary.unwrap();
        assert_eq!((binary.payload.as_deref(), binary.birth), (Some(&b"\xa0"[..]), None));

        let (data, birth) = ("spBv1.0/g/NDATA/n", "spBv1.0/g/NBIRTH/n");
        for (topic, payload) in
            [(birth, &b"\x18\x01"[..]), (data, b"\x18\x02"), (birth, b"\x18\x03")]
        {
            scene.store.take(Message { topic, payload, ..Message::default() }, 4.0);
        }
        scene.tree.step(Step::Topic(data.into()), &scene.store, 5.0);
        scene.detail.show(view());
        let shown = scene.detail.changed(&scene.tree, &scene.store, 5.0).unwrap().topic.unwrap();
        let birth = shown.message.unwrap().binary.unwrap().birth;
        assert_eq!(birth.as_deref(), Some(&b"\x18\x01"[..]), "the one that went before");

        let long = vec![0xff; Limits::default().payload + 1];
        scene.take(&long, 6.0);
        assert_eq!(scene.look(view(), 7.0).message.unwrap().binary.unwrap().payload, None);
    }

    #[test]
    fn properties_are_named_as_the_specification_names_them() {
        let string = |text| codec::MqttString::new(text).unwrap();
        let sent = Properties::new([
            Property::ContentType(string("text/plain")),
            Property::UserProperty(string("fw"), string("1.4")),
            Property::CorrelationData(vec![0, 255].into()),
        ])
        .unwrap();
        let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            properties(sent.as_bytes()),
            [
                named("Content Type", "text/plain"),
                named("User Property", "fw: 1.4"),
                named("Correlation Data", "00 ff")
            ]
        );
    }

    #[test]
    fn nothing_new_is_not_sent_again_at_once() {
        let mut scene = Scene::new();
        scene.take(b"1", 0.0);
        scene.look(view(), 10.0);
        let changed = |scene: &mut Scene, now_ms| {
            scene.detail.changed(&scene.tree, &scene.store, now_ms).is_some()
        };
        assert!(!changed(&mut scene, 300.0));
        scene.take(b"2", 301.0);
        assert!(changed(&mut scene, 302.0));
        scene.take(b"3", 303.0);
        assert!(!changed(&mut scene, 304.0), "not so often");
    }
}
