//! The figures as tables: on the terminal, and in `docs/bench.md` as the page made of `docs/bench.json`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::peers::{MOSQUITTO, OURS};
use super::plot;
use super::results::{Measured, Results, Round, Spread};
use super::stored;
use super::workloads::{self, Kind, Workload};

const JSON: &str = "docs/bench.json";
const PAGE: &str = "docs/bench.md";
const PLOT: &str = "docs/bench.svg";

/// What is made of the figures stands between these two lines of the page.
const BEGIN: &str = "<!-- figures: written by `cargo xtask bench --docs` -->";
const END: &str = "<!-- end of figures -->";

/// One run in a line.
pub(super) fn summary(round: &Round) -> String {
    let mut parts = vec![format!("{}/s", count(round.rate))];
    parts.extend(round.start_s.map(|s| format!("serving again after {s:.2} s")));
    parts.extend(round.broker_us.map(|us| format!("{us:.2} µs each")));
    parts.extend(round.connection_kib.map(|kib| format!("{kib:.1} KiB each")));
    parts.extend(round.latency_us.as_ref().map(|latency| format!("p99 {:.0} µs", latency.p99)));
    parts.extend(Some(round.missing).filter(|n| *n > 0).map(|n| format!("{n} MISSING")));
    parts.extend(Some(round.unexpected).filter(|n| *n > 0).map(|n| format!("{n} UNEXPECTED")));
    parts.join(", ")
}

/// Everything that the figures say, as Markdown.
pub(super) fn figures(results: &Results) -> String {
    let machine = &results.machine;
    let brokers: Vec<_> =
        results.brokers.iter().map(|b| format!("{} {}", b.name, b.version)).collect();
    let mut out = format!(
        "{}, {} cores, {} GiB, Linux {}. {}. Rounds: {}, of {} s each.\n",
        machine.processor,
        machine.cores,
        machine.memory_gib,
        machine.kernel,
        brokers.iter().map(|b| b.trim()).collect::<Vec<_>>().join(", "),
        results.rounds,
        results.seconds,
    );
    let rows = Rows { results };
    for table in [rows.processor_time(), rows.rates(), rows.latency(), rows.connections()] {
        out.push_str(&table);
    }
    out.push_str(&stored::figures(results));
    out.push('\n');
    out.push_str(&losses(results));
    out
}

/// Writes the figures and what is made of them.
pub(super) fn write(root: &Path, results: &Results, json: &str) -> Result<()> {
    let save = |name: &str, text: &str| {
        fs::write(root.join(name), text).with_context(|| format!("cannot write {name}"))
    };
    save(JSON, json)?;
    save(PLOT, &plot::draw(results))?;
    let page = root.join(PAGE);
    let text = fs::read_to_string(&page).with_context(|| format!("cannot read {PAGE}"))?;
    save(PAGE, &with_figures(&text, results)?)?;
    println!("{JSON}, {PAGE} and {PLOT} are up to date now");
    Ok(())
}

/// Whether the page and the plot are what the figures make; `write` makes them so.
pub(crate) fn check(root: &Path, write: bool) -> Result<Vec<String>> {
    let read = |name: &str| {
        fs::read_to_string(root.join(name)).with_context(|| format!("cannot read {name}"))
    };
    let json = read(JSON)?;
    let results: Results =
        serde_json::from_str(&json).with_context(|| format!("{JSON} makes no sense"))?;
    let page = read(PAGE)?;
    let is_up_to_date =
        page == with_figures(&page, &results)? && read(PLOT)? == plot::draw(&results);
    if is_up_to_date {
        return Ok(Vec::new());
    }
    if write {
        self::write(root, &results, &json)?;
        return Ok(Vec::new());
    }
    Ok(vec![format!("{PAGE} or {PLOT} is not what {JSON} makes: run `cargo xtask tidy --write`")])
}

fn with_figures(page: &str, results: &Results) -> Result<String> {
    let lost = || format!("{PAGE} lacks the line {BEGIN} or {END}");
    let (before, rest) = page.split_once(BEGIN).with_context(lost)?;
    let (_, after) = rest.split_once(END).with_context(lost)?;
    Ok(format!("{before}{BEGIN}\n\n{}\n{END}{after}", figures(results)))
}

/// The tables.
struct Rows<'a> {
    results: &'a Results,
}

