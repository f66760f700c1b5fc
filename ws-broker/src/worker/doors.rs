//! Accepting connections. Each listening socket belongs to one worker, which serves those connections
//! itself whose turn it is and gives the others to the workers that they are for. So nobody is
//! woken for a connection who has nothing to do with it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::broker::WorkerId;
use crate::limits::ACCEPTED_IN_A_ROW_MAX;
use crate::log::NOTICE;
use crate::net::{Accepted, Acceptor, ListeningSocket, Peer};
use crate::worker::{Mail, Shared, Worker, not_served};

/// How long accepting pauses when the operating system has nothing left to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a connection waits where all places are taken: one that was just left is free in a moment.
const PLACE_PATIENCE: Duration = Duration::from_millis(100);

/// Where clients come in.
#[derive(Debug)]
pub(crate) struct Door {
    pub socket: ListeningSocket,
    /// The number of its listener.
    pub listener: usize,
    /// The clients that the listener takes at the same time, where there is a limit.
    pub places: Option<Arc<Semaphore>>,
}

/// Gives each worker its turn.
#[derive(Debug)]
pub(crate) struct Turns {
    workers: WorkerId,
    next: WorkerId,
}

impl Turns {
    /// The first turn is that of the worker `first`.
    pub(crate) fn new(shared: &Shared, first: WorkerId) -> Self {
        Self { workers: shared.workers().end, next: first }
    }

    pub(crate) fn next(&mut self) -> WorkerId {
        let turn = self.next;
        let next = turn.saturating_add(1);
        self.next = if next < self.workers { next } else { 0 };
        turn
    }
}

/// Accepts connections for as long as the worker runs.
pub(super) async fn watch(worker: Rc<Worker>, door: Door) {
    let Door { socket, listener, places } = door;
    let acceptor = match socket.register() {
        Ok(acceptor) => acceptor,
        Err(error) => {
            tracing::error!("Nobody can connect to listener {listener}: {error}.");
            return;
        }
    };
    let mut turns = Turns::new(&worker.shared, worker.id);
    let mut paused = false;
    loop {
        for _ in 0..ACCEPTED_IN_A_ROW_MAX {
            match accept(&acceptor, listener, places.as_ref()).await {
                Ok(accepted) => {
                    paused = false;
                    if let Some(accepted) = accepted {
                        give(&worker, turns.next(), accepted);
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
        // Those who are here already get their turn, however many more stand before the door.
        tokio::task::yield_now().await;
    }
}

/// The next connection; `None` if there is no place for it.
async fn accept(
    acceptor: &Acceptor,
    listener: usize,
    places: Option<&Arc<Semaphore>>,
) -> std::io::Result<Option<Accepted>> {
    let (socket, address) = acceptor.accept().await?;
    let peer = Peer { address, listener };
    let place = match places {
        None => None,
        Some(places) => match find_place(places).await {
            Some(place) => Some(place),
            None => {
                tracing::info!(
                    target: NOTICE,
                    "Client connection from {peer} denied: max_connections exceeded."
                );
                return Ok(None);
            }
        },
    };
    Ok(Some(Accepted { socket, peer, place }))
}

fn give(worker: &Rc<Worker>, to: WorkerId, accepted: Accepted) {
    if to == worker.id {
        worker.accept(accepted);
        return;
    }
    let peer = accepted.peer;
    match accepted.loosen() {
        Ok(accepted) => worker.shared.send(to, Mail::Accepted(accepted)),
        Err(error) => not_served(peer, &error),
    }
}

/// A place for a connection; `None` if all are taken.
async fn find_place(places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    let place = Arc::clone(places).acquire_owned();
    tokio::time::timeout(PLACE_PATIENCE, place).await.ok()?.ok()
}

/// Whether only the connection that was to be accepted is concerned.
fn is_about_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}
