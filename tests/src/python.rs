//! Python scripts that use `paho-mqtt`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::program::Program;

/// The environment variable that names an interpreter whose packages include `paho-mqtt` 2.
pub const PYTHON_VARIABLE: &str = "PAHO_PYTHON";

/// Runs a script of this crate's folder `paho` to its end, within `limit`.
///
/// # Panics
/// If it ends with anything but success.
#[track_caller]
pub fn run(script: &str, arguments: &[&str], limit: Duration) {
    assert!(succeeds(script, arguments, limit), "{script} {arguments:?} failed");
}

/// Runs a script of this crate's folder `paho` to its end, within `limit`; says whether it succeeded.
#[track_caller]
#[must_use]
pub fn succeeds(script: &str, arguments: &[&str], limit: Duration) -> bool {
    let Some(python) = std::env::var_os(PYTHON_VARIABLE) else {
        panic!(
            "{PYTHON_VARIABLE} does not name a Python with paho-mqtt: run `cargo xtask test`, \
             which sets one up"
        );
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("paho").join(script);
    let mut command = Command::new(python);
    command.arg("-u").arg(path).args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
    let mut program = Program::start(&format!("{script} {}", arguments.join(" ")), &mut command);
    program.wait_exit_at_most(limit).success()
}
