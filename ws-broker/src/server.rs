//! Puts the broker together: workers, listeners, and an orderly end.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use codec::{Properties, QoS, TopicName};
use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

use crate::access::Identity;
use crate::bridge::Plan;
use crate::broker::{Message, Totals, WorkerId};
use crate::cli::{Cli, Loaded};
use crate::config::{Durability, Protocol};
use crate::import;
use crate::log;
use crate::memory;
use crate::net::{self, ListeningSocket};
use crate::process::{self, PidFile};
use crate::settings::Settings;
use crate::store::{self, Committer, Opened, Restored, SavedSession, Store, Surroundings};
use crate::time::{Clock, Ms, Wall};
use crate::worker::{self, Door, Mail, Shared, Turns};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs the broker until a signal ends it.
///
/// # Errors
/// A port can't be listened on, or the operating system refuses what the broker needs.
pub(crate) fn run(cli: &Cli, loaded: Loaded) -> Result<()> {
    log::configure(&loaded.config.log)?;
    tracing::info!("ws-broker version {VERSION} starting.");
    match cli.config_file() {
        Some(file) => tracing::info!("Config loaded from {file}."),
        None => tracing::info!("Using default config."),
    }
    for note in &loaded.notes {
        tracing::warn!("{note}.");
    }
    let settings = Arc::new(Settings::load(loaded.config)?);
    let bridges = Plan::all(&settings.config.bridges)?;
    // From here on there may be threads, and who goes to the background takes none along.
    if cli.daemon {
        process::go_to_background()?;
    }
    let pid_file = settings.config.pid_file.as_deref().map(PidFile::write).transpose()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let served = runtime.block_on(serve(cli, settings, bridges));
    drop(pid_file);
    served
}

async fn serve(cli: &Cli, settings: Arc<Settings>, bridges: Vec<Arc<Plan>>) -> Result<()> {
    process::raise_file_limit();
    // A file that is to grow beyond what `RLIMIT_FSIZE` allows is an error to report, and not the end.
    drop(signal(SignalKind::from_raw(Signal::SIGXFSZ as i32))?);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut save = signal(SignalKind::user_defined1())?;
    let mut list = signal(SignalKind::user_defined2())?;
    let listeners = listen_everywhere(&settings).await?;
    let places = places(&settings);
    let user = settings.config.user.as_deref();
    if let Some(folder) = &settings.config.persistence.folder
        && let Err(error) = process::make_folder(folder, user)
        && settings.config.persistence.is_asked_for
    {
        return Err(error.context("Sessions and messages can't be stored"));
    }
    process::drop_privileges(user, &settings.config.log.files())?;

    let count = thread::available_parallelism().map_or(1, usize::from);
    let clock = Clock::start();
    let opened = open_store(&settings, clock)?;
    let (store, committer, mut restored) = match opened {
        Some(Opened { store, committer, restored }) => (Some(store), Some(committer), restored),
        None => (None, None, Restored::default()),
    };
    let workers = WorkerId::try_from(count).unwrap_or(1);
    let (shared, mails) = Shared::new(workers, settings, clock, store);
    let committing = committer.map(|committer| start_committer(&shared, committer)).transpose()?;
    let orphans = std::mem::take(&mut restored.orphans);
    let homes = settle(&shared, restored, &bridges);
    let mut threads = Vec::new();
    let (started, starts) = std::sync::mpsc::channel();
    for ((id, mail), sessions) in (0..).zip(mails).zip(homes) {
        let (shared, started) = (Arc::clone(&shared), started.clone());
        let thread = thread::Builder::new().name(format!("worker-{id}"));
        threads.push(thread.spawn(move || worker::run(id, shared, mail, sessions, &started))?);
    }
    drop(started);
    for start in starts.iter().take(threads.len()) {
        start.context("a worker could not be started")?;
    }
    // What was read from the store was taken apart here, and its pieces were freed by the workers.
    memory::give_back();
    if !orphans.is_empty() {
        let places = orphans.into_iter().map(|delivery| delivery.place).collect();
        shared.send(0, Mail::Forget(places));
    }
    publish_log(&shared);
    tracing::info!("ws-broker version {VERSION} running.");
    let mut turns = Turns::new(&shared, 0);
    for plan in bridges {
        let home = shared.registry.claim(&plan.local_id, turns.next());
        shared.send(home, Mail::Bridge(plan));
    }
    for (listener, socket) in listeners {
        let places = places.get(listener).cloned().flatten();
        shared.send(turns.next(), Mail::Listen(Door { socket, listener, places }));
    }

    let signal = loop {
        tokio::select! {
            _ = terminate.recv() => break "SIGTERM",
            _ = interrupt.recv() => break "SIGINT",
            _ = hang_up.recv() => reload(cli, &shared).await,
            _ = save.recv() => {
                let what = if shared.store.is_some() {
                    "Each change is stored before it is acknowledged: there is nothing to save."
                } else {
                    "Nothing is kept on disk: there is nothing to save."
                };
                tracing::info!(target: log::NOTICE, "{what}");
            }
            _ = list.recv() => {
                for worker in shared.workers() {
                    shared.send(worker, Mail::ListSubscriptions);
                }
            }
        }
    };
    tracing::info!("ws-broker version {VERSION} terminating on {signal}.");
    if let Some(store) = &shared.store {
        store.stop();
    }
    for worker in shared.workers() {
        shared.send(worker, Mail::ShutDown);
    }
    tokio::task::spawn_blocking(move || join(threads)).await?;
    log_counters(&shared);
    if let (Some(store), Some(committing)) = (&shared.store, committing) {
        store.close();
        tokio::task::spawn_blocking(move || join(vec![committing])).await?;
    }
    Ok(())
}

