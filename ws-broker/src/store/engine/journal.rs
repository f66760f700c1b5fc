//! The journal: batches one after the other, each written before it counts.
//!
//! It is a chain of files. Each has in its name and in its head the number of the first batch it is
//! to hold, and in its head what tells this start of the machine from others. A record is a head of
//! [`RECORD_HEAD`] bytes and a batch, filled up to a multiple of [`ALIGN`] bytes. All numbers have their lowest
//! byte first:
//!
//! | file's head | record's head |
//! |---|---|
//! | 8 bytes: [`FILE_MAGIC`] | 4 bytes: [`RECORD_MAGIC`] |
//! | 8 bytes: number of the first batch | 4 bytes: length of the batch |
//! | 8 bytes: start of the machine, or 0 | 8 bytes: number of the batch |
//! | 8 bytes: number of the last batch known to be on the disk | 8 bytes: number of the last batch known to be on the disk |
//! | 4 bytes: whether it is a sheet | 4 bytes: CRC-32 of the batch |
//! | 4 bytes: CRC-32 of the above | 4 bytes: CRC-32 of the above |
//!
//! A file grows with each record and ends where the last one does; or it is a **sheet**, which lies in memory and
//! is as long from the beginning as it will ever be. There the records end where four zeros stand instead of
//! [`RECORD_MAGIC`], and behind those may be anything that the sheet once was used for. A record gets its
//! [`RECORD_MAGIC`] last, so that none is ever half there, however the program ends.
//!
//! Files of the version before have no word about sheets in their heads, and nothing is filled up in them.

use std::io;
use std::sync::Arc;

use bytes::BufMut;

use super::disk::{Disk, DiskFile, SharedPage, Sheet};
use crate::limits::STORE_SPARE_BYTES_MAX;

const FILE_MAGIC: [u8; 8] = *b"wsb-jnl2";
const EARLIER_MAGIC: [u8; 8] = *b"wsb-jnl1";
pub(super) const FILE_HEAD: usize = 40;
const EARLIER_HEAD: usize = 36;
const RECORD_MAGIC: [u8; 4] = *b"wsbR";
const RECORD_HEAD: usize = 32;

/// Records begin at multiples of it.
const ALIGN: usize = 8;

/// What stands in a sheet instead of [`RECORD_MAGIC`] where no record is yet.
const NO_RECORD: [u8; 4] = [0; 4];

/// What the disk writes whole or not at all.
const SECTOR: usize = 512;

/// A file's name while it is made.
const NEW_FILE: &str = "journal.new";

/// The name of a sheet that is to be used again.
pub(super) const SPARE_FILE: &str = "journal.spare";

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
    place: Writing,
    first: u64,
    len: usize,
    is_torn: bool,
}

/// How a file is written to.
#[derive(Debug)]
enum Writing {
    /// At its end; the record is put together first.
    Growing {
        file: Arc<dyn DiskFile>,
        record: Vec<u8>,
    },
    Sheet(Sheet),
}

impl Writer {
    /// Begins a file that grows, whose first batch is to be `first`.
    pub(super) fn create(disk: &dyn Disk, first: u64, on_disk: u64) -> io::Result<Self> {
        let file = disk.create(NEW_FILE)?;
        file.write(0, &file_head(disk, first, on_disk, false))?;
        // It gets its name last: a file that is named ends the one before it.
        disk.rename(NEW_FILE, &name(first))?;
        Ok(Self::new(Writing::Growing { file, record: Vec::new() }, first))
    }

    /// Begins a sheet of `len` bytes, unless this disk has none: the spare one, if it is there and nobody reads in
    /// it any more.
    pub(super) fn create_sheet(
        disk: &dyn Disk,
        first: u64,
        on_disk: u64,
        spare: Option<Sheet>,
        len: usize,
    ) -> io::Result<Option<Self>> {
        let (found, from) = match spare.filter(|sheet| !sheet.is_shared()) {
            Some(sheet) => (Some(sheet), SPARE_FILE),
            None => (disk.create_sheet(NEW_FILE, len)?, NEW_FILE),
        };
        let Some(sheet) = found else { return Ok(None) };
        {
            let mut page = sheet.page.write();
            page.mark(FILE_HEAD, NO_RECORD)?;
            page.write(0, &file_head(disk, first, on_disk, true))?;
        }
        disk.rename(from, &name(first))?;
        Ok(Some(Self::new(Writing::Sheet(sheet), first)))
    }

