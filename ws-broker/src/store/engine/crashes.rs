//! What is left of a store when the program is killed, the power fails, the disk refuses something or
//! a bit of it changes.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fastrand::Rng;

use super::disk::Disk;
use super::journal::{FILE_HEAD, Reader, SPARE_FILE, first_of};
use super::journaled::Journaled;
use super::simulated::SimDisk;
use super::{Batch, Engine, EngineError, Reach};
use crate::limits::StoreLimits;

/// The seeds that are tried where `STORE_SEED` names none.
const SEEDS: std::ops::Range<u64> = 0..4;

/// Small, so that the journal is brought into the tables again and again.
const LIMITS: StoreLimits = StoreLimits {
    journal_bytes_max: 6_000,
    recent_bytes_max: 4_000,
    cache_bytes: 1 << 20,
    long_value_min: 150,
    values_bytes_max: 3_000,
    compact_live_max: u64::MAX,
};

type Pairs = BTreeMap<Vec<u8>, Vec<u8>>;

/// A commit, as the one who asked for it saw it.
#[derive(Debug)]
struct Commit {
    /// What had been done to the disk when it was asked for, and when it returned.
    begun: usize,
    done: usize,
    reach: Reach,
    /// What holds from then on.
    pairs: Pairs,
}

/// A store on a simulated disk, and what it was asked for.
struct History {
    disk: SimDisk,
    commits: Vec<Commit>,
}

impl History {
    /// Commits at random, on a new disk that refuses so many writes and syncs in a thousand, with
    /// whatever reach `reaches` has.
    fn new(rng: &mut Rng, commits: usize, reaches: &[Reach], refused: u32) -> Self {
        let mut history = Self { disk: SimDisk::default(), commits: Vec::new() };
        if rng.u32(0..4) == 0 {
            history.disk.do_without_sheets();
        }
        let first = Commit { begun: 0, done: 0, reach: Reach::System, pairs: Pairs::new() };
        history.commits.push(first);
        let mut engine = open(&history.disk).unwrap();
        for _ in 0..commits {
            if rng.u32(0..20) == 0 {
                history.disk.fail(0, 0);
                match rng.bool() {
                    true => drop(engine),
                    false => history.disk.kill(engine),
                }
                engine = open(&history.disk).unwrap();
            }
            history.disk.fail(refused, rng.u64(..));
            history.commit(&engine, rng, reaches);
        }
        history.disk.fail(0, 0);
        history.disk.kill(engine);
        history
    }

    fn commit(&mut self, engine: &Journaled, rng: &mut Rng, reaches: &[Reach]) {
        let mut pairs = self.commits.last().unwrap().pairs.clone();
        let batch = change(&mut pairs, rng);
        let (begun, reach) = (self.disk.ops(), *rng.choice(reaches).unwrap());
        // The broker keeps what failed, and tries again; meanwhile everything goes on being there.
        let before = &self.commits.last().unwrap().pairs;
        while let Err(error) = engine.commit(&batch, reach) {
            assert!(error.is_full(), "{error}");
            match all(engine) {
                Ok(found) => assert!(found == *before, "a commit that failed can be seen"),
                Err(error) => assert!(error.is_full(), "{error}"),
            }
        }
        self.commits.push(Commit { begun, done: self.disk.ops(), reach, pairs });
    }

    /// The last commit that must be there after `done`, where `has_power` says whether the machine
    /// went on, and the last one that may be.
    fn bounds(&self, done: usize, has_power: bool) -> (usize, usize) {
        let counts = |commit: &Commit| has_power || commit.reach == Reach::Disk;
        let must = self.commits.iter().rposition(|commit| commit.done <= done && counts(commit));
        let may = self.commits.iter().rposition(|commit| commit.begun <= done);
        (must.unwrap_or(0), may.unwrap())
    }

