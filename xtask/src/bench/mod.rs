//! `cargo xtask bench`: our broker and its peers under the same load, in turn, several times.
//!
//! Every run has a broker that was just started, on a core of its own, and one `load` on another.
//! The brokers take turns within a round, so that whatever else the machine does hits all of them.

mod browser;
mod cores;
mod page;
mod peers;
mod plot;
mod results;
mod stored;
mod workloads;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::{command, setup, workspace};
use cores::Cores;
use peers::{Broker, Running};
use results::{Machine, Measured, Results, Round, Version};
use workloads::{Kind, Transport, Workload};

pub(crate) use page::check;

/// Open files that a hundred thousand connections need on either side.
const FILES: u64 = 250_000;

/// How long a load may take that ends by itself.
const FILL_SECONDS_MAX: f64 = 600.0;

/// What `load` prints when its messages flow.
const FLOWING: &str = "load: flowing";

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    other: Option<Other>,
    /// How many times everything is measured; the tables show medians
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds that each run is measured
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Measure these workloads alone, separated by commas; --list names them
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// One short round, without the workloads that take long
    #[arg(long)]
    quick: bool,
    /// Name the workloads, and measure nothing
    #[arg(long)]
    list: bool,
    /// Measure rumqttd too; the first time this installs it below the target folder
    #[arg(long)]
    rumqttd: bool,
    /// Measure this broker too: NAME:TCP:WS:COMMAND, with the ports that the command listens on,
    /// either of them empty if it does not; may be given several times
    #[arg(long, value_name = "NAME:TCP:WS:COMMAND")]
    peer: Vec<String>,
    /// Write the figures to docs/bench.json, and the page and the plot made of them
    #[arg(long)]
    docs: bool,
}

/// What else can be measured than brokers.
#[derive(clap::Subcommand)]
enum Other {
    /// Measure the dashboard in a browser
    Browser(browser::Arguments),
}

/// What every run needs.
struct Bench {
    load: PathBuf,
    folder: PathBuf,
    cores: Cores,
    seconds: f64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(Other::Browser(arguments)) = &arguments.other {
        return browser::run(arguments);
    }
    if arguments.list {
        for workload in workloads::ALL {
            println!("{:18} {}", workload.name, workload.title);
        }
        return Ok(());
    }
    let chosen = choose(&arguments.only, arguments.quick)?;
    let rounds = if arguments.quick { 1 } else { arguments.rounds };
    let seconds = if arguments.quick { arguments.seconds.min(1.0) } else { arguments.seconds };
    setup::ensure(setup::FOR_THE_BENCHMARKS)?;
    allow_files()?;
    command::run(command::cargo().args(["build", "--release"]).args([
        "--package",
        "ws-broker",
        "--package",
        "load",
    ]))?;
    let release = workspace::target().join("release");
    let brokers = find_brokers(arguments, &release)?;
    let levels = [(stored::OFF, None), (stored::OS, Some("os")), (stored::FSYNC, Some("fsync"))];
    let levels = levels.map(|(name, level)| Broker::at_level(name, level, &release));
    let bench = Bench {
        load: release.join("load"),
        folder: workspace::target().join("bench"),
        cores: Cores::find()?,
        seconds,
    };
    fs::create_dir_all(&bench.folder)
        .with_context(|| format!("cannot create {}", bench.folder.display()))?;
    bench.make_certificate()?;

    let mut results = Results {
        machine: machine(),
        brokers: brokers
            .iter()
            .map(|broker| Version { name: broker.name.clone(), version: broker.version.clone() })
            .collect(),
        rounds,
        seconds,
        workloads: chosen
            .iter()
            .map(|workload| Measured { name: workload.name.into(), ..Measured::default() })
            .collect(),
    };
    for number in 1..=rounds {
        for (workload, measured) in chosen.iter().zip(&mut results.workloads) {
            let compared = match workload.kind {
                Kind::Stored => &levels[..],
                Kind::Restart => &levels[1..2],
                _ => &brokers[..],
            };
            for broker in compared.iter().filter(|broker| broker.speaks(workload.transport)) {
                if measured.failures.contains_key(&broker.name) {
                    continue;
                }
                print!("round {number} of {rounds}: {:18} {:15} ", workload.name, broker.name);
                match bench.measure(broker, workload) {
                    Ok(round) => {
                        println!("{}", page::summary(&round));
                        measured.brokers.entry(broker.name.clone()).or_default().push(round);
                    }
                    Err(error) => {
                        println!("failed: {error:#}");
                        measured.failures.insert(broker.name.clone(), format!("{error:#}"));
                    }
                }
            }
        }
    }

    println!("\n{}", page::figures(&results));
    let text = serde_json::to_string_pretty(&results)? + "\n";
    let file = bench.folder.join("results.json");
    fs::write(&file, &text).with_context(|| format!("cannot write {}", file.display()))?;
    println!("All figures are in {}", file.display());
    if arguments.docs {
        page::write(workspace::root(), &results, &text)?;
    }
    Ok(())
}

/// The workloads that were asked for.
fn choose(only: &[String], quick: bool) -> Result<Vec<&'static Workload>> {
    let names = || workloads::ALL.iter().map(|workload| workload.name).collect::<Vec<_>>();
    if let Some(unknown) = only.iter().find(|name| !names().contains(&name.as_str())) {
        bail!("there is no workload {unknown}; there are {}", names().join(", "));
    }
    let is_chosen = |workload: &&Workload| match only {
        [] => !(quick && workload.is_long),
        only => only.iter().any(|name| name == workload.name),
    };
    Ok(workloads::ALL.iter().filter(is_chosen).collect())
}

