//! One source: asked at its interval, more patiently while it fails, and what its answers say.

use super::file::Source;
use super::notes::Notes;
use crate::broker::{Message, Qos};
use crate::fetch::{self, Fetcher, Kind, Patience, Problem};
use crate::report::{Failure, say};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::time::Duration;
use tokio::time;

/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Where there is only one round, this often a source is asked that may answer the next time, and
/// for this long it may send us away.
const ATTEMPTS_MAX: u32 = 3;
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// How what is found is published.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    /// Empty, or the first levels of all topics with the slash behind them.
    pub(super) prefix: String,
    pub(super) qos: Qos,
    pub(super) verbose: bool,
}

/// When a source is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// This long after it was asked.
    Interval(Duration),
    /// This long after it has failed.
    Pause(Duration),
}

/// A source, and how it has been so far.
pub(super) struct Asking {
    source: Source,
    fetcher: Fetcher,
    manner: Manner,
    patience: Patience,
    notes: Notes,
}

impl Asking {
    pub(super) fn new(source: Source, manner: Manner) -> Result<Self, Failure> {
        Ok(Self {
            fetcher: Fetcher::new(source.timeout)?,
            notes: Notes::new(&source.name),
            patience: Patience::default(),
            source,
            manner,
        })
    }

    /// Asks once, tells a person what is new about it, and says what to publish and how long to
    /// wait before asking again.
    pub(super) async fn next(&mut self) -> (Vec<Message>, Wait) {
        match self.ask().await {
            Ok(Readings { messages, missing }) => {
                self.patience.reset();
                for sentence in self.notes.answered(missing) {
                    say!("{sentence}");
                }
                if self.manner.verbose {
                    say!("Source {}: {} values.", self.source.name, messages.len());
                }
                (messages, Wait::Interval(self.source.interval))
            }
            Err(problem) => {
                let pause = self.pause(&problem);
                if let Some(sentence) = self.notes.failed(&problem.to_string()) {
                    say!("{sentence}");
                }
                if self.manner.verbose {
                    let (name, seconds) = (&self.source.name, pause.as_secs_f64());
                    say!("Source {name}: {problem}. Asking again in {seconds:.1} s.");
                }
                (Vec::new(), Wait::Pause(pause))
            }
        }
    }

    /// Asks until there is an answer, or no use in asking on.
    pub(super) async fn once(&mut self) -> Result<Vec<Message>, Failure> {
        let name = self.source.name.clone();
        let mut attempt = 1;
        loop {
            let problem = match self.ask().await {
                Ok(Readings { messages, missing }) => {
                    for sentence in self.notes.answered(missing) {
                        say!("{sentence}");
                    }
                    return Ok(messages);
                }
                Err(problem) => problem,
            };
            let pause = self.patience.pause(&problem, fastrand::f64());
            let is_hopeless = matches!(problem.kind, Kind::Refused | Kind::Missing);
            if is_hopeless || attempt >= ATTEMPTS_MAX || pause > PAUSE_MAX {
                return Err(Failure::new(format!("Source {name}: no answer: {problem}.")));
            }
            attempt = attempt.saturating_add(1);
            if self.manner.verbose {
                say!("Source {name}: {problem}. Asking again in {:.1} s.", pause.as_secs_f64());
            }
            time::sleep(pause).await;
        }
    }

    /// How the source is, in a message.
    pub(super) fn status(&self) -> Message {
        let topic = format!("{}http/{}/status", self.manner.prefix, self.source.name);
        Message::retained(topic, self.notes.status(), Qos::AtLeastOnce)
    }

    /// What is not there may come some other time, and is not asked for more often than what is.
    /// What is refused may be put right on the other side, so it is not given up for an hour.
    fn pause(&mut self, problem: &Problem) -> Duration {
        let chance = fastrand::f64();
        let mut passing = |problem| self.patience.pause(problem, chance);
        match problem.kind {
            Kind::Passing | Kind::Busy { .. } => passing(problem),
            Kind::Missing => passing(problem).max(self.source.interval),
            Kind::Refused => passing(&Problem::passing("")).max(self.source.interval),
        }
    }

    async fn ask(&self) -> Result<Readings, Problem> {
        let (url, headers) = (&self.source.url, self.source.headers.clone());
        let answer = self.fetcher.get(url, headers, ANSWER_BYTES_MAX).await?;
        if let Some(problem) = answer.problem(None) {
            return Err(problem);
        }
        readings(&self.source, &answer.text(), &self.manner)
    }
}

/// What an answer says.
#[derive(Debug)]
struct Readings {
    messages: Vec<Message>,
    /// Pointers without a value, and why.
    missing: Vec<(String, String)>,
}

fn readings(source: &Source, answer: &str, manner: &Manner) -> Result<Readings, Problem> {
    let document: &RawValue = fetch::parse(answer)?;
    let mut readings = Readings { messages: Vec::new(), missing: Vec::new() };
    for wanted in &source.values {
        match wanted.payload(document) {
            Ok(payload) => readings.messages.push(Message {
                topic: format!("{}{}", manner.prefix, wanted.topic),
                payload,
                unit: wanted.unit.clone().map(Cow::Owned),
                time: None,
                expiry: wanted.expiry,
                retain: wanted.retain,
                qos: manner.qos,
            }),
            Err(why) => readings.missing.push((wanted.pointer.to_string(), why)),
        }
    }
    Ok(readings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::file;
    use std::path::Path;

    #[test]
    fn an_answer_is_taken_apart_as_the_file_says() {
        let text = r#"
            [[source]]
            name = "air"
            url = "https://example.org"
            [source.values]
            "/a" = { topic = "home/a", unit = "W", expiry = "1m", retain = false }
            "/b/0" = "home/b"
            "/c" = "home/c"
        "#;
        let sources = file::parse(text, Path::new(".")).unwrap_or_default();
        let manner = Manner { prefix: "site/".to_owned(), qos: Qos::ExactlyOnce, verbose: false };
        let answer = r#"{"a": 1.50, "b": [], "c": "x"}"#;
        let readings = readings(&sources[0], answer, &manner).unwrap();
        let a = Message {
            unit: Some("W".into()),
            expiry: Some(Duration::from_secs(60)),
            retain: false,
            ..Message::retained("site/home/a", "1.50", Qos::ExactlyOnce)
        };
        assert_eq!(readings.messages, [a, Message::retained("site/home/c", "x", Qos::ExactlyOnce)]);
        let missing = ("/b/0".to_owned(), "/b is an array without an element 0".to_owned());
        assert_eq!(readings.missing, [missing]);
    }
}
