//! Reading the journal again at the start: which batches there are, and whether any are missing that
//! were acknowledged.
//!
//! What a file does not hold to its end may never have been acknowledged, may have been lost when the
//! power failed, which [`super::Reach::System`] allows for, or is damage:
//!
//! - A batch of which only the beginning is there was being written when the program was killed.
//! - After the power has failed, parts of what was not on the disk yet may be missing, with later parts
//!   in place: they read as zeros, or as what a sheet was before. Which batches were on the disk, later
//!   batches tell.
//! - Anything else nobody has written.

use super::batch::Changes;
use super::journal::{End, Reader};

/// What is read of the journal's files, in their order.
#[derive(Debug)]
pub(super) struct Chain {
    /// What tells this start of the machine from others.
    boot: Option<u64>,
    /// The last batch that is there, with all before it.
    last: u64,
    /// The last batch that is known to have been on the disk.
    on_disk: u64,
    /// A file has been read.
    is_begun: bool,
    gap: Option<Gap>,
    /// Something of a batch behind the gap is there.
    goes_on: bool,
    /// A batch was written when earlier ones were not known to be on the disk, by an earlier start
    /// of the machine.
    may_lack_end: bool,
}

/// The place from which on nothing can be used.
#[derive(Debug)]
struct Gap {
    file: String,
    at: usize,
    end: End,
    /// Whether the power may have failed after the file was begun.
    after_boot: bool,
}

/// What the journal turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All that was acknowledged is there.
    Complete,
    /// The machine went down, and what was acknowledged last need not have been on the disk.
    MayLackEnd,
    /// The machine went down, and batches after the last one that is there are lost.
    LacksEnd,
    /// The file is damaged.
    Damaged {
        /// Which one.
        file: String,
        /// How.
        what: String,
    },
}

impl Chain {
    /// Begins where the tables hold all batches up to `last`.
    pub(super) fn new(boot: Option<u64>, last: u64) -> Self {
        Self {
            boot,
            last,
            on_disk: last,
            is_begun: false,
            gap: None,
            goes_on: false,
            may_lack_end: false,
        }
    }

    /// The last batch that is there, with all before it.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Whether files after the last one were in vain.
    pub(super) fn is_broken(&self) -> bool {
        self.gap.is_some()
    }

