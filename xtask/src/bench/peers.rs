//! The brokers that are measured: ours and its peers, each started anew for every run.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cores::{self, Cores};
use super::workloads::Transport;

/// How long a broker may take until it accepts connections.
const START_MAX: Duration = Duration::from_secs(30);
/// How long it may take to stop after SIGTERM, before it is killed.
const STOP_MAX: Duration = Duration::from_secs(30);
/// How long between two looks.
const POLL: Duration = Duration::from_millis(20);

/// The folder below that of a run where a store is.
pub(super) const STORE: &str = "store";

/// The name of ours in the results.
pub(super) const OURS: &str = "ws-broker";
/// The name in the results of the one that the aims are about.
pub(super) const MOSQUITTO: &str = "Mosquitto";

/// A broker that can be started.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Broker {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) start: Start,
}

/// How a broker is started, and where it listens then.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Start {
    /// A program that reads a `mosquitto.conf`: ours and Mosquitto, with the same file.
    Conf(PathBuf),
    /// Ours, with sessions that are stored at this level, if they are, and may have as much waiting as
    /// there is room for.
    Stored {
        program: PathBuf,
        level: Option<&'static str>,
    },
    Rumqttd(PathBuf),
    /// A command of the user's, who says where it listens.
    Command {
        command: String,
        tcp: Option<u16>,
        ws: Option<u16>,
    },
}

/// A broker that runs.
pub(super) struct Running {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Broker {
    /// Ours, or Mosquitto: what `--version` or `-h` says on its first line that ends in a number.
    pub(super) fn with_conf(name: &str, program: PathBuf) -> Result<Self> {
        let version = version(&program)?;
        Ok(Self { name: name.into(), version, start: Start::Conf(program) })
    }

    /// Ours, with what it acknowledges stored at this level, or not stored.
    pub(super) fn at_level(name: &str, level: Option<&'static str>, release: &Path) -> Self {
        let program = release.join("ws-broker");
        Self { name: name.into(), version: String::new(), start: Start::Stored { program, level } }
    }

    pub(super) fn rumqttd(program: PathBuf) -> Result<Self> {
        let version = version(&program)?;
        Ok(Self { name: "rumqttd".into(), version, start: Start::Rumqttd(program) })
    }

    /// Reads `NAME:TCP:WS:COMMAND`; a port that it does not have is left empty.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut parts = text.splitn(4, ':');
        let mut part = || parts.next().map(str::trim);
        let (Some(name), Some(tcp), Some(ws), Some(command)) = (part(), part(), part(), part())
        else {
            bail!("a peer is NAME:TCP:WS:COMMAND, like emqx:1883:8083:emqx foreground");
        };
        let port = |text: &str| match text {
            "" => Ok(None),
            text => text.parse().map(Some).with_context(|| format!("{text} is no port")),
        };
        let start = Start::Command { command: command.into(), tcp: port(tcp)?, ws: port(ws)? };
        Ok(Self { name: name.into(), version: String::new(), start })
    }

    /// Whether it can be reached this way at all.
    pub(super) fn speaks(&self, transport: Transport) -> bool {
        match (&self.start, transport) {
            (Start::Conf(_) | Start::Stored { .. }, _) | (Start::Rumqttd(_), Transport::Tcp) => {
                true
            }
            (Start::Rumqttd(_), _) | (Start::Command { .. }, Transport::Tls) => false,
            (Start::Command { tcp, .. }, Transport::Tcp) => tcp.is_some(),
            (Start::Command { ws, .. }, Transport::Ws) => ws.is_some(),
        }
    }

    /// Starts it on its core and waits until it accepts connections.
    pub(super) fn start(
        &self,
        transport: Transport,
        folder: &Path,
        cores: &Cores,
    ) -> Result<Running> {
        let (mut command, port) = match &self.start {
            Start::Conf(program) | Start::Stored { program, .. } => {
                let port = free_port()?;
                let file = folder.join("mosquitto.conf");
                let mut conf = mosquitto_conf(transport, port, folder)?;
                if let Start::Stored { level, .. } = &self.start {
                    conf.push_str(&store_conf(*level, folder));
                }
                write(&file, &conf)?;
                let mut command = Command::new(program);
                command.arg("-c").arg(file);
                (command, port)
            }
            Start::Rumqttd(program) => {
                let port = free_port()?;
                let file = folder.join("rumqttd.toml");
                write(&file, &rumqttd_toml(port))?;
                let mut command = Command::new(program);
                command.arg("-c").arg(file);
                (command, port)
            }
            Start::Command { command: line, tcp, ws } => {
                let port = if transport == Transport::Ws { ws } else { tcp };
                let mut command = Command::new("sh");
                // The shell becomes the broker, whose processor time is then the child's.
                command.args(["-c", &format!("exec {line}")]);
                (command, port.with_context(|| format!("{} has no such port", self.name))?)
            }
        };
        let log = folder.join(format!("{}.log", self.name));
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let child = cores::spawn_on(&mut command, cores.broker)
            .with_context(|| format!("cannot start {}", self.name))?;
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into();
        let mut running = Running { child, address };
        let deadline = Instant::now() + START_MAX;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = running.child.try_wait()? {
                bail!("{} ended ({status}): {}", self.name, last_line(&log));
            }
            if Instant::now() > deadline {
                bail!("{} does not listen on {address}: {}", self.name, last_line(&log));
            }
            sleep(POLL);
        }
        Ok(running)
    }
}