/// Ours first.
fn find_brokers(arguments: &Arguments, release: &Path) -> Result<Vec<Broker>> {
    let mosquitto = setup::find_program(&["mosquitto"]).context("mosquitto is not there")?;
    let mut brokers = vec![
        Broker::with_conf(peers::OURS, release.join("ws-broker"))?,
        Broker::with_conf(peers::MOSQUITTO, mosquitto)?,
    ];
    if arguments.rumqttd {
        let tools = workspace::target().join("tools");
        let program = tools.join("bin").join("rumqttd");
        if !program.is_file() {
            let mut cargo = command::cargo();
            // Not `--locked`: a library in the versions that it was published with builds no more.
            command::run(cargo.args(["install", "rumqttd", "--root"]).arg(&tools))?;
        }
        brokers.push(Broker::rumqttd(program)?);
    }
    for peer in &arguments.peer {
        brokers.push(Broker::parse(peer)?);
    }
    Ok(brokers)
}

impl Bench {
    /// Both brokers show the same certificate.
    fn make_certificate(&self) -> Result<()> {
        let mut load = Command::new(&self.load);
        command::run(load.arg("certificate").arg(&self.folder).stdout(Stdio::null()))
    }

    /// One run: the broker starts, bears the load and stops.
    fn measure(&self, broker: &Broker, workload: &Workload) -> Result<Round> {
        stored::clear(&self.folder)?;
        if workload.kind == Kind::Restart {
            return stored::restart(self, broker, workload);
        }
        let cores = if workload.has_all_cores { self.cores.shared() } else { self.cores };
        let running = broker.start(workload.transport, &self.folder, &cores)?;
        let beside = match workload.beside {
            Some(load) => Some(Beside::start(self, load, running.address)?),
            None => None,
        };
        let round = self.load(&running, workload);
        drop(beside);
        let stopped = running.stop();
        let round = round?;
        stopped?;
        Ok(round)
    }

    fn load(&self, running: &Running, workload: &Workload) -> Result<Round> {
        let mut load = Command::new(&self.load);
        load.args(workload.load).args(["--address", &running.address.to_string()]);
        load.args(["--pid", &running.pid().to_string()]);
        match workload.transport {
            Transport::Tcp => {}
            Transport::Ws => drop(load.args(["--transport", "ws"])),
            Transport::Tls => {
                let certificate = self.folder.join("certificate.pem");
                load.args(["--transport", "tls", "--cafile"]).arg(certificate);
            }
        }
        if workload.load.first() == Some(&"flow") {
            let is_fill = workload.kind == Kind::Restart;
            let seconds = if is_fill { FILL_SECONDS_MAX } else { self.seconds };
            load.args(["--seconds", &seconds.to_string()]);
        }
        load.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = cores::spawn_on(&mut load, Some(self.cores.generator))?.wait_with_output()?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let report = serde_json::from_slice(&output.stdout).context("load printed no JSON")?;
        Round::read(&report)
    }
}

/// A load that goes on until it is dropped.
struct Beside {
    child: Child,
}

impl Beside {
    /// Starts it and waits until its messages flow.
    fn start(bench: &Bench, arguments: &[&str], address: SocketAddr) -> Result<Self> {
        let mut load = Command::new(&bench.load);
        load.args(arguments).args(["--announce", "--prefix", "beside", "--seconds", "3600"]);
        load.args(["--address", &address.to_string()]);
        load.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut beside = Self { child: cores::spawn_on(&mut load, Some(bench.cores.generator))? };
        let stderr = beside.child.stderr.take().context("load has no standard error")?;
        let mut said = String::new();
        for line in BufReader::new(stderr).lines() {
            let line = line?;
            if line == FLOWING {
                return Ok(beside);
            }
            said = line;
        }
        bail!("what should flow beside it does not: {said}")
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // It may have ended by itself when the broker did.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Raises the limit of open files, which brokers and loads inherit, as far as is allowed.
fn allow_files() -> Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= FILES || setrlimit(Resource::RLIMIT_NOFILE, FILES, hard.max(FILES)).is_ok() {
        return Ok(());
    }
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

fn machine() -> Machine {
    let read = |file| fs::read_to_string(file).unwrap_or_default();
    let value = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let memory = value(&read("/proc/meminfo"), "MemTotal");
    let kib = memory.and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    Machine {
        processor: value(&read("/proc/cpuinfo"), "model name").unwrap_or_default(),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        memory_gib: kib.unwrap_or_default() >> 20,
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_that_is_not_there_is_named_with_those_that_are() {
        let error = choose(&["qos9".into()], false).err().unwrap().to_string();
        assert!(error.contains("qos9") && error.contains("qos1-window20"), "{error}");
        let chosen = choose(&["retained".into()], true).unwrap();
        assert_eq!(chosen.len(), 1, "what was asked for is never left out");
        assert!(choose(&[], true).unwrap().iter().all(|workload| !workload.is_long));
        assert_eq!(choose(&[], false).unwrap().len(), workloads::ALL.len());
    }
}
