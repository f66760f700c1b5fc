//! What the broker is to the operating system.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells its failure by panicking"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use tests::broker::{Ports, bare_command, run_until_it_ends};
use tests::program::Signal;
use tests::{Broker, PATIENCE, POLL_INTERVAL, Program, Version};

/// Waits until `look` finds something.
#[track_caller]
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} does not come");
        std::thread::sleep(POLL_INTERVAL);
    }
}

fn listener(ports: Ports) -> String {
    format!("listener {} 127.0.0.1\nallow_anonymous true\n", ports.mqtt)
}

/// The real user of a process, by its number.
fn user_of(pid: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn am_root() -> bool {
    user_of(std::process::id()) == 0
}

#[test]
fn a_pid_file_is_there_as_long_as_the_broker() {
    let mut pid_file = Path::new("").to_owned();
    let broker = Broker::configured_with(|ports, folder| {
        pid_file = folder.join("broker.pid");
        format!("{}pid_file {}", listener(ports), pid_file.display())
    });
    let written = std::fs::read_to_string(&pid_file).unwrap();
    assert_eq!(written.trim().parse(), Ok(broker.program().pid()));
    broker.stop();
    assert!(!pid_file.exists());
}

#[test]
fn a_pid_file_that_can_not_be_written_is_said() {
    // It is said where its starter looks, wherever the log goes.
    let pid_file = "pid_file /no/such/folder/pid\nlog_dest none";
    let text = format!("dashboard_port 0\n{}{pid_file}", listener(Ports::free()));
    let (status, said) = run_until_it_ends(&text, &[]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("/no/such/folder/pid"), "{said}");
}

#[test]
fn in_the_background_it_goes_on_after_the_command_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (file, pid_file) = (folder.path().join("mosquitto.conf"), folder.path().join("pid"));
    let ports = Ports::free();
    let text =
        format!("dashboard_port 0\nuser root\n{}pid_file {}", listener(ports), pid_file.display());
    std::fs::write(&file, text).unwrap();
    let mut program = Program::start("ws-broker", bare_command().arg("-d").arg("-c").arg(&file));
    assert_eq!(program.wait_exit().code(), Some(0));
    let pid: i32 =
        eventually("the pid file", || std::fs::read_to_string(&pid_file).ok()?.trim().parse().ok());
    eventually("the listener", || std::net::TcpStream::connect(("127.0.0.1", ports.mqtt)).ok());
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    eventually("the end", || (!pid_file.exists()).then_some(()));
}

/// The pid file goes with the broker only if the user that it became may remove it.
#[test]
fn started_by_root_it_becomes_another_user() {
    if !am_root() {
        return;
    }
    for (line, is_root) in [("user nobody\n", false), ("user root\n", true)] {
        let broker = Broker::configured(|ports| format!("{line}{}", listener(ports)));
        broker.wait_for_log("running", &["version"]);
        assert_eq!(user_of(broker.program().pid()) == 0, is_root, "{line:?}");
        drop(broker.connect(Version::V311, "client"));
    }
    let text = format!("dashboard_port 0\nuser no-such-user\n{}", listener(Ports::free()));
    let (status, said) = run_until_it_ends(&text, &[]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("no-such-user"), "{said}");
}

/// Whoever starts it may write where the one that it becomes may not even look.
#[test]
fn what_keeps_the_other_user_from_the_store_is_said() {
    if !am_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let only_root = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(folder.path(), only_root).unwrap();
    let text = format!(
        "dashboard_port 0\nuser nobody\n{}persistence true\npersistence_location {}/\n",
        listener(Ports::free()),
        folder.path().display()
    );
    let (status, said) = run_until_it_ends(&text, &[]);
    assert_eq!(status, Some(1), "{said}");
    let way_out = format!("chmod a+x {}", folder.path().display());
    assert!(said.contains("user nobody") && said.contains(&way_out), "{said}");
}