    fn new(place: Writing, first: u64) -> Self {
        Self { place, first, len: FILE_HEAD, is_torn: false }
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
        self.len == FILE_HEAD
    }

    /// Bytes of the file that are written.
    pub(super) fn len(&self) -> u64 {
        self.len as u64
    }

    /// Whether a batch of so many bytes can be written.
    pub(super) fn has_room(&self, batch_len: usize) -> bool {
        match &self.place {
            Writing::Growing { .. } => true,
            Writing::Sheet(sheet) => {
                end_of_record(self.len, batch_len) <= sheet.page.read().bytes().len()
            }
        }
    }

    /// The file, for who is to make it last.
    pub(super) fn file(&self) -> &Arc<dyn DiskFile> {
        match &self.place {
            Writing::Growing { file, .. } => file,
            Writing::Sheet(sheet) => &sheet.file,
        }
    }

    /// What lies in memory of it, if it is a sheet.
    pub(super) fn page(&self) -> Option<&SharedPage> {
        match &self.place {
            Writing::Growing { .. } => None,
            Writing::Sheet(sheet) => Some(&sheet.page),
        }
    }

    /// The sheet, if it is one, when nothing more is to be written.
    pub(super) fn into_sheet(self) -> Option<Sheet> {
        match self.place {
            Writing::Growing { .. } => None,
            Writing::Sheet(sheet) => Some(sheet),
        }
    }

    /// Writes a batch, and says where in the file it stands. If that fails the file is torn, and another one has to
    /// go on with this batch.
    pub(super) fn append(&mut self, number: u64, on_disk: u64, batch: &[u8]) -> io::Result<usize> {
        let head = record_head(number, on_disk, batch)?;
        let at = self.len;
        let batch_at = at.saturating_add(RECORD_HEAD);
        let end = end_of_record(at, batch.len());
        self.is_torn = true;
        match &mut self.place {
            Writing::Growing { file, record } => {
                record.clear();
                record.extend_from_slice(&head);
                record.extend_from_slice(batch);
                record.resize(end.saturating_sub(at), 0);
                file.write(at as u64, record)?;
                if record.capacity() > STORE_SPARE_BYTES_MAX {
                    *record = Vec::new();
                }
            }
            Writing::Sheet(Sheet { page, .. }) => {
                let mut page = page.write();
                // Where the record is to begin stands that there is none; only the last step changes that.
                let (magic, others) = head.split_first_chunk().unwrap_or((&RECORD_MAGIC, &[]));
                page.write(at.saturating_add(magic.len()), others)?;
                page.write(batch_at, batch)?;
                if end < page.bytes().len() {
                    page.mark(end, NO_RECORD)?;
                }
                page.mark(at, *magic)?;
            }
        }
        self.is_torn = false;
        self.len = end;
        Ok(batch_at)
    }
}

/// Where the record ends that has a batch of so many bytes and begins at `at`.
fn end_of_record(at: usize, batch_len: usize) -> usize {
    let end = at.saturating_add(RECORD_HEAD).saturating_add(batch_len);
    end.checked_next_multiple_of(ALIGN).unwrap_or(usize::MAX)
}

fn file_head(disk: &dyn Disk, first: u64, on_disk: u64, is_sheet: bool) -> Vec<u8> {
    let mut head = Vec::with_capacity(FILE_HEAD);
    head.extend_from_slice(&FILE_MAGIC);
    head.extend_from_slice(&first.to_le_bytes());
    head.extend_from_slice(&disk.boot().unwrap_or(0).to_le_bytes());
    head.extend_from_slice(&on_disk.to_le_bytes());
    head.extend_from_slice(&u32::from(is_sheet).to_le_bytes());
    head.extend_from_slice(&crc32fast::hash(&head).to_le_bytes());
    head
}

