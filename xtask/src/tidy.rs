//! `cargo xtask tidy`: promises about the sources that no compiler checks.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::statements::Mentions;
use crate::{bench, workspace};

/// What a visitor finds at the top, as ARCHITECTURE.md describes it.
const ROOT: &[&str] = &[
    ".ci/run",
    "ARCHITECTURE.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "Trunk.toml",
    "bench",
    "client-wasm",
    "codec",
    "index.html",
    "sensors",
    "session",
    "tests",
    "ws-broker",
    "xtask",
];

/// Folders with sources of ours.
const SOURCES: &[&str] =
    &["bench", "client-wasm", "codec", "sensors", "session", "tests", "ws-broker", "xtask"];

/// The files that may hold `unsafe` code, each with its reason in the file.
const MAY_BE_UNSAFE: &[&str] = &[
    "codec/src/string.rs",
    "codec/tests/allocation.rs",
    "session/tests/memory.rs",
    "ws-broker/src/memory.rs",
    "ws-broker/src/store/engine/mapped.rs",
];

/// Text that may not stand in the sources below a folder, and why.
///
/// Spelled in two halves, so that this table does not hold what it forbids.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("", concat!("todo", "!("), "nothing is left for later without saying so to its user"),
    ("", concat!("unimplemented", "!("), "nothing is left for later without saying so to its user"),
    ("", concat!("TO", "DO"), "what is left to do is an issue"),
    ("", concat!("FIX", "ME"), "what is left to do is an issue"),
    ("", concat!("dbg", "!("), "a trace of debugging"),
    ("codec/src", "std::net", "the codec never opens a socket"),
    ("codec/src", "std::time", "the codec never reads a clock"),
    ("session/src", "std::net", "the session never opens a socket"),
    ("session/src", "tokio::", "the session knows no runtime"),
    ("session/src", "Instant::now", "the session is told the time"),
];

/// Checks everything; `write` brings what is generated up to date instead of complaining about it.
pub(crate) fn run(write: bool) -> Result<()> {
    let root = workspace::root();
    let mut complaints: Vec<String> = ROOT
        .iter()
        .filter(|name| !root.join(name).exists())
        .map(|name| format!("{name}: ARCHITECTURE.md promises it, and it is not there"))
        .collect();
    let mut count = 0_usize;
    let mut mentions = Mentions::default();
    for folder in SOURCES {
        each_source(&root.join(folder), &mut |path| {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
            complaints.extend(check(&name, &text));
            mentions.read(&name, &text);
            count += 1;
            Ok(())
        })?;
    }
    complaints.extend(mentions.check(root, write)?);
    complaints.extend(bench::check(root, write)?);
    if complaints.is_empty() {
        println!("{count} source files are tidy");
        return Ok(());
    }
    bail!("the sources are not tidy:\n  {}", complaints.join("\n  "))
}

/// Calls back for every `.rs` file below a folder.
fn each_source(folder: &Path, visit: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
    let cannot = || format!("cannot list {}", folder.display());
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" && name != "node_modules" {
            each_source(&path, visit)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            visit(&path)?;
        }
    }
    Ok(())
}

/// What is wrong with one source file; `name` is its path from the top.
fn check(name: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if !text.starts_with("//! ") {
        complaints
            .push(format!("{name}: does not open with a line `//!` that says what it is for"));
    }
    for (index, line) in text.lines().enumerate() {
        let at = format!("{name}:{}", index + 1);
        for (folder, forbidden, reason) in FORBIDDEN {
            if name.starts_with(folder) && line.contains(forbidden) {
                complaints.push(format!("{at}: `{forbidden}`: {reason}"));
            }
        }
        if is_unsafe(line) && !MAY_BE_UNSAFE.contains(&name) {
            complaints.push(format!("{at}: unsafe code outside the files that tidy.rs names"));
        }
    }
    complaints
}

/// Whether a line opens unsafe code or allows it.
fn is_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let keyword = concat!("un", "safe");
    ["{", "fn ", "impl ", "extern ", "trait "]
        .iter()
        .any(|next| code.contains(&format!("{keyword} {next}")))
        || code.contains(&format!("allow({keyword}_code"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_promise_has_a_line_that_breaks_it() {
        let opening = "//! What it is for.\n";
        for (name, line, complaint) in [
            ("tests/src/a.rs", concat!("dbg", "!(x);"), "debugging"),
            ("session/src/lib.rs", "let now = Instant::now();", "told the time"),
            ("ws-broker/src/a.rs", concat!("un", "safe { f() }"), "unsafe code"),
            ("ws-broker/src/a.rs", concat!("#![allow(un", "safe_code)]"), "unsafe code"),
        ] {
            let complaints = check(name, &format!("{opening}{line}"));
            assert_eq!(complaints.len(), 1, "{complaints:?}");
            assert!(complaints[0].contains(complaint), "{complaints:?}");
            assert!(complaints[0].starts_with(&format!("{name}:2")), "{complaints:?}");
        }
        assert_eq!(check("a.rs", "fn main() {}").len(), 1);
    }

    #[test]
    fn what_is_fine_is_left_alone() {
        let text = concat!("//! Fine.\n", "let now = Instant::now(); // never un", "safe { }");
        assert_eq!(check("ws-broker/src/a.rs", text), Vec::<String>::new());
    }
}
