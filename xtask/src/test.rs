//! `cargo xtask test`: everything that has to hold before a change lands, cheapest first.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::{binaries, command, setup, tidy, workspace};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run these steps alone, separated by commas
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Step>,
}

/// One step, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
enum Step {
    /// Every source file is formatted
    Fmt,
    /// The promises about the sources hold
    Tidy,
    /// No warning, on the host and for wasm32
    Clippy,
    /// Every link in the documentation leads somewhere
    Docs,
    /// The tests of each crate on the host
    Host,
    /// The tests of the codec and of the browser's side, in a headless browser
    Wasm,
    /// Real clients and a real browser against the real broker
    EndToEnd,
}

impl Step {
    const ALL: [Self; 7] =
        [Self::Fmt, Self::Tidy, Self::Clippy, Self::Docs, Self::Host, Self::Wasm, Self::EndToEnd];

    fn run(self) -> Result<()> {
        match self {
            Self::Fmt => command::run(command::cargo().args(["fmt", "--all", "--check"])),
            Self::Tidy => tidy::run(false),
            Self::Clippy => clippy(),
            Self::Docs => docs(),
            Self::Host => host(),
            Self::Wasm => wasm(),
            Self::EndToEnd => end_to_end(),
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure(setup::FOR_THE_TESTS)?;
    let mut times = Vec::new();
    for step in Step::ALL {
        if !arguments.only.is_empty() && !arguments.only.contains(&step) {
            continue;
        }
        println!("\n== {step:?}");
        let start = Instant::now();
        let result = step.run();
        times.push((step, start.elapsed(), result.is_ok()));
        if let Err(error) = result {
            summary(&times);
            return Err(error.context(format!("the step {step:?} failed")));
        }
    }
    summary(&times);
    Ok(())
}

fn summary(times: &[(Step, Duration, bool)]) {
    println!("\n== Summary");
    for (step, time, passed) in times {
        let verdict = if *passed { "passed" } else { "FAILED" };
        println!("{:10} {verdict} {:>7.1} s", format!("{step:?}"), time.as_secs_f64());
    }
    let total: Duration = times.iter().map(|(_, time, _)| *time).sum();
    println!("{:10} {:>14.1} s", "together", total.as_secs_f64());
    let failed = times.iter().filter(|(_, _, passed)| !passed).count();
    println!("Steps: {} passed, {failed} failed", times.len().saturating_sub(failed));
}

fn clippy() -> Result<()> {
    const DENY: [&str; 3] = ["--", "--deny", "warnings"];
    command::run(command::cargo().args(["clippy", "--workspace", "--all-targets"]).args(DENY))?;
    // The session comes along, as what both of these stand on.
    command::run(
        command::cargo()
            .args(["clippy", "--target", "wasm32-unknown-unknown", "--all-targets"])
            .args(["--package", "codec", "--package", "client-wasm"])
            .args(DENY),
    )
}

fn docs() -> Result<()> {
    let doc = || {
        let mut cargo = command::cargo();
        cargo.env("RUSTDOCFLAGS", "--deny warnings");
        cargo.args(["doc", "--no-deps", "--document-private-items"]);
        cargo
    };
    command::run(doc().args(["--workspace", "--exclude", "client-wasm"]))?;
    command::run(doc().args(["--target", "wasm32-unknown-unknown", "--package", "client-wasm"]))
}

fn host() -> Result<()> {
    command::run(command::cargo().args(["test", "--workspace", "--exclude", "tests"]))
}

fn wasm() -> Result<()> {
    let driver =
        setup::find_program(&["chromedriver"]).context("chromedriver is not on the PATH")?;
    // Browser flags that keep Chromium from calling home; the runner reads them by itself in
    // client-wasm alone.
    let browser = workspace::root().join("client-wasm").join("webdriver.json");
    // Not --quiet: cargo would hand that to the runner too, which does not know it.
    command::run(
        command::cargo()
            .env("CHROMEDRIVER", driver)
            .env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", browser)
            // Seconds for the driver to start, and for all tests of a crate: a busy machine is slow.
            .env("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "60")
            .env("WASM_BINDGEN_TEST_TIMEOUT", "300")
            .args(["test", "--target", "wasm32-unknown-unknown"])
            .args(["--package", "codec", "--package", "client-wasm"]),
    )
}

fn end_to_end() -> Result<()> {
    let python = setup::paho_python()?;
    let binaries = binaries::build()?;
    command::run(
        command::cargo()
            .env("WS_BROKER_BIN", binaries.broker)
            .env("SENSORS_BIN", binaries.sensors)
            .env("PAHO_PYTHON", python)
            .args(["test", "--package", "tests"]),
    )
}
