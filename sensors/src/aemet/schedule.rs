//! What to ask the service for, and when. Pure: the time and chance are arguments.
//!
//! Nothing is asked for more often than the service has something new; two questions are never
//! closer together than a gap that keeps well below its quota; and after a failure the pauses grow.

use super::forecast::Product;
use super::service::{ATTEMPTS_MAX, PAUSE_MAX};
use crate::fetch::{Kind, Patience, Problem};
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

/// Observations are there once an hour.
const OBSERVATIONS_EVERY: Duration = Duration::from_secs(60 * 60);
/// Forecasts are made a few times a day.
const FORECASTS_EVERY: Duration = Duration::from_secs(3 * 60 * 60);
/// At most this part of a period is added to it, by chance, so that many clients spread.
const SPREAD: u32 = 20;
/// Between two questions. Each is two requests, and the quota is some fifty a minute.
const GAP: Duration = Duration::from_millis(2_500);

/// One thing to ask for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// The observations of a station.
    Station(String),
    /// A forecast of a municipality.
    Forecast(Product, String),
}

impl Source {
    fn period(&self) -> Duration {
        match self {
            Self::Station(_) => OBSERVATIONS_EVERY,
            Self::Forecast(..) => FORECASTS_EVERY,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Station(station) => write!(f, "station {station}"),
            Self::Forecast(Product::Daily, code) => write!(f, "daily forecast {code}"),
            Self::Forecast(Product::Hourly, code) => write!(f, "hourly forecast {code}"),
        }
    }
}

struct Task {
    source: Source,
    /// `None` when it isn't to be asked for again.
    due: Option<Instant>,
    patience: Patience,
    attempts: u32,
}

/// All that is to be asked for.
pub(super) struct Schedule {
    tasks: Vec<Task>,
    /// Before this nothing is asked for.
    open_from: Instant,
    /// With the service as a whole, when it sends us away, and how often it has in a row.
    patience: Patience,
    sent_away: u32,
    /// Each source once; what fails is given up after some attempts.
    once: bool,
}

impl Schedule {
    pub(super) fn new(sources: impl IntoIterator<Item = Source>, once: bool, now: Instant) -> Self {
        let task =
            |source| Task { source, due: Some(now), patience: Patience::default(), attempts: 0 };
        Self {
            tasks: sources.into_iter().map(task).collect(),
            open_from: now,
            patience: Patience::default(),
            sent_away: 0,
            once,
        }
    }

    /// What is to be asked for next, and when. `None` when nothing is left.
    pub(super) fn next(&self) -> Option<(Source, Instant)> {
        let due = self.tasks.iter().filter_map(|task| Some((task.due?, task)));
        let (due, task) = due.min_by_key(|(due, _)| *due)?;
        Some((task.source.clone(), due.max(self.open_from)))
    }

    /// A question is on its way.
    pub(super) fn asked(&mut self, source: &Source, now: Instant) {
        self.open_from = now + GAP;
        if let Some(task) = self.task(source) {
            task.attempts = task.attempts.saturating_add(1);
        }
    }

    /// It was answered.
    pub(super) fn answered(&mut self, source: &Source, now: Instant, chance: f64) {
        let once = self.once;
        self.patience.reset();
        self.sent_away = 0;
        let Some(task) = self.task(source) else { return };
        task.patience.reset();
        task.attempts = 0;
        let period = task.source.period();
        task.due = (!once).then(|| now + period + (period / SPREAD).mul_f64(chance));
    }

    /// It failed; says how long from now it is asked for again, if it is.
    pub(super) fn failed(
        &mut self,
        source: &Source,
        problem: &Problem,
        now: Instant,
        chance: f64,
    ) -> Option<Duration> {
        let is_for_all = matches!(problem.kind, Kind::Busy { .. } | Kind::Refused);
        let once = self.once;
        let pause_for_all = is_for_all.then(|| self.patience.pause(problem, chance));
        if is_for_all {
            self.sent_away = self.sent_away.saturating_add(1);
        }
        let sent_away = self.sent_away;
        let task = self.task(source)?;
        let pause = match problem.kind {
            // It is there some other time, if ever.
            Kind::Missing => task.source.period(),
            _ => pause_for_all.unwrap_or_else(|| task.patience.pause(problem, chance)),
        };
        let hopeless = matches!(problem.kind, Kind::Missing | Kind::Refused);
        let attempts = task.attempts.max(sent_away);
        let given_up = once && (hopeless || attempts >= ATTEMPTS_MAX || pause > PAUSE_MAX);
        task.due = (!given_up).then(|| now + pause);
        if is_for_all {
            self.open_from = self.open_from.max(now + pause);
            if given_up {
                self.tasks.iter_mut().for_each(|task| task.due = None);
            }
        }
        (!given_up).then_some(pause)
    }

