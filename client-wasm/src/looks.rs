//! What the page looks at beside its cards: charts of any numbers, values for widgets, the last messages
//! of a topic. Built when the page looks, at a cost that follows what is shown.

use crate::card;
use crate::decode::Trust;
use crate::detail;
use crate::history::Span;
use crate::inside::Inside;
use crate::limits::{
    CHART_WIDTH_MAX, LOOKS_MAX, POINTS_PER_PATH_MAX, RECENT_MESSAGES_MAX, SOURCES_PER_LOOK_MAX,
    VALUE_PATHS_MAX,
};
use crate::messages;
use crate::protocol::{Chart, ChartView, Look, MessageRow, Range, Series, Sight, Slot, Source};
use crate::reading::Reader;
use crate::store::{Store, Topic, TopicId};

/// How often new messages change a chart or a list, in milliseconds.
const INTERVAL_MS: f64 = 200.0;

/// How often a chart moves because time goes on, in milliseconds, at most.
const SHIFT_MS: f64 = 1_000.0;

/// The shortest time that a chart shows, in milliseconds.
const SPAN_MS_MIN: f64 = 20.0;

/// Everything that the page looks at, by slot.
#[derive(Debug, Default)]
pub struct Looks {
    looks: Vec<Kept>,
    /// The numbers inside payloads that the charts are of, by topic.
    paths: Vec<(String, Inside)>,
}

/// One look, and what the page has of it.
#[derive(Debug)]
struct Kept {
    slot: Slot,
    look: Look,
    /// When it was sent; never before the first time.
    sent_ms: Option<f64>,
    /// How many messages the topics had by then.
    sent_count: u64,
}

impl Looks {
    /// The page looks at something else in this slot, or at nothing any more.
    pub fn look(&mut self, slot: Slot, look: Option<Look>) {
        self.looks.retain(|kept| kept.slot != slot);
        if let Some(mut look) = look.filter(|_| self.looks.len() < LOOKS_MAX) {
            if let Look::Chart(ChartView { sources, .. }) | Look::Values(sources) = &mut look {
                sources.truncate(SOURCES_PER_LOOK_MAX);
            }
            self.looks.push(Kept { slot, look, sent_ms: None, sent_count: 0 });
        }
        let looks = &self.looks;
        self.paths.retain(|kept| {
            let is_kept = |source: &Source| is_of(kept, source);
            looks.iter().any(|kept| match &kept.look {
                Look::Chart(view) => view.sources.iter().any(is_kept),
                _ => false,
            })
        });
    }

    /// What has changed.
    pub fn changed(&mut self, store: &Store, now_ms: f64) -> Vec<(Slot, Sight)> {
        let mut changed = Vec::new();
        for index in 0..self.looks.len() {
            let Some(kept) = self.looks.get_mut(index) else { break };
            let count = count(&kept.look, store);
            if !kept.is_due(count, now_ms) {
                continue;
            }
            kept.sent_ms = Some(now_ms);
            kept.sent_count = count;
            let (slot, look) = (kept.slot, kept.look.clone());
            changed.push((slot, self.sight(&look, store, now_ms)));
        }
        changed
    }

    fn sight(&mut self, look: &Look, store: &Store, now_ms: f64) -> Sight {
        match look {
            Look::Chart(view) => Sight::Chart(self.chart(view, store, now_ms)),
            Look::Values(sources) => {
                let mut reader = Reader::new(store);
                let value = |source: &Source| {
                    let (id, topic) = topic(source, store)?;
                    card::card_at(id, topic, &source.path, &mut reader)
                };
                Sight::Values(sources.iter().map(value).collect())
            }
            Look::Recent { topic, len } => Sight::Recent(recent(topic, *len, store)),
            Look::Paths(topic) => {
                let topic = store.id(topic).and_then(|id| store.topic(id));
                let mut reader = Reader::new(store);
                let read =
                    topic.map(|topic| reader.last(topic, Trust::Offered)).unwrap_or_default();
                Sight::Paths(detail::leaf_paths(&read, VALUE_PATHS_MAX))
            }
        }
    }

