//! Where an engine's files are: a folder, or in tests a simulated disk whose power fails.

use std::fmt;
use std::io;
use std::sync::Arc;

use parking_lot::RwLock;

/// A folder with files in it.
pub(super) trait Disk: Send + Sync + fmt::Debug {
    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens a file that is there.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a file that is empty; one that was there by that name is gone.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a file of `len` zeros that lies in memory, unless this disk has no such files.
    fn create_sheet(&self, name: &str, len: usize) -> io::Result<Option<Sheet>>;

    /// Gives a file another name; one that had it is gone.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes sure that the names outlive a power failure.
    fn sync(&self) -> io::Result<()>;

    /// What differs after each start of the machine, where the system tells.
    fn boot(&self) -> Option<u64>;
}

/// An open file.
pub(super) trait DiskFile: Send + Sync + fmt::Debug {
    /// Its length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Fills `bytes` from what stands at `offset`.
    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`.
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file off, or fills it up with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes sure that all that was written outlives a power failure.
    fn sync(&self) -> io::Result<()>;
}

/// A file that lies in memory, which only its owner writes to.
#[derive(Debug)]
pub(super) struct Sheet {
    /// What lies there. Whoever reads it keeps it: only one that nobody else has is used again.
    pub page: SharedPage,
    /// The file, for who is to make it last.
    pub file: Arc<dyn DiskFile>,
}

impl Sheet {
    /// A sheet of this memory and this file, which are the same.
    pub(super) fn new(page: impl Page + 'static, file: Arc<dyn DiskFile>) -> Self {
        Self { page: Arc::new(RwLock::new(page)), file }
    }

    /// Whether somebody may read in it still.
    pub(super) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.page) > 1
    }
}

/// A page that one writes to and others read.
pub(super) type SharedPage = Arc<RwLock<dyn Page>>;

/// Memory that is a file: what was written to it outlives this program without its asking the system.
pub(super) trait Page: Send + Sync + fmt::Debug {
    /// All that stands there.
    fn bytes(&self) -> &[u8];

    /// Writes all of `bytes` at `offset`. If the program is killed meanwhile, any of them may be there.
    fn write(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()>;

    /// Writes four bytes at an `offset` that four divides: all of them or none, and none before
    /// everything that was written until now.
    fn mark(&mut self, offset: usize, bytes: [u8; 4]) -> io::Result<()>;
}