/// Opens the store, where there is to be one.
fn open_store(settings: &Settings, clock: Clock) -> Result<Option<Opened>> {
    let persistence = &settings.config.persistence;
    let Some(folder) = &persistence.folder else {
        tracing::info!(
            "Sessions and retained messages are kept in memory and end with the broker."
        );
        return Ok(None);
    };
    let begun = Instant::now();
    let opened = match Store::open(folder, persistence.durability, Wall::now(clock)) {
        Ok(opened) => opened,
        Err(error) if store::is_damage(&error) => bail!(
            "Sessions and messages can't be stored: {error:#}. Nothing was changed: put back a copy of \
             {} that was made while no broker used it, or move it away to begin with nothing",
            folder.display()
        ),
        Err(error) => {
            let obstacle = store::home::what_is_in_the_way(folder);
            let why = obstacle.unwrap_or_else(|| format!("{error:#}"));
            // Where nobody asked for it, a folder that is not to be had is no reason not to start.
            if persistence.is_asked_for || !store::home::is_out_of_reach(folder) {
                bail!("Sessions and messages can't be stored: {why}");
            }
            tracing::warn!("Nothing is kept on disk: {why}.");
            return Ok(None);
        }
    };
    let restored = &opened.restored;
    tracing::info!(
        "Sessions and messages are stored in {} ({}): {} sessions, {} messages waiting and {} \
         retained, read in {} ms.",
        folder.display(),
        match persistence.durability {
            Durability::Fsync => "durability fsync",
            Durability::Os | Durability::None => "durability os",
        },
        restored.sessions.len(),
        restored.waiting(),
        restored.retained.len(),
        begun.elapsed().as_millis(),
    );
    if restored.sessions.is_empty() && restored.retained.is_empty() {
        import::point_out(persistence.location.as_deref());
    }
    Ok(Some(opened))
}

fn start_committer(shared: &Arc<Shared>, committer: Committer) -> Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    let thread = thread::Builder::new().name("store".into());
    Ok(thread.spawn(move || committer.run(&*shared))?)
}

impl Surroundings for Shared {
    fn retained(&self, topic: &TopicName) -> Option<(Arc<Message>, Option<Ms>)> {
        self.retained.get(topic)
    }

    fn stored(&self, worker: WorkerId, parcel: u64) {
        self.send(worker, Mail::Stored(parcel));
    }
}

