//! Deleting retained messages one after the other, putting them back, and the file that a copy of them is
//! saved to.
//!
//! A retained message is deleted by one without a payload (MQTT 5.0 §3.3.1.3). What is sent has QoS 1, so
//! that the broker says of each whether it has it.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::format::{base64, from_base64};
use crate::limits::RETAINED_SENT_AT_ONCE;
use crate::protocol::{Failure, Outcome, Properties, Publish, Retained};
use crate::unreadable::Unreadable;

/// What is done with the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// They are deleted.
    Delete,
    /// They are published again.
    PutBack,
}

/// One go through a list.
#[derive(Debug)]
pub struct Run {
    job: Job,
    messages: Vec<Retained>,
    todo: VecDeque<usize>,
    under_way: HashMap<u32, usize>,
    done: Vec<usize>,
    failed: Vec<usize>,
    why: Option<Failure>,
}

impl Run {
    /// A go through all of these; what has no copy can't be put back.
    pub fn new(job: Job, mut messages: Vec<Retained>) -> Self {
        if job == Job::PutBack {
            messages.retain(|message| message.payload.is_some());
        }
        Self {
            job,
            todo: (0..messages.len()).collect(),
            messages,
            under_way: HashMap::new(),
            done: Vec::new(),
            failed: Vec::new(),
            why: None,
        }
    }

    /// What is done.
    pub fn job(&self) -> Job {
        self.job
    }

    /// The next message to be published, if one may be now.
    pub fn take_next(&mut self) -> Option<usize> {
        if self.under_way.len() >= RETAINED_SENT_AT_ONCE {
            return None;
        }
        self.todo.pop_front()
    }

    /// A message as it is published, with the page's number for it.
    pub fn publish(&mut self, index: usize, ticket: u32) -> Option<Publish> {
        let message = self.messages.get(index)?;
        self.under_way.insert(ticket, index);
        let (payload, properties) = match self.job {
            Job::Delete => (Vec::new(), Properties::default()),
            Job::PutBack => (message.payload.clone()?, message.properties.clone()),
        };
        let topic = message.topic.clone();
        Some(Publish { ticket, topic, payload, qos: 1, retain: true, properties })
    }

    /// Takes in what became of a message; says whether it is one of these.
    pub fn told(&mut self, ticket: u32, outcome: &Outcome) -> bool {
        if *outcome == Outcome::Waiting {
            return self.under_way.contains_key(&ticket);
        }
        let Some(index) = self.under_way.remove(&ticket) else { return false };
        match outcome {
            Outcome::Failed(failure) => {
                self.failed.push(index);
                if *failure == Failure::Offline {
                    // The others would end alike.
                    self.failed.extend(self.todo.drain(..));
                }
                self.why = Some(failure.clone());
            }
            _ => self.done.push(index),
        }
        true
    }

    /// Tries once more what has failed.
    pub fn again(&mut self) {
        self.why = None;
        self.todo.extend(self.failed.drain(..));
    }

    /// Whether nothing is left to be done or waited for.
    pub fn is_over(&self) -> bool {
        self.todo.is_empty() && self.under_way.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// How many are done.
    pub fn done(&self) -> usize {
        self.done.len()
    }

    /// How many have failed, and why the last one has.
    pub fn failed(&self) -> (usize, Option<&Failure>) {
        (self.failed.len(), self.why.as_ref())
    }

    /// What was deleted and has a copy.
    pub fn deleted(&self) -> Vec<Retained> {
        let done = self.done.iter().filter_map(|index| self.messages.get(*index));
        done.filter(|message| message.payload.is_some()).cloned().collect()
    }
}

/// A file with retained messages.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    broker: String,
    branch: String,
    saved: String,
    retained: Vec<Line>,
}

/// A message in the file; a payload that is no text is written as Base64.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    topic: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    properties: Option<Properties>,
}

/// The bytes of a file with all of these that have a copy.
pub fn write(broker: &str, branch: &str, saved: String, messages: &[Retained]) -> Vec<u8> {
    let lines = messages.iter().filter_map(|message| {
        let payload = message.payload.as_deref()?;
        let text = std::str::from_utf8(payload).ok();
        let has_properties = message.properties != Properties::default();
        Some(Line {
            topic: message.topic.clone(),
            payload: text.map(str::to_owned),
            payload_base64: text.is_none().then(|| base64(payload)),
            properties: has_properties.then(|| message.properties.clone()),
        })
    });
    let (broker, branch) = (broker.to_owned(), branch.to_owned());
    let file = File { broker, branch, saved, retained: lines.collect() };
    // None of these types can fail to be written.
    serde_json::to_vec_pretty(&file).unwrap_or_default()
}

/// Why a file can't be put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// It can't be read from here on.
    Unreadable {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        what: Unreadable,
    },
    /// The message of this topic has no payload that could be put back.
    Payload(String),
}