impl Running {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it, and fails if it had ended by itself.
    pub(super) fn stop(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the broker ended by itself: {status}");
        }
        kill(Pid::from_raw(i32::try_from(self.child.id())?), Signal::SIGTERM)?;
        let deadline = Instant::now() + STOP_MAX;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                self.child.kill()?;
                self.child.wait()?;
                break;
            }
            sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // Nothing better can be done where even this fails.
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// The least that both ours and Mosquitto need to be measured; all else is as it comes.
fn mosquitto_conf(transport: Transport, port: u16, folder: &Path) -> Result<String> {
    let mut lines = vec!["allow_anonymous true".to_owned()];
    if transport == Transport::Ws {
        // Mosquitto 2.0.11 does not start with listeners for WebSocket alone.
        lines.push(format!("listener {} 127.0.0.1", free_port()?));
    }
    lines.push(format!("listener {port} 127.0.0.1"));
    match transport {
        Transport::Tcp => {}
        Transport::Ws => lines.push("protocol websockets".into()),
        Transport::Tls => {
            lines.push(format!("certfile {}", folder.join("certificate.pem").display()));
            lines.push(format!("keyfile {}", folder.join("key.pem").display()));
            lines.push("tls_version tlsv1.3".into());
        }
    }
    // As root it would become another user, who may not see the certificate.
    if nix::unistd::geteuid().is_root() {
        lines.push("user root".into());
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

/// What a store needs that a run can fill as fast as it can.
fn store_conf(level: Option<&str>, folder: &Path) -> String {
    let queues = "max_queued_messages 0\nmax_queued_bytes 0\n";
    let location = folder.join(STORE);
    match level {
        Some(level) => format!(
            "{queues}persistence true\npersistence_location {}\ndurability {level}\n",
            location.display()
        ),
        None => format!("{queues}persistence false\n"),
    }
}

/// What a broker said last, which tells best why it ended.
fn last_line(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines().last().unwrap_or("it said nothing").to_owned()
}

/// As `rumqttd.toml` comes with rumqttd, with nothing that slows connecting.
fn rumqttd_toml(port: u16) -> String {
    format!(
        "id = 0\n\
         [router]\nid = 0\nmax_connections = 200000\nmax_outgoing_packet_count = 200\n\
         max_segment_size = 104857600\nmax_segment_count = 10\n\
         [v4.1]\nname = \"v4-1\"\nlisten = \"127.0.0.1:{port}\"\nnext_connection_delay_ms = 0\n\
         [v4.1.connections]\nconnection_timeout_ms = 60000\nmax_payload_size = 20480\n\
         max_inflight_count = 100\ndynamic_filters = true\n"
    )
}

/// The version that a program tells of itself.
fn version(program: &Path) -> Result<String> {
    let ask = |option| -> Result<Option<String>> {
        let output = Command::new(program)
            .arg(option)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let is_number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
        Ok(text.lines().next().and_then(|line| line.split(' ').find(is_number)).map(str::to_owned))
    };
    // Mosquitto 2.0 knows no --version.
    let version = ask("--version")?;
    Ok(version.map_or_else(|| ask("-h"), |version| Ok(Some(version)))?.unwrap_or_default())
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?.port())
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_read_from_one_argument() {
        let peer = Broker::parse("emqx:1883::emqx --set a:b foreground").unwrap();
        assert_eq!(peer.name, "emqx");
        let command = "emqx --set a:b foreground".to_owned();
        assert_eq!(peer.start, Start::Command { command, tcp: Some(1883), ws: None });
        assert!(peer.speaks(Transport::Tcp) && !peer.speaks(Transport::Ws));
        assert!(Broker::parse("emqx:1883").unwrap_err().to_string().contains("NAME:TCP:WS"));
        assert!(Broker::parse("emqx:x:1:y").unwrap_err().to_string().contains("x is no port"));
    }
}
