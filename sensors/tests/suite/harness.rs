//! Real processes for the tests of this crate: Mosquitto as a broker, its command-line client as a
//! subscriber, and the `sensors` binary. Each is killed by its id when its value is dropped.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what must come. No test passes or fails by how fast it came.
const DEADLINE: Duration = Duration::from_secs(60);
/// Between two looks at something that gives no notice.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Whose command it is that is missing, and how to get it.
fn start(command: &mut Command) -> Child {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).spawn().unwrap_or_else(|error| {
        panic!(
            "Cannot start {program}: {error}. These tests need Mosquitto and its clients: \
             `cargo xtask test` installs them, or `apt-get install mosquitto mosquitto-clients`."
        )
    })
}

/// A folder for one test, empty at first.
pub(crate) fn folder() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("sensors-{}-{number}", std::process::id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}

/// A port that was free a moment ago, and that no other test here was given.
pub(crate) fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its number").port();
        if GIVEN.lock().expect("the ports given").insert(port) {
            return port;
        }
    }
}

/// A child process whose lines arrive on a channel.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    fn new(mut child: Child, output: impl Read + Send + 'static) -> Self {
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        if let Some(status) = child.try_wait().expect("a child process") {
            panic!("a process ended at once: {status}");
        }
        Self { child, lines, seen: Vec::new() }
    }

    /// The next line for which `wanted` holds; lines before it are skipped.
    pub(crate) fn line(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + DEADLINE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("No line with {what} came. Lines so far:\n{}", self.seen.join("\n"));
            };
            self.seen.push(line.clone());
            if wanted(&line) {
                return line;
            }
        }
    }

    /// How many of the lines seen so far hold `part`.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.seen.iter().filter(|line| line.contains(part)).count()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .expect("the `kill` command");
        assert!(status.success(), "kill -s {name}: {status}");
    }

    /// Waits for the process to end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let until = Instant::now() + DEADLINE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().expect("a child process") {
                return status;
            }
            thread::sleep(LOOK_AGAIN);
        }
        panic!("The process did not end. Lines so far:\n{}", self.seen.join("\n"));
    }
}

/// Mosquitto on a port of its own, on loopback, without persistence.
pub(crate) struct Broker {
    pub(crate) port: u16,
    config: PathBuf,
    process: Option<Process>,
}

impl Broker {
    /// Starts a broker that lets anyone in.
    pub(crate) fn start() -> Self {
        Self::start_with("allow_anonymous true\n")
    }

    /// Starts a broker with these lines of `mosquitto.conf` after its `listener` line.
    pub(crate) fn start_with(lines: &str) -> Self {
        let client =
            start(Command::new("mosquitto_sub").arg("--help").stdout(Stdio::null())).wait();
        client.expect("mosquitto_sub");
        let port = free_port();
        let config = folder().join("mosquitto.conf");
        // Started by root, Mosquitto would become a user that cannot read the test's folder.
        let text = format!("user root\npersistence false\nlistener {port} 127.0.0.1\n{lines}");
        fs::write(&config, text).expect("the broker's configuration");
        let mut broker = Self { port, config, process: None };
        broker.restart();
        broker
    }

