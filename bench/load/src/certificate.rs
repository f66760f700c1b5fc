//! A certificate that a broker shows while it is measured over TLS.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// Make a certificate for `localhost` and its key.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The folder that `certificate.pem` and `key.pem` are written to
    folder: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Value> {
    let made = rcgen::generate_simple_self_signed([String::from("localhost")])?;
    let folder = &arguments.folder;
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let cannot = || format!("cannot write to {}", folder.display());
    fs::create_dir_all(folder).with_context(cannot)?;
    fs::write(&certificate, made.cert.pem()).with_context(cannot)?;
    fs::write(&key, made.signing_key.serialize_pem()).with_context(cannot)?;
    Ok(json!({ "certificate": certificate, "key": key }))
}
