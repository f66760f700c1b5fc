//! Where the store is.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What the store's folder is called.
const NAME: &str = "ws-broker.store";

/// Where programs that root starts keep their state.
const SYSTEM_STATE: &str = "/var/lib";

/// The folder of the store in a folder that was asked for.
pub(crate) fn within(location: &Path) -> PathBuf {
    location.join(NAME)
}

/// The folder of the store where none was asked for: in the folder for such things of the service, of
/// the system where root starts the broker, or of the user. A broker that was told nothing but a port
/// has a store of its own.
///
/// # Errors
/// There is no such folder.
pub(crate) fn by_itself(is_root: bool, port: Option<u16>) -> Result<PathBuf> {
    let folder = match env::var_os("STATE_DIRECTORY").filter(|folders| !folders.is_empty()) {
        // systemd lists all that a service has.
        Some(folders) => env::split_paths(&folders).next().unwrap_or_default(),
        None if is_root => Path::new(SYSTEM_STATE).join("ws-broker"),
        None => user_state()?.join("ws-broker"),
    };
    let name = port.map_or_else(|| NAME.to_owned(), |port| format!("port-{port}.store"));
    Ok(folder.join(name))
}

/// Whether a folder is not there, or not to be written to.
pub(crate) fn is_out_of_reach(folder: &Path) -> bool {
    use nix::unistd::{AccessFlags, access};
    access(folder, AccessFlags::W_OK).is_err()
}

fn user_state() -> Result<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || absolute("HOME").map(|home| home.join(".local/state"));
    absolute("XDG_STATE_HOME").or_else(home).context(
        "nobody said where sessions and messages are to be stored, and there is no HOME: say so with \
         persistence_location",
    )
}