    fn chart(&mut self, view: &ChartView, store: &Store, now_ms: f64) -> Chart {
        let began_ms = store.began_ms();
        for source in view.sources.iter().filter(|source| !source.path.is_empty()) {
            let at = self.paths.iter().position(|kept| is_of(kept, source));
            let at = at.unwrap_or_else(|| {
                let inside = Inside::new(source.path.clone(), POINTS_PER_PATH_MAX);
                self.paths.push((source.topic.clone(), inside));
                self.paths.len().saturating_sub(1)
            });
            let inside = self.paths.get_mut(at);
            if let (Some((_, inside)), Some((_, topic))) = (inside, topic(source, store)) {
                inside.follow(topic, store);
            }
        }
        let history = |source: &Source| match source.path.is_empty() {
            true => topic(source, store).map(|(_, topic)| topic.history()),
            false => {
                let kept = self.paths.iter().find(|kept| is_of(kept, source));
                kept.map(|(_, inside)| inside.history())
            }
        };
        let oldest_ms =
            view.sources.iter().filter_map(|s| history(s)?.oldest_ms()).reduce(f64::min);
        let now = now_ms - began_ms;
        let (from_ms, to_ms) = match view.range {
            Range::All => (oldest_ms.unwrap_or(now), now),
            Range::Last { ms } => (now - ms, now),
            Range::Between { from_ms, to_ms } => (from_ms - began_ms, to_ms - began_ms),
        };
        let from_ms = from_ms.min(to_ms - SPAN_MS_MIN);
        let span = Span { from_ms, to_ms, width: view.width.clamp(1, CHART_WIDTH_MAX) };
        let series = |source: &Source| {
            let Some((_, topic)) = topic(source, store) else { return Series::default() };
            let apart_ms_max = card::stale_after_ms(topic).unwrap_or(f64::INFINITY);
            let unit = card::unit_at(topic, &source.path, &mut Reader::new(store));
            let Some(history) = history(source) else {
                return Series { unit, ..Series::default() };
            };
            Series::new(history, span, store.gaps(), apart_ms_max, began_ms, unit)
        };
        Chart {
            from_ms: began_ms + from_ms,
            to_ms: began_ms + to_ms,
            oldest_ms: oldest_ms.map(|oldest_ms| began_ms + oldest_ms),
            width: span.width,
            series: view.sources.iter().map(series).collect(),
        }
    }
}

impl Kept {
    fn is_due(&self, count: u64, now_ms: f64) -> bool {
        let Some(sent_ms) = self.sent_ms else { return true };
        let is_new = count != self.sent_count;
        let passed_ms = now_ms - sent_ms;
        // A clock that was set back begins anew.
        if passed_ms < 0.0 {
            return true;
        }
        match &self.look {
            // A value is one number: it is there as soon as it has come.
            Look::Values(_) => is_new,
            // What is offered while somebody writes need not follow each message.
            Look::Paths(_) => is_new && passed_ms >= SHIFT_MS,
            Look::Recent { .. } => is_new && passed_ms >= INTERVAL_MS,
            Look::Chart(view) => match view.range {
                Range::Between { to_ms, .. } => is_new && sent_ms <= to_ms && passed_ms >= SHIFT_MS,
                Range::Last { ms } => {
                    // Less than a pixel need not be shown.
                    let pixel_ms = ms / f64::from(view.width.max(1));
                    is_new && passed_ms >= INTERVAL_MS.max(pixel_ms.min(SHIFT_MS))
                        || passed_ms >= SHIFT_MS.max(pixel_ms)
                }
                Range::All => is_new && passed_ms >= INTERVAL_MS || passed_ms >= SHIFT_MS,
            },
        }
    }
}

fn is_of((topic, inside): &(String, Inside), source: &Source) -> bool {
    *topic == source.topic && inside.path() == source.path
}

fn topic<'a>(source: &Source, store: &'a Store) -> Option<(TopicId, &'a Topic)> {
    let id = store.id(&source.topic)?;
    Some((id, store.topic(id)?))
}

