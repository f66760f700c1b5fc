//! Changes that are to happen together.

/// Keys with their new values, or with none, in the order they were asked for.
///
/// All bytes stand in one buffer, so that a batch that is used again allocates nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    changes: Vec<Change>,
    /// Key after key, each with its value behind it.
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Change {
    key_len: usize,
    /// None where the key is to go.
    value_len: Option<usize>,
}

impl Batch {
    /// Gives a key a value, over any that it has.
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) {
        self.changes.push(Change { key_len: key.len(), value_len: Some(value.len()) });
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
    }

    /// Removes a key, if it is there.
    pub(crate) fn delete(&mut self, key: &[u8]) {
        self.changes.push(Change { key_len: key.len(), value_len: None });
        self.bytes.extend_from_slice(key);
    }

    /// Forgets all changes and keeps the room they took.
    pub(crate) fn clear(&mut self) {
        self.changes.clear();
        self.bytes.clear();
    }

    /// Whether nothing is to change.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many changes there are.
    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }

    /// Bytes of all keys and values.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// All changes: a key, and its new value unless it is to go.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let mut rest = self.bytes.as_slice();
        self.changes.iter().map(move |change| {
            let key = take(&mut rest, change.key_len);
            (key, change.value_len.map(|len| take(&mut rest, len)))
        })
    }
}

/// Takes the next `len` bytes; there are as many, for each change has put its own there.
fn take<'a>(rest: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at_checked(len).unwrap_or((rest, &[]));
    *rest = left;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_come_back_as_they_were_put() {
        let mut batch = Batch::default();
        batch.put(b"a", b"1");
        batch.delete(b"bb");
        batch.put(b"", b"");
        batch.put(b"a", b"");
        let all: Vec<_> = batch.iter().collect();
        let expected: [(&[u8], Option<&[u8]>); 4] =
            [(b"a", Some(b"1")), (b"bb", None), (b"", Some(b"")), (b"a", Some(b""))];
        assert_eq!(all, expected);
        assert_eq!((batch.len(), batch.bytes(), batch.is_empty()), (4, 5, false));
        batch.clear();
        assert_eq!((batch.iter().count(), batch.bytes(), batch.is_empty()), (0, 0, true));
    }
}