impl<'a> Rows<'a> {
    /// The measured workloads of one kind, with what they are.
    fn of(&self, kind: Kind) -> Vec<(&'static Workload, &'a Measured)> {
        let find = |measured: &'a Measured| {
            let workload = workloads::ALL.iter().find(|w| w.name == measured.name)?;
            (workload.kind == kind).then_some((workload, measured))
        };
        self.results.workloads.iter().filter_map(find).collect()
    }

    fn names(&self) -> impl Iterator<Item = &'a str> {
        self.results.brokers.iter().map(|broker| broker.name.as_str())
    }

    fn processor_time(&self) -> String {
        let rows = self.of(Kind::Messages);
        let mut table = Table::new("The broker's processor time for each delivered message, in µs");
        table.row(["workload"].into_iter().chain(self.names()).chain(["aim"]));
        for (workload, measured) in rows {
            let spread = |name| measured.spread(name, |round| round.broker_us);
            let ours = spread(OURS);
            let mut cells = vec![workload.title.to_owned()];
            for name in self.names() {
                cells.push(match (spread(name), ours) {
                    (Some(peer), Some(ours)) if name != OURS => {
                        format!("{}, **1 : {:.1}**", range(peer, 2), peer.median / ours.median)
                    }
                    (Some(spread), _) => range(spread, 2),
                    (None, _) => "–".into(),
                });
            }
            let ratio = ours.zip(spread(MOSQUITTO)).map(|(o, m)| o.median / m.median);
            cells.push(match (workload.aim, ratio) {
                (Some(aim), Some(ratio)) => {
                    let verdict = if ratio <= aim { "reached" } else { "not reached" };
                    format!("1 : {:.0}, {verdict}", 1.0 / aim)
                }
                (Some(aim), None) => format!("1 : {:.0}", 1.0 / aim),
                _ => String::new(),
            });
            table.row(cells.iter().map(String::as_str));
        }
        table.end()
    }

    fn rates(&self) -> String {
        let rows = self.of(Kind::Messages);
        let mut table = Table::new("Messages per second, and the broker's memory");
        table.row(["workload"].into_iter().chain(self.names()).chain(["load's own µs"]));
        for (workload, measured) in rows {
            let mut cells = vec![workload.title.to_owned()];
            for name in self.names() {
                let figure = |figure: fn(&Round) -> Option<f64>| measured.spread(name, figure);
                let mut parts = Vec::new();
                let rate = figure(|round| Some(round.rate));
                parts.extend(rate.map(|spread| match spread {
                    Spread { median, min, max } if min < max => {
                        format!("{}/s ({}–{})", count(median), count(min), count(max))
                    }
                    Spread { median, .. } => format!("{}/s", count(median)),
                }));
                let memory = figure(|round| round.resident_mib);
                parts.extend(memory.map(|s| format!("{:.0} MiB", s.median)));
                let rate = figure(|round| round.subscriptions_rate);
                parts.extend(rate.map(|s| format!("{} subscriptions/s", count(s.median))));
                cells.push(if parts.is_empty() { "–".into() } else { parts.join(", ") });
            }
            let own = measured.spread(OURS, |round| round.generator_us);
            cells.push(own.map_or_else(String::new, |own| format!("{:.2}", own.median)));
            table.row(cells.iter().map(String::as_str));
        }
        table.end()
    }

    fn latency(&self) -> String {
        let mut table = Table::new("Latency in µs, medians of the rounds");
        table.row(["load", "broker", "p50", "p90", "p99", "p99.9", "longest"]);
        for (workload, measured) in self.of(Kind::Latency) {
            for name in self.names() {
                let at = |of: fn(&super::results::Latency) -> f64| {
                    let spread = measured.spread(name, |round| round.latency_us.as_ref().map(of));
                    spread.map_or_else(|| "–".into(), |spread| format!("{:.0}", spread.median))
                };
                let cells = [
                    workload.title.to_owned(),
                    name.to_owned(),
                    at(|latency| latency.p50),
                    at(|latency| latency.p90),
                    at(|latency| latency.p99),
                    at(|latency| latency.p99_9),
                    at(|latency| latency.max),
                ];
                table.row(cells.iter().map(String::as_str));
            }
        }
        table.end()
    }

    fn connections(&self) -> String {
        let mut table = Table::new("Connections");
        table.row(["load", "broker", "connections/s", "µs each", "KiB each"]);
        for (workload, measured) in self.of(Kind::Connections) {
            for name in self.names() {
                let cell = |spread: Option<Spread>, digits| {
                    spread.map_or_else(|| "–".into(), |spread| range(spread, digits))
                };
                let cells = [
                    workload.title.to_owned(),
                    name.to_owned(),
                    cell(measured.spread(name, |round| Some(round.rate)), 0),
                    cell(measured.spread(name, |round| round.broker_us), 1),
                    cell(measured.spread(name, |round| round.connection_kib), 2),
                ];
                table.row(cells.iter().map(String::as_str));
            }
        }
        table.end()
    }
}

