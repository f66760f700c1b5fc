//! A program that a test started: what it says, how it ends, and that it ends.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process};

pub use rustix::process::Signal;

use crate::{PATIENCE, POLL_INTERVAL};

/// How many of the last lines a failing test prints of each program.
const REPORTED_LINES_MAX: usize = 200;
/// How much of each such line, in characters.
const REPORTED_LINE_CHARS_MAX: usize = 300;

/// Which of its two streams a program wrote a line to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// One line that a program wrote, without its end. Bytes that are no UTF-8 are replaced.
#[derive(Clone, Debug)]
pub struct Line {
    /// Where the program wrote it.
    pub stream: Stream,
    /// What it wrote.
    pub text: String,
}

#[derive(Default)]
struct Said {
    lines: Vec<Line>,
    streams_closed: u8,
}

/// A running program. When it is dropped it is killed, and if that happens because the test fails,
/// it prints what it had said.
pub struct Program {
    name: String,
    child: Child,
    said: Arc<(Mutex<Said>, Condvar)>,
}

impl Program {
    /// Starts `command`; `name` is what a failing test calls it.
    ///
    /// # Panics
    /// If the program cannot be started.
    #[must_use]
    pub fn start(name: &str, command: &mut Command) -> Self {
        Self::start_with_input(name, command, Vec::new())
    }

    /// Starts `command` and writes `input` to its standard input, which is closed after it.
    ///
    /// # Panics
    /// If the program cannot be started.
    #[must_use]
    pub fn start_with_input(name: &str, command: &mut Command, input: Vec<u8>) -> Self {
        let stdin = if input.is_empty() { Stdio::null() } else { Stdio::piped() };
        let mut program = Self::spawn(name, command, stdin);
        if let Some(mut stdin) = program.child.stdin.take() {
            // A program that ends before it read everything is not a failure by itself.
            std::thread::spawn(move || stdin.write_all(&input));
        }
        program
    }

    /// Starts `command` with a standard input that stays open until the caller drops it.
    ///
    /// # Panics
    /// If the program cannot be started.
    #[must_use]
    pub fn start_with_open_input(name: &str, command: &mut Command) -> (Self, ChildStdin) {
        let mut program = Self::spawn(name, command, Stdio::piped());
        let stdin = program.child.stdin.take().expect("stdin is piped");
        (program, stdin)
    }

    fn spawn(name: &str, command: &mut Command, stdin: Stdio) -> Self {
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} could not be started ({command:?}): {error}"));
        let said = Arc::new((Mutex::new(Said::default()), Condvar::new()));
        collect(child.stdout.take().expect("stdout is piped"), Stream::Out, Arc::clone(&said));
        collect(child.stderr.take().expect("stderr is piped"), Stream::Err, Arc::clone(&said));
        Self { name: name.to_owned(), child, said }
    }

    /// The process identifier.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All the lines so far, of both streams, each stream in its own order.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        self.said.0.lock().unwrap().lines.clone()
    }

    /// The lines of one stream so far.
    #[must_use]
    pub fn text(&self, stream: Stream) -> String {
        let lines = self.lines();
        let of_stream = lines.iter().filter(|line| line.stream == stream);
        of_stream.map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// Waits until `find` finds something in the lines so far, or fails the test, saying `what` it
    /// waited for.
    #[track_caller]
    pub fn wait_for<T>(&self, what: &str, find: impl FnMut(&[Line]) -> Option<T>) -> T {
        self.wait_at_most(PATIENCE, what, find)
    }

    /// [`Self::wait_for`] with a limit of its own.
    #[track_caller]
    pub fn wait_at_most<T>(
        &self,
        limit: Duration,
        what: &str,
        mut find: impl FnMut(&[Line]) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + limit;
        let (said, changed) = &*self.said;
        let mut said = said.lock().unwrap();
        loop {
            if let Some(found) = find(&said.lines) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || said.streams_closed == 2 {
                let why = if left.is_zero() { "in time" } else { "before it ended" };
                drop(said);
                panic!("{} did not come to this {why}: {what}", self.name);
            }
            said = changed.wait_timeout(said, left).unwrap().0;
        }
    }

    /// Waits until the program wrote a line that contains `part`, and returns that line.
    #[track_caller]
    pub fn wait_for_line(&self, part: &str) -> String {
        self.wait_for(&format!("a line with {part:?}"), |lines| {
            lines.iter().find(|line| line.text.contains(part)).map(|line| line.text.clone())
        })
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// If the program has already ended.
    pub fn signal(&self, signal: Signal) {
        send_signal(self.child.id(), signal)
            .unwrap_or_else(|error| panic!("{} cannot be signalled: {error}", self.name));
    }

    /// Waits until the program has ended and all it said has been read.
    #[track_caller]
    pub fn wait_exit(&mut self) -> ExitStatus {
        self.wait_exit_at_most(PATIENCE)
    }

    /// [`Self::wait_exit`] with a limit of its own.
    #[track_caller]
    pub fn wait_exit_at_most(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            assert!(Instant::now() < deadline, "{} did not end within {limit:?}", self.name);
            std::thread::sleep(POLL_INTERVAL);
        };
        self.wait_streams_closed(deadline);
        status
    }

    /// Waits for the end of the program, and fails the test unless it ended well.
    #[track_caller]
    pub fn wait_success(&mut self) {
        let status = self.wait_exit();
        assert!(status.success(), "{} ended with {status}", self.name);
    }

    /// Whether the program has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_some()
    }

    fn wait_streams_closed(&self, deadline: Instant) {
        let (said, changed) = &*self.said;
        let mut said = said.lock().unwrap();
        while said.streams_closed < 2 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            said = changed.wait_timeout(said, left).unwrap().0;
        }
    }

    fn report(&self) -> String {
        let lines = self.lines();
        let skipped = lines.len().saturating_sub(REPORTED_LINES_MAX);
        let mut report = format!("--- what {} (pid {}) said", self.name, self.pid());
        if skipped > 0 {
            let _ = write!(report, " (without its first {skipped} lines)");
        }
        for Line { stream, text } in &lines[skipped..] {
            let shown: String = text.chars().take(REPORTED_LINE_CHARS_MAX).collect();
            let _ = write!(report, "\n{stream:?}: {shown}");
        }
        report
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.report());
        }
        if self.child.kill().is_ok() {
            let _ = self.child.wait();
        }
    }
}

/// Sends a signal to a process that was not waited for yet.
///
/// # Errors
/// The system's, where there is no such process.
pub fn send_signal(pid: u32, signal: Signal) -> Result<(), rustix::io::Errno> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a process identifier is positive"), signal)
}

/// Reads one stream line by line until its end, in a thread of its own.
fn collect(stream: impl Read + Send + 'static, which: Stream, said: Arc<(Mutex<Said>, Condvar)>) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&bytes);
            let text = text.trim_end_matches(['\n', '\r']).to_owned();
            said.0.lock().unwrap().lines.push(Line { stream: which, text });
            said.1.notify_all();
            bytes.clear();
        }
        said.0.lock().unwrap().streams_closed += 1;
        said.1.notify_all();
    });
}