fn record_head(number: u64, on_disk: u64, batch: &[u8]) -> io::Result<[u8; RECORD_HEAD]> {
    let len = u32::try_from(batch.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut head = [0; RECORD_HEAD];
    let (preceding, crc) = head.split_at_mut(RECORD_HEAD - size_of::<u32>());
    let mut rest = &mut *preceding;
    rest.put_slice(&RECORD_MAGIC);
    rest.put_u32_le(len);
    rest.put_u64_le(number);
    rest.put_u64_le(on_disk);
    rest.put_u32_le(crc32fast::hash(batch));
    crc.copy_from_slice(&crc32fast::hash(preceding).to_le_bytes());
    Ok(head)
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
    /// Where the file does, or where its sheet says so.
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
    first: u64,
    /// None where it can't be read.
    head: Option<FileHead>,
}

/// What a file's head tells.
#[derive(Debug, Clone, Copy)]
struct FileHead {
    first: u64,
    boot: Option<u64>,
    on_disk: u64,
    is_sheet: bool,
    /// Its length.
    len: usize,
    /// Records begin at multiples of it.
    align: usize,
}

impl<'a> Reader<'a> {
    /// Reads a file that is to begin with batch `first`.
    pub(super) fn new(bytes: &'a [u8], first: u64) -> Self {
        let head = read_head(bytes);
        let is_its = head.is_some_and(|head| head.first == first);
        let at = head.filter(|_| is_its).map_or(0, |head| head.len);
        Self { bytes, at, first, head }
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
        let head = self.head.filter(|head| head.first == self.first)?;
        let (record, len) = read_record(self.rest()).ok()?;
        let end = self.at.saturating_add(len).checked_next_multiple_of(head.align)?;
        self.at = end.min(self.bytes.len());
        Some(record)
    }

    /// Where the next batch would begin.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Goes back to where a batch begins.
    pub(super) fn go_back(&mut self, at: usize) {
        self.at = at;
    }

    /// What is there instead of another batch, where the power may have failed since the file was begun, or
    /// not.
    pub(super) fn end(&self, after_boot: bool) -> End {
        let rest = self.rest();
        let Some(head) = self.head else {
            let is_blank = rest.iter().take(FILE_HEAD).all(|&byte| byte == 0);
            return match rest.get(..head_len(rest)) {
                None => End::Cut,
                Some(_) if is_blank => End::Unwritten,
                Some(_) => End::Damaged,
            };
        };
        if head.first != self.first {
            // It is what the sheet was before.
            return End::Unwritten;
        }
        if rest.is_empty() {
            return End::Whole;
        }
        if head.is_sheet {
            // Of a sheet that was used before, what has not got on the disk is what it was then.
            return match rest.starts_with(&NO_RECORD) {
                _ if after_boot => End::Unwritten,
                true => End::Whole,
                false => End::Damaged,
            };
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

/// The length of a file's head, by how it begins.
fn head_len(bytes: &[u8]) -> usize {
    if bytes.starts_with(&EARLIER_MAGIC) { EARLIER_HEAD } else { FILE_HEAD }
}

fn read_head(bytes: &[u8]) -> Option<FileHead> {
    let len = head_len(bytes);
    let head = bytes.get(..len)?;
    let mut rest = head;
    let magic = take::<8>(&mut rest)?;
    let first = u64::from_le_bytes(take(&mut rest)?);
    let boot = u64::from_le_bytes(take(&mut rest)?);
    let on_disk = u64::from_le_bytes(take(&mut rest)?);
    let (is_sheet, align) = match magic {
        FILE_MAGIC => (u32::from_le_bytes(take(&mut rest)?) != 0, ALIGN),
        EARLIER_MAGIC => (false, 1),
        _ => return None,
    };
    let boot = (boot != 0).then_some(boot);
    let is_sound = is_followed_by_crc(head, rest);
    is_sound.then_some(FileHead { first, boot, on_disk, is_sheet, len, align })
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
