//! `cargo xtask run`: the broker with its dashboard, and this machine's readings on it, until
//! Ctrl-C, SIGTERM or SIGHUP stops them.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::value_parser;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{binaries, setup};

/// How long the broker may take until it answers.
const START_MAX: Duration = Duration::from_secs(30);
/// How long between two looks whether it answers.
const START_POLL: Duration = Duration::from_millis(50);
/// How long a program may take to stop after SIGTERM, before it is killed.
const STOP_MAX: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The TCP port for MQTT
    #[arg(long, default_value_t = 1883, value_parser = value_parser!(u16).range(1..))]
    port: u16,
    /// The port for the dashboard and for MQTT over WebSocket
    #[arg(long, default_value_t = 9001, value_parser = value_parser!(u16).range(1..))]
    ws_port: u16,
    /// Let the broker log every connection and packet
    #[arg(short, long)]
    verbose: bool,
}

/// What the supervisor waits for.
enum Event {
    /// Someone asked for the end.
    Stop,
    /// A program ended.
    Ended { name: &'static str, status: std::io::Result<ExitStatus> },
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let (events, inbox) = channel();
    for (option, port) in [("--port", arguments.port), ("--ws-port", arguments.ws_port)] {
        must_be_free(option, port)?;
    }
    setup::ensure(setup::FOR_THE_DASHBOARD)?;
    let binaries = binaries::build()?;

    // From here on an interrupt has to reach the programs; until now it just ended the build.
    let stop = events.clone();
    ctrlc::set_handler(move || drop(stop.send(Event::Stop))).context("cannot handle signals")?;

    let mut programs = Programs { running: Vec::new(), events, inbox };
    let result = programs.serve(arguments, &binaries);
    programs.stop();
    result
}

/// The programs that were started, in order, and the inbox that tells when one ends.
struct Programs {
    running: Vec<(&'static str, Pid)>,
    events: Sender<Event>,
    inbox: Receiver<Event>,
}

impl Programs {
    /// Starts everything and returns when it is asked to stop, or fails when a program ends.
    fn serve(&mut self, arguments: &Arguments, binaries: &binaries::Binaries) -> Result<()> {
        let mut broker = Command::new(&binaries.broker);
        broker.args(["-p", &arguments.port.to_string()]);
        broker.args(["--ws-port", &arguments.ws_port.to_string()]);
        if arguments.verbose {
            broker.arg("-v");
        }
        self.start("the broker", &mut broker)?;
        if !self.wait_for_answer(arguments.ws_port)? {
            return Ok(());
        }

        let address = format!("mqtt://127.0.0.1:{}", arguments.port);
        self.start(
            "the sensors",
            Command::new(&binaries.sensors).args(["host", "--broker", &address]),
        )?;
        println!();
        println!("  Dashboard  http://localhost:{}", arguments.ws_port);
        println!("  MQTT       localhost:{}", arguments.port);
        println!("  Ctrl-C stops both.");
        println!();
        match self.inbox.recv().context("nobody is left to tell what happens")? {
            Event::Stop => Ok(()),
            Event::Ended { name, status } => self.ended(name, &status),
        }
    }

    /// Starts a program in a process group of its own: Ctrl-C in a terminal then reaches xtask
    /// alone, which stops the programs in order.
    fn start(&mut self, name: &'static str, command: &mut Command) -> Result<()> {
        let program = Path::new(command.get_program()).display().to_string();
        let child = command.stdin(Stdio::null()).process_group(0).spawn();
        let mut child: Child = child.with_context(|| format!("cannot start {program}"))?;
        let pid = i32::try_from(child.id()).context("a process id that is out of range")?;
        self.running.push((name, Pid::from_raw(pid)));
        let events = self.events.clone();
        thread::spawn(move || drop(events.send(Event::Ended { name, status: child.wait() })));
        Ok(())
    }

