//! `crash`: the long form of the crash test, which `cargo xtask crash` runs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tests::ledger::{self, Ends, Plan};

/// Kills a broker again and again under load, and looks for what it has lost.
#[derive(Debug, Parser)]
#[command(name = "crash", max_term_width = 100)]
struct Arguments {
    /// The broker's binary
    broker: PathBuf,
    /// How often the broker dies
    #[arg(long, default_value_t = 100)]
    rounds: u32,
    /// Decides when it dies and what the clients do; drawn at random if it is not given
    #[arg(long)]
    seed: Option<u64>,
    /// The broker's level of durability; with `mosquitto` its configuration has only
    /// words that Mosquitto knows
    #[arg(long, default_value = "os")]
    durability: String,
    /// After how many rounds everything is settled and compared
    #[arg(long, default_value_t = 10)]
    checkpoint_every: u32,
    /// How each round ends
    #[arg(long, value_enum, default_value = "killed")]
    ends: Ends,
    /// How many publishers there are
    #[arg(long, default_value_t = 6)]
    publishers: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let words = match arguments.durability.as_str() {
        "mosquitto" => "persistence true".to_owned(),
        level => format!("persistence true\ndurability {level}\ndashboard_port 0"),
    };
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    let plan = Plan {
        checkpoint_every: arguments.checkpoint_every.max(1),
        publishers: arguments.publishers,
        ends: arguments.ends,
        ..Plan::new(arguments.broker, &words, arguments.rounds, seed)
    };
    println!("seed {}", plan.seed);
    let folder = match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => {
            eprintln!("crash: there is no room for the broker's folder: {error}");
            return ExitCode::FAILURE;
        }
    };
    let report = ledger::run(&plan, folder.path());
    println!("\n{report}");
    if report.is_clean() {
        return ExitCode::SUCCESS;
    }
    println!("The broker's folder is left at {}", folder.keep().display());
    ExitCode::FAILURE
}