    /// Makes sure that `disk` holds what it has to after `done`, and goes on from there.
    fn check(&self, disk: &SimDisk, done: usize, has_power: bool, rng: &mut Rng) {
        let (must, may) = self.bounds(done, has_power);
        let engine = open(disk).unwrap();
        let mut found = all(&engine).unwrap();
        let is_right = self.commits[must..=may].iter().any(|commit| commit.pairs == found);
        assert!(is_right, "after {done}: not what any of commits {must} to {may} has left");
        for _ in 0..rng.usize(0..4) {
            engine.commit(&change(&mut found, rng), Reach::Disk).unwrap();
        }
        assert!(all(&engine).unwrap() == found, "after {done}: a commit is not there");
        match rng.bool() {
            true => drop(engine),
            false => disk.kill(engine),
        }
        // The second time, it must have got there whatever happens.
        let next = match rng.bool() {
            true => disk.killed(disk.ops(), rng),
            false => disk.unpowered(disk.ops(), rng),
        };
        let engine = open(&next).unwrap();
        assert!(all(&engine).unwrap() == found, "after {done}: it is lost the second time");
    }
}

fn open(disk: &SimDisk) -> Result<Journaled, EngineError> {
    Journaled::open(Arc::new(disk.clone()), Path::new("/store"), &LIMITS)
}

fn all(engine: &dyn Engine) -> Result<Pairs, EngineError> {
    let mut pairs = Pairs::new();
    for kind in *b"ms" {
        engine.scan(&[kind], &mut |key, value| {
            assert!(pairs.last_key_value().is_none_or(|(last, _)| last.as_slice() < key));
            pairs.insert(key.to_vec(), value.to_vec());
            Ok(())
        })?;
    }
    for (key, value) in &pairs {
        assert_eq!(engine.get(key)?.as_deref(), Some(value.as_slice()));
    }
    Ok(pairs)
}

/// A batch at random, and what it makes of `pairs`.
fn change(pairs: &mut Pairs, rng: &mut Rng) -> Batch {
    let mut batch = Batch::default();
    for _ in 0..rng.usize(1..6) {
        let key = [*rng.choice(b"ms").unwrap(), rng.u8(0..12)];
        if rng.u32(0..3) == 0 {
            batch.delete(&key);
            pairs.remove(key.as_slice());
        } else {
            let len = *rng.choice(&[0, 3, 40, 200, 900]).unwrap();
            let byte = *rng.choice(&[0, 1, b'w', 0xff]).unwrap();
            let value: Vec<_> =
                (0..len).map(|_| if rng.u32(0..9) == 0 { rng.u8(..) } else { byte }).collect();
            batch.put(&key, &value);
            pairs.insert(key.to_vec(), value);
        }
    }
    batch
}

/// Runs a test for each seed, and says which one it is.
fn for_each_seed(test: impl Fn(&mut Rng)) {
    let named = env::var("STORE_SEED").ok().map(|seed| seed.parse().unwrap());
    for seed in named.map_or(SEEDS, |seed| seed..seed + 1) {
        println!("STORE_SEED={seed}");
        test(&mut Rng::with_seed(seed));
    }
}

#[test]
fn what_was_committed_outlives_the_program() {
    for_each_seed(|rng| {
        let history = History::new(rng, 60, &[Reach::System, Reach::Disk], 0);
        for _ in 0..60 {
            let done = rng.usize(0..=history.disk.ops());
            let disk = history.disk.killed(done, rng);
            history.check(&disk, done, true, rng);
        }
    });
}

#[test]
fn what_was_committed_to_the_disk_outlives_the_power() {
    for_each_seed(|rng| {
        let reaches: &[_] = match rng.bool() {
            true => &[Reach::Disk],
            false => &[Reach::System, Reach::Disk],
        };
        let history = History::new(rng, 40, reaches, 0);
        let mut moments = history.disk.sync_boundaries();
        moments.extend((0..60).map(|_| rng.usize(0..=history.disk.ops())));
        for done in moments {
            let disk = history.disk.unpowered(done, rng);
            history.check(&disk, done, false, rng);
        }
    });
}

