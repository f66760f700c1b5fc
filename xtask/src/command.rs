//! Running other programs, and saying so: each command is printed as one could type it.

use std::env;
use std::ffi::OsStr;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::workspace;

/// A `cargo` of the same toolchain, at the top of the repository.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root()).env("CARGO_TARGET_DIR", workspace::target());
    command
}

/// Has a command give the compiler a flag beside those that it would get.
pub(crate) fn add_rustc_flag(command: &mut Command, flag: &str) {
    let [encoded, plain] =
        ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"].map(|name| env::var(name).unwrap_or_default());
    command.env("CARGO_ENCODED_RUSTFLAGS", encoded_flags(&encoded, &plain, flag));
}

/// The flags as cargo wants them in `CARGO_ENCODED_RUSTFLAGS`, before which it does not look at `RUSTFLAGS`.
fn encoded_flags(encoded: &str, plain: &str, more: &str) -> String {
    const SEPARATOR: &str = "\u{1f}";
    let mut flags: Vec<&str> = match encoded {
        "" => plain.split_whitespace().collect(),
        _ => encoded.split(SEPARATOR).collect(),
    };
    flags.push(more);
    flags.join(SEPARATOR)
}

/// Prints the command, runs it to its end, and fails unless it succeeded.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    println!("$ {line}");
    let status =
        command.status().with_context(|| format!("`{line}` could not be started. Is it there?"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// Whether the command can be started and succeeds; what it prints is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The command as one would type it at the top of the repository.
fn line(command: &Command) -> String {
    let variables = command
        .get_envs()
        .filter(|(name, _)| *name != "CARGO_TARGET_DIR")
        .filter_map(|(name, value)| Some(format!("{}={}", word(name), word(value?))));
    let program = command.get_program();
    let program = match env::var_os("CARGO") {
        Some(cargo) if cargo == program => "cargo".to_owned(),
        _ => word(program),
    };
    let arguments = command.get_args().map(word);
    variables.chain([program]).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// One word of a shell's command line, in quotes where it needs them.
fn word(text: &OsStr) -> String {
    let text = text.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_printed_as_one_could_type_it() {
        let mut command = Command::new("python3");
        command.env("WHERE", "a b").args(["-c", "print('x')", ""]);
        assert_eq!(line(&command), r"WHERE='a b' python3 -c 'print('\''x'\'')' ''");
    }

    #[test]
    fn a_flag_for_the_compiler_comes_behind_those_that_are_there() {
        for (encoded, plain, expected) in [
            ("", "", "-g"),
            ("", "-C  a", "-C\u{1f}a\u{1f}-g"),
            ("-C\u{1f}a b", "not these", "-C\u{1f}a b\u{1f}-g"),
        ] {
            assert_eq!(encoded_flags(encoded, plain, "-g"), expected);
        }
    }

    #[test]
    fn a_failing_command_is_an_error_that_names_it() {
        let error = run(Command::new("false").arg("yes")).unwrap_err().to_string();
        assert!(error.starts_with("`false yes` failed"), "{error}");
        let error = run(&mut Command::new("/no/such/program")).unwrap_err().to_string();
        assert!(error.contains("/no/such/program"), "{error}");
    }
}