    /// Starts it again on its port, after [`Broker::kill`].
    pub(crate) fn restart(&mut self) {
        let installed = Path::new("/usr/sbin/mosquitto");
        let program = if installed.exists() { installed } else { Path::new("mosquitto") };
        let mut child =
            start(Command::new(program).arg("-c").arg(&self.config).stderr(Stdio::piped()));
        let log = child.stderr.take().expect("the broker's log");
        let mut process = Process::new(child, log);
        let until = Instant::now() + DEADLINE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Some(status) = process.child.try_wait().expect("the broker") {
                let log: Vec<_> = process.lines.iter().collect();
                panic!("mosquitto ended with {status}:\n{}", log.join("\n"));
            }
            assert!(Instant::now() < until, "mosquitto does not listen");
            thread::sleep(LOOK_AGAIN);
        }
        self.process = Some(process);
    }

    /// Kills it, as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    pub(crate) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Subscribes to everything; the broker has agreed when this returns.
    pub(crate) fn subscribe(&self) -> Subscriber {
        let port = self.port.to_string();
        let mut child = start(
            // Line by line: on a pipe it would keep what it says of itself to itself.
            Command::new("stdbuf")
                .args([
                    "-oL",
                    "mosquitto_sub",
                    "-V",
                    "mqttv5",
                    "-h",
                    "127.0.0.1",
                    "-p",
                    &port,
                    "-t",
                    "#",
                    "-q",
                    "1",
                ])
                .args(["-d", "-F", "%r|%q|%t|%P|%p"])
                .stdout(Stdio::piped()),
        );
        let output = child.stdout.take().expect("the subscriber's output");
        let mut process = Process::new(child, output);
        process.line("the broker's SUBACK", |line| line.starts_with("Subscribed"));
        Subscriber(process)
    }
}

/// `mosquitto_sub`, subscribed to everything.
pub(crate) struct Subscriber(Process);

/// A message as a subscriber saw it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) retained: bool,
    pub(crate) qos: String,
    pub(crate) topic: String,
    /// User properties as `name:value`.
    pub(crate) properties: String,
    pub(crate) payload: String,
}

impl Seen {
    /// `None` for what the subscriber says of itself.
    fn read(line: &str) -> Option<Self> {
        let mut parts = line.splitn(5, '|').map(str::to_owned);
        Some(Self {
            retained: parts.next()? == "1",
            qos: parts.next()?,
            topic: parts.next()?,
            properties: parts.next()?,
            payload: parts.next()?,
        })
    }

    /// The payload as a number.
    pub(crate) fn number(&self) -> f64 {
        self.payload.parse().unwrap_or_else(|_| panic!("not a number: {self:?}"))
    }
}

impl Subscriber {
    /// The next message for which `wanted` holds.
    pub(crate) fn message(&mut self, what: &str, wanted: impl Fn(&Seen) -> bool) -> Seen {
        let line = self.0.line(what, |line| Seen::read(line).is_some_and(|seen| wanted(&seen)));
        Seen::read(&line).expect("a message")
    }

    /// The next message on a topic.
    pub(crate) fn on(&mut self, topic: &str) -> Seen {
        self.message(topic, |seen| seen.topic == topic)
    }

    /// The next message on a topic with this payload.
    pub(crate) fn payload(&mut self, topic: &str, payload: &str) -> Seen {
        self.message(&format!("{topic} {payload}"), |seen| {
            seen.topic == topic && seen.payload == payload
        })
    }

    /// All messages seen so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.0.seen.iter().filter_map(|line| Seen::read(line)).collect()
    }
}

/// The binary under test, about to be started.
pub(crate) struct Sensors(Command);

impl Sensors {
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sensors"));
        command.args(arguments).stdin(Stdio::null());
        Self(command)
    }

    /// Sets a variable of its environment.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    /// Takes a variable out of its environment.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.env_remove(name);
        self
    }

    /// Starts it and leaves it running; its lines are those of standard error.
    pub(crate) fn run(mut self) -> Process {
        let mut child = self.0.stderr(Stdio::piped()).spawn().expect("sensors");
        let errors = child.stderr.take().expect("its standard error");
        Process::new(child, errors)
    }

    /// Runs it until it ends by itself: status, standard output, standard error.
    pub(crate) fn finish(mut self) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = self.0.output().expect("sensors");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (status.code(), text(stdout), text(stderr))
    }
}

/// [`Sensors::run`].
pub(crate) fn run(arguments: &[&str]) -> Process {
    Sensors::new(arguments).run()
}

/// [`Sensors::finish`].
pub(crate) fn finish(arguments: &[&str]) -> (Option<i32>, String, String) {
    Sensors::new(arguments).finish()
}
