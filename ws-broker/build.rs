//! Puts the dashboard into the broker.
//!
//! `WS_BROKER_DASHBOARD` names a folder of files ready to be served (`cargo xtask run` and `dist`
//! build it and set the variable); a file's `.br` and `.gz` neighbours are its compressed forms.
//! Without the variable the broker gets the one page `src/no-dashboard.html`, which says so.
//! What is written here is the table that `src/assets.rs` includes.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest as _, Sha256};

const VARIABLE: &str = "WS_BROKER_DASHBOARD";
const PLACEHOLDER: &str = "src/no-dashboard.html";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let mut files = BTreeMap::new();
    if let Some(folder) = env::var_os(VARIABLE) {
        collect(Path::new(&folder), "", &mut files)
            .map_err(|error| format!("{VARIABLE}={}: {error}", Path::new(&folder).display()))?;
        if !files.contains_key("/index.html") {
            let folder = Path::new(&folder).display();
            return Err(format!("{VARIABLE}={folder}: there is no index.html").into());
        }
    } else {
        let root = env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo names no CARGO_MANIFEST_DIR")?;
        println!("cargo::rerun-if-changed={PLACEHOLDER}");
        files.insert("/index.html".to_owned(), Path::new(&root).join(PLACEHOLDER));
    }
    let out = env::var_os("OUT_DIR").ok_or("cargo names no OUT_DIR")?;
    fs::write(Path::new(&out).join("assets.rs"), table(&files)?)?;
    Ok(())
}

/// Every file below a folder, under the path that a browser asks for.
fn collect(
    folder: &Path,
    prefix: &str,
    files: &mut BTreeMap<String, PathBuf>,
) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path().canonicalize()?;
        let name = path.file_name().and_then(|name| name.to_str());
        let name = format!("{prefix}/{}", name.ok_or("a file name that is not UTF-8")?);
        if path.is_dir() {
            collect(&path, &name, files)?;
        } else {
            println!("cargo::rerun-if-changed={}", path.display());
            files.insert(name, path);
        }
    }
    Ok(())
}

/// The table as Rust, in the order of the paths.
fn table(files: &BTreeMap<String, PathBuf>) -> Result<String, Box<dyn Error>> {
    let mut rust = String::from("static ASSETS: &[Asset] = &[\n");
    for (path, file) in files {
        // A compressed form is no file of its own, it belongs to its neighbour.
        let plain = path.strip_suffix(".br").or_else(|| path.strip_suffix(".gz"));
        if plain.is_some_and(|plain| files.contains_key(plain)) {
            continue;
        }
        let form = |suffix: &str| match files.get(&format!("{path}{suffix}")) {
            Some(file) => format!("Some(include_bytes!({file:?}))"),
            None => "None".to_owned(),
        };
        let hash: String =
            Sha256::digest(fs::read(file)?).iter().take(8).map(|b| format!("{b:02x}")).collect();
        // The tag is weak because all forms of a file share it (RFC 9110 §8.8.3.3).
        writeln!(
            rust,
            "    Asset {{ path: {path:?}, content_type: {:?}, etag: {:?}, immutable: {}, \
             identity: include_bytes!({file:?}), gzip: {}, brotli: {} }},",
            content_type(path),
            format!("W/\"{hash}\""),
            is_immutable(path),
            form(".gz"),
            form(".br"),
        )?;
    }
    rust.push_str("];\n");
    Ok(rust)
}

fn content_type(path: &str) -> &'static str {
    match Path::new(path).extension().and_then(|extension| extension.to_str()) {
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("ico") => "image/x-icon",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("png") => "image/png",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("webmanifest") => "application/manifest+json",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// Whether the name carries the content's hash (`app-0123456789abcdef.js`): another content then
/// has another name, and a browser may keep this one for ever.
fn is_immutable(path: &str) -> bool {
    let stem = Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    stem.rsplit_once('-').is_some_and(|(_, hash)| {
        hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}