/// How many messages the topics of a look have had.
fn count(look: &Look, store: &Store) -> u64 {
    let count = |name: &str| store.id(name).and_then(|id| store.topic(id)).map_or(0, |t| t.count);
    match look {
        Look::Chart(ChartView { sources, .. }) | Look::Values(sources) => {
            sources.iter().fold(0, |sum, source| sum.wrapping_add(count(&source.topic)))
        }
        Look::Recent { topic, .. } | Look::Paths(topic) => count(topic),
    }
}

/// The last messages of a topic, the newest first.
fn recent(topic: &str, len: u16, store: &Store) -> Vec<MessageRow> {
    let Some(topic) = store.id(topic).and_then(|id| store.topic(id)) else { return Vec::new() };
    let mut reader = Reader::new(store);
    let row = |entry| messages::row(&entry, topic, &mut reader);
    let len = usize::from(len).min(RECENT_MESSAGES_MAX);
    store.log().back_from(topic.last).take(len).map(row).collect()
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::protocol::Value;
    use crate::store::{Limits, Message};

    const START_MS: f64 = 1_700_000_000_000.0;

    struct Scene {
        store: Store,
        looks: Looks,
    }

    impl Scene {
        fn new() -> Self {
            Self { store: Store::new(Limits::default(), START_MS), looks: Looks::default() }
        }

        fn take(&mut self, topic: &str, payload: &str, at_ms: f64) {
            let message = Message { topic, payload: payload.as_bytes(), ..Message::default() };
            self.store.take(message, START_MS + at_ms);
        }

        fn changed(&mut self, at_ms: f64) -> Vec<(Slot, Sight)> {
            self.looks.changed(&self.store, START_MS + at_ms)
        }

        fn chart(&mut self, view: ChartView, at_ms: f64) -> Chart {
            self.looks.look(0, Some(Look::Chart(view)));
            match self.changed(at_ms).pop() {
                Some((0, Sight::Chart(chart))) => chart,
                other => panic!("{other:?}"),
            }
        }
    }

    fn source(topic: &str, path: &str) -> Source {
        Source { topic: topic.into(), path: path.into() }
    }

    fn view(sources: &[Source], range: Range) -> ChartView {
        ChartView { sources: sources.to_vec(), range, width: 100 }
    }

    #[test]
    fn any_number_can_be_drawn_and_several_at_once() {
        let mut scene = Scene::new();
        for n in 0..20u32 {
            let at_ms = f64::from(n) * 1_000.0;
            scene.take("a/b", &format!(r#"{{"air":{{"temp":{n}.5}},"v":-1}}"#), at_ms);
            scene.take("plain", "7.0", at_ms);
        }
        let sources = [source("a/b", "air.temp"), source("plain", ""), source("not/there", "x")];
        let chart = scene.chart(view(&sources, Range::All), 20_000.0);
        assert_eq!((chart.from_ms, chart.to_ms), (START_MS, START_MS + 20_000.0));
        let [air, plain, nothing] = chart.series.as_slice() else { panic!("three") };
        let summary = air.summary.unwrap();
        assert_eq!((summary.low.value, summary.high.value, summary.count), (0.5, 19.5, 20));
        assert_eq!((summary.mean, air.unit.as_deref()), (10.0, Some("°")));
        assert_eq!(plain.summary.unwrap().mean, 7.0);
        assert_eq!(nothing, &Series::default());
        assert_eq!(air.slices.last().unwrap().to_ms, START_MS + 19_000.0, "times are absolute");

        scene.take("a/b", r#"{"air":{"temp":99}}"#, 21_000.0);
        let last = view(&sources, Range::Last { ms: 5_000.0 });
        let chart = scene.chart(last, 21_000.0);
        assert_eq!(chart.from_ms, START_MS + 16_000.0);
        assert_eq!(chart.series[0].summary.unwrap().high.value, 99.0);
        let range = Range::Between { from_ms: START_MS + 2_000.0, to_ms: START_MS + 3_000.0 };
        let chart = scene.chart(view(&sources[1..2], range), 22_000.0);
        assert_eq!(chart.series[0].summary.unwrap().count, 2);
    }

    #[test]
    fn a_chart_moves_on_and_one_of_the_past_stands_still() {
        let mut scene = Scene::new();
        scene.take("a", "1", 0.0);
        let sources = [source("a", "")];
        scene.chart(view(&sources, Range::Last { ms: 10_000.0 }), 0.0);
        assert!(scene.changed(500.0).is_empty());
        scene.take("a", "2", 501.0);
        assert_eq!(scene.changed(502.0).len(), 1, "something new");
        scene.take("a", "3", 503.0);
        assert!(scene.changed(504.0).is_empty(), "not so often");
        assert_eq!(scene.changed(1_600.0).len(), 1, "time goes on");
        let range = Range::Between { from_ms: START_MS, to_ms: START_MS + 1_000.0 };
        scene.chart(view(&sources, range), 2_000.0);
        scene.take("a", "4", 3_000.0);
        assert!(scene.changed(10_000.0).is_empty(), "nothing can change there");
        scene.looks.look(0, None);
        assert!(scene.looks.looks.is_empty());
    }

    #[test]
    fn values_are_sent_when_they_come() {
        let mut scene = Scene::new();
        let sources = vec![source("a", ""), source("j", "x"), source("no", "")];
        scene.looks.look(3, Some(Look::Values(sources)));
        assert_eq!(scene.changed(0.0), [(3, Sight::Values(vec![None, None, None]))]);
        scene.take("a", "127.0", 1.0);
        scene.take("j", r#"{"x":true}"#, 1.0);
        let mut changed = scene.changed(2.0);
        let Some((3, Sight::Values(values))) = changed.pop() else { panic!("{changed:?}") };
        let text = |value: &Value| match value {
            Value::Number { text, .. } | Value::Flag { text, .. } => text.clone(),
            other => panic!("{other:?}"),
        };
        let shown: Vec<_> = values.iter().map(|v| v.as_ref().map(|c| text(&c.value))).collect();
        assert_eq!(shown, [Some("127.0".to_owned()), Some("true".to_owned()), None]);
        assert!(scene.changed(3.0).is_empty());
    }

    #[test]
    fn the_last_messages_of_a_topic_come_newest_first() {
        let mut scene = Scene::new();
        for n in 0..5u32 {
            scene.take("a", &n.to_string(), f64::from(n));
        }
        scene.looks.look(1, Some(Look::Recent { topic: "a".into(), len: 3 }));
        let changed = scene.changed(10.0);
        let Some((1, Sight::Recent(rows))) = changed.first() else { panic!("{changed:?}") };
        let values: Vec<_> = rows.iter().map(|row| row.value.as_str()).collect();
        assert_eq!(values, ["4", "3", "2"]);
    }

    #[test]
    fn what_a_topic_has_inside_is_offered() {
        let mut scene = Scene::new();
        scene.looks.look(0, Some(Look::Paths("j".into())));
        assert_eq!(scene.changed(0.0), [(0, Sight::Paths(Vec::new()))]);
        scene.take("j", r#"{"air":{"temp":21.5},"on":true,"list":[1]}"#, 1.0);
        let paths = [("air.temp", true), ("on", false), ("list[0]", true)];
        let paths = paths.map(|(path, is_number)| (path.to_owned(), is_number)).to_vec();
        assert_eq!(scene.changed(1_500.0), [(0, Sight::Paths(paths))]);
    }

    #[test]
    fn there_is_a_limit_to_what_is_looked_at() {
        let mut scene = Scene::new();
        for slot in 0..1_000 {
            let sources = vec![source("a", ""); 100];
            scene.looks.look(slot, Some(Look::Values(sources)));
        }
        let changed = scene.changed(0.0);
        assert_eq!(changed.len(), LOOKS_MAX);
        let Sight::Values(values) = &changed[0].1 else { panic!("values") };
        assert_eq!(values.len(), SOURCES_PER_LOOK_MAX);
    }
}