    /// Reads the next file: its name, the batch that it is to begin with, what is in it, and with
    /// which batch the file after it is to begin. `apply` is shown the batches that are new.
    pub(super) fn read(
        &mut self,
        file: &str,
        first: u64,
        bytes: &[u8],
        next_first: Option<u64>,
        apply: &mut dyn FnMut(Changes<'_>),
    ) {
        let mut reader = Reader::new(bytes, first);
        self.on_disk = self.on_disk.max(reader.on_disk());
        if !self.is_begun {
            // Files go only when all that was in them is in the tables, on the disk.
            self.is_begun = true;
            self.on_disk = self.on_disk.max(first.saturating_sub(1));
        }
        // Batches from there on were written once more, into the next file.
        let stop = next_first.unwrap_or(u64::MAX);
        if self.gap.is_none() && first > self.last.saturating_add(1) {
            self.break_off(file, 0, End::Unwritten, reader.boot());
        }
        let mut number = first;
        while self.gap.is_none() && number < stop {
            let at = reader.at();
            let before = self.last;
            let record = reader.next();
            let changes = record.and_then(|record| Changes::of(record.batch));
            match record.zip(changes) {
                Some((record, changes)) if record.number == number => {
                    if number > self.last {
                        self.last = number;
                        apply(changes);
                    }
                    self.on_disk = self.on_disk.max(record.on_disk);
                    let is_exposed = record.on_disk < before;
                    self.may_lack_end = is_exposed && self.is_after_boot(reader.boot());
                    number = number.saturating_add(1);
                }
                _ => {
                    reader.go_back(at);
                    let end = reader.end(self.is_after_boot(reader.boot()));
                    let is_last = end == End::Whole && next_first.is_none();
                    let is_short = self.last.saturating_add(1) < stop;
                    if is_short && !is_last {
                        self.break_off(file, at, end, reader.boot());
                    }
                    break;
                }
            }
        }
        if self.gap.is_some() {
            self.note_strays(&mut reader);
        }
    }

    /// What the journal is, when all files are read.
    pub(super) fn verdict(&self) -> Verdict {
        let Some(gap) = &self.gap else {
            return if self.may_lack_end { Verdict::MayLackEnd } else { Verdict::Complete };
        };
        let damaged = |what: String| Verdict::Damaged { file: gap.file.clone(), what };
        let at = gap.at;
        if self.on_disk > self.last {
            let missing = self.last.saturating_add(1);
            return damaged(format!(
                "batch {missing} can't be read from byte {at} on, and batches up to {} were on the \
                 disk once",
                self.on_disk
            ));
        }
        match gap.end {
            End::Cut if !self.goes_on && !gap.after_boot => Verdict::Complete,
            End::Damaged => damaged(format!("what stands at byte {at} was never written")),
            _ if !gap.after_boot => {
                let missing = self.last.saturating_add(1);
                damaged(format!("batch {missing} is missing at byte {at}"))
            }
            _ if self.goes_on => Verdict::LacksEnd,
            _ if self.may_lack_end => Verdict::MayLackEnd,
            _ => Verdict::Complete,
        }
    }

    fn break_off(&mut self, file: &str, at: usize, end: End, boot: Option<u64>) {
        let after_boot = self.is_after_boot(boot);
        self.gap = Some(Gap { file: file.to_owned(), at, end, after_boot });
    }

    /// Whether the machine may have started anew since a file was begun.
    fn is_after_boot(&self, boot: Option<u64>) -> bool {
        boot.is_none() || boot != self.boot
    }

    /// Learns from what can't be used what should have been there.
    fn note_strays(&mut self, reader: &mut Reader<'_>) {
        while let Some(record) = reader.next() {
            self.note_stray(record.number, record.on_disk);
        }
        for (number, on_disk) in reader.stray_heads() {
            self.note_stray(number, on_disk);
        }
    }

    fn note_stray(&mut self, number: u64, on_disk: u64) {
        self.on_disk = self.on_disk.max(on_disk);
        // The batch that could not be read may have its head in place.
        self.goes_on |= number > self.last.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Batch;
    use super::super::disk::Disk;
    use super::super::journal::{FILE_HEAD, SPARE_FILE, Writer, name};
    use super::super::simulated::SimDisk;
    use super::*;

    /// What a file holds with batches 1 to 9 of some 1100 bytes, of which each was on the disk when the
    /// next was written, or none.
    fn file(is_synced: bool) -> Vec<u8> {
        let disk = SimDisk::default();
        let mut writer = Writer::create(&disk, 1, 0).unwrap();
        let mut batch = Batch::default();
        batch.put(b"key", &[7; 1100]);
        for number in 1..10 {
            let on_disk = if is_synced { number - 1 } else { 0 };
            writer.append(number, on_disk, batch.as_bytes()).unwrap();
        }
        let mut bytes = vec![0; usize::try_from(writer.len()).unwrap()];
        disk.open(&name(1)).unwrap().read(0, &mut bytes).unwrap();
        bytes
    }

    /// The last batch that was found and what is said of it, in the same start of the machine and in
    /// the next.
    fn read(files: &[(u64, &[u8])]) -> [(u64, &'static str); 2] {
        read_beyond(0, files)
    }

    /// The same where the tables hold all batches up to `last`.
    fn read_beyond(last: u64, files: &[(u64, &[u8])]) -> [(u64, &'static str); 2] {
        [1, 2].map(|boot| {
            let mut chain = Chain::new(Some(boot), last);
            let mut applied = last;
            for (index, (first, bytes)) in files.iter().enumerate() {
                let next_first = files.get(index + 1).map(|(first, _)| *first);
                chain.read("journal", *first, bytes, next_first, &mut |_| applied += 1);
            }
            assert_eq!(applied, chain.last());
            let said = match chain.verdict() {
                Verdict::Complete => "complete",
                Verdict::MayLackEnd => "may lack its end",
                Verdict::LacksEnd => "lacks its end",
                Verdict::Damaged { .. } => "damaged",
            };
            (chain.last(), said)
        })
    }

    #[test]
    fn what_is_not_there_was_never_acknowledged_or_is_told_of() {
        let (loose, synced) = (file(false), file(true));
        let len = loose.len();
        let changed = |bytes: &[u8], change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = bytes.to_vec();
            change(&mut bytes);
            bytes
        };
        let cut = |bytes: &mut Vec<u8>| bytes.truncate(len - 300);
        let flip = |bytes: &mut Vec<u8>| bytes[len / 2] ^= 1;
        let hole = |bytes: &mut Vec<u8>| bytes[512 * 9..512 * 10].fill(0);
        let cases = [
            ("whole", loose.clone(), [(9, "complete"), (9, "may lack its end")]),
            ("whole, synced", synced.clone(), [(9, "complete"), (9, "complete")]),
            ("cut", changed(&loose, &cut), [(8, "complete"), (8, "may lack its end")]),
            ("cut, synced", changed(&synced, &cut), [(8, "complete"), (8, "complete")]),
            ("a bit", changed(&loose, &flip), [(4, "damaged"), (4, "damaged")]),
            ("a bit, synced", changed(&synced, &flip), [(4, "damaged"), (4, "damaged")]),
            ("a hole", changed(&loose, &hole), [(3, "damaged"), (3, "lacks its end")]),
            ("a hole, synced", changed(&synced, &hole), [(3, "damaged"), (3, "damaged")]),
            ("no head yet", synced[..FILE_HEAD - 1].to_vec(), [(0, "complete"), (0, "complete")]),
        ];
        for (what, bytes, expected) in cases {
            assert_eq!(read(&[(1, &bytes)]), expected, "{what}");
        }
    }

    #[test]
    fn files_go_on_where_the_one_before_ends() {
        let (loose, disk) = (file(false), SimDisk::default());
        let mut next = Writer::create(&disk, 10, 0).unwrap();
        next.append(10, 0, &[]).unwrap();
        let mut bytes = vec![0; usize::try_from(next.len()).unwrap()];
        disk.open(&name(10)).unwrap().read(0, &mut bytes).unwrap();

        let whole = [(10, "complete"), (10, "may lack its end")];
        assert_eq!(read(&[(1, &loose), (10, &bytes)]), whole);
        // The last batch of a file counts no more than its last byte, which others fill up to eight.
        let shorter = &loose[..loose.len() - 8];
        let expected = [(8, "damaged"), (8, "lacks its end")];
        assert_eq!(read(&[(1, shorter), (10, &bytes)]), expected);
        // Without the first file; or the tables are not what they were.
        assert_eq!(read(&[(10, &bytes)]), [(0, "damaged"), (0, "damaged")]);
        // What another file has begun with anew does not count where it was first.
        let empty = &synced_head();
        assert_eq!(read(&[(1, &loose), (6, empty)]), [(5, "complete"), (5, "may lack its end")]);
    }

    /// What a sheet of 12,000 bytes held with batches 1 to 9, and what it holds when it was used again for
    /// batches 10 to 18, which are somewhat longer.
    fn sheets() -> [Vec<u8>; 2] {
        let (disk, mut spare) = (SimDisk::default(), None);
        [(1, 900), (10, 1000)].map(|(first, len)| {
            let sheet = Writer::create_sheet(&disk, first, 0, spare.take(), 12_000);
            let mut writer = sheet.unwrap().unwrap();
            let mut batch = Batch::default();
            batch.put(b"key", &vec![7; len]);
            for number in first..first + 9 {
                writer.append(number, 0, batch.as_bytes()).unwrap();
            }
            disk.rename(&name(first), SPARE_FILE).unwrap();
            spare = writer.into_sheet();
            disk.files().remove(SPARE_FILE).unwrap()
        })
    }

    #[test]
    fn a_sheet_ends_where_no_record_begins_whatever_it_was_before() {
        let [before, now] = sheets();
        assert_eq!(read(&[(1, &before)]), [(9, "complete"), (9, "may lack its end")]);
        let changed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = now.clone();
            change(&mut bytes);
            bytes
        };
        let keep = |sectors: std::ops::Range<usize>| {
            let bytes = sectors.start * 512..sectors.end * 512;
            changed(&|now| now[bytes.clone()].copy_from_slice(&before[bytes.clone()]))
        };
        // The records begin at bytes 40, 1080, 2120, 3160, 4200, 5240, 6280, 7320 and 8360, and end at 9400.
        let cases = [
            ("whole", now.clone(), [(18, "complete"), (18, "may lack its end")]),
            ("a bit", changed(&|now| now[5000] ^= 1), [(13, "damaged"), (13, "lacks its end")]),
            (
                "a record less",
                changed(&|now| now[8360..8364].fill(0)),
                [(17, "complete"), (17, "may lack its end")],
            ),
            ("a sector not there", keep(8..9), [(13, "damaged"), (13, "lacks its end")]),
            ("the end not there", keep(16..23), [(17, "damaged"), (17, "may lack its end")]),
            ("the head not there", keep(0..1), [(9, "damaged"), (9, "lacks its end")]),
            ("nothing there", before.clone(), [(9, "damaged"), (9, "complete")]),
        ];
        for (what, bytes, expected) in cases {
            assert_eq!(read_beyond(9, &[(10, &bytes)]), expected, "{what}");
        }
    }

    /// A file in which nothing is yet, to begin with batch 6.
    fn synced_head() -> Vec<u8> {
        let disk = SimDisk::default();
        Writer::create(&disk, 6, 5).unwrap();
        disk.files().remove(&name(6)).unwrap()
    }
}
