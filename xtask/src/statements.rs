//! The tables of MQTT's normative statements, in `tests/statements`, and the tests that hold them.
//!
//! A test names the statements that it holds where it stands: [MQTT-3.1.0-2] is one of MQTT 5.0,
//! 3.1.1 [MQTT-3.1.0-2] one of MQTT 3.1.1, and [MQTT-3.1.0-1, MQTT-3.1.0-2] are two. What stands
//! in a doc comment belongs to the test below it, anything else to the test around it. The last
//! column of the tables and their counts are made from that, so that they can't be out of date.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// The tables, and how many statements each standard has.
const TABLES: [(Version, &str, usize); 2] = [
    (Version::V5, "tests/statements/5.0.md", 251),
    (Version::V311, "tests/statements/3.1.1.md", 141),
];

const BEGIN: &str = "MQTT-";
const NOT_OBSERVABLE: &str = "not observable: ";
const OPEN: &str = "**open**";
const OF_CLIENTS: &str = "—";

/// A standard with numbered statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    V5,
    V311,
}

/// A statement by its standard and its number, as in [MQTT-3.1.0-2].
type Statement = (Version, String);

/// Which tests name which statements.
#[derive(Default)]
pub(crate) struct Mentions {
    /// By statement, the tests that hold it.
    tests: BTreeMap<Statement, BTreeSet<String>>,
    /// Every mention and where it stands, in a test or not.
    places: Vec<(Statement, String)>,
    complaints: Vec<String>,
}

impl Mentions {
    /// Notes what one source file names; `name` is its path from the top.
    pub(crate) fn read(&mut self, name: &str, text: &str) {
        let module = module(name);
        let (mut doc, mut doc_line, mut is_test) = (String::new(), 0, false);
        let mut around: Option<String> = None;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if let Some(more) = line.strip_prefix("///") {
                if doc.is_empty() {
                    doc_line = index + 1;
                }
                doc.push_str(more);
                continue;
            }
            if line.starts_with("#[") {
                is_test |= is_test_attribute(line);
                continue;
            }
            if let Some(function) = function_name(line) {
                around = is_test.then(|| format!("{module}::{function}"));
            } else if line == "mod tests {" {
                around = None;
            }
            self.note(&doc, around.as_deref(), &format!("{name}:{doc_line}"));
            self.note(line, around.as_deref(), &format!("{name}:{}", index + 1));
            doc.clear();
            is_test = false;
        }
    }

    fn note(&mut self, text: &str, test: Option<&str>, place: &str) {
        let (named, bare) = statements(text);
        for statement in named {
            if let Some(test) = test {
                self.tests.entry(statement.clone()).or_default().insert(test.to_owned());
            }
            self.places.push((statement, place.to_owned()));
        }
        for id in bare {
            self.complaints.push(format!("{place}: {id} has to stand in brackets"));
        }
    }

    /// What is wrong with the tables and with what sources say of them; `write` brings what is
    /// generated in the tables up to date instead of complaining about it.
    pub(crate) fn check(mut self, root: &Path, write: bool) -> Result<Vec<String>> {
        for (version, name, count) in TABLES {
            let path = root.join(name);
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
            let table = self.table(version, name, &text, count);
            if table == text {
                continue;
            }
            if write {
                fs::write(&path, table).with_context(|| format!("cannot write {name}"))?;
                println!("{name} is up to date now");
            } else {
                let what = "is not up to date: run `cargo xtask tidy --write`";
                self.complaints.push(format!("{name} {what}"));
            }
        }
        Ok(self.complaints)
    }

    /// The table as it has to be, given the table that is there.
    fn table(&mut self, version: Version, name: &str, text: &str, count: usize) -> String {
        let mut lines: Vec<String> = Vec::new();
        let mut known = BTreeSet::new();
        let mut sums = Sums::default();
        let mut sum_line = None;
        for (index, line) in text.lines().enumerate() {
            let place = format!("{name}:{}", index + 1);
            if line.starts_with(Sums::BEGIN) {
                sum_line = Some(lines.len());
            }
            let Some(row) = Row::parse(line) else {
                lines.push(line.to_owned());
                continue;
            };
            self.complaints
                .extend(row.faults().into_iter().map(|fault| format!("{place}: {fault}")));
            if !known.insert(row.id.to_owned()) {
                self.complaints.push(format!("{place}: {} stands here a second time", row.id));
            }
            let tests = self.tests.get(&(version, row.id.to_owned()));
            if tests.is_some() && row.held.starts_with(NOT_OBSERVABLE) {
                let what = "is said not to be observable, and a test holds it";
                self.complaints.push(format!("{place}: {} {what}", row.id));
            }
            let held = row.held_by(tests);
            sums.count(row.binds, &held);
            lines.push(format!("| {} | {} | {} | {held} |", row.id, row.binds, row.text));
        }
        if known.len() != count {
            self.complaints.push(format!("{name}: {} statements of {count}", known.len()));
        }
        for ((of, id), place) in &self.places {
            if *of == version && !known.contains(id) {
                self.complaints.push(format!("{place}: {name} knows no {id}"));
            }
        }
        match sum_line.and_then(|at| lines.get_mut(at)) {
            Some(line) => *line = sums.line(),
            None => self.complaints.push(format!("{name}: no line begins with {}", Sums::BEGIN)),
        }
        lines.join("\n") + "\n"
    }
}