/// Puts what was restored where it belongs: each session to a worker.
fn settle(
    shared: &Arc<Shared>,
    restored: Restored,
    bridges: &[Arc<Plan>],
) -> Vec<Vec<SavedSession>> {
    for (message, until) in restored.retained {
        let until = until.zip(shared.store.as_ref()).map(|(until, store)| store.wall.here(until));
        if shared.retained.set(Arc::new(message), until).is_err() {
            tracing::warn!(
                "There are more retained messages than there may be: some are left out."
            );
        }
    }
    let mut homes: Vec<Vec<SavedSession>> = shared.workers().map(|_| Vec::new()).collect();
    let mut turns = Turns::new(shared, 0);
    for mut session in restored.sessions {
        let client_id = &session.identity.client_id;
        let is_of_bridge = session.identity.listener == Identity::NO_LISTENER;
        let lasts = |plan: &Arc<Plan>| plan.local_id == *client_id && !plan.is_local_clean();
        if is_of_bridge && !bridges.iter().any(lasts) {
            tracing::info!(
                "{client_id} is no bridge any more that keeps anything: its session ends."
            );
            session.expires_at = Some(0);
        }
        let home = shared.registry.claim(&session.identity.client_id, turns.next());
        if let Some(sessions) = homes.get_mut(usize::from(home)) {
            sessions.push(session);
        }
    }
    homes
}

/// Has log lines published, where they are to go to topics.
fn publish_log(shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    log::publish_with(Box::new(move |topic, line| {
        // A line is worth less than the messages that wait for the worker already.
        if shared.is_congested(0) {
            return;
        }
        if let Ok(topic) = TopicName::new(topic) {
            let (qos, properties) = (QoS::ExactlyOnce, Properties::EMPTY);
            let message = Message::new(topic, line.into(), qos, false, properties);
            shared.send(0, Mail::Publish(Box::new(message)));
        }
    }));
}

/// Reads the configuration again; one that makes no sense changes nothing.
async fn reload(cli: &Cli, shared: &Shared) {
    tracing::info!("Reloading config.");
    let settings = cli.load().and_then(|loaded| {
        for note in &loaded.notes {
            tracing::warn!("{note}.");
        }
        let settings = shared.settings().reload(loaded.config)?;
        log::configure(&settings.config.log)?;
        Ok(settings)
    });
    match settings.context("Config not reloaded, and what was in force stays so") {
        Ok(settings) => {
            shared.reload(&Arc::new(settings)).await;
            tracing::info!("Config reloaded.");
        }
        Err(error) => tracing::error!("{error:#}."),
    }
}

fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("A worker ended in a panic, which is a bug: please report it.");
        }
    }
}

fn log_counters(shared: &Shared) {
    for (index, counters) in shared.counters.iter().enumerate() {
        let mut totals = Totals::default();
        counters.add_to(&mut totals);
        let counted: Vec<_> = totals
            .each()
            .into_iter()
            .filter(|figure| figure.value > 0)
            .map(|figure| format!("{} {}", figure.name, figure.value))
            .collect();
        if !counted.is_empty() {
            tracing::debug!("Worker {index} counted: {}.", counted.join(", "));
        }
    }
}

/// Opens the sockets of all listeners; each comes with the number of its listener.
async fn listen_everywhere(settings: &Settings) -> Result<Vec<(usize, ListeningSocket)>> {
    let mut sockets = Vec::new();
    for (number, listener) in settings.config.listeners.iter().enumerate() {
        let what = match listener.protocol {
            Protocol::Mqtt => "MQTT",
            Protocol::Http => "WebSocket and HTTP",
        };
        match net::listen(&listener.address, what).await {
            Ok(opened) => sockets.extend(opened.into_iter().map(|socket| (number, socket))),
            Err(error) if listener.is_optional => {
                tracing::warn!("The dashboard is not served: {error:#}.");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(sockets)
}

/// The clients that each listener takes at the same time, where there is a limit.
fn places(settings: &Settings) -> Vec<Option<Arc<Semaphore>>> {
    let listeners = settings.config.listeners.iter();
    let places = |max: usize| Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS)));
    listeners.map(|listener| listener.max_connections.map(places)).collect()
}
