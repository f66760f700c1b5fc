//! The broker under test, as a process.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Instant;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tempfile::TempDir;

use crate::program::{Program, Signal, Stream};
use crate::wire::{Client, Connect, Version};
use crate::{PATIENCE, POLL_INTERVAL, ports};

/// The environment variable that names the broker's binary.
pub const BROKER_BIN_VARIABLE: &str = "WS_BROKER_BIN";

/// The environment variable that says where a broker without a configuration keeps what it stores.
const STATE_VARIABLE: &str = "STATE_DIRECTORY";

const CONFIG_FILE: &str = "mosquitto.conf";
const STORE_FOLDER: &str = "store";

/// The ports of one broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// MQTT over TCP.
    pub mqtt: u16,
    /// MQTT over WebSocket, and the dashboard over HTTP.
    pub ws: u16,
}

impl Ports {
    /// Two free ports.
    #[must_use]
    pub fn free() -> Self {
        Self { mqtt: ports::free_port(), ws: ports::free_port() }
    }
}

/// A running broker. When it is dropped it is asked to stop, and has to end with status 0.
pub struct Broker {
    program: Program,
    /// Where it listens.
    pub ports: Ports,
    /// Where its configuration file is, and what belongs to it; or what it keeps without one.
    folder: TempDir,
    stopped: bool,
}

impl Broker {
    /// A broker on free ports that logs all it can (`-v`), when it answers.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        Self::start_on(Ports::free(), &["-v"])
    }

    /// A broker on these ports with these further arguments, when it answers.
    #[must_use]
    #[track_caller]
    pub fn start_on(ports: Ports, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Started by root it becomes another user, who is to get there.
        let everybody = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), everybody).unwrap();
        let mut command = command(ports);
        command.env(STATE_VARIABLE, folder.path()).args(arguments);
        let mut program = Program::start("ws-broker", &mut command);
        for port in [ports.mqtt, ports.ws] {
            wait_until_answers(&mut program, port);
        }
        Self { program, ports, folder, stopped: false }
    }

    /// A broker with a configuration file, when it answers on `ports.mqtt`. It serves the dashboard
    /// only if the file has it do so.
    #[must_use]
    #[track_caller]
    pub fn configured(configure: impl FnOnce(Ports) -> String) -> Self {
        Self::configured_with(|ports, _| configure(ports))
    }

    /// [`Broker::configured`] with further files, which `configure` writes into a folder that goes when
    /// the broker does.
    #[must_use]
    #[track_caller]
    pub fn configured_with(configure: impl FnOnce(Ports, &Path) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = Ports::free();
        let text = configure(ports, folder.path());
        let file = folder.path().join(CONFIG_FILE);
        write_config(&file, &text, ports);
        let program = start_configured(&file, ports);
        Self { program, ports, folder, stopped: false }
    }

    /// A broker that keeps what it acknowledges in [`Broker::store`], at this level of durability, and has
    /// these further lines in its configuration.
    #[must_use]
    #[track_caller]
    pub fn durable(level: &str, lines: &str) -> Self {
        Self::configured_with(|ports, folder| {
            let store = folder.join(STORE_FOLDER);
            std::fs::create_dir(&store).unwrap();
            format!(
                "listener {} 127.0.0.1\nallow_anonymous true\npersistence true\n\
                 persistence_location {}/\ndurability {level}\n{lines}",
                ports.mqtt,
                store.display()
            )
        })
    }

    /// Where a broker keeps what it stores that was started by [`Broker::durable`].
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.folder().join(STORE_FOLDER)
    }

    /// Starts it again with its configuration, once it has ended, and waits until it answers.
    #[track_caller]
    pub fn start_again(&mut self) {
        assert!(self.stopped, "the broker still runs");
        self.program = start_configured(&self.folder().join(CONFIG_FILE), self.ports);
        self.stopped = false;
    }

    /// Kills it and starts it again on what it has stored.
    #[track_caller]
    pub fn die_and_start_again(&mut self) {
        self.stop_with(Signal::KILL);
        self.start_again();
    }

    /// Lets it write no file beyond this size (`RLIMIT_FSIZE`), which is to it as if the disk were full;
    /// `None` lifts the limit.
    pub fn limit_file_size(&self, bytes: Option<u64>) {
        let pid = i32::try_from(self.program.pid()).ok().and_then(Pid::from_raw);
        let before = getrlimit(Resource::Fsize);
        let limit = Rlimit { current: bytes, maximum: before.maximum };
        prlimit(pid, Resource::Fsize, limit).expect("the limits of a child can be set");
    }

    /// The folder of the configuration file, or of what it keeps without one.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the configuration file anew; what it says holds after [`Broker::reload`].
    #[track_caller]
    pub fn rewrite_config(&self, text: &str) {
        write_config(&self.folder().join(CONFIG_FILE), text, self.ports);
    }

    /// Has it read its configuration again (SIGHUP), and waits until it says that it has, or why not.
    #[track_caller]
    pub fn reload(&self) {
        let reloads = || {
            let log = self.log();
            log.matches("Config reloaded.").count() + log.matches("Config not reloaded").count()
        };
        let before = reloads();
        self.program.signal(Signal::HUP);
        let deadline = Instant::now() + PATIENCE;
        while reloads() == before {
            assert!(Instant::now() < deadline, "the broker does not reload");
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// The process.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.program.text(Stream::Err)
    }

    /// Waits for a line of the log that contains `part` and, in whatever case, one of `reasons`.
    #[track_caller]
    pub fn wait_for_log(&self, part: &str, reasons: &[&str]) -> String {
        let what = format!("a log line with {part:?} and one of {reasons:?}");
        self.program.wait_for(&what, |lines| {
            let said = lines.iter().map(|line| &line.text).filter(|text| text.contains(part));
            let mut explained = said.filter(|text| {
                let text = text.to_lowercase();
                reasons.iter().any(|reason| text.contains(&reason.to_lowercase()))
            });
            explained.next().cloned()
        })
    }

    /// The memory it occupies now, in KiB (`VmRSS`).
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.program.pid());
        let status = std::fs::read_to_string(&path).expect("the broker runs, on Linux");
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok())
            .expect("the status of a process names its resident set")
    }

    /// A bare connection to the MQTT port, on which nothing has been sent.
    #[must_use]
    #[track_caller]
    pub fn open(&self) -> Client {
        Client::open(self.ports.mqtt)
    }

    /// A client that has connected with a clean session.
    #[must_use]
    #[track_caller]
    pub fn connect(&self, version: Version, client_id: &str) -> Client {
        self.connect_with(&Connect::new(version, client_id))
    }

    /// A client that has sent this CONNECT and was accepted.
    #[must_use]
    #[track_caller]
    pub fn connect_with(&self, connect: &Connect<'_>) -> Client {
        let mut client = self.open();
        client.connect(connect);
        client
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    #[track_caller]
    pub fn stop(mut self) -> ExitStatus {
        self.stop_with(Signal::TERM)
    }

    /// Ends it at once (SIGKILL), as a power cut would, and waits until it is gone.
    pub fn kill(mut self) {
        self.stop_with(Signal::KILL);
    }

    /// Sends it a signal and waits until it has ended.
    #[track_caller]
    pub fn stop_with(&mut self, signal: Signal) -> ExitStatus {
        self.stopped = true;
        self.program.signal(signal);
        self.program.wait_exit()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if self.stopped || std::thread::panicking() {
            return;
        }
        assert!(!self.program.has_ended(), "the broker ended by itself");
        let status = self.stop_with(Signal::TERM);
        if !status.success() {
            eprintln!("{}", self.log());
            panic!("the broker, asked to stop, ended with {status}");
        }
    }
}

