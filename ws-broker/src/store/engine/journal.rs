//! The journal: batches one after the other, each written before it counts.
//!
//! It is a chain of files. Each has in its name and in its head the number of the first batch it is
//! to hold, and in its head what tells this start of the machine from others. A record is a head of
//! [`RECORD_HEAD`] bytes and a batch. All numbers have their lowest byte first:
//!
//! | file's head | record's head |
//! |---|---|
//! | 8 bytes: [`FILE_MAGIC`] | 4 bytes: [`RECORD_MAGIC`] |
//! | 8 bytes: number of the first batch | 4 bytes: length of the batch |
//! | 8 bytes: start of the machine, or 0 | 8 bytes: number of the batch |
//! | 8 bytes: number of the last batch known to be on the disk | 8 bytes: number of the last batch known to be on the disk |
//! | 4 bytes: CRC-32 of the above | 4 bytes: CRC-32 of the batch |
//! | | 4 bytes: CRC-32 of the above |

use std::io;
use std::sync::Arc;

use super::disk::{Disk, DiskFile};
use crate::limits::STORE_SPARE_BYTES_MAX;

const FILE_MAGIC: [u8; 8] = *b"wsb-jnl1";
pub(super) const FILE_HEAD: usize = 36;
const RECORD_MAGIC: [u8; 4] = *b"wsbR";
const RECORD_HEAD: usize = 32;

/// What the disk writes whole or not at all.
const SECTOR: usize = 512;

/// A file's name while it is made.
const NEW_FILE: &str = "journal.new";

/// The name of the file that begins with batch `first`.
pub(super) fn name(first: u64) -> String {
    format!("journal.{first:020}")
}

/// With which batch the file of this name begins, if it is one of the journal.
pub(super) fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("journal.")?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

/// The file that is written to.
#[derive(Debug)]
pub(super) struct Writer {
    file: Arc<dyn DiskFile>,
    first: u64,
    len: u64,
    is_torn: bool,
    record: Vec<u8>,
}

impl Writer {
    /// Begins a file whose first batch is to be `first`.
    pub(super) fn create(disk: &dyn Disk, first: u64, on_disk: u64) -> io::Result<Self> {
        let file = disk.create(NEW_FILE)?;
        let mut head = Vec::with_capacity(FILE_HEAD);
        head.extend_from_slice(&FILE_MAGIC);
        head.extend_from_slice(&first.to_le_bytes());
        head.extend_from_slice(&disk.boot().unwrap_or(0).to_le_bytes());
        head.extend_from_slice(&on_disk.to_le_bytes());
        head.extend_from_slice(&crc32fast::hash(&head).to_le_bytes());
        file.write(0, &head)?;
        // It gets its name last: a file that is named ends the one before it.
        disk.rename(NEW_FILE, &name(first))?;
        Ok(Self { file, first, len: FILE_HEAD as u64, is_torn: false, record: Vec::new() })
    }

    /// With which batch it begins.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Whether there is something in the file that was not written to its end. Nothing may follow it:
    /// after a power failure, parts of it and of what took its place could both be there.
    pub(super) fn is_torn(&self) -> bool {
        self.is_torn
    }

    /// Whether nothing was written, not even what failed to get on the disk.
    pub(super) fn is_empty(&self) -> bool {
        self.len == FILE_HEAD as u64
    }

    /// Bytes of the file.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The file, for who is to make it last.
    pub(super) fn file(&self) -> &Arc<dyn DiskFile> {
        &self.file
    }

    /// Writes a batch. If that fails the file is torn, and another one has to go on with this batch.
    pub(super) fn append(&mut self, number: u64, on_disk: u64, batch: &[u8]) -> io::Result<()> {
        let len = u32::try_from(batch.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let record = &mut self.record;
        record.clear();
        record.extend_from_slice(&RECORD_MAGIC);
        record.extend_from_slice(&len.to_le_bytes());
        record.extend_from_slice(&number.to_le_bytes());
        record.extend_from_slice(&on_disk.to_le_bytes());
        record.extend_from_slice(&crc32fast::hash(batch).to_le_bytes());
        record.extend_from_slice(&crc32fast::hash(record).to_le_bytes());
        record.extend_from_slice(batch);
        self.is_torn = true;
        self.file.write(self.len, record)?;
        self.is_torn = false;
        self.len = self.len.saturating_add(record.len() as u64);
        if record.capacity() > STORE_SPARE_BYTES_MAX {
            *record = Vec::new();
        }
        Ok(())
    }
}

/// A batch in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// Its number; that of the next is one more.
    pub number: u64,
    /// The number of the last batch that was known to be on the disk when it was written.
    pub on_disk: u64,
    /// The changes, as [`super::Batch`] writes them.
    pub batch: &'a [u8],
}

/// How what can be read of a file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Where the file does.
    Whole,
    /// In the middle of a record, as it does when the program is killed while it writes.
    Cut,
    /// Where a part of the file was never written, as it happens when the power fails.
    Unwritten,
    /// At something that nobody wrote.
    Damaged,
}

/// What a file of the journal holds.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// None where it can't be read.
    head: Option<FileHead>,
}

/// What a file's head tells.
#[derive(Debug, Clone, Copy)]
struct FileHead {
    boot: Option<u64>,
    on_disk: u64,
}

