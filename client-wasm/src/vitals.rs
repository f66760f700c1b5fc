//! What a broker's own messages mean: figures, and how they went.
//!
//! A broker publishes its figures in rounds, and in each round only those that have changed. So a round
//! begins with what the one before it ended with. The first of a round is how long the broker has been
//! running; where there is no such figure, a silence tells where a round ends. Where a broker gives totals, what happened in a second
//! is the difference between two rounds, divided by the time between them; before there are two, it is
//! the mean of the last minute, where the broker gives that.

use std::collections::VecDeque;

use crate::history::{Gaps, History, Span};
use crate::limits::SYS_ROUNDS_MAX;
use crate::number::{self, Number, Style};
use crate::protocol::{Chart, Range, Said, Series, Sys, SysState};

/// Where brokers that follow Mosquitto tell of themselves.
const ROOT: &str = "$SYS/broker/";

/// Without an uptime, messages that come closer together than this belong to one round, in milliseconds.
const ROUND_MS: f64 = 500.0;

/// What was stored comes later than this, in milliseconds, only where the page was away meanwhile: some
/// brokers send it slowly, in between what is new.
const LATE_MS: f64 = 5_000.0;

/// The least time that a chart shows, in milliseconds.
const SPAN_MIN_MS: f64 = 60_000.0;

/// A figure of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the figure of its name")]
pub enum Vital {
    Clients,
    ClientsMaximum,
    Sessions,
    MessagesIn,
    MessagesOut,
    PacketsIn,
    PacketsOut,
    BytesIn,
    BytesOut,
    Dropped,
    Subscriptions,
    SharedSubscriptions,
    Retained,
    Stored,
    StoredBytes,
    Memory,
    MemoryMaximum,
    StoreFailing,
    StoreFailures,
    StoreCommits,
    StoreDeliveries,
}

/// Where a figure stands.
struct Source {
    vital: Vital,
    /// Its topic, without the root.
    topic: &'static str,
    /// Where it is a total: the topic of how many there were in the last minute, on average.
    load: Option<&'static str>,
}

const fn level(vital: Vital, topic: &'static str) -> Source {
    Source { vital, topic, load: None }
}

const fn total(vital: Vital, topic: &'static str, load: &'static str) -> Source {
    Source { vital, topic, load: Some(load) }
}

const SOURCES: [Source; 21] = [
    level(Vital::Clients, "clients/connected"),
    level(Vital::ClientsMaximum, "clients/maximum"),
    level(Vital::Sessions, "clients/total"),
    total(Vital::MessagesIn, "publish/messages/received", "load/publish/received/1min"),
    total(Vital::MessagesOut, "publish/messages/sent", "load/publish/sent/1min"),
    // What Mosquitto calls messages here are packets of all types.
    total(Vital::PacketsIn, "messages/received", "load/messages/received/1min"),
    total(Vital::PacketsOut, "messages/sent", "load/messages/sent/1min"),
    total(Vital::BytesIn, "bytes/received", "load/bytes/received/1min"),
    total(Vital::BytesOut, "bytes/sent", "load/bytes/sent/1min"),
    level(Vital::Dropped, "publish/messages/dropped"),
    level(Vital::Subscriptions, "subscriptions/count"),
    level(Vital::SharedSubscriptions, "shared_subscriptions/count"),
    level(Vital::Retained, "retained messages/count"),
    level(Vital::Stored, "store/messages/count"),
    level(Vital::StoredBytes, "store/messages/bytes"),
    level(Vital::Memory, "heap/current"),
    level(Vital::MemoryMaximum, "heap/maximum"),
    level(Vital::StoreFailing, "store/failing"),
    level(Vital::StoreFailures, "store/failures"),
    level(Vital::StoreCommits, "store/commits"),
    level(Vital::StoreDeliveries, "store/deliveries"),
];

/// A figure now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// The number; of totals how many in a second.
    pub value: f64,
    /// Whether it is the mean of the last minute.
    pub is_mean: bool,
}

/// What a topic is to the page.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Role {
    Figure(usize),
    Uptime,
    Version,
    Other,
}

#[derive(Debug)]
struct Topic {
    name: String,
    role: Role,
    text: String,
}

#[derive(Debug, Clone, Copy)]
struct Round {
    at_ms: f64,
    /// Whether it is what the broker had stored: earlier rounds have nothing to do with it.
    begins: bool,
    uptime_s: f64,
    /// NaN where it was not told.
    numbers: [f64; SOURCES.len()],
}