#[test]
fn a_recorded_run_is_cut_at_every_sync_and_opened_in_a_fresh_folder() {
    for_each_seed(|rng| {
        let history = History::new(rng, 8, &[Reach::Disk], 0);
        for done in history.disk.sync_boundaries() {
            let folder = tempfile::tempdir().unwrap();
            history.disk.unpowered(done, rng).write_to(folder.path());
            let (must, may) = history.bounds(done, false);
            let engine = super::open(folder.path(), Reach::System).unwrap();
            let found = all(&*engine).unwrap();
            let is_right = history.commits[must..=may].iter().any(|commit| commit.pairs == found);
            assert!(is_right, "after {done}: not what any of commits {must} to {may} has left");
        }
    });
}

#[test]
fn a_bit_that_changes_is_told_of_or_does_not_matter() {
    for_each_seed(|rng| {
        let history = History::new(rng, 30, &[Reach::System, Reach::Disk], 0);
        let pairs = &history.commits.last().unwrap().pairs;
        for (name, bytes) in history.disk.files() {
            // Not the places that were never written to.
            let places: Vec<_> = (0..bytes.len()).filter(|&at| bytes[at] != 0).collect();
            for _ in 0..60 {
                let at = *rng.choice(&places).unwrap();
                let disk = history.disk.damaged(&name, at, rng.u8(0..8));
                let before = disk.files();
                match open(&disk).and_then(|engine| all(&engine)) {
                    Ok(found) => assert!(found == *pairs, "byte {at} of {name} was not missed"),
                    Err(EngineError::Corrupt { path, .. }) if path.ends_with("tables.redb") => {
                        let is_as_before = disk.files() == before;
                        assert!(is_as_before, "byte {at} of {name}: the damaged file was changed");
                    }
                    Err(EngineError::Corrupt { .. }) => {}
                    Err(error) => panic!("byte {at} of {name}: {error}"),
                }
            }
        }
    });
}

#[test]
fn tables_that_went_back_to_what_they_were_are_told_of() {
    let (disk, mut rng) = (SimDisk::default(), Rng::with_seed(0));
    let mut commit = |disk: &SimDisk| {
        let engine = open(disk).unwrap();
        engine.commit(&change(&mut Pairs::new(), &mut rng), Reach::Disk).unwrap();
    };
    commit(&disk);
    let before = disk.files();
    commit(&disk);
    let disk = disk.rebooted();
    disk.create("tables.redb").unwrap().write(0, &before["tables.redb"]).unwrap();
    let error = open(&disk).map(|_| ()).unwrap_err();
    assert!(matches!(error, EngineError::Corrupt { .. }), "{error}");
}

#[test]
fn a_file_that_is_missing_is_told_of() {
    let mut rng = Rng::with_seed(0);
    let history = History::new(&mut rng, 30, &[Reach::Disk], 0);
    let names = history.disk.files().into_keys();
    for name in names.filter(|name| name != SPARE_FILE) {
        let disk = history.disk.rebooted();
        disk.remove(&name).unwrap();
        let error = open(&disk).map(|_| ()).unwrap_err();
        assert!(matches!(error, EngineError::Corrupt { .. }), "without {name}: {error}");
    }
    let disk = history.disk.rebooted();
    disk.open("tables.redb").unwrap().set_len(10_000).unwrap();
    let error = open(&disk).map(|_| ()).unwrap_err();
    assert!(matches!(error, EngineError::Corrupt { .. }), "cut off: {error}");
}

#[test]
fn a_hole_in_what_was_on_the_disk_is_told_of() {
    for_each_seed(|rng| {
        let history = History::new(rng, 12, &[Reach::Disk], 0);
        let pairs = &history.commits.last().unwrap().pairs;
        for (name, bytes) in history.disk.files() {
            // Where the last batch begins, a hole could come from its being written when the power
            // failed.
            let doubtful = first_of(&name).map_or(bytes.len(), |first| last_batch(&bytes, first));
            for _ in 0..40.min(doubtful / 512) {
                let sector = rng.usize(0..doubtful / 512);
                let disk = history.disk.rebooted();
                disk.open(&name).unwrap().write(sector as u64 * 512, &[0; 512]).unwrap();
                match open(&disk).and_then(|engine| all(&engine)) {
                    Ok(found) => assert!(found == *pairs, "sector {sector} of {name}: not missed"),
                    Err(EngineError::Corrupt { .. }) => {}
                    Err(error) => panic!("sector {sector} of {name}: {error}"),
                }
            }
        }
    });
}