impl<'a> Reader<'a> {
    /// Reads a file that is to begin with batch `first`.
    pub(super) fn new(bytes: &'a [u8], first: u64) -> Self {
        let head = read_head(bytes, first);
        Self { bytes, at: head.map_or(0, |_| FILE_HEAD), head }
    }

    /// The start of the machine that the file was written in, where that is known.
    pub(super) fn boot(&self) -> Option<u64> {
        self.head?.boot
    }

    /// The last batch that was known to be on the disk when the file was begun.
    pub(super) fn on_disk(&self) -> u64 {
        self.head.map_or(0, |head| head.on_disk)
    }

    /// The next batch; none is left, or can be read, where there is none.
    pub(super) fn next(&mut self) -> Option<Record<'a>> {
        self.head?;
        let (record, len) = read_record(self.rest()).ok()?;
        self.at = self.at.saturating_add(len);
        Some(record)
    }

    /// Where the next batch would begin.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// What is there instead of another batch.
    pub(super) fn end(&self) -> End {
        let rest = self.rest();
        if self.head.is_none() {
            return match rest.get(..FILE_HEAD) {
                None => End::Cut,
                Some(head) if head.iter().all(|&byte| byte == 0) => End::Unwritten,
                Some(_) => End::Damaged,
            };
        }
        if rest.is_empty() {
            return End::Whole;
        }
        match read_record(rest) {
            Err(Unreadable::Cut) => End::Cut,
            Err(Unreadable::Bad { len }) => {
                let is_hole = has_unwritten_sector(rest.get(..len).unwrap_or(rest), self.at);
                if is_hole { End::Unwritten } else { End::Damaged }
            }
            Ok(_) => End::Damaged,
        }
    }

    /// All heads of records behind what can be read, whatever has become of what follows them: the
    /// number of the batch, and of the last one that was on the disk when it was written.
    pub(super) fn stray_heads(&self) -> impl Iterator<Item = (u64, u64)> {
        let windows = self.rest().windows(RECORD_HEAD);
        windows.filter(|window| window.starts_with(&RECORD_MAGIC)).filter_map(|window| {
            let head = read_record_head(window)?;
            Some((head.number, head.on_disk))
        })
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

struct RecordHead {
    len: usize,
    number: u64,
    on_disk: u64,
    crc: u32,
}

fn read_record_head(bytes: &[u8]) -> Option<RecordHead> {
    let head = bytes.get(..RECORD_HEAD)?;
    let mut rest = head;
    let magic = take::<4>(&mut rest)?;
    let len = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
    let number = u64::from_le_bytes(take(&mut rest)?);
    let on_disk = u64::from_le_bytes(take(&mut rest)?);
    let crc = u32::from_le_bytes(take(&mut rest)?);
    let is_sound = is_followed_by_crc(head, rest) && magic == RECORD_MAGIC;
    is_sound.then_some(RecordHead { len, number, on_disk, crc })
}

/// Why there is no record.
enum Unreadable {
    /// The file ends before it does.
    Cut,
    /// So many bytes are not what a record is.
    Bad { len: usize },
}

/// The record at the beginning of `bytes` and its length, or why there is none.
fn read_record(bytes: &[u8]) -> Result<(Record<'_>, usize), Unreadable> {
    if bytes.len() < RECORD_HEAD && RECORD_MAGIC.iter().zip(bytes).all(|(a, b)| a == b) {
        return Err(Unreadable::Cut);
    }
    let head = read_record_head(bytes).ok_or(Unreadable::Bad { len: RECORD_HEAD })?;
    let len = RECORD_HEAD.saturating_add(head.len);
    let batch = bytes.get(RECORD_HEAD..len).ok_or(Unreadable::Cut)?;
    if crc32fast::hash(batch) != head.crc {
        return Err(Unreadable::Bad { len });
    }
    Ok((Record { number: head.number, on_disk: head.on_disk, batch }, len))
}

fn read_head(bytes: &[u8], first: u64) -> Option<FileHead> {
    let head = bytes.get(..FILE_HEAD)?;
    let mut rest = head;
    let magic = take::<8>(&mut rest)?;
    let number = u64::from_le_bytes(take(&mut rest)?);
    let boot = u64::from_le_bytes(take(&mut rest)?);
    let on_disk = u64::from_le_bytes(take(&mut rest)?);
    let is_sound = is_followed_by_crc(head, rest) && magic == FILE_MAGIC && number == first;
    is_sound.then_some(FileHead { boot: (boot != 0).then_some(boot), on_disk })
}

/// Whether `crc`, with which `head` ends, is that of what precedes it.
fn is_followed_by_crc(head: &[u8], crc: &[u8]) -> bool {
    let preceding = head.len().saturating_sub(crc.len());
    let computed = head.get(..preceding).map(crc32fast::hash);
    computed.is_some_and(|computed| computed.to_le_bytes() == crc)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

/// Whether a sector of the file, or what `bytes` have of it from `offset` on, is nothing but zeros.
fn has_unwritten_sector(bytes: &[u8], offset: usize) -> bool {
    let to_next = SECTOR - offset % SECTOR;
    let (first, others) = bytes.split_at_checked(to_next).unwrap_or((bytes, &[]));
    let mut sectors = std::iter::once(first).chain(others.chunks(SECTOR));
    sectors.any(|sector| !sector.is_empty() && sector.iter().all(|&byte| byte == 0))
}