/// A line of a table.
struct Row<'a> {
    id: &'a str,
    binds: &'a str,
    text: &'a str,
    held: &'a str,
}

impl<'a> Row<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let inner = line.strip_prefix("| MQTT-").and(line.strip_prefix('|')?.strip_suffix('|'))?;
        let mut cells = inner.splitn(4, " | ").map(str::trim);
        let mut next = || cells.next().unwrap_or("");
        Some(Self { id: next(), binds: next(), text: next(), held: next() })
    }

    fn faults(&self) -> Vec<String> {
        let id = self.id;
        let mut faults = Vec::new();
        if id_at(id) != Some(id) {
            faults.push(format!("{id} is not the number of a statement"));
        }
        if !["server", "client", "both"].contains(&self.binds) {
            faults.push(format!("{id} binds server, client or both, not {:?}", self.binds));
        }
        if self.text.split_whitespace().count() < 3 {
            faults.push(format!("{id} has no text of its own"));
        }
        if let Some(why) = self.held.strip_prefix(NOT_OBSERVABLE)
            && why.split_whitespace().count() < 3
        {
            faults.push(format!("{id} does not say why it can't be observed"));
        }
        faults
    }

    fn held_by(&self, tests: Option<&BTreeSet<String>>) -> String {
        match tests {
            Some(tests) => {
                let quoted: Vec<_> = tests.iter().map(|test| format!("`{test}`")).collect();
                quoted.join(", ")
            }
            None if self.held.starts_with(NOT_OBSERVABLE) => self.held.to_owned(),
            None if self.binds == "client" => OF_CLIENTS.to_owned(),
            None => OPEN.to_owned(),
        }
    }
}

/// How many statements there are of each kind.
#[derive(Default)]
struct Sums {
    all: usize,
    of_servers: usize,
    held: usize,
    not_observable: usize,
    open: usize,
    of_clients_held: usize,
}

impl Sums {
    const BEGIN: &str = "**Statements:";

    fn count(&mut self, binds: &str, held: &str) {
        self.all += 1;
        if binds == "client" {
            self.of_clients_held += usize::from(held != OF_CLIENTS);
            return;
        }
        self.of_servers += 1;
        match held {
            OPEN => self.open += 1,
            held if held.starts_with(NOT_OBSERVABLE) => self.not_observable += 1,
            _ => self.held += 1,
        }
    }

    fn line(&self) -> String {
        let Self { all, of_servers, held, not_observable, open, of_clients_held } = self;
        let of_clients = all - of_servers;
        format!(
            "{} {all}.** {of_servers} bind a server: {held} are held by tests, {not_observable} can't \
             be observed, {open} are open. {of_clients} bind clients alone; tests hold \
             {of_clients_held} of them.",
            Self::BEGIN
        )
    }
}

/// The statements that a text names in brackets, and the numbers that stand there without.
fn statements(text: &str) -> (Vec<Statement>, Vec<&str>) {
    let (mut named, mut bare) = (Vec::new(), Vec::new());
    let mut rest = text;
    let mut version = None;
    while let Some(at) = rest.find(['[', ']', 'M']) {
        let (before, from) = rest.split_at(at);
        rest = &from[1..];
        if from.starts_with('[') {
            let is_old = before.trim_end().ends_with("3.1.1");
            version = Some(if is_old { Version::V311 } else { Version::V5 });
        } else if from.starts_with(']') {
            version = None;
        } else if let Some(id) = id_at(from) {
            match version {
                Some(version) => named.push((version, id.to_owned())),
                None => bare.push(id),
            }
            rest = &from[id.len()..];
        }
    }
    (named, bare)
}