/// All that the broker told of itself.
#[derive(Debug, Default)]
pub struct Vitals {
    state: SysState,
    topics: Vec<Topic>,
    rounds: VecDeque<Round>,
    said_ms: f64,
    not_kept: u64,
}

impl Vitals {
    /// Takes in what is new.
    pub fn take(&mut self, news: &Sys) {
        if news.is_first {
            *self = Self::default();
        }
        self.state = news.state.clone();
        self.not_kept = news.not_kept;
        for name in &news.topics {
            let (name, role) = (name.clone(), role(name));
            self.topics.push(Topic { name, role, text: String::new() });
        }
        for said in &news.said {
            self.take_said(said);
        }
    }

    fn take_said(&mut self, said: &Said) {
        let Some(topic) = self.topics.get_mut(said.topic as usize) else { return };
        topic.text.clone_from(&said.text);
        let role = topic.role;
        let has_uptime = self.uptime_s().is_some();
        let is_first = match role {
            Role::Uptime => !said.retained,
            _ => !has_uptime && said.at_ms - self.said_ms >= ROUND_MS,
        };
        let is_old = said.at_ms - self.said_ms >= LATE_MS;
        let follows = self.rounds.back().is_some_and(|round| match said.retained {
            true => !is_old,
            false => !round.begins,
        });
        if is_first || !follows {
            self.begin_round(said);
        }
        self.said_ms = said.at_ms;
        let Some(round) = self.rounds.back_mut() else { return };
        // A stored total that comes late is of a round long before this one.
        let is_late = said.retained && !round.begins;
        match role {
            Role::Figure(index) => {
                let is_total = SOURCES.get(index).is_some_and(|source| source.load.is_some());
                if let Some(slot) = round.numbers.get_mut(index).filter(|_| !(is_late && is_total))
                {
                    *slot = number(&said.text);
                }
            }
            Role::Uptime if is_late => {}
            Role::Uptime => round.uptime_s = number(&said.text),
            Role::Version | Role::Other => {}
        }
    }

    fn begin_round(&mut self, said: &Said) {
        if self.rounds.len() >= SYS_ROUNDS_MAX {
            self.rounds.pop_front();
        }
        let before = self.rounds.back();
        let numbers = before.map_or([f64::NAN; SOURCES.len()], |round| round.numbers);
        let uptime_s = before.map_or(f64::NAN, |round| round.uptime_s);
        self.rounds.push_back(Round {
            at_ms: said.at_ms,
            begins: said.retained,
            uptime_s,
            numbers,
        });
    }

    /// Whether the broker tells anything, and why not.
    pub fn state(&self) -> &SysState {
        &self.state
    }

    /// Whether it has told nothing.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// Messages of topics for which there was no room.
    pub fn not_kept(&self) -> u64 {
        self.not_kept
    }

    /// What the broker calls itself.
    pub fn version(&self) -> Option<&str> {
        self.topics.iter().find(|t| t.role == Role::Version).map(|t| t.text.as_str())
    }

    /// How long it has been running, in seconds.
    pub fn uptime_s(&self) -> Option<f64> {
        self.rounds.back().map(|round| round.uptime_s).filter(|uptime| uptime.is_finite())
    }

    /// When it last told of itself.
    pub fn at_ms(&self) -> Option<f64> {
        self.rounds.back().filter(|round| !round.begins).map(|round| round.at_ms)
    }

    /// A figure now, if the broker tells it.
    pub fn figure(&self, vital: Vital) -> Option<Figure> {
        let index = index(vital)?;
        let counted = self.number_at(self.rounds.len().checked_sub(1)?, index);
        if let Some(value) = counted {
            return Some(Figure { value, is_mean: false });
        }
        let load = SOURCES.get(index)?.load?;
        let in_a_minute = self.text(load).map(number).filter(|value| value.is_finite())?;
        Some(Figure { value: in_a_minute / 60.0, is_mean: true })
    }

    fn text(&self, topic: &str) -> Option<&str> {
        let is_it = |t: &&Topic| t.name.strip_prefix(ROOT) == Some(topic);
        self.topics.iter().find(is_it).map(|topic| topic.text.as_str())
    }

