//! Changes that are in the journal and not yet in the tables.

use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;
use parking_lot::RwLockReadGuard;

use super::batch::Changes;
use super::disk::{Page, SharedPage};

/// What the memory of a change is counted with beyond its key and its value.
const CHANGE_OVERHEAD: usize = 64;

/// A value of fewer bytes is kept here even if it lies in a sheet: it takes no more memory than to say where.
const IN_SHEET_MIN: usize = 64;

/// The last change of each key that changed lately.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// None where a key is to go.
    changes: HashMap<Box<[u8]>, Option<Value>>,
    /// The sheets in which values lie.
    sheets: Vec<SharedPage>,
    bytes: usize,
}

/// What a key has for a value.
#[derive(Debug)]
enum Value {
    Here(Box<[u8]>),
    /// In one of the sheets, from this byte on.
    InSheet {
        sheet: u16,
        at: u32,
        len: u32,
    },
}

/// A value is not where it was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

impl Value {
    fn len(&self) -> usize {
        match self {
            Self::Here(value) => value.len(),
            Self::InSheet { len, .. } => *len as usize,
        }
    }

    /// The number of the sheet that it lies in.
    fn sheet(&self) -> Option<usize> {
        match self {
            Self::Here(_) => None,
            Self::InSheet { sheet, .. } => Some(usize::from(*sheet)),
        }
    }

    /// The value; `page` is what lies in memory of its sheet.
    fn bytes<'a>(&'a self, page: Option<&'a dyn Page>) -> Result<&'a [u8], Gone> {
        match self {
            Self::Here(value) => Ok(value),
            Self::InSheet { at, len, .. } => {
                let rest = page.and_then(|page| page.bytes().get(*at as usize..));
                rest.and_then(|rest| rest.get(..*len as usize)).ok_or(Gone)
            }
        }
    }
}

impl Recent {
    /// Nothing yet, with room for as many changes as another one has.
    pub(super) fn after(other: &Self) -> Self {
        Self { changes: HashMap::with_capacity(other.changes.len()), ..Self::default() }
    }

    /// Notes changes, which lie in a sheet from some byte on unless that is said otherwise.
    pub(super) fn apply(&mut self, mut changes: Changes<'_>, lies: Option<(&SharedPage, usize)>) {
        let end =
            lies.map(|(page, at)| (self.sheet(page), at.saturating_add(changes.bytes_left())));
        while let Some((key, value)) = changes.next() {
            let value = value.map(|value| {
                // The value is the last thing in a change.
                let end = end.map(|(sheet, end)| (sheet, end.saturating_sub(changes.bytes_left())));
                let in_sheet = end.and_then(|(sheet, end)| in_sheet(sheet?, end, value.len()));
                in_sheet.unwrap_or_else(|| Value::Here(value.into()))
            });
            let added = value.as_ref().map_or(0, Value::len);
            self.bytes = self.bytes.saturating_add(added);
            match self.changes.get_mut(key) {
                Some(current) => {
                    let gone = current.as_ref().map_or(0, Value::len);
                    self.bytes = self.bytes.saturating_sub(gone);
                    *current = value;
                }
                None => {
                    let size = key.len().saturating_add(CHANGE_OVERHEAD);
                    self.bytes = self.bytes.saturating_add(size);
                    self.changes.insert(key.into(), value);
                }
            }
        }
    }

    /// The number of a sheet here.
    fn sheet(&mut self, page: &SharedPage) -> Option<u16> {
        if !self.sheets.last().is_some_and(|last| Arc::ptr_eq(last, page)) {
            self.sheets.push(Arc::clone(page));
        }
        u16::try_from(self.sheets.len().checked_sub(1)?).ok()
    }

    /// The last change of a key, if there was one: its value, or that it is to go.
    pub(super) fn get(&self, key: &[u8]) -> Option<Result<Option<Bytes>, Gone>> {
        let change = self.changes.get(key)?;
        Some(change.as_ref().map(|value| self.read(value)).transpose())
    }

    fn read(&self, value: &Value) -> Result<Bytes, Gone> {
        let page = value.sheet().and_then(|sheet| self.sheets.get(sheet)).map(|page| page.read());
        value.bytes(page.as_deref()).map(Bytes::copy_from_slice)
    }

    /// All changes, and the sheets that their values lie in, to which nobody writes meanwhile.
    pub(super) fn pages(&self) -> Pages<'_> {
        Pages { recent: self, pages: self.sheets.iter().map(|page| page.read()).collect() }
    }

    /// About how much memory it takes, sheets included.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing changed.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// Changes that can be read one after the other.