    fn task(&mut self, source: &Source) -> Option<&mut Task> {
        self.tasks.iter_mut().find(|task| &task.source == source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Vec<Source> {
        let forecast = |product| Source::Forecast(product, "28079".to_owned());
        let station = Source::Station("3195".to_owned());
        vec![station, forecast(Product::Daily), forecast(Product::Hourly)]
    }

    /// Answers everything; says after how many seconds each was asked for, in the first `hours`.
    fn asked(mut schedule: Schedule, start: Instant, hours: u64) -> Vec<(String, u64)> {
        let mut asked = Vec::new();
        while let Some((source, at)) = schedule.next() {
            let since = at - start;
            if since > Duration::from_secs(hours * 60 * 60) {
                break;
            }
            asked.push((source.to_string(), since.as_secs()));
            schedule.asked(&source, at);
            schedule.answered(&source, at, 0.0);
        }
        asked
    }

    #[test]
    fn nothing_is_asked_for_more_often_than_there_is_news_nor_all_at_once() {
        let start = Instant::now();
        let day = asked(Schedule::new(sources(), false, start), start, 23);
        let count = |name: &str| day.iter().filter(|(source, _)| source == name).count();
        assert_eq!(count("station 3195"), 24);
        assert_eq!(count("daily forecast 28079"), 8);
        assert_eq!(count("hourly forecast 28079"), 8);
        let seconds: Vec<_> = day.iter().map(|(_, seconds)| *seconds).collect();
        assert!(seconds.windows(2).all(|pair| pair[1] - pair[0] >= 2), "{day:?}");
        assert_eq!(asked(Schedule::new(sources(), true, start), start, 23).len(), 3);
    }

    #[test]
    fn a_failure_of_one_does_not_hold_up_the_others() {
        let start = Instant::now();
        let mut schedule = Schedule::new(sources(), false, start);
        let (station, at) = schedule.next().unwrap();
        schedule.asked(&station, at);
        let pause = schedule.failed(&station, &Problem::passing("no"), at, 0.0);
        assert_eq!(pause, Some(Duration::from_secs(2)));
        let (next, at) = schedule.next().unwrap();
        assert_eq!((next.to_string().as_str(), at - start), ("daily forecast 28079", GAP));
    }

    #[test]
    fn a_quota_that_is_used_up_holds_up_all() {
        let start = Instant::now();
        let wait = Duration::from_secs(60);
        let mut schedule = Schedule::new(sources(), false, start);
        let (station, at) = schedule.next().unwrap();
        schedule.asked(&station, at);
        let busy = Problem::new(Kind::Busy { wait: Some(wait) }, "status 429");
        schedule.failed(&station, &busy, at, 1.0);
        let (_, at) = schedule.next().unwrap();
        assert!(at - start >= wait, "{:?}", at - start);
    }

    #[test]
    fn once_is_given_up_after_some_attempts_and_at_once_where_there_is_no_hope() {
        let soon = Kind::Busy { wait: Some(Duration::from_secs(1)) };
        let late = Kind::Busy { wait: Some(Duration::from_secs(3600)) };
        let cases =
            [(Kind::Passing, 9), (Kind::Missing, 3), (Kind::Refused, 1), (soon, 3), (late, 1)];
        for (kind, expected) in cases {
            let mut schedule = Schedule::new(sources(), true, Instant::now());
            let mut attempts = 0;
            while let Some((source, at)) = schedule.next() {
                attempts += 1;
                schedule.asked(&source, at);
                schedule.failed(&source, &Problem::new(kind, "no"), at, 0.5);
            }
            assert_eq!(attempts, expected, "{kind:?}");
        }
    }
}
