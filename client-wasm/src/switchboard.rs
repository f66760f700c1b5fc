//! What the page of connections asks of the program around it, which holds all that are open, and what
//! it is told of them. Both travel like the rest of the [`protocol`](crate::protocol).

use serde::{Deserialize, Serialize};

use crate::connect::Connect;
use crate::protocol::{Connection, Counters};

/// The connection to the broker that the page came from.
pub const OF_THE_PAGE: &str = "page";

/// The connection that the page's address names.
pub const OF_THE_LINK: &str = "link";

/// Something that is asked of a connection; `id` says which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// Open it, or connect otherwise where it is open, and show it.
    Open(Box<Opening>),
    /// Show it.
    Show {
        /// Which.
        id: String,
    },
    /// Connect it once more.
    Connect {
        /// Which.
        id: String,
    },
    /// Say goodbye to its broker, and keep what came.
    Disconnect {
        /// Which.
        id: String,
    },
    /// Say goodbye to its broker, and forget what came.
    Close {
        /// Which.
        id: String,
    },
}

/// A connection to be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Tells it from all others.
    pub id: String,
    /// What a person calls it.
    pub title: String,
    /// How to connect.
    pub connect: Connect,
}

/// A connection that is open, whether it is connected or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Tells it from all others.
    pub id: String,
    /// What a person calls it.
    pub title: String,
    /// Where its broker is.
    pub host: String,
    /// Whether it is the one that the page shows.
    pub is_shown: bool,
    /// How it is.
    pub connection: Connection,
    /// What was counted.
    pub counters: Counters,
}
