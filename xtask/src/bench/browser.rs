//! `cargo xtask bench browser`: the dashboard in headless Chromium, against the release broker.
//!
//! What is measured stands in `bench/browser`, as scripts for Node; here the broker is started for them, and
//! what they find becomes a table beside what it must reach.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::machine;
use crate::{binaries, command, setup, workspace};

/// The scripts, below the top of the repository.
const SCRIPTS: &str = "bench/browser";

/// How long the broker may take until it answers.
const START_MAX: Duration = Duration::from_secs(30);
const START_POLL: Duration = Duration::from_millis(50);

/// The page of figures that `--docs` writes.
const PAGE: &str = "docs/bench-browser.md";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Seconds that ten thousand topics are published to; memory shows over ten minutes, 600
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Measure these parts alone, separated by commas: load, flood, chart, peers
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Ask Lighthouse too; the first time this installs it below the target folder
    #[arg(long)]
    lighthouse: bool,
    /// Write the figures to docs/bench-browser.md
    #[arg(long)]
    docs: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure(setup::FOR_THE_DASHBOARD)?;
    setup::ensure(setup::FOR_THE_BROWSER)?;
    let browser = setup::find_program(setup::BROWSERS).context("there is no Chromium")?;
    let folder = install()?;
    let program = binaries::broker()?;
    command::run(command::cargo().args(["build", "--release", "--package", "load"]))?;
    let load = workspace::target().join("release").join("load");
    let broker = Broker::start(&program)?;
    let options = json!({
        "tcp": broker.tcp, "ws": broker.ws, "browser": browser, "load": load,
        "seconds": arguments.seconds, "only": arguments.only,
    });
    let mut node = Command::new("node");
    node.arg(folder.join("measure.mjs")).arg(options.to_string()).stdin(Stdio::null());
    let output = node.stderr(Stdio::inherit()).output().context("node could not be started")?;
    if !output.status.success() {
        bail!("the measurement failed: {}", output.status);
    }
    let mut results: Value =
        serde_json::from_slice(&output.stdout).context("the scripts printed no JSON")?;
    if arguments.lighthouse {
        let scores = lighthouse(&folder, &browser, broker.ws)?;
        results.as_object_mut().context("no figures")?.insert("lighthouse".into(), scores);
    }
    drop(broker);
    let table = table(&results);
    println!("\n{table}");
    let file = folder.join("results.json");
    fs::write(&file, serde_json::to_string_pretty(&results)?)
        .with_context(|| format!("cannot write {}", file.display()))?;
    println!("All figures are in {}", file.display());
    if arguments.docs {
        let file = workspace::root().join(PAGE);
        fs::write(&file, page(&results, &table))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Copies the scripts below the target folder, and has npm install there what they need.
fn install() -> Result<PathBuf> {
    let folder = workspace::target().join("bench").join("browser");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let scripts = workspace::root().join(SCRIPTS);
    for entry in fs::read_dir(&scripts).with_context(|| format!("no {}", scripts.display()))? {
        let file = entry?.path();
        let name = file.file_name().context("a script without a name")?;
        fs::copy(&file, folder.join(name))
            .with_context(|| format!("cannot copy {}", file.display()))?;
    }
    npm(&folder, &[])?;
    Ok(folder)
}

fn npm(folder: &Path, packages: &[&str]) -> Result<()> {
    let mut npm = Command::new("npm");
    npm.current_dir(folder).args(["install", "--no-audit", "--no-fund", "--no-save"]);
    command::run(npm.args(packages))
}

/// The scores of Lighthouse, of 100.
fn lighthouse(folder: &Path, browser: &Path, port: u16) -> Result<Value> {
    const PARTS: [&str; 3] = ["performance", "accessibility", "best-practices"];
    npm(folder, &["lighthouse"])?;
    let report = folder.join("lighthouse.json");
    let mut ask = Command::new("npx");
    ask.current_dir(folder).env("CHROME_PATH", browser).arg("lighthouse");
    ask.arg(format!("http://127.0.0.1:{port}/"));
    ask.args(["--quiet", "--output=json", "--chrome-flags=--headless=new --no-sandbox"]);
    ask.arg(format!("--output-path={}", report.display()));
    ask.arg(format!("--only-categories={}", PARTS.join(",")));
    command::run(&mut ask)?;
    let text = fs::read(&report).with_context(|| format!("cannot read {}", report.display()))?;
    let report: Value = serde_json::from_slice(&text).context("Lighthouse wrote no JSON")?;
    let score = |part: &str| {
        let score = report.pointer(&format!("/categories/{part}/score"));
        (score.and_then(Value::as_f64).unwrap_or_default() * 100.0).round()
    };
    Ok(PARTS.iter().map(|part| (*part, score(part))).collect())
}

/// A broker that is stopped when it is dropped.
struct Broker {
    child: Child,
    tcp: u16,
    ws: u16,
}

impl Broker {
    fn start(program: &Path) -> Result<Self> {
        let (tcp, ws) = free_ports()?;
        let mut command = Command::new(program);
        command.args(["-p", &tcp.to_string(), "--ws-port", &ws.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().context("the broker could not be started")?;
        let broker = Self { child, tcp, ws };
        let deadline = Instant::now() + START_MAX;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, ws)).is_err() {
            if Instant::now() > deadline {
                bail!("the broker does not answer after {} s", START_MAX.as_secs());
            }
            thread::sleep(START_POLL);
        }
        Ok(broker)
    }
}

fn free_ports() -> Result<(u16, u16)> {
    // Held at the same time, so that they are not the same.
    let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (tcp, ws) = (free()?, free()?);
    Ok((tcp.local_addr()?.port(), ws.local_addr()?.port()))
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What was found, beside what it must reach; a part that was not measured is not there.
fn table(results: &Value) -> String {
    let mut rows = Vec::new();
    let mut row = |at: &str, what: &str, unit: &str, aim: &str, is_reached: fn(f64) -> bool| {
        if let Some(value) = results.pointer(at).and_then(Value::as_f64) {
            let verdict = if is_reached(value) { "reached" } else { "**not reached**" };
            rows.push(format!("| {what} | {value} {unit} | {aim}, {verdict} |"));
        }
    };
    row("/load/bytes", "first load over the wire", "bytes", "at most 250000", |n| n <= 250e3);
    row("/load/first_value_ms", "first live value on the screen", "ms", "at most 1000", |n| {
        n <= 1e3
    });
    row("/flood/missing", "messages that were not counted", "", "none", |n| n == 0.0);
    row("/flood/long_tasks", "tasks over 50 ms", "", "none", |n| n == 0.0);
    row("/flood/input_to_paint_ms", "input to next paint, the longest", "ms", "under 100", |n| {
        n < 100.0
    });
    row(
        "/flood/memory_growth",
        "memory, last third of the time to the second",
        "times",
        "flat",
        |n| n < 1.1,
    );
    row("/chart/drawn_ms_longest", "a chart of a million numbers, drawn", "ms", "under 16", |n| {
        n < 16.0
    });
    row("/peers/times", "messages per second beside MQTT.js", "times", "at least 5", |n| n >= 5.0);
    for part in ["performance", "accessibility", "best-practices"] {
        let what = format!("Lighthouse: {part}");
        row(&format!("/lighthouse/{part}"), &what, "", "at least 95", |n| n >= 95.0);
    }
    format!("| | measured | aim |\n|---|---|---|\n{}\n", rows.join("\n"))
}

fn page(results: &Value, table: &str) -> String {
    let machine = machine();
    let number = |at: &str| results.pointer(at).and_then(Value::as_f64).unwrap_or_default();
    format!(
        "# The dashboard, measured\n\n\
         Headless Chromium {}, the release broker on the same machine: {}, {} cores, {} GiB, Linux {}. \
         Measure it yourself:\n\n\
         ```sh\ncargo xtask bench browser\n\
         cargo xtask bench browser --seconds 600 --lighthouse\n```\n\n\
         {table}\n\
         The first load is the page, its style, JavaScript and wasm, compressed as they are served; the first \
         value is the median of five loads without a cache, from navigation to a card that shows a value.\n\n\
         Under load: {} topics at {} messages a second for {} s, of which {} came and {} were expected, while \
         somebody searches, goes through the tree, pauses the log and changes pages all the time. Memory is \
         what the browser's process takes: {} MiB in the second third of the time, {} MiB in the last. By the end \
         {} of the oldest messages and numbers had left the page's log and its histories, so that they keep to \
         their memory; the page counts them.\n\n\
         {}\
         The chart has {} numbers of one topic on {} pixels, and is drawn anew after each key, which holds the \
         page's thread for {} ms at the median; from the key to the drawn chart, by way of the engine, it takes \
         {} ms.\n\n\
         MQTT.js is measured in the same browser, against the same broker, with the same work for each \
         message: the last value and the count of its topic. Either is offered more and more, by the load \
         generator of `cargo xtask bench`, until it takes no more. MQTT.js takes in {} messages a second, the \
         engine {}.\n",
        results.get("browser").and_then(Value::as_str).unwrap_or_default(),
        machine.processor,
        machine.cores,
        machine.memory_gib,
        machine.kernel,
        number("/flood/topics"),
        number("/flood/rate"),
        number("/flood/seconds"),
        number("/flood/received"),
        number("/flood/sent"),
        number("/flood/memory_mib/second_third"),
        number("/flood/memory_mib/last_third"),
        number("/flood/dropped"),
        steps(results),
        number("/chart/numbers"),
        number("/chart/width"),
        number("/chart/drawn_ms"),
        number("/chart/key_to_drawn_ms"),
        number("/peers/mqttjs/best"),
        number("/peers/engine/best"),
    )
}

/// What the person did in turn, and what that cost the page; nothing where it was not measured.
fn steps(results: &Value) -> String {
    let Some(steps) = results.pointer("/flood/steps").and_then(Value::as_array) else {
        return String::new();
    };
    let mut rows = vec![
        "| | longest processor time of a task, in ms | tasks over 50 ms |\n|---|---|---|"
            .to_owned(),
    ];
    for step in steps {
        let name = step.get("name").and_then(Value::as_str).unwrap_or_default();
        let cost = step.get("costliest_ms").and_then(Value::as_f64).unwrap_or_default();
        let long = step.get("long_tasks").and_then(Value::as_array).map_or(0, Vec::len);
        rows.push(format!("| {name} | {cost} | {long} |"));
    }
    format!(
        "What the person does in turn, and what it costs the page's thread. The processor time of a task is its \
         own; what it takes beyond that it waits for a processor, which the broker, the publisher, the engine \
         and the browser's other threads want too.\n\n{}\n\n",
        rows.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_what_was_measured_and_says_what_misses() {
        let results = json!({
            "load": { "bytes": 260_000, "first_value_ms": 400 },
            "peers": { "times": 5.2 },
        });
        let table = table(&results);
        assert!(table.contains("| 260000 bytes | at most 250000, **not reached** |"), "{table}");
        assert!(table.contains("| 400 ms | at most 1000, reached |"), "{table}");
        assert!(table.contains("| 5.2 times | at least 5, reached |"), "{table}");
        assert!(!table.contains("Lighthouse") && !table.contains("counted"), "{table}");
    }

    #[test]
    fn what_was_done_stands_with_its_cost() {
        let step = json!({ "name": "search", "costliest_ms": 12.5, "long_tasks": [51, 60] });
        let text = steps(&json!({ "flood": { "steps": [step] } }));
        assert!(text.contains("| search | 12.5 | 2 |"), "{text}");
        assert_eq!(steps(&json!({ "load": {} })), "");
    }
}
