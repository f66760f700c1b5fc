//! `ws-broker import`: takes over what Mosquitto has saved, so that clients go on with this broker as if
//! nothing had happened.
//!
//! [`mosquitto`] reads the file, [`mod@plan`] makes of it what this broker would have, and [`storing`] puts
//! that into the store, all of it or nothing.

mod left_out;
mod mosquitto;
mod plan;
mod storing;

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::config::{Config, Durability};
use crate::store::{self, Store};
use crate::time::{Clock, Wall};
use crate::{cli, log, process};
use mosquitto::Database;
use plan::{Circumstances, Plan};

/// What Mosquitto calls its file unless it is told otherwise.
const FILE: &str = "mosquitto.db";

/// The command line behind `ws-broker import`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// The file that Mosquitto saved when it was stopped [default: mosquitto.db in the
    /// persistence_location of the configuration]
    file: Option<PathBuf>,

    /// The configuration that the broker will be started with
    #[arg(short, long = "config-file", value_name = "FILE")]
    config: Option<PathBuf>,

    /// Import into the store that a broker with this persistence_location has [default: what the
    /// configuration says]
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,

    /// Import into a store that holds something already, which stays as it is
    #[arg(long)]
    merge: bool,

    /// Say what would be imported, and import nothing
    #[arg(long, conflicts_with_all = ["into", "merge"])]
    dry_run: bool,
}

/// Does what the arguments say; the answer is the status of the process.
pub(crate) fn run(arguments: &Arguments) -> u8 {
    match import(arguments) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("Error: {error:#}.");
            1
        }
    }
}

/// Says so if Mosquitto has left its state where a broker, which has nothing yet, is to keep its own.
pub(crate) fn point_out(location: Option<&Path>) {
    let file = location.map(|location| location.join(FILE)).filter(|file| file.is_file());
    if let Some(file) = file {
        tracing::info!(
            target: log::NOTICE,
            "Mosquitto has left its state in {}: to take it over, stop this broker and run \
             `ws-broker import`.",
            file.display()
        );
    }
}

fn import(arguments: &Arguments) -> Result<()> {
    let config = cli::load(arguments.config.clone())?.config;
    let file = match (&arguments.file, &config.persistence.location) {
        (Some(file), _) => file.clone(),
        (None, Some(location)) => location.join(FILE),
        (None, None) => bail!("name the {FILE} that Mosquitto has saved"),
    };
    let not_imported = || format!("{} is not imported", file.display());
    let database = read(&file).with_context(not_imported)?;
    let is_final = database.is_final;
    let mut plan = plan(database, &config)?;
    let folder = if arguments.dry_run {
        None
    } else {
        let folder = folder(arguments, &config).with_context(not_imported)?;
        // Root may read Mosquitto's file, but the store is that of the user that the broker becomes.
        let user = config.user.as_deref();
        process::make_folder(&folder, user).with_context(not_imported)?;
        process::drop_privileges(user, &[])?;
        let opened = Store::open(&folder, Durability::Fsync, Wall::now(Clock::start()));
        let stored = opened.and_then(|opened| storing::store(&mut plan, opened, arguments.merge));
        stored.with_context(not_imported)?;
        Some(folder)
    };
    tell(&plan, &file, folder.as_deref(), is_final).context("the report can't be written")
}

/// What is to be imported into a broker with this configuration.
fn plan(database: Database, config: &Config) -> Result<Plan> {
    let host = nix::unistd::gethostname().context("this computer does not say its name")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let host = &*host.to_string_lossy();
    Ok(Plan::of(database, &Circumstances { config, host, now_s: now.as_secs() }))
}

/// The folder of the store.
fn folder(arguments: &Arguments, config: &Config) -> Result<PathBuf> {
    match (&arguments.into, &config.persistence.folder) {
        (Some(location), _) => Ok(store::home::within(location)),
        (None, Some(folder)) => Ok(folder.clone()),
        (None, None) => bail!(
            "by its configuration the broker would store nothing: it needs persistence true, and a \
             durability other than none"
        ),
    }
}

fn read(path: &Path) -> Result<Database> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        bail!(
            "it is a folder; name the file in it, which is called mosquitto.db unless told otherwise"
        );
    }
    Ok(mosquitto::read(BufReader::new(file))?)
}

/// Says what is in a plan, and what is not.
fn tell(plan: &Plan, file: &Path, folder: Option<&Path>, is_final: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let subscriptions: usize =
        plan.sessions.iter().map(|session| session.subscriptions.len()).sum();
    let (sent, waiting) = plan.deliveries();
    let file = file.display();
    match folder {
        Some(folder) => writeln!(out, "Imported from {file} into {}:", folder.display())?,
        None => writeln!(out, "To be imported from {file}:")?,
    }
    for (count, one, many) in [
        (plan.sessions.len(), "session", "sessions"),
        (subscriptions, "subscription", "subscriptions"),
        (plan.retained.len(), "retained message", "retained messages"),
        (sent, "message on its way to a client", "messages on their way to clients"),
        (waiting, "message that waits for a client", "messages that wait for clients"),
        (
            plan.passed_on,
            "message that waited for its PUBREL, and is passed on",
            "messages that waited for their PUBREL, and are passed on",
        ),
    ] {
        writeln!(out, "  {count} {}", if count == 1 { one } else { many })?;
    }
    let mut left_out = plan.left_out.sentences().peekable();
    if left_out.peek().is_some() {
        writeln!(out, "Not imported:")?;
    }
    for sentence in left_out {
        writeln!(out, "  {sentence}")?;
    }
    if !is_final {
        writeln!(
            out,
            "Mosquitto went on after it had saved this file. What came later is not in it: stop \
             Mosquitto, which saves it again, and import that."
        )?;
    }
    let is_shared = |session: &plan::Session| {
        session.subscriptions.iter().any(|subscription| subscription.filter.share_name().is_some())
    };
    if !plan.sessions.is_empty() && !plan.sessions.iter().any(is_shared) {
        writeln!(
            out,
            "Mosquitto 2.0 does not save shared subscriptions: clients that have any must subscribe \
             to them again, as after a restart of Mosquitto."
        )?;
    }
    Ok(())
}
