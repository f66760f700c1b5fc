//! From an accepted socket to a connection on which MQTT or HTTP can begin: the PROXY protocol and TLS,
//! where the listener has them.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::{Address, LooseSocket, Peer, Socket, Stream, proxy, read_away};
use crate::settings::Settings;

/// A connection that was just accepted: by this worker, or as a [`LooseSocket`] on its way to another.
#[derive(Debug)]
pub(crate) struct Accepted<S = Socket> {
    pub socket: S,
    pub peer: Peer,
    /// Its place among those that the listener takes at the same time.
    pub place: Option<OwnedSemaphorePermit>,
}

/// A connection on which nothing has been said that is MQTT or HTTP.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub stream: Stream,
    pub peer: Peer,
    /// When it must have sent a whole CONNECT.
    pub deadline: Instant,
}

/// Why a connection did not become one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the TLS handshake failed: {0}")]
    Tls(io::Error),
    #[error("it took too long")]
    TooLate,
}

impl Accepted<LooseSocket> {
    /// Registers the socket with the runtime of the worker that the connection was given to.
    ///
    /// # Errors
    /// The runtime does not take it.
    pub(crate) fn register(self) -> io::Result<Accepted> {
        let Self { socket, peer, place } = self;
        Ok(Accepted { socket: socket.register()?, peer, place })
    }
}

impl Accepted {
    /// Takes the socket off this worker, for another.
    ///
    /// # Errors
    /// The runtime does not let it go.
    pub(crate) fn loosen(self) -> io::Result<Accepted<LooseSocket>> {
        let Self { mut socket, peer, place } = self;
        Ok(Accepted { socket: socket.loosen()?, peer, place })
    }

    /// Whether something stands before MQTT or HTTP on a connection of this listener.
    pub(crate) fn needs_more(&self, settings: &Settings) -> bool {
        let number = self.peer.listener;
        settings.listener(number).proxy_protocol.is_some() || settings.tls(number).is_some()
    }

    /// Goes on at once, where nothing stands before.
    pub(crate) fn at_once(self, deadline: Instant) -> Arrival {
        Arrival { stream: Stream::plain(self.socket, self.place), peer: self.peer, deadline }
    }

    /// Goes through all that stands before.
    ///
    /// # Errors
    /// The peer does not, or not in time.
    pub(crate) async fn go_through(
        self,
        settings: &Settings,
        deadline: Instant,
    ) -> Result<Arrival, Failed> {
        let arriving = self.arrive(settings, deadline);
        tokio::time::timeout_at(deadline, arriving).await.unwrap_or(Err(Failed::TooLate))
    }

    async fn arrive(self, settings: &Settings, deadline: Instant) -> Result<Arrival, Failed> {
        let Self { mut socket, mut peer, place } = self;
        if let Some(version) = settings.listener(peer.listener).proxy_protocol
            && let Some(address) = proxy::read(&mut socket, version).await?
        {
            peer.address = Address::Ip(address);
        }
        let Some(tls) = settings.tls(peer.listener) else {
            return Ok(Arrival { stream: Stream::plain(socket, place), peer, deadline });
        };
        let stream = match tls.acceptor().accept(socket).into_fallible().await {
            Ok(stream) => stream,
            Err((error, socket)) => {
                close(socket, settings.config.limits.linger).await;
                return Err(Failed::Tls(error));
            }
        };
        let username = tls.username(stream.get_ref().1.peer_certificates());
        let stream = Stream::tls(tokio_rustls::TlsStream::from(stream), username, place);
        Ok(Arrival { stream, peer, deadline })
    }
}

/// Reads what still comes before the connection is closed: as long as there are bytes that nobody has
/// read, a plain close would throw away the words by which TLS says why.
async fn close(mut socket: Socket, linger: Duration) {
    let _ = tokio::time::timeout(linger, async {
        // Whether the peer still listens is no concern of ours.
        let _ = socket.shutdown().await;
        read_away(&mut socket).await;
    })
    .await;
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self::plain(Socket::Tcp(stream), None)
    }
}
