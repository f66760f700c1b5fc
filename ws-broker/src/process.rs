//! What the broker is to the operating system: its background, its pid file, its user, its open files.

use std::ffi::CString;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::unistd::{self, Uid, User};

use crate::limits::FILES_FORESEEN_MAX;

/// Who the broker becomes when it is started by root and told nothing else.
const USER: &str = "mosquitto";

/// Who it becomes if there is no such user.
const NOBODY: &str = "nobody";

/// The mode of a folder that is its owner's alone.
const PRIVATE: u32 = 0o700;

/// Goes on in the background, away from the terminal. There must be no thread yet.
///
/// # Errors
/// The operating system does not let it.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn go_to_background() -> Result<()> {
    let (keep_folder, keep_output) = (true, false);
    unistd::daemon(keep_folder, keep_output).context("can't go to the background (-d)")
}

/// macOS has its own way to run a program in the background.
///
/// # Errors
/// Always.
#[cfg(target_vendor = "apple")]
pub(crate) fn go_to_background() -> Result<()> {
    bail!("-d is not there on this system: have launchd start the broker")
}

/// A file that holds the broker's process identifier, for as long as it runs.
#[derive(Debug)]
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes it.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn write(path: &Path) -> Result<Self> {
        std::fs::write(path, format!("{}\n", std::process::id()))
            .with_context(|| format!("Unable to write pid file {}", path.display()))?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        match std::fs::remove_file(&self.0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // Its folder is often root's, and the broker is root no more.
            Err(error) => tracing::debug!("{} stays behind: {error}.", self.0.display()),
        }
    }
}

/// Whether root has started the broker.
pub(crate) fn is_root() -> bool {
    Uid::effective().is_root()
}

/// Makes a folder that nobody else may look into; if root has started the broker, it is the folder of the
/// user that it becomes.
///
/// # Errors
/// It can't be made.
pub(crate) fn make_folder(folder: &Path, user: Option<&str>) -> Result<()> {
    let cant = || format!("{} can't be made", folder.display());
    let is_new = !folder.exists();
    std::fs::create_dir_all(folder).with_context(cant)?;
    if is_new {
        std::fs::set_permissions(folder, Permissions::from_mode(PRIVATE)).with_context(cant)?;
    }
    if is_new && is_root() && user != Some("root") {
        let user = find_user(user)?;
        let (uid, gid) = (Some(user.uid.as_raw()), Some(user.gid.as_raw()));
        std::os::unix::fs::chown(folder, uid, gid).with_context(cant)?;
    }
    Ok(())
}

/// Becomes another user for good, if root has started the broker. `files` become that user's, so that it
/// can open them again.
///
/// # Errors
/// There is no such user, or the operating system does not let it.
pub(crate) fn drop_privileges(user: Option<&str>, files: &[&Path]) -> Result<()> {
    if !is_root() {
        return Ok(());
    }
    if user == Some("root") {
        tracing::warn!("The broker should not be run as root; user NAME has it become another.");
        return Ok(());
    }
    let user = find_user(user)?;
    let name = &user.name;
    for file in files.iter().filter(|file| file.is_file()) {
        std::os::unix::fs::chown(file, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
            .with_context(|| format!("can't make {} a file of user {name}", file.display()))?;
    }
    set_groups(&user).with_context(|| format!("can't take on the groups of user {name}"))?;
    unistd::setgid(user.gid).with_context(|| format!("can't take on the group of user {name}"))?;
    unistd::setuid(user.uid).with_context(|| format!("can't become user {name}"))?;
    tracing::info!("Running as user {name}.");
    Ok(())
}

#[cfg(not(target_vendor = "apple"))]
fn set_groups(user: &User) -> Result<()> {
    Ok(unistd::initgroups(&CString::new(user.name.as_str())?, user.gid)?)
}

/// The one group that `setgid` leaves is all there is.
#[cfg(target_vendor = "apple")]
fn set_groups(_user: &User) -> Result<()> {
    Ok(())
}

fn find_user(name: Option<&str>) -> Result<User> {
    let wanted = name.unwrap_or(USER);
    if let Some(user) = User::from_name(wanted)? {
        return Ok(user);
    }
    if wanted == USER
        && let Some(nobody) = User::from_name(NOBODY)?
    {
        return Ok(nobody);
    }
    bail!("Unable to drop privileges to '{wanted}' because this user does not exist")
}

/// Lets the broker hold as many connections as the operating system allows it at all.
pub(crate) fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| hard));
    match raised {
        Ok(files) => make_room_for_files(files),
        Err(error) => tracing::debug!("The limit of open files stays as it is: {error}."),
    }
}

/// Has the system make its table of this process's files as large as it may have to be. It doubles the
/// table when it is full, and once there are threads, whoever opens a file waits some 10 ms for that.
fn make_room_for_files(limit: rlim_t) {
    let last = limit.min(FILES_FORESEEN_MAX).saturating_sub(1);
    let Ok(last) = i32::try_from(last) else { return };
    // The table stays as it is when this is closed.
    let opened = fcntl(io::stderr(), FcntlArg::F_DUPFD_CLOEXEC(last));
    if let Err(error) = opened.and_then(unistd::close) {
        tracing::debug!("Room for {last} open files is made when they are there: {error}.");
    }
}