    /// The number of a figure in a round; of a total how many in a second since the round before.
    fn number_at(&self, round: usize, figure: usize) -> Option<f64> {
        let now = self.rounds.get(round)?;
        let number = now.numbers.get(figure).copied().filter(|number| number.is_finite())?;
        if SOURCES.get(figure)?.load.is_none() {
            return Some(number);
        }
        let before = self.rounds.get(round.checked_sub(1)?)?;
        // What was stored is as old as its round, which its arrival does not tell but its uptime.
        let seconds = if before.begins {
            now.uptime_s - before.uptime_s
        } else {
            (now.at_ms - before.at_ms) / 1_000.0
        };
        let grown = number - before.numbers.get(figure)?;
        // A broker that was started anew counts anew.
        let is_fine = !now.begins && seconds > 0.0 && grown >= 0.0;
        is_fine.then(|| grown / seconds)
    }

    /// How a figure went, with the time of each round; the oldest first.
    pub fn series(&self, vital: Vital) -> impl DoubleEndedIterator<Item = (f64, f64)> {
        let index = index(vital);
        (0..self.rounds.len()).filter_map(move |round| {
            Some((self.rounds.get(round)?.at_ms, self.number_at(round, index?)?))
        })
    }

    /// The chart of a figure; none before it was told.
    pub fn chart(&self, vital: Vital, range: Range, width: u16) -> Option<Chart> {
        let oldest_ms = self.rounds.front()?.at_ms;
        let newest_ms = self.rounds.back()?.at_ms;
        let mut history = History::default();
        let is_count = unit(vital).is_some() || SOURCES.get(index(vital)?)?.load.is_none();
        let decimals = if is_count { 0 } else { 1 };
        for (at_ms, value) in self.series(vital) {
            let number = Number { text: "", value, style: Style::Decimals(decimals) };
            history.push(at_ms - oldest_ms, &number, SYS_ROUNDS_MAX);
        }
        if history.is_empty() {
            return None;
        }
        // A figure that has only begun stands at the end of a minute.
        let first_ms = oldest_ms.min(newest_ms - SPAN_MIN_MS);
        let (from_ms, to_ms) = match range {
            Range::All => (first_ms, newest_ms),
            Range::Last { ms } => (first_ms.max(newest_ms - ms), newest_ms),
            Range::Between { from_ms, to_ms } => (from_ms, to_ms),
        };
        let from_ms = from_ms.min(to_ms - 1.0);
        let span = Span { from_ms: from_ms - oldest_ms, to_ms: to_ms - oldest_ms, width };
        let gaps = self.gaps(oldest_ms);
        let unit = unit(vital).map(str::to_owned);
        let series = Series::new(&history, span, &gaps, f64::INFINITY, oldest_ms, unit);
        let oldest_ms = Some(oldest_ms);
        Some(Chart { from_ms, to_ms, oldest_ms, width: width.max(1), series: vec![series] })
    }

    /// The times that the page heard nothing: before each round of what was stored.
    fn gaps(&self, first_ms: f64) -> Gaps {
        let mut gaps = Gaps::default();
        for (before, round) in self.rounds.iter().zip(self.rounds.iter().skip(1)) {
            if round.begins {
                gaps.begin(before.at_ms - first_ms);
                gaps.end(round.at_ms - first_ms);
            }
        }
        gaps
    }

    /// All that was told beside the figures, by topic.
    pub fn others(&self) -> Vec<(&str, &str)> {
        let mut others: Vec<_> = self
            .topics
            .iter()
            .filter(|topic| topic.role == Role::Other)
            .map(|topic| (topic.name.as_str(), topic.text.as_str()))
            .collect();
        others.sort_unstable();
        others
    }
}

fn index(vital: Vital) -> Option<usize> {
    SOURCES.iter().position(|source| source.vital == vital)
}

/// The unit of a figure, where it has one.
pub fn unit(vital: Vital) -> Option<&'static str> {
    match vital {
        Vital::BytesIn
        | Vital::BytesOut
        | Vital::StoredBytes
        | Vital::Memory
        | Vital::MemoryMaximum => Some("B"),
        _ => None,
    }
}

fn role(name: &str) -> Role {
    match name.strip_prefix(ROOT) {
        Some("uptime") => Role::Uptime,
        Some("version") => Role::Version,
        Some(name) => {
            SOURCES.iter().position(|source| source.topic == name).map_or(Role::Other, Role::Figure)
        }
        None => Role::Other,
    }
}

