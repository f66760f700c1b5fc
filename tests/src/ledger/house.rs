//! The broker of a ledger: a process that dies again and again, and the folder that it comes back to.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::ports;
use crate::program::{Program, Signal, Stream};

/// The logs of how many lives are kept for a report.
const LOGS_MAX: usize = 3;
/// How much of the end of each log a report shows, in lines.
const LOG_LINES_MAX: usize = 40;

/// The broker's folder, and the broker, while it lives.
pub struct House {
    binary: PathBuf,
    folder: PathBuf,
    /// Where it listens.
    pub port: u16,
    program: Option<Program>,
    logs: VecDeque<(u32, String)>,
}

impl House {
    /// A house in an empty folder; `words` are lines of the broker's configuration.
    #[must_use]
    pub fn new(binary: &Path, folder: &Path, words: &str) -> Self {
        let house = Self {
            binary: binary.to_owned(),
            folder: folder.to_owned(),
            port: ports::free_port(),
            program: None,
            logs: VecDeque::new(),
        };
        let store = house.store();
        std::fs::create_dir_all(&store).unwrap();
        let config = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\nuser root\n\
             persistence_location {}/\nmax_queued_messages 0\nmax_inflight_messages 50\n{words}\n",
            house.port,
            store.display()
        );
        std::fs::write(house.config(), config).unwrap();
        house
    }

    fn config(&self) -> PathBuf {
        self.folder.join("mosquitto.conf")
    }

    fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// How many bytes its folder holds now.
    #[must_use]
    pub fn store_bytes(&self) -> u64 {
        folder_bytes(&self.store())
    }

    /// Starts it, and does not wait for it.
    pub fn start(&mut self) {
        let mut command = Command::new(&self.binary);
        self.program = Some(Program::start("the broker", command.arg("-c").arg(self.config())));
    }

    /// Whether it has ended, though nobody asked it to.
    pub fn has_ended(&mut self) -> bool {
        self.program.as_mut().is_some_and(Program::has_ended)
    }

    /// Sends it the signal after a while, whatever it does then.
    #[must_use]
    pub fn strike_after(&self, wait: Duration, signal: Signal) -> Strike {
        let has_struck = Arc::new(AtomicBool::new(false));
        let program = self.program.as_ref().expect("it was started");
        let (pid, flag) = (program.pid(), Arc::clone(&has_struck));
        let thread = std::thread::spawn(move || {
            std::thread::sleep(wait);
            // The process is not waited for before this thread is, so its identifier is still its own.
            // It may have ended by itself, which whoever waits for it will notice.
            let _ = crate::program::send_signal(pid, signal);
            flag.store(true, Ordering::Release);
        });
        Strike { has_struck, thread: Some(thread) }
    }

    /// Waits until it has ended, and keeps what it said.
    pub fn wait_exit(&mut self, round: u32) -> ExitStatus {
        let mut program = self.program.take().expect("it was started");
        let status = program.wait_exit();
        let log = [program.text(Stream::Out), program.text(Stream::Err)].concat();
        self.logs.push_back((round, log));
        if self.logs.len() > LOGS_MAX {
            self.logs.pop_front();
        }
        status
    }

    /// What it said in its last lives.
    #[must_use]
    pub fn last_words(&self) -> String {
        let mut words = String::new();
        let now = self.program.as_ref().map(|program| (u32::MAX, program.text(Stream::Err)));
        for (round, log) in self.logs.iter().chain(&now) {
            let lines: Vec<&str> = log.lines().collect();
            let shown = &lines[lines.len().saturating_sub(LOG_LINES_MAX)..];
            let which =
                if *round == u32::MAX { "now".to_owned() } else { format!("round {round}") };
            let _ = write!(words, "--- the broker's log, {which}\n{}\n", shown.join("\n"));
        }
        words
    }
}

/// A signal that is on its way.
pub struct Strike {
    has_struck: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Strike {
    /// Whether it was sent.
    #[must_use]
    pub fn has_struck(&self) -> bool {
        self.has_struck.load(Ordering::Acquire)
    }
}

impl Drop for Strike {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => folder_bytes(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}
