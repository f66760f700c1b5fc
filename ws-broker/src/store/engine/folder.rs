//! The folder of an engine that is no test's.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, DiskFile, Sheet};
use super::{EngineError, Reach, mapped};

/// Held locked for as long as a process uses the folder.
const LOCK: &str = "lock";

/// A folder that this process alone uses.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Whether its files may lie in memory.
    has_sheets: bool,
    _lock: File,
}

impl Folder {
    /// Takes the folder, which is made where it is not there. How far commits are to reach decides whether
    /// files may lie in memory: what is to be on the disk is better written.
    pub(super) fn open(path: &Path, reach: Reach) -> Result<Self, EngineError> {
        let failed = |why| EngineError::Io { path: path.to_owned(), why };
        fs::create_dir_all(path).map_err(failed)?;
        let lock = File::options().create(true).truncate(false).write(true).open(path.join(LOCK));
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {
                let has_sheets = reach == Reach::System;
                Ok(Self { path: path.to_owned(), has_sheets, _lock: lock })
            }
            Err(TryLockError::WouldBlock) => Err(EngineError::InUse { folder: path.to_owned() }),
            Err(TryLockError::Error(why)) => Err(failed(why)),
        }
    }

    fn create_file(&self, name: &str) -> io::Result<File> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        File::options().read(true).write(true).create_new(true).open(path)
    }
}

impl Disk for Folder {
    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name()));
        let names = names.collect::<io::Result<Vec<_>>>()?;
        // A name that is no text is not one of ours.
        Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect())
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = File::options().read(true).write(true).open(self.path.join(name))?;
        Ok(Arc::new(file))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(self.create_file(name)?))
    }

    fn create_sheet(&self, name: &str, len: usize) -> io::Result<Option<Sheet>> {
        if !self.has_sheets {
            return Ok(None);
        }
        let file = self.create_file(name)?;
        let page = mapped::map(&file, len)?;
        Ok(page.map(|page| Sheet::new(page, Arc::new(file))))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn boot(&self) -> Option<u64> {
        let id = fs::read("/proc/sys/kernel/random/boot_id").ok()?;
        let id: Vec<_> = id.iter().filter_map(|&digit| char::from(digit).to_digit(16)).collect();
        Some(id.iter().take(16).fold(0, |sum, &digit| sum << 4 | u64::from(digit)))
    }
}

impl DiskFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(bytes, offset)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