/// The number at the beginning of a text such as `12 seconds`; NaN where there is none.
fn number(text: &str) -> f64 {
    let first = text.split_ascii_whitespace().next().unwrap_or_default();
    number::parse(first).map_or(f64::NAN, |number| number.value)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// A broker that tells of itself.
    #[derive(Default)]
    struct Broker {
        vitals: Vitals,
        topics: Vec<String>,
    }

    impl Broker {
        fn tell(&mut self, at_ms: f64, retained: bool, told: &[(&str, &str)]) {
            let known = self.topics.len();
            let mut said = Vec::new();
            for (topic, text) in told {
                let name = format!("$SYS/broker/{topic}");
                let at = self.topics.iter().position(|known| *known == name);
                let at = at.unwrap_or_else(|| {
                    self.topics.push(name);
                    self.topics.len() - 1
                });
                let text = (*text).to_owned();
                said.push(Said { topic: at as u32, at_ms, text, retained });
            }
            self.vitals.take(&Sys {
                state: SysState::Subscribed,
                is_first: known == 0,
                topics: self.topics[known..].to_vec(),
                said,
                not_kept: 0,
            });
        }

        fn value(&self, vital: Vital) -> Option<(f64, bool)> {
            self.vitals.figure(vital).map(|figure| (figure.value, figure.is_mean))
        }
    }

    #[test]
    fn totals_become_rates_and_before_that_the_mean_of_a_minute() {
        let mut broker = Broker::default();
        broker.tell(
            1_000.0,
            true,
            &[
                ("version", "mosquitto version 2.0.11"),
                ("uptime", "100 seconds"),
                ("clients/connected", "3"),
                ("bytes/received", "5000"),
                ("load/bytes/received/1min", "600.00"),
                ("publish/messages/received", "7"),
            ],
        );
        assert_eq!(broker.value(Vital::Clients), Some((3.0, false)));
        assert_eq!(broker.value(Vital::BytesIn), Some((10.0, true)));
        assert_eq!(broker.value(Vital::MessagesIn), None, "it does not say how many in a minute");
        assert_eq!(broker.value(Vital::Memory), None);
        assert_eq!(broker.vitals.version(), Some("mosquitto version 2.0.11"));

        // It came at once, but is of a round ten seconds before this one.
        broker.tell(1_400.0, false, &[("uptime", "110 seconds"), ("bytes/received", "6000")]);
        assert_eq!(broker.value(Vital::BytesIn), Some((100.0, false)));
        assert_eq!(broker.value(Vital::MessagesIn), Some((0.0, false)), "it has not changed");
        // From then on the clock of the page tells more exactly.
        broker.tell(11_900.0, false, &[("uptime", "120 seconds"), ("bytes/received", "8100")]);
        assert_eq!(broker.value(Vital::BytesIn), Some((200.0, false)));
        assert_eq!(broker.vitals.uptime_s(), Some(120.0));
        let series: Vec<_> = broker.vitals.series(Vital::BytesIn).collect();
        assert_eq!(series, [(1_400.0, 100.0), (11_900.0, 200.0)]);
    }

    #[test]
    fn a_round_begins_with_the_uptime_however_slowly_the_rest_follows() {
        let mut broker = Broker::default();
        broker.tell(0.0, false, &[("uptime", "10 seconds"), ("bytes/sent", "0")]);
        broker.tell(10_000.0, false, &[("uptime", "20 seconds")]);
        assert_eq!(broker.value(Vital::BytesOut), Some((0.0, false)), "nothing else is known yet");
        broker.tell(13_000.0, false, &[("bytes/sent", "1000")]);
        assert_eq!(broker.value(Vital::BytesOut), Some((100.0, false)));
        assert_eq!(broker.vitals.series(Vital::BytesOut).count(), 1);
    }

    #[test]
    fn without_an_uptime_a_round_is_what_comes_together() {
        let mut broker = Broker::default();
        broker.tell(0.0, false, &[("bytes/sent", "0")]);
        broker.tell(10_000.0, false, &[("bytes/received", "1"), ("bytes/sent", "500")]);
        broker.tell(10_100.0, false, &[("bytes/sent", "1000")]);
        assert_eq!(broker.value(Vital::BytesOut), Some((100.0, false)));
        assert_eq!(broker.vitals.series(Vital::BytesOut).count(), 1);
    }

    #[test]
    fn what_was_stored_may_come_in_between_and_is_no_rate() {
        let mut broker = Broker::default();
        broker.tell(0.0, true, &[("uptime", "10 seconds"), ("clients/connected", "4")]);
        broker.tell(200.0, false, &[("uptime", "20 seconds")]);
        broker.tell(300.0, true, &[("bytes/sent", "100"), ("subscriptions/count", "7")]);
        assert_eq!(broker.value(Vital::Subscriptions), Some((7.0, false)));
        broker.tell(1_000.0, false, &[("bytes/sent", "5100")]);
        assert_eq!(broker.value(Vital::BytesOut), None);
        broker.tell(10_200.0, false, &[("uptime", "30 seconds"), ("bytes/sent", "6100")]);
        assert_eq!(broker.value(Vital::BytesOut), Some((100.0, false)));
        assert_eq!(broker.vitals.series(Vital::Clients).count(), 3);
    }

    #[test]
    fn a_restart_of_the_broker_and_a_lost_connection_are_no_rates() {
        let mut broker = Broker::default();
        broker.tell(0.0, false, &[("bytes/sent", "9000"), ("clients/connected", "5")]);
        broker.tell(10_000.0, false, &[("bytes/sent", "9500")]);
        broker.tell(20_000.0, false, &[("bytes/sent", "20"), ("clients/connected", "1")]);
        assert_eq!(broker.value(Vital::BytesOut), None, "it counts anew");
        broker.tell(30_000.0, false, &[("bytes/sent", "40")]);
        assert_eq!(broker.value(Vital::BytesOut), Some((2.0, false)));
        broker.tell(90_000.0, true, &[("bytes/sent", "4000"), ("clients/connected", "2")]);
        assert_eq!(broker.value(Vital::BytesOut), None, "nobody knows what came between");
        let chart = broker.vitals.chart(Vital::Clients, Range::All, 100).unwrap();
        let line = &chart.series[0];
        let gaps: Vec<_> = line.slices.iter().map(|slice| slice.gap).collect();
        assert_eq!(gaps, [false, false, false, false, true]);
        let summary = line.summary.unwrap();
        assert_eq!((summary.low.value, summary.high.value, summary.count), (1.0, 5.0, 5));
    }

    #[test]
    fn a_chart_shows_its_span_and_its_unit() {
        let mut broker = Broker::default();
        for second in 0..10u32 {
            let bytes = (1_000_000 * second).to_string();
            broker.tell(f64::from(second) * 60_000.0, false, &[("heap/current", &bytes)]);
        }
        let chart = broker.vitals.chart(Vital::Memory, Range::Last { ms: 120_000.0 }, 100).unwrap();
        let count = chart.series[0].summary.map(|summary| summary.count);
        assert_eq!((chart.from_ms, count), (420_000.0, Some(3)));
        assert_eq!(chart.series[0].unit.as_deref(), Some("B"));
        assert!(broker.vitals.chart(Vital::Clients, Range::All, 100).is_none());
    }

    #[test]
    fn a_chart_that_has_only_begun_shows_a_minute() {
        let mut broker = Broker::default();
        broker.tell(1_000_000.0, false, &[("clients/connected", "3")]);
        let chart = broker.vitals.chart(Vital::Clients, Range::All, 60).unwrap();
        assert_eq!((chart.from_ms, chart.to_ms), (940_000.0, 1_000_000.0));
        assert_eq!(chart.series[0].summary.map(|summary| summary.count), Some(1));
        broker.tell(1_090_000.0, false, &[("clients/connected", "3")]);
        let chart = broker.vitals.chart(Vital::Clients, Range::All, 60).unwrap();
        assert_eq!(chart.from_ms, 1_000_000.0);
    }

    #[test]
    fn what_has_no_figure_stands_in_the_table() {
        let mut broker = Broker::default();
        broker.tell(0.0, true, &[("b", "2 things"), ("a", ""), ("clients/connected", "x")]);
        broker.vitals.take(&Sys {
            state: SysState::Subscribed,
            is_first: false,
            topics: vec!["$SYS/brokers".into()],
            said: vec![
                Said { topic: 3, at_ms: 1.0, text: "emqx@node".into(), retained: true },
                Said { topic: 99, at_ms: 1.0, text: "no such topic".into(), retained: true },
            ],
            not_kept: 4,
        });
        let others =
            [("$SYS/broker/a", ""), ("$SYS/broker/b", "2 things"), ("$SYS/brokers", "emqx@node")];
        assert_eq!(broker.vitals.others(), others);
        assert_eq!(broker.value(Vital::Clients), None, "no number");
        assert_eq!(broker.vitals.not_kept(), 4);
    }
}
