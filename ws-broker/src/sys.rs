//! `$SYS`: what the broker tells of itself, under the topics that Mosquitto has for it.
//!
//! A round compares the broker's figures with those of the round before. What has changed is published as
//! a retained message; what has not stands there already.

use std::time::Duration;

use bytes::Bytes;
use codec::{Properties, QoS, TopicName};
use hashbrown::HashMap;

use crate::broker::{Figures, Message, Totals};
use crate::time::Ms;

/// Where all of it stands.
const ROOT: &str = "$SYS/broker";

/// Finds one figure among all.
type Of = fn(&Totals) -> u64;

/// What is averaged, by the name of its topics.
const LOADS: [(&str, Of); 9] = [
    ("messages/received", |totals| totals.packets_received),
    ("messages/sent", |totals| totals.packets_sent),
    ("publish/dropped", Totals::dropped),
    ("publish/received", |totals| totals.publishes_received),
    ("publish/sent", |totals| totals.publishes_sent),
    ("bytes/received", |totals| totals.bytes_received),
    ("bytes/sent", |totals| totals.bytes_sent),
    ("sockets", |totals| totals.connections_accepted),
    ("connections", |totals| totals.connects_received),
];

/// How far back an average looks, by the name of its topic.
const WINDOWS: [(&str, Duration); 3] = [
    ("1min", Duration::from_secs(60)),
    ("5min", Duration::from_secs(5 * 60)),
    ("15min", Duration::from_secs(15 * 60)),
];

/// What was published last, and what the next round needs to know of it.
#[derive(Debug, Default)]
pub(crate) struct Sys {
    /// The payload of each topic.
    said: HashMap<String, String>,
    /// When the last round was, and what had been counted by then.
    before: Option<(Ms, Totals)>,
    loads: [[Average; WINDOWS.len()]; LOADS.len()],
    clients_maximum: u64,
}

impl Sys {
    /// Whether it is time for a round, with so many seconds between two of them; 0 is for no rounds.
    pub(crate) fn is_due(&self, now: Ms, interval_s: u32) -> bool {
        let Some((last, _)) = &self.before else { return interval_s > 0 };
        interval_s > 0 && now.saturating_sub(*last) >= crate::time::seconds(interval_s)
    }

    /// The messages that say what is new.
    pub(crate) fn round(&mut self, figures: &Figures) -> Vec<Message> {
        self.look_back(figures);
        let mut messages = Vec::new();
        for (name, payload) in self.topics(figures) {
            if self.said.get(&name) == Some(&payload) {
                continue;
            }
            if let Ok(topic) = TopicName::new(&format!("{ROOT}/{name}")) {
                let bytes = Bytes::from(payload.clone().into_bytes());
                let qos = QoS::ExactlyOnce;
                messages.push(Message::new(topic, bytes, qos, true, Properties::EMPTY));
            }
            self.said.insert(name, payload);
        }
        messages
    }

    /// Brings the averages up to date.
    fn look_back(&mut self, figures: &Figures) {
        let totals = &figures.totals;
        let now = figures.uptime_ms;
        if let Some((then, before)) = &self.before {
            let passed = Duration::from_millis(now.saturating_sub(*then));
            for (averages, (_, of)) in self.loads.iter_mut().zip(LOADS) {
                let counted = of(totals).saturating_sub(of(before));
                for (average, (_, window)) in averages.iter_mut().zip(WINDOWS) {
                    average.take(counted, passed, window);
                }
            }
        }
        self.before = Some((now, totals.clone()));
        self.clients_maximum = self.clients_maximum.max(totals.clients_connected);
    }

    fn topics(&self, figures: &Figures) -> Vec<(String, String)> {
        let totals = &figures.totals;
        let connected = totals.clients_connected;
        let disconnected = totals.sessions.saturating_sub(connected);
        let waiting = totals.queued_messages.saturating_add(totals.inflight_messages);
        let stored = figures.retained_messages.saturating_add(waiting);
        let stored_bytes = figures.retained_bytes.saturating_add(totals.queued_bytes);
        let mut topics = vec![
            ("version".into(), format!("ws-broker version {}", env!("CARGO_PKG_VERSION"))),
            ("uptime".into(), format!("{} seconds", figures.uptime_ms / 1000)),
        ];
        let numbers = [
            ("clients/total", totals.sessions),
            ("clients/maximum", self.clients_maximum),
            ("clients/connected", connected),
            ("clients/active", connected),
            ("clients/disconnected", disconnected),
            ("clients/inactive", disconnected),
            ("clients/expired", totals.sessions_expired),
            ("messages/received", totals.packets_received),
            ("messages/sent", totals.packets_sent),
            ("messages/inflight", totals.inflight_messages),
            ("messages/stored", stored),
            ("store/messages/count", stored),
            ("store/messages/bytes", stored_bytes),
            ("publish/messages/received", totals.publishes_received),
            ("publish/messages/sent", totals.publishes_sent),
            ("publish/messages/dropped", totals.dropped()),
            ("publish/bytes/received", totals.publish_bytes_received),
            ("publish/bytes/sent", totals.publish_bytes_sent),
            ("bytes/received", totals.bytes_received),
            ("bytes/sent", totals.bytes_sent),
            ("retained messages/count", figures.retained_messages),
            ("subscriptions/count", figures.subscriptions),
            ("shared_subscriptions/count", figures.shared_subscriptions),
            ("heap/current", figures.memory_bytes),
            ("heap/maximum", figures.memory_maximum_bytes),
        ];
        topics.extend(numbers.map(|(name, number)| (name.to_owned(), number.to_string())));
        if let Some(store) = &figures.store {
            let numbers = [
                ("store/failing", u64::from(store.is_failing)),
                ("store/failures", store.failures),
                ("store/commits", store.commits),
                ("store/deliveries", store.deliveries),
            ];
            topics.extend(numbers.map(|(name, number)| (name.to_owned(), number.to_string())));
        }
        for ((of, _), averages) in LOADS.iter().zip(&self.loads) {
            for ((window, _), average) in WINDOWS.iter().zip(averages) {
                topics.push((format!("load/{of}/{window}"), format!("{:.2}", average.0)));
            }
        }
        topics
    }
}

