//! How bytes arrive: listening sockets, what stands before MQTT on a connection (the PROXY protocol,
//! TLS), and the connection itself.

mod arrival;
mod listen;
pub(crate) mod origin;
mod proxy;
mod stream;
pub(crate) mod tls;

pub(crate) use arrival::{Accepted, Arrival};
pub(crate) use listen::{Acceptor, ListeningSocket, listen};
pub(crate) use stream::{Address, LooseSocket, Peer, Socket, Stream, poll_read_behind, read_away};
