//! The `sensors` binary, about to be started.

use std::process::Command;

use crate::Broker;

/// The environment variable that names the `sensors` binary.
const SENSORS_BIN_VARIABLE: &str = "SENSORS_BIN";

/// `sensors` with these arguments.
///
/// # Panics
/// If nobody says where it is.
#[must_use]
pub fn command(arguments: &[&str]) -> Command {
    let Some(path) = std::env::var_os(SENSORS_BIN_VARIABLE) else {
        panic!(
            "{SENSORS_BIN_VARIABLE} does not name the sensors: run `cargo xtask test`, which \
             builds them and sets this up"
        );
    };
    let mut command = Command::new(path);
    command.args(arguments);
    command
}

/// What `--broker` wants for this broker.
#[must_use]
pub fn address(broker: &Broker) -> String {
    format!("mqtt://127.0.0.1:{}", broker.ports.mqtt)
}