    /// Waits until the broker serves its page. `false` when it was asked to stop before.
    fn wait_for_answer(&mut self, port: u16) -> Result<bool> {
        let deadline = Instant::now() + START_MAX;
        loop {
            match self.inbox.recv_timeout(START_POLL) {
                Ok(Event::Stop) => return Ok(false),
                Ok(Event::Ended { name, status }) => self.ended(name, &status)?,
                Err(RecvTimeoutError::Disconnected) => bail!("nobody is left to wait for"),
                Err(RecvTimeoutError::Timeout) if serves_a_page(port) => return Ok(true),
                Err(RecvTimeoutError::Timeout) if Instant::now() > deadline => bail!(
                    "the broker does not answer on http://localhost:{port} after {} s",
                    START_MAX.as_secs()
                ),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// A program that ends by itself is an error, whatever its status says.
    fn ended(&mut self, name: &str, status: &std::io::Result<ExitStatus>) -> Result<()> {
        self.running.retain(|(running, _)| *running != name);
        match status {
            Ok(status) => bail!("{name} ended by itself ({status}); its last lines say why"),
            Err(error) => bail!("{name} was lost: {error}"),
        }
    }

    /// Stops what runs, the last started first, so that the sensors can say goodbye to the broker.
    fn stop(&mut self) {
        while let Some((name, pid)) = self.running.pop() {
            send(name, pid, Signal::SIGTERM);
            let deadline = Instant::now() + STOP_MAX;
            loop {
                match self.inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                    Ok(Event::Ended { name: ended, .. }) if ended == name => break,
                    Ok(Event::Ended { name, .. }) => {
                        self.running.retain(|(running, _)| *running != name);
                    }
                    // Asked again: no more patience.
                    Ok(Event::Stop) => send(name, pid, Signal::SIGKILL),
                    Err(_) => {
                        eprintln!("{name} did not stop within {} s: killed", STOP_MAX.as_secs());
                        send(name, pid, Signal::SIGKILL);
                        break;
                    }
                }
            }
        }
    }
}

fn send(name: &str, pid: Pid, signal: Signal) {
    if let Err(error) = kill(pid, signal) {
        eprintln!("cannot send {signal} to {name}: {error}");
    }
}

/// Said before minutes go into a build whose result could not start.
fn must_be_free(option: &str, port: u16) -> Result<()> {
    TcpListener::bind(local(port)).map(drop).with_context(|| {
        format!(
            "port {port} on 127.0.0.1 cannot be listened on. Most likely another broker runs there: \
             stop it, or choose another port with {option}"
        )
    })
}

/// Whether an HTTP server on this port answers `GET /` with a page.
fn serves_a_page(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(local(port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        let request =
            format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(&status == b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}

fn local(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};

    use super::*;

    #[test]
    fn a_taken_port_is_named_with_the_option_that_changes_it() {
        let listener = TcpListener::bind(local(0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = must_be_free("--ws-port", port).unwrap_err().to_string();
        assert!(error.contains(&port.to_string()) && error.contains("--ws-port"), "{error}");
    }

    #[test]
    fn only_a_page_counts_as_an_answer() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\n", true),
            ("HTTP/1.1 404 Not Found\r\n\r\n", false),
            ("SSH-2.0", false),
        ] {
            let listener = TcpListener::bind(local(0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                // To its end: closing a connection with something unread in it takes back what was answered.
                let lines = BufReader::new(&stream).lines().map(Result::unwrap);
                lines.take_while(|line| !line.is_empty()).for_each(drop);
                stream.write_all(answer.as_bytes()).unwrap();
            });
            assert_eq!(serves_a_page(port), expected, "{answer}");
            server.join().unwrap();
        }
    }

    #[test]
    fn a_program_that_ends_by_itself_is_reported() {
        let (events, inbox) = channel();
        let mut programs = Programs { running: Vec::new(), events, inbox };
        programs.start("the test", Command::new("sh").args(["-c", "exit 3"])).unwrap();
        let Event::Ended { name, status } = programs.inbox.recv().unwrap() else {
            panic!("nobody asked to stop");
        };
        let error = programs.ended(name, &status).unwrap_err().to_string();
        assert!(error.starts_with("the test ended by itself (exit status: 3)"), "{error}");
        assert!(programs.running.is_empty());
    }

    #[test]
    fn stopping_ends_every_program() {
        let (events, inbox) = channel();
        let mut programs = Programs { running: Vec::new(), events, inbox };
        for name in ["the first", "the second"] {
            programs.start(name, Command::new("sleep").arg("600")).unwrap();
        }
        let pids: Vec<_> = programs.running.iter().map(|(_, pid)| *pid).collect();
        programs.stop();
        for pid in pids {
            assert_eq!(kill(pid, None), Err(nix::errno::Errno::ESRCH), "{pid} still runs");
        }
    }
}
