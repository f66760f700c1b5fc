//! The storage engine under the durable store: keys and values in order, changed by whole batches.
//!
//! The store above knows what keys and values mean; an engine knows bytes only. One
//! thread at a time commits, any thread may read. The first byte of a key is its kind, which lets an engine keep kinds apart.
//!
//! After a commit has failed the caller keeps its batch and commits it again when it likes, so a
//! failure may leave a batch applied or not, but never half of it; and as batches only say what a key
//! is to hold, applying one twice is applying it once.

mod batch;
mod chain;
#[cfg(test)]
mod crashes;
mod disk;
#[cfg(test)]
pub(crate) mod faulty;
mod folder;
mod held;
mod journal;
mod journaled;
mod mapped;
#[cfg(test)]
pub(crate) mod memory;
mod recent;
#[cfg(test)]
mod simulated;
mod tables;
mod values;

use std::fmt;
use std::io;
use std::path::PathBuf;

use bytes::Bytes;

pub(crate) use batch::Batch;
pub(crate) use journaled::open;

/// How far a batch has come when its commit returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// With the operating system: it outlives this program, however it ends.
    System,
    /// On the disk, with all that was committed before it: it outlives a power failure.
    Disk,
}

/// Where keys and values are kept.
pub(crate) trait Engine: Send + Sync + fmt::Debug {
    /// Applies all of a batch, or nothing of it, however the program ends meanwhile. In a batch a
    /// later change of a key counts over an earlier one.
    ///
    /// # Errors
    ///
    /// What could not be written. The next commit tries anew, as if this one had not been asked for.
    fn commit(&self, batch: &Batch, reach: Reach) -> Result<(), EngineError>;

    /// Whether a commit to the system is likely to return at once: there is room for it, and nothing has
    /// to be brought to the disk first.
    fn is_prompt(&self) -> bool;

    /// The value of a key.
    ///
    /// # Errors
    ///
    /// What could not be read, or is not what was written.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError>;

    /// Shows all pairs whose key begins with `prefix`, which is not empty, in the order of their keys.
    ///
    /// # Errors
    ///
    /// What could not be read, or is not what was written; or what `each` ended with.
    fn scan(&self, prefix: &[u8], each: &mut Visit<'_>) -> Result<(), EngineError>;
}

/// What a scan shows its pairs to: the key, then the value.
pub(crate) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), EngineError> + 'a;

/// What can go wrong with an engine, each a sentence for people.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// Another process has the folder open.
    #[error("{} is in use by another process, probably by another broker", folder.display())]
    InUse {
        /// Where the engine's files are.
        folder: PathBuf,
    },
    /// The operating system refused something.
    #[error("{}: {why}", path.display())]
    Io {
        /// The file, or the folder where the engine does not say which file.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// A later program wrote it.
    #[error(
        "{} is of version {found}, and this program knows version {known}: use the program that wrote \
         it, or another folder (persistence_location)",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        found: u64,
        known: u64,
    },
    /// What is there is not what was written.
    #[error("{} is damaged: {what}", path.display())]
    Corrupt {
        /// The file, or the folder where the engine does not say which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl EngineError {
    /// Whether there is no room, which someone can make.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Io { why, .. } if matches!(
            why.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sentences_that_name_the_place() {
        let folder = PathBuf::from("/store");
        let full = EngineError::Io {
            path: folder.join("1.jnl"),
            why: io::Error::from(io::ErrorKind::StorageFull),
        };
        assert!(full.is_full());
        assert_eq!(full.to_string(), "/store/1.jnl: no storage space");
        let others = [
            (
                EngineError::InUse { folder: folder.clone() },
                "/store is in use by another process, probably by another broker",
            ),
            (
                EngineError::Corrupt { path: folder, what: "a checksum is wrong".into() },
                "/store is damaged: a checksum is wrong",
            ),
        ];
        for (error, sentence) in others {
            assert!(!error.is_full());
            assert_eq!(error.to_string(), sentence);
        }
    }
}