pub(super) struct Pages<'a> {
    recent: &'a Recent,
    pages: Vec<RwLockReadGuard<'a, dyn Page>>,
}

/// A key, and its new value unless it is to go.
type Change<'a> = (&'a [u8], Option<&'a [u8]>);

impl Pages<'_> {
    /// All changes whose key begins with `prefix`, in no order.
    pub(super) fn under(&self, prefix: &[u8]) -> impl Iterator<Item = Result<Change<'_>, Gone>> {
        let changes = self.recent.changes.iter();
        changes.filter(move |(key, _)| key.starts_with(prefix)).map(|(key, value)| {
            let value = value.as_ref().map(|value| {
                let page = value.sheet().and_then(|sheet| self.pages.get(sheet));
                value.bytes(page.map(|page| &**page))
            });
            Ok((key.as_ref(), value.transpose()?))
        })
    }
}

/// A value that ends at this byte of a sheet, if it is to stay there.
fn in_sheet(sheet: u16, end: usize, len: usize) -> Option<Value> {
    let at = u32::try_from(end.checked_sub(len)?).ok()?;
    let len = u32::try_from(len).ok().filter(|_| len >= IN_SHEET_MIN)?;
    Some(Value::InSheet { sheet, at, len })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::Batch;
    use crate::store::engine::disk::Disk as _;
    use crate::store::engine::journal::{self, Writer};
    use crate::store::engine::simulated::SimDisk;

    #[test]
    fn values_are_read_where_they_lie_in_a_sheet_or_here() {
        let disk = SimDisk::default();
        let mut recent = Recent::default();
        let mut expected = Vec::new();
        let mut first = 1;
        for round in 0..3_u8 {
            let writer = Writer::create_sheet(&disk, first, 0, None, 12_000).unwrap();
            let mut writer = writer.unwrap();
            for number in 0..4_u8 {
                let mut batch = Batch::default();
                batch.put(b"last", &[round, number]);
                for len in [0, IN_SHEET_MIN - 1, IN_SHEET_MIN, 1_000] {
                    let key = vec![round, number, u8::try_from(len % 256).unwrap()];
                    let value = vec![round ^ number; len];
                    batch.put(&key, &value);
                    expected.push((key, value));
                }
                batch.delete(b"gone");
                let at = writer.append(first, 0, batch.as_bytes()).unwrap();
                recent.apply(batch.iter(), writer.page().map(|page| (page, at)));
                first += 1;
            }
        }
        for (key, value) in &expected {
            let found = recent.get(key).unwrap().unwrap();
            assert_eq!(found.as_deref(), Some(&value[..]), "{key:?}");
        }
        assert_eq!(recent.get(b"gone"), Some(Ok(None)));
        assert_eq!(recent.get(b"never"), None);
        let pages = recent.pages();
        let mut all: Vec<_> = pages.under(&[]).map(Result::unwrap).collect();
        all.sort_unstable();
        let mut rest: Vec<_> =
            expected.iter().map(|(key, value)| (&key[..], Some(&value[..]))).collect();
        rest.extend([(&b"gone"[..], None), (&b"last"[..], Some(&[2, 3][..]))]);
        rest.sort_unstable();
        assert_eq!(all, rest);
    }

    #[test]
    fn a_sheet_is_not_used_again_while_somebody_reads_in_it() {
        let disk = SimDisk::default();
        let mut recent = Recent::default();
        let mut batch = Batch::default();
        batch.put(b"key", &[7; 1_000]);
        let begin = |spare, first| {
            let writer = Writer::create_sheet(&disk, first, 0, spare, 12_000).unwrap().unwrap();
            disk.rename(&journal::name(first), journal::SPARE_FILE).unwrap();
            writer
        };
        let place = |writer: &Writer| Arc::as_ptr(writer.page().unwrap()).cast::<()>();
        let mut writer = begin(None, 1);
        let at = writer.append(1, 0, batch.as_bytes()).unwrap();
        recent.apply(batch.iter(), writer.page().map(|page| (page, at)));
        let (first, writer) = (place(&writer), begin(writer.into_sheet(), 2));
        assert_ne!(place(&writer), first);
        assert_eq!(recent.get(b"key").unwrap().unwrap().unwrap(), &[7; 1_000][..]);
        // Nobody reads in the second one.
        let (second, writer) = (place(&writer), begin(writer.into_sheet(), 3));
        assert_eq!(place(&writer), second);
    }
}