fn write_config(file: &Path, text: &str, ports: Ports) {
    let serves_dashboard = text.contains(&ports.ws.to_string());
    let dashboard = if serves_dashboard { "" } else { "dashboard_port 0\n" };
    // Started by root it would become another user, who can't read what root's tests write.
    let names_user = text.lines().any(|line| line.starts_with("user "));
    let user = if names_user { "" } else { "user root\n" };
    std::fs::write(file, format!("{dashboard}{user}{text}\n")).unwrap();
}

#[track_caller]
fn start_configured(file: &Path, ports: Ports) -> Program {
    let mut command = bare_command();
    let mut program = Program::start("ws-broker", command.arg("-v").arg("-c").arg(file));
    wait_until_answers(&mut program, ports.mqtt);
    program
}

/// Runs the broker with a configuration file of this text and these further arguments until it ends by
/// itself: its exit status, and all that it said.
#[track_caller]
pub fn run_until_it_ends(text: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("mosquitto.conf");
    std::fs::write(&file, text).expect("the folder can be written to");
    run_file_until_it_ends(&file, arguments)
}

/// The same with a file that is there.
#[track_caller]
pub fn run_file_until_it_ends(file: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = bare_command();
    let mut program = Program::start("ws-broker", command.arg("-c").arg(file).args(arguments));
    let status = program.wait_exit();
    (status.code(), program.text(Stream::Out) + &program.text(Stream::Err))
}

/// The broker's binary with no arguments.
#[must_use]
pub fn bare_command() -> Command {
    let mut command = Command::new(binary());
    // No test leaves anything where the user's own broker would find it.
    command.env(STATE_VARIABLE, "/dev/null/state");
    command
}

/// The broker's binary, told to listen on these ports.
#[must_use]
pub fn command(ports: Ports) -> Command {
    let mut command = bare_command();
    command.args(["-p", &ports.mqtt.to_string(), "--ws-port", &ports.ws.to_string()]);
    command
}

/// The broker to test.
#[must_use]
pub fn binary() -> PathBuf {
    let Some(path) = std::env::var_os(BROKER_BIN_VARIABLE) else {
        panic!(
            "{BROKER_BIN_VARIABLE} does not name the broker to test: run `cargo xtask test`, which \
             builds it and sets this up"
        );
    };
    path.into()
}

/// Waits until something accepts connections on the port, or fails if the program ended.
#[track_caller]
fn wait_until_answers(program: &mut Program, port: u16) {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(loopback(port)).is_err() {
        assert!(!program.has_ended(), "the broker ended instead of listening on port {port}");
        assert!(Instant::now() < deadline, "nothing answers on port {port}");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// A bare connection to a port on this machine, on which nothing has been sent.
#[must_use]
#[track_caller]
pub fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect_timeout(&loopback(port), PATIENCE)
        .unwrap_or_else(|error| panic!("port {port} does not answer: {error}"));
    stream.set_nodelay(true).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The address of a port on this machine.
fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
