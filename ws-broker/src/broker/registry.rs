//! Which worker is home to which session.
//!
//! A session never moves. A client that comes back on a connection of another worker has its
//! connection handed to the worker where its session lives. So what belongs to a session needs no
//! lock; this map is asked once for each CONNECT.

use codec::MqttString;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use parking_lot::Mutex;

use crate::broker::WorkerId;

/// Client Identifiers and the workers that are home to their sessions.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    homes: Mutex<HashMap<MqttString, WorkerId>>,
}

impl Registry {
    /// Makes `worker` home to the session of `client_id`, unless it has a home already; says which
    /// worker is.
    pub(crate) fn claim(&self, client_id: &MqttString, worker: WorkerId) -> WorkerId {
        match self.homes.lock().entry(client_id.clone()) {
            Entry::Occupied(home) => *home.get(),
            Entry::Vacant(free) => *free.insert(worker),
        }
    }

    /// Forgets a session that ended in `worker`.
    pub(crate) fn release(&self, client_id: &MqttString, worker: WorkerId) {
        if let Entry::Occupied(home) = self.homes.lock().entry(client_id.clone())
            && *home.get() == worker
        {
            home.remove();
        }
    }
}
