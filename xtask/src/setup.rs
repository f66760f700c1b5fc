//! What the commands need on this machine, and how it gets there.
//!
//! On Debian as root, and with rustup, what is missing is installed. Elsewhere nothing is touched:
//! everything missing is named at once, with how to get it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::{command, workspace};

/// The release of paho-mqtt that the tests drive the broker with.
const PAHO: &str = "paho-mqtt==2.1.0";

/// Something that has to be on the machine.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need {
    /// The standard library for wasm32.
    WasmTarget,
    /// A cargo subcommand, and the rustup component that brings it.
    Component { subcommand: &'static str, component: &'static str },
    /// A program, under any of these names, and the Debian packages that bring it.
    Program { names: &'static [&'static str], packages: &'static [&'static str] },
    /// A `python3` that can make virtual environments.
    PythonVenv,
}

/// What building the dashboard needs.
pub(crate) const FOR_THE_DASHBOARD: &[Need] = &[Need::WasmTarget];

/// What the benchmarks need: the peer that they are all about.
pub(crate) const FOR_THE_BENCHMARKS: &[Need] =
    &[Need::Program { names: &["mosquitto"], packages: &["mosquitto"] }];

/// The browsers that can be driven, by the names of their programs.
pub(crate) const BROWSERS: &[&str] = &["chromium", "google-chrome", "chromium-browser"];

/// What measuring the dashboard needs.
pub(crate) const FOR_THE_BROWSER: &[Need] = &[
    Need::Program { names: BROWSERS, packages: &["chromium", "fonts-dejavu-core"] },
    Need::Program { names: &["node"], packages: &["nodejs"] },
    Need::Program { names: &["npm"], packages: &["npm"] },
];

/// What the tests need.
pub(crate) const FOR_THE_TESTS: &[Need] = &[
    Need::WasmTarget,
    Need::Component { subcommand: "fmt", component: "rustfmt" },
    Need::Component { subcommand: "clippy", component: "clippy" },
    Need::Program { names: BROWSERS, packages: &["chromium", "fonts-dejavu-core"] },
    Need::Program { names: &["chromedriver"], packages: &["chromium-driver"] },
    Need::Program { names: &["mosquitto"], packages: &["mosquitto"] },
    Need::Program { names: &["mosquitto_pub"], packages: &["mosquitto-clients"] },
    Need::PythonVenv,
];

/// Installs what is missing where that is possible, and says what is still missing.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    let mut failures = Vec::new();
    let rustup = command::succeeds(Command::new("rustup").arg("--version"));
    if rustup {
        for arguments in missing.iter().filter_map(|need| need.rustup()) {
            note(&mut failures, command::run(Command::new("rustup").args(arguments)));
        }
    }
    let packages: Vec<_> = missing.iter().flat_map(|need| need.packages()).copied().collect();
    if !packages.is_empty() && may_use_apt() {
        note(&mut failures, apt_install(&packages));
    }
    report(&self::missing(needs), &failures)
}

/// Where the first of `names` is that is on the `PATH`, or where Debian puts its servers: that
/// folder is not on everybody's `PATH`.
pub(crate) fn find_program(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let folders: Vec<_> = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).collect();
    names
        .iter()
        .find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file()))
}

/// A Python that has paho-mqtt, in a virtual environment below the target folder.
pub(crate) fn paho_python() -> Result<PathBuf> {
    let folder = workspace::target().join("python");
    let python = folder.join("bin").join("python3");
    let (name, version) = PAHO.split_once("==").unwrap_or((PAHO, ""));
    let check =
        format!("from importlib.metadata import version; assert version('{name}') == '{version}'");
    if !command::succeeds(Command::new(&python).args(["-c", &check])) {
        let venv = ["-m", "venv", "--clear"];
        command::run(Command::new("python3").args(venv).arg(&folder))?;
        command::run(Command::new(&python).args(["-m", "pip", "install", "--quiet", PAHO]))?;
    }
    Ok(python)
}

fn missing(needs: &[Need]) -> Vec<Need> {
    needs.iter().copied().filter(|need| !need.is_met()).collect()
}

fn note(failures: &mut Vec<String>, result: Result<()>) {
    failures.extend(result.err().map(|error| error.to_string()));
}

/// Everything that is still missing, as one error with one line for each.
fn report(missing: &[Need], failures: &[String]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let mut lines = vec!["this machine lacks what the command needs:".to_owned()];
    lines.extend(missing.iter().map(|need| format!("  - {}", need.advice())));
    let packages: Vec<_> = missing.iter().flat_map(|need| need.packages()).copied().collect();
    if !packages.is_empty() {
        lines.push(format!(
            "On Debian all programs come with: sudo apt-get install {}",
            packages.join(" ")
        ));
    }
    lines.extend(failures.iter().map(|failure| format!("Installing was tried: {failure}")));
    bail!(lines.join("\n"))
}

