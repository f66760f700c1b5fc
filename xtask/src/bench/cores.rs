//! Which core is whose: the broker has one for itself, and the load generator another.

use std::process::{Child, Command};

use anyhow::{Context as _, Result};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The cores of the broker and of the load generator; the same where the machine has but one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cores {
    /// `None` if it may have all of them.
    pub(super) broker: Option<usize>,
    pub(super) generator: usize,
}

impl Cores {
    /// The first two that this process may use.
    pub(super) fn find() -> Result<Self> {
        let allowed = sched_getaffinity(Pid::from_raw(0)).context("cannot ask for the cores")?;
        let mut usable =
            (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or_default());
        let broker = usable.next().context("no core may be used")?;
        Ok(Self { broker: Some(broker), generator: usable.next().unwrap_or(broker) })
    }

    /// With all cores for the broker, of which the generator takes its part.
    pub(super) fn shared(self) -> Self {
        Self { broker: None, ..self }
    }
}

/// Starts a program that runs on this core alone, if it is not to have all, from its first instruction on.
pub(super) fn spawn_on(command: &mut Command, core: Option<usize>) -> Result<Child> {
    let Some(core) = core else { return Ok(command.spawn()?) };
    // A child inherits where its parent may run, so the parent goes there while it starts it.
    let this = Pid::from_raw(0);
    let before = sched_getaffinity(this)?;
    let mut only = CpuSet::new();
    only.set(core)?;
    sched_setaffinity(this, &only).with_context(|| format!("cannot run on core {core}"))?;
    let child = command.spawn();
    sched_setaffinity(this, &before)?;
    Ok(child?)
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    #[test]
    fn a_program_runs_where_it_was_put() {
        let cores = Cores::find().unwrap();
        for core in [cores.broker.unwrap(), cores.generator] {
            let mut command = Command::new("grep");
            command.args(["Cpus_allowed_list", "/proc/self/status"]).stdout(Stdio::piped());
            let output = spawn_on(&mut command, Some(core)).unwrap().wait_with_output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert_eq!(text.split_whitespace().last(), Some(core.to_string().as_str()));
        }
    }
}
