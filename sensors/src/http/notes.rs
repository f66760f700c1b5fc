//! What a person is told about a source: what goes wrong, once, and when it is right again.

use std::collections::BTreeMap;

/// What has been said about a source so far.
#[derive(Debug, Default)]
pub(super) struct Notes {
    name: String,
    /// Why the last attempts failed.
    problem: Option<String>,
    /// Pointers without a value, and why.
    missing: BTreeMap<String, String>,
}

impl Notes {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// An attempt has failed.
    pub(super) fn failed(&mut self, problem: &str) -> Option<String> {
        if self.problem.as_deref() == Some(problem) {
            return None;
        }
        let still = if self.problem.is_some() { "still no answer" } else { "no answer" };
        self.problem = Some(problem.to_owned());
        Some(format!("Source {}: {still}: {problem}. Trying again until there is one.", self.name))
    }

    /// An attempt has succeeded, but for these pointers.
    pub(super) fn answered(&mut self, missing: Vec<(String, String)>) -> Vec<String> {
        let name = &self.name;
        let mut sentences = Vec::new();
        if self.problem.take().is_some() {
            sentences.push(format!("Source {name}: it answers again."));
        }
        let missing: BTreeMap<_, _> = missing.into_iter().collect();
        for (pointer, why) in &missing {
            if self.missing.get(pointer) != Some(why) {
                sentences.push(format!("Source {name}: no value for {pointer}: {why}."));
            }
        }
        for pointer in self.missing.keys() {
            if !missing.contains_key(pointer) {
                sentences.push(format!("Source {name}: there is a value for {pointer} again."));
            }
        }
        self.missing = missing;
        sentences
    }

    /// How the source is, for its status topic.
    pub(super) fn status(&self) -> String {
        match (&self.problem, self.missing.len()) {
            (Some(problem), _) => problem.clone(),
            (None, 0) => "ok".to_owned(),
            (None, 1) => "ok, but 1 value is missing".to_owned(),
            (None, missing) => format!("ok, but {missing} values are missing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(pointers: &[(&str, &str)]) -> Vec<(String, String)> {
        pointers.iter().map(|(pointer, why)| ((*pointer).into(), (*why).into())).collect()
    }

    #[test]
    fn what_stays_wrong_is_said_once() {
        let mut notes = Notes::new("air");
        assert_eq!(notes.status(), "ok");
        let said = notes.failed("status 404: Not Found").unwrap();
        assert!(said.contains("Source air: no answer: status 404"), "{said}");
        assert_eq!(notes.failed("status 404: Not Found"), None);
        assert_eq!(notes.status(), "status 404: Not Found");
        assert!(notes.failed("the answer is empty").unwrap().contains("still no answer"));
        assert_eq!(notes.answered(Vec::new()), ["Source air: it answers again."]);
        assert_eq!(notes.answered(Vec::new()), [""; 0]);
        assert_eq!(notes.status(), "ok");
    }

    #[test]
    fn pointers_that_find_nothing_are_said_once_each_and_so_is_their_return() {
        let mut notes = Notes::new("air");
        let both =
            missing(&[("/a", "it is null there"), ("/b", "the document has no member \"b\"")]);
        assert_eq!(notes.answered(both.clone()).len(), 2);
        assert_eq!(notes.answered(both), [""; 0]);
        assert_eq!(notes.status(), "ok, but 2 values are missing");
        assert_eq!(
            notes.answered(missing(&[("/a", "it is empty there")])),
            [
                "Source air: no value for /a: it is empty there.",
                "Source air: there is a value for /b again."
            ]
        );
        assert_eq!(notes.status(), "ok, but 1 value is missing");
    }
}