/// How many there were in a minute, as an average in which what is long past weighs ever less.
#[derive(Debug, Default, Clone, Copy)]
struct Average(f64);

impl Average {
    /// Takes in what was counted in the time that has passed.
    fn take(&mut self, counted: u64, passed: Duration, window: Duration) {
        let seconds = passed.as_secs_f64();
        if seconds > 0.0 {
            // As a float, a number of this size is off by less than what two digits show.
            let in_a_minute = counted as f64 * 60.0 / seconds;
            let weight_of_the_past = (-seconds / window.as_secs_f64()).exp();
            self.0 = in_a_minute + weight_of_the_past * (self.0 - in_a_minute);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(uptime_ms: Ms, packets_received: u64) -> Figures {
        let totals = Totals { packets_received, ..Totals::default() };
        Figures { totals, uptime_ms, ..Figures::default() }
    }

    fn said(messages: &[Message]) -> HashMap<String, String> {
        messages
            .iter()
            .map(|message| {
                assert!(message.retain);
                let topic = message.topic.as_str().strip_prefix("$SYS/broker/").unwrap();
                (topic.to_owned(), String::from_utf8(message.payload.to_vec()).unwrap())
            })
            .collect()
    }

    /// The averages of so many per minute, in rounds of so many seconds, after so many seconds.
    #[test]
    fn averages_follow_the_rate() {
        for (per_minute, round_s, after_s, want) in [
            (60, 1, 60, ["37.93", "10.88", "3.87"]),
            (60, 10, 60, ["37.93", "10.88", "3.87"]),
            (60, 60, 600, ["60.00", "51.88", "29.19"]),
            (0, 10, 600, ["0.00", "0.00", "0.00"]),
            (6000, 10, 3600, ["6000.00", "5999.96", "5890.11"]),
        ] {
            let mut averages = [Average::default(); 3];
            for _ in 0..after_s / round_s {
                for (average, (_, window)) in averages.iter_mut().zip(WINDOWS) {
                    let counted = per_minute * round_s / 60;
                    average.take(counted, Duration::from_secs(round_s), window);
                }
            }
            let averages = averages.map(|average| format!("{:.2}", average.0));
            assert_eq!(averages, want, "{per_minute} a minute, every {round_s} s, {after_s} s");
        }
    }

    #[test]
    fn an_average_fades_when_nothing_happens_any_more() {
        let mut average = Average::default();
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        average.take(100, second, minute);
        let high = average.0;
        average.take(0, minute, minute);
        assert!((average.0 - high / std::f64::consts::E).abs() < 1e-9);
        // A clock that stands still changes nothing.
        average.take(100, Duration::ZERO, minute);
        assert!((average.0 - high / std::f64::consts::E).abs() < 1e-9);
    }

    #[test]
    fn the_first_round_says_everything_and_the_next_what_has_changed() {
        let mut sys = Sys::default();
        let first = said(&sys.round(&figures(0, 0)));
        assert_eq!(first["uptime"], "0 seconds");
        assert_eq!(first["messages/received"], "0");
        assert_eq!(first["load/messages/received/1min"], "0.00");
        assert_eq!(first["clients/maximum"], "0");

        let second = said(&sys.round(&figures(10_000, 7)));
        let mut topics: Vec<&str> = second.keys().map(String::as_str).collect();
        topics.sort_unstable();
        assert_eq!(
            topics,
            [
                "load/messages/received/15min",
                "load/messages/received/1min",
                "load/messages/received/5min",
                "messages/received",
                "uptime",
            ]
        );
        assert_eq!(second["messages/received"], "7");
        assert_eq!(second["uptime"], "10 seconds");
    }

    #[test]
    fn rounds_are_due_as_often_as_they_are_wanted() {
        let mut sys = Sys::default();
        assert!(sys.is_due(0, 10) && !sys.is_due(0, 0));
        sys.round(&figures(5_000, 0));
        for (now, interval_s, want) in
            [(5_000, 10, false), (14_999, 10, false), (15_000, 10, true), (99_000, 0, false)]
        {
            assert_eq!(sys.is_due(now, interval_s), want, "{now} {interval_s}");
        }
    }
}