/// What should have arrived and did not, and which runs failed.
fn losses(results: &Results) -> String {
    let mut lines = Vec::new();
    for measured in &results.workloads {
        for (broker, rounds) in &measured.brokers {
            let sum = |figure: fn(&Round) -> u64| rounds.iter().map(figure).sum::<u64>();
            let name = &measured.name;
            let (missing, unexpected) = (sum(|r| r.missing), sum(|r| r.unexpected));
            if missing > 0 {
                let expected = sum(|r| r.expected);
                lines.push(format!(
                    "- {name}, {broker}: {missing} of {expected} messages did not arrive"
                ));
            }
            if unexpected > 0 {
                lines.push(format!(
                    "- {name}, {broker}: {unexpected} messages came twice or after a later one"
                ));
            }
        }
        for (broker, why) in &measured.failures {
            let why = why.lines().collect::<Vec<_>>().join(" ");
            lines.push(format!("- {}, {broker}: failed: {why}", measured.name));
        }
    }
    if lines.is_empty() {
        return "Every message that should have arrived has arrived.\n".into();
    }
    lines.join("\n") + "\n"
}

/// A Markdown table that grows row by row, with its heading; nothing where it has no rows.
pub(super) struct Table {
    text: String,
    rows: usize,
}

impl Table {
    pub(super) fn new(heading: &str) -> Self {
        Self { text: format!("\n### {heading}\n\n"), rows: 0 }
    }

    pub(super) fn row<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) {
        let cells: Vec<_> = cells.into_iter().collect();
        self.text.push_str(&format!("| {} |\n", cells.join(" | ")));
        if self.rows == 0 {
            self.text.push_str(&format!("|{}\n", "---|".repeat(cells.len())));
        }
        self.rows += 1;
    }

    pub(super) fn end(self) -> String {
        if self.rows > 1 { self.text } else { String::new() }
    }
}

/// A median, and between which it lies; the latter where there is more than one round.
fn range(spread: Spread, digits: usize) -> String {
    let Spread { median, min, max } = spread;
    if min == max {
        return format!("{median:.digits$}");
    }
    format!("{median:.digits$} ({min:.digits$}–{max:.digits$})")
}

/// A large number with three digits and a unit.
pub(super) fn count(number: f64) -> String {
    if number >= 1e6 {
        format!("{:.2} M", number / 1e6)
    } else if number >= 1e4 {
        format!("{:.0} k", number / 1e3)
    } else {
        format!("{number:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::{Latency, Version};
    use super::*;

    fn round(broker_us: f64, missing: u64) -> Round {
        let rate = 1e6 / broker_us;
        let latency_us = Some(Latency { p99: broker_us, ..Latency::default() });
        let broker_us = Some(broker_us);
        Round { expected: 1000, missing, rate, broker_us, latency_us, ..Round::default() }
    }

    /// Two brokers, two rounds of one workload of each kind.
    fn results(missing: u64) -> Results {
        let version = |name: &str| Version { name: name.into(), version: "1.0".into() };
        let measured = |name: &str| Measured {
            name: name.into(),
            brokers: [
                (OURS.to_owned(), vec![round(0.25, 0), round(0.35, 0)]),
                (MOSQUITTO.to_owned(), vec![round(6.0, missing), round(6.0, 0)]),
            ]
            .into(),
            ..Measured::default()
        };
        let names = ["qos0-window500", "latency-1000", "idle-10000"];
        Results {
            brokers: vec![version(OURS), version(MOSQUITTO)],
            workloads: names.into_iter().map(measured).collect(),
            ..Results::default()
        }
    }

    #[test]
    fn the_table_holds_medians_ratios_and_the_aim() {
        let text = figures(&results(0));
        let row = "| 1 → 1, QoS 0, window 500 | 0.30 (0.25–0.35) | 6.00, **1 : 20.0** \
                   | 1 : 10, reached |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("Every message that should have arrived has arrived."), "{text}");
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut results = results(3);
        results.workloads[0].failures.insert("rumqttd".into(), "it\nended".into());
        let text = figures(&results);
        assert!(text.contains("Mosquitto: 3 of 2000 messages did not arrive"), "{text}");
        assert!(text.contains("qos0-window500, rumqttd: failed: it ended"), "{text}");
        assert!(!text.contains("has arrived"), "{text}");
    }

    #[test]
    fn only_what_stands_between_the_marks_is_written() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let page = with_figures(&page, &results(0)).unwrap();
        assert!(page.starts_with("before\n") && page.ends_with("\nafter\n"), "{page}");
        assert!(!page.contains("old"), "{page}");
        assert_eq!(with_figures(&page, &results(0)).unwrap(), page, "again changes nothing");
        assert!(with_figures("no marks", &results(0)).is_err());
    }

    #[test]
    fn the_page_and_the_plot_are_made_of_the_figures() {
        assert_eq!(check(crate::workspace::root(), false).unwrap(), Vec::<String>::new());
    }
}