impl Need {
    fn is_met(self) -> bool {
        match self {
            Self::WasmTarget => has_wasm_target(),
            Self::Component { subcommand, .. } => {
                command::succeeds(command::cargo().args([subcommand, "--version"]))
            }
            Self::Program { names, .. } => find_program(names).is_some(),
            Self::PythonVenv => {
                command::succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"]))
            }
        }
    }

    /// What rustup is to do about it.
    fn rustup(self) -> Option<[&'static str; 3]> {
        match self {
            Self::WasmTarget => Some(["target", "add", "wasm32-unknown-unknown"]),
            Self::Component { component, .. } => Some(["component", "add", component]),
            Self::Program { .. } | Self::PythonVenv => None,
        }
    }

    /// The Debian packages that bring it.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Program { packages, .. } => packages,
            Self::PythonVenv => &["python3", "python3-venv"],
            Self::WasmTarget | Self::Component { .. } => &[],
        }
    }

    /// What it is and how to get it, for a person.
    fn advice(self) -> String {
        match self {
            Self::WasmTarget => "Rust's standard library for wasm32. With rustup \
                (https://rustup.rs): rustup target add wasm32-unknown-unknown"
                .to_owned(),
            Self::Component { subcommand, component } => {
                format!("cargo {subcommand}. With rustup: rustup component add {component}")
            }
            Self::Program { names, packages } => {
                format!("{}. Debian's package: {}", names.join(" or "), packages.join(" "))
            }
            Self::PythonVenv => {
                "python3 with its module venv. Debian's package: python3-venv".to_owned()
            }
        }
    }
}

fn has_wasm_target() -> bool {
    let output = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--print", "target-libdir", "--target", "wasm32-unknown-unknown"])
        .current_dir(workspace::root())
        .output();
    output.is_ok_and(|output| {
        let folder = String::from_utf8_lossy(&output.stdout);
        output.status.success() && Path::new(folder.trim()).is_dir()
    })
}

/// Root on Debian may install packages. Ubuntu's packages of these names are not the same.
fn may_use_apt() -> bool {
    let debian = fs::read_to_string("/etc/os-release").is_ok_and(|release| {
        release.lines().any(|line| matches!(line, "ID=debian" | "ID=raspbian"))
    });
    debian && nix::unistd::geteuid().is_root() && find_program(&["apt-get"]).is_some()
}

fn apt_install(packages: &[&str]) -> Result<()> {
    command::run(Command::new("apt-get").args(["update", "--quiet"]))?;
    command::run(
        Command::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["install", "--yes", "--quiet", "--no-install-recommends"])
            .args(["--option", "Dpkg::Use-Pty=0"])
            .args(packages),
    )?;
    if packages.contains(&"mosquitto") {
        keep_mosquitto_from_running()?;
    }
    Ok(())
}

/// Debian starts a broker as soon as its package is there, on the very port that ours listens on.
/// The tests want the program alone, so a service that came with it is stopped again.
fn keep_mosquitto_from_running() -> Result<()> {
    if Path::new("/run/systemd/system").is_dir() {
        command::run(Command::new("systemctl").args(["disable", "--now", "mosquitto.service"]))
    } else if Path::new("/etc/init.d/mosquitto").is_file() {
        command::run(Command::new("/etc/init.d/mosquitto").arg("stop"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_missing_is_named_at_once_with_how_to_get_it() {
        let absent = Need::Program { names: &["no-such-program"], packages: &["a-package"] };
        let still_missing = missing(&[Need::WasmTarget, absent]);
        assert!(matches!(still_missing.last(), Some(Need::Program { .. })));

        let all = [Need::WasmTarget, absent, Need::PythonVenv];
        let text = report(&all, &["apt-get said no".to_owned()]).unwrap_err().to_string();
        for part in [
            "rustup target add wasm32-unknown-unknown",
            "no-such-program",
            "sudo apt-get install a-package python3 python3-venv",
            "apt-get said no",
        ] {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
        assert!(report(&[], &[]).is_ok());
    }

    #[test]
    fn a_program_is_found_by_any_of_its_names() {
        let found = find_program(&["no-such-program", "sh"]).unwrap();
        assert!(found.ends_with("sh"));
        assert_eq!(find_program(&["no-such-program"]), None);
    }
}
