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

/// What keeps the user that the broker runs as from a folder, and what to do about it; `None` where
/// rights are not what is in the way.
pub(crate) fn what_is_in_the_way(folder: &Path) -> Option<String> {
    use nix::errno::Errno;
    use nix::unistd::{AccessFlags, User, access, geteuid};
    let user = User::from_uid(geteuid()).ok().flatten();
    let user = user.map_or_else(|| geteuid().to_string(), |user| user.name);
    let is_denied = |path: &Path, flags| access(path, flags) == Err(Errno::EACCES);
    let above: Vec<_> = folder.ancestors().skip(1).collect();
    // What is behind a closed door can't be seen, so the first one from the top is looked for.
    let closed = above.iter().rev().find(|above| is_denied(above, AccessFlags::X_OK));
    if let Some(closed) = closed {
        let closed = closed.display();
        return Some(format!(
            "user {user} may not pass through {closed}: allow it (chmod a+x {closed}), or name another \
             folder with persistence_location"
        ));
    }
    is_denied(folder, AccessFlags::R_OK | AccessFlags::W_OK).then(|| {
        let folder = folder.display();
        format!(
            "user {user} may not write to {folder}: give it to that user (chown -R {user} {folder}), or \
             name another folder with persistence_location"
        )
    })
}

fn user_state() -> Result<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || absolute("HOME").map(|home| home.join(".local/state"));
    absolute("XDG_STATE_HOME").or_else(home).context(
        "nobody said where sessions and messages are to be stored, and there is no HOME: say so with \
         persistence_location",
    )
}
