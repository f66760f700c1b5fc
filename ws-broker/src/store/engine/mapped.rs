//! Files that lie in memory: writing to them asks the system for nothing.
//!
//! What stands in memory that belongs to a file is the system's, whatever becomes of the program. A page that
//! is written to for the first time costs about as much as asking the system to write it; from then on it
//! costs what copying costs, so such a file is worth being used again.
//!
//! The disk's room is taken at once, for a write to memory can't be refused: where there is none for a page,
//! the system ends the program. Not every file system keeps such a promise when pages are written over, so
//! it is asked of those only that do.
//!
//! **Why unsafe code:** nobody else may write to a file that lies in memory, and no library can promise that. Here
//! it is a new file in a folder that this process has locked.
#![allow(unsafe_code, reason = "see above: a file can't be laid into memory without")]

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use memmap2::MmapMut;

use super::disk::Page;

/// Lays a new, empty file of the store into memory, as `len` zeros, if its file system takes the room for them
/// for good.
#[cfg(target_os = "linux")]
pub(super) fn map(file: &File, len: usize) -> io::Result<Option<MmapMut>> {
    use nix::fcntl::{FallocateFlags, fallocate};
    use nix::sys::statfs::{EXT4_SUPER_MAGIC, TMPFS_MAGIC, XFS_SUPER_MAGIC, fstatfs};
    let keeps_room = [EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, TMPFS_MAGIC];
    if !keeps_room.contains(&fstatfs(file)?.filesystem_type()) {
        return Ok(None);
    }
    let bytes = i64::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
    fallocate(file, FallocateFlags::empty(), 0, bytes)?;
    // SAFETY: the caller has just made the file, in a folder that is locked; nobody else writes to it, or makes
    // it shorter.
    let memory = unsafe { memmap2::MmapOptions::new().len(len).map_mut(file) };
    memory.map(Some)
}

/// Elsewhere nobody has seen to it that the room is there.
#[cfg(not(target_os = "linux"))]
pub(super) fn map(_: &File, _: usize) -> io::Result<Option<MmapMut>> {
    Ok(None)
}

impl Page for MmapMut {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let place = self.get_mut(offset..).and_then(|rest| rest.get_mut(..bytes.len()));
        place.ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(bytes);
        Ok(())
    }

    fn mark(&mut self, offset: usize, bytes: [u8; 4]) -> io::Result<()> {
        let place = self.get_mut(offset..).and_then(|rest| rest.first_chunk_mut::<4>());
        let place: *mut u32 = place.ok_or(io::ErrorKind::InvalidInput)?.as_mut_ptr().cast();
        if !place.is_aligned() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: these four bytes are there, they are borrowed for writing until the end of this function, and
        // their address is a multiple of four.
        let place = unsafe { AtomicU32::from_ptr(place) };
        place.store(u32::from_ne_bytes(bytes), Ordering::Release);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_to_memory_is_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sheet");
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        let Some(mut page) = map(&file, 10_000).unwrap() else {
            // This file system does not keep its promises, so there is nothing to see.
            return;
        };
        page.write(5_000, b"written").unwrap();
        page.mark(8, *b"mark").unwrap();
        for (offset, len) in [(9_994, 7), (usize::MAX, 1)] {
            assert!(page.write(offset, &vec![1; len]).is_err());
        }
        for offset in [2, 9_997, 10_000, usize::MAX] {
            assert!(page.mark(offset, [1; 4]).is_err(), "{offset}");
        }
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 10_000);
        assert_eq!((&bytes[8..12], &bytes[5_000..5_007]), (&b"mark"[..], &b"written"[..]));
        assert_eq!(bytes.iter().filter(|&&byte| byte != 0).count(), 11);
    }
}