/// Where the last batch of a file of the journal begins.
fn last_batch(bytes: &[u8], first: u64) -> usize {
    let mut reader = Reader::new(bytes, first);
    let (mut at, mut next) = (reader.at(), reader.at());
    while reader.next().is_some() {
        (at, next) = (next, reader.at());
    }
    at
}

#[test]
fn a_disk_that_refuses_to_write_loses_nothing_and_is_used_again() {
    for_each_seed(|rng| {
        let refused = *rng.choice(&[20, 100, 300]).unwrap();
        let history = History::new(rng, 40, &[Reach::System, Reach::Disk], refused);
        for _ in 0..60 {
            let done = rng.usize(0..=history.disk.ops());
            let has_power = rng.bool();
            let disk = match has_power {
                true => history.disk.killed(done, rng),
                false => history.disk.unpowered(done, rng),
            };
            history.check(&disk, done, has_power, rng);
        }
    });
}

#[test]
fn a_folder_is_for_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut batch = Batch::default();
    batch.put(b"m1", b"one");
    let engine = super::open(&path, Reach::System).unwrap();
    engine.commit(&batch, Reach::System).unwrap();
    let error = super::open(&path, Reach::System).map(|_| ()).unwrap_err();
    assert!(matches!(error, EngineError::InUse { .. }), "{error}");
    drop(engine);
    let engine = super::open(&path, Reach::System).unwrap();
    assert_eq!(engine.get(b"m1").unwrap().as_deref(), Some(&b"one"[..]));
    // Closed and opened, the journal is empty.
    let journal = path.join("journal.00000000000000000002");
    assert_eq!(std::fs::metadata(journal).unwrap().len(), FILE_HEAD as u64);
}

#[test]
fn what_came_and_went_takes_no_room() {
    let disk = SimDisk::default();
    let engine = open(&disk).unwrap();
    let mut batch = Batch::default();
    for number in 0..3_000_u32 {
        batch.clear();
        batch.put(&number.to_be_bytes(), &[7; 500]);
        batch.delete(&number.wrapping_sub(5).to_be_bytes());
        engine.commit(&batch, Reach::System).unwrap();
    }
    let size = |disk: &SimDisk| disk.files().values().map(Vec::len).sum::<usize>();
    assert!(size(&disk) < 2_000_000, "{}", size(&disk));
    drop(engine);
    let files = disk.files();
    let names: Vec<_> = files.keys().map(|name| name.trim_end_matches(char::is_numeric)).collect();
    assert_eq!(names, ["journal.", "tables.redb", "values."]);
    let values = files.last_key_value().map_or(0, |(_, bytes)| bytes.len());
    assert!(values < 5_000, "five values of 500 bytes are left in {values} bytes");
}

#[test]
fn what_is_left_of_long_values_is_written_again_when_it_is_little() {
    let disk = SimDisk::default();
    let engine = open(&disk).unwrap();
    let mut batch = Batch::default();
    let mut commit = |number: u32, value: Option<&[u8]>| {
        batch.clear();
        match value {
            Some(value) => batch.put(&number.to_be_bytes(), value),
            None => batch.delete(&number.to_be_bytes()),
        }
        engine.commit(&batch, Reach::System).unwrap();
    };
    (0..200).for_each(|number| commit(number, Some(&[number as u8; 500])));
    let is_left = |number: &u32| number.is_multiple_of(20);
    (0..200).filter(|number| !is_left(number)).for_each(|number| commit(number, None));
    // One file is done away with each time that the journal is brought into the tables.
    (0..2_000).for_each(|number| commit(1_000, Some(&[number as u8; 100])));
    let files = disk.files();
    let values = files.iter().filter(|(name, _)| name.starts_with("values."));
    let bytes: usize = values.map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes < 15_000, "ten values of 500 bytes are left in {bytes} bytes");
    for number in (0..200).filter(is_left) {
        let value = engine.get(&number.to_be_bytes()).unwrap();
        assert_eq!(value.as_deref(), Some(&[number as u8; 500][..]));
    }
}

