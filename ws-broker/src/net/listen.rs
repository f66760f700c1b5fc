//! Listening sockets: which addresses a listener has, and how each of them is opened.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::ifaddrs::getifaddrs;
use socket2::{Domain, Protocol, Type};
use tokio::net::{TcpListener, UnixListener};

use super::{Address as PeerAddress, Socket};
use crate::config::Address;
use crate::config::listener::Domain as Wanted;
use crate::limits::ACCEPT_BACKLOG;

/// A socket that clients can connect to, and from which nobody accepts them yet.
#[derive(Debug)]
pub(crate) enum ListeningSocket {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener, SocketFile),
}

/// A listening socket of one worker, which accepts from it.
#[derive(Debug)]
pub(crate) enum Acceptor {
    Tcp(TcpListener),
    Unix(UnixListener, #[expect(unused, reason = "goes with it")] SocketFile),
}

/// The file of a Unix socket, which goes with it.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Its folder may be one that the broker may not write to any more.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl ListeningSocket {
    /// Registers the socket with the runtime of this worker.
    ///
    /// # Errors
    /// The runtime does not take it.
    pub(crate) fn register(self) -> io::Result<Acceptor> {
        Ok(match self {
            Self::Tcp(listener) => Acceptor::Tcp(TcpListener::from_std(listener)?),
            Self::Unix(listener, file) => Acceptor::Unix(UnixListener::from_std(listener)?, file),
        })
    }
}

impl Acceptor {
    /// The next connection, registered with the runtime of this worker.
    ///
    /// # Errors
    /// The operating system has none to give now.
    pub(crate) async fn accept(&self) -> io::Result<(Socket, PeerAddress)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                if !INHERITS_NODELAY {
                    stream.set_nodelay(true)?;
                }
                Ok((Socket::Tcp(stream), PeerAddress::Ip(address)))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Socket::Unix(stream), PeerAddress::Unix))
            }
        }
    }
}

/// Whether an accepted socket has `TCP_NODELAY` because the listening one has it.
const INHERITS_NODELAY: bool = cfg!(target_os = "linux");

/// Opens all sockets of an address; `what` is what will be spoken there.
///
/// # Errors
/// One of them can't be opened; where a machine lacks one of the two Internets that is none.
pub(crate) async fn listen(address: &Address, what: &str) -> Result<Vec<ListeningSocket>> {
    let sockets = match address {
        Address::Unix(path) => vec![unix(path)?],
        _ => {
            let mut sockets = Vec::new();
            for address in addresses(address).await? {
                match tcp(address) {
                    Ok(socket) => sockets.push(ListeningSocket::Tcp(socket)),
                    Err(error) if address.is_ipv6() && is_missing(&error) => {}
                    Err(error) => return Err(explain(error, address, what)),
                }
            }
            sockets
        }
    };
    if sockets.is_empty() {
        bail!("{address} has no address that {what} could be listened for on");
    }
    for socket in &sockets {
        match socket {
            ListeningSocket::Tcp(socket) => {
                tracing::info!("Opening {what} listen socket on {}.", socket.local_addr()?);
            }
            ListeningSocket::Unix(_, file) => {
                tracing::info!("Opening {what} listen socket on {}.", file.0.display());
            }
        }
    }
    Ok(sockets)
}

fn explain(error: io::Error, address: SocketAddr, what: &str) -> anyhow::Error {
    let port = address.port();
    if error.kind() == io::ErrorKind::AddrInUse {
        return anyhow::anyhow!(
            "port {port} for {what} is in use by another program: stop that one (a Mosquitto, \
             perhaps), or choose another port"
        );
    }
    anyhow::Error::from(error).context(format!("can't listen at {address} for {what}"))
}

/// Whether this machine does not have the Internet of an address.
fn is_missing(error: &io::Error) -> bool {
    let errno = nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(0));
    error.kind() == io::ErrorKind::AddrNotAvailable || errno == nix::errno::Errno::EAFNOSUPPORT
}

async fn addresses(address: &Address) -> Result<Vec<SocketAddr>> {
    const LOOPBACK: [IpAddr; 2] =
        [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    const ALL: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    let with_port = |addresses: &[IpAddr], port: u16| {
        addresses.iter().map(|address| SocketAddr::new(*address, port)).collect::<Vec<_>>()
    };
    let (mut found, domain) = match address {
        Address::Loopback(port) => (with_port(&LOOPBACK, *port), None),
        Address::Tcp { port, domain, interface: Some(interface), .. } => {
            (of_interface(interface, *port)?, *domain)
        }
        Address::Tcp { host: Some(host), port, domain, .. } => {
            let looked_up = tokio::net::lookup_host((host.as_str(), *port)).await;
            let looked_up =
                looked_up.with_context(|| format!("can't find the address of {host}"))?;
            (looked_up.collect(), *domain)
        }
        Address::Tcp { host: None, port, domain, .. } => (with_port(&ALL, *port), *domain),
        Address::Unix(_) => (Vec::new(), None),
    };
    found.retain(|address| match domain {
        None => true,
        Some(Wanted::Ipv4) => address.is_ipv4(),
        Some(Wanted::Ipv6) => address.is_ipv6(),
    });
    let mut different = Vec::new();
    for address in found {
        if !different.contains(&address) {
            different.push(address);
        }
    }
    Ok(different)
}

/// The addresses of one network interface.
fn of_interface(interface: &str, port: u16) -> Result<Vec<SocketAddr>> {
    let mut found = Vec::new();
    let mut exists = false;
    for entry in getifaddrs()?.filter(|entry| entry.interface_name == interface) {
        exists = true;
        let Some(address) = entry.address else { continue };
        if let Some(v4) = address.as_sockaddr_in() {
            found.push(SocketAddr::new(v4.ip().into(), port));
        } else if let Some(v6) = address.as_sockaddr_in6() {
            let mut address = std::net::SocketAddrV6::from(*v6);
            address.set_port(port);
            found.push(address.into());
        }
    }
    if !exists {
        bail!("there is no network interface {interface} (bind_interface)");
    }
    Ok(found)
}

fn tcp(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket =
        socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // The port is there again at once for a broker that is started anew.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // What a turn has brought together leaves in one write, so nothing is gained by waiting.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(ACCEPT_BACKLOG)?;
    Ok(socket.into())
}

fn unix(path: &Path) -> Result<ListeningSocket> {
    let shown = path.display();
    // A broker that was killed leaves its socket behind, and nobody answers there.
    let is_stale = std::os::unix::net::UnixStream::connect(path)
        .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if is_stale {
        std::fs::remove_file(path)
            .with_context(|| format!("can't remove the old socket {shown}"))?;
    }
    let listener = std::os::unix::net::UnixListener::bind(path).map_err(|error| {
        if error.kind() == io::ErrorKind::AddrInUse {
            anyhow::anyhow!("{shown} is there already: stop the program that uses it, or remove it")
        } else {
            anyhow::Error::from(error).context(format!("can't listen at {shown}"))
        }
    })?;
    listener.set_nonblocking(true)?;
    Ok(ListeningSocket::Unix(listener, SocketFile(path.to_owned())))
}
