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

/// A connection that was just accepted.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub socket: LooseSocket,
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

impl Accepted {
    /// Whether something stands before MQTT or HTTP on a connection of this listener.
    pub(crate) fn needs_more(&self, settings: &Settings) -> bool {
        let number = self.peer.listener;
        settings.listener(number).proxy_protocol.is_some() || settings.tls(number).is_some()
    }

    /// Goes on at once, where nothing stands before.
    ///
    /// # Errors
    /// The runtime does not take the socket.
    pub(crate) fn at_once(self, deadline: Instant) -> io::Result<Arrival> {
        let stream = Stream::plain(self.socket.register()?, self.place);
        Ok(Arrival { stream, peer: self.peer, deadline })
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
        let Self { socket, mut peer, place } = self;
        let mut socket = socket.register()?;
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