/// The number of a statement that a text begins with.
fn id_at(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(BEGIN)?;
    let section = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
    let number = rest[section..].strip_prefix('-')?;
    let digits = number.len() - number.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    (section > 0 && digits > 0).then(|| &text[..BEGIN.len() + section + 1 + digits])
}

fn is_test_attribute(line: &str) -> bool {
    ["#[test]", "#[tokio::test", "#[wasm_bindgen_test"].iter().any(|test| line.starts_with(test))
}

fn function_name(line: &str) -> Option<&str> {
    let code = line.trim_start_matches("pub(crate) ").trim_start_matches("async ");
    let rest = code.strip_prefix("fn ")?;
    rest.split(|c: char| c != '_' && !c.is_alphanumeric()).next()
}

/// The path that Rust knows a file of tests by; those of the crate `tests` go without its name.
fn module(name: &str) -> String {
    let parts = name.trim_end_matches(".rs").split('/').enumerate();
    let parts = parts.filter(|(index, part)| match *index {
        0 => *part != "tests",
        1 => false,
        _ => !["mod", "main", "lib"].contains(part),
    });
    parts.map(|(_, part)| part.replace('-', "_")).collect::<Vec<_>>().join("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "**Statements: 0.**\n\
        | ~1.1.1-1 | server | The server does one thing | **open** |\n\
        | ~1.1.1-2 | client | The client does one thing | — |\n\
        | ~1.1.1-3 | both | Both of them are good | not observable: it happens inside |\n";

    /// What a source names, and the table that it leads to. A tilde stands for `MQTT-`, so that this
    /// file names no statement.
    fn check(source: &str, table: &str) -> (String, Vec<String>) {
        let mut mentions = Mentions::default();
        mentions.read("tests/tests/protocol/a.rs", &source.replace('~', BEGIN));
        let table = mentions.table(Version::V5, "t.md", &table.replace('~', BEGIN), 3);
        (table, mentions.complaints)
    }

    #[test]
    fn a_table_says_which_tests_hold_a_statement() {
        let (table, complaints) = check(
            "/// Says [~1.1.1-1,\n/// ~1.1.1-2], 3.1.1 [~1.1.1-3].\n#[test]\nfn one() {\n}\n\
             #[test]\nfn two() {\n // [~1.1.1-1]\n}\n/// Not [~1.1.1-2].\nfn no_test() {}\n",
            TABLE,
        );
        assert_eq!(complaints, Vec::<String>::new());
        let rows: Vec<_> = table.lines().map(|line| line.rsplit(" | ").next().unwrap()).collect();
        assert_eq!(rows[1], "`protocol::a::one`, `protocol::a::two` |");
        assert_eq!(rows[2], "`protocol::a::one` |");
        assert_eq!(rows[3], "not observable: it happens inside |");
        assert_eq!(
            rows[0],
            "**Statements: 3.** 2 bind a server: 1 are held by tests, 1 can't be observed, 0 are \
             open. 1 bind clients alone; tests hold 1 of them."
        );
    }

    #[test]
    fn what_no_test_holds_is_open() {
        let (table, _) = check("", TABLE);
        assert!(table.contains("does one thing | **open** |"));
        assert!(table.contains("1 are open"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (source, table, complaint) in [
            ("// [~9.9.9-9]", TABLE, "a.rs:1: t.md knows no"),
            ("// ~1.1.1-1", TABLE, "in brackets"),
            ("#[test]\nfn a() {} // [~1.1.1-3]", TABLE, "a test holds it"),
            ("", &TABLE[..90], "1 statements of 3"),
            ("", &TABLE.replace("-2 ", "-1 "), "a second time"),
            ("", &TABLE.replace("The server does one thing", " "), "no text of its own"),
            ("", &TABLE.replace("both", "none"), "binds server, client or both"),
            ("", &TABLE.replace("it happens inside", "no"), "does not say why"),
            ("", &TABLE.replace("1.1.1-3", "1.1.1-x"), "not the number"),
        ] {
            let (_, complaints) = check(source, table);
            assert!(
                complaints.iter().any(|c| c.contains(complaint)),
                "{complaint}: {complaints:?}"
            );
        }
    }

    #[test]
    fn files_have_the_path_of_their_module() {
        for (file, path) in [
            ("tests/tests/protocol/main.rs", "protocol"),
            ("tests/tests/protocol/flows.rs", "protocol::flows"),
            ("codec/tests/rules.rs", "codec::rules"),
            ("ws-broker/src/broker/router.rs", "ws_broker::broker::router"),
        ] {
            assert_eq!(module(file), path);
        }
    }
}
