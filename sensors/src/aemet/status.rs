//! How it is with the service: what the status topic says.

use super::schedule::Source;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What is known of each source, and of the whole.
pub(super) struct Status {
    /// What is asked for, and what came of the last attempt: `None` before the first.
    sources: BTreeMap<Source, Option<Result<(), String>>>,
    last_success: Option<Timestamp>,
    /// Records and figures left out of the last answers, because they were not understood.
    left_out: BTreeMap<Source, usize>,
}

impl Status {
    pub(super) fn new(sources: impl IntoIterator<Item = Source>) -> Self {
        Self {
            sources: sources.into_iter().map(|source| (source, None)).collect(),
            last_success: None,
            left_out: BTreeMap::new(),
        }
    }

    /// What is said when nobody is there to say it: by us as we leave, and by the will.
    pub(super) fn offline() -> String {
        json!({ "state": "offline" }).to_string()
    }

    /// Whether it is news how much was left out.
    pub(super) fn answered(&mut self, source: &Source, left_out: usize, now: Timestamp) -> bool {
        self.sources.insert(source.clone(), Some(Ok(())));
        self.last_success = Some(now);
        self.left_out.insert(source.clone(), left_out) != Some(left_out)
    }

    /// Whether this is news.
    pub(super) fn failed(&mut self, source: &Source, words: &str) -> bool {
        let outcome = Some(Err(words.to_owned()));
        self.sources.insert(source.clone(), outcome.clone()) != Some(outcome)
    }

    /// Whether the last attempt at a source failed.
    pub(super) fn is_failing(&self, source: &Source) -> bool {
        matches!(self.sources.get(source), Some(Some(Err(_))))
    }

    /// Whether anything was ever answered.
    pub(super) fn has_succeeded(&self) -> bool {
        self.last_success.is_some()
    }

    /// The problems of the last attempts, each with what it is a problem of.
    pub(super) fn problems(&self) -> Vec<(&Source, &str)> {
        let mut problems = Vec::new();
        for (source, outcome) in &self.sources {
            if let Some(Err(words)) = outcome {
                problems.push((source, words.as_str()));
            }
        }
        problems
    }

    /// `ok`, `degraded` when some of it doesn't work, `failing` when nothing does, `starting`
    /// before anything was tried.
    fn state(&self) -> &'static str {
        let works = self.sources.values().any(|outcome| matches!(outcome, Some(Ok(()))));
        let fails = self.sources.values().any(|outcome| matches!(outcome, Some(Err(_))));
        match (works, fails) {
            (false, false) => "starting",
            (true, false) => "ok",
            (true, true) => "degraded",
            (false, true) => "failing",
        }
    }

    /// The document.
    pub(super) fn payload(&self, now: Timestamp) -> String {
        let seconds = |time: Timestamp| Timestamp::from_second(time.as_second()).unwrap_or(time);
        let problems = self.problems();
        let by_source: Map<String, Value> =
            problems.iter().map(|(source, words)| (source.to_string(), json!(words))).collect();
        let left_out =
            self.left_out.values().fold(0_usize, |sum, count| sum.saturating_add(*count));
        json!({
            "state": self.state(),
            "time": seconds(now).to_string(),
            "last_success": self.last_success.map(|time| seconds(time).to_string()),
            "problem": problems.first().map(|(_, words)| words),
            "problems": by_source,
            "sources": self.sources.len(),
            "left_out": left_out,
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_follows_what_happens() {
        let [one, other] = ["3195", "9170"].map(|station| Source::Station(station.to_owned()));
        let mut status = Status::new([one.clone(), other.clone()]);
        let now = "2026-11-21T10:00:00.123Z".parse().unwrap();
        let state =
            |status: &Status| -> Value { serde_json::from_str(&status.payload(now)).unwrap() };
        assert_eq!(state(&status)["state"], "starting");
        assert!(status.failed(&one, "no answer"));
        assert!(!status.failed(&one, "no answer"));
        assert!(status.failed(&one, "no network"));
        assert_eq!(state(&status)["state"], "failing");
        assert_eq!(state(&status)["problem"], "no network");
        assert_eq!(state(&status)["last_success"], Value::Null);
        assert!(status.answered(&other, 2, now));
        assert!(!status.answered(&other, 2, now));
        assert_eq!(state(&status)["state"], "degraded");
        assert_eq!(state(&status)["problems"]["station 3195"], "no network");
        assert!(status.answered(&one, 1, now));
        let ok = state(&status);
        assert_eq!(ok["state"], "ok");
        assert_eq!(ok["problem"], Value::Null);
        assert_eq!(ok["last_success"], "2026-11-21T10:00:00Z");
        assert_eq!(ok["left_out"], 3);
    }
}
