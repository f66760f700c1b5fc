//! Puts the broker together: workers, listeners, and an orderly end.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

use crate::broker::WorkerId;
use crate::limits::Limits;
use crate::worker::{self, Mail, Protocol, Shared};

/// How long accepting pauses when the operating system has nothing left to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where the broker listens.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub mqtt_ports: Vec<u16>,
    pub http_port: u16,
    pub limits: Limits,
}

/// Runs the broker until a signal ends it.
///
/// # Errors
/// A port can't be listened on, or the operating system refuses what the broker needs.
pub(crate) fn run(config: Config) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    runtime.block_on(serve(config))
}

/// Lets the broker hold as many connections as the operating system allows it at all.
fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::debug!("The limit of open files stays as it is: {error}.");
    }
}

async fn serve(config: Config) -> Result<()> {
    raise_file_limit();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut listeners = Vec::new();
    for port in &config.mqtt_ports {
        listeners.push((listen(*port, "MQTT").await?, Protocol::Mqtt));
    }
    listeners.push((listen(config.http_port, "WebSocket and HTTP").await?, Protocol::Http));

    let count = thread::available_parallelism().map_or(1, usize::from);
    let (shared, mails) = Shared::new(WorkerId::try_from(count).unwrap_or(1), config.limits);
    let mut threads = Vec::new();
    for (id, mail) in (0..).zip(mails) {
        let shared = Arc::clone(&shared);
        let thread = thread::Builder::new().name(format!("worker-{id}"));
        threads.push(thread.spawn(move || worker::run(id, shared, mail))?);
    }
    tracing::info!("ws-broker version {} running.", env!("CARGO_PKG_VERSION"));
    let mut turns = Turns::new(&shared);
    let mut accepting = tokio::task::JoinSet::new();
    for (listener, protocol) in listeners {
        accepting.spawn(accept(listener, protocol, turns.clone()));
        turns.skip();
    }

    let signal = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    tracing::info!("ws-broker version {} terminating on {signal}.", env!("CARGO_PKG_VERSION"));
    accepting.shutdown().await;
    for worker in shared.workers() {
        shared.send(worker, Mail::ShutDown);
    }
    tokio::task::spawn_blocking(move || join(threads)).await?;
    log_counters(&shared);
    Ok(())
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
        let counted: Vec<_> = counters
            .read()
            .into_iter()
            .filter(|(_, value)| *value > 0)
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        if !counted.is_empty() {
            tracing::debug!("Worker {index} counted: {}.", counted.join(", "));
        }
    }
}

/// Listens on a port of the loopback interface.
async fn listen(port: u16, what: &str) -> Result<TcpListener> {
    let address = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            bail!(
                "port {port} for {what} is in use by another program: stop that one (a Mosquitto, \
                 perhaps), or choose another port"
            )
        }
        Err(error) => {
            return Err(error).with_context(|| format!("can't listen on port {port} for {what}"));
        }
    };
    let address = listener.local_addr()?;
    tracing::info!("Opening {what} listen socket on {address}.");
    Ok(listener)
}

/// Gives each new connection to the worker whose turn it is.
#[derive(Clone)]
struct Turns {
    shared: Arc<Shared>,
    workers: Vec<WorkerId>,
    next: usize,
}

impl Turns {
    fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), workers: shared.workers().collect(), next: 0 }
    }

    fn skip(&mut self) -> WorkerId {
        let turn = self.next.checked_rem(self.workers.len()).unwrap_or(0);
        self.next = self.next.wrapping_add(1);
        self.workers.get(turn).copied().unwrap_or(0)
    }

    fn give(&mut self, stream: TcpStream, peer: SocketAddr, protocol: Protocol) -> Result<()> {
        // What a turn has brought together leaves in one write, so nothing is gained by waiting.
        stream.set_nodelay(true)?;
        let stream = stream.into_std()?;
        let worker = self.skip();
        self.shared.send(worker, Mail::Accepted(stream, peer, protocol));
        Ok(())
    }
}

async fn accept(listener: TcpListener, protocol: Protocol, mut turns: Turns) {
    let mut paused = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                paused = false;
                if let Err(error) = turns.give(stream, peer, protocol) {
                    tracing::debug!("Connection from {peer} could not be served: {error}.");
                }
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                if !paused {
                    tracing::warn!("New connections have to wait: {error}.");
                }
                paused = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether only the connection that was to be accepted is concerned.
fn is_about_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}