/// The branch and the messages of a file.
///
/// # Errors
/// It is no such file; with what is wrong, and where.
pub fn read(bytes: &[u8]) -> Result<(String, Vec<Retained>), Wrong> {
    let file: File = serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = Unreadable::place(&error);
        Wrong::Unreadable { line, column, what: Unreadable::of(&error) }
    })?;
    let messages = file.retained.into_iter().map(|line| {
        let payload = match (line.payload, line.payload_base64) {
            (Some(text), _) => Some(text.into_bytes()),
            (None, Some(text)) => from_base64(&text),
            (None, None) => None,
        };
        let payload = payload.filter(|payload| !payload.is_empty());
        let payload = payload.ok_or_else(|| Wrong::Payload(line.topic.clone()))?;
        let properties = line.properties.unwrap_or_default();
        Ok(Retained { topic: line.topic, payload: Some(payload), properties })
    });
    Ok((file.branch, messages.collect::<Result<_, Wrong>>()?))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::fault::Reason;

    fn retained(topic: &str, payload: Option<&[u8]>) -> Retained {
        let payload = payload.map(<[u8]>::to_vec);
        Retained { topic: topic.into(), payload, properties: Properties::default() }
    }

    fn three() -> Vec<Retained> {
        vec![retained("a", Some(b"1")), retained("b", Some(b"\xff")), retained("c", None)]
    }

    /// Publishes as many as may be now, with their place in the list as their numbers.
    fn send(run: &mut Run) -> Vec<Publish> {
        let mut sent = Vec::new();
        while let Some(index) = run.take_next() {
            sent.extend(run.publish(index, index as u32));
        }
        sent
    }

    #[test]
    fn what_was_deleted_can_be_put_back_and_nothing_else() {
        let mut run = Run::new(Job::Delete, three());
        let sent = send(&mut run);
        assert_eq!(sent.len(), 3);
        assert!(sent.iter().all(|p| p.payload.is_empty() && p.retain && p.qos == 1));
        assert!(run.told(0, &Outcome::Waiting) && run.told(0, &Outcome::Acknowledged));
        assert!(!run.told(77, &Outcome::Acknowledged), "somebody else's");
        run.told(1, &Outcome::Failed(Failure::Refused(Reason::Broker("no".into()))));
        assert!(!run.is_over());
        run.told(2, &Outcome::Acknowledged);
        assert!(run.is_over());
        assert_eq!((run.done(), run.failed().0), (2, 1));

        let mut back = Run::new(Job::PutBack, run.deleted());
        let sent = send(&mut back);
        assert_eq!(sent.len(), 1, "one was not deleted, and of one there is no copy");
        assert_eq!((sent[0].topic.as_str(), sent[0].payload.as_slice()), ("a", &b"1"[..]));

        run.again();
        assert_eq!(send(&mut run).len(), 1, "what has failed is tried once more");
    }

    #[test]
    fn only_so_many_are_under_way_and_without_a_connection_none() {
        let many = (0..1_000).map(|n| retained(&n.to_string(), Some(b"1"))).collect();
        let mut run = Run::new(Job::Delete, many);
        assert_eq!(send(&mut run).len(), RETAINED_SENT_AT_ONCE);
        run.told(0, &Outcome::Acknowledged);
        assert_eq!(send(&mut run).len(), 1);
        for ticket in 1..=RETAINED_SENT_AT_ONCE as u32 {
            run.told(ticket, &Outcome::Failed(Failure::Offline));
        }
        assert!(run.is_over());
        assert_eq!((run.done(), run.failed()), (1, (999, Some(&Failure::Offline))));
    }

    #[test]
    fn a_file_holds_what_was_saved_to_it() {
        let mut messages = three();
        messages[0].properties.user = vec![("unit".into(), "°C".into())];
        messages[0].properties.correlation_data = Some(vec![0, 255]);
        let bytes = write("broker:9001", "plant", "2026-01-02T03:04:05Z".into(), &messages);
        let (branch, read) = read(&bytes).unwrap();
        messages.pop();
        assert_eq!((branch.as_str(), read), ("plant", messages), "but for what has no copy");
    }

    #[test]
    fn a_file_that_is_none_is_refused_with_the_place() {
        let unreadable = |line, column, what| Wrong::Unreadable { line, column, what };
        let missing = |name: &str| Unreadable::Missing(name.to_owned());
        for (text, wrong) in [
            ("", unreadable(1, 1, Unreadable::Nothing)),
            ("{\n]", unreadable(2, 1, Unreadable::Syntax)),
            ("{\"broker\":\"\"}", unreadable(1, 13, missing("branch"))),
            (
                "{\"broker\":\"\",\"branch\":\"\",\"saved\":\"\",\"retained\":[{\"topic\":\"a\"}]}",
                Wrong::Payload("a".into()),
            ),
            (
                "{\"broker\":\"\",\"branch\":\"\",\"saved\":\"\",\"retained\":[{\"topic\":\"a\",\
                 \"payload_base64\":\"%\"}]}",
                Wrong::Payload("a".into()),
            ),
        ] {
            assert_eq!(read(text.as_bytes()), Err(wrong), "{text}");
        }
    }
}