#[test]
fn a_folder_of_an_earlier_version_is_opened_and_one_of_a_later_version_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let put = |key: &[u8], value: &[u8]| {
        let mut batch = Batch::default();
        batch.put(key, value);
        super::open(folder.path(), Reach::System).unwrap().commit(&batch, Reach::System).unwrap();
    };
    let make_version = |version: u64| {
        let database = redb::Database::open(folder.path().join("tables.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        for table in ["long", "files"].into_iter().filter(|_| version == 1) {
            let table = redb::TableDefinition::<&[u8], &[u8]>::new(table);
            transaction.delete_table(table).unwrap();
        }
        let state = redb::TableDefinition::<&str, u64>::new("state");
        transaction.open_table(state).unwrap().insert("version", version).unwrap();
        transaction.commit().unwrap();
    };
    put(b"m1", b"short");
    make_version(1);
    put(b"m2", &[7; 1000]);
    make_version(2);
    let engine = super::open(folder.path(), Reach::System).unwrap();
    assert_eq!(engine.get(b"m1").unwrap().as_deref(), Some(&b"short"[..]));
    assert_eq!(engine.get(b"m2").unwrap().as_deref(), Some(&[7; 1000][..]));
    drop(engine);
    make_version(4);
    let error = super::open(folder.path(), Reach::System).map(|_| ()).unwrap_err();
    assert!(matches!(error, EngineError::Version { found: 4, known: 3, .. }), "{error}");
}

#[test]
fn who_reads_sees_batches_whole_while_a_thread_moves_them_into_the_tables() {
    for_each_seed(|rng| {
        let disk = SimDisk::default();
        let engine = open(&disk).unwrap().with_thread().unwrap();
        let is_over = AtomicBool::new(false);
        let mut journal_max = 0;
        let key = |kind: u8, number: u8| [kind, number];
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let (mut last, mut scans) = (0, 0);
                while !is_over.load(Ordering::Relaxed) || scans == 0 {
                    let mut seen = Vec::new();
                    let seen_all = engine.scan(b"m", &mut |_, value| {
                        seen.push(u32::from_be_bytes(value[..4].try_into().unwrap()));
                        Ok(())
                    });
                    match seen_all {
                        Ok(()) => {
                            assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
                            let now = seen.first().copied().unwrap_or(0);
                            assert!(now >= last, "from {last} back to {now}");
                            (last, scans) = (now, scans + 1);
                        }
                        Err(error) => assert!(error.is_full(), "{error}"),
                    }
                }
            });
            let mut batch = Batch::default();
            for number in 1..=600_u32 {
                disk.fail(if number % 200 < 50 { 30 } else { 0 }, rng.u64(..));
                batch.clear();
                let mut value = vec![b'v'; rng.usize(4..300)];
                value[..4].copy_from_slice(&number.to_be_bytes());
                (0..5).for_each(|index| batch.put(&key(b'm', index), &value));
                while let Err(error) = engine.commit(&batch, Reach::System) {
                    assert!(error.is_full(), "{error}");
                    disk.fail(0, 0);
                }
                let files = disk.files();
                let journal = files.iter().filter(|(name, _)| name.starts_with("journal"));
                let bytes: usize = journal.map(|(_, bytes)| bytes.len()).sum();
                journal_max = journal_max.max(bytes);
            }
            is_over.store(true, Ordering::Relaxed);
            reader.join().unwrap();
        });
        assert!(journal_max < 60_000, "the journal has grown to {journal_max} bytes");
        disk.fail(0, 0);
        disk.kill(engine);
        let engine = open(&disk).unwrap();
        let value = engine.get(&key(b'm', 4)).unwrap().unwrap();
        assert_eq!(value[..4], 600_u32.to_be_bytes());
    });
}
